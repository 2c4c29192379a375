//! One pass over a CRL: parse, hash, sort. Believes nothing yet.

use super::Refused;
use super::sort::{SortedEntries, Sorter};
use crate::signing::{Sha256Stream, StreamVerifier};
use crate::x509::SignatureAlgorithm;
use crate::x509::crl::{Armor, CrlEntry, CrlError, CrlHeader, CrlParser, CrlTrailer, CrlVisitor};
use std::io::Read;

/// Octets that are read at once.
const PIECE: usize = 1 << 18;

/// A CRL that was read to its end and whose signature is still to be verified.
pub struct CrlContent {
    pub header: CrlHeader,
    pub trailer: CrlTrailer,
    pub algorithm: SignatureAlgorithm,
    /// Has taken every octet of `tbsCertList`.
    pub verifier: StreamVerifier,
    /// SHA-256 of `tbsCertList`: what tells one CRL from another. The signature is left out, because
    /// some algorithms give another one each time.
    pub sha256: [u8; 32],
    pub entries: SortedEntries,
}

/// Reads a CRL in DER or PEM from `source` in one pass. `accept` sees the header before any entry is
/// read, so that a CRL of a stranger costs nothing.
///
/// # Errors
/// When it cannot be read, is not a whole CRL, or `accept` refuses it.
pub fn read_crl(
    mut source: impl Read,
    sorter: Sorter,
    accept: impl FnMut(&CrlHeader) -> Result<(), Refused>,
) -> Result<CrlContent, Refused> {
    let mut armor = Armor::new();
    let mut parser = CrlParser::new();
    let mut reading = Reading { accept, sorter, sha256: None, verifier: None };
    let mut piece = vec![0; PIECE];
    loop {
        let count = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(why) => return Err(why.into()),
        };
        let der = armor.push(piece.get(..count).unwrap_or_default())?;
        parser.push(der, &mut reading)?;
    }
    armor.finish()?;
    let (header, trailer) = parser.finish()?;
    // A parser that finished has shown its header.
    let (algorithm, verifier) = reading.verifier.ok_or(CrlError::Version)?;
    let sha256 = match reading.sha256 {
        Some(stream) => stream.finish(),
        // It is the hash that was signed.
        None => verifier.sha256().ok_or(CrlError::Version)?,
    };
    Ok(CrlContent { header, trailer, algorithm, verifier, sha256, entries: reading.sorter.finish()? })
}

struct Reading<A> {
    accept: A,
    sorter: Sorter,
    /// Only where the verifier does not compute that very hash: hashing is a good part of all the work.
    sha256: Option<Sha256Stream>,
    verifier: Option<(SignatureAlgorithm, StreamVerifier)>,
}

impl<A: FnMut(&CrlHeader) -> Result<(), Refused>> CrlVisitor for Reading<A> {
    type Error = Refused;

    fn header(&mut self, header: &CrlHeader) -> Result<(), Refused> {
        (self.accept)(header)?;
        let algorithm = SignatureAlgorithm::from_algorithm_identifier(&header.signature_algorithm)?;
        let verifier = StreamVerifier::new(algorithm);
        self.sha256 = (!verifier.has_sha256()).then(Sha256Stream::new);
        self.verifier = Some((algorithm, verifier));
        Ok(())
    }

    fn signed(&mut self, octets: &[u8]) {
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(octets);
        }
        if let Some((_, verifier)) = &mut self.verifier {
            verifier.update(octets);
        }
    }

    fn entry(&mut self, entry: &CrlEntry<'_>) -> Result<(), Refused> {
        Ok(self.sorter.push(entry.serial_number, entry.revocation)?)
    }
}
