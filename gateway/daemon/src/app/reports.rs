//! What the kernel reports: closes go to the tallies, refusals to the record.

use std::rc::Rc;
use std::time::Instant;

use weir_model::entry::Event;

use super::{App, note};
use crate::flow::services::now_us;
use crate::intercept::{Denial, Reason, Ring, Waiting};

/// Tells the tallies what the kernel counted for each connection that closed.
pub fn watch_closes(app: &Rc<App>) {
    let Some(closes) = app.kernel.closes() else { return };
    let app = app.clone();
    tokio::task::spawn_local(async move {
        let Some(mut ring) = ring(closes) else { return };
        while in_charge(&app).await
            && let Ok(mut ready) = ring.ready().await
        {
            while app.phase.borrow().is_in_charge() {
                let Some(closed) = ready.get_inner_mut().next() else {
                    ready.clear_ready();
                    break;
                };
                if let Some(tally) = app.services.tally(closed.binding) {
                    tally.close(&closed);
                }
            }
        }
    });
}

/// Waits until the kernel's rings are this gateway's to read: each has one reader.
async fn in_charge(app: &App) -> bool {
    app.phase.subscribe().wait_for(|phase| phase.is_in_charge()).await.is_ok()
}

fn ring<T: Ring>(ring: T) -> Option<Waiting<T>> {
    Waiting::new(ring)
        .inspect_err(|error| tracing::error!(%error, "waiting for the kernel's events"))
        .ok()
}

/// Puts what the kernel refused on record.
pub fn watch_denials(app: &Rc<App>) {
    let Some(denials) = app.kernel.denials() else { return };
    let app = app.clone();
    tokio::task::spawn_local(async move {
        let Some(mut ring) = ring(denials) else { return };
        while in_charge(&app).await
            && let Ok(mut ready) = ring.ready().await
        {
            while app.phase.borrow().is_in_charge() {
                let Some(denial) = ready.get_inner_mut().next() else {
                    ready.clear_ready();
                    break;
                };
                denied(&app, &denial).await;
            }
        }
    });
}

/// An agent made itself a network namespace: once it has listeners, trying again works. Who fails at it
/// waits, because looking for namespaces takes time that others need.
fn learn(app: &App, denial: &Denial) {
    let learnt = app.unlearnt.ask(denial.binding, Instant::now(), || app.kernel.learn(denial));
    if let Err(error) = learnt {
        tracing::warn!("{error:#}");
    }
}

async fn denied(app: &App, denial: &Denial) {
    if denial.reason == Reason::UnknownNetns {
        learn(app, denial);
    }
    let reason = denial.reason.name();
    let text = format!("the kernel refused {}: {reason}", denial.destination);
    let mut event = Event::info(now_us(), "perimeter.denied", text)
        .warning()
        .with("reason", reason)
        .with("protocol", denial.protocol)
        .with("pid", denial.pid)
        .with("destination", denial.destination);
    if let Some(session) = app.services.session(denial.binding) {
        event = event.of_session(session.id);
    }
    let tally = app.services.tally(denial.binding);
    // What the canary tries is told in the canary's own row.
    let is_canary = tally.as_ref().is_some_and(|tally| tally.is_canary());
    let noted = is_canary || note(app, event).await;
    if let Some(tally) = tally {
        tally.event(noted);
    }
}
