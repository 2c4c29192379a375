//! A large CRL that is nearly the one before: summed, and read again only where that is not enough.

use super::reading::pem;
use super::*;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// Counts how often it is read from its beginning.
struct Counted<R> {
    octets: R,
    passes: usize,
}

impl<R: Read> Read for &mut Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.octets.read(buffer)
    }
}

impl<R: Seek> Seek for &mut Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.passes += usize::from(to == SeekFrom::Start(0));
        self.octets.seek(to)
    }
}

/// What becomes of it, and in how many passes.
fn take(house: &House, octets: &[u8], manner: Manner) -> (Result<Outcome, Refused>, usize) {
    let mut source = Counted { octets: Cursor::new(octets), passes: 1 };
    let taken = house.ingest.refresh(&mut source, manner);
    (taken.map(|report| report.outcome), source.passes)
}

fn entries(from: u64, to: u64) -> Vec<(u64, CrlReason)> {
    (from..to).map(|serial| (serial, CrlReason::Superseded)).collect()
}

#[test]
fn it_is_read_once_if_little_changed_and_twice_if_much_did_and_the_outcome_is_the_same() {
    let ca = authority();
    let (house, plain) = (House::of(&ca), House::of(&ca));
    let mut backwards = entries(10, 1010);
    backwards.reverse();
    let crls = [
        (entries(0, 1000), 1),
        (entries(0, 1000), 1),
        (entries(10, 1010), 1),
        (backwards, 1),
        (entries(1500, 2500), 2),
        (entries(1499, 2499), 1),
        ([entries(1499, 2499), entries(1499, 1500)].concat(), 2),
        // The first after one in which a serial stands twice has nothing to be compared with.
        (entries(1499, 2499), 1),
        (entries(1499, 2498), 1),
        (Vec::new(), 1),
    ];
    for (index, (entries, expected)) in crls.iter().enumerate() {
        let number = index as u8 + 1;
        let der = sign(&crl(&ca, number, entries), &ca);
        let (outcome, passes) = match index % 2 {
            0 => take(&house, &der, Manner::Forced),
            _ => take(&house, pem(&der).as_bytes(), Manner::Forced),
        };
        let outcome = outcome.unwrap();
        assert_eq!(
            outcome,
            plain.ingest.ingest_as(&der[..], Manner::Forced).unwrap().outcome,
            "CRL {number}"
        );
        assert_eq!(passes, *expected, "CRL {number}");
        assert_eq!(house.answers(), plain.answers(), "CRL {number}");
        assert_eq!(take(&house, &der, Manner::Guarded).0.unwrap(), Outcome::Unchanged);
    }
}

#[test]
fn what_is_refused_is_refused_in_the_first_pass_and_changes_nothing() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 1, &entries(0, 1000)), &ca));
    let before = house.answers();
    let refuses = |octets: &[u8]| {
        let (taken, passes) = take(&house, octets, Manner::Guarded);
        assert_eq!((house.answers(), passes), (before.clone(), 1));
        taken.expect_err("it should be refused")
    };
    let good = sign(&crl(&ca, 2, &entries(1, 1001)), &ca);
    let mut tampered = good.clone();
    let place = good.windows(4).position(|octets| octets == [2, 2, 3, 0xe8]).unwrap();
    tampered[place + 3] = 0xe9;
    assert!(matches!(refuses(&tampered), Refused::Signature { .. }));
    assert!(matches!(refuses(&good[..good.len() - 1]), Refused::Crl(_)));
    assert!(matches!(refuses(&sign(&crl(&ca, 0, &entries(1, 1001)), &ca)), Refused::NumberRolledBack { .. }));
    // Too much of it goes.
    let (taken, passes) = take(&house, &sign(&crl(&ca, 3, &entries(400, 1000)), &ca), Manner::Guarded);
    assert!(matches!(taken, Err(Refused::Guard(_))) && passes <= 2);
    assert_eq!(house.answers(), before);
    assert!(matches!(take(&house, &good, Manner::Guarded).0, Ok(Outcome::Applied(_))));
}

