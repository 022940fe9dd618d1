//! plot - lines and bars as SVG: without a library, scripts, fonts or anything from elsewhere
//!
//! Light and dark pages alike: the colours are of middle brightness and the text takes the page's.
//! By hand, for a plotting library is many times this file and its crates.
//! Not here: which plots there are (`simulate::pictures`, `benches/attack`), writing files.

use std::fmt::Write as _;

mod ruler;

use ruler::Ruler;
pub use ruler::{Axis, Scale};

const WIDTH: f64 = 720.0;
/// The height of one panel, and of the title above all of them.
const PANEL: f64 = 320.0;
const TITLE: f64 = 40.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
/// Below the lines of a panel, for figures and the name of its axis.
const BOTTOM: f64 = 50.0;
/// Lines of more points than these are drawn without a dot on each.
const DOTS: usize = 20;
const GREY: &str = "#868e96";
const COLOURS: [&str; 8] = [
    "#2f9e44", "#1971c2", "#e8590c", "#9c36b5", "#c2255c", "#0c8599", GREY, "#f08c00",
];

/// A named line through points.
pub type PlotLine<'a> = (&'a str, &'a [(f64, f64)]);

/// Lines over one pair of axes.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// From left to right.
    pub across: Axis,
    /// From bottom to top.
    pub up: Axis,
    /// The lines, the first one in the first colour.
    pub lines: &'a [PlotLine<'a>],
    /// A value that the lines are to stay below, dashed, with its name.
    pub limit: Option<(&'a str, f64)>,
}

/// Panels below each other.
pub fn panels(title: &str, panels: &[Panel<'_>]) -> String {
    let mut out = begin(title, TITLE + PANEL * panels.len() as f64);
    let mut top = TITLE;
    for panel in panels {
        draw(&mut out, top, panel);
        top += PANEL;
    }
    out.push_str("</svg>\n");
    out
}

/// Bars from left to right, the first one in the first colour.
pub fn bars(title: &str, unit: &str, bars: &[(&str, f64)]) -> String {
    const ROW: f64 = 34.0;
    let most = bars
        .iter()
        .map(|bar| bar.1)
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut out = begin(title, TITLE + ROW * bars.len() as f64 + 10.0);
    let colours = COLOURS.iter().take(1).chain(std::iter::repeat(&GREY));
    for (number, ((name, figure), colour)) in bars.iter().zip(colours).enumerate() {
        let y = TITLE + ROW * number as f64;
        let length = (figure / most * (WIDTH - 250.0)).max(1.0);
        let _ = writeln!(
            out,
            r#"<text x="100" y="{:.0}" text-anchor="end">{}</text><rect x="110" y="{y:.0}" width="{length:.1}" height="22" fill="{colour}"/><text x="{:.1}" y="{:.0}">{} {}</text>"#,
            y + 16.0,
            escaped(name),
            118.0 + length,
            y + 16.0,
            short(*figure),
            escaped(unit),
        );
    }
    out.push_str("</svg>\n");
    out
}

fn begin(title: &str, height: f64) -> String {
    // A long title takes the whole width, in the letters of a footnote.
    let (x, size) = match title.chars().count() {
        0..=70 => (LEFT, 16),
        _ => (8.0, 11),
    };
    let title = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"{GREY}\" role=\"img\">\n\
         <title>{title}</title>\n<text x=\"{x}\" y=\"22\" font-size=\"{size}\">{title}</text>\n"
    )
}

/// A panel's place in the picture and its two rulers.
struct PanelFrame {
    top: f64,
    across: Ruler,
    up: Ruler,
}

impl PanelFrame {
    fn x(&self, figure: f64) -> f64 {
        LEFT + self.across.place(figure) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, figure: f64) -> f64 {
        self.bottom() - self.up.place(figure) * (PANEL - BOTTOM)
    }

    fn bottom(&self) -> f64 {
        self.top + PANEL - BOTTOM
    }
}

