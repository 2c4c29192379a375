//! Writes a CRL (RFC 5280 5.1) entry by entry, forward, into buffers that the next CRL uses again.
//!
//! Called by `publish` of the demo. `x509-cert` has a builder for CRLs, which keeps every entry as an
//! owned tree; here an entry is its octets and nothing else. Memory is that of the largest CRL, since
//! a [`Signer`] takes the message whole: some megabytes at a hundred million cards.
//! Errors: only the signer's. Format: v2, cRLNumber, authorityKeyIdentifier, and a critical
//! issuingDistributionPoint with a fullName; times as RFC 5280 wants them, UTCTime through 2049.

use crate::asn1::{self, header_len, len_of, tag, write_header, write_tlv};
use crate::signing::{SignError, Signer};
use crate::x509::{Revocation, SerialNumber, UnixTime};
use const_oid::db::rfc5280;

/// What stands in a CRL around its entries.
#[derive(Debug, Clone, Copy)]
pub struct CrlHeader<'a> {
    /// The issuer's Name, DER.
    pub issuer: &'a [u8],
    /// The content of the issuer's subjectKeyIdentifier.
    pub key_identifier: &'a [u8],
    /// The distribution point's Name, DER: the one directoryName of the fullName.
    pub distribution_point: &'a [u8],
    pub crl_number: u64,
    pub this_update: UnixTime,
    pub next_update: UnixTime,
}

/// A CRL in the making. One writer makes any number of CRLs, one after another.
#[derive(Debug, Default)]
pub struct CrlWriter {
    entries: Vec<u8>,
    count: u64,
    tbs: Vec<u8>,
    signature: Vec<u8>,
    crl: Vec<u8>,
}

impl CrlWriter {
    /// Adds a revoked certificate. Each serial number once; in any order.
    pub fn push(&mut self, serial: &SerialNumber, revocation: &Revocation) {
        let serial = serial.as_bytes();
        let reason = revocation.reason.map(|reason| reason.value());
        let oid = rfc5280::ID_CE_CRL_REASONS.as_bytes();
        // SEQUENCE { OID, OCTET STRING { ENUMERATED } }; not critical (5.3).
        let extension = len_of(oid.len()) + len_of(len_of(1));
        let extensions = reason.map_or(0, |_| len_of(len_of(extension)));
        let time = Time::of(revocation.time);
        let out = &mut self.entries;
        write_header(out, tag::SEQUENCE, len_of(serial.len()) + time.len() + extensions);
        write_tlv(out, tag::INTEGER, serial);
        time.write(out);
        if let Some(reason) = reason {
            write_header(out, tag::SEQUENCE, len_of(extension));
            write_header(out, tag::SEQUENCE, extension);
            write_tlv(out, tag::OBJECT_IDENTIFIER, oid);
            write_header(out, tag::OCTET_STRING, len_of(1));
            write_tlv(out, tag::ENUMERATED, &[reason]);
        }
        self.count += 1;
    }

    /// Entries so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Signs the CRL and starts the next one. The octets stay until that is finished too.
    ///
    /// # Errors
    /// When the signer fails; the entries are gone then as well.
    pub fn finish(&mut self, header: &CrlHeader<'_>, signer: &dyn Signer) -> Result<&[u8], SignError> {
        let algorithm = signer.algorithm().algorithm_identifier();
        let algorithm: &[u8] = algorithm.as_ref();
        let (this_update, next_update) = (Time::of(header.this_update), Time::of(header.next_update));
        let extensions = extensions(header);
        // 5.1.2.6: when nothing is revoked, revokedCertificates is absent and not an empty list.
        let entries = if self.entries.is_empty() { 0 } else { len_of(self.entries.len()) };
        let content = len_of(1)
            + algorithm.len()
            + header.issuer.len()
            + this_update.len()
            + next_update.len()
            + entries
            + len_of(extensions.len());

        let tbs = &mut self.tbs;
        tbs.clear();
        tbs.reserve(len_of(content));
        write_header(tbs, tag::SEQUENCE, content);
        write_tlv(tbs, tag::INTEGER, &[1]); // v2
        tbs.extend_from_slice(algorithm);
        tbs.extend_from_slice(header.issuer);
        this_update.write(tbs);
        next_update.write(tbs);
        if !self.entries.is_empty() {
            write_tlv(tbs, tag::SEQUENCE, &self.entries);
        }
        write_tlv(tbs, tag::context_constructed(0), &extensions);
        self.entries.clear();
        self.count = 0;

        // A BIT STRING of whole octets: none unused.
        self.signature.clear();
        self.signature.push(0);
        signer.sign(&self.tbs, &mut self.signature)?;

        self.crl.clear();
        let content = self.tbs.len() + algorithm.len() + len_of(self.signature.len());
        write_header(&mut self.crl, tag::SEQUENCE, content);
        self.crl.extend_from_slice(&self.tbs);
        self.crl.extend_from_slice(algorithm);
        write_tlv(&mut self.crl, tag::BIT_STRING, &self.signature);
        Ok(&self.crl)
    }
}

