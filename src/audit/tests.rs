//! The log as an attacker, a crash and an auditor meet it.

use super::folder::Folder;
use super::head::Head;
use super::log::Log;
use super::pseudonyms::{KeyFolder, pseudonym};
use super::record::{AnswerRecord, Cause, Entry, GapRecord, Record, Said, Source};
use super::verify::verify_looking;
use super::*;
use crate::ocsp::OcspResponseStatus;
use crate::signing::{KeyKind, SoftwareKey};
use crate::x509::{PublicKey, SerialNumber, UnixTime};
use std::fs;
use tempfile::TempDir;

const DAY: i64 = 86_400;

fn now() -> UnixTime {
    UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap()
}

/// An audit log in a folder, its key, and what was written.
struct Place {
    folder: TempDir,
    signer: Arc<dyn Signer>,
    options: LogOptions,
}

impl Place {
    fn new() -> Self {
        let (key, _) = SoftwareKey::generate(KeyKind::Ed25519).unwrap();
        let options = LogOptions { segment_octets: 4000, segment_seconds: DAY, keep_seconds: None };
        Self { folder: tempfile::tempdir().unwrap(), signer: Arc::new(key), options }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("audit")
    }

    fn files(&self) -> Folder {
        Folder::at(&self.path())
    }

    fn key(&self) -> PublicKey {
        self.signer.public_key().clone()
    }

    fn open(&self, now: UnixTime) -> Log {
        Log::open(self.files(), Arc::clone(&self.signer), self.options, now).unwrap()
    }

    fn verify(&self) -> Verified {
        self.verify_holding(&[])
    }

    /// So many answers, three a commit.
    fn write(log: &mut Log, answers: std::ops::Range<u64>) {
        for number in answers {
            log.append(&answer(number, &[number as u8; 16]));
            if number % 3 == 2 {
                log.commit(now()).unwrap();
                if log.is_due(now()) {
                    log.turn(now(), Some(now())).unwrap();
                }
            }
        }
        log.commit(now()).unwrap();
    }

    fn verify_holding(&self, known: &[KnownHead]) -> Verified {
        verify_looking(&self.path(), &self.key(), known, 1).unwrap()
    }

