//! Counts that are added to without being read.

use super::*;

fn key(day: u32, store: &Store, id: &str, result: UsageResult, name: &str) -> UsageKey {
    let verifier = (!id.is_empty()).then(|| store.verifier_number(id).unwrap());
    let issuer = Some(store.issuer_number(b"ca").unwrap());
    UsageKey { day, verifier, issuer, method: UsageMethod::Post, result, on_behalf_of: name.to_owned() }
}

fn all(store: &Store) -> Vec<(UsageKey, u64)> {
    between(store, 0, u32::MAX)
}

fn between(store: &Store, from: u32, to: u32) -> Vec<(UsageKey, u64)> {
    let mut found = Vec::new();
    let each = |key, count| {
        found.push((key, count));
        Ok::<_, StoreError>(())
    };
    store.for_each_usage(from, to, each).unwrap();
    found
}

#[test]
fn counts_add_up_over_batches_flushes_and_openings_and_are_read_beside_their_writer() {
    let (folder, store) = new_store();
    let one = key(20_000, &store, "bank", UsageResult::Good, "");
    let other = key(20_001, &store, "", UsageResult::SigRequired, "clinic-7");
    for round in 0..100 {
        store.add_usage([(&one, 3), (&other, round)]).unwrap();
    }
    let expected = vec![(one.clone(), 300), (other.clone(), 4950)];
    assert_eq!(all(&store), expected);
    let reader = Store::open_read_only(folder.path(), &options()).unwrap();
    assert_eq!(all(&reader), expected);
    assert!(matches!(reader.add_usage([(&one, 1)]), Err(StoreError::ReadOnly { .. })));
    drop((store, reader));
    let store = Store::open(folder.path(), &options()).unwrap();
    store.add_usage([(&one, 1)]).unwrap();
    assert_eq!(all(&store)[0], (one, 301));
}

#[test]
fn whole_days_are_read_and_forgotten() {
    let (_folder, store) = new_store();
    let days = [1, 2, 255, 256, 70_000];
    for day in days {
        store.add_usage([(&key(day, &store, "bank", UsageResult::Revoked, "x"), 1)]).unwrap();
    }
    let of = |rows: Vec<(UsageKey, u64)>| rows.iter().map(|(key, _)| key.day).collect::<Vec<_>>();
    assert_eq!(of(between(&store, 2, 256)), [2, 255, 256]);
    store.forget_usage_before(256).unwrap();
    assert_eq!(of(all(&store)), [256, 70_000]);
    store.forget_usage_before(256).unwrap();
    assert_eq!(of(all(&store)).len(), 2);
}

#[test]
fn a_store_from_before_there_were_counts_is_read_and_gets_them_when_it_is_written() {
    let (folder, store) = new_store();
    let bank = key(7, &store, "bank", UsageResult::Good, "");
    drop(store);
    let names = ["meta", "status", "scope_rows", "inventory", "answers", "usage"];
    let mut rocks = rocksdb::DB::open_cf(&rocksdb::Options::default(), folder.path(), names).unwrap();
    rocks.drop_cf("usage").unwrap();
    drop(rocks);
    let old = Store::open_read_only(folder.path(), &options()).unwrap();
    assert_eq!(all(&old), []);
    drop(old);
    let store = Store::open(folder.path(), &options()).unwrap();
    store.add_usage([(&bank, 5)]).unwrap();
    assert_eq!(all(&store), [(bank, 5)]);
}

#[test]
fn octets_that_are_no_count_are_a_damaged_store_and_no_panic() {
    let (_folder, store) = new_store();
    let family = store.db.family(db::Family::Usage).unwrap();
    store.db.rocks().put_cf(family, b"short", b"1").unwrap();
    let read = store.for_each_usage(0, u32::MAX, |_, _| Ok::<_, StoreError>(()));
    assert!(matches!(read, Err(StoreError::Corrupt { .. })), "{read:?}");
}
