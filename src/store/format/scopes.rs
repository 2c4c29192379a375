//! The octets of a scope: its `K` key and its `S` record in `meta`.

use super::{BadRow, Octets, ROW_VERSION, put_counted, time_octets};
use crate::store::scope::{
    CertificateKinds, DistributionPointNumber, IssuerNumber, Layer, ScopeKey, ScopeNumber, ScopeRecord,
    ScopeRecordDraft,
};

/// In the octet of the kinds: these are the rows of delta CRLs.
const DELTA: u8 = 0x80;

/// The `K` key of a scope: issuer u32, signing key, kinds (the highest bit for the delta layer), reasons
/// (five octets: whether there are any, then u32), distribution point to the end.
pub fn scope_key(key: &ScopeKey) -> Vec<u8> {
    let mut out = vec![b'K'];
    put_scope(&mut out, key);
    out.extend_from_slice(&key.distribution_point);
    out
}

fn put_scope(out: &mut Vec<u8>, key: &ScopeKey) {
    out.extend_from_slice(&key.issuer.0.to_be_bytes());
    out.extend_from_slice(&key.signing_key);
    let layer = match key.layer {
        Layer::Complete => 0,
        Layer::Delta => DELTA,
    };
    out.push(key.contains as u8 | layer);
    out.push(u8::from(key.reasons.is_some()));
    out.extend_from_slice(&u32::from(key.reasons.unwrap_or(0)).to_be_bytes());
}

/// The value of a scope's `S` row: version; issuer u32, signing key, kinds, reasons as in its
/// [key](scope_key); distribution point number u32 (0 for none); this update, next update and
/// time of ingest, five octets each; entries u64; retained u64; SHA-256 of the CRL; then, each with
/// its number of octets (u32) before it, CRL number, distribution point, IDP extension.
pub fn encode_record(record: &ScopeRecord) -> Vec<u8> {
    let crl = &record.crl;
    let mut out = vec![ROW_VERSION];
    put_scope(&mut out, &crl.key);
    out.extend_from_slice(&record.distribution_point_number.map_or(0, |number| number.0).to_be_bytes());
    for time in [crl.this_update, crl.next_update, crl.ingested_at] {
        out.extend_from_slice(&time_octets(time));
    }
    out.extend_from_slice(&record.entries.to_be_bytes());
    out.extend_from_slice(&record.retained.to_be_bytes());
    out.extend_from_slice(&crl.crl_sha256);
    for octets in [&crl.crl_number, &crl.key.distribution_point, &crl.idp] {
        put_counted(&mut out, octets);
    }
    out
}

/// From the value of a scope's `S` row.
pub fn decode_record(number: ScopeNumber, value: &[u8]) -> Result<ScopeRecord, BadRow> {
    const ROW: &str = "the record of a CRL scope";
    let mut octets = Octets::versioned(ROW, value)?;
    let issuer = IssuerNumber(octets.u32()?);
    let signing_key = octets.array()?;
    let [kinds, some_reasons] = octets.array()?;
    let layer = if kinds & DELTA == 0 { Layer::Complete } else { Layer::Delta };
    let contains = CertificateKinds::from_value(kinds & !DELTA).ok_or(BadRow(ROW))?;
    let reasons = u16::try_from(octets.u32()?).map_err(|_| BadRow(ROW))?;
    let reasons = match (some_reasons, reasons) {
        (0, 0) => None,
        (1, mask) => Some(mask),
        _ => return Err(BadRow(ROW)),
    };
    let distribution_point_number = match octets.u32()? {
        0 => None,
        number => Some(DistributionPointNumber(number)),
    };
    let (this_update, next_update, ingested_at) = (octets.time()?, octets.time()?, octets.time()?);
    let (entries, retained) = (octets.u64()?, octets.u64()?);
    let crl_sha256 = octets.array()?;
    let (crl_number, distribution_point, idp) = (octets.counted()?, octets.counted()?, octets.counted()?);
    octets.end()?;
    let key = ScopeKey { issuer, signing_key, distribution_point, contains, reasons, layer };
    let crl = ScopeRecordDraft { key, idp, crl_number, this_update, next_update, crl_sha256, ingested_at };
    Ok(ScopeRecord { number, distribution_point_number, crl, entries, retained })
}
