//! A GET's path into request octets: RFC 6960 appendix A.1, `/{url-encoding of base64 of the DER}`.
//!
//! Called by the OCSP service for every GET. What clients really send: the three special characters
//! raw or escaped, in either case; no padding; base64url; a slash too many in front (an AIA address
//! that ends in one) or behind; a prefix that a proxy did not take off. Base64 itself contains `/`, so no path is
//! ever normalised, and where the request starts is found by trying: from the left, after every `/`, until the text
//! starts with a DER SEQUENCE that ends exactly where the text ends. `+` never becomes a blank.
//!
//! Cost: one allocation, and time linear in the path: a starting point is judged by its first eight
//! characters, and only one that fits is decoded.

use crate::asn1::{parse_header, tag};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding is taken off before; bits left over in the last character are ignored, as most peers do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// Characters that hold the longest DER header (six octets).
const HEADER_CHARACTERS: usize = 8;

/// The octets of a request, as they stood in a path.
#[derive(Debug)]
pub(super) struct PathRequest {
    /// The base64 text, and behind it the octets.
    buffer: Vec<u8>,
    start: usize,
    length: usize,
}

impl AsRef<[u8]> for PathRequest {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(self.start..).and_then(|octets| octets.get(..self.length)).unwrap_or_default()
    }
}

/// Whether `path` holds nothing at all: what a browser asks when a person looks.
pub(super) fn is_bare(path: &str) -> bool {
    path.bytes().all(|octet| octet == b'/')
}

/// The request in `path` (without its query). `None` where there is none: `malformedRequest`.
pub(super) fn decode(path: &str) -> Option<PathRequest> {
    let mut buffer = Vec::with_capacity(path.len() * 2);
    unescape(path.as_bytes(), &mut buffer);
    let text_end = buffer.len();
    let found = find(&buffer, 0)?;
    let length = decode_at(&mut buffer, found).or_else(|| {
        // Strangers among the characters: nothing that starts before the last of them is base64 to its end.
        let (unpadded, _) = trimmed(&buffer)?;
        let last = unpadded.iter().rposition(|&octet| sextet(octet).is_none())?;
        let found = find(&buffer, last + 1)?;
        decode_at(&mut buffer, found)
    })?;
    Some(PathRequest { buffer, start: text_end, length })
}

/// Writes the octets behind the text, and says how many they are. What is no base64 leaves the text alone.
fn decode_at(buffer: &mut Vec<u8>, (start, characters, length): (usize, usize, usize)) -> Option<usize> {
    let text_end = buffer.len();
    buffer.resize(text_end + characters.div_ceil(4) * 3, 0);
    let (text, octets) = buffer.split_at_mut(text_end);
    let decoded = text.get(start..start + characters).and_then(|text| BASE64.decode_slice(text, octets).ok());
    if decoded != Some(length) {
        buffer.truncate(text_end);
        return None;
    }
    decoded
}

/// Undoes percent-encoding and base64url. What cannot be undone becomes NUL, which no base64 contains.
fn unescape(path: &[u8], text: &mut Vec<u8>) {
    let mut rest = path;
    // Most characters stand for themselves, and are taken over run by run.
    while let Some(at) = rest.iter().position(|octet| matches!(octet, b'%' | b'-' | b'_')) {
        let (plain, special) = rest.split_at(at);
        text.extend_from_slice(plain);
        let (octet, behind) = match special {
            [b'-', behind @ ..] => (b'+', behind),
            [b'_', behind @ ..] => (b'/', behind),
            [_, high, low, behind @ ..] => (escaped_octet(*high, *low), behind),
            // Cut off within an escape.
            _ => (0, &[][..]),
        };
        text.push(match octet {
            b'-' => b'+',
            b'_' => b'/',
            octet => octet,
        });
        rest = behind;
    }
    text.extend_from_slice(rest);
}

fn escaped_octet(high: u8, low: u8) -> u8 {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let octet = digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low);
    octet.and_then(|octet| u8::try_from(octet).ok()).unwrap_or(0)
}

