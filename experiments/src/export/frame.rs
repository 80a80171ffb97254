//! A table of columns, each of one kind of values.

use serde_json::Value;

use crate::metrics;

/// The values of a column, some of which may be missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Integers of 64 bits.
    Ints(Vec<Option<i64>>),
    /// Numbers, with infinities and nan.
    Floats(Vec<Option<f64>>),
    /// True and false.
    Bools(Vec<Option<bool>>),
    /// Texts; of lists and maps their JSON.
    Texts(Vec<Option<String>>),
}

/// Columns of the same length by their names.
#[derive(Clone, Debug)]
pub struct Frame {
    /// How many rows there are.
    pub rows: usize,
    /// Name and values.
    pub columns: Vec<(String, Column)>,
}

impl Frame {
    /// One without columns.
    pub fn new(rows: usize) -> Frame {
        Frame { rows, columns: Vec::new() }
    }

    /// Adds a column of the narrowest kind that holds all values; null is a missing one.
    pub fn add(&mut self, name: &str, values: impl Iterator<Item = Value>) {
        let values: Vec<Value> = values.collect();
        let column = column(&values);
        self.columns.push((name.to_owned(), column));
    }

    /// As CSV: a missing value is empty.
    ///
    /// # Errors
    /// In words; none is known.
    pub fn csv(&self) -> Result<Vec<u8>, String> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let wrong = |error: csv::Error| error.to_string();
        writer.write_record(self.columns.iter().map(|(name, _)| name)).map_err(wrong)?;
        for i in 0..self.rows {
            let record = self.columns.iter().map(|(_, column)| column.text(i));
            writer.write_record(record).map_err(wrong)?;
        }
        writer.into_inner().map_err(|error| error.to_string())
    }
}

impl Column {
    /// A value as text, empty for a missing one.
    fn text(&self, i: usize) -> String {
        match self {
            Column::Ints(values) => values[i].map(|value| value.to_string()),
            // As Rust and Python read it: NaN, inf.
            Column::Floats(values) => values[i].map(|value| format!("{value:?}")),
            Column::Bools(values) => values[i].map(|value| value.to_string()),
            Column::Texts(values) => values[i].clone(),
        }
        .unwrap_or_default()
    }
}

fn column(values: &[Value]) -> Column {
    let there = || values.iter().filter(|value| !value.is_null());
    let of = |is: fn(&Value) -> bool| there().next().is_some() && there().all(is);
    if of(Value::is_i64) {
        return Column::Ints(values.iter().map(Value::as_i64).collect());
    }
    if of(|value| metrics::number(value).is_some()) {
        return Column::Floats(values.iter().map(metrics::number).collect());
    }
    if of(Value::is_boolean) {
        return Column::Bools(values.iter().map(Value::as_bool).collect());
    }
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        value => Some(value.to_string()),
    };
    Column::Texts(values.iter().map(text).collect())
}
