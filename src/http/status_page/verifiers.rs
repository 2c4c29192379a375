//! Who may ask, on the page: those first that were refused or soon may ask no more. Names of verifiers, never of those
//! whom they ask about.

use super::html::{Grade, Html, badge};
use super::{Asked, at};
use crate::http::status::{Status, VerifierStatus, time_of};
use crate::http::words::{percent, span, thousands};
use crate::x509::UnixTime;
use std::cmp::Reverse;

/// Verifiers shown where nobody asked for more, and where somebody searched.
const WORST: usize = 10;
const FOUND: usize = 200;

const DAY: i64 = 86_400;

/// Seconds until it may ask no more; of one without an end there is no end.
fn left(verifier: &VerifierStatus, now: UnixTime) -> i64 {
    verifier.ends.as_deref().and_then(time_of).map_or(i64::MAX, |until| until.since(now))
}

/// The part of the day's quota that is used, 0 to 1; `None` without one.
fn day_used(verifier: &VerifierStatus) -> Option<f64> {
    let most = verifier.per_day?.max(1);
    Some((verifier.used_today as f64 / most as f64).min(1.0))
}

/// How much it needs somebody's attention. Who was suspended by hand needs none.
fn grade(verifier: &VerifierStatus, now: UnixTime) -> Grade {
    let of_time = Grade::of_time_left(left(verifier, now), 14 * DAY, 0);
    let of_day = match day_used(verifier) {
        Some(used) if used >= 1.0 => Grade::Bad,
        Some(used) if used >= 0.8 => Grade::Warn,
        _ => Grade::Good,
    };
    let of_refusals = if verifier.refused > 0 { Grade::Warn } else { Grade::Good };
    let of_time = if verifier.suspended { Grade::Good } else { of_time };
    of_time.max(of_day).max(of_refusals)
}

pub(super) fn render(html: &mut Html, status: &Status, asked: &Asked, now: UnixTime) {
    if status.verifiers.is_empty() && status.refusals.is_empty() {
        return;
    }
    let all = &status.verifiers;
    html.markup("<section><h2>Verifiers <small>who may ask; counts are since the start</small></h2>\n");
    html.markup("<div class=\"soft\">").text(&thousands(all.len() as u64)).markup(" registered");
    let suspended = all.iter().filter(|one| one.suspended).count();
    if suspended > 0 {
        html.markup(", ").text(&thousands(suspended as u64)).markup(" suspended");
    }
    let refused: Vec<_> = status.refusals.iter().filter(|(_, count)| **count > 0).collect();
    html.markup(". Refused, strangers included: ");
    causes(html, refused.iter().map(|(cause, count)| (cause.as_str(), **count)));
    html.markup("</div>\n");

    let finds = |one: &&VerifierStatus| {
        asked.finds(&one.id) || asked.finds(&one.name) || one.rights.iter().any(|right| asked.finds(right))
    };
    let mut found: Vec<&VerifierStatus> = all.iter().filter(finds).collect();
    found.sort_by_cached_key(|one| {
        (Reverse(grade(one, now)), Reverse(one.refused), left(one, now), one.id.as_str())
    });
    let most = match (asked.all, asked.search.is_empty()) {
        (true, _) => usize::MAX,
        (false, true) => WORST,
        (false, false) => FOUND,
    };
    if found.is_empty() {
        let nothing =
            if all.is_empty() { "Nobody is registered: nobody may ask." } else { "No verifier matches." };
        html.element("<p>", nothing, "</p></section>\n");
        return;
    }
    html.markup(
        "<div class=\"wide\"><table class=\"cards\">\n<tr><th>verifier</th><th>may ask</th><th>today</th>",
    );
    html.markup("<th class=\"number extra\">this second</th><th class=\"number extra\">let in</th>");
    html.markup("<th>refused</th></tr>\n");
    for one in found.iter().take(most) {
        row(html, one, now);
    }
    html.markup("</table></div>\n");
    if let Some(more) = found.len().checked_sub(most).filter(|more| *more > 0) {
        html.markup("<div class=\"soft\">").text(&thousands(more as u64)).markup(" more");
        if asked.search.is_empty() {
            html.markup(" (<a href=\"/status?all=1\">show all</a>)");
        }
        html.markup("</div>\n");
    }
    html.markup("</section>\n");
}

fn row(html: &mut Html, one: &VerifierStatus, now: UnixTime) {
    html.element("<tr><td class=\"name\">", &one.id, " ").element("<small>", &one.name, "</small>");
    let rights = if one.rights.iter().any(|right| right == "*") {
        "about every issuer".to_owned()
    } else {
        one.rights.join(", ")
    };
    html.element("<br><small>", &rights, "</small></td><td data-of=\"may ask\">");
    term(html, one, now);
    html.markup("</td><td data-of=\"today\">").text(&thousands(one.used_today));
    if let (Some(most), Some(used)) = (one.per_day, day_used(one)) {
        html.element(" <small>of ", &thousands(most), "</small> ");
        let grade = if used >= 1.0 { Grade::Bad } else { Grade::Warn };
        if used >= 0.8 {
            badge(html, grade, &percent(used));
        }
    }
    if one.used_in_bulk > 0 {
        html.element(" <small>and ", &thousands(one.used_in_bulk), " in bulk hours</small>");
    }
    html.markup("</td><td class=\"number extra\">");
    match (one.used_now, one.per_second_now) {
        (Some(used), Some(most)) => {
            let used = thousands(u64::from(used));
            html.text(&used).element(" <small>of ", &thousands(u64::from(most)), "</small>")
        }
        _ => html.markup("<span class=\"soft\">no limit</span>"),
    };
    html.element(
        "</td><td class=\"number extra\">",
        &thousands(one.admitted),
        "</td><td data-of=\"refused\">",
    );
    causes(html, one.refusals.iter().map(|(cause, count)| (cause.as_str(), *count)));
    html.markup("</td></tr>\n");
}

/// For how long it may ask.
fn term(html: &mut Html, one: &VerifierStatus, now: UnixTime) {
    let left = left(one, now);
    let until = one.ends.as_deref().map(at).unwrap_or_default();
    html.element("<span title=\"", &until, "\">");
    let begins = one.valid_from.as_deref().and_then(time_of).map_or(0, |from| from.since(now));
    let (grade, words) = if one.suspended {
        (Grade::Warn, "suspended".to_owned())
    } else if begins > 0 {
        (Grade::Warn, format!("not for {} yet", span(begins)))
    } else {
        match left {
            i64::MAX => (Grade::Good, "no end".to_owned()),
            ..=0 => (Grade::Bad, format!("ENDED {} ago", span(left))),
            left => (Grade::of_time_left(left, 14 * DAY, 0), format!("{} left", span(left))),
        }
    };
    badge(html, grade, &words);
    html.markup("</span>");
}

/// `12 quota per second, 3 suspended`, the most first; `none`.
fn causes<'a>(html: &mut Html, counts: impl Iterator<Item = (&'a str, u64)>) {
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by_key(|(_, count)| Reverse(*count));
    if counts.is_empty() {
        html.markup("<span class=\"soft\">none</span>");
    }
    for (place, (cause, count)) in counts.into_iter().enumerate() {
        if place > 0 {
            html.markup(", ");
        }
        html.markup("<span class=\"cause\">").text(&thousands(count));
        html.element(" <small>", &cause.replace('_', " "), "</small></span>");
    }
}
