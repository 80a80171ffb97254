//! The commands of the prompt that no other test is about.

use flambeau_tests::terminal::{CTRL_C, Start, home, start};
use tempfile::TempDir;

/// An executable file in `home`.
fn program(home: &TempDir, name: &str, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = home.path().join(name);
    std::fs::write(&path, text).expect("a file");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, executable).expect("a file of ours");
    path.to_string_lossy().into_owned()
}

#[test]
fn edit_runs_what_the_editor_saves() {
    let home = home();
    let editor = program(&home, "editor", "#!/bin/sh\nsed -i 's/20/21/' \"$2\"\n");
    let editor = format!("{editor} --wait");
    let mut terminal = Start::new(&[], home.path()).with("VISUAL", &editor).start();
    terminal.see_prompt(1);
    terminal.enter("let x = 20;x * 2", 2);
    terminal.see("\n40\n");
    terminal.enter("7", 3);
    terminal.enter(":edit 1", 4);
    terminal.see("\n42\n");
    terminal.enter("x", 5);
    terminal.see("\n21\n");
    terminal.enter(":edit 99", 5);
    terminal.see("there is no cell 99");
    // What was run is a cell like another.
    terminal.enter(":history 2", 5);
    terminal.see("[3]> let x = 21;x * 2\n[4]> x\n");
}

#[test]
fn what_the_editor_does_not_save_is_not_run() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).with("EDITOR", "true").start();
    terminal.see_prompt(1);
    terminal.enter("6 * 7", 2);
    terminal.enter(":edit", 2);
    terminal.see("not saved: nothing is run");
}

#[test]
fn an_editor_that_is_not_there_is_named() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).with("VISUAL", "no-such-editor").start();
    terminal.see_prompt(1);
    terminal.enter(":edit", 1);
    terminal
        .see("cannot run no-such-editor: No such file or directory; $VISUAL or $EDITOR names one");
}

#[test]
fn a_shell_command_shows_its_output_and_how_it_ended() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter(":sh echo $((6 * 7))", 1);
    terminal.see("\n42\n");
    // Wherever it is installed.
    terminal.enter(":sh flambeau --version", 1);
    terminal.see("\nflambeau 0.");
    terminal.enter(":sh exit 3", 1);
    terminal.see("exit status 3");
    terminal.enter("let kept = 1;", 2);
    terminal.enter(":sh kill -TERM $$", 2);
    terminal.see("ended by signal 15");
    // With a trap: without one some shells lose a signal that comes while they start a program.
    terminal.press(":sh trap 'exit 5' INT; echo begun; while :; do sleep 0.1; done\r");
    terminal.see("\nbegun");
    terminal.press(CTRL_C);
    terminal.see_prompt(2);
    terminal.see("exit status 5");
    terminal.enter("kept + 41", 3);
    terminal.see("\n42\n");
}

#[test]
fn a_profile_lists_operators() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let x = torch.ones([8, 4]);", 2);
    terminal.enter(":prof --shapes x.mm(x.t()) + torch.zeros([8])", 2);
    terminal.see("operator");
    assert!(!terminal.screen().contains("ERROR"), "{}", terminal.screen());
    terminal.wait("the operators", |screen| {
        let row = |name: &str, calls: &str, shapes: &str| {
            screen.lines().any(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                words.first() == Some(&name)
                    && words.get(1) == Some(&calls)
                    && line.ends_with(shapes)
            })
        };
        row("aten::mm", "1", "[8, 4], [4, 8]") && row("aten::add", "1", "[8, 8], [8]")
    });
    terminal.enter(":prof 1 + 1", 2);
    terminal.see("\nno operator of torch was called\n");
    terminal.enter(":prof x @ x", 2);
    terminal.see("ShapeError");
}

