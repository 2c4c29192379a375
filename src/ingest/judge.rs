//! Judging a CRL: whether it is whole, of its time, and signed by somebody who may speak for our issuers.
//!
//! Who may speak for an issuer (RFC 5280 6.3.3 (b), (f)): its own keys, under its own name; and the CRL
//! issuers whose certificates the operator named for it (`crl_issuers`). Naming one is the delegation: no
//! path from the CA to that certificate is asked for, because a CRL issuer is often certified by another
//! CA that nobody here has. It must be allowed to sign CRLs, and [`super::succession`] looks
//! whether it was revoked. A CRL under another name than the issuer's must say that it is indirect; what
//! such a CRL lists of CAs that are not ours, or that did not name its signer, is counted and not used.

use super::Refused;
use super::apply::{Outcome, Report};
use super::gather::Gather;
use super::read::{CrlContent, IssuerEntries, read_crl};
use super::sort::{SortedEntries, Sorter};
use super::steps::{Step, Steps};
use crate::clock::Clock;
use crate::signing::{StreamVerifier, VerifyError, sha256};
use crate::snapshot::{Issuer, IssuerIndex};
use crate::store::{IssuerNumber, Layer, Retention, ScopeKey, ScopeRecordDraft};
use crate::x509::crl::{CertificateKinds, CrlHeader, IssuingDistributionPoint};
use crate::x509::{Certificate, SerialNumber, UnixTime, canonical_name, name_text};
use std::fmt::Write as _;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

/// Limits of the write side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestOptions {
    /// Octets of entries that are held in memory; more are sorted on disk.
    pub sort_memory: usize,
    /// Seconds that a CRL's thisUpdate may be ahead of the clock.
    pub clock_skew: i64,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self { sort_memory: 64 << 20, clock_skew: 300 }
    }
}

/// A CA whose CRLs are taken: its name in the configuration, and whose signatures count.
#[derive(Debug, Clone)]
pub struct CrlAuthority {
    pub name: String,
    pub number: IssuerNumber,
    /// Its live keys; at least one; all of one name.
    pub keys: Vec<Arc<Certificate>>,
    /// CRL issuers that may speak for it too. One of its own name is one more key for its CRLs.
    pub crl_issuers: Vec<Arc<Certificate>>,
    /// How long a permanent revocation is kept once its entry is gone.
    pub retention: Retention,
}

impl From<&Issuer> for CrlAuthority {
    fn from(issuer: &Issuer) -> Self {
        let keys = issuer.keys.iter().map(|key| Arc::clone(&key.certificate)).collect();
        let crl_issuers = issuer.crl_issuers.clone();
        let retention = issuer.retention;
        Self { name: issuer.name.clone(), number: issuer.number, keys, crl_issuers, retention }
    }
}

/// An authority, and the names it is known by.
#[derive(Debug)]
struct Known {
    authority: CrlAuthority,
    canonical_name: Vec<u8>,
    /// Of the CRL issuers, in their order.
    crl_issuer_names: Vec<Vec<u8>>,
}

impl Known {
    fn new(authority: CrlAuthority) -> Self {
        let name = |certificate: &Arc<Certificate>| canonical_name(certificate.subject()).unwrap_or_default();
        Self {
            canonical_name: authority.keys.first().map(name).unwrap_or_default(),
            crl_issuer_names: authority.crl_issuers.iter().map(name).collect(),
            authority,
        }
    }

    /// The keys that may sign for this CA under the name `crl_issuer`.
    fn signers<'a>(&'a self, crl_issuer: &'a [u8]) -> impl Iterator<Item = &'a Arc<Certificate>> {
        let own = self.authority.keys.iter().filter(move |_| self.canonical_name == crl_issuer);
        let others = self.authority.crl_issuers.iter().zip(&self.crl_issuer_names);
        own.chain(others.filter(move |(_, name)| *name == crl_issuer).map(|(certificate, _)| certificate))
    }
}

