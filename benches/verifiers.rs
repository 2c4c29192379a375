//! The gate's decision: who asks, whether it may, and its quota; before any status is read.
//!
//! `cargo bench --bench verifiers`. Aim: under 500 ns.

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

#[path = "support/octets.rs"]
mod octets;
#[path = "support/setting.rs"]
#[allow(dead_code, reason = "made for all benchmarks, of which each uses a part")]
mod setting;

use criterion::{Criterion, criterion_group, criterion_main};
use ocsprey::ocsp::OcspRequest;
use ocsprey::signing::KeyKind;
use ocsprey::store::{Store, StoreOptions};
use ocsprey::verifiers::{
    Allowance, Cause, CertificateKey, Credentials, Moment, Policy, Registry, Rights, Terms, VerifierDraft,
    check_rights,
};
use setting::{REVOKED, now, setting};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::time::Duration;

fn key(number: u32) -> CertificateKey {
    CertificateKey::of_der(&number.to_be_bytes())
}

fn key_of_nobody() -> CertificateKey {
    CertificateKey::of_fingerprint([7; 32])
}

fn decision(c: &mut Criterion) {
    let setting = setting(KeyKind::P256);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &StoreOptions::default()).unwrap();
    let issuer = setting.snapshot.issuers()[0].number;
    let draft = |number: u32| VerifierDraft {
        id: format!("verifier-{number}"),
        name: String::new(),
        number: store.verifier_number(&format!("verifier-{number}")).unwrap(),
        rights: Rights::These(vec![issuer]),
        credentials: Credentials {
            client_certificates: vec![key(number)],
            networks: vec!["192.0.2.0/24".parse().unwrap(), "127.0.0.0/8".parse().unwrap()],
            ..Credentials::default()
        },
        terms: Terms {
            valid_from: Some(now().plus(-1)),
            valid_until: Some(now().plus(1)),
            allowance: Allowance { per_second: NonZeroU32::new(1_000_000_000), per_day: Some(u64::MAX) },
            ..Terms::default()
        },
    };
    let registry = Registry::new((0..1000).map(draft).collect(), Policy::default(), None);
    let request = setting.request(REVOKED + 1, None);
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut uptime = Duration::ZERO;
    let mut decide = |shown: CertificateKey| {
        uptime += Duration::from_micros(1);
        let moment = Moment { now: now(), uptime };
        let request = OcspRequest::parse(black_box(&request)).unwrap();
        // By its names, which are looked for when the fingerprint is not known.
        let verifier = registry.by_certificate([key_of_nobody(), shown]).ok_or(Cause::Unregistered)?;
        let verifier = registry.get(verifier).ok_or(Cause::Unregistered)?;
        verifier.admit(here, moment.now)?;
        check_rights(verifier, &setting.snapshot, request.cert_ids())?;
        verifier.take(moment, 1)
    };
    let known = key(500);
    assert_eq!(decide(known), Ok(()));
    assert_eq!(decide(key(1000)), Err(Cause::Unregistered));
    let mut group = c.benchmark_group("verifiers");
    group.bench_function("a request that is let in, of 1,000 verifiers", |b| b.iter(|| decide(known)));
    group.finish();
}

criterion_group!(benches, decision);
criterion_main!(benches);
