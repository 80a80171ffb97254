//! Ways around the comparison of paths: links, dots, prefixes, the process's own files.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::{attempt, lines, run};

/// A folder with `open/` (allowed), `openness/` and `secret.txt` (not), and links between them.
fn scene() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    for name in ["open", "open/deep", "openness"] {
        std::fs::create_dir(at(name)).expect("a folder");
    }
    for name in ["secret.txt", "open/fine.txt", "openness/secret.txt"] {
        std::fs::write(at(name), "text").expect("written");
    }
    std::fs::write(at("secret.rhai"), "fn f() { 1 }").expect("written");
    std::fs::write(at("open/part.rhai"), "fn f() { 1 }").expect("written");
    symlink("../secret.txt", at("open/link.txt")).expect("a link");
    symlink("..", at("open/up")).expect("a link");
    symlink("/", at("open/root")).expect("a link");
    symlink("../new.txt", at("open/dangling.txt")).expect("a link");
    symlink("link.txt", at("open/deep/../twice.txt")).expect("a link");
    symlink("fine.txt", at("open/inner.txt")).expect("a link");
    symlink("../secret.rhai", at("open/linked.rhai")).expect("a link");
    symlink("open", at("alias")).expect("a link");
    folder
}

fn shown(folder: &Path, name: &str) -> String {
    format!("{:?}", folder.join(name).display().to_string())
}

#[test]
fn nothing_leads_out_of_an_allowed_folder() {
    let folder = scene();
    let read = |name: &str| attempt(name, &format!("fs.read_text({})", shown(folder.path(), name)));
    let write = |name: &str| {
        attempt(name, &format!("fs.write_text({}, \"changed\")", shown(folder.path(), name)))
    };
    let out = [
        "secret.txt",
        "openness/secret.txt",
        "open/../secret.txt",
        "open/deep/../../secret.txt",
        "open/link.txt",
        "open/up/secret.txt",
        "open/root/etc/passwd",
        "open/twice.txt",
        "open/no/../../secret.txt",
        "open/./../secret.txt",
        "open//../secret.txt",
        "open/dangling.txt",
        "open",
        "open/deep/../up/secret.txt",
    ];
    let mut code = String::new();
    for name in out {
        code.push_str(&read(name));
        code.push_str(&write(name));
    }
    for (i, path) in [
        "/etc/passwd",
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
        "/proc/self/cwd/Cargo.toml",
        "/dev/stdin",
        "/proc/self/fd/0",
        "/proc/self/mem",
        "Cargo.toml",
        "./Cargo.toml",
    ]
    .iter()
    .enumerate()
    {
        code.push_str(&attempt(&format!("absolute {i}"), &format!("fs.read_text({path:?})")));
    }
    let open = folder.path().join("open").display().to_string();
    let secret = shown(folder.path(), "secret.txt");
    for (name, call) in [
        ("copy out", format!("fs.copy(\"{open}/fine.txt\", {})", shown(folder.path(), "out.txt"))),
        ("copy in", format!("fs.copy({secret}, \"{open}/in.txt\")")),
        (
            "rename out",
            format!("fs.rename(\"{open}/fine.txt\", {})", shown(folder.path(), "o.txt")),
        ),
        ("rename in", format!("fs.rename({secret}, \"{open}/in.txt\")")),
        ("remove", format!("fs.remove({secret})")),
        ("remove above", format!("fs.remove(\"{open}/up\", recursive: true)")),
        ("mkdir", format!("fs.mkdir({})", shown(folder.path(), "made"))),
        ("list", "fs.list(\"/etc\")".to_owned()),
        ("list up", format!("fs.list(\"{open}/up\")")),
        ("glob", "fs.glob(\"/etc/pass*\")".to_owned()),
        ("exists", format!("fs.exists({secret})")),
        ("size", format!("fs.size({secret})")),
        ("import", format!("import {} as m", shown(folder.path(), "secret"))),
        ("import link", format!("import \"{open}/linked\" as m")),
        ("import dots", format!("import \"{open}/../secret\" as m")),
        ("import passwd", "import \"/etc/passwd\" as m".to_owned()),
    ] {
        code.push_str(&attempt(name, &call));
    }
    let allowed = format!("--allow-write={open}");
    let outcome = run(folder.path(), &code, &["--sandbox", &allowed]);
    for line in lines(&outcome) {
        // The folder itself may be opened; it is no file.
        let fine = line.ends_with(" PermissionError")
            || line == "open IoError"
            || line == "remove above ok";
        assert!(fine, "{line}");
    }
    for name in ["secret.txt", "openness/secret.txt"] {
        assert_eq!(std::fs::read_to_string(folder.path().join(name)).expect("still there"), "text");
    }
    for name in ["new.txt", "out.txt", "o.txt", "made"] {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
}

#[test]
fn what_is_allowed_is_reached_by_every_name() {
    let folder = scene();
    let mut code = String::new();
    for name in [
        "open/fine.txt",
        "open/deep/../fine.txt",
        "open/inner.txt",
        "open/up/open/fine.txt",
        "openness/../open/fine.txt",
        "alias/fine.txt",
    ] {
        code.push_str(&attempt(name, &format!("fs.read_text({})", shown(folder.path(), name))));
    }
    code.push_str(&attempt(
        "import",
        &format!("import {} as m", shown(folder.path(), "open/part")),
    ));
    // Allowed by the folder's own name, and by that of a link to it.
    for name in ["open", "open/", "alias", "open/../open"] {
        let allowed = format!("--allow-read={}", folder.path().join(name).display());
        let outcome = run(folder.path(), &code, &["--sandbox", &allowed]);
        for line in lines(&outcome) {
            assert!(line.ends_with(" ok"), "{name}: {line}");
        }
        let write = format!("fs.write_text({}, \"x\")", shown(folder.path(), "open/fine.txt"));
        let outcome = run(folder.path(), &attempt("write", &write), &["--sandbox", &allowed]);
        assert_eq!(lines(&outcome), ["write PermissionError"]);
    }
}

#[test]
fn one_file_is_allowed_exactly() {
    let folder = scene();
    let code = ["secret.txt", "secret.txt.old", "secret", "open/link.txt", "open/fine.txt"]
        .map(|name| attempt(name, &format!("fs.read_text({})", shown(folder.path(), name))));
    let allowed = format!("--allow-read={}", folder.path().join("secret.txt").display());
    let outcome = run(folder.path(), &code.concat(), &["--sandbox", &allowed]);
    assert_eq!(
        lines(&outcome),
        [
            "secret.txt ok",
            "secret.txt.old PermissionError",
            "secret PermissionError",
            "open/link.txt ok",
            "open/fine.txt PermissionError"
        ]
    );
}

#[test]
fn a_link_that_the_script_would_follow_when_writing_stays_inside() {
    let folder = scene();
    let open = folder.path().join("open").display().to_string();
    let code = format!(
        "{}{}",
        attempt("csv", &format!("data.write_csv(torch.ones([2, 2]), \"{open}/link.txt\")")),
        attempt("save", &format!("torch.save(torch.ones([2]), \"{open}/dangling.txt\")"))
    );
    let allowed = format!("--allow-write={open}");
    let outcome = run(folder.path(), &code, &["--sandbox", &allowed]);
    assert_eq!(lines(&outcome), ["csv PermissionError", "save PermissionError"]);
}
