//! Calls by number: of the server's own functions on large objects, which libpq calls in no other way.
//! What any other number stands for, only the target's catalogue knows.

use super::facts;
use super::walk::Walk;
use crate::Facts;

/// Their numbers, the same in every version (`pg_proc.dat`).
const LARGE_OBJECTS: [(u32, &str); 17] = [
    (715, "lo_create"),
    (952, "lo_open"),
    (953, "lo_close"),
    (954, "loread"),
    (955, "lowrite"),
    (956, "lo_lseek"),
    (957, "lo_creat"),
    (958, "lo_tell"),
    (964, "lo_unlink"),
    (1004, "lo_truncate"),
    (3170, "lo_lseek64"),
    (3171, "lo_tell64"),
    (3172, "lo_truncate64"),
    (3457, "lo_from_bytea"),
    (3458, "lo_get"),
    (3459, "lo_get"),
    (3460, "lo_put"),
];

/// What a call means: the same as a call of that name in SQL.
pub(crate) fn call(number: u32) -> Facts {
    const VERB: &str = "functioncall";
    let Some((_, name)) = LARGE_OBJECTS.iter().find(|(known, _)| *known == number) else {
        return Facts::unknown(VERB);
    };
    let mut walk = Walk::default();
    walk.verb(VERB);
    walk.judged(&[name]);
    facts(walk, 1, None)
}
