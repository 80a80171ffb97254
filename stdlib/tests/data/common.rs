//! What the tests share: a session whose events are kept, a folder, and the Python that they ask.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flambeau_runtime::script::{Event, Options, Permissions, Report, Session};
use rhai::Dynamic;
use tempfile::TempDir;

/// A session with the library; `dir` is a folder of its own in scripts.
pub struct Script {
    session: Session,
    /// What the session told its front end.
    events: Arc<Mutex<Vec<Event>>>,
    /// The folder, removed at the end.
    pub folder: TempDir,
    /// The default generator and the threads belong to the whole process: one script at a time.
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl Script {
    pub fn new() -> Script {
        Script::with(Permissions::default())
    }

    pub fn with(permissions: Permissions) -> Script {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let kept = events.clone();
        let mut session = Session::new(Options {
            libraries: flambeau_stdlib::libraries(),
            permissions,
            output: Arc::new(move |event| {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(event)
            }),
            ..Options::default()
        });
        let folder = tempfile::tempdir().expect("a folder");
        session.set("dir", Dynamic::from(format!("{}/", folder.path().display()))).expect("a name");
        Script { session, events, folder, _alone: alone }
    }

    /// What the session has told its front end since the last look.
    pub fn events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Evaluates a cell.
    #[track_caller]
    pub fn run(&mut self, code: &str) {
        drop(self.value(code));
    }

    /// The value of a cell.
    #[track_caller]
    pub fn value(&mut self, code: &str) -> Dynamic {
        match self.session.evaluate("test", code) {
            Ok(value) => value,
            Err(report) => panic!("{} (line {}) in:\n{code}", report.error, report.line),
        }
    }

    /// What the value of a cell looks like.
    #[track_caller]
    pub fn show(&mut self, code: &str) -> String {
        let value = self.value(code);
        self.session.display(&value)
    }

    /// The value of a cell as JSON.
    #[track_caller]
    pub fn json(&mut self, code: &str) -> serde_json::Value {
        let text = self.value(&format!("json.stringify({{ {code} }})"));
        serde_json::from_str(&text.to_string()).expect("JSON")
    }

    /// The error of a cell.
    #[track_caller]
    pub fn error(&mut self, code: &str) -> Report {
        match self.session.evaluate("test", code) {
            Ok(value) => panic!("no error, but {value} from:\n{code}"),
            Err(report) => *report,
        }
    }

    /// Evaluates every cell, whose error must be of a kind and say something.
    #[track_caller]
    pub fn errors(&mut self, cases: &[(&str, &str, &str)]) {
        for (code, kind, expected) in cases {
            let error = self.error(code).error;
            assert_eq!(error.kind.name(), *kind, "{error} from {code}");
            assert!(error.message.contains(expected), "{error} should say {expected:?}\n{code}");
        }
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), content).expect("written");
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).expect(name)
    }
}

/// Runs oracle.py with the Python that libtorch comes from, and gives what it printed.
#[track_caller]
pub fn oracle(args: &[&str]) -> String {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../.venv/bin/python");
    let output = Command::new(python)
        .arg("-W")
        .arg("ignore")
        .arg(here.join("tests/data/oracle.py"))
        .args(args)
        .output()
        .expect("the .venv that `make` builds");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "oracle.py {args:?} failed:\n{stderr}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
