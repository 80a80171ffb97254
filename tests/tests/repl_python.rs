//! Python at the prompt: the same variables, its continuation, completion, help and errors.

use flambeau_tests::terminal::{self, CTRL_C, CTRL_U, Start, Terminal, home};
use tempfile::TempDir;

/// At a prompt for Python; the next cell is the first.
fn start(home: &TempDir) -> Terminal {
    let mut terminal = terminal::start(home);
    terminal.press(":python\r");
    terminal.see_python_prompt(1);
    terminal
}

#[test]
fn a_cell_with_a_mark_shares_variables_both_ways() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).start();
    terminal.see_prompt(1);
    terminal.enter("let x = torch.ones([2]); let kept = x;", 2);
    terminal.press("%%python\rx += 1\ry = [int(v) for v in x]\r");
    terminal.press("y, 'text'\r\r");
    terminal.see_prompt(3);
    terminal.see("\n([2, 2], 'text')\n");
    // The very tensor was changed, and what Python made is a variable.
    terminal.enter("kept", 4);
    terminal.see("\ntensor([2., 2.])\n");
    terminal.enter("y.append(7); print(y); _", 5);
    terminal.see("\n[2, 2, 7]\n");
    terminal.enter(":py y", 6);
    terminal.see("\n[2, 2, 7]\n[6]>");
    terminal.enter("Out[2]", 7);
    terminal.see("\n[[2, 2], \"text\"]\n");
}

#[test]
fn the_prompt_changes_its_language() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter_python("a = 20 + 1", 2);
    terminal.enter_python("None", 3);
    terminal.enter_python("'shown as Python does'", 4);
    terminal.see("\n'shown as Python does'\n");
    terminal.enter_python("a * 2;", 5);
    terminal.enter_python("_", 6);
    terminal.press(":rhai\r");
    terminal.see_prompt(6);
    terminal.enter("a * 100", 7);
    terminal.see("\n2100\n");
    assert!(!terminal.screen().contains("\n42\n"), "{}", terminal.screen());
    terminal.press(":python\r");
    terminal.see_python_prompt(7);
    terminal.enter_python("_ + 1", 8);
    terminal.see("\n2101\n");
    terminal.press("exit()\r");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_block_goes_on_until_an_empty_line() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press("def f(x):\rif x:\rreturn 1\r");
    // Behind `return` the line goes back by one level.
    terminal.press("return 2\r\r");
    terminal.see_python_prompt(2);
    let screen = terminal.screen();
    assert!(screen.contains("def f(x):\n    if x:\n        return 1\n    return 2\n"), "{screen}");
    terminal.enter_python("f(0), f(1)", 3);
    terminal.see("\n(2, 1)\n");
    terminal.press("for i in range(2):\rprint('i', i)\r\x7felse:\rprint('end')\r\r");
    terminal.see_python_prompt(4);
    terminal.see("\ni 0\ni 1\nend\n");
    terminal.enter_python("'''a\rb'''", 4 + 1);
    terminal.see("\n'a\\nb'\n");
}

#[test]
fn a_pasted_module_is_one_cell() {
    let home = home();
    let mut terminal = start(&home);
    terminal.paste("import torch\n\nclass A:\n    x = 1\n\n    def f(self):\n        return torch.ones(2)\n\nA().f()");
    terminal.press("\r");
    terminal.see_python_prompt(2);
    terminal.see("\ntensor([1., 1.])\n");
    // A module of Python does not hide the namespace of scripts.
    terminal.press(":rhai\r");
    terminal.see_prompt(2);
    terminal.enter("torch.ones([2]).sum(dim: 0)", 3);
    terminal.see("\ntensor(2.)\n");
}

#[test]
fn errors_are_told_with_their_calls_and_keep_the_session() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter_python("kept = 41", 2);
    terminal.press("def inner():\rreturn 1 / 0\r\r");
    terminal.see_python_prompt(3);
    terminal.enter_python("kept = 42; inner()", 4);
    let screen = terminal.screen();
    assert!(screen.contains("ZeroDivisionError: division by zero"), "{screen}");
    assert!(screen.contains("cell 3:1 in <module>"), "{screen}");
    assert!(screen.contains("cell 2:2 in inner"), "{screen}");
    terminal.enter_python("kept", 5);
    terminal.see("\n42\n");
    terminal.enter_python("x = = 1", 6);
    let screen = terminal.screen();
    assert!(
        screen.contains("SyntaxError: invalid syntax") && screen.contains("cell 5:1:5"),
        "{screen}"
    );
    terminal.enter_python("nobody", 7);
    terminal.see("NameError: name 'nobody' is not defined");
}

#[test]
fn a_script_s_function_that_python_calls_is_in_the_traceback() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).start();
    terminal.see_prompt(1);
    terminal.enter("fn fails(x) { x @ x }", 2);
    terminal.enter(":py import torch; fails(torch.ones(2, 3))", 3);
    let screen = terminal.screen();
    assert!(screen.contains("ShapeError") && screen.contains("in <module>"), "{screen}");
    assert!(screen.contains("fn fails(x) { x @ x }"), "{screen}");
}

#[test]
fn ctrl_c_stops_python_and_keeps_the_variables() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter_python("kept = 41", 2);
    terminal.enter_python("import time", 3);
    for (at, code) in ["while True: pass", "while True: time.sleep(60)"].iter().enumerate() {
        terminal.press(&format!("if kept:\rkept = 42\rprint('inside {at}')\r{code}\r\r"));
        let inside = format!("inside {at}");
        terminal.wait(&inside, |screen| screen.lines().any(|line| line == inside));
        terminal.press(CTRL_C);
        terminal.see_python_prompt(4 + at);
        assert!(terminal.screen().contains("KeyboardInterrupt"), "{}", terminal.screen());
    }
    terminal.enter_python("kept + 1", 6);
    terminal.see("\n43\n");
}

