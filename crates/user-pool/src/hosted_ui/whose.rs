//! The `sub` of a user in a hidden value.

use serde::{Deserialize, Serialize};

/// Not shorter than any `sub` that an import takes, and the one that stands for a name that nobody has.
const LENGTH: usize = 128;

/// A `sub` that is always as long in JSON: otherwise the length of a page would tell whether there is a user of the name that was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(super) struct Whose(pub(super) String);

impl From<Whose> for String {
    fn from(whose: Whose) -> Self {
        format!("{:<LENGTH$}", whose.0)
    }
}

impl From<String> for Whose {
    fn from(padded: String) -> Self {
        Self(padded.trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_as_long_as_another() {
        for subject in ["7", "d3b2f6a0-8c1e-4a57-9a33-0f5d1a6f7b10", &"s".repeat(128)] {
            let text = serde_json::to_string(&Whose(subject.to_owned())).expect("JSON");
            assert_eq!(text.len(), LENGTH + 2);
            assert_eq!(serde_json::from_str::<Whose>(&text).expect("JSON").0, subject);
        }
    }
}
