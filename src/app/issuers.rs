//! From the configuration's issuers to keys that sign: reads certificates and keys, and checks that
//! they belong together. Everything that is wrong is told, not only the first.

#![expect(
    clippy::disallowed_methods,
    reason = "a signature is timed where it is made: by its key, not by the request"
)]

use super::Fault;
use crate::clock::Clock;
use crate::config::{
    Config, FurtherSigner, IssuerConfig, Profile, ScopesPolicy as ConfiguredScopes, SignerConfig, io_reason,
};
use crate::ingest::CrlAuthority;
use crate::metrics::{IssuerMetrics, Metrics};
use crate::signing::{ResponderIdentity, SignError, Signer, SoftwareKey, VerifiedSigner};
use crate::snapshot::{
    CertIds, Configured, Covers, Issuer, IssuerKey, ResponseOptions, ScopesPolicy, Series, Signatories,
    Signatory,
};
use crate::store::{IssuerNumber, Retention, Store, StoreError};
use crate::x509::{Certificate, PublicKey, SignatureAlgorithm, canonical_general_names, canonical_name};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// An issuer whose files were read and fit together.
pub(super) struct LoadedIssuer {
    pub name: String,
    pub keys: Vec<IssuerKey>,
    pub scopes: ScopesPolicy,
    pub covers: Covers,
    pub crl_issuers: Vec<Arc<Certificate>>,
    pub retention: Retention,
    /// The canonical form of the CA's name.
    pub canonical_name: Vec<u8>,
}

/// The CAs alone: what is needed to judge their CRLs, whatever is the matter with the signers. Certificates
/// that cannot be read are passed over.
pub(super) fn authorities(config: &Config) -> Vec<CrlAuthority> {
    let authority = |issuer: &IssuerConfig| {
        let paths = std::iter::once(&issuer.certificate)
            .chain(issuer.generations.iter().map(|generation| &generation.certificate));
        CrlAuthority {
            name: issuer.name.clone(),
            number: IssuerNumber::UNKNOWN,
            keys: paths.filter_map(|path| read_certificate(path).ok().map(Arc::new)).collect(),
            crl_issuers: issuer
                .crl_issuers
                .iter()
                .filter_map(|path| read_crl_issuers(path).ok())
                .flatten()
                .collect(),
            retention: issuer.retention_policy(),
        }
    };
    config.issuers.iter().map(authority).collect()
}

/// Reads and checks the files of all issuers.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn load(
    config: &Config,
    metrics: &Metrics,
    clock: &Clock,
) -> Result<Vec<LoadedIssuer>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut loaded: Vec<LoadedIssuer> = Vec::new();
    for issuer in &config.issuers {
        let verify_every = config.response.verify_every;
        if let Some(issuer) = load_one(issuer, verify_every, metrics, clock, &mut faults) {
            if let Some(other) = loaded.iter().find(|other| other.canonical_name == issuer.canonical_name) {
                faults.push(Fault::new(
                    format!("issuer \"{}\"", issuer.name),
                    format!(
                        "has the CA name of issuer \"{}\" (write further keys of one CA as [[issuer.generation]])",
                        other.name
                    ),
                ));
            }
            loaded.push(issuer);
        }
    }
    if faults.is_empty() { Ok(loaded) } else { Err(faults) }
}

fn load_one(
    issuer: &IssuerConfig,
    verify_every: u64,
    metrics: &Metrics,
    clock: &Clock,
    faults: &mut Vec<Fault>,
) -> Option<LoadedIssuer> {
    let before = faults.len();
    let own = std::iter::once((&issuer.certificate, &issuer.signer, &issuer.signers));
    let generations = issuer.generations.iter().map(|one| (&one.certificate, &one.signer, &one.signers));
    let mut keys = Vec::new();
    for (certificate, signer, further) in own.chain(generations) {
        let signers = Signers { verify_every, metrics: metrics.issuer(&issuer.name), clock };
        match load_key(certificate, signer, further, &signers) {
            Ok(key) => keys.push(key),
            Err(mut found) => faults.append(&mut found),
        }
    }
    let scopes = match load_scopes(&issuer.scopes) {
        Ok(scopes) => scopes,
        Err(fault) => {
            faults.push(fault);
            return None;
        }
    };
    let mut crl_issuers = Vec::new();
    for path in &issuer.crl_issuers {
        match read_crl_issuers(path) {
            Ok(mut found) => crl_issuers.append(&mut found),
            Err(fault) => faults.push(fault),
        }
    }
    let subject = keys.first()?.certificate.subject();
    let Ok(canonical) = canonical_name(subject) else {
        faults.push(Fault::of_file(&issuer.certificate, "its subject is not a name"));
        return None;
    };
    for (key, generation) in keys.iter().skip(1).zip(&issuer.generations) {
        if canonical_name(key.certificate.subject()).as_ref() != Ok(&canonical) {
            let why = format!(
                "is of {}, not of {} (a generation has the name of its issuer and another key)",
                key.certificate.subject_text(),
                keys.first().map(|key| key.certificate.subject_text()).unwrap_or_default()
            );
            faults.push(Fault::of_file(&generation.certificate, why));
        }
    }
    (faults.len() == before).then(|| LoadedIssuer {
        name: issuer.name.clone(),
        keys,
        scopes,
        covers: issuer.covers,
        crl_issuers,
        retention: issuer.retention_policy(),
        canonical_name: canonical,
    })
}

