//! Objects of any kind: dropped, renamed, commented, owned.

use pg_query::protobuf::{DropStmt, ObjectType, RangeVar, RenameStmt};
use pg_query::{Node, NodeEnum};
use weir_model::{Effect, Flag, ResourceKind};

use super::names::{each, in_database, inside, object, parts, relation};
use super::walk::Walk;

impl Walk {
    pub(super) fn drop_objects(&mut self, s: &DropStmt) {
        self.verb("drop");
        for node in each(&s.objects) {
            self.object(s.remove_type(), Some(node), None);
        }
    }

    pub(super) fn rename_object(&mut self, s: &RenameStmt) {
        self.verb("alter");
        let kind = s.rename_type();
        self.object(kind, inside(&s.object), s.relation.as_ref());
        // Schemas, databases and roles are named here and nowhere else.
        if s.relation.is_none() && s.object.is_none() {
            let named = Node {
                node: Some(NodeEnum::String(pg_query::protobuf::String {
                    sval: s.subname.clone(),
                })),
            };
            self.object(kind, named.node.as_ref(), None);
        }
        if let (Some(table), ObjectType::ObjectColumn) = (&s.relation, kind) {
            let at = self.resources.touch(ResourceKind::Table, relation(table), true);
            self.resources.column(at, &s.subname);
        }
    }

    /// An object of a kind that stands beside its name, with the effect of meddling with that kind.
    pub(super) fn object(
        &mut self,
        kind: ObjectType,
        node: Option<&NodeEnum>,
        var: Option<&RangeVar>,
    ) {
        use ObjectType as O;
        let of = match kind {
            O::ObjectTable
            | O::ObjectView
            | O::ObjectMatview
            | O::ObjectSequence
            | O::ObjectIndex
            | O::ObjectForeignTable => ResourceKind::Table,
            O::ObjectFunction | O::ObjectProcedure | O::ObjectRoutine | O::ObjectAggregate => {
                ResourceKind::Function
            }
            O::ObjectSchema => ResourceKind::Schema,
            O::ObjectDatabase => ResourceKind::Database,
            O::ObjectRole => ResourceKind::Role,
            // The last name is the part's own, what stands before it is the table's.
            O::ObjectColumn
            | O::ObjectTabconstraint
            | O::ObjectTrigger
            | O::ObjectRule
            | O::ObjectPolicy => {
                if let Some(NodeEnum::List(list)) = node {
                    let names = parts(&list.items);
                    let table = names.split_last().map(|(_, t)| in_database(t)).unwrap_or_default();
                    self.changes(ResourceKind::Table, table);
                }
                ResourceKind::Object
            }
            _ => ResourceKind::Object,
        };
        match node {
            Some(NodeEnum::List(list)) if of == ResourceKind::Table => {
                self.changes(of, in_database(&parts(&list.items)));
            }
            Some(node) => self.changes(of, object(node)),
            None => {}
        }
        if let Some(var) = var {
            self.changes(ResourceKind::Table, relation(var));
        }
        self.kind_effect(kind);
    }

    fn kind_effect(&mut self, kind: ObjectType) {
        use ObjectType as O;
        match kind {
            O::ObjectPolicy | O::ObjectRole | O::ObjectDefacl | O::ObjectUserMapping => {
                self.raise(Effect::Admin);
                self.flag(Flag::Privilege);
            }
            O::ObjectAccessMethod
            | O::ObjectDatabase
            | O::ObjectEventTrigger
            | O::ObjectExtension
            | O::ObjectFdw
            | O::ObjectForeignServer
            | O::ObjectLanguage
            | O::ObjectParameterAcl
            | O::ObjectPublication
            | O::ObjectPublicationNamespace
            | O::ObjectPublicationRel
            | O::ObjectSubscription
            | O::ObjectTablespace => {
                self.raise(Effect::Admin);
            }
            _ => {}
        }
    }
}
