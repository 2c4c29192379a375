//! Judging a CRL against the configured CAs and against what is held, and applying it.

use super::Refused;
use super::guard::{Alarm, Guard, Manner};
use super::read::{CrlContent, read_crl};
use super::sort::{SortedEntries, Sorter};
use crate::clock::Clock;
use crate::signing::{StreamVerifier, VerifyError, digest};
use crate::snapshot::{Issuer, IssuerIndex};
use crate::store::{
    IssuerNumber, Layer, Retention, ScopeChange, ScopeKey, ScopeRecord, ScopeRecordDraft, Store,
};
use crate::x509::crl::{CertificateKinds, CrlHeader, IssuingDistributionPoint};
use crate::x509::{Certificate, HashAlgorithm, UnixTime, canonical_name, name_text};
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

/// What became of a CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is the state of its scope now.
    Applied(ScopeChange),
    /// It was that already.
    Unchanged,
    /// A delta CRL with nothing to add: the complete CRL that is held is as new.
    Overtaken,
    /// It would be so, and the guard has this against it. Nothing was written.
    Rehearsed(ScopeChange, Option<Alarm>),
}

/// A CRL that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub issuer: IssuerIndex,
    pub issuer_name: String,
    /// The distribution point for people; empty for a CRL that names none.
    pub scope: String,
    /// Big-endian; empty where the CRL has none.
    pub crl_number: Vec<u8>,
    pub this_update: UnixTime,
    pub next_update: UnixTime,
    pub entries: u64,
    pub octets: u64,
    /// Whether it is a delta CRL.
    pub is_delta: bool,
    pub outcome: Outcome,
}

/// A CA whose CRLs are taken: its name in the configuration, and its live keys.
#[derive(Debug, Clone)]
pub struct CrlAuthority {
    pub name: String,
    pub number: IssuerNumber,
    /// At least one; all of one name.
    pub keys: Vec<Arc<Certificate>>,
    /// How long a permanent revocation is kept once its entry is gone.
    pub retention: Retention,
}

impl From<&Issuer> for CrlAuthority {
    fn from(issuer: &Issuer) -> Self {
        let keys = issuer.keys.iter().map(|key| Arc::clone(&key.certificate)).collect();
        Self { name: issuer.name.clone(), number: issuer.number, keys, retention: issuer.retention }
    }
}

/// Says whether a CRL is to be believed: it is whole, of a configured CA, signed by it, and of its time.
#[derive(Debug, Clone)]
pub struct Judge {
    /// In the order of the configuration, each with its canonical name.
    authorities: Arc<[(Vec<u8>, CrlAuthority)]>,
    scratch: PathBuf,
    clock: Clock,
    options: IngestOptions,
}

/// A CRL that is to be believed.
pub struct Judged {
    pub(super) report: Report,
    pub(super) draft: ScopeRecordDraft,
    /// BaseCRLNumber, of a delta CRL.
    delta_base: Option<Vec<u8>>,
    pub(super) entries: SortedEntries,
    pub(super) retention: Retention,
}

impl Judged {
    /// What can be said of it without knowing what is held.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// Takes CRLs into a store. One at a time: the store serialises its writers.
#[derive(Debug, Clone)]
pub struct Ingest {
    store: Arc<Store>,
    judge: Judge,
    guard: Guard,
}

impl Ingest {
    #[must_use]
    pub fn new(store: Arc<Store>, judge: Judge) -> Self {
        Self { store, judge, guard: Guard::default() }
    }

    /// With another guard than the usual one.
    #[must_use]
    pub fn guarded_by(self, guard: Guard) -> Self {
        Self { guard, ..self }
    }

    /// Reads, verifies and applies one CRL, if the guard lets it pass.
    ///
    /// # Errors
    /// Why it is refused; nothing changed then.
    pub fn ingest(&self, source: impl Read) -> Result<Report, Refused> {
        self.ingest_as(source, Manner::Guarded)
    }

