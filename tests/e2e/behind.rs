//! What runs behind names: overloads, operators, casts, domains, views and row security that write.

use std::time::Duration;

use weir_tests::postgres::Version;
use weir_tests::{Gateway, Setup, wait_for};

use crate::evade::attack;
use crate::messages::permissive;

/// Everything is allowed but what nobody knows.
const POLICY: &str = "@id(\"all\") permit (principal, action, resource);\n\
    @id(\"no-unknown\") @severity(\"high\") @message(\"Nobody knows what this does.\") @instead(\"Ask otherwise.\")\n\
    forbid (principal, action == Weir::Action::\"sql.run\", resource) when { context.effect == \"unknown\" };\n";

/// Whatever runs behind a name here writes to `trap_log`; `fine` and what is made of it only reads.
const TRAPS: &str = "create table trap_log (what text);
create table t (id int, s varchar, n int);
insert into t values (1, 'One', 1), (2, 'Two', 2);
create function trap(what text) returns int language plpgsql as
  $$ begin insert into public.trap_log values (what); return 1; end $$;
create function quiet(i int) returns bool language plpgsql immutable as $$ begin return trap('quiet') > 0; end $$;
create function public.upper(t varchar) returns text language sql as $$ insert into trap_log values (t) returning what $$;
create function same(a text, b text) returns bool language sql as $$ select trap(a) > 0 $$;
create operator @@@ (leftarg = text, rightarg = text, function = same);
create type mood as enum ('glad');
create function to_mood(i int) returns mood language sql as $$ select 'glad'::mood where trap('cast') > 0 $$;
create cast (int as mood) with function to_mood(int);
create domain checked as int check (quiet(value));
create table checks (id int, v checked[]);
create view v_quiet as select id, quiet(n) from t;
create view v_deeper as select id from v_quiet;
create function whole(r t) returns int language sql as $$ select trap('row') $$;
alter table t add column covered int;
create function covered(r t) returns int language sql as $$ select trap('uncovered') $$;
create function steady(i int) returns int language plpgsql immutable as $$ begin return public.trap('planned'); end $$;
create table indexed (id int); create index on indexed ((steady(1)));
create table fair (id int, name varchar); create index on fair (steady(id));
create function named(t text) returns int language plpgsql immutable as $$ begin return public.trap('named'); end $$;
create index on fair (named(name)); alter table fair owner to app;
create table kept (id int check (steady(1) > 0));
create table above (id int); create table below () inherits (above); create index on below ((steady(1)));
create table split (id int) partition by range ((id + steady(1)));
alter table above owner to app; alter table split owner to app; create function inlined(i int) returns int language sql immutable as $$ select i + public.steady(1) $$;
create function padded(i int, j int default public.steady(1)) returns int language plpgsql immutable as
  $$ begin return i; end $$;
create table defaulted (id int); create index on defaulted (padded(id)); alter table defaulted owner to app;
create table split_1 partition of split for values from (0) to (10); alter table split_1 owner to app;
create type comp as (a checked);
create function twice(i int, j int) returns int language plpgsql immutable as $$ begin return public.trap('twice'); end $$;
create function loose(i int) returns bool language plpgsql as $$ begin return public.trap('loose') > 0; end $$;
create index on fair (twice(3, id)); alter table fair add check (loose(abs(id)));
create table within (id int); create index on within (inlined(id)); alter table within owner to app;
alter table indexed owner to app; alter table kept owner to app;
delete from trap_log;
create table guarded (id int); insert into guarded values (1); grant select on guarded to public;
alter table guarded enable row level security;
create policy p on guarded using (quiet(id));
create function public.initcap(t varchar) returns text begin atomic insert into trap_log values (t) returning what; end;
create function public.reverse(t varchar) returns int begin atomic select id from t for update; end;
create function public.ascii(t varchar) returns int language sql as $$ select 1 as a into made; select 1 $$;
create function public.length(t varchar) returns int begin atomic select pg_catalog.length(t::text); end;
create aggregate bit_xor(text) (sfunc = textcat, stype = text, finalfunc = trap);
create function fine(i int) returns bool language plpgsql stable as
  $$ declare n int := 0; begin select count(*) into n from t where id = i; if (n > 0) then return true; end if; return false; end $$;
