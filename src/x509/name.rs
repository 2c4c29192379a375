//! Names: the comparison of RFC 5280 7.1, and a form for people (RFC 4514).
//!
//! A name is kept as its DER stands, because OCSP hashes those very octets (RFC 6960 4.1.1). Two
//! names are the same when their canonical forms are equal octet by octet.

use crate::asn1::{DerError, Element, Reader, tag, write_tlv};
use const_oid::ObjectIdentifier;

/// `directoryName` in a `GeneralName` (RFC 5280 4.2.1.6): `[4]`, explicit because a Name is a CHOICE.
pub const DIRECTORY_NAME: u8 = tag::context_constructed(4);

/// The canonical form of a DER Name: string values in UTF-8 without regard to their string type,
/// folded to lower case, outer blanks gone and inner ones single (RFC 5280 7.1); the attributes of a
/// relative name in order of their octets. Only for comparison; not a Name.
///
/// # Errors
/// When `der` is not one Name.
pub fn canonical_name(der: &[u8]) -> Result<Vec<u8>, DerError> {
    let mut outer = Reader::new(der);
    let relative_names = outer.sequence()?;
    outer.finish()?;
    canonical_relative_names(relative_names, Vec::with_capacity(der.len()))
}

fn canonical_relative_names(mut names: Reader<'_>, mut out: Vec<u8>) -> Result<Vec<u8>, DerError> {
    while !names.is_empty() {
        let set = names.expect(tag::SET)?;
        write_tlv(&mut out, tag::SET, &canonical_relative_name(set.content)?);
    }
    Ok(out)
}

fn canonical_relative_name(content: &[u8]) -> Result<Vec<u8>, DerError> {
    let mut attributes = Vec::new();
    let mut set = Reader::new(content);
    while !set.is_empty() {
        let mut attribute = set.sequence()?;
        let oid = attribute.oid()?;
        let value = attribute.element()?;
        attribute.finish()?;
        let mut bytes = Vec::new();
        write_tlv(&mut bytes, tag::OBJECT_IDENTIFIER, oid);
        match text_of(&value) {
            Some(text) => write_tlv(&mut bytes, tag::UTF8_STRING, folded(&text).as_bytes()),
            None => bytes.extend_from_slice(value.raw),
        }
        attributes.push(bytes);
    }
    attributes.sort();
    Ok(attributes.concat())
}

/// The canonical form of the content of GeneralNames, for telling one distribution point from
/// another: directory names as in [`canonical_name`], all others as they stand, in order of octets.
///
/// # Errors
/// When a directoryName in it is not a Name, or an element is not DER.
pub fn canonical_general_names(content: &[u8]) -> Result<Vec<u8>, DerError> {
    let mut names = Vec::new();
    let mut reader = Reader::new(content);
    while !reader.is_empty() {
        let name = reader.element()?;
        if name.tag == DIRECTORY_NAME {
            let mut bytes = Vec::new();
            write_tlv(&mut bytes, DIRECTORY_NAME, &canonical_name(name.content)?);
            names.push(bytes);
        } else {
            names.push(name.raw.to_vec());
        }
    }
    names.sort();
    names.dedup();
    Ok(names.concat())
}

/// The single names of a distribution point in the form of [`canonical_general_names`]. Octets that are no
/// names at all are one.
pub fn each_general_name(canonical: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = canonical;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut reader = Reader::new(rest);
        let (name, behind) = match reader.element() {
            Ok(element) => (element.raw, reader.rest()),
            Err(_) => (rest, &[][..]),
        };
        rest = behind;
        Some(name)
    })
}

/// The canonical form of the full name that `nameRelativeToCRLIssuer` stands for: the CRL issuer's
/// name and one relative name more (RFC 5280 4.2.1.13).
///
/// # Errors
/// When either is not DER.
pub fn canonical_relative_to_issuer(issuer: &[u8], relative: &[u8]) -> Result<Vec<u8>, DerError> {
    let mut full = canonical_name(issuer)?;
    write_tlv(&mut full, tag::SET, &canonical_relative_name(relative)?);
    let mut out = Vec::new();
    write_tlv(&mut out, DIRECTORY_NAME, &full);
    Ok(out)
}

/// A Name for people: RFC 4514, most significant last; `?` and the octets' count for what is no text.
#[must_use]
pub fn name_text(der: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut outer = Reader::new(der);
    let Ok(mut names) = outer.sequence() else { return "(not a name)".to_owned() };
    while let Ok(mut set) = names.nested(tag::SET) {
        let mut values = Vec::new();
        while let Ok(mut attribute) = set.sequence() {
            let (Ok(oid), Ok(value)) = (attribute.oid(), attribute.element()) else { break };
            let text = text_of(&value).unwrap_or_else(|| format!("({} octets)", value.content.len()));
            values.push(format!("{}={}", attribute_label(oid), escaped(&text)));
        }
        parts.push(values.join("+"));
    }
    parts.reverse();
    parts.join(",")
}

