-- What users' own functions, operators, casts, types and relations are made of; what belongs to an
-- extension is as good as the server itself, but for functions. Numbers below 16384 are the server's own
-- (FirstNormalObjectId in access/transam.h). All names say their schema: the session's path is not known.
--
-- Functions: number, name, language, volatility, kind, whether a row's dot may call it, types, settings,
-- whether it is an extension's, whether the server has one of that name, text.
select p.oid, p.proname, l.lanname, p.provolatile, p.prokind,
  p.pronargs operator(pg_catalog.>) 0 and p.pronargs operator(pg_catalog.-) p.pronargdefaults operator(pg_catalog.<=) 1
    and (p.proargtypes[0] operator(pg_catalog.=) any (array[2249, 2276, 2283, 2776, 5077, 5079]::pg_catalog.oid[])
    or exists (select from pg_catalog.pg_type t where t.oid operator(pg_catalog.=) p.proargtypes[0]
      and t.typtype operator(pg_catalog.=) any (array['c', 'd']::pg_catalog."char"[]))),
  pg_catalog.concat_ws(' ', p.prorettype, p.proargtypes, pg_catalog.array_to_string(p.proallargtypes, ' ')),
  pg_catalog.array_to_string(p.proconfig, pg_catalog.chr(10)),
  exists (select from pg_catalog.pg_depend e where e.classid operator(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
    and e.objid operator(pg_catalog.=) p.oid and e.deptype operator(pg_catalog.=) 'e'),
  exists (select from pg_catalog.pg_proc b where b.proname operator(pg_catalog.=) p.proname
    and b.oid operator(pg_catalog.<) 16384::pg_catalog.oid),
  case when l.lanname operator(pg_catalog.=) any (array['sql', 'plpgsql']::pg_catalog.name[]) then
    pg_catalog.left(p.prosrc, 65536) end
  from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid operator(pg_catalog.=) p.prolang
  where p.oid operator(pg_catalog.>=) 16384::pg_catalog.oid;
-- Functions that aggregates are made of.
select a.aggfnoid::pg_catalog.oid, f.oid, f.proname from pg_catalog.pg_aggregate a
  join pg_catalog.pg_proc f on f.oid operator(pg_catalog.=) any (array[a.aggtransfn, a.aggfinalfn, a.aggcombinefn,
  a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::pg_catalog.oid[])
  where a.aggfnoid::pg_catalog.oid operator(pg_catalog.>=) 16384::pg_catalog.oid;
-- Operators: number, name, their function.
select o.oid, o.oprname, f.oid, f.proname from pg_catalog.pg_operator o
  join pg_catalog.pg_proc f on f.oid operator(pg_catalog.=) o.oprcode::pg_catalog.oid
  where o.oid operator(pg_catalog.>=) 16384::pg_catalog.oid and not exists (select from pg_catalog.pg_depend e
  where e.classid operator(pg_catalog.=) 'pg_catalog.pg_operator'::pg_catalog.regclass
  and e.objid operator(pg_catalog.=) o.oid and e.deptype operator(pg_catalog.=) 'e');
-- Casts: both types, their function.
select c.castsource, c.casttarget, f.oid, f.proname from pg_catalog.pg_cast c
  join pg_catalog.pg_proc f on f.oid operator(pg_catalog.=) c.castfunc
  where c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid and not exists (select from pg_catalog.pg_depend e
  where e.classid operator(pg_catalog.=) 'pg_catalog.pg_cast'::pg_catalog.regclass
  and e.objid operator(pg_catalog.=) c.oid and e.deptype operator(pg_catalog.=) 'e');
-- Types, and those that each is made of.
select t.oid, t.typname, u.oid from pg_catalog.pg_type t
  left join pg_catalog.pg_range r on t.oid operator(pg_catalog.=) r.rngtypid
  left join pg_catalog.pg_range m
    on pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(m), 'rngmultitypid') operator(pg_catalog.=) t.oid::pg_catalog.text
  left join pg_catalog.pg_attribute a on t.typrelid operator(pg_catalog.>) 0::pg_catalog.oid
    and a.attrelid operator(pg_catalog.=) t.typrelid and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped
  left join pg_catalog.pg_type u on u.oid operator(pg_catalog.=) any (array[t.typbasetype, t.typelem, r.rngsubtype,
    m.rngtypid, a.atttypid]) and u.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
  where t.oid operator(pg_catalog.>=) 16384::pg_catalog.oid or exists (select from pg_catalog.pg_cast c
    where c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
    and t.oid operator(pg_catalog.=) any (array[c.castsource, c.casttarget]));
-- Relations: number, name, the types of their columns.
select distinct c.oid, c.relname, a.atttypid from pg_catalog.pg_class c
  left join pg_catalog.pg_attribute a on a.attrelid operator(pg_catalog.=) c.oid
    and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped
  where c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
  and c.relkind operator(pg_catalog.=) any (array['r', 'p', 'v', 'm', 'f']::pg_catalog."char"[]);
-- What stored expressions name: of views, row security, constraints of domains, bodies and defaults of functions,
-- and of constraints of tables, indexes, partition keys and statistics, of which planning a read of the table or of
-- one that it inherits from works out what is constant (eval_const_expressions in optimizer/util/clauses.c): not
-- a call that is not immutable, nor one of a column, unless its function has defaults, which are no part of
-- the tree, or is in SQL, whose body may take the call's place. Any number in one may be that of a user's own object; the server's functions are told apart. A
-- statement in one that is no plain query (CmdType in nodes.h: only 1 is SELECT; row locks) is number 0.
select distinct s.kind, s.owner, m[1], f.proname from (
  select 'relation' as kind, r.ev_class as owner, r.ev_action::pg_catalog.text as tree from pg_catalog.pg_rewrite r
    join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) r.ev_class and c.relkind operator(pg_catalog.=) 'v'
    where r.ev_type operator(pg_catalog.=) '1' and c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
    and not exists (select from pg_catalog.pg_depend e where e.classid operator(pg_catalog.=)
    'pg_catalog.pg_class'::pg_catalog.regclass and e.objid operator(pg_catalog.=) c.oid
    and e.deptype operator(pg_catalog.=) 'e')
  union all select 'relation', polrelid, polqual::pg_catalog.text from pg_catalog.pg_policy
  union all select 'relation', up.oid, pg_catalog.concat_ws(' ',
    pg_catalog.regexp_replace(e.tree, ':funcid [0-9]+', ':funcid 0', 'g'),
    (select pg_catalog.string_agg(pg_catalog.concat(':funcid ', n[1]), ' ') from pg_catalog.regexp_matches(e.tree,
    ':funcid ([0-9]+)([^{}]*:args [(](?:[{]CONST [^{}]*[}] )*[{](?:VAR|RELABELTYPE :arg [{]VAR) )?', 'g') n
    join pg_catalog.pg_proc p on p.oid operator(pg_catalog.=) n[1]::pg_catalog.oid
    join pg_catalog.pg_language l on l.oid operator(pg_catalog.=) p.prolang
    where l.lanname operator(pg_catalog.=) 'sql' or p.provolatile operator(pg_catalog.=) 'i'
      and (n[2] is null or p.pronargdefaults operator(pg_catalog.>) 0)))
  from (
    select conrelid as oid, conbin::pg_catalog.text as tree from pg_catalog.pg_constraint
      where conrelid operator(pg_catalog.>=) 16384::pg_catalog.oid and contype operator(pg_catalog.=) 'c'
    union all select indrelid, pg_catalog.concat_ws(' ', indexprs, indpred) from pg_catalog.pg_index
      where indexprs is not null or indpred is not null
    union all select down.oid, k.partexprs::pg_catalog.text from pg_catalog.pg_partitioned_table k
      cross join lateral (with recursive down (oid) as (select k.partrelid union select i.inhrelid
      from pg_catalog.pg_inherits i join down on i.inhparent operator(pg_catalog.=) down.oid)
      select down.oid from down) down where k.partexprs is not null
    union all select x.stxrelid, pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(x), 'stxexprs')
      from pg_catalog.pg_statistic_ext x) e
    cross join lateral (with recursive up (oid) as (select e.oid union select i.inhparent from pg_catalog.pg_inherits i
      join up on i.inhrelid operator(pg_catalog.=) up.oid) select up.oid from up) up
  union all select 'type', contypid, conbin::pg_catalog.text from pg_catalog.pg_constraint
    where contypid operator(pg_catalog.>=) 16384::pg_catalog.oid and not exists (select from pg_catalog.pg_depend e
    where e.classid operator(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
    and e.objid operator(pg_catalog.=) contypid and e.deptype operator(pg_catalog.=) 'e')
  union all select 'function', p.oid, pg_catalog.concat_ws(' ', p.proargdefaults,
    pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(p), 'prosqlbody')) from pg_catalog.pg_proc p
    where p.oid operator(pg_catalog.>=) 16384::pg_catalog.oid and (p.pronargdefaults operator(pg_catalog.>) 0
    or p.prosrc operator(pg_catalog.=) '')) s
  cross join lateral (select array['0'] where s.tree operator(pg_catalog.~)
      ':commandType ([02-9]|1[0-9])|:hasForUpdate true|:hasModifyingCTE true'
    union all select pg_catalog.regexp_matches(s.tree, '[( ](1638[4-9]|1639[0-9]|16[4-9][0-9]{2}|1[7-9][0-9]{3}|[2-9][0-9]{4}|[1-9][0-9]{5,9})(?![0-9])', 'g')
    union all select pg_catalog.regexp_matches(s.tree, ':(?:funcid|aggfnoid|winfnoid) ([1-9][0-9]*)(?![0-9])', 'g')) t (m)
  left join pg_catalog.pg_proc f on f.oid::pg_catalog.text operator(pg_catalog.=) m[1]
    and f.oid operator(pg_catalog.<) 16384::pg_catalog.oid
  where f.oid is not null or m[1] operator(pg_catalog.=) '0' or m[1]::pg_catalog.int8 operator(pg_catalog.>=) 16384