create domain positive as int check (value > 0 and fine(1));
create view v_fine as select id, fine(id) from t;
create table amounts (v positive); insert into amounts values (1);
create function lower(t varchar) returns text language sql immutable as $$ select pg_catalog.lower(t::text) $$;
alter table trap_log owner to app; alter table t owner to app; alter table checks owner to app;
alter view v_quiet owner to app; alter view v_deeper owner to app; alter view v_fine owner to app;
alter table amounts owner to app; grant create on schema public to app";

fn start() -> (Gateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = folder.path().join("policy.cedar");
    std::fs::write(&policy, POLICY).expect("a policy");
    let extra = format!("[policy]\nfiles = [{policy:?}]\n");
    let gateway = Gateway::start(&Setup { extra, ..Setup::default() });
    // Bodies that are read when they are made are new in 14.
    let traps = if Version::usual() == Version::V13 {
        TRAPS.replace("begin atomic ", "language sql as $$ ").replace("; end;", " $$;")
    } else {
        TRAPS.to_owned()
    };
    gateway.postgres.direct(&traps);
    (gateway, folder)
}

#[test]
fn what_writes_behind_a_name_is_no_read() {
    let (gateway, _folder) = start();
    let agent = gateway.agent();
    for text in [
        "select upper(s) from t",
        "select initcap(s) from t",
        "select reverse(s) from t",
        "select ascii(s) from t",
        "select 'a' @@@ 'b'",
        "select 1::mood",
        "select cast(n as mood) from t",
        "select 5::checked",
        "select array_append(v, 5) from checks",
        "select * from v_quiet",
        "select id from v_deeper",
        "select t.whole from t",
        "select (x).whole from t x",
        "select * from guarded",
        "select * from indexed",
        "select * from above",
        "select * from within",
        "select * from defaulted",
        "select * from split_1",
        "create table typed of comp",
        "select * from split",
        "set constraint_exclusion = on; select id from kept",
        "select bit_xor(s::text) from t",
        "select * from json_to_record('{\"a\": 5}') as r (a checked)",
        "prepare p (checked) as select $1",
        "insert into t select id, upper(s), n from t",
        "copy (select upper(s) from t) to stdout",
        "explain analyze select upper(s) from t",
        "declare c cursor with hold for select upper(s) from t",
    ] {
        let said = agent.psql(text);
        assert!(said.err.contains("Nobody knows"), "{text}: {said:?}");
    }
    if Version::usual() != Version::V13 {
        gateway.postgres.direct("create type span as range (subtype = checked)");
        agent.psql("comment on table t is 'newer'");
        let said = agent.psql("select '{[1,2]}'::span_multirange");
        assert!(said.err.contains("Nobody knows"), "{said:?}");
    }
    for text in [
        "select pg_catalog.upper('a'::text)",
        "select * from v_fine",
        "select * from fair where id = 1",
        "select id from t order by id",
        "select 2::positive",
        "select * from amounts",
        "select lower(s), length(s) from t",
        "select a.relname from pg_class a join pg_namespace b on b.oid = a.relnamespace where b.nspname = 'public'",
    ] {
        let said = agent.psql(text);
        assert_eq!(said.status, Some(0), "{text}: {said:?}");
    }
    // A parameter of such a type is made by the target before anything runs.
    let number = gateway.postgres.direct("select 'checked'::regtype::oid");
    let said = attack(
        &gateway,
        &format!(
            "t = Talk()
p = msg(b'P', b'\\0select $1 is null\\0' + struct.pack('!hI', 1, {number}))
b = msg(b'B', b'\\0\\0' + struct.pack('!hhi', 0, 1, 1) + b'5' + b'\\0\\0')
said = t.ask(p + b + E('') + S)"
        ),
    );
    assert!(said.contains("Nobody knows"), "{said}");
    assert_eq!(gateway.postgres.direct("select count(*) from trap_log"), "0");
}

