//! What a person is shown.

use url::Url;

/// Shows the user what to do. No text has anything that a terminal obeys.
pub trait Screen {
    /// A sign-in begins. `scope`: what is asked for, separated by spaces.
    fn begin(&self, issuer: &str, resource: &str, client_id: &str, scope: Option<&str>);
    /// The address to open in a browser on this machine.
    fn show_address(&self, address: &Url);
    /// The address to open on any device, and the code to type there. `whole` is the address with the code in it.
    fn show_code(&self, address: &Url, code: &str, whole: Option<&Url>);
}
