//! What a target says that answers nothing: settings, notices, notifications.

use weir_wire::postgres::backend::Backend;
use weir_wire::postgres::build;

use super::Answers;
use crate::driver::postgres::{notify, quote, shape};

impl Answers<'_> {
    pub(super) fn aside(&mut self, parsed: &Backend<'_>, message: &[u8]) {
        match parsed {
            Backend::ParameterStatus { name, value } => {
                self.lane.learn(name, value);
                self.out.bytes.extend_from_slice(message);
            }
            Backend::Notice(fields) => {
                let clean = quote::clean_fields(self.lane, b'N', fields, None);
                self.out.bytes.extend_from_slice(clean.as_deref().unwrap_or(message));
            }
            Backend::Notification { pid, channel, payload } => {
                let hidden = self.lane.hides_notification(channel, payload);
                let hidden = hidden.then(|| notify::HIDDEN.to_vec());
                match hidden.or_else(|| shape::clean_text(self.lane, payload)) {
                    Some(clean) => {
                        let start = self.out.bytes.len();
                        let built = build::notification(*pid, channel, &clean, &mut self.out.bytes);
                        if built.is_err() {
                            self.out.bytes.truncate(start);
                        }
                    }
                    None => self.out.bytes.extend_from_slice(message),
                }
            }
            _ => self.out.bytes.extend_from_slice(message),
        }
    }
}
