//! What is given to an importer.

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// As the report names it.
    pub(crate) name: String,
    pub(crate) text: String,
}
