//! What an answer is after something changed: a CRL came or ran out, a key was replaced, a configuration broke.

use crate::lab::Answer;
use crate::octets::{request, tlv};
use crate::support::{Crl, Pki, Server, get, post, run, wait_until};
use der_0_7::{DateTime, Decode as _, Encode as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use x509_ocsp::{CertStatus, OcspRequest};

/// A CertID of the test CA, by serial number in four hexadecimal digits.
fn cert_id(server: &Server, serial: &str) -> Vec<u8> {
    let args = ["ocsp", "-no_nonce", "-issuer", "ca.pem", "-serial", "1", "-reqout", "one.der"];
    assert_eq!(run(server.dir(), "openssl", &args).code, Some(0));
    let one = OcspRequest::from_der(&std::fs::read(server.path("one.der")).unwrap()).unwrap();
    let one = one.tbs_request.request_list[0].req_cert.to_der().unwrap();
    tlv(0x30, &[&one[2..one.len() - 3], &tlv(2, &[&crate::octets::hex(serial)])])
}

fn ask(server: &Server, body: &[u8]) -> Answer {
    Answer::read(&post(&server.url, "application/ocsp-request", body))
}

/// `good`, `revoked`, `unknown`, or the number of an error.
fn word(answer: &Answer) -> String {
    if answer.status == 0 { answer.statuses()[0].to_owned() } else { answer.status.to_string() }
}

/// Puts a CRL in by the admin API, and is told that it is in force.
fn publish(server: &Server, crl: &[u8]) {
    let page = post(&format!("{}/api/v1/crls", server.admin), "application/pkix-crl", crl);
    assert_eq!(page.status, 200, "{}", page.text());
}

const HOLD: &[(&str, &str)] = &[("3003", "certificateHold")];

#[test]
fn b27_d8_t20_t33_every_answer_after_the_switch_is_the_new_one() {
    let pki = Pki::served();
    let crls: Vec<_> = [("06", HOLD), ("07", &[]), ("08", HOLD), ("09", &[("3003", "keyCompromise")])]
        .map(|(number, entries)| pki.crl("next.crl", Crl { number, entries, ..Crl::CURRENT }))
        .into();
    let server = Server::start(pki.into_dir());
    let asked = request(&[&cert_id(&server, "3003")], &[]);
    assert_eq!(word(&ask(&server, &asked)), "good");
    // Others ask all the while, so that whatever keeps answers has the old one at the moment of the switch.
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                ask(&server, &asked);
            }
        });
        for (crl, expected) in crls.iter().zip(["revoked", "good", "revoked", "revoked"]) {
            publish(&server, crl);
            for _ in 0..50 {
                assert_eq!(word(&ask(&server, &asked)), expected);
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let answer = ask(&server, &asked);
    let CertStatus::Revoked(info) = &answer.single().cert_status else { panic!("{answer:?}") };
    assert_eq!(info.revocation_reason.map(|reason| reason as u8), Some(1));
}

/// `YYYYMMDDHHMMSSZ`, so many seconds from now.
fn in_seconds(seconds: u64) -> String {
    let time = SystemTime::now() + Duration::from_secs(seconds);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.chars().filter(char::is_ascii_alphanumeric).filter(|letter| *letter != 'T').collect()
}

#[test]
fn d9_e3_t38_a_crl_that_runs_out_while_serving_silences_what_rests_on_it() {
    let pki = Pki::served();
    let end = in_seconds(8);
    pki.crl("ca.crl", Crl { next_update: &end, ..Crl::CURRENT });
    let server = Server::start(pki.into_dir());
    let asked = request(&[&cert_id(&server, "3003")], &[]);
    // Good up to the second of nextUpdate, tryLater from it on, with no event and no restart.
    let first = wait_until(
        || "it stays good".to_owned(),
        || {
            let asked_at = in_seconds(0);
            let word = word(&ask(&server, &asked));
            let answered_at = in_seconds(0);
            match word.as_str() {
                "good" => assert!(asked_at < end, "good, asked at {asked_at}, after {end}"),
                "3" => return Some(answered_at),
                other => panic!("{other}"),
            }
            None
        },
    );
    assert!(first >= end, "tryLater at {first}, before {end}");
    let ready = get(&format!("{}/readyz", server.admin));
    assert_eq!(ready.status, 503, "{}", ready.text());
}

#[test]
fn d12_a_revocation_date_in_the_future_is_told_as_it_stands() {
    let pki = Pki::served();
    let (number, entries) = ("06", &[("3003", "superseded")][..]);
    let crl = pki.crl("next.crl", Crl { number, entries, revoked: "480101000000Z", ..Crl::CURRENT });
    let server = Server::start(pki.into_dir());
    publish(&server, &crl);
    let answer = ask(&server, &request(&[&cert_id(&server, "3003")], &[]));
    let CertStatus::Revoked(info) = &answer.single().cert_status else { panic!("{answer:?}") };
    assert_eq!(info.revocation_time.0.to_date_time().to_string(), "2048-01-01T00:00:00Z");
}

/// Asks until `is_so`, and lets openssl verify every answer with the CA alone.
fn verified_until(server: &Server, is_so: impl Fn(&str) -> bool) {
    let args = [
        "ocsp",
        "-CAfile",
        "ca.pem",
        "-issuer",
        "ca.pem",
        "-serial",
        "0x1001",
        "-resp_text",
        "-url",
        &server.url,
    ];
    wait_until(
        || server.said(),
        || {
            let said = run(server.dir(), "openssl", &args);
            said.assert_says_one_of(&["Response verify OK"], "while a key is replaced");
            is_so(&said.out).then_some(())
        },
    );
}

#[test]
fn h3_t36_t39_keys_change_at_a_reload_and_a_broken_configuration_changes_nothing() {
    let pki = Pki::served();
    pki.issue("next", "responder", "20240101000000Z", "20350101000000Z");
    let server = Server::start(pki.into_dir());
    let is_next = |said: &str| said.contains("Subject: CN = next") || said.contains("Subject: CN=next");
    verified_until(&server, |said| !is_next(said));

    // A key that is not the certificate's: the reload fails by name, the old signer goes on.
    let copy = |from: &str, to: &str| std::fs::copy(server.path(from), server.path(to)).unwrap();
    copy("next.key", "ocsp.key");
    server.reload();
    wait_until(|| server.said(), || server.said().contains("key").then_some(()));
    verified_until(&server, |said| !is_next(said));

    // Both: the new one signs, and no answer in between was lost or signed wrongly.
    copy("next.pem", "ocsp.pem");
    server.reload();
    verified_until(&server, is_next);
    let good = ask(&server, &request(&[&cert_id(&server, "3003")], &[]));
    assert_eq!(word(&good), "good", "what was loaded is still there");
}

#[test]
fn t41_metrics_name_causes_and_never_a_card_or_a_client() {
    let pki = Pki::served();
    let server = Server::start(pki.into_dir());
    for serial in ["1001", "3003", "5bd3a7"] {
        ask(&server, &request(&[&cert_id(&server, serial)], &[]));
    }
    let text = get(&format!("{}/metrics", server.admin)).text();
    let known = [
        "issuer", "result", "outcome", "cause", "class", "le", "scope", "source", "reason", "worker", "tier",
        "kind", "version",
    ];
    for labels in
        text.lines().filter_map(|line| line.split_once('{')?.1.split_once('}')).map(|(labels, _)| labels)
    {
        for name in labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name) {
            assert!(known.contains(&name), "{name} in {labels}");
        }
        assert!(!labels.contains("5bd3a7") && !labels.contains("127.0.0.1"), "{labels}");
    }
    assert!(!server.said().to_lowercase().contains("5bd3a7"), "{}", server.said());
}

