//! A valid conversation, changed as the input says: reaches further than bytes at random.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::WireError;
use crate::fuzz::{messages, one, round_trips};
use crate::postgres::rows::Field;
use crate::postgres::{ErrorFields, Kind, Severity, Side, Transaction, build, refuse};

/// How many changes one input makes.
const CHANGES: usize = 64;

static CLIENT: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| written(client(), Side::Client));
static TARGET: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| written(target(), Side::Target));

/// A message as it was written, or one that was changed.
type Message = Cow<'static, [u8]>;

/// Reads the input as changes of five bytes each: which message, what to do and in which direction, where
/// (two bytes), and a value; makes them, and reads what comes out, one after the other and each alone.
pub fn conversation(data: &[u8]) {
    let mut directions = [whole(&CLIENT), whole(&TARGET)];
    for change in data.as_chunks::<5>().0.iter().take(CHANGES) {
        let [client, target] = &mut directions;
        apply(*change, if change[1] < 128 { client } else { target });
    }
    let [client, target] = directions;
    read(&client, &CLIENT, Side::Client);
    read(&target, &TARGET, Side::Target);
}

/// Reads from the first change on: what is before it was read when it was written.
fn read(list: &[Message], whole: &[Vec<u8>], side: Side) {
    let same = list.iter().zip(whole).take_while(|(now, was)| *now == *was).count();
    let changed = list.get(same..).unwrap_or_default().concat();
    messages(&changed, side, |message, side| {
        round_trips(message, side);
    });
    for message in list {
        if let Cow::Owned(message) = message {
            messages(message, side, one);
        }
    }
}

fn whole(list: &'static [Vec<u8>]) -> Vec<Message> {
    list.iter().map(|message| Cow::Borrowed(message.as_slice())).collect()
}

fn written(made: Result<Vec<Vec<u8>>, WireError>, side: Side) -> Vec<Vec<u8>> {
    assert!(made.is_ok(), "the conversation could not be written");
    let list = made.unwrap_or_default();
    assert_eq!(messages(&list.concat(), side, one), list.len());
    list
}

fn apply([which, what, high, low, value]: [u8; 5], list: &mut Vec<Message>) {
    let which = usize::from(which) % list.len().max(1);
    let Some(kept) = list.get_mut(which) else {
        return;
    };
    let at = usize::from(u16::from_be_bytes([high, low])) % kept.len().max(1);
    if what % 8 == 7 {
        let copy = kept.clone();
        if list.len() < 2 * CHANGES {
            list.insert(usize::from(value) % (list.len() + 1), copy);
        }
        return;
    }
    let message = kept.to_mut();
    match what % 8 {
        0 => set(message, at, value),
        1 => message.insert(at, value),
        2 => remove(message, at),
        3 => message.truncate(at),
        // The same three again with the length made right, so that the body's reader is reached.
        4 => {
            message.insert(at.max(5).min(message.len()), value);
            mend(message);
        }
        5 => {
            remove(message, at.max(5));
            mend(message);
        }
        _ => {
            message.truncate(at.max(5));
            mend(message);
        }
    }
}

fn set(message: &mut [u8], at: usize, value: u8) {
    if let Some(byte) = message.get_mut(at) {
        *byte = value;
    }
}

fn remove(message: &mut Vec<u8>, at: usize) {
    if at < message.len() {
        message.remove(at);
    }
}

/// Makes the length field say what is there.
fn mend(message: &mut [u8]) {
    let length = (message.len() as u32).saturating_sub(1);
    if let Some(place) = message.get_mut(1..5) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

fn client() -> Result<Vec<Vec<u8>>, WireError> {
    let mut list = Messages::default();
    list.add(|out| build::password(b"secret", out))?;
    list.add(|out| build::sasl_initial(b"SCRAM-SHA-256", b"n,,n=,r=abc", out))?;
    list.add(|out| build::query(b"SELECT 1; SELECT 2", out))?;
    list.add(|out| build::parse(b"s", b"SELECT $1, $2", [23, 0], out))?;
    let parameters = [Some(b"1".as_slice()), None, Some(b"")];
    list.add(|out| build::bind(b"p", b"s", [0, 1, 0], parameters, [1], out))?;
    list.add(|out| build::describe(Kind::Portal, b"p", out))?;
    list.add(|out| build::execute(b"p", 100, out))?;
    list.add(|out| build::close(Kind::Statement, b"s", out))?;
    list.add(|out| build::copy_data(b"1\tann\n", out))?;
    list.add(|out| build::copy_fail(b"changed my mind", out))?;
    list.add(refuse::substitute_query)?;
    list.add(|out| refuse::substitute_parse(b"s", [25], out))?;
    list.add(refuse::substitute_execute)?;
    for write in [
        refuse::substitute_function_call,
        build::flush,
        build::copy_done,
        build::sync,
        build::terminate,
    ] {
        list.add(|out| {
            write(out);
            Ok(())
        })?;
    }
    Ok(list.0)
}

fn target() -> Result<Vec<Vec<u8>>, WireError> {
    let mut list = Messages::default();
    list.add(|out| build::negotiate_protocol_version(0, [b"_pq_.x".as_slice()], out))?;
    list.add(|out| build::parameter_status(b"TimeZone", b"UTC", out))?;
    list.add(|out| build::backend_key_data(7, &[1; 32], out))?;
    let field = Field {
        name: b"email",
        table: 16_384,
        column: 2,
        type_oid: 25,
        type_len: -1,
        type_mod: -1,
        format: 0,
    };
    list.add(|out| build::row_description([field, Field { table: 0, column: 0, ..field }], out))?;
    list.add(|out| build::data_row([Some(b"a@b.c".as_slice()), None], out))?;
    list.add(|out| build::data_row([], out))?;
    list.add(|out| build::command_complete(b"INSERT 0 5", out))?;
    list.add(|out| build::notification(7, b"jobs", b"1", out))?;
    list.add(|out| build::copy_data(b"1\tann\n", out))?;
    let fields = ErrorFields {
        severity: Severity::Error,
        code: refuse::CODE,
        message: "no".to_owned(),
        detail: Some("rule a".to_owned()),
        hint: None,
    };
    list.add(|out| {
        build::authentication_ok(out);
        Ok(())
    })?;
    list.add(|out| {
        build::error_response(&fields, out);
        Ok(())
    })?;
    list.add(|out| {
        build::notice(&fields, out);
        Ok(())
    })?;
    list.add(|out| {
        build::ready_for_query(Transaction::Failed, out);
        Ok(())
    })?;
    Ok(list.0)
}

#[derive(Default)]
struct Messages(Vec<Vec<u8>>);

impl Messages {
    fn add(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let mut message = Vec::new();
        write(&mut message)?;
        self.0.push(message);
        Ok(())
    }
}