/// What signers are loaded with.
struct Signers<'a> {
    verify_every: u64,
    metrics: Arc<IssuerMetrics>,
    clock: &'a Clock,
}

fn load_key(
    certificate_path: &Path,
    signer: &SignerConfig,
    further: &[FurtherSigner],
    signers: &Signers<'_>,
) -> Result<IssuerKey, Vec<Fault>> {
    // Every file is looked at even if another is no good.
    let mut faults = Vec::new();
    let certificate = match read_certificate(certificate_path) {
        Ok(certificate) if !certificate.is_ca() => {
            let why = "is not a CA certificate (basicConstraints without CA:TRUE): name the CA that issued the cards";
            faults.push(Fault::of_file(certificate_path, why));
            None
        }
        Ok(certificate) => Some(certificate),
        Err(fault) => {
            faults.push(fault);
            None
        }
    };
    let all = std::iter::once(signer).chain(further.iter().map(|one| &one.signer));
    let mut loaded: Vec<Option<Signatory>> = Vec::new();
    for config in all {
        let signatory = load_signatory(config, certificate.as_ref(), signers, &mut faults);
        if let Some(signatory) = &signatory
            && let Some(other) = loaded.iter().flatten().find(|other| is_alike(other, signatory))
        {
            let why = format!(
                "signs with {}, as another signer of this CA key does, so that no client could prefer it (one signer \
                 for each algorithm)",
                other.algorithm()
            );
            faults.push(Fault::of_file(&config.certificate, why));
        }
        loaded.push(signatory);
    }
    // The CA's own certificate may be named several times.
    faults.dedup();
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut loaded = loaded.into_iter().flatten();
    let Some((certificate, default)) = certificate.zip(loaded.next()) else { return Err(faults) };
    let signatories = Signatories { default, others: loaded.collect() };
    Ok(IssuerKey { certificate: Arc::new(certificate), signatories, pair: None })
}

/// Whether no list of algorithms could tell the two apart.
fn is_alike(one: &Signatory, other: &Signatory) -> bool {
    let kind = |signatory: &Signatory| signatory.responder.signer().public_key().algorithm();
    one.algorithm() == other.algorithm() && kind(one) == kind(other)
}

