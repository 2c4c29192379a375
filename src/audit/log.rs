//! The audit log as its one writer has it: the segment that grows, and those that were closed.
//!
//! Between any two steps the process may be killed; what each of them leaves is found by [`Log::open`]:
//! - In a commit: octets behind the last head. They are cut off, and a gap record says how many records that were.
//! - Between commits: the last record is no `Closed`. A gap record says that something may be missing.
//! - A segment has its final head, and `heads` does not: it is added.
//! - `heads` has it, and there is no next segment, or one without a head: it is made anew, and begins with that gap
//!   record.
//! - A segment was retired and is still there: it is taken away again.

use super::folder::{Folder, Held};
use super::head::{Head, Place};
use super::record::{Cause, GapRecord, Kind, Record, SegmentRecord};
use super::segment::{SegmentFile, walk};
use super::tree::Hash;
use super::{AuditError, LogOptions};
use crate::signing::{Signer, sha256};
use crate::x509::UnixTime;
use std::sync::Arc;

/// See the module's head.
pub struct Log {
    folder: Folder,
    signer: Arc<dyn Signer>,
    options: LogOptions,
    /// Of closed segments.
    heads: Vec<Head>,
    first_kept: u64,
    segment: SegmentFile,
    /// Of the last commit.
    head: Option<Head>,
    /// When the last commit of the process before was.
    found: Option<UnixTime>,
    /// As long as it is here, nobody else may write.
    _held: Held,
}

impl Log {
    /// Opens the log in `folder`, or begins one there.
    ///
    /// # Errors
    /// When it cannot be read or written, another process writes it, or it is damaged where it would be continued.
    pub fn open(
        folder: Folder,
        signer: Arc<dyn Signer>,
        options: LogOptions,
        now: UnixTime,
    ) -> Result<Self, AuditError> {
        folder.create()?;
        let held = folder.hold()?;
        let (mut heads, whole) = folder.heads()?;
        if !whole {
            return Err(AuditError::Damaged { what: "heads".into(), why: "it ends within a head".into() });
        }
        let key = signer.public_key().clone();
        let last = folder.segments()?.last().copied();
        let mut continued = None;
        // Between two segments: whoever ends in order closes one that has begun.
        let mut is_between = false;
        let mut first_kept = 1;
        if let Some(number) = last {
            let octets = folder.read_segment(number)?;
            let mut walked = walk(&octets, number, &key, |_, record| keep_up(&mut first_kept, record));
            let damaged = |why: String| AuditError::Damaged { what: format!("segment {number}"), why };
            match (walked.head.take(), walked.first.take()) {
                (Some(head), Some(_)) if head.place == Place::Final => {
                    is_between = true;
                    if heads.last().is_none_or(|known| known.segment < number) {
                        heads.push(head);
                        folder.set_heads(&heads)?;
                    }
                }
                (Some(head), Some(first)) => {
                    // One batch at the most lies behind the last head; more is not from a crash.
                    if octets.len() - walked.signed > MOST_TORN {
                        let fault = walked.fault.map_or_else(String::new, |fault| fault.to_string());
                        return Err(damaged(fault));
                    }
                    let torn = walked.leaves.len() as u64 - head.records;
                    let gap = (walked.last != Some(Kind::Closed) || octets.len() > walked.signed)
                        .then_some(GapRecord { cause: Cause::Ended, count: torn, time: now });
                    let file = SegmentFile::continue_at(&folder.segment(number), &first, walked)?;
                    continued = Some((file, gap, head));
                }
                // It was made, and nothing in it was ever vouched for.
                (None, _) if octets.len() <= MOST_TORN && heads.len() as u64 + 1 == number => {
                    folder.remove_segment(number)?;
                    first_kept = 1;
                    if number > 1 {
                        is_between = true;
                        let before = folder.read_segment(number - 1)?;
                        walk(&before, number - 1, &key, |_, record| keep_up(&mut first_kept, record));
                    }
                }
                (None, _) => return Err(damaged("it has no head that this key signed".into())),
                (Some(_), None) => return Err(damaged("it has no first record".into())),
            }
        }
        let last = continued.as_ref().map(|(_, _, head)| head).or(heads.last());
        let found = last.map(|head| head.time);
        let (segment, gap, head) = match continued {
            Some((segment, gap, head)) => (segment, gap, Some(head)),
            None => {
                let gap = is_between.then_some(GapRecord { cause: Cause::Ended, count: 0, time: now });
                (begin(&folder, &heads, first_kept, sha256(key.spki()), now)?, gap, None)
            }
        };
        let mut log = Self { folder, signer, options, heads, first_kept, segment, head, found, _held: held };
        if let Some(gap) = gap {
            log.append(&Record::Gap(gap));
        }
        log.remove_retired()?;
        if log.segment.pending() > 0 {
            log.commit(now)?;
        }
        Ok(log)
    }

