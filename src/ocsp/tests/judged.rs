//! x509-ocsp as the judge: it reads what is written here, and writes what is read here.

use super::responses::{ecdsa, write};
use super::*;
use crate::x509::{CrlReason, Revocation, UnixTime};
use der_0_7::asn1::{Any, BitString, GeneralizedTime, Ia5String, ObjectIdentifier, OctetString, Uint};
use der_0_7::{DateTime, Decode, Encode};
use proptest::prelude::*;
use std::time::Duration;
use x509_cert_0_2::ext::Extension as TheirExtension;
use x509_cert_0_2::ext::pkix::name::GeneralName;
use x509_cert_0_2::serial_number::SerialNumber as TheirSerialNumber;
use x509_cert_0_2::spki::AlgorithmIdentifierOwned;
use x509_ocsp as theirs;
use x509_ocsp::ext::CrlReferences as TheirCrlReferences;

fn hash() -> impl Strategy<Value = HashAlgorithm> {
    prop::sample::select(HashAlgorithm::ALL.to_vec())
}

/// The content of a positive INTEGER.
fn serial() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..=20).prop_map(|mut octets| {
        octets[0] = octets[0] & 0x7f | 1;
        octets
    })
}

fn any_cert_id() -> impl Strategy<Value = Vec<u8>> {
    (hash(), any::<bool>(), serial()).prop_map(|(hash, null, serial)| cert_id(hash, null, &serial))
}

/// Their DateTime knows 1970 to 9999.
fn time() -> impl Strategy<Value = UnixTime> {
    (0..=UnixTime::MAX.seconds()).prop_map(UnixTime::from_seconds)
}

fn status() -> impl Strategy<Value = CertStatus> {
    let reason = prop::option::of(prop::sample::select(CrlReason::ALL.to_vec()));
    prop_oneof![
        Just(CertStatus::Good),
        Just(CertStatus::Unknown),
        Just(CertStatus::NEVER_ISSUED),
        (time(), reason, prop::option::of(time())).prop_map(|(time, reason, invalidity)| {
            CertStatus::Revoked(Revocation { time, reason, invalidity })
        }),
    ]
}

fn generalized(time: UnixTime) -> theirs::OcspGeneralizedTime {
    let since = Duration::from_secs(time.seconds() as u64);
    GeneralizedTime::from_date_time(DateTime::from_unix_duration(since).unwrap()).into()
}

fn their_status(status: &CertStatus) -> theirs::CertStatus {
    match status {
        CertStatus::Good => theirs::CertStatus::good(),
        CertStatus::Unknown => theirs::CertStatus::unknown(),
        CertStatus::Revoked(revocation) => theirs::CertStatus::Revoked(theirs::RevokedInfo {
            revocation_time: generalized(revocation.time),
            revocation_reason: revocation.reason.map(|reason| {
                x509_cert_0_2::ext::pkix::CrlReason::from_der(&[0x0a, 1, reason.value()]).unwrap()
            }),
        }),
    }
}

/// URL, number and time of a CRL that is named.
type Crl = Option<(Option<String>, Option<Vec<u8>>, UnixTime)>;

fn crl() -> impl Strategy<Value = Crl> {
    let number = prop::collection::vec(any::<u8>(), 1..=20).prop_map(|mut octets| {
        octets[0] |= 1;
        octets
    });
    prop::option::of((prop::option::of("[ -~]{0,200}"), prop::option::of(number), time()))
}

/// Singles, producedAt, nonce, extended revoke, and octets of the signature.
type Drawn =
    (Vec<(Vec<u8>, CertStatus, UnixTime, UnixTime, Crl)>, UnixTime, Option<Vec<u8>>, bool, [u8; 20], usize);

fn drawn() -> impl Strategy<Value = Drawn> {
    (
        prop::collection::vec((any_cert_id(), status(), time(), time(), crl()), 1..12),
        time(),
        prop::option::of(prop::collection::vec(any::<u8>(), 1..=MAX_NONCE_OCTETS)),
        any::<bool>(),
        any::<[u8; 20]>(),
        prop::sample::select(vec![0usize, 64, 70, 126, 127, 128, 254, 255, 256, 512, 65_534, 65_535]),
    )
}

