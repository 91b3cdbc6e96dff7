//! Statements that define, change or drop objects, with the expressions that they run or plant.

use pg_query::protobuf::{
    AlterTableCmd, AlterTableStmt, AlterTableType as Cmd, ColumnDef, Constraint,
    CreateFunctionStmt, CreateSchemaStmt, CreateStmt, CreateTrigStmt, DefElem, IndexStmt,
    PartitionSpec, RangeVar,
};
use pg_query::{Node, NodeEnum};
use weir_model::{Effect, Flag, ResourceKind};

use super::expression::Use;
use super::names::{dotted, each, inside, literal, parts, relation, type_name};
use super::scope::Source;
use super::walk::Walk;

impl Walk {
    /// Reads a statement about an object.
    pub(super) fn schema(&mut self, node: &NodeEnum) {
        use NodeEnum as N;
        self.raise(Effect::Schema);
        match node {
            N::CreateStmt(s) => self.create_table(s),
            N::AlterTableStmt(s) => self.alter_table(s),
            N::IndexStmt(s) => self.index(s),
            N::CreateSchemaStmt(s) => self.create_schema(s),
            N::CreateFunctionStmt(s) => self.create_function(s),
            N::CreateTrigStmt(s) => self.create_trigger(s),
            N::DropStmt(s) => self.drop_objects(s),
            N::RenameStmt(s) => self.rename_object(s),
            N::TruncateStmt(s) => {
                self.verb("truncate");
                self.tables_changed(&s.relations);
            }
            N::CreateSeqStmt(s) => self.on_table("create", &s.sequence),
            N::AlterSeqStmt(s) => self.on_table("alter", &s.sequence),
            N::ReindexStmt(s) => {
                self.on_table("reindex", &s.relation);
                self.changes(ResourceKind::Object, s.name.clone());
            }
            N::CompositeTypeStmt(s) => {
                self.verb("create");
                s.typevar.iter().for_each(|v| self.changes(ResourceKind::Object, relation(v)));
            }
            N::AlterFunctionStmt(s) => {
                self.verb("alter");
                s.func.iter().for_each(|f| {
                    self.changes(ResourceKind::Function, dotted(&f.objname));
                });
                self.function_options(&s.actions);
            }
            N::CommentStmt(s) => {
                self.verb("comment");
                self.object(s.objtype(), inside(&s.object), None);
            }
            N::AlterObjectSchemaStmt(s) => {
                self.verb("alter");
                self.object(s.object_type(), inside(&s.object), s.relation.as_ref());
                self.changes(ResourceKind::Schema, s.newschema.clone());
            }
            N::AlterObjectDependsStmt(s) => {
                self.verb("alter");
                self.object(s.object_type(), inside(&s.object), s.relation.as_ref());
            }
            N::CreateDomainStmt(s) => {
                self.named("create", &s.domainname);
                self.constraints(&s.constraints);
            }
            N::AlterDomainStmt(s) => {
                self.named("alter", &s.type_name);
                self.definition(inside(&s.def));
            }
            N::CreateStatsStmt(s) => {
                self.named("create", &s.defnames);
                self.relations_read(&s.relations);
                for node in each(&s.exprs) {
                    match node {
                        N::StatsElem(e) => self.maybe(&e.expr, Use::Filter),
                        _ => self.unplaced(),
                    }
                }
            }
            _ => self.plain_object(node),
        }
    }

    /// Objects of which the name is all there is to say.
    fn plain_object(&mut self, node: &NodeEnum) {
        use NodeEnum as N;
        match node {
            N::DefineStmt(s) => self.named("create", &s.defnames),
            N::CreateEnumStmt(s) => self.named("create", &s.type_name),
            N::AlterEnumStmt(s) => self.named("alter", &s.type_name),
            N::CreateRangeStmt(s) => self.named("create", &s.type_name),
            N::AlterTypeStmt(s) => self.named("alter", &s.type_name),
            N::AlterCollationStmt(s) => self.named("alter", &s.collname),
            N::CreateOpClassStmt(s) => self.named("create", &s.opclassname),
            N::CreateOpFamilyStmt(s) => self.named("create", &s.opfamilyname),
            N::AlterOpFamilyStmt(s) => self.named("alter", &s.opfamilyname),
            N::AlterOperatorStmt(s) => {
                self.verb("alter");
                s.opername.iter().for_each(|o| {
                    self.changes(ResourceKind::Object, dotted(&o.objname));
                });
            }
            N::AlterStatsStmt(s) => self.named("alter", &s.defnames),
            N::CreateConversionStmt(s) => self.named("create", &s.conversion_name),
            N::AlterTsdictionaryStmt(s) => self.named("alter", &s.dictname),
            N::AlterTsconfigurationStmt(s) => self.named("alter", &s.cfgname),
            N::CreateCastStmt(s) => {
                self.verb("create");
                s.sourcetype.iter().for_each(|t| {
                    self.changes(ResourceKind::Object, type_name(t));
                });
            }
            N::CreateTransformStmt(s) => {
                self.verb("create");
                s.type_name.iter().for_each(|t| self.changes(ResourceKind::Object, type_name(t)));
            }
            _ => self.unplaced(),
        }
    }

