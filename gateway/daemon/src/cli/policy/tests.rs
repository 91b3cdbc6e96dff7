//! Tests of `weir policy`, with the real parser.
#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn the_shipped_cases_hold_with_the_real_parser() {
    let set = PolicySet::shipped().ok().unwrap();
    let found: Vec<_> =
        case_files(None).unwrap().iter().flat_map(|file| cases::parse(file).unwrap()).collect();
    let report = cases::run(&set, &found, &classify);
    let differ = report.outcomes.iter().filter(|outcome| !outcome.differences.is_empty());
    assert_eq!(differ.collect::<Vec<_>>(), Vec::<&cases::Outcome>::new());
    assert_eq!(report.unhit, Vec::<String>::new());
}

#[test]
fn an_explanation_has_exactly_these_keys() {
    let set = PolicySet::shipped().ok().unwrap();
    let what = ["delete from orders", "drop table orders", "select 1"];
    for (sql, verdict) in what.into_iter().zip(["hold", "deny", "allow"]) {
        let explain = Explain {
            sql: sql.to_owned(),
            target: "db".to_owned(),
            env: "prod".to_owned(),
            subject: "alice".to_owned(),
            groups: vec!["b".to_owned(), "a".to_owned(), "b".to_owned()],
            agent: "agent".to_owned(),
            policy: Vec::new(),
        };
        let operation = classify(sql);
        let (identity, target) = (identity(&explain), target(&explain, &Config::default()));
        assert_eq!(identity.groups, ["a", "b"]);
        let decision = set.decide(&Ask {
            action: Action::SqlRun,
            identity: &identity,
            target: &target,
            operation: &operation,
            approvers: &[],
        });
        let json = explained(&operation, &decision);
        let keys = |value: &serde_json::Value| {
            value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
        };
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let top = named(&[
            "operation",
            "verdict",
            "policies",
            "message",
            "instead",
            "approve_groups",
            "policy_hash",
        ]);
        assert_eq!(keys(&json), top);
        let inner = named(&["effect", "verbs", "resources", "flags"]);
        assert_eq!(keys(&json["operation"]), inner);
        assert_eq!(json["verdict"], verdict);
    }
}

#[test]
fn numbers_are_followed_by_their_noun() {
    assert_eq!(counted(1, "policy"), "1 policy");
    assert_eq!(counted(0, "policy"), "0 policies");
    assert_eq!(counted(2, "case"), "2 cases");
}
