//! The real thing that the model is compared with: a CA with two keys, its CRLs in DER, a store on
//! disk, ingest in front of it, and a responder that is asked with real requests.

use crate::model::{Crl, Entry, Expected, Generation, Inventory, Point, Scope, Serial, Status, Verdict};
use ocsprey::asn1::{self, tag, write_tlv};
use ocsprey::clock::Clock;
use ocsprey::ingest::{Ingest, IngestOptions, Judge, Manner, Outcome};
use ocsprey::ocsp::{CertStatus, OcspResponseStatus, ParsedResponse};
use ocsprey::respond::Responder;
use ocsprey::signing::{KeyKind, ResponderIdentity, Signer, SoftwareKey, digest, verify};
use ocsprey::snapshot::{
    Configured, Covers, CrlReferences, Issuer, IssuerKey, NoncePolicy, ResponseOptions, ScopesPolicy,
    Snapshot,
};
use ocsprey::store::{Store, StoreOptions};
use ocsprey::x509::{
    Certificate, CrlReason, HashAlgorithm, SerialNumber, UnixTime, canonical_general_names, canonical_name,
};
use std::convert::Infallible;
use std::io::Cursor;
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;

/// Those that are asked about: each a prefix of another, with and without the high bit, short and long.
pub const SERIALS: [&[u8]; 12] = [
    &[1],
    &[1, 0],
    &[1, 0, 0],
    &[0x7f],
    &[0x80],
    &[0x80, 0],
    &[0x03, 0xff, 0xfc],
    &[0xff],
    &[0xff; 20],
    &[0x01, 0xff],
    &[2],
    &[0x7f; 20],
];

pub const DAY: i64 = 86_400;

pub fn serial_number(serial: Serial) -> SerialNumber {
    SerialNumber::from_unsigned(SERIALS[serial]).unwrap()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    write_tlv(&mut out, tag, &parts.concat());
    out
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(tag::SEQUENCE, parts)
}

/// A Name of one commonName.
fn name(text: &str) -> Vec<u8> {
    let oid = der(tag::OBJECT_IDENTIFIER, &[&[0x55, 4, 3]]);
    sequence(&[&der(tag::SET, &[&sequence(&[&oid, &der(tag::UTF8_STRING, &[text.as_bytes()])])])])
}

fn time(seconds: i64) -> Vec<u8> {
    // 5.1.2.4: UTCTime through 2049; nothing here is later.
    der(tag::UTC_TIME, &[&UnixTime::from_seconds(seconds).to_generalized_time()[2..]])
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[tag::BOOLEAN, 1, 0xff] } else { &[] };
    sequence(&[&der(tag::OBJECT_IDENTIFIER, &[oid]), critical, &der(tag::OCTET_STRING, &[value])])
}

fn integer(number: u64) -> Vec<u8> {
    der(tag::INTEGER, &[SerialNumber::from(number).as_bytes()])
}

fn signed(tbs: &[u8], key: &SoftwareKey) -> Vec<u8> {
    let mut signature = vec![0];
    key.sign(tbs, &mut signature).unwrap();
    let algorithm = key.algorithm().algorithm_identifier();
    sequence(&[tbs, algorithm, &der(tag::BIT_STRING, &[&signature])])
}

/// The GeneralNames content of a distribution point: one directoryName.
fn general_names(point: Point) -> Vec<u8> {
    der(tag::context_constructed(4), &[&name(&format!("{point:?}"))])
}

pub fn start() -> i64 {
    UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap().seconds()
}

/// One live key of the CA; it answers by itself.
struct Key {
    secret: Arc<SoftwareKey>,
    certificate: Arc<Certificate>,
    configured: IssuerKey,
}

impl Key {
    fn new(kind: KeyKind) -> Self {
        let secret = Arc::new(SoftwareKey::generate(kind).unwrap().0);
        let algorithm = secret.algorithm().algorithm_identifier();
        let validity = sequence(&[&time(start() - 9 * DAY), &time(start() + 3_650 * DAY)]);
        let identifier = digest(HashAlgorithm::Sha1, secret.public_key().bits());
        let basic = sequence(&[&[tag::BOOLEAN, 1, 0xff]]);
        // keyCertSign and cRLSign.
        let usage = der(tag::BIT_STRING, &[&[1, 0x06]]);
        let extensions = sequence(&[
            &extension(&[0x55, 0x1d, 0x13], true, &basic),
            &extension(&[0x55, 0x1d, 0x0f], true, &usage),
            &extension(&[0x55, 0x1d, 0x0e], false, &der(tag::OCTET_STRING, &[identifier.as_ref()])),
        ]);
        let version = der(tag::context_constructed(0), &[&integer(2)]);
        let (ca, spki) = (name("Test CA"), secret.public_key().spki());
        let extensions = der(tag::context_constructed(3), &[&extensions]);
        let tbs = sequence(&[&version, &integer(1), algorithm, &ca, &validity, &ca, spki, &extensions]);
        let certificate = Certificate::from_der(&signed(&tbs, &secret)).unwrap();
        let signer: Arc<dyn Signer> = Arc::clone(&secret) as _;
        let responder = ResponderIdentity::ca(certificate.clone(), signer).unwrap();
        let certificate = Arc::new(certificate);
        let configured = IssuerKey::new(Arc::clone(&certificate), Arc::new(responder));
        Self { secret, certificate, configured }
    }
}

