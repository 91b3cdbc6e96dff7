//! The planted values: unlike anything else in the database, and unlike anything that a detector knows.

use fastrand::Rng;

/// Masked columns, as `[[column]]` rules: table, columns, class.
pub const RULES: &[(&str, &[&str], &str)] = &[
    ("public.people", &["email", "tags", "codes", "account", "salary", "born", "seen"], "pii"),
    ("public.people", &["doc", "raw", "blob", "key", "card"], "secret"),
    ("public.people", &["alias", "serial"], "health"),
    ("public.staff", &["badge"], "contact"),
    ("public.events", &["origin", "payload"], "pii"),
    ("public.mail_log", &["email"], "pii"),
];

/// Columns of `people` that are planted, in order; the rest is generated.
const COLUMNS: &str = "id, team, email, alias, tags, codes, doc, raw, card, account, serial, salary, born, seen, key, blob, level, note";

/// Rows of `people`, the last of them of its child `staff`.
pub const PEOPLE: usize = 16;
const STAFF: usize = 4;
const EVENTS: usize = 24;

/// What is planted, by kind.
#[derive(Default)]
pub struct Canaries {
    pub texts: Vec<String>,
    pub integers: Vec<i32>,
    pub longs: Vec<i64>,
    pub decimals: Vec<String>,
    pub dates: Vec<String>,
    pub moments: Vec<String>,
    pub uuids: Vec<String>,
    pub bytes: Vec<String>,
    /// The statements that plant them.
    pub sql: String,
    /// Words of `decoys`, which are not masked.
    pub decoys: Vec<String>,
}

/// Letters that neither hex nor numbers have.
const LETTERS: &[u8] = b"ghijklmnopqrstuvwxyz";

impl Canaries {
    /// The same ones every time: only queries differ from run to run.
    pub fn plant() -> Self {
        let mut of = Planter { rng: Rng::with_seed(0x5eed), kept: Self::default() };
        let mut sql = String::new();
        for id in 1..=PEOPLE {
            let staff = id > PEOPLE - STAFF;
            let table = if staff { "staff" } else { "people" };
            let mut row = of.person(id);
            let mut columns = COLUMNS.to_owned();
            if staff {
                columns += ", badge, grade";
                row.push_str(&format!(", '{}', {}", of.word(), id % 3));
            }
            sql += &format!("insert into {table} ({columns}) values ({row});\n");
        }
        for id in 1..=EVENTS {
            let (word, inner, person) = (of.word(), of.word(), 1 + id % PEOPLE);
            let year = 2021 + id % 6;
            sql += &format!(
                "insert into events values ({id}, {person}, 'kind {}', '{word}', \
                 '{{\"at\": {{\"from\": \"{inner}\"}}, \"n\": {id}}}', '{year}-03-04');\n",
                id % 3
            );
        }
        for id in 1..=8 {
            let (word, number) = (of.fresh(), of.rng.i64(10_i64.pow(17)..10_i64.pow(18)));
            sql += &format!("insert into decoys values ({id}, '{word}', {number});\n");
            of.kept.decoys.push(word);
        }
        sql += "insert into mail_log select id, email, id * 3 from only people where id < 9;\n\
                refresh materialized view nightly; analyze;\n";
        of.kept.sql = sql;
        of.kept
    }
}

struct Planter {
    rng: Rng,
    kept: Canaries,
}

impl Planter {
    fn fresh(&mut self) -> String {
        (0..20).map(|_| char::from(LETTERS[self.rng.usize(..LETTERS.len())])).collect()
    }

    fn word(&mut self) -> String {
        let word = self.fresh();
        self.kept.texts.push(word.clone());
        word
    }

    fn long(&mut self) -> i64 {
        let number = self.rng.i64(10_i64.pow(17)..9 * 10_i64.pow(17));
        self.kept.longs.push(number);
        number
    }

    /// The values of a row of `people`.
    fn person(&mut self, id: usize) -> String {
        let [email, alias, tag, other, inner, deep, raw, mail, phone] =
            std::array::from_fn(|_| self.word());
        let [one, two, serial, reference] = std::array::from_fn(|_| self.long());
        let account = self.rng.i32(1_100_000_000..2_100_000_000);
        let salary = format!(
            "{}.{:06}",
            self.rng.u64(10_u64.pow(15)..10_u64.pow(16)),
            self.rng.u32(100_000..1_000_000)
        );
        // Beyond the days around 2000 among which pseudonyms of dates lie.
        let born = format!(
            "{}-{:02}-{:02}",
            self.rng.u32(3000..9900),
            self.rng.u32(1..13),
            self.rng.u32(1..29)
        );
        let seen = format!(
            "{}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
            self.rng.u32(3000..9900),
            self.rng.u32(1..13),
            self.rng.u32(1..29),
            self.rng.u32(..24),
            self.rng.u32(..60),
            self.rng.u32(..60),
            self.rng.u32(100_000..1_000_000)
        );
        let hex = format!("{:032x}", self.rng.u128(..));
        let key = format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        );
        let blob: String = (0..24).map(|_| format!("{:02x}", self.rng.u8(..))).collect();
        let (team, level) = (1 + id % 4, id % 5);
        let row = format!(
            "{id}, {team}, '{email}', '{alias}', array['{tag}', '{other}'], array[{one}, {two}], \
             '{{\"name\": \"{inner}\", \"list\": [\"{deep}\", {id}]}}', '[{{\"raw\": \"{raw}\"}}]', \
             row('{mail}', '{phone}', {reference})::contact, {account}, {serial}, {salary}, '{born}', \
             '{seen}', '{key}', '\\x{blob}', {level}, 'note {id}'"
        );
        self.kept.integers.push(account);
        self.kept.decimals.push(salary);
        self.kept.dates.push(born);
        self.kept.moments.push(seen);
        self.kept.uuids.push(key);
        self.kept.bytes.push(blob);
        row
    }
}