    fn named(&mut self, verb: &str, name: &[Node]) {
        self.verb(verb);
        self.changes(ResourceKind::Object, dotted(name));
    }

    pub(super) fn on_table(&mut self, verb: &str, var: &Option<RangeVar>) {
        self.verb(verb);
        var.iter().for_each(|v| self.changes(ResourceKind::Table, relation(v)));
    }

    fn relations_read(&mut self, list: &[Node]) {
        for node in each(list) {
            match node {
                NodeEnum::RangeVar(v) => {
                    self.resources.touch(ResourceKind::Table, relation(v), false);
                }
                _ => self.unplaced(),
            }
        }
    }

    /// Puts a table in scope for the expressions of its definition.
    pub(super) fn within<R>(
        &mut self,
        var: &Option<RangeVar>,
        body: impl FnOnce(&mut Self) -> R,
    ) -> R {
        self.scopes.enter();
        if let Some(var) = var {
            let at = self.resources.touch(ResourceKind::Table, relation(var), true);
            self.scopes.add(&var.relname, Source::Table(at));
        }
        let result = body(self);
        self.scopes.leave();
        result
    }

    pub(super) fn create_table(&mut self, s: &CreateStmt) {
        self.verb("create");
        self.a_type(s.of_typename.as_ref());
        self.within(&s.relation, |w| {
            w.definitions(&s.table_elts);
            w.constraints(&s.constraints);
            w.constraints(&s.nnconstraints);
            w.relations_read(&s.inh_relations);
            s.partspec.iter().for_each(|p| w.partition(p));
            if let Some(bound) = &s.partbound {
                for list in [&bound.listdatums, &bound.lowerdatums, &bound.upperdatums] {
                    w.bounds(list);
                }
            }
        });
    }

    fn partition(&mut self, spec: &PartitionSpec) {
        for node in each(&spec.part_params) {
            match node {
                NodeEnum::PartitionElem(e) => self.maybe(&e.expr, Use::Filter),
                _ => self.unplaced(),
            }
        }
    }

    fn bounds(&mut self, list: &[Node]) {
        for node in each(list) {
            match node {
                NodeEnum::PartitionRangeDatum(d) => self.maybe(&d.value, Use::Filter),
                other => self.expr(other, Use::Filter),
            }
        }
    }

    fn definitions(&mut self, list: &[Node]) {
        for node in each(list) {
            self.definition(Some(node));
        }
    }

    /// What CREATE TABLE lists, or ALTER sets.
    fn definition(&mut self, node: Option<&NodeEnum>) {
        match node {
            None => {}
            Some(NodeEnum::ColumnDef(def)) => self.column_definition(def),
            Some(NodeEnum::Constraint(constraint)) => self.constraint(constraint),
            Some(NodeEnum::TableLikeClause(like)) => {
                like.relation.iter().for_each(|v| {
                    self.resources.touch(ResourceKind::Table, relation(v), false);
                });
            }
            Some(NodeEnum::RangeVar(v)) => {
                self.resources.touch(ResourceKind::Table, relation(v), true);
            }
            Some(NodeEnum::PartitionCmd(cmd)) => {
                cmd.name.iter().for_each(|v| self.changes(ResourceKind::Table, relation(v)));
                if let Some(bound) = &cmd.bound {
                    for list in [&bound.listdatums, &bound.lowerdatums, &bound.upperdatums] {
                        self.bounds(list);
                    }
                }
            }
            Some(
                NodeEnum::RoleSpec(_)
                | NodeEnum::ReplicaIdentityStmt(_)
                | NodeEnum::DefElem(_)
                | NodeEnum::AtalterConstraint(_)
                | NodeEnum::TypeName(_),
            ) => {}
            // Storage options and the like come as a list of them.
            Some(NodeEnum::List(list)) => self.definitions(&list.items),
            Some(other) => self.expr(other, Use::Filter),
        }
    }

    fn column_definition(&mut self, def: &ColumnDef) {
        self.a_type(def.type_name.as_ref());
        self.maybe(&def.raw_default, Use::Filter);
        self.constraints(&def.constraints);
    }

    fn constraints(&mut self, list: &[Node]) {
        for node in each(list) {
            match node {
                NodeEnum::Constraint(constraint) => self.constraint(constraint),
                _ => self.unplaced(),
            }
        }
    }

