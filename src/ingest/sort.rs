//! Sorts the entries of a CRL, however many, in bounded memory.
//!
//! A CRL lists its entries in any order; the store wants them by serial number. [`Sorter`] takes
//! them as the parser finds them; when its memory is full it writes a sorted run to a file and goes
//! on, and [`SortedEntries`] merges the runs. The files have no name (each is unlinked as soon as it is
//! open, and is nobody else's to read), so a crash leaves nothing behind, and no serial numbers.
//!
//! Entries that come in order already are left as they are. Others are dealt out to parts that follow one
//! another and fit the processor's cache, and each part is sorted when its turn comes: a third of the
//! time of sorting all of them at once. Where the parts begin is told by a sample from all over the
//! entries, so that dense, random and nearly sorted serials all give even parts.
//!
//! A serial that is listed twice comes out once, whatever the order in the CRL: with the earliest
//! revocation time; of equal times with a reason that is not a hold; then with the lowest reason.
//! The others are counted.
//!
//! Errors: [`SortError`]; only a full or failing disk makes one.
//!
//! Format of a run, read by the process that wrote it and nobody else: the two numbers of each entry,
//! little-endian.

use super::dealt::{Entries, InMemory};
use crate::x509::{PackedEntry, Revocation, SerialNumber};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs that are merged at once: that many files and buffers are open. More runs become one first.
const MAX_RUNS: usize = 64;

/// Buffer of a run that is written or read.
const BUFFER: usize = 128 << 10;

/// Why entries could not be sorted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SortError {
    /// A temporary file could not be made, written or read.
    #[error(
        "the entries of the CRL cannot be sorted in {}: {detail} (check free space and permissions there)",
        folder.display()
    )]
    TemporaryFile { folder: PathBuf, detail: String },
}

/// Takes entries in any order.
#[derive(Debug)]
pub struct Sorter {
    folder: PathBuf,
    max_entries: usize,
    entries: Entries,
    runs: Vec<Run>,
    duplicates: u64,
}

/// Octets of an entry in a run.
const WIDTH: usize = PackedEntry::OCTETS;

/// The next entry of a run; `None` at its end.
fn read(input: &mut BufReader<File>) -> std::io::Result<Option<PackedEntry>> {
    if let Some(octets) = input.buffer().first_chunk() {
        let entry = PackedEntry::from_octets(octets);
        input.consume(WIDTH);
        return Ok(Some(entry));
    }
    // Over the end of the buffer, or at the end of the run.
    let mut octets = [0; WIDTH];
    if input.fill_buf()?.is_empty() {
        return Ok(None);
    }
    input.read_exact(&mut octets)?;
    Ok(Some(PackedEntry::from_octets(&octets)))
}

/// Sorted entries, in memory or in a file.
#[derive(Debug)]
enum Run {
    Memory(InMemory),
    File(BufReader<File>),
}

impl Run {
    fn next(&mut self) -> std::io::Result<Option<PackedEntry>> {
        match self {
            Self::Memory(entries) => Ok(entries.next()),
            Self::File(file) => read(file),
        }
    }
}

impl Sorter {
    /// A sorter that holds about `max_bytes` of entries in memory (32 octets each) and spills to unnamed
    /// files in `folder`.
    #[must_use]
    pub fn new(folder: &Path, max_bytes: usize) -> Self {
        Self {
            folder: folder.to_owned(),
            max_entries: (max_bytes / size_of::<PackedEntry>()).max(1),
            entries: Entries::default(),
            runs: Vec::new(),
            duplicates: 0,
        }
    }

    /// Takes one entry.
    ///
    /// # Errors
    /// When memory is full and the disk refuses.
    pub fn push(&mut self, serial: SerialNumber, revocation: Revocation) -> Result<(), SortError> {
        self.push_packed(PackedEntry::new(serial, &revocation))
    }

    /// As [`Sorter::push`].
    ///
    /// # Errors
    /// As there.
    pub fn push_packed(&mut self, entry: PackedEntry) -> Result<(), SortError> {
        if self.entries.len == self.max_entries {
            self.spill()?;
        }
        self.entries.push(entry);
        Ok(())
    }

    /// All entries, sorted.
    ///
    /// # Errors
    /// When a spilled run cannot be read.
    pub fn finish(mut self) -> Result<SortedEntries, SortError> {
        self.runs.push(Run::Memory(self.entries.sorted()));
        SortedEntries::new(self.folder, self.runs, self.duplicates)
    }

