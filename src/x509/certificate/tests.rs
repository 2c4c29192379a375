//! OpenSSL makes the certificates: another program's idea of what they look like.

use super::*;
use crate::x509::KeyAlgorithm;
use std::path::Path;
use std::process::Command;

fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(directory).args(arguments).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A self-signed certificate with these extensions and options, as PEM.
fn certificate(options: &[&str], extensions: &[&str]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let mut arguments = vec!["req", "-x509", "-nodes", "-keyout", "k", "-out", "c"];
    arguments.extend(["-config", "conf", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    if !options.contains(&"-set_serial") {
        arguments.extend(["-set_serial", "0x00ff01"]);
    }
    arguments.extend(options);
    for extension in extensions {
        arguments.extend(["-addext", extension]);
    }
    // Without a configuration of its own OpenSSL would add the machine's default extensions.
    std::fs::write(directory.path().join("conf"), "[req]\ndistinguished_name=dn\n[dn]\n").unwrap();
    openssl(directory.path(), &arguments);
    std::fs::read(directory.path().join("c")).unwrap()
}

const NAME: &[&str] =
    &["-subj", "/C=XX/O=Ministry, of \"Cards\"/CN=Zertifizierungsstelle Österreich", "-utf8"];

#[test]
fn what_openssl_writes_is_read_field_by_field() {
    let pem = certificate(
        NAME,
        &[
            "basicConstraints=critical,CA:true",
            "keyUsage=critical,keyCertSign,cRLSign",
            "subjectKeyIdentifier=hash",
            "authorityKeyIdentifier=keyid:always",
        ],
    );
    let read = Certificate::from_pem_or_der(&pem).unwrap();
    assert!(Certificate::from_pem_or_der(read.der()).unwrap() == read);
    assert_eq!(read.pem().as_bytes(), pem);
    assert_eq!(read.serial_number().to_hex(), "ff01");
    assert_eq!(read.subject(), read.issuer());
    assert_eq!(
        read.subject_text(),
        "CN=Zertifizierungsstelle Österreich,O=Ministry\\, of \\\"Cards\\\",C=XX"
    );
    assert_eq!(read.public_key().algorithm(), KeyAlgorithm::P256);
    assert_eq!(read.signature_algorithm(), Ok(SignatureAlgorithm::EcdsaSha256));
    assert_eq!(read.not_after().since(read.not_before()), 30 * 86_400);
    assert!(read.is_ca() && read.allows_crl_sign() && read.allows_cert_sign());
    assert!(!read.allows_digital_signature() && !read.allows_ocsp_signing() && !read.has_ocsp_nocheck());
    assert_eq!(read.subject_key_identifier().map(<[u8]>::len), Some(20));
    assert_eq!(read.subject_key_identifier(), read.authority_key_identifier());
    assert!(!format!("{read:?}").contains("ff01"));

    let theirs = x509_cert::Certificate::from_der(read.der()).unwrap();
    use der::Encode;
    assert_eq!(theirs.tbs_certificate().to_der().unwrap(), read.tbs());
    assert_eq!(theirs.tbs_certificate().subject().to_der().unwrap(), read.subject());
    assert_eq!(theirs.signature().raw_bytes(), read.signature());
}

#[test]
fn rfc6960_s4_2_2_2_what_makes_a_responder_is_seen() {
    let with = |extensions: &[&str]| Certificate::from_pem_or_der(&certificate(NAME, extensions)).unwrap();
    let responder = with(&["extendedKeyUsage=OCSPSigning", "noCheck=ignored", "keyUsage=digitalSignature"]);
    assert!(responder.allows_ocsp_signing() && responder.has_ocsp_nocheck() && !responder.is_ca());
    assert!(responder.allows_digital_signature() && !responder.allows_crl_sign());
    let any = with(&["extendedKeyUsage=anyExtendedKeyUsage"]);
    assert!(!any.allows_ocsp_signing() && !any.has_ocsp_nocheck());
}

#[test]
fn rfc5280_s4_2_1_3_without_key_usage_everything_is_allowed_even_in_version_1() {
    let read = Certificate::from_pem_or_der(&certificate(NAME, &[])).unwrap();
    assert!(read.allows_crl_sign() && read.allows_cert_sign() && read.allows_digital_signature());
    assert!(!read.is_ca() && read.subject_key_identifier().is_none());
}

#[test]
fn rfc5280_s4_2_1_13_full_names_of_distribution_points_are_given_as_they_stand() {
    let points = "crlDistributionPoints=URI:http://a/1.crl,URI:http://a/2.crl";
    let read = Certificate::from_pem_or_der(&certificate(NAME, &[points])).unwrap();
    let uri = |text: &str| {
        let mut name = vec![0x86, text.len() as u8];
        name.extend_from_slice(text.as_bytes());
        name
    };
    assert_eq!(read.crl_distribution_points(), [uri("http://a/1.crl"), uri("http://a/2.crl")]);
}

#[test]
fn an_old_generation_with_a_sha1_signature_is_read_and_its_signature_refused() {
    let pem = certificate(&["-sha1", "-subj", "/CN=Old", "-days", "9000"], &[]);
    let read = Certificate::from_pem_or_der(&pem).unwrap();
    assert!(matches!(read.signature_algorithm(), Err(AlgorithmError::Weak(_))));
    // RFC 5280 4.1.2.5: GeneralizedTime from 2050 on.
    let far =
        Certificate::from_pem_or_der(&certificate(&["-subj", "/CN=Far", "-days", "36500"], &[])).unwrap();
    assert!(far.not_after() > UnixTime::from_civil(2100, 1, 1, 0, 0, 0).unwrap());
}

#[test]
fn a_bundle_gives_all_its_certificates_and_the_first_is_the_holders() {
    let one = certificate(&["-subj", "/CN=One"], &[]);
    let two = certificate(&["-subj", "/CN=Two"], &[]);
    let bundle = [b"words\n".as_slice(), &one, &two].concat();
    let names: Vec<_> =
        Certificate::all_from_pem_or_der(&bundle).unwrap().iter().map(Certificate::subject_text).collect();
    assert_eq!(names, ["CN=One", "CN=Two"]);
    assert_eq!(Certificate::from_pem_or_der(&bundle).unwrap().subject_text(), "CN=One");
}

#[test]
fn files_that_are_no_certificate_are_refused_by_name() {
    let refused = |bytes: &[u8]| Certificate::from_pem_or_der(bytes).unwrap_err();
    let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    assert_eq!(
        refused(key.as_bytes()),
        CertificateError::NotACertificate { found: "PRIVATE KEY".to_owned() }
    );
    let open = "-----BEGIN CERTIFICATE-----\nMAA=\n";
    assert!(matches!(refused(open.as_bytes()), CertificateError::Pem(PemError::Unfinished { .. })));
    assert_eq!(refused(b""), CertificateError::Der(DerError::Truncated));
    assert!(matches!(refused(b"hello"), CertificateError::Der(_)));
}

#[test]
fn a_certificate_cut_or_lengthened_anywhere_is_refused() {
    let der = Certificate::from_pem_or_der(&certificate(NAME, &["keyUsage=cRLSign"])).unwrap().der().to_vec();
    for end in 0..der.len() {
        assert!(Certificate::from_der(&der[..end]).is_err(), "{end}");
    }
    assert_eq!(
        Certificate::from_der(&[&der[..], &[0]].concat()).unwrap_err(),
        CertificateError::Der(DerError::Trailing)
    );
    // No octet that is turned over makes it panic.
    for at in 0..der.len() {
        let mut damaged = der.clone();
        damaged[at] ^= 0xff;
        let _ = Certificate::from_der(&damaged);
    }
}

/// `der` with the one place that holds `from` replaced by `to`, of the same length.
fn replaced(der: &[u8], from: &[u8], to: &[u8], last: bool) -> Vec<u8> {
    let mut found =
        der.windows(from.len()).enumerate().filter(|(_, window)| *window == from).map(|(at, _)| at);
    let at = if last { found.next_back() } else { found.next() }.unwrap();
    let mut changed = der.to_vec();
    changed[at..at + to.len()].copy_from_slice(to);
    changed
}

#[test]
fn certificates_that_contradict_the_standard_are_refused_by_name() {
    let extensions = ["keyUsage=cRLSign", "basicConstraints=CA:true"];
    let der = Certificate::from_pem_or_der(&certificate(NAME, &extensions)).unwrap().der().to_vec();
    let refused = |der: Vec<u8>| Certificate::from_der(&der).unwrap_err();

    // s4.1.1.2: the outer algorithm is another one than the inner.
    let outer = replaced(&der, crate::asn1::ECDSA_WITH_SHA256, crate::asn1::ECDSA_WITH_SHA384, true);
    assert_eq!(refused(outer), CertificateError::SignatureAlgorithms);
    // s4.1.2.1: version 4; and s4.1.2.9: extensions in version 2.
    let version = [0xa0, 3, 2, 1, 2];
    assert_eq!(refused(replaced(&der, &version, &[0xa0, 3, 2, 1, 3], false)), CertificateError::Version);
    assert_eq!(refused(replaced(&der, &version, &[0xa0, 3, 2, 1, 1], false)), CertificateError::Version);
    // s4.2: basicConstraints (2.5.29.19) turned into a second keyUsage (2.5.29.15).
    let twice = replaced(&der, &[0x55, 0x1d, 19], &[0x55, 0x1d, 15], false);
    assert_eq!(refused(twice), CertificateError::DuplicateExtension(rfc5280::ID_CE_KEY_USAGE));
    // A keyUsage (2.5.29.15) with the content of an extendedKeyUsage, and the reverse.
    let other = replaced(&der, &[0x55, 0x1d, 15], &[0x55, 0x1d, 37], false);
    assert_eq!(refused(other), CertificateError::Extension(rfc5280::ID_CE_EXT_KEY_USAGE));
    // s4.1.2.2: 22 octets of serial number; a point that is not one.
    let serial = certificate(&["-subj", "/CN=x", "-set_serial", &format!("0x{}", "7f".repeat(21))], &[]);
    assert_eq!(
        Certificate::from_pem_or_der(&serial).unwrap_err(),
        CertificateError::SerialNumber(SerialNumberError::TooLong)
    );
    let point = replaced(&der, &[3, 66, 0, 4], &[3, 66, 0, 2], false);
    assert_eq!(refused(point), CertificateError::PublicKey(PublicKeyError::Point(KeyAlgorithm::P256)));
}
