//! Pre-signed answers: written by whoever signs beforehand, read by requests.
//!
//! A *series* is all that one key signs for one CA in one form of CertIDs; whatever its answers have in
//! common (CA, signer, template, form) is hashed into its name, so that a new signer begins a new series
//! and never meets the signatures of the old one. A series is signed in *segments*, ranges of serial
//! numbers with a record each of when they are due: that is all the index there is, some 1,000 records for
//! 250 million answers.
//!
//! Concurrency: these rows are nobody else's, so signing takes no pen. Several threads may write segments
//! that do not overlap. Requests read the newest rows and not those of their snapshot: a row is only
//! believed where it agrees with what the snapshot says, so it may be of any time.
//!
//! A crash between the rows of a segment and its record leaves rows that may be used and a range that is
//! signed again. Rows that were lost are signed by the request that misses them.

use super::Store;
use super::block;
use super::db::{Batch, Db, Durability, Family, prefix_end};
use super::error::StoreError;
use super::format::answers::{segment_key, segment_start};
use super::format::{NumberKind, RowKey, decode_listed, decode_number, serial_of};
use super::scope::{Inventoried, IssuerNumber, ScopeNumber, SeriesNumber};
use super::view::ReadView;
use crate::x509::{SerialNumber, UnixTime};
use rocksdb::{DBRawIterator, ReadOptions, SstFileWriter};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

pub use super::format::answers::{AnswerRow, Grounds, SegmentRow, SerialBound};

/// Answers that go through the log; more are written as a sorted file of their own, which costs a third.
const FEW: usize = 2048;

/// How far a look-up may go for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As far as the memory of the store: what is not there is [`StoreError::NotInMemory`].
    Memory,
    /// To the disk, which may take milliseconds.
    Disk,
}

/// A range of serial numbers, and the record of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    pub start: SerialBound,
    pub row: SegmentRow,
}

/// A serial number that may be asked about: it is on a CRL, or in the inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    pub serial_number: SerialNumber,
    pub listed: Inventoried,
    /// Whether any CRL says anything of it.
    pub has_status: bool,
}

impl Store {
    /// The number of the series with this name, given out the first time.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn series(&self, name: &[u8; 32]) -> Result<SeriesNumber, StoreError> {
        self.number(NumberKind::Series, name).map(SeriesNumber)
    }

    /// How many answers all series hold, and when the first of them runs out; `None` where there are none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn presigned(&self) -> Result<Option<(u64, UnixTime)>, StoreError> {
        let mut found: Option<(u64, UnixTime)> = None;
        let mut rows = self.db.rows_from(Family::Meta, b"A", None)?;
        while let Some((_, value)) = rows.current() {
            let row = SegmentRow::decode(value).map_err(|bad| self.db.bad(bad))?;
            if row.answers > 0 {
                let (answers, expires) = found.unwrap_or((0, row.expires));
                found = Some((answers + u64::from(row.answers), expires.min(row.expires)));
            }
            rows.advance()?;
        }
        Ok(found)
    }

    /// The segments of a series, in order of serial number.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn segments(&self, series: SeriesNumber) -> Result<Vec<Segment>, StoreError> {
        let mut segments = Vec::new();
        let prefix = segment_key(series, &SerialBound::FIRST);
        let mut rows = self.db.rows_from(Family::Meta, &prefix, None)?;
        while let Some((key, value)) = rows.current() {
            let segment = segment_start(key).and_then(|start| {
                let row = SegmentRow::decode(value)?;
                Ok(Segment { start, row })
            });
            segments.push(segment.map_err(|bad| self.db.bad(bad))?);
            rows.advance()?;
        }
        Ok(segments)
    }

    /// Begins to write the segment that starts at `start`. `latest_due` is when it is looked at
    /// again even if nothing in it is due, because it may have grown.
    ///
    /// # Errors
    /// When the store is open for reading only.
    pub fn write_segment(
        &self,
        series: SeriesNumber,
        start: SerialBound,
        latest_due: UnixTime,
    ) -> Result<SegmentWriter<'_>, StoreError> {
        self.must_write()?;
        Ok(SegmentWriter {
            db: &self.db,
            series,
            start,
            few: Vec::new(),
            file: None,
            octets: Vec::with_capacity(512),
            row: SegmentRow { end: start, due: latest_due, expires: UnixTime::MAX, answers: 0 },
        })
    }

    /// Begins a few single answers of segments that are there already, and that are due when they were.
    ///
    /// # Errors
    /// When the store is open for reading only.
    pub fn begin_answers(&self, series: SeriesNumber) -> Result<SingleAnswers<'_>, StoreError> {
        self.must_write()?;
        let (batch, octets) = (self.db.batch()?, Vec::with_capacity(512));
        Ok(SingleAnswers { db: &self.db, series, batch, added: Vec::new(), octets })
    }

    /// Takes away the series that are none of `kept` and whose answers began to run out by `now`: nobody
    /// signs them any more. Until then a mistaken configuration, or the way back to an older signer, loses
    /// nothing. How many there were.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn forget_series_but(&self, kept: &[SeriesNumber], now: UnixTime) -> Result<usize, StoreError> {
        let _writing = self.begin_write()?;
        let mut forgotten = Vec::new();
        let mut rows = self.db.rows_from(Family::Meta, &[NumberKind::Series as u8], None)?;
        while let Some((key, value)) = rows.current() {
            let number = decode_number("the number of a series", value).map_err(|bad| self.db.bad(bad))?;
            let series = SeriesNumber(number);
            if !kept.contains(&series) {
                let segments = self.segments(series)?;
                // One without segments may be about to get its first ones.
                if !segments.is_empty() && segments.iter().all(|segment| segment.row.expires <= now) {
                    forgotten.push((key.to_vec(), series, segments));
                }
            }
            rows.advance()?;
        }
        for (name, series, segments) in &forgotten {
            let mut batch = self.db.batch()?;
            batch.delete_meta(name);
            for segment in segments {
                batch.delete_meta(&segment_key(*series, &segment.start));
            }
            let from = series.0.to_be_bytes();
            // No key follows those of the very last series.
            let to = prefix_end(&from).unwrap_or_else(|| vec![0xff; 5]);
            batch.delete_answers(&from, &to);
            batch.commit(Durability::Ordered)?;
            let every = [0xff; SerialNumber::MAX_OCTETS];
            self.db.shelf().take_down_between(Family::Answers, series.0, &[], &every);
        }
        Ok(forgotten.len())
    }
}

