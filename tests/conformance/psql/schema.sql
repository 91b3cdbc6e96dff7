-- One of everything that psql describes.
create role reader nologin;
alter role reader set statement_timeout = '5s';
create role writer nologin in role reader;
create schema app;
comment on schema app is 'what the describe commands look at';
set search_path = app, public;
create domain positive as integer check (value > 0);
create type mood as enum ('sad', 'ok', 'happy');
create type point3 as (x float8, y float8, z float8);
create type span as range (subtype = float8);
create collation german (provider = libc, locale = 'C');
create table customers (
    id integer generated always as identity primary key,
    name text not null collate "C",
    email text unique,
    mood mood default 'ok',
    score positive,
    born date,
    tags text[] default '{}',
    note jsonb
);
comment on table customers is 'people';
comment on column customers.email is 'masked elsewhere';
create table orders (
    id bigserial primary key,
    customer integer references customers on delete cascade,
    total numeric(10, 2) check (total >= 0),
    placed timestamptz default '2020-01-01 00:00:00+00',
    doubled numeric generated always as (total * 2) stored
);
create index orders_placed on orders using brin (placed);
create index customers_lower on customers (lower(name)) where score > 1;
create statistics customers_both (dependencies) on name, email from customers;
create table events (id integer, at date, primary key (id, at)) partition by range (at);
create table events_2020 partition of events for values from ('2020-01-01') to ('2021-01-01');
create table events_rest partition of events default;
create table old_customers () inherits (customers);
create unlogged table scratch (a int, b text);
alter table scratch alter column b set storage external;
create view rich as select id, name from customers where score > 100 with check option;
create materialized view totals as select customer, sum(total) as total from orders group by customer;
create function add(a integer, b integer default 1) returns integer language sql immutable as 'select a + b';
create function touch() returns trigger language plpgsql as $$begin new.note := '{}'; return new; end$$;
create procedure nothing(inout x integer) language plpgsql as $$begin x := x + 1; end$$;
create aggregate product(integer) (sfunc = int4mul, stype = integer, initcond = '1');
create operator === (leftarg = integer, rightarg = integer, function = int4eq);
create function mood_number(mood) returns integer language sql immutable as $$select 1$$;
create cast (mood as integer) with function mood_number(mood) as assignment;
create trigger touched before insert on customers for each row execute function touch();
create rule no_delete as on delete to old_customers do instead nothing;
alter table orders enable row level security;
create policy own on orders for select to reader using (total < 100);
create foreign data wrapper nowhere;
create server far foreign data wrapper nowhere options (host 'nowhere');
create user mapping for reader server far options (name 'x');
create foreign table abroad (a integer) server far;
create text search configuration plain (copy = simple);
create publication changes for table customers;
create extension hstore schema app;
create sequence counter increment 5 minvalue 10;
grant select (id, name), update (name) on customers to reader;
grant all on orders to writer with grant option;
alter default privileges in schema app grant select on tables to reader;
alter database psql set search_path = app, public;
insert into customers (name, email, score, born) values
    ('Ann', 'ann@example.com', 5, '1990-01-01'), ('Bob', 'bob@example.com', 500, '1980-05-05'),
    ('Zoë', null, 7, null);
insert into orders (customer, total) select 1 + n % 3, n from generate_series(1, 30) n;
insert into events select n, date '2020-01-01' + n from generate_series(1, 500) n;
refresh materialized view totals;
