//! Prints tensors as Python's `repr(tensor)` does, by the rules of `torch/_tensor_str.py`.
//!
//! What is summarised is cut on the device first, so that a huge tensor prints as quickly as a small
//! one: only elements that are shown are copied.

mod grid;
mod number;
#[cfg(test)]
mod tests;

use tch::Kind;

use self::grid::{Grid, cells};
use super::{Device, Dtype, Layout, Tensor, shim};
use crate::error::{Error, Result};

/// How tensors are printed: the settings of `torch.set_printoptions`, and what counts as the default.
#[derive(Clone, Debug, PartialEq)]
pub struct PrintOptions {
    /// Digits after the point.
    pub precision: usize,
    /// A tensor with more elements than this is summarised.
    pub threshold: usize,
    /// Entries shown at either end of a summarised dimension.
    pub edgeitems: usize,
    /// Columns after which lines are broken.
    pub linewidth: usize,
    /// Scientific notation always, never, or (`None`) where the numbers ask for it.
    pub sci_mode: Option<bool>,
    /// The dtype that needs no mention: `torch.get_default_dtype()`.
    pub default_dtype: Dtype,
}

impl Default for PrintOptions {
    fn default() -> Self {
        PrintOptions {
            precision: 4,
            threshold: 1000,
            edgeitems: 3,
            linewidth: 80,
            sci_mode: None,
            default_dtype: Dtype::FLOAT32,
        }
    }
}

/// The text that `repr(tensor)` gives in Python. Never fails: a tensor that cannot be read becomes
/// `tensor(<unprintable: REASON>)`.
pub fn format_tensor(tensor: &Tensor, options: &PrintOptions) -> String {
    let _guard = tch::no_grad_guard();
    represent(tensor, options).unwrap_or_else(|error| {
        format!("tensor(<unprintable: {}>)", error.message.lines().next().unwrap_or("no reason"))
    })
}

fn represent(tensor: &tch::Tensor, options: &PrintOptions) -> Result<String> {
    if !tensor.defined() {
        return Err(Error::value("the tensor is undefined"));
    }
    let sizes = shim::sizes(tensor);
    if shim::is_nested(tensor) {
        return nested(tensor, options);
    }
    let (dtype, device) = (shim::dtype(tensor), shim::device(tensor));
    let printer = Printer { tensor, sizes: &sizes, dtype, meta: device.kind == META, options };
    let (body, mut suffixes) = printer.body("tensor(".len())?;
    let layout = shim::layout(tensor);
    if layout != STRIDED {
        suffixes.push(format!("layout={}", Layout(layout)));
    }
    if let Some(text) = device_suffix(device) {
        suffixes.insert(0, text);
    }
    suffixes.extend(graph_suffix(tensor));
    Ok(with_suffixes("tensor(", &body, &suffixes, layout == SPARSE_COO, options))
}

const STRIDED: i8 = 0;
const SPARSE_COO: i8 = 1;
const SPARSE_CSR: i8 = 2;
const SPARSE_CSC: i8 = 4;
const SPARSE_BSR: i8 = 5;
const SPARSE_BSC: i8 = 6;
/// `c10::DeviceType::Meta`.
const META: i8 = 14;

/// Devices other than the CPU are named.
fn device_suffix(device: Device) -> Option<String> {
    (device.kind != Device::CPU.kind).then(|| format!("device='{device}'"))
}

fn graph_suffix(tensor: &tch::Tensor) -> Option<String> {
    match shim::grad_fn_name(tensor) {
        Some(name) => Some(format!("grad_fn=<{}>", name.rsplit("::").next().unwrap_or(&name))),
        None => tensor.requires_grad().then(|| "requires_grad=True".to_owned()),
    }
}

/// A list of tensors of different shapes, each printed for itself.
fn nested(tensor: &tch::Tensor, options: &PrintOptions) -> Result<String> {
    let mut parts = Vec::new();
    for part in tensor.f_unbind(0)? {
        let text = represent(&part, options)?;
        parts.push(text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n"));
    }
    let body = format!("[\n{}\n]", parts.join(",\n"));
    let suffixes: Vec<String> =
        device_suffix(shim::device(tensor)).into_iter().chain(graph_suffix(tensor)).collect();
    Ok(with_suffixes("nested_tensor(", &body, &suffixes, false, options))
}

/// Adds `, suffix` for each, on a new line where the line would be too long.
fn with_suffixes(
    prefix: &str,
    body: &str,
    suffixes: &[String],
    mut force_newline: bool,
    options: &PrintOptions,
) -> String {
    let indent = prefix.len();
    let mut out = format!("{prefix}{body}");
    // Python counts from its `rfind`, which is -1 without a newline: one column more than there is.
    let mut column = match out.rfind('\n') {
        Some(at) => out.len() - at + 1,
        None => out.len() + 2,
    };
    for suffix in suffixes {
        if force_newline || column + suffix.len() + 2 > options.linewidth {
            out.push_str(",\n");
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent + suffix.len();
            force_newline = false;
        } else {
            out.push_str(", ");
            column += suffix.len() + 2;
        }
        out.push_str(suffix);
    }
    out.push(')');
    out
}

/// `size=(2, 3)`, as Python writes a tuple.
fn size_suffix(sizes: &[i64]) -> String {
    let sizes: Vec<String> = sizes.iter().map(i64::to_string).collect();
    let comma = if sizes.len() == 1 { "," } else { "" };
    format!("size=({}{comma})", sizes.join(", "))
}

fn count(sizes: &[i64]) -> usize {
    sizes.iter().fold(1, |all, &size| all.saturating_mul(usize::try_from(size).unwrap_or(0)))
}

/// One tensor and what is known of it.
struct Printer<'a> {
    tensor: &'a tch::Tensor,
    sizes: &'a [i64],
    dtype: Dtype,
    meta: bool,
    options: &'a PrintOptions,
}

