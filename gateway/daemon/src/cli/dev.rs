//! `weir dev`: helpers for development, above all an issuer of one's own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::identity::dev::grant::Claims;
use crate::identity::dev::{DevError, DevIssuer, NOTICE, People, serve};

/// Arguments of `weir dev`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Run an OpenID Connect issuer on loopback. It asks for no password.
    Issuer(IssuerArgs),
    /// Mint a token with that issuer's key; it need not run.
    Token(TokenArgs),
}

#[derive(clap::Args)]
struct IssuerArgs {
    /// Where it listens; a loopback address.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where its key is kept.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/weir/dev-issuer")]
    state: PathBuf,
    /// Users and clients as TOML, instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// Print nothing but the URL on standard output.
    #[arg(long)]
    print_url: bool,
}

#[derive(clap::Args)]
struct TokenArgs {
    /// Where the issuer's key is kept.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/weir/dev-issuer")]
    issuer_state: PathBuf,
    /// Users and clients as TOML, instead of the built-in ones.
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// For whom the token speaks.
    #[arg(long)]
    subject: String,
    /// A group, as often as needed; the user's own where none is given.
    #[arg(long = "group")]
    groups: Vec<String>,
    /// The agent that acts for the subject.
    #[arg(long)]
    agent: Option<String>,
    /// For whom the token is meant; what the issuer's tokens say where it isn't given.
    #[arg(long)]
    audience: Option<String>,
    /// How long the token lives: `90s`, `15m`, `1h`, `2d`.
    #[arg(long, default_value = "1h", value_parser = seconds)]
    ttl: i64,
}

/// Runs the command.
pub fn run(args: Args, _common: &super::Common) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Issuer(args) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the runtime")?
            .block_on(issuer(args))?,
        Command::Token(args) => println!("{}", token(args)?),
    }
    Ok(ExitCode::SUCCESS)
}

async fn issuer(args: IssuerArgs) -> anyhow::Result<()> {
    if !args.listen.ip().is_loopback() {
        return Err(DevError::NotLoopback(args.listen).into());
    }
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("listening on {}", args.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    let people = people(args.people.as_deref(), &args.state)?;
    let issuer = Arc::new(DevIssuer::open(&args.state, &url, people)?);
    let mut terminate = signal(SignalKind::terminate()).context("waiting for signals")?;
    if args.print_url {
        eprintln!("weir dev issuer, {NOTICE}");
        println!("{url}");
    } else {
        println!("weir dev issuer on {url}, {NOTICE}");
    }
    let stop = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    };
    Ok(serve(listener, issuer, stop).await?)
}

fn token(args: TokenArgs) -> anyhow::Result<String> {
    let people = people(args.people.as_deref(), &args.issuer_state)?;
    let issuer = DevIssuer::reopen(&args.issuer_state, people)?;
    let mut claims = match issuer.claims_of(&args.subject, "weir-dev-token") {
        Some(claims) => claims,
        None => Claims {
            subject: args.subject,
            email: None,
            groups: Vec::new(),
            agent: None,
            audience: issuer.people().audience.clone(),
            lifetime: 0,
            client: "weir-dev-token".to_owned(),
        },
    };
    if !args.groups.is_empty() {
        claims.groups = args.groups;
    }
    claims.agent = args.agent;
    claims.audience = args.audience.unwrap_or(claims.audience);
    claims.lifetime = args.ttl;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("reading the clock")?;
    Ok(issuer.mint(&claims, now.as_secs() as i64)?)
}

fn people(file: Option<&Path>, state: &Path) -> Result<People, DevError> {
    match file {
        Some(file) => People::read(file),
        None => People::built_in(state),
    }
}

fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text:?} is not a time such as 90s, 15m, 1h or 2d");
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).filter(|seconds| (1..=31_536_000).contains(seconds)).ok_or_else(wrong)
}
