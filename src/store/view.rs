//! The read side: the store as it stood at one moment.
//!
//! A [`ReadView`] is made by whoever publishes a snapshot and is read by every request. It holds
//! a RocksDB snapshot, so all its look-ups and its scopes agree with each other, whatever is written
//! meanwhile; and the read options and family handles a look-up needs, so that a look-up takes no
//! lock, makes no options and finds no family by name. It stays valid when the `Store` is dropped.
//! Holding one for long keeps old rows from being compacted away, so the writer drops old ones.

use super::answers::Reach;
use super::db::{Db, Family};
use super::epochs::{Epoch, Place};
use super::error::StoreError;
use super::format::{BadRow, RowKey, decode_listed, for_each_status, number_key};
use super::registry::{self, Overlay};
use super::scope::{
    DistributionPointNumber, Inventoried, InventoryState, IssuerNumber, Rows, ScopeNumber, ScopeRecord,
};
use crate::x509::SerialNumber;
use rocksdb::{ColumnFamily, DBPinnableSlice, ReadOptions, ReadTier, Snapshot};
use self_cell::self_cell;
use std::fmt;
use std::sync::Arc;

pub(super) struct Moment<'a> {
    pub(super) db: &'a Db,
    /// Reads as of `snapshot`, and never outlives it.
    read: ReadOptions,
    /// The same, and never goes to the disk.
    read_in_memory: ReadOptions,
    /// Reads what was written last: for rows that are believed only where they agree with the snapshot.
    pub(super) newest: ReadOptions,
    pub(super) newest_in_memory: ReadOptions,
    /// Its drop releases it in RocksDB.
    pub(super) snapshot: Snapshot<'a>,
    /// `None` in a store that was written before there were any.
    pub(super) answers: Option<&'a ColumnFamily>,
    meta: &'a ColumnFamily,
    status: &'a ColumnFamily,
    inventory: &'a ColumnFamily,
}

self_cell!(
    struct Pinned {
        owner: Arc<Db>,
        #[covariant]
        dependent: Moment,
    }
);

/// The store at one moment. `Send` and `Sync`; shared by all readers.
pub struct ReadView {
    pinned: Pinned,
    epoch: Epoch,
    scopes: Vec<ScopeRecord>,
    distribution_points: Vec<(DistributionPointNumber, Vec<u8>)>,
    /// Bit n: scope n has a record. Rows of others are loads under way or removals, and not shown.
    recorded: Vec<u64>,
    /// Rows of these are laid over those of other scopes. Empty, but for the minute after a mass revocation.
    overlays: Vec<Overlay>,
}

