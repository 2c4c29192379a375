//! Who may ask: registered verifiers, how each is known, what it may ask about, and how much.
//!
//! `app` reads the registry file and makes a [`Registry`] of it, anew with every reload; `http` asks it about
//! each request before any status is read. An open responder has no registry.
//!
//! A verifier is known by the client certificate of its connection, by the certificate that signed the request
//! (RFC 6960 4.1.2), or, weakest, by its network alone. What is known twice must agree.
//!
//! Nothing on a request's way locks, reads a clock or allocates: what one verifier has used is a handful of
//! atomics in its [`Account`], which outlives the registry that it was first made for. The time enters as a
//! [`Moment`].

mod account;
mod network;
mod policy;
mod quota;
mod registry;
mod signature;
mod standing;
mod walk;

pub use account::Account;
pub use network::{Network, NetworkError};
pub use policy::{Allowance, Bulk, Enumeration, Policy, SignedRequests, Terms};
pub use quota::Used;
pub use registry::{
    CertificateKey, Conflict, Credentials, Registry, Rights, Signer, Verifier, VerifierDraft, check_rights,
    conflicts,
};
pub use signature::Signed;
pub use standing::{Look, Standing};

use crate::ocsp::OcspResponseStatus;
use crate::x509::UnixTime;
use std::time::Duration;

/// When something is asked: by the calendar, and by a clock that nobody sets.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub now: UnixTime,
    /// Since any fixed moment of this process.
    pub uptime: Duration,
}

impl Moment {
    fn nanoseconds(self) -> u64 {
        u64::try_from(self.uptime.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Why a request is refused before any status is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Cause {
    #[error("nobody who is registered")]
    Unregistered,
    #[error("the connection and the signature are of two verifiers")]
    CredentialsDisagree,
    #[error("the registry says that this verifier is suspended")]
    Suspended,
    #[error("the verifier is registered for another time")]
    NotValid,
    #[error("the verifier asks from a network that is not its own")]
    Network,
    #[error("the verifier's certificate has run out")]
    CertificateExpired,
    #[error("the verifier's certificate is of a CA served here and not good")]
    CertificateRevoked,
    #[error("the verifier has no right to ask about this issuer")]
    NoRight,
    #[error("the request names on whose behalf it comes, and may not, or not so")]
    OnBehalfOf,
    #[error("the request is not signed")]
    SignatureMissing,
    #[error("the signature of the request is wrong")]
    SignatureWrong,
    #[error("more than the verifier may ask in a second")]
    QuotaPerSecond,
    #[error("more than the verifier may ask in a day")]
    QuotaPerDay,
    #[error("a walk over serial numbers that were never issued")]
    Enumeration,
}

impl Cause {
    pub const ALL: [Self; 14] = [
        Self::Unregistered,
        Self::CredentialsDisagree,
        Self::Suspended,
        Self::NotValid,
        Self::Network,
        Self::CertificateExpired,
        Self::CertificateRevoked,
        Self::NoRight,
        Self::OnBehalfOf,
        Self::SignatureMissing,
        Self::SignatureWrong,
        Self::QuotaPerSecond,
        Self::QuotaPerDay,
        Self::Enumeration,
    ];

    /// What the client is told (RFC 6960 2.3): tryLater where the same request is right at another time.
    #[must_use]
    pub const fn status(self) -> OcspResponseStatus {
        match self {
            Self::SignatureMissing => OcspResponseStatus::SigRequired,
            Self::QuotaPerSecond | Self::QuotaPerDay | Self::Enumeration => OcspResponseStatus::TryLater,
            Self::Unregistered
            | Self::CredentialsDisagree
            | Self::Suspended
            | Self::NotValid
            | Self::Network
            | Self::CertificateExpired
            | Self::CertificateRevoked
            | Self::NoRight
            | Self::OnBehalfOf
            | Self::SignatureWrong => OcspResponseStatus::Unauthorized,
        }
    }
}
