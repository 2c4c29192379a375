//! The audit log on a disk that is full, then has room again: both choices of `audit.when_full`.
//!
//! A library in front of the C library, made here with `cc`, has writes to files of one folder fail with ENOSPC as
//! long as a certain file is there; each second one first takes half of the octets, as a disk does that fills up.

use crate::audit::{verified, with_audit};
use crate::records::{Asking, request};
use crate::support::{Server, get, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_full(int file) {
    const char *flag = getenv("OCSPREY_TEST_FULL_FLAG");
    const char *folder = getenv("OCSPREY_TEST_FULL_FOLDER");
    char link[64], path[PATH_MAX];
    if (!flag || !folder || access(flag, F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, folder, strlen(folder)) == 0;
}
static size_t room(int file, size_t count) {
    static int tries;
    if (!is_full(file)) return count;
    return __atomic_add_fetch(&tries, 1, __ATOMIC_RELAXED) % 2 ? count / 2 : 0;
}
ssize_t write(int file, const void *octets, size_t count) {
    size_t fits = room(file, count);
    if (count && !fits) { errno = ENOSPC; return -1; }
    return syscall(SYS_write, file, octets, fits);
}
ssize_t pwrite64(int file, const void *octets, size_t count, off64_t at) {
    size_t fits = room(file, count);
    if (count && !fits) { errno = ENOSPC; return -1; }
    return syscall(SYS_pwrite64, file, octets, fits, at);
}
ssize_t pwrite(int file, const void *octets, size_t count, off_t at) { return pwrite64(file, octets, count, at); }
"#;

/// A server whose audit log stands on a disk that can be filled.
struct Disk {
    flag: PathBuf,
    library: PathBuf,
    folder: PathBuf,
}

impl Disk {
    /// Below `dir`; `None` where there is no C compiler.
    fn new(dir: &Path) -> Option<Self> {
        let dir = fs::canonicalize(dir).unwrap();
        let (source, library) = (dir.join("full.c"), dir.join("full.so"));
        fs::write(&source, LIBRARY).unwrap();
        let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
        if !made.is_ok_and(|status| status.success()) {
            eprintln!("skipped: there is no C compiler to make the full disk with");
            return None;
        }
        Some(Self { flag: dir.join("is-full"), library, folder: dir.join("audit") })
    }

    fn serve(&self, dir: tempfile::TempDir) -> Server {
        let variables = [
            ("LD_PRELOAD", &self.library),
            ("OCSPREY_TEST_FULL_FLAG", &self.flag),
            ("OCSPREY_TEST_FULL_FOLDER", &self.folder),
        ];
        Server::start_with(dir, &variables.map(|(name, path)| (name, path.to_str().unwrap().to_owned())))
    }

    fn fill(&self) {
        fs::write(&self.flag, "").unwrap();
    }

    fn free(&self) {
        fs::remove_file(&self.flag).unwrap();
    }
}

fn metric(server: &Server, name: &str) -> u64 {
    let page = get(&format!("{}/metrics", server.admin)).text();
    page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap()
}

/// Waits until a write was tried and failed.
fn until_it_fails(server: &Server) {
    wait_until(|| server.said(), || (metric(server, "audit_write_failures_total") > 0).then_some(()));
}

/// A tryLater has five octets.
fn is_answered(answer: &[u8]) -> bool {
    let is_refused = answer == [0x30, 3, 0x0a, 1, 3];
    assert!(is_refused || answer.len() > 100, "{answer:02x?}");
    !is_refused
}

#[test]
fn on_a_full_disk_who_refuses_answers_try_later_and_all_is_accounted_for_when_there_is_room_again() {
    let dir = with_audit("when_full = \"refuse\"");
    let Some(disk) = Disk::new(dir.path()) else { return };
    let server = disk.serve(dir);
    let good = request(server.dir(), "auth", &["good"], &["-no_nonce"]);
    let mut asking = Asking::of(&server);
    let (mut answered, mut refused) = (0_u64, 0_u64);
    let mut ask = |asking: &mut Asking| {
        let is = is_answered(&asking.post(&good).unwrap());
        *(if is { &mut answered } else { &mut refused }) += 1;
        is
    };
    assert!((0..50).all(|_| ask(&mut asking)));
    disk.fill();
    wait_until(|| server.said(), || (!ask(&mut asking)).then_some(()));
    assert!((0..50).all(|_| !ask(&mut asking)), "nothing is answered that is not put on record");
    until_it_fails(&server);
    assert_eq!(metric(&server, "audit_records_missing_total"), 0);
    disk.free();
    wait_until(|| server.said(), || ask(&mut asking).then_some(()));
    assert!((0..50).all(|_| ask(&mut asking)));
    let (status, dir) = server.terminate();
    assert_eq!(status.code(), Some(0));
    let found = verified(dir.path());
    let number = |found: &serde_json::Value, key: &str| found[key].as_u64().unwrap();
    assert_eq!(number(&found, "answers"), answered, "{found:#}");
    assert_eq!(number(&found, "refused"), refused, "{found:#}");
    assert_eq!((number(&found, "missing"), number(&found, "interruptions")), (0, 0), "{found:#}");

    // Full once more, and killed: what is torn is cut off at the next start, and said.
    let server = disk.serve(dir);
    let mut asking = Asking::of(&server);
    assert!((0..50).all(|_| is_answered(&asking.post(&good).unwrap())));
    disk.fill();
    wait_until(|| server.said(), || (!is_answered(&asking.post(&good).unwrap())).then_some(()));
    let dir = server.kill();
    disk.free();
    let (_, dir) = disk.serve(dir).terminate();
    let found = verified(dir.path());
    assert_eq!(number(&found, "interruptions"), 1, "{found:#}");
}

#[test]
fn on_a_full_disk_who_leaves_gaps_answers_on_and_counts_each_that_is_missing() {
    let dir = with_audit("when_full = \"gap\"");
    let file = dir.path().join("ocsprey.toml");
    let one_worker = fs::read_to_string(&file).unwrap().replace("workers = 0", "workers = 1");
    fs::write(&file, one_worker).unwrap();
    let Some(disk) = Disk::new(dir.path()) else { return };
    let server = disk.serve(dir);
    let good = request(server.dir(), "auth", &["good"], &["-no_nonce"]);
    let mut asking = Asking::of(&server);
    let mut asked = 0_u64;
    let mut ask = |asking: &mut Asking| {
        asked += 1;
        assert!(is_answered(&asking.post(&good).unwrap()));
    };
    (0..50).for_each(|_| ask(&mut asking));
    disk.fill();
    ask(&mut asking);
    until_it_fails(&server);
    // More than wait in memory for a disk.
    (0..34_000).for_each(|_| ask(&mut asking));
    disk.free();
    wait_until(
        || server.said(),
        || {
            ask(&mut asking);
            (metric(&server, "audit_records_missing_total") > 0
                && metric(&server, "audit_records_waiting") == 0)
                .then_some(())
        },
    );
    (0..50).for_each(|_| ask(&mut asking));
    let (status, dir) = server.terminate();
    assert_eq!(status.code(), Some(0));
    let found = verified(dir.path());
    let number = |key: &str| found[key].as_u64().unwrap();
    assert!(number("missing") > 1000, "{found:#}");
    assert_eq!(
        number("answers") + number("missing"),
        asked,
        "every answer is on record or counted: {found:#}"
    );
    assert_eq!((number("refused"), number("interruptions")), (0, 0), "{found:#}");
}
