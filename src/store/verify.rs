//! Reads a whole store and says everything that is wrong with it: `ocsprey store verify`, and every restore.
//!
//! Every block of every family is read, with its checksum; every row is decoded; and what two rows say of
//! the same is compared:
//!
//! - a row of the index by scope and its twin in `status` (one by one, and how many there are of each scope);
//! - a scope's record and its rows, its key and its number;
//! - rows of scopes without a record and their marks, rows laid over others and their bases;
//! - an inventory's state and its rows; numbers and the last one given out; answers and their series; counts and
//!   whose they are.
//!
//! It opens for reading, so it may look at the store of a running server: as it stood when it was opened.
//! Filters that no look-up comes by (the inventory's) are not read: a damaged one costs a look-up that reads
//! the row itself, never a wrong answer. What it finds names no serial number.

use super::block;
use super::db::{Cursor, Db, Family};
use super::error::StoreError;
use super::format::answers::{AnswerRow, SegmentRow, segment_start};
use super::format::usage::{decode_count, decode_key};
use super::format::{
    BadRow, Body, FORMAT_KEY, NumberKind, RowKey, decode_inventory, decode_inventory_state, decode_number,
    decode_record, decode_unrecorded, for_each_status, number_of_key, scope_key, serial_of,
};
use super::replace::ScopeRows;
use super::scope::{ScopeNumber, ScopeRecord};
use super::sketch;
use super::{Store, StoreOptions};
use crate::x509::SerialNumber;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Problems that are told one by one.
const MOST_TOLD: usize = 100;

/// Rows between two words of progress.
const STEP: u64 = 10_000;

/// What was found in a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verification {
    /// What is wrong; none, if the store is well.
    pub problems: Vec<String>,
    /// More problems than are listed.
    pub untold: u64,
    /// What is under way and not wrong: the next writer finishes it.
    pub unfinished: Vec<String>,
    /// Rows of each family.
    pub rows: Vec<(&'static str, u64)>,
    pub scopes: u64,
}

/// Looks at the store in the folder `path`. `progress` is told rows as they are read.
///
/// # Errors
/// When it cannot be opened: there is none, or it is of another format. What cannot be read later is among
/// the problems.
pub fn verify(
    path: &Path,
    options: &StoreOptions,
    progress: impl FnMut(u64),
) -> Result<Verification, StoreError> {
    Ok(Store::open_read_only(path, options)?.verify(progress))
}

impl Store {
    /// As [`verify`], of a store that is open. Whoever writes meanwhile makes it find what is not wrong.
    pub fn verify(&self, progress: impl FnMut(u64)) -> Verification {
        let mut verifier = Verifier {
            db: &self.db,
            progress,
            told: 0,
            found: Verification::default(),
            meta: Meta::default(),
            status_rows: BTreeMap::new(),
        };
        verifier.family(Family::Meta, Verifier::meta_row);
        verifier.marks();
        verifier.family(Family::Status, Verifier::status_row);
        verifier.index();
        verifier.inventory();
        if self.db.answers().is_some() {
            verifier.family(Family::Answers, Verifier::answer_row);
        }
        if self.db.rocks().cf_handle(Family::Usage.name()).is_some() {
            verifier.family(Family::Usage, Verifier::usage_row);
        }
        verifier.found
    }
}

/// Looks at one row: its key and its value.
type Look<V> = fn(&mut V, &[u8], &[u8]) -> Result<(), BadRow>;

/// What `meta` says, to hold the other families against.
#[derive(Default)]
struct Meta {
    scopes: BTreeMap<u32, ScopeRecord>,
    /// Numbers in `K` rows, and the keys they stand under.
    keys: Vec<(Vec<u8>, u32)>,
    /// Scope to issuer.
    unrecorded: BTreeMap<u32, u32>,
    /// Scope to base.
    overlays: BTreeMap<u32, u32>,
    /// By the octet of the kind.
    numbers: BTreeMap<u8, HashSet<u32>>,
    last: BTreeMap<u8, u32>,
    /// Issuer to completeness and rows.
    inventories: BTreeMap<u32, (bool, u64)>,
}

impl Meta {
    fn knows(&self, kind: NumberKind, number: u32) -> bool {
        self.numbers.get(&(kind as u8)).is_some_and(|numbers| numbers.contains(&number))
    }

    /// The issuer of a number that rows may have.
    fn issuer_of_rows(&self, scope: u32) -> Option<u32> {
        let of_scope = |scope| self.scopes.get(scope).map(|record| record.issuer().get());
        of_scope(&scope)
            .or_else(|| self.unrecorded.get(&scope).copied())
            .or_else(|| self.overlays.get(&scope).and_then(of_scope))
    }
}

