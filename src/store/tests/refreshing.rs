//! A scope that is refreshed by sketches, against one whose entries are merged each time: the same rows, the same
//! counts, the same record, whatever came before.

use super::scopes::check_twins;
use super::*;
use crate::x509::PackedEntry;
use proptest::prelude::*;

/// A CRL's entries, in the order of the CRL; a serial may stand there twice.
pub(super) type List = Vec<(SerialNumber, Revocation)>;

/// A store whose large CRLs begin at the first octet.
pub(super) fn sketched() -> StoreOptions {
    StoreOptions { sketched_octets: 0, ..options() }
}

/// As the sorter gives them.
fn sorted(list: &List) -> List {
    let mut entries: Vec<_> =
        list.iter().map(|(serial, revocation)| PackedEntry::new(*serial, revocation)).collect();
    entries.sort_unstable();
    entries.dedup_by(|next, kept| next.is_of_the_same_serial(kept));
    entries.iter().map(|entry| entry.parts().unwrap()).collect()
}

/// By which way a CRL was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Sorted,
    Summed,
    /// Summed, which was not enough, and then sorted.
    Both,
}

fn sum(mut sketch: Sketch, list: &List) -> Sketch {
    for (serial, revocation) in list {
        sketch.add(&PackedEntry::new(*serial, revocation));
    }
    sketch
}

type Taken = Result<ScopeChange, ReplaceError<&'static str>>;

fn replace(
    store: &Store,
    crl: &ScopeRecordDraft,
    list: &List,
    sketch: Option<Sketch>,
    retention: Retention,
    may: bool,
) -> Taken {
    let entries = sorted(list).into_iter().map(Ok);
    let only = Replacement { next: crl.clone(), retention, entries, sketch };
    let approve = |_: &[ScopeChange]| if may { Ok(()) } else { Err("no") };
    Ok(store.replace_scopes_if(vec![only], Durability::Ordered, approve)?[0])
}

/// As ingest does it.
pub(super) fn take(
    store: &Store,
    crl: &ScopeRecordDraft,
    list: &List,
    retention: Retention,
    may: bool,
) -> (Taken, Way) {
    let octets = 49 * list.len() as u64;
    let sketching = || store.sketching(crl.key.issuer, octets, crl.this_update, retention).unwrap();
    let approve = |_: &ScopeChange| if may { Ok(()) } else { Err("no") };
    match sketching() {
        Sketching::Nothing => unreachable!("every CRL is large here"),
        Sketching::Beside(sketch) => {
            (replace(store, crl, list, Some(sum(sketch, list)), retention, may), Way::Sorted)
        }
        Sketching::Instead(sketch) => {
            let sketch = sum(sketch, list);
            let taken =
                store.refresh_scope_if(crl.clone(), retention, sketch.clone(), Durability::Ordered, approve);
            match taken {
                Ok(Some(change)) => (Ok(change), Way::Summed),
                Err(why) => (Err(why), Way::Summed),
                Ok(None) => (replace(store, crl, list, Some(sketch), retention, may), Way::Both),
            }
        }
    }
}

/// What readers see, the sketches aside.
fn state(store: &Store, key: &ScopeKey) -> (Option<ScopeRecord>, usize) {
    (store.scope(key).unwrap(), check_twins(store))
}

fn list(numbers: impl IntoIterator<Item = u64>, time: i64, reason: CrlReason) -> List {
    numbers.into_iter().map(|n| (SerialNumber::from(n * 7919 % 10_007), revoked(time, reason))).collect()
}

