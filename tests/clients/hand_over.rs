//! A server that changes while clients ask: restarted behind sockets that somebody holds for it, as systemd does,
//! and reloaded. No request is refused, reset, or left without its answer.

use crate::support::{Server, demo_copy, get, ocsprey, put, run, set_ports, try_get, wait_until};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// How clients fared.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicU64,
    /// Answers that said that the connection ends.
    last: AtomicU64,
    /// A kept connection was closed before an octet of an answer came: RFC 9110 9.2.2 and 9.3.1 have the client ask again.
    retried: AtomicU64,
    failed: AtomicU64,
}

impl Tally {
    fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn counts(&self) -> [u64; 4] {
        [&self.answered, &self.last, &self.retried, &self.failed]
            .map(|counter| counter.load(Ordering::Relaxed))
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

/// Asks once; whether the connection goes on.
fn ask(stream: &mut TcpStream, request: &[u8]) -> io::Result<bool> {
    stream.write_all(request)?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&buffer[..count]);
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
        if answer.len() >= end + 4 + length.parse::<usize>().unwrap() {
            assert!(head.starts_with("http/1.1 200"), "{head}");
            // SEQUENCE of more than 255 octets, ENUMERATED: successful.
            assert_eq!(answer[end + 8..end + 11], [0x0a, 1, 0], "{head}");
            return Ok(!head.contains("connection: close"));
        }
    }
}

/// Asks all the time: one request a connection, or many.
fn client(address: SocketAddr, request: &[u8], keeps: bool, tally: &Tally, is_over: &AtomicBool) {
    let mut kept: Option<TcpStream> = None;
    while !is_over.load(Ordering::Relaxed) {
        let is_reused = kept.is_some();
        let asked = kept.take().map_or_else(|| connect(address), Ok).and_then(|mut stream| {
            let goes_on = ask(&mut stream, request)?;
            Ok((stream, goes_on))
        });
        match asked {
            Ok((stream, goes_on)) => {
                Tally::add(&tally.answered);
                if !goes_on {
                    Tally::add(&tally.last);
                } else if keeps {
                    kept = Some(stream);
                }
            }
            Err(_) if is_reused => Tally::add(&tally.retried),
            Err(why) => {
                eprintln!("a new connection: {why}");
                Tally::add(&tally.failed);
            }
        }
    }
}

/// Lets clients ask while `change` goes on.
fn under_load(address: SocketAddr, request: &[u8], change: impl FnOnce(&Tally)) -> [u64; 4] {
    let (tally, is_over) = (Tally::default(), AtomicBool::new(false));
    std::thread::scope(|threads| {
        let (tally, is_over) = (&tally, &is_over);
        for keeps in [true, true, false, false] {
            threads.spawn(move || client(address, request, keeps, tally, is_over));
        }
        change(tally);
        is_over.store(true, Ordering::Relaxed);
    });
    tally.counts()
}

