//! What is counted of registered verifiers, against their own counts: to the unit after SIGTERM, and after kill -9 but
//! for the last second.

use crate::client::{Client, Shown};
use crate::lab::{Lab, issue};
use crate::support::{Server, ocsprey};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const VERIFIERS: usize = 25;

/// Verifier, on whose behalf, issuer, result.
type Kind = (String, String, String, String);
type Counts = BTreeMap<Kind, u64>;

fn lab() -> Lab {
    let sections =
        "[verifiers]\nregistry = \"verifiers.toml\"\non_behalf_of = \"OCSP-On-Behalf-Of\"\n[usage]\n";
    Lab::prepared("", sections, |dir, pki| {
        let entry = |number: usize| {
            let id = format!("verifier-{number}");
            issue(pki, &id);
            format!(
                "[[verifier]]\nid = \"{id}\"\nrights = \"*\"\nmay_name_others = true\n\
                 client_certificates = {{ issuer = \"CN=Verifiers' CA\", subject = \"CN={id}\" }}\n"
            )
        };
        std::fs::write(dir.join("verifiers.toml"), (0..VERIFIERS).map(entry).collect::<String>()).unwrap();
    })
}

/// What a request is about, and what is counted of its answer.
struct Question {
    request: Vec<u8>,
    counted: Vec<(&'static str, &'static str)>,
}

fn questions(lab: &Lab) -> Vec<Question> {
    const AUTH: &str = "user-authentication";
    let several =
        ["-no_nonce", "-cert", "auth-revoked.pem", "-cert", "auth-unissued.pem", "-cert", "auth-hold.pem"];
    let of = |request: Vec<u8>, counted: &[(&'static str, &'static str)]| Question {
        request,
        counted: counted.into(),
    };
    vec![
        of(lab.request("auth-good"), &[(AUTH, "good")]),
        of(lab.request("auth-revoked"), &[(AUTH, "revoked")]),
        of(lab.request_with("sign-hold", &["-nonce"]), &[("digital-signature", "revoked")]),
        of(
            lab.request_with("auth-good", &several),
            &[(AUTH, "good"), (AUTH, "revoked"), (AUTH, "unknown"), (AUTH, "revoked")],
        ),
        of(b"\x30\x00".to_vec(), &[("-", "malformed_request")]),
    ]
}

/// What one verifier asked, each answer with its moment; and what it asked last, if no answer came.
struct Asked {
    answers: Vec<(Instant, Vec<Kind>)>,
    open: Vec<Kind>,
}

/// Asks one question after the other, with and without names, until it is told to leave off or is cut off.
fn ask(
    lab: (&Shown<'_>, u16),
    number: usize,
    questions: &[Question],
    until: impl Fn(usize) -> bool,
) -> Asked {
    let (shown, port) = lab;
    let id = format!("verifier-{number}");
    let mut client = Client::connect(port, shown, &[]).unwrap();
    let mut asked = Asked { answers: Vec::new(), open: Vec::new() };
    for round in 0.. {
        let question = &questions[(round + number) % questions.len()];
        // Every seventh is on nobody's behalf; two verifiers may name the same office.
        let name = (round % 7 != 0).then(|| format!("office-{}", (round * 3 + number) % 40));
        let headers = name.as_ref().map(|name| format!("OCSP-On-Behalf-Of: {name}\r\n")).unwrap_or_default();
        let name = name.unwrap_or_default();
        let kind = |(issuer, result): &(&str, &str)| match *issuer {
            // What is no request is told so before anybody looks who sent it.
            "-" => ("-".to_owned(), String::new(), "-".to_owned(), (*result).to_owned()),
            issuer => (id.clone(), name.clone(), issuer.to_owned(), (*result).to_owned()),
        };
        let kinds: Vec<Kind> = question.counted.iter().map(kind).collect();
        if until(round) {
            break;
        }
        if client.try_ask(&question.request, &headers).is_err() {
            asked.open = kinds;
            break;
        }
        asked.answers.push((Instant::now(), kinds));
    }
    asked
}

/// All verifiers at once.
fn ask_all(
    pki: &crate::support::Pki,
    port: u16,
    questions: &[Question],
    until: impl Fn(usize) -> bool + Sync,
    meanwhile: impl FnOnce(),
) -> Vec<Asked> {
    let until = &until;
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..VERIFIERS)
            .map(|number| {
                scope.spawn(move || {
                    let name = format!("verifier-{number}");
                    ask((&Shown { pki, name: Some(&name) }, port), number, questions, until)
                })
            })
            .collect();
        meanwhile();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn add<'a>(counts: &mut Counts, kinds: impl Iterator<Item = &'a Kind>) {
    for kind in kinds {
        *counts.entry(kind.clone()).or_default() += 1;
    }
}

