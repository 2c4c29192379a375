//! `/status`: for people, at one glance: is it well, what is asked of it, what runs out next.
//!
//! Called by [`super::admin`]. The page is whole without a script; with one it fetches itself every five
//! seconds, and what is typed into its search. Nothing comes from elsewhere: the policy in [`POLICY`] lets
//! nothing else run. However many scopes there are, it shows the worst and finds the rest.

mod explained;
mod html;
mod issuer;
mod plot;
mod records;
mod verifiers;

pub(super) use explained::render as render_explained;

use super::history::Traffic;
use super::status::{Status, time_of};
use super::words::{octets, percent, rate, short_time, span, thousands};
use crate::signing::sha256;
use crate::x509::UnixTime;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use html::{Grade, Html, badge};
use plot::{Line, plot};

const STYLE: &str = include_str!("status_page/style.css");
const SCRIPT: &str = include_str!("status_page/live.js");

/// Sources and refused CRLs shown where nobody asked for more.
const SHOWN: usize = 12;

/// The Content-Security-Policy of the pages: this script and no other.
pub(super) fn policy() -> String {
    let script = STANDARD.encode(sha256(SCRIPT.as_bytes()));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// What the query of the address asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// `q`, in small letters.
    search: String,
    /// `all=1`: every scope.
    all: bool,
}

impl Asked {
    pub fn of_query(query: Option<&str>) -> Self {
        let fields = |name| form_field(query.unwrap_or_default().as_bytes(), name);
        Self {
            search: fields("q").unwrap_or_default().trim().to_lowercase(),
            all: fields("all").is_some_and(|all| all == "1"),
        }
    }

    fn finds(&self, text: &str) -> bool {
        self.search.is_empty() || text.to_lowercase().contains(&self.search)
    }
}

/// The field `name` of `application/x-www-form-urlencoded` octets.
pub(super) fn form_field(form: &[u8], name: &str) -> Option<String> {
    let value = form.split(|octet| *octet == b'&').find_map(|pair| {
        let (field, value) = pair.split_at(pair.iter().position(|octet| *octet == b'=')?);
        (field == name.as_bytes()).then_some(value.get(1..).unwrap_or_default())
    })?;
    let digit = |octet: Option<&u8>| char::from(*octet?).to_digit(16);
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.iter();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?,
            octet => *octet,
        });
    }
    String::from_utf8(octets).ok()
}

fn head(html: &mut Html, title: &'static str) {
    html.markup("<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">");
    html.markup("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    html.markup("<meta name=\"referrer\" content=\"no-referrer\"><title>").markup(title).markup("</title>\n");
    html.markup("<style>").markup(STYLE).markup("</style></head>\n<body>\n");
}

pub(super) fn render(status: &Status, traffic: &Traffic, asked: &Asked) -> String {
    let now = time_of(&status.now).unwrap_or(UnixTime::from_seconds(0));
    let mut page = Html::with_capacity(64 << 10);
    let html = &mut page;
    head(html, "ocsprey: status");
    html.markup("<header><h1>ocsprey</h1><span class=\"soft\">").text(&status.version);
    html.markup("</span><form action=\"/status\"><input type=\"search\" name=\"q\" placeholder=\"Find a scope, source, verifier\" ");
    html.element("aria-label=\"Find\" value=\"", &asked.search, "\"><button>Find</button></form>");
    html.markup("<span id=\"note\" role=\"alert\"></span></header>\n<main id=\"live\">\n");
    verdict(html, status, now);
    reload(html, status);
    tiles(html, status, traffic, now);
    plots(html, traffic);
    refused(html, status, asked, now);
    let mut issuers: Vec<_> = status.issuers.iter().collect();
    issuers.sort_by_key(|issuer| issuer::worst(issuer, now));
    for one in issuers {
        issuer::issuer(html, one, asked, now);
    }
    verifiers::render(html, status, asked, now);
    records::render(html, status, now);
    sources(html, status, asked, now);
    html.markup("</main>\n<div class=\"foot\">");
    explained::form(html);
    html.markup("<p class=\"soft\"><a href=\"/api/v1/status\">The same as JSON</a> · <a href=\"/metrics\">metrics</a> · ");
    html.markup("<a href=\"/readyz\">readiness</a></p></div>\n<script>").markup(SCRIPT);
    html.markup("</script>\n</body>\n</html>\n");
    page.into_string()
}

fn verdict(html: &mut Html, status: &Status, now: UnixTime) {
    if status.not_ready.is_empty() {
        html.markup("<div class=\"verdict good\">Ready: every issuer can answer");
    } else {
        html.markup("<div class=\"verdict bad\">NOT READY\n<ul>");
        for reason in status.not_ready.iter().take(SHOWN) {
            html.element("<li>", reason, "</li>\n");
        }
        if let Some(more) = status.not_ready.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            html.markup("<li>and ").show(&more).markup(" more</li>");
        }
        html.markup("</ul>");
    }
    html.element("<div><small>", &at(&status.now), "");
    if let Some(started) = status.started_at.as_deref().and_then(time_of) {
        html.markup(", up for ").text(&span(now.since(started)));
    }
    html.markup("</small></div></div>\n");
}

/// What was changed and is not in force looks, to whoever changed it, as if it were.
fn reload(html: &mut Html, status: &Status) {
    let Some(reload) = &status.refused_reload else { return };
    html.element("<div class=\"verdict bad\">NOT RELOADED <small>at ", &at(&reload.at), "");
    html.markup("; the configuration of before is in force</small>\n<ul>");
    for reason in reload.reasons.iter().take(SHOWN) {
        html.element("<li>", reason, "</li>\n");
    }
    html.markup("</ul></div>\n");
}

