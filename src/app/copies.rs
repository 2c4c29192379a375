//! Copies of the store: one before new CRLs come in, one whenever somebody asks for it. `ocsprey store …`, and `POST
//! /api/v1/store/backup`. Going back to them is [`rollback`](super::rollback)'s.
//!
//! Copies before new CRLs (`store.checkpoints`) lie in `checkpoints/` below the store, linked and not copied: what they
//! take of the disk is what the store has rewritten since. One is made before the first CRL of a period
//! (`store.checkpoint_every`), and before every CRL that is forced past the guard. They are called by the time, and in the
//! order in which they were made: where the clock was put back, a name is the second after the newest one.

#![expect(clippy::disallowed_methods, reason = "reports say how long the work took")]

use super::places::open_store;
use super::rollback::{NotTakenBack, Source, take_back};
use super::{AppError, Fault, issuers};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{Refusal, RollbackOrder};
use crate::ingest::Manner;
use crate::metrics::Metrics;
use crate::store::{Existing, Restored, Store, StoreError, Verification, file_stamp, restore, verify};
use crate::x509::UnixTime;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where the copies before new CRLs lie, below the store.
const FOLDER: &str = "checkpoints";

/// Octets of a name of a backup.
const LONGEST_NAME: usize = 100;

/// Makes copies before CRLs come in.
#[derive(Debug)]
pub(super) struct Precautions {
    folder: PathBuf,
    keep: usize,
    /// Seconds.
    every: i64,
    /// By its name.
    newest: Option<UnixTime>,
    /// When the last one was made.
    made: Option<UnixTime>,
}

impl Precautions {
    pub fn of(config: &Config) -> Self {
        let folder = kept_in(config);
        let newest = checkpoints(&folder).last().map(|(time, _)| *time);
        let every = i64::try_from(config.store.checkpoint_every.as_secs()).unwrap_or(i64::MAX);
        Self { folder, keep: config.store.checkpoints, every, newest, made: newest }
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// To be called before a CRL is taken in. That no copy can be made is told, and stops no CRL: a
    /// revocation must not wait for it.
    pub fn before(&mut self, store: &Store, manner: Manner, now: UnixTime) {
        if !self.is_due(store, manner, now) {
            return;
        }
        let started = Instant::now();
        // Two in one second have names of two seconds; and by an older name than the others' it would be the first
        // to be forgotten, and the last to be gone back to.
        let at = self.newest.map_or(now, |newest| now.max(newest.plus(1)));
        let path = self.folder.join(file_stamp(at));
        match store.checkpoint(&path) {
            Ok(()) => {
                (self.newest, self.made) = (Some(at), Some(now));
                let seconds = started.elapsed().as_secs_f64();
                tracing::info!(path = %path.display(), seconds, "the store was copied before new CRLs come in");
                self.forget_old();
            }
            Err(why) => tracing::error!(reason = %why, "the store was not copied before a new CRL"),
        }
    }

    /// Whether a copy is to be made now.
    pub fn is_due(&self, store: &Store, manner: Manner, now: UnixTime) -> bool {
        let is_due = match (manner, self.made) {
            (Manner::Rehearsed, _) => false,
            (Manner::Forced, _) | (Manner::Guarded, None) => true,
            // A clock that was put back shall not keep the next copy away.
            (Manner::Guarded, Some(made)) => now.since(made) >= self.every || now < made,
        };
        self.keep != 0 && is_due && !store.scopes().is_ok_and(|scopes| scopes.is_empty())
    }

    fn forget_old(&self) {
        let found = checkpoints(&self.folder);
        for (_, path) in found.iter().take(found.len().saturating_sub(self.keep)) {
            if let Err(why) = std::fs::remove_dir_all(path) {
                tracing::warn!(path = %path.display(), reason = %why, "an old copy of the store stays");
            }
        }
    }
}

/// Where the copies before new CRLs lie.
fn kept_in(config: &Config) -> PathBuf {
    config.store.path.join(FOLDER)
}

/// Copies in `folder`, the oldest first. What has another name is not ours.
pub(super) fn checkpoints(folder: &Path) -> Vec<(UnixTime, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let of_entry = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_str()?;
        let digits: String = name.chars().filter(char::is_ascii_digit).collect();
        let time = UnixTime::from_generalized_time(format!("{digits}Z").as_bytes())?;
        (file_stamp(time) == name).then(|| (time, entry.path()))
    };
    let mut found: Vec<_> = entries.filter_map(Result::ok).filter_map(of_entry).collect();
    found.sort();
    found
}

