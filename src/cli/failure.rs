//! How a command ends: exit codes, and errors in one line each.
//!
//! Used by every command. An error reads `error: WHAT: WHY (HINT)`; the hint may be left out where
//! there is nothing honest to advise.

use crate::config::ConfigError;
use std::fmt::{self, Display};
use std::io::Write;

/// The exit codes (contract.md, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    /// The work failed; for `query`, there is no valid answer.
    Failed = 1,
    /// Wrong usage or wrong configuration.
    Usage = 2,
    /// `query`: the certificate is revoked.
    Revoked = 3,
    /// `query`: the responder does not know it.
    Unknown = 4,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a command could not do: one line or more, ready to be read, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    /// Each `WHAT: WHY (HINT)`. At least one.
    pub lines: Vec<String>,
}

impl Failure {
    /// The work failed (exit 1).
    pub fn work(what: impl Display, why: impl Display, hint: &str) -> Self {
        Self { exit: Exit::Failed, lines: vec![line(&what, &why, hint)] }
    }

    /// It was asked for in a way that cannot be right (exit 2).
    pub fn usage(what: impl Display, why: impl Display, hint: &str) -> Self {
        Self { exit: Exit::Usage, lines: vec![line(&what, &why, hint)] }
    }

    /// Several things are wrong, each already `WHAT: WHY (HINT)`.
    pub fn several(exit: Exit, lines: Vec<String>) -> Self {
        Self { exit, lines: lines.iter().map(|line| one_line(line)).collect() }
    }

    /// Writes every line to standard error. That nobody can read it there is no reason to fail again.
    pub(super) fn tell(&self) {
        let text: String = self.lines.iter().map(|line| format!("error: {line}\n")).collect();
        super::report::above_bars(|| {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        });
    }
}

/// The lines, as they are told, without `error: `.
impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::several(Exit::Usage, error.lines())
    }
}

fn line(what: &dyn Display, why: &dyn Display, hint: &str) -> String {
    let text = if hint.is_empty() { format!("{what}: {why}") } else { format!("{what}: {why} ({hint})") };
    one_line(&text)
}

/// Other people's messages come with line ends in them.
fn one_line(text: &str) -> String {
    let parts: Vec<&str> = text.lines().map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_2_an_error_is_one_line_whatever_is_in_it() {
        let failure = Failure::work("a.crl", "first\n  second\n", "try again");
        assert_eq!(failure.lines, ["a.crl: first second (try again)"]);
        assert_eq!(failure.exit, Exit::Failed);
        assert_eq!(Failure::usage("a", "b", "").lines, ["a: b"]);
    }

    #[test]
    fn contract_2_a_wrong_configuration_is_exit_2_and_every_problem_a_line() {
        let error = crate::config::Config::from_text("o.toml".as_ref(), "a = 1\nb = 2\n").unwrap_err();
        let failure = Failure::from(error);
        assert_eq!(failure.exit, Exit::Usage);
        assert_eq!(failure.lines.len(), 3, "two keys and the missing issuer: {failure}");
    }
}
