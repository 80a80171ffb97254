//! Ctrl-C: stops scripts, and whatever hangs.

use std::time::Duration;

use flambeau_tests::running::Running;

fn start(code: &str) -> Running {
    Running::start(&format!("print(\"ready\");\n{code}"))
}

/// Exit code, output, complaints.
fn end(running: Running) -> (Option<i32>, String, String) {
    let outcome = running.end(SOON);
    (outcome.code, outcome.stdout, outcome.stderr)
}

const SOON: Duration = Duration::from_secs(5);

#[test]
fn stops_an_endless_loop() {
    let running = start("loop {}");
    running.press();
    let (code, out, err) = end(running);
    assert_eq!(code, Some(130), "{err}");
    assert_eq!(out, "");
    assert!(err.contains("KeyboardInterrupt"), "{err}");
}

#[test]
fn stops_between_two_operators() {
    let running = start("let a = torch.ones([4]);\nloop { a = a * 1.0; }");
    running.press();
    assert_eq!(end(running).0, Some(130));
}

#[test]
fn stops_within_a_closure_that_native_code_calls() {
    let running = start("let a = [1]; a.map(|x| { loop {} });");
    running.press();
    assert_eq!(end(running).0, Some(130));
}

#[test]
fn pressed_twice_ends_what_does_not_listen() {
    // One operator that runs for minutes.
    let running = start("torch.linalg.svd(torch.rand([6000, 6000]));");
    std::thread::sleep(Duration::from_millis(300));
    running.press();
    std::thread::sleep(Duration::from_millis(300));
    running.press();
    let (code, _, err) = end(running);
    assert_eq!(code, Some(130), "{err}");
}

#[test]
fn is_not_caught_by_the_script() {
    let running = start("loop { try { loop {} } catch (e) { print(`caught ${e}`); } }");
    running.press();
    let (code, out, err) = end(running);
    assert_eq!(code, Some(130), "{err}");
    assert_eq!(out, "");
}

#[test]
fn stops_within_native_loops() {
    for code in [
        "let d = data.Dataset(10000000, |i| torch.zeros([2]));\n\
         for b in data.DataLoader(d, batch_size: 10000000) { }",
        "let d = data.TensorDataset(torch.zeros([100000, 2]));\n\
         loop { for b in data.DataLoader(d, batch_size: 1, num_workers: 1) { } }",
        "let w = torch.ones([2], requires_grad: true);\n\
         let opt = optim.LBFGS([w], max_iter: 1000000000, max_eval: 1000000000, \
             tolerance_grad: -1.0, tolerance_change: -1.0, lr: 1e-9);\n\
         loop { opt.step(|| { w.grad = (); let loss = (w * w).sum(); loss.backward(); loss }); }",
        "let w = torch.ones([2], requires_grad: true);\n\
         let opt = optim.AdamW([w]);\n\
         w.grad = torch.ones([2]);\n\
         loop { opt.step(); }",
        "time.sleep(1000.0);",
    ] {
        let running = start(code);
        running.press();
        let (exit, out, err) = end(running);
        assert_eq!(exit, Some(130), "{code}: {err}");
        assert_eq!(out, "");
    }
}

#[test]
fn is_not_caught_behind_functions_that_call_closures() {
    for code in [
        "try { [1].map(|x| { loop {} }); } catch (e) { print(\"caught\"); }",
        "try { [2, 1].sort(|a, b| { loop {} }); } catch { print(\"caught\"); } print(\"after\");",
        "try { throw 1 } catch (e) { loop {} }",
        "let w = torch.ones([2], requires_grad: true); w.register_hook(|g| { loop {} });\n\
         try { w.sum().backward(); } catch (e) { print(\"caught\"); }",
    ] {
        let running = start(code);
        running.press();
        let (exit, out, err) = end(running);
        assert_eq!(exit, Some(130), "{code}: {err}");
        assert_eq!(out, "", "{code}");
    }
}
