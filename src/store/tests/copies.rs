//! Copies of the store: taken under way, verified, restored, and taken scopes back from.

use super::super::db::{Durability, Family};
use super::super::format::{RowKey, encode_inventory_state, number_key};
use super::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

fn list(count: u64, time: i64) -> Vec<(SerialNumber, Revocation)> {
    let reason = |n| if n % 3 == 0 { CrlReason::CertificateHold } else { CrlReason::Superseded };
    let mut list: Vec<_> =
        (0..count).map(|n| (SerialNumber::from(n << 20), revoked(time, reason(n)))).collect();
    list.sort_unstable_by_key(|entry| entry.0);
    list
}

fn problems(path: &Path) -> Vec<String> {
    verify(path, &options(), |_| {}).unwrap().problems
}

/// A store with two scopes, an inventory, and rows that are retained.
fn filled() -> (TempDir, Store, IssuerNumber) {
    let (folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    store.replace_scope(crl(&scope_key(issuer, "a"), 1), entries(&list(3000, 5))).unwrap();
    store.replace_scope(crl(&scope_key(issuer, "a"), 2), entries(&list(2000, 5))).unwrap();
    store.replace_scope(crl(&scope_key(issuer, "b"), 1), entries(&list(100, 7))).unwrap();
    let point = store.distribution_point_number(b"a").unwrap();
    let listed = (0..5000u64).map(|n| Ok::<_, Infallible>((SerialNumber::from(n << 20), Some(point))));
    store.load_inventory(issuer, listed).unwrap();
    let verifier = store.verifier_number("bank").unwrap();
    let counted = UsageKey {
        day: 20_000,
        verifier: Some(verifier),
        issuer: Some(issuer),
        method: UsageMethod::Post,
        result: UsageResult::Good,
        on_behalf_of: String::new(),
    };
    store.add_usage([(&counted, 3), (&counted, 4)]).unwrap();
    (folder, store, issuer)
}

fn copy_of(store: &Store) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backups").join("one");
    store.checkpoint(&path).unwrap();
    (folder, path)
}

fn bring_back(from: &Path, to: &Path, existing: Existing) -> Result<Restored, RestoreError> {
    restore(from, to, existing, UnixTime::from_seconds(0), &options(), |_| {})
}

#[test]
fn a_checkpoint_under_way_is_a_whole_store_of_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    // Small batches: the changes are staged, laid over and folded while the copies are taken.
    let small = StoreOptions { max_batch_rows: 500, ..options() };
    let store = Store::open(&folder.path().join("data"), &small).unwrap();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    store.replace_scope(crl(&key, 1), entries(&list(2000, 1))).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for number in 2..=u8::MAX {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                store.replace_scope(crl(&key, number), entries(&list(2000, number.into()))).unwrap();
            }
        });
        for count in 0..8 {
            let path = folder.path().join(format!("copy-{count}"));
            store.checkpoint(&path).unwrap();
            assert_eq!(problems(&path), [""; 0]);
            // Opened for writing, it goes on from there; and every row is of the one CRL of its record.
            let copy = Store::open(&path, &small).unwrap();
            let record = copy.scope(&key).unwrap().unwrap();
            let view = copy.view().unwrap();
            for (serial, revocation) in list(2000, record.crl.crl_number[0].into()) {
                assert_eq!(rows(&view, issuer, &serial), [(record.number, revocation, false)]);
            }
            copy.replace_scope(crl(&key, 255), entries(&list(100, 1))).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn no_files_are_taken_in_between_the_files_of_a_copy_and_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let small = StoreOptions { max_batch_rows: 500, ..options() };
    let store = Store::open(folder.path(), &small).unwrap();
    let key = scope_key(store.issuer_number(b"ca").unwrap(), "a");
    let number = || store.scope(&key).unwrap().map(|record| record.crl.crl_number[0]);
    std::thread::scope(|threads| {
        store.db.without_new_files(|| {
            threads.spawn(|| store.replace_scope(crl(&key, 1), entries(&list(2000, 1))).unwrap());
            let staged = || fs::read_dir(store.db.staging_folder()).map_or(0, Iterator::count);
            while staged() < 2 {
                std::thread::yield_now();
            }
            // From here it is a millisecond to the record: were it not held, it would be there.
            for _ in 0..100_000 {
                std::thread::yield_now();
                assert_eq!(number(), None);
            }
        });
    });
    assert_eq!(number(), Some(1));
}

