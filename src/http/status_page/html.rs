//! A page in the making: what is ours goes in as it is, what is anybody's goes in escaped.

use std::fmt::Display;

#[derive(Default)]
pub(super) struct Html(String);

impl Html {
    pub fn with_capacity(octets: usize) -> Self {
        Self(String::with_capacity(octets))
    }

    /// Markup that stands in this program.
    pub fn markup(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Everything else.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }

    pub fn show(&mut self, shown: &dyn Display) -> &mut Self {
        self.text(&shown.to_string())
    }

    /// `<TAG>text</TAG>`; `open` may have attributes.
    pub fn element(&mut self, open: &'static str, text: &str, close: &'static str) -> &mut Self {
        self.markup(open).text(text).markup(close)
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

/// How bad something is: the name of a class in the style sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    Good,
    Warn,
    Bad,
}

impl Grade {
    /// Of what is left until something runs out: the same bounds as in deploy/prometheus.
    pub fn of_time_left(left: i64, warn: i64, bad: i64) -> Self {
        match left {
            left if left < bad => Self::Bad,
            left if left < warn => Self::Warn,
            _ => Self::Good,
        }
    }

    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

pub(super) fn badge(html: &mut Html, grade: Grade, text: &str) {
    html.markup("<span class=\"badge ").markup(grade.class()).element("\">", text, "</span>");
}
