//! Replacing scopes: what changes, what stays, what readers see.

use super::super::db::Durability;
use super::super::format::RowKey;
use super::*;
use CrlReason::{CertificateHold, KeyCompromise, Superseded};

#[test]
fn a_serial_that_is_a_prefix_of_another_is_another() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    let (short, long) = ((serial("01"), revoked(1, Superseded)), (serial("0100"), revoked(2, KeyCompromise)));
    let scope = |store: &Store| store.scope(&key).unwrap().unwrap().number;
    store.replace_scope(crl(&key, 1), entries(&[long])).unwrap();
    let view = store.view().unwrap();
    assert_eq!(rows(&view, issuer, &long.0), [(scope(&store), long.1, false)]);
    assert!(rows(&view, issuer, &short.0).is_empty());
    assert!(rows(&view, issuer, &serial("010000")).is_empty());
    store.replace_scope(crl(&key, 2), entries(&[short, long])).unwrap();
    let view = store.view().unwrap();
    assert_eq!(rows(&view, issuer, &short.0), [(scope(&store), short.1, false)]);
    assert_eq!(rows(&view, issuer, &long.0), [(scope(&store), long.1, false)]);
}

#[test]
fn one_serial_under_two_issuers_is_two_certificates() {
    let (_folder, store) = new_store();
    let (one, two) = (store.issuer_number(b"one").unwrap(), store.issuer_number(b"two").unwrap());
    let row = (serial("01"), revoked(1, Superseded));
    store.replace_scope(crl(&scope_key(one, "a"), 1), entries(&[row])).unwrap();
    let view = store.view().unwrap();
    assert_eq!(rows(&view, one, &row.0).len(), 1);
    assert!(rows(&view, two, &row.0).is_empty());
}

#[test]
fn f42_what_leaves_the_crl_is_released_from_hold_and_otherwise_retained() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    let hold = (serial("01"), revoked(10, CertificateHold));
    let gone = (serial("02"), revoked(20, KeyCompromise));
    let bare = (serial("03"), revoked(30, CrlReason::Unspecified));
    let stays = (serial("04"), revoked(40, Superseded));
    let change = store.replace_scope(crl(&key, 1), entries(&[hold, gone, bare, stays])).unwrap();
    assert_eq!(change, ScopeChange { added: 4, entries: 4, ..ScopeChange::default() });

    let new = (serial("05"), revoked(50, CertificateHold));
    let change = store.replace_scope(crl(&key, 2), entries(&[stays, new])).unwrap();
    assert_eq!(
        change,
        ScopeChange {
            added: 1,
            released: 1,
            retained: 2,
            unchanged: 1,
            entries: 2,
            retained_in_all: 2,
            ..ScopeChange::default()
        }
    );
    let record = store.scope(&key).unwrap().unwrap();
    assert_eq!((record.entries, record.retained), (2, 2));
    let view = store.view().unwrap();
    assert!(rows(&view, issuer, &hold.0).is_empty());
    assert_eq!(rows(&view, issuer, &gone.0), [(record.number, gone.1, true)]);
    assert_eq!(rows(&view, issuer, &bare.0), [(record.number, bare.1, true)]);
    assert_eq!(rows(&view, issuer, &stays.0), [(record.number, stays.1, false)]);

    // They stay retained, and one that comes back is an ordinary entry again.
    let change = store.replace_scope(crl(&key, 3), entries(&[gone, stays])).unwrap();
    assert_eq!((change.changed, change.released, change.unchanged), (1, 1, 2));
    assert_eq!((change.retained, change.retained_in_all), (0, 1));
    let view = store.view().unwrap();
    assert_eq!(rows(&view, issuer, &gone.0), [(record.number, gone.1, false)]);
    assert_eq!(rows(&view, issuer, &bare.0), [(record.number, bare.1, true)]);
}

