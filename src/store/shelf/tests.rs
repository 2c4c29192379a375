//! The shelf against a plain map, its budget, and many at once.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Bound;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn key(number: u32, serial: &SerialNumber) -> Vec<u8> {
    RowKey::new(number, serial).as_ref().to_vec()
}

/// Reads pages from a map, as RocksDB's iterators do.
fn read(model: &Model) -> impl FnMut(&Range, &mut Rows) -> Result<bool, Infallible> + '_ {
    move |range, page| {
        let (from, to) = (Bound::Included(range.from.clone()), Bound::Excluded(range.to.clone()));
        Ok(model.range((from, to)).all(|(key, value)| page.add(&key[4..], value)))
    }
}

fn find(shelf: &Shelf, number: u32, serial: &SerialNumber) -> Found<Option<Vec<u8>>> {
    shelf.find(Family::Answers, number, serial, |_, value| value.map(<[u8]>::to_vec))
}

/// Short ones that are beginnings of others, counted ones, and random ones.
fn serial() -> impl Strategy<Value = SerialNumber> {
    let octet = prop::sample::select(vec![1_u8, 2, 0x10, 0x80, 0xff]);
    prop_oneof![
        prop::collection::vec(octet, 1..4),
        (0..2000_u32).prop_map(|n| [&[0x55; 4][..], &n.to_be_bytes()].concat()),
        prop::collection::vec(any::<u8>(), 16),
    ]
    .prop_filter_map("a serial number", |octets| SerialNumber::from_unsigned(&octets).ok())
}

proptest! {
    #[test]
    fn a_shelf_knows_every_row_of_a_page_and_no_other(
        rows in prop::collection::btree_map(serial(), prop::collection::vec(any::<u8>(), 0..120), 0..200),
        others in prop::collection::vec(serial(), 0..100),
        number in prop::sample::select(vec![0, 7, 0xff, u32::MAX]),
        page_rows in 1..64_usize,
    ) {
        let shelf = Shelf::new(64 << 20, page_rows);
        let mut model: Model = rows.iter().map(|(serial, value)| (key(number, serial), value.clone())).collect();
        // What must not be taken for one of its rows.
        for other in [number.wrapping_sub(1), number.wrapping_add(1)] {
            model.extend(rows.keys().map(|serial| (key(other, serial), b"other".to_vec())));
        }
        let is_beginning = |serial: &SerialNumber| {
            let mut longer = rows.keys().map(SerialNumber::as_bytes);
            longer.any(|other| other.len() > serial.as_bytes().len() && other.starts_with(serial.as_bytes()))
        };
        for serial in rows.keys().chain(&others) {
            shelf.put((Family::Answers, number), serial, 1, read(&model)).unwrap();
            match find(&shelf, number, serial) {
                Found::Page(value) => prop_assert_eq!(value.as_ref(), rows.get(serial)),
                Found::Nowhere => prop_assert!(is_beginning(serial)),
                Found::NoPage => prop_assert!(false, "it was just put there"),
            }
        }
        // Nor did one page spoil another.
        for serial in rows.keys().chain(&others) {
            if let Found::Page(value) = find(&shelf, number, serial) {
                prop_assert_eq!(value.as_ref(), rows.get(serial));
            }
            shelf.take_down(Family::Answers, number, serial);
            prop_assert!(!matches!(find(&shelf, number, serial), Found::Page(_)));
        }
        let pages = shelf.octets() - shelf.steps.load(Ordering::Relaxed);
        prop_assert_eq!(pages, 0, "what was taken down weighs nothing");
    }
}

proptest! {
    #[test]
    fn what_is_taken_down_between_two_places_is_every_page_with_rows_there(
        rows in prop::collection::btree_set(serial(), 1..100),
        ends in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 2),
        page_rows in 1..16_usize,
    ) {
        let shelf = Shelf::new(64 << 20, page_rows);
        let model: Model = rows.iter().map(|serial| (key(1, serial), b"old".to_vec())).collect();
        for serial in &rows {
            shelf.put((Family::Answers, 1), serial, 0, read(&model)).unwrap();
        }
        let has_page = |serial: &&SerialNumber| matches!(find(&shelf, 1, serial), Found::Page(_));
        let before = rows.iter().filter(has_page).count();
        let (from, to) = (ends[0].as_slice().min(&ends[1]), ends[0].as_slice().max(&ends[1]));
        shelf.take_down_between(Family::Answers, 1, from, to);
        for serial in rows.iter().filter(has_page) {
            prop_assert!(serial.as_bytes() < from || to <= serial.as_bytes());
        }
        // No serial number begins so.
        if from.first() >= Some(&0x80) {
            prop_assert_eq!(rows.iter().filter(has_page).count(), before);
        }
    }
}

