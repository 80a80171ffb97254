//! Has ZeroMQ's C++ runtime linked into the program, and tells the linker what `glibc.rs` is about.
//!
//! libtorch is opened later and brings its own; with another one of that name loaded before, that of an environment
//! such as conda's would not be used, and may be the only one that is new enough.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CXX");
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    if target("ARCH") == "x86_64" && target("ENV") == "gnu" {
        for function in ["hypot", "hypotf"] {
            println!("cargo:rustc-link-arg=-Wl,--wrap={function}");
        }
    }
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let Some(archive) = archive(&compiler) else {
        return println!(
            "cargo:warning={compiler} has no libstdc++.a: the program will load libstdc++.so"
        );
    };
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    // What the linker finds first under the library's name: a text that names the archive.
    let script = format!("INPUT({})\n", archive.display());
    match std::fs::write(folder.join("libstdc++.so"), script) {
        Ok(()) => println!("cargo:rustc-link-search=native={}", folder.display()),
        Err(error) => println!("cargo:warning=libstdc++ is not linked in: {error}"),
    }
}

fn archive(compiler: &str) -> Option<PathBuf> {
    let said = Command::new(compiler).arg("-print-file-name=libstdc++.a").output().ok()?;
    let path = PathBuf::from(String::from_utf8(said.stdout).ok()?.trim());
    // A name without a folder says that there is none.
    (path.is_absolute() && Path::exists(&path)).then_some(path)
}
