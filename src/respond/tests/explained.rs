//! An explanation says what is answered: the same, in every branch.

use super::*;
use crate::snapshot::test_setting::{HOUR, revoked, serial};
use crate::x509::CrlReason;

/// The explanation of one serial number, after comparing it with the answer to a request.
fn explained(one: &One, number: &SerialNumber, now: UnixTime) -> Explanation {
    let snapshot = one.setting.snapshot();
    let explanation = explain(&snapshot.keys()[0], snapshot.view(), number, now).unwrap();
    let answer = one.ask_at(number, now);
    match &explanation.answer {
        Ok((status, _)) => {
            let ParsedResponse::Basic(response) = ParsedResponse::parse(&answer.body).unwrap() else {
                panic!("explained as {status:?}, answered {:?}", answer.outcome)
            };
            assert_eq!(only(&response).status, *status);
        }
        Err(status) => assert_eq!(answer.outcome.status, *status),
    }
    explanation
}

#[test]
fn every_ground_of_an_answer_is_told_and_the_answer_is_the_one_that_is_given() {
    let one = one();
    one.load(one.crl().revoking(serial(9), revoked(Some(CrlReason::KeyCompromise))));
    let revocation = explained(&one, &serial(9), now());
    assert_eq!(revocation.ground, Ground::Revoked);
    assert_eq!(revocation.evidence.len(), 1);
    assert!(revocation.evidence[0].counts.is_some_and(|window| window.is_fresh(now())));
    assert_eq!(explained(&one, &serial(1), now()).ground, Ground::NoInventory);

    one.setting.half_issued(one.number, serial(1));
    assert_eq!(explained(&one, &serial(2), now()).ground, Ground::InventoryIncomplete);
    one.setting.issued(one.number, &[(serial(1), None), (serial(3), Some("CN=Kiyose-shi"))]);
    assert_eq!(explained(&one, &serial(1), now()).ground, Ground::Issued);
    assert_eq!(explained(&one, &serial(2), now()).ground, Ground::NotIssued);
    assert!(matches!(explained(&one, &serial(3), now()).ground, Ground::IssuedAt(_)));
}

#[test]
fn what_has_run_out_is_told_as_try_later_with_its_ground() {
    let one = one();
    let short = one.crl().valid(now().plus(-HOUR), now().plus(HOUR));
    one.load(short.revoking(serial(9), revoked(None)));
    let later = now().plus(2 * HOUR);
    for (number, ground) in [(9, Ground::Revoked), (1, Ground::NoInventory)] {
        let explanation = explained(&one, &serial(number), later);
        assert_eq!(explanation.ground, ground);
        assert_eq!(explanation.answer.err(), Some(OcspResponseStatus::TryLater));
    }
    let after_the_signer = one.setting.snapshot().keys()[0].signatories.default.responder.not_after();
    assert_eq!(explained(&one, &serial(1), after_the_signer).ground, Ground::Signer);
}
