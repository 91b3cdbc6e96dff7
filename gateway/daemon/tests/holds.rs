//! `weir holds` against a real queue behind a control socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;

use nix::unistd::geteuid;
use weir::approval::{
    Answer, Bound, Choice, Config, Operator, Parameter, Question, Queue, State, binding,
};
use weir::cli::holds::view::{brief, whole};
use weir::control::{Handler, Peer, Request, Response, bind, serve};
use weir_model::{
    Effect, ExchangeId, FlowId, HoldId, HoldTerms, Identity, Operation, Protocol, Resource,
    ResourceKind, SessionId, Target,
};

const SECOND: i64 = 1_000_000;
const START: i64 = 1_700_000_000 * SECOND;
const NOW: i64 = START + 42 * SECOND;

struct Desk {
    queue: Queue,
    config: Config,
}

impl Desk {
    fn answer(&self, peer: &Peer, id: &HoldId, choice: Choice, words: Option<String>) -> Response {
        let approver = match self.config.approver(peer.uid, None) {
            Ok(approver) => approver,
            Err(error) => return Response::error(error),
        };
        match self.queue.answer(id, &approver, choice, words, NOW) {
            Ok(ticket) => Response::Hold { hold: Box::new(whole(&ticket, NOW)) },
            Err(error) => Response::error(error),
        }
    }
}

impl Handler for Desk {
    fn is_bound(&self, _cgroup: &str) -> bool {
        false
    }

    fn handle(&self, peer: Peer, request: Request) -> Pin<Box<dyn Future<Output = Response> + '_>> {
        let response = match request {
            Request::Holds { all } => {
                let tickets = self.queue.list(all);
                let holds = tickets.iter().map(|ticket| brief(ticket, NOW)).collect();
                Response::Holds { holds }
            }
            Request::Hold { id } => match self.queue.get(&id) {
                Some(ticket) => Response::Hold { hold: Box::new(whole(&ticket, NOW)) },
                None => Response::error("gone"),
            },
            Request::Approve { id, comment } => self.answer(&peer, &id, Choice::Approve, comment),
            Request::Deny { id, comment } => self.answer(&peer, &id, Choice::Deny, comment),
            other => Response::error(format!("{} is not here", other.name())),
        };
        Box::pin(async { response })
    }

    fn refused(&self, _peer: &Peer, _request: &Request) {}

    fn abandoned(&self, _session: SessionId) {}
}

fn question(name: &str, statement: &str) -> Question {
    let target = Target {
        name: "orders".to_owned(),
        protocol: Protocol::Postgres,
        host: "db.internal".to_owned(),
        address: "10.0.0.5".to_owned(),
        port: 5432,
        environment: "prod".to_owned(),
        known: true,
    };
    let session = SessionId::from_parts(7, 7);
    let binding = binding(&Bound {
        statement: statement.as_bytes(),
        parameters: &[Parameter { kind: 23, format: 0, value: Some(b"5") }],
        session,
        target: &target,
        database: "shop",
        user: "app",
        policy_hash: "00",
    });
    Question {
        hold: HoldId(name.to_owned()),
        exchange: ExchangeId::from_parts(1, 1),
        flow: FlowId::from_parts(1, 1),
        session,
        uid: 1000,
        identity: Arc::new(Identity {
            issuer: "https://issuer.example".to_owned(),
            subject: "alice".to_owned(),
            email: None,
            groups: Vec::new(),
            agent: "claude-code".to_owned(),
            on_behalf_of: None,
            token_id_hash: String::new(),
            expires_us: START + 3600 * SECOND,
        }),
        target: Arc::new(target),
        statement: statement.into(),
        parameters: vec![Some("5".to_owned())],
        operation: Arc::new(Operation {
            effect: Effect::Write,
            verbs: vec!["delete".to_owned()],
            resources: vec![Resource {
                kind: ResourceKind::Table,
                name: "public.orders".to_owned(),
                columns: Vec::new(),
                written: true,
            }],
            flags: BTreeSet::new(),
        }),
        terms: HoldTerms {
            approve_groups: vec!["data-owners".to_owned()],
            quorum: 1,
            expires_s: 600,
            message: "deletes in production are looked at".to_owned(),
            instead: String::new(),
        },
        policies: vec!["hold-deletes".to_owned()],
        binding,
        opened_us: START,
        until_us: START + 100 * SECOND,
        in_transaction: false,
    }
}

