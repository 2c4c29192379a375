//! Source text as the architecture's checks see it: comments and strings blanked, tests apart.

use std::fs;
use std::path::Path;

/// One file. Positions in `code` and `shipped` are those of the text, so that lines can be named.
pub struct Source {
    /// From the package's root, with `/`: `src/store/db.rs`.
    pub path: String,
    pub lines: usize,
    /// The text without comments, strings and character literals.
    code: String,
    /// `code` without what is compiled for tests only.
    shipped: String,
}

/// Every `.rs` file below `folder`, in order of path; none if there is no such folder.
pub fn read_sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                sources.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let code = blank_text(text);
        let name = path.rsplit('/').next().unwrap_or(path);
        let only_tests = name == "tests.rs" || path.contains("/tests/");
        let shipped = if only_tests { String::new() } else { blank_tests(&code) };
        Self { path: path.to_owned(), lines: text.lines().count(), code, shipped }
    }

    /// The module of `lib.rs` that the file belongs to; `None` for `lib.rs` and `main.rs`.
    pub fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let first = below.split('/').next()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (!matches!(below, "lib.rs" | "main.rs")).then_some(name)
    }

    /// How many `super`s lead from the file's own module to the crate's root.
    fn depth(&self) -> usize {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.split('/').filter(|part| *part != "mod.rs").count()
    }

    fn line_of(&self, position: usize) -> usize {
        1 + self.code.bytes().take(position).filter(|byte| *byte == b'\n').count()
    }

    /// Each name that directly follows the crate's root in a path, with its line.
    pub fn imports(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (position, _) in words(&self.code, "crate") {
            found.extend(self.names_after(position + "crate".len()));
        }
        let mut chain_end = 0;
        for (position, _) in words(&self.code, "super") {
            if position < chain_end {
                continue;
            }
            let (supers, end) = chain_of_supers(&self.code, position);
            chain_end = end;
            if supers >= self.depth() {
                found.extend(self.names_after(end));
            }
        }
        found.sort();
        found
    }

    /// `::name` or `::{name::…, name}` at `position`.
    fn names_after(&self, position: usize) -> Vec<(usize, String)> {
        let Some(start) = after(&self.code, position, "::") else { return Vec::new() };
        let start = skip_blanks(&self.code, start);
        let Some(inner) = self.code.get(start..).and_then(|rest| rest.strip_prefix('{')) else {
            return name_at(&self.code, start)
                .map(|name| (self.line_of(start), name.to_owned()))
                .into_iter()
                .collect();
        };
        let (mut depth, mut first, mut names) = (0_usize, true, Vec::new());
        for (offset, character) in inner.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => first = true,
                _ if depth == 0 && first && !character.is_whitespace() => {
                    first = false;
                    let at = start + 1 + offset;
                    names.extend(name_at(&self.code, at).map(|name| (self.line_of(at), name.to_owned())));
                }
                _ => {}
            }
        }
        names
    }

    /// Lines of shipped code that name an outside crate: `krate::…`, `use krate`.
    pub fn uses_of_crate(&self, krate: &str) -> Vec<usize> {
        let code = &self.shipped;
        let lawful = |(position, _): &(usize, &str)| {
            let before = code.get(..*position).unwrap_or("").trim_end();
            let within_path = before.ends_with("::") && !root_path(before);
            let declared = ["mod", "let", "fn"].iter().any(|keyword| before.ends_with(keyword));
            let imported = before.ends_with("use") || before.ends_with("extern crate");
            let path = after(code, position + krate.len(), "::").is_some();
            !within_path && !declared && (path || imported)
        };
        words(code, krate).filter(lawful).map(|(position, _)| self.line_of(position)).collect()
    }

    /// Lines of shipped code that contain the whole word (a macro's with its `!`).
    pub fn lines_with_word(&self, word: &str) -> Vec<usize> {
        words(&self.shipped, word).map(|(position, _)| self.line_of(position)).collect()
    }

    pub fn declared_modules(&self) -> Vec<String> {
        let position_after = |(position, _)| skip_blanks(&self.shipped, position + "mod".len());
        words(&self.shipped, "mod")
            .filter_map(|word| name_at(&self.shipped, position_after(word)))
            .map(str::to_owned)
            .collect()
    }

    /// The signature of `fn name`, on one line with single blanks.
    pub fn signature_of(&self, name: &str) -> Option<String> {
        let (position, _) = words(&self.shipped, name).find(|(position, _)| {
            self.shipped.get(..*position).is_some_and(|before| before.trim_end().ends_with("fn"))
        })?;
        let start = self.shipped.get(..position)?.rfind(['{', '}', ';', ']']).map_or(0, |end| end + 1);
        let end = position + self.shipped.get(position..)?.find(['{', ';'])?;
        let words = self.shipped.get(start..end)?.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(words.replace("( ", "(").replace(", )", ")"))
    }
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Positions of `word` that are no part of a longer name.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    code.match_indices(word).filter(move |(position, _)| {
        let before = code.get(..*position).and_then(|text| text.chars().next_back());
        let next = code.get(position + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_name) && (word.ends_with('!') || !next.is_some_and(is_name))
    })
}

