//! `flambeau runs plot OUT…`: learning curves, as a file or on the terminal.

use std::io::{self, IsTerminal, stdout};
use std::path::Path;

use flambeau_experiments::curves::Axis;
use flambeau_experiments::{Picture, files};

use super::arguments::{self, Plot};
use super::{problem, sweeps, whole};
use crate::cli::Shared;
use crate::draw::{self, Screen};
use crate::picture;
use crate::problem::{Problem, exit};

/// A PNG has so many pixels for each of the picture: it is looked at on fine screens and printed.
const FINE: f32 = 2.0;

/// Draws curves.
///
/// # Errors
/// As [`super::runs`], and a file that cannot be written.
pub fn plot(plot: &Plot, shared: &Shared) -> Result<u8, Problem> {
    if let Some(path) = &plot.output {
        kind(path)?;
    }
    let sweeps = sweeps(&plot.choice)?;
    let mut table = whole(&sweeps, &plot.choice)?;
    let metric = match &plot.metric {
        Some(metric) => metric.clone(),
        None => table.curve_metric().map_err(problem)?,
    };
    let picture = Picture {
        axis: match plot.x {
            arguments::Axis::Step => Axis::Step,
            arguments::Axis::Time => Axis::Time,
        },
        smooth: plot.smooth,
        log: plot.log,
        by: plot.by.clone(),
        top: plot.top.max(1),
        title: plot.title.clone(),
        ..Picture::of(&metric)
    };
    let svg = picture.svg(&mut table).map_err(problem)?;
    if let Some(path) = &plot.output {
        write(path, &svg)?;
        return Ok(exit::OK);
    }
    if io::stdout().is_terminal() {
        let screen = Screen::new(shared.color);
        screen.show_pictures();
        let bundle = vec![("image/svg+xml".to_owned(), svg)];
        draw::write(stdout().lock(), &screen.shown(&bundle, None));
        return Ok(exit::OK);
    }
    let folder = sweeps.first().map(|sweep| sweep.folder.join("plots")).unwrap_or_default();
    files::make_folder(&folder).map_err(problem)?;
    let path = folder.join(format!("{}.svg", metric.replace('/', "-")));
    write(&path, &svg)?;
    draw::write(stdout().lock(), &format!("{}\n", path.display()));
    Ok(exit::OK)
}

#[derive(Clone, Copy)]
enum Kind {
    Svg,
    Png,
}

fn kind(path: &Path) -> Result<Kind, Problem> {
    let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_lowercase());
    match suffix.as_deref() {
        Some("svg") => Ok(Kind::Svg),
        Some("png") => Ok(Kind::Png),
        _ => Err(Problem::Runs(format!(
            "pictures are written as .svg or .png, and {} is neither",
            path.display()
        ))),
    }
}

fn write(path: &Path, svg: &str) -> Result<(), Problem> {
    let bytes = match kind(path)? {
        Kind::Svg => svg.as_bytes().to_vec(),
        Kind::Png => picture::png(svg, FINE)
            .ok_or_else(|| Problem::Runs("the picture cannot be drawn as PNG".to_owned()))?,
    };
    files::write(path, &bytes).map_err(problem)
}
