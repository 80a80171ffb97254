//! Tables whose columns have types of their own: `data.read_table`.

use std::rc::Rc;

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{
    Args, Bundle, Context, Function, Items, Object, Property, State, TextTable, convert,
};
use flambeau_runtime::torch::{Dtype, Tensor, default_dtype};
use rhai::{Array, Dynamic, ImmutableString, Map};

use super::csv::{format_of, pick_columns};
use super::delimited::Rows;
use super::numbers::push_cell;
use super::raw::RawTensor;

/// Columns by name, in the order of the file. A column of numbers is a tensor, one of text an
/// array.
#[derive(Clone)]
pub struct Table(Rc<Columns>);

struct Columns {
    names: Vec<String>,
    values: Vec<Dynamic>,
    rows: usize,
}

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "data.read_table(str path, *, Any header='auto', str delimiter=',', ScalarType? \
                 dtype=None, Any? columns=None, int skip_rows=0, int? max_rows=None, Any? \
                 missing=None, str? comment=None) -> Table",
        doc: "Reads a text file whose columns differ, plain or gzipped.\n\n\
              The type of a column follows from its cells, as in pandas: int64 where all are \
              integers, float64 where all are numbers or empty (an empty cell is nan), bool for \
              true/false, otherwise an array of texts. `dtype` is the dtype of the columns of \
              floats. `t[\"name\"]` or `t.name` is a column, `t[0]` a row as a map, `len(t)` the \
              number of rows; `t.tensor([names])` stacks columns of numbers to [rows, columns]. \
              Without a header the columns are called \"0\", \"1\", …",
        example: "fs.mkdir(\"runs/doc\");\n\
                  fs.write_text(\"runs/doc/t.csv\", \"name,age\\nAda,36\\nAlan,41\\n\");\n\
                  let t = data.read_table(\"runs/doc/t.csv\");\n\
                  print(t.age.sum());\n\
                  t[0].name",
        call: read_table,
    },
    Function {
        schema: "Table.tensor(Table self, str[]? names=None, *, ScalarType? dtype=None) -> Tensor",
        doc: "The columns of numbers (or those called `names`) as one tensor of shape [rows, \
              columns].",
        example: "fs.mkdir(\"runs/doc\");\n\
                  fs.write_text(\"runs/doc/t.csv\", \"name,age\\nAda,36\\nAlan,41\\n\");\n\
                  data.read_table(\"runs/doc/t.csv\").tensor([\"age\"])",
        call: tensor,
    },
    Function {
        schema: "Table.to_map(Table self) -> Map",
        doc: "The columns as a map.",
        example: "fs.mkdir(\"runs/doc\");\n\
                  fs.write_text(\"runs/doc/t.csv\", \"name,age\\nAda,36\\nAlan,41\\n\");\n\
                  data.read_table(\"runs/doc/t.csv\").to_map().keys()",
        call: |args| {
            let table = args.object::<Table>(0)?;
            let columns = table.columns().into_iter();
            Ok(columns.map(|(name, column)| (name.into(), column)).collect::<Map>().into())
        },
    },
];

pub(crate) const PROPERTIES: &[Property] = &[Property {
    name: "Table.columns",
    doc: "The names of the columns, in the order of the file.",
    get: |value, _| {
        let table = value.read_lock::<Table>().ok_or_else(|| Error::type_("expected a Table"))?;
        let names = table.0.names.iter().map(|name| Dynamic::from(name.clone()));
        Ok(Dynamic::from_array(names.collect()))
    },
    set: None,
}];

impl Table {
    /// A table of these columns, each a tensor of numbers or an array, all of so many rows.
    pub(crate) fn new(columns: Vec<(String, Dynamic)>, rows: usize) -> Table {
        let (names, values) = columns.into_iter().unzip();
        Table(Rc::new(Columns { names, values, rows }))
    }

    /// Names and columns.
    pub(crate) fn columns(&self) -> Vec<(String, Dynamic)> {
        self.0.names.iter().cloned().zip(self.0.values.iter().cloned()).collect()
    }

    fn column(&self, name: &str) -> Option<&Dynamic> {
        self.0.names.iter().position(|known| known == name).map(|i| &self.0.values[i])
    }

    fn required(&self, name: &str) -> Result<&Dynamic> {
        self.column(name).ok_or_else(|| {
            Error::key(format!("the table has no column '{name}'"))
                .help(format!("the columns are: {}", self.0.names.join(", ")))
        })
    }

    fn row(&self, i: usize) -> Result<Dynamic> {
        let mut row = Map::new();
        for (name, column) in self.0.names.iter().zip(&self.0.values) {
            row.insert(name.as_str().into(), cell(column, i)?);
        }
        Ok(row.into())
    }
}

/// One row of a column.
fn cell(column: &Dynamic, row: usize) -> Result<Dynamic> {
    if let Some(column) = convert::tensor(column) {
        return convert::to_list(&column.f_select(0, row as i64)?.into());
    }
    let cells = column.read_lock::<Array>();
    Ok(cells.and_then(|cells| cells.get(row).cloned()).unwrap_or_default())
}

impl Object for Table {
    const TYPE: &'static str = "Table";

    fn display(&self) -> String {
        let columns = self.0.names.iter().zip(&self.0.values).map(|(name, column)| {
            let kind = convert::tensor(column).map_or("text", |tensor| tensor.dtype().name());
            format!("  {name}: {kind}\n")
        });
        format!("Table({} rows,\n{})", self.0.rows, columns.collect::<String>())
    }