fn skip_blanks(code: &str, position: usize) -> usize {
    let rest = code.get(position..).unwrap_or("");
    position + (rest.len() - rest.trim_start().len())
}

/// The position behind `token`, if `token` is what comes next.
fn after(code: &str, position: usize, token: &str) -> Option<usize> {
    let start = skip_blanks(code, position);
    code.get(start..)?.starts_with(token).then_some(start + token.len())
}

fn name_at(code: &str, position: usize) -> Option<&str> {
    let rest = code.get(position..)?;
    let end = rest.find(|character| !is_name(character)).unwrap_or(rest.len());
    rest.get(..end).filter(|name| !name.is_empty())
}

/// How many `super::` stand in a row at `position`, and where the last name ends.
fn chain_of_supers(code: &str, mut position: usize) -> (usize, usize) {
    let mut count = 0;
    loop {
        count += 1;
        position += "super".len();
        let Some(next) = after(code, position, "::").map(|end| skip_blanks(code, end)) else {
            return (count, position);
        };
        if name_at(code, next) != Some("super") {
            return (count, position);
        }
        position = next;
    }
}

/// Whether a path begins with these colons (`use ::ring`), rather than continuing (`crate::ring`).
fn root_path(before: &str) -> bool {
    before
        .strip_suffix("::")
        .is_some_and(|path| !path.ends_with(|character| is_name(character) || character == '>'))
}

/// Comments, strings and character literals as blanks; newlines stay where they are.
fn blank_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let literal = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            length_of_comment(rest)
        } else if out.chars().next_back().is_some_and(is_name) {
            0 // the `r` of `for`, the `b` of `b` in a name
        } else if let Some(length) = length_of_raw_string(rest) {
            length
        } else {
            let prefix = usize::from(rest.starts_with("b\"") || rest.starts_with("b'"));
            let quoted = rest.get(prefix..).unwrap_or("");
            if quoted.starts_with('"') {
                prefix + length_of_quoted(quoted, '"')
            } else {
                length_of_char(quoted).map_or(0, |n| n + prefix)
            }
        };
        // A quote directly behind a name is a string too, after a macro's or a format's prefix.
        let literal = if literal == 0 && first == '"' { length_of_quoted(rest, '"') } else { literal };
        let length = if literal == 0 { first.len_utf8() } else { literal };
        let (taken, left) = rest.split_at(length);
        if literal == 0 {
            out.push_str(taken);
        } else {
            out.extend(taken.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        }
        rest = left;
    }
    out
}

fn length_of_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn length_of_raw_string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r"].iter().find(|prefix| text.starts_with(**prefix))?.len();
    let hashes = text.get(prefix..)?.bytes().take_while(|byte| *byte == b'#').count();
    let body = text.get(prefix + hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(text.len(), |at| prefix + hashes + 1 + at + end.len()))
}

fn length_of_quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character literal, but not a lifetime.
fn length_of_char(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let first = inner.chars().next()?;
    let closes = inner.get(first.len_utf8()..).is_some_and(|rest| rest.starts_with('\''));
    (first == '\\' || closes).then(|| length_of_quoted(text, '\''))
}

/// The items behind `#[cfg(test)]` as blanks.
fn blank_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for (start, marker) in code.match_indices("#[cfg(test)]") {
        let item = code.get(start + marker.len()..).unwrap_or("");
        let mut depth = 0_usize;
        let end = item.char_indices().find_map(|(at, character)| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            let closed = (character == '}' || character == ';') && depth == 0;
            closed.then_some(at + 1)
        });
        let end = start + marker.len() + end.unwrap_or(item.len());
        for byte in bytes.get_mut(start..end).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    String::from_utf8(bytes).expect("blanks end where items do")
}
