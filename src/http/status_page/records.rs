//! What is kept of answers, on the page: whether bills and the audit log are written.

use super::at;
use super::html::{Grade, Html, badge};
use crate::http::status::{AuditStatus, Status, UsageStatus, time_of};
use crate::http::words::{span, thousands};
use crate::x509::UnixTime;

/// Seconds after which what is written several times a second is late. The audit log is committed whether anybody
/// asks or not; counts are written where there are any.
const LATE: i64 = 10;

pub(super) fn render(html: &mut Html, status: &Status, now: UnixTime) {
    if status.usage.is_none() && status.audit.is_none() {
        return;
    }
    html.markup("<section><h2>Records of answers <small>counts are since the start</small></h2>\n");
    html.markup("<div class=\"wide\"><table class=\"facts\">\n");
    if let Some(one) = &status.audit {
        audit(html, one, now);
    }
    if let Some(one) = &status.usage {
        usage(html, one, now);
    }
    html.markup("</table></div></section>\n");
}

/// How long ago, and the moment itself for who points at it.
fn ago(html: &mut Html, time: Option<&str>, is_late: impl Fn(i64) -> bool, now: UnixTime) {
    let Some(text) = time else {
        html.markup("<span class=\"soft\">nothing yet</span>");
        return;
    };
    let age = time_of(text).map_or(0, |time| now.since(time));
    html.element("<span title=\"", &at(text), "\">");
    let words = format!("{} ago", span(age));
    badge(html, if is_late(age) { Grade::Bad } else { Grade::Good }, &words);
    html.markup("</span>");
}

/// `3 tries failed`, where any did.
fn failures(html: &mut Html, count: u64) {
    if count > 0 {
        html.markup(" ");
        badge(html, Grade::Warn, &format!("{} tries failed", thousands(count)));
    }
}

fn audit(html: &mut Html, audit: &AuditStatus, now: UnixTime) {
    html.markup("<tr><th>audit log, written</th><td>");
    ago(html, audit.last_committed.as_deref(), |age| age > LATE, now);
    failures(html, audit.write_failures);
    html.markup("</td></tr>\n<tr><th>answers on record</th><td>").text(&thousands(audit.records));
    html.element(" <small>", &thousands(audit.waiting), " waiting</small> ");
    if audit.missing > 0 {
        badge(html, Grade::Bad, &format!("{} missing: a gap", thousands(audit.missing)));
    }
    if audit.refused > 0 {
        html.markup(" ");
        badge(html, Grade::Bad, &format!("{} refused, not to be missing", thousands(audit.refused)));
    }
    html.markup("</td></tr>\n<tr><th>segment</th><td>").text(&thousands(audit.segment));
    html.element(" <small>with ", &thousands(audit.segment_records), " records so far</small></td></tr>\n");
    let choice = match audit.when_full.as_str() {
        "gap" => "answer, and count the gap",
        _ => "answer nobody: tryLater",
    };
    html.element("<tr><th>when it cannot be written</th><td>", choice, "</td></tr>\n");
}

fn usage(html: &mut Html, usage: &UsageStatus, now: UnixTime) {
    html.markup("<tr><th>counts for bills, written</th><td>");
    ago(html, usage.last_written.as_deref(), |age| usage.unwritten > 0 && age > LATE, now);
    failures(html, usage.write_failures);
    if usage.unwritten > 0 {
        html.element(" <small>", &thousands(usage.unwritten), " not written yet</small>");
    }
    html.markup("</td></tr>\n");
}
