//! `OCSPResponse` (RFC 6960 4.2.1), written forward into one buffer from a template.
//!
//! What does not change from answer to answer (responder, algorithm, certificates) is encoded once
//! in a [`ResponseTemplate`]. An answer then takes two steps, because a signature's length is not
//! known before: [`ResponseTemplate::begin`] writes the signed part behind some headroom, and
//! [`Unsigned::finish`] appends the signature and writes the outer headers into the headroom.

use super::extensions::NonceRef;
use crate::asn1::{self, header_len, len_of, tag, write_header, write_tlv};
use crate::x509::{CrlReason, GENERALIZED_TIME_LEN, Revocation, UnixTime};

/// `OCSPResponseStatus` (RFC 6960 4.2.1). 4 is not used by the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OcspResponseStatus {
    Successful = 0,
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    SigRequired = 5,
    Unauthorized = 6,
}

impl OcspResponseStatus {
    /// The status with this ENUMERATED value.
    #[must_use]
    pub fn from_value(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::Successful),
            1 => Some(Self::MalformedRequest),
            2 => Some(Self::InternalError),
            3 => Some(Self::TryLater),
            5 => Some(Self::SigRequired),
            6 => Some(Self::Unauthorized),
            _ => None,
        }
    }

    /// Its name in RFC 6960.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Successful => "successful",
            Self::MalformedRequest => "malformedRequest",
            Self::InternalError => "internalError",
            Self::TryLater => "tryLater",
            Self::SigRequired => "sigRequired",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// The whole response for an error: five octets, no responseBytes, unsigned (RFC 6960 2.3 and 4.2.1).
#[must_use]
pub fn error_response(status: OcspResponseStatus) -> &'static [u8] {
    match status {
        // An answer without responseBytes must not say that it succeeded.
        OcspResponseStatus::Successful | OcspResponseStatus::InternalError => &[0x30, 3, 0x0a, 1, 2],
        OcspResponseStatus::MalformedRequest => &[0x30, 3, 0x0a, 1, 1],
        OcspResponseStatus::TryLater => &[0x30, 3, 0x0a, 1, 3],
        OcspResponseStatus::SigRequired => &[0x30, 3, 0x0a, 1, 5],
        OcspResponseStatus::Unauthorized => &[0x30, 3, 0x0a, 1, 6],
    }
}

/// `CertStatus` (RFC 6960 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertStatus {
    Good,
    Revoked(Revocation),
    Unknown,
}

impl CertStatus {
    /// What RFC 6960 4.4.8 has said of a serial number that was never issued.
    pub const NEVER_ISSUED: Self = Self::Revoked(Revocation {
        time: UnixTime::EPOCH,
        reason: Some(CrlReason::CertificateHold),
        invalidity: None,
    });
}

/// `SingleResponse` (RFC 6960 4.2.1).
#[derive(Debug, Clone, Copy)]
pub struct SingleResponse<'a> {
    /// The CertID as it was asked, octet by octet.
    pub cert_id: &'a [u8],
    pub status: CertStatus,
    pub this_update: UnixTime,
    pub next_update: UnixTime,
    /// The whole extension that names the CRL (RFC 6960 4.4.2); empty where none is named.
    pub crl_reference: &'a [u8],
}

/// What an answer says beside its single responses.
#[derive(Debug, Clone, Copy)]
pub struct ResponseData<'a> {
    pub produced_at: UnixTime,
    pub nonce: Option<NonceRef<'a>>,
    /// Whether id-pkix-ocsp-extended-revoke is declared (RFC 6960 4.4.8).
    pub extended_revoke: bool,
}

/// An element that holds a `GeneralizedTime`.
const TIME_LEN: usize = len_of(GENERALIZED_TIME_LEN);
/// `[0] EXPLICIT GeneralizedTime`, and the RevokedInfo's reason.
const EXPLICIT_TIME_LEN: usize = len_of(TIME_LEN);
const REASON_LEN: usize = len_of(len_of(1));

/// Everything of an answer that one responder key always says the same.
#[derive(Debug, Clone)]
pub struct ResponseTemplate {
    /// `[2] EXPLICIT KeyHash`, or `[1] EXPLICIT Name`.
    responder_id: Vec<u8>,
    /// The AlgorithmIdentifier of the signature.
    algorithm: Vec<u8>,
    /// `[0] EXPLICIT SEQUENCE OF Certificate`, or nothing: never present and empty.
    certificates: Vec<u8>,
    /// Seconds; see [`ResponseTemplate::with_archive_cutoff`].
    archive_cutoff: Option<i64>,
}

/// An answer whose signed part is written.
#[derive(Debug)]
pub struct Unsigned {
    buffer: Vec<u8>,
}

/// Octets in front of ResponseData: at most six headers of six octets, the status, and the type.
const HEADROOM: usize = 64;

