//! What was refused last at each source, and why: kept until a good CRL comes from there.
//!
//! Owned by the intake, in memory: after a restart every source is looked at again. Nothing of the CRL
//! is kept, because it stands where it came from. Bounded: a folder full of rubbish is told, not hoarded.

use crate::http::QuarantineStatus;
use crate::x509::UnixTime;
use std::collections::BTreeMap;

/// Sources that are remembered.
const MOST: usize = 1000;

/// Refused CRLs by source.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    refused: BTreeMap<String, Refused>,
}

#[derive(Debug)]
struct Refused {
    at: UnixTime,
    reason: String,
    /// Whose it may be.
    issuers: Vec<String>,
}

impl Quarantine {
    /// The last CRL of `source` was refused.
    pub fn refuse(&mut self, source: &str, at: UnixTime, reason: String, issuers: Vec<String>) {
        self.refused.insert(source.to_owned(), Refused { at, reason, issuers });
        if self.refused.len() > MOST {
            let oldest = self.refused.iter().min_by_key(|(_, refused)| refused.at);
            if let Some(oldest) = oldest.map(|(source, _)| source.clone()) {
                self.refused.remove(&oldest);
            }
        }
    }

    /// The last CRL of `source` was a good one.
    pub fn release(&mut self, source: &str) {
        self.refused.remove(source);
    }

    /// Forgets the sources that `is_there` does not know.
    pub fn keep(&mut self, is_there: impl Fn(&str) -> bool) {
        self.refused.retain(|source, _| is_there(source));
    }

    /// Sources whose last CRL was refused and may be of `issuer`.
    pub fn count_of(&self, issuer: &str) -> usize {
        self.refused.values().filter(|refused| refused.issuers.iter().any(|one| one == issuer)).count()
    }

    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.refused.keys().map(String::as_str)
    }

    /// For people, by source.
    pub fn list(&self) -> Vec<QuarantineStatus> {
        let status = |(source, refused): (&String, &Refused)| QuarantineStatus {
            source: source.clone(),
            refused_at: refused.at.to_string(),
            reason: refused.reason.clone(),
            issuers: refused.issuers.clone(),
        };
        self.refused.iter().map(status).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(quarantine: &mut Quarantine, source: &str, second: i64, issuer: &str) {
        let at = UnixTime::from_seconds(second);
        quarantine.refuse(source, at, format!("reason {second}"), vec![issuer.to_owned()]);
    }

    #[test]
    fn the_last_refusal_of_each_source_stays_until_a_good_crl_or_the_end_of_the_source() {
        let mut quarantine = Quarantine::default();
        refuse(&mut quarantine, "a.crl", 1, "auth");
        refuse(&mut quarantine, "a.crl", 2, "auth");
        refuse(&mut quarantine, "b.crl", 3, "sign");
        let reasons: Vec<String> = quarantine.list().into_iter().map(|one| one.reason).collect();
        assert_eq!(reasons, ["reason 2", "reason 3"]);
        assert_eq!((quarantine.count_of("auth"), quarantine.count_of("sign")), (1, 1));
        quarantine.release("a.crl");
        assert_eq!((quarantine.count_of("auth"), quarantine.count_of("sign")), (0, 1));
        quarantine.keep(|source| source != "b.crl");
        assert!(quarantine.list().is_empty());
    }

    #[test]
    fn a_folder_full_of_rubbish_does_not_fill_memory() {
        let mut quarantine = Quarantine::default();
        for number in 0..MOST as i64 + 10 {
            refuse(&mut quarantine, &format!("{number}.crl"), number, "auth");
        }
        assert_eq!(quarantine.count_of("auth"), MOST);
        assert!(quarantine.sources().all(|source| source != "0.crl" && source != "9.crl"));
    }
}
