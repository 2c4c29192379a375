//! PEM taken off a CRL as it streams by (RFC 7468); DER passes untouched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Why PEM is not one CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArmorError {
    #[error("it is neither DER nor PEM")]
    NeitherDerNorPem,
    #[error("its PEM label is not X509 CRL")]
    Label,
    #[error("its PEM holds something that is not base64")]
    Base64,
    #[error("its PEM ends without an END line")]
    Unterminated,
    #[error("something follows the END line; a file holds one CRL")]
    Trailing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing but blanks came.
    Unknown,
    Der,
    /// In the BEGIN line.
    Begin,
    Body,
    /// In the END line.
    End,
    /// Behind it.
    After,
}

const BEGIN: &[u8] = b"-----BEGIN X509 CRL-----";
const END: &[u8] = b"-----END X509 CRL-----";

/// Finds out whether it is given DER or PEM, and gives on DER.
#[derive(Debug)]
pub struct Armor {
    state: State,
    /// The BEGIN or END line so far, or base64 digits that are not four yet.
    held: Vec<u8>,
    decoded: Vec<u8>,
    /// Padding came: no digit may follow.
    is_padded: bool,
}

impl Default for Armor {
    fn default() -> Self {
        Self::new()
    }
}

impl Armor {
    #[must_use]
    pub fn new() -> Self {
        Self { state: State::Unknown, held: Vec::new(), decoded: Vec::new(), is_padded: false }
    }

    /// Takes the next octets of a file and gives the next octets of DER.
    ///
    /// # Errors
    /// As soon as it cannot be a CRL in DER or PEM.
    pub fn push<'a>(&'a mut self, octets: &'a [u8]) -> Result<&'a [u8], ArmorError> {
        let mut rest = octets;
        if self.state == State::Unknown {
            rest = rest.trim_ascii_start();
            match rest.first() {
                None => return Ok(&[]),
                // A SEQUENCE. Blanks before it are not DER, but in no other reading a CRL either.
                Some(0x30) => self.state = State::Der,
                Some(b'-') => self.state = State::Begin,
                Some(_) => return Err(ArmorError::NeitherDerNorPem),
            }
        }
        if self.state == State::Der {
            return Ok(rest);
        }
        self.decoded.clear();
        if self.state == State::Begin {
            let Some(after) = self.line(rest, BEGIN)? else { return Ok(&[]) };
            rest = after;
            self.state = State::Body;
        }
        if self.state == State::Body {
            let end = rest.iter().position(|&octet| octet == b'-');
            let (digits, after) = rest.split_at(end.unwrap_or(rest.len()));
            self.held.extend(digits.iter().filter(|octet| !octet.is_ascii_whitespace()));
            if self.is_padded && !self.held.is_empty() {
                return Err(ArmorError::Base64);
            }
            let whole = self.held.len() / 4 * 4;
            self.is_padded |= whole > 0 && self.held.get(whole - 1) == Some(&b'=');
            STANDARD
                .decode_vec(self.held.get(..whole).unwrap_or_default(), &mut self.decoded)
                .map_err(|_| ArmorError::Base64)?;
            self.held.drain(..whole);
            rest = after;
            if end.is_some() {
                if !self.held.is_empty() {
                    return Err(ArmorError::Base64);
                }
                self.state = State::End;
            }
        }
        if self.state == State::End
            && let Some(after) = self.line(rest, END)?
        {
            rest = after;
            self.state = State::After;
        }
        if self.state == State::After && !rest.trim_ascii().is_empty() {
            return Err(ArmorError::Trailing);
        }
        Ok(&self.decoded)
    }

    /// Collects `expected`; what follows it once it is whole.
    fn line<'a>(&mut self, octets: &'a [u8], expected: &[u8]) -> Result<Option<&'a [u8]>, ArmorError> {
        let take = (expected.len() - self.held.len()).min(octets.len());
        let (line, after) = octets.split_at(take);
        self.held.extend_from_slice(line);
        if !expected.starts_with(&self.held) {
            return Err(ArmorError::Label);
        }
        if self.held.len() < expected.len() {
            return Ok(None);
        }
        self.held.clear();
        Ok(Some(after))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When it was empty, or PEM without its END line.
    pub fn finish(&self) -> Result<(), ArmorError> {
        match self.state {
            State::Der | State::After => Ok(()),
            State::Unknown => Err(ArmorError::NeitherDerNorPem),
            State::Begin | State::Body | State::End => Err(ArmorError::Unterminated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(text: &[u8], piece: usize) -> Result<Vec<u8>, ArmorError> {
        let mut armor = Armor::new();
        let mut out = Vec::new();
        for piece in text.chunks(piece) {
            out.extend_from_slice(armor.push(piece)?);
        }
        armor.finish()?;
        Ok(out)
    }

    #[test]
    fn f40_pem_and_der_come_out_the_same_in_pieces_of_any_size() {
        let der: Vec<u8> = (0..200u8).map(|octet| if octet == 0 { 0x30 } else { octet }).collect();
        let body = STANDARD.encode(&der);
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let pem = format!("-----BEGIN X509 CRL-----\r\n{}\r\n-----END X509 CRL-----\n\n", lines.join("\r\n"));
        for piece in [1, 2, 3, 7, 64, 1000] {
            assert_eq!(strip(pem.as_bytes(), piece).unwrap(), der, "pieces of {piece}");
            assert_eq!(strip(&der, piece).unwrap(), der, "pieces of {piece}");
        }
    }

    #[test]
    fn f40_two_crls_in_one_file_another_label_and_a_missing_end_are_refused() {
        let one = "-----BEGIN X509 CRL-----\nMAAA\n-----END X509 CRL-----\n";
        assert_eq!(strip(format!("{one}{one}").as_bytes(), 5), Err(ArmorError::Trailing));
        assert_eq!(strip(one.replace("X509 CRL", "CERTIFICATE").as_bytes(), 5), Err(ArmorError::Label));
        assert_eq!(strip(&one.as_bytes()[..40], 5), Err(ArmorError::Unterminated));
        assert_eq!(strip(one.replace("MAAA", "MA*A").as_bytes(), 5), Err(ArmorError::Base64));
        assert_eq!(strip(one.replace("MAAA", "MAA").as_bytes(), 5), Err(ArmorError::Base64));
        // Two encodings one behind the other, at every place where a piece may end.
        for piece in 1..80 {
            let twice = one.replace("MAAA", "MA==MAAA");
            assert_eq!(strip(twice.as_bytes(), piece), Err(ArmorError::Base64), "pieces of {piece}");
        }
        assert_eq!(strip(b"<html>", 5), Err(ArmorError::NeitherDerNorPem));
        assert_eq!(strip(b"", 5), Err(ArmorError::NeitherDerNorPem));
    }
}
