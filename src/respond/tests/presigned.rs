//! Answers that were signed beforehand, against what a fresh answer says.

use super::*;
use crate::ocsp::{CertIdForm, CertIdForms};
use crate::signing::test_pki::Issuance;
use crate::snapshot::Series;
use crate::snapshot::test_setting::{DAY, HOUR, delegates, revoked, serial};
use crate::store::{SerialBound, SeriesNumber};
use crate::x509::CrlReason;

pub(super) const SHA1: CertIdForm = CertIdForm { hash: HashAlgorithm::Sha1, has_null: true };

/// Has the issuer at `index` sign beforehand with all its keys.
fn configure(setting: &mut Setting, index: usize, forms: &[CertIdForm]) {
    let forms: Vec<_> = forms.iter().copied().map(CertIdForms::one).collect();
    configure_forms(setting, index, &forms);
}

pub(super) fn configure_forms(setting: &mut Setting, index: usize, forms: &[CertIdForms]) {
    let Setting { store, issuers, .. } = setting;
    for key in &mut issuers[index].keys {
        let ca = &key.certificate;
        for signatory in key.signatories.all_mut() {
            let series = forms.iter().map(|form| {
                let number = store.series(&signatory.series_name(ca, *form)).unwrap();
                Series::new(ca, *form, number)
            });
            signatory.series = series.collect();
        }
    }
}

/// Signs all there is, as of `now`.
pub(super) fn presign_at(setting: &Setting, now: UnixTime) -> u32 {
    let snapshot = setting.snapshot();
    let mut signed = 0;
    for key in snapshot.keys() {
        let candidates = snapshot.view().candidates(key.number, SerialBound::FIRST, None, 1000).unwrap();
        let signatories = key.signatories.all();
        for (one, series) in signatories.flat_map(|one| one.series.iter().map(move |series| (one, series))) {
            let mut presigner = Presigner::new(&snapshot, key, one, series);
            let mut answers = setting.store.begin_answers(series.number).unwrap();
            for candidate in &candidates {
                if let Some((row, due)) = presigner.sign(candidate, now).unwrap() {
                    assert!(row.produced_at < due && due < row.next_update);
                    answers.add(&candidate.serial_number, &row);
                    signed += 1;
                }
            }
            answers.commit().unwrap();
        }
    }
    signed
}

pub(super) fn asked(ca: &Certificate, form: CertIdForm, serial: &SerialNumber) -> Vec<u8> {
    let mut algorithm = element(tag::OBJECT_IDENTIFIER, &[form.hash.oid()]);
    if form.has_null {
        algorithm.extend([tag::NULL, 0]);
    }
    let algorithm = element(tag::SEQUENCE, &[&algorithm]);
    let name = element(tag::OCTET_STRING, &[digest(form.hash, ca.subject()).as_ref()]);
    let key = element(tag::OCTET_STRING, &[digest(form.hash, ca.public_key().bits()).as_ref()]);
    let serial = element(tag::INTEGER, &[serial.as_bytes()]);
    element(tag::SEQUENCE, &[&algorithm, &name, &key, &serial])
}

/// Serials 1 and 2 are issued, 3 is issued and revoked, 4 is revoked and not on record.
pub(super) fn presigning() -> One {
    let mut one = one();
    one.setting.issued(one.number, &[(serial(1), None), (serial(2), None), (serial(3), None)]);
    one.load(
        one.crl()
            .revoking(serial(3), revoked(Some(CrlReason::KeyCompromise)))
            .revoking(serial(4), revoked(Some(CrlReason::CertificateHold))),
    );
    configure(&mut one.setting, 0, &[SHA1]);
    one
}

impl One {
    pub(super) fn ask_form(&self, form: CertIdForm, serial: &SerialNumber, now: UnixTime) -> Answer {
        let request = request(&[asked(&self.authority.certificate, form, serial)], None);
        Responder::new().respond(&self.setting.snapshot(), &request, now)
    }

    /// The answer about a serial number a minute after all were signed, and whether it is a held one.
    fn ask_later(&self, number: u8, later: i64) -> (Answer, bool) {
        let at = now().plus(later);
        let answer = self.ask_form(SHA1, &serial(number), at);
        let is_held = verified(&answer, self.authority.certificate.public_key()).produced_at < at;
        (answer, is_held)
    }
}

