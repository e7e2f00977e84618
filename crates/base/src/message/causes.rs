//! Errors as one line of text.

use std::error::Error;
use std::iter;

/// An error with everything that led to it.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let all = iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
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
}
