//! OpenSSL makes keys, and judges the ones that are made here.

use super::*;
use crate::signing::test_pki::{key_and_pem, openssl};
use crate::signing::verify;
use crate::x509::PemError;

fn genpkey(arguments: &[&str]) -> Vec<u8> {
    openssl(&[&["genpkey", "-quiet"], arguments].concat())
}

fn refused(pem: &[u8]) -> KeyError {
    SoftwareKey::from_pkcs8_pem(pem).unwrap_err()
}

/// What OpenSSL makes of a key file, with these arguments behind `openssl`.
fn converted(pem: &[u8], arguments: &[&str]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, pem).unwrap();
    openssl(&[arguments, &["-in", file.to_str().unwrap()]].concat())
}

const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

#[test]
fn keys_that_openssl_makes_sign_and_their_signatures_verify() {
    let kinds: [(&[&str], SignatureAlgorithm, &str); 6] = [
        (P256, SignatureAlgorithm::EcdsaSha256, "ECDSA P-256"),
        (
            &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            SignatureAlgorithm::EcdsaSha384,
            "ECDSA P-384",
        ),
        (&["-algorithm", "ED25519"], SignatureAlgorithm::Ed25519, "Ed25519"),
        (
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            SignatureAlgorithm::RsaSha256,
            "RSA 2048",
        ),
        (
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
            SignatureAlgorithm::RsaSha256,
            "RSA 3072",
        ),
        (
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
            SignatureAlgorithm::RsaSha256,
            "RSA 4096",
        ),
    ];
    for (arguments, algorithm, name) in kinds {
        let pem = genpkey(arguments);
        let key = SoftwareKey::from_pkcs8_pem(&pem).unwrap();
        assert_eq!((key.algorithm(), key.public_key().to_string().as_str()), (algorithm, name));
        assert_eq!(format!("{key:?}"), format!("SoftwareKey({name})"));
        let spki = converted(&pem, &["pkey", "-pubout", "-outform", "DER"]);
        assert_eq!(key.public_key().spki(), spki, "{name}");
        // It appends, and touches nothing in front.
        let mut out = b"before".to_vec();
        key.sign(b"message", &mut out).unwrap();
        let signature = out.strip_prefix(b"before").unwrap();
        assert_eq!(verify(key.public_key(), algorithm, b"message", signature), Ok(()), "{name}");
    }
}

#[test]
fn openssl_reads_every_kind_of_key_that_is_made_here() {
    for kind in KeyKind::ALL {
        let (key, pem) = key_and_pem(kind);
        assert_eq!(
            converted(pem.as_bytes(), &["pkey", "-pubout", "-outform", "DER"]),
            key.public_key().spki()
        );
        let again = SoftwareKey::from_pkcs8_pem(pem.as_bytes()).unwrap();
        assert!(again.public_key() == key.public_key(), "{kind}");
    }
}

#[test]
fn two_keys_made_one_after_the_other_differ() {
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::Ed25519] {
        assert!(key_and_pem(kind).0.public_key() != key_and_pem(kind).0.public_key(), "{kind}");
    }
}

#[cfg(not(feature = "aws-lc"))]
#[test]
fn without_aws_lc_an_rsa_key_is_not_made_and_the_text_says_what_to_do() {
    let error = SoftwareKey::generate(KeyKind::Rsa2048).unwrap_err();
    assert_eq!(error, KeyError::NeedsAwsLc { kind: KeyKind::Rsa2048 });
    assert!(error.to_string().contains("openssl genpkey"));
}

