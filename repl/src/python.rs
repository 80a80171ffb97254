//! What a Python installation holds, read from its files: nothing of it is run, but for a `python3` on
//! PATH that is a script and hides where it leads.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::torch_requirement;

/// Where Debian and its kin keep libraries.
const MULTIARCH: &str = match cfg!(target_arch = "aarch64") {
    true => "lib/aarch64-linux-gnu",
    false => "lib/x86_64-linux-gnu",
};

/// A Python installation or virtual environment.
#[derive(Clone, Debug)]
pub struct Python {
    /// Its folder: what `sys.prefix` is.
    pub prefix: PathBuf,
    /// Its interpreter.
    pub executable: PathBuf,
    /// Such as `3.11` or `3.11.7`, where the files say it.
    pub version: Option<String>,
    /// Where its packages are, in the order in which it looks.
    pub site_packages: Vec<PathBuf>,
    /// The installation that a virtual environment was made from; its own folder otherwise.
    base: PathBuf,
    manager: Manager,
}

/// Who installs packages there, which decides what is advised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    /// A virtual environment with pip, or conda's.
    Pip,
    /// A virtual environment of uv, which has no pip.
    Uv,
    /// A virtual environment without pip.
    None,
    /// A Python that belongs to the system; it wants a virtual environment.
    System,
}

/// What is found under the name of torch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Torch {
    /// No package of that name.
    Missing,
    /// A package without the library that is needed.
    Incomplete(PathBuf),
    /// A package with its version and the folder of its libraries.
    Found { version: String, lib: PathBuf },
}

impl Python {
    /// The Python whose folder or interpreter `path` is.
    ///
    /// # Errors
    /// Says why `path` is none.
    pub fn at(path: &Path) -> Result<Python, String> {
        let path = std::path::absolute(path).map_err(|error| error.to_string())?;
        if !path.exists() {
            return Err("does not exist".to_owned());
        }
        if path.is_dir() {
            return Python::with_prefix(&path)
                .ok_or_else(|| "is no Python environment: it has no bin/python3".to_owned());
        }
        Python::with_executable(&path).map_or_else(|| Python::ask(&path), Ok)
    }

    /// The first `python3` (or `python`) on PATH; with its name, why it is none.
    pub fn on_path() -> Option<(PathBuf, Result<Python, String>)> {
        let path = std::env::var_os("PATH")?;
        let found = ["python3", "python"].iter().find_map(|name| {
            std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
        })?;
        let python = Python::at(&found);
        Some((found, python))
    }

    /// What is installed as torch.
    pub fn torch(&self) -> Torch {
        let Some(package) = self
            .site_packages
            .iter()
            .map(|site| site.join("torch"))
            .find(|torch| torch.join("version.py").is_file())
        else {
            return Torch::Missing;
        };
        let lib = package.join("lib");
        match (read_version(&package.join("version.py")), lib.join("libtorch_cpu.so").is_file()) {
            (Some(version), true) => Torch::Found { version, lib },
            // Another version is the first thing to mend, whatever else is wrong.
            (Some(version), false) if !is_wanted(&version) => Torch::Found { version, lib },
            _ => Torch::Incomplete(package),
        }
    }

    /// Its shared library, which a program opens to have Python inside; many are built without.
    pub fn library(&self) -> Option<PathBuf> {
        let version = self.short_version()?;
        let name = format!("libpython{version}.so.1.0");
        let folders = ["lib", "lib64", MULTIARCH];
        folders.iter().map(|lib| self.base.join(lib).join(&name)).find(|file| file.is_file())
    }

    /// Such as `3.11`.
    fn short_version(&self) -> Option<String> {
        let version = self.version.as_ref()?;
        Some(version.split('.').take(2).collect::<Vec<_>>().join("."))
    }

    /// The command that installs the torch that is needed.
    pub fn mend(&self) -> String {
        let bin = |name: &str| quoted(&self.prefix.join("bin").join(name));
        let torch = torch_requirement();
        match self.manager {
            Manager::Pip => format!("{} install {torch}", bin("pip")),
            Manager::Uv => format!("uv pip install --python {} {torch}", bin("python")),
            Manager::None => {
                let python = bin("python");
                format!("{python} -m ensurepip && {python} -m pip install {torch}")
            }
            Manager::System => new_environment(),
        }
    }

    fn with_prefix(prefix: &Path) -> Option<Python> {
        let bin = prefix.join("bin");
        let executable = ["python3", "python"]
            .iter()
            .map(|name| bin.join(name))
            .find(|file| file.is_file())
            .unwrap_or_else(|| bin.join("python3"));
        if prefix.join("pyvenv.cfg").is_file() {
            return Some(Python::virtual_environment(prefix, executable));
        }
        if !executable.is_file() {
            return None;
        }
        Python::installed(prefix, executable)
    }

    fn with_executable(executable: &Path) -> Option<Python> {
        // A virtual environment's python is a link; where it leads is the base installation.
        let prefix = executable.parent()?.parent()?;
        if prefix.join("pyvenv.cfg").is_file() {
            return Some(Python::virtual_environment(prefix, executable.to_owned()));
        }
        let real = executable.canonicalize().ok()?;
        if !real.file_name()?.to_str()?.starts_with("python") {
            return None;
        }
        Python::installed(real.parent()?.parent()?, executable.to_owned())
    }