/// Where the request starts, `earliest` or later, how many characters it has, and how many octets these are.
fn find(text: &[u8], earliest: usize) -> Option<(usize, usize, usize)> {
    let (unpadded, latest_end) = trimmed(text)?;
    let mut candidate = 0;
    loop {
        if candidate >= earliest {
            let (length, characters) = size(text.get(candidate..unpadded.len())?).unwrap_or((0, 0));
            let end = candidate + characters;
            if length > 0 && (unpadded.len()..=latest_end).contains(&end) {
                return Some((candidate, characters, length));
            }
        }
        candidate += text.get(candidate..)?.iter().position(|&octet| octet == b'/')? + 1;
    }
}

/// The text without what may stand behind a request, padding and slashes, and where the request ends at the latest.
fn trimmed(text: &[u8]) -> Option<(&[u8], usize)> {
    let unslashed = text.iter().rposition(|&octet| octet != b'/')? + 1;
    let unpadded = text.get(..unslashed)?;
    let unpadded = unpadded.strip_suffix(b"==").or_else(|| unpadded.strip_suffix(b"=")).unwrap_or(unpadded);
    // Without padding the last slashes may belong to the base64 itself.
    let latest_end = if unpadded.len() == unslashed { text.len() } else { unpadded.len() };
    Some((unpadded, latest_end))
}

/// Octets and characters of the SEQUENCE that starts here, by its header.
fn size(text: &[u8]) -> Option<(usize, usize)> {
    let mut header = [0; HEADER_CHARACTERS / 4 * 3];
    let mut bits = 0u64;
    let mut count = 0;
    for &character in text.iter().take(HEADER_CHARACTERS) {
        bits = bits << 6 | u64::from(sextet(character)?);
        count += 1;
    }
    let octets = count * 6 / 8;
    // Left-align what was read in 48 bits.
    let aligned = (bits << (48 - count * 6)).to_be_bytes();
    for (octet, value) in header.iter_mut().zip(aligned.iter().skip(2)) {
        *octet = *value;
    }
    let (tag, header, content) = parse_header(header.get(..octets)?).ok()?;
    if tag != tag::SEQUENCE {
        return None;
    }
    let length = header.checked_add(content)?;
    Some((length, length.checked_mul(4)?.div_ceil(3)))
}

