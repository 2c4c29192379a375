//! A CRL that is handed in while the disk does not take it: told so, and in force as soon as the disk is well again.
//!
//! A library in front of the C library, made here with `cc`, has fsync and fdatasync of files in one folder fail with
//! ENOSPC as long as a certain file is there. RocksDB goes on by itself within some seconds after that.

use crate::by_hand::{request, says_revoked};
use crate::records::Asking;
use crate::support::{Crl, Pki, Server, post, wait_until};
use std::fs;
use std::path::Path;
use std::process::Command;

const LIBRARY: &str = include_str!("support/failing_sync.c");
const ENOSPC: &str = "28";

fn is_revoked(server: &Server, serial: &str) -> bool {
    says_revoked(&Asking::of(server).post(&request(server.dir(), serial, &["-no_nonce"])).unwrap())
}

#[test]
fn a_submitted_crl_whose_sync_fails_is_in_force_once_the_disk_is_well_again() {
    let pki = Pki::served();
    // A copy before it would fail as well, and what is looked at here is the CRL.
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    pki.write("ocsprey.toml", text.replace("[store]", "[store]\ncheckpoints = 0"));
    let of = |number, entries| pki.crl("next.crl", Crl { number, entries, ..Crl::CURRENT });
    let entries = [("1001", "keyCompromise"), ("2002", "keyCompromise"), ("3003", "keyCompromise")];
    let (second, third) = (of("06", &entries[..2]), of("07", &entries));
    let dir = fs::canonicalize(pki.dir()).unwrap();
    let (source, library, flag) = (dir.join("sync.c"), dir.join("sync.so"), dir.join("fails"));
    fs::write(&source, LIBRARY).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no C compiler to make the failing disk with");
        return;
    }
    let of = |path: &Path| path.to_str().unwrap().to_owned();
    let variables = [
        ("LD_PRELOAD", of(&library)),
        ("OCSPREY_TEST_SYNC_FLAG", of(&flag)),
        ("OCSPREY_TEST_SYNC_FOLDER", of(&dir.join("data"))),
        ("OCSPREY_TEST_SYNC_ERRNO", ENOSPC.to_owned()),
    ];
    let server = Server::start_with(pki.into_dir(), &variables);
    let submit = |crl: &[u8]| post(&format!("{}/api/v1/crls", server.admin), "application/pkix-crl", crl);
    assert!(!is_revoked(&server, "0x2002") && is_revoked(&server, "0x1001"));

    // Whoever brought it brings it again, until it is taken: from then on it is in every answer.
    fs::write(&flag, "").unwrap();
    for _ in 0..3 {
        let refused = submit(&second);
        assert_eq!(refused.status, 503, "{}", refused.text());
    }
    assert!(!is_revoked(&server, "0x2002"), "nobody is answered from what is not on the disk");
    fs::remove_file(&flag).unwrap();
    wait_until(|| server.said(), || (submit(&second).status == 200).then_some(()));
    assert!(is_revoked(&server, "0x2002"));

    // Also if nobody brings it again.
    fs::write(&flag, "").unwrap();
    assert_eq!(submit(&third).status, 503);
    assert!(!is_revoked(&server, "0x3003"));
    fs::remove_file(&flag).unwrap();
    wait_until(|| server.said(), || is_revoked(&server, "0x3003").then_some(()));
}
