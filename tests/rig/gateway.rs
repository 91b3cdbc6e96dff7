//! One gateway of a test's own: its instance, state, record, issuer and target are nobody else's.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::postgres::{PASSWORD, Postgres, Version};
use crate::{Agent, unique, wait_for, weir};

/// What a test asks for beyond the ordinary.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The server.
    pub version: Version,
    /// `process` or `disk`.
    pub class: String,
    /// More TOML.
    pub extra: String,
    /// Keys of the `[[target]]` instead of `tls = { mode = "off" }`.
    pub tls: String,
    /// Another record directory, for instance a small disk.
    pub record: Option<PathBuf>,
    /// Keys of `[record]`.
    pub record_keys: String,
    /// Keys of `[gateway]`.
    pub gateway_keys: String,
    /// Without the `[[credential]]` of the target.
    pub no_credential: bool,
    /// A command line that runs the gateway's, for instance with fewer capabilities.
    pub below: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            version: Version::usual(),
            class: "process".to_owned(),
            extra: String::new(),
            tls: "tls = { mode = \"off\" }".to_owned(),
            record: None,
            record_keys: String::new(),
            gateway_keys: String::new(),
            no_credential: false,
            below: Vec::new(),
        }
    }
}

/// A development issuer: `weir dev issuer`.
pub struct Issuer {
    /// Its URL.
    pub url: String,
    state: PathBuf,
    child: Child,
}

impl Issuer {
    /// Starts one that keeps its key in a directory.
    pub fn start(state: &Path) -> Self {
        let mut child = Command::new(weir())
            .args(["dev", "issuer", "--listen", "127.0.0.1:0", "--print-url", "--state"])
            .arg(state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("weir dev issuer");
        let mut url = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        out.read_line(&mut url).expect("its URL");
        Self { url: url.trim().to_owned(), state: state.to_owned(), child }
    }

    /// `weir dev token` with its key; prints the token.
    pub fn mint(&self) -> Command {
        let mut command = Command::new(weir());
        command.args(["dev", "token", "--issuer-state"]).arg(&self.state);
        command
    }

    /// Ends it.
    pub fn stop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A running gateway.
pub struct Gateway {
    /// Its database.
    pub postgres: Postgres,
    /// Its files.
    pub dir: PathBuf,
    /// Its record.
    pub record: PathBuf,
    /// Its name in the kernel.
    pub instance: String,
    /// The name that agents use for the database.
    pub host: String,
    issuer: Issuer,
    child: Option<Child>,
    /// Gateways that were replaced, as long as they live.
    replaced: Vec<Child>,
    below: Vec<String>,
    killed: bool,
    kept: TempDir,
}

impl Gateway {
    /// Starts one.
    pub fn start(setup: &Setup) -> Self {
        let postgres = Postgres::start(setup.version);
        let kept = TempDir::with_prefix("weir-e2e-").expect("a directory");
        let dir = kept.path().to_owned();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        let instance = format!("t{}-{}", std::process::id(), unique());
        let record = setup.record.clone().unwrap_or_else(|| dir.join("record"));
        let host = format!("{instance}.db.test");
        let issuer = Issuer::start(&dir.join("issuer"));
        let (child, replaced, below) = (None, Vec::new(), setup.below.clone());
        let mut gateway = Self {
            postgres,
            dir,
            record,
            instance,
            host,
            issuer,
            child,
            replaced,
            below,
            killed: false,
            kept,
        };
        gateway.prepare(setup);
        gateway.spawn();
        gateway
    }

    fn prepare(&self, setup: &Setup) {
        let Self { dir, record, instance, host, postgres, .. } = self;
        let credential = if setup.no_credential { "" } else { "credential = \"orders\"" };
        let text = format!(
            "[gateway]\ninstance = \"{instance}\"\nstate_dir = \"{dir}/state\"\n\
             control = \"{dir}/control.sock\"\nhost = \"testhost\"\n{gateway_keys}\n\
             [record]\ndir = \"{record}\"\nclass = \"{class}\"\n{record_keys}\n\
             [[issuer]]\nissuer = \"{issuer}\"\naudience = [\"weir\"]\n\
             [[credential]]\nname = \"orders\"\nuser = \"app\"\n\
             [[target]]\nname = \"orders\"\nprotocol = \"postgres\"\nhosts = [\"{host}\"]\n\
             addresses = [\"{address}\"]\nport = 5432\n{tls}\n{credential}\n\
             environment = \"prod\"\ndatabase = \"{database}\"\n\
             [[column]]\ntarget = \"orders\"\ntable = \"public.customers\"\n\
             columns = [\"email\", \"card\"]\nclasses = [\"pii\"]\n{extra}\n",
            dir = dir.display(),
            issuer = self.issuer.url,
            record = record.display(),
            class = setup.class,
            record_keys = setup.record_keys,
            gateway_keys = setup.gateway_keys,
            address = postgres.address,
            database = postgres.database,
            tls = setup.tls,
            extra = setup.extra,
        );
        std::fs::write(self.config(), text).expect("a configuration");
        let mut set = self.weir(&["credentials", "set", "orders", "--user", "app"]);
        set.arg("--password-stdin").stdin(Stdio::piped()).stdout(Stdio::null());
        let mut set = set.spawn().expect("weir credentials");
        std::io::Write::write_all(&mut set.stdin.take().expect("stdin"), PASSWORD.as_bytes())
            .expect("a password");
        assert!(set.wait().expect("weir credentials").success());
    }

    /// Starts the gateway's process; also after [`Gateway::kill`].
    pub fn spawn(&mut self) {
        let gateway = match self.below.split_first() {
            None => self.weir(&["gateway"]),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(weir()).arg("gateway");
                command.env("WEIR_CONFIG", self.config());
                command
            }
        };
        self.child = Some(self.logged(gateway));
        wait_for("the gateway", Duration::from_secs(30), || {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the gateway ended: {ended:?}\n{}", self.log());
            self.weir(&["holds", "--json"]).output().is_ok_and(|o| o.status.success()).then_some(())
        });
    }

    /// Starts a program that takes over from the running gateway, and waits until it has.
    pub fn replace(&mut self, program: &Path) {
        let took = |log: &str| log.matches("handed over, draining").count();
        let before = took(&self.log());
        let mut next = self.replacing(program);
        wait_for("a gateway to take over", Duration::from_secs(30), || {
            let ended = next.try_wait().expect("its status");
            assert!(ended.is_none(), "the next gateway ended: {ended:?}\n{}", self.log());
            (took(&self.log()) > before).then_some(())
        });
        self.replaced.extend(self.child.replace(next));
    }

    /// The same without waiting.
    pub fn replacing(&self, program: &Path) -> Child {
        let mut command = Command::new(program);
        command.args(["gateway", "--upgrade"]).env("WEIR_CONFIG", self.config());
        self.logged(command)
    }

    /// The gateways that were replaced.
    pub fn replaced(&mut self) -> &mut Vec<Child> {
        &mut self.replaced
    }

    fn logged(&self, mut gateway: Command) -> Child {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("gateway.log"))
            .expect("a log");
        gateway
            .env_remove("WEIR_SOCKET")
            .env("WEIR_LOG", "debug,hyper=info,rustls=info,aya=info,aya_obj=info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("weir gateway")
    }

    /// A `weir` command with this gateway's configuration.
    pub fn weir(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(weir());
        command.args(arguments).env("WEIR_CONFIG", self.config()).env_remove("WEIR_SOCKET");
        command
    }

    /// Runs a `weir` command; returns what it prints, and panics if it fails.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.weir(arguments).output().expect("weir");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "weir {arguments:?}: {errors}\n{}", self.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The same, read as JSON.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let text = self.ask(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Its issuer.
    pub fn issuer(&mut self) -> &mut Issuer {
        &mut self.issuer
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.join("weir.toml")
    }

    /// Mints a token; returns its file.
    pub fn token(&self, subject: &str, groups: &[&str], seconds: u64) -> PathBuf {
        let mut mint = self.issuer.mint();
        mint.args(["--subject", subject, "--audience", "weir", "--ttl"]);
        mint.arg(format!("{seconds}s"));
        for group in groups {
            mint.args(["--group", group]);
        }
        let output = mint.output().expect("weir dev token");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "weir dev token: {errors}");
        let path = self.dir.join(format!("token-{subject}-{}", unique()));
        std::fs::write(&path, output.stdout).expect("a token file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("chmod");
        path
    }

    /// An agent of alice's, bound to this gateway.
    pub fn agent(&self) -> Agent<'_> {
        Agent::new(self, self.token("alice", &["agents"], 3600))
    }