/// The content of GeneralNames for people: directory names as [`name_text`], URIs as they are.
#[must_use]
pub fn general_names_text(content: &[u8]) -> String {
    const URI: u8 = tag::context(6);
    let mut parts = Vec::new();
    let mut reader = Reader::new(content);
    while let Ok(name) = reader.element() {
        parts.push(match name.tag {
            DIRECTORY_NAME => name_text(name.content),
            URI => String::from_utf8_lossy(name.content).chars().map(shown).collect(),
            other => format!("(name with tag {other:#04x})"),
        });
    }
    parts.join(" | ")
}

fn attribute_label(oid: &[u8]) -> String {
    // The keywords of RFC 4514 section 3, and the others that names on identity cards use.
    let keyword = match oid {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        _ => return ObjectIdentifier::from_bytes(oid).map_or("?".to_owned(), |oid| oid.to_string()),
    };
    keyword.to_owned()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        let special = matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (index == 0 && matches!(character, '#' | ' '))
            || (character == ' ' && index + 1 == text.len());
        if special {
            out.push('\\');
        }
        out.push(shown(character));
    }
    out
}

/// A control character would let a name write over the terminal it is shown on.
fn shown(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}

fn text_of(value: &Element<'_>) -> Option<String> {
    match value.tag {
        tag::UTF8_STRING | tag::PRINTABLE_STRING | tag::IA5_STRING => {
            std::str::from_utf8(value.content).ok().map(str::to_owned)
        }
        // T.61 in its letter, Latin-1 in everybody's practice.
        tag::TELETEX_STRING => Some(value.content.iter().map(|&octet| char::from(octet)).collect()),
        tag::BMP_STRING => {
            let units = value.content.chunks_exact(2);
            if !units.remainder().is_empty() {
                return None;
            }
            char::decode_utf16(units.map(|unit| u16::from_be_bytes([unit[0], unit[1]])))
                .collect::<Result<_, _>>()
                .ok()
        }
        tag::UNIVERSAL_STRING => {
            let units = value.content.chunks_exact(4);
            if !units.remainder().is_empty() {
                return None;
            }
            units
                .map(|unit| char::from_u32(u32::from_be_bytes([unit[0], unit[1], unit[2], unit[3]])))
                .collect()
        }
        _ => None,
    }
}

