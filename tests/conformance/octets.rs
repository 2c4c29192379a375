//! Requests, octet by octet: right ones, and wrong ones that no library would write.

/// id-pkix-ocsp and what stands below it.
pub const NONCE: &str = "2b0601050507300102";
pub const RESPONSE: &str = "2b0601050507300104";
pub const SERVICE_LOCATOR: &str = "2b0601050507300107";
pub const PREFERRED: &str = "2b0601050507300108";
pub const BASIC: &str = "2b0601050507300101";
/// An identifier reserved for examples.
pub const STRANGE: &str = "2b0601040181fd5901";

pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let header = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [header, content].concat()
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, parts)
}

pub fn hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

pub fn oid(text: &str) -> Vec<u8> {
    tlv(6, &[&hex(text)])
}

pub fn extension(identifier: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    sequence(&[&oid(identifier), critical, &tlv(4, &[value])])
}

/// The nonce extension, its value an OCTET STRING as RFC 9654 has it.
pub fn nonce(octets: &[u8]) -> Vec<u8> {
    extension(NONCE, false, &tlv(4, &[octets]))
}

/// An OCSPRequest about these CertIDs, with these requestExtensions.
pub fn request(cert_ids: &[&[u8]], extensions: &[Vec<u8>]) -> Vec<u8> {
    let list: Vec<u8> = cert_ids.iter().flat_map(|cert_id| sequence(&[cert_id])).collect();
    request_of(&[&tlv(0x30, &[&list]), &request_extensions(extensions)])
}

/// `[2] EXPLICIT Extensions`, or nothing.
pub fn request_extensions(extensions: &[Vec<u8>]) -> Vec<u8> {
    let empty = extensions.is_empty();
    if empty { Vec::new() } else { tlv(0xa2, &[&sequence(&[&extensions.concat()])]) }
}

/// An OCSPRequest whose TBSRequest has these parts.
pub fn request_of(parts: &[&[u8]]) -> Vec<u8> {
    sequence(&[&sequence(parts)])
}
