//! A client of the simple query protocol that takes whatever a statement does: results, COPY both
//! ways, several statements, notifications.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::frontend;
use weir_tests::Postgres;
use weir_tests::postgres::PASSWORD;

/// A connection of the superuser's.
pub struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// What a text led to.
#[derive(Debug, Default)]
pub struct Answer {
    /// The rows of all results.
    pub rows: Vec<Vec<Option<String>>>,
    /// The first error, if it failed.
    pub error: Option<String>,
    /// The state of the transaction afterwards: `I`, `T` or `E`.
    pub status: u8,
    /// Channels that notifications came from.
    pub notified: Vec<String>,
    /// How many commands were completed.
    pub completed: usize,
}

/// What COPY ... FROM STDIN is given: a row that fits the tables of `schema.sql`.
const ROW: &[u8] = b"71\t1\tcopied\n";

impl Client {
    /// Connects, with bounds on how long a statement may take.
    pub fn connect(postgres: &Postgres) -> Self {
        let stream = TcpStream::connect((postgres.address.as_str(), 5432)).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
        let mut client = Self { stream, unread: Vec::new() };
        let parameters = [
            ("user", "postgres"),
            ("database", postgres.database.as_str()),
            (
                "options",
                "-c statement_timeout=20000 -c lock_timeout=250 -c client_min_messages=error",
            ),
        ];
        let mut out = BytesMut::new();
        frontend::startup_message(parameters, &mut out).expect("a start");
        client.send(&out);
        client.log_in();
        client
    }

    fn log_in(&mut self) {
        let mut scram = ScramSha256::new(PASSWORD.as_bytes(), ChannelBinding::unsupported());
        loop {
            let (tag, body) = self.message().expect("a log-in");
            let mut out = BytesMut::new();
            match (tag, body.get(..4).map_or(0, number)) {
                (b'R', 10) => {
                    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut out)
                        .expect("a response");
                }
                (b'R', 11) => {
                    scram.update(&body[4..]).expect("a challenge");
                    frontend::sasl_response(scram.message(), &mut out).expect("a response");
                }
                (b'R', 12) => scram.finish(&body[4..]).expect("the server's proof"),
                (b'Z', _) => return,
                (b'E', _) => panic!("log-in: {}", error(&body)),
                _ => {}
            }
            self.send(&out);
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// The next message; none where the server has hung up.
    fn message(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some(head) = self.unread.get(..5) {
                let length = number(&head[1..]) as usize + 1;
                if self.unread.len() >= length {
                    let message: Vec<u8> = self.unread.drain(..length).collect();
                    return Some((message[0], message[5..].to_vec()));
                }
            }
            let mut piece = [0; 16 * 1024];
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.unread.extend_from_slice(&piece[..length]),
            }
        }
    }

    /// Runs a text as one simple query; nothing if the server hung up or does not answer.
    pub fn run(&mut self, text: &[u8]) -> Option<Answer> {
        let mut out = vec![b'Q'];
        out.extend_from_slice(&(u32::try_from(text.len()).ok()? + 5).to_be_bytes());
        out.extend_from_slice(text);
        out.push(0);
        if self.stream.write_all(&out).is_err() {
            return None;
        }
        let mut answer = Answer::default();
        loop {
            let (tag, body) = self.message()?;
            match tag {
                b'D' => answer.rows.push(row(&body)),
                b'C' => answer.completed += 1,
                b'E' => {
                    answer.error.get_or_insert_with(|| error(&body));
                }
                b'A' => answer.notified.push(text_at(&body, 4)),
                // Asked for data: one row, and its end.
                b'G' => {
                    let mut out = BytesMut::new();
                    let data = frontend::CopyData::new(ROW).expect("a row");
                    data.write(&mut out);
                    frontend::copy_done(&mut out);
                    self.send(&out);
                }
                b'Z' => {
                    answer.status = body.first().copied().unwrap_or_default();
                    return Some(answer);
                }
                _ => {}
            }
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).fold(0, |value, byte| value << 8 | u32::from(*byte))
}

fn text_at(body: &[u8], from: usize) -> String {
    let rest = body.get(from..).unwrap_or_default();
    String::from_utf8_lossy(rest.split(|b| *b == 0).next().unwrap_or_default()).into_owned()
}

/// The message of an error, with its code.
fn error(body: &[u8]) -> String {
    let fields = body.split(|b| *b == 0);
    let field = |name: u8| {
        let found = fields.clone().find(|f| f.first() == Some(&name));
        String::from_utf8_lossy(found.map_or(&[][..], |f| &f[1..])).into_owned()
    };
    format!("{} {}", field(b'C'), field(b'M'))
}

fn row(body: &[u8]) -> Vec<Option<String>> {
    let mut cells = Vec::new();
    let mut rest = body.get(2..).unwrap_or_default();
    while rest.len() >= 4 {
        let length = number(rest) as usize;
        rest = &rest[4..];
        if length == u32::MAX as usize {
            cells.push(None);
            continue;
        }
        let (cell, more) = rest.split_at(length.min(rest.len()));
        cells.push(Some(String::from_utf8_lossy(cell).into_owned()));
        rest = more;
    }
    cells
}
