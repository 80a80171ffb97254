//! What Python code says to the front end, and asks of it: the functions that `bridge.py` and its kin call.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use flambeau_runtime::script::{Answer, Comm, Context, Event, Shown};
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyString};

use crate::errors::to_error;
use crate::from_python;
use crate::interpreter::setup;

/// How long a look for an answer takes.
const LOOK: Duration = Duration::from_millis(10);

/// The header of the request that is served, as JSON.
static PARENT: Mutex<String> = Mutex::new(String::new());

thread_local! {
    /// The same for a thread beside the session, which serves requests of its own.
    static PARENT_HERE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Says what request is served from now on: the header of a message of Jupyter's, as JSON.
pub fn set_parent(header: String) {
    *PARENT.lock().unwrap_or_else(PoisonError::into_inner) = header;
}

/// As [`set_parent`], of what this thread serves.
pub(crate) fn set_parent_here(header: String) {
    PARENT_HERE.set(Some(header));
}

/// Hands an event over: to the session where one runs on this thread, else to whoever takes what other threads say.
/// False where nobody does.
pub(crate) fn tell(event: Event) -> bool {
    let told = Context::current(|ctx| {
        ctx.emit(event.clone());
        Ok(())
    });
    if told.is_ok() {
        return true;
    }
    // Held meanwhile, so that `end` waits for it.
    let setup = setup();
    match setup.as_ref().and_then(|setup| setup.output.as_ref()) {
        Some(output) => {
            output(event);
            true
        }
        None => false,
    }
}

/// What Python prints.
#[pyfunction]
fn emit(number: c_int, text: &Bound<'_, PyString>) -> PyResult<()> {
    let text: String = text
        .call_method1("encode", ("utf-8", "replace"))?
        .call_method1("decode", ("utf-8",))?
        .extract()?;
    let stream = if number == 1 { Event::Stdout } else { Event::Stderr };
    if !tell(stream(text.clone())) {
        // SAFETY: the bytes live through the call. Nobody is left to tell when the stream is gone.
        unsafe { libc::write(number, text.as_ptr().cast(), text.len()) };
    }
    Ok(())
}

#[pyfunction]
fn show(
    data: Vec<(String, String)>,
    metadata: Option<String>,
    id: Option<String>,
    update: bool,
) -> bool {
    tell(Event::Display(Shown { data, metadata, id, update }))
}

#[pyfunction]
fn clear(wait: bool) -> bool {
    tell(Event::Clear { wait })
}

#[pyfunction]
fn send_comm(
    kind: String,
    id: String,
    target: Option<String>,
    data: String,
    metadata: String,
    buffers: Vec<String>,
) -> bool {
    tell(Event::Comm(Comm { kind, id, target, data, metadata, buffers }))
}

/// Puts a question to the user: its number. Without a way to the user it is refused.
#[pyfunction]
fn ask(prompt: &str, secret: bool) -> u64 {
    let input = setup().as_ref().and_then(|setup| setup.notebook.clone());
    input.map_or(0, |input| input.ask(prompt, secret))
}

/// The answer, if it comes soon: `line` and what was typed, `end` or `refused`.
#[pyfunction]
fn answered(py: Python<'_>, question: u64) -> Option<(&'static str, String)> {
    let Some(input) = setup().as_ref().and_then(|setup| setup.notebook.clone()) else {
        return Some(("refused", String::new()));
    };
    let answer = py.detach(|| input.answer(question, LOOK))?;
    Some(match answer {
        Answer::Line(line) => ("line", line),
        Answer::End => ("end", String::new()),
        Answer::Refused => ("refused", String::new()),
    })
}

/// The HTML that scripts show of a tensor.
#[pyfunction]
fn html_of(value: &Bound<'_, PyAny>) -> Option<String> {
    let bundle = Context::current(|ctx| {
        let value = from_python::value(value).map_err(|failure| to_error(value.py(), failure))?;
        Ok(ctx.represent(&value))
    });
    let found = bundle.ok()?.into_iter().find(|(mime, _)| mime == "text/html");
    found.map(|(_, html)| html)
}

/// The header of the request that is served, as JSON.
#[pyfunction]
fn parent() -> String {
    if let Some(header) = PARENT_HERE.with_borrow(Clone::clone) {
        return header;
    }
    let header = PARENT.lock().unwrap_or_else(PoisonError::into_inner);
    if header.is_empty() { "{}".to_owned() } else { header.clone() }
}

/// Has a module's code call these functions.
pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(emit, module)?)?;
    module.add_function(wrap_pyfunction!(show, module)?)?;
    module.add_function(wrap_pyfunction!(clear, module)?)?;
    module.add_function(wrap_pyfunction!(send_comm, module)?)?;
    module.add_function(wrap_pyfunction!(html_of, module)?)?;
    module.add_function(wrap_pyfunction!(ask, module)?)?;
    module.add_function(wrap_pyfunction!(answered, module)?)?;
    module.add_function(wrap_pyfunction!(parent, module)?)
}
