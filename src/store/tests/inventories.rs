//! Loading inventories and asking them.

use super::super::db::Durability;
use super::super::format::{encode_inventory_state, number_key};
use super::*;

type Listed = (SerialNumber, Option<DistributionPointNumber>);

fn given(list: &[Listed]) -> impl Iterator<Item = Result<Listed, &'static str>> {
    list.iter().copied().map(Ok)
}

#[test]
fn an_inventory_may_name_a_distribution_point_before_its_crl_came() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let point = store.distribution_point_number(b"town").unwrap();
    store.load_inventory(issuer, given(&[(serial("01"), Some(point)), (serial("0100"), None)])).unwrap();
    let view = store.view().unwrap();
    assert_eq!(view.inventory(issuer, &serial("01")), Ok(Inventoried::InScope(point)));
    assert_eq!(view.inventory(issuer, &serial("0100")), Ok(Inventoried::Listed));
    assert_eq!(view.inventory(issuer, &serial("010000")), Ok(Inventoried::Unlisted));
    assert_eq!(view.scopes_at(issuer, point).count(), 0);

    store.replace_scope(crl(&scope_key(issuer, "town"), 1), entries(&[])).unwrap();
    assert_eq!(store.view().unwrap().scopes_at(issuer, point).count(), 1);
}

#[test]
fn loading_again_adds_nothing_and_counts_right() {
    let (folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let other = store.issuer_number(b"other").unwrap();
    let (one, two) =
        (store.distribution_point_number(b"1").unwrap(), store.distribution_point_number(b"2").unwrap());
    assert_eq!(store.view().unwrap().inventory_state(issuer), Ok(InventoryState::Absent));

    let list =
        [(serial("03"), Some(one)), (serial("01"), None), (serial("02"), Some(one)), (serial("01"), None)];
    let load = store.load_inventory(issuer, given(&list)).unwrap();
    assert_eq!(load, InventoryLoad { added: 3, already_there: 1, moved: 0 });
    let load = store.load_inventory(issuer, given(&list)).unwrap();
    assert_eq!(load, InventoryLoad { added: 0, already_there: 4, moved: 0 });

    // A listing without a distribution point takes none away; one with another moves it.
    let list =
        [(serial("03"), None), (serial("02"), Some(two)), (serial("01"), Some(two)), (serial("04"), None)];
    let load = store.load_inventory(issuer, given(&list)).unwrap();
    assert_eq!(load, InventoryLoad { added: 1, already_there: 1, moved: 2 });

    drop(store);
    let view = Store::open(folder.path(), &options()).unwrap().view().unwrap();
    assert_eq!(view.inventory_state(issuer), Ok(InventoryState::Complete { rows: 4 }));
    assert_eq!(view.inventory_state(other), Ok(InventoryState::Absent));
    assert_eq!(view.inventory(issuer, &serial("03")), Ok(Inventoried::InScope(one)));
    assert_eq!(view.inventory(issuer, &serial("02")), Ok(Inventoried::InScope(two)));
    assert_eq!(view.inventory(other, &serial("02")), Ok(Inventoried::Unlisted));
}

#[test]
fn a_load_that_breaks_off_is_partial_until_one_comes_to_its_end() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let serials = |count: u64| (0..count).map(|n| Ok((SerialNumber::from(n), None)));
    let cut = serials(250_000).chain([Err("line 250001 is no serial number")]);
    let error = store.load_inventory(issuer, cut).unwrap_err();
    assert_eq!(error, LoadError::Source("line 250001 is no serial number"));
    let state = |store: &Store| store.view().unwrap().inventory_state(issuer).unwrap();
    assert_eq!(state(&store), InventoryState::Partial { rows: 0 });

    let load = store.load_inventory(issuer, serials(300_000)).unwrap();
    assert_eq!(load, InventoryLoad { added: 300_000, already_there: 0, moved: 0 });
    assert_eq!(state(&store), InventoryState::Complete { rows: 300_000 });

    // A later load that breaks off takes nothing back: what was complete had all that its list had.
    store.load_inventory(issuer, serials(400_000).chain([Err("cut")])).unwrap_err();
    assert_eq!(state(&store), InventoryState::Complete { rows: 400_000 });
}

