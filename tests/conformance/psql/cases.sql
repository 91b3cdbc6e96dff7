-- Cases for psql: each begins at a line `--- name`, and runs in a session of its own.
--- d
\d
\d+
\dS pg_class
--- d-table
\d customers
\d+ customers
\d orders
\d+ orders
\d events
\d+ events
\d events_2020
\d old_customers
\d scratch
\d+ scratch
--- d-other
\d rich
\d+ rich
\d+ totals
\d counter
\d orders_pkey
\d customers_lower
\d abroad
\d point3
\d no_such_table
\d *.customers
\d "customers"
\d cust*
--- da
\da app.*
\daS sum
--- dA
\dA
\dA+
\dAc btree int4
\dAf btree
\dAo btree integer_ops
\dAp btree integer_ops
--- db
\db
--- dc
\dc app.*
\dcS utf8_to_iso_8859_1
\dC mood
\dC+ mood
--- dd
\dd app.*
\dD
\dD+
\ddp
--- de
\de
\det
\det+
\des+
\deu+
\dew+
--- df
\df app.*
\df+ app.add
\dfa app.*
\dft app.*
\dfp app.*
\df add int int
\dfS lower
--- dF
\dF app.*
\dF+ app.plain
\dFd simple
\dFp default
\dFt simple
--- dg
\dg
\dg+
\du reader
\drds
--- di
\di
\di+ orders*
\dm+
\ds
\ds+
\dt
\dt+ cust*
\dv+
\dE
\dti
--- dl
\dl
\lo_list
--- dL
\dL
\dLS+
--- dn
\dn
\dn+
--- do
\do app.*
\doS @>
\dO app.*
\dO+ app.*
--- dp
\dp
\dp app.customers
\z orders
--- dP
\dP
\dPi
\dPn
\dPt+
--- dr
\dRp
\dRp+
\dRs
\dX
\dX+
--- dT
\dT app.*
\dT+ app.mood
\dTS int4
--- dx
\dx
\dx+ hstore
\dy
\dconfig work_mem
\dconfig *vacuum_cost*
--- l
\l
\l psql
\l+ no_such_database
--- sf
\sf app.add
\sf+ app.touch
\sv app.rich
\sv+ app.rich
\sf app.none
--- set-echo-hidden
\set ECHO_HIDDEN on
\d customers
\df app.add
--- copy
\copy customers to 'out.txt'
\! cat out.txt
\copy (select id, name from customers order by id) to 'out.csv' with (format csv, header)
\! cat out.csv
\copy customers (id, name, score) to 'out.bin' with (format binary)
\! md5sum out.bin
\copy (select name from customers order by 1) to program 'tr a-z A-Z > up.txt'
\! cat up.txt
\copy (select 1, E'a\tb', null) to stdout
\copy (select 1, 'x"y') to pstdout csv
create temp table c (id int, name text, score int);
\copy c from 'out.bin' with (format binary)
select * from c order by id;
\copy c (id, name) from program 'printf "7\tseven\n8\teight\n"'
\copy c from 'out.csv' csv header
\copy c from 'no-such-file'
\copy c (id) from stdin
41
42
\.
\copy c (id) from stdin
43
x
\.
copy c (id, name) from stdin with (format csv);
9,nine
"10","t""en"
\.
select count(*), sum(id) from c;
copy c to stdout;
--- copy-large
create temp table big as select n, repeat(md5(n::text), 8) as t from generate_series(1, 20000) n;
\copy big to 'big.txt'
\! md5sum < big.txt
create temp table again (n int, t text);
\copy again from 'big.txt'
select count(*), sum(hashtext(t)) = (select sum(hashtext(t)) from big) from again;
--- gdesc
select 1 as a, 'x'::text as b, now() as c, array[1, 2] as d, null as e \gdesc
select * from customers \gdesc
select \gdesc
create table never (a int) \gdesc
select nothing from nowhere \gdesc
select 1::numeric(10, 2), 'a'::varchar(7), row(1, 2) \gdesc
--- bind
select $1::int + $2::int as sum \bind 20 22 \g
select * from customers where name = $1 \bind 'Ann' \gx
select $1 \bind \g
select $1::int \bind x \g
insert into scratch values ($1, $2) returning * \bind 1 'one' \g
select $1::text as a \bind '\''it''s' \g
--- bind-named
select $1::int * 2 as twice \parse two
\bind_named two 21 \g
\bind_named two 4 \gx
\close_prepared two
\close two
\bind_named two 1 \g
--- pipeline
\startpipeline
select 1 \bind \sendpipeline
select $1 \bind two \sendpipeline
\flushrequest
\getresults
select 3 \bind \sendpipeline
\syncpipeline
select 1 / 0 \bind \sendpipeline
select 4 \bind \sendpipeline
\endpipeline
select 5;
--- errverbose
select 1 / 0;
\errverbose
select * from no_such_table;
\errverbose
insert into customers (name, email) values ('Eve', 'ann@example.com');
\errverbose
insert into orders (customer, total) values (1, -1);
\errverbose
select 'x'::int;
\errverbose
do $$begin raise exception 'own' using errcode = 'ZX001', hint = 'a hint', detail = 'a detail', column = 'c', table = 't', schema = 's'; end$$;
\errverbose
selec 1;
\errverbose
\set VERBOSITY verbose
select * from customers where nam = 1;
\set VERBOSITY terse
select 1 / 0;
\set VERBOSITY sqlstate
select 1 / 0;
\set SHOW_CONTEXT always
\set VERBOSITY default
do $$begin raise notice 'told %', 1; raise warning 'warned'; perform 1 / 0; end$$;
\echo :ERROR :SQLSTATE :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE :ROW_COUNT
--- crosstabview
select customer, id % 4 as rest, sum(total) from orders group by 1, 2 order by 1, 2 \crosstabview
select customer, id % 4 as rest, sum(total) from orders group by 1, 2 order by 1, 2 \crosstabview rest customer sum
select 1, 2 \crosstabview
select customer, id, total from orders limit 3 \crosstabview customer id total
--- g
select 1 as one \gx
select 'a' as v, 2 as w \gset p_
\echo :p_v :p_w
select format('select %s', n) from generate_series(1, 3) n \gexec
select 3 \g (format=csv tuples_only=on)
select 4 \g out.g
\! cat out.g
select 'piped' \g | cat
select 1 where false \gset
--- fetch-count
\set FETCH_COUNT 7
select id, total from orders order by id;
select n, 1 / (10 - n) from generate_series(1, 20) n;
\set FETCH_COUNT 1000
select count(*) from (select generate_series(1, 5000)) s;
select generate_series(1, 3000);
--- formats
\x auto
select * from customers order by id;
\pset format html
select 1, '<b>';
\pset format csv
select 1, 'a,b';
\pset format latex
select 1;
\pset format asciidoc
select 1;
\pset null '(null)'
\pset format aligned
\pset border 2
\pset linestyle unicode
select null as n, e'two\nlines', 'Zoë';
\pset format unaligned
\f ;
\a
\t
select 1, 2;
--- transactions
\set ON_ERROR_ROLLBACK on
begin;
select 1 / 0;
insert into scratch values (2, 'kept');
select count(*) from scratch where b = 'kept';
rollback;
\set AUTOCOMMIT off
insert into scratch values (3, 'x');
rollback;
commit;
\set ON_ERROR_STOP on
select 1; select 2 \; select 3 \; select 1 / 0;
select 'not reached';
--- single-transaction
begin \; select 1 \; commit \; select 2;
select 1 as a \; select 2 as b \; select 3 as c \gset
\echo :a :b :c
create temp table x (a int) \; insert into x values (1), (2) \; select * from x;
--- lo
\lo_import /etc/hostname 'a host'
\lo_list
\lo_export :LASTOID lo.out
\! cmp lo.out /etc/hostname && echo the same
\lo_unlink :LASTOID
\lo_list
--- encoding
\encoding
\encoding LATIN1
select 'x' || chr(233) as e, length(chr(233));
\encoding UTF8
select chr(233), E'\u00e9', U&'\00e9';
--- connect
\c template1
select current_database();
\c psql
select current_database(), current_schema;
\c no_such_database
--- variables
\set name Ann
select :'name', :"name" from (select 1 as "Ann") s;
select * from customers where name = :'name';
\if :{?name}
\echo there
\else
\echo gone
\endif
\unset name
\set
--- notify
listen told;
notify told, 'payload';
select 1;
--- prepared
prepare p (int) as select $1 + 1;
execute p (1);
deallocate p;
execute p (1);
declare c cursor with hold for select id from orders order by id;
fetch 3 from c;
move 5 in c;
fetch backward 2 from c;
close c;
--- explain
explain (costs off) select * from orders where id = 1;
explain (costs off, verbose) select name from rich;
explain (format json, costs off) select 1;
--- help
\h select
\? variables
\copyright
\timing
\errverbose
--- permission
set role reader;
select id, name from customers order by id;
select email from customers;
select * from orders;
update customers set name = 'x' where id = 1;
reset role;
