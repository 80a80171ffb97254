//! CSV: numbers to tensors, mixed columns to tables, and errors that name the line.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::Script;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("compressed");
    encoder.finish().expect("compressed")
}

#[test]
fn numbers_become_a_matrix() {
    let mut script = Script::new();
    let text = "a,b,c\n1,2.5,-3e2\n4,nan,6\n";
    script.write("plain.csv", text);
    // The suffix says nothing: the first bytes do.
    script.write("zipped.csv", gzip(text));
    for name in ["plain", "zipped"] {
        let shown =
            script.show(&format!("data.read_csv(dir + \"{name}.csv\").nan_to_num(9.0).tolist()"));
        assert_eq!(shown, "[[1.0, 2.5, -300.0], [4.0, 9.0, 6.0]]");
    }
    let mut show = |code: &str| script.show(code);
    assert_eq!(show("data.read_csv(dir + \"plain.csv\").dtype"), "torch.float32");
    assert_eq!(
        show("data.read_csv(dir + \"plain.csv\", dtype: torch.float64).dtype"),
        "torch.float64"
    );
    assert_eq!(
        show(
            "data.read_csv(dir + \"plain.csv\", columns: [\"c\", 0], dtype: torch.int64).tolist()"
        ),
        "[[-300, 1], [6, 4]]"
    );
    assert_eq!(
        show("data.read_csv(dir + \"plain.csv\", columns: -1).tolist()"),
        "[[-300.0], [6.0]]"
    );
    assert_eq!(show("data.read_csv(dir + \"plain.csv\", max_rows: 1).shape"), "[1, 3]");
    script.write("semi.csv", "# note\n1;2\n\n3;\n");
    assert_eq!(
        script.show("data.read_csv(dir + \"semi.csv\", delimiter: \";\", comment: \"#\", missing: -1).tolist()"),
        "[[1.0, 2.0], [3.0, -1.0]]"
    );
    script.write("numbers.csv", "1,2\n3,4\n");
    assert_eq!(
        script.show("data.read_csv(dir + \"numbers.csv\", header: true).tolist()"),
        "[[3.0, 4.0]]"
    );
    assert_eq!(
        script.show("data.read_csv(dir + \"numbers.csv\", skip_rows: 1).tolist()"),
        "[[3.0, 4.0]]"
    );
    assert_eq!(
        script.show("data.write_csv(torch.eye(2), dir + \"eye.csv.gz\"); data.read_csv(dir + \"eye.csv.gz\").tolist()"),
        "[[1.0, 0.0], [0.0, 1.0]]"
    );
    assert_eq!(&script.read("eye.csv.gz")[..2], [0x1f, 0x8b]);
}

