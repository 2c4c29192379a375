//! `Extensions` (RFC 5280 4.1.2.9), walked in place.
//!
//! Callers: `x509::crl` for CRLs and their entries, `ocsp` for requests and responses. What an extension
//! means, and what becomes of one that is critical and not understood, is theirs to say.
//! Invariants: every extension given out is whole, and none of the same list came before under the
//! same identifier; behind an error nothing is given out. Errors: [`ExtensionError`].

use crate::asn1::{DerError, Reader, tag};

/// One extension, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The object identifier's content octets.
    pub oid: &'a [u8],
    pub critical: bool,
    /// What stands in the OCTET STRING.
    pub value: &'a [u8],
}

/// Why a list of extensions may not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError<'a> {
    #[error("an extension is malformed: {0}")]
    Der(#[from] DerError),
    /// RFC 5280 4.2: never more than one of a kind.
    #[error("an extension stands twice")]
    Duplicate { oid: &'a [u8] },
    /// More than the caller can imagine a use for.
    #[error("there are too many extensions")]
    TooMany,
}

/// The extensions of one list, in order.
#[derive(Debug, Clone)]
pub struct Extensions<'a> {
    all: Reader<'a>,
    rest: Reader<'a>,
    count: usize,
    at_most: usize,
}

impl<'a> Extensions<'a> {
    /// Of the content of an `Extensions` SEQUENCE. Looking back for an earlier one of the same kind needs no
    /// memory and takes the square of the count, which strangers choose: hence `at_most`.
    #[must_use]
    pub fn new(list: Reader<'a>, at_most: usize) -> Self {
        Self { all: list, rest: list, count: 0, at_most }
    }

    fn read_next(&mut self) -> Result<Extension<'a>, ExtensionError<'a>> {
        if self.count == self.at_most {
            return Err(ExtensionError::TooMany);
        }
        let extension = read(&mut self.rest)?;
        let mut earlier = self.all;
        for _ in 0..self.count {
            if read(&mut earlier)?.oid == extension.oid {
                return Err(ExtensionError::Duplicate { oid: extension.oid });
            }
        }
        self.count += 1;
        Ok(extension)
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, ExtensionError<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let next = self.read_next();
        if next.is_err() {
            self.rest = Reader::new(&[]);
        }
        Some(next)
    }
}

/// `Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue OCTET STRING }`
fn read<'a>(list: &mut Reader<'a>) -> Result<Extension<'a>, DerError> {
    let mut fields = list.sequence()?;
    let oid = fields.oid()?;
    // `critical FALSE` written out is not DER, but says nothing wrong; several CAs write it.
    let critical = if fields.peek() == Some(tag::BOOLEAN) { fields.boolean()? } else { false };
    let value = fields.expect(tag::OCTET_STRING)?.content;
    fields.finish()?;
    Ok(Extension { oid, critical, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asn1::tlv;

    fn extension(oid: u8, critical: &[u8]) -> Vec<u8> {
        let mut content = vec![tag::OBJECT_IDENTIFIER, 2, 0x55, oid];
        content.extend_from_slice(critical);
        content.extend_from_slice(&[tag::OCTET_STRING, 1, oid]);
        tlv(tag::SEQUENCE, &content)
    }

    fn walked(list: &[u8], at_most: usize) -> Vec<Result<u8, ExtensionError<'_>>> {
        let extensions = Extensions::new(Reader::new(list), at_most);
        extensions.map(|extension| extension.map(|extension| extension.oid[1])).collect()
    }

    #[test]
    fn s4_2_a_second_one_of_a_kind_is_refused_wherever_it_stands() {
        let list = [extension(1, &[]), extension(2, &[1, 1, 0xff]), extension(1, &[])].concat();
        assert_eq!(walked(&list, 9), [Ok(1), Ok(2), Err(ExtensionError::Duplicate { oid: &[0x55, 1] })]);
    }

    #[test]
    fn criticality_is_read_and_its_default_may_be_written_out() {
        let list = [extension(1, &[]), extension(2, &[1, 1, 0xff]), extension(3, &[1, 1, 0])].concat();
        let critical: Vec<_> =
            Extensions::new(Reader::new(&list), 3).map(|extension| extension.unwrap().critical).collect();
        assert_eq!(critical, [false, true, false]);
        // X.690 11.1: TRUE is ff.
        let list = extension(1, &[1, 1, 1]);
        assert_eq!(walked(&list, 9), [Err(ExtensionError::Der(DerError::Value))]);
    }

    #[test]
    fn nothing_comes_behind_an_error_nor_beyond_the_limit() {
        let list = [extension(1, &[]), vec![0x04, 0], extension(2, &[])].concat();
        let wrong = DerError::Tag { expected: tag::SEQUENCE, found: 4 };
        assert_eq!(walked(&list, 9), [Ok(1), Err(ExtensionError::Der(wrong))]);
        let list = [extension(1, &[]), extension(2, &[]), extension(3, &[])].concat();
        assert_eq!(walked(&list, 2), [Ok(1), Ok(2), Err(ExtensionError::TooMany)]);
        assert_eq!(walked(&[], 2), []);
    }
}
