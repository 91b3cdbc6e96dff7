//! `weir ca`: the host's certificate authority.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;

use crate::tls::{Authority, keyfile};

/// Where a distribution keeps authorities that an administrator adds, and what makes them known.
struct TrustStore {
    dir: &'static str,
    refresh: &'static str,
    /// What it must be told to notice that one is gone.
    afresh: &'static [&'static str],
}

const TRUST_STORES: [TrustStore; 2] = [
    TrustStore {
        dir: "/usr/local/share/ca-certificates",
        refresh: "update-ca-certificates",
        afresh: &["--fresh"],
    },
    TrustStore { dir: "/etc/pki/ca-trust/source/anchors", refresh: "update-ca-trust", afresh: &[] },
];
const INSTALLED: &str = "weir.crt";

/// Arguments of `weir ca`.
#[derive(clap::Args)]
pub struct Args {
    /// The state directory (default: the configuration's, else /var/lib/weir).
    #[arg(long, global = true, env = "WEIR_STATE_DIR")]
    state_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make the authority, where there is none yet.
    Init,
    /// Print its certificate.
    Show,
    /// Make this host trust it.
    Install,
    /// Make this host trust it no longer.
    Uninstall,
}

/// Runs the command.
pub fn run(args: Args, common: &super::Common) -> anyhow::Result<ExitCode> {
    let state_dir = common.state_dir(args.state_dir)?;
    match args.command {
        Command::Init => {
            let authority = Authority::open_or_create(&state_dir)?;
            print(&authority, common.json, false);
        }
        Command::Show => {
            let authority = Authority::open(&state_dir)?;
            print(&authority, common.json, true);
        }
        Command::Install => install(&Authority::open_or_create(&state_dir)?)?,
        Command::Uninstall => uninstall()?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print(authority: &Authority, json: bool, with_pem: bool) {
    let (path, fingerprint) = (authority.certificate_path().display(), authority.fingerprint());
    if json {
        let pem = authority.certificate_pem();
        let path = path.to_string();
        println!("{}", serde_json::json!({"path": path, "sha256": fingerprint, "pem": pem}));
    } else {
        println!("certificate  {path}\nsha256       {fingerprint}");
        if with_pem {
            print!("{}", authority.certificate_pem());
        }
    }
}

fn install(authority: &Authority) -> anyhow::Result<()> {
    let store = TRUST_STORES
        .iter()
        .find(|store| Path::new(store.dir).is_dir())
        .context("this host has no trust store that weir knows; install ca-certificates")?;
    let path = Path::new(store.dir).join(INSTALLED);
    keyfile::publish(&path, authority.certificate_pem().as_bytes())?;
    refresh(store, &[])?;
    println!("installed {}", path.display());
    Ok(())
}

fn uninstall() -> anyhow::Result<()> {
    let mut found = false;
    for store in &TRUST_STORES {
        let path = Path::new(store.dir).join(INSTALLED);
        match fs::remove_file(&path) {
            Ok(()) => {
                refresh(store, store.afresh)?;
                println!("removed {}", path.display());
                found = true;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("removing {path:?}")),
        }
    }
    if !found {
        println!("it was not installed");
    }
    Ok(())
}

fn refresh(store: &TrustStore, options: &[&str]) -> anyhow::Result<()> {
    let doing = || format!("running {}", store.refresh);
    let output =
        std::process::Command::new(store.refresh).args(options).output().with_context(doing)?;
    if !output.status.success() {
        anyhow::bail!(
            "{} failed: {}",
            store.refresh,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
