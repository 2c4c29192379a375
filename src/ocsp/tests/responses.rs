//! Answers as they are written (ledger B).

use super::*;
use crate::x509::{CrlReason, Revocation, UnixTime};

pub(super) const KEY_HASH: [u8; 20] = [0x6b; 20];

/// `ecdsa-with-SHA256`
pub(super) fn ecdsa() -> Vec<u8> {
    sequence(&[&der(tag::OBJECT_IDENTIFIER, &[asn1::ECDSA_WITH_SHA256])])
}

pub(super) fn at(text: &str) -> UnixTime {
    UnixTime::from_generalized_time(text.as_bytes()).unwrap()
}

/// The whole OCSPResponse.
pub(super) fn write(
    template: &ResponseTemplate,
    data: &ResponseData<'_>,
    singles: &[SingleResponse<'_>],
    signature: &[u8],
) -> Vec<u8> {
    let unsigned = template.begin(data, singles.iter().copied(), signature.len());
    let signed = unsigned.to_be_signed().to_vec();
    let (buffer, start) = unsigned.finish(template, signature);
    let whole = buffer[start..].to_vec();
    // What was signed is what is sent.
    assert!(whole.windows(signed.len()).any(|window| window == signed));
    whole
}

fn data(produced_at: UnixTime) -> ResponseData<'static> {
    ResponseData { produced_at, nonce: None, extended_revoke: false }
}

fn single(cert_id: &[u8], status: CertStatus) -> SingleResponse<'_> {
    SingleResponse {
        cert_id,
        status,
        this_update: at("20261122120000Z"),
        next_update: at("20261123120000Z"),
        crl_reference: &[],
    }
}

#[test]
fn b2_s4_2_1_error_status_has_no_response_bytes() {
    for (status, value) in [
        (OcspResponseStatus::MalformedRequest, 1),
        (OcspResponseStatus::InternalError, 2),
        (OcspResponseStatus::TryLater, 3),
        (OcspResponseStatus::SigRequired, 5),
        (OcspResponseStatus::Unauthorized, 6),
    ] {
        assert_eq!(error_response(status), [0x30, 0x03, 0x0a, 0x01, value]);
        assert_eq!(OcspResponseStatus::from_value(value), Some(status));
    }
    // Without an answer nothing succeeded.
    assert_eq!(
        error_response(OcspResponseStatus::Successful),
        error_response(OcspResponseStatus::InternalError)
    );
    for unused in [4, 7, 255] {
        assert_eq!(OcspResponseStatus::from_value(unused), None);
    }
}

#[test]
fn b1_b3_b12_b24_a_good_answer_octet_by_octet() {
    let id = sha1_cert_id();
    let template = ResponseTemplate::new(&KEY_HASH, &ecdsa(), &[]);
    let whole = write(&template, &data(at("20261122123000Z")), &[single(&id, CertStatus::Good)], &[9; 70]);

    // Built a second time, from the inside outwards.
    let time = |text: &str| der(tag::GENERALIZED_TIME, &[text.as_bytes()]);
    let next = explicit(0, &[&time("20261123120000Z")]);
    let response = sequence(&[&id, &[0x80, 0], &time("20261122120000Z"), &next]);
    let responder = explicit(2, &[&der(tag::OCTET_STRING, &[&KEY_HASH])]);
    // Neither version nor responseExtensions.
    let tbs = sequence(&[&responder, &time("20261122123000Z"), &sequence(&[&response])]);
    // No certs, rather than none of them.
    let basic = sequence(&[&tbs, &ecdsa(), &der(tag::BIT_STRING, &[&[0], &[9; 70]])]);
    let oid = der(tag::OBJECT_IDENTIFIER, &[asn1::OCSP_BASIC]);
    let bytes = sequence(&[&oid, &der(tag::OCTET_STRING, &[&basic])]);
    let expected = sequence(&[&[0x0a, 1, 0], &explicit(0, &[&bytes])]);
    assert_eq!(whole, expected);
}

#[test]
fn b15_b16_b20_a_revocation_octet_by_octet() {
    let id = sha1_cert_id();
    let template = ResponseTemplate::new(&KEY_HASH, &ecdsa(), &[]);
    let revoked = Revocation {
        time: at("20260301103000Z"),
        reason: Some(CrlReason::KeyCompromise),
        invalidity: Some(at("20260228000000Z")),
    };
    let whole = write(
        &template,
        &data(at("20261122123000Z")),
        &[single(&id, CertStatus::Revoked(revoked))],
        &[9; 70],
    );
    let time = |text: &str| der(tag::GENERALIZED_TIME, &[text.as_bytes()]);
    let info = explicit(1, &[&time("20260301103000Z"), &explicit(0, &[&[0x0a, 1, 1]])]);
    // Not critical, as in the CRL (RFC 5280 5.3.2).
    let date = extension(asn1::INVALIDITY_DATE, false, &time("20260228000000Z"));
    let response = sequence(&[
        &id,
        &info,
        &time("20261122120000Z"),
        &explicit(0, &[&time("20261123120000Z")]),
        &explicit(1, &[&sequence(&[&date])]),
    ]);
    assert!(whole.windows(response.len()).any(|window| window == response), "{whole:02x?}");
}

