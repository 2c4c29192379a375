//! What a look-up of a serial number costs: through a [`ReadView`], as every request does it.
//!
//! 200,000 rows of 16-octet serial numbers, all in the block cache after the first round; the serial
//! numbers asked for go round in no order. Run with `cargo bench --bench store_lookup`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops where it fails")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ocsprey::signing::digest;
use ocsprey::store::{
    CertificateKinds, IssuerNumber, Layer, ReadView, ScopeKey, ScopeRecordDraft, Store, StoreOptions,
};
use ocsprey::x509::{CrlReason, HashAlgorithm, Revocation, SerialNumber, UnixTime};
use std::convert::Infallible;
use std::hint::black_box;

const ROWS: u64 = 200_000;

fn serial(number: u64) -> SerialNumber {
    let noise = digest(HashAlgorithm::Sha256, &number.to_be_bytes());
    SerialNumber::from_unsigned(&noise.as_ref()[..16]).unwrap()
}

fn load(store: &Store) -> IssuerNumber {
    let issuer = store.issuer_number(b"the CA").unwrap();
    let key = ScopeKey {
        issuer,
        signing_key: [7; 32],
        distribution_point: Vec::new(),
        contains: CertificateKinds::All,
        reasons: None,
        layer: Layer::Complete,
    };
    let draft = ScopeRecordDraft {
        key,
        idp: Vec::new(),
        crl_number: vec![1],
        this_update: UnixTime::EPOCH,
        next_update: UnixTime::MAX,
        crl_sha256: [0; 32],
        ingested_at: UnixTime::EPOCH,
    };
    let mut serials: Vec<SerialNumber> = (0..ROWS).map(serial).collect();
    serials.sort_unstable();
    let revocation =
        Revocation { time: UnixTime::EPOCH, reason: Some(CrlReason::Superseded), invalidity: None };
    let entries = serials.into_iter().map(|serial| Ok::<_, Infallible>((serial, revocation)));
    let change = store.replace_scope(draft, entries).unwrap();
    assert_eq!(change.added, ROWS);
    issuer
}

/// How many rows all of `serials` have.
fn rows(view: &ReadView, issuer: IssuerNumber, serials: &[SerialNumber]) -> usize {
    serials.iter().map(|serial| view.revocations(issuer, serial).unwrap().len()).sum()
}

fn store_lookup(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    // Rows in files, as in a store of any age: a small write buffer is flushed while they are written.
    let options = StoreOptions { write_buffer_bytes: 1 << 20, ..StoreOptions::default() };
    let issuer = load(&Store::open(folder.path(), &options).unwrap());
    let store = Store::open(folder.path(), &StoreOptions::default()).unwrap();
    let view = store.view().unwrap();

    let listed: Vec<SerialNumber> = (0..ROWS).map(serial).collect();
    let unlisted: Vec<SerialNumber> = (ROWS..2 * ROWS).map(serial).collect();
    // The results, once: each of one half has its row, none of the other.
    assert_eq!(rows(&view, issuer, &listed) as u64, ROWS);
    assert_eq!(rows(&view, issuer, &unlisted), 0);

    let mut group = criterion.benchmark_group("store_lookup");
    group.throughput(Throughput::Elements(1));
    for (name, serials) in [("hit", &listed), ("miss", &unlisted)] {
        let mut round = serials.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| view.revocations(issuer, black_box(round.next().unwrap())).unwrap().len());
        });
    }
    group.finish();
}

criterion_group!(benches, store_lookup);
criterion_main!(benches);
