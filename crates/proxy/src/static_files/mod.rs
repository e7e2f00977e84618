//! Serves the files of a directory: the final action `static` (decision 86).
//!
//! This room knows no rule and no user. It finds a file below its directory and nowhere else ([`tree`]), evaluates the conditions and the
//! ranges of a request, and streams the file. Everything that waits for a disk runs on threads beside the worker ([`disk`]).
//! Start at [`site::Site::answer`].

mod answer;
mod body;
mod coding;
pub(crate) mod condition;
pub(crate) mod disk;
mod media_type;
pub mod name;
pub(crate) mod places;
pub(crate) mod range;
pub mod settings;
pub mod site;
mod tree;
mod validator;
pub mod worker_files;

pub(crate) use answer::Asked;
pub(crate) use body::Cut;
