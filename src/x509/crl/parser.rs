//! The push parser: octets in, a visitor's calls out.

use super::extensions::EntryExtensions;
use super::usual;
use super::{CrlEntry, CrlError, CrlExtensions, CrlHeader, CrlTrailer, CrlVisitor, Expected};
use crate::asn1::{DerError, Reader, parse_header, tag};
use crate::x509::{CrlReason, SerialNumber, UnixTime};

/// The longest header, entry, list of extensions or signature that is kept in memory, in octets.
pub const MAX_ELEMENT: usize = 64 * 1024;

/// Where in `CertificateList` the next octet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the outer SEQUENCE.
    Start,
    /// Before `tbsCertList`.
    SignedPart,
    /// At the version.
    Header,
    /// Inside `revokedCertificates`.
    Entries,
    /// Behind the entries, still inside `tbsCertList`.
    Extensions,
    /// Behind `tbsCertList`.
    Signature,
    /// Behind everything.
    End,
}

/// Reads one CRL from pieces of any size. See the module's head.
#[derive(Debug)]
pub struct CrlParser {
    place: Place,
    /// What came and could not be used yet: the beginning of one element.
    pending: Vec<u8>,
    /// Octets of the CRL that were used.
    used: u64,
    /// Where the outer SEQUENCE, `tbsCertList` and `revokedCertificates` end.
    outer_end: u64,
    signed_end: u64,
    entries_end: u64,
    /// Tag and length of `tbsCertList`, until the header says how they are hashed.
    signed_start: Vec<u8>,
    header: Option<CrlHeader>,
    entries: u64,
    says_remove_from_crl: bool,
    names_certificate_issuer: bool,
    extensions: CrlExtensions,
    signature_algorithm: Vec<u8>,
    signature: Vec<u8>,
}

impl Default for CrlParser {
    fn default() -> Self {
        Self::new()
    }
}

impl CrlParser {
    #[must_use]
    pub fn new() -> Self {
        Self {
            place: Place::Start,
            pending: Vec::new(),
            used: 0,
            outer_end: 0,
            signed_end: 0,
            entries_end: 0,
            signed_start: Vec::new(),
            header: None,
            entries: 0,
            says_remove_from_crl: false,
            names_certificate_issuer: false,
            extensions: CrlExtensions::default(),
            signature_algorithm: Vec::new(),
            signature: Vec::new(),
        }
    }

    /// Takes the next octets of the CRL.
    ///
    /// # Errors
    /// The first thing that is wrong with the CRL, or the visitor's own error. The parser is of no use
    /// afterwards.
    pub fn push<V: CrlVisitor>(&mut self, octets: &[u8], visitor: &mut V) -> Result<(), V::Error> {
        let mut octets = octets;
        let mut pending = std::mem::take(&mut self.pending);
        while !pending.is_empty() {
            // As little as will complete the element that was cut: the rest is read where it stands.
            let held = pending.len();
            let (next, rest) = octets.split_at(octets.len().min(held.max(256)));
            pending.extend_from_slice(next);
            let used = self.read(&pending, visitor)?;
            if used >= held {
                octets = octets.get(used - held..).unwrap_or_default();
                pending.clear();
                break;
            }
            pending.drain(..used);
            octets = rest;
            if octets.is_empty() {
                self.pending = pending;
                return Ok(());
            }
        }
        let used = self.read(octets, visitor)?;
        pending.extend_from_slice(octets.get(used..).unwrap_or_default());
        self.pending = pending;
        Ok(())
    }

    /// Ends the CRL.
    ///
    /// # Errors
    /// [`CrlError::Truncated`] when it is not whole, and what only the end can tell.
    pub fn finish(self) -> Result<(CrlHeader, CrlTrailer), CrlError> {
        let have = self.used + self.pending.len() as u64;
        let (Place::End, Some(header)) = (self.place, self.header) else {
            let expected = match self.place {
                Place::Start => Expected::AtLeastAHeader,
                _ => Expected::Octets(self.outer_end),
            };
            return Err(CrlError::Truncated { have, expected });
        };
        // Only now is it known whether the CRL is a delta and whether it is indirect.
        if self.says_remove_from_crl && self.extensions.delta_base.is_none() {
            return Err(CrlError::RemoveFromCrlInFull);
        }
        let is_indirect =
            self.extensions.issuing_distribution_point.as_ref().is_some_and(|point| point.is_indirect);
        if self.names_certificate_issuer && !is_indirect {
            return Err(CrlError::CertificateIssuerInDirect);
        }
        let trailer = CrlTrailer {
            extensions: self.extensions,
            signature_algorithm: self.signature_algorithm,
            signature: self.signature,
            entries: self.entries,
            octets: self.used,
        };
        Ok((header, trailer))
    }

