//! markup - texts and times of the report as HTML
//!
//! Whatever a client chose becomes text. Not here: the page (`html`).

/// `2026-11-27T07:40:12Z` as `2026-11-27 07:40`.
pub(super) fn time(rfc3339: &str) -> String {
    let minutes = rfc3339.get(..16).unwrap_or(rfc3339);
    escaped(&minutes.replace('T', " "))
}

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
