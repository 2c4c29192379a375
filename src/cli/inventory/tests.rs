//! Inventories of every shape, good and bad.

use super::*;
use crate::signing::KeyKind;
use crate::signing::test_pki::{Authority, Issuance};
use crate::x509::general_names_text;
use std::io::Cursor;

const CA: &str = "CN=CA,O=Test,C=JP";

fn reader(content: impl Into<Vec<u8>>, issuer: &[u8]) -> InventoryReader {
    let content = content.into();
    let size = content.len() as u64;
    InventoryReader::new(Path::new("issued.txt"), size, Box::new(Cursor::new(content)), issuer)
}

/// Serial and distribution point of each entry, as people read them.
fn read(content: impl Into<Vec<u8>>) -> Result<Vec<(String, String)>, String> {
    shown(reader(content, &[]))
}

fn shown(reader: InventoryReader) -> Result<Vec<(String, String)>, String> {
    let shown = reader.map(|entry| {
        let entry = entry.map_err(|error| error.to_string())?;
        let point = entry.distribution_point.as_deref().map(general_names_text).unwrap_or_default();
        Ok((entry.serial.to_hex(), point))
    });
    shown.collect()
}

fn pair(serial: &str, point: &str) -> (String, String) {
    (serial.into(), point.into())
}

#[test]
fn contract_2_serials_points_comments_and_blank_lines() {
    let text = "\u{feff}# issued\r\n03FFFC\r\n\n  0x1a:2b   # a comment\n7f\thttp://crl.example/a.crl#top # b\n\
                80 CN=Kiyose-shi CRLDP,OU=Tokyo-to,O=JPKI,C=JP\n81 C=JP, O=JPKI, OU=Tokyo-to, CN=Kiyose-shi CRLDP";
    let kiyose = "CN=Kiyose-shi CRLDP,OU=Tokyo-to,O=JPKI,C=JP";
    assert_eq!(
        read(text).unwrap(),
        [
            pair("03fffc", ""),
            pair("1a2b", ""),
            pair("7f", "http://crl.example/a.crl#top"),
            pair("80", kiyose),
            pair("81", kiyose),
        ]
    );
}

#[test]
fn a_distribution_point_that_many_lines_name_is_kept_once() {
    let all: Vec<_> = reader("1 CN=A,C=JP\n2 CN=B,C=JP\n3 CN=A,C=JP", &[]).map(Result::unwrap).collect();
    let point = |index: usize| all[index].distribution_point.as_ref().unwrap();
    assert!(Arc::ptr_eq(point(0), point(2)));
    assert_ne!(point(0), point(1));
}

#[test]
fn an_escaped_comma_and_its_blank_belong_to_the_name() {
    let found = read("1 CN=a\\, b,C=JP").unwrap();
    assert_eq!(found, [pair("01", "CN=a\\, b,C=JP")]);
}

#[test]
fn an_error_names_file_and_line_and_never_the_serial() {
    let error = |text: &str| read(text).unwrap_err();
    let secret = "00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee";
    assert_eq!(
        error(&format!("01\n# x\n{secret}")),
        "issued.txt line 3: the serial number has over 20 octets (write one hexadecimal serial a line)"
    );
    for text in ["01\nc0ffeeX", "c0ffee;1", "c0ffee,x y"] {
        assert!(!error(text).to_lowercase().contains("c0ffee"), "{}", error(text));
    }
    assert_eq!(
        error("01 somewhere"),
        "issued.txt line 1: the distribution point is neither a URI nor a directory name (write it like CN=Kiyose-shi CRLDP,OU=Tokyo-to,O=JPKI,C=JP)"
    );
    assert_eq!(
        error(&"0".repeat(70_000)),
        "issued.txt line 1: it is over 65536 octets long (is this an inventory?)"
    );
    assert_eq!(
        error("1\n-----BEGIN PRIVATE KEY-----\n"),
        "issued.txt line 2: this PEM block is not a certificate (take it out)"
    );
    assert_eq!(
        error("-----BEGIN CERTIFICATE-----\nAAAA\n"),
        "issued.txt line 1: the PEM certificate that begins here does not end (is the file complete?)"
    );
    assert_eq!(
        read(b"1\n\xff\xfe\n".to_vec()).unwrap_err(),
        "issued.txt line 2: the text is not UTF-8 (save the file as UTF-8)"
    );
    assert_eq!(
        InventoryReader::open(Path::new("/nowhere/x"), &[]).err().unwrap().to_string(),
        "/nowhere/x: there is no such file or folder"
    );
}

#[test]
fn after_an_error_nothing_more_comes() {
    let mut reader = reader("x\n1\n", &[]);
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

#[test]
fn no_text_makes_it_panic() {
    use proptest::prelude::*;
    proptest!(ProptestConfig::with_cases(2000), |(octets in prop::collection::vec(any::<u8>(), 0..200))| {
        let _ = reader(octets, &[]).count();
    });
    proptest!(ProptestConfig::with_cases(2000), |(text in "[0-9a-f]{0,3} ?[A-Za-z=,+#\\\\\"; é.0-9]{0,30}")| {
        let _ = reader(text, &[]).count();
    });
}

#[test]
fn contract_2_certificates_tell_their_serial_and_distribution_point() {
    let ca = Authority::new(KeyKind::P256, CA);
    // DistributionPoints with one URI.
    let mut point = Vec::new();
    write_tlv(&mut point, tag::context(6), b"http://crl.example/a.crl");
    let mut points = point.clone();
    for tag in [tag::context_constructed(0), tag::context_constructed(0), tag::SEQUENCE, tag::SEQUENCE] {
        let content = std::mem::take(&mut points);
        write_tlv(&mut points, tag, &content);
    }
    let oid = const_oid::db::rfc5280::ID_CE_CRL_DISTRIBUTION_POINTS;
    let with_point = Issuance { serial_number: 0x1a2b, more: vec![(oid, points)], ..Issuance::default() };
    let first = ca.issue(ca.certificate.public_key(), with_point);
    let second = ca.issue(ca.certificate.public_key(), Issuance { serial_number: 7, ..Issuance::default() });
    let expected = [pair("1a2b", "http://crl.example/a.crl"), pair("07", "")];
    let subject = ca.certificate.subject();

    let pem = format!("# cards\n{}\n{}", first.pem(), second.pem());
    assert_eq!(shown(reader(pem.clone(), subject)).unwrap(), expected);
    let der = [first.der(), second.der()].concat();
    assert_eq!(shown(reader(der.clone(), subject)).unwrap(), expected);

    let cut = shown(reader(&der[..der.len() - 1], subject)).unwrap_err();
    assert_eq!(
        cut,
        "issued.txt certificate 2: this is not DER: the DER ends in the middle of an element (is the file complete?)"
    );
    let broken = pem.replacen("\nMII", "\n*II", 1);
    assert_eq!(
        shown(reader(broken, subject)).unwrap_err(),
        "issued.txt line 2: the PEM certificate that begins here is not base64 (was the file changed?)"
    );
    let other = Authority::new(KeyKind::P256, "CN=Other,C=JP").certificate;
    assert_eq!(
        shown(reader(pem, other.subject())).unwrap_err(),
        "issued.txt line 2: the certificate was issued by CN=CA,O=Test,C=JP, and this inventory is of CN=Other,C=JP (load it with another --issuer)"
    );
}
