//! `CertID` (RFC 6960 4.1.1): which certificate is asked about.

use crate::asn1::{DerError, Reader, len_of, tag, write_header, write_tlv};
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
    /// What stands behind the hash algorithm's OBJECT IDENTIFIER.
    pub parameters: HashParameters,
    pub issuer_name_hash: &'a [u8],
    pub issuer_key_hash: &'a [u8],
    pub serial_number: SerialNumber,
}

/// The parameters of a hash algorithm: NULL and nothing mean the same (RFC 5754 2), and both are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashParameters {
    Absent,
    Null,
    /// Something that is not understood; the answer repeats it.
    Other,
}

/// All that tells the CertIDs of one certificate apart: a CA, a serial number and a form make one CertID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertIdForm {
    pub hash: HashAlgorithm,
    /// Whether NULL stands behind the hash algorithm, as most clients write it.
    pub has_null: bool,
}

impl CertIdForm {
    /// Every form, the usual ones first.
    pub const ALL: [Self; 8] = [
        Self { hash: HashAlgorithm::Sha1, has_null: true },
        Self { hash: HashAlgorithm::Sha256, has_null: true },
        Self { hash: HashAlgorithm::Sha384, has_null: true },
        Self { hash: HashAlgorithm::Sha512, has_null: true },
        Self { hash: HashAlgorithm::Sha1, has_null: false },
        Self { hash: HashAlgorithm::Sha256, has_null: false },
        Self { hash: HashAlgorithm::Sha384, has_null: false },
        Self { hash: HashAlgorithm::Sha512, has_null: false },
    ];

    /// As a configuration writes it: `sha1`, and `sha1-bare` for the form without NULL.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match (self.hash, self.has_null) {
            (HashAlgorithm::Sha1, true) => "sha1",
            (HashAlgorithm::Sha256, true) => "sha256",
            (HashAlgorithm::Sha384, true) => "sha384",
            (HashAlgorithm::Sha512, true) => "sha512",
            (HashAlgorithm::Sha1, false) => "sha1-bare",
            (HashAlgorithm::Sha256, false) => "sha256-bare",
            (HashAlgorithm::Sha384, false) => "sha384-bare",
            (HashAlgorithm::Sha512, false) => "sha512-bare",
        }
    }
}

/// The forms of CertIDs that one answer about one certificate speaks to: one, or two under one signature
/// (RFC 9919 3.2.1), so that clients of both find theirs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CertIdForms {
    first: CertIdForm,
    second: Option<CertIdForm>,
}

impl CertIdForms {
    #[must_use]
    pub const fn one(form: CertIdForm) -> Self {
        Self { first: form, second: None }
    }

    #[must_use]
    pub const fn pair(first: CertIdForm, second: CertIdForm) -> Self {
        Self { first, second: Some(second) }
    }

    /// In the order in which answers list them.
    pub fn iter(self) -> impl Iterator<Item = CertIdForm> {
        std::iter::once(self.first).chain(self.second)
    }

    #[must_use]
    pub fn contains(self, form: CertIdForm) -> bool {
        self.iter().any(|one| one == form)
    }

    #[must_use]
    pub const fn is_one(self) -> bool {
        self.second.is_none()
    }

    /// `sha1`, or `sha1+sha256`.
    #[must_use]
    pub fn name(self) -> String {
        self.iter().map(CertIdForm::name).collect::<Vec<_>>().join("+")
    }
}

/// The CertIDs of one CA in one form: all but the serial number, written once.
#[derive(Debug, Clone)]
pub struct CertIdTemplate {
    front: Vec<u8>,
}

impl CertIdTemplate {
    /// The hashes are those of the CA's name and key (RFC 6960 4.1.1).
    #[must_use]
    pub fn new(form: CertIdForm, issuer_name_hash: &[u8], issuer_key_hash: &[u8]) -> Self {
        let mut algorithm = Vec::new();
        write_tlv(&mut algorithm, tag::OBJECT_IDENTIFIER, form.hash.oid());
        if form.has_null {
            write_tlv(&mut algorithm, tag::NULL, &[]);
        }
        let mut front = Vec::new();
        write_tlv(&mut front, tag::SEQUENCE, &algorithm);
        write_tlv(&mut front, tag::OCTET_STRING, issuer_name_hash);
        write_tlv(&mut front, tag::OCTET_STRING, issuer_key_hash);
        Self { front }
    }

    /// Writes the CertID of `serial_number` to `out`, in place of what is there.
    pub fn write(&self, serial_number: &SerialNumber, out: &mut Vec<u8>) {
        out.clear();
        write_header(out, tag::SEQUENCE, self.front.len() + len_of(serial_number.as_bytes().len()));
        out.extend_from_slice(&self.front);
        write_tlv(out, tag::INTEGER, serial_number.as_bytes());
    }
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
        let mut parameters = HashParameters::Absent;
        if !algorithm.is_empty() {
            let element = algorithm.element()?;
            parameters = match element.tag {
                tag::NULL if !element.content.is_empty() => return Err(DerError::Value.into()),
                tag::NULL => HashParameters::Null,
                _ => HashParameters::Other,
            };
            algorithm.finish()?;
        }
        let issuer_name_hash = fields.expect(tag::OCTET_STRING)?.content;
        let issuer_key_hash = fields.expect(tag::OCTET_STRING)?.content;
        let serial_number = SerialNumber::from_der_content(fields.expect(tag::INTEGER)?.content)?;
        fields.finish()?;
        let hash = HashAlgorithm::from_oid(oid);
        Ok(Self { raw: whole.raw, hash, parameters, issuer_name_hash, issuer_key_hash, serial_number })
    }

    /// Its form; `None` where it has a hash algorithm or parameters that no form has.
    #[must_use]
    pub fn form(&self) -> Option<CertIdForm> {
        let has_null = match self.parameters {
            HashParameters::Absent => false,
            HashParameters::Null => true,
            HashParameters::Other => return None,
        };
        Some(CertIdForm { hash: self.hash?, has_null })
    }
}
