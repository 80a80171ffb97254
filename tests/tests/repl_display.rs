//! What the end of a cell shows: tables, modules, tensors, what is longer than the screen, pictures.

use flambeau_tests::session::Recorded;
use flambeau_tests::terminal::{Start, home, start};

/// The representation of an expression's value.
fn represented(code: &str, mime: &str, width: usize) -> Option<String> {
    let mut session = Recorded::new().session;
    session.set_width(width);
    let value = session.evaluate("cell", code).map_err(|report| report.rendered(false));
    let bundle = session.represent(&value.expect("a value"));
    bundle.into_iter().find(|(kind, _)| kind == mime).map(|(_, data)| data)
}

fn text(code: &str, width: usize) -> String {
    represented(code, "text/plain", width).expect("text")
}

const ROWS: &str =
    "[#{epoch: 1, loss: 0.51, note: \"first\"}, #{epoch: 20, loss: (), note: \"<b>\"}]";

#[test]
fn maps_with_equal_keys_are_a_table() {
    let expected = "\
──────────────────────
 epoch   loss   note
══════════════════════
     1   0.51   first
    20          <b>
──────────────────────";
    assert_eq!(text(ROWS, 80), expected);
    let html = represented(ROWS, "text/html", 80).expect("a table");
    assert!(html.contains(">loss</th>") && html.contains(">&lt;b&gt;</td>"), "{html}");
}

#[test]
fn other_arrays_are_shown_as_they_are_printed() {
    assert_eq!(text("[#{a: 1}, #{b: 2}]", 80), "[#{a: 1}, #{b: 2}]");
    assert_eq!(text("[1, \"a\"]", 80), "[1, \"a\"]");
    assert_eq!(text("\"plain\"", 80), "plain");
}

#[test]
fn a_table_keeps_within_the_width() {
    let wide = "let row = #{}; for i in 0..40 { row[`column_${i + 10}`] = i * 1000; } [row, row]";
    for width in [20, 40, 80, 120] {
        let table = text(wide, width);
        let widest = table.lines().map(|line| line.chars().count()).max().expect("lines");
        assert!(widest <= width, "{widest} of {width}:\n{table}");
        assert!(table.ends_with("2 rows, 40 columns") && table.contains('…'), "{table}");
    }
}

#[test]
fn a_long_table_shows_its_ends() {
    let rows = "let rows = []; for i in 0..1000 { rows.push(#{i: i}); } rows";
    let table = text(rows, 80);
    for part in ["\n   0\n", "\n   4\n", "\n   …\n", "\n 995\n", "\n 999\n", "1000 rows, 1 columns"]
    {
        assert!(table.contains(part), "{part}:\n{table}");
    }
    assert!(table.lines().count() < 30);
}

#[test]
fn a_million_items_are_shown_by_their_ends() {
    let text = text("let xs = []; xs.pad(1000000, 7); xs", 80);
    assert!(text.starts_with("[7, 7") && text.ends_with("1000000 items"), "{text}");
    assert!(text.len() < 200);
}

#[test]
fn a_module_is_a_tree_with_its_parameters() {
    let model = "nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))";
    let expected = "\
Sequential                                                     9,610
├─ 0: Linear(in_features=64, out_features=128, bias=True)      8,320
├─ 1: ReLU()
└─ 2: Linear(in_features=128, out_features=10, bias=True)      1,290
9,610 parameters, 38.4 kB";
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(lines(&text(model, 100)), lines(expected));
    for line in text(model, 40).lines() {
        assert!(line.chars().count() <= 40, "{line}");
    }
    assert_eq!(text("nn.ReLU()", 80), "ReLU()\n0 parameters, 0 B");
}

#[test]
fn shared_and_frozen_parameters_are_counted_as_in_pytorch() {
    let shared = "let a = nn.Linear(3, 3); let m = nn.Sequential(a, a, nn.Linear(3, 1)); \
                  m[2].requires_grad_(false); m";
    let tree = text(shared, 80);
    // 12 of the shared layer, once, and 4 that are not trained.
    assert!(tree.ends_with("\n16 parameters (12 trainable), 64 B"), "{tree}");
    let layers = "let layer = nn.TransformerEncoderLayer(16, 2, dim_feedforward: 32); \
                  nn.TransformerEncoder(layer, 6)";
    let tree = text(layers, 100);
    // sum(p.numel() for p in model.parameters()) of the same model in PyTorch 2.11 is 13,344.
    assert!(tree.contains("0–5: 6 × TransformerEncoderLayer"), "{tree}");
    assert!(tree.contains("\n13,344 parameters, 53.4 kB"), "{tree}");
}

