//! From the registry file to a [`Registry`]: reads it and the certificates it names, and checks that no two
//! verifiers claim one credential.
//!
//! Called by `serve`, by the intake when it reloads, by `check` and by `ocsprey verifier`.

use super::Fault;
use crate::clock::Clock;
use crate::config::{
    CertificateConfig, Config, RightsConfig, VerifierConfig, VerifiersConfig, io_reason, registry,
};
use crate::http::VerifierStatus;
use crate::snapshot::Configured;
use crate::store::Store;
use crate::verifiers::{
    CertificateKey, Credentials, Registry, Rights, Signer, Terms, Verifier, VerifierDraft, conflicts,
};
use crate::x509::{Certificate, UnixTime};
use std::path::Path;

/// A verifier whose files were read.
pub(super) struct LoadedVerifier {
    pub entry: VerifierConfig,
    pub credentials: Credentials,
}

/// Reads the registry that `[verifiers]` names.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn load(config: &Config, verifiers: &VerifiersConfig) -> Result<Vec<LoadedVerifier>, Vec<Fault>> {
    let issuers: Vec<&str> = config.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    let entries = registry(&verifiers.registry, &issuers).map_err(|why| {
        why.lines().into_iter().map(|line| Fault::new("verifiers", line)).collect::<Vec<_>>()
    })?;
    let (mut loaded, mut faults) = (Vec::with_capacity(entries.len()), Vec::new());
    for entry in entries {
        let credentials = credentials(&entry, &mut faults);
        loaded.push(LoadedVerifier { entry, credentials });
    }
    let claimed = conflicts(loaded.iter().map(|one| (one.entry.id.as_str(), &one.credentials)));
    faults.extend(claimed.iter().map(|conflict| Fault::of_file(&verifiers.registry, conflict)));
    if faults.is_empty() { Ok(loaded) } else { Err(faults) }
}

fn credentials(entry: &VerifierConfig, faults: &mut Vec<Fault>) -> Credentials {
    let mut read = |path: &Path| match read(path) {
        Ok(certificate) => Some(certificate),
        Err(fault) => {
            faults.push(fault);
            None
        }
    };
    let mut credentials = Credentials { networks: entry.networks.clone(), ..Credentials::default() };
    for named in &entry.client_certificates {
        credentials.client_certificates.extend(match named {
            CertificateConfig::Key(key) => Some(*key),
            CertificateConfig::File(path) => read(path).map(|one| CertificateKey::of_der(one.der())),
        });
    }
    for named in &entry.signers {
        credentials.signers.extend(match named {
            CertificateConfig::Key(key) => Some(Signer { key: *key, certificate: None }),
            CertificateConfig::File(path) => read(path)
                .map(|one| Signer { key: CertificateKey::of_der(one.der()), certificate: Some(one) }),
        });
    }
    credentials
}

fn read(path: &Path) -> Result<Certificate, Fault> {
    let octets = std::fs::read(path).map_err(|why| Fault::of_file(path, io_reason(&why)))?;
    Certificate::from_pem_or_der(&octets).map_err(|why| Fault::of_file(path, why))
}

/// The registry, with the numbers that the store gives verifiers and issuers; what they have used so far is taken
/// over from `before`.
///
/// # Errors
/// When the file is wrong, or the store cannot be written.
pub(super) fn registered(
    config: &Config,
    configured: &Configured,
    store: &Store,
    before: Option<&Registry>,
) -> Result<Option<Registry>, Vec<Fault>> {
    let Some(verifiers) = &config.verifiers else { return Ok(None) };
    let mut drafts = Vec::new();
    for LoadedVerifier { entry, credentials } in load(config, verifiers)? {
        let number = store.verifier_number(&entry.id).map_err(|why| vec![Fault::new("store.path", why)])?;
        let numbered = |name: &String| {
            configured.issuers.iter().find(|issuer| issuer.name == *name).map(|issuer| issuer.number)
        };
        let rights = match &entry.rights {
            RightsConfig::All => Rights::All,
            RightsConfig::Issuers(names) => Rights::These(names.iter().filter_map(numbered).collect()),
        };
        drafts.push(VerifierDraft {
            id: entry.id,
            name: entry.name,
            number,
            rights,
            credentials,
            terms: entry.terms,
        });
    }
    Ok(Some(Registry::new(drafts, verifiers.policy.clone(), before)))
}

