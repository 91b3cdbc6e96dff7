//! Both halves of SCRAM against each other, the RFC's own example, and proofs that are none.
#![allow(clippy::unwrap_used, clippy::panic)]

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use super::*;

const PLUS: &str = SCRAM_SHA_256_PLUS;
const PLAIN: &str = SCRAM_SHA_256;

fn initial<'a>(mechanism: &'a str, data: &'a [u8]) -> sasl::Initial<'a> {
    sasl::Initial { mechanism: mechanism.as_bytes(), data: Some(data) }
}

fn run(
    password: &str,
    known: &str,
    mechanism: &str,
    binding: ChannelBinding,
    end_point: Option<&[u8]>,
) -> Result<(), ScramError> {
    let mut client = ScramSha256::new(password.as_bytes(), binding);
    let verifier = Verifier::new(known.as_bytes()).unwrap();
    let challenged =
        first(verifier, end_point, &initial(mechanism, client.message()), "server-nonce")?;
    client.update(challenged.text.as_bytes()).unwrap();
    let last = challenged.finish(client.message())?;
    client.finish(last.as_bytes()).unwrap();
    Ok(())
}

#[test]
fn a_client_that_knows_the_password_and_the_channel_gets_in() {
    let hash = [7u8; 32];
    let bound = || ChannelBinding::tls_server_end_point(hash.to_vec());
    assert!(run("pencil", "pencil", PLAIN, ChannelBinding::unsupported(), None).is_ok());
    assert!(run("pencil", "pencil", PLAIN, ChannelBinding::unsupported(), Some(&hash)).is_ok());
    assert!(run("pencil", "pencil", PLAIN, ChannelBinding::unrequested(), None).is_ok());
    assert!(run("pencil", "pencil", PLUS, bound(), Some(&hash)).is_ok());
    let wrong = run("pencil", "crayon", PLUS, bound(), Some(&hash));
    assert!(matches!(wrong, Err(ScramError::Wrong)));
    let unfit = [
        // In the middle somebody shows a certificate of their own.
        run("pencil", "pencil", PLUS, bound(), Some(&[8u8; 32])),
        // Somebody took the stronger mechanism away.
        run("pencil", "pencil", PLAIN, ChannelBinding::unrequested(), Some(&hash)),
        run("pencil", "pencil", PLUS, bound(), None),
        run("pencil", "pencil", PLAIN, bound(), Some(&hash)),
        run("pencil", "pencil", PLUS, ChannelBinding::unsupported(), Some(&hash)),
        run("pencil", "pencil", "SCRAM-SHA-1", ChannelBinding::unsupported(), None),
    ];
    for (at, result) in unfit.into_iter().enumerate() {
        assert!(matches!(result, Err(ScramError::Unfit(_))), "{at}");
    }
}

/// The example of RFC 7677, whose password is `pencil`.
fn example() -> Challenged {
    let verifier = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    let said = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    let nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    first(Verifier::parse(verifier).unwrap(), None, &initial(PLAIN, said), nonce).unwrap()
}

#[test]
fn the_example_of_the_rfc_holds() {
    let challenged = example();
    assert_eq!(
        challenged.text,
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let last = challenged.finish(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    );
    assert_eq!(last.unwrap(), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn proofs_that_are_none_are_refused() {
    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let finish = |text: String| example().finish(text.as_bytes());
    for text in [
        format!("c=biws,r={nonce},p={proof}AAAA"),
        format!("c=biws,r={nonce},p="),
        format!("c=biws,r={nonce},p=%%%"),
        format!("c=biws,r={nonce},p=AAAA{proof}"),
        format!("c=biws,r={nonce},x=1,p={proof}"),
    ] {
        assert!(matches!(finish(text.clone()), Err(ScramError::Wrong)), "{text}");
    }
    for text in [
        format!("c=eSws,r={nonce},p={proof}"),
        format!("c=biws,r={nonce}x,p={proof}"),
        format!("c=biws,r=rOprNGfwEbeRWgbNEkqO,p={proof}"),
    ] {
        assert!(matches!(finish(text.clone()), Err(ScramError::Unfit(_))), "{text}");
    }
    assert!(matches!(finish("x".to_owned()), Err(ScramError::Wire(_))));
    let unsaid = sasl::Initial { mechanism: PLAIN.as_bytes(), data: None };
    let verifier = Verifier::new(b"pencil").unwrap();
    assert!(matches!(first(verifier, None, &unsaid, "x"), Err(ScramError::Unfit(_))));
}
