//! Golden octets: what one version wrote, every later one of the same format must read.

use super::super::block::{self, Row};
use super::super::format::scope_key as row_key_of_scope;
use super::super::format::*;
use super::*;

fn golden_record() -> ScopeRecord {
    let key = ScopeKey {
        issuer: IssuerNumber(2),
        signing_key: [0xaa; 32],
        distribution_point: b"DP".to_vec(),
        contains: CertificateKinds::User,
        reasons: Some(0x0102),
        layer: Layer::Complete,
    };
    ScopeRecord {
        number: ScopeNumber(3),
        distribution_point_number: Some(DistributionPointNumber(9)),
        crl: ScopeRecordDraft {
            key,
            idp: vec![0x30, 0x00],
            crl_number: vec![0x01, 0x00],
            this_update: UnixTime::EPOCH,
            next_update: UnixTime::MAX,
            crl_sha256: [0xcc; 32],
            ingested_at: UnixTime::MIN,
        },
        entries: 5,
        retained: 1,
    }
}

#[test]
fn keys_are_a_number_and_the_serial_octets() {
    let key = RowKey::new(0x0102_0304, &serial("80"));
    assert_eq!(key.as_ref(), [1, 2, 3, 4, 0x00, 0x80]);
    assert_eq!(serial_of(key.as_ref()), Ok(serial("80")));
    let longest = RowKey::new(1, &serial(&"ff".repeat(20)));
    assert_eq!(longest.as_ref().len(), 25);
    assert_eq!(serial_of(longest.as_ref()), Ok(serial(&"ff".repeat(20))));
}

fn row_of(hex: &str, body: Body) -> Row {
    (serial(hex), body)
}

/// The only row of a block, and back.
fn in_a_block(body: Body) -> (Vec<u8>, Body) {
    let (mut octets, mut back) = (Vec::new(), Vec::new());
    block::encode(&[row_of("01", body)], &mut octets);
    block::decode(&[0, 0, 0, 1, 1], &octets, &mut back).unwrap();
    assert_eq!(back.len(), 1);
    (octets, back[0].1)
}

#[test]
fn golden_body() {
    let hold = Body::new(&revoked(0, CrlReason::CertificateHold));
    assert_eq!(in_a_block(hold), (vec![0x01, 0x06, 0x0e, 0x79, 0x74, 0x7c, 0x00], hold));

    let revocation = Revocation {
        time: UnixTime::MAX,
        reason: Some(CrlReason::KeyCompromise),
        invalidity: Some(UnixTime::MIN),
    };
    let both = Body::new(&revocation).retained(UnixTime::EPOCH);
    let octets = vec![0x01, 0x31, 0x49, 0x79, 0x68, 0xbd, 0x7f, 0, 0, 0, 0, 0, 0x0e, 0x79, 0x74, 0x7c, 0x00];
    assert_eq!(in_a_block(both), (octets, both));
    assert_eq!((both.revocation(), both.retained_since()), (revocation, Some(UnixTime::EPOCH)));
}

#[test]
fn golden_block() {
    let now = Body::new(&revoked(0, CrlReason::Superseded));
    let late = Body::new(&Revocation { time: UnixTime::MAX, reason: None, invalidity: None });
    // Sharing two octets; longer; shorter and of another time; a prefix of the next one.
    let rows = [("010203", now), ("010204", now), ("01020405", late), ("02", now), ("0201", now)]
        .map(|(hex, body)| row_of(hex, body));
    let (mut octets, mut back) = (Vec::new(), Vec::new());
    block::encode(&rows, &mut octets);
    let expected = [
        &[1, 4, 0x0e, 0x79, 0x74, 0x7c, 0x00][..],
        &[0x62, 4, 4, 0x79, 0x74, 0x7c, 0x00],
        &[0x03, 4, 5, 0, 0x49, 0x79, 0x68, 0xbd, 0x7f],
        &[0x00, 1, 2, 4, 0x0e, 0x79, 0x74, 0x7c, 0x00],
        &[0x41, 2, 1, 4, 0x79, 0x74, 0x7c, 0x00],
    ]
    .concat();
    assert_eq!(octets, expected);
    let key = RowKey::new(7, &serial("010203"));
    block::decode(key.as_ref(), &octets, &mut back).unwrap();
    assert_eq!(back, rows);
    // Cut anywhere but between rows it is refused.
    for end in (0..octets.len()).filter(|end| ![7, 14, 23, 32].contains(end)) {
        assert!(block::decode(key.as_ref(), &octets[..end], &mut back).is_err(), "{end}");
    }
}

