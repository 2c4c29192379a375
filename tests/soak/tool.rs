//! What `tests/soak/run` needs and Python is too slow for: CRLs of any size, and x509-cert as a rival.
//!
//!     soak crl CA.pem CA.key NUMBER ENTRIES OCTETS CHANGED OUT
//!     soak inventory ENTRIES OCTETS OUT
//!     soak serials FROM ENTRIES OCTETS STEP
//!     soak publication CA.pem CA.key DAY PARTITIONS MEAN CHANGED FOLDER [PARTITION]
//!     soak probes DAY PARTITIONS MEAN CHANGED
//!     soak x509-cert CRL
//!
//! `crl` writes a signed CRL of ENTRIES random serial numbers of OCTETS octets (4: dense, ascending) with
//! reasonCode. Each number from the second on has CHANGED entries less at the end than it would have and as
//! many new ones, spread over all the others: the same arguments, the same CRL.
//!
//! `publication` writes the CRL of every municipality, or of one, as of a day: MEAN entries of 37 octets on
//! average, of which CHANGED in 100,000 leave each day and as many come. `probes` prints, for each municipality:
//! index, entries, and five serial numbers, revoked before the day DAY (three) and from it on (two).

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "a measurement stops where it fails and says what it measured"
)]

use der::{Decode, Encode};
use ocsprey::clock::Clock;
use ocsprey::demo::{CrlHeader, CrlWriter};
use ocsprey::signing::SoftwareKey;
use ocsprey::x509::{Certificate, CrlReason, Revocation, SerialNumber, UnixTime};
use std::fs::File;
use std::io::{BufWriter, Write};
use x509_cert::crl::CertificateList;
use x509_cert::name::Name;

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
        ["serials", from, entries, octets, step] => {
            let (from, entries): (u64, u64) = (from.parse().unwrap(), entries.parse().unwrap());
            let (octets, step): (usize, usize) = (octets.parse().unwrap(), step.parse().unwrap());
            let mut out = BufWriter::new(std::io::stdout());
            for n in (from..from + entries).step_by(step) {
                writeln!(out, "{}", serial(n, octets).to_hex()).unwrap();
            }
        }
        ["publication", ca, key, day, partitions, mean, changed, folder, ref only @ ..] => {
            let only = only.first().map(|index| index.parse::<u64>().unwrap());
            let day = day.parse().unwrap();
            let ca = Authority::read(ca, key);
            let mut writer = CrlWriter::default();
            for partition in Publication::of(partitions, mean, changed).partitions() {
                if only.is_none_or(|only| only == partition.index) {
                    partition.write(day, &mut writer);
                    let point = format!("CN=P{:04} CRLDP,O=Soak,C=JP", partition.index);
                    let point = point.parse::<Name>().unwrap().to_der().unwrap();
                    let crl = ca.sign(&mut writer, day, &point);
                    std::fs::write(format!("{folder}/p{:04}.crl", partition.index), crl).unwrap();
                }
            }
        }
        ["probes", day, partitions, mean, changed] => {
            for partition in Publication::of(partitions, mean, changed).partitions() {
                let probes = partition.probes(day.parse().unwrap()).map(|serial| serial.to_hex());
                println!("{} {} {}", partition.index, partition.entries, probes.join(" "));
            }
        }
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

/// A CA that signs CRLs.
struct Authority {
    certificate: Certificate,
    key: SoftwareKey,
}

impl Authority {
    fn read(certificate: &str, key: &str) -> Self {
        Self {
            certificate: Certificate::from_pem_or_der(&std::fs::read(certificate).unwrap()).unwrap(),
            key: SoftwareKey::from_pkcs8_pem(&std::fs::read(key).unwrap()).unwrap(),
        }
    }

