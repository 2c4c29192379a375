//! PreferredSignatureAlgorithms: what a client would like its answer signed with (RFC 6960 4.4.7).
//!
//! Called by `snapshot`, which knows who signs. The extension was read once when the request was
//! ([`super::extensions`]), so that its list is well-formed; an algorithm that nobody here knows, one too weak to be
//! trusted, or one with odd parameters is a wish that is passed over, never an error (RFC 6960 4.4.7.2).

use crate::asn1::{self, Reader, tag};
use crate::x509::{KeyAlgorithm, SignatureAlgorithm, key_algorithm};

/// One entry of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreferredAlgorithm {
    /// sigIdentifier.
    pub signature: SignatureAlgorithm,
    /// pubKeyAlgIdentifier: the kind of key that the signer's certificate is to hold. `None`: any.
    pub key: Option<KeyAlgorithm>,
}

impl PreferredAlgorithm {
    /// Whether a signature of this algorithm, made with this kind of key, is what was wished for.
    #[must_use]
    pub fn is_met_by(&self, signature: SignatureAlgorithm, key: KeyAlgorithm) -> bool {
        self.signature == signature && self.key.is_none_or(|wanted| wanted == key)
    }
}

/// The entries of a PreferredSignatureAlgorithms by its content, in the client's order, as far as they are understood.
pub fn preferred_algorithms(content: &[u8]) -> impl Iterator<Item = PreferredAlgorithm> {
    let mut list = Reader::new(content);
    std::iter::from_fn(move || {
        while let Ok(mut entry) = list.sequence() {
            if let Some(understood) = entry_of(&mut entry) {
                return Some(understood);
            }
        }
        None
    })
}

fn entry_of(entry: &mut Reader<'_>) -> Option<PreferredAlgorithm> {
    let identifier = entry.expect(tag::SEQUENCE).ok()?;
    let signature = SignatureAlgorithm::from_algorithm_identifier(identifier.raw).ok()?;
    if entry.is_empty() {
        return Some(PreferredAlgorithm { signature, key: None });
    }
    // An SMIMECapability, which is written like an AlgorithmIdentifier.
    let mut capability = entry.sequence().ok()?;
    let key = match capability.rest() {
        // A key on a curve, whichever.
        only if is_curveless(only) => None,
        _ => Some(key_algorithm(&mut capability).ok()?),
    };
    Some(PreferredAlgorithm { signature, key })
}

/// id-ecPublicKey without parameters says no more than the signature's algorithm does.
fn is_curveless(capability: &[u8]) -> bool {
    let mut fields = Reader::new(capability);
    fields.oid() == Ok(asn1::EC_PUBLIC_KEY) && fields.is_empty()
}