/// Says whether a CRL is to be believed: it is whole, of a configured CA, signed by it, and of its time.
#[derive(Debug, Clone)]
pub struct Judge {
    /// In the order of the configuration.
    known: Arc<[Known]>,
    scratch: PathBuf,
    clock: Clock,
    options: IngestOptions,
}

/// Who issued a CRL.
struct CrlIssuer<'a> {
    /// In canonical form.
    name: Vec<u8>,
    /// The issuers that it may speak for: itself first, then others in the order of the configuration.
    speaks_for: Vec<(IssuerIndex, &'a Known)>,
}

/// A CRL that is to be believed.
pub struct Judged<E = SortedEntries> {
    pub(super) report: Report,
    /// BaseCRLNumber, of a delta CRL.
    pub(super) delta_base: Option<Vec<u8>>,
    /// The certificate that signed it, where another of our CAs issued that.
    pub(super) signer: Option<(IssuerNumber, SerialNumber)>,
    /// What it says of each issuer that it speaks for: one, or, of an indirect CRL, several.
    pub(super) shares: Vec<Share<E>>,
}

/// What a CRL says of one issuer.
pub(super) struct Share<E> {
    pub issuer_name: String,
    pub draft: ScopeRecordDraft,
    pub retention: Retention,
    pub entries: E,
}

impl<E> Judged<E> {
    /// What can be said of it without knowing what is held.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

impl Judge {
    /// `scratch` is a folder on a disk with room for the entries of the largest CRL.
    #[must_use]
    pub fn new(
        authorities: impl IntoIterator<Item = CrlAuthority>,
        scratch: PathBuf,
        clock: Clock,
        options: IngestOptions,
    ) -> Self {
        Self { known: authorities.into_iter().map(Known::new).collect(), scratch, clock, options }
    }

    /// Reads and verifies one CRL.
    ///
    /// # Errors
    /// Why it is not to be believed.
    pub fn judge(&self, source: impl Read) -> Result<Judged, Refused> {
        self.judge_with(source, |_, _, sorter| Ok(sorter), &mut Steps::untimed())
    }

