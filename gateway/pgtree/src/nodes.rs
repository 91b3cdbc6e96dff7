//! Made by `cargo xtask pgtree`: where the fields of libpg_query's nodes are, and what becomes of them.

use pg_query::protobuf as pg;
use pg_query::protobuf::node::Node;

use super::reader::{At, Bad, Reader};

pub(super) const LIST: usize = 1;
pub(super) const RAW_STMT: usize = 136;
pub(super) const INTEGER: usize = 465;
pub(super) const FLOAT: usize = 466;
pub(super) const BOOLEAN: usize = 467;
pub(super) const STRING: usize = 468;
pub(super) const BIT_STRING: usize = 469;
pub(super) const LENGTH: usize = 4;
pub(super) const ELEMENTS: usize = 16;
pub(super) const IVAL: usize = 4;
pub(super) const FVAL: usize = 8;
pub(super) const BOOLVAL: usize = 4;
pub(super) const SVAL: usize = 8;
pub(super) const BSVAL: usize = 8;
pub(super) const CONST_VAL: usize = 8;
pub(super) const CONST_ISNULL: usize = 24;
pub(super) const CONST_LOCATION: usize = 28;

/// What stands where any node may.
pub(super) fn any(r: &mut Reader, n: At) -> Result<Node, Bad> {
    match r.tag(n) {
        465 => r.in_place(n, Reader::integer, Node::Integer),
        467 => r.in_place(n, Reader::boolean, Node::Boolean),
        466 => r.in_place(n, Reader::float, Node::Float),
        468 => r.in_place(n, Reader::string, Node::String),
        469 => r.in_place(n, Reader::bit_string, Node::BitString),
        1 => r.in_place(n, Reader::list, Node::List),
        471 => r.in_place(n, Reader::int_list, Node::IntList),
        472 => r.in_place(n, Reader::oid_list, Node::OidList),
        72 => r.in_place(n, Reader::aconst, Node::AConst),
        2 => r.in_place(n, alias, Node::Alias),
        3 => r.in_place(n, range_var, Node::RangeVar),
        4 => r.in_box(n, table_func, Node::TableFunc),
        5 => r.in_box(n, into_clause, Node::IntoClause),
        6 => r.in_box(n, var, Node::Var),
        8 => r.in_box(n, param, Node::Param),
        9 => r.in_box(n, aggref, Node::Aggref),
        10 => r.in_box(n, grouping_func, Node::GroupingFunc),
        11 => r.in_box(n, window_func, Node::WindowFunc),
        12 => r.in_box(n, window_func_run_condition, Node::WindowFuncRunCondition),
        13 => r.in_box(n, merge_support_func, Node::MergeSupportFunc),
        14 => r.in_box(n, subscripting_ref, Node::SubscriptingRef),
        15 => r.in_box(n, func_expr, Node::FuncExpr),
        16 => r.in_box(n, named_arg_expr, Node::NamedArgExpr),
        17 => r.in_box(n, op_expr, Node::OpExpr),
        18 => r.in_box(n, distinct_expr, Node::DistinctExpr),
        19 => r.in_box(n, null_if_expr, Node::NullIfExpr),
        20 => r.in_box(n, scalar_array_op_expr, Node::ScalarArrayOpExpr),
        21 => r.in_box(n, bool_expr, Node::BoolExpr),
        22 => r.in_box(n, sub_link, Node::SubLink),
        23 => r.in_box(n, sub_plan, Node::SubPlan),
        24 => r.in_box(n, alternative_sub_plan, Node::AlternativeSubPlan),
        25 => r.in_box(n, field_select, Node::FieldSelect),
        26 => r.in_box(n, field_store, Node::FieldStore),
        27 => r.in_box(n, relabel_type, Node::RelabelType),
        28 => r.in_box(n, coerce_via_io, Node::CoerceViaIo),
        29 => r.in_box(n, array_coerce_expr, Node::ArrayCoerceExpr),
        30 => r.in_box(n, convert_rowtype_expr, Node::ConvertRowtypeExpr),
        31 => r.in_box(n, collate_expr, Node::CollateExpr),
        32 => r.in_box(n, case_expr, Node::CaseExpr),
        33 => r.in_box(n, case_when, Node::CaseWhen),
        34 => r.in_box(n, case_test_expr, Node::CaseTestExpr),
        35 => r.in_box(n, array_expr, Node::ArrayExpr),
        36 => r.in_box(n, row_expr, Node::RowExpr),
        37 => r.in_box(n, row_compare_expr, Node::RowCompareExpr),
        38 => r.in_box(n, coalesce_expr, Node::CoalesceExpr),
        39 => r.in_box(n, min_max_expr, Node::MinMaxExpr),
        40 => r.in_box(n, sqlvalue_function, Node::SqlvalueFunction),
        41 => r.in_box(n, xml_expr, Node::XmlExpr),
        42 => r.in_place(n, json_format, Node::JsonFormat),
        43 => r.in_place(n, json_returning, Node::JsonReturning),
        44 => r.in_box(n, json_value_expr, Node::JsonValueExpr),
        45 => r.in_box(n, json_constructor_expr, Node::JsonConstructorExpr),
        46 => r.in_box(n, json_is_predicate, Node::JsonIsPredicate),
        47 => r.in_box(n, json_behavior, Node::JsonBehavior),
        48 => r.in_box(n, json_expr, Node::JsonExpr),
        49 => r.in_place(n, json_table_path, Node::JsonTablePath),
        50 => r.in_box(n, json_table_path_scan, Node::JsonTablePathScan),
        51 => r.in_box(n, json_table_sibling_join, Node::JsonTableSiblingJoin),
        52 => r.in_box(n, null_test, Node::NullTest),
        53 => r.in_box(n, boolean_test, Node::BooleanTest),
        54 => r.in_box(n, merge_action, Node::MergeAction),
        55 => r.in_box(n, coerce_to_domain, Node::CoerceToDomain),
        56 => r.in_box(n, coerce_to_domain_value, Node::CoerceToDomainValue),
        57 => r.in_box(n, set_to_default, Node::SetToDefault),
        58 => r.in_box(n, current_of_expr, Node::CurrentOfExpr),
        59 => r.in_box(n, next_value_expr, Node::NextValueExpr),
        60 => r.in_box(n, inference_elem, Node::InferenceElem),
        61 => r.in_box(n, returning_expr, Node::ReturningExpr),
        62 => r.in_box(n, target_entry, Node::TargetEntry),
        63 => r.in_place(n, range_tbl_ref, Node::RangeTblRef),
        64 => r.in_box(n, join_expr, Node::JoinExpr),
        65 => r.in_box(n, from_expr, Node::FromExpr),
        66 => r.in_box(n, on_conflict_expr, Node::OnConflictExpr),
        67 => r.in_box(n, query, Node::Query),
        68 => r.in_place(n, type_name, Node::TypeName),
        69 => r.in_place(n, column_ref, Node::ColumnRef),
        70 => r.in_place(n, param_ref, Node::ParamRef),
        71 => r.in_box(n, aexpr, Node::AExpr),
        73 => r.in_box(n, type_cast, Node::TypeCast),
        74 => r.in_box(n, collate_clause, Node::CollateClause),
        75 => r.in_place(n, role_spec, Node::RoleSpec),
        76 => r.in_box(n, func_call, Node::FuncCall),
        77 => r.in_place(n, astar, Node::AStar),
        78 => r.in_box(n, aindices, Node::AIndices),
        79 => r.in_box(n, aindirection, Node::AIndirection),
        80 => r.in_place(n, aarray_expr, Node::AArrayExpr),
        81 => r.in_box(n, res_target, Node::ResTarget),
        82 => r.in_box(n, multi_assign_ref, Node::MultiAssignRef),
        83 => r.in_box(n, sort_by, Node::SortBy),
        84 => r.in_box(n, window_def, Node::WindowDef),
        85 => r.in_box(n, range_subselect, Node::RangeSubselect),
        86 => r.in_place(n, range_function, Node::RangeFunction),
        87 => r.in_box(n, range_table_func, Node::RangeTableFunc),
        88 => r.in_box(n, range_table_func_col, Node::RangeTableFuncCol),
        89 => r.in_box(n, range_table_sample, Node::RangeTableSample),
        90 => r.in_box(n, column_def, Node::ColumnDef),
        91 => r.in_place(n, table_like_clause, Node::TableLikeClause),
        92 => r.in_box(n, index_elem, Node::IndexElem),
        93 => r.in_box(n, def_elem, Node::DefElem),
        94 => r.in_place(n, locking_clause, Node::LockingClause),
        95 => r.in_box(n, xml_serialize, Node::XmlSerialize),
        96 => r.in_box(n, partition_elem, Node::PartitionElem),
        97 => r.in_place(n, partition_spec, Node::PartitionSpec),
        98 => r.in_place(n, partition_bound_spec, Node::PartitionBoundSpec),
        99 => r.in_box(n, partition_range_datum, Node::PartitionRangeDatum),
        100 => r.in_place(n, partition_cmd, Node::PartitionCmd),
        101 => r.in_box(n, range_tbl_entry, Node::RangeTblEntry),
        102 => r.in_place(n, rtepermission_info, Node::RtepermissionInfo),
        103 => r.in_box(n, range_tbl_function, Node::RangeTblFunction),
        104 => r.in_box(n, table_sample_clause, Node::TableSampleClause),
        105 => r.in_box(n, with_check_option, Node::WithCheckOption),
        106 => r.in_place(n, sort_group_clause, Node::SortGroupClause),
        107 => r.in_place(n, grouping_set, Node::GroupingSet),
        108 => r.in_box(n, window_clause, Node::WindowClause),
        109 => r.in_place(n, row_mark_clause, Node::RowMarkClause),
        110 => r.in_place(n, with_clause, Node::WithClause),
        111 => r.in_box(n, infer_clause, Node::InferClause),
        112 => r.in_box(n, on_conflict_clause, Node::OnConflictClause),
        113 => r.in_place(n, ctesearch_clause, Node::CtesearchClause),
        114 => r.in_box(n, ctecycle_clause, Node::CtecycleClause),
        115 => r.in_box(n, common_table_expr, Node::CommonTableExpr),
        116 => r.in_box(n, merge_when_clause, Node::MergeWhenClause),
        117 => r.in_place(n, returning_option, Node::ReturningOption),
        118 => r.in_place(n, returning_clause, Node::ReturningClause),
        119 => r.in_place(n, trigger_transition, Node::TriggerTransition),
        120 => r.in_place(n, json_output, Node::JsonOutput),
        121 => r.in_box(n, json_argument, Node::JsonArgument),
        122 => r.in_box(n, json_func_expr, Node::JsonFuncExpr),
        123 => r.in_box(n, json_table_path_spec, Node::JsonTablePathSpec),
        124 => r.in_box(n, json_table, Node::JsonTable),
        125 => r.in_box(n, json_table_column, Node::JsonTableColumn),
        126 => r.in_box(n, json_key_value, Node::JsonKeyValue),
        127 => r.in_box(n, json_parse_expr, Node::JsonParseExpr),
        128 => r.in_box(n, json_scalar_expr, Node::JsonScalarExpr),
        129 => r.in_box(n, json_serialize_expr, Node::JsonSerializeExpr),
        130 => r.in_place(n, json_object_constructor, Node::JsonObjectConstructor),
        131 => r.in_place(n, json_array_constructor, Node::JsonArrayConstructor),
        132 => r.in_box(n, json_array_query_constructor, Node::JsonArrayQueryConstructor),
        133 => r.in_box(n, json_agg_constructor, Node::JsonAggConstructor),
        134 => r.in_box(n, json_object_agg, Node::JsonObjectAgg),
        135 => r.in_box(n, json_array_agg, Node::JsonArrayAgg),
        136 => r.in_box(n, raw_stmt, Node::RawStmt),
        137 => r.in_box(n, insert_stmt, Node::InsertStmt),
        138 => r.in_box(n, delete_stmt, Node::DeleteStmt),
        139 => r.in_box(n, update_stmt, Node::UpdateStmt),
        140 => r.in_box(n, merge_stmt, Node::MergeStmt),
        141 => r.in_box(n, select_stmt, Node::SelectStmt),
        142 => r.in_box(n, set_operation_stmt, Node::SetOperationStmt),
        143 => r.in_box(n, return_stmt, Node::ReturnStmt),
        144 => r.in_box(n, plassign_stmt, Node::PlassignStmt),
        145 => r.in_place(n, create_schema_stmt, Node::CreateSchemaStmt),
        146 => r.in_place(n, alter_table_stmt, Node::AlterTableStmt),
        147 => r.in_box(n, alter_table_cmd, Node::AlterTableCmd),
        148 => r.in_place(n, atalter_constraint, Node::AtalterConstraint),
        149 => r.in_place(n, replica_identity_stmt, Node::ReplicaIdentityStmt),
        150 => r.in_place(n, alter_collation_stmt, Node::AlterCollationStmt),
        151 => r.in_box(n, alter_domain_stmt, Node::AlterDomainStmt),
        152 => r.in_place(n, grant_stmt, Node::GrantStmt),
        153 => r.in_place(n, object_with_args, Node::ObjectWithArgs),
        154 => r.in_place(n, access_priv, Node::AccessPriv),
        155 => r.in_place(n, grant_role_stmt, Node::GrantRoleStmt),
        156 => r.in_place(n, alter_default_privileges_stmt, Node::AlterDefaultPrivilegesStmt),
        157 => r.in_box(n, copy_stmt, Node::CopyStmt),
        158 => r.in_place(n, variable_set_stmt, Node::VariableSetStmt),
        159 => r.in_place(n, variable_show_stmt, Node::VariableShowStmt),
        160 => r.in_place(n, create_stmt, Node::CreateStmt),
        161 => r.in_box(n, constraint, Node::Constraint),
        162 => r.in_place(n, create_table_space_stmt, Node::CreateTableSpaceStmt),
        163 => r.in_place(n, drop_table_space_stmt, Node::DropTableSpaceStmt),
        164 => r.in_place(n, alter_table_space_options_stmt, Node::AlterTableSpaceOptionsStmt),
        165 => r.in_place(n, alter_table_move_all_stmt, Node::AlterTableMoveAllStmt),
        166 => r.in_place(n, create_extension_stmt, Node::CreateExtensionStmt),
        167 => r.in_place(n, alter_extension_stmt, Node::AlterExtensionStmt),
        168 => r.in_box(n, alter_extension_contents_stmt, Node::AlterExtensionContentsStmt),
        169 => r.in_place(n, create_fdw_stmt, Node::CreateFdwStmt),
        170 => r.in_place(n, alter_fdw_stmt, Node::AlterFdwStmt),
        171 => r.in_place(n, create_foreign_server_stmt, Node::CreateForeignServerStmt),
        172 => r.in_place(n, alter_foreign_server_stmt, Node::AlterForeignServerStmt),
        173 => r.in_place(n, create_foreign_table_stmt, Node::CreateForeignTableStmt),
        174 => r.in_place(n, create_user_mapping_stmt, Node::CreateUserMappingStmt),
        175 => r.in_place(n, alter_user_mapping_stmt, Node::AlterUserMappingStmt),
        176 => r.in_place(n, drop_user_mapping_stmt, Node::DropUserMappingStmt),
        177 => r.in_place(n, import_foreign_schema_stmt, Node::ImportForeignSchemaStmt),
        178 => r.in_box(n, create_policy_stmt, Node::CreatePolicyStmt),
        179 => r.in_box(n, alter_policy_stmt, Node::AlterPolicyStmt),
        180 => r.in_place(n, create_am_stmt, Node::CreateAmStmt),
        181 => r.in_box(n, create_trig_stmt, Node::CreateTrigStmt),
        182 => r.in_place(n, create_event_trig_stmt, Node::CreateEventTrigStmt),
        183 => r.in_place(n, alter_event_trig_stmt, Node::AlterEventTrigStmt),
        184 => r.in_place(n, create_plang_stmt, Node::CreatePlangStmt),
        185 => r.in_place(n, create_role_stmt, Node::CreateRoleStmt),
        186 => r.in_place(n, alter_role_stmt, Node::AlterRoleStmt),
        187 => r.in_place(n, alter_role_set_stmt, Node::AlterRoleSetStmt),
        188 => r.in_place(n, drop_role_stmt, Node::DropRoleStmt),
        189 => r.in_place(n, create_seq_stmt, Node::CreateSeqStmt),
        190 => r.in_place(n, alter_seq_stmt, Node::AlterSeqStmt),
        191 => r.in_place(n, define_stmt, Node::DefineStmt),
        192 => r.in_box(n, create_domain_stmt, Node::CreateDomainStmt),
        193 => r.in_place(n, create_op_class_stmt, Node::CreateOpClassStmt),
        194 => r.in_place(n, create_op_class_item, Node::CreateOpClassItem),
        195 => r.in_place(n, create_op_family_stmt, Node::CreateOpFamilyStmt),
        196 => r.in_place(n, alter_op_family_stmt, Node::AlterOpFamilyStmt),
        197 => r.in_place(n, drop_stmt, Node::DropStmt),
        198 => r.in_place(n, truncate_stmt, Node::TruncateStmt),
        199 => r.in_box(n, comment_stmt, Node::CommentStmt),
        200 => r.in_box(n, sec_label_stmt, Node::SecLabelStmt),
        201 => r.in_box(n, declare_cursor_stmt, Node::DeclareCursorStmt),
        202 => r.in_place(n, close_portal_stmt, Node::ClosePortalStmt),
        203 => r.in_place(n, fetch_stmt, Node::FetchStmt),
        204 => r.in_box(n, index_stmt, Node::IndexStmt),
        205 => r.in_place(n, create_stats_stmt, Node::CreateStatsStmt),
        206 => r.in_box(n, stats_elem, Node::StatsElem),
        207 => r.in_box(n, alter_stats_stmt, Node::AlterStatsStmt),
        208 => r.in_box(n, create_function_stmt, Node::CreateFunctionStmt),
        209 => r.in_box(n, function_parameter, Node::FunctionParameter),
        210 => r.in_place(n, alter_function_stmt, Node::AlterFunctionStmt),
        211 => r.in_place(n, do_stmt, Node::DoStmt),
        212 => r.in_place(n, inline_code_block, Node::InlineCodeBlock),
        213 => r.in_box(n, call_stmt, Node::CallStmt),
        214 => r.in_place(n, call_context, Node::CallContext),
        215 => r.in_box(n, rename_stmt, Node::RenameStmt),
        216 => r.in_box(n, alter_object_depends_stmt, Node::AlterObjectDependsStmt),
        217 => r.in_box(n, alter_object_schema_stmt, Node::AlterObjectSchemaStmt),
        218 => r.in_box(n, alter_owner_stmt, Node::AlterOwnerStmt),
        219 => r.in_place(n, alter_operator_stmt, Node::AlterOperatorStmt),
        220 => r.in_place(n, alter_type_stmt, Node::AlterTypeStmt),
        221 => r.in_box(n, rule_stmt, Node::RuleStmt),
        222 => r.in_place(n, notify_stmt, Node::NotifyStmt),
        223 => r.in_place(n, listen_stmt, Node::ListenStmt),
        224 => r.in_place(n, unlisten_stmt, Node::UnlistenStmt),
        225 => r.in_place(n, transaction_stmt, Node::TransactionStmt),
        226 => r.in_place(n, composite_type_stmt, Node::CompositeTypeStmt),
        227 => r.in_place(n, create_enum_stmt, Node::CreateEnumStmt),
        228 => r.in_place(n, create_range_stmt, Node::CreateRangeStmt),
        229 => r.in_place(n, alter_enum_stmt, Node::AlterEnumStmt),
        230 => r.in_box(n, view_stmt, Node::ViewStmt),
        231 => r.in_place(n, load_stmt, Node::LoadStmt),
        232 => r.in_place(n, createdb_stmt, Node::CreatedbStmt),
        233 => r.in_place(n, alter_database_stmt, Node::AlterDatabaseStmt),
        234 => r.in_place(n, alter_database_refresh_coll_stmt, Node::AlterDatabaseRefreshCollStmt),
        235 => r.in_place(n, alter_database_set_stmt, Node::AlterDatabaseSetStmt),
        236 => r.in_place(n, dropdb_stmt, Node::DropdbStmt),
        237 => r.in_place(n, alter_system_stmt, Node::AlterSystemStmt),
        238 => r.in_place(n, cluster_stmt, Node::ClusterStmt),
        239 => r.in_place(n, vacuum_stmt, Node::VacuumStmt),
        240 => r.in_place(n, vacuum_relation, Node::VacuumRelation),
        241 => r.in_box(n, explain_stmt, Node::ExplainStmt),
        242 => r.in_box(n, create_table_as_stmt, Node::CreateTableAsStmt),
        243 => r.in_place(n, refresh_mat_view_stmt, Node::RefreshMatViewStmt),
        244 => r.in_place(n, check_point_stmt, Node::CheckPointStmt),
        245 => r.in_place(n, discard_stmt, Node::DiscardStmt),
        246 => r.in_place(n, lock_stmt, Node::LockStmt),
        247 => r.in_place(n, constraints_set_stmt, Node::ConstraintsSetStmt),
        248 => r.in_place(n, reindex_stmt, Node::ReindexStmt),
        249 => r.in_place(n, create_conversion_stmt, Node::CreateConversionStmt),
        250 => r.in_place(n, create_cast_stmt, Node::CreateCastStmt),
        251 => r.in_place(n, create_transform_stmt, Node::CreateTransformStmt),
        252 => r.in_box(n, prepare_stmt, Node::PrepareStmt),
        253 => r.in_place(n, execute_stmt, Node::ExecuteStmt),
        254 => r.in_place(n, deallocate_stmt, Node::DeallocateStmt),
        255 => r.in_place(n, drop_owned_stmt, Node::DropOwnedStmt),
        256 => r.in_place(n, reassign_owned_stmt, Node::ReassignOwnedStmt),
        257 => r.in_place(n, alter_tsdictionary_stmt, Node::AlterTsdictionaryStmt),
        258 => r.in_place(n, alter_tsconfiguration_stmt, Node::AlterTsconfigurationStmt),
        259 => r.in_box(n, publication_table, Node::PublicationTable),
        260 => r.in_box(n, publication_obj_spec, Node::PublicationObjSpec),
        261 => r.in_place(n, create_publication_stmt, Node::CreatePublicationStmt),
        262 => r.in_place(n, alter_publication_stmt, Node::AlterPublicationStmt),
        263 => r.in_place(n, create_subscription_stmt, Node::CreateSubscriptionStmt),
        264 => r.in_place(n, alter_subscription_stmt, Node::AlterSubscriptionStmt),
        265 => r.in_place(n, drop_subscription_stmt, Node::DropSubscriptionStmt),
        _ => Err(Bad::Node),
    }
}

