//! The only error that a client ever sees: a stable code, a status, and advice.

use http::{HeaderValue, StatusCode};

use crate::message::{BoxError, uri};
use crate::page::Sentence;
use crate::page::link::Link;

/// Why a request is refused. `source` is the cause; it goes only to the log.
#[derive(Debug)]
pub struct Rejection {
    pub reason: Reason,
    pub source: Option<BoxError>,
    /// Boxed, because a rejection is moved often, and most rejections have no links and notes.
    page: Option<Box<Page>>,
}

/// What the answer says besides the reason: sentences and links to people, members of the JSON object to programs.
#[derive(Debug, Default)]
struct Page {
    notes: Vec<Sentence>,
    facts: Vec<(&'static str, String)>,
    links: Vec<Link>,
    challenges: Vec<HeaderValue>,
}

impl Reason {
    /// Whether the reason is about a bearer token. The answer then says how to use one, and nothing of a session.
    pub(crate) const fn is_of_bearer(self) -> bool {
        matches!(
            self,
            Self::BearerMissing
                | Self::BearerMalformed
                | Self::BearerInvalid
                | Self::BearerEnded
                | Self::BearerScope
                | Self::BearerNotAllowed
                | Self::BearerGroupsOverage
                | Self::BearerStepUpRequired
                | Self::BearerKeysUnavailable
                | Self::BearerIntrospectionUnavailable
                | Self::BearerIntrospectionBusy
        )
    }

    /// The reason for a user who came with a bearer token, where a user with a session is refused for this one: what helps is another.
    pub const fn of_token(self) -> Self {
        match self {
            Self::AuthNotAllowed => Self::BearerNotAllowed,
            Self::AuthGroupsOverage => Self::BearerGroupsOverage,
            Self::AuthStepUpRequired => Self::BearerStepUpRequired,
            other => other,
        }
    }

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
                | Self::AuthGroupsUnavailable
                | Self::AuthSubjectMismatch
                | Self::AuthClaimsTooLarge
                | Self::AuthCookieNotReturned
                | Self::AuthCookieTwice
                | Self::AuthCookieUnreadable
                | Self::AuthStepUpFailed
        )
    }
}

impl Rejection {
    /// A rejection with its cause.
    pub(crate) fn new(reason: Reason, source: impl Into<BoxError>) -> Self {
        Self { reason, source: Some(source.into()), page: None }
    }

    /// Adds a link to the error page.
    pub(crate) fn offer(mut self, link: Link) -> Self {
        self.page.get_or_insert_default().links.push(link);
        self
    }

    /// Adds a sentence to the error page, in HTML and text.
    pub(crate) fn note(mut self, sentence: Sentence) -> Self {
        self.page.get_or_insert_default().notes.push(sentence);
        self
    }

    /// Adds a member to the JSON object. Its name is a part of the interface.
    pub(crate) fn fact(mut self, name: &'static str, value: String) -> Self {
        self.page.get_or_insert_default().facts.push((name, value));
        self
    }

    /// Adds a `WWW-Authenticate` (RFC 9110 §11.6.1).
    pub(crate) fn challenge(mut self, challenge: HeaderValue) -> Self {
        self.page.get_or_insert_default().challenges.push(challenge);
        self
    }

    /// The `WWW-Authenticate` fields of the answer, besides that of a session.
    pub(crate) fn challenges(&self) -> &[HeaderValue] {
        self.page.as_ref().map_or(&[], |page| &page.challenges)
    }

    /// Members of the JSON object, besides those that every refusal has.
    pub(crate) fn facts(&self) -> &[(&'static str, String)] {
        self.page.as_ref().map_or(&[], |page| &page.facts)
    }

    /// Links on the error page. If there is none, the page shows the link of [`Reason::help`].
    pub(crate) fn links(&self) -> &[Link] {
        self.page.as_ref().map_or(&[], |page| &page.links)
    }

    /// Sentences on the error page, below the advice.
    pub(crate) fn notes(&self) -> &[Sentence] {
        self.page.as_ref().map_or(&[], |page| &page.notes)
    }
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self { reason, source: None, page: None }
    }
}

