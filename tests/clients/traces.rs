//! Traces of ingest: what a collector gets, that no card is in it, and that ingest does not care what becomes of it.

use crate::support::{Crl, Pki, Reply, Server, Web, free_port, get, ocsprey, post, run, wait_until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Of a card: nowhere in what leaves, in whatever notation.
const SERIAL: &str = "5A17C0DE00112233445566778899AABB";
const SERIAL_DECIMAL: &str = "119753854259705422129304948934079785659";

const NEXT: Crl<'static> = Crl { number: "06", entries: &[(SERIAL, "superseded")], ..Crl::CURRENT };

/// A collector: its answer to all that comes, and what came, less what it did not take.
struct Collector {
    url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// Said instead of 200.
    refusal: Option<&'static str>,
    refused: Vec<Vec<u8>>,
    taken: Vec<Vec<u8>>,
}

impl Collector {
    fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Seen { refusal, ..Seen::default() }));
        let collected = Arc::clone(&seen);
        std::thread::spawn(move || {
            listener.incoming().map_while(Result::ok).for_each(|stream| collect(stream, &collected));
        });
        Self { url, seen }
    }

    fn bodies(&self) -> Vec<Vec<u8>> {
        self.seen.lock().unwrap().taken.clone()
    }

    fn traces(&self) -> Vec<Trace> {
        traces(&self.bodies())
    }

    /// Waits for so many of those that `is_meant`.
    fn wait_for(&self, count: usize, is_meant: fn(&Trace) -> bool, server: &Server) -> Vec<Trace> {
        let describe = || format!("{count} traces: {:#?}\n{}", self.traces(), server.said());
        let meant = || self.traces().into_iter().filter(is_meant).collect::<Vec<_>>();
        wait_until(describe, || Some(meant()).filter(|traces| traces.len() >= count))
    }
}

fn collect(mut stream: TcpStream, seen: &Mutex<Seen>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let head: Vec<String> =
        reader.by_ref().lines().map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
    let head = head.join("\n").to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\n"), "{head}");
    assert!(head.contains("\ncontent-type: application/json"), "{head}");
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let mut seen = seen.lock().unwrap();
    let status = seen.refusal.unwrap_or("200 OK");
    let to = if seen.refusal.is_some() { &mut seen.refused } else { &mut seen.taken };
    to.push(body);
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
}

#[derive(Debug, Clone)]
struct Span {
    id: String,
    parent: Option<String>,
    name: String,
    kind: u64,
    began: u128,
    ended: u128,
    attributes: BTreeMap<String, String>,
    is_failed: bool,
}

/// The root first.
type Trace = Vec<Span>;

/// What stands in the requests, by the rules of OTLP's JSON.
fn traces(bodies: &[Vec<u8>]) -> Vec<Trace> {
    let mut traces: Vec<(String, Trace)> = Vec::new();
    for body in bodies {
        let request: Value = serde_json::from_slice(body).unwrap();
        let of_all = &request["resourceSpans"][0];
        let about = attributes(&of_all["resource"]["attributes"]);
        assert_eq!(about["service.name"], "ocsprey");
        assert!(!about["service.version"].is_empty() && !about["host.name"].is_empty(), "{about:?}");
        for span in of_all["scopeSpans"][0]["spans"].as_array().unwrap() {
            let trace = hexadecimal(&span["traceId"], 32);
            let span = Span {
                id: hexadecimal(&span["spanId"], 16),
                parent: span.get("parentSpanId").map(|parent| hexadecimal(parent, 16)),
                name: span["name"].as_str().unwrap().to_owned(),
                kind: span["kind"].as_u64().unwrap(),
                began: span["startTimeUnixNano"].as_str().unwrap().parse().unwrap(),
                ended: span["endTimeUnixNano"].as_str().unwrap().parse().unwrap(),
                attributes: attributes(&span["attributes"]),
                is_failed: span["status"]["code"] == 2,
            };
            match traces.iter_mut().find(|(id, _)| *id == trace) {
                Some((_, spans)) => spans.push(span),
                None => traces.push((trace, vec![span])),
            }
        }
    }
    traces.into_iter().map(|(_, spans)| spans).collect()
}