#[test]
fn unspecified_and_no_reason_are_one_row() {
    let time = UnixTime::EPOCH;
    let spelled = Revocation { time, reason: Some(CrlReason::Unspecified), invalidity: None };
    let absent = Revocation { time, reason: None, invalidity: None };
    assert_eq!(Body::new(&spelled), Body::new(&absent));
    assert_eq!(Body::new(&spelled).revocation(), absent);
}

#[test]
fn every_reason_and_time_comes_back() {
    for reason in CrlReason::ALL {
        for seconds in [UnixTime::MIN.seconds(), -1, 0, 1_774_000_000, UnixTime::MAX.seconds()] {
            let body = Body::new(&revoked(seconds, reason));
            assert_eq!(in_a_block(body).1.revocation(), revoked(seconds, reason));
            let retained = body.retained(UnixTime::from_seconds(seconds));
            assert_eq!(in_a_block(retained).1, retained);
            assert!(retained.is_retained() && !body.is_retained());
        }
    }
}

#[test]
fn golden_marks_and_rows_laid_over_others() {
    assert_eq!(in_a_block(Body::GONE), (vec![1, 0x40, 0, 0, 0, 0, 0], Body::GONE));
    assert_eq!(Body::GONE.over(), None);
    let (issuer, base) = (IssuerNumber(2), ScopeNumber(0x0102));
    for (base, expected) in [(None, &[0, 0, 0, 2][..]), (Some(base), &[0, 0, 0, 2, 0, 0, 1, 2])] {
        assert_eq!(encode_unrecorded(issuer, base), expected);
        assert_eq!(decode_unrecorded(expected), Ok((issuer, base)));
    }
    assert!(decode_unrecorded(&[0, 0, 0, 2, 0]).is_err());
}

#[test]
fn golden_status_row() {
    let body = Body::new(&revoked(0, CrlReason::CertificateHold));
    let (mut one, mut two, mut back) = (Vec::new(), Vec::new(), Vec::new());
    with_status(None, ScopeNumber(0x0a), Some(body), &mut one).unwrap();
    assert_eq!(one, [1, 0, 0, 0, 0x0a, 0x06, 0x0e, 0x79, 0x74, 0x7c, 0x00]);
    with_status(Some(&one), ScopeNumber(2), Some(body.retained(UnixTime::MIN)), &mut two).unwrap();
    assert_eq!(
        two,
        [
            1, 0, 0, 0, 2, 0x16, 0x0e, 0x79, 0x74, 0x7c, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0x06, 0x0e,
            0x79, 0x74, 0x7c, 0x00
        ]
    );
    // Taken out again, whichever it is; the last one leaves nothing.
    with_status(Some(&two), ScopeNumber(2), None, &mut back).unwrap();
    assert_eq!(back, one);
    with_status(Some(&one), ScopeNumber(7), None, &mut back).unwrap();
    assert_eq!(back, one);
    with_status(Some(&one), ScopeNumber(0x0a), None, &mut back).unwrap();
    assert!(back.is_empty());
}

#[test]
fn golden_numbers_and_inventory_rows() {
    assert_eq!(encode_inventory(None).1, 0);
    assert_eq!(encode_inventory(Some(DistributionPointNumber(0x0102))), ([0, 0, 1, 2], 4));
    assert_eq!(decode_inventory(&[]), Ok(None));
    assert_eq!(decode_inventory(&[0, 0, 1, 2]), Ok(Some(DistributionPointNumber(0x0102))));
    assert_eq!(encode_inventory_state(true, 258), [1, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(decode_inventory_state(&[1, 0, 0, 0, 0, 0, 0, 0, 1, 2]), Ok((false, 258)));
    assert_eq!(last_number_key(NumberKind::Scope), *b"NS");
    assert_eq!(number_key(b'P', 258), [b'P', 0, 0, 1, 2]);
    assert_eq!(name_key(NumberKind::Issuer, b"name"), b"Iname");
    assert_eq!(FORMAT_KEY, b"format");
}

#[test]
fn golden_scope_record() {
    let record = golden_record();
    let mut expected = vec![1, 0, 0, 0, 2];
    expected.extend([0xaa; 32]);
    expected.extend([1, 1, 0, 0, 1, 2]);
    expected.extend([0, 0, 0, 9]);
    expected.extend([0x0e, 0x79, 0x74, 0x7c, 0x00, 0x49, 0x79, 0x68, 0xbd, 0x7f, 0, 0, 0, 0, 0]);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1]);
    expected.extend([0xcc; 32]);
    expected.extend([0, 0, 0, 2, 1, 0, 0, 0, 0, 2, b'D', b'P', 0, 0, 0, 2, 0x30, 0]);
    assert_eq!(encode_record(&record), expected);
    assert_eq!(decode_record(ScopeNumber(3), &expected), Ok(record.clone()));

    let mut key = vec![b'K', 0, 0, 0, 2];
    key.extend([0xaa; 32]);
    key.extend([1, 1, 0, 0, 1, 2, b'D', b'P']);
    assert_eq!(row_key_of_scope(&record.crl.key), key);
}

