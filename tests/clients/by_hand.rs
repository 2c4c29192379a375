//! What persons do to the CRLs of a running server: drop a scope, take a CRL back. True for every answer of every
//! tier, at once.

use crate::records::Asking;
use crate::support::{Crl, Pki, Said, Server, get, ocsprey, run, wait_until};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// When everything is revoked here, as an answer says it.
const REVOKED: &[u8] = b"20231101000000Z";

const A: &str = "http://crl.example/a";
const B: &str = "http://crl.example/b";

/// Two partitions in a watched folder: 1001 for good and 2002 on hold in the one, 3003 in the other. Answers are signed
/// beforehand.
fn partitioned() -> Pki {
    let pki = Pki::served();
    fs::create_dir(pki.path("crl")).unwrap();
    let entries = &[("1001", "keyCompromise"), ("2002", "certificateHold")][..];
    pki.crl("crl/a.crl", Crl { extensions: "partition_a", entries, ..Crl::CURRENT });
    let entries = &[("3003", "superseded")][..];
    pki.crl("crl/b.crl", Crl { extensions: "partition_b", entries, ..Crl::CURRENT });
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    let text = text.replace("\"ca.crl\"", "\"crl/\"");
    pki.write("ocsprey.toml", format!("[response]\npresign = [\"sha1\"]\n{text}"));
    pki
}

/// A request about one serial number, as openssl writes it.
pub fn request(dir: &Path, serial: &str, options: &[&str]) -> Vec<u8> {
    let args = ["ocsp", "-issuer", "ca.pem", "-serial", serial, "-reqout", "request.der"];
    let said = run(dir, "openssl", &[&args[..], options].concat());
    assert_eq!(said.code, Some(0), "{said:#?}");
    fs::read(dir.join("request.der")).unwrap()
}

/// Whether a whole answer (and no error status) says revoked.
pub fn says_revoked(answer: &[u8]) -> bool {
    assert!(answer.len() > 100 && answer[4..7] == [0x0a, 1, 0], "an error status");
    answer.windows(REVOKED.len()).any(|octets| octets == REVOKED)
}

fn status(server: &Server) -> Value {
    serde_json::from_slice(&get(&format!("{}/api/v1/status", server.admin)).body).unwrap()
}

fn by_admin(server: &Server, words: &[&str]) -> Said {
    ocsprey(server.dir(), &[&["crl"], words, &["--admin", &server.admin, "--issuer", "test"]].concat())
}

fn fails_with(said: &Said, words: &str) {
    assert_eq!((said.code, said.errors().len()), (Some(1), 1), "{said:#?}");
    assert!(said.err.contains(words), "no {words}: {said:#?}");
}

/// What threads saw that asked without a pause: about these serial numbers, by POST without and with a nonce, and by GET.
struct Watch<'a> {
    server: &'a Server,
    over: AtomicBool,
}

impl Watch<'_> {
    /// Asks until it is over; whether each answer said revoked, in order.
    fn ask(&self, request: &[u8], by_get: bool) -> Vec<bool> {
        let mut asking = Asking::of(self.server);
        let mut saw = Vec::new();
        while !self.over.load(Ordering::SeqCst) {
            let answer = if by_get { asking.get(request) } else { asking.post(request) };
            saw.push(says_revoked(&answer.unwrap()));
        }
        saw
    }
}

/// Ends the watch, also where an assertion fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Asks about `serials` from many connections while `act` runs, and asserts of each connection that what it saw changed
/// from the first truth to the second once, or not at all.
fn while_asked<T>(server: &Server, serials: &[(&str, [bool; 2])], act: impl FnOnce() -> T) -> T {
    let requests: Vec<_> = serials
        .iter()
        .flat_map(|(serial, truth)| {
            let plain = request(server.dir(), serial, &["-no_nonce"]);
            let fresh = request(server.dir(), serial, &["-nonce"]);
            [(plain.clone(), false, *truth), (plain, true, *truth), (fresh, false, *truth)]
        })
        .collect();
    let watch = Watch { server, over: AtomicBool::new(false) };
    let result = std::thread::scope(|scope| {
        let watching: Vec<_> = requests
            .iter()
            .map(|(request, by_get, truth)| (scope.spawn(|| watch.ask(request, *by_get)), truth))
            .collect();
        let ending = Ending(&watch.over);
        let asked = || get(&format!("{}/metrics", server.admin)).text();
        wait_until(asked, || served(server).ge(&300).then_some(()));
        let result = act();
        let after = served(server);
        wait_until(asked, || served(server).ge(&(after + 300)).then_some(()));
        drop(ending);
        for (watching, [before, after]) in watching {
            let saw = watching.join().unwrap();
            let turned = saw.iter().position(|one| one != before).unwrap_or(saw.len());
            assert!(saw[turned..].iter().all(|one| one == after), "{saw:?}");
        }
        result
    });
    // Whoever asks now, asks after the order was reported.
    for (request, by_get, [_, after]) in &requests {
        let mut asking = Asking::of(server);
        let answer = if *by_get { asking.get(request) } else { asking.post(request) };
        assert_eq!(says_revoked(&answer.unwrap()), *after);
    }
    result
}

