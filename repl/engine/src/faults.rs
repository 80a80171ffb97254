//! Faults on purpose, for tests of what a session does then. Scripts have them where `FLAMBEAU_FAULTS` is set.

use flambeau_runtime::script::{Function, Library};

/// The functions; none where nobody tests.
pub fn library() -> Option<Library> {
    std::env::var_os("FLAMBEAU_FAULTS")?;
    Some(Library { functions: FUNCTIONS, ..Library::default() })
}

const FUNCTIONS: &[Function] = &[Function {
    schema: "faults.panic(str message) -> None",
    doc: "Panics in native code.",
    example: "faults.panic(\"on purpose\");",
    call: |args| panic!("{}", args.str(0)?),
}];
