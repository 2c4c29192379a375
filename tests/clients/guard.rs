//! A CRL of the right CA, with the right signature and the next number, that has lost most of its
//! entries: refused, told everywhere, and taken when an operator insists.

use crate::support::{Crl, Pki, Server, get, ocsprey, post, run, wait_until};
use serde_json::Value;

/// A PKI that serves a folder with a CRL of 300 entries; `shrunk.crl` beside it has five, and the next number.
fn shrinking() -> Pki {
    let pki = Pki::served();
    let serials: Vec<String> = (0x1000..0x112c).map(|serial: u32| format!("{serial:04X}")).collect();
    let entries: Vec<(&str, &str)> =
        serials.iter().map(|serial| (serial.as_str(), "keyCompromise")).collect();
    std::fs::create_dir(pki.path("crl")).unwrap();
    pki.crl("crl/ca.crl", Crl { entries: &entries, ..Crl::CURRENT });
    pki.crl("shrunk.crl", Crl { number: "06", entries: &entries[..5], ..Crl::CURRENT });
    let text = std::fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    // The archive cutoff rides along: openssl shows it with every answer.
    let text = text.replace("\"ca.crl\"", "\"crl/\"");
    pki.write("ocsprey.toml", format!("[response]\narchive_cutoff = \"10years\"\n{text}"));
    pki
}

const SHRUNK: &str = "shrinks suddenly: it has 5 entries, the one held 300, and it may lose 100 at once";

fn status(server: &Server) -> Value {
    serde_json::from_slice(&get(&format!("{}/api/v1/status", server.admin)).body).unwrap()
}

fn quarantined(server: &Server) -> usize {
    status(server)["quarantine"].as_array().unwrap().len()
}

fn crl_number(server: &Server) -> String {
    status(server)["issuers"][0]["scopes"][0]["crl_number"].as_str().unwrap().to_owned()
}

fn metric_line(server: &Server, line: &str) -> bool {
    get(&format!("{}/metrics", server.admin)).text().contains(&format!("{line}\n"))
}

#[test]
fn t34_a_sudden_shrink_is_quarantined_told_and_taken_by_force() {
    let server = Server::start(shrinking().into_dir());
    assert_eq!((quarantined(&server), crl_number(&server).as_str()), (0, "5"));
    assert!(metric_line(&server, "crl_refused{issuer=\"test\"} 0"));

    // A rehearsal, through the server and beside it: both say the same and write nothing.
    let through =
        ocsprey(server.dir(), &["crl", "ingest", "--admin", &server.admin, "--dry-run", "shrunk.crl"]);
    let beside =
        ocsprey(server.dir(), &["crl", "ingest", "--config", "ocsprey.toml", "--dry-run", "shrunk.crl"]);
    for said in [through, beside] {
        assert_eq!(said.code, Some(0), "{said:#?}");
        for words in ["dry run", "added 0", "changed 0", "released 0", "retained 295", "unchanged 5", SHRUNK]
        {
            assert!(said.out.contains(words), "no {words}: {said:#?}");
        }
    }
    assert_eq!((quarantined(&server), crl_number(&server).as_str()), (0, "5"));

    // By file, and by hand.
    std::fs::copy(server.path("shrunk.crl"), server.path("crl/.ca.crl.part")).unwrap();
    std::fs::rename(server.path("crl/.ca.crl.part"), server.path("crl/ca.crl")).unwrap();
    wait_until(|| server.said(), || (quarantined(&server) == 1).then_some(()));
    let shrunk = std::fs::read(server.path("shrunk.crl")).unwrap();
    let answer = post(&format!("{}/api/v1/crls", server.admin), "application/pkix-crl", &shrunk);
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains(SHRUNK), "{}", answer.text());

    let shown = status(&server);
    let refused = shown["quarantine"].as_array().unwrap();
    assert_eq!(refused.len(), 2, "{shown:#}");
    for one in refused {
        assert!(one["reason"].as_str().unwrap().contains(SHRUNK) && one["refused_at"].is_string(), "{one:#}");
    }
    assert!(metric_line(&server, "crl_refused{issuer=\"test\"} 2"));
    assert!(get(&format!("{}/status", server.admin)).text().contains(SHRUNK));
    let text = ocsprey(server.dir(), &["status", "--config", "ocsprey.toml"]);
    assert!(
        text.out.contains("REFUSED, what was held stays in force") && text.out.contains(SHRUNK),
        "{text:#?}"
    );
    assert!(server.said().contains(SHRUNK), "the log says so too");
    assert_eq!(crl_number(&server), "5", "what was held stays in force");

    // Force does not pass a signature.
    let mut forged = shrunk.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let forced = format!("{}/api/v1/crls?force=1", server.admin);
    let answer = post(&forced, "application/pkix-crl", &forged);
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(answer.text().contains("signature"), "{}", answer.text());
    assert_eq!(crl_number(&server), "5");

    let said = ocsprey(server.dir(), &["crl", "ingest", "--admin", &server.admin, "--force", "shrunk.crl"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(crl_number(&server), "6");
    // The file that stood refused is looked at again: it is what is held now.
    wait_until(|| format!("{:#}", status(&server)), || (quarantined(&server) == 0).then_some(()));
    assert!(metric_line(&server, "crl_refused{issuer=\"test\"} 0"));
    // And permanent stays permanent.
    let args = ["ocsp", "-CAfile", "ca.pem", "-issuer", "ca.pem", "-serial", "0x1100", "-url", &server.url];
    run(server.dir(), "openssl", &args).assert_says_one_of(&["0x1100: revoked"], "an entry that left");
    let text = run(server.dir(), "openssl", &[&args[..], &["-resp_text"]].concat());
    text.assert_says_one_of(&["Archive Cutoff"], "RFC 6960 4.4.4");
    text.assert_says_one_of(&["Response verify OK"], "RFC 6960 4.4.4");
}

#[test]
fn t34_the_guard_stands_before_a_store_at_rest_too_and_its_bounds_are_the_operators() {
    let pki = shrinking();
    let ingest =
        |more: &[&str]| ocsprey(pki.dir(), &[&["crl", "ingest", "--config", "ocsprey.toml"], more].concat());
    let rehearsed = ingest(&["--dry-run", "--json"]);
    assert_eq!(rehearsed.code, Some(0), "{rehearsed:#?}");
    let json: Value = serde_json::from_str(&rehearsed.out).unwrap();
    assert_eq!((&json[0]["report"]["added"], &json[0]["report"]["guard"]), (&300.into(), &"passes".into()));
    assert!(!pki.path("data").exists(), "a rehearsal makes no store");

    assert_eq!(ingest(&[]).code, Some(0));
    let refused = ingest(&["shrunk.crl"]);
    assert_eq!((refused.code, refused.errors().len()), (Some(1), 1), "{refused:#?}");
    refused.assert_says_one_of(&[SHRUNK], "the guard");
    let both = ingest(&["--dry-run", "--force", "shrunk.crl"]);
    assert_eq!(both.code, Some(2), "one or the other: {both:#?}");

    let text = std::fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    pki.write("ocsprey.toml", format!("[guard]\ntolerated = 1000\n{text}"));
    assert_eq!(ingest(&["shrunk.crl"]).code, Some(0));
}
