//! `weir run`: an unmodified program in a bound cgroup.
//!
//! The program begins as a waiting child that has nothing open but standard input, output and error
//! and two pipes (`child`). The gateway moves it into its cgroup; only then does it give up what it
//! could get out with (`jail`), get what it is to trust (`trust`), and become the program. The parent
//! stays outside: it holds the connection that is the session's life, passes on signals and what is
//! typed (`terminal`), and reports the end (`watch`). Where there is a terminal, the child stays too, as
//! the first process of the program's session (`monitor`).

pub mod child;
mod jail;
mod monitor;
mod plan;
mod signals;
mod terminal;
mod trust;
mod watch;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use nix::sys::prctl::set_dumpable;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{User, geteuid};
use socket2::{Domain, SockRef};
use weir_model::{Layer, Relaxation, Secret, SessionId, limits};
use zeroize::Zeroizing;

use super::Common;
use crate::control::{Client, ClientError, Request, Response, socket_path};
use plan::{Account, Plan};
use signals::Signals;
use terminal::Terminal;
use trust::Scratch;
use watch::{Child, Watch};

/// Arguments of `weir run`.
#[derive(clap::Args)]
pub struct Args {
    /// The file with the bearer token of whoever the agent acts for (else $WEIR_TOKEN).
    #[arg(long, value_name = "FILE", env = "WEIR_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// The agent's name, where the token does not say it (default: the command's file name).
    #[arg(long)]
    agent: Option<String>,
    /// The Unix user to run it as; only for root, and the better way for root.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Leave something open that the jail shuts, where [run] allow_relax allows it; it is on record.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    relax: Vec<Relaxation>,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs the command.
pub fn run(args: Args, common: &Common) -> anyhow::Result<ExitCode> {
    let account = args.user.as_deref().map(account).transpose()?;
    let token = token(args.token_file.as_deref())?;
    let relax: BTreeSet<Relaxation> = args.relax.into_iter().collect();
    refuse_stdio(relax.contains(&Relaxation::SocketStdio))?;
    let mut terminal = if relax.contains(&Relaxation::Terminal) {
        None
    } else {
        Terminal::open(account.as_ref()).context("making a terminal for the command")?
    };
    // The child comes first: it must not inherit a connection, and what is blocked here is not
    // blocked there.
    let signals = Signals::block(&[]).context("taking over signals")?;
    let spawned = Child::spawn(&args.command, terminal.as_ref());
    let mut child = spawned.context("starting the waiting child")?;
    // This process stays outside of the cgroup and knows the token, and the agent may run as the
    // same user: it must not be able to trace it or to read its memory or environment.
    set_dumpable(false).context("shutting the agent out of weir run")?;
    let mut client = Client::connect(common)?;
    let layers = jail::layers(terminal.is_some());
    let request = Request::Run {
        token,
        agent: args.agent,
        command: shown(&args.command),
        child: child.pid(),
        uid: account.as_ref().map_or(geteuid().as_raw(), |account| account.uid),
        jail: layers.clone(),
        relax: relax.clone(),
    };
    let response = client.ask(&request)?;
    let Response::Running { session, environment, authority, cgroup_mounts, notes } = response
    else {
        return Err(ClientError::Unexpected("run").into());
    };
    drop(request);
    notes.iter().for_each(|note| eprintln!("weir: {}", super::output::visible(note)));
    if geteuid().is_root() && account.as_ref().is_none_or(|account| account.uid == 0) {
        eprintln!(
            "weir: the agent runs as root, whose files are a way out of its cgroup: give --user"
        );
    }
    warn(&layers);
    let scratch = Scratch::make(&layers, session).context("making a folder for certificates")?;
    child.go(&Plan {
        environment,
        cgroup_mounts,
        account,
        layers,
        relax,
        control: Some(socket_path(common)),
        authority,
        trust: scratch.path(),
        terminal: terminal.as_ref().map(Terminal::number),
    })?;
    if let Some(terminal) = &mut terminal {
        terminal.started();
    }
    let mut watch = Watch { child: &mut child, signals: &signals, terminal: terminal.as_mut() };
    let status = watch.until_end(&client)?;
    report(&mut client, session, status);
    Ok(ExitCode::from(status))
}

/// Says which layers this host does not have.
fn warn(layers: &[Layer]) {
    if !layers.contains(&Layer::Mounts) {
        eprintln!(
            "weir: without root there are no mounts of its own: the sockets of other programs stay \
             in the command's reach, and only variables tell it of Weir's certificates"
        );
    }
    if !layers.iter().any(|layer| matches!(layer, Layer::Landlock { .. })) {
        eprintln!(
            "weir: this kernel has no Landlock: the command can signal and read what else runs as \
             its user"
        );
    }
}

/// Tells the gateway how it ended. Where that fails the closing connection says it too.
fn report(client: &mut Client, session: SessionId, status: u8) {
    let ended = Request::RunEnded { session, status: i32::from(status) };
    if let Err(error) = client.ask(&ended) {
        tracing::debug!(%error, "reporting the end of the session");
    }
}

/// The user to become; only root can.
fn account(name: &str) -> anyhow::Result<Account> {
    let user = User::from_name(name).with_context(|| format!("looking up user {name}"))?;
    let user = user.with_context(|| format!("there is no user {name} on this host"))?;
    let me = geteuid();
    if !me.is_root() && me != user.uid {
        bail!("running as user {name} needs root: run it with sudo, or without --user");
    }
    Account::of(user).with_context(|| format!("looking up the groups of user {name}"))
}

/// The token, from a file or the environment. The agent gets neither variable.
fn token(file: Option<&Path>) -> anyhow::Result<Secret> {
    let text = match file {
        Some(path) => read_token(path)
            .with_context(|| format!("reading the token from {}", path.display()))?,
        None => Zeroizing::new(std::env::var("WEIR_TOKEN").unwrap_or_default()),
    };
    let token = text.trim();
    if token.is_empty() {
        bail!("there is no token: give --token-file FILE, or set WEIR_TOKEN_FILE or WEIR_TOKEN");
    }
    if token.len() > limits::TOKEN_BYTES {
        bail!("the token is longer than {} bytes", limits::TOKEN_BYTES);
    }
    Ok(Secret::new(token.to_owned()))
}

fn read_token(path: &Path) -> io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if file.metadata()?.is_file() && mode & 0o077 != 0 {
        eprintln!("weir: others can read the token: chmod 600 {}", path.display());
    }
    let mut text = Zeroizing::new(String::new());
    file.take(limits::TOKEN_BYTES as u64 + 2).read_to_string(&mut text)?;
    Ok(text)
}

