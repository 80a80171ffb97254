//! CSV as tensors: `data.read_csv`, `data.write_csv`.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function, convert};
use flambeau_runtime::torch::{Dtype, Tensor, default_dtype, sizes};
use rhai::{Dynamic, Map};

use super::delimited::{Format, Rows};
use super::files;
use super::numbers::{format_element, push_cell};
use super::raw::RawTensor;
use super::table::Table;

/// How many rows are read between two looks at the interrupt flag.
const CHECK_EVERY: usize = 4096;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "data.read_csv(str path, *, Any header='auto', str delimiter=',', ScalarType? \
                 dtype=None, Any? columns=None, int skip_rows=0, int? max_rows=None, Scalar? \
                 missing=None, str? comment=None) -> Tensor",
        doc: "Reads a text file of numbers, plain or gzipped, into a tensor of shape [rows, \
              columns].\n\n\
              The dtype is torch's default float dtype whatever the numbers are, so that it does \
              not change with the data; `dtype` takes another one. `header` is true, false or \
              \"auto\" (the first row is a header if a cell of it is no number). `columns` picks \
              columns by name or number. `missing` stands for empty cells, which are an error \
              otherwise. `skip_rows` lines at the start and lines that begin with `comment` are \
              skipped. Columns of text: `data.read_table`.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  fs.write_text(\"runs/doc/x.csv\", \"a,b\\n1,2\\n3,4\\n\");\n\
                  data.read_csv(\"runs/doc/x.csv\", columns: [\"b\"])",
        call: read_csv,
    },
    Function {
        schema: "data.write_csv(Any table, str path, *, str[]? header=None, str delimiter=',') \
                 -> None",
        doc: "Writes a tensor of one or two dimensions, a map of columns or a table as text; \
              gzipped where the name ends in .gz. Numbers are written as short as reads back \
              exactly. `header` names the columns of a tensor.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  data.write_csv(torch.eye(2), \"runs/doc/eye.csv\", header: [\"x\", \"y\"]);\n\
                  fs.read_text(\"runs/doc/eye.csv\")",
        call: write_csv,
    },
];

/// Reads the arguments `header, delimiter, _, _, skip_rows, max_rows, _, comment` that start at
/// `i`.
pub(crate) fn format_of(args: &Args<'_>, i: usize) -> Result<Format> {
    let header = match args.get(i) {
        value if value.is_bool() => value.as_bool().ok(),
        value => match convert::string(value).as_deref() {
            Some("auto") => None,
            _ => return Err(args.mismatch(i, "true, false or \"auto\"")),
        },
    };
    let byte = |j: usize, text: String| match text.as_bytes() {
        [one] if *one != b'"' && *one != b'\n' && one.is_ascii() => Ok(*one),
        _ => Err(args.mismatch(j, "one ASCII character, not a quote or line end")),
    };
    let count = |j: usize, value: i64| {
        usize::try_from(value).map_err(|_| args.mismatch(j, "a number of rows, 0 or more"))
    };
    Ok(Format {
        header,
        delimiter: byte(i + 1, args.str(i + 1)?)?,
        comment: args.opt_str(i + 7)?.map(|text| byte(i + 7, text)).transpose()?,
        skip_rows: count(i + 4, args.int(i + 4)?)?,
        max_rows: args.opt_int(i + 5)?.map_or(Ok(usize::MAX), |value| count(i + 5, value))?,
    })
}