fn alias(r: &mut Reader, n: At) -> Result<pg::Alias, Bad> {
    Ok(pg::Alias { aliasname: r.text(n, 8)?, colnames: r.items(n, 16)? })
}

fn range_var(r: &mut Reader, n: At) -> Result<pg::RangeVar, Bad> {
    Ok(pg::RangeVar {
        catalogname: r.text(n, 8)?,
        schemaname: r.text(n, 16)?,
        relname: r.text(n, 24)?,
        inh: r.flag(n, 32),
        relpersistence: r.character(n, 33)?,
        alias: r.plain(n, 40, 2, alias)?,
        location: r.i32(n, 48),
    })
}

fn table_func(r: &mut Reader, n: At) -> Result<pg::TableFunc, Bad> {
    Ok(pg::TableFunc {
        functype: r.number(n, 4, 1)?,
        ns_uris: r.items(n, 8)?,
        ns_names: r.items(n, 16)?,
        docexpr: r.boxed_node(n, 24)?,
        rowexpr: r.boxed_node(n, 32)?,
        colnames: r.items(n, 40)?,
        coltypes: r.items(n, 48)?,
        coltypmods: r.items(n, 56)?,
        colcollations: r.items(n, 64)?,
        colexprs: r.items(n, 72)?,
        coldefexprs: r.items(n, 80)?,
        colvalexprs: r.items(n, 88)?,
        passingvalexprs: r.items(n, 96)?,
        notnulls: r.no_set(n, 104)?,
        plan: r.boxed_node(n, 112)?,
        ordinalitycol: r.i32(n, 120),
        location: r.i32(n, 124),
    })
}

fn into_clause(r: &mut Reader, n: At) -> Result<pg::IntoClause, Bad> {
    Ok(pg::IntoClause {
        rel: r.plain(n, 8, 3, range_var)?,
        col_names: r.items(n, 16)?,
        access_method: r.text(n, 24)?,
        options: r.items(n, 32)?,
        on_commit: r.number(n, 40, 3)?,
        table_space_name: r.text(n, 48)?,
        view_query: r.boxed(n, 56, 67, query)?,
        skip_data: r.flag(n, 64),
    })
}

fn var(r: &mut Reader, n: At) -> Result<pg::Var, Bad> {
    Ok(pg::Var {
        varno: r.i32(n, 4),
        varattno: r.i16(n, 8).into(),
        vartype: r.u32(n, 12),
        vartypmod: r.i32(n, 16),
        varcollid: r.u32(n, 20),
        varnullingrels: r.no_set(n, 24)?,
        varlevelsup: r.u32(n, 32),
        varreturningtype: r.number(n, 36, 2)?,
        location: r.i32(n, 48),
        ..Default::default()
    })
}

fn param(r: &mut Reader, n: At) -> Result<pg::Param, Bad> {
    Ok(pg::Param {
        paramkind: r.number(n, 4, 3)?,
        paramid: r.i32(n, 8),
        paramtype: r.u32(n, 12),
        paramtypmod: r.i32(n, 16),
        paramcollid: r.u32(n, 20),
        location: r.i32(n, 24),
        ..Default::default()
    })
}

fn aggref(r: &mut Reader, n: At) -> Result<pg::Aggref, Bad> {
    Ok(pg::Aggref {
        aggfnoid: r.u32(n, 4),
        aggtype: r.u32(n, 8),
        aggcollid: r.u32(n, 12),
        inputcollid: r.u32(n, 16),
        aggargtypes: r.items(n, 24)?,
        aggdirectargs: r.items(n, 32)?,
        args: r.items(n, 40)?,
        aggorder: r.items(n, 48)?,
        aggdistinct: r.items(n, 56)?,
        aggfilter: r.boxed_node(n, 64)?,
        aggstar: r.flag(n, 72),
        aggvariadic: r.flag(n, 73),
        aggkind: r.character(n, 74)?,
        agglevelsup: r.u32(n, 76),
        aggsplit: match r.i32(n, 80) {
            0 => 1,
            6 => 2,
            9 => 3,
            _ => return Err(Bad::Node),
        },
        aggno: r.i32(n, 84),
        aggtransno: r.i32(n, 88),
        location: r.i32(n, 92),
        ..Default::default()
    })
}

fn grouping_func(r: &mut Reader, n: At) -> Result<pg::GroupingFunc, Bad> {
    Ok(pg::GroupingFunc {
        args: r.items(n, 8)?,
        refs: r.items(n, 16)?,
        agglevelsup: r.u32(n, 32),
        location: r.i32(n, 36),
        ..Default::default()
    })
}

fn window_func(r: &mut Reader, n: At) -> Result<pg::WindowFunc, Bad> {
    Ok(pg::WindowFunc {
        winfnoid: r.u32(n, 4),
        wintype: r.u32(n, 8),
        wincollid: r.u32(n, 12),
        inputcollid: r.u32(n, 16),
        args: r.items(n, 24)?,
        aggfilter: r.boxed_node(n, 32)?,
        run_condition: r.items(n, 40)?,
        winref: r.u32(n, 48),
        winstar: r.flag(n, 52),
        winagg: r.flag(n, 53),
        location: r.i32(n, 56),
        ..Default::default()
    })
}

fn window_func_run_condition(r: &mut Reader, n: At) -> Result<pg::WindowFuncRunCondition, Bad> {
    Ok(pg::WindowFuncRunCondition {
        opno: r.u32(n, 4),
        inputcollid: r.u32(n, 8),
        wfunc_left: r.flag(n, 12),
        arg: r.boxed_node(n, 16)?,
        ..Default::default()
    })
}

fn merge_support_func(r: &mut Reader, n: At) -> Result<pg::MergeSupportFunc, Bad> {
    Ok(pg::MergeSupportFunc {
        msftype: r.u32(n, 4),
        msfcollid: r.u32(n, 8),
        location: r.i32(n, 12),
        ..Default::default()
    })
}

fn subscripting_ref(r: &mut Reader, n: At) -> Result<pg::SubscriptingRef, Bad> {
    Ok(pg::SubscriptingRef {
        refcontainertype: r.u32(n, 4),
        refelemtype: r.u32(n, 8),
        refrestype: r.u32(n, 12),
        reftypmod: r.i32(n, 16),
        refcollid: r.u32(n, 20),
        refupperindexpr: r.items(n, 24)?,
        reflowerindexpr: r.items(n, 32)?,
        refexpr: r.boxed_node(n, 40)?,
        refassgnexpr: r.boxed_node(n, 48)?,
        ..Default::default()
    })
}

fn func_expr(r: &mut Reader, n: At) -> Result<pg::FuncExpr, Bad> {
    Ok(pg::FuncExpr {
        funcid: r.u32(n, 4),
        funcresulttype: r.u32(n, 8),
        funcretset: r.flag(n, 12),
        funcvariadic: r.flag(n, 13),
        funcformat: r.number(n, 16, 3)?,
        funccollid: r.u32(n, 20),
        inputcollid: r.u32(n, 24),
        args: r.items(n, 32)?,
        location: r.i32(n, 40),
        ..Default::default()
    })
}

fn named_arg_expr(r: &mut Reader, n: At) -> Result<pg::NamedArgExpr, Bad> {
    Ok(pg::NamedArgExpr {
        arg: r.boxed_node(n, 8)?,
        name: r.text(n, 16)?,
        argnumber: r.i32(n, 24),
        location: r.i32(n, 28),
        ..Default::default()
    })
}

fn op_expr(r: &mut Reader, n: At) -> Result<pg::OpExpr, Bad> {
    Ok(pg::OpExpr {
        opno: r.u32(n, 4),
        opresulttype: r.u32(n, 12),
        opretset: r.flag(n, 16),
        opcollid: r.u32(n, 20),
        inputcollid: r.u32(n, 24),
        args: r.items(n, 32)?,
        location: r.i32(n, 40),
        ..Default::default()
    })
}

fn distinct_expr(r: &mut Reader, n: At) -> Result<pg::DistinctExpr, Bad> {
    Ok(pg::DistinctExpr {
        opno: r.u32(n, 4),
        opresulttype: r.u32(n, 12),
        opretset: r.flag(n, 16),
        opcollid: r.u32(n, 20),
        inputcollid: r.u32(n, 24),
        args: r.items(n, 32)?,
        location: r.i32(n, 40),
        ..Default::default()
    })
}

fn null_if_expr(r: &mut Reader, n: At) -> Result<pg::NullIfExpr, Bad> {
    Ok(pg::NullIfExpr {
        opno: r.u32(n, 4),
        opresulttype: r.u32(n, 12),
        opretset: r.flag(n, 16),
        opcollid: r.u32(n, 20),
        inputcollid: r.u32(n, 24),
        args: r.items(n, 32)?,
        location: r.i32(n, 40),
        ..Default::default()
    })
}

fn scalar_array_op_expr(r: &mut Reader, n: At) -> Result<pg::ScalarArrayOpExpr, Bad> {
    Ok(pg::ScalarArrayOpExpr {
        opno: r.u32(n, 4),
        use_or: r.flag(n, 20),
        inputcollid: r.u32(n, 24),
        args: r.items(n, 32)?,
        location: r.i32(n, 40),
        ..Default::default()
    })
}

fn bool_expr(r: &mut Reader, n: At) -> Result<pg::BoolExpr, Bad> {
    Ok(pg::BoolExpr {
        boolop: r.number(n, 4, 2)?,
        args: r.items(n, 8)?,
        location: r.i32(n, 16),
        ..Default::default()
    })
}

fn sub_link(r: &mut Reader, n: At) -> Result<pg::SubLink, Bad> {
    Ok(pg::SubLink {
        sub_link_type: r.number(n, 4, 7)?,
        sub_link_id: r.i32(n, 8),
        testexpr: r.boxed_node(n, 16)?,
        oper_name: r.items(n, 24)?,
        subselect: r.boxed_node(n, 32)?,
        location: r.i32(n, 40),
        ..Default::default()
    })
}

