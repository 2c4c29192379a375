//! Look-ups of requests, which go to pages in memory first: they say what the store says.

use super::super::db::Family;
use super::super::format::{Body, RowKey, encode_status};
use super::answers::{at, good};
use super::*;
use rocksdb::WriteBatch;
use std::sync::atomic::{AtomicBool, Ordering};

fn listed(
    store: &Store,
    issuer: IssuerNumber,
    number: &str,
    reach: Reach,
) -> Result<Inventoried, StoreError> {
    let view = store.view().unwrap();
    let edition = view.inventory_edition(issuer).unwrap();
    view.inventory_at_hand(issuer, &serial(number), edition, reach)
}

#[test]
fn a_listed_serial_number_that_moved_or_came_is_seen_at_once() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let points = [b"a", b"b"].map(|name| store.distribution_point_number(name).unwrap());
    let load = |number: &str, point: usize| {
        let row = (serial(number), Some(points[point]));
        store.load_inventory(issuer, [Ok::<_, Infallible>(row)]).unwrap();
    };
    load("01", 0);
    assert_eq!(listed(&store, issuer, "01", Reach::Disk), Ok(Inventoried::InScope(points[0])));
    assert_eq!(listed(&store, issuer, "01", Reach::Memory), Ok(Inventoried::InScope(points[0])));
    let before = store.view().unwrap();

    // Its page is there already, and does not have it.
    assert_eq!(listed(&store, issuer, "02", Reach::Disk), Ok(Inventoried::Unlisted));
    load("02", 1);
    for _ in 0..2 {
        assert_eq!(listed(&store, issuer, "02", Reach::Disk), Ok(Inventoried::InScope(points[1])));
    }
    load("01", 1);
    assert_eq!(listed(&store, issuer, "01", Reach::Disk), Ok(Inventoried::InScope(points[1])));
    let then = before.inventory_edition(issuer).unwrap();
    let earlier = before.inventory_at_hand(issuer, &serial("01"), then, Reach::Disk);
    assert_eq!(earlier, Ok(Inventoried::InScope(points[0])), "an earlier view shows what it showed");
    assert_eq!(listed(&store, issuer, "01", Reach::Disk), Ok(Inventoried::InScope(points[1])));
}

#[test]
fn answers_are_the_newest_whoever_wrote_them() {
    let (_folder, store) = new_store();
    let series = store.series(&[1; 32]).unwrap();
    let single = |number: &str, signature: &[u8]| {
        let mut answers = store.begin_answers(series).unwrap();
        answers.add(&serial(number), &good(signature, Grounds::Unsaid));
        answers.commit().unwrap();
    };
    let view = store.view().unwrap();
    let find = |number: &str| {
        let signature = |row: AnswerRow<'_>| Some(row.signature.to_vec());
        view.answer_at_hand(series, &serial(number), Reach::Disk, signature).unwrap()
    };
    assert_eq!(find("01"), None);
    single("01", b"old");
    assert_eq!(find("01").unwrap(), b"old");
    single("01", b"new");
    assert_eq!((find("01").unwrap(), find("02")), (b"new".to_vec(), None));
    let mut segment = store.write_segment(series, SerialBound::FIRST, at(9)).unwrap();
    for number in ["01", "02"] {
        segment.add(&serial(number), &good(b"newest", Grounds::Unsaid), at(1)).unwrap();
    }
    segment.commit(SerialBound::after(&serial("02"))).unwrap();
    assert_eq!((find("01").unwrap(), find("02").unwrap()), (b"newest".to_vec(), b"newest".to_vec()));
    // What the reader throws away is as good as none.
    let none = view.answer_at_hand(series, &serial("01"), Reach::Disk, |_| None::<()>).unwrap();
    assert_eq!(none, None);
}

