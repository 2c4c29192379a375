use super::*;
use der::{Decode, Encode};
use x509_cert::spki::AlgorithmIdentifierOwned;

fn raw(oid: &str, parameters: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    write_tlv(&mut content, tag::OBJECT_IDENTIFIER, ObjectIdentifier::new(oid).unwrap().as_bytes());
    content.extend_from_slice(parameters);
    let mut der = Vec::new();
    write_tlv(&mut der, tag::SEQUENCE, &content);
    der
}

fn read(oid: &str, parameters: &[u8]) -> Result<SignatureAlgorithm, AlgorithmError> {
    SignatureAlgorithm::from_algorithm_identifier(&raw(oid, parameters))
}

#[test]
fn every_algorithm_reads_its_own_identifier_and_another_parser_agrees() {
    for algorithm in SignatureAlgorithm::ALL {
        let der = algorithm.algorithm_identifier();
        assert_eq!(SignatureAlgorithm::from_algorithm_identifier(der), Ok(algorithm));
        let theirs = AlgorithmIdentifierOwned::from_der(der).unwrap();
        assert_eq!(theirs.oid.as_bytes(), algorithm.oid());
        assert_eq!(theirs.parameters.is_some(), algorithm.is_rsa());
        assert_eq!(theirs.to_der().unwrap(), der);
    }
    for hash in HashAlgorithm::ALL {
        assert_eq!(HashAlgorithm::from_oid(hash.oid()), Some(hash));
    }
    assert_eq!(HashAlgorithm::from_oid(asn1::ED25519), None);
}

#[test]
fn rfc4055_s5_rsa_parameters_are_null_or_left_out_and_nothing_else() {
    let sha256_with_rsa = "1.2.840.113549.1.1.11";
    assert_eq!(read(sha256_with_rsa, &NULL), Ok(SignatureAlgorithm::RsaSha256));
    assert_eq!(read(sha256_with_rsa, &[]), Ok(SignatureAlgorithm::RsaSha256));
    for parameters in [&[tag::SEQUENCE, 0][..], &[tag::NULL, 0, tag::NULL, 0], &[tag::NULL, 1, 0]] {
        let refused = Err(AlgorithmError::Parameters(SignatureAlgorithm::RsaSha256));
        assert_eq!(read(sha256_with_rsa, parameters), refused);
    }
}

#[test]
fn rfc5758_s3_2_and_rfc8410_s3_ecdsa_and_ed25519_have_no_parameters() {
    for (oid, algorithm) in [
        ("1.2.840.10045.4.3.2", SignatureAlgorithm::EcdsaSha256),
        ("1.3.101.112", SignatureAlgorithm::Ed25519),
    ] {
        assert_eq!(read(oid, &[]), Ok(algorithm));
        assert_eq!(read(oid, &NULL), Err(AlgorithmError::Parameters(algorithm)));
    }
}

#[test]
fn weak_algorithms_are_refused_as_weak_and_by_name() {
    for (oid, name) in [
        ("1.2.840.113549.1.1.5", "sha1WithRSAEncryption"),
        ("1.2.840.113549.1.1.4", "md5WithRSAEncryption"),
        ("1.2.840.113549.1.1.2", "md2WithRSAEncryption"),
        ("1.2.840.10040.4.3", "dsa-with-sha1"),
        ("1.2.840.10045.4.1", "1.2.840.10045.4.1"),
        ("1.3.14.3.2.29", "1.3.14.3.2.29"),
    ] {
        let error = read(oid, &NULL).unwrap_err();
        assert_eq!(error, AlgorithmError::Weak(ObjectIdentifier::new(oid).unwrap()));
        let text = error.to_string();
        assert!(text.contains("too weak") && text.contains(oid) && text.contains(name), "{text}");
    }
}

