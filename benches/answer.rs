//! The encoding of answers, without their signature.
//!
//! `cargo bench --bench answer`

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

#[path = "support/octets.rs"]
#[allow(dead_code, reason = "shared by several benchmarks")]
mod octets;

use criterion::{Criterion, criterion_group, criterion_main};
use ocsprey::ocsp::{CertStatus, ParsedResponse, ResponseData, ResponseTemplate, SingleResponse};
use ocsprey::x509::{HashAlgorithm, UnixTime};
use std::hint::black_box;

const DAY: i64 = 86_400;

fn now() -> UnixTime {
    UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap()
}

fn encode(c: &mut Criterion) {
    let id = octets::cert_id(b"a name", b"a key", HashAlgorithm::Sha1, 1);
    let algorithm = [0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    // A delegate's certificate of 600 octets: `[0] { SEQUENCE { … } }`
    let certificates =
        [&[0xa0, 0x82, 2, 0x5c, 0x30, 0x82, 2, 0x58, 0x30, 0x82, 2, 0x54][..], &[0; 596]].concat();
    let template = ResponseTemplate::new(&[0x6b; 20], &algorithm, &certificates);
    let data = ResponseData { produced_at: now(), nonce: None, extended_revoke: false };
    let single = SingleResponse {
        cert_id: &id,
        status: CertStatus::Good,
        this_update: now().plus(-3600),
        next_update: now().plus(DAY),
        crl_reference: &[],
    };
    let write = || {
        let unsigned = template.begin(black_box(&data), std::iter::once(single), 71);
        unsigned.finish(&template, black_box(&[9; 71]))
    };
    let (buffer, start) = write();
    let ParsedResponse::Basic(basic) = ParsedResponse::parse(&buffer[start..]).unwrap() else {
        unreachable!()
    };
    assert_eq!(basic.singles().count(), 1);
    assert_eq!(basic.certificates().count(), 1);
    c.bench_function("answer/encoding without the signature", |b| b.iter(write));
}

criterion_group!(benches, encode);
criterion_main!(benches);
