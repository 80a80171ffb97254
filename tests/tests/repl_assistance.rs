//! What helps at the prompt: completion, history, help, commands.

use flambeau_tests::terminal::{CTRL_C, CTRL_D, Start, Terminal, UP, home};
use tempfile::TempDir;

fn start(home: &TempDir) -> Terminal {
    let terminal = Start::new(&[], home.path()).with("PAGER", "cat").start();
    terminal.see_prompt(1);
    terminal
}

#[test]
fn tab_completes_names_of_a_namespace() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press("torch.linalg.eigvalsh\x15torch.lin\t");
    terminal.see("linspace");
    terminal.see("linalg");
    terminal.press("spa\t");
    terminal.see("torch.linspace");
    terminal.press("(0, 4, 5)\r");
    terminal.see_prompt(2);
    terminal.see("tensor([0., 1., 2., 3., 4.])");
}

#[test]
fn tab_completes_variables_methods_and_arguments() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let weights = torch.ones([2, 3]);", 2);
    terminal.press("wei\t.requires_gr\t");
    terminal.see("weights.requires_grad");
    terminal.press("\x15weights.sum(di\t1)\r");
    terminal.see_prompt(3);
    terminal.see("weights.sum(dim: 1)");
    terminal.see("tensor([3., 3.])");
}

#[test]
fn tab_completes_what_python_modules_hold() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let os = py.import(\"os\");", 2);
    terminal.press("os.path.spli\t");
    terminal.see("splitext");
    terminal.press("e\t(\"a.txt\")\r");
    terminal.see_prompt(3);
    terminal.see("[\"a\", \".txt\"]");
}

/// A Python object whose properties and unknown names tell when they are asked.
const WATCHED: &str = "py.exec(`
    class Inner:
        def __init__(self): self.alpha_inside = 1
    class Watched:
        \"\"\"Watches what is asked of it.\"\"\"
        def __init__(self): self.inner = Inner()
        @property
        def watched(self): print('tou' + 'ched'); return Inner()
        def __getattr__(self, name): print('tou' + 'ched', name); raise AttributeError(name)
        def method(self, first, *, keyword_only=1): return first
    table = {'alpha key': 1, 'beta key': 2}
    watched = Watched()
