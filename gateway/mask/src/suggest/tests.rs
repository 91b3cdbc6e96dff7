//! What names, types and samples speak for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::samples::values;

fn by_name(column: &str, family: Family) -> Option<String> {
    suggest(column, family, &Sample::default()).map(|found| found.classes.join(" "))
}

#[test]
fn names_are_read_in_every_spelling_and_many_languages() {
    use Family::{Number, Opaque, Text, Time};
    for (column, family, classes) in [
        ("email", Text, "pii email"),
        ("E-Mail", Text, "pii email"),
        ("userEmailAddress", Text, "pii email"),
        ("contact_email2", Text, "pii email"),
        ("correo_electrónico", Text, "pii email"),
        ("MobileNumber", Number, "pii phone"),
        ("téléphone", Text, "pii phone"),
        ("SSN", Text, "pii national_id"),
        ("codiceFiscale", Text, "pii national_id"),
        ("passportNo", Text, "pii identity_document"),
        ("IBANNumber", Text, "pii iban"),
        ("credit_card_number", Number, "pii card"),
        ("dob", Time, "pii birth_date"),
        ("Geburtsdatum", Time, "pii birth_date"),
        ("fecha_de_nacimiento", Time, "pii birth_date"),
        ("password_hash", Text, "secret password"),
        ("pwd", Opaque, "secret password"),
        ("mot_de_passe", Text, "secret password"),
        ("apiKey", Text, "secret token"),
        ("refresh_token", Text, "secret token"),
        ("annual_salary", Number, "pii pay"),
        ("Straße", Text, "pii address"),
        ("billing_address", Opaque, "pii address"),
        ("zip", Text, "pii address"),
        ("vorname", Text, "pii name"),
        ("LastName", Text, "pii name"),
        ("ip_address", Text, "pii network_address"),
        ("blood_type_code", Text, "pii special_category"),
    ] {
        assert_eq!(by_name(column, family).as_deref(), Some(classes), "{column}");
    }
    assert_eq!(by_name("peer", Family::of(869)).as_deref(), Some("pii network_address"));
}

#[test]
fn what_only_speaks_of_such_a_value_is_left_out() {
    use Family::{Flag, Number, Text, Time};
    for (column, family) in [
        ("email_verified", Flag),
        ("email_verified", Text),
        ("email_sent_at", Time),
        ("email", Flag),
        ("phone_type", Text),
        ("password_changed_at", Time),
        ("password", Time),
        ("token_count", Number),
        ("address_id", Number),
        ("birth_date", Flag),
        ("pinned", Text),
        ("company", Text),
        ("paymentId", Number),
        ("id", Number),
        ("name", Text),
        ("title", Text),
        ("excellent", Text),
        ("", Text),
        ("___", Text),
    ] {
        assert_eq!(by_name(column, family), None, "{column}");
    }
}

#[test]
fn what_is_in_half_of_the_values_counts() {
    let sample = |texts: &[&str]| {
        let mut sample = Sample::default();
        texts.iter().for_each(|text| sample.look(text));
        sample
    };
    let found = suggest("contact", Family::Text, &sample(&["a@b.io", "", "c@d.io", "none", "x"]));
    let found = found.unwrap();
    assert_eq!(found.classes, ["pii", "email"]);
    assert_eq!(found.reasons, ["email in 2 of 4 values"]);
    let both = suggest("mail", Family::Text, &sample(&["a@b.io", "c@d.io", "e@f.io"])).unwrap();
    assert_eq!(both.classes, ["pii", "email"]);
    assert_eq!(both.reasons, ["email in 3 of 3 values", "name"]);
    for texts in [&["a@b.io", "c@d.io"][..], &["a@b.io", "x", "y", "z"], &["x", "y", "z"]] {
        assert_eq!(suggest("contact", Family::Text, &sample(texts)), None, "{texts:?}");
    }
    // A number that the name calls so is both.
    let cards = sample(&["4111111111111111", "5500005555555559", "6011111111111117"]);
    let found = suggest("pan", Family::Number, &cards).unwrap();
    assert_eq!(found.classes[..2], ["pii", "card"]);
}

#[test]
fn every_detector_speaks_for_a_column() {
    for (name, value) in values() {
        let mut sample = Sample::default();
        (0..FEWEST).for_each(|_| sample.look(&value));
        let found = suggest("x", Family::Text, &sample).unwrap_or_else(|| panic!("{name}"));
        assert!(found.classes.iter().any(|class| class == name), "{name}: {found:?}");
        assert!(found.reasons.iter().all(|reason| !reason.contains(&value)), "{name}");
    }
}
