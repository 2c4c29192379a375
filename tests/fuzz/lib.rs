//! What strangers' octets meet first, compiled from the responder's own files: floor 0, the path of a GET,
//! the configuration, the inventory. Nothing of it needs RocksDB or a key, so this builds in a minute.
//!
//! Each target calls one function here. A function asserts what must hold of any octets; libFuzzer looks
//! for those for which it does not.

#![allow(dead_code, unused_imports, clippy::all, reason = "the responder's files, of which a target uses a part")]

#[path = "../../src/asn1/mod.rs"]
pub mod asn1;
#[path = "../../src/config/mod.rs"]
pub mod config;
#[path = "../../src/cli/inventory.rs"]
pub mod inventory;
#[path = "../../src/ocsp/mod.rs"]
pub mod ocsp;
#[path = "../../src/x509/mod.rs"]
pub mod x509;

#[path = "../../src/http/ocsp_get.rs"]
mod ocsp_get;
#[path = "../../src/verifiers/network.rs"]
mod network;
#[path = "../../src/verifiers/policy.rs"]
mod policy;

/// What the configuration knows of `ingest`: two records of options.
pub mod ingest {
    use std::time::Duration;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Guard {
        pub max_shrink: u8,
        pub max_released: u8,
        pub max_withdrawn: u8,
        pub tolerated: u64,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct FetchOptions {
        pub every: Duration,
        pub timeout: Duration,
        pub max_size: u64,
    }
}

/// And of `snapshot`: four policies.
pub mod snapshot {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum CrlReferences {
        #[default]
        Omit,
        NameOfRevoked,
        NameOfAll,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Unlisted {
        Good,
        Unknown,
        Unauthorized,
        Revoked,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum NoncePolicy {
        #[default]
        Echo,
        Ignore,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Covers {
        #[default]
        All,
        User,
        Ca,
    }
}

/// And of `store`.
pub mod store {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Retention {
        #[default]
        WithoutEnd,
        Seconds(i64),
    }
}

/// And of `audit`.
pub mod audit {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum KeyPeriod {
        #[default]
        Day,
        Month,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum WhenFull {
        #[default]
        Refuse,
        Gap,
    }
}

/// And of `http`.
pub mod http {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum ClientCertificates {
        #[default]
        Required,
        Optional,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum OldestTls {
        #[default]
        Tls12,
        Tls13,
    }
}

/// And of `cli`.
pub mod cli {
    pub use crate::inventory::distribution_point;
}

/// And of `verifiers`: networks and terms as they are.
pub mod verifiers {
    pub use crate::network::{Network, NetworkError};
    pub use crate::policy::{Allowance, Bulk, Enumeration, Policy, SignedRequests, Terms};

    use crate::asn1::DerError;
    use crate::x509::canonical_name;

    /// The octets themselves: no hash is at hand here.
    #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub struct CertificateKey(Vec<u8>);

    impl CertificateKey {
        pub fn of_fingerprint(fingerprint: [u8; 32]) -> Self {
            Self(fingerprint.to_vec())
        }

        pub fn of_names(issuer: &[u8], subject: &[u8]) -> Result<Self, DerError> {
            Ok(Self([canonical_name(issuer)?, canonical_name(subject)?].concat()))
        }
    }
}

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::path::Path;
use x509::crl::{Armor, CrlEntry, CrlError, CrlHeader, CrlParser, CrlTrailer, CrlVisitor};

/// A request is read or refused; what is read stands in the octets that came, and reads the same again.
/// The same octets as a response: read or refused.
pub fn request(octets: &[u8]) {
    // 20 octets of a serial number, and one that says it is positive.
    if let Ok(request) = ocsp::OcspRequest::parse(octets) {
        let cert_ids: Vec<_> = request.cert_ids().collect();
        assert_eq!(cert_ids.len(), request.len());
        assert!((1..=ocsp::MAX_CERT_IDS).contains(&request.len()));
        let (start, end) = (octets.as_ptr() as usize, octets.as_ptr() as usize + octets.len());
        for cert_id in cert_ids {
            let raw = cert_id.raw.as_ptr() as usize;
            assert!(start <= raw && raw + cert_id.raw.len() <= end);
            assert!((1..=21).contains(&cert_id.serial_number.as_bytes().len()));
        }
        // A request with anything behind it, or without its last octet, is none.
        assert!(ocsp::OcspRequest::parse(&[octets, &[0]].concat()).is_err());
        assert!(ocsp::OcspRequest::parse(&octets[..octets.len() - 1]).is_err());
    }
    let _ = ocsp::ParsedResponse::parse(octets);
}

/// A path gives one whole DER SEQUENCE or nothing, and its octets come back by every way to write them.
pub fn path(octets: &[u8]) {
    let Ok(path) = std::str::from_utf8(octets) else { return };
    let _ = ocsp_get::is_bare(path);
    let Some(found) = ocsp_get::decode(path) else { return };
    let found = found.as_ref();
    let (tag, header, content) = asn1::parse_header(found).expect("it begins with a header");
    assert_eq!((tag, header + content), (asn1::tag::SEQUENCE, found.len()));
    let escaped = |text: &str| text.bytes().fold(String::new(), |all, octet| format!("{all}%{octet:02X}"));
    let standard = STANDARD.encode(found);
    for text in [&standard, &URL_SAFE_NO_PAD.encode(found), &escaped(&standard)] {
        let again = ocsp_get::decode(&format!("/{text}")).expect("what was read can be asked again");
        // A path may hold several beginnings; the first whole one counts, and this text begins with it.
        assert_eq!(again.as_ref(), found);
    }
}

/// Writes down what the parser says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Witness {
    headers: Vec<CrlHeader>,
    entries: Vec<(x509::SerialNumber, x509::Revocation, Option<Vec<u8>>)>,
    signed: Vec<u8>,
}

impl CrlVisitor for Witness {
    type Error = CrlError;

    fn signed(&mut self, octets: &[u8]) {
        self.signed.extend_from_slice(octets);
    }

    fn header(&mut self, header: &CrlHeader) -> Result<(), CrlError> {
        self.headers.push(header.clone());
        Ok(())
    }

    fn entry(&mut self, entry: &CrlEntry<'_>) -> Result<(), CrlError> {
        assert_eq!(self.headers.len(), 1, "no entry before the header");
        let issuer = entry.certificate_issuer.map(<[u8]>::to_vec);
        self.entries.push((entry.serial_number, entry.revocation, issuer));
        Ok(())
    }
}

fn parse(octets: &[u8], piece: usize) -> Result<(Witness, CrlTrailer), CrlError> {
    let mut witness = Witness::default();
    let mut parser = CrlParser::new();
    for piece in octets.chunks(piece) {
        parser.push(piece, &mut witness)?;
    }
    let (header, trailer) = parser.finish()?;
    assert_eq!(witness.headers, [header]);
    assert_eq!(witness.entries.len() as u64, trailer.entries);
    Ok((witness, trailer))
}

/// A CRL is read or refused, the same whatever the pieces it came in, and what is shown as signed stood
/// there. The first octet chooses the pieces; the rest is a CRL, in DER or in PEM.
pub fn crl(octets: &[u8]) {
    let Some((piece, octets)) = octets.split_first() else { return };
    let piece = usize::from(*piece) + 1;
    let whole = parse(octets, usize::MAX);
    assert_eq!(parse(octets, piece).is_ok(), whole.is_ok());
    if let Ok((witness, trailer)) = whole {
        assert_eq!(trailer.octets, octets.len() as u64);
        assert!(octets.windows(witness.signed.len()).any(|window| window == witness.signed));
        assert_eq!(parse(octets, piece).expect("it was read whole"), (witness, trailer));
    }
    let mut armor = Armor::new();
    for piece in octets.chunks(piece) {
        if armor.push(piece).is_err() {
            return;
        }
    }
    let _ = armor.finish();
}

/// A configuration is understood, or what is wrong with it is told in lines that have words in them.
pub fn configuration(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    match config::Config::from_text(Path::new("/etc/ocsprey/ocsprey.toml"), text) {
        Ok(config) => {
            assert!(!config.issuers.is_empty() && config.server.listeners().next().is_some());
            for issuer in &config.issuers {
                assert_eq!(config.issuer(&issuer.name), Some(issuer), "names are unique");
            }
        }
        Err(error) => {
            let lines = error.lines();
            assert!(!lines.is_empty());
            assert!(lines.iter().all(|line| !line.trim().is_empty() && !line.contains('\n')), "{lines:?}");
        }
    }
}

/// An inventory is read entry by entry up to its end or its first error; nothing follows that.
pub fn inventory(octets: &[u8]) {
    let size = octets.len() as u64;
    let input = Box::new(std::io::Cursor::new(octets.to_vec()));
    let mut reader = inventory::InventoryReader::new(Path::new("issued.txt"), size, input, &[0x30, 0]);
    while let Some(entry) = reader.next() {
        match entry {
            Ok(entry) => assert!((1..=21).contains(&entry.serial.as_bytes().len())),
            Err(error) => {
                assert!(!error.to_string().contains('\n'));
                assert!(reader.next().is_none(), "an error is the end");
            }
        }
    }
    assert!(reader.position() <= size);
}
