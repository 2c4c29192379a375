//! A walk over a parsed TOML document that remembers which keys were asked for and where each stands.
//!
//! Called by `read` alone. Every question about a key records what is wrong with it in [`Problems`]
//! and answers `None`, so that the walk goes on.

use super::Problem;
use std::borrow::Cow;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Every key there is: (section, key). The source of "it belongs in [...]" hints.
const KNOWN: &[(&str, &str)] = &[
    ("server", "listen"),
    ("server", "workers"),
    ("server", "tls"),
    ("server.tls", "client_ca"),
    ("server.tls", "client_certificates"),
    ("server.tls", "min_version"),
    ("admin", "max_crl_size"),
    ("store", "path"),
    ("store", "cache_size"),
    ("store", "checkpoints"),
    ("store", "checkpoint_every"),
    ("store", "backups"),
    ("response", "profile"),
    ("response", "validity"),
    ("response", "cache_size"),
    ("response", "nonce"),
    ("response", "verify_every"),
    ("response", "archive_cutoff"),
    ("response", "crl_references"),
    ("response", "pair"),
    ("response", "presign"),
    ("response", "presign_limit"),
    ("response", "refresh_threads"),
    ("guard", "max_shrink"),
    ("guard", "max_released"),
    ("guard", "max_withdrawn"),
    ("guard", "tolerated"),
    ("fetch", "every"),
    ("fetch", "timeout"),
    ("fetch", "max_size"),
    ("usage", "prices"),
    ("usage", "day_begins"),
    ("usage", "keep"),
    ("usage", "names_per_day"),
    ("telemetry", "traces"),
    ("audit", "path"),
    ("audit", "key"),
    ("audit", "pseudonym_keys"),
    ("audit", "pseudonym_period"),
    ("audit", "keep"),
    ("audit", "keep_keys"),
    ("audit", "segment_size"),
    ("audit", "segment_time"),
    ("audit", "when_full"),
    ("verifiers", "registry"),
    ("verifiers", "on_behalf_of"),
    ("verifiers", "signed_requests"),
    ("verifiers", "enumeration"),
    ("issuer", "certificate"),
    ("issuer", "signer"),
    ("issuer", "signers"),
    ("issuer", "crls"),
    ("issuer", "crl_issuers"),
    ("issuer", "scopes"),
    ("issuer", "covers"),
    ("issuer", "inventory"),
    ("issuer", "unlisted"),
    ("issuer", "retention"),
    ("issuer", "generation"),
];

/// What was found wrong so far, and the text that line numbers are counted in.
pub(super) struct Problems<'t> {
    text: &'t str,
    found: Vec<Problem>,
}

impl<'t> Problems<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// How many so far.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    /// The line of the octet at `offset`, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.position(offset).0
    }

    /// Line and column (in characters) of the octet at `offset`, counted from 1.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        (line, column)
    }

    pub(super) fn add(&mut self, offset: usize, key: &str, why: impl Into<String>, hint: impl Into<Hint>) {
        let line = Some(self.line(offset));
        self.found.push(Problem { line, key: key.into(), why: why.into(), hint: hint.into().0 });
    }

    pub(super) fn into_found(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|problem| problem.line);
        self.found
    }
}

/// What to do about a problem, if something can be said.
pub(super) struct Hint(Option<String>);

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self((!text.is_empty()).then(|| text.into()))
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self((!text.is_empty()).then_some(text))
    }
}

/// One value, with its full name and its place.
pub(super) struct Field<'d> {
    pub(super) key: String,
    pub(super) offset: usize,
    value: &'d DeValue<'d>,
}

/// A whole number or a text: `scopes`.
pub(super) enum NumberOrText<'d> {
    Number(u64),
    Text(&'d str),
}

impl<'d> Field<'d> {
    fn of(key: String, value: &'d Spanned<DeValue<'d>>) -> Self {
        Self { key, offset: value.span().start, value: value.get_ref() }
    }

    /// Records what is wrong with this value.
    pub(super) fn wrong(&self, problems: &mut Problems<'_>, why: impl Into<String>, hint: impl Into<Hint>) {
        problems.add(self.offset, &self.key, why, hint);
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }

    pub(super) fn is_empty_list(&self) -> bool {
        matches!(self.value, DeValue::Array(items) if items.is_empty())
    }

    fn expected(&self, problems: &mut Problems<'_>, what: &str, example: &str) {
        let found = match self.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(problems, format!("expected {what}, found {found}"), format!("write it like {example}"));
    }

    /// Text that is not empty.
    pub(super) fn text(&self, problems: &mut Problems<'_>, example: &str) -> Option<&'d str> {
        match self.value {
            DeValue::String(text) if text.trim().is_empty() => {
                self.wrong(problems, "is empty", format!("write it like {example}"));
                None
            }
            DeValue::String(text) => Some(text.as_ref()),
            _ => {
                self.expected(problems, "text", example);
                None
            }
        }
    }

    /// Every element of a list. One alone is a list of one.
    pub(super) fn each(&self) -> Vec<Field<'d>> {
        match self.value {
            DeValue::Array(items) => items.iter().map(|item| Field::of(self.key.clone(), item)).collect(),
            _ => vec![Field { key: self.key.clone(), offset: self.offset, value: self.value }],
        }
    }

