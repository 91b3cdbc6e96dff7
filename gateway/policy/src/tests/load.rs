//! Loading: every problem at once, with its place.

use super::{problems, set, source};
use crate::{PolicySet, Scope, Severity};
use weir_model::Transform;

const CLEAR: &str = "permit (principal, action == Weir::Action::\"column.clear\", resource);";

#[test]
fn the_shipped_set_loads() {
    let set = PolicySet::shipped().unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    });
    assert!(set.ids().any(|id| id == "prod.no-drop"));
    for id in set.ids() {
        let rule = set.rule(id).unwrap();
        let permit = id.starts_with("base.") || id == "net.known";
        assert_eq!(rule.message.is_empty(), permit, "{id} has no message for the agent");
        assert_eq!(rule.instead.is_empty(), permit, "{id} does not say what to do instead");
    }
}

#[test]
fn parse_errors_have_their_place() {
    let text = format!("@id(\"a\")\n{CLEAR}\n\n@id(\"b\")\nforbid (principal, action, resource\n");
    let found = problems(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("test.cedar:5:36: unexpected end"), "{found:?}");
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = format!(
        "{CLEAR}\n\
         @id(\"x\") @colour(\"red\") {CLEAR}\n\
         @id(\"x\") {CLEAR}\n\
         @id(\"z\") permit (principal, action == Weir::Action::\"sql.run\", resource)\n\
         when {{ context.efect == \"read\" }};\n\
         @id(\"t\") permit (principal == ?principal, action, resource);\n"
    );
    let found = problems(&text);
    let starts = |prefix: &str| found.iter().any(|problem| problem.starts_with(prefix));
    assert!(starts("test.cedar:1:1: the policy has no @id"), "{found:#?}");
    assert!(starts("test.cedar:2:10: @colour: unknown annotation"), "{found:#?}");
    assert!(starts("test.cedar:3:1: the id \"x\" is already given at test.cedar:2"), "{found:#?}");
    assert!(starts("test.cedar:5:8: attribute `efect`"), "{found:#?}");
    assert!(starts("test.cedar:6:1: a template"), "{found:#?}");
    assert_eq!(found.len(), 5, "{found:#?}");
}

#[test]
fn problems_of_several_files_name_their_file() {
    let sources = [
        source("a.cedar", &format!("@id(\"one\") {CLEAR}")),
        source("b.cedar", &format!("\n@id(\"one\") {CLEAR}")),
        source("c.cedar", "nonsense"),
    ];
    let found: Vec<String> =
        PolicySet::load(&sources).err().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("b.cedar:2:1: the id \"one\" is already given at a.cedar:1"));
    assert!(found[1].starts_with("c.cedar:1:"), "{found:#?}");
}

#[test]
fn annotation_values_are_checked() {
    let hold = "forbid (principal, action == Weir::Action::\"sql.run_unattended\", resource);";
    let mask = "forbid (principal, action == Weir::Action::\"column.clear\", resource);";
    let wrong = [
        ("@mask(\"blur\")", mask),
        ("@mask", mask),
        ("@quorum(\"0\")", hold),
        ("@quorum(\"+1\")", hold),
        ("@quorum(\"two\")", hold),
        ("@quorum(\"4294967296\")", hold),
        ("@expires(\"15\")", hold),
        ("@expires(\"15d\")", hold),
        ("@expires(\"0s\")", hold),
        ("@expires(\"25h\")", hold),
        ("@expires(\"4294967295h\")", hold),
        ("@expires(\"1é\")", hold),
        ("@expires(\"\")", hold),
        ("@scope(\"twice\")", hold),
        ("@approve_group(\"dba,,x\")", hold),
        ("@approve_group(\"\")", hold),
        ("@mode(\"audit\")", hold),
        ("@severity(\"fatal\")", hold),
        ("@message(\"\")", hold),
        ("@message(\"two\\nlines\")", hold),
        ("@instead(\"a\\0b\")", hold),
        // Well formed, but of no effect where they stand.
        ("@mask(\"redact\")", hold),
        ("@quorum(\"2\")", mask),
        ("@expires(\"15m\")", CLEAR),
    ];
    for (annotation, policy) in wrong {
        let found = problems(&format!("@id(\"a\")\n  {annotation}\n{policy}"));
        assert_eq!(found.len(), 1, "{annotation}: {found:?}");
        assert!(found[0].starts_with("test.cedar:2:3: @"), "{annotation}: {found:?}");
    }
}

