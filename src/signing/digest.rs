//! Hash values. `ring` computes them: it uses the processor's SHA instructions and allocates nothing.

use crate::x509::HashAlgorithm;
use ring::digest as ring_digest;

/// A hash value, on the stack.
#[derive(Clone, Copy)]
pub struct Digest(ring_digest::Digest);

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The hash of `bytes`.
#[must_use]
pub fn digest(algorithm: HashAlgorithm, bytes: &[u8]) -> Digest {
    let algorithm = match algorithm {
        HashAlgorithm::Sha1 => &ring_digest::SHA1_FOR_LEGACY_USE_ONLY,
        HashAlgorithm::Sha256 => &ring_digest::SHA256,
        HashAlgorithm::Sha384 => &ring_digest::SHA384,
        HashAlgorithm::Sha512 => &ring_digest::SHA512,
    };
    Digest(ring_digest::digest(algorithm, bytes))
}

/// SHA-1 of `bytes`: what `byKey` and `issuerKeyHash` are made of (RFC 6960 4.2.2.3).
#[must_use]
pub(super) fn sha1(bytes: &[u8]) -> [u8; 20] {
    filled(digest(HashAlgorithm::Sha1, bytes).as_ref())
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    filled(digest(HashAlgorithm::Sha256, bytes).as_ref())
}

/// `source`, which has `N` octets by the hash function it comes from.
pub(super) fn filled<const N: usize>(source: &[u8]) -> [u8; N] {
    debug_assert_eq!(source.len(), N);
    let mut array = [0; N];
    for (to, from) in array.iter_mut().zip(source) {
        *to = *from;
    }
    array
}

/// SHA-256 of octets that come in pieces.
pub struct Sha256Stream(ring_digest::Context);

impl Sha256Stream {
    #[must_use]
    pub fn new() -> Self {
        Self(ring_digest::Context::new(&ring_digest::SHA256))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        filled(self.0.finish().as_ref())
    }
}

impl Default for Sha256Stream {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// FIPS 180-4's example message.
    #[test]
    fn the_hash_of_abc_is_the_published_one_for_each_function() {
        let starts = [
            (HashAlgorithm::Sha1, "a9993e364706816a"),
            (HashAlgorithm::Sha256, "ba7816bf8f01cfea"),
            (HashAlgorithm::Sha384, "cb00753f45a35e8b"),
            (HashAlgorithm::Sha512, "ddaf35a193617aba"),
        ];
        for (algorithm, start) in starts {
            let value = digest(algorithm, b"abc");
            assert_eq!(value.as_ref().len(), algorithm.output_len());
            assert!(hex(value.as_ref()).starts_with(start), "{algorithm}");
        }
    }

    #[test]
    fn a_stream_of_pieces_hashes_to_the_same_as_the_whole() {
        let mut stream = Sha256Stream::default();
        for piece in [b"a".as_slice(), b"", b"bc"] {
            stream.update(piece);
        }
        assert_eq!(stream.finish(), digest(HashAlgorithm::Sha256, b"abc").as_ref());
        assert_eq!(hex(&sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
