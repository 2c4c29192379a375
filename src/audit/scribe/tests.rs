//! The scribe under a clock that steps.

use super::super::{KeyPeriod, LogOptions, WhenFull};
use super::*;
use crate::metrics::Metrics;
use crate::signing::{KeyKind, SoftwareKey};
use crate::snapshot::{Configured, CrlReferences, NoncePolicy, ResponseOptions};
use crate::store::StoreOptions;

const DAY: i64 = 86_400;
const KEEP: i64 = 5 * DAY;

fn noon() -> UnixTime {
    UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap()
}

/// A folder in which one process after the other keeps an audit log, and the clock that they have.
struct House {
    folder: tempfile::TempDir,
    store: Arc<Store>,
    signer: Arc<SoftwareKey>,
    clock: Clock,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&folder.path().join("data"), &StoreOptions::default()).unwrap());
        let (signer, _) = SoftwareKey::generate(KeyKind::Ed25519).unwrap();
        Self { folder, store, signer: Arc::new(signer), clock: Clock::fixed(noon()) }
    }

    fn scribe(&self) -> Scribe {
        let (nonce, crl_references) = (NoncePolicy::Echo, CrlReferences::Omit);
        let configured =
            Configured::new(Vec::new(), ResponseOptions { validity: DAY, nonce, crl_references });
        let snapshot = Snapshot::build(Arc::new(configured), self.store.view().unwrap()).unwrap();
        let audit = Audit {
            published: Arc::new(Published::new(snapshot)),
            store: Arc::clone(&self.store),
            clock: self.clock.clone(),
            metrics: Arc::clone(&Metrics::new().unwrap().audit),
        };
        let options = AuditOptions {
            path: self.folder.path().join("audit"),
            keys: self.folder.path().join("keys"),
            period: KeyPeriod::Day,
            keep_keys_seconds: Some(KEEP),
            log: LogOptions { segment_octets: 1 << 20, segment_seconds: DAY, keep_seconds: Some(KEEP) },
            when_full: WhenFull::Gap,
            signer: self.signer.clone(),
        };
        Scribe::open(audit, options, 0).unwrap().0
    }

    /// The scribe's day: a key for it, and a commit that closes the segment of the day before.
    fn day(&self, scribe: &mut Scribe) {
        scribe.keys.key(&KeyPeriod::Day.name(self.clock.now())).unwrap();
        scribe.commit().unwrap();
    }

    /// Segments and keys that are there, in order.
    fn kept(&self) -> Vec<String> {
        let names = |folder: &str| {
            let entries = std::fs::read_dir(self.folder.path().join(folder)).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        let mut all = [names("audit"), names("keys")].concat();
        all.retain(|name| name.contains('.'));
        all.sort();
        all
    }
}

#[test]
fn a_clock_that_runs_ahead_for_a_moment_takes_no_segments_and_no_keys_away() {
    let house = House::new();
    let mut scribe = house.scribe();
    for _ in 0..20 {
        house.day(&mut scribe);
        house.clock.advance(DAY);
    }
    house.day(&mut scribe);
    let today = house.clock.now();
    let before = house.kept();
    assert!((12..=16).contains(&before.len()), "segments and keys of {KEEP} seconds: {before:?}");
    let misses = || before.iter().filter(|name| !house.kept().contains(name)).collect::<Vec<_>>();
    for _ in 0..3 {
        house.clock.set(today.plus(4000 * DAY));
        scribe.commit().unwrap();
        house.clock.set(today);
        scribe.commit().unwrap();
        assert!(misses().is_empty(), "{:?}", misses());
    }
    // Nor does a process that begins meanwhile take anything away, or one after it.
    for _ in 0..2 {
        drop(scribe);
        house.clock.set(today.plus(4000 * DAY));
        scribe = house.scribe();
        scribe.commit().unwrap();
        assert!(misses().is_empty(), "{:?}", misses());
    }
    drop(scribe);
    house.clock.set(today);
    scribe = house.scribe();
    scribe.commit().unwrap();
    assert!(misses().is_empty(), "{:?}", misses());
    // What is too old when time has passed goes all the same.
    for _ in 0..20 {
        house.clock.advance(DAY);
        house.day(&mut scribe);
    }
    assert_eq!(misses().len(), before.len());
    let kept = house.kept();
    let future = kept.iter().filter(|name| name.starts_with("2037")).count();
    assert!((12..=16).contains(&(kept.len() - future)), "{kept:?}");
}
