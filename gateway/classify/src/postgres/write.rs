//! Statements outside queries that change data, or hold others up.

use pg_query::NodeEnum;
use pg_query::protobuf::VacuumStmt;
use weir_model::{Effect, ResourceKind};

use super::names::{each, relation};
use super::walk::Walk;
use crate::Said;

impl Walk {
    /// Reads NOTIFY, LOCK, VACUUM, ANALYZE, CLUSTER, REFRESH MATERIALIZED VIEW.
    pub(super) fn write(&mut self, node: &NodeEnum) {
        match node {
            NodeEnum::NotifyStmt(s) => {
                self.does("notify", Effect::Write);
                self.changes(ResourceKind::Object, s.conditionname.clone());
                let (channel, payload) = (s.conditionname.clone(), s.payload.clone());
                self.notifies.push((Said::Text(channel), Said::Text(payload)));
            }
            NodeEnum::LockStmt(s) => {
                self.does("lock", Effect::Write);
                self.tables_changed(&s.relations);
            }
            NodeEnum::VacuumStmt(s) => self.vacuum(s),
            NodeEnum::ClusterStmt(s) => {
                self.does("cluster", Effect::Write);
                s.relation.iter().for_each(|v| self.changes(ResourceKind::Table, relation(v)));
            }
            NodeEnum::RefreshMatViewStmt(s) => {
                self.does("refresh", Effect::Write);
                s.relation.iter().for_each(|v| self.changes(ResourceKind::Table, relation(v)));
            }
            _ => self.unplaced(),
        }
    }

    fn vacuum(&mut self, s: &VacuumStmt) {
        self.does(if s.is_vacuumcmd { "vacuum" } else { "analyze" }, Effect::Write);
        for node in each(&s.rels) {
            match node {
                NodeEnum::VacuumRelation(r) => {
                    r.relation.iter().for_each(|v| self.changes(ResourceKind::Table, relation(v)));
                }
                _ => self.unplaced(),
            }
        }
    }

    /// Takes in a list of tables that the statement changes.
    pub(super) fn tables_changed(&mut self, list: &[pg_query::Node]) {
        for node in each(list) {
            match node {
                NodeEnum::RangeVar(v) => self.changes(ResourceKind::Table, relation(v)),
                _ => self.unplaced(),
            }
        }
    }
}