/// A network socket as standard input, output or error would be a connection that was made outside of
/// the cgroup, which the kernel programs don't see. A folder would lead to what mounts cover in it.
fn refuse_stdio(sockets_allowed: bool) -> anyhow::Result<()> {
    let (input, output, error) = (io::stdin(), io::stdout(), io::stderr());
    let streams = [("input", input.as_fd()), ("output", output.as_fd()), ("error", error.as_fd())];
    for (name, stream) in streams {
        // Anything else than a socket has no domain.
        let domain = SockRef::from(&stream).domain();
        let kind = |mode: u32| SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits());
        if fstat(stream).is_ok_and(|facts| kind(facts.st_mode) == SFlag::S_IFDIR) {
            bail!("standard {name} is a folder");
        }
        if !sockets_allowed && domain.is_ok_and(|domain| domain != Domain::UNIX) {
            bail!(
                "standard {name} is a network socket, which the agent could speak through unseen: \
                 redirect it, or give --relax socket-stdio"
            );
        }
    }
    Ok(())
}

/// The command line for the record.
fn shown(command: &[OsString]) -> Vec<String> {
    let mut left = limits::ARGV_BYTES;
    let mut shown = Vec::new();
    for word in command {
        let word = super::output::cut(&word.to_string_lossy(), left / 4);
        left = left.saturating_sub(word.len() + 1);
        shown.push(word);
        if left < 8 {
            break;
        }
    }
    shown
}
