//! `flambeau runs compare OUT…`: a row for each group of trials that differ in their seeds.

use std::cmp::Ordering;
use std::io::stdout;

use flambeau_experiments::table::{Group, Stat, sort_groups};
use flambeau_experiments::{Goal, Table, metrics, params};
use serde_json::{Map, Value, json};

use super::arguments::Compare;
use super::listing::{Listing, Worth, heading};
use super::{listed, problem, sweeps};
use crate::draw;
use crate::problem::{Problem, exit};

/// Compares groups.
///
/// # Errors
/// As [`super::runs`].
pub fn compare(compare: &Compare) -> Result<u8, Problem> {
    let sweeps = sweeps(&compare.choice)?;
    let mut table = listed(&sweeps, &compare.choice)?;
    for metric in &compare.metric {
        table.require(metric).map_err(problem)?;
    }
    if !compare.metric.is_empty() {
        table.metrics.clone_from(&compare.metric);
    }
    let mut groups = table.groups(&compare.by).map_err(problem)?;
    // A text is no metric to be compared.
    let metrics: Vec<&str> = table.metrics.iter().map(String::as_str).collect();
    let has = |metric: &&str| groups.iter().any(|group| group.stat(metric).is_some());
    let metrics: Vec<&str> = metrics.into_iter().filter(has).collect();
    if let Some(main) = metrics.first() {
        let best = match table.goal(main) {
            Goal::Min => Ordering::Less,
            Goal::Max => Ordering::Greater,
        };
        sort_groups(&mut groups, main, compare.order.ordering().unwrap_or(best));
    }
    let text = if compare.json {
        let objects = groups.iter().map(|group| object(group, &metrics, table.several));
        flambeau_experiments::export::array(&objects.collect::<Vec<_>>())
    } else {
        heading(&sweeps) + &listing(&table, &groups, &metrics).shown()
    };
    draw::write(stdout().lock(), &text);
    Ok(exit::OK)
}

fn listing(table: &Table<'_>, groups: &[Group<'_>], metrics: &[&str]) -> Listing {
    let mut listing = Listing::default();
    if table.several {
        listing.column("sweep", Worth::All, false);
    }
    let names: Vec<&String> =
        groups.first().iter().flat_map(|group| &group.params).map(|(name, _)| name).collect();
    for name in names {
        let values = || groups.iter().flat_map(|group| &group.params);
        let mut values = values().filter(|(known, _)| known == name);
        listing.column(name, Worth::Much, values.all(|(_, value)| value.is_number()));
    }
    listing.column("n", Worth::Much, true);
    for (i, name) in metrics.iter().enumerate() {
        listing.column(name, if i == 0 { Worth::All } else { Worth::Some }, true);
    }
    listing.column("state", Worth::Little, false);
    for group in groups {
        let mut cells = Vec::new();
        if table.several {
            cells.push(sweep(group));
        }
        cells.extend(group.params.iter().map(|(_, value)| params::text(value)));
        let (all, counted) = (group.rows.len(), metrics.first().and_then(|m| group.stat(m)));
        cells.push(match counted.map_or(all, |stat| stat.n) {
            n if n == all => n.to_string(),
            n => format!("{n} of {all}"),
        });
        for metric in metrics {
            cells.push(group.stat(metric).map(|stat| stat.text()).unwrap_or_default());
        }
        let states = group.states().into_iter().map(|(name, count)| format!("{count} {name}"));
        cells.push(states.collect::<Vec<_>>().join(", "));
        listing.row(cells);
    }
    listing
}

fn sweep(group: &Group<'_>) -> String {
    group.rows.first().map(|row| row.sweep.name()).unwrap_or_default()
}

fn object(group: &Group<'_>, names: &[&str], several: bool) -> Value {
    let stat = |Stat { n, mean, std }: Stat| json!({"n": n, "mean": metrics::value(mean), "std": std.map(metrics::value)});
    let stats: Map<String, Value> = names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), stat(group.stat(name)?))))
        .collect();
    let params: Map<String, Value> = group.params.iter().cloned().collect();
    let trials: Vec<i64> = group.rows.iter().map(|row| row.trial.id).collect();
    let mut object =
        json!({"params": params, "trials": trials, "states": group.states(), "metrics": stats});
    if several {
        object["sweep"] = sweep(group).into();
    }
    object
}
