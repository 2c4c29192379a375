//! What is kept of answers, of a real server: counts for bills, equal to what clients asked.

use crate::support::{Server, demo_copy, get, ocsprey, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The demo's PKI, with `sections` in its configuration.
pub fn demo_with(sections: &str) -> TempDir {
    let dir = demo_copy("p256");
    let file = dir.path().join("ocsprey.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{sections}\n{text}")).unwrap();
    dir
}

/// A request for these certificates, as openssl writes it.
pub fn request(dir: &Path, ca: &str, certificates: &[&str], options: &[&str]) -> Vec<u8> {
    let mut args = vec![
        "ocsp".to_owned(),
        "-issuer".into(),
        format!("{ca}-ca.pem"),
        "-reqout".into(),
        "request.der".into(),
    ];
    args.extend(options.iter().map(|option| (*option).to_owned()));
    for certificate in certificates {
        args.extend(["-cert".to_owned(), format!("{ca}-{certificate}.pem")]);
    }
    let said = run(dir, "openssl", &args);
    assert_eq!(said.code, Some(0), "{said:#?}");
    fs::read(dir.join("request.der")).unwrap()
}

/// One connection that asks and waits for each answer.
pub struct Asking(TcpStream);

impl Asking {
    pub fn of(server: &Server) -> Self {
        let stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// As [`Asking::of`], from another address of this machine than the server's own.
    pub fn from_address(address: &str, server: &Server) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let from: std::net::SocketAddr = format!("{address}:0").parse().unwrap();
        let to: std::net::SocketAddr = server.url.trim_start_matches("http://").parse().unwrap();
        socket.bind(&from.into()).unwrap();
        socket.connect(&to.into()).unwrap();
        Self(socket.into())
    }

    pub fn post(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let head = format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
            request.len()
        );
        self.exchange(&[head.as_bytes(), request].concat())
    }

    pub fn get(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let path = STANDARD.encode(request).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        self.exchange(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
    }

    /// The body of the answer; `None` where the connection ended before its last octet.
    fn exchange(&mut self, octets: &[u8]) -> Option<Vec<u8>> {
        self.0.write_all(octets).ok()?;
        let mut answer = Vec::new();
        loop {
            let mut buffer = [0; 8192];
            let count = self.0.read(&mut buffer).ok().filter(|count| *count > 0)?;
            answer.extend_from_slice(&buffer[..count]);
            let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if answer.len() >= end + 4 + length.parse::<usize>().unwrap() {
                return Some(answer[end + 4..].to_vec());
            }
        }
    }
}

const DAYS: [&str; 4] = ["--from", "2020-01-01", "--to", "2099-12-31"];

fn report(dir: &Path, options: &[&str]) -> serde_json::Value {
    let args =
        [&["usage", "report", "--config", "ocsprey.toml", "--format", "json"][..], &DAYS, options].concat();
    let said = ocsprey(dir, &args);
    assert_eq!(said.code, Some(0), "{said:#?}");
    serde_json::from_str(&said.out).unwrap()
}

/// Counts by issuer, method and result.
fn counts(report: &serde_json::Value) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in report["lines"].as_array().unwrap() {
        let word = |key: &str| line[key].as_str().unwrap().to_owned();
        assert_eq!((word("verifier"), word("on_behalf_of")), ("-".to_owned(), String::new()));
        let kind = format!("{} {} {}", word("issuer"), word("method"), word("result"));
        *counts.entry(kind).or_default() += line["count"].as_u64().unwrap();
    }
    counts
}