#[test]
fn ids_are_checked() {
    for id in ["", "weir.mine", "a b", "a\\nb", &"x".repeat(129)] {
        let found = problems(&format!("@id(\"{id}\") {CLEAR}"));
        assert_eq!(found.len(), 1, "{id:?}: {found:?}");
    }
}

#[test]
fn annotations_are_read() {
    let set = set("@id(\"a\") @severity(\"high\") @approve_group(\"dba, ops\") @quorum(\"2\") \
         @expires(\"2h\") @scope(\"shape\") @message(\"no\") @instead(\"yes\") @mode(\"shadow\") \
         @mask(\"hash\") forbid (principal, action, resource);");
    let rule = set.rule("a").unwrap();
    assert_eq!(rule.severity, Severity::High);
    assert_eq!(rule.approve_groups, ["dba", "ops"]);
    assert_eq!((rule.quorum, rule.expires_s, rule.scope), (Some(2), Some(7_200), Scope::Shape));
    assert_eq!((rule.message.as_str(), rule.instead.as_str()), ("no", "yes"));
    assert_eq!((rule.mask, rule.shadow), (Some(Transform::Hash), true));
}

#[test]
fn words_that_never_occur_are_problems() {
    let conditions = [
        "context.effect == \"reed\"",
        "\"Read\" == context.effect",
        "[\"read\", \"wirte\"].contains(context.effect)",
        "context.flags.contains(\"nowhere\")",
        "context.flags.containsAny([\"multi\", \"no-where\"])",
        "context.verbs.contains(\"DROP\")",
        "resource.known && !(resource.protocol == \"postgresql\")",
    ];
    for condition in conditions {
        let found = problems(&format!(
            "@id(\"a\")\nforbid (principal, action == Weir::Action::\"sql.run\", resource)\n\
             when {{ {condition} }};"
        ));
        assert_eq!(found.len(), 1, "{condition}: {found:?}");
        assert!(found[0].contains("never occurs"), "{condition}: {found:?}");
    }
}

#[test]
fn a_forbid_that_can_never_apply_is_a_problem() {
    let found = problems(
        "@id(\"a\")\nforbid (principal, action == Weir::Action::\"sql.run\", resource)\n\
         when { resource is Weir::Column };",
    );
    assert_eq!(found.len(), 1, "{found:?}");
}

#[test]
fn the_hash_is_stable_and_order_independent() {
    let (a, b) = (source("a", &format!("@id(\"a\") {CLEAR}")), {
        source("b", &format!("@id(\"b\") {CLEAR}"))
    });
    let hash = |sources: &[_]| PolicySet::load(sources).ok().unwrap().hash().clone();
    let both = hash(&[a.clone(), b.clone()]);
    assert_eq!(both, hash(&[b.clone(), a.clone()]));
    assert_eq!(both, hash(&[source("elsewhere", &a.text), b.clone()]));
    assert_ne!(both, hash(std::slice::from_ref(&a)));
    assert_ne!(both, hash(&[source("one", &format!("{}{}", a.text, b.text))]));
    assert_ne!(both, hash(&[a, source("b", &format!("{} ", b.text))]));
    assert_eq!(both.len(), 64);
    assert!(both.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
}

#[test]
fn no_policies_at_all_load_and_deny() {
    assert_eq!(set("").ids().count(), 0);
}
