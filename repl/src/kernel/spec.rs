//! Kernel specs: what tells Jupyter that the kernel is there and how to start it.
//!
//! Source: <https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs>.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::cli::{Install, KernelAction, Place, Shared};
use crate::environment::{Places, search};
use crate::problem::{Problem, exit};

/// What clients show beside the kernel's name.
const LOGOS: [(&str, &[u8]); 3] = [
    ("logo-32x32.png", include_bytes!("logos/logo-32x32.png")),
    ("logo-64x64.png", include_bytes!("logos/logo-64x64.png")),
    ("logo-svg.svg", include_bytes!("logos/logo-svg.svg")),
];

/// Installs, removes or lists.
///
/// # Errors
/// What the file system says.
pub fn manage(action: &KernelAction, shared: &Shared) -> Result<u8, Problem> {
    match action {
        KernelAction::Install(options) => {
            let folder = kernels(&options.place, shared)?.join(&options.place.name);
            write(&folder, options, shared).map_err(|error| Problem::Spec {
                path: folder.clone(),
                cause: error.to_string(),
            })?;
            println!("installed the kernel '{}' in {}", options.place.name, folder.display());
        }
        KernelAction::Uninstall(options) => {
            let folder = kernels(&options.place, shared)?.join(&options.place.name);
            let problem = |cause: String| Problem::Spec { path: folder.clone(), cause };
            if !is_ours(&folder) {
                return Err(problem("there is no kernel of Flambeau's".to_owned()));
            }
            fs::remove_dir_all(&folder).map_err(|error| problem(error.to_string()))?;
            println!("removed {}", folder.display());
        }
        KernelAction::List(_) => {
            let mut folders = Vec::new();
            if let Some(user) = user() {
                folders.push(user);
            }
            folders.extend(prefix(shared).map(in_prefix));
            folders.extend(["/usr/local", "/usr"].map(|prefix| in_prefix(prefix.into())));
            for folder in folders {
                let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
                let mut found: Vec<PathBuf> =
                    entries.map(|entry| entry.path()).filter(|path| is_ours(path)).collect();
                found.sort();
                for path in found {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    println!("{name}  {}", path.display());
                }
            }
        }
    }
    Ok(exit::OK)
}

/// Whether a folder holds a spec that starts this program.
fn is_ours(folder: &Path) -> bool {
    let spec = fs::read_to_string(folder.join("kernel.json")).ok();
    let spec: Option<Value> = spec.and_then(|text| serde_json::from_str(&text).ok());
    spec.is_some_and(|spec| spec["language"] == "rhai" && spec["argv"][1] == "kernel")
}

fn write(folder: &Path, options: &Install, shared: &Shared) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let spec = spec(&program(folder)?, options, shared)?;
    let text = serde_json::to_string_pretty(&spec).unwrap_or_default();
    fs::write(folder.join("kernel.json"), text + "\n")?;
    LOGOS.iter().try_for_each(|(name, picture)| fs::write(folder.join(name), picture))
}

/// How a spec in `folder` names this program: from there, where both are in one prefix, so that this may be moved or
/// packed; clients know the folder by the name `resource_dir`.
fn program(folder: &Path) -> io::Result<String> {
    let program = std::env::current_exe()?;
    let folder = folder.canonicalize()?;
    // PREFIX/share/jupyter/kernels/NAME
    let beside = folder.ancestors().nth(4).map(|prefix| prefix.join("bin"));
    Ok(match (beside, program.canonicalize()?) {
        (Some(bin), found) if found.parent() == Some(&bin) => {
            let name = found.file_name().unwrap_or_default().to_string_lossy();
            format!("{{resource_dir}}/../../../../bin/{name}")
        }
        _ => program.to_string_lossy().into_owned(),
    })
}

fn spec(program: &str, options: &Install, shared: &Shared) -> io::Result<Value> {
    let mut argv = vec![program.to_owned(), "kernel".to_owned()];
    if let Some(env) = &shared.env {
        argv.extend(["--env".to_owned(), std::path::absolute(env)?.to_string_lossy().into_owned()]);
    }
    // Clients append arguments of their own, which are nothing to the kernel.
    argv.extend(["-f", "{connection_file}", "--"].map(str::to_owned));
    let env: Map<String, Value> =
        options.variables.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    Ok(json!({
        "argv": argv,
        "display_name": options.display_name.as_deref().unwrap_or("Flambeau (Rhai, PyTorch)"),
        "language": "rhai",
        "interrupt_mode": "message",
        "kernel_protocol_version": super::wire::VERSION,
        "env": env,
        "metadata": {"debugger": true, "supported_encryption": "curve"},
    }))
}

/// The folder of the kernels that is meant.
fn kernels(place: &Place, shared: &Shared) -> Result<PathBuf, Problem> {
    let nowhere = |cause: &str| Problem::Spec { path: PathBuf::new(), cause: cause.to_owned() };
    if let Some(prefix) = &place.prefix {
        return Ok(in_prefix(prefix.clone()));
    }
    if place.sys_prefix {
        return prefix(shared)
            .map(in_prefix)
            .ok_or_else(|| nowhere("no Python environment found; name one with --prefix"));
    }
    user().ok_or_else(|| nowhere("there is no home directory; say --sys-prefix or --prefix"))
}

/// The environment's own folder.
fn prefix(shared: &Shared) -> Option<PathBuf> {
    let places = Places::around(shared.env.as_deref(), None);
    Some(search(&places).result.ok()?.python.prefix)
}

fn in_prefix(prefix: PathBuf) -> PathBuf {
    prefix.join("share/jupyter/kernels")
}

/// Where Jupyter looks for the user's own.
fn user() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let data = named("JUPYTER_DATA_DIR").map(PathBuf::from);
    let data =
        data.or_else(|| named("XDG_DATA_HOME").map(|data| PathBuf::from(data).join("jupyter")));
    let data =
        data.or_else(|| named("HOME").map(|home| PathBuf::from(home).join(".local/share/jupyter")));
    Some(data?.join("kernels"))
}