/// Answers about certificates so far.
fn served(server: &Server) -> u64 {
    let text = get(&format!("{}/metrics", server.admin)).text();
    let of = |result: &str| {
        let head = format!("ocsp_requests_total{{issuer=\"test\",result=\"{result}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&head)?.parse::<u64>().ok()).unwrap()
    };
    of("good") + of("revoked")
}

#[test]
fn a_scope_is_dropped_from_a_running_server_and_every_answer_is_true_at_once() {
    let pki = partitioned();
    for command in
        [&["crl", "ingest", "--config", "ocsprey.toml"][..], &["presign", "--config", "ocsprey.toml"]]
    {
        let said = ocsprey(pki.dir(), command);
        assert_eq!(said.code, Some(0), "{said:#?}");
    }
    let server = Server::start(pki.into_dir());
    let beside = ["crl", "drop", "--config", "ocsprey.toml", "--issuer", "test", "--scope", A];
    fails_with(&ocsprey(server.dir(), &beside), "--admin URL");
    fails_with(
        &by_admin(&server, &["drop", "--scope", "nowhere", "--force"]),
        "no CRL of this scope is held",
    );
    let elsewhere = ["crl", "drop", "--admin", &server.admin, "--issuer", "nobody", "--scope", A];
    fails_with(&ocsprey(server.dir(), &elsewhere), "there is no issuer \"nobody\"");
    let truths = [("0x1001", [true, true]), ("0x2002", [true, true]), ("0x4004", [false, false])];
    while_asked(&server, &truths, || {
        fails_with(&by_admin(&server, &["drop", "--scope", A]), "1 certificates on hold would be released");
    });
    assert_eq!(status(&server)["interventions"].as_array().unwrap().len(), 0);

    let truths = [("0x1001", [true, true]), ("0x2002", [true, false]), ("0x3003", [true, true])];
    let said = while_asked(&server, &truths, || by_admin(&server, &["drop", "--scope", A, "--force"]));
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.out.contains("retired; 1 permanent revocations are kept, 1 holds released"), "{said:#?}");
    assert!(said.out.contains("crl/a.crl: its CRL is refused from now on"), "{said:#?}");

    // Told wherever somebody looks; and its file, which still lies there, today and not after the next restart.
    let shown = wait_until(
        || format!("{:#}", status(&server)),
        || Some(status(&server)).filter(|shown| !shown["quarantine"].as_array().unwrap().is_empty()),
    );
    assert_eq!(shown["interventions"][0]["what"], "dropped", "{shown:#}");
    assert!(shown["quarantine"][0]["source"].as_str().unwrap().ends_with("crl/a.crl"), "{shown:#}");
    assert_eq!(shown["issuers"][0]["missing"].as_array().unwrap().len(), 0, "{shown:#}");
    let scopes = shown["issuers"][0]["scopes"].as_array().unwrap();
    let retired: Vec<bool> = scopes.iter().map(|scope| scope["retired"].as_bool().unwrap()).collect();
    assert_eq!(retired, [true, false], "{shown:#}");
    let metrics = get(&format!("{}/metrics", server.admin)).text();
    assert!(metrics.contains("crl_interventions_total{issuer=\"test\",kind=\"dropped\"} 1\n"), "{metrics}");
    assert!(metrics.contains("crl_scopes{issuer=\"test\"} 1\n"), "{metrics}");
    assert!(server.said().contains("a CRL scope was dropped by hand"), "{}", server.said());
    let text = ocsprey(server.dir(), &["status", "--admin", &server.admin]).out;
    assert!(text.contains("done by hand\n  dropped "), "{text}");

    // Nothing is left to answer from without the last one; and what was done outlives the process.
    fails_with(&by_admin(&server, &["drop", "--scope", B]), "it is the last scope");
    let (_, dir) = server.terminate();
    fs::remove_file(dir.path().join("crl/a.crl")).unwrap();
    let said = ocsprey(dir.path(), &["status", "--config", "ocsprey.toml", "--scopes"]);
    assert!(said.out.contains("done by hand\n  dropped ") && said.out.contains("retired "), "{said:#?}");
    let server = Server::start(dir);
    while_asked(&server, &truths.map(|(serial, [_, after])| (serial, [after; 2])), || {});
}

