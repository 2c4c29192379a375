//! `openssl ocsp` as the judge: every algorithm of signer and of CertID, both CAs, every status.

use crate::support::{ALGORITHMS, CAS, Said, Server, get, post, run};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;

const HASHES: [&str; 4] = ["-sha1", "-sha256", "-sha384", "-sha512"];

/// Asks for certificates of `ca` in one request; `options` come first.
fn ask(server: &Server, ca: &str, options: &[&str], certificates: &[&str]) -> Said {
    let issuer = format!("{ca}-ca.pem");
    let mut args = vec!["ocsp", "-CAfile", &issuer, "-issuer", &issuer, "-url", &server.url];
    args.extend(options);
    for certificate in certificates {
        args.extend(["-cert", certificate]);
    }
    run(server.dir(), "openssl", &args)
}

/// The demo's certificates of a CA: good, revoked, on hold, never issued; and what is said of each.
fn expectations(ca: &str) -> [(String, &'static str); 4] {
    [("good", "good"), ("revoked", "revoked"), ("hold", "revoked"), ("unissued", "unknown")]
        .map(|(name, status)| (format!("{ca}-{name}.pem"), status))
}

fn assert_verified(said: &Said) {
    assert!(said.err.contains("Response verify OK"), "{said:#?}");
    assert!(!said.err.to_lowercase().contains("warning"), "{said:#?}");
    assert_eq!(said.code, Some(0), "{said:#?}");
}

/// What `openssl ocsp` printed about one certificate: status, then the lines below it.
fn report<'a>(said: &'a Said, certificate: &str) -> (&'a str, Vec<&'a str>) {
    let mut lines = said.out.lines().skip_while(|line| !line.starts_with(&format!("{certificate}: ")));
    let first = lines.next().unwrap_or_else(|| panic!("nothing about {certificate}: {said:#?}"));
    let status = first.split_once(": ").unwrap().1;
    (status, lines.take_while(|line| line.starts_with('\t')).map(str::trim).collect())
}

fn judge(algorithm: &str) {
    let server = Server::demo(algorithm);
    for ca in CAS {
        for (certificate, expected) in expectations(ca) {
            for hash in HASHES {
                for nonce in ["-nonce", "-no_nonce"] {
                    let said = ask(&server, ca, &[hash, nonce], &[&certificate]);
                    assert_verified(&said);
                    let (status, details) = report(&said, &certificate);
                    assert_eq!(status, expected, "{algorithm} {certificate} {hash} {nonce}");
                    assert!(details.iter().any(|line| line.starts_with("This Update: ")), "{said:#?}");
                    assert!(details.iter().any(|line| line.starts_with("Next Update: ")), "{said:#?}");
                    let reason = details.iter().find_map(|line| line.strip_prefix("Reason: "));
                    assert_eq!(reason.is_some(), expected == "revoked", "{said:#?}");
                    assert_eq!(
                        reason == Some("certificateHold"),
                        certificate.ends_with("-hold.pem"),
                        "{said:#?}"
                    );
                }
            }
        }
    }
}

#[test]
fn openssl_agrees_with_every_answer_signed_with_p256() {
    judge(ALGORITHMS[0]);
}

#[test]
fn openssl_agrees_with_every_answer_signed_with_p384() {
    judge(ALGORITHMS[1]);
}

#[test]
fn openssl_agrees_with_every_answer_signed_with_rsa2048() {
    judge(ALGORITHMS[2]);
}

#[test]
fn openssl_agrees_with_every_answer_signed_with_ed25519() {
    judge(ALGORITHMS[3]);
}

#[test]
fn s4_1_1_several_certificates_share_one_answer_each_with_its_status() {
    let server = Server::demo("p256");
    for ca in CAS {
        let expected = expectations(ca);
        let certificates = expected.each_ref().map(|(certificate, _)| certificate.as_str());
        for hash in HASHES {
            let said = ask(&server, ca, &[hash], &certificates);
            assert_verified(&said);
            for (certificate, status) in &expected {
                assert_eq!(report(&said, certificate).0, *status, "{said:#?}");
            }
        }
    }
}

#[test]
fn s4_2_1_reason_and_revocation_time_are_those_of_the_crl() {
    let server = Server::demo("p256");
    for certificate in ["auth-revoked.pem", "auth-hold.pem", "sign-revoked.pem", "sign-hold.pem"] {
        let ca = &certificate[..4];
        let serial = run(server.dir(), "openssl", &["x509", "-in", certificate, "-noout", "-serial"]);
        let serial = serial.out.trim().strip_prefix("serial=").unwrap().to_owned();
        let crls = fs::read_dir(server.path(&format!("crl/{ca}"))).unwrap().map(|crl| crl.unwrap().path());
        let needle = octets_of(&serial);
        let entry = crls
            .filter(|crl| fs::read(crl).unwrap().windows(needle.len()).any(|window| window == needle))
            .find_map(|crl| {
                let crl = crl.to_str().unwrap();
                let der =
                    run(server.dir(), "openssl", &["crl", "-in", crl, "-inform", "DER", "-noout", "-text"]);
                entry_of(&der.out, &serial)
            });
        let (date, reason) = entry.unwrap_or_else(|| panic!("{certificate} is on no CRL"));

        let said = ask(&server, ca, &["-no_nonce"], &[certificate]);
        let details = report(&said, certificate).1;
        assert!(details.contains(&format!("Revocation Time: {date}").as_str()), "{date}: {said:#?}");
        let answered = details.iter().find_map(|line| line.strip_prefix("Reason: ")).unwrap_or("");
        assert_eq!(answered.to_lowercase(), reason.replace(' ', "").to_lowercase(), "{said:#?}");
    }
}