#[test]
fn what_came_and_what_went_is_found_among_many_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &sketched()).unwrap();
    let key = scope_key(store.issuer_number(b"ca").unwrap(), "a");
    let keep = Retention::WithoutEnd;
    let mut held = list(0..5000, 5, CrlReason::Superseded);
    held.extend(list(5000..5010, 6, CrlReason::CertificateHold));
    let (change, way) = take(&store, &crl(&key, 1), &held, keep, true);
    assert_eq!((change.unwrap().added, way), (5010, Way::Sorted));

    // Seven holds and twenty permanent ones go, thirty come, two holds become permanent; and all stand elsewhere.
    let mut next = held[20..5003].to_vec();
    next.extend(list(6000..6030, 8, CrlReason::KeyCompromise));
    next[4981].1 = revoked(9, CrlReason::KeyCompromise);
    next[4982].1 = revoked(9, CrlReason::KeyCompromise);
    next.reverse();
    let (refused, way) = take(&store, &crl(&key, 2), &next, keep, false);
    assert_eq!((refused, way), (Err(ReplaceError::Source("no")), Way::Summed), "the guard has the last word");
    assert_eq!(store.scope(&key).unwrap().unwrap().crl.crl_number, [1]);
    let (change, way) = take(&store, &crl(&key, 2), &next, keep, true);
    let expected = ScopeChange {
        added: 30,
        changed: 2,
        released: 7,
        retained: 20,
        unchanged: 4981,
        entries: 5013,
        retained_in_all: 20,
        ..ScopeChange::default()
    };
    assert_eq!((change, way), (Ok(expected), Way::Summed));
    assert_eq!(check_twins(&store), 5033);

    // After a restart too; and one that comes back is not retained any more.
    drop(store);
    let store = Store::open(folder.path(), &sketched()).unwrap();
    let last = [&next[..], &held[..1]].concat();
    let (change, way) = take(&store, &crl(&key, 3), &last, keep, true);
    let change = change.unwrap();
    assert_eq!((change.changed, change.retained_in_all, way), (1, 19, Way::Summed));
    // Too many to be told apart: nothing is changed until the entries come.
    let other = list(0..5000, 77, CrlReason::Superseded);
    let (change, way) = take(&store, &crl(&key, 4), &other, keep, true);
    assert_eq!((change.unwrap().entries, way), (5000, Way::Both));
}

#[test]
fn a_sketch_counts_only_for_the_crl_that_it_sums() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &sketched()).unwrap();
    let key = scope_key(store.issuer_number(b"ca").unwrap(), "a");
    let keep = Retention::WithoutEnd;
    let ways = |store: &Store, number, list: &List| take(store, &crl(&key, number), list, keep, true).1;
    let mut held = list(0..100, 5, CrlReason::Superseded);
    assert_eq!(ways(&store, 1, &held), Way::Sorted);
    assert_eq!(ways(&store, 2, &held), Way::Summed);
    // An older ocsprey, which knows no sketches, took another one in: it left the sketch as it was.
    let mut older = store.scope(&key).unwrap().unwrap();
    older.crl.crl_sha256 = [99; 32];
    let mut batch = store.db.batch().unwrap();
    let (number, record) = (format::number_key(b'S', older.number.0), format::encode_record(&older));
    batch.put_meta(&number, &record);
    batch.commit(Durability::Synced).unwrap();
    assert_eq!(ways(&store, 3, &held), Way::Sorted);
    // A piece of it is gone, or cut short.
    for value in [None, Some(vec![7; 39])] {
        assert_eq!(ways(&store, 4, &held), Way::Summed);
        let mut batch = store.db.batch().unwrap();
        let piece = [&format::number_key(b'Q', older.number.0)[..], &[0, 0]].concat();
        match value {
            Some(value) => batch.put_meta(&piece, &value),
            None => batch.delete_meta(&piece),
        }
        batch.commit(Durability::Synced).unwrap();
        assert_eq!(ways(&store, 5, &held), Way::Both);
    }
    // A serial that stands twice; and then not any more.
    held.push(held[50]);
    assert_eq!(ways(&store, 6, &held), Way::Both);
    assert_eq!(ways(&store, 7, &held), Way::Sorted);
    held.pop();
    assert_eq!(ways(&store, 8, &held), Way::Sorted);
    assert_eq!(ways(&store, 9, &held), Way::Summed);
    // It goes with its scope.
    assert!(store.remove_scope(&key).unwrap());
    let left = store.db.rows_from(db::Family::Meta, b"Q", None).unwrap();
    assert!(left.current().is_none());
    assert_eq!(ways(&store, 10, &held), Way::Sorted);
}