    /// As [`Judge::judge`]. `gather` says what takes the entries of each issuer that the CRL may speak for: given
    /// its header, the issuer, where there is only one, and a sorter.
    pub(super) fn judge_with<G: Gather>(
        &self,
        source: impl Read,
        gather: impl Fn(&CrlHeader, Option<&CrlAuthority>, Sorter) -> Result<G, Refused>,
        steps: &mut Steps,
    ) -> Result<Judged<G::Gathered>, Refused> {
        let now = self.clock.now();
        let mut chosen = None;
        let accept = |header: &CrlHeader| {
            let CrlIssuer { name, speaks_for } = self.crl_issuer(header)?;
            let sole = match speaks_for[..] {
                [(_, known)] => Some(&known.authority),
                _ => None,
            };
            let memory = self.options.sort_memory / speaks_for.len().max(1);
            let want = |(_, known): &(_, &Known)| {
                let gather = gather(header, sole, Sorter::new(&self.scratch, memory))?;
                Ok((known.canonical_name.clone(), gather))
            };
            let wanted = speaks_for.iter().map(want).collect::<Result<_, Refused>>()?;
            chosen = Some((name, speaks_for, self.check_times(header, now)?));
            Ok(wanted)
        };
        let content = read_crl(source, accept, steps)?;
        steps.begin(Step::Verify);
        // Whoever reads a CRL to its end has accepted its header.
        let (name, speaks_for, next_update) = chosen.ok_or(Refused::NoNextUpdate)?;
        let CrlContent { header, trailer, verifier, sha256, entries, .. } = content;
        let mut slots: Vec<Option<IssuerEntries<_>>> = entries.into_iter().map(Some).collect();
        let mut indexed: Vec<_> = speaks_for.into_iter().enumerate().collect();
        let point = trailer.extensions.issuing_distribution_point.as_ref();
        if !point.is_some_and(|point| point.is_indirect) {
            // RFC 5280 6.3.3 (b)(1): without a word to the contrary it speaks of its own issuer's certificates.
            indexed.retain(|(_, (_, known))| known.canonical_name == name);
        }
        if point.is_some_and(|point| point.kinds == CertificateKinds::Attribute) {
            return Err(Refused::AttributeCertificates);
        }
        let Some((_, (_, first))) = indexed.first() else {
            return Err(Refused::NotIndirect { issuer: name_text(&header.issuer) });
        };
        let is_own = first.canonical_name == name;
        let signer_name = if is_own { first.authority.name.clone() } else { name_text(&header.issuer) };
        let mut keys: Vec<&Arc<Certificate>> = Vec::new();
        for key in indexed.iter().flat_map(|(_, (_, known))| known.signers(&name)) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let key_identifier = trailer.extensions.authority_key_identifier.as_deref();
        let key = verify(&keys, &signer_name, key_identifier, verifier, &trailer.signature)?;
        // From here on the octets are known to be the CRL issuer's. It speaks for those who named that key.
        let is_key = |one: &Arc<Certificate>| one.public_key().bits() == key.public_key().bits();
        indexed.retain(|(_, (_, known))| known.signers(&name).any(is_key));
        let delta_base = trailer.extensions.delta_base.clone();
        let draft = |issuer: IssuerNumber| ScopeRecordDraft {
            key: ScopeKey {
                issuer,
                signing_key: signing_key(key),
                distribution_point: point.map(|point| point.distribution_point.clone()).unwrap_or_default(),
                contains: point.map_or(CertificateKinds::All, |point| point.kinds),
                reasons: point.and_then(|point| point.reasons),
                layer: if delta_base.is_some() { Layer::Delta } else { Layer::Complete },
            },
            idp: point.map(|point| point.raw.clone()).unwrap_or_default(),
            crl_number: trailer.extensions.crl_number.clone().unwrap_or_default(),
            this_update: header.this_update,
            next_update,
            crl_sha256: sha256,
            ingested_at: now,
        };
        let (mut shares, mut foreign_entries) = (Vec::with_capacity(indexed.len()), trailer.entries);
        let mut first = None;
        for (slot, (index, known)) in indexed {
            let Some(IssuerEntries { entries, count }) = slots.get_mut(slot).and_then(Option::take) else {
                continue;
            };
            foreign_entries = foreign_entries.saturating_sub(count);
            first = first.or(Some(index));
            let issuer_name = known.authority.name.clone();
            let CrlAuthority { number, retention, .. } = known.authority;
            shares.push(Share { issuer_name, draft: draft(number), retention, entries });
        }
        let report = Report {
            issuer: first.unwrap_or(IssuerIndex(0)),
            issuer_name: shares.first().map(|share| share.issuer_name.clone()).unwrap_or_default(),
            scope: point.map(|point| point.text.clone()).unwrap_or_default(),
            crl_number: trailer.extensions.crl_number.clone().unwrap_or_default(),
            this_update: header.this_update,
            next_update,
            entries: trailer.entries,
            foreign_entries,
            octets: trailer.octets,
            is_delta: delta_base.is_some(),
            scopes: shares.iter().map(|share| share.draft.key.of_layer(Layer::Complete)).collect(),
            outcome: Outcome::Unchanged,
            others: Vec::new(),
        };
        Ok(Judged { report, delta_base, signer: self.issuer_of(key), shares })
    }

