//! Statements about roles, privileges, the server, and other hosts.

use pg_query::protobuf::{GrantStmt, RangeVar};
use pg_query::{Node, NodeEnum};
use weir_model::{Effect, Flag, ResourceKind};

use super::expression::Use;
use super::names::{each, inside, object, relation};
use super::walk::Walk;

impl Walk {
    /// Reads a statement that administers.
    pub(super) fn admin(&mut self, node: &NodeEnum) {
        self.raise(Effect::Admin);
        if !self.privileges(node) && !self.server(node) && !self.foreign(node) {
            self.unplaced();
        }
    }

    fn privileges(&mut self, node: &NodeEnum) -> bool {
        use NodeEnum as N;
        match node {
            N::GrantStmt(s) => self.grant(s),
            N::GrantRoleStmt(s) => {
                self.verb(if s.is_grant { "grant" } else { "revoke" });
                for node in each(&s.granted_roles) {
                    if let N::AccessPriv(p) = node {
                        self.changes(ResourceKind::Role, p.priv_name.clone());
                    }
                }
                self.roles(&s.grantee_roles);
            }
            N::AlterDefaultPrivilegesStmt(s) => {
                self.verb("alter");
                s.action.iter().for_each(|a| self.grant(a));
            }
            N::CreateRoleStmt(s) => {
                self.verb("create");
                self.changes(ResourceKind::Role, s.role.clone());
                self.secrets(&s.options);
            }
            N::AlterRoleStmt(s) => {
                self.verb("alter");
                self.role(&s.role);
                self.secrets(&s.options);
            }
            N::AlterRoleSetStmt(s) => {
                self.verb("alter");
                self.role(&s.role);
            }
            N::DropRoleStmt(s) => {
                self.verb("drop");
                self.roles(&s.roles);
            }
            N::DropOwnedStmt(s) => {
                self.verb("drop");
                self.roles(&s.roles);
            }
            N::ReassignOwnedStmt(s) => {
                self.verb("reassign");
                self.roles(&s.roles);
                self.role(&s.newrole);
            }
            N::AlterOwnerStmt(s) => {
                self.verb("alter");
                self.object(s.object_type(), inside(&s.object), s.relation.as_ref());
                self.role(&s.newowner);
            }
            N::SecLabelStmt(s) => {
                self.verb("security label");
                self.object(s.objtype(), inside(&s.object), None);
            }
            N::CreatePolicyStmt(s) => {
                self.verb("create");
                self.policy(&s.table, [&s.qual, &s.with_check]);
            }
            N::AlterPolicyStmt(s) => {
                self.verb("alter");
                self.policy(&s.table, [&s.qual, &s.with_check]);
            }
            _ => return false,
        }
        self.flag(Flag::Privilege);
        true
    }

    fn policy(&mut self, table: &Option<RangeVar>, conditions: [&Option<Box<Node>>; 2]) {
        self.within(table, |w| conditions.iter().for_each(|c| w.maybe(c, Use::Filter)));
    }

    fn server(&mut self, node: &NodeEnum) -> bool {
        use NodeEnum as N;
        match node {
            N::AlterSystemStmt(_) => self.verb("alter"),
            N::CheckPointStmt(_) => self.verb("checkpoint"),
            N::LoadStmt(s) => {
                self.verb("load");
                self.flag(Flag::ToProgram);
                self.changes(ResourceKind::File, s.filename.clone());
            }
            N::CreatedbStmt(s) => self.database("create", &s.dbname),
            N::AlterDatabaseStmt(s) => self.database("alter", &s.dbname),
            N::AlterDatabaseRefreshCollStmt(s) => self.database("alter", &s.dbname),
            N::AlterDatabaseSetStmt(s) => self.database("alter", &s.dbname),
            N::DropdbStmt(s) => self.database("drop", &s.dbname),
            N::CreateTableSpaceStmt(s) => {
                self.thing("create", &s.tablespacename);
                self.changes(ResourceKind::File, s.location.clone());
            }
            N::DropTableSpaceStmt(s) => self.thing("drop", &s.tablespacename),
            N::AlterTableSpaceOptionsStmt(s) => self.thing("alter", &s.tablespacename),
            N::AlterTableMoveAllStmt(s) => self.thing("alter", &s.orig_tablespacename),
            N::CreateExtensionStmt(s) => self.thing("create", &s.extname),
            N::AlterExtensionStmt(s) => self.thing("alter", &s.extname),
            N::AlterExtensionContentsStmt(s) => {
                self.thing("alter", &s.extname);
                self.object(s.objtype(), inside(&s.object), None);
            }
            N::CreateAmStmt(s) => self.thing("create", &s.amname),
            N::CreatePlangStmt(s) => self.thing("create", &s.plname),
            N::CreateEventTrigStmt(s) => {
                self.thing("create", &s.trigname);
                self.changes(ResourceKind::Function, super::names::dotted(&s.funcname));
            }
            N::AlterEventTrigStmt(s) => self.thing("alter", &s.trigname),
            _ => return false,
        }
        true
    }

