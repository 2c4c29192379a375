//! Certificate serial numbers (RFC 5280 4.1.2.2).

#![expect(clippy::cast_possible_truncation, reason = "at most 21 octets, and digits below 16")]

use std::fmt;

/// A serial number: the content octets of its DER INTEGER, as they stand.
///
/// Because the octets are the minimal two's complement form, two serial numbers are equal exactly
/// when their octets are, and -1 (`ff`) and 255 (`00ff`) differ. At most [`SerialNumber::MAX_OCTETS`].
/// A serial number is a citizen: `Debug` does not show it, and there is no `Display`; whoever has
/// a lawful reason to write it calls [`SerialNumber::to_hex`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SerialNumber {
    octets: [u8; SerialNumber::MAX_OCTETS],
    len: u8,
}

/// Why octets or text are not a serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SerialNumberError {
    /// No octets at all.
    #[error("a serial number has at least one octet")]
    Empty,
    /// A leading 00 or ff that says nothing (X.690 8.3.2).
    #[error("the serial number is not in its shortest form")]
    NotMinimal,
    /// Over 20 octets (RFC 5280 4.1.2.2), the sign octet of a positive one aside.
    #[error("the serial number has over 20 octets")]
    TooLong,
    /// Text with something other than hexadecimal digits.
    #[error("the serial number is not hexadecimal")]
    NotHexadecimal,
}

impl SerialNumber {
    /// 20 octets, and a leading 00 where a 20-octet positive number has its high bit set: RFC 5280
    /// allows values of up to 20 octets and CAs disagree on whether that counts the sign.
    pub const MAX_OCTETS: usize = 21;

    /// From the content octets of a DER INTEGER.
    ///
    /// # Errors
    /// When they are none, too many, or not minimal.
    pub fn from_der_content(content: &[u8]) -> Result<Self, SerialNumberError> {
        Self::check(content)?;
        let mut octets = [0; Self::MAX_OCTETS];
        octets[..content.len()].copy_from_slice(content);
        // At most MAX_OCTETS, checked above.
        Ok(Self { octets, len: content.len() as u8 })
    }

    /// The first `len` octets of `window`: as [`SerialNumber::from_der_content`] would have them, for the numbers
    /// that nearly all serials are, positive ones of up to 20 octets; `None` for all others. Without a copy of
    /// an unknown length, which would cost more than reading all else of an entry of a CRL.
    pub(super) fn usual(window: &[u8; 24], len: usize) -> Option<Self> {
        let [first, second, ..] = *window;
        if len == 0 || len > 20 || first >= 0x80 || (first == 0 && second < 0x80) {
            return None;
        }
        let front = u128::from_be_bytes(*window.first_chunk()?);
        let back = u64::from_be_bytes(*window.last_chunk()?);
        let (front, back) = if len <= 16 {
            (front & (u128::MAX << (8 * (16 - len))), 0)
        } else {
            (front, back & (u64::MAX << (8 * (24 - len))))
        };
        let mut octets = [0; Self::MAX_OCTETS];
        *octets.first_chunk_mut()? = front.to_be_bytes();
        *octets.last_chunk_mut()? = *back.to_be_bytes().first_chunk::<5>()?;
        Some(Self { octets, len: len as u8 })
    }

    fn check(content: &[u8]) -> Result<(), SerialNumberError> {
        match content {
            [] => return Err(SerialNumberError::Empty),
            [0x00, next, ..] if *next < 0x80 => return Err(SerialNumberError::NotMinimal),
            [0xff, next, ..] if *next >= 0x80 => return Err(SerialNumberError::NotMinimal),
            _ => {}
        }
        if content.len() > Self::MAX_OCTETS || (content.len() == Self::MAX_OCTETS && content[0] != 0) {
            return Err(SerialNumberError::TooLong);
        }
        Ok(())
    }

    /// From an unsigned big-endian number with any leading zeros, as people and inventories write it.
    ///
    /// # Errors
    /// When it has no octet, or over 20 significant ones.
    pub fn from_unsigned(magnitude: &[u8]) -> Result<Self, SerialNumberError> {
        if magnitude.is_empty() {
            return Err(SerialNumberError::Empty);
        }
        let zeros = magnitude.iter().take_while(|&&octet| octet == 0).count();
        let digits = &magnitude[zeros.min(magnitude.len() - 1)..];
        if digits.len() >= Self::MAX_OCTETS {
            return Err(SerialNumberError::TooLong);
        }
        let mut content = [0; Self::MAX_OCTETS];
        let sign = usize::from(digits[0] >= 0x80);
        content[sign..sign + digits.len()].copy_from_slice(digits);
        Self::from_der_content(&content[..sign + digits.len()])
    }

