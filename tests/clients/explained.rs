//! From where an answer comes, as the explain form says it: through every state, in a server that runs.

use crate::support::{Crl, Pki, Server, get, ocsprey, post, run, wait_until};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A card that the inventory lists.
const CARD: &str = "2001";

/// One issuer that signs beforehand for SHA-1 alone, and only when it is told to.
fn presigning() -> Pki {
    let pki = Pki::served();
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    let text = text.replace("crls = ", "inventory = [\"issued.txt\"]\ncrls = ");
    pki.write("issued.txt", "1001\n2001\n2002\n");
    pki.write("ocsprey.toml", format!("[response]\npresign = [\"sha1\"]\nrefresh_threads = 0\n{text}"));
    pki
}

fn explained(server: &Server) -> Value {
    let url = format!("{}/api/v1/explain", server.admin);
    let page = post(&url, "application/x-www-form-urlencoded", format!("serial={CARD}").as_bytes());
    assert_eq!((page.status, page.header("cache-control")), (200, Some("no-store")));
    serde_json::from_slice(&page.body).unwrap()
}

/// From where the answer comes, what is in memory, and what was signed beforehand.
fn tiers(server: &Server, form: &str) -> (String, String, String) {
    let told = explained(server);
    let tiers = told["explanations"][0]["tiers"].as_array().unwrap().clone();
    let found = tiers.iter().find(|one| one["form"] == form);
    let found = found.unwrap_or_else(|| panic!("no {form}: {told:#}"));
    let held = |tier: &str| {
        let Value::Object(held) = &found[tier] else { panic!("{told:#}") };
        assert_eq!(held["until"].is_string(), held["state"] == "fresh", "{told:#}");
        assert_eq!(held["because"].is_string(), held["state"] == "over", "{told:#}");
        held["state"].as_str().unwrap().to_owned()
    };
    (found["from"].as_str().unwrap().to_owned(), held("memory"), held("presigned"))
}

fn says(from: &str, memory: &str, presigned: &str) -> (String, String, String) {
    (from.to_owned(), memory.to_owned(), presigned.to_owned())
}

fn ask(server: &Server, hash: &str, expected: &str) {
    let (serial, url) = (format!("0x{CARD}"), server.url.as_str());
    let args = ["ocsp", hash, "-no_nonce", "-CAfile", "ca.pem", "-issuer", "ca.pem", "-serial", &serial];
    let said = run(server.dir(), "openssl", &[&args[..], &["-url", url]].concat());
    said.assert_says_one_of(&[&format!("0x{CARD}: {expected}")], hash);
}

fn presign(dir: &Path) {
    let said = ocsprey(dir, &["presign", "--config", "ocsprey.toml"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
}

fn replace_crl(server: &Server, crl: &[u8]) {
    fs::write(server.path("ca.crl.part"), crl).unwrap();
    fs::rename(server.path("ca.crl.part"), server.path("ca.crl")).unwrap();
}

#[test]
fn t33_from_where_an_answer_comes_is_told_through_every_state() {
    let pki = presigning();
    let next =
        Crl { number: "06", entries: &[("1001", "keyCompromise"), (CARD, "superseded")], ..Crl::CURRENT };
    let next = pki.crl("next.crl", next);
    let server = Server::start(pki.into_dir());

    // Nothing is held; asking why does not count as asking.
    for _ in 0..3 {
        assert_eq!(tiers(&server, "sha1"), says("signature", "none", "none"));
        assert_eq!(tiers(&server, "sha256"), says("signature", "none", "off"));
    }
    ask(&server, "-sha256", "good");
    assert_eq!(tiers(&server, "sha256"), says("memory", "fresh", "off"));
    assert_eq!(tiers(&server, "sha1"), says("signature", "none", "none"), "another form is another answer");

    // Signed beforehand while nobody serves.
    let (_, dir) = server.terminate();
    presign(dir.path());
    let server = Server::start(dir);
    assert_eq!(tiers(&server, "sha1"), says("presigned", "none", "fresh"));
    ask(&server, "-sha1", "good");
    assert_eq!(tiers(&server, "sha1"), says("presigned", "none", "fresh"), "cheap, so not kept yet");
    ask(&server, "-sha1", "good");
    assert_eq!(tiers(&server, "sha1"), says("memory", "fresh", "fresh"));

    // The page says the same.
    let url = format!("{}/status/explain", server.admin);
    let form = format!("serial={CARD}");
    let page = post(&url, "application/x-www-form-urlencoded", form.as_bytes()).text();
    for words in ["From where the answer comes now", "sha1", "badge good\">memory", "until 20"] {
        assert!(page.contains(words), "no {words}: {page}");
    }

    // A new CRL ends both, and says so.
    replace_crl(&server, &next);
    wait_until(|| server.said(), || (tiers(&server, "sha1").0 == "signature").then_some(()));
    assert_eq!(tiers(&server, "sha1"), says("signature", "over", "over"));
    ask(&server, "-sha1", "revoked");
    assert_eq!(tiers(&server, "sha1"), says("memory", "fresh", "over"));

    // So does a reload, of what is in memory.
    let page = get(&format!("{}/api/v1/status", server.admin)).text();
    assert!(!page.contains(CARD), "a serial number stands in the page that asked for it alone");
    server.reload();
    let describe = || server.said();
    wait_until(describe, || (tiers(&server, "sha1") == says("signature", "over", "over")).then_some(()));
}
