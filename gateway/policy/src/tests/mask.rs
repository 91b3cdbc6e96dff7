//! Masking, and the shipped cases with operations written by hand.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_model::{ColumnRef, Effect, Flag, Operation, Resource, ResourceKind, Transform};

use super::{identity, set, source, target};
use crate::{ColumnVerdict, PolicySet, cases};

fn column(set: &PolicySet, groups: &[&str], classes: &[&str]) -> ColumnVerdict {
    let column = ColumnRef { table: "public.customers".to_owned(), column: "email".to_owned() };
    let classes: Vec<String> = classes.iter().map(|class| (*class).to_owned()).collect();
    set.column(&identity(groups), &target(), &column, &classes)
}

fn mask(transform: Transform, policy: &str) -> ColumnVerdict {
    ColumnVerdict::Mask { transform, policy: policy.to_owned() }
}

#[test]
fn the_strictest_mask_wins() {
    let forbid = "forbid (principal, action == Weir::Action::\"column.clear\", resource)";
    let set = set(&format!(
        "@id(\"all\") permit (principal, action, resource);
         @id(\"a\") @mask(\"token\") {forbid} when {{ resource.classes.contains(\"a\") }};
         @id(\"b\") @mask(\"hash\") {forbid} when {{ resource.column == \"email\" }};
         @id(\"c\") @mask(\"partial\") {forbid} when {{ resource.table == \"public.customers\" }};
         @id(\"d\") {forbid} when {{ resource.classes.contains(\"d\") && resource in \
           Weir::Target::\"shop\" && resource in Weir::Env::\"prod\" }};
         @id(\"s\") @mode(\"shadow\") @mask(\"redact\") {forbid};"
    ));
    assert_eq!(column(&set, &[], &["a"]), mask(Transform::Hash, "b"));
    // A forbid that names no mask hides everything.
    assert_eq!(column(&set, &[], &["a", "d"]), mask(Transform::Redact, "d"));
}

#[test]
fn what_can_not_be_decided_is_redacted() {
    assert_eq!(column(&set(""), &[], &[]), mask(Transform::Redact, "weir.default-deny"));
    let broken = set("@id(\"all\") permit (principal, action, resource);
         @id(\"b\") @mask(\"token\") forbid (principal, action == Weir::Action::\"column.clear\", \
         resource in Weir::Target::\"shop\") when { 9223372036854775807 + \
         (if resource.table == \"\" then 0 else 1) == 1 };");
    assert_eq!(column(&broken, &[], &[]), mask(Transform::Redact, "weir.policy-error"));
}

#[test]
fn tokens_are_turned_back_where_a_policy_says_so() {
    let column = ColumnRef { table: "public.customers".to_owned(), column: "email".to_owned() };
    let reveal = |set: &PolicySet, class: &str, written| {
        set.reveal(&identity(&[]), &target(), &column, &[class.to_owned()], written)
    };
    let denied = |by: &str| (false, vec![by.to_owned()]);
    assert_eq!(reveal(&set(""), "pii", false), denied("weir.default-deny"));
    let reads =
        set("@id(\"a\") permit (principal, action == Weir::Action::\"token.reveal\", resource)
         unless { context.written };");
    assert_eq!(reveal(&reads, "pii", false), (true, vec!["a".to_owned()]));
    assert_eq!(reveal(&reads, "pii", true), denied("weir.default-deny"));
    let broken = set("@id(\"all\") permit (principal, action, resource);
         @id(\"b\") forbid (principal, action == Weir::Action::\"token.reveal\", resource) when \
         { 9223372036854775807 + (if context.written then 0 else 1) == 1 };");
    assert_eq!(reveal(&broken, "pii", false), denied("b"));
    let shipped = PolicySet::shipped().ok().unwrap();
    assert!(reveal(&shipped, "pii", true).0 && !reveal(&shipped, "secret", false).0);
}

#[test]
fn the_shipped_masks() {
    let set = PolicySet::shipped().ok().unwrap();
    assert_eq!(column(&set, &[], &[]), ColumnVerdict::Clear);
    assert_eq!(column(&set, &[], &["pii", "email"]), mask(Transform::Token, "mask.pii"));
    assert_eq!(column(&set, &["pii-readers"], &["pii"]), ColumnVerdict::Clear);
    let both = column(&set, &["pii-readers"], &["pii", "secret"]);
    assert_eq!(both, mask(Transform::Redact, "mask.secret"));
    let nowhere = ColumnRef { table: String::new(), column: String::new() };
    let classes = ["secret".to_owned(), "jwt".to_owned()];
    let finding = set.column(&identity(&[]), &target(), &nowhere, &classes);
    assert_eq!(finding, mask(Transform::Redact, "mask.secret"));
}

/// What each statement of the shipped cases means, written down by hand: the parser has its own
/// tests, and `weir policy test` runs these cases through it.
fn meaning(sql: &str) -> Arc<Operation> {
    let (effect, verbs, flags): (Effect, &[&str], &[Flag]) = match sql {
        "begin" => (Effect::Session, &["begin"], &[]),
        "copy customers to stdout" => (Effect::Read, &["copy"], &[Flag::CopyOut]),
        "select 1; drop table customers" => (Effect::Schema, &["select", "drop"], &[Flag::Multi]),
        "grant all on customers to public" => (Effect::Admin, &["grant"], &[Flag::Privilege]),
        "alter system set log_statement = 'none'" => (Effect::Admin, &["alter_system"], &[]),
        "delete from orders" => (Effect::Write, &["delete"], &[Flag::NoWhere]),
        "update customers set email = null" => (Effect::Write, &["update"], &[Flag::NoWhere]),
        "create table notes (id int); delete from orders" => {
            (Effect::Schema, &["create", "delete"], &[Flag::Multi, Flag::NoWhere])
        }
        sql if sql.starts_with("copy customers to program") => {
            (Effect::Admin, &["copy"], &[Flag::ToProgram, Flag::CopyOut])
        }
        sql if sql.starts_with("select ") => (Effect::Read, &["select"], &[]),
        sql if sql.starts_with("insert ") => (Effect::Write, &["insert"], &[]),
        sql if sql.starts_with("update ") => (Effect::Write, &["update"], &[]),
        sql if sql.starts_with("delete ") => (Effect::Write, &["delete"], &[]),
        sql if sql.starts_with("merge ") => (Effect::Write, &["merge"], &[]),
        sql if sql.starts_with("drop ") => (Effect::Schema, &["drop"], &[]),
        sql if sql.starts_with("truncate ") => (Effect::Write, &["truncate"], &[]),
        sql if sql.starts_with("create role ") => (Effect::Admin, &["create"], &[Flag::Privilege]),
        sql if sql.starts_with("create table ") => (Effect::Schema, &["create"], &[]),
        sql if sql.starts_with("do ") => (Effect::Unknown, &["do"], &[Flag::DynamicSql]),
        _ => (Effect::Unknown, &[], &[]),
    };
    Arc::new(Operation {
        effect,
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        resources: sql.split(" from ").skip(1).filter_map(table).collect(),
        flags: flags.iter().copied().collect::<BTreeSet<_>>(),
    })
}

/// The table that a text after FROM begins with.
fn table(text: &str) -> Option<Resource> {
    let name = text.split_whitespace().next()?.to_owned();
    Some(Resource { kind: ResourceKind::Table, name, columns: Vec::new(), written: false })
}

#[test]
fn the_shipped_cases_hold_and_hit_every_policy() {
    let set = PolicySet::shipped().ok().unwrap();
    let cases = cases::parse(&source("default.toml", cases::SHIPPED)).unwrap();
    let report = cases::run(&set, &cases, &meaning);
    let failed: Vec<_> =
        report.outcomes.iter().filter(|outcome| !outcome.differences.is_empty()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(report.unhit.is_empty(), "no case hits {:?}", report.unhit);
}

#[test]
fn a_case_that_differs_says_how_and_unhit_policies_are_told() {
    let set = PolicySet::shipped().ok().unwrap();
    let text = "[[case]]\nname = \"n\"\nsql = \"delete from orders\"\nexpect = \"allow\"\n\
                policies = [\"base.write\"]\napprove_groups = []\n";
    let report = cases::run(&set, &cases::parse(&source("c", text)).unwrap(), &meaning);
    assert_eq!(report.failed(), 1);
    assert_eq!(report.outcomes[0].differences.len(), 3, "{report:?}");
    assert!(report.unhit.contains(&"prod.no-drop".to_owned()));
    assert!(!report.unhit.contains(&"hold.no-where".to_owned()));
}

#[test]
fn cases_that_make_no_sense_have_their_place() {
    let wrong = [
        ("[[case]]\nname = \"n\"\nexpect = \"allow\"\n", "c:1:1: expected exactly one of"),
        ("\n[[case]]\nname = \"n\"\nsql = \"x\"\nwant = \"allow\"\n", "c:5:1: unknown field"),
        ("[[case]]\nname = \"n\"\nexpect = \"deny\"\nconnect = \"h\"\n", "c:1:1: connect: "),
        ("[[case]]\nname = \"n\"\nexpect = \"deny\"\nconnect = \"h:70000\"\n", "c:1:1: connect: "),
    ];
    for (text, expected) in wrong {
        let problems = cases::parse(&source("c", text)).err().unwrap();
        assert!(problems[0].to_string().starts_with(expected), "{problems:?}");
    }
}
