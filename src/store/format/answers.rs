//! The octets of pre-signed answers: family `answers`, and `A` in `meta`.
//!
//! | family | key | value |
//! | --- | --- | --- |
//! | `answers` | series u32, serial octets | [`AnswerRow`] |
//! | `meta` | `A`, series u32, octets of the [bound](SerialBound) where it begins | [`SegmentRow`] |
//!
//! An answer is never kept whole. Whoever reads it has the key's template, the CertID that was asked, and
//! the status; beside them a signature needs only the three times that it was made with. So a P-256 answer
//! takes about 100 octets and not 900, and a row cannot say anything that its reader has not decided anew.

use super::{BadRow, Body, Octets, ROW_VERSION, time_octets};
use crate::ocsp::CertStatus;
use crate::store::scope::{DistributionPointNumber, Inventoried, SeriesNumber};
use crate::x509::{SerialNumber, UnixTime};

/// `good` rested on the inventory as it was in this edition, or on none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grounds {
    /// Nothing to be saved: there was no inventory, or the certificate is revoked.
    Unsaid,
    /// What the inventory's `edition` says of the serial number.
    Inventory { edition: u32, listed: Inventoried },
}

/// A signature, and what it was made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerRow<'a> {
    pub produced_at: UnixTime,
    pub this_update: UnixTime,
    pub next_update: UnixTime,
    /// Never `Unknown`: that is not signed beforehand.
    pub status: CertStatus,
    pub grounds: Grounds,
    /// As it stands in the BIT STRING.
    pub signature: &'a [u8],
}

const GOOD: u8 = 0;
const GOOD_LISTED: u8 = 1;
const GOOD_IN_SCOPE: u8 = 2;
const REVOKED: u8 = 3;

impl<'a> AnswerRow<'a> {
    /// Version; kind (0 good, 1 and 2 good as the inventory lists it without and with a distribution point,
    /// 3 revoked); producedAt, thisUpdate, nextUpdate, five octets each; for 1 and 2 the inventory's
    /// edition u32, for 2 the distribution point u32, for 3 a body; the signature to the end.
    /// `false`, and nothing written, for what has no row.
    pub fn encode(&self, out: &mut Vec<u8>) -> bool {
        out.clear();
        let kind = match (&self.status, self.grounds) {
            (CertStatus::Unknown, _) | (_, Grounds::Inventory { listed: Inventoried::Unlisted, .. }) => {
                return false;
            }
            (CertStatus::Revoked(_), _) => REVOKED,
            (CertStatus::Good, Grounds::Unsaid) => GOOD,
            (CertStatus::Good, Grounds::Inventory { listed: Inventoried::Listed, .. }) => GOOD_LISTED,
            (CertStatus::Good, Grounds::Inventory { listed: Inventoried::InScope(_), .. }) => GOOD_IN_SCOPE,
        };
        out.extend_from_slice(&[ROW_VERSION, kind]);
        for time in [self.produced_at, self.this_update, self.next_update] {
            out.extend_from_slice(&time_octets(time));
        }
        if let CertStatus::Revoked(revocation) = &self.status {
            Body::new(revocation).put(out);
        } else if let Grounds::Inventory { edition, listed } = self.grounds {
            out.extend_from_slice(&edition.to_be_bytes());
            if let Inventoried::InScope(point) = listed {
                out.extend_from_slice(&point.0.to_be_bytes());
            }
        }
        out.extend_from_slice(self.signature);
        true
    }