fn hexadecimal(id: &Value, digits: usize) -> String {
    let id = id.as_str().unwrap();
    assert!(id.len() == digits && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    id.to_owned()
}

fn attributes(list: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| match value.as_object().unwrap().iter().next().unwrap() {
        (kind, Value::String(text)) if kind == "stringValue" || kind == "intValue" => text.clone(),
        (kind, Value::Bool(truth)) if kind == "boolValue" => truth.to_string(),
        other => panic!("{other:?}"),
    };
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|one| (one["key"].as_str().unwrap().to_owned(), text(&one["value"]))).collect()
}

/// Its steps, after looking whether it is a tree of two floors and the steps follow one another.
fn steps(trace: &Trace) -> Vec<&str> {
    let [root, steps @ ..] = &trace[..] else { panic!("nothing") };
    assert_eq!((root.name.as_str(), &root.parent, root.kind), ("ingest", &None, 1), "{trace:#?}");
    for step in steps {
        assert_eq!(step.parent.as_ref(), Some(&root.id), "{trace:#?}");
        assert!(
            root.began <= step.began && step.began <= step.ended && step.ended <= root.ended,
            "{trace:#?}"
        );
        assert_eq!(step.kind, if step.name == "fetch" { 3 } else { 1 });
    }
    assert!(steps.windows(2).all(|two| two[0].ended <= two[1].began), "{trace:#?}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    assert!(root.ended <= now && now - root.began < 600_000_000_000, "of this time: {trace:#?}");
    steps.iter().map(|step| step.name.as_str()).collect()
}

fn assert_says(trace: &Trace, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(trace[0].attributes.get(*name).map(String::as_str), Some(*value), "{name}: {trace:#?}");
    }
}

/// A PKI whose CRLs come from `crls`, and whose traces go to `url`.
fn traced(crls: &[&str], url: &str) -> Pki {
    let pki = Pki::served();
    let text = std::fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    let named = text.replace("crls = [\"ca.crl\"]", &format!("crls = {crls:?}"));
    pki.write("ocsprey.toml", format!("[telemetry]\ntraces = \"{url}\"\n{named}"));
    pki
}

fn submit(server: &Server, query: &str, crl: &[u8]) -> u16 {
    post(&format!("{}/api/v1/crls{query}", server.admin), "application/pkix-crl", crl).status
}

fn says_revoked(server: &Server) -> bool {
    let serial = format!("0x{SERIAL}");
    let args = ["ocsp", "-CAfile", "ca.pem", "-issuer", "ca.pem", "-serial", &serial, "-url", &server.url];
    run(server.dir(), "openssl", &args).out.contains("revoked")
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = get(&format!("{}/metrics", server.admin)).text();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// The names of its threads.
fn threads(server: &Server) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    tasks.map_while(Result::ok).filter_map(name).map(|name| name.trim().to_owned()).collect()
}

#[test]
fn each_crl_has_a_trace_with_its_steps_and_no_card_is_in_it() {
    let collector = Collector::start(None);
    let scratch = Pki::new(crate::support::NAME);
    let given: Arc<Mutex<Vec<u8>>> = Arc::default();
    let served = Arc::clone(&given);
    let web = Web::start(move |path, _| match path {
        "/b.crl?token=hush" => Reply::with("200 OK", "", &served.lock().unwrap()),
        _ => Reply::with("503 Service Unavailable", "", b""),
    });
    let host = web.url.strip_prefix("http://").unwrap();
    let good = format!("http://somebody:secret@{host}/b.crl?token=hush");
    let down = format!("http://somebody:secret@{host}/down.crl?token=hush");
    let pki = traced(&["ca.crl", &good, &down], &collector.url);
    let next = pki.crl("next.crl", NEXT);
    *given.lock().unwrap() = pki.crl("b.crl", Crl { extensions: "partition_b", ..NEXT });
    let old = pki.crl("old.crl", Crl { number: "04", ..Crl::CURRENT });
    let foreign = scratch.crl("foreign.crl", NEXT);
    let server = Server::start(pki.into_dir());
    assert!(threads(&server).contains(&"traces".to_owned()));

    // From a file, a server, and a server that is down.
    let first = collector.wait_for(3, |_| true, &server);
    let of = |kind: &str, outcome: &str| {
        let is_it = |trace: &&Trace| {
            let says = |name, value| trace[0].attributes.get(name).is_some_and(|said| said == value);
            says("crl.source.kind", kind) && says("crl.outcome", outcome)
        };
        first.iter().find(is_it).unwrap_or_else(|| panic!("no {outcome} {kind}: {first:#?}"))
    };
    let (file, url, failed) = (of("file", "applied"), of("url", "applied"), of("url", "failed"));
    let usual = ["read", "sort", "verify", "compare", "commit", "publish"];
    assert_eq!(steps(file), usual);
    assert_says(
        file,
        &[("crl.issuer", "test"), ("crl.entries", "1"), ("crl.added", "1"), ("crl.delta", "false")],
    );
    let octets = std::fs::metadata(server.path("ca.crl")).unwrap().len().to_string();
    assert_says(file, &[("crl.octets", &octets), ("crl.released", "0"), ("crl.retained", "0")]);
    assert!(file[0].attributes["crl.source.name"].ends_with("ca.crl"));
    let mut fetched = steps(url);
    fetched.retain(|step| *step != "copy");
    assert_eq!(fetched, [&["fetch"], &usual[..]].concat());
    assert_says(url, &[("crl.source.name", &format!("{}/b.crl", web.url)), ("crl.added", "1")]);
    assert_eq!(steps(failed), ["fetch"]);
    assert_says(failed, &[("error.type", "read"), ("crl.issuer", "test")]);
    assert!(failed[0].is_failed && failed[1].is_failed && !url[0].is_failed);

    // By hand: rehearsed, applied, the same again, and two that are refused.
    assert_eq!(submit(&server, "?dry_run=1", &next), 200);
    assert_eq!(submit(&server, "", &next), 200);
    assert_eq!(submit(&server, "", &next), 200);
    assert_eq!(submit(&server, "", &old), 422);
    assert_eq!(submit(&server, "", &foreign), 422);
    assert!(says_revoked(&server));
    let is_by_hand = |trace: &Trace| trace[0].attributes["crl.source.kind"] == "submitted";
    let by_hand = collector.wait_for(4, is_by_hand, &server);
    let [applied, unchanged, rolled_back, stranger] = &by_hand[..] else { panic!("four: {by_hand:#?}") };
    let mut taken = steps(applied);
    taken.retain(|step| *step != "copy");
    assert_eq!(taken, ["read", "sort", "verify", "compare", "commit", "publish"]);
    assert_says(applied, &[("crl.outcome", "applied"), ("crl.added", "1"), ("crl.retained", "1")]);
    let compare = applied.iter().find(|span| span.name == "compare").unwrap();
    assert_eq!(compare.attributes["crl.compared_by"], "entries");
    assert!(applied.iter().all(|span| !span.is_failed));
    assert_says(unchanged, &[("crl.outcome", "unchanged"), ("crl.issuer", "test")]);
    assert_eq!(steps(unchanged).last(), Some(&"verify"));
    assert_eq!(steps(rolled_back).last(), Some(&"verify"));
    assert_says(rolled_back, &[("crl.outcome", "refused"), ("error.type", "number_rolled_back")]);
    assert!(rolled_back[0].is_failed && rolled_back.last().unwrap().is_failed && !rolled_back[1].is_failed);
    assert_eq!(stranger[0].attributes["error.type"], "foreign_key");
    // One copy of the store, before the first CRL that was not the very first.
    let all = collector.traces();
    assert_eq!(all.iter().flatten().filter(|span| span.name == "copy").count(), 1);

    // Counted once the collector has said that it has them.
    let count = all.iter().map(Vec::len).sum::<usize>() as u64;
    let sent = || metric(&server, "trace_spans_exported_total ");
    wait_until(|| format!("{count} {}", sent()), || (sent() >= count).then_some(()));
    assert_eq!(metric(&server, "trace_spans_dropped_total "), 0);
    let text = String::from_utf8(collector.bodies().concat()).unwrap();
    for secret in [SERIAL, &SERIAL.to_lowercase(), SERIAL_DECIMAL, "secret", "somebody", "hush", "token"] {
        assert!(!text.contains(secret), "{secret}");
    }
    for name in traces(&collector.bodies()).iter().flatten().map(|span| &span.name) {
        assert!(["ingest", "fetch", "copy"].contains(&name.as_str()) || usual.contains(&name.as_str()));
    }
}

#[test]
fn a_collector_that_is_not_there_changes_nothing() {
    let pki = traced(&["ca.crl"], &format!("http://127.0.0.1:{}/v1/traces", free_port()));
    pki.crl("next.crl", NEXT);
    let server = Server::start(pki.into_dir());
    assert!(!says_revoked(&server));
    std::fs::rename(server.path("next.crl"), server.path("ca.crl")).unwrap();
    wait_until(|| server.said(), || says_revoked(&server).then_some(()));
    wait_until(|| server.said(), || server.said().contains("traces are not taken").then_some(()));
    let visible = metric(&server, "crl_visible_seconds_count{issuer=\"test\"}");
    assert!(visible >= 1, "{}", server.said());
    let start = Instant::now();
    let (ended, dir) = server.terminate();
    assert_eq!(ended.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    let said = std::fs::read_to_string(dir.path().join("err.log")).unwrap();
    assert_eq!(said.matches("traces are not taken").count(), 1, "one line a minute: {said}");
}

#[test]
fn a_collector_that_hangs_holds_up_neither_crls_nor_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let pki = traced(&["ca.crl"], &format!("http://{}/v1/traces", listener.local_addr().unwrap()));
    pki.crl("next.crl", NEXT);
    let server = Server::start(pki.into_dir());
    std::fs::rename(server.path("next.crl"), server.path("ca.crl")).unwrap();
    wait_until(|| server.said(), || says_revoked(&server).then_some(()));
    let start = Instant::now();
    let (ended, dir) = server.terminate();
    assert_eq!(ended.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    let said = std::fs::read_to_string(dir.path().join("err.log")).unwrap();
    assert!(said.contains("the last traces were not taken in time"), "{said}");
    drop(listener);
}

#[test]
fn sigterm_sends_what_is_left() {
    let collector = Collector::start(Some("503 Service Unavailable"));
    let server = Server::start(traced(&["ca.crl"], &collector.url).into_dir());
    let refused = || collector.seen.lock().unwrap().refused.clone();
    wait_until(|| server.said(), || (refused().len() >= 3).then_some(()));
    assert!(refused().windows(2).all(|two| two[0] == two[1]), "the same identifiers each time");
    assert_eq!(metric(&server, "trace_spans_exported_total "), 0);
    collector.seen.lock().unwrap().refusal = None;
    // This one has not been sent at all.
    let next = ocsprey(server.dir(), &["crl", "ingest", "--admin", &server.admin, "ca.crl"]);
    assert_eq!(next.code, Some(0), "{next:?}");
    let (ended, _) = server.terminate();
    assert_eq!(ended.code(), Some(0));
    let outcomes: Vec<String> =
        collector.traces().iter().map(|trace| trace[0].attributes["crl.outcome"].clone()).collect();
    assert_eq!(outcomes, ["applied", "unchanged"]);
}

#[test]
fn without_its_section_nothing_of_it_is_there_and_it_begins_with_a_restart() {
    let server = Server::start(Pki::served().into_dir());
    assert!(!threads(&server).contains(&"traces".to_owned()));
    let text = std::fs::read_to_string(server.path("ocsprey.toml")).unwrap();
    let with = format!("[telemetry]\ntraces = \"http://127.0.0.1:1/v1/traces\"\n{text}");
    std::fs::write(server.path("ocsprey.toml"), with).unwrap();
    server.reload();
    wait_until(|| server.said(), || server.said().contains("the configuration was reloaded").then_some(()));
    let said = server.said();
    let line = said.lines().find(|line| line.contains("changes only with a restart"));
    assert!(line.is_some_and(|line| line.contains("telemetry")), "{said}");
    assert!(!threads(&server).contains(&"traces".to_owned()));
    assert_eq!(metric(&server, "trace_spans_exported_total "), 0);
    assert_eq!(metric(&server, "trace_spans_dropped_total "), 0);
}
