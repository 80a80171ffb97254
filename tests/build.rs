//! Tells tests of this crate where libtorch is.

fn main() {
    if let Ok(lib) = std::env::var("DEP_FLAMBEAU_RUNTIME_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
