//! Who is told of every answer: for bills and for the audit log.
//!
//! The service asks its witness before an answer is made and tells it of the answer before it leaves. Both
//! happen on the worker's thread, on the way of every request: a witness takes no lock, waits for nobody, and
//! allocates nothing in steady state. Without a witness nothing is asked and nothing is told.

use super::caller::Caller;
use crate::respond::Answer;
use crate::x509::UnixTime;

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

/// Whether the witness had agreed to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    Given,
    /// [`Witness::may_answer`] said no, and the client was told `tryLater` for that reason alone.
    Withheld,
}

/// An answer that is about to leave.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub caller: Caller<'a>,
    pub method: Method,
    /// The octets of the OCSPRequest; `None` where a path held none.
    pub request: Option<&'a [u8]>,
    pub answer: &'a Answer,
    pub consent: Consent,
    pub now: UnixTime,
}

/// Sees every OCSP answer of a worker.
pub trait Witness: Send + Sync + 'static {
    /// Asked before an answer is made. `false`: it could not be put on record, and then there is none.
    fn may_answer(&self) -> bool;

    fn saw(&self, seen: &Seen<'_>);
}
