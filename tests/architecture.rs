//! The floors of the house, as data, and the checks that name the line which breaks them.
//!
//! The table of `src/lib.rs` in words stands here as `MODULES`. A new module, a new import
//! upwards or a lock on the hot path fails `cargo test` with `file:line: what: why`. The
//! checker itself is judged first, on snippets that must fail.
//!
//! It reads source text, not types: comments and strings are blanked, then names are looked for.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

#[path = "architecture/source.rs"]
mod source;

use source::{Source, read_sources};
use std::collections::BTreeSet;

/// A module of `src/lib.rs`, its floor, and which of ours it may import.
struct Module {
    name: &'static str,
    floor: u8,
    knows: Knows,
}

enum Knows {
    /// The uppermost floor: whatever is on its own floor or below.
    Everything,
    These(&'static [&'static str]),
}

const fn module(name: &'static str, floor: u8, knows: &'static [&'static str]) -> Module {
    Module { name, floor, knows: Knows::These(knows) }
}

const fn top(name: &'static str) -> Module {
    Module { name, floor: 5, knows: Knows::Everything }
}

const MODULES: &[Module] = &[
    top("cli"),
    top("app"),
    top("config"),
    top("demo"),
    module(
        "http",
        4,
        &["respond", "verifiers", "snapshot", "store", "metrics", "clock", "signing", "ocsp", "x509", "asn1"],
    ),
    module("ingest", 3, &["snapshot", "store", "signing", "clock", "ocsp", "x509", "asn1"]),
    module("respond", 3, &["snapshot", "store", "signing", "ocsp", "x509", "asn1"]),
    module("verifiers", 3, &["snapshot", "store", "signing", "ocsp", "x509", "asn1"]),
    module("audit", 3, &["snapshot", "store", "signing", "metrics", "clock", "ocsp", "x509"]),
    module("usage", 3, &["store", "metrics", "clock", "ocsp", "x509"]),
    module("traces", 3, &["signing", "metrics"]),
    module("snapshot", 2, &["store", "signing", "ocsp", "x509", "asn1"]),
    module("store", 1, &["ocsp", "x509", "asn1"]),
    module("signing", 1, &["ocsp", "x509", "asn1"]),
    module("metrics", 1, &["ocsp", "x509", "asn1"]),
    module("clock", 1, &["x509"]),
    module("ocsp", 0, &["x509", "asn1"]),
    module("x509", 0, &["asn1"]),
    module("asn1", 0, &[]),
];

/// A crate that one place speaks to, so that it can be understood, and replaced, in one place.
struct Owned {
    krate: &'static str,
    by: &'static [&'static str],
    why: &'static str,
}

const OWNED: &[Owned] = &[
    Owned { krate: "rocksdb", by: &["src/store/"], why: "formats and batches are the store's alone" },
    Owned { krate: "ring", by: &["src/signing/"], why: "what signs and verifies is chosen in one place" },
    Owned {
        krate: "aws_lc_rs",
        by: &["src/signing/"],
        why: "what signs and verifies is chosen in one place",
    },
    Owned { krate: "hyper", by: &["src/http/"], why: "answers know nothing of HTTP" },
    Owned { krate: "prometheus", by: &["src/metrics"], why: "handles are resolved once, at start" },
    Owned { krate: "clap", by: &["src/cli/", "src/main.rs"], why: "only the command line reads arguments" },
];

/// A word that a request's way must not meet.
struct Banned {
    word: &'static str,
    /// The files it is banned in; a prefix.
    within: &'static [&'static str],
    why: &'static str,
}

const HOT: &[&str] = &["src/respond/", "src/snapshot/", "src/ocsp/request", "src/http/ocsp_"];
/// Where even waiting is out of place: a request is answered in one go.
const PURE: &[&str] = &["src/respond/", "src/snapshot/", "src/ocsp/", "src/x509/", "src/asn1/"];