struct Verifier<'a, P> {
    db: &'a Db,
    progress: P,
    told: u64,
    found: Verification,
    meta: Meta,
    /// Rows in `status` of each scope.
    status_rows: BTreeMap<u32, u64>,
}

impl<'a, P: FnMut(u64)> Verifier<'a, P> {
    fn wrong(&mut self, problem: impl Into<String>) {
        if self.found.problems.len() < MOST_TOLD {
            self.found.problems.push(problem.into());
        } else {
            self.found.untold += 1;
        }
    }

    fn step(&mut self, rows: u64) {
        self.told += rows;
        if self.told >= STEP {
            (self.progress)(std::mem::take(&mut self.told));
        }
    }

    /// Gives every row of `family` to `look`. A block that cannot be read ends the walk: what is behind it
    /// cannot be reached.
    fn family(&mut self, family: Family, look: Look<Self>) {
        let mut count = 0;
        let walked = (|| {
            let mut cursor: Cursor<'a> = self.db.rows_from(family, &[], None)?;
            while let Some((key, value)) = cursor.current() {
                count += 1;
                self.step(1);
                if let Err(BadRow(row)) = look(self, key, value) {
                    self.wrong(format!(
                        "{}: {row} has octets that ocsprey never writes there",
                        family.name()
                    ));
                }
                cursor.advance()?;
            }
            Ok::<_, StoreError>(())
        })();
        if let Err(why) = walked {
            self.wrong(format!("{}: cannot be read to its end, after {count} rows: {why}", family.name()));
        }
        self.found.rows.push((family.name(), count));
    }

