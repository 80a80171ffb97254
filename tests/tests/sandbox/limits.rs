//! `--max-seconds`, `--max-memory` and `--max-operations` end a script, whatever it does about it.

use crate::run;

/// Scripts that would run for ever or grow without end, each in another way.
const ENDLESS: &[&str] = &[
    "loop {}",
    "let n = 0; while true { n += 1; }",
    "fn f() { loop {} } f();",
    "loop { try { loop {} } catch (e) { print(\"caught\"); } }",
    "fn f() { loop {} } try { f(); } catch (e) { print(\"caught\"); }",
    "try { let f = || { loop {} }; f(); } catch (e) { print(\"caught\"); }",
    "try { [1].map(|x| { loop {} }); } catch (e) { print(\"caught\"); }",
    "try { eval(\"loop {}\"); } catch (e) { print(\"caught\"); }",
    "let x = torch.ones([4]); loop { x = x * 1.0; }",
    "let d = data.Dataset(10000000, |i| torch.zeros([2])); \
     try { for b in data.DataLoader(d, batch_size: 10000000) { print(b); } } catch (e) { print(\"caught\"); }",
    "let w = torch.ones([2], requires_grad: true); w.register_hook(|g| { loop {} }); \
     try { w.sum().backward(); } catch (e) { print(\"caught\"); }",
    "let net = nn.Module(#{forward: |x| { loop {} }}); \
     try { net(torch.ones([1])); } catch (e) { print(\"caught\"); }",
    "for i in 0..9223372036854775807 { let x = i; }",
    // Rhai drops a `try` in which nothing is called.
    "try { import \"endless\" as m; print(m::i); } catch (e) { print(\"caught\"); }",
];

fn check(options: &[&str], code: &str, says: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("endless.rhai"), "let i = 0; loop { i += 1; }")
        .expect("written");
    let outcome = run(folder.path(), code, options);
    assert_eq!(outcome.code, Some(1), "{code}: {outcome:?}");
    assert!(outcome.stderr.contains("LimitError"), "{code}: {outcome:?}");
    assert!(outcome.stderr.contains(says), "{code}: {outcome:?}");
    assert!(!outcome.stdout.contains("caught"), "{code}: {outcome:?}");
}

#[test]
fn time_ends_a_script() {
    for code in ENDLESS {
        check(&["--max-seconds", "0.3"], code, "--max-seconds");
    }
    check(&["--max-seconds", "0.3"], "time.sleep(1000.0);", "--max-seconds");
}

#[test]
fn operations_end_a_script() {
    for code in ENDLESS.iter().filter(|code| !code.contains("DataLoader")) {
        check(&["--max-operations", "20000"], code, "--max-operations");
    }
}

/// Scripts that want more than 100 MB, each in another way.
const HUNGRY: &[&str] = &[
    "let x = torch.zeros([100000000]);",
    "let xs = []; loop { xs.push(torch.zeros([1000, 1000])); }",
    "try { let x = torch.zeros([100000000]); } catch (e) { print(\"caught\"); }",
    "let s = \"x\"; loop { s += s; }",
    "try { let s = \"x\"; loop { s += s; } } catch (e) { print(\"caught\"); }",
    "let a = []; a.pad(1000000000, 1);",
    "let m = #{}; let i = 0; loop { let s = \"\"; s.pad(100000, 'x'); m[`key ${i}`] = s; i += 1; }",
    "let all = []; loop { let s = \"\"; s.pad(100000, 'x'); all.push(s + all.len()); }",
    "let b = blob(1000000000);",
    "let s = \"\"; s.pad(1000000000, 'x');",
    "let x = torch.arange(50000000).tolist();",
    "let x = torch.zeros([20000000], dtype: torch.uint8).tolist();",
    "let s = \"x\"; loop { s = `${s}${s}`; }",
    "let a = [1]; loop { a += a; }",
    "let a = []; loop { a = [a, a, a]; }",
    "fn f(x) { [x, x, x].map(|y| y) } let a = [0]; loop { a = [f(a), f(a)]; }",
    "let x = torch.ones([1000]); let y = x; loop { y = torch.cat([y, y]); }",
];

#[test]
fn memory_ends_a_script() {
    for code in HUNGRY {
        check(&["--max-memory", "100M", "--max-seconds", "60"], code, "memory");
    }
}

#[test]
fn limits_do_not_disturb_what_keeps_to_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let code =
        "let s = 0; for i in 0..1000 { let x = torch.zeros([1000, 1000]); s += i; } print(s);";
    let options =
        ["--sandbox", "--max-seconds", "60", "--max-memory", "100M", "--max-operations", "100000"];
    let outcome = run(folder.path(), code, &options);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "499500\n"), "{outcome:?}");
}