    /// The gateway's process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running gateway").id()
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("a running gateway");
        child.kill().expect("kill");
        child.wait().expect("the gateway ends");
        self.killed = true;
    }

    /// Ends it as an operator would, and waits.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let pid = child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        wait_for("the gateway to stop", Duration::from_secs(20), || child.try_wait().ok()?);
        self.check_coverage();
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("gateway.log")).unwrap_or_default()
    }

    /// Builds a C program in this gateway's directory; returns its path.
    pub fn compile(&self, name: &str, source: &str) -> String {
        let (code, program) = (self.dir.join(format!("{name}.c")), self.dir.join(name));
        std::fs::write(&code, source).expect("a source file");
        let output = Command::new("gcc").arg("-o").arg(&program).arg(&code).output();
        let output = output.expect("gcc: run `cargo xtask setup`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        program.display().to_string()
    }

    /// Whether another took over, or tried to.
    pub(crate) fn was_replaced(&self) -> bool {
        let log = self.log();
        ["handed over, draining", "a successor did not take over"].iter().any(|of| log.contains(of))
    }

    /// Whether it was ever killed.
    pub(crate) fn was_killed(&self) -> bool {
        self.killed
    }

    /// Whether it was started again after that.
    pub(crate) fn has_restarted(&self) -> bool {
        self.log().matches("ready tier").count() > 1
    }

    /// Whether this test's directory is still wanted.
    pub fn path(&self) -> &Path {
        self.kept.path()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = child.id().to_string();
            let told = Command::new("kill").args(["-TERM", &pid]).status();
            for _ in 0..500 {
                if told.is_err() || child.try_wait().ok().flatten().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            child.kill().ok();
            child.wait().ok();
            if !std::thread::panicking() {
                self.check_coverage();
            }
        }
        for mut child in self.replaced.drain(..) {
            child.kill().ok();
            child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("--- gateway log\n{}", self.log());
        }
    }
}
