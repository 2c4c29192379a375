//! Rows of pre-signed answers: octets, segments, what a crash leaves, and stores without them.

use super::super::db::Family;
use super::super::format::answers::{segment_key, segment_start};
use super::*;
use crate::ocsp::CertStatus;

pub(super) fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(1_800_000_000 + seconds)
}

pub(super) fn good(signature: &[u8], grounds: Grounds) -> AnswerRow<'_> {
    AnswerRow {
        produced_at: at(60),
        this_update: at(0),
        next_update: at(86_400),
        status: CertStatus::Good,
        grounds,
        signature,
    }
}

fn held(view: &ReadView, series: SeriesNumber, serial: &SerialNumber) -> Option<Vec<u8>> {
    view.answer(series, serial, Reach::Disk, |row| row.signature.to_vec()).unwrap()
}

#[test]
fn answers_are_read_back_as_they_were_written() {
    let listed = |listed| Grounds::Inventory { edition: 9, listed };
    let rows = [
        good(b"signature", Grounds::Unsaid),
        good(b"s", listed(Inventoried::Listed)),
        good(b"s", listed(Inventoried::InScope(DistributionPointNumber(77)))),
        AnswerRow {
            status: CertStatus::Revoked(Revocation {
                time: at(-9),
                reason: Some(CrlReason::Superseded),
                invalidity: Some(at(-10)),
            }),
            ..good(b"s", Grounds::Unsaid)
        },
    ];
    let mut octets = Vec::new();
    for row in rows {
        assert!(row.encode(&mut octets));
        assert_eq!(AnswerRow::decode(&octets), Ok(row));
        for len in 0..octets.len() {
            // A signature may have any length but none.
            let shorter = AnswerRow::decode(&octets[..len]);
            assert!(shorter.is_err() || octets.len() - len < row.signature.len());
        }
        for strange in [0, 2, 0xff] {
            octets[0] = strange;
            assert!(AnswerRow::decode(&octets).is_err());
        }
    }
    let unknown = AnswerRow { status: CertStatus::Unknown, ..rows[0] };
    assert!(!unknown.encode(&mut octets) && octets.is_empty());
    assert!(!good(b"s", listed(Inventoried::Unlisted)).encode(&mut octets));
}

#[test]
fn an_answer_of_p256_takes_about_100_octets() {
    let mut octets = Vec::new();
    let listed = Inventoried::InScope(DistributionPointNumber(1));
    good(&[7; 72], Grounds::Inventory { edition: 0, listed }).encode(&mut octets);
    assert_eq!(octets.len(), 97);
}

#[test]
fn golden_octets_of_an_answer_and_a_segment() {
    let mut octets = Vec::new();
    let listed = Inventoried::InScope(DistributionPointNumber(0x0102_0304));
    good(b"\xaa\xbb", Grounds::Inventory { edition: 5, listed }).encode(&mut octets);
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(hex, "01020ee4be4e3c0ee4be4e000ee4bf9f800000000501020304aabb");
    let row = SegmentRow { end: SerialBound::after(&serial("0102")), due: at(1), expires: at(2), answers: 3 };
    let octets = row.encode();
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(hex, "010ee4be4e010ee4be4e0200000003010200");
    assert_eq!(SegmentRow::decode(&octets), Ok(row));
    let key = segment_key(SeriesNumber(1), &row.end);
    assert_eq!(key, [b'A', 0, 0, 0, 1, 1, 2, 0]);
    assert_eq!(segment_start(&key), Ok(row.end));
}

#[test]
fn a_bound_stands_between_a_serial_number_and_all_after_it() {
    let long = SerialNumber::from_der_content(&[&[0][..], &[0xff; 20]].concat()).unwrap();
    for one in [serial("00"), serial("01"), serial("0100"), serial("ff"), long] {
        let (before, after) = (SerialBound::before(&one), SerialBound::after(&one));
        assert!(SerialBound::FIRST < before && before < after);
        for other in [serial("00"), serial("01"), serial("0100"), serial("7f"), serial("ff"), long] {
            assert_eq!(other < one, SerialBound::before(&other) < before);
            assert_eq!(other > one, SerialBound::before(&other) >= after);
        }
    }
}

