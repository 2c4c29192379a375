//! One file of the audit log: frames, the way through them, and the pen that writes them.
//!
//! A frame is the number of its octets u32, its kind, and its body. Each commit appends frames of records and
//! then the frame of a signed head, in one write, and waits for the disk. So what stands behind the last head was
//! never vouched for: a crash in the middle of a write, or somebody's hand. Whoever goes on writing cuts it off.

use super::AuditError;
use super::head::{Head, Place};
use super::record::{Kind, Record, SegmentRecord};
use super::tree::{Frontier, Hash, leaf};
use crate::signing::Signer;
use crate::x509::{PublicKey, UnixTime};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// An answer about 100 certificates takes 6 KiB.
const LONGEST_BODY: usize = 64 << 10;
/// Octets in front of a body.
const FRONT: usize = 5;

/// What is wrong with a segment, and where: octets from its beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentFault {
    #[error("the frame at octet {0} cannot be read: the file was changed or cut there")]
    Frame(usize),
    #[error("the record at octet {0} is none that ocsprey writes: it was changed")]
    Record(usize),
    #[error("it does not begin with its first record")]
    First,
    #[error("its first record says that it is segment {0}")]
    Number(u64),
    #[error("the head at octet {0} cannot be read or is another segment's")]
    Head(usize),
    #[error(
        "the head at octet {at} is over {said} records, and {found} stand before it: some were dropped or put in"
    )]
    Count { at: usize, said: u64, found: u64 },
    #[error(
        "the records before octet {0} are not those that were signed: one was changed, dropped or put elsewhere"
    )]
    Root(usize),
    #[error("the head at octet {at} was not signed with this key: {why}")]
    Signature { at: usize, why: String },
    #[error("{0} octets behind the last head were never signed")]
    Tail(usize),
    #[error("it goes on behind its final head")]
    AfterFinal,
}

/// What was found in a segment up to its end, or up to the first fault.
#[derive(Debug, Default)]
pub struct Walked {
    pub first: Option<SegmentRecord>,
    /// Of all records, those behind the last head too.
    pub leaves: Vec<Hash>,
    /// The last head that is right.
    pub head: Option<Head>,
    /// Octets up to its end, the tree up to it, and the kind of the last record before it.
    pub signed: usize,
    pub frontier: Frontier,
    pub last: Option<Kind>,
    pub fault: Option<SegmentFault>,
}

/// Goes through the octets of segment `number`. `each` is given the place of a record and the record; records
/// that stand behind the last head come too.
pub fn walk(octets: &[u8], number: u64, key: &PublicKey, mut each: impl FnMut(usize, &Record)) -> Walked {
    let mut walked = Walked::default();
    let (mut at, mut frontier, mut last) = (0, Frontier::default(), None);
    while at < octets.len() {
        let step = Step::read(octets, at).and_then(|step| {
            if let Some(Head { place: Place::Final, .. }) = walked.head {
                return Err(SegmentFault::AfterFinal);
            }
            if step.kind == Kind::Head {
                let head = checked_head(&step, &walked, &frontier, number, key)?;
                (walked.signed, walked.last, walked.head) = (step.end, last, Some(head));
                walked.frontier = frontier.clone();
                return Ok(step.end);
            }
            let record = Record::read(step.kind, step.body).ok_or(SegmentFault::Record(at))?;
            match (&record, walked.first.is_some()) {
                (Record::Segment(first), false) if first.number == number => {
                    walked.first = Some(first.clone());
                }
                (Record::Segment(first), false) => return Err(SegmentFault::Number(first.number)),
                (Record::Segment(_), true) => return Err(SegmentFault::Record(at)),
                (_, true) => {}
                (_, false) => return Err(SegmentFault::First),
            }
            let hash = leaf(step.kind as u8, step.body);
            each(walked.leaves.len(), &record);
            walked.leaves.push(hash);
            frontier.push(hash);
            last = Some(step.kind);
            Ok(step.end)
        });
        match step {
            Ok(end) => at = end,
            Err(fault) => {
                walked.fault = Some(fault);
                break;
            }
        }
    }
    if walked.fault.is_none() && walked.signed < octets.len() {
        walked.fault = Some(SegmentFault::Tail(octets.len() - walked.signed));
    }
    walked
}

/// A frame, and where the next begins.
struct Step<'a> {
    kind: Kind,
    body: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Step<'a> {
    fn read(octets: &'a [u8], at: usize) -> Result<Self, SegmentFault> {
        let step = || {
            let (front, rest) = octets.get(at..)?.split_first_chunk::<FRONT>()?;
            let [a, b, c, d, kind] = *front;
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            let body = rest.get(..length).filter(|body| body.len() <= LONGEST_BODY)?;
            Some(Self { kind: Kind::of(kind)?, body, at, end: at + FRONT + length })
        };
        step().ok_or(SegmentFault::Frame(at))
    }
}

