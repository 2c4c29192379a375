//! Where CRLs come from: files, watched folders, URLs.
//!
//! A look at the sources gives what is new: files whose name, size or times changed since they were
//! last taken, and URLs whose server sent something. Watching is looking again twice a
//! second: 2,000 files take seven milliseconds, and nothing is missed that a file system, a network
//! share or a container forgot to notify. Names are compared as octets here, not as paths, component by component,
//! which took as long again. URLs are asked by other threads ([`fetch`](super::fetch)), when the
//! [`schedule`](super::schedule) says so; a look only collects what has come, and never waits.

#![expect(clippy::disallowed_methods, reason = "polling is paced by elapsed time, not by the date")]

mod files;

use super::fetch::{End, FetchOptions, Fetched, Fetches, Places, Validators};
use super::{Refused, Report, Timed, schedule};
use crate::clock::Clock;
use crate::x509::UnixTime;
use files::{Stamp, listing};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

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

/// Something new from a source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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

/// An arrival, opened.
pub struct Content {
    octets: File,
    /// When it came: the file's last change, or the head of the server's answer.
    pub arrived: SystemTime,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.octets.read(buffer)
    }
}

impl Seek for Content {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.octets.seek(to)
    }
}

/// One source, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceReport {
    pub source: String,
    /// When it was last looked at, or its server last asked.
    pub last_tried: Option<UnixTime>,
    /// When a CRL from it last changed anything.
    pub last_changed: Option<UnixTime>,
    /// When the server is asked next, at the latest.
    pub next_try: Option<UnixTime>,
    /// What went wrong the last time.
    pub problem: Option<String>,
}

/// A configured source, and what is known of it as a whole.
#[derive(Debug)]
struct Watched {
    source: Source,
    /// Of a folder: the files that were in it.
    listed: Vec<OsString>,
    last_tried: Option<UnixTime>,
    last_changed: Option<UnixTime>,
}

/// How it stands with a URL.
#[derive(Debug)]
struct Url {
    due: Instant,
    is_under_way: bool,
    was_tried: bool,
    known: Validators,
    /// In a row.
    failures: u32,
    /// Of the CRL that it gave last.
    next_update: Option<UnixTime>,
    /// What came, until it is opened.
    ended: Option<Fetched>,
    /// When it came.
    timed: Option<Timed>,
}

/// All sources, and what was taken from them so far.
#[derive(Debug)]
pub struct Sources {
    watched: Vec<Watched>,
    taken: HashMap<OsString, Stamp>,
    urls: HashMap<String, Url>,
    /// Why a source, or a file of a folder, could not be used when it was last tried; `None`: it could.
    problems: HashMap<String, Option<String>>,
    fetches: Fetches,
    options: FetchOptions,
    scratch: PathBuf,
    clock: Clock,
}

impl Sources {
    /// `scratch` is a folder on a disk with room for what is fetched.
    #[must_use]
    pub fn new(sources: Vec<Source>, options: FetchOptions, scratch: PathBuf, clock: Clock) -> Self {
        Self::with(sources, options, scratch, clock, Places::default())
    }

    /// Other sources in the place of these. Nothing of them was taken yet.
    #[must_use]
    pub fn replaced(&self, sources: Vec<Source>, options: FetchOptions) -> Self {
        // Fetches of before may still be under way; what they bring is not waited for.
        Self::with(sources, options, self.scratch.clone(), self.clock.clone(), self.fetches.places())
    }

    fn with(
        sources: Vec<Source>,
        options: FetchOptions,
        scratch: PathBuf,
        clock: Clock,
        places: Places,
    ) -> Self {
        let now = Instant::now();
        let url = |source: &Source| match source {
            Source::Url(url) => Some((url.clone(), Url::due(now))),
            Source::File(_) | Source::Folder(_) => None,
        };
        Self {
            urls: sources.iter().filter_map(url).collect(),
            watched: sources
                .into_iter()
                .map(|source| Watched { source, listed: Vec::new(), last_tried: None, last_changed: None })
                .collect(),
            taken: HashMap::new(),
            problems: HashMap::new(),
            fetches: Fetches::new(options, scratch.clone(), places),
            options,
            scratch,
            clock,
        }
    }