fn sextet(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    fn decoded(path: &str) -> Option<Vec<u8>> {
        decode(path).map(|request| request.as_ref().to_vec())
    }

    /// A SEQUENCE around `content`.
    fn sequence(content: &[u8]) -> Vec<u8> {
        crate::asn1::tlv(tag::SEQUENCE, content)
    }

    /// A request whose base64 has `/`, `//`, `+` and `=` in it: serials 03FFFC and 03FEFC do that.
    fn awkward() -> (Vec<u8>, String) {
        let der = sequence(&[0x02, 0x05, 0x03, 0xff, 0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0xff]);
        let text = STANDARD.encode(&der);
        assert!(text.contains("//") && text.contains('+') && text.ends_with('='), "{text}");
        (der, text)
    }

    fn escaped(text: &str, characters: &str, lower: bool) -> String {
        text.chars()
            .map(|character| match (characters.contains(character), lower) {
                (false, _) => character.to_string(),
                (true, false) => format!("%{:02X}", character as u32),
                (true, true) => format!("%{:02x}", character as u32),
            })
            .collect()
    }

    #[test]
    fn trap_1_g2_to_g5_raw_and_escaped_characters_all_decode() {
        let (der, text) = awkward();
        let all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
        for characters in ["", "/+=", "/", "+", "=", "+=", all] {
            for lower in [false, true] {
                let path = format!("/{}", escaped(&text, characters, lower));
                assert_eq!(decoded(&path).as_ref(), Some(&der), "{path}");
            }
        }
    }

    #[test]
    fn trap_1_g6_g8_serials_03fffc_and_03fefc_keep_their_slashes_and_plus() {
        for serial in [[0x03, 0xff, 0xfc], [0x03, 0xfe, 0xfc]] {
            for shift in 0..3 {
                let der =
                    sequence(&[&[0x04, 0x00].repeat(shift)[..], &[0x02, 0x03], &serial, &[0xff; 6]].concat());
                let text = STANDARD.encode(&der);
                assert_eq!(decoded(&format!("/{text}")), Some(der), "{text}");
            }
        }
        let blank = awkward().1.replace('+', " ");
        assert_eq!(decoded(&format!("/{blank}")), None);
        assert_eq!(decoded(&format!("/{}", blank.replace(' ', "%20"))), None);
    }

    #[test]
    fn trap_2_g7_g9_g11_prefixes_slashes_padding_and_base64url() {
        let (der, text) = awkward();
        let bare = text.trim_end_matches('=');
        let url = URL_SAFE_NO_PAD.encode(&der);
        for text in [text.as_str(), bare, &url, &format!("{url}==")[..url.len() + text.len() - bare.len()]] {
            for prefix in
                ["/", "//", "///", "/ocsp/", "/ocsp//", "/a/b/ocsp/", "//x//", "/M/MD/MII/", "/b%c3%a9/"]
            {
                for suffix in ["", "/", "//"] {
                    let path = format!("{prefix}{text}{suffix}");
                    assert_eq!(decoded(&path).as_ref(), Some(&der), "{path}");
                }
            }
        }
    }

    #[test]
    fn a_request_whose_base64_ends_in_slashes_keeps_them() {
        for length in 9..12 {
            let der = sequence(&vec![0xff; length]);
            let text = STANDARD.encode(&der);
            for path in
                [format!("/{text}"), format!("/{}", text.trim_end_matches('=')), format!("/x/{text}/")]
            {
                assert_eq!(decoded(&path).as_ref(), Some(&der), "{path}");
            }
        }
    }

    #[test]
    fn trap_2_trap_8_g10_what_is_no_request_is_none() {
        let (der, text) = awkward();
        let trailing = STANDARD.encode([&der[..], &[0]].concat());
        let short = STANDARD.encode(&der[..der.len() - 1]);
        let indefinite = STANDARD.encode([0x30, 0x80, 0x00, 0x00]);
        let padded_length = STANDARD.encode([0x30, 0x81, 0x02, 0x05, 0x00]);
        let huge = STANDARD.encode([0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00]);
        let twice = escaped(&text, "/+=", false).replace('%', "%25");
        for text in [
            "",
            "%",
            "%Z",
            "%ZZ",
            "%4",
            "MFEw%",
            "M FEw",
            "é",
            "%00",
            "%FF",
            "====",
            "M",
            "MA",
            "favicon.ico",
            &trailing,
            &short,
            &indefinite,
            &padded_length,
            &huge,
            &twice,
            &format!("{text}="),
            &format!("{text}%ZZ"),
            &format!("{text}/x"),
            &format!("{text}/{text}x"),
        ] {
            assert_eq!(decoded(&format!("/{text}")), None, "{text}");
        }
    }

    #[test]
    fn trap_3_only_slashes_are_bare() {
        assert!(is_bare("/") && is_bare("//") && is_bare(""));
        assert!(!is_bare("/M") && !is_bare("/%2F"));
    }

    #[test]
    fn many_starting_points_cost_linear_time() {
        // Each of these starts fits up to its last character; judged one by one in full they would cost
        // the square of the path.
        let path = "/MIIA".repeat(1600) + "=/=";
        assert_eq!(decoded(&path), None);
        assert_eq!(decoded(&"/".repeat(8192)), None);
    }

    proptest! {
        #[test]
        fn every_request_comes_back_and_no_path_panics(content in prop::collection::vec(any::<u8>(), 0..400),
                                                       path in "\\PC{0,60}") {
            let der = sequence(&content);
            let text = STANDARD.encode(&der);
            for path in [format!("/{text}"), format!("/{}", escaped(&text, "/+=", true)),
                         format!("/{}", URL_SAFE_NO_PAD.encode(&der))] {
                prop_assert_eq!(decoded(&path), Some(der.clone()));
            }
            let _ = decoded(&path);
        }
    }
}