#[test]
fn a_held_answer_is_what_was_signed_and_says_what_a_fresh_one_says() {
    let one = presigning();
    let fresh: Vec<Answer> = (1..=4).map(|number| one.ask_later(number, 60).0).collect();
    assert_eq!(presign_at(&one.setting, now()), 4);
    for (number, fresh) in (1..=4).zip(&fresh) {
        let (answer, is_held) = one.ask_later(number, 60);
        assert!(is_held, "{number}");
        assert_eq!(answer.outcome, fresh.outcome);
        let key = one.authority.certificate.public_key();
        let (held, fresh) = (verified(&answer, key), verified(fresh, key));
        let (single, expected) = (only(&held), only(&fresh));
        assert_eq!((single.cert_id.raw, single.status), (expected.cert_id.raw, expected.status));
        assert_eq!(single.this_update, expected.this_update);
        // What caches are told is of the answer that is given, not of now.
        let caching = answer.caching.unwrap();
        assert_eq!(caching.produced_at, now());
        assert_eq!(Some(caching.next_update), single.next_update);
        assert_eq!(answer.body, one.ask_later(number, 120).0.body, "the same octets every time");
    }
}

#[test]
fn a_held_answer_is_kept_in_memory_when_it_is_asked_for_again() {
    let one = presigning();
    presign_at(&one.setting, now());
    let (snapshot, responder) = (one.setting.snapshot(), Responder::with_cache(1 << 20));
    let request = request(&[asked(&one.authority.certificate, SHA1, &serial(1))], None);
    let cache = || responder.respond(&snapshot, &request, now().plus(60)).cache;
    assert_eq!([cache(), cache(), cache()], [CacheUse::Miss, CacheUse::Miss, CacheUse::Hit]);
}

#[test]
fn t33_what_was_revoked_or_released_since_is_answered_so_at_once() {
    let one = presigning();
    presign_at(&one.setting, now());
    one.load(
        one.crl()
            .revoking(serial(1), revoked(Some(CrlReason::CertificateHold)))
            .revoking(serial(3), revoked(Some(CrlReason::KeyCompromise)))
            .revoking(serial(4), revoked(Some(CrlReason::Superseded))),
    );
    let status = |number| {
        let (answer, is_held) = one.ask_later(number, 60);
        let response = verified(&answer, one.authority.certificate.public_key());
        (only(&response).status, is_held)
    };
    assert_eq!(status(1), (CertStatus::Revoked(revoked(Some(CrlReason::CertificateHold))), false));
    assert_eq!(status(2), (CertStatus::Good, true));
    assert_eq!(status(3), (CertStatus::Revoked(revoked(Some(CrlReason::KeyCompromise))), true));
    assert_eq!(
        status(4),
        (CertStatus::Revoked(revoked(Some(CrlReason::Superseded))), false),
        "another reason"
    );
    // Signed while it was on hold, and released.
    presign_at(&one.setting, now());
    one.load(one.crl().revoking(serial(3), revoked(Some(CrlReason::KeyCompromise))));
    assert_eq!(status(1), (CertStatus::Good, false));
}

#[test]
fn t38_an_expired_or_nearly_expired_answer_is_never_used() {
    let one = presigning();
    one.load(one.crl().valid(now().plus(-HOUR), now().plus(20 * DAY)));
    presign_at(&one.setting, now());
    let end = one.ask_later(1, 60).0.caching.unwrap().next_update;
    // D4: with 16 hours or more it is replaced eight hours before its end.
    let left = |later: i64| (one.ask_later(1, later).1, end.since(now().plus(later)));
    assert!(matches!(left(12 * HOUR), (true, left) if left > 8 * HOUR));
    assert!(matches!(left(16 * HOUR), (false, left) if left < 8 * HOUR));
    assert!(!left(30 * HOUR).0);
    assert!(!left(-60).0, "an answer from the future");
}

