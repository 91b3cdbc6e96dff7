//! What interception costs the kernel and the connection: as root, in release mode,
//! `cargo run --release -p weir --example interception`. Prints Markdown.
//!
//! The proxy here does what each flow needs and nothing else: accept, ask the kernel who it is, dial
//! the target, relay. Policy and record are measured by `cargo xtask bench`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::unreachable)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use weir::intercept::{Bound, FactsReader, Interceptor, Options};

const ROUNDS: usize = 5_000;
const BINDINGS: u64 = 500;
const STORM: Duration = Duration::from_secs(10);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, mode, to] = arguments.as_slice() {
        return client(mode, to.parse().unwrap());
    }
    settle();
    let options = Options { instance: format!("bench{}", std::process::id()), bpffs: None };
    let target = echo();
    let before = Program::start("connects", target).go();
    let mut interceptor = Interceptor::start(&options).unwrap();
    let bound = interceptor.bind(1, "agent").unwrap();
    let mut listeners = interceptor.listen(std::process::id(), 2).unwrap().unwrap();
    for listener in listeners.tcp.drain(..) {
        listener.set_nonblocking(false).unwrap();
        let (facts, target) = (interceptor.facts(), target);
        std::thread::spawn(move || proxy(&listener, &facts, target));
    }
    let unbound = Program::start("connects", target).go();
    let through = Program::start("connects", target).inside(&interceptor, &bound).go();
    let direct = Program::start("own", target).inside(&interceptor, &bound).go();
    println!("## One connect and the first byte's way there and back\n");
    println!("{ROUNDS} in a row, one client, microseconds.\n");
    println!("| path | p50 | p90 | p99 |\n|---|---|---|---|");
    println!("| unbound, no interceptor | {before} |");
    println!("| unbound, interceptor running | {unbound} |");
    println!("| bound, by way of a proxy that accepts and dials | {through} |");
    println!("| bound, to a server of the same binding | {direct} |");
    bulk(&interceptor, &bound, target);
    interceptor.retire().unwrap();
    storm(&options);
    many(&options);
}

/// The gateway's programs are attached to its cgroup, which must not be the root.
fn settle() {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).expect("cgroup v2");
    let own = format!("{}/weir-bench", mount.split(' ').nth(4).unwrap());
    let _ = std::fs::create_dir(&own);
    std::fs::write(format!("{own}/cgroup.procs"), std::process::id().to_string()).unwrap();
}

/// This program again, as a client that waits to be let go.
struct Program(Child);

impl Program {
    fn start(mode: &str, to: SocketAddr) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([mode, &to.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn inside(self, interceptor: &Interceptor, bound: &Bound) -> Self {
        interceptor.enter(bound, self.0.id()).unwrap();
        self
    }

    fn go(mut self) -> String {
        drop(self.0.stdin.take());
        let mut said = String::new();
        BufReader::new(self.0.stdout.take().unwrap()).read_to_string(&mut said).unwrap();
        assert!(self.0.wait().unwrap().success());
        said.trim().to_owned()
    }
}

fn client(mode: &str, to: SocketAddr) {
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
    match mode {
        "connects" => println!("{}", connects(to)),
        "own" => println!("{}", connects(echo())),
        "bulk" => println!("{:.1}", gigabytes()),
        "storm" => println!("{}", hail(to)),
        _ => unreachable!("modes are this file's own"),
    }
}

fn connects(to: SocketAddr) -> String {
    let mut times: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            let mut stream = TcpStream::connect(to).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.write_all(b"x").unwrap();
            stream.read_exact(&mut [0]).unwrap();
            began.elapsed().as_micros()
        })
        .collect();
    times.sort_unstable();
    let part = |percent: usize| times[times.len() * percent / 100];
    format!("{} | {} | {}", part(50), part(90), part(99))
}

/// Echoes one byte and closes first, so that clients keep their ports.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut byte = [0];
            let _ = stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte));
        }
    });
    address
}

fn proxy(listener: &TcpListener, facts: &FactsReader, target: SocketAddr) {
    for mut client in listener.incoming().flatten() {
        let found = facts.flow(client.as_fd()).unwrap().expect("attributed");
        assert_eq!(found.original, target);
        let mut server = TcpStream::connect(found.original).unwrap();
        server.set_nodelay(true).unwrap();
        let mut byte = [0];
        let _ = client
            .read_exact(&mut byte)
            .and_then(|()| server.write_all(&byte))
            .and_then(|()| server.read_exact(&mut byte))
            .and_then(|()| client.write_all(&byte));
    }
}