#[test]
fn t25_a_second_pass_that_fails_leaves_the_old_crl_in_force() {
    /// Gives its octets once.
    struct Once<'a>(&'a [u8]);
    impl Read for Once<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }
    impl Seek for Once<'_> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            if to == SeekFrom::Current(0) { Ok(0) } else { Err(io::Error::other("it went away")) }
        }
    }
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 1, &entries(0, 1000)), &ca));
    let before = house.answers();
    let der = sign(&crl(&ca, 2, &entries(1000, 2000)), &ca);
    let why = house.ingest.refresh(Once(&der), Manner::Forced).unwrap_err();
    assert!(matches!(why, Refused::Read(_)) && why.may_pass(), "{why}");
    assert_eq!(house.answers(), before);
    // A pipe cannot be read again, so it is not summed alone.
    struct Pipe<'a>(&'a [u8]);
    impl Read for Pipe<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }
    impl Seek for Pipe<'_> {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Err(io::ErrorKind::NotSeekable.into())
        }
    }
    let taken = house.ingest.refresh(Pipe(&der), Manner::Forced).unwrap();
    assert!(matches!(taken.outcome, Outcome::Applied(_)));
}

#[test]
fn f21_a_delta_crl_as_large_as_the_complete_one_is_a_list_of_its_own() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&sign(&crl(&ca, 1, &entries(0, 1000)), &ca));
    let extensions = Some(vec![crl_number(&[2]), delta_indicator(&[1])]);
    let delta = sign(&TestCrl { extensions, ..crl(&ca, 2, &entries(0, 1001)) }, &ca);
    let (taken, passes) = take(&house, &delta, Manner::Guarded);
    let Ok(Outcome::Applied(change)) = taken else { panic!("{taken:?}") };
    assert_eq!((change.added, passes), (1001, 2));
}

/// The steps as they were, and whether it was taken in.
fn steps(house: &House, octets: &[u8], manner: Manner) -> (Vec<Step>, bool) {
    let mut steps = Steps::timed();
    let taken = house.ingest.refresh_timed(Cursor::new(octets), manner, &mut steps);
    let ended = steps.end(std::time::Instant::now());
    (ended.iter().map(|timed| timed.step).collect(), taken.is_ok())
}

#[test]
fn its_steps_are_told_and_what_is_refused_is_so_in_the_last() {
    use Step::{Commit, Compare, Read, Sort, Verify};
    let (sums, rows) = (Compare(With::Sums), Compare(With::Entries));
    let ca = authority();
    let house = House::of(&ca);
    let signed = |number, entries: &[_]| sign(&crl(&ca, number, entries), &ca);
    let first = signed(1, &entries(0, 1000));
    assert_eq!(steps(&house, &first, Manner::Guarded), (vec![Read, Sort, Verify, rows, Commit], true));
    // Held already: there is nothing to compare.
    assert_eq!(steps(&house, &first, Manner::Guarded), (vec![Read, Verify], true));
    let like = signed(2, &entries(10, 1010));
    assert_eq!(steps(&house, &like, Manner::Guarded), (vec![Read, Verify, sums, Commit], true));
    let twice = vec![Read, Verify, sums, Read, Sort, Verify, rows];
    let other = signed(3, &entries(2000, 3000));
    assert_eq!(steps(&house, &other, Manner::Guarded), (twice.clone(), false), "the guard refuses it");
    assert_eq!(steps(&house, &other, Manner::Forced), ([twice, vec![Commit]].concat(), true));
    assert_eq!(steps(&house, &first, Manner::Guarded), (vec![Read, Verify], false), "rolled back");
    assert_eq!(steps(&house, &other[..99], Manner::Guarded), (vec![Read], false));
}
