//! Names of columns that hold personal data or secrets, in several languages; the first rule that fits counts.
//!
//! Words are in small ASCII letters (`strasse`, `telefono`), several of them with spaces between; they are
//! found in a name of several words, and as the whole of one that is written in one word.

use super::Family::{self, Address, Number, Opaque, Text, Time};

/// What names mean.
pub(super) struct Rule {
    /// `pii` or `secret`.
    pub(super) class: &'static str,
    /// What it is.
    pub(super) kind: &'static str,
    /// What its values may be.
    pub(super) families: &'static [Family],
    /// The names, with commas between.
    pub(super) names: &'static str,
}

/// Last words of names that speak about such a value, and do not hold it.
pub(super) const AFTERTHOUGHTS: &[&str] = &[
    "at",
    "attempts",
    "available",
    "confirmed",
    "count",
    "counter",
    "domain",
    "enabled",
    "expires",
    "expiry",
    "flag",
    "format",
    "hint",
    "label",
    "length",
    "limit",
    "option",
    "optin",
    "policy",
    "preference",
    "provider",
    "required",
    "score",
    "sent",
    "status",
    "subject",
    "template",
    "ttl",
    "type",
    "usage",
    "used",
    "valid",
    "validated",
    "verified",
    "version",
    "visible",
];

const WORDS: &[Family] = &[Text, Opaque];
const NUMBERED: &[Family] = &[Text, Opaque, Number];