#[test]
fn few_and_many_answers_are_written_as_segments_and_replaced() {
    let (folder, store) = new_store();
    let series = store.series(&[1; 32]).unwrap();
    assert_eq!(store.series(&[1; 32]).unwrap(), series);
    let other = store.series(&[2; 32]).unwrap();
    assert_ne!(series, other);
    let view = store.view().unwrap();
    let mut serials: Vec<_> = (0..5000u64).map(SerialNumber::from).collect();
    serials.sort_unstable();
    let write = |range: &[SerialNumber], start: SerialBound, signature: &[u8]| {
        let mut writer = store.write_segment(series, start, at(9_999)).unwrap();
        for (index, serial) in range.iter().enumerate() {
            writer.add(serial, &good(signature, Grounds::Unsaid), at(1000 + index as i64)).unwrap();
        }
        writer.commit(SerialBound::after(range.last().unwrap())).unwrap();
    };
    write(&serials[..10], SerialBound::FIRST, b"few");
    write(&serials[10..], SerialBound::after(&serials[9]), b"many");
    // Written after the view was taken: answers are those of now.
    assert_eq!(held(&view, series, &serials[3]).unwrap(), b"few");
    assert_eq!(held(&view, series, &serials[4999]).unwrap(), b"many");
    assert_eq!(held(&view, other, &serials[3]), None);
    let segments = store.segments(series).unwrap();
    let rows: Vec<_> = segments.iter().map(|one| (one.row.answers, one.row.due, one.row.expires)).collect();
    assert_eq!(rows, [(10, at(1000), at(86_400)), (4990, at(1000), at(86_400))]);
    assert_eq!(segments[0].row.end, segments[1].start);

    write(&serials, SerialBound::FIRST, b"again");
    let segments = store.segments(series).unwrap();
    assert_eq!(segments.len(), 1, "it takes the place of both");
    assert!(serials.iter().all(|serial| held(&view, series, serial).unwrap() == b"again"));
    drop((view, store));
    let store = Store::open(folder.path(), &options()).unwrap();
    assert_eq!(held(&store.view().unwrap(), series, &serials[4000]).unwrap(), b"again");
    assert_eq!(store.segments(series).unwrap(), segments);
}

#[test]
fn a_segment_that_is_dropped_or_fails_leaves_nothing() {
    let (folder, store) = new_store();
    let series = store.series(&[1; 32]).unwrap();
    let mut writer = store.write_segment(series, SerialBound::FIRST, at(0)).unwrap();
    let mut serials: Vec<_> = (0..3000u64).map(SerialNumber::from).collect();
    serials.sort_unstable();
    for serial in &serials {
        writer.add(serial, &good(b"s", Grounds::Unsaid), at(1)).unwrap();
    }
    let staged = || std::fs::read_dir(folder.path().join("staged")).unwrap().count();
    assert_eq!(staged(), 1);
    drop(writer);
    assert_eq!(staged(), 0);
    assert!(store.segments(series).unwrap().is_empty());
    assert_eq!(held(&store.view().unwrap(), series, &serials[0]), None);
}

#[test]
fn series_that_nobody_signs_any_more_are_forgotten() {
    let (_folder, store) = new_store();
    let (old, new) = (store.series(&[1; 32]).unwrap(), store.series(&[2; 32]).unwrap());
    for series in [old, new] {
        let mut writer = store.write_segment(series, SerialBound::FIRST, at(9)).unwrap();
        writer.add(&serial("05"), &good(b"s", Grounds::Unsaid), at(1)).unwrap();
        writer.commit(SerialBound::after(&serial("05"))).unwrap();
    }
    assert_eq!(store.forget_series_but(&[new], at(86_399)).unwrap(), 0, "there may be a way back");
    assert_eq!(store.forget_series_but(&[new], at(86_400)).unwrap(), 1);
    let view = store.view().unwrap();
    assert_eq!(
        (held(&view, old, &serial("05")), held(&view, new, &serial("05"))),
        (None, Some(b"s".to_vec()))
    );
    assert!(store.segments(old).unwrap().is_empty());
    assert_eq!(store.segments(new).unwrap().len(), 1);
    assert_ne!(store.series(&[1; 32]).unwrap(), old, "a number is never given out twice");
    assert_eq!(store.forget_series_but(&[new], at(86_400)).unwrap(), 0, "it may be about to begin");
}

#[test]
fn candidates_are_the_inventory_and_all_revoked_in_order() {
    let (_folder, store) = new_store();
    let (issuer, other) = (store.issuer_number(b"ca").unwrap(), store.issuer_number(b"other").unwrap());
    let point = store.distribution_point_number(b"a").unwrap();
    let load = |issuer, rows: &[(SerialNumber, Option<DistributionPointNumber>)]| {
        store.load_inventory(issuer, rows.iter().copied().map(Ok::<_, Infallible>)).unwrap()
    };
    load(issuer, &[(serial("01"), None), (serial("0100"), Some(point)), (serial("03"), None)]);
    load(other, &[(serial("02"), None)]);
    let list = [
        (serial("02"), revoked(5, CrlReason::Superseded)),
        (serial("03"), revoked(5, CrlReason::Superseded)),
    ];
    store.replace_scope(crl(&scope_key(issuer, "a"), 1), entries(&list)).unwrap();
    let view = store.view().unwrap();
    let shown = |start, end, most| {
        let found = view.candidates(issuer, start, end, most).unwrap();
        found
            .into_iter()
            .map(|one| (one.serial_number.to_hex(), one.listed, one.has_status))
            .collect::<Vec<_>>()
    };
    let all = [
        ("01".to_owned(), Inventoried::Listed, false),
        ("0100".to_owned(), Inventoried::InScope(point), false),
        ("02".to_owned(), Inventoried::Unlisted, true),
        ("03".to_owned(), Inventoried::Listed, true),
    ];
    assert_eq!(shown(SerialBound::FIRST, None, 9), all);
    assert_eq!(shown(SerialBound::FIRST, None, 2), all[..2]);
    assert_eq!(
        shown(SerialBound::after(&serial("01")), Some(SerialBound::before(&serial("03"))), 9),
        all[1..3]
    );
    let scope = view.scopes()[0].number;
    assert_eq!(view.serials_of_scope(scope, SerialBound::FIRST, 9).unwrap(), [serial("02"), serial("03")]);
    assert_eq!(view.serials_of_scope(scope, SerialBound::after(&serial("02")), 9).unwrap(), [serial("03")]);
}

