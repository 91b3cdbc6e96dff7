//! A stage for the demo and the benchmark: a PostgreSQL of its own, a development issuer and a
//! gateway, all on loopback and below one folder, ended in reverse order.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::shell;

/// The database's superuser and its password.
pub const SUPERUSER: &str = "postgres";

/// What stands on the stage.
pub struct Stage {
    /// The folder of everything.
    pub dir: PathBuf,
    /// The binary.
    pub weir: PathBuf,
    /// The database's address; its port is 5432.
    pub address: String,
    /// The database.
    pub database: String,
    /// The name that agents use for it.
    pub host: String,
    /// The gateway's name in the kernel.
    pub instance: String,
    /// The superuser's password.
    pub password: String,
    /// The role that Weir logs in as.
    login: &'static str,
    login_password: String,
    programs: Option<PathBuf>,
    issuer: String,
    children: Vec<(&'static str, Child)>,
}

impl Stage {
    /// Prepares an empty stage; what an earlier one left in the folder goes.
    pub fn new(dir: PathBuf, weir: PathBuf, instance: &str, host: &str) -> Result<Self> {
        ensure!(shell::is_root(), "Weir attaches eBPF programs: run this as root");
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("emptying {}", dir.display()))?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755))?;
        Ok(Self {
            address: free_address()?,
            database: "orders".to_owned(),
            host: host.to_owned(),
            instance: instance.to_owned(),
            password: secret()?,
            login: "app",
            login_password: secret()?,
            programs: None,
            issuer: String::new(),
            children: Vec::new(),
            dir,
            weir,
        })
    }

    /// Starts PostgreSQL and fills it.
    pub fn database(&mut self, schema: &str) -> Result<()> {
        let data = self.postgres_dir()?.join("data");
        let password = data.with_file_name("password");
        fs::write(&password, &self.password)?;
        chown(&password)?;
        let mut initdb = as_nobody(&self.programs()?.join("initdb"));
        initdb.args(["-U", SUPERUSER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N"]);
        initdb.arg(format!("--pwfile={}", password.display())).arg("-D").arg(&data);
        shell::quietly(&mut initdb)?;
        fs::remove_file(&password)?;
        let mut server = as_nobody(&self.programs()?.join("postgres"));
        server.arg("-D").arg(&data).args(["-c", &format!("listen_addresses={}", self.address)]);
        for setting in ["unix_socket_directories=", "fsync=off", "max_connections=200"] {
            server.args(["-c", setting]);
        }
        self.start("postgres", &mut server)?;
        self.until("PostgreSQL", |stage| stage.sql("postgres", "select 1").is_ok())?;
        let role = format!("create role app login password '{}'", self.login_password);
        self.sql("postgres", &role)?;
        self.sql("postgres", &format!("create database {} owner app", self.database))?;
        self.sql(&self.database, schema).map(drop)
    }

    /// Uses another PostgreSQL than Debian's newest.
    pub fn runs(&mut self, programs: PathBuf) {
        self.programs = Some(programs);
    }

    /// The server's programs.
    pub fn programs(&self) -> Result<PathBuf> {
        self.programs.clone().map_or_else(programs, Ok)
    }

    /// Where the server's files are: in a folder that the server's user can reach.
    fn postgres_dir(&self) -> Result<PathBuf> {
        let dir = postgres_dir(&self.instance);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        chown(&dir)?;
        Ok(dir)
    }

    /// Runs SQL as the superuser, past Weir.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = shell::words("psql", ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
        psql.args(["-h", &self.address, "-U", SUPERUSER, "-d", database, "-c", sql]);
        shell::capture(psql.env("PGPASSWORD", &self.password))
    }

    /// Uses another stage's database.
    pub fn shares_database_of(&mut self, other: &Self) {
        self.address = other.address.clone();
        self.login_password = other.login_password.clone();
    }

    /// The password of the role that Weir logs in as, for paths past Weir.
    pub fn login_password(&self) -> &str {
        &self.login_password
    }

    /// Has Weir log in as the superuser, from the next start of the gateway on.
    pub fn logs_in_as_superuser(&mut self) {
        self.login = SUPERUSER;
        self.login_password = self.password.clone();
    }

    /// A connection string past Weir.
    pub fn direct_dsn(&self) -> String {
        let Self { address, password, database, .. } = self;
        format!("postgresql://{SUPERUSER}:{password}@{address}:5432/{database}")
    }

    /// Starts the development issuer.
    pub fn issuer(&mut self) -> Result<()> {
        let mut issuer = Command::new(&self.weir);
        issuer.args(["dev", "issuer", "--listen", "127.0.0.1:0", "--print-url", "--state"]);
        issuer.arg(self.dir.join("issuer")).stdout(Stdio::piped()).stderr(self.log("issuer")?);
        let mut child = issuer.stdin(Stdio::null()).spawn().context("starting the issuer")?;
        let out = child.stdout.take().context("the issuer's output")?;
        self.children.push(("issuer", child));
        let mut url = String::new();
        BufReader::new(out).read_line(&mut url).context("reading the issuer's URL")?;
        self.issuer = url.trim().to_owned();
        ensure!(!self.issuer.is_empty(), "the issuer did not start:\n{}", self.tail("issuer"));
        Ok(())
    }

    /// Mints a token into a file that only its owner reads.
    pub fn token(&self, subject: &str, groups: &[&str]) -> Result<PathBuf> {
        let mut mint = Command::new(&self.weir);
        mint.args(["dev", "token", "--issuer-state"]).arg(self.dir.join("issuer"));
        mint.args(["--subject", subject, "--audience", "weir", "--ttl", "8h"]);
        for group in groups {
            mint.args(["--group", group]);
        }
        let token = shell::capture(&mut mint)?;
        let path = self.dir.join(format!("{subject}.token"));
        fs::write(&path, token)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    /// Writes the configuration and starts the gateway; `record` holds keys of `[record]`.
    pub fn gateway(&mut self, record: &str, columns: &str) -> Result<()> {
        let dir = self.dir.display();
        let Self { instance, issuer, host, address, database, login, .. } = &*self;
        let text = format!(
            "[gateway]\ninstance = \"{instance}\"\nstate_dir = \"{dir}/state\"\n\
             control = \"{dir}/control.sock\"\n\n[record]\ndir = \"{dir}/record\"\n{record}\n\n\
             [[issuer]]\nissuer = \"{issuer}\"\naudience = [\"weir\"]\n\n\
             [[credential]]\nname = \"orders\"\nuser = \"{login}\"\n\n\
             [[target]]\nname = \"orders\"\nprotocol = \"postgres\"\nhosts = [\"{host}\"]\n\
             addresses = [\"{address}\"]\nport = 5432\ntls = {{ mode = \"off\" }}\n\
             credential = \"orders\"\nenvironment = \"prod\"\ndatabase = \"{database}\"\n\n{columns}"
        );
        fs::write(self.config(), text)?;
        let mut seal = self.command(&["credentials", "set", "orders", "--user", login]);
        seal.arg("--password-stdin").stdin(Stdio::piped());
        let mut seal = seal.spawn().context("sealing the credential")?;
        seal.stdin.take().context("its input")?.write_all(self.login_password.as_bytes())?;
        ensure!(seal.wait()?.success(), "the credential could not be sealed");
        self.spawn_gateway()
    }

    /// Starts the gateway with the configuration that is there.
    pub fn spawn_gateway(&mut self) -> Result<()> {
        let mut gateway = self.command(&["gateway"]);
        self.start("gateway", &mut gateway)?;
        self.until("the gateway", |stage| {
            stage.command(&["holds", "--json"]).output().is_ok_and(|o| o.status.success())
        })
    }

    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.dir.join("weir.toml")
    }

    /// A `weir` command that speaks to this stage's gateway.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.weir);
        command.args(arguments).env("WEIR_CONFIG", self.config());
        command.env_remove("WEIR_SOCKET").env_remove("WEIR_RECORD").stdin(Stdio::null());
        command
    }

    /// A program run by `weir run`, as an agent would be.
    pub fn agent(&self, token: &Path, agent: &str, words: &[&str]) -> Command {
        let mut command = self.command(&["run", "--agent", agent, "--token-file"]);
        command.arg(token).arg("--").args(words).current_dir("/");
        for name in ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"] {
            command.env_remove(name);
        }
        command
    }

    /// The number of a process that was started.
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.children.iter().find(|(of, _)| *of == name).map(|(_, child)| child.id())
    }

    /// All processes, the last started first.
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().rev().map(|(_, child)| child.id()).collect()
    }

    /// Ends one process and waits for it.
    pub fn end(&mut self, name: &str) {
        if let Some(place) = self.children.iter().position(|(of, _)| *of == name) {
            let (_, mut child) = self.children.remove(place);
            terminate(&mut child);
        }
    }

    /// Leaves everything running when this is dropped.
    pub fn keep(&mut self) {
        self.children.clear();
    }

    fn start(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        let log = self.log(name)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).current_dir("/");
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        self.children.push((name, child));
        Ok(())
    }

    fn log(&self, name: &str) -> Result<fs::File> {
        let path = self.dir.join(format!("{name}.log"));
        let open = fs::OpenOptions::new().create(true).append(true).open(&path);
        open.with_context(|| format!("opening {}", path.display()))
    }

    /// The last lines of a log.
    pub fn tail(&self, name: &str) -> String {
        let text = fs::read_to_string(self.dir.join(format!("{name}.log"))).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
    }

    fn until(&mut self, what: &str, ready: impl Fn(&Self) -> bool) -> Result<()> {
        let begin = Instant::now();
        while !ready(self) {
            if begin.elapsed() > Duration::from_secs(60) {
                let name = self.children.last().map_or("gateway", |(name, _)| name);
                bail!("{what} did not come up within a minute; its log ends\n{}", self.tail(name));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let kept = self.children.is_empty();
        for (_, child) in self.children.iter_mut().rev() {
            terminate(child);
        }
        if !kept {
            let _ = fs::remove_dir_all(postgres_dir(&self.instance));
        }
    }
}

/// The folder of an instance's database, which its server's user must be able to reach.
pub fn postgres_dir(instance: &str) -> PathBuf {
    std::env::temp_dir().join(format!("weir-{instance}-postgres"))
}

fn terminate(child: &mut Child) {
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT);
    for _ in 0..300 {
        if child.try_wait().ok().flatten().is_some() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Where Debian keeps the newest PostgreSQL's programs.
pub fn programs() -> Result<PathBuf> {
    let folder = Path::new("/usr/lib/postgresql");
    let versions = fs::read_dir(folder).context("looking for PostgreSQL in /usr/lib/postgresql")?;
    let numbers = versions.flatten().filter_map(|one| one.file_name().to_str()?.parse().ok());
    let newest: u32 = numbers.max().context("no PostgreSQL in /usr/lib/postgresql")?;
    Ok(folder.join(newest.to_string()).join("bin"))
}

/// PostgreSQL refuses to run as root.
fn as_nobody(program: &Path) -> Command {
    let mut command = shell::program("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
    command.current_dir("/");
    command
}

fn chown(path: &Path) -> Result<()> {
    shell::quietly(shell::words("chown", ["nobody:nogroup"]).arg(path))
}

/// A loopback address whose port 5432 is free.
fn free_address() -> Result<String> {
    for third in 0..=255u8 {
        let address = format!("127.88.{third}.5");
        if TcpListener::bind((address.as_str(), 5432)).is_ok() {
            return Ok(address);
        }
    }
    bail!("port 5432 is taken on every loopback address: a server listens on 0.0.0.0:5432")
}

fn secret() -> Result<String> {
    let mut bytes = [0u8; 16];
    let mut source = fs::File::open("/dev/urandom").context("opening /dev/urandom")?;
    std::io::Read::read_exact(&mut source, &mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
