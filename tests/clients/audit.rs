//! The audit log of a real server: complete, provable, whole after kill -9, and without a citizen in it.

use crate::records::{Asking, demo_with, request};
use crate::support::{Server, get, ocsprey, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const AUTH: &str = "user-authentication";

pub fn with_audit(more: &str) -> TempDir {
    let dir = demo_with(&format!("[audit]\npath = \"audit\"\nkey = \"audit.key\"\n{more}\n[usage]"));
    for args in [
        ["genpkey", "-algorithm", "ed25519", "-out", "audit.key"].as_slice(),
        ["pkey", "-in", "audit.key", "-pubout", "-out", "audit-pub.pem"].as_slice(),
    ] {
        let said = run(dir.path(), "openssl", args);
        assert_eq!(said.code, Some(0), "{said:#?}");
    }
    dir
}

/// What `audit verify` finds, and its exit code.
fn verify(dir: &Path) -> (serde_json::Value, Option<i32>) {
    let said = ocsprey(dir, &["audit", "verify", "--path", "audit", "--key", "audit-pub.pem", "--json"]);
    (serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:#?}")), said.code)
}

pub fn verified(dir: &Path) -> serde_json::Value {
    let (found, code) = verify(dir);
    assert_eq!(code, Some(0), "{found:#}");
    found
}

fn serial(dir: &Path, certificate: &str) -> String {
    let said = run(dir, "openssl", &["x509", "-noout", "-serial", "-in", certificate]);
    said.out.trim().strip_prefix("serial=").unwrap().to_owned()
}

fn today() -> String {
    let said = run(Path::new("/"), "date", &["-u", "+%F"]);
    said.out.trim().to_owned()
}

fn prove(dir: &Path, serial: &str, date: &str) -> Vec<serde_json::Value> {
    let args = [
        "audit",
        "prove",
        "--config",
        "ocsprey.toml",
        "--issuer",
        AUTH,
        "--serial",
        serial,
        "--date",
        date,
        "--json",
    ];
    let said = ocsprey(dir, &args);
    assert_eq!(said.code, Some(0), "{said:#?}");
    serde_json::from_str(&said.out).unwrap()
}

fn sha256(dir: &Path, octets: &[u8]) -> String {
    fs::write(dir.join("hashed"), octets).unwrap();
    let said = run(dir, "sha256sum", &["hashed"]);
    said.out.split(' ').next().unwrap().to_owned()
}

#[test]
fn a_second_server_on_the_folder_of_the_first_does_not_start_and_harms_nothing() {
    let server = Server::start(with_audit(""));
    let one = request(server.dir(), "auth", &["good"], &["-no_nonce"]);
    let mut asking = Asking::of(&server);
    asking.post(&one).unwrap();
    // Another store, the same audit log.
    let other = with_audit("");
    let file = other.path().join("ocsprey.toml");
    let shared = format!("path = {:?}", server.path("audit"));
    let text = fs::read_to_string(&file).unwrap().replace("path = \"audit\"", &shared);
    fs::write(&file, text).unwrap();
    crate::support::set_ports(&file);
    let refused = ocsprey(other.path(), &["serve", "--config", "ocsprey.toml"]);
    assert_eq!(refused.code, Some(1), "{refused:#?}");
    let errors = refused.errors();
    assert!(
        errors.len() == 1 && errors[0].contains("another process writes it (stop that one"),
        "{errors:?}"
    );
    asking.post(&one).unwrap();
    // A process that was killed holds nothing.
    let dir = server.kill();
    let (status, dir) = Server::start(dir).terminate();
    assert_eq!(status.code(), Some(0));
    assert_eq!(verified(dir.path())["findings"], serde_json::json!([]));
}

#[test]
fn every_answer_is_on_record_and_can_be_proved_to_somebody_who_sees_nothing_else() {
    let server = Server::start(with_audit(""));
    let dir = server.dir().to_owned();
    let (good, revoked) = (serial(&dir, "auth-good.pem"), serial(&dir, "auth-revoked.pem"));
    let one = request(&dir, "auth", &["good"], &["-no_nonce"]);
    let several = request(&dir, "auth", &["good", "revoked", "unissued"], &["-nonce"]);
    let before = today();
    let mut asking = Asking::of(&server);
    let mut responses = BTreeSet::new();
    for _ in 0..20 {
        // The first is signed, the others are kept in memory.
        responses.insert(sha256(&dir, &asking.get(&one).unwrap()));
    }
    responses.insert(sha256(&dir, &asking.post(&several).unwrap()));
    asking.post(b"0").unwrap();
    // While the server runs, and after it ended.
    crate::support::wait_until(
        || format!("{:#}", verified(&dir)),
        || (verified(&dir)["answers"].as_u64() == Some(22)).then_some(()),
    );
    let metrics = get(&format!("{}/metrics", server.admin)).text();
    assert!(metrics.contains("\naudit_records_total 22\n"), "{metrics}");
    let (status, dir) = server.terminate();
    assert_eq!(status.code(), Some(0));
    let found = verified(dir.path());
    assert_eq!(
        (found["answers"].as_u64(), found["interruptions"].as_u64()),
        (Some(22), Some(0)),
        "{found:#}"
    );

    let mut proved = prove(dir.path(), &good, &before);
    if before != today() {
        proved.extend(prove(dir.path(), &good, &today()));
    }
    assert_eq!(proved.len(), 21);
    let of =
        |key: &str| proved.iter().map(|one| one[key].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(of("response_sha256"), responses);
    assert_eq!(of("said"), BTreeSet::from(["good".to_owned()]));
    assert_eq!(of("method"), BTreeSet::from(["GET".to_owned(), "POST".to_owned()]));
    assert!(proved.iter().all(|one| one["this_update"].as_str().unwrap().starts_with("20")));
    assert_eq!(prove(dir.path(), &revoked, &before)[0]["said"], "revoked");
    assert!(prove(dir.path(), "01020304", &before).is_empty());

    // One of them, to somebody with the public key alone.
    let elsewhere = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let proof = &proved[7]["proof"];
    fs::write(elsewhere.path().join("proof.json"), proof.to_string()).unwrap();
    fs::copy(dir.path().join("audit-pub.pem"), elsewhere.path().join("pub.pem")).unwrap();
    let args = ["audit", "verify", "--proof", "proof.json", "--key", "pub.pem"];
    let said = ocsprey(elsewhere.path(), &args);
    assert_eq!(said.code, Some(0), "{said:#?}");
    said.assert_says_one_of(&["proved: at "], "a proof");
    let forged = proof.to_string().replacen("00000000", "00000001", 1);
    fs::write(elsewhere.path().join("proof.json"), forged).unwrap();
    assert_eq!(ocsprey(elsewhere.path(), &args).code, Some(1));

    // And when something is changed.
    let file = dir.path().join("audit/segment-0000000001.log");
    let mut octets = fs::read(&file).unwrap();
    octets[500] ^= 1;
    fs::write(&file, octets).unwrap();
    let said = ocsprey(dir.path(), &["audit", "verify", "--config", "ocsprey.toml"]);
    assert_eq!(said.code, Some(1));
    assert!(!said.errors().is_empty(), "{said:#?}");
}

#[test]
fn after_kill_9_under_load_the_log_is_whole_and_says_that_it_was_interrupted() {
    let mut dir = with_audit("segment_size = \"64KiB\"");
    let (mut before, mut interruptions) = (0, 0);
    for round in 0..3 {
        let server = Server::start(dir);
        let good = request(server.dir(), "auth", &["good"], &["-no_nonce"]);
        let begin = Instant::now();
        let answered: Vec<Instant> = std::thread::scope(|scope| {
            let ask = || {
                let mut asking = Asking::of(&server);
                let mut answered = Vec::new();
                while begin.elapsed() < Duration::from_millis(1500 + 70 * round) {
                    asking.post(&good).unwrap();
                    answered.push(Instant::now());
                }
                answered
            };
            let (one, other) = (scope.spawn(ask), scope.spawn(ask));
            [one.join().unwrap(), other.join().unwrap()].concat()
        });
        dir = server.kill();
        let second_ago = Instant::now().checked_sub(Duration::from_secs(1)).unwrap();
        let surely = answered.iter().filter(|at| **at < second_ago).count() as u64;
        assert!(surely > 100, "{surely}");
        // The next start repairs the end, and says so.
        let server = Server::start(dir);
        let found = verified(server.dir());
        (dir, interruptions) = (server.terminate().1, interruptions + 1);
        let count = found["answers"].as_u64().unwrap();
        let at_most = before + answered.len() as u64;
        assert!((before + surely..=at_most).contains(&count), "{before} + {surely} to {at_most}: {found:#}");
        assert_eq!(found["interruptions"].as_u64(), Some(interruptions), "{found:#}");
        assert!(found["segments"].as_u64().unwrap() > 1, "{found:#}");
        before = count;
    }
    assert_eq!(verified(dir.path())["interruptions"].as_u64(), Some(interruptions));
}

/// Every file below `dir`, but what the demo made and the store, which is where serial numbers live.
fn files(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        match (path.is_dir(), name.as_str()) {
            (true, "data" | "crl") => {}
            (true, _) => files(&path, found),
            (false, "out.log" | "err.log") => found.push((name, fs::read(path).unwrap())),
            (false, _) if dir.ends_with("audit") || dir.ends_with("audit-keys") => {
                found.push((name, fs::read(path).unwrap()));
            }
            (false, _) => {}
        }
    }
}

/// 16 octets at the most: as `openssl` would print it.
fn decimal(hex: &str) -> String {
    u128::from_str_radix(hex, 16).map(|number| number.to_string()).unwrap()
}

#[test]
fn no_serial_number_and_no_clients_address_is_in_any_log_metric_page_or_record() {
    let server = Server::start(with_audit(""));
    let dir = server.dir().to_owned();
    // Long ones, which do not stand anywhere by chance.
    let serials = ["5A17C3D4E5F60718293A4B5C6D7E8F90", "1FB2C3D4E5F6A7B8", "7E0102F3E4D5C6B7A8990A0B0C0D0E"];
    let options: Vec<String> =
        serials.iter().flat_map(|serial| ["-serial".to_owned(), format!("0x{serial}")]).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).chain(["-no_nonce"]).collect();
    let good = request(&dir, "auth", &["good"], &options);
    let mut asking = Asking::from_address("127.0.0.77", &server);
    for _ in 0..10 {
        asking.post(&good).unwrap();
        asking.get(&good).unwrap();
        asking.post(b"not a request").unwrap();
    }
    let mut pages = Vec::new();
    for page in ["metrics", "status", "api/v1/status", "readyz", "healthz"] {
        pages.push((page.to_owned(), get(&format!("{}/{page}", server.admin)).body));
    }
    let (_, dir) = server.terminate();
    assert_eq!(verified(dir.path())["answers"].as_u64(), Some(30));
    files(dir.path(), &mut pages);
    let names: BTreeSet<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    assert!(
        names.contains("err.log") && names.contains("segment-0000000001.log") && names.len() >= 9,
        "{names:?}"
    );

    let mut needles: Vec<(String, Vec<u8>)> = vec![("the address".to_owned(), b"127.0.0.77".to_vec())];
    for upper in serials {
        let octets: Vec<u8> = (0..upper.len() / 2)
            .map(|at| u8::from_str_radix(&upper[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        let mut forms =
            vec![upper.to_owned(), upper.to_lowercase(), STANDARD.encode(&octets), decimal(upper)];
        let colons: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        forms.push(colons.join(":"));
        needles.extend(forms.into_iter().map(|form| (upper.to_owned(), form.into_bytes())));
        needles.push((upper.to_owned(), octets));
    }
    needles.push(("the request".to_owned(), STANDARD.encode(&good).into_bytes()[..64].to_vec()));
    for (what, needle) in &needles {
        for (name, octets) in &pages {
            let is_there = octets.windows(needle.len()).any(|window| window == needle);
            assert!(!is_there, "{what} as {} stands in {name}", String::from_utf8_lossy(needle));
        }
    }
}

#[test]
fn a_key_that_is_missing_or_of_another_kind_is_told_before_anything_is_served() {
    let dir = demo_with("[audit]\npath = \"audit\"\nkey = \"audit.key\"");
    let missing = ocsprey(dir.path(), &["check", "--config", "ocsprey.toml"]);
    missing.assert_says_one_of(&["audit.key: there is no such file"], "no key");
    assert_ne!(missing.code, Some(0));
    let args = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", "audit.key"];
    run(dir.path(), "openssl", &args);
    let other = ocsprey(dir.path(), &["serve", "--config", "ocsprey.toml"]);
    other.assert_says_one_of(&["heads of the audit log are signed with ed25519 or p256"], "a P-384 key");
    assert_eq!(other.code, Some(2));
}
