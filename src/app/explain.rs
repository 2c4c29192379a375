//! The words for why a serial number is answered as it is, and from where: the form of the status page, and
//! `POST /api/v1/explain`.
//!
//! The serial number is looked up and said back to whoever asked, and goes nowhere else: no log, no metric.

use super::intake::Shared;
use crate::http::{AnswerTiers, Explanation, Fact, HeldAnswer};
use crate::ingest::scope_text;
use crate::ocsp::{CertIdForm, CertStatus, OcspResponseStatus};
use crate::respond::{self, Beforehand, Ended, Evidence, Ground, Memory, Outdated, Tier, Tiers};
use crate::snapshot::{Key, Snapshot, Unlisted, Window};
use crate::store::ScopeNumber;
use crate::x509::{Certificate, SerialNumber, UnixTime};

/// One explanation for each key of each issuer: a serial number alone does not say whose it is.
pub(super) fn explain(shared: &Shared, serial: &str) -> Result<Vec<Explanation>, String> {
    let serial = serial.trim();
    let number = SerialNumber::from_hex(serial).map_err(|why| format!("This is no serial number: {why}"))?;
    let snapshot = shared.published.load();
    let now = shared.clock.now();
    let of_key = |(index, key): (usize, &Key)| {
        let explained = respond::explain(key, snapshot.view(), &number, now);
        let explained = explained.map_err(|why| format!("The store cannot be read: {why}"))?;
        let mut facts = vec![fact("serial number", number.to_hex())];
        facts.extend(explained.evidence.iter().map(|one| fact("on a CRL", evidence(&snapshot, one, now))));
        facts.extend(rests_on(&snapshot, key, &explained, now));
        let signer = key.signatories.default.responder.not_after();
        facts.push(fact("signer valid until", signer.to_string()));
        let is_answered = explained.answer.is_ok();
        let tiers = match snapshot.certificate_of(index) {
            None => Vec::new(),
            Some(ca) => {
                let tiers = shared.responder.tiers(&snapshot, (key, ca), &number, now);
                let tiers = tiers.map_err(|why| format!("The store cannot be read: {why}"))?;
                tiers.iter().filter(|one| is_told(one)).map(|one| tiers_text(one, is_answered)).collect()
            }
        };
        Ok(Explanation {
            issuer: snapshot
                .issuers()
                .get(key.issuer.0)
                .map(|issuer| issuer.name.clone())
                .unwrap_or_default(),
            key: key_text(&snapshot, index),
            answer: answer(&explained),
            is_answered,
            because: because(&explained, key.unlisted).to_owned(),
            facts,
            tiers,
        })
    };
    snapshot.keys().iter().enumerate().map(of_key).collect()
}

fn fact(name: &str, value: String) -> Fact {
    Fact { name: name.to_owned(), value }
}

/// The forms that most clients send, and those of which something may be held.
fn is_told(tiers: &Tiers) -> bool {
    let usual = [CertIdForm::ALL[0], CertIdForm::ALL[1]];
    usual.contains(&tiers.form)
        || tiers.is_paired
        || !matches!(tiers.memory, Memory::Off | Memory::NotKept)
        || tiers.beforehand != Beforehand::NotThisForm
}

fn tiers_text(tiers: &Tiers, is_answered: bool) -> AnswerTiers {
    AnswerTiers {
        form: tiers.form.name().to_owned(),
        algorithm: tiers.algorithm.name().to_owned(),
        from: match tiers.first() {
            _ if !is_answered => "none",
            Tier::Memory => "memory",
            Tier::Beforehand => "presigned",
            Tier::Signature => "signature",
        },
        memory: match tiers.memory {
            Memory::Off => held("off"),
            Memory::NotKept => held("none"),
            Memory::Kept { until } => fresh(until),
            Memory::Ended(why) => over(match why {
                Ended::Changed => "a CRL or an inventory that came since may have changed it",
                Ended::Reconfigured => "the configuration was reloaded since",
                Ended::Time => "its time is over",
            }),
        },
        presigned: match tiers.beforehand {
            Beforehand::NotThisForm => held("off"),
            Beforehand::Absent => held("none"),
            Beforehand::Fresh { until } => fresh(until),
            Beforehand::Outdated(why) => over(match why {
                Outdated::Status => "it says another status",
                Outdated::Sources => "the CRLs or the signer do not reach as far as it says",
                Outdated::Time => "its time is over, or nearly",
            }),
        },
    }
}

fn held(state: &'static str) -> HeldAnswer {
    HeldAnswer { state, ..HeldAnswer::default() }
}

fn fresh(until: UnixTime) -> HeldAnswer {
    HeldAnswer { until: Some(until.to_string()), ..held("fresh") }
}

fn over(because: &'static str) -> HeldAnswer {
    HeldAnswer { because: Some(because), ..held("over") }
}

/// Which generation of the issuer's keys, where there are several.
fn key_text(snapshot: &Snapshot, index: usize) -> String {
    let Some(key) = snapshot.keys().get(index) else { return String::new() };
    let Some(issuer) = snapshot.issuers().get(key.issuer.0) else { return String::new() };
    let first = snapshot.keys().iter().position(|other| other.issuer == key.issuer).unwrap_or(index);
    let subject = snapshot.certificate_of(index).map(Certificate::subject_text).unwrap_or_default();
    match issuer.keys.len() {
        1 => subject,
        count => format!("{subject}, key {} of {count}", index - first + 1),
    }
}

