//! Clocks, random numbers, JSON, files, the environment and progress bars.

use flambeau_runtime::script::{Event, Progress};
use serde_json::Value;

use crate::common::{Script, oracle};

#[test]
fn random_numbers_are_pythons() {
    let python: Value = serde_json::from_str(&oracle(&["random"])).expect("JSON");
    let mut script = Script::new();
    let found = script.json(
        r#"
        random.seed(123);
        let letters = ["a", "b", "c", "d", "e", "f"];
        let abc = ["a", "b", "c"];
        [
            random.random(), random.uniform(-1, 2), random.randint(1, 6), random.randrange(100),
            random.gauss(1, 2), random.gauss(), random.choice(letters), random.getrandbits(40),
            random.choices(abc, k: 4), random.choices(abc, [1, 5, 2], k: 4),
            random.sample(0..10, 4), random.sample(0..1000, 4), random.sample(0..1000, 30),
            random.shuffle(0..10),
        ]
        "#,
    );
    assert_eq!(found, python);
    script.errors(&[
        ("random.randint(2, 1)", "ValueError", "empty range"),
        ("random.choice([])", "IndexError", "empty"),
        ("random.sample([1], 2)", "ValueError", "larger sample"),
    ]);
    script
        .run("for i in 0..100 { let n = random.randint(-3, 3); if n < -3 || n > 3 { throw n; } }");
}

