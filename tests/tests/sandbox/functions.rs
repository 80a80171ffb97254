//! Every function and operator that takes a path asks before it opens anything: found by going through all
//! that is declared, so that a new one cannot be forgotten.

use flambeau_runtime::torch::{Schema, Type, namespaces, operator, operator_names};
use flambeau_tests::session::{Recorded, on_deep_stack};

use crate::{attempt, lines, run};

/// Names of text arguments that are paths.
const PATHS: &[&str] =
    &["path", "f", "filename", "file", "source", "target", "pattern", "dir", "folder", "out"];

/// Names of text arguments that are none.
const NO_PATHS: &[&str] = &[
    "metric",
    "metrics",
    "by",
    "sweep",
    "x",
    "activation",
    "compute_mode",
    "profile",
    "approximate",
    "cmap",
    "delimiter",
    "desc",
    "driver",
    "equation",
    "indexing",
    "interpolation",
    "label",
    "labels",
    "mode",
    "name",
    "names",
    "nonlinearity",
    "norm",
    "ord",
    "order",
    "pad_mode",
    "padding",
    "padding_mode",
    "parts",
    "prefix",
    "reduce",
    "reduction",
    "rounding_mode",
    "s",
    "side",
    "text",
    "threshold_mode",
    "title",
    "unit",
    "UPLO",
    "xlabel",
    "ylabel",
    "anneal_strategy",
    "line_search_fn",
    "header",
    "missing",
    "distance",
    "parametrization",
    "type",
    "param_names",
    "scale_mode",
    "fan",
    "padding_side",
    "colorbar",
    "module_name",
    "target_name",
    "key",
    "xscale",
    "yscale",
    "value",
    "scale",
    "columns",
    "dim_names",
    "comment",
    "encoding",
    "newline",
    "kind",
    "format",
    "style",
    "prompt",
    "display_id",
];

/// Functions that look at the text of a path and at no file.
const TEXT_ONLY: &[&str] =
    &["fs.basename", "fs.dirname", "fs.stem", "fs.suffix", "fs.join", "fs.absolute"];

/// Whether the text argument `name` of `function` is a path; a module's `target` is the name of a module.
fn is_path(function: &str, name: &str) -> bool {
    PATHS.contains(&name) && !function.starts_with("Module.")
}

fn is_text(ty: &Type) -> bool {
    match ty.required() {
        Type::Str => true,
        Type::List(item, _) => **item == Type::Str,
        _ => false,
    }
}

/// Text for an argument of a call.
fn argument(ty: &Type, name: &str, is_path: bool, path: &str) -> String {
    match ty.required() {
        Type::Str if is_path => format!("{path:?}"),
        Type::Str => "\"text\"".to_owned(),
        Type::Tensor => "torch.zeros([2, 2])".to_owned(),
        Type::Int | Type::Float | Type::Scalar => "1".to_owned(),
        Type::Bool => "true".to_owned(),
        Type::Map => "#{}".to_owned(),
        Type::List(..) => "[]".to_owned(),
        _ if name == "tensors" => "#{a: torch.zeros([2])}".to_owned(),
        _ => "torch.zeros([2, 2])".to_owned(),
    }
}

/// A call of every declared function that takes a path.
fn calls(path: &str) -> Vec<(String, String)> {
    let mut calls = Vec::new();
    let mut unknown = Vec::new();
    for function in Recorded::new().session.functions() {
        let schema = Schema::parse(function.schema).expect("a signature");
        let name = function.schema.split('(').next().unwrap_or_default().trim().to_owned();
        for argument in schema.arguments.iter().filter(|argument| is_text(&argument.ty)) {
            let argument = argument.name.as_str();
            if !PATHS.contains(&argument) && !NO_PATHS.contains(&argument) {
                unknown.push(format!("{argument} of {name}"));
            }
        }
        let takes_path = schema
            .arguments
            .iter()
            .any(|argument| is_text(&argument.ty) && is_path(&name, &argument.name));
        if !takes_path || TEXT_ONLY.contains(&name.as_str()) {
            continue;
        }
        let arguments: Vec<String> = schema
            .arguments
            .iter()
            .filter(|a| a.default.is_none() || is_path(&name, &a.name))
            .map(|a| {
                let text = argument(&a.ty, &a.name, is_path(&name, &a.name), path);
                format!("{}: {text}", a.name)
            })
            .collect();
        calls.push((name.clone(), format!("{name}({})", arguments.join(", "))));
    }
    assert!(unknown.is_empty(), "say in this test whether these arguments are paths: {unknown:?}");
    calls
}

