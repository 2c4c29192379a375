//! Why an answer does not count. Exit code 1, all of them: there is no valid answer.

use crate::ocsp::ParseResponseError;
use crate::signing::{IssuanceError, VerifyError};
use crate::x509::{AlgorithmError, CertificateError, UnixTime};

/// Why the responder's answer cannot be believed, or is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    /// An OCSP error status (RFC 6960 4.2.1).
    #[error("{}", status_reason(*.0))]
    Status(u8),
    /// Not a response as RFC 6960 has it.
    #[error(transparent)]
    Response(ParseResponseError),
    /// Success without responseBytes, or of another type than id-pkix-ocsp-basic.
    #[error("the responder says success, but sends no basic response")]
    NotBasic,
    #[error(
        "the response says nothing about the certificate that was asked for ({others} other certificates)"
    )]
    OtherCertificate { others: usize },
    #[error("the response says two different things about the certificate that was asked for")]
    Contradiction,
    #[error("the response is signed by somebody who is not in it: {responder}")]
    SignerMissing { responder: String },
    #[error("the signer's certificate in the response is unusable: {0}")]
    SignerCertificate(CertificateError),
    /// RFC 6960 4.2.2.2: a delegated signer's certificate comes from the very CA that issued the
    /// certificate that is asked for.
    #[error("the signer {signer} was not issued by the CA {ca}: {source}")]
    SignerIssuer { signer: String, ca: String, source: IssuanceError },
    #[error(
        "the signer {signer} may not sign OCSP responses: its certificate lacks the extended key usage OCSPSigning"
    )]
    SignerPurpose { signer: String },
    #[error("the signer {signer} may not sign anything: its key usage lacks digitalSignature")]
    SignerKeyUsage { signer: String },
    #[error("the signer {signer} is valid from {not_before} to {not_after}, and now it is {now}")]
    SignerValidity { signer: String, not_before: UnixTime, not_after: UnixTime, now: UnixTime },
    #[error("the response is signed by an algorithm that is not trusted: {0}")]
    Algorithm(AlgorithmError),
    #[error("the response is not signed by {signer}: {source}")]
    Signature { signer: String, source: VerifyError },
    /// RFC 9654 2.1: without it this may be an old answer that somebody replays.
    #[error("the response does not repeat the nonce")]
    NonceMissing,
    #[error("the response carries another nonce than the request")]
    NonceOther,
    #[error("the response counts from {this_update}, and now it is {now}")]
    NotYet { this_update: UnixTime, now: UnixTime },
    #[error("the response was produced at {produced_at}, and now it is {now}")]
    ProducedLater { produced_at: UnixTime, now: UnixTime },
    #[error("the response was good until {next_update}, and now it is {now}")]
    Stale { next_update: UnixTime, now: UnixTime },
    #[error("the response ends ({next_update}) before it begins ({this_update})")]
    Backwards { this_update: UnixTime, next_update: UnixTime },
}

impl From<ParseResponseError> for AnswerError {
    fn from(error: ParseResponseError) -> Self {
        match error {
            ParseResponseError::Status(status) => Self::Status(status),
            ParseResponseError::NotBasic | ParseResponseError::NoResponseBytes => Self::NotBasic,
            error => Self::Response(error),
        }
    }
}

fn status_reason(status: u8) -> String {
    let name = match status {
        1 => "malformedRequest: it could not read the request",
        2 => "internalError: it is in trouble",
        3 => "tryLater: it cannot answer now",
        5 => "sigRequired: it wants signed requests",
        6 => "unauthorized: it does not answer for this CA or certificate",
        other => return format!("the responder answers with status {other}, which does not exist"),
    };
    format!("the responder answers {name}")
}

impl AnswerError {
    /// What the person who asked can do.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Status(1) => "older responders know neither --nonce nor other hashes than --hash sha1",
            Self::Status(2) => "its own log says more",
            Self::Status(3) => {
                "it lacks a fresh CRL or a valid signer, or is overloaded; see /readyz on its admin address"
            }
            Self::Status(5) => "signing requests is not possible here",
            Self::Status(6) => "check --issuer and the URL; older responders know only --hash sha1",
            Self::Response(
                ParseResponseError::UnknownCriticalExtension { .. }
                | ParseResponseError::DuplicateExtension
                | ParseResponseError::TooManyExtensions,
            )
            | Self::OtherCertificate { .. }
            | Self::Contradiction
            | Self::SignerMissing { .. }
            | Self::Backwards { .. } => "the responder is at fault",
            Self::Status(_) | Self::Response(_) | Self::NotBasic => "is this the URL of an OCSP responder?",
            Self::NonceMissing => "ask without --nonce to accept an answer that was made before",
            Self::NonceOther => "somebody between here and there may replay answers",
            Self::NotYet { .. } | Self::ProducedLater { .. } => "one of the two clocks is wrong",
            Self::Stale { .. } => "a cache on the way may be too old, or this clock is wrong",
            Self::SignerIssuer { .. } => {
                "is --issuer the right one? a CA may have several certificates of one name"
            }
            Self::SignerValidity { .. } => "the responder needs a new signer, or this clock is wrong",
            Self::Signature { .. } | Self::Algorithm(_) => "do not trust this answer",
            Self::SignerPurpose { .. } | Self::SignerKeyUsage { .. } | Self::SignerCertificate(_) => {
                "the responder needs another signer"
            }
        }
    }
}
