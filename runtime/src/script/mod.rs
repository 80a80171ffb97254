//! Scripts: the Rhai engine with tensors, sessions, display, errors and limits.

mod bind;
mod context;
pub mod convert;
mod dispatch;
mod display;
mod doc;
mod engine;
mod errors;
mod event;
mod function;
mod index;
mod library;
mod limits;
mod modules;
mod near;
mod operator_call;
mod operators;
mod permissions;
mod report;
mod session;
mod state;
mod sugar;
mod syntax;
mod tensor_data;
mod value;

pub use context::Context;
pub use event::{Event, Progress};
pub use function::{Args, Constant, Function, Items, Library, Object, ObjectType, Property};
pub use index::{NewAxis, Slice};
pub use limits::Limits;
pub use permissions::Permissions;
pub use report::{Frame, Report};
pub use session::{Options, Session};
pub use state::{Interrupt, State};
pub use tensor_data::from_value as tensor_from_value;
pub use value::{Complex, Namespace, Results};
