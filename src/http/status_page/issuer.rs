//! One issuer on the page: its signers, and its CRL scopes, the one that runs out first on top.

use super::html::{Grade, Html, badge};
use super::{Asked, at};
use crate::http::status::{IssuerStatus, ScopeStatus, time_of};
use crate::http::words::{span, thousands};
use crate::x509::UnixTime;

/// Scopes shown where nobody asked for more, and where somebody searched.
const WORST: usize = 10;
const FOUND: usize = 200;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Seconds until the scope runs out; one whose time cannot be read has none.
fn left(scope: &ScopeStatus, now: UnixTime) -> i64 {
    time_of(&scope.next_update).map_or(i64::MIN, |next_update| next_update.since(now))
}

/// What is left of the first thing of the issuer that runs out: the order of issuers.
pub(super) fn worst(issuer: &IssuerStatus, now: UnixTime) -> i64 {
    let signers = issuer.signers.iter().filter_map(|signer| time_of(&signer.not_after));
    let scopes = issuer.scopes.iter().map(|scope| left(scope, now)).min().unwrap_or(i64::MIN);
    signers.map(|not_after| not_after.since(now)).min().unwrap_or(i64::MAX).min(scopes)
}

pub(super) fn issuer(html: &mut Html, issuer: &IssuerStatus, asked: &Asked, now: UnixTime) {
    html.element("<section><h2>", &issuer.name, " ").element("<small>", &issuer.subject, "</small></h2>\n");
    let entries = issuer.scopes.iter().map(|scope| scope.entries).sum();
    html.markup("<div class=\"soft\">").text(&thousands(issuer.scopes.len() as u64));
    html.markup(" CRL scopes, ").text(&thousands(entries)).markup(" entries");
    if let Some(rows) = issuer.inventory {
        html.markup(", inventory of about ").text(&thousands(rows)).markup(" serials");
    }
    html.markup("</div>\n<ul class=\"signers\">\n");
    for signer in &issuer.signers {
        html.markup("<li>");
        let not_after = time_of(&signer.not_after).map_or(i64::MIN, |not_after| not_after.since(now));
        let words = match not_after {
            ..=0 => "signer EXPIRED".to_owned(),
            left => format!("signer: {} left", span(left)),
        };
        badge(html, Grade::of_time_left(not_after, 14 * DAY, 3 * DAY), &words);
        html.markup(" ").text(&signer.subject).markup(", ").text(&signer.algorithm);
        html.element(" <small>until ", &at(&signer.not_after), "</small></li>\n");
    }
    html.markup("</ul>\n");
    missing(html, &issuer.missing, asked);
    scopes(html, &issuer.scopes, asked, now);
    html.markup("</section>\n");
}

/// Partitions that no source has any more: what was held of them runs out, and then their cards are silent.
fn missing(html: &mut Html, all: &[String], asked: &Asked) {
    if all.is_empty() {
        return;
    }
    let found: Vec<_> = all.iter().filter(|point| asked.finds(point)).collect();
    let most = if asked.all { usize::MAX } else { WORST };
    html.markup("<ul class=\"missing\">\n");
    for point in found.iter().take(most) {
        html.markup("<li>");
        badge(html, Grade::Bad, "missing");
        html.element(" ", point, " <small>in no source of CRLs</small></li>\n");
    }
    html.markup("</ul>\n");
    if let Some(more) = found.len().checked_sub(most).filter(|more| *more > 0) {
        html.markup("<div class=\"soft\">and ").text(&thousands(more as u64)).markup(" more</div>\n");
    }
}

