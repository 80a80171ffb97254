//! The prompt where things go badly: terminals that change, text that is no text, interrupts everywhere.

use std::process::Command;

use flambeau_tests::terminal::{
    CTRL_C, CTRL_D, CTRL_R, CTRL_U, LEFT, Start, Terminal, home, start,
};

#[test]
fn a_line_stays_whole_when_the_terminal_changes_its_size() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press("let text = \"");
    for columns in [60, 120, 30, 100] {
        terminal.press("0123456789012345678901234567890123456789");
        terminal.resize(24, columns);
    }
    terminal.press("\"; text.len + 1000\r");
    terminal.see_prompt(2);
    terminal.see("\n1160\n");
}

#[test]
fn output_goes_on_while_the_terminal_changes_its_size() {
    let home = home();
    let mut terminal = start(&home);
    terminal.press("for i in 0..3000 { print(`line ${i}`); }\r");
    terminal.see("line 1");
    for (rows, columns) in [(10, 40), (40, 120), (24, 100)] {
        terminal.resize(rows, columns);
    }
    terminal.see_prompt(2);
    terminal.see("line 2999");
    terminal.enter("6 * 7", 3);
    terminal.see("\n42\n");
}

#[test]
fn the_cursor_stands_behind_wide_characters() {
    let home = home();
    let mut terminal = start(&home);
    // The prompt and the quote take 6 columns.
    terminal.press("\"日本");
    terminal.wait("two wide characters", |screen| screen.contains("日本"));
    assert_eq!(terminal.column(), 10);
    terminal.press("é");
    terminal.wait("a letter", |screen| screen.contains("日本é"));
    assert_eq!(terminal.column(), 11);
    terminal.press(&format!("{LEFT}{LEFT}x"));
    terminal.wait("a letter between", |screen| screen.contains("日x本é"));
    assert_eq!(terminal.column(), 9);
    terminal.press("\x1b[F\".len + 100\r");
    terminal.see_prompt(2);
    terminal.see("\n104\n");
}

#[test]
fn ten_thousand_cells_are_searched() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("1", 2);
    terminal.press(CTRL_D);
    assert_eq!(terminal.end(), 0);
    let fill = "import sqlite3, sys\n\
                file = sqlite3.connect(sys.argv[1])\n\
                (session,) = file.execute('select max(session_id) from history').fetchone()\n\
                rows = ((session, f'let needle_{i} = {i};') for i in range(10000))\n\
                file.executemany('insert into history (session_id, entry) values (?, ?)', rows)\n\
                file.commit()";
    let history = home.path().join(".local/state/flambeau/history.sqlite");
    let python = flambeau_tests::repository().join(".venv/bin/python");
    let status = Command::new(python).args(["-c", fill]).arg(&history).status();
    assert!(status.expect("Python").success());
    let mut terminal = start(&home);
    terminal.press(CTRL_R);
    terminal.press("needle_4711 ");
    terminal.see("let needle_4711 = 4711;");
    terminal.press("\r");
    terminal.see_prompt(2);
    terminal.enter("needle_4711 + 1", 3);
    terminal.see("\n4712\n");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_of() {
    let home = home();
    // Nobody can write here, not even root.
    let mut terminal = Start::new(&[], home.path()).with("XDG_STATE_HOME", "/proc").start();
    terminal.see_prompt(1);
    terminal.see("history is not kept");
    terminal.enter("6 * 7", 2);
    terminal.see("\n42\n");
}

/// Types a cell again until its result is there: behind Ctrl-C and broken text the editor throws away what was
/// typed before it was read, as terminals do.
fn until_evaluated(terminal: &mut Terminal, cell: &str, result: &str) {
    for _ in 0..200 {
        terminal.press(&format!("{CTRL_U}{cell}\r"));
        for _ in 0..20 {
            if terminal.screen().contains(result) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    terminal.see(result);
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let home = home();
    let mut terminal = start(&home);
    let bytes: Vec<u8> = (0..=255).filter(|byte| *byte != 0x1b).collect();
    terminal.send(b"\x1b[200~");
    terminal.send(&bytes);
    terminal.send(b"\x1b[201~");
    // Such a line is given up, and what was sent with it.
    terminal.press(CTRL_C);
    until_evaluated(&mut terminal, "40 + 2 + 1000", "\n1042\n");
    terminal.send(&(0x80..=0xff).collect::<Vec<u8>>());
    terminal.press(CTRL_C);
    until_evaluated(&mut terminal, "40 + 3 + 1000", "\n1043\n");
}

#[test]
fn a_line_of_a_million_characters_is_evaluated() {
    let home = home();
    let mut terminal = start(&home);
    terminal.paste(&format!("let long = \"{}\";", "x".repeat(1_000_000)));
    terminal.press("\r");
    terminal.see_prompt(2);
    terminal.enter("long.len", 3);
    terminal.see("\n1000000\n");
}

#[test]
fn ctrl_c_while_the_engine_starts_keeps_the_prompt() {
    let home = home();
    let mut terminal = Start::new(&[], home.path()).start();
    terminal.see("[1]>");
    terminal.press("let early = (\r");
    terminal.press(CTRL_C);
    terminal.see_prompt(1);
    terminal.press("20 + 22\r");
    terminal.press(CTRL_C);
    // Whether the cell or Ctrl-C was first, the session goes on.
    until_evaluated(&mut terminal, "1000 + 42", "\n1042\n");
}

/// Interrupts a cell that prints `begun` and then works; the session has all its variables afterwards.
fn interrupted(setup: &str, cell: &str) {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("let kept = 41;", 2);
    terminal.paste(setup);
    terminal.press("\r");
    terminal.see_prompt(3);
    terminal.press(&format!("{cell}\r"));
    terminal.wait("begun", |screen| screen.lines().any(|line| line == "begun"));
    terminal.press(CTRL_C);
    terminal.see("KeyboardInterrupt");
    terminal.see_prompt(4);
    terminal.enter("kept + 1", 5);
    terminal.see("\n42\n");
}

#[test]
fn ctrl_c_stops_python() {
    let setup = "py.exec(`
    def forever():
        print('begun')
        while True:
            pass
`)";
    interrupted(setup, "py.eval(\"forever()\")");
}

#[test]
fn ctrl_c_stops_a_sleep_of_pythons() {
    let setup = "py.exec(`
    import time
    def forever():
        print('begun')
        time.sleep(1000)
`)";
    interrupted(setup, "py.eval(\"forever()\")");
}

/// The signal that ends waits is sent again where it comes to nothing, as one does just before a wait begins.
#[test]
fn ctrl_c_stops_a_sleep_that_missed_the_signal() {
    let setup = "py.exec(`
    import signal, time
    def forever():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
        print('begun')
        signal.sigwait({signal.SIGURG})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGURG})
        time.sleep(1000)
`)";
    interrupted(setup, "py.eval(\"forever()\")");
}

#[test]
fn ctrl_c_stops_operators_between_two_of_them() {
    let setup = "let a = torch.rand([200, 200]);";
    interrupted(setup, "print(\"begun\"); for i in 0..1000000 { a = a @ a; }");
}

#[test]
fn ctrl_c_stops_a_loop_with_a_progress_bar() {
    let work = "print(\"begun\"); for i in progress(0..100000) { time.sleep(0.001) }";
    interrupted("1;", work);
}