/// What is wrong with the registry, where there is one.
pub(super) fn check(config: &Config, clock: &Clock) -> (Vec<Fault>, Vec<Fault>) {
    let Some(verifiers) = &config.verifiers else { return (Vec::new(), Vec::new()) };
    let loaded = match load(config, verifiers) {
        Ok(loaded) => loaded,
        Err(faults) => return (faults, Vec::new()),
    };
    let warning = |why: String| Fault::of_file(&verifiers.registry, why);
    let mut warnings = Vec::new();
    if loaded.is_empty() {
        warnings.push(warning("has no [[verifier]], so nobody may ask".to_owned()));
    }
    let has_client_ca = config.server.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    for LoadedVerifier { entry, credentials } in &loaded {
        let id = &entry.id;
        if entry.terms.valid_until.is_some_and(|until| until <= clock.now()) {
            warnings.push(warning(format!("verifier \"{id}\": its time is over (valid_until)")));
        }
        let is_by_client = !credentials.client_certificates.is_empty();
        if is_by_client && credentials.signers.is_empty() && !has_client_ca {
            let why = "is known by a client certificate, and no listener asks for one (server.tls.client_ca)";
            warnings.push(warning(format!("verifier \"{id}\" {why}")));
        }
    }
    (Vec::new(), warnings)
}

/// What the registry file says, for people, whether anybody serves by it or not.
///
/// # Errors
/// Everything that is wrong with it; without `[verifiers]` there is nothing to say.
pub fn list(config: &Config, clock: &Clock) -> Result<Vec<VerifierStatus>, Vec<Fault>> {
    let Some(verifiers) = &config.verifiers else {
        let why = "has no [verifiers], so everybody may ask (deploy/README.md has an example)";
        return Err(vec![Fault::of_file(&config.file, why)]);
    };
    let now = clock.now();
    let status = |LoadedVerifier { entry, .. }: &LoadedVerifier| VerifierStatus {
        id: entry.id.clone(),
        name: entry.name.clone(),
        rights: match &entry.rights {
            RightsConfig::All => vec!["*".to_owned()],
            RightsConfig::Issuers(names) => names.clone(),
        },
        ..under(&entry.terms, now)
    };
    Ok(load(config, verifiers)?.iter().map(status).collect())
}

/// What a running server says of its verifiers.
pub(super) fn status_of(
    registry: &Registry,
    configured: &[crate::snapshot::Issuer],
    clock: &Clock,
) -> Vec<VerifierStatus> {
    let now = clock.now();
    let name =
        |number| configured.iter().find(|issuer| issuer.number == number).map(|issuer| issuer.name.clone());
    let status = |verifier: &Verifier| {
        let entry = &verifier.entry;
        let used = verifier.account.used(&entry.terms, now);
        VerifierStatus {
            id: entry.id.clone(),
            name: entry.name.clone(),
            rights: match &entry.rights {
                Rights::All => vec!["*".to_owned()],
                Rights::These(issuers) => issuers.iter().filter_map(|number| name(*number)).collect(),
            },
            used_today: used.ordinary,
            used_in_bulk: used.bulk,
            refused: verifier.account.refused(),
            ..under(&entry.terms, now)
        }
    };
    registry.verifiers().iter().map(status).collect()
}

/// As far as the terms of a verifier tell its status.
fn under(terms: &Terms, now: UnixTime) -> VerifierStatus {
    VerifierStatus {
        suspended: terms.is_suspended,
        valid: terms.is_valid(now),
        per_second: terms.allowance.per_second.map(u32::from),
        per_day: terms.allowance.per_day,
        ..VerifierStatus::default()
    }
}
