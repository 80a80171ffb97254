//! `torch.save` and `torch.load`: structure, order, and what must not happen to old files.

use flambeau_runtime::script::Permissions;

use crate::common::Script;

#[test]
fn nested_values_come_back_as_they_were() {
    let mut script = Script::new();
    let before = script.show(
        r#"
        let value = #{
            text: "ä \"quoted\"", none: (), yes: true, int: -9007199254740993, float: 0.1, whole: 2.0,
            inf: math.inf, list: [1, [2.5, "x"], #{}], dtype: torch.bfloat16, "$": "a user's own", "a.b": torch.ones([1]),
            a: #{b: torch.zeros([2], dtype: torch.int8)}, device: torch.device("cpu"),
        };
        torch.save(value, dir + "value.st");
        value
        "#,
    );
    assert_eq!(script.show("torch.load(dir + \"value.st\")"), before);
    assert_eq!(
        script.show("torch.save(torch.eye(2), dir + \"x.st\"); torch.load(dir + \"x.st\")"),
        script.show("torch.eye(2)")
    );
    assert_eq!(script.show("torch.save(3.5, dir + \"x.st\"); torch.load(dir + \"x.st\")"), "3.5");
}

#[test]
fn a_model_comes_back_in_order_and_into_a_new_model() {
    let mut script = Script::new();
    script.run(
        r#"
        let make = || nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2));
        let model = make.call();
        let state = model.state_dict();
        torch.save(state, dir + "model.safetensors");
        let back = torch.load(dir + "model.safetensors", map_location: "cpu");
        let other = make.call();
        other.load_state_dict(back);
        model.eval();
        other.eval();
        let x = torch.randn([5, 4]);
        if !torch.equal(model(x), other(x)) { throw "another model"; }
        let keys = [];
        for key in state { keys.push(key); }
        let found = [];
        for key in back { found.push(key); }
        if keys != found { throw `${keys} ${found}`; }
        if type_of(back) != type_of(state) { throw type_of(back); }
        "#,
    );
}

