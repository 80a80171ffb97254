//! What zmq-sys builds libzmq with. zmq-sys 0.12 asks zeromq-src 0.2 for a libzmq without libsodium, and that one knows
//! no CURVE, the encryption of ZeroMQ; this package answers in its place (`[patch.crates-io]`) with the current libzmq and
//! libsodium. It can go once zmq-sys has a feature for it.

use current::LibLocation;

/// Settings for building libzmq, as far as zmq-sys makes any.
#[derive(Clone, Debug, Default)]
pub struct Build;

impl Build {
    /// A new build.
    pub fn new() -> Build {
        Build
    }

    /// It is there in any case.
    pub fn with_libsodium(&mut self, _: Option<LibLocation>) -> &mut Build {
        self
    }

    /// Builds the library and has cargo link it.
    pub fn build(&mut self) {
        let sodium = LibLocation::new(env!("SODIUM_LIB"), env!("SODIUM_INCLUDE"));
        current::Build::new().with_libsodium(Some(sodium)).build();
    }
}