#[test]
fn trap20_hold_release_hold_then_permanent() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    let one = serial("01");
    let steps = [
        Some(revoked(1, CertificateHold)),
        None,
        Some(revoked(2, CertificateHold)),
        Some(revoked(3, KeyCompromise)),
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let list: Vec<_> = step.map(|revocation| (one, revocation)).into_iter().collect();
        store.replace_scope(crl(&key, number as u8), entries(&list)).unwrap();
        let found: Vec<_> = rows(&store.view().unwrap(), issuer, &one).iter().map(|row| row.1).collect();
        assert_eq!(found, step.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn trap21_a_permanent_revocation_called_a_hold_never_turns_good() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    let one = serial("01");
    let permanent = revoked(1, KeyCompromise);
    store.replace_scope(crl(&key, 1), entries(&[(one, permanent)])).unwrap();
    for number in 2..4 {
        let change =
            store.replace_scope(crl(&key, number), entries(&[(one, revoked(9, CertificateHold))])).unwrap();
        assert_eq!((change.retained, change.retained_in_all), (u64::from(number == 2), 1));
    }
    let change = store.replace_scope(crl(&key, 4), entries(&[])).unwrap();
    assert_eq!((change.released, change.retained_in_all), (0, 1));
    let found: Vec<_> = rows(&store.view().unwrap(), issuer, &one).iter().map(|row| (row.1, row.2)).collect();
    assert_eq!(found, [(permanent, true)]);
}

#[test]
fn trap28_a_scopes_new_crl_touches_no_other_scope() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let keys = ["a", "b", "c", "d", "e", "f"].map(|point| scope_key(issuer, point));
    let one = serial("01");
    for (number, key) in keys.iter().enumerate() {
        store.replace_scope(crl(key, 1), entries(&[(one, revoked(number as i64, CertificateHold))])).unwrap();
    }
    let view = store.view().unwrap();
    let times: Vec<_> = rows(&view, issuer, &one).iter().map(|row| row.1.time.seconds()).collect();
    assert_eq!(times, [0, 1, 2, 3, 4, 5]);

    store.replace_scope(crl(&keys[2], 2), entries(&[])).unwrap();
    assert!(store.remove_scope(&keys[4]).unwrap());
    assert!(!store.remove_scope(&keys[4]).unwrap());
    let times =
        |view: &ReadView| rows(view, issuer, &one).iter().map(|row| row.1.time.seconds()).collect::<Vec<_>>();
    assert_eq!(times(&store.view().unwrap()), [0, 1, 3, 5]);
    assert_eq!(times(&view), [0, 1, 2, 3, 4, 5], "a view is of one moment");
    assert_eq!(store.scope(&keys[4]).unwrap(), None);
    assert_eq!(store.scopes().unwrap().len(), 5);

    // A scope that comes back has another number.
    let before = view.scopes()[4].number;
    store.replace_scope(crl(&keys[4], 3), entries(&[])).unwrap();
    assert_ne!(store.scope(&keys[4]).unwrap().unwrap().number, before);
}

#[test]
fn scopes_differ_by_signing_key_kinds_reasons_and_point() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let base = scope_key(issuer, "");
    let keys = [
        base.clone(),
        ScopeKey { signing_key: [8; 32], ..base.clone() },
        ScopeKey { contains: CertificateKinds::Ca, ..base.clone() },
        ScopeKey { reasons: Some(0), ..base.clone() },
        ScopeKey { reasons: Some(2), ..base.clone() },
        ScopeKey { distribution_point: b"x".to_vec(), ..base.clone() },
        ScopeKey { issuer: store.issuer_number(b"other").unwrap(), ..base },
    ];
    for (number, key) in keys.iter().enumerate() {
        store.replace_scope(crl(key, number as u8), entries(&[])).unwrap();
    }
    let view = store.view().unwrap();
    assert_eq!(view.scopes(), store.scopes().unwrap());
    assert_eq!(view.scopes().len(), keys.len());
    for (number, key) in keys.iter().enumerate() {
        let record = store.scope(key).unwrap().unwrap();
        assert_eq!(record.crl, crl(key, number as u8));
        assert_eq!(view.scope(record.number), Some(&record));
        assert_eq!(record.distribution_point_number.is_some(), key.distribution_point == b"x");
    }
    let point = store.distribution_point_number(b"x").unwrap();
    let found: Vec<_> = view.scopes_at(issuer, point).map(|scope| &scope.crl.key).collect();
    assert_eq!(found, [&keys[5]]);
}

#[test]
fn trap25_a_source_that_fails_or_is_not_sorted_leaves_the_old_state() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let row = |text: &str| (serial(text), revoked(1, Superseded));
    let (held, fresh) = (scope_key(issuer, "held"), scope_key(issuer, "fresh"));
    store.replace_scope(crl(&held, 1), entries(&[row("05")])).unwrap();
    for key in [&held, &fresh] {
        let cut = [Ok(row("01")), Ok(row("02")), Err("cut short")];
        assert_eq!(store.replace_scope(crl(key, 2), cut), Err(ReplaceError::Source("cut short")));
        for list in [["02", "01"], ["02", "02"]] {
            let list = list.map(row);
            let refused = store.replace_scope(crl(key, 2), entries(&list));
            assert_eq!(refused, Err(ReplaceError::OutOfOrder { position: 2 }));
        }
        let mut seen = ScopeChange::default();
        let refused = store.replace_scope_if(crl(key, 2), [Ok(row("01"))], Retention::WithoutEnd, |change| {
            seen = *change;
            Err("too much")
        });
        assert_eq!((refused, seen.added), (Err(ReplaceError::Source("too much")), 1));
    }
    let view = store.view().unwrap();
    assert_eq!(view.scopes().len(), 1);
    assert_eq!(view.scopes()[0].crl.crl_number, [1]);
    assert_eq!(rows(&view, issuer, &serial("05")).len(), 1);
    assert!(["01", "02"].iter().all(|text| rows(&view, issuer, &serial(text)).is_empty()));
    check_twins(&store);
}

