//! A process that is killed (SIGKILL) in the middle of a write, and one that finds what it left.
//!
//! The child is this test program again, running one ignored test with orders in the environment. It
//! says on its output how far it is, then goes on, or waits for an input that never comes; no test waits
//! for a time to pass.

use super::super::db::Durability;
use super::super::format::{encode_unrecorded, number_key, scope_key as stored_key};
use super::scopes::check_twins;
use super::*;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const ORDER: &str = "OCSPREY_TEST_CRASH";
const FOLDER: &str = "OCSPREY_TEST_CRASH_STORE";
const ROWS: u64 = 3000;

fn list(count: u64, time: i64) -> Vec<(SerialNumber, Revocation)> {
    let mut list: Vec<_> =
        (0..count).map(|n| (SerialNumber::from(n), revoked(time, CrlReason::Superseded))).collect();
    list.sort_unstable_by_key(|entry| entry.0);
    list
}

/// Starts the child and kills it when it has said `lines` lines; gives the last of them.
fn kill_after(order: &str, folder: &Path, lines: usize) -> String {
    let mut child: Child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::crash::the_child", "--ignored", "--nocapture"])
        .env(ORDER, order)
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    // The test runner may put its own words before the first of ours.
    let said = output
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| line.split_once("said ").map(|(_, said)| said.to_owned()));
    let last = said.take(lines).last();
    child.kill().unwrap();
    child.wait().unwrap();
    last.expect("the child said something before it ended")
}

fn wait_for_the_end() {
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
#[ignore = "the process that the other tests start and kill"]
fn the_child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let store = Store::open(Path::new(&std::env::var(FOLDER).unwrap()), &options()).unwrap();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    match order.as_str() {
        "replace" => {
            let from = store.scope(&key).unwrap().map_or(0, |record| record.crl.crl_number[0]);
            for number in from + 1..=u8::MAX {
                store.replace_scope(crl(&key, number), entries(&list(ROWS, number.into()))).unwrap();
                println!("said {number}");
            }
        }
        "first load" => {
            let list = list(300_000, 1);
            let entries = list.iter().enumerate().map(|(index, entry)| {
                if index == 250_000 {
                    println!("said half");
                    wait_for_the_end();
                }
                Ok::<_, Infallible>(*entry)
            });
            store.replace_scope(crl(&key, 1), entries).unwrap();
        }
        "inventory" => {
            let serials = (0..300_000u64).map(|n| {
                if n == 250_000 {
                    println!("said half");
                    wait_for_the_end();
                }
                Ok::<_, Infallible>((SerialNumber::from(n), None))
            });
            store.load_inventory(issuer, serials).unwrap();
        }
        other => panic!("no such order: {other}"),
    }
}

#[test]
fn trap32_killed_while_replacing_the_store_has_the_old_or_the_new_crl() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=6 {
        let said: u8 = kill_after("replace", folder.path(), round).parse().unwrap();
        let store = Store::open(folder.path(), &options()).unwrap();
        let issuer = store.find_issuer(b"ca").unwrap().unwrap();
        let view = store.view().unwrap();
        let [record] = view.scopes() else { panic!("one scope") };
        let [number] = record.crl.crl_number[..] else { panic!("one octet") };
        assert!(number >= said, "what was reported as committed is there");
        assert_eq!(record.entries, ROWS);
        let expected = revoked(number.into(), CrlReason::Superseded);
        for n in 0..ROWS {
            assert_eq!(
                rows(&view, issuer, &SerialNumber::from(n)),
                [(record.number, expected, false)],
                "every row is of the CRL that the record names"
            );
        }
        assert_eq!(check_twins(&store), ROWS as usize);
    }
}

#[test]
fn trap32_killed_in_a_first_load_nothing_of_it_is_seen_and_the_next_writer_clears_it() {
    let folder = tempfile::tempdir().unwrap();
    kill_after("first load", folder.path(), 1);
    let store = Store::open(folder.path(), &options()).unwrap();
    assert_eq!(check_twins(&store), 0, "rows are staged beside the store");
    assert!(!folder.path().join("staged").exists(), "and cleared away at the next opening");
    let issuer = store.find_issuer(b"ca").unwrap().unwrap();
    let view = store.view().unwrap();
    assert!(view.scopes().is_empty());
    assert!((0..1000).all(|n| rows(&view, issuer, &SerialNumber::from(n)).is_empty()));

    let change = store.replace_scope(crl(&scope_key(issuer, "a"), 2), entries(&list(10, 2))).unwrap();
    assert_eq!((change.added, change.retained), (10, 0));
    assert_eq!(check_twins(&store), 10);
}

#[test]
fn killed_in_a_removal_the_scope_is_gone_and_the_next_writer_clears_its_rows() {
    let (folder, store) = new_store();
    let issuer = store.issuer_number(b"ca").unwrap();
    let (gone, stays) = (scope_key(issuer, "gone"), scope_key(issuer, "stays"));
    store.replace_scope(crl(&gone, 1), entries(&list(1000, 1))).unwrap();
    store.replace_scope(crl(&stays, 1), entries(&list(10, 2))).unwrap();
    // The first step of a removal, and no more.
    let number = store.scope(&gone).unwrap().unwrap().number;
    let mut batch = store.db.batch().unwrap();
    batch.delete_meta(&stored_key(&gone));
    batch.delete_meta(&number_key(b'S', number.get()));
    batch.put_meta(&number_key(b'P', number.get()), &encode_unrecorded(issuer, None));
    batch.commit(Durability::Synced).unwrap();
    drop(store);

    let store = Store::open(folder.path(), &options()).unwrap();
    let view = store.view().unwrap();
    assert_eq!(view.scopes().len(), 1);
    assert_eq!(rows(&view, issuer, &SerialNumber::from(5)).len(), 1);
    assert!(rows(&view, issuer, &SerialNumber::from(500)).is_empty());
    store.replace_scope(crl(&stays, 2), entries(&list(10, 2))).unwrap();
    assert_eq!(check_twins(&store), 10);
}

#[test]
fn killed_in_an_inventory_load_it_is_partial_and_loading_again_completes_it() {
    let folder = tempfile::tempdir().unwrap();
    kill_after("inventory", folder.path(), 1);
    let store = Store::open(folder.path(), &options()).unwrap();
    let issuer = store.find_issuer(b"ca").unwrap().unwrap();
    assert_eq!(store.view().unwrap().inventory_state(issuer), Ok(InventoryState::Partial { rows: 200_000 }));
    let serials = (0..300_000u64).map(|n| Ok::<_, Infallible>((SerialNumber::from(n), None)));
    let load = store.load_inventory(issuer, serials).unwrap();
    assert_eq!(load, InventoryLoad { added: 100_000, already_there: 200_000, moved: 0 });
    assert_eq!(store.view().unwrap().inventory_state(issuer), Ok(InventoryState::Complete { rows: 300_000 }));
}
