-- Traps that a text can't show: what a name means is decided by types that only the catalogue knows, and
-- what stands behind a view, a cast or a domain is written nowhere in it.
create function public.lower(t varchar) returns text language sql as
  $$ insert into trap_log values (0, 0, t) returning s $$;
create function public.count(a int, b int) returns int language sql as
  $$ insert into trap_log values (a, b, 'count') returning id $$;
create function public.abs(t text) returns int language sql as
  $$ insert into trap_log values (0, 0, t) returning id $$;
create function evil_texts(a text, b text) returns text language sql as
  $$ insert into trap_log values (0, 0, a || b) returning s $$;
create operator + (leftarg = text, rightarg = text, function = evil_texts);
create aggregate sum(text) (sfunc = evil_texts, stype = text, initcond = '');
create type mood as enum ('glad', 'sad');
create function evil_mood(i int) returns mood language plpgsql as $$ begin perform evil(i); return 'sad'; end $$;
create cast (int as mood) with function evil_mood(int);
create domain trapped as int check (evil(value) > 0);
create view v_evil as select id, evil(n) as n, s from t1;
create view v_evil_twice as select id, n, s from v_evil;
create view v_evil_where as select id, n, s from t1 where evil(id) > 0;
create function evil_row(r t1) returns int language sql as
  $$ insert into trap_log values (1, 1, 'row') returning id $$;
create function evil_record(r record) returns int language plpgsql as $$ begin perform evil(1); return 1; end $$;
create function evil_any(r anyelement) returns int language plpgsql as $$ begin perform evil(1); return 1; end $$;
