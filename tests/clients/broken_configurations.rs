//! Ten configurations that cannot serve. `ocsprey check` says of each, in one line, what is wrong,
//! and ends with exit code 2; so does `serve`, before it answers anybody.

use crate::support::{Crl, NAME, Pki, Said, free_port, ocsprey};
use std::fs;
use std::net::TcpListener;

fn check(pki: &Pki) -> Said {
    ocsprey(pki.dir(), &["check", "--config", "ocsprey.toml"])
}

/// A served PKI on free ports, whose configuration is right.
fn right() -> Pki {
    let pki = Pki::served();
    crate::support::set_ports(&pki.path("ocsprey.toml"));
    let said = check(&pki);
    assert_eq!((said.code, said.errors().len()), (Some(0), 0), "the control: {said:#?}");
    pki
}

fn replace(pki: &Pki, from: &str, to: &str) {
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    assert!(text.contains(from), "{from} is not in\n{text}");
    pki.write("ocsprey.toml", text.replace(from, to));
}

/// One line, about `what`, that uses one of `words`.
fn assert_one_line(said: &Said, what: &str, words: &[&str]) {
    assert_eq!(said.code, Some(2), "{said:#?}");
    let errors = said.errors();
    assert_eq!(errors.len(), 1, "one line, no more: {said:#?}");
    assert!(errors[0].contains(what), "{what} is not named: {errors:?}");
    let line = errors[0].to_lowercase();
    assert!(words.iter().any(|word| line.contains(word)), "none of {words:?} in {line:?}");
    assert!(!said.err.contains("panicked") && !said.err.contains("RUST_BACKTRACE"), "{said:#?}");
}

#[test]
fn a_file_that_is_not_there() {
    let pki = right();
    fs::remove_file(pki.path("ocsp.key")).unwrap();
    assert_one_line(&check(&pki), "ocsp.key", &["no such file", "not there", "missing", "not found"]);
}

#[test]
fn a_key_of_another_certificate() {
    let pki = right();
    fs::copy(Pki::new(NAME).path("ocsp.key"), pki.path("ocsp.key")).unwrap();
    assert_one_line(
        &check(&pki),
        "ocsp.",
        &["does not belong", "another certificate", "does not match", "not the key"],
    );
}

#[test]
fn a_signer_that_may_not_sign_ocsp() {
    let pki = right();
    pki.issue("ocsp", "plain", "20240101000000Z", "20350101000000Z");
    assert_one_line(&check(&pki), "ocsp.pem", &["ocspsigning", "ocsp signing", "id-kp-ocspsigning"]);
}

#[test]
fn a_signer_of_another_ca() {
    let (pki, other) = (right(), Pki::new(NAME));
    for file in ["ocsp.pem", "ocsp.key"] {
        fs::copy(other.path(file), pki.path(file)).unwrap();
    }
    assert_one_line(
        &check(&pki),
        "ocsp.pem",
        &["not issued by", "another ca", "not signed with", "did not issue"],
    );
}

#[test]
fn a_signer_that_has_expired() {
    let pki = right();
    pki.issue("ocsp", "responder", "20200101000000Z", "20210101000000Z");
    assert_one_line(&check(&pki), "ocsp.pem", &["expired", "ended", "2021-01-01"]);
}

#[test]
fn a_crl_of_another_ca() {
    let pki = right();
    let other = Pki::new("/C=JP/O=Elsewhere/CN=Another CA");
    pki.write("ca.crl", other.crl("ca.crl", Crl::CURRENT));
    assert_one_line(&check(&pki), "ca.crl", &["issuer", "another ca", "issued by"]);
}

#[test]
fn a_crl_that_was_tampered_with() {
    let pki = right();
    let mut crl = fs::read(pki.path("ca.crl")).unwrap();
    let serial = crl.windows(4).position(|octets| octets == [2, 2, 0x10, 0x01]).unwrap();
    crl[serial + 3] = 0x02;
    pki.write("ca.crl", crl);
    assert_one_line(&check(&pki), "ca.crl", &["signature"]);
}

