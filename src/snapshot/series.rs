//! Series of pre-signed answers: what the answers of one key in one form of CertIDs have in common.

use super::IssuerKey;
use crate::ocsp::{CertIdForm, CertIdTemplate};
use crate::signing::{Sha256Stream, digest};
use crate::store::SeriesNumber;

/// The answers that one key signs beforehand for one CA, to CertIDs of one form.
#[derive(Debug, Clone)]
pub struct Series {
    pub form: CertIdForm,
    pub number: SeriesNumber,
    /// The CertIDs that are asked about.
    pub cert_ids: CertIdTemplate,
}

impl IssuerKey {
    /// The name of its series in the store: a hash of all that an answer says and a row does not. Another
    /// signer, another certificate of the same signer, another name or key of the CA, another archive
    /// cutoff: each is another series, so that no signature is ever put beside what it was not made for.
    #[must_use]
    pub fn series_name(&self, form: CertIdForm) -> [u8; 32] {
        let mut name = Sha256Stream::new();
        for part in [
            form.name().as_bytes(),
            self.certificate.subject(),
            self.certificate.public_key().bits(),
            self.responder.certificate().unwrap_or(&self.certificate).der(),
            &self.template.identity(),
        ] {
            name.update(&(part.len() as u64).to_be_bytes());
            name.update(part);
        }
        name.finish()
    }

    /// Its series with this number.
    #[must_use]
    pub fn series_of(&self, form: CertIdForm, number: SeriesNumber) -> Series {
        let name = digest(form.hash, self.certificate.subject());
        let key = digest(form.hash, self.certificate.public_key().bits());
        Series { form, number, cert_ids: CertIdTemplate::new(form, name.as_ref(), key.as_ref()) }
    }
}
