//! A target that lies: it speaks as much PostgreSQL as a login takes, and then says what the test wants.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What it does with a connection, after the client's start-up packet.
type Script = dyn Fn(&mut Conversation) -> std::io::Result<()> + Send + Sync;

/// A target that lies, on a port of its own of the loopback address.
pub struct Liar {
    /// The port.
    pub port: u16,
}

/// A connection to it.
pub struct Conversation(TcpStream);

/// One message: type, length, body.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

/// A RowDescription of text columns: their names, and the tables and numbers that they come from.
pub fn description(columns: &[(&str, u32, i16)]) -> Vec<u8> {
    let mut body = u16::try_from(columns.len()).expect("few").to_be_bytes().to_vec();
    for (name, table, column) in columns {
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        body.extend_from_slice(&table.to_be_bytes());
        body.extend_from_slice(&column.to_be_bytes());
        body.extend_from_slice(&25u32.to_be_bytes());
        body.extend_from_slice(&[0xff; 6]);
        body.extend_from_slice(&[0, 0]);
    }
    message(b'T', &body)
}

/// A DataRow.
pub fn row(cells: &[&str]) -> Vec<u8> {
    let mut body = u16::try_from(cells.len()).expect("few").to_be_bytes().to_vec();
    for cell in cells {
        body.extend_from_slice(&u32::try_from(cell.len()).expect("short").to_be_bytes());
        body.extend_from_slice(cell.as_bytes());
    }
    message(b'D', &body)
}

/// A CommandComplete.
pub fn complete(tag: &str) -> Vec<u8> {
    message(b'C', &[tag.as_bytes(), b"\0"].concat())
}

/// A ReadyForQuery.
pub fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// What the gateway asks for a catalogue is answered as if nothing stood behind the target's names; its columns are
/// those of the four results that are given. `None` is another query.
fn catalogue(text: &str, columns: &dyn Fn() -> Vec<u8>) -> Option<Vec<u8>> {
    let none = |count| complete("SELECT 0").repeat(count);
    if text.contains("pg_aggregate") {
        let sees = [row(&["liar 1", ""]), complete("SELECT 1")].concat();
        return Some([none(2), sees, none(10), columns(), ready()].concat());
    }
    if text.starts_with("select p.proname") {
        let function = row(&["lower", "870", "internal", "i", "f"]);
        return Some([function, complete("SELECT 1"), ready()].concat());
    }
    (text == "commit").then(|| [complete("COMMIT"), ready()].concat())
}

impl Liar {
    /// Starts one; each connection has a thread.
    pub fn start(
        script: impl Fn(&mut Conversation) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let script: Arc<Script> = Arc::new(script);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = script.clone();
                std::thread::spawn(move || {
                    let mut conversation = Conversation(stream);
                    // That the gateway hangs up is what most scripts end with.
                    if conversation.start().is_ok() {
                        let _ = script(&mut conversation);
                    }
                });
            }
        });
        Self { port }
    }

    /// One that logs in whoever comes, and answers each query as the test says.
    pub fn answering(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with_columns(|| complete("SELECT 0").repeat(4), answer)
    }

    /// The same, with the columns that its catalogue has.
    pub fn with_columns(
        columns: impl Fn() -> Vec<u8> + Send + Sync + 'static,
        answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::start(move |conversation| {
            conversation.log_in()?;
            loop {
                let (tag, body) = conversation.read()?;
                let text = String::from_utf8_lossy(&body).into_owned();
                let asked = text.trim_end_matches('\0');
                match tag {
                    b'Q' => {
                        let known = catalogue(asked, &columns);
                        conversation.say(&known.unwrap_or_else(|| answer(asked)))?
                    }
                    b'X' => return Ok(()),
                    // The extended protocol is answered as one text, when it is synced.
                    b'P' => {
                        conversation.say(&answer(text.split('\0').nth(1).unwrap_or_default()))?
                    }
                    _ => {}
                }
            }
        })
    }

    /// Its `[[target]]`, `liar.test`.
    pub fn target(&self) -> String {
        format!(
            "[[target]]\nname = \"liar\"\nprotocol = \"postgres\"\nhosts = [\"liar.test\"]\n\
             addresses = [\"127.0.0.1\"]\nport = {}\ntls = {{ mode = \"off\" }}\n\
             credential = \"orders\"\n",
            self.port
        )
    }
}

impl Conversation {
    fn start(&mut self) -> std::io::Result<()> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length).saturating_sub(4);
        self.0.read_exact(&mut vec![0; length as usize])
    }

    /// Sends bytes.
    pub fn say(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Reads one message: its type and body.
    pub fn read(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head)?;
        let [tag, length @ ..] = head;
        let mut body = vec![0; u32::from_be_bytes(length).saturating_sub(4) as usize];
        self.0.read_exact(&mut body)?;
        Ok((tag, body))
    }

    /// Lets the client in.
    pub fn log_in(&mut self) -> std::io::Result<()> {
        let settings = [
            message(b'R', &[0; 4]),
            message(b'S', b"client_encoding\0UTF8\0"),
            message(b'S', b"standard_conforming_strings\0on\0"),
            message(b'K', &[0, 0, 0, 7, 1, 2, 3, 4]),
            ready(),
        ];
        self.say(&settings.concat())
    }
}
