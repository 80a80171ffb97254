//! A script of the real program that runs on until it is interrupted.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Outcome, flambeau, script};

/// A script that has said "ready" and runs on.
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Starts a script and waits until it has printed "ready", which must come first.
    ///
    /// # Panics
    /// When it prints something else.
    pub fn start(code: &str) -> Running {
        Running::start_with(&[], code)
    }

    /// [`Running::start`] with options of `flambeau run`.
    ///
    /// # Panics
    /// As there.
    pub fn start_with(options: &[&str], code: &str) -> Running {
        Running::start_beside(&[], options, code)
    }

    /// [`Running::start_with`], with other files beside the script.
    ///
    /// # Panics
    /// As there.
    pub fn start_beside(files: &[(&str, &str)], options: &[&str], code: &str) -> Running {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let path = script(folder.path(), code);
        let mut child = flambeau()
            .arg("run")
            .args(options)
            .arg(path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        Running { child, stdout, _folder: folder }
    }

    /// Ctrl-C.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn press(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", &format!("kill -INT {pid}")]).status();
        assert!(sent.expect("a shell").success());
    }

    /// Waits for its end; the output is what came after "ready".
    ///
    /// # Panics
    /// When it runs on for longer.
    pub fn end(mut self, within: Duration) -> Outcome {
        let begin = Instant::now();
        while self.child.try_wait().expect("a child").is_none() {
            if begin.elapsed() > within {
                self.child.kill().expect("a child");
                panic!("still running after {within:?}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).expect("text");
        self.child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
        Outcome { code: self.child.wait().expect("it has ended").code(), stdout, stderr }
    }
}