#[test]
fn b17_f10_f12_an_unspecified_reason_an_empty_list_and_strange_extensions_of_openssls_crls_over_http() {
    let pki = Pki::served();
    let unspecified: &[(&str, &str)] = &[("3003", "unspecified")];
    let with = pki
        .crl("with.crl", Crl { number: "06", entries: unspecified, extensions: "strange", ..Crl::CURRENT });
    // The reason is written out, as CRLReason 0 in an ENUMERATED.
    assert!(with.windows(3).any(|octets| octets == [0x0a, 1, 0]), "openssl leaves it out now");
    let strange = crate::octets::oid(crate::octets::STRANGE);
    assert!(with.windows(strange.len()).any(|octets| octets == strange));
    let without = pki.crl("without.crl", Crl { number: "07", entries: &[], ..Crl::CURRENT });
    let server = Server::start(pki.into_dir());
    let asked = request(&[&cert_id(&server, "3003")], &[]);
    publish(&server, &with);
    let answer = ask(&server, &asked);
    let CertStatus::Revoked(revoked) = &answer.single().cert_status else { panic!("{answer:?}") };
    assert_eq!(revoked.revocation_reason, None, "RFC 5280 5.3.1: unspecified is left out");
    let dated = DateTime::new(2023, 11, 1, 0, 0, 0).unwrap();
    assert_eq!(revoked.revocation_time.0.to_date_time(), dated);
    publish(&server, &without);
    // Permanent means permanent; another one was never on any CRL.
    assert_eq!(word(&ask(&server, &asked)), "revoked");
    let other = request(&[&cert_id(&server, "3004")], &[]);
    assert_eq!(word(&ask(&server, &other)), "good");
}

#[test]
fn a23_a_negative_serial_is_not_answered_as_the_unsigned_twin_that_is_revoked() {
    let pki = Pki::served();
    let twin: &[(&str, &str)] = &[("C101", "keyCompromise")];
    let crl = pki.crl("next.crl", Crl { number: "06", entries: twin, ..Crl::CURRENT });
    let server = Server::start(pki.into_dir());
    publish(&server, &crl);
    // The contents of two INTEGERs: 49409, which openssl revoked, and -16127.
    for (content, expected) in [("00C101", "revoked"), ("C101", "good")] {
        let id = cert_id(&server, content);
        let answer = ask(&server, &request(&[&id], &[]));
        assert_eq!(word(&answer), expected, "{content}");
        assert_eq!(answer.single().cert_id.to_der().unwrap(), id, "{content}");
    }
}
