//! A process that is killed (SIGKILL) in the middle of a write, and one that finds what it left.
//!
//! The child is this test program again, running one ignored test with orders in the environment. It
//! says on its output how far it is, then goes on, or waits for an input that never comes; no test waits
//! for a time to pass.

use super::super::db::Durability;
use super::super::format::{encode_unrecorded, number_key, scope_key as stored_key};
use super::refreshing::{Way, sketched, take};
use super::scopes::check_twins;
use super::*;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ORDER: &str = "OCSPREY_TEST_CRASH";
const FOLDER: &str = "OCSPREY_TEST_CRASH_STORE";
const ROWS: u64 = 3000;

/// Rows of a large CRL; a million with `OCSPREY_TEST_ROWS=1000000`, as `make soak` has it.
fn large() -> u64 {
    std::env::var("OCSPREY_TEST_ROWS").map_or(30_000, |rows| rows.parse().unwrap())
}

fn list(count: u64, time: i64) -> Vec<(SerialNumber, Revocation)> {
    let mut list: Vec<_> =
        (0..count).map(|n| (SerialNumber::from(n), revoked(time, CrlReason::Superseded))).collect();
    list.sort_unstable_by_key(|entry| entry.0);
    list
}

const CHILD: [&str; 4] = ["--exact", "store::tests::crash::the_child", "--ignored", "--nocapture"];