fn sub_plan(r: &mut Reader, n: At) -> Result<pg::SubPlan, Bad> {
    Ok(pg::SubPlan {
        sub_link_type: r.number(n, 4, 7)?,
        testexpr: r.boxed_node(n, 8)?,
        param_ids: r.items(n, 16)?,
        plan_id: r.i32(n, 24),
        plan_name: r.text(n, 32)?,
        first_col_type: r.u32(n, 40),
        first_col_typmod: r.i32(n, 44),
        first_col_collation: r.u32(n, 48),
        use_hash_table: r.flag(n, 52),
        unknown_eq_false: r.flag(n, 53),
        parallel_safe: r.flag(n, 54),
        set_param: r.items(n, 56)?,
        par_param: r.items(n, 64)?,
        args: r.items(n, 72)?,
        startup_cost: r.f64(n, 80),
        per_call_cost: r.f64(n, 88),
        ..Default::default()
    })
}

fn alternative_sub_plan(r: &mut Reader, n: At) -> Result<pg::AlternativeSubPlan, Bad> {
    Ok(pg::AlternativeSubPlan { subplans: r.items(n, 8)?, ..Default::default() })
}

fn field_select(r: &mut Reader, n: At) -> Result<pg::FieldSelect, Bad> {
    Ok(pg::FieldSelect {
        arg: r.boxed_node(n, 8)?,
        fieldnum: r.i16(n, 16).into(),
        resulttype: r.u32(n, 20),
        resulttypmod: r.i32(n, 24),
        resultcollid: r.u32(n, 28),
        ..Default::default()
    })
}

fn field_store(r: &mut Reader, n: At) -> Result<pg::FieldStore, Bad> {
    Ok(pg::FieldStore {
        arg: r.boxed_node(n, 8)?,
        newvals: r.items(n, 16)?,
        fieldnums: r.items(n, 24)?,
        resulttype: r.u32(n, 32),
        ..Default::default()
    })
}

fn relabel_type(r: &mut Reader, n: At) -> Result<pg::RelabelType, Bad> {
    Ok(pg::RelabelType {
        arg: r.boxed_node(n, 8)?,
        resulttype: r.u32(n, 16),
        resulttypmod: r.i32(n, 20),
        resultcollid: r.u32(n, 24),
        relabelformat: r.number(n, 28, 3)?,
        location: r.i32(n, 32),
        ..Default::default()
    })
}

fn coerce_via_io(r: &mut Reader, n: At) -> Result<pg::CoerceViaIo, Bad> {
    Ok(pg::CoerceViaIo {
        arg: r.boxed_node(n, 8)?,
        resulttype: r.u32(n, 16),
        resultcollid: r.u32(n, 20),
        coerceformat: r.number(n, 24, 3)?,
        location: r.i32(n, 28),
        ..Default::default()
    })
}

fn array_coerce_expr(r: &mut Reader, n: At) -> Result<pg::ArrayCoerceExpr, Bad> {
    Ok(pg::ArrayCoerceExpr {
        arg: r.boxed_node(n, 8)?,
        elemexpr: r.boxed_node(n, 16)?,
        resulttype: r.u32(n, 24),
        resulttypmod: r.i32(n, 28),
        resultcollid: r.u32(n, 32),
        coerceformat: r.number(n, 36, 3)?,
        location: r.i32(n, 40),
        ..Default::default()
    })
}

fn convert_rowtype_expr(r: &mut Reader, n: At) -> Result<pg::ConvertRowtypeExpr, Bad> {
    Ok(pg::ConvertRowtypeExpr {
        arg: r.boxed_node(n, 8)?,
        resulttype: r.u32(n, 16),
        convertformat: r.number(n, 20, 3)?,
        location: r.i32(n, 24),
        ..Default::default()
    })
}

fn collate_expr(r: &mut Reader, n: At) -> Result<pg::CollateExpr, Bad> {
    Ok(pg::CollateExpr {
        arg: r.boxed_node(n, 8)?,
        coll_oid: r.u32(n, 16),
        location: r.i32(n, 20),
        ..Default::default()
    })
}

fn case_expr(r: &mut Reader, n: At) -> Result<pg::CaseExpr, Bad> {
    Ok(pg::CaseExpr {
        casetype: r.u32(n, 4),
        casecollid: r.u32(n, 8),
        arg: r.boxed_node(n, 16)?,
        args: r.items(n, 24)?,
        defresult: r.boxed_node(n, 32)?,
        location: r.i32(n, 40),
        ..Default::default()
    })
}

fn case_when(r: &mut Reader, n: At) -> Result<pg::CaseWhen, Bad> {
    Ok(pg::CaseWhen {
        expr: r.boxed_node(n, 8)?,
        result: r.boxed_node(n, 16)?,
        location: r.i32(n, 24),
        ..Default::default()
    })
}

fn case_test_expr(r: &mut Reader, n: At) -> Result<pg::CaseTestExpr, Bad> {
    Ok(pg::CaseTestExpr {
        type_id: r.u32(n, 4),
        type_mod: r.i32(n, 8),
        collation: r.u32(n, 12),
        ..Default::default()
    })
}

fn array_expr(r: &mut Reader, n: At) -> Result<pg::ArrayExpr, Bad> {
    Ok(pg::ArrayExpr {
        array_typeid: r.u32(n, 4),
        array_collid: r.u32(n, 8),
        element_typeid: r.u32(n, 12),
        elements: r.items(n, 16)?,
        multidims: r.flag(n, 24),
        list_start: r.i32(n, 28),
        list_end: r.i32(n, 32),
        location: r.i32(n, 36),
        ..Default::default()
    })
}

fn row_expr(r: &mut Reader, n: At) -> Result<pg::RowExpr, Bad> {
    Ok(pg::RowExpr {
        args: r.items(n, 8)?,
        row_typeid: r.u32(n, 16),
        row_format: r.number(n, 20, 3)?,
        colnames: r.items(n, 24)?,
        location: r.i32(n, 32),
        ..Default::default()
    })
}

fn row_compare_expr(r: &mut Reader, n: At) -> Result<pg::RowCompareExpr, Bad> {
    Ok(pg::RowCompareExpr {
        cmptype: r.number(n, 4, 8)?,
        opnos: r.items(n, 8)?,
        opfamilies: r.items(n, 16)?,
        inputcollids: r.items(n, 24)?,
        largs: r.items(n, 32)?,
        rargs: r.items(n, 40)?,
        ..Default::default()
    })
}

fn coalesce_expr(r: &mut Reader, n: At) -> Result<pg::CoalesceExpr, Bad> {
    Ok(pg::CoalesceExpr {
        coalescetype: r.u32(n, 4),
        coalescecollid: r.u32(n, 8),
        args: r.items(n, 16)?,
        location: r.i32(n, 24),
        ..Default::default()
    })
}

fn min_max_expr(r: &mut Reader, n: At) -> Result<pg::MinMaxExpr, Bad> {
    Ok(pg::MinMaxExpr {
        minmaxtype: r.u32(n, 4),
        minmaxcollid: r.u32(n, 8),
        inputcollid: r.u32(n, 12),
        op: r.number(n, 16, 1)?,
        args: r.items(n, 24)?,
        location: r.i32(n, 32),
        ..Default::default()
    })
}

fn sqlvalue_function(r: &mut Reader, n: At) -> Result<pg::SqlValueFunction, Bad> {
    Ok(pg::SqlValueFunction {
        op: r.number(n, 4, 14)?,
        r#type: r.u32(n, 8),
        typmod: r.i32(n, 12),
        location: r.i32(n, 16),
        ..Default::default()
    })
}

fn xml_expr(r: &mut Reader, n: At) -> Result<pg::XmlExpr, Bad> {
    Ok(pg::XmlExpr {
        op: r.number(n, 4, 7)?,
        name: r.text(n, 8)?,
        named_args: r.items(n, 16)?,
        arg_names: r.items(n, 24)?,
        args: r.items(n, 32)?,
        xmloption: r.number(n, 40, 1)?,
        indent: r.flag(n, 44),
        r#type: r.u32(n, 48),
        typmod: r.i32(n, 52),
        location: r.i32(n, 56),
        ..Default::default()
    })
}

fn json_format(r: &mut Reader, n: At) -> Result<pg::JsonFormat, Bad> {
    Ok(pg::JsonFormat {
        format_type: r.number(n, 4, 2)?,
        encoding: r.number(n, 8, 3)?,
        location: r.i32(n, 12),
    })
}

fn json_returning(r: &mut Reader, n: At) -> Result<pg::JsonReturning, Bad> {
    Ok(pg::JsonReturning {
        format: r.plain(n, 8, 42, json_format)?,
        typid: r.u32(n, 16),
        typmod: r.i32(n, 20),
    })
}

fn json_value_expr(r: &mut Reader, n: At) -> Result<pg::JsonValueExpr, Bad> {
    Ok(pg::JsonValueExpr {
        raw_expr: r.boxed_node(n, 8)?,
        formatted_expr: r.boxed_node(n, 16)?,
        format: r.plain(n, 24, 42, json_format)?,
    })
}

fn json_constructor_expr(r: &mut Reader, n: At) -> Result<pg::JsonConstructorExpr, Bad> {
    Ok(pg::JsonConstructorExpr {
        r#type: match r.i32(n, 4) {
            1 => 1,
            2 => 2,
            3 => 3,
            4 => 4,
            5 => 5,
            6 => 6,
            7 => 7,
            _ => return Err(Bad::Node),
        },
        args: r.items(n, 8)?,
        func: r.boxed_node(n, 16)?,
        coercion: r.boxed_node(n, 24)?,
        returning: r.plain(n, 32, 43, json_returning)?,
        absent_on_null: r.flag(n, 40),
        unique: r.flag(n, 41),
        location: r.i32(n, 44),
        ..Default::default()
    })
}

fn json_is_predicate(r: &mut Reader, n: At) -> Result<pg::JsonIsPredicate, Bad> {
    Ok(pg::JsonIsPredicate {
        expr: r.boxed_node(n, 8)?,
        format: r.plain(n, 16, 42, json_format)?,
        item_type: r.number(n, 24, 3)?,
        unique_keys: r.flag(n, 28),
        location: r.i32(n, 32),
    })
}

fn json_behavior(r: &mut Reader, n: At) -> Result<pg::JsonBehavior, Bad> {
    Ok(pg::JsonBehavior {
        btype: r.number(n, 4, 8)?,
        expr: r.boxed_node(n, 8)?,
        coerce: r.flag(n, 16),
        location: r.i32(n, 20),
    })
}

fn json_expr(r: &mut Reader, n: At) -> Result<pg::JsonExpr, Bad> {
    Ok(pg::JsonExpr {
        op: r.number(n, 4, 3)?,
        column_name: r.text(n, 8)?,
        formatted_expr: r.boxed_node(n, 16)?,
        format: r.plain(n, 24, 42, json_format)?,
        path_spec: r.boxed_node(n, 32)?,
        returning: r.plain(n, 40, 43, json_returning)?,
        passing_names: r.items(n, 48)?,
        passing_values: r.items(n, 56)?,
        on_empty: r.boxed(n, 64, 47, json_behavior)?,
        on_error: r.boxed(n, 72, 47, json_behavior)?,
        use_io_coercion: r.flag(n, 80),
        use_json_coercion: r.flag(n, 81),
        wrapper: r.number(n, 84, 3)?,
        omit_quotes: r.flag(n, 88),
        collation: r.u32(n, 92),
        location: r.i32(n, 96),
        ..Default::default()
    })
}

fn json_table_path(r: &mut Reader, n: At) -> Result<pg::JsonTablePath, Bad> {
    Ok(pg::JsonTablePath { name: r.text(n, 16)? })
}

fn json_table_path_scan(r: &mut Reader, n: At) -> Result<pg::JsonTablePathScan, Bad> {
    Ok(pg::JsonTablePathScan {
        path: r.plain(n, 8, 49, json_table_path)?,
        error_on_error: r.flag(n, 16),
        child: r.boxed_node(n, 24)?,
        col_min: r.i32(n, 32),
        col_max: r.i32(n, 36),
        ..Default::default()
    })
}

fn json_table_sibling_join(r: &mut Reader, n: At) -> Result<pg::JsonTableSiblingJoin, Bad> {
    Ok(pg::JsonTableSiblingJoin {
        lplan: r.boxed_node(n, 8)?,
        rplan: r.boxed_node(n, 16)?,
        ..Default::default()
    })
}

fn null_test(r: &mut Reader, n: At) -> Result<pg::NullTest, Bad> {
    Ok(pg::NullTest {
        arg: r.boxed_node(n, 8)?,
        nulltesttype: r.number(n, 16, 1)?,
        argisrow: r.flag(n, 20),
        location: r.i32(n, 24),
        ..Default::default()
    })
}

fn boolean_test(r: &mut Reader, n: At) -> Result<pg::BooleanTest, Bad> {
    Ok(pg::BooleanTest {
        arg: r.boxed_node(n, 8)?,
        booltesttype: r.number(n, 16, 5)?,
        location: r.i32(n, 20),
        ..Default::default()
    })
}

fn merge_action(r: &mut Reader, n: At) -> Result<pg::MergeAction, Bad> {
    Ok(pg::MergeAction {
        match_kind: r.number(n, 4, 2)?,
        command_type: r.number(n, 8, 7)?,
        r#override: r.number(n, 12, 2)?,
        qual: r.boxed_node(n, 16)?,
        target_list: r.items(n, 24)?,
        update_colnos: r.items(n, 32)?,
    })
}

fn coerce_to_domain(r: &mut Reader, n: At) -> Result<pg::CoerceToDomain, Bad> {
    Ok(pg::CoerceToDomain {
        arg: r.boxed_node(n, 8)?,
        resulttype: r.u32(n, 16),
        resulttypmod: r.i32(n, 20),
        resultcollid: r.u32(n, 24),
        coercionformat: r.number(n, 28, 3)?,
        location: r.i32(n, 32),
        ..Default::default()
    })
}

fn coerce_to_domain_value(r: &mut Reader, n: At) -> Result<pg::CoerceToDomainValue, Bad> {
    Ok(pg::CoerceToDomainValue {
        type_id: r.u32(n, 4),
        type_mod: r.i32(n, 8),
        collation: r.u32(n, 12),
        location: r.i32(n, 16),
        ..Default::default()
    })
}

fn set_to_default(r: &mut Reader, n: At) -> Result<pg::SetToDefault, Bad> {
    Ok(pg::SetToDefault {
        type_id: r.u32(n, 4),
        type_mod: r.i32(n, 8),
        collation: r.u32(n, 12),
        location: r.i32(n, 16),
        ..Default::default()
    })
}

fn current_of_expr(r: &mut Reader, n: At) -> Result<pg::CurrentOfExpr, Bad> {
    Ok(pg::CurrentOfExpr {
        cvarno: r.u32(n, 4),
        cursor_name: r.text(n, 8)?,
        cursor_param: r.i32(n, 16),
        ..Default::default()
    })
}

fn next_value_expr(r: &mut Reader, n: At) -> Result<pg::NextValueExpr, Bad> {
    Ok(pg::NextValueExpr { seqid: r.u32(n, 4), type_id: r.u32(n, 8), ..Default::default() })
}

fn inference_elem(r: &mut Reader, n: At) -> Result<pg::InferenceElem, Bad> {
    Ok(pg::InferenceElem {
        expr: r.boxed_node(n, 8)?,
        infercollid: r.u32(n, 16),
        inferopclass: r.u32(n, 20),
        ..Default::default()
    })
}

fn returning_expr(r: &mut Reader, n: At) -> Result<pg::ReturningExpr, Bad> {
    Ok(pg::ReturningExpr {
        retlevelsup: r.i32(n, 4),
        retold: r.flag(n, 8),
        retexpr: r.boxed_node(n, 16)?,
        ..Default::default()
    })
}

fn target_entry(r: &mut Reader, n: At) -> Result<pg::TargetEntry, Bad> {
    Ok(pg::TargetEntry {
        expr: r.boxed_node(n, 8)?,
        resno: r.i16(n, 16).into(),
        resname: r.text(n, 24)?,
        ressortgroupref: r.u32(n, 32),
        resorigtbl: r.u32(n, 36),
        resorigcol: r.i16(n, 40).into(),
        resjunk: r.flag(n, 42),
        ..Default::default()
    })
}

