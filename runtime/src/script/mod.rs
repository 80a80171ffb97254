//! Scripts: the Rhai engine with tensors, sessions, display, errors and limits.

mod bind;
mod caught;
mod complete;
mod context;
pub mod convert;
mod device;
mod dispatch;
mod display;
mod doc;
mod engine;
mod errors;
mod event;
mod function;
mod guard;
mod hints;
mod index;
mod input;
mod library;
mod limits;
mod members;
mod missing;
mod modules;
mod near;
mod operator_call;
mod operators;
mod permissions;
mod report;
mod session;
mod sized;
mod state;
mod sugar;
mod syntax;
mod tensor_data;
mod turn;
mod value;
mod write_back;

pub use complete::{Completion, Named, Signature, matching};
pub use context::Context;
pub use device::default_device;
pub use display::table::{Table as TextTable, escaped};
pub use display::{Bundle, display, viridis};
pub use event::{Comm, Event, Progress, Shown};
pub use function::{
    Args, CallHelp, Constant, Entries, Function, Items, Library, Object, ObjectType, Property, Side,
};
pub use index::{NewAxis, Slice};
pub use input::{Answer, Input};
pub use limits::Limits;
pub use members::{Members, Part};
pub use permissions::Permissions;
pub use report::Report;
pub use session::{CudaMemory, Held, Memory, Options, Session, Variable};
pub use state::{Interrupt, State, on_interrupt, on_signal};
pub use tensor_data::from_value as tensor_from_value;
pub use turn::{Home, Kept, Turn, is_stopping, on_wait, outside};
pub use value::{Complex, Namespace, Results};