#[test]
fn what_a_transaction_plants_is_not_used_as_a_read() {
    let (gateway, _folder) = start();
    let agent = gateway.agent();
    let plant = "create function array_length(t text) returns text language sql as \
        $$ insert into trap_log values (t) returning what $$";
    let said =
        agent.psql_script(&format!("begin;\n{plant};\nselect array_length('in it');\ncommit;\n"));
    assert!(said.err.contains("Nobody knows"), "{said:?}");
    // Other changes of the schema don't stand in the way.
    let said = agent.psql_script(
        "begin;\ncreate table fresh (id int);\ninsert into fresh values (1);\nselect max(id) from fresh;\ncommit;\n",
    );
    assert_eq!(said.out.lines().last(), Some("COMMIT"), "{said:?}");
    // A row type whose column's domain runs something, and no text says so.
    let said = agent.psql_script(
        "begin;\ncreate table copied as select * from checks;\nselect '(5)'::copied;\ncommit;\n",
    );
    assert!(said.err.contains("Nobody knows"), "{said:?}");
    let said = agent
        .psql_script("begin;\ncreate table alike (like checks);\nselect a from alike a where a = '(5)';\ncommit;\n");
    assert!(said.err.contains("Nobody knows"), "{said:?}");
    // A column that goes uncovers the function that its name calls.
    let script = "t = Talk(); u = Talk()
said = u.ask(Q('select covered from t')); t.ask(Q('alter table t drop column covered'))
said += u.ask(Q('select t.covered from t'))";
    let said = attack(&gateway, script);
    assert!(said.contains("Nobody knows"), "{said}");
    // Committed, it is in the catalogue, for connections that were open before, too.
    let script = format!(
        "t = Talk(); u = Talk()
said = u.ask(Q(\"select array_length(array[1, 2], 1)\"))
said += t.ask(Q(\"{plant}\"))
said += u.ask(Q(\"select array_length('after')\"))"
    );
    let said = attack(&gateway, &script);
    assert!(said.contains("SELECT 1") && said.contains("CREATE FUNCTION"), "{said}");
    assert!(said.contains("Nobody knows"), "{said}");
    assert_eq!(gateway.postgres.direct("select count(*) from trap_log"), "0");
}

/// Each change is followed by a read of what it changed, faster than the connection that reads the catalogue is
/// given up; then by others, when it is ended meanwhile, and when it was given up.
#[test]
fn what_changes_time_and_again_is_read_each_time() {
    let (gateway, _folder) = start();
    const DONE: &str = "b'done'";
    let readers = "select pid from pg_stat_activity where application_name = 'weir catalogue' and datname = current_database()";
    let changes = "
t = Talk(); u = Talk()
def see(change, query, bad):
    global said
    done = t.ask(Q(change)); seen = u.ask(Q(query))
    right = b'Nobody knows' in seen if bad else b'SELECT ' in seen
    if not right or b'ERROR' in done: said += b'WRONG: %s, %s: %s %s ' % (change.encode(), query.encode(), done, seen)
    return right
make = 'create or replace function public.btrim(t varchar) returns text language sql immutable as $$ %s $$'
good = make % 'select pg_catalog.btrim(t::text)'
bad = make % 'insert into trap_log values (t) returning what'
def behind(add, query, remove):
    see(good, 'select btrim(s) from t', False); see(add, query, False)
    for i in range(2): see(bad, query, True); see(good, query, False)
    see(remove, query, False); see(bad, query, False)
for i in range(3): see(good, 'select btrim(s) from t', False); see(bad, 'select btrim(s) from t', True)
behind('create view seen as select btrim(s) as one from t', 'select * from seen',
  'create or replace view seen as select s::text as one from t')
behind('create domain small as varchar check (btrim(value) is not null)', 'select $$a$$::small',
  'alter domain small drop constraint small_check')
see('create table mother (name varchar); create table child () inherits (mother)', 'select * from mother', False)
behind('create index at on child (btrim(name))', 'select * from mother', 'alter table child no inherit mother')
behind('alter table child inherit mother', 'select * from mother', 'drop index at')
behind('create policy p on mother using (btrim(name) is not null)', 'select * from mother', 'drop policy p on mother')
behind('alter table mother add check (btrim(name) > $$a$$)', 'select * from mother',
  'alter table mother drop constraint mother_name_check')
see('drop function public.btrim(varchar)', 'select btrim(s) from t', False)
see('drop table mother cascade; drop view seen; drop domain small', 'select * from t', False)
said += b'done'
";
    let said = attack(&gateway, changes);
    assert_eq!(said, DONE);
    let reader = gateway.postgres.direct(readers);
    assert!(reader.parse::<u32>().is_ok(), "one connection: {reader}");
    let end = format!("select pg_terminate_backend(pid) from ({readers}) s");
    assert_eq!(gateway.postgres.direct(&end), "t");
    assert_eq!(attack(&gateway, changes), DONE);
    wait_for("the connection to be given up", Duration::from_secs(5), || {
        gateway.postgres.direct(readers).is_empty().then_some(())
    });
    assert_eq!(attack(&gateway, changes), DONE);
}

/// Each of these has more than a mebibyte of tree, and what both inherit from has much to be planned.
#[test]
fn large_expressions_are_read_and_hold_up_nobody() {
    let (gateway, _folder) = start();
    let all = "(select string_agg(n::text, ',') from generate_series(1, 12000) n)";
    gateway.postgres.direct(&format!(
        "do $$ begin execute 'create table wide_table (' || (select string_agg('c' || n || ' int', ',')
           from generate_series(1, 900) n) || ')';
         execute format('create view large as select id from t where id in (%s)', {all});
         execute format('create view wide as select * from wide_table where c1 in (%s)', {all});
         execute format('create view larger as select id from t where n in (%s) and quiet(id)', {all});
         for i in 1..60 loop execute format('create table parent_%s ()', i); end loop;
         execute format('create table heir (id int check (id not in (%s))) inherits (%s)', {all},
           (select string_agg('parent_' || n, ',') from generate_series(1, 60) n));
         alter view large owner to app; alter table parent_1 owner to app; alter table heir owner to app; end $$"
    ));
    let agent = gateway.agent();
    for text in ["select * from large", "select * from parent_1", "select id from t"] {
        let said = agent.psql(text);
        assert_eq!(said.status, Some(0), "{text}: {said:?}");
    }
    let said = agent.psql("select * from larger");
    assert!(said.err.contains("Nobody knows"), "{said:?}");
}

/// The schema has changed, so that the catalogue has to be read for what the transaction asks next; and who
/// waits for the transaction has locked the catalogue's own tables for everybody else.
#[test]
fn a_catalogue_that_waits_for_a_transaction_does_not_hold_it_up_for_long() {
    let gateway = permissive(Version::usual());
    let locker = std::thread::scope(|scope| {
        let locker = scope.spawn(|| {
            // As soon as one session has the lock, and the other has changed the schema.
            let ready = "select count(*) from pg_stat_activity, pg_proc
                where state = 'idle in transaction' and proname = 'newest'";
            wait_for("the agent", Duration::from_secs(20), || {
                (gateway.postgres.direct(ready) == "1").then_some(())
            });
            let mut vacuum = gateway.postgres.tool("psql");
            vacuum.args(["-X", "-q", "-c", "vacuum full pg_class"]).output().expect("psql")
        });
        let said = attack(
            &gateway,
            "import time
t = Talk(); u = Talk(); t.s.settimeout(30)
t.ask(Q('begin')); t.ask(Q('select count(*) from pg_class'))
said += u.ask(Q('create function newest() returns int language sql as $$ select 1 $$'))
time.sleep(6)
begin = time.monotonic()
for i in range(5): said += t.ask(Q('update customers set note = upper(name) where id = 7'))
took = time.monotonic() - begin
t.ask(Q('commit'))
said += b' took %d ms' % (took * 1000)",
        );
        assert!(said.contains("CREATE FUNCTION"), "{said}");
        assert_eq!(said.matches("UPDATE 1").count(), 5, "{said}");
        let took =
            said.split(" took ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        // It did wait, and not for each of them.
        assert!(took.is_some_and(|ms: u32| (2_000..9_000).contains(&ms)), "{said}");
        locker.join().expect("no panic")
    });
    assert!(locker.status.success(), "{}", String::from_utf8_lossy(&locker.stderr));
}
