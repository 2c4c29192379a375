//! Reading requests: what every request costs before anything is looked up.
//!
//! `cargo bench --bench request`

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

#[path = "support/octets.rs"]
mod octets;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ocsprey::ocsp::OcspRequest;
use ocsprey::x509::HashAlgorithm;
use std::hint::black_box;

fn parse(c: &mut Criterion) {
    let id = |number| octets::cert_id(b"a name", b"a key", HashAlgorithm::Sha1, number);
    let nonce = [0x9d; 32];
    let requests = [
        ("one certificate", octets::request(&[id(1)], None), 1, false),
        ("one certificate and a nonce", octets::request(&[id(1)], Some(&nonce)), 1, true),
        ("100 certificates", octets::request(&(0..100).map(id).collect::<Vec<_>>(), None), 100, false),
    ];
    let mut group = c.benchmark_group("request");
    for (name, octets, count, has_nonce) in &requests {
        let request = OcspRequest::parse(octets).unwrap();
        assert_eq!((request.cert_ids().count(), request.nonce.is_some()), (*count, *has_nonce));
        group.throughput(Throughput::Bytes(octets.len() as u64));
        group.bench_function(*name, |b| {
            b.iter(|| {
                let request = OcspRequest::parse(black_box(octets)).unwrap();
                request.cert_ids().map(|id| id.serial_number.as_bytes().len()).sum::<usize>()
            });
        });
    }
    // Wrong only at the end: an OCTET STRING where the serial number belongs.
    let mut bad = requests[0].1.clone();
    let at = bad.len() - 18;
    assert_eq!(std::mem::replace(&mut bad[at], 4), 2);
    assert!(OcspRequest::parse(&bad).is_err());
    group.bench_function("malformed", |b| b.iter(|| OcspRequest::parse(black_box(&bad)).is_err()));
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