/// Gigabytes per second between two threads on loopback.
fn gigabytes() -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let (block, blocks) = (1 << 20, 8 << 10);
    let sender = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(to).unwrap();
        let data = vec![7_u8; block];
        (0..blocks).for_each(|_| stream.write_all(&data).unwrap());
    });
    let (mut stream, _) = listener.accept().unwrap();
    let (began, mut buffer, mut total) = (Instant::now(), vec![0; block], 0);
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        total += count;
    }
    sender.join().unwrap();
    total as f64 / began.elapsed().as_secs_f64() / 1e9
}

fn bulk(interceptor: &Interceptor, bound: &Bound, unused: SocketAddr) {
    let mut rates: Vec<[String; 2]> = Vec::new();
    for _ in 0..3 {
        let unbound = Program::start("bulk", unused).go();
        rates.push([unbound, Program::start("bulk", unused).inside(interceptor, bound).go()]);
    }
    println!("\n## Loopback within a binding\n\n8 GiB in writes of 1 MiB, GB/s, three rounds.\n");
    println!("| unbound | bound |\n|---|---|");
    rates.iter().for_each(|[unbound, bound]| println!("| {unbound} | {bound} |"));
}

/// Connects from four threads, as fast as the listeners take them.
fn hail(to: SocketAddr) -> u64 {
    let until = Instant::now() + STORM;
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let mut count = 0;
                while Instant::now() < until {
                    let mut stream = TcpStream::connect(to).unwrap();
                    let _ = stream.read(&mut [0]);
                    count += 1;
                }
                count
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}

fn storm(options: &Options) {
    let mut interceptor = Interceptor::start(options).unwrap();
    let bound = interceptor.bind(1, "agent").unwrap();
    let mut listeners = interceptor.listen(std::process::id(), 2).unwrap().unwrap();
    let known = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    for listener in listeners.tcp.drain(..) {
        listener.set_nonblocking(false).unwrap();
        let (facts, known, stop) = (interceptor.facts(), known.clone(), stop.clone());
        threads.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let (stream, _) = listener.accept().unwrap();
                let found = facts.flow(stream.as_fd()).unwrap();
                known.fetch_add(u64::from(found.is_some()), Ordering::Relaxed);
            }
        }));
    }
    let to = "192.0.2.1:443".parse().unwrap();
    let made: u64 = Program::start("storm", to).inside(&interceptor, &bound).go().parse().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let known = known.load(Ordering::Relaxed);
    let counters = interceptor.named_counters(1).unwrap();
    println!("\n## Connects per second\n");
    println!(
        "{:.0} a second for {} s from 4 threads to 2 accepting ones, all on {} CPUs: {made} made, \
         {} published, {known} attributed, {} failures to publish.",
        made as f64 / STORM.as_secs_f64(),
        STORM.as_secs(),
        std::thread::available_parallelism().unwrap(),
        counters["published"],
        counters["publish_failed"],
    );
    assert_eq!(made, known);
    stop.store(true, Ordering::Relaxed);
    interceptor.retire().unwrap();
}

fn available() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find(|line| line.starts_with("MemAvailable")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn many(options: &Options) {
    let mut interceptor = Interceptor::start(options).unwrap();
    let mut times = Vec::new();
    let before = available();
    for id in 1..=BINDINGS {
        let began = Instant::now();
        interceptor.bind(id, &format!("agent-{id}")).unwrap();
        times.push(began.elapsed().as_micros());
    }
    let used = before.saturating_sub(available());
    let total: u128 = times.iter().sum();
    times.sort_unstable();
    println!("\n## {BINDINGS} bindings\n");
    println!(
        "{:.1} s in all, {:.1} ms each at the median, {:.1} ms at the 99th percentile; {} KiB of \
         memory each.",
        total as f64 / 1e6,
        times[times.len() / 2] as f64 / 1e3,
        times[times.len() * 99 / 100] as f64 / 1e3,
        used / BINDINGS,
    );
    interceptor.retire().unwrap();
}
