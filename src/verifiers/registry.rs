//! The registry: all verifiers of one moment, and how each is known.
//!
//! Made by `app` from the registry file; immutable but for the accounts. Look-ups are by hash, because a registry
//! may have thousands of entries; networks are walked, the longest prefix first.
//!
//! Invariants: no credential is of two verifiers ([`conflicts`] finds those that would be).

use super::{Account, Cause, Moment, Network, Policy, Standing, Terms};
use crate::asn1::DerError;
use crate::signing::sha256;
use crate::snapshot::Snapshot;
use crate::store::{IssuerNumber, VerifierNumber};
use crate::x509::{Certificate, UnixTime, canonical_name};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// What a certificate is looked up by: its own hash, or that of its issuer's and its subject's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateKey([u8; 32]);

impl CertificateKey {
    /// Of a fingerprint, SHA-256 of the certificate's DER.
    #[must_use]
    pub const fn of_fingerprint(fingerprint: [u8; 32]) -> Self {
        Self(fingerprint)
    }

    #[must_use]
    pub fn of_der(der: &[u8]) -> Self {
        Self(sha256(der))
    }

    /// Of two Names in DER, compared as RFC 5280 7.1 has it.
    ///
    /// # Errors
    /// When one is no Name.
    pub fn of_names(issuer: &[u8], subject: &[u8]) -> Result<Self, DerError> {
        let (issuer, subject) = (canonical_name(issuer)?, canonical_name(subject)?);
        // The length keeps the two apart, the word keeps them from any certificate.
        let length = (issuer.len() as u64).to_be_bytes();
        Ok(Self(sha256(&[b"names", &length[..], &issuer, &subject].concat())))
    }
}

/// A certificate that signs requests.
#[derive(Debug, Clone)]
pub struct Signer {
    pub key: CertificateKey,
    /// `None`: only its fingerprint is known, and it comes with each request.
    pub certificate: Option<Certificate>,
}

/// How a verifier is known.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    pub client_certificates: Vec<CertificateKey>,
    pub signers: Vec<Signer>,
    /// Beside certificates they narrow these; alone they are the credential.
    pub networks: Vec<Network>,
}

impl Credentials {
    fn is_by_network(&self) -> bool {
        self.client_certificates.is_empty() && self.signers.is_empty()
    }
}

/// What may be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rights {
    All,
    These(Vec<IssuerNumber>),
}

/// A verifier as the registry file has it.
#[derive(Debug, Clone)]
pub struct VerifierDraft {
    pub id: String,
    pub name: String,
    pub number: VerifierNumber,
    pub rights: Rights,
    pub credentials: Credentials,
    pub terms: Terms,
}

/// A registered verifier, and what it has used.
#[derive(Debug)]
pub struct Verifier {
    pub entry: VerifierDraft,
    pub account: Arc<Account>,
}

impl Verifier {
    /// Whether it may ask at all, now and from there.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&self, address: IpAddr, now: UnixTime) -> Result<(), Cause> {
        let entry = &self.entry;
        let networks = &entry.credentials.networks;
        if entry.terms.is_suspended {
            Err(Cause::Suspended)
        } else if !entry.terms.is_valid(now) {
            Err(Cause::NotValid)
        } else if !networks.is_empty() && !networks.iter().any(|network| network.contains(address)) {
            Err(Cause::Network)
        } else {
            Ok(())
        }
    }

    #[must_use]
    pub fn may_ask_about(&self, issuer: IssuerNumber) -> bool {
        match &self.entry.rights {
            Rights::All => true,
            Rights::These(issuers) => issuers.contains(&issuer),
        }
    }

    /// Takes `count` certificates out of its quota.
    ///
    /// # Errors
    /// As [`Account::take`].
    pub fn take(&self, moment: Moment, count: u32) -> Result<(), Cause> {
        self.account.take(&self.entry.terms, moment, count)
    }
}

/// A registered signer of requests.
#[derive(Debug)]
pub(super) struct KnownSigner {
    pub verifier: usize,
    pub certificate: Option<Certificate>,
    /// The canonical form of its subject, where the certificate is known.
    pub subject: Vec<u8>,
    pub standing: Standing,
}

/// One credential, and two verifiers that claim it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} of \"{second}\" is that of \"{first}\" as well (a credential says who asks: give it to one)")]
pub struct Conflict {
    pub first: String,
    pub second: String,
    pub what: &'static str,
}

