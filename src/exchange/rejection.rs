//! The only error that a client ever sees: a stable code, a status, and advice.

use http::StatusCode;

use crate::message::BoxError;

/// Why a request is refused. `source` is the cause; it goes only to the log.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) reason: Reason,
    pub(crate) source: Option<BoxError>,
    /// Boxed, because a rejection is moved often, and most rejections have no links and notes.
    page: Option<Box<Page>>,
}

/// What the answer says besides the reason: sentences and links to people, members of the JSON object to programs.
#[derive(Debug, Default)]
struct Page {
    notes: Vec<String>,
    facts: Vec<(&'static str, String)>,
    ways: Vec<WayOn>,
}

/// A link on an error page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WayOn {
    pub(crate) label: &'static str,
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

impl WayOn {
    /// A link that opens in place of the page.
    pub(crate) fn here(label: &'static str, href: String) -> Self {
        Self { label, href, opens: Opens::Here }
    }

    /// A link that asks for the address of the page, by GET.
    pub(crate) fn same_address(label: &'static str) -> Self {
        Self::here(label, String::new())
    }

    /// The same link, opened in a new tab. The error page stays open.
    pub(crate) fn in_a_new_tab(self) -> Self {
        Self { opens: Opens::NewTab, ..self }
    }
}

impl Reason {
    /// Whether the reason ends a sign-in that had begun, or refuses a callback without a pending login. These are logged for the operator.
    pub(crate) const fn is_failed_login(self) -> bool {
        matches!(
            self,
            Self::AuthStateMissing
                | Self::AuthStateMismatch
                | Self::AuthLoginExpired
                | Self::AuthCodeMissing
                | Self::AuthCallbackMalformed
                | Self::AuthDenied
                | Self::AuthProviderError
                | Self::AuthIssuerMismatch
                | Self::AuthProviderUnavailable
                | Self::AuthTokenUnreachable
                | Self::AuthTokenRefused
                | Self::AuthCodeRejected
                | Self::AuthTokenResponse
                | Self::AuthIdToken
                | Self::AuthKeysUnavailable
                | Self::AuthUserinfoUnreachable
                | Self::AuthUserinfoRefused
                | Self::AuthUserinfoInvalid
                | Self::AuthSubjectMismatch
                | Self::AuthClaimsTooLarge
                | Self::AuthCookieNotReturned
                | Self::AuthCookieTwice
                | Self::AuthCookieUnreadable
        )
    }
}

impl Rejection {
    /// A rejection with its cause.
    pub(crate) fn new(reason: Reason, source: impl Into<BoxError>) -> Self {
        Self { reason, source: Some(source.into()), page: None }
    }

    /// Adds a link to the error page.
    pub(crate) fn offer(mut self, way: WayOn) -> Self {
        self.page.get_or_insert_default().ways.push(way);
        self
    }

    /// Adds a sentence to the error page, in HTML and text. The sentence is escaped, so it may contain text from users or
    /// providers.
    pub(crate) fn note(mut self, sentence: String) -> Self {
        self.page.get_or_insert_default().notes.push(sentence);
        self
    }

    /// Adds a member to the JSON object. Its name is a part of the interface.
    pub(crate) fn fact(mut self, name: &'static str, value: String) -> Self {
        self.page.get_or_insert_default().facts.push((name, value));
        self
    }

