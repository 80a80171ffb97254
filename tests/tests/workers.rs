//! `worker`: scripts on threads of their own, in the real program.

use std::path::Path;
use std::time::Duration;

use flambeau_tests::running::Running;
use flambeau_tests::{Outcome, flambeau, outcome, script};

/// Runs a script with other files beside it.
fn run(files: &[(&str, &str)], code: &str) -> Outcome {
    run_with(&[], files, code)
}

fn run_with(options: &[&str], files: &[(&str, &str)], code: &str) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), files);
    let path = script(folder.path(), code);
    outcome(flambeau().env("FLAMBEAU_FAULTS", "1").arg("run").args(options).arg(path))
}

fn put(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file");
    }
}

/// What a script prints that ends well.
#[track_caller]
fn prints(files: &[(&str, &str)], code: &str, expected: &str) {
    let outcome = run(files, code);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, expected);
}

/// What a script complains of.
#[track_caller]
fn fails(files: &[(&str, &str)], code: &str, words: &[&str]) {
    let outcome = run(files, code);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for word in words {
        assert!(outcome.stderr.contains(word), "no {word:?} in\n{}", outcome.stderr);
    }
}

#[test]
fn a_worker_gives_the_value_of_its_file() {
    prints(
        &[
            ("w.rhai", "import \"lib\" as lib;\nlib::twice(worker.args.x)"),
            ("lib.rhai", "fn twice(x) { x * 2 }"),
        ],
        "let w = worker.spawn(\"w.rhai\", #{x: 21});\nprint(w.join());\nprint(w.join());\nprint(w.is_running);",
        "42\n42\nfalse\n",
    );
}

#[test]
fn tensors_share_their_elements() {
    prints(
        &[(
            "w.rhai",
            "let x = worker.args.x;\nx.fill_(3.0);\n\
             worker.send([x.data_ptr(), x.requires_grad, x.is_leaf, x.grad]);\n\
             let y = torch.ones([2]);\nworker.send(y);\ny.data_ptr()",
        )],
        "let x = torch.zeros([2]);\nlet p = torch.ones([2], requires_grad: true);\n\
         let w = worker.spawn(\"w.rhai\", #{x: x});\n\
         print(w.recv() == [x.data_ptr(), false, true, ()]);\n\
         let y = w.recv();\nprint(y.data_ptr() == w.join());\nprint(x);\n\
         let c = worker.channel();\nc.send(p);\nlet q = c.recv();\n\
         print([q.data_ptr() == p.data_ptr(), q.requires_grad, q.is_leaf]);",
        "true\ntrue\ntensor([3., 3.])\n[true, true, true]\n",
    );
}

#[test]
fn a_storage_that_was_sent_keeps_its_size() {
    fails(
        &[],
        "let x = torch.zeros([2]);\nlet c = worker.channel();\nc.send(x);\nx.resize_([100]);",
        &["not resizable"],
    );
}

#[test]
fn what_cannot_be_sent_is_named() {
    for (value, words) in [
        (
            "#{model: nn.Linear(2, 2)}",
            ["the value.model cannot be sent: it is of type Module", "model.state_dict()"],
        ),
        (
            "[1, [2, |x| x]]",
            ["the value[1][1] cannot be sent: it is of type function", "worker.map"],
        ),
        (
            "#{a: optim.SGD([torch.ones([1], requires_grad: true)], lr: 0.1)}",
            ["the value.a cannot be sent: it is of type Optimizer", "state_dict()"],
        ),
        ("torch.Generator()", ["the value cannot be sent: it is of type Generator", "a seed"]),
        (
            "#{y: torch.ones([2], requires_grad: true) * 2}",
            ["the value.y is a tensor that requires grad and is no leaf", "x.detach()"],
        ),
    ] {
        let code = format!(
            "let c = worker.channel();\ntry {{ c.send({value}); }} catch (e) {{ print(c.len()); throw e; }}"
        );
        let outcome = run(&[], &code);
        assert_eq!(outcome.stdout, "0\n", "{value}: {}", outcome.stderr);
        for word in words {
            assert!(outcome.stderr.contains(word), "{value}: {}", outcome.stderr);
        }
    }
}