#[test]
fn an_inventory_has_another_edition_once_a_listed_serial_number_moved() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let points = [b"a", b"b"].map(|name| store.distribution_point_number(name).unwrap());
    let mut editions = Vec::new();
    for (number, point) in [("01", 0), ("02", 1), ("01", 0), ("01", 1)] {
        let row = (serial(number), Some(points[point]));
        store.load_inventory(issuer, [Ok::<_, Infallible>(row)]).unwrap();
        editions.push(store.view().unwrap().inventory_edition(issuer).unwrap());
    }
    assert_eq!(editions, [0, 0, 0, 1], "what is only added moves nothing");
}

#[test]
fn a_look_that_stays_in_memory_says_so_where_the_row_is_on_the_disk() {
    let (folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let series = store.series(&[1; 32]).unwrap();
    let mut serials: Vec<_> = (0..40_000u64).map(SerialNumber::from).collect();
    serials.sort_unstable();
    let list: Vec<_> = serials.iter().map(|serial| (*serial, revoked(5, CrlReason::Superseded))).collect();
    store.replace_scope(crl(&scope_key(issuer, "a"), 1), entries(&list)).unwrap();
    store.load_inventory(issuer, serials.iter().map(|serial| Ok::<_, Infallible>((*serial, None)))).unwrap();
    let mut writer = store.write_segment(series, SerialBound::FIRST, at(9)).unwrap();
    for serial in &serials {
        writer.add(serial, &good(&[7; 70], Grounds::Unsaid), at(1)).unwrap();
    }
    writer.commit(SerialBound::after(serials.last().unwrap())).unwrap();
    for family in [Family::Status, Family::Inventory] {
        store.db.rocks().flush_cf(store.db.family(family).unwrap()).unwrap();
    }
    drop(store);
    let view = Store::open(folder.path(), &options()).unwrap().view().unwrap();
    let one = &serials[20_000];
    let cold = StoreError::NotInMemory { path: folder.path().to_owned() };
    let answer = |reach| view.answer(series, one, reach, |row| row.next_update);
    assert_eq!(answer(Reach::Memory), Err(cold.clone()));
    assert_eq!(answer(Reach::Disk), Ok(Some(at(86_400))));
    assert_eq!(answer(Reach::Memory), Ok(Some(at(86_400))), "now it is there");
    assert_eq!(view.revocations_within(issuer, one, Reach::Memory), Err(cold.clone()));
    assert_eq!(view.revocations(issuer, one).unwrap().len(), 1);
    assert_eq!(view.revocations_within(issuer, one, Reach::Memory).unwrap().len(), 1);
    assert_eq!(view.inventory_within(issuer, one, Reach::Memory), Err(cold));
    assert_eq!(view.inventory(issuer, one), Ok(Inventoried::Listed));
    assert_eq!(view.inventory_within(issuer, one, Reach::Memory), Ok(Inventoried::Listed));
}

#[test]
fn a_store_from_before_there_were_answers_opens_and_is_read() {
    let (folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let row = (serial("01"), revoked(5, CrlReason::KeyCompromise));
    store.replace_scope(crl(&scope_key(issuer, "a"), 1), entries(&[row])).unwrap();
    drop(store);
    let names = ["meta", "status", "scope_rows", "inventory", "answers", "usage"];
    let mut rocks = rocksdb::DB::open_cf(&rocksdb::Options::default(), folder.path(), names).unwrap();
    rocks.drop_cf("answers").unwrap();
    rocks.drop_cf("usage").unwrap();
    drop(rocks);
    let read = Store::open_read_only(folder.path(), &options()).unwrap();
    let view = read.view().unwrap();
    assert_eq!(rows(&view, issuer, &row.0).len(), 1);
    assert_eq!(held(&view, SeriesNumber(1), &row.0), None);
    drop((view, read));
    let store = Store::open(folder.path(), &options()).unwrap();
    let series = store.series(&[1; 32]).unwrap();
    let mut answers = store.begin_answers(series).unwrap();
    answers.add(&row.0, &good(b"s", Grounds::Unsaid));
    answers.commit().unwrap();
    assert_eq!(held(&store.view().unwrap(), series, &row.0).unwrap(), b"s");
}