    /// Reads as many whole elements as `octets` holds and returns how many octets that took.
    fn read<V: CrlVisitor>(&mut self, octets: &[u8], visitor: &mut V) -> Result<usize, V::Error> {
        let mut at = 0;
        loop {
            let rest = octets.get(at..).unwrap_or_default();
            // Each step says how many octets it used, or that the element that begins here is not whole.
            let step = match self.place {
                Place::Start => self.start(rest)?,
                Place::SignedPart => self.signed_part(rest)?,
                Place::Header => self.header(rest, visitor)?,
                Place::Entries => self.entries(rest, visitor)?,
                Place::Extensions => self.extensions(rest, visitor)?,
                Place::Signature => self.signature(rest)?,
                Place::End if rest.is_empty() => None,
                Place::End => return Err(CrlError::Trailing.into()),
            };
            let Some(used) = step else { return Ok(at) };
            at += used;
            self.used += used as u64;
        }
    }

    fn malformed(&self, why: DerError) -> CrlError {
        CrlError::Malformed { at: self.used, why }
    }

    /// The header of the next element: tag, octets of header, octets of content. `None`: not whole yet.
    fn element_header(&self, octets: &[u8], end: u64) -> Result<Option<(u8, usize, usize)>, CrlError> {
        match parse_header(octets) {
            Ok((tag, header, content)) => {
                // An element may not reach out of the one it stands in.
                if self.used + (header + content) as u64 > end {
                    return Err(self.malformed(DerError::Length));
                }
                Ok(Some((tag, header, content)))
            }
            Err(DerError::Truncated) if self.used + octets.len() as u64 >= end => {
                Err(self.malformed(DerError::Truncated))
            }
            Err(DerError::Truncated) => Ok(None),
            Err(why) => Err(self.malformed(why)),
        }
    }

    fn start(&mut self, octets: &[u8]) -> Result<Option<usize>, CrlError> {
        let Some((found, header, content)) = self.element_header(octets, u64::MAX)? else { return Ok(None) };
        if found != tag::SEQUENCE {
            return Err(self.malformed(DerError::Tag { expected: tag::SEQUENCE, found }));
        }
        self.outer_end = (header + content) as u64;
        self.place = Place::SignedPart;
        Ok(Some(header))
    }

    fn signed_part(&mut self, octets: &[u8]) -> Result<Option<usize>, CrlError> {
        let Some((found, header, content)) = self.element_header(octets, self.outer_end)? else {
            return Ok(None);
        };
        if found != tag::SEQUENCE {
            return Err(self.malformed(DerError::Tag { expected: tag::SEQUENCE, found }));
        }
        // These octets are signed too, but the algorithm that hashes them is not known yet.
        self.signed_start = octets.get(..header).unwrap_or_default().to_vec();
        self.signed_end = self.used + (header + content) as u64;
        self.place = Place::Header;
        Ok(Some(header))
    }

    fn header<V: CrlVisitor>(&mut self, octets: &[u8], visitor: &mut V) -> Result<Option<usize>, V::Error> {
        let signed_left = usize::try_from(self.signed_end - self.used).unwrap_or(usize::MAX);
        let visible = octets.get(..signed_left).unwrap_or(octets);
        let whole = visible.len() == signed_left;
        let mut reader = Reader::new(visible);
        let mut header = match read_header(&mut reader) {
            // Whether a nextUpdate or a list follows shows in the next octet.
            Ok(header) if !reader.is_empty() || whole => header,
            Ok(_) => return Ok(self.wait(octets)?),
            Err(HeaderError::Der(DerError::Truncated)) if !whole => return Ok(self.wait(octets)?),
            Err(HeaderError::Der(why)) => return Err(self.malformed(why).into()),
            Err(HeaderError::Version) => return Err(CrlError::Version.into()),
        };
        let mut used = visible.len() - reader.rest().len();
        self.place = Place::Extensions;
        if reader.peek() == Some(tag::SEQUENCE) {
            let rest = reader.rest();
            let (_, list_header, list) = match parse_header(rest) {
                Ok(parsed) => parsed,
                Err(DerError::Truncated) if !whole => {
                    self.place = Place::Header;
                    return Ok(self.wait(octets)?);
                }
                Err(why) => return Err(self.malformed(why).into()),
            };
            used += list_header;
            self.entries_end = self.used + (used + list) as u64;
            if self.entries_end > self.signed_end {
                return Err(self.malformed(DerError::Length).into());
            }
            header.entries_octets = list as u64;
            self.place = Place::Entries;
        }
        // As in `wait`, so that what is accepted does not hang on the size of the pieces.
        if used > MAX_ELEMENT {
            return Err(CrlError::TooLarge { at: self.used, octets: used as u64 }.into());
        }
        visitor.header(&header)?;
        visitor.signed(&std::mem::take(&mut self.signed_start));
        visitor.signed(visible.get(..used).unwrap_or_default());
        self.header = Some(header);
        Ok(Some(used))
    }

