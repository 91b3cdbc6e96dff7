//! Writes `nodes.rs`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

use super::sources::{Field, Message, Sources, Variant};

/// Nodes whose writers libpg_query has by hand, and so have we.
const BY_HAND: [&str; 9] =
    ["Integer", "Float", "Boolean", "String", "BitString", "List", "IntList", "OidList", "AConst"];

/// Offset, or number, and size by the name that the probe printed.
struct Layout<'a>(BTreeMap<&'a str, (i64, usize)>);

impl<'a> Layout<'a> {
    fn read(text: &'a str) -> Result<Self> {
        let line = |line: &'a str| {
            let mut words = line.split(' ');
            let name = words.next()?;
            Some((name, (words.next()?.parse().ok()?, words.next()?.parse().ok()?)))
        };
        let lines = text.lines().map(|l| line(l).with_context(|| format!("reading {l:?}")));
        Ok(Self(lines.collect::<Result<_>>()?))
    }

    fn of(&self, name: &str) -> Result<(i64, usize)> {
        self.0.get(name).copied().with_context(|| format!("the probe did not tell of {name}"))
    }
}

/// The whole file.
pub fn file(sources: &Sources, layout: &str) -> Result<String> {
    let layout = Layout::read(layout)?;
    let mut text =
        "//! Made by `cargo xtask pgtree`: where the fields of libpg_query's nodes are, \
         and what becomes of them.\n\n\
         use pg_query::protobuf as pg;\nuse pg_query::protobuf::node::Node;\n\n\
         use super::reader::{At, Bad, Reader};\n\n"
            .to_owned();
    for (constant, name) in super::sources::NAMED {
        let (number, _) = layout.of(name)?;
        text.push_str(&format!("pub(super) const {constant}: usize = {number};\n"));
    }
    text.push_str("\n/// What stands where any node may.\n");
    text.push_str("pub(super) fn any(r: &mut Reader, n: At) -> Result<Node, Bad> {\n");
    text.push_str("match r.tag(n) {\n");
    for variant in &sources.variants {
        text.push_str(&arm(variant, &layout)?);
    }
    text.push_str("_ => Err(Bad::Node),\n}\n}\n");
    for message in &sources.messages {
        text.push_str(&function(message, sources, &layout)?);
    }
    Ok(text)
}

fn arm(variant: &Variant, layout: &Layout<'_>) -> Result<String> {
    let Variant { tag, function, rust, boxed } = variant;
    let (number, _) = layout.of(tag)?;
    let (read, how) = (reader(function), if *boxed { "in_box" } else { "in_place" });
    Ok(format!("{number} => r.{how}(n, {read}, Node::{rust}),\n"))
}

fn function(message: &Message, sources: &Sources, layout: &Layout<'_>) -> Result<String> {
    let Message { function, rust, c, fields, partly } = message;
    let function = name(function);
    // Each statement of a text begins with this one.
    let public = if function == "raw_stmt" { "pub(super) " } else { "" };
    let mut text =
        format!("\n{public}fn {function}(r: &mut Reader, n: At) -> Result<pg::{rust}, Bad> {{\n");
    if fields.is_empty() {
        text = text.replace("(r: ", "(_: ").replace(" n: ", " _: ");
    }
    text.push_str(&format!("Ok(pg::{rust} {{\n"));
    for field in fields {
        let (offset, size) = layout.of(&format!("{c}.{}", field.c))?;
        let value = value(field, offset, size, sources, layout)
            .with_context(|| format!("{c}.{}", field.c))?;
        text.push_str(&format!("{}: {value},\n", field.rust));
    }
    if *partly {
        text.push_str("..Default::default()\n");
    }
    Ok(text + "})\n}\n")
}