fn range_tbl_ref(r: &mut Reader, n: At) -> Result<pg::RangeTblRef, Bad> {
    Ok(pg::RangeTblRef { rtindex: r.i32(n, 4) })
}

fn join_expr(r: &mut Reader, n: At) -> Result<pg::JoinExpr, Bad> {
    Ok(pg::JoinExpr {
        jointype: r.number(n, 4, 9)?,
        is_natural: r.flag(n, 8),
        larg: r.boxed_node(n, 16)?,
        rarg: r.boxed_node(n, 24)?,
        using_clause: r.items(n, 32)?,
        join_using_alias: r.plain(n, 40, 2, alias)?,
        quals: r.boxed_node(n, 48)?,
        alias: r.plain(n, 56, 2, alias)?,
        rtindex: r.i32(n, 64),
    })
}

fn from_expr(r: &mut Reader, n: At) -> Result<pg::FromExpr, Bad> {
    Ok(pg::FromExpr { fromlist: r.items(n, 8)?, quals: r.boxed_node(n, 16)? })
}

fn on_conflict_expr(r: &mut Reader, n: At) -> Result<pg::OnConflictExpr, Bad> {
    Ok(pg::OnConflictExpr {
        action: r.number(n, 4, 2)?,
        arbiter_elems: r.items(n, 8)?,
        arbiter_where: r.boxed_node(n, 16)?,
        constraint: r.u32(n, 24),
        on_conflict_set: r.items(n, 32)?,
        on_conflict_where: r.boxed_node(n, 40)?,
        excl_rel_index: r.i32(n, 48),
        excl_rel_tlist: r.items(n, 56)?,
    })
}

fn query(r: &mut Reader, n: At) -> Result<pg::Query, Bad> {
    Ok(pg::Query {
        command_type: r.number(n, 4, 7)?,
        query_source: r.number(n, 8, 4)?,
        can_set_tag: r.flag(n, 24),
        utility_stmt: r.boxed_node(n, 32)?,
        result_relation: r.i32(n, 40),
        has_aggs: r.flag(n, 44),
        has_window_funcs: r.flag(n, 45),
        has_target_srfs: r.flag(n, 46),
        has_sub_links: r.flag(n, 47),
        has_distinct_on: r.flag(n, 48),
        has_recursive: r.flag(n, 49),
        has_modifying_cte: r.flag(n, 50),
        has_for_update: r.flag(n, 51),
        has_row_security: r.flag(n, 52),
        has_group_rte: r.flag(n, 53),
        is_return: r.flag(n, 54),
        cte_list: r.items(n, 56)?,
        rtable: r.items(n, 64)?,
        rteperminfos: r.items(n, 72)?,
        jointree: r.boxed(n, 80, 65, from_expr)?,
        merge_action_list: r.items(n, 88)?,
        merge_target_relation: r.i32(n, 96),
        merge_join_condition: r.boxed_node(n, 104)?,
        target_list: r.items(n, 112)?,
        r#override: r.number(n, 120, 2)?,
        on_conflict: r.boxed(n, 128, 66, on_conflict_expr)?,
        returning_old_alias: r.text(n, 136)?,
        returning_new_alias: r.text(n, 144)?,
        returning_list: r.items(n, 152)?,
        group_clause: r.items(n, 160)?,
        group_distinct: r.flag(n, 168),
        grouping_sets: r.items(n, 176)?,
        having_qual: r.boxed_node(n, 184)?,
        window_clause: r.items(n, 192)?,
        distinct_clause: r.items(n, 200)?,
        sort_clause: r.items(n, 208)?,
        limit_offset: r.boxed_node(n, 216)?,
        limit_count: r.boxed_node(n, 224)?,
        limit_option: r.number(n, 232, 2)?,
        row_marks: r.items(n, 240)?,
        set_operations: r.boxed_node(n, 248)?,
        constraint_deps: r.items(n, 256)?,
        with_check_options: r.items(n, 264)?,
        stmt_location: r.i32(n, 272),
        stmt_len: r.i32(n, 276),
    })
}

fn type_name(r: &mut Reader, n: At) -> Result<pg::TypeName, Bad> {
    Ok(pg::TypeName {
        names: r.items(n, 8)?,
        type_oid: r.u32(n, 16),
        setof: r.flag(n, 20),
        pct_type: r.flag(n, 21),
        typmods: r.items(n, 24)?,
        typemod: r.i32(n, 32),
        array_bounds: r.items(n, 40)?,
        location: r.i32(n, 48),
    })
}

fn column_ref(r: &mut Reader, n: At) -> Result<pg::ColumnRef, Bad> {
    Ok(pg::ColumnRef { fields: r.items(n, 8)?, location: r.i32(n, 16) })
}

fn param_ref(r: &mut Reader, n: At) -> Result<pg::ParamRef, Bad> {
    Ok(pg::ParamRef { number: r.i32(n, 4), location: r.i32(n, 8) })
}

fn aexpr(r: &mut Reader, n: At) -> Result<pg::AExpr, Bad> {
    Ok(pg::AExpr {
        kind: r.number(n, 4, 13)?,
        name: r.items(n, 8)?,
        lexpr: r.boxed_node(n, 16)?,
        rexpr: r.boxed_node(n, 24)?,
        rexpr_list_start: r.i32(n, 32),
        rexpr_list_end: r.i32(n, 36),
        location: r.i32(n, 40),
    })
}

fn type_cast(r: &mut Reader, n: At) -> Result<pg::TypeCast, Bad> {
    Ok(pg::TypeCast {
        arg: r.boxed_node(n, 8)?,
        type_name: r.plain(n, 16, 68, type_name)?,
        location: r.i32(n, 24),
    })
}

fn collate_clause(r: &mut Reader, n: At) -> Result<pg::CollateClause, Bad> {
    Ok(pg::CollateClause {
        arg: r.boxed_node(n, 8)?,
        collname: r.items(n, 16)?,
        location: r.i32(n, 24),
    })
}

fn role_spec(r: &mut Reader, n: At) -> Result<pg::RoleSpec, Bad> {
    Ok(pg::RoleSpec {
        roletype: r.number(n, 4, 4)?,
        rolename: r.text(n, 8)?,
        location: r.i32(n, 16),
    })
}

fn func_call(r: &mut Reader, n: At) -> Result<pg::FuncCall, Bad> {
    Ok(pg::FuncCall {
        funcname: r.items(n, 8)?,
        args: r.items(n, 16)?,
        agg_order: r.items(n, 24)?,
        agg_filter: r.boxed_node(n, 32)?,
        over: r.boxed(n, 40, 84, window_def)?,
        agg_within_group: r.flag(n, 48),
        agg_star: r.flag(n, 49),
        agg_distinct: r.flag(n, 50),
        func_variadic: r.flag(n, 51),
        funcformat: r.number(n, 52, 3)?,
        location: r.i32(n, 56),
    })
}

fn astar(_: &mut Reader, _: At) -> Result<pg::AStar, Bad> {
    Ok(pg::AStar {})
}

fn aindices(r: &mut Reader, n: At) -> Result<pg::AIndices, Bad> {
    Ok(pg::AIndices {
        is_slice: r.flag(n, 4),
        lidx: r.boxed_node(n, 8)?,
        uidx: r.boxed_node(n, 16)?,
    })
}

fn aindirection(r: &mut Reader, n: At) -> Result<pg::AIndirection, Bad> {
    Ok(pg::AIndirection { arg: r.boxed_node(n, 8)?, indirection: r.items(n, 16)? })
}

fn aarray_expr(r: &mut Reader, n: At) -> Result<pg::AArrayExpr, Bad> {
    Ok(pg::AArrayExpr {
        elements: r.items(n, 8)?,
        list_start: r.i32(n, 16),
        list_end: r.i32(n, 20),
        location: r.i32(n, 24),
    })
}

fn res_target(r: &mut Reader, n: At) -> Result<pg::ResTarget, Bad> {
    Ok(pg::ResTarget {
        name: r.text(n, 8)?,
        indirection: r.items(n, 16)?,
        val: r.boxed_node(n, 24)?,
        location: r.i32(n, 32),
    })
}

fn multi_assign_ref(r: &mut Reader, n: At) -> Result<pg::MultiAssignRef, Bad> {
    Ok(pg::MultiAssignRef {
        source: r.boxed_node(n, 8)?,
        colno: r.i32(n, 16),
        ncolumns: r.i32(n, 20),
    })
}

fn sort_by(r: &mut Reader, n: At) -> Result<pg::SortBy, Bad> {
    Ok(pg::SortBy {
        node: r.boxed_node(n, 8)?,
        sortby_dir: r.number(n, 16, 3)?,
        sortby_nulls: r.number(n, 20, 2)?,
        use_op: r.items(n, 24)?,
        location: r.i32(n, 32),
    })
}

fn window_def(r: &mut Reader, n: At) -> Result<pg::WindowDef, Bad> {
    Ok(pg::WindowDef {
        name: r.text(n, 8)?,
        refname: r.text(n, 16)?,
        partition_clause: r.items(n, 24)?,
        order_clause: r.items(n, 32)?,
        frame_options: r.i32(n, 40),
        start_offset: r.boxed_node(n, 48)?,
        end_offset: r.boxed_node(n, 56)?,
        location: r.i32(n, 64),
    })
}

fn range_subselect(r: &mut Reader, n: At) -> Result<pg::RangeSubselect, Bad> {
    Ok(pg::RangeSubselect {
        lateral: r.flag(n, 4),
        subquery: r.boxed_node(n, 8)?,
        alias: r.plain(n, 16, 2, alias)?,
    })
}

fn range_function(r: &mut Reader, n: At) -> Result<pg::RangeFunction, Bad> {
    Ok(pg::RangeFunction {
        lateral: r.flag(n, 4),
        ordinality: r.flag(n, 5),
        is_rowsfrom: r.flag(n, 6),
        functions: r.items(n, 8)?,
        alias: r.plain(n, 16, 2, alias)?,
        coldeflist: r.items(n, 24)?,
    })
}

fn range_table_func(r: &mut Reader, n: At) -> Result<pg::RangeTableFunc, Bad> {
    Ok(pg::RangeTableFunc {
        lateral: r.flag(n, 4),
        docexpr: r.boxed_node(n, 8)?,
        rowexpr: r.boxed_node(n, 16)?,
        namespaces: r.items(n, 24)?,
        columns: r.items(n, 32)?,
        alias: r.plain(n, 40, 2, alias)?,
        location: r.i32(n, 48),
    })
}

fn range_table_func_col(r: &mut Reader, n: At) -> Result<pg::RangeTableFuncCol, Bad> {
    Ok(pg::RangeTableFuncCol {
        colname: r.text(n, 8)?,
        type_name: r.plain(n, 16, 68, type_name)?,
        for_ordinality: r.flag(n, 24),
        is_not_null: r.flag(n, 25),
        colexpr: r.boxed_node(n, 32)?,
        coldefexpr: r.boxed_node(n, 40)?,
        location: r.i32(n, 48),
    })
}

fn range_table_sample(r: &mut Reader, n: At) -> Result<pg::RangeTableSample, Bad> {
    Ok(pg::RangeTableSample {
        relation: r.boxed_node(n, 8)?,
        method: r.items(n, 16)?,
        args: r.items(n, 24)?,
        repeatable: r.boxed_node(n, 32)?,
        location: r.i32(n, 40),
    })
}

fn column_def(r: &mut Reader, n: At) -> Result<pg::ColumnDef, Bad> {
    Ok(pg::ColumnDef {
        colname: r.text(n, 8)?,
        type_name: r.plain(n, 16, 68, type_name)?,
        compression: r.text(n, 24)?,
        inhcount: r.i16(n, 32).into(),
        is_local: r.flag(n, 34),
        is_not_null: r.flag(n, 35),
        is_from_type: r.flag(n, 36),
        storage: r.character(n, 37)?,
        storage_name: r.text(n, 40)?,
        raw_default: r.boxed_node(n, 48)?,
        cooked_default: r.boxed_node(n, 56)?,
        identity: r.character(n, 64)?,
        identity_sequence: r.plain(n, 72, 3, range_var)?,
        generated: r.character(n, 80)?,
        coll_clause: r.boxed(n, 88, 74, collate_clause)?,
        coll_oid: r.u32(n, 96),
        constraints: r.items(n, 104)?,
        fdwoptions: r.items(n, 112)?,
        location: r.i32(n, 120),
    })
}

fn table_like_clause(r: &mut Reader, n: At) -> Result<pg::TableLikeClause, Bad> {
    Ok(pg::TableLikeClause {
        relation: r.plain(n, 8, 3, range_var)?,
        options: r.u32(n, 16),
        relation_oid: r.u32(n, 20),
    })
}

fn index_elem(r: &mut Reader, n: At) -> Result<pg::IndexElem, Bad> {
    Ok(pg::IndexElem {
        name: r.text(n, 8)?,
        expr: r.boxed_node(n, 16)?,
        indexcolname: r.text(n, 24)?,
        collation: r.items(n, 32)?,
        opclass: r.items(n, 40)?,
        opclassopts: r.items(n, 48)?,
        ordering: r.number(n, 56, 3)?,
        nulls_ordering: r.number(n, 60, 2)?,
    })
}

fn def_elem(r: &mut Reader, n: At) -> Result<pg::DefElem, Bad> {
    Ok(pg::DefElem {
        defnamespace: r.text(n, 8)?,
        defname: r.text(n, 16)?,
        arg: r.boxed_node(n, 24)?,
        defaction: r.number(n, 32, 3)?,
        location: r.i32(n, 36),
        arg_location: r.i32(n, 40),
    })
}

fn locking_clause(r: &mut Reader, n: At) -> Result<pg::LockingClause, Bad> {
    Ok(pg::LockingClause {
        locked_rels: r.items(n, 8)?,
        strength: r.number(n, 16, 4)?,
        wait_policy: r.number(n, 20, 2)?,
    })
}

fn xml_serialize(r: &mut Reader, n: At) -> Result<pg::XmlSerialize, Bad> {
    Ok(pg::XmlSerialize {
        xmloption: r.number(n, 4, 1)?,
        expr: r.boxed_node(n, 8)?,
        type_name: r.plain(n, 16, 68, type_name)?,
        indent: r.flag(n, 24),
        location: r.i32(n, 28),
    })
}

fn partition_elem(r: &mut Reader, n: At) -> Result<pg::PartitionElem, Bad> {
    Ok(pg::PartitionElem {
        name: r.text(n, 8)?,
        expr: r.boxed_node(n, 16)?,
        collation: r.items(n, 24)?,
        opclass: r.items(n, 32)?,
        location: r.i32(n, 40),
    })
}

fn partition_spec(r: &mut Reader, n: At) -> Result<pg::PartitionSpec, Bad> {
    Ok(pg::PartitionSpec {
        strategy: match r.i32(n, 4) {
            108 => 1,
            114 => 2,
            104 => 3,
            _ => return Err(Bad::Node),
        },
        part_params: r.items(n, 8)?,
        location: r.i32(n, 16),
    })
}

fn partition_bound_spec(r: &mut Reader, n: At) -> Result<pg::PartitionBoundSpec, Bad> {
    Ok(pg::PartitionBoundSpec {
        strategy: r.character(n, 4)?,
        is_default: r.flag(n, 5),
        modulus: r.i32(n, 8),
        remainder: r.i32(n, 12),
        listdatums: r.items(n, 16)?,
        lowerdatums: r.items(n, 24)?,
        upperdatums: r.items(n, 32)?,
        location: r.i32(n, 40),
    })
}

fn partition_range_datum(r: &mut Reader, n: At) -> Result<pg::PartitionRangeDatum, Bad> {
    Ok(pg::PartitionRangeDatum {
        kind: match r.i32(n, 4) {
            -1 => 1,
            0 => 2,
            1 => 3,
            _ => return Err(Bad::Node),
        },
        value: r.boxed_node(n, 8)?,
        location: r.i32(n, 16),
    })
}

fn partition_cmd(r: &mut Reader, n: At) -> Result<pg::PartitionCmd, Bad> {
    Ok(pg::PartitionCmd {
        name: r.plain(n, 8, 3, range_var)?,
        bound: r.plain(n, 16, 98, partition_bound_spec)?,
        concurrent: r.flag(n, 24),
    })
}

