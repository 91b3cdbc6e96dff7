//! Deciding: default deny, errors, holds, shadow policies, partitions, purity.

use cedar_policy::{Entities, Request, Schema};
use proptest::prelude::*;
use weir_model::{ColumnRef, Decision, Effect, Flag, Verdict};

use super::{ask, identity, operation, set, target};
use crate::entities::{Facts, Names};
use crate::mentions::Mentions;
use crate::partition::Question;
use crate::{Action, Ask, DEFAULT_DENY, PolicySet, SCHEMA};

const ALL: &str = "@id(\"all\") permit (principal, action, resource);";
/// Well typed, and yet an error when it is evaluated: the sum overflows.
const BROKEN: &str = "when { resource.port + 9223372036854775807 == 1 };";

fn decide(set: &PolicySet, effect: Effect, flags: &[Flag]) -> Decision {
    set.decide(&ask(&identity(&[]), &target(), &operation(effect, &["delete"], flags)))
}

fn rule(decision: &Decision) -> &str {
    match &decision.verdict {
        Verdict::Deny(refusal) => &refusal.rule,
        Verdict::Allow | Verdict::Hold(_) => panic!("not refused: {decision:?}"),
    }
}

#[test]
fn what_nothing_permits_is_refused() {
    let decision = decide(&set(""), Effect::Read, &[]);
    assert_eq!(rule(&decision), DEFAULT_DENY);
    assert!(decision.policies.is_empty());
}

#[test]
fn what_nothing_permits_unattended_is_held() {
    let set = set("@id(\"a\") permit (principal, action == Weir::Action::\"sql.run\", resource);");
    let decision = decide(&set, Effect::Read, &[]);
    let Verdict::Hold(terms) = decision.verdict else { panic!("{decision:?}") };
    assert_eq!((terms.quorum, terms.expires_s, terms.approve_groups.len()), (1, 900, 0));
    assert!(!terms.message.is_empty());
}

#[test]
fn an_evaluation_error_denies_even_a_satisfied_permit() {
    for (effect, action) in [("permit", "sql.run"), ("forbid", "sql.run_unattended")] {
        let broken = format!(
            "{ALL} @id(\"broken\") {effect} (principal, action == Weir::Action::\"{action}\", \
             resource) {BROKEN}"
        );
        let decision = decide(&set(&broken), Effect::Read, &[]);
        assert_eq!(rule(&decision), "weir.policy-error");
        assert_eq!(decision.policies, ["broken"]);
    }
}

#[test]
fn a_policy_of_another_question_is_not_evaluated() {
    let set = set(&format!(
        "{ALL} @id(\"broken\") forbid (principal, action in [Weir::Action::\"tcp.connect\", \
         Weir::Action::\"dns.resolve\"], resource) {BROKEN}"
    ));
    assert_eq!(decide(&set, Effect::Read, &[]).verdict, Verdict::Allow);
    let (who, on) = (identity(&[]), target());
    let what = operation(Effect::Session, &["connect"], &[]);
    let connect = Ask { action: Action::TcpConnect, ..ask(&who, &on, &what) };
    assert_eq!(rule(&set.decide(&connect)), "weir.policy-error");
    let counts = Question::ALL.map(|question| set.partitions.enforced(question));
    assert_eq!(counts, [1, 1, 2, 1, 2, 1, 1, 1]);
}

#[test]
fn the_gravest_refusal_speaks() {
    let forbid = "forbid (principal, action == Weir::Action::\"sql.run\", resource);";
    let set = set(&format!(
        "{ALL} @id(\"a\") @severity(\"low\") {forbid} @id(\"b\") @severity(\"critical\") \
         @message(\"b says no\") @instead(\"do c\") {forbid} @id(\"c\") @severity(\"critical\") \
         {forbid}"
    ));
    let decision = decide(&set, Effect::Read, &[]);
    assert_eq!(decision.policies, ["a", "b", "c"]);
    let Verdict::Deny(refusal) = decision.verdict else { panic!("{decision:?}") };
    assert_eq!(
        (refusal.rule.as_str(), refusal.message.as_str(), refusal.instead.as_str()),
        ("b", "b says no", "do c")
    );
}

