//! Where the demo's cards live: Japanese municipalities, one CRL distribution point each.
//!
//! Called by `population`. The first places are real ones with about their real number of
//! inhabitants, picked so that a small demo already has a metropolis, towns and an island village of
//! under 200 people (whose CRL is mostly empty). Japan has about 1,900 municipalities and wards;
//! those behind the list are numbered. Nothing here fails.

use std::borrow::Cow;

/// A municipality.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Romanised, as in a distribution point's `OU`: `Tokyo-to`.
    pub prefecture: &'static str,
    /// Romanised, as in a distribution point's `CN`: `Kiyose-shi`.
    pub name: Cow<'static, str>,
    /// About how many people live there; the demo's cards are shared out in this proportion.
    pub inhabitants: u32,
}

impl Place {
    /// The municipality of this index. Those behind the named ones are numbered wards.
    #[must_use]
    pub fn of(index: usize) -> Self {
        match NAMED.get(index) {
            Some(&(prefecture, name, inhabitants)) => {
                Self { prefecture, name: Cow::Borrowed(name), inhabitants }
            }
            None => Self {
                prefecture: PREFECTURES.get(index % PREFECTURES.len()).copied().unwrap_or("Tokyo-to"),
                name: Cow::Owned(format!("Demo-ku {:04}", index + 1)),
                inhabitants: numbered_inhabitants(index),
            },
        }
    }

    /// The name of its CRL's file, without a folder: `tokyo-to-kiyose-shi.crl`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.crl", self.prefecture, self.name).to_lowercase().replace(' ', "-")
    }
}

/// From 2,000 to about 500,000, few of them large, the same at every start.
fn numbered_inhabitants(index: usize) -> u32 {
    const STEPS: [u32; 13] = [2, 4, 6, 8, 13, 20, 32, 50, 76, 110, 170, 290, 480];
    // 5 and 13 have no common divisor, so neighbours differ and every step comes up.
    let step = STEPS.get((index * 5) % STEPS.len()).copied().unwrap_or(50);
    step * 1_000 + (index as u32 % 97) * 11
}

const NAMED: [(&str, &str, u32); 60] = [
    ("Tokyo-to", "Kiyose-shi", 77_000),
    ("Tokyo-to", "Setagaya-ku", 944_000),
    ("Hokkaido", "Furano-shi", 20_000),
    ("Osaka-fu", "Sakai-shi", 817_000),
    ("Okinawa-ken", "Taketomi-cho", 4_000),
    ("Tokyo-to", "Aogashima-mura", 170),
    ("Kyoto-fu", "Uji-shi", 178_000),
    ("Kanagawa-ken", "Kawasaki-shi", 1_540_000),
    ("Nagano-ken", "Matsumoto-shi", 239_000),
    ("Aichi-ken", "Toyota-shi", 417_000),
    ("Fukuoka-ken", "Kurume-shi", 300_000),
    ("Miyagi-ken", "Ishinomaki-shi", 136_000),
    ("Hiroshima-ken", "Kure-shi", 207_000),
    ("Hyogo-ken", "Himeji-shi", 526_000),
    ("Ishikawa-ken", "Kanazawa-shi", 459_000),
    ("Kochi-ken", "Umaji-mura", 780),
    ("Saitama-ken", "Kawagoe-shi", 354_000),
    ("Chiba-ken", "Funabashi-shi", 647_000),
    ("Niigata-ken", "Joetsu-shi", 184_000),
    ("Gifu-ken", "Shirakawa-mura", 1_500),
    ("Hokkaido", "Otaru-shi", 108_000),
    ("Aomori-ken", "Hirosaki-shi", 164_000),
    ("Iwate-ken", "Tono-shi", 25_000),
    ("Akita-ken", "Semboku-shi", 23_000),
    ("Yamagata-ken", "Tsuruoka-shi", 119_000),
    ("Fukushima-ken", "Aizuwakamatsu-shi", 114_000),
    ("Ibaraki-ken", "Tsukuba-shi", 248_000),
    ("Tochigi-ken", "Nikko-shi", 76_000),
    ("Gumma-ken", "Takasaki-shi", 370_000),
    ("Tokyo-to", "Hachioji-shi", 580_000),
    ("Kanagawa-ken", "Kamakura-shi", 172_000),
    ("Toyama-ken", "Takaoka-shi", 163_000),
    ("Fukui-ken", "Obama-shi", 28_000),
    ("Yamanashi-ken", "Fujiyoshida-shi", 46_000),
    ("Shizuoka-ken", "Hamamatsu-shi", 786_000),
    ("Mie-ken", "Ise-shi", 120_000),
    ("Shiga-ken", "Hikone-shi", 113_000),
    ("Osaka-fu", "Higashiosaka-shi", 489_000),
    ("Nara-ken", "Yoshino-cho", 6_000),
    ("Wakayama-ken", "Tanabe-shi", 68_000),
    ("Tottori-ken", "Yonago-shi", 147_000),
    ("Shimane-ken", "Izumo-shi", 173_000),
    ("Okayama-ken", "Kurashiki-shi", 472_000),
    ("Yamaguchi-ken", "Hagi-shi", 43_000),
    ("Tokushima-ken", "Naruto-shi", 54_000),
    ("Kagawa-ken", "Marugame-shi", 109_000),
    ("Ehime-ken", "Imabari-shi", 149_000),
    ("Kochi-ken", "Shimanto-shi", 32_000),
    ("Fukuoka-ken", "Kitakyushu-shi", 931_000),
    ("Saga-ken", "Karatsu-shi", 115_000),
    ("Nagasaki-ken", "Sasebo-shi", 241_000),
    ("Kumamoto-ken", "Aso-shi", 24_000),
    ("Oita-ken", "Beppu-shi", 113_000),
    ("Miyazaki-ken", "Nobeoka-shi", 117_000),
    ("Kagoshima-ken", "Yakushima-cho", 12_000),
    ("Okinawa-ken", "Naha-shi", 314_000),
    ("Tokyo-to", "Adachi-ku", 692_000),
    ("Tokyo-to", "Mitaka-shi", 195_000),
    ("Hokkaido", "Otofuke-cho", 43_000),
    ("Nagano-ken", "Karuizawa-machi", 21_000),
];

