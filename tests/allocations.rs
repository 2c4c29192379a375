//! What an answer allocates: what nobody counts grows.
//!
//! Each number is what `respond` needs today, its parts named. A higher one fails; a lower one may be written here.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

#[path = "../benches/support/octets.rs"]
mod octets;
#[path = "../benches/support/records.rs"]
mod records;
#[path = "../benches/support/setting.rs"]
mod setting;

use allocation_counter::measure;
use ocsprey::ocsp::OcspResponseStatus;
use ocsprey::respond::{Answer, CacheUse, Responder};
use ocsprey::signing::KeyKind;
use records::Keeping;
use setting::{REVOKED, now, setting, strangers_request};

/// Allocations of one answer, once everything that is made once is made.
fn of(respond: impl Fn() -> Answer, expected: impl Fn(&Answer) -> bool) -> u64 {
    for _ in 0..3 {
        assert!(expected(&respond()));
    }
    measure(|| drop(respond())).count_total
}

#[test]
fn an_error_allocates_nothing_a_cached_answer_itself_and_a_fresh_one_little() {
    let setting = setting(KeyKind::P256);
    let keeping = Responder::with_cache(1 << 20);
    let request = setting.request(REVOKED + 1, None);
    let cached =
        of(|| keeping.respond(&setting.snapshot, &request, now()), |answer| answer.outcome.good == 1);
    assert_eq!(keeping.respond(&setting.snapshot, &request, now()).cache, CacheUse::Hit);
    // Its octets: kept are only those that it does not share with all others.
    assert_eq!(cached, 1);

    let stranger = strangers_request();
    let unauthorized = of(
        || keeping.respond(&setting.snapshot, &stranger, now()),
        |answer| answer.outcome.status == OcspResponseStatus::Unauthorized,
    );
    let malformed = of(
        || keeping.respond(&setting.snapshot, b"\x30\x00", now()),
        |answer| answer.outcome.status == OcspResponseStatus::MalformedRequest,
    );
    assert_eq!((unauthorized, malformed), (0, 0));

    // The answer, its front, its signature as the library gives it and as it is kept, the list of its single
    // responses, the count of its owners; a key's look into the store.
    let signing = Responder::new();
    let good = of(|| signing.respond(&setting.snapshot, &request, now()), |answer| answer.outcome.good == 1);
    assert!(good <= MOST_FRESH, "{good}");
    let request = setting.request(4711, None);
    let revoked =
        of(|| signing.respond(&setting.snapshot, &request, now()), |answer| answer.outcome.revoked == 1);
    assert!(revoked <= MOST_FRESH + 2, "{revoked}");
}

/// Rust's own; RocksDB's and the signer's C are not seen.
const MOST_FRESH: u64 = 7;

#[test]
fn keeping_records_of_an_answer_allocates_nothing_once_who_asks_is_known() {
    let keeping = Keeping::new();
    let keep = || {
        keeping.count(None);
        keeping.count(Some("office-1"));
        keeping.count(Some("office 1: no name"));
        keeping.record();
        assert!(keeping.recorder.may_answer());
    };
    keep();
    assert_eq!(measure(keep).count_total, 0);
    keeping.counter.hand_over();
    // What was handed over leaves its rows behind.
    assert_eq!(measure(keep).count_total, 0);
    assert_eq!(keeping.metrics.audit.missing.get(), 0);
    keeping.end();
}
