//! What `tests/soak/run` needs and Python is too slow for: CRLs of any size, and x509-cert as a rival.
//!
//!     soak crl CA.pem CA.key NUMBER ENTRIES OCTETS CHANGED OUT
//!     soak inventory ENTRIES OCTETS OUT
//!     soak serial N OCTETS
//!     soak x509-cert CRL
//!
//! `crl` writes a signed CRL of ENTRIES random serial numbers of OCTETS octets (4: dense, ascending) with
//! reasonCode. Each number from the second on has CHANGED entries less at the end than it would have and as
//! many new ones, spread over all the others: the same arguments, the same CRL.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement stops where it fails and says what it measured"
)]

use der::Decode;
use ocsprey::clock::Clock;
use ocsprey::demo::{CrlHeader, CrlWriter};
use ocsprey::signing::SoftwareKey;
use ocsprey::x509::{Certificate, CrlReason, Revocation, SerialNumber, UnixTime};
use std::fs::File;
use std::io::{BufWriter, Write};
use x509_cert::crl::CertificateList;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["crl", ca, key, number, entries, octets, changed, out] => {
            let plan = Plan {
                number: number.parse().unwrap(),
                entries: entries.parse().unwrap(),
                octets: octets.parse().unwrap(),
                changed: changed.parse().unwrap(),
            };
            write_crl(ca, key, plan, out);
        }
        ["inventory", entries, octets, out] => {
            let (entries, octets) = (entries.parse().unwrap(), octets.parse().unwrap());
            let mut file = BufWriter::new(File::create(out).unwrap());
            for n in 0..entries {
                writeln!(file, "{}", serial(n, octets).to_hex()).unwrap();
            }
            file.flush().unwrap();
        }
        ["serial", n, octets] => println!("{}", serial(n.parse().unwrap(), octets.parse().unwrap()).to_hex()),
        ["x509-cert", crl] => {
            let der = std::fs::read(crl).unwrap();
            let list = CertificateList::<x509_cert::certificate::Rfc5280>::from_der(&der).unwrap();
            println!("{} entries", list.tbs_cert_list.revoked_certificates.map_or(0, |list| list.len()));
        }
        _ => println!("see the head of tests/soak/tool.rs"),
    }
}

#[derive(Clone, Copy)]
struct Plan {
    number: u64,
    entries: u64,
    octets: usize,
    changed: u64,
}

/// The n-th certificate of the CA.
fn serial(n: u64, octets: usize) -> SerialNumber {
    if octets <= 4 {
        return SerialNumber::from(0x0100_0000 + n);
    }
    let mix = |n: u64| {
        let n = (n ^ (n >> 31)).wrapping_mul(0x7fb5_d329_728e_a185);
        (n ^ (n >> 27)).wrapping_mul(0x81da_def4_bc2d_d44d)
    };
    // Sixteen octets, the highest bit clear and the next one set.
    let high = mix(n + 1) >> 2 | 1 << 62;
    let value = (u128::from(high) << 64) | u128::from(mix(n ^ 0x1234_5678_9abc));
    SerialNumber::from_unsigned(&value.to_be_bytes()).unwrap()
}

fn write_crl(ca: &str, key: &str, plan: Plan, out: &str) {
    let ca = Certificate::from_pem_or_der(&std::fs::read(ca).unwrap()).unwrap();
    let key = SoftwareKey::from_pkcs8_pem(&std::fs::read(key).unwrap()).unwrap();
    let reasons = [CrlReason::KeyCompromise, CrlReason::Superseded, CrlReason::CessationOfOperation];
    let begin = 1_700_000_000;
    let mut writer = CrlWriter::default();
    // The newest ones change: some of the old ones leave (these stay revoked), as many new ones come.
    let gone = plan.changed * (plan.number - 1);
    let step = plan.entries.checked_div(gone).unwrap_or(u64::MAX);
    let (mut left, mut n) = (plan.entries, 0u64);
    while left > 0 {
        if step == u64::MAX || n % step != step - 1 || n / step >= gone {
            let time = UnixTime::from_seconds(begin + i64::try_from(n % 70_000_000).unwrap());
            let reason = reasons.get(usize::try_from(n % 3).unwrap()).copied();
            writer.push(&serial(n, plan.octets), &Revocation { time, reason, invalidity: None });
            left -= 1;
        }
        n += 1;
    }
    let now = Clock::System.now();
    let header = CrlHeader {
        issuer: ca.subject(),
        key_identifier: ca.subject_key_identifier().unwrap_or_default(),
        distribution_point: ca.subject(),
        crl_number: plan.number,
        this_update: now.plus(-3600 + i64::try_from(plan.number).unwrap()),
        next_update: now.plus(30 * 86_400),
    };
    let crl = writer.finish(&header, &key).unwrap();
    std::fs::write(out, crl).unwrap();
    println!("{out}: {} entries, {} octets", plan.entries, crl.len());
}