#[test]
fn a_copy_on_another_file_system_is_as_whole() {
    let (_folder, store, issuer) = filled();
    // Memory, on every Linux; where it is not, the copy lies beside the others.
    let elsewhere = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let to = elsewhere.path().join("one");
    // What a copy that was killed has left.
    fs::create_dir(elsewhere.path().join("one.copying")).unwrap();
    fs::write(elsewhere.path().join("one.copying/MANIFEST-000001"), "torn").unwrap();
    store.checkpoint(&to).unwrap();
    assert_eq!(problems(&to), [""; 0]);
    let copy = Store::open(&to, &options()).unwrap();
    assert_eq!(copy.scopes().unwrap(), store.scopes().unwrap());
    let (one, other) = (copy.view().unwrap(), store.view().unwrap());
    for (serial, _) in list(3000, 5) {
        assert_eq!(rows(&one, issuer, &serial), rows(&other, issuer, &serial));
    }
    let left = fs::read_dir(store.db.staging_folder()).map_or(0, Iterator::count);
    assert_eq!(left, 0, "links are left");
}

#[test]
fn a_checkpoint_takes_no_folder_that_is_there_and_none_of_a_reader() {
    let (folder, store, _) = filled();
    let (_kept, path) = copy_of(&store);
    assert_eq!(store.checkpoint(&path), Err(StoreError::CopyExists { path: path.clone() }));
    let reader = Store::open_read_only(folder.path(), &options()).unwrap();
    let refused = StoreError::ReadOnly { path: folder.path().to_owned() };
    assert_eq!(reader.checkpoint(&path.join("other")), Err(refused));
}

#[test]
fn a_backup_is_restored_where_nothing_is() {
    let (_folder, store, issuer) = filled();
    let (kept, path) = copy_of(&store);
    let to = kept.path().join("data");
    let restored = bring_back(&path, &to, Existing::Refuse).unwrap();
    assert_eq!((restored.moved_aside, restored.verification.scopes), (None, 2));
    let back = Store::open(&to, &options()).unwrap();
    assert_eq!(back.scopes().unwrap(), store.scopes().unwrap());
    let (one, other) = (back.view().unwrap(), store.view().unwrap());
    for (serial, _) in list(3000, 5) {
        assert_eq!(rows(&one, issuer, &serial), rows(&other, issuer, &serial));
    }
    assert_eq!(problems(&path), [""; 0], "the backup is as it was");
}

#[test]
fn a_store_that_is_there_is_refused_or_moved_aside_and_never_lost() {
    let (_folder, store, issuer) = filled();
    let (kept, path) = copy_of(&store);
    let to = kept.path().join("data");
    let old = Store::open(&to, &options()).unwrap();
    old.replace_scope(crl(&scope_key(old.issuer_number(b"old").unwrap(), "z"), 9), entries(&list(10, 1)))
        .unwrap();

    assert_eq!(bring_back(&path, &to, Existing::Refuse), Err(RestoreError::Occupied { path: to.clone() }));
    // Another process would hold the lock; that of this process shows the same to RocksDB only.
    drop(old);
    let moved = bring_back(&path, &to, Existing::MoveAside).unwrap().moved_aside.unwrap();
    assert_eq!(moved, kept.path().join("data.replaced-19700101T000000Z"));
    assert_eq!(Store::open(&moved, &options()).unwrap().scopes().unwrap().len(), 1);
    assert!(Store::open(&to, &options()).unwrap().scope(&scope_key(issuer, "b")).unwrap().is_some());
    assert!(!kept.path().join("data.restoring").exists());
}

