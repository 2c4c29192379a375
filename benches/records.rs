//! What it costs a worker to keep records of an answer.
//!
//! `cargo bench --bench records`

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]
#![allow(clippy::disallowed_methods, reason = "the queue is emptied between the times that are taken")]

#[path = "support/octets.rs"]
mod octets;
#[path = "support/records.rs"]
mod records;
#[path = "support/setting.rs"]
#[allow(dead_code, reason = "other benchmarks ask for more")]
mod setting;

use criterion::{Criterion, criterion_group, criterion_main};
use records::Keeping;
use std::time::{Duration, Instant};

/// Records that fit into a queue with room to spare.
const AT_A_TIME: u64 = 4000;

fn saw(c: &mut Criterion) {
    let keeping = Keeping::new();
    let mut group = c.benchmark_group("saw");
    group.bench_function("counted", |b| b.iter(|| keeping.count(None)));
    let names: Vec<String> = (0..25).map(|number| format!("office-{number}")).collect();
    let mut name = names.iter().cycle();
    group.bench_function("counted, on behalf of one of 25", |b| {
        b.iter(|| keeping.count(name.next().map(String::as_str)));
    });
    // As a worker does it: between two answers everything else went through its caches.
    let mut others = vec![1_u8; 4 << 20];
    group.bench_function("counted, on behalf of one of 25, from cold caches", |b| {
        b.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                others.iter_mut().step_by(64).for_each(|octet| *octet = octet.wrapping_add(1));
                let name = name.next().map(String::as_str);
                let begin = Instant::now();
                keeping.count(name);
                took += begin.elapsed();
            }
            took
        });
    });
    let mut recorded = 0;
    group.bench_function("recorded", |b| {
        b.iter_custom(|times| {
            let (mut left, mut took) = (times, Duration::ZERO);
            while left > 0 {
                let batch = left.min(AT_A_TIME);
                let begin = Instant::now();
                (0..batch).for_each(|_| keeping.record());
                took += begin.elapsed();
                (left, recorded) = (left - batch, recorded + batch);
                while keeping.metrics.audit.records.get() < recorded {
                    std::thread::yield_now();
                }
            }
            took
        });
    });
    group.finish();
    assert_eq!(keeping.metrics.audit.missing.get(), 0);
    keeping.end();
}

criterion_group!(benches, saw);
criterion_main!(benches);
