//! Where CRLs come from: files, watched folders, URLs.
//!
//! A look at the sources gives what is new: files whose name, size or times changed since they were
//! last taken, and URLs whose server has something else. Watching is looking again every few
//! seconds: 2,000 files take a few milliseconds, and nothing is missed that a file system, a network
//! share or a container forgot to notify.

#![expect(clippy::disallowed_methods, reason = "polling is paced by elapsed time, not by the date")]

use std::collections::HashMap;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One configured source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    File(PathBuf),
    /// Every file in it whose name does not start with a dot and does not end like a temporary one.
    Folder(PathBuf),
    /// `http:` or `https:`.
    Url(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Folder(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// What is known of one file or URL, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceState {
    /// Why it could not be used when it was last tried; `None`: it could.
    pub problem: Option<String>,
}

/// Something new from a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    File(PathBuf),
    Url(String),
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// Tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// All sources, and what was taken from them so far.
#[derive(Debug)]
pub struct Sources {
    watched: Vec<Source>,
    taken: HashMap<PathBuf, Stamp>,
    polled: HashMap<String, Instant>,
    validators: HashMap<String, Validators>,
    states: HashMap<String, SourceState>,
    agent: ureq::Agent,
    poll_every: Duration,
}

/// What a server said to recognise its content by (RFC 9110 8.8).
#[derive(Debug, Clone, Default)]
struct Validators {
    etag: Option<String>,
    last_modified: Option<String>,
}

/// The largest CRL that is taken from a URL, in octets, unpacked.
const MAX_DOWNLOAD: u64 = 4 << 30;

impl Sources {
    #[must_use]
    pub fn new(sources: Vec<Source>, poll_every: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .timeout_global(Some(Duration::from_secs(600)))
            .max_redirects(3)
            .http_status_as_error(false)
            .build()
            .into();
        Self {
            watched: sources,
            taken: HashMap::new(),
            polled: HashMap::new(),
            validators: HashMap::new(),
            states: HashMap::new(),
            agent,
            poll_every,
        }
    }

    /// What is new, in order of source and name. Each arrival is to be opened with [`Sources::open`]
    /// and its end told with [`Sources::settle`].
    pub fn look(&mut self) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        for source in self.watched.clone() {
            match &source {
                Source::File(path) => self.look_at(path, &mut arrivals),
                Source::Folder(folder) => match listing(folder) {
                    Ok(paths) => {
                        self.forget_vanished(folder, &paths);
                        self.settle(&source.to_string(), None);
                        for path in &paths {
                            self.look_at(path, &mut arrivals);
                        }
                    }
                    Err(why) => self.settle(&source.to_string(), Some(format!("cannot be listed: {why}"))),
                },
                Source::Url(url) => {
                    let due = self.polled.get(url).is_none_or(|last| last.elapsed() >= self.poll_every);
                    if due {
                        arrivals.push(Arrival::Url(url.clone()));
                    }
                }
            }
        }
        arrivals
    }

    fn look_at(&mut self, path: &Path, arrivals: &mut Vec<Arrival>) {
        match std::fs::metadata(path) {
            // Opening a pipe waits for a writer, and with it everything behind this look.
            Ok(metadata) if !metadata.is_file() => {
                self.settle(&path.display().to_string(), Some("is not a file".to_owned()));
            }
            Ok(metadata) if self.taken.get(path) == Some(&Stamp::of(&metadata)) => {}
            Ok(_) => arrivals.push(Arrival::File(path.to_owned())),
            Err(why) => {
                // Back with the same stamp it is taken again, so that the problem ends.
                self.taken.remove(path);
                self.settle(&path.display().to_string(), Some(format!("cannot be read: {why}")));
            }
        }
    }

    /// A file that is not in its folder any more is no problem any more.
    fn forget_vanished(&mut self, folder: &Path, listed: &[PathBuf]) {
        let Self { sources, taken, states, .. } = self;
        let is_gone = |path: &Path| {
            path.parent() == Some(folder)
                && listed.binary_search_by(|one| one.as_path().cmp(path)).is_err()
                && !sources.iter().any(|source| matches!(source, Source::File(named) if named == path))
        };
        taken.retain(|path, _| !is_gone(path));
        states.retain(|name, _| !is_gone(Path::new(name)));
    }

    /// Opens an arrival for one pass. `None`: the server says that nothing changed.
    ///
    /// # Errors
    /// When it cannot be opened or fetched.
    pub fn open(&mut self, arrival: &Arrival) -> io::Result<Option<Box<dyn Read>>> {
        match arrival {
            Arrival::File(path) => {
                let file = File::open(path)?;
                // The stamp of what is read, not of what stands there when it was read.
                self.taken.insert(path.clone(), Stamp::of(&file.metadata()?));
                Ok(Some(Box::new(file)))
            }
            Arrival::Url(url) => self.fetch(url),
        }
    }

    fn fetch(&mut self, url: &str) -> io::Result<Option<Box<dyn Read>>> {
        self.polled.insert(url.to_owned(), Instant::now());
        let known = self.validators.remove(url).unwrap_or_default();
        let mut request = self.agent.get(url);
        if let Some(etag) = &known.etag {
            request = request.header("If-None-Match", etag);
        }
        if let Some(date) = &known.last_modified {
            request = request.header("If-Modified-Since", date);
        }
        let response = request.call().map_err(io::Error::other)?;
        match response.status().as_u16() {
            200 => {
                let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
                let validators = Validators { etag: header("etag"), last_modified: header("last-modified") };
                self.validators.insert(url.to_owned(), validators);
                Ok(Some(Box::new(response.into_body().into_with_config().limit(MAX_DOWNLOAD).reader())))
            }
            304 => {
                self.validators.insert(url.to_owned(), known);
                Ok(None)
            }
            status => Err(io::Error::other(format!("the server answered with HTTP status {status}"))),
        }
    }

    /// Tells how it went with a source or an arrival. One that may go better next time is looked at
    /// again although it did not change.
    pub fn settle(&mut self, name: &str, problem: Option<String>) {
        if problem.is_some() {
            // What a server sent was cut short or no good: "nothing changed" would keep it so for ever.
            self.validators.remove(name);
        }
        self.states.insert(name.to_owned(), SourceState { problem });
    }

    /// Has an arrival looked at again the next time, changed or not.
    pub fn retry(&mut self, arrival: &Arrival) {
        match arrival {
            Arrival::File(path) => {
                self.taken.remove(path);
            }
            Arrival::Url(url) => {
                self.validators.remove(url);
            }
        }
    }

    /// Each file, folder and URL with a problem, by name.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut problems: Vec<_> = self
            .states
            .iter()
            .filter_map(|(name, state)| Some((name.clone(), state.problem.clone()?)))
            .collect();
        problems.sort();
        problems
    }
}

