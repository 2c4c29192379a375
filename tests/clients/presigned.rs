//! Answers that were signed beforehand, as clients and operators meet them.

use crate::support::{Said, Server, demo_copy, get, ocsprey, post, run, set_ports, wait_until};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The demo of 2,000 cards, so of 4,000 certificates, with these keys in `[response]`.
fn demo_with(keys: &str) -> TempDir {
    let dir = demo_copy("p256");
    set_response(dir.path(), keys);
    dir
}

fn set_response(dir: &Path, keys: &str) {
    let path = dir.join("ocsprey.toml");
    let mut table: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
    let response = table.get_mut("response").unwrap().as_table_mut().unwrap();
    for key in ["presign", "presign_limit", "refresh_threads"] {
        response.remove(key);
    }
    response.extend(keys.parse::<toml::Table>().unwrap());
    fs::write(path, toml::to_string(&table).unwrap()).unwrap();
}

fn presign(dir: &Path, more: &[&str]) -> Said {
    let said = ocsprey(dir, &[&["presign", "--config", "ocsprey.toml"][..], more].concat());
    assert_eq!(said.code, Some(0), "{said:#?}");
    said
}

/// Signed now, and held.
fn counts(said: &Said) -> (u64, u64) {
    let line = said.out.lines().find(|line| line.starts_with("pre-signed answers:")).unwrap();
    let number = |before: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| word.trim_end_matches(',') == before).unwrap();
        words[at - 1].replace(',', "").parse().unwrap()
    };
    (number("signed"), number("held"))
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = get(&format!("{}/metrics", server.admin)).text();
    let values = text.lines().filter(|line| line.starts_with(name) && !line.starts_with('#'));
    values.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// Has openssl ask and verify; the request's and the answer's octets.
fn ask(server: &Server, certificate: &str, hash: &str) -> (Vec<u8>, Vec<u8>) {
    let args = [
        "ocsp",
        hash,
        "-CAfile",
        "auth-ca.pem",
        "-issuer",
        "auth-ca.pem",
        "-cert",
        certificate,
        "-no_nonce",
        "-url",
        &server.url,
        "-reqout",
        "request.der",
        "-respout",
        "answer.der",
    ];
    let said = run(server.dir(), "openssl", &args);
    said.assert_says_one_of(&["Response verify OK"], certificate);
    (fs::read(server.path("request.der")).unwrap(), fs::read(server.path("answer.der")).unwrap())
}

#[test]
fn openssl_verifies_what_was_signed_beforehand_in_every_configured_form() {
    let dir = demo_with("presign = [\"sha1\", \"sha256\"]\nrefresh_threads = 0");
    assert_eq!(counts(&presign(dir.path(), &["--issuer", "user-authentication"])), (4000, 4000));
    assert_eq!(counts(&presign(dir.path(), &[])), (4000, 8000));
    assert_eq!(counts(&presign(dir.path(), &[])), (0, 8000), "nothing is due");
    let server = Server::start(dir);
    let status = get(&format!("{}/api/v1/status", server.admin)).text();
    assert!(status.replace(' ', "").contains("\"answers\":8000"), "{status}");
    let mut hits = 0;
    for certificate in ["auth-good.pem", "auth-revoked.pem", "auth-hold.pem"] {
        for hash in ["-sha1", "-sha256"] {
            let (request, first) = ask(&server, certificate, hash);
            hits += 1;
            assert_eq!(metric(&server, "ocsp_presigned_hits_total"), hits, "{certificate} {hash}");
            let again = post(&server.url, "application/ocsp-request", &request);
            assert_eq!(again.body, first, "bit for bit");
            // Asked for again it is kept in memory, and the third is from there.
            hits += 1;
            assert_eq!(post(&server.url, "application/ocsp-request", &request).body, first);
            assert_eq!(metric(&server, "ocsp_presigned_hits_total"), hits, "{certificate} {hash}");
        }
        ask(&server, certificate, "-sha512");
    }
    assert_eq!(metric(&server, "ocsp_signatures_total"), 3, "only those of a form that is not configured");
}

