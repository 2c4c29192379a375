//! What is said of one certificate (traps 18 to 22 and 29, ledger B21 and B22).

use super::*;
use crate::snapshot::test_setting::{DAY, HOUR, revoked, serial};
use crate::snapshot::{ScopesPolicy, Unlisted};
use crate::x509::crl::CertificateKinds;
use crate::x509::{CrlReason, Revocation};
use OcspResponseStatus::{MalformedRequest, TryLater, Unauthorized};

#[test]
fn b21_good_without_an_inventory_is_what_no_crl_lists() {
    let one = one();
    one.load(one.crl().revoking(serial(9), revoked(None)));
    let answer = one.ask(&serial(1));
    let response = verified(&answer, one.authority.certificate.public_key());
    assert_eq!(only(&response).status, CertStatus::Good);
    assert_eq!(answer.outcome.issuer, Some(IssuerIndex(0)));
    assert_eq!((response.nonce, response.extended_revoke), (None, false));
}

#[test]
fn b15_b16_b20_t19_reason_date_and_invalidity_date_survive() {
    let one = one();
    let mut crl = one.crl();
    let reasons = CrlReason::ALL.into_iter().filter(|reason| {
        // In no full CRL, and taken for no reason when a CRL is read (RFC 5280 5.3.1).
        !matches!(reason, CrlReason::RemoveFromCrl | CrlReason::Unspecified)
    });
    let revocations: Vec<_> = reasons
        .map(Some)
        .chain([None])
        .enumerate()
        .map(|(index, reason)| {
            let time = now().plus(-1_234_567 - index as i64);
            let invalidity = (index % 2 == 0).then(|| time.plus(-98_765));
            (serial(index as u8 + 1), Revocation { time, reason, invalidity })
        })
        .collect();
    for (serial, revocation) in &revocations {
        crl = crl.revoking(*serial, *revocation);
    }
    one.load(crl);
    assert_eq!(revocations.len(), 9);
    for (serial, revocation) in revocations {
        assert_eq!(one.status_of(&serial), CertStatus::Revoked(revocation));
    }
}

#[test]
fn t12_serial_numbers_that_begin_alike_are_not_mistaken() {
    let one = one();
    let of = |hex: &str| SerialNumber::from_hex(hex).unwrap();
    let time = |days: i64| Revocation { time: now().plus(-days * DAY), reason: None, invalidity: None };
    one.load(
        one.crl()
            .revoking(of("01"), time(1))
            .revoking(of("0100"), time(2))
            .revoking(of("00"), time(3))
            .revoking(of("-01"), time(4)),
    );
    for (hex, days) in [("01", 1), ("0100", 2), ("00", 3), ("-01", 4)] {
        assert_eq!(one.status_of(&of(hex)), CertStatus::Revoked(time(days)), "{hex}");
    }
    for hex in ["010000", "ff", "0101", "80", "7f", "-80"] {
        assert_eq!(one.status_of(&of(hex)), CertStatus::Good, "{hex}");
    }
}

#[test]
fn t20_hold_release_hold_and_permanent() {
    let one = one();
    let hold = revoked(Some(CrlReason::CertificateHold));
    let lost = Revocation { time: now().plus(-DAY), ..revoked(Some(CrlReason::KeyCompromise)) };
    for expected in [Some(hold), None, Some(hold), Some(lost)] {
        let mut crl = one.crl();
        if let Some(revocation) = expected {
            crl = crl.revoking(serial(7), revocation);
        }
        one.load(crl);
        assert_eq!(one.status_of(&serial(7)), expected.map_or(CertStatus::Good, CertStatus::Revoked));
    }
}

#[test]
fn t21_a_permanent_revocation_whose_entry_went_away_stays() {
    let one = one();
    let superseded = revoked(Some(CrlReason::Superseded));
    one.load(one.crl().revoking(serial(7), superseded)).load(one.crl());
    assert_eq!(one.status_of(&serial(7)), CertStatus::Revoked(superseded));
}