/// The files of a folder that are meant to be read, in order of name.
fn listing(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let unfinished = name.starts_with('.')
            || [".tmp", ".part", ".partial", ".swp", "~"].iter().any(|end| name.ends_with(end));
        if !unfinished && entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arrivals: &[Arrival]) -> Vec<String> {
        let name = |arrival: &Arrival| match arrival {
            Arrival::File(path) => path.file_name().unwrap().to_string_lossy().into_owned(),
            Arrival::Url(url) => url.clone(),
        };
        arrivals.iter().map(name).collect()
    }

    fn take_all(sources: &mut Sources) -> Vec<String> {
        let arrivals = sources.look();
        for arrival in &arrivals {
            sources.open(arrival).unwrap();
        }
        names(&arrivals)
    }

    #[test]
    fn a_folder_gives_each_file_once_and_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        for name in ["b.crl", "a.crl", ".hidden", "c.crl.tmp", "d~"] {
            write(name, "one");
        }
        std::fs::create_dir(folder.path().join("below")).unwrap();
        let mut sources = Sources::new(vec![Source::Folder(folder.path().to_owned())], Duration::ZERO);
        assert_eq!(take_all(&mut sources), ["a.crl", "b.crl"]);
        assert!(take_all(&mut sources).is_empty());
        write("b.crl", "two, longer");
        assert_eq!(take_all(&mut sources), ["b.crl"]);
        sources.retry(&Arrival::File(folder.path().join("a.crl")));
        assert_eq!(take_all(&mut sources), ["a.crl"]);
    }

    #[test]
    fn a_file_or_folder_that_is_not_there_is_a_problem_and_then_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("late.crl");
        let mut sources = Sources::new(vec![Source::File(path.clone())], Duration::ZERO);
        assert!(sources.look().is_empty());
        assert_eq!(sources.problems().len(), 1);
        std::fs::write(&path, "here").unwrap();
        let arrivals = sources.look();
        assert_eq!(names(&arrivals), ["late.crl"]);
        sources.settle(&arrivals[0].to_string(), None);
        assert!(sources.problems().is_empty());
    }

    #[test]
    fn a_problem_goes_with_its_file_and_stays_with_one_that_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (loose, named) = (folder.path().join("loose.crl"), folder.path().join("named.crl"));
        let sources = vec![Source::File(named.clone()), Source::Folder(folder.path().to_owned())];
        let mut sources = Sources::new(sources, Duration::ZERO);
        for path in [&loose, &named] {
            std::fs::write(path, "no CRL").unwrap();
        }
        for arrival in sources.look() {
            sources.open(&arrival).unwrap();
            sources.settle(&arrival.to_string(), Some("is not a CRL".to_owned()));
        }
        assert_eq!(sources.problems().len(), 2);
        std::fs::remove_file(&loose).unwrap();
        std::fs::remove_file(&named).unwrap();
        assert!(sources.look().is_empty());
        let problems = sources.problems();
        let [(name, why)] = problems.as_slice() else { panic!("{problems:?}") };
        assert_eq!(*name, named.display().to_string());
        assert!(why.starts_with("cannot be read"), "{why}");
    }

    #[test]
    fn a_pipe_or_a_folder_where_a_file_should_be_is_told_and_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.crl");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::fs::create_dir(folder.path().join("below")).unwrap();
        std::os::unix::fs::symlink("below", folder.path().join("link.crl")).unwrap();
        let mut sources = Sources::new(vec![Source::Folder(folder.path().to_owned())], Duration::ZERO);
        assert!(sources.look().is_empty());
        let whys: Vec<String> = sources.problems().into_iter().map(|(_, why)| why).collect();
        assert_eq!(whys, ["is not a file", "is not a file"]);
    }

    /// Answers one connection after another with these octets and gives back what was asked.
    fn server(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        use std::io::{BufRead, BufReader, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/a.crl", listener.local_addr().unwrap());
        let serve = move || {
            let serve_one = |answer: String| {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let asked: Vec<String> =
                    lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
                stream.write_all(answer.as_bytes()).unwrap();
                asked.join("\n").to_lowercase()
            };
            answers.into_iter().map(serve_one).collect()
        };
        (url, std::thread::spawn(serve))
    }

    fn fetched(sources: &mut Sources) -> io::Result<Option<Vec<u8>>> {
        let arrivals = sources.look();
        let Some(mut content) = sources.open(&arrivals[0])? else { return Ok(None) };
        let mut octets = Vec::new();
        content.read_to_end(&mut octets)?;
        Ok(Some(octets))
    }

    #[test]
    fn a_url_is_asked_with_what_its_server_said_until_what_it_sent_was_no_good() {
        let fresh = "HTTP/1.1 200 OK\r\nETag: \"one\"\r\nConnection: close\r\n\r\ncontent".to_owned();
        let unchanged = "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_owned();
        let (url, served) = server(vec![fresh.clone(), unchanged.clone(), unchanged, fresh]);
        let mut sources = Sources::new(vec![Source::Url(url.clone())], Duration::ZERO);
        assert_eq!(fetched(&mut sources).unwrap(), Some(b"content".to_vec()));
        sources.settle(&url, None);
        assert_eq!(fetched(&mut sources).unwrap(), None);
        assert_eq!(fetched(&mut sources).unwrap(), None, "304 keeps what is known");
        // A body without a length may be cut short without anybody noticing but the parser.
        sources.settle(&url, Some("is cut short".to_owned()));
        assert_eq!(fetched(&mut sources).unwrap(), Some(b"content".to_vec()));
        let asked = served.join().unwrap();
        let conditional: Vec<bool> =
            asked.iter().map(|request| request.contains("if-none-match: \"one\"")).collect();
        assert_eq!(conditional, [false, true, true, false]);
    }

    #[test]
    fn t31_a_body_cut_short_and_an_error_page_are_errors_and_not_content() {
        let short =
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n0123456789".to_owned();
        let page =
            "HTTP/1.1 503 Unavailable\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry".to_owned();
        let (url, served) = server(vec![short, page]);
        let mut sources = Sources::new(vec![Source::Url(url)], Duration::ZERO);
        assert!(fetched(&mut sources).is_err());
        let why = fetched(&mut sources).unwrap_err();
        assert!(why.to_string().contains("503"), "{why}");
        served.join().unwrap();
    }
}