    /// Waits for the rest of an element, unless it is already longer than any lawful one.
    fn wait(&self, octets: &[u8]) -> Result<Option<usize>, CrlError> {
        if octets.len() > MAX_ELEMENT {
            return Err(CrlError::TooLarge { at: self.used, octets: octets.len() as u64 });
        }
        Ok(None)
    }

    /// All whole entries in `octets`.
    fn entries<V: CrlVisitor>(&mut self, octets: &[u8], visitor: &mut V) -> Result<Option<usize>, V::Error> {
        let left = usize::try_from(self.entries_end - self.used).unwrap_or(usize::MAX);
        let visible = octets.get(..left).unwrap_or(octets);
        let mut reader = Reader::new(visible);
        while !reader.is_empty() {
            reader = Reader::new(self.usual_entries(reader.rest(), visitor)?);
            let at = self.used + (visible.len() - reader.rest().len()) as u64;
            let malformed = |why| CrlError::Malformed { at, why };
            match parse_header(reader.rest()) {
                Ok((found, ..)) if found != tag::SEQUENCE => {
                    return Err(malformed(DerError::Tag { expected: tag::SEQUENCE, found }).into());
                }
                Ok((_, header, content)) => {
                    let entry = (header + content) as u64;
                    if at + entry > self.entries_end {
                        return Err(malformed(DerError::Length).into());
                    }
                    if entry > MAX_ELEMENT as u64 {
                        return Err(CrlError::TooLarge { at, octets: entry }.into());
                    }
                    if entry > reader.rest().len() as u64 {
                        break;
                    }
                }
                Err(DerError::Truncated) if visible.len() < left => break,
                Err(why) => return Err(malformed(why).into()),
            }
            let content = reader.sequence().map_err(malformed)?;
            self.entry(content, at, visitor)?;
        }
        let used = visible.len() - reader.rest().len();
        visitor.signed(visible.get(..used).unwrap_or_default());
        if used == left {
            self.place = Place::Extensions;
            return Ok(Some(used));
        }
        Ok((used > 0).then_some(used))
    }

