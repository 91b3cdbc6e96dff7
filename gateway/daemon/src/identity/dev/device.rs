//! The device flow's book-keeping (RFC 8628): codes that wait for a person.

use std::collections::HashMap;

/// How long a code waits, seconds.
pub const LIFETIME: i64 = 600;
/// Codes that wait at a time.
const PENDING: usize = 256;
/// No vowels, so no words; no characters that look alike.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Codes that wait for a person.
#[derive(Default)]
pub struct Devices {
    pending: HashMap<String, Device>,
}

struct Device {
    client: String,
    scope: String,
    user_code: String,
    expires: i64,
    interval: i64,
    polled: Option<i64>,
    answer: Answer,
}

#[derive(Clone)]
enum Answer {
    Waiting,
    Approved(String),
    Denied,
}

/// What a client learns when it polls.
#[derive(Debug, PartialEq, Eq)]
pub enum Poll {
    /// A person said yes.
    Approved {
        /// Who.
        user: String,
        /// The scope that was asked for.
        scope: String,
    },
    /// Nobody answered yet.
    Pending,
    /// It polls too often.
    SlowDown,
    /// A person said no.
    Denied,
    /// The code waited too long.
    Expired,
    /// There is no such code for this client.
    Unknown,
}

impl Devices {
    /// Notes a new code; `None` where too many wait already.
    pub fn start(
        &mut self,
        device_code: String,
        user_code: String,
        client: &str,
        scope: &str,
        interval: i64,
        now: i64,
    ) -> Option<()> {
        // An expired code is kept for a while, so that its client learns that it expired.
        self.pending.retain(|_, device| now < device.expires + LIFETIME);
        if self.pending.len() >= PENDING {
            return None;
        }
        let device = Device {
            client: client.to_owned(),
            scope: scope.to_owned(),
            user_code,
            expires: now + LIFETIME,
            interval,
            polled: None,
            answer: Answer::Waiting,
        };
        self.pending.insert(device_code, device);
        Some(())
    }

    /// The client that waits for a code.
    pub fn client_of(&self, user_code: &str, now: i64) -> Option<&str> {
        let code = normal(user_code);
        let mut waiting = self.pending.values().filter(|device| device.waits(now));
        waiting.find(|device| device.user_code == code).map(|device| device.client.as_str())
    }

    /// Answers a code: yes in a user's name, or no. False where no such code waits.
    pub fn answer(&mut self, user_code: &str, user: Option<&str>, now: i64) -> bool {
        let code = normal(user_code);
        let mut waiting = self.pending.values_mut().filter(|device| device.waits(now));
        let Some(device) = waiting.find(|device| device.user_code == code) else { return false };
        device.answer = match user {
            Some(user) => Answer::Approved(user.to_owned()),
            None => Answer::Denied,
        };
        true
    }

    /// A client asks whether its code was answered; an answer is given once.
    pub fn poll(&mut self, device_code: &str, client: &str, now: i64) -> Poll {
        let Some(device) = self.pending.get_mut(device_code) else { return Poll::Unknown };
        if device.client != client {
            return Poll::Unknown;
        }
        if now >= device.expires {
            self.pending.remove(device_code);
            return Poll::Expired;
        }
        let early = device.polled.is_some_and(|polled| now - polled < device.interval);
        device.polled = Some(now);
        if early {
            device.interval += 5;
            return Poll::SlowDown;
        }
        match device.answer.clone() {
            Answer::Waiting => Poll::Pending,
            Answer::Denied => {
                self.pending.remove(device_code);
                Poll::Denied
            }
            Answer::Approved(user) => {
                let scope = std::mem::take(&mut device.scope);
                self.pending.remove(device_code);
                Poll::Approved { user, scope }
            }
        }
    }
}

impl Device {
    fn waits(&self, now: i64) -> bool {
        now < self.expires && matches!(self.answer, Answer::Waiting)
    }
}

/// A code that a person can type, from random bytes: `BCDF-GHJK`.
pub fn user_code(random: [u8; 8]) -> String {
    let mut code: String =
        random.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % 20])).collect();
    code.insert(4, '-');
    code
}

/// A code as a person may have typed it.
fn normal(code: &str) -> String {
    let mut letters: String =
        code.chars().filter(char::is_ascii_alphabetic).take(9).collect::<String>();
    letters.make_ascii_uppercase();
    if letters.len() == 8 {
        letters.insert(4, '-');
    }
    letters
}
