//! Whether an audit log is as it was written: `ocsprey audit verify`.
//!
//! Every record of every segment is hashed, every head is compared and its signature verified, and the chain of
//! heads is followed from the first to the last, over segments that were taken away too. It reads only, also
//! beside a server.

use super::AuditError;
use super::folder::Folder;
use super::head::{Head, Place};
use super::record::{Cause, Record};
use super::segment::{SegmentFault, Walked, walk};
use super::tree::{Frontier, Hash};
use crate::x509::PublicKey;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// While a server writes, a look may fall into a commit: so often the last segment is looked at again.
const LOOKS: u32 = 5;
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A head that somebody noted elsewhere: `SEGMENT:RECORDS:ROOT`, as the server's log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHead {
    pub segment: u64,
    pub records: u64,
    pub root: Hash,
}

impl FromStr for KnownHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let mut parts = text.split(':');
            let (segment, records) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            let root = parts.next().filter(|root| root.len() == 64 && root.is_ascii())?;
            let mut octets = [0; 32];
            for (at, octet) in octets.iter_mut().enumerate() {
                *octet = u8::from_str_radix(root.get(2 * at..2 * at + 2)?, 16).ok()?;
            }
            parts.next().is_none().then_some(Self { segment, records, root: octets })
        };
        parse()
            .ok_or_else(|| "write it like SEGMENT:RECORDS:ROOT, the root in 64 hexadecimal digits".to_owned())
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// What is wrong; nothing: the log is as it was written.
    pub findings: Vec<String>,
    pub segments: u64,
    /// Segments of which only the head is left, because their time was over.
    pub retired: u64,
    pub records: u64,
    pub answers: u64,
    /// Answers that left and are not on record.
    pub missing: u64,
    /// Requests that were told tryLater for want of a record.
    pub refused: u64,
    /// Times that the process ended without closing the log: what was younger than a commit is missing then.
    pub interruptions: u64,
    /// `SEGMENT:RECORDS:ROOT` of the newest head: to be noted elsewhere.
    pub head: Option<String>,
}

/// Looks through the log in the folder `path`.
///
/// # Errors
/// When it cannot be read; what is wrong with what was read is in [`Verified::findings`].
pub fn verify(path: &Path, key: &PublicKey, known: &[KnownHead]) -> Result<Verified, AuditError> {
    verify_looking(path, key, known, LOOKS)
}

/// As [`verify`]; a fault at the end is believed after so many looks.
pub(super) fn verify_looking(
    path: &Path,
    key: &PublicKey,
    known: &[KnownHead],
    looks: u32,
) -> Result<Verified, AuditError> {
    let folder = Folder::at(path);
    let mut found = Verified::default();
    let (heads, whole) = folder.heads()?;
    if !whole {
        found.findings.push("heads: it does not end with a head: it was changed or cut".to_owned());
    }
    check_chain(&heads, key, &mut found);
    let segments = folder.segments()?;
    let Some(last) = segments.last().copied() else {
        found.findings.push(match heads.len() {
            0 => format!("{}: there is no audit log", path.display()),
            _ => "all segments are missing".to_owned(),
        });
        return Ok(found);
    };
    let mut first_kept = 1;
    let mut unseen: Vec<&KnownHead> = known.iter().collect();
    for number in &segments {
        let looks = if *number == last { looks } else { 1 };
        let walked = look(&folder, *number, looks, key, &mut found, &mut first_kept, &mut unseen)?;
        check_segment(*number, last, &walked, &heads, &mut found);
    }
    for number in first_kept..last {
        if segments.binary_search(&number).is_err() {
            found
                .findings
                .push(format!("segment {number}: it is missing, and nothing says that its time was over"));
        }
    }
    found.retired = first_kept - 1;
    if heads.len() as u64 + 1 != last {
        found.findings.push(if heads.len() as u64 >= last {
            format!("segment {}: it is missing: the segment before it was closed", heads.len() + 1)
        } else {
            format!("heads: it has {} heads, and {} segments were closed", heads.len(), last - 1)
        });
    }
    for head in unseen {
        let KnownHead { segment, records, .. } = head;
        let kept = heads
            .iter()
            .any(|one| one.segment == *segment && one.records == *records && one.root == head.root);
        if !kept {
            found.findings.push(format!(
                "the head of segment {segment} at {records} records that you hold is not in this log: its end was cut \
                 off, or it is another log"
            ));
        }
    }
    Ok(found)
}

