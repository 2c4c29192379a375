//! kill -9 while a CRL comes in, or is taken back: the next start knows the old CRL or the new one, whole, and takes the
//! new one when it comes again. `make soak` does the same to a nation's publications, at random moments.

use crate::support::{Crl, Pki, Server, get, ocsprey, post, run};
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Instant;

/// Entries of the first CRL, and those that each later one has more: work for some tens of milliseconds.
const FIRST: u32 = 10_000;
const MORE: u32 = 5_000;
const ROUNDS: u32 = 3;

fn serial(n: u32) -> String {
    format!("{:06X}", 0x10_0000 + n)
}

/// `0.crl` to `3.crl`, each an hour and some thousand entries after the one before; `crl/` is watched and empty.
fn publications() -> Pki {
    let pki = Pki::served();
    let serials: Vec<String> = (0..FIRST + ROUNDS * MORE).map(serial).collect();
    let entries: Vec<(&str, &str)> =
        serials.iter().map(|serial| (serial.as_str(), "keyCompromise")).collect();
    for round in 0..=ROUNDS {
        let (number, this_update) = (format!("{:02X}", 5 + round), format!("20240101{round:02}0000Z"));
        let entries = &entries[..(FIRST + round * MORE) as usize];
        pki.crl(
            &format!("{round}.crl"),
            Crl { number: &number, this_update: &this_update, entries, ..Crl::CURRENT },
        );
    }
    fs::create_dir(pki.path("crl")).unwrap();
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    pki.write("ocsprey.toml", text.replace("\"ca.crl\"", "\"crl/\""));
    pki
}

/// Whether each of these is revoked, by one signed answer.
fn are_revoked(server: &Server, serials: &[u32]) -> Vec<bool> {
    let mut args =
        vec!["ocsp".to_owned(), "-CAfile".into(), "ca.pem".into(), "-issuer".into(), "ca.pem".into()];
    args.extend(["-url".into(), server.url.clone()]);
    for n in serials {
        args.extend(["-serial".into(), format!("0x{}", serial(*n))]);
    }
    let said = run(server.dir(), "openssl", &args);
    said.assert_says_one_of(&["Response verify OK"], "the answer");
    let word = |n: &u32| {
        let head = format!("0x{}: ", serial(*n));
        let line = said.out.lines().find_map(|line| line.strip_prefix(&head));
        line.unwrap_or_else(|| panic!("nothing of {head} in {said:#?}")).to_owned()
    };
    serials.iter().map(|n| word(n) == "revoked").collect()
}

fn crl_number(server: &Server) -> u64 {
    let page = get(&format!("{}/api/v1/status", server.admin));
    let status: serde_json::Value = serde_json::from_slice(&page.body).unwrap();
    status["issuers"][0]["scopes"][0]["crl_number"].as_str().unwrap().parse().unwrap()
}

#[test]
fn kill_9_while_a_crl_comes_in_leaves_the_old_one_or_the_new_one() {
    let pki = publications();
    let crls: Vec<Vec<u8>> =
        (0..=ROUNDS).map(|round| fs::read(pki.path(&format!("{round}.crl"))).unwrap()).collect();
    let begin = Instant::now();
    let said = ocsprey(pki.dir(), &["crl", "ingest", "--config", "ocsprey.toml", "0.crl"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    let took = begin.elapsed();
    let mut server = Server::start(pki.into_dir());
    for (round, crl) in (1..).zip(&crls[1..]) {
        let admin = server.admin.trim_start_matches("http://").to_owned();
        let mut submitting = TcpStream::connect(&admin).unwrap();
        let head =
            format!("POST /api/v1/crls HTTP/1.1\r\nHost: {admin}\r\nContent-Length: {}\r\n\r\n", crl.len());
        submitting.write_all(head.as_bytes()).unwrap();
        submitting.write_all(crl).unwrap();
        // Early, in the middle, late: what it hits is left to chance, and every outcome is a right one or not.
        std::thread::sleep(took * round / (2 * ROUNDS));
        server = Server::start(server.kill());

        let (old, new) = (FIRST + (round - 1) * MORE, FIRST + round * MORE);
        let states = are_revoked(&server, &[0, old - 1, old, new - 1, new]);
        let is_new = states[2];
        assert_eq!(states, [true, true, is_new, is_new, false], "after round {round}");
        assert_eq!(crl_number(&server), u64::from(5 + round) - u64::from(!is_new));

        let again = post(&format!("{}/api/v1/crls", server.admin), "application/pkix-crl", crl);
        assert_eq!(again.status, 200, "{}", again.text());
        let outcome = if is_new { "unchanged" } else { "applied" };
        assert!(again.text().contains(outcome), "{outcome}: {}", again.text());
        assert_eq!(are_revoked(&server, &[0, old, new - 1, new]), [true, true, true, false]);
    }
}

/// What is taken back is another CRL than the one in force, thousands of entries away; killed in the middle it is the
/// one or the other, and the same order again does it.
#[test]
fn kill_9_while_a_crl_is_taken_back_leaves_the_one_or_the_other() {
    let pki = publications();
    let crls: Vec<Vec<u8>> =
        (0..=ROUNDS).map(|round| fs::read(pki.path(&format!("{round}.crl"))).unwrap()).collect();
    let begin = Instant::now();
    assert_eq!(ocsprey(pki.dir(), &["crl", "ingest", "--config", "ocsprey.toml", "0.crl"]).code, Some(0));
    let took = begin.elapsed();
    let mut server = Server::start(pki.into_dir());
    let order = "{\"issuer\": \"test\"}";
    for (round, crl) in (1..).zip(&crls[1..]) {
        // Forced, so that the store is copied before it; the copy has the first CRL.
        let forced = format!("{}/api/v1/crls?force=1", server.admin);
        let taken = post(&forced, "application/pkix-crl", crl);
        assert_eq!(taken.status, 200, "{}", taken.text());
        let admin = server.admin.trim_start_matches("http://").to_owned();
        let mut ordering = TcpStream::connect(&admin).unwrap();
        let head = "POST /api/v1/crls/rollback HTTP/1.1\r\nContent-Type: application/json";
        let length = order.len();
        let request = format!("{head}\r\nHost: {admin}\r\nContent-Length: {length}\r\n\r\n{order}");
        ordering.write_all(request.as_bytes()).unwrap();
        std::thread::sleep(took * round / (2 * ROUNDS));
        server = Server::start(server.kill());

        let last = FIRST + round * MORE;
        let states = are_revoked(&server, &[0, FIRST - 1, FIRST, last - 1, last]);
        let is_held = states[2];
        assert_eq!(states, [true, true, is_held, is_held, false], "after round {round}");
        assert_eq!(crl_number(&server), if is_held { u64::from(5 + round) } else { 5 });
        let again =
            post(&format!("{}/api/v1/crls/rollback", server.admin), "application/json", order.as_bytes());
        assert_eq!(again.status, if is_held { 200 } else { 422 }, "{}", again.text());
        assert_eq!(crl_number(&server), 5);
        assert_eq!(are_revoked(&server, &[0, FIRST - 1, FIRST, last - 1]), [true, true, false, false]);
        let verified = ocsprey(server.dir(), &["store", "verify", "--config", "ocsprey.toml"]);
        assert_eq!(verified.code, Some(0), "{verified:#?}");
    }
}