/// The folder of the backup that whoever may reach the admin pages calls so: below the configured one and
/// nowhere else.
///
/// # Errors
/// [`Refusal::Unacceptable`] where nothing is configured, or the name could lead elsewhere.
pub(super) fn backup_named(backups: Option<&Path>, name: &str) -> Result<PathBuf, Refusal> {
    let refused = |why: &str| Err(Refusal::Unacceptable(why.to_owned()));
    let Some(backups) = backups else {
        return refused("nobody said where backups are: set store.backups in the configuration, and reload");
    };
    let is_plain = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.".contains(&letter);
    if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') || !name.bytes().all(is_plain) {
        return refused("name a folder below store.backups, of letters, digits, -, _ and .");
    }
    Ok(backups.join(name))
}

/// A copy of a running server's store.
pub(super) fn back_up(store: &Store, backups: Option<&Path>, name: &str) -> Result<Value, Refusal> {
    copy(store, &backup_named(backups, name)?).map_err(|why| match why {
        StoreError::CopyExists { .. } => Refusal::Unacceptable(why.to_string()),
        other => Refusal::Unavailable(other.to_string()),
    })
}

fn copy(store: &Store, to: &Path) -> Result<Value, StoreError> {
    let started = Instant::now();
    store.checkpoint(to)?;
    let octets: u64 = std::fs::read_dir(to).map_or(0, |entries| {
        entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
    });
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!(path = %to.display(), octets, seconds, "the store was backed up");
    Ok(json!({ "path": to.display().to_string(), "octets": octets, "seconds": seconds }))
}

/// Copies the store of a configuration, which no server may hold, into the new folder `to`.
///
/// # Errors
/// When there is no store, or a server holds it, or the disk refuses.
pub fn back_up_store(config: &Config, to: &Path) -> Result<Value, AppError> {
    Ok(copy(&*open_existing(config)?, to)?)
}

/// Puts the backup `from` into the place of the store of a configuration.
///
/// # Errors
/// Why it was not put there; what was there stays.
pub fn restore_store(
    config: &Config,
    from: &Path,
    existing: Existing,
    progress: impl FnMut(u64),
) -> Result<Restored, AppError> {
    let now = Clock::System.now();
    Ok(restore(from, &config.store.path, existing, now, &super::store_options(), progress)?)
}

/// Reads the store in `path` through, and says what is wrong with it.
///
/// # Errors
/// When it cannot be opened.
pub fn verify_store(path: &Path, progress: impl FnMut(u64)) -> Result<Verification, AppError> {
    Ok(verify(path, &super::store_options(), progress)?)
}

/// Opens the store of a configuration for writing, and makes none.
fn open_existing(config: &Config) -> Result<std::sync::Arc<Store>, StoreError> {
    if !config.store.path.join("CURRENT").exists() {
        return Err(StoreError::Missing { path: config.store.path.clone() });
    }
    open_store(config)
}

