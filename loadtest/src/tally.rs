//! What one thread counted: histograms, counts, samples. Tallies of threads are added up at the end, so
//! that nothing is shared while time is measured.
//!
//! Called by `drive` (recording) and `run` (adding up).

use crate::answer::{Judgement, Results};
use crate::stopwatch::nanoseconds;
use crate::verify::Sample;
use crate::wire::WireError;
use hdrhistogram::Histogram;
use rand::RngExt;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;
use std::time::Duration;

/// Digits that a percentile is good for; of a point of the time line, [`POINT_DIGITS`].
const DIGITS: u8 = 3;
const POINT_DIGITS: u8 = 2;
/// The longest that is told apart, in nanoseconds: more than the longest run and its timeouts. Set from
/// the start, because a histogram that grows would cut what comes before it has grown.
const LONGEST: u64 = 100_000 * 1_000_000_000;
/// Points of a time line; a run is cut into as many pieces at most, none under a second.
const MOST_POINTS: f64 = 300.0;

/// Why a request has no answer that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    Connect,
    Timeout,
    Closed,
    Http,
    HttpStatus,
    ContentType,
    NotOcsp,
    OtherCertificate,
    Nonce,
    /// Due, and no connection was free for it before the end.
    NeverSent,
}

impl ErrorKind {
    /// Its name in a report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Http => "http",
            Self::HttpStatus => "http_status",
            Self::ContentType => "content_type",
            Self::NotOcsp => "not_ocsp",
            Self::OtherCertificate => "other_certificate",
            Self::Nonce => "nonce",
            Self::NeverSent => "never_sent",
        }
    }

    /// An answer that says something false: worse than none.
    #[must_use]
    pub const fn is_wrong_answer(self) -> bool {
        matches!(self, Self::NotOcsp | Self::OtherCertificate | Self::Nonce)
    }
}

impl From<WireError> for ErrorKind {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Unanswered | WireError::Broken => Self::Closed,
            WireError::Malformed | WireError::Unsupported | WireError::TooLong => Self::Http,
        }
    }
}

/// A piece of the time line.
#[derive(Debug, Clone)]
pub struct Point {
    pub answered: u64,
    pub errors: u64,
    pub latency: Histogram<u32>,
}

/// Counts of one thread, or of all.
#[derive(Debug)]
pub struct Tally {
    /// Nanoseconds from when a request was due to its answer's last octet.
    pub latency: Histogram<u64>,
    /// Nanoseconds from when a request was due to when it was sent.
    pub delay: Histogram<u64>,
    pub sent: u64,
    pub answered: u64,
    pub octets: u64,
    pub statuses: BTreeMap<&'static str, u64>,
    pub successful: u64,
    pub results: Results,
    pub errors: BTreeMap<ErrorKind, u64>,
    pub http_statuses: BTreeMap<u16, u64>,
    pub connections: u64,
    /// Idle connections that the responder closed; their requests went out again.
    pub reconnects: u64,
    pub points: Vec<Point>,
    piece: Duration,
    pub samples: Vec<Sample>,
    most_samples: usize,
    offered: u64,
}

impl Tally {
    /// For a run of `seconds` that keeps up to `most_samples` answers. `None`: no memory for it.
    #[must_use]
    pub fn new(seconds: f64, most_samples: usize) -> Option<Self> {
        Some(Self {
            latency: Histogram::new_with_max(LONGEST, DIGITS).ok()?,
            delay: Histogram::new_with_max(LONGEST, DIGITS).ok()?,
            sent: 0,
            answered: 0,
            octets: 0,
            statuses: BTreeMap::new(),
            successful: 0,
            results: Results::default(),
            errors: BTreeMap::new(),
            http_statuses: BTreeMap::new(),
            connections: 0,
            reconnects: 0,
            points: Vec::new(),
            piece: Duration::from_secs_f64((seconds / MOST_POINTS).ceil().max(1.0)),
            samples: Vec::new(),
            most_samples,
            offered: 0,
        })
    }

    #[must_use]
    pub fn piece(&self) -> Duration {
        self.piece
    }

    fn point(&mut self, at: Duration) -> Option<&mut Point> {
        let index = usize::try_from(at.as_nanos() / self.piece.as_nanos().max(1)).ok()?;
        while self.points.len() <= index {
            self.points.push(Point {
                answered: 0,
                errors: 0,
                latency: Histogram::new_with_max(LONGEST, POINT_DIGITS).ok()?,
            });
        }
        self.points.get_mut(index)
    }