    /// What is new, in order of source and name. Each arrival is to be opened with [`Sources::open`]
    /// and its end told with [`Sources::conclude`]. Never waits for a server.
    pub fn look(&mut self) -> Vec<Arrival> {
        while let Some(end) = self.fetches.take_ended() {
            self.take_end(end);
        }
        let now = self.clock.now();
        let mut arrivals = Vec::new();
        let named: Vec<PathBuf> = self.watched.iter().filter_map(|one| one.source.file()).collect();
        let mut watched = std::mem::take(&mut self.watched);
        for Watched { source, listed, last_tried, .. } in &mut watched {
            match source {
                Source::File(path) => {
                    *last_tried = Some(now);
                    self.look_at(path, &mut arrivals);
                }
                Source::Folder(folder) => {
                    *last_tried = Some(now);
                    match listing(folder) {
                        Ok(paths) => {
                            if paths != *listed || self.problems.values().any(Option::is_some) {
                                self.forget_vanished(folder, &paths, &named);
                            }
                            self.settle(&folder.display().to_string(), None);
                            for path in &paths {
                                self.look_at(Path::new(path), &mut arrivals);
                            }
                            *listed = paths;
                        }
                        Err(why) => {
                            let why = format!("cannot be listed: {why}");
                            self.settle(&folder.display().to_string(), Some(why));
                        }
                    }
                }
                Source::Url(url) => {
                    let Some(state) = self.urls.get_mut(url) else { continue };
                    if state.ended.is_some() {
                        arrivals.push(Arrival::Url(url.clone()));
                    } else if !state.is_under_way
                        && state.due <= Instant::now()
                        && self.fetches.start(url, state.known.clone())
                    {
                        state.is_under_way = true;
                        *last_tried = Some(now);
                    }
                }
            }
        }
        self.watched = watched;
        arrivals
    }

    /// As [`Sources::look`], and waits until every server that was due has answered, or failed.
    pub fn look_and_wait(&mut self) -> Vec<Arrival> {
        let mut arrivals = self.look();
        while self.urls.values().any(|url| url.is_under_way) {
            let Some(end) = self.fetches.wait_for_end() else { break };
            self.take_end(end);
            // Its place is free for the next one. Files are as they were found the first time.
            for arrival in self.look() {
                if !arrivals.contains(&arrival) {
                    arrivals.push(arrival);
                }
            }
        }
        arrivals
    }

