//! What libpg_query's generated C files and pg_query's generated Rust say about the nodes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// A node as it is in C and in protobuf.
pub struct Message {
    /// The function that writes it, `_out` cut off; other lines of C name it so.
    pub function: String,
    /// The struct in Rust.
    pub rust: String,
    /// The struct in C.
    pub c: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Whether Rust has more of them: `xpr`, which C never writes.
    pub partly: bool,
}

/// A field of a node.
pub struct Field {
    /// The macro that writes it, `WRITE_` and `_FIELD` cut off: `BOOL`, `NODE_PTR`, ...
    pub kind: String,
    /// The function that writes what it points to, or its enum, where the macro names one.
    pub of: String,
    /// Its name in Rust.
    pub rust: String,
    /// Its type in Rust.
    pub kind_in_rust: String,
    /// Its name in C.
    pub c: String,
}

/// A node that may stand where any may.
pub struct Variant {
    /// Its tag in C.
    pub tag: String,
    /// The function that writes it.
    pub function: String,
    /// The variant in Rust.
    pub rust: String,
    /// Whether the variant is a box.
    pub boxed: bool,
}

/// What the hand-written readers have to know: a constant's name, and of what.
pub const NAMED: [(&str, &str); 17] = [
    ("LIST", "T_List"),
    ("RAW_STMT", "T_RawStmt"),
    ("INTEGER", "T_Integer"),
    ("FLOAT", "T_Float"),
    ("BOOLEAN", "T_Boolean"),
    ("STRING", "T_String"),
    ("BIT_STRING", "T_BitString"),
    ("LENGTH", "List.length"),
    ("ELEMENTS", "List.elements"),
    ("IVAL", "Integer.ival"),
    ("FVAL", "Float.fval"),
    ("BOOLVAL", "Boolean.boolval"),
    ("SVAL", "String.sval"),
    ("BSVAL", "BitString.bsval"),
    ("CONST_VAL", "A_Const.val"),
    ("CONST_ISNULL", "A_Const.isnull"),
    ("CONST_LOCATION", "A_Const.location"),
];

/// All of it.
pub struct Sources {
    /// Nodes that have a generated writer.
    pub messages: Vec<Message>,
    /// Nodes that may stand where any may.
    pub variants: Vec<Variant>,
    /// By enum: the enumerator in C, and its number in protobuf.
    pub enums: BTreeMap<String, Vec<(String, i32)>>,
}

impl Sources {
    /// Reads a package's source.
    pub fn read(package: &Path) -> Result<Self> {
        let read = |path: &str| {
            fs::read_to_string(package.join(path)).with_context(|| format!("reading {path}"))
        };
        let rust = Rust::read(&read("src/protobuf.rs")?);
        let include = "libpg_query/src/include/pg_query";
        Ok(Self {
            messages: messages(&read(&format!("{include}_outfuncs_defs.c"))?, &rust)?,
            variants: variants(&read(&format!("{include}_outfuncs_conds.c"))?, &rust)?,
            enums: enums(&read(&format!("{include}_enum_defs.c"))?),
        })
    }

    /// A C program that prints offset and size of each field, and the number of each enumerator.
    pub fn probe(&self) -> String {
        let mut text = "#include \"postgres.h\"\n#include \"nodes/parsenodes.h\"\n\
             #include \"nodes/plannodes.h\"\n#include \"nodes/value.h\"\n#include <stdio.h>\n\
             #undef printf\n\nint main(void) {\n"
            .to_owned();
        let place = |c: &str, field: &str| {
            let size = format!("sizeof((({c} *) 0)->{field})");
            format!("printf(\"{c}.{field} %zu %zu\\n\", offsetof({c}, {field}), {size});\n")
        };
        for Message { c, fields, .. } in &self.messages {
            text.extend(fields.iter().map(|field| place(c, &field.c)));
        }
        let named = NAMED.iter().filter_map(|(_, name)| name.split_once('.'));
        text.extend(named.map(|(c, field)| place(c, field)));
        let tags = self.variants.iter().map(|variant| &variant.tag);
        for name in self.enums.values().flatten().map(|(name, _)| name).chain(tags) {
            text.push_str(&format!("printf(\"{name} %d 4\\n\", (int) {name});\n"));
        }
        text + "return 0;\n}\n"
    }
}

/// The messages of prost's generated source.
struct Rust {
    /// By their plain name: the name, and the fields with their types.
    structs: BTreeMap<String, (String, BTreeMap<String, String>)>,
    /// Variants of the node enum by their plain name: the name, and whether it is a box.
    variants: BTreeMap<String, (String, bool)>,
}