#[test]
fn b25_s4_4_4_an_archive_cutoff_counts_from_produced_at_and_stands_beside_the_invalidity_date() {
    let id = sha1_cert_id();
    let template = ResponseTemplate::new(&KEY_HASH, &ecdsa(), &[]).with_archive_cutoff(86_400);
    let revoked =
        Revocation { time: at("20260301103000Z"), reason: None, invalidity: Some(at("20260228000000Z")) };
    let singles = [single(&id, CertStatus::Good), single(&id, CertStatus::Revoked(revoked))];
    let whole = write(&template, &data(at("20261122123000Z")), &singles, &[9; 70]);
    let time = |text: &str| der(tag::GENERALIZED_TIME, &[text.as_bytes()]);
    let cutoff = extension(asn1::OCSP_ARCHIVE_CUTOFF, false, &time("20261121123000Z"));
    let date = extension(asn1::INVALIDITY_DATE, false, &time("20260228000000Z"));
    let next = explicit(0, &[&time("20261123120000Z")]);
    let good =
        sequence(&[&id, &[0x80, 0], &time("20261122120000Z"), &next, &explicit(1, &[&sequence(&[&cutoff])])]);
    let revoked = sequence(&[
        &id,
        &explicit(1, &[&time("20260301103000Z")]),
        &time("20261122120000Z"),
        &next,
        &explicit(1, &[&sequence(&[&date, &cutoff])]),
    ]);
    let both = sequence(&[&good, &revoked]);
    assert!(whole.windows(both.len()).any(|window| window == both), "{whole:02x?}");
}

#[test]
fn s4_4_2_a_crl_reference_octet_by_octet() {
    let id = sha1_cert_id();
    let template = ResponseTemplate::new(&KEY_HASH, &ecdsa(), &[]).with_archive_cutoff(86_400);
    let url = b"http://crl.example/north.crl";
    let crl = CrlId { url: Some(url), number: Some(&[0xc8, 1]), time: Some(at("20261122120000Z")) };
    let reference = crl.extension().unwrap();
    let revoked =
        Revocation { time: at("20260301103000Z"), reason: None, invalidity: Some(at("20260228000000Z")) };
    let single = SingleResponse { crl_reference: &reference, ..single(&id, CertStatus::Revoked(revoked)) };
    let whole = write(&template, &data(at("20261122123000Z")), &[single], &[9; 70]);
    // 1.3.6.1.5.5.7.48.1.3, as openssl's objects.txt has it. All fields are explicitly tagged (RFC 6960 appendix B).
    let oid = [0x2b, 6, 1, 5, 5, 7, 0x30, 1, 3];
    let time = |text: &str| der(tag::GENERALIZED_TIME, &[text.as_bytes()]);
    let named = sequence(&[
        &explicit(0, &[&der(0x16, &[url])]),
        &explicit(1, &[&[2, 3, 0, 0xc8, 1]]),
        &explicit(2, &[&time("20261122120000Z")]),
    ]);
    let date = extension(asn1::INVALIDITY_DATE, false, &time("20260228000000Z"));
    let cutoff = extension(asn1::OCSP_ARCHIVE_CUTOFF, false, &time("20261121123000Z"));
    let response = sequence(&[
        &id,
        &explicit(1, &[&time("20260301103000Z")]),
        &time("20261122120000Z"),
        &explicit(0, &[&time("20261123120000Z")]),
        &explicit(1, &[&sequence(&[&date, &cutoff, &extension(&oid, false, &named)])]),
    ]);
    assert!(whole.windows(response.len()).any(|window| window == response), "{whole:02x?}");
    let ParsedResponse::Basic(basic) = ParsedResponse::parse(&whole).unwrap() else { panic!() };
    assert_eq!(basic.singles().next().unwrap().crl, Some(crl));
}

