//! `weir ca`: the host's certificate authority.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::tls::{Authority, keyfile};

/// Where a distribution keeps authorities that an administrator adds, and what makes them known.
struct TrustStore {
    dir: &'static str,
    refresh: &'static str,
    /// What it must be told to notice that one is gone.
    afresh: &'static [&'static str],
    /// What it makes, and programs read.
    bundle: &'static str,
}

const TRUST_STORES: [TrustStore; 3] = [
    TrustStore {
        dir: "/usr/local/share/ca-certificates",
        refresh: "update-ca-certificates",
        afresh: &["--fresh"],
        bundle: "/etc/ssl/certs/ca-certificates.crt",
    },
    TrustStore {
        dir: "/etc/pki/ca-trust/source/anchors",
        refresh: "update-ca-trust",
        afresh: &[],
        bundle: "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    },
    TrustStore {
        dir: "/etc/pki/trust/anchors",
        refresh: "update-ca-certificates",
        afresh: &[],
        bundle: "/var/lib/ca-certificates/ca-bundle.pem",
    },
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
        Command::Install => install(&Authority::open_or_create(&state_dir)?, common.json)?,
        Command::Uninstall => uninstall(common.json)?,
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

/// Installing twice is installing once, and also renews what a distribution's tool has forgotten.
fn install(authority: &Authority, json: bool) -> anyhow::Result<()> {
    let store = TRUST_STORES.iter().find(|store| Path::new(store.dir).is_dir()).context(
        "this host has no trust store that weir knows: install the package ca-certificates, or \
         give programs the certificate that `weir ca show` prints",
    )?;
    let path = Path::new(store.dir).join(INSTALLED);
    keyfile::publish(&path, authority.certificate_pem().as_bytes())?;
    refresh(store, &[])?;
    if !is_trusted(store, authority)? {
        anyhow::bail!("{} ran, but {} does not hold the certificate", store.refresh, store.bundle);
    }
    let (path, sha256) = (path.display().to_string(), authority.fingerprint());
    if json {
        println!("{}", serde_json::json!({"path": path, "bundle": store.bundle, "sha256": sha256}));
    } else {
        println!("installed {path}");
    }
    Ok(())
}

fn uninstall(json: bool) -> anyhow::Result<()> {
    let mut removed = Vec::new();
    for store in &TRUST_STORES {
        let path = Path::new(store.dir).join(INSTALLED);
        match fs::remove_file(&path) {
            Ok(()) => {
                refresh(store, store.afresh)?;
                removed.push(path.display().to_string());
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("removing {path:?}")),
        }
    }
    if json {
        println!("{}", serde_json::json!({"removed": removed}));
    } else if removed.is_empty() {
        println!("it was not installed");
    } else {
        println!("removed {}", removed.join(", "));
    }
    Ok(())
}

/// Whether the file that programs read holds the certificate by now.
fn is_trusted(store: &TrustStore, authority: &Authority) -> anyhow::Result<bool> {
    let bundle = fs::read(store.bundle).with_context(|| format!("reading {}", store.bundle))?;
    let certificates = CertificateDer::pem_slice_iter(&bundle);
    Ok(certificates.flatten().any(|certificate| &certificate == authority.certificate()))
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
