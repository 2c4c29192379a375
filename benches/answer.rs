//! Answers: their encoding without the signature, and whole ones, from a request's octets on.
//!
//! `cargo bench --bench answer`

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

#[path = "support/octets.rs"]
mod octets;
#[path = "support/setting.rs"]
mod setting;

use criterion::{Criterion, criterion_group, criterion_main};
use ocsprey::ocsp::{
    CertStatus, OcspResponseStatus, ParsedResponse, ResponseData, ResponseTemplate, SingleResponse,
};
use ocsprey::respond::Responder;
use ocsprey::signing::KeyKind;
use ocsprey::x509::HashAlgorithm;
use setting::{DAY, REVOKED, Setting, now, setting};
use std::hint::black_box;
use std::sync::Arc;

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

fn respond(c: &mut Criterion) {
    let responder = Responder::new();
    let mut group = c.benchmark_group("answer");
    for kind in [KeyKind::P256, KeyKind::Ed25519] {
        let Setting { snapshot, certificate, _folder } = setting(kind, |key| Arc::new(key));
        for (status, number) in [("good", REVOKED + 1), ("revoked", 4711)] {
            let (name, key) = (certificate.subject(), certificate.public_key().bits());
            let request = octets::request(&[octets::cert_id(name, key, HashAlgorithm::Sha1, number)], None);
            let outcome = responder.respond(&snapshot, &request, now()).outcome;
            assert_eq!(outcome.status, OcspResponseStatus::Successful);
            assert_eq!((outcome.good, outcome.revoked), if status == "good" { (1, 0) } else { (0, 1) });
            group.bench_function(format!("whole, {kind}, {status}"), |b| {
                b.iter(|| responder.respond(&snapshot, black_box(&request), now()).body.len());
            });
        }
        let stranger = octets::cert_id(b"nobody", b"of ours", HashAlgorithm::Sha1, 1);
        let request = octets::request(&[stranger], None);
        let outcome = responder.respond(&snapshot, &request, now()).outcome;
        assert_eq!(outcome.status, OcspResponseStatus::Unauthorized);
        if kind == KeyKind::P256 {
            group.bench_function("whole, unauthorized", |b| {
                b.iter(|| responder.respond(&snapshot, black_box(&request), now()).body.len());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, encode, respond);
criterion_main!(benches);
