//! A disk that does not take what it was given: fsync fails, as a dying disk's does, and once is enough.
//!
//! A library in front of the C library, made here with `cc`, lets fsync and fdatasync of files in one folder
//! fail as long as a certain file is there. The child is this test program again ([`super::crash`] says how).

use super::scopes::check_twins;
use super::*;
use std::path::{Path, PathBuf};
use std::process::Command;

const FOLDER: &str = "OCSPREY_TEST_SYNC_FOLDER";
const FLAG: &str = "OCSPREY_TEST_SYNC_FLAG";
const ERRNO: &str = "OCSPREY_TEST_SYNC_ERRNO";
const EIO: &str = "5";
const ROWS: &str = "OCSPREY_TEST_FAILING_ROWS";
const CHILD: [&str; 4] = ["--exact", "store::tests::failing::the_child", "--ignored", "--nocapture"];

const LIBRARY: &str = include_str!("../../../tests/clients/support/failing_sync.c");

fn list(count: u64, time: i64) -> Vec<(SerialNumber, Revocation)> {
    let mut list: Vec<_> =
        (0..count).map(|n| (SerialNumber::from(n), revoked(time, CrlReason::Superseded))).collect();
    list.sort_unstable_by_key(|entry| entry.0);
    list
}

/// The CRL in force, if every serial reads as in that one.
fn whole(store: &Store, count: u64) -> Option<u8> {
    let issuer = store.find_issuer(b"ca").unwrap()?;
    let number = store.scope(&scope_key(issuer, "a")).unwrap()?.crl.crl_number[0];
    let view = store.view().unwrap();
    for n in 0..count {
        let rows = rows(&view, issuer, &SerialNumber::from(n));
        let times: Vec<i64> = rows.iter().map(|(_, revocation, _)| revocation.time.seconds()).collect();
        assert_eq!(times, [i64::from(number)], "serial {n} in CRL {number}");
    }
    Some(number)
}

#[test]
#[ignore = "the process that the other test starts"]
fn the_child() {
    let [Ok(folder), Ok(flag), Ok(count)] = [FOLDER, FLAG, ROWS].map(std::env::var) else { return };
    let count: u64 = count.parse().unwrap();
    let options = StoreOptions { max_batch_rows: 5000, ..options() };
    let store = Store::open(Path::new(&folder), &options).unwrap();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    let replace = |number: u8| store.replace_scope(crl(&key, number), entries(&list(count, number.into())));
    let held = whole(&store, count).unwrap_or(0);
    replace(held + 1).unwrap();
    std::fs::write(&flag, "").unwrap();
    let why = replace(held + 2).expect_err("it is not on the disk");
    println!("said {why}");
    // What is answered from is the old CRL, and so it stays: also once the disk seems well again.
    assert_eq!(whole(&store, count), Some(held + 1));
    std::fs::remove_file(&flag).unwrap();
    if let Err(why) = replace(held + 3) {
        println!("said {why}");
        assert_eq!(whole(&store, count), Some(held + 1));
    }
    println!("said end");
}

#[test]
#[ignore = "the process that the other test starts"]
fn the_child_that_numbers() {
    let [Ok(folder), Ok(flag)] = [FOLDER, FLAG].map(std::env::var) else { return };
    let store = Store::open(Path::new(&folder), &options()).unwrap();
    let first = store.series(&[1; 32]).unwrap();
    std::fs::write(&flag, "").unwrap();
    assert_eq!(store.series(&[1; 32]), Ok(first));
    // What is signed for it would be on the disk at once.
    println!("said {}", store.series(&[2; 32]).expect_err("its name is not on the disk"));
}

#[test]
fn a_series_has_no_number_before_its_name_is_on_the_disk() {
    let place = tempfile::tempdir().unwrap();
    let Some(library) = library(place.path()) else { return };
    let folder = place.path().join("data");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::failing::the_child_that_numbers", "--ignored", "--nocapture"])
        .env("LD_PRELOAD", &library)
        .env(FOLDER, &folder)
        .env(ERRNO, EIO)
        .env(FLAG, place.path().join("flag"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success() && said.contains("said the store"), "{said}");
}

/// Made below `place`; `None` where there is no C compiler.
fn library(place: &Path) -> Option<PathBuf> {
    let (source, library) = (place.join("failing.c"), place.join("failing.so"));
    std::fs::write(&source, LIBRARY).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no C compiler to make the failing disk with");
        return None;
    }
    Some(library)
}

#[test]
fn trap32_a_failing_fsync_is_told_and_leaves_the_old_crl_in_force_and_the_next_start_takes_the_new_one() {
    let place = tempfile::tempdir().unwrap();
    let Some(library) = library(place.path()) else { return };
    // In one batch, and staged in files.
    for count in [3000, 20_000u64] {
        let folder = place.path().join(count.to_string());
        std::fs::create_dir(&folder).unwrap();
        for _ in 0..2 {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(CHILD)
                .env("LD_PRELOAD", &library)
                .env(FOLDER, &folder)
                .env(ERRNO, EIO)
                .env(FLAG, place.path().join("flag"))
                .env(ROWS, count.to_string())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout).into_owned();
            assert!(child.status.success() && said.contains("said end"), "{said}");
            let first = said.lines().find(|line| line.contains("said ")).unwrap();
            assert!(first.contains("failed: ") && first.contains("check free space"), "{first}");
            // The one or the other, whole: what was written and not synced may have come to the disk all the same.
            let store = Store::open(&folder, &options()).unwrap();
            let held = whole(&store, count).expect("a CRL is held");
            let issuer = store.find_issuer(b"ca").unwrap().unwrap();
            let next = crl(&scope_key(issuer, "a"), held + 1);
            store.replace_scope(next, entries(&list(count, i64::from(held) + 1))).unwrap();
            assert_eq!(whole(&store, count), Some(held + 1));
            assert_eq!(check_twins(&store) as u64, count);
        }
    }
}
