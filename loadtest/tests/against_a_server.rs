//! Whole runs against a small HTTP server in this process, whose answers and faults are the test's.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use ocsprey::demo::{Authority, CardCa};
use ocsprey::ocsp::{
    CertStatus, OcspRequest, OcspResponseStatus, ResponseData, ResponseTemplate, SingleResponse,
    error_response,
};
use ocsprey::signing::{KeyKind, ResponderIdentity, SoftwareKey};
use ocsprey::x509::{Certificate, CrlReason, Revocation, UnixTime};
use ocsprey_load::command;
use ocsprey_load::drive::Job;
use ocsprey_load::plan::{Loop, Order, Phase, Plan};
use ocsprey_load::progress::Progress;
use ocsprey_load::report::Report;
use ocsprey_load::run::{self, Watch};
use ocsprey_load::serials::Serials;
use ocsprey_load::target::{Reach, Target};
use ocsprey_load::transport::Transport;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// A CA, its delegated signer, and what answers are written with.
struct Pki {
    ca_pem: String,
    identity: ResponderIdentity,
    template: ResponseTemplate,
}

fn pki() -> Pki {
    let now = ocsprey::clock::Clock::System.now();
    let (authority, ca) = Authority::create(CardCa::UserAuthentication, KeyKind::P256, now).unwrap();
    let signer = authority.issue_ocsp_signer(KeyKind::P256, 1, now).unwrap();
    let certificate = Certificate::from_pem_or_der(signer.certificate.as_bytes()).unwrap();
    let issuer = Certificate::from_pem_or_der(ca.certificate.as_bytes()).unwrap();
    let key = Arc::new(SoftwareKey::from_pkcs8_pem(signer.key.as_bytes()).unwrap());
    let identity = ResponderIdentity::delegated(certificate, &issuer, key, now).unwrap();
    let algorithm = identity.signer().algorithm().algorithm_identifier();
    let template = ResponseTemplate::new(&identity.responder_id_key_hash(), algorithm, identity.certs_der());
    Pki { ca_pem: ca.certificate, identity, template }
}

impl Pki {
    /// Serials that end in an odd octet are revoked; the others are good.
    fn answer(&self, request: &[u8], now: UnixTime) -> Vec<u8> {
        let request = OcspRequest::parse(request).unwrap();
        let revoked = Revocation { time: now, reason: Some(CrlReason::KeyCompromise), invalidity: None };
        let singles = request.cert_ids().map(|cert_id| SingleResponse {
            cert_id: cert_id.raw,
            status: match cert_id.serial_number.as_bytes().last() {
                Some(octet) if octet % 2 == 1 => CertStatus::Revoked(revoked),
                _ => CertStatus::Good,
            },
            this_update: now,
            next_update: now.plus(3600),
            crl_reference: &[],
        });
        let singles: Vec<SingleResponse<'_>> = singles.collect();
        let data = ResponseData { produced_at: now, nonce: request.nonce, extended_revoke: false };
        let unsigned = self.template.begin(&data, singles.iter().copied(), 72);
        let mut signature = Vec::new();
        self.identity.signer().sign(unsigned.to_be_signed(), &mut signature).unwrap();
        let (octets, start) = unsigned.finish(&self.template, &signature);
        octets[start..].to_vec()
    }
}

/// Answers requests by `reply`, each connection on a thread of its own; ends with the process.
fn serve<F>(reply: F) -> SocketAddr
where
    F: Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let reply = Arc::new(reply);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let reply = Arc::clone(&reply);
            std::thread::spawn(move || connection(stream.unwrap(), &*reply));
        }
    });
    address
}

/// POST only, one request at a time.
fn connection(mut stream: TcpStream, reply: &dyn Fn(&[u8]) -> Vec<u8>) {
    let mut inbound = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let whole = inbound.windows(4).position(|window| window == b"\r\n\r\n").and_then(|at| {
            let head = String::from_utf8_lossy(&inbound[..at]).to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1)?.lines().next()?.parse::<usize>().ok()?;
            let close = head.contains("connection: close");
            (inbound.len() >= at + 4 + length).then_some((at + 4, length, close))
        });
        if let Some((start, length, close)) = whole {
            let body = reply(&inbound[start..start + length]);
            inbound.drain(..start + length);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/ocsp-response\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            if stream.write_all(&[head.as_bytes(), &body].concat()).is_err() || close {
                return;
            }
        } else {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(count) => inbound.extend_from_slice(&piece[..count]),
            }
        }
    }
}

