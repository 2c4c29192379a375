//! Where the answer about a serial number would come from: memory, what was signed beforehand, or a fresh signature.
//! For the people who run the responder, never for requests.
//!
//! Called by `app` for the admin pages, beside [`explain`](super::explain()). It looks where [`Responder::respond`] looks,
//! for a request about this certificate alone and without a nonce, and leaves no trace: what is found in memory is not
//! taken for asked again, what is missing is not taken for a stranger who came before, and nothing is counted.

use super::presigned;
use super::{Responder, Snapshot};
use crate::asn1::{tag, write_tlv};
use crate::ocsp::{CertIdForm, CertIdForms};
use crate::snapshot::{CertIds, Key, Signatory, WrittenCertIds};
use crate::store::StoreError;
use crate::x509::{Certificate, SerialNumber, SignatureAlgorithm, UnixTime};

/// What is held of one signatory's answer to one form of CertID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiers {
    pub form: CertIdForm,
    /// Of the signatory.
    pub algorithm: SignatureAlgorithm,
    /// This form is answered together with another.
    pub is_paired: bool,
    pub memory: Memory,
    pub beforehand: Beforehand,
}

/// What the memory cache has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// There is no cache.
    Off,
    NotKept,
    /// It would be given out, until then at the latest.
    Kept {
        until: UnixTime,
    },
    /// It lies there, and would be made anew.
    Ended(Ended),
}

/// Why an answer in memory is given out no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Something was committed since that concerns the serial number.
    Changed,
    /// The configuration was reloaded.
    Reconfigured,
    /// Its time is over, or the clock stands before it was made.
    Time,
}

/// What the store has that was signed beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beforehand {
    /// Nothing is signed beforehand for this form.
    NotThisForm,
    /// It was not signed yet.
    Absent,
    /// It would be given out, until then at the latest.
    Fresh { until: UnixTime },
    /// It lies there, and a fresh signature takes its place.
    Outdated(Outdated),
}

/// Why an answer that was signed beforehand is given out no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outdated {
    /// It says another status than would be said now.
    Status,
    /// The CRLs, or the signer, that it rests on do not reach as far as it says.
    Sources,
    /// Its time is over, or so near that a fresh one is better.
    Time,
}

/// From where an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    Memory,
    Beforehand,
    Signature,
}

impl Tiers {
    /// From where the answer comes, if there is one.
    #[must_use]
    pub fn first(&self) -> Tier {
        match (self.memory, self.beforehand) {
            (Memory::Kept { .. }, _) => Tier::Memory,
            (_, Beforehand::Fresh { .. }) => Tier::Beforehand,
            _ => Tier::Signature,
        }
    }
}

impl Responder {
    /// What is held of answers about `serial_number` for each form of CertID, of everybody who may sign for the key
    /// of `ca`: the default first, in the order of the forms.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn tiers(
        &self,
        snapshot: &Snapshot,
        (key, ca): (&Key, &Certificate),
        serial_number: &SerialNumber,
        now: UnixTime,
    ) -> Result<Vec<Tiers>, StoreError> {
        let mut tiers = Vec::with_capacity(CertIdForm::ALL.len());
        for (index, signatory) in key.signatories.all().enumerate() {
            // Who is not valid signs for nobody, and whoever prefers it gets the default.
            if index > 0 && !signatory.is_valid(now) {
                continue;
            }
            for form in CertIdForm::ALL {
                tiers.push(Tiers {
                    form,
                    algorithm: signatory.algorithm(),
                    is_paired: key.pair.as_ref().is_some_and(|pair| pair.forms.contains(form)),
                    memory: self.memory(snapshot, &list(ca, form, serial_number), index, now),
                    beforehand: beforehand(snapshot, (key, signatory), form, serial_number, now)?,
                });
            }
        }
        Ok(tiers)
    }

    fn memory(&self, snapshot: &Snapshot, list: &[u8], signatory: usize, now: UnixTime) -> Memory {
        let Some(cache) = &self.cache else { return Memory::Off };
        let mut found = Memory::NotKept;
        cache.peek(&cache.key(list, signatory), |kept| {
            // Two at once may have kept one each.
            if !matches!(found, Memory::Kept { .. }) {
                found = kept.standing(snapshot, now);
            }
        });
        found
    }
}

/// The requestList of a request about one certificate of `ca`.
fn list(ca: &Certificate, form: CertIdForm, serial_number: &SerialNumber) -> Vec<u8> {
    let mut cert_ids = WrittenCertIds::default();
    CertIds::new(ca, CertIdForms::one(form)).write(serial_number, &mut cert_ids);
    let mut list = Vec::new();
    for cert_id in cert_ids.iter() {
        write_tlv(&mut list, tag::SEQUENCE, cert_id);
    }
    list
}

fn beforehand(
    snapshot: &Snapshot,
    (key, signatory): (&Key, &Signatory),
    form: CertIdForm,
    serial_number: &SerialNumber,
    now: UnixTime,
) -> Result<Beforehand, StoreError> {
    let Some(series) = signatory.series.iter().find(|series| series.cert_ids.forms.contains(form)) else {
        return Ok(Beforehand::NotThisForm);
    };
    presigned::standing(snapshot, (key, signatory), series, serial_number, now)
}
