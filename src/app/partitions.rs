//! Partitions that are gone: held, but in no source any more, or listed in the configuration and never seen.
//!
//! A CRL that is missing is not refused, so nobody would hear of it before it runs out. Owned by the intake,
//! in memory: it remembers which scopes the files and URLs brought, by the name of the arrival. After a
//! restart every source is looked at again, so what was gone before shows again. A file under another name
//! that brings the same scope, signed by whichever key, is as good.

use crate::config::{Config, CrlSource};
use crate::ingest::{Report, scope_text};
use crate::signing::sha256;
use crate::snapshot::{Issuer, Snapshot};
use crate::store::{IssuerNumber, Layer, ScopeKey, ScopeNames};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What was brought so far, and what is missing.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    by_arrival: HashMap<String, Vec<ScopeKey>>,
    /// Of delta CRLs the scopes of their complete ones, which they do not stand for.
    deltas: HashMap<String, Vec<ScopeKey>>,
    submitted: HashSet<ScopeKey>,
    changed: bool,
    missing: BTreeMap<String, Vec<String>>,
}

impl Partitions {
    /// A CRL of these scopes was handed in: it stands in no source, and is not missed there.
    pub fn submit(&mut self, report: &Report) {
        self.submitted.extend(report.scopes.iter().cloned());
        self.changed = true;
    }

    /// An arrival of this name has a CRL of its scopes. A delta CRL does not stand for a complete one.
    pub fn bring(&mut self, arrival: &str, report: &Report) {
        let arrivals = if report.is_delta { &mut self.deltas } else { &mut self.by_arrival };
        if arrivals.get(arrival) != Some(&report.scopes) {
            arrivals.insert(arrival.to_owned(), report.scopes.clone());
        }
        self.changed |= !report.is_delta;
    }

    /// Forgets the arrivals that `is_there` does not know.
    pub fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        let before = self.by_arrival.len();
        self.by_arrival.retain(|arrival, _| is_there(arrival));
        self.deltas.retain(|arrival, _| is_there(arrival));
        self.changed |= self.by_arrival.len() != before;
    }

    /// A person ended what is held of these scopes: another look may find something else missing. The arrivals that
    /// brought CRLs of them, delta CRLs among them, which are forgotten.
    pub fn forget(&mut self, keys: &[&ScopeKey]) -> Vec<String> {
        self.changed = true;
        let complete: HashSet<ScopeKey> = keys.iter().map(|key| key.of_layer(Layer::Complete)).collect();
        self.submitted.retain(|key| !complete.contains(key));
        let mut names = Vec::new();
        for arrivals in [&mut self.by_arrival, &mut self.deltas] {
            arrivals.retain(|name, brought| {
                let is_meant = brought.iter().any(|key| complete.contains(key));
                if is_meant {
                    names.push(name.clone());
                }
                !is_meant
            });
        }
        names.sort();
        names.dedup();
        names
    }

    /// Whether another look may find something else missing, since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Looks which are missing, and gives those of each issuer that were not before.
    pub fn look(&mut self, snapshot: &Snapshot, config: &Config) -> Vec<(String, Vec<String>)> {
        let mut brought: HashSet<(IssuerNumber, ScopeNames<'_>)> = HashSet::new();
        brought.extend(self.submitted.iter().map(|key| (key.issuer, key.names())));
        brought.extend(self.by_arrival.values().flatten().map(|key| (key.issuer, key.names())));
        let mut all = BTreeMap::new();
        for (index, issuer) in snapshot.issuers().iter().enumerate() {
            let mut missing: Vec<String> = Vec::new();
            if let Some(key) = snapshot.keys().iter().find(|key| key.issuer.0 == index) {
                missing.extend(key.scopes.missing_points().iter().cloned());
            }
            if self.every_source_spoke(config, &issuer.name) {
                missing.extend(gone(snapshot, issuer, &brought));
            }
            missing.sort();
            missing.dedup();
            all.insert(issuer.name.clone(), missing);
        }
        let before = std::mem::replace(&mut self.missing, all);
        let is_new = |issuer: &str, one: &String| before.get(issuer).is_none_or(|known| !known.contains(one));
        let news = self.missing.iter().map(|(issuer, missing)| {
            (issuer.clone(), missing.iter().filter(|one| is_new(issuer, one)).cloned().collect::<Vec<_>>())
        });
        news.filter(|(_, new)| !new.is_empty()).collect()
    }

    /// For people, by issuer.
    pub fn missing(&self) -> &BTreeMap<String, Vec<String>> {
        &self.missing
    }

    /// An issuer without sources has its CRLs handed in, and of a server that never answered nobody knows
    /// what it has.
    fn every_source_spoke(&self, config: &Config, issuer: &str) -> bool {
        let Some(issuer) = config.issuer(issuer) else { return false };
        let spoke = |source: &CrlSource| match source {
            CrlSource::File(_) | CrlSource::Folder(_) => true,
            CrlSource::Url(url) => self.by_arrival.contains_key(url),
        };
        !issuer.crls.is_empty() && issuer.crls.iter().all(spoke)
    }
}

