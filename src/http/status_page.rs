//! `/status`: what is loaded, for people. The JSON of `/api/v1/status`, laid out in HTML.
//!
//! It knows no field by name, so that the page always shows what the JSON says: objects become
//! lists of terms, lists of objects become tables, and everything else its text, escaped.

use serde_json::{Map, Value};

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><title>ocsprey: status</title>\n<style>\n\
    body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1b1b}\n\
    table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:.2rem .8rem;border-bottom:1px solid #ccc}\n\
    td.number{text-align:right;font-variant-numeric:tabular-nums}\n</style></head>\n<body>\n<h1>ocsprey</h1>\n";

/// Deeper than any status goes: past this, JSON as it is.
const DEEPEST: usize = 8;

pub(super) fn render(status: &Value) -> String {
    let mut page = String::with_capacity(8 << 10);
    page.push_str(HEAD);
    value(&mut page, status, 0);
    page.push_str(
        "<p><a href=\"/api/v1/status\">The same as JSON</a> · <a href=\"/metrics\">Metrics</a> · \
        <a href=\"/readyz\">Readiness</a></p>\n</body>\n</html>\n",
    );
    page
}

fn value(page: &mut String, shown: &Value, depth: usize) {
    match shown {
        Value::Object(fields) if depth < DEEPEST => object(page, fields, depth),
        Value::Array(items) if depth < DEEPEST => array(page, items, depth),
        Value::Null => page.push('–'),
        Value::Bool(true) => page.push_str("yes"),
        Value::Bool(false) => page.push_str("no"),
        Value::String(text) => escape(page, text),
        other => escape(page, &other.to_string()),
    }
}

fn object(page: &mut String, fields: &Map<String, Value>, depth: usize) {
    page.push_str("<table>\n");
    for (name, field) in fields {
        page.push_str("<tr><th>");
        escape(page, &name.replace('_', " "));
        page.push_str("</th>");
        cell(page, field, depth);
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
}

fn array(page: &mut String, items: &[Value], depth: usize) {
    // Columns in the order in which they first appear.
    let mut columns: Vec<&String> = Vec::new();
    for item in items {
        let Value::Object(fields) = item else {
            page.push_str("<ul>\n");
            for item in items {
                page.push_str("<li>");
                value(page, item, depth + 1);
                page.push_str("</li>\n");
            }
            page.push_str("</ul>\n");
            return;
        };
        for name in fields.keys() {
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
    }
    if columns.is_empty() {
        page.push_str("none");
        return;
    }
    page.push_str("<table>\n<tr>");
    for name in &columns {
        page.push_str("<th>");
        escape(page, &name.replace('_', " "));
        page.push_str("</th>");
    }
    page.push_str("</tr>\n");
    for item in items {
        page.push_str("<tr>");
        for name in &columns {
            cell(page, item.get(name.as_str()).unwrap_or(&Value::Null), depth);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table>\n");
}

fn cell(page: &mut String, shown: &Value, depth: usize) {
    page.push_str(if shown.is_number() { "<td class=\"number\">" } else { "<td>" });
    value(page, shown, depth + 1);
    page.push_str("</td>");
}

fn escape(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_becomes_tables_and_nothing_in_it_becomes_markup() {
        let page = render(&json!({
            "version": "<script>alert('1' & \"2\")</script>",
            "issuers": [{"name": "auth", "scopes": [{"crl_number": 7}]}, {"name": "sign", "fresh": false}],
            "problems": [], "since": null, "sources": ["a", "b"],
        }));
        assert!(
            page.contains("&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;"),
            "{page}"
        );
        assert!(
            page.contains("<th>crl number</th>") && page.contains("<td class=\"number\">7</td>"),
            "{page}"
        );
        assert!(page.contains("<td>no</td>") && page.contains("<td>none</td>"), "{page}");
        assert!(page.contains("<td>–</td>") && page.contains("<li>b</li>"), "{page}");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = (0..100).fold(json!("x"), |inner, _| json!({ "in": inner }));
        assert!(render(&deep).contains("{&quot;in&quot;:"));
    }
}
