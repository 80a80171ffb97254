//! Elements become cells of equal width, and cells become nested brackets with wrapped lines.

use super::PrintOptions;
use super::number::{Elements, fixed, scientific};

/// How the floats of one tensor are written: decided from all of them together.
struct FloatStyle {
    integers: bool,
    scientific: bool,
    width: usize,
    precision: usize,
}

impl FloatStyle {
    /// Integers if all numbers are whole; scientific if the numbers span more than three orders of
    /// magnitude or are very large or small, unless the options say. NaN, infinity and zero don't count.
    fn of(values: &[f64], options: &PrintOptions) -> FloatStyle {
        FloatStyle::counting(values, |value| value.is_finite() && value != 0.0, options)
    }

    /// The same where only values for which `counts` is true have a say.
    fn counting(values: &[f64], counts: fn(f64) -> bool, options: &PrintOptions) -> FloatStyle {
        let mut style = FloatStyle {
            integers: true,
            scientific: false,
            width: 1,
            precision: options.precision.min(MOST_DIGITS),
        };
        let counted = || values.iter().copied().filter(|&value| counts(value));
        let (mut least, mut most, mut nan) = (f64::INFINITY, 0.0_f64, false);
        for value in counted() {
            least = least.min(value.abs());
            most = most.max(value.abs());
            nan |= value.is_nan();
            style.integers &= value == value.ceil();
        }
        if most == 0.0 && !nan {
            return style;
        }
        let wide = most / least > 1000.0 || most > 1.0e8 || least < 1.0e-4;
        // Among NaNs there is neither a least nor a largest.
        style.scientific = options.sci_mode.unwrap_or(wide && !nan);
        style.width = counted().map(|value| style.text(value).len()).max().unwrap_or(1).max(1);
        style
    }

    fn text(&self, value: f64) -> String {
        if self.scientific {
            scientific(value, self.precision)
        } else if self.integers {
            // The point tells that the numbers are floats.
            fixed(value, 0) + if value.is_finite() { "." } else { "" }
        } else {
            fixed(value, self.precision)
        }
    }

    fn cells(&self, values: &[f64]) -> Vec<String> {
        values.iter().map(|&value| format!("{:>1$}", self.text(value), self.width)).collect()
    }
}

/// More digits than any float has; `format!` takes 65,535 at most.
const MOST_DIGITS: usize = 10_000;

/// 2⁻¹²⁷, byte 0 of `float8_e8m0fnu`.
const LEAST_POWER: f64 = f64::from_bits((1023 - 127) << 52);

/// The text of every element, padded, and the width by which lines are filled.
pub(super) fn cells(elements: &Elements, options: &PrintOptions) -> (Vec<String>, usize) {
    match elements {
        Elements::Float(values) => {
            let style = FloatStyle::of(values, options);
            (style.cells(values), style.width)
        }
        Elements::Power(values) => {
            // This dtype has no zero and libtorch reads its least value as one; and its NaN, unlike
            // any other, passes for finite.
            let style = FloatStyle::counting(values, |value| value != LEAST_POWER, options);
            (style.cells(values), style.width)
        }
        Elements::Complex(real, imaginary) => {
            let (a, b) = (FloatStyle::of(real, options), FloatStyle::of(imaginary, options));
            let cells = a
                .cells(real)
                .into_iter()
                .zip(b.cells(imaginary))
                .map(|(real, imaginary)| {
                    let imaginary = imaginary.trim_start();
                    let plus = if imaginary.starts_with('-') { "" } else { "+" };
                    format!("{real}{plus}{imaginary}j")
                })
                .collect();
            (cells, a.width + b.width + 1)
        }
        Elements::Int(values) => padded(values.iter().map(i64::to_string).collect()),
        Elements::Unsigned(values) => padded(values.iter().map(u64::to_string).collect()),
        Elements::Bool(values) => {
            padded(values.iter().map(|&v| if v { "True" } else { "False" }.to_owned()).collect())
        }
    }
}

fn padded(cells: Vec<String>) -> (Vec<String>, usize) {
    let width = cells.iter().map(String::len).max().unwrap_or(1).max(1);
    (cells.into_iter().map(|cell| format!("{cell:>width$}")).collect(), width)
}

/// The printed part of a tensor.
pub(super) struct Grid<'a> {
    /// Row-major.
    pub cells: &'a [String],
    /// The width by which lines are filled.
    pub width: usize,
    /// Sizes of the printed part.
    pub sizes: &'a [usize],
    /// For each dimension, after how many entries the `...` stands, if it does.
    pub cut: &'a [Option<usize>],
    pub linewidth: usize,
}

impl Grid<'_> {
    /// The cells in nested brackets, where the text before takes `indent` columns.
    pub(super) fn text(&self, indent: usize) -> String {
        match (self.sizes, self.cells) {
            ([], [cell]) => cell.clone(),
            _ => {
                let mut out = String::new();
                self.write(&mut out, 0, self.cells, indent);
                out
            }
        }
    }

    fn write(&self, out: &mut String, dim: usize, cells: &[String], indent: usize) {
        out.push('[');
        let (size, cut) = (self.sizes[dim], self.cut[dim]);
        let inner = self.sizes.len() - dim - 1;
        let newline = |out: &mut String, lines: usize| {
            out.extend(std::iter::repeat_n('\n', lines));
            out.extend(std::iter::repeat_n(' ', indent + 1));
        };
        // Entries with `...` among them: its index counts as one.
        let entries = size + usize::from(cut.is_some());
        let stride = cells.len().checked_div(size).unwrap_or(0);
        let per_line = (self.linewidth.saturating_sub(indent) / (self.width + 2)).max(1);
        for entry in 0..entries {
            match (entry, inner) {
                (0, _) => {}
                (_, 0) if entry % per_line == 0 => {
                    out.push(',');
                    newline(out, 1);
                }
                (_, 0) => out.push_str(", "),
                (_, inner) => {
                    out.push(',');
                    newline(out, inner);
                }
            }
            let index = match cut {
                Some(at) if entry == at => {
                    out.push_str(if inner == 0 { " ..." } else { "..." });
                    continue;
                }
                Some(at) if entry > at => entry - 1,
                _ => entry,
            };
            let part = &cells[index * stride..(index + 1) * stride];
            match part {
                [cell] if inner == 0 => out.push_str(cell),
                _ => self.write(out, dim + 1, part, indent + 1),
            }
        }
        out.push(']');
    }
}