#[test]
fn d1_while_a_crl_is_late_its_held_answers_serve_to_the_end_and_no_longer() {
    let one = presigning();
    one.load(one.crl().valid(now().plus(-HOUR), now().plus(2 * HOUR)));
    presign_at(&one.setting, now());
    // A fresh answer would end no later.
    assert!(one.ask_later(1, 2 * HOUR - 1).1);
    let late = one.ask_form(SHA1, &serial(1), now().plus(2 * HOUR));
    assert_error(&late, OcspResponseStatus::TryLater, Some(0));
    // The next CRL lets fresh ones live longer: those are signed once the held one is due.
    one.load(one.crl().valid(now(), now().plus(DAY)));
    assert!(one.ask_later(1, 10).1);
    assert!(!one.ask_later(1, 2 * HOUR - 1).1);
}

#[test]
fn d1_answers_signed_for_a_longer_window_are_not_used_in_a_shorter_one() {
    let mut one = presigning();
    presign_at(&one.setting, now());
    assert!(one.ask_later(1, 60).1);
    one.setting.options.validity = 4 * HOUR;
    assert!(!one.ask_later(1, 60).1, "the operator shortened it");
    one.setting.options.validity = DAY;
    one.load(one.crl().valid(now().plus(-HOUR), now().plus(3 * HOUR)));
    assert!(!one.ask_later(1, 60).1, "its CRL ends sooner than the answer");
    one.load(one.crl().valid(now().plus(-2 * HOUR), now().plus(2 * DAY)));
    assert!(!one.ask_later(1, 60).1, "it claims to know more than an older CRL says");
}

#[test]
fn t9_a4_each_form_has_its_own_answers_and_the_others_are_signed_afresh() {
    let mut one = presigning();
    let sha256 = CertIdForm { hash: HashAlgorithm::Sha256, has_null: false };
    configure(&mut one.setting, 0, &[SHA1, sha256]);
    assert_eq!(presign_at(&one.setting, now()), 8);
    for form in CertIdForm::ALL {
        let at = now().plus(60);
        let answer = one.ask_form(form, &serial(2), at);
        let response = verified(&answer, one.authority.certificate.public_key());
        assert_eq!(only(&response).cert_id.raw, asked(&one.authority.certificate, form, &serial(2)));
        assert_eq!(response.produced_at < at, form == SHA1 || form == sha256, "{}", form.name());
    }
}

#[test]
fn t14_t13_nonces_and_lists_are_signed_afresh() {
    let mut one = presigning();
    presign_at(&one.setting, now());
    let at = now().plus(60);
    let cert_id = |number| asked(&one.authority.certificate, SHA1, &serial(number));
    let produced = |one: &One, request: &[u8]| {
        let answer = Responder::new().respond(&one.setting.snapshot(), request, at);
        verified(&answer, one.authority.certificate.public_key()).produced_at
    };
    let nonce = nonce_value(&[7; 16]);
    let with_nonce = request(&[cert_id(1)], Some((&nonce, false)));
    assert_eq!(produced(&one, &with_nonce), at);
    assert_eq!(produced(&one, &request(&[cert_id(1), cert_id(2)], None)), at);
    one.setting.options.nonce = NoncePolicy::Ignore;
    assert_eq!(produced(&one, &with_nonce), now(), "a nonce that is left out needs no signature");
}

#[test]
fn t36_a_new_signer_never_meets_the_signatures_of_the_old_one() {
    let mut one = presigning();
    let first = delegates(&one.authority, KeyKind::P256, Issuance::default());
    let second = delegates(&one.authority, KeyKind::P256, Issuance::default());
    let series =
        |one: &One| -> SeriesNumber { one.setting.issuers[0].keys[0].signatories.default.series[0].number };
    let mut numbers = Vec::new();
    for signer in [first.clone(), second.clone(), first.clone()] {
        one.setting.issuers[0].keys = vec![signer];
        configure(&mut one.setting, 0, &[SHA1]);
        numbers.push(series(&one));
        let at = now().plus(60);
        let key = one.setting.issuers[0].keys[0].signatories.default.responder.signer().public_key().clone();
        let answer = one.ask_form(SHA1, &serial(1), at);
        // Back with the first signer its answers are there again.
        assert_eq!(verified(&answer, &key).produced_at == at, numbers.len() < 3);
        presign_at(&one.setting, now());
        let answer = one.ask_form(SHA1, &serial(1), at);
        assert_eq!(verified(&answer, &key).produced_at, now());
    }
    assert_eq!(numbers[0], numbers[2]);
    assert_ne!(numbers[0], numbers[1]);
}

