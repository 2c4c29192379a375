//! Reading inventories: which serials an issuer has issued, and on which CRL each would stand.
//!
//! Called by `inventory load` and by `app` for configured inventories. Good for 50 million lines: one
//! pass, one line in memory, and a distribution point that many lines name is converted once and
//! shared. Invariants: every serial is valid; certificates come from the expected issuer.
//!
//! Errors name the file and the line and never the serial: an error message is a log line.
//!
//! Format: text, one entry a line, `SERIAL [DISTRIBUTION-POINT] [# comment]`. SERIAL is hexadecimal (`0x`,
//! colons and leading zeros allowed). DISTRIBUTION-POINT is a URI or a directory name as RFC 4514
//! writes it (`CN=Kiyose-shi CRLDP,OU=Tokyo-to,O=JPKI,C=JP`), also accepted with the country first;
//! it may hold blanks. PEM certificates may stand between the lines. Or DER: certificates, one
//! behind the other.

use crate::asn1::{self, DerError, tag, write_tlv};
use crate::config::io_reason;
use crate::x509::{Certificate, CertificateError, SerialNumber, SerialNumberError, name_text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::Encode;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use x509_cert::name::RdnSequence;

/// Octets of a line or certificate; more is no inventory.
const MAX_LENGTH: usize = 64 * 1024;
/// Distribution points kept converted. A country has some 2,000; a file in which every line has
/// its own (it would be wrong) only loses the sharing.
const MAX_SHARED: usize = 65_536;
const BUFFER: usize = 256 * 1024;

/// One issued certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct InventoryEntry {
    pub serial: SerialNumber,
    /// The `GeneralName`s of the distribution point in DER, one behind the other, as they stand within
    /// `fullName [0]`: what [`Certificate::crl_distribution_points`] gives. Text is encoded with
    /// RFC 5280's string types, so compare names in their canonical form.
    pub distribution_point: Option<Arc<[u8]>>,
}

/// Does not show the serial.
impl std::fmt::Debug for InventoryEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InventoryEntry")
            .field("distribution_point", &self.distribution_point)
            .finish_non_exhaustive()
    }
}

/// Where and why an inventory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    #[error("{}: {}", path.display(), io_reason(.source))]
    Read { path: PathBuf, source: io::Error },
    #[error("{} line {line}: {why}", path.display())]
    Line { path: PathBuf, line: u64, why: EntryError },
    /// In a DER file, counted from 1.
    #[error("{} certificate {number}: {why}", path.display())]
    Certificate { path: PathBuf, number: u64, why: EntryError },
}

/// What is wrong with one entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("{0} (write one hexadecimal serial a line)")]
    Serial(#[from] SerialNumberError),
    #[error("the text is not UTF-8 (save the file as UTF-8)")]
    NotText,
    #[error("it is over {MAX_LENGTH} octets long (is this an inventory?)")]
    TooLong,
    #[error(
        "the distribution point is neither a URI nor a directory name (write it like CN=Kiyose-shi CRLDP,OU=Tokyo-to,O=JPKI,C=JP)"
    )]
    DistributionPoint,
    #[error("the PEM certificate that begins here does not end (is the file complete?)")]
    Unfinished,
    #[error("the PEM certificate that begins here is not base64 (was the file changed?)")]
    NotBase64,
    #[error("this PEM block is not a certificate (take it out)")]
    OtherPem,
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    #[error("this is not DER: {0} (is the file complete?)")]
    Der(#[from] DerError),
    /// Both names as people read them.
    #[error(
        "the certificate was issued by {found}, and this inventory is of {expected} (load it with another --issuer)"
    )]
    OtherIssuer { found: String, expected: String },
}

/// Reads one inventory, entry by entry. After an error it is at its end.
pub struct InventoryReader {
    path: PathBuf,
    input: BufReader<Box<dyn Read + Send>>,
    size: u64,
    read: u64,
    /// Lines of text, or certificates of DER.
    count: u64,
    /// The raw Name of the CA whose certificates may stand here.
    issuer: Vec<u8>,
    line: Vec<u8>,
    shared: HashMap<Box<[u8]>, Arc<[u8]>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was read: text or DER?
    Fresh,
    Text,
    Der,
    Ended,
}

