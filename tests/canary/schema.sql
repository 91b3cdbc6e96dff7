create domain handle as text check (length(value) < 200);
create type contact as (mail text, phone varchar, ref int8);

create table teams (id int primary key, name text not null, budget int not null default 0);
create table people (
  id int primary key,
  team int not null references teams on delete set null,
  email varchar(120) not null unique check (email <> 'nobody'),
  alias handle, tags text[], codes int8[], doc jsonb, raw json, card contact,
  account int4, serial int8, salary numeric, born date, seen timestamp, key uuid, blob bytea,
  level int not null default 0, note text,
  loud text generated always as (upper(email::text)) stored);
create table staff (badge text, grade int not null default 1) inherits (people);
create table events (id int not null, person int not null, kind text not null, origin text, payload jsonb, day date not null)
  partition by range (day);
create table events_old partition of events for values from ('2020-01-01') to ('2024-01-01');
create table events_new partition of events for values from ('2024-01-01') to ('2030-01-01');
create table mail_log (id int primary key, email varchar(120) references people (email) deferrable initially deferred, sent int not null);
create table items (id int primary key, person int not null, name text not null, qty int not null, sold date not null);
create table pairs (k int primary key, v text not null);
-- Of the same form as what is masked, and not masked: they have to arrive.
create table decoys (id int primary key, word text not null, number int8 not null);

create function mail_of(int) returns text stable language sql as 'select email::text from people where id = $1';
create function everyone() returns setof people stable language sql as 'select * from people';

create view contacts as select id, email as address, upper(alias) as loud, level, note from people;
create view deep as select c.id, c.address, c.loud, c.note from contacts c where c.level >= 0;
create view shipped as select i.id, i.name, p.email as buyer, i.qty from items i join people p on p.id = i.person;
create view whole as select p as person, p.id from people p;
create view documents as select id, to_jsonb(p) as document from people p;
create view mixed as select id, email as value from people union all select k, v from pairs;
create view called as select id, mail_of(id) as mail, name from items;
create view anybody as select * from everyone();
create view plain as select id, level, note from people;
create materialized view nightly as select id, email, lower(alias) as nick, level from people;

create function shout(text) returns text language plpgsql as $$ begin raise notice 'shouting %', $1; return upper($1); end $$;
create function fail(text) returns text language plpgsql as $$ begin raise exception 'failing with %', $1; end $$;
create function told() returns trigger language plpgsql as $$ begin raise notice 'changed % of level %', new.email, new.level; return new; end $$;
create trigger told before update on people for each row execute function told();
create function strict() returns trigger language plpgsql as $$ begin
  if new.level > 90 then raise exception 'level of % too high', new.email using hint = 'ask ' || new.alias, detail = 'row ' || new.id || ' ' || new.key; end if;
  return new; end $$;
create trigger strict before insert or update on people for each row execute function strict();
create rule moved as on update to pairs where new.k = -1 do also select email from people;

insert into teams select i, 'team ' || i, i * 100 from generate_series(1, 4) i;
insert into items select i, 1 + i % 12, 'item ' || i, i % 7, date '2024-01-01' + i from generate_series(1, 40) i;
insert into pairs select i, 'pair ' || i from generate_series(1, 20) i;