#[test]
fn a_key_that_the_configuration_does_not_know() {
    let pki = right();
    replace(&pki, "[store]", "[store]\npaht = \"data\"");
    assert_one_line(&check(&pki), "paht", &["unknown"]);
}

#[test]
fn a_port_that_is_taken() {
    let pki = right();
    let port = free_port();
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let mut table: toml::Table = fs::read_to_string(pki.path("ocsprey.toml")).unwrap().parse().unwrap();
    table["server"]["listen"] = vec![format!("127.0.0.1:{port}")].into();
    pki.write("ocsprey.toml", toml::to_string(&table).unwrap());
    assert_one_line(&check(&pki), &port.to_string(), &["in use", "taken"]);
    drop(taken);
    assert_eq!(check(&pki).code, Some(0), "once it is free again");
}

#[test]
fn a_store_of_another_format() {
    let pki = right();
    let said = ocsprey(pki.dir(), &["crl", "ingest", "--config", "ocsprey.toml"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let (path, options) = (pki.path("data"), rocksdb::Options::default());
    let families = rocksdb::DB::list_cf(&options, &path).unwrap();
    let store = rocksdb::DB::open_cf(&options, &path, families).unwrap();
    let meta = store.cf_handle("meta").unwrap();
    assert!(store.get_cf(meta, b"format").unwrap().is_some(), "where the format stands has moved");
    store.put_cf(meta, b"format", 4_000_000_u32.to_be_bytes()).unwrap();
    drop(store);
    assert_one_line(&check(&pki), "data", &["format"]);
    check(&pki).assert_says_one_of(&["4000000"], "which format it is");
}

#[test]
fn everything_that_is_wrong_is_said_and_not_only_the_first() {
    let pki = right();
    fs::remove_file(pki.path("ocsp.key")).unwrap();
    pki.write("ca.crl", Pki::new(NAME).crl("ca.crl", Crl::CURRENT));
    let said = check(&pki);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert_eq!(said.errors().len(), 2, "{said:#?}");
    said.assert_says_one_of(&["ocsp.key"], "the key");
    said.assert_says_one_of(&["ca.crl"], "the CRL");
}

#[test]
fn h3_check_warns_of_a_signer_that_ends_soon_and_is_content() {
    let pki = right();
    let end = crate::support::run(pki.dir(), "date", &["-u", "-d", "+5 days", "+%Y%m%d%H%M%SZ"]);
    pki.issue("ocsp", "responder", "20240101000000Z", end.out.trim());
    let said = check(&pki);
    assert_eq!((said.code, said.errors().len()), (Some(0), 0), "{said:#?}");
    assert!(said.out.starts_with("warning: issuer \"test\" signer: the certificate of CN=ocsp runs out in "));
    assert!(said.out.contains("ocsprey.toml: everything is in its place"), "{said:#?}");
}

#[test]
fn serve_refuses_what_check_refuses() {
    let pki = right();
    pki.issue("ocsp", "plain", "20240101000000Z", "20350101000000Z");
    let said = ocsprey(pki.dir(), &["serve", "--config", "ocsprey.toml"]);
    assert_one_line(&said, "ocsp.pem", &["ocspsigning", "ocsp signing", "id-kp-ocspsigning"]);
}

#[test]
fn wrong_usage_is_exit_code_2_and_a_missing_configuration_too() {
    let pki = right();
    assert_eq!(ocsprey(pki.dir(), &["frobnicate"]).code, Some(2));
    assert_eq!(ocsprey(pki.dir(), &["check"]).code, Some(2));
    let said = ocsprey(pki.dir(), &["check", "--config", "elsewhere.toml"]);
    assert_one_line(&said, "elsewhere.toml", &["no such file", "not there", "missing", "not found"]);
}