fn checked_head(
    step: &Step<'_>,
    walked: &Walked,
    frontier: &Frontier,
    number: u64,
    key: &PublicKey,
) -> Result<Head, SegmentFault> {
    let at = step.at;
    let head = Head::decode(step.body).ok_or(SegmentFault::Head(at))?;
    let previous = walked.first.as_ref().map(|first| first.previous);
    if head.segment != number || Some(head.previous) != previous {
        return Err(SegmentFault::Head(at));
    }
    if head.records != frontier.size() {
        return Err(SegmentFault::Count { at, said: head.records, found: frontier.size() });
    }
    if head.root != frontier.root() {
        return Err(SegmentFault::Root(at));
    }
    head.verify(key).map_err(|why| SegmentFault::Signature { at, why: why.to_string() })?;
    Ok(head)
}

/// Appends a frame.
pub fn put_frame(out: &mut Vec<u8>, kind: Kind, body: &[u8]) {
    // At most `LONGEST_BODY`.
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.push(kind as u8);
    out.extend_from_slice(body);
}

/// A segment that is written.
pub struct SegmentFile {
    file: File,
    path: PathBuf,
    pub number: u64,
    pub previous: Hash,
    pub began: UnixTime,
    /// Octets that are on the disk.
    length: u64,
    /// A commit failed: behind `length` may stand more than the next one writes, as signatures differ in length.
    may_be_torn: bool,
    frontier: Frontier,
    /// Frames that are not.
    pending: Vec<u8>,
    body: Vec<u8>,
}

impl SegmentFile {
    /// A new segment, with its first record pending.
    ///
    /// # Errors
    /// When the file cannot be made, or is there already.
    pub fn create(path: &Path, first: SegmentRecord) -> Result<Self, AuditError> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path);
        let file = opened.map_err(|why| AuditError::io(path, &why))?;
        let mut segment = Self {
            file,
            path: path.to_owned(),
            number: first.number,
            previous: first.previous,
            began: first.began,
            length: 0,
            may_be_torn: false,
            frontier: Frontier::default(),
            pending: Vec::new(),
            body: Vec::new(),
        };
        segment.append(&Record::Segment(first));
        Ok(segment)
    }

    /// The segment that `walked` was found in, to be continued behind its last head.
    ///
    /// # Errors
    /// When the file cannot be cut off there.
    pub fn continue_at(path: &Path, first: &SegmentRecord, walked: Walked) -> Result<Self, AuditError> {
        let failed = |why: std::io::Error| AuditError::io(path, &why);
        let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        file.set_len(walked.signed as u64).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            number: first.number,
            previous: first.previous,
            began: first.began,
            length: walked.signed as u64,
            may_be_torn: false,
            frontier: walked.frontier,
            pending: Vec::new(),
            body: Vec::new(),
        })
    }

    pub fn append(&mut self, record: &Record) {
        self.body.clear();
        record.write(&mut self.body);
        let kind = record.kind();
        put_frame(&mut self.pending, kind, &self.body);
        self.frontier.push(leaf(kind as u8, &self.body));
    }

    /// Octets that wait for a commit.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Octets on the disk.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Records, the pending ones too.
    pub fn records(&self) -> u64 {
        self.frontier.size()
    }

    /// Writes what is pending with a head behind it, and waits for the disk. After an error nothing is lost: the next
    /// commit writes the same octets to the same place.
    ///
    /// # Errors
    /// When the key does not sign or the disk does not take it.
    pub fn commit(&mut self, place: Place, now: UnixTime, signer: &dyn Signer) -> Result<Head, AuditError> {
        let head = Head {
            segment: self.number,
            records: self.frontier.size(),
            root: self.frontier.root(),
            previous: self.previous,
            time: now,
            place,
            signature: Vec::new(),
        };
        let head = head.sign(signer)?;
        let records = self.pending.len();
        put_frame(&mut self.pending, Kind::Head, &head.encode());
        if let Err(why) = self.write() {
            self.may_be_torn = true;
            self.pending.truncate(records);
            return Err(AuditError::io(&self.path, &why));
        }
        self.may_be_torn = false;
        self.length += self.pending.len() as u64;
        self.pending.clear();
        Ok(head)
    }

    fn write(&self) -> std::io::Result<()> {
        if self.may_be_torn {
            self.file.set_len(self.length)?;
        }
        self.file.write_all_at(&self.pending, self.length)?;
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::{KeyKind, SoftwareKey};

    #[test]
    fn a_disk_that_takes_nothing_loses_nothing_and_the_next_commit_writes_it_to_the_same_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        let (signer, _) = SoftwareKey::generate(KeyKind::Ed25519).unwrap();
        let time = UnixTime::EPOCH;
        let first = SegmentRecord { number: 1, began: time, previous: [0; 32], first_kept: 1, key: [0; 32] };
        let mut segment = SegmentFile::create(&path, first).unwrap();
        segment.commit(Place::Within, time, &signer).unwrap();
        let disk = std::mem::replace(&mut segment.file, File::open(&path).unwrap());
        for _ in 0..3 {
            segment.append(&Record::Closed { time });
            assert!(matches!(segment.commit(Place::Within, time, &signer), Err(AuditError::Io { .. })));
        }
        // A write arrived, and more of it than the next one has.
        disk.write_all_at(&[7; 9000], segment.length).unwrap();
        segment.file = disk;
        segment.commit(Place::Within, time, &signer).unwrap();
        let walked = walk(&std::fs::read(&path).unwrap(), 1, signer.public_key(), |_, _| {});
        assert_eq!((walked.fault, walked.leaves.len()), (None, 4));
    }
}
