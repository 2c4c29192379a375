//! The write side: CRLs in, rows and a new snapshot out.
//!
//! ```text
//! octets -> parse (streaming) + hash -> sort or sum -> verify -> compare with what is held -> one batch -> publish
//! ```
//!
//! [`Ingest`] takes one CRL at a time, from `app`'s intake thread or from a command; nothing on the
//! read side ever waits for it. Until the signature of the last octet was verified nothing of a CRL is
//! in the store, and what is verified is what was read: in the same pass. Where a large CRL was taken for nearly the
//! one that is held ([`gather`]) and was not, it is read again from its beginning, and judged again from its
//! beginning: nothing of the first pass counts then. A CRL that is refused ([`Refused`]) leaves everything as it was.

mod apply;
mod dealt;
mod fetch;
mod gather;
mod guard;
mod judge;
mod read;
mod refused;
mod retire;
mod schedule;
pub mod sort;
mod sources;
mod steps;
mod succession;
mod taken_back;
#[cfg(test)]
mod tests;

pub use apply::{Ingest, Outcome, Report};
pub use fetch::FetchOptions;
pub use gather::Gather;
pub use guard::{Alarm, Guard, Manner};
pub use judge::{CrlAuthority, IngestOptions, Judge, Judged, scope_text};
pub use read::{CrlContent, IssuerEntries, read_crl};
pub use refused::Refused;
pub use retire::{EVERYTHING, NotRetired, Retired, Whose, retire, signer_name};
pub use sources::{Arrival, Content, Source, SourceReport, Sources};
pub use steps::{Step, Steps, Timed, With};
pub use taken_back::bar;