#[test]
fn s4_4_2_a_reference_says_what_there_is_to_say_or_is_none() {
    let number = |number: &'static [u8]| CrlId { number: Some(number), ..CrlId::default() };
    for (crl, content) in [
        (number(&[0]), vec![0xa1, 3, 2, 1, 0]),
        (number(&[0x7f]), vec![0xa1, 3, 2, 1, 0x7f]),
        (number(&[0x80]), vec![0xa1, 4, 2, 2, 0, 0x80]),
        (CrlId { url: Some(b"u"), ..CrlId::default() }, vec![0xa0, 3, 0x16, 1, b'u']),
    ] {
        let value = sequence(&[&content]);
        assert_eq!(crl.extension(), Some(extension(asn1::OCSP_CRL, false, &value)));
        assert_eq!(CrlId::from_der(&value), Ok(crl));
    }
    assert_eq!(CrlId::default().extension(), None);
    for wrong in
        [&[0xa1, 3, 2, 1, 0x80][..], &[0xa1, 4, 2, 2, 0, 1], &[0xa2, 3, 2, 1, 1], &[0xa0, 3, 0x0c, 1, b'u']]
    {
        assert!(CrlId::from_der(&sequence(&[wrong])).is_err(), "{wrong:02x?}");
    }
}

#[test]
fn b16_b17_a_revocation_without_a_reason_says_only_when() {
    let id = sha1_cert_id();
    let template = ResponseTemplate::new(&KEY_HASH, &ecdsa(), &[]);
    let revoked = Revocation { time: at("20260301103000Z"), reason: None, invalidity: None };
    let whole = write(
        &template,
        &data(at("20261122123000Z")),
        &[single(&id, CertStatus::Revoked(revoked))],
        &[9; 70],
    );
    let info = explicit(1, &[&der(tag::GENERALIZED_TIME, &[b"20260301103000Z"])]);
    let around = [&id[..], &info, &der(tag::GENERALIZED_TIME, &[b"20261122120000Z"])].concat();
    assert!(whole.windows(around.len()).any(|window| window == around));
}

#[test]
fn b22_the_extensions_of_an_answer_stand_in_one_list() {
    let id = sha1_cert_id();
    let template = ResponseTemplate::new(&KEY_HASH, &ecdsa(), &[]);
    let value = der(tag::OCTET_STRING, &[&[0x5e; 32]]);
    let nonce = extension(asn1::OCSP_NONCE, false, &value);
    let extended = extension(asn1::OCSP_EXTENDED_REVOKE, false, &[tag::NULL, 0]);
    for (with_nonce, extended_revoke, list) in [
        (true, false, sequence(&[&nonce])),
        (false, true, sequence(&[&extended])),
        (true, true, sequence(&[&nonce, &extended])),
    ] {
        let nonce = with_nonce.then_some(NonceRef { value: &value });
        let data = ResponseData { produced_at: at("20261122123000Z"), nonce, extended_revoke };
        let unsigned = template.begin(&data, std::iter::once(single(&id, CertStatus::NEVER_ISSUED)), 70);
        assert!(unsigned.to_be_signed().ends_with(&explicit(1, &[&list])));
    }
}

#[test]
fn b24_headers_fit_in_front_of_an_answer_of_any_size() {
    let certificate = |octets: usize| explicit(0, &[&sequence(&[&sequence(&[&vec![5; octets]])])]);
    let id = sha1_cert_id();
    for octets in [0, 100, 127, 128, 200, 255, 256, 60_000, 65_535, 65_536, 20_000_000] {
        let template = ResponseTemplate::new(&KEY_HASH, &ecdsa(), &certificate(octets));
        let whole = write(&template, &data(UnixTime::EPOCH), &[single(&id, CertStatus::Good)], &[9; 70]);
        let ParsedResponse::Basic(basic) = ParsedResponse::parse(&whole).unwrap() else { panic!("{octets}") };
        assert_eq!(basic.signature, [9; 70]);
        assert_eq!(basic.certificates().map(<[u8]>::len).sum::<usize>(), sequence(&[&vec![5; octets]]).len());
    }
}

#[test]
fn one_allocation_is_enough_for_an_answer() {
    let id = cert_id(HashAlgorithm::Sha512, true, &[1; 20]);
    let value = der(tag::OCTET_STRING, &[&[0x5e; MAX_NONCE_OCTETS]]);
    let template = ResponseTemplate::new(&KEY_HASH, &ecdsa(), &explicit(0, &[&sequence(&[&[5; 700]])]));
    let data = ResponseData {
        produced_at: UnixTime::MAX,
        nonce: Some(NonceRef { value: &value }),
        extended_revoke: true,
    };
    let unsigned = template.begin(&data, std::iter::repeat_n(single(&id, CertStatus::NEVER_ISSUED), 7), 72);
    let before = unsigned.to_be_signed().as_ptr();
    let (buffer, start) = unsigned.finish(&template, &[9; 72]);
    let offset = before as usize - buffer.as_ptr() as usize;
    // The buffer that was begun is the one that is sent.
    assert!(offset > start && offset < buffer.len());
}