fn range_tbl_entry(r: &mut Reader, n: At) -> Result<pg::RangeTblEntry, Bad> {
    Ok(pg::RangeTblEntry {
        alias: r.plain(n, 8, 2, alias)?,
        eref: r.plain(n, 16, 2, alias)?,
        rtekind: r.number(n, 24, 9)?,
        relid: r.u32(n, 28),
        inh: r.flag(n, 32),
        relkind: r.character(n, 33)?,
        rellockmode: r.i32(n, 36),
        perminfoindex: r.u32(n, 40),
        tablesample: r.boxed(n, 48, 104, table_sample_clause)?,
        subquery: r.boxed(n, 56, 67, query)?,
        security_barrier: r.flag(n, 64),
        jointype: r.number(n, 68, 9)?,
        joinmergedcols: r.i32(n, 72),
        joinaliasvars: r.items(n, 80)?,
        joinleftcols: r.items(n, 88)?,
        joinrightcols: r.items(n, 96)?,
        join_using_alias: r.plain(n, 104, 2, alias)?,
        functions: r.items(n, 112)?,
        funcordinality: r.flag(n, 120),
        tablefunc: r.boxed(n, 128, 4, table_func)?,
        values_lists: r.items(n, 136)?,
        ctename: r.text(n, 144)?,
        ctelevelsup: r.u32(n, 152),
        self_reference: r.flag(n, 156),
        coltypes: r.items(n, 160)?,
        coltypmods: r.items(n, 168)?,
        colcollations: r.items(n, 176)?,
        enrname: r.text(n, 184)?,
        enrtuples: r.f64(n, 192),
        groupexprs: r.items(n, 200)?,
        lateral: r.flag(n, 208),
        in_from_cl: r.flag(n, 209),
        security_quals: r.items(n, 216)?,
    })
}

fn rtepermission_info(r: &mut Reader, n: At) -> Result<pg::RtePermissionInfo, Bad> {
    Ok(pg::RtePermissionInfo {
        relid: r.u32(n, 4),
        inh: r.flag(n, 8),
        required_perms: r.u64(n, 16),
        check_as_user: r.u32(n, 24),
        selected_cols: r.no_set(n, 32)?,
        inserted_cols: r.no_set(n, 40)?,
        updated_cols: r.no_set(n, 48)?,
    })
}

fn range_tbl_function(r: &mut Reader, n: At) -> Result<pg::RangeTblFunction, Bad> {
    Ok(pg::RangeTblFunction {
        funcexpr: r.boxed_node(n, 8)?,
        funccolcount: r.i32(n, 16),
        funccolnames: r.items(n, 24)?,
        funccoltypes: r.items(n, 32)?,
        funccoltypmods: r.items(n, 40)?,
        funccolcollations: r.items(n, 48)?,
        funcparams: r.no_set(n, 56)?,
    })
}

fn table_sample_clause(r: &mut Reader, n: At) -> Result<pg::TableSampleClause, Bad> {
    Ok(pg::TableSampleClause {
        tsmhandler: r.u32(n, 4),
        args: r.items(n, 8)?,
        repeatable: r.boxed_node(n, 16)?,
    })
}

fn with_check_option(r: &mut Reader, n: At) -> Result<pg::WithCheckOption, Bad> {
    Ok(pg::WithCheckOption {
        kind: r.number(n, 4, 5)?,
        relname: r.text(n, 8)?,
        polname: r.text(n, 16)?,
        qual: r.boxed_node(n, 24)?,
        cascaded: r.flag(n, 32),
    })
}

fn sort_group_clause(r: &mut Reader, n: At) -> Result<pg::SortGroupClause, Bad> {
    Ok(pg::SortGroupClause {
        tle_sort_group_ref: r.u32(n, 4),
        eqop: r.u32(n, 8),
        sortop: r.u32(n, 12),
        reverse_sort: r.flag(n, 16),
        nulls_first: r.flag(n, 17),
        hashable: r.flag(n, 18),
    })
}

fn grouping_set(r: &mut Reader, n: At) -> Result<pg::GroupingSet, Bad> {
    Ok(pg::GroupingSet {
        kind: r.number(n, 4, 4)?,
        content: r.items(n, 8)?,
        location: r.i32(n, 16),
    })
}

fn window_clause(r: &mut Reader, n: At) -> Result<pg::WindowClause, Bad> {
    Ok(pg::WindowClause {
        name: r.text(n, 8)?,
        refname: r.text(n, 16)?,
        partition_clause: r.items(n, 24)?,
        order_clause: r.items(n, 32)?,
        frame_options: r.i32(n, 40),
        start_offset: r.boxed_node(n, 48)?,
        end_offset: r.boxed_node(n, 56)?,
        start_in_range_func: r.u32(n, 64),
        end_in_range_func: r.u32(n, 68),
        in_range_coll: r.u32(n, 72),
        in_range_asc: r.flag(n, 76),
        in_range_nulls_first: r.flag(n, 77),
        winref: r.u32(n, 80),
        copied_order: r.flag(n, 84),
    })
}

fn row_mark_clause(r: &mut Reader, n: At) -> Result<pg::RowMarkClause, Bad> {
    Ok(pg::RowMarkClause {
        rti: r.u32(n, 4),
        strength: r.number(n, 8, 4)?,
        wait_policy: r.number(n, 12, 2)?,
        pushed_down: r.flag(n, 16),
    })
}

fn with_clause(r: &mut Reader, n: At) -> Result<pg::WithClause, Bad> {
    Ok(pg::WithClause { ctes: r.items(n, 8)?, recursive: r.flag(n, 16), location: r.i32(n, 20) })
}

fn infer_clause(r: &mut Reader, n: At) -> Result<pg::InferClause, Bad> {
    Ok(pg::InferClause {
        index_elems: r.items(n, 8)?,
        where_clause: r.boxed_node(n, 16)?,
        conname: r.text(n, 24)?,
        location: r.i32(n, 32),
    })
}

fn on_conflict_clause(r: &mut Reader, n: At) -> Result<pg::OnConflictClause, Bad> {
    Ok(pg::OnConflictClause {
        action: r.number(n, 4, 2)?,
        infer: r.boxed(n, 8, 111, infer_clause)?,
        target_list: r.items(n, 16)?,
        where_clause: r.boxed_node(n, 24)?,
        location: r.i32(n, 32),
    })
}

fn ctesearch_clause(r: &mut Reader, n: At) -> Result<pg::CteSearchClause, Bad> {
    Ok(pg::CteSearchClause {
        search_col_list: r.items(n, 8)?,
        search_breadth_first: r.flag(n, 16),
        search_seq_column: r.text(n, 24)?,
        location: r.i32(n, 32),
    })
}

fn ctecycle_clause(r: &mut Reader, n: At) -> Result<pg::CteCycleClause, Bad> {
    Ok(pg::CteCycleClause {
        cycle_col_list: r.items(n, 8)?,
        cycle_mark_column: r.text(n, 16)?,
        cycle_mark_value: r.boxed_node(n, 24)?,
        cycle_mark_default: r.boxed_node(n, 32)?,
        cycle_path_column: r.text(n, 40)?,
        location: r.i32(n, 48),
        cycle_mark_type: r.u32(n, 52),
        cycle_mark_typmod: r.i32(n, 56),
        cycle_mark_collation: r.u32(n, 60),
        cycle_mark_neop: r.u32(n, 64),
    })
}

fn common_table_expr(r: &mut Reader, n: At) -> Result<pg::CommonTableExpr, Bad> {
    Ok(pg::CommonTableExpr {
        ctename: r.text(n, 8)?,
        aliascolnames: r.items(n, 16)?,
        ctematerialized: r.number(n, 24, 2)?,
        ctequery: r.boxed_node(n, 32)?,
        search_clause: r.plain(n, 40, 113, ctesearch_clause)?,
        cycle_clause: r.boxed(n, 48, 114, ctecycle_clause)?,
        location: r.i32(n, 56),
        cterecursive: r.flag(n, 60),
        cterefcount: r.i32(n, 64),
        ctecolnames: r.items(n, 72)?,
        ctecoltypes: r.items(n, 80)?,
        ctecoltypmods: r.items(n, 88)?,
        ctecolcollations: r.items(n, 96)?,
    })
}

fn merge_when_clause(r: &mut Reader, n: At) -> Result<pg::MergeWhenClause, Bad> {
    Ok(pg::MergeWhenClause {
        match_kind: r.number(n, 4, 2)?,
        command_type: r.number(n, 8, 7)?,
        r#override: r.number(n, 12, 2)?,
        condition: r.boxed_node(n, 16)?,
        target_list: r.items(n, 24)?,
        values: r.items(n, 32)?,
    })
}

fn returning_option(r: &mut Reader, n: At) -> Result<pg::ReturningOption, Bad> {
    Ok(pg::ReturningOption {
        option: r.number(n, 4, 1)?,
        value: r.text(n, 8)?,
        location: r.i32(n, 16),
    })
}

fn returning_clause(r: &mut Reader, n: At) -> Result<pg::ReturningClause, Bad> {
    Ok(pg::ReturningClause { options: r.items(n, 8)?, exprs: r.items(n, 16)? })
}

fn trigger_transition(r: &mut Reader, n: At) -> Result<pg::TriggerTransition, Bad> {
    Ok(pg::TriggerTransition {
        name: r.text(n, 8)?,
        is_new: r.flag(n, 16),
        is_table: r.flag(n, 17),
    })
}

fn json_output(r: &mut Reader, n: At) -> Result<pg::JsonOutput, Bad> {
    Ok(pg::JsonOutput {
        type_name: r.plain(n, 8, 68, type_name)?,
        returning: r.plain(n, 16, 43, json_returning)?,
    })
}

fn json_argument(r: &mut Reader, n: At) -> Result<pg::JsonArgument, Bad> {
    Ok(pg::JsonArgument { val: r.boxed(n, 8, 44, json_value_expr)?, name: r.text(n, 16)? })
}

fn json_func_expr(r: &mut Reader, n: At) -> Result<pg::JsonFuncExpr, Bad> {
    Ok(pg::JsonFuncExpr {
        op: r.number(n, 4, 3)?,
        column_name: r.text(n, 8)?,
        context_item: r.boxed(n, 16, 44, json_value_expr)?,
        pathspec: r.boxed_node(n, 24)?,
        passing: r.items(n, 32)?,
        output: r.plain(n, 40, 120, json_output)?,
        on_empty: r.boxed(n, 48, 47, json_behavior)?,
        on_error: r.boxed(n, 56, 47, json_behavior)?,
        wrapper: r.number(n, 64, 3)?,
        quotes: r.number(n, 68, 2)?,
        location: r.i32(n, 72),
    })
}

fn json_table_path_spec(r: &mut Reader, n: At) -> Result<pg::JsonTablePathSpec, Bad> {
    Ok(pg::JsonTablePathSpec {
        string: r.boxed_node(n, 8)?,
        name: r.text(n, 16)?,
        name_location: r.i32(n, 24),
        location: r.i32(n, 28),
    })
}

fn json_table(r: &mut Reader, n: At) -> Result<pg::JsonTable, Bad> {
    Ok(pg::JsonTable {
        context_item: r.boxed(n, 8, 44, json_value_expr)?,
        pathspec: r.boxed(n, 16, 123, json_table_path_spec)?,
        passing: r.items(n, 24)?,
        columns: r.items(n, 32)?,
        on_error: r.boxed(n, 40, 47, json_behavior)?,
        alias: r.plain(n, 48, 2, alias)?,
        lateral: r.flag(n, 56),
        location: r.i32(n, 60),
    })
}

fn json_table_column(r: &mut Reader, n: At) -> Result<pg::JsonTableColumn, Bad> {
    Ok(pg::JsonTableColumn {
        coltype: r.number(n, 4, 4)?,
        name: r.text(n, 8)?,
        type_name: r.plain(n, 16, 68, type_name)?,
        pathspec: r.boxed(n, 24, 123, json_table_path_spec)?,
        format: r.plain(n, 32, 42, json_format)?,
        wrapper: r.number(n, 40, 3)?,
        quotes: r.number(n, 44, 2)?,
        columns: r.items(n, 48)?,
        on_empty: r.boxed(n, 56, 47, json_behavior)?,
        on_error: r.boxed(n, 64, 47, json_behavior)?,
        location: r.i32(n, 72),
    })
}

fn json_key_value(r: &mut Reader, n: At) -> Result<pg::JsonKeyValue, Bad> {
    Ok(pg::JsonKeyValue { key: r.boxed_node(n, 8)?, value: r.boxed(n, 16, 44, json_value_expr)? })
}

fn json_parse_expr(r: &mut Reader, n: At) -> Result<pg::JsonParseExpr, Bad> {
    Ok(pg::JsonParseExpr {
        expr: r.boxed(n, 8, 44, json_value_expr)?,
        output: r.plain(n, 16, 120, json_output)?,
        unique_keys: r.flag(n, 24),
        location: r.i32(n, 28),
    })
}

fn json_scalar_expr(r: &mut Reader, n: At) -> Result<pg::JsonScalarExpr, Bad> {
    Ok(pg::JsonScalarExpr {
        expr: r.boxed_node(n, 8)?,
        output: r.plain(n, 16, 120, json_output)?,
        location: r.i32(n, 24),
    })
}

fn json_serialize_expr(r: &mut Reader, n: At) -> Result<pg::JsonSerializeExpr, Bad> {
    Ok(pg::JsonSerializeExpr {
        expr: r.boxed(n, 8, 44, json_value_expr)?,
        output: r.plain(n, 16, 120, json_output)?,
        location: r.i32(n, 24),
    })
}

fn json_object_constructor(r: &mut Reader, n: At) -> Result<pg::JsonObjectConstructor, Bad> {
    Ok(pg::JsonObjectConstructor {
        exprs: r.items(n, 8)?,
        output: r.plain(n, 16, 120, json_output)?,
        absent_on_null: r.flag(n, 24),
        unique: r.flag(n, 25),
        location: r.i32(n, 28),
    })
}

fn json_array_constructor(r: &mut Reader, n: At) -> Result<pg::JsonArrayConstructor, Bad> {
    Ok(pg::JsonArrayConstructor {
        exprs: r.items(n, 8)?,
        output: r.plain(n, 16, 120, json_output)?,
        absent_on_null: r.flag(n, 24),
        location: r.i32(n, 28),
    })
}

fn json_array_query_constructor(
    r: &mut Reader,
    n: At,
) -> Result<pg::JsonArrayQueryConstructor, Bad> {
    Ok(pg::JsonArrayQueryConstructor {
        query: r.boxed_node(n, 8)?,
        output: r.plain(n, 16, 120, json_output)?,
        format: r.plain(n, 24, 42, json_format)?,
        absent_on_null: r.flag(n, 32),
        location: r.i32(n, 36),
    })
}

fn json_agg_constructor(r: &mut Reader, n: At) -> Result<pg::JsonAggConstructor, Bad> {
    Ok(pg::JsonAggConstructor {
        output: r.plain(n, 8, 120, json_output)?,
        agg_filter: r.boxed_node(n, 16)?,
        agg_order: r.items(n, 24)?,
        over: r.boxed(n, 32, 84, window_def)?,
        location: r.i32(n, 40),
    })
}

fn json_object_agg(r: &mut Reader, n: At) -> Result<pg::JsonObjectAgg, Bad> {
    Ok(pg::JsonObjectAgg {
        constructor: r.boxed(n, 8, 133, json_agg_constructor)?,
        arg: r.boxed(n, 16, 126, json_key_value)?,
        absent_on_null: r.flag(n, 24),
        unique: r.flag(n, 25),
    })
}

fn json_array_agg(r: &mut Reader, n: At) -> Result<pg::JsonArrayAgg, Bad> {
    Ok(pg::JsonArrayAgg {
        constructor: r.boxed(n, 8, 133, json_agg_constructor)?,
        arg: r.boxed(n, 16, 44, json_value_expr)?,
        absent_on_null: r.flag(n, 24),
    })
}

pub(super) fn raw_stmt(r: &mut Reader, n: At) -> Result<pg::RawStmt, Bad> {
    Ok(pg::RawStmt {
        stmt: r.boxed_node(n, 8)?,
        stmt_location: r.i32(n, 16),
        stmt_len: r.i32(n, 20),
    })
}

