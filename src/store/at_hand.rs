//! Look-ups of requests: first on the [shelf](super::shelf), then in RocksDB.
//!
//! No commit waits for what is on the shelf. Each look-up believes what it finds there as far as it can know that it still
//! holds:
//! - *Revocations* of a serial number as of the view that read the page, while nothing was committed since that concerns it
//!   ([`super::epochs`]), which is how kept answers hold. What is on the page are rows as that view showed them, with nothing of
//!   scopes that had no record, and nothing laid over anything; and all of them: what is not there is not revoked.
//! - A row of the *inventory* while the inventory has the edition that it was read at: rows are never taken away, and where
//!   one gets another distribution point there is a new edition, in one step with it. What is not there may have been
//!   added since, and is looked for.
//! - A *pre-signed answer* where its reader finds that it says what the request's snapshot says; it may be of any time. Where
//!   it does not, or is not there, there may be a newer one in RocksDB. Whoever writes answers takes their pages down, so that
//!   the newest are given, but where somebody reads the page at that moment.

use super::answers::{AnswerRow, Reach};
use super::db::Family;
use super::epochs::{Epoch, Place};
use super::error::StoreError;
use super::format::{BadRow, Body, decode_listed, encode_status, for_each_status};
use super::scope::{Inventoried, IssuerNumber, Rows, SeriesNumber};
use super::shelf::Found;
use super::view::ReadView;
use crate::x509::SerialNumber;
use rocksdb::ReadOptions;

/// A page, mostly, in one read.
const READ_AHEAD: usize = 32 << 10;
/// Rows that a page's reader passes over at the most.
const MOST_SKIPPED: u64 = 1000;

/// What a look at the shelf gave.
enum Glance<T> {
    Row(T),
    /// A page without the row, or with one that is of no use.
    Nothing,
    /// A page that is too old to be believed.
    TooOld,
    NoPage,
    Nowhere,
}

/// The page of a row.
#[derive(Clone, Copy)]
struct Which<'a> {
    family: Family,
    number: u32,
    serial_number: &'a SerialNumber,
}

impl ReadView {
    /// As [`ReadView::revocations_within`], for requests.
    ///
    /// # Errors
    /// As there.
    pub fn revocations_at_hand(
        &self,
        issuer: IssuerNumber,
        serial_number: &SerialNumber,
        reach: Reach,
    ) -> Result<Rows, StoreError> {
        let which = Which { family: Family::Status, number: issuer.0, serial_number };
        let place = Place::of(issuer, serial_number);
        let glance = self.look(which, reach, |stamp, value| {
            let since = Epoch::from_number(stamp);
            // What a later view has read is none of this one's.
            if since > self.epoch() {
                return Ok(Glance::Nothing);
            }
            if !self.is_unchanged(place, since) {
                return Ok(Glance::TooOld);
            }
            let mut rows = Rows::none();
            if let Some(value) = value {
                for_each_status(value, |scope, body| rows.push(body.row(scope)))?;
            }
            Ok(Glance::Row(rows))
        })?;
        match glance {
            Glance::Row(rows) => Ok(rows),
            _ => self.revocations_within(issuer, serial_number, reach),
        }
    }

    /// As [`ReadView::inventory_within`], for requests: `edition` is what [`ReadView::inventory_edition`] says.
    ///
    /// # Errors
    /// As there.
    pub fn inventory_at_hand(
        &self,
        issuer: IssuerNumber,
        serial_number: &SerialNumber,
        edition: u32,
        reach: Reach,
    ) -> Result<Inventoried, StoreError> {
        let which = Which { family: Family::Inventory, number: issuer.0, serial_number };
        let glance = self.look(which, reach, |stamp, value| {
            Ok(match value {
                _ if stamp != u64::from(edition) => Glance::TooOld,
                Some(value) => Glance::Row(decode_listed(value)?),
                None => Glance::Nothing,
            })
        })?;
        if let Glance::Row(listed) = glance {
            return Ok(listed);
        }
        let listed = self.inventory_within(issuer, serial_number, reach)?;
        if listed != Inventoried::Unlisted && matches!(glance, Glance::Nothing) {
            self.let_be_read_anew(which);
        }
        Ok(listed)
    }

    /// As [`ReadView::answer`], for requests: where `judge` makes something of the answer that is held.
    ///
    /// # Errors
    /// As there.
    pub fn answer_at_hand<T>(
        &self,
        series: SeriesNumber,
        serial_number: &SerialNumber,
        reach: Reach,
        judge: impl Fn(AnswerRow<'_>) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        if self.moment().answers.is_none() {
            return Ok(None);
        }
        let which = Which { family: Family::Answers, number: series.0, serial_number };
        let glance = self.look(which, reach, |_, value| {
            let judged = value.map(AnswerRow::decode).transpose()?.and_then(&judge);
            Ok(judged.map_or(Glance::Nothing, Glance::Row))
        })?;
        if let Glance::Row(judged) = glance {
            return Ok(Some(judged));
        }
        let judged = self.answer(series, serial_number, reach, judge)?.flatten();
        if judged.is_some() && matches!(glance, Glance::Nothing) {
            self.let_be_read_anew(which);
        }
        Ok(judged)
    }