impl InventoryReader {
    /// Opens the inventory at `path` of the issuer with this raw Name (a certificate's subject, DER).
    ///
    /// # Errors
    /// When there is no such file.
    pub fn open(path: &Path, issuer: &[u8]) -> Result<Self, InventoryError> {
        let wrong = |source| InventoryError::Read { path: path.into(), source };
        let file = File::open(path).map_err(wrong)?;
        let metadata = file.metadata().map_err(wrong)?;
        if metadata.is_dir() {
            return Err(wrong(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self::new(path, metadata.len(), Box::new(file), issuer))
    }

    /// Reads `input`, called `path` in errors.
    #[must_use]
    pub fn new(path: &Path, size: u64, input: Box<dyn Read + Send>, issuer: &[u8]) -> Self {
        Self {
            path: path.into(),
            input: BufReader::with_capacity(BUFFER, input),
            size,
            read: 0,
            count: 0,
            issuer: issuer.into(),
            line: Vec::new(),
            shared: HashMap::new(),
            state: State::Fresh,
        }
    }

    /// Octets of the whole file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Octets read so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.read
    }

    fn entry(&mut self) -> Result<Option<InventoryEntry>, InventoryError> {
        if self.state == State::Fresh {
            // Text has no octet over 7f behind a digit; the length of a certificate has one.
            self.state = match self.buffered()? {
                &[tag::SEQUENCE, length, ..] if length >= 0x80 => State::Der,
                _ => State::Text,
            };
        }
        match self.state {
            State::Text => self.text_entry(),
            State::Der => self.der_entry(),
            State::Fresh | State::Ended => Ok(None),
        }
    }

    fn text_entry(&mut self) -> Result<Option<InventoryEntry>, InventoryError> {
        loop {
            if !self.next_line()? {
                return Ok(None);
            }
            let line = trimmed(&self.line);
            if line.is_empty() {
                continue;
            }
            if line.starts_with(b"-----BEGIN ") {
                return self.pem_entry().map(Some);
            }
            let (serial, rest) = match line.iter().position(u8::is_ascii_whitespace) {
                Some(blank) => line.split_at(blank),
                None => (line, &line[line.len()..]),
            };
            let point = rest.trim_ascii();
            let serial = std::str::from_utf8(serial)
                .map_err(|_| EntryError::NotText)
                .and_then(|serial| Ok(SerialNumber::from_hex(serial)?))
                .map_err(|why| self.wrong(self.count, why))?;
            let distribution_point = match point {
                [] => None,
                point => match self.shared.get(point) {
                    Some(shared) => Some(Arc::clone(shared)),
                    None => {
                        let encoded = general_names(point).map_err(|why| self.wrong(self.count, why))?;
                        let key: Box<[u8]> = point.into();
                        Some(self.share(key, encoded))
                    }
                },
            };
            return Ok(Some(InventoryEntry { serial, distribution_point }));
        }
    }

    /// Reads a line into `self.line`; `false` at the end of the file.
    fn next_line(&mut self) -> Result<bool, InventoryError> {
        self.line.clear();
        let limit = MAX_LENGTH as u64 + 1;
        let octets = (&mut self.input).take(limit).read_until(b'\n', &mut self.line);
        let octets = octets.map_err(|source| self.unreadable(source))?;
        self.read += octets as u64;
        self.count += u64::from(octets > 0);
        if octets > MAX_LENGTH {
            return Err(self.wrong(self.count, EntryError::TooLong));
        }
        // Editors of another system put a mark in front of UTF-8.
        if self.count == 1 && self.line.starts_with("\u{feff}".as_bytes()) {
            self.line.drain(..3);
        }
        Ok(octets > 0)
    }

    /// The certificate whose first PEM line was just read.
    fn pem_entry(&mut self) -> Result<InventoryEntry, InventoryError> {
        let begin = self.count;
        let label = self.line.trim_ascii();
        if !matches!(label, b"-----BEGIN CERTIFICATE-----" | b"-----BEGIN X509 CERTIFICATE-----") {
            return Err(self.wrong(begin, EntryError::OtherPem));
        }
        let mut text = Vec::new();
        loop {
            if !self.next_line()? {
                return Err(self.wrong(begin, EntryError::Unfinished));
            }
            let line = self.line.trim_ascii();
            if line.starts_with(b"-----END ") {
                break;
            }
            text.extend_from_slice(line);
            if text.len() > MAX_LENGTH {
                return Err(self.wrong(begin, EntryError::TooLong));
            }
        }
        let der = STANDARD.decode(&text).map_err(|_| self.wrong(begin, EntryError::NotBase64))?;
        self.of_certificate(&der).map_err(|why| self.wrong(begin, why))
    }

    fn der_entry(&mut self) -> Result<Option<InventoryEntry>, InventoryError> {
        if self.buffered()?.is_empty() {
            return Ok(None);
        }
        self.count += 1;
        let number = self.count;
        let mut der = Vec::new();
        // The longest header has six octets; a certificate has more.
        self.append(&mut der, 6)?;
        let (_, header, content) = asn1::parse_header(&der).map_err(|why| self.wrong(number, why.into()))?;
        let length = header + content;
        if length > MAX_LENGTH {
            return Err(self.wrong(number, EntryError::TooLong));
        }
        let rest = length.saturating_sub(der.len());
        self.append(&mut der, rest)?;
        if der.len() < length {
            return Err(self.wrong(number, DerError::Truncated.into()));
        }
        self.of_certificate(&der).map(Some).map_err(|why| self.wrong(number, why))
    }

    /// What comes next, as far as it is in the buffer; empty at the end.
    fn buffered(&mut self) -> Result<&[u8], InventoryError> {
        let path = &self.path;
        self.input.fill_buf().map_err(|source| InventoryError::Read { path: path.clone(), source })
    }

    fn append(&mut self, der: &mut Vec<u8>, octets: usize) -> Result<(), InventoryError> {
        let read = (&mut self.input).take(octets as u64).read_to_end(der);
        self.read += read.map_err(|source| self.unreadable(source))? as u64;
        Ok(())
    }

    fn of_certificate(&mut self, der: &[u8]) -> Result<InventoryEntry, EntryError> {
        let certificate = Certificate::from_der(der)?;
        if certificate.issuer() != self.issuer {
            let found = certificate.issuer_text();
            return Err(EntryError::OtherIssuer { found, expected: name_text(&self.issuer) });
        }
        let point = certificate.crl_distribution_points().into_iter().next();
        let distribution_point = point.map(|point| match self.shared.get(point.as_slice()) {
            Some(shared) => Arc::clone(shared),
            None => self.share(point.clone().into(), point),
        });
        Ok(InventoryEntry { serial: certificate.serial_number(), distribution_point })
    }

    fn share(&mut self, key: Box<[u8]>, encoded: Vec<u8>) -> Arc<[u8]> {
        let shared: Arc<[u8]> = encoded.into();
        if self.shared.len() < MAX_SHARED {
            self.shared.insert(key, Arc::clone(&shared));
        }
        shared
    }

    fn unreadable(&self, source: io::Error) -> InventoryError {
        InventoryError::Read { path: self.path.clone(), source }
    }

    fn wrong(&self, number: u64, why: EntryError) -> InventoryError {
        let path = self.path.clone();
        match self.state {
            State::Der => InventoryError::Certificate { path, number, why },
            State::Fresh | State::Text | State::Ended => InventoryError::Line { path, line: number, why },
        }
    }
}

impl Iterator for InventoryReader {
    type Item = Result<InventoryEntry, InventoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entry().transpose();
        if !matches!(entry, Some(Ok(_))) {
            self.state = State::Ended;
        }
        entry
    }
}