    fn virtual_environment(prefix: &Path, executable: PathBuf) -> Python {
        let config = std::fs::read_to_string(prefix.join("pyvenv.cfg")).unwrap_or_default();
        let value = |key: &str| {
            config.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                (name.trim() == key).then(|| value.trim().to_owned())
            })
        };
        let version = value("version").or_else(|| value("version_info"));
        let mut site_packages = packages_of(prefix, version.as_deref());
        if value("include-system-site-packages").is_some_and(|yes| yes.eq_ignore_ascii_case("true"))
            && let Some(home) = value("home")
            && let Some(base) = Python::with_executable(&Path::new(&home).join("python3"))
        {
            site_packages.extend(base.site_packages);
        }
        let manager = if prefix.join("bin/pip").exists() {
            Manager::Pip
        } else if value("uv").is_some() {
            Manager::Uv
        } else {
            Manager::None
        };
        // Where the link leads; the environment's own note, where it is a copy.
        let base = executable
            .canonicalize()
            .ok()
            .filter(|real| !real.starts_with(prefix))
            .or_else(|| value("home").map(|home| Path::new(&home).join("python3")))
            .and_then(|real| Some(real.parent()?.parent()?.to_owned()))
            .unwrap_or_else(|| prefix.to_owned());
        Python { prefix: prefix.to_owned(), executable, version, site_packages, base, manager }
    }

    /// A Python that is no virtual environment: the system's, one built by hand, conda's.
    fn installed(prefix: &Path, executable: PathBuf) -> Option<Python> {
        // `bin/python3` leads to `bin/python3.11`; its library tells a Python from a script of that name.
        let real = executable.canonicalize().ok()?;
        let name = real.file_name()?.to_str()?.to_owned();
        let version = name
            .strip_prefix("python")
            .filter(|version| version.contains('.'))
            .map(str::to_owned)
            .or_else(|| versions_in(&prefix.join("lib")).into_iter().next())?;
        let library = format!("python{version}");
        if !["lib", "lib64"]
            .iter()
            .any(|lib| prefix.join(lib).join(&library).join("os.py").is_file())
        {
            return None;
        }
        let mut site_packages = Vec::new();
        if let Some(home) = std::env::home_dir() {
            site_packages.push(home.join(".local/lib").join(&library).join("site-packages"));
        }
        let local = prefix.join("local");
        for root in [&local, prefix] {
            for lib in ["lib", "lib64"] {
                site_packages.push(root.join(lib).join(&library).join("site-packages"));
                site_packages.push(root.join(lib).join(&library).join("dist-packages"));
            }
        }
        site_packages.push(prefix.join("lib/python3/dist-packages"));
        site_packages.retain(|site| site.is_dir());
        let conda = prefix.join("conda-meta").is_dir() && prefix.join("bin/pip").exists();
        let manager = if conda { Manager::Pip } else { Manager::System };
        let (prefix, base) = (prefix.to_owned(), prefix.to_owned());
        Some(Python { prefix, executable, version: Some(version), site_packages, base, manager })
    }

    /// Asks an interpreter about itself: for launchers (such as pyenv's) that are scripts.
    fn ask(executable: &Path) -> Result<Python, String> {
        const QUESTION: &str = "import platform, sys\n\
            print(sys.prefix, sys.base_prefix, sys.executable, platform.python_version(), *sys.path, \
            sep='\\n')";
        let output = Command::new(executable)
            .args(["-c", QUESTION])
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(|error| format!("cannot be run: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("does not run: {}", said.trim().lines().next_back().unwrap_or("")));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let mut lines = text.lines();
        let (Some(prefix), Some(base), Some(real), Some(version)) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err("does not say where it is".to_owned());
        };
        let known = Python::with_executable(Path::new(real));
        Ok(Python {
            prefix: prefix.into(),
            base: base.into(),
            // Not the launcher, which hides where it leads.
            executable: real.into(),
            version: Some(version.to_owned()),
            site_packages: lines.map(PathBuf::from).filter(|path| path.is_dir()).collect(),
            manager: known.map_or(Manager::System, |python| python.manager),
        })
    }
}

/// Whether this is the version of torch that the engine is built for, however it was built.
pub fn is_wanted(version: &str) -> bool {
    version.split('+').next() == Some(flambeau_protocol::TORCH_VERSION)
}

/// The command that makes a new environment with torch.
pub fn new_environment() -> String {
    format!("python3 -m venv .venv && .venv/bin/pip install {}", torch_requirement())
}

/// The `site-packages` of a virtual environment.
fn packages_of(prefix: &Path, version: Option<&str>) -> Vec<PathBuf> {
    let short = version.map(|version| version.split('.').take(2).collect::<Vec<_>>().join("."));
    let mut folders = Vec::new();
    for lib in ["lib", "lib64"] {
        let lib = prefix.join(lib);
        let mut versions = versions_in(&lib);
        // The environment's own version first, should another Python have left packages there.
        versions.sort_by_key(|found| Some(found) != short.as_ref());
        folders.extend(versions.iter().map(|v| lib.join(format!("python{v}/site-packages"))));
    }
    folders.retain(|site| site.is_dir());
    folders
}

/// The versions for which `lib` has a folder such as `python3.11`, newest first.
fn versions_in(lib: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(lib) else { return Vec::new() };
    let mut minors: Vec<u32> = entries
        .filter_map(|entry| {
            entry.ok()?.file_name().to_str()?.strip_prefix("python3.")?.parse().ok()
        })
        .collect();
    minors.sort_unstable_by(|a, b| b.cmp(a));
    minors.into_iter().map(|minor| format!("3.{minor}")).collect()
}

/// `__version__` of a `version.py`.
fn read_version(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let value = line.strip_prefix("__version__")?.trim_start().strip_prefix('=')?.trim();
        Some(value.trim_matches(['\'', '"']).to_owned())
    })
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