#[test]
fn tensors_are_as_wide_as_in_pytorch_and_narrower_where_the_terminal_is() {
    let wide = text("torch.arange(40)", 200);
    assert!(wide.lines().count() > 1 && wide.lines().all(|line| line.len() <= 80), "{wide}");
    let narrow = text("torch.arange(40)", 30);
    assert!(narrow.lines().all(|line| line.len() <= 30), "{narrow}");
}

#[test]
fn a_result_longer_than_the_screen_is_cut_with_a_notice() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let text = \"\"; for i in 0..100 { text += \"row \" + i + \"\\n\"; } text", 2);
    let screen = terminal.screen();
    assert!(screen.contains("row 0\n") && screen.contains("row 19\n"), "{screen}");
    assert!(screen.contains("… 80 more lines; print(_) shows all"), "{screen}");
    terminal.enter("print(_)", 3);
    terminal.see("row 99");
    assert!(!terminal.screen().contains("more lines"));
}

#[test]
fn python_objects_say_themselves_how_they_are_shown() {
    let home = home();
    let mut terminal = start(&home);
    terminal.paste(
        "py.exec(`
    class Frame:
        def __repr__(self): return '   a  b\\n0  1  2'
        def _repr_html_(self): return '<table></table>'
    class Broken:
        def __repr__(self): return 'still here'
        def _repr_html_(self): raise ValueError('no page')
        def __getattr__(self, name): raise RuntimeError('tou' + 'ched')
`)",
    );
    terminal.press("\r");
    terminal.see_prompt(2);
    terminal.enter("py.eval(\"Frame()\")", 3);
    terminal.see("   a  b\n0  1  2\n");
    terminal.enter("py.eval(\"Broken()\")", 4);
    terminal.see("still here");
    terminal.see("_repr_html_ of a Broken fails: ValueError('no page')");
    assert!(!terminal.screen().contains("touched"), "{}", terminal.screen());
    terminal.enter("py.import(\"numpy\").arange(3)", 5);
    terminal.see("array([0, 1, 2])");
}

/// A picture of two halves, red and blue.
const PICTURE: &str = "let p = torch.zeros([3, 8, 8]); p[[0, (), 0..4]] = 1.0; p[[2, (), 4..8]] = 1.0; \
                       plot.image(p)";

#[test]
fn a_terminal_without_pictures_shows_blocks_and_a_file() {
    let home = home();
    let terminal = Start::new(&[], home.path()).with("COLORTERM", "truecolor");
    let mut terminal = terminal.with("TMPDIR", &home.path().to_string_lossy()).start();
    terminal.see_prompt(1);
    terminal.enter(PICTURE, 2);
    let screen = terminal.screen();
    assert!(screen.contains("▀▀▀▀"), "{screen}");
    let raw = terminal.raw();
    assert!(raw.contains("\x1b[38;2;255;0;0m") && raw.contains("\x1b[38;2;0;0;255m"), "{raw}");
    let path = screen.split("picture: ").nth(1).and_then(|rest| rest.lines().next());
    let file = std::fs::read(path.expect("a path")).expect("a file");
    assert!(file.starts_with(b"\x89PNG"));
    // A chart comes as SVG, and is drawn.
    terminal.enter("plot.line([1, 3, 2], title: \"Loss\")", 3);
    terminal.see("picture-2.svg");
}

#[test]
fn kitty_gets_the_picture_itself() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).with("TERM", "xterm-kitty").start();
    terminal.see_prompt(1);
    terminal.enter(PICTURE, 2);
    assert!(terminal.raw().contains("\x1b_Ga=T,f=100,q=2,m=0;iVBOR"), "{}", terminal.raw());
    assert!(!terminal.screen().contains('▀'));
}

#[test]
fn without_colours_a_picture_is_a_file() {
    let home = home();
    let terminal = Start::new(&[], home.path()).with("NO_COLOR", "1");
    let mut terminal = terminal.with("TMPDIR", &home.path().to_string_lossy()).start();
    terminal.see_prompt(1);
    terminal.enter(PICTURE, 2);
    let screen = terminal.screen();
    assert!(screen.contains("picture-1.png") && !screen.contains('▀'), "{screen}");
}