/// The newest first, as a configuration has them.
static KEYS: LazyLock<[Key; 2]> = LazyLock::new(|| [Key::new(KeyKind::Ed25519), Key::new(KeyKind::P256)]);

fn key(generation: Generation) -> &'static Key {
    match generation {
        Generation::First => &KEYS[1],
        Generation::Second => &KEYS[0],
    }
}

fn entry(serial: Serial, entry: &Entry) -> Vec<u8> {
    let number = der(tag::INTEGER, &[serial_number(serial).as_bytes()]);
    let reason = entry.reason.map(|reason| {
        let value = der(tag::ENUMERATED, &[&[reason.value()]]);
        sequence(&[&extension(asn1::REASON_CODE, false, &value)])
    });
    sequence(&[&number, &time(entry.date), &reason.unwrap_or_default()])
}

/// A CertificateList (5.1), signed.
fn encode(crl: &Crl) -> Vec<u8> {
    let Scope(generation, point) = crl.scope;
    let key = key(generation);
    let identifier = key.certificate.subject_key_identifier().unwrap();
    let authority = sequence(&[&der(tag::context(0), &[identifier])]);
    let mut extensions = extension(asn1::AUTHORITY_KEY_IDENTIFIER, false, &authority);
    extensions.extend(extension(asn1::CRL_NUMBER, false, &integer(crl.number)));
    if let Some(base) = crl.base {
        extensions.extend(extension(asn1::DELTA_CRL_INDICATOR, true, &integer(base)));
    }
    if let Some(point) = point {
        let full_name = der(tag::context_constructed(0), &[&general_names(point)]);
        let idp = sequence(&[&der(tag::context_constructed(0), &[&full_name])]);
        extensions.extend(extension(asn1::ISSUING_DISTRIBUTION_POINT, true, &idp));
    }
    let entries: Vec<_> = crl.entries.iter().map(|(serial, told)| entry(*serial, told)).collect();
    // 5.1.2.6: no entries, no list.
    let entries = if entries.is_empty() { Vec::new() } else { sequence(&[&entries.concat()]) };
    let tbs = sequence(&[
        &integer(1),
        key.secret.algorithm().algorithm_identifier(),
        key.certificate.subject(),
        &time(crl.this_update),
        &time(crl.next_update),
        &entries,
        &der(tag::context_constructed(0), &[&sequence(&[&extensions])]),
    ]);
    signed(&tbs, &key.secret)
}

/// An OCSPRequest (RFC 6960 4.1.1) about one certificate.
fn request(generation: Generation, serial: Serial) -> Vec<u8> {
    let ca = &key(generation).certificate;
    let hashed = |octets: &[u8]| der(tag::OCTET_STRING, &[digest(HashAlgorithm::Sha256, octets).as_ref()]);
    let cert_id = sequence(&[
        &sequence(&[&der(tag::OBJECT_IDENTIFIER, &[HashAlgorithm::Sha256.oid()])]),
        &hashed(ca.subject()),
        &hashed(ca.public_key().bits()),
        &der(tag::INTEGER, &[serial_number(serial).as_bytes()]),
    ]);
    sequence(&[&sequence(&[&sequence(&[&sequence(&[&cert_id])])])])
}

/// What was answered, and from when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    pub status: Status,
    times: Option<(i64, i64)>,
}

impl Said {
    /// Whether the model expects just this, at `now`.
    pub fn is(&self, expected: &Expected, now: i64) -> bool {
        let within = match (self.times, expected.window) {
            (Some((this, next)), Some((oldest, nearest))) => {
                // Trap 18: as old as what is known; never longer than that is in force.
                this == oldest.min(now) && this <= now && now < next && next <= nearest
            }
            (times, _) => times.is_none(),
        };
        self.status == expected.status && within
    }
}

pub struct House {
    folder: TempDir,
    /// Gone only while the store is opened anew.
    open: Option<Open>,
    pub clock: Clock,
    /// The octets of every CRL so far: an ECDSA signature would differ the next time.
    built: Vec<(Crl, Vec<u8>)>,
}

struct Open {
    store: Arc<Store>,
    configured: Arc<Configured>,
    ingest: Ingest,
}

