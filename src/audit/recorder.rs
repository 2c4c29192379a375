//! What a worker tells the audit log: put into the worker's own queue on the way of every answer.
//!
//! Nothing here waits: the queue is bounded and lock-free, an entry has a fixed size, and of the answer's octets
//! only a count of their owners is taken. Hashing, pseudonyms and the disk are the [`Scribe`](super::Scribe)'s.
//!
//! When there is no room, the operator's choice applies ([`WhenFull`]): with `Refuse` no answer is made that could not be
//! put on record, for which some of the queue is left free for those under way; with `Gap`, and where that was not
//! enough, the answer leaves and is counted as missing.

use super::WhenFull;
use crate::ocsp::OcspResponseStatus;
use crate::store::{IssuerNumber, LONGEST_NAME, VerifierNumber};
use crate::x509::UnixTime;
use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Answers of a worker that may wait for the scribe: what it gives in half a second, while a busy disk is waited
/// for. 11 MB.
pub(super) const ROOM: usize = 32_768;
/// Of these, places for answers that were begun when there was still room: a worker waits for the disk with 512.
const FOR_THOSE_UNDER_WAY: usize = 1024;
/// Octets of a request that got no answer: one for a single certificate has 70 to 120.
const REQUEST_OCTETS: usize = 160;

/// Octets on the spot; empty where they would not fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inline<const N: usize> {
    octets: [u8; N],
    length: u8,
}

impl<const N: usize> Inline<N> {
    fn of(octets: &[u8]) -> Self {
        let mut inline = Self { octets: [0; N], length: 0 };
        if let (Some(place), Ok(length)) = (inline.octets.get_mut(..octets.len()), u8::try_from(octets.len()))
        {
            place.copy_from_slice(octets);
            inline.length = length;
        }
        inline
    }

    pub fn as_slice(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }
}

/// How it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AskedBy {
    Get = b'G',
    Post = b'P',
}

/// An answer, as a worker saw it.
#[derive(Debug, Clone, Copy)]
pub struct Witnessed<'a> {
    pub now: UnixTime,
    pub verifier: Option<VerifierNumber>,
    pub on_behalf_of: Option<&'a str>,
    pub issuer: Option<IssuerNumber>,
    pub method: AskedBy,
    pub status: OcspResponseStatus,
    /// The OCSPResponse, and its SHA-256 where that is known.
    pub response: &'a Bytes,
    pub response_hash: Option<[u8; 32]>,
    pub request: Option<&'a [u8]>,
}

/// The same in the queue.
pub(super) struct Told {
    pub now: UnixTime,
    pub verifier: Option<VerifierNumber>,
    pub on_behalf_of: Inline<LONGEST_NAME>,
    pub issuer: Option<IssuerNumber>,
    pub method: AskedBy,
    pub status: OcspResponseStatus,
    pub response: Bytes,
    pub response_hash: Option<[u8; 32]>,
    /// Of those that got no answer: in an answer stands what was asked.
    pub request: Inline<REQUEST_OCTETS>,
}

/// What workers and scribe know of each other, beside the queues.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The log takes nothing at the moment.
    pub is_stuck: AtomicBool,
    /// Answers that left and are not on record, since the scribe last looked.
    pub missing: AtomicU64,
    /// Requests that were told tryLater for want of a record, likewise.
    pub refused: AtomicU64,
    /// No worker is left.
    pub is_over: AtomicBool,
}

/// The end of the queue that a worker has.
#[derive(Clone)]
pub struct Recorder {
    pub(super) queue: Arc<ArrayQueue<Told>>,
    pub(super) shared: Arc<Shared>,
    pub(super) when_full: WhenFull,
}

impl Recorder {
    /// Whether an answer that is made now can be put on record, or need not be.
    #[must_use]
    pub fn may_answer(&self) -> bool {
        match self.when_full {
            WhenFull::Gap => true,
            WhenFull::Refuse => {
                !self.shared.is_stuck.load(Ordering::Relaxed)
                    && self.queue.len() < self.queue.capacity() - FOR_THOSE_UNDER_WAY
            }
        }
    }