#[test]
fn what_cannot_be_saved_leaves_the_old_file() {
    let mut script = Script::new();
    script.run("torch.save(#{epoch: 1}, dir + \"c.st\")");
    let old = script.read("c.st");
    script.errors(&[
        (
            "torch.save(#{a: [nn.Linear(1, 1)]}, dir + \"c.st\")",
            "TypeError",
            "cannot save a Module at 'a.0'",
        ),
        ("torch.save(|x| x, dir + \"c.st\")", "TypeError", "cannot save a function"),
        (
            "torch.save(#{x: torch.zeros([2], dtype: torch.complex128)}, dir + \"c.st\")",
            "TypeError",
            "no dtype",
        ),
        ("torch.save(#{x: torch.eye(2).to_sparse()}, dir + \"c.st\")", "TypeError", "sparse"),
        ("torch.save(1, dir + \"no/such/c.st\")", "IoError", "there is no folder"),
        (
            "let deep = 1; for i in 0..100 { deep = [deep]; } torch.save(deep, dir + \"c.st\")",
            "ValueError",
            "nested deeper",
        ),
    ]);
    assert_eq!(script.read("c.st"), old);
    let names: Vec<_> =
        std::fs::read_dir(script.folder.path()).expect("a folder").flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn damaged_structures_are_errors() {
    let mut script = Script::new();
    script.run("torch.save(#{a: torch.ones([2]), n: [1]}, dir + \"good.st\")");
    let good = String::from_utf8_lossy(&script.read("good.st")).into_owned();
    let swap = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        assert!(good.contains(from), "{good}");
        // The tensors' bytes are no text, but these files keep them: ones are 0x3f800000.
        let bytes = script.read("good.st");
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).expect("there");
        let mut bytes = bytes;
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    script.write("a.st", swap(r#"\"key\":\"a\""#, r#"\"key\":\"b\""#));
    script.write("b.st", swap(r#"\"tensor\""#, r#"\"tensxx\""#));
    script.write("c.st", swap(r#"\"n\":[1]"#, r#"\"n\":[1}"#));
    script.errors(&[
        ("torch.load(dir + \"a.st\")", "IoError", "tensor 'b' is missing"),
        ("torch.load(dir + \"b.st\")", "IoError", "broken entry of kind \"tensxx\""),
        ("torch.load(dir + \"c.st\")", "IoError", "structure is not JSON"),
        ("torch.load(dir + \"d.st\")", "IoError", "no such file"),
    ]);
}

#[test]
fn the_sandbox_is_asked_for_every_path() {
    let outside = tempfile::tempdir().expect("a folder");
    std::fs::write(outside.path().join("x.csv"), "1,2\n").expect("written");
    let inside = tempfile::tempdir().expect("a folder");
    let mut script = Script::with(Permissions {
        sandbox: true,
        write: vec![inside.path().to_owned()],
        ..Permissions::default()
    });
    script.run(&format!("let out = \"{}/\";", outside.path().display()));
    script.run(&format!("let dir = \"{}/\";", inside.path().display()));
    script.run(
        "data.write_csv(torch.eye(2), dir + \"x.csv\"); data.read_csv(dir + \"x.csv\"); fs.list(dir);",
    );
    for code in [
        "data.read_csv(out + \"x.csv\")",
        "data.read_table(out + \"x.csv\")",
        "data.read_npy(out + \"x.csv\")",
        "data.read_npz(out + \"x.csv\")",
        "data.read_safetensors(out + \"x.csv\")",
        "data.read_image(out + \"x.csv\")",
        "torch.load(out + \"x.csv\")",
        "data.write_csv(torch.eye(2), out + \"y.csv\")",
        "data.write_npy(torch.eye(2), out + \"y\")",
        "data.write_npz(#{x: torch.eye(2)}, out + \"y\")",
        "data.write_safetensors(#{x: torch.eye(2)}, out + \"y\")",
        "data.write_image(torch.rand([2, 2]), out + \"y.png\")",
        "torch.save(1, out + \"y\")",
        "plot.line([1, 2], out + \"y.svg\")",
        "plot.image(torch.rand([2, 2]), out + \"y.png\")",
        "json.read(out + \"x.csv\")",
        "json.write(1, out + \"y\")",
        "fs.exists(out + \"x.csv\")",
        "fs.list(out)",
        "fs.glob(out + \"*\")",
        "fs.read_text(out + \"x.csv\")",
        "fs.write_text(out + \"y\", \"\")",
        "fs.append_text(out + \"y\", \"\")",
        "fs.mkdir(out + \"y\")",
        "fs.remove(out + \"x.csv\")",
        "fs.rename(out + \"x.csv\", dir + \"z\")",
        "fs.rename(dir + \"x.csv\", out + \"z\")",
        "fs.copy(out + \"x.csv\", dir + \"z\")",
        "fs.copy(dir + \"x.csv\", out + \"z\")",
        "fs.size(out + \"x.csv\")",
        "fs.modified(out + \"x.csv\")",
        "fs.absolute(\"x\")",
        "fs.cwd()",
        "fs.read_text(dir + \"../\" + fs.basename(out.split(\"/\")[-2]) + \"/x.csv\")",
        "env.get(\"HOME\")",
        "env.vars()",
    ] {
        let error = script.error(code).error;
        assert_eq!(error.kind.name(), "PermissionError", "{error} from {code}");
    }
    let left: Vec<_> = std::fs::read_dir(outside.path()).expect("a folder").flatten().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(outside.path(), inside.path().join("link")).expect("a link");
        let error = script.error("fs.read_text(dir + \"link/x.csv\")").error;
        assert_eq!(error.kind.name(), "PermissionError", "{error}");
        let error = script.error("fs.remove(dir + \"link/x.csv\")").error;
        assert_eq!(error.kind.name(), "PermissionError", "{error}");
    }
}