/// Without its comment and the blanks around. A `#` within a word (of a URI) is no comment.
fn trimmed(line: &[u8]) -> &[u8] {
    let mut before = b' ';
    let comment = line.iter().position(|&octet| {
        let starts = octet == b'#' && before.is_ascii_whitespace();
        before = octet;
        starts
    });
    line.get(..comment.unwrap_or(line.len())).unwrap_or_default().trim_ascii()
}

/// A distribution point as people write it, as the DER of its GeneralNames.
#[must_use]
pub fn distribution_point(text: &str) -> Option<Vec<u8>> {
    general_names(text.as_bytes()).ok()
}

/// The `GeneralName` that a distribution point's text means.
fn general_names(text: &[u8]) -> Result<Vec<u8>, EntryError> {
    const DIRECTORY_NAME: u8 = tag::context_constructed(4);
    const URI: u8 = tag::context(6);
    let text = std::str::from_utf8(text).map_err(|_| EntryError::NotText)?;
    let mut encoded = Vec::new();
    if text.contains("://") {
        if !text.is_ascii() || text.contains(char::is_whitespace) {
            return Err(EntryError::DistributionPoint);
        }
        write_tlv(&mut encoded, URI, text.as_bytes());
        return Ok(encoded);
    }
    let name = directory_name(text).ok_or(EntryError::DistributionPoint)?;
    write_tlv(&mut encoded, DIRECTORY_NAME, &name);
    Ok(encoded)
}

/// A Name's DER. RFC 4514 writes the country last; many people and tools write it first, and no
/// directory has a country below an organisation, so that the order is never in doubt. Blanks behind
/// the commas, which RFC 4514 does not have and people do, are passed over.
fn directory_name(text: &str) -> Option<Vec<u8>> {
    let mut compact = String::with_capacity(text.len());
    let (mut escaped, mut behind_comma) = (false, false);
    for char in text.chars() {
        if !(behind_comma && char == ' ') {
            compact.push(char);
            behind_comma = char == ',' && !escaped;
        }
        escaped = char == '\\' && !escaped;
    }
    let mut name = RdnSequence::from_str(&compact).ok()?;
    let first = compact.split('=').next().unwrap_or_default();
    if first.eq_ignore_ascii_case("C") {
        let mut parts: Vec<_> = name.iter().cloned().collect();
        parts.reverse();
        name = parts.into();
    }
    name.to_der().ok()
}

#[cfg(test)]
mod tests;
