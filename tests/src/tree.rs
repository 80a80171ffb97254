//! The project's own files, for tests of what may stand where.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::repository;

/// Folders that hold what was built, downloaded or written by runs.
const NOT_OURS: &[&str] =
    &[".git", "target", ".venv", "dist", "runs", "__pycache__", "node_modules"];

/// All text files of the project: path relative to its folder, with `/`, and text.
///
/// # Panics
/// When a folder or a file cannot be read.
pub fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(repository(), &mut found);
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if NOT_OURS.contains(&name.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            found.push((relative(&path), text));
        }
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The Rust code of the project without comments and doc comments, by path.
pub fn rust_code() -> Vec<(String, String)> {
    files()
        .into_iter()
        .filter(|(path, _)| path.ends_with(".rs"))
        .map(|(path, text)| {
            let code: Vec<&str> =
                text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            (path, code.join("\n"))
        })
        .collect()
}

/// What a crate is built from: the names under `[dependencies]` of its manifest.
///
/// # Panics
/// When there is no such manifest.
pub fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest: PathBuf = repository().join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let names = text
        .lines()
        .skip_while(|line| line.trim() != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['=', '.', ' ']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'));
    names.map(str::to_owned).collect()
}