    fn constraint(&mut self, constraint: &Constraint) {
        self.maybe(&constraint.raw_expr, Use::Filter);
        self.maybe(&constraint.where_clause, Use::Filter);
        for pair in each(&constraint.exclusions) {
            if let NodeEnum::List(pair) = pair {
                for part in each(&pair.items) {
                    match part {
                        NodeEnum::IndexElem(e) => self.maybe(&e.expr, Use::Filter),
                        NodeEnum::List(operator) => self.operator(&operator.items),
                        _ => self.unplaced(),
                    }
                }
            }
        }
        constraint.pktable.iter().for_each(|v| {
            self.resources.touch(ResourceKind::Table, relation(v), false);
        });
    }

    fn alter_table(&mut self, s: &AlterTableStmt) {
        self.verb("alter");
        self.within(&s.relation, |w| {
            for node in each(&s.cmds) {
                match node {
                    NodeEnum::AlterTableCmd(cmd) => w.alter_command(cmd, &s.relation),
                    _ => w.unplaced(),
                }
            }
        });
    }

    fn alter_command(&mut self, cmd: &AlterTableCmd, table: &Option<RangeVar>) {
        if let (Some(table), false) = (table, cmd.name.is_empty()) {
            let at = self.resources.touch(ResourceKind::Table, relation(table), true);
            self.resources.column(at, &cmd.name);
        }
        if matches!(
            cmd.subtype(),
            Cmd::AtChangeOwner
                | Cmd::AtEnableRowSecurity
                | Cmd::AtDisableRowSecurity
                | Cmd::AtForceRowSecurity
                | Cmd::AtNoForceRowSecurity
        ) {
            self.raise(Effect::Admin);
            self.flag(Flag::Privilege);
        }
        match cmd.subtype() {
            // USING fills one column out of others.
            Cmd::AtAlterColumnType => self.stored(|w| w.definition(inside(&cmd.def))),
            // What was generated stays, and where it came from is forgotten.
            Cmd::AtDropExpression => self.stores = true,
            _ => self.definition(inside(&cmd.def)),
        }
    }

    fn index(&mut self, s: &IndexStmt) {
        self.verb("create");
        self.within(&s.relation, |w| {
            w.index_elements(&s.index_params);
            w.index_elements(&s.index_including_params);
            w.maybe(&s.where_clause, Use::Filter);
        });
    }

    /// The columns and expressions of an index or an ON CONFLICT target.
    pub(super) fn index_elements(&mut self, list: &[Node]) {
        for node in each(list) {
            match node {
                NodeEnum::IndexElem(e) => self.maybe(&e.expr, Use::Filter),
                _ => self.unplaced(),
            }
        }
    }

    fn create_schema(&mut self, s: &CreateSchemaStmt) {
        self.verb("create");
        self.changes(ResourceKind::Schema, s.schemaname.clone());
        if s.authrole.is_some() {
            self.raise(Effect::Admin);
            self.flag(Flag::Privilege);
        }
        for element in each(&s.schema_elts) {
            self.statement(element);
        }
    }

    /// A function's body is a program that others will run.
    fn create_function(&mut self, s: &CreateFunctionStmt) {
        self.verb("create");
        self.flag(Flag::DynamicSql);
        self.changes(ResourceKind::Function, dotted(&s.funcname));
        self.function_options(&s.options);
    }

    fn function_options(&mut self, options: &[Node]) {
        for node in each(options) {
            let NodeEnum::DefElem(option) = node else {
                self.unplaced();
                continue;
            };
            match option.defname.as_str() {
                "security" if !is_false(option) => {
                    self.raise(Effect::Admin);
                    self.flag(Flag::Privilege);
                }
                "language" => {
                    let language = inside(&option.arg).and_then(literal).unwrap_or_default();
                    if !matches!(language.as_str(), "sql" | "plpgsql") {
                        self.raise(Effect::Admin);
                        self.flag(Flag::ToProgram);
                    }
                }
                _ => {}
            }
        }
    }

    fn create_trigger(&mut self, s: &CreateTrigStmt) {
        self.verb("create");
        self.changes(ResourceKind::Function, dotted(&s.funcname));
        self.within(&s.relation, |w| {
            for at in w.scopes.innermost_tables() {
                ["old", "new"].iter().for_each(|row| w.scopes.add(row, Source::Table(at)));
            }
            w.maybe(&s.when_clause, Use::Filter);
            let columns = parts(&s.columns);
            for at in w.scopes.innermost_tables() {
                columns.iter().for_each(|c| w.resources.column(at, c));
            }
        });
    }
}

fn is_false(option: &DefElem) -> bool {
    matches!(inside(&option.arg).and_then(literal).as_deref(), Some("false"))
}
