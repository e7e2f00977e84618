//! Errors as one line of text.

use std::error::Error;
use std::iter;

/// An error with everything that led to it. Some errors say their cause themselves: it is not said again.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    for cause in
        iter::successors(error.source(), |error: &&(dyn Error + 'static)| (*error).source()).map(ToString::to_string)
    {
        if !said.ends_with(&cause) {
            said.push_str(": ");
            said.push_str(&cause);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file cannot be read")]
    struct Outer(#[source] io::Error);

    #[test]
    fn every_cause_is_said_in_order() {
        assert_eq!(with_causes(&Outer(io::Error::other("no such disk"))), "the file cannot be read: no such disk");
        assert_eq!(with_causes(&io::Error::other("alone")), "alone");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("it is refused: {0}")]
    struct Telling(#[source] io::Error);

    #[test]
    fn a_cause_is_said_once() {
        assert_eq!(with_causes(&Telling(io::Error::other("too short"))), "it is refused: too short");
    }
}
