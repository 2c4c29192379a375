//! Fetching CRLs from URLs, each in a thread of its own, so that nothing waits for a slow server.
//!
//! Called by [`Sources`](super::Sources), which says when. What comes is written to a file without a name, and only a
//! whole answer is handed on. Every way to be kept busy has its bound: connecting, the first octet, the
//! last octet, the octets (as they are unpacked, so that a small gzip cannot become a large CRL),
//! redirects, and threads in all. Only http: and https: are spoken, after a redirect too.
//!
//! Errors: an `io::Error` in words for people; nothing is kept of an answer that was not whole.

#![expect(clippy::disallowed_methods, reason = "what comes is stamped with the time of its coming")]

use super::sort::unnamed_file;
use super::steps::{Step, Timed};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

/// How CRLs are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchOptions {
    /// How often each URL is asked; see [`schedule`](super::schedule).
    pub every: Duration,
    /// For one CRL, from connecting to its last octet.
    pub timeout: Duration,
    /// The largest CRL that is taken, in octets, unpacked.
    pub max_size: u64,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { every: Duration::from_secs(300), timeout: Duration::from_secs(600), max_size: 4 << 30 }
    }
}

/// To connect. A server that takes longer is as good as gone.
const CONNECT: Duration = Duration::from_secs(10);
/// From the request to the head of the answer.
const FIRST_OCTET: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: u32 = 3;
/// Fetches at a time, and so threads.
const MAX_FETCHES: usize = 8;

/// What a server said to recognise its content by (RFC 9110 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Download {
    pub file: File,
    /// When the answer began.
    pub arrived: SystemTime,
    pub validators: Validators,
}

/// The end of a fetch: `None` where the server said that nothing changed.
pub(super) type Fetched = io::Result<Option<Download>>;

/// The same, of which URL, and when.
#[derive(Debug)]
pub(super) struct End {
    pub url: String,
    pub fetched: Fetched,
    pub timed: Timed,
}

/// The fetches under way.
#[derive(Debug)]
pub(super) struct Fetches {
    agent: ureq::Agent,
    options: FetchOptions,
    scratch: PathBuf,
    places: Places,
    ends: Sender<End>,
    ended: Receiver<End>,
}

/// How many fetches are under way, those of an older configuration included.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<AtomicUsize>);

impl Places {
    fn take(&self) -> Option<Place> {
        let more = |taken| (taken < MAX_FETCHES).then_some(taken + 1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Place(Arc::clone(&self.0)))
    }
}

/// One of them; given back when it goes.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Fetches {
    /// `scratch` is a folder on a disk with room for what is fetched.
    pub fn new(options: FetchOptions, scratch: PathBuf, places: Places) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT.min(options.timeout)))
            .timeout_recv_response(Some(FIRST_OCTET.min(options.timeout)))
            .timeout_global(Some(options.timeout))
            // Followed here: a library's idea of a file: URL is nothing to build on.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("ocsprey/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let (ends, ended) = channel();
        Self { agent, options, scratch, places, ends, ended }
    }

    pub fn places(&self) -> Places {
        self.places.clone()
    }

    /// Begins a fetch. Its end is [taken](Self::take_ended) later. Whether there was a place for it.
    pub fn start(&self, url: &str, known: Validators) -> bool {
        let Some(place) = self.places.take() else { return false };
        let (agent, options) = (self.agent.clone(), self.options);
        let (scratch, ends, name) = (self.scratch.clone(), self.ends.clone(), url.to_owned());
        let began = Instant::now();
        let end = move |url, fetched| {
            let timed = Timed { step: Step::Fetch, began, ended: Instant::now() };
            End { url, fetched, timed }
        };
        let fetch = move || {
            let fetched = fetch(&agent, &name, &known, &options, &scratch);
            drop(place);
            // Nobody waits for it any more after a reload.
            let _ = ends.send(end(name, fetched));
        };
        match std::thread::Builder::new().name("fetch".to_owned()).spawn(fetch) {
            Ok(_) => true,
            Err(why) => self.ends.send(end(url.to_owned(), Err(why))).is_ok(),
        }
    }

    /// A fetch that has ended, if there is one.
    pub fn take_ended(&self) -> Option<End> {
        self.ended.try_recv().ok()
    }

    /// The next fetch that ends. Only for whoever knows that one is under way.
    pub fn wait_for_end(&self) -> Option<End> {
        self.ended.recv_timeout(self.options.timeout + CONNECT).ok()
    }
}

