//! Files, datasets, loaders, the host's facilities and charts, as scripts use them; what Python's
//! libraries write and draw is asked of them.

mod common;
mod formats;
mod host;
mod loading;
mod plots;
mod saving;
mod tables;
