//! old_format - a page in OpenMetrics as one in the text format 0.0.4
//!
//! The formats differ in what stands behind `#`: there, the family of a counter is named with `_total`, there is no
//! type `info` and no end mark. The lines with the numbers are the same.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

/// The same numbers in the older format.
pub(super) fn of_open_metrics(page: &str) -> String {
    let mut old = String::with_capacity(page.len());
    // HELP comes first, and only TYPE tells what the family is called.
    let mut help = None;
    for line in page.lines() {
        if let Some(of) = line.strip_prefix("# HELP ") {
            help = of.split_once(' ');
        } else if let Some(of) = line.strip_prefix("# TYPE ") {
            let (name, kind) = of.split_once(' ').unwrap_or((of, "untyped"));
            let (end, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some((_, text)) = help.take().filter(|(of, _)| *of == name) {
                old += &format!("# HELP {name}{end} {text}\n");
            }
            old += &format!("# TYPE {name}{end} {kind}\n");
        } else if !line.starts_with('#') {
            old += line;
            old.push('\n');
        }
    }
    old
}
