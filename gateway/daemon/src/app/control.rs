//! What the control socket's requests do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use weir_ledger::Time;
use weir_model::entry::{Event, HoldSettled};
use weir_model::{Entry, HoldId, Identity, Layer, Relaxation, Secret, SessionId, limits};

use super::sessions::{self, NewSession};
use super::{App, canary, give, note, upgrade};
use crate::approval::{Choice, State, Ticket};
use crate::cli::holds::view;
use crate::control::{Handler, Peer, Request, Response, Sealed, StatusView};
use crate::flow::services::{Session, now_us};
use crate::record::Class;

/// Does what requests ask for.
pub struct Commands {
    app: Rc<App>,
    started_us: i64,
}

impl Commands {
    /// For a gateway that starts now.
    pub fn new(app: &Rc<App>) -> Self {
        Self { app: app.clone(), started_us: now_us() }
    }
}

impl Handler for Commands {
    fn is_bound(&self, cgroup: &str) -> bool {
        self.app.kernel.is_agent(cgroup, 0)
    }

    fn handle(&self, peer: Peer, request: Request) -> Pin<Box<dyn Future<Output = Response> + '_>> {
        Box::pin(async move {
            match request {
                Request::Run { token, agent, command, child, uid, jail, relax } => {
                    let wanted = Wanted { agent, command, child, uid, jail, relax };
                    self.run(&peer, &token, wanted).await
                }
                Request::RunEnded { session, status } => self.run_ended(session, status).await,
                Request::Sessions => self.sessions(&peer),
                Request::Holds { all } => self.holds(&peer, all),
                Request::Hold { id } => self.hold(&peer, &id),
                Request::Approve { id, comment } => {
                    self.answer(&peer, &id, Choice::Approve, comment).await
                }
                Request::Deny { id, comment } => {
                    self.answer(&peer, &id, Choice::Deny, comment).await
                }
                Request::Canary => self.canary(&peer).await,
                Request::Seal => self.seal(&peer).await,
                Request::Reload => self.reload(&peer).await,
                Request::Upgrade { binary } => upgrade::upgrade(&self.app, &peer, binary).await,
                Request::TakeOver(claim) => upgrade::take_over(&self.app, &peer, &claim),
                Request::Status => self.status(),
            }
        })
    }

    fn refused(&self, peer: &Peer, request: &Request) {
        let text = format!("an agent asked the gateway to {}", request.name());
        let event = Event::info(now_us(), "control.refused", text)
            .warning()
            .with("pid", peer.pid)
            .with("uid", peer.uid)
            .with("cgroup", &peer.cgroup);
        let app = self.app.clone();
        tokio::task::spawn_local(async move { note(&app, event).await });
    }

    fn hand_over(&self, to: std::os::unix::net::UnixStream, peer: Peer) {
        tokio::task::spawn_local(give::give(self.app.clone(), to, peer));
    }

    fn abandoned(&self, session: SessionId) {
        let app = self.app.clone();
        tokio::task::spawn_local(async move {
            if let Some(session) = find(&app, session) {
                sessions::end(&app, &session, "weir run ended", None).await;
            }
        });
    }
}

fn find(app: &App, id: SessionId) -> Option<Arc<Session>> {
    app.services.all_sessions().into_iter().find(|session| session.id == id)
}

/// What `weir run` asks for, beside the token.
struct Wanted {
    agent: Option<String>,
    command: Vec<String>,
    child: u32,
    uid: u32,
    jail: Vec<Layer>,
    relax: BTreeSet<Relaxation>,
}

