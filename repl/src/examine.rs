//! `flambeau env`: what was found, and why.

use std::fmt::Write;

use crate::cli::Shared;
use crate::draw;
use crate::engine;
use crate::environment::{Environment, Places, search};
use crate::nvidia::{Driver, driver};
use crate::problem::{Problem, exit};

/// Prints every place that was looked at and what would be used.
///
/// # Errors
/// What would keep a script from being run, after all has been printed.
pub fn examine(shared: &Shared) -> Result<u8, Problem> {
    let places = Places::around(shared.env.as_deref(), None);
    let found = search(&places);
    let mut page = String::from("looked at (the first with a Python is taken)\n");
    for attempt in &found.attempts {
        let mark = if attempt.chosen { '*' } else { ' ' };
        row(&mut page, &format!("{mark} {}", attempt.place), &attempt.outcome);
    }
    page.push_str("found\n");
    row(&mut page, "  program", &format!("flambeau {}", env!("CARGO_PKG_VERSION")));
    let library = engine::find_library();
    match &library {
        Ok(path) => row(&mut page, "  engine library", &path.display().to_string()),
        Err(_) => row(&mut page, "  engine library", "none"),
    }
    if let Ok(environment) = &found.result {
        describe(&mut page, environment);
    }
    row(&mut page, "  NVIDIA driver", &driver_text(&found.result));
    draw::write(std::io::stdout().lock(), &page);
    found.result?;
    library?;
    Ok(exit::OK)
}

fn describe(page: &mut String, environment: &Environment) {
    let python = &environment.python;
    let version = python.version.as_deref().unwrap_or("of an unknown version");
    row(page, "  Python", &format!("{version}, {}", python.executable.display()));
    match python.library() {
        Some(library) => row(page, "  libpython", &library.display().to_string()),
        None => row(page, "  libpython", "none shared: the program runs inside the interpreter"),
    }
    row(page, "  torch", &environment.torch_version);
    row(page, "  torch libraries", &environment.torch_lib.display().to_string());
}

fn driver_text(found: &Result<Environment, Problem>) -> String {
    let cuda = found
        .as_ref()
        .is_ok_and(|environment| environment.torch_lib.join("libtorch_cuda.so").is_file());
    match driver() {
        Driver::Absent => "none: scripts run on the CPU".to_owned(),
        Driver::Hidden => "hidden by $CUDA_VISIBLE_DEVICES: scripts run on the CPU".to_owned(),
        Driver::Present(version) => {
            let version = version.unwrap_or_else(|| "present".to_owned());
            let note = if cuda { "" } else { ", but this torch is built without CUDA" };
            format!("{version}{note}")
        }
    }
}

/// A label and its value in two columns.
fn row(page: &mut String, label: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{label:36}{value}");
}
