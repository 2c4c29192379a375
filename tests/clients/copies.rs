//! Backups, restored and looked at, and CRLs that are taken back: what an operator does when something went wrong.

use crate::support::{Crl, Pki, Said, Server, demo_copy, get, ocsprey, run, wait_until};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn assert_fails(said: &Said, words: &[&str]) {
    assert_eq!((said.code, said.errors().len()), (Some(1), 1), "{said:#?}");
    for word in words {
        assert!(said.err.contains(word), "no {word}: {said:#?}");
    }
}

fn revoked(server: &Server, certificate: &str) -> Option<i32> {
    ocsprey(server.dir(), &["query", "--issuer", "auth-ca.pem", "--cert", certificate, &server.url]).code
}

#[test]
fn a_running_store_is_backed_up_by_name_verified_and_put_back() {
    let server = Server::start(demo_copy("p256"));
    let beside = ocsprey(server.dir(), &["store", "backup", "--config", "ocsprey.toml", "--to", "monday"]);
    assert_fails(&beside, &["--admin URL"]);
    let by_name =
        |name: &str| ocsprey(server.dir(), &["store", "backup", "--admin", &server.admin, "--to", name]);
    assert_fails(&by_name("monday"), &["store.backups"]);

    let text = fs::read_to_string(server.path("ocsprey.toml")).unwrap();
    fs::write(server.path("ocsprey.toml"), text.replace("[store]", "[store]\nbackups = \"backups\""))
        .unwrap();
    server.reload();
    wait_until(|| server.said(), || server.said().contains("was reloaded").then_some(()));
    let said = by_name("monday");
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_fails(&by_name("monday"), &["is there already"]);
    for outside in ["../monday", "/tmp/monday", ".monday", "a/b"] {
        assert_fails(&by_name(outside), &["name a folder below store.backups"]);
    }
    for store in [["--path", "backups/monday"], ["--config", "ocsprey.toml"]] {
        let said = ocsprey(server.dir(), &[&["store", "verify"], &store[..]].concat());
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert!(said.out.contains("nothing is wrong, ") && said.out.contains("issued serials"), "{said:#?}");
    }
    let restore = ["store", "restore", "--config", "ocsprey.toml", "--from", "backups/monday"];
    let in_use = ocsprey(server.dir(), &[&restore[..], &["--replace"]].concat());
    assert_fails(&in_use, &["another ocsprey process has it open"]);
    let (_, dir) = server.terminate();

    assert_fails(&ocsprey(dir.path(), &restore), &["there is a store in", "--replace"]);
    fs::remove_file(dir.path().join("data/CURRENT")).unwrap();
    fs::write(dir.path().join("data/keep"), "of before").unwrap();
    let restored = ocsprey(dir.path(), &restore);
    assert_eq!(restored.code, Some(0), "{restored:#?}");
    let aside =
        restored.out.lines().find_map(|line| line.strip_prefix("the store that was there: ")).unwrap();
    let aside = aside.split(' ').next().unwrap();
    assert_eq!(fs::read_to_string(dir.path().join(aside).join("keep")).unwrap(), "of before");
    let server = Server::start(dir);
    assert_eq!((revoked(&server, "auth-revoked.pem"), revoked(&server, "auth-good.pem")), (Some(3), Some(0)));
}