impl ResponseTemplate {
    /// `key_hash` is the SHA-1 of the responder's public key, the BIT STRING's content (RFC 6960
    /// 4.2.1); `algorithm` a DER AlgorithmIdentifier; `certificates` the DER of
    /// `[0] EXPLICIT SEQUENCE OF Certificate`, empty when the CA itself signs.
    #[must_use]
    pub fn new(key_hash: &[u8; 20], algorithm: &[u8], certificates: &[u8]) -> Self {
        let mut inner = Vec::with_capacity(len_of(20));
        write_tlv(&mut inner, tag::OCTET_STRING, key_hash);
        let mut responder_id = Vec::with_capacity(len_of(len_of(20)));
        write_tlv(&mut responder_id, tag::context_constructed(2), &inner);
        Self {
            responder_id,
            algorithm: algorithm.to_vec(),
            certificates: certificates.to_vec(),
            archive_cutoff: None,
        }
    }

    /// With a date in every single response that is `seconds` before producedAt: certificates that
    /// ran out since then are still answered for (RFC 6960 4.4.4).
    #[must_use]
    pub fn with_archive_cutoff(self, seconds: i64) -> Self {
        Self { archive_cutoff: Some(seconds), ..self }
    }

    /// With the responder named by its certificate's subject, a DER Name, instead of by its key (RFC 6960
    /// 4.2.2.3).
    #[must_use]
    pub fn with_responder_name(self, subject: &[u8]) -> Self {
        let mut responder_id = Vec::with_capacity(len_of(subject.len()));
        write_tlv(&mut responder_id, tag::context_constructed(1), subject);
        Self { responder_id, ..self }
    }

    /// Whatever it writes into answers: two templates with the same octets here write the same answers.
    #[must_use]
    pub fn identity(&self) -> Vec<u8> {
        let cutoff = self.archive_cutoff.unwrap_or(i64::MIN).to_be_bytes();
        [&self.responder_id[..], &self.algorithm, &self.certificates, &cutoff].concat()
    }

    /// What stands behind the signature in every answer.
    #[must_use]
    pub fn certificates(&self) -> &[u8] {
        &self.certificates
    }

    /// Writes ResponseData. `signature_octets` is a good guess of the signature's length, so that the
    /// buffer is allocated once.
    pub fn begin<'a, I>(&self, data: &ResponseData<'_>, singles: I, signature_octets: usize) -> Unsigned
    where
        I: Iterator<Item = SingleResponse<'a>> + Clone,
    {
        let cutoff = self.archive_cutoff.map(|seconds| data.produced_at.plus(seconds.saturating_neg()));
        let list: usize = singles.clone().map(|single| len_of(single.content_len(cutoff))).sum();
        let extensions = extensions_len(data);
        let explicit_extensions = if extensions == 0 { 0 } else { len_of(len_of(extensions)) };
        let content = self.responder_id.len() + TIME_LEN + len_of(list) + explicit_extensions;
        let total = HEADROOM
            + len_of(content)
            + self.algorithm.len()
            + len_of(signature_octets + 1)
            + self.certificates.len();
        let mut out = Vec::with_capacity(total);
        out.resize(HEADROOM, 0);
        write_header(&mut out, tag::SEQUENCE, content);
        out.extend_from_slice(&self.responder_id);
        write_time(&mut out, data.produced_at);
        write_header(&mut out, tag::SEQUENCE, list);
        for single in singles {
            single.write(&mut out, cutoff);
        }
        if extensions > 0 {
            write_header(&mut out, tag::context_constructed(1), len_of(extensions));
            write_header(&mut out, tag::SEQUENCE, extensions);
            write_extensions(&mut out, data);
        }
        Unsigned { buffer: out }
    }
}

impl Unsigned {
    /// What is to be signed: ResponseData.
    #[must_use]
    pub fn to_be_signed(&self) -> &[u8] {
        self.buffer.get(HEADROOM..).unwrap_or_default()
    }

    /// Appends the signature, puts the outer headers in front, and gives the whole OCSPResponse: the
    /// buffer, and where in it the response begins.
    #[must_use]
    pub fn finish(self, template: &ResponseTemplate, signature: &[u8]) -> (Vec<u8>, usize) {
        let mut out = self.buffer;
        out.extend_from_slice(&template.algorithm);
        write_header(&mut out, tag::BIT_STRING, signature.len() + 1);
        out.push(0);
        out.extend_from_slice(signature);
        out.extend_from_slice(&template.certificates);
        let basic = out.len() - HEADROOM;

        let octets = len_of(basic);
        let oid = len_of(asn1::OCSP_BASIC.len());
        let bytes = oid + len_of(octets);
        let status = len_of(1);
        let mut front = Vec::with_capacity(HEADROOM);
        write_header(&mut front, tag::SEQUENCE, status + len_of(len_of(bytes)));
        write_tlv(&mut front, tag::ENUMERATED, &[OcspResponseStatus::Successful as u8]);
        write_header(&mut front, tag::context_constructed(0), len_of(bytes));
        write_header(&mut front, tag::SEQUENCE, bytes);
        write_tlv(&mut front, tag::OBJECT_IDENTIFIER, asn1::OCSP_BASIC);
        write_header(&mut front, tag::OCTET_STRING, octets);
        write_header(&mut front, tag::SEQUENCE, basic);
        let start = HEADROOM - front.len();
        for (slot, octet) in out.iter_mut().skip(start).zip(front) {
            *slot = octet;
        }
        (out, start)
    }
}