/// Asks a mix, and says what that makes.
fn ask_a_mix(server: &Server, rounds: u64) -> BTreeMap<String, u64> {
    let dir = server.dir();
    let good = request(dir, "auth", &["good"], &["-no_nonce"]);
    let with_nonce = request(dir, "sign", &["revoked"], &["-nonce"]);
    let several = request(dir, "auth", &["good", "revoked", "hold", "unissued"], &["-no_nonce"]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut asking = Asking::of(server);
                for _ in 0..rounds {
                    asking.post(&good).unwrap();
                    asking.get(&good).unwrap();
                    asking.post(&with_nonce).unwrap();
                    asking.post(&several).unwrap();
                    asking.post(b"0").unwrap();
                }
            });
        }
    });
    let all = 4 * rounds;
    let kinds = [
        ("user-authentication POST good", 2 * all),
        ("user-authentication POST revoked", 2 * all),
        ("user-authentication POST unknown", all),
        ("user-authentication GET good", all),
        ("digital-signature POST revoked", all),
        ("- POST malformed_request", all),
    ];
    kinds.map(|(kind, count)| (kind.to_owned(), count)).into()
}

fn sum(one: BTreeMap<String, u64>, other: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut sum = one;
    for (kind, count) in other {
        *sum.entry(kind.clone()).or_default() += count;
    }
    sum
}

#[test]
fn usage_equals_what_was_asked_to_the_unit_across_reloads_and_restarts() {
    let server = Server::start(demo_with(
        "[usage]\nday_begins = \"+09:00\"\nkeep = \"10years\"\nprices = \"prices.toml\"",
    ));
    let prices = "currency = \"JPY\"\n[[price]]\nfrom = 2020-01-01\namount = 0\n\
                  [[price]]\nfrom = 2020-01-01\nissuer = \"digital-signature\"\nresult = \"revoked\"\namount = 3\n";
    fs::write(server.path("prices.toml"), prices).unwrap();
    let mut asked = ask_a_mix(&server, 200);
    server.reload();
    asked = sum(asked, &ask_a_mix(&server, 50));
    let (status, dir) = server.terminate();
    assert_eq!(status.code(), Some(0));
    assert_eq!(counts(&report(dir.path(), &[])), asked);

    // Another process of the same server, and a look while it runs.
    let server = Server::start(dir);
    asked = sum(asked, &ask_a_mix(&server, 100));
    crate::support::wait_until(
        || format!("{:?}", counts(&report(server.dir(), &[]))),
        || (counts(&report(server.dir(), &[])) == asked).then_some(()),
    );
    let metrics = get(&format!("{}/metrics", server.admin)).text();
    assert!(metrics.contains("\nusage_counts_unwritten 0\n"), "{metrics}");
    let (_, dir) = server.terminate();
    let told = report(dir.path(), &[]);
    assert_eq!(counts(&told), asked);
    assert_eq!(told["totals"]["amount"].as_u64(), Some(3 * asked["digital-signature POST revoked"]));
    assert_eq!(told["totals"]["unpriced"].as_u64(), Some(0));
    // The day is Japan's, whatever the machine's.
    let daily = report(dir.path(), &["--daily"]);
    assert_eq!(counts(&daily), asked);
    let csv = ocsprey(
        dir.path(),
        &[&["usage", "report", "--config", "ocsprey.toml", "--format", "csv"][..], &DAYS].concat(),
    );
    assert_eq!(csv.out.lines().count(), 1 + asked.len(), "{}", csv.out);
}

/// What a running server reports, which is every answer up to the question.
fn report_of_server(server: &Server, options: &[&str]) -> serde_json::Value {
    let args =
        [&["usage", "report", "--admin", &server.admin, "--format", "json"][..], &DAYS, options].concat();
    let said = ocsprey(server.dir(), &args);
    assert_eq!(said.code, Some(0), "{said:#?}");
    serde_json::from_str(&said.out).unwrap()
}