    /// Who issued the CRL, if it may speak for any issuer of ours.
    fn crl_issuer(&self, header: &CrlHeader) -> Result<CrlIssuer<'_>, Refused> {
        let foreign = || Refused::ForeignIssuer { found: name_text(&header.issuer) };
        let name = canonical_name(&header.issuer).map_err(|_| foreign())?;
        let all = self.known.iter().enumerate().map(|(index, known)| (IssuerIndex(index), known));
        let mut speaks_for: Vec<_> = all.filter(|(_, known)| known.signers(&name).next().is_some()).collect();
        // Its own certificates first, then those of the others, in the order of the configuration.
        speaks_for.sort_by_key(|(_, known)| known.canonical_name != name);
        if speaks_for.is_empty() { Err(foreign()) } else { Ok(CrlIssuer { name, speaks_for }) }
    }

    /// Who of ours issued this certificate. The certificate of a CA under its own name is taken at the
    /// operator's word: it is where trust begins.
    fn issuer_of(&self, certificate: &Certificate) -> Option<(IssuerNumber, SerialNumber)> {
        let issuer = canonical_name(certificate.issuer()).ok()?;
        if canonical_name(certificate.subject()).as_ref() == Ok(&issuer) {
            return None;
        }
        let known = self.known.iter().find(|known| known.canonical_name == issuer)?;
        Some((known.authority.number, certificate.serial_number()))
    }

    /// The nextUpdate, if the times are in order.
    fn check_times(&self, header: &CrlHeader, now: UnixTime) -> Result<UnixTime, Refused> {
        let this_update = header.this_update;
        let next_update = header.next_update.ok_or(Refused::NoNextUpdate)?;
        if next_update <= this_update {
            return Err(Refused::TimesCrossed { this_update, next_update });
        }
        if this_update > now.plus(self.options.clock_skew) {
            return Err(Refused::Future { this_update, now });
        }
        Ok(next_update)
    }
}

/// SHA-256 of the public key: how the store tells the keys of one CA apart.
fn signing_key(key: &Certificate) -> [u8; 32] {
    sha256(key.public_key().bits())
}

/// The one of `keys` that signed the CRL; `issuer` is whose they are, for people.
///
/// The authority key identifier only says which key to try: what counts is the signature.
fn verify<'a>(
    keys: &[&'a Arc<Certificate>],
    issuer: &str,
    authority_key_identifier: Option<&[u8]>,
    verifier: StreamVerifier,
    signature: &[u8],
) -> Result<&'a Certificate, Refused> {
    let named: Vec<&Arc<Certificate>> = keys
        .iter()
        .copied()
        .filter(|key| match (authority_key_identifier, key.subject_key_identifier()) {
            (Some(wanted), Some(identifier)) => wanted == identifier,
            _ => true,
        })
        .collect();
    if named.is_empty() {
        let expected = keys.iter().filter_map(|key| key.subject_key_identifier());
        return Err(Refused::ForeignKey {
            issuer: issuer.to_owned(),
            found: hexadecimal(authority_key_identifier.unwrap_or_default()),
            expected: expected.map(hexadecimal).collect::<Vec<_>>().join(" or "),
        });
    }
    let signed = verifier.finish();
    let mut refused = None;
    for key in named {
        match signed.verify(key.public_key(), signature) {
            Ok(()) if key.allows_crl_sign() => return Ok(key),
            Ok(()) => return Err(Refused::KeyUsage { issuer: issuer.to_owned() }),
            Err(why) => refused = Some(why),
        }
    }
    Err(match refused {
        None | Some(VerifyError::Signature { .. } | VerifyError::KeyKind { .. }) => {
            Refused::Signature { issuer: issuer.to_owned() }
        }
        Some(why) => Refused::Unverifiable(why),
    })
}

/// A scope's distribution point for people, from its issuingDistributionPoint.
#[must_use]
pub fn scope_text(idp: &[u8]) -> String {
    // Of a name relative to the CRL issuer no more is shown than that, so any Name will do.
    const EMPTY_NAME: &[u8] = &[0x30, 0];
    IssuingDistributionPoint::from_der(idp, EMPTY_NAME).map(|point| point.text).unwrap_or_default()
}

pub(super) fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        // Writing to a String does not fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
