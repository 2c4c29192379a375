//! Opening, refusing, and sharing a store.

use super::super::db::Durability;
use super::super::format::FORMAT_KEY;
use super::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[test]
fn a_store_in_use_is_refused_with_a_hint_at_admin() {
    let (folder, _store) = new_store();
    let error = Store::open(folder.path(), &options()).unwrap_err();
    assert_eq!(error, StoreError::InUse { path: folder.path().to_owned() });
    assert!(error.to_string().contains("--admin"), "{error}");
}

#[test]
fn a_store_in_use_can_be_read_as_it_stands() {
    let (folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    let row = (serial("01"), revoked(5, CrlReason::KeyCompromise));
    store.replace_scope(crl(&key, 1), entries(&[row])).unwrap();

    let reader = Store::open_read_only(folder.path(), &options()).unwrap();
    store.replace_scope(crl(&key, 2), entries(&[row, (serial("02"), row.1)])).unwrap();
    assert_eq!(reader.find_issuer(b"ca").unwrap(), Some(issuer));
    assert_eq!(reader.issuers().unwrap(), [(issuer, b"ca".to_vec())]);
    assert_eq!(reader.scope(&key).unwrap().unwrap().crl.crl_number, [1]);
    let view = reader.view().unwrap();
    assert_eq!(rows(&view, issuer, &row.0), [(view.scopes()[0].number, row.1, false)]);
    assert!(rows(&view, issuer, &serial("02")).is_empty(), "written after it was opened");
}

#[test]
fn a_store_that_is_flushed_while_it_is_opened_for_reading_is_read_whole_or_not_at_all() {
    let (folder, store) = new_store();
    let issuer = Some(store.issuer_number(b"ca").unwrap());
    let (method, result) = (UsageMethod::Get, UsageResult::Good);
    let key = UsageKey { day: 20_000, verifier: None, issuer, method, result, on_behalf_of: String::new() };
    let copies = tempfile::tempdir_in(folder.path()).unwrap();
    let (sum, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    // Each opening is disturbed once, somewhere: a writer that never rests would let none end.
    let (begun, mut read) = (AtomicU64::new(0), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut disturbed = 0;
            for round in 1_u64.. {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                store.add_usage([(&key, 1)]).unwrap();
                sum.store(round, Ordering::SeqCst);
                // As a backup does: every family is flushed, and the log is deleted.
                if begun.load(Ordering::SeqCst) > disturbed {
                    disturbed += 1;
                    let copy = copies.path().join("copy");
                    store.checkpoint(&copy).unwrap();
                    std::fs::remove_dir_all(&copy).unwrap();
                }
            }
        });
        let ending = Ending(&is_over);
        while read < 300 {
            let at_least = sum.load(Ordering::SeqCst);
            begun.fetch_add(1, Ordering::SeqCst);
            match Store::open_read_only(folder.path(), &options()) {
                Ok(reader) => {
                    let mut total = 0;
                    let each = |_, count| {
                        total += count;
                        Ok::<_, StoreError>(())
                    };
                    reader.for_each_usage(0, u32::MAX, each).unwrap();
                    assert!(total >= at_least, "{total} of {at_least} after {read} openings");
                    read += 1;
                }
                Err(StoreError::Changing { .. }) => {}
                Err(why) => panic!("{why}"),
            }
        }
        drop(ending);
    });
}

/// Ends the other thread, also where an assertion fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_reader_cannot_write() {
    let (folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let reader = Store::open_read_only(folder.path(), &options()).unwrap();
    let refused = StoreError::ReadOnly { path: folder.path().to_owned() };
    let draft = crl(&scope_key(issuer, "a"), 1);
    assert_eq!(reader.issuer_number(b"other"), Err(refused.clone()));
    assert_eq!(reader.replace_scope(draft, entries(&[])), Err(ReplaceError::Store(refused.clone())));
    assert_eq!(reader.remove_scope(&scope_key(issuer, "a")), Err(refused.clone()));
    assert_eq!(reader.load_inventory::<Infallible>(issuer, []), Err(LoadError::Store(refused)));
    assert_eq!(reader.issuer_number(b"ca"), Ok(issuer), "a number that is there is only read");
}

#[test]
fn a_store_that_is_not_there_is_missing_and_not_made_by_reading() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none");
    assert_eq!(
        Store::open_read_only(&path, &options()).unwrap_err(),
        StoreError::Missing { path: path.clone() }
    );
    assert!(!path.exists());
}

#[test]
fn another_format_is_refused_by_name() {
    let (folder, store) = new_store();
    let mut batch = store.db.batch().unwrap();
    batch.put_meta(FORMAT_KEY, &77u32.to_be_bytes());
    batch.commit(Durability::Synced).unwrap();
    drop(store);
    let expected = StoreError::Format { path: folder.path().to_owned(), found: Some(77), expected: FORMAT };
    assert_eq!(Store::open(folder.path(), &options()).unwrap_err(), expected);
    assert_eq!(Store::open_read_only(folder.path(), &options()).unwrap_err(), expected);
    assert!(expected.to_string().contains("version 77"), "{expected}");
}

