//! ruler - where a figure lies on an axis, and which figures are written beside it
//!
//! Not here: drawing (`plot`).

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from 0.
    Even,
    /// By powers of ten.
    Tens,
}

/// An axis: what it shows, and how.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    /// What is written beside it, with the unit.
    pub label: &'static str,
    /// How it is divided.
    pub scale: Scale,
}

impl Axis {
    /// From 0 on.
    pub const fn even(label: &'static str) -> Self {
        let scale = Scale::Even;
        Self { label, scale }
    }

    /// By powers of ten.
    pub const fn tens(label: &'static str) -> Self {
        let scale = Scale::Tens;
        Self { label, scale }
    }
}

/// An axis that has room for all its figures.
pub(super) struct Ruler {
    scale: Scale,
    /// The ends: figures, or their logarithms.
    low: f64,
    high: f64,
}

impl Ruler {
    pub(super) fn new(scale: Scale, figures: impl Iterator<Item = f64> + Clone) -> Self {
        let high = figures.clone().fold(f64::MIN_POSITIVE, f64::max);
        let (low, high) = match scale {
            Scale::Even => (0.0, round_up(high)),
            Scale::Tens => {
                let low = figures.filter(|figure| *figure > 0.0).fold(high, f64::min);
                let low = low.log10().floor();
                (low, high.log10().ceil().max(low + 1.0))
            }
        };
        Self { scale, low, high }
    }

    /// Where a figure lies, from 0 to 1.
    pub(super) fn place(&self, figure: f64) -> f64 {
        let at = match self.scale {
            Scale::Even => figure,
            Scale::Tens => figure.max(f64::MIN_POSITIVE).log10(),
        };
        ((at - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The figures that are written beside it.
    pub(super) fn marks(&self) -> Vec<f64> {
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

/// The next of 1, 2, 3, 4, 5, 8 times a power of ten.
fn round_up(figure: f64) -> f64 {
    let ten = 10f64.powf(figure.log10().floor());
    let steps = [1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 10.0];
    let fits = steps.into_iter().find(|step| step * ten >= figure);
    fits.unwrap_or(10.0) * ten
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_axis_begins_at_zero_and_ends_at_a_round_figure() {
        let ruler = Ruler::new(Scale::Even, [7.0, 23.0].into_iter());
        assert_eq!(ruler.marks(), [0.0, 7.5, 15.0, 22.5, 30.0]);
        assert!((ruler.place(15.0) - 0.5).abs() < 1e-9);
        assert!(ruler.place(-1.0) == 0.0 && ruler.place(31.0) == 1.0);
    }

    #[test]
    fn an_axis_of_tens_spans_whole_powers_and_zero_lies_at_its_low_end() {
        let ruler = Ruler::new(Scale::Tens, [0.0, 5.0, 300.0].into_iter());
        let marks: Vec<f64> = ruler.marks().iter().map(|mark| mark.round()).collect();
        assert_eq!(marks, [1.0, 10.0, 100.0, 1_000.0]);
        assert!(ruler.place(0.0) == 0.0 && ruler.place(1_000.0) > 0.999);
    }
}