fn request(dir: &Path) -> Vec<u8> {
    let args =
        ["ocsp", "-no_nonce", "-issuer", "auth-ca.pem", "-cert", "auth-good.pem", "-reqout", "request.der"];
    assert_eq!(run(dir, "openssl", &args).code, Some(0));
    let body = fs::read(dir.join("request.der")).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: ocsp\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// Sockets that outlive the server behind them.
struct Held {
    ocsp: TcpListener,
    admin: TcpListener,
    dir: TempDir,
}

impl Held {
    /// As systemd starts it: the sockets are the descriptors from 3 on.
    fn start(&self) -> Running {
        self.start_as("ocsp:admin")
    }

    fn start_as(&self, names: &str) -> Running {
        let script = "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" serve --config ocsprey.toml \
                      3<&0 4<&1 </dev/null >/dev/null";
        let socket = |listener: &TcpListener| Stdio::from(OwnedFd::from(listener.try_clone().unwrap()));
        let log = File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_ocsprey")]).current_dir(self.dir.path());
        command.env("LISTEN_FDNAMES", names).stdin(socket(&self.ocsp)).stdout(socket(&self.admin));
        Running(command.stderr(log).spawn().unwrap())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    fn wait_until_ready(&self) {
        let url = format!("http://{}/readyz", self.admin.local_addr().unwrap());
        wait_until(|| self.log(), || try_get(&url).ok().filter(|page| page.status == 200).map(drop));
    }
}

/// A server process; killed with the test, if that fails.
struct Running(Child);

impl Running {
    fn end(&mut self, held: &Held) {
        run(Path::new("/"), "kill", &["-TERM".to_owned(), self.0.id().to_string()]);
        let status = wait_until(|| held.log(), || self.0.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{}", held.log());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn restarts_behind_held_sockets_refuse_and_reset_nobody() {
    let dir = demo_copy("p256");
    set_ports(&dir.path().join("ocsprey.toml"));
    let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
    let held = Held { ocsp: listener(), admin: listener(), dir };
    let mut server = held.start();
    held.wait_until_ready();
    assert!(held.log().contains("nobody listens there"), "server.listen is not what is listened on");
    let request = request(held.dir.path());
    let counts = under_load(held.ocsp.local_addr().unwrap(), &request, |tally| {
        for _ in 0..5 {
            let before = tally.counts()[0];
            wait_until(|| held.log(), || (tally.counts()[0] > before + 300).then_some(()));
            // One process has the store at a time: whoever comes in between waits.
            server.end(&held);
            server = held.start();
            held.wait_until_ready();
        }
        let before = tally.counts()[0];
        wait_until(|| held.log(), || (tally.counts()[0] > before + 300).then_some(()));
        server.end(&held);
        // The last of them waits for an answer that would not come.
        server = held.start();
    });
    println!("restarts: answered, told to close, asked again, failed: {counts:?}");
    assert_eq!(counts[3], 0, "{counts:?}");
    held.wait_until_ready();
    server.end(&held);
}

#[test]
fn what_is_handed_over_for_nothing_is_told() {
    let dir = demo_copy("p256");
    set_ports(&dir.path().join("ocsprey.toml"));
    let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
    let held = Held { ocsp: listener(), admin: listener(), dir };
    let mut server = held.start_as("admin:admin");
    let status = wait_until(|| held.log(), || server.0.try_wait().unwrap());
    assert_eq!(status.code(), Some(2), "{}", held.log());
    assert!(held.log().contains("the admin pages have one socket, and this is the second"), "{}", held.log());
}

fn reloaded(server: &Server) -> usize {
    server.said().matches("the configuration was reloaded").count()
}

#[test]
fn twenty_reloads_under_load_cost_no_request() {
    let server = Server::demo("p256");
    let address = server.url.trim_start_matches("http://").parse().unwrap();
    let request = request(server.dir());
    let counts = under_load(address, &request, |tally| {
        for count in 0..20 {
            server.reload();
            let before = tally.counts()[0];
            wait_until(|| server.said(), || (reloaded(&server) > count).then_some(()));
            wait_until(|| server.said(), || (tally.counts()[0] > before + 50).then_some(()));
        }
    });
    println!("20 reloads: answered, told to close, asked again, failed: {counts:?}");
    assert_eq!(counts[1..], [0, 0, 0], "{counts:?}");
}

fn refused_reload(server: &Server) -> Option<String> {
    let status = get(&format!("{}/api/v1/status", server.admin));
    let status: Value = serde_json::from_slice(&status.body).unwrap();
    status["refused_reload"].as_object().map(|reload| reload["reasons"].to_string())
}

#[test]
fn a_reload_applies_all_or_nothing_and_the_status_says_why() {
    let server = Server::demo("p256");
    let path = server.path("ocsprey.toml");
    let right = fs::read_to_string(&path).unwrap();
    let answers = || {
        let query = ["query", "--issuer", "auth-ca.pem", "--cert", "auth-revoked.pem", &server.url];
        assert_eq!(ocsprey(server.dir(), &query).code, Some(3), "{}", server.said());
    };
    let no_key = right.replace("auth-ocsp.key", "sign-ocsp.key");
    let no_syntax = format!("{right}\n[server\n");
    let no_such_key = right.replace("[store]", "[store]\ncompress = true");
    for (wrong, why) in [(no_key, "key"), (no_syntax, "not TOML"), (no_such_key, "compress")] {
        assert_ne!(wrong, right);
        fs::write(&path, wrong).unwrap();
        server.reload();
        let refused =
            wait_until(|| server.said(), || refused_reload(&server).filter(|told| told.contains(why)));
        assert!(server.said().contains("nothing was reloaded"), "{refused}");
        let said = ocsprey(server.dir(), &["status", "--admin", &server.admin]);
        assert!(said.out.contains("NOT RELOADED") && said.out.contains(why), "{said:#?}");
        let page = get(&format!("{}/status", server.admin)).text();
        assert!(page.contains("NOT RELOADED") && page.contains("the configuration of before"), "{page}");
        answers();
    }
    // A source of CRLs that is not there is a new configuration, which applies; what is held stays.
    fs::write(&path, right.replace("\"crl/auth/\"", "\"crl/auth/\", \"nowhere.crl\"")).unwrap();
    server.reload();
    wait_until(|| server.said(), || (reloaded(&server) == 1).then_some(()));
    assert_eq!(refused_reload(&server), None);
    wait_until(
        || server.said(),
        || get(&format!("{}/api/v1/status", server.admin)).text().contains("nowhere.crl").then_some(()),
    );
    answers();
}

#[test]
fn the_log_says_more_or_less_without_a_restart() {
    let server = Server::demo("p256");
    let url = format!("{}/api/v1/log", server.admin);
    assert_eq!(get(&url).text(), "info\n");
    let refused = put(&url, "loud");
    assert_eq!((refused.status, refused.text().contains("not a log level")), (422, true), "{refused:?}");
    let changed = put(&url, "warn,ocsprey::ingest=debug");
    assert_eq!((changed.status, changed.text()), (200, "warn,ocsprey::ingest=debug\n".to_owned()));
    // A reload is told at the level that is off now.
    server.reload();
    assert_eq!(put(&url, "info").status, 200);
    assert_eq!(get(&url).text(), "info\n");
    server.reload();
    wait_until(|| server.said(), || (reloaded(&server) >= 1).then_some(()));
}