#[test]
fn memory_counts_each_storage_once() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter(":mem", 1);
    terminal.see("no tensors in variables");
    terminal.enter(
        "let x = torch.zeros([256, 4]); let parts = [x[0], x[1]]; let l = nn.Linear(4, 4);",
        2,
    );
    terminal.enter(":mem", 2);
    // Three views of 4096 bytes, and 20 numbers of the layer.
    let held = |screen: &str, wanted: &str| {
        let plain = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        screen.lines().any(|line| plain(line) == wanted)
    };
    terminal.wait("five tensors", |screen| held(screen, "cpu 5 tensors 4.1 KiB"));
    terminal.see("resident");
    terminal.enter(":del x parts nobody", 2);
    terminal.see("there is no variable nobody");
    terminal.enter(":mem", 2);
    terminal.wait("two tensors", |screen| held(screen, "cpu 2 tensors 80 B"));
}

#[test]
fn the_device_of_new_tensors_is_shown_and_set() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter(":device", 1);
    terminal.see("\ncpu\n");
    terminal.enter(":device meta", 1);
    terminal.enter("torch.zeros([2]).device", 2);
    terminal.see("\nmeta\n");
    terminal.enter("[torch.tensor([1]).device, nn.Linear(1, 1).weight.device]", 3);
    terminal.see("\n[meta, meta]\n");
    terminal.enter("torch.zeros([2], device: \"cpu\").device", 4);
    terminal.see("\ncpu\n");
    terminal.enter(":device cpu", 4);
    terminal.enter("torch.zeros([2])", 5);
    terminal.see("tensor([0., 0.])");
    terminal.enter(":device nowhere", 5);
    terminal.see("'nowhere' is not a device");
    terminal.enter(":device cuda:77", 5);
    terminal.see("DeviceError: ");
}

#[test]
fn a_watched_file_is_run_again_when_it_changes() {
    let home = home();
    let script = home.path().join("watched.rhai");
    std::fs::write(&script, "print(\"first\");").expect("a file");
    let mut terminal = start(&home);
    terminal.press(&format!(":watch {}\r", script.display()));
    terminal.wait("first", |screen| screen.lines().any(|line| line == "first"));
    terminal.see("Ctrl-C ends that");
    std::fs::write(&script, "let seen = 42; print(\"second\");").expect("a file");
    terminal.wait("second", |screen| screen.lines().any(|line| line == "second"));
    // As editors do that put a new file in the place of the old.
    let new = home.path().join("new.rhai");
    std::fs::write(&new, "loop { print(\"third\"); time.sleep(0.2) }").expect("a file");
    std::fs::rename(&new, &script).expect("a file");
    terminal.wait("third", |screen| screen.lines().any(|line| line == "third"));
    terminal.press(CTRL_C);
    terminal.see_prompt(1);
    terminal.enter("seen", 2);
    terminal.see("\n42\n");
    terminal.press(&format!(":watch {}\r", home.path().join("gone.rhai").display()));
    terminal.see("cannot read");
    terminal.press(CTRL_C);
    terminal.see_prompt(2);
}

#[test]
fn apropos_finds_functions_operators_and_commands() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter(":apropos singular value decomposition", 1);
    terminal.see("torch.linalg.svd");
    terminal.enter(":apropos shell", 1);
    terminal.see(":sh");
    terminal.enter(":apropos qwertz", 1);
    terminal.see("nothing is said about 'qwertz'");
}

#[test]
fn the_last_error_is_shown_again_with_all_calls() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter(":bt", 1);
    terminal.see("there was no error");
    terminal.enter("fn down(n) { if n == 0 { throw \"deep\" } down(n - 1) }", 2);
    terminal.enter("down(20)", 3);
    terminal.see("more calls");
    terminal.enter("1 + 1", 4);
    terminal.enter(":bt", 4);
    terminal.wait("all calls", |screen| {
        let again = screen.rsplit(":bt").next().unwrap_or("");
        !again.contains("more calls") && again.matches("in down").count() >= 18
    });
}

