//! Every path that the pool answers.

pub(crate) mod account;

use http::Method;

use crate::page::css;
use account::Section;

/// Discovery (OpenID Connect Discovery §4).
pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";
/// The key set.
pub(crate) const JWKS: &str = "/oauth2/jwks";
/// Authorization endpoint.
pub(crate) const AUTHORIZE: &str = "/oauth2/authorize";
/// Token endpoint.
pub(crate) const TOKEN: &str = "/oauth2/token";
/// UserInfo endpoint.
pub(crate) const USERINFO: &str = "/oauth2/userinfo";
/// Endpoint for pushed authorization requests (RFC 9126).
pub(crate) const PAR: &str = "/oauth2/par";
/// The page whose form has an answer (`response_mode=form_post`).
pub(crate) const FORM_POST: &str = "/oauth2/form-post";
/// Revocation endpoint (RFC 7009).
pub(crate) const REVOKE: &str = "/oauth2/revoke";
/// Introspection endpoint (RFC 7662).
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
/// End-session endpoint (RP-Initiated Logout §2).
pub(crate) const LOGOUT: &str = "/oauth2/logout";
/// What people type: only the host.
pub(crate) const ROOT: &str = "/";
/// The sign-in page, and the target of its form.
pub(crate) const SIGN_IN: &str = "/sign-in";
/// The pages between the first factor and the session, and the target of their forms.
pub(crate) const STEP: &str = "/sign-in/step";
/// The target of the form of the sign-in page that has a passkey.
pub(crate) const PASSKEY: &str = "/sign-in/passkey";
/// The page that sends a code to sign in with, and the target of its form.
pub(crate) const EMAIL_CODE: &str = "/sign-in/email";
/// The page that takes that code, and the target of its form.
pub(crate) const EMAIL_CODE_ANSWER: &str = "/sign-in/email/code";
/// The page that adds a passkey.
pub(crate) const ADD_PASSKEY: &str = "/passkeys/add";
/// The script of the pages with passkeys.
pub(crate) const PASSKEY_SCRIPT: &str = "/passkeys/script.js";
/// The target of the form that asks whether to sign out.
pub(crate) const SIGN_OUT: &str = "/sign-out";
/// The target of the form that asks whether a program may act as the user.
pub(crate) const CONFIRM: &str = "/confirm";

/// Cognito's address of the sign-in page, with the parameters of the authorization endpoint (pool §9.2).
pub(crate) const LOGIN: &str = "/login";
/// The page to sign up on, and the target of its form.
pub(crate) const SIGN_UP: &str = "/signup";
/// The page that takes the code of a sign-up, and the target of its form.
pub(crate) const VERIFY: &str = "/verify";
/// The target of the form that asks for another code.
pub(crate) const RESEND: &str = "/resendcode";
/// The link of a message that confirms a sign-up, and the target of its button.
pub(crate) const CONFIRM_USER: &str = "/confirmUser";
/// The page that sends a code for another password, and the target of its form.
pub(crate) const FORGOT_PASSWORD: &str = "/forgotPassword";
/// The page that takes that code and the password, and the target of its form.
pub(crate) const RESET_PASSWORD: &str = "/confirmforgotPassword";
/// The page on which a temporary password is changed, and the target of its form.
pub(crate) const NEW_PASSWORD: &str = "/new-password";

/// Where an own sign-in page sends the password.
pub(crate) const OWN_PAGE_JSON: &str = "/sign-in/json";
/// Where the browser goes on from an own sign-in page.
pub(crate) const PROCEED: &str = "/sign-in/continue";

/// The target of the forms that lead to another provider, and the page that says why one could not.
pub(crate) const SIGN_IN_PROVIDER: &str = "/sign-in/provider";
/// Where other providers send browsers back to. Each provider may have an address of its own below it.
pub const PROVIDER_ANSWER: &str = "/oauth2/idpresponse";

/// The endpoint or page of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// A CORS preflight request for an endpoint that uses no cookies.
    Preflight,
    Discovery,
    Jwks,
    Authorize,
    Token,
    Userinfo,
    Revoke,
    Introspect,
    PushedRequest,
    PostBack,
    Logout,
    Root,
    SignInPage,
    SignInForm,
    StepPage,
    StepForm,
    PasskeyForm,
    EmailCodePage,
    EmailCodeForm,
    EmailCodeAnswerPage,
    EmailCodeAnswerForm,
    AddPasskeyPage,
    PasskeyScript,
    SignOutForm,
    ConfirmForm,
    SignUpPage,
    SignUpForm,
    VerifyPage,
    VerifyForm,
    ResendForm,
    ConfirmUserPage,
    ConfirmUserForm,
    ForgotPasswordPage,
    ForgotPasswordForm,
    ResetPasswordPage,
    ResetPasswordForm,
    NewPasswordPage,
    NewPasswordForm,
    AccountPage(Section),
    AccountForm(Section),
    /// The CORS preflight request of an own sign-in page.
    OwnPagePreflight,
    OwnPageJson,
    Proceed,
    /// A stylesheet of the operator.
    Stylesheet,
    ProviderForm,
    ProviderPage,
    ProviderAnswer,
    LoginPage,
}

/// Why no route matches a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// The path is unknown.
    Path,
    /// The path is known, but only for these methods.
    Method(&'static str),
}

