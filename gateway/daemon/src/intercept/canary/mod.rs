//! The canary: a process in a bound cgroup of its own that tries every known way around, against
//! sockets on loopback that its own parent opened. Nothing that it sends may arrive there: all that
//! leaves its cgroup is redirected to the gateway, which knows no session for it and refuses.

pub mod attempts;

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use attempts::{ATTEMPTS, Attempt, Said, Victims};

use super::cgroup;

/// What an outcome begins with where the way is closed.
pub const HOLDS: &str = "holds";
/// How long something that got through may take to arrive.
const ARRIVAL: Duration = Duration::from_millis(20);

/// The child and the sockets that it must not reach.
#[derive(Debug)]
pub struct Canary {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    sockets: Sockets,
}

#[derive(Debug)]
struct Sockets {
    tcp: Vec<TcpListener>,
    udp: Vec<UdpSocket>,
    victims: Victims,
}

impl Canary {
    /// Starts the child, which waits; `program` is the `weir` binary.
    ///
    /// # Errors
    /// It can't be started, or nothing can be bound on loopback.
    pub fn start(program: &Path) -> io::Result<Self> {
        let sockets = Sockets::open()?;
        let mut child = Command::new(program)
            .arg("__canary")
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("its pipes are missing"));
        };
        Ok(Self { child, input, output: BufReader::new(output), sockets })
    }

    /// The child, to be put into its cgroup.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it try everything; it has to be in its cgroup `leaf`. Blocks for less than a second, at
    /// most for a few.
    ///
    /// # Errors
    /// The child died, so nothing is known.
    pub fn run(mut self, leaf: &Path) -> io::Result<BTreeMap<String, String>> {
        let plan = serde_json::to_string(&self.sockets.victims)?;
        writeln!(self.input, "{plan}")?;
        let mut found = BTreeMap::new();
        for attempt in ATTEMPTS {
            let outcome = self.try_one(*attempt, leaf)?;
            found.insert(attempt.name().to_owned(), outcome);
        }
        Ok(found)
    }

    fn try_one(&mut self, attempt: Attempt, leaf: &Path) -> io::Result<String> {
        if attempt == Attempt::NestedCgroup {
            let nested = leaf.join("nested");
            if let Err(error) =
                cgroup::ensure(&nested).and_then(|()| cgroup::enter(&nested, self.pid()))
            {
                return Ok(format!("unknown: {error}"));
            }
        }
        writeln!(self.input, "{}", attempt.name())?;
        let said = self.read()?;
        if let Said::Listening { port } = said {
            return Ok(called(port));
        }
        if self.sockets.reached() {
            return Ok(format!("violated: it arrived ({said})"));
        }
        Ok(match said {
            Said::Refused { .. } | Said::Sent => HOLDS.to_owned(),
            Said::Open { what } if attempt.is_closed_by_programs() => format!("violated: {what}"),
            Said::Open { what } => format!("open: {what}"),
            Said::NotTried { why } => format!("unknown: {why}"),
            Said::Listening { .. } => "unknown: it listens".to_owned(),
        })
    }

    fn read(&mut self) -> io::Result<Said> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(io::Error::other("the canary died"));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        // It may be gone already; either way it is waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An outsider calls the server inside, and must not be answered.
fn called(port: u16) -> String {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, ARRIVAL * 5) else {
        return HOLDS.to_owned();
    };
    let answered = stream
        .set_read_timeout(Some(ARRIVAL * 5))
        .and_then(|()| stream.read(&mut [0; 16]))
        .is_ok_and(|count| count > 0);
    if answered { "violated: it answered an outsider".to_owned() } else { HOLDS.to_owned() }
}

impl Sockets {
    fn open() -> io::Result<Self> {
        let tcp4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let udp4 = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        // A host may have no IPv6; then these ways do not exist.
        let tcp6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok();
        let udp6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).ok();
        let port = |address: io::Result<SocketAddr>| address.map(|address| address.port());
        let victims = Victims {
            tcp4: port(tcp4.local_addr())?,
            udp4: port(udp4.local_addr())?,
            tcp6: tcp6.as_ref().map(|socket| port(socket.local_addr())).transpose()?,
            udp6: udp6.as_ref().map(|socket| port(socket.local_addr())).transpose()?,
        };
        let tcp: Vec<TcpListener> = std::iter::once(tcp4).chain(tcp6).collect();
        let udp: Vec<UdpSocket> = std::iter::once(udp4).chain(udp6).collect();
        tcp.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        udp.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        Ok(Self { tcp, udp, victims })
    }

    /// Whether anything has arrived.
    fn reached(&self) -> bool {
        let arrived = || {
            let tcp = self.tcp.iter().any(|socket| socket.accept().is_ok());
            tcp || self.udp.iter().any(|socket| socket.recv(&mut [0; 64]).is_ok())
        };
        arrived() || {
            std::thread::sleep(ARRIVAL);
            arrived()
        }
    }
}
