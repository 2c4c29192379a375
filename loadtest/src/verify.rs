//! Whether an answer may be believed (RFC 6960 3.2): asked of a sample, after the run, so that the
//! arithmetic of signatures takes nothing from the processor while time is measured.
//!
//! Called by `run`. The order is that of RFC 6960; the first thing that is wrong is counted.

use crate::answer::repeats;
use crate::request::{CertIdPrefix, Nonce};
use ocsprey::asn1::{tag, tlv};
use ocsprey::ocsp::{BasicResponse, ParsedResponse};
use ocsprey::signing::{names_responder, verify, verify_issued_by};
use ocsprey::x509::{Certificate, HashAlgorithm, SignatureAlgorithm, UnixTime};

/// How far two clocks may be apart, in seconds.
const CLOCK_SKEW: i64 = 300;

/// An answer that was kept, with what was asked.
#[derive(Debug, Clone)]
pub struct Sample {
    pub body: Vec<u8>,
    pub hash: HashAlgorithm,
    /// Content octets of the INTEGERs.
    pub serials: Vec<Vec<u8>>,
    pub nonce: Option<Nonce>,
    pub received_at: UnixTime,
}

/// Why an answer may not be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    NotOcsp,
    CertId,
    Nonce,
    SignatureAlgorithm,
    SignerMissing,
    SignerNotIssuedByTheCa,
    SignerNotAuthorised,
    SignerExpired,
    Signature,
    NotYetValid,
    Stale,
}

impl Fault {
    /// Its name in a report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotOcsp => "not_ocsp",
            Self::CertId => "cert_id",
            Self::Nonce => "nonce",
            Self::SignatureAlgorithm => "signature_algorithm",
            Self::SignerMissing => "signer_missing",
            Self::SignerNotIssuedByTheCa => "signer_not_issued_by_the_ca",
            Self::SignerNotAuthorised => "signer_not_authorised",
            Self::SignerExpired => "signer_expired",
            Self::Signature => "signature",
            Self::NotYetValid => "not_yet_valid",
            Self::Stale => "stale",
        }
    }
}

/// Judges samples of one issuer.
pub struct Verifier {
    issuer: Certificate,
    prefixes: Vec<CertIdPrefix>,
    /// The delegate that came last: almost always the same, and its own signature costs as much.
    delegate: Option<Certificate>,
}

impl Verifier {
    #[must_use]
    pub fn new(issuer: Certificate) -> Self {
        let prefixes = HashAlgorithm::ALL.map(|hash| CertIdPrefix::new(hash, &issuer)).to_vec();
        Self { issuer, prefixes, delegate: None }
    }

    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&mut self, sample: &Sample) -> Result<(), Fault> {
        let Ok(ParsedResponse::Basic(basic)) = ParsedResponse::parse(&sample.body) else {
            return Err(Fault::NotOcsp);
        };
        self.about_what_was_asked(&basic, sample)?;
        if !sample.nonce.as_ref().is_none_or(|nonce| repeats(&basic, nonce)) {
            return Err(Fault::Nonce);
        }
        let algorithm = SignatureAlgorithm::from_algorithm_identifier(basic.signature_algorithm)
            .map_err(|_| Fault::SignatureAlgorithm)?;
        let signer = self.signer(&basic, sample.received_at)?;
        verify(signer.public_key(), algorithm, basic.to_be_signed, basic.signature)
            .map_err(|_| Fault::Signature)?;
        fresh(&basic, sample.received_at)
    }

    /// CertIDs come back octet by octet, each once, in any order.
    fn about_what_was_asked(&self, basic: &BasicResponse<'_>, sample: &Sample) -> Result<(), Fault> {
        let prefix = self.prefixes.iter().find(|prefix| prefix.hash == sample.hash).ok_or(Fault::CertId)?;
        let mut asked: Vec<Vec<u8>> = Vec::with_capacity(sample.serials.len());
        for serial in &sample.serials {
            asked.push(tlv(tag::SEQUENCE, &prefix.cert_id_content(serial)));
        }
        let mut came: Vec<&[u8]> = basic.singles().map(|single| single.cert_id.raw).collect();
        asked.sort_unstable();
        came.sort_unstable();
        if asked == came { Ok(()) } else { Err(Fault::CertId) }
    }

    /// RFC 6960 4.2.2.2: the CA itself, or a delegate that it issued for this purpose.
    fn signer(&mut self, basic: &BasicResponse<'_>, now: UnixTime) -> Result<&Certificate, Fault> {
        if names_responder(basic, &self.issuer) {
            return Ok(&self.issuer);
        }
        if !self
            .delegate
            .as_ref()
            .is_some_and(|known| came_with(basic, known) && names_responder(basic, known))
        {
            let parsed = basic.certificates().filter_map(|der| Certificate::from_der(der).ok());
            let delegate =
                parsed.into_iter().find(|found| names_responder(basic, found)).ok_or(Fault::SignerMissing)?;
            verify_issued_by(&delegate, &self.issuer).map_err(|_| Fault::SignerNotIssuedByTheCa)?;
            if !delegate.allows_ocsp_signing() || !delegate.allows_digital_signature() {
                return Err(Fault::SignerNotAuthorised);
            }
            self.delegate = Some(delegate);
        }
        let delegate = self.delegate.as_ref().ok_or(Fault::SignerMissing)?;
        if now < delegate.not_before() || now > delegate.not_after() {
            return Err(Fault::SignerExpired);
        }
        Ok(delegate)
    }
}

fn came_with(basic: &BasicResponse<'_>, known: &Certificate) -> bool {
    basic.certificates().any(|der| der == known.der())
}

/// RFC 6960 4.2.2.1
fn fresh(basic: &BasicResponse<'_>, now: UnixTime) -> Result<(), Fault> {
    let soonest = now.plus(CLOCK_SKEW);
    if basic.produced_at > soonest {
        return Err(Fault::NotYetValid);
    }
    for single in basic.singles() {
        if single.this_update > soonest {
            return Err(Fault::NotYetValid);
        }
        if single.next_update.is_some_and(|next| next < single.this_update || now > next.plus(CLOCK_SKEW)) {
            return Err(Fault::Stale);
        }
    }
    Ok(())
}
