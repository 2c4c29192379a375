//! A scope as an earlier copy of the store has it: taking a CRL back.
//!
//! Called by `app`, for `ocsprey crl rollback`. The rows of the scope in the copy (a checkpoint, or any backup of
//! this store) and its rows here are walked side by side; what differs is written as by a new CRL: in one
//! batch, or staged and laid over (see [`super::replace`]). So readers and crashes see the one or the other.
//! Retained revocations come back as they were, and so does a CRL number that is lower than the one
//! that is taken back: only a person's word does that.

use super::db::{Db, Durability};
use super::epochs::Touched;
use super::error::StoreError;
use super::format::{encode_record, number_key, scope_key};
use super::registry;
use super::replace::{self, Difference, Differences as _, ScopeRows};
use super::scope::{ScopeKey, ScopeRecord};
use super::sketch;
use super::unfinished;
use super::{IssuerNumber, Store};
use crate::x509::{Revocation, SerialNumber};

/// What taking a CRL back did to the rows of its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RolledBack {
    /// Serial numbers that the scope does not speak of any more.
    pub gone: u64,
    /// That it speaks of again.
    pub back: u64,
    /// That it says something else of.
    pub changed: u64,
}

impl Store {
    /// Makes the scope `key` what it is in `earlier`; takes it away, where there it is not. `None` where it is
    /// that already.
    ///
    /// # Errors
    /// [`StoreError::NotACopy`] when `earlier` gives the issuer's number to another name, else when either
    /// cannot be read or this one not be written.
    pub fn roll_back_scope(&self, earlier: &Self, key: &ScopeKey) -> Result<Option<RolledBack>, StoreError> {
        let _writing = self.begin_write()?;
        let name = |store: &Self| named(store, key.issuer);
        if name(earlier)? != name(self)? {
            return Err(StoreError::NotACopy { path: earlier.path().to_owned() });
        }
        unfinished::finish(&self.db)?;
        let Some(held) = registry::scope(&self.db, key)? else { return Ok(None) };
        let Some(before) = registry::scope(&earlier.db, key)? else {
            let rows = held.entries + held.retained;
            replace::remove(&self.db, key)?;
            return Ok(Some(RolledBack { gone: rows, ..RolledBack::default() }));
        };
        if before.crl == held.crl {
            return Ok(None);
        }
        let result = write(&self.db, &earlier.db, &held, before);
        // What cannot be folded or swept now, the next writer sees to.
        let _ = unfinished::finish(&self.db);
        result.map(Some)
    }
}

impl Store {
    /// The entries of the CRL of `scope`, in ascending order of serial number: what is retained beyond it is not among them.
    ///
    /// # Errors
    /// When the store cannot be read; so may each of them be.
    pub fn entries(
        &self,
        scope: &ScopeRecord,
    ) -> Result<impl Iterator<Item = Result<(SerialNumber, Revocation), StoreError>>, StoreError> {
        let mut rows = ScopeRows::new(&self.db, Some(scope.number))?;
        let next = move || loop {
            match rows.take().transpose()? {
                Ok((_, body)) if body.is_retained() => {}
                row => return Some(row.map(|(serial, body)| (serial, body.revocation()))),
            }
        };
        Ok(std::iter::from_fn(next))
    }
}

fn named(store: &Store, issuer: IssuerNumber) -> Result<Option<Vec<u8>>, StoreError> {
    let named = registry::issuers(&store.db)?.into_iter().find(|(number, _)| *number == issuer);
    Ok(named.map(|(_, name)| name))
}

fn write(db: &Db, earlier: &Db, held: &ScopeRecord, before: ScopeRecord) -> Result<RolledBack, StoreError> {
    let mut difference = Difference::of(db, Some(held.number), held.issuer());
    let mut done = RolledBack::default();
    let mut ours = ScopeRows::new(db, Some(held.number))?;
    let mut theirs = ScopeRows::new(earlier, Some(before.number))?;
    let (mut our, mut their) = (ours.take()?, theirs.take()?);
    loop {
        match (our, their) {
            (Some((serial, body)), Some((same, was))) if serial == same => {
                if body != was {
                    done.changed += 1;
                    difference.add(serial, Some(was))?;
                }
                (our, their) = (ours.take()?, theirs.take()?);
            }
            (Some((serial, _)), other) if other.is_none_or(|(next, _)| serial < next) => {
                done.gone += 1;
                difference.add(serial, None)?;
                our = ours.take()?;
            }
            (_, Some((serial, was))) => {
                done.back += 1;
                difference.add(serial, Some(was))?;
                their = theirs.take()?;
            }
            (_, None) => break,
        }
    }
    let mut touched = Touched::nothing();
    // Which of two layers counts may turn without a row of it being changed.
    touched.issuer(held.issuer());
    let mut batch = db.batch()?;
    let (scope, _) = difference.write(&mut batch)?;
    // It sums the entries of the CRL that is taken back.
    sketch::delete(db, &mut batch, held.number)?;
    let record =
        ScopeRecord { number: scope, distribution_point_number: held.distribution_point_number, ..before };
    batch.put_meta(&number_key(b'S', scope.0), &encode_record(&record));
    batch.put_meta(&scope_key(&record.crl.key), &scope.0.to_be_bytes());
    db.epochs().commit(&touched, || batch.commit(Durability::Synced))?;
    Ok(done)
}
