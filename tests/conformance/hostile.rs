//! Hostile requests in numbers over real HTTP: the server stays up, its memory stays flat, and the next good
//! request is answered in the usual time.
//!
//! 20,000 mutations in an ordinary run; `OCSPREY_MUTATIONS=1000000` (`make fuzz`) for a million.

use crate::lab::{Answer, Lab, base64, holds, post};
use crate::octets::{
    NONCE, PREFERRED, RESPONSE, STRANGE, extension, hex, nonce, request, request_extensions, request_of,
    sequence, tlv,
};
use crate::support::Server;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

fn mutations() -> u64 {
    std::env::var("OCSPREY_MUTATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(20_000)
}

/// Octets of memory that the server holds.
fn resident(lab: &Lab) -> f64 {
    let page = crate::support::get(&format!("{}/metrics", lab.server.admin)).text();
    let line = page.lines().find(|line| line.starts_with("process_resident_memory_bytes "));
    line.and_then(|line| line.split_once(' ')?.1.parse().ok()).expect("it is in the process collector")
}

/// The median time of a good request, of 51.
fn usual_time(lab: &Lab) -> Duration {
    let asked = lab.good();
    let mut connection = lab.connect();
    let mut times: Vec<Duration> = (0..51)
        .map(|_| {
            let start = Instant::now();
            connection.send(post(&asked));
            assert_eq!(Answer::read(&connection.receive()).statuses(), ["good"]);
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[25]
}

/// Changes, cuts, repeats and lengthens, as a generator of a fixed seed has it.
fn mutate(random: &mut impl FnMut(usize) -> usize, octets: &mut Vec<u8>) {
    for _ in 0..=random(4) {
        if octets.is_empty() {
            octets.push(0x30);
        }
        let at = random(octets.len());
        match random(7) {
            0 => octets[at] = random(256) as u8,
            1 => octets[at] ^= 1 << random(8),
            2 => octets.truncate(at),
            3 => drop(octets.remove(at)),
            4 => octets.insert(at, random(256) as u8),
            // Lengths that lie.
            5 => octets[at] = [0x00, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff][random(7)],
            _ => {
                let end = at + random(octets.len() - at);
                let piece = octets[at..end].to_vec();
                octets.splice(at..at, piece);
            }
        }
    }
    octets.truncate(4000);
}

#[test]
fn t8_random_mutations_leave_the_server_as_it_was() {
    holds(&["T8"], |lab| {
        let id = lab.cert_id("auth-good", "sha256");
        let other = lab.cert_id("sign-revoked", "sha1");
        let seeds = [
            lab.good(),
            request(&[&id], &[nonce(&[7; 32])]),
            request(&[&id, &other, &id], &[extension(STRANGE, false, b"x")]),
        ];
        let before = usual_time(lab);
        // SplitMix64: the same mutations in every run.
        let mut state = 0x6f63_7370_7265_7921_u64;
        let mut random = |below: usize| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) % below as u64) as usize
        };
        let mut connection = lab.connect();
        let (count, mut start_memory) = (mutations(), 0.0);
        for number in 0..count {
            let mut octets = seeds[random(seeds.len())].clone();
            mutate(&mut random, &mut octets);
            if number % 8 == 0 {
                connection.send(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", base64(&octets)));
            } else {
                connection.send(post(&octets));
            }
            let page = connection.receive();
            // A path without octets is the front page.
            assert!(page.status == 200, "mutation {number}, {octets:02x?}: {page:?}");
            if page.header("content-type") == Some("application/ocsp-response") {
                let status = page.body.get(4).copied();
                assert!(
                    page.body.len() > 5 || matches!(status, Some(1 | 6)),
                    "mutation {number}, {octets:02x?}: {page:?}"
                );
            }
            if number == count / 10 {
                start_memory = resident(lab);
            }
        }
        let growth = resident(lab) - start_memory;
        assert!(growth < 48.0 * f64::from(1 << 20), "{growth} octets more after {count} mutations");
        let after = usual_time(lab);
        assert!(after < before * 20 + Duration::from_millis(50), "{before:?} before, {after:?} after");
    });
}

/// Requests of parts that are each right or nearly right.
fn nearly_right(id: &[u8]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let tags = prop::sample::select(hex("020405060a3031a0a1a2a380"));
    let leaf =
        (tags, prop::collection::vec(any::<u8>(), 0..24)).prop_map(|(tag, octets)| tlv(tag, &[&octets]));
    let version = prop_oneof![4 => Just(Vec::new()), 1 => any::<u8>().prop_map(|v| tlv(0xa0, &[&[2, 1, v]]))];
    let identifier = prop::sample::select(vec![NONCE, STRANGE, RESPONSE, PREFERRED]);
    let value = prop::collection::vec(any::<u8>(), 0..150);
    let extension = (identifier, prop::bool::weighted(0.2), value)
        .prop_map(|(identifier, critical, value)| extension(identifier, critical, &value));
    let id = id.to_vec();
    let entry = prop_oneof![
        5 => Just(sequence(&[&id])),
        1 => leaf.clone(),
        1 => leaf.clone().prop_map(move |leaf| sequence(&[&id, &leaf])),
        1 => prop::collection::vec(leaf.clone(), 0..5).prop_map(|parts| sequence(&[&sequence(&[&parts.concat()])])),
    ];
    let entries = prop::collection::vec(entry, 0..5);
    let extensions = prop::collection::vec(extension, 0..4);
    (version, entries, extensions, prop::option::weighted(0.2, leaf)).prop_map(
        |(version, entries, extensions, stray)| {
            let list = sequence(&[&entries.concat()]);
            request_of(&[&version, &list, &request_extensions(&extensions), &stray.unwrap_or_default()])
        },
    )
}

#[test]
fn a21_t8_requests_made_of_nearly_right_parts_are_answered_or_malformed() {
    holds(&["A21", "T8"], |lab| {
        let strategy = nearly_right(&lab.cert_id("auth-good", "sha1"));
        let mut runner =
            TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let mut connection = lab.connect();
        let mut successful = 0;
        for _ in 0..3000 {
            let octets = strategy.new_tree(&mut runner).unwrap().current();
            connection.send(post(&octets));
            let answer = Answer::read(&connection.receive());
            assert!(matches!(answer.status, 0 | 1 | 6), "{octets:02x?}: {}", answer.status);
            // What was answered was a request: another reader takes it for one.
            if answer.status == 0 {
                successful += 1;
                let theirs = <x509_ocsp::OcspRequest as der_0_7::Decode>::from_der(&octets);
                let asked = theirs
                    .unwrap_or_else(|error| panic!("{octets:02x?}: {error}"))
                    .tbs_request
                    .request_list
                    .len();
                assert_eq!(answer.statuses().len(), asked);
            }
        }
        assert!(successful > 10, "{successful}: the generator makes some right ones");
    });
}

#[test]
fn t37_a_flood_of_nonces_over_http_leaves_what_is_cacheable_answered_and_in_time() {
    // Of its own: whoever else asks meanwhile would be told to try later.
    let lab = Lab { server: Server::demo("p256") };
    let id = lab.cert_id("auth-good", "sha1");
    let usual = usual_time(&lab);
    let (is_over, signed) = (AtomicBool::new(false), AtomicU64::new(0));
    let flood = &|flooder: u8| {
        let mut connection = lab.connect();
        for round in 0_u64.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            // Fifty at once, each of which is a signature of its own.
            let one = |number: u8| {
                let octets = [&[flooder, number][..], &round.to_be_bytes(), &[7; 22]].concat();
                post(&request(&[&id], &[nonce(&octets)]))
            };
            connection.send((0..50).flat_map(one).collect::<Vec<u8>>());
            for _ in 0..50 {
                let answer = Answer::read(&connection.receive());
                assert!(matches!(answer.status, 0 | 3), "{}", answer.status);
                signed.fetch_add(u64::from(answer.status == 0), Ordering::Relaxed);
            }
        }
    };
    let flooded = std::thread::scope(|scope| {
        let floods: Vec<_> = (0..8).map(|flooder| scope.spawn(move || flood(flooder))).collect();
        while signed.load(Ordering::Relaxed) < 2000 && floods.iter().all(|flood| !flood.is_finished()) {
            std::thread::yield_now();
        }
        let asked = lab.good();
        let mut connection = lab.connect();
        let mut times: Vec<Duration> = (0..300)
            .map(|_| {
                let begin = Instant::now();
                connection.send(post(&asked));
                assert_eq!(Answer::read(&connection.receive()).status, 0, "what is cacheable is answered");
                begin.elapsed()
            })
            .collect();
        is_over.store(true, Ordering::Relaxed);
        times.sort_unstable();
        times[150]
    });
    assert!(signed.into_inner() >= 2000, "nor is anybody kept out who wants a nonce");
    assert!(flooded < 20 * usual + Duration::from_millis(100), "{flooded:?}, and {usual:?} without a flood");
}
