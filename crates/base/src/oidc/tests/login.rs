use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::json;
use url::Url;

use super::scripted::*;
use crate::backchannel::call::Error as CallError;
use crate::crypto::octets;
use crate::oidc::error::{Error, IdTokenFault, NonceFault};
use crate::oidc::settings::{Binding, ClientAuth};
use crate::oidc::{Callback, LoginRequest, RelyingParty, is_reserved_parameter};
use crate::secret::Secret;

#[test]
fn its_futures_may_run_on_the_control_runtime() {
    fn sendable<T: Send + 'static>(_: impl Fn(Arc<RelyingParty>, LoginRequest, Callback) -> T) {}
    sendable(|client, request, callback| async move {
        let pending = client.begin(request).await.expect("begins").pending;
        let _ = client.finish(callback, pending, String::new()).await;
        let _ = client.refresh(refresh_request()).await;
    });
}

#[tokio::test]
async fn a_login_gives_an_identity_and_tokens() {
    let fixture = fixture();
    let login = fixture.login().await;
    assert_eq!(login.identity.issuer(), ISSUER);
    assert_eq!(login.identity.subject(), "alice");
    let expected = json!({
        "sub": "alice", "name": "Alice", "auth_time": NOW.seconds() - 5, "email": "alice@example.com",
    });
    assert_eq!(login.identity.claims(), &object(expected));
    assert_eq!(login.identity.access_token().map(|token| token.expose().as_str()), Some("ACCESS-TOKEN"));
    assert_eq!(login.tokens.access_token_expires_at, Some(NOW + std::time::Duration::from_secs(60)));
    assert_eq!(login.tokens.refresh_token.map(|token| token.expose().clone()).as_deref(), Some("REFRESH-TOKEN"));
    assert!(login.tokens.id_token.is_some());
}