/// A hexadecimal serial as the INTEGER of a CRL entry.
fn octets_of(serial: &str) -> Vec<u8> {
    let digits = serial.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let mut octets: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    if octets[0] >= 0x80 {
        octets.insert(0, 0);
    }
    let length = u8::try_from(octets.len()).unwrap();
    [&[2, length], octets.as_slice()].concat()
}

/// Date and reason of a serial in what `openssl crl -text` prints.
fn entry_of(text: &str, serial: &str) -> Option<(String, String)> {
    let own = format!("Serial Number: {serial}");
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != own).skip(1);
    let date = lines.next()?.strip_prefix("Revocation Date: ")?.to_owned();
    let entry: Vec<&str> = lines.take_while(|line| !line.starts_with("Serial Number: ")).collect();
    let reason = entry.iter().skip_while(|line| !line.starts_with("X509v3 CRL Reason Code")).nth(1)?;
    Some((date, (*reason).to_owned()))
}

#[test]
fn appendix_a_a_get_is_answered_as_the_post_and_may_be_cached() {
    let server = Server::demo("p256");
    for (certificate, expected) in expectations("auth") {
        let args =
            ["ocsp", "-issuer", "auth-ca.pem", "-cert", &certificate, "-no_nonce", "-reqout", "request.der"];
        assert_eq!(run(server.dir(), "openssl", &args).code, Some(0));
        let request = fs::read(server.path("request.der")).unwrap();
        let raw = STANDARD.encode(&request);
        let escaped = raw.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        for path in [raw, escaped] {
            let answer = get(&format!("{}/{path}", server.url));
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/ocsp-response"));
            fs::write(server.path("response.der"), &answer.body).unwrap();
            let read = ["ocsp", "-issuer", "auth-ca.pem", "-CAfile", "auth-ca.pem", "-cert", &certificate];
            let said = run(
                server.dir(),
                "openssl",
                &[&read[..], &["-no_nonce", "-respin", "response.der"]].concat(),
            );
            assert_verified(&said);
            assert_eq!(report(&said, &certificate).0, expected, "{said:#?}");
            if expected != "unknown" {
                let caching = answer.header("cache-control").unwrap_or("");
                assert!(caching.contains("max-age=") && caching.contains("public"), "{answer:?}");
                assert!(answer.header("etag").is_some_and(|etag| etag.starts_with('"')), "{answer:?}");
                assert!(
                    answer.header("expires").is_some() && answer.header("last-modified").is_some(),
                    "{answer:?}"
                );
            }
        }
    }
}

#[test]
fn s2_3_errors_are_ocsp_answers_over_http_200() {
    let server = Server::demo("p256");
    // Garbage: malformedRequest, five octets, unsigned.
    let answer = post(&server.url, "application/ocsp-request", b"not a request");
    assert_eq!((answer.status, answer.body.as_slice()), (200, &[0x30, 3, 0x0a, 1, 1][..]));
    assert_eq!(answer.header("content-type"), Some("application/ocsp-response"));
    // An issuer that is not served here: unauthorized. An OCSP signer never issued anything.
    let args = ["ocsp", "-issuer", "auth-ocsp.pem", "-cert", "auth-good.pem", "-url", &server.url];
    let said = run(server.dir(), "openssl", &args);
    said.assert_says_one_of(&["Responder Error: unauthorized (6)"], "an unknown issuer");
    // Not an OCSP request at all.
    assert_eq!(post(&server.url, "text/plain", b"hello").status, 415);
    let page = get(&server.url);
    assert_ne!(page.header("content-type"), Some("application/ocsp-response"), "{page:?}");
}

#[test]
fn s4_4_1_two_answers_with_nonces_differ_and_are_not_cacheable() {
    let server = Server::demo("p256");
    let args =
        ["ocsp", "-issuer", "auth-ca.pem", "-cert", "auth-good.pem", "-nonce", "-reqout", "request.der"];
    assert_eq!(run(server.dir(), "openssl", &args).code, Some(0));
    let path = STANDARD.encode(fs::read(server.path("request.der")).unwrap());
    let answer = get(&format!("{}/{path}", server.url));
    let caching = answer.header("cache-control").unwrap_or("");
    assert!(!caching.contains("public") && answer.header("etag").is_none(), "{answer:?}");
}