impl Rust {
    fn read(text: &str) -> Self {
        let mut found = Self { structs: BTreeMap::new(), variants: BTreeMap::new() };
        for part in text.split("\npub struct ").skip(1) {
            let Some((name, rest)) = part.split_once(" {") else { continue };
            let body = rest.split("\n}").next().unwrap_or_default();
            let body = body.replace("<\n        ", "<").replace(",\n    >", ">");
            let field = |line: &str| {
                let (name, kind) = line.trim().strip_prefix("pub ")?.split_once(": ")?;
                Some((name.to_owned(), kind.trim_end_matches(',').to_owned()))
            };
            let fields = body.lines().filter_map(field).collect();
            found.structs.insert(plain(name), (name.to_owned(), fields));
        }
        let node = text.split("pub enum Node {").nth(1).unwrap_or_default();
        let node = node.split("\n    }").next().unwrap_or_default();
        for part in node.split("#[prost(").skip(1) {
            let Some((_, variant)) = part.split_once("]\n") else { continue };
            let Some((name, kind)) = variant.trim().split_once('(') else { continue };
            found.variants.insert(plain(name), (name.to_owned(), kind.contains("Box<")));
        }
        found
    }
}

/// A name without what the languages' conventions do to it.
fn plain(name: &str) -> String {
    let name = name.trim_start_matches("r#");
    name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

/// What stands in the brackets of a macro, by its commas.
fn arguments(line: &str) -> Vec<&str> {
    let inner = line.split_once('(').map_or("", |(_, rest)| rest);
    let inner = inner.rsplit_once(')').map_or(inner, |(inner, _)| inner);
    inner.split(',').map(str::trim).collect()
}

fn messages(text: &str, rust: &Rust) -> Result<Vec<Message>> {
    let mut found = Vec::new();
    for part in text.split("\n_out").skip(1) {
        let (head, body) = part.split_once("\n{").context("a function without a body")?;
        let (function, types) = head.split_once('(').context("a function without arguments")?;
        let [proto, _, c] = arguments(types)[..] else { continue };
        let proto = proto.trim_start_matches("OUT_TYPE(");
        let c = c.trim_start_matches("const ").split(' ').next().unwrap_or_default();
        let (name, types) = rust
            .structs
            .get(&plain(proto))
            .with_context(|| format!("no struct in Rust for {proto}"))?;
        let body = body.split("\n}").next().unwrap_or_default();
        let fields = body.lines().map(str::trim).filter(|line| line.starts_with("WRITE_"));
        let fields = fields.map(|line| field(line, types)).collect::<Result<Vec<_>>>();
        let fields = fields.with_context(|| format!("reading {function}"))?;
        found.push(Message {
            partly: fields.len() < types.len(),
            function: function.to_owned(),
            rust: name.clone(),
            c: c.to_owned(),
            fields,
        });
    }
    Ok(found)
}

fn field(line: &str, types: &BTreeMap<String, String>) -> Result<Field> {
    let kind = line.trim_start_matches("WRITE_").split("_FIELD(").next().unwrap_or_default();
    let arguments = arguments(line);
    let (of, name) = match kind {
        "SPECIFIC_NODE" | "SPECIFIC_NODE_PTR" => (arguments.get(1), arguments.get(3)),
        "ENUM" => (arguments.get(1), arguments.get(2)),
        _ => (None, arguments.get(1)),
    };
    let name = name.with_context(|| format!("no name in {line}"))?;
    let (name, kind_in_rust) = types
        .iter()
        .find(|(candidate, _)| plain(candidate) == plain(name))
        .with_context(|| format!("no field in Rust for {line}"))?;
    Ok(Field {
        kind: kind.to_owned(),
        of: of.copied().unwrap_or_default().to_owned(),
        rust: name.clone(),
        kind_in_rust: kind_in_rust.clone(),
        c: arguments.last().copied().unwrap_or_default().to_owned(),
    })
}

fn variants(text: &str, rust: &Rust) -> Result<Vec<Variant>> {
    let mut found = Vec::new();
    for part in text.split("case ").skip(1) {
        let (tag, rest) = part.split_once(':').context("a case without a colon")?;
        let rest = rest.split(';').next().unwrap_or_default();
        let arguments = arguments(rest);
        let (Some(function), Some(name)) = (arguments.get(1), arguments.last()) else { continue };
        let (rust, boxed) = rust
            .variants
            .get(&plain(name))
            .with_context(|| format!("no variant in Rust for {name}"))?;
        found.push(Variant {
            tag: tag.to_owned(),
            function: (*function).to_owned(),
            rust: rust.clone(),
            boxed: *boxed,
        });
    }
    Ok(found)
}

fn enums(text: &str) -> BTreeMap<String, Vec<(String, i32)>> {
    let mut found = BTreeMap::new();
    for part in text.split("\n_enumToInt").skip(1) {
        let Some((name, rest)) = part.split_once('(') else { continue };
        let body = rest.split("\n}").next().unwrap_or_default();
        let case = |line: &str| {
            let (name, number) = line.trim().strip_prefix("case ")?.split_once(": return ")?;
            Some((name.to_owned(), number.trim_end_matches(';').parse().ok()?))
        };
        found.insert(name.to_owned(), body.lines().filter_map(case).collect());
    }
    found
}
