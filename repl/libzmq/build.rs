//! Tells the library where the libsodium that cargo has built lies.

fn main() {
    for (name, told) in [("SODIUM_LIB", "DEP_SODIUM_LIB"), ("SODIUM_INCLUDE", "DEP_SODIUM_INCLUDE")]
    {
        let place = std::env::var(told).unwrap_or_default();
        println!("cargo:rustc-env={name}={place}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