#[test]
fn b21_d5_with_an_inventory_only_what_was_issued_is_good() {
    let one = one();
    one.load(one.crl().revoking(serial(3), revoked(None)));
    one.setting.issued(one.number, &[(serial(1), None), (serial(3), None)]);
    assert_eq!(one.status_of(&serial(1)), CertStatus::Good);
    assert_eq!(one.status_of(&serial(3)), CertStatus::Revoked(revoked(None)));
    let answer = one.ask(&serial(2));
    let response = verified(&answer, one.authority.certificate.public_key());
    assert_eq!((only(&response).status, response.extended_revoke), (CertStatus::Unknown, false));
    // Issued in the next minute perhaps: nobody may keep it.
    assert_eq!(answer.caching, None);
    // What the CRL says needs no inventory.
    one.load(one.crl().revoking(serial(4), revoked(None)));
    assert_eq!(one.status_of(&serial(4)), CertStatus::Revoked(revoked(None)));
}

#[test]
fn b22_t22_every_policy_for_unlisted_serials_with_and_without_an_inventory() {
    for inventory in [false, true] {
        let mut one = one();
        one.load(one.crl());
        if inventory {
            one.setting.issued(one.number, &[(serial(1), None)]);
        }
        let mut with = |policy| {
            one.setting.issuers[0].unlisted = Some(policy);
            one.ask(&serial(2))
        };
        for (policy, status, extended) in [
            (Unlisted::Good, CertStatus::Good, false),
            (Unlisted::Unknown, CertStatus::Unknown, false),
            (Unlisted::Revoked, CertStatus::NEVER_ISSUED, true),
        ] {
            let answer = with(policy);
            let ParsedResponse::Basic(response) = ParsedResponse::parse(&answer.body).unwrap() else {
                panic!("{policy:?}")
            };
            assert_eq!((only(&response).status, response.extended_revoke), (status, extended));
            assert_eq!(answer.caching.is_some(), status != CertStatus::Unknown);
        }
        assert_error(&with(Unlisted::Unauthorized), Unauthorized, Some(0));
        if inventory {
            // Listed serial numbers are good under any of them.
            assert_eq!(one.status_of(&serial(1)), CertStatus::Good);
        }
    }
}

#[test]
fn b22_never_issued_is_a_hold_since_1970() {
    let CertStatus::Revoked(never) = CertStatus::NEVER_ISSUED else { panic!() };
    assert_eq!(never.time.to_string(), "1970-01-01T00:00:00Z");
    assert_eq!((never.reason, never.invalidity), (Some(CrlReason::CertificateHold), None));
}

#[test]
fn t22_a_card_that_was_revoked_does_not_declare_extended_revoke() {
    let mut one = one();
    one.setting.issuers[0].unlisted = Some(Unlisted::Revoked);
    one.load(one.crl().revoking(serial(3), revoked(None)));
    let answer = one.ask(&serial(3));
    assert!(!verified(&answer, one.authority.certificate.public_key()).extended_revoke);
}

#[test]
fn half_an_inventory_says_nothing_of_what_it_does_not_list() {
    let mut one = one();
    one.load(one.crl().revoking(serial(3), revoked(None)));
    one.setting.half_issued(one.number, serial(1));
    for policy in [None, Some(Unlisted::Good), Some(Unlisted::Revoked), Some(Unlisted::Unauthorized)] {
        one.setting.issuers[0].unlisted = policy;
        assert_error(&one.ask(&serial(2)), TryLater, Some(0));
    }
    // A first load that broke off leaves no row, not even of what it had read.
    assert_error(&one.ask(&serial(1)), TryLater, Some(0));
    assert_eq!(one.status_of(&serial(3)), CertStatus::Revoked(revoked(None)));
}

#[test]
fn an_inventory_that_is_configured_and_not_loaded_makes_nobody_unissued() {
    let mut one = one();
    one.setting.issuers[0].has_inventory = true;
    one.load(one.crl().revoking(serial(3), revoked(None)));
    for policy in [Unlisted::Good, Unlisted::Unknown, Unlisted::Revoked, Unlisted::Unauthorized] {
        one.setting.issuers[0].unlisted = Some(policy);
        assert_error(&one.ask(&serial(1)), TryLater, Some(0));
        assert_eq!(one.status_of(&serial(3)), CertStatus::Revoked(revoked(None)));
    }
    one.setting.issued(one.number, &[(serial(1), None)]);
    assert_eq!(one.status_of(&serial(1)), CertStatus::Good);
    assert_error(&one.ask(&serial(2)), Unauthorized, Some(0));
}