/// A few answers on their way into the store.
pub struct SingleAnswers<'a> {
    db: &'a Db,
    series: SeriesNumber,
    batch: Batch<'a>,
    added: Vec<SerialNumber>,
    octets: Vec<u8>,
}

impl SingleAnswers<'_> {
    /// Adds an answer.
    pub fn add(&mut self, serial_number: &SerialNumber, row: &AnswerRow<'_>) {
        if row.encode(&mut self.octets) {
            self.batch.put_answer(&RowKey::new(self.series.0, serial_number), &self.octets);
            self.added.push(*serial_number);
        }
    }

    /// Makes them visible.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn commit(self) -> Result<(), StoreError> {
        self.batch.commit(Durability::Ordered)?;
        for serial_number in &self.added {
            self.db.shelf().take_down(Family::Answers, self.series.0, serial_number);
        }
        Ok(())
    }
}

/// The answers of one segment on their way into the store. Dropped before [`SegmentWriter::commit`], it
/// leaves nothing behind.
pub struct SegmentWriter<'a> {
    db: &'a Db,
    series: SeriesNumber,
    start: SerialBound,
    /// While they are few.
    few: Vec<(RowKey, Vec<u8>)>,
    file: Option<StagedFile<'a>>,
    octets: Vec<u8>,
    row: SegmentRow,
}

struct StagedFile<'a> {
    writer: SstFileWriter<'a>,
    path: PathBuf,
}

