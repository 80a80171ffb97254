//! Panics end here: none leaves the library, and what one said is kept for the report.

use std::cell::RefCell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Message and place of the last panic on this thread.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`; a panic becomes what it said and where.
pub fn catch<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    static HOOK: Once = Once::new();
    // This library has a standard library of its own, so the hook is not the program's.
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let message = info
                .payload()
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| info.payload().downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "a panic without a message".to_owned());
            let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
            let text = format!("{message}{}", place.unwrap_or_default());
            if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
                let trace = std::backtrace::Backtrace::force_capture();
                // Whoever asked for it reads the process's own stream; there may be none.
                let _ = writeln!(std::io::stderr(), "{text}\n{trace}");
            }
            // A thread that ends may have lost its cell already; then the message is lost too.
            let _ = LAST.try_with(|last| last.replace(Some(text)));
        }));
    });
    catch_unwind(AssertUnwindSafe(f))
        .map_err(|_| LAST.take().unwrap_or_else(|| "a panic without a message".to_owned()))
}

/// Runs `f`; gives `fallback` instead of a panic.
pub fn guard<R>(fallback: R, f: impl FnOnce() -> R) -> R {
    catch(f).unwrap_or(fallback)
}
