//! One pass over a CRL: parse, hash, gather. Believes nothing yet.

use super::Refused;
use super::gather::Gather;
use super::sort::SortedEntries;
use super::steps::{Step, Steps};
use crate::signing::{Sha256Stream, StreamVerifier};
use crate::x509::crl::{Armor, CrlEntry, CrlError, CrlHeader, CrlParser, CrlTrailer, CrlVisitor};
use crate::x509::{PackedEntry, SignatureAlgorithm, canonical_name};
use std::io::Read;

/// Octets that are read at once.
const PIECE: usize = 1 << 18;

/// A CRL that was read to its end and whose signature is still to be verified.
pub struct CrlContent<E = SortedEntries> {
    pub header: CrlHeader,
    pub trailer: CrlTrailer,
    pub algorithm: SignatureAlgorithm,
    /// Has taken every octet of `tbsCertList`.
    pub verifier: StreamVerifier,
    /// SHA-256 of `tbsCertList`: what tells one CRL from another. The signature is left out, because
    /// some algorithms give another one each time.
    pub sha256: [u8; 32],
    /// For each certificate issuer that was wanted, in that order.
    pub entries: Vec<IssuerEntries<E>>,
}

/// What a CRL lists of one certificate issuer.
pub struct IssuerEntries<E = SortedEntries> {
    pub entries: E,
    /// How many, those that stand twice among them.
    pub count: u64,
}

/// Reads a CRL in DER or PEM from `source` in one pass. `accept` sees the header before any entry is
/// read, so that a CRL of a stranger costs nothing; it gives the canonical names of the certificate issuers
/// whose entries are wanted, each with what is to take them. Those of others are only counted.
/// `steps` is told what is begun.
///
/// # Errors
/// When it cannot be read, is not a whole CRL, or `accept` refuses it.
pub fn read_crl<G: Gather>(
    mut source: impl Read,
    accept: impl FnMut(&CrlHeader) -> Result<Vec<(Vec<u8>, G)>, Refused>,
    steps: &mut Steps,
) -> Result<CrlContent<G::Gathered>, Refused> {
    steps.begin(Step::Read);
    let mut armor = Armor::new();
    let mut parser = CrlParser::new();
    let mut reading = Reading {
        accept,
        issuers: Vec::new(),
        current: None,
        last_named: Vec::new(),
        sha256: None,
        verifier: None,
    };
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
    if reading.issuers.iter().any(|one| one.gather.is_sorting()) {
        steps.begin(Step::Sort);
    }
    let mut entries = Vec::with_capacity(reading.issuers.len());
    for Wanted { gather, count, .. } in reading.issuers {
        entries.push(IssuerEntries { entries: gather.finish()?, count });
    }
    Ok(CrlContent { header, trailer, algorithm, verifier, sha256, entries })
}

/// A certificate issuer whose entries are kept.
struct Wanted<G> {
    canonical_name: Vec<u8>,
    gather: G,
    count: u64,
}

struct Reading<A, G> {
    accept: A,
    issuers: Vec<Wanted<G>>,
    /// Whose the next entry is, of `issuers`: the CRL issuer's, until an entry names another one, and then
    /// that one's until the next (RFC 5280 5.3.3).
    current: Option<usize>,
    /// The Name that was named last, as it stands: most entries of an indirect CRL name it again.
    last_named: Vec<u8>,
    /// Only where the verifier does not compute that very hash: hashing is a good part of all the work.
    sha256: Option<Sha256Stream>,
    verifier: Option<(SignatureAlgorithm, StreamVerifier)>,
}

impl<A, G> Reading<A, G> {
    fn set_current(&mut self, name: &[u8]) {
        if self.last_named != name {
            // What is not a name is nobody's.
            let canonical = canonical_name(name).ok();
            self.current =
                self.issuers.iter().position(|one| Some(&one.canonical_name) == canonical.as_ref());
            self.last_named.clear();
            self.last_named.extend_from_slice(name);
        }
    }
}

impl<A, G> CrlVisitor for Reading<A, G>
where
    A: FnMut(&CrlHeader) -> Result<Vec<(Vec<u8>, G)>, Refused>,
    G: Gather,
{
    type Error = Refused;

    fn header(&mut self, header: &CrlHeader) -> Result<(), Refused> {
        let wanted = (self.accept)(header)?;
        let new = |(canonical_name, gather)| Wanted { canonical_name, gather, count: 0 };
        self.issuers = wanted.into_iter().map(new).collect();
        self.set_current(&header.issuer);
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
        if let Some(name) = entry.certificate_issuer {
            self.set_current(name);
        }
        let Some(wanted) = self.current.and_then(|current| self.issuers.get_mut(current)) else {
            return Ok(());
        };
        wanted.count += 1;
        Ok(wanted.gather.take(PackedEntry::new(entry.serial_number, &entry.revocation))?)
    }
}