impl SingleResponse<'_> {
    fn content_len(&self, cutoff: Option<UnixTime>) -> usize {
        let status = match &self.status {
            CertStatus::Good | CertStatus::Unknown => len_of(0),
            CertStatus::Revoked(revocation) => {
                len_of(TIME_LEN + if revocation.reason.is_some() { REASON_LEN } else { 0 })
            }
        };
        let extensions = match self.extensions_len(cutoff) {
            0 => 0,
            extensions => len_of(len_of(extensions)),
        };
        self.cert_id.len() + status + TIME_LEN + EXPLICIT_TIME_LEN + extensions
    }

    fn extensions_len(&self, cutoff: Option<UnixTime>) -> usize {
        let one =
            |oid: &[u8], there: bool| if there { len_of(extension_content_len(oid, TIME_LEN)) } else { 0 };
        one(asn1::INVALIDITY_DATE, self.invalidity().is_some())
            + one(asn1::OCSP_ARCHIVE_CUTOFF, cutoff.is_some())
            + self.crl_reference.len()
    }

    fn invalidity(&self) -> Option<UnixTime> {
        match &self.status {
            CertStatus::Good | CertStatus::Unknown => None,
            CertStatus::Revoked(revocation) => revocation.invalidity,
        }
    }

    fn write(&self, out: &mut Vec<u8>, cutoff: Option<UnixTime>) {
        write_header(out, tag::SEQUENCE, self.content_len(cutoff));
        out.extend_from_slice(self.cert_id);
        match &self.status {
            CertStatus::Good => write_header(out, tag::context(0), 0),
            CertStatus::Unknown => write_header(out, tag::context(2), 0),
            CertStatus::Revoked(revocation) => {
                let info = TIME_LEN + if revocation.reason.is_some() { REASON_LEN } else { 0 };
                write_header(out, tag::context_constructed(1), info);
                write_time(out, revocation.time);
                if let Some(reason) = revocation.reason {
                    write_header(out, tag::context_constructed(0), len_of(1));
                    write_tlv(out, tag::ENUMERATED, &[reason.value()]);
                }
            }
        }
        write_time(out, self.this_update);
        write_header(out, tag::context_constructed(0), TIME_LEN);
        write_time(out, self.next_update);
        let extensions = self.extensions_len(cutoff);
        if extensions > 0 {
            write_header(out, tag::context_constructed(1), len_of(extensions));
            write_header(out, tag::SEQUENCE, extensions);
            // RFC 6960 4.4.5: CRL entry extensions may be carried as singleExtensions.
            write_time_extension(out, asn1::INVALIDITY_DATE, self.invalidity());
            // RFC 6960 4.4.4.
            write_time_extension(out, asn1::OCSP_ARCHIVE_CUTOFF, cutoff);
            out.extend_from_slice(self.crl_reference);
        }
    }
}

fn write_time_extension(out: &mut Vec<u8>, oid: &[u8], time: Option<UnixTime>) {
    let Some(time) = time else { return };
    write_header(out, tag::SEQUENCE, extension_content_len(oid, TIME_LEN));
    write_tlv(out, tag::OBJECT_IDENTIFIER, oid);
    write_header(out, tag::OCTET_STRING, TIME_LEN);
    write_time(out, time);
}

fn write_time(out: &mut Vec<u8>, time: UnixTime) {
    write_tlv(out, tag::GENERALIZED_TIME, &time.to_generalized_time());
}

/// The value of id-pkix-ocsp-extended-revoke: NULL (RFC 6960 4.4.8).
const NULL: &[u8] = &[tag::NULL, 0];

const fn extension_content_len(oid: &[u8], value: usize) -> usize {
    len_of(oid.len()) + len_of(value)
}

fn extensions_len(data: &ResponseData<'_>) -> usize {
    let nonce = match &data.nonce {
        Some(nonce) => len_of(extension_content_len(asn1::OCSP_NONCE, nonce.value.len())),
        None => 0,
    };
    let extended = if data.extended_revoke {
        len_of(extension_content_len(asn1::OCSP_EXTENDED_REVOKE, NULL.len()))
    } else {
        0
    };
    nonce + extended
}

fn write_extensions(out: &mut Vec<u8>, data: &ResponseData<'_>) {
    if let Some(nonce) = &data.nonce {
        write_extension(out, asn1::OCSP_NONCE, nonce.value);
    }
    if data.extended_revoke {
        write_extension(out, asn1::OCSP_EXTENDED_REVOKE, NULL);
    }
}

fn write_extension(out: &mut Vec<u8>, oid: &[u8], value: &[u8]) {
    write_header(out, tag::SEQUENCE, extension_content_len(oid, value.len()));
    write_tlv(out, tag::OBJECT_IDENTIFIER, oid);
    write_tlv(out, tag::OCTET_STRING, value);
}

const _: () = assert!(HEADROOM >= 6 * header_len(usize::MAX) + len_of(1) + len_of(asn1::OCSP_BASIC.len()));
