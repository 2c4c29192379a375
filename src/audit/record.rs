//! The octets of the records. They are the format of the audit log, version 1: what stands here is what
//! `deploy/AUDITOR.md` describes, and segments are read for years.
//!
//! Integers are big-endian; a text or a list has its number of octets or entries before it, in one octet.

use super::tree::Hash;
use crate::ocsp::OcspResponseStatus;
use crate::x509::UnixTime;

pub const VERSION: u8 = 1;
/// Octets of a serial number's pseudonym.
pub const PSEUDONYM: usize = 16;

/// What a frame of a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The first record of each segment.
    Segment = b'S',
    Answer = b'A',
    /// Answers that are not here.
    Gap = b'G',
    /// What a number stands for.
    Name = b'N',
    /// Segments were taken away because their time was over.
    Retired = b'R',
    /// The process ended in order.
    Closed = b'C',
    /// Signed, and no record itself.
    Head = b'H',
}

impl Kind {
    pub fn of(octet: u8) -> Option<Self> {
        [Self::Segment, Self::Answer, Self::Gap, Self::Name, Self::Retired, Self::Closed, Self::Head]
            .into_iter()
            .find(|kind| *kind as u8 == octet)
    }
}

/// `S`: version u8, number u64, time i64, hash of the last head of the segment before (zeros: there is none),
/// the first segment that is kept u64, SHA-256 of the public key that signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentRecord {
    pub number: u64,
    pub began: UnixTime,
    pub previous: Hash,
    pub first_kept: u64,
    pub key: Hash,
}

/// What was answered about one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Said {
    Good = 0,
    Revoked = 1,
    Unknown = 2,
    /// The whole request got an error status.
    Nothing = 3,
}

/// Where an answer's thisUpdate comes from, as far as the audit log knows: see the module's head in `mod.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// No CRL in force had this thisUpdate when the answer was put on record (0).
    None,
    /// Exactly one had: its scope, and its CRL number as it stands in the CRL (1).
    One { scope: u32, crl_number: Vec<u8> },
    /// Several had (2).
    Several,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub said: Said,
    pub pseudonym: [u8; PSEUDONYM],
    /// thisUpdate of the answer; 1970 where there was none.
    pub this_update: UnixTime,
    pub source: Source,
}

/// `A`: time i64, verifier u32 and issuer u32 (0: none), method (`G` or `P`), OCSPResponseStatus, SHA-256 of the
/// OCSPResponse, on whose behalf (text), entries: said u8, pseudonym, thisUpdate i64, source (its number above, and
/// for 1 scope u32, CRL number).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRecord {
    pub time: UnixTime,
    pub verifier: u32,
    pub issuer: u32,
    pub method: u8,
    pub status: OcspResponseStatus,
    pub response: Hash,
    pub on_behalf_of: String,
    pub entries: Vec<Entry>,
}

/// Why answers are not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// The process ended without closing the log: what it had not written is not known; the number is of records
    /// that were written and not signed.
    Ended = 1,
    /// They were given, and there was no room for them (`when_full = "gap"`).
    NoRoom = 2,
    /// They were not given: clients were told tryLater (`when_full = "refuse"`).
    Refused = 3,
}

/// `G`: cause u8, number u64, time of the record i64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapRecord {
    pub cause: Cause,
    pub count: u64,
    pub time: UnixTime,
}

/// Whose number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Named {
    Issuer = b'i',
    Verifier = b'v',
}

/// `N`: `i` or `v`, number u32, the name to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRecord {
    pub named: Named,
    pub number: u32,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    Segment(SegmentRecord),
    Answer(AnswerRecord),
    Gap(GapRecord),
    Name(NameRecord),
    /// `R`: the first segment that is kept u64, time i64.
    Retired {
        first_kept: u64,
        time: UnixTime,
    },
    /// `C`: time i64.
    Closed {
        time: UnixTime,
    },
}