impl Drop for StagedFile<'_> {
    fn drop(&mut self) {
        // Once taken in it is not there any more.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl SegmentWriter<'_> {
    /// Adds an answer; in ascending order of serial number.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn add(
        &mut self,
        serial_number: &SerialNumber,
        row: &AnswerRow<'_>,
        due: UnixTime,
    ) -> Result<(), StoreError> {
        if !row.encode(&mut self.octets) {
            return Ok(());
        }
        self.row.due = self.row.due.min(due);
        self.row.expires = self.row.expires.min(row.next_update);
        self.row.answers += 1;
        let key = RowKey::new(self.series.0, serial_number);
        if let Some(file) = &mut self.file {
            return file.writer.put(key, &self.octets).map_err(|error| self.db.failed(&error));
        }
        self.few.push((key, self.octets.clone()));
        if self.few.len() > FEW { self.open_file() } else { Ok(()) }
    }

    /// Answers added so far.
    #[must_use]
    pub fn answers(&self) -> u32 {
        self.row.answers
    }

    fn open_file(&mut self) -> Result<(), StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let folder = self.db.staging_folder();
        std::fs::create_dir_all(&folder)
            .map_err(|error| StoreError::Io { path: folder.clone(), detail: error.to_string() })?;
        let name = format!("answers-{}.sst", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut file = StagedFile { writer: self.db.file_writer(Family::Answers), path: folder.join(name) };
        let failed = |error| self.db.failed(&error);
        file.writer.open(&file.path).map_err(failed)?;
        for (key, value) in self.few.drain(..) {
            file.writer.put(key, &value).map_err(failed)?;
        }
        self.file = Some(file);
        Ok(())
    }

    /// Makes the answers visible, as all of the segment up to `end`; it takes the place of segments that
    /// begin in between.
    ///
    /// # Errors
    /// When the store cannot be written. The range then has no record, or its old one.
    pub fn commit(mut self, end: SerialBound) -> Result<(), StoreError> {
        self.row.end = end;
        if let Some(file) = &mut self.file {
            file.writer.finish().map_err(|error| self.db.failed(&error))?;
            self.db.take_files(Family::Answers, vec![file.path.clone()])?;
        }
        // A crash here: answers that are used, in a range that is signed again.
        let mut batch: Batch<'_> = self.db.batch()?;
        for (key, value) in &self.few {
            batch.put_answer(key, value);
        }
        for (key, start) in self.segments_before(end)? {
            if start > self.start {
                batch.delete_meta(&key);
            }
        }
        batch.put_meta(&segment_key(self.series, &self.start), &self.row.encode());
        batch.commit(Durability::Ordered)?;
        // Where one of them is read at the same time it may stay for as long as its answers are of use.
        let (from, to) = (self.start.as_bytes(), end.as_bytes());
        self.db.shelf().take_down_between(Family::Answers, self.series.0, from, to);
        Ok(())
    }

    /// Segments that begin at its own start or later, and before `end`.
    fn segments_before(&self, end: SerialBound) -> Result<Vec<(Vec<u8>, SerialBound)>, StoreError> {
        let mut found = Vec::new();
        let prefix = segment_key(self.series, &SerialBound::FIRST);
        let mut rows = self.db.rows_from(Family::Meta, &prefix, None)?;
        rows.seek(&segment_key(self.series, &self.start))?;
        while let Some((key, _)) = rows.current() {
            let start = segment_start(key).map_err(|bad| self.db.bad(bad))?;
            if start >= end {
                break;
            }
            found.push((key.to_vec(), start));
            rows.advance()?;
        }
        Ok(found)
    }
}

