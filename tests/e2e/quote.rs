//! What random queries found beside plain results: values in errors and notices, in views whose origin
//! the target does not tell, in names that nobody else sees yet, in rows of a rule's.

use weir_tests::{Gateway, Setup};

/// Reads any value of `email`, in either case.
const CLEAR: [&str; 2] = ["customer5@", "CUSTOMER5@"];

/// The canaries are no addresses, which detectors would find by themselves.
fn start() -> Gateway {
    let gateway = Gateway::start(&Setup::default());
    gateway
        .postgres
        .direct("update customers set email = 'canary-of-' || id, card = 'pan-of-' || id");
    gateway
}

fn is_hidden(gateway: &Gateway, sql: &str) {
    let said = gateway.agent().psql(sql);
    let text = format!("{}{}", said.out, said.err).to_lowercase();
    let clear = ["canary-of-", "-fo-yranac", "pan-of-"].iter().any(|clear| text.contains(clear));
    assert!(!clear, "{sql}: {said:#?}");
    assert!(!CLEAR.iter().any(|clear| text.contains(clear)), "{sql}: {said:#?}");
}

/// The same, and something arrived in its place.
fn is_answered(gateway: &Gateway, sql: &str) {
    is_hidden(gateway, sql);
    let said = gateway.agent().psql(sql);
    assert!(
        said.out.contains("[redacted]") || said.err.contains("[hidden by weir]"),
        "{sql}: {said:#?}"
    );
}

#[test]
fn errors_that_come_late_quote_nothing() {
    let gateway = start();
    gateway.postgres.direct(
        "create table letters (id int primary key, email text references customers (email) deferrable initially deferred);\
         insert into letters select 5, email from customers where id = 5;\
         alter table orders drop constraint orders_customer_fkey;\
         create table regions (id int primary key); insert into regions values (1);\
         alter table customers add region int not null default 1 references regions on delete set null;\
         grant all on letters, regions to app",
    );
    for sql in [
        "begin; declare c cursor for select email::int from customers where id = 5; fetch c",
        "begin; declare c cursor for select email::int from customers where id = 5; move all c",
        "delete from customers where id = 5",
        "begin; delete from customers where id = 5; set constraints all immediate",
        "delete from regions where id = 1",
        "select make_date(1 + length(email) * 1000, 77, 1) from customers where id = 5",
    ] {
        is_answered(&gateway, sql);
    }
}

#[test]
fn what_functions_raise_is_hidden_whole() {
    let gateway = start();
    gateway.postgres.direct(
        "create function told() returns trigger language plpgsql as $$ begin \
           if new.balance = 1 then raise exception 'no more of %', new.email using hint = 'ask ' || new.card; end if;\
           raise notice 'changed %', new.email; return new; end $$;\
         create trigger told before update on customers for each row execute function told()",
    );
    is_answered(&gateway, "update customers set balance = 1 where id = 5");
    is_answered(&gateway, "update customers set balance = 2 where id = 5");
    // Raised by a cascade, of which the statement says nothing.
    gateway.postgres.direct(
        "create table regions (id int primary key); insert into regions values (1); grant all on regions to app;\
         alter table customers add region int default 1 references regions on delete set null",
    );
    is_answered(&gateway, "begin; delete from regions where id = 1");
}

#[test]
fn views_that_hide_their_origin_are_masked_like_any_other() {
    let gateway = start();
    gateway.postgres.direct(
        "create view documents as select id, to_jsonb(c) as document from customers c;\
         create view people as select c as person, c.id from customers c;\
         create function mail_of(int) returns text stable language sql as 'select email from customers where id = $1';\
         create view called as select id, mail_of(customer) as mail from orders;\
         alter table customers add loud text generated always as (upper(email)) stored;\
         grant select on documents, people, called to app",
    );
    for sql in [
        "select document from documents where id = 5",
        "select document->>'email' from documents where id = 5",
        "select to_jsonb(documents)::text from documents where id = 5",
        "select person::text from people where id = 5",
        "select mail || '' from called where id = 4",
        "select loud || '' from customers where id = 5",
    ] {
        is_hidden(&gateway, sql);
        gateway.agent().psql(sql).ok();
    }
    // A view is no more sensitive for that than what it reads.
    gateway.postgres.direct(
        "create view totals as select id, total from orders; grant select on totals to app",
    );
    assert_eq!(
        gateway.agent().psql("select total::text || '' from totals where id = 2").ok().out,
        "7.00"
    );
}

/// The shipped policy holds schema changes, so this one permits what it would permit once approved.
#[test]
fn names_that_nobody_else_sees_yet_are_hidden_whatever_they_mean() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = folder.path().join("policy.cedar");
    let mut text = include_str!("../../policies/default.cedar").to_owned();
    text += "@id(\"test.schema\")\npermit (principal, action == Weir::Action::\"sql.run_unattended\", resource)\n\
             when { context.effect == \"schema\" };\n";
    let text = text.replace(
        "when { context.effect == \"schema\" };\n\n@id(\"hold.unknown\")",
        "when { context.verbs.contains(\"nothing\") };\n\n@id(\"hold.unknown\")",
    );
    std::fs::write(&policy, text).expect("a policy");
    let extra = format!("[policy]\nfiles = [\"{}\"]\n", policy.display());
    let gateway = Gateway::start(&Setup { extra, ..Setup::default() });
    gateway.postgres.direct("update customers set email = 'canary-of-' || id");
    for sql in [
        "begin; create view seen as select email as e from customers; select upper(e) from seen limit 1",
        "begin; create temp view orders as select id, email as total from customers; select upper(total) from orders limit 1",
        "begin; alter table customers rename column email to harmless; select upper(harmless) from customers limit 1",
        "begin; alter table customers rename to persons; select upper(email) from persons limit 1",
        "create temp view seen as select email as e from customers; select upper(e) from seen limit 1",
        "begin; create rule told as on update to orders do also select email from customers; update orders set total = 1 where id = 1",
    ] {
        is_hidden(&gateway, sql);
    }
    let said = gateway.agent().psql("begin; create view seen as select email as e from customers; select upper(e) from seen limit 1");
    assert!(said.out.contains("[redacted]"), "{said:#?}");
}

#[test]
fn rows_of_a_rule_are_hidden() {
    let gateway = start();
    gateway
        .postgres
        .direct("create rule told as on update to orders do also select email from customers");
    is_answered(&gateway, "update orders set total = 1 where id = 1");
    is_answered(&gateway, "select count(*) from orders; update orders set total = 1 where id = 1");
    // What a statement returns itself is told apart from it.
    let said =
        gateway.agent().psql("update customers set balance = 3 where id = 7 returning id + 1");
    assert_eq!(said.ok().out.lines().next(), Some("8"));
}
