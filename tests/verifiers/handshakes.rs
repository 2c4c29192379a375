//! Who gets through the handshake, and what a reload, a crowd and a rude client change.

use crate::client::{Client, Shown, configuration};
use crate::lab::Lab;
use crate::support::{ocsprey, run, wait_until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
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
    // A client may know before the server has counted it.
    let refused = || lab.metric("tls_handshakes_total{outcome=\"refused\"}");
    wait_until(|| format!("{} of 4", refused()), || (refused() >= 4).then_some(()));
    assert_eq!(refused(), 4);
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

const CROWD: usize = 10_000;

/// Lets this process, and the server that it starts, have this many files open; `false` where it may not.
fn may_open(files: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.is_none_or(|most| most >= files);
    let enough = limit.current.is_none_or(|now| now >= files);
    enough || allowed && setrlimit(Resource::Nofile, Rlimit { current: Some(files), ..limit }).is_ok()
}

/// The median and the slowest of 200 answers to a verifier.
fn asked(client: &mut Client, request: &[u8]) -> (Duration, Duration) {
    let mut took: Vec<Duration> = (0..200)
        .map(|_| {
            let begin = Instant::now();
            assert!(client.ask(request).is_good());
            begin.elapsed()
        })
        .collect();
    took.sort_unstable();
    (took[100], took[199])
}

#[test]
fn ten_thousand_idle_tls_connections_cost_little_keep_nobody_out_and_end_in_time() {
    if !may_open(CROWD as u64 + 1000) {
        eprintln!("skipped: this user may not have {CROWD} files open (ulimit -Hn)");
        return;
    }
    // Two queues, so that no worker has so many that it begins to close early.
    let lab = Lab::prepared("", "", |dir, _| {
        let file = dir.join("ocsprey.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("workers = 0", "workers = 2")).unwrap();
    });
    let request = lab.request("auth-good");
    let open = || lab.metric("http_connections_open");
    let mut shop = lab.connect("shop");
    let (alone, _) = asked(&mut shop, &request);
    let memory = || lab.metric("process_resident_memory_bytes");
    let before = memory();
    let shown = configuration(&lab.shown("bank"), &[]);
    let connect = || {
        let mut client = Client::connect_with(lab.port, std::sync::Arc::clone(&shown)).unwrap();
        assert!(client.ask(&request).is_good());
        // Of our end only the socket stays: an idle client says nothing, and so needs no session.
        client.into_socket()
    };
    let mut crowd: Vec<TcpStream> = std::thread::scope(|scope| {
        let part = || (0..CROWD / 8).map(|_| connect()).collect::<Vec<_>>();
        let parts: Vec<_> = (0..8).map(|_| scope.spawn(part)).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    let opened = Instant::now();
    wait_until(|| format!("{} of {CROWD}", open()), || (open() >= CROWD as u64).then_some(()));
    let each = memory().saturating_sub(before) / CROWD as u64;
    let (median, slowest) = asked(&mut shop, &request);
    let begin = Instant::now();
    assert!(lab.connect("shop").ask(&request).is_good());
    let newcomer = begin.elapsed();
    eprintln!(
        "{CROWD} idle: {each} octets each; answers take {median:?} ({alone:?} without them), {slowest:?} at \
         the most; a new connection and its first answer {newcomer:?}"
    );
    assert!(each < 48 << 10, "{each} octets a connection");
    assert!(median < 4 * alone + Duration::from_millis(2), "{median:?}, and without a crowd {alone:?}");
    assert!(slowest.max(newcomer) < Duration::from_secs(5), "{slowest:?}, {newcomer:?}");

    // After a minute of silence each is ended by the server; who asks on stays.
    let deadline = opened + Duration::from_secs(150);
    while open() > 10 {
        assert!(Instant::now() < deadline, "{} are still open", open());
        assert!(shop.ask(&request).is_good());
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(opened.elapsed() > Duration::from_secs(50), "{:?}", opened.elapsed());
    let last = crowd.last_mut().unwrap();
    last.read_to_end(&mut Vec::new()).unwrap();
    assert!(shop.ask(&request).is_good());
}