    fn meta_row(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadRow> {
        const UNKNOWN: BadRow = BadRow("a row of a kind that this ocsprey does not know");
        if key == FORMAT_KEY {
            return decode_number("the format version", value).map(drop);
        }
        let (tag, rest) = key.split_first().ok_or(UNKNOWN)?;
        match tag {
            b'N' => {
                let kind = *rest.first().ok_or(UNKNOWN)?;
                self.meta.last.insert(kind, decode_number("the last number given out", value)?);
            }
            b'I' | b'D' | b'Y' | b'B' => {
                let number = decode_number("the number of a name", value)?;
                if !self.meta.numbers.entry(*tag).or_default().insert(number) {
                    self.wrong(format!(
                        "meta: two names have the number {number} (kind {})",
                        char::from(*tag)
                    ));
                }
            }
            b'K' => {
                let number = decode_number("the number of a scope", value)?;
                self.meta.keys.push((key.to_vec(), number));
            }
            b'S' => {
                let number = number_of_key(key)?;
                self.meta.scopes.insert(number, decode_record(ScopeNumber(number), value)?);
                self.found.scopes += 1;
            }
            b'P' => {
                let (issuer, _) = decode_unrecorded(value)?;
                self.meta.unrecorded.insert(number_of_key(key)?, issuer.get());
            }
            b'O' => {
                let base = decode_number("the base of an overlay", value)?;
                self.meta.overlays.insert(number_of_key(key)?, base);
            }
            b'V' => {
                self.meta.inventories.insert(number_of_key(key)?, decode_inventory_state(value)?);
            }
            b'W' => {
                number_of_key(key)?;
                decode_number("the edition of an inventory", value)?;
            }
            b'A' => {
                segment_start(key)?;
                SegmentRow::decode(value)?;
            }
            b'R' => {}
            b'Q' | b'q' => sketch::check_row(key, value)?,
            _ => return Err(UNKNOWN),
        }
        Ok(())
    }

    /// What the rows of `meta` say of each other.
    fn marks(&mut self) {
        let mut wrong = Vec::new();
        let meta = &self.meta;
        for (number, record) in &meta.scopes {
            let mut keys = meta.keys.iter().filter(|(_, named)| named == number);
            if !keys.any(|(key, _)| *key == scope_key(&record.crl.key)) {
                wrong.push(format!("meta: scope {number} has a record, and no name leads to it"));
            }
            if !meta.knows(NumberKind::Issuer, record.issuer().get()) {
                wrong.push(format!("meta: scope {number} is of an issuer that has no name"));
            }
        }
        for (_, number) in meta.keys.iter().filter(|(_, number)| !meta.scopes.contains_key(number)) {
            wrong.push(format!("meta: a name leads to scope {number}, which has no record"));
        }
        for (scope, base) in meta.overlays.iter().filter(|(_, base)| !meta.scopes.contains_key(base)) {
            wrong
                .push(format!("meta: rows of scope {scope} are laid over scope {base}, which has no record"));
        }
        let scopes = [&meta.unrecorded, &meta.overlays].into_iter().flat_map(|marks| marks.keys());
        let scopes = scopes.chain(meta.scopes.keys()).copied().max();
        let highest = meta.numbers.iter().map(|(kind, numbers)| (*kind, numbers.iter().copied().max()));
        for (kind, highest) in highest.chain([(NumberKind::Scope as u8, scopes)]) {
            if highest.unwrap_or(0) > meta.last.get(&kind).copied().unwrap_or(0) {
                wrong.push(format!(
                    "meta: a number is in use that was not given out (kind {})",
                    char::from(kind)
                ));
            }
        }
        let unfinished = meta.unrecorded.keys().map(|scope| format!("rows of scope {scope} are to be swept"));
        let folded =
            meta.overlays.values().map(|base| format!("a large change of scope {base} is to be folded in"));
        self.found.unfinished.extend(unfinished.chain(folded));
        for problem in wrong {
            self.wrong(problem);
        }
    }

    fn status_row(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadRow> {
        serial_of(key)?;
        let issuer = key.first_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
        let (meta, status_rows, mut stray) = (&self.meta, &mut self.status_rows, Vec::new());
        for_each_status(value, |ScopeNumber(scope), _| {
            *status_rows.entry(scope).or_default() += 1;
            match meta.issuer_of_rows(scope) {
                None => {
                    stray.push(format!("status: a row of scope {scope}, which has neither record nor mark"));
                }
                Some(of) if of != issuer => {
                    stray.push(format!("status: a row of scope {scope} stands under another issuer"));
                }
                Some(_) => {}
            }
        })?;
        for problem in stray {
            self.wrong(problem);
        }
        Ok(())
    }

    /// Every row of the index against its twin, and the rows of each scope against its record.
    fn index(&mut self) {
        let mut counted = Vec::new();
        let name = Family::ScopeRows.name();
        let walked = (|| {
            let mut cursor = self.db.rows_from(Family::ScopeRows, &[], None)?;
            let (mut rows, mut before) = (Vec::new(), None::<(u32, SerialNumber)>);
            while let Some((key, value)) = cursor.current() {
                let scope = key.first_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
                match block::decode(key, value, &mut rows) {
                    Err(BadRow(row)) => {
                        self.wrong(format!("{name}: {row} has octets that ocsprey never writes there"));
                    }
                    Ok(()) => {
                        let first = rows.first().map(|(serial, _)| (scope, *serial));
                        if before >= first && before.is_some() {
                            self.wrong(format!("{name}: two blocks of scope {scope} overlap"));
                        }
                        before = rows.last().map(|(serial, _)| (scope, *serial));
                        self.twins(scope, &rows)?;
                        match counted.last_mut() {
                            Some((last, count)) if *last == scope => *count += rows.len() as u64,
                            _ => counted.push((scope, rows.len() as u64)),
                        }
                        self.step(rows.len() as u64);
                    }
                }
                cursor.advance()?;
            }
            Ok::<_, StoreError>(())
        })();
        if let Err(why) = walked {
            return self.wrong(format!("{name}: cannot be read to its end: {why}"));
        }
        self.found.rows.push((name, counted.iter().map(|(_, count)| count).sum()));
        let counted: BTreeMap<u32, u64> = counted.into_iter().collect();
        for scope in self.meta.scopes.keys().copied().collect::<Vec<_>>() {
            self.record(scope, counted.get(&scope).copied().unwrap_or(0));
        }
        for (scope, in_status) in std::mem::take(&mut self.status_rows) {
            let in_index = counted.get(&scope).copied().unwrap_or(0);
            // While rows are swept or folded, both go in one batch: the counts agree at every moment, but for
            // files of which only the index was taken in.
            if in_status != in_index && !self.meta.unrecorded.contains_key(&scope) {
                self.wrong(format!("scope {scope}: {in_index} rows in the index, {in_status} in status"));
            }
        }
    }

    fn twins(&mut self, scope: u32, rows: &[(SerialNumber, Body)]) -> Result<(), StoreError> {
        let Some(issuer) = self.meta.issuer_of_rows(scope) else {
            self.wrong(format!("scope {scope}: rows in the index, and neither record nor mark"));
            return Ok(());
        };
        if self.meta.unrecorded.contains_key(&scope) {
            return Ok(());
        }
        let keys: Vec<RowKey> = rows.iter().map(|(serial, _)| RowKey::new(issuer, serial)).collect();
        let mut differing = 0;
        for ((_, body), value) in rows.iter().zip(self.db.get_many(Family::Status, &keys)?) {
            let mut twin = None;
            if let Some(value) = value {
                // Octets that cannot be read were told when `status` was walked.
                let _ = for_each_status(&value, |ScopeNumber(of), body| {
                    if of == scope {
                        twin = Some(body);
                    }
                });
            }
            differing += u64::from(twin != Some(*body));
        }
        if differing > 0 {
            self.wrong(format!(
                "scope {scope}: {differing} rows of a block say another thing in status, or nothing"
            ));
        }
        Ok(())
    }

    /// The record's counts. An entry that the CRL calls a hold, of a certificate that was revoked for good, is an
    /// entry and a retained row: so there may be fewer rows than both together.
    fn record(&mut self, scope: u32, rows: u64) {
        let Some(ScopeRecord { entries, retained, .. }) = self.meta.scopes.get(&scope) else { return };
        let (entries, expected) = (*entries, *retained);
        let is_overlaid = self.meta.overlays.values().any(|base| *base == scope);
        if rows > 0 || is_overlaid {
            match self.count(scope) {
                Ok((all, retained)) if retained == expected && all - retained <= entries && entries <= all => {}
                Ok((all, retained)) => self.wrong(format!(
                    "scope {scope}: its record says {entries} entries and {expected} retained, its {all} rows {retained} retained"
                )),
                Err(why) => self.wrong(format!("scope {scope}: its rows cannot be read: {why}")),
            }
        } else if entries != 0 || expected != 0 {
            self.wrong(format!("scope {scope}: its record says {entries} entries, and it has no row"));
        }
    }

    /// Rows that readers see of a scope, and those that are retained.
    fn count(&self, scope: u32) -> Result<(u64, u64), StoreError> {
        let mut rows = ScopeRows::new(self.db, Some(ScopeNumber(scope)))?;
        let (mut all, mut retained) = (0, 0);
        while let Some((_, body)) = rows.take()? {
            all += 1;
            retained += u64::from(body.is_retained());
        }
        Ok((all, retained))
    }

    fn inventory(&mut self) {
        let mut counted: BTreeMap<u32, u64> = BTreeMap::new();
        let name = Family::Inventory.name();
        let walked = (|| {
            let mut cursor = self.db.rows_from(Family::Inventory, &[], None)?;
            while let Some((key, value)) = cursor.current() {
                let issuer = key.first_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
                *counted.entry(issuer).or_default() += 1;
                match serial_of(key).and_then(|_| decode_inventory(value)) {
                    Ok(Some(point)) if !self.meta.knows(NumberKind::DistributionPoint, point.get()) => {
                        self.wrong(format!(
                            "{name}: a row names distribution point {point}, which has no name"
                        ));
                    }
                    Ok(_) => {}
                    Err(BadRow(row)) => {
                        self.wrong(format!("{name}: {row} has octets that ocsprey never writes there"));
                    }
                }
                self.step(1);
                cursor.advance()?;
            }
            Ok::<_, StoreError>(())
        })();
        if let Err(why) = walked {
            self.wrong(format!("{name}: cannot be read to its end: {why}"));
        }
        self.found.rows.push((name, counted.values().sum()));
        for (issuer, (is_complete, said)) in std::mem::take(&mut self.meta.inventories) {
            let rows = counted.remove(&issuer).unwrap_or(0);
            if is_complete && rows != said {
                self.wrong(format!("{name}: issuer {issuer} has {rows} rows, its record says {said}"));
            } else if !is_complete {
                self.found
                    .unfinished
                    .push(format!("the inventory of issuer {issuer} is not loaded to its end"));
            }
        }
        for issuer in counted.into_keys() {
            self.wrong(format!("{name}: rows of issuer {issuer}, of whose inventory nothing is recorded"));
        }
    }

    fn usage_row(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadRow> {
        let counted = decode_key(key)?;
        decode_count(value)?;
        let is_known = counted.verifier.is_none_or(|one| self.meta.knows(NumberKind::Verifier, one.get()))
            && counted.issuer.is_none_or(|one| self.meta.knows(NumberKind::Issuer, one.get()));
        if !is_known {
            self.wrong("usage: a row of a verifier or an issuer that has no name");
        }
        Ok(())
    }

    fn answer_row(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadRow> {
        serial_of(key)?;
        AnswerRow::decode(value)?;
        let series = key.first_chunk().map_or(0, |octets| u32::from_be_bytes(*octets));
        if !self.meta.knows(NumberKind::Series, series) {
            self.wrong(format!("answers: a row of series {series}, which has no name"));
        }
        Ok(())
    }
}