`); let watched = py.eval(\"watched\"); let table = py.eval(\"globals()\")[\"table\"];";

#[test]
fn python_chains_are_followed_without_running_code() {
    let home = home();
    let mut terminal = start(&home);
    terminal.paste(WATCHED);
    terminal.press("\r");
    terminal.see_prompt(2);
    terminal.press("watched.inner.alph\t");
    terminal.see("watched.inner.alpha_inside");
    terminal.press("\x15watched.watched.al\t\x15watched.nothing.al\t\x15watched.method(keyw\t");
    terminal.see("watched.method(keyword_only: ");
    // Below it stands how it is called.
    terminal.see("method(first, *, keyword_only=1)");
    assert!(!terminal.screen().contains("touched"), "{}", terminal.screen());
    terminal.press("\x15let np = py.import(\"numpy\");\r");
    terminal.see_prompt(3);
    terminal.press("np.linalg.mat\t");
    terminal.see("matrix_power");
    terminal.press("rix_power(\"");
    terminal.see("Raise a square matrix to the (integer) power");
    assert!(!terminal.screen().contains("touched"), "{}", terminal.screen());
}

#[test]
fn tab_completes_the_keys_of_a_python_dictionary() {
    let home = home();
    let mut terminal = start(&home);
    terminal.paste(WATCHED);
    terminal.press("\r");
    terminal.see_prompt(2);
    terminal.press("table[\"al\t\"]\r");
    terminal.see_prompt(3);
    assert!(terminal.screen().contains("table[\"alpha key\"]"), "{}", terminal.screen());
}

#[test]
fn the_signature_of_a_call_stands_below_it_and_goes_with_it() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let x = torch.ones([2, 3]);", 2);
    terminal.press("nn.Linear(3, ");
    terminal.wait("a signature", |screen| {
        screen.contains("[2]> nn.Linear(3, \nLinear(in_features: int, out_features: int, bias")
    });
    terminal.press("1)");
    terminal.wait("no signature", |screen| !screen.contains("in_features: int"));
    terminal.press("\x15nn.Linear(3, ");
    terminal.see("in_features: int");
    terminal.press(CTRL_C);
    terminal.wait("no signature", |screen| !screen.contains("in_features: int"));
    terminal.press("x.sum(dim: 1)\r");
    terminal.see_prompt(3);
    let screen = terminal.screen();
    assert!(screen.contains("[2]> x.sum(dim: 1)\ntensor([3., 3.])"), "{screen}");
}

#[test]
fn tab_completes_commands() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press(":hi\t");
    terminal.see("[1]> :history");
}

#[test]
fn tab_indents_at_the_beginning_of_a_line() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press("\t1 + 1\r");
    terminal.see_prompt(2);
    assert!(terminal.screen().contains("[1]>     1 + 1"), "{}", terminal.screen());
}

#[test]
fn the_history_outlives_the_session() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let from_before = 40 + 2;", 2);
    terminal.press(CTRL_D);
    assert_eq!(terminal.end(), 0);
    let mut terminal = start(&home);
    terminal.press(UP);
    terminal.see("let from_before = 40 + 2;");
    terminal.press("\r");
    terminal.see_prompt(2);
    terminal.enter("from_before", 3);
    terminal.see("\n42\n");
    assert!(home.path().join(".local/state/flambeau/history.sqlite").is_file());
}

#[test]
fn two_sessions_share_a_history() {
    let home = home();
    let mut first = start(&home);
    let mut second = start(&home);
    first.enter("\"from the first\"", 2);
    second.enter("\"from the second\"", 2);
    first.press(CTRL_D);
    second.press(CTRL_D);
    assert_eq!((first.end(), second.end()), (0, 0));
    let mut third = start(&home);
    third.press(UP);
    third.see("from the second");
    third.press(UP);
    third.see("from the first");
}

#[test]
fn a_broken_history_is_told_in_one_line() {
    let home = home();
    let folder = home.path().join(".local/state/flambeau");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(
        folder.join("history.sqlite"),
        "this is no database, and long enough to be read as one",
    )
    .expect("a file");
    let mut terminal = start(&home);
    terminal.see("history is not kept");
    terminal.enter("6 * 7", 2);
    terminal.see("\n42\n");
    terminal.press(UP);
    terminal.see("[2]> 6 * 7");
}

#[test]
fn without_a_home_the_prompt_works_on() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).without("HOME").start();
    terminal.see_prompt(1);
    terminal.see("HOME is set");
    terminal.enter("6 * 7", 2);
    terminal.see("\n42\n");
}

#[test]
fn a_question_mark_shows_help() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press("nn.Linear?\r");
    terminal.see("in_features");
    terminal.press("torch.lenalg?\r");
    terminal.see("nothing is called 'torch.lenalg'; did you mean torch.linalg?");
}

#[test]
fn a_page_longer_than_the_screen_goes_to_the_pager() {
    let home = home();
    let mut terminal =
        Start::new(&[], home.path()).with("PAGER", "sed -n 's/^/paged: /;1p'").start();
    terminal.see_prompt(1);
    terminal.press("torch.sum?\r");
    terminal.see("paged: torch.sum: an operator of libtorch");
    terminal.see_prompt(1);
    terminal.press("math.floor?\r");
    terminal.see("math.floor(");
    assert!(!terminal.screen().contains("paged: math"), "{}", terminal.screen());
    // One that is not there is no reason to show nothing.
    let mut terminal = Start::new(&[], home.path()).with("PAGER", "no-such-pager").start();
    terminal.see_prompt(1);
    terminal.press("torch.sum?\r");
    terminal.see("pytorch.org/docs/stable/generated/torch.sum.html");
}

#[test]
fn commands_do_what_their_help_says() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press(":help timeit\r");
    terminal.see("mean, standard deviation and best");
    terminal.press(":nonsense\r");
    terminal.see("there is no command ':nonsense'");
    terminal.press(":cd\r");
    terminal.see(&home.path().file_name().expect("a name").to_string_lossy());
    terminal.enter("let x = torch.zeros([4, 4]);", 2);
    terminal.press(":vars\r");
    terminal.see("float32[4, 4]  64 B");
    terminal.press(":type x.sum()\r");
    terminal.see("Tensor");
    terminal.press(":time 1 + 1\r");
    terminal.see("took ");
    terminal.press(":timeit x.sum()\r");
    terminal.see("per loop, best");
    terminal.press(":save saved.rhai\r");
    terminal.see("2 cells in saved.rhai");
    terminal.press(":reset\r:vars\r");
    terminal.see("no variables");
    terminal.press(":run saved.rhai\r:type x\r:quit\r");
    assert_eq!(terminal.end(), 0);
    let saved = std::fs::read_to_string(home.path().join("saved.rhai")).expect("a file");
    assert_eq!(saved, "let x = torch.zeros([4, 4]);\n1 + 1;\n");
}
