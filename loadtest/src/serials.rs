//! Whom requests ask about: the serial numbers of a file, and the order they are asked in.
//!
//! Called by `command` (reading) and `drive` (picking). Serial numbers lie packed in one piece of
//! memory, five octets each for a card's, because a country has 250 million of them.
//! Errors: [`SerialsError`]; they name lines, never what stands there.

use crate::plan::Order;
use ocsprey::x509::{SerialNumber, SerialNumberError};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The list, in the order of asking.
pub struct Serials {
    /// Records of `stride` octets: a length, then the content octets of the INTEGER.
    records: Vec<u8>,
    stride: usize,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum SerialsError {
    #[error("{}: cannot be read: {source} (the demo leaves auth-issued.txt in its folder)", .file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{}: line {line}: {source} (one hexadecimal serial number a line, first word)", .file.display())]
    Line { file: PathBuf, line: usize, source: SerialNumberError },
    #[error("{}: it lists no serial number (one hexadecimal serial number a line, first word)", .file.display())]
    Empty { file: PathBuf },
}

impl Serials {
    /// The first word of each line; `#` comments and empty lines are skipped.
    pub fn read(file: &Path) -> Result<Self, SerialsError> {
        let wrong = |source| SerialsError::Read { file: file.to_path_buf(), source };
        let mut reader = BufReader::with_capacity(1 << 20, File::open(file).map_err(wrong)?);
        let mut serials = Self { records: Vec::new(), stride: 5 };
        let mut text = String::new();
        let mut line = 0;
        loop {
            text.clear();
            if reader.read_line(&mut text).map_err(wrong)? == 0 {
                break;
            }
            line += 1;
            let Some(word) = text.split_whitespace().next() else { continue };
            if word.starts_with('#') {
                continue;
            }
            let serial = SerialNumber::from_hex(word).map_err(|source| SerialsError::Line {
                file: file.to_path_buf(),
                line,
                source,
            })?;
            serials.push(serial.as_bytes());
        }
        if serials.is_empty() {
            return Err(SerialsError::Empty { file: file.to_path_buf() });
        }
        Ok(serials)
    }

    /// `count` numbers of 16 octets that are on no list but by an unlikely chance.
    #[must_use]
    pub fn random(count: usize, seed: u64) -> Self {
        let mut chance = SmallRng::seed_from_u64(seed ^ 0x0bad_ca4d);
        let mut serials = Self { records: Vec::new(), stride: 17 };
        for _ in 0..count {
            let mut content = [0; 16];
            chance.fill(&mut content);
            // Positive, and no octet too many (X.690 8.3.2).
            content[0] = content[0] & 0x7f | 0x40;
            serials.push(&content);
        }
        serials
    }

    fn push(&mut self, content: &[u8]) {
        if content.len() >= self.stride {
            self.widen(content.len() + 1);
        }
        // At most SerialNumber::MAX_OCTETS.
        self.records.push(u8::try_from(content.len()).unwrap_or_default());
        self.records.extend_from_slice(content);
        let end = self.records.len().next_multiple_of(self.stride);
        self.records.resize(end, 0);
    }

