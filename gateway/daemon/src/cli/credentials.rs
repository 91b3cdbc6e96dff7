//! `weir credentials`: the sealed store of credentials for targets.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use zeroize::Zeroizing;

use crate::identity::credential::{self, Credential, Kind, SECRET_BYTES};
use crate::identity::sealed::SealedStore;
use crate::tls::keyfile;

/// Arguments of `weir credentials`.
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
    /// Seal a credential, in place of an older one of that name.
    Set {
        /// The name that the configuration refers to.
        name: String,
        /// The user as whom Weir logs in.
        #[arg(long)]
        user: String,
        #[command(flatten)]
        secret: SecretArgs,
    },
    /// List names and users.
    List,
    /// Forget a credential.
    Remove {
        /// Its name.
        name: String,
    },
}

// Never an argument: command lines are readable by everyone on the host.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct SecretArgs {
    /// Read a password from standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Read a certificate and its key from this PEM file.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args, common: &super::Common) -> anyhow::Result<ExitCode> {
    let state_dir = common.state_dir(args.state_dir)?;
    let store = SealedStore::new(&state_dir);
    match args.command {
        Command::Set { name, user, secret } => {
            anyhow::ensure!(!user.is_empty(), "the user is empty");
            let (kind, bytes) = secret.read()?;
            let proof = credential::proof(&name, kind, bytes)?;
            store.set(&name, &Credential { user, proof })?;
        }
        Command::List => list(&store, common.json)?,
        Command::Remove { name } => store.remove(&name)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(store: &SealedStore, json: bool) -> anyhow::Result<()> {
    let listed = store.list()?;
    if json {
        println!("{}", serde_json::to_string(&listed)?);
        return Ok(());
    }
    for one in listed {
        println!("{:<24} {:<24} {}", one.name, one.user, one.kind.name());
    }
    Ok(())
}

impl SecretArgs {
    fn read(&self) -> anyhow::Result<(Kind, Zeroizing<Vec<u8>>)> {
        if let Some(path) = &self.certificate {
            let bytes = keyfile::read(path, SECRET_BYTES)?
                .with_context(|| format!("there is no {}", path.display()))?;
            return Ok((Kind::Certificate, bytes));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_BYTES + 1));
        std::io::stdin()
            .lock()
            .take(SECRET_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .context("reading the password from standard input")?;
        anyhow::ensure!(bytes.len() <= SECRET_BYTES, "the password is too long");
        Ok((Kind::Password, bytes))
    }
}