impl From<uri::Error> for Rejection {
    fn from(error: uri::Error) -> Self {
        Self::new(error.into(), error)
    }
}

impl From<uri::Error> for Reason {
    fn from(error: uri::Error) -> Self {
        match error {
            uri::Error::Method => Self::RequestMethod,
            uri::Error::Host => Self::RequestHost,
            uri::Error::NotAPath | uri::Error::Scheme => Self::RequestMalformed,
            uri::Error::Encoding
            | uri::Error::DotSegment
            | uri::Error::Character
            | uri::Error::Fragment
            | uri::Error::EncodedSlash
            | uri::Error::Parameters
            | uri::Error::EncodedEnd
            | uri::Error::OtherReading => Self::RequestPath,
        }
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
    /// Ask the provider for the permissions again, or sign in again or with another account.
    Permissions,
    /// Sign in again, or with another account. With another source of groups, ask again for the permissions.
    OtherAccount,
    /// Sign in again, to meet what the rule demands.
    SignInAgain,
    /// Try the sign-in again, or use another account.
    RetrySignIn,
    /// The same request may succeed later.
    TryLater,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident => $code:literal, $status:literal, $help:ident;)+) => {
        /// Every reason for a refusal. `docs/REASONS.md` is generated from this list. What the page of a reason says is in
        /// `page/texts/`, by the code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of `docs/REASONS.md`.
            pub const ALL: &[Reason] = &[$(Reason::$name,)+];

            /// The stable code for the access log, the metrics and the error page.
            pub const fn code(self) -> &'static str { match self { $(Self::$name => $code,)+ } }

            /// The status of the response. Statuses follow ALB §6.1 where the ALB has one.
            pub fn status(self) -> StatusCode {
                StatusCode::from_u16(match self { $(Self::$name => $status,)+ }).expect("three digits")
            }

            /// What the user can do.
            pub(crate) const fn help(self) -> Help { match self { $(Self::$name => Help::$help,)+ } }

            /// Explains the reason to the operator.
            #[cfg(test)]
            pub(crate) const fn meaning(self) -> &'static str { match self { $(Self::$name => concat!($($doc,)+),)+ } }
        }
    };
}