    fn widen(&mut self, stride: usize) {
        let mut wider = Vec::with_capacity(self.len() * stride);
        for record in self.records.chunks_exact(self.stride) {
            wider.extend_from_slice(record);
            wider.resize(wider.len() + stride - self.stride, 0);
        }
        (self.records, self.stride) = (wider, stride);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len() / self.stride
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The content octets of number `index`; of none beyond the end.
    #[must_use]
    pub fn get(&self, index: usize) -> &[u8] {
        let start = index.saturating_mul(self.stride);
        match self.records.get(start..start.saturating_add(self.stride)) {
            Some([len, content @ ..]) => content.get(..usize::from(*len)).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Puts the list into the order of `order` (Fisher and Yates, in place).
    pub fn arrange(&mut self, order: Order, seed: u64) {
        if matches!(order, Order::InOrder | Order::Random) {
            return;
        }
        let mut chance = SmallRng::seed_from_u64(seed ^ 0x5e71_a15e);
        for last in (1..self.len()).rev() {
            let other = chance.random_range(0..=last);
            if other == last {
                continue;
            }
            let (front, back) = self.records.split_at_mut(last * self.stride);
            if let (Some(one), Some(two)) =
                (front.get_mut(other * self.stride..(other + 1) * self.stride), back.get_mut(..self.stride))
            {
                one.swap_with_slice(two);
            }
        }
    }
}

/// Which serial comes next.
pub enum Picker {
    /// Each once, then from the start again.
    Once {
        len: usize,
    },
    Zipf(Zipf),
}

impl Picker {
    #[must_use]
    pub fn new(order: Order, exponent: f64, len: usize) -> Self {
        match order {
            Order::InOrder | Order::Shuffled | Order::Random => Self::Once { len },
            Order::Zipf => Self::Zipf(Zipf::new(len, exponent)),
        }
    }

    /// The index of what certificate number `asked` of the whole run asks about.
    pub fn pick(&self, asked: u64, chance: &mut SmallRng) -> usize {
        match self {
            // The remainder is below a usize.
            Self::Once { len } => usize::try_from(asked % (*len).max(1) as u64).unwrap_or_default(),
            Self::Zipf(zipf) => zipf.pick(chance),
        }
    }
}

/// Zipf's law over 0..n: number k comes with a weight of 1/(k+1)^s. Drawn by rejection-inversion
/// (Hörmann and Derflinger 1996): no table, whatever n is.
pub struct Zipf {
    n: f64,
    exponent: f64,
    from: f64,
    to: f64,
    shortcut: f64,
}

impl Zipf {
    #[must_use]
    pub fn new(len: usize, exponent: f64) -> Self {
        let n = (len.max(1)) as f64;
        let mut zipf = Self { n, exponent, from: 0.0, to: 0.0, shortcut: 0.0 };
        zipf.from = zipf.area(1.5) - 1.0;
        zipf.to = zipf.area(n + 0.5);
        zipf.shortcut = 2.0 - zipf.area_inverse(zipf.area(2.5) - zipf.weight(2.0));
        zipf
    }

    fn weight(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The integral of `weight`.
    fn area(&self, x: f64) -> f64 {
        let ln = x.ln();
        let power = (1.0 - self.exponent) * ln;
        // expm1(p)/p, whose limit at 0 is 1: an exponent of 1 is no special case.
        (if power.abs() > 1e-8 { power.exp_m1() / power } else { 1.0 + power / 2.0 }) * ln
    }

    fn area_inverse(&self, area: f64) -> f64 {
        let scaled = (area * (1.0 - self.exponent)).max(-1.0);
        let log = if scaled.abs() > 1e-8 { scaled.ln_1p() / scaled } else { 1.0 - scaled / 2.0 };
        (log * area).exp()
    }

    pub fn pick(&self, chance: &mut SmallRng) -> usize {
        loop {
            let area = self.to + chance.random::<f64>() * (self.from - self.to);
            let x = self.area_inverse(area);
            let rank = (x + 0.5).floor().clamp(1.0, self.n);
            if rank - x <= self.shortcut || area >= self.area(rank + 0.5) - self.weight(rank) {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "between 1 and n"
                )]
                return rank as usize - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn listed(text: &str) -> Result<Serials, SerialsError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("issued.txt");
        std::fs::write(&file, text).unwrap();
        Serials::read(&file)
    }

    #[test]
    fn the_first_word_of_a_line_is_a_serial_and_the_rest_is_not() {
        let long = "7f".repeat(20);
        let serials =
            listed(&format!("# issued\n03fe00 CN=Kiyose-shi CRLDP\n\n80 x\n{long}\n0100\n")).unwrap();
        assert_eq!(serials.len(), 4);
        assert_eq!(serials.get(0), [0x03, 0xfe, 0x00]);
        assert_eq!(serials.get(1), [0x00, 0x80], "a positive INTEGER");
        assert_eq!(serials.get(2), [0x7f; 20], "one long serial does not disturb those before it");
        assert_eq!(serials.get(3), [0x01, 0x00]);
        assert!(serials.get(4).is_empty());
    }

    #[test]
    fn a_wrong_line_is_named_and_not_shown() {
        let told = listed("01\nxyzzy\n").err().unwrap().to_string();
        assert!(told.contains("line 2") && !told.contains("xyzzy"), "{told}");
        assert!(matches!(listed("# nothing\n"), Err(SerialsError::Empty { .. })));
    }

    #[test]
    fn a_shuffled_list_has_each_serial_once_and_the_seed_repeats_it() {
        let text = (1..=1000).map(|number| format!("{number:x}")).collect::<Vec<_>>().join("\n");
        let arranged = |order, seed| {
            let mut serials = listed(&text).unwrap();
            serials.arrange(order, seed);
            let picker = Picker::new(order, 1.0, serials.len());
            let mut chance = SmallRng::seed_from_u64(1);
            (0..1000).map(|k| serials.get(picker.pick(k, &mut chance)).to_vec()).collect::<Vec<_>>()
        };
        let shuffled = arranged(Order::Shuffled, 1);
        assert_eq!(shuffled.iter().collect::<HashSet<_>>().len(), 1000);
        assert_eq!(shuffled, arranged(Order::Shuffled, 1));
        assert_ne!(shuffled, arranged(Order::Shuffled, 2));
        assert_ne!(shuffled, arranged(Order::InOrder, 1));
        assert_eq!(arranged(Order::InOrder, 1)[255], [0x01, 0x00]);
    }

    #[test]
    fn zipf_draws_each_rank_as_often_as_its_law_says() {
        for exponent in [0.0, 0.5, 1.0, 1.5] {
            let (n, draws) = (50, 400_000);
            let zipf = Zipf::new(n, exponent);
            let mut chance = SmallRng::seed_from_u64(7);
            let mut seen = vec![0u32; n];
            for _ in 0..draws {
                seen[zipf.pick(&mut chance)] += 1;
            }
            let weights: Vec<f64> = (1..=n).map(|rank| (rank as f64).powf(-exponent)).collect();
            let whole: f64 = weights.iter().sum();
            for (rank, (found, weight)) in seen.iter().zip(&weights).enumerate() {
                let expected = f64::from(draws) * weight / whole;
                let off = (f64::from(*found) - expected).abs();
                assert!(off < 6.0 * expected.sqrt(), "s={exponent} rank {rank}: {found}, not {expected}");
            }
        }
        assert_eq!(Zipf::new(1, 1.0).pick(&mut SmallRng::seed_from_u64(1)), 0);
    }
}