/// Lower case, outer blanks gone, inner runs of blanks single: what RFC 5280 7.1 keeps of `LDAPprep`.
fn folded(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(parts: &[(&[u8], u8, &str)]) -> Vec<u8> {
        let mut content = Vec::new();
        for (oid, string_tag, text) in parts {
            let mut attribute = Vec::new();
            write_tlv(&mut attribute, tag::OBJECT_IDENTIFIER, oid);
            write_tlv(&mut attribute, *string_tag, text.as_bytes());
            let mut sequence = Vec::new();
            write_tlv(&mut sequence, tag::SEQUENCE, &attribute);
            write_tlv(&mut content, tag::SET, &sequence);
        }
        let mut out = Vec::new();
        write_tlv(&mut out, tag::SEQUENCE, &content);
        out
    }

    const C: &[u8] = &[0x55, 4, 6];
    const O: &[u8] = &[0x55, 4, 10];
    const CN: &[u8] = &[0x55, 4, 3];

    #[test]
    fn f5_case_blanks_and_string_types_do_not_make_another_name() {
        let one = name(&[(C, tag::PRINTABLE_STRING, "JP"), (O, tag::UTF8_STRING, "Demo  JPKI ")]);
        let other = name(&[(C, tag::UTF8_STRING, "jp"), (O, tag::PRINTABLE_STRING, "demo jpki")]);
        assert_ne!(one, other);
        assert_eq!(canonical_name(&one), canonical_name(&other));
    }

    #[test]
    fn f5_another_word_order_or_level_makes_another_name() {
        let base = name(&[(C, tag::PRINTABLE_STRING, "JP"), (O, tag::PRINTABLE_STRING, "a b")]);
        for other in [
            name(&[(O, tag::PRINTABLE_STRING, "a b"), (C, tag::PRINTABLE_STRING, "JP")]),
            name(&[(C, tag::PRINTABLE_STRING, "JP"), (O, tag::PRINTABLE_STRING, "ab")]),
            name(&[(C, tag::PRINTABLE_STRING, "JP")]),
        ] {
            assert_ne!(canonical_name(&base), canonical_name(&other));
        }
    }

    #[test]
    fn a_relative_distribution_point_is_the_full_name_it_stands_for() {
        let issuer = name(&[(C, tag::PRINTABLE_STRING, "JP")]);
        let full = name(&[(C, tag::PRINTABLE_STRING, "JP"), (CN, tag::PRINTABLE_STRING, "One")]);
        let mut relative = Reader::new(&full);
        let mut relative = relative.sequence().unwrap();
        relative.element().unwrap();
        let mut general = Vec::new();
        write_tlv(&mut general, DIRECTORY_NAME, &full);
        assert_eq!(
            canonical_relative_to_issuer(&issuer, relative.nested(tag::SET).unwrap().rest()),
            canonical_general_names(&general)
        );
    }

    #[test]
    fn a_name_reads_like_rfc_4514_and_cannot_write_to_the_terminal() {
        let one = name(&[(C, tag::PRINTABLE_STRING, "JP"), (CN, tag::UTF8_STRING, "a,b\u{1b}[2J")]);
        assert_eq!(name_text(&one), "CN=a\\,b\u{fffd}[2J,C=JP");
        assert_eq!(name_text(b"\x02\x01\x00"), "(not a name)");
        // A URI comes out of a CRL that nobody has verified yet, too.
        let mut uri = Vec::new();
        write_tlv(&mut uri, tag::context(6), b"http://a\x1b[2J\r\n");
        assert_eq!(general_names_text(&uri), "http://a\u{fffd}[2J\u{fffd}\u{fffd}");
    }

    #[test]
    fn f5_every_string_type_of_one_text_is_one_name() {
        let utf16: Vec<u8> = "Zo\u{eb}".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let utf32: Vec<u8> = "Zo\u{eb}".chars().flat_map(|one| u32::from(one).to_be_bytes()).collect();
        let of = |string_tag: u8, content: &[u8]| {
            let mut attribute = Vec::new();
            write_tlv(&mut attribute, tag::OBJECT_IDENTIFIER, CN);
            write_tlv(&mut attribute, string_tag, content);
            let wrap = |outer: u8, inner: &[u8]| {
                let mut out = Vec::new();
                write_tlv(&mut out, outer, inner);
                out
            };
            wrap(tag::SEQUENCE, &wrap(tag::SET, &wrap(tag::SEQUENCE, &attribute)))
        };
        let one = canonical_name(&of(tag::UTF8_STRING, "ZO\u{cb}".as_bytes())).unwrap();
        for (string_tag, content) in
            [(tag::BMP_STRING, &utf16[..]), (tag::UNIVERSAL_STRING, &utf32), (tag::TELETEX_STRING, b"Zo\xeb")]
        {
            assert_eq!(canonical_name(&of(string_tag, content)).unwrap(), one, "tag {string_tag:#04x}");
        }
        // What is no text is compared as it stands, and is never the same as a text.
        for (string_tag, content) in [
            (tag::BMP_STRING, &utf16[1..]),
            (tag::BMP_STRING, &[0xd8, 0][..]),
            (tag::UNIVERSAL_STRING, &[0, 0x11, 0, 0]),
            (tag::UTF8_STRING, b"Zo\xeb"),
            (tag::INTEGER, b"a"),
        ] {
            let canonical = canonical_name(&of(string_tag, content)).unwrap();
            assert!(canonical.ends_with(content), "tag {string_tag:#04x}");
            assert_ne!(canonical, one);
        }
    }

    #[test]
    fn f5_a_relative_name_of_two_attributes_has_no_order_and_what_is_no_name_is_an_error() {
        let part = |oid: &[u8], text: &str| {
            let mut attribute = Vec::new();
            write_tlv(&mut attribute, tag::OBJECT_IDENTIFIER, oid);
            write_tlv(&mut attribute, tag::UTF8_STRING, text.as_bytes());
            let mut out = Vec::new();
            write_tlv(&mut out, tag::SEQUENCE, &attribute);
            out
        };
        let of = |parts: [Vec<u8>; 2]| {
            let (mut set, mut out) = (Vec::new(), Vec::new());
            write_tlv(&mut set, tag::SET, &parts.concat());
            write_tlv(&mut out, tag::SEQUENCE, &set);
            out
        };
        let (one, other) = (part(CN, "a"), part(O, "b"));
        let forward = of([one.clone(), other.clone()]);
        let back = of([other, one]);
        assert_ne!(forward, back);
        assert_eq!(canonical_name(&forward), canonical_name(&back));
        for cut in 0..forward.len() {
            assert!(canonical_name(&forward[..cut]).is_err(), "{cut} octets");
        }
        assert_eq!(canonical_name(&[forward, vec![0]].concat()), Err(DerError::Trailing));
    }
}
