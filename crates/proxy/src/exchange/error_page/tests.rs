use std::fmt::Write as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, Method, Uri};

use super::*;
use crate::clock::{Clock, Timestamp};
use crate::exchange::Exchange;
use crate::exchange::connection::Connection;
use crate::message::uri::{CanonicalRequest, Scheme};
use crate::page::language::Language;
use crate::page::sentence::Sentence;
use crate::page::site::{Pages, STYLE_WITHOUT_FORMS};
use crate::page::translation;

const FORMS: [Preferred; 3] = [Preferred::Html, Preferred::Json, Preferred::Text];

/// A request for `https://app.test/page`.
fn exchange() -> Exchange {
    let peer = "192.0.2.66:4711".parse().expect("an address");
    let connection = Connection::new(peer, "public".into(), Arc::default(), None);
    let (clock, _) = Clock::manual(Timestamp::from_seconds(1_795_507_200));
    let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("app.test"))]);
    let canonical = CanonicalRequest::parse(Scheme::Https, &Method::GET, &Uri::from_static("/page"), &headers);
    let mut exchange = Exchange::begin(Rc::new(connection), clock.instant(), clock.now());
    exchange.request = Some(Rc::new(canonical.expect("plain")));
    exchange
}

/// Renders a rejection. The random id in the answer is replaced.
async fn rendered(rejection: impl Into<Rejection>, preferred: Preferred) -> (Response, String) {
    rendered_in(Language::default(), rejection, preferred).await
}

/// The same in a language.
async fn rendered_in(language: Language, rejection: impl Into<Rejection>, preferred: Preferred) -> (Response, String) {
    let pages = Pages::default();
    let exchange = exchange();
    let id = exchange.id;
    let (parts, body) = render(&rejection.into(), exchange.about(), preferred, pages.view(language)).into_parts();
    let body = body.whole(1 << 20).await.expect("in memory");
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    let text = body.replace(&id.to_string(), "1-6b054400-0123456789abcdef01234567").replace(STYLE_WITHOUT_FORMS, "…");
    (Response::from_parts(parts, Body::empty()), text)
}

#[tokio::test]
async fn pages_read_like_this() {
    for (preferred, name) in FORMS.into_iter().zip(["html", "json", "text"]) {
        let (response, body) = rendered(Reason::AuthProviderUnavailable, preferred).await;
        let mut whole = format!("{}\n", response.status().as_u16());
        for (name, value) in response.headers() {
            let _ = writeln!(whole, "{name}: {}", value.to_str().expect("ASCII"));
        }
        insta::assert_snapshot!(name, format!("{whole}\n{body}"));
    }
}

