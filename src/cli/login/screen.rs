//! What the user is shown, and the browser that is opened.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use url::Url;

use crate::token_client::screen::Screen;

/// The program that opens an address as the user likes it.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Standard error, and the browser of the user.
#[derive(Debug)]
pub(super) struct Terminal {
    pub(super) opens_browser: bool,
}

impl Screen for Terminal {
    fn begin(&self, issuer: &str, resource: &str, client_id: &str) {
        eprintln!("Signing in at {issuer} as the client `{client_id}`, for {resource}.");
    }

    fn show_address(&self, address: &Url) {
        eprintln!("\nOpen this address in a browser on this machine:\n\n  {address}\n\nWaiting for the sign-in.");
        self.open(address);
    }

    fn show_code(&self, address: &Url, code: &str, whole: Option<&Url>) {
        eprintln!(
            "\nOpen this address in a browser, on this or another device:\n\n  {address}\n\nand type the code:\n\n  {code}\n"
        );
        if let Some(whole) = whole {
            eprintln!("Or open this one, and compare the code:\n\n  {whole}\n");
        }
        eprintln!("Waiting for the sign-in.");
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
