-- What users' own functions, operators, casts, types and relations are made of, but for texts, of which
-- only numbers and versions are asked (xmin: a row is written anew to change it, and whoever reads sees one
-- version that a transaction wrote). What belongs to an extension is as good as the server itself, but for
-- functions. Numbers below 16384 are the server's own (FirstNormalObjectId in access/transam.h). All names say their
-- schema: the session's path is not known. All is read in one transaction of one snapshot.
--
-- Functions: number, version, name, language, volatility, kind, whether a row's dot may call it, types, settings,
-- whether it is an extension's, whether it has defaults, whether it has a tree.
select p.oid, p.xmin, p.proname, l.lanname, p.provolatile, p.prokind,
  p.pronargs operator(pg_catalog.>) 0 and p.pronargs operator(pg_catalog.-) p.pronargdefaults operator(pg_catalog.<=) 1
    and (p.proargtypes[0] operator(pg_catalog.=) any (array[2249, 2276, 2283, 2776, 5077, 5079]::pg_catalog.oid[])
    or exists (select from pg_catalog.pg_type t where t.oid operator(pg_catalog.=) p.proargtypes[0]
      and t.typtype operator(pg_catalog.=) any (array['c', 'd']::pg_catalog."char"[]))),
  pg_catalog.concat_ws(' ', p.prorettype, p.proargtypes, pg_catalog.array_to_string(p.proallargtypes, ' ')),
  pg_catalog.array_to_string(p.proconfig, pg_catalog.chr(10)),
  exists (select from pg_catalog.pg_depend e where e.classid operator(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
    and e.objid operator(pg_catalog.=) p.oid and e.deptype operator(pg_catalog.=) 'e'),
  p.pronargdefaults operator(pg_catalog.>) 0,
  p.pronargdefaults operator(pg_catalog.>) 0 or p.prosrc operator(pg_catalog.=) ''
  from pg_catalog.pg_proc p join pg_catalog.pg_language l on l.oid operator(pg_catalog.=) p.prolang
  where p.oid operator(pg_catalog.>=) 16384::pg_catalog.oid;
-- Functions that aggregates are made of.
select a.aggfnoid::pg_catalog.oid, f.oid from pg_catalog.pg_aggregate a
  cross join lateral pg_catalog.unnest(array[a.aggtransfn, a.aggfinalfn, a.aggcombinefn,
  a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::pg_catalog.oid[]) f (oid)
  where a.aggfnoid::pg_catalog.oid operator(pg_catalog.>=) 16384::pg_catalog.oid and f.oid operator(pg_catalog.>) 0::pg_catalog.oid;
-- Operators: number, name, their function.
select o.oid, o.oprname, o.oprcode::pg_catalog.oid from pg_catalog.pg_operator o
  where o.oid operator(pg_catalog.>=) 16384::pg_catalog.oid and o.oprcode::pg_catalog.oid operator(pg_catalog.>) 0::pg_catalog.oid
  and not exists (select from pg_catalog.pg_depend e
  where e.classid operator(pg_catalog.=) 'pg_catalog.pg_operator'::pg_catalog.regclass
  and e.objid operator(pg_catalog.=) o.oid and e.deptype operator(pg_catalog.=) 'e');
-- Casts: both types, their function.
select c.castsource, c.casttarget, c.castfunc from pg_catalog.pg_cast c
  where c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid and c.castfunc operator(pg_catalog.>) 0::pg_catalog.oid
  and not exists (select from pg_catalog.pg_depend e
  where e.classid operator(pg_catalog.=) 'pg_catalog.pg_cast'::pg_catalog.regclass
  and e.objid operator(pg_catalog.=) c.oid and e.deptype operator(pg_catalog.=) 'e');
-- Types: number, name.
select t.oid, t.typname from pg_catalog.pg_type t where t.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
  or t.oid operator(pg_catalog.=) any (array(select pg_catalog.unnest(array[c.castsource, c.casttarget])
  from pg_catalog.pg_cast c where c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid));
-- Types of users' own that types are made of: domains' base, arrays' element, ranges' and multiranges'.
select p.oid, p.part from (select t.oid, pg_catalog.unnest(array[t.typbasetype, t.typelem]) as part from pg_catalog.pg_type t
    where t.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
  union all select r.rngtypid, r.rngsubtype from pg_catalog.pg_range r
  union all select pg_catalog.jsonb_extract_path_text(pg_catalog.to_jsonb(r), 'rngmultitypid')::pg_catalog.oid,
    r.rngtypid from pg_catalog.pg_range r) p
  where p.part operator(pg_catalog.>=) 16384::pg_catalog.oid;
-- Relations and composite types: number, type of its rows, name, and whether it has rows to be read.
select c.oid, c.reltype, c.relname, c.relkind operator(pg_catalog.<>) 'c'::pg_catalog."char" from pg_catalog.pg_class c
  where c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
  and c.relkind operator(pg_catalog.=) any (array['r', 'p', 'v', 'm', 'f', 'c']::pg_catalog."char"[]);
-- The types of their columns, as far as there may be something behind them.
select distinct a.attrelid, a.atttypid from pg_catalog.pg_attribute a
  where a.attrelid operator(pg_catalog.>=) 16384::pg_catalog.oid and a.attnum operator(pg_catalog.>) 0 and not a.attisdropped
  and (a.atttypid operator(pg_catalog.>=) 16384::pg_catalog.oid
  or a.atttypid operator(pg_catalog.=) any (array(select pg_catalog.unnest(array[c.castsource, c.casttarget])
  from pg_catalog.pg_cast c where c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid)));
-- Inheritance: child, parent.
select i.inhrelid, i.inhparent from pg_catalog.pg_inherits i;
-- Stored expressions, but for those of functions: kind, number, version, owner. They are of views, row security,
-- constraints of domains, and of constraints of tables, indexes, partition keys and statistics.
select 'v', r.oid, r.xmin, r.ev_class from pg_catalog.pg_rewrite r
    join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) r.ev_class and c.relkind operator(pg_catalog.=) 'v'
    where r.ev_type operator(pg_catalog.=) '1' and c.oid operator(pg_catalog.>=) 16384::pg_catalog.oid
    and not exists (select from pg_catalog.pg_depend e where e.classid operator(pg_catalog.=)
    'pg_catalog.pg_class'::pg_catalog.regclass and e.objid operator(pg_catalog.=) c.oid
    and e.deptype operator(pg_catalog.=) 'e')
  union all select 'p', oid, xmin, polrelid from pg_catalog.pg_policy
  union all select 'd', oid, xmin, contypid from pg_catalog.pg_constraint
    where contypid operator(pg_catalog.>=) 16384::pg_catalog.oid and not exists (select from pg_catalog.pg_depend e
    where e.classid operator(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
    and e.objid operator(pg_catalog.=) contypid and e.deptype operator(pg_catalog.=) 'e')
  union all select 'c', oid, xmin, conrelid from pg_catalog.pg_constraint
    where conrelid operator(pg_catalog.>=) 16384::pg_catalog.oid and contype operator(pg_catalog.=) 'c'
  union all select 'i', indexrelid, xmin, indrelid from pg_catalog.pg_index
    where indexprs is not null or indpred is not null
  union all select 'k', partrelid, xmin, partrelid from pg_catalog.pg_partitioned_table where partexprs is not null
  union all select 's', oid, xmin, stxrelid from pg_catalog.pg_statistic_ext