/// The numbers of the columns that `value` picks by name or number; all of them for `()`.
pub(crate) fn pick_columns(rows: &Rows, value: &Dynamic) -> Result<Vec<usize>> {
    if value.is_unit() {
        return Ok((0..rows.width).collect());
    }
    let items = convert::items(value).unwrap_or_else(|| vec![value.clone()]);
    let pick = |item: &Dynamic| -> Result<usize> {
        if let Some(name) = convert::string(item) {
            let names = rows.header.as_deref().ok_or_else(|| {
                Error::key(format!(
                    "{} has no header, so column '{name}' cannot be found by name",
                    rows.path().display()
                ))
                .help("pick columns by number, from 0, or say header: true")
            })?;
            return names.iter().position(|known| *known == name).ok_or_else(|| {
                Error::key(format!("{} has no column '{name}'", rows.path().display()))
                    .help(format!("the columns are: {}", names.join(", ")))
            });
        }
        let Some(number) = convert::int(item) else {
            return Err(Error::type_(format!(
                "columns are picked by name or number, not by {}",
                convert::type_name(item)
            )));
        };
        let width = rows.width as i64;
        let index = if number < 0 { number + width } else { number };
        if (0..width).contains(&index) {
            Ok(index as usize)
        } else {
            Err(Error::index(format!(
                "column {number} is out of range: {} has {width} columns",
                rows.path().display()
            )))
        }
    };
    items.iter().map(pick).collect()
}

fn read_csv(args: &mut Args<'_>) -> Result<Dynamic> {
    let path = args.ctx().readable(&args.str(0)?)?;
    let format = format_of(args, 1)?;
    let dtype = args.opt_dtype(3)?.unwrap_or_else(default_dtype);
    let missing = match args.opt_float(7)? {
        None => None,
        Some(value) => {
            let mut bytes = Vec::new();
            // An integer is not written as `0.0`, which an integer dtype would refuse only by luck.
            let text =
                if args.get(7).is_int() { (value as i64).to_string() } else { value.to_string() };
            push_cell(dtype, &text, &mut bytes)
                .map_err(|cause| Error::value(format!("read_csv(): missing {cause}")))?;
            Some(bytes)
        }
    };
    let mut rows = Rows::open(&path, &format)?;
    let columns = pick_columns(&rows, args.get(4))?;
    let mut bytes = Vec::new();
    let mut count = 0;
    while rows.next()? {
        for &i in &columns {
            let cell = rows.text(i)?;
            match &missing {
                Some(value) if cell.trim().is_empty() => bytes.extend_from_slice(value),
                _ => {
                    push_cell(dtype, cell, &mut bytes).map_err(|cause| explain(&rows, i, cause))?
                }
            }
        }
        count += 1;
        if count % CHECK_EVERY == 0 {
            args.ctx().check()?;
        }
    }
    let shape = vec![count as i64, columns.len() as i64];
    Ok(Dynamic::from(RawTensor { dtype, shape, bytes }.into_tensor(args.ctx())?))
}

fn explain(rows: &Rows, i: usize, cause: String) -> Error {
    let empty = cause == "is empty";
    let error = rows.cell_error(i, cause);
    if empty {
        error
            .help("give a value for empty cells, such as missing: math.nan, or use data.read_table")
    } else {
        error.help("columns of text are read with data.read_table")
    }
}

fn write_csv(args: &mut Args<'_>) -> Result<Dynamic> {
    let path = args.ctx().writable(&args.str(1)?)?;
    let delimiter = match args.str(3)?.as_bytes() {
        [one] if one.is_ascii() => *one,
        _ => return Err(args.mismatch(3, "one ASCII character")),
    };
    let header: Option<Vec<String>> = match args.get(2) {
        value if value.is_unit() => None,
        value => {
            let items = convert::items(value).unwrap_or_else(|| vec![value.clone()]);
            let names: Option<Vec<String>> = items.iter().map(convert::string).collect();
            Some(names.ok_or_else(|| args.mismatch(2, "a list of names"))?)
        }
    };
    let (names, columns) = columns_of(args, header)?;
    let rows = columns.first().map_or(0, Vec::len);
    if let Some(i) = columns.iter().position(|column| column.len() != rows) {
        let name = names.as_ref().map_or("", |names| names[i].as_str());
        return Err(Error::value(format!(
            "write_csv(): column '{name}' has {} rows, the first has {rows}",
            columns[i].len()
        )));
    }
    let compressed = path.extension().is_some_and(|suffix| suffix == "gz");
    files::write(&path, |out| {
        let failed = |error: std::io::Error| files::explain(&path, &error);
        if compressed {
            let mut gzip = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            write_rows(&mut gzip, delimiter, names.as_deref(), &columns, rows).map_err(failed)?;
            gzip.finish().map(|_| ()).map_err(failed)
        } else {
            write_rows(out, delimiter, names.as_deref(), &columns, rows).map_err(failed)
        }
    })?;
    Ok(Dynamic::UNIT)
}