fn draw(out: &mut String, top: f64, panel: &Panel<'_>) {
    let points = || panel.lines.iter().flat_map(|(_, points)| *points);
    let limit = panel.limit.map(|(_, value)| value);
    let frame = PanelFrame {
        top,
        across: Ruler::new(panel.across.scale, points().map(|point| point.0)),
        up: Ruler::new(panel.up.scale, points().map(|point| point.1).chain(limit)),
    };
    axes(out, &frame, panel);
    let colours = COLOURS.iter().cycle();
    for (number, (line, colour)) in panel.lines.iter().zip(colours).enumerate() {
        draw_line(out, &frame, line, colour);
        let (x, y) = (WIDTH - RIGHT + 14.0, top + 14.0 + 20.0 * number as f64);
        let _ = writeln!(
            out,
            r#"<rect x="{x}" y="{}" width="12" height="12" fill="{colour}"/><text x="{}" y="{y}">{}</text>"#,
            y - 10.0,
            x + 18.0,
            escaped(line.0),
        );
    }
    if let Some((name, value)) = panel.limit {
        let (y, end) = (frame.y(value), WIDTH - RIGHT);
        let _ = writeln!(
            out,
            r#"<line x1="{LEFT}" x2="{end}" y1="{y:.1}" y2="{y:.1}" stroke="{GREY}" stroke-dasharray="5 4"/><text x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
            end - 4.0,
            y - 4.0,
            escaped(name),
        );
    }
}

fn draw_line(out: &mut String, frame: &PanelFrame, (_, points): &PlotLine<'_>, colour: &str) {
    let places: Vec<(f64, f64)> = points
        .iter()
        .map(|point| (frame.x(point.0), frame.y(point.1)))
        .collect();
    let path: Vec<String> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let path = path.join(" ");
    let _ = writeln!(
        out,
        r#"<polyline fill="none" stroke="{colour}" stroke-width="2.5" points="{path}"/>"#
    );
    for (x, y) in places.iter().filter(|_| places.len() <= DOTS) {
        let _ = writeln!(
            out,
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/>"#
        );
    }
}

fn axes(out: &mut String, frame: &PanelFrame, panel: &Panel<'_>) {
    for mark in frame.up.marks() {
        let at = frame.y(mark);
        let _ = writeln!(
            out,
            r#"<line x1="{LEFT}" x2="{}" y1="{at:.1}" y2="{at:.1}" stroke="{GREY}" stroke-opacity="0.3"/><text x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            short(mark),
        );
    }
    for mark in frame.across.marks() {
        let _ = writeln!(
            out,
            r#"<text x="{:.1}" y="{}" text-anchor="middle">{}</text>"#,
            frame.x(mark),
            frame.bottom() + 18.0,
            short(mark),
        );
    }
    let (centre, middle) = (
        f64::midpoint(LEFT, WIDTH - RIGHT),
        frame.top + (PANEL - BOTTOM) / 2.0,
    );
    let _ = writeln!(
        out,
        r#"<text x="{centre}" y="{}" text-anchor="middle">{}</text><text x="14" y="{middle}" transform="rotate(-90 14 {middle})" text-anchor="middle">{}</text>"#,
        frame.bottom() + 40.0,
        escaped(panel.across.label),
        escaped(panel.up.label),
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// A figure for an axis or a bar: three digits, thousands as k, millions as M.
fn short(figure: f64) -> String {
    match figure {
        figure if figure >= 1e6 => format!("{:.0}M", figure / 1e6),
        figure if figure >= 1e4 => format!("{:.0}k", figure / 1e3),
        figure if figure >= 100.0 || figure.fract() == 0.0 => format!("{figure:.0}"),
        figure if figure >= 1.0 => format!("{figure:.1}"),
        figure => format!("{figure:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_and_names_cannot_break_the_picture() {
        for (figure, want) in [
            (0.0, "0"),
            (0.25, "0.250"),
            (2.5, "2.5"),
            (100.4, "100"),
            (12_000.0, "12k"),
            (2_000_000.0, "2M"),
        ] {
            assert_eq!(short(figure), want);
        }
        let picture = bars("a < b & c", "<", &[("&", 1.0)]);
        assert!(picture.contains("<title>a &lt; b &amp; c</title>"));
        assert!(!picture.contains("< ") && !picture.contains("& "));
    }

    #[test]
    fn lines_of_few_points_have_dots_and_a_limit_is_within_the_picture() {
        let few = [(0.0, 1.0), (1.0, 10.0)];
        let many: Vec<(f64, f64)> = (0..=DOTS).map(|at| (at as f64, 1.0)).collect();
        let picture = panels(
            "title",
            &[Panel {
                across: Axis::even("days"),
                up: Axis::tens("guesses"),
                lines: &[("few", &few), ("many", &many)],
                limit: Some(("bound", 1_000.0)),
            }],
        );
        assert_eq!(picture.matches("<circle").count(), few.len());
        assert_eq!(picture.matches("<polyline").count(), 2);
        // The limit is the highest power of ten, so its line is the top of the panel.
        assert!(picture.contains(r##"y1="40.0" y2="40.0" stroke="#868e96" stroke-dasharray"##));
    }
}