#[test]
fn tab_completes_live_objects() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter_python("import os; table = {'learning_rate': 0.1}", 2);
    terminal.press("table['lear\t'] * 2\r");
    terminal.see_python_prompt(3);
    terminal.see("table['learning_rate'] * 2\n0.2\n");
    terminal.press("os.path.spli\te\t('a.txt')\r");
    terminal.see_python_prompt(4);
    terminal.see("\n('a', '.txt')\n");
    terminal.press("def scaled(x, amount=3): return x * amount\r\r");
    terminal.see_python_prompt(5);
    terminal.press("scal\t(2, amo\t5)\r");
    terminal.see_python_prompt(6);
    terminal.see("scaled(2, amount=5)\n10\n");
    terminal.press("from collec\t import Ordere\t\r");
    terminal.see_python_prompt(7);
    terminal.see("import OrderedDict");
}

#[test]
fn tab_asks_the_type_of_an_object_for_keys() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter_python("import os", 2);
    terminal.press("os.environ['HOM\t'] == os.path.expanduser('~')\r");
    terminal.see_python_prompt(3);
    terminal.see("os.environ['HOME'] == os.path.expanduser('~')\nTrue\n");
    // An object that answers to any name is not asked itself.
    terminal.press(
        "class Answers:\rdef __getattr__(self, name): print('tou' + 'ched'); return dict\r\r",
    );
    terminal.see_python_prompt(4);
    terminal.enter_python("answers = Answers()", 5);
    terminal.press(&format!("answers['no_such\t{CTRL_U}40 + 2\r"));
    terminal.see_python_prompt(6);
    terminal.see("\n42\n");
    assert!(!terminal.screen().contains("touched"), "{}", terminal.screen());
}

#[test]
fn tab_completes_variables_of_scripts_in_python() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).start();
    terminal.see_prompt(1);
    terminal.enter("let weights = torch.ones([2, 3]);", 2);
    terminal.press(":python\r");
    terminal.see_python_prompt(2);
    // Python has torch from here on.
    terminal.enter_python("weights.shape", 3);
    terminal.press("wei\t.requires_gr\t");
    terminal.see("weights.requires_grad");
}

#[test]
fn question_marks_show_help_and_source_of_python_objects() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press("def twice(x, times=2):\r\"\"\"Does it again.\"\"\"\rreturn x * times\r\r");
    terminal.see_python_prompt(2);
    terminal.press("twice?\r");
    terminal.see("twice(x, times=2)\n\nDoes it again.");
    terminal.press("twice??\r");
    terminal.see("    return x * times\n[2] py>");
    terminal.press("nobody?\r");
    terminal.see("nothing is called 'nobody'");
    terminal.press(":rhai\r");
    terminal.see_prompt(2);
    terminal.press("fn thrice(x) {\r3 * x\r}\r");
    terminal.see_prompt(3);
    terminal.press(":source thrice\r");
    terminal.see("fn thrice(x) {\n    3 * x\n}\n[3]>");
    terminal.press(":source torch.relu\r");
    terminal.see("relu(Tensor self) -> Tensor\n");
    terminal.press("twice?\r");
    terminal.see("Does it again.");
}

#[test]
fn a_session_with_python_is_saved_as_a_script_that_runs() {
    let home = home();
    let saved = home.path().join("saved.rhai");
    let mut terminal = Start::new(&[], home.path()).start();
    terminal.see_prompt(1);
    terminal.enter("let x = 20", 2);
    terminal.press(":python\r");
    terminal.see_python_prompt(2);
    terminal.enter_python("y = x + 1", 3);
    terminal.enter_python("y / 0", 4);
    terminal.press(":rhai\r");
    terminal.see_prompt(4);
    terminal.enter("print(y * 2)", 5);
    terminal.enter(&format!(":save {}", saved.display()), 5);
    terminal.see("3 cells in");
    let text = std::fs::read_to_string(&saved).expect("a file");
    assert_eq!(text, "let x = 20;\n%%python\ny = x + 1\n%%rhai\nprint(y * 2);\n");
    let run = flambeau_tests::outcome(
        std::process::Command::new(flambeau_tests::program()).arg("run").arg(&saved),
    );
    assert_eq!((run.stdout.as_str(), run.code), ("42\n", Some(0)), "{run:?}");
    terminal.enter(&format!(":reset\r:run {}", saved.display()), 5);
    terminal.see("\n42\n[5]>");
}

#[test]
fn what_python_forgets_is_no_variable_any_more() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter_python("a = 1; b = 2", 2);
    terminal.enter_python("del a", 3);
    terminal.press(":vars\r");
    terminal.see("b  int  2");
    assert!(!terminal.screen().contains("a  int"), "{}", terminal.screen());
    terminal.press(":reset\r");
    terminal.see_python_prompt(3);
    terminal.enter_python("b", 4);
    terminal.see("name 'b' is not defined");
}

#[test]
fn what_is_measured_may_be_python() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter_python("a = 2", 2);
    terminal.press(":timeit a ** 10\r");
    terminal.see("per loop, best");
    terminal.press(":type a\r");
    terminal.see("<class 'int'>");
}