#[test]
fn every_function_that_takes_a_path_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).expect("a folder");
    for path in ["/etc/passwd".to_owned(), folder.path().join("new.png").display().to_string()] {
        let calls = on_deep_stack({
            let path = path.clone();
            move || calls(&path)
        });
        assert!(calls.len() > 25, "only {} functions take a path", calls.len());
        let code: String = calls.iter().map(|(name, call)| attempt(name, call)).collect();
        // A folder that is allowed does not open others.
        let allowed = format!("--allow-write={}", inside.display());
        for options in [&["--sandbox"][..], &["--sandbox", &allowed][..]] {
            let outcome = run(folder.path(), &code, options);
            let lines = lines(&outcome);
            assert_eq!(lines.len(), calls.len(), "{outcome:?}");
            for line in lines {
                assert!(line.ends_with(" PermissionError"), "{path}: {line}");
            }
        }
        assert!(!folder.path().join("new.png").exists());
    }
}

#[test]
fn functions_of_files_work_where_they_are_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let inside = folder.path().join("inside");
    std::fs::create_dir(&inside).expect("a folder");
    let path = inside.join("text.txt").display().to_string();
    let code = format!("fs.write_text({path:?}, \"x\"); print(fs.read_text({path:?}));");
    let allowed = format!("--allow-write={}", inside.display());
    assert_eq!(lines(&run(folder.path(), &code, &["--sandbox", &allowed])), ["x"]);
}

#[test]
fn every_operator_that_opens_a_file_asks() {
    let mut found = Vec::new();
    for namespace in namespaces() {
        for name in operator_names(&namespace) {
            let Some(operator) = operator(&namespace, &name) else { continue };
            for overload in &operator.overloads {
                for argument in overload.schema.arguments.iter().filter(|a| is_text(&a.ty)) {
                    let name = argument.name.as_str();
                    if ["file", "path", "dir", "folder"].iter().any(|word| name.contains(word)) {
                        found.push(overload.schema.name.clone());
                    }
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found.retain(|name| !name.ends_with("from_file"));
    assert_eq!(found, [""; 0], "operators that this test does not call");

    let folder = tempfile::tempdir().expect("a folder");
    let new = folder.path().join("new").display().to_string();
    let mut code = String::new();
    for (i, call) in [
        "torch.from_file(PATH, false, 10, dtype: torch.uint8)",
        "torch.from_file(PATH, size: 10, dtype: torch.uint8)",
        "torch.from_file(filename: PATH, size: 10, dtype: torch.uint8)",
        "torch.ops.aten.from_file(PATH, false, 10, dtype: torch.uint8)",
        "torch.ops.aten.from_file.out(PATH, false, 10, out: torch.zeros([10], dtype: torch.uint8))",
        "torch.from_file(PATH, true, 10, dtype: torch.uint8)",
        "let f = torch.from_file; f.call(PATH, false, 10, dtype: torch.uint8)",
        "let f = torch.ops.aten.from_file; f(PATH, false, 10, dtype: torch.uint8)",
    ]
    .iter()
    .enumerate()
    {
        for path in ["/etc/passwd", &new] {
            code.push_str(&attempt(&format!("{i}"), &call.replace("PATH", &format!("{path:?}"))));
        }
    }
    let outcome = run(folder.path(), &code, &["--sandbox"]);
    for line in lines(&outcome) {
        // The `out` form takes no dtype and may not exist as a call.
        let fine = line.ends_with(" PermissionError")
            || (line.starts_with("4 ") && !line.ends_with(" ok"));
        assert!(fine, "{line}");
    }
    assert!(!folder.path().join("new").exists());
}

#[test]
fn environment_and_processes_are_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let code = [
        attempt("get", "env.get(\"HOME\")"),
        attempt("default", "env.get(\"HOME\", \"x\")"),
        attempt("vars", "env.vars()"),
        attempt("held", "let f = env.get; f(\"HOME\")"),
        "print(args);".to_owned(),
    ]
    .concat();
    let outcome = run(folder.path(), &code, &["--sandbox"]);
    let wanted = ["get", "default", "vars", "held"].map(|name| format!("{name} PermissionError"));
    assert_eq!(lines(&outcome)[..4], wanted);
    // There is nothing that starts a process; who adds it adds a test here.
    let names: Vec<&str> = on_deep_stack(|| {
        let functions = Recorded::new().session.functions();
        functions.iter().map(|f| f.schema.split('(').next().unwrap_or_default()).collect()
    });
    for word in ["exec", "spawn", "system", "process", "popen", "command", "shell", "dlopen"] {
        // A thread, which runs a script's file with the same permissions.
        let is_other = |name: &&&str| name.contains(word) && **name != "worker.spawn";
        let found: Vec<&&str> = names.iter().filter(is_other).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}