#[test]
fn a_running_server_reports_every_answer_that_was_given_before_it_was_asked() {
    let dir = demo_with("[usage]\nprices = \"prices.toml\"\nday_begins = \"+09:00\"");
    let prices = "currency = \"JPY\"\n[[price]]\nfrom = 2020-01-01\nresult = \"good\"\namount = 3\n";
    fs::write(dir.path().join("prices.toml"), prices).unwrap();
    let server = Server::start(dir);
    let mut asked = BTreeMap::new();
    for rounds in [1, 2, 30] {
        asked = sum(asked, &ask_a_mix(&server, rounds));
        // At once: nothing is waited for but the answer.
        let told = report_of_server(&server, &[]);
        assert_eq!(counts(&told), asked);
        let good: u64 =
            asked.iter().filter(|(kind, _)| kind.ends_with(" good")).map(|(_, count)| count).sum();
        assert_eq!(told["totals"]["amount"].as_u64(), Some(3 * good));
    }
    assert_eq!(counts(&report_of_server(&server, &["--daily"])), asked);
    assert_eq!(report_of_server(&server, &["--verifier", "bank"])["totals"]["count"], 0);
    let other = ["usage", "report", "--admin", &server.admin, "--format", "csv"];
    let csv = ocsprey(server.dir(), &[&other[..], &DAYS].concat());
    assert_eq!(csv.out.lines().count(), 1 + asked.len(), "{}", csv.out);
    // The same question beside it, once all is written; and after the end.
    let last = report_of_server(&server, &["--daily"]);
    assert_eq!(report(server.dir(), &["--daily"]), last);
    fs::write(server.path("prices.toml"), "currency = 1").unwrap();
    let wrong = ocsprey(server.dir(), &[&other[..], &DAYS].concat());
    assert_eq!(wrong.code, Some(1), "{wrong:#?}");
    wrong.assert_says_one_of(&["prices.toml: it is not TOML, or has a key"], "a price list");
}

#[test]
fn after_kill_9_at_most_the_last_second_is_not_counted_and_nothing_twice() {
    let mut dir = demo_with("[usage]");
    let mut before = 0;
    for round in 0..3 {
        let server = Server::start(dir);
        let good = request(server.dir(), "auth", &["good"], &["-no_nonce"]);
        let begin = Instant::now();
        let answered: Vec<Instant> = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut asking = Asking::of(&server);
                let mut answered = Vec::new();
                while begin.elapsed() < Duration::from_millis(1700 + 130 * round) {
                    asking.post(&good).unwrap();
                    answered.push(Instant::now());
                }
                answered
            });
            asking.join().unwrap()
        });
        dir = server.kill();
        let killed = Instant::now();
        let second_ago = killed.checked_sub(Duration::from_secs(1)).unwrap();
        let surely = answered.iter().filter(|at| **at < second_ago).count() as u64;
        let count = report(dir.path(), &[])["totals"]["count"].as_u64().unwrap();
        let at_most = before + answered.len() as u64;
        assert!((before + surely..=at_most).contains(&count), "{before} + {surely} to {at_most}: {count}");
        assert!(surely > 100, "{surely}");
        before = count;
    }
}

#[test]
fn without_the_section_nothing_is_counted_and_a_wrong_price_list_is_told() {
    let server = Server::demo("p256");
    let good = request(server.dir(), "auth", &["good"], &[]);
    Asking::of(&server).post(&good).unwrap();
    let (_, dir) = server.terminate();
    assert_eq!(report(dir.path(), &[])["totals"]["count"].as_u64(), Some(0));
    let file = dir.path().join("ocsprey.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("[usage]\nprices = \"prices.toml\"\n{text}")).unwrap();
    let args = [&["usage", "report", "--config", "ocsprey.toml"][..], &DAYS].concat();
    let missing = ocsprey(dir.path(), &args);
    assert_eq!(missing.code, Some(2));
    missing.assert_says_one_of(&["prices.toml: there is no such file"], "no price list");
    fs::write(dir.path().join("prices.toml"), "currency = 1").unwrap();
    let wrong = ocsprey(dir.path(), &args);
    assert_eq!(wrong.code, Some(2));
    wrong.assert_says_one_of(&["prices.toml: it is not TOML, or has a key"], "a price list");
}