    /// Reads and verifies one CRL, and does with it what `manner` says.
    ///
    /// # Errors
    /// Why it is refused; nothing changed then.
    pub fn ingest_as(&self, source: impl Read, manner: Manner) -> Result<Report, Refused> {
        if manner == Manner::Rehearsed {
            return self.judge.rehearse(source, Some(&self.store), &self.guard);
        }
        let judged = self.judge.judge(source)?;
        let standing = standing(&self.store, &judged)?;
        let Judged { mut report, draft, entries, delta_base, retention } = judged;
        let held = match standing {
            Standing::Next(held) => held,
            Standing::Same => return Ok(report),
            Standing::Overtaken => {
                report.outcome = Outcome::Overtaken;
                return Ok(report);
            }
        };
        // A delta CRL shrinks by its nature, whenever a complete one has taken its entries over.
        let is_guarded = manner == Manner::Guarded && delta_base.is_none();
        let entries = entries.map(|entry| entry.map_err(Refused::from));
        let change = self.store.replace_scope_if(draft, entries, retention, |change| {
            if is_guarded { Ok(self.guard.check(held.as_deref(), change)?) } else { Ok(()) }
        })?;
        report.outcome = Outcome::Applied(change);
        Ok(report)
    }
}

/// How a CRL stands to what is held.
pub(super) enum Standing {
    /// It takes the place of this record, or is the first of its scope.
    Next(Option<Box<ScopeRecord>>),
    /// It is what is held already.
    Same,
    /// It is a delta CRL, and the complete one that is held says all that it does.
    Overtaken,
}

/// Looks a CRL's scope up.
///
/// # Errors
/// When the CRL may not come after what is held.
pub(super) fn standing(store: &Store, judged: &Judged) -> Result<Standing, Refused> {
    let draft = &judged.draft;
    if let Some(base) = &judged.delta_base {
        let complete = store.scope(&draft.key.of_layer(Layer::Complete))?;
        if !applies_to(draft, base, complete.as_ref())? {
            return Ok(Standing::Overtaken);
        }
    }
    let held = store.scope(&draft.key)?;
    match &held {
        Some(held) if held.crl.crl_sha256 == draft.crl_sha256 => return Ok(Standing::Same),
        Some(held) => check_succession(held, &draft.crl_number, draft.this_update)?,
        None => {}
    }
    Ok(Standing::Next(held.map(Box::new)))
}

/// Whether a delta CRL from `base` on applies to the complete CRL that is held (RFC 5280 5.2.4): the
/// complete one has the base's number or a higher one, and a lower one than the delta. With the delta's
/// own number or a higher one it already says all that the delta does: then not, and nothing is wrong.
fn applies_to(
    delta: &ScopeRecordDraft,
    base: &[u8],
    complete: Option<&ScopeRecord>,
) -> Result<bool, Refused> {
    if delta.crl_number.is_empty() {
        return Err(Refused::DeltaWithoutNumber);
    }
    let base_text = || hexadecimal(base);
    let Some(complete) = complete else { return Err(Refused::DeltaBeforeBase { base: base_text() }) };
    let held = &complete.crl.crl_number;
    if (held.len(), held.as_slice()) < (base.len(), base) {
        return Err(Refused::DeltaBaseTooNew { base: base_text(), held: hexadecimal(held) });
    }
    let is_newer = delta.is_newer_than(&complete.crl);
    // One sequence of numbers for both (5.2.3): the higher one cannot be of an earlier time.
    let (held, offered) = (complete.crl.this_update, delta.this_update);
    if is_newer && offered < held {
        return Err(Refused::TimeRolledBack { held, offered });
    }
    Ok(is_newer)
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
        let named = |authority: CrlAuthority| {
            let subject = authority.keys.first().map_or(&[][..], |key| key.subject());
            (canonical_name(subject).unwrap_or_default(), authority)
        };
        Self { authorities: authorities.into_iter().map(named).collect(), scratch, clock, options }
    }

    /// Reads and verifies one CRL.
    ///
    /// # Errors
    /// Why it is not to be believed.
    pub fn judge(&self, source: impl Read) -> Result<Judged, Refused> {
        let now = self.clock.now();
        let sorter = Sorter::new(&self.scratch, self.options.sort_memory);
        let mut chosen = None;
        let content = read_crl(source, sorter, |header| {
            let (index, issuer) = self.authority_of(header)?;
            chosen = Some((index, issuer, self.check_times(header, now)?));
            Ok(())
        })?;
        // Whoever reads a CRL to its end has accepted its header.
        let (index, issuer, next_update) = chosen.ok_or(Refused::NoNextUpdate)?;
        let CrlContent { header, trailer, verifier, sha256, entries, .. } = content;
        let point = trailer.extensions.issuing_distribution_point.as_ref();
        if point.is_some_and(|point| point.is_indirect) {
            return Err(Refused::Indirect);
        }
        if point.is_some_and(|point| point.kinds == CertificateKinds::Attribute) {
            return Err(Refused::AttributeCertificates);
        }
        let key_identifier = trailer.extensions.authority_key_identifier.as_deref();
        let key = verify(issuer, key_identifier, verifier, &trailer.signature)?;
        // From here on the octets are known to be the CA's.
        let delta_base = trailer.extensions.delta_base.clone();
        let crl_number = trailer.extensions.crl_number.clone().unwrap_or_default();
        let report = Report {
            issuer: index,
            issuer_name: issuer.name.clone(),
            scope: point.map(|point| point.text.clone()).unwrap_or_default(),
            crl_number: crl_number.clone(),
            this_update: header.this_update,
            next_update,
            entries: trailer.entries,
            octets: trailer.octets,
            is_delta: delta_base.is_some(),
            outcome: Outcome::Unchanged,
        };
        let draft = ScopeRecordDraft {
            key: ScopeKey {
                issuer: issuer.number,
                signing_key: signing_key(key),
                distribution_point: point.map(|point| point.distribution_point.clone()).unwrap_or_default(),
                contains: point.map_or(CertificateKinds::All, |point| point.kinds),
                reasons: point.and_then(|point| point.reasons),
                layer: if delta_base.is_some() { Layer::Delta } else { Layer::Complete },
            },
            idp: point.map(|point| point.raw.clone()).unwrap_or_default(),
            crl_number,
            this_update: header.this_update,
            next_update,
            crl_sha256: sha256,
            ingested_at: now,
        };
        Ok(Judged { report, draft, delta_base, entries, retention: issuer.retention })
    }

