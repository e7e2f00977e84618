//! Links on pages.

use crate::page::text::Text;

/// A link on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) label: Text,
    /// A path on this host, or an address with its scheme. Empty for the address of the page itself.
    pub(crate) href: String,
    pub(crate) opens: Opens,
}

/// Where a link opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opens {
    Here,
    NewTab,
}

impl Link {
    /// A link that opens in place of the page.
    pub(crate) fn here(label: Text, href: impl Into<String>) -> Self {
        Self { label, href: href.into(), opens: Opens::Here }
    }

    /// A link that asks for the address of the page, by GET.
    pub(crate) fn same_address(label: Text) -> Self {
        Self::here(label, "")
    }

    /// The same link, opened in a new tab. The page stays open.
    pub(crate) fn in_a_new_tab(self) -> Self {
        Self { opens: Opens::NewTab, ..self }
    }

    /// Whether it opens in place of the page.
    pub(super) fn opens_here(&self) -> bool {
        self.opens == Opens::Here
    }
}
