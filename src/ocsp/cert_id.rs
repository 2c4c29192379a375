//! `CertID` (RFC 6960 4.1.1): which certificate is asked about.

use crate::asn1::{DerError, Reader, tag};
use crate::x509::{HashAlgorithm, SerialNumber, SerialNumberError};

/// A CertID in a request or a response, read in place.
///
/// `raw` is repeated in the answer octet by octet, because clients compare it so.
#[derive(Debug, Clone, Copy)]
pub struct CertIdRef<'a> {
    /// The whole CertID as it was asked.
    pub raw: &'a [u8],
    /// `None`: a hash algorithm that no issuer here is indexed by.
    pub hash: Option<HashAlgorithm>,
    pub issuer_name_hash: &'a [u8],
    pub issuer_key_hash: &'a [u8],
    pub serial_number: SerialNumber,
}

/// Why octets are not a CertID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertIdError {
    #[error("the CertID is malformed: {0}")]
    Der(#[from] DerError),
    #[error("the CertID's serial number is malformed: {0}")]
    SerialNumber(#[from] SerialNumberError),
}

impl<'a> CertIdRef<'a> {
    /// Reads the CertID that is next in `reader`.
    ///
    /// # Errors
    /// When it is not DER, or its serial number is outside RFC 5280 4.1.2.2.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, CertIdError> {
        let whole = reader.expect(tag::SEQUENCE)?;
        let mut fields = Reader::new(whole.content);
        let mut algorithm = fields.sequence()?;
        let oid = algorithm.oid()?;
        // Parameters are NULL or absent (RFC 5754 2); a peer that writes others is not understood,
        // and the answer repeats whatever stands here.
        if !algorithm.is_empty() {
            let parameters = algorithm.element()?;
            if parameters.tag == tag::NULL && !parameters.content.is_empty() {
                return Err(DerError::Value.into());
            }
            algorithm.finish()?;
        }
        let issuer_name_hash = fields.expect(tag::OCTET_STRING)?.content;
        let issuer_key_hash = fields.expect(tag::OCTET_STRING)?.content;
        let serial_number = SerialNumber::from_der_content(fields.expect(tag::INTEGER)?.content)?;
        fields.finish()?;
        let hash = HashAlgorithm::from_oid(oid);
        Ok(Self { raw: whole.raw, hash, issuer_name_hash, issuer_key_hash, serial_number })
    }
}
