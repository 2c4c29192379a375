//! Writing DER forward into a buffer whose lengths are known before.

#![expect(
    clippy::cast_possible_truncation,
    reason = "lengths are below 4 GiB: at most MAX_LENGTH, which is asserted"
)]

/// Octets that tag and length take in front of `content` octets.
#[must_use]
pub const fn header_len(content: usize) -> usize {
    match content {
        0..0x80 => 2,
        0x80..0x100 => 3,
        0x100..0x1_0000 => 4,
        0x1_0000..0x100_0000 => 5,
        _ => 6,
    }
}

/// Octets of a whole element with `content` octets of content.
#[must_use]
pub const fn len_of(content: usize) -> usize {
    header_len(content) + content
}

/// Appends tag and length. `content` is at most [`super::MAX_LENGTH`].
pub fn write_header(out: &mut Vec<u8>, tag: u8, content: usize) {
    debug_assert!(content as u64 <= super::MAX_LENGTH);
    let octets = (content as u32).to_be_bytes();
    out.push(tag);
    match header_len(content) {
        2 => out.push(octets[3]),
        header => {
            let count = header - 2;
            out.push(0x80 | count as u8);
            out.extend_from_slice(&octets[4 - count..]);
        }
    }
}

/// Appends a whole element.
pub fn write_tlv(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    write_header(out, tag, content.len());
    out.extend_from_slice(content);
}

/// A whole element in a buffer of its own, for whoever writes few of them.
#[must_use]
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(len_of(content.len()));
    write_tlv(&mut out, tag, content);
    out
}
