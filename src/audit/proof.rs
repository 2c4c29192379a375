//! What was answered for a serial number: found by who holds the key of its pseudonym, and shown to others as a
//! [`Proof`], which speaks of one record and of nobody else.

use super::AuditError;
use super::folder::Folder;
use super::head::{Head, Place};
use super::pseudonyms::{KeyFolder, KeyPeriod, pseudonym};
use super::record::{AnswerRecord, Kind, Named, Record, Said, Source};
use super::segment::walk;
use super::tree::{Hash, leaf, proof, root_of_proof};
use crate::x509::{PublicKey, SerialNumber, UnixTime};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// A record, the way from it to a root, and the signed head with that root. Octets are in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The body of the record.
    pub record: String,
    /// Its place in the segment, counted from 0.
    pub index: u64,
    pub path: Vec<String>,
    pub segment: u64,
    /// Records that the root is over.
    pub records: u64,
    pub previous: String,
    /// When the head was signed.
    pub time: i64,
    pub is_final: bool,
    pub signature: String,
}

/// An answer about a serial number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    pub time: String,
    /// The verifier's id; empty: nobody who is registered.
    pub verifier: String,
    pub on_behalf_of: String,
    pub method: String,
    /// Of the OCSPResponse: successful, tryLater, …
    pub status: String,
    /// good, revoked, unknown, or nothing where there was an error status.
    pub said: String,
    pub this_update: Option<String>,
    /// The CRL that has this thisUpdate: `number N (scope S)`, `several`, or `none`.
    pub crl: String,
    pub response_sha256: String,
    pub pseudonym: String,
    pub proof: Proof,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("{0} is not hexadecimal, or not of its length")]
    Octets(&'static str),
    #[error("the record is none that ocsprey writes of an answer")]
    Record,
    #[error("the path does not lead from the record to a root of {records} records")]
    Path { records: u64 },
    #[error("the head with the root that the path leads to was not signed with this key: {0}")]
    Signature(String),
}

/// Everything that was answered about a serial number on the UTC day of `day`; `None`: the key of that day's
/// pseudonyms is not there (any more).
///
/// # Errors
/// When log or keys cannot be read. Segments with a fault are read up to it.
pub fn prove(
    path: &Path,
    keys: &Path,
    key: &PublicKey,
    issuer: &str,
    serial: &SerialNumber,
    day: UnixTime,
) -> Result<Option<Vec<Found>>, AuditError> {
    let keys = KeyFolder::at(keys);
    let mut wanted = Vec::new();
    // The operator may have changed the period since.
    for period in [KeyPeriod::Day, KeyPeriod::Month] {
        let key = keys.find(&period.name(day))?;
        wanted.extend(key.map(|key| pseudonym(&key, issuer, serial)));
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let folder = Folder::at(path);
    let mut found = Vec::new();
    for number in folder.segments()? {
        let octets = folder.read_segment(number)?;
        let (mut answers, mut verifiers) = (Vec::new(), HashMap::new());
        let walked = walk(&octets, number, key, |index, record| match record {
            Record::Name(name) if name.named == Named::Verifier => {
                verifiers.insert(name.number, name.name.clone());
            }
            Record::Answer(answer)
                if KeyPeriod::Day.name(answer.time) == KeyPeriod::Day.name(day)
                    && answer.entries.iter().any(|entry| wanted.contains(&entry.pseudonym)) =>
            {
                answers.push((index, answer.clone()));
            }
            _ => {}
        });
        let Some(head) = walked.head else { continue };
        let signed = walked.leaves.get(..usize::try_from(head.records).unwrap_or(0)).unwrap_or_default();
        for (index, answer) in answers {
            // What no head vouches for yet proves nothing.
            let Some(path) = proof(signed, index) else { continue };
            let proof = Proof::of(&answer, index, &path, &head);
            let verifier = verifiers.get(&answer.verifier).cloned().unwrap_or_default();
            let entries = answer.entries.iter().filter(|entry| wanted.contains(&entry.pseudonym));
            found.extend(entries.map(|entry| Found {
                time: answer.time.to_string(),
                verifier: verifier.clone(),
                on_behalf_of: answer.on_behalf_of.clone(),
                method: if answer.method == b'G' { "GET" } else { "POST" }.to_owned(),
                status: answer.status.name().to_owned(),
                said: said(entry.said).to_owned(),
                this_update: (entry.said != Said::Nothing).then(|| entry.this_update.to_string()),
                crl: match &entry.source {
                    Source::None => "none".to_owned(),
                    Source::One { scope, crl_number } => {
                        format!("number {} (scope {scope})", hex(crl_number))
                    }
                    Source::Several => "several".to_owned(),
                },
                response_sha256: hex(&answer.response),
                pseudonym: hex(&entry.pseudonym),
                proof: proof.clone(),
            }));
        }
    }
    Ok(Some(found))
}

fn said(said: Said) -> &'static str {
    match said {
        Said::Good => "good",
        Said::Revoked => "revoked",
        Said::Unknown => "unknown",
        Said::Nothing => "nothing",
    }
}

impl Proof {
    fn of(answer: &AnswerRecord, index: usize, path: &[Hash], head: &Head) -> Self {
        let mut record = Vec::new();
        Record::Answer(answer.clone()).write(&mut record);
        Self {
            record: hex(&record),
            index: index as u64,
            path: path.iter().map(|hash| hex(hash)).collect(),
            segment: head.segment,
            records: head.records,
            previous: hex(&head.previous),
            time: head.time.seconds(),
            is_final: head.place == Place::Final,
            signature: hex(&head.signature),
        }
    }

    /// The record that it proves, if it does.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, key: &PublicKey) -> Result<AnswerRecord, ProofError> {
        let body = octets(&self.record).ok_or(ProofError::Octets("the record"))?;
        let Some(Record::Answer(answer)) = Record::read(Kind::Answer, &body) else {
            return Err(ProofError::Record);
        };
        let hash = |text: &str, what| {
            octets(text).and_then(|octets| Hash::try_from(octets).ok()).ok_or(ProofError::Octets(what))
        };
        let path: Result<Vec<Hash>, _> =
            self.path.iter().map(|text| hash(text, "a hash of the path")).collect();
        let root = root_of_proof(leaf(Kind::Answer as u8, &body), self.index, self.records, &path?)
            .ok_or(ProofError::Path { records: self.records })?;
        let head = Head {
            segment: self.segment,
            records: self.records,
            root,
            previous: hash(&self.previous, "the head before")?,
            time: UnixTime::from_seconds(self.time),
            place: if self.is_final { Place::Final } else { Place::Within },
            signature: octets(&self.signature).ok_or(ProofError::Octets("the signature"))?,
        };
        head.verify(key).map_err(|why| ProofError::Signature(why.to_string()))?;
        Ok(answer)
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn octets(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
