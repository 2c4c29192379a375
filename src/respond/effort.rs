//! What an answer costs, in classes, and how much of it may be spent on a request.
//!
//! `http` says how much, by how hard its worker is pressed; [`super::Responder`] keeps within it and tells what it
//! did. Whoever would need more is told `tryLater`, before any of it is done.

/// What is done for an answer, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effort {
    /// It is given from memory, or is only a status.
    Kept,
    /// It was signed beforehand, and is read from the store.
    Held,
    /// It is signed.
    Signature,
}

/// The most that may be done for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// With a nonce that is to be repeated.
    pub with_nonce: Effort,
    pub without: Effort,
}

impl Allowance {
    /// Whatever it takes.
    pub const ALL: Self = Self { with_nonce: Effort::Signature, without: Effort::Signature };
}

/// What was done for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    pub effort: Effort,
    /// For a nonce that is to be repeated, so for one client.
    pub has_nonce: bool,
    /// It was not done: this effort was too much.
    pub is_shed: bool,
}

impl Work {
    pub(super) const NONE: Self = Self { effort: Effort::Kept, has_nonce: false, is_shed: false };

    pub(super) const fn done(effort: Effort, has_nonce: bool) -> Self {
        Self { effort, has_nonce, is_shed: false }
    }

    pub(super) const fn shed(effort: Effort, has_nonce: bool) -> Self {
        Self { effort, has_nonce, is_shed: true }
    }
}
