//! Who gets through the handshake, and what a reload, a crowd and a rude client change.

use crate::client::{Client, Shown, configuration};
use crate::lab::Lab;
use crate::support::{ocsprey, run, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tokio_rustls::rustls::version::{TLS12, TLS13};

/// Whether an answer comes to a client that shows this. A refusal in TLS 1.3 meets the first request.
fn is_let_in(lab: &Lab, shown: &Shown<'_>) -> bool {
    let request = lab.request("auth-good");
    let Ok(mut client) = Client::connect(lab.port, shown, &[]) else { return false };
    client.try_ask(&request, "").is_ok_and(|answer| answer.is_good())
}

#[test]
fn curl_and_rustls_are_answered_over_tls_1_2_and_1_3_in_http_1_and_2() {
    let lab = Lab::new("", "");
    let request = lab.request("auth-good");
    for (options, version) in [
        (["--http1.1", "--tlsv1.2", "--tls-max", "1.2"], "1.1"),
        (["--http1.1", "--tlsv1.3", "--tls-max", "1.3"], "1.1"),
        (["--http2", "--tlsv1.2", "--tls-max", "1.2"], "2"),
        (["--http2", "--tlsv1.3", "--tls-max", "1.3"], "2"),
    ] {
        let said = lab.curl_as("bank", &request, &options);
        assert_eq!(said.out, format!("200 {version}"), "{said:?}");
        assert!(lab.judged("auth-good").contains("auth-good.pem: good"), "{}", lab.judged("auth-good"));
    }
    for versions in [&TLS12, &TLS13] {
        let mut client = Client::connect(lab.port, &lab.shown("bank"), &[versions]).unwrap();
        assert!(client.ask(&request).is_good());
        assert!(client.ask(&lab.request("auth-revoked")).is_good(), "and again on the same connection");
    }
    assert!(lab.metric("tls_handshakes_total{outcome=\"done\"}") >= 6);
    assert_eq!(lab.metric("tls_handshakes_total{outcome=\"refused\"}"), 0);
}

#[test]
fn no_certificate_a_strangers_and_one_that_ran_out_do_not_get_in() {
    let lab = Lab::new("", "");
    assert!(is_let_in(&lab, &lab.shown("bank")));
    assert!(!is_let_in(&lab, &lab.nobody()), "no certificate");
    // It trusts the server all right; the server does not trust it.
    fs::copy(lab.strangers.path("stranger.pem"), lab.verifiers.path("stranger.pem")).unwrap();
    fs::copy(lab.strangers.path("stranger.key"), lab.verifiers.path("stranger.key")).unwrap();
    for name in ["stranger", "late"] {
        assert!(!is_let_in(&lab, &Shown { pki: &lab.verifiers, name: Some(name) }), "{name}");
    }
    assert!(!is_let_in(&lab, &Shown { pki: &lab.verifiers, name: Some("server") }), "no clientAuth");
    assert_eq!(lab.metric("tls_handshakes_total{outcome=\"refused\"}"), 4);
}

#[test]
fn a_certificate_is_asked_for_and_not_demanded_where_that_is_configured() {
    let lab = Lab::new("client_certificates = \"optional\"", "");
    assert!(is_let_in(&lab, &lab.nobody()));
    assert!(is_let_in(&lab, &lab.shown("bank")));
}

#[test]
fn tls_1_1_is_refused_and_1_2_too_where_1_3_is_the_oldest() {
    let lab = Lab::new("min_version = \"1.3\"", "");
    let old = Lab::new("", "");
    let says = |lab: &Lab, version: &str| {
        let address = format!("127.0.0.1:{}", lab.port);
        let args = ["s_client", "-connect", &address, version, "-cipher", "DEFAULT@SECLEVEL=0"];
        let said = run(lab.server.dir(), "openssl", &args);
        format!("{}{}", said.out, said.err)
    };
    for (lab, version) in [(&old, "-tls1"), (&old, "-tls1_1"), (&lab, "-tls1_2")] {
        let said = says(lab, version);
        assert!(said.contains("Cipher is (NONE)") && said.contains("SSL alert number"), "{version}: {said}");
    }
    assert!(Client::connect(old.port, &old.shown("bank"), &[&TLS12]).is_ok());
    assert!(Client::connect(lab.port, &lab.shown("bank"), &[&TLS13]).is_ok());
}

#[test]
fn plain_http_on_the_tls_port_is_no_http_at_all() {
    let lab = Lab::new("", "");
    let mut stream = TcpStream::connect(("127.0.0.1", lab.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"), "{}", said.escape_ascii());
}

#[test]
fn a_reload_shows_new_clients_the_new_certificate_and_drops_nobody() {
    let lab = Lab::new("", "");
    let request = lab.request("auth-good");
    let mut before = lab.connect("bank");
    let old = before.server_certificate();
    lab.verifiers.issue("server2", "web", "20240101000000Z", "20450101000000Z");
    fs::copy(lab.verifiers.path("server2.pem"), lab.path("tls-server.pem")).unwrap();
    fs::copy(lab.verifiers.path("server2.key"), lab.path("tls-server.key")).unwrap();
    lab.reload();
    assert!(before.ask(&request).is_good());
    let mut after = lab.connect("bank");
    assert!(after.ask(&request).is_good());
    assert_ne!(after.server_certificate(), old);

    // A broken file changes nothing, and says so.
    fs::write(lab.path("tls-server.pem"), "-----BEGIN").unwrap();
    lab.reload_until("nothing was reloaded");
    assert!(lab.connect("bank").ask(&request).is_good());
    assert!(before.ask(&request).is_good());
}

#[test]
fn a_session_is_taken_up_again_but_not_past_the_ca_that_let_it_in() {
    let lab = Lab::new("", "");
    let request = lab.request("auth-good");
    let shown = configuration(&lab.shown("bank"), &[]);
    let connect = || Client::connect_with(lab.port, std::sync::Arc::clone(&shown));
    assert!(connect().unwrap().ask(&request).is_good());
    let mut again = connect().unwrap();
    assert!(again.is_resumed());
    assert!(again.ask(&request).is_good());
    // The CA of the verifiers is taken out.
    fs::copy(lab.strangers.path("ca.pem"), lab.path("tls-ca.pem")).unwrap();
    lab.reload();
    let refused = connect().and_then(|mut client| client.try_ask(&request, ""));
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn contract_2_check_says_what_is_wrong_with_the_files_of_tls() {
    let lab = Lab::new("", "");
    let check = || ocsprey(lab.server.dir(), &["check", "--config", "ocsprey.toml"]);
    assert_eq!(check().code, Some(0), "{:?}", check());
    fs::copy(lab.verifiers.path("bank.key"), lab.path("tls-server.key")).unwrap();
    fs::write(lab.path("tls-ca.pem"), "no certificate").unwrap();
    let wrong_key = check();
    assert_eq!(wrong_key.code, Some(2));
    wrong_key.assert_says_one_of(&["tls-ca.pem: holds no CA certificate that can be read"], "the client CA");
    fs::copy(lab.verifiers.path("late.pem"), lab.path("tls-ca.pem")).unwrap();
    let mismatch = check();
    mismatch.assert_says_one_of(&["tls-server.pem: does not make a TLS server with its key"], "the key");
    mismatch.assert_says_one_of(&["expired at 2021-01-01"], "the client CA's end");
}

/// As many as the machine lets this process have, and the server beside it.
#[test]
fn two_thousand_idle_tls_connections_cost_little_and_keep_nobody_out() {
    let lab = Lab::new("", "");
    let request = lab.request("auth-good");
    let before = lab.metric("process_resident_memory_bytes");
    let shown = configuration(&lab.shown("bank"), &[]);
    let idle: Vec<Client> =
        (0..2000).map(|_| Client::connect_with(lab.port, std::sync::Arc::clone(&shown)).unwrap()).collect();
    wait_until(
        || format!("{} of {}", lab.metric("http_connections_open"), idle.len()),
        || (lab.metric("http_connections_open") >= 2000).then_some(()),
    );
    assert!(lab.connect("shop").ask(&request).is_good());
    let each = lab.metric("process_resident_memory_bytes").saturating_sub(before) / 2000;
    assert!(each < 64 << 10, "{each} octets a connection");
    drop(idle);
    wait_until(
        || lab.metric("http_connections_open").to_string(),
        || (lab.metric("http_connections_open") < 10).then_some(()),
    );
}