#[test]
fn files_and_folders() {
    let mut script = Script::new();
    let mut show = |code: &str| script.show(code);
    assert_eq!(
        show("fs.mkdir(dir + \"a/b\"); fs.mkdir(dir + \"a/b\"); fs.is_dir(dir + \"a/b\")"),
        "true"
    );
    show(
        "fs.write_text(dir + \"a/one.txt\", \"eins\"); fs.write_text(dir + \"a/b/two.txt\", \"zwei\"); fs.write_text(dir + \"a/.hidden.txt\", \"\")",
    );
    assert_eq!(show("fs.read_text(dir + \"a/one.txt\")"), "eins");
    assert_eq!(
        show("fs.append_text(dir + \"a/one.txt\", \"!\"); fs.read_text(dir + \"a/one.txt\")"),
        "eins!"
    );
    assert_eq!(show("fs.list(dir + \"a\")"), r#"[".hidden.txt", "b", "one.txt"]"#);
    assert_eq!(show("fs.glob(dir + \"a/*.txt\").map(|p| fs.basename(p))"), r#"["one.txt"]"#);
    assert_eq!(
        show("fs.glob(dir + \"**/*.txt\").map(|p| fs.basename(p))"),
        r#"["two.txt", "one.txt"]"#
    );
    assert_eq!(show("fs.glob(dir + \"a/[!b]*\").len()"), "1");
    assert_eq!(show("fs.glob(dir + \"a/.h*\").len()"), "1");
    assert_eq!(show("fs.glob(dir + \"no/*\")"), "[]");
    assert_eq!(show("fs.glob(dir + \"a/b\").len()"), "1");
    assert_eq!(show("fs.size(dir + \"a/one.txt\")"), "5");
    assert_eq!(show("(time.now() - fs.modified(dir + \"a/one.txt\")).abs() < 60.0"), "true");
    assert_eq!(
        show(
            "fs.copy(dir + \"a/one.txt\", dir + \"c\"); fs.rename(dir + \"c\", dir + \"d\"); [fs.exists(dir + \"c\"), fs.is_file(dir + \"d\")]"
        ),
        "[false, true]"
    );
    assert_eq!(show("fs.remove(dir + \"d\"); fs.exists(dir + \"d\")"), "false");
    assert_eq!(show("fs.join(\"a\", \"b/c.tar.gz\")"), "a/b/c.tar.gz");
    assert_eq!(
        show("let p = \"a/b/c.tar.gz\"; [fs.basename(p), fs.dirname(p), fs.stem(p), fs.suffix(p)]"),
        r#"["c.tar.gz", "a/b", "c.tar", ".gz"]"#
    );
    assert_eq!(show("fs.absolute(\"a/../b\") == fs.join(fs.cwd(), \"b\")"), "true");
    script.write("latin.txt", b"caf\xe9");
    script.errors(&[
        ("fs.read_text(dir + \"none\")", "IoError", "no such file"),
        ("fs.read_text(dir + \"latin.txt\")", "IoError", "byte 3"),
        ("fs.read_text(dir)", "IoError", "is a folder"),
        ("fs.list(dir + \"none\")", "IoError", "no such file or folder"),
        ("fs.remove(dir + \"a\")", "IoError", "not empty"),
        ("fs.remove(dir + \"none\")", "IoError", "no such file"),
        ("fs.mkdir(dir + \"latin.txt/x\")", "IoError", "not a folder"),
        ("fs.write_text(dir + \"x\\x00y\", \"\")", "ValueError", "NUL"),
    ]);
    script.run("fs.remove(dir + \"a\", recursive: true)");
    assert!(!script.folder.path().join("a").exists());
}

#[test]
fn json_goes_both_ways() {
    let mut script = Script::new();
    let mut show = |code: &str| script.show(code);
    assert_eq!(
        show(
            r#"json.stringify(#{b: [1, 2.5, true, ()], a: "x\"y", t: torch.eye(2), n: math.nan, d: torch.float32})"#
        ),
        show(
            r#""{\"a\":\"x\\\"y\",\"b\":[1,2.5,true,null],\"d\":\"float32\",\"n\":null,\"t\":[[1.0,0.0],[0.0,1.0]]}""#
        )
    );
    assert_eq!(
        show(r#"json.parse("{\"a\": [1, -2.5e3, null, true], \"b\": {}}")"#),
        show("#{a: [1, -2500.0, (), true], b: #{}}")
    );
    assert_eq!(show("json.parse(json.stringify(0.1 + 0.2)) == 0.1 + 0.2"), "true");
    assert_eq!(
        show("json.write(#{lr: 0.001}, dir + \"c.json\"); json.read(dir + \"c.json\").lr"),
        "0.001"
    );
    // Every digit is kept, of numbers of every size.
    script.run(
        r#"
        random.seed(1);
        for i in 0..2000 {
            let bits = torch.tensor([random.getrandbits(63)]);
            let number = bits.view(torch.float64)[0].item();
            if math.isfinite(number) && json.parse(json.stringify(number)) != number { throw number; }
        }
        "#,
    );
    script.write("bad.json", "{\"a\": 1,\n \"b\": }");
    script.write("empty.json", "");
    script.errors(&[
        ("json.parse(\"{\")", "ValueError", "line 1"),
        ("json.read(dir + \"bad.json\")", "IoError", "line 2"),
        ("json.read(dir + \"empty.json\")", "IoError", "empty"),
        ("json.stringify(|x| x)", "TypeError", "function"),
    ]);
}

#[test]
fn clocks_numbers_and_the_environment() {
    let mut script = Script::new();
    let mut show = |code: &str| script.show(code);
    assert_eq!(
        show(
            "let t = time.perf_counter(); time.sleep(0.05); let d = time.perf_counter() - t; d >= 0.05 && d < 5.0"
        ),
        "true"
    );
    assert_eq!(show("time.iso(0)"), "1970-01-01T00:00:00Z");
    assert_eq!(
        show(
            "math.sqrt(2) * math.sqrt(2) - 2.0 < 1e-9 && math.floor(-1.5) == -2 && math.ceil(3) == 3"
        ),
        "true"
    );
    assert_eq!(
        show("[math.gcd(12, 18), math.lcm(4, 6), math.comb(50, 25), math.factorial(20)]"),
        "[6, 12, 126410606437752, 2432902008176640000]"
    );
    assert_eq!(
        show(
            "[math.prod([2, 3]), math.log(8, 2), math.isclose(0.1 + 0.2, 0.3), math.isnan(math.nan)]"
        ),
        "[6, 3.0, true, true]"
    );
    assert_eq!(show("env.get(\"NO_SUCH_VARIABLE\") == ()"), "true");
    assert_eq!(show("env.get(\"NO_SUCH_VARIABLE\", 3)"), "3");
    assert_eq!(show("env.get(\"PATH\") == env.vars().PATH"), "true");
    script.errors(&[
        ("math.sqrt(-1)", "ValueError", "math domain error"),
        ("math.log(0)", "ValueError", "math domain error"),
        ("math.factorial(21)", "ArithmeticError", "64 bits"),
        ("math.floor(math.inf)", "ValueError", "no integer"),
        ("time.sleep(-1)", "ValueError", "0 seconds or more"),
    ]);
}

fn bars(script: &Script) -> Vec<Progress> {
    let events = script.events();
    events
        .into_iter()
        .filter_map(|event| match event {
            Event::Progress(progress) => Some(progress),
            _ => None,
        })
        .collect()
}

#[test]
fn progress_tells_the_first_the_last_and_a_few_between() {
    let mut script = Script::new();
    assert_eq!(
        script.show("let sum = 0; for i in progress(0..5, desc: \"adding\") { sum += i; } sum"),
        "10"
    );
    let seen = bars(&script);
    let (first, last) = (&seen[0], &seen[seen.len() - 1]);
    assert_eq!((first.done, first.total, first.finished), (0, Some(5), false));
    assert_eq!((last.done, last.desc.as_str(), last.finished), (5, "adding", true));
    assert_eq!(seen.iter().filter(|bar| bar.finished).count(), 1);

    script.run("for i in progress(0..30) { time.sleep(0.01); }");
    let seen = bars(&script);
    assert!((4..=8).contains(&seen.len()), "{} events in 0.3 s", seen.len());
    assert!(seen.windows(2).all(|pair| pair[0].done <= pair[1].done && pair[0].id == pair[1].id));

    script.run("let bar = progress([1, 2], desc: \"x\"); for i in bar { bar.set_postfix(loss: 0.31234, lr: 1e-5, n: 3, name: \"a\"); bar.set_description(`step ${i}`); }");
    let seen = bars(&script);
    let last = &seen[seen.len() - 1];
    assert_eq!(last.postfix, "loss=0.312, lr=1e-5, n=3, name=a");
    assert_eq!(last.desc, "step 2");

    script.run("for i in progress(torch.arange(10)) { if i.item() == 3 { break; } }");
    let seen = bars(&script);
    assert_eq!((seen[seen.len() - 1].done, seen[seen.len() - 1].finished), (3, true));
    script.error("for i in progress(0..9) { throw \"stop\"; }");
    assert!(bars(&script).last().expect("an event").finished);

    script.run("let bar = progress(total: 10); bar.update(); bar.update(4); if bar.n != 5 { throw bar.n; } bar.close();");
    let seen = bars(&script);
    assert_eq!(
        (seen[0].done, seen[seen.len() - 1].done, seen[seen.len() - 1].finished),
        (0, 5, true)
    );
    script.run("for i in progress(0..3, disable: true) {}");
    assert!(bars(&script).is_empty());
    script.run("let loader = data.DataLoader(torch.arange(10), batch_size: 3); for batch in progress(loader) {}");
    assert_eq!(bars(&script)[0].total, Some(4));
    script.errors(&[
        ("for i in progress(3.5) {}", "TypeError", "cannot be iterated"),
        ("for i in progress() {}", "TypeError", "nothing to loop over"),
    ]);
}