fn answer(explained: &respond::Explanation) -> String {
    match &explained.answer {
        Ok((CertStatus::Good, _)) => "good".to_owned(),
        Ok((CertStatus::Revoked(revocation), _)) => match revocation.reason {
            Some(reason) => format!("revoked at {}, {}", revocation.time, reason.name()),
            None => format!("revoked at {}", revocation.time),
        },
        Ok((CertStatus::Unknown, _)) => "unknown".to_owned(),
        Err(status) => error_name(*status).to_owned(),
    }
}

fn error_name(status: OcspResponseStatus) -> &'static str {
    match status {
        OcspResponseStatus::Successful => "successful",
        OcspResponseStatus::MalformedRequest => "malformedRequest",
        OcspResponseStatus::InternalError => "internalError",
        OcspResponseStatus::TryLater => "tryLater",
        OcspResponseStatus::SigRequired => "sigRequired",
        OcspResponseStatus::Unauthorized => "unauthorized",
    }
}

/// The rule that decided.
fn because(explained: &respond::Explanation, unlisted: Unlisted) -> &'static str {
    let is_answered = explained.answer.is_ok();
    match (explained.ground, is_answered) {
        (Ground::Signer, _) => "The OCSP signer is not valid at this time: nothing can be signed.",
        (Ground::Revoked, true) => "A CRL lists it, and is fresh: the gravest of what the CRLs say counts.",
        (Ground::Revoked, false) => "A CRL lists it, but has run out: neither good nor revoked may be said.",
        (Ground::NoInventory, false) => {
            "No CRL lists it, but not every CRL that could is loaded and fresh, and no inventory says whose it is."
        }
        (Ground::InventoryIncomplete, _) => "No CRL lists it, and the inventory is still being loaded.",
        (Ground::NotIssued, false) if unlisted == Unlisted::Unauthorized => {
            "The inventory does not list it, and \"unlisted\" says unauthorized."
        }
        (Ground::NotIssued, false) => {
            "The inventory does not list it, but not every CRL that could revoke it is loaded and fresh."
        }
        (Ground::NoInventory, true) => {
            "No CRL lists it, every CRL that could is fresh, and there is no inventory: \"unlisted\" decides."
        }
        (Ground::NotIssued, true) => "No CRL lists it, and neither does the inventory: \"unlisted\" decides.",
        (Ground::Issued, true) => "It was issued, and no CRL lists it; every CRL of the issuer is fresh.",
        (Ground::Issued, false) => {
            "It was issued, and no CRL lists it, but not every CRL of the issuer is loaded and fresh."
        }
        (Ground::IssuedAt(_), true) => {
            "It was issued, and the CRL of its distribution point is fresh and does not list it."
        }
        (Ground::IssuedAt(_), false) => {
            "It was issued, but the CRL of its distribution point is missing or has run out."
        }
    }
}

/// What a row of the store says, and whether that counts.
fn evidence(snapshot: &Snapshot, evidence: &Evidence, now: UnixTime) -> String {
    let row = &evidence.row;
    let reason = row.revocation.reason.map_or("no reason".to_owned(), |reason| reason.name().to_owned());
    let counts = match evidence.counts {
        None => "says nothing any more".to_owned(),
        Some(window) if window.is_fresh(now) => format!("counts until {}", window.next_update),
        Some(window) => format!("RAN OUT at {}", window.next_update),
    };
    let retained = if row.retained { ", no longer on the CRL, and stays revoked" } else { "" };
    format!(
        "{}: revoked at {}, {reason}{retained}; {counts}",
        scope(snapshot, row.scope),
        row.revocation.time
    )
}

fn scope(snapshot: &Snapshot, number: ScopeNumber) -> String {
    let Some(record) = snapshot.view().scope(number) else { return "a CRL that is gone".to_owned() };
    let name = match scope_text(&record.crl.idp) {
        name if name.is_empty() => "the CRL of everything".to_owned(),
        name => name,
    };
    match record.crl.crl_number.as_slice() {
        [] => name,
        number => format!("{name}, number {}", crate::cli::decimal(number)),
    }
}

/// The CRLs that an answer without a revocation rests on, and the inventory.
fn rests_on(snapshot: &Snapshot, key: &Key, explained: &respond::Explanation, now: UnixTime) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Ok((_, Window { this_update, next_update })) = &explained.answer {
        facts.push(fact("known from", format!("{this_update} until {next_update}")));
    }
    match explained.ground {
        Ground::IssuedAt(point) => {
            let mut records = snapshot.view().scopes_at(key.number, point).peekable();
            if records.peek().is_none() {
                facts.push(fact("its CRL", "never came".to_owned()));
            }
            facts.extend(records.map(|record| {
                fact(
                    "its CRL",
                    format!("{}, until {}", scope(snapshot, record.number), record.crl.next_update),
                )
            }));
        }
        Ground::Issued | Ground::NotIssued | Ground::NoInventory | Ground::InventoryIncomplete => {
            let together = match key.scopes.whole(now) {
                Ok(window) => format!("all fresh, the first until {}", window.next_update),
                Err(why) => why.to_string(),
            };
            facts.push(fact("CRLs of the issuer", together));
        }
        Ground::Revoked | Ground::Signer => {}
    }
    facts
}
