//! The user's settings and the startup script.

use flambeau_tests::terminal::{CTRL_C, CTRL_D, ESCAPE, Start, start};
use tempfile::TempDir;

/// A home directory with these settings.
fn home(settings: &str) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    write(&home, "config.toml", settings);
    home
}

fn write(home: &TempDir, file: &str, text: &str) {
    let folder = home.path().join(".config/flambeau");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(file), text).expect("a file");
}

#[test]
fn the_keys_are_those_of_vi_where_the_settings_say_so() {
    let home = home("[editor]\nmode = \"vi\"\n");
    let mut terminal = start(&home);
    // To the beginning, a word forward, change it.
    terminal.press(&format!("let wrong = 40;{ESCAPE}"));
    terminal.see("let wrong = 40;");
    terminal.press("0wcwright");
    terminal.see("let right = 40;");
    terminal.press(&format!("{ESCAPE}A right + 2\r"));
    terminal.see_prompt(2);
    terminal.see("\n42\n");
    // Brackets and Tab are commands, not text, behind Escape.
    terminal.press(&format!("(1){ESCAPE}%}}\tA + 6\r"));
    terminal.see_prompt(3);
    terminal.see("\n7\n");
}

#[test]
fn tensors_are_printed_as_the_settings_say() {
    let home = home("[display]\nprecision = 2\nthreshold = 4\n");
    let mut terminal = start(&home);
    terminal.enter("torch.tensor([0.123456])", 2);
    terminal.see("tensor([0.12])");
    terminal.enter("torch.arange(9)", 3);
    terminal.see("tensor([0, 1, 2,  ..., 6, 7, 8])");
}

#[test]
fn colours_are_those_of_the_settings() {
    let never = home("[display]\ncolor = \"never\"\n");
    let mut terminal = start(&never);
    terminal.enter("\"text\"; nobody", 2);
    terminal.see("NameError");
    assert!(!terminal.raw().contains("\x1b[3") && !terminal.raw().contains("\x1b[1;3"));
    let light = home("[display]\ntheme = \"light\"\n");
    let mut terminal = start(&light);
    terminal.enter("\"text\"", 2);
    assert!(terminal.raw().contains("\x1b[38;5;22m\"text\""), "{:?}", terminal.raw());
}

#[test]
fn no_history_is_kept_where_none_is_wanted() {
    let home = home("[editor]\nhistory = 0\n");
    let mut terminal = start(&home);
    terminal.enter("let never_again = 1;", 2);
    terminal.press(CTRL_D);
    assert_eq!(terminal.end(), 0);
    let mut terminal = start(&home);
    terminal.press("\x1b[A1 + 1\r");
    terminal.see_prompt(2);
    assert!(!terminal.screen().contains("never_again"), "{}", terminal.screen());
}

#[test]
fn a_mistake_in_the_settings_is_told_and_the_defaults_hold() {
    let home = home("[editor]\nmode = \"vi\"\nhistroy = 3\n");
    let mut terminal = start(&home);
    terminal.see("config.toml:3: unknown field `histroy`");
    terminal.see("did you mean history?; the defaults hold");
    terminal.enter("6 * 7", 2);
    terminal.see("\n42\n");
}

#[test]
fn the_startup_script_runs_before_the_first_prompt() {
    let home = home("");
    write(&home, "startup.rhai", "let from_startup = 42; print(\"good morning\");");
    let mut terminal = start(&home);
    terminal.see("good morning");
    terminal.enter("from_startup", 2);
    terminal.see("\n42\n");
    let mut terminal = Start::new(&["--no-startup"], home.path()).start();
    terminal.see_prompt(1);
    terminal.enter("from_startup", 2);
    terminal.see("NameError");
    write(&home, "config.toml", "[session]\nstartup = false\n");
    let mut terminal = start(&home);
    terminal.enter("from_startup", 2);
    terminal.see("NameError");
}

#[test]
fn a_startup_script_with_an_error_is_reported_and_the_session_goes_on() {
    let home = home("");
    write(&home, "startup.rhai", "let before = 41;\nnobody + 1");
    let mut terminal = start(&home);
    terminal.see("startup.rhai:2:1");
    terminal.enter("before + 1", 2);
    terminal.see("\n42\n");
}

#[test]
fn without_a_home_there_are_no_settings() {
    let home = home("[editor]\nmode = \"vi\"\n");
    let mut terminal = Start::new(&[], home.path()).without("HOME").start();
    terminal.see_prompt(1);
    terminal.enter(":config", 1);
    terminal.see("there is no place for settings");
    terminal.enter("6 * 7", 2);
    terminal.see("\n42\n");
}

#[test]
fn the_mark_of_ctrl_c_does_not_stand_before_the_report() {
    let home = home("");
    let mut terminal = start(&home);
    terminal.press("print(\"running\"); loop {}\r");
    terminal.wait("running", |screen| screen.lines().any(|line| line == "running"));
    terminal.press(CTRL_C);
    terminal.see_prompt(2);
    assert!(!terminal.raw().contains("^C"), "{}", terminal.screen());
    terminal.see("\nrunning\n  × KeyboardInterrupt");
}
