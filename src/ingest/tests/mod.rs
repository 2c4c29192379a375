//! Tests of the write side: real keys, real CRLs, a real store. Named by the ledger's ids (F) and the
//! traps' numbers (T). Whatever refuses a CRL leaves every answer of the store as it was.

mod changes;
mod deltas;
mod guarding;
mod indirect;
mod reading;
mod refreshing;
mod refusals;
mod retiring;
mod signed;
mod succession;

use super::*;
use crate::clock::Clock;
use crate::signing::test_pki::{Authority, Issuance, now, openssl};
use crate::signing::{KeyKind, ResponderIdentity, Signer};
use crate::snapshot::{
    Configured, Covers, CrlReferences, Issuer, IssuerKey, NoncePolicy, ResponseOptions, ScopesPolicy,
};
use crate::store::{IssuerNumber, Retention, Rows, ScopeChange, ScopeRecord, Store, StoreOptions};
use crate::x509::crl::tests::builder::{TestCrl, crl_number, delta_indicator, revoked, utc};
use crate::x509::{Certificate, CrlReason, SerialNumber, UnixTime, canonical_name};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const NAME: &str = "CN=Test CA";

/// Serial numbers whose answers are compared.
const SERIALS: std::ops::Range<u64> = 0..40;

/// A store and the judge in front of it.
struct House {
    folder: TempDir,
    store: Arc<Store>,
    configured: Arc<Configured>,
    ingest: Ingest,
    clock: Clock,
}

/// The issuers of a configuration, one for each list of keys, called `issuer 0` and on.
fn issuers_of(store: &Store, keys: Vec<Vec<IssuerKey>>) -> Vec<Issuer> {
    let issuer = |(index, keys): (usize, Vec<IssuerKey>)| {
        let name = canonical_name(keys[0].certificate.subject()).unwrap();
        Issuer {
            name: format!("issuer {index}"),
            number: store.issuer_number(&name).unwrap(),
            keys,
            unlisted: None,
            has_inventory: false,
            scopes: ScopesPolicy::Discovered,
            covers: Covers::All,
            crl_issuers: Vec::new(),
            retention: Retention::WithoutEnd,
        }
    };
    keys.into_iter().enumerate().map(issuer).collect()
}

/// Everything a store says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answers {
    scopes: Vec<ScopeRecord>,
    rows: Vec<Rows>,
}

/// A configured key of a CA: its certificate, and who signs with it.
fn key_of(authority: &Authority, certificate: Certificate) -> IssuerKey {
    let responder = ResponderIdentity::ca(certificate.clone(), authority.key.clone()).unwrap();
    IssuerKey::new(Arc::new(certificate), Arc::new(responder))
}

impl House {
    /// One issuer with one key.
    fn of(authority: &Authority) -> Self {
        Self::with(vec![vec![key_of(authority, authority.certificate.clone())]], IngestOptions::default())
    }

    /// Issuers, each with its keys.
    fn with(issuers: Vec<Vec<IssuerKey>>, options: IngestOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let small = StoreOptions {
            cache_bytes: 4 << 20,
            write_buffer_bytes: 1 << 20,
            // Every CRL is a large one.
            sketched_octets: 0,
            ..StoreOptions::default()
        };
        let store = Arc::new(Store::open(&folder.path().join("store"), &small).unwrap());
        std::fs::create_dir(folder.path().join("scratch")).unwrap();
        let issuers = issuers_of(&store, issuers);
        let options_of_answers = ResponseOptions {
            validity: 86_400,
            nonce: NoncePolicy::Echo,
            crl_references: CrlReferences::Omit,
        };
        let configured = Arc::new(Configured::new(issuers, options_of_answers));
        let clock = Clock::fixed(now());
        let judge = judge(&configured, &folder.path().join("scratch"), &clock, options);
        let ingest = Ingest::new(Arc::clone(&store), judge);
        Self { folder, store, configured, ingest, clock }
    }

    /// Issuers of which those with these indexes name a CRL issuer.
    fn naming(keys: Vec<Vec<IssuerKey>>, indexes: &[usize], crl_issuer: &Certificate) -> Self {
        let mut house = Self::with(keys.clone(), IngestOptions::default());
        house.ingest = house.configured_with(keys, indexes, crl_issuer);
        house
    }

