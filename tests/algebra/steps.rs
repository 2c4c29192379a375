//! What may happen to a responder, said relative to what it holds, so that a sequence that shrinks
//! still means something.

use crate::house::DAY;
use crate::model::{Crl, Entries, Entry, Inventory, Model, Point, SCOPES, Serial};
use ocsprey::x509::CrlReason;
use proptest::prelude::*;

pub const HOUR: i64 = 3_600;

/// The first CRL's number: those that follow get a second octet, and a sign in between.
const FIRST_NUMBER: i64 = 126;

/// A change of one entry from the CRL before.
#[derive(Debug, Clone, Copy)]
pub enum Edit {
    /// The entry leaves: a hold is released, or a permanent entry vanishes.
    Drop,
    /// Revoked so many days ago.
    Put(i64, Option<CrlReason>),
    /// removeFromCRL; lawful in a delta CRL only.
    Remove,
}

#[derive(Debug, Clone)]
pub struct Draft {
    /// Of [`SCOPES`].
    pub scope: usize,
    /// How far its number is from the full CRL's that is held: 0 is the same, below 0 a rollback.
    pub number: i64,
    /// Of a delta CRL: how far BaseCRLNumber is from the full CRL's that is held.
    pub base: Option<i64>,
    /// Seconds from now to thisUpdate.
    pub this_update: i64,
    /// From thisUpdate to nextUpdate.
    pub life: i64,
    pub edits: Vec<(Serial, Edit)>,
}

#[derive(Debug, Clone)]
pub enum Step {
    Publish(Draft),
    /// The full CRL that is held comes once more.
    Again(usize),
    /// The service stops and starts.
    Reopen,
    /// Time passes.
    Wait(i64),
}

impl Draft {
    /// The CRL, from the full CRL that is held of its scope.
    pub fn crl(&self, model: &Model, now: i64) -> Crl {
        let scope = SCOPES[self.scope];
        let held = model.full(scope);
        let number = held.map_or(FIRST_NUMBER, |held| i64::try_from(held.number).unwrap());
        let from = |difference: i64| u64::try_from((number + difference).max(0)).unwrap();
        // A full CRL says everything, a delta CRL only what is new.
        let mut entries = match (self.base, held) {
            (None, Some(held)) => held.entries.clone(),
            _ => Entries::new(),
        };
        for (serial, edit) in &self.edits {
            match *edit {
                Edit::Drop => entries.remove(serial),
                Edit::Put(days, reason) => {
                    entries.insert(*serial, Entry { date: crate::house::start() - days * DAY, reason })
                }
                Edit::Remove => {
                    let reason = Some(CrlReason::RemoveFromCrl);
                    entries.insert(*serial, Entry { date: now, reason })
                }
            };
        }
        let this_update = now + self.this_update;
        let next_update = this_update + self.life;
        Crl { scope, number: from(self.number), base: self.base.map(from), this_update, next_update, entries }
    }
}

fn serial() -> impl Strategy<Value = Serial> {
    0..crate::house::SERIALS.len()
}

fn edit() -> impl Strategy<Value = Edit> {
    let reasons = vec![None, Some(CrlReason::KeyCompromise), Some(CrlReason::Superseded)];
    prop_oneof![
        3 => Just(Edit::Drop),
        3 => (1..4i64).prop_map(|days| Edit::Put(days, Some(CrlReason::CertificateHold))),
        3 => (1..4i64, prop::sample::select(reasons)).prop_map(|(days, reason)| Edit::Put(days, reason)),
    ]
}

fn full() -> impl Strategy<Value = Draft> {
    (
        0..SCOPES.len(),
        prop_oneof![12 => 1..3i64, 1 => Just(0), 1 => -2..0i64],
        prop_oneof![6 => Just(0), 2 => Just(-HOUR), 1 => Just(200), 1 => Just(HOUR), 1 => Just(-2 * DAY)],
        prop_oneof![4 => Just(DAY), 2 => Just(3 * DAY), 1 => Just(HOUR)],
        prop::collection::vec((serial(), edit()), 0..6),
        // Now and then, against 5.3.1.
        prop::option::weighted(0.04, serial()),
    )
        .prop_map(|(scope, number, this_update, life, mut edits, removed)| {
            edits.extend(removed.map(|serial| (serial, Edit::Remove)));
            Draft { scope, number, base: None, this_update, life, edits }
        })
}

fn delta() -> impl Strategy<Value = Draft> {
    let edits = prop_oneof![2 => edit(), 1 => Just(Edit::Remove)];
    let number = prop_oneof![6 => 1..4i64, 1 => -1..1i64];
    let base = prop_oneof![4 => Just(0), 1 => Just(1), 2 => -2..0i64];
    (full(), number, base, prop::collection::vec((serial(), edits), 0..4))
        .prop_map(|(full, number, base, edits)| Draft { number, base: Some(base), edits, ..full })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => full().prop_map(Step::Publish),
        6 => delta().prop_map(Step::Publish),
        1 => (0..SCOPES.len()).prop_map(Step::Again),
        1 => Just(Step::Reopen),
        4 => prop::sample::select(&[1, 300, HOUR, 12 * HOUR, DAY, 2 * DAY][..]).prop_map(Step::Wait),
    ]
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..16)
}

/// None, or one that lists all but a few, some of them with their distribution points.
pub fn inventory() -> impl Strategy<Value = Option<Inventory>> {
    let points = vec![None, None, Some(Point::East), Some(Point::West), Some(Point::Nowhere)];
    let rows = prop::collection::btree_map(serial(), prop::sample::select(points), 1..20);
    prop::option::of(rows)
}