pub(super) const NAMES: &[Rule] = &[
    Rule {
        class: "secret",
        kind: "password",
        families: WORDS,
        names: "password, passwd, pwd, passphrase, passcode, passwort, kennwort, contrasena, clave, \
                mot de passe, mdp, senha, parola, haslo, wachtwoord, losenord, salasana, heslo, sifre, \
                passwordhash, pass hash, encrypted pw",
    },
    Rule {
        class: "secret",
        kind: "token",
        families: WORDS,
        names: "token, secret, api key, apikey, private key, privkey, access key, auth key, signing key, \
                encryption key, client secret, credential, credentials, jwt, session key, cookie, otp, totp, \
                mfa secret, recovery code, recovery codes, backup codes, bearer, refresh token, access token, \
                webhook secret",
    },
    Rule {
        class: "secret",
        kind: "pin",
        families: NUMBERED,
        names: "pin, pin code, cvv, cvc, cvv2, card verification",
    },
    Rule {
        class: "pii",
        kind: "email",
        families: WORDS,
        names: "email, e mail, mail, email address, mailadresse, correo, correo electronico, courriel, \
                posta elettronica, eposta, epost, sahkoposti",
    },
    Rule {
        class: "pii",
        kind: "phone",
        families: NUMBERED,
        names: "phone, telephone, tel, mobile, cell, cellphone, cell phone, fax, msisdn, phone number, \
                mobile number, telefon, telefonnummer, handy, handynummer, mobil, rufnummer, telefono, movil, \
                celular, portable, numero de telephone, cellulare, telefone, telemovel, telefoon, \
                telefoonnummer, puhelin, whatsapp",
    },
    Rule {
        class: "pii",
        kind: "national_id",
        families: NUMBERED,
        names: "ssn, social security, social security number, sin, nino, national insurance, national id, \
                nationalid, national identifier, tax id, taxid, tin, itin, tax number, vat id, \
                personal number, person number, personnummer, personalausweis, ausweisnummer, steuernummer, \
                steuer id, sozialversicherungsnummer, svnr, rentenversicherungsnummer, dni, nif, nie, curp, \
                rfc, rut, cedula, nss, numero de securite sociale, nir, insee, codice fiscale, codicefiscale, \
                cpf, cnpj, pesel, nip, bsn, burgerservicenummer, cpr, fodselsnummer, hetu, henkilotunnus, \
                aadhaar, aadhar, pan number, nric, rodne cislo",
    },
    Rule {
        class: "pii",
        kind: "identity_document",
        families: NUMBERED,
        names: "passport, passport number, passport no, reisepass, passnummer, pasaporte, passeport, \
                passaporto, passaporte, paspoort, driving licence, driving license, drivers license, \
                driver license, driver licence, license number, licence number, fuhrerschein, fuehrerschein, \
                permis de conduire, patente, id card, identity card",
    },
    Rule { class: "pii", kind: "iban", families: WORDS, names: "iban, iban number" },
    Rule {
        class: "pii",
        kind: "card",
        families: NUMBERED,
        names: "card number, card no, credit card, creditcard, cc number, debit card, pan, kreditkarte, \
                kreditkartennummer, tarjeta, carte bancaire, carta di credito, cartao, creditcardnumber",
    },
    Rule {
        class: "pii",
        kind: "bank_account",
        families: NUMBERED,
        names: "account number, bank account, account no, routing number, sort code, bic, swift, kontonummer, \
                bankverbindung, cuenta bancaria, numero de cuenta, numero de compte, rib, conto corrente, \
                conta bancaria, rekeningnummer",
    },
    Rule {
        class: "pii",
        kind: "birth_date",
        families: &[Text, Time, Number, Opaque],
        names: "birth date, birthdate, birthday, date of birth, dob, birth year, year of birth, born, \
                born on, geburtsdatum, geburtstag, geburtsjahr, fecha nacimiento, fecha de nacimiento, \
                nacimiento, date naissance, date de naissance, naissance, data nascita, data di nascita, \
                data nascimento, data de nascimento, nascimento, geboortedatum, fodelsedatum, fodselsdato, \
                syntymaaika, data urodzenia, datum narozeni, dogum tarihi",
    },
    Rule {
        class: "pii",
        kind: "pay",
        families: NUMBERED,
        names: "salary, wage, wages, income, pay, payroll, bonus, compensation, annual salary, base salary, \
                gehalt, lohn, einkommen, salario, sueldo, salaire, stipendio, salaris, inkomen, palkka, \
                wynagrodzenie, maas",
    },
    Rule {
        class: "pii",
        kind: "network_address",
        families: &[Text, Address],
        names: "ip, ip address, ipaddress, remote addr, client ip, mac address, user agent",
    },
    Rule {
        class: "pii",
        kind: "address",
        families: WORDS,
        names: "address, street, street address, home address, address line, postal address, billing address, \
                shipping address, house number, postcode, post code, zip, zip code, zipcode, postal code, \
                adresse, anschrift, strasse, hausnummer, plz, postleitzahl, direccion, calle, domicilio, \
                codigo postal, rue, code postal, indirizzo, endereco, rua, cep, adres, straat, postcodes, \
                huisnummer, osoite, gata, ulica, addr",
    },
    Rule {
        class: "pii",
        kind: "name",
        families: &[Text],
        names: "first name, firstname, last name, lastname, surname, full name, fullname, given name, \
                family name, middle name, maiden name, forename, fname, lname, vorname, nachname, \
                familienname, geburtsname, apellido, apellidos, nombre, prenom, nom de famille, nome, \
                cognome, sobrenome, apelido, voornaam, achternaam, fornamn, efternamn, etunimi, sukunimi, \
                imie, nazwisko, jmeno, prijmeni, soyadi, customer name, patient name, employee name, \
                contact name",
    },
    Rule {
        class: "pii",
        kind: "location",
        families: &[Text, Number, Opaque],
        names: "latitude, longitude, lat, lng, lon, geo location, geolocation, gps, breitengrad, laengengrad, \
                coordinates",
    },
    Rule {
        class: "pii",
        kind: "special_category",
        families: &[Text, Opaque, Number],
        names: "religion, ethnicity, race, sexual orientation, political affiliation, diagnosis, diagnose, \
                disability, blood type, blood group, medical record, icd code, konfession, krankheit, \
                religione, diagnostico, diagnostic",
    },
];
