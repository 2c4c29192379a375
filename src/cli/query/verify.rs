//! Whether an OCSP response may be believed (RFC 6960 3.2): it is about the certificate that was
//! asked for, signed by somebody whom that certificate's CA allows to, fresh, and ours by its nonce.
//!
//! Called by `query` alone. The order is that of RFC 6960; the first thing that is wrong is told.

use super::error::AnswerError;
use super::request::CertId;
use crate::cli::words;
use crate::ocsp::{BasicResponse, CertStatus, ParsedResponse, ParsedSingleResponse};
use crate::signing::{names_responder, verify, verify_issued_by};
use crate::x509::{Certificate, SignatureAlgorithm, UnixTime};

/// How far two clocks may be apart, in seconds.
const CLOCK_SKEW: i64 = 300;

/// A response that was verified.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) status: CertStatus,
    pub(super) this_update: UnixTime,
    pub(super) next_update: Option<UnixTime>,
    pub(super) produced_at: UnixTime,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) signer: Signer,
    /// Whether revoked may mean "never issued" (RFC 6960 4.4.8).
    pub(super) extended_revoke: bool,
    pub(super) nonce: Option<NonceSeen>,
    /// The CRL that the responder says the status was found on.
    pub(super) crl: Option<NamedCrl>,
}

/// What a responder says of a CRL (RFC 6960 4.4.2).
#[derive(Debug, Default)]
pub(super) struct NamedCrl {
    pub(super) url: Option<String>,
    /// In decimal digits.
    pub(super) number: Option<String>,
    pub(super) time: Option<UnixTime>,
}

/// Who signed.
#[derive(Debug)]
pub(super) enum Signer {
    /// The CA itself.
    Ca,
    Delegated {
        subject: String,
        not_after: UnixTime,
        has_ocsp_nocheck: bool,
    },
}

/// What became of the nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NonceSeen {
    Repeated,
    /// None was asked for, and one came all the same.
    Unasked,
}

/// The basic response in these octets, which nobody has verified yet.
pub(super) fn basic_response(octets: &[u8]) -> Result<BasicResponse<'_>, AnswerError> {
    match ParsedResponse::parse(octets)? {
        ParsedResponse::Basic(response) => Ok(response),
        ParsedResponse::Error(status) => Err(AnswerError::Status(status as u8)),
    }
}

pub(super) fn verified(
    response: &BasicResponse<'_>,
    cert_id: &CertId,
    issuer: &Certificate,
    nonce: Option<&[u8]>,
    now: UnixTime,
) -> Result<Verified, AnswerError> {
    let single = about(response, cert_id)?;
    let algorithm = SignatureAlgorithm::from_algorithm_identifier(response.signature_algorithm);
    let algorithm = algorithm.map_err(AnswerError::Algorithm)?;
    let signer = signed_by(response, algorithm, issuer, now)?;
    fresh(response.produced_at, &single, now)?;
    let nonce = match (nonce, response.nonce_octets()) {
        (Some(_), None) => return Err(AnswerError::NonceMissing),
        (Some(sent), Some(came)) if sent != came => return Err(AnswerError::NonceOther),
        (Some(_), Some(_)) => Some(NonceSeen::Repeated),
        (None, Some(_)) => Some(NonceSeen::Unasked),
        (None, None) => None,
    };
    Ok(Verified {
        status: single.status,
        this_update: single.this_update,
        next_update: single.next_update,
        produced_at: response.produced_at,
        algorithm,
        signer,
        extended_revoke: response.extended_revoke,
        nonce,
        crl: single.crl.map(|crl| NamedCrl {
            // It goes to a terminal.
            url: crl
                .url
                .map(|url| String::from_utf8_lossy(url).chars().filter(|char| !char.is_control()).collect()),
            number: crl.number.map(crate::cli::decimal),
            time: crl.time,
        }),
    })
}

