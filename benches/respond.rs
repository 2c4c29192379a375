//! `respond` alone: a request's octets in, an answer's octets out, from one to all threads.
//!
//! `cargo bench --bench respond`

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]
#![allow(clippy::disallowed_methods, reason = "threads are timed by hand")]

#[path = "support/octets.rs"]
mod octets;
#[path = "support/setting.rs"]
mod setting;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ocsprey::ocsp::OcspResponseStatus;
use ocsprey::respond::{CacheUse, Responder};
use ocsprey::signing::KeyKind;
use setting::{REVOKED, now, setting, strangers_request};
use std::hint::black_box;
use std::time::Instant;

fn cached(c: &mut Criterion) {
    let setting = setting(KeyKind::P256);
    let responder = Responder::with_cache(64 << 20);
    let respond = |request: &[u8]| responder.respond(&setting.snapshot, black_box(request), now());
    let request = setting.request(REVOKED + 1, None);
    assert_eq!(respond(&request).cache, CacheUse::Miss);
    assert_eq!(respond(&request).cache, CacheUse::Hit);
    let mut group = c.benchmark_group("respond");
    group.bench_function("cached", |b| b.iter(|| respond(&request).body.len()));
    // More answers than a processor's caches hold, each in its turn.
    let many: Vec<_> = (0..20_000).map(|number| setting.request(REVOKED + number, None)).collect();
    for request in &many {
        assert_eq!(respond(request).outcome.good, 1);
    }
    let mut turn = many.iter().cycle();
    group.bench_function("cached, one of 20,000", |b| {
        b.iter(|| turn.next().map(|request| respond(request).body.len()));
    });
    group.finish();
}

fn fresh(c: &mut Criterion) {
    let responder = Responder::new();
    let mut group = c.benchmark_group("respond");
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048, KeyKind::Ed25519] {
        let setting = setting(kind);
        let respond = |request: &[u8]| responder.respond(&setting.snapshot, black_box(request), now());
        for (status, number) in [("good", REVOKED + 1), ("revoked", 4711)] {
            let request = setting.request(number, None);
            let outcome = respond(&request).outcome;
            assert_eq!((outcome.good, outcome.revoked), if status == "good" { (1, 0) } else { (0, 1) });
            group.bench_function(format!("fresh, {kind}, {status}"), |b| {
                b.iter(|| respond(&request).body.len());
            });
        }
    }
    group.finish();
}

/// What keeping costs whoever is asked for once: a cache that is full of others.
fn flood(c: &mut Criterion) {
    let setting = setting(KeyKind::Ed25519);
    let responder = Responder::with_cache(1 << 20);
    let mut number = REVOKED;
    let mut next = || {
        number += 1;
        responder.respond(&setting.snapshot, &setting.request(number, None), now())
    };
    for _ in 0..5000 {
        assert_eq!(next().outcome.good, 1);
    }
    c.bench_function("respond/fresh, Ed25519, beside a full cache", |b| b.iter(|| next().body.len()));
}

fn errors(c: &mut Criterion) {
    let setting = setting(KeyKind::P256);
    let responder = Responder::with_cache(1 << 20);
    let malformed = setting.request(1, None).split_last().unwrap().1.to_vec();
    let mut group = c.benchmark_group("respond");
    for (name, request, status) in [
        ("unauthorized", strangers_request(), OcspResponseStatus::Unauthorized),
        ("malformed", malformed, OcspResponseStatus::MalformedRequest),
    ] {
        let respond = || responder.respond(&setting.snapshot, black_box(&request), now());
        assert_eq!(respond().outcome.status, status);
        group.bench_function(name, |b| b.iter(|| respond().body.len()));
    }
    group.finish();
}

/// All threads at once on one cache: nanoseconds of the wall clock for one answer of each of them.
fn threads(c: &mut Criterion) {
    let setting = setting(KeyKind::P256);
    let responder = Responder::with_cache(64 << 20);
    let requests: Vec<_> = (0..1000).map(|number| setting.request(REVOKED + number, None)).collect();
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let mut group = c.benchmark_group("respond, threads");
    for (name, used) in [("cached, the same card", 1), ("cached, 1,000 cards", requests.len())] {
        for count in (1..=all).filter(|count| count.is_power_of_two() || *count == all) {
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(format!("{name}, {count}"), |b| {
                b.iter_custom(|iterations| {
                    let iterations = usize::try_from(iterations).unwrap();
                    let begin = Instant::now();
                    std::thread::scope(|scope| {
                        for _ in 0..count {
                            scope.spawn(|| {
                                for request in requests.iter().take(used).cycle().take(iterations) {
                                    black_box(responder.respond(&setting.snapshot, request, now()));
                                }
                            });
                        }
                    });
                    begin.elapsed()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, cached, fresh, flood, errors, threads);
criterion_main!(benches);
