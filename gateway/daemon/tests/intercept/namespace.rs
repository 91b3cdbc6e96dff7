//! Network namespaces that agents make themselves: learnt from what was denied, given up again.

use std::io::Write as _;
use std::process::Command;

use weir::intercept::{Denial, InterceptError, Reason};
use weir_model::limits;

use crate::rig::{Client, Rig, accept, forking};

const UNSHARED: [&str; 6] =
    ["unshare", "--net", "sh", "-c", "ip link set lo up && exec python3 \"$@\"", "sh"];

fn denial(rig: &mut Rig) -> Denial {
    let mut denials = rig.interceptor().denials().unwrap();
    let denial = denials.next().unwrap();
    assert_eq!(denial.reason, Reason::UnknownNetns);
    denial
}

#[test]
fn a_namespace_is_learnt_from_the_denial_and_given_up_at_the_end() {
    let mut rig = Rig::new("learn");
    let script = "
while True:
    attempt(lambda: tcp(('192.0.2.1', 1)).getpeername())
    sys.stdin.readline()";
    let mut client = rig.started(Client::spawn(&UNSHARED, script));
    assert_eq!(client.line(), "ECONNREFUSED");
    let denial = denial(&mut rig);
    assert_eq!(denial.pid, client.child.id());

    // Neither somebody else's process nor one in another namespace proves anything.
    let elsewhere = Denial { netns: denial.netns + 1, ..denial.clone() };
    assert!(rig.interceptor().learn(&elsewhere, 1).is_err());
    let outsider = Denial { pid: std::process::id(), ..elsewhere };
    let refused = rig.interceptor().learn(&outsider, 1);
    assert!(matches!(refused, Err(InterceptError::NotInside { .. })), "{refused:?}");
    let unknown = Denial { binding: 9, ..denial.clone() };
    assert!(matches!(rig.interceptor().learn(&unknown, 1), Err(InterceptError::Unknown(9))));
    client.go();
    assert_eq!(client.line(), "ECONNREFUSED");

    // Where the one that tried is gone, another one of the binding stands for it.
    let forking = forking();
    let mut gone = Command::new("true").spawn().unwrap();
    drop(forking);
    gone.wait().unwrap();
    let gone = Denial { pid: gone.id(), ..denial.clone() };
    let inner = rig.interceptor().learn(&gone, 1).unwrap().opened.expect("new");
    assert_eq!(inner.netns, denial.netns);
    client.go();
    let flow = accept(&inner.tcp[0]);
    assert_eq!(rig.facts(&flow).unwrap().netns, denial.netns);
    assert_eq!(client.line(), "('192.0.2.1', 1)");
    assert!(rig.interceptor().learn(&denial, 1).unwrap().opened.is_none());

    // A second binding keeps it; when both have left, it is closed.
    rig.interceptor().serve(8, denial.pid, 1).unwrap();
    assert!(rig.interceptor().leave(7).is_empty());
    assert_eq!(rig.interceptor().leave(8), [denial.netns]);
    client.go();
    assert_eq!(client.line(), "ECONNREFUSED");
}

#[test]
fn namespaces_that_were_left_make_room_for_more_and_others_do_not() {
    let mut rig = Rig::new("many");
    let script = "
import ctypes, subprocess
def enter():
    assert ctypes.CDLL(None).unshare(0x40000000) == 0
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
for line in sys.stdin:
    if line.strip() == 'leave': enter(); say(os.getpid())
    elif os.fork() == 0: enter(); say(os.getpid()); import time; time.sleep(300)";
    let mut client = rig.client(script);
    let mut open = Vec::new();
    let mut closed = 0;
    let mut serve = |rig: &mut Rig, client: &mut Client, how: &str| {
        writeln!(client.child.stdin.as_mut().unwrap(), "{how}").unwrap();
        let pid = client.line().parse().unwrap();
        let served = rig.interceptor().serve(7, pid, 1)?;
        open.extend(served.opened);
        closed += served.closed.len();
        Ok::<_, InterceptError>(closed)
    };
    for _ in 0..limits::NAMESPACES_PER_BINDING + 3 {
        serve(&mut rig, &mut client, "leave").unwrap();
    }
    assert!(serve(&mut rig, &mut client, "leave").unwrap() >= limits::NAMESPACES_PER_BINDING - 1);
    let refused = (0..=limits::NAMESPACES_PER_BINDING)
        .find_map(|_| serve(&mut rig, &mut client, "fork").err());
    assert!(matches!(refused, Some(InterceptError::Namespaces(7))), "{refused:?}");
}
