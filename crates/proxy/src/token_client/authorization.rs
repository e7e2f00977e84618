//! The authorization request for the browser, and the answer that it brings back (RFC 6749 §4.1, RFC 7636, RFC 9207).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use crate::crypto::octets;
use crate::message::form::{self, Form};
use crate::secret::Secret;
use crate::token_client::error::Error;

/// What a token is asked for with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) client_id: &'a str,
    pub(super) scope: Option<&'a str>,
    /// RFC 8707.
    pub(super) resource: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// The parameters of a request.
    pub(super) fn fields(&self) -> Vec<(&'static str, &'a str)> {
        let optional = [("scope", self.scope), ("resource", self.resource)];
        let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
        [("client_id", self.client_id)].into_iter().chain(optional).collect()
    }
}

/// One authorization request. Its answer counts once.
#[derive(Debug)]
pub(super) struct Attempt {
    /// What the browser opens.
    pub(super) address: Url,
    pub(super) verifier: Secret<String>,
    state: String,
    issuer: String,
    says_issuer: bool,
}

/// What the browser has brought.
#[derive(Debug)]
pub(super) enum Callback {
    /// Not the answer to this request.
    Foreign,
    Code(Secret<String>),
    Refused(Error),
}

impl Attempt {
    /// A request to `endpoint` of `issuer`, whose answer comes to `redirect_uri`.
    pub(super) fn new(
        endpoint: &Url,
        (issuer, says_issuer): (&str, bool),
        asked: &Asked<'_>,
        redirect_uri: &str,
    ) -> Self {
        let (state, verifier) = (octets::token(), Secret::new(octets::token()));
        let challenge = URL_SAFE_NO_PAD.encode(octets::sha256(verifier.expose().as_bytes()));
        let own = [
            ("response_type", "code"),
            ("redirect_uri", redirect_uri),
            ("state", &state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query = form::encode(own.into_iter().chain(asked.fields()));
        let mut address = endpoint.clone();
        // RFC 6749 §3.1: the endpoint may have a query, which is kept.
        let query = endpoint.query().map(|before| format!("{before}&{query}")).unwrap_or(query);
        address.set_query(Some(&query));
        Self { address, verifier, state, issuer: issuer.to_owned(), says_issuer }
    }

    /// Reads the query that the browser came back with.
    pub(super) fn read(&self, query: &str) -> Callback {
        let Ok(form) = Form::parse(query.as_bytes()) else { return Callback::Foreign };
        let is_ours = |state: &str| octets::equal(state.as_bytes(), self.state.as_bytes());
        if !form.one("state").is_ok_and(|state| state.is_some_and(is_ours)) {
            return Callback::Foreign;
        }
        self.answer(&form).unwrap_or_else(Callback::Refused)
    }

    fn answer(&self, form: &Form<'_>) -> Result<Callback, Error> {
        let one = |name| form.one(name).map_err(|_| Error::Callback);
        match one("iss")? {
            Some(issuer) if issuer != self.issuer => return Err(Error::CallbackIssuer),
            None if self.says_issuer => return Err(Error::CallbackIssuer),
            _ => {}
        }
        if let Some(code) = one("error")? {
            return Err(Error::refused(&self.issuer, code, one("error_description")?));
        }
        let code = one("code")?.filter(|code| !code.is_empty()).ok_or(Error::Callback)?;
        Ok(Callback::Code(Secret::new(code.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://login.test";

    fn attempt(says_issuer: bool) -> Attempt {
        let endpoint = Url::parse("https://login.test/authorize?tenant=1").expect("a URL");
        let asked = Asked { client_id: "cli", scope: Some("openid read"), resource: Some("https://app.test") };
        Attempt::new(&endpoint, (ISSUER, says_issuer), &asked, "http://127.0.0.1:5000/callback")
    }

    fn parameter(url: &Url, name: &str) -> String {
        let mut found = url.query_pairs().filter(|(key, _)| key == name);
        found.next().unwrap_or_else(|| panic!("{name} in {url}")).1.into_owned()
    }

    #[test]
    fn the_request_has_pkce_state_and_resource_and_keeps_the_query_of_the_endpoint() {
        let (one, other) = (attempt(true), attempt(true));
        let challenge = URL_SAFE_NO_PAD.encode(octets::sha256(one.verifier.expose().as_bytes()));
        for (name, value) in [
            ("tenant", "1"),
            ("response_type", "code"),
            ("client_id", "cli"),
            ("redirect_uri", "http://127.0.0.1:5000/callback"),
            ("scope", "openid read"),
            ("resource", "https://app.test"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ] {
            assert_eq!(parameter(&one.address, name), value);
        }
        assert_ne!(parameter(&one.address, "state"), parameter(&other.address, "state"));
        assert_ne!(one.verifier, other.verifier);
        assert!(!one.address.as_str().contains(one.verifier.expose()), "the verifier stays here");
    }

    #[test]
    fn c_01_c_05_only_the_answer_to_this_request_of_this_issuer_counts() {
        let attempt = attempt(true);
        let state = parameter(&attempt.address, "state");
        let read =
            |query: &str| attempt.read(&query.replace("STATE", &state).replace("ISS", "https%3A%2F%2Flogin.test"));
        assert!(matches!(read("code=c&state=STATE&iss=ISS"), Callback::Code(code) if code.expose() == "c"));
        for foreign in [
            "",
            "code=c",
            "code=c&state=",
            "code=c&state=x&iss=ISS",
            "code=c&state=STATEx&iss=ISS",
            "code=c&state=STATE&state=STATE&iss=ISS",
        ] {
            assert!(matches!(read(foreign), Callback::Foreign), "{foreign}");
        }
        for other in [
            "code=c&state=STATE",
            "code=c&state=STATE&iss=https%3A%2F%2Fevil.test",
            "code=c&state=STATE&iss=ISS%2F",
            "error=x&state=STATE",
        ] {
            assert!(matches!(read(other), Callback::Refused(Error::CallbackIssuer)), "{other}");
        }
        for malformed in [
            "state=STATE&iss=ISS",
            "code=&state=STATE&iss=ISS",
            "code=a&code=b&state=STATE&iss=ISS",
            "code=c&state=STATE&iss=ISS&iss=ISS",
        ] {
            assert!(matches!(read(malformed), Callback::Refused(Error::Callback)), "{malformed}");
        }
    }

    #[test]
    fn an_issuer_that_does_not_say_itself_need_not() {
        let attempt = attempt(false);
        let state = parameter(&attempt.address, "state");
        assert!(matches!(attempt.read(&format!("code=c&state={state}")), Callback::Code(_)));
        let other = format!("code=c&state={state}&iss=https%3A%2F%2Fevil.test");
        assert!(matches!(attempt.read(&other), Callback::Refused(Error::CallbackIssuer)));
    }

    #[test]
    fn a_refusal_is_told_without_what_a_terminal_obeys() {
        let attempt = attempt(false);
        let state = parameter(&attempt.address, "state");
        let refused = attempt
            .read(&format!("error=access_denied%1B%5B2J&error_description=no%0Away%1B%5D0%3Bx%07&state={state}"));
        let Callback::Refused(error) = refused else { panic!("{refused:?}") };
        assert_eq!(error.to_string(), "https://login.test gave no token: access_denied[2J (noway]0;x)");
    }
}
