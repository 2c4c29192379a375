//! RFC 5280 in octets: serial numbers, names, times, certificates, CRLs. No I/O, no clock.

mod algorithm;
mod certificate;
pub mod crl;
mod extension;
mod name;
mod packed;
mod reason;
mod serial;
mod time;

pub use algorithm::*;
pub use certificate::*;
pub use extension::{Extension, ExtensionError, Extensions};
pub use name::*;
pub use packed::PackedEntry;
pub use reason::{CrlReason, Revocation};
pub use serial::{SerialNumber, SerialNumberError};
pub use time::{GENERALIZED_TIME_LEN, UnixTime};
