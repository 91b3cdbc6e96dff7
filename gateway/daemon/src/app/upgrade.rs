//! What the control socket's requests about a successor do: who may ask, and starting one.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use nix::unistd::geteuid;

use super::App;
use super::handover::{self, Phase};
use crate::control::{Claim, Peer, Response};

const LOOK: Duration = Duration::from_millis(20);
/// Writing an answer takes less.
const ANSWER: Duration = Duration::from_millis(200);

/// Whether the peer may take over. It will have the record and everybody's connections, so it is
/// root, or whoever this gateway runs as.
pub fn take_over(app: &App, peer: &Peer, theirs: &Claim) -> Response {
    if let Err(refused) = may(app, peer) {
        return refused;
    }
    match handover::claim(&app.config) {
        Err(error) => Response::error(format!("{error:#}")),
        Ok(ours) => match handover::difference(&ours, theirs) {
            Some(why) => Response::error(why),
            None => {
                app.phase.send_replace(Phase::Preparing);
                Response::HandingOver
            }
        },
    }
}

fn may(app: &App, peer: &Peer) -> Result<(), Response> {
    if peer.uid != geteuid().as_raw() {
        return Err(Response::error("only root may replace the gateway"));
    }
    if app.before.borrow().is_some() {
        return Err(Response::error(
            "the gateway before this one still serves connections: wait until they end, or end it",
        ));
    }
    match *app.phase.borrow() {
        Phase::Serving => Ok(()),
        Phase::Preparing | Phase::Giving | Phase::Draining | Phase::Drained => {
            Err(Response::error("this gateway is being replaced already"))
        }
    }
}

/// Starts a successor, and answers when it has taken over, or why it has not.
pub async fn upgrade(app: &Rc<App>, peer: &Peer, binary: Option<PathBuf>) -> Response {
    if let Err(refused) = may(app, peer) {
        return refused;
    }
    let binary = binary.unwrap_or_else(|| app.binary.clone());
    let mut command = Command::new(&binary);
    command.arg("--config").arg(&app.config.path).args(["gateway", "--upgrade"]);
    command.stdin(Stdio::null());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            return Response::error(format!("starting {}: {error}", binary.display()));
        }
    };
    let answering = app.services.serving();
    loop {
        tokio::time::sleep(LOOK).await;
        match (*app.phase.borrow(), child.try_wait()) {
            (Phase::Draining | Phase::Drained, _) => {
                // It ends when nothing is served any more: not before this is said.
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(ANSWER).await;
                    drop(answering);
                });
                let message = format!("{} took over as process {}", binary.display(), child.id());
                return Response::Done { message };
            }
            (Phase::Serving | Phase::Preparing | Phase::Giving, Ok(None)) => {}
            // What it has begun is still being undone.
            (Phase::Preparing | Phase::Giving, Ok(Some(_))) => {}
            (Phase::Serving, Ok(Some(status))) => {
                return Response::error(format!(
                    "{} ended before it had taken over ({status}): its log says why; this gateway \
                     goes on",
                    binary.display()
                ));
            }
            (_, Err(error)) => return Response::error(format!("watching the successor: {error}")),
        }
    }
}
