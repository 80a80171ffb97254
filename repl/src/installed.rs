//! Where the libraries that come with the program lie: beside it as built, or in the package that pip installs.

use std::path::{Path, PathBuf};

use crate::environment::program_dir;

/// The file of the engine library in the Python package, where it is an extension module.
const ENGINE_MODULE: &str = "_engine.abi3.so";

/// The engine library or another of the program's own, by its file name as built.
///
/// # Errors
/// The places that were looked at.
pub fn find(name: &str) -> Result<PathBuf, String> {
    let folder = program_dir().unwrap_or_default();
    let above = folder.parent().unwrap_or(&folder);
    let in_package = if name == flambeau_protocol::ENGINE_LIBRARY { ENGINE_MODULE } else { name };
    let mut places = vec![folder.join(name), above.join("lib").join(name)];
    places.extend(packages(above).map(|package| package.join(in_package)));
    if let Some(found) = places.iter().find(|file| file.is_file()) {
        return Ok(found.clone());
    }
    let tried: Vec<String> = places.iter().map(|file| file.display().to_string()).collect();
    Err(tried.join(" and "))
}

/// Where the package `flambeau` is when the program is in `prefix/bin`: in an environment, and after
/// `pip install --target`.
fn packages(prefix: &Path) -> impl Iterator<Item = PathBuf> {
    let versions = ["lib", "lib64"].into_iter().flat_map(|lib| {
        let entries = std::fs::read_dir(prefix.join(lib)).into_iter().flatten().flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3."))
    });
    let mut found: Vec<PathBuf> =
        versions.map(|entry| entry.path().join("site-packages").join("flambeau")).collect();
    found.push(prefix.join("flambeau"));
    found.into_iter().filter(|package| package.is_dir())
}
