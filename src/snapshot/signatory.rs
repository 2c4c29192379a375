//! Who signs for one key of a CA: one by default, and others for clients that prefer another algorithm.
//!
//! Made by `app` from the configuration; asked by `respond` for every request. Which of them signs (RFC 6960 4.4.7.2):
//! the first algorithm of the client's list that one of them has, whose hash is no weaker than the default's, and
//! who is valid now; else the default. The CRL's and the certificate's algorithm, which the RFC lets a responder look
//! at in between, say nothing that the operator has not said by choosing a default. A wish is never a reason for an
//! error, and never for a weaker answer.

use super::Series;
use crate::ocsp::{CertIdForms, PreferredAlgorithm, ResponseTemplate, preferred_algorithms};
use crate::signing::{ResponderIdentity, Sha256Stream};
use crate::x509::{Certificate, HashAlgorithm, SignatureAlgorithm, UnixTime};
use std::sync::Arc;

/// Somebody who signs answers of one key of a CA, and what all those answers have in common.
#[derive(Debug, Clone)]
pub struct Signatory {
    pub responder: Arc<ResponderIdentity>,
    pub template: Arc<ResponseTemplate>,
    /// What is signed beforehand, one for each form of CertIDs; usually none.
    pub series: Arc<[Series]>,
}

impl Signatory {
    #[must_use]
    pub fn new(responder: Arc<ResponderIdentity>) -> Self {
        let template = ResponseTemplate::new(
            &responder.responder_id_key_hash(),
            responder.signer().algorithm().algorithm_identifier(),
            responder.certs_der(),
        );
        Self { responder, template: Arc::new(template), series: Arc::new([]) }
    }

    /// Its answers about certificates of `ca` name it by subject instead of by key. Not once it has series: they are
    /// of answers as they were before.
    #[must_use]
    pub fn named(self, ca: &Certificate) -> Self {
        let subject = self.responder.certificate().unwrap_or(ca).subject();
        let template = ResponseTemplate::clone(&self.template).with_responder_name(subject);
        Self { template: Arc::new(template), ..self }
    }

    /// With an archive cutoff of so many seconds in its answers. As with [`Signatory::named`], before it has series.
    #[must_use]
    pub fn with_archive_cutoff(self, seconds: i64) -> Self {
        let template = ResponseTemplate::clone(&self.template).with_archive_cutoff(seconds);
        Self { template: Arc::new(template), ..self }
    }

    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.responder.signer().algorithm()
    }

    #[must_use]
    pub fn is_valid(&self, now: UnixTime) -> bool {
        (self.responder.not_before()..self.responder.not_after()).contains(&now)
    }

    /// The name of its series in the store: a hash of all that an answer says and a row does not. Another
    /// signer, another certificate of the same signer, another name or key of the CA, another archive
    /// cutoff: each is another series, so that no signature is ever put beside what it was not made for.
    #[must_use]
    pub fn series_name(&self, ca: &Certificate, forms: CertIdForms) -> [u8; 32] {
        let mut name = Sha256Stream::new();
        for part in [
            forms.name().as_bytes(),
            ca.subject(),
            ca.public_key().bits(),
            self.responder.certificate().unwrap_or(ca).der(),
            &self.template.identity(),
        ] {
            name.update(&(part.len() as u64).to_be_bytes());
            name.update(part);
        }
        name.finish()
    }

    fn meets(&self, wish: &PreferredAlgorithm) -> bool {
        wish.is_met_by(self.algorithm(), self.responder.signer().public_key().algorithm())
    }
}

/// All who sign for one key of a CA.
#[derive(Debug, Clone)]
pub struct Signatories {
    pub default: Signatory,
    /// In the operator's order; usually none.
    pub others: Vec<Signatory>,
}

impl Signatories {
    /// The default first.
    pub fn all(&self) -> impl Iterator<Item = &Signatory> {
        std::iter::once(&self.default).chain(&self.others)
    }

    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Signatory> {
        std::iter::once(&mut self.default).chain(&mut self.others)
    }

    /// Who signs for a client that sent this content of PreferredSignatureAlgorithms, or none, and which of
    /// [`Signatories::all`] that is.
    #[must_use]
    pub fn preferred(&self, content: Option<&[u8]>, now: UnixTime) -> (usize, &Signatory) {
        let default = (0, &self.default);
        let Some(content) = content.filter(|_| !self.others.is_empty()) else { return default };
        let floor = strength(self.default.algorithm());
        let one_for = |wish: PreferredAlgorithm| {
            self.all()
                .enumerate()
                .filter(|(_, one)| strength(one.algorithm()) >= floor && one.is_valid(now))
                .find(|(_, one)| one.meets(&wish))
        };
        preferred_algorithms(content).find_map(one_for).unwrap_or(default)
    }
}

/// Octets of the hash within a signature. Ed25519 hashes with SHA-512 (RFC 8032 5.1).
fn strength(algorithm: SignatureAlgorithm) -> usize {
    algorithm.hash().map_or(64, HashAlgorithm::output_len)
}