const BANNED: &[Banned] = &[
    Banned { word: "Mutex", within: HOT, why: "nothing on a request's way waits on another" },
    Banned { word: "RwLock", within: HOT, why: "a waiting writer stops every reader" },
    Banned { word: "Condvar", within: HOT, why: "nothing on a request's way waits on another" },
    Banned { word: "format!", within: HOT, why: "answers are written from templates, not formatted" },
    Banned { word: "println!", within: HOT, why: "nothing on a request's way prints" },
    Banned { word: "eprintln!", within: HOT, why: "nothing on a request's way prints" },
    Banned { word: "tracing", within: HOT, why: "a log of queries is a profile of citizens; count instead" },
    Banned { word: "with_label_values", within: HOT, why: "takes a lock and hashes" },
    Banned { word: "SystemTime::now", within: PURE, why: "the time enters as an argument" },
    Banned { word: "Instant::now", within: PURE, why: "the time enters as an argument" },
    Banned { word: "async", within: PURE, why: "one request, one answer, no waiting" },
    Banned { word: "await", within: PURE, why: "one request, one answer, no waiting" },
    Banned { word: "tokio", within: PURE, why: "one request, one answer, no waiting" },
];

/// Lawful exceptions to `BANNED`: file, word, reason. One that is no longer needed fails.
const HOT_EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/snapshot/published.rs", "Mutex", "publishers put old snapshots by; loading never meets it"),
    ("src/snapshot/mod.rs", "format!", "reasons for /readyz, which is not on a request's way"),
];

const MOST_LINES: usize = 500;
/// Files that may be longer, up to `HARD_LIMIT`, and why. One that is no longer needed fails.
const LONG_FILES: &[(&str, &str)] = &[];
const HARD_LIMIT: usize = 600;

fn find(name: &str) -> Option<&'static Module> {
    MODULES.iter().find(|module| module.name == name)
}

fn may_know(importer: &Module, imported: &Module) -> bool {
    match importer.knows {
        Knows::Everything => true,
        Knows::These(names) => importer.name == imported.name || names.contains(&imported.name),
    }
}

/// Imports that go up, or sideways where that is not allowed. Tests obey too: one that needs
/// an upper floor belongs to that floor.
fn broken_floors(source: &Source) -> Vec<String> {
    let Some(importer) = source.module().and_then(find) else { return Vec::new() };
    let names = source.imports().into_iter();
    names
        .filter_map(|(line, name)| Some((line, find(&name)?)))
        .filter(|(_, imported)| !may_know(importer, imported))
        .map(|(line, imported)| {
            format!(
                "{}:{line}: imports `crate::{}`: {} is on floor {} and may not know {} on floor {}",
                source.path, imported.name, importer.name, importer.floor, imported.name, imported.floor
            )
        })
        .collect()
}

fn foreign_crates(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for owned in OWNED.iter().filter(|owned| !owned.by.iter().any(|place| source.path.starts_with(place))) {
        for line in source.uses_of_crate(owned.krate) {
            let Owned { krate, by, why } = owned;
            found.push(format!("{}:{line}: names `{krate}`: only {} may, {why}", source.path, by.join(", ")));
        }
    }
    found
}