/// Which credentials two verifiers claim.
#[must_use]
pub fn conflicts<'a>(verifiers: impl IntoIterator<Item = (&'a str, &'a Credentials)>) -> Vec<Conflict> {
    let (mut clients, mut signers, mut networks) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut found = Vec::new();
    let mut claim = |first: Option<&'a str>, second: &'a str, what| {
        if let Some(first) = first.filter(|first| *first != second) {
            found.push(Conflict { first: first.to_owned(), second: second.to_owned(), what });
        }
    };
    for (id, credentials) in verifiers {
        for key in &credentials.client_certificates {
            claim(clients.insert(*key, id), id, "a client certificate");
        }
        for signer in &credentials.signers {
            claim(signers.insert(signer.key, id), id, "a signer");
        }
        if credentials.is_by_network() {
            for network in &credentials.networks {
                claim(networks.insert(*network, id), id, "a network");
            }
        }
    }
    found
}

/// All verifiers. See the module's head.
#[derive(Debug, Default)]
pub struct Registry {
    verifiers: Vec<Verifier>,
    policy: Policy,
    clients: HashMap<CertificateKey, usize>,
    pub(super) signers: HashMap<CertificateKey, KnownSigner>,
    /// Of verifiers that are known by nothing else, the longest prefix first.
    networks: Vec<(Network, usize)>,
}

impl Registry {
    /// Takes over the accounts of those who were in `before`. Of a credential that two claim, nobody has it.
    #[must_use]
    pub fn new(drafts: Vec<VerifierDraft>, policy: Policy, before: Option<&Self>) -> Self {
        let mut accounts: HashMap<VerifierNumber, Arc<Account>> = HashMap::new();
        for known in before.iter().flat_map(|before| &before.verifiers) {
            accounts.insert(known.entry.number, Arc::clone(&known.account));
        }
        let mut registry = Self { policy, ..Self::default() };
        for entry in drafts {
            let index = registry.verifiers.len();
            for key in &entry.credentials.client_certificates {
                registry.clients.insert(*key, index);
            }
            for signer in &entry.credentials.signers {
                let certificate = signer.certificate.clone();
                let subject = certificate.as_ref().and_then(|one| canonical_name(one.subject()).ok());
                let (subject, standing) = (subject.unwrap_or_default(), Standing::default());
                let known = KnownSigner { verifier: index, certificate, subject, standing };
                registry.signers.insert(signer.key, known);
            }
            if entry.credentials.is_by_network() {
                registry.networks.extend(entry.credentials.networks.iter().map(|network| (*network, index)));
            }
            let account = accounts.remove(&entry.number).unwrap_or_default();
            registry.verifiers.push(Verifier { entry, account });
        }
        registry.networks.sort_by_key(|(network, _)| Reverse(network.prefix()));
        registry
    }

    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    #[must_use]
    pub fn verifiers(&self) -> &[Verifier] {
        &self.verifiers
    }

    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Verifier> {
        self.verifiers.get(index)
    }

    /// Whose client certificate has one of these keys.
    #[must_use]
    pub fn by_certificate(&self, keys: impl IntoIterator<Item = CertificateKey>) -> Option<usize> {
        keys.into_iter().find_map(|key| self.clients.get(&key).copied())
    }

    /// Who is known by nothing but this network.
    #[must_use]
    pub fn by_network(&self, address: IpAddr) -> Option<usize> {
        self.networks.iter().find(|(network, _)| network.contains(address)).map(|(_, index)| *index)
    }
}

/// Whether all issuers of a request are ones that `verifier` may ask about. Those that are not served here are
/// nobody's matter.
///
/// # Errors
/// [`Cause::NoRight`].
pub fn check_rights<'a>(
    verifier: &Verifier,
    snapshot: &Snapshot,
    cert_ids: impl Iterator<Item = crate::ocsp::CertIdRef<'a>>,
) -> Result<(), Cause> {
    if verifier.entry.rights == Rights::All {
        return Ok(());
    }
    for cert_id in cert_ids {
        if let Some((_, key)) = snapshot.key_of(&cert_id)
            && !verifier.may_ask_about(key.number)
        {
            return Err(Cause::NoRight);
        }
    }
    Ok(())
}