#[test]
fn rsa_keys_outside_of_2048_to_4096_bits_are_refused_by_name() {
    let short = genpkey(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"]);
    assert_eq!(refused(&short), KeyError::RsaSize { bits: 1024 });
    assert_eq!(refused(&short).to_string(), "the RSA key has 1024 bits; 2048 to 4096 can sign");
    // A modulus of 8192 bits, without the time it takes to make a real one.
    let (mut rsa, mut content, mut der) = (Vec::new(), Vec::new(), Vec::new());
    let mut fields = vec![];
    write_tlv(&mut fields, tag::INTEGER, &[0]);
    write_tlv(&mut fields, tag::INTEGER, &[&[0][..], &[0xff; 1024]].concat());
    write_tlv(&mut rsa, tag::SEQUENCE, &fields);
    write_tlv(&mut content, tag::INTEGER, &[0]);
    let mut identifier = Vec::new();
    write_tlv(&mut identifier, tag::OBJECT_IDENTIFIER, asn1::RSA_ENCRYPTION);
    write_tlv(&mut content, tag::SEQUENCE, &identifier);
    write_tlv(&mut content, tag::OCTET_STRING, &rsa);
    write_tlv(&mut der, tag::SEQUENCE, &content);
    assert_eq!(refused(to_pem("PRIVATE KEY", &der).as_bytes()), KeyError::RsaSize { bits: 8192 });
}

#[test]
fn keys_of_other_kinds_are_refused_by_name() {
    for (arguments, name) in [
        (&["-algorithm", "ED448"][..], "id-Ed448"),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"], "secp521r1"),
        (&["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"], "brainpoolP256r1"),
        (&["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"], "id-RSASSA-PSS"),
    ] {
        let error = refused(&genpkey(arguments));
        assert!(matches!(error, KeyError::Unsupported { .. }), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn key_files_of_other_forms_are_refused_with_what_to_do_about_it() {
    let pem = genpkey(P256);
    assert_eq!(refused(b"hello"), KeyError::Pem(PemError::NoBlock));
    assert_eq!(refused(b""), KeyError::Pem(PemError::NoBlock));
    let encrypted = converted(&pem, &["pkcs8", "-topk8", "-passout", "pass:secret"]);
    assert_eq!(refused(&encrypted), KeyError::Encrypted);
    let sec1 = converted(&pem, &["ec"]);
    assert_eq!(refused(&sec1), KeyError::NotPkcs8 { label: "EC PRIVATE KEY".to_owned() });
    let der = converted(&pem, &["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"]);
    assert_eq!(refused(&der), KeyError::NotPem);
    let certificate = to_pem("CERTIFICATE", &[0x30, 0]);
    assert_eq!(refused(certificate.as_bytes()), KeyError::NotPkcs8 { label: "CERTIFICATE".to_owned() });
    // A certificate in front of the key, as some people keep them, does not hide it.
    assert!(SoftwareKey::from_pkcs8_pem(&[certificate.as_bytes(), &pem].concat()).is_ok());
}

#[test]
fn a_key_file_that_was_cut_or_damaged_is_refused() {
    let pem = genpkey(P256);
    let der = pem_blocks(&pem).unwrap().remove(0).der;
    let read = |der: &[u8]| SoftwareKey::from_pkcs8_pem(to_pem("PRIVATE KEY", der).as_bytes());
    for end in 0..der.len() {
        assert!(read(&der[..end]).is_err(), "{end}");
    }
    // The last octet is the public point's: it is then no point, or not this key's.
    let mut damaged = der.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(read(&damaged).unwrap_err(), KeyError::Inconsistent { key: KeyAlgorithm::P256 });
}

/// RFC 5915 3: publicKey is optional, and some tools leave it out.
#[test]
fn rfc5915_s3_an_ec_key_without_its_public_key_is_completed_or_refused_by_name() {
    let pem = genpkey(P256);
    let with = SoftwareKey::from_pkcs8_pem(&pem).unwrap();
    let bare = converted(&pem, &["ec", "-no_public", "-outform", "DER"]);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(&file, bare).unwrap();
    let mut identifier = Vec::new();
    write_tlv(&mut identifier, tag::OBJECT_IDENTIFIER, asn1::EC_PUBLIC_KEY);
    write_tlv(&mut identifier, tag::OBJECT_IDENTIFIER, asn1::SECP256R1);
    let (mut content, mut der) = (Vec::new(), Vec::new());
    write_tlv(&mut content, tag::INTEGER, &[0]);
    write_tlv(&mut content, tag::SEQUENCE, &identifier);
    write_tlv(&mut content, tag::OCTET_STRING, &std::fs::read(&file).unwrap());
    write_tlv(&mut der, tag::SEQUENCE, &content);
    let read = SoftwareKey::from_pkcs8_pem(to_pem("PRIVATE KEY", &der).as_bytes());
    if cfg!(feature = "aws-lc") {
        assert!(read.unwrap().public_key() == with.public_key());
    } else {
        assert_eq!(read.unwrap_err(), KeyError::PublicKeyMissing { key: KeyAlgorithm::P256 });
    }
}