    fn authority_of(&self, header: &CrlHeader) -> Result<(IssuerIndex, &CrlAuthority), Refused> {
        let foreign = || Refused::ForeignIssuer { found: name_text(&header.issuer) };
        let name = canonical_name(&header.issuer).map_err(|_| foreign())?;
        let mut known = self.authorities.iter().enumerate();
        let (index, (_, authority)) = known.find(|(_, (known, _))| *known == name).ok_or_else(foreign)?;
        Ok((IssuerIndex(index), authority))
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
    let hash = digest(HashAlgorithm::Sha256, key.public_key().bits());
    hash.as_ref().try_into().unwrap_or_default()
}

/// The key of `issuer` that signed the CRL.
///
/// The authority key identifier only says which key to try: what counts is the signature.
fn verify<'a>(
    issuer: &'a CrlAuthority,
    authority_key_identifier: Option<&[u8]>,
    verifier: StreamVerifier,
    signature: &[u8],
) -> Result<&'a Certificate, Refused> {
    let named: Vec<&Arc<Certificate>> = issuer
        .keys
        .iter()
        .filter(|key| match (authority_key_identifier, key.subject_key_identifier()) {
            (Some(wanted), Some(identifier)) => wanted == identifier,
            _ => true,
        })
        .collect();
    if named.is_empty() {
        let expected = issuer.keys.iter().filter_map(|key| key.subject_key_identifier());
        return Err(Refused::ForeignKey {
            issuer: issuer.name.clone(),
            found: hexadecimal(authority_key_identifier.unwrap_or_default()),
            expected: expected.map(hexadecimal).collect::<Vec<_>>().join(" or "),
        });
    }
    let signed = verifier.finish();
    let mut refused = None;
    for key in named {
        match signed.verify(key.public_key(), signature) {
            Ok(()) if key.allows_crl_sign() => return Ok(key),
            Ok(()) => return Err(Refused::KeyUsage { issuer: issuer.name.clone() }),
            Err(why) => refused = Some(why),
        }
    }
    Err(match refused {
        None | Some(VerifyError::Signature { .. } | VerifyError::KeyKind { .. }) => {
            Refused::Signature { issuer: issuer.name.clone() }
        }
        Some(why) => Refused::Unverifiable(why),
    })
}

/// RFC 5280 5.2.3: numbers of a scope go up, and each has one content. A CRL of another content than
/// the one held must come after it, in number and in time.
fn check_succession(held: &ScopeRecord, number: &[u8], this_update: UnixTime) -> Result<(), Refused> {
    let held_number = &held.crl.crl_number;
    match (held_number.is_empty(), number.is_empty()) {
        (false, true) => return Err(Refused::NumberMissing { held: hexadecimal(held_number) }),
        (false, false) => {
            // Both are big-endian without leading zeros: the longer one is the greater.
            let order = (number.len(), number).cmp(&(held_number.len(), held_number.as_slice()));
            match order {
                std::cmp::Ordering::Less => {
                    return Err(Refused::NumberRolledBack {
                        held: hexadecimal(held_number),
                        offered: hexadecimal(number),
                    });
                }
                std::cmp::Ordering::Equal => {
                    return Err(Refused::SameNumberOtherContent { number: hexadecimal(number) });
                }
                std::cmp::Ordering::Greater => {}
            }
        }
        (true, _) => {}
    }
    if this_update < held.crl.this_update {
        return Err(Refused::TimeRolledBack { held: held.crl.this_update, offered: this_update });
    }
    Ok(())
}

/// A scope's distribution point for people, from its issuingDistributionPoint.
#[must_use]
pub fn scope_text(idp: &[u8]) -> String {
    // Of a name relative to the CRL issuer no more is shown than that, so any Name will do.
    const EMPTY_NAME: &[u8] = &[0x30, 0];
    IssuingDistributionPoint::from_der(idp, EMPTY_NAME).map(|point| point.text).unwrap_or_default()
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(2 * octets.len()), |mut text, octet| {
        // Writing to a String does not fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}