fn insert_stmt(r: &mut Reader, n: At) -> Result<pg::InsertStmt, Bad> {
    Ok(pg::InsertStmt {
        relation: r.plain(n, 8, 3, range_var)?,
        cols: r.items(n, 16)?,
        select_stmt: r.boxed_node(n, 24)?,
        on_conflict_clause: r.boxed(n, 32, 112, on_conflict_clause)?,
        returning_clause: r.plain(n, 40, 118, returning_clause)?,
        with_clause: r.plain(n, 48, 110, with_clause)?,
        r#override: r.number(n, 56, 2)?,
    })
}

fn delete_stmt(r: &mut Reader, n: At) -> Result<pg::DeleteStmt, Bad> {
    Ok(pg::DeleteStmt {
        relation: r.plain(n, 8, 3, range_var)?,
        using_clause: r.items(n, 16)?,
        where_clause: r.boxed_node(n, 24)?,
        returning_clause: r.plain(n, 32, 118, returning_clause)?,
        with_clause: r.plain(n, 40, 110, with_clause)?,
    })
}

fn update_stmt(r: &mut Reader, n: At) -> Result<pg::UpdateStmt, Bad> {
    Ok(pg::UpdateStmt {
        relation: r.plain(n, 8, 3, range_var)?,
        target_list: r.items(n, 16)?,
        where_clause: r.boxed_node(n, 24)?,
        from_clause: r.items(n, 32)?,
        returning_clause: r.plain(n, 40, 118, returning_clause)?,
        with_clause: r.plain(n, 48, 110, with_clause)?,
    })
}

fn merge_stmt(r: &mut Reader, n: At) -> Result<pg::MergeStmt, Bad> {
    Ok(pg::MergeStmt {
        relation: r.plain(n, 8, 3, range_var)?,
        source_relation: r.boxed_node(n, 16)?,
        join_condition: r.boxed_node(n, 24)?,
        merge_when_clauses: r.items(n, 32)?,
        returning_clause: r.plain(n, 40, 118, returning_clause)?,
        with_clause: r.plain(n, 48, 110, with_clause)?,
    })
}

fn select_stmt(r: &mut Reader, n: At) -> Result<pg::SelectStmt, Bad> {
    Ok(pg::SelectStmt {
        distinct_clause: r.items(n, 8)?,
        into_clause: r.boxed(n, 16, 5, into_clause)?,
        target_list: r.items(n, 24)?,
        from_clause: r.items(n, 32)?,
        where_clause: r.boxed_node(n, 40)?,
        group_clause: r.items(n, 48)?,
        group_distinct: r.flag(n, 56),
        having_clause: r.boxed_node(n, 64)?,
        window_clause: r.items(n, 72)?,
        values_lists: r.items(n, 80)?,
        sort_clause: r.items(n, 88)?,
        limit_offset: r.boxed_node(n, 96)?,
        limit_count: r.boxed_node(n, 104)?,
        limit_option: r.number(n, 112, 2)?,
        locking_clause: r.items(n, 120)?,
        with_clause: r.plain(n, 128, 110, with_clause)?,
        op: r.number(n, 136, 3)?,
        all: r.flag(n, 140),
        larg: r.boxed(n, 144, 141, select_stmt)?,
        rarg: r.boxed(n, 152, 141, select_stmt)?,
    })
}

fn set_operation_stmt(r: &mut Reader, n: At) -> Result<pg::SetOperationStmt, Bad> {
    Ok(pg::SetOperationStmt {
        op: r.number(n, 4, 3)?,
        all: r.flag(n, 8),
        larg: r.boxed_node(n, 16)?,
        rarg: r.boxed_node(n, 24)?,
        col_types: r.items(n, 32)?,
        col_typmods: r.items(n, 40)?,
        col_collations: r.items(n, 48)?,
        group_clauses: r.items(n, 56)?,
    })
}

fn return_stmt(r: &mut Reader, n: At) -> Result<pg::ReturnStmt, Bad> {
    Ok(pg::ReturnStmt { returnval: r.boxed_node(n, 8)? })
}

fn plassign_stmt(r: &mut Reader, n: At) -> Result<pg::PlAssignStmt, Bad> {
    Ok(pg::PlAssignStmt {
        name: r.text(n, 8)?,
        indirection: r.items(n, 16)?,
        nnames: r.i32(n, 24),
        val: r.boxed(n, 32, 141, select_stmt)?,
        location: r.i32(n, 40),
    })
}

fn create_schema_stmt(r: &mut Reader, n: At) -> Result<pg::CreateSchemaStmt, Bad> {
    Ok(pg::CreateSchemaStmt {
        schemaname: r.text(n, 8)?,
        authrole: r.plain(n, 16, 75, role_spec)?,
        schema_elts: r.items(n, 24)?,
        if_not_exists: r.flag(n, 32),
    })
}

fn alter_table_stmt(r: &mut Reader, n: At) -> Result<pg::AlterTableStmt, Bad> {
    Ok(pg::AlterTableStmt {
        relation: r.plain(n, 8, 3, range_var)?,
        cmds: r.items(n, 16)?,
        objtype: r.number(n, 24, 51)?,
        missing_ok: r.flag(n, 28),
    })
}

fn alter_table_cmd(r: &mut Reader, n: At) -> Result<pg::AlterTableCmd, Bad> {
    Ok(pg::AlterTableCmd {
        subtype: r.number(n, 4, 65)?,
        name: r.text(n, 8)?,
        num: r.i16(n, 16).into(),
        newowner: r.plain(n, 24, 75, role_spec)?,
        def: r.boxed_node(n, 32)?,
        behavior: r.number(n, 40, 1)?,
        missing_ok: r.flag(n, 44),
        recurse: r.flag(n, 45),
    })
}

fn atalter_constraint(r: &mut Reader, n: At) -> Result<pg::AtAlterConstraint, Bad> {
    Ok(pg::AtAlterConstraint {
        conname: r.text(n, 8)?,
        alter_enforceability: r.flag(n, 16),
        is_enforced: r.flag(n, 17),
        alter_deferrability: r.flag(n, 18),
        deferrable: r.flag(n, 19),
        initdeferred: r.flag(n, 20),
        alter_inheritability: r.flag(n, 21),
        noinherit: r.flag(n, 22),
    })
}

fn replica_identity_stmt(r: &mut Reader, n: At) -> Result<pg::ReplicaIdentityStmt, Bad> {
    Ok(pg::ReplicaIdentityStmt { identity_type: r.character(n, 4)?, name: r.text(n, 8)? })
}

fn alter_collation_stmt(r: &mut Reader, n: At) -> Result<pg::AlterCollationStmt, Bad> {
    Ok(pg::AlterCollationStmt { collname: r.items(n, 8)? })
}

fn alter_domain_stmt(r: &mut Reader, n: At) -> Result<pg::AlterDomainStmt, Bad> {
    Ok(pg::AlterDomainStmt {
        subtype: r.character(n, 4)?,
        type_name: r.items(n, 8)?,
        name: r.text(n, 16)?,
        def: r.boxed_node(n, 24)?,
        behavior: r.number(n, 32, 1)?,
        missing_ok: r.flag(n, 36),
    })
}

fn grant_stmt(r: &mut Reader, n: At) -> Result<pg::GrantStmt, Bad> {
    Ok(pg::GrantStmt {
        is_grant: r.flag(n, 4),
        targtype: r.number(n, 8, 2)?,
        objtype: r.number(n, 12, 51)?,
        objects: r.items(n, 16)?,
        privileges: r.items(n, 24)?,
        grantees: r.items(n, 32)?,
        grant_option: r.flag(n, 40),
        grantor: r.plain(n, 48, 75, role_spec)?,
        behavior: r.number(n, 56, 1)?,
    })
}

fn object_with_args(r: &mut Reader, n: At) -> Result<pg::ObjectWithArgs, Bad> {
    Ok(pg::ObjectWithArgs {
        objname: r.items(n, 8)?,
        objargs: r.items(n, 16)?,
        objfuncargs: r.items(n, 24)?,
        args_unspecified: r.flag(n, 32),
    })
}

fn access_priv(r: &mut Reader, n: At) -> Result<pg::AccessPriv, Bad> {
    Ok(pg::AccessPriv { priv_name: r.text(n, 8)?, cols: r.items(n, 16)? })
}

fn grant_role_stmt(r: &mut Reader, n: At) -> Result<pg::GrantRoleStmt, Bad> {
    Ok(pg::GrantRoleStmt {
        granted_roles: r.items(n, 8)?,
        grantee_roles: r.items(n, 16)?,
        is_grant: r.flag(n, 24),
        opt: r.items(n, 32)?,
        grantor: r.plain(n, 40, 75, role_spec)?,
        behavior: r.number(n, 48, 1)?,
    })
}

fn alter_default_privileges_stmt(
    r: &mut Reader,
    n: At,
) -> Result<pg::AlterDefaultPrivilegesStmt, Bad> {
    Ok(pg::AlterDefaultPrivilegesStmt {
        options: r.items(n, 8)?,
        action: r.plain(n, 16, 152, grant_stmt)?,
    })
}

fn copy_stmt(r: &mut Reader, n: At) -> Result<pg::CopyStmt, Bad> {
    Ok(pg::CopyStmt {
        relation: r.plain(n, 8, 3, range_var)?,
        query: r.boxed_node(n, 16)?,
        attlist: r.items(n, 24)?,
        is_from: r.flag(n, 32),
        is_program: r.flag(n, 33),
        filename: r.text(n, 40)?,
        options: r.items(n, 48)?,
        where_clause: r.boxed_node(n, 56)?,
    })
}

fn variable_set_stmt(r: &mut Reader, n: At) -> Result<pg::VariableSetStmt, Bad> {
    Ok(pg::VariableSetStmt {
        kind: r.number(n, 4, 5)?,
        name: r.text(n, 8)?,
        args: r.items(n, 16)?,
        jumble_args: r.flag(n, 24),
        is_local: r.flag(n, 25),
        location: r.i32(n, 28),
    })
}

fn variable_show_stmt(r: &mut Reader, n: At) -> Result<pg::VariableShowStmt, Bad> {
    Ok(pg::VariableShowStmt { name: r.text(n, 8)? })
}

fn create_stmt(r: &mut Reader, n: At) -> Result<pg::CreateStmt, Bad> {
    Ok(pg::CreateStmt {
        relation: r.plain(n, 8, 3, range_var)?,
        table_elts: r.items(n, 16)?,
        inh_relations: r.items(n, 24)?,
        partbound: r.plain(n, 32, 98, partition_bound_spec)?,
        partspec: r.plain(n, 40, 97, partition_spec)?,
        of_typename: r.plain(n, 48, 68, type_name)?,
        constraints: r.items(n, 56)?,
        nnconstraints: r.items(n, 64)?,
        options: r.items(n, 72)?,
        oncommit: r.number(n, 80, 3)?,
        tablespacename: r.text(n, 88)?,
        access_method: r.text(n, 96)?,
        if_not_exists: r.flag(n, 104),
    })
}

fn constraint(r: &mut Reader, n: At) -> Result<pg::Constraint, Bad> {
    Ok(pg::Constraint {
        contype: r.number(n, 4, 15)?,
        conname: r.text(n, 8)?,
        deferrable: r.flag(n, 16),
        initdeferred: r.flag(n, 17),
        is_enforced: r.flag(n, 18),
        skip_validation: r.flag(n, 19),
        initially_valid: r.flag(n, 20),
        is_no_inherit: r.flag(n, 21),
        raw_expr: r.boxed_node(n, 24)?,
        cooked_expr: r.text(n, 32)?,
        generated_when: r.character(n, 40)?,
        generated_kind: r.character(n, 41)?,
        nulls_not_distinct: r.flag(n, 42),
        keys: r.items(n, 48)?,
        without_overlaps: r.flag(n, 56),
        including: r.items(n, 64)?,
        exclusions: r.items(n, 72)?,
        options: r.items(n, 80)?,
        indexname: r.text(n, 88)?,
        indexspace: r.text(n, 96)?,
        reset_default_tblspc: r.flag(n, 104),
        access_method: r.text(n, 112)?,
        where_clause: r.boxed_node(n, 120)?,
        pktable: r.plain(n, 128, 3, range_var)?,
        fk_attrs: r.items(n, 136)?,
        pk_attrs: r.items(n, 144)?,
        fk_with_period: r.flag(n, 152),
        pk_with_period: r.flag(n, 153),
        fk_matchtype: r.character(n, 154)?,
        fk_upd_action: r.character(n, 155)?,
        fk_del_action: r.character(n, 156)?,
        fk_del_set_cols: r.items(n, 160)?,
        old_conpfeqop: r.items(n, 168)?,
        old_pktable_oid: r.u32(n, 176),
        location: r.i32(n, 180),
    })
}

fn create_table_space_stmt(r: &mut Reader, n: At) -> Result<pg::CreateTableSpaceStmt, Bad> {
    Ok(pg::CreateTableSpaceStmt {
        tablespacename: r.text(n, 8)?,
        owner: r.plain(n, 16, 75, role_spec)?,
        location: r.text(n, 24)?,
        options: r.items(n, 32)?,
    })
}

fn drop_table_space_stmt(r: &mut Reader, n: At) -> Result<pg::DropTableSpaceStmt, Bad> {
    Ok(pg::DropTableSpaceStmt { tablespacename: r.text(n, 8)?, missing_ok: r.flag(n, 16) })
}

fn alter_table_space_options_stmt(
    r: &mut Reader,
    n: At,
) -> Result<pg::AlterTableSpaceOptionsStmt, Bad> {
    Ok(pg::AlterTableSpaceOptionsStmt {
        tablespacename: r.text(n, 8)?,
        options: r.items(n, 16)?,
        is_reset: r.flag(n, 24),
    })
}

fn alter_table_move_all_stmt(r: &mut Reader, n: At) -> Result<pg::AlterTableMoveAllStmt, Bad> {
    Ok(pg::AlterTableMoveAllStmt {
        orig_tablespacename: r.text(n, 8)?,
        objtype: r.number(n, 16, 51)?,
        roles: r.items(n, 24)?,
        new_tablespacename: r.text(n, 32)?,
        nowait: r.flag(n, 40),
    })
}

fn create_extension_stmt(r: &mut Reader, n: At) -> Result<pg::CreateExtensionStmt, Bad> {
    Ok(pg::CreateExtensionStmt {
        extname: r.text(n, 8)?,
        if_not_exists: r.flag(n, 16),
        options: r.items(n, 24)?,
    })
}

fn alter_extension_stmt(r: &mut Reader, n: At) -> Result<pg::AlterExtensionStmt, Bad> {
    Ok(pg::AlterExtensionStmt { extname: r.text(n, 8)?, options: r.items(n, 16)? })
}

fn alter_extension_contents_stmt(
    r: &mut Reader,
    n: At,
) -> Result<pg::AlterExtensionContentsStmt, Bad> {
    Ok(pg::AlterExtensionContentsStmt {
        extname: r.text(n, 8)?,
        action: r.i32(n, 16),
        objtype: r.number(n, 20, 51)?,
        object: r.boxed_node(n, 24)?,
    })
}

fn create_fdw_stmt(r: &mut Reader, n: At) -> Result<pg::CreateFdwStmt, Bad> {
    Ok(pg::CreateFdwStmt {
        fdwname: r.text(n, 8)?,
        func_options: r.items(n, 16)?,
        options: r.items(n, 24)?,
    })
}

fn alter_fdw_stmt(r: &mut Reader, n: At) -> Result<pg::AlterFdwStmt, Bad> {
    Ok(pg::AlterFdwStmt {
        fdwname: r.text(n, 8)?,
        func_options: r.items(n, 16)?,
        options: r.items(n, 24)?,
    })
}

fn create_foreign_server_stmt(r: &mut Reader, n: At) -> Result<pg::CreateForeignServerStmt, Bad> {
    Ok(pg::CreateForeignServerStmt {
        servername: r.text(n, 8)?,
        servertype: r.text(n, 16)?,
        version: r.text(n, 24)?,
        fdwname: r.text(n, 32)?,
        if_not_exists: r.flag(n, 40),
        options: r.items(n, 48)?,
    })
}

fn alter_foreign_server_stmt(r: &mut Reader, n: At) -> Result<pg::AlterForeignServerStmt, Bad> {
    Ok(pg::AlterForeignServerStmt {
        servername: r.text(n, 8)?,
        version: r.text(n, 16)?,
        options: r.items(n, 24)?,
        has_version: r.flag(n, 32),
    })
}

