//! Bindings: their beginning, their end, and what is left when the gateway is killed.

use weir::intercept::{InterceptError, Interceptor};

use crate::rig::{Client, Rig, options, settle};

#[test]
fn bindings_survive_the_gateway_and_stay_closed() {
    let mut rig = Rig::new("adopt");
    let script = "
for _ in range(3):
    sys.stdin.readline()
    attempt(lambda: tcp(('192.0.2.1', 1)).getpeername())";
    let mut client = rig.client(script);
    client.go();
    let _first = rig.accept();
    assert_eq!(client.line(), "('192.0.2.1', 1)");

    // What kill -9 does: descriptors are closed, nothing is undone.
    rig.interceptor = None;
    rig.lose_listeners();
    client.go();
    assert_eq!(client.line(), "ECONNREFUSED");

    let mut next = Interceptor::start(&rig.options).unwrap();
    assert_eq!(next.adopted(), std::slice::from_ref(&rig.bound));
    rig.listeners = next.listen(std::process::id(), 1).unwrap();
    rig.interceptor = Some(next);
    client.go();
    let flow = rig.accept();
    assert_eq!(rig.facts(&flow).unwrap().binding, 7);
    assert_eq!(client.line(), "('192.0.2.1', 1)");
    assert_eq!(rig.count("tcp_redirected"), 2);
    assert_eq!(rig.count("denied_unknown_netns") + rig.count("denied_listener_gone"), 1);
}

#[test]
fn the_end_of_a_binding_kills_what_is_inside() {
    let mut rig = Rig::new("end");
    let mut client = rig.client("say('in'); os.mkdir(sys.argv[0]) if False else None; input()");
    assert_eq!(client.line(), "in");
    let path = rig.bound.path.clone();
    let counters = rig.interceptor().end(7).unwrap();
    assert_eq!(weir::intercept::named(&counters)["tcp_seen"], 0);
    assert!(!path.exists());
    assert!(!client.child.wait().unwrap().success());
    assert!(matches!(rig.interceptor().counters(7), Err(InterceptError::Unknown(7))));
    assert!(matches!(rig.interceptor().end(7), Err(InterceptError::Unknown(7))));
    // The id and the name are free again.
    rig.bound = rig.interceptor().bind(7, "agent").unwrap();
    let mut client = rig.client("say('in again')");
    assert_eq!(client.line(), "in again");
}

#[test]
fn two_gateways_of_one_name_are_refused() {
    let rig = Rig::new("twice");
    assert!(matches!(Interceptor::start(&rig.options), Err(InterceptError::Running(_))));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let mut rig = Rig::new("names");
    for name in ["", "..", "a/b", "a.b", "a b"] {
        let refused = rig.interceptor().bind(8, name);
        assert!(matches!(refused, Err(InterceptError::Name(_))), "{name:?}");
    }
    let taken = rig.interceptor().bind(8, "agent");
    assert!(matches!(taken, Err(InterceptError::InUse { .. })));
    let taken = rig.interceptor().bind(7, "other");
    assert!(matches!(taken, Err(InterceptError::InUse { .. })));
}

#[test]
fn two_bindings_are_told_apart() {
    let mut rig = Rig::new("apart");
    let other = rig.interceptor().bind(u64::MAX, "other").unwrap();
    let connect = "s = tcp(('192.0.2.1', 1)); input()";
    let _first = rig.client(connect);
    assert_eq!(rig.facts(&rig.accept()).unwrap().binding, 7);
    let mut second = Client::spawn(&["python3"], connect);
    rig.interceptor().enter(&other, second.child.id()).unwrap();
    second.go();
    assert_eq!(rig.facts(&rig.accept()).unwrap().binding, u64::MAX);
    assert_eq!(rig.count("tcp_seen"), 1);
}

#[test]
fn a_leaf_without_all_its_programs_is_cleared() {
    settle();
    let options = options("half");
    let mut first = Interceptor::start(&options).unwrap();
    let bound = first.bind(9, "half").unwrap();
    let mut client = Client::spawn(&["python3"], "input()");
    first.enter(&bound, client.child.id()).unwrap();
    drop(first);
    let links = crate::rig::layout(&options).join("links/0000000000000009_half");
    std::fs::remove_file(links.join("weir_egress")).unwrap();
    let mut second = Interceptor::start(&options).unwrap();
    assert_eq!(second.adopted(), []);
    assert!(!bound.path.exists());
    assert!(!client.child.wait().unwrap().success());
    second.retire().unwrap();
}
