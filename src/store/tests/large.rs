//! Changes that are too large for one batch: staged in files, shown at once, folded afterwards.

use super::super::db::Durability;
use super::super::epochs::Touched;
use super::super::format::{Body, NumberKind, encode_unrecorded, number_key};
use super::super::registry;
use super::super::staging::Staging;
use super::scopes::check_twins;
use super::*;
use CrlReason::{CertificateHold, KeyCompromise, Superseded};

fn open(folder: &TempDir) -> Store {
    Store::open(folder.path(), &StoreOptions { max_batch_rows: 2, ..options() }).unwrap()
}

/// Stages rows over the scope of `key`, as a writer does that is killed before the commit.
fn staged(store: &Store, key: &ScopeKey, rows: &[(SerialNumber, Body)]) -> (ScopeNumber, ScopeNumber) {
    let base = store.scope(key).unwrap().unwrap().number;
    let mut batch = store.db.batch().unwrap();
    let scope = ScopeNumber(registry::next_number(&store.db, &mut batch, NumberKind::Scope).unwrap());
    batch.put_meta(&number_key(b'P', scope.0), &encode_unrecorded(key.issuer, Some(base)));
    batch.commit(Durability::Synced).unwrap();
    let mut staging = Staging::new(&store.db, scope, key.issuer).unwrap();
    for (serial, body) in rows {
        staging.add(*serial, *body).unwrap();
    }
    staging.take_in().unwrap();
    (scope, base)
}

#[test]
fn trap32_rows_laid_over_others_are_seen_as_one_list_before_during_and_after_folding() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let issuer = store.issuer_number(b"ca").unwrap();
    let (key, other) = (scope_key(issuer, "a"), scope_key(issuer, "b"));
    let serials = ["01", "02", "03", "04"].map(serial);
    let [released, changed, stays, fresh] = serials;
    let (hold, before, after) =
        (revoked(1, CertificateHold), revoked(2, Superseded), revoked(3, KeyCompromise));
    store
        .replace_scope(crl(&key, 1), entries(&[(released, hold), (changed, before), (stays, before)]))
        .unwrap();
    store.replace_scope(crl(&other, 1), entries(&serials.map(|serial| (serial, hold)))).unwrap();
    let shown = |view: &ReadView| {
        serials.map(|serial| {
            let of_key = |scope| view.scope(scope).unwrap().crl.key == key;
            rows(view, issuer, &serial).iter().map(|row| (of_key(row.0), row.1)).collect::<Vec<_>>()
        })
    };
    let old = [(true, hold), (true, before), (true, before)];
    let with_other =
        |row: Option<(bool, Revocation)>| row.into_iter().chain([(false, hold)]).collect::<Vec<_>>();
    let old = [Some(old[0]), Some(old[1]), Some(old[2]), None].map(with_other);
    let new = [None, Some((true, after)), Some((true, before)), Some((true, after))].map(with_other);
    assert_eq!(shown(&store.view().unwrap()), old);

    let body = Body::new(&after);
    let change = [(released, Body::GONE), (changed, body), (fresh, body)];
    // Killed before the commit: nobody sees it, and the next writer sweeps it.
    staged(&store, &key, &change);
    assert_eq!(shown(&store.view().unwrap()), old);
    drop(store);
    let store = open(&folder);
    assert_eq!(shown(&store.view().unwrap()), old);
    assert_eq!(check_twins(&store), 10);
    store.replace_scope(crl(&other, 2), entries(&serials.map(|serial| (serial, hold)))).unwrap();
    assert_eq!((check_twins(&store), shown(&store.view().unwrap())), (7, old.clone()));

    // Killed after the commit: everybody sees it, and the next writer folds it.
    let view = store.view().unwrap();
    let (scope, base) = staged(&store, &key, &change);
    let mut batch = store.db.batch().unwrap();
    batch.delete_meta(&number_key(b'P', scope.0));
    batch.put_meta(&number_key(b'O', scope.0), &base.0.to_be_bytes());
    let mut touched = Touched::nothing();
    for (serial, _) in &change {
        touched.serial(issuer, serial);
    }
    store.db.epochs().commit(&touched, || batch.commit(Durability::Synced)).unwrap();
    assert_eq!(shown(&store.view().unwrap()), new);
    assert_eq!(shown(&view), old, "a view is of one moment");
    drop((store, view));
    let reader = Store::open_read_only(folder.path(), &options()).unwrap();
    assert_eq!(shown(&reader.view().unwrap()), new);
    drop(reader);
    let store = open(&folder);
    let list = [(changed, after), (stays, before)];
    let compared = store.compare_scope(&crl(&key, 2), entries(&list), Retention::WithoutEnd).unwrap();
    assert_eq!((compared.added, compared.changed, compared.retained, compared.unchanged), (0, 0, 1, 2));
    let view = store.view().unwrap();
    store.replace_scope(crl(&other, 3), entries(&serials.map(|serial| (serial, hold)))).unwrap();
    assert_eq!((shown(&view), shown(&store.view().unwrap())), (new.clone(), new));
    assert_eq!(check_twins(&store), 7);
    assert_eq!(registry::overlays(&store.db, None), Ok(Vec::new()));
}

