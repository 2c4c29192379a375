//! HMAC-SHA-256 (RFC 2104), for names that only the holder of a key can lead back.

/// A secret under which octets get other names.
pub struct PseudonymKey(ring::hmac::Key);

impl PseudonymKey {
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret))
    }

    /// The HMAC of `parts`, one behind the other.
    #[must_use]
    pub fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = ring::hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        super::digest::filled(context.sign().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_4231_4_3_the_second_test_case() {
        let hash = PseudonymKey::new(b"Jefe").of(&[b"what do ya want ", b"for nothing?"]);
        let hex: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
