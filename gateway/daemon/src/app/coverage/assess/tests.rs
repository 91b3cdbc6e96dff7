//! What counts as proven, unknown or violated.
use super::*;

fn counters(counts: &[(Count, u64)]) -> Counters {
    let mut counters = Counters::ZERO;
    for (count, value) in counts {
        counters.counts[*count as usize] = *value;
    }
    counters
}

fn agreed(count: u64) -> CloseFigures {
    CloseFigures { agreed: count, ..CloseFigures::default() }
}

/// Ten connections, each of them served.
fn ten() -> Counters {
    counters(&[
        (Count::TcpSeen, 10),
        (Count::TcpRedirected, 10),
        (Count::Published, 10),
        (Count::Handshakes, 10),
        (Count::Closed, 10),
    ])
}

fn check(figures: &Figures, kernel: &Counters, ended: bool, name: &str, expected: &str) {
    let reading = Reading {
        baseline: &Counters::ZERO,
        earlier: kernel,
        later: kernel,
        figures,
        origin: Origin::Ours,
        ended,
    };
    let found = reading.assess();
    assert!(found[name].starts_with(expected), "{name}: {found:#?}");
}

#[test]
fn of_a_session_that_was_handed_over_only_a_contradiction_is_a_violation() {
    let check = |figures: &Figures, name: &str, expected: &str| {
        let reading = Reading {
            baseline: &Counters::ZERO,
            earlier: &ten(),
            later: &ten(),
            figures,
            origin: Origin::Shared,
            ended: true,
        };
        let found = reading.assess();
        assert!(found[name].starts_with(expected), "{name}: {found:#?}");
    };
    let closes = CloseFigures { wait_for_kernel: 2, wait_for_gateway: 1, ..agreed(3) };
    let some = Figures { accepted: 5, recorded: 5, closes, ..Figures::default() };
    for name in ["accepted", "bytes", "dns", "refusals_recorded"] {
        check(&some, name, "unknown");
    }
    check(&some, "recorded", "holds");
    check(&some, "handshakes", "holds");
    check(&Figures { recorded: 4, ..some.clone() }, "recorded", "violated");
    let closes = CloseFigures { disagreed: 1, ..agreed(3) };
    check(&Figures { closes, ..some }, "bytes", "violated: 1");
}

#[test]
fn what_is_on_its_way_is_open_and_what_never_arrives_is_missing() {
    let served = Figures { accepted: 10, recorded: 9, refused: 1, ..Figures::default() };
    for ended in [false, true] {
        for name in ["connects", "flows", "handshakes", "closes", "accepted", "recorded"] {
            check(&served, &ten(), ended, name, "holds");
        }
    }
    let behind = Figures { accepted: 8, recorded: 7, ..Figures::default() };
    check(&behind, &ten(), false, "accepted", "open: 2");
    check(&behind, &ten(), true, "accepted", "violated: 2 are missing");
    check(&behind, &ten(), true, "recorded", "violated: 1 are missing");
}

#[test]
fn more_than_there_can_be_is_a_violation_at_any_time() {
    let more = Figures { accepted: 11, recorded: 11, ..Figures::default() };
    check(&more, &ten(), false, "accepted", "violated: 11 came of 10");
    let mut kernel = ten();
    kernel.counts[Count::Aborted as usize] = 1;
    check(&Figures::default(), &kernel, false, "handshakes", "violated: 11 came of 10");
}

#[test]
fn what_could_not_be_compared_is_unknown_and_not_well() {
    let mut kernel = ten();
    kernel.counts[Count::ClosesLost as usize] = 3;
    let figures = Figures { closes: agreed(7), ..Figures::default() };
    check(&figures, &kernel, true, "bytes", "unknown: 3");
    let mut kernel = ten();
    kernel.counts[Count::Events as usize] = 5;
    kernel.counts[Count::EventsLost as usize] = 2;
    kernel.counts[Count::Denied as usize] = 7;
    let figures = Figures { events: 5, closes: agreed(10), ..Figures::default() };
    check(&figures, &kernel, true, "refusals", "holds");
    check(&figures, &kernel, true, "refusals_recorded", "unknown: 2");
    check(&Figures::default(), &ten(), true, "bytes", "violated: 10 connections were never");
    check(&Figures::default(), &ten(), false, "bytes", "holds");
    let closes = CloseFigures { wait_for_kernel: 1, ..agreed(9) };
    let figures = Figures { closes, ..Figures::default() };
    check(&figures, &ten(), true, "bytes", "violated: 1 clients' ends never closed");
    check(&figures, &ten(), false, "bytes", "open: 1");
}
