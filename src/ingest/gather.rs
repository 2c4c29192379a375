//! What becomes of the entries of a CRL while it streams by: sorted, summed, or both.
//!
//! [`super::read`] gives entries to a [`Gather`], [`super::judge`] makes one for each issuer whose entries are
//! wanted. Sorting is always enough. Summing ([`Sketch`]) costs a third of it and is enough for a CRL that is nearly
//! the one that is held; whether it was, the store says at the end
//! ([`refresh_scope_if`](crate::store::Store::refresh_scope_if)).

use super::sort::{SortError, SortedEntries, Sorter};
use crate::store::{Sketch, Sketching};
use crate::x509::PackedEntry;

/// Takes the entries of one issuer in the order of the CRL.
pub trait Gather {
    type Gathered;

    /// Takes one.
    ///
    /// # Errors
    /// When memory is full and the disk refuses.
    fn take(&mut self, entry: PackedEntry) -> Result<(), SortError>;

    /// Whether there is anything to do at the end.
    fn is_sorting(&self) -> bool {
        true
    }

    /// All of them.
    ///
    /// # Errors
    /// When what was written to the disk cannot be read.
    fn finish(self) -> Result<Self::Gathered, SortError>;
}

impl Gather for Sorter {
    type Gathered = SortedEntries;

    #[inline]
    fn take(&mut self, entry: PackedEntry) -> Result<(), SortError> {
        self.push_packed(entry)
    }

    fn finish(self) -> Result<SortedEntries, SortError> {
        self.finish()
    }
}

/// Entries on their way into a store.
pub(super) enum Gathering {
    /// Few, or a CRL of several issuers.
    Sorting(Sorter),
    /// Many: the next CRL is compared with the sums.
    Both(Sorter, Sketch),
    /// Many, and much like those that are held.
    Summing(Sketch),
}

/// The same, at the end.
pub(super) enum Gathered {
    Sorted(SortedEntries, Option<Sketch>),
    Summed(Sketch),
}

impl Gathering {
    pub fn new(sketching: Sketching, sorter: Sorter) -> Self {
        match sketching {
            Sketching::Nothing => Self::Sorting(sorter),
            Sketching::Beside(sketch) => Self::Both(sorter, sketch),
            Sketching::Instead(sketch) => Self::Summing(sketch),
        }
    }
}

impl Gather for Gathering {
    type Gathered = Gathered;

    #[inline]
    fn take(&mut self, entry: PackedEntry) -> Result<(), SortError> {
        match self {
            Self::Sorting(sorter) => sorter.push_packed(entry),
            Self::Both(sorter, sketch) => {
                sketch.add(&entry);
                sorter.push_packed(entry)
            }
            Self::Summing(sketch) => {
                sketch.add(&entry);
                Ok(())
            }
        }
    }

    fn is_sorting(&self) -> bool {
        !matches!(self, Self::Summing(_))
    }

    fn finish(self) -> Result<Gathered, SortError> {
        Ok(match self {
            Self::Sorting(sorter) => Gathered::Sorted(sorter.finish()?, None),
            Self::Both(sorter, sketch) => Gathered::Sorted(sorter.finish()?, Some(sketch)),
            Self::Summing(sketch) => Gathered::Summed(sketch),
        })
    }
}