impl Commands {
    async fn run(&self, peer: &Peer, token: &Secret, wanted: Wanted) -> Response {
        let Wanted { agent, command, child, uid, jail, relax } = wanted;
        if uid != peer.uid && peer.uid != 0 {
            return Response::error("only root may run an agent as another user");
        }
        if let Some(refused) = self.refused_relaxation(peer, &relax).await {
            return refused;
        }
        if jail.len() > limits::JAIL_LAYERS {
            return Response::error("there are not so many layers of a jail");
        }
        let hint = agent.unwrap_or_else(|| program(&command));
        let identity = match self.identify(peer, token, &hint, &command).await {
            Ok(identity) => identity,
            Err(refused) => return refused,
        };
        let expires = Time(identity.expires_us).rfc3339();
        let pinned = match peer.child(child) {
            Ok(pinned) => pinned,
            Err(error) => return Response::error(format!("looking at the child: {error}")),
        };
        let new = NewSession { identity, leader: child, uid, command, jail, relax };
        let session = match sessions::begin(&self.app, new).await {
            Ok(session) => session,
            Err(error) => return Response::error(format!("starting the session: {error:#}")),
        };
        if let Err(error) = pinned.check() {
            sessions::end(&self.app, &session, "the child ended", None).await;
            return Response::error(format!("looking at the child again: {error}"));
        }
        let mut environment = BTreeMap::new();
        environment.insert("WEIR_SESSION".to_owned(), session.id.to_string());
        let notes = match self.app.kernel.enforces() {
            true => Vec::new(),
            false => vec!["nothing is enforced here: explicit mode".to_owned()],
        };
        tracing::info!(session = %session.id, subject = session.identity.subject, expires, "bound");
        Response::Running {
            session: session.id,
            environment,
            authority: self.app.services.authority.certificate_pem().to_owned(),
            cgroup_mounts: Vec::<PathBuf>::new(),
            notes,
        }
    }

    /// The refusal of the first relaxation that the administrator does not allow; it is on record.
    async fn refused_relaxation(
        &self,
        peer: &Peer,
        relax: &BTreeSet<Relaxation>,
    ) -> Option<Response> {
        let live = self.app.services.live();
        let refused = relax.iter().find(|relaxation| !live.allow_relax.contains(relaxation))?;
        let text = format!("--relax {refused} is not allowed on this host");
        let event = Event::info(now_us(), "relaxation.refused", text.clone())
            .warning()
            .with("pid", peer.pid)
            .with("uid", peer.uid);
        note(&self.app, event).await;
        Some(Response::error(format!(
            "{text}: an administrator allows it by allow_relax in [run] of the configuration"
        )))
    }

    /// Verifies a token; a refusal is on record, the token itself never.
    async fn identify(
        &self,
        peer: &Peer,
        token: &Secret,
        hint: &str,
        command: &[String],
    ) -> Result<Identity, Response> {
        let verified = self.app.verifier().verify(token.expose(), hint, now_us()).await;
        match verified {
            Ok(identity) => Ok(identity),
            Err(error) => {
                let event = Event::info(now_us(), "login.refused", error.to_string())
                    .warning()
                    .with("pid", peer.pid)
                    .with("uid", peer.uid)
                    .with("command", command.join(" "));
                note(&self.app, event).await;
                Err(Response::error(format!("the token is refused: {error}")))
            }
        }
    }

    async fn run_ended(&self, session: SessionId, status: i32) -> Response {
        if let Some(session) = find(&self.app, session) {
            sessions::end(&self.app, &session, "exit", Some(status)).await;
        }
        Response::Ended
    }

    /// Operators see and do everything; others see what is their own.
    fn operator(&self, peer: &Peer) -> Result<crate::approval::Approver, Response> {
        let approver = self.app.config.approval.approver(peer.uid, None);
        approver.map_err(|error| Response::error(error.to_string()))
    }

    fn sessions(&self, peer: &Peer) -> Response {
        let all = self.operator(peer).is_ok();
        let seen = self.app.services.all_sessions().into_iter();
        let seen = seen.filter(|session| all || session.uid == peer.uid);
        Response::Sessions { sessions: seen.map(|session| sessions::view(&session)).collect() }
    }

    fn holds(&self, peer: &Peer, all: bool) -> Response {
        let sees_all = self.operator(peer).is_ok();
        let now = now_us();
        let tickets = self.app.services.approvals.list(all).into_iter();
        let tickets = tickets.filter(|ticket| sees_all || ticket.question.uid == peer.uid);
        Response::Holds { holds: tickets.map(|ticket| view::brief(&ticket, now)).collect() }
    }

