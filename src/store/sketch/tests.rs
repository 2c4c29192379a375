//! What two sketches tell of two lists.

use super::*;
use crate::x509::{CrlReason, Revocation, SerialNumber};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn entry(serial: u64, time: i64) -> PackedEntry {
    let revocation = Revocation {
        time: UnixTime::from_seconds(time),
        reason: Some(CrlReason::Superseded),
        invalidity: None,
    };
    PackedEntry::new(SerialNumber::from(serial), &revocation)
}

fn sketch(octets: u64, entries: impl IntoIterator<Item = PackedEntry>) -> Sketch {
    let mut sketch = Sketch::keyed(secret(), octets);
    for entry in entries {
        sketch.add(&entry);
    }
    sketch
}

fn secret() -> Secret {
    Secret(std::array::from_fn(|n| fold(n as u64 + 3, 0x9e37_79b9_7f4a_7c15)))
}

#[test]
fn what_differs_is_found_whole_up_to_four_fifths_of_the_cells_and_beyond_nothing_is() {
    let cells = (TABLES * MIN_CELLS) as u64;
    let held = || (0..10_000).map(|n| entry(n, 5));
    let mut found = 0;
    for differ in 0..cells * 2 {
        // Half of them have another time, which is one entry that goes and one that comes.
        let next = held().skip(differ as usize / 2).chain((0..differ / 2).map(|n| entry(n, 6)));
        let difference = sketch(0, next.chain((0..differ % 2).map(|n| entry(77_000 + n, 5))));
        let difference = difference.difference(sketch(0, held()));
        let is_few = differ * 10 < cells * 6;
        assert!(difference.is_some() || !is_few, "{differ} of {cells}");
        if let Some((come, gone)) = difference {
            assert_eq!((come.len() + gone.len()) as u64, differ);
            assert!(gone.iter().all(|one| held().take(differ as usize / 2).any(|held| held == *one)));
            assert!(come.iter().all(|one| !held().any(|held| held == *one)));
            found = differ;
        }
    }
    assert!(found < cells, "{found} of {cells}");
}

#[test]
fn an_entry_that_stands_twice_is_not_taken_for_one_or_none() {
    let two = [entry(1, 5), entry(2, 5)];
    assert!(sketch(0, [two[0], two[1], two[1]]).difference(sketch(0, two)).is_some_and(|(come, gone)| {
        // The caller knows that it has the serial already.
        come == [two[1]] && gone.is_empty()
    }));
    assert_eq!(sketch(0, [two[0], two[1], two[1]]).difference(sketch(0, [two[0]])), None);
    assert_eq!(sketch(0, two).difference(sketch(0, [two[0], two[0], two[0], two[1]])), None);
}

#[test]
fn sketches_of_two_stores_have_nothing_to_do_with_one_another() {
    let other = Sketch::keyed(Secret([1; 8]), 0);
    assert_eq!(sketch(0, []).difference(other), None);
    assert!(Secret::new() != Secret::new());
    assert_eq!(Secret::from_octets(&secret().octets()).unwrap().0, secret().0);
    assert!(Secret::from_octets(&[0; 63]).is_none());
}

#[test]
fn the_head_comes_back_and_nothing_else_is_read_as_one() {
    for oldest_retained in [None, Some(UnixTime::EPOCH)] {
        let head = Head { crl_sha256: [7; 32], octets: 9, oldest_retained, cells_of_table: 128 };
        let octets = head.encode();
        assert_eq!(Head::decode(&octets), Ok(head));
        for len in 0..octets.len() {
            assert!(Head::decode(&octets[..len]).is_err());
        }
        assert!(Head::decode(&[&octets[..], &[0]].concat()).is_err());
    }
    for cells_of_table in [0, 100, 1 << 15] {
        let head = Head { crl_sha256: [7; 32], octets: 9, oldest_retained: None, cells_of_table };
        assert!(Head::decode(&head.encode()).is_err());
    }
}

proptest! {
    #[test]
    fn the_difference_of_two_lists_in_any_order_and_of_any_two_sizes(
        both in prop::collection::btree_set((any::<u64>(), 0..3i64), 0..300),
        come in prop::collection::btree_set((any::<u64>(), 3..6i64), 0..30),
        gone in prop::collection::btree_set((any::<u64>(), 6..9i64), 0..30),
        sizes in [0..40_000_000u64, 0..40_000_000u64],
        shift in 0..300usize,
    ) {
        let list = |set: &BTreeSet<(u64, i64)>| {
            set.iter().map(|(serial, time)| entry(*serial, *time)).collect::<Vec<_>>()
        };
        let (both, mut come, mut gone) = (list(&both), list(&come), list(&gone));
        let mut next = [&both[..], &come].concat();
        let shift = shift % next.len().max(1);
        next.rotate_left(shift);
        let held = [&gone[..], &both].concat();
        come.sort_unstable();
        gone.sort_unstable();
        let difference = sketch(sizes[0], next).difference(sketch(sizes[1], held));
        // Two entries may have all their cells in common, once in a million pairs of the smallest tables. Then nothing
        // is told, and the CRL is sorted: what is told is never wrong.
        if let Some(told) = difference {
            prop_assert_eq!(told, (come, gone));
        }
    }
}
