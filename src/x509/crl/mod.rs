//! Certificate revocation lists (RFC 5280 section 5), read as a stream in constant memory.
//!
//! [`CrlParser`] is pushed octets as they come and calls a [`CrlVisitor`]: the header, each entry, and
//! the octets of `tbsCertList` in order, so that the same pass that reads also hashes and what was
//! verified is what was used. Extensions and signature stand at the end of a CRL; [`CrlParser::finish`]
//! gives them. Nothing an entry says may be believed before that, and before the signature was
//! verified. [`Armor`] in front of it takes PEM off. Files are somebody else's matter: no I/O here.
//!
//! Limits: an entry of [`MAX_ELEMENT`] octets, a header or the extensions of as many.

mod armor;
mod extensions;
mod parser;
#[cfg(test)]
pub(crate) mod tests;
mod usual;

pub use armor::{Armor, ArmorError};
pub use extensions::{CertificateKinds, CrlExtensions, IssuingDistributionPoint, MAX_EXTENSIONS};
pub use parser::{CrlParser, MAX_ELEMENT};

use super::{Revocation, SerialNumber, SerialNumberError, UnixTime};
use crate::asn1::DerError;
use const_oid::ObjectIdentifier;

/// What stands before the entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlHeader {
    /// Version 2; version 1 has no extensions.
    pub is_v2: bool,
    /// The AlgorithmIdentifier inside the signed part, as it stands.
    pub signature_algorithm: Vec<u8>,
    /// The issuer's Name, as it stands.
    pub issuer: Vec<u8>,
    pub this_update: UnixTime,
    pub next_update: Option<UnixTime>,
    /// Octets of all entries.
    pub entries_octets: u64,
}

/// One entry of `revokedCertificates`.
#[derive(Debug, Clone, Copy)]
pub struct CrlEntry<'a> {
    pub serial_number: SerialNumber,
    pub revocation: Revocation,
    /// The Name in the certificateIssuer extension (RFC 5280 5.3.3), when it stands in this entry: it holds
    /// for those that follow too.
    pub certificate_issuer: Option<&'a [u8]>,
}

/// What stands behind the entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlTrailer {
    pub extensions: CrlExtensions,
    /// The outer AlgorithmIdentifier, equal to the inner one.
    pub signature_algorithm: Vec<u8>,
    /// The signature's octets.
    pub signature: Vec<u8>,
    /// Entries in the CRL.
    pub entries: u64,
    /// Octets of the whole CRL in DER.
    pub octets: u64,
}

/// Who is told what the parser reads.
pub trait CrlVisitor {
    type Error: From<CrlError>;

    /// The octets of `tbsCertList`, all of them, in order, in pieces of any size.
    fn signed(&mut self, octets: &[u8]);

    /// Called once, before any entry and before the first call of [`CrlVisitor::signed`].
    ///
    /// # Errors
    /// Any error of the visitor ends the reading.
    fn header(&mut self, header: &CrlHeader) -> Result<(), Self::Error>;

    /// Called for each entry in the order of the CRL.
    ///
    /// # Errors
    /// Any error of the visitor ends the reading.
    fn entry(&mut self, entry: &CrlEntry<'_>) -> Result<(), Self::Error>;
}

/// Why octets are not a CRL that may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    /// The octets end before the CRL does.
    #[error("it is cut short: {have} octets came, {expected}")]
    Truncated { have: u64, expected: Expected },
    /// Octets follow the end of the CRL.
    #[error("octets follow the end of the CRL")]
    Trailing,
    /// Not DER, or not the structure of a CertificateList, at about this octet.
    #[error("it is not a CRL in DER near octet {at}: {why}")]
    Malformed { at: u64, why: DerError },
    /// An element that should be small is not.
    #[error("near octet {at} stands an element of {octets} octets; at most {MAX_ELEMENT} are accepted")]
    TooLarge { at: u64, octets: u64 },
    /// Neither version 1 (absent) nor version 2 (RFC 5280 5.1.2.1).
    #[error("its version is neither v1 nor v2")]
    Version,
    /// Extensions in a version 1 CRL (RFC 5280 5.1.2.1).
    #[error("it has extensions, but its version is v1")]
    ExtensionsInV1,
    /// Inner and outer algorithm differ (RFC 5280 5.1.1.2).
    #[error("the signature algorithm inside the signed part differs from the one outside")]
    AlgorithmMismatch,
    /// A serial number outside RFC 5280 4.1.2.2, in the entry with this number, counted from 1.
    #[error("entry {entry} has an unusable serial number: {why}")]
    SerialNumber { entry: u64, why: SerialNumberError },
    /// A critical extension that is not understood (RFC 5280 5.2 and 5.3): the CRL must not be used.
    #[error("it has a critical extension that is not understood: {oid}")]
    UnknownCriticalExtension { oid: ObjectIdentifier },
    /// The same in an entry.
    #[error("entry {entry} has a critical extension that is not understood: {oid}")]
    UnknownCriticalEntryExtension { entry: u64, oid: ObjectIdentifier },
    /// The same extension twice (RFC 5280 4.2).
    #[error("an extension stands twice: {oid}")]
    DuplicateExtension { oid: ObjectIdentifier },
    /// More extensions in one list than [`MAX_EXTENSIONS`].
    #[error("one list of extensions has over {MAX_EXTENSIONS} of them")]
    TooManyExtensions,
    /// An extension's value is not what its standard says.
    #[error("the extension {name} is malformed")]
    Extension { name: &'static str },
    /// A reasonCode that is not one (RFC 5280 5.3.1).
    #[error("entry {entry} has the reason code {value}, which RFC 5280 does not know")]
    Reason { entry: u64, value: u8 },
    /// removeFromCRL in a CRL that is not a delta (RFC 5280 5.3.1).
    #[error("an entry says removeFromCRL, which only a delta CRL may")]
    RemoveFromCrlInFull,
    /// certificateIssuer in a CRL that is not indirect (RFC 5280 5.3.3).
    #[error("an entry names a certificate issuer, but the CRL does not say that it is indirect")]
    CertificateIssuerInDirect,
    /// certificateIssuer that is not one directoryName (RFC 5280 5.3.3).
    #[error("entry {entry} names its certificate issuer in another form than one directory name")]
    CertificateIssuerName { entry: u64 },
    /// cRLNumber that is negative or over 20 octets (RFC 5280 5.2.3).
    #[error("its CRL number is negative or has over 20 octets")]
    Number,
    /// Two or three of onlyContainsUserCerts, CACerts, AttributeCerts (RFC 5280 5.2.5).
    #[error("its issuing distribution point limits it to two kinds of certificates at once")]
    ConflictingKinds,
    /// An issuingDistributionPoint without anything in it (RFC 5280 5.2.5).
    #[error("its issuing distribution point is empty")]
    EmptyDistributionPoint,
}

/// How many octets should have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// As the outermost length says.
    Octets(u64),
    /// Not even the outermost length came.
    AtLeastAHeader,
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Octets(octets) => write!(f, "it says it has {octets}"),
            Self::AtLeastAHeader => f.write_str("too few for a CRL"),
        }
    }
}