#[test]
fn an_error_arrives_with_its_kind_and_its_calls() {
    let worker = "fn inner(x) {\n    x.reshape([3])\n}\nfn outer(x) { inner(x) }\nouter(torch.zeros([2]));\n";
    fails(
        &[("w.rhai", worker)],
        "let w = worker.spawn(\"w.rhai\");\nfn wait(w) { w.join() }\nwait(w);",
        &[
            "ShapeError",
            "script.rhai:3",
            "w.rhai:5\n    outer(torch.zeros([2]));",
            "w.rhai:4 in outer",
            "w.rhai:2 in inner\n    x.reshape([3])",
        ],
    );
    prints(
        &[("w.rhai", "throw #{code: 7};")],
        "let w = worker.spawn(\"w.rhai\");\ntry { w.join(); } catch (e) { print(e.code); }\n\
         try { w.recv(); } catch (e) { print(e.code); }",
        "7\n7\n",
    );
    fails(
        &[("w.rhai", "let x = ;")],
        "worker.spawn(\"w.rhai\").join();",
        &["SyntaxError", "w.rhai:1"],
    );
    fails(&[], "worker.spawn(\"missing.rhai\");", &["IoError", "no such file"]);
    fails(
        &[("w.rhai", "nn.Linear(1, 1)")],
        "worker.spawn(\"w.rhai\").join();",
        &["the value of the worker's file cannot be sent: it is of type Module"],
    );
    fails(
        &[("w.rhai", "py.import(\"math\")")],
        "worker.spawn(\"w.rhai\").join();",
        &["NotImplementedError: a worker cannot use Python"],
    );
    fails(&[], "worker.recv();", &["recv() is for scripts that worker.spawn() has started"]);
}

