//! TLS on both sides: towards the client with Weir's own CA, towards the server verified.

use weir_tests::{Gateway, Setup};

#[test]
fn the_client_may_encrypt_and_verify() {
    let gateway = Gateway::start(&Setup::default());
    let ca = gateway.dir.join("ca.pem");
    std::fs::write(&ca, gateway.ask(&["ca", "show"])).expect("the CA");
    let connection =
        format!("host={} sslmode=verify-full sslrootcert={}", gateway.host, ca.display());
    let said = gateway
        .agent()
        .run("psql", &["-X", "-A", "-t", "-d", &connection, "-c", "\\conninfo", "-c", "select 1"]);
    let said = said.ok();
    assert!(said.out.contains("SSL connection") && said.out.ends_with('1'), "{said:#?}");
    let rows = gateway.duckdb("select tls from flows");
    assert_eq!(rows[0]["tls"], true);
}

#[test]
fn a_server_that_does_not_prove_itself_is_refused() {
    let gateway = Gateway::start(&Setup { tls: String::new(), ..Setup::default() });
    let said = gateway.agent().psql("select 1");
    assert_ne!(said.status, Some(0));
    assert!(said.err.contains("TLS"), "{said:#?}");
}