impl ReadView {
    pub(super) fn new(db: Arc<Db>) -> Result<Self, StoreError> {
        // Before the snapshot is taken: it may show more than its epoch says, never less.
        let epoch = db.epochs().current();
        let (mut scopes, mut distribution_points, mut overlays) = (Vec::new(), Vec::new(), Vec::new());
        let pinned = Pinned::try_new(db, |db| {
            let snapshot = db.rocks().snapshot();
            scopes = registry::scopes(db, Some(&snapshot))?;
            distribution_points = registry::distribution_points(db, &snapshot)?;
            overlays = registry::overlays(db, Some(&snapshot))?;
            let options = |at: Option<&Snapshot<'_>>, tier| {
                let mut read = ReadOptions::default();
                read.set_read_tier(tier);
                if let Some(snapshot) = at {
                    read.set_snapshot(snapshot);
                }
                read
            };
            Ok(Moment {
                db,
                read: options(Some(&snapshot), ReadTier::All),
                read_in_memory: options(Some(&snapshot), ReadTier::BlockCache),
                newest: options(None, ReadTier::All),
                newest_in_memory: options(None, ReadTier::BlockCache),
                snapshot,
                answers: db.answers(),
                meta: db.family(Family::Meta)?,
                status: db.family(Family::Status)?,
                inventory: db.family(Family::Inventory)?,
            })
        })?;
        let mut recorded = Vec::new();
        for scope in &scopes {
            let (word, bit) = place(scope.number);
            if recorded.len() <= word {
                recorded.resize(word + 1, 0);
            }
            if let Some(word) = recorded.get_mut(word) {
                *word |= bit;
            }
        }
        Ok(Self { pinned, epoch, scopes, distribution_points, recorded, overlays })
    }

    /// How much of the store's history it surely shows.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Whether what was decided from a view of this epoch still stands: nothing that concerns `place` was
    /// committed since, nor is it about to be. It tells of the store as it is now, not of this view.
    #[must_use]
    pub fn is_unchanged(&self, place: Place, since: Epoch) -> bool {
        self.pinned.borrow_owner().epochs().is_unchanged(place, since)
    }

    /// Every scope, in order of number.
    #[must_use]
    pub fn scopes(&self) -> &[ScopeRecord] {
        &self.scopes
    }

    /// Every distribution point that a CRL or an inventory ever named, with its number; in canonical form.
    #[must_use]
    pub fn distribution_points(&self) -> &[(DistributionPointNumber, Vec<u8>)] {
        &self.distribution_points
    }

    /// The scope with this number.
    #[must_use]
    pub fn scope(&self, number: ScopeNumber) -> Option<&ScopeRecord> {
        let index = self.scopes.binary_search_by_key(&number, |scope| scope.number).ok()?;
        self.scopes.get(index)
    }

    /// What the scopes say of a serial number, in order of scope; no rows if none revokes it.
    ///
    /// # Errors
    /// When the disk fails or the row is damaged.
    pub fn revocations(&self, issuer: IssuerNumber, serial: &SerialNumber) -> Result<Rows, StoreError> {
        self.revocations_within(issuer, serial, Reach::Disk)
    }

    /// As [`ReadView::revocations`], as far as `reach` goes.
    ///
    /// # Errors
    /// As there, and [`StoreError::NotInMemory`].
    pub fn revocations_within(
        &self,
        issuer: IssuerNumber,
        serial: &SerialNumber,
        reach: Reach,
    ) -> Result<Rows, StoreError> {
        let moment = self.moment();
        let key = RowKey::new(issuer.0, serial);
        match moment.get_with(moment.status, key.as_ref(), moment.read(reach))? {
            Some(value) => self.rows_of(&value).map_err(|bad| moment.db.bad(bad)),
            None => Ok(Rows::none()),
        }
    }

    /// What a value of `status` says to whoever reads the store as of this view.
    pub(super) fn rows_of(&self, value: &[u8]) -> Result<Rows, BadRow> {
        let mut rows = Rows::none();
        for_each_status(value, |scope, body| {
            if self.is_recorded(scope) {
                rows.push(body.row(scope));
            } else if let Some(overlay) = self.overlays.iter().find(|overlay| overlay.scope == scope) {
                // Its number is higher than its base's, whose row, if any, has come already.
                rows.set(overlay.base, body.over().map(|body| body.row(overlay.base)));
            }
        })?;
        Ok(rows)
    }

    /// What the issuer's inventory says of a serial number. See [`ReadView::inventory_state`].
    ///
    /// # Errors
    /// When the disk fails or the row is damaged.
    pub fn inventory(&self, issuer: IssuerNumber, serial: &SerialNumber) -> Result<Inventoried, StoreError> {
        self.inventory_within(issuer, serial, Reach::Disk)
    }

    /// As [`ReadView::inventory`], as far as `reach` goes.
    ///
    /// # Errors
    /// As there, and [`StoreError::NotInMemory`].
    pub fn inventory_within(
        &self,
        issuer: IssuerNumber,
        serial: &SerialNumber,
        reach: Reach,
    ) -> Result<Inventoried, StoreError> {
        let moment = self.moment();
        let key = RowKey::new(issuer.0, serial);
        let Some(value) = moment.get_with(moment.inventory, key.as_ref(), moment.read(reach))? else {
            return Ok(Inventoried::Unlisted);
        };
        decode_listed(&value).map_err(|bad| moment.db.bad(bad))
    }

    /// How complete the issuer's inventory is, and its rows. For whoever publishes, not for requests.
    ///
    /// # Errors
    /// When the disk fails or the row is damaged.
    pub fn inventory_state(&self, issuer: IssuerNumber) -> Result<InventoryState, StoreError> {
        let moment = self.moment();
        let value = moment.get_with(moment.meta, &number_key(b'V', issuer.0), &moment.read)?;
        registry::inventory_state(moment.db, value.as_deref())
    }

    /// The edition of the issuer's inventory: another one since a listed serial number got another
    /// distribution point. For whoever publishes, not for requests.
    ///
    /// # Errors
    /// When the disk fails or the row is damaged.
    pub fn inventory_edition(&self, issuer: IssuerNumber) -> Result<u32, StoreError> {
        let moment = self.moment();
        let value = moment.get_with(moment.meta, &number_key(b'W', issuer.0), &moment.read)?;
        registry::inventory_edition(moment.db, value.as_deref())
    }

    /// The scopes of one issuer that name this distribution point, in order of number.
    pub fn scopes_at(
        &self,
        issuer: IssuerNumber,
        distribution_point: DistributionPointNumber,
    ) -> impl Iterator<Item = &ScopeRecord> {
        self.scopes.iter().filter(move |scope| {
            scope.issuer() == issuer && scope.distribution_point_number == Some(distribution_point)
        })
    }

    pub(super) fn moment(&self) -> &Moment<'_> {
        self.pinned.borrow_dependent()
    }

    fn is_recorded(&self, scope: ScopeNumber) -> bool {
        let (word, bit) = place(scope);
        self.recorded.get(word).is_some_and(|word| word & bit != 0)
    }
}

impl Moment<'_> {
    fn read(&self, reach: Reach) -> &ReadOptions {
        match reach {
            Reach::Memory => &self.read_in_memory,
            Reach::Disk => &self.read,
        }
    }

    pub(super) fn get_with(
        &self,
        family: &ColumnFamily,
        key: &[u8],
        read: &ReadOptions,
    ) -> Result<Option<DBPinnableSlice<'_>>, StoreError> {
        let value = self.db.rocks().get_pinned_cf_opt(&family, key, read);
        value.map_err(|error| self.db.failed(&error))
    }
}

/// The word and the bit of a scope.
fn place(scope: ScopeNumber) -> (usize, u64) {
    (scope.0 as usize / 64, 1 << (scope.0 % 64))
}

impl fmt::Debug for ReadView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadView").field("scopes", &self.scopes.len()).finish_non_exhaustive()
    }
}