impl Record {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Segment(_) => Kind::Segment,
            Self::Answer(_) => Kind::Answer,
            Self::Gap(_) => Kind::Gap,
            Self::Name(_) => Kind::Name,
            Self::Retired { .. } => Kind::Retired,
            Self::Closed { .. } => Kind::Closed,
        }
    }

    /// Appends its octets.
    pub fn write(&self, out: &mut Vec<u8>) {
        let time = |out: &mut Vec<u8>, time: UnixTime| out.extend_from_slice(&time.seconds().to_be_bytes());
        match self {
            Self::Segment(SegmentRecord { number, began, previous, first_kept, key }) => {
                out.push(VERSION);
                out.extend_from_slice(&number.to_be_bytes());
                time(out, *began);
                out.extend_from_slice(previous);
                out.extend_from_slice(&first_kept.to_be_bytes());
                out.extend_from_slice(key);
            }
            Self::Answer(answer) => answer.write(out),
            Self::Gap(gap) => {
                out.push(gap.cause as u8);
                out.extend_from_slice(&gap.count.to_be_bytes());
                time(out, gap.time);
            }
            Self::Name(NameRecord { named, number, name }) => {
                out.push(*named as u8);
                out.extend_from_slice(&number.to_be_bytes());
                out.extend_from_slice(name.as_bytes());
            }
            Self::Retired { first_kept, time: at } => {
                out.extend_from_slice(&first_kept.to_be_bytes());
                time(out, *at);
            }
            Self::Closed { time: at } => time(out, *at),
        }
    }

    /// From its octets; `None` where they are no such record.
    #[must_use]
    pub fn read(kind: Kind, body: &[u8]) -> Option<Self> {
        let mut octets = Octets(body);
        let record = match kind {
            Kind::Segment => {
                if octets.array()? != [VERSION] {
                    return None;
                }
                Self::Segment(SegmentRecord {
                    number: octets.u64()?,
                    began: octets.time()?,
                    previous: octets.array()?,
                    first_kept: octets.u64()?,
                    key: octets.array()?,
                })
            }
            Kind::Answer => Self::Answer(AnswerRecord::read(&mut octets)?),
            Kind::Gap => {
                let cause = match octets.array()? {
                    [1] => Cause::Ended,
                    [2] => Cause::NoRoom,
                    [3] => Cause::Refused,
                    _ => return None,
                };
                Self::Gap(GapRecord { cause, count: octets.u64()?, time: octets.time()? })
            }
            Kind::Name => {
                let named = match octets.array()? {
                    [b'i'] => Named::Issuer,
                    [b'v'] => Named::Verifier,
                    _ => return None,
                };
                let number = octets.u32()?;
                let name = std::str::from_utf8(std::mem::take(&mut octets.0)).ok()?.to_owned();
                Self::Name(NameRecord { named, number, name })
            }
            Kind::Retired => Self::Retired { first_kept: octets.u64()?, time: octets.time()? },
            Kind::Closed => Self::Closed { time: octets.time()? },
            Kind::Head => return None,
        };
        octets.0.is_empty().then_some(record)
    }
}

impl AnswerRecord {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.time.seconds().to_be_bytes());
        out.extend_from_slice(&self.verifier.to_be_bytes());
        out.extend_from_slice(&self.issuer.to_be_bytes());
        out.extend_from_slice(&[self.method, self.status as u8]);
        out.extend_from_slice(&self.response);
        put_counted(out, self.on_behalf_of.as_bytes());
        // A request has at most 100.
        out.push(u8::try_from(self.entries.len()).unwrap_or(u8::MAX));
        for entry in self.entries.iter().take(usize::from(u8::MAX)) {
            out.push(entry.said as u8);
            out.extend_from_slice(&entry.pseudonym);
            out.extend_from_slice(&entry.this_update.seconds().to_be_bytes());
            match &entry.source {
                Source::None => out.push(0),
                Source::One { scope, crl_number } => {
                    out.push(1);
                    out.extend_from_slice(&scope.to_be_bytes());
                    put_counted(out, crl_number);
                }
                Source::Several => out.push(2),
            }
        }
    }

    fn read(octets: &mut Octets<'_>) -> Option<Self> {
        let (time, verifier, issuer) = (octets.time()?, octets.u32()?, octets.u32()?);
        let [method, status] = octets.array()?;
        let status = OcspResponseStatus::from_value(status)?;
        let response = octets.array()?;
        let on_behalf_of = std::str::from_utf8(octets.counted()?).ok()?.to_owned();
        let [count] = octets.array()?;
        let mut entries = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let said = match octets.array()? {
                [0] => Said::Good,
                [1] => Said::Revoked,
                [2] => Said::Unknown,
                [3] => Said::Nothing,
                _ => return None,
            };
            let (pseudonym, this_update) = (octets.array()?, octets.time()?);
            let source = match octets.array()? {
                [0] => Source::None,
                [1] => Source::One { scope: octets.u32()?, crl_number: octets.counted()?.to_vec() },
                [2] => Source::Several,
                _ => return None,
            };
            entries.push(Entry { said, pseudonym, this_update, source });
        }
        Some(Self { time, verifier, issuer, method, status, response, on_behalf_of, entries })
    }
}

