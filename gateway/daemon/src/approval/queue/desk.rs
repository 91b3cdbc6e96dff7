//! What the queue's lock guards: tickets, who waits in front of them, and the file they are kept in.

mod release;

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;
use weir_model::{HoldId, SessionId, limits};

use super::super::store::Store;
use super::super::{Answer, Approver, Binding, Choice, Question, State, StoreError, Ticket, Vote};
use super::{AnswerError, Approval, QueueError, check};

/// Open tickets, and the last ones that were settled.
pub(super) struct Desk {
    open: BTreeMap<HoldId, Slot>,
    settled: VecDeque<Ticket>,
    store: Option<Store>,
    /// Whether something changed that is not on disk.
    dirty: bool,
    /// Another gateway keeps the tickets, and the file.
    released: bool,
    numbers: u64,
}

struct Slot {
    ticket: Ticket,
    waiters: VecDeque<Waiter>,
}

struct Waiter {
    number: u64,
    until_us: i64,
    sender: oneshot::Sender<Answer>,
}

/// A place in front of a question.
pub(super) struct Place {
    pub(super) hold: HoldId,
    pub(super) number: u64,
    pub(super) joined: bool,
    pub(super) receiver: oneshot::Receiver<Answer>,
}

impl Slot {
    fn view(&self) -> Ticket {
        Ticket { waiting: self.waiters.len(), ..self.ticket.clone() }
    }
}

impl Desk {
    pub(super) fn new(tickets: Vec<Ticket>, store: Option<Store>) -> Self {
        let slot = |ticket: Ticket| {
            // Whoever waited in the wire was cut off, but may come back with the same statement.
            let ticket = Ticket { promised: true, ..ticket };
            (ticket.question.hold.clone(), Slot { ticket, waiters: VecDeque::new() })
        };
        let open = tickets.into_iter().map(slot).collect();
        Self { open, settled: VecDeque::new(), store, dirty: true, released: false, numbers: 0 }
    }

    pub(super) fn open(
        &mut self,
        question: Question,
    ) -> Result<(Place, Option<Ticket>), QueueError> {
        self.check()?;
        let now_us = question.opened_us;
        self.numbers += 1;
        let number = self.numbers;
        let (sender, receiver) = oneshot::channel();
        let waiter = Waiter { number, until_us: question.until_us, sender };
        if let Some(hold) = self.find(question.binding, question.session, now_us) {
            self.join(&hold, waiter, question.in_transaction, now_us)?;
            return Ok((Place { hold, number, joined: true, receiver }, None));
        }
        self.admit(&question)?;
        let hold = question.hold.clone();
        let slot = Slot { ticket: Ticket::new(question), waiters: VecDeque::from([waiter]) };
        let announced = slot.view();
        self.open.insert(hold.clone(), slot);
        self.dirty = true;
        Ok((Place { hold, number, joined: false, receiver }, Some(announced)))
    }

    fn find(&self, binding: Binding, session: SessionId, now_us: i64) -> Option<HoldId> {
        let same = |slot: &&Slot| {
            let question = &slot.ticket.question;
            question.binding == binding
                && question.session == session
                && !slot.ticket.is_over(now_us)
        };
        self.open.values().find(same).map(|slot| slot.ticket.question.hold.clone())
    }

    fn join(
        &mut self,
        hold: &HoldId,
        waiter: Waiter,
        in_transaction: bool,
        now_us: i64,
    ) -> Result<(), QueueError> {
        let Some(slot) = self.open.get_mut(hold) else {
            return Err(QueueError::Full);
        };
        let (by, comment) = slot.ticket.settled_by();
        match slot.ticket.state {
            State::Pending => {
                if slot.waiters.len() >= limits::HOLDS_PER_SESSION {
                    return Err(QueueError::Session(slot.ticket.question.session));
                }
                slot.ticket.question.in_transaction |= in_transaction;
                slot.waiters.push_back(waiter);
            }
            State::Approved => {
                self.consume(hold, now_us)?;
                let _ = waiter.sender.send(Answer::Approved { by, comment });
            }
            State::Denied => {
                let _ = waiter.sender.send(Answer::Denied { by, comment });
            }
            State::Expired | State::Withdrawn | State::Consumed => {
                let _ = waiter.sender.send(Answer::Withdrawn);
            }
        }
        Ok(())
    }