fn reported(dir: &Path) -> Counts {
    let args = ["usage", "report", "--config", "ocsprey.toml", "--format", "json"];
    let said = ocsprey(dir, &[&args[..], &["--from", "2020-01-01", "--to", "2099-12-31"]].concat());
    assert_eq!(said.code, Some(0), "{said:#?}");
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let line = |line: &serde_json::Value| {
        let word = |key: &str| line[key].as_str().unwrap().to_owned();
        let kind = (word("verifier"), word("on_behalf_of"), word("issuer"), word("result"));
        (kind, line["count"].as_u64().unwrap())
    };
    report["lines"].as_array().unwrap().iter().map(line).collect()
}

/// A second, to whoever has the machine to himself. Here ten thousand connections are opened beside it, and a thread
/// that nobody gives a core to hands nothing over.
const AT_RISK: Duration = Duration::from_secs(3);

#[test]
fn usage_of_25_verifiers_and_40_offices_is_their_own_counts_to_the_unit_and_after_kill_9_but_for_the_last() {
    let lab = lab();
    let questions = questions(&lab);
    let (port, Lab { server, verifiers, .. }) = (lab.port, lab);
    let asked = ask_all(&verifiers, port, &questions, |round| round == 400, || ());
    let mut expected = Counts::new();
    for one in &asked {
        assert_eq!(one.answers.len(), 400);
        add(&mut expected, one.answers.iter().flat_map(|(_, kinds)| kinds));
    }
    let (status, dir) = server.terminate();
    assert_eq!(status.code(), Some(0));
    let told = reported(dir.path());
    assert!(told.len() > 1000, "{}", told.len());
    assert_eq!(told, expected);

    // The same once more, and killed in the middle of it.
    let mut disk = tempfile::tempfile_in(dir.path()).unwrap();
    let server = Server::start(dir);
    let (began, is_over) = (Instant::now(), AtomicBool::new(false));
    let mut ended = None;
    let asked = ask_all(
        &verifiers,
        port,
        &questions,
        |_| is_over.load(Ordering::Relaxed),
        || {
            // Counts wait for the disk, which takes seconds at times where it is shared: once for what is being synced,
            // once more for what came meanwhile.
            let mut at_risk = AT_RISK;
            while began.elapsed() < at_risk + Duration::from_secs(3) {
                std::thread::sleep(Duration::from_millis(20));
                let before = Instant::now();
                disk.write_all(b"counts").unwrap();
                disk.sync_data().unwrap();
                at_risk = at_risk.max(AT_RISK + 2 * before.elapsed());
            }
            ended = Some((Instant::now(), at_risk, server.kill()));
            is_over.store(true, Ordering::Relaxed);
        },
    );
    let (killed, at_risk, dir) = ended.unwrap();
    let long_ago = killed.checked_sub(at_risk).unwrap();
    let (mut surely, mut at_most) = (expected.clone(), expected);
    let mut answers = 0;
    for one in &asked {
        answers += one.answers.len();
        let older = one.answers.iter().filter(|(at, _)| *at < long_ago);
        add(&mut surely, older.flat_map(|(_, kinds)| kinds));
        add(&mut at_most, one.answers.iter().flat_map(|(_, kinds)| kinds).chain(&one.open));
    }
    let told = reported(dir.path());
    for (kind, count) in &told {
        let most = at_most.get(kind).copied().unwrap_or(0);
        assert!(*count <= most, "{kind:?}: {count} are counted, {most} were asked");
    }
    for (kind, least) in &surely {
        let count = told.get(kind).copied().unwrap_or(0);
        assert!(count >= *least, "{kind:?}: {count} are counted, {least} were answered long before");
    }
    let sum = |counts: &Counts| counts.values().sum::<u64>();
    eprintln!(
        "{answers} answers until kill -9; counted {}, sent {}, answered long before {}",
        sum(&told),
        sum(&at_most),
        sum(&surely)
    );
    assert!(answers > 1000, "{answers}");
}