#[test]
fn a_damaged_store_is_told_line_by_line_and_a_damaged_backup_replaces_nothing() {
    let dir = demo_copy("p256");
    let backup = ["store", "backup", "--config", "ocsprey.toml", "--to", "one", "--json"];
    let said = ocsprey(dir.path(), &backup);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert!(report["octets"].as_u64().unwrap() > 10_000, "{said:#?}");
    spoil(&dir.path().join("one"));
    let said = ocsprey(dir.path(), &["store", "verify", "--path", "one"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.errors().len() >= 2 && said.err.contains("ocsprey store restore"), "{said:#?}");
    let restore = ["store", "restore", "--config", "ocsprey.toml", "--from", "one", "--replace"];
    assert_fails(&ocsprey(dir.path(), &restore), &["damaged"]);
    let untouched = ocsprey(dir.path(), &["store", "verify", "--config", "ocsprey.toml"]);
    assert_eq!(untouched.code, Some(0), "{untouched:#?}");
}

#[test]
fn a_mass_revocation_is_rehearsed_on_a_copy_and_changes_nothing() {
    let dir = demo_copy("p256");
    let drill = ["drill", "--config", "ocsprey.toml", "--issuer", "user-authentication", "--count", "1000"];
    let status = || ocsprey(dir.path(), &["status", "--config", "ocsprey.toml", "--scopes"]).out;
    let before = status();
    let said = ocsprey(dir.path(), &[&drill[..], &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{said:#?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&report["revoked"], &report["guard"]), (&1000.into(), &Value::Null), "{report:#}");
    assert!(
        report["scopes"].as_u64().unwrap() > 1 && report["cpu_seconds"].as_f64().unwrap() > 0.0,
        "{report:#}"
    );
    // The folder's size may have grown by what was flushed for the copy.
    let scopes = |status: String| {
        // Without how far away it is, which may change from one second to the next.
        let lines = status.lines().filter(|line| line.contains("CRLDP"));
        lines.map(|line| line.split(" (in ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(scopes(status()), scopes(before));
    assert!(!dir.path().join("data.drill").exists());
    let backup = ["store", "backup", "--config", "ocsprey.toml", "--to", "one"];
    assert_eq!(ocsprey(dir.path(), &backup).code, Some(0));
    let said = ocsprey(dir.path(), &[&drill[..], &["--from", "one"]].concat());
    assert!(said.code == Some(0) && said.out.contains("has nothing against it"), "{said:#?}");
}

/// Other octets in the largest table; a file of its own, where files are linked.
fn spoil(store: &Path) {
    let tables = fs::read_dir(store).unwrap().map(|file| file.unwrap().path());
    let tables = tables.filter(|file| file.extension().is_some_and(|extension| extension == "sst"));
    let largest = tables.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    let mut octets = fs::read(&largest).unwrap();
    octets[100..1000].fill(0x5a);
    fs::remove_file(&largest).unwrap();
    fs::write(&largest, octets).unwrap();
}

fn status_of(server: &Server, serial: &str) -> String {
    let args = ["ocsp", "-CAfile", "ca.pem", "-issuer", "ca.pem", "-serial", serial, "-url", &server.url];
    let said = run(server.dir(), "openssl", &args);
    let line = said.out.lines().find(|line| line.starts_with(serial));
    line.and_then(|line| line.rsplit_once(": ")).map(|(_, status)| status.to_owned()).unwrap_or(said.err)
}

fn number(server: &Server) -> Value {
    let status: Value =
        serde_json::from_slice(&get(&format!("{}/api/v1/status", server.admin)).body).unwrap();
    status["issuers"][0]["scopes"][0]["crl_number"].clone()
}

#[test]
fn a_crl_is_taken_back_and_stays_away_until_it_is_forced() {
    let pki = Pki::served();
    let entries = &[("1001", "keyCompromise"), ("2002", "certificateHold")][..];
    pki.crl("ca.crl", Crl { entries, ..Crl::CURRENT });
    // It releases a hold and revokes others: by mistake, as the CA says on the telephone.
    let mistaken = &[("1001", "keyCompromise"), ("3003", "superseded"), ("4004", "certificateHold")][..];
    pki.crl("six.crl", Crl { number: "06", entries: mistaken, ..Crl::CURRENT });
    let ocsprey_in = |args: &[&str]| ocsprey(pki.dir(), args);
    let ingest = ["crl", "ingest", "--config", "ocsprey.toml"];
    let rollback = ["crl", "rollback", "--config", "ocsprey.toml", "--issuer", "test"];
    assert_eq!(ocsprey_in(&ingest).code, Some(0));
    assert_fails(&ocsprey_in(&rollback), &["no copy of the store is from before"]);
    assert_eq!(ocsprey_in(&[&ingest[..], &["six.crl"]].concat()).code, Some(0));
    assert_fails(&ocsprey_in(&[&rollback[..], &["--scope", "nowhere"]].concat()), &["no CRL of this scope"]);

    let said = ocsprey_in(&[&rollback[..], &["--scope", "everything"]].concat());
    assert_eq!(said.code, Some(0), "{said:#?}");
    for words in [
        "everything: the CRL number 6 of",
        "in force is the CRL number 5 of",
        "2 revocations went, 1 came back, 0 changed",
    ] {
        assert!(said.out.contains(words), "no {words}: {said:#?}");
    }
    assert_fails(&ocsprey_in(&rollback), &["no copy of the store is from before"]);
    fs::copy(pki.path("six.crl"), pki.path("ca.crl")).unwrap();

    // It still lies at its source: refused and told, at every look.
    let server = Server::start(pki.into_dir());
    assert_eq!((number(&server), server.said().contains("was taken back by hand")), ("5".into(), true));
    for (serial, status) in
        [("0x1001", "revoked"), ("0x2002", "revoked"), ("0x3003", "good"), ("0x4004", "good")]
    {
        assert_eq!(status_of(&server, serial), status, "{serial}");
    }
    let said = ocsprey(server.dir(), &["crl", "ingest", "--admin", &server.admin, "six.crl"]);
    assert_fails(&said, &["was taken back by hand"]);
    let said = ocsprey(server.dir(), &["crl", "ingest", "--admin", &server.admin, "--force", "six.crl"]);
    assert_eq!((said.code, number(&server)), (Some(0), "6".into()), "{said:#?}");
    assert_eq!(
        (status_of(&server, "0x2002"), status_of(&server, "0x3003")),
        ("good".into(), "revoked".into())
    );

    // A forced CRL is one more reason for a copy: it can be taken back as well.
    let (_, dir) = server.terminate();
    let kept: Vec<_> = fs::read_dir(dir.path().join("data/checkpoints")).unwrap().collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    let said = ocsprey(dir.path(), &rollback);
    assert_eq!(said.code, Some(0), "{said:#?}");
}

#[test]
fn without_checkpoints_a_backup_takes_a_crl_back() {
    let pki = Pki::served();
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    pki.write("ocsprey.toml", text.replace("[store]", "[store]\ncheckpoints = 0"));
    pki.crl("six.crl", Crl { number: "06", entries: &[], ..Crl::CURRENT });
    let ocsprey_in = |args: &[&str]| ocsprey(pki.dir(), args);
    assert_eq!(ocsprey_in(&["crl", "ingest", "--config", "ocsprey.toml"]).code, Some(0));
    assert_eq!(ocsprey_in(&["store", "backup", "--config", "ocsprey.toml", "--to", "one"]).code, Some(0));
    assert_eq!(ocsprey_in(&["crl", "ingest", "--config", "ocsprey.toml", "six.crl"]).code, Some(0));
    assert!(!pki.path("data/checkpoints").exists());
    let rollback = ["crl", "rollback", "--config", "ocsprey.toml", "--issuer", "test", "--from", "one"];
    assert_eq!(ocsprey_in(&rollback).code, Some(0));
    assert_fails(&ocsprey_in(&rollback), &["the copy has the CRL that is held"]);
}