#[test]
fn t29_e3_without_crls_there_is_no_answer() {
    let one = one();
    assert_error(&one.ask(&serial(1)), TryLater, Some(0));
}

#[test]
fn d9_t38_try_later_from_the_very_second_of_next_update() {
    let one = one();
    one.load(one.crl().valid(now(), now().plus(HOUR)).revoking(serial(3), revoked(None)));
    for of in [serial(1), serial(3)] {
        let last = one.ask_at(&of, now().plus(HOUR - 1));
        let response = verified(&last, one.authority.certificate.public_key());
        assert_eq!(only(&response).next_update, Some(now().plus(HOUR)));
        assert_error(&one.ask_at(&of, now().plus(HOUR)), TryLater, Some(0));
    }
}

#[test]
fn t29_revoked_by_a_fresh_crl_although_another_is_missing_or_late() {
    let mut one = one();
    one.setting.issuers[0].scopes = ScopesPolicy::Count(3);
    one.load(one.crl().at("fresh").revoking(serial(3), revoked(None)));
    one.load(one.crl().at("late").valid(now().plus(-DAY), now()).revoking(serial(4), revoked(None)));
    assert_eq!(one.status_of(&serial(3)), CertStatus::Revoked(revoked(None)));
    for undecidable in [1, 4] {
        assert_error(&one.ask(&serial(undecidable)), TryLater, Some(0));
    }
}

#[test]
fn t18_a_revocation_has_the_times_of_its_own_crl() {
    let one = one();
    one.load(one.crl().at("a").valid(now().plus(-9 * HOUR), now().plus(2 * HOUR)));
    one.load(
        one.crl().at("b").valid(now().plus(-HOUR), now().plus(3 * HOUR)).revoking(serial(3), revoked(None)),
    );
    let answer = one.ask(&serial(3));
    let response = verified(&answer, one.authority.certificate.public_key());
    let single = only(&response);
    assert_eq!((single.this_update, single.next_update), (now().plus(-HOUR), Some(now().plus(3 * HOUR))));
}

#[test]
fn of_two_crls_the_gravest_entry_counts() {
    let one = one();
    let hold = Revocation { time: now().plus(-9 * DAY), ..revoked(Some(CrlReason::CertificateHold)) };
    let early = Revocation { time: now().plus(-5 * DAY), ..revoked(Some(CrlReason::Superseded)) };
    let late = Revocation { time: now().plus(-2 * DAY), ..revoked(Some(CrlReason::KeyCompromise)) };
    one.load(one.crl().at("a").revoking(serial(3), hold).revoking(serial(4), late));
    one.load(one.crl().at("b").revoking(serial(3), late).revoking(serial(4), early));
    assert_eq!(one.status_of(&serial(3)), CertStatus::Revoked(late));
    assert_eq!(one.status_of(&serial(4)), CertStatus::Revoked(early));
    // One that ran out counts no more.
    one.load(one.crl().at("b").valid(now().plus(-DAY), now()).revoking(serial(3), late));
    assert_eq!(one.status_of(&serial(3)), CertStatus::Revoked(hold));
}

#[test]
fn decision_6_a_late_municipality_does_not_silence_the_country() {
    let one = one();
    one.load(one.crl().at("late").valid(now().plus(-DAY), now()));
    one.load(one.crl().at("fine").valid(now().plus(-2 * HOUR), now().plus(5 * HOUR)));
    let issued =
        [(serial(1), Some("late")), (serial(2), Some("fine")), (serial(3), None), (serial(4), Some("new"))];
    one.setting.issued(one.number, &issued);
    let answer = one.ask(&serial(2));
    let response = verified(&answer, one.authority.certificate.public_key());
    let single = only(&response);
    assert_eq!(single.status, CertStatus::Good);
    assert_eq!((single.this_update, single.next_update), (now().plus(-2 * HOUR), Some(now().plus(5 * HOUR))));
    for silent in [1, 3, 4] {
        assert_error(&one.ask(&serial(silent)), TryLater, Some(0));
    }
}

