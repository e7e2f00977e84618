//! The JSON Schemas of our documents, as files.
//!
//! `schemars` makes them of the types. The code for that is a megabyte, and what it makes is the same each time. So only the tests
//! run it. They fail if a file is stale, and write it: `UPDATE_DOCS=1 cargo test --lib config`.

/// The schema of a document: in tests made of the type, so that a change of a type is seen at once, else read from the file.
macro_rules! stored {
    ($type:ty, $file:literal) => {{
        #[cfg(test)]
        {
            schemars::schema_for!($type).to_value()
        }
        #[cfg(not(test))]
        {
            serde_json::from_str(include_str!($file)).expect("a test wrote the file")
        }
    }};
}
pub(crate) use stored;
