//! `[verifiers]`, and the registry file: who may ask, how each is known, and how much each may ask.

use super::{Walk, values, walk};
use crate::config::document::{Field, Section};
use crate::config::{CertificateConfig, ConfigError, RightsConfig, VerifierConfig, VerifiersConfig};
use crate::verifiers::{Allowance, Bulk, CertificateKey, Enumeration, Policy, SignedRequests, Terms};
use crate::x509::UnixTime;
use std::num::NonZeroU32;
use std::path::Path;

const SIGNED_REQUESTS: &[(&str, SignedRequests)] = &[
    ("ignored", SignedRequests::Ignored),
    ("verified", SignedRequests::Verified),
    ("required", SignedRequests::Required),
];

const CERTIFICATE: &str =
    "{ fingerprint = \"9f:86:d0:…\" }, { issuer = \"CN=…\", subject = \"CN=…\" } or { file = \"bank.pem\" }";
const QUOTA: &str = "quota = { per_second = 50, per_day = 1000000 }";
const BULK: &str = "bulk = { from = \"22:00\", until = \"05:00\", per_second = 500, per_day = 20000000 }";
const ENUMERATION: &str = "enumeration = { tolerated = 100, forgotten = \"10m\", pause = \"15m\" }";

/// The registry file at `path`, whose content is `text`.
pub(in crate::config) fn registry(
    path: &Path,
    text: &str,
    issuers: &[&str],
) -> Result<Vec<VerifierConfig>, ConfigError> {
    walk(path, text, |walk, mut top| {
        let sections = top.take("verifier").map(|field| {
            field.sections(&mut walk.problems, "[[verifier]]", |place, table| {
                match table.get("id").and_then(|id| id.get_ref().as_str()).filter(|id| !id.is_empty()) {
                    Some(id) => format!("verifier \"{id}\" "),
                    None => format!("verifier {place} "),
                }
            })
        });
        let mut verifiers: Vec<VerifierConfig> = Vec::new();
        for section in sections.unwrap_or_default() {
            let offset = section.offset;
            let verifier = walk.verifier(section, issuers);
            if !verifier.id.is_empty() && verifiers.iter().any(|other| other.id == verifier.id) {
                let why = format!("another verifier has the id \"{}\" as well", verifier.id);
                walk.problems.add(offset, "verifier id", why, "give each verifier an id of its own");
            }
            verifiers.push(verifier);
        }
        top.finish(&mut walk.problems);
        verifiers
    })
}