#[test]
fn g14_caches_are_told_of_a_presigned_answer_what_they_are_told_of_any() {
    let dir = demo_with("presign = [\"sha1\"]\nrefresh_threads = 0");
    presign(dir.path(), &[]);
    let server = Server::start(dir);
    let (request, answer) = ask(&server, "auth-good.pem", "-sha1");
    let shown = run(server.dir(), "openssl", &["ocsp", "-respin", "answer.der", "-noverify", "-resp_text"]);
    let next_update = shown.out.lines().find_map(|line| line.trim().strip_prefix("Next Update: ")).unwrap();
    fs::write(server.path("request.der"), request).unwrap();
    let path = run(server.dir(), "openssl", &["base64", "-A", "-in", "request.der"]).out;
    let path = path.trim().replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    let page = get(&format!("{}/{path}", server.url));
    assert_eq!((page.status, page.body), (200, answer));
    let header = |name: &str| page.headers.iter().find(|(header, _)| header == name).unwrap().1.clone();
    assert!(header("cache-control").contains("must-revalidate"), "{:?}", page.headers);
    // `Nov 23 19:55:13 2026 GMT` and `Mon, 23 Nov 2026 19:55:13 GMT`.
    let parts: Vec<&str> = next_update.split_whitespace().collect();
    let expires = header("expires");
    assert!(expires.contains(parts[2]) && expires.contains(parts[0]), "{expires} {next_update}");
    let (etag, _) = (header("etag"), header("last-modified"));
    assert_eq!(etag.len(), 66);
    assert_eq!(metric(&server, "ocsp_signatures_total"), 0);
}

#[test]
fn after_kill_9_in_the_midst_of_it_what_was_signed_counts_and_the_rest_follows() {
    let dir = demo_with("presign = [\"sha1\", \"sha256\", \"sha384\", \"sha512\"]\nrefresh_threads = 0");
    let mut before = 0;
    for _ in 0..4 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ocsprey"))
            .current_dir(dir.path())
            .args(["presign", "--config", "ocsprey.toml"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Rows on the disk are a sign that it is at work.
        let size = || -> u64 {
            let files = fs::read_dir(dir.path().join("data")).unwrap();
            files.filter_map(|file| file.ok()?.metadata().ok()).map(|file| file.len()).sum()
        };
        let start = size();
        wait_until(
            || "nothing was written".to_owned(),
            || (size() > start + 50_000 || child.try_wait().unwrap().is_some()).then_some(()),
        );
        child.kill().unwrap();
        child.wait().unwrap();
        let held = held(dir.path());
        assert!(held >= before, "{held} after {before}");
        before = held;
    }
    let (signed, held) = counts(&presign(dir.path(), &[]));
    assert_eq!((signed, held), (16_000 - before, 16_000));
    let server = Server::start(dir);
    for hash in ["-sha1", "-sha256", "-sha384", "-sha512"] {
        ask(&server, "auth-good.pem", hash);
    }
    assert_eq!(metric(&server, "ocsp_signatures_total"), 0);
}

/// What the store says it holds.
fn held(dir: &Path) -> u64 {
    let said = ocsprey(dir, &["status", "--config", "ocsprey.toml", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    status["presigned"]["answers"].as_u64().unwrap_or(0)
}

#[test]
fn a_server_signs_beforehand_by_itself_and_ends_cleanly_in_the_midst_of_it() {
    let dir = demo_with("presign = [\"sha1\"]\nrefresh_threads = 2\npresign_limit = 3000");
    let server = Server::start(dir);
    let answers = |server: &Server| {
        let status = get(&format!("{}/api/v1/status", server.admin)).text();
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["presigned"]["answers"].as_u64().unwrap_or(0)
    };
    wait_until(|| "nothing was signed".to_owned(), || (answers(&server) >= 3000).then_some(()));
    assert_eq!(answers(&server), 3000, "it stops where the operator says");
    let (status, dir) = server.terminate();
    assert_eq!(status.code(), Some(0));
    set_response(dir.path(), "presign = [\"sha1\"]\nrefresh_threads = 1");
    let server = Server::start(dir);
    let (status, dir) = server.terminate();
    assert_eq!(status.code(), Some(0), "ended while it was signing");
    let server = Server::start(dir);
    wait_until(|| "the rest was not signed".to_owned(), || (answers(&server) == 4000).then_some(()));
    let signed = metric(&server, "ocsp_signatures_total");
    ask(&server, "auth-good.pem", "-sha1");
    assert_eq!(metric(&server, "ocsp_signatures_total"), signed);
}

#[test]
fn presigning_without_a_form_or_of_a_stranger_is_wrong_usage_and_beside_a_server_is_refused() {
    let dir = demo_with("");
    let said = ocsprey(dir.path(), &["presign", "--config", "ocsprey.toml"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.errors()[0].contains("presign = "), "{said:#?}");
    set_response(dir.path(), "presign = [\"sha1\"]\nrefresh_threads = 0");
    let said = ocsprey(dir.path(), &["presign", "--config", "ocsprey.toml", "--issuer", "nobody"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    set_ports(&dir.path().join("ocsprey.toml"));
    let server = Server::start(dir);
    let said = ocsprey(server.dir(), &["presign", "--config", "ocsprey.toml"]);
    assert_eq!((said.code, said.errors().len()), (Some(1), 1), "{said:#?}");
}