/// Finds the route of a request.
pub(crate) fn find(method: &Method, path: &str) -> Result<Route, NoRoute> {
    let reads = method == Method::GET || method == Method::HEAD;
    let posts = method == Method::POST;
    let either = |route, when: bool, allow| if when { Ok(route) } else { Err(NoRoute::Method(allow)) };
    match canonical(path) {
        DISCOVERY | JWKS | TOKEN | USERINFO | REVOKE if method == Method::OPTIONS => Ok(Route::Preflight),
        DISCOVERY => either(Route::Discovery, reads, "GET, HEAD"),
        JWKS => either(Route::Jwks, reads, "GET, HEAD"),
        // Not HEAD: it would issue a code that nobody reads.
        AUTHORIZE => either(Route::Authorize, method == Method::GET || posts, "GET, POST"),
        TOKEN => either(Route::Token, posts, "POST"),
        USERINFO => either(Route::Userinfo, method == Method::GET || posts, "GET, POST"),
        REVOKE => either(Route::Revoke, posts, "POST"),
        PAR => either(Route::PushedRequest, posts, "POST"),
        FORM_POST => either(Route::PostBack, reads, "GET, HEAD"),
        INTROSPECT => either(Route::Introspect, posts, "POST"),
        LOGOUT => either(Route::Logout, method == Method::GET || posts, "GET, POST"),
        ROOT => either(Route::Root, reads, "GET, HEAD"),
        SIGN_IN if posts => Ok(Route::SignInForm),
        SIGN_IN => either(Route::SignInPage, reads, "GET, HEAD, POST"),
        STEP if posts => Ok(Route::StepForm),
        STEP => either(Route::StepPage, reads, "GET, HEAD, POST"),
        PASSKEY => either(Route::PasskeyForm, posts, "POST"),
        EMAIL_CODE if posts => Ok(Route::EmailCodeForm),
        EMAIL_CODE => either(Route::EmailCodePage, reads, "GET, HEAD, POST"),
        EMAIL_CODE_ANSWER if posts => Ok(Route::EmailCodeAnswerForm),
        EMAIL_CODE_ANSWER => either(Route::EmailCodeAnswerPage, reads, "GET, HEAD, POST"),
        ADD_PASSKEY => either(Route::AddPasskeyPage, reads, "GET, HEAD"),
        PASSKEY_SCRIPT => either(Route::PasskeyScript, reads, "GET, HEAD"),
        OWN_PAGE_JSON if method == Method::OPTIONS => Ok(Route::OwnPagePreflight),
        OWN_PAGE_JSON => either(Route::OwnPageJson, posts, "POST, OPTIONS"),
        // Not HEAD: it would use up the ticket.
        PROCEED => either(Route::Proceed, method == Method::GET, "GET"),
        SIGN_OUT => either(Route::SignOutForm, posts, "POST"),
        CONFIRM => either(Route::ConfirmForm, posts, "POST"),
        LOGIN => either(Route::LoginPage, method == Method::GET, "GET"),
        SIGN_UP if posts => Ok(Route::SignUpForm),
        SIGN_UP => either(Route::SignUpPage, reads, "GET, HEAD, POST"),
        VERIFY if posts => Ok(Route::VerifyForm),
        VERIFY => either(Route::VerifyPage, reads, "GET, HEAD, POST"),
        RESEND => either(Route::ResendForm, posts, "POST"),
        CONFIRM_USER if posts => Ok(Route::ConfirmUserForm),
        CONFIRM_USER => either(Route::ConfirmUserPage, reads, "GET, HEAD, POST"),
        FORGOT_PASSWORD if posts => Ok(Route::ForgotPasswordForm),
        FORGOT_PASSWORD => either(Route::ForgotPasswordPage, reads, "GET, HEAD, POST"),
        RESET_PASSWORD if posts => Ok(Route::ResetPasswordForm),
        RESET_PASSWORD => either(Route::ResetPasswordPage, reads, "GET, HEAD, POST"),
        NEW_PASSWORD if posts => Ok(Route::NewPasswordForm),
        NEW_PASSWORD => either(Route::NewPasswordPage, reads, "GET, HEAD, POST"),
        path if path.starts_with(css::FOLDER) => either(Route::Stylesheet, reads, "GET, HEAD"),
        SIGN_IN_PROVIDER if posts => Ok(Route::ProviderForm),
        SIGN_IN_PROVIDER => either(Route::ProviderPage, reads, "GET, HEAD, POST"),
        // Not HEAD: it would redeem a code and not sign in.
        _ if is_provider_answer(path) => either(Route::ProviderAnswer, method == Method::GET, "GET"),
        path => account(method, path),
    }
}

fn account(method: &Method, path: &str) -> Result<Route, NoRoute> {
    let section = Section::of(path).ok_or(NoRoute::Path)?;
    let is_form = section.is_form(method).map_err(NoRoute::Method)?;
    Ok(if is_form { Route::AccountForm(section) } else { Route::AccountPage(section) })
}

/// The path of an endpoint that has several: those of Cognito (pool §9.2) are as good as ours.
fn canonical(path: &str) -> &str {
    match path {
        "/oauth2/userInfo" => USERINFO,
        "/authorize" => AUTHORIZE,
        "/logout" => LOGOUT,
        "/.well-known/jwks.json" => JWKS,
        path => path,
    }
}

/// The provider of the sign-in knows its address. All others are refused there.
fn is_provider_answer(path: &str) -> bool {
    path.strip_prefix(PROVIDER_ANSWER).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