fn serials(folder: &Path, count: u32) -> Serials {
    let file = folder.join("issued.txt");
    let lines = (1..=count).map(|serial| format!("{serial:06x} somewhere"));
    let text = lines.collect::<Vec<_>>().join("\n");
    std::fs::write(&file, text).unwrap();
    Serials::read(&file).unwrap()
}

fn load(plan: Plan, address: SocketAddr, issuer_pem: &str) -> Report {
    assert_eq!(plan.check(), Vec::<String>::new());
    let folder = tempfile::tempdir().unwrap();
    let target = Target::new(&format!("http://{address}"), Reach::ThisMachine).unwrap();
    let issuer = Certificate::from_pem_or_der(issuer_pem.as_bytes()).unwrap();
    let serials = serials(folder.path(), 1000);
    let progress = Progress::new(plan.seconds(), true);
    let transport = Transport::new(&target, plan.load.http, plan.tls.as_ref()).unwrap();
    let job = Job { plan, target, transport, issuer, serials, samples: 50 };
    run::run(job, Watch { server_pid: None, progress, arguments: Vec::new() }).unwrap()
}

/// A closed loop that ends by its count.
fn counted(requests: u64) -> Plan {
    let mut plan = Plan::without_file();
    plan.load.connections = 4;
    plan.load.threads = 2;
    plan.load.most_requests = requests;
    plan.load.seconds = Some(60.0);
    plan.request.serials = Order::InOrder;
    plan
}

#[test]
fn a_closed_loop_asks_about_each_serial_once_and_believes_what_is_signed() {
    let pki = Arc::new(pki());
    let server = Arc::clone(&pki);
    let address = serve(move |request| server.answer(request, ocsprey::clock::Clock::System.now()));
    let mut plan = counted(500);
    plan.request.certificates = 2;
    plan.request.nonce_share = 0.5;
    plan.request.hash.sha256 = 1.0;
    let report = load(plan, address, &pki.ca_pem);
    assert_eq!((report.sent, report.answered), (500, 500), "{}", report.text());
    assert_eq!((report.results.good, report.results.revoked), (500, 500), "serials 1 to 1000, each once");
    assert!(report.serials.each_once && report.errors.is_empty());
    assert_eq!((report.verified.sampled, report.verified.passed), (50, 50));
    assert_eq!(report.connections, 4, "kept alive");
    assert!(report.can_be_believed());
    assert_eq!(report.points.iter().map(|point| point.answered).sum::<u64>(), 500);
}

#[test]
fn without_keep_alive_every_request_has_its_connection() {
    let address = serve(|_| error_response(OcspResponseStatus::TryLater).to_vec());
    let mut plan = counted(40);
    plan.load.keep_alive = false;
    let report = load(plan, address, &pki().ca_pem);
    assert_eq!((report.connections, report.answered), (40, 40), "{}", report.text());
    assert_eq!(report.statuses.get("tryLater"), Some(&40));
    assert_eq!(report.statuses.get("successful"), Some(&0));
}

#[test]
fn an_answer_about_another_certificate_and_a_stranger_s_signature_are_found() {
    let (pki, stranger) = (Arc::new(pki()), pki());
    let server = Arc::clone(&pki);
    let first = std::sync::OnceLock::new();
    let address = serve(move |request| {
        // Every answer is the first one: a cache that mixes people up.
        let answer = || server.answer(request, ocsprey::clock::Clock::System.now());
        first.get_or_init(answer).clone()
    });
    let mut plan = counted(20);
    (plan.load.connections, plan.load.threads) = (1, 1);
    let report = load(plan, address, &pki.ca_pem);
    assert_eq!(report.errors.get("other_certificate"), Some(&19), "{}", report.text());
    assert!(!report.can_be_believed());

    let server = Arc::new(stranger);
    let address = serve(move |request| server.answer(request, ocsprey::clock::Clock::System.now()));
    let report = load(counted(20), address, &pki.ca_pem);
    assert_eq!(report.answered, 20);
    assert_eq!((report.verified.sampled, report.verified.passed), (20, 0), "{}", report.text());
    assert!(!report.can_be_believed());
}