/// The one SingleResponse that repeats the CertID as it was asked.
fn about<'a>(
    response: &BasicResponse<'a>,
    cert_id: &CertId,
) -> Result<ParsedSingleResponse<'a>, AnswerError> {
    let mut matching = response.singles().filter(|single| {
        let about = &single.cert_id;
        about.hash == Some(cert_id.hash)
            && about.issuer_name_hash == cert_id.name_hash.as_ref()
            && about.issuer_key_hash == cert_id.key_hash.as_ref()
            && about.serial_number == cert_id.serial
    });
    let none = || AnswerError::OtherCertificate { others: response.singles().count() };
    let single = matching.next().ok_or_else(none)?;
    if matching.any(|other| other.status != single.status) {
        return Err(AnswerError::Contradiction);
    }
    Ok(single)
}

/// RFC 6960 4.2.2.2: the CA itself, or a delegate that it issued for this purpose.
fn signed_by(
    response: &BasicResponse<'_>,
    algorithm: SignatureAlgorithm,
    issuer: &Certificate,
    now: UnixTime,
) -> Result<Signer, AnswerError> {
    let proven = |certificate: &Certificate| {
        let signer = certificate.subject_text();
        verify(certificate.public_key(), algorithm, response.to_be_signed, response.signature)
            .map_err(|source| AnswerError::Signature { signer, source })
    };
    if names_responder(response, issuer) {
        proven(issuer)?;
        return Ok(Signer::Ca);
    }
    // A broken certificate beside the signer's own does no harm; only where no other fits is it told.
    let mut broken = None;
    let mut delegate = None;
    for der in response.certificates() {
        match Certificate::from_der(der) {
            Ok(certificate) if names_responder(response, &certificate) => {
                delegate = Some(certificate);
                break;
            }
            Ok(_) => {}
            Err(error) => broken = Some(error),
        }
    }
    let Some(delegate) = delegate else {
        return Err(match broken {
            Some(error) => AnswerError::SignerCertificate(error),
            None => AnswerError::SignerMissing { responder: responder_text(response) },
        });
    };
    let signer = delegate.subject_text();
    if let Err(source) = verify_issued_by(&delegate, issuer) {
        return Err(AnswerError::SignerIssuer { signer, ca: issuer.subject_text(), source });
    }
    if !delegate.allows_ocsp_signing() {
        return Err(AnswerError::SignerPurpose { signer });
    }
    if !delegate.allows_digital_signature() {
        return Err(AnswerError::SignerKeyUsage { signer });
    }
    let (not_before, not_after) = (delegate.not_before(), delegate.not_after());
    if now < not_before || now > not_after {
        return Err(AnswerError::SignerValidity { signer, not_before, not_after, now });
    }
    proven(&delegate)?;
    Ok(Signer::Delegated { subject: signer, not_after, has_ocsp_nocheck: delegate.has_ocsp_nocheck() })
}

fn responder_text(response: &BasicResponse<'_>) -> String {
    match response.responder_key_hash {
        None => "a name that no certificate in it has".into(),
        Some(hash) => format!("the key with the hash {}", words::hex(hash)),
    }
}

/// RFC 6960 4.2.2.1
fn fresh(produced_at: UnixTime, single: &ParsedSingleResponse<'_>, now: UnixTime) -> Result<(), AnswerError> {
    let this_update = single.this_update;
    if let Some(next_update) = single.next_update {
        if next_update < this_update {
            return Err(AnswerError::Backwards { this_update, next_update });
        }
        if now > next_update.plus(CLOCK_SKEW) {
            return Err(AnswerError::Stale { next_update, now });
        }
    }
    if this_update > now.plus(CLOCK_SKEW) {
        return Err(AnswerError::NotYet { this_update, now });
    }
    if produced_at > now.plus(CLOCK_SKEW) {
        return Err(AnswerError::ProducedLater { produced_at, now });
    }
    Ok(())
}
