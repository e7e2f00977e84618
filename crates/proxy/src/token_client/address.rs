//! Which addresses are called, and opened in a browser.

use url::Url;

use crate::backchannel::network;

/// Where the application is that a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine. What it names may be here, too, and without TLS.
    Here,
    /// Anywhere else. It must not make this program call what only this machine can reach (attacks O-02).
    Elsewhere,
}

impl Place {
    /// The place of an address.
    pub fn of(url: &Url) -> Self {
        if url.host_str().is_some_and(network::is_loopback) { Self::Here } else { Self::Elsewhere }
    }
}

/// Reads an address that somebody else has written.
///
/// # Errors
///
/// Why it is not used.
pub(crate) fn read(text: &str, place: Place) -> Result<Url, &'static str> {
    // RFC 3986 §2. A parser of URLs would leave blanks out without a word.
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has characters that no address has");
    }
    let url = Url::parse(text).map_err(|_| "is not an address")?;
    check(&url, place)?;
    Ok(url)
}

/// Checks an address: `https`, or `http` on this machine.
///
/// # Errors
///
/// Why it is not used.
pub fn check(url: &Url, place: Place) -> Result<(), &'static str> {
    let is_here = Place::of(url) == Place::Here;
    match url.scheme() {
        "https" => {}
        "http" if is_here => {}
        "http" => return Err("is not https"),
        _ => return Err("is neither https nor http"),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("has a user name, a password or a fragment");
    }
    if network::is_link_local(url) {
        return Err("is an address where clouds keep a machine's own credentials, or none");
    }
    if is_here && place == Place::Elsewhere {
        return Err("is on this machine, and the application is not");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o_02_only_https_is_used_and_this_machine_only_for_applications_that_are_here() {
        for sound in ["https://login.example.com/x?y", "https://[2001:db8::1]/", "https://10.0.0.1:8443/a"] {
            assert!(read(sound, Place::Elsewhere).is_ok(), "{sound}");
        }
        for here in ["https://localhost:8443", "http://127.0.0.1:1234/", "http://[::1]/x", "https://login.localhost"] {
            assert!(read(here, Place::Here).is_ok(), "{here}");
            assert!(read(here, Place::Elsewhere).is_err(), "{here}");
        }
        for never in [
            "",
            "https://login.example.com/\u{1b}[2J",
            "https://login.example.com/a\nb",
            "https://z\u{fc}rich.example/",
            "login.example.com",
            "http://login.example.com/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/html,x",
            "ssh://login.example.com",
            "https://u@login.example.com/",
            "https://u:p@login.example.com/",
            "https://login.example.com/#x",
            "https://169.254.169.254/latest",
            "https://[fe80::1]/",
            "https://0.0.0.0/",
        ] {
            for place in [Place::Here, Place::Elsewhere] {
                assert!(read(never, place).is_err(), "{never} {place:?}");
            }
        }
    }
}