fn create_foreign_table_stmt(r: &mut Reader, n: At) -> Result<pg::CreateForeignTableStmt, Bad> {
    Ok(pg::CreateForeignTableStmt {
        base_stmt: Some(create_stmt(r, n.inside(0))?),
        servername: r.text(n, 112)?,
        options: r.items(n, 120)?,
    })
}

fn create_user_mapping_stmt(r: &mut Reader, n: At) -> Result<pg::CreateUserMappingStmt, Bad> {
    Ok(pg::CreateUserMappingStmt {
        user: r.plain(n, 8, 75, role_spec)?,
        servername: r.text(n, 16)?,
        if_not_exists: r.flag(n, 24),
        options: r.items(n, 32)?,
    })
}

fn alter_user_mapping_stmt(r: &mut Reader, n: At) -> Result<pg::AlterUserMappingStmt, Bad> {
    Ok(pg::AlterUserMappingStmt {
        user: r.plain(n, 8, 75, role_spec)?,
        servername: r.text(n, 16)?,
        options: r.items(n, 24)?,
    })
}

fn drop_user_mapping_stmt(r: &mut Reader, n: At) -> Result<pg::DropUserMappingStmt, Bad> {
    Ok(pg::DropUserMappingStmt {
        user: r.plain(n, 8, 75, role_spec)?,
        servername: r.text(n, 16)?,
        missing_ok: r.flag(n, 24),
    })
}

fn import_foreign_schema_stmt(r: &mut Reader, n: At) -> Result<pg::ImportForeignSchemaStmt, Bad> {
    Ok(pg::ImportForeignSchemaStmt {
        server_name: r.text(n, 8)?,
        remote_schema: r.text(n, 16)?,
        local_schema: r.text(n, 24)?,
        list_type: r.number(n, 32, 2)?,
        table_list: r.items(n, 40)?,
        options: r.items(n, 48)?,
    })
}

fn create_policy_stmt(r: &mut Reader, n: At) -> Result<pg::CreatePolicyStmt, Bad> {
    Ok(pg::CreatePolicyStmt {
        policy_name: r.text(n, 8)?,
        table: r.plain(n, 16, 3, range_var)?,
        cmd_name: r.text(n, 24)?,
        permissive: r.flag(n, 32),
        roles: r.items(n, 40)?,
        qual: r.boxed_node(n, 48)?,
        with_check: r.boxed_node(n, 56)?,
    })
}

fn alter_policy_stmt(r: &mut Reader, n: At) -> Result<pg::AlterPolicyStmt, Bad> {
    Ok(pg::AlterPolicyStmt {
        policy_name: r.text(n, 8)?,
        table: r.plain(n, 16, 3, range_var)?,
        roles: r.items(n, 24)?,
        qual: r.boxed_node(n, 32)?,
        with_check: r.boxed_node(n, 40)?,
    })
}

fn create_am_stmt(r: &mut Reader, n: At) -> Result<pg::CreateAmStmt, Bad> {
    Ok(pg::CreateAmStmt {
        amname: r.text(n, 8)?,
        handler_name: r.items(n, 16)?,
        amtype: r.character(n, 24)?,
    })
}

fn create_trig_stmt(r: &mut Reader, n: At) -> Result<pg::CreateTrigStmt, Bad> {
    Ok(pg::CreateTrigStmt {
        replace: r.flag(n, 4),
        isconstraint: r.flag(n, 5),
        trigname: r.text(n, 8)?,
        relation: r.plain(n, 16, 3, range_var)?,
        funcname: r.items(n, 24)?,
        args: r.items(n, 32)?,
        row: r.flag(n, 40),
        timing: r.i16(n, 42).into(),
        events: r.i16(n, 44).into(),
        columns: r.items(n, 48)?,
        when_clause: r.boxed_node(n, 56)?,
        transition_rels: r.items(n, 64)?,
        deferrable: r.flag(n, 72),
        initdeferred: r.flag(n, 73),
        constrrel: r.plain(n, 80, 3, range_var)?,
    })
}

fn create_event_trig_stmt(r: &mut Reader, n: At) -> Result<pg::CreateEventTrigStmt, Bad> {
    Ok(pg::CreateEventTrigStmt {
        trigname: r.text(n, 8)?,
        eventname: r.text(n, 16)?,
        whenclause: r.items(n, 24)?,
        funcname: r.items(n, 32)?,
    })
}

fn alter_event_trig_stmt(r: &mut Reader, n: At) -> Result<pg::AlterEventTrigStmt, Bad> {
    Ok(pg::AlterEventTrigStmt { trigname: r.text(n, 8)?, tgenabled: r.character(n, 16)? })
}

fn create_plang_stmt(r: &mut Reader, n: At) -> Result<pg::CreatePLangStmt, Bad> {
    Ok(pg::CreatePLangStmt {
        replace: r.flag(n, 4),
        plname: r.text(n, 8)?,
        plhandler: r.items(n, 16)?,
        plinline: r.items(n, 24)?,
        plvalidator: r.items(n, 32)?,
        pltrusted: r.flag(n, 40),
    })
}

fn create_role_stmt(r: &mut Reader, n: At) -> Result<pg::CreateRoleStmt, Bad> {
    Ok(pg::CreateRoleStmt {
        stmt_type: r.number(n, 4, 2)?,
        role: r.text(n, 8)?,
        options: r.items(n, 16)?,
    })
}

fn alter_role_stmt(r: &mut Reader, n: At) -> Result<pg::AlterRoleStmt, Bad> {
    Ok(pg::AlterRoleStmt {
        role: r.plain(n, 8, 75, role_spec)?,
        options: r.items(n, 16)?,
        action: r.i32(n, 24),
    })
}

fn alter_role_set_stmt(r: &mut Reader, n: At) -> Result<pg::AlterRoleSetStmt, Bad> {
    Ok(pg::AlterRoleSetStmt {
        role: r.plain(n, 8, 75, role_spec)?,
        database: r.text(n, 16)?,
        setstmt: r.plain(n, 24, 158, variable_set_stmt)?,
    })
}

fn drop_role_stmt(r: &mut Reader, n: At) -> Result<pg::DropRoleStmt, Bad> {
    Ok(pg::DropRoleStmt { roles: r.items(n, 8)?, missing_ok: r.flag(n, 16) })
}

fn create_seq_stmt(r: &mut Reader, n: At) -> Result<pg::CreateSeqStmt, Bad> {
    Ok(pg::CreateSeqStmt {
        sequence: r.plain(n, 8, 3, range_var)?,
        options: r.items(n, 16)?,
        owner_id: r.u32(n, 24),
        for_identity: r.flag(n, 28),
        if_not_exists: r.flag(n, 29),
    })
}

fn alter_seq_stmt(r: &mut Reader, n: At) -> Result<pg::AlterSeqStmt, Bad> {
    Ok(pg::AlterSeqStmt {
        sequence: r.plain(n, 8, 3, range_var)?,
        options: r.items(n, 16)?,
        for_identity: r.flag(n, 24),
        missing_ok: r.flag(n, 25),
    })
}

fn define_stmt(r: &mut Reader, n: At) -> Result<pg::DefineStmt, Bad> {
    Ok(pg::DefineStmt {
        kind: r.number(n, 4, 51)?,
        oldstyle: r.flag(n, 8),
        defnames: r.items(n, 16)?,
        args: r.items(n, 24)?,
        definition: r.items(n, 32)?,
        if_not_exists: r.flag(n, 40),
        replace: r.flag(n, 41),
    })
}

fn create_domain_stmt(r: &mut Reader, n: At) -> Result<pg::CreateDomainStmt, Bad> {
    Ok(pg::CreateDomainStmt {
        domainname: r.items(n, 8)?,
        type_name: r.plain(n, 16, 68, type_name)?,
        coll_clause: r.boxed(n, 24, 74, collate_clause)?,
        constraints: r.items(n, 32)?,
    })
}

fn create_op_class_stmt(r: &mut Reader, n: At) -> Result<pg::CreateOpClassStmt, Bad> {
    Ok(pg::CreateOpClassStmt {
        opclassname: r.items(n, 8)?,
        opfamilyname: r.items(n, 16)?,
        amname: r.text(n, 24)?,
        datatype: r.plain(n, 32, 68, type_name)?,
        items: r.items(n, 40)?,
        is_default: r.flag(n, 48),
    })
}

fn create_op_class_item(r: &mut Reader, n: At) -> Result<pg::CreateOpClassItem, Bad> {
    Ok(pg::CreateOpClassItem {
        itemtype: r.i32(n, 4),
        name: r.plain(n, 8, 153, object_with_args)?,
        number: r.i32(n, 16),
        order_family: r.items(n, 24)?,
        class_args: r.items(n, 32)?,
        storedtype: r.plain(n, 40, 68, type_name)?,
    })
}

fn create_op_family_stmt(r: &mut Reader, n: At) -> Result<pg::CreateOpFamilyStmt, Bad> {
    Ok(pg::CreateOpFamilyStmt { opfamilyname: r.items(n, 8)?, amname: r.text(n, 16)? })
}

fn alter_op_family_stmt(r: &mut Reader, n: At) -> Result<pg::AlterOpFamilyStmt, Bad> {
    Ok(pg::AlterOpFamilyStmt {
        opfamilyname: r.items(n, 8)?,
        amname: r.text(n, 16)?,
        is_drop: r.flag(n, 24),
        items: r.items(n, 32)?,
    })
}

fn drop_stmt(r: &mut Reader, n: At) -> Result<pg::DropStmt, Bad> {
    Ok(pg::DropStmt {
        objects: r.items(n, 8)?,
        remove_type: r.number(n, 16, 51)?,
        behavior: r.number(n, 20, 1)?,
        missing_ok: r.flag(n, 24),
        concurrent: r.flag(n, 25),
    })
}

fn truncate_stmt(r: &mut Reader, n: At) -> Result<pg::TruncateStmt, Bad> {
    Ok(pg::TruncateStmt {
        relations: r.items(n, 8)?,
        restart_seqs: r.flag(n, 16),
        behavior: r.number(n, 20, 1)?,
    })
}

fn comment_stmt(r: &mut Reader, n: At) -> Result<pg::CommentStmt, Bad> {
    Ok(pg::CommentStmt {
        objtype: r.number(n, 4, 51)?,
        object: r.boxed_node(n, 8)?,
        comment: r.text(n, 16)?,
    })
}

fn sec_label_stmt(r: &mut Reader, n: At) -> Result<pg::SecLabelStmt, Bad> {
    Ok(pg::SecLabelStmt {
        objtype: r.number(n, 4, 51)?,
        object: r.boxed_node(n, 8)?,
        provider: r.text(n, 16)?,
        label: r.text(n, 24)?,
    })
}

fn declare_cursor_stmt(r: &mut Reader, n: At) -> Result<pg::DeclareCursorStmt, Bad> {
    Ok(pg::DeclareCursorStmt {
        portalname: r.text(n, 8)?,
        options: r.i32(n, 16),
        query: r.boxed_node(n, 24)?,
    })
}

fn close_portal_stmt(r: &mut Reader, n: At) -> Result<pg::ClosePortalStmt, Bad> {
    Ok(pg::ClosePortalStmt { portalname: r.text(n, 8)? })
}

fn fetch_stmt(r: &mut Reader, n: At) -> Result<pg::FetchStmt, Bad> {
    Ok(pg::FetchStmt {
        direction: r.number(n, 4, 3)?,
        how_many: r.i64(n, 8),
        portalname: r.text(n, 16)?,
        ismove: r.flag(n, 24),
    })
}

fn index_stmt(r: &mut Reader, n: At) -> Result<pg::IndexStmt, Bad> {
    Ok(pg::IndexStmt {
        idxname: r.text(n, 8)?,
        relation: r.plain(n, 16, 3, range_var)?,
        access_method: r.text(n, 24)?,
        table_space: r.text(n, 32)?,
        index_params: r.items(n, 40)?,
        index_including_params: r.items(n, 48)?,
        options: r.items(n, 56)?,
        where_clause: r.boxed_node(n, 64)?,
        exclude_op_names: r.items(n, 72)?,
        idxcomment: r.text(n, 80)?,
        index_oid: r.u32(n, 88),
        old_number: r.u32(n, 92),
        old_create_subid: r.u32(n, 96),
        old_first_relfilelocator_subid: r.u32(n, 100),
        unique: r.flag(n, 104),
        nulls_not_distinct: r.flag(n, 105),
        primary: r.flag(n, 106),
        isconstraint: r.flag(n, 107),
        iswithoutoverlaps: r.flag(n, 108),
        deferrable: r.flag(n, 109),
        initdeferred: r.flag(n, 110),
        transformed: r.flag(n, 111),
        concurrent: r.flag(n, 112),
        if_not_exists: r.flag(n, 113),
        reset_default_tblspc: r.flag(n, 114),
    })
}

fn create_stats_stmt(r: &mut Reader, n: At) -> Result<pg::CreateStatsStmt, Bad> {
    Ok(pg::CreateStatsStmt {
        defnames: r.items(n, 8)?,
        stat_types: r.items(n, 16)?,
        exprs: r.items(n, 24)?,
        relations: r.items(n, 32)?,
        stxcomment: r.text(n, 40)?,
        transformed: r.flag(n, 48),
        if_not_exists: r.flag(n, 49),
    })
}

fn stats_elem(r: &mut Reader, n: At) -> Result<pg::StatsElem, Bad> {
    Ok(pg::StatsElem { name: r.text(n, 8)?, expr: r.boxed_node(n, 16)? })
}

fn alter_stats_stmt(r: &mut Reader, n: At) -> Result<pg::AlterStatsStmt, Bad> {
    Ok(pg::AlterStatsStmt {
        defnames: r.items(n, 8)?,
        stxstattarget: r.boxed_node(n, 16)?,
        missing_ok: r.flag(n, 24),
    })
}

fn create_function_stmt(r: &mut Reader, n: At) -> Result<pg::CreateFunctionStmt, Bad> {
    Ok(pg::CreateFunctionStmt {
        is_procedure: r.flag(n, 4),
        replace: r.flag(n, 5),
        funcname: r.items(n, 8)?,
        parameters: r.items(n, 16)?,
        return_type: r.plain(n, 24, 68, type_name)?,
        options: r.items(n, 32)?,
        sql_body: r.boxed_node(n, 40)?,
    })
}

fn function_parameter(r: &mut Reader, n: At) -> Result<pg::FunctionParameter, Bad> {
    Ok(pg::FunctionParameter {
        name: r.text(n, 8)?,
        arg_type: r.plain(n, 16, 68, type_name)?,
        mode: match r.i32(n, 24) {
            105 => 1,
            111 => 2,
            98 => 3,
            118 => 4,
            116 => 5,
            100 => 6,
            _ => return Err(Bad::Node),
        },
        defexpr: r.boxed_node(n, 32)?,
        location: r.i32(n, 40),
    })
}

fn alter_function_stmt(r: &mut Reader, n: At) -> Result<pg::AlterFunctionStmt, Bad> {
    Ok(pg::AlterFunctionStmt {
        objtype: r.number(n, 4, 51)?,
        func: r.plain(n, 8, 153, object_with_args)?,
        actions: r.items(n, 16)?,
    })
}

fn do_stmt(r: &mut Reader, n: At) -> Result<pg::DoStmt, Bad> {
    Ok(pg::DoStmt { args: r.items(n, 8)? })
}

fn inline_code_block(r: &mut Reader, n: At) -> Result<pg::InlineCodeBlock, Bad> {
    Ok(pg::InlineCodeBlock {
        source_text: r.text(n, 8)?,
        lang_oid: r.u32(n, 16),
        lang_is_trusted: r.flag(n, 20),
        atomic: r.flag(n, 21),
    })
}

fn call_stmt(r: &mut Reader, n: At) -> Result<pg::CallStmt, Bad> {
    Ok(pg::CallStmt {
        funccall: r.boxed(n, 8, 76, func_call)?,
        funcexpr: r.boxed(n, 16, 15, func_expr)?,
        outargs: r.items(n, 24)?,
    })
}

fn call_context(r: &mut Reader, n: At) -> Result<pg::CallContext, Bad> {
    Ok(pg::CallContext { atomic: r.flag(n, 4) })
}

