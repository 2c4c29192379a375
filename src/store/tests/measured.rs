//! What the store costs. Run by hand, on a quiet machine:
//! `cargo test --release --lib store::tests::measured -- --ignored --nocapture`

use super::*;
use std::time::{Duration, Instant};

/// Time on the clock, and time this thread was on a processor (which others do not disturb as much).
struct Watch(Instant, u64);

impl Watch {
    fn start() -> Self {
        Self(Instant::now(), on_processor())
    }

    fn elapsed(&self) -> String {
        let processor = Duration::from_nanos(on_processor() - self.1);
        format!("{:.3?} ({processor:.3?} on the processor)", self.0.elapsed())
    }

    fn nanos_each(&self, count: u64) -> String {
        let (clock, processor) = (self.0.elapsed().as_nanos() as u64, on_processor() - self.1);
        format!("{} ns ({} on the processor)", clock / count, processor / count)
    }
}

fn on_processor() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_whitespace().next().unwrap().parse().unwrap()
}

/// Spread over all 16-octet serials, and the same every time.
fn spread(n: u64) -> SerialNumber {
    let mix = |n: u64| {
        let n = (n ^ (n >> 31)).wrapping_mul(0x7fb5_d329_728e_a185);
        (n ^ (n >> 27)).wrapping_mul(0x81da_def4_bc2d_d44d)
    };
    let (high, low) = (mix(n + 1) >> 1, mix(n + 0x1234_5678));
    SerialNumber::from_unsigned(&((u128::from(high) << 64) | u128::from(low)).to_be_bytes()).unwrap()
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status
        .lines()
        .filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
#[ignore = "a measurement, not a test"]
fn scopes_and_look_ups() {
    let millions: u64 = std::env::var("MILLIONS").map_or(1, |text| text.parse().unwrap());
    let count = millions * 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &StoreOptions::default()).unwrap();
    let issuer = store.issuer_number(b"ca").unwrap();
    let key = scope_key(issuer, "a");
    let mut list: Vec<_> =
        (0..count).map(|n| (spread(n), revoked(1_700_000_000, CrlReason::Superseded))).collect();
    list.sort_unstable_by_key(|entry| entry.0);
    println!("before: {}", memory());

    let start = Watch::start();
    let change = store.replace_scope(crl(&key, 1), entries(&list)).unwrap();
    assert_eq!(change.added, count);
    println!("first load of {count}: {}; {}", start.elapsed(), memory());

    for entry in list.iter_mut().step_by(1000) {
        entry.1 = revoked(1_700_000_001, CrlReason::KeyCompromise);
    }
    let start = Watch::start();
    let change = store.replace_scope(crl(&key, 2), entries(&list)).unwrap();
    assert_eq!(change.changed, count / 1000);
    println!("next CRL, 0.1 % changed: {}; {}", start.elapsed(), memory());

    let view = store.view().unwrap();
    for round in 1..=2 {
        let looks = 500_000u64;
        let start = Watch::start();
        let hits = (0..looks)
            .filter(|n| !view.revocations(issuer, &spread(n.wrapping_mul(7919) % count)).unwrap().is_empty())
            .count();
        let hit = start.nanos_each(looks);
        let start = Watch::start();
        let misses =
            (0..looks).filter(|n| view.revocations(issuer, &spread(count + n)).unwrap().is_empty()).count();
        let miss = start.nanos_each(looks);
        assert_eq!((hits as u64, misses as u64), (looks, looks));
        println!("look-ups, round {round}: hit {hit}, miss {miss}; {}", memory());
    }
    println!("store: {} octets a row", store.size_bytes().unwrap() / count);

    let start = Watch::start();
    assert!(store.remove_scope(&key).unwrap());
    println!("removal: {}", start.elapsed());
}

#[test]
#[ignore = "a measurement, not a test"]
fn inventories() {
    let millions: u64 = std::env::var("MILLIONS").map_or(1, |text| text.parse().unwrap());
    let count = millions * 1_000_000;
    let dense = |n: u64| SerialNumber::from(1 + n);
    for (name, serial) in [("dense", &dense as &dyn Fn(u64) -> SerialNumber), ("spread", &spread)] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), &StoreOptions::default()).unwrap();
        let issuer = store.issuer_number(b"ca").unwrap();
        for round in 1..=2 {
            let start = Watch::start();
            let serials = (0..count).map(|n| Ok::<_, Infallible>((serial(n), None)));
            let load = store.load_inventory(issuer, serials).unwrap();
            assert_eq!(load.added + load.already_there, count);
            println!("{name} inventory of {count}, load {round}: {}; {}", start.elapsed(), memory());
        }
        let view = store.view().unwrap();
        let looks = 500_000u64;
        let start = Watch::start();
        let hits = (0..looks)
            .filter(|n| {
                view.inventory(issuer, &serial(n.wrapping_mul(7919) % count)) == Ok(Inventoried::Listed)
            })
            .count();
        assert_eq!(hits as u64, looks);
        println!("{name}: hit {}", start.nanos_each(looks));
        let start = Watch::start();
        let misses = (0..looks)
            .filter(|n| view.inventory(issuer, &serial(count + n)) == Ok(Inventoried::Unlisted))
            .count();
        assert_eq!(misses as u64, looks);
        println!("{name}: miss {}", start.nanos_each(looks));
        println!("{name}: {} octets a row", store.size_bytes().unwrap() / count);
    }
}

#[test]
#[ignore = "a measurement, not a test"]
fn many_small_scopes() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &StoreOptions::default()).unwrap();
    let issuer = store.issuer_number(b"ca").unwrap();
    let start = Watch::start();
    for n in 0..8000u64 {
        let list = [(spread(n), revoked(1, CrlReason::Superseded))];
        store.replace_scope(crl(&scope_key(issuer, &format!("point {n}")), 1), entries(&list)).unwrap();
    }
    println!("8000 scopes: {}", start.elapsed());
    let start = Watch::start();
    assert_eq!(store.view().unwrap().scopes().len(), 8000);
    println!("a view of 8000 scopes: {}", start.elapsed());
}