/// The responder stops for a while, once. A closed loop sees one slow request a connection; what
/// arrives meanwhile at a steady rate has to wait as well, and an open loop says so.
#[test]
fn a_stall_is_seen_by_every_request_that_was_due_in_it() {
    const STALL: Duration = Duration::from_millis(400);
    let stalling = || {
        let asked = AtomicU64::new(0);
        serve(move |_| {
            if asked.fetch_add(1, Ordering::Relaxed) == 100 {
                // The stall is what is tested: nobody sends, so the wait ends by its time.
                let (_nobody, never) = mpsc::channel::<()>();
                let _ = never.recv_timeout(STALL);
            }
            error_response(OcspResponseStatus::TryLater).to_vec()
        })
    };
    let ca = pki().ca_pem;
    let mut closed = counted(1000);
    (closed.load.connections, closed.load.threads) = (1, 1);
    let closed = load(closed, stalling(), &ca);
    let mut open = counted(1000);
    open.load.mode = Loop::Open;
    (open.load.connections, open.load.threads, open.load.seconds) = (1, 1, None);
    open.load.phases = vec![Phase { seconds: 1.0, rate: 1000.0, rate_at_end: None }];
    let open = load(open, stalling(), &ca);
    assert_eq!((closed.answered, open.answered), (1000, 1000));
    // Both saw the stall itself.
    let stall = u64::try_from(STALL.as_nanos()).unwrap() * 9 / 10;
    assert!(closed.latency.max_ns >= stall && open.latency.max_ns >= stall);
    // 400 of 1000 arrivals fell into it: the open loop's p90 is about 300 ms, the closed loop's is nothing.
    let (p90_closed, p90_open) = (closed.latency.percentile("90"), open.latency.percentile("90"));
    assert!(p90_open >= 200_000_000, "{}", open.text());
    assert!(p90_closed < 100_000_000, "{}", closed.text());
}

fn exit_code(words: &[&str]) -> std::process::ExitCode {
    command::run(std::iter::once("ocsprey-load").chain(words.iter().copied()).map(OsString::from))
}

#[test]
fn contract_2_exit_codes_and_a_report_that_can_be_compared() {
    let success = format!("{:?}", std::process::ExitCode::SUCCESS);
    let is = |code: std::process::ExitCode, expected: u8| {
        assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::from(expected)));
    };
    let folder = tempfile::tempdir().unwrap();
    let pki = Arc::new(pki());
    let server = Arc::clone(&pki);
    let address = serve(move |request| server.answer(request, ocsprey::clock::Clock::System.now()));
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    serials(folder.path(), 100);
    std::fs::write(folder.path().join("ca.pem"), &pki.ca_pem).unwrap();
    let (ca, issued, output) = (path("ca.pem"), path("issued.txt"), path("a.json"));
    let fixed = ["--issuer", &ca, "--serials", &issued, "--quiet", "--requests", "50"];
    let with = |more: &[&str]| exit_code(&[&fixed, more].concat());
    let url = format!("http://{address}");
    let (page, both) = (path("a.html"), path("both.html"));
    let code = with(&["--output", &output, "--html", &page, &url]);
    assert_eq!(format!("{code:?}"), success);
    is(exit_code(&["--compare", &output, &output, "--html", &both]), 0);
    for (file, plots) in [(page, 3), (both, 2)] {
        let text = std::fs::read_to_string(file).unwrap();
        assert_eq!(text.matches("<svg ").count(), plots);
        assert!(text.contains("prefers-color-scheme: dark"));
        for elsewhere in ["<script", "<link", "src=", "url(", "@import"] {
            assert!(!text.contains(elsewhere), "{elsewhere}: the page has to stand by itself");
        }
        assert!(!text.contains("NaN"));
    }
    is(exit_code(&["--compare", &output, &ca]), 1);
    is(with(&["http://192.0.2.1"]), 2);
    is(with(&["--connections", "0", &url]), 2);
    is(with(&["--no-such-option", &url]), 2);
    is(with(&["--plan", &path("none.toml"), &url]), 2);
    // Nobody listens on a port that was just given back.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    is(with(&[&format!("http://{free}")]), 1);
}
