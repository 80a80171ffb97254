//! Tells the linker what `src/glibc.rs` is about.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let target = |part: &str| std::env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    if target("ARCH") == "x86_64" && target("ENV") == "gnu" {
        for function in ["hypot", "hypotf"] {
            println!("cargo:rustc-link-arg-cdylib=-Wl,--wrap={function}");
        }
    }
}
