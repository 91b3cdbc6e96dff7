//! The queue's rules: who may answer, what an answer does, and what outlives a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use weir_model::{
    ExchangeId, FlowId, HoldTerms, Identity, Operation, Protocol, Resource, ResourceKind, Target,
};

use super::super::{Answer, Bound, Groups, binding};
use super::*;

const SECOND: i64 = 1_000_000;
const START: i64 = 1_700_000_000 * SECOND;

pub(crate) fn target() -> Target {
    Target {
        name: "orders".to_owned(),
        protocol: Protocol::Postgres,
        host: "db.internal".to_owned(),
        address: "10.0.0.5".to_owned(),
        port: 5432,
        environment: "prod".to_owned(),
        known: true,
    }
}

fn session() -> SessionId {
    SessionId::from_parts(7, 7)
}

pub(crate) fn question(number: u64, statement: &str) -> Question {
    let target = target();
    let bound = Bound {
        statement: statement.as_bytes(),
        parameters: &[],
        session: session(),
        target: &target,
        database: "shop",
        user: "app",
        policy_hash: "00",
    };
    let mut operation = Operation::unknown("delete");
    operation.resources.push(Resource {
        kind: ResourceKind::Table,
        name: "orders".to_owned(),
        columns: Vec::new(),
        written: true,
    });
    Question {
        hold: HoldId::from_random(number),
        exchange: ExchangeId::from_parts(1, number.into()),
        flow: FlowId::from_parts(1, 1),
        session: session(),
        uid: 1000,
        identity: Arc::new(Identity {
            issuer: "https://issuer.example".to_owned(),
            subject: "alice".to_owned(),
            email: Some("Al@example.com".to_owned()),
            groups: Vec::new(),
            agent: "claude-code".to_owned(),
            on_behalf_of: None,
            token_id_hash: String::new(),
            expires_us: START + 3600 * SECOND,
        }),
        binding: binding(&bound),
        target: Arc::new(target),
        statement: statement.into(),
        parameters: Vec::new(),
        operation: Arc::new(operation),
        terms: HoldTerms {
            approve_groups: Vec::new(),
            quorum: 1,
            expires_s: 600,
            message: "it deletes".to_owned(),
            instead: String::new(),
        },
        policies: vec!["hold-deletes".to_owned()],
        opened_us: START,
        until_us: START + 100 * SECOND,
        in_transaction: false,
    }
}

fn approver(user: &str, uid: u32, groups: &[&str]) -> Approver {
    let groups: BTreeSet<String> = groups.iter().map(|group| (*group).to_owned()).collect();
    let (name, user) = (format!("unix:{user}"), user.to_owned());
    Approver { name, user, uid, groups: Groups::Only(groups), session: None }
}

fn carol() -> Approver {
    approver("carol", 1002, &["dba"])
}

fn queue() -> Queue {
    Queue::in_memory(Vec::new())
}

fn approve(queue: &Queue, number: u64, by: &Approver) -> Result<State, AnswerError> {
    say(queue, number, by, Choice::Approve)
}

fn say(queue: &Queue, number: u64, by: &Approver, choice: Choice) -> Result<State, AnswerError> {
    let hold = HoldId::from_random(number);
    queue.answer(&hold, by, choice, None, START + SECOND).map(|ticket| ticket.state)
}

fn state(queue: &Queue, number: u64) -> State {
    queue.get(&HoldId::from_random(number)).unwrap().state
}