    fn spill(&mut self) -> Result<(), SortError> {
        if self.runs.len() >= MAX_RUNS {
            let runs = std::mem::take(&mut self.runs);
            let mut merged = SortedEntries::new(self.folder.clone(), runs, self.duplicates)?;
            let mut one = NewRun::create(&self.folder)?;
            while let Some(entry) = merged.pull()? {
                one.write(&entry)?;
            }
            self.duplicates = merged.duplicates;
            self.runs.push(one.finish()?);
        }
        let mut run = NewRun::create(&self.folder)?;
        let mut entries = std::mem::take(&mut self.entries).sorted_and_kept();
        for entry in entries.by_ref() {
            run.write(&entry)?;
        }
        self.entries = Entries::reusing(entries.into_emptied());
        self.runs.push(run.finish()?);
        Ok(())
    }
}

/// A run being written.
struct NewRun<'a> {
    folder: &'a Path,
    file: BufWriter<File>,
}

impl<'a> NewRun<'a> {
    fn create(folder: &'a Path) -> Result<Self, SortError> {
        let file = unnamed_file(folder).map_err(|error| failed(folder, &error))?;
        Ok(Self { folder, file: BufWriter::with_capacity(BUFFER, file) })
    }

    fn write(&mut self, entry: &PackedEntry) -> Result<(), SortError> {
        self.file.write_all(&entry.to_octets()).map_err(|error| failed(self.folder, &error))
    }

    fn finish(self) -> Result<Run, SortError> {
        let mut file = self.file.into_inner().map_err(|error| failed(self.folder, error.error()))?;
        file.rewind().map_err(|error| failed(self.folder, &error))?;
        Ok(Run::File(BufReader::with_capacity(BUFFER, file)))
    }
}

