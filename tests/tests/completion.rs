//! What the session offers at the cursor, marked by `|`.

use flambeau_tests::session::Recorded;

/// The word's beginning and the offered texts.
fn offered(session: &Recorded, code: &str) -> (usize, Vec<String>) {
    let cursor = code.find('|').expect("a cursor");
    let (start, items) = session.session.complete(&code.replacen('|', "", 1), cursor);
    (start, items.into_iter().map(|item| item.text).collect())
}

fn check(setup: &str, code: &str, first: &[&str]) {
    let mut session = Recorded::new();
    let (_, error) = session.run("setup", setup);
    assert!(error.is_none(), "{error:?}");
    let (_, found) = offered(&session, code);
    let found: Vec<&str> = found.iter().map(String::as_str).take(first.len()).collect();
    assert_eq!(found, first, "{code}");
}

#[test]
fn names_of_namespaces() {
    check("", "torch.linalg.sv|", &["svd", "svdvals"]);
    check("", "nn.LayerN|", &["LayerNorm"]);
    check("", "optim.adamw|", &["AdamW"]);
    check("", "let x = F.cross_e|", &["cross_entropy"]);
    check("", "torch.float3|", &["float32"]);
}

#[test]
fn letters_in_order_where_nothing_begins_so() {
    check("", "F.crent|", &["cross_entropy"]);
}

#[test]
fn names_in_scope_before_words_of_the_language() {
    check("let forest = 1;", "fo|", &["forest", "for"]);
    check("fn forge(x, y) { x }", "forg|", &["forge"]);
    check("", "tor|", &["torch"]);
}

#[test]
fn members_of_values() {
    check("let x = torch.ones([2]);", "x.requires_grad|", &["requires_grad", "requires_grad_"]);
    check("let x = torch.ones([2]);", "x.grad.cumpr|", &["cumprod"]);
    check("let m = #{alpha: #{beta: 1}};", "m.al|", &["alpha"]);
    check("let m = #{alpha: #{beta: 1}};", "m.alpha.|", &["beta"]);
    check("let m = #{alpha: 1};", "m[\"|", &["alpha"]);
    check("let model = nn.Linear(2, 3);", "model.wei|", &["weight"]);
    check("let model = nn.Linear(2, 3);", "model.weight.requires_gr|", &["requires_grad"]);
    check("let xs = [1];", "xs.pu|", &["push"]);
    check("", "torch.ones([2]).cumpr|", &["cumprod"]);
}

#[test]
fn arguments_of_the_call_at_hand() {
    check("let x = torch.ones([2, 3]);", "x.sum(di|", &["dim: "]);
    check("let x = torch.ones([2, 3]);", "x.sum(dim: 0, kee|", &["keepdim: "]);
    check("", "nn.Linear(4, 5, bi|", &["bias: "]);
    check("let x = torch.ones([2, 3]);", "x.sum(#{di|", &["dim: "]);
    check("let x = torch.ones([2, 3]);", "x.sum(#{dim: 0, kee|", &["keepdim: "]);
    check("let x = torch.ones([2, 3]);", "x.sum(DI|", &["dim: "]);
    check("let x = torch.ones([2, 3]); let dimension = 1;", "x.sum([di|", &["dimension"]);
}

#[test]
fn nothing_is_evaluated() {
    let mut session = Recorded::new();
    let (_, error) = session.run("setup", "let calls = 0; fn f() { print(\"called\"); 1 }");
    assert!(error.is_none());
    for code in ["f().|", "[f()].|", "print(\"x\").|", "f(|", "f()[|"] {
        offered(&session, code);
    }
    assert_eq!(session.run("look", "print(calls)").0, "0\n");
}

/// The signature's text, its active argument and its help.
fn call(setup: &str, code: &str) -> Option<(String, String, String)> {
    let mut session = Recorded::new();
    let (_, error) = session.run("setup", setup);
    assert!(error.is_none(), "{error:?}");
    let cursor = code.find('|').expect("a cursor");
    let found = session.session.signature(&code.replacen('|', "", 1), cursor)?;
    let active = found.active.map(|range| found.text[range].to_owned());
    Some((found.text, active.unwrap_or_default(), found.help.unwrap_or_default()))
}

#[test]
fn the_call_around_the_cursor_has_a_signature() {
    let (text, active, help) = call("", "nn.Linear(4, |").expect("a call");
    assert!(
        text.starts_with("Linear(in_features: int, out_features: int, bias: bool = True"),
        "{text}"
    );
    assert_eq!(active, "out_features: int");
    assert!(!help.is_empty());
    let (text, active, _) = call("let x = torch.ones([2]);", "x.sum(dim: [0|").expect("a call");
    assert!(text.starts_with("sum(dim: int[1]?, keepdim: bool = False"), "{text}");
    assert!(active.starts_with("dim: "), "{active}");
    let (_, active, _) = call("", "torch.zeros([2], dtype: |").expect("a call");
    assert!(active.starts_with("dtype: "), "{active}");
    let (text, active, _) = call("fn mine(a, b) { a }", "mine(1, |").expect("a call");
    assert_eq!((text.as_str(), active.as_str()), ("mine(a, b)", "b"));
    assert_eq!(call("", "unknown(|"), None);
    assert_eq!(call("", "1 + |"), None);
}

#[test]
fn files_between_quotes() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("data")).expect("a folder");
    std::fs::write(folder.path().join("data.csv"), "").expect("a file");
    let session = Recorded::new();
    let code = format!("read(\"{}/da|", folder.path().display());
    let (start, found) = offered(&session, &code);
    assert_eq!(found, ["data.csv", "data/"]);
    assert_eq!(&code[start..], "da|");
}

#[test]
fn a_cursor_that_is_nowhere_is_no_trouble() {
    let session = Recorded::new().session;
    for cursor in [1, 2, 100] {
        assert!(session.complete("é", cursor).1.len() < 10_000);
    }
}