#[test]
fn what_is_no_backup_or_a_damaged_one_changes_nothing() {
    let (_folder, store, _) = filled();
    let (kept, path) = copy_of(&store);
    let (to, none) = (kept.path().join("data"), kept.path().join("none"));
    assert_eq!(bring_back(&none, &to, Existing::Refuse), Err(RestoreError::NoBackup { path: none }));
    spoil_a_table(&path);
    let why = bring_back(&path, &to, Existing::Refuse).unwrap_err();
    assert!(matches!(why, RestoreError::Damaged { .. } | RestoreError::Store(_)), "{why}");
    assert!(!to.exists() && !kept.path().join("data.restoring").exists());
}

/// Other octets in the data blocks of the largest table.
fn spoil_a_table(path: &Path) {
    let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
    let tables = files.filter(|file| file.extension().is_some_and(|extension| extension == "sst"));
    let largest = tables.max_by_key(|file| fs::metadata(file).unwrap().len()).unwrap();
    let mut octets = fs::read(&largest).unwrap();
    octets[100..2000].fill(0x5a);
    fs::remove_file(&largest).unwrap();
    fs::write(&largest, octets).unwrap();
}

#[test]
fn verifying_finds_a_damaged_block() {
    let (_folder, store, _) = filled();
    let (_kept, path) = copy_of(&store);
    assert_eq!(problems(&path), [""; 0]);
    spoil_a_table(&path);
    let found = problems(&path);
    assert!(found.iter().any(|problem| problem.contains("cannot be read")), "{found:?}");
}

/// What verifying says after `spoil` changed rows behind the store's back.
fn spoiled(spoil: impl FnOnce(&Store, IssuerNumber)) -> String {
    let (_folder, store, issuer) = filled();
    let found = store.verify(|_| {});
    assert_eq!((found.problems, found.unfinished), (vec![], vec![]));
    spoil(&store, issuer);
    store.verify(|_| {}).problems.join("\n")
}

