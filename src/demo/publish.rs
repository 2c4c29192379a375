//! What the demo's CAs publish: OCSP signers, certificates to try, CRLs, inventories.
//!
//! Called by `mod.rs`, when a demo is made and when something of it has run out. Each function leaves
//! the state as it must be written down next; only [`crls`] writes it down itself, see there.

use super::crl_writer::{CrlHeader, CrlWriter};
use super::pki::SIGNER_AFTER;
use super::population::{Card, Population};
use super::state::{Counts, DemoState, Stage};
use super::{Authority, CardCa, DAY, DemoError, DemoProgress, files, pki_error};
use crate::x509::UnixTime;
use der::Encode;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use x509_cert::name::Name;

/// How many certificates each CA really issues.
pub const SPECIMENS: u64 = 4;

/// A CRL is valid for a week, although a new one is expected every day.
const CRL_VALIDITY: i64 = 7 * DAY;
/// A CRL from the future is refused; clocks of the machines involved differ a little.
const CRL_BACKDATED: i64 = 60;
/// Progress is told once for so many cards.
const STRIDE: u64 = 4_096;

/// The certificates to try: the last part of their names, and whose they are.
enum Specimen {
    Of(&'static str, Card),
    Unissued(&'static str),
}

const SPECIMEN_LIST: [Specimen; SPECIMENS as usize] = [
    Specimen::Of("good", Card::GOOD),
    Specimen::Of("revoked", Card::REVOKED),
    Specimen::Of("hold", Card::HOLD),
    Specimen::Unissued("unissued"),
];

impl Specimen {
    fn path(&self, dir: &Path, ca: CardCa) -> PathBuf {
        let (Self::Of(name, _) | Self::Unissued(name)) = self;
        dir.join(format!("{}-{name}.pem", ca.prefix()))
    }
}

/// The address that clients of this machine ask.
pub fn ocsp_url(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}/", SocketAddr::new(ip, listen.port()))
}

fn signer_paths(dir: &Path, ca: CardCa) -> (PathBuf, PathBuf) {
    let prefix = ca.prefix();
    (dir.join(format!("{prefix}-ocsp.pem")), dir.join(format!("{prefix}-ocsp.key")))
}

pub fn signers_exist(dir: &Path) -> bool {
    CardCa::ALL.into_iter().all(|ca| {
        let (certificate, key) = signer_paths(dir, ca);
        certificate.is_file() && key.is_file()
    })
}

/// A new OCSP signer of each CA. A crash between certificate and key leaves a pair that does not
/// match; the state still has the old expiry then, and so the next start issues again.
pub fn signers(
    dir: &Path,
    authorities: &[Authority],
    state: &mut DemoState,
    now: UnixTime,
    progress: &mut dyn DemoProgress,
) -> Result<(), DemoError> {
    state.signer_generation += 1;
    for authority in authorities {
        let issued = authority
            .issue_ocsp_signer(state.kind(), state.signer_generation, now)
            .map_err(pki_error(authority.ca))?;
        let (certificate, key) = signer_paths(dir, authority.ca);
        files::write_key(&key, issued.key.as_bytes())?;
        files::write(&certificate, issued.certificate.as_bytes())?;
        progress.advance(1);
    }
    state.set_signer_not_after(now.plus(SIGNER_AFTER));
    Ok(())
}

pub fn certificates_exist(dir: &Path) -> bool {
    CardCa::ALL.into_iter().all(|ca| SPECIMEN_LIST.iter().all(|specimen| specimen.path(dir, ca).is_file()))
}

/// The certificates to try.
pub fn certificates(
    dir: &Path,
    authorities: &[Authority],
    state: &DemoState,
    population: &Population,
    now: UnixTime,
    progress: &mut dyn DemoProgress,
) -> Result<(), DemoError> {
    let url = ocsp_url(state.listen);
    // The specimens are cards of the first municipality.
    let Some(place) = population.places().first() else { return Ok(()) };
    for authority in authorities {
        for specimen in &SPECIMEN_LIST {
            let serial = match specimen {
                Specimen::Of(_, card) => population.serial(authority.ca, *card),
                Specimen::Unissued(_) => population.unissued_serial(authority.ca),
            };
            let certificate = authority
                .issue_card_certificate(state.kind(), serial, place, &url, now)
                .map_err(pki_error(authority.ca))?;
            files::write(&specimen.path(dir, authority.ca), certificate.as_bytes())?;
            progress.advance(1);
        }
    }
    Ok(())
}

fn crl_folder(dir: &Path, ca: CardCa) -> PathBuf {
    dir.join("crl").join(ca.prefix())
}

pub fn crls_exist(dir: &Path, population: &Population) -> bool {
    CardCa::ALL.into_iter().all(|ca| {
        let folder = crl_folder(dir, ca);
        population.places().iter().all(|place| folder.join(place.file_name()).is_file())
    })
}

/// Removes what an interrupted start left: it may have been one with more municipalities.
pub fn remove_crls(dir: &Path) -> Result<(), DemoError> {
    for ca in CardCa::ALL {
        let folder = crl_folder(dir, ca);
        for name in files::names(&folder)? {
            if name.ends_with(".crl") || (name.starts_with('.') && name.ends_with(".crl.new")) {
                files::remove(&folder.join(name))?;
            }
        }
    }
    Ok(())
}

/// One CRL for each municipality and CA, with the next number.
///
/// The number is written down before the first CRL carries it. A crash in between wastes it: were it
/// used again, a CRL of the same number and other content could meet one that was ingested already.
pub fn crls(
    dir: &Path,
    authorities: &[Authority],
    state: &mut DemoState,
    population: &Population,
    now: UnixTime,
    progress: &mut dyn DemoProgress,
) -> Result<(), DemoError> {
    state.crl_number += 1;
    if state.stage != Stage::Making {
        state.stage = Stage::Publishing;
        state.write(dir)?;
    }
    let (this_update, next_update) = (now.plus(-CRL_BACKDATED), now.plus(CRL_VALIDITY));
    let mut writer = CrlWriter::default();
    for authority in authorities {
        let ca = authority.ca;
        progress.start(&format!("CRLs for {}", ca.purpose()), population.places().len() as u64);
        let folder = crl_folder(dir, ca);
        files::create_dir(&folder)?;
        let mut counts = Counts::default();
        for (index, place) in population.places().iter().enumerate() {
            for card in population.cards_of(index).map(Card) {
                if let Some(revocation) = population.revocation(ca, card) {
                    writer.push(&population.serial(ca, card), &revocation);
                    counts.on_hold += u64::from(revocation.is_hold());
                }
            }
            counts.revoked += writer.count();
            let distribution_point = ca
                .distribution_point(place)
                .parse::<Name>()
                .and_then(|name| name.to_der())
                .map_err(pki_error(ca))?;
            let header = CrlHeader {
                issuer: authority.name_der(),
                key_identifier: authority.key_identifier(),
                distribution_point: &distribution_point,
                crl_number: state.crl_number,
                this_update,
                next_update,
            };
            let crl = writer.finish(&header, authority.signer()).map_err(pki_error(ca))?;
            counts.crl_octets += crl.len() as u64;
            files::write(&folder.join(place.file_name()), crl)?;
            progress.advance(1);
        }
        state.set_counts(ca, counts);
        progress.finish();
    }
    state.set_crl_next_update(next_update);
    Ok(())
}

fn inventory_path(dir: &Path, ca: CardCa) -> PathBuf {
    dir.join(format!("{}-issued.txt", ca.prefix()))
}

pub fn inventories_exist(dir: &Path) -> bool {
    CardCa::ALL.into_iter().all(|ca| inventory_path(dir, ca).is_file())
}

/// Every issued serial, ascending: hexadecimal, a blank, the distribution point's name (RFC 4514).
pub fn inventories(
    dir: &Path,
    population: &Population,
    progress: &mut dyn DemoProgress,
) -> Result<(), DemoError> {
    for ca in CardCa::ALL {
        progress.start(&format!("inventory for {}", ca.purpose()), population.cards());
        let points: Vec<String> =
            population.places().iter().map(|place| ca.distribution_point(place)).collect();
        files::write_streaming(&inventory_path(dir, ca), |out| {
            writeln!(out, "# Every certificate for {} of this demo:", ca.purpose())?;
            writeln!(out, "# its serial number, and the distribution point whose CRL would list it.")?;
            for (count, (serial, place)) in population.issued(ca).enumerate() {
                let point = points.get(place).map_or("", String::as_str);
                writeln!(out, "{} {point}", serial.to_hex())?;
                if (count as u64 + 1).is_multiple_of(STRIDE) {
                    progress.advance(STRIDE);
                }
            }
            Ok(())
        })?;
        progress.advance(population.cards() % STRIDE);
        progress.finish();
    }
    Ok(())
}