#[test]
fn config_tells_where_the_settings_are() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter(":config", 1);
    terminal.see("with all defaults");
    let file = home.path().join(".config/flambeau/config.toml");
    let text = std::fs::read_to_string(&file).expect("a file");
    assert!(text.contains("# mode = \"emacs\""), "{text}");
    std::fs::write(&file, "[editor]\nmode = \"vi\"\n").expect("a file");
    terminal.enter(":config", 1);
    terminal.see("config.toml\n[1]>");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), "[editor]\nmode = \"vi\"\n");
}

#[test]
fn a_file_is_loaded_to_be_edited() {
    let home = home();
    let script = flambeau_tests::script(home.path(), "let x = 40;\nx + 2\n");
    let mut terminal = start(&home);
    terminal.press(&format!(":load {}\r", script.display()));
    terminal.see("let x = 40;\nx + 2");
    terminal.press(" + 100\r");
    terminal.see_prompt(2);
    terminal.see("\n142\n");
    terminal.enter(&format!(":load {}", home.path().join("gone.rhai").display()), 2);
    terminal.see("cannot read");
}

#[test]
fn the_cells_of_the_session_are_listed() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let a = 1;", 2);
    terminal.enter("fn f() {\r2 }", 3);
    terminal.enter(":py a + 1", 4);
    terminal.enter("In[1] + Out[3]", 5);
    terminal.see("\nlet a = 1;2\n");
    terminal.enter(":history 3", 5);
    terminal.see("[2]> fn f() {\n         2 }\n[3] py> a + 1\n[4]> In[1] + Out[3]\n");
    assert!(!terminal.screen().contains("[1]> let a = 1;\n[2]>  fn"), "{}", terminal.screen());
    terminal.enter(":history many", 5);
    terminal.see("'many' is no number of cells");
}

#[test]
fn a_seed_makes_random_numbers_come_again() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter(":seed 7", 1);
    terminal.enter("let a = torch.rand([3]);", 2);
    terminal.enter(":seed 7", 2);
    terminal.enter("torch.equal(a, torch.rand([3]))", 3);
    terminal.see("\ntrue\n");
    terminal.enter(":seed many", 3);
    terminal.see("'many' is no integer");
}

#[test]
fn another_folder_is_where_files_are_looked_for() {
    let home = home();
    std::fs::create_dir(home.path().join("inner")).expect("a folder");
    std::fs::write(home.path().join("inner/a.txt"), "found").expect("a file");
    let mut terminal = start(&home);
    terminal.enter(&format!(":cd {}", home.path().join("inner").display()), 1);
    terminal.enter("fs.read_text(\"a.txt\")", 2);
    terminal.see("\nfound\n");
    terminal.enter(":sh cat a.txt; echo", 2);
    terminal.see("\nfound\n[2]>");
    terminal.enter(":cd nowhere", 2);
    terminal.see("cannot go to nowhere: No such file or directory");
}

#[test]
fn the_environment_is_told() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter(":env", 1);
    terminal.see("torch");
    terminal.see(".venv");
}

#[test]
fn commands_have_the_names_of_ipython_too() {
    let home = home();
    let mut terminal = start(&home);
    terminal.see_prompt(1);
    terminal.enter("%time 6 * 7", 2);
    terminal.see("\n42\ntook ");
    terminal.enter("let seen = 3;", 3);
    terminal.enter("%who", 3);
    terminal.see("seen  int  3");
    terminal.enter("%%timeit\nlet a = seen * 2;\n\n", 3);
    terminal.see("(7 runs of");
    terminal.enter("%%python\n%time seen + 1\n\n", 4);
    terminal.see("\n4\ntook ");
    // Not what divides.
    terminal.enter("%seen", 5);
    terminal.see("SyntaxError");
}

#[test]
fn of_variables_of_one_name_the_last_is_told() {
    let home = home();
    let mut terminal = start(&home);
    terminal.see_prompt(1);
    terminal.enter("let a = 1;", 2);
    terminal.enter("let b = 2;", 3);
    terminal.enter("let a = 33;", 4);
    terminal.enter(":vars", 4);
    terminal.see("\nb  int  2\na  int  33\n");
}
