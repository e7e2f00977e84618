//! What the user is shown, and the browser that is opened.

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustls::CertificateError;
use url::Url;

use crate::token_client::screen::Screen;

/// The program that opens an address as the user likes it.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// What the user can do about a server whose certificate is of an unknown authority.
const ADVICE: &str = "the certificate of the server is of an authority that this machine does not trust: if you trust it, name its file with --ca-file";

/// The error, with what the user can do about it.
pub(super) fn with_advice(error: anyhow::Error) -> anyhow::Error {
    if error.chain().any(is_unknown_authority) { error.context(ADVICE) } else { error }
}

/// Whether it says that no authority that is trusted has issued a certificate.
fn is_unknown_authority(error: &(dyn Error + 'static)) -> bool {
    // An `io::Error` shows what it has inside, but gives the source of that as its own. The TLS client puts one into another.
    let mut innermost = error;
    while let Some(inner) = innermost.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        innermost = inner;
    }
    let tls = innermost.downcast_ref();
    matches!(tls, Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)))
}

/// Standard error, and the browser of the user.
#[derive(Debug)]
pub(super) struct Terminal {
    pub(super) opens_browser: bool,
}

impl Screen for Terminal {
    fn begin(&self, issuer: &str, resource: &str, client_id: &str, scope: Option<&str>) {
        eprintln!("{}", beginning(issuer, resource, client_id, scope));
    }

    fn show_address(&self, address: &Url) {
        eprintln!("{}", way(address));
        self.open(address);
    }

    fn show_code(&self, address: &Url, code: &str, whole: Option<&Url>) {
        eprintln!("{}", way_with_code(address, code, whole));
        self.open(whole.unwrap_or(address));
    }
}

impl Terminal {
    /// Opens a browser where a person is in front of it. What it writes is not shown: it would mix with the rest.
    fn open(&self, address: &Url) {
        let is_seen = std::io::stderr().is_terminal();
        let Some(opener) = Some(OPENER).filter(|_| self.opens_browser && is_seen).and_then(on_path) else { return };
        let mut command = Command::new(opener);
        command.arg(address.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // The address is on the screen in any case.
        let _ = command.spawn();
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn beginning(issuer: &str, resource: &str, client_id: &str, scope: Option<&str>) -> String {
    let scope = scope.map_or("No scopes are asked for.".into(), |scope| format!("Scopes: `{scope}`."));
    format!("Signing in at {issuer} as the client `{client_id}`, for {resource}. {scope}")
}

/// The host comes first: a long address hides it.
fn way(address: &Url) -> String {
    let host = address.authority();
    format!("\nOpen this address of {host} in a browser on this machine:\n\n  {address}\n\nWaiting for the sign-in.")
}

fn way_with_code(address: &Url, code: &str, whole: Option<&Url>) -> String {
    let host = address.authority();
    let whole = whole.map_or(String::new(), |whole| {
        format!("Or open this one of {}, and compare the code:\n\n  {whole}\n\n", whole.authority())
    });
    format!(
        "\nOpen this address of {host} in a browser, on this or another device:\n\n  {address}\n\nand type the code:\n\n  {code}\n\n{whole}Waiting for the sign-in."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn the_scopes_and_the_host_of_the_page_are_said_before_it_opens() {
        let told = |scope| beginning("https://a.test", "https://app.test", "cli", scope);
        let who = "Signing in at https://a.test as the client `cli`, for https://app.test.";
        assert_eq!(told(Some("openid groups")), format!("{who} Scopes: `openid groups`."));
        assert_eq!(told(None), format!("{who} No scopes are asked for."));
        let address = way(&url("https://login.test:8443/authorize?a=https://evil.test"));
        assert!(address.contains("\nOpen this address of login.test:8443 in"), "{address}");
        let with_code = way_with_code(&url("https://a.test/x"), "WDJB", None);
        assert!(with_code.contains("\nOpen this address of a.test in"), "{with_code}");
        let both = way_with_code(&url("https://a.test/x"), "WDJB", Some(&url("https://b.test/x")));
        assert!(both.contains("address of a.test in") && both.contains("Or open this one of b.test,"), "{both}");
    }
}
