//! The form that asks why, and the page that says it. For those who run the responder only: the serial
//! comes in a POST and goes back in the page, and is kept nowhere.

use super::html::{Grade, Html, badge};
use super::{STYLE, head};
use crate::http::admin::Explanation;

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
                for (name, fact) in &one.facts {
                    html.element("<tr><th>", name, "</th><td>").element("", fact, "</td></tr>\n");
                }
                html.markup("</table></div></section>\n");
            }
        }
    }
    form(html);
    html.markup("</main>\n</body>\n</html>\n");
    page.into_string()
}