    /// Changes a file; verifies; puts it back.
    fn with_changed(&self, file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Verified {
        let before = fs::read(file).unwrap();
        let mut octets = before.clone();
        change(&mut octets);
        fs::write(file, &octets).unwrap();
        let found = self.verify();
        fs::write(file, before).unwrap();
        found
    }
}

fn answer(number: u64, pseudonym: &[u8; 16]) -> Record {
    let source = Source::One { scope: 1, crl_number: vec![7] };
    let entry = Entry { said: Said::Good, pseudonym: *pseudonym, this_update: now(), source };
    Record::Answer(AnswerRecord {
        time: now().plus(number as i64 / 1000),
        verifier: 0,
        issuer: 1,
        method: b'P',
        status: OcspResponseStatus::Successful,
        response: [number as u8; 32],
        on_behalf_of: String::new(),
        entries: vec![entry],
    })
}

/// The frames of a segment: kind, and octets from where to where.
fn frames(octets: &[u8]) -> Vec<(u8, usize, usize)> {
    let (mut at, mut found) = (0, Vec::new());
    while at < octets.len() {
        let length = u32::from_be_bytes(octets[at..at + 4].try_into().unwrap()) as usize;
        found.push((octets[at + 4], at, at + 5 + length));
        at += 5 + length;
    }
    found
}

fn two_segments() -> (Place, PathBuf, PathBuf) {
    let place = Place::new();
    let mut log = place.open(now());
    Place::write(&mut log, 0..50);
    log.close(now()).unwrap();
    let found = place.verify();
    assert_eq!(found.findings, Vec::<String>::new());
    assert_eq!((found.segments, found.answers, found.interruptions), (2, 50, 0));
    let (first, second) = (place.files().segment(1), place.files().segment(2));
    (place, first, second)
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let (place, first, second) = two_segments();
    for file in [first, second, place.path().join("heads")] {
        let length = fs::read(&file).unwrap().len();
        for at in (0..length).step_by(7).chain([length - 1]) {
            let found = place.with_changed(&file, |octets| octets[at] ^= 1 << (at % 8));
            assert!(!found.findings.is_empty(), "{} at {at}", file.display());
        }
    }
    assert_eq!(place.verify().findings, Vec::<String>::new());
}

#[test]
fn a_record_that_is_dropped_or_doubled_or_swapped_with_another_is_found() {
    let (place, first, second) = two_segments();
    for (file, is_closed) in [(first, true), (second, false)] {
        let all = frames(&fs::read(&file).unwrap());
        for (index, (kind, from, to)) in all.iter().copied().enumerate() {
            let found = place.with_changed(&file, |octets| drop(octets.drain(from..to)));
            // A head between two commits says nothing that the next does not say.
            let is_needless = kind == b'H' && index + 1 < all.len();
            assert_eq!(found.findings.is_empty(), is_needless, "{index}: {:?}", found.findings);
            let double = |octets: &mut Vec<u8>| {
                let frame = octets[from..to].to_vec();
                octets.splice(to..to, frame);
            };
            let found = place.with_changed(&file, double);
            // Nor does the same head once more, unless it is the final one.
            let is_final = is_closed && index + 1 == all.len();
            let is_needless = kind == b'H' && !is_final;
            assert_eq!(found.findings.is_empty(), is_needless, "{index} twice: {:?}", found.findings);
            if let Some((_, _, end)) =
                all.get(index + 1).copied().filter(|next| next.0 != b'H' && kind != b'H')
            {
                let found = place.with_changed(&file, |octets| octets[from..end].rotate_left(to - from));
                assert!(!found.findings.is_empty(), "{index} swapped");
            }
        }
    }
}

#[test]
fn a_cut_is_found_unless_it_is_the_newest_commit_as_a_whole_and_then_by_who_holds_its_head() {
    let (place, first, second) = two_segments();
    let head: KnownHead = place.verify().head.unwrap().parse().unwrap();
    for (file, is_last) in [(first, false), (second, true)] {
        let octets = fs::read(&file).unwrap();
        for cut in 0..octets.len() {
            let ends_at_head = frames(&octets).iter().any(|(kind, _, to)| *kind == b'H' && *to == cut);
            if cut % 13 != 0 && !ends_at_head {
                continue;
            }
            let found = place.with_changed(&file, |octets| octets.truncate(cut));
            assert_eq!(
                found.findings.is_empty(),
                is_last && ends_at_head,
                "cut at {cut}: {:?}",
                found.findings
            );
            if is_last {
                fs::write(&file, &octets[..cut]).unwrap();
                let held = place.verify_holding(std::slice::from_ref(&head));
                assert!(held.findings.iter().any(|finding| finding.contains("that you hold")), "{held:?}");
                fs::write(&file, &octets).unwrap();
            }
        }
    }
    let held = place.verify_holding(&[head]);
    assert_eq!(held.findings, Vec::<String>::new());
}

#[test]
fn a_forged_head_and_a_log_that_was_written_anew_with_another_key_are_found() {
    let (place, first, _) = two_segments();
    let (other, _) = SoftwareKey::generate(KeyKind::Ed25519).unwrap();
    let found = place.with_changed(&first, |octets| {
        let (_, from, to) = *frames(octets).iter().rfind(|frame| frame.0 == b'H').unwrap();
        let forged = Head::decode(&octets[from + 5..to]).unwrap().sign(&other).unwrap().encode();
        octets.splice(from + 5..to, forged);
    });
    assert!(
        found.findings.iter().any(|finding| finding.contains("was not signed with this key")),
        "{found:?}"
    );
    assert!(!verify(&place.path(), other.public_key(), &[]).unwrap().findings.is_empty());
}

#[test]
fn a_segment_that_is_missing_is_found_the_last_one_too() {
    let (place, first, second) = two_segments();
    for file in [first, second, place.path().join("heads")] {
        let octets = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(!place.verify().findings.is_empty(), "{}", file.display());
        fs::write(&file, octets).unwrap();
    }
    assert_eq!(place.verify().findings, Vec::<String>::new());
}

#[test]
fn wherever_a_crash_cuts_the_last_write_the_log_goes_on_and_says_so() {
    let place = Place::new();
    let mut log = place.open(now());
    Place::write(&mut log, 0..6);
    let before = fs::read(place.files().segment(1)).unwrap().len();
    Place::write(&mut log, 6..9);
    drop(log);
    let whole = fs::read(place.files().segment(1)).unwrap();
    let mut heads = frames(&whole).into_iter().filter(|(kind, at, _)| *kind == b'H' && *at >= before);
    let (_, _, committed) = heads.next().unwrap();
    for cut in before..=whole.len() {
        fs::write(place.files().segment(1), &whole[..cut]).unwrap();
        let mut log = place.open(now());
        Place::write(&mut log, 20..21);
        log.close(now()).unwrap();
        let found = place.verify();
        assert_eq!(found.findings, Vec::<String>::new(), "cut at {cut}");
        let kept = if cut < committed { 6 } else { 9 };
        assert_eq!((found.answers, found.interruptions), (kept + 1, 1), "cut at {cut}");
    }
    // Closed in order, it goes on without a word.
    place.open(now()).close(now()).unwrap();
    assert_eq!(place.verify().interruptions, 1);
}

#[test]
fn who_is_killed_between_two_segments_was_interrupted_all_the_same() {
    let place = Place::new();
    let mut log = place.open(now());
    Place::write(&mut log, 0..6);
    log.turn(now(), Some(now())).unwrap();
    drop(log);
    let second = place.files().segment(2);
    // The next segment has no head yet, or is not there.
    for left in [Some(&b"torn"[..]), Some(&b""[..]), None] {
        match left {
            Some(octets) => fs::write(&second, octets).unwrap(),
            None => fs::remove_file(&second).unwrap(),
        }
        let mut log = place.open(now());
        Place::write(&mut log, 6..7);
        log.close(now()).unwrap();
        let found = place.verify();
        assert_eq!(found.findings, Vec::<String>::new(), "{left:?}");
        assert_eq!((found.segments, found.answers, found.interruptions), (2, 7, 1), "{left:?}");
    }
}

#[test]
fn a_log_has_one_writer_and_any_number_of_readers() {
    let place = Place::new();
    let mut first = place.open(now());
    Place::write(&mut first, 0..3);
    let open = || Log::open(place.files(), Arc::clone(&place.signer), place.options, now());
    let refused = open().err().unwrap();
    assert!(matches!(&refused, AuditError::InUse { path } if *path == place.path()), "{refused}");
    assert!(refused.to_string().contains("another process writes it (stop that one"), "{refused}");
    assert!(place.verify().findings.is_empty());
    // What the first one writes then is whole.
    Place::write(&mut first, 3..6);
    first.close(now()).unwrap();
    let found = place.verify();
    assert_eq!((found.answers, found.findings.len()), (6, 0), "{found:?}");
    drop(open().unwrap());
}

#[test]
fn a_log_that_no_crash_has_left_so_is_not_continued() {
    let (place, _, second) = two_segments();
    let octets = fs::read(&second).unwrap();
    // Its first record and its first head are damaged: nothing in it is vouched for, and it is not new.
    fs::write(&second, [&[9u8; 40][..], &octets].concat()).unwrap();
    fs::remove_file(place.path().join("heads")).unwrap();
    let opened = Log::open(place.files(), Arc::clone(&place.signer), place.options, now());
    assert!(matches!(opened, Err(AuditError::Damaged { .. })));
}

#[test]
fn segments_go_when_their_time_is_over_and_the_chain_stays_whole() {
    let mut place = Place::new();
    place.options = LogOptions { segment_seconds: DAY, keep_seconds: Some(3 * DAY), ..place.options };
    for day in 0..10 {
        let now = now().plus(day * DAY);
        let mut log = place.open(now);
        log.append(&answer(day as u64, &[1; 16]));
        log.commit(now).unwrap();
        if log.is_due(now) {
            log.turn(now, Some(now)).unwrap();
        }
        log.close(now).unwrap();
    }
    let found = place.verify();
    assert_eq!(found.findings, Vec::<String>::new());
    assert!((3..=5).contains(&found.segments) && found.retired >= 4, "{found:?}");
    assert_eq!(found.retired + found.segments, 10, "{found:?}");
    // A crash in the first write of the next segment forgets nothing of that.
    let mut log = place.open(now());
    log.turn(now().plus(9 * DAY), Some(now().plus(9 * DAY))).unwrap();
    drop(log);
    let last = place.files().segments().unwrap().last().copied().unwrap();
    fs::write(place.files().segment(last), b"torn").unwrap();
    place.open(now().plus(9 * DAY)).close(now()).unwrap();
    assert_eq!(place.verify().findings, Vec::<String>::new());
    // That of a segment whose time is not over is missed.
    let kept = place.files().segments().unwrap();
    for number in [kept[0], kept[1], kept[kept.len() - 1]] {
        let file = place.files().segment(number);
        let octets = fs::read(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(!place.verify().findings.is_empty(), "{number} of {kept:?}");
        fs::write(&file, octets).unwrap();
    }
}

#[test]
fn a_segment_that_a_clock_closed_in_the_future_is_closed_and_goes_with_the_next() {
    let mut place = Place::new();
    place.options = LogOptions { segment_seconds: DAY, keep_seconds: Some(3 * DAY), ..place.options };
    let mut log = place.open(now());
    let turn = |log: &mut Log, day: i64| {
        let now = now().plus(day * DAY);
        assert!(log.is_due(now), "day {day}");
        log.turn(now, Some(now)).unwrap();
        place.files().segments().unwrap()
    };
    turn(&mut log, 1);
    let ahead = now().plus(4000 * DAY);
    assert!(log.is_due(ahead));
    log.turn(ahead, Some(now().plus(DAY))).unwrap();
    assert_eq!(
        place.files().segments().unwrap(),
        [1, 2, 3],
        "by a clock that is not believed nothing is old"
    );
    // The one that began in the future is closed at once, by the clock that is right again.
    assert_eq!(turn(&mut log, 2), [1, 2, 3, 4]);
    assert_eq!(turn(&mut log, 5), [2, 3, 4, 5]);
    assert_eq!(turn(&mut log, 6), [4, 5, 6], "the second was closed in the future, and before the third");
    log.close(now().plus(6 * DAY)).unwrap();
    assert_eq!(place.verify().findings, Vec::<String>::new());
}

#[test]
fn gaps_are_counted_by_their_cause() {
    let place = Place::new();
    let mut log = place.open(now());
    log.append(&Record::Gap(GapRecord { cause: Cause::NoRoom, count: 5, time: now() }));
    log.append(&Record::Gap(GapRecord { cause: Cause::Refused, count: 7, time: now() }));
    log.close(now()).unwrap();
    let found = place.verify();
    assert_eq!((found.missing, found.refused, found.interruptions), (5, 7, 0));
}

#[test]
fn what_was_answered_is_proved_to_who_holds_the_key_and_to_nobody_once_it_is_destroyed() {
    let (place, ..) = two_segments();
    let keys = place.folder.path().join("keys");
    let serial = SerialNumber::from(0x5a_0b0c);
    let of_today = KeyFolder::at(&keys).key(&KeyPeriod::Day.name(now())).unwrap();
    let mut log = place.open(now());
    log.append(&answer(7, &pseudonym(&of_today, "auth", &serial)));
    Place::write(&mut log, 100..200);
    log.close(now()).unwrap();
    let prove = |issuer: &str, serial: &SerialNumber, day| {
        prove(&place.path(), &keys, &place.key(), issuer, serial, day).unwrap()
    };
    let [found] = &prove("auth", &serial, now()).unwrap()[..] else { panic!("one answer") };
    assert_eq!((found.said.as_str(), found.crl.as_str()), ("good", "number 07 (scope 1)"));
    assert_eq!(found.proof.check(&place.key()).unwrap().response, [7; 32]);
    let json = serde_json::to_string(&found.proof).unwrap();
    let proof: Proof = serde_json::from_str(&json).unwrap();
    assert_eq!(&proof, &found.proof);
    // Another record, another place, another key: no proof.
    let forged = Proof { record: proof.record.replace("0707", "0708"), ..proof.clone() };
    assert!(forged.check(&place.key()).is_err());
    assert!(Proof { index: proof.index + 1, ..proof.clone() }.check(&place.key()).is_err());
    assert!(Proof { path: proof.path[1..].to_vec(), ..proof.clone() }.check(&place.key()).is_err());
    let (other, _) = SoftwareKey::generate(KeyKind::Ed25519).unwrap();
    assert!(proof.check(other.public_key()).is_err());
    assert!(Proof { signature: "zz".to_owned(), ..proof }.check(&place.key()).is_err());

    assert_eq!(prove("sign", &serial, now()).unwrap().len(), 0);
    assert_eq!(prove("auth", &SerialNumber::from(1), now()).unwrap().len(), 0);
    assert_eq!(prove("auth", &serial, now().plus(DAY)), None);
    KeyFolder::at(&keys).destroy(0, now().plus(2 * DAY)).unwrap();
    assert_eq!(prove("auth", &serial, now()), None);
}

#[test]
fn a_known_head_is_read_as_it_is_written_and_nothing_else_is() {
    let root = "5f".repeat(32);
    let head: KnownHead = format!("3:81:{root}").parse().unwrap();
    assert_eq!(head, KnownHead { segment: 3, records: 81, root: [0x5f; 32] });
    for text in ["", "3:81", &format!("3:81:{root}0"), &format!("3:81:{root}:"), &format!("x:81:{root}")] {
        assert!(text.parse::<KnownHead>().is_err(), "{text}");
    }
}
