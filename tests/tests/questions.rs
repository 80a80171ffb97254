//! `input` of scripts: at a terminal, in a pipe, within a session.

use std::io::Write;
use std::process::Stdio;

use flambeau_tests::terminal::Start;
use flambeau_tests::{flambeau, script};

const CTRL_C: &str = "\x03";

/// Runs a script whose standard input is `text`: its exit code and what it says on both streams.
fn piped(code: &str, text: &str) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = flambeau();
    command.arg("run").arg(script(folder.path(), code));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("a pipe");
    let output = child.wait_with_output().expect("its end");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn lines_of_a_pipe_are_read_one_by_one() {
    let code = "let a = input(\"name: \"); let b = input(); print([a, b, input()]);";
    let (status, said, _) = piped(code, "Ada — π\r\n\nlast without an end");
    assert_eq!(
        (status, said.as_str()),
        (Some(0), "name: [\"Ada — π\", \"\", \"last without an end\"]\n")
    );
}

#[test]
fn what_a_script_leaves_is_there_for_python() {
    let code = "print(input()); py.exec(\"print(input(), input())\");";
    let (status, said, _) = piped(code, "one\ntwo\nthree\n");
    assert_eq!((status, said.as_str()), (Some(0), "one\ntwo three\n"));
}

#[test]
fn the_end_is_an_error_that_can_be_caught() {
    let (status, _, said) = piped("input()", "");
    assert_eq!(status, Some(1));
    assert!(said.contains("IoError") && said.contains("the end of standard input"), "{said}");
    let (status, said, _) = piped("try { input(); } catch (error) { print(error.kind); }", "");
    assert_eq!((status, said.as_str()), (Some(0), "IoError\n"));
}

#[test]
fn a_limit_ends_the_wait_for_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = flambeau();
    command.args(["run", "--max-seconds", "0.2"]).arg(script(folder.path(), "input()"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    // It stays open and empty.
    let _pipe = child.stdin.take().expect("a pipe");
    let output = child.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("LimitError"), "{said}");
}

#[test]
fn a_prompt_asks_between_its_cells() {
    let home = tempfile::tempdir().expect("a folder");
    let mut terminal = Start::new(&[], home.path()).start();
    terminal.see_prompt(1);
    terminal.press("let name = input(\"your name: \"); name.len()\r");
    terminal.see("\nyour name: ");
    terminal.press("Grace\r");
    terminal.see_prompt(2);
    terminal.see("\nyour name: Grace\n5\n");
    terminal.press("input(\"word: \", secret: true)\r");
    terminal.see("\nword: ");
    terminal.press("hidden\r");
    terminal.see_prompt(3);
    terminal.see("\nword: \nhidden\n");
    terminal.press("input(\"never: \")\r");
    terminal.see("\nnever: ");
    terminal.press(CTRL_C);
    terminal.see("KeyboardInterrupt");
    terminal.see_prompt(4);
    terminal.enter("name + \"!\"", 5);
    terminal.see("\nGrace!\n");
}

#[test]
fn what_is_shown_anew_is_printed_once_more() {
    let code = "let id = display([1], display_id: true); update_display([2], id); clear_output(); \
                py.exec(\"h = display({'a': 1}, display_id='x')\\nh.update(2)\");";
    let (status, said, _) = piped(code, "");
    assert_eq!((status, said.as_str()), (Some(0), "[1]\n[2]\n{'a': 1}\n2\n"));
}
