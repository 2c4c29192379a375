//! The names under which serial numbers stand in the audit log, and the keys that lead back to them.
//!
//! A pseudonym is HMAC-SHA-256 of the issuer's name and the serial number under the key of a day or a month, its
//! first 16 octets. Within a period one card has one pseudonym; over periods nobody can tell that two are one card, and
//! once a period's key is destroyed nobody can tell whose a pseudonym was, not even with all serial numbers at hand.
//!
//! Keys are files of 32 random octets with mode 0600, one a period, in a folder of their own: `2026-11-22.key`, or
//! `2026-11.key`. Periods are UTC's. Destroyed means overwritten, then removed; what an SSD or a backup keeps of them
//! is a matter of the encryption below.

use super::AuditError;
use super::record::PSEUDONYM;
use crate::signing::{PseudonymKey, fill_random};
use crate::x509::{SerialNumber, UnixTime};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// How long one key is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyPeriod {
    #[default]
    Day,
    Month,
}

const DAY: i64 = 86_400;
const KEY_OCTETS: usize = 32;

impl KeyPeriod {
    /// The name of the period that `time` lies in.
    #[must_use]
    pub fn name(self, time: UnixTime) -> String {
        let (year, month, day, ..) = time.to_civil();
        match self {
            Self::Day => format!("{year:04}-{month:02}-{day:02}"),
            Self::Month => format!("{year:04}-{month:02}"),
        }
    }
}

/// The end of the period of this name; `None` where it names none.
fn end_of(name: &str) -> Option<UnixTime> {
    let mut parts = name.split('-').map(|part| part.parse::<u32>().ok());
    let (year, month) = (i64::from(parts.next()??), parts.next()??);
    match parts.next() {
        Some(day) => Some(UnixTime::from_civil(year, month, day?, 0, 0, 0)?.plus(DAY)),
        None if month == 12 => UnixTime::from_civil(year + 1, 1, 1, 0, 0, 0),
        None => UnixTime::from_civil(year, month + 1, 1, 0, 0, 0),
    }
}

/// The pseudonym of a serial number under `key`.
#[must_use]
pub fn pseudonym(key: &PseudonymKey, issuer: &str, serial: &SerialNumber) -> [u8; PSEUDONYM] {
    // No name of an issuer has a zero octet in it.
    let hash = key.of(&[issuer.as_bytes(), &[0], serial.as_bytes()]);
    std::array::from_fn(|at| hash.get(at).copied().unwrap_or(0))
}

/// The keys of one folder.
#[derive(Debug, Clone)]
pub struct KeyFolder {
    path: PathBuf,
}

impl KeyFolder {
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    fn file(&self, period: &str) -> PathBuf {
        self.path.join(format!("{period}.key"))
    }

    /// The key of a period, made where there is none yet.
    ///
    /// # Errors
    /// When it can be neither read nor made.
    pub fn key(&self, period: &str) -> Result<PseudonymKey, AuditError> {
        if let Some(key) = self.find(period)? {
            return Ok(key);
        }
        let path = self.file(period);
        let mut octets = Zeroizing::new([0; KEY_OCTETS]);
        fill_random(&mut *octets).map_err(|_| AuditError::Randomness)?;
        let fresh = self.path.join("new.key");
        let make = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
            // What a crash left of an earlier try.
            let _ = fs::remove_file(&fresh);
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(&*octets)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            // Pseudonyms under a key that a power cut takes back would be nobody's.
            File::open(&self.path)?.sync_all()
        };
        make().map_err(|why| AuditError::io(&path, &why))?;
        Ok(PseudonymKey::new(&*octets))
    }

    /// The key of a period, if it is there.
    ///
    /// # Errors
    /// When it cannot be read, or is no key.
    pub fn find(&self, period: &str) -> Result<Option<PseudonymKey>, AuditError> {
        let path = self.file(period);
        let mut octets = Zeroizing::new([0; KEY_OCTETS]);
        let read = File::open(&path).and_then(|mut file| {
            file.read_exact(&mut *octets)?;
            Ok(file.read(&mut [0])? == 0)
        });
        match read {
            Ok(true) => Ok(Some(PseudonymKey::new(&*octets))),
            Ok(false) => {
                Err(AuditError::Damaged { what: format!("the key {period}"), why: "it is too long".into() })
            }
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(AuditError::io(&path, &why)),
        }
    }

    /// Destroys every key whose period ended more than `keep` seconds ago; the names of those periods.
    ///
    /// # Errors
    /// When one of them stays.
    pub fn destroy(&self, keep: i64, now: UnixTime) -> Result<Vec<String>, AuditError> {
        let failed = |why: std::io::Error| AuditError::io(&self.path, &why);
        let mut destroyed = Vec::new();
        let entries = match fs::read_dir(&self.path) {
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(destroyed),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let Some(period) = name.to_str().and_then(|name| name.strip_suffix(".key")) else { continue };
            if end_of(period).is_none_or(|end| now.since(end) <= keep) {
                continue;
            }
            let path = self.file(period);
            let overwrite = || {
                let mut file = OpenOptions::new().write(true).open(&path)?;
                file.write_all(&[0; KEY_OCTETS])?;
                file.sync_all()?;
                fs::remove_file(&path)
            };
            overwrite().map_err(|why| AuditError::io(&path, &why))?;
            destroyed.push(period.to_owned());
        }
        if !destroyed.is_empty() {
            File::open(&self.path).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        destroyed.sort();
        Ok(destroyed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn at(day: u32) -> UnixTime {
        UnixTime::from_civil(2026, 11, day, 12, 0, 0).unwrap()
    }

    #[test]
    fn a_key_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let keys = KeyFolder::at(&path);
        let serial = SerialNumber::from(4711);
        let today = KeyPeriod::Day.name(at(22));
        assert!(keys.find(&today).unwrap().is_none());
        let first = pseudonym(&keys.key(&today).unwrap(), "auth", &serial);
        assert_eq!(pseudonym(&keys.key(&today).unwrap(), "auth", &serial), first);
        assert_eq!(pseudonym(&keys.find(&today).unwrap().unwrap(), "auth", &serial), first);
        assert_ne!(pseudonym(&keys.key(&today).unwrap(), "sign", &serial), first);
        assert_ne!(pseudonym(&keys.key(&KeyPeriod::Day.name(at(23))).unwrap(), "auth", &serial), first);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join("2026-11-22.key"))), (0o700, 0o600));
    }

    #[test]
    fn keys_are_destroyed_when_their_time_is_over_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyFolder::at(folder.path());
        for period in ["2026-11-20", "2026-11-21", "2026-11-22", "2026-10", "2026-11"] {
            keys.key(period).unwrap();
        }
        fs::write(folder.path().join("notes.txt"), "leave me").unwrap();
        assert_eq!(keys.destroy(DAY, at(22)).unwrap(), ["2026-10", "2026-11-20"]);
        assert!(keys.find("2026-11-20").unwrap().is_none() && keys.find("2026-11-21").unwrap().is_some());
        assert_eq!(keys.destroy(DAY, at(22)).unwrap(), Vec::<String>::new());
        assert_eq!(end_of("2026-12").unwrap().to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(end_of("new"), None);
        assert!(
            keys.destroy(0, UnixTime::MAX).unwrap().len() == 3 && folder.path().join("notes.txt").exists()
        );
    }
}