#[tokio::test]
async fn the_code_is_redeemed_as_rfc_6749_says() {
    let fixture = fixture();
    fixture.login().await;
    let call = &fixture.calls(TOKEN)[0];
    assert_eq!(call.field("grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(call.field("code").as_deref(), Some("CODE"));
    assert_eq!(call.field("redirect_uri").as_deref(), Some(CALLBACK));
    // RFC 6749 §2.3.1: both halves are form-encoded before base64.
    let credentials = STANDARD.encode("dashboard:s3cret%2F%2B");
    assert_eq!(call.header(header::AUTHORIZATION), Some(format!("Basic {credentials}").as_str()));
    assert_eq!(call.field("client_secret"), None);
    assert_eq!(fixture.calls(USERINFO)[0].header(header::AUTHORIZATION), Some("Bearer ACCESS-TOKEN"));
}

#[tokio::test]
async fn the_clients_authentication_follows_settings_then_metadata() {
    #[track_caller]
    fn check(call: &Call, basic: bool, secret: Option<&str>, id: Option<&str>) {
        assert_eq!(call.header(header::AUTHORIZATION).is_some(), basic);
        assert_eq!(call.field("client_secret").as_deref(), secret);
        assert_eq!(call.field("client_id").as_deref(), id);
    }
    let post = fixture_with(|settings| settings.token_endpoint_auth_method = Some(ClientAuth::ClientSecretPost));
    post.login().await;
    check(&post.calls(TOKEN)[0], false, Some("s3cret/+"), Some(CLIENT_ID));

    let none = fixture_with(|settings| settings.token_endpoint_auth_method = Some(ClientAuth::None));
    none.login().await;
    check(&none.calls(TOKEN)[0], false, None, Some(CLIENT_ID));

    let public = fixture_with(|settings| settings.client_secret = None);
    public.login().await;
    check(&public.calls(TOKEN)[0], false, None, Some(CLIENT_ID));

    for (methods, basic) in [
        (json!(["client_secret_post"]), false),
        (json!(["private_key_jwt", "client_secret_post"]), false),
        (json!(["client_secret_post", "client_secret_basic"]), true),
        (json!([]), true),
    ] {
        let fixture = fixture();
        let mut metadata = metadata();
        metadata["token_endpoint_auth_methods_supported"] = methods;
        fixture.on(DISCOVERY, Reply::ok(metadata));
        fixture.login().await;
        assert_eq!(fixture.calls(TOKEN)[0].header(header::AUTHORIZATION).is_some(), basic);
    }
}

#[tokio::test]
async fn the_request_has_the_albs_order_and_encoding() {
    let fixture = fixture();
    let mut request = login_request();
    request.extra_params = [("prompt", "login"), ("acr_values", "a b")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .collect();
    let begun = fixture.client.begin(request).await.expect("begins");
    let challenge = URL_SAFE_NO_PAD.encode(octets::sha256(verifier_of(&begun.pending).as_bytes()));
    let expected = format!(
        "https://issuer.test/authorize?client_id=dashboard\
         &redirect_uri=https%3A%2F%2Fapp.test%2Foauth2%2Fidpresponse&response_type=code&scope=openid%20email\
         &state={}&nonce={}&code_challenge={challenge}&code_challenge_method=S256&acr_values=a%20b&prompt=login",
        begun.pending.state,
        nonce_of(&begun.pending)
    );
    assert_eq!(begun.location, expected);
}

#[tokio::test]
async fn the_endpoints_own_query_is_kept() {
    for (endpoint, start) in [
        ("https://issuer.test/authorize?tenant=a%20b", "https://issuer.test/authorize?tenant=a%20b&client_id="),
        ("https://issuer.test/authorize?", "https://issuer.test/authorize?client_id="),
        ("https://issuer.test/authorize?a=b&", "https://issuer.test/authorize?a=b&client_id="),
    ] {
        let fixture =
            fixture_with(|settings| settings.endpoints.authorization = Some(Url::parse(endpoint).expect("a URL")));
        let location = fixture.begin().await.location;
        assert!(location.starts_with(start), "{location}");
    }
}

#[tokio::test]
async fn c_16_a_parameter_of_ours_cannot_be_set() {
    let fixture = fixture();
    for name in ["scope", "state", "nonce", "redirect_uri", "response_mode", "request_uri", "code_challenge_method"] {
        assert!(is_reserved_parameter(name));
        let mut request = login_request();
        request.extra_params.insert(name.into(), "x".into());
        assert!(matches!(fixture.client.begin(request).await, Err(Error::ReservedParameter)), "{name}");
    }
    assert!(!is_reserved_parameter("prompt"));
}

#[tokio::test]
async fn c_07_an_answer_of_another_issuer_is_refused() {
    let mut with_parameter = metadata();
    with_parameter["authorization_response_iss_parameter_supported"] = json!(true);
    for (metadata, issuer, is_right) in [
        (metadata(), None, true),
        (metadata(), Some(ISSUER), true),
        (with_parameter.clone(), Some(ISSUER), true),
        (with_parameter.clone(), None, false),
        (with_parameter, Some("https://idp2.test"), false),
        (metadata(), Some("https://idp2.test"), false),
        (metadata(), Some("https://issuer.test/"), false),
        (metadata(), Some(""), false),
    ] {
        let fixture = fixture();
        fixture.on(DISCOVERY, Reply::ok(metadata));
        let pending = fixture.begin().await.pending;
        fixture.on(TOKEN, Reply::ok(token_answer(fixture.sign(&good_claims(nonce_of(&pending))))));
        let callback = Callback { code: Secret::new("CODE".into()), issuer: issuer.map(str::to_owned) };
        let result = fixture.client.finish(callback, pending, CALLBACK.into()).await;
        if is_right {
            result.expect("signs in");
        } else {
            assert!(matches!(result, Err(Error::IssuerMismatch(_))), "{issuer:?}: {result:?}");
            assert!(fixture.calls(TOKEN).is_empty(), "the code went to the wrong provider");
        }
    }
}

#[tokio::test]
async fn c_08_the_nonce_is_that_of_this_login() {
    let fixture = fixture();
    assert_eq!(
        fault(fixture.login_with(|claims| claims["nonce"] = json!("other")).await),
        IdTokenFault::Nonce(NonceFault::Foreign)
    );
    let without = |claims: &mut serde_json::Value| drop(claims.as_object_mut().expect("an object").remove("nonce"));
    assert_eq!(fault(fixture.login_with(without).await), IdTokenFault::Nonce(NonceFault::Missing));
    let other_tab = fixture.begin().await.pending.nonce;
    let result = fixture.login_with(|claims| claims["nonce"] = json!(other_tab)).await;
    assert_eq!(fault(result), IdTokenFault::Nonce(NonceFault::Foreign));
    assert!(fixture.calls(USERINFO).is_empty());
}

#[tokio::test]
async fn c_09_without_an_id_token_nobody_signs_in() {
    let fixture = fixture();
    let without = json!({"access_token": "ACCESS-TOKEN", "token_type": "Bearer"});
    assert_eq!(fault(fixture.login_answered(Reply::ok(without)).await), IdTokenFault::Missing);
    assert_eq!(
        fault(fixture.login_answered(Reply::ok(token_answer(serde_json::Value::Null))).await),
        IdTokenFault::Missing
    );
}

#[tokio::test]
async fn c_09_j_05_a_token_for_another_client_is_refused() {
    let fixture = fixture();
    let fault_for = async |aud: serde_json::Value, azp: serde_json::Value| {
        let change = |claims: &mut serde_json::Value| {
            claims["aud"] = aud;
            claims["azp"] = azp;
        };
        fault(fixture.login_with(change).await)
    };
    let null = serde_json::Value::Null;
    let cases = [
        (json!("other"), null.clone(), r#"its `aud` is "other", expected "dashboard""#),
        (json!(["other"]), json!(CLIENT_ID), r#"its `aud` is "other", expected "dashboard""#),
        (json!([]), null.clone(), r#"its `aud` is "", expected "dashboard""#),
        (json!([CLIENT_ID, 7]), null.clone(), "its claim `aud` is missing or of the wrong type"),
        (json!("Dashboard"), null.clone(), r#"its `aud` is "Dashboard", expected "dashboard""#),
        (
            json!([CLIENT_ID, "evil"]),
            null,
            r#"it was made for another client: its `azp` is nothing, expected "dashboard""#,
        ),
        (
            json!([CLIENT_ID, "evil"]),
            json!("evil"),
            r#"it was made for another client: its `azp` is "evil", expected "dashboard""#,
        ),
        (
            json!(CLIENT_ID),
            json!("evil"),
            r#"it was made for another client: its `azp` is "evil", expected "dashboard""#,
        ),
    ];
    for (aud, azp, expected) in cases {
        assert_eq!(fault_for(aud, azp).await.to_string(), expected);
    }

    let both = |claims: &mut serde_json::Value| {
        claims["aud"] = json!([CLIENT_ID, "api"]);
        claims["azp"] = json!(CLIENT_ID);
    };
    fixture.login_with(both).await.expect("made for us, and used elsewhere too");
    fixture.login_with(|claims| claims["aud"] = json!([CLIENT_ID])).await.expect("an array of one");
}

#[tokio::test]
async fn c_10_each_login_has_its_own_verifier_and_only_s256() {
    let fixture = fixture();
    let (first, second) = (fixture.begin().await, fixture.begin().await);
    for begun in [&first, &second] {
        assert!(verifier_of(&begun.pending).len() >= 43);
        assert!(begun.location.contains("code_challenge_method=S256"));
        assert!(!begun.location.contains("plain"));
        assert!(!begun.location.contains(verifier_of(&begun.pending)));
    }
    assert_ne!(first.pending.code_verifier, second.pending.code_verifier);
    assert_ne!(first.pending.state, second.pending.state);
    assert_ne!(first.pending.nonce, second.pending.nonce);
    let verifier = first.pending.code_verifier.clone();
    fixture.on(TOKEN, Reply::error(400, "invalid_grant"));
    let _ = fixture.finish(first.pending).await;
    assert_eq!(fixture.calls(TOKEN)[0].field("code_verifier"), verifier);
}

#[tokio::test]
async fn c_17_a_token_endpoint_in_trouble_is_told_apart_and_asked_once() {
    type Check = fn(&Error) -> bool;
    let large = Bytes::from(vec![b' '; 10 << 20]);
    let cases: [(Reply, Check); 9] = [
        (Reply::Hang, |error| matches!(error, Error::TokenUnreachable(CallError::Timeout))),
        (Reply::Refuse, |error| matches!(error, Error::TokenUnreachable(CallError::Connect(_)))),
        (Reply::Raw(StatusCode::OK, "application/json", large), |error| {
            matches!(error, Error::TokenUnreachable(CallError::TooLarge(_)))
        }),
        (Reply::html(), |error| matches!(error, Error::TokenResponse(_))),
        (Reply::ok(json!({})), |error| matches!(error, Error::TokenResponse(_))),
        (Reply::Raw(StatusCode::OK, "application/json", Bytes::new()), |error| {
            matches!(error, Error::TokenResponse(_))
        }),
        (Reply::status(302), |error| matches!(error, Error::TokenRefused { status: StatusCode::FOUND, .. })),
        (Reply::status(503), |error| {
            matches!(error, Error::TokenRefused { status: StatusCode::SERVICE_UNAVAILABLE, .. })
        }),
        (
            Reply::error(401, "invalid_client"),
            |error| matches!(error, Error::TokenRefused { code, .. } if code.as_str() == "invalid_client"),
        ),
    ];
    for (reply, check) in cases {
        let fixture = fixture();
        let error = fixture.login_answered(reply).await.expect_err("no tokens");
        assert!(check(&error), "{error:?}");
        assert_eq!(fixture.calls(TOKEN).len(), 1, "{error:?}");
    }
}

#[tokio::test]
async fn a_code_that_was_used_is_rejected() {
    let fixture = fixture();
    let result = fixture.login_answered(Reply::error(400, "invalid_grant")).await;
    assert!(matches!(result, Err(Error::CodeRejected)), "{result:?}");
}

#[tokio::test]
async fn a_token_response_that_is_not_one_is_refused() {
    let changes = [
        ("token_type", json!("DPoP")),
        ("token_type", json!(["Bearer"])),
        ("access_token", json!("")),
        ("access_token", json!("a\r\nx-injected: 1")),
        ("access_token", json!(7)),
        ("refresh_token", json!(7)),
        ("id_token", json!(["a"])),
    ];
    let fixture = fixture();
    for (name, value) in changes {
        let mut answer = token_answer("a.b.c");
        answer[name] = value;
        let result = fixture.login_answered(Reply::ok(answer)).await;
        assert!(matches!(result, Err(Error::TokenResponse(_))), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn what_providers_do_differently_is_understood() {
    let fixture = fixture();
    let pending = fixture.begin().await.pending;
    let mut claims = good_claims(nonce_of(&pending));
    claims["email"] = json!("alice@example.com");
    claims["email_verified"] = json!("true"); // Cognito
    claims["updated_at"] = json!("2026-01-01T00:00:00.000Z"); // Auth0
    let mut answer = token_answer(fixture.sign(&claims));
    answer["token_type"] = json!("bearer");
    answer["expires_in"] = json!("3600");
    answer["scope"] = json!("openid  email");
    fixture.on(TOKEN, Reply::ok(answer));
    let login = fixture.finish(pending).await.expect("signs in");
    assert_eq!(login.identity.claims()["email_verified"], "true");
    assert_eq!(login.tokens.access_token_expires_at, Some(NOW + std::time::Duration::from_secs(3600)));
}

#[tokio::test]
async fn c_12_errors_quote_no_token_no_body_and_no_prose() {
    let fixture = fixture();
    let noisy = [
        Reply::html(),
        Reply::error(400, "invalid_grant"),
        Reply::error(400, "<script>SECRET</script>"),
        Reply::error(500, "server_error"),
        Reply::ok(json!({"access_token": "SECRET-TOKEN", "token_type": 1, "id_token": "SECRET-ID"})),
        Reply::ok(token_answer("SECRET.SECRET.SECRET")),
        Reply::ok(token_answer(fixture.sign(&json!({"iss": "https://SECRET.test", "sub": "SECRET"})))),
    ];
    for reply in noisy {
        let error = fixture.login_answered(reply).await.expect_err("no login");
        let mut told = format!("{error:?} {error}");
        let mut source = std::error::Error::source(&error);
        while let Some(error) = source {
            told.push_str(&format!(" {error:?} {error}"));
            source = error.source();
        }
        assert!(!told.contains("SECRET") && !told.contains("TOKEN-"), "{told}");
        assert!(!told.contains("script"), "{told}");
    }
    let begun = fixture.begin().await;
    assert!(!format!("{:?}", begun.pending).contains(verifier_of(&begun.pending)));
}

#[tokio::test]
async fn calls_are_counted_by_operation_and_outcome() {
    let fixture = fixture();
    fixture.login().await;
    let _ = fixture.login_answered(Reply::status(503)).await;
    let text = fixture.registry.render();
    let series = |operation: &str, outcome: &str| {
        format!(
            "vestibule_provider_requests_total{{provider=\"corp\",operation=\"{operation}\",outcome=\"{outcome}\"}}"
        )
    };
    for (operation, ok, error) in
        [("discovery", 1, 0), ("jwks", 1, 0), ("token", 1, 1), ("refresh", 0, 0), ("userinfo", 1, 0)]
    {
        assert!(text.contains(&format!("{} {ok}\n", series(operation, "ok"))), "{operation}: {text}");
        assert!(text.contains(&format!("{} {error}\n", series(operation, "error"))), "{operation}: {text}");
    }
}

#[tokio::test]
async fn without_pkce_or_nonce_the_rest_of_the_binding_stays() {
    let fixture = fixture_with(|settings| settings.pkce = Binding::Off);
    let begun = fixture.begin().await;
    assert!(!begun.location.contains("code_challenge") && begun.location.contains("&nonce="));
    let result = fixture.login_with(|claims| claims["nonce"] = json!("other")).await;
    assert_eq!(fault(result), IdTokenFault::Nonce(NonceFault::Foreign));
    fixture.login().await;
    assert_eq!(fixture.calls(TOKEN)[1].field("code_verifier"), None);

    let fixture = fixture_with(|settings| settings.nonce = Binding::Off);
    let begun = fixture.begin().await;
    assert!(!begun.location.contains("nonce") && begun.location.contains("code_challenge="));
    let without = |claims: &mut serde_json::Value| drop(claims.as_object_mut().expect("an object").remove("nonce"));
    fixture.login_with(without).await.expect("a provider without nonces");
    fixture.login_with(|claims| claims["nonce"] = json!("")).await.expect("a blank one is none");
    assert!(fixture.calls(TOKEN)[0].field("code_verifier").is_some());
    // We sent none, so one that comes is from a login of somebody else.
    let result = fixture.login_with(|claims| claims["nonce"] = json!("other")).await;
    assert_eq!(fault(result), IdTokenFault::Nonce(NonceFault::Foreign));
}

#[tokio::test]
async fn a_login_that_was_begun_without_what_is_now_required_is_not_finished() {
    let before = fixture_with(|settings| settings.pkce = Binding::Off).begin().await.pending;
    let fixture = fixture();
    let result = fixture.finish(before).await;
    assert!(matches!(result, Err(Error::SettingsChanged)), "{result:?}");
    assert!(fixture.calls(TOKEN).is_empty());
}

#[tokio::test]
async fn a_token_answer_is_read_as_leniently_as_is_harmless() {
    for (name, value) in [
        ("token_type", json!("bearer")),
        ("token_type", json!(null)),
        ("token_type", json!("")),
        ("expires_in", json!("60")),
        ("expires_in", json!("soon")),
        ("expires_in", json!(null)),
        ("refresh_token", json!("")),
        ("refresh_token", json!(null)),
        ("scope", json!(["openid"])),
        ("error", json!(null)),
        ("not_used", json!({"deep": [1, null]})),
    ] {
        let fixture = fixture();
        let pending = fixture.begin().await.pending;
        let mut answer = token_answer(fixture.sign(&good_claims(nonce_of(&pending))));
        answer[name] = value.clone();
        fixture.on(TOKEN, Reply::ok(answer));
        fixture.finish(pending).await.unwrap_or_else(|error| panic!("{name}: {value}: {error:?}"));
    }
}

#[tokio::test]
async fn content_types_marks_and_other_successes_do_no_harm() {
    for kind in ["text/html", "application/octet-stream", "", "text/plain; charset=utf-8"] {
        let fixture = fixture();
        let raw = |value: serde_json::Value| Reply::Raw(StatusCode::OK, kind, format!("\u{feff}{value}").into());
        fixture.on(DISCOVERY, raw(metadata()));
        fixture.on(JWKS, raw(json!({"keys": [fixture.key.public().jwk()]})));
        fixture.on(USERINFO, raw(json!({"sub": "alice"})));
        let pending = fixture.begin().await.pending;
        let answer = token_answer(fixture.sign(&good_claims(nonce_of(&pending)))).to_string();
        fixture.on(TOKEN, Reply::Raw(StatusCode::CREATED, kind, format!("\u{feff}{answer}").into()));
        fixture.finish(pending).await.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
    }
}

#[tokio::test]
async fn a_token_answer_that_lacks_what_matters_names_the_member() {
    let cases = [
        ("access_token", json!(null), "its member `access_token` is missing"),
        ("access_token", json!(""), "its member `access_token` is missing"),
        ("access_token", json!(["a"]), "its member `access_token` is not text"),
        ("access_token", json!("a b"), "its member `access_token` is not text in the characters that a token may have"),
        ("token_type", json!("DPoP"), "its member `token_type` is \"DPoP\", which is not `Bearer`"),
        ("id_token", json!({}), "its member `id_token` is not text"),
    ];
    for (name, value, expected) in cases {
        let fixture = fixture();
        let mut answer = token_answer("token");
        answer[name] = value;
        let error = fixture.login_answered(Reply::ok(answer)).await.expect_err("refused");
        assert_eq!(error.to_string(), format!("the token endpoint's answer is not usable: {expected}"));
    }
}

#[tokio::test]
async fn an_access_token_expires_when_the_provider_the_token_or_the_settings_say() {
    use std::time::Duration;

    let jwt = |exp: serde_json::Value| compact("{}", &json!({ "exp": exp }).to_string(), "");
    let seconds = Duration::from_secs;
    let in_ten_minutes = NOW.seconds() + 600;
    let cases = [
        (json!(60), jwt(json!(in_ten_minutes)), seconds(60)),
        (json!(null), jwt(json!(in_ten_minutes)), seconds(600)),
        (json!(null), jwt(json!(in_ten_minutes.to_string())), seconds(600)),
        (json!(0), jwt(json!(in_ten_minutes)), seconds(600)),
        (json!(null), jwt(json!(NOW.seconds() - 1)), seconds(1800)),
        (json!(null), jwt(json!("never")), seconds(1800)),
        (json!(null), "opaque".to_owned(), seconds(1800)),
        (json!(null), "a.b.c".to_owned(), seconds(1800)),
    ];
    for (expires_in, access_token, expected) in cases {
        let fixture = fixture_with(|settings| settings.default_token_lifetime = seconds(1800));
        let pending = fixture.begin().await.pending;
        let mut answer = token_answer(fixture.sign(&good_claims(nonce_of(&pending))));
        (answer["expires_in"], answer["access_token"]) = (expires_in.clone(), json!(access_token));
        fixture.on(TOKEN, Reply::ok(answer));
        let login = fixture.finish(pending).await.expect("signs in");
        assert_eq!(login.tokens.access_token_expires_at, Some(NOW + expected), "{expires_in} {access_token}");
    }
}
