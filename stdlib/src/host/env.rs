//! Environment variables: `env`. The sandbox denies them.

use flambeau_runtime::script::Function;
use rhai::{Dynamic, Map};

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "env.get(str name, Any default=None) -> Any",
        doc: "The value of an environment variable, or `default` where it is not set.",
        example: "env.get(\"NO_SUCH_VARIABLE\", \"fallback\")",
        call: |args| {
            args.ctx().state().permissions.environment()?;
            let value = std::env::var_os(args.str(0)?);
            Ok(value
                .map_or_else(|| args.take(1), |value| value.to_string_lossy().into_owned().into()))
        },
    },
    Function {
        schema: "env.vars() -> Map",
        doc: "All environment variables.",
        example: "len(env.vars()) > 0",
        call: |args| {
            args.ctx().state().permissions.environment()?;
            let pairs = std::env::vars_os().map(|(name, value)| {
                let value = value.to_string_lossy().into_owned();
                (name.to_string_lossy().as_ref().into(), Dynamic::from(value))
            });
            Ok(pairs.collect::<Map>().into())
        },
    },
];
