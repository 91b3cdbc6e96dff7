//! Where each kind of node of PostgreSQL's tree belongs: exhaustive, so that a grammar with a new
//! node does not compile until somebody has said what it means.

use pg_query::NodeEnum;

/// Where a node belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A query: select, insert, update, delete, merge.
    Query,
    /// A statement that carries another one or a query.
    Carrier,
    /// A statement about the session.
    Session,
    /// A statement that changes data or blocks others.
    Write,
    /// A statement that defines, changes or drops an object.
    Schema,
    /// A statement about roles, privileges, the server or other hosts.
    Admin,
    /// A program.
    Opaque,
    /// An expression, or a part of one that holds expressions.
    Expression,
    /// An item of a from list.
    Relation,
    /// A part that only its own parent knows how to read.
    Part,
    /// A node of the analysed tree, which the grammar never makes.
    Analysed,
}

macro_rules! places {
    ($($place:ident { $($name:ident)+ })+) => {
        pub(super) fn place(node: &NodeEnum) -> Place {
            match node {
                $($(NodeEnum::$name(..))|+ => Place::$place,)+
            }
        }
    };
}

places! {
    Query { SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt }
    Carrier {
        ExplainStmt DeclareCursorStmt PrepareStmt ExecuteStmt CopyStmt CreateTableAsStmt ViewStmt
        RuleStmt RawStmt
    }
    Session {
        TransactionStmt VariableSetStmt VariableShowStmt ListenStmt UnlistenStmt DiscardStmt
        ConstraintsSetStmt ClosePortalStmt FetchStmt DeallocateStmt
    }
    Write { NotifyStmt LockStmt VacuumStmt ClusterStmt RefreshMatViewStmt }
    Schema {
        CreateStmt AlterTableStmt IndexStmt CreateSeqStmt AlterSeqStmt DefineStmt CreateDomainStmt
        AlterDomainStmt CompositeTypeStmt CreateEnumStmt AlterEnumStmt CreateRangeStmt AlterTypeStmt
        CreateFunctionStmt AlterFunctionStmt CreateTrigStmt CreateSchemaStmt DropStmt TruncateStmt
        CommentStmt RenameStmt AlterObjectSchemaStmt AlterObjectDependsStmt AlterCollationStmt
        CreateOpClassStmt CreateOpFamilyStmt AlterOpFamilyStmt AlterOperatorStmt CreateStatsStmt
        AlterStatsStmt ReindexStmt CreateConversionStmt CreateCastStmt CreateTransformStmt
        AlterTsdictionaryStmt AlterTsconfigurationStmt
    }
    Admin {
        GrantStmt GrantRoleStmt AlterDefaultPrivilegesStmt CreateRoleStmt AlterRoleStmt
        AlterRoleSetStmt DropRoleStmt DropOwnedStmt ReassignOwnedStmt AlterOwnerStmt SecLabelStmt
        CreatePolicyStmt AlterPolicyStmt CreateTableSpaceStmt DropTableSpaceStmt
        AlterTableSpaceOptionsStmt AlterTableMoveAllStmt CreateExtensionStmt AlterExtensionStmt
        AlterExtensionContentsStmt CreateFdwStmt AlterFdwStmt CreateForeignServerStmt
        AlterForeignServerStmt CreateForeignTableStmt CreateUserMappingStmt AlterUserMappingStmt
        DropUserMappingStmt ImportForeignSchemaStmt CreateAmStmt CreateEventTrigStmt
        AlterEventTrigStmt CreatePlangStmt LoadStmt CreatedbStmt AlterDatabaseStmt
        AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt DropdbStmt AlterSystemStmt CheckPointStmt
        CreatePublicationStmt AlterPublicationStmt CreateSubscriptionStmt AlterSubscriptionStmt
        DropSubscriptionStmt
    }
    Opaque { DoStmt CallStmt }
    Expression {
        AConst ParamRef ColumnRef AExpr TypeCast CollateClause FuncCall AIndices AIndirection
        AArrayExpr ResTarget MultiAssignRef SortBy WindowDef BoolExpr SubLink CaseExpr CaseWhen
        CoalesceExpr MinMaxExpr NullTest BooleanTest NamedArgExpr RowExpr GroupingFunc GroupingSet
        SqlvalueFunction XmlExpr XmlSerialize SetToDefault CurrentOfExpr MergeSupportFunc List
        JsonValueExpr JsonIsPredicate JsonFuncExpr JsonParseExpr JsonScalarExpr JsonSerializeExpr
        JsonObjectConstructor JsonArrayConstructor JsonArrayQueryConstructor JsonObjectAgg
        JsonArrayAgg JsonArgument JsonKeyValue JsonBehavior JsonTablePathSpec Integer Float Boolean
        String BitString
    }
    Relation {
        RangeVar JoinExpr RangeSubselect RangeFunction RangeTableFunc RangeTableSample JsonTable
    }
    Part {
        Alias IntoClause TypeName RoleSpec AStar RangeTableFuncCol ColumnDef TableLikeClause
        IndexElem DefElem LockingClause PartitionElem PartitionSpec PartitionBoundSpec
        PartitionRangeDatum PartitionCmd WithClause InferClause OnConflictClause CtesearchClause
        CtecycleClause CommonTableExpr MergeWhenClause ReturningOption ReturningClause
        TriggerTransition JsonOutput JsonTableColumn JsonAggConstructor AlterTableCmd
        AtalterConstraint ReplicaIdentityStmt ObjectWithArgs AccessPriv Constraint
        CreateOpClassItem StatsElem FunctionParameter VacuumRelation PublicationTable
        PublicationObjSpec JsonFormat JsonReturning IntList OidList ReturnStmt PlassignStmt
        InlineCodeBlock CallContext
    }
    Analysed {
        TableFunc Var Param Aggref WindowFunc WindowFuncRunCondition SubscriptingRef FuncExpr OpExpr
        DistinctExpr NullIfExpr ScalarArrayOpExpr SubPlan AlternativeSubPlan FieldSelect FieldStore
        RelabelType CoerceViaIo ArrayCoerceExpr ConvertRowtypeExpr CollateExpr CaseTestExpr
        ArrayExpr RowCompareExpr JsonConstructorExpr JsonExpr JsonTablePath JsonTablePathScan
        JsonTableSiblingJoin MergeAction CoerceToDomain CoerceToDomainValue NextValueExpr
        InferenceElem ReturningExpr TargetEntry RangeTblRef FromExpr OnConflictExpr Query
        RangeTblEntry RtepermissionInfo RangeTblFunction TableSampleClause WithCheckOption
        SortGroupClause WindowClause RowMarkClause SetOperationStmt
    }
}
