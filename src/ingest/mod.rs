//! The write side: CRLs in, rows and a new snapshot out.
//!
//! ```text
//! octets -> parse (streaming) + hash -> sort -> verify -> compare with what is held -> one batch -> publish
//! ```
//!
//! [`Ingest`] takes one CRL at a time, from `app`'s intake thread or from a command; nothing on the
//! read side ever waits for it. Until the signature of the last octet was verified nothing of a CRL is
//! in the store, and what is verified is what was read: there is one pass, and no second look at the
//! file. A CRL that is refused ([`Refused`]) leaves everything as it was.

mod apply;
mod dealt;
mod fetch;
mod guard;
mod judge;
mod read;
mod refused;
mod retire;
mod schedule;
pub mod sort;
mod sources;
mod succession;
mod taken_back;
#[cfg(test)]
mod tests;

pub use apply::{Ingest, Outcome, Report};
pub use fetch::FetchOptions;
pub use guard::{Alarm, Guard, Manner};
pub use judge::{CrlAuthority, IngestOptions, Judge, Judged, scope_text};
pub use read::{CrlContent, IssuerEntries, read_crl};
pub use refused::Refused;
pub use retire::{EVERYTHING, NotRetired, Retired, retire};
pub use sources::{Arrival, Content, Source, SourceReport, Sources};
pub use taken_back::bar;
