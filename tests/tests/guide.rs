//! Executes the guide: every block of every page does what the page says.
//!
//! - `rhai`: runs in the page's session; a `text` block right behind it is what it prints.
//! - `rhai error`: must fail; the `text` block is the error's first line, or, where it has more lines,
//!   the whole report.
//! - `rhai file=NAME`, `toml file=NAME`: is written to that file, for `import` and for commands.
//! - `python`: runs in a Python of its own, with `import flambeau`; a `text` block is what it prints.
//! - `sh` that begins with `$ flambeau ` and has a `text` block: runs the program, which must print that.
//!
//! `UPDATE_GUIDE=1 cargo test --release -p flambeau-tests --test guide` writes what was printed into the
//! pages; read the difference before you keep it.

use std::path::{Path, PathBuf};
use std::process::Command;

use flambeau_runtime::script::Report;
use flambeau_tests::markdown::{Block, adjacent, blocks};
use flambeau_tests::session::{Recorded, on_deep_stack};
use flambeau_tests::{outcome, package, program, repository};

/// All pages: the guide's, and the README that newcomers read first.
fn pages() -> Vec<PathBuf> {
    let folder = repository().join("tests/guide");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the guide")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    pages.push(repository().join("README.md"));
    pages
}

/// What a block printed or failed with, and what the page says.
struct Outcome {
    expected: Option<Block>,
    found: String,
    /// Why the block failed, where it should not have.
    problem: Option<String>,
}

fn run_page(page: &str) -> Vec<(Block, Outcome)> {
    let folder = tempfile::tempdir().expect("a folder");
    std::env::set_current_dir(folder.path()).expect("the folder can be entered");
    let mut recorded = Recorded::new();
    let blocks = blocks(page);
    let mut outcomes = Vec::new();
    for (i, block) in blocks.iter().enumerate() {
        let expected = blocks
            .get(i + 1)
            .filter(|next| next.tag == "text" && adjacent(page, block, next))
            .cloned();
        let outcome = match block.tag.split_whitespace().collect::<Vec<_>>()[..] {
            ["rhai"] => {
                let (found, error) = recorded.run("script.rhai", &block.text);
                let problem = error.map(|report| report.rendered(false));
                Outcome { expected, found: found.trim_end().to_owned(), problem }
            }
            ["rhai", "error"] => {
                let (_, error) = recorded.run("script.rhai", &block.text);
                failure(error, expected)
            }
            ["rhai" | "toml", file] if file.starts_with("file=") => {
                let name = file.trim_start_matches("file=");
                std::fs::write(name, format!("{}\n", block.text)).expect("a file");
                continue;
            }
            ["sh"] if block.text.starts_with("$ flambeau ") && expected.is_some() => {
                Outcome { expected, found: command(&block.text, folder.path()), problem: None }
            }
            ["python"] => {
                let python = outcome(package::python(folder.path()).args(["-c", &block.text]));
                let problem = (python.code != Some(0)).then_some(python.stderr);
                Outcome { expected, found: python.stdout.trim_end().to_owned(), problem }
            }
            ["text"] | ["sh"] => continue,
            _ => Outcome {
                expected: None,
                found: String::new(),
                problem: Some(format!("a block is tagged `{}`: nobody reads that", block.tag)),
            },
        };
        outcomes.push((block.clone(), outcome));
    }
    // The folder is about to go.
    std::env::set_current_dir(repository()).expect("the project's folder");
    outcomes
}

/// What an error says, in as many words as the page does.
fn failure(error: Option<Box<Report>>, expected: Option<Block>) -> Outcome {
    let Some(report) = error else {
        let problem = Some("it should fail and did not".to_owned());
        return Outcome { expected, found: String::new(), problem };
    };
    let whole = expected.as_ref().is_some_and(|block| block.text.contains('\n'));
    let found = if whole { report.rendered(false) } else { report.error.to_string() };
    Outcome { expected, found: found.trim_end().to_owned(), problem: None }
}

/// Runs `$ flambeau …` as a shell would, with the program first on the path; both streams.
fn command(line: &str, folder: &Path) -> String {
    let line: String = line.lines().map(|line| line.trim_start_matches("$ ")).collect();
    let mut path = program().parent().expect("the program's folder").as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; {line}")])
        .current_dir(folder)
        .env("PATH", path)
        .env_remove("VIRTUAL_ENV")
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("a shell");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Writes what was found into the page.
fn update(path: &Path, page: &str, outcomes: &[(Block, Outcome)]) {
    let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
    for (_, outcome) in outcomes.iter().rev() {
        if let Some(block) = &outcome.expected {
            lines.splice(block.line..block.end - 1, outcome.found.lines().map(str::to_owned));
        }
    }
    std::fs::write(path, lines.join("\n") + "\n").expect("the page can be written");
}

#[test]
fn every_page_of_the_guide_does_what_it_says() {
    let wrong = on_deep_stack(|| {
        let mut wrong = Vec::new();
        for path in pages() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let page = std::fs::read_to_string(&path).expect("a page");
            let outcomes = run_page(&page);
            for (block, outcome) in &outcomes {
                if let Some(problem) = &outcome.problem {
                    wrong.push(format!("{name}:{}: {problem}", block.line));
                } else if let Some(expected) = &outcome.expected
                    && expected.text != outcome.found
                {
                    wrong.push(format!(
                        "{name}:{}: the page says\n{}\nand this came\n{}",
                        expected.line, expected.text, outcome.found
                    ));
                }
            }
            if std::env::var_os("UPDATE_GUIDE").is_some() {
                update(&path, &page, &outcomes);
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{}\n\n{} blocks", wrong.join("\n\n"), wrong.len());
}