/// One who signs; what is wrong goes to `faults`.
fn load_signatory(
    config: &SignerConfig,
    ca: Option<&Certificate>,
    signers: &Signers<'_>,
    faults: &mut Vec<Fault>,
) -> Option<Signatory> {
    let certificate = read_certificate(&config.certificate).map_err(|fault| faults.push(fault)).ok();
    let key = read(&config.key)
        .and_then(|pem| SoftwareKey::from_pkcs8_pem(&pem).map_err(|why| Fault::of_file(&config.key, why)))
        .map_err(|fault| faults.push(fault))
        .ok();
    let (ca, certificate, key) = (ca?, certificate?, key?);
    let signer = metered(Arc::new(key), signers.verify_every, Arc::clone(&signers.metrics));
    let identity = if certificate.der() == ca.der() {
        ResponderIdentity::ca(certificate, signer)
    } else {
        ResponderIdentity::delegated(certificate, ca, signer, signers.clock.now())
    };
    match identity {
        Ok(identity) => Some(Signatory::new(Arc::new(identity))),
        Err(why) => {
            faults.push(Fault::of_file(&config.certificate, why));
            None
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(path).map_err(|why| Fault::of_file(path, io_reason(&why)))
}

fn read_certificate(path: &Path) -> Result<Certificate, Fault> {
    let octets = read(path)?;
    Certificate::from_pem_or_der(&octets).map_err(|why| Fault::of_file(path, why))
}

/// The certificates of CRL issuers in one file. That they may speak for the issuer is the operator's word; that
/// their keys may sign CRLs they say themselves.
fn read_crl_issuers(path: &Path) -> Result<Vec<Arc<Certificate>>, Fault> {
    let octets = read(path)?;
    let found = Certificate::all_from_pem_or_der(&octets).map_err(|why| Fault::of_file(path, why))?;
    if let Some(other) = found.iter().find(|certificate| !certificate.allows_crl_sign()) {
        let why = format!("{} may not sign CRLs (keyUsage without cRLSign)", other.subject_text());
        return Err(Fault::of_file(path, why));
    }
    Ok(found.into_iter().map(Arc::new).collect())
}

fn load_scopes(scopes: &ConfiguredScopes) -> Result<ScopesPolicy, Fault> {
    let path = match scopes {
        ConfiguredScopes::Discovered => return Ok(ScopesPolicy::Discovered),
        ConfiguredScopes::Count(count) => return Ok(ScopesPolicy::Count(*count)),
        ConfiguredScopes::Listed(path) => path,
    };
    let octets = read(path)?;
    let text = std::str::from_utf8(&octets).map_err(|_| Fault::of_file(path, "is not UTF-8 text"))?;
    let mut points = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let canonical = crate::cli::distribution_point(line)
            .and_then(|names| canonical_general_names(&names).ok())
            .ok_or_else(|| {
                let why = "is not a distribution point (write a name like CN=…,OU=…,C=JP or a URI)";
                Fault::new(format!("{} line {}", path.display(), index + 1), why)
            })?;
        points.push((canonical, line.to_owned()));
    }
    if points.is_empty() {
        return Err(Fault::of_file(path, "lists no distribution point (write one a line)"));
    }
    Ok(ScopesPolicy::Listed(points))
}

/// Gives loaded issuers their numbers in the store.
///
/// # Errors
/// When the store cannot be read or written.
pub(super) fn configured(
    config: &Config,
    loaded: Vec<LoadedIssuer>,
    store: &Store,
) -> Result<Configured, StoreError> {
    let mut issuers = Vec::with_capacity(loaded.len());
    for mut one in loaded {
        let issuer = config.issuer(&one.name);
        for (index, key) in one.keys.iter_mut().enumerate() {
            let further = issuer.map(|issuer| issuer.further_signers(index)).unwrap_or_default();
            let presign =
                std::iter::once(&config.response.presign).chain(further.iter().map(|one| &one.presign));
            for (signatory, presign) in key.signatories.all_mut().zip(presign) {
                *signatory = finished(signatory.clone(), &key.certificate, config);
                let mut series = Vec::with_capacity(presign.len());
                for forms in config.response.forms_together(presign) {
                    let number = store.series(&signatory.series_name(&key.certificate, forms))?;
                    series.push(Series::new(&key.certificate, forms, number));
                }
                signatory.series = series.into();
            }
            key.pair = config.response.pair.map(|forms| Arc::new(CertIds::new(&key.certificate, forms)));
        }
        let unlisted = issuer.and_then(IssuerConfig::unlisted_policy);
        let has_inventory = issuer.is_some_and(|issuer| issuer.inventory.is_some());
        issuers.push(Issuer {
            number: store.issuer_number(&one.canonical_name)?,
            name: one.name,
            keys: one.keys,
            unlisted,
            has_inventory,
            scopes: one.scopes,
            covers: one.covers,
            crl_issuers: one.crl_issuers,
            retention: one.retention,
        });
    }
    let options = ResponseOptions {
        validity: i64::try_from(config.response.validity.as_secs()).unwrap_or(i64::MAX),
        nonce: config.response.nonce,
        crl_references: config.response.crl_references,
    };
    Ok(Configured::new(issuers, options))
}

/// With all that the configuration says of what it writes.
fn finished(signatory: Signatory, ca: &Certificate, config: &Config) -> Signatory {
    let signatory = match config.response.archive_cutoff {
        Some(cutoff) => signatory.with_archive_cutoff(i64::try_from(cutoff.as_secs()).unwrap_or(i64::MAX)),
        None => signatory,
    };
    match config.response.profile {
        Profile::Rfc6960 => signatory.named(ca),
        Profile::Rfc9919 => signatory,
    }
}

/// `signer`, with every so many signatures verified and all of them counted.
fn metered(signer: Arc<dyn Signer>, verify_every: u64, metrics: Arc<IssuerMetrics>) -> Arc<dyn Signer> {
    let signer = match NonZeroU64::new(verify_every) {
        Some(every) => Arc::new(VerifiedSigner::new(signer, every)),
        None => signer,
    };
    Arc::new(Metered { signer, metrics })
}

/// A signer whose signatures are counted and timed, with the verification of those that are verified.
///
/// The hot path reads no clock; a signature takes long enough for two looks at one, and this is where a
/// slow key shows. A wrong one is logged here too, since whoever answers only tells the client internalError.
struct Metered {
    signer: Arc<dyn Signer>,
    metrics: Arc<IssuerMetrics>,
}

impl Signer for Metered {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.signer.algorithm()
    }

    fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    fn sign(&self, message: &[u8], signature: &mut Vec<u8>) -> Result<(), SignError> {
        let started = Instant::now();
        if let Err(why) = self.signer.sign(message, signature) {
            if matches!(why, SignError::Wrong(_)) {
                self.tell_wrong(why);
            }
            return Err(why);
        }
        self.metrics.signatures.add(started.elapsed());
        Ok(())
    }
}

impl Metered {
    /// Of a key that signs nothing but wrongly, the first, the second, the fourth, … line: never a flood.
    fn tell_wrong(&self, why: SignError) {
        self.metrics.signatures_wrong.inc();
        let count = self.metrics.signatures_wrong.get();
        if count.is_power_of_two() {
            tracing::error!(issuer = self.metrics.name(), count, reason = %why, "a signature was withheld");
        }
    }
}

#[cfg(test)]
mod tests;