    /// An answer, as far as it got, `latency` after it was due; `at` from the start.
    pub fn judged(&mut self, judgement: Judgement, latency: Duration, at: Duration) {
        let kind = match judgement {
            Judgement::Answered(results) => {
                self.successful += 1;
                self.results.good += results.good;
                self.results.revoked += results.revoked;
                self.results.unknown += results.unknown;
                None
            }
            Judgement::Status(status) => {
                *self.statuses.entry(status.name()).or_default() += 1;
                None
            }
            Judgement::NotOcsp => Some(ErrorKind::NotOcsp),
            Judgement::OtherCertificate => Some(ErrorKind::OtherCertificate),
            Judgement::Nonce => Some(ErrorKind::Nonce),
        };
        if let Some(kind) = kind {
            return self.failed(kind, at);
        }
        self.answered += 1;
        let nanoseconds = nanoseconds(latency);
        self.latency.saturating_record(nanoseconds);
        if let Some(point) = self.point(at) {
            point.answered += 1;
            point.latency.saturating_record(nanoseconds);
        }
    }

    /// No answer that counts.
    pub fn failed(&mut self, kind: ErrorKind, at: Duration) {
        *self.errors.entry(kind).or_default() += 1;
        if let Some(point) = self.point(at) {
            point.errors += 1;
        }
    }

    /// No answer within `waited` of when it was due. It counts with that time, a lower bound: leaving the
    /// slowest out would flatter the responder.
    pub fn gave_up(&mut self, kind: ErrorKind, waited: Duration, at: Duration) {
        self.failed(kind, at);
        self.latency.saturating_record(nanoseconds(waited));
    }

    /// Whether the next successful answer is kept, and where: each has the same chance (Vitter's R).
    pub fn keeps_next(&mut self, chance: &mut SmallRng) -> Option<usize> {
        self.offered += 1;
        if self.samples.len() < self.most_samples {
            return Some(self.samples.len());
        }
        let place = usize::try_from(chance.random_range(0..self.offered)).ok()?;
        (place < self.samples.len()).then_some(place)
    }

    /// Keeps `sample` where [`Tally::keeps_next`] said.
    pub fn keep(&mut self, place: usize, sample: Sample) {
        match self.samples.get_mut(place) {
            Some(slot) => *slot = sample,
            None => self.samples.push(sample),
        }
    }

    /// Adds another thread's.
    pub fn add(&mut self, other: Self) {
        self.latency += &other.latency;
        self.delay += &other.delay;
        self.sent += other.sent;
        self.answered += other.answered;
        self.octets += other.octets;
        self.successful += other.successful;
        self.results.good += other.results.good;
        self.results.revoked += other.results.revoked;
        self.results.unknown += other.results.unknown;
        self.connections += other.connections;
        self.reconnects += other.reconnects;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        for (status, count) in other.http_statuses {
            *self.http_statuses.entry(status).or_default() += count;
        }
        for (index, point) in other.points.into_iter().enumerate() {
            match self.points.get_mut(index) {
                Some(mine) => {
                    mine.answered += point.answered;
                    mine.errors += point.errors;
                    mine.latency += &point.latency;
                }
                None => self.points.push(point),
            }
        }
        self.samples.extend(other.samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ocsprey::x509::{HashAlgorithm, UnixTime};
    use rand::SeedableRng;

    #[test]
    fn every_answer_has_the_same_chance_to_be_verified() {
        let mut chance = SmallRng::seed_from_u64(3);
        let mut from_second_half = 0;
        for _ in 0..200 {
            let mut tally = Tally::new(1.0, 10).unwrap();
            for number in 0..1000u32 {
                if let Some(place) = tally.keeps_next(&mut chance) {
                    let body = number.to_be_bytes().to_vec();
                    let (hash, received_at) = (HashAlgorithm::Sha1, UnixTime::EPOCH);
                    tally.keep(place, Sample { body, hash, serials: vec![], nonce: None, received_at });
                }
            }
            assert_eq!(tally.samples.len(), 10);
            from_second_half += tally.samples.iter().filter(|kept| kept.body >= vec![0, 0, 1, 0xf4]).count();
        }
        assert!((880..1120).contains(&from_second_half), "{from_second_half} of 2000, expected half");
    }

    #[test]
    fn what_timed_out_counts_with_the_time_it_waited() {
        let mut tally = Tally::new(1.0, 0).unwrap();
        let at = Duration::from_millis(10);
        for _ in 0..9 {
            tally.judged(Judgement::Answered(Results::default()), Duration::from_millis(1), at);
        }
        tally.gave_up(ErrorKind::Timeout, Duration::from_secs(5), at);
        assert!(tally.latency.value_at_quantile(0.99) >= 4_990_000_000);
        assert_eq!((tally.answered, tally.errors.get(&ErrorKind::Timeout)), (9, Some(&1)));
        assert_eq!(tally.points.first().map(|point| (point.answered, point.errors)), Some((9, 1)));
    }
}