fn banned_words(source: &Source, exceptions: &[(&str, &str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for banned in BANNED.iter().filter(|banned| banned.within.iter().any(|way| source.path.starts_with(way)))
    {
        let lines = source.lines_with_word(banned.word);
        let excepted = exceptions.iter().any(|(path, word, _)| *path == source.path && *word == banned.word);
        if excepted && lines.is_empty() {
            found.push(format!("{}: the exception for `{}` is no longer needed", source.path, banned.word));
        } else if !excepted {
            let say = |line| format!("{}:{line}: names `{}`: {}", source.path, banned.word, banned.why);
            found.extend(lines.into_iter().map(say));
        }
    }
    found
}

fn too_long(source: &Source, long_files: &[(&str, &str)]) -> Option<String> {
    let Source { path, lines, .. } = source;
    let excepted = long_files.iter().any(|(long, _)| long == path);
    let most = if excepted { HARD_LIMIT } else { MOST_LINES };
    if *lines > most {
        return Some(format!("{path}: {lines} lines: at most {most}, a reader keeps no more in mind"));
    }
    (excepted && *lines <= MOST_LINES)
        .then(|| format!("{path}: the exception for its length is no longer needed"))
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "{} broken:\n{}\n", found.len(), found.join("\n"));
}

#[test]
fn imports_go_down_only() {
    let sources = read_sources("src");
    assert_none(&sources.iter().flat_map(broken_floors).collect::<Vec<_>>());
}

#[test]
fn each_outside_crate_is_spoken_to_in_one_place() {
    let sources = read_sources("src");
    assert_none(&sources.iter().flat_map(foreign_crates).collect::<Vec<_>>());
}

#[test]
fn a_request_meets_no_lock_no_log_no_formatting() {
    let sources = read_sources("src");
    assert_none(&sources.iter().flat_map(|source| banned_words(source, HOT_EXCEPTIONS)).collect::<Vec<_>>());
}

#[test]
fn no_file_is_longer_than_a_reader_keeps_in_mind() {
    let folders = ["src", "tests", "benches", "loadtest"];
    let sources = folders.iter().flat_map(|folder| read_sources(folder)).collect::<Vec<_>>();
    assert_none(&sources.iter().filter_map(|source| too_long(source, LONG_FILES)).collect::<Vec<_>>());
}

#[test]
fn the_table_names_every_module_and_no_other() {
    let sources = read_sources("src");
    let library = sources.iter().find(|source| source.path == "src/lib.rs").expect("src/lib.rs");
    let declared: BTreeSet<String> = library.declared_modules().into_iter().collect();
    let listed: BTreeSet<String> = MODULES.iter().map(|module| module.name.to_owned()).collect();
    assert_eq!(declared, listed, "src/lib.rs on the left, MODULES on the right");
    let stray = sources.iter().filter_map(Source::module).find(|name| find(name).is_none());
    assert_eq!(stray, None, "a folder of src/ that no module of lib.rs names");
}

#[test]
fn the_table_itself_goes_down_only() {
    for importer in MODULES {
        let Knows::These(names) = importer.knows else {
            assert_eq!(importer.floor, 5, "{} knows everything", importer.name);
            continue;
        };
        for name in names {
            let imported = find(name).unwrap_or_else(|| panic!("{}: {name} is no module", importer.name));
            // Floor 0 is bytes only; x509 stands on asn1, and ocsp on both.
            let lower =
                imported.floor < importer.floor || (importer.floor == 0 && !may_know(imported, importer));
            assert!(lower, "{} (floor {}) may not know {name}", importer.name, importer.floor);
        }
    }
}

#[test]
fn the_entry_of_the_hot_path_is_the_proof_of_what_it_is() {
    let sources = read_sources("src/respond");
    let signature = sources.iter().find_map(|source| source.signature_of("respond"));
    let expected = "pub fn respond(&self, snapshot: &Snapshot, request: &[u8], now: UnixTime) -> Answer";
    assert_eq!(
        signature.as_deref(),
        Some(expected),
        "no async, no &mut, no Result: every failure is an answer"
    );
}

/// The checker, judged: each snippet stands for a mistake that somebody will make.
mod the_checker {
    use super::*;

    fn floors(path: &str, text: &str) -> Vec<String> {
        broken_floors(&Source::new(path, text))
    }

    #[test]
    fn finds_an_import_upwards_and_names_its_line() {
        let found = floors("src/x509/time.rs", "//! Times.\n\nuse crate::store::Store;\n");
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("src/x509/time.rs:3: imports `crate::store`: x509 is on floor 0"),
            "{found:?}"
        );
    }

    #[test]
    fn finds_each_of_a_group_over_several_lines() {
        let text = "use crate::{\n    x509::{SerialNumber, UnixTime},\n    http::{self, respond},\n    ingest::Sorter,\n};\n";
        let found = floors("src/respond/mod.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains(":3:") && found[0].contains("`crate::http`"), "{found:?}");
        assert!(found[1].contains(":4:") && found[1].contains("`crate::ingest`"), "{found:?}");
    }

    #[test]
    fn finds_a_path_without_use_and_one_by_way_of_super() {
        assert_eq!(floors("src/store/mod.rs", "fn f() -> crate::signing::Digest { todo!() }").len(), 1);
        assert_eq!(floors("src/store/db.rs", "use super::super::signing::Digest;").len(), 1);
        assert_eq!(floors("src/clock.rs", "use super::metrics::Metrics;").len(), 1);
    }

    #[test]
    fn the_two_sides_of_floor_three_never_meet() {
        assert_eq!(floors("src/ingest/apply.rs", "use crate::respond::Responder;").len(), 1);
        assert_eq!(floors("src/respond/decide.rs", "use crate::ingest::Guard;").len(), 1);
    }

    #[test]
    fn lets_lawful_imports_pass_and_reads_no_comments_nor_strings() {
        let text = r##"
            //! See [`crate::http`].
            /* crate::cli /* crate::app */ crate::demo */
            use crate::store::{Store, StoreError};
            use super::sort::http;
            const A: &str = "crate::http \" crate::app";
            const B: &str = r#"crate::cli "quoted" crate::demo"#;
            const C: char = '"'; fn f<'a>(_: &'a str) {} // crate::app
        "##;
        assert_eq!(floors("src/ingest/apply.rs", text), Vec::<String>::new());
        assert_eq!(floors("src/main.rs", "use ocsprey::cli;"), Vec::<String>::new());
    }

    #[test]
    fn finds_a_foreign_crate_but_not_a_variable_of_its_name() {
        let find = |path, text| foreign_crates(&Source::new(path, text)).len();
        assert_eq!(find("src/ingest/mod.rs", "use rocksdb::DB;"), 1);
        assert_eq!(find("src/http/caching.rs", "let d = ring::digest::digest(&ring::digest::SHA256, b);"), 2);
        assert_eq!(find("src/http/caching.rs", "use {bytes::Bytes, ring::digest};"), 1);
        assert_eq!(find("src/store/db.rs", "use rocksdb::{DB, Options};"), 0);
        assert_eq!(
            find("src/ingest/mod.rs", "let ring = 1; mod ring; self.ring.turn(); crate::signing::ring::x()"),
            0
        );
        assert_eq!(find("src/ingest/mod.rs", "#[cfg(test)]\nmod tests {\n use rocksdb::DB;\n}\n"), 0);
    }

    #[test]
    fn finds_a_lock_on_the_hot_path_but_not_in_its_tests() {
        let find = |path, text| banned_words(&Source::new(path, text), &[]);
        let lock = "use std::sync::Mutex;\nstruct S(Mutex<u8>);\n";
        assert_eq!(find("src/respond/cache.rs", lock).len(), 2);
        assert!(find("src/respond/cache.rs", lock)[0].starts_with("src/respond/cache.rs:1: names `Mutex`"));
        assert_eq!(find("src/ingest/schedule.rs", lock).len(), 0);
        assert_eq!(find("src/http/ocsp_get.rs", "async fn f() { g().await; format!(\"\"); }").len(), 1);
        assert_eq!(find("src/respond/mod.rs", "pub async fn respond() { g().await }").len(), 2);
        let tested = "fn f() {}\n#[cfg(test)]\nmod tests {\n fn g() { format!(\"{}\", 1); }\n}\nfn h() { format!(\"\"); }\n";
        let found = find("src/respond/mod.rs", tested);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/respond/mod.rs:6:"), "{found:?}");
        assert_eq!(find("src/respond/tests.rs", "fn g() { format!(\"\"); }").len(), 0, "a file of tests");
    }

    #[test]
    fn an_exception_holds_while_it_is_needed_and_fails_afterwards() {
        let exceptions = [("src/snapshot/mod.rs", "Mutex", "a test")];
        let judged = |text| banned_words(&Source::new("src/snapshot/mod.rs", text), &exceptions).len();
        assert_eq!(judged("use std::sync::Mutex;"), 0);
        assert_eq!(judged("use std::sync::Arc;"), 1);
        let long = |lines: usize, files: &[(&str, &str)]| {
            too_long(&Source::new("src/a.rs", &"\n".repeat(lines)), files).is_some()
        };
        assert!(!long(500, &[]) && long(501, &[]));
        assert!(
            !long(600, &[("src/a.rs", "")])
                && long(601, &[("src/a.rs", "")])
                && long(500, &[("src/a.rs", "")])
        );
    }

    #[test]
    fn reads_modules_and_signatures() {
        let library = Source::new("src/lib.rs", "//! pub mod no;\npub mod app;\nmod inner;\npub mod x509;\n");
        assert_eq!(library.declared_modules(), ["app", "inner", "x509"]);
        let entry = "impl R {\n  pub fn respond(\n    &self,\n    now: UnixTime,\n  ) -> Answer {\n";
        let signature = Source::new("src/respond/mod.rs", entry).signature_of("respond");
        assert_eq!(signature.as_deref(), Some("pub fn respond(&self, now: UnixTime) -> Answer"));
        let waiting = Source::new("src/respond/mod.rs", "pub async fn respond(&mut self) -> Answer {");
        assert_eq!(
            waiting.signature_of("respond").as_deref(),
            Some("pub async fn respond(&mut self) -> Answer")
        );
    }
}