impl Walk<'_> {
    pub(super) fn verifiers(&mut self, mut section: Section<'_>) -> VerifiersConfig {
        let registry = self.required_path(&mut section, "registry", "registry = \"verifiers.toml\"");
        let mut policy = Policy::default();
        if let Some(field) = section.take("on_behalf_of")
            && let Some(text) = field.text(&mut self.problems, "on_behalf_of = \"OCSP-On-Behalf-Of\"")
        {
            policy.on_behalf_of = self.accept(&field, values::field_name(text));
        }
        if let Some(field) = section.take("signed_requests") {
            policy.signed_requests = self.word(&field, SIGNED_REQUESTS).unwrap_or_default();
        }
        if let Some(field) = section.take("enumeration")
            && let Some(inner) = self.table(&field, "verifiers.enumeration.", ENUMERATION)
        {
            policy.enumeration = self.enumeration(inner);
        }
        section.finish(&mut self.problems);
        VerifiersConfig { registry: registry.unwrap_or_default(), policy }
    }

    fn enumeration(&mut self, mut section: Section<'_>) -> Enumeration {
        let mut enumeration = Enumeration::default();
        if let Some(field) = section.take("tolerated") {
            let tolerated = self.count(&field, "tolerated = 100, or 0 for no limit");
            enumeration.tolerated = tolerated.unwrap_or(enumeration.tolerated);
        }
        if let Some(forgotten) = self.duration(&mut section, "forgotten", "forgotten = \"10m\"") {
            enumeration.forgotten = forgotten;
        }
        if let Some(pause) = self.duration(&mut section, "pause", "pause = \"15m\"") {
            enumeration.pause = pause;
        }
        section.finish(&mut self.problems);
        enumeration
    }

    fn verifier(&mut self, mut section: Section<'_>, issuers: &[&str]) -> VerifierConfig {
        let offset = section.offset;
        let id = section.require("id", &mut self.problems, "id = \"first-bank\"").and_then(|field| {
            let text = field.text(&mut self.problems, "id = \"first-bank\"")?;
            self.accept(&field, values::verifier_id(text))
        });
        let id = id.unwrap_or_default();
        let name = section
            .take("name")
            .and_then(|field| field.text(&mut self.problems, "name = \"First Bank\"").map(str::to_owned));
        let rights =
            section.require("rights", &mut self.problems, "rights = [\"user-authentication\"] or \"*\"");
        let rights = rights.map(|field| self.rights(&field, issuers));
        let certificates = |walk: &mut Self, section: &mut Section<'_>, key: &'static str, by: By| {
            let field = section.take(key);
            field.map(|field| walk.certificates(&field, by)).unwrap_or_default()
        };
        let client_certificates = certificates(self, &mut section, "client_certificates", By::HashOrNames);
        let signers = certificates(self, &mut section, "signers", By::Hash);
        let mut networks = Vec::new();
        if let Some(field) = section.take("networks") {
            for (item, text) in field.texts(&mut self.problems, "networks = [\"192.0.2.0/24\"]") {
                networks.extend(self.accept(&item, values::network(text)));
            }
        }
        let terms = self.terms(&mut section);
        let is_known = ["client_certificates", "signers", "networks"];
        let names = is_known.map(|key| section.key(key));
        section.finish(&mut self.problems);
        if client_certificates.is_empty() && signers.is_empty() && networks.is_empty() {
            let hint = format!("add one of {}", is_known.join(", "));
            self.problems.add(offset, &names.join(", "), "nothing says how this verifier is known", hint);
        }
        VerifierConfig {
            name: name.unwrap_or_else(|| id.clone()),
            id,
            rights: rights.unwrap_or(RightsConfig::All),
            client_certificates,
            signers,
            networks,
            terms,
        }
    }

    fn terms(&mut self, section: &mut Section<'_>) -> Terms {
        let flag = |walk: &mut Self, section: &mut Section<'_>, key: &'static str| {
            let field = section.take(key);
            field
                .and_then(|field| field.boolean(&mut walk.problems, &format!("{key} = true")))
                .unwrap_or(false)
        };
        Terms {
            valid_from: self.date(section, "valid_from"),
            valid_until: self.date(section, "valid_until"),
            is_suspended: flag(self, section, "suspended"),
            may_name_others: flag(self, section, "may_name_others"),
            allowance: section.take("quota").map(|field| self.quota(&field)).unwrap_or_default(),
            bulk: section.take("bulk").and_then(|field| self.bulk(&field)),
        }
    }

    fn rights(&mut self, field: &Field<'_>, issuers: &[&str]) -> RightsConfig {
        let mut names = Vec::new();
        for (item, text) in field.texts(&mut self.problems, "rights = [\"user-authentication\"] or \"*\"") {
            if text == "*" {
                return RightsConfig::All;
            }
            if issuers.contains(&text) {
                names.push(text.to_owned());
            } else {
                let hint = format!("\"*\" for all, or one of {}", issuers.join(", "));
                item.wrong(&mut self.problems, format!("there is no issuer \"{text}\""), hint);
            }
        }
        RightsConfig::Issuers(names)
    }

    fn certificates(&mut self, field: &Field<'_>, by: By) -> Vec<CertificateConfig> {
        field.each().iter().filter_map(|item| self.certificate(item, by)).collect()
    }

    fn certificate(&mut self, item: &Field<'_>, by: By) -> Option<CertificateConfig> {
        let path = format!("{}.", item.key);
        let mut section = self.table(item, &path, CERTIFICATE)?;
        let file = section.take("file").and_then(|field| self.path(&field));
        let fingerprint = section.take("fingerprint").and_then(|field| {
            let text = field.text(&mut self.problems, "fingerprint = \"9f:86:d0:…\"")?;
            self.accept(&field, values::fingerprint(text))
        });
        let name = |walk: &mut Self, section: &mut Section<'_>, key: &'static str| {
            let field = section.take(key)?;
            let text = field.text(&mut walk.problems, "\"CN=Bank,O=Example,C=JP\"")?;
            walk.accept(&field, values::name(text))
        };
        let (issuer, subject) = match by {
            By::Hash => (None, None),
            By::HashOrNames => (name(self, &mut section, "issuer"), name(self, &mut section, "subject")),
        };
        let found = match (file, fingerprint, issuer, subject) {
            (Some(file), None, None, None) => Some(CertificateConfig::File(file)),
            (None, Some(fingerprint), None, None) => {
                Some(CertificateConfig::Key(CertificateKey::of_fingerprint(fingerprint)))
            }
            (None, None, Some(issuer), Some(subject)) => {
                CertificateKey::of_names(&issuer, &subject).ok().map(CertificateConfig::Key)
            }
            _ => None,
        };
        section.finish(&mut self.problems);
        if found.is_none() {
            item.wrong(&mut self.problems, "does not name one certificate", format!("write {CERTIFICATE}"));
        }
        found
    }

    fn date(&mut self, section: &mut Section<'_>, key: &'static str) -> Option<UnixTime> {
        let field = section.take(key)?;
        let text = field.date(&mut self.problems, &format!("{key} = \"2027-01-01\""))?;
        self.accept(&field, values::date(&text))
    }

    fn count(&mut self, field: &Field<'_>, example: &str) -> Option<u32> {
        let number = field.number(&mut self.problems, example)?;
        let count = u32::try_from(number).ok();
        if count.is_none() {
            field.wrong(
                &mut self.problems,
                format!("{number} is too many"),
                format!("write it like {example}"),
            );
        }
        count
    }

    fn quota(&mut self, field: &Field<'_>) -> Allowance {
        let path = format!("{}.", field.key);
        let Some(mut section) = self.table(field, &path, QUOTA) else { return Allowance::default() };
        let allowance = self.allowance(&mut section);
        section.finish(&mut self.problems);
        allowance
    }

    fn allowance(&mut self, section: &mut Section<'_>) -> Allowance {
        let mut allowance = Allowance::default();
        let hint = "a verifier that may ask nothing is suspended = true";
        if let Some(field) = section.take("per_second")
            && let Some(count) = self.count(&field, "per_second = 50, certificates a second")
        {
            allowance.per_second = NonZeroU32::new(count);
            if count == 0 {
                field.wrong(&mut self.problems, "0 a second is never", hint);
            }
        }
        if let Some(field) = section.take("per_day")
            && let Some(count) = field.number(&mut self.problems, "per_day = 1000000, certificates a day")
        {
            allowance.per_day = Some(count);
            if count == 0 {
                field.wrong(&mut self.problems, "0 a day is never", hint);
            }
        }
        allowance
    }

    fn bulk(&mut self, field: &Field<'_>) -> Option<Bulk> {
        let path = format!("{}.", field.key);
        let mut section = self.table(field, &path, BULK)?;
        let time = |walk: &mut Self, section: &mut Section<'_>, key: &'static str, example: &str| {
            let field = section.require(key, &mut walk.problems, example)?;
            let text = field.text(&mut walk.problems, example)?;
            walk.accept(&field, values::time_of_day(text))
        };
        let from = time(self, &mut section, "from", "from = \"22:00\"");
        let until = time(self, &mut section, "until", "until = \"05:00\"");
        let allowance = self.allowance(&mut section);
        section.finish(&mut self.problems);
        Some(Bulk { from: from?, until: until?, allowance })
    }
}

/// What a certificate may be named by: whoever verifies with it needs more than its names.
#[derive(Clone, Copy)]
enum By {
    Hash,
    HashOrNames,
}
