//! DER as X.690 has it, and the `der` crate as a judge of what is written.

use super::*;
use ::der::asn1::AnyRef;
use ::der::{Decode, Encode, Tag};
use proptest::prelude::*;

/// Around every length where a header grows by an octet.
const BOUNDARIES: [usize; 11] = [0, 1, 126, 127, 128, 129, 255, 256, 65_535, 65_536, 70_000];

#[test]
fn x690_10_1_lengths_are_written_and_read_at_every_boundary() {
    for length in BOUNDARIES {
        let content = vec![0xa5; length];
        let mut written = Vec::new();
        write_tlv(&mut written, tag::OCTET_STRING, &content);
        assert_eq!(written.len(), len_of(length), "{length}");
        let judge = AnyRef::new(Tag::OctetString, &content).unwrap().to_der().unwrap();
        assert_eq!(written, judge, "{length}");
        assert_eq!(parse_header(&written), Ok((tag::OCTET_STRING, header_len(length), length)));
        let mut reader = Reader::new(&written);
        let element = reader.expect(tag::OCTET_STRING).unwrap();
        assert_eq!((element.content, element.raw), (&content[..], &written[..]));
        assert_eq!(reader.finish(), Ok(()));
    }
}

#[test]
fn x690_10_1_headers_up_to_four_length_octets_come_back() {
    for length in [0xff_ffff, 0x100_0000, MAX_LENGTH as usize] {
        let mut header = Vec::new();
        write_header(&mut header, tag::SEQUENCE, length);
        assert_eq!(header.len(), header_len(length));
        assert_eq!(parse_header(&header), Ok((tag::SEQUENCE, header.len(), length)));
        // What it announces is not there: an error, and no attempt to reserve it.
        assert_eq!(Reader::new(&header).element(), Err(DerError::Truncated));
    }
}

#[test]
fn t8_lengths_that_are_not_der_are_refused() {
    for (octets, why) in [
        (&[0x30, 0x80, 0, 0][..], DerError::Length), // indefinite
        (&[0x30, 0x81, 0x7f], DerError::Length),     // one octet would do
        (&[0x30, 0x81, 0x00], DerError::Length),
        (&[0x30, 0x82, 0x00, 0xff], DerError::Length), // two octets where one does
        (&[0x30, 0x83, 0x00, 0xff, 0xff], DerError::Length),
        (&[0x30, 0x84, 0x00, 0x01, 0x00, 0x00], DerError::Length),
        (&[0x30, 0x85, 1, 0, 0, 0, 0], DerError::Length), // over four
        (&[0x30, 0xff, 1, 0, 0, 0, 0], DerError::Length), // reserved (X.690 8.1.3.5)
        (&[0x1f, 0x1f, 0], DerError::Value),              // a high tag number
        (&[0xbf, 0x81, 0x01, 0], DerError::Value),
        (&[], DerError::Truncated),
        (&[0x30], DerError::Truncated),
        (&[0x30, 0x81], DerError::Truncated),
        (&[0x30, 0x82, 0x01], DerError::Truncated),
    ] {
        assert_eq!(parse_header(octets), Err(why), "{octets:02x?}");
        assert_eq!(Reader::new(octets).element(), Err(why), "{octets:02x?}");
    }
}

#[test]
fn every_beginning_of_an_element_is_truncated() {
    for length in [1, 127, 128, 256] {
        let mut written = Vec::new();
        write_tlv(&mut written, tag::SEQUENCE, &vec![0; length]);
        for end in 0..written.len() {
            assert_eq!(Reader::new(&written[..end]).element(), Err(DerError::Truncated), "{end} of {length}");
        }
    }
}

#[test]
fn a_reader_that_failed_stands_where_it_stood() {
    let octets = [0x02, 0x01, 0x05, 0x04];
    let mut reader = Reader::new(&octets);
    let wrong = DerError::Tag { expected: tag::SEQUENCE, found: tag::INTEGER };
    assert_eq!(reader.expect(tag::SEQUENCE), Err(wrong));
    assert_eq!(reader.optional(tag::OCTET_STRING), Ok(None));
    assert_eq!(reader.integer(), Ok(&[5][..]));
    assert_eq!(reader.finish(), Err(DerError::Trailing));
    assert_eq!(reader.element(), Err(DerError::Truncated));
    assert_eq!(reader.rest(), [0x04]);
}

