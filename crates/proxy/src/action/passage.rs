//! What the gates so far know of the sender of a request.

use std::rc::Rc;

use crate::action::authenticate::Anonymous;
use crate::action::visitor::Visitor;

/// Permission to reach a target. Only a gate, or a chain without a gate, creates one. An error cannot become one (attacks §4.2).
#[derive(Debug)]
pub(crate) enum Passage {
    /// A gate has verified the user, by whatever evidence.
    Identified(Rc<Visitor>),
    /// A gate with `allow` lets the request pass without a user.
    Anonymous(Anonymous),
    /// The rule has no gate, or the gates so far do not ask who sends the request.
    Ungated(Ungated),
}

/// The passage with which a chain begins. Only a chain creates it.
#[derive(Debug)]
pub(crate) struct Ungated(());

impl Passage {
    /// The passage of a request that no gate has seen yet.
    pub(in crate::action) fn ungated() -> Self {
        Self::Ungated(Ungated(()))
    }

    /// The user, if a gate has verified one.
    pub(crate) fn visitor(&self) -> Option<&Rc<Visitor>> {
        match self {
            Self::Identified(visitor) => Some(visitor),
            Self::Anonymous(_) | Self::Ungated(_) => None,
        }
    }
}
