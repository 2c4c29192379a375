//! Requests (ledger A and C): what is asked, how, and what comes back.

use crate::lab::{Lab, MALFORMED, NONCE_OID, UNAUTHORIZED, holds};
use crate::octets::{
    BASIC, NONCE, PREFERRED, RESPONSE, SERVICE_LOCATOR, STRANGE, extension, nonce, oid, request,
    request_extensions, request_of, sequence, tlv,
};
use der_0_7::{Decode as _, Encode as _};
use x509_ocsp::CertId;

fn malformed(lab: &Lab, octets: &[u8], what: &str) {
    let answer = lab.ask(octets);
    assert_eq!((answer.status, answer.octets.len()), (MALFORMED, 5), "{what}: {:02x?}", answer.octets);
}

fn good(lab: &Lab, octets: &[u8], what: &str) {
    assert_eq!(lab.ask(octets).statuses(), ["good"], "{what}");
}

#[test]
fn a1_a2_a3_a4_t9_every_hash_is_answered_with_the_cert_id_as_it_was_asked() {
    holds(&["A1", "A2", "A3", "A4", "T9"], |lab| {
        for hash in ["sha1", "sha256", "sha384", "sha512"] {
            let with_null = lab.cert_id("auth-good", hash);
            // The parameters of the AlgorithmIdentifier left out instead of NULL.
            let start = if with_null[1] == 0x81 { 3 } else { 2 };
            let end = start + 2 + usize::from(with_null[start + 1]);
            assert_eq!(&with_null[end - 2..end], [5, 0], "openssl writes NULL");
            let algorithm = sequence(&[&with_null[start + 2..end - 2]]);
            let without = sequence(&[&algorithm, &with_null[end..]]);
            for cert_id in [with_null, without] {
                let answer = lab.ask(&request(&[&cert_id], &[]));
                assert_eq!(answer.statuses(), ["good"], "{hash}");
                assert_eq!(answer.single().cert_id.to_der().unwrap(), cert_id, "{hash}");
            }
        }
        // SHA-224 names no issuer of ours, and is no fault of the request.
        let (sha224, octets) = (sequence(&[&oid("608648016503040204")]), tlv(4, &[&[7; 28]]));
        let cert_id = sequence(&[&sha224, &octets, &octets, &tlv(2, &[&[1]])]);
        assert_eq!(lab.ask(&request(&[&cert_id], &[])).status, UNAUTHORIZED);
    });
}

#[test]
fn a5_a6_e5_an_issuer_must_match_by_name_and_by_key() {
    holds(&["A5", "A6", "E5"], |lab| {
        let right = lab.cert_id("auth-good", "sha1");
        let other = lab.cert_id("sign-good", "sha1");
        // SHA-1 AlgorithmIdentifier of 11 octets, then two hashes of 22 each.
        let (name, key) = (13..35, 35..57);
        let mut of_both = right.clone();
        of_both[key.clone()].copy_from_slice(&other[key]);
        let mut of_neither = right.clone();
        of_neither[name][5] ^= 1;
        for cert_id in [of_both, of_neither] {
            let answer = lab.ask(&request(&[&cert_id], &[]));
            assert_eq!((answer.status, answer.octets.len()), (UNAUTHORIZED, 5));
        }
        good(lab, &request(&[&right], &[]), "the same, untouched");
    });
}

#[test]
fn a7_a8_b9_several_certificates_of_several_issuers_each_get_an_answer_in_order() {
    holds(&["A7", "A8", "B9"], |lab| {
        let ids = ["auth-good", "auth-revoked", "auth-unissued", "sign-good", "auth-good"]
            .map(|name| lab.cert_id(name, "sha256"));
        let answer = lab.ask(&request(&ids.each_ref().map(Vec::as_slice), &[]));
        let repeated: Vec<_> = answer
            .basic()
            .tbs_response_data
            .responses
            .iter()
            .map(|one| one.cert_id.to_der().unwrap())
            .collect();
        assert_eq!(repeated, ids);
        // The signer of one CA speaks for no other.
        assert_eq!(answer.statuses(), ["good", "revoked", "unknown", "unknown", "good"]);
        // Nor does it take the other's card for its own of the same serial number.
        let [own, other] =
            ["auth-good", "sign-good"].map(|name| CertId::from_der(&lab.cert_id(name, "sha256")).unwrap());
        let other = CertId { serial_number: own.serial_number.clone(), ..other };
        let [own, other] = [own, other].map(|id| id.to_der().unwrap());
        assert_eq!(lab.ask(&request(&[&own, &other], &[])).statuses(), ["good", "unknown"]);
    });
}