/// Scopes of live signers that are held and were not brought.
fn gone(
    snapshot: &Snapshot,
    issuer: &Issuer,
    brought: &HashSet<(IssuerNumber, ScopeNames<'_>)>,
) -> Vec<String> {
    let certificates = issuer.keys.iter().map(|key| &key.certificate).chain(&issuer.crl_issuers);
    let live: Vec<_> = certificates.map(|one| sha256(one.public_key().bits())).collect();
    let of_issuer = snapshot.view().scopes().iter().filter(|record| {
        let key = &record.crl.key;
        key.issuer == issuer.number
            && key.layer == Layer::Complete
            && !record.is_retired()
            && live.iter().any(|one| one.as_ref() == key.signing_key)
            && !brought.contains(&(key.issuer, key.names()))
    });
    let text = |idp: &[u8]| match scope_text(idp) {
        text if text.is_empty() => "everything".to_owned(),
        text => text,
    };
    of_issuer.map(|record| text(&record.crl.idp)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Outcome;
    use crate::signing::KeyKind;
    use crate::signing::test_pki::{Authority, now};
    use crate::snapshot::test_setting::{Crl, Setting, signs_itself};
    use crate::snapshot::{IssuerIndex, ScopesPolicy};

    fn config(crls: &str) -> Config {
        let text = format!(
            "[[issuer]]\nname = \"auth\"\ncertificate = \"ca.pem\"\nsigner = {{ key = \"ca.key\" }}\ncrls = {crls}\n"
        );
        Config::from_text("o.toml".as_ref(), &text).unwrap()
    }

    fn report(scopes: &[ScopeKey], is_delta: bool) -> Report {
        Report {
            issuer: IssuerIndex(0),
            issuer_name: "auth".to_owned(),
            scope: String::new(),
            crl_number: vec![1],
            this_update: now(),
            next_update: now(),
            entries: 0,
            foreign_entries: 0,
            octets: 0,
            is_delta,
            scopes: scopes.to_vec(),
            outcome: Outcome::Unchanged,
            others: Vec::new(),
        }
    }

    #[test]
    fn t34_a_partition_that_no_file_brings_any_more_is_missed_until_one_does() {
        let mut setting = Setting::new();
        let ca = Authority::new(KeyKind::P256, "CN=CA");
        let number = setting.add("auth", vec![signs_itself(&ca)]);
        for point in ["a", "b"] {
            setting.load(Crl::of(number, &ca.certificate).at(point));
        }
        let snapshot = setting.snapshot();
        let keys: Vec<_> = snapshot.view().scopes().iter().map(|one| one.crl.key.clone()).collect();
        let folder = config("[\"crl/\"]");
        let mut partitions = Partitions::default();
        partitions.bring("crl/a-1", &report(&keys[..1], false));
        partitions.bring("crl/b-1", &report(&keys[1..], false));
        assert!(partitions.take_changed() && !partitions.take_changed());
        assert_eq!(partitions.look(&snapshot, &folder), []);
        // Tomorrow's publication has other file names, and lacks one.
        partitions.bring("crl/a-2", &report(&keys[..1], false));
        partitions.keep(|name| name == "crl/a-2");
        assert!(partitions.take_changed());
        let gone = vec![("auth".to_owned(), vec!["everything".to_owned()])];
        assert_eq!(partitions.look(&snapshot, &folder), gone);
        assert_eq!(partitions.look(&snapshot, &folder), [], "told once");
        assert_eq!(partitions.missing()["auth"].len(), 1, "and shown as long as it lasts");
        // A delta CRL of it does not stand for it; another file does, and so does one that is handed in.
        partitions.bring("crl/b-delta", &report(&keys[1..], true));
        partitions.look(&snapshot, &folder);
        assert_eq!(partitions.missing()["auth"].len(), 1);
        partitions.submit(&report(&keys[1..], false));
        partitions.look(&snapshot, &folder);
        assert!(partitions.missing()["auth"].is_empty());
    }

    #[test]
    fn a_server_that_never_answered_is_not_said_to_lack_anything() {
        let mut setting = Setting::new();
        let ca = Authority::new(KeyKind::P256, "CN=CA");
        let number = setting.add("auth", vec![signs_itself(&ca)]);
        setting.load(Crl::of(number, &ca.certificate));
        let mut partitions = Partitions::default();
        let snapshot = setting.snapshot();
        assert_eq!(partitions.look(&snapshot, &config("[\"http://crl.example/a.crl\"]")), []);
        assert_eq!(partitions.look(&snapshot, &config("[]")), []);
        // What is listed in the configuration is missed wherever it should come from.
        setting.issuers[0].scopes = ScopesPolicy::Listed(vec![(b"z".to_vec(), "CN=Z".to_owned())]);
        let missing = vec![("auth".to_owned(), vec!["CN=Z".to_owned()])];
        assert_eq!(partitions.look(&setting.snapshot(), &config("[]")), missing);
    }
}
