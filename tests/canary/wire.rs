//! A client that keeps every byte it is sent.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};

/// How a statement is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Simple,
    /// Parse, Bind, Describe, Execute, with one format for all columns.
    Extended {
        binary: bool,
    },
    /// Prepared without Describe, executed in text, then in binary.
    Twice,
    /// Read two rows at a time.
    Pieces {
        binary: bool,
    },
}

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Rows, or COPY data.
    Rows,
    /// It ran and had none.
    Done,
    /// By Weir.
    Refused,
    /// By the server.
    Failed,
    /// The connection is gone.
    Lost,
}

/// All that came until the server was ready again.
pub struct Answer {
    pub bytes: Vec<u8>,
    pub outcome: Outcome,
}

impl Answer {
    fn messages(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let length = u32::from_be_bytes(rest.get(1..5)?.try_into().ok()?) as usize;
            let message = (rest[0], rest.get(5..=length)?);
            rest = &rest[length + 1..];
            Some(message)
        })
    }

    /// The cells of each column, one after the other.
    pub fn columns(&self) -> Vec<Vec<u8>> {
        let mut columns: Vec<Vec<u8>> = Vec::new();
        for (_, body) in self.messages().filter(|(tag, _)| *tag == b'D') {
            let mut rest = body.get(2..).unwrap_or_default();
            let mut at = 0;
            while let Some((length, cells)) = rest.split_first_chunk::<4>() {
                let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
                if columns.len() <= at {
                    columns.push(Vec::new());
                }
                columns[at].extend_from_slice(cells.get(..length).unwrap_or_default());
                rest = cells.get(length..).unwrap_or_default();
                at += 1;
            }
        }
        columns
    }

    /// The rule by which Weir refused it.
    pub fn rule(&self) -> Option<String> {
        let (_, body) = self.messages().find(|(tag, _)| *tag == b'E')?;
        let text = String::from_utf8_lossy(body);
        let rule = text.split_once("rule ")?.1;
        Some(rule.split_once(", policy")?.0.to_owned())
    }

    fn judge(&mut self) {
        let mut outcome = Outcome::Done;
        for (tag, body) in self.messages() {
            match tag {
                b'D' | b'd' if outcome == Outcome::Done => outcome = Outcome::Rows,
                b'E' => {
                    let refused = body.windows(7).any(|field| field == b"C42501\0");
                    let by_weir = refused && body.windows(6).any(|field| field == b"policy");
                    outcome = if by_weir { Outcome::Refused } else { Outcome::Failed };
                }
                _ => {}
            }
        }
        self.outcome = outcome;
    }
}

pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

fn message(tag: u8, body: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = body.iter().map(|part| part.len()).sum();
    out.push(tag);
    out.extend_from_slice(&(length as u32 + 4).to_be_bytes());
    body.iter().for_each(|part| out.extend_from_slice(part));
}

impl Client {
    /// Connects and logs in; `password` is for a server that asks for one.
    pub fn connect(address: &str, user: &str, database: &str, password: &str) -> Result<Self> {
        let stream =
            TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let mut client = Self { stream, unread: Vec::new() };
        let body = format!("user\0{user}\0database\0{database}\0\0");
        let mut start = (body.len() as u32 + 8).to_be_bytes().to_vec();
        start.extend_from_slice(&196_608_u32.to_be_bytes());
        start.extend_from_slice(body.as_bytes());
        client.stream.write_all(&start)?;
        client.log_in(password)?;
        Ok(client)
    }

    fn log_in(&mut self, password: &str) -> Result<()> {
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let (tag, body) = self.next()?;
            let mut reply = Vec::new();
            match (tag, body.first_chunk::<4>().map(|kind| u32::from_be_bytes(*kind))) {
                (b'R', Some(10)) => {
                    let first = scram.message();
                    let length = (first.len() as u32).to_be_bytes();
                    let body: [&[u8]; 4] = [SCRAM_SHA_256.as_bytes(), b"\0", &length, first];
                    message(b'p', &body, &mut reply);
                }
                (b'R', Some(11)) => {
                    scram.update(&body[4..])?;
                    message(b'p', &[scram.message()], &mut reply);
                }
                (b'R', Some(12)) => scram.finish(&body[4..])?,
                (b'E', _) => bail!("log-in failed: {}", String::from_utf8_lossy(&body)),
                (b'Z', _) => return Ok(()),
                _ => {}
            }
            self.stream.write_all(&reply)?;
        }
    }

    /// Reads a message.
    fn next(&mut self) -> Result<(u8, Vec<u8>)> {
        loop {
            if let Some(head) = self.unread.first_chunk::<5>() {
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize + 1;
                if self.unread.len() >= length {
                    let tag = head[0];
                    let body = self.unread[5..length].to_vec();
                    self.unread.drain(..length);
                    return Ok((tag, body));
                }
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk)? {
                0 => bail!("closed"),
                read => self.unread.extend_from_slice(&chunk[..read]),
            }
        }
    }

    /// Sends a statement and takes all that comes for it.
    pub fn ask(&mut self, sql: &str, way: Way) -> Answer {
        let mut out = Vec::new();
        match way {
            Way::Simple => message(b'Q', &[sql.as_bytes(), b"\0"], &mut out),
            Way::Extended { binary } => {
                message(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"], &mut out);
                bind(b"", binary, &mut out);
                message(b'D', &[b"P\0"], &mut out);
                message(b'E', &[b"\0\0\0\0\0"], &mut out);
                message(b'S', &[], &mut out);
            }
            Way::Twice => {
                message(b'C', &[b"Stwice\0"], &mut out);
                message(b'P', &[b"twice\0", sql.as_bytes(), b"\0\0\0"], &mut out);
                for binary in [false, true] {
                    bind(b"twice", binary, &mut out);
                    message(b'E', &[b"\0\0\0\0\0"], &mut out);
                }
                message(b'S', &[], &mut out);
            }
            Way::Pieces { binary } => {
                message(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"], &mut out);
                bind(b"", binary, &mut out);
                for _ in 0..3 {
                    message(b'E', &[b"\0\0\0\0\x02"], &mut out);
                }
                message(b'S', &[], &mut out);
            }
        }
        let mut answer = Answer { bytes: Vec::new(), outcome: Outcome::Lost };
        if self.stream.write_all(&out).is_ok() {
            self.until_ready(&mut answer);
        }
        answer
    }

    fn until_ready(&mut self, answer: &mut Answer) {
        loop {
            let Ok((tag, body)) = self.next() else {
                answer.bytes.extend_from_slice(&self.unread);
                return;
            };
            message(tag, &[&body], &mut answer.bytes);
            if tag == b'G' {
                let mut fail = Vec::new();
                message(b'f', &[b"no\0"], &mut fail);
                if self.stream.write_all(&fail).is_err() {
                    return;
                }
            }
            if tag == b'Z' {
                return answer.judge();
            }
        }
    }
}

fn bind(statement: &[u8], binary: bool, out: &mut Vec<u8>) {
    let format: &[u8] = if binary { b"\0\0\0\0\0\x01\0\x01" } else { b"\0\0\0\0\0\0" };
    message(b'B', &[b"\0", statement, b"\0", format], out);
}
