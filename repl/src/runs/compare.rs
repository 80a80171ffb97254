//! `flambeau runs compare OUT…`: a row for each group of trials that differ in their seeds.

use std::io::stdout;

use flambeau_experiments::table::{Comparison, Group, Stat};
use flambeau_experiments::{metrics, params};
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
    let order = compare.order.ordering();
    let compared = table.compare(&compare.by, &compare.metric, order).map_err(problem)?;
    let text = if compare.json {
        let objects = compared.groups.iter().map(|group| object(&compared, group));
        flambeau_experiments::export::array(&objects.collect::<Vec<_>>())
    } else {
        heading(&sweeps) + &listing(&compared).shown()
    };
    draw::write(stdout().lock(), &text);
    Ok(exit::OK)
}

fn listing(compared: &Comparison<'_>) -> Listing {
    let Comparison { groups, metrics, several } = compared;
    let mut listing = Listing::default();
    if *several {
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
        if *several {
            cells.push(sweep(group));
        }
        cells.extend(group.params.iter().map(|(_, value)| params::text(value)));
        let all = group.rows.len();
        cells.push(match compared.counted(group) {
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

fn object(compared: &Comparison<'_>, group: &Group<'_>) -> Value {
    let stat = |Stat { n, mean, std }: Stat| json!({"n": n, "mean": metrics::value(mean), "std": std.map(metrics::value)});
    let names = compared.metrics.iter();
    let stats: Map<String, Value> =
        names.filter_map(|name| Some((name.clone(), stat(group.stat(name)?)))).collect();
    let params: Map<String, Value> = group.params.iter().cloned().collect();
    let trials: Vec<i64> = group.rows.iter().map(|row| row.trial.id).collect();
    let mut object =
        json!({"params": params, "trials": trials, "states": group.states(), "metrics": stats});
    if compared.several {
        object["sweep"] = sweep(group).into();
    }
    object
}