impl Printer<'_> {
    /// What stands between the parentheses, and the suffixes that tell size and dtype.
    fn body(&self, indent: usize) -> Result<(String, Vec<String>)> {
        let parts: &[(&str, Part)] = match shim::layout(self.tensor) {
            SPARSE_COO => &[
                ("indices", tch::Tensor::f_internal_indices),
                ("values", tch::Tensor::f_internal_values),
            ],
            SPARSE_CSR | SPARSE_BSR => &[
                ("crow_indices", tch::Tensor::f_crow_indices),
                ("col_indices", tch::Tensor::f_col_indices),
                ("values", tch::Tensor::f_values),
            ],
            SPARSE_CSC | SPARSE_BSC => &[
                ("ccol_indices", tch::Tensor::f_ccol_indices),
                ("row_indices", tch::Tensor::f_row_indices),
                ("values", tch::Tensor::f_values),
            ],
            _ if self.is_quantized() => return self.quantized(indent),
            _ => return self.dense(indent),
        };
        self.sparse(parts, indent)
    }

    fn dense(&self, indent: usize) -> Result<(String, Vec<String>)> {
        let mut suffixes = Vec::new();
        // Nothing to see from which the dtype could be told, so only the default goes unsaid.
        let dtype = (self.dtype != self.options.default_dtype).then(|| self.dtype_suffix());
        if self.meta {
            suffixes.push(size_suffix(self.sizes));
            suffixes.extend(dtype);
            return Ok(("...".to_owned(), suffixes));
        }
        if count(self.sizes) == 0 {
            if self.sizes.len() != 1 {
                suffixes.push(size_suffix(self.sizes));
            }
            suffixes.extend(dtype);
            return Ok(("[]".to_owned(), suffixes));
        }
        if self.options.edgeitems == 0 {
            suffixes.push(size_suffix(self.sizes));
        }
        suffixes.extend(self.unusual_dtype());
        let text = if shim::layout(self.tensor) == STRIDED {
            numbers(self.tensor, self.options, indent)?
        } else {
            numbers(&self.tensor.f_to_dense(None, false)?, self.options, indent)?
        };
        Ok((text, suffixes))
    }

    /// Index tensors and values, each on its own line.
    fn sparse(&self, parts: &[(&str, Part)], indent: usize) -> Result<(String, Vec<String>)> {
        let mut suffixes = vec![size_suffix(self.sizes)];
        if !self.meta {
            suffixes.push(format!("nnz={}", self.tensor.f_internal_nnz()?));
        }
        suffixes.extend(self.unusual_dtype());
        let mut lines = Vec::new();
        for (name, read) in parts {
            let part = read(self.tensor)?.f_detach()?;
            let sizes = shim::sizes(&part);
            let prefix = format!("{name}=tensor(");
            let text = if self.meta {
                "...".to_owned()
            } else {
                numbers(&part, self.options, indent + prefix.len())?
            };
            let size = if self.meta || count(&sizes) == 0 {
                format!(", {}", size_suffix(&sizes))
            } else {
                String::new()
            };
            lines.push(format!("{prefix}{text}{size})"));
        }
        Ok((lines.join(&format!(",\n{}", " ".repeat(indent))), suffixes))
    }

    fn is_quantized(&self) -> bool {
        matches!(self.dtype.name(), "qint8" | "quint8" | "qint32" | "quint4x2" | "quint2x4")
    }

    fn quantized(&self, indent: usize) -> Result<(String, Vec<String>)> {
        let mut suffixes = vec![size_suffix(self.sizes)];
        suffixes.extend(self.unusual_dtype());
        // libtorch tells the scheme only by which questions it answers.
        if let Ok(scale) = self.tensor.f_q_scale() {
            suffixes.push("quantization_scheme=torch.per_tensor_affine".to_owned());
            suffixes.push(format!("scale={}", number::shortest(scale)));
            suffixes.push(format!("zero_point={}", self.tensor.f_q_zero_point()?));
        } else {
            let scales = self.tensor.f_q_per_channel_scales()?;
            let points = self.tensor.f_q_per_channel_zero_points()?;
            let scheme = match shim::dtype(&scales) {
                Dtype::FLOAT64 => "per_channel_affine",
                _ => "per_channel_affine_float_qparams",
            };
            suffixes.push(format!("quantization_scheme=torch.{scheme}"));
            suffixes.push(format!("scale={}", represent(&scales, self.options)?));
            suffixes.push(format!("zero_point={}", represent(&points, self.options)?));
            suffixes.push(format!("axis={}", self.tensor.f_q_per_channel_axis()?));
        }
        Ok((numbers(&self.tensor.f_dequantize()?, self.options, indent)?, suffixes))
    }

    fn dtype_suffix(&self) -> String {
        format!("dtype={}", self.dtype)
    }

    /// The dtype, unless it shows in the numbers or is a default.
    fn unusual_dtype(&self) -> Option<String> {
        let complex = match self.options.default_dtype {
            Dtype::FLOAT64 => Dtype::COMPLEX128,
            _ => Dtype::COMPLEX64,
        };
        let usual = [self.options.default_dtype, complex, Dtype::INT64, Dtype::BOOL];
        (!usual.contains(&self.dtype)).then(|| self.dtype_suffix())
    }
}