fn scopes(html: &mut Html, all: &[ScopeStatus], asked: &Asked, now: UnixTime) {
    let mut found: Vec<&ScopeStatus> = all
        .iter()
        .filter(|scope| asked.finds(&scope.distribution_point) || asked.finds(&scope.crl_number))
        .collect();
    found.sort_by_cached_key(|scope| (left(scope, now), scope.distribution_point.as_str()));
    let most = match (asked.all, asked.search.is_empty()) {
        (true, _) => usize::MAX,
        (false, true) => WORST,
        (false, false) => FOUND,
    };
    let shown = found.len().min(most);
    if found.is_empty() {
        let nothing =
            if all.is_empty() { "No CRL is loaded." } else { "No CRL scope of this issuer matches." };
        html.element("<p>", nothing, "</p>\n");
        return;
    }
    let common = common_end(all);
    html.markup(
        "<div class=\"wide\"><table>\n<tr><th>CRL scope</th><th>until tryLater</th><th class=\"extra\"></th>",
    );
    html.markup(
        "<th>age</th><th class=\"number extra\">entries</th><th class=\"number extra\">number</th></tr>\n",
    );
    for scope in found.iter().take(shown) {
        row(html, scope, common, now);
    }
    html.markup("</table></div>\n");
    if shown < found.len() {
        html.markup("<div class=\"soft\">")
            .text(&thousands((found.len() - shown) as u64))
            .markup(" more last longer");
        if asked.search.is_empty() {
            html.markup(" (<a href=\"/status?all=1\">show all</a>)");
        }
        html.markup("</div>\n");
    }
}

fn row(html: &mut Html, scope: &ScopeStatus, common: usize, now: UnixTime) {
    let name = match scope.distribution_point.as_str() {
        "" => "everything",
        point => point.get(..point.len() - common).unwrap_or(point),
    };
    html.element("<tr><td class=\"name\" title=\"", &scope.distribution_point, "\">").element(
        "",
        name,
        "</td><td title=\"",
    );
    html.text(&scope.next_update).markup("\">");
    let left = left(scope, now);
    let words = match left {
        _ if scope.retired => "retired".to_owned(),
        ..=0 => format!("EXPIRED {} ago", span(left)),
        left => span(left),
    };
    badge(html, Grade::of_time_left(left, 6 * HOUR, HOUR), &words);
    let age = time_of(&scope.this_update).map_or(0, |this_update| now.since(this_update));
    html.markup("</td><td class=\"extra\"><meter min=\"0\" max=\"1\" low=\"0.25\" high=\"0.5\" optimum=\"1\" value=\"");
    let life = left.saturating_add(age).max(1);
    html.show(&format_args!("{:.2}", (left as f64 / life as f64).clamp(0.0, 1.0)));
    html.element("\"></meter></td><td title=\"", &at(&scope.this_update), "\">");
    html.element("", &span(age), "</td><td class=\"number extra\">");
    html.element("", &thousands(scope.entries), "</td><td class=\"number extra\">");
    html.element("", &scope.crl_number, "</td></tr>\n");
}

/// The octets at the end that all names have in common, from a comma on: nobody needs to read them 1,900 times.
fn common_end(scopes: &[ScopeStatus]) -> usize {
    let mut names =
        scopes.iter().map(|scope| scope.distribution_point.as_str()).filter(|name| !name.is_empty());
    let Some(first) = names.next() else { return 0 };
    let mut common = first.len();
    let mut count = 1;
    for name in names {
        count += 1;
        let same =
            first.bytes().rev().zip(name.bytes().rev()).take_while(|(one, other)| one == other).count();
        common = common.min(same);
    }
    if count < 2 {
        return 0;
    }
    // From the first whole part on.
    let end = first.get(first.len() - common..).unwrap_or_default();
    end.find(',').map_or(0, |comma| end.len() - comma)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> ScopeStatus {
        ScopeStatus { distribution_point: name.to_owned(), ..ScopeStatus::default() }
    }

    #[test]
    fn what_all_names_end_with_is_said_once() {
        let scopes =
            ["CN=Kiyose-shi,OU=Tokyo-to,OU=CRL,C=JP", "CN=Sakai-shi,OU=Osaka-fu,OU=CRL,C=JP"].map(named);
        assert_eq!(common_end(&scopes), ",OU=CRL,C=JP".len());
        assert_eq!(common_end(&scopes[..1]), 0, "one name is not shortened");
        assert_eq!(common_end(&["a,b", "a,b", ""].map(named)), ",b".len());
        assert_eq!(common_end(&["é", "è"].map(named)), 0);
    }
}
