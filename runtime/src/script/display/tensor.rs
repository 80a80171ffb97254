//! A tensor as HTML: what `print` shows, and under it what it is, where its elements lie and a strip of them.

use super::table::escaped;
use crate::torch::{Dtype, Tensor, numel, sizes};

/// Of a tensor with more elements neither bounds nor a strip are worked out: that takes a while.
const MOST: usize = 1 << 24;
/// Cells of the strip.
const CELLS: usize = 64;

/// As other text of a cell is shown; JupyterLab indents what else is preformatted, as in a page of text.
const PRE: &str = "margin:0;font-size:var(--jp-code-font-size,inherit)";

/// Points of the colour map viridis at even distances (van der Walt and Smith 2015, CC0).
const VIRIDIS: [[f64; 3]; 9] = [
    [68.0, 1.0, 84.0],
    [72.0, 40.0, 120.0],
    [62.0, 74.0, 137.0],
    [49.0, 104.0, 142.0],
    [38.0, 130.0, 142.0],
    [31.0, 158.0, 137.0],
    [53.0, 183.0, 121.0],
    [109.0, 205.0, 89.0],
    [253.0, 231.0, 37.0],
];

/// The colour for a number from 0 to 1; others count as the nearer of these.
pub fn viridis(value: f64) -> [u8; 3] {
    let at = value.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let i = (at as usize).min(VIRIDIS.len() - 2);
    let share = at - i as f64;
    let mix = |k: usize| VIRIDIS[i][k] + (VIRIDIS[i + 1][k] - VIRIDIS[i][k]) * share;
    [0, 1, 2].map(|k| mix(k).round() as u8)
}

/// The HTML of a tensor whose text is `plain`. What cannot be worked out, such as the mean of a tensor that is empty
/// or without data, is left out.
pub fn html(tensor: &Tensor, plain: &str) -> String {
    let mut cells = vec![
        (
            "shape",
            format!(
                "[{}]",
                sizes(tensor).iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
            ),
        ),
        ("dtype", tensor.dtype().name().to_owned()),
        ("device", tensor.device_of().to_string()),
    ];
    let mut strip = String::new();
    // Working it out is no part of what the script does.
    let numbers = tch::no_grad(|| numbers(tensor)).ok().flatten();
    if let Some(numbers) = numbers {
        cells.extend(numbers.bounds());
        strip = drawn(&numbers.sample);
    }
    let tagged = |tag: &str, texts: Vec<&str>| -> String {
        texts.iter().map(|text| format!("<{tag}>{}</{tag}>", escaped(text))).collect()
    };
    let names = tagged("th", cells.iter().map(|(name, _)| *name).collect());
    let values = tagged("td", cells.iter().map(|(_, value)| value.as_str()).collect());
    format!(
        "<pre style=\"{PRE}\">{}</pre><table><thead><tr>{names}</tr></thead><tbody><tr>{values}</tr></tbody></table>{strip}",
        escaped(plain)
    )
}

/// The least and the greatest element and their mean, by name; none where that cannot be worked out soon.
pub fn bounds(tensor: &Tensor) -> Vec<(&'static str, String)> {
    let numbers = tch::no_grad(|| numbers(tensor)).ok().flatten();
    numbers.map_or_else(Vec::new, |found| found.bounds().into())
}

struct Numbers {
    min: f64,
    max: f64,
    mean: f64,
    /// Elements at even distances, in the order of memory where all dimensions are one.
    sample: Vec<f64>,
}