fn spawn(order: &str, folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(CHILD)
        .envs([(ORDER, order.as_ref()), (FOLDER, folder.as_os_str())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What the child says; the test runner may put its own words before the first of ours.
fn lines(output: impl BufRead) -> impl Iterator<Item = String> {
    let lines = output.lines().map_while(Result::ok);
    lines.filter_map(|line| line.split_once("said ").map(|(_, said)| said.to_owned()))
}

/// Starts the child and kills it when it has said `count` lines; gives the last of them.
fn kill_after(order: &str, folder: &Path, count: usize) -> String {
    kill_when_it_said(spawn(order, folder), count)
}

fn kill_when_it_said(mut child: Child, count: usize) -> String {
    let last = lines(BufReader::new(child.stdout.take().unwrap())).take(count).last();
    child.kill().unwrap();
    child.wait().unwrap();
    last.expect("the child said something before it ended")
}

fn options_for(order: &str) -> StoreOptions {
    let max_batch_rows = if order.ends_with("large") { 1000 } else { options().max_batch_rows };
    StoreOptions { max_batch_rows, ..options() }
}

fn wait_for_the_end() {
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
#[ignore = "the process that the other tests start and kill"]
fn the_child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let folder = std::env::var(FOLDER).unwrap();
    // Large CRLs are staged; those of 3,000 rows go in one batch.
    let store = Store::open(Path::new(&folder), &options_for(&order)).unwrap();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    match order.as_str() {
        "large" => {
            let from = store.scope(&key).unwrap().map_or(0, |record| record.crl.crl_number[0]);
            println!("said begin");
            for number in from + 1..=u8::MAX {
                let list = list(large(), number.into());
                match store.replace_scope(crl(&key, number), entries(&list)) {
                    Ok(_) => println!("said {number}"),
                    Err(why) => println!("said {why}"),
                }
            }
        }
        "replace" => {
            let from = store.scope(&key).unwrap().map_or(0, |record| record.crl.crl_number[0]);
            for number in from + 1..=u8::MAX {
                store.replace_scope(crl(&key, number), entries(&list(ROWS, number.into()))).unwrap();
                println!("said {number}");
            }
        }
        "refresh" => {
            drop(store);
            let store = Store::open(Path::new(&folder), &sketched()).unwrap();
            let from = store.scope(&key).unwrap().map_or(0, |record| record.crl.crl_number[0]);
            for number in from + 1..=u8::MAX {
                take(&store, &crl(&key, number), &window(number), Retention::WithoutEnd, true).0.unwrap();
                println!("said {number}");
            }
        }
        "rollback" | "rollback large" => {
            // The copy has the first CRL.
            let path = Path::new(&folder).with_file_name("copy");
            if !path.exists() {
                store.replace_scope(crl(&key, 1), entries(&list(ROWS, 1))).unwrap();
                store.checkpoint(&path).unwrap();
            }
            let copy = Store::open_read_only(&path, &options()).unwrap();
            println!("said begin");
            for _ in 0..u8::MAX {
                store.roll_back_scope(&copy, &key).unwrap();
                println!("said 1");
                store.replace_scope(crl(&key, 2), entries(&list(ROWS, 2))).unwrap();
                println!("said 2");
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
        "inventory" | "addition" => {
            let from = if order == "addition" { 300_000 } else { 0 };
            let serials = (from..from + 300_000u64).map(|n| {
                if n == from + 250_000 {
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

/// The store holds one whole CRL of the large kind, or none yet; its number.
fn large_crl_in(folder: &Path) -> Option<u8> {
    let store = Store::open(folder, &StoreOptions { max_batch_rows: 1000, ..options() }).unwrap();
    assert!(!folder.join("staged").exists(), "files of a load that was cut short are cleared away");
    let issuer = store.find_issuer(b"ca").unwrap()?;
    let view = store.view().unwrap();
    assert_eq!(view.scopes(), store.scopes().unwrap());
    let record = view.scopes().first();
    let number = record.map(|record| record.crl.crl_number[0]);
    for n in 0..large() {
        let found = rows(&view, issuer, &SerialNumber::from(n));
        let expected = record.map(|record| {
            assert_eq!(record.entries, large());
            (record.number, revoked(record.crl.crl_number[0].into(), CrlReason::Superseded), false)
        });
        assert_eq!(found, Vec::from_iter(expected), "every row is of the CRL that the record names");
    }
    number
}

/// Writes something small, which finishes what is unfinished: nothing is left of it, then.
fn finish_in(folder: &Path) {
    let store = Store::open(folder, &options()).unwrap();
    let issuer = store.issuer_number(b"ca").unwrap();
    let small = scope_key(issuer, "small");
    store.replace_scope(crl(&small, 1), entries(&list(1, 1))).unwrap();
    let of_large = store.scope(&scope_key(issuer, "a")).unwrap().map_or(0, |record| record.entries);
    assert_eq!(check_twins(&store) as u64, of_large + 1);
    assert!(store.remove_scope(&small).unwrap());
}

/// Kills the child `after` so long since it began, wherever it is then; what it said last before.
fn kill_at(order: &str, folder: &Path, after: Duration) -> Option<String> {
    let mut child = spawn(order, folder);
    let (says, hears) = std::sync::mpsc::channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    let listening = std::thread::spawn(move || {
        for said in lines(output) {
            let _ = says.send(said);
        }
    });
    assert_eq!(hears.recv().unwrap(), "begin");
    let (begin, mut last) = (Instant::now(), None);
    // The moment of a kill is a moment in time: this is no waiting for something to happen.
    while let Some(left) = after.checked_sub(begin.elapsed())
        && let Ok(said) = hears.recv_timeout(left)
    {
        last = Some(said);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    listening.join().unwrap();
    hears.try_iter().last().or(last)
}

#[test]
fn trap32_killed_at_any_moment_of_large_loads_the_store_has_the_old_or_the_new_crl() {
    // Moments spread over a first load and the large changes after it, each round from where the last
    // one was killed; how long a load takes is measured first.
    let measured = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    kill_after("large", measured.path(), 3);
    let two_loads = begin.elapsed();
    for (share, rounds) in [(1, 5), (2, 2)] {
        let folder = tempfile::tempdir().unwrap();
        for round in 1..=rounds {
            let said = kill_at("large", folder.path(), two_loads * (2 * round - 1) * share / 10);
            let said: Option<u8> = said.map(|said| said.parse().unwrap_or_else(|_| panic!("{said}")));
            let found = large_crl_in(folder.path());
            assert!(found >= said, "what was reported as committed is there");
            if round % 2 == 0 {
                finish_in(folder.path());
                assert_eq!(large_crl_in(folder.path()), found, "finishing changes nothing that is seen");
            }
        }
        // And the next attempt succeeds.
        let before = large_crl_in(folder.path()).unwrap_or(0);
        assert_eq!(kill_after("large", folder.path(), 2), (before + 1).to_string());
        assert!(large_crl_in(folder.path()) > Some(before));
        finish_in(folder.path());
    }
}

#[test]
fn trap32_on_a_full_disk_the_old_crl_stays_and_the_next_attempt_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let child = std::env::current_exe().unwrap();
    // A limit on the size of files fails writes as a full disk does: in the staged files, with nothing
    // held and with a CRL held.
    for _ in 0..2 {
        let held = large_crl_in(folder.path());
        let limited = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\""])
            .arg(&child)
            .args(CHILD)
            .envs([(ORDER, "large".as_ref()), (FOLDER, folder.path().as_os_str())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = kill_when_it_said(limited, 2);
        assert!(said.contains("failed: ") && said.contains("File too large"), "{said}");
        assert_eq!(large_crl_in(folder.path()), held);
        let next = held.unwrap_or(0) + 1;
        assert_eq!(kill_after("large", folder.path(), 2), next.to_string());
        assert!(large_crl_in(folder.path()) >= Some(next));
    }
}

#[test]
fn trap32_killed_at_any_moment_of_a_rollback_the_store_has_the_one_crl_or_the_other() {
    for order in ["rollback", "rollback large"] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let begin = Instant::now();
        kill_after(order, &data, 5);
        let two_rounds = begin.elapsed();
        for round in 1..=7 {
            kill_at(order, &data, two_rounds * round / 8);
            let store = Store::open(&data, &options_for(order)).unwrap();
            let issuer = store.find_issuer(b"ca").unwrap().unwrap();
            let view = store.view().unwrap();
            let [record] = view.scopes() else { panic!("one scope") };
            let [number] = record.crl.crl_number[..] else { panic!("one octet") };
            assert_eq!(record.entries, ROWS);
            let expected = revoked(number.into(), CrlReason::Superseded);
            for n in 0..ROWS {
                assert_eq!(
                    rows(&view, issuer, &SerialNumber::from(n)),
                    [(record.number, expected, false)],
                    "every row is of the CRL that the record names"
                );
            }
            // And what was cut short is done again, to its end.
            let copy = Store::open_read_only(&data.with_file_name("copy"), &options()).unwrap();
            let key = scope_key(issuer, "a");
            assert_eq!(store.roll_back_scope(&copy, &key).unwrap().is_some(), number == 2);
            assert_eq!(store.scope(&key).unwrap().unwrap().crl, copy.scope(&key).unwrap().unwrap().crl);
            let found = store.verify(|_| {});
            assert_eq!((found.problems, found.unfinished), (vec![], vec![]));
            assert_eq!(check_twins(&store), ROWS as usize);
        }
    }
}

/// Ten go with each CRL, and as many come.
fn window(number: u8) -> Vec<(SerialNumber, Revocation)> {
    let from = 10 * u64::from(number);
    (from..from + ROWS).map(|n| (SerialNumber::from(n), revoked(1, CrlReason::Superseded))).collect()
}

#[test]
fn trap32_killed_while_refreshing_by_sketches_the_rows_and_the_sketch_are_of_one_crl() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..6 {
        kill_after("refresh", folder.path(), round);
        let store = Store::open(folder.path(), &sketched()).unwrap();
        let issuer = store.find_issuer(b"ca").unwrap().unwrap();
        let key = scope_key(issuer, "a");
        let number = store.scope(&key).unwrap().unwrap().crl.crl_number[0];
        let view = store.view().unwrap();
        let (first, from) = (10, 10 * u64::from(number));
        for n in 0..from + ROWS + 20 {
            let found = rows(&view, issuer, &SerialNumber::from(n));
            let retained: Vec<bool> = found.iter().map(|row| row.2).collect();
            let expected: &[bool] = match n {
                _ if n < first || n >= from + ROWS => &[],
                _ if n < from => &[true],
                _ => &[false],
            };
            assert_eq!(retained, expected, "serial {n} in CRL {number}");
        }
        assert_eq!(check_twins(&store) as u64, from - first + ROWS);
        let next = crl(&key, number + 1);
        let (change, way) = take(&store, &next, &window(number + 1), Retention::WithoutEnd, true);
        let change = change.unwrap();
        assert_eq!((change.added, change.retained, way), (10, 10, Way::Summed));
        assert_eq!(change.retained_in_all, from + 10 - first);
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
    assert_eq!(store.view().unwrap().inventory_state(issuer), Ok(InventoryState::Partial { rows: 0 }));
    let serials = (0..300_000u64).map(|n| Ok::<_, Infallible>((SerialNumber::from(n), None)));
    let load = store.load_inventory(issuer, serials).unwrap();
    assert_eq!(load, InventoryLoad { added: 300_000, already_there: 0, moved: 0 });
    assert_eq!(store.view().unwrap().inventory_state(issuer), Ok(InventoryState::Complete { rows: 300_000 }));

    // And in an addition: what came before the last batch is there, and counted.
    drop(store);
    kill_after("addition", folder.path(), 1);
    let store = Store::open(folder.path(), &options()).unwrap();
    assert_eq!(store.view().unwrap().inventory_state(issuer), Ok(InventoryState::Complete { rows: 500_000 }));
}
