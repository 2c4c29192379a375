//! The ledger: read, checked against the tree, and made into a table.
//!
//! A test claims the items that its name begins with: `a1_a2_…`, `c1_to_c6_…`, `t31_…`, `trap_6_g14_…`. What is claimed
//! must be listed and what is listed must exist, so neither a test nor a claim is lost unnoticed.
//! `make conformance` lists new claims and writes the table; it removes nothing, because a proof that is
//! gone is for a person to judge.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds, and the tests prove it.
    Pass,
    /// It is not judged here, for a reason.
    Skip,
    /// It does not hold, for a reason.
    Divergence,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Divergence => "divergence",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub id: String,
    pub clause: String,
    pub requirement: String,
    /// The standards leave a choice: `why` says what was chosen.
    #[serde(default)]
    pub judgement: bool,
    pub verdict: Verdict,
    #[serde(default)]
    pub why: String,
    #[serde(default)]
    pub tests: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    item: Vec<Item>,
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(name)
}

impl Ledger {
    pub fn read() -> Self {
        toml::from_str(&fs::read_to_string(path("ledger.toml")).unwrap()).unwrap()
    }

    pub fn item(&self, id: &str) -> &Item {
        self.item.iter().find(|item| item.id == id).unwrap_or_else(|| panic!("{id} is not in the ledger"))
    }

    /// As it stands in the tree.
    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for item in &self.item {
            let quoted = |name: &str, value: &str| format!("{name} = {}\n", toml::Value::from(value));
            text += "\n[[item]]\n";
            text += &quoted("id", &item.id);
            text += &quoted("clause", &item.clause);
            text += &quoted("requirement", &item.requirement);
            text += if item.judgement { "judgement = true\n" } else { "" };
            text += &quoted("verdict", item.verdict.name());
            text += &if item.why.is_empty() { String::new() } else { quoted("why", &item.why) };
            if !item.tests.is_empty() {
                let lines: String = item.tests.iter().map(|test| format!("    \"{test}\",\n")).collect();
                text += &format!("tests = [\n{lines}]\n");
            }
        }
        text
    }

    /// `LEDGER.md`.
    fn table(&self, sources: &Sources) -> String {
        let count = |verdict| self.item.iter().filter(|item| item.verdict == verdict).count();
        let mut table = format!(
            "# Conformance\n\nMade from `ledger.toml` by `make conformance`; a test holds it current. \
             {} items: {} pass, {} skipped, {} known divergences. (J): the standards leave a choice.\n",
            self.item.len(),
            count(Verdict::Pass),
            count(Verdict::Skip),
            count(Verdict::Divergence)
        );
        for (letter, title) in GROUPS {
            write!(table, "\n## {title}\n\n| id | clause | requirement | verdict | proof |\n").unwrap();
            table += "| --- | --- | --- | --- | --- |\n";
            for item in self.item.iter().filter(|item| item.id.starts_with(letter)) {
                let judgement = if item.judgement { " (J)" } else { "" };
                let proof = item.tests.iter().map(|test| match sources.place_of(test) {
                    Some(place) if place != test => format!("`{test}` ({place})"),
                    _ => format!("`{test}`"),
                });
                let why = Some(item.why.clone()).filter(|why| !why.is_empty());
                let proof = why.into_iter().chain(proof).collect::<Vec<_>>().join("<br>");
                let cells = [
                    &item.id,
                    &format!("{}{judgement}", item.clause),
                    &item.requirement,
                    item.verdict.name(),
                    &proof,
                ];
                let cells = cells.map(|cell| cell.replace('|', "\\|"));
                writeln!(table, "| {} |", cells.join(" | ")).unwrap();
            }
        }
        table
    }
}

const HEAD: &str = "\
# What is required of an OCSP responder, what ocsprey makes of it, and what proves it. See main.rs.
#
# verdict: pass | skip | divergence; the last two say why, and so does every judgement. A test is named by its
# function; a proof that is no Rust test by its file, and the function in it: \"tests/interop/run: by_java\".
";

const GROUPS: [(char, &str); 9] = [
    ('A', "A. OCSP requests"),
    ('B', "B. Answers"),
    ('C', "C. Nonces"),
    ('D', "D. Time and freshness"),
    ('E', "E. Error statuses"),
    ('F', "F. CRLs"),
    ('G', "G. HTTP"),
    ('H', "H. Algorithms and signing"),
    ('T', "T. Traps that others fell into"),
];

/// Every id, in order.
fn ids() -> Vec<String> {
    let counts =
        [('A', 24), ('B', 27), ('C', 13), ('D', 12), ('E', 6), ('F', 47), ('G', 32), ('H', 7), ('T', 41)];
    let mut ids = Vec::new();
    for (letter, count) in counts {
        for number in 1..=count {
            ids.push(format!("{letter}{number}"));
            if matches!((letter, number), ('E', 5) | ('T', 32)) {
                ids.push(format!("{letter}{number}a"));
            }
        }
    }
    ids
}

/// The tests of the tree: name, and the files where one of that name stands.
struct Sources {
    tests: BTreeMap<String, BTreeSet<String>>,
}