    /// From hexadecimal text: `0x`, a leading `-`, colons between octets, either case and leading
    /// zeros are all accepted.
    ///
    /// # Errors
    /// When it is not hexadecimal or too long.
    pub fn from_hex(text: &str) -> Result<Self, SerialNumberError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")).unwrap_or(digits);
        let mut magnitude = [0u8; 2 * Self::MAX_OCTETS];
        let mut nibbles = 0;
        for digit in digits.bytes().rev().filter(|&digit| digit != b':') {
            let value = char::from(digit).to_digit(16).ok_or(SerialNumberError::NotHexadecimal)? as u8;
            let index = nibbles / 2;
            if index >= magnitude.len() {
                return Err(SerialNumberError::TooLong);
            }
            let octet = &mut magnitude[2 * Self::MAX_OCTETS - 1 - index];
            *octet |= if nibbles % 2 == 0 { value } else { value << 4 };
            nibbles += 1;
        }
        if nibbles == 0 {
            return Err(SerialNumberError::Empty);
        }
        let positive = Self::from_unsigned(&magnitude)?;
        if negative { positive.negated() } else { Ok(positive) }
    }

    /// Two's complement negation, kept minimal.
    fn negated(self) -> Result<Self, SerialNumberError> {
        // Two's complement: what stands in front of a negative number are ones.
        let mut wide = [if self.octets[0] >= 0x80 { 0xff } else { 0 }; Self::MAX_OCTETS + 1];
        wide[Self::MAX_OCTETS + 1 - self.as_bytes().len()..].copy_from_slice(self.as_bytes());
        let mut carry = true;
        for octet in wide.iter_mut().rev() {
            (*octet, carry) = (!*octet).overflowing_add(u8::from(carry));
        }
        let mut content = &wide[..];
        while let [first @ (0x00 | 0xff), next, ..] = content
            && (*first == 0xff) == (*next >= 0x80)
        {
            content = &content[1..];
        }
        Self::from_der_content(content)
    }

    /// The content octets of its DER INTEGER.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }

    /// The content octets with zeros behind them. Padded octets, then lengths, compare as serial numbers do.
    #[must_use]
    pub fn padded(&self) -> &[u8; Self::MAX_OCTETS] {
        &self.octets
    }

    /// From what [`SerialNumber::padded`] gave, so zeros behind the content, and the number of content octets.
    ///
    /// # Errors
    /// When they are not those of a serial number.
    pub fn from_padded(octets: [u8; Self::MAX_OCTETS], len: u8) -> Result<Self, SerialNumberError> {
        let content = octets.get(..usize::from(len)).ok_or(SerialNumberError::TooLong)?;
        Self::check(content)?;
        debug_assert!(octets.iter().skip(content.len()).all(|&octet| octet == 0));
        Ok(Self { octets, len })
    }

    /// Lower-case hexadecimal of the content octets; a leading 00 that only carries the sign is left
    /// out, as in `openssl x509 -serial`. Negative numbers start with `-`.
    #[must_use]
    pub fn to_hex(&self) -> String {
        let negative = self.octets[0] >= 0x80;
        let shown = match (negative, self.negated()) {
            (true, Ok(positive)) => positive,
            _ => *self,
        };
        let digits = match shown.as_bytes() {
            [0x00, rest @ ..] if !rest.is_empty() => rest,
            all => all,
        };
        let mut text = String::with_capacity(2 * digits.len() + 1);
        if negative {
            text.push('-');
        }
        for octet in digits {
            for nibble in [octet >> 4, octet & 0x0f] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('?'));
            }
        }
        text
    }
}

/// Ordered by octets, then by length: the order of the rows in the store.
impl Ord for SerialNumber {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for SerialNumber {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialNumber({} octets)", self.len)
    }
}

impl From<u64> for SerialNumber {
    fn from(value: u64) -> Self {
        // Eight octets always fit.
        Self::from_unsigned(&value.to_be_bytes()).unwrap_or(Self { octets: [0; Self::MAX_OCTETS], len: 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> SerialNumber {
        SerialNumber::from_hex(text).unwrap()
    }

    #[test]
    fn hexadecimal_of_every_shape_is_one_number() {
        for text in ["1a2b", "0x1A2B", "1A:2B", "0001a2b", "000000000000000000000000000000000000000000001a2b"]
        {
            assert_eq!(hex(text).as_bytes(), [0x1a, 0x2b], "{text}");
        }
        assert_eq!(hex("0").as_bytes(), [0]);
        assert_eq!(hex("80").as_bytes(), [0x00, 0x80]);
        assert_eq!(hex("80").to_hex(), "80");
        assert_eq!(SerialNumber::from(0x3fffc_u64).to_hex(), "03fffc");
    }

    #[test]
    fn a23_a_negative_serial_is_not_its_unsigned_twin() {
        assert_eq!(hex("-1").as_bytes(), [0xff]);
        assert_eq!(hex("-80").as_bytes(), [0x80]);
        assert_eq!(hex("-81").as_bytes(), [0xff, 0x7f]);
        assert_eq!(hex("-1").to_hex(), "-01");
        assert_ne!(hex("-1"), hex("ff"));
    }

    #[test]
    fn a22_twenty_octets_with_the_high_bit_fit_and_one_more_does_not() {
        let longest = "ff".repeat(20);
        assert_eq!(hex(&longest).as_bytes().len(), 21);
        assert_eq!(hex(&longest).to_hex(), longest);
        assert_eq!(SerialNumber::from_hex(&"7f".repeat(21)), Err(SerialNumberError::TooLong));
        assert_eq!(SerialNumber::from_der_content(&[0x7f; 21]), Err(SerialNumberError::TooLong));
        assert_eq!(SerialNumber::from_hex(&"f".repeat(100)), Err(SerialNumberError::TooLong));
    }

    #[test]
    fn a24_a_number_that_is_not_minimal_is_refused() {
        assert_eq!(SerialNumber::from_der_content(&[0, 1]), Err(SerialNumberError::NotMinimal));
        assert_eq!(SerialNumber::from_der_content(&[0xff, 0x80]), Err(SerialNumberError::NotMinimal));
        assert_eq!(SerialNumber::from_der_content(&[]), Err(SerialNumberError::Empty));
        assert_eq!(SerialNumber::from_hex("xyz"), Err(SerialNumberError::NotHexadecimal));
    }

    #[test]
    fn a_serial_number_does_not_show_itself() {
        assert_eq!(format!("{:?}", hex("123456")), "SerialNumber(3 octets)");
    }
}