async fn ready(waiting: &mut Waiting) -> Option<Answer> {
    poll_fn(|context| match Pin::new(&mut *waiting).poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn approved(by: &str) -> Answer {
    Answer::Approved { by: by.to_owned(), comment: None }
}

#[tokio::test]
async fn an_approval_lets_the_waiting_statement_run_once() {
    let queue = queue();
    let mut waiting = queue.open(question(1, "delete from a")).unwrap();
    assert_eq!(ready(&mut waiting).await, None);
    assert_eq!(approve(&queue, 1, &carol()).unwrap(), State::Consumed);
    assert_eq!(waiting.await, approved("unix:carol"));
    assert_eq!(queue.redeem(question(1, "delete from a").binding, START).unwrap(), None);
    assert_eq!(state(&queue, 1), State::Consumed);
}

#[tokio::test]
async fn nobody_approves_their_own_agent() {
    let queue = queue();
    let _waiting = queue.open(question(1, "delete from a")).unwrap();
    let own = |user, uid| {
        let error = approve(&queue, 1, &approver(user, uid, &["dba"])).unwrap_err();
        assert!(matches!(error, AnswerError::Refused(Refused::Own { .. })), "{user}: {error}");
    };
    own("alice", 1005); // the subject
    own("AL", 1005); // the email's local part
    own("other", 1000); // the agent's own Unix user
    let mut agent = approver("carol", 1002, &["dba"]);
    agent.session = Some(session());
    let error = approve(&queue, 1, &agent).unwrap_err();
    assert!(matches!(error, AnswerError::Refused(Refused::Agent(_))), "{error}");
    let error = say(&queue, 1, &agent, Choice::Deny).unwrap_err();
    assert!(matches!(error, AnswerError::Refused(Refused::Agent(_))), "{error}");
    assert_eq!(state(&queue, 1), State::Pending);
    let owner = approver("alice", 1000, &["dba"]);
    assert_eq!(say(&queue, 1, &owner, Choice::Deny).unwrap(), State::Denied);
}

#[tokio::test]
async fn an_approver_of_another_group_is_refused() {
    let queue = queue();
    let mut asked = question(1, "delete from a");
    asked.terms.approve_groups = vec!["data-owners".to_owned()];
    let _waiting = queue.open(asked).unwrap();
    let error = approve(&queue, 1, &carol()).unwrap_err();
    assert!(error.to_string().contains("data-owners"), "{error}");
    let owner = approver("dave", 1003, &["data-owners"]);
    assert_eq!(approve(&queue, 1, &owner).unwrap(), State::Consumed);
}

#[tokio::test]
async fn a_quorum_counts_distinct_approvers() {
    let queue = queue();
    let mut asked = question(1, "delete from a");
    asked.terms.quorum = 2;
    let mut waiting = queue.open(asked).unwrap();
    assert_eq!(approve(&queue, 1, &carol()).unwrap(), State::Pending);
    assert!(matches!(approve(&queue, 1, &carol()), Err(AnswerError::Twice { .. })));
    assert_eq!(ready(&mut waiting).await, None);
    assert_eq!(approve(&queue, 1, &approver("dave", 1003, &[])).unwrap(), State::Consumed);
    assert_eq!(waiting.await, approved("unix:carol, unix:dave"));
}

#[tokio::test]
async fn the_first_answer_wins() {
    let queue = queue();
    let waiting = queue.open(question(1, "delete from a")).unwrap();
    assert_eq!(say(&queue, 1, &carol(), Choice::Deny).unwrap(), State::Denied);
    let error = approve(&queue, 1, &approver("dave", 1003, &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("hold {} is denied already, by unix:carol", waiting.hold())
    );
    let denied = Answer::Denied { by: "unix:carol".to_owned(), comment: None };
    assert_eq!(waiting.await, denied);
    // Asking again does not bother anyone again.
    assert_eq!(queue.open(question(2, "delete from a")).unwrap().await, denied);
    assert_eq!(queue.pending(), 0);
}

#[test]
fn hanging_up_withdraws_the_question() {
    let queue = queue();
    drop(queue.open(question(1, "delete from a")).unwrap());
    assert_eq!(state(&queue, 1), State::Withdrawn);
    assert!(matches!(approve(&queue, 1, &carol()), Err(AnswerError::Settled { .. })));
}

#[tokio::test]
async fn identical_statements_share_a_question_but_not_an_approval() {
    let queue = queue();
    let first = queue.open(question(1, "delete from a")).unwrap();
    let second = queue.open(question(2, "delete from a")).unwrap();
    assert!(second.joined() && second.hold() == first.hold());
    assert_eq!(queue.list(false)[0].waiting, 2);
    assert_eq!(approve(&queue, 1, &carol()).unwrap(), State::Consumed);
    assert_eq!(first.await, approved("unix:carol"));
    assert_eq!(second.await, Answer::Taken { by: "unix:carol".to_owned() });
}

#[test]
fn one_of_several_may_hang_up() {
    let queue = queue();
    let first = queue.open(question(1, "delete from a")).unwrap();
    let second = queue.open(question(2, "delete from a")).unwrap();
    drop(first);
    assert_eq!(state(&queue, 1), State::Pending);
    drop(second);
    assert_eq!(state(&queue, 1), State::Withdrawn);
}

#[tokio::test]
async fn a_ticket_is_redeemed_once() {
    let queue = queue();
    let asked = question(1, "delete from a");
    let waiting = queue.open(asked.clone()).unwrap();
    queue.expire(START + 100 * SECOND).unwrap();
    assert_eq!(waiting.await, Answer::Expired);
    assert_eq!(state(&queue, 1), State::Pending);
    assert_eq!(approve(&queue, 1, &carol()).unwrap(), State::Approved);
    let now = START + 300 * SECOND;
    let approval = queue.redeem(asked.binding, now).unwrap().unwrap();
    assert_eq!(approval.by, "unix:carol");
    assert_eq!(queue.redeem(asked.binding, now).unwrap(), None);
}

#[tokio::test]
async fn a_promise_keeps_the_question_and_the_same_statement_finds_the_approval() {
    let queue = queue();
    assert_eq!(queue.open(question(1, "delete from a")).unwrap().promise(), None);
    assert_eq!(approve(&queue, 1, &carol()).unwrap(), State::Approved);
    let mut other = queue.open(question(2, "delete from b")).unwrap();
    assert_eq!(ready(&mut other).await, None);
    assert_eq!(queue.open(question(3, "delete from a")).unwrap().await, approved("unix:carol"));
    let mut again = queue.open(question(4, "delete from a")).unwrap();
    assert_eq!(ready(&mut again).await, None);
}

#[tokio::test]
async fn an_answer_that_came_before_the_promise_counts() {
    let queue = queue();
    let waiting = queue.open(question(1, "delete from a")).unwrap();
    approve(&queue, 1, &carol()).unwrap();
    assert_eq!(waiting.promise(), Some(approved("unix:carol")));
    assert_eq!(state(&queue, 1), State::Consumed);
}

#[test]
fn an_approval_that_nobody_read_stays_good() {
    let queue = queue();
    let asked = question(1, "delete from a");
    let waiting = queue.open(asked.clone()).unwrap();
    approve(&queue, 1, &carol()).unwrap();
    drop(waiting);
    assert_eq!(state(&queue, 1), State::Approved);
    assert!(queue.redeem(asked.binding, START + SECOND).unwrap().is_some());
}

#[tokio::test]
async fn time_ends_tickets_whether_approved_or_not() {
    let queue = queue();
    for number in [1, 2] {
        let statement = format!("delete from t{number}");
        assert_eq!(queue.open(question(number, &statement)).unwrap().promise(), None);
    }
    approve(&queue, 1, &carol()).unwrap();
    assert!(queue.expire(START + 599 * SECOND).unwrap().is_empty());
    let over = START + 600 * SECOND;
    assert_eq!(queue.redeem(question(1, "delete from t1").binding, over).unwrap(), None);
    let late = queue.answer(&HoldId::from_random(2), &carol(), Choice::Approve, None, over);
    assert!(matches!(late, Err(AnswerError::Settled { state: State::Expired, .. })));
    assert_eq!(queue.expire(over).unwrap().len(), 2);
    assert_eq!((state(&queue, 1), state(&queue, 2)), (State::Expired, State::Expired));
}

#[tokio::test]
async fn a_session_takes_its_questions_with_it() {
    let queue = queue();
    let waiting = queue.open(question(1, "delete from a")).unwrap();
    assert_eq!(queue.open(question(2, "delete from b")).unwrap().promise(), None);
    approve(&queue, 2, &carol()).unwrap();
    assert_eq!(queue.session_ended(session(), START + SECOND).len(), 2);
    assert_eq!(waiting.await, Answer::Withdrawn);
    assert_eq!(queue.redeem(question(2, "delete from b").binding, START).unwrap(), None);
}

#[test]
fn a_session_has_a_bounded_number_of_holds() {
    let queue = queue();
    let mut waiting = Vec::new();
    for number in 0..limits::HOLDS_PER_SESSION as u64 {
        waiting.push(queue.open(question(number, &format!("delete from t{number}"))).unwrap());
    }
    let more = queue.open(question(999, "delete from more"));
    assert!(matches!(more, Err(QueueError::Session(_))));
    let long = "x".repeat(limits::SQL_BYTES + 1);
    assert!(matches!(queue.open(question(1000, &long)), Err(QueueError::Long(_))));
}

#[test]
fn open_tickets_outlive_a_restart_and_used_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("holds.json");
    let open = |now_us| Queue::open_file(path.clone(), Vec::new(), now_us).unwrap();
    let asked = |number: u64| question(number, &format!("delete from t{number}"));
    let first = open(START);
    for number in 1..=4 {
        assert_eq!(first.open(asked(number)).unwrap().promise(), None);
    }
    for number in [1, 2] {
        approve(&first, number, &carol()).unwrap();
    }
    say(&first, 3, &carol(), Choice::Deny).unwrap();
    assert!(first.redeem(asked(2).binding, START + SECOND).unwrap().is_some());
    drop(first);

    let second = open(START + 2 * SECOND);
    assert_eq!(second.redeem(asked(2).binding, START + 3 * SECOND).unwrap(), None);
    let states = [1, 3, 4].map(|number| state(&second, number));
    assert_eq!(states, [State::Approved, State::Denied, State::Pending]);
    assert!(second.redeem(asked(1).binding, START + 3 * SECOND).unwrap().is_some());
    assert_eq!(approve(&second, 4, &carol()).unwrap(), State::Approved);
    drop(second);

    assert!(open(START + 601 * SECOND).list(true).is_empty());
}

#[test]
fn an_answer_that_can_not_be_kept_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("state");
    std::fs::create_dir(&place).unwrap();
    let queue = Queue::open_file(place.join("holds.json"), Vec::new(), START).unwrap();
    assert_eq!(queue.open(question(1, "delete from a")).unwrap().promise(), None);
    std::fs::remove_dir_all(&place).unwrap();
    assert!(matches!(approve(&queue, 1, &carol()), Err(AnswerError::Store(_))));
    assert_eq!(state(&queue, 1), State::Pending);
    std::fs::create_dir(&place).unwrap();
    assert_eq!(approve(&queue, 1, &carol()).unwrap(), State::Approved);
    std::fs::remove_dir_all(&place).unwrap();
    assert!(queue.redeem(question(1, "delete from a").binding, START).is_err());
    assert_eq!(state(&queue, 1), State::Approved);
}

#[test]
fn a_broken_file_is_reported_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("holds.json");
    std::fs::write(&path, "{\"version\":1,\"tickets\":[{").unwrap();
    let error = Queue::open_file(path.clone(), Vec::new(), START).err().unwrap();
    assert!(error.to_string().contains("move the file away"), "{error}");
    assert!(path.exists());
}

#[test]
fn changes_are_seen_by_subscribers_and_debug_hides_values() {
    let queue = queue();
    let mut changes = queue.subscribe();
    let mut asked = question(1, "insert into t values ($1)");
    asked.parameters = vec![Some("4111111111111111".to_owned())];
    assert!(!format!("{asked:?}").contains("4111"));
    let _waiting = queue.open(asked).unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    approve(&queue, 1, &carol()).unwrap();
    assert!(changes.has_changed().unwrap());
}
