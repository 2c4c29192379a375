//! Nobody waits for anybody on a request's way: the kernel is asked to put a thread to sleep, or to wake one, about
//! as often as the clock strikes, however many requests come (design: decision 2).
//!
//! `strace` counts, from outside; a lock that is taken and never fought over makes no such call, so this tells of
//! waiting and not of locks. Where `strace` is missing or may not look, the test says so and passes.

use crate::support::{Server, demo_copy, run, wait_until};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const CONNECTIONS: usize = 4;
const REQUESTS: usize = 20_000;
/// Timers, and threads that end their housekeeping; a lock on the way makes some for each request.
const MOST: u64 = REQUESTS as u64 / 1000;

/// A request about a serial number of the demo, and where in it that stands.
fn request(server: &Server) -> (Vec<u8>, usize) {
    let about =
        ["ocsp", "-issuer", "auth-ca.pem", "-cert", "auth-good.pem", "-no_nonce", "-reqout", "request.der"];
    run(server.dir(), "openssl", &about);
    let octets = fs::read(server.path("request.der")).unwrap();
    // The INTEGER at the end: its length stands in front of it.
    let is_all = |length: u8| {
        octets.get(octets.len() - usize::from(length) - 2..).is_some_and(|end| end[..2] == [2, length])
    };
    let length = (1..=20).find(|length| is_all(*length)).unwrap();
    let at = octets.len() - usize::from(length);
    (octets, at)
}

fn serials(server: &Server, octets: usize) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(server.path("auth-issued.txt")).unwrap();
    let words =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_whitespace().next());
    let hex = words.map(|word| format!("{word:0>width$}", width = 2 * octets));
    let octet = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    hex.map(|hex| (0..hex.len()).step_by(2).map(|at| octet(&hex, at)).collect()).collect()
}

/// Posts `count` requests, one after the other, about one serial number after the other.
fn ask(server: &Server, request: &[u8], at: usize, serials: &[Vec<u8>], count: usize) {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
        request.len()
    );
    let mut octets = [head.as_bytes(), request].concat();
    let place = head.len() + at;
    for serial in serials.iter().cycle().take(count) {
        octets[place..].copy_from_slice(serial);
        stream.write_all(&octets).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        answers.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            answers.read_line(&mut line).unwrap();
            if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        answers.read_exact(&mut body).unwrap();
        assert!(length > 100, "no answer but a status");
    }
}

fn load(server: &Server, count: usize) {
    let (request, at) = request(server);
    let serials = serials(server, request.len() - at);
    let part = serials.len() / CONNECTIONS;
    std::thread::scope(|scope| {
        for serials in serials.chunks(part).take(CONNECTIONS) {
            scope.spawn(|| ask(server, &request, at, serials, count / CONNECTIONS));
        }
    });
}

/// `strace` on all threads of the process; `None` where it may not look.
fn strace(pid: u32, folder: &Path) -> Option<Child> {
    let log = fs::File::create(folder.join("strace.err")).unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-c", "-e", "trace=futex,sendto", "-o", "strace.out", "-p", &pid.to_string()]);
    let child = command.current_dir(folder).stdin(Stdio::null()).stderr(log).spawn();
    let mut child = child.ok()?;
    let said = || fs::read_to_string(folder.join("strace.err")).unwrap();
    let attached = wait_until(
        || format!("strace neither looks nor ends: {}", said()),
        || match child.try_wait().unwrap() {
            Some(_) => Some(false),
            None => said().contains("attached").then_some(true),
        },
    );
    attached.then_some(child)
}

/// Calls of this kind, in strace's table: `% time  seconds  usecs/call  calls  [errors]  syscall`.
fn calls(table: &str, kind: &str) -> u64 {
    let row = table.lines().find(|line| line.split_whitespace().last() == Some(kind));
    row.and_then(|row| row.split_whitespace().nth(3)?.parse().ok()).unwrap_or(0)
}

#[test]
fn under_load_threads_do_not_wait_for_each_other() {
    let server = Server::start(demo_copy("p256"));
    // Connections, buffers, caches.
    load(&server, 2000);
    let Some(mut strace) = strace(server.pid(), server.dir()) else {
        eprintln!("SKIPPED: strace is missing here, or may not trace");
        return;
    };
    load(&server, REQUESTS);
    run(server.dir(), "kill", &["-INT", &strace.id().to_string()]);
    strace.wait().unwrap();
    let table = fs::read_to_string(server.path("strace.out")).unwrap();
    assert!(calls(&table, "sendto") >= REQUESTS as u64, "it did not see the answers go:\n{table}");
    assert!(calls(&table, "futex") <= MOST, "more than {MOST} for {REQUESTS} requests:\n{table}");
}
