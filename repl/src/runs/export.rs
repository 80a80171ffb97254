//! `flambeau runs export OUT…`: files for other programs.

use std::io::stdout;
use std::path::Path;

use flambeau_experiments::export::{Kind, write_metrics, write_trials};
use flambeau_experiments::{Run, Table, files, tensorboard};

use super::arguments::Export;
use super::{problem, sweeps, whole};
use crate::draw;
use crate::problem::{Problem, exit};

/// Writes files.
///
/// # Errors
/// As [`super::runs`], and a file that cannot be written.
pub fn export(export: &Export) -> Result<u8, Problem> {
    let output = export.output.as_deref().map(|path| kind(path).map(|kind| (path, kind)));
    let output = output.transpose()?;
    let sweeps = sweeps(&export.choice)?;
    let table = whole(&sweeps, &export.choice)?;
    if let Some((path, kind)) = output {
        let written = match export.metrics {
            true => write_metrics(&table, path, kind),
            false => write_trials(&table, path, kind),
        };
        written.map_err(problem)?;
    }
    if let Some(folder) = &export.tensorboard {
        write_events(&table, folder)?;
        let line = format!("tensorboard --logdir {} shows them\n", folder.display());
        draw::write(stdout().lock(), &line);
    }
    Ok(exit::OK)
}

fn kind(path: &Path) -> Result<Kind, Problem> {
    Kind::of(path).ok_or_else(|| {
        let path = path.display();
        Problem::Runs(format!(
            "the name of the file says its kind, .csv, .json, .jsonl or .parquet, and {path} says none"
        ))
    })
}

/// An event file for each trial; its folder is what TensorBoard calls the run.
fn write_events(table: &Table<'_>, folder: &Path) -> Result<(), Problem> {
    for row in &table.rows {
        let mut place = if table.several { folder.join(row.sweep.name()) } else { folder.into() };
        if !row.sweep.is_run {
            place.push(format!("{:04}", row.trial.id));
        }
        files::make_folder(&place).map_err(problem)?;
        let records = row.run().metrics().map_err(problem)?;
        tensorboard::from_metrics(&records, &Run::at(&place).events()).map_err(problem)?;
    }
    Ok(())
}