#[test]
fn a_scope_is_dropped_from_a_store_at_rest_with_the_same_words() {
    let pki = partitioned();
    let ocsprey_in = |args: &[&str]| ocsprey(pki.dir(), args);
    assert_eq!(ocsprey_in(&["crl", "ingest", "--config", "ocsprey.toml"]).code, Some(0));
    let drop = ["crl", "drop", "--config", "ocsprey.toml", "--issuer", "test", "--scope", A];
    fails_with(&ocsprey_in(&drop), "1 certificates on hold would be released");
    let said = ocsprey_in(&[&drop[..], &["--force", "--json"]].concat());
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let told = ["issuer", "scope", "outcome"].map(|key| report[key].as_str().unwrap());
    assert_eq!(told, ["test", A, "dropped"], "{report:#}");
    assert_eq!((report["kept"].as_u64(), report["released"].as_u64()), (Some(1), Some(1)), "{report:#}");
    assert_eq!(report["retired"][0]["is"], "the newest key", "{report:#}");
    assert_eq!(report["staying"].as_array().unwrap().len(), 0, "{report:#}");
    fails_with(&ocsprey_in(&drop), "no CRL of this scope is held");
}

/// A copy of the store, or a CRL that is forced, is a reason for one; so there is always a way back.
#[test]
fn a_crl_is_taken_back_from_a_running_server_and_every_answer_is_true_at_once() {
    let pki = partitioned();
    // By mistake: it releases the hold and revokes others.
    let mistaken = &[("1001", "keyCompromise"), ("4004", "superseded")][..];
    let mistake = Crl { number: "06", extensions: "partition_a", entries: mistaken, ..Crl::CURRENT };
    pki.crl("six.crl", mistake);
    pki.crl("seven.crl", Crl { number: "07", ..mistake });
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    pki.write("ocsprey.toml", text.replace("[store]", "[store]\nbackups = \"backups\""));
    for command in
        [&["crl", "ingest", "--config", "ocsprey.toml"][..], &["presign", "--config", "ocsprey.toml"]]
    {
        assert_eq!(ocsprey(pki.dir(), command).code, Some(0));
    }
    let server = Server::start(pki.into_dir());
    assert_eq!(
        ocsprey(server.dir(), &["store", "backup", "--admin", &server.admin, "--to", "first"]).code,
        Some(0)
    );
    // The copy that was made at the start has the CRLs that are held.
    fails_with(&by_admin(&server, &["rollback"]), "no copy of the store is from before");
    fails_with(&by_admin(&server, &["rollback", "--from", "first"]), "the copy has the CRL that is held");
    fails_with(&by_admin(&server, &["rollback", "--from", "second"]), "there is none yet");
    fails_with(&by_admin(&server, &["rollback", "--from", "../data"]), "name a folder below store.backups");
    let beside = ["crl", "rollback", "--config", "ocsprey.toml", "--issuer", "test"];
    fails_with(&ocsprey(server.dir(), &beside), "--admin URL");

    let number = |server: &Server| {
        let shown = status(server);
        let scopes = shown["issuers"][0]["scopes"].as_array().unwrap().clone();
        let a = scopes.into_iter().find(|scope| scope["distribution_point"] == A).unwrap();
        a["crl_number"].as_str().unwrap().to_owned()
    };
    fs::copy(server.path("six.crl"), server.path("crl/.a.crl.part")).unwrap();
    fs::rename(server.path("crl/.a.crl.part"), server.path("crl/a.crl")).unwrap();
    wait_until(|| format!("{:#}", status(&server)), || (number(&server) == "6").then_some(()));

    let truths = [
        ("0x1001", [true, true]),
        ("0x2002", [false, true]),
        ("0x4004", [true, false]),
        ("0x3003", [true, true]),
    ];
    let said = while_asked(&server, &truths, || by_admin(&server, &["rollback", "--scope", A]));
    assert_eq!(said.code, Some(0), "{said:#?}");
    for words in [
        "the CRL number 6 of",
        "in force is the CRL number 5 of",
        "1 revocations went, 1 came back, 0 changed",
        "crl/a.crl: its CRL is refused from now on",
    ] {
        assert!(said.out.contains(words), "no {words}: {said:#?}");
    }
    // It still lies in the watched folder: refused and told, and in force is what was.
    let shown = wait_until(
        || format!("{:#}", status(&server)),
        || Some(status(&server)).filter(|shown| !shown["quarantine"].as_array().unwrap().is_empty()),
    );
    assert!(
        shown["quarantine"][0]["reason"].as_str().unwrap().contains("was taken back by hand"),
        "{shown:#}"
    );
    assert_eq!((number(&server).as_str(), &shown["interventions"][0]["what"]), ("5", &"rolled back".into()));
    let metrics = get(&format!("{}/metrics", server.admin)).text();
    assert!(
        metrics.contains("crl_interventions_total{issuer=\"test\",kind=\"rolled_back\"} 1\n"),
        "{metrics}"
    );
    assert!(server.said().contains("a CRL was taken back by hand"), "{}", server.said());

    // After kill -9 the same; and the next one of the CA is judged as always.
    let server = Server::start(server.kill());
    while_asked(&server, &truths.map(|(serial, [_, after])| (serial, [after; 2])), || {});
    assert_eq!(number(&server), "5");
    let said = ocsprey(server.dir(), &["crl", "ingest", "--admin", &server.admin, "seven.crl"]);
    assert_eq!((said.code, number(&server).as_str()), (Some(0), "7"), "{said:#?}");

    // A drop that was forced is taken back, too; and its file, which stood refused, is as good as before.
    fs::copy(server.path("seven.crl"), server.path("crl/.a.crl.part")).unwrap();
    fs::rename(server.path("crl/.a.crl.part"), server.path("crl/a.crl")).unwrap();
    let is_well = |server: &Server| {
        let shown = status(server);
        let [refused, missing] = [&shown["quarantine"], &shown["issuers"][0]["missing"]]
            .map(|list| list.as_array().unwrap().is_empty());
        refused && missing
    };
    wait_until(|| format!("{:#}", status(&server)), || is_well(&server).then_some(()));
    let said = by_admin(&server, &["drop", "--scope", A, "--force"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    wait_until(|| format!("{:#}", status(&server)), || (!is_well(&server)).then_some(()));
    let said = by_admin(&server, &["rollback", "--scope", A]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.out.contains("its end was taken back; in force is the CRL number 7 of"), "{said:#?}");
    assert_eq!(number(&server), "7");
    wait_until(|| format!("{:#}", status(&server)), || is_well(&server).then_some(()));
}

/// One process writes a store. Who comes second is told what to do instead, and has changed nothing.
#[test]
fn every_command_that_would_write_the_store_of_a_running_server_says_what_to_do_instead() {
    let server = Server::start(partitioned().into_dir());
    let before = status(&server)["issuers"].clone();
    fs::write(server.path("issued.txt"), "1001\n").unwrap();
    for (command, instead) in [
        (&["serve"][..], "each server has a store of its own"),
        (&["crl", "ingest"], "--admin URL"),
        (&["crl", "drop", "--issuer", "test", "--scope", A, "--force"], "--admin URL"),
        (&["crl", "rollback", "--issuer", "test"], "--admin URL"),
        (&["inventory", "load", "--issuer", "test", "issued.txt"], "reload the server"),
        (&["presign"], "by itself"),
        (&["store", "backup", "--to", "here"], "--admin URL"),
        (&["store", "restore", "--from", "crl", "--replace"], "there is no backup"),
        (&["drill", "--issuer", "test"], "--from DIR"),
    ] {
        let said = ocsprey(server.dir(), &[command, &["--config", "ocsprey.toml"]].concat());
        fails_with(&said, instead);
        assert!(
            command.contains(&"restore") || said.err.contains("another ocsprey process has it open"),
            "{said:#?}"
        );
    }
    // And who only reads is not kept out.
    for command in [&["status"][..], &["store", "verify"], &["crl", "ingest", "--dry-run"], &["check"]] {
        let said = ocsprey(server.dir(), &[command, &["--config", "ocsprey.toml"]].concat());
        assert_eq!(said.code, Some(0), "{said:#?}");
    }
    assert_eq!(status(&server)["issuers"], before);
}