#[test]
fn a9_a10_a11_an_empty_list_and_other_versions_are_malformed() {
    holds(&["A9", "A10", "A11"], |lab| {
        malformed(lab, &request(&[], &[]), "an empty list");
        let list = sequence(&[&sequence(&[&lab.cert_id("auth-good", "sha1")])]);
        let of_version = |version: u8| request_of(&[&tlv(0xa0, &[&[2, 1, version]]), &list]);
        malformed(lab, &of_version(1), "version 2");
        malformed(lab, &of_version(7), "version 8");
        good(lab, &of_version(0), "version 1, written out");
    });
}

#[test]
fn a12_a13_a_requestor_name_and_a_signature_change_nothing() {
    holds(&["A12", "A13"], |lab| {
        let list = sequence(&[&sequence(&[&lab.cert_id("auth-good", "sha1")])]);
        let name = tlv(0xa1, &[&tlv(0xa4, &[&sequence(&[])])]);
        good(lab, &request_of(&[&name, &list]), "a name without a signature");
        let algorithm = sequence(&[&oid("2a8648ce3d040302")]);
        let signature = tlv(0xa0, &[&sequence(&[&algorithm, &tlv(3, &[&[0, 1, 2, 3]])])]);
        good(lab, &sequence(&[&sequence(&[&name, &list]), &signature]), "signed");
    });
}

#[test]
fn a14_to_a20_t15_extensions_are_understood_ignored_or_refused() {
    holds(&["A14", "A15", "A16", "A17", "A18", "A19", "A20", "T15"], |lab| {
        let id = lab.cert_id("auth-good", "sha1");
        let with = |extensions: &[Vec<u8>]| request(&[&id], extensions);
        let single = |extensions: &[u8]| {
            let single = sequence(&[&id, &tlv(0xa0, &[&sequence(&[extensions])])]);
            request_of(&[&sequence(&[&single])])
        };
        let strange = |critical| extension(STRANGE, critical, b"x");
        good(lab, &with(&[strange(false)]), "an unknown extension");
        malformed(lab, &with(&[strange(true)]), "an unknown critical extension");
        good(lab, &single(&strange(false)), "an unknown extension of one certificate");
        malformed(lab, &single(&strange(true)), "an unknown critical extension of one certificate");
        let locator = extension(SERVICE_LOCATOR, false, &sequence(&[&sequence(&[])]));
        good(lab, &single(&locator), "serviceLocator");
        let acceptable = |types: &[&[u8]]| extension(RESPONSE, false, &sequence(types));
        good(lab, &with(&[acceptable(&[&oid(STRANGE), &oid(BASIC)])]), "basic among what is acceptable");
        malformed(lab, &with(&[acceptable(&[&oid(STRANGE)])]), "basic is not acceptable");
        malformed(lab, &with(&[strange(false), strange(false)]), "an extension twice");
    });
}

#[test]
fn a21_t8_what_is_not_der_is_malformed() {
    holds(&["A21", "E1", "T8"], |lab| {
        let right = lab.good();
        assert!(right.len() < 0x80);
        let content = &right[2..];
        let length = right[1];
        for (what, octets) in [
            ("nothing", Vec::new()),
            ("one octet", vec![0x30]),
            ("an indefinite length", [&[0x30, 0x80], content, &[0, 0]].concat()),
            ("a length in long form", [&[0x30, 0x81, length], content].concat()),
            ("a length with a leading zero", [&[0x30, 0x82, 0, length], content].concat()),
            ("a length of 4 GiB", [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], content].concat()),
            ("a trailing octet", [&right[..], &[0]].concat()),
            ("two requests", [&right[..], &right[..]].concat()),
            ("cut short", right[..right.len() - 1].to_vec()),
            ("4,000 levels deep", (0..2000).fold(vec![5, 0], |inner, _| tlv(0x30, &[&inner]))),
            ("text", b"<html>".to_vec()),
        ] {
            malformed(lab, &octets, what);
        }
        good(lab, &right, "the same, untouched");
    });
}