reasons! {
    /// The request could not be read as HTTP. On HTTP/2 the stream is reset without a page.
    RequestMalformed => "request.malformed", 400, OtherPage;
    /// The request's head has more fields, or more bytes, than the listener's limits allow.
    RequestHeadTooLarge => "request.head_too_large", 431, OtherPage;
    /// The head of the request began to arrive and was not whole after `head_timeout` of the listener.
    RequestHeadTimeout => "request.head_timeout", 408, TryLater;
    /// The address alone takes more than half of `head_bytes_max` of a head that is longer than it. Or the redirect of a rule would be longer than
    /// 8 KiB after the parts of the request are filled in.
    RequestUriTooLong => "request.uri_too_long", 414, OtherPage;
    /// The request does not conform to the standard in a way that has one reading here, and the listener has `desync_mitigation: strictest`. The
    /// access log says what it is.
    RequestNotCompliant => "request.not_compliant", 400, OtherPage;
    /// The request line names a version of HTTP other than 1.1 and 1.0, for example because a client speaks HTTP/2 without having agreed on it.
    RequestVersion => "request.http_version", 505, OtherPage;
    /// The request names no host, more than one host, or an invalid host.
    RequestHost => "request.host_invalid", 400, None;
    /// The path is ambiguous (dot segments, encoded slashes, backslashes, parameters, bad encoding, an encoded `;`, `?` or
    /// `#` that could lead to another rule). A rule can accept encoded slashes: `encoded_slash: keep`.
    RequestPath => "request.path_ambiguous", 400, OtherPage;
    /// The method is CONNECT, TRACE or TRACK. Or a client asked for a WebSocket over HTTP/2 at an address that Vestibule answers itself: its 2xx would say that the WebSocket is open.
    RequestMethod => "request.method_not_allowed", 405, OtherPage;
    /// A header such as `X-HTTP-Method-Override` asks for a method other than the method of the request. The listener can pass such
    /// headers on: `method_override: pass`.
    RequestMethodOverride => "request.method_override", 400, OtherPage;
    /// A rule that signs users in, on a listener without TLS, received a request without `X-Forwarded-Proto: https` from a trusted proxy.
    /// Either the peer is not in `trusted_proxies`, or the proxy does not send `X-Forwarded-Proto: https`.
    RequestNotHttps => "request.not_https", 403, None;
    /// The request came over plain HTTP to a listener with `protocol: https`. The page links to the same address with `https`.
    RequestPlainHttp => "request.plain_http", 400, None;
    /// The certificate with which the client has opened the connection is not accepted any more: it has expired, or a reload has brought another
    /// trust store, another list of revoked certificates, or `mode: verify`. The client has to open another connection, whose handshake
    /// decides. Also ends responses and WebSockets that are under way.
    RequestClientCertificate => "request.client_certificate", 421, TryLater;
    /// `X-Forwarded-For` has more than 30 addresses.
    RequestForwarded => "request.forwarded_too_long", 463, None;
    /// The request asks for a transfer coding other than chunked (RFC 9112 §6.1).
    RequestTransferEncoding => "request.transfer_encoding", 501, OtherPage;
    /// The request expects something other than 100-continue (RFC 9110 §10.1.1).
    RequestExpectation => "request.expectation", 417, OtherPage;
    /// A WebSocket handshake came from a page of another origin.
    RequestOrigin => "request.origin_mismatch", 403, OtherPage;
    /// The body of a request to one of Vestibule's own endpoints is too large.
    RequestBodyTooLarge => "request.body_too_large", 413, OtherPage;
    /// The client stopped sending in the middle of a body.
    RequestBodyTimeout => "request.body_timeout", 408, TryLater;
    /// A chunk or a trailer of the body is malformed (RFC 9112 §7.1).
    RequestBodyMalformed => "request.body_malformed", 400, OtherPage;
    /// The body of a request arrived slower than `body_rate_min` of the listener allows.
    RequestBodyTooSlow => "request.body_too_slow", 408, TryLater;
    /// A request came to a listener with `forward_auth` from a peer that is not in `peers`.
    ForwardAuthPeer => "forward_auth.peer", 403, None;
    /// A question of another proxy does not describe exactly one request: a header that describes it is missing, comes twice or cannot be read. The log says which, at the level `debug`. See `docs/FORWARD_AUTH.md` for what each proxy has to send.
    ForwardAuthDescription => "forward_auth.description", 400, None;
    /// Another proxy asked about a reserved path, such as that of the callback. It must send requests to these paths to Vestibule in place of asking about them.
    ForwardAuthReserved => "forward_auth.reserved_path", 403, None;
    /// Sign-in is needed, and the request cannot be redirected: the rule says `deny`, or it is not a navigation.
    AuthRequired => "auth.required", 401, StartAgain;
    /// The session has expired, and the request cannot be redirected to sign-in.
    AuthSessionExpired => "auth.session_expired", 401, StartAgain;
    /// A user pool of this process has ended the session: the user was disabled, deleted or signed out, or has another password. A navigation is redirected to sign-in; its access record has this reason, too.
    AuthSessionEnded => "auth.session_ended", 401, StartAgain;
    /// The session cookie cannot be decrypted: it was changed or truncated, belongs to another installation, or was encrypted with a retired key.
    AuthSessionInvalid => "auth.session_invalid", 401, StartAgain;
    /// A form came from a browser that is not signed in. A redirect to sign-in would lose the form, so Vestibule does not redirect.
    AuthFormNotSent => "auth.form_not_sent", 401, OtherTab;
    /// A form of another site came without a session. Browsers do not send the session cookie with such a form (`SameSite=Lax`), so the user may be signed in. With `session_cookie_same_site: none` browsers send the cookie.
    AuthFormForeign => "auth.form_foreign", 401, WithoutForm;
    /// The address is too long to be kept in cookies during a sign-in.
    AuthAddressTooLong => "auth.address_too_long", 401, OtherTab;
    /// The browser came back from a sign-in, twice or more in a row, without the cookie that was set: the browser blocks cookies, or a proxy on the way removes them.
    AuthCookieNotReturned => "auth.cookie_not_returned", 401, StartAgain;
    /// The browser came back from a sign-in with two cookies of the same name. Another host of the domain, or another path, has set the second one.
    AuthCookieTwice => "auth.cookie_twice", 401, StartAgain;
    /// The browser came back from a sign-in with a session that cannot be decrypted. A common cause is that replicas have different keys.
    AuthCookieUnreadable => "auth.cookie_unreadable", 401, StartAgain;
    /// The browser came back from a sign-in with a session that has already expired. The clocks of replicas differ, or a clock was changed.
    AuthClock => "auth.clock", 401, StartAgain;
    /// The provider's answer came without `state`.
    AuthStateMissing => "auth.state_missing", 401, StartAgain;
    /// The `state` in the provider's answer does not match a sign-in that began in this browser on this host.
    AuthStateMismatch => "auth.state_mismatch", 401, StartAgain;
    /// The sign-in took longer than 15 minutes, twice in a row.
    AuthLoginExpired => "auth.login_expired", 401, StartAgain;
    /// The provider's answer came without `code`.
    AuthCodeMissing => "auth.code_missing", 401, StartAgain;
    /// The provider's answer repeats a parameter, or is not a GET.
    AuthCallbackMalformed => "auth.callback_malformed", 400, StartAgain;
    /// The user is signed in, and the claims of the session do not meet the requirement of the rule's `authorize` action.
    AuthNotAllowed => "auth.not_allowed", 403, Permissions;
    /// Nobody is signed in, and the certificate of the client does not meet the requirement of the rule's `authorize` action.
    AuthCertificateNotAllowed => "auth.certificate_not_allowed", 403, OtherPage;
    /// The rule's `authorize` asks for `groups`, and the provider did not send them because the user is in too many: the groups overage of Microsoft Entra (`_claim_names`, `hasgroups`). Let the provider send only the groups that are assigned to the application, or set `entra_groups: graph` at the provider.
    AuthGroupsOverage => "auth.groups_overage", 403, OtherAccount;
    /// The user is signed in, but the rule demands a newer or a stronger sign-in (`max_age` or `acr` of `authorize`), and the request cannot be redirected: it is not a navigation, it sends a form, or the rule says `deny`.
    AuthStepUpRequired => "auth.step_up_required", 401, SignInAgain;
    /// The user has signed in for `max_age` or `acr` of `authorize`, and the provider's answer does not meet it: `auth_time` is missing, too old or in the future, or `acr` is missing or another. The page and the log say which.
    AuthStepUpFailed => "auth.step_up_failed", 403, RetrySignIn;
    /// The user cancelled the sign-in, or the provider refused it (`access_denied`).
    AuthDenied => "auth.denied", 401, StartAgain;
    /// The provider answered the sign-in with an error.
    AuthProviderError => "auth.provider_error", 561, StartAgain;
    /// `iss` in the provider's answer is not the issuer of the provider that the sign-in began with (RFC 9207).
    AuthIssuerMismatch => "auth.issuer_mismatch", 401, StartAgain;
    /// The provider's metadata could not be fetched, so no sign-in can begin.
    AuthProviderUnavailable => "auth.provider_unavailable", 503, TryLater;
    /// The token endpoint could not be reached or did not answer in time.
    AuthTokenUnreachable => "auth.token_endpoint_unreachable", 500, StartAgain;
    /// The token endpoint answered with an error.
    AuthTokenRefused => "auth.token_endpoint_refused", 561, StartAgain;
    /// The token endpoint does not accept the code: it was already used, has expired, or was issued to another client.
    AuthCodeRejected => "auth.code_rejected", 401, StartAgain;
    /// The token endpoint's answer does not conform to OpenID Connect.
    AuthTokenResponse => "auth.token_response_invalid", 561, StartAgain;
    /// The ID token is missing or verification failed: signature, algorithm, issuer, audience, expiry or nonce.
    AuthIdToken => "auth.id_token_invalid", 401, StartAgain;
    /// The provider's keys for verifying ID tokens could not be fetched.
    AuthKeysUnavailable => "auth.keys_unavailable", 500, StartAgain;
    /// The userinfo endpoint could not be reached or did not answer in time.
    AuthUserinfoUnreachable => "auth.userinfo_unreachable", 500, StartAgain;
    /// The userinfo endpoint answered with an error.
    AuthUserinfoRefused => "auth.userinfo_refused", 561, StartAgain;
    /// The userinfo answer is not a JSON object of claims.
    AuthUserinfoInvalid => "auth.userinfo_invalid", 561, StartAgain;
    /// Microsoft Graph did not tell the groups of a user who is in too many for a token (`entra_groups: graph`): it could not be reached, refused, or its answer could not be used.
    AuthGroupsUnavailable => "auth.groups_unavailable", 500, StartAgain;
    /// Userinfo has a `sub` other than that of the ID token (OIDC Core §5.3.2).
    AuthSubjectMismatch => "auth.subject_mismatch", 401, StartAgain;
    /// Claims and tokens do not fit into four cookies.
    AuthClaimsTooLarge => "auth.claims_too_large", 500, StartAgain;
    /// A header that tells the target who the user is would be longer than `claims.header_bytes_max`.
    AuthHeaderTooLarge => "auth.header_too_large", 500, None;
    /// The client's address has reached `logins_per_address_max` of the listener: the number of unfinished logins.
    AuthTooManyLogins => "auth.too_many_logins", 429, TryLater;
    /// A request to sign out came from a page of another site, or a browser that is signed in came back from a sign-out at the provider.
    AuthSignOutForeign => "auth.sign_out_foreign", 403, StartAgain;
    /// The rule takes bearer tokens (`jwt-validation`), and the request has none in `Authorization: Bearer …`.
    BearerMissing => "bearer.missing", 401, None;
    /// The request has more than one `Authorization`, or something that no token can be behind `Bearer`.
    BearerMalformed => "bearer.malformed", 400, None;
    /// The bearer token cannot be read or verified, has expired, is of another issuer, audience or kind, or a claim of `additional_claims` is missing. The log has the cause at the level `debug`, and `check --request … --token-claims FILE` says it.
    BearerInvalid => "bearer.invalid", 401, None;
    /// A user pool of this process has ended the sign-in that the bearer token is from: the user was disabled, deleted or signed out, or has another password.
    BearerEnded => "bearer.ended", 401, None;
    /// The bearer token is valid and does not have each `scope` of the rule.
    BearerScope => "bearer.scope", 403, None;
    /// The bearer token is valid, and its claims do not meet the requirement of the rule's `authorize` action. The challenge names no error: what
    /// `insufficient_scope` stands for (RFC 6750 §3.1) is `bearer.scope`. `check --request … --token-claims FILE` says what is not met.
    BearerNotAllowed => "bearer.not_allowed", 403, None;
    /// The rule's `authorize` asks for `groups`, and the bearer token has not all of them because its user is in too many: as `auth.groups_overage`,
    /// for a token. Let the provider write only the groups that are assigned to the application into access tokens.
    BearerGroupsOverage => "bearer.groups_overage", 403, None;
    /// The bearer token is valid, and the rule demands a newer or a stronger sign-in (`max_age` or `acr` of `authorize`). The challenge says which
    /// (RFC 9470).
    BearerStepUpRequired => "bearer.step_up_required", 401, None;
    /// The keys of the issuer of bearer tokens could not be fetched and none are known, so the token could not be verified.
    BearerKeysUnavailable => "bearer.keys_unavailable", 500, TryLater;
    /// The issuer could not be asked whether the bearer token is active (`validation: introspection`): it did not answer in time, answered with an error, or its answer is no JSON object. The log has the cause.
    BearerIntrospectionUnavailable => "bearer.introspection_unavailable", 503, TryLater;
    /// The issuer is being asked about so many bearer tokens that it is not asked about this one. Tokens that were active before have a limit of their own.
    BearerIntrospectionBusy => "bearer.introspection_busy", 503, TryLater;
    /// The request has a session and a bearer token (`session-or-bearer`), and they are of different users. Two users are the same if `iss` and `sub` are
    /// the same, so a token of another issuer than that of the session is always one of another user: such programs send no session cookie.
    BearerOtherUser => "bearer.other_user", 400, None;
    /// No target is registered in the target group.
    UpstreamNoTarget => "upstream.no_target", 503, TryLater;
    /// A regular expression of `transforms` of the rule matches the request, and the result cannot be sent to a target.
    RuleTransformFailed => "rule.transform_failed", 500, OtherPage;
    /// A `static` action has files only: the method is not GET, HEAD or OPTIONS.
    StaticMethod => "static.method_not_allowed", 405, OtherPage;
    /// A file of a `static` action, or its directory, cannot be read: permissions, the disk, or no answer of the disk within 30 seconds. The log has the
    /// cause. Or the file became shorter while it was sent: the response was closed after its status line had been sent.
    StaticUnreadable => "static.unreadable", 500, TryLater;
    /// So many large files of `static` actions are being sent that this one is not begun: to this client network, or altogether. Their clients take little of
    /// them. Files of at most 16 KiB are always sent.
    StaticBusy => "static.busy", 503, TryLater;
    /// The target's name could not be resolved.
    UpstreamName => "upstream.name_unresolved", 502, TryLater;
    /// No address of the target accepted the connection.
    UpstreamUnreachable => "upstream.unreachable", 502, TryLater;
    /// The connection to the target was not made within `connect_timeout` of the target group: name lookup, TCP and TLS together.
    UpstreamConnectTimeout => "upstream.connect_timeout", 504, TryLater;
    /// The TLS handshake with the target failed.
    UpstreamTls => "upstream.tls", 502, TryLater;
    /// The target closed the connection before it answered.
    UpstreamReset => "upstream.reset", 502, TryLater;
    /// The target left the target group while the request was under way, and `deregistration_delay` of the group was over before the target had answered.
    UpstreamDeregistered => "upstream.deregistered", 502, TryLater;
    /// The target refused the request over HTTP/2 without processing it (REFUSED_STREAM, or GOAWAY because it stops), and no other target took
    /// it.
    UpstreamRefused => "upstream.refused", 503, TryLater;
    /// The target did not begin to answer in time. For a gRPC call, the time is that of its `grpc-timeout` if that is shorter.
    UpstreamTimeout => "upstream.timeout", 504, TryLater;
    /// The target stopped sending in the middle of its answer: no data arrived for `response_timeout`, and Vestibule closed the response.
    UpstreamBodyTimeout => "upstream.body_timeout", 504, TryLater;
    /// The target's answer is not valid HTTP.
    UpstreamMalformed => "upstream.malformed", 502, TryLater;
    /// A client asked for a WebSocket over HTTP/2, and the target answered 2xx in place of 101. Passed on, that would say that the WebSocket is open.
    UpstreamNoWebSocket => "upstream.no_websocket", 502, OtherPage;
    /// The target group does not support the protocol of the request (ALB §9.1). gRPC needs targets with `protocol_version: grpc` or `http2`.
    /// Those need clients that use HTTP/2, and have no WebSockets. Targets with `protocol_version: grpc` take POST only.
    UpstreamProtocol => "upstream.protocol_mismatch", 464, OtherPage;
    /// Nothing is served at this address.
    NotFound => "request.not_found", 404, OtherPage;
    /// The session, or the bearer token, ended during a long response, and Vestibule closed the response. The status line had already been sent. A response that `authorize` no longer allows after a refresh has the reason of `authorize` instead.
    SessionEnded => "session.ended", 401, StartAgain;
    /// The process stopped, or a reload removed the listener, and the exchange had not ended within `shutdown.drain_timeout`. The connection was closed, so no page is sent. A second stop signal does the same at once. If the status line had already been sent, the access record has its status.
    DrainTimeout => "proxy.drain_timeout", 503, TryLater;
    /// The client closed the connection before the answer; no page is sent.
    ClientClosed => "client.closed", 460, None;
    /// An internal error in Vestibule; the log has the cause.
    Internal => "internal", 500, TryLater;
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
