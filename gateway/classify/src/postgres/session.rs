//! Statements about the session: transactions, parameters, cursors, notifications.

use pg_query::NodeEnum;
use pg_query::protobuf::{
    DiscardMode, FetchStmt, TransactionStmt, TransactionStmtKind as Kind, VariableSetKind,
    VariableSetStmt,
};
use weir_model::{Effect, Flag, ResourceKind};

use super::names::{each, literal};
use super::settings;
use super::walk::Walk;

impl Walk {
    /// Reads a statement about the session.
    pub(super) fn session(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::TransactionStmt(s) => self.transaction(s),
            NodeEnum::VariableSetStmt(s) => self.set(s),
            NodeEnum::VariableShowStmt(_) => self.does("show", Effect::Session),
            NodeEnum::ListenStmt(s) => {
                self.does("listen", Effect::Session);
                self.resources.touch(ResourceKind::Object, s.conditionname.clone(), false);
            }
            NodeEnum::UnlistenStmt(_) => self.does("unlisten", Effect::Session),
            NodeEnum::ConstraintsSetStmt(_) => self.does("set", Effect::Session),
            NodeEnum::ClosePortalStmt(_) => self.does("close", Effect::Session),
            NodeEnum::FetchStmt(s) => self.fetch(s),
            NodeEnum::DeallocateStmt(s) => {
                self.does("deallocate", Effect::Session);
                let one = !s.isall && !s.name.is_empty();
                self.deallocates.push(one.then(|| s.name.clone()));
            }
            NodeEnum::DiscardStmt(s) => {
                self.does("discard", Effect::Session);
                self.changes_session = true;
                if matches!(s.target(), DiscardMode::DiscardAll) {
                    self.deallocates.push(None);
                }
                if matches!(s.target(), DiscardMode::DiscardAll | DiscardMode::DiscardTemp) {
                    self.changes_schema = true;
                }
            }
            _ => self.unplaced(),
        }
    }

    fn transaction(&mut self, s: &TransactionStmt) {
        let (verb, effect) = match s.kind() {
            Kind::TransStmtBegin | Kind::TransStmtStart => ("begin", Effect::Session),
            Kind::TransStmtCommit => ("commit", Effect::Session),
            Kind::TransStmtRollback | Kind::TransStmtRollbackTo => ("rollback", Effect::Session),
            Kind::TransStmtSavepoint => ("savepoint", Effect::Session),
            Kind::TransStmtRelease => ("release", Effect::Session),
            Kind::TransStmtPrepare => ("prepare transaction", Effect::Write),
            Kind::TransStmtCommitPrepared => ("commit prepared", Effect::Write),
            Kind::TransStmtRollbackPrepared => ("rollback prepared", Effect::Write),
            Kind::Undefined => return self.unplaced(),
        };
        self.does(verb, effect);
        if effect == Effect::Session {
            self.transactions += 1;
        }
        // What another transaction changed takes effect.
        if verb == "commit prepared" {
            self.changes_schema = true;
            self.plants = true;
        }
    }

    /// Reads SET and RESET.
    pub(super) fn set(&mut self, s: &VariableSetStmt) {
        let name = s.name.to_ascii_lowercase();
        match s.kind() {
            VariableSetKind::VarSetValue => {
                self.does("set", Effect::Session);
                let mut values = Vec::new();
                let mut known = true;
                for argument in each(&s.args) {
                    match literal(argument) {
                        Some(value) => values.push(value),
                        None => known = false,
                    }
                }
                settings::set(self, &name, known.then_some(values.as_slice()));
            }
            VariableSetKind::VarSetMulti => {
                self.does("set", Effect::Session);
                self.changes_session |= name == "session characteristics";
                // SET TRANSACTION SNAPSHOT reads another transaction's data, which is this role's.
                if !matches!(
                    name.as_str(),
                    "transaction" | "session characteristics" | "transaction snapshot"
                ) {
                    self.unplaced();
                }
            }
            // What a parameter goes back to is the login's own default, chosen by Weir's side.
            VariableSetKind::VarSetDefault
            | VariableSetKind::VarReset
            | VariableSetKind::VarResetAll => {
                self.does("reset", Effect::Session);
                self.changes_session = true;
                if matches!(name.as_str(), "role" | "session_authorization") {
                    self.flag(Flag::Privilege);
                }
            }
            VariableSetKind::VarSetCurrent => self.does("set", Effect::Session),
            VariableSetKind::Undefined => self.unplaced(),
        }
    }

    fn fetch(&mut self, s: &FetchStmt) {
        self.does(if s.ismove { "move" } else { "fetch" }, Effect::Read);
        self.deferred = true;
    }
}