#[test]
fn a22_a23_a24_t12_serial_numbers_are_bounded_signed_and_never_aliased() {
    holds(&["A22", "A23", "A24", "T12"], |lab| {
        let of = |serial: &[u8]| request(&[&lab.cert_id_of(serial, "sha1")], &[]);
        for serial in [&[0x7f; 20][..], &[0], &[0xff], &[0, 0xff], &[0x80], &[1], &[1, 0], &[0, 0x9a]] {
            let answer = lab.ask(&of(serial));
            assert_eq!(answer.single().cert_id.serial_number.as_bytes(), serial, "as it was asked");
        }
        let mut high = [0x9a; 21];
        high[0] = 0;
        assert_eq!(lab.ask(&of(&high)).status, 0, "20 octets with the high bit set");
        for serial in [&[1; 21][..], &[1; 60], &[0, 1], &[0xff, 0xff], &[]] {
            malformed(lab, &of(serial), "a serial that RFC 5280 does not know");
        }
        // A good card's number with a zero more in front or behind is not that card.
        let id = lab.cert_id("auth-good", "sha1");
        let serial = &id[59..];
        assert_eq!(id[57], 2);
        let longer = [serial, &[0]].concat();
        assert_ne!(lab.ask(&of(&longer)).statuses(), ["good"]);
        malformed(lab, &of(&[&[0], serial].concat()), "padded");
        good(lab, &of(serial), "the card itself");
    });
}

#[test]
fn c1_to_c7_t14_nonces_of_every_length() {
    holds(&["C1", "C2", "C3", "C4", "C5", "C6", "C7", "T14"], |lab| {
        let id = lab.cert_id("auth-good", "sha1");
        for length in [1, 15, 16, 31, 32, 33, 64, 128] {
            let octets: Vec<u8> = (0..length).collect();
            let answer = lab.ask(&request(&[&id], &[nonce(&octets)]));
            assert_eq!(answer.extensions(NONCE_OID), [tlv(4, &[&octets])], "{length} octets");
        }
        for length in [0, 129, 200, 1000] {
            malformed(lab, &request(&[&id], &[nonce(&vec![0x5a; length])]), "a nonce too short or too long");
        }
        let raw = extension(NONCE, false, &[0x5a; 32]);
        malformed(lab, &request(&[&id], &[raw]), "raw octets");
    });
}

#[test]
fn c8_c9_c13_critical_double_and_absent_nonces() {
    holds(&["C8", "C9", "C13"], |lab| {
        let id = lab.cert_id("auth-revoked", "sha1");
        let critical = extension(NONCE, true, &tlv(4, &[&[9; 32]]));
        let answer = lab.ask(&request(&[&id], &[critical]));
        assert_eq!(answer.extensions(NONCE_OID), [tlv(4, &[&[9; 32]])]);
        malformed(lab, &request(&[&id], &[nonce(&[1; 32]), nonce(&[2; 32])]), "two nonces");
        let answer = lab.ask(&request(&[&id], &[]));
        assert!(answer.extensions(NONCE_OID).is_empty());
    });
}

#[test]
fn c11_two_hundred_nonces_at_once_each_come_back_to_who_sent_them() {
    holds(&["C11"], |lab| {
        let id = lab.cert_id("auth-good", "sha256");
        std::thread::scope(|scope| {
            for client in 0..8u8 {
                let id = &id;
                scope.spawn(move || {
                    let mut connection = lab.connect();
                    // Four on their way at a time, so that answers could be mixed up.
                    let ours = |number: u8| [client, number].repeat(16);
                    for round in 0..7u8 {
                        for number in 0..4 {
                            let asked = request(&[id], &[nonce(&ours(round * 4 + number))]);
                            connection.send(crate::lab::post(&asked));
                        }
                        for number in 0..4 {
                            let answer = crate::lab::Answer::read(&connection.receive());
                            let expected = tlv(4, &[&ours(round * 4 + number)]);
                            assert_eq!(answer.extensions(NONCE_OID), [expected]);
                        }
                    }
                });
            }
        });
    });
}

#[test]
fn h1_t16_preferred_signature_algorithms_never_lead_to_an_error_or_a_weaker_answer() {
    holds(&["H1", "T16"], |lab| {
        let id = lab.cert_id("auth-good", "sha1");
        // sha1WithRSAEncryption alone; sha512 before the one that is here; the one that is here.
        let rsa = |last: u8| sequence(&[&sequence(&[&oid(&format!("2a864886f70d0101{last:02x}")), &[5, 0]])]);
        let ecdsa = |last: u8| sequence(&[&sequence(&[&oid(&format!("2a8648ce3d0403{last:02x}"))])]);
        for preferred in [rsa(5), [ecdsa(4), ecdsa(2)].concat(), ecdsa(2), rsa(11)] {
            let wish = extension(PREFERRED, false, &sequence(&[&preferred]));
            let answer =
                lab.ask(&request_of(&[&sequence(&[&sequence(&[&id])]), &request_extensions(&[wish])]));
            assert_eq!(answer.basic().signature_algorithm.oid.to_string(), "1.2.840.10045.4.3.2");
            assert!(lab.openssl_says(&answer.octets, "auth-good").contains("auth-good.pem: good"));
        }
    });
}
