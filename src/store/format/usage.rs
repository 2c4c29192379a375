//! The octets of what was counted: family `usage`.
//!
//! | family | key | value |
//! | --- | --- | --- |
//! | `usage` | day u32, verifier u32, issuer u32, method, result, on whose behalf to the end | u64, the count |
//!
//! Verifier and issuer are 0 where there is none. Days come first, so that old ones go as one range. A value is
//! only ever added to ([`add`], RocksDB's merge), which reads nothing; and what was added stands in the log
//! as one row, so that a crash leaves all of it or nothing.

use super::{BadRow, Octets};
use crate::store::scope::{IssuerNumber, VerifierNumber};
use crate::store::usage::{UsageKey, UsageMethod, UsageResult};

const KEY: &str = "the key of a usage row";

/// The key of a count.
pub fn encode_key(key: &UsageKey) -> Vec<u8> {
    let mut out = Vec::with_capacity(14 + key.on_behalf_of.len());
    out.extend_from_slice(&key.day.to_be_bytes());
    out.extend_from_slice(&key.verifier.map_or(0, VerifierNumber::get).to_be_bytes());
    out.extend_from_slice(&key.issuer.map_or(0, IssuerNumber::get).to_be_bytes());
    out.push(key.method as u8);
    out.push(key.result as u8);
    out.extend_from_slice(key.on_behalf_of.as_bytes());
    out
}

/// From the key of a count.
pub fn decode_key(key: &[u8]) -> Result<UsageKey, BadRow> {
    let mut octets = Octets::new(KEY, key);
    let (day, verifier, issuer) = (octets.u32()?, octets.u32()?, octets.u32()?);
    let [method, result] = octets.array()?;
    let on_behalf_of = std::str::from_utf8(octets.rest).map_err(|_| BadRow(KEY))?;
    Ok(UsageKey {
        day,
        verifier: (verifier != 0).then_some(VerifierNumber(verifier)),
        issuer: (issuer != 0).then_some(IssuerNumber(issuer)),
        method: UsageMethod::from_value(method).ok_or(BadRow(KEY))?,
        result: UsageResult::from_value(result).ok_or(BadRow(KEY))?,
        on_behalf_of: on_behalf_of.to_owned(),
    })
}

/// From the value of a count.
pub fn decode_count(value: &[u8]) -> Result<u64, BadRow> {
    let mut octets = Octets::new("a usage row", value);
    let count = octets.u64()?;
    octets.end()?;
    Ok(count)
}

/// What stands there and all that is added to it. `None`, which fails the read, where any of it is no count.
pub fn add<'a>(sum: Option<&[u8]>, more: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut total = sum.map_or(Some(0), |sum| decode_count(sum).ok())?;
    for count in more {
        total = u64::saturating_add(total, decode_count(count).ok()?);
    }
    Some(total.to_be_bytes().to_vec())
}
