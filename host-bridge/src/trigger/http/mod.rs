//! The HTTP trigger: routes requests to components and serves their answers.

mod body;
mod handle;
mod headers;
mod router;
mod serve;

pub use router::{Matched, Router, RouterError};
pub use serve::{ServeOptions, serve};
