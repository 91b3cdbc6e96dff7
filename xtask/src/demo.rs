//! The demo: an agent, a database with secrets, an approver and an auditor, told as a short story.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::setup::Part;
use crate::stage::{self, Stage};
use crate::{setup, shell};

/// Arguments of `demo`.
#[derive(clap::Args)]
pub struct Args {
    /// Leave everything running, to play with: see target/demo/env.
    #[arg(long, conflicts_with = "stop")]
    keep: bool,
    /// End a demo that was kept.
    #[arg(long)]
    stop: bool,
}

const HOST: &str = "orders.demo.internal";
const INSTANCE: &str = "demo";
const AGENT: &str = "demo-agent";

const SCHEMA: &str = "
create table customers (id int primary key, name text not null, email text not null unique,
  card text not null, note text);
create table orders (id int primary key, customer int not null references customers,
  total numeric(10,2) not null, placed timestamptz not null default now());
create table carts (id int primary key, customer int not null references customers, items int);
insert into customers select i, 'Customer ' || i, 'customer' || i || '@example.com',
  '4111111111111111', case when i % 4 = 0 then 'prefers mail to customer' || i || '@example.com' end
  from generate_series(1, 100) i;
insert into orders select i, 1 + i % 100, i * 3.5, now() - i * interval '1 hour'
  from generate_series(1, 500) i;
insert into carts select i, 1 + i % 100, i % 7 from generate_series(1, 42) i;
alter table customers owner to app; alter table orders owner to app; alter table carts owner to app;";

const COLUMNS: &str = "[[column]]\ntarget = \"orders\"\ntable = \"public.customers\"\n\
    columns = [\"email\", \"card\"]\nclasses = [\"pii\"]\n";

const STORY: &str = "select subject, agent, verdict, statement from exchanges order by asked_at";

/// Runs the task.
pub fn run(args: &Args) -> Result<()> {
    if args.stop {
        return stop();
    }
    ensure!(shell::is_root(), "Weir attaches eBPF programs: run the demo as root");
    ensure!(!pid_file().exists(), "a demo is kept already: `cargo xtask demo --stop` ends it");
    println!("Preparing: packages, Python's DuckDB, and a build of weir.");
    setup::install(&[Part::Build, Part::Postgres, Part::Python])?;
    shell::run(shell::cargo().args(["build", "--package", "weir"]))?;
    let begin = Instant::now();
    let weir = shell::build_dir().join("debug/weir");
    let mut stage = Stage::new(dir(), weir, INSTANCE, HOST)?;
    let told = tell(&mut stage, args.keep);
    if let Err(error) = told {
        for name in ["gateway", "postgres", "issuer"] {
            eprintln!("--- the end of {name}'s log\n{}", stage.tail(name));
        }
        return Err(error);
    }
    println!("\nThat took {} s after the build.", begin.elapsed().as_secs());
    if args.keep {
        return keep(&mut stage);
    }
    stage.end("gateway");
    Ok(())
}

fn dir() -> PathBuf {
    shell::root().join("target/demo")
}

fn pid_file() -> PathBuf {
    dir().join("pids")
}

fn tell(stage: &mut Stage, keep: bool) -> Result<()> {
    title("The stage: PostgreSQL with customers, an OIDC issuer, the gateway");
    stage.database(SCHEMA)?;
    stage.issuer()?;
    stage.gateway("class = \"disk\"", COLUMNS)?;
    let token = stage.token("alice", &["agents"])?;
    println!(
        "Alice's agent gets a token and no password. It is an unmodified psql, told only the name."
    );

    title("1. A read comes back masked: the agent never sees an email or a card");
    let out =
        agent(stage, &token, "select id, name, email, card from customers order by id limit 3")?;
    ensure!(!out.contains("@example.com"), "a clear value came out");
    agent(stage, &token, "select note from customers where id = 4")?;

    title("2. DROP is refused, in PostgreSQL's own words, and the table is still there");
    let out = agent(stage, &token, "drop table orders")?;
    ensure!(out.contains("rule prod.no-drop"), "the refusal did not come");
    agent(stage, &token, "select count(*) from orders")?;

    title("3. DELETE without WHERE waits in the wire until a human says yes");
    held(stage, &token)?;

    title("4. What happened: sessions, and one of them again as it was");
    show(&mut stage.command(&["sessions"]))?;
    let sessions = shell::capture(&mut stage.command(&["sessions", "--json"]))?;
    let sessions: serde_json::Value =
        serde_json::from_str(&sessions).context("reading sessions")?;
    let newest = sessions.pointer("/0/session").and_then(|id| id.as_str()).context("no session")?;
    show(&mut stage.command(&["replay", newest, "--instant"]))?;

    title("5. The auditor asks the sealed Parquet with DuckDB: who did what?");
    show(&mut stage.command(&["audit", "seal"]))?;
    let views = stage.dir.join("record/views.sql");
    shell::quietly(stage.command(&["audit", "views", "--out"]).arg(&views))?;
    audit(&views)?;
    if !keep {
        println!("\nEverything ends now; `--keep` leaves it running, to play with.");
    }
    Ok(())
}

