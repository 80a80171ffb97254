//! What a sandboxed script may touch. Paths are resolved (links and `..` included) before they are
//! compared, so a link inside an allowed folder does not lead out of it.

use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Kind, Result};

/// What a script may do; everything, unless sandboxed.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// Whether anything is denied at all.
    pub sandbox: bool,
    /// Files and folders that may be read.
    pub read: Vec<PathBuf>,
    /// Files and folders that may be written (and read).
    pub write: Vec<PathBuf>,
    /// Whether Python may run: it can do everything.
    pub python: bool,
}

impl Permissions {
    /// The path, resolved, if it may be read.
    ///
    /// # Errors
    /// A `PermissionError` that names the option to allow it.
    pub fn readable(&self, path: &str) -> Result<PathBuf> {
        let resolved = checked(path)?;
        if !self.sandbox {
            return Ok(PathBuf::from(path));
        }
        let allowed = self.read.iter().chain(&self.write);
        if is_within(&resolved, allowed) { Ok(resolved) } else { Err(denied("read", path)) }
    }

    /// The path, resolved, if it may be written.
    ///
    /// # Errors
    /// A `PermissionError` that names the option to allow it.
    pub fn writable(&self, path: &str) -> Result<PathBuf> {
        let resolved = checked(path)?;
        if !self.sandbox {
            return Ok(PathBuf::from(path));
        }
        if is_within(&resolved, self.write.iter()) {
            Ok(resolved)
        } else {
            Err(denied("write", path))
        }
    }

    /// Whether Python may run.
    ///
    /// # Errors
    /// A `PermissionError` that names the option to allow it.
    pub fn python(&self) -> Result<()> {
        if !self.sandbox || self.python {
            return Ok(());
        }
        Err(Error::new(Kind::Permission, "the sandbox denies Python")
            .help("allow it with --allow-python; whoever has Python has everything"))
    }

    /// Whether environment variables may be read.
    ///
    /// # Errors
    /// A `PermissionError` in the sandbox.
    pub fn environment(&self) -> Result<()> {
        self.deny("environment variables")
    }

    /// Whether processes may be started.
    ///
    /// # Errors
    /// A `PermissionError` in the sandbox.
    pub fn processes(&self) -> Result<()> {
        self.deny("processes")
    }

    /// Whether code outside the language may be loaded (libraries, CUDA sources).
    ///
    /// # Errors
    /// A `PermissionError` in the sandbox.
    pub fn native_code(&self) -> Result<()> {
        self.deny("native code")
    }

    fn deny(&self, what: &str) -> Result<()> {
        if self.sandbox {
            Err(Error::new(Kind::Permission, format!("the sandbox denies {what}")))
        } else {
            Ok(())
        }
    }
}

fn denied(verb: &str, path: &str) -> Error {
    Error::new(Kind::Permission, format!("the sandbox denies to {verb} {path:?}"))
        .help(format!("allow it with --allow-{verb}=PATH"))
}

/// Refuses what no file system takes, and resolves the rest.
fn checked(path: &str) -> Result<PathBuf> {
    if path.is_empty() {
        return Err(Error::value("a path must not be empty"));
    }
    if path.contains('\0') {
        return Err(Error::value("a path must not contain a NUL character"));
    }
    Ok(resolve(Path::new(path)))
}

/// The absolute path without links and `..`. What does not exist yet is resolved as far as it does;
/// `..` behind that point is taken off the text, as nothing there can be a link.
fn resolve(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut known = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                known.pop();
            }
            Component::CurDir => {}
            other => {
                known.push(other);
                if let Ok(real) = known.canonicalize() {
                    known = real;
                } else if let Ok(target) = std::fs::read_link(&known) {
                    // A dangling link: what is opened through it is its target.
                    let base = known.parent().map(Path::to_owned).unwrap_or_default();
                    known = resolve(&base.join(target));
                }
            }
        }
    }
    known
}

fn is_within<'a>(path: &Path, allowed: impl IntoIterator<Item = &'a PathBuf>) -> bool {
    allowed.into_iter().any(|root| path.starts_with(resolve(root)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_dots_do_not_lead_out() {
        let base =
            std::env::temp_dir().join(format!("flambeau-permissions-{}", std::process::id()));
        let inside = base.join("inside");
        std::fs::create_dir_all(&inside).expect("a folder");
        let _ = std::fs::remove_file(inside.join("link"));
        let _ = std::fs::remove_file(inside.join("dangling"));
        std::os::unix::fs::symlink("/etc", inside.join("link")).expect("a link");
        std::os::unix::fs::symlink("../outside.txt", inside.join("dangling")).expect("a link");
        let permissions = Permissions {
            sandbox: true,
            read: vec![inside.clone()],
            write: vec![inside.clone()],
            python: false,
        };
        let ask =
            |rest: &str| permissions.readable(&format!("{}/{rest}", inside.display())).is_ok();
        assert!(ask("data.csv"));
        assert!(ask("new/../data.csv"));
        assert!(!ask("../outside.txt"));
        assert!(!ask("new/../../outside.txt"));
        assert!(!ask("link/passwd"));
        assert!(!ask("dangling"));
        let write = format!("{}/dangling", inside.display());
        assert!(permissions.writable(&write).is_err());
        assert!(permissions.readable("/etc/passwd").is_err());
        std::fs::remove_dir_all(&base).expect("cleaned up");
    }

    #[test]
    fn without_a_sandbox_paths_stay_as_they_are() {
        assert_eq!(Permissions::default().readable("a/../b").ok(), Some(PathBuf::from("a/../b")));
        assert!(Permissions::default().readable("a\0b").is_err());
    }
}