fn write(store: &Store, change: impl FnOnce(&mut db::Batch<'_>)) {
    let mut batch = store.db.batch().unwrap();
    change(&mut batch);
    batch.commit(Durability::Synced).unwrap();
}

#[test]
fn verifying_finds_rows_that_disagree() {
    let lost = spoiled(|store, issuer| {
        write(store, |batch| batch.put_status(&RowKey::new(issuer.get(), &SerialNumber::from(3 << 20)), &[]));
    });
    assert!(lost.contains("say another thing in status, or nothing"), "{lost}");
    assert!(lost.contains("rows in the index,"), "{lost}");

    let dropped = spoiled(|store, _| {
        let key = { store.db.rows_from(Family::ScopeRows, &[], None).unwrap().current().unwrap().0.to_vec() };
        let rocks = store.db.rocks();
        rocks.delete_cf(store.db.family(Family::ScopeRows).unwrap(), key).unwrap();
    });
    assert!(dropped.contains("its record says 2000 entries and"), "{dropped}");

    let garbage = spoiled(|store, issuer| {
        write(store, |batch| batch.put_status(&RowKey::new(issuer.get(), &SerialNumber::from(1)), &[9, 9]));
    });
    assert!(garbage.contains("status: a status row has octets"), "{garbage}");

    let counted = spoiled(|store, issuer| {
        let key = number_key(b'V', issuer.get());
        write(store, |batch| batch.put_meta(&key, &encode_inventory_state(true, 7)));
    });
    assert_eq!(counted, "inventory: issuer 1 has 5000 rows, its record says 7");
}

#[test]
fn verifying_finds_names_and_marks_that_lead_nowhere() {
    let named = spoiled(|store, _| write(store, |batch| batch.put_meta(b"Ianother", &1u32.to_be_bytes())));
    assert_eq!(named, "meta: two names have the number 1 (kind I)");
    let given = spoiled(|store, _| write(store, |batch| batch.put_meta(b"Dz", &99u32.to_be_bytes())));
    assert_eq!(given, "meta: a number is in use that was not given out (kind D)");
    let stray = spoiled(|store, _| write(store, |batch| batch.put_meta(b"?", b"")));
    assert!(stray.contains("a kind that this ocsprey does not know"), "{stray}");
    let gone = spoiled(|store, _| write(store, |batch| batch.delete_meta(&number_key(b'S', 1))));
    assert!(gone.contains("which has no record") && gone.contains("neither record nor mark"), "{gone}");
    let overlaid = spoiled(|store, _| {
        write(store, |batch| batch.put_meta(&number_key(b'O', 2), &77u32.to_be_bytes()));
    });
    assert!(overlaid.contains("laid over scope 77"), "{overlaid}");
}

#[test]
fn verifying_counts_and_names_what_is_unfinished() {
    let (_folder, store, issuer) = filled();
    write(&store, |batch| {
        batch.put_meta(&number_key(b'P', 2), &format::encode_unrecorded(issuer, None));
    });
    let mut told = 0;
    let found = store.verify(|rows| told += rows);
    assert_eq!(found.unfinished, ["rows of scope 2 are to be swept"]);
    let count = |family| found.rows.iter().find(|(name, _)| *name == family).unwrap().1;
    assert_eq!((count("inventory"), count("status")), (5000, 2667));
    assert_eq!(
        count("scope_rows"),
        2767,
        "667 of the 1,000 that went were permanent, and 100 of the other scope"
    );
    assert!(told >= 5000);
}

/// Everything that readers see of the serials of `list`.
fn seen(store: &Store, issuer: IssuerNumber) -> Vec<Vec<(ScopeNumber, Revocation, bool)>> {
    let view = store.view().unwrap();
    list(3000, 0).iter().map(|(serial, _)| rows(&view, issuer, serial)).collect()
}

fn rolls_back_with(options: &StoreOptions) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("data"), options).unwrap();
    let issuer = store.issuer_number(b"ca").unwrap();
    let (a, b) = (scope_key(issuer, "a"), scope_key(issuer, "b"));
    store.replace_scope(crl(&a, 1), entries(&list(2500, 5))).unwrap();
    store.replace_scope(crl(&a, 2), entries(&list(2000, 5))).unwrap();
    let (record, before) = (store.scope(&a).unwrap(), seen(&store, issuer));
    let copy = folder.path().join("copy");
    store.checkpoint(&copy).unwrap();
    let copy = Store::open_read_only(&copy, options).unwrap();

    assert_eq!(store.roll_back_scope(&copy, &a), Ok(None), "nothing came since");
    // Other times, entries that went, entries that came, and a scope that is new.
    store.replace_scope(crl(&a, 3), entries(&list(2999, 6)[500..])).unwrap();
    store.replace_scope(crl(&b, 1), entries(&list(10, 5))).unwrap();
    let epoch = store.view().unwrap();
    let done = store.roll_back_scope(&copy, &a).unwrap().unwrap();
    assert!(done.changed > 1000 && done.gone > 100 && done.back > 0, "{done:?}");
    let place = Place::of(issuer, &SerialNumber::from(0u64));
    assert!(!epoch.is_unchanged(place, epoch.epoch()), "no kept answer outlives it");
    assert_eq!(store.roll_back_scope(&copy, &b).unwrap().unwrap().gone, 10);
    assert_eq!(store.scope(&b).unwrap(), None);
    assert_eq!((store.scope(&a).unwrap(), seen(&store, issuer)), (record, before));
    let found = store.verify(|_| {});
    assert_eq!((found.problems, found.unfinished), (vec![], vec![]));
    // And on from there, with the number that was taken back too.
    store.replace_scope(crl(&a, 3), entries(&list(2999, 6))).unwrap();
}

#[test]
fn a_scope_goes_back_to_what_a_copy_has_row_by_row() {
    rolls_back_with(&options());
    rolls_back_with(&StoreOptions { max_batch_rows: 300, ..options() });
}

#[test]
fn a_copy_of_another_store_takes_nothing_back() {
    let (_folder, store, issuer) = filled();
    let (other_folder, other) = new_store();
    other.issuer_number(b"another").unwrap();
    let refused = Err(StoreError::NotACopy { path: other_folder.path().to_owned() });
    assert_eq!(store.roll_back_scope(&other, &scope_key(issuer, "a")), refused);
}