#[test]
fn t28_one_full_crl_answers_for_cards_that_name_a_distribution_point() {
    let one = one();
    one.load(one.crl().revoking(serial(3), revoked(None)));
    one.setting.issued(one.number, &[(serial(1), Some("a")), (serial(3), Some("a"))]);
    assert_eq!(one.status_of(&serial(1)), CertStatus::Good);
    assert_eq!(one.status_of(&serial(3)), CertStatus::Revoked(revoked(None)));
}

#[test]
fn t29_a_crl_of_users_only_leaves_the_rest_open() {
    let one = one();
    one.load(one.crl().only(CertificateKinds::User).revoking(serial(3), revoked(None)));
    assert_error(&one.ask(&serial(1)), TryLater, Some(0));
    assert_eq!(one.status_of(&serial(3)), CertStatus::Revoked(revoked(None)));
}

/// One name, two keys.
struct Generations {
    setting: Setting,
    new: Authority,
    old: Authority,
    number: IssuerNumber,
}

fn generations() -> Generations {
    let mut setting = Setting::new();
    let (new, old) = (Authority::new(KeyKind::P256, AUTH), Authority::new(KeyKind::P256, AUTH));
    let number = setting.add("auth", vec![signs_itself(&new), signs_itself(&old)]);
    Generations { setting, new, old, number }
}

impl Generations {
    fn by_new(&self, number: u8) -> Crl {
        Crl::of(self.number, &self.new.certificate).number(number)
    }

    fn by_old(&self, number: u8) -> Crl {
        Crl::of(self.number, &self.old.certificate).number(number)
    }

    /// What every key that is configured says of a serial number at `now`; `None`: tryLater.
    fn say(&self, of: u8, now: UnixTime) -> Option<CertStatus> {
        let snapshot = self.setting.snapshot();
        let all = [&self.new, &self.old].into_iter().take(snapshot.keys().len()).map(|authority| {
            let asked = request(&[cert_id(&authority.certificate, HashAlgorithm::Sha256, &serial(of))], None);
            let answer = Responder::new().respond(&snapshot, &asked, now);
            if answer.outcome.status == TryLater {
                return None;
            }
            // Signed by the generation that was asked about.
            Some(only(&verified(&answer, authority.certificate.public_key())).status)
        });
        let mut all: Vec<_> = all.collect();
        all.dedup();
        assert_eq!(all.len(), 1, "{all:?}");
        all[0]
    }
}

#[test]
fn f44_both_generations_of_a_key_reach_the_same_revocations() {
    let two = generations();
    two.setting.load(two.by_new(1).revoking(serial(3), revoked(None)));
    two.setting.load(two.by_old(1).revoking(serial(4), revoked(None)));
    assert_eq!(two.say(1, now()), Some(CertStatus::Good));
    assert_eq!(two.say(3, now()), Some(CertStatus::Revoked(revoked(None))));
    assert_eq!(two.say(4, now()), Some(CertStatus::Revoked(revoked(None))));
}

#[test]
fn f42_f44_t20_a_new_key_that_goes_on_with_the_crls_releases_what_the_old_key_had_on_hold() {
    let hold = revoked(Some(CrlReason::CertificateHold));
    let on_hold = Some(CertStatus::Revoked(hold));
    let two = generations();
    two.setting.load(two.by_old(5).valid(now().plus(-HOUR), now().plus(HOUR)).revoking(serial(3), hold));
    // None of these goes on with it: numbers of its own, an earlier time, other certificates, another point.
    for other in [
        two.by_new(5),
        two.by_new(6).valid(now().plus(-2 * HOUR), now().plus(2 * DAY)),
        two.by_new(6).only(CertificateKinds::User),
        two.by_new(6).reasons(&[1, 2]),
        two.by_new(6).at("a"),
    ] {
        let two = generations();
        two.setting.load(two.by_old(5).valid(now().plus(-HOUR), now().plus(HOUR)).revoking(serial(3), hold));
        two.setting.load(other.signed_by(&two.new.certificate));
        assert_eq!(two.say(3, now()), on_hold);
        assert_eq!(two.say(3, now().plus(HOUR)), None);
    }
    // This does, and a delta CRL may take it there.
    two.setting.load(two.by_new(4));
    assert_eq!(two.say(3, now()), on_hold);
    two.setting.load(two.by_new(6).delta().revoking(serial(4), hold));
    assert_eq!((two.say(3, now()), two.say(4, now())), (Some(CertStatus::Good), on_hold));
    two.setting.load(two.by_new(7));
    for at in [now(), now().plus(DAY)] {
        assert_eq!((two.say(3, at), two.say(4, at)), (Some(CertStatus::Good), Some(CertStatus::Good)));
    }
    // Once it is late itself, nothing is known.
    assert_eq!(two.say(3, now().plus(2 * DAY)), None);
    // The old key speaks again, of a later time.
    two.setting.load(two.by_old(8).revoking(serial(3), hold));
    assert_eq!(two.say(3, now()), on_hold);
}

