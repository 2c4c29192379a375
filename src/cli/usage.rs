//! What clap says about wrong usage, in one line like every other error.
//!
//! Called by [`super::run`] alone. Help and version are printed as clap has them.

use super::{Exit, Failure};
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Prints the help that was asked for, or turns the error into one line.
///
/// # Errors
/// Whenever it was not help or version that was asked for.
pub(super) fn explain(error: &clap::Error) -> Result<Exit, Failure> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            super::print(&error.render().to_string())?;
            return Ok(Exit::Done);
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // Somebody who types `ocsprey` alone wants to see what there is.
            #[expect(
                clippy::print_stderr,
                reason = "the answer to no question at all is help, not an error line"
            )]
            {
                eprint!("{}", error.render());
            }
            return Ok(Exit::Usage);
        }
        _ => {}
    }
    let (what, why) = what_and_why(error);
    Err(Failure::usage(what, why, &hint(error)))
}

fn what_and_why(error: &clap::Error) -> (String, String) {
    let argument = text(error, ContextKind::InvalidArg);
    let value = text(error, ContextKind::InvalidValue);
    match (error.kind(), argument, value) {
        (ErrorKind::UnknownArgument, Some(argument), _) => (argument, "there is no such option".into()),
        (ErrorKind::InvalidSubcommand, _, _) => {
            let command = text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            (command, "there is no such command".into())
        }
        (ErrorKind::MissingRequiredArgument, Some(argument), _) => {
            (argument, "is missing, and the command needs it".into())
        }
        (ErrorKind::ArgumentConflict, Some(argument), _) => match text(error, ContextKind::PriorArg) {
            Some(prior) => (argument, format!("cannot stand beside {prior}")),
            None => (argument, "cannot stand here".into()),
        },
        (ErrorKind::InvalidValue, Some(argument), Some(value)) if value.is_empty() => {
            (argument, "its value is missing".into())
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, Some(argument), Some(value)) => {
            let why = std::error::Error::source(error).map(|source| format!(": {source}"));
            (argument, format!("\"{value}\" is not a value for it{}", why.unwrap_or_default()))
        }
        // Whatever else clap finds, in its own words: the first line, without its "error: ".
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.lines().next().unwrap_or_default();
            ("command line".into(), first.trim_start_matches("error: ").to_owned())
        }
    }
}

fn hint(error: &clap::Error) -> String {
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .into_iter()
            .find_map(|kind| match error.get(kind)? {
                // In order of likeness, the likest last.
                ContextValue::Strings(texts) => texts.last().cloned(),
                _ => text(error, kind),
            });
    if let Some(suggestion) = suggestion {
        return format!("did you mean {suggestion}?");
    }
    if let Some(valid) = text(error, ContextKind::ValidValue) {
        return format!("one of {valid}");
    }
    let usage = text(error, ContextKind::Usage).unwrap_or_default();
    match usage.trim_start_matches("Usage: ").trim() {
        "" => "see ocsprey --help".into(),
        usage => format!("usage: {usage}"),
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    let text = match error.get(kind)? {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join(", "),
        ContextValue::StyledStr(text) => text.to_string(),
        ContextValue::StyledStrs(texts) => {
            texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use super::*;
    use clap::Parser;

    fn told(line: &str) -> String {
        let error = Cli::try_parse_from(line.split_whitespace()).expect_err(line);
        let failure = explain(&error).expect_err(line);
        assert_eq!(failure.exit, Exit::Usage, "{line}");
        assert_eq!(failure.lines.len(), 1, "{line}");
        assert!(!failure.lines[0].contains('\n'), "{line}");
        failure.lines[0].clone()
    }

    #[test]
    fn contract_2_wrong_usage_is_one_line_with_a_hint() {
        assert_eq!(told("ocsprey sevre"), "sevre: there is no such command (did you mean serve?)");
        assert_eq!(
            told("ocsprey serve --confg x"),
            "--confg: there is no such option (did you mean --config?)"
        );
        assert_eq!(
            told("ocsprey serve"),
            "--config <FILE>: is missing, and the command needs it (usage: ocsprey serve --config <FILE>)"
        );
        assert_eq!(
            told("ocsprey query --issuer a --serial 1 --hash md5 http://x"),
            "--hash <HASH>: \"md5\" is not a value for it (one of sha1, sha256, sha384, sha512)"
        );
        assert!(told("ocsprey serve --config").starts_with("--config <FILE>: its value is missing ("));
        assert!(
            told("ocsprey query --issuer a --serial 1 --cert c http://x")
                .starts_with("--serial <HEX>: cannot stand beside --cert <CERT.pem> (")
        );
        assert!(
            told("ocsprey demo --cards many").starts_with("--cards <N>: \"many\" is not a value for it: ")
        );
    }
}