/// Runs psql as the agent and shows what both said.
fn agent(stage: &Stage, token: &std::path::Path, sql: &str) -> Result<String> {
    println!("\n  agent$ psql -h {HOST} -c \"{sql}\"");
    let words = ["psql", "-X", "-h", HOST, "-P", "pager=off", "-c", sql];
    let output = stage.agent(token, AGENT, &words).output().context("running the agent")?;
    Ok(indented(&output.stdout) + &indented(&output.stderr))
}

fn held(stage: &Stage, token: &std::path::Path) -> Result<()> {
    let sql = "delete from carts";
    println!("\n  agent$ psql -h {HOST} -c \"{sql}\"");
    let mut agent = stage.agent(token, AGENT, &["psql", "-X", "-h", HOST, "-c", sql]);
    let agent = agent.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let begin = Instant::now();
    let hold = loop {
        let listed = shell::capture(&mut stage.command(&["holds", "--json"]))?;
        let listed: serde_json::Value = serde_json::from_str(&listed).context("reading holds")?;
        if let Some(id) = listed.pointer("/0/id").and_then(|id| id.as_str()) {
            break id.to_owned();
        }
        ensure!(begin.elapsed() < Duration::from_secs(20), "the statement was not held");
        std::thread::sleep(Duration::from_millis(100));
    };
    println!("\n  second terminal$ weir holds");
    show(&mut stage.command(&["holds"]))?;
    println!(
        "  nothing has run: {} carts",
        stage.sql(&stage.database, "select count(*) from carts")?.trim()
    );
    println!("\n  second terminal$ weir holds approve {hold}");
    show(stage.command(&["holds", "approve", &hold, "--comment"]).arg("emptying carts is fine"))?;
    let output = agent.wait_with_output()?;
    println!("\n  and the agent goes on:");
    let told = indented(&output.stdout) + &indented(&output.stderr);
    ensure!(told.contains("DELETE 42"), "the approved statement did not run");
    Ok(())
}

/// Asks DuckDB, in the Python environment that setup made.
fn audit(views: &std::path::Path) -> Result<()> {
    let script = "import duckdb, sys\n\
        c = duckdb.connect(); c.execute(open(sys.argv[1]).read())\n\
        c.sql(sys.argv[2]).show(max_width=160, max_rows=40)";
    println!("\n  auditor$ duckdb -c \"{STORY}\"");
    let mut duckdb = shell::program(shell::venv().join("bin/python"));
    show(duckdb.args(["-c", script]).arg(views).arg(STORY))
}

fn show(command: &mut Command) -> Result<()> {
    let output = command.output().context("running a command")?;
    indented(&output.stdout);
    indented(&output.stderr);
    ensure!(output.status.success(), "a command of the story failed: {}", output.status);
    Ok(())
}

/// Prints a text indented, and returns it.
fn indented(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).into_owned();
    for line in text.lines().filter(|line| !line.starts_with("weir: the agent runs as root")) {
        println!("    {line}");
    }
    text
}

fn title(text: &str) {
    println!("\n== {text}");
    let _ = std::io::stdout().flush();
}

/// Leaves everything running and says how to reach it.
fn keep(stage: &mut Stage) -> Result<()> {
    let gateway = stage.pid("gateway").context("the gateway is gone")?;
    let dir = stage.dir.display();
    let text = format!(
        "# Shell variables of the demo that runs: . target/demo/env\n\
         export WEIR={weir}\nexport CONFIG={dir}/weir.toml\nexport TOKEN_FILE={dir}/alice.token\n\
         export RECORD={dir}/record\nexport GATEWAY_PID={gateway}\nexport PGHOST={HOST}\n\
         export PGPORT=5432\nexport PGDATABASE={database}\nexport DIRECT_DSN={direct}\n\
         export WEIR_CONFIG={dir}/weir.toml\nexport WEIR_SOCKET={dir}/control.sock\n\
         export WEIR_RECORD={dir}/record\n",
        weir = stage.weir.display(),
        database = stage.database,
        direct = stage.direct_dsn(),
    );
    let env = stage.dir.join("env");
    fs::write(&env, text).context("writing target/demo/env")?;
    // It holds the superuser's password.
    fs::set_permissions(&env, fs::Permissions::from_mode(0o600))?;
    let pids: Vec<String> = stage.pids().iter().map(u32::to_string).collect();
    fs::write(pid_file(), pids.join("\n")).context("writing target/demo/pids")?;
    stage.keep();
    println!(
        "\nIt goes on. In a shell:\n  . target/demo/env\n  \
         $WEIR run --token-file $TOKEN_FILE -- psql -c 'select * from customers'\n  $WEIR holds\n\
         `cargo xtask demo --stop` ends it."
    );
    Ok(())
}

/// Ends what a kept demo left running; only processes that are still what they were.
fn stop() -> Result<()> {
    let text =
        fs::read_to_string(pid_file()).context("no demo is kept: there is no target/demo/pids")?;
    for pid in text.lines() {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if !matches!(name.trim(), "weir" | "postgres") {
            continue;
        }
        shell::quietly(&mut shell::words("kill", ["-INT", pid]))?;
        let gone = PathBuf::from(format!("/proc/{pid}"));
        for _ in 0..300 {
            if !gone.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    fs::remove_dir_all(stage::postgres_dir(INSTANCE)).ok();
    for name in ["pids", "env"] {
        fs::remove_file(dir().join(name)).ok();
    }
    println!("The demo has ended.");
    Ok(())
}