#[test]
fn f42_f44_t21_what_the_old_key_revoked_for_good_outlives_its_crl() {
    let lost = revoked(Some(CrlReason::KeyCompromise));
    let two = generations();
    two.setting.load(two.by_old(5).valid(now().plus(-HOUR), now().plus(HOUR)).revoking(serial(3), lost));
    two.setting
        .load(two.by_old(6).delta().valid(now().plus(-HOUR), now().plus(HOUR)).revoking(serial(4), lost));
    two.setting.load(two.by_new(7));
    for at in [now(), now().plus(HOUR), now().plus(DAY)] {
        for of in [3, 4] {
            assert_eq!(two.say(of, at), Some(CertStatus::Revoked(lost)));
        }
        assert_eq!(two.say(1, at), Some(CertStatus::Good));
    }
}

#[test]
fn f44_t20_t21_a_key_that_is_not_configured_any_more_keeps_what_nobody_else_speaks_of() {
    let (hold, lost) = (revoked(Some(CrlReason::CertificateHold)), revoked(Some(CrlReason::KeyCompromise)));
    let mut two = generations();
    let late = |crl: Crl| crl.valid(now().plus(-HOUR), now());
    two.setting.load(late(two.by_old(9).at("a")).revoking(serial(3), lost).revoking(serial(4), hold));
    two.setting
        .load(late(two.by_old(10).at("a").delta()).revoking(serial(5), lost).revoking(serial(6), hold));
    two.setting.load(two.by_new(1).at("b"));
    two.setting.issuers[0].keys.truncate(1);
    let say = |two: &Generations| [3, 4, 5, 6].map(|of| two.say(of, now()));
    let kept = Some(CertStatus::Revoked(lost));
    assert_eq!(say(&two), [kept, None, kept, None]);
    // What is earlier than the holds does not release them, nor what is about others.
    two.setting.load(two.by_new(1).at("a").valid(now().plus(-DAY), now().plus(DAY)));
    two.setting.load(two.by_new(1).only(CertificateKinds::User));
    assert_eq!(say(&two), [kept, None, kept, None]);
    two.setting.load(two.by_new(2).at("a"));
    let good = Some(CertStatus::Good);
    assert_eq!(say(&two), [kept, good, kept, good]);
}

#[test]
fn f44_t20_a_crl_of_everything_speaks_of_what_a_key_that_is_gone_had_on_hold() {
    let hold = revoked(Some(CrlReason::CertificateHold));
    let mut two = generations();
    two.setting.load(two.by_old(9).at("a").revoking(serial(3), hold));
    two.setting.load(two.by_new(1));
    assert_eq!(two.say(3, now()), Some(CertStatus::Revoked(hold)));
    two.setting.issuers[0].keys.truncate(1);
    assert_eq!(two.say(3, now()), Some(CertStatus::Good));
}

#[test]
fn e1_what_is_no_request_is_malformed_whoever_is_asked_about() {
    let one = one();
    one.load(one.crl());
    let snapshot = one.setting.snapshot();
    let good = one.about(&serial(1));
    for octets in [&[][..], b"GET", &good[..good.len() - 1], &[&good[..], &[0]].concat()] {
        assert_error(&Responder::new().respond(&snapshot, octets, now()), MalformedRequest, None);
    }
}
