//! Rows and columns as text: on a terminal with lines, as wide as it is; elsewhere plain, and nothing left out.

use std::io::{self, IsTerminal};

use comfy_table::presets::{NOTHING, UTF8_HORIZONTAL_ONLY};
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use flambeau_experiments::Sweep;
use unicode_width::UnicodeWidthStr;

use crate::picture::size;

/// Lines above, below and under the names.
const STYLE: TableStyle = UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none());

/// No column is made narrower than this to have another one beside it.
const NARROWEST: usize = 9;

/// How much a column is worth: where there is no room, the least go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    Little,
    Some,
    Much,
    All,
}

struct Column {
    name: String,
    worth: Worth,
    numbers: bool,
}

/// A table that is being written.
#[derive(Default)]
pub struct Listing {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Listing {
    /// Adds a column; `numbers` stand to the right.
    pub fn column(&mut self, name: &str, worth: Worth, numbers: bool) {
        self.columns.push(Column { name: name.to_owned(), worth, numbers });
    }

    /// Adds a row, with a cell for each column.
    pub fn row(&mut self, cells: Vec<String>) {
        let line = |cell: String| cell.replace(char::is_control, " ");
        self.rows.push(cells.into_iter().map(line).collect());
    }

    /// For standard output.
    pub fn shown(&self) -> String {
        if io::stdout().is_terminal() { self.text(size().columns.into()) } else { self.plain() }
    }

    /// Without lines, each column as wide as it needs.
    fn plain(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let all: Vec<usize> = (0..self.columns.len()).collect();
        self.filled(table, &all, (0, 2))
    }

    /// Lines of at most `width` columns.
    fn text(&self, width: usize) -> String {
        let shown = self.fitting(width);
        let mut table = Table::new();
        table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        let mut text = self.filled(table, &shown, (1, 1));
        let hidden: Vec<&str> = (0..self.columns.len())
            .filter(|i| !shown.contains(i))
            .map(|i| self.columns[i].name.as_str())
            .collect();
        if !hidden.is_empty() {
            text.push_str(&format!("no room for {}\n", hidden.join(", ")));
        }
        text
    }

    fn filled(&self, mut table: Table, shown: &[usize], padding: (u16, u16)) -> String {
        table.set_header(shown.iter().map(|&i| &self.columns[i].name));
        for row in &self.rows {
            table.add_row(shown.iter().map(|&i| &row[i]));
        }
        for (column, &i) in table.column_iter_mut().zip(shown) {
            column.set_padding(padding);
            if self.columns[i].numbers {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// The columns that are shown.
    fn fitting(&self, width: usize) -> Vec<usize> {
        let wide = |&i: &usize| {
            let cells = self.rows.iter().map(|row| row[i].width());
            let widest = cells.chain([self.columns[i].name.width()]).max().unwrap_or(0);
            widest.min(NARROWEST) + 2
        };
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        while shown.len() > 1 && shown.iter().map(wide).sum::<usize>() > width {
            // Of those that are worth the same the last.
            let least = shown.iter().rev().min_by_key(|&&i| self.columns[i].worth).copied();
            shown.retain(|&i| Some(i) != least);
        }
        shown
    }
}

/// Above a table on a terminal: what it is of.
pub fn heading(sweeps: &[Sweep]) -> String {
    if !io::stdout().is_terminal() {
        return String::new();
    }
    let mut lines = String::new();
    for sweep in sweeps.iter().filter(|sweep| !sweep.is_run) {
        lines.push_str(&format!("{}: {}\n", sweep.folder.display(), states(sweep)));
    }
    lines
}

/// How many trials of a sweep are in each state.
pub fn states(sweep: &Sweep) -> String {
    use flambeau_experiments::State;
    let count = |state: State| sweep.trials.iter().filter(|trial| trial.state == state).count();
    let counts = State::ALL.into_iter().map(|state| (count(state), state.name()));
    let counts: Vec<String> =
        counts.filter(|(n, _)| *n > 0).map(|(n, name)| format!("{n} {name}")).collect();
    let trials = sweep.trials.len();
    let s = if trials == 1 { "" } else { "s" };
    let counts =
        if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    format!("{trials} trial{s}{counts}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let mut listing = Listing::default();
        listing.column("trial", Worth::All, true);
        listing.column("optimizer", Worth::Much, false);
        listing.column("acc", Worth::Much, true);
        listing.column("time", Worth::Little, true);
        for (trial, optimizer) in [("1", "adam with decoupled decay"), ("12", "sgd")] {
            let cells = [trial, optimizer, "0.95", "12.0 s"];
            listing.row(cells.map(str::to_owned).to_vec());
        }
        listing
    }

    #[test]
    fn plain_text_has_all_columns_and_no_lines() {
        assert_eq!(
            listing().plain(),
            "trial  optimizer                   acc    time\n    1  adam with decoupled decay  0.95  12.0 s\n   12  sgd                        0.95  12.0 s\n"
        );
    }

    #[test]
    fn narrow_terminals_leave_out_what_is_worth_least_and_say_so() {
        let wide = listing().text(80);
        assert!(wide.contains("adam with decoupled decay") && !wide.contains("no room"), "{wide}");
        let narrow = listing().text(30);
        assert!(narrow.ends_with("no room for time\n"), "{narrow}");
        assert!(narrow.lines().all(|line| line.width() <= 30), "{narrow}");
        assert!(listing().text(20).ends_with("no room for acc, time\n"), "{}", listing().text(20));
    }
}