impl Numbers {
    fn bounds(&self) -> [(&'static str, String); 3] {
        [("min", number(self.min)), ("mean", number(self.mean)), ("max", number(self.max))]
    }
}

fn numbers(tensor: &Tensor) -> Result<Option<Numbers>, tch::TchError> {
    let (count, dtype) = (numel(tensor), tensor.dtype());
    let counts = dtype.is_floating_point() || dtype == Dtype::BOOL || is_integer(dtype);
    if !(2..=MOST).contains(&count) || !counts || tensor.is_sparse() || tensor.is_nested() {
        return Ok(None);
    }
    let flat = tensor.f_detach()?.f_flatten(0, -1)?;
    let flat = if dtype.is_floating_point() { flat } else { flat.f_to_kind(tch::Kind::Int64)? };
    let step = (count as f64 - 1.0) / (CELLS.min(count) as f64 - 1.0);
    let places: Vec<i64> =
        (0..CELLS.min(count)).map(|i| (i as f64 * step).round() as i64).collect();
    let places = tch::Tensor::from_slice(&places).f_to_device(flat.device())?;
    let sample = flat.f_index_select(0, &places)?.f_to_device(tch::Device::Cpu)?;
    Ok(Some(Numbers {
        min: f64::try_from(&flat.f_min()?)?,
        max: f64::try_from(&flat.f_max()?)?,
        mean: f64::try_from(&flat.f_mean(tch::Kind::Double)?)?,
        sample: Vec::try_from(&sample.f_to_kind(tch::Kind::Double)?)?,
    }))
}

fn is_integer(dtype: Dtype) -> bool {
    [Dtype::UINT8, Dtype::INT8, Dtype::INT16, Dtype::INT32, Dtype::INT64].contains(&dtype)
}

/// A bar of colours, from the least of the numbers to the greatest; what is not finite is grey.
fn drawn(sample: &[f64]) -> String {
    let finite = || sample.iter().copied().filter(|number| number.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| {
        (low.min(number), high.max(number))
    });
    let width = if high > low { high - low } else { 1.0 };
    let stop = |(i, number): (usize, &f64)| {
        let colour = match number.is_finite() {
            true => viridis((number - low) / width).map(|part| format!("{part:02x}")).concat(),
            false => "999999".to_owned(),
        };
        let at = |i: usize| 100.0 * i as f64 / sample.len() as f64;
        format!("#{colour} {:.4}% {:.4}%", at(i), at(i + 1))
    };
    let stops: Vec<String> = sample.iter().enumerate().map(stop).collect();
    format!(
        "<div style=\"width:{}px;height:12px;background:linear-gradient(90deg,{})\"></div>",
        6 * sample.len(),
        stops.join(",")
    )
}

/// A number with four digits.
fn number(number: f64) -> String {
    if number == 0.0 || !number.is_finite() || (number.fract() == 0.0 && number.abs() < 1e15) {
        return format!("{number}");
    }
    match number.abs().log10().floor() as i32 {
        digits @ -4..=5 => {
            let places = usize::try_from(3 - digits).unwrap_or(0);
            let text = format!("{number:.places$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        _ => format!("{number:.3e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tensor: tch::Tensor) -> String {
        html(&Tensor::from(tensor), "tensor(<…>)")
    }

    #[test]
    fn numbers_have_four_digits() {
        let shown = [0.0, 1.0, -0.5, 1.23456, 123_456.7, 1.5e-7, 2.5e20, f64::NAN].map(number);
        assert_eq!(shown, ["0", "1", "-0.5", "1.235", "123457", "1.500e-7", "2.500e20", "NaN"]);
    }

    #[test]
    fn the_table_tells_what_it_is() {
        let html = of(tch::Tensor::from_slice(&[1.0_f32, 2.0, 6.0]));
        assert!(html.contains(">tensor(&lt;…&gt;)</pre>"), "{html}");
        let row = "<td>[3]</td><td>float32</td><td>cpu</td><td>1</td><td>3</td><td>6</td>";
        assert!(html.contains(row), "{html}");
        assert!(html.contains("#440154 0.0000% 33.3333%"), "{html}");
        assert!(html.contains("#fde725 66.6667% 100.0000%"), "{html}");
    }

    #[test]
    fn every_kind_of_tensor_has_some_html() {
        use tch::Kind::{Bool, ComplexFloat, Float, Half, Int64};
        for kind in [Bool, ComplexFloat, Float, Half, Int64] {
            for size in [&[][..], &[0], &[1], &[2, 3], &[100, 100]] {
                let html = of(tch::Tensor::ones(size, (kind, tch::Device::Cpu)));
                let counted = size.iter().product::<i64>() > 1 && kind != ComplexFloat;
                assert_eq!(html.contains("<th>mean</th>"), counted, "{kind:?} {size:?}");
            }
        }
        let gaps = of(tch::Tensor::from_slice(&[f32::NAN, 1.0, f32::INFINITY]));
        assert_eq!(gaps.matches("#999999").count(), 2, "{gaps}");
    }

    #[test]
    fn the_colour_map_begins_dark_and_ends_bright() {
        assert_eq!(viridis(0.0), [68, 1, 84]);
        assert_eq!(viridis(1.0), [253, 231, 37]);
        assert_eq!(viridis(7.0), [253, 231, 37]);
    }
}