impl Open {
    fn new(folder: &TempDir, clock: &Clock, has_inventory: bool) -> Self {
        let small = StoreOptions {
            cache_bytes: 1 << 20,
            write_buffer_bytes: 1 << 20,
            sketched_octets: 0,
            ..StoreOptions::default()
        };
        let store = Arc::new(Store::open(&folder.path().join("store"), &small).unwrap());
        let number = store.issuer_number(&canonical_name(&name("Test CA")).unwrap()).unwrap();
        let issuer = Issuer {
            name: "ca".to_owned(),
            number,
            keys: KEYS.iter().map(|key| key.configured.clone()).collect(),
            unlisted: None,
            has_inventory,
            scopes: ScopesPolicy::Discovered,
            covers: Covers::All,
            crl_issuers: Vec::new(),
            retention: ocsprey::store::Retention::WithoutEnd,
        };
        let options =
            ResponseOptions { validity: DAY, nonce: NoncePolicy::Echo, crl_references: CrlReferences::Omit };
        let configured = Arc::new(Configured::new(vec![issuer], options));
        let authorities = configured.issuers.iter().map(Into::into);
        let limits = IngestOptions { clock_skew: crate::model::SKEW, ..IngestOptions::default() };
        let judge = Judge::new(authorities, folder.path().to_owned(), clock.clone(), limits);
        let ingest = Ingest::new(Arc::clone(&store), judge);
        Self { store, configured, ingest }
    }
}

impl House {
    pub fn new(inventory: Option<&Inventory>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(UnixTime::from_seconds(start()));
        let open = Open::new(&folder, &clock, inventory.is_some());
        if let Some(inventory) = inventory {
            let number = |point: &Point| {
                let canonical = canonical_general_names(&general_names(*point)).unwrap();
                open.store.distribution_point_number(&canonical).unwrap()
            };
            let rows: Vec<_> = inventory
                .iter()
                .map(|(serial, point)| {
                    Ok::<_, Infallible>((serial_number(*serial), point.as_ref().map(number)))
                })
                .collect();
            open.store.load_inventory(open.configured.issuers[0].number, rows).unwrap();
        }
        Self { folder, open: Some(open), clock, built: Vec::new() }
    }

    fn open(&self) -> &Open {
        self.open.as_ref().unwrap()
    }

    /// Stops and starts again.
    pub fn reopen(&mut self) {
        let has_inventory = self.open().configured.issuers[0].has_inventory;
        self.open = None;
        self.open = Some(Open::new(&self.folder, &self.clock, has_inventory));
    }

    pub fn take(&mut self, crl: &Crl) -> Result<Verdict, String> {
        let known = self.built.iter().position(|(built, _)| built == crl);
        let index = known.unwrap_or_else(|| {
            self.built.push((crl.clone(), encode(crl)));
            self.built.len() - 1
        });
        // By turns as what is read once, and as what may be read again and is compared by sums first.
        let (ingest, octets) = (&self.open().ingest, &self.built[index].1);
        let taken = match index % 2 {
            0 => ingest.refresh(Cursor::new(octets), Manner::Guarded),
            _ => ingest.ingest(&octets[..]),
        };
        match taken {
            Ok(report) => Ok(match report.outcome {
                Outcome::Applied(_) => Verdict::Applied,
                Outcome::Unchanged | Outcome::Overtaken | Outcome::Rehearsed(..) => Verdict::Unchanged,
            }),
            Err(why) if why.is_ours() => Err(why.to_string()),
            Err(_) => Ok(Verdict::Refused),
        }
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot::build(Arc::clone(&self.open().configured), self.open().store.view().unwrap()).unwrap()
    }

    /// Asks one snapshot; a signed answer is verified.
    pub fn ask(&self, snapshot: &Snapshot, serial: Serial, generation: Generation) -> Said {
        let answer = Responder::new().respond(snapshot, &request(generation, serial), self.clock.now());
        let response = match ParsedResponse::parse(&answer.body).unwrap() {
            ParsedResponse::Error(OcspResponseStatus::TryLater) => {
                return Said { status: Status::TryLater, times: None };
            }
            ParsedResponse::Error(other) => panic!("answered {}", other.name()),
            ParsedResponse::Basic(response) => response,
        };
        let key = &key(generation).secret;
        let algorithm = key.algorithm();
        verify(key.public_key(), algorithm, response.to_be_signed, response.signature).unwrap();
        let single = response.singles().next().unwrap();
        let status = match single.status {
            CertStatus::Good => Status::Good,
            CertStatus::Unknown => Status::Unknown,
            CertStatus::Revoked(told) => {
                assert_ne!(told.reason, Some(CrlReason::RemoveFromCrl));
                Status::Revoked(Entry { date: told.time.seconds(), reason: told.reason })
            }
        };
        let times = (single.this_update.seconds(), single.next_update.unwrap().seconds());
        Said { status, times: Some(times) }
    }
}
