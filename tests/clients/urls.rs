//! CRLs from web servers, good and bad ones. Whatever a server does, files are taken in beside it, and
//! what went wrong is told by name.

use crate::support::{Crl, Pki, Reply, Server, Web, get, ocsprey, run, wait_until};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const NEXT: Crl<'static> = Crl { number: "06", entries: &[("2002", "superseded")], ..Crl::CURRENT };

/// A PKI whose CRLs come from `crls`, fetched as `fetch` says.
fn fetching(crls: &[String], fetch: &str) -> Pki {
    let pki = Pki::served();
    let text = std::fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    let named = text.replace("crls = [\"ca.crl\"]", &format!("crls = {crls:?}"));
    assert_ne!(named, text);
    pki.write("ocsprey.toml", format!("[fetch]\n{fetch}\n{named}"));
    pki
}

fn status(server: &Server) -> Value {
    serde_json::from_slice(&get(&format!("{}/api/v1/status", server.admin)).body).unwrap()
}

fn source<'a>(status: &'a Value, name: &str) -> &'a Value {
    let sources = status["sources"].as_array().unwrap();
    let found =
        sources.iter().find(|one| one["source"].as_str().is_some_and(|source| source.ends_with(name)));
    found.unwrap_or_else(|| panic!("no {name} in {sources:#?}"))
}

fn says_revoked(server: &Server, serial: &str) -> bool {
    let args = ["ocsp", "-CAfile", "ca.pem", "-issuer", "ca.pem", "-serial", serial, "-url", &server.url];
    run(server.dir(), "openssl", &args).out.contains("revoked")
}

