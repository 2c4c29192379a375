//! RFC 6960 in octets: requests read in place, responses written from templates.
//!
//! Called by `respond` for every request, and by the client (`ocsprey query`) the other way round.
//! Nothing here knows a key, a clock or a store, and nothing panics on any input.

mod cert_id;
mod crl_id;
mod extensions;
mod parsed;
mod preferred;
pub mod request;
mod response;
#[cfg(test)]
mod tests;

pub use cert_id::{CertIdError, CertIdForm, CertIdForms, CertIdRef, CertIdTemplate, HashParameters};
pub use crl_id::CrlId;
pub use extensions::{MAX_NONCE_OCTETS, NonceRef};
pub use parsed::{BasicResponse, ParseResponseError, ParsedResponse, ParsedSingleResponse, ResponsePart};
pub use preferred::{PreferredAlgorithm, preferred_algorithms};
pub use request::{MAX_CERT_IDS, OcspRequest, RequestError, RequestSignature};
pub use response::{
    CertStatus, OcspResponseStatus, ResponseData, ResponseTemplate, SingleResponse, Unsigned, error_response,
};