    /// Whether the first answer of any URL is still to come.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.urls.values().any(|url| !url.was_tried)
    }

    fn take_end(&mut self, End { url, fetched, timed }: End) {
        // One of an older configuration is nobody's.
        let Some(url) = self.urls.get_mut(&url) else { return };
        url.is_under_way = false;
        url.was_tried = true;
        url.failures = if fetched.is_err() { url.failures.saturating_add(1) } else { 0 };
        url.ended = Some(fetched);
        url.timed = Some(timed);
    }

    fn look_at(&mut self, path: &Path, arrivals: &mut Vec<Arrival>) {
        match std::fs::metadata(path) {
            // Opening a pipe waits for a writer, and with it everything behind this look.
            Ok(metadata) if !metadata.is_file() => {
                self.settle(&path.display().to_string(), Some("is not a file".to_owned()));
            }
            Ok(metadata) if self.taken.get(path.as_os_str()) == Some(&Stamp::of(&metadata)) => {}
            Ok(_) => arrivals.push(Arrival::File(path.to_owned())),
            Err(why) => {
                // Back with the same stamp it is taken again, so that the problem ends.
                self.taken.remove(path.as_os_str());
                self.settle(&path.display().to_string(), Some(format!("cannot be read: {why}")));
            }
        }
    }

    /// A file that is not in its folder any more is no problem any more.
    fn forget_vanished(&mut self, folder: &Path, listed: &[OsString], named: &[PathBuf]) {
        let Self { taken, problems, .. } = self;
        let is_gone = |path: &Path| {
            path.parent() == Some(folder)
                && listed.binary_search_by(|one| one.as_os_str().cmp(path.as_os_str())).is_err()
                && !named.iter().any(|one| one == path)
        };
        taken.retain(|path, _| !is_gone(Path::new(path)));
        problems.retain(|name, _| !is_gone(Path::new(name)));
    }

    /// Opens an arrival for one pass. `None`: the server says that nothing changed.
    ///
    /// # Errors
    /// When it cannot be opened, or was not fetched.
    pub fn open(&mut self, arrival: &Arrival) -> io::Result<Option<Content>> {
        match arrival {
            Arrival::File(path) => {
                // One that cannot be opened is not tried at every look.
                self.taken.insert(path.clone().into(), Stamp::of(&std::fs::metadata(path)?));
                let file = File::open(path)?;
                // The stamp of what is read, not of what stands there when it was read.
                let stamp = Stamp::of(&file.metadata()?);
                self.taken.insert(path.clone().into(), stamp);
                Ok(Some(Content { octets: file, arrived: stamp.arrived() }))
            }
            Arrival::Url(name) => {
                let Some(url) = self.urls.get_mut(name) else { return Ok(None) };
                let Some(download) = url.ended.take().transpose()?.flatten() else { return Ok(None) };
                url.known = download.validators;
                Ok(Some(Content { octets: download.file, arrived: download.arrived }))
            }
        }
    }

    /// When an arrival was fetched, or was to be; `None` where it is a file.
    #[must_use]
    pub fn fetched(&self, arrival: &Arrival) -> Option<Timed> {
        match arrival {
            Arrival::File(_) => None,
            Arrival::Url(url) => self.urls.get(url)?.timed,
        }
    }

    /// Tells what became of an arrival; `None` where nothing had changed.
    pub fn conclude(&mut self, arrival: &Arrival, outcome: Result<Option<&Report>, &Refused>) {
        let name = arrival.to_string();
        if outcome.is_ok_and(|report| report.is_some_and(Report::is_applied)) {
            let now = self.clock.now();
            for watched in self.watched.iter_mut().filter(|watched| watched.source.brings(arrival)) {
                watched.last_changed = Some(now);
            }
        }
        if let Arrival::Url(url) = arrival
            && let Some(url) = self.urls.get_mut(url)
        {
            if let Ok(Some(report)) = outcome {
                url.next_update = Some(report.next_update);
            }
            if outcome.is_err() && url.failures == 0 {
                // What the server sent was cut short or no good: "nothing changed" would keep it so for ever.
                url.known = Validators::default();
            }
            let left = url.next_update.map(|next_update| next_update.since(self.clock.now()));
            let wait = schedule::wait(self.options.every, left, url.failures, schedule::chance());
            url.due = Instant::now() + wait;
        }
        self.settle(&name, outcome.err().map(ToString::to_string));
    }

    /// Tells how it went with a source that is not a CRL's, too.
    pub fn settle(&mut self, name: &str, problem: Option<String>) {
        self.problems.insert(name.to_owned(), problem);
    }

    /// Has an arrival looked at again the next time, changed or not, whatever the schedule says.
    pub fn retry(&mut self, arrival: &Arrival) {
        match arrival {
            Arrival::File(path) => {
                self.taken.remove(path.as_os_str());
            }
            Arrival::Url(url) => {
                if let Some(url) = self.urls.get_mut(url) {
                    url.due = Instant::now();
                    url.known = Validators::default();
                }
            }
        }
    }

    /// Whether anything is known of a file, folder or URL of this name: one that went away is forgotten.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.problems.contains_key(name)
    }

    /// Each file, folder and URL with a problem, by name.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut problems: Vec<_> = self
            .problems
            .iter()
            .filter_map(|(name, problem)| Some((name.clone(), problem.clone()?)))
            .collect();
        problems.sort();
        problems
    }

    /// Every configured source, in order.
    #[must_use]
    pub fn reports(&self) -> Vec<SourceReport> {
        let (problems, now, instant) = (self.problems(), self.clock.now(), Instant::now());
        let report = |watched: &Watched| SourceReport {
            source: watched.source.to_string(),
            last_tried: watched.last_tried,
            last_changed: watched.last_changed,
            next_try: match &watched.source {
                Source::Url(url) => self.urls.get(url).map(|url| {
                    let seconds = url.due.saturating_duration_since(instant).as_secs();
                    now.plus(i64::try_from(seconds).unwrap_or(i64::MAX))
                }),
                Source::File(_) | Source::Folder(_) => None,
            },
            problem: watched.source.problem(&problems),
        };
        self.watched.iter().map(report).collect()
    }
}

impl Url {
    fn due(due: Instant) -> Self {
        Self {
            due,
            is_under_way: false,
            was_tried: false,
            known: Validators::default(),
            failures: 0,
            next_update: None,
            ended: None,
            timed: None,
        }
    }
}

impl Source {
    fn file(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Folder(_) | Self::Url(_) => None,
        }
    }

    fn brings(&self, arrival: &Arrival) -> bool {
        match (self, arrival) {
            (Self::File(named), Arrival::File(path)) => named == path,
            (Self::Folder(folder), Arrival::File(path)) => path.parent() == Some(folder),
            (Self::Url(named), Arrival::Url(url)) => named == url,
            (Self::File(_) | Self::Folder(_), Arrival::Url(_)) | (Self::Url(_), Arrival::File(_)) => false,
        }
    }

    /// Its own problem, or that of the first of its files that has one.
    fn problem(&self, problems: &[(String, String)]) -> Option<String> {
        let name = self.to_string();
        if let Some((_, why)) = problems.iter().find(|(one, _)| *one == name) {
            return Some(why.clone());
        }
        let mut of_files = problems.iter().filter(|(one, _)| self.brings(&Arrival::File(one.into())));
        let (first, why) = of_files.next()?;
        Some(match of_files.count() {
            0 => format!("{first} {why}"),
            more => format!("{first} {why}; and {more} more"),
        })
    }
}

#[cfg(test)]
mod tests;