#[test]
fn unknown_algorithms_and_broken_identifiers_are_refused_by_name() {
    let pss = read("1.2.840.113549.1.1.10", &[]).unwrap_err();
    assert!(matches!(pss, AlgorithmError::Unsupported(_)));
    assert!(pss.to_string().contains("id-RSASSA-PSS"), "{pss}");
    assert!(matches!(read("1.2.3.4", &[]), Err(AlgorithmError::Unsupported(_))));
    let read = SignatureAlgorithm::from_algorithm_identifier;
    assert_eq!(read(&[]), Err(AlgorithmError::Der(DerError::Truncated)));
    assert_eq!(read(&[0x30, 0]), Err(AlgorithmError::Der(DerError::Truncated)));
    let mut longer = SignatureAlgorithm::Ed25519.algorithm_identifier().to_vec();
    longer.push(0);
    assert_eq!(read(&longer), Err(AlgorithmError::Der(DerError::Trailing)));
}

#[test]
fn a_public_key_made_of_its_bits_is_the_key_that_is_read() {
    let mut point = vec![4];
    point.extend([7; 64]);
    let key = PublicKey::from_bits(KeyAlgorithm::P256, &point).unwrap();
    assert_eq!((key.algorithm(), key.bits()), (KeyAlgorithm::P256, point.as_slice()));
    assert!(PublicKey::from_spki(key.spki()).unwrap() == key);
    assert_eq!(key.to_string(), "ECDSA P-256");
    assert_eq!(
        PublicKey::from_bits(KeyAlgorithm::P384, &point).unwrap_err(),
        PublicKeyError::Point(KeyAlgorithm::P384)
    );
    point[0] = 2;
    assert_eq!(
        PublicKey::from_bits(KeyAlgorithm::P256, &point).unwrap_err(),
        PublicKeyError::Point(KeyAlgorithm::P256)
    );
    assert_eq!(
        PublicKey::from_bits(KeyAlgorithm::Ed25519, &[1; 31]).unwrap_err(),
        PublicKeyError::Ed25519Length(31)
    );
}

#[test]
fn an_rsa_key_says_its_bits_and_is_itself_without_its_null() {
    let rsa = |modulus: &[u8]| {
        let (mut content, mut der) = (Vec::new(), Vec::new());
        write_tlv(&mut content, tag::INTEGER, modulus);
        write_tlv(&mut content, tag::INTEGER, &[1, 0, 1]);
        write_tlv(&mut der, tag::SEQUENCE, &content);
        PublicKey::from_bits(KeyAlgorithm::Rsa, &der)
    };
    let mut modulus = vec![0];
    modulus.extend([0xc1; 256]);
    let key = rsa(&modulus).unwrap();
    assert_eq!(key.rsa_bits(), Some(2048));
    assert_eq!(key.to_string(), "RSA 2048");
    modulus.remove(0);
    modulus[0] = 0x01;
    assert_eq!(rsa(&modulus).unwrap().rsa_bits(), Some(2041));
    modulus[0] = 0x80;
    assert_eq!(rsa(&modulus).unwrap_err(), PublicKeyError::Der(DerError::Value));

    let mut content = raw("1.2.840.113549.1.1.1", &[]);
    write_header(&mut content, tag::BIT_STRING, key.bits().len() + 1);
    content.push(0);
    content.extend_from_slice(key.bits());
    let mut without_null = Vec::new();
    write_tlv(&mut without_null, tag::SEQUENCE, &content);
    let other = PublicKey::from_spki(&without_null).unwrap();
    assert!(other == key && other.spki() != key.spki());
}

#[test]
fn a_key_of_a_kind_that_is_not_used_here_can_still_be_held() {
    let mut content =
        raw("1.2.840.10045.2.1", ObjectIdentifier::new("1.3.132.0.35").unwrap().to_der().unwrap().as_slice());
    write_tlv(&mut content, tag::BIT_STRING, &[0, 4, 1, 2, 3]);
    let mut spki = Vec::new();
    write_tlv(&mut spki, tag::SEQUENCE, &content);
    let key = PublicKey::from_spki(&spki).unwrap();
    assert_eq!(key.to_string(), "secp521r1 (1.3.132.0.35)");
    assert_eq!(key.bits(), [4, 1, 2, 3]);
    let unused_bits = spki.len() - 5;
    spki[unused_bits] = 1;
    assert_eq!(PublicKey::from_spki(&spki).unwrap_err(), PublicKeyError::Der(DerError::Value));
}