    /// Gives the stamp of a row's page and the row's value to `read`, and reads the page before where that is due. With
    /// [`Reach::Memory`] it goes no further than to say that the page is not there.
    fn look<T>(
        &self,
        which: Which<'_>,
        reach: Reach,
        read: impl Fn(u64, Option<&[u8]>) -> Result<Glance<T>, BadRow>,
    ) -> Result<Glance<T>, StoreError> {
        let db = self.moment().db;
        let shelf = db.shelf();
        let glance = || match shelf.find(which.family, which.number, which.serial_number, &read) {
            Found::Page(glance) => glance.map_err(|bad| db.bad(bad)),
            Found::NoPage => Ok(Glance::NoPage),
            Found::Nowhere => Ok(Glance::Nowhere),
        };
        let first = glance()?;
        let is_due = match (&first, reach) {
            (Glance::NoPage, Reach::Memory) => shelf.has_room(which.family) && shelf.sends_somebody(),
            (Glance::NoPage, Reach::Disk) => shelf.wants_page(which.family),
            (Glance::TooOld, Reach::Memory) => shelf.sends_somebody(),
            (Glance::TooOld, Reach::Disk) => true,
            (Glance::Row(_) | Glance::Nothing | Glance::Nowhere, _) => false,
        } && self.may_believe(which);
        match reach {
            _ if !is_due => Ok(first),
            Reach::Memory => Err(StoreError::NotInMemory { path: db.path().to_owned() }),
            // Whatever is wrong with it: the row itself may be read, and says it better.
            Reach::Disk => {
                if self.read_page(which).is_ok() {
                    glance()
                } else {
                    Ok(first)
                }
            }
        }
    }

    /// Whether what this view shows of a serial number would be believed, once it is read. While a large change is taken in,
    /// nothing is that was published before.
    fn may_believe(&self, which: Which<'_>) -> bool {
        which.family != Family::Status
            || self.is_unchanged(Place::of(IssuerNumber(which.number), which.serial_number), self.epoch())
    }

    fn let_be_read_anew(&self, which: Which<'_>) {
        self.moment().db.shelf().take_down(which.family, which.number, which.serial_number);
    }

    /// Reads the page of a row, and hangs it up.
    fn read_page(&self, which: Which<'_>) -> Result<(), StoreError> {
        let moment = self.moment();
        let db = moment.db;
        let stamp = match which.family {
            Family::Status => self.epoch().get(),
            Family::Inventory => u64::from(self.inventory_edition(IssuerNumber(which.number))?),
            _ => 0,
        };
        let family = db.family(which.family)?;
        let mut status = Vec::new();
        db.shelf().put((which.family, which.number), which.serial_number, stamp, |range, page| {
            let mut read = ReadOptions::default();
            // Answers may be of any time.
            if which.family != Family::Answers {
                read.set_snapshot(&moment.snapshot);
            }
            // They are kept here, not there.
            read.fill_cache(false);
            read.set_readahead_size(READ_AHEAD);
            read.set_iterate_upper_bound(range.to.as_slice());
            // Rows that count for nobody: of a load under way, taken away, or later than the view. Where there are many the range
            // is parted, like one with many rows.
            read.set_max_skippable_internal_keys(MOST_SKIPPED);
            let mut skipped = 0;
            let mut cursor = db.rocks().raw_iterator_cf_opt(family, read);
            cursor.seek(&range.from);
            while let Some((key, value)) = cursor.item() {
                let mut counts = true;
                let value = match which.family {
                    Family::Status => match self.rows_of(value) {
                        Ok(rows) => {
                            // Where no scope that counts says anything there is no row.
                            counts = !rows.is_empty();
                            encode_status(rows.iter().map(|row| (row.scope, Body::of(row))), &mut status);
                            &status
                        }
                        // It is as damaged on the page, for whoever asks for it.
                        Err(_) => value,
                    },
                    _ => value,
                };
                if !counts {
                    skipped += 1;
                    if skipped > MOST_SKIPPED {
                        return Ok(false);
                    }
                } else if !key.get(4..).is_some_and(|serial_number| page.add(serial_number, value)) {
                    return Ok(false);
                }
                cursor.next();
            }
            // "No row here" may also mean that reading failed.
            match cursor.status().map_err(|error| db.failed(&error)) {
                Ok(()) => Ok(true),
                Err(StoreError::NotInMemory { .. }) => Ok(false),
                Err(why) => Err(why),
            }
        })
    }
}