    /// Members of the JSON object, besides those that every refusal has.
    pub(crate) fn facts(&self) -> &[(&'static str, String)] {
        self.page.as_ref().map_or(&[], |page| &page.facts)
    }

    /// Links on the error page. If there is none, the page shows the link of [`Reason::help`].
    pub(crate) fn ways(&self) -> &[WayOn] {
        self.page.as_ref().map_or(&[], |page| &page.ways)
    }

    /// Sentences on the error page, below the advice.
    pub(crate) fn notes(&self) -> &[String] {
        self.page.as_ref().map_or(&[], |page| &page.notes)
    }
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self { reason, source: None, page: None }
    }
}

/// What the user can do after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Help {
    /// Only the operator can help.
    None,
    /// Start again, at the front page unless the rejection offers a better link. Also used if waiting helps but the page has the
    /// address of the callback, which accepts an answer only once.
    StartAgain,
    /// Sign in in a new tab, then reload this page: the address or the form is in this tab only.
    OtherTab,
    /// Open the address of the page without the form.
    WithoutForm,
    /// Another address of this site may work. The same request never succeeds.
    OtherPage,
    /// The same request may succeed later.
    TryLater,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident => $code:literal, $status:literal, $help:ident, $title:literal, $advice:literal;)+) => {
        /// Every reason for a refusal. `docs/REASONS.md` is generated from this list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of `docs/REASONS.md`.
            pub(crate) const ALL: &[Reason] = &[$(Reason::$name,)+];

            /// The stable code for the access log, the metrics and the error page.
            pub(crate) const fn code(self) -> &'static str { match self { $(Self::$name => $code,)+ } }

            /// The status of the response. Statuses follow ALB §6.1 where the ALB has one.
            pub(crate) fn status(self) -> StatusCode {
                StatusCode::from_u16(match self { $(Self::$name => $status,)+ }).expect("three digits")
            }

            /// What the user can do.
            pub(crate) const fn help(self) -> Help { match self { $(Self::$name => Help::$help,)+ } }

            /// The page's heading: what happened, in a few words.
            pub(crate) const fn title(self) -> &'static str { match self { $(Self::$name => $title,)+ } }

            /// Explains the reason to the user, and what to do.
            pub(crate) const fn advice(self) -> &'static str { match self { $(Self::$name => $advice,)+ } }

            /// Explains the reason to the operator.
            #[cfg(test)]
            pub(crate) const fn meaning(self) -> &'static str { match self { $(Self::$name => concat!($($doc,)+),)+ } }
        }
    };
}