fn rename_stmt(r: &mut Reader, n: At) -> Result<pg::RenameStmt, Bad> {
    Ok(pg::RenameStmt {
        rename_type: r.number(n, 4, 51)?,
        relation_type: r.number(n, 8, 51)?,
        relation: r.plain(n, 16, 3, range_var)?,
        object: r.boxed_node(n, 24)?,
        subname: r.text(n, 32)?,
        newname: r.text(n, 40)?,
        behavior: r.number(n, 48, 1)?,
        missing_ok: r.flag(n, 52),
    })
}

fn alter_object_depends_stmt(r: &mut Reader, n: At) -> Result<pg::AlterObjectDependsStmt, Bad> {
    Ok(pg::AlterObjectDependsStmt {
        object_type: r.number(n, 4, 51)?,
        relation: r.plain(n, 8, 3, range_var)?,
        object: r.boxed_node(n, 16)?,
        extname: r.plain(n, 24, 468, Reader::string)?,
        remove: r.flag(n, 32),
    })
}

fn alter_object_schema_stmt(r: &mut Reader, n: At) -> Result<pg::AlterObjectSchemaStmt, Bad> {
    Ok(pg::AlterObjectSchemaStmt {
        object_type: r.number(n, 4, 51)?,
        relation: r.plain(n, 8, 3, range_var)?,
        object: r.boxed_node(n, 16)?,
        newschema: r.text(n, 24)?,
        missing_ok: r.flag(n, 32),
    })
}

fn alter_owner_stmt(r: &mut Reader, n: At) -> Result<pg::AlterOwnerStmt, Bad> {
    Ok(pg::AlterOwnerStmt {
        object_type: r.number(n, 4, 51)?,
        relation: r.plain(n, 8, 3, range_var)?,
        object: r.boxed_node(n, 16)?,
        newowner: r.plain(n, 24, 75, role_spec)?,
    })
}

fn alter_operator_stmt(r: &mut Reader, n: At) -> Result<pg::AlterOperatorStmt, Bad> {
    Ok(pg::AlterOperatorStmt {
        opername: r.plain(n, 8, 153, object_with_args)?,
        options: r.items(n, 16)?,
    })
}

fn alter_type_stmt(r: &mut Reader, n: At) -> Result<pg::AlterTypeStmt, Bad> {
    Ok(pg::AlterTypeStmt { type_name: r.items(n, 8)?, options: r.items(n, 16)? })
}

fn rule_stmt(r: &mut Reader, n: At) -> Result<pg::RuleStmt, Bad> {
    Ok(pg::RuleStmt {
        relation: r.plain(n, 8, 3, range_var)?,
        rulename: r.text(n, 16)?,
        where_clause: r.boxed_node(n, 24)?,
        event: r.number(n, 32, 7)?,
        instead: r.flag(n, 36),
        actions: r.items(n, 40)?,
        replace: r.flag(n, 48),
    })
}

fn notify_stmt(r: &mut Reader, n: At) -> Result<pg::NotifyStmt, Bad> {
    Ok(pg::NotifyStmt {
        conditionname: r.text(n, 8)?,
        payload: r.text(n, 16)?,
        payload_location: r.i32(n, 24),
    })
}

fn listen_stmt(r: &mut Reader, n: At) -> Result<pg::ListenStmt, Bad> {
    Ok(pg::ListenStmt { conditionname: r.text(n, 8)? })
}

fn unlisten_stmt(r: &mut Reader, n: At) -> Result<pg::UnlistenStmt, Bad> {
    Ok(pg::UnlistenStmt { conditionname: r.text(n, 8)? })
}

fn transaction_stmt(r: &mut Reader, n: At) -> Result<pg::TransactionStmt, Bad> {
    Ok(pg::TransactionStmt {
        kind: r.number(n, 4, 9)?,
        options: r.items(n, 8)?,
        savepoint_name: r.text(n, 16)?,
        gid: r.text(n, 24)?,
        chain: r.flag(n, 32),
        location: r.i32(n, 36),
    })
}

fn composite_type_stmt(r: &mut Reader, n: At) -> Result<pg::CompositeTypeStmt, Bad> {
    Ok(pg::CompositeTypeStmt { typevar: r.plain(n, 8, 3, range_var)?, coldeflist: r.items(n, 16)? })
}

fn create_enum_stmt(r: &mut Reader, n: At) -> Result<pg::CreateEnumStmt, Bad> {
    Ok(pg::CreateEnumStmt { type_name: r.items(n, 8)?, vals: r.items(n, 16)? })
}

fn create_range_stmt(r: &mut Reader, n: At) -> Result<pg::CreateRangeStmt, Bad> {
    Ok(pg::CreateRangeStmt { type_name: r.items(n, 8)?, params: r.items(n, 16)? })
}

fn alter_enum_stmt(r: &mut Reader, n: At) -> Result<pg::AlterEnumStmt, Bad> {
    Ok(pg::AlterEnumStmt {
        type_name: r.items(n, 8)?,
        old_val: r.text(n, 16)?,
        new_val: r.text(n, 24)?,
        new_val_neighbor: r.text(n, 32)?,
        new_val_is_after: r.flag(n, 40),
        skip_if_new_val_exists: r.flag(n, 41),
    })
}

fn view_stmt(r: &mut Reader, n: At) -> Result<pg::ViewStmt, Bad> {
    Ok(pg::ViewStmt {
        view: r.plain(n, 8, 3, range_var)?,
        aliases: r.items(n, 16)?,
        query: r.boxed_node(n, 24)?,
        replace: r.flag(n, 32),
        options: r.items(n, 40)?,
        with_check_option: r.number(n, 48, 2)?,
    })
}

fn load_stmt(r: &mut Reader, n: At) -> Result<pg::LoadStmt, Bad> {
    Ok(pg::LoadStmt { filename: r.text(n, 8)? })
}

fn createdb_stmt(r: &mut Reader, n: At) -> Result<pg::CreatedbStmt, Bad> {
    Ok(pg::CreatedbStmt { dbname: r.text(n, 8)?, options: r.items(n, 16)? })
}

fn alter_database_stmt(r: &mut Reader, n: At) -> Result<pg::AlterDatabaseStmt, Bad> {
    Ok(pg::AlterDatabaseStmt { dbname: r.text(n, 8)?, options: r.items(n, 16)? })
}

fn alter_database_refresh_coll_stmt(
    r: &mut Reader,
    n: At,
) -> Result<pg::AlterDatabaseRefreshCollStmt, Bad> {
    Ok(pg::AlterDatabaseRefreshCollStmt { dbname: r.text(n, 8)? })
}

fn alter_database_set_stmt(r: &mut Reader, n: At) -> Result<pg::AlterDatabaseSetStmt, Bad> {
    Ok(pg::AlterDatabaseSetStmt {
        dbname: r.text(n, 8)?,
        setstmt: r.plain(n, 16, 158, variable_set_stmt)?,
    })
}

fn dropdb_stmt(r: &mut Reader, n: At) -> Result<pg::DropdbStmt, Bad> {
    Ok(pg::DropdbStmt {
        dbname: r.text(n, 8)?,
        missing_ok: r.flag(n, 16),
        options: r.items(n, 24)?,
    })
}

fn alter_system_stmt(r: &mut Reader, n: At) -> Result<pg::AlterSystemStmt, Bad> {
    Ok(pg::AlterSystemStmt { setstmt: r.plain(n, 8, 158, variable_set_stmt)? })
}

fn cluster_stmt(r: &mut Reader, n: At) -> Result<pg::ClusterStmt, Bad> {
    Ok(pg::ClusterStmt {
        relation: r.plain(n, 8, 3, range_var)?,
        indexname: r.text(n, 16)?,
        params: r.items(n, 24)?,
    })
}

fn vacuum_stmt(r: &mut Reader, n: At) -> Result<pg::VacuumStmt, Bad> {
    Ok(pg::VacuumStmt {
        options: r.items(n, 8)?,
        rels: r.items(n, 16)?,
        is_vacuumcmd: r.flag(n, 24),
    })
}

fn vacuum_relation(r: &mut Reader, n: At) -> Result<pg::VacuumRelation, Bad> {
    Ok(pg::VacuumRelation {
        relation: r.plain(n, 8, 3, range_var)?,
        oid: r.u32(n, 16),
        va_cols: r.items(n, 24)?,
    })
}

fn explain_stmt(r: &mut Reader, n: At) -> Result<pg::ExplainStmt, Bad> {
    Ok(pg::ExplainStmt { query: r.boxed_node(n, 8)?, options: r.items(n, 16)? })
}

fn create_table_as_stmt(r: &mut Reader, n: At) -> Result<pg::CreateTableAsStmt, Bad> {
    Ok(pg::CreateTableAsStmt {
        query: r.boxed_node(n, 8)?,
        into: r.boxed(n, 16, 5, into_clause)?,
        objtype: r.number(n, 24, 51)?,
        is_select_into: r.flag(n, 28),
        if_not_exists: r.flag(n, 29),
    })
}

fn refresh_mat_view_stmt(r: &mut Reader, n: At) -> Result<pg::RefreshMatViewStmt, Bad> {
    Ok(pg::RefreshMatViewStmt {
        concurrent: r.flag(n, 4),
        skip_data: r.flag(n, 5),
        relation: r.plain(n, 8, 3, range_var)?,
    })
}

fn check_point_stmt(_: &mut Reader, _: At) -> Result<pg::CheckPointStmt, Bad> {
    Ok(pg::CheckPointStmt {})
}

fn discard_stmt(r: &mut Reader, n: At) -> Result<pg::DiscardStmt, Bad> {
    Ok(pg::DiscardStmt { target: r.number(n, 4, 3)? })
}

fn lock_stmt(r: &mut Reader, n: At) -> Result<pg::LockStmt, Bad> {
    Ok(pg::LockStmt { relations: r.items(n, 8)?, mode: r.i32(n, 16), nowait: r.flag(n, 20) })
}

fn constraints_set_stmt(r: &mut Reader, n: At) -> Result<pg::ConstraintsSetStmt, Bad> {
    Ok(pg::ConstraintsSetStmt { constraints: r.items(n, 8)?, deferred: r.flag(n, 16) })
}

fn reindex_stmt(r: &mut Reader, n: At) -> Result<pg::ReindexStmt, Bad> {
    Ok(pg::ReindexStmt {
        kind: r.number(n, 4, 4)?,
        relation: r.plain(n, 8, 3, range_var)?,
        name: r.text(n, 16)?,
        params: r.items(n, 24)?,
    })
}

fn create_conversion_stmt(r: &mut Reader, n: At) -> Result<pg::CreateConversionStmt, Bad> {
    Ok(pg::CreateConversionStmt {
        conversion_name: r.items(n, 8)?,
        for_encoding_name: r.text(n, 16)?,
        to_encoding_name: r.text(n, 24)?,
        func_name: r.items(n, 32)?,
        def: r.flag(n, 40),
    })
}

fn create_cast_stmt(r: &mut Reader, n: At) -> Result<pg::CreateCastStmt, Bad> {
    Ok(pg::CreateCastStmt {
        sourcetype: r.plain(n, 8, 68, type_name)?,
        targettype: r.plain(n, 16, 68, type_name)?,
        func: r.plain(n, 24, 153, object_with_args)?,
        context: r.number(n, 32, 3)?,
        inout: r.flag(n, 36),
    })
}

fn create_transform_stmt(r: &mut Reader, n: At) -> Result<pg::CreateTransformStmt, Bad> {
    Ok(pg::CreateTransformStmt {
        replace: r.flag(n, 4),
        type_name: r.plain(n, 8, 68, type_name)?,
        lang: r.text(n, 16)?,
        fromsql: r.plain(n, 24, 153, object_with_args)?,
        tosql: r.plain(n, 32, 153, object_with_args)?,
    })
}

fn prepare_stmt(r: &mut Reader, n: At) -> Result<pg::PrepareStmt, Bad> {
    Ok(pg::PrepareStmt {
        name: r.text(n, 8)?,
        argtypes: r.items(n, 16)?,
        query: r.boxed_node(n, 24)?,
    })
}

fn execute_stmt(r: &mut Reader, n: At) -> Result<pg::ExecuteStmt, Bad> {
    Ok(pg::ExecuteStmt { name: r.text(n, 8)?, params: r.items(n, 16)? })
}

fn deallocate_stmt(r: &mut Reader, n: At) -> Result<pg::DeallocateStmt, Bad> {
    Ok(pg::DeallocateStmt { name: r.text(n, 8)?, isall: r.flag(n, 16), location: r.i32(n, 20) })
}

fn drop_owned_stmt(r: &mut Reader, n: At) -> Result<pg::DropOwnedStmt, Bad> {
    Ok(pg::DropOwnedStmt { roles: r.items(n, 8)?, behavior: r.number(n, 16, 1)? })
}

fn reassign_owned_stmt(r: &mut Reader, n: At) -> Result<pg::ReassignOwnedStmt, Bad> {
    Ok(pg::ReassignOwnedStmt { roles: r.items(n, 8)?, newrole: r.plain(n, 16, 75, role_spec)? })
}

fn alter_tsdictionary_stmt(r: &mut Reader, n: At) -> Result<pg::AlterTsDictionaryStmt, Bad> {
    Ok(pg::AlterTsDictionaryStmt { dictname: r.items(n, 8)?, options: r.items(n, 16)? })
}

fn alter_tsconfiguration_stmt(r: &mut Reader, n: At) -> Result<pg::AlterTsConfigurationStmt, Bad> {
    Ok(pg::AlterTsConfigurationStmt {
        kind: r.number(n, 4, 4)?,
        cfgname: r.items(n, 8)?,
        tokentype: r.items(n, 16)?,
        dicts: r.items(n, 24)?,
        r#override: r.flag(n, 32),
        replace: r.flag(n, 33),
        missing_ok: r.flag(n, 34),
    })
}

fn publication_table(r: &mut Reader, n: At) -> Result<pg::PublicationTable, Bad> {
    Ok(pg::PublicationTable {
        relation: r.plain(n, 8, 3, range_var)?,
        where_clause: r.boxed_node(n, 16)?,
        columns: r.items(n, 24)?,
    })
}

fn publication_obj_spec(r: &mut Reader, n: At) -> Result<pg::PublicationObjSpec, Bad> {
    Ok(pg::PublicationObjSpec {
        pubobjtype: r.number(n, 4, 3)?,
        name: r.text(n, 8)?,
        pubtable: r.boxed(n, 16, 259, publication_table)?,
        location: r.i32(n, 24),
    })
}

fn create_publication_stmt(r: &mut Reader, n: At) -> Result<pg::CreatePublicationStmt, Bad> {
    Ok(pg::CreatePublicationStmt {
        pubname: r.text(n, 8)?,
        options: r.items(n, 16)?,
        pubobjects: r.items(n, 24)?,
        for_all_tables: r.flag(n, 32),
    })
}

fn alter_publication_stmt(r: &mut Reader, n: At) -> Result<pg::AlterPublicationStmt, Bad> {
    Ok(pg::AlterPublicationStmt {
        pubname: r.text(n, 8)?,
        options: r.items(n, 16)?,
        pubobjects: r.items(n, 24)?,
        for_all_tables: r.flag(n, 32),
        action: r.number(n, 36, 2)?,
    })
}

fn create_subscription_stmt(r: &mut Reader, n: At) -> Result<pg::CreateSubscriptionStmt, Bad> {
    Ok(pg::CreateSubscriptionStmt {
        subname: r.text(n, 8)?,
        conninfo: r.text(n, 16)?,
        publication: r.items(n, 24)?,
        options: r.items(n, 32)?,
        conninfo_location: r.i32(n, 40),
    })
}

fn alter_subscription_stmt(r: &mut Reader, n: At) -> Result<pg::AlterSubscriptionStmt, Bad> {
    Ok(pg::AlterSubscriptionStmt {
        kind: r.number(n, 4, 7)?,
        subname: r.text(n, 8)?,
        conninfo: r.text(n, 16)?,
        publication: r.items(n, 24)?,
        options: r.items(n, 32)?,
        conninfo_location: r.i32(n, 40),
    })
}

fn drop_subscription_stmt(r: &mut Reader, n: At) -> Result<pg::DropSubscriptionStmt, Bad> {
    Ok(pg::DropSubscriptionStmt {
        subname: r.text(n, 8)?,
        missing_ok: r.flag(n, 16),
        behavior: r.number(n, 20, 1)?,
    })
}
