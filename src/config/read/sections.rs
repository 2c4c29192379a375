//! `[response]`, `[guard]` and `[fetch]`: how answers are made, what a CRL may not do, how one is fetched.

use super::{MAX_WORKERS, Walk, values};
use crate::config::document::{Field, Section};
use crate::config::{Config, CrlReferences, FetchOptions, Guard, NoncePolicy, Profile, Response};
use crate::ocsp::{CertIdForm, CertIdForms};
use std::time::Duration;

const DEFAULT_VALIDITY: Duration = Duration::from_secs(24 * 3600);
const DEFAULT_CACHE_SIZE: u64 = 1 << 30;
/// With ECDSA verifying takes a few times as long as signing: so seldom, less than a percent.
const DEFAULT_VERIFY_EVERY: u64 = 1000;

const NONCE_POLICIES: &[(&str, NoncePolicy)] =
    &[("echo", NoncePolicy::Echo), ("ignore", NoncePolicy::Ignore)];

const PROFILES: &[(&str, Profile)] = &[("rfc9919", Profile::Rfc9919), ("rfc6960", Profile::Rfc6960)];

const CRL_REFERENCES: &[(&str, CrlReferences)] = &[
    ("none", CrlReferences::Omit),
    ("revoked", CrlReferences::NameOfRevoked),
    ("all", CrlReferences::NameOfAll),
];

impl Walk<'_> {
    pub(super) fn response(&mut self, section: Option<Section<'_>>) -> Response {
        let mut response = Response {
            profile: Profile::default(),
            validity: DEFAULT_VALIDITY,
            cache_size: DEFAULT_CACHE_SIZE,
            nonce: NoncePolicy::default(),
            verify_every: DEFAULT_VERIFY_EVERY,
            archive_cutoff: None,
            crl_references: CrlReferences::default(),
            pair: None,
            presign: Vec::new(),
            presign_limit: None,
            refresh_threads: 1,
        };
        let Some(mut section) = section else { return response };
        if let Some(field) = section.take("profile") {
            response.profile = self.word(&field, PROFILES).unwrap_or_default();
        }
        if let Some(validity) = self.duration(&mut section, "validity", "validity = \"24h\"") {
            response.validity = validity;
        }
        if let Some(field) = section.take("archive_cutoff")
            && let Some(text) = field.text(&mut self.problems, "archive_cutoff = \"10years\"")
        {
            response.archive_cutoff = self.accept(&field, values::long_duration(text));
        }
        if let Some(field) = section.take("cache_size")
            && let Some(size) = self.size(&field, "cache_size = \"1GiB\"")
        {
            response.cache_size = size;
        }
        if let Some(field) = section.take("nonce") {
            response.nonce = self.word(&field, NONCE_POLICIES).unwrap_or_default();
        }
        if let Some(field) = section.take("verify_every")
            && let Some(number) = field.number(&mut self.problems, "verify_every = 1000, or 0 for never")
        {
            response.verify_every = number;
        }
        if let Some(field) = section.take("crl_references") {
            self.crl_references_at = field.offset;
            response.crl_references = self.word(&field, CRL_REFERENCES).unwrap_or_default();
        }
        if let Some(field) = section.take("pair") {
            response.pair = self.pair(&field);
        }
        self.presigning(&mut section, &mut response);
        section.finish(&mut self.problems);
        response
    }

    /// What is signed beforehand outlives many a CRL, and an answer that names an old one would be of no use.
    pub(super) fn check_references(&mut self, config: &Config) {
        if config.response.crl_references != CrlReferences::Omit && config.presigns() {
            let why = "cannot stand beside presign: with every CRL all that was signed beforehand would name an old one";
            let hint = "write \"none\", or take presign out of [response] and of all signers";
            self.problems.add(self.crl_references_at, "response.crl_references", why, hint);
        }
    }

    fn pair(&mut self, field: &Field<'_>) -> Option<CertIdForms> {
        let usage = "pair = [\"sha1\", \"sha256\"]";
        let before = self.problems.count();
        let mut forms = Vec::new();
        for (item, text) in field.texts(&mut self.problems, usage) {
            forms.extend(self.accept(&item, values::cert_id_form(text, &forms)));
        }
        match forms[..] {
            [first, second] => return Some(CertIdForms::pair(first, second)),
            // What is wrong with one of them has been said.
            _ if self.problems.count() > before => {}
            _ => field.wrong(&mut self.problems, "two forms of CertIDs make a pair".to_owned(), usage),
        }
        None
    }

    /// `presign`
    pub(super) fn cert_id_forms(&mut self, section: &mut Section<'_>) -> Vec<CertIdForm> {
        let mut forms = Vec::new();
        if let Some(field) = section.take("presign") {
            for (item, text) in field.texts(&mut self.problems, "presign = [\"sha1\", \"sha256\"]") {
                let form = self.accept(&item, values::cert_id_form(text, &forms));
                forms.extend(form);
            }
        }
        forms
    }

    fn presigning(&mut self, section: &mut Section<'_>, response: &mut Response) {
        response.presign = self.cert_id_forms(section);
        if let Some(field) = section.take("presign_limit") {
            response.presign_limit =
                field.number(&mut self.problems, "presign_limit = 100000000, a number of answers");
        }
        if let Some(field) = section.take("refresh_threads")
            && let Some(number) = field.number(&mut self.problems, "refresh_threads = 1, or 0 for none")
        {
            if number > MAX_WORKERS {
                let why = format!("{number} threads are too many");
                field.wrong(
                    &mut self.problems,
                    why,
                    "1 signs some 70,000 P-256 or 4,500 RSA-2048 answers a second",
                );
            }
            response.refresh_threads = usize::try_from(number).unwrap_or(0);
        }
    }

    pub(super) fn guard(&mut self, section: Option<Section<'_>>) -> Guard {
        let mut guard = Guard::default();
        let Some(mut section) = section else { return guard };
        let parts = [
            ("max_shrink", &mut guard.max_shrink),
            ("max_released", &mut guard.max_released),
            ("max_withdrawn", &mut guard.max_withdrawn),
        ];
        for (key, part) in parts {
            if let Some(field) = section.take(key)
                && let Some(text) = field.text(&mut self.problems, &format!("{key} = \"30%\""))
                && let Some(percent) = self.accept(&field, values::percent(text))
            {
                *part = percent;
            }
        }
        let tolerated = section.take("tolerated");
        if let Some(entries) = tolerated
            .and_then(|field| field.number(&mut self.problems, "tolerated = 100, a number of entries"))
        {
            guard.tolerated = entries;
        }
        section.finish(&mut self.problems);
        guard
    }

    pub(super) fn fetch(&mut self, section: Option<Section<'_>>) -> FetchOptions {
        let mut fetch = FetchOptions::default();
        let Some(mut section) = section else { return fetch };
        if let Some(every) = self.duration(&mut section, "every", "every = \"5m\"") {
            fetch.every = every;
        }
        if let Some(timeout) = self.duration(&mut section, "timeout", "timeout = \"10m\"") {
            fetch.timeout = timeout;
        }
        if let Some(field) = section.take("max_size")
            && let Some(size) = self.size(&field, "max_size = \"4GiB\"")
        {
            if size == 0 {
                field.wrong(&mut self.problems, "no CRL is that small", "write it like \"4GiB\"");
            }
            fetch.max_size = size;
        }
        section.finish(&mut self.problems);
        fetch
    }
}
