//! Scripts before and after the pass.

#![allow(clippy::expect_used)]

use super::*;

/// A session with a variable `model`, a function `helper`, and a function that reads `late`.
fn earlier() -> Earlier {
    Earlier {
        variables: HashSet::from(["model".to_owned()]),
        functions: HashSet::from(["helper".to_owned()]),
        read: HashSet::from(["late".to_owned()]),
        captured: HashSet::new(),
    }
}

fn check(before: &str, after: &str) {
    let engine = Engine::new();
    let got = desugar(&engine, before, &earlier());
    assert_eq!(got.text, after, "of {before}");
}

#[test]
fn named_arguments_become_a_map() {
    check("x.sum(dim: 1)", "x.sum(#{dim: 1})");
    check("f(a, b: g(c: 1), d: [1, 2])", "f(a, #{b: g(#{c: 1}), d: [1, 2]})");
    check("let m = #{a: 1}; f(#{a: 1})", "let m = #{a: 1}; f(#{a: 1})");
    check("x.sum(dim: 1,)", "x.sum(#{dim: 1,})");
    check("f(1, shared: false, debug: x)", "f(1, #{\"shared\": false, \"debug\": x})");
    check("f(module: m); #{module: m, a: 1}", "f(#{\"module\": m}); #{\"module\": m, a: 1}");
    check("torch.zeros([2], dtype: torch.int64)", "torch.zeros([2], #{dtype: torch.int64})");
}

#[test]
fn a_name_alone_in_a_map_is_an_entry_of_that_name() {
    check("#{step, loss}", "#{step: step, loss: loss}");
    check("f(#{a, b: 1, c,})", "f(#{a: a, b: 1, c: c,})");
    check("#{a: [b, c], d: #{e}}", "#{a: [b, c], d: #{e: e}}");
    check("let o = 1; let f = || o; #{o}", "let o = 1; let f = || o; #{o: o}");
    check("{ a }; [a, b]; f(a, b)", "{ a }; [a, b]; f(a, b)");
}

#[test]
fn calls_of_variables_become_method_calls() {
    check("let f = |x| x; f(3)", "let f = |x| x; f.__call__(3)");
    check("model(x, dim: 1)", "model.__call__(x, #{dim: 1})");
    check("fn f(x) { x } f(3)", "fn f(x) { x } f(3)");
    check("fn g(h) { h(1) }", "fn g(h) { h.__call__(1) }");
    check("fn g(x) { model(x) }", "fn g(x) { model.__call__(x) }");
    check("for f in fs { f(1) } f(2)", "for f in fs { f.__call__(1) } f(2)");
    check("let a = []; a[0](1)(2)", "let a = []; a[0].__call__(1).__call__(2)");
    check("f()(x)", "f().__call__(x)");
    check("let a = []; a[0]()()", "let a = []; a[0].__call__().__call__()");
    check("xs.map(|f| f(1))", "xs.map(|f| f.__call__(1))");
    check("xs.map(|f| { f(1) }); f(2)", "xs.map(|f| { f.__call__(1) }); f(2)");
    check("x.model(1)", "x.model(1)");
    check("let f = 1; { let g = 2; g(1) } g(1)", "let f = 1; { let g = 2; g.__call__(1) } g(1)");
    check("model()", "model.__call__()");
    check("model.eval(); model.call(1)", "model.__word_eval(); model.call(1)");
}

#[test]
fn what_closures_capture_is_called_through_a_copy_of_its_handle() {
    check(
        "let o = h(); o.step(|| o.zero_grad())",
        "let o = h(); __held__(|| o).step(|| __held__(|| o).zero_grad())",
    );
    check(
        "let f = (); f = |n| f(n - 1); f(1)",
        "let f = (); f = |n| __held__(|| f).__call__(n - 1); __held__(|| f).__call__(1)",
    );
    check(
        "let o = h(); let g = |o| o.step(); o.step()",
        "let o = h(); let g = |o| o.step(); o.step()",
    );
    check(
        "let m = h(); let g = || m; m.n.x = 1; m.f().x = 2",
        "let m = h(); let g = || m; m.n.x = 1; m.f().x = 2",
    );
    check("fn g(o) { o.step(|| o) }", "fn g(o) { __held__(|| o).step(|| o) }");
}

#[test]
fn a_mode_ends_with_its_brace() {
    check("no_grad { x } [y]", "no_grad { x } ;[y]");
    check("f(); no_grad { x }\n(y)", "f(); no_grad { x }\n;(y)");
    check(
        "let y = no_grad { x }[0]; if a { b } else { c }",
        "let y = no_grad { x }[0]; if a { b } else { c }",
    );
}

#[test]
fn the_younger_of_a_variable_and_a_function_is_called() {
    check("helper(1)", "helper(1)");
    check("let helper = |x| x; helper(1)", "let helper = |x| x; helper.__call__(1)");
    check("fn g(helper) { helper(1) }", "fn g(helper) { helper.__call__(1) }");
    check("fn model(x) { x } model(1)", "fn model(x) { x } model(1)");
    check(
        "fn g(x) { act(x) } let act = 1;",
        "fn g(x) { act.__call__(x) } let act = 1; __share__(\"act\", || act);",
    );
    check("let late = 1;", "let late = 1; __share__(\"late\", || late);");
}

#[test]
fn interpolations_are_read_as_code() {
    check(
        "`a ${model(1)} b ${f(x: 1)}` + model(2)",
        "`a ${model.__call__(1)} b ${f(#{x: 1})}` + model.__call__(2)",
    );
    check(
        "`a ${ `in ${model(1)}` }` ; model(2)",
        "`a ${ `in ${model.__call__(1)}` }` ; model.__call__(2)",
    );
}

#[test]
fn caught_errors_get_their_shape_and_shared_names_their_cell() {
    check(
        "try { f() } catch (e) { e.kind }",
        "try { f() } catch (e) { e = __error_of__(e); e.kind }",
    );
    check(
        "let w = 1; fn f(x) { w * x } let v = 2;",
        "let w = 1; __share__(\"w\", || w); fn f(x) { w * x } let v = 2;",
    );
}

#[test]
fn logical_or_is_no_closure() {
    check("if a || b { model(1) }", "if a || b { model.__call__(1) }");
    check("let x = a | b; model(x)", "let x = a | b; model.__call__(x)");
}

#[test]
fn positions_map_back() {
    let engine = Engine::new();
    let got = desugar(&engine, "let a = 1;\nmodel(x, dim: 1) + bad", &earlier());
    let line = got.text.lines().nth(1).expect("two lines");
    for (i, c) in line.chars().enumerate().filter(|(_, c)| *c == 'b') {
        let original = got.original(Position::new(2, i as u16 + 1));
        assert_eq!(original.position(), Some(20), "{c}");
    }
}

#[test]
fn words_of_blocks_and_keywords_are_names_behind_a_dot() {
    let mut engine = Engine::new();
    crate::script::syntax::register(&mut engine);
    let check = |before: &str, after: &str| {
        assert_eq!(desugar(&engine, before, &earlier()).text, after, "of {before}");
    };
    check("t.no_grad()", "t.__word_no_grad()");
    check("py.import(\"a\", b: 1)", "py.__word_import(\"a\", #{b: 1})");
    check("x.loop; x.print(1)", "x.__word_loop; x.__word_print(1)");
    check("with a.b(c: 1) as f { f(1) }", "with a.b(#{c: 1}) as f { f.__call__(1) }");
    check("with a { 1 } [1]", "with a { 1 } ;[1]");
}
