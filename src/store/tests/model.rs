//! The store against a plain map that does the same by hand, over several scopes and restarts.

use super::scopes::check_twins;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    Replace { scope: usize, list: BTreeMap<Vec<u8>, (i64, CrlReason)> },
    Fail { scope: usize, list: BTreeMap<Vec<u8>, (i64, CrlReason)> },
    Remove { scope: usize },
    Reopen,
}

/// Few serials, times and reasons, so that steps meet each other; prefixes of each other among them.
fn list() -> impl Strategy<Value = BTreeMap<Vec<u8>, (i64, CrlReason)>> {
    let reason = prop::sample::select(vec![
        CrlReason::Unspecified,
        CrlReason::KeyCompromise,
        CrlReason::CertificateHold,
    ]);
    let serial = prop::collection::vec(prop::sample::select(vec![1u8, 2, 0x80]), 1..4);
    prop::collection::btree_map(serial, (0..2i64, reason), 0..12)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4usize, list()).prop_map(|(scope, list)| Step::Replace { scope, list }),
        1 => (0..4usize, list()).prop_map(|(scope, list)| Step::Fail { scope, list }),
        1 => (0..4usize).prop_map(|scope| Step::Remove { scope }),
        1 => Just(Step::Reopen),
    ]
}

fn sorted(list: &BTreeMap<Vec<u8>, (i64, CrlReason)>) -> BTreeMap<SerialNumber, Revocation> {
    list.iter()
        .map(|(octets, (time, reason))| {
            (SerialNumber::from_unsigned(octets).unwrap(), revoked(*time, *reason))
        })
        .collect()
}

/// A scope in the model: its rows, and whether each is retained.
type Model = BTreeMap<SerialNumber, (Revocation, bool)>;

/// The rule of the design, said the long way round.
fn replaced(held: &Model, list: &BTreeMap<SerialNumber, Revocation>) -> Model {
    let mut next = Model::new();
    for (serial, revocation) in list {
        let softened = revocation.is_hold() && held.get(serial).is_some_and(|(before, _)| !before.is_hold());
        if !softened {
            next.insert(*serial, (*revocation, false));
        }
    }
    for (serial, (revocation, _)) in held {
        if !next.contains_key(serial) && !revocation.is_hold() {
            next.insert(*serial, (*revocation, true));
        }
    }
    next
}

/// Whatever page a request looks at, it reads what the view shows.
fn at_hand_is_what_is_in_the_store<'a>(
    view: &ReadView,
    issuers: [IssuerNumber; 2],
    serials: impl IntoIterator<Item = &'a SerialNumber>,
) {
    for serial in serials {
        for issuer in issuers {
            let there = view.revocations(issuer, serial).unwrap();
            for reach in [Reach::Memory, Reach::Disk, Reach::Memory] {
                match view.revocations_at_hand(issuer, serial, reach) {
                    Ok(at_hand) => assert_eq!(at_hand.as_slice(), there.as_slice(), "{reach:?}"),
                    Err(why) => {
                        assert!(matches!((why, reach), (StoreError::NotInMemory { .. }, Reach::Memory)));
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_store_is_a_map_of_scopes(
        steps in prop::collection::vec(step(), 1..25),
        // From everything staged in files to everything in one batch.
        max_batch_rows in 0..12usize,
        page_rows in 1..5usize,
    ) {
        let options = StoreOptions { max_batch_rows, page_rows, ..options() };
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), &options).unwrap();
        // Scopes 0 to 2 are one issuer's, 3 is another's with the same serials.
        let (one, two) = (store.issuer_number(b"one").unwrap(), store.issuer_number(b"two").unwrap());
        let keys =
            [scope_key(one, ""), scope_key(one, "a"), scope_key(one, "b"), scope_key(two, "a")];
        let mut model: [Option<Model>; 4] = Default::default();
        let mut seen = std::collections::BTreeSet::new();
        for (number, step) in steps.into_iter().enumerate() {
            let mut before = Some(store.view().unwrap());
            let before_scopes = store.scopes().unwrap();
            match step {
                Step::Replace { scope, list } => {
                    let list = sorted(&list);
                    seen.extend(list.keys().copied());
                    let held = model[scope].take().unwrap_or_default();
                    let next = replaced(&held, &list);
                    let change = store
                        .replace_scope(crl(&keys[scope], number as u8), list.iter().map(|(s, r)| Ok::<_, Infallible>((*s, *r))))
                        .unwrap();
                    let retained = next.values().filter(|row| row.1).count();
                    let newly = next.iter().filter(|(s, row)| row.1 && !held.get(s).is_some_and(|row| row.1)).count();
                    let same = next.iter().filter(|(s, row)| held.get(s) == Some(row)).count();
                    let gone = held.keys().filter(|serial| !next.contains_key(serial)).count();
                    let added = next.keys().filter(|serial| !held.contains_key(serial)).count();
                    prop_assert_eq!(change, ScopeChange {
                        lifted: change.lifted,
                        added: added as u64,
                        changed: (next.len() - added - newly - same) as u64,
                        released: gone as u64,
                        retained: newly as u64,
                        expired: 0,
                        unchanged: same as u64,
                        entries: list.len() as u64,
                        retained_in_all: retained as u64,
                    });
                    prop_assert_eq!(change.is_empty(), next == held);
                    let record = store.scope(&keys[scope]).unwrap().unwrap();
                    prop_assert_eq!((record.entries, record.retained), (list.len() as u64, retained as u64));
                    model[scope] = Some(next);
                }
                Step::Fail { scope, list } => {
                    let list = sorted(&list);
                    seen.extend(list.keys().copied());
                    let entries = list.iter().map(|(s, r)| Ok((*s, *r))).chain([Err("cut")]);
                    let result = store.replace_scope(crl(&keys[scope], 200), entries);
                    prop_assert_eq!(result, Err(ReplaceError::Source("cut")));
                    prop_assert_eq!(store.scopes().unwrap(), before_scopes.clone());
                }
                Step::Remove { scope } => {
                    prop_assert_eq!(store.remove_scope(&keys[scope]).unwrap(), model[scope].take().is_some());
                }
                Step::Reopen => {
                    before = None;
                    drop(store);
                    store = Store::open(folder.path(), &options).unwrap();
                }
            }
            let view = store.view().unwrap();
            // The earlier one still shows what it showed, whichever of them a page was read for.
            for view in before.iter().chain([&view]).chain(&before) {
                at_hand_is_what_is_in_the_store(view, [one, two], &seen);
            }
            let mut expected_rows = 0;
            for (issuer, scopes) in [(one, 0..3), (two, 3..4)] {
                for serial in &seen {
                    let mut expected: Vec<_> = scopes
                        .clone()
                        .filter_map(|scope| {
                            let (revocation, retained) = *model[scope].as_ref()?.get(serial)?;
                            Some((store.scope(&keys[scope]).unwrap()?.number, revocation, retained))
                        })
                        .collect();
                    expected.sort_by_key(|row| row.0);
                    expected_rows += expected.len();
                    prop_assert_eq!(rows(&view, issuer, serial), expected);
                }
            }
            prop_assert_eq!(check_twins(&store), expected_rows);
            prop_assert_eq!(view.scopes().len(), model.iter().flatten().count());
        }
    }
}
