//! The README's picture of the prompt, from a real session:
//!
//! ```sh
//! cargo run --release -p flambeau-tests --example screenshot > docs/prompt.svg
//! ```

use flambeau_tests::terminal::Start;

const LABEL: &str = "The prompt of flambeau: a model as a tree with its parameters, a table, a picture in the \
                     terminal, and a call with its signature below it";

fn main() {
    let home = tempfile::tempdir().expect("a folder");
    let start = Start::new(&[], home.path()).with("COLORTERM", "truecolor").tall(46).wide(104);
    let start = start.with("TMPDIR", "/tmp").with("FLAMBEAU_GRAPHICS", "blocks");
    let mut terminal = start.start();
    terminal.see_prompt(1);
    terminal.enter("let model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))", 2);
    terminal.enter("model", 3);
    terminal.enter("[0.1, 0.01].map(|lr| #{lr: lr, loss: math.round(lr * 7.0 + 0.2, 3)})", 4);
    terminal.enter(
        "plot.image(torch.linspace(-4, 4, 72).sin().outer(torch.linspace(-6, 6, 120).cos()))",
        5,
    );
    terminal.enter("model(torch.ones([3, 3]))", 6);
    terminal.press("F.cross_entropy(model(torch.ones([3, 2])), ");
    terminal.see("target: ");
    println!("{}", terminal.svg(LABEL));
}