const PREFECTURES: [&str; 47] = [
    "Hokkaido",
    "Aomori-ken",
    "Iwate-ken",
    "Miyagi-ken",
    "Akita-ken",
    "Yamagata-ken",
    "Fukushima-ken",
    "Ibaraki-ken",
    "Tochigi-ken",
    "Gumma-ken",
    "Saitama-ken",
    "Chiba-ken",
    "Tokyo-to",
    "Kanagawa-ken",
    "Niigata-ken",
    "Toyama-ken",
    "Ishikawa-ken",
    "Fukui-ken",
    "Yamanashi-ken",
    "Nagano-ken",
    "Gifu-ken",
    "Shizuoka-ken",
    "Aichi-ken",
    "Mie-ken",
    "Shiga-ken",
    "Kyoto-fu",
    "Osaka-fu",
    "Hyogo-ken",
    "Nara-ken",
    "Wakayama-ken",
    "Tottori-ken",
    "Shimane-ken",
    "Okayama-ken",
    "Hiroshima-ken",
    "Yamaguchi-ken",
    "Tokushima-ken",
    "Kagawa-ken",
    "Ehime-ken",
    "Kochi-ken",
    "Fukuoka-ken",
    "Saga-ken",
    "Nagasaki-ken",
    "Kumamoto-ken",
    "Oita-ken",
    "Miyazaki-ken",
    "Kagoshima-ken",
    "Okinawa-ken",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_place_has_its_own_file_and_a_plain_name() {
        let names: HashSet<String> = (0..1_900).map(|index| Place::of(index).file_name()).collect();
        assert_eq!(names.len(), 1_900);
        assert!(names.contains("tokyo-to-kiyose-shi.crl"));
        assert!(names.iter().all(|name| {
            name.bytes().all(|octet| octet.is_ascii_lowercase() || b"-.0123456789".contains(&octet))
        }));
    }

    #[test]
    fn sizes_are_mixed() {
        let places: Vec<Place> = (0..1_900).map(Place::of).collect();
        assert!(places.iter().filter(|place| place.inhabitants < 5_000).count() > 100);
        assert!(places.iter().filter(|place| place.inhabitants > 400_000).count() > 100);
    }
}