#[test]
fn octets_never_written_are_refused() {
    for value in [
        &[][..],
        &[2, 0, 0x0e, 0x79, 0x74, 0x7c, 0x00],
        &[1, 0x07, 0x0e, 0x79, 0x74, 0x7c, 0x00],
        &[1, 0x40, 0x0e, 0x79, 0x74, 0x7c, 0x00],
        &[1, 0x20, 0x0e, 0x79, 0x74, 0x7c, 0x00],
        &[1, 0, 0xff, 0xff, 0xff, 0xff, 0xff],
        // A further row: its time cut short, not ascending, sharing more than it says, of the same length
        // said the long way, an unknown bit, longer than any serial.
        &[1, 0, 0x0e, 0x79, 0x74, 0x7c, 0x00, 0x60, 2, 0, 0x79, 0x74, 0x7c],
        &[1, 0, 0x0e, 0x79, 0x74, 0x7c, 0x00, 0x60, 0, 0, 0x79, 0x74, 0x7c, 0],
        &[1, 0, 0x0e, 0x79, 0x74, 0x7c, 0x00, 0x60, 1, 0, 0x79, 0x74, 0x7c, 0],
        &[1, 0, 0x0e, 0x79, 0x74, 0x7c, 0x00, 0x61, 0, 0x79, 0x74, 0x7c, 0],
        &[1, 0, 0x0e, 0x79, 0x74, 0x7c, 0x00, 0x40, 1, 2, 0, 0x79, 0x74, 0x7c, 0],
        &[1, 0, 0x0e, 0x79, 0x74, 0x7c, 0x00, 0xe0, 2, 0, 0x79, 0x74, 0x7c, 0],
        &[1, 0, 0x0e, 0x79, 0x74, 0x7c, 0x00, 0x41, 23, 2, 0, 0x79, 0x74, 0x7c, 0],
    ] {
        assert!(block::decode(&[0, 0, 0, 1, 1], value, &mut Vec::new()).is_err(), "{value:02x?}");
    }
    let row = [0, 0, 0, 5, 0, 0, 0, 0, 0, 0];
    let twice = [&[1][..], &row, &row].concat();
    for value in [&[][..], &[1], &[2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0], &[1, 0, 0, 0], &twice] {
        assert!(for_each_status(value, |_, _| {}).is_err(), "{value:02x?}");
    }
    assert!(decode_inventory(&[1]).is_err());
    assert!(decode_inventory_state(&[1, 2, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    assert!(serial_of(&[0, 0, 0]).is_err());
    assert!(serial_of(&[0, 0, 0, 1, 0, 1]).is_err());
}

proptest::proptest! {
    #[test]
    fn any_octets_are_read_or_refused_but_never_panic(value: Vec<u8>) {
        let _ = block::decode(&[0, 0, 0, 1, 1], &value, &mut Vec::new());
        let _ = for_each_status(&value, |_, _| {});
        let _ = decode_record(ScopeNumber(1), &value);
        let _ = decode_inventory_state(&value);
        let _ = serial_of(&value);
    }

    #[test]
    fn a_record_cut_short_or_changed_is_refused_or_another_record(cut in 0..200usize, flip in 0..200usize) {
        let record = golden_record();
        let mut octets = encode_record(&record);
        if cut < octets.len() {
            proptest::prop_assert!(decode_record(record.number, &octets[..cut]).is_err());
        }
        if let Some(octet) = octets.get_mut(flip) {
            *octet ^= 0x80;
            proptest::prop_assert_ne!(decode_record(record.number, &octets), Ok(record));
        }
    }
}