#[test]
fn trap34_a_mass_revocation_is_seen_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    let list = |from: u64, to: u64| {
        let mut list: Vec<_> = (from..to).map(|n| (SerialNumber::from(n), revoked(1, Superseded))).collect();
        list.sort_unstable_by_key(|entry| entry.0);
        list
    };
    store.replace_scope(crl(&key, 1), entries(&list(0, 1000))).unwrap();
    let refused = store.replace_scope_if(
        crl(&key, 2),
        list(0, 5000).into_iter().map(Ok),
        Retention::WithoutEnd,
        |_| Err("too much"),
    );
    assert_eq!(refused, Err(ReplaceError::Source("too much")));
    assert_eq!(check_twins(&store), 1000);
    let view = store.view().unwrap();
    let change = store.replace_scope(crl(&key, 2), entries(&list(500, 5000))).unwrap();
    assert_eq!((change.added, change.retained, change.unchanged), (4000, 500, 500));
    let count = |view: &ReadView| {
        (0..5000).filter(|&n| !rows(view, issuer, &SerialNumber::from(n)).is_empty()).count()
    };
    assert_eq!((count(&view), count(&store.view().unwrap())), (1000, 5000));
    assert_eq!(check_twins(&store), 5000);
    let scopes = store.scopes().unwrap();
    assert_eq!((scopes.len(), scopes[0].retained), (1, 500));
}

#[test]
fn rows_come_and_go_anywhere_in_blocks_of_any_number_of_rows() {
    // Batches and staged changes alike; checked against the list by the twins in `status`.
    for max_batch_rows in [0, 10_000] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &StoreOptions { max_batch_rows, ..options() }).unwrap();
        let issuer = store.issuer_number(b"ca").unwrap();
        let key = scope_key(issuer, "a");
        // Holds, so that rows go away with their entries.
        type Kept = fn(u64) -> bool;
        let keep: [(u8, Kept); 8] = [
            (1, |n| n % 7 != 0),
            (2, |_| true),
            (3, |n| !(10..=900).contains(&n)),
            (4, |n| n > 950),
            (5, |_| true),
            (6, |n| n % 64 == 0),
            (7, |_| false),
            (8, |n| n == 5),
        ];
        for (number, keep) in keep {
            let mut list: Vec<_> = (0..1000u64)
                .filter(|&n| keep(n))
                .map(|n| (SerialNumber::from(n), revoked(i64::from(number), CertificateHold)))
                .collect();
            list.sort_unstable_by_key(|entry| entry.0);
            let change = store.replace_scope(crl(&key, number), entries(&list)).unwrap();
            assert_eq!(change.entries, list.len() as u64);
            assert_eq!(check_twins(&store), list.len());
            let view = store.view().unwrap();
            for (serial, revocation) in list {
                assert_eq!(rows(&view, issuer, &serial)[0].1, revocation);
            }
        }
    }
}

#[test]
fn a_retained_revocation_goes_once_it_was_retained_for_as_long_as_it_is_to_be() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    let one = (serial("01"), revoked(1, Superseded));
    let held = (serial("02"), revoked(1, CertificateHold));
    // Each CRL is of one second after the one before it.
    let replace = |number: u8, list: &[(SerialNumber, Revocation)], retention| {
        store
            .replace_scope_if(crl(&key, number), entries(list), retention, |_| Ok::<_, Infallible>(()))
            .unwrap()
    };
    let kept = Retention::Seconds(2);
    replace(1, &[one, held], kept);
    let change = replace(2, &[], kept);
    assert_eq!((change.released, change.retained, change.expired), (1, 1, 0));
    let change = replace(4, &[], kept);
    assert_eq!((change.expired, change.unchanged, change.retained_in_all), (0, 1, 1));
    // Without end it stays, and what is only compared stays too.
    assert_eq!(replace(5, &[], Retention::WithoutEnd).expired, 0);
    assert_eq!(store.compare_scope(&crl(&key, 6), entries(&[]), kept).unwrap().expired, 1);
    let before = store.view().unwrap();
    let change = replace(6, &[], kept);
    assert_eq!((change.expired, change.unchanged, change.retained_in_all), (1, 0, 0));
    assert!(!change.is_empty(), "an answer changes");
    assert_eq!(rows(&before, issuer, &one.0).len(), 1);
    assert!(rows(&store.view().unwrap(), issuer, &one.0).is_empty());
    assert_eq!(check_twins(&store), 0);

    // A permanent one that is called a hold is kept as long, and is on hold then.
    replace(7, &[one], kept);
    let softened = (one.0, held.1);
    assert_eq!(replace(8, &[softened], kept).retained, 1);
    assert_eq!(rows(&store.view().unwrap(), issuer, &one.0)[0].1, one.1);
    assert_eq!(replace(11, &[softened], kept).changed, 1);
    assert_eq!(rows(&store.view().unwrap(), issuer, &one.0)[0].1, softened.1);
    assert_eq!(check_twins(&store), 1);
}
