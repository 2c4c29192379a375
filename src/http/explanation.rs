//! The shape of `POST /api/v1/explain`, and of the page that says the same: what is answered about one serial number,
//! and why. `app` fills it; it is kept nowhere.

use serde::Serialize;

/// What one key of an issuer answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub issuer: String,
    /// Which of the issuer's keys.
    pub key: String,
    /// The answer in a few words.
    pub answer: String,
    /// An answer about the certificate, rather than an error status.
    pub is_answered: bool,
    /// The rule that led to it.
    pub because: String,
    /// What it was decided from.
    pub facts: Vec<Fact>,
    /// From where the answer to a request about this certificate alone, without a nonce, comes now: one for each form
    /// of CertID that is usual, signed beforehand, or lies in memory, and each signatory.
    pub tiers: Vec<AnswerTiers>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Fact {
    pub name: String,
    pub value: String,
}

/// What is held of the answer to one form of CertID by one signatory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AnswerTiers {
    /// As `response.presign` writes it: `sha1`, `sha256-bare`.
    pub form: String,
    /// The signatory's.
    pub algorithm: String,
    /// `memory`, `presigned`, `signature`; `none` where no answer is given.
    pub from: &'static str,
    pub memory: HeldAnswer,
    pub presigned: HeldAnswer,
}

/// An answer that may lie ready.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HeldAnswer {
    /// `off` (no such cache, no such form), `none`, `fresh`, `over`.
    pub state: &'static str,
    /// Until when it is given out, at the latest, where it is.
    pub until: Option<String>,
    /// Why it is not given out, where it lies there.
    pub because: Option<&'static str>,
}