impl Sources {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![root.join("src"), root.join("tests")];
        let mut tests = BTreeMap::<String, BTreeSet<String>>::new();
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let file = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    for test in tests_in(&fs::read_to_string(&path).unwrap()) {
                        tests.entry(test).or_default().insert(file.clone());
                    }
                }
            }
        }
        Self { tests }
    }

    /// The file of a proof; `None` when there is no such proof.
    fn place_of<'a>(&'a self, proof: &'a str) -> Option<&'a str> {
        if let Some((file, function)) = proof.split_once(": ") {
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()?;
            return text.contains(&format!("def {function}(")).then_some(proof);
        }
        self.tests.get(proof)?.first().map(String::as_str)
    }

    /// The tests whose names claim an item.
    fn claims(&self) -> BTreeMap<String, BTreeSet<&str>> {
        let mut claims = BTreeMap::<String, BTreeSet<&str>>::new();
        for test in self.tests.keys() {
            for id in claims_of(test) {
                claims.entry(id).or_default().insert(test);
            }
        }
        claims
    }
}

/// The functions below a `#[test]`.
fn tests_in(text: &str) -> Vec<String> {
    let mut lines = text.lines().map(str::trim);
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if matches!(line, "#[test]" | "#[tokio::test]") {
            let function = lines.by_ref().find_map(|line| {
                line.trim_start_matches("async ")
                    .strip_prefix("fn ")?
                    .split(['(', '<'])
                    .next()
                    .map(str::to_owned)
            });
            found.extend(function);
        }
    }
    found
}

/// `trap_6_g14_to_g16_what` claims T6, G14, G15, G16.
fn claims_of(name: &str) -> Vec<String> {
    let mut ids = Vec::<String>::new();
    let mut words = name.split('_');
    while let Some(word) = words.next() {
        let (letter, number) = match word {
            "trap" => ("t", words.next().unwrap_or_default()),
            "to" => {
                let last = ids.last().and_then(|id| id[1..].parse::<u8>().ok());
                let (Some(first), Some(end)) =
                    (last, words.next().and_then(|word| word.get(1..)?.parse().ok()))
                else {
                    break;
                };
                let letter = ids[ids.len() - 1][..1].to_owned();
                ids.extend((first + 1..=end).map(|number| format!("{letter}{number}")));
                continue;
            }
            _ => match word.strip_prefix("trap") {
                Some(number) => ("t", number),
                None => match word.split_at_checked(1) {
                    Some((letter @ ("a" | "b" | "c" | "d" | "e" | "f" | "g" | "h" | "t"), number)) => {
                        (letter, number)
                    }
                    _ => break,
                },
            },
        };
        let digits = number.strip_suffix('a').unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            break;
        }
        ids.push(format!("{}{number}", letter.to_uppercase()));
    }
    ids
}

#[test]
fn names_claim_what_they_begin_with() {
    assert_eq!(claims_of("a1_a2_t9_every_hash"), ["A1", "A2", "T9"]);
    assert_eq!(claims_of("trap_6_g14_to_g16_headers"), ["T6", "G14", "G15", "G16"]);
    assert_eq!(claims_of("trap23_a_signer"), ["T23"]);
    assert_eq!(claims_of("t32a_e5a_a_file"), ["T32a", "E5a"]);
    for none in ["a_file", "to_be", "s4_2_1_a", "decision_6", "every_b1", "a1b_c"] {
        assert!(claims_of(none).is_empty(), "{none}");
    }
    assert_eq!(
        tests_in("#[test]\n#[ignore]\nfn a1_b() {\nfn c() {\n#[tokio::test]\nasync fn d() {"),
        ["a1_b", "d"]
    );
}

#[test]
fn every_item_is_there_once_in_order() {
    let found: Vec<_> = Ledger::read().item.into_iter().map(|item| item.id).collect();
    assert_eq!(found, ids());
}

#[test]
fn a_pass_has_a_proof_and_everything_else_a_reason() {
    for item in Ledger::read().item {
        let (id, verdict) = (&item.id, item.verdict.name());
        assert!(!item.requirement.is_empty() && !item.clause.is_empty(), "{id}");
        assert!(item.verdict != Verdict::Pass || !item.tests.is_empty(), "{id}: nothing proves it");
        let reason = !item.why.is_empty();
        assert!(reason || item.verdict == Verdict::Pass, "{id}: {verdict}, and no reason");
        assert!(reason || !item.judgement, "{id}: a judgement, and nobody says which");
    }
}

#[test]
fn proofs_and_claims_agree_and_the_table_is_current() {
    let (mut ledger, sources) = (Ledger::read(), Sources::read());
    let is_asked_to_write = std::env::var_os("OCSPREY_WRITE_LEDGER").is_some();
    let mut wrong = Vec::new();
    for item in &ledger.item {
        let gone = item.tests.iter().filter(|test| sources.place_of(test).is_none());
        wrong.extend(gone.map(|test| format!("{}: there is no test {test}", item.id)));
    }
    for (id, tests) in sources.claims() {
        let Some(item) = ledger.item.iter_mut().find(|item| item.id == id) else {
            wrong.push(format!("{tests:?} claim {id}, which is no item"));
            continue;
        };
        for test in tests {
            if !item.tests.iter().any(|listed| listed == test) {
                if !is_asked_to_write {
                    wrong.push(format!("{id}: {test} is not listed (`make conformance` lists it)"));
                }
                item.tests.push(test.to_owned());
            }
        }
    }
    if is_asked_to_write {
        fs::write(path("ledger.toml"), ledger.text()).unwrap();
        fs::write(path("LEDGER.md"), ledger.table(&sources)).unwrap();
    } else {
        let same = |name, text: String| fs::read_to_string(path(name)).unwrap_or_default() == text;
        if !same("LEDGER.md", ledger.table(&sources)) || !same("ledger.toml", ledger.text()) {
            wrong.push("the ledger is not as `make conformance` writes it: run it".to_owned());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
