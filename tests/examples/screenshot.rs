//! The README's picture of the prompt, from a real session:
//!
//! ```sh
//! cargo run --release -p flambeau-tests --example screenshot > docs/prompt.svg
//! ```

use flambeau_tests::terminal::Start;

const LABEL: &str = "The prompt of flambeau: a model as a tree with its parameters, a table, a picture in the \
                     terminal, and a call with its signature below it";

/// Cells, each of which ends with a result.
const CELLS: &[&str] = &[
    "let model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1)); model",
    "[0.1, 0.01].map(|lr| #{lr: lr, wd: lr / 10.0, epochs: 20})",
    "plot.image(torch.linspace(-4, 4, 22).sin().outer(torch.linspace(-6, 6, 64).cos()), scale: 1)",
    "model(torch.ones([3, 3]))",
];

fn main() {
    let home = tempfile::tempdir().expect("a folder");
    let start = Start::new(&[], home.path()).with("COLORTERM", "truecolor").tall(50).wide(104);
    let mut terminal = start.with("TMPDIR", "/tmp").with("FLAMBEAU_GRAPHICS", "blocks").start();
    terminal.see_prompt(1);
    for (i, cell) in CELLS.iter().enumerate() {
        terminal.enter(cell, i + 2);
    }
    terminal.press("F.cross_entropy(model(torch.ones([3, 2])), ");
    terminal.see("torch.ones([3, 2])), \ncross_entropy(");
    println!("{}", terminal.svg(LABEL).trim_end());
}