    /// Other hosts: wrappers, servers, mappings, replication.
    fn foreign(&mut self, node: &NodeEnum) -> bool {
        use NodeEnum as N;
        match node {
            N::CreateFdwStmt(s) => self.thing("create", &s.fdwname),
            N::AlterFdwStmt(s) => self.thing("alter", &s.fdwname),
            N::CreateForeignServerStmt(s) => {
                self.thing("create", &s.servername);
                self.secrets(&s.options);
            }
            N::AlterForeignServerStmt(s) => {
                self.thing("alter", &s.servername);
                self.secrets(&s.options);
            }
            N::CreateForeignTableStmt(s) => {
                s.base_stmt.iter().for_each(|b| self.create_table(b));
                self.thing("create", &s.servername);
                self.secrets(&s.options);
            }
            N::ImportForeignSchemaStmt(s) => {
                self.thing("import", &s.server_name);
                self.changes(ResourceKind::Schema, s.local_schema.clone());
            }
            N::CreateUserMappingStmt(s) => {
                self.thing("create", &s.servername);
                self.flag(Flag::Privilege);
                self.secrets(&s.options);
            }
            N::AlterUserMappingStmt(s) => {
                self.thing("alter", &s.servername);
                self.flag(Flag::Privilege);
                self.secrets(&s.options);
            }
            N::DropUserMappingStmt(s) => {
                self.thing("drop", &s.servername);
                self.flag(Flag::Privilege);
            }
            N::CreatePublicationStmt(s) => self.thing("create", &s.pubname),
            N::AlterPublicationStmt(s) => self.thing("alter", &s.pubname),
            N::CreateSubscriptionStmt(s) => self.subscription("create", &s.subname, &s.conninfo),
            N::AlterSubscriptionStmt(s) => self.subscription("alter", &s.subname, &s.conninfo),
            N::DropSubscriptionStmt(s) => self.thing("drop", &s.subname),
            _ => return false,
        }
        true
    }

    fn grant(&mut self, s: &GrantStmt) {
        use pg_query::protobuf::ObjectType as O;
        self.verb(if s.is_grant { "grant" } else { "revoke" });
        let kind = match s.objtype() {
            O::ObjectTable | O::ObjectSequence => ResourceKind::Table,
            O::ObjectSchema => ResourceKind::Schema,
            O::ObjectDatabase => ResourceKind::Database,
            O::ObjectFunction | O::ObjectProcedure | O::ObjectRoutine => ResourceKind::Function,
            _ => ResourceKind::Object,
        };
        for node in each(&s.objects) {
            match node {
                NodeEnum::RangeVar(v) => self.changes(ResourceKind::Table, relation(v)),
                other => self.changes(kind, object(other)),
            }
        }
        self.roles(&s.grantees);
    }

    fn thing(&mut self, verb: &str, name: &str) {
        self.verb(verb);
        self.changes(ResourceKind::Object, name.to_owned());
    }

    fn database(&mut self, verb: &str, name: &str) {
        self.verb(verb);
        self.changes(ResourceKind::Database, name.to_owned());
    }

    fn subscription(&mut self, verb: &str, name: &str, conninfo: &str) {
        self.thing(verb, name);
        if conninfo.contains("password") {
            self.flag(Flag::SecretLiteral);
        }
    }

    fn role(&mut self, role: &Option<pg_query::protobuf::RoleSpec>) {
        role.iter().for_each(|r| self.changes(ResourceKind::Role, r.rolename.clone()));
    }

    fn roles(&mut self, list: &[Node]) {
        for node in each(list) {
            self.changes(ResourceKind::Role, object(node));
        }
    }

    /// Options that carry a credential, or a program to run.
    fn secrets(&mut self, options: &[Node]) {
        for node in each(options) {
            let NodeEnum::DefElem(option) = node else {
                self.unplaced();
                continue;
            };
            let name = option.defname.to_ascii_lowercase();
            let secret = ["password", "passwd", "passcode", "secret", "token", "apikey", "api_key"];
            if option.arg.is_some() && secret.iter().any(|s| name.contains(s)) {
                self.flag(Flag::SecretLiteral);
            }
            if matches!(name.as_str(), "program" | "filename") {
                self.flag(Flag::ToProgram);
            }
        }
    }
}