/// `Extensions`, a SEQUENCE, as the content of `crlExtensions [0]`.
fn extensions(header: &CrlHeader<'_>) -> Vec<u8> {
    let mut list = Vec::with_capacity(256);

    // AuthorityKeyIdentifier { keyIdentifier [0] } (5.2.1)
    let mut value = Vec::with_capacity(160);
    write_header(&mut value, tag::SEQUENCE, len_of(header.key_identifier.len()));
    write_tlv(&mut value, tag::context(0), header.key_identifier);
    write_extension(&mut list, asn1::AUTHORITY_KEY_IDENTIFIER, Criticality::MayBeIgnored, &value);

    // CRLNumber (5.2.3): a positive INTEGER in the fewest octets.
    value.clear();
    write_tlv(&mut value, tag::INTEGER, SerialNumber::from(header.crl_number).as_bytes());
    write_extension(&mut list, asn1::CRL_NUMBER, Criticality::MayBeIgnored, &value);

    // IssuingDistributionPoint { distributionPoint [0] { fullName [0] { directoryName [4] Name } } } (5.2.5)
    value.clear();
    let directory_name = len_of(header.distribution_point.len());
    let full_name = len_of(directory_name);
    write_header(&mut value, tag::SEQUENCE, len_of(full_name));
    write_header(&mut value, tag::context_constructed(0), full_name);
    write_header(&mut value, tag::context_constructed(0), directory_name);
    write_tlv(&mut value, tag::context_constructed(4), header.distribution_point);
    write_extension(&mut list, asn1::ISSUING_DISTRIBUTION_POINT, Criticality::Critical, &value);

    let mut out = Vec::with_capacity(len_of(list.len()));
    write_tlv(&mut out, tag::SEQUENCE, &list);
    out
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Criticality {
    Critical,
    MayBeIgnored,
}

fn write_extension(out: &mut Vec<u8>, oid: &[u8], criticality: Criticality, value: &[u8]) {
    let critical = match criticality {
        Criticality::Critical => len_of(1),
        Criticality::MayBeIgnored => 0,
    };
    write_header(out, tag::SEQUENCE, len_of(oid.len()) + critical + len_of(value.len()));
    write_tlv(out, tag::OBJECT_IDENTIFIER, oid);
    if criticality == Criticality::Critical {
        write_tlv(out, tag::BOOLEAN, &[0xff]);
    }
    write_tlv(out, tag::OCTET_STRING, value);
}

/// 5.1.2.4: UTCTime through 2049, GeneralizedTime from 2050 on.
#[derive(Debug, Clone, Copy)]
struct Time {
    text: [u8; crate::x509::GENERALIZED_TIME_LEN],
    utc: bool,
}

impl Time {
    fn of(time: UnixTime) -> Self {
        let (year, ..) = time.to_civil();
        Self { text: time.to_generalized_time(), utc: (1950..2050).contains(&year) }
    }

    fn parts(&self) -> (u8, &[u8]) {
        match &self.text {
            [_, _, short @ ..] if self.utc => (tag::UTC_TIME, short),
            long => (tag::GENERALIZED_TIME, long),
        }
    }

    fn len(&self) -> usize {
        let content = self.parts().1.len();
        header_len(content) + content
    }

    fn write(&self, out: &mut Vec<u8>) {
        let (tag, content) = self.parts();
        write_tlv(out, tag, content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::{KeyKind, SoftwareKey};
    use crate::x509::CrlReason;
    use der::{Decode, Encode};
    use x509_cert::crl::CertificateList;
    use x509_cert::name::Name;

    fn header<'a>(issuer: &'a [u8], distribution_point: &'a [u8]) -> CrlHeader<'a> {
        CrlHeader {
            issuer,
            key_identifier: &[7; 20],
            distribution_point,
            crl_number: 200,
            this_update: UnixTime::from_civil(2049, 12, 31, 23, 59, 0).unwrap(),
            next_update: UnixTime::from_civil(2050, 1, 7, 0, 0, 0).unwrap(),
        }
    }

    fn name(text: &str) -> Vec<u8> {
        text.parse::<Name>().unwrap().to_der().unwrap()
    }

    fn revocation(reason: Option<CrlReason>) -> Revocation {
        Revocation { time: UnixTime::from_civil(2026, 1, 2, 3, 4, 5).unwrap(), reason, invalidity: None }
    }

    #[test]
    fn another_parser_reads_what_was_written() {
        let (key, _) = SoftwareKey::generate(KeyKind::P256).unwrap();
        let (issuer, point) = (name("O=Demo,C=JP"), name("CN=Kiyose-shi CRLDP,O=Demo,C=JP"));
        let mut writer = CrlWriter::default();
        writer.push(&SerialNumber::from(0x80_0000), &revocation(Some(CrlReason::CertificateHold)));
        writer.push(&SerialNumber::from(1), &revocation(None));
        let der = writer.finish(&header(&issuer, &point), &key).unwrap();
        let crl = CertificateList::<x509_cert::certificate::Rfc5280>::from_der(der).unwrap();
        assert_eq!(crl.to_der().unwrap(), der);
        let entries = crl.tbs_cert_list.revoked_certificates.unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].serial_number.as_bytes(), [0x80, 0, 0]);
        // s5_3_1: the reason is there, and unspecified is left out.
        assert_eq!(
            entries[0].crl_entry_extensions.as_ref().unwrap()[0].extn_value.as_bytes(),
            [0x0a, 0x01, 0x06]
        );
        assert!(entries[1].crl_entry_extensions.is_none());
        let critical: Vec<bool> =
            crl.tbs_cert_list.crl_extensions.unwrap().iter().map(|extension| extension.critical).collect();
        assert_eq!(critical, [false, false, true]);
    }

    #[test]
    fn s5_1_2_6_nothing_revoked_is_no_list_and_a_writer_starts_anew() {
        let (key, _) = SoftwareKey::generate(KeyKind::P256).unwrap();
        let (issuer, point) = (name("O=Demo,C=JP"), name("CN=Aogashima-mura CRLDP,O=Demo,C=JP"));
        let mut writer = CrlWriter::default();
        writer.push(&SerialNumber::from(5), &revocation(None));
        writer.finish(&header(&issuer, &point), &key).unwrap();
        assert_eq!(writer.count(), 0);
        let der = writer.finish(&header(&issuer, &point), &key).unwrap();
        let crl = CertificateList::<x509_cert::certificate::Rfc5280>::from_der(der).unwrap();
        assert!(crl.tbs_cert_list.revoked_certificates.is_none());
    }

    #[test]
    fn s5_1_2_4_times_change_their_form_in_2050() {
        let (key, _) = SoftwareKey::generate(KeyKind::P256).unwrap();
        let (issuer, point) = (name("O=Demo,C=JP"), name("CN=A,C=JP"));
        let mut writer = CrlWriter::default();
        let der = writer.finish(&header(&issuer, &point), &key).unwrap();
        let holds = |needle: &[u8]| der.windows(needle.len()).any(|window| window == needle);
        assert!(holds(b"\x17\x0d491231235900Z"));
        assert!(holds(b"\x18\x0f20500107000000Z"));
    }
}
