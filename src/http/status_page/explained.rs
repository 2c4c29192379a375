//! The form that asks why, and the page that says it. For those who run the responder only: the serial
//! comes in a POST and goes back in the page, and is kept nowhere.

use super::html::{Grade, Html, badge};
use super::{STYLE, at, head};
use crate::http::explanation::{AnswerTiers, Explanation, HeldAnswer};

pub(super) fn form(html: &mut Html) {
    html.markup(
        "<section><h2>Why is a card answered so? <small>posted, and written down nowhere</small></h2>\n",
    );
    html.markup("<form method=\"post\" action=\"/status/explain\"><input name=\"serial\" required autocomplete=\"off\" ");
    html.markup(
        "spellcheck=\"false\" placeholder=\"serial number, hexadecimal\" aria-label=\"Serial number\"> ",
    );
    html.markup("<button>Explain</button></form></section>\n");
}

/// What every issuer would answer about a serial number, or why nobody can say.
pub(in crate::http) fn render(explanations: &Result<Vec<Explanation>, String>) -> String {
    let mut page = Html::with_capacity(STYLE.len() + (8 << 10));
    let html = &mut page;
    head(html, "ocsprey: why");
    html.markup("<header><h1>Why</h1><a href=\"/status\">back to the status</a></header>\n<main>\n");
    match explanations {
        Err(why) => {
            html.element("<div class=\"verdict bad\">", why, "</div>\n");
        }
        Ok(explanations) => {
            for one in explanations {
                html.element("<section><h2>", &one.issuer, " ").element(
                    "<small>",
                    &one.key,
                    "</small></h2>\n<p>",
                );
                let grade = if one.is_answered { Grade::Good } else { Grade::Bad };
                badge(html, grade, &one.answer);
                html.markup(" ")
                    .text(&one.because)
                    .markup("</p>\n<div class=\"wide\"><table class=\"facts\">\n");
                for fact in &one.facts {
                    html.element("<tr><th>", &fact.name, "</th><td>").element(
                        "",
                        &fact.value,
                        "</td></tr>\n",
                    );
                }
                html.markup("</table></div>\n");
                tiers(html, &one.tiers);
                html.markup("</section>\n");
            }
        }
    }
    form(html);
    html.markup("</main>\n</body>\n</html>\n");
    page.into_string()
}

/// From where the answer comes, by form of CertID.
fn tiers(html: &mut Html, tiers: &[AnswerTiers]) {
    if tiers.is_empty() {
        return;
    }
    html.markup("<h3>From where the answer comes now <small>with a nonce always from a fresh signature</small></h3>\n");
    html.markup(
        "<div class=\"wide\"><table class=\"cards\">\n<tr><th>CertID</th><th>from</th><th>in memory</th>",
    );
    html.markup("<th>signed beforehand</th></tr>\n");
    for one in tiers {
        html.element("<tr><td class=\"name\">", &one.form, " ").element(
            "<small>",
            &one.algorithm,
            "</small></td><td data-of=\"from\">",
        );
        let (grade, from) = match one.from {
            "memory" => (Grade::Good, "memory"),
            "presigned" => (Grade::Good, "signed beforehand"),
            "signature" => (Grade::Good, "a fresh signature"),
            _ => (Grade::Bad, "nowhere"),
        };
        badge(html, grade, from);
        html.markup("</td><td data-of=\"memory\">");
        held(html, &one.memory, "no cache", "not kept");
        html.markup("</td><td data-of=\"signed beforehand\">");
        held(html, &one.presigned, "not this form", "not yet");
        html.markup("</td></tr>\n");
    }
    html.markup("</table></div>\n");
}

fn held(html: &mut Html, held: &HeldAnswer, off: &'static str, none: &'static str) {
    match (held.state, &held.until, held.because) {
        ("fresh", Some(until), _) => html.element("until ", &at(until), ""),
        ("over", _, Some(because)) => html.element("no more: ", because, ""),
        ("none", _, _) => html.element("<span class=\"soft\">", none, "</span>"),
        _ => html.element("<span class=\"soft\">", off, "</span>"),
    };
}
