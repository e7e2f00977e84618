//! The pages of the account: what users see and change of themselves.

use http::Method;
use serde::{Deserialize, Serialize};

/// A page of the account, or the target of a form of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Section {
    Overview,
    Password,
}

/// What a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// It is a page without a form of its own.
    Reading,
    /// It is a page, and the target of its form.
    Both,
}

impl Section {
    const ALL: [Self; 2] = [Self::Overview, Self::Password];

    /// Its address.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/account",
            Self::Password => "/account/password",
        }
    }

    /// The page that has the form: where its visitor comes back to.
    pub(crate) const fn page(self) -> Self {
        match self {
            Self::Overview | Self::Password => self,
        }
    }

    const fn takes(self) -> Takes {
        match self {
            Self::Overview => Takes::Reading,
            Self::Password => Takes::Both,
        }
    }

    /// The one with this path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.path() == path)
    }

    /// The page with this path. Only such a page is returned to after a sign-in.
    pub(crate) fn page_of(path: &str) -> Option<Self> {
        Self::of(path).filter(|section| section.page() == *section)
    }

    /// Whether a request with this method sends its form.
    ///
    /// # Errors
    ///
    /// The methods that it has.
    pub(super) fn is_form(self, method: &Method) -> Result<bool, &'static str> {
        let (reads, posts) = (method == Method::GET || method == Method::HEAD, method == Method::POST);
        match self.takes() {
            Takes::Reading if reads => Ok(false),
            Takes::Reading => Err("GET, HEAD"),
            Takes::Both if reads || posts => Ok(posts),
            Takes::Both => Err("GET, HEAD, POST"),
        }
    }
}
