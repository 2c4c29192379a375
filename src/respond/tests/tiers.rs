//! From where answers come is told as requests meet it, and being told changes nothing.

use super::cached::House;
use super::presigned::{SHA1, asked, presign_at, presigning};
use super::*;
use crate::ocsp::CertIdForm;
use crate::snapshot::Snapshot;
use crate::snapshot::test_setting::{DAY, revoked, serial};
use crate::x509::CrlReason;

const SHA256: CertIdForm = CertIdForm { hash: HashAlgorithm::Sha256, has_null: true };

fn told(house: &House, snapshot: &Snapshot, form: CertIdForm, number: u8, now: UnixTime) -> Tiers {
    let key = (&snapshot.keys()[0], &house.one.authority.certificate);
    let tiers = house.responder.tiers(snapshot, key, &serial(number), now).unwrap();
    assert_eq!(tiers.len(), 8, "one signatory, eight forms");
    *tiers.iter().find(|one| one.form == form).unwrap()
}

fn of(house: &House, number: u8, now: UnixTime) -> Tiers {
    told(house, &house.snapshot(), SHA1, number, now)
}

/// Asks, and says from where the answer came.
fn ask(house: &House, form: CertIdForm, number: u8, now: UnixTime) -> Tier {
    let request = request(&[asked(&house.one.authority.certificate, form, &serial(number))], None);
    let answer = house.responder.respond(&house.snapshot(), &request, now);
    match (answer.cache, answer.work.effort) {
        (CacheUse::Hit, _) => Tier::Memory,
        (_, Effort::Held) => Tier::Beforehand,
        _ => Tier::Signature,
    }
}

#[test]
fn what_is_told_is_what_the_next_request_meets_and_telling_leaves_no_trace() {
    let house = House::of(presigning());
    let at = now().plus(60);
    assert_eq!(of(&house, 1, at).beforehand, Beforehand::Absent);
    assert_eq!(told(&house, &house.snapshot(), SHA256, 1, at).beforehand, Beforehand::NotThisForm);
    presign_at(&house.one.setting, now());
    for (form, number, expected) in [
        // What is cheap is kept when it is asked for again: had looking counted as asking, the first would be kept.
        (SHA1, 1, [Tier::Beforehand, Tier::Beforehand, Tier::Memory]),
        (SHA1, 3, [Tier::Beforehand, Tier::Beforehand, Tier::Memory]),
        (SHA256, 1, [Tier::Signature, Tier::Memory, Tier::Memory]),
        // Never issued: unknown is for nobody else, and is not kept.
        (SHA1, 9, [Tier::Signature, Tier::Signature, Tier::Signature]),
    ] {
        for expected in expected {
            for _ in 0..3 {
                let tiers = told(&house, &house.snapshot(), form, number, at);
                assert_eq!(tiers.first(), expected, "{form:?} {number} {tiers:?}");
            }
            assert_eq!(ask(&house, form, number, at), expected, "{form:?} {number}");
        }
    }
    let kept = of(&house, 1, at);
    let Memory::Kept { until } = kept.memory else { panic!("{kept:?}") };
    let Beforehand::Fresh { until: held_until } = kept.beforehand else { panic!("{kept:?}") };
    assert_eq!(of(&house, 1, until.plus(-1)).memory, kept.memory);
    assert_eq!(of(&house, 1, until).memory, Memory::Ended(Ended::Time));
    assert_eq!(of(&house, 1, held_until).beforehand, Beforehand::Outdated(Outdated::Time));
    assert_eq!(of(&house, 1, now().plus(-1)).memory, Memory::Ended(Ended::Time), "a clock that was put back");
}

#[test]
fn t33_a_new_crl_ends_what_is_held_and_it_is_told_why() {
    let house = House::of(presigning());
    let at = now().plus(60);
    presign_at(&house.one.setting, now());
    for number in [1, 2, 3] {
        for form in [SHA1, SHA1, SHA256] {
            ask(&house, form, number, at);
        }
    }
    let one = &house.one;
    one.load(
        one.crl()
            .revoking(serial(1), revoked(Some(CrlReason::KeyCompromise)))
            .revoking(serial(3), revoked(Some(CrlReason::KeyCompromise)))
            .revoking(serial(4), revoked(Some(CrlReason::CertificateHold))),
    );
    let ended = of(&house, 1, at);
    assert_eq!(
        (ended.memory, ended.beforehand),
        (Memory::Ended(Ended::Changed), Beforehand::Outdated(Outdated::Status))
    );
    assert_eq!(ask(&house, SHA1, 1, at), Tier::Signature);
    assert!(matches!(of(&house, 1, at).memory, Memory::Kept { .. }), "signed afresh, it is kept");
    assert_eq!(of(&house, 3, at).first(), Tier::Memory, "of what did not change nothing ends");

    // A CRL that ends sooner than what was signed says.
    let short = one.crl().valid(now(), now().plus(DAY / 2));
    one.load(short.revoking(serial(1), revoked(Some(CrlReason::KeyCompromise))));
    assert_eq!(of(&house, 2, at).beforehand, Beforehand::Outdated(Outdated::Sources));
    let later = now().plus(DAY / 2);
    assert_eq!(of(&house, 2, later).beforehand, Beforehand::Outdated(Outdated::Sources), "tryLater");
}

#[test]
fn a_reload_ends_what_is_kept_and_without_a_cache_nothing_is() {
    let mut house = House::of(presigning());
    assert_eq!(ask(&house, SHA1, 1, now()), Tier::Signature);
    assert_eq!(of(&house, 1, now()).first(), Tier::Memory);
    house.configured = house.one.setting.configured();
    assert_eq!(of(&house, 1, now()).memory, Memory::Ended(Ended::Reconfigured));
    house.responder = Responder::new();
    assert_eq!(of(&house, 1, now()).memory, Memory::Off);
}