    fn admit(&self, question: &Question) -> Result<(), QueueError> {
        let tickets = || self.open.values().map(|slot| &slot.ticket);
        let session = question.session;
        let of_session = tickets().filter(|ticket| ticket.question.session == session);
        let bytes = tickets().map(|ticket| ticket.question.bytes()).sum::<usize>();
        if question.statement.len() > limits::SQL_BYTES {
            return Err(QueueError::Long(question.statement.len()));
        }
        if of_session.filter(|ticket| ticket.state == State::Pending).count()
            >= limits::HOLDS_PER_SESSION
        {
            return Err(QueueError::Session(session));
        }
        if self.open.len() >= limits::HOLDS
            || bytes.saturating_add(question.bytes()) > limits::HOLDS_BYTES
        {
            return Err(QueueError::Full);
        }
        if self.get(&question.hold).is_some() {
            return Err(QueueError::Name(question.hold.clone()));
        }
        Ok(())
    }

    pub(super) fn answer(
        &mut self,
        hold: &HoldId,
        approver: &Approver,
        choice: Choice,
        comment: Option<String>,
        now_us: i64,
    ) -> Result<Ticket, AnswerError> {
        if self.released {
            return Err(AnswerError::Missing(hold.clone()));
        }
        let ticket = self.get(hold).ok_or_else(|| AnswerError::Missing(hold.clone()))?;
        approver.may(choice, &ticket)?;
        check(&ticket, approver, choice, comment.as_deref(), now_us)?;
        let Some(slot) = self.open.get_mut(hold) else {
            return Err(AnswerError::Missing(hold.clone()));
        };
        let (by, uid) = (approver.name.clone(), approver.uid);
        let before = slot.ticket.clone();
        slot.ticket.votes.push(Vote { by, uid, choice, comment, at_us: now_us });
        slot.ticket.state = match choice {
            Choice::Deny => State::Denied,
            Choice::Approve if slot.ticket.approvals() < slot.ticket.quorum() => State::Pending,
            Choice::Approve if slot.waiters.is_empty() => State::Approved,
            Choice::Approve => State::Consumed,
        };
        if slot.ticket.state != State::Pending {
            slot.ticket.settled_us = Some(now_us);
        }
        self.dirty = true;
        // On disk before anyone hears of it, or not at all.
        if let Err(error) = self.save() {
            if let Some(slot) = self.open.get_mut(hold) {
                slot.ticket = before;
            }
            return Err(error.into());
        }
        Ok(self.tell(hold).unwrap_or(ticket))
    }

    /// Gives the answer to those who wait for it: an approval to the first, since it is for one
    /// execution.
    fn tell(&mut self, hold: &HoldId) -> Option<Ticket> {
        let slot = self.open.get_mut(hold)?;
        let (by, comment) = slot.ticket.settled_by();
        match slot.ticket.state {
            State::Pending => {}
            State::Denied => {
                for waiter in slot.waiters.drain(..) {
                    let answer = Answer::Denied { by: by.clone(), comment: comment.clone() };
                    let _ = waiter.sender.send(answer);
                }
            }
            State::Approved | State::Consumed => {
                let mut waiters = slot.waiters.drain(..);
                if let Some(first) = waiters.next() {
                    let _ = first.sender.send(Answer::Approved { by: by.clone(), comment });
                }
                for waiter in waiters {
                    let _ = waiter.sender.send(Answer::Taken { by: by.clone() });
                }
            }
            State::Expired | State::Withdrawn => {
                for waiter in slot.waiters.drain(..) {
                    let _ = waiter.sender.send(Answer::Withdrawn);
                }
            }
        }
        let view = slot.view();
        if !view.state.is_open() {
            self.file(hold);
        }
        Some(view)
    }

    pub(super) fn redeem(
        &mut self,
        binding: Binding,
        now_us: i64,
    ) -> Result<Option<Approval>, QueueError> {
        self.check()?;
        let approved = |slot: &&Slot| {
            slot.ticket.question.binding == binding
                && slot.ticket.state == State::Approved
                && !slot.ticket.is_over(now_us)
        };
        let Some(slot) = self.open.values().find(approved) else {
            return Ok(None);
        };
        let hold = slot.ticket.question.hold.clone();
        let (by, comment) = slot.ticket.settled_by();
        self.consume(&hold, now_us)?;
        Ok(Some(Approval { hold, by, comment }))
    }

    /// Uses up an approval; where that can't be kept, the approval stays and is not used.
    fn consume(&mut self, hold: &HoldId, now_us: i64) -> Result<(), StoreError> {
        let Some(slot) = self.open.get_mut(hold) else {
            return Ok(());
        };
        let before = slot.ticket.settled_us;
        slot.ticket.state = State::Consumed;
        slot.ticket.settled_us = Some(now_us);
        self.dirty = true;
        let saved = self.save();
        if saved.is_ok() {
            self.file(hold);
        } else if let Some(slot) = self.open.get_mut(hold) {
            slot.ticket.state = State::Approved;
            slot.ticket.settled_us = before;
        }
        saved
    }

