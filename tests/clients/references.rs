//! Answers that name the CRL (RFC 6960 4.4.2), as `openssl ocsp` and our own client read them.

use crate::support::{Crl, Pki, Said, Server, get, ocsprey, post, run, wait_until};
use std::fs;

/// What openssl prints of the reference in an answer about a serial number; empty where there is none.
fn named(server: &Server, serial: &str) -> Vec<String> {
    let serial = format!("0x{serial}");
    // Without a nonce, so that what is kept in memory is what is given.
    let asked = ["ocsp", "-CAfile", "ca.pem", "-issuer", "ca.pem", "-serial", &serial, "-url", &server.url];
    let said = run(server.dir(), "openssl", &[&asked[..], &["-no_nonce", "-resp_text"]].concat());
    said.assert_says_one_of(&["Response verify OK"], serial.as_str());
    let after = said.out.lines().skip_while(|line| !line.contains("OCSP CRL ID"));
    let lines = after.skip(1).map(str::trim).take_while(|line| line.starts_with("crl"));
    lines.map(str::to_owned).collect()
}

fn queried(server: &Server, serial: &str) -> Said {
    let serial = ["--issuer", "ca.pem", "--serial", serial, &server.url];
    ocsprey(server.dir(), &[&["query", "--json"][..], &serial].concat())
}

#[test]
fn s4_4_2_openssl_reads_the_crl_that_an_answer_names_and_the_next_one_at_once() {
    let pki = Pki::served();
    let pointed = Crl { extensions: "pointed", ..Crl::CURRENT };
    pki.crl("ca.crl", pointed);
    let next = Crl { number: "D6", this_update: "20250203040506Z", ..pointed };
    let next = pki.crl("next.crl", next);
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    pki.write("ocsprey.toml", format!("[response]\ncrl_references = \"all\"\n{text}"));
    let server = Server::start(pki.into_dir());
    let url = "crlUrl: http://crl.example/north.crl".to_owned();
    let first = [url.clone(), "crlNum: 05".into(), "crlTime: Jan  1 00:00:00 2024 GMT".into()];
    // Twice: signed, and out of memory.
    for serial in ["1001", "1001", "2001", "2001"] {
        assert_eq!(named(&server, serial), first, "{serial}");
    }
    let taken = post(&format!("{}/api/v1/crls", server.admin), "application/pkix-crl", &next);
    assert_eq!(taken.status, 200, "{taken:?}");
    let second = [url, "crlNum: D6".into(), "crlTime: Feb  3 04:05:06 2025 GMT".into()];
    for serial in ["1001", "2001"] {
        assert_eq!(named(&server, serial), second, "{serial}");
    }
    let said = queried(&server, "1001");
    assert_eq!(said.code, Some(3), "{said:#?}");
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let expected = serde_json::json!({
        "url": "http://crl.example/north.crl", "number": "214", "this_update": "2025-02-03T04:05:06Z",
    });
    assert_eq!(value["crl"], expected);

    // Off by a reload: answers that were kept are not given any more.
    let changed = fs::read_to_string(server.path("ocsprey.toml")).unwrap().replace("= \"all\"", "= \"none\"");
    fs::write(server.path("ocsprey.toml"), changed).unwrap();
    server.reload();
    let describe = || format!("still named\n{}", server.said());
    wait_until(describe, || named(&server, "1001").is_empty().then_some(()));
    assert!(named(&server, "2001").is_empty());
    assert_eq!(get(&format!("{}/readyz", server.admin)).status, 200);
}