fn write_rows(
    out: &mut dyn std::io::Write,
    delimiter: u8,
    names: Option<&[String]>,
    columns: &[Vec<String>],
    rows: usize,
) -> std::io::Result<()> {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
    if let Some(names) = names {
        writer.write_record(names)?;
    }
    for i in 0..rows {
        writer.write_record(columns.iter().map(|column| column[i].as_str()))?;
    }
    writer.flush()
}

/// Names and columns of cells from a tensor, a table or a map.
#[allow(clippy::type_complexity)]
fn columns_of(
    args: &Args<'_>,
    header: Option<Vec<String>>,
) -> Result<(Option<Vec<String>>, Vec<Vec<String>>)> {
    let value = args.get(0);
    if let Some(tensor) = convert::tensor(value) {
        let shape = sizes(&tensor);
        let (rows, width) = match shape[..] {
            [rows] => (rows as usize, 1),
            [rows, width] => (rows as usize, width as usize),
            _ => {
                return Err(Error::shape(format!(
                    "write_csv(): a text file holds one or two dimensions, not {}",
                    tensor.describe()
                ))
                .help("flatten the rest first: x.flatten(1)"));
            }
        };
        if let Some(names) = &header
            && names.len() != width
        {
            return Err(Error::value(format!(
                "write_csv(): {} names in header for {width} columns",
                names.len()
            )));
        }
        let cells = cells(&tensor)?;
        let columns =
            (0..width).map(|j| (0..rows).map(|i| cells[i * width + j].clone()).collect()).collect();
        return Ok((header, columns));
    }
    if header.is_some() {
        return Err(Error::value(
            "write_csv(): header is for tensors; a map names its columns itself",
        ));
    }
    let named: Vec<(String, Dynamic)> = if let Some(table) = value.read_lock::<Table>() {
        table.columns()
    } else if let Some(map) = value.read_lock::<Map>() {
        map.iter().map(|(name, column)| (name.to_string(), column.clone())).collect()
    } else {
        return Err(args.mismatch(0, "a tensor, a table or a map of columns"));
    };
    let mut columns = Vec::with_capacity(named.len());
    for (name, column) in &named {
        columns.push(column_cells(column).map_err(|mut error| {
            error.message = format!("write_csv(): column '{name}': {}", error.message);
            error
        })?);
    }
    Ok((Some(named.into_iter().map(|(name, _)| name).collect()), columns))
}

fn column_cells(column: &Dynamic) -> Result<Vec<String>> {
    if let Some(tensor) = convert::tensor(column) {
        if tensor.dim() > 1 {
            return Err(Error::shape(format!("has {}, not one dimension", tensor.describe())));
        }
        return cells(&tensor);
    }
    let items = convert::items(column).ok_or_else(|| {
        Error::type_(format!("is a {}, not a tensor or an array", convert::type_name(column)))
    })?;
    items
        .iter()
        .map(|item| {
            if let Some(text) = convert::string(item) {
                Ok(text)
            } else if item.is_unit() {
                Ok(String::new())
            } else if item.is_bool() || item.is_int() {
                Ok(item.to_string())
            } else if let Some(value) = convert::float(item) {
                Ok(format_element(Dtype::FLOAT64, &value.to_ne_bytes()).unwrap_or_default())
            } else {
                Err(Error::type_(format!("a {} is no cell", convert::type_name(item))))
            }
        })
        .collect()
}

/// The elements of a tensor as text, in row-major order.
fn cells(tensor: &Tensor) -> Result<Vec<String>> {
    let raw = RawTensor::of(tensor)?;
    raw.bytes
        .chunks_exact(raw.dtype.itemsize().max(1))
        .map(|bytes| {
            format_element(raw.dtype, bytes).ok_or_else(|| {
                Error::type_(format!("{} cannot be written as text", raw.dtype))
                    .help("convert it first, for example x.float()")
            })
        })
        .collect()
}