/// The heads of closed segments: signed, one for each, each naming the one before.
fn check_chain(heads: &[Head], key: &PublicKey, found: &mut Verified) {
    let mut previous: Hash = [0; 32];
    for (number, head) in (1..).zip(heads) {
        if let Err(why) = head.verify(key) {
            found
                .findings
                .push(format!("heads: that of segment {number} was not signed with this key: {why}"));
        }
        if head.segment != number || head.previous != previous || head.place != Place::Final {
            found.findings.push(format!("heads: that of segment {number} does not follow the one before"));
        }
        previous = head.hash();
    }
}

/// Goes through a segment, and through the last one again while a server is writing it.
fn look(
    folder: &Folder,
    number: u64,
    most: u32,
    key: &PublicKey,
    found: &mut Verified,
    first_kept: &mut u64,
    unseen: &mut Vec<&KnownHead>,
) -> Result<Walked, AuditError> {
    let mut looks = 0;
    loop {
        looks += 1;
        let octets = folder.read_segment(number)?;
        let (before, kept_before) = (found.clone(), *first_kept);
        let walked = walk(&octets, number, key, |_, record| {
            found.records += 1;
            match record {
                Record::Segment(first) => *first_kept = first.first_kept,
                Record::Answer(_) => found.answers += 1,
                Record::Gap(gap) => match gap.cause {
                    Cause::Ended => found.interruptions += 1,
                    Cause::NoRoom => found.missing += gap.count,
                    Cause::Refused => found.refused += gap.count,
                },
                Record::Retired { first_kept: kept, .. } => *first_kept = *kept,
                Record::Name(_) | Record::Closed { .. } => {}
            }
        });
        if walked.fault.is_some() && looks < most {
            (*found, *first_kept) = (before, kept_before);
            std::thread::park_timeout(LOOK_AGAIN);
            continue;
        }
        unseen.retain(|known| known.segment != number || root_at(&walked, known.records) != Some(known.root));
        found.segments += 1;
        return Ok(walked);
    }
}

/// The root over the first `records` of a segment that are signed.
fn root_at(walked: &Walked, records: u64) -> Option<Hash> {
    let signed = walked.head.as_ref().map_or(0, |head| head.records);
    let leaves = walked.leaves.get(..usize::try_from(records).ok()?).filter(|_| records <= signed)?;
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    Some(frontier.root())
}

fn check_segment(number: u64, last: u64, walked: &Walked, heads: &[Head], found: &mut Verified) {
    let mut say = |what: String| found.findings.push(format!("segment {number}: {what}"));
    match &walked.fault {
        Some(SegmentFault::Tail(octets)) if number == last => say(format!(
            "{octets} octets behind the last head were never signed: a server was killed while it wrote (its next \
             start cuts them off and says so), or they were put there"
        )),
        Some(fault) => say(fault.to_string()),
        None => {}
    }
    let of = |number: u64| heads.iter().find(|head| head.segment == number);
    let previous = if number == 1 { Some([0; 32]) } else { of(number - 1).map(Head::hash) };
    if walked.first.as_ref().is_some_and(|first| Some(first.previous) != previous) {
        say("it does not follow the segment before".to_owned());
    }
    match &walked.head {
        None => say("no head of it is signed".to_owned()),
        Some(head) => {
            if number < last && Some(head) != of(number) {
                say("its last head is not the final one: its end was cut off or changed".to_owned());
            }
            if number == last {
                let mut root = String::new();
                for octet in head.root {
                    let _ = write!(root, "{octet:02x}");
                }
                found.head = Some(format!("{number}:{}:{root}", head.records));
            }
        }
    }
}
