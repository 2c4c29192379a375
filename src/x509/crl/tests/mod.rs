//! Tests of the CRL parser, named by the ledger's ids (F) and the traps' numbers (T).

pub(crate) mod builder;
mod clauses;
mod extensions;
mod octets;

use super::*;
use builder::TestCrl;

/// One call of the visitor, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Header(CrlHeader),
    Entry(SerialNumber, Revocation, Option<Vec<u8>>),
}

/// Writes down what it is told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Witness {
    events: Vec<Event>,
    signed: Vec<u8>,
}

impl CrlVisitor for Witness {
    type Error = CrlError;

    fn signed(&mut self, octets: &[u8]) {
        assert!(!self.events.is_empty(), "the header comes before the first signed octets");
        self.signed.extend_from_slice(octets);
    }

    fn header(&mut self, header: &CrlHeader) -> Result<(), CrlError> {
        assert!(self.events.is_empty(), "the header comes first, and once");
        self.events.push(Event::Header(header.clone()));
        Ok(())
    }

    fn entry(&mut self, entry: &CrlEntry<'_>) -> Result<(), CrlError> {
        let issuer = entry.certificate_issuer.map(<[u8]>::to_vec);
        self.events.push(Event::Entry(entry.serial_number, entry.revocation, issuer));
        Ok(())
    }
}

impl Witness {
    fn header(&self) -> &CrlHeader {
        match self.events.first() {
            Some(Event::Header(header)) => header,
            other => panic!("no header first: {other:?}"),
        }
    }

    /// Serial numbers and revocations, in order.
    fn entries(&self) -> Vec<(SerialNumber, Revocation)> {
        let entry = |event: &Event| match event {
            Event::Entry(serial, revocation, _) => Some((*serial, *revocation)),
            Event::Header(_) => None,
        };
        self.events.iter().filter_map(entry).collect()
    }
}

/// Parses `der` in pieces of `piece` octets.
fn parse_in(der: &[u8], piece: usize) -> Result<(Witness, CrlTrailer), CrlError> {
    let mut witness = Witness::default();
    let mut parser = CrlParser::new();
    for octets in der.chunks(piece) {
        parser.push(octets, &mut witness)?;
    }
    let (header, trailer) = parser.finish()?;
    assert_eq!(witness.header(), &header);
    Ok((witness, trailer))
}

fn parse(der: &[u8]) -> Result<(Witness, CrlTrailer), CrlError> {
    parse_in(der, usize::MAX)
}

/// What is wrong with it, in one piece and octet by octet alike.
fn error_of(crl: &TestCrl) -> CrlError {
    let der = crl.der();
    let error = parse(&der).expect_err("it should be refused");
    assert_eq!(parse_in(&der, 1).expect_err("octet by octet too"), error);
    error
}
