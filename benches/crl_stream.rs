//! What it costs to take a CRL in: parse it as a stream, hash it on the way, and then also sort it.
//!
//! 100,000 entries in pieces of 256 KiB, as ingest reads them, with serial numbers of 4 and of 16
//! octets. Throughput is in octets of CRL. Run with `cargo bench --bench crl_stream`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark stops where it fails")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ocsprey::asn1::{self, tag, tlv, write_tlv};
use ocsprey::ingest::sort::Sorter;
use ocsprey::signing::{Sha256Stream, digest};
use ocsprey::x509::crl::{CrlEntry, CrlError, CrlHeader, CrlParser, CrlVisitor};
use ocsprey::x509::{CrlReason, HashAlgorithm, SerialNumber};
use std::hint::black_box;

const ENTRIES: u64 = 100_000;
const PIECE: usize = 1 << 18;

/// Serial numbers in no order, each once: SHA-256 of a counter, with that counter in it.
fn serial(number: u64, octets: usize) -> SerialNumber {
    let noise = digest(HashAlgorithm::Sha256, &number.to_be_bytes());
    let mut bytes = noise.as_ref()[..octets].to_vec();
    let low = number.to_be_bytes();
    // Three octets of counter make it unique; the first octet keeps its noise and stays positive.
    bytes[octets - 3..].copy_from_slice(&low[5..]);
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_unsigned(&bytes).unwrap()
}

/// The CRL, and its tbsCertList.
fn crl(octets: usize) -> (Vec<u8>, Vec<u8>) {
    let reason = tlv(
        tag::SEQUENCE,
        &[
            tlv(tag::OBJECT_IDENTIFIER, asn1::REASON_CODE),
            tlv(tag::OCTET_STRING, &tlv(tag::ENUMERATED, &[CrlReason::Superseded.value()])),
        ]
        .concat(),
    );
    let extensions = tlv(tag::SEQUENCE, &reason);
    let time = tlv(tag::UTC_TIME, b"261101120000Z");
    let mut entries = Vec::new();
    for number in 0..ENTRIES {
        let serial = tlv(tag::INTEGER, serial(number, octets).as_bytes());
        write_tlv(&mut entries, tag::SEQUENCE, &[serial, time.clone(), extensions.clone()].concat());
    }
    let algorithm = tlv(tag::SEQUENCE, &tlv(tag::OBJECT_IDENTIFIER, asn1::ECDSA_WITH_SHA256));
    let tbs = tlv(
        tag::SEQUENCE,
        &[
            tlv(tag::INTEGER, &[1]),
            algorithm.clone(),
            tlv(tag::SEQUENCE, &[]),
            time.clone(),
            tlv(tag::UTC_TIME, b"261201120000Z"),
            tlv(tag::SEQUENCE, &entries),
        ]
        .concat(),
    );
    let crl = tlv(tag::SEQUENCE, &[tbs.clone(), algorithm, tlv(tag::BIT_STRING, &[0, 1])].concat());
    (crl, tbs)
}

/// Counts entries, hashes, and sorts where it has a sorter.
struct Reading {
    entries: u64,
    superseded: u64,
    hash: Sha256Stream,
    sorter: Option<Sorter>,
}

impl CrlVisitor for Reading {
    type Error = CrlError;

    fn signed(&mut self, octets: &[u8]) {
        self.hash.update(octets);
    }

    fn header(&mut self, _: &CrlHeader) -> Result<(), CrlError> {
        Ok(())
    }

    fn entry(&mut self, entry: &CrlEntry<'_>) -> Result<(), CrlError> {
        self.entries += 1;
        self.superseded += u64::from(entry.revocation.reason == Some(CrlReason::Superseded));
        if let Some(sorter) = &mut self.sorter {
            sorter.push(entry.serial_number, entry.revocation).expect("it fits in memory");
        }
        Ok(())
    }
}

fn read(crl: &[u8], sorter: Option<Sorter>) -> Reading {
    let mut reading = Reading { entries: 0, superseded: 0, hash: Sha256Stream::new(), sorter };
    let mut parser = CrlParser::new();
    for piece in crl.chunks(PIECE) {
        parser.push(piece, &mut reading).unwrap();
    }
    parser.finish().unwrap();
    reading
}

fn crl_stream(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let sorter = || Sorter::new(folder.path(), 64 << 20);
    let mut group = criterion.benchmark_group("crl_stream");
    for octets in [4, 16] {
        let (crl, tbs) = crl(octets);
        // The result, once: every entry with its reason, the hash of the signed part, all in order.
        let reading = read(&crl, Some(sorter()));
        assert_eq!((reading.entries, reading.superseded), (ENTRIES, ENTRIES));
        assert_eq!(reading.hash.finish(), digest(HashAlgorithm::Sha256, &tbs).as_ref());
        let sorted = reading.sorter.unwrap().finish().unwrap();
        let serials: Vec<SerialNumber> = sorted.map(|entry| entry.unwrap().0).collect();
        assert_eq!(serials.len() as u64, ENTRIES);
        assert!(serials.is_sorted());

        group.throughput(Throughput::Bytes(crl.len() as u64));
        group.bench_function(format!("parse and hash, serials of {octets} octets"), |bencher| {
            bencher.iter(|| read(black_box(&crl), None).hash.finish());
        });
        group.bench_function(format!("hash alone, serials of {octets} octets"), |bencher| {
            bencher.iter(|| {
                let mut hash = Sha256Stream::new();
                black_box(&crl).chunks(PIECE).for_each(|piece| hash.update(piece));
                hash.finish()
            });
        });
        group.bench_function(format!("parse, hash and sort, serials of {octets} octets"), |bencher| {
            bencher.iter(|| {
                let reading = read(black_box(&crl), Some(sorter()));
                reading.sorter.unwrap().finish().unwrap().count()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, crl_stream);
criterion_main!(benches);
