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
