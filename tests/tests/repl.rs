//! The prompt in a real terminal: cells, errors, interrupts, leaving.

use flambeau_tests::terminal::{CTRL_C, CTRL_D, Start, home, start};

#[test]
fn shows_the_value_of_a_cell_and_keeps_its_variables() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let x = torch.ones([2, 3]);", 2);
    terminal.enter("x.sum(dim: 1)", 3);
    assert!(terminal.screen().contains("tensor([3., 3.])"), "{}", terminal.screen());
    terminal.enter("x.sh", 4);
    terminal.press(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_semicolon_hides_the_value() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("40 + 2; // hidden", 2);
    assert!(!terminal.screen().contains("\n42\n"), "{}", terminal.screen());
    terminal.enter("40 + 3", 3);
    terminal.see("\n43\n");
}

#[test]
fn what_is_typed_before_the_engine_is_there_is_evaluated() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).start();
    terminal.press("let early = 20 + 1;\rearly * 2\r");
    terminal.see("42");
    terminal.see_prompt(3);
}

#[test]
fn an_error_keeps_the_session() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let kept = 7;", 2);
    terminal.enter("torch.zeros([2, 3]) @ torch.zeros([2, 3])", 3);
    let screen = terminal.screen();
    assert!(screen.contains("ShapeError") && screen.contains("cell 2:1"), "{screen}");
    assert!(terminal.raw().contains("\x1b["), "errors are coloured on a terminal");
    terminal.enter("kept * 6", 4);
    terminal.see("42");
}

#[test]
fn a_cell_goes_on_while_a_bracket_is_open_and_is_indented() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press("fn twice(x) {\r");
    terminal.wait("an indented line", |screen| screen.contains("[1]> fn twice(x) {"));
    terminal.press("x * 2\r}\r");
    terminal.see_prompt(2);
    // The closing bracket went back to the beginning of its line.
    let screen = terminal.screen();
    assert!(screen.contains("\n    x * 2\n}\n"), "{screen}");
    terminal.enter("twice(21)", 3);
    terminal.see("42");
}

#[test]
fn a_pasted_script_of_200_lines_is_one_cell() {
    let home = home();
    let mut terminal = start(&home);
    let mut script = String::from("let total = 0;\n");
    for i in 0..198 {
        script.push_str(&format!("if true {{\n    total += {i};\n}}\n"));
        if script.lines().count() > 198 {
            break;
        }
    }
    let lines = script.lines().filter(|line| line.contains("total +=")).count();
    script.push_str("total");
    terminal.paste(&script);
    terminal.press("\r");
    terminal.see_prompt(2);
    terminal.see(&format!("\n{}\n", lines * (lines - 1) / 2));
}

#[test]
fn ctrl_c_stops_a_loop_and_keeps_the_variables() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let kept = 41;", 2);
    terminal.press("print(\"running\"); loop {}\r");
    terminal.wait("running", |screen| screen.lines().any(|line| line == "running"));
    terminal.press(CTRL_C);
    terminal.see_prompt(3);
    assert!(terminal.screen().contains("KeyboardInterrupt"), "{}", terminal.screen());
    terminal.enter("kept + 1", 4);
    terminal.see("\n42\n");
}

#[test]
fn ctrl_c_in_the_last_operator_of_a_cell_is_told_when_that_ends() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let a = torch.rand([5000, 5000]);", 2);
    terminal.press("print(\"running\"); let b = a @ a;\r");
    terminal.wait("running", |screen| screen.lines().any(|line| line == "running"));
    // The operator has begun.
    terminal.wait_for_work(0.3);
    terminal.press(CTRL_C);
    terminal.see_prompt(3);
    assert!(terminal.screen().contains("KeyboardInterrupt"), "{}", terminal.screen());
    // What the cell did stays.
    terminal.enter("b.shape", 4);
    terminal.see("\n[5000, 5000]\n");
}

#[test]
fn ctrl_c_at_the_prompt_clears_the_line() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press("let never = (");
    terminal.see("let never = (");
    terminal.press(CTRL_C);
    terminal.see_prompt(1);
    terminal.enter("1 + 1", 2);
    terminal.see("\n2\n");
}

#[test]
fn earlier_values_have_names() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("6", 2);
    terminal.enter("7", 3);
    terminal.enter("_ * __", 4);
    terminal.see("\n42\n");
    terminal.enter("Out[1] + Out[3] + 900", 5);
    terminal.see("\n948\n");
    // What is left of an unfinished `switch` is no value.
    terminal.enter("switch 1 { _ => 77 }", 6);
    terminal.see("\n77\n");
}

#[test]
fn a_line_that_a_script_left_open_ends_before_the_prompt() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("print(\"open\")", 2);
    assert!(terminal.screen().contains("\nopen\n[2]>"), "{}", terminal.screen());
}

#[test]
fn a_file_runs_before_the_prompt() {
    let home = home();
    let script = flambeau_tests::script(home.path(), "let from_file = 42; print(\"ran\");");
    let mut terminal = Start::new(&["-i", &script.to_string_lossy()], home.path()).start();
    terminal.see("ran");
    terminal.see_prompt(1);
    terminal.enter("from_file + 1", 2);
    terminal.see("\n43\n");
}

#[test]
fn without_a_capable_terminal_there_are_no_escape_sequences() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).with("TERM", "dumb").start();
    terminal.see_prompt(1);
    terminal.press("fn f(x) {\rx + 1 }\r");
    terminal.see_prompt(2);
    terminal.press("f(41)\r");
    terminal.see("42");
    terminal.see_prompt(3);
    terminal.press("nobody\r");
    terminal.see("NameError");
    terminal.see_prompt(4);
    assert!(!terminal.raw().contains('\x1b'), "{:?}", terminal.raw());
    terminal.press(CTRL_D);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn no_color_is_respected() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).with("NO_COLOR", "1").start();
    terminal.see_prompt(1);
    terminal.enter("nobody", 2);
    terminal.see("NameError");
    assert!(!terminal.raw().contains("\x1b[3") && !terminal.raw().contains("\x1b[1;3"));
}

#[test]
fn a_narrow_terminal_and_wide_characters_do_no_harm() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).wide(20).start();
    terminal.see_prompt(1);
    terminal.press("let text = \"日本語日本語日本語\"; text.len\r");
    terminal.see_prompt(2);
    terminal.see("9");
}
