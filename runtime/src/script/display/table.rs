//! Rows with the same columns, as text that fits into a number of columns and as HTML.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, TableStyle};
use rhai::{Array, Dynamic, Map};

use super::{Bundle, PLAIN, display, nested};
use crate::script::state::State;
use crate::torch::{Tensor, numel};

/// A table with more rows is shown by its ends, as data frames are in Python.
const WHOLE: usize = 60;
/// How many rows are shown at either end.
const EDGE: usize = 5;
/// How much of a cell is shown, in characters.
const CELL: usize = 50;
/// No column is made narrower than this, in columns of the terminal; rather one is left out.
const NARROWEST: usize = 6;
/// What stands for rows and columns that are left out.
const GAP: &str = "…";

/// Lines above, below and under the names.
const STYLE: TableStyle = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());

/// A table's cells as text.
pub struct Table {
    names: Vec<String>,
    /// Whether a column holds numbers only, which stand to the right.
    numbers: Vec<bool>,
    rows: Vec<Vec<String>>,
    /// After so many rows some are left out.
    gap: Option<usize>,
    total: usize,
}

impl Table {
    /// A table of `total` rows, of which `row` gives the values; only those that are shown are asked for.
    pub fn new(
        names: Vec<String>,
        total: usize,
        row: impl Fn(usize) -> Vec<Dynamic>,
        state: &State,
    ) -> Table {
        let gap = (total > WHOLE).then_some(EDGE);
        let shown: Vec<usize> = match gap {
            Some(edge) => (0..edge).chain(total - edge..total).collect(),
            None => (0..total).collect(),
        };
        let mut numbers = vec![true; names.len()];
        let mut rows = Vec::with_capacity(shown.len());
        for i in shown {
            let values = row(i);
            for (all, value) in numbers.iter_mut().zip(&values) {
                *all &= value.is_int() || value.is_float() || value.is_unit();
            }
            rows.push(values.iter().map(|value| cell(value, state)).collect());
        }
        Table { names, numbers, rows, gap, total }
    }

    /// As text of this width, and as HTML.
    pub fn bundle(&self, width: usize) -> Bundle {
        vec![(PLAIN.to_owned(), self.text(width)), ("text/html".to_owned(), self.html())]
    }

    /// Lines of at most `width` columns; columns in the middle that do not fit are left out.
    pub fn text(&self, width: usize) -> String {
        let shown = self.fitting(width);
        let line = |cells: &[String], gap: &str| -> Vec<String> {
            shown.iter().map(|i| i.map_or(gap.to_owned(), |i| cells[i].clone())).collect()
        };
        let mut table = comfy_table::Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        table.set_header(line(&self.names, GAP));
        for (i, row) in self.rows.iter().enumerate() {
            if self.gap == Some(i) {
                table.add_row(vec![GAP; shown.len()]);
            }
            table.add_row(line(row, GAP));
        }
        for (column, i) in table.column_iter_mut().zip(&shown) {
            if i.is_some_and(|i| self.numbers[i]) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
        if self.gap.is_some() || shown.len() != self.names.len() {
            text.push_str(&format!("{} rows, {} columns", self.total, self.names.len()));
        }
        text.trim_end().to_owned()
    }

    /// The columns that are shown, `None` for a gap.
    fn fitting(&self, width: usize) -> Vec<Option<usize>> {
        let all = self.names.len();
        let wide = |i: usize| {
            let cells = self.rows.iter().map(|row| row[i].chars().count());
            let widest = cells.chain([self.names[i].chars().count()]).max().unwrap_or(0);
            widest.min(NARROWEST) + 2
        };
        let most = width.saturating_sub(2);
        if (0..all).map(wide).sum::<usize>() <= most {
            return (0..all).map(Some).collect();
        }
        // From both ends in turn, as long as there is room beside the gap.
        let (mut left, mut right, mut used) = (1, all, wide(0) + GAP.chars().count() + 2);
        while left < right {
            let next = if left <= all - right { left } else { right - 1 };
            used += wide(next);
            if used > most {
                break;
            }
            if next == left { left += 1 } else { right -= 1 }
        }
        (0..left).map(Some).chain([None]).chain((right..all).map(Some)).collect()
    }

    /// The same as an HTML table.
    pub fn html(&self) -> String {
        let tagged = |tag: &str, cells: &[String]| -> String {
            let sides = self.numbers.iter().map(|number| if *number { "right" } else { "left" });
            let cells = cells.iter().zip(sides).map(|(cell, side)| {
                format!("<{tag} style=\"text-align:{side}\">{}</{tag}>", escaped(cell))
            });
            cells.collect()
        };
        let mut html =
            format!("<table><thead><tr>{}</tr></thead><tbody>", tagged("th", &self.names));
        for (i, row) in self.rows.iter().enumerate() {
            if self.gap == Some(i) {
                let gaps = vec![GAP.to_owned(); self.names.len()];
                html.push_str(&format!("<tr>{}</tr>", tagged("td", &gaps)));
            }
            html.push_str(&format!("<tr>{}</tr>", tagged("td", row)));
        }
        html.push_str("</tbody></table>");
        if self.gap.is_some() {
            html.push_str(&format!("<p>{} rows, {} columns</p>", self.total, self.names.len()));
        }
        html
    }
}

/// A value on one line.
fn cell(value: &Dynamic, state: &State) -> String {
    let text = if let Ok(number) = value.as_float() {
        display(&Dynamic::from_float(rounded(number)), state)
    } else if let Some(tensor) = value.read_lock::<Tensor>() {
        match numel(&tensor.tch()) {
            1 => nested(value, state),
            _ => tensor.describe(),
        }
    } else if value.is::<Array>() || value.is::<Map>() {
        nested(value, state)
    } else {
        display(value, state)
    };
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if let Some((at, _)) = line.char_indices().nth(CELL) {
        line.truncate(at);
        line.push_str(GAP);
    }
    line
}

/// A number with six significant digits, or with all those before its point: a column is to be compared at a glance,
/// as in data frames of Python.
fn rounded(number: f64) -> f64 {
    let text = match number.abs() {
        large if large >= 1e5 => format!("{number:.0}"),
        _ => format!("{number:.5e}"),
    };
    text.parse().unwrap_or(number)
}

/// A text within HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