/// A gateway's desk on a socket, for as long as the test runs.
fn desk(groups: &[&str]) -> (tempfile::TempDir, Queue, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let queue = Queue::in_memory(Vec::new());
    let user = nix::unistd::User::from_uid(geteuid()).unwrap().unwrap().name;
    let groups = Some(groups.iter().map(|group| (*group).to_owned()).collect());
    let config = Config { operators: vec![Operator::User { user, groups }] };
    let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
    let (socket, shared) = (path.clone(), queue.clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = bind(&socket).unwrap();
            ready.send(()).unwrap();
            serve(listener, Rc::new(Desk { queue: shared, config })).await;
        });
    });
    is_ready.recv().unwrap();
    (folder, queue, path)
}

fn weir(socket: &PathBuf, arguments: &[&str]) -> (i32, String) {
    let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"));
    let output = weir.arg("--socket").arg(socket).arg("holds").args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    let text = format!("{}{error}", String::from_utf8_lossy(&output.stdout));
    (output.status.code().unwrap(), text)
}

#[test]
fn an_approver_finds_reads_and_approves_a_hold() {
    let (_folder, queue, socket) = desk(&["data-owners"]);
    assert_eq!(weir(&socket, &[]), (0, "nothing waits\n".to_owned()));
    let statement = "delete from orders\nwhere id = $1 \x1b[2J";
    let waiting = queue.open(question("H-AAAA1111", statement)).unwrap();
    let _other = queue.open(question("H-AAAA2222", "delete from orders")).unwrap();

    let (status, table) = weir(&socket, &["list"]);
    assert_eq!(status, 0);
    assert!(table.contains("H-AAAA1111  pending  42s    9m 18s  alice"), "{table}");
    assert!(table.contains("delete from orders where id = $1 \\u{1b}[2J"), "{table}");

    let (_, list) = weir(&socket, &["--json"]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 2);
    let expected = serde_json::json!({
        "id": "H-AAAA1111", "state": "pending", "statement": statement, "subject": "alice",
        "agent": "claude-code", "target": "orders", "effect": "write",
        "tables": ["public.orders"], "policies": ["hold-deletes"],
        "approve_groups": ["data-owners"], "quorum": 1,
        "opened": "2023-11-14T22:13:20.000000Z", "until": "2023-11-14T22:23:20.000000Z",
        "waiting_seconds": 42, "session": SessionId::from_parts(7, 7).to_string(),
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&list[0][key], value, "{key}");
    }

    let (_, shown) = weir(&socket, &["show", "aaaa1"]);
    assert!(shown.contains("    delete from orders\n    where id = $1 \\u{1b}[2J\n"), "{shown}");
    assert!(shown.contains("$1 = '5'") && shown.contains("1 of data-owners"), "{shown}");

    let (status, unclear) = weir(&socket, &["approve", "aaaa"]);
    assert!(status == 1 && unclear.contains("H-AAAA1111 or H-AAAA2222"), "{unclear}");
    let (status, text) = weir(&socket, &["approve", "aaaa1", "--comment", "go on"]);
    assert!(status == 0 && text.starts_with("H-AAAA1111 approved; it runs now\n"), "{text}");
    assert!(text.contains("for alice by claude-code at orders"), "{text}");
    let Some(Answer::Approved { by, comment }) = waiting.promise() else {
        panic!("it was approved");
    };
    assert!(by.starts_with("unix:") && comment.as_deref() == Some("go on"));

    let (status, text) = weir(&socket, &["deny", "H-AAAA2222"]);
    assert!(status == 0 && text.starts_with("H-AAAA2222 denied\n"), "{text}");
    let (_, all) = weir(&socket, &["--all"]);
    assert!(all.contains("consumed") && all.contains("denied"), "{all}");
}

#[test]
fn an_operator_of_another_group_is_told_whom_to_ask() {
    let (_folder, queue, socket) = desk(&["network"]);
    let _waiting = queue.open(question("H-AAAA1111", "delete from orders")).unwrap();
    let (status, text) = weir(&socket, &["approve", "H-AAAA1111"]);
    assert!(status == 1 && text.contains("none of the groups"), "{text}");
    assert!(text.contains("data-owners"), "{text}");
    assert_eq!(queue.list(false)[0].state, State::Pending);
}