    /// Every text of a list. One text alone is a list of one.
    pub(super) fn texts(&self, problems: &mut Problems<'_>, example: &str) -> Vec<(Field<'d>, &'d str)> {
        let items = match self.value {
            DeValue::Array(_) | DeValue::String(_) => self.each(),
            _ => {
                self.expected(problems, "a list of texts", example);
                return Vec::new();
            }
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            if let Some(text) = item.text(problems, example) {
                texts.push((item, text));
            }
        }
        texts
    }

    pub(super) fn boolean(&self, problems: &mut Problems<'_>, example: &str) -> Option<bool> {
        let DeValue::Boolean(value) = self.value else {
            self.expected(problems, "true or false", example);
            return None;
        };
        Some(*value)
    }

    /// A date as TOML has it, or as a text: `2027-01-01`, `2027-01-01T08:00:00Z`.
    pub(super) fn date(&self, problems: &mut Problems<'_>, example: &str) -> Option<Cow<'d, str>> {
        match self.value {
            DeValue::Datetime(date) => Some(date.to_string().into()),
            DeValue::String(text) => Some(text.as_ref().into()),
            _ => {
                self.expected(problems, "a date", example);
                None
            }
        }
    }

    /// A whole number that is not negative.
    pub(super) fn number(&self, problems: &mut Problems<'_>, example: &str) -> Option<u64> {
        let DeValue::Integer(number) = self.value else {
            self.expected(problems, "a whole number", example);
            return None;
        };
        let value = u64::from_str_radix(number.as_str(), number.radix()).ok();
        if value.is_none() {
            let why = format!("{} is not a number from 0 up", number.as_str());
            self.wrong(problems, why, format!("write it like {example}"));
        }
        value
    }

    /// Either of the two.
    pub(super) fn number_or_text(
        &self,
        problems: &mut Problems<'_>,
        example: &str,
    ) -> Option<NumberOrText<'d>> {
        match self.value {
            DeValue::Integer(_) => self.number(problems, example).map(NumberOrText::Number),
            DeValue::String(_) => self.text(problems, example).map(NumberOrText::Text),
            _ => {
                self.expected(problems, "text or a whole number", example);
                None
            }
        }
    }

    /// A table, whose keys are named `path.key`.
    pub(super) fn section(
        &self,
        problems: &mut Problems<'_>,
        path: &str,
        example: &str,
    ) -> Option<Section<'d>> {
        match self.value {
            DeValue::Table(table) => Some(Section::new(table, path, self.offset)),
            _ => {
                self.expected(problems, "a table", example);
                None
            }
        }
    }

    /// The tables of a `[[list]]`. `name` gives the path of each from its place, counted from 1.
    pub(super) fn sections(
        &self,
        problems: &mut Problems<'_>,
        example: &str,
        name: impl Fn(usize, &DeTable<'_>) -> String,
    ) -> Vec<Section<'d>> {
        let DeValue::Array(items) = self.value else {
            self.expected(problems, "a list of tables", example);
            return Vec::new();
        };
        let mut sections = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let field = Field::of(self.key.clone(), item);
            match field.value {
                DeValue::Table(table) => {
                    sections.push(Section::new(table, &name(index + 1, table), field.offset));
                }
                _ => field.expected(problems, "a table", example),
            }
        }
        sections
    }
}

/// A table whose keys are taken one by one; [`Section::finish`] reports those nobody asked for.
pub(super) struct Section<'d> {
    table: &'d DeTable<'d>,
    path: String,
    pub(super) offset: usize,
    asked: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// `path` is what stands in front of a key, its separator included: `server.`, or nothing.
    pub(super) fn new(table: &'d DeTable<'d>, path: &str, offset: usize) -> Self {
        Self { table, path: path.into(), offset, asked: Vec::new() }
    }

    pub(super) fn key(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<Field<'d>> {
        self.asked.push(key);
        let value = self.table.get(key)?;
        Some(Field::of(self.key(key), value))
    }

    /// Records a problem when the key is not there.
    pub(super) fn require(
        &mut self,
        key: &'static str,
        problems: &mut Problems<'_>,
        example: &str,
    ) -> Option<Field<'d>> {
        let field = self.take(key);
        if field.is_none() {
            problems.add(self.offset, &self.key(key), "is missing", format!("write it like {example}"));
        }
        field
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(self, problems: &mut Problems<'_>) {
        for (key, _) in self.table {
            let written: &str = key.get_ref();
            if self.asked.contains(&written) {
                continue;
            }
            let hint = match nearest(written, &self.asked) {
                Some(known) => format!("did you mean {known}?"),
                None => match KNOWN.iter().find(|(_, known)| *known == written) {
                    Some((section @ "issuer", _)) => format!("it belongs in [[{section}]]"),
                    Some((section, _)) => format!("it belongs in [{section}]"),
                    None => format!("known here: {}", self.asked.join(", ")),
                },
            };
            problems.add(key.span().start, &self.key(written), "unknown key", hint);
        }
    }
}

/// The known word that `written` is a slip of the finger away from.
pub(super) fn nearest(written: &str, known: &[&'static str]) -> Option<&'static str> {
    let written = written.to_lowercase().replace('-', "_");
    let allowed = if written.len() <= 4 { 1 } else { 2 };
    known
        .iter()
        .map(|&word| (distance(&written, word), word))
        .filter(|&(steps, _)| steps <= allowed)
        .min()
        .map(|(_, word)| word)
}

/// Levenshtein's distance.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, left) in from.chars().enumerate() {
        let mut diagonal = line;
        let mut before = line + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(&to) {
            let replaced = diagonal + usize::from(left != *right);
            diagonal = *cell;
            *cell = replaced.min(*cell + 1).min(before + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
