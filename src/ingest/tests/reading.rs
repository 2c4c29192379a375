//! How a CRL comes in: PEM, pieces, files that change, readers that fail, disks that are full.

use super::*;
use crate::asn1::parse_header;
use crate::x509::crl::CrlError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

pub(super) fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n", lines.join("\n"))
}

/// A disk or a network that gives up.
pub(super) struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the line went dead"))
    }
}

/// One octet at a time, interrupted before each.
struct Dripping<'a> {
    octets: &'a [u8],
    is_interrupted: bool,
}

impl Read for Dripping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_interrupted = !self.is_interrupted;
        if self.is_interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.octets.read(&mut buffer[..1])
    }
}

/// A file to which something happens after its first piece was read.
struct Meddled<F> {
    file: File,
    then: Option<F>,
}

impl<F: FnOnce()> Read for Meddled<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        if let Some(then) = self.then.take() {
            then();
        }
        Ok(count)
    }
}

/// A CRL of several pieces, over 1 MiB.
fn long(authority: &Authority, number: u8, why: CrlReason) -> Vec<u8> {
    let entries: Vec<(u64, CrlReason)> = (0..40_000).map(|serial| (serial, why)).collect();
    sign(&crl(authority, number, &entries), authority)
}

#[test]
fn f40_pem_and_der_are_the_same_crl_in_pieces_of_any_size() {
    let ca = authority();
    let house = House::of(&ca);
    let der = sign(&crl(&ca, 7, &HELD), &ca);
    assert_eq!(house.applied(pem(&der).as_bytes()).added, 3);
    let before = house.answers();
    let dripping = Dripping { octets: &der, is_interrupted: false };
    assert_eq!(house.ingest.ingest(dripping).unwrap().outcome, Outcome::Unchanged);
    let text = pem(&der).replace('\n', "\r\n");
    let dripping = Dripping { octets: text.as_bytes(), is_interrupted: false };
    assert_eq!(house.ingest.ingest(dripping).unwrap().outcome, Outcome::Unchanged);
    assert_eq!(house.answers(), before);
    let two = pem(&der).repeat(2);
    assert!(matches!(house.refuses(two.as_bytes()), Refused::Armor(_)), "two CRLs in one file");
    let trailing = [&der[..], b"\n"].concat();
    assert!(matches!(house.refuses(&trailing[..]), Refused::Crl(CrlError::Trailing)));
}

#[test]
fn f2_crls_of_every_kind_of_key_are_verified() {
    for kind in KeyKind::ALL {
        let ca = Authority::new(kind, NAME);
        let house = House::of(&ca);
        let der = sign(&crl(&ca, 7, &HELD), &ca);
        let mut tampered = der.clone();
        let place = der.windows(3).position(|octets| octets == [2, 1, 3]).unwrap();
        tampered[place + 2] = 4;
        assert!(matches!(house.refuses(&tampered[..]), Refused::Signature { .. }), "{kind}");
        assert_eq!(house.applied(&der).added, 3, "{kind}");
    }
}

#[test]
fn t25_a_reader_that_fails_midway_leaves_the_old_crl_in_force_and_may_be_tried_again() {
    let ca = authority();
    let house = settled(&ca);
    let der = long(&ca, 8, CrlReason::Superseded);
    let (_, header, _) = parse_header(&der).unwrap();
    for have in [0, header, 1000, der.len() / 2, der.len() - 1, der.len()] {
        let why = house.refuses((&der[..have]).chain(Failing));
        assert!(matches!(why, Refused::Read(_)), "{have}: {why}");
        assert!(why.is_ours() && why.may_pass());
    }
    assert_eq!(house.applied(&der).entries, 40_000);
}

