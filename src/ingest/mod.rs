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
mod read;
mod refused;
mod schedule;
pub mod sort;
mod sources;
#[cfg(test)]
mod tests;

pub use apply::{CrlAuthority, Ingest, IngestOptions, Judge, Judged, Outcome, Report, scope_text};
pub use fetch::FetchOptions;
pub use guard::{Alarm, Guard, Manner};
pub use read::{CrlContent, read_crl};
pub use refused::Refused;
pub use sources::{Arrival, Content, Source, SourceReport, Sources};