/// A tensor that a sparse tensor consists of.
type Part = fn(&tch::Tensor) -> Result<tch::Tensor, tch::TchError>;

/// The elements of a strided tensor in nested brackets, summarised where there are many.
fn numbers(tensor: &tch::Tensor, options: &PrintOptions, indent: usize) -> Result<String> {
    let sizes = shim::sizes(tensor);
    if count(&sizes) == 0 {
        return Ok("[]".to_owned());
    }
    let summarise = count(&sizes) > options.threshold;
    let edge = options.edgeitems;
    if summarise && edge == 0 {
        return Ok("[...]".to_owned());
    }
    let cut: Vec<Option<usize>> = sizes
        .iter()
        .map(|&size| (summarise && size as usize > edge.saturating_mul(2)).then_some(edge))
        .collect();
    let dtype = shim::dtype(tensor);
    let mut shown = tensor.f_detach()?;
    if dtype.name() == "float4_e2m1fn_x2" {
        // libtorch neither indexes nor copies these.
        shown = shown.f_view_dtype(Kind::Uint8)?;
    }
    if cut.iter().any(Option::is_some) {
        shown = edges(&shown, &sizes, &cut)?;
    }
    let shown = shown.f_resolve_conj()?.f_resolve_neg()?;
    let sizes: Vec<usize> = shim::sizes(&shown).iter().map(|&size| size as usize).collect();
    let elements = number::decode(&raw(&shown, &sizes, dtype)?, dtype)?;
    let (cells, width) = cells(&elements, options);
    let grid =
        Grid { cells: &cells, width, sizes: &sizes, cut: &cut, linewidth: options.linewidth };
    Ok(grid.text(indent))
}

/// The first and last entries of each dimension that is cut.
fn edges(tensor: &tch::Tensor, sizes: &[i64], cut: &[Option<usize>]) -> Result<tch::Tensor> {
    let mut positions = Vec::new();
    for (&size, cut) in sizes.iter().zip(cut) {
        let kept: Vec<i64> = match *cut {
            Some(edge) => (0..edge as i64).chain(size - edge as i64..size).collect(),
            None => (0..size).collect(),
        };
        positions.push(tch::Tensor::f_from_slice(&kept)?);
    }
    // One gather of exactly these elements, by positions that broadcast against one another.
    let mut broadcast = Vec::new();
    for (dim, position) in positions.iter().enumerate() {
        let mut shape = vec![1; sizes.len()];
        shape[dim] = -1;
        broadcast.push(Some(position.f_reshape(shape.as_slice())?));
    }
    if let Ok(gathered) = tensor.f_index(&broadcast) {
        return Ok(gathered);
    }
    // More dimensions than that kernel takes: one after the other, the longest first.
    let mut dims: Vec<usize> = (0..sizes.len()).filter(|&dim| cut[dim].is_some()).collect();
    dims.sort_by_key(|&dim| -sizes[dim]);
    let device = shim::device(tensor).tch()?;
    let mut part = tensor.shallow_clone();
    for dim in dims {
        part = part.f_index_select(dim as i64, &positions[dim].f_to(device)?)?;
    }
    Ok(part)
}

/// The bytes of all elements.
fn raw(tensor: &tch::Tensor, sizes: &[usize], dtype: Dtype) -> Result<Vec<u8>> {
    let expected = sizes.iter().product::<usize>() * dtype.itemsize();
    let bytes = shim::bytes(tensor)?;
    if bytes.len() == expected {
        return Ok(bytes);
    }
    // A tensor of zeros that has no storage gets one when it is copied.
    let copy = tensor.f_zeros_like()?.f_add(tensor)?;
    let bytes = shim::bytes(&copy)?;
    if bytes.len() == expected { Ok(bytes) } else { Err(Error::value("the tensor has no storage")) }
}
