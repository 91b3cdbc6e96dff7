//! The checks find what they look for, and nothing in comments and literals.

use std::path::PathBuf;

use super::{File, Tree, imports, lexer, links, modules, proofs, registry, shape};

fn file(path: &str, text: &str) -> File {
    File::new(PathBuf::from(path), text.to_owned())
}

fn tree(files: Vec<File>) -> Tree {
    let paths = files.iter().map(|file| file.path.clone()).collect();
    Tree { root: PathBuf::new(), paths, files }
}

fn problems(check: fn(&Tree, &mut Vec<super::Problem>), files: Vec<File>) -> Vec<String> {
    let mut problems = Vec::new();
    check(&tree(files), &mut problems);
    problems.iter().map(|it| format!("{}:{}: {}", it.file.display(), it.line, it.message)).collect()
}

#[test]
fn comments_and_literals_are_no_code() {
    let check = |text: &str, expected: &str| assert_eq!(lexer::code(text), expected, "{text}");
    check("a // b\nc", "a     \nc");
    check("a /* b /* c */ d */ e", "a                   e");
    check(r#"f("}\"{") g"#, r#"f(      ) g"#);
    check(r##"r#"a " }"# b"##, "           b");
    check(r"m('{', '\'', 'x')", "m(   ,     ,    )");
    check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
    check("r#type", "r#type");
    check("'ä' b'\"' c", "     b    c");
}

#[test]
fn a_function_of_71_lines_is_too_long() {
    let long = |lines: usize| format!("//! x\nfn f() {{\n{}}}\n", "  a();\n".repeat(lines - 2));
    assert_eq!(problems(shape::check, vec![file("a.rs", &long(70))]), Vec::<String>::new());
    let found = problems(shape::check, vec![file("a.rs", &long(71))]);
    assert_eq!(found, ["a.rs:2: fn f has 71 lines, 70 at most"]);
}

#[test]
fn a_function_without_a_body_has_no_length() {
    let text = format!("fn f(x: [u8; 4]);\n{}fn g() {{}}\n", "\n".repeat(100));
    let bodies: Vec<_> = shape::bodies(&text, "fn").map(|(_, name, _)| name).collect();
    assert_eq!(bodies, ["g"]);
}

#[test]
fn first_lines_names_lengths_and_unsafe_are_checked() {
    let found = problems(
        shape::check,
        vec![
            file("gateway/mask/src/utils.rs", "//! x\n"),
            file("gateway/mask/src/a.rs", "// x\n"),
            file("gateway/mask/src/b.rs", "//! x\nunsafe fn f() {}\n"),
            file("gateway/mask/src/c.rs", &format!("//! x\n{}", "//\n".repeat(400))),
            file("gateway/mask/src/c/tests.rs", &format!("//! x\n{}", "//\n".repeat(400))),
            file("gateway/abi/src/d.rs", "//! x\nunsafe fn f() {}\n"),
        ],
    );
    let starts = ["utils.rs:1: utils", "a.rs:1: the first", "b.rs:2: unsafe", "c.rs:401: the file"];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for start in starts {
        assert!(
            found.iter().any(|it| it.starts_with(&format!("gateway/mask/src/{start}"))),
            "{start}"
        );
    }
}

#[test]
fn a_file_that_no_mod_names_is_found() {
    let found = problems(
        modules::check,
        vec![
            file("a/src/lib.rs", "mod b;\nmod d;\n// mod e;\n"),
            file("a/src/b.rs", "mod c;"),
            file("a/src/b/c.rs", ""),
            file("a/src/d/mod.rs", ""),
            file("a/src/e.rs", ""),
            file("a/tests/whole.rs", ""),
        ],
    );
    assert_eq!(found, ["a/src/e.rs:1: no `mod e;` names this file"]);
}

#[test]
fn parts_of_the_daemon_may_not_know_each_other() {
    let found = problems(
        imports::check,
        vec![
            file("gateway/daemon/src/record/a.rs", "use crate::record::x;\nuse crate::tls;\n"),
            file("gateway/daemon/src/record/b.rs", "\nuse crate::{tls, control::{record, X}};\n"),
            file("gateway/daemon/src/identity/c.rs", "fn f() { crate::record::open() }\n"),
            file("gateway/daemon/src/flow/d.rs", "use crate::{record, identity};\n"),
        ],
    );
    assert_eq!(
        found,
        [
            "gateway/daemon/src/record/b.rs:2: record may not know control (invariant 7)",
            "gateway/daemon/src/identity/c.rs:1: identity may not know record (invariant 7)",
        ]
    );
}

#[test]
fn an_unlisted_detector_and_an_unfuzzed_codec_are_found() {
    let found = problems(
        registry::check,
        vec![
            file("gateway/mask/src/detector.rs", "mod b;\nconst DETECTORS: &[] = &[&a::A];\n"),
            file("gateway/mask/src/detector/a.rs", ""),
            file("gateway/mask/src/detector/b.rs", ""),
            file("gateway/wire/src/mysql/mod.rs", ""),
            file("tests/fuzz/fuzz_targets/postgres_x.rs", ""),
        ],
    );
    assert_eq!(found.len(), 5, "{found:#?}");
    assert_eq!(found[0], "gateway/mask/src/detector.rs:2: detector b is not in DETECTORS");
    assert!(found[1].contains("codec mysql has no fuzz target"), "{found:#?}");
}

#[test]
fn links_and_headings() {
    let text = "[a](b.md) [c](d.md#e)\n```\n[x](y)\n```\n[f](#g)";
    let found: Vec<_> = links::links(text);
    let expected = [(1, "b.md"), (1, "d.md#e"), (5, "#g")].map(|(n, t)| (n, t.to_owned()));
    assert_eq!(found, expected);
    assert_eq!(links::slug("## What it *never* does"), "what-it-never-does");
}

#[test]
fn tests_that_documents_name() {
    let line = "| an attack | `cgroup.procs`, `unix_stream_connect` | run: `it_is_one_of_these`, `a_second_one_2` |";
    assert_eq!(proofs::named(line).collect::<Vec<_>>(), ["it_is_one_of_these", "a_second_one_2"]);
}
