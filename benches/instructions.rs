//! What a request costs in instructions: the same on a busy machine as on an idle one.
//!
//! `instructions CASE COUNT` does one thing COUNT times inside [`counted`]; callgrind counts the
//! instructions in there and nowhere else (`make instructions`, benches/support/instructions.py, which
//! compares with benches/instructions.json). Without arguments each case is done once and its result
//! looked at. The signature itself is left out: it is other people's arithmetic, with random numbers in
//! it, so a key that signs at once stands in for it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark stops where it fails")]

#[path = "support/octets.rs"]
mod octets;
#[path = "support/setting.rs"]
#[allow(dead_code, reason = "shared by several benchmarks")]
mod setting;

use ocsprey::ocsp::{CertStatus, OcspRequest, ResponseData, ResponseTemplate, SingleResponse};
use ocsprey::respond::Responder;
use ocsprey::signing::{KeyKind, SignError, Signer, SoftwareKey};
use ocsprey::x509::{HashAlgorithm, PublicKey, SignatureAlgorithm};
use setting::{DAY, REVOKED, Setting, now, setting_with};
use std::hint::black_box;
use std::sync::Arc;

/// Says what it signs with, and signs at once.
struct Instant(SoftwareKey);

impl Signer for Instant {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }

    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, _: &[u8], signature: &mut Vec<u8>) -> Result<(), SignError> {
        signature.extend_from_slice(&[9; 64]);
        Ok(())
    }
}

/// The frame that callgrind looks for.
#[inline(never)]
fn counted(count: u32, work: &mut dyn FnMut(u32) -> usize) -> usize {
    let mut sum = 0;
    for number in 0..count {
        sum += black_box(work(black_box(number)));
    }
    sum
}

const CASES: [&str; 7] = [
    "request",
    "request-nonce",
    "cert-id",
    "answer-der",
    "respond-good",
    "respond-revoked",
    "respond-unauthorized",
];

fn request(nonce: Option<&[u8]>) -> Vec<u8> {
    octets::request(&[octets::cert_id(b"a name", b"a key", HashAlgorithm::Sha1, 1)], nonce)
}

fn parse(count: u32, octets: &[u8]) -> usize {
    counted(count, &mut |_| OcspRequest::parse(black_box(octets)).unwrap().cert_ids().count())
}

fn answer_der(count: u32) -> usize {
    let id = octets::cert_id(b"a name", b"a key", HashAlgorithm::Sha1, 1);
    let algorithm = [0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let template = ResponseTemplate::new(&[0x6b; 20], &algorithm, &[0xa0, 2, 0x30, 0]);
    let data = ResponseData { produced_at: now(), nonce: None, extended_revoke: false };
    let single = SingleResponse {
        cert_id: &id,
        status: CertStatus::Good,
        this_update: now().plus(-3600),
        next_update: now().plus(DAY),
        crl_reference: &[],
    };
    counted(count, &mut |_| {
        let unsigned = template.begin(black_box(&data), std::iter::once(single), 71);
        let (octets, start) = unsigned.finish(&template, black_box(&[9; 71]));
        usize::from(octets.len() > start)
    })
}

/// Requests about different serial numbers: nothing that was answered before helps, but that what the store has of them
/// is in memory.
fn respond(count: u32, case: &str) -> usize {
    let Setting { snapshot, certificate, .. } = &setting_with(KeyKind::Ed25519, |key| Arc::new(Instant(key)));
    let stranger = case == "respond-unauthorized";
    let name: &[u8] = if stranger { b"nobody" } else { certificate.subject() };
    let first = if case == "respond-revoked" { REVOKED - count } else { REVOKED };
    let requests = (0..count).map(|number| {
        let key = certificate.public_key().bits();
        octets::request(&[octets::cert_id(name, key, HashAlgorithm::Sha1, first + number)], None)
    });
    let requests: Vec<Vec<u8>> = requests.collect();
    if case == "cert-id" {
        let parsed: Vec<_> = requests.iter().map(|octets| OcspRequest::parse(octets).unwrap()).collect();
        return counted(count, &mut |number| {
            let id = parsed[number as usize].cert_ids().next().unwrap();
            usize::from(snapshot.key_of(black_box(&id)).is_some())
        });
    }
    let responder = Responder::new();
    for request in &requests {
        black_box(responder.respond(snapshot, request, now()));
    }
    let mut seen = (0, 0, 0);
    let answered = counted(count, &mut |number| {
        let answer = responder.respond(snapshot, &requests[number as usize], now());
        seen.0 += answer.outcome.good;
        seen.1 += answer.outcome.revoked;
        usize::from(!answer.body.is_empty())
    });
    seen.2 = u32::try_from(answered).unwrap();
    let expected = match case {
        "respond-good" => (count, 0, count),
        "respond-revoked" => (0, count, count),
        _ => (0, 0, count),
    };
    assert_eq!(seen, expected, "{case}");
    answered
}

fn run(case: &str, count: u32) {
    let done = match case {
        "request" => parse(count, &request(None)),
        "request-nonce" => parse(count, &request(Some(&[7; 32]))),
        "answer-der" => answer_der(count),
        "cert-id" | "respond-good" | "respond-revoked" | "respond-unauthorized" => respond(count, case),
        other => panic!("{other}: no such case: {CASES:?}"),
    };
    assert_eq!(done, count as usize, "{case}");
}

fn main() {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match words.as_slice() {
        [case, count] => run(case, count.parse().unwrap()),
        _ => CASES.iter().for_each(|case| run(case, 1)),
    }
}