#[test]
fn mixed_columns_become_a_table() {
    let mut script = Script::new();
    script.write(
        "people.csv",
        "name,age,height,member,note\nAda,36,1.65,true,\"born 1815, London\"\nAlan,41,,false,\n",
    );
    script.run("let t = data.read_table(dir + \"people.csv\");");
    let mut show = |code: &str| script.show(code);
    assert_eq!(show("t.columns"), r#"["name", "age", "height", "member", "note"]"#);
    assert_eq!(show("len(t)"), "2");
    assert_eq!(show("t.age"), "tensor([36, 41])");
    assert_eq!(show("t[\"height\"].dtype"), "torch.float64");
    assert_eq!(show("t.height.isnan().tolist()"), "[false, true]");
    assert_eq!(show("t.member"), "tensor([ True, False])");
    assert_eq!(show("t.name[1]"), "Alan");
    assert_eq!(show("t[0].note"), "born 1815, London");
    assert_eq!(show("t[-1].age"), "41");
    assert_eq!(show("let ages = []; for row in t { ages.push(row.age); } ages"), "[36, 41]");
    assert_eq!(show("t.tensor([\"age\", \"height\"]).shape"), "[2, 2]");
    assert_eq!(show("t.tensor().shape"), "[2, 3]");
    assert_eq!(show("t.to_map().keys().len()"), "5");
    assert_eq!(
        show(
            "data.write_csv(t, dir + \"copy.csv\"); data.read_table(dir + \"copy.csv\").columns == t.columns"
        ),
        "true"
    );
    assert_eq!(
        show("fs.read_text(dir + \"copy.csv\")"),
        show(
            "\"name,age,height,member,note\\nAda,36,1.65,true,\\\"born 1815, London\\\"\\nAlan,41,nan,false,\\n\""
        )
    );
    script.errors(&[
        ("t[\"size\"]", "KeyError", "no column 'size'"),
        ("t[2]", "IndexError", "row 2 is out of range"),
        ("t.tensor([\"name\"])", "TypeError", "holds text"),
    ]);
}

#[test]
fn bad_tables_name_the_line() {
    let mut script = Script::new();
    script.write("ragged.csv", "a,b\n1,2\n\n3\n");
    script.write("words.csv", "a,b\n1,2\n3,four\n");
    script.write("holes.csv", "a,b\n1,2\n3,\n");
    script.write("empty.csv", "");
    script.write("quote.csv", "a,b\n1,\"2\n3,4\n");
    script.write("latin.csv", b"a,b\n1,\xe9\n");
    let whole = gzip(&"1,2\n".repeat(50_000));
    script.write("cut.csv.gz", &whole[..whole.len() - 20]);
    script.write("junk.csv.gz", [&[0x1f, 0x8b, 8, 0][..], b"no gzip data at all here"].concat());
    script.errors(&[
        ("data.read_csv(dir + \"none.csv\")", "IoError", "none.csv: no such file"),
        ("data.read_csv(dir + \"empty.csv\")", "IoError", "empty.csv: the file is empty"),
        (
            "data.read_csv(dir + \"ragged.csv\")",
            "ValueError",
            "ragged.csv, line 4: 1 cell, where the first row has 2",
        ),
        ("data.read_table(dir + \"ragged.csv\")", "ValueError", "line 4"),
        (
            "data.read_csv(dir + \"words.csv\")",
            "ValueError",
            "words.csv, line 3: column 2 ('b') is \"four\", not a number",
        ),
        (
            "data.read_csv(dir + \"words.csv\", header: false)",
            "ValueError",
            "line 1: column 1 is \"a\"",
        ),
        ("data.read_csv(dir + \"holes.csv\")", "ValueError", "line 3: column 2 ('b') is empty"),
        ("data.read_csv(dir + \"quote.csv\")", "ValueError", "line 2: a quoted cell does not end"),
        ("data.read_csv(dir + \"latin.csv\")", "ValueError", "line 2: column 2 ('b') is not UTF-8"),
        (
            "data.read_csv(dir + \"cut.csv.gz\")",
            "IoError",
            "cut.csv.gz: is truncated: the gzip data end after line",
        ),
        ("data.read_csv(dir + \"junk.csv.gz\")", "IoError", "junk.csv.gz: is "),
        ("data.read_csv(dir + \"words.csv\", columns: [\"x\"])", "KeyError", "has no column 'x'"),
        (
            "data.read_csv(dir + \"words.csv\", columns: [5])",
            "IndexError",
            "column 5 is out of range",
        ),
        (
            "data.read_csv(dir + \"words.csv\", delimiter: \"ab\")",
            "TypeError",
            "one ASCII character",
        ),
        ("data.read_csv(dir + \"words.csv\", header: 3)", "TypeError", "auto"),
        ("data.read_csv(dir + \"words.csv\", skip_rows: -1)", "TypeError", "0 or more"),
        (
            "data.write_csv(torch.zeros([2, 2, 2]), dir + \"x.csv\")",
            "ShapeError",
            "one or two dimensions",
        ),
        (
            "data.write_csv(#{a: [1], b: [1, 2]}, dir + \"x.csv\")",
            "ValueError",
            "column 'b' has 2 rows",
        ),
        ("data.write_csv(torch.eye(2), dir + \"x.csv\", header: [\"a\"])", "ValueError", "1 names"),
        (
            "data.write_csv(torch.eye(2).to(torch.complex64), dir + \"x.csv\")",
            "TypeError",
            "complex64",
        ),
    ]);
    let error = script.error("data.read_csv(dir + \"words.csv\")").error;
    assert!(error.help.expect("help").contains("data.read_table"));
}
