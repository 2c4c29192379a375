//! Signed requests (RFC 6960 4.1.2): who signed, and whether the signature is right.
//!
//! The signer is one that is registered, by the fingerprint of a certificate that came with the request or, where
//! none came, by the name in requestorName and the certificate on file. No chain is built: the registry is the
//! trust. So a stranger costs a hash for each certificate that he sends, and no signature is verified for him.
//!
//! A request has no time. One that is replayed is answered as it was, for as long as its signer is registered:
//! what the thief learns is what the answer's own signature lets anybody show to anybody, and it is counted to the
//! signer. A memory of nonces would not mend this, because it ends and a request does not; what does is to
//! demand the verifier's own connection beside its signature: where a client certificate is shown, both must
//! be of one verifier.

use super::{Cause, CertificateKey, Moment, Registry, Standing};
use crate::asn1::{Reader, tag};
use crate::ocsp::RequestSignature;
use crate::signing::verify;
use crate::snapshot::Snapshot;
use crate::x509::{Certificate, SignatureAlgorithm, canonical_name};

/// Certificates of a request that are looked at.
const MOST_CERTIFICATES: usize = 4;

/// Who signed a request.
#[derive(Debug, Clone, Copy)]
pub struct Signed {
    /// Which verifier of the registry.
    pub verifier: usize,
}

impl Registry {
    /// Whose signature this is.
    ///
    /// # Errors
    /// [`Cause::Unregistered`] for a signer that nobody knows, and what is wrong with one who is known.
    pub fn signed_by(
        &self,
        signature: &RequestSignature<'_>,
        snapshot: &Snapshot,
        moment: Moment,
        look: super::standing::Look<'_>,
    ) -> Result<Signed, Cause> {
        let mut brought = None;
        let mut found = None;
        let mut certificates = 0;
        for der in signature.certificates().take(MOST_CERTIFICATES) {
            certificates += 1;
            if let Some(known) = self.signers.get(&CertificateKey::of_der(der)) {
                brought = known.certificate.is_none().then(|| Certificate::from_der(der));
                found = Some(known);
                break;
            }
        }
        if certificates == 0 {
            let name = signature.requestor_name.and_then(directory_name);
            let name = name.and_then(|name| canonical_name(name).ok()).ok_or(Cause::Unregistered)?;
            let mut on_file = self.signers.values().filter(|one| one.certificate.is_some());
            found = on_file.find(|known| known.subject == name);
        }
        let known = found.ok_or(Cause::Unregistered)?;
        let certificate = match (&known.certificate, &brought) {
            (Some(on_file), _) => on_file,
            (None, Some(Ok(brought))) => brought,
            (None, Some(Err(_)) | None) => return Err(Cause::SignatureWrong),
        };
        check(signature, certificate, &known.standing, snapshot, moment, look)?;
        Ok(Signed { verifier: known.verifier })
    }
}

fn check(
    signature: &RequestSignature<'_>,
    certificate: &Certificate,
    standing: &Standing,
    snapshot: &Snapshot,
    moment: Moment,
    look: super::standing::Look<'_>,
) -> Result<(), Cause> {
    if moment.now < certificate.not_before() || moment.now > certificate.not_after() {
        return Err(Cause::CertificateExpired);
    }
    // RFC 5280 4.2.1.3.
    if !certificate.allows_digital_signature() {
        return Err(Cause::SignatureWrong);
    }
    let algorithm = SignatureAlgorithm::from_algorithm_identifier(signature.algorithm);
    let algorithm = algorithm.map_err(|_| Cause::SignatureWrong)?;
    verify(certificate.public_key(), algorithm, signature.to_be_signed, signature.bits)
        .map_err(|_| Cause::SignatureWrong)?;
    if standing.is_fine(certificate, snapshot, moment, look) {
        Ok(())
    } else {
        Err(Cause::CertificateRevoked)
    }
}

/// The Name in a GeneralName, where it is a directoryName.
fn directory_name(general_name: &[u8]) -> Option<&[u8]> {
    let mut name = Reader::new(general_name);
    let explicit = name.expect(tag::context_constructed(4)).ok()?;
    let mut inner = Reader::new(explicit.content);
    Some(inner.expect(tag::SEQUENCE).ok()?.raw)
}