    fn hold(&self, peer: &Peer, id: &HoldId) -> Response {
        match self.app.services.approvals.get(id) {
            Some(ticket) if ticket.question.uid == peer.uid || self.operator(peer).is_ok() => {
                Response::Hold { hold: Box::new(view::whole(&ticket, now_us())) }
            }
            _ => Response::error(format!("there is no hold {id}; `weir holds` lists them")),
        }
    }

    async fn answer(
        &self,
        peer: &Peer,
        id: &HoldId,
        choice: Choice,
        comment: Option<String>,
    ) -> Response {
        if self.app.kernel.is_agent(&peer.cgroup, peer.pid) {
            return Response::error("agents can't answer holds; this is on record");
        }
        let approver = match self.operator(peer) {
            Ok(approver) => approver,
            Err(refused) => return refused,
        };
        let approvals = &self.app.services.approvals;
        let in_wire = approvals.get(id).is_some_and(|ticket| ticket.waiting > 0);
        let answered = approvals.answer(id, &approver, choice, comment, now_us());
        let ticket = match answered {
            Ok(ticket) => ticket,
            Err(error) => {
                let event = Event::info(now_us(), "approval.refused", error.to_string())
                    .warning()
                    .with("hold", id)
                    .with("by", &approver.name);
                note(&self.app, event).await;
                return Response::error(error);
            }
        };
        // A statement that waits in the wire records its own end; a ticket has nobody else.
        if !in_wire && matches!(ticket.state, State::Approved | State::Denied) {
            self.record_settled(&ticket).await;
        }
        Response::Hold { hold: Box::new(view::whole(&ticket, now_us())) }
    }

    async fn record_settled(&self, ticket: &Ticket) {
        let (by, comment) = ticket.settled_by();
        let entry = Entry::HoldSettled(HoldSettled {
            hold: ticket.question.hold.clone(),
            at_us: now_us(),
            outcome: ticket.state.name().to_owned(),
            approver: Some(by),
            comment,
        });
        let recorder = &self.app.services.recorder;
        if let Err(error) = recorder.append(Class::Process, &[(&entry, &[])]).await {
            tracing::error!(%error, "recording an answer");
        }
    }

    async fn canary(&self, peer: &Peer) -> Response {
        if let Err(refused) = self.operator(peer) {
            return refused;
        }
        match canary::run(&self.app).await {
            Ok(outcomes) => Response::Canary { outcomes },
            Err(error) => Response::error(format!("running the canary: {error:#}")),
        }
    }

    async fn seal(&self, peer: &Peer) -> Response {
        if let Err(refused) = self.operator(peer) {
            return refused;
        }
        match self.app.services.recorder.seal().await {
            Ok(sealed) => Response::Sealed(Sealed {
                files: sealed.files,
                rows: sealed.rows.values().map(|rows| u64::try_from(*rows).unwrap_or(0)).sum(),
            }),
            Err(error) => Response::error(format!("sealing the record: {error}")),
        }
    }

    async fn reload(&self, peer: &Peer) -> Response {
        if let Err(refused) = self.operator(peer) {
            return refused;
        }
        match self.app.reload().await {
            Ok(hash) => Response::Done { message: format!("reloaded, policy {hash}") },
            Err(error) => Response::error(format!("kept the old configuration: {error:#}")),
        }
    }

    fn status(&self) -> Response {
        let health = self.app.services.recorder.health();
        let low = health.low_space.then(|| "the record's disk is nearly full".to_owned());
        let seal = health.seal_error.map(|error| format!("sealing the record: {error}"));
        let failed = health.failed.map(|error| format!("the record can't be written: {error}"));
        Response::Status {
            status: Box::new(StatusView {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                started: Time(self.started_us).rfc3339(),
                intercept: self.app.kernel.tier().to_owned(),
                policy_hash: self.app.services.live().policy.hash().to_string(),
                sessions: self.app.services.all_sessions().len() as u64,
                holds: self.app.services.approvals.pending() as u64,
                findings: [failed, low, seal].into_iter().flatten().collect(),
            }),
        }
    }
}

fn program(command: &[String]) -> String {
    let path = command.first().map(String::as_str).unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}