    /// The reverse of a consumption that nobody made use of.
    pub(super) fn give_back(&mut self, hold: &HoldId) {
        let place = self.settled.iter().position(|ticket| ticket.question.hold == *hold);
        let Some(mut ticket) = place.and_then(|place| self.settled.remove(place)) else {
            return;
        };
        if ticket.state == State::Consumed {
            ticket.state = State::Approved;
            ticket.promised = true;
            self.dirty = true;
            self.open.insert(hold.clone(), Slot { ticket, waiters: VecDeque::new() });
        } else {
            self.settled.push_back(ticket);
        }
    }

    /// Takes a waiter away; false where it was answered before.
    pub(super) fn leave(&mut self, hold: &HoldId, number: u64, promised: bool) -> bool {
        let Some(slot) = self.open.get_mut(hold) else {
            return false;
        };
        let Some(place) = slot.waiters.iter().position(|waiter| waiter.number == number) else {
            return false;
        };
        slot.waiters.remove(place);
        slot.ticket.promised |= promised;
        self.dirty = true;
        if slot.waiters.is_empty() && !slot.ticket.promised {
            slot.ticket.state = State::Withdrawn;
            self.file(hold);
        }
        true
    }

    pub(super) fn expire(&mut self, now_us: i64) -> (Vec<Ticket>, bool) {
        let mut over = Vec::new();
        let mut changed = false;
        for slot in self.open.values_mut() {
            let ticket_over = slot.ticket.is_over(now_us);
            let late = |waiter: &mut Waiter| ticket_over || waiter.until_us <= now_us;
            while let Some(place) = slot.waiters.iter_mut().position(late) {
                if let Some(waiter) = slot.waiters.remove(place) {
                    let _ = waiter.sender.send(Answer::Expired);
                }
                slot.ticket.promised = true;
                changed = true;
            }
            if ticket_over {
                over.push(slot.ticket.question.hold.clone());
            }
        }
        let mut ended = Vec::new();
        for hold in over {
            ended.extend(self.end(&hold, State::Expired, now_us));
            changed = true;
        }
        self.dirty |= changed;
        (ended, changed)
    }

    pub(super) fn session_ended(&mut self, session: SessionId, now_us: i64) -> Vec<Ticket> {
        let of_session = |slot: &&Slot| slot.ticket.question.session == session;
        let holds: Vec<HoldId> = self
            .open
            .values()
            .filter(of_session)
            .map(|slot| slot.ticket.question.hold.clone())
            .collect();
        self.dirty |= !holds.is_empty();
        holds.iter().filter_map(|hold| self.end(hold, State::Withdrawn, now_us)).collect()
    }

    /// Ends a ticket; `None` where it was settled before and only leaves the open ones.
    fn end(&mut self, hold: &HoldId, state: State, now_us: i64) -> Option<Ticket> {
        let slot = self.open.get_mut(hold)?;
        if slot.ticket.state == State::Denied {
            self.file(hold);
            return None;
        }
        slot.ticket.state = state;
        slot.ticket.settled_us = Some(now_us);
        self.tell(hold)
    }

    /// Moves a ticket from the open ones to the settled ones.
    fn file(&mut self, hold: &HoldId) {
        if let Some(slot) = self.open.remove(hold) {
            self.settled.push_back(slot.ticket);
        }
        while self.settled.len() > limits::HOLDS_SETTLED {
            self.settled.pop_front();
        }
    }

    pub(super) fn list(&self, settled: bool) -> Vec<Ticket> {
        let mut tickets: Vec<Ticket> = self.open.values().map(Slot::view).collect();
        if settled {
            tickets.extend(self.settled.iter().cloned());
        } else {
            tickets.retain(|ticket| ticket.state != State::Denied);
        }
        tickets.sort_by_key(|ticket| ticket.question.opened_us);
        tickets
    }

    pub(super) fn get(&self, hold: &HoldId) -> Option<Ticket> {
        let settled = || self.settled.iter().find(|ticket| ticket.question.hold == *hold);
        self.open.get(hold).map(Slot::view).or_else(|| settled().cloned())
    }

    pub(super) fn pending(&self) -> usize {
        self.open.values().filter(|slot| slot.ticket.state == State::Pending).count()
    }

    /// Writes the open tickets, where something changed.
    pub(super) fn save(&mut self) -> Result<(), StoreError> {
        if !self.dirty || self.released {
            return Ok(());
        }
        if let Some(store) = &self.store {
            let tickets = self.open.values().map(|slot| &slot.ticket);
            store.save(tickets.filter(|ticket| ticket.state.is_open()))?;
        }
        self.dirty = false;
        Ok(())
    }
}
