//! `import flambeau` over the engine library as built: the Python package, put together as the wheel does.

use std::path::Path;
use std::process::Command;

use crate::{program, repository};

/// The environment's Python, with the package in `folder` on its path.
///
/// # Panics
/// When the package cannot be put together.
pub fn python(folder: &Path) -> Command {
    let package = folder.join("flambeau");
    if !package.exists() {
        std::fs::create_dir(&package).expect("a folder");
        let sources = repository().join("repl/engine/python/flambeau");
        for file in std::fs::read_dir(sources).expect("the package's sources") {
            let file = file.expect("a file").path();
            if file.is_file() {
                let name = file.file_name().expect("a name");
                std::fs::copy(&file, package.join(name)).expect("a copy");
            }
        }
        let engine = program().with_file_name("libflambeau_engine.so");
        std::os::unix::fs::symlink(engine, package.join("_engine.abi3.so")).expect("a link");
    }
    let mut command = Command::new(repository().join(".venv/bin/python"));
    command
        .current_dir(folder)
        .env("PYTHONPATH", folder)
        // What tests compare the package with.
        .env("FLAMBEAU_PROGRAM", program())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("VIRTUAL_ENV");
    command
}