fn crl_id((url, number, time): &(Option<String>, Option<Vec<u8>>, UnixTime)) -> CrlId<'_> {
    CrlId { url: url.as_ref().map(String::as_bytes), number: number.as_deref(), time: Some(*time) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn b1_b3_b12_b24_their_decoder_reads_what_is_written_and_encodes_it_again(
        (singles, produced_at, nonce, extended_revoke, key_hash, signature) in drawn(),
    ) {
        let nonce = nonce.map(|octets| der(tag::OCTET_STRING, &[&octets]));
        let data = ResponseData {
            produced_at,
            nonce: nonce.as_deref().map(|value| NonceRef { value }),
            extended_revoke,
        };
        let references: Vec<Vec<u8>> =
            singles.iter().map(|one| one.4.as_ref().and_then(|crl| crl_id(crl).extension()).unwrap_or_default()).collect();
        let responses: Vec<_> = singles
            .iter()
            .zip(&references)
            .map(|((cert_id, status, this_update, next_update, _), crl_reference)| SingleResponse {
                cert_id,
                status: *status,
                this_update: *this_update,
                next_update: *next_update,
                crl_reference,
            })
            .collect();
        let template = ResponseTemplate::new(&key_hash, &ecdsa(), &[]);
        let signature = vec![0x3c; signature];
        let whole = write(&template, &data, &responses, &signature);

        let read = theirs::OcspResponse::from_der(&whole).unwrap();
        prop_assert_eq!(read.response_status, theirs::OcspResponseStatus::Successful);
        prop_assert_eq!(read.to_der().unwrap(), whole.clone());
        let bytes = read.response_bytes.unwrap();
        prop_assert_eq!(bytes.response_type.as_bytes(), asn1::OCSP_BASIC);
        let basic = theirs::BasicOcspResponse::from_der(bytes.response.as_bytes()).unwrap();
        prop_assert_eq!(basic.to_der().unwrap(), bytes.response.as_bytes());
        prop_assert_eq!(basic.certs, None);
        prop_assert_eq!(basic.signature.as_bytes().unwrap(), &signature[..]);
        let read = basic.tbs_response_data;
        prop_assert_eq!(&read.responder_id, &theirs::ResponderId::ByKey(OctetString::new(key_hash).unwrap()));
        prop_assert_eq!(read.produced_at, generalized(produced_at));
        prop_assert_eq!(read.nonce().map(|nonce| nonce.to_der().unwrap()), nonce.clone());
        let kinds: Vec<_> = read.response_extensions.iter().flatten().map(|one| one.extn_id.as_bytes()).collect();
        let mut expected = Vec::new();
        expected.extend(nonce.is_some().then_some(asn1::OCSP_NONCE));
        expected.extend(extended_revoke.then_some(asn1::OCSP_EXTENDED_REVOKE));
        prop_assert_eq!(kinds, expected);

        prop_assert_eq!(read.responses.len(), singles.len());
        for (theirs, (cert_id, status, this_update, next_update, crl)) in read.responses.iter().zip(&singles) {
            prop_assert_eq!(&theirs.cert_id.to_der().unwrap(), cert_id);
            prop_assert_eq!(&theirs.cert_status, &their_status(status));
            prop_assert_eq!(theirs.this_update, generalized(*this_update));
            prop_assert_eq!(theirs.next_update, Some(generalized(*next_update)));
            let invalidity = match status {
                CertStatus::Revoked(revocation) => revocation.invalidity,
                _ => None,
            };
            let (dates, references): (Vec<_>, Vec<_>) = theirs
                .single_extensions
                .iter()
                .flatten()
                .partition(|one| one.extn_id.as_bytes() == asn1::INVALIDITY_DATE);
            prop_assert_eq!(references.len(), usize::from(crl.is_some()));
            for (reference, (url, number, time)) in references.iter().zip(crl) {
                prop_assert_eq!((reference.extn_id.as_bytes(), reference.critical), (asn1::OCSP_CRL, false));
                let read = TheirCrlReferences::from_der(reference.extn_value.as_bytes()).unwrap();
                prop_assert_eq!(read.crl_url.as_ref().map(|url| url.as_str()), url.as_deref());
                prop_assert_eq!(read.crl_num.as_ref().map(Uint::as_bytes), number.as_deref());
                prop_assert_eq!(read.crl_time, Some(generalized(*time)));
                prop_assert_eq!(read.to_der().unwrap(), reference.extn_value.as_bytes());
            }
            prop_assert_eq!(dates.len(), usize::from(invalidity.is_some()));
            for date in dates {
                prop_assert_eq!(date.extn_id.as_bytes(), asn1::INVALIDITY_DATE);
                prop_assert!(!date.critical);
                let value = GeneralizedTime::from_der(date.extn_value.as_bytes()).unwrap();
                prop_assert_eq!(Some(generalized(invalidity.unwrap())), Some(value.into()));
            }
        }

        // And the reader of this house reads the same.
        let ParsedResponse::Basic(parsed) = ParsedResponse::parse(&whole).unwrap() else { panic!() };
        prop_assert_eq!(parsed.responder_key_hash, Some(&key_hash[..]));
        prop_assert_eq!((parsed.produced_at, parsed.nonce), (produced_at, nonce.as_deref()));
        prop_assert_eq!((parsed.extended_revoke, parsed.signature), (extended_revoke, &signature[..]));
        prop_assert_eq!(parsed.signature_algorithm, &ecdsa()[..]);
        let parsed: Vec<_> = parsed
            .singles()
            .map(|one| (one.cert_id.raw.to_vec(), one.status, one.this_update, one.next_update.unwrap(), one.crl))
            .collect();
        let expected: Vec<_> = singles
            .iter()
            .map(|(id, status, this_update, next_update, crl)| {
                (id.clone(), *status, *this_update, *next_update, crl.as_ref().map(crl_id))
            })
            .collect();
        prop_assert_eq!(parsed, expected);
    }

    #[test]
    fn a1_a7_a12_c1_their_encoder_writes_requests_that_are_read_the_same(
        cert_ids in prop::collection::vec((hash(), any::<bool>(), serial(), any::<bool>()), 1..9),
        nonce in prop::option::of(prop::collection::vec(any::<u8>(), 1..=MAX_NONCE_OCTETS)),
        name in any::<bool>(),
        strange in prop::option::of(prop::collection::vec(any::<u8>(), 0..300)),
        signed in any::<bool>(),
    ) {
        let their_extension = |oid: &[u8], value: Vec<u8>| TheirExtension {
            extn_id: ObjectIdentifier::from_bytes(oid).unwrap(),
            critical: false,
            extn_value: OctetString::new(value).unwrap(),
        };
        let identifier = |hash: HashAlgorithm, null: bool| AlgorithmIdentifierOwned {
            oid: ObjectIdentifier::from_bytes(hash.oid()).unwrap(),
            parameters: null.then(Any::null),
        };
        let request_list: Vec<_> = cert_ids
            .iter()
            .map(|(hash, null, serial, extended)| theirs::Request {
                req_cert: theirs::CertId {
                    hash_algorithm: identifier(*hash, *null),
                    issuer_name_hash: OctetString::new(vec![0xaa; hash.output_len()]).unwrap(),
                    issuer_key_hash: OctetString::new(vec![0xbb; hash.output_len()]).unwrap(),
                    serial_number: TheirSerialNumber::new(serial).unwrap(),
                },
                single_request_extensions: extended.then(|| vec![their_extension(STRANGE, vec![5, 0])]),
            })
            .collect();
        let mut extensions = Vec::new();
        let value = nonce.map(|octets| der(tag::OCTET_STRING, &[&octets]));
        extensions.extend(value.clone().map(|value| their_extension(asn1::OCSP_NONCE, value)));
        extensions.extend(strange.map(|value| their_extension(STRANGE, value)));
        let uri = GeneralName::UniformResourceIdentifier(Ia5String::new("http://client.example").unwrap());
        let octets = theirs::OcspRequest {
            tbs_request: theirs::TbsRequest {
                version: theirs::Version::V1,
                requestor_name: name.then_some(uri),
                request_list,
                request_extensions: (!extensions.is_empty()).then_some(extensions),
            },
            optional_signature: signed.then(|| theirs::Signature {
                signature_algorithm: identifier(HashAlgorithm::Sha256, false),
                signature: BitString::from_bytes(&[1; 64]).unwrap(),
                certs: None,
            }),
        }
        .to_der()
        .unwrap();

        let request = OcspRequest::parse(&octets).unwrap();
        prop_assert_eq!(request.nonce.map(|nonce| nonce.value), value.as_deref());
        prop_assert_eq!((request.is_signed(), request.nonce_is_critical), (signed, false));
        let read: Vec<_> = request.cert_ids().map(|id| (id.hash, id.raw.to_vec())).collect();
        let expected: Vec<_> = cert_ids
            .iter()
            .map(|(hash, null, serial, _)| (Some(*hash), cert_id(*hash, *null, serial)))
            .collect();
        prop_assert_eq!(read, expected);
    }
}

#[test]
fn b2_their_decoder_reads_the_error_responses() {
    for (status, expected) in [
        (OcspResponseStatus::MalformedRequest, theirs::OcspResponse::malformed_request()),
        (OcspResponseStatus::InternalError, theirs::OcspResponse::internal_error()),
        (OcspResponseStatus::TryLater, theirs::OcspResponse::try_later()),
        (OcspResponseStatus::SigRequired, theirs::OcspResponse::sig_required()),
        (OcspResponseStatus::Unauthorized, theirs::OcspResponse::unauthorized()),
    ] {
        assert_eq!(theirs::OcspResponse::from_der(error_response(status)).unwrap(), expected);
    }
}
