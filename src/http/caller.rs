//! Who asks.
//!
//! Made for each request by the service: from the connection (its client certificate, its network), the
//! signature of the request, and a header that names on whose behalf. An open responder asks nobody.

use crate::store::VerifierNumber;

/// Who asks, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caller<'a> {
    /// `None`: an open responder, or nobody who is registered.
    pub verifier: Option<VerifierNumber>,
    /// On whose behalf, in the verifier's own words; only of a verifier that may say so.
    pub on_behalf_of: Option<&'a str>,
}
