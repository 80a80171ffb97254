//! How charts look: colours, fonts, numbers at the axes.

use plotters::prelude::*;

/// Whatever sans-serif font the viewer has.
pub const FONT: &str = "sans-serif";
/// Titles and numbers.
pub const TEXT: RGBColor = RGBColor(40, 40, 40);
/// Axes.
pub const AXIS: RGBColor = RGBColor(120, 120, 120);
/// Lines behind everything.
pub const GRID: RGBColor = RGBColor(225, 225, 225);

/// Okabe and Ito 2008, "Color Universal Design": told apart with every kind of colour vision. Their
/// yellow is left out: on white it is hardly seen.
const PALETTE: [RGBColor; COLORS] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];
/// How many colours there are.
pub const COLORS: usize = 7;

/// The colour of series `i`.
pub fn color(i: usize) -> RGBColor {
    PALETTE[i % COLORS]
}

/// A number at an axis: six digits at most, an exponent where it is very large or small.
pub fn tick_label(value: f64) -> String {
    // Steps such as 0.1 + 0.2 leave a rest that is no information.
    if value == 0.0 || value.abs() < 1e-15 {
        return "0".to_owned();
    }
    let exponent = value.abs().log10().floor();
    if !(-4.0..6.0).contains(&exponent) {
        let text = format!("{value:.2e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", trimmed(digits));
    }
    let digits = (5.0 - exponent).clamp(0.0, 9.0) as usize;
    trimmed(&format!("{value:.digits$}")).to_owned()
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A line of many points without those that no pixel shows: of every column of pixels the first,
/// the least, the greatest and the last point stay, so that spikes are seen.
pub fn thinned(points: &[(f64, f64)], columns: usize) -> Vec<(f64, f64)> {
    if points.len() <= 4 * columns.max(1) {
        return points.to_vec();
    }
    let mut out = Vec::with_capacity(4 * columns);
    for bucket in points.chunks(points.len().div_ceil(columns)) {
        let by_y = |a: &usize, b: &usize| bucket[*a].1.total_cmp(&bucket[*b].1);
        let least = (0..bucket.len()).min_by(by_y).unwrap_or(0);
        let greatest = (0..bucket.len()).max_by(by_y).unwrap_or(0);
        let mut kept = [0, least, greatest, bucket.len() - 1];
        kept.sort_unstable();
        for (k, &i) in kept.iter().enumerate() {
            if k == 0 || kept[k - 1] != i {
                out.push(bucket[i]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        let cases = [
            (0.0, "0"),
            (0.30000000000000004, "0.3"),
            (1.0, "1"),
            (2500.0, "2500"),
            (1e6, "1e6"),
            (1.5e-5, "1.5e-5"),
            (0.0001, "0.0001"),
            (-0.25, "-0.25"),
            (100000.0, "100000"),
        ];
        for (value, expected) in cases {
            assert_eq!(tick_label(value), expected);
        }
    }

    #[test]
    fn long_lines_keep_their_spikes() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 0.0)).collect();
        points[54_321].1 = 9.0;
        let line = thinned(&points, 500);
        assert!(line.len() <= 2000);
        assert!(line.contains(&(54_321.0, 9.0)));
        assert_eq!((line[0].0, line[line.len() - 1].0), (0.0, 99_999.0));
        assert_eq!(thinned(&points[..10], 500).len(), 10);
    }
}
