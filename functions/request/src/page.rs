//! A page for a browser: plain HTML without scripts, readable in the dark, on a phone and by a screen reader. What it
//! says comes from `access::wording`; whatever is in it is escaped here.

use access::wording::Page;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Every pair of colours has a contrast of 4.5 at least, by day and by night (WCAG 2.2, 1.4.3).
const STYLE: &str = include_str!("page.css");

/// A page as the answer to a request. `link`: what the button sends back.
pub(crate) fn answer(status: u16, page: &Page, link: &str) -> Value {
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    json!({
        "statusCode": status,
        "headers": {
            "content-type": "text/html; charset=utf-8",
            // Nothing is loaded, nothing runs, and nobody puts it in a frame.
            "content-security-policy": format!(
                "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
            ),
            "x-frame-options": "DENY",
            "x-content-type-options": "nosniff",
            // The address of the page is the link.
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
            "x-robots-tag": "noindex",
        },
        "body": html(page, link),
        "isBase64Encoded": false,
    })
}

fn html(page: &Page, link: &str) -> String {
    let title = escaped(&page.title);
    let mut main = format!("<h1>{title}</h1>\n");
    let paragraph = |text: &String| format!("<p>{}</p>\n", with_code(text));
    main.extend(page.said.iter().map(paragraph));
    if let Some((label, address)) = &page.address {
        main += &format!("<p class=\"seen\">{label} <strong>{}</strong></p>\n", escaped(address));
    }
    if !page.facts.is_empty() {
        let fact = |(label, text): &(&str, String)| {
            format!("<div><dt>{label}</dt><dd>{}</dd></div>\n", escaped(text))
        };
        main += &format!("<dl>\n{}</dl>\n", page.facts.iter().map(fact).collect::<String>());
    }
    if let Some(button) = &page.button {
        // Next to this page, wherever it is; without the query, which holds the link.
        main += &format!(
            "<form method=\"post\" action=\"address\">\n<input type=\"hidden\" name=\"link\" value=\"{}\">\n<button type=\"submit\">{}</button>\n</form>\n",
            escaped(link),
            escaped(button)
        );
    }
    main.extend(page.notes.iter().map(paragraph));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{main}</main>\n</body>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// A sentence of ours, in which what is to be typed stands between backticks.
fn with_code(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let shown = |(at, piece): (usize, &str)| {
        if at % 2 == 1 { format!("<code>{}</code>", escaped(piece)) } else { escaped(piece) }
    };
    pieces.map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_wrote_is_text() {
        let typed = "</dd><script>alert('x')</script> `y` \"&\"";
        let page = Page {
            title: "VM3 port 22: is this your address?".to_owned(),
            said: vec!["Type `/jit VM3 22` again.".to_owned()],
            address: Some(("Ajar sees you at", "203.0.113.7".to_owned())),
            facts: vec![("Why", typed.to_owned())],
            button: Some("Yes".to_owned()),
            notes: vec![],
        };
        let html = html(&page, "a\"b");
        assert!(
            html.contains(
                "<dd>&lt;/dd&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; `y` &quot;&amp;&quot;</dd>"
            ),
            "{html}"
        );
        assert!(html.contains("value=\"a&quot;b\""), "{html}");
        assert!(html.contains("<p>Type <code>/jit VM3 22</code> again.</p>"), "{html}");
        assert!(!html.contains("<script"), "{html}");
    }

    #[test]
    fn the_style_that_may_be_applied_is_the_one_on_the_page() {
        let page = Page {
            title: String::new(),
            said: vec![],
            address: None,
            facts: vec![],
            button: None,
            notes: vec![],
        };
        let answer = answer(200, &page, "");
        let body = answer["body"].as_str().unwrap();
        let style = body.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
        assert!(
            answer["headers"]["content-security-policy"]
                .as_str()
                .unwrap()
                .contains(&format!("'sha256-{hash}'"))
        );
    }
}