fn tiles(html: &mut Html, status: &Status, traffic: &Traffic, clock: UnixTime) {
    let now = &traffic.now;
    let turned_away = now.turned_away_per_second / now.requests_per_second.max(f64::MIN_POSITIVE);
    let time = |seconds: Option<f64>| seconds.map_or("–".to_owned(), short_time);
    // The bounds of the promises in the metrics' help texts.
    let away_grade = if turned_away > 0.001 { Grade::Bad } else { Grade::Good };
    let slow_grade =
        if now.most_within.is_some_and(|within| within > 0.001) { Grade::Warn } else { Grade::Good };
    let tiles = [
        ("requests / s", rate(now.requests_per_second), Grade::Good),
        ("turned away", percent(turned_away.min(1.0)), away_grade),
        ("half within", time(now.half_within), Grade::Good),
        ("99 % within", time(now.most_within), slow_grade),
        ("from cache", now.cache_hits.map_or("–".to_owned(), percent), Grade::Good),
        ("signatures / s", rate(now.signatures_per_second), Grade::Good),
        ("connections", traffic.connections.to_string(), Grade::Good),
        ("answer cache", octets(traffic.cache_bytes), Grade::Good),
        ("store", octets(status.store_bytes), Grade::Good),
    ];
    let presigned = status.presigned.as_ref().map(|one| {
        let left = time_of(&one.first_expires).map_or(i64::MIN, |expires| expires.since(clock));
        let grade = if left <= 0 { Grade::Warn } else { Grade::Good };
        ("signed beforehand", thousands(one.answers), grade)
    });
    html.markup("<dl class=\"tiles\">");
    for (name, value, grade) in tiles.into_iter().chain(presigned) {
        html.markup("<div><dt>").markup(name).markup("</dt><dd class=\"").markup(grade.class());
        html.element("\">", &value, "</dd></div>\n");
    }
    html.markup("</dl>\n");
}

fn plots(html: &mut Html, traffic: &Traffic) {
    html.markup("<div class=\"plots\">\n");
    let lines = [
        Line { name: "all", of: |sample| Some(sample.requests_per_second) },
        Line { name: "turned away", of: |sample| Some(sample.turned_away_per_second) },
    ];
    plot(html, "Requests / s", traffic, &lines, rate);
    let lines = [
        Line { name: "half", of: |sample| sample.half_within },
        Line { name: "99 %", of: |sample| sample.most_within },
    ];
    plot(html, "Within", traffic, &lines, short_time);
    html.markup("</div>\n");
}

fn refused(html: &mut Html, status: &Status, asked: &Asked, now: UnixTime) {
    let found: Vec<_> =
        status.quarantine.iter().filter(|one| asked.finds(&one.source) || asked.finds(&one.reason)).collect();
    if status.quarantine.is_empty() {
        return;
    }
    html.markup("<section><h2>Refused CRLs <small>what was held stays in force</small></h2>\n<div class=\"wide\"><table>");
    html.markup("<tr><th>source</th><th>why</th><th>when</th></tr>\n");
    let most = if asked.all { usize::MAX } else { SHOWN };
    for one in found.iter().take(most) {
        html.element("<tr><td class=\"name\">", &one.source, "</td><td>");
        let reason = format!("It {}", one.reason);
        badge(html, Grade::Bad, "refused");
        html.markup(" ").text(&reason);
        let ago = time_of(&one.refused_at)
            .map_or(one.refused_at.clone(), |at| format!("{} ago", span(now.since(at))));
        html.element("</td><td class=\"when\" title=\"", &at(&one.refused_at), "\">").element(
            "",
            &ago,
            "</td></tr>\n",
        );
    }
    html.markup("</table></div>\n");
    more(html, found.len(), most);
    html.markup("</section>\n");
}

fn sources(html: &mut Html, status: &Status, asked: &Asked, now: UnixTime) {
    let mut found: Vec<_> = status.sources.iter().filter(|one| asked.finds(&one.source)).collect();
    // Those with a problem first, else as they stand in the configuration.
    found.sort_by_key(|source| source.problem.is_none());
    let ago = |time: &Option<String>| {
        time.as_deref()
            .and_then(time_of)
            .map_or("never".to_owned(), |time| format!("{} ago", span(now.since(time))))
    };
    html.markup(
        "<section><h2>Sources of CRLs</h2>\n<div class=\"wide\"><table><tr><th>source</th><th>looked at</th>",
    );
    html.markup("<th>last change</th><th>problem</th></tr>\n");
    let most = if asked.all { usize::MAX } else { SHOWN };
    for source in found.iter().take(most) {
        html.element("<tr><td class=\"name\">", &source.source, "</td><td>");
        html.element("", &ago(&source.last_tried), "</td><td>").element(
            "",
            &ago(&source.last_changed),
            "</td><td>",
        );
        if let Some(problem) = &source.problem {
            badge(html, Grade::Bad, "problem");
            html.markup(" ").text(problem);
        }
        html.markup("</td></tr>\n");
    }
    html.markup("</table></div>\n");
    more(html, found.len(), most);
    html.markup("</section>\n");
}

fn more(html: &mut Html, found: usize, most: usize) {
    if found > most {
        html.markup("<div class=\"soft\">and ").show(&(found - most)).markup(" more</div>\n");
    }
}

/// A time as people read it.
fn at(text: &str) -> String {
    text.replace('T', " ").replace('Z', " UTC")
}

#[cfg(test)]
mod tests;