#[test]
fn trap32_a_first_load_of_many_batches_is_seen_whole_or_not_at_all() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let (other, key) = (scope_key(issuer, "other"), scope_key(issuer, "large"));
    let mut list: Vec<_> = (0..200_000u64).map(|n| (SerialNumber::from(n), revoked(3, Superseded))).collect();
    list.sort_unstable_by_key(|entry| entry.0);
    let shared = list[777].0;
    store.replace_scope(crl(&other, 1), entries(&[(shared, revoked(1, KeyCompromise))])).unwrap();
    let mut looks = 0;
    let watched = list.iter().enumerate().map(|(index, entry)| {
        if index % 40_000 == 39_999 {
            looks += 1;
            let view = store.view().unwrap();
            assert_eq!(view.scopes().len(), 1);
            assert_eq!(rows(&view, issuer, &shared).len(), 1);
            assert!(
                list[..index]
                    .iter()
                    .step_by(500)
                    .all(|(serial, _)| { *serial == shared || rows(&view, issuer, serial).is_empty() })
            );
        }
        Ok::<_, Infallible>(*entry)
    });
    store.replace_scope(crl(&key, 1), watched).unwrap();
    assert_eq!(looks, 5);
    let view = store.view().unwrap();
    assert_eq!(rows(&view, issuer, &shared).len(), 2);
    assert!(list.iter().all(|(serial, _)| !rows(&view, issuer, serial).is_empty()));

    // And a removal of many batches takes every row, and no other scope's.
    store.remove_scope(&key).unwrap();
    assert_eq!(check_twins(&store), 1);
    let again = store.replace_scope(crl(&key, 1), entries(&list)).unwrap();
    assert_eq!(again.added, 200_000);
}

#[test]
fn a_view_outlives_the_store_and_is_shared_between_threads() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    store.replace_scope(crl(&key, 1), entries(&[(serial("01"), revoked(1, CertificateHold))])).unwrap();
    let old = store.view().unwrap();
    store.replace_scope(crl(&key, 2), entries(&[])).unwrap();
    let new = store.view().unwrap();
    drop(store);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                for _ in 0..1000 {
                    assert_eq!(rows(&old, issuer, &serial("01")).len(), 1);
                    assert!(rows(&new, issuer, &serial("01")).is_empty());
                }
            });
        }
    });
    assert_eq!(
        (&old.scopes()[0].crl.crl_number[..], &new.scopes()[0].crl.crl_number[..]),
        (&[1][..], &[2][..])
    );
}

#[test]
fn a_damaged_row_is_an_error_without_the_serial() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let one = serial("abcdef");
    let mut batch = store.db.batch().unwrap();
    batch.put_status(&RowKey::new(issuer.get(), &one), &[9, 9]);
    batch.put_inventory(&RowKey::new(issuer.get(), &one), &[9, 9]);
    batch.commit(Durability::Synced).unwrap();
    let view = store.view().unwrap();
    let errors = [view.revocations(issuer, &one).unwrap_err(), view.inventory(issuer, &one).unwrap_err()];
    for error in errors {
        assert!(matches!(&error, StoreError::Corrupt { .. }));
        assert!(!error.to_string().contains("abcdef"), "{error}");
    }
}

/// Every status row has its twin in the index and the other way round; how many there are.
pub(super) fn check_twins(store: &Store) -> usize {
    use super::super::db::Family;
    use super::super::format::{for_each_status, serial_of};
    let mut from_status = Vec::new();
    let mut cursor = store.db.rows_from(Family::Status, &[], None).unwrap();
    while let Some((key, value)) = cursor.current() {
        let serial = serial_of(key).unwrap();
        for_each_status(value, |scope, body| {
            from_status.push((scope, serial, body));
        })
        .unwrap();
        cursor.advance().unwrap();
    }
    let mut from_index = Vec::new();
    let mut cursor = store.db.rows_from(Family::ScopeRows, &[], None).unwrap();
    let mut rows = Vec::new();
    while let Some((key, value)) = cursor.current() {
        let scope = ScopeNumber(u32::from_be_bytes(key[..4].try_into().unwrap()));
        block::decode(key, value, &mut rows).unwrap();
        from_index.extend(rows.iter().map(|(serial, body)| (scope, *serial, *body)));
        cursor.advance().unwrap();
    }
    assert!(from_index.is_sorted_by_key(|row| (row.0, row.1)), "blocks do not overlap");
    from_status.sort_unstable_by_key(|row| (row.0, row.1));
    assert_eq!(from_status.len(), from_index.len());
    assert!(from_status == from_index);
    from_index.len()
}