#[test]
fn t11_one_key_under_two_names_has_two_series() {
    let mut one = presigning();
    let other = Authority::with_key(one.authority.key.clone(), SIGN);
    one.setting.add("sign", vec![signs_itself(&other)]);
    configure(&mut one.setting, 1, &[SHA1]);
    let [first, second] = &one.setting.issuers[..] else { panic!() };
    assert_ne!(
        first.keys[0].signatories.default.series[0].number,
        second.keys[0].signatories.default.series[0].number
    );
}

#[test]
fn an_answer_knows_what_the_inventory_said_until_the_inventory_says_otherwise() {
    let one = presigning();
    one.load(one.crl().at("a").valid(now().plus(-HOUR), now().plus(3 * DAY)));
    one.load(one.crl().at("late").valid(now().plus(-2 * DAY), now().plus(HOUR)));
    one.setting.issued(one.number, &[(serial(7), Some("a"))]);
    presign_at(&one.setting, now());
    let at = now().plus(60);
    assert!(one.ask_later(7, 60).1);
    assert!(at < one.ask_form(SHA1, &serial(7), at).caching.unwrap().next_update);
    // It moves to a distribution point whose CRL ends sooner: what was signed rests on the wrong one.
    one.setting.issued(one.number, &[(serial(7), Some("late"))]);
    let (answer, is_held) = one.ask_later(7, 60);
    assert!(!is_held);
    assert_eq!(answer.caching.unwrap().next_update, now().plus(HOUR));
}

#[test]
fn t7_answers_that_are_signed_together_run_out_over_an_eighth_of_their_life() {
    let one = presigning();
    let serials: Vec<_> = (0..1000u64).map(|number| (SerialNumber::from(number), None)).collect();
    one.setting.issued(one.number, &serials);
    one.load(one.crl().valid(now().plus(-HOUR), now().plus(20 * DAY)));
    presign_at(&one.setting, now());
    let snapshot = one.setting.snapshot();
    let mut ends = Vec::new();
    for (serial, _) in &serials {
        let number = one.setting.issuers[0].keys[0].signatories.default.series[0].number;
        let end = snapshot.view().answer(number, serial, Reach::Disk, |row| row.next_update);
        ends.push(end.unwrap().unwrap().since(now()));
    }
    ends.sort_unstable();
    // The CRL is an hour old, so a day's answers have 23 hours to live.
    assert!(ends[0] >= 20 * HOUR && ends[999] <= 23 * HOUR, "{} {}", ends[0], ends[999]);
    let tenths: Vec<_> = (0..10).map(|tenth| ends[tenth * 100 + 50] - ends[0]).collect();
    assert!(tenths.windows(2).all(|pair| (400..1800).contains(&(pair[1] - pair[0]))), "{tenths:?}");
}

#[test]
fn d3_d4_of_any_validity_and_any_age_of_the_crl() {
    for (validity, age) in
        [(8 * HOUR, 0), (12 * HOUR, 10 * HOUR), (DAY, 0), (DAY, 30 * HOUR), (7 * DAY, 5 * DAY)]
    {
        let mut one = presigning();
        one.setting.options.validity = validity;
        one.load(one.crl().valid(now().plus(-age), now().plus(20 * DAY)));
        presign_at(&one.setting, now());
        let number = one.setting.issuers[0].keys[0].signatories.default.series[0].number;
        let view = one.setting.store.view().unwrap();
        let (this, next) = view
            .answer(number, &serial(1), Reach::Disk, |row| (row.this_update, row.next_update))
            .unwrap()
            .unwrap();
        let interval = next.since(this);
        assert!((8 * HOUR..=10 * DAY + 5 * DAY).contains(&interval), "{validity} {age}: {interval}");
        assert!(next.since(now()) <= validity);
        let last_use =
            (0..interval / 60).rev().map(|minute| minute * 60).find(|later| one.ask_later(1, *later).1);
        let left = next.since(now().plus(last_use.unwrap()));
        let wanted = if interval < 16 * HOUR { interval / 2 } else { 8 * HOUR };
        let least = wanted.min(next.since(now()) * 3 / 4);
        assert!(left >= least - 60, "{validity} {age}: used with {left} left of {interval}");
    }
}