impl ReadView {
    /// Gives the answer that is held for a serial number to `judge`; `None` where there is none.
    ///
    /// # Errors
    /// When the disk fails, the row is damaged, or it is not within `reach`.
    pub fn answer<T>(
        &self,
        series: SeriesNumber,
        serial_number: &SerialNumber,
        reach: Reach,
        judge: impl FnOnce(AnswerRow<'_>) -> T,
    ) -> Result<Option<T>, StoreError> {
        let moment = self.moment();
        let Some(family) = moment.answers else { return Ok(None) };
        let read = match reach {
            Reach::Memory => &moment.newest_in_memory,
            Reach::Disk => &moment.newest,
        };
        let key = RowKey::new(series.0, serial_number);
        let Some(value) = moment.get_with(family, key.as_ref(), read)? else { return Ok(None) };
        AnswerRow::decode(&value).map(|row| Some(judge(row))).map_err(|bad| moment.db.bad(bad))
    }

    /// At most `most` serial numbers of `issuer` from `start` on and before `end` (`None`: to the last), in order: those of its
    /// inventory, and those that are on CRLs. For whoever signs beforehand, not for requests.
    ///
    /// # Errors
    /// When the disk fails or a row is damaged.
    pub fn candidates(
        &self,
        issuer: IssuerNumber,
        start: SerialBound,
        end: Option<SerialBound>,
        most: usize,
    ) -> Result<Vec<Candidate>, StoreError> {
        let mut inventory = Walk::begin(self, Family::Inventory, issuer, start, end)?;
        let mut status = Walk::begin(self, Family::Status, issuer, start, end)?;
        let mut found = Vec::new();
        while found.len() < most {
            let (listed, revoked) = (inventory.serial()?, status.serial()?);
            let Some(serial_number) = listed.into_iter().chain(revoked).min() else { break };
            let mut candidate = Candidate { serial_number, listed: Inventoried::Unlisted, has_status: false };
            if listed == Some(serial_number) {
                candidate.listed = decode_listed(inventory.value()).map_err(|bad| inventory.db.bad(bad))?;
                inventory.advance()?;
            }
            if revoked == Some(serial_number) {
                candidate.has_status = true;
                status.advance()?;
            }
            found.push(candidate);
        }
        Ok(found)
    }
}

impl ReadView {
    /// At most `most` serial numbers that a CRL scope says anything of, from `start` on, in order. For
    /// whoever signs beforehand, not for requests.
    ///
    /// # Errors
    /// When the disk fails or a row is damaged.
    pub fn serials_of_scope(
        &self,
        scope: ScopeNumber,
        start: SerialBound,
        most: usize,
    ) -> Result<Vec<SerialNumber>, StoreError> {
        // Blocks of rows have keys of the same form.
        let mut blocks = Walk::begin(self, Family::ScopeRows, IssuerNumber(scope.0), start, None)?;
        blocks.step_back_before(IssuerNumber(scope.0), start)?;
        let (mut rows, mut found) = (Vec::new(), Vec::new());
        while let Some(key) = blocks.rows.key().filter(|_| found.len() < most) {
            block::decode(key, blocks.value(), &mut rows).map_err(|bad| blocks.db.bad(bad))?;
            let serials = rows.iter().map(|(serial, _)| *serial);
            found.extend(serials.filter(|serial| serial.as_bytes() >= start.as_bytes()));
            blocks.advance()?;
        }
        found.truncate(most);
        Ok(found)
    }
}

/// Serial numbers of one family in order, as of a view.
struct Walk<'a> {
    db: &'a Db,
    rows: DBRawIterator<'a>,
}

impl<'a> Walk<'a> {
    fn begin(
        view: &'a ReadView,
        family: Family,
        issuer: IssuerNumber,
        start: SerialBound,
        end: Option<SerialBound>,
    ) -> Result<Self, StoreError> {
        let moment = view.moment();
        let mut read = ReadOptions::default();
        read.set_snapshot(&moment.snapshot);
        // What is walked over is read once, and shall not displace what requests need.
        read.fill_cache(false);
        read.set_readahead_size(1 << 20);
        let key = |bound: SerialBound| [&issuer.0.to_be_bytes()[..], bound.as_bytes()].concat();
        if let Some(end) = end.map(key).or_else(|| prefix_end(&issuer.0.to_be_bytes())) {
            read.set_iterate_upper_bound(end);
        }
        let mut rows = moment.db.rocks().raw_iterator_cf_opt(moment.db.family(family)?, read);
        rows.seek(key(start));
        let walk = Self { db: moment.db, rows };
        walk.check()?;
        Ok(walk)
    }

    /// From the first key at `start` or behind it to the last one before, if there is one: a block may begin
    /// before `start` and reach behind it.
    fn step_back_before(&mut self, issuer: IssuerNumber, start: SerialBound) -> Result<(), StoreError> {
        let prefix = issuer.0.to_be_bytes();
        let key = [&prefix[..], start.as_bytes()].concat();
        self.rows.seek_for_prev(&key);
        self.check()?;
        if !self.rows.key().is_some_and(|found| found.starts_with(&prefix)) {
            self.rows.seek(key);
        }
        self.check()
    }

    fn serial(&self) -> Result<Option<SerialNumber>, StoreError> {
        self.rows.key().map(|key| serial_of(key).map_err(|bad| self.db.bad(bad))).transpose()
    }

    fn value(&self) -> &[u8] {
        self.rows.value().unwrap_or_default()
    }

    fn advance(&mut self) -> Result<(), StoreError> {
        self.rows.next();
        self.check()
    }

    /// "No row" may also mean that reading failed.
    fn check(&self) -> Result<(), StoreError> {
        if self.rows.valid() { Ok(()) } else { self.rows.status().map_err(|error| self.db.failed(&error)) }
    }
}
