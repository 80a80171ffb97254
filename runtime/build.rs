//! Compiles the C++ shim over libtorch's dispatcher and tells the linker where libtorch is.

use std::path::PathBuf;

const SOURCES: [&str; 5] =
    ["shim.cpp", "shim_autograd.cpp", "shim_process.cpp", "shim_profile.cpp", "shim_python.cpp"];

fn main() {
    // torch-sys hands its library folder on: `DEP_<links>_<key>`.
    let lib = PathBuf::from(
        std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys did not say where libtorch is"),
    );
    let include = lib.parent().map(|torch| torch.join("include")).unwrap_or_default();
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        // Lines for backtraces; libtorch's types would be ten times that.
        .debug(false)
        .flag("-g1")
        .flag("-D_GLIBCXX_USE_CXX11_ABI=1")
        .include(&include)
        .include(include.join("torch/csrc/api/include"))
        .include(include.join("kineto"))
        .files(SOURCES.map(|file| format!("src/torch/{file}")))
        .compile("flambeau_shim");
    for file in SOURCES.iter().chain(&["shim.h", "guard.h"]) {
        println!("cargo:rerun-if-changed=src/torch/{file}");
    }
    println!("cargo:rustc-link-search=native={}", lib.display());
    for library in ["torch_cpu", "torch", "c10"] {
        println!("cargo:rustc-link-lib={library}");
    }
    // Tests and examples of this crate run against the libtorch that they were built with.
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo:libtorch_lib={}", lib.display());
}
