//! Writing where it cannot be done: the old file stays, and nothing else lies beside it.

use std::path::Path;
use std::process::{Command, Stdio};

use flambeau_tests::session::{Recorded, on_deep_stack};
use flambeau_tests::{outcome, program, repository, script};

use crate::kind;

/// Every function that writes a file, with content that takes more than a few kilobytes.
const WRITERS: &[(&str, &str)] = &[
    ("x.npy", "data.write_npy(torch.rand([100, 100]), path);"),
    ("x.npz", "data.write_npz(#{a: torch.rand([100, 100])}, path);"),
    ("x.safetensors", "data.write_safetensors(#{a: torch.rand([100, 100])}, path);"),
    ("saved.safetensors", "torch.save(nn.Linear(100, 100).state_dict(), path);"),
    ("x.csv", "data.write_csv(torch.rand([100, 100]), path);"),
    ("x.csv.gz", "data.write_csv(torch.rand([100, 100]), path);"),
    ("x.png", "data.write_image(torch.rand([3, 100, 100]), path);"),
    ("x.jpg", "data.write_image(torch.rand([3, 200, 200]), path, quality: 100);"),
    ("x.json", "json.write(torch.rand([10000]).tolist(), path);"),
    ("x.txt", "let text = \"\"; text.pad(20000, 'x'); fs.write_text(path, text);"),
    ("plot.png", "plot.image(torch.rand([200, 200]), path);"),
    ("line.svg", "plot.line(torch.rand([1000]), path);"),
    ("copy.bin", "fs.copy(source, path);"),
];

fn with_path(path: &Path, code: &str) -> String {
    let source = repository().join("Cargo.lock").display().to_string();
    format!("let path = {:?}; let source = {source:?}; {code}", path.display().to_string())
}

#[test]
fn a_missing_folder_is_an_io_error() {
    on_deep_stack(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recorded = Recorded::new();
        for (name, write) in WRITERS {
            let path = folder.path().join("no/such/folder").join(name);
            assert_eq!(kind(&mut recorded, &with_path(&path, write)), "IoError", "{write}");
            // A file where a folder should be.
            let file = folder.path().join("file");
            std::fs::write(&file, "x").expect("written");
            let found = kind(&mut recorded, &with_path(&file.join(name), write));
            assert_eq!(found, "IoError", "{write}");
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files_is_an_io_error() {
    on_deep_stack(|| {
        let mut recorded = Recorded::new();
        for (name, write) in WRITERS {
            // Nobody makes files there, not even root.
            let path = Path::new("/proc").join(name);
            assert_eq!(kind(&mut recorded, &with_path(&path, write)), "IoError", "{write}");
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_without_room_is_an_io_error_and_stays() {
    on_deep_stack(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut recorded = Recorded::new();
        for (name, write) in WRITERS {
            // Functions that go by the end of a name find it in a link.
            let path = folder.path().join(name);
            std::os::unix::fs::symlink("/dev/full", &path).expect("a link");
            assert_eq!(kind(&mut recorded, &with_path(&path, write)), "IoError", "{write}");
            assert!(std::fs::symlink_metadata(&path).expect("still there").is_symlink(), "{write}");
        }
        assert!(!std::fs::metadata("/dev/full").expect("still there").is_file());
    });
}

#[cfg(unix)]
#[test]
fn a_disk_that_is_full_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("place");
    for (name, write) in WRITERS {
        std::fs::create_dir(&place).expect("a folder");
        let path = place.join(name);
        std::fs::write(&path, "old").expect("written");
        let code = with_path(&path, write);
        let code = format!("try {{ {code} print(\"ok\"); }} catch (e) {{ print(e.kind); }}");
        let script = script(folder.path(), &code);
        // No file grows beyond 2 KiB; the signal that says so is ignored, so that writing fails.
        let outcome = outcome(
            Command::new("sh")
                .args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$@\"", "sh"])
                .arg(program())
                .arg("run")
                .arg(&script)
                .current_dir(repository())
                .stdin(Stdio::null()),
        );
        assert_eq!(outcome.stdout, "IoError\n", "{write}: {outcome:?}");
        assert_eq!(std::fs::read(&path).expect("the old file"), b"old", "{write}");
        let beside = std::fs::read_dir(&place).expect("a folder").count();
        assert_eq!(beside, 1, "{write}: something was left beside the file");
        std::fs::remove_dir_all(&place).expect("removed");
    }
}
