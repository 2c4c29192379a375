//! What happens to a server in its life: it is tried, asked to end, killed, started again.

use crate::support::{Said, Server, get, run, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;

/// The `openssl ocsp` lines that the demo printed, ready for a shell.
fn printed_queries(server: &Server) -> Vec<String> {
    let whole = server.said().replace("\\\n", " ");
    let lines = whole.lines().map(|line| line.trim().trim_start_matches("$ "));
    lines.filter(|line| line.starts_with("openssl ocsp")).map(str::to_owned).collect()
}

/// Pastes what the demo printed, in the folder where it was started.
fn paste_queries(server: &Server) -> Vec<Said> {
    let describe = || format!("no `openssl ocsp` lines\n{}", server.said());
    // Once one is there the others come with it: a good, a revoked, an unknown one at least.
    let queries = wait_until(describe, || Some(printed_queries(server)).filter(|queries| queries.len() >= 3));
    queries.iter().map(|query| run(server.dir(), "sh", &["-c", query])).collect()
}

fn statuses(answers: &[Said]) -> BTreeSet<&str> {
    let verified = answers.iter().filter(|said| !said.out.starts_with("HTTP/"));
    let lines = verified.flat_map(|said| said.out.lines()).filter(|line| !line.starts_with('\t'));
    lines.filter_map(|line| line.rsplit_once(": ")).map(|(_, status)| status).collect()
}

#[test]
fn the_lines_that_the_demo_prints_can_be_pasted() {
    let server = Server::whole_demo();
    let answers = paste_queries(&server);
    for said in &answers {
        // One line asks by GET, through curl, and shows the headers.
        said.assert_says_one_of(&["Response verify OK", "HTTP/1.1 200 OK"], "a pasted line");
    }
    assert_eq!(statuses(&answers), BTreeSet::from(["good", "revoked", "unknown"]), "{answers:#?}");
    assert!(answers.iter().any(|said| said.out.contains("Reason: ")), "{answers:#?}");

    // A second start on the same folder serves what is there.
    let certificate = fs::read(server.path("demo/auth-ca.pem")).unwrap();
    let (status, dir) = server.terminate();
    assert_eq!(status.code(), Some(0));
    let server = Server::demo_in(dir);
    assert_eq!(fs::read(server.path("demo/auth-ca.pem")).unwrap(), certificate, "the PKI was made anew");
    let again = paste_queries(&server);
    assert_eq!(statuses(&again), statuses(&answers), "{again:#?}");
}

/// What openssl says about every certificate of the demo.
fn all_answers(server: &Server) -> Vec<String> {
    let mut answers = Vec::new();
    for ca in ["auth", "sign"] {
        for name in ["good", "revoked", "hold", "unissued"] {
            let (issuer, certificate) = (format!("{ca}-ca.pem"), format!("{ca}-{name}.pem"));
            let args =
                ["ocsp", "-CAfile", &issuer, "-issuer", &issuer, "-cert", &certificate, "-url", &server.url];
            let said = run(server.dir(), "openssl", &args);
            said.assert_says_one_of(&["Response verify OK"], &certificate);
            // Everything but the times of the answer itself.
            let stays = |line: &&str| !line.contains("This Update") && !line.contains("Next Update");
            answers.extend(said.out.lines().filter(stays).map(str::to_owned));
        }
    }
    answers
}

#[test]
fn sigterm_ends_with_exit_0_and_the_next_start_serves_the_same() {
    let server = Server::demo("p256");
    let before = all_answers(&server);
    // A client that connected, said half a word and fell silent does not keep it.
    let mut silent = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    silent.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Le").unwrap();
    let (status, dir) = server.terminate();
    assert_eq!(status.code(), Some(0));
    assert_eq!(all_answers(&Server::start(dir)), before);
}

#[test]
fn after_kill_9_the_next_start_serves_the_same() {
    let server = Server::demo("p256");
    let before = all_answers(&server);
    let server = Server::start(server.kill());
    assert_eq!(all_answers(&server), before);
}

#[test]
fn every_counter_exists_from_the_start_at_0_and_counts() {
    let server = Server::demo("p256");
    let value = |name: &str, labels: &[&str]| {
        let page = get(&format!("{}/metrics", server.admin));
        assert_eq!(page.status, 200);
        let text = page.text();
        let matching = |line: &&str| {
            line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
        };
        let line = text.lines().find(matching).unwrap_or_else(|| panic!("no {name} {labels:?} in\n{text}"));
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    let requests = |result: &str| {
        value("ocsp_requests_total", &["issuer=\"user-authentication\"", &format!("result=\"{result}\"")])
    };
    let results =
        ["good", "revoked", "unknown", "malformed_request", "unauthorized", "try_later", "internal_error"];
    for result in results {
        assert!(requests(result).abs() < f64::EPSILON, "{result}");
    }
    all_answers(&server);
    assert!((requests("good") - 1.0).abs() < f64::EPSILON);
    assert!((requests("revoked") - 2.0).abs() < f64::EPSILON);
    assert!((requests("unknown") - 1.0).abs() < f64::EPSILON);
    assert!(value("crl_scopes", &["issuer=\"user-authentication\""]) >= 1.0);
    assert!(value("crl_entries", &["issuer=\"user-authentication\""]) >= 2.0);
    assert_eq!(get(&format!("{}/healthz", server.admin)).status, 200);
}