#[test]
fn x690_8_3_2_integers_are_minimal() {
    let read = |content: &[u8]| {
        let mut octets = Vec::new();
        write_tlv(&mut octets, tag::INTEGER, content);
        Reader::new(&octets).integer().map(<[u8]>::to_vec)
    };
    for good in [&[0][..], &[0x7f], &[0x80], &[0xff], &[0x00, 0x80], &[0xff, 0x7f], &[0x01, 0x00]] {
        assert_eq!(read(good), Ok(good.to_vec()));
    }
    for bad in [&[][..], &[0, 0], &[0, 0x7f], &[0xff, 0x80], &[0xff, 0xff]] {
        assert_eq!(read(bad), Err(DerError::Value), "{bad:02x?}");
    }
}

#[test]
fn x690_8_19_2_object_identifiers_are_whole_and_not_padded() {
    let read = |content: &[u8]| {
        let mut octets = Vec::new();
        write_tlv(&mut octets, tag::OBJECT_IDENTIFIER, content);
        Reader::new(&octets).oid().map(<[u8]>::to_vec)
    };
    for good in [&[0x55][..], &[0x2a, 0x86, 0x48], &[0x55, 0x1d, 0x0f], &[0x2a, 0x81, 0x80, 0x01]] {
        assert_eq!(read(good), Ok(good.to_vec()));
    }
    for bad in
        [&[][..], &[0x86], &[0x2a, 0x86], &[0x80, 0x01], &[0x55, 0x80, 0x1d], &[0x55, 0x1d, 0x80, 0x0f]]
    {
        assert_eq!(read(bad), Err(DerError::Value), "{bad:02x?}");
    }
}

#[test]
fn x690_11_1_booleans_and_11_2_bit_strings() {
    let mut reader = Reader::new(&[1, 1, 0, 1, 1, 0xff, 1, 1, 1]);
    assert_eq!((reader.boolean(), reader.boolean()), (Ok(false), Ok(true)));
    assert_eq!(reader.boolean(), Err(DerError::Value));
    assert_eq!(Reader::new(&[1, 0]).boolean(), Err(DerError::Value));
    assert_eq!(Reader::new(&[1, 2, 0xff, 0xff]).boolean(), Err(DerError::Value));
    assert_eq!(Reader::new(&[3, 2, 0, 9]).bit_string(), Ok(&[9][..]));
    assert_eq!(Reader::new(&[3, 1, 0]).bit_string(), Ok(&[][..]));
    for bad in [&[3, 2, 1, 8][..], &[3, 0], &[3, 1, 8]] {
        assert_eq!(Reader::new(bad).bit_string(), Err(DerError::Value));
    }
}

/// Reads elements within elements as far as they go; `depth` keeps to the stack.
fn walk(mut reader: Reader<'_>, depth: usize) {
    while let Ok(element) = reader.element() {
        assert!(element.raw.ends_with(element.content));
        if depth < 32 {
            walk(Reader::new(element.content), depth + 1);
        }
    }
}

proptest! {
    #[test]
    fn no_octets_make_the_reader_panic(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        walk(Reader::new(&octets), 0);
        let mut reader = Reader::new(&octets);
        let _ = (reader.integer(), reader.oid(), reader.boolean(), reader.bit_string(), reader.sequence());
    }

    #[test]
    fn what_is_read_is_written_again_octet_by_octet(octets in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(element) = Reader::new(&octets).element() {
            let mut written = Vec::new();
            write_tlv(&mut written, element.tag, element.content);
            prop_assert_eq!(&written[..], element.raw);
        }
    }

    /// Of tags that both know: one reader accepts exactly what the other does.
    #[test]
    fn der_reads_the_same_element(
        known in prop::sample::select(vec![0x02u8, 0x04, 0x05, 0x30, 0x31, 0x80, 0xa0, 0xa3]),
        rest in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..8, Just(0x81u8), Just(0x82)], 0..300),
    ) {
        let octets = [vec![known], rest].concat();
        let mut reader = Reader::new(&octets);
        let ours = reader.element().ok().filter(|_| reader.is_empty()).map(|element| element.content);
        let judge = AnyRef::from_der(&octets).ok();
        prop_assert_eq!(ours, judge.map(AnyRef::value));
    }

    #[test]
    fn der_reads_what_is_written(content in prop::collection::vec(any::<u8>(), 0..70_000)) {
        let mut written = Vec::new();
        write_tlv(&mut written, tag::OCTET_STRING, &content);
        prop_assert_eq!(AnyRef::from_der(&written).unwrap().value(), &content[..]);
    }
}