#[test]
fn a_damaged_row_harms_none_of_its_neighbours() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let list = [(serial("01"), revoked(5, CrlReason::KeyCompromise))];
    store.replace_scope(crl(&scope_key(issuer, "a"), 1), entries(&list)).unwrap();
    let mut damage = WriteBatch::default();
    let status = store.db.family(Family::Status).unwrap();
    for (number, octets) in [("02", &b"?"[..]), ("04", b"")] {
        damage.put_cf(status, RowKey::new(issuer.get(), &serial(number)), octets);
    }
    store.db.rocks().write(damage).unwrap();
    let view = store.view().unwrap();
    let at_hand = |number| view.revocations_at_hand(issuer, &serial(number), Reach::Disk);
    assert_eq!(at_hand("01").unwrap().len(), 1);
    assert!(at_hand("03").unwrap().is_empty());
    for number in ["02", "04"] {
        assert!(matches!(at_hand(number), Err(StoreError::Corrupt { .. })), "{number}");
    }
    assert!(store.octets_in_memory() > 0, "they are on a page");
}

#[test]
fn rows_that_count_for_nobody_are_not_walked_through_without_end() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let list = [(serial("01"), revoked(5, CrlReason::KeyCompromise))];
    store.replace_scope(crl(&scope_key(issuer, "a"), 1), entries(&list)).unwrap();
    // What a first load leaves that was killed before its record: rows of a scope that there is none of.
    let mut left = WriteBatch::default();
    let status = store.db.family(Family::Status).unwrap();
    let mut octets = Vec::new();
    let hidden = Body::new(&revoked(5, CrlReason::Superseded));
    encode_status(std::iter::once((ScopeNumber(77), hidden)), &mut octets);
    for number in 0..20_000_u64 {
        left.put_cf(status, RowKey::new(issuer.get(), &SerialNumber::from(number << 32 | 7)), &octets);
    }
    store.db.rocks().write(left).unwrap();
    let view = store.view().unwrap();
    for number in (0..20_000_u64).step_by(999) {
        let one = SerialNumber::from(number << 32 | 7);
        assert!(view.revocations_at_hand(issuer, &one, Reach::Disk).unwrap().is_empty());
    }
    assert_eq!(view.revocations_at_hand(issuer, &serial("01"), Reach::Disk).unwrap().len(), 1);
    // Parted where there are many, without a row of them.
    let octets = store.octets_in_memory();
    assert!((1000..100_000).contains(&octets), "{octets}");
}

/// Trap 33, as far as it is the store's: holds come and go, and each view shows them as of its moment, whether its
/// rows come from pages or not, and whoever read those.
#[test]
fn t33_pages_say_what_the_view_shows_while_revocations_come_and_go() {
    const SERIALS: u32 = 200;
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { page_rows: 16, ..options() };
    let store = Store::open(folder.path(), &options).unwrap();
    let issuer = store.issuer_number(b"ca").unwrap();
    let number = |n: u32| SerialNumber::from(u64::from(n.wrapping_mul(0x9e37_79b9) | 1));
    let (is_over, key) = (AtomicBool::new(false), scope_key(issuer, "a"));
    let compared = std::thread::scope(|threads| {
        let readers: Vec<_> = (0..3_u32)
            .map(|reader| {
                let (store, is_over) = (&store, &is_over);
                threads.spawn(move || {
                    let (mut compared, mut dice) = (0_u64, reader + 1);
                    while !is_over.load(Ordering::Relaxed) {
                        let view = store.view().unwrap();
                        for _ in 0..100 {
                            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                            let serial = number((dice >> 8) % SERIALS);
                            let reach = if dice & 0x80 == 0 { Reach::Disk } else { Reach::Memory };
                            let at_hand = match view.revocations_at_hand(issuer, &serial, reach) {
                                Err(StoreError::NotInMemory { .. }) => continue,
                                rows => rows.unwrap(),
                            };
                            assert_eq!(
                                at_hand.as_slice(),
                                view.revocations(issuer, &serial).unwrap().as_slice()
                            );
                            compared += 1;
                        }
                    }
                    compared
                })
            })
            .collect();
        for round in 0..150_u32 {
            let mut list: Vec<_> = (0..SERIALS)
                .filter(|n| (n + round * 7) % 5 < 2)
                .map(|n| (number(n), revoked(i64::from(round), CrlReason::CertificateHold)))
                .collect();
            list.sort_unstable_by_key(|row| row.0);
            store.replace_scope(crl(&key, (round % 200) as u8), entries(&list)).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().unwrap()).sum::<u64>()
    });
    assert!(compared > 1000, "{compared}");
}
