//! A whole publication comes in at once, and something that cannot wait for its end.

use crate::support::{Crl, Pki, Server, get, ocsprey, post, wait_until};
use serde_json::Value;
use std::fs;

/// CRLs of the publication: some milliseconds' work each.
const CRLS: u64 = 600;

fn status(server: &Server) -> Value {
    serde_json::from_slice(&get(&format!("{}/api/v1/status", server.admin)).body).unwrap()
}

/// CRLs that were found to be the one held.
fn unchanged(server: &Server) -> u64 {
    let text = get(&format!("{}/metrics", server.admin)).text();
    let head = "crl_ingests_total{issuer=\"test\",outcome=\"unchanged\"} ";
    text.lines().find_map(|line| line.strip_prefix(head)?.parse().ok()).unwrap()
}

fn has_scope(server: &Server, name: &str) -> bool {
    let shown = status(server);
    shown["issuers"][0]["scopes"].as_array().unwrap().iter().any(|one| one["distribution_point"] == name)
}

#[test]
fn what_is_handed_in_or_ordered_and_a_single_new_file_come_before_the_rest_of_a_publication() {
    let pki = Pki::served();
    let serials: Vec<String> = (0x10_0000..0x10_5000).map(|serial: u32| format!("{serial:06X}")).collect();
    let entries: Vec<(&str, &str)> = serials.iter().map(|serial| (serial.as_str(), "superseded")).collect();
    pki.crl("large.crl", Crl { entries: &entries, ..Crl::CURRENT });
    let a = pki.crl("a.crl", Crl { extensions: "partition_a", ..Crl::CURRENT });
    pki.crl("b.crl", Crl { extensions: "partition_b", ..Crl::CURRENT });
    fs::create_dir(pki.path("crl")).unwrap();
    fs::copy(pki.path("large.crl"), pki.path("crl/0000.crl")).unwrap();
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    pki.write("ocsprey.toml", text.replace("\"ca.crl\"", "\"crl/\""));
    let server = Server::start(pki.into_dir());
    let before = unchanged(&server);
    for n in 1..=CRLS {
        // The same file under many names: each is read, verified and compared.
        fs::hard_link(server.path("large.crl"), server.path(&format!("crl/{n:04}.crl"))).unwrap();
    }
    let describe = || format!("{} of {CRLS}", unchanged(&server) - before);
    wait_until(describe, || (unchanged(&server) > before + 2).then_some(()));

    let answer = post(&format!("{}/api/v1/crls", server.admin), "application/pkix-crl", &a);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(has_scope(&server, "http://crl.example/a"));
    assert!(unchanged(&server) < before + CRLS, "the publication was over when the CRL was in");

    fs::rename(server.path("b.crl"), server.path("crl/zzz.crl")).unwrap();
    wait_until(describe, || has_scope(&server, "http://crl.example/b").then_some(()));
    assert!(unchanged(&server) < before + CRLS, "the publication was over when the new file was in");

    let drop =
        ["crl", "drop", "--admin", &server.admin, "--issuer", "test", "--scope", "http://crl.example/a"];
    let said = ocsprey(server.dir(), &drop);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(unchanged(&server) < before + CRLS, "the publication was over when the scope was dropped");
    // And nothing of it is left out.
    wait_until(describe, || (unchanged(&server) >= before + CRLS).then_some(()));
}

#[test]
fn a_delta_crl_that_is_found_before_its_complete_one_waits_for_it_without_an_alarm() {
    let pki = Pki::served();
    fs::create_dir(pki.path("crl")).unwrap();
    let delta = &[("4004", "superseded")][..];
    let delta = Crl { number: "06", extensions: "delta_from_5", entries: delta, ..Crl::CURRENT };
    pki.crl("crl/1-delta.crl", delta);
    pki.crl("crl/2-complete.crl", Crl::CURRENT);
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    pki.write("ocsprey.toml", text.replace("\"ca.crl\"", "\"crl/\""));
    let server = Server::start(pki.into_dir());
    let shown = status(&server);
    assert_eq!(shown["quarantine"].as_array().unwrap().len(), 0, "{shown:#}");
    assert_eq!(shown["issuers"][0]["scopes"].as_array().unwrap().len(), 2, "{shown:#}");
    assert!(!server.said().contains("was refused"), "{}", server.said());
}

/// Serial numbers of the inventory that takes a while.
const ISSUED: u64 = 4_000_000;

/// A server with a small inventory that has just begun to read a large one.
fn reading_an_inventory() -> (Server, Vec<u8>) {
    let pki = Pki::served();
    let revoked =
        pki.crl("next.crl", Crl { number: "06", entries: &[("2001", "superseded")], ..Crl::CURRENT });
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    pki.write("ocsprey.toml", text.replace("crls = ", "inventory = [\"issued.txt\"]\ncrls = "));
    pki.write("issued.txt", "1001\n");
    let issued: String = (0..ISSUED).map(|n| format!("{:06X}\n", 0x10_0000 + n)).collect();
    pki.write("issued.txt.part", issued);
    let server = Server::start(pki.into_dir());
    let written = || -> u64 {
        let files = fs::read_dir(server.path("data")).unwrap();
        files.map(|file| file.unwrap().metadata().map_or(0, |metadata| metadata.len())).sum()
    };
    let before = written();
    fs::rename(server.path("issued.txt.part"), server.path("issued.txt")).unwrap();
    // The log of the first chunks.
    wait_until(|| server.said(), || (written() > before + 3_000_000).then_some(()));
    (server, revoked)
}

fn inventoried(status: &Value) -> u64 {
    status["issuers"][0]["inventory"].as_u64().unwrap()
}

#[test]
fn a_revocation_does_not_wait_until_an_inventory_is_read() {
    let (server, revoked) = reading_an_inventory();
    let answer = post(&format!("{}/api/v1/crls", server.admin), "application/pkix-crl", &revoked);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shown = status(&server);
    assert!(inventoried(&shown) < ISSUED, "the inventory was read when the CRL was in");
    assert_eq!(shown["issuers"][0]["scopes"][0]["crl_number"], "6", "{shown:#}");
    let describe = || format!("{:#}\n{}", status(&server), server.said());
    wait_until(describe, || (inventoried(&status(&server)) == ISSUED + 1).then_some(()));
}

#[test]
fn a_server_that_reads_an_inventory_ends_when_it_is_told_to_and_reads_on_when_it_is_started() {
    let (server, _) = reading_an_inventory();
    let (ended, dir) = server.terminate();
    assert!(ended.success(), "{ended}");
    let said = ocsprey(dir.path(), &["status", "--config", "ocsprey.toml", "--json"]);
    let held = inventoried(&serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:#?}")));
    assert!((1..ISSUED).contains(&held), "{held}: it read to the end");

    let server = Server::start(dir);
    let describe = || format!("{:#}\n{}", status(&server), server.said());
    wait_until(describe, || (inventoried(&status(&server)) == ISSUED + 1).then_some(()));
    assert!(!server.said().contains("was not loaded"), "{}", server.said());
}
