//! DNS messages as a proxy sees them: what a query asks, how it is asked on, whether an answer is
//! its answer.
//!
//! A query is never passed on as it came: only its question is, in lower case and with an id of
//! Weir's own, so that nothing hides in spelling, options or sections that nobody reads. An
//! answer's records are delivered as they came.

use std::net::IpAddr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, rdata};

const HEADER: usize = 12;
/// Type and class after a name.
const KIND: usize = 4;
const NAME: usize = 255;
const LABEL: u8 = 63;
/// What a client without EDNS takes in a datagram.
const DATAGRAM: u16 = 512;
/// What Weir itself takes in one: longer answers come by TCP.
const OWN_DATAGRAM: u16 = 4_096;
/// Aliases that are followed.
const ALIASES: usize = 16;

/// A query that asks one thing.
pub(super) struct Question {
    id: u16,
    /// The question as the client wrote it: name, type, class.
    wire: Vec<u8>,
    query: Query,
    /// The name in lower case, without the last dot.
    pub(super) name: String,
    /// The type asked for.
    pub(super) kind: RecordType,
    recursion_desired: bool,
    checking_disabled: bool,
    /// What the client takes in a datagram and whether it wants signatures, if it speaks EDNS.
    edns: Option<(u16, bool)>,
}

impl Question {
    /// Reads a query.
    ///
    /// # Errors
    /// What to answer to something else: nothing, where it is an answer or no message at all.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Option<Vec<u8>>> {
        let header = bytes.get(..HEADER).ok_or(None)?;
        if header[2] & 0x80 != 0 {
            return Err(None);
        }
        let id = u16::from_be_bytes([header[0], header[1]]);
        let operation = OpCode::from_u8(header[2] >> 3 & 0x0f);
        let bad = |code| Err(Message::error_msg(id, operation, code).to_vec().ok());
        if operation != OpCode::Query {
            return bad(ResponseCode::NotImp);
        }
        let (Some(wire), Ok(message)) = (question(bytes), Message::from_vec(bytes)) else {
            return bad(ResponseCode::FormErr);
        };
        let [query] = message.queries.as_slice() else {
            return bad(ResponseCode::FormErr);
        };
        let is_more = !message.answers.is_empty() || !message.authorities.is_empty();
        if is_more || message.edns.as_ref().is_some_and(|edns| edns.version() != 0) {
            return bad(ResponseCode::FormErr);
        }
        let question = Self {
            id,
            wire: wire.to_vec(),
            query: query.clone(),
            name: query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase(),
            kind: query.query_type(),
            recursion_desired: message.metadata.recursion_desired,
            checking_disabled: message.metadata.checking_disabled,
            edns: message.edns.as_ref().map(|edns| (edns.max_payload(), edns.flags().dnssec_ok)),
        };
        let transfer = matches!(question.kind, RecordType::AXFR | RecordType::IXFR);
        if transfer || query.query_class() != DNSClass::IN {
            return Err(question.refusal(ResponseCode::Refused));
        }
        Ok(question)
    }

    /// The query that goes on to the resolver.
    pub(super) fn upstream(&self, id: u16) -> Option<Vec<u8>> {
        let mut message = Message::new(id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = self.recursion_desired;
        message.metadata.checking_disabled = self.checking_disabled;
        let mut query = self.query.clone();
        query.set_name(self.query.name().to_lowercase());
        message.add_query(query);
        if let Some((_, signed)) = self.edns {
            message.set_edns(edns(OWN_DATAGRAM, signed));
        }
        message.to_vec().ok()
    }

    /// Whether a message answers the query that went on with this id.
    pub(super) fn is_answered_by(&self, reply: &[u8], id: u16) -> bool {
        let Some(header) = reply.get(..HEADER) else { return false };
        let answers = header[2] & 0xf8 == 0x80 && header[..2] == id.to_be_bytes();
        let Some(asked) = question(reply) else { return false };
        let (name, kind) = self.wire.split_at(self.wire.len().saturating_sub(KIND));
        answers
            && header[4..6] == [0, 1]
            && asked.len() == self.wire.len()
            && asked.ends_with(kind)
            && asked.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
    }

    /// An answer for the client: its own id and spelling, and no more than it takes.
    pub(super) fn deliver(&self, mut reply: Vec<u8>, tcp: bool) -> Option<Vec<u8>> {
        reply.get_mut(..2)?.copy_from_slice(&self.id.to_be_bytes());
        reply.get_mut(HEADER..HEADER + self.wire.len())?.copy_from_slice(&self.wire);
        if tcp || reply.len() <= self.takes() {
            return Some(reply);
        }
        let mut short = self.response(ResponseCode::from(0, reply.get(3)? & 0x0f));
        short.metadata.truncation = true;
        short.to_vec().ok()
    }

    /// A refusal.
    pub(super) fn refusal(&self, code: ResponseCode) -> Option<Vec<u8>> {
        self.response(code).to_vec().ok()
    }

    /// Weir's own answer: those of the addresses that are of the type asked for.
    pub(super) fn addresses(&self, addresses: &[IpAddr], ttl: u32, tcp: bool) -> Option<Vec<u8>> {
        let mut reply = self.response(ResponseCode::NoError);
        for address in addresses {
            let data = match (address, self.kind) {
                (IpAddr::V4(v4), RecordType::A | RecordType::ANY) => RData::A(rdata::A(*v4)),
                (IpAddr::V6(v6), RecordType::AAAA | RecordType::ANY) => {
                    RData::AAAA(rdata::AAAA(*v6))
                }
                (IpAddr::V4(_) | IpAddr::V6(_), _) => continue,
            };
            reply.add_answer(Record::from_rdata(self.query.name().clone(), ttl, data));
        }
        self.deliver(reply.to_vec().ok()?, tcp)
    }

    /// The addresses that an answer gives to the name, with their times to live.
    pub(super) fn taught(&self, reply: &[u8]) -> Vec<(IpAddr, u32)> {
        let Ok(reply) = Message::from_vec(reply) else { return Vec::new() };
        let names = aliases(self.query.name(), &reply.answers);
        let named = reply.answers.iter().filter(|record| names.contains(&record.name));
        named
            .filter_map(|record| match &record.data {
                RData::A(a) => Some((IpAddr::V4(a.0), record.ttl)),
                RData::AAAA(aaaa) => Some((IpAddr::V6(aaaa.0), record.ttl)),
                _ => None,
            })
            .collect()
    }

    fn takes(&self) -> usize {
        usize::from(self.edns.map_or(DATAGRAM, |(payload, _)| payload.max(DATAGRAM)))
    }

    fn response(&self, code: ResponseCode) -> Message {
        let mut reply = Message::response(self.id, OpCode::Query);
        reply.metadata.recursion_desired = self.recursion_desired;
        reply.metadata.checking_disabled = self.checking_disabled;
        reply.metadata.recursion_available = true;
        reply.metadata.response_code = code;
        reply.add_query(self.query.clone());
        if let Some((_, signed)) = self.edns {
            reply.set_edns(edns(OWN_DATAGRAM, signed));
        }
        reply
    }
}

/// The first question's bytes. A compressed name could only point into the header.
fn question(message: &[u8]) -> Option<&[u8]> {
    let mut at = HEADER;
    loop {
        let length = *message.get(at)?;
        if length > LABEL || at - HEADER > NAME {
            return None;
        }
        at += 1 + usize::from(length);
        if length == 0 {
            return message.get(HEADER..at + KIND);
        }
    }
}

fn edns(payload: u16, signed: bool) -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(payload);
    edns.set_dnssec_ok(signed);
    edns
}

/// The name and what it is an alias of. Records of other names in an answer teach nothing.
fn aliases(name: &Name, answers: &[Record]) -> Vec<Name> {
    let mut names = vec![name.clone()];
    for _ in 0..ALIASES {
        let next = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(to) if names.contains(&record.name) && !names.contains(&to.0) => {
                Some(to.0.clone())
            }
            _ => None,
        });
        match next {
            Some(next) => names.push(next),
            None => break,
        }
    }
    names
}

#[cfg(test)]
mod tests;
