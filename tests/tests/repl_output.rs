//! Output at the prompt: what comes while a cell is typed, progress, long results.

use flambeau_tests::terminal::{home, start};

/// A thread of Python's that waits until it may print.
const THREAD: &str = "py.exec(`
    import threading
    go = threading.Event()
    def speak():
        go.wait()
        print('first', end='')
        print(' half', flush=True)
        print('10%\\r90%\\r100%')
        for i in range(50):
            print('line', i)
    thread = threading.Thread(target=speak)
    thread.start()
`); py.exec(\"threading.Timer(0.3, go.set).start()\")";

#[test]
fn what_a_thread_prints_comes_above_the_line_that_is_typed() {
    let home = home();
    let mut terminal = start(&home);
    terminal.paste(THREAD);
    terminal.press("\r");
    terminal.see_prompt(2);
    terminal.press("let typed = 40 +");
    terminal.see("line 49");
    terminal.wait("the line below", |screen| {
        screen.trim_end().ends_with("line 49\n[2]> let typed = 40 +")
    });
    terminal.press(" 2;\r");
    terminal.see_prompt(3);
    terminal.enter("typed", 4);
    terminal.see("\n42\n");
    let raw = terminal.raw().replace("\r\n", "\n");
    // Lines come whole, and of a bar its last state.
    for line in ["first half\n", "100%\n", "line 0\n"] {
        assert!(raw.contains(line), "{line} in {raw}");
    }
    assert!(!raw.contains("90%\r"), "{raw}");
}

#[test]
fn progress_leaves_the_prompt_alone() {
    let home = home();
    let mut terminal = start(&home);
    terminal.enter("for i in progress(0..3, desc: \"steps\") { time.sleep(0.1) }", 2);
    let screen = terminal.screen();
    assert!(screen.contains("steps: 100% 3/3"), "{screen}");
    assert!(!screen.contains('█'), "the bar is gone:\n{screen}");
    // One that an error leaves unfinished stays where it was.
    terminal.enter("for i in progress(0..3, desc: \"fails\") { if i == 1 { throw \"no\" } }", 3);
    terminal.enter("6 * 7", 4);
    terminal.see("\n42\n");
}