const TWO_HOLDS: &str = "
@id(\"x\") @approve_group(\"dba\") @quorum(\"2\") @expires(\"1h\") @message(\"x.\")
forbid (principal, action == Weir::Action::\"sql.run_unattended\", resource);
@id(\"y\") @approve_group(\"ops, dba\") @expires(\"30s\") @message(\"y.\")
forbid (principal, action == Weir::Action::\"sql.run_unattended\", resource)
when { context.flags.contains(\"no_where\") };";

#[test]
fn several_holds_ask_for_all_that_each_asks() {
    let set = set(&format!("{ALL}{TWO_HOLDS}"));
    let decision = decide(&set, Effect::Write, &[Flag::NoWhere]);
    assert_eq!(decision.policies, ["x", "y"]);
    let Verdict::Hold(terms) = decision.verdict else { panic!("{decision:?}") };
    assert_eq!(terms.approve_groups, ["dba", "ops"]);
    assert_eq!((terms.quorum, terms.expires_s, terms.message.as_str()), (2, 30, "x. y."));
}

#[test]
fn an_approval_counts_others_only_and_never_lifts_a_refusal() {
    let set = set(&format!("{ALL}{TWO_HOLDS}"));
    let (who, on, what) = (identity(&[]), target(), operation(Effect::Write, &["update"], &[]));
    let verdict = |approvers: &[&str]| {
        let approvers: Vec<String> = approvers.iter().map(|name| (*name).to_owned()).collect();
        set.decide(&Ask { approvers: &approvers, ..ask(&who, &on, &what) }).verdict.name()
    };
    assert_eq!(verdict(&["bob"]), "hold");
    assert_eq!(verdict(&["bob", "BOB", " bob"]), "hold");
    assert_eq!(verdict(&["bob", "alice"]), "hold");
    assert_eq!(verdict(&["bob", "Alice@example.com", ""]), "hold");
    assert_eq!(verdict(&["bob", "carol"]), "allow");
    let shipped = PolicySet::shipped().ok().unwrap();
    let drop = operation(Effect::Schema, &["drop"], &[]);
    let approvers = ["bob".to_owned(), "carol".to_owned()];
    let decision = shipped.decide(&Ask { approvers: &approvers, ..ask(&who, &on, &drop) });
    assert_eq!(rule(&decision), "prod.no-drop");
}

#[test]
fn policies_can_see_the_approval() {
    let set = set(&format!(
        "{ALL} @id(\"only-bob\") forbid (principal, action == Weir::Action::\"sql.run\", resource)
         unless {{ context has approval && context.approval.approvers.contains(\"bob\") }};"
    ));
    let (who, on, what) = (identity(&[]), target(), operation(Effect::Read, &["select"], &[]));
    let approvers = ["bob".to_owned()];
    assert_eq!(rule(&set.decide(&ask(&who, &on, &what))), "only-bob");
    let approved = Ask { approvers: &approvers, ..ask(&who, &on, &what) };
    assert_eq!(set.decide(&approved).verdict, Verdict::Allow);
}

fn shadowed(enforced: &str, shadow: &str) -> (&'static str, Vec<String>) {
    let set = set(&format!("{enforced} @id(\"s\") @mode(\"shadow\") {shadow}"));
    let decision = decide(&set, Effect::Write, &[Flag::NoWhere]);
    (decision.verdict.name(), decision.shadow)
}

#[test]
fn shadow_policies_are_told_and_not_enforced() {
    let run = "(principal, action == Weir::Action::\"sql.run\", resource)";
    let unattended = "(principal, action == Weir::Action::\"sql.run_unattended\", resource)";
    let told = vec!["s".to_owned()];
    // It would have refused, held, or failed.
    assert_eq!(shadowed(ALL, &format!("forbid {run};")), ("allow", told.clone()));
    assert_eq!(shadowed(ALL, &format!("forbid {unattended};")), ("allow", told.clone()));
    assert_eq!(shadowed(ALL, &format!("forbid {run} {BROKEN}")), ("allow", told.clone()));
    // It would have permitted what nothing permits.
    assert_eq!(shadowed("", &format!("permit {run};")), ("deny", told.clone()));
    // It is not satisfied, or would have changed nothing.
    let read = "when { context.effect == \"read\" };";
    assert_eq!(shadowed(ALL, &format!("forbid {run} {read}")), ("allow", vec![]));
    assert_eq!(shadowed(ALL, &format!("permit {run};")), ("allow", vec![]));
    let forbidden = format!("{ALL} @id(\"f\") forbid {run};");
    assert_eq!(shadowed(&forbidden, &format!("forbid {run};")), ("deny", vec![]));
    // A hold that would have asked for more, and one that would not.
    let held = format!("{ALL} @id(\"h\") @approve_group(\"dba\") forbid {unattended};");
    let more = format!("@approve_group(\"ops\") forbid {unattended};");
    assert_eq!(shadowed(&held, &more), ("hold", told));
    let same = format!("@approve_group(\"dba\") forbid {unattended};");
    assert_eq!(shadowed(&held, &same), ("hold", vec![]));
}

#[test]
fn requests_and_entities_conform_to_the_schema() {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let names = Names::new(Mentions::everything()).unwrap();
    let mut who = identity(&["a", "b"]);
    who.on_behalf_of = Some("carol".to_owned());
    let what = operation(Effect::Write, &["delete"], &[Flag::NoWhere]);
    let conform = |question: Question, facts: &Facts| {
        let entities = facts.entities.iter().cloned();
        Entities::from_entities(entities, Some(&schema)).unwrap();
        let request = names.request(question, facts).unwrap();
        let (who, what) = (request.principal().unwrap(), request.resource().unwrap());
        let (action, context) = (request.action().unwrap(), request.context().unwrap());
        assert_eq!(action.id().unescaped(), question.action());
        let (who, what, action) = (who.clone(), what.clone(), action.clone());
        Request::new(who, action, what, context.clone(), Some(&schema)).unwrap();
    };
    for approvers in [vec![], vec!["bob".to_owned()]] {
        let sql = names.sql(&what, &approvers).unwrap();
        let facts = names.operation(&who, &target(), sql).unwrap();
        conform(Question::SqlRun, &facts);
        conform(Question::SqlUnattended, &facts);
        let network = names.network(&approvers).unwrap();
        let facts = names.operation(&who, &target(), network).unwrap();
        conform(Question::TcpConnect, &facts);
        conform(Question::TcpUnattended, &facts);
        conform(Question::DnsResolve, &facts);
    }
    let facts = names.operation(&who, &target(), names.replication(&what).unwrap()).unwrap();
    conform(Question::ReplicationRun, &facts);
    let column = ColumnRef { table: "public.t".to_owned(), column: "c".to_owned() };
    let facts = names.column(&who, &target(), &column, &["pii".to_owned()]).unwrap();
    conform(Question::ColumnClear, &facts);
    for written in [false, true] {
        let facts = names.reveal(&who, &target(), &column, &["pii".to_owned()], written).unwrap();
        conform(Question::TokenReveal, &facts);
    }
}

#[test]
fn policies_can_read_every_fact() {
    let set = set("@id(\"a\")
         permit (principal in Weir::Group::\"g\", action, resource in Weir::Env::\"prod\")
         when { principal.subject == \"alice\" && principal.issuer like \"https://*\" &&
           principal has email && principal.agent == \"claude-code\" &&
           !(principal has on_behalf_of) };
         @id(\"b\") forbid (principal, action == Weir::Action::\"sql.run\", resource)
         unless { principal == Weir::Agent::\"claude-code\" && resource == Weir::Target::\"shop\" &&
           resource.name == \"shop\" && resource.protocol == \"postgres\" &&
           resource.host == \"db.internal\" && resource.address == \"10.0.0.5\" &&
           resource.port == 5432 && resource.known && context.effect == \"write\" &&
           context.verbs == [\"delete\"] && context.tables == [\"public.orders\"] &&
           context.written == [\"public.orders\"] && context.functions.isEmpty() &&
           context.flags == [\"no_where\"] && !(context has approval) };");
    let (on, what) = (target(), operation(Effect::Write, &["delete"], &[Flag::NoWhere]));
    let decision = set.decide(&ask(&identity(&["g"]), &on, &what));
    assert_eq!(decision.verdict, Verdict::Allow, "{decision:?}");
    assert_eq!(rule(&set.decide(&ask(&identity(&["h"]), &on, &what))), DEFAULT_DENY);
}

#[test]
fn a_fact_counts_however_it_is_read() {
    let what = operation(Effect::Write, &["delete"], &[Flag::NoWhere]);
    let conditions = [
        "(if resource.known then context else context).effect == \"write\"",
        "[context].contains(context) && context[\"effect\"] == \"write\"",
        "principal has email && principal[\"email\"] == \"alice@example.com\"",
        "!(context has approval.approvers) && (if true then resource else resource).port == 5432",
        "principal in Weir::Group::\"g\" && !(principal in Weir::Group::\"h\")",
        "resource in [Weir::Env::\"dev\", Weir::Env::\"prod\"]",
        "[principal in Weir::Group::\"g\"].contains(true)",
        "{a: resource.host}.a == \"db.internal\"",
    ];
    for condition in conditions {
        let set = set(&format!(
            "@id(\"a\") permit (principal, action in [Weir::Action::\"sql.run\", \
             Weir::Action::\"sql.run_unattended\"], resource) when {{ {condition} }};"
        ));
        let decision = set.decide(&ask(&identity(&["g"]), &target(), &what));
        assert_eq!(decision.verdict, Verdict::Allow, "{condition}");
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["\\PC{0,12}", Just("prod\"] || true || [\"".to_owned()), Just("\0".to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the texts hold, a decision is the same twice, and no text passes for another.
    #[test]
    fn deciding_is_pure(group in any_text(), agent in any_text(), verb in any_text(),
                        table in any_text(), env in any_text(), effect in 0_usize..6) {
        let set = PolicySet::shipped().ok().unwrap();
        let effects = [Effect::Session, Effect::Read, Effect::Write, Effect::Schema,
                       Effect::Admin, Effect::Unknown];
        let mut who = identity(&[group.as_str()]);
        who.agent = agent;
        let mut on = target();
        on.environment = env;
        let mut what = operation(effects[effect], &[verb.as_str()], &[]);
        what.resources[0].name = table;
        let first = set.decide(&ask(&who, &on, &what));
        prop_assert_eq!(&first, &set.decide(&ask(&who, &on, &what)));
        let expected = if verb == "drop" || verb == "truncate" { "deny" } else {
            ["allow", "allow", "allow", "hold", "deny", "hold"][effect]
        };
        prop_assert_eq!(first.verdict.name(), expected);
        prop_assert_eq!(&first.policy_hash, set.hash());
    }
}