#[test]
fn contract_3_the_first_format_is_refused_by_name_with_what_to_do() {
    let (folder, store) = new_store();
    let mut batch = store.db.batch().unwrap();
    batch.put_meta(FORMAT_KEY, &1u32.to_be_bytes());
    batch.commit(Durability::Synced).unwrap();
    drop(store);
    let error = Store::open(folder.path(), &options()).unwrap_err();
    assert_eq!(
        error,
        StoreError::Format { path: folder.path().to_owned(), found: Some(1), expected: FORMAT }
    );
    let text = error.to_string();
    for part in ["version 1", "format 2", "empty folder", "ocsprey crl ingest", "ocsprey inventory load"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_later_format_with_more_families_is_refused_by_name() {
    let (folder, store) = new_store();
    let mut batch = store.db.batch().unwrap();
    batch.put_meta(FORMAT_KEY, &(FORMAT + 1).to_be_bytes());
    batch.commit(Durability::Synced).unwrap();
    drop(store);
    let names = ["meta", "status", "scope_rows", "inventory", "answers", "usage"];
    let mut rocks = rocksdb::DB::open_cf(&rocksdb::Options::default(), folder.path(), names).unwrap();
    rocks.create_cf("presigned", &rocksdb::Options::default()).unwrap();
    drop(rocks);
    let expected =
        StoreError::Format { path: folder.path().to_owned(), found: Some(FORMAT + 1), expected: FORMAT };
    assert_eq!(Store::open(folder.path(), &options()).unwrap_err(), expected);
    assert_eq!(Store::open_read_only(folder.path(), &options()).unwrap_err(), expected);
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut make = rocksdb::Options::default();
    make.create_if_missing(true);
    make.create_missing_column_families(true);
    drop(rocksdb::DB::open_cf(&make, folder.path(), ["theirs"]).unwrap());
    let expected = StoreError::Format { path: folder.path().to_owned(), found: None, expected: FORMAT };
    assert_eq!(Store::open(folder.path(), &options()).unwrap_err(), expected);

    // The same of one whose families have the names of ours, and rows that are not.
    let folder = tempfile::tempdir().unwrap();
    let rocks = rocksdb::DB::open_cf(&make, folder.path(), ["meta"]).unwrap();
    rocks.put_cf(rocks.cf_handle("meta").unwrap(), b"key", b"value").unwrap();
    drop(rocks);
    let expected = StoreError::Format { path: folder.path().to_owned(), found: None, expected: FORMAT };
    assert_eq!(Store::open(folder.path(), &options()).unwrap_err(), expected);
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_of_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"in the way").unwrap();
    let path: PathBuf = file.join("store");
    assert!(
        matches!(Store::open(&path, &options()), Err(StoreError::Io { path: named, .. }) if named == path)
    );
}

#[test]
fn numbers_of_names_are_durable_and_never_shared() {
    let (folder, store) = new_store();
    let (one, two) = (store.issuer_number(b"one").unwrap(), store.issuer_number(b"two").unwrap());
    let point = store.distribution_point_number(b"one").unwrap();
    let verifiers = ["one", "bank"].map(|id| store.verifier_number(id).unwrap());
    assert_ne!(one, two);
    assert_ne!(verifiers[0], verifiers[1]);
    drop(store);
    let store = Store::open(folder.path(), &options()).unwrap();
    assert_eq!(store.issuer_number(b"two").unwrap(), two);
    assert_eq!(store.issuer_number(b"one").unwrap(), one);
    assert_ne!(store.issuer_number(b"three").unwrap(), two);
    assert_eq!(store.distribution_point_number(b"one").unwrap(), point);
    assert_eq!(store.verifier_number("bank").unwrap(), verifiers[1]);
    let listed = [(verifiers[1], "bank".to_owned()), (verifiers[0], "one".to_owned())];
    assert_eq!(store.verifiers().unwrap(), listed);
    assert_eq!(store.find_issuer(b"four").unwrap(), None);
    assert!(store.size_bytes().unwrap() > 0);
}

#[test]
fn damaged_files_are_an_error_and_never_a_status() {
    let (folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let list: Vec<_> =
        (0..5000u64).map(|n| (SerialNumber::from(n << 24), revoked(5, CrlReason::Superseded))).collect();
    let mut sorted = list;
    sorted.sort_unstable_by_key(|entry| entry.0);
    store.replace_scope(crl(&scope_key(issuer, "a"), 1), entries(&sorted)).unwrap();
    for family in ["meta", "status", "scope_rows"] {
        store.db.rocks().flush_cf(store.db.rocks().cf_handle(family).unwrap()).unwrap();
    }
    drop(store);
    // Every table file but the small ones of `meta` gets other octets in its data blocks.
    for file in std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()) {
        let mut octets = std::fs::read(&file).unwrap();
        if file.extension().is_some_and(|extension| extension == "sst") && octets.len() > 50_000 {
            octets[100..20_000].fill(0x5a);
            std::fs::write(&file, octets).unwrap();
        }
    }
    let view = match Store::open(folder.path(), &options()) {
        Ok(store) => store.view().unwrap(),
        Err(error) => return assert!(matches!(error, StoreError::Corrupt { .. }), "{error}"),
    };
    let results: Vec<_> = sorted.iter().map(|(serial, _)| view.revocations(issuer, serial)).collect();
    assert!(results.iter().any(|result| matches!(result, Err(StoreError::Corrupt { .. }))));
    assert!(
        results.iter().flatten().all(|rows| rows.len() == 1),
        "unreadable is not the same as not revoked"
    );
}
