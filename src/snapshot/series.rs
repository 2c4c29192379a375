//! Series of pre-signed answers: what the answers of one signatory in one form of CertIDs have in common.

use crate::ocsp::{CertIdForm, CertIdTemplate};
use crate::signing::digest;
use crate::store::SeriesNumber;
use crate::x509::Certificate;

/// The answers that one signatory signs beforehand for one key of a CA, to CertIDs of one form.
#[derive(Debug, Clone)]
pub struct Series {
    pub form: CertIdForm,
    pub number: SeriesNumber,
    /// The CertIDs that are asked about.
    pub cert_ids: CertIdTemplate,
}

impl Series {
    /// About certificates of `ca`.
    #[must_use]
    pub fn new(ca: &Certificate, form: CertIdForm, number: SeriesNumber) -> Self {
        let name = digest(form.hash, ca.subject());
        let key = digest(form.hash, ca.public_key().bits());
        Self { form, number, cert_ids: CertIdTemplate::new(form, name.as_ref(), key.as_ref()) }
    }
}