    /// Another way in, to the same store.
    fn configured_with(
        &self,
        keys: Vec<Vec<IssuerKey>>,
        indexes: &[usize],
        crl_issuer: &Certificate,
    ) -> Ingest {
        let mut issuers = issuers_of(&self.store, keys);
        for index in indexes {
            issuers[*index].crl_issuers.push(Arc::new(crl_issuer.clone()));
        }
        let configured = Arc::new(Configured::new(issuers, self.configured.options));
        let judge = judge(&configured, &self.path("scratch"), &self.clock, IngestOptions::default());
        Ingest::new(Arc::clone(&self.store), judge)
    }

    fn issuer(&self, index: usize) -> IssuerNumber {
        self.configured.issuers[index].number
    }

    fn answers(&self) -> Answers {
        let view = self.store.view().unwrap();
        let numbers = self.configured.issuers.iter().map(|issuer| issuer.number);
        let rows = numbers
            .flat_map(|issuer| SERIALS.map(move |serial| (issuer, serial)))
            .map(|(issuer, serial)| view.revocations(issuer, &SerialNumber::from(serial)).unwrap());
        Answers { scopes: view.scopes().to_vec(), rows: rows.collect() }
    }

    /// The reasons for which a serial number of the first issuer is revoked, and whether retained.
    fn revocations(&self, serial: u64) -> Vec<(Option<CrlReason>, bool)> {
        let view = self.store.view().unwrap();
        let rows = view.revocations(self.issuer(0), &SerialNumber::from(serial)).unwrap();
        rows.iter().map(|row| (row.revocation.reason, row.retained)).collect()
    }

    fn applied(&self, crl: &[u8]) -> ScopeChange {
        match self.ingest.ingest(crl).unwrap().outcome {
            Outcome::Applied(change) => change,
            other => panic!("{other:?}"),
        }
    }

    /// Why `source` is refused. Nothing else may come of it.
    fn refuses(&self, source: impl std::io::Read) -> Refused {
        let before = self.answers();
        let why = self.ingest.ingest(source).expect_err("it should be refused");
        assert_eq!(self.answers(), before, "{why}");
        let scratch = self.folder.path().join("scratch");
        assert_eq!(std::fs::read_dir(scratch).unwrap().count(), 0, "nothing is left lying about");
        why
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn judge(configured: &Arc<Configured>, scratch: &Path, clock: &Clock, options: IngestOptions) -> Judge {
    Judge::new(configured.issuers.iter().map(Into::into), scratch.to_owned(), clock.clone(), options)
}

fn authority() -> Authority {
    Authority::new(KeyKind::P256, NAME)
}

/// A lawful CRL of `authority` with this number, one hour newer with each, and these entries.
fn crl(authority: &Authority, number: u8, entries: &[(u64, CrlReason)]) -> TestCrl {
    let entries: Vec<_> = entries.iter().map(|(serial, why)| revoked(*serial, *why)).collect();
    TestCrl {
        algorithm: authority.key.algorithm().algorithm_identifier().to_vec(),
        issuer: authority.certificate.subject().to_vec(),
        this_update: utc(&format!("261121{number:02}0000Z")),
        entries: (!entries.is_empty()).then_some(entries),
        extensions: Some(vec![crl_number(&[number])]),
        ..TestCrl::new()
    }
}

fn sign(crl: &TestCrl, authority: &Authority) -> Vec<u8> {
    crl.signed(|tbs| {
        let mut signature = Vec::new();
        authority.key.sign(tbs, &mut signature).unwrap();
        signature
    })
}

/// What the tests of refusals find in the store: number 7.
const HELD: [(u64, CrlReason); 3] =
    [(1, CrlReason::KeyCompromise), (2, CrlReason::CertificateHold), (3, CrlReason::Superseded)];

/// A house that holds a CRL.
fn settled(authority: &Authority) -> House {
    let house = House::of(authority);
    assert_eq!(house.applied(&sign(&crl(authority, 7, &HELD), authority)).added, 3);
    house
}