    fn representations(&self, state: &State) -> Option<Bundle> {
        let columns = &self.0.values;
        let row =
            |i: usize| columns.iter().map(|column| cell(column, i).unwrap_or_default()).collect();
        let table = TextTable::new(self.0.names.clone(), self.0.rows, row, state);
        Some(table.bundle(state.width.get()))
    }

    fn attribute(&self, name: &str, _: &Context<'_>) -> Result<Option<Dynamic>> {
        Ok(self.column(name).cloned())
    }

    fn attributes(&self) -> Vec<String> {
        self.0.names.clone()
    }

    fn index(&self, index: &Dynamic, _: &Context<'_>) -> Result<Dynamic> {
        if let Some(name) = convert::string(index) {
            return self.required(&name).cloned();
        }
        let Some(number) = convert::int(index) else {
            return Err(Error::type_(format!(
                "a table is indexed by a column's name or a row's number, not by {}",
                convert::type_name(index)
            )));
        };
        let rows = self.0.rows as i64;
        let row = if number < 0 { number + rows } else { number };
        if !(0..rows).contains(&row) {
            return Err(Error::index(format!(
                "row {number} is out of range: there are {rows} rows"
            )));
        }
        self.row(row as usize)
    }

    fn length(&self) -> Option<usize> {
        Some(self.0.rows)
    }

    fn iterate(&self) -> Option<Result<Items>> {
        let table = self.clone();
        Some(Ok(Box::new((0..table.0.rows).map(move |i| table.row(i)))))
    }
}

fn read_table(args: &mut Args<'_>) -> Result<Dynamic> {
    let path = args.ctx().readable(&args.str(0)?)?;
    let mut rows = Rows::open(&path, &format_of(args, 1)?)?;
    let floats = args.opt_dtype(3)?.unwrap_or(Dtype::FLOAT64);
    let missing = match args.get(7) {
        value if value.is_unit() => String::new(),
        value => value.to_string(),
    };
    let picked = pick_columns(&rows, args.get(4))?;
    let mut cells: Vec<Vec<ImmutableString>> = vec![Vec::new(); picked.len()];
    let mut count = 0usize;
    while rows.next()? {
        for (column, &i) in cells.iter_mut().zip(&picked) {
            let cell = rows.text(i)?;
            column.push(if cell.is_empty() { missing.as_str().into() } else { cell.into() });
        }
        count += 1;
        if count.is_multiple_of(4096) {
            args.ctx().check()?;
        }
    }
    let names = picked.iter().map(|&i| match &rows.header {
        Some(names) => names[i].clone(),
        None => i.to_string(),
    });
    let names: Vec<String> = names.collect();
    let mut values = Vec::with_capacity(names.len());
    for column in cells {
        values.push(typed(column, floats, args.ctx())?);
    }
    Ok(Dynamic::from(Table(Rc::new(Columns { names, values, rows: count }))))
}

/// A tensor where all cells are numbers, otherwise the texts.
fn typed(cells: Vec<ImmutableString>, floats: Dtype, ctx: &Context<'_>) -> Result<Dynamic> {
    let filled = cells.iter().any(|cell| !cell.trim().is_empty());
    let is_bool = |cell: &ImmutableString| {
        matches!(cell.trim(), "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
    };
    let candidates: &[Dtype] = match cells.first() {
        Some(cell) if is_bool(cell) => &[Dtype::BOOL],
        _ => &[Dtype::INT64, floats],
    };
    for &dtype in candidates.iter().filter(|_| filled) {
        let mut bytes = Vec::with_capacity(cells.len() * dtype.itemsize());
        let fits = cells.iter().all(|cell| match dtype {
            Dtype::INT64 => cell
                .trim()
                .parse::<i64>()
                .is_ok_and(|n| push_cell(dtype, &n.to_string(), &mut bytes).is_ok()),
            Dtype::BOOL => is_bool(cell) && push_cell(dtype, cell, &mut bytes).is_ok(),
            _ if cell.trim().is_empty() => push_cell(dtype, "nan", &mut bytes).is_ok(),
            _ => push_cell(dtype, cell, &mut bytes).is_ok(),
        });
        if fits {
            let shape = vec![cells.len() as i64];
            return Ok(Dynamic::from(RawTensor { dtype, shape, bytes }.into_tensor(ctx)?));
        }
    }
    Ok(Dynamic::from_array(cells.into_iter().map(Dynamic::from).collect()))
}

fn tensor(args: &mut Args<'_>) -> Result<Dynamic> {
    let table = args.object::<Table>(0)?;
    let dtype = args.opt_dtype(2)?.unwrap_or_else(default_dtype).kind()?;
    let mut columns = Vec::new();
    if args.is_none(1) {
        columns.extend(table.0.values.iter().filter_map(convert::tensor));
    } else {
        let items = convert::items(args.get(1)).unwrap_or_else(|| vec![args.get(1).clone()]);
        for item in items {
            let name = convert::string(&item).ok_or_else(|| args.mismatch(1, "a list of names"))?;
            let column = convert::tensor(table.required(&name)?);
            columns.push(
                column.ok_or_else(|| {
                    Error::type_(format!("column '{name}' holds text, not numbers"))
                })?,
            );
        }
    }
    if columns.is_empty() {
        return Err(Error::value("the table has no columns of numbers"));
    }
    let columns =
        columns.iter().map(|column| Ok(column.f_to_kind(dtype)?)).collect::<Result<Vec<_>>>()?;
    Ok(Dynamic::from(Tensor::from(tch::Tensor::f_stack(&columns, 1)?)))
}
