//! `flambeau runs ls OUT…`: a row for each trial.

use std::io::stdout;

use flambeau_experiments::table::value_text;
use flambeau_experiments::{Table, export, now, params};

use super::arguments::Ls;
use super::listing::{Listing, Worth, heading};
use super::{duration, listed, problem, sweeps};
use crate::draw;
use crate::problem::{Problem, exit};

/// How much of an error stands in a table, in characters.
const ERROR: usize = 40;

/// Lists trials.
///
/// # Errors
/// As [`super::runs`].
pub fn ls(ls: &Ls) -> Result<u8, Problem> {
    let sweeps = sweeps(&ls.choice)?;
    let mut table = listed(&sweeps, &ls.choice)?;
    let order = ls.order.ordering();
    let column = ls.sort.as_deref().or(order.map(|_| "trial"));
    if let Some(column) = column {
        table.sort(column, order).map_err(problem)?;
        let is_metric = table.rows.iter().any(|row| row.number(column).is_some());
        if is_metric && column != "step" && !table.metrics.iter().any(|name| name == column) {
            table.metrics.push(column.to_owned());
        }
    }
    let text = match ls.json {
        true => export::array(&export::trials(&table)),
        false => heading(&sweeps) + &listing(&table).shown(),
    };
    draw::write(stdout().lock(), &text);
    Ok(exit::OK)
}

fn listing(table: &Table<'_>) -> Listing {
    let mut listing = Listing::default();
    let is_number = |name: &&String| {
        let mut values = table.rows.iter().filter_map(|row| row.trial.params.get(*name));
        values.all(serde_json::Value::is_number)
    };
    let failed = table.rows.iter().any(|row| row.trial.error.is_some());
    if table.several {
        listing.column("sweep", Worth::All, false);
    }
    listing.column("trial", Worth::All, true);
    for name in &table.params {
        listing.column(name, Worth::Much, is_number(&name));
    }
    listing.column("state", Worth::All, false);
    listing.column("step", Worth::Some, true);
    for (i, name) in table.metrics.iter().enumerate() {
        listing.column(name, if i == 0 { Worth::All } else { Worth::Some }, true);
    }
    listing.column("time", Worth::Little, true);
    if failed {
        listing.column("error", Worth::Little, false);
    }
    for row in &table.rows {
        let mut cells = Vec::new();
        if table.several {
            cells.push(row.sweep.name());
        }
        cells.push(row.trial.id.to_string());
        for name in &table.params {
            cells.push(row.trial.params.get(name).map(params::text).unwrap_or_default());
        }
        cells.push(row.trial.state.name().to_owned());
        cells.push(row.step().map(value_text).unwrap_or_default());
        for name in &table.metrics {
            cells.push(row.value(name).map(value_text).unwrap_or_default());
        }
        cells.push(row.seconds(now()).map(duration).unwrap_or_default());
        if failed {
            let line = row.trial.headline().unwrap_or_default();
            let short: String = line.chars().take(ERROR).collect();
            cells.push(if short == line { short } else { short + "…" });
        }
        listing.row(cells);
    }
    listing
}