/// Takes CRLs of the store of a configuration back, which no server may hold.
///
/// # Errors
/// When the configuration or the store is no good; inside, why there is nothing to take back.
pub fn take_back_in_store(
    config: &Config,
    order: &RollbackOrder,
) -> Result<Result<Value, NotTakenBack>, AppError> {
    let loaded = issuers::load(config, &Metrics::new()?, &Clock::System).map_err(AppError::Faults)?;
    let Some(issuer) = loaded.iter().find(|issuer| issuer.name == order.issuer) else {
        let why = format!("there is no issuer \"{}\"", order.issuer);
        return Err(AppError::Faults(vec![Fault::new("--issuer", why)]));
    };
    let store = open_existing(config)?;
    let Some(number) = store.find_issuer(&issuer.canonical_name)? else {
        return Ok(Err(NotTakenBack::NoSuchScope));
    };
    let folder = kept_in(config);
    let source = match &order.from {
        Some(from) => Source::This(Path::new(from)),
        None => Source::Newest(&folder),
    };
    let taken = take_back(&store, number, order, source, Clock::System.now());
    Ok(taken.map(|(report, _)| report))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::KeyKind;
    use crate::signing::test_pki::{Authority, now};
    use crate::snapshot::test_setting::{Crl, DAY, Setting};

    fn names(folder: &Path) -> Vec<String> {
        checkpoints(folder)
            .iter()
            .map(|(_, path)| path.file_name().unwrap().to_string_lossy().into())
            .collect()
    }

    #[test]
    fn only_copies_by_their_names_are_ours() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["20261122T000700Z", "20251122T000700Z", "20261122", "before", "20261322T000700Z"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        assert_eq!(names(folder.path()), ["20251122T000700Z", "20261122T000700Z"]);
    }

    #[test]
    fn the_last_copies_are_kept_in_order_also_when_the_clock_was_put_back() {
        let mut setting = Setting::new();
        let authority = Authority::new(KeyKind::P256, "CN=ca");
        let issuer = setting.add("auth", Vec::new());
        setting.load(Crl::of(issuer, &authority.certificate));
        let folder = tempfile::tempdir_in(setting.store.path()).unwrap();
        let path = folder.path().join("checkpoints");
        let of = |newest| Precautions { folder: path.clone(), keep: 2, every: DAY, newest, made: newest };
        let mut precautions = of(None);
        let (noon, ahead) = (now(), now().plus(4000 * DAY));
        let copy_at = |time: UnixTime, mark: u8, precautions: &mut Precautions| {
            setting.store.set_note("mark", &[mark]).unwrap();
            precautions.before(&setting.store, Manner::Guarded, time);
            let marks = checkpoints(&path).into_iter().map(|(_, path)| {
                let copy = Store::open_read_only(&path, &super::super::store_options()).unwrap();
                copy.note("mark").unwrap().unwrap()[0]
            });
            marks.collect::<Vec<_>>()
        };
        assert_eq!(copy_at(noon, 1, &mut precautions), [1]);
        assert_eq!(copy_at(ahead, 2, &mut precautions), [1, 2]);
        assert_eq!(copy_at(ahead.plus(DAY), 3, &mut precautions), [2, 3]);
        // Put back: the next one counts as the newest, and one is made a day as before.
        assert_eq!(copy_at(noon.plus(60), 4, &mut precautions), [3, 4]);
        assert_eq!(copy_at(noon.plus(DAY), 5, &mut precautions), [3, 4]);
        assert_eq!(copy_at(noon.plus(DAY + 60), 6, &mut precautions), [4, 6]);
        // Another process finds only their names.
        let newest = checkpoints(&path).last().map(|(time, _)| *time);
        assert_eq!(copy_at(noon.plus(DAY + 120), 7, &mut of(newest)), [6, 7]);
    }

    #[test]
    fn a_backup_by_name_stays_below_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), &super::super::store_options()).unwrap();
        let backups = folder.path().join("backups");
        for name in ["", "..", ".hidden", "a/b", "/etc", "a\\b", "a b", &"a".repeat(101)] {
            assert!(matches!(back_up(&store, Some(&backups), name), Err(Refusal::Unacceptable(_))), "{name}");
        }
        assert!(matches!(back_up(&store, None, "a"), Err(Refusal::Unacceptable(_))));
        assert!(!backups.exists());
        let report = back_up(&store, Some(&backups), "monday").unwrap();
        assert!(report["octets"].as_u64().unwrap() > 0, "{report}");
        assert!(verify_store(&backups.join("monday"), |_| {}).unwrap().problems.is_empty());
        assert!(matches!(back_up(&store, Some(&backups), "monday"), Err(Refusal::Unacceptable(_))));
    }
}