/// The answer of the last server of a chain of redirects.
fn ask(
    agent: &ureq::Agent,
    url: &str,
    known: &Validators,
    timeout: Duration,
) -> io::Result<ureq::http::Response<ureq::Body>> {
    let begun = Instant::now();
    let mut url = url.to_owned();
    for _ in 0..=MAX_REDIRECTS {
        let left = timeout.saturating_sub(begun.elapsed());
        let mut request = agent.get(&url).config().timeout_global(Some(left)).build();
        if let Some(etag) = &known.etag {
            request = request.header("If-None-Match", etag);
        }
        if let Some(date) = &known.last_modified {
            request = request.header("If-Modified-Since", date);
        }
        let response = request.call().map_err(|why| io::Error::other(in_words(&why)))?;
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(response);
        }
        let location = response.headers().get("location").and_then(|location| location.to_str().ok());
        url = location.and_then(|location| redirected(&url, location)).ok_or_else(|| {
            let shown: String = location.unwrap_or("nowhere").chars().take(200).collect();
            io::Error::other(format!("the server redirects to {shown}, which is no http: or https: URL"))
        })?;
    }
    Err(io::Error::other(format!("the server redirects more than {MAX_REDIRECTS} times")))
}

/// Where a Location header (RFC 9110 10.2.2) leads from `base`; `None` where that is not http: or https:.
fn redirected(base: &str, location: &str) -> Option<String> {
    let (scheme, rest) = base.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end)?;
    let before_path = location.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some((scheme, _)) = before_path.split_once(':') {
        let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        let has_host =
            location.split_once("://").is_some_and(|(before, host)| before == scheme && !host.is_empty());
        return (web && has_host).then(|| location.to_owned());
    }
    if location.starts_with("//") {
        return Some(format!("{scheme}:{location}"));
    }
    if location.starts_with('/') {
        return Some(format!("{scheme}://{authority}{location}"));
    }
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(format!("{scheme}://{authority}{folder}/{location}"))
}

fn fetch(
    agent: &ureq::Agent,
    url: &str,
    known: &Validators,
    options: &FetchOptions,
    scratch: &Path,
) -> Fetched {
    let response = ask(agent, url, known, options.timeout)?;
    let arrived = SystemTime::now();
    match response.status().as_u16() {
        200 => {}
        304 if *known != Validators::default() => return Ok(None),
        status => return Err(io::Error::other(format!("the server answered with HTTP status {status}"))),
    }
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let validators = Validators { etag: header("etag"), last_modified: header("last-modified") };
    let too_large = || {
        let why = format!("what the server sends is over {} octets (see fetch.max_size)", options.max_size);
        io::Error::other(why)
    };
    let announced = header("content-length").and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|octets| octets > options.max_size) {
        return Err(too_large());
    }
    let mut file = unnamed_file(scratch)?;
    // One more than is taken, to tell too large from just right. What is counted is unpacked already.
    let mut octets = response.into_body().into_reader().take(options.max_size.saturating_add(1));
    if io::copy(&mut octets, &mut file).map_err(|why| body_error(&why))? > options.max_size {
        return Err(too_large());
    }
    file.rewind()?;
    Ok(Some(Download { file, arrived, validators }))
}

fn in_words(why: &ureq::Error) -> String {
    match why {
        ureq::Error::Timeout(_) => "the server gave no answer in time".to_owned(),
        ureq::Error::HostNotFound => "there is no host of this name".to_owned(),
        ureq::Error::BadUri(what) => format!("it is not a URL: {what}"),
        ureq::Error::Io(why) => why.to_string(),
        other => other.to_string(),
    }
}

fn body_error(why: &io::Error) -> io::Error {
    match why.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        Some(ureq::Error::Timeout(_)) => io::Error::other("the server did not send all of it in time"),
        Some(inner) => io::Error::other(in_words(inner)),
        None => io::Error::other(why.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_to_the_web_and_nowhere_else() {
        let base = "http://crl.example:81/a/b.crl?x=/y";
        for (location, expected) in [
            ("https://other.example/c", "https://other.example/c"),
            ("HTTP://other.example", "HTTP://other.example"),
            ("//other.example/c", "http://other.example/c"),
            ("/c?d=e:f", "http://crl.example:81/c?d=e:f"),
            ("c.crl", "http://crl.example:81/a/c.crl"),
            ("?new", "http://crl.example:81/a/?new"),
        ] {
            assert_eq!(redirected(base, location).as_deref(), Some(expected), "{location}");
        }
        assert_eq!(redirected("http://crl.example", "c").as_deref(), Some("http://crl.example/c"));
        for location in
            ["file:///etc/passwd", "FILE:/etc/passwd", "ftp://a/b", "http:", "http:/a", "http://", "mailto:x"]
        {
            assert_eq!(redirected(base, location), None, "{location}");
        }
    }

    #[test]
    fn so_many_fetches_at_a_time_and_no_more() {
        let places = Places::default();
        let taken: Vec<_> = (0..MAX_FETCHES).map(|_| places.take().unwrap()).collect();
        assert!(places.clone().take().is_none(), "clones share them");
        drop(taken);
        assert!(places.take().is_some());
    }
}