#[test]
fn t32a_a_file_that_is_cut_short_while_it_is_read_is_refused() {
    let ca = authority();
    let house = settled(&ca);
    let path = house.path("one.crl");
    std::fs::write(&path, long(&ca, 8, CrlReason::Superseded)).unwrap();
    let cut = || OpenOptions::new().write(true).open(&path).unwrap().set_len(300_000).unwrap();
    let why = house.refuses(Meddled { file: File::open(&path).unwrap(), then: Some(cut) });
    assert!(matches!(why, Refused::Crl(CrlError::Truncated { .. })), "{why}");
}

#[test]
fn t32a_a_file_that_is_rewritten_while_it_is_read_is_refused() {
    let ca = authority();
    let house = settled(&ca);
    let path = house.path("one.crl");
    let (one, other) = (long(&ca, 8, CrlReason::Superseded), long(&ca, 9, CrlReason::KeyCompromise));
    std::fs::write(&path, &one).unwrap();
    // In place: what was read and what is still to be read are of two CRLs, each of them lawful.
    let rewrite = || OpenOptions::new().write(true).open(&path).unwrap().write_all(&other).unwrap();
    let why = house.refuses(Meddled { file: File::open(&path).unwrap(), then: Some(rewrite) });
    assert!(matches!(why, Refused::Signature { .. } | Refused::Crl(_)), "{why}");
    // By renaming: the one that was opened is the one that counts.
    std::fs::write(&path, &one).unwrap();
    let replace = || {
        std::fs::write(path.with_extension("tmp"), &other).unwrap();
        std::fs::rename(path.with_extension("tmp"), &path).unwrap();
    };
    let report =
        house.ingest.ingest(Meddled { file: File::open(&path).unwrap(), then: Some(replace) }).unwrap();
    assert_eq!(report.crl_number, [8]);
    assert_eq!(house.ingest.ingest(File::open(&path).unwrap()).unwrap().crl_number, [9]);
}

#[test]
fn t31_entries_that_do_not_fit_in_memory_give_the_same_state() {
    let ca = authority();
    let keys = vec![vec![key_of(&ca, ca.certificate.clone())]];
    let small = IngestOptions { sort_memory: 100_000, ..IngestOptions::default() };
    let (spilling, roomy) = (House::with(keys, small), House::of(&ca));
    let mut entries: Vec<(u64, CrlReason)> =
        (0..20_000).map(|serial| (serial, CrlReason::Superseded)).collect();
    entries.reverse();
    let der = sign(&crl(&ca, 1, &entries), &ca);
    assert_eq!(spilling.applied(&der), roomy.applied(&der));
    assert_eq!(spilling.answers(), roomy.answers());
    // And a CRL that is not to be believed leaves nothing of what it spilled.
    let forged = sign(&crl(&ca, 2, &entries), &authority());
    assert!(matches!(spilling.refuses(&forged[..]), Refused::Signature { .. }));
}

#[test]
fn t32_no_room_to_sort_is_our_fault_and_changes_nothing() {
    let ca = authority();
    let house = settled(&ca);
    let options = IngestOptions { sort_memory: 1000, ..IngestOptions::default() };
    let judge = judge(&house.configured, &house.path("nowhere"), &house.clock, options);
    let house = House { ingest: Ingest::new(Arc::clone(&house.store), judge), ..house };
    let why = house.refuses(&long(&ca, 8, CrlReason::Superseded)[..]);
    assert!(matches!(why, Refused::Sort(_)) && why.is_ours(), "{why}");
}

#[test]
fn a_store_that_is_open_for_reading_takes_nothing() {
    let ca = authority();
    let house = settled(&ca);
    let read_only = Store::open_read_only(house.store.path(), &StoreOptions::default()).unwrap();
    let judge = judge(&house.configured, &house.path("scratch"), &house.clock, IngestOptions::default());
    let house = House { ingest: Ingest::new(Arc::new(read_only), judge), ..house };
    let why = house.refuses(&sign(&crl(&ca, 8, &[]), &ca)[..]);
    assert!(matches!(why, Refused::Store(_)) && why.is_ours(), "{why}");
}
