//! CRLs that must not be believed. Each would turn the revoked card good or the good one revoked;
//! each is refused by name on every way in, and the answers stay as they were.

use crate::support::{Crl, Pki, Said, Server, ocsprey, post, run};

/// The CRL that is not true: it says of the two cards the opposite of the one in force.
const LIE: Crl<'static> = Crl { number: "06", entries: &[("2002", "superseded")], ..Crl::CURRENT };

/// A refused CRL: what is wrong, its octets, and words of which the refusal uses one.
type Refused = (&'static str, Vec<u8>, &'static [&'static str]);

fn refused(pki: &Pki) -> Vec<Refused> {
    let lie = pki.crl("lie.crl", LIE);
    let mut tampered = lie.clone();
    let serial = tampered.windows(4).position(|octets| octets == [2, 2, 0x20, 0x02]).unwrap();
    tampered[serial + 3] = 0x03;
    let other_name = Pki::new("/C=JP/O=Elsewhere/CN=Another CA").crl("lie.crl", LIE);
    let other_key = Pki::new(crate::support::NAME).crl("lie.crl", LIE);
    let future = Crl { this_update: "20480101000000Z", ..LIE };
    let critical = Crl { extensions: "critical", ..LIE };
    vec![
        (
            "cut short",
            lie[..lie.len() / 2].to_vec(),
            &["cut short", "truncated", "ends", "too short", "incomplete"],
        ),
        ("empty", Vec::new(), &["empty", "cut short", "truncated", "ends", "too short", "not a crl"]),
        ("tampered with", tampered, &["signature"]),
        ("of a foreign CA", other_name, &["issuer", "another ca"]),
        ("of a CA of the same name with another key", other_key, &["signature", "key"]),
        ("from the future", pki.crl("future.crl", future), &["future", "not yet"]),
        ("rolled back", pki.crl("old.crl", Crl { number: "04", ..LIE }), &["number", "older", "lower"]),
        ("another one with the same number", pki.crl("same.crl", Crl { number: "05", ..LIE }), &["number"]),
        ("with a critical extension that nobody knows", pki.crl("critical.crl", critical), &["critical"]),
        ("with something behind it", [lie, vec![0]].concat(), &["follow", "trailing", "behind"]),
        ("not a CRL", b"<html>Service unavailable</html>".to_vec(), &["not a crl", "der", "pem"]),
    ]
}

fn ask(server: &Server, serial: &str) -> String {
    let args = ["ocsp", "-CAfile", "ca.pem", "-issuer", "ca.pem", "-serial", serial, "-url", &server.url];
    let said = run(server.dir(), "openssl", &args);
    said.assert_says_one_of(&["Response verify OK"], serial);
    let stays = |line: &&str| !line.contains("Update: ");
    said.out.lines().filter(stays).map(str::trim).collect::<Vec<_>>().join(" ")
}

fn assert_unmoved(server: &Server, what: &str) {
    let revoked = "0x1001: revoked Reason: keyCompromise Revocation Time: Nov  1 00:00:00 2023 GMT";
    assert_eq!(ask(server, "0x1001"), revoked, "after a CRL {what}");
    assert_eq!(ask(server, "0x2002"), "0x2002: good", "after a CRL {what}");
}

/// One line says that the file is refused, and why.
fn assert_refused(said: &Said, file: &str, what: &str, words: &[&str]) {
    assert_eq!(said.code, Some(1), "a CRL {what}: {said:#?}");
    assert_eq!(said.errors().len(), 1, "a CRL {what}: {said:#?}");
    said.assert_says_one_of(words, what);
    said.assert_says_one_of(&[file], what);
    assert!(!said.err.contains("panicked"), "{said:#?}");
}

#[test]
fn refused_crls_leave_a_running_server_as_it_was() {
    let pki = Pki::served();
    let refused = refused(&pki);
    let truth = pki.crl("truth.crl", LIE);
    let server = Server::start(pki.into_dir());
    assert_unmoved(&server, "in force");
    for (what, octets, words) in refused {
        let answer = post(&format!("{}/api/v1/crls", server.admin), "application/pkix-crl", &octets);
        assert_eq!(answer.status, 422, "a CRL {what}: {}", answer.text());
        let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        let reason = json["error"].as_str().unwrap_or_else(|| panic!("a CRL {what}: {json}")).to_lowercase();
        assert!(
            words.iter().any(|word| reason.contains(word)),
            "a CRL {what}: none of {words:?} in {reason:?}"
        );
        assert_unmoved(&server, what);

        std::fs::write(server.path("refused.crl"), &octets).unwrap();
        let said = ocsprey(server.dir(), &["crl", "ingest", "--admin", &server.admin, "refused.crl"]);
        assert_refused(&said, "refused.crl", what, words);
        assert_unmoved(&server, what);
    }

    // Had nothing been refused because nothing is ever taken, this would fail.
    let answer = post(&format!("{}/api/v1/crls", server.admin), "application/pkix-crl", &truth);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(ask(&server, "0x2002").starts_with("0x2002: revoked Reason: superseded"));
    // Permanent means permanent, also where the entry went away.
    assert!(ask(&server, "0x1001").starts_with("0x1001: revoked Reason: keyCompromise"));
}

#[test]
fn refused_crls_leave_a_store_at_rest_as_it_was() {
    let pki = Pki::served();
    let refused = refused(&pki);
    let truth = pki.crl("truth.crl", LIE);
    let first = ocsprey(pki.dir(), &["crl", "ingest", "--config", "ocsprey.toml"]);
    assert_eq!(first.code, Some(0), "{first:#?}");
    for (what, octets, words) in refused {
        pki.write("refused.crl", octets);
        let said = ocsprey(pki.dir(), &["crl", "ingest", "--config", "ocsprey.toml", "refused.crl"]);
        assert_refused(&said, "refused.crl", what, words);
    }
    let server = Server::start(pki.into_dir());
    assert_unmoved(&server, "of each kind");

    // The store is the server's: the offline way says where to go instead.
    let said = ocsprey(server.dir(), &["crl", "ingest", "--config", "ocsprey.toml", "truth.crl"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    said.assert_says_one_of(&["--admin"], "a store in use");

    let (status, dir) = server.terminate();
    assert_eq!(status.code(), Some(0));
    std::fs::write(dir.path().join("ca.crl"), truth).unwrap();
    let said = ocsprey(dir.path(), &["crl", "ingest", "--config", "ocsprey.toml", "truth.crl"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(ask(&Server::start(dir), "0x2002").starts_with("0x2002: revoked"));
}
