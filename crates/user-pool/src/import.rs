//! Files with users of other systems. Each line is read by itself, and a line that is wrong stops none of the others.
//!
//! [`lines`] splits a file with bounded memory, [`table`] reads Cognito's CSV and that of RFC 4180, [`json_lines`] what `users export --all` writes.
//! [`reader`] chooses. What a line says is a [`row::Item`].

pub(crate) mod json_lines;
pub(crate) mod lines;
pub mod reader;
pub mod row;
pub mod table;