    pub fn decode(value: &'a [u8]) -> Result<Self, BadRow> {
        const ROW: &str = "a pre-signed answer";
        let mut octets = Octets::versioned(ROW, value)?;
        let [kind] = octets.array()?;
        let (produced_at, this_update, next_update) = (octets.time()?, octets.time()?, octets.time()?);
        let (mut status, mut grounds) = (CertStatus::Good, Grounds::Unsaid);
        match kind {
            GOOD => {}
            GOOD_LISTED => {
                grounds = Grounds::Inventory { edition: octets.u32()?, listed: Inventoried::Listed };
            }
            GOOD_IN_SCOPE => {
                let edition = octets.u32()?;
                let point = DistributionPointNumber(octets.u32()?);
                grounds = Grounds::Inventory { edition, listed: Inventoried::InScope(point) };
            }
            REVOKED => {
                let (body, _) = Body::take(&mut octets, None)?;
                if body == Body::GONE || body.is_retained() {
                    return Err(BadRow(ROW));
                }
                status = CertStatus::Revoked(body.revocation());
            }
            _ => return Err(BadRow(ROW)),
        }
        if octets.rest.is_empty() {
            return Err(BadRow(ROW));
        }
        Ok(Self { produced_at, this_update, next_update, status, grounds, signature: octets.rest })
    }
}

/// A place between serial numbers, in the order of rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SerialBound {
    octets: [u8; SerialNumber::MAX_OCTETS + 1],
    len: u8,
}

impl SerialBound {
    /// Before every serial number.
    pub const FIRST: Self = Self { octets: [0; SerialNumber::MAX_OCTETS + 1], len: 0 };

    #[must_use]
    pub fn before(serial_number: &SerialNumber) -> Self {
        Self::from_octets(serial_number.as_bytes()).unwrap_or(Self::FIRST)
    }

    /// Right after it: no serial number is between.
    #[must_use]
    pub fn after(serial_number: &SerialNumber) -> Self {
        let before = Self::before(serial_number);
        // One octet more, of the lowest value: the next in the order of octets. There is room for it.
        Self { len: before.len + 1, ..before }
    }

    fn from_octets(from: &[u8]) -> Option<Self> {
        let mut bound = Self { len: u8::try_from(from.len()).ok()?, ..Self::FIRST };
        bound.octets.get_mut(..from.len())?.copy_from_slice(from);
        Some(bound)
    }

    /// The octets that the key of a row is compared with.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&self.octets)
    }
}

impl Ord for SerialBound {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for SerialBound {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// It is nearly a serial number: only how long it is.
impl std::fmt::Debug for SerialBound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SerialBound({} octets)", self.len)
    }
}

/// One range of serial numbers whose answers were signed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentRow {
    /// Where it ends: right after its last serial number, or where the next begins.
    pub end: SerialBound,
    /// When its answers are to be signed anew.
    pub due: UnixTime,
    /// The earliest nextUpdate of its answers.
    pub expires: UnixTime,
    pub answers: u32,
}

impl SegmentRow {
    /// Version; due and expires, five octets each; answers u32; the octets of the end.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![ROW_VERSION];
        out.extend_from_slice(&time_octets(self.due));
        out.extend_from_slice(&time_octets(self.expires));
        out.extend_from_slice(&self.answers.to_be_bytes());
        out.extend_from_slice(self.end.as_bytes());
        out
    }

    pub fn decode(value: &[u8]) -> Result<Self, BadRow> {
        const ROW: &str = "a segment of pre-signed answers";
        let mut octets = Octets::versioned(ROW, value)?;
        let (due, expires, answers) = (octets.time()?, octets.time()?, octets.u32()?);
        let end = SerialBound::from_octets(octets.rest).ok_or(BadRow(ROW))?;
        Ok(Self { end, due, expires, answers })
    }
}

/// The `A` key of a segment that begins at `start`.
pub fn segment_key(series: SeriesNumber, start: &SerialBound) -> Vec<u8> {
    let mut key = vec![b'A'];
    key.extend_from_slice(&series.0.to_be_bytes());
    key.extend_from_slice(start.as_bytes());
    key
}

/// Where the segment with this key begins.
pub fn segment_start(key: &[u8]) -> Result<SerialBound, BadRow> {
    const ROW: &str = "the key of a segment of pre-signed answers";
    key.get(5..).and_then(SerialBound::from_octets).ok_or(BadRow(ROW))
}
