//! To which CertIDs an answer speaks, and series of pre-signed answers: what those of one signatory to the same
//! forms of CertIDs have in common.

use crate::ocsp::{CertIdForm, CertIdForms, CertIdTemplate};
use crate::signing::digest;
use crate::store::SeriesNumber;
use crate::x509::{Certificate, SerialNumber};

/// The CertIDs of one CA key that an answer about one certificate holds.
#[derive(Debug, Clone)]
pub struct CertIds {
    pub forms: CertIdForms,
    templates: Vec<CertIdTemplate>,
}

/// The CertIDs of one certificate, written out; to be used again for the next one.
#[derive(Debug, Clone, Default)]
pub struct WrittenCertIds(Vec<Vec<u8>>);

impl CertIds {
    /// Of certificates of `ca`.
    #[must_use]
    pub fn new(ca: &Certificate, forms: CertIdForms) -> Self {
        let template = |form: CertIdForm| {
            let name = digest(form.hash, ca.subject());
            let key = digest(form.hash, ca.public_key().bits());
            CertIdTemplate::new(form, name.as_ref(), key.as_ref())
        };
        Self { forms, templates: forms.iter().map(template).collect() }
    }

    /// Writes those of `serial_number` to `out`, in place of what is there.
    pub fn write(&self, serial_number: &SerialNumber, out: &mut WrittenCertIds) {
        out.0.resize_with(self.templates.len(), Vec::new);
        for (template, out) in self.templates.iter().zip(&mut out.0) {
            template.write(serial_number, out);
        }
    }
}

impl WrittenCertIds {
    /// In the order in which answers list them.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.0.iter().map(Vec::as_slice)
    }
}

/// The answers that one signatory signs beforehand for one key of a CA, to CertIDs of one form, or of two at once.
#[derive(Debug, Clone)]
pub struct Series {
    pub number: SeriesNumber,
    /// The CertIDs that are asked about.
    pub cert_ids: CertIds,
}

impl Series {
    /// About certificates of `ca`.
    #[must_use]
    pub fn new(ca: &Certificate, forms: CertIdForms, number: SeriesNumber) -> Self {
        Self { number, cert_ids: CertIds::new(ca, forms) }
    }
}
