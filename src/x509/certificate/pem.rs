//! PEM (RFC 7468) as it is found in files: several blocks, text between them, any line width, CRLF.
//!
//! `pem-rfc7468` reads only the strict grammar and only one block, while `openssl x509 -text` writes
//! words in front and bundles hold chains. Certificates and keys are read with it; CRLs are streamed
//! elsewhere. Decoded octets may be a private key, so they are wiped when dropped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One block: its label (`CERTIFICATE`) and its content.
pub struct PemBlock {
    pub label: String,
    pub der: Zeroizing<Vec<u8>>,
}

/// Why octets are not PEM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// There is no `-----BEGIN …-----`.
    #[error("no -----BEGIN line was found")]
    NoBlock,
    /// A block has no matching `-----END …-----`.
    #[error("the {label} block has no matching -----END line")]
    Unfinished { label: String },
    /// Between the lines stands something other than base64.
    #[error("the {label} block is not base64")]
    NotBase64 { label: String },
}

/// Whether octets look like PEM rather than DER.
#[must_use]
pub fn is_pem(bytes: &[u8]) -> bool {
    // DER of everything that is read here starts with a SEQUENCE, which is also the digit 0.
    bytes.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
        && !matches!(bytes, [crate::asn1::tag::SEQUENCE, 0x80..=0xff, ..])
}

/// Every block of a PEM file, in order.
///
/// # Errors
/// When there is none, or one of them is broken.
pub fn pem_blocks(bytes: &[u8]) -> Result<Vec<PemBlock>, PemError> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Zeroizing<Vec<u8>>)> = None;
    for line in bytes.split(|&octet| octet == b'\n') {
        let line = line.trim_ascii();
        let text = std::str::from_utf8(line).unwrap_or_default();
        let label_after = |start: &str| text.strip_prefix(start)?.strip_suffix(DASHES);
        if let Some(label) = label_after(BEGIN) {
            if let Some((label, _)) = open {
                return Err(PemError::Unfinished { label });
            }
            open = Some((label.to_owned(), Zeroizing::new(Vec::with_capacity(bytes.len()))));
        } else if let Some(end) = label_after(END) {
            let Some((label, base64)) = open.take() else { continue };
            if label != end {
                return Err(PemError::Unfinished { label });
            }
            match STANDARD.decode(base64.as_slice()) {
                Ok(der) => blocks.push(PemBlock { label, der: Zeroizing::new(der) }),
                Err(_) => return Err(PemError::NotBase64 { label }),
            }
        } else if let Some((_, base64)) = &mut open {
            base64.extend(line.iter().filter(|octet| !octet.is_ascii_whitespace()));
        }
    }
    match open {
        Some((label, _)) => Err(PemError::Unfinished { label }),
        None if blocks.is_empty() => Err(PemError::NoBlock),
        None => Ok(blocks),
    }
}

/// One PEM block with lines of 64 characters.
#[must_use]
pub fn to_pem(label: &str, der: &[u8]) -> String {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let mut text = String::with_capacity(base64.len() * 66 / 64 + 2 * label.len() + 40);
    text.extend([BEGIN, label, DASHES, "\n"]);
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.extend([line, "\n"]);
        rest = after;
    }
    text.extend([END, label, DASHES, "\n"]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_any_width_with_text_around_them_are_read() {
        let der: Vec<u8> = (0..200).collect();
        let strict = to_pem("CERTIFICATE", &der);
        assert!(strict.lines().all(|line| line.len() <= 64));
        let wide = format!("-----BEGIN X-----\r\n{}\r\n-----END X-----\r\n", STANDARD.encode(&der));
        let text = format!("subject=CN = someone\n{strict}\nmore words\n{wide}");
        let blocks = pem_blocks(text.as_bytes()).unwrap();
        let labels: Vec<_> = blocks.iter().map(|block| block.label.as_str()).collect();
        assert_eq!(labels, ["CERTIFICATE", "X"]);
        assert!(blocks.iter().all(|block| *block.der == der));
        assert!(is_pem(text.as_bytes()));
        assert!(!is_pem(&[0x30, 0x82, 0x01, 0x00]));
    }

    #[test]
    fn broken_pem_is_refused_by_name() {
        let refused = |text: &str| pem_blocks(text.as_bytes()).err();
        let label = || "A".to_owned();
        assert_eq!(refused("words"), Some(PemError::NoBlock));
        assert_eq!(refused("-----BEGIN A-----\nAAAA\n"), Some(PemError::Unfinished { label: label() }));
        assert_eq!(
            refused("-----BEGIN A-----\nAAAA\n-----END B-----\n"),
            Some(PemError::Unfinished { label: label() })
        );
        assert_eq!(
            refused("-----BEGIN A-----\n-----BEGIN B-----\n-----END B-----\n"),
            Some(PemError::Unfinished { label: label() })
        );
        assert_eq!(
            refused("-----BEGIN A-----\nA!AA\n-----END A-----\n"),
            Some(PemError::NotBase64 { label: label() })
        );
    }
}