reasons! {
    /// The request could not be read as HTTP. On HTTP/2 the stream is reset without a page.
    RequestMalformed => "request.malformed", 400, OtherPage, "That request could not be read",
        "The browser or program sent something that is not a valid request.";
    /// The request's head has more fields, or more bytes, than the listener's limits allow.
    RequestHeadTooLarge => "request.head_too_large", 431, OtherPage, "That request is too large",
        "The request carries more headers or a longer address than this server accepts.";
    /// The head of the request began to arrive and was not whole after `head_timeout` of the listener.
    RequestHeadTimeout => "request.head_timeout", 408, TryLater, "That request took too long",
        "The rest of the request did not arrive in time.";
    /// The redirect of a rule would be longer than 8 KiB after the parts of the request are filled in.
    RequestUriTooLong => "request.uri_too_long", 414, OtherPage, "That address is too long",
        "The address is longer than this server can put into a redirect.";
    /// The request names no host, more than one host, or an invalid host.
    RequestHost => "request.host_invalid", 400, None, "That address could not be read",
        "The request must name exactly one host.";
    /// The path is ambiguous (dot segments, encoded slashes, backslashes, parameters, bad encoding, an encoded `;`, `?` or
    /// `#` that could lead to another rule). A rule can accept encoded slashes: `encoded_slash: keep`.
    RequestPath => "request.path_ambiguous", 400, OtherPage, "That address could not be read",
        "The path contains characters that servers interpret differently. Use the address in its plain form.";
    /// The method is CONNECT, TRACE or TRACK.
    RequestMethod => "request.method_not_allowed", 405, OtherPage, "That method is not allowed",
        "This server does not accept requests of that kind.";
    /// A header such as `X-HTTP-Method-Override` asks for a method other than the method of the request. The listener can pass such
    /// headers on: `method_override: pass`.
    RequestMethodOverride => "request.method_override", 400, OtherPage, "That request could not be read",
        "The request names one method and asks to be treated as another. Send the method itself.";
    /// A rule that signs users in, on a listener without TLS, received a request without `X-Forwarded-Proto: https` from a trusted proxy.
    /// Either the peer is not in `trusted_proxies`, or the proxy does not send `X-Forwarded-Proto: https`.
    RequestNotHttps => "request.not_https", 403, None, "This address needs HTTPS",
        "You cannot sign in over plain HTTP. Open the address with https://. If you did, the proxy in front of this server \
         does not say so: the operator must list it in trusted_proxies and have it send X-Forwarded-Proto: https.";
    /// The request came over plain HTTP to a listener with `protocol: https`. The page links to the same address with `https`.
    RequestPlainHttp => "request.plain_http", 400, None, "This address needs HTTPS",
        "The request came over plain HTTP, and this port speaks HTTPS only. Open the address with https://.";
    /// `X-Forwarded-For` has more than 30 addresses.
    RequestForwarded => "request.forwarded_too_long", 463, None, "That request passed through too many proxies",
        "The request lists more than 30 addresses that forwarded it.";
    /// The request asks for a transfer coding other than chunked (RFC 9112 §6.1).
    RequestTransferEncoding => "request.transfer_encoding", 501, OtherPage, "That request could not be read",
        "The request uses a transfer coding that this server does not support.";
    /// The request expects something other than 100-continue (RFC 9110 §10.1.1).
    RequestExpectation => "request.expectation", 417, OtherPage, "That request cannot be fulfilled",
        "The `Expect` header of the request asks for something that this server does not support.";
    /// A WebSocket handshake came from a page of another origin.
    RequestOrigin => "request.origin_mismatch", 403, OtherPage, "That page may not connect here",
        "A page of another site tried to open a connection with your session.";
    /// The body of a request to one of Vestibule's own endpoints is too large.
    RequestBodyTooLarge => "request.body_too_large", 413, OtherPage, "That request is too large",
        "The request is larger than this page accepts.";
    /// The client stopped sending in the middle of a body.
    RequestBodyTimeout => "request.body_timeout", 408, TryLater, "That request took too long",
        "The rest of the request did not arrive in time.";
    /// A chunk or a trailer of the body is malformed (RFC 9112 §7.1).
    RequestBodyMalformed => "request.body_malformed", 400, OtherPage, "That request could not be read",
        "The browser or program sent something that is not a valid request.";
    /// The body of a request arrived slower than `body_rate_min` of the listener allows.
    RequestBodyTooSlow => "request.body_too_slow", 408, TryLater, "That request took too long",
        "The rest of the request did not arrive in time.";
    /// Sign-in is needed, and the request cannot be redirected: the rule says `deny`, or it is not a navigation.
    AuthRequired => "auth.required", 401, StartAgain, "Please sign in",
        "You must sign in to open this page.";
    /// The session has expired, and the request cannot be redirected to sign-in.
    AuthSessionExpired => "auth.session_expired", 401, StartAgain, "Your session has ended",
        "You were signed in, but that was a while ago. Please sign in again.";
    /// The session cookie cannot be decrypted: it was changed or truncated, belongs to another installation, or was encrypted with a retired key.
    AuthSessionInvalid => "auth.session_invalid", 401, StartAgain, "Please sign in again",
        "Your browser sent a session that this server cannot read.";
    /// A form came from a browser that is not signed in. A redirect to sign-in would lose the form, so Vestibule does not redirect.
    AuthFormNotSent => "auth.form_not_sent", 401, OtherTab, "Your form was not sent",
        "You are not signed in, or your session has ended. Sign in in a new tab, then come back to this page and reload it: your browser asks whether to send the form again.";
    /// A form of another site came without a session. Browsers do not send the session cookie with such a form (`SameSite=Lax`), so the user may be signed in. With `session_cookie_same_site: none` browsers send the cookie.
    AuthFormForeign => "auth.form_foreign", 401, WithoutForm, "A form from another site was not sent",
        "Another site has sent a form here, and your browser did not send your session: browsers do not send it with a form from another site. You can open the page without the form.";
    /// The address is too long to be kept in cookies during a sign-in.
    AuthAddressTooLong => "auth.address_too_long", 401, OtherTab, "Please sign in in a new tab",
        "This address is too long to be kept while you sign in. Sign in in a new tab, then come back to this page and reload it.";
    /// The browser came back from a sign-in, twice or more in a row, without the cookie that was set: the browser blocks cookies, or a proxy on the way removes them.
    AuthCookieNotReturned => "auth.cookie_not_returned", 401, StartAgain, "Your browser did not send the cookie back",
        "A sign-in needs a cookie. Your browser was given one and did not send it back. Allow cookies for this site, then sign in again.";
    /// The browser came back from a sign-in with two cookies of the same name. Another host of the domain, or another path, has set the second one.
    AuthCookieTwice => "auth.cookie_twice", 401, StartAgain, "Your browser sent two cookies of the same name",
        "Another part of this site has set a cookie with the same name as the session cookie, and this server cannot tell which cookie is the right one. Delete the cookies of this site, then sign in again.";
    /// The browser came back from a sign-in with a session that cannot be decrypted. A common cause is that replicas have different keys.
    AuthCookieUnreadable => "auth.cookie_unreadable", 401, StartAgain, "Your new session could not be read",
        "You were signed in, but the session that you were given cannot be read. The servers of this site may not have the same keys. Please tell the operator.";
    /// The browser came back from a sign-in with a session that has already expired. The clocks of replicas differ, or a clock was changed.
    AuthClock => "auth.clock", 401, StartAgain, "Your new session has already expired",
        "You were signed in, but the session that you were given has ended. The clocks of the servers of this site may differ. Please tell the operator.";
    /// The provider's answer came without `state`.
    AuthStateMissing => "auth.state_missing", 401, StartAgain, "That sign-in was not started here",
        "The sign-in page sent you back without the value that identifies your sign-in. Please sign in again.";
    /// The `state` in the provider's answer does not match a sign-in that began in this browser on this host.
    AuthStateMismatch => "auth.state_mismatch", 401, StartAgain, "That sign-in was not started here",
        "This sign-in belongs to another browser or was already finished. Please sign in again.";
    /// The sign-in took longer than 15 minutes, twice in a row.
    AuthLoginExpired => "auth.login_expired", 401, StartAgain, "That sign-in took too long",
        "A sign-in must be finished within 15 minutes. Please sign in again.";
    /// The provider's answer came without `code`.
    AuthCodeMissing => "auth.code_missing", 401, StartAgain, "The sign-in was not finished",
        "The sign-in page sent you back without the code that completes the sign-in. Please sign in again.";
    /// The provider's answer repeats a parameter, or is not a GET.
    AuthCallbackMalformed => "auth.callback_malformed", 400, StartAgain, "That sign-in could not be read",
        "The sign-in page sent you back with an ambiguous answer. Please sign in again.";
    /// The user is signed in, and the claims do not meet the requirement of the rule's `authorize` action.
    AuthNotAllowed => "auth.not_allowed", 403, OtherPage, "You do not have access",
        "You are signed in, but your account may not open this page. If you were given access just now, sign in again.";
    /// The user cancelled the sign-in, or the provider refused it (`access_denied`).
    AuthDenied => "auth.denied", 401, StartAgain, "You were not signed in",
        "The sign-in was cancelled, or your account may not use this application.";
    /// The provider answered the sign-in with an error.
    AuthProviderError => "auth.provider_error", 561, StartAgain, "The sign-in service reported an error",
        "The service that signs you in reported that the sign-in failed. Please try again; if it persists, tell the operator.";
    /// `iss` in the provider's answer is not the issuer of the provider that the sign-in began with (RFC 9207).
    AuthIssuerMismatch => "auth.issuer_mismatch", 401, StartAgain, "That sign-in came from the wrong place",
        "The answer came from a sign-in service other than the one where your sign-in began. Please sign in again.";
    /// The provider's metadata could not be fetched, so no sign-in can begin.
    AuthProviderUnavailable => "auth.provider_unavailable", 503, TryLater, "Sign-in is not available right now",
        "The service that signs you in does not answer. Please try again in a minute.";
    /// The token endpoint could not be reached or did not answer in time.
    AuthTokenUnreachable => "auth.token_endpoint_unreachable", 500, StartAgain, "Sign-in is not available right now",
        "The service that signs you in stopped responding during the sign-in. Please try again in a minute.";
    /// The token endpoint answered with an error.
    AuthTokenRefused => "auth.token_endpoint_refused", 561, StartAgain, "The sign-in service reported an error",
        "The service that signs you in refused to complete the sign-in. If it persists, tell the operator.";
    /// The token endpoint does not accept the code: it was already used, has expired, or was issued to another client.
    AuthCodeRejected => "auth.code_rejected", 401, StartAgain, "That sign-in was already used",
        "Each sign-in can be completed only once. Please sign in again.";
    /// The token endpoint's answer does not conform to OpenID Connect.
    AuthTokenResponse => "auth.token_response_invalid", 561, StartAgain, "The sign-in service sent an invalid answer",
        "The service that signs you in sent an answer that this server cannot read. If it persists, tell the operator.";
    /// The ID token is missing or verification failed: signature, algorithm, issuer, audience, expiry or nonce.
    AuthIdToken => "auth.id_token_invalid", 401, StartAgain, "The proof of your sign-in is not valid",
        "The service that signs you in sent an ID token that could not be verified. If it persists, tell the operator.";
    /// The provider's keys for verifying ID tokens could not be fetched.
    AuthKeysUnavailable => "auth.keys_unavailable", 500, StartAgain, "Sign-in is not available right now",
        "The keys of the service that signs you in could not be fetched. Please try again in a minute.";
    /// The userinfo endpoint could not be reached or did not answer in time.
    AuthUserinfoUnreachable => "auth.userinfo_unreachable", 500, StartAgain, "Sign-in is not available right now",
        "The service that signs you in stopped responding during the sign-in. Please try again in a minute.";
    /// The userinfo endpoint answered with an error.
    AuthUserinfoRefused => "auth.userinfo_refused", 561, StartAgain, "The sign-in service reported an error",
        "The service that signs you in refused to send your user information. If it persists, tell the operator.";
    /// The userinfo answer is not a JSON object of claims.
    AuthUserinfoInvalid => "auth.userinfo_invalid", 561, StartAgain, "The sign-in service sent an invalid answer",
        "The service that signs you in sent an answer that this server cannot read. If it persists, tell the operator.";
    /// Userinfo has a `sub` other than that of the ID token (OIDC Core §5.3.2).
    AuthSubjectMismatch => "auth.subject_mismatch", 401, StartAgain, "The proof of your sign-in is not valid",
        "The service that signs you in sent data about two different users.";
    /// Claims and tokens do not fit into four cookies.
    AuthClaimsTooLarge => "auth.claims_too_large", 500, StartAgain, "Your account carries too much data to sign in",
        "The data about you from the sign-in service is too large for cookies. Please tell the operator.";
    /// A header that tells the target who the user is would be longer than `claims.header_bytes_max`.
    AuthHeaderTooLarge => "auth.header_too_large", 500, None, "Your account carries too much data for this application",
        "The data about you from the sign-in service is too large for a request to the application. Please tell the operator.";
    /// The client's address has reached `logins_per_address_max` of the listener: the number of unfinished logins.
    AuthTooManyLogins => "auth.too_many_logins", 429, TryLater, "Too many sign-ins at once",
        "Many sign-ins have been started from your network and not finished. Please try again in a minute.";
    /// A request to sign out came from a page of another site, or a browser that is signed in came back from a sign-out at the provider.
    AuthSignOutForeign => "auth.sign_out_foreign", 403, StartAgain, "You are still signed in",
        "Another site sent you here, and other sites cannot sign you out.";
    /// No target is registered in the target group.
    UpstreamNoTarget => "upstream.no_target", 503, TryLater, "The application is not available right now",
        "No server is configured for this application at the moment.";
    /// The target's name could not be resolved.
    UpstreamName => "upstream.name_unresolved", 502, TryLater, "The application is not available right now",
        "The name of the application behind this address could not be resolved.";
    /// No address of the target accepted the connection.
    UpstreamUnreachable => "upstream.unreachable", 502, TryLater, "The application is not available right now",
        "The application behind this address does not accept connections.";
    /// The connection to the target was not made within `connect_timeout` of the target group: name lookup, TCP and TLS together.
    UpstreamConnectTimeout => "upstream.connect_timeout", 504, TryLater, "The application does not answer",
        "The application behind this address could not be reached in time.";
    /// The TLS handshake with the target failed.
    UpstreamTls => "upstream.tls", 502, TryLater, "The application is not available right now",
        "A secure connection (TLS) to the application could not be made.";
    /// The target closed the connection before it answered.
    UpstreamReset => "upstream.reset", 502, TryLater, "The application closed the connection",
        "The application closed the connection before it answered.";
    /// The target did not begin to answer in time.
    UpstreamTimeout => "upstream.timeout", 504, TryLater, "The application does not answer",
        "The application took too long to answer.";
    /// The target stopped sending in the middle of its answer: no data arrived for `response_timeout`, and Vestibule closed the response.
    UpstreamBodyTimeout => "upstream.body_timeout", 504, TryLater, "The application does not answer",
        "The application stopped responding in the middle of its answer.";
    /// The target's answer is not valid HTTP.
    UpstreamMalformed => "upstream.malformed", 502, TryLater, "The application sent an invalid answer",
        "The application's answer is not valid HTTP.";
    /// The target group does not support the protocol of the request: gRPC needs HTTP/2, and the targets use HTTP/1.1.
    UpstreamProtocol => "upstream.protocol_mismatch", 464, OtherPage, "The application does not support that protocol",
        "The request uses a protocol that the application does not support.";
    /// Nothing is served at this address.
    NotFound => "request.not_found", 404, OtherPage, "There is nothing here",
        "This address does not exist.";
    /// The session ended during a long response, and Vestibule closed the response. The status line had already been sent.
    SessionEnded => "session.ended", 401, StartAgain, "Your session has ended",
        "You were signed in, but that was a while ago. Please sign in again.";
    /// The client closed the connection before the answer; no page is sent.
    ClientClosed => "client.closed", 460, None, "The client left",
        "";
    /// An internal error in Vestibule; the log has the cause.
    Internal => "internal", 500, TryLater, "Something went wrong on this server",
        "The error has been logged. Please try again.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_have_the_form_that_metrics_want() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for code in codes {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'.' | b'_')), "{code}");
        }
    }

    #[test]
    fn every_reason_refuses() {
        for reason in Reason::ALL {
            assert!(reason.status().as_u16() >= 400, "{reason:?}");
        }
    }
}