#[test]
fn an_error_that_nobody_asks_for_is_told() {
    let outcome = run(
        &[("w.rhai", "1 + ();")],
        "{ let w = worker.spawn(\"w.rhai\"); while w.is_running { } }",
    );
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("w.rhai failed, and nobody waits for it"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_panic_is_an_error() {
    fails(
        &[("w.rhai", "faults.panic(\"on purpose\");")],
        "worker.spawn(\"w.rhai\").join();",
        &["RuntimeError: a worker panicked: on purpose"],
    );
    fails(
        &[],
        "fn f(x) { faults.panic(\"on purpose\") }\nworker.map([1, 2], f, workers: 2);",
        &["RuntimeError: ", "a worker panicked: on purpose"],
    );
}

#[test]
fn channels_end() {
    prints(
        &[("w.rhai", "for i in 0..5 { worker.args.c.send(i); }\nworker.args.c.close();")],
        "let c = worker.channel(2);\nlet w = worker.spawn(\"w.rhai\", #{c: c});\nlet sum = 0;\n\
         for x in c { sum += x; }\nprint(sum);\nprint(c.is_closed);\nprint(type_of(c.try_recv()));\n\
         try { c.send(1); } catch (e) { print(e.kind); }\ntry { c.recv(); } catch (e) { print(e.message); }",
        "10\ntrue\n()\nValueError\nthe channel is closed, and all was taken out\n",
    );
    // A sender that has ended without closing it.
    fails(
        &[("w.rhai", "worker.args.c.send(1);")],
        "let c = worker.channel();\nlet w = worker.spawn(\"w.rhai\", #{c: c});\nw.join();\nprint(c.recv());\nc.recv();",
        &["the channel is empty and nobody else holds it"],
    );
    fails(
        &[],
        "worker.channel(1).send(1);\nworker.channel(0).send(1);",
        &["the channel is full and nobody else holds it"],
    );
    fails(
        &[("w.rhai", "worker.recv();")],
        "let w = worker.spawn(\"w.rhai\"); w.recv(timeout: 0.05);",
        &["has sent nothing within 0.05 s"],
    );
    fails(
        &[("w.rhai", "1")],
        "let w = worker.spawn(\"w.rhai\"); w.recv();",
        &["has ended and has sent nothing more"],
    );
    fails(
        &[("w.rhai", "loop { }")],
        "worker.spawn(\"w.rhai\").join(timeout: 0.05);",
        &["has not ended within 0.05 s"],
    );
}

#[test]
fn a_worker_can_be_stopped() {
    prints(
        &[("w.rhai", "worker.send(1);\nloop { }"), ("v.rhai", "worker.send(1);\nworker.recv();")],
        "for file in [\"w.rhai\", \"v.rhai\"] {\n    let w = worker.spawn(file);\n    w.recv();\n    w.stop();\n    print(w.join() == ());\n    print(w);\n}",
        "true\n<Worker w.rhai: ended>\ntrue\n<Worker v.rhai: ended>\n",
    );
}

#[test]
fn workers_that_still_run_end_with_the_session() {
    prints(
        &[("w.rhai", "worker.send(1);\nloop { time.sleep(0.001); }")],
        "for i in 0..5 { let w = worker.spawn(\"w.rhai\"); w.recv(); }\nprint(\"done\");",
        "done\n",
    );
}

#[test]
fn workers_may_start_workers() {
    prints(
        &[
            ("a.rhai", "let w = worker.spawn(\"b.rhai\", #{n: worker.args.n + 1});\nw.join() * 10"),
            ("b.rhai", "worker.args.n"),
        ],
        "print(worker.spawn(\"a.rhai\", #{n: 1}).join());",
        "20\n",
    );
}

#[test]
fn a_thousand_workers_one_after_another() {
    prints(
        &[("w.rhai", "worker.args.i")],
        "let sum = 0;\nfor i in 0..1000 { sum += worker.spawn(\"w.rhai\", #{i: i}).join(); }\nprint(sum);",
        "499500\n",
    );
}

#[test]
fn output_comes_in_whole_lines() {
    let outcome = run(
        &[("v.rhai", "for i in 0..200 { print(worker.args.text); }")],
        "let all = [];\nfor k in [\"aaaaaaaaaa\", \"bbbbbbbbbb\"] { all.push(worker.spawn(\"v.rhai\", #{text: k})); }\nfor w in all { w.join(); }",
    );
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 400);
    assert!(lines.iter().all(|line| ["aaaaaaaaaa", "bbbbbbbbbb"].contains(line)));
}

#[test]
fn map_gives_results_in_order() {
    prints(
        &[("lib.rhai", "fn inc(x) { x + 1 }"), ("roll.rhai", "let k = 10;\nfn step(x) { x * k }")],
        "import \"lib\" as lib;\nprint(\"once\");\nlet offset = 100;\n\
         fn helper(x) { lib::inc(x) }\nfn step(x) { helper(x) + offset }\n\
         print(worker.map(0..6, step, workers: 2));\nprint(worker.map([1, 2, 3], Fn(\"step\"), workers: 3));\n\
         print(worker.map([1, 2], \"roll.rhai::step\", workers: 2));\nprint(worker.map([], step));\n\
         print(worker.map([torch.ones([2]), torch.zeros([2])], Fn(\"total\"), workers: 2));\n\
         fn total(x) { x.sum().item() }",
        "once\n[101, 102, 103, 104, 105, 106]\n[102, 103, 104]\n[10, 20]\n[]\n[2.0, 0.0]\n",
    );
}

#[test]
fn the_first_error_of_map_stops_the_others() {
    fails(
        &[],
        "fn step(x) {\n    if x == 1 { throw `bad ${x}`; }\n    loop { }\n}\nworker.map([0, 1], step, workers: 2);",
        &["item 1: bad 1", "script.rhai:5", "script.rhai:2 in step"],
    );
    fails(
        &[("r.rhai", "fn f(x) { x }")],
        "worker.map([1], \"r.rhai::g\");",
        &["r.rhai defines no function g of one item"],
    );
    fails(&[], "worker.map([1], \"r.rhai\");", &["ValueError", "names no function"]);
    fails(
        &[],
        "worker.map([1], |x| x);",
        &["TypeError", "a closure belongs to this script", "fn step(item)"],
    );
    fails(
        &[],
        "fn f(x) { nn.Linear(1, 1) }\nworker.map([1], f);",
        &["item 0: the result cannot be sent: it is of type Module"],
    );
    fails(
        &[],
        "let m = nn.Linear(1, 1);\nfn f(x) { m(x) }\nworker.map([1], f);",
        &[
            "NameError: item 0: the worker has no variable 'm'",
            "m cannot be sent: it is of type Module",
        ],
    );
    fails(
        &[],
        "fn f(x) { x }\nworker.map([nn.Linear(1, 1)], f);",
        &["TypeError: items[0] cannot be sent: it is of type Module"],
    );
    fails(
        &[],
        "fn f(x) { x }\nworker.map([1], f, workers: 0);",
        &["workers must be 1 to 1024, not 0"],
    );
}

const SOON: Duration = Duration::from_secs(5);

#[test]
fn ctrl_c_stops_all() {
    for code in [
        "worker.spawn(\"w.rhai\").join();",
        "worker.spawn(\"w.rhai\").recv();",
        "let c = worker.channel(); worker.spawn(\"w.rhai\", #{c: c}); c.recv();",
        "let c = worker.channel(1); worker.spawn(\"w.rhai\", #{c: c}); loop { c.send(1); }",
        "let c = worker.channel(1); worker.spawn(\"w.rhai\", #{c: c}); for x in c { }",
        "fn f(x) { loop { } } worker.map([1, 2, 3], f, workers: 2);",
        "worker.spawn(\"w.rhai\"); loop { }",
        "try { worker.spawn(\"w.rhai\").join(); } catch (e) { print(\"caught\"); }",
    ] {
        let code = format!("print(\"ready\");\n{code}");
        let running = Running::start_beside(&[("w.rhai", "loop { }")], &[], &code);
        std::thread::sleep(Duration::from_millis(150));
        running.press();
        let outcome = running.end(SOON);
        assert_eq!(outcome.code, Some(130), "{code}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{code}");
    }
}

#[test]
fn limits_hold_for_workers_too() {
    let outcome = run_with(
        &["--max-seconds", "0.5"],
        &[("w.rhai", "loop { }")],
        "worker.spawn(\"w.rhai\").join();",
    );
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("longer than 0.5 s"), "{}", outcome.stderr);
    let outcome = run_with(
        &["--max-operations", "100000"],
        &[("w.rhai", "let i = 0; while i < 30000 { i += 1; }")],
        "for k in 0..100 { worker.spawn(\"w.rhai\").join(); }",
    );
    assert!(outcome.stderr.contains("more than 100000 operations"), "{}", outcome.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    put(folder.path(), &[("w.rhai", "fs.read_text(\"/etc/hostname\")")]);
    let path = script(folder.path(), "worker.spawn(\"w.rhai\").join();");
    let allow = format!("--allow-read={}", folder.path().display());
    let outcome = outcome_of(&["--sandbox", &allow], &path);
    assert!(outcome.stderr.contains("PermissionError"), "{}", outcome.stderr);
    let outcome = outcome_of(&["--sandbox"], &path);
    assert!(outcome.stderr.contains("the sandbox denies to read"), "{}", outcome.stderr);
}

fn outcome_of(options: &[&str], path: &Path) -> Outcome {
    outcome(flambeau().arg("run").args(options).arg(path))
}

#[test]
fn threads_of_torch_are_each_workers_own() {
    prints(
        &[("w.rhai", "torch.get_num_threads()")],
        "torch.set_num_threads(3);\nprint(worker.spawn(\"w.rhai\").join());\n\
         print(worker.spawn(\"w.rhai\", threads: 2).join());\nprint(torch.get_num_threads());\n\
         fn count(x) { torch.get_num_threads() }\nprint(worker.map([1, 2], count, workers: 2, threads: 2));\nprint(worker.map([1], count));",
        "1\n2\n3\n[2, 2]\n[3]\n",
    );
}
