//! A cursor over DER octets that borrows what it reads.

use super::tag;

/// Why octets are not the DER that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DerError {
    /// The octets end inside an element.
    #[error("the DER ends in the middle of an element")]
    Truncated,
    /// Octets stand behind the last expected element.
    #[error("there are octets behind the last element")]
    Trailing,
    /// Another element than this was expected here (tag octets).
    #[error("expected an element with tag {expected:#04x}, found {found:#04x}")]
    Tag { expected: u8, found: u8 },
    /// An indefinite, superfluously long or over-long length (X.690 10.1).
    #[error("a length is indefinite, not minimal, or over four octets")]
    Length,
    /// The content does not follow the rules of its type (X.690 8.2, 8.3, 11.1).
    #[error("the content of an element breaks the rules of its type")]
    Value,
}

/// One element: its tag, its content, and the whole of it as it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    /// Tag, length and content.
    pub raw: &'a [u8],
}

/// Reads tag and length at the start of `bytes`: `(tag, header octets, content octets)`.
///
/// # Errors
/// [`DerError::Truncated`] when more octets are needed, [`DerError::Length`] and
/// [`DerError::Value`] (a high tag number) when no octets that follow can make it right.
pub fn parse_header(bytes: &[u8]) -> Result<(u8, usize, usize), DerError> {
    let &[tag, first, ref rest @ ..] = bytes else {
        return Err(DerError::Truncated);
    };
    if tag & 0x1f == 0x1f {
        return Err(DerError::Value);
    }
    if first < 0x80 {
        return Ok((tag, 2, usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(DerError::Length);
    }
    let octets = rest.get(..count).ok_or(DerError::Truncated)?;
    let length = octets.iter().fold(0usize, |sum, &octet| (sum << 8) | usize::from(octet));
    // X.690 10.1: the fewest octets that hold the length.
    if length < 0x80 || octets[0] == 0 {
        return Err(DerError::Length);
    }
    Ok((tag, 2 + count, length))
}

/// A cursor over the elements of a DER encoding. Copying it is a bookmark.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The tag of the next element, if there is one.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    ///
    /// # Errors
    /// As [`parse_header`].
    pub fn element(&mut self) -> Result<Element<'a>, DerError> {
        let (tag, header, length) = parse_header(self.rest)?;
        let end = header.checked_add(length).ok_or(DerError::Length)?;
        let raw = self.rest.get(..end).ok_or(DerError::Truncated)?;
        self.rest = &self.rest[end..];
        Ok(Element { tag, content: &raw[header..], raw })
    }

    /// The next element, which must have `tag`.
    ///
    /// # Errors
    /// [`DerError::Tag`] for another one; [`DerError::Truncated`] at the end.
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        match self.peek() {
            None => Err(DerError::Truncated),
            Some(found) if found != tag => Err(DerError::Tag { expected: tag, found }),
            Some(_) => self.element(),
        }
    }

    /// The next element if it has `tag`.
    ///
    /// # Errors
    /// As [`Reader::element`].
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        if self.peek() == Some(tag) { self.element().map(Some) } else { Ok(None) }
    }

    /// A reader over the content of the next element, which must have `tag`.
    ///
    /// # Errors
    /// As [`Reader::expect`].
    pub fn nested(&mut self, tag: u8) -> Result<Reader<'a>, DerError> {
        Ok(Reader::new(self.expect(tag)?.content))
    }

    /// A SEQUENCE's content.
    ///
    /// # Errors
    /// As [`Reader::expect`].
    pub fn sequence(&mut self) -> Result<Reader<'a>, DerError> {
        self.nested(tag::SEQUENCE)
    }

    /// The content octets of an INTEGER, checked to be minimal (X.690 8.3.2).
    ///
    /// # Errors
    /// As [`Reader::expect`]; [`DerError::Value`] for an empty or padded one.
    pub fn integer(&mut self) -> Result<&'a [u8], DerError> {
        let content = self.expect(tag::INTEGER)?.content;
        match content {
            [] => Err(DerError::Value),
            [0x00, next, ..] if *next < 0x80 => Err(DerError::Value),
            [0xff, next, ..] if *next >= 0x80 => Err(DerError::Value),
            _ => Ok(content),
        }
    }

    /// An OBJECT IDENTIFIER's content octets.
    ///
    /// # Errors
    /// As [`Reader::expect`]; [`DerError::Value`] for an empty, unfinished or padded one (X.690 8.19.2):
    /// two that are equal must be so octet by octet, or a duplicate goes unseen.
    pub fn oid(&mut self) -> Result<&'a [u8], DerError> {
        let content = self.expect(tag::OBJECT_IDENTIFIER)?.content;
        let mut begins = true;
        for &octet in content {
            if begins && octet == 0x80 {
                return Err(DerError::Value);
            }
            begins = octet < 0x80;
        }
        if begins && !content.is_empty() { Ok(content) } else { Err(DerError::Value) }
    }

    /// A BOOLEAN in DER: 0x00 or 0xff (X.690 11.1).
    ///
    /// # Errors
    /// As [`Reader::expect`]; [`DerError::Value`] for another octet.
    pub fn boolean(&mut self) -> Result<bool, DerError> {
        match self.expect(tag::BOOLEAN)?.content {
            [0x00] => Ok(false),
            [0xff] => Ok(true),
            _ => Err(DerError::Value),
        }
    }

    /// A BIT STRING that holds whole octets: its content behind the count of unused bits.
    ///
    /// # Errors
    /// As [`Reader::expect`]; [`DerError::Value`] where bits are left over.
    pub fn bit_string(&mut self) -> Result<&'a [u8], DerError> {
        match self.expect(tag::BIT_STRING)?.content {
            [0, octets @ ..] => Ok(octets),
            _ => Err(DerError::Value),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DerError::Trailing`] when something is left.
    pub fn finish(self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError::Trailing) }
    }
}