    /// Puts an answer on record.
    pub fn record(&self, witnessed: &Witnessed<'_>) {
        let is_answered = witnessed.status == OcspResponseStatus::Successful;
        let request = witnessed.request.filter(|_| !is_answered).unwrap_or_default();
        let told = Told {
            now: witnessed.now,
            verifier: witnessed.verifier,
            on_behalf_of: Inline::of(witnessed.on_behalf_of.unwrap_or_default().as_bytes()),
            issuer: witnessed.issuer,
            method: witnessed.method,
            status: witnessed.status,
            response: witnessed.response.clone(),
            response_hash: witnessed.response_hash,
            request: Inline::of(request),
        };
        if self.queue.push(told).is_err() {
            self.shared.missing.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Somebody was told tryLater because [`Recorder::may_answer`] said no.
    pub fn refused(&self) {
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder(when_full: WhenFull) -> Recorder {
        Recorder { queue: Arc::new(ArrayQueue::new(ROOM)), shared: Arc::default(), when_full }
    }

    fn witnessed<'a>(response: &'a Bytes, request: &'a [u8]) -> Witnessed<'a> {
        Witnessed {
            now: UnixTime::EPOCH,
            verifier: None,
            on_behalf_of: Some("clinic-7"),
            issuer: None,
            method: AskedBy::Post,
            status: OcspResponseStatus::TryLater,
            response,
            response_hash: None,
            request: Some(request),
        }
    }

    #[test]
    fn who_refuses_keeps_room_for_answers_under_way_and_who_leaves_gaps_counts_them() {
        let (refusing, leaving) = (recorder(WhenFull::Refuse), recorder(WhenFull::Gap));
        let response = Bytes::from_static(b"x");
        let mut answered = 0;
        while refusing.may_answer() {
            refusing.record(&witnessed(&response, b""));
            answered += 1;
        }
        assert_eq!(answered, ROOM - FOR_THOSE_UNDER_WAY);
        for _ in 0..FOR_THOSE_UNDER_WAY {
            refusing.record(&witnessed(&response, b""));
        }
        refusing.refused();
        assert_eq!(refusing.shared.missing.load(Ordering::Relaxed), 0);
        assert_eq!(refusing.shared.refused.load(Ordering::Relaxed), 1);
        for _ in 0..ROOM + 5 {
            assert!(leaving.may_answer());
            leaving.record(&witnessed(&response, b""));
        }
        assert_eq!(leaving.shared.missing.load(Ordering::Relaxed), 5);
        // As soon as there is room again.
        refusing.queue.pop();
        assert!(!refusing.may_answer());
        (0..FOR_THOSE_UNDER_WAY).for_each(|_| drop(refusing.queue.pop()));
        assert!(refusing.may_answer());
        refusing.shared.is_stuck.store(true, Ordering::Relaxed);
        assert!(!refusing.may_answer());
        leaving.shared.is_stuck.store(true, Ordering::Relaxed);
        assert!(leaving.may_answer());
    }

    #[test]
    fn a_request_stays_with_the_answer_where_the_answer_does_not_say_what_was_asked() {
        let recorder = recorder(WhenFull::Gap);
        let response = Bytes::from_static(b"x");
        recorder.record(&witnessed(&response, &[7; REQUEST_OCTETS]));
        recorder.record(&witnessed(&response, &[7; REQUEST_OCTETS + 1]));
        let good = Witnessed { status: OcspResponseStatus::Successful, ..witnessed(&response, b"request") };
        recorder.record(&good);
        let lengths = std::iter::from_fn(|| recorder.queue.pop()).map(|told| told.request.as_slice().len());
        assert_eq!(lengths.collect::<Vec<_>>(), [REQUEST_OCTETS, 0, 0]);
    }
}