#[test]
fn others_may_write_between_the_chunks_of_a_load_and_may_end_it() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let state = || store.view().unwrap().inventory_state(issuer).unwrap();
    let serials = |count: u64| (0..count).map(|n| Ok((SerialNumber::from(n), None)));
    let town = scope_key(issuer, "town");
    let mut states = Vec::new();
    let mut write = || {
        // It would wait for ever, did the load hold the pen.
        store.replace_scope(crl(&town, 1 + u8::try_from(states.len()).unwrap()), entries(&[])).unwrap();
        states.push(state());
        Ok::<(), &str>(())
    };
    let load = store.load_inventory_with(issuer, |_| serials(250_000), &mut write).unwrap();
    assert_eq!(load, InventoryLoad { added: 250_000, already_there: 0, moved: 0 });
    // While it is read, and while it is sorted.
    assert_eq!(states, [InventoryState::Partial { rows: 0 }; 4]);
    assert_eq!(store.view().unwrap().scopes().len(), 1);

    let mut chunks = 0;
    let stop = || {
        chunks += 1;
        if chunks < 4 { Ok(()) } else { Err("enough") }
    };
    let error = store.load_inventory_with(issuer, |_| serials(900_000), stop).unwrap_err();
    assert_eq!(error, LoadError::Source("enough"));
    assert_eq!(state(), InventoryState::Complete { rows: 400_000 });
    let load = store.load_inventory(issuer, serials(450_000)).unwrap();
    assert_eq!(load, InventoryLoad { added: 50_000, already_there: 400_000, moved: 0 });
}

#[test]
fn a_first_load_takes_serials_in_any_order_and_the_highest_point_of_those_given_again() {
    let (folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let point = |name: &[u8]| Some(store.distribution_point_number(name).unwrap());
    let (one, two) = (point(b"1"), point(b"2"));
    let long = "7f".repeat(20);
    let list = [
        (&long, one),
        (&"01".into(), two),
        (&"0100".into(), None),
        (&"01".into(), None),
        (&"01".into(), one),
    ]
    .map(|(hex, point): (&String, _)| (serial(hex), point));
    let load = store.load_inventory(issuer, given(&list)).unwrap();
    assert_eq!(load, InventoryLoad { added: 3, already_there: 2, moved: 0 });
    let view = store.view().unwrap();
    assert_eq!(view.inventory_state(issuer), Ok(InventoryState::Complete { rows: 3 }));
    assert_eq!(view.inventory(issuer, &serial(&long)), Ok(Inventoried::InScope(one.unwrap())));
    assert_eq!(view.inventory(issuer, &serial("01")), Ok(Inventoried::InScope(two.unwrap())));
    assert_eq!(view.inventory(issuer, &serial("0100")), Ok(Inventoried::Listed));

    // Killed after the files were taken in, before it said so: the next load counts what is there.
    let mut batch = store.db.batch().unwrap();
    batch.put_meta(&number_key(b'V', issuer.get()), &encode_inventory_state(false, 0));
    batch.commit(Durability::Synced).unwrap();
    drop((view, store));
    let store = Store::open(folder.path(), &options()).unwrap();
    let load = store.load_inventory(issuer, given(&[(serial("01"), two), (serial("02"), None)])).unwrap();
    assert_eq!(load, InventoryLoad { added: 1, already_there: 1, moved: 0 });
    let state = store.view().unwrap().inventory_state(issuer);
    assert_eq!(state, Ok(InventoryState::Complete { rows: 4 }));
}

#[test]
fn an_empty_inventory_is_complete() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    store.load_inventory(issuer, given(&[])).unwrap();
    assert_eq!(store.view().unwrap().inventory_state(issuer), Ok(InventoryState::Complete { rows: 0 }));
}

#[test]
fn an_inventory_row_survives_revocation_and_release() {
    let (_folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    let one = (serial("01"), revoked(1, CrlReason::CertificateHold));
    store.load_inventory(issuer, given(&[(one.0, None)])).unwrap();
    store.replace_scope(crl(&key, 1), entries(&[one])).unwrap();
    store.replace_scope(crl(&key, 2), entries(&[])).unwrap();
    store.remove_scope(&key).unwrap();
    assert_eq!(store.view().unwrap().inventory(issuer, &one.0), Ok(Inventoried::Listed));
}