fn value(
    field: &Field,
    offset: i64,
    size: usize,
    sources: &Sources,
    layout: &Layout<'_>,
) -> Result<String> {
    let is_box = field.kind_in_rust.contains("Box<");
    let read = match (field.kind.as_str(), size) {
        ("INT" | "LONG", 2 | 4 | 8) => {
            format!("r.i{}(n, {offset}){}", size * 8, widened(size, &field.kind_in_rust))
        }
        ("UINT" | "UINT64", 4 | 8) => {
            format!("r.u{}(n, {offset}){}", size * 8, widened(size, &field.kind_in_rust))
        }
        ("FLOAT", 8) => format!("r.f64(n, {offset})"),
        ("BOOL", 1) => format!("r.flag(n, {offset})"),
        ("CHAR", 1) => format!("r.character(n, {offset})?"),
        ("STRING", 8) => format!("r.text(n, {offset})?"),
        ("LIST", 8) => format!("r.items(n, {offset})?"),
        ("BITMAPSET", 8) => format!("r.no_set(n, {offset})?"),
        ("NODE_PTR", 8) if is_box => format!("r.boxed_node(n, {offset})?"),
        ("NODE_PTR", 8) => format!("r.node(n, {offset})?"),
        ("SPECIFIC_NODE_PTR", 8) => {
            let (tag, function) = specific(&field.of, sources, layout)?;
            let read = if is_box { "boxed" } else { "plain" };
            format!("r.{read}(n, {offset}, {tag}, {function})?")
        }
        ("SPECIFIC_NODE", _) => {
            let (_, function) = specific(&field.of, sources, layout)?;
            format!("Some({function}(r, n.inside({offset}))?)")
        }
        ("ENUM", 4) => number(&field.of, offset, sources, layout)?,
        (kind, size) => bail!("no way to read a {kind} of {size} bytes"),
    };
    Ok(read)
}

/// A cast where prost's type is wider.
fn widened(size: usize, rust: &str) -> String {
    match (size, rust) {
        (2, _) => ".into()".to_owned(),
        (4, "i64" | "u64") => ".into()".to_owned(),
        _ => String::new(),
    }
}

/// The tag of a node that stands alone, and the function that reads it.
fn specific(of: &str, sources: &Sources, layout: &Layout<'_>) -> Result<(i64, String)> {
    let variant = sources.variants.iter().find(|variant| variant.function == of);
    let variant = variant.with_context(|| format!("no variant for {of}"))?;
    Ok((layout.of(&variant.tag)?.0, reader(of)))
}

/// The function that reads a node.
fn reader(function: &str) -> String {
    let path = if BY_HAND.contains(&function) { "Reader::" } else { "" };
    format!("{path}{}", name(function))
}

/// An enum's number in protobuf: one more than in C wherever that holds for all of them.
fn number(of: &str, offset: i64, sources: &Sources, layout: &Layout<'_>) -> Result<String> {
    let known = sources.enums.get(of).with_context(|| format!("no enum {of}"))?;
    let numbers = known.iter().map(|(name, number)| Ok((layout.of(name)?.0, i64::from(*number))));
    let numbers: Vec<(i64, i64)> = numbers.collect::<Result<_>>()?;
    if numbers.iter().all(|(c, protobuf)| c + 1 == *protobuf) {
        let most = numbers.iter().map(|(c, _)| c).max().context("an enum has members")?;
        return Ok(format!("r.number(n, {offset}, {most})?"));
    }
    let arms: Vec<String> = numbers.iter().map(|(c, p)| format!("{c} => {p}")).collect();
    Ok(format!("match r.i32(n, {offset}) {{ {}, _ => return Err(Bad::Node) }}", arms.join(", ")))
}

/// A name as functions have them in Rust.
fn name(camel: &str) -> String {
    let mut name = String::new();
    let mut small = false;
    for c in camel.chars() {
        if c.is_ascii_uppercase() && small {
            name.push('_');
        }
        small = !c.is_ascii_uppercase();
        name.push(c.to_ascii_lowercase());
    }
    name.replace("__", "_")
}
