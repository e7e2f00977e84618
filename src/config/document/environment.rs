//! The environment variables that `${NAME}` in a document stands for.

use std::collections::BTreeMap;

/// The source of `${NAME}`.
#[derive(Debug)]
pub(crate) enum Environment {
    /// The environment of this process.
    Process,
    /// These variables.
    Given(BTreeMap<String, String>),
}

impl Environment {
    /// The value of a variable. `None` if it is not set or not valid UTF-8.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the place where the environment is read")]
            Self::Process => std::env::var(name).ok(),
            Self::Given(variables) => variables.get(name).cloned(),
        }
    }
}
