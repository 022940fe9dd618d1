//! table - rows of cells as columns for a terminal, or as Markdown
//!
//! By hand: of a table library, aligned columns are all that we would use.
//! Not here: what stands in the cells (`simulate::tables`, `benches/attack`), the table that is drawn in
//! place (`board`).

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Columns, padded.
    Terminal,
    /// GitHub's Markdown.
    Markdown,
}

/// Which side of its column a cell stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// The rows, the first one as the head, each with a line feed. A column's side is that in `aligns`; columns
/// beyond these are aligned like the last of them.
pub fn render(style: Style, aligns: &[Align], rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let align = |column: usize| {
        let known = aligns.get(column).or(aligns.last());
        known.copied().unwrap_or(Align::Left)
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        let padded = row.iter().zip(&widths).enumerate();
        let padded: Vec<String> = padded
            .map(|(column, (cell, width))| match align(column) {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            })
            .collect();
        match style {
            Style::Terminal => out.push_str(padded.join("  ").trim_end()),
            Style::Markdown => out.push_str(&format!("| {} |", padded.join(" | "))),
        }
        out.push('\n');
        if at == 0 && style == Style::Markdown {
            let rule = (0..columns).map(|column| match align(column) {
                Align::Left => "---",
                Align::Right => "---:",
            });
            let rule: Vec<&str> = rule.collect();
            out.push_str(&format!("| {} |\n", rule.join(" | ")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_padded_for_a_terminal_and_piped_in_markdown() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["name", "n", "m"]), row(["long name", "1,234", "12"])];
        let aligns = [Align::Left, Align::Right];
        let terminal = "name           n   m\nlong name  1,234  12\n";
        assert_eq!(render(Style::Terminal, &aligns, &rows), terminal);
        let markdown =
            "| name      |     n |  m |\n| --- | ---: | ---: |\n| long name | 1,234 | 12 |\n";
        assert_eq!(render(Style::Markdown, &aligns, &rows), markdown);
    }
}