/// Octets with their number before them, in one octet: names and CRL numbers are shorter than 256.
fn put_counted(out: &mut Vec<u8>, octets: &[u8]) {
    let count = u8::try_from(octets.len()).unwrap_or(u8::MAX);
    out.push(count);
    out.extend(octets.iter().take(usize::from(count)));
}

/// Reads from the front.
pub struct Octets<'a>(pub &'a [u8]);

impl<'a> Octets<'a> {
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub fn time(&mut self) -> Option<UnixTime> {
        let seconds = self.array().map(i64::from_be_bytes)?;
        let time = UnixTime::from_seconds(seconds);
        (time.seconds() == seconds).then_some(time)
    }

    pub fn counted(&mut self) -> Option<&'a [u8]> {
        let [count] = self.array()?;
        let (first, rest) = self.0.split_at_checked(usize::from(count))?;
        self.0 = rest;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time() -> UnixTime {
        UnixTime::from_seconds(1_800_000_000)
    }

    fn records() -> Vec<Record> {
        let one = Source::One { scope: 7, crl_number: vec![1, 2] };
        let entry = |said, source| Entry { said, pseudonym: [9; 16], this_update: time(), source };
        let entries = vec![
            entry(Said::Good, one),
            entry(Said::Revoked, Source::Several),
            entry(Said::Nothing, Source::None),
        ];
        let answer = AnswerRecord {
            time: time(),
            verifier: 3,
            issuer: 1,
            method: b'P',
            status: OcspResponseStatus::Successful,
            response: [5; 32],
            on_behalf_of: "clinic-7".to_owned(),
            entries,
        };
        let segment =
            SegmentRecord { number: 2, began: time(), previous: [1; 32], first_kept: 1, key: [2; 32] };
        let name = NameRecord { named: Named::Verifier, number: 3, name: "bank".to_owned() };
        vec![
            Record::Segment(segment),
            Record::Answer(answer),
            Record::Gap(GapRecord { cause: Cause::Refused, count: 12, time: time() }),
            Record::Name(name),
            Record::Retired { first_kept: 4, time: time() },
            Record::Closed { time: time() },
        ]
    }

    #[test]
    fn records_are_read_as_they_were_written_and_nothing_shorter_or_longer_is() {
        for record in records() {
            let mut octets = Vec::new();
            record.write(&mut octets);
            assert_eq!(Record::read(record.kind(), &octets), Some(record.clone()));
            assert_eq!(Kind::of(record.kind() as u8), Some(record.kind()));
            if record.kind() != Kind::Name {
                assert_eq!(Record::read(record.kind(), &octets[..octets.len() - 1]), None, "{record:?}");
                assert_eq!(Record::read(record.kind(), &[&octets[..], &[0]].concat()), None, "{record:?}");
            }
        }
    }

    #[test]
    fn the_format_is_the_one_that_auditors_were_given() {
        let mut octets = Vec::new();
        records()[2].write(&mut octets);
        assert_eq!(octets, [3, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0x6b, 0x49, 0xd2, 0x00]);
        let mut octets = Vec::new();
        records()[1].write(&mut octets);
        assert_eq!(octets.len(), 8 + 4 + 4 + 2 + 32 + 9 + 1 + 3 * (1 + 16 + 8 + 1) + 4 + 3);
    }
}