    /// Reads entries as most are, up to the first that is not one or stands too near the end; what is left.
    fn usual_entries<'a, V: CrlVisitor>(
        &mut self,
        octets: &'a [u8],
        visitor: &mut V,
    ) -> Result<&'a [u8], V::Error> {
        let is_v2 = self.header.as_ref().is_some_and(|header| header.is_v2);
        let mut rest = octets;
        // A whole window stands inside `revokedCertificates`, so the entry in it does too.
        while let Some(entry) = rest.first_chunk().and_then(usual::read)
            && (is_v2 || entry.reason.is_none())
        {
            rest = rest.get(entry.octets..).unwrap_or_default();
            self.entries += 1;
            self.says_remove_from_crl |= entry.reason == Some(CrlReason::RemoveFromCrl);
            let extensions = EntryExtensions { reason: entry.reason, ..EntryExtensions::default() };
            visitor.entry(&CrlEntry {
                serial_number: entry.serial_number,
                revocation: extensions.revocation(entry.time),
                certificate_issuer: None,
            })?;
        }
        Ok(rest)
    }

    fn entry<V: CrlVisitor>(
        &mut self,
        mut fields: Reader<'_>,
        at: u64,
        visitor: &mut V,
    ) -> Result<(), V::Error> {
        let malformed = |why| CrlError::Malformed { at, why };
        self.entries += 1;
        let number = self.entries;
        let serial = fields.expect(tag::INTEGER).map_err(malformed)?.content;
        let serial_number = SerialNumber::from_der_content(serial)
            .map_err(|why| CrlError::SerialNumber { entry: number, why })?;
        let time = fields.element().map_err(malformed)?;
        let time = UnixTime::from_element(&time).map_err(malformed)?;
        let mut extensions = EntryExtensions::default();
        if let Some(list) = fields.optional(tag::SEQUENCE).map_err(malformed)? {
            if !self.header.as_ref().is_some_and(|header| header.is_v2) {
                return Err(CrlError::ExtensionsInV1.into());
            }
            extensions = EntryExtensions::parse(list.content, number, at)?;
        }
        fields.finish().map_err(malformed)?;
        self.says_remove_from_crl |= extensions.reason == Some(CrlReason::RemoveFromCrl);
        self.names_certificate_issuer |= extensions.certificate_issuer.is_some();
        visitor.entry(&CrlEntry {
            serial_number,
            revocation: extensions.revocation(time),
            certificate_issuer: extensions.certificate_issuer,
        })
    }

    /// A whole element that starts here and ends before `end`, or `None` when it is not whole yet.
    fn whole<'a>(&self, octets: &'a [u8], end: u64) -> Result<Option<&'a [u8]>, CrlError> {
        let Some((_, header, content)) = self.element_header(octets, end)? else { return Ok(None) };
        let total = header + content;
        if total > MAX_ELEMENT {
            return Err(CrlError::TooLarge { at: self.used, octets: total as u64 });
        }
        Ok(octets.get(..total))
    }

    fn extensions<V: CrlVisitor>(
        &mut self,
        octets: &[u8],
        visitor: &mut V,
    ) -> Result<Option<usize>, V::Error> {
        if self.used == self.signed_end {
            self.place = Place::Signature;
            return Ok(Some(0));
        }
        let Some(raw) = self.whole(octets, self.signed_end)? else { return Ok(None) };
        let malformed = |why| CrlError::Malformed { at: self.used, why };
        let mut reader = Reader::new(raw);
        let mut explicit = reader.nested(tag::context_constructed(0)).map_err(malformed)?;
        let list = explicit.sequence().map_err(malformed)?;
        explicit.finish().map_err(malformed)?;
        // Nothing may follow the extensions inside the signed part.
        if self.used + raw.len() as u64 != self.signed_end {
            return Err(self.malformed(DerError::Trailing).into());
        }
        let header = self.header.as_ref().ok_or(CrlError::Version)?;
        if !header.is_v2 {
            return Err(CrlError::ExtensionsInV1.into());
        }
        self.extensions = CrlExtensions::parse(list.rest(), header, self.used)?;
        visitor.signed(raw);
        self.place = Place::Signature;
        Ok(Some(raw.len()))
    }

    fn signature(&mut self, octets: &[u8]) -> Result<Option<usize>, CrlError> {
        let Some(raw) = self.whole(octets, self.outer_end)? else { return Ok(None) };
        let malformed = |why| self.malformed(why);
        let mut reader = Reader::new(raw);
        if self.signature_algorithm.is_empty() {
            reader.sequence().map_err(malformed)?;
            // RFC 5280 5.1.1.2: the same algorithm inside and outside.
            if self.header.as_ref().is_none_or(|header| header.signature_algorithm != raw) {
                return Err(CrlError::AlgorithmMismatch);
            }
            self.signature_algorithm = raw.to_vec();
        } else {
            self.signature = reader.bit_string().map_err(malformed)?.to_vec();
            if self.used + raw.len() as u64 != self.outer_end {
                return Err(self.malformed(DerError::Trailing));
            }
            self.place = Place::End;
        }
        Ok(Some(raw.len()))
    }
}

enum HeaderError {
    Der(DerError),
    Version,
}

impl From<DerError> for HeaderError {
    fn from(why: DerError) -> Self {
        Self::Der(why)
    }
}

/// The fields up to nextUpdate (RFC 5280 5.1.2).
fn read_header(reader: &mut Reader<'_>) -> Result<CrlHeader, HeaderError> {
    let is_v2 = match reader.peek() {
        Some(tag::INTEGER) => match reader.integer()? {
            [1] => true,
            _ => return Err(HeaderError::Version),
        },
        _ => false,
    };
    let signature_algorithm = reader.expect(tag::SEQUENCE)?.raw.to_vec();
    let issuer = reader.expect(tag::SEQUENCE)?.raw.to_vec();
    let this_update = UnixTime::from_element(&reader.element()?)?;
    let next_update =
        if UnixTime::is_next(reader) { Some(UnixTime::from_element(&reader.element()?)?) } else { None };
    Ok(CrlHeader { is_v2, signature_algorithm, issuer, this_update, next_update, entries_octets: 0 })
}