/// Random serial numbers of 16 octets.
fn drawn(count: u64) -> impl Iterator<Item = SerialNumber> {
    (0..count).map(|n| {
        let octets = [mix(n).to_be_bytes(), mix(!n).to_be_bytes()].concat();
        SerialNumber::from_unsigned(&octets).unwrap()
    })
}

#[test]
fn pages_stay_within_the_budget_and_the_rarer_kind_has_its_share() {
    const BUDGET: usize = 2 << 20;
    let shelf = Shelf::new(BUDGET, 256);
    let model: Model = drawn(60_000).map(|serial| (key(1, &serial), vec![7; 100])).collect();
    for serial in drawn(60_000) {
        shelf.put((Family::Answers, 1), &serial, 0, read(&model)).unwrap();
        assert!(shelf.octets() <= BUDGET, "{}", shelf.octets());
    }
    assert!(shelf.octets() > BUDGET / 2, "nor is it empty: {}", shelf.octets());
    assert!(!shelf.has_room(Family::Answers) && shelf.has_room(Family::Status));
    let wanted = (0..RARELY * 100).filter(|_| shelf.wants_page(Family::Answers)).count();
    assert_eq!(wanted, 100);

    for serial in drawn(10_000) {
        if shelf.has_room(Family::Status) {
            shelf.put((Family::Status, 1), &serial, 0, read(&model)).unwrap();
        }
    }
    let [status, _, answers] = shelf.pages.each_ref().map(|octets| octets.load(Ordering::Relaxed));
    assert!(status > BUDGET / 5 && answers > BUDGET / 5, "{status} {answers}");
    assert!(shelf.octets() <= BUDGET);
    // Where all three want more than there is, none of them takes from the others for ever.
    for serial in drawn(60_000) {
        for family in [Family::Status, Family::Inventory, Family::Answers] {
            if shelf.wants_page(family) {
                shelf.put((family, 1), &serial, 0, read(&model)).unwrap();
            }
        }
    }
    let free = [Family::Status, Family::Inventory, Family::Answers].map(|family| shelf.has_room(family));
    assert_eq!(free, [false; 3]);
}

#[test]
fn a_shelf_without_a_budget_takes_nothing() {
    let shelf = Shelf::new(0, 256);
    assert!((0..10_000).all(|_| !shelf.wants_page(Family::Answers)));
}

#[test]
fn who_comes_when_all_trees_are_taken_goes_without() {
    let shelf = Shelf::new(1 << 20, 256);
    let serial = SerialNumber::from(5_u64);
    for number in 0..1000 {
        shelf.put((Family::Answers, number), &serial, 0, read(&Model::new())).unwrap();
    }
    let found: Vec<_> = (0..1000).map(|number| find(&shelf, number, &serial)).collect();
    assert!(found[..80].iter().all(|found| *found == Found::Page(None)));
    assert_eq!(found.iter().filter(|found| **found == Found::Page(None)).count(), TREES);
    assert_eq!(found[999], Found::Nowhere);
}

#[test]
fn many_at_once_put_find_and_take_down() {
    let model: Model = drawn(5000).map(|serial| (key(1, &serial), serial.as_bytes().to_vec())).collect();
    let shelf = Shelf::new(200 << 10, 32);
    std::thread::scope(|threads| {
        for thread in 0..4_usize {
            let (shelf, model) = (&shelf, &model);
            threads.spawn(move || {
                for (index, serial) in drawn(5000).enumerate() {
                    if (index + thread) % 3 == 0 {
                        shelf.put((Family::Answers, 1), &serial, 0, read(model)).unwrap();
                    }
                    if let Found::Page(value) = find(shelf, 1, &serial) {
                        assert_eq!(value.as_deref(), Some(serial.as_bytes()));
                    }
                    if (index + thread) % 7 == 0 {
                        shelf.take_down(Family::Answers, 1, &serial);
                    }
                }
            });
        }
    });
    for serial in drawn(5000) {
        shelf.take_down(Family::Answers, 1, &serial);
    }
    assert_eq!(shelf.octets(), shelf.steps.load(Ordering::Relaxed), "all that hung there was taken down");
}
