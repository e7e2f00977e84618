//! Links on pages.

use crate::page::text::Text;

/// A link on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub label: Text,
    /// A path on this host, or an address with its scheme. Empty for the address of the page itself.
    pub href: String,
    pub opens: Opens,
}

/// Where a link opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    Here,
    NewTab,
}

impl Link {
    /// A link that opens in place of the page.
    pub fn here(label: Text, href: impl Into<String>) -> Self {
        Self { label, href: href.into(), opens: Opens::Here }
    }

    /// A link that asks for the address of the page, by GET.
    pub fn same_address(label: Text) -> Self {
        Self::here(label, "")
    }

    /// The same link, opened in a new tab. The page stays open.
    pub fn in_a_new_tab(self) -> Self {
        Self { opens: Opens::NewTab, ..self }
    }

    /// Whether it opens in place of the page.
    pub(super) fn opens_here(&self) -> bool {
        self.opens == Opens::Here
    }
}

/// The address of a link to what a text of the configuration names: an `https` URL, or an e-mail address. `None` for any other text.
pub fn to(text: &str) -> Option<String> {
    let address = text.strip_prefix("mailto:").unwrap_or(text);
    if is_mail_address(address) {
        return Some(format!("mailto:{address}"));
    }
    let url = url::Url::parse(text).ok().filter(|url| url.scheme() == "https")?;
    Some(url.into())
}

/// Whether a text is an e-mail address without characters that mean something in a URL.
fn is_mail_address(text: &str) -> bool {
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && local.bytes().all(is_local) && domain.bytes().all(is_domain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_urls_and_mail_addresses_become_links() {
        let check = |text, expected: Option<&str>| assert_eq!(to(text).as_deref(), expected, "{text}");
        check("it@example.com", Some("mailto:it@example.com"));
        check("mailto:it+a@example.com", Some("mailto:it+a@example.com"));
        check("https://it.example.com/ask?a=1", Some("https://it.example.com/ask?a=1"));
        check("https://it.example.com/\"onclick=\"", Some("https://it.example.com/%22onclick=%22"));
        for other in [
            "",
            "the service desk",
            "it@example.com <IT>",
            "call 42, or https://it.example.com",
            "http://it.example.com",
            "javascript:alert(1)",
            "JavaScript:alert(1)//it@example.com",
            "data:text/html,x",
            "mailto:it@example.com?body=x",
            "mailto:a@b,c@d",
            "@example.com",
            "it@",
        ] {
            check(other, None);
        }
    }
}
