//! What answers of one key have in common: to which CertIDs they speak, and those signed beforehand as a series.

use super::IssuerKey;
use crate::ocsp::{CertIdForm, CertIdForms, CertIdTemplate};
use crate::signing::{Sha256Stream, digest};
use crate::store::SeriesNumber;
use crate::x509::SerialNumber;

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

/// The answers that one key signs beforehand for one CA, to CertIDs of one form, or of two at once.
#[derive(Debug, Clone)]
pub struct Series {
    pub number: SeriesNumber,
    /// The CertIDs that are asked about.
    pub cert_ids: CertIds,
}

impl IssuerKey {
    /// The name of its series in the store: a hash of all that an answer says and a row does not. Another
    /// signer, another certificate of the same signer, another name or key of the CA, another archive
    /// cutoff: each is another series, so that no signature is ever put beside what it was not made for.
    #[must_use]
    pub fn series_name(&self, forms: CertIdForms) -> [u8; 32] {
        let mut name = Sha256Stream::new();
        for part in [
            forms.name().as_bytes(),
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
    pub fn series_of(&self, forms: CertIdForms, number: SeriesNumber) -> Series {
        Series { number, cert_ids: self.cert_ids(forms) }
    }

    /// The CertIDs of its certificates in these forms.
    #[must_use]
    pub fn cert_ids(&self, forms: CertIdForms) -> CertIds {
        let template = |form: CertIdForm| {
            let name = digest(form.hash, self.certificate.subject());
            let key = digest(form.hash, self.certificate.public_key().bits());
            CertIdTemplate::new(form, name.as_ref(), key.as_ref())
        };
        CertIds { forms, templates: forms.iter().map(template).collect() }
    }
}
