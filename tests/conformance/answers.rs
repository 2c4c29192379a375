//! Answers (ledger B, D, E, H): what stands in them, read by x509-ocsp and openssl.

use crate::lab::{Answer, Lab, MALFORMED, holds};
use crate::octets::{nonce, request};
use der_0_7::Encode as _;
use x509_ocsp::{CertStatus, OcspGeneralizedTime, ResponderId, Version};

fn seconds(time: &OcspGeneralizedTime) -> u64 {
    time.0.to_unix_duration().as_secs()
}

fn ask(lab: &Lab, certificate: &str) -> Answer {
    lab.ask(&request(&[&lab.cert_id(certificate, "sha1")], &[]))
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

const ALL: [&str; 8] = [
    "auth-good",
    "auth-revoked",
    "auth-hold",
    "auth-unissued",
    "sign-good",
    "sign-revoked",
    "sign-hold",
    "sign-unissued",
];

#[test]
fn b1_b3_b10_b11_b12_b13_b14_b24_the_form_of_every_answer() {
    holds(&["B1", "B3", "B10", "B11", "B12", "B13", "B14", "B24"], |lab| {
        for certificate in ALL {
            for extensions in [vec![], vec![nonce(&[4; 32])]] {
                let id = lab.cert_id(certificate, "sha256");
                // `Answer::read` has checked the type, and that DER comes out again as it came in.
                let answer = lab.ask(&request(&[&id], &extensions));
                let data = &answer.basic().tbs_response_data;
                assert_eq!(data.version, Version::V1);
                assert_eq!(data.responses.len(), 1, "a single response to a single request");
                assert_eq!(data.response_extensions.iter().flatten().count(), extensions.len());
                let single = answer.single();
                let (this, next) =
                    (seconds(&single.this_update), seconds(single.next_update.as_ref().unwrap()));
                let produced = seconds(&data.produced_at);
                assert!(this <= produced && produced <= now() && produced < next, "{this} {produced} {next}");
                for time in [&single.this_update, &data.produced_at, single.next_update.as_ref().unwrap()] {
                    let der = time.to_der().unwrap();
                    assert_eq!((der.len(), der[0], der[16]), (17, 0x18, b'Z'), "YYYYMMDDHHMMSSZ");
                    assert!(answer.octets.windows(17).any(|window| window == der));
                }
            }
        }
    });
}

#[test]
fn b2_e1_e5a_errors_are_five_octets_in_http_200() {
    holds(&["B2", "E1", "E5a"], |lab| {
        // `Answer::read` has checked the HTTP status and type.
        let answer = lab.ask(b"what?");
        assert_eq!(answer.octets, [0x30, 3, 10, 1, MALFORMED]);
        let foreign = lab
            .cert_id("auth-good", "sha1")
            .iter()
            .map(|octet| octet ^ u8::from(*octet > 0x80))
            .collect::<Vec<_>>();
        let answer = lab.ask(&request(&[&foreign], &[]));
        assert!(matches!(answer.octets[..], [0x30, 3, 10, 1, 1 | 6]), "{:?}", answer.octets);
    });
}

#[test]
fn b4_b5_b6_b7_b8_b23_h5_h7_who_signs_and_how() {
    holds(&["B4", "B5", "B6", "B7", "B8", "B23", "H5", "H7"], |lab| {
        let mut keys = Vec::new();
        for ca in ["auth", "sign"] {
            let answer = ask(lab, &format!("{ca}-good"));
            let basic = answer.basic();
            // ECDSA with SHA-256, parameters absent.
            assert_eq!(
                basic.signature_algorithm.to_der().unwrap(),
                crate::octets::hex("300a06082a8648ce3d040302")
            );
            let [signer] = &basic.certs.as_ref().unwrap()[..] else { panic!("one certificate is sent") };
            let file = lab.server.path(&format!("{ca}-ocsp.pem"));
            let said = crate::support::run(
                lab.server.dir(),
                "openssl",
                &["x509", "-in", file.to_str().unwrap(), "-noout", "-text"],
            );
            said.assert_says_one_of(&["OCSP Signing"], "extendedKeyUsage");
            said.assert_says_one_of(&["OCSP No Check"], "ocsp-nocheck");
            assert!(!said.out.contains("Authority Information Access"), "{said:?}");
            assert!(!said.out.contains("CRL Distribution"), "{said:?}");
            // byKey: SHA-1 of the BIT STRING's content, which openssl computes for us.
            let key = signer.tbs_certificate.subject_public_key_info.subject_public_key.raw_bytes();
            std::fs::write(lab.server.path(&format!("{ca}-key")), key).unwrap();
            let digest = crate::support::run(
                lab.server.dir(),
                "openssl",
                &["dgst", "-sha1", "-r", &format!("{ca}-key")],
            );
            let ResponderId::ByKey(hash) = &basic.tbs_response_data.responder_id else { panic!("byName") };
            assert_eq!(hash.as_bytes(), crate::octets::hex(&digest.out[..40]));
            keys.push(key.to_vec());
            // The chain from signer to CA, and the signature, are openssl's to judge.
            assert!(lab.openssl_says(&answer.octets, &format!("{ca}-good")).contains(": good"));
            let verified = crate::support::run(
                lab.server.dir(),
                "openssl",
                &["verify", "-partial_chain", "-trusted", &format!("{ca}-ca.pem"), &format!("{ca}-ocsp.pem")],
            );
            assert_eq!(verified.code, Some(0), "{verified:?}");
        }
        assert_ne!(keys[0], keys[1], "each CA has a signer of its own");
    });
}

#[test]
fn b15_b16_b18_b21_d5_what_is_said_of_each_card() {
    holds(&["B15", "B16", "B18", "B21", "D5", "T19"], |lab| {
        for certificate in ALL {
            let answer = ask(lab, certificate);
            let single = answer.single();
            for extension in single.single_extensions.iter().flatten() {
                assert_ne!(
                    extension.extn_id.to_string(),
                    "2.5.29.21",
                    "no reasonCode beside revocationReason"
                );
            }
            let kind = &certificate[5..];
            match (&single.cert_status, kind) {
                (CertStatus::Good(_), "good") | (CertStatus::Unknown(_), "unissued") => {}
                (CertStatus::Revoked(info), "revoked" | "hold") => {
                    let reason = info.revocation_reason.map(|reason| reason as u8);
                    assert_eq!(reason == Some(6), kind == "hold");
                    assert!(!matches!(reason, Some(0 | 7 | 8)));
                }
                other => panic!("{certificate}: {other:?}"),
            }
        }
    });
}

#[test]
fn d1_d2_d3_d11_times_of_the_demo() {
    holds(&["D1", "D2", "D3", "D11"], |lab| {
        let crl = std::fs::read_dir(lab.server.path("crl/auth")).unwrap().next().unwrap().unwrap().path();
        let said =
            crate::support::ocsprey(lab.server.dir(), &["crl", "show", crl.to_str().unwrap(), "--json"]);
        let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let crl_time = |name: &str| {
            let text = json[name].as_str().unwrap_or_else(|| panic!("no {name} in {json}"));
            let time: std::time::SystemTime = humantime::parse_rfc3339(text).unwrap();
            time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
        };
        let first = ask(lab, "auth-good");
        let single = first.single();
        let (this, next) = (seconds(&single.this_update), seconds(single.next_update.as_ref().unwrap()));
        // All CRLs of the demo are of one moment.
        assert_eq!(this, crl_time("this_update"));
        assert!(next <= crl_time("next_update"));
        let hours = (next - this) / 3600;
        assert!((8..=240).contains(&hours), "BR 4.9.9: 8 hours to 10 days, {hours} h");
        // producedAt is when it was signed.
        let produced = |answer: &Answer| seconds(&answer.basic().tbs_response_data.produced_at);
        assert!(now() - produced(&first) <= 120);
    });
}
