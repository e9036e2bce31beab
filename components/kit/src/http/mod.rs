//! HTTP as values: requests, responses, problems. The guest turns them into the host's and back.

mod body;
mod list;
mod page;
mod problem;
mod request;
mod response;

pub use body::read_body;
pub use list::{Items, MAX_IDS, ids_of};
pub use page::{Page, page_of};
pub use problem::{FieldError, Problem};
pub(crate) use request::decode;
pub use request::{Request, encode};
pub use response::Response;