    pub fn append(&mut self, record: &Record) {
        self.segment.append(record);
    }

    /// Octets that wait for a commit.
    pub fn pending(&self) -> usize {
        self.segment.pending()
    }

    /// Segment and records of what was appended.
    pub fn position(&self) -> (u64, u64) {
        (self.segment.number, self.segment.records())
    }

    /// The times of what was there when it was opened.
    pub fn recorded(&self) -> impl Iterator<Item = UnixTime> {
        self.heads.iter().map(|head| head.time).chain(self.found)
    }

    /// The last head.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Makes all that was appended durable.
    ///
    /// # Errors
    /// When it is not; it can be tried again.
    pub fn commit(&mut self, now: UnixTime) -> Result<(), AuditError> {
        self.head = Some(self.segment.commit(Place::Within, now, &*self.signer)?);
        Ok(())
    }

    /// Whether the segment is large or old enough to be closed.
    pub fn is_due(&self, now: UnixTime) -> bool {
        // One that began in the future was begun by a clock that ran ahead.
        let age = now.since(self.segment.began);
        self.segment.length() >= self.options.segment_octets || age >= self.options.segment_seconds || age < 0
    }

    /// Closes the segment and begins the next, in which nobody's name has been said yet; then takes away segments
    /// whose time is over by `old_by`, which is not the clock: see [`Aging`](crate::clock::Aging).
    ///
    /// # Errors
    /// When it is not done to its end; it can be tried again.
    pub fn turn(&mut self, now: UnixTime, old_by: Option<UnixTime>) -> Result<(), AuditError> {
        if self.heads.last().is_none_or(|last| last.segment < self.segment.number) {
            let head = self.segment.commit(Place::Final, now, &*self.signer)?;
            self.head = Some(head.clone());
            self.heads.push(head);
        }
        self.folder.set_heads(&self.heads)?;
        let key = sha256(self.signer.public_key().spki());
        self.segment = begin(&self.folder, &self.heads, self.first_kept, key, now)?;
        self.retire(now, old_by);
        self.commit(now)?;
        self.remove_retired()
    }

    /// Says which segments are over; they go after that is on the disk.
    fn retire(&mut self, now: UnixTime, old_by: Option<UnixTime>) {
        let (Some(keep), Some(old_by)) = (self.options.keep_seconds, old_by) else { return };
        let is_over = |head: &&Head| old_by.since(head.time) > keep;
        // One that was closed in the future, by a clock that ran ahead, is as old as the next.
        let over =
            self.heads.iter().take_while(|head| is_over(head) || head.time > old_by).filter(is_over).last();
        let first_kept = over.map_or(self.first_kept, |head| head.segment + 1);
        if first_kept > self.first_kept {
            self.first_kept = first_kept;
            self.append(&Record::Retired { first_kept, time: now });
        }
    }

    fn remove_retired(&self) -> Result<(), AuditError> {
        for number in self.folder.segments()?.into_iter().take_while(|number| *number < self.first_kept) {
            self.folder.remove_segment(number)?;
        }
        self.folder.sync()
    }

    /// The last record and the last head of the process.
    ///
    /// # Errors
    /// As [`Log::commit`].
    pub fn close(mut self, now: UnixTime) -> Result<Option<Head>, AuditError> {
        self.append(&Record::Closed { time: now });
        self.commit(now)?;
        Ok(self.head)
    }
}

/// What `record` says of the first segment that is kept.
fn keep_up(first_kept: &mut u64, record: &Record) {
    match record {
        Record::Segment(first) => *first_kept = first.first_kept,
        Record::Retired { first_kept: kept, .. } => *first_kept = *kept,
        _ => {}
    }
}

/// As much as one commit may hold: see `Scribe`.
const MOST_TORN: usize = 64 << 20;

fn begin(
    folder: &Folder,
    heads: &[Head],
    first_kept: u64,
    key: Hash,
    now: UnixTime,
) -> Result<SegmentFile, AuditError> {
    let number = heads.last().map_or(1, |head| head.segment + 1);
    let previous = heads.last().map_or([0; 32], Head::hash);
    // One that an earlier try left, without a head.
    folder.remove_segment(number)?;
    let first = SegmentRecord { number, began: now, previous, first_kept, key };
    let segment = SegmentFile::create(&folder.segment(number), first)?;
    folder.sync()?;
    Ok(segment)
}
