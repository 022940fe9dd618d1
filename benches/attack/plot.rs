//! plot - lines and bars as SVG, without a library
//!
//! Light and dark pages alike: the colours are of middle brightness and the text takes the page's.
//! Not here: which plots there are (`report`).

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const COLOURS: [&str; 8] = [
    "#2f9e44", "#1971c2", "#e8590c", "#9c36b5", "#c2255c", "#0c8599", "#868e96", "#f08c00",
];

/// A named line.
pub(crate) type Line<'a> = (&'a str, &'a [(f64, f64)]);

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scale {
    /// Evenly, from 0.
    Even,
    /// By powers of ten.
    Tens,
}

/// An axis: what it shows, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) label: &'static str,
    pub(crate) scale: Scale,
}

impl Axis {
    /// From 0 on.
    pub(crate) const fn even(label: &'static str) -> Self {
        let scale = Scale::Even;
        Self { label, scale }
    }

    /// By powers of ten.
    pub(crate) const fn tens(label: &'static str) -> Self {
        let scale = Scale::Tens;
        Self { label, scale }
    }
}

/// An axis with the figures on it.
struct Ruler {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Ruler {
    fn new(scale: Scale, figures: impl Iterator<Item = f64> + Clone) -> Self {
        let high = figures.clone().fold(f64::MIN_POSITIVE, f64::max);
        match scale {
            Scale::Even => Self {
                scale,
                low: 0.0,
                high: round_up(high),
            },
            Scale::Tens => {
                let low = figures.filter(|figure| *figure > 0.0).fold(high, f64::min);
                Self {
                    scale,
                    low: low.log10().floor(),
                    high: high.log10().ceil().max(low.log10().floor() + 1.0),
                }
            }
        }
    }

    /// Where a figure lies, from 0 to 1.
    fn place(&self, figure: f64) -> f64 {
        let at = match self.scale {
            Scale::Even => figure,
            Scale::Tens => figure.max(f64::MIN_POSITIVE).log10(),
        };
        ((at - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    fn marks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Even => (0..=4)
                .map(|step| self.high * f64::from(step) / 4.0)
                .collect(),
            Scale::Tens => {
                let steps = (self.high - self.low).round().clamp(1.0, 12.0);
                let step = |number: u8| 10f64.powf(self.low + f64::from(number));
                (0..=12u8)
                    .take_while(|n| f64::from(*n) <= steps)
                    .map(step)
                    .collect()
            }
        }
    }
}

/// Lines over an axis.
pub(crate) fn lines(title: &str, (across, up): (Axis, Axis), lines: &[Line<'_>]) -> String {
    let points = || lines.iter().flat_map(|(_, points)| points.iter().copied());
    let x = Ruler::new(across.scale, points().map(|point| point.0));
    let y = Ruler::new(up.scale, points().map(|point| point.1));
    let mut text = begin(title);
    frame(&mut text, (&x, across.label), (&y, up.label));
    for (number, ((name, points), colour)) in lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let at = |point: &(f64, f64)| (across_at(x.place(point.0)), up_at(y.place(point.1)));
        let path: Vec<String> = points
            .iter()
            .map(|point| format!("{:.1},{:.1}", at(point).0, at(point).1))
            .collect();
        let path = path.join(" ");
        let _ = writeln!(
            text,
            r#"<polyline fill="none" stroke="{colour}" stroke-width="2.5" points="{path}"/>"#
        );
        for point in *points {
            let (x, y) = at(point);
            let _ = writeln!(
                text,
                r#"<circle cx="{x:.1}" cy="{y:.1}" r="3.5" fill="{colour}"/>"#
            );
        }
        let (x, y) = (WIDTH - RIGHT + 14.0, TOP + 14.0 + 20.0 * number as f64);
        let _ = writeln!(
            text,
            r#"<rect x="{x}" y="{}" width="12" height="12" fill="{colour}"/><text x="{}" y="{y}">{name}</text>"#,
            y - 10.0,
            x + 18.0,
        );
    }
    text.push_str("</svg>\n");
    text
}

/// Bars from left to right, the first one in the first colour.
pub(crate) fn bars(title: &str, unit: &str, bars: &[(&str, f64)]) -> String {
    const ROW: f64 = 34.0;
    let most = bars
        .iter()
        .map(|bar| bar.1)
        .fold(f64::MIN_POSITIVE, f64::max);
    let height = TOP + ROW * bars.len() as f64 + 10.0;
    let mut text = begin_at(title, height);
    for (number, (name, figure)) in bars.iter().enumerate() {
        let colour = if number == 0 { COLOURS[0] } else { COLOURS[6] };
        let y = TOP + ROW * number as f64;
        let length = (figure / most * (WIDTH - 250.0)).max(1.0);
        let _ = writeln!(
            text,
            r#"<text x="100" y="{:.0}" text-anchor="end">{name}</text><rect x="110" y="{y:.0}" width="{length:.1}" height="22" fill="{colour}"/><text x="{:.1}" y="{:.0}">{} {unit}</text>"#,
            y + 16.0,
            118.0 + length,
            y + 16.0,
            short(*figure),
        );
    }
    text.push_str("</svg>\n");
    text
}

fn begin(title: &str) -> String {
    begin_at(title, HEIGHT)
}

fn begin_at(title: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\" fill=\"#868e96\" role=\"img\">\n\
         <title>{title}</title>\n<text x=\"{LEFT}\" y=\"22\" font-size=\"16\">{title}</text>\n"
    )
}

fn frame(text: &mut String, (x, across): (&Ruler, &str), (y, up): (&Ruler, &str)) {
    for mark in y.marks() {
        let at = up_at(y.place(mark));
        let _ = writeln!(
            text,
            r##"<line x1="{LEFT}" x2="{}" y1="{at:.1}" y2="{at:.1}" stroke="#868e96" stroke-opacity="0.3"/><text x="{}" y="{:.1}" text-anchor="end">{}</text>"##,
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0,
            short(mark),
        );
    }
    for mark in x.marks() {
        let at = across_at(x.place(mark));
        let _ = writeln!(
            text,
            r#"<text x="{at:.1}" y="{}" text-anchor="middle">{}</text>"#,
            HEIGHT - BOTTOM + 18.0,
            short(mark),
        );
    }
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    let _ = writeln!(
        text,
        r#"<text x="{middle}" y="{}" text-anchor="middle">{across}</text><text x="14" y="{}" transform="rotate(-90 14 {})" text-anchor="middle">{up}</text>"#,
        HEIGHT - 10.0,
        HEIGHT / 2.0,
        HEIGHT / 2.0,
    );
}

fn across_at(place: f64) -> f64 {
    LEFT + place * (WIDTH - LEFT - RIGHT)
}

fn up_at(place: f64) -> f64 {
    HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM)
}

/// The next of 1, 2, 4, 5, 8 times a power of ten.
fn round_up(figure: f64) -> f64 {
    let ten = 10f64.powf(figure.log10().floor());
    let steps = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0];
    let fits = steps.into_iter().find(|step| step * ten >= figure);
    fits.unwrap_or(10.0) * ten
}

fn short(figure: f64) -> String {
    match figure {
        figure if figure >= 1e6 => format!("{:.0}M", figure / 1e6),
        figure if figure >= 1e4 => format!("{:.0}k", figure / 1e3),
        figure if figure >= 100.0 || figure.fract() == 0.0 => format!("{figure:.0}"),
        figure if figure >= 1.0 => format!("{figure:.1}"),
        figure => format!("{figure:.3}"),
    }
}
