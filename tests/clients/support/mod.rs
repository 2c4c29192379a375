//! What the tests stand on: processes, folders, ports, HTTP, the demo's PKI and one of openssl's.

mod pki;
mod server;
mod web;

pub use pki::{Crl, NAME, Pki};
pub use server::{Server, demo_copy, set_ports, wait_until};
pub use web::{Reply, Web};

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

/// The algorithms that the demo knows.
pub const ALGORITHMS: [&str; 4] = ["p256", "p384", "rsa2048", "ed25519"];

/// The demo's two CAs: the prefix of their files.
pub const CAS: [&str; 2] = ["auth", "sign"];

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    /// The lines an operator reads when something is wrong.
    pub fn errors(&self) -> Vec<&str> {
        self.err.lines().filter(|line| line.starts_with("error: ")).collect()
    }

    /// Asserts that one of `words` was said, in whatever case.
    pub fn assert_says_one_of(&self, words: &[&str], what: &str) {
        let said = format!("{}{}", self.out, self.err).to_lowercase();
        assert!(
            words.iter().any(|word| said.contains(&word.to_lowercase())),
            "{what}: none of {words:?} in {self:#?}"
        );
    }
}

/// Runs `program` in `dir`, to its end.
pub fn run<S: AsRef<str>>(dir: &Path, program: &str, args: &[S]) -> Said {
    let args = args.iter().map(AsRef::as_ref);
    let mut command = Command::new(program);
    command.current_dir(dir).args(args).stdin(Stdio::null());
    match command.output() {
        Ok(output) => output.into(),
        Err(error) => panic!("{program}: {error} (`make tools` installs what the tests need)"),
    }
}

/// Runs `ocsprey` in `dir`, to its end.
pub fn ocsprey<S: AsRef<str>>(dir: &Path, args: &[S]) -> Said {
    run(dir, env!("CARGO_BIN_EXE_ocsprey"), args)
}

/// A port that nobody listens on, and that no other test of this run was given.
///
/// ocsprey listens with SO_REUSEPORT: two servers on one port would share its requests unnoticed.
pub fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if TAKEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// An HTTP answer of any status.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Page {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn agent() -> ureq::Agent {
    let timeout = std::time::Duration::from_secs(60);
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(timeout)).build().into()
}

fn page(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Page, ureq::Error> {
    let mut answer = answer?;
    let text = |value: &ureq::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Ok(Page { status: answer.status().as_u16(), headers, body: answer.body_mut().read_to_vec()? })
}

pub fn try_get(url: &str) -> Result<Page, ureq::Error> {
    page(agent().get(url).call())
}

pub fn get(url: &str) -> Page {
    try_get(url).unwrap_or_else(|error| panic!("GET {url}: {error}"))
}

#[allow(dead_code, reason = "tests/conformance and tests/watched stand on this file too")]
pub fn put(url: &str, body: &str) -> Page {
    page(agent().put(url).send(body)).unwrap_or_else(|error| panic!("PUT {url}: {error}"))
}

pub fn post(url: &str, content_type: &str, body: &[u8]) -> Page {
    page(agent().post(url).content_type(content_type).send(body))
        .unwrap_or_else(|error| panic!("POST {url}: {error}"))
}
