//! The name under which a session stands in the target's own logs and in `pg_stat_activity`: the
//! client's `application_name`, and behind it who is asking. It informs and proves nothing, for SQL
//! may set another.

use weir_model::SessionId;

/// The setting.
pub const SETTING: &[u8] = b"application_name";
/// What the server keeps of a name (`NAMEDATALEN - 1`).
const NAME_BYTES: usize = 63;
/// What is kept of an agent's name.
const AGENT_BYTES: usize = 24;
/// The last letters of a session, which are random ones.
const SESSION_LETTERS: usize = 8;

/// Whether a start-up parameter is the setting; their names have no case.
pub fn is_setting(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(SETTING)
}

/// A client's own name, and the same with the stamp.
pub struct Stamp {
    own: Vec<u8>,
    stamped: Vec<u8>,
}

impl Stamp {
    /// Stamps the name that a client chose.
    pub fn new(chosen: &[u8], agent: &str, session: SessionId) -> Self {
        let own: Vec<u8> = chosen.iter().map(|byte| clean(*byte)).take(NAME_BYTES).collect();
        let session = session.text();
        let from = session.len().saturating_sub(SESSION_LETTERS);
        let agent: String = agent.chars().map(plain).take(AGENT_BYTES).collect();
        let mark = format!("weir:{agent}/{}", session.get(from..).unwrap_or_default());
        let room = NAME_BYTES.saturating_sub(mark.len() + 1);
        let mut stamped: Vec<u8> = own.iter().copied().take(room).collect();
        if !stamped.is_empty() {
            stamped.push(b' ');
        }
        stamped.extend_from_slice(mark.as_bytes());
        Self { own, stamped }
    }

    /// What the target is told.
    pub fn stamped(&self) -> &[u8] {
        &self.stamped
    }

    /// What the client is told of a setting when it starts: its own name, not the stamp.
    pub fn told<'a>(&'a self, name: &[u8], value: &'a [u8]) -> &'a [u8] {
        if is_setting(name) && value == self.stamped { &self.own } else { value }
    }
}

/// What the server makes of a byte that is not printable ASCII, in the versions before 16.
fn clean(byte: u8) -> u8 {
    if matches!(byte, b' '..=b'~') { byte } else { b'?' }
}

fn plain(letter: char) -> char {
    let stays = letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '@');
    if stays { letter } else { '-' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chosen: &str, agent: &str, stamped: &str, own: &str) {
        let session = SessionId::from_parts(1, 0x1_2345_6789);
        let stamp = Stamp::new(chosen.as_bytes(), agent, session);
        assert_eq!(String::from_utf8_lossy(stamp.stamped()), stamped);
        assert_eq!(stamp.told(SETTING, stamp.stamped()), own.as_bytes());
        assert_eq!(stamp.told(SETTING, b"other"), b"other");
        assert_eq!(stamp.told(b"TimeZone", stamp.stamped()), stamp.stamped());
    }

    #[test]
    fn a_name_is_kept_in_front_as_far_as_there_is_room() {
        let session = SessionId::from_parts(1, 0x1_2345_6789).text();
        assert!(session.ends_with("04HMASW9"), "{session}");
        check("psql", "coder", "psql weir:coder/04HMASW9", "psql");
        check("", "coder", "weir:coder/04HMASW9", "");
        check("caf\u{e9}\n", "a/b c'", "caf??? weir:a-b-c-/04HMASW9", "caf???");
        let long = "x".repeat(80);
        let (front, agent) = ("x".repeat(24), "y".repeat(24));
        let own = "x".repeat(63);
        check(&long, &"y".repeat(99), &format!("{front} weir:{agent}/04HMASW9"), &own);
    }
}