#[tokio::test]
async fn a_page_has_the_ways_that_the_rejection_offers() {
    let rejection = Rejection::from(Reason::AuthFormNotSent)
        .offer(Link::here(Text::LinkSignIn, "/oauth2/sign_in?state=a&b=\"<'").in_a_new_tab())
        .offer(Link::same_address(Text::LinkOpenPage));
    let (_, page) = rendered(rejection, Preferred::Html).await;
    let sign_in = r#"<a class="button" href="/oauth2/sign_in?state=a&#38;b=&#34;&#60;&#39;" target="_blank" rel="noopener">Sign in</a>"#;
    assert!(page.contains(sign_in) && page.contains(r#"<a class="more" href="">Open the page</a>"#), "{page}");
    assert!(!page.contains(r#"href="/""#), "{page}");
    let rejection =
        Rejection::from(Reason::AuthRequired).offer(Link::here(Text::LinkSignIn, "/oauth2/sign_in?state=a"));
    let (_, text) = rendered(rejection, Preferred::Text).await;
    assert!(text.contains("\nSign in: https://app.test/oauth2/sign_in?state=a\n"), "{text}");
}

#[tokio::test]
async fn every_reason_has_a_page_in_every_form_and_language() {
    for reason in Reason::ALL.iter().copied().filter(|reason| *reason != Reason::ClientClosed) {
        for preferred in FORMS {
            let (response, body) = rendered(reason, preferred).await;
            assert_eq!(response.status(), reason.status());
            let texts = english().reason(reason.code());
            for said in [reason.code(), texts.title, texts.advice] {
                assert!(
                    !said.is_empty() && body.contains(&escaped(said, preferred)),
                    "{reason:?} {preferred:?}: {said:?} in {body}"
                );
            }
            let has = |name| response.headers().contains_key(name);
            assert_eq!(has(header::WWW_AUTHENTICATE), reason.status() == StatusCode::UNAUTHORIZED, "{reason:?}");
            assert_eq!(has(header::RETRY_AFTER), reason.status() == StatusCode::SERVICE_UNAVAILABLE, "{reason:?}");
            assert_eq!(has(header::ALLOW), reason.status() == StatusCode::METHOD_NOT_ALLOWED, "{reason:?}");
            assert!(has(header::CACHE_CONTROL) && has(header::X_CONTENT_TYPE_OPTIONS), "{reason:?}");
        }
    }
}

/// A text as a page has it.
fn escaped(text: &str, preferred: Preferred) -> String {
    if preferred == Preferred::Html { text.replace('\'', "&#39;") } else { text.to_owned() }
}

#[tokio::test]
async fn people_are_answered_in_their_language_and_programs_in_english() {
    let german = Pages::default().asked_for("de").expect("German is there");
    let texts = translation::built_in().iter().find(|translation| translation.tag() == "de").expect("German is there");
    let rejection =
        || Rejection::from(Reason::AuthNotAllowed).note(Sentence::from(Text::AccessContact).quoted("contact", "<it>"));
    for reason in Reason::ALL.iter().copied().filter(|reason| *reason != Reason::ClientClosed) {
        let (response, page) = rendered_in(german, reason, Preferred::Html).await;
        assert_eq!(response.headers()[header::CONTENT_LANGUAGE], "de");
        let said = texts.reason(reason.code());
        assert!(page.contains(said.title) && page.contains(said.advice), "{reason:?}: {page}");
    }
    let (_, page) = rendered_in(german, rejection(), Preferred::Html).await;
    assert!(page.contains("<p>Zugang erhalten Sie hier: &#60;it&#62;</p>"), "{page}");
    for preferred in [Preferred::Json, Preferred::Text] {
        let (response, body) = rendered_in(german, rejection(), preferred).await;
        assert!(!response.headers().contains_key(header::CONTENT_LANGUAGE));
        assert!(body.contains("You do not have access") && !body.contains("Zugang"), "{body}");
    }
}

/// Reasons whose page has advice but no link, because no address of this host helps: the host, the protocol or the proxies
/// are wrong, or only the operator can help, or the client is a program that has to get a token. A client that used plain HTTP sees the address with HTTPS, if the request
/// names one host.
const WITHOUT_A_LINK: [Reason; 17] = [
    Reason::RequestHost,
    Reason::RequestNotHttps,
    Reason::RequestPlainHttp,
    Reason::RequestForwarded,
    Reason::AuthHeaderTooLarge,
    Reason::ForwardAuthPeer,
    Reason::ForwardAuthDescription,
    Reason::ForwardAuthReserved,
    Reason::BearerMissing,
    Reason::BearerMalformed,
    Reason::BearerInvalid,
    Reason::BearerScope,
    Reason::BearerNotAllowed,
    Reason::BearerGroupsOverage,
    Reason::BearerStepUpRequired,
    Reason::BearerEnded,
    Reason::BearerOtherUser,
];

#[tokio::test]
async fn every_page_has_a_way_on_and_the_id_of_the_request() {
    for reason in Reason::ALL.iter().copied().filter(|reason| *reason != Reason::ClientClosed) {
        let (_, page) = rendered(reason, Preferred::Html).await;
        assert_eq!(page.contains("<a class=\"button\""), !WITHOUT_A_LINK.contains(&reason), "{reason:?}: {page}");
        assert!(page.contains("Request <code>1-6b054400-0123456789abcdef01234567</code>"), "{reason:?}: {page}");
    }
}

/// `docs/REASONS.md`.
fn document() -> String {
    let mut text = String::from(
        "# Reasons\n\n\
         Why a request was refused: the code is `reason` in the access log, the label `reason` of `vestibule_refusals_total`, \
         and on the page. Codes are stable. Made from the code by `UPDATE_DOCS=1 cargo test --lib error_page`; a test keeps it \
         fresh.\n\n\
         | Code | Status | Meaning | What the client can do |\n|---|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let help = match reason.help() {
            Help::None => "",
            Help::StartAgain => "start again",
            Help::OtherTab => "sign in in a new tab, then reload the page",
            Help::WithoutForm => "open the page without the form",
            Help::OtherPage => "open another page",
            Help::Permissions => "ask again for the permissions, sign in again or with another account, or try again",
            Help::OtherAccount => {
                "sign in again or with another account; with `entra_groups: graph`, ask again for the permissions"
            }
            Help::SignInAgain => "sign in again; for a form, in a new tab, then reload the page",
            Help::RetrySignIn => "try again, or use another account",
            Help::TryLater => "try again later",
        };
        let (code, status, meaning) = (reason.code(), reason.status().as_u16(), reason.meaning().trim());
        let _ = writeln!(text, "| `{code}` | {status} | {meaning} | {help} |");
    }
    text.push_str(JSON);
    text.push_str(POOL);
    text
}

const JSON: &str = r#"
## For programs

A request that prefers JSON, as `fetch()` with `Accept: application/json` does, is answered with an object. These members are always there:

```json
{
  "error": "auth.not_allowed",
  "status": 403,
  "message": "You do not have access",
  "advice": "You are signed in, but your account may not open this page. …",
  "request_id": "1-6b054400-0123456789abcdef01234567"
}
```

Some refusals have more. `sign_in` is there wherever a sign-in can help, for example with `auth.required`, `auth.session_expired` and
`auth.step_up_required`, and never with a code that begins with `bearer.`. The others are for a user whom `authorize` refuses.
`auth.step_up_failed` has `signed_in_as` and `provider` only if the ID token could be verified.

| Member | Value |
|---|---|
| `signed_in_as` | The name of the user, for people: `preferred_username`, `email`, `name` or `sub` |
| `token_of` | The same, of the user of a bearer token |
| `provider` | The provider that signed the user in or issued the token, by its name in the configuration. For an issuer that is not in `identity_providers`, its URL |
| `ask_again` | The address to ask the provider again for the claims, without a sign-in (`prompt=none`). Absent if the action configures another `prompt`, or if asking again cannot help |
| `sign_in` | The address to sign in, or to sign in again or with another account. Open it in a browser window: it redirects to the provider. Where the rule has several `providers`, it shows the page on which users choose one |
| `claim` | The claim of the ID token that falls short: `auth_time` or `acr`. With `auth.step_up_failed` |
| `contact` | Whom to ask for access, if `contact` is set |
| `required` | What is required, if `reveal: true` is set |

New members may come. Programs ignore those that they do not know.
"#;

/// The refusals of a user pool. A test in `user_pool/hosted_ui/refusal.rs` checks that none is missing.
const POOL: &str = "
## Pages of a user pool

In the access log, and on the pages without a form. `vestibule_pool_sign_ins_total` counts sign-ins by outcome. A browser gets 303 for the
first four codes of `sign_in`: the redirect leads to the form with the message. Other clients get the status in the table.

| Code | Status | Meaning |
|---|---|---|
| `authorize.unknown_client` | 400 | No client of the pool has this client ID |
| `authorize.unknown_redirect_uri` | 400 | The redirect URI is not in `redirect_uris` of the client. For applications behind this proxy: the address is not in `applications` of the pool. The log has the address |
| `authorize.unknown_request` | 400 | The application has sent its request before (RFC 9126), and this one was used, has expired, or is not known |
| `authorize.malformed` | 400 | A parameter is repeated, or cannot be parsed |
| `sign_in.wrong_password` | 401 | The user name or the password is wrong |
| `sign_in.incomplete` | 400 | A field of the form was empty |
| `sign_in.too_many_attempts` | 429 | Too many failed attempts for this user or from this address |
| `sign_in.busy` | 429 | Too many passwords are being verified at the moment |
| `sign_in.user_disabled` | 403 | The password is right, and an administrator has disabled the user |
| `sign_in.no_code` | 400 | The field for the code of the second factor was empty |
| `sign_in.wrong_code` | 401 | The code of the second factor is wrong, or was used before |
| `sign_in.passkey_refused` | 401 | The answer of the authenticator is not right, or was sent before, or the passkey is not known |
| `sign_in.too_many_passkeys` | 403 | The user has 20 passkeys |
| `sign_in.user_held` | 403 | The password is right, and the user has to do something first: confirm an address, or choose another password |
| `sign_in.no_second_factor` | 403 | The user has to have a second factor, and there is none that the user can set up |
| `token.not_enough` | 400 | At the token endpoint: a sign-in would ask the user for more now than was proved for the code or refresh token. The user has to sign in again |
| `sign_in.form_foreign` | 403 | The form comes from another browser or another site, or the browser did not send the cookie |
| `sign_in.form_expired` | 403 | The sign-in page was open for more than 15 minutes |
| `account.factor_stays` | 409 | A second factor, passkey or trusted browser was to be removed that the user needs, or that is not there |
| `account.form_foreign` | 403 | A form of the account comes from another page, session, browser or site, or the browser did not send the cookie |
| `account.form_expired` | 403 | The page of the account was open for more than 15 minutes |
| `account.wrong_password` | 403 | To change the password, another one than the current one was typed |
| `account.other_name` | 400 | To delete the account, something else than its name was typed |
| `login_page.origin` | 403 | The sign-in page of the operator is on no origin of `login_page.origins` |
| `login_page.malformed` | 400 | The request of such a page is not the JSON that is expected |
| `login_page.handle_foreign` | 403 | The handle that such a page sends is not ours, or was made for another browser |
| `login_page.handle_expired` | 403 | The handle is older than 15 minutes |
| `login_page.handle_used` | 403 | Somebody has signed in with the handle |
| `confirm.form_expired` | 403 | The page that asks whether a program may act as the user was open for more than 15 minutes |
| `sign_out.form_expired` | 403 | The page that asks whether to sign out was open for more than 15 minutes |
| `sign_up.domain` | 400 | The e-mail address is of no domain of `sign_up.allowed_domains` |
| `sign_up.user_name` | 400 | The user name cannot be one, or looks like an alias of another user |
| `sign_up.user_name_taken` | 409 | Another user has the user name or the `preferred_username` |
| `form.incomplete` | 400 | A field of a form for a sign-up, a code or a password was empty |
| `form.attribute` | 400 | An attribute is missing, or has not the form that it must have |
| `form.password` | 400 | The policy of the pool refuses the password |
| `form.too_many_attempts` | 429 | Too many such forms for this name or from this network within an hour |
| `code.wrong` | 400 | The code is another one |
| `code.too_many_tries` | 400 | The code was typed wrong five times, and counts no more |
| `code.expired` | 400 | There is no code any more: it has expired, was replaced or was used |
| `verify.address_taken` | 409 | Another user has confirmed the same address before |
| `new_password.changed` | 409 | The temporary password was changed or replaced while the page was open |
| `provider.foreign` | 403 | A provider has sent a browser back with the answer to a sign-in that this browser has not begun, or not at this address: it is of another browser, the cookie is missing, or somebody has made the address up |
| `provider.expired` | 403 | The browser came back from a provider after more than 5 minutes, or the settings of the provider have changed meanwhile |
| `provider.used` | 403 | The sign-in at the provider has been used before, or the provider does not accept the code |
| `provider.request_too_long` | 400 | `state` and `nonce` of the application are too long to be kept in a cookie during a sign-in at a provider |
| `provider.too_many_attempts` | 429 | Too many answers of providers from this address have led to nothing |
| `provider.denied` | 403 | The user has cancelled at the provider, or the provider does not let the user in (`access_denied`) |
| `provider.error` | 502 | The provider has answered with another error, or refuses the credentials of the pool; the log says which |
| `provider.unavailable` | 503 | The provider does not answer; the log says why. Other sign-ins go on |
| `provider.answer_invalid` | 502 | What the provider says of the user cannot be believed: a wrong signature, issuer, audience, nonce or `iss`; the log says which |
| `provider.user_disabled` | 403 | An administrator has disabled the user |
| `provider.not_asked` | 403 | To change the account, the user has to sign in now, and the provider did not say that it has asked (`auth_time`). An application that wants the user asked gets `login_required` |
| `provider.attribute_missing` | 403 | The provider does not say what `attributes.required` of the pool demands |
| `pool.not_found` | 404 | The path is unknown |
| `pool.unavailable` | 503 | The database of the pool (`store`) fails; the log says why |
| `pool.method_not_allowed` | 405 | The path does not support this method |
";

#[test]
fn the_list_of_reasons_is_fresh() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/REASONS.md");
    let fresh = document();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, &fresh).expect("written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == fresh, "docs/REASONS.md is stale: run `UPDATE_DOCS=1 cargo test --lib error_page`");
}

#[test]
fn a_grpc_call_is_refused_with_a_status_of_grpc() {
    for (reason, expected) in [
        (Reason::AuthRequired, "16"),
        (Reason::AuthNotAllowed, "7"),
        (Reason::AuthTokenRefused, "16"),
        (Reason::UpstreamUnreachable, "14"),
        (Reason::UpstreamNoTarget, "14"),
        (Reason::UpstreamTimeout, "4"),
        (Reason::UpstreamProtocol, "12"),
        (Reason::RequestHeadTooLarge, "8"),
        (Reason::ClientClosed, "1"),
        (Reason::Internal, "13"),
        (Reason::RequestPath, "13"),
    ] {
        let exchange = exchange();
        let response = render_grpc(&reason.into(), exchange.about());
        let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
        assert_eq!((response.status().as_u16(), header("grpc-status").as_str()), (200, expected), "{reason:?}");
        assert_eq!(header("content-type"), "application/grpc");
        let message = header("grpc-message");
        assert!(message.starts_with(&format!("{}: ", reason.code())), "{message}");
        assert!(message.ends_with(exchange.id.as_str()), "{message}");
    }
}