    fn sign<'a>(&self, writer: &'a mut CrlWriter, number: u64, distribution_point: &[u8]) -> &'a [u8] {
        let now = Clock::System.now();
        let header = CrlHeader {
            issuer: self.certificate.subject(),
            key_identifier: self.certificate.subject_key_identifier().unwrap_or_default(),
            distribution_point,
            crl_number: number,
            this_update: now.plus(-3600 + i64::try_from(number).unwrap()),
            next_update: now.plus(30 * 86_400),
        };
        writer.finish(&header, &self.key).unwrap()
    }
}

fn write_crl(ca: &str, key: &str, plan: Plan, out: &str) {
    let ca = Authority::read(ca, key);
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
    let crl = ca.sign(&mut writer, plan.number, ca.certificate.subject());
    std::fs::write(out, crl).unwrap();
    println!("{out}: {} entries, {} octets", plan.entries, crl.len());
}

/// A day of a nation: a CRL for each of many municipalities.
struct Publication {
    partitions: u64,
    /// Entries of a CRL on average.
    mean: u64,
    /// Entries of a hundred thousand that leave each day; as many come.
    changed: u64,
}

/// What one municipality publishes.
struct Partition {
    index: u64,
    entries: u64,
    /// Those that leave each day, and those that come.
    changed: u64,
    /// From one of its serial numbers to the next, in steps of all municipalities.
    step: u64,
    partitions: u64,
}

impl Publication {
    fn of(partitions: &str, mean: &str, changed: &str) -> Self {
        let number = |text: &str| text.parse().unwrap();
        Self { partitions: number(partitions), mean: number(mean), changed: number(changed) }
    }

    /// Few are large and most are small, as municipalities are: the largest has 18 times the mean.
    fn partitions(&self) -> Vec<Partition> {
        let weight = |rank: u64| (rank as f64 + 12.0).powf(-0.8);
        let sum: f64 = (0..self.partitions).map(weight).sum();
        let total = (self.mean * self.partitions) as f64;
        let entries = |rank| ((weight(rank) / sum * total) as u64).max(10);
        let places = 2 * entries(0);
        let partition = |index| {
            // The large ones stand among the others.
            let entries = entries(index * 7919 % self.partitions);
            let entries = if entries.is_multiple_of(7919) { entries + 1 } else { entries };
            let changed = (entries * self.changed / 100_000).max(1);
            Partition { index, entries, changed, step: places / entries, partitions: self.partitions }
        };
        (0..self.partitions).map(partition).collect()
    }
}

impl Partition {
    /// Municipalities revoke cards from the whole country's sequence of numbers.
    fn serial(&self, place: u64) -> SerialNumber {
        SerialNumber::from(0x0100_0000 + place * self.partitions + self.index)
    }

    fn first(&self, n: u64) -> SerialNumber {
        self.serial(n * self.step)
    }

    /// The n-th that came after the first day.
    fn later(&self, n: u64) -> SerialNumber {
        self.serial(n * 7919 % self.entries * self.step + 1)
    }

    fn write(&self, day: u64, writer: &mut CrlWriter) {
        let revocation = |n: u64| Revocation {
            time: UnixTime::from_seconds(1_700_000_000 + i64::try_from(n % 70_000_000).unwrap()),
            reason: [CrlReason::KeyCompromise, CrlReason::Superseded]
                .get(usize::try_from(n % 2).unwrap())
                .copied(),
            invalidity: None,
        };
        let changes = (self.changed * (day - 1)).min(self.entries);
        // In the order of revocation, which is not that of serial numbers.
        for n in (0..self.entries).map(|n| n * 7919 % self.entries).filter(|n| *n >= changes) {
            writer.push(&self.first(n), &revocation(n));
        }
        (0..changes).for_each(|n| writer.push(&self.later(n), &revocation(n)));
    }

    /// Serial numbers to ask about: one that stays, the first and the last that leave on this day (and stay
    /// revoked), the first and the last that come with it.
    fn probes(&self, day: u64) -> [SerialNumber; 5] {
        let (from, to) = (self.changed * (day - 2), self.changed * (day - 1) - 1);
        [self.first(self.entries - 1), self.first(from), self.first(to), self.later(from), self.later(to)]
    }
}