#[test]
fn retained_rows_whose_time_is_over_are_looked_for_among_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &sketched()).unwrap();
    let key = scope_key(store.issuer_number(b"ca").unwrap(), "a");
    // The CRLs here are a second apart.
    let keep = Retention::Seconds(3);
    let held = list(0..100, 5, CrlReason::Superseded);
    let mut ways = Vec::new();
    let mut expired = Vec::new();
    for number in 1..9u8 {
        let next = held[usize::from(number > 1)..].to_vec();
        let (change, way) = take(&store, &crl(&key, number), &next, keep, true);
        ways.push(way);
        expired.push(change.unwrap().expired);
    }
    // Gone with the second, it is kept until the sixth.
    assert_eq!(expired, [0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(
        ways.iter().map(|way| *way == Way::Summed).collect::<Vec<_>>(),
        [false, true, true, true, true, false, true, true]
    );
}

#[derive(Debug, Clone)]
enum Step {
    /// Another CRL, of which so many entries are as before.
    Replace {
        scope: usize,
        kept: usize,
        list: Vec<(u8, i64, usize)>,
        turn: usize,
        may: bool,
    },
    Remove {
        scope: usize,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let entries = |most| prop::collection::vec((any::<u8>(), 0..2i64, 0..3usize), 0..most);
    let list = prop_oneof![8 => entries(12), 1 => entries(400)];
    let replace = (0..3usize, 0..300usize, list, 0..300usize, prop::bool::weighted(0.9));
    prop_oneof![
        12 => replace.prop_map(|(scope, kept, list, turn, may)| Step::Replace { scope, kept, list, turn, may }),
        1 => (0..3usize).prop_map(|scope| Step::Remove { scope }),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn by_sketches_or_by_entries_it_is_the_same(
        steps in prop::collection::vec(step(), 1..25),
        max_batch_rows in 0..40usize,
        seconds in prop::option::of(0..6i64),
        unlike in prop::bool::weighted(0.5),
    ) {
        let retention = seconds.map_or(Retention::WithoutEnd, Retention::Seconds);
        let options = StoreOptions { max_batch_rows, ..sketched() };
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let open = |n: usize| Store::open(folders[n].path(), &options).unwrap();
        let mut stores = [open(0), open(1)];
        // Two scopes of one issuer, one of another.
        let issuers = [b"one", b"one", b"two"];
        let keys: Vec<_> = issuers.iter().zip(["a", "b", "a"]).map(|(issuer, point)| {
            let numbers = [0, 1].map(|n| stores[n].issuer_number(*issuer).unwrap());
            assert_eq!(numbers[0], numbers[1]);
            scope_key(numbers[0], point)
        }).collect();
        let mut lists: [List; 3] = Default::default();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Replace { scope, kept, list, turn, may } => {
                    let reasons =
                        [CrlReason::Unspecified, CrlReason::KeyCompromise, CrlReason::CertificateHold];
                    let held = &lists[scope];
                    let mut next = held[held.len() - kept.min(held.len())..].to_vec();
                    let new = list.iter().map(|(serial, time, why)| {
                        (SerialNumber::from(u64::from(*serial)), revoked(*time, reasons[*why]))
                    });
                    // Mostly CAs list a serial once.
                    for (serial, revocation) in new {
                        if unlike {
                            next.retain(|(other, _)| *other != serial);
                        }
                        next.push((serial, revocation));
                    }
                    let turn = turn % next.len().max(1);
                    next.rotate_left(turn);
                    let crl = crl(&keys[scope], number as u8);
                    let (summed, way) = take(&stores[0], &crl, &next, retention, may);
                    let merged = replace(&stores[1], &crl, &next, None, retention, may);
                    prop_assert_eq!(&summed, &merged, "{:?}", way);
                    if summed.is_ok() {
                        lists[scope] = next;
                    }
                }
                Step::Remove { scope } => {
                    let removed = [0, 1].map(|n| stores[n].remove_scope(&keys[scope]).unwrap());
                    prop_assert_eq!(removed[0], removed[1]);
                    lists[scope].clear();
                }
                Step::Reopen => {
                    let [one, two] = stores;
                    drop((one, two));
                    stores = [open(0), open(1)];
                }
            }
            let views = [0, 1].map(|n| stores[n].view().unwrap());
            for key in &keys {
                let [one, two] = [0, 1].map(|n| state(&stores[n], key));
                // Staging may have taken a number for what was refused in one and not in the other.
                prop_assert_eq!(one.1, two.1);
                let content = |record: &ScopeRecord| (record.crl.clone(), record.entries, record.retained);
                prop_assert_eq!(one.0.as_ref().map(content), two.0.as_ref().map(content));
                for serial in (0..=u8::MAX).map(|n| SerialNumber::from(u64::from(n))) {
                    let [one, two] = [0, 1].map(|n| {
                        let rows = views[n].revocations(key.issuer, &serial).unwrap();
                        rows.iter().map(|row| (row.revocation, row.retained)).collect::<Vec<_>>()
                    });
                    prop_assert_eq!(one, two);
                }
            }
        }
    }
}