fn metric(server: &Server, name: &str) -> f64 {
    let text = get(&format!("{}/metrics", server.admin)).text();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[test]
fn a_server_that_hangs_holds_up_neither_files_nor_the_end() {
    let web = Web::start(|_, _| Reply::Hang);
    let hanging = (0..12).map(|number| format!("{}/{number}.crl", web.url));
    let crls: Vec<String> = hanging.chain(["ca.crl".to_owned()]).collect();
    let pki = fetching(&crls, "timeout = \"5m\"");
    let next = pki.crl("next.crl", NEXT);
    let server = Server::start(pki.into_dir());
    assert!(!says_revoked(&server, "0x2002"));
    let visible = metric(&server, "crl_visible_seconds_count{issuer=\"test\"}");

    let start = Instant::now();
    std::fs::rename(server.path("next.crl"), server.path("ca.crl")).unwrap();
    wait_until(|| server.said(), || says_revoked(&server, "0x2002").then_some(()));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(!next.is_empty());
    // From the file's arrival to the answer, as the server saw it.
    assert!((metric(&server, "crl_visible_seconds_count{issuer=\"test\"}") - visible - 1.0).abs() < 0.1);
    let status = status(&server);
    assert!(source(&status, "ca.crl")["last_changed"].is_string(), "{status:#}");
    let asked = (0..12).filter(|number| !web.asked(&format!("/{number}.crl")).is_empty()).count();
    assert_eq!(asked, 8, "so many fetches at a time, and no more");

    let start = Instant::now();
    let (ended, _) = server.terminate();
    assert_eq!(ended.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

/// `file` of the PKI's folder, packed.
fn gzip(pki: &Pki, file: &str) -> Vec<u8> {
    let said = run(pki.dir(), "gzip", &["-kf", file]);
    assert_eq!(said.code, Some(0), "{said:?}");
    std::fs::read(pki.path(&format!("{file}.gz"))).unwrap()
}

#[test]
fn t31_bad_servers_are_told_by_name_and_good_ones_are_asked_no_more_than_they_must() {
    const GZIP: &str = "Content-Encoding: gzip\r\n";
    let scratch = Pki::new(crate::support::NAME);
    scratch.write("zeros", vec![0; 64 << 20]);
    let bomb = gzip(&scratch, "zeros");
    assert!(bomb.len() < 1 << 20, "it looks harmless: {}", bomb.len());
    // What /good.crl gives: its ETag and its octets.
    let good: Arc<Mutex<(String, Vec<u8>)>> = Arc::default();
    let given = Arc::clone(&good);
    let web = Web::start(move |path, head| match path {
        "/moved.crl" => Reply::with("301 Moved", "Location: /good.crl\r\n", b""),
        "/good.crl" => {
            let (etag, octets) = given.lock().unwrap().clone();
            if head.contains(&format!("if-none-match: {etag}")) {
                Reply::with("304 Not Modified", "", b"")
            } else {
                Reply::with("200 OK", &format!("ETag: {etag}\r\n{GZIP}"), &octets)
            }
        }
        "/file.crl" => Reply::with("302 Found", "Location: file:///etc/passwd\r\n", b""),
        "/round.crl" => Reply::with("302 Found", "Location: /round.crl\r\n", b""),
        "/bomb.crl" => Reply::with("200 OK", GZIP, &bomb),
        "/large.crl" => {
            Reply::Octets(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\nConnection: close\r\n\r\n0".into())
        }
        "/short.crl" => {
            Reply::Octets(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\nConnection: close\r\n\r\n0".into())
        }
        "/silent.crl" => Reply::Hang,
        "/page.crl" => Reply::with("200 OK", "", b"<html>Welcome</html>"),
        _ => Reply::with("503 Service Unavailable", "", b"sorry"),
    });
    let problems = [
        ("file.crl", "redirects to file:///etc/passwd, which is no http: or https: URL"),
        ("round.crl", "redirects more than 3 times"),
        ("bomb.crl", "over 1048576 octets"),
        ("large.crl", "over 1048576 octets"),
        ("short.crl", "cannot be read"),
        ("silent.crl", "no answer in time"),
        ("page.crl", "is not a CRL"),
        ("down.crl", "HTTP status 503"),
    ];
    let names = problems.iter().map(|(name, _)| *name).chain(["moved.crl"]);
    let crls: Vec<String> = names.map(|name| format!("{}/{name}", web.url)).collect();
    let pki = fetching(&crls, "every = \"1s\"\ntimeout = \"2s\"\nmax_size = \"1MiB\"");
    *good.lock().unwrap() = ("\"one\"".to_owned(), gzip(&pki, "ca.crl"));
    pki.crl("next.crl", NEXT);
    let next = gzip(&pki, "next.crl");

    // The command waits for all of them, and says the same.
    let said = ocsprey(pki.dir(), &["crl", "ingest", "--config", "ocsprey.toml"]);
    assert_eq!((said.code, said.errors().len()), (Some(1), problems.len()), "{said:#?}");
    assert!(said.out.contains("moved.crl"), "{said:#?}");

    let server = Server::start(pki.into_dir());
    assert!(says_revoked(&server, "0x1001"));
    for (name, problem) in problems {
        let why = || {
            let status = status(&server);
            source(&status, name)["problem"].as_str().filter(|why| why.contains(problem)).map(str::to_owned)
        };
        wait_until(|| format!("{name}: {problem}: {:#}\n{}", status(&server), server.said()), why);
    }
    let text = ocsprey(server.dir(), &["status", "--config", "ocsprey.toml"]);
    text.assert_says_one_of(&["PROBLEM: cannot be read: the server answered with HTTP status 503"], "status");
    let shown = status(&server);
    let moved = source(&shown, "moved.crl");
    assert!(moved["problem"].is_null() && moved["last_tried"].is_string(), "{moved:#}");
    assert!(moved["next_try"].is_string(), "{moved:#}");

    let unchanged = || web.asked("/good.crl").iter().filter(|head| head.contains("if-none-match")).count();
    wait_until(|| format!("{:#?}", web.asked("/good.crl")), || (unchanged() >= 2).then_some(()));
    *good.lock().unwrap() = ("\"two\"".to_owned(), next);
    wait_until(|| server.said(), || says_revoked(&server, "0x2002").then_some(()));
    // A server in trouble is asked less and less often: not once a second.
    let (down, well) = (web.asked("/down.crl").len(), web.asked("/good.crl").len());
    assert!(down < well, "{down} questions to the one that fails, {well} to the one that does not");
}