/// A new file without a name, on the disk of `folder`: nobody else's to read, and gone with its last user.
pub(super) fn unnamed_file(folder: &Path) -> std::io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".ocsprey-{}-{number}", std::process::id()));
        match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => {
                // From here on the file is only ours, and goes away with us.
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            // Left by a process of our number that was killed just between these two steps.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

fn failed(folder: &Path, error: &std::io::Error) -> SortError {
    SortError::TemporaryFile { folder: folder.to_owned(), detail: error.to_string() }
}

/// Entries, strictly ascending by serial number.
#[derive(Debug)]
pub struct SortedEntries {
    folder: PathBuf,
    runs: Vec<Run>,
    /// The next entry of every run; `None` at its end.
    heads: Vec<Option<PackedEntry>>,
    /// The first octets of those, which nearly always tell the lowest: looking through a few of them takes less
    /// than keeping a heap.
    fronts: Vec<u64>,
    last: Option<PackedEntry>,
    duplicates: u64,
}

/// The first octets of an entry; at the end of a run the highest there are.
fn front(head: Option<&PackedEntry>) -> u64 {
    head.map_or(u64::MAX, |entry| (entry.front() >> 64) as u64)
}

impl SortedEntries {
    fn new(folder: PathBuf, mut runs: Vec<Run>, duplicates: u64) -> Result<Self, SortError> {
        let heads = runs.iter_mut().map(Run::next).collect::<Result<Vec<_>, _>>();
        let heads = heads.map_err(|error| failed(&folder, &error))?;
        let fronts = heads.iter().map(|head| front(head.as_ref())).collect();
        Ok(Self { folder, runs, heads, fronts, last: None, duplicates })
    }

    /// Entries left out so far because their serial had come already; all of them, at the end.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// The lowest of the runs' next entries.
    fn lowest(&mut self) -> Result<Option<PackedEntry>, SortError> {
        // Without a jump: which run has the lowest is anybody's guess, the processor's too.
        let (mut lowest, mut index) = (u64::MAX, 0);
        for (run, front) in self.fronts.iter().copied().enumerate() {
            index = if front < lowest { run } else { index };
            lowest = lowest.min(front);
        }
        if lowest == u64::MAX || self.fronts.iter().filter(|front| **front == lowest).count() > 1 {
            let heads = self.heads.iter().enumerate().filter_map(|(run, head)| Some(((*head)?, run)));
            let Some((_, run)) = heads.min() else { return Ok(None) };
            index = run;
        }
        let Some(Some(entry)) = self.heads.get(index).copied() else { return Ok(None) };
        let next = match self.runs.get_mut(index) {
            Some(run) => run.next().map_err(|error| failed(&self.folder, &error))?,
            None => None,
        };
        if let (Some(head), Some(place)) = (self.heads.get_mut(index), self.fronts.get_mut(index)) {
            *place = front(next.as_ref());
            *head = next;
        }
        Ok(Some(entry))
    }

    fn pull(&mut self) -> Result<Option<PackedEntry>, SortError> {
        loop {
            let Some(entry) = self.lowest()? else { return Ok(None) };
            // Of equal serials the first is the one to keep: `PackedEntry` says in which order they come.
            if self.last.is_some_and(|last| last.is_of_the_same_serial(&entry)) {
                self.duplicates += 1;
            } else {
                self.last = Some(entry);
                return Ok(Some(entry));
            }
        }
    }
}

impl Iterator for SortedEntries {
    type Item = Result<(SerialNumber, Revocation), SortError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.pull().transpose()?;
        let damaged = || failed(&self.folder, &ErrorKind::InvalidData.into());
        Some(entry.and_then(|entry| entry.parts().ok_or_else(damaged)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::{CrlReason, UnixTime};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn revocation(seconds: i64, reason: Option<CrlReason>) -> Revocation {
        Revocation { time: UnixTime::from_seconds(seconds), reason, invalidity: None }
    }

    /// Sorted in memory of `max_entries` entries, and the number of duplicates.
    fn sorted(
        entries: &[(SerialNumber, Revocation)],
        max_entries: usize,
    ) -> (Vec<(SerialNumber, Revocation)>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(folder.path(), max_entries * size_of::<PackedEntry>());
        for (serial, revocation) in entries {
            sorter.push(*serial, *revocation).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "spilled runs have no name");
        let entries = sorted.by_ref().collect::<Result<Vec<_>, _>>().unwrap();
        (entries, sorted.duplicates())
    }

    #[test]
    fn f39_of_duplicates_a_permanent_reason_then_the_earliest_time_is_kept_in_any_order() {
        let serial = SerialNumber::from(7);
        let hold = Some(CrlReason::CertificateHold);
        let key = Some(CrlReason::KeyCompromise);
        let entries =
            [revocation(200, None), revocation(50, hold), revocation(100, key), revocation(300, hold)]
                .map(|revocation| (serial, revocation));
        for rotation in 0..entries.len() {
            let mut turned = entries;
            turned.rotate_left(rotation);
            for max_entries in [1, 2, 100] {
                assert_eq!(sorted(&turned, max_entries), (vec![(serial, revocation(100, key))], 3));
            }
        }
    }

    #[test]
    fn no_entries_and_entries_that_fill_memory_exactly() {
        assert_eq!(sorted(&[], 10), (vec![], 0));
        let entries: Vec<_> = (0..20).rev().map(|n| (SerialNumber::from(n), revocation(5, None))).collect();
        let ascending: Vec<_> = entries.iter().rev().copied().collect();
        assert_eq!(sorted(&entries, 10), (ascending, 0));
    }

    #[test]
    fn more_runs_than_are_merged_at_once() {
        let count = 10 * MAX_RUNS as u64;
        let entries: Vec<_> = (0..2 * count)
            .map(|n| (SerialNumber::from(n * 7919 % count), revocation(n as i64, None)))
            .collect();
        let (sorted, duplicates) = sorted(&entries, 3);
        assert_eq!(duplicates, count);
        assert_eq!(sorted.len() as u64, count);
        assert!(sorted.is_sorted_by(|a, b| a.0 < b.0));
        assert!(sorted.iter().all(|(_, revocation)| revocation.time.seconds() < count as i64));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let mut sorter = Sorter::new(Path::new("/nonexistent/folder"), 1);
        sorter.push(SerialNumber::from(1), revocation(1, None)).unwrap();
        let error = sorter.push(SerialNumber::from(2), revocation(1, None)).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/folder"), "{error}");
    }

    proptest! {
        #[test]
        fn spilled_or_not_it_is_what_a_map_would_hold(
            entries in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 1..4), 0..5i64, 0..11usize, prop::option::of(0..3i64)),
                0..200,
            ),
            max_entries in 1..50usize,
        ) {
            let entries: Vec<_> = entries.into_iter().map(|(serial, time, reason, invalidity)| {
                (SerialNumber::from_unsigned(&serial).unwrap(), Revocation {
                    time: UnixTime::from_seconds(time),
                    reason: CrlReason::ALL.get(reason).copied(),
                    invalidity: invalidity.map(UnixTime::from_seconds),
                })
            }).collect();
            let mut expected = BTreeMap::new();
            for (serial, revocation) in &entries {
                let entry = PackedEntry::new(*serial, revocation);
                expected.entry(*serial).and_modify(|held: &mut PackedEntry| *held = entry.min(*held)).or_insert(entry);
            }
            let (sorted, duplicates) = sorted(&entries, max_entries);
            prop_assert_eq!(duplicates as usize, entries.len() - expected.len());
            prop_assert_eq!(sorted, expected.values().map(|entry| entry.parts().unwrap()).collect::<Vec<_>>());
        }
    }
}
