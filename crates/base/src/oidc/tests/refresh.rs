use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::scripted::*;
use crate::backchannel::call::Error as CallError;
use crate::jose::verify::Fault;
use crate::oidc::caller::Endpoint;
use crate::oidc::error::{Blame, Error, IdTokenFault, NonceFault};
use crate::oidc::settings::Userinfo;
use crate::oidc::{Refreshed, RefreshedClaims, RelyingParty};

/// A refreshed ID token's claims: no nonce (OIDC Core §12.2).
fn refreshed() -> Value {
    let mut claims = good_claims("");
    claims.as_object_mut().expect("an object").remove("nonce");
    claims["name"] = json!("Alice B.");
    claims
}

fn tokens(id_token: Option<String>) -> Reply {
    let mut answer = token_answer(id_token);
    answer["refresh_token"] = json!("NEW-REFRESH-TOKEN");
    answer["access_token"] = json!("NEW-ACCESS-TOKEN");
    Reply::ok(answer)
}

/// The claims that take the place of the session's.
#[track_caller]
fn new_claims(refreshed: Refreshed) -> Value {
    match refreshed.claims {
        RefreshedClaims::New(claims) => Value::Object(claims),
        RefreshedClaims::NotKnown => panic!("no new claims"),
    }
}

#[tokio::test]
async fn a_refresh_brings_new_tokens_and_claims() {
    let fixture = fixture();
    let refreshed = fixture.refresh_answered(tokens(Some(fixture.sign(&refreshed())))).await.expect("refreshes");
    let call = &fixture.calls(TOKEN)[0];
    assert_eq!(call.field("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(call.field("refresh_token").as_deref(), Some("OLD-REFRESH-TOKEN"));
    assert_eq!(refreshed.subject, "alice");
    let tokens = &refreshed.tokens;
    assert_eq!(tokens.access_token.expose(), "NEW-ACCESS-TOKEN");
    assert_eq!(tokens.refresh_token.as_ref().map(|token| token.expose().as_str()), Some("NEW-REFRESH-TOKEN"));
    assert_eq!(tokens.access_token_expires_at, Some(NOW + Duration::from_secs(60)));
    assert!(tokens.id_token.is_some());
    let expected = json!({
        "sub": "alice", "name": "Alice B.", "auth_time": NOW.seconds() - 5, "email": "alice@example.com",
    });
    assert_eq!(new_claims(refreshed), expected);
}

/// The table of `docs/PROVIDERS.md`: every answer to a refresh, decided by whose fault it is.
#[tokio::test]
async fn v_03_what_a_refresh_comes_to_follows_from_whose_fault_it_is() {
    let cases = [
        // The user's grant is gone.
        (Reply::error(400, "invalid_grant"), Blame::Grant),
        (Reply::error(401, "invalid_grant"), Blame::Grant),
        (Reply::error(200, "invalid_grant"), Blame::Grant),
        (Reply::error(400, "access_denied"), Blame::Grant),
        (Reply::error(400, "invalid_scope"), Blame::Grant),
        (Reply::error(400, "interaction_required"), Blame::Grant),
        (Reply::error(400, "login_required"), Blame::Grant),
        (Reply::error(400, "consent_required"), Blame::Grant),
        (Reply::status(400), Blame::Grant),
        (Reply::error(400, "Something Of Their Own"), Blame::Grant),
        (Reply::status(403), Blame::Grant),
        // Something is wrong with our registration at the provider, or with our configuration.
        (Reply::error(400, "invalid_client"), Blame::Operator),
        (Reply::error(401, "invalid_client"), Blame::Operator),
        (Reply::error(400, "unauthorized_client"), Blame::Operator),
        (Reply::error(400, "unsupported_grant_type"), Blame::Operator),
        (Reply::status(401), Blame::Operator),
        (Reply::status(301), Blame::Operator),
        (Reply::status(302), Blame::Operator),
        (Reply::status(307), Blame::Operator),
        (Reply::status(308), Blame::Operator),
        (Reply::status(404), Blame::Operator),
        (Reply::status(405), Blame::Operator),
        // The provider has trouble.
        (Reply::error(400, "temporarily_unavailable"), Blame::Provider),
        (Reply::error(200, "temporarily_unavailable"), Blame::Provider),
        (Reply::error(200, "server_error"), Blame::Provider),
        (Reply::error(400, "slow_down"), Blame::Provider),
        (Reply::error(503, "invalid_grant"), Blame::Provider),
        (Reply::status(408), Blame::Provider),
        (Reply::status(429), Blame::Provider),
        (Reply::status(500), Blame::Provider),
        (Reply::status(502), Blame::Provider),
        (Reply::status(503), Blame::Provider),
        (Reply::ok(json!({})), Blame::Provider),
        (Reply::ok(json!([])), Blame::Provider),
        (Reply::ok(json!({"error": 7})), Blame::Provider),
        (Reply::html(), Blame::Provider),
        (Reply::Raw(http::StatusCode::OK, "application/json", bytes::Bytes::new()), Blame::Provider),
        (Reply::Hang, Blame::Provider),
        (Reply::Refuse, Blame::Provider),
    ];
    for (reply, blame) in cases {
        let fixture = fixture();
        let told = format!("{reply:?}");
        let error = fixture.refresh_answered(reply).await.expect_err("no tokens");
        assert_eq!(error.blame(), blame, "{told}: {error:?}");
        assert_eq!(error.is_fatal_for_session(), blame == Blame::Grant, "{told}");
        assert_eq!(fixture.calls(TOKEN).len(), 1, "{told}: a refresh token is sent once");
    }
}

#[tokio::test]
async fn v_02_an_id_token_of_another_user_login_or_key_ends_the_session() {
    let fixture = fixture();
    let changed = |name: &str, value: Value| {
        let mut claims = refreshed();
        claims[name] = value;
        fixture.sign(&claims)
    };
    let stranger = signed(&new_key(), &fixture.header(), &refreshed().to_string());
    let faults = [
        (stranger, "the signature does not verify"),
        (
            changed("iss", json!("https://issuer.test/")),
            r#"its `iss` is "https://issuer.test/", expected "https://issuer.test""#,
        ),
        (changed("aud", json!("other")), r#"its `aud` is "other", expected "dashboard""#),
        (changed("exp", json!(NOW.seconds() - 3600)), "it has expired"),
        (changed("nonce", json!("ANOTHER-LOGINS-NONCE")), "its `nonce` is another login's"),
        (changed("nonce", json!(7)), "its `nonce` is another login's"),
    ];
    for (token, expected) in faults {
        let error = fixture.refresh_answered(tokens(Some(token))).await.expect_err("refused");
        assert!(error.is_fatal_for_session() && !error.is_transient());
        let Error::IdToken(fault) = &error else { panic!("{error:?}") };
        assert_eq!(fault.to_string(), expected);
    }
    let error = fixture.refresh_answered(tokens(Some(changed("sub", json!("bob"))))).await.expect_err("refused");
    assert!(matches!(error, Error::SubjectMismatch) && error.is_fatal_for_session(), "{error:?}");
}

#[tokio::test]
async fn a_refreshed_id_token_may_repeat_the_logins_nonce_or_leave_it_out() {
    let fixture = fixture();
    let with_nonce = |nonce: &str| {
        let mut claims = refreshed();
        claims["nonce"] = json!(nonce);
        tokens(Some(fixture.sign(&claims)))
    };
    fixture.refresh_answered(with_nonce("LOGIN-NONCE")).await.expect("the login's own");
    fixture.refresh_answered(with_nonce("")).await.expect("blank is absent");
    fixture.on(TOKEN, with_nonce("ANY"));
    let mut older = refresh_request();
    older.nonce_hash = None;
    fixture.client.refresh(older).await.expect("a session from before hashes were kept");
    let mut without = refresh_request();
    without.nonce_hash = Some(String::new());
    let error = fixture.client.refresh(without).await.expect_err("a login that sent no nonce");
    assert!(matches!(error, Error::IdToken(IdTokenFault::Nonce(NonceFault::Foreign))), "{error:?}");
}

#[tokio::test]
async fn v_04_what_does_not_come_is_kept() {
    let fixture = fixture_with(|settings| settings.userinfo = Userinfo::Never);
    let sparse = json!({"access_token": "NEW-ACCESS-TOKEN", "token_type": "Bearer"});
    let refreshed = fixture.refresh_answered(Reply::ok(sparse)).await.expect("refreshes");
    let tokens = &refreshed.tokens;
    assert_eq!(tokens.refresh_token.as_ref().map(|token| token.expose().as_str()), Some("OLD-REFRESH-TOKEN"));
    assert_eq!(tokens.access_token_expires_at, Some(NOW + Duration::from_secs(3600)));
    assert!(tokens.id_token.is_none());
    assert_eq!(refreshed.claims, RefreshedClaims::NotKnown, "the provider said nothing of the user");
}

#[tokio::test]
async fn the_new_claims_are_all_that_the_provider_says_now() {
    let fixture = fixture();
    // Without an ID token it is userinfo alone.
    let refreshed = fixture.refresh_answered(tokens(None)).await.expect("refreshes");
    assert_eq!(new_claims(refreshed), json!({"sub": "alice", "email": "alice@example.com"}));
    assert_eq!(fixture.calls(USERINFO).len(), 1);
    // What userinfo leaves out is not in the set.
    fixture.on(USERINFO, Reply::ok(json!({"sub": "alice"})));
    let refreshed = fixture.refresh_answered(tokens(None)).await.expect("refreshes");
    assert_eq!(new_claims(refreshed), json!({"sub": "alice"}));
    // Without userinfo it is the ID token alone.
    let fixture = fixture_with(|settings| settings.userinfo = Userinfo::Never);
    let token = fixture.sign(&self::refreshed());
    let refreshed = fixture.refresh_answered(tokens(Some(token))).await.expect("refreshes");
    assert_eq!(new_claims(refreshed), json!({"sub": "alice", "name": "Alice B.", "auth_time": NOW.seconds() - 5}));
}

#[tokio::test]
async fn userinfo_of_another_user_ends_the_session() {
    let fixture = fixture();
    fixture.on(USERINFO, Reply::ok(json!({"sub": "bob"})));
    let error = fixture.refresh_answered(tokens(None)).await.expect_err("refused");
    assert!(matches!(error, Error::SubjectMismatch) && error.is_fatal_for_session(), "{error:?}");
}

#[tokio::test]
async fn a_token_that_userinfo_does_not_take_ends_the_session() {
    let fixture = fixture();
    fixture.on(USERINFO, Reply::status(401));
    let error = fixture.refresh_answered(tokens(None)).await.expect_err("refused");
    assert!(matches!(error, Error::UserinfoRefused(_)) && error.is_fatal_for_session(), "{error:?}");
}

#[tokio::test]
async fn v_05_new_tokens_are_not_lost_to_trouble_elsewhere() {
    let troubles = [Reply::Refuse, Reply::Hang, Reply::status(503), Reply::status(404), Reply::html()];
    for (id_token, trouble) in troubles.into_iter().flat_map(|trouble| [(false, trouble.clone()), (true, trouble)]) {
        let fixture = fixture();
        fixture.on(USERINFO, trouble);
        let id_token = id_token.then(|| fixture.sign(&refreshed()));
        let refreshed = fixture.refresh_answered(tokens(id_token)).await.expect("keeps what it has");
        assert_eq!(refreshed.tokens.access_token.expose(), "NEW-ACCESS-TOKEN");
        assert_eq!(refreshed.claims, RefreshedClaims::NotKnown, "half of the claims are not the claims");
    }
    let fixture = fixture();
    fixture.on(JWKS, Reply::Refuse);
    let refreshed =
        fixture.refresh_answered(tokens(Some(fixture.sign(&refreshed())))).await.expect("keeps what it has");
    let tokens = &refreshed.tokens;
    assert_eq!(tokens.refresh_token.as_ref().map(|token| token.expose().as_str()), Some("NEW-REFRESH-TOKEN"));
    assert!(tokens.id_token.is_none(), "what is not verified is not handed on");
    assert_eq!(refreshed.claims, RefreshedClaims::NotKnown);
}

#[tokio::test]
async fn c_14_a_key_that_is_not_known_now_never_ends_a_session() {
    // The key set is late, fails, or answers nonsense, while the provider signs with a new key.
    let late = key_set([&new_key()]);
    for answer in [late, Reply::status(500), Reply::Hang, Reply::html(), Reply::ok(json!({"keys": []}))] {
        let mut fixture = fixture();
        fixture.login().await;
        fixture.key = new_key();
        fixture.on(JWKS, answer);
        for _ in 0..3 {
            let token = fixture.sign(&refreshed());
            let refreshed = fixture.refresh_answered(tokens(Some(token))).await.expect("the session goes on");
            assert_eq!(refreshed.tokens.access_token.expose(), "NEW-ACCESS-TOKEN");
            assert_eq!(refreshed.claims, RefreshedClaims::NotKnown);
            fixture.clock.advance(Duration::from_secs(2));
        }
        fixture.on(JWKS, key_set([&fixture.key]));
        fixture.clock.advance(Duration::from_secs(30));
        // After three that hung nobody waits, and the watch finds out.
        fixture.client.probe(Endpoint::Jwks).await;
        let token = fixture.sign(&refreshed());
        let refreshed = fixture.refresh_answered(tokens(Some(token))).await.expect("refreshes");
        assert_eq!(new_claims(refreshed)["name"], "Alice B.");
    }
}

#[tokio::test]
async fn a_signature_that_fails_while_the_keys_cannot_be_asked_for_does_not_end_the_session() {
    let mut fixture = fixture();
    fixture.login().await;
    let header = fixture.header();
    fixture.key = new_key();
    fixture.on(JWKS, Reply::status(503));
    let token = signed(&fixture.key, &header, &refreshed().to_string());
    let answer = fixture.refresh_answered(tokens(Some(token.clone()))).await.expect("the session goes on");
    assert_eq!(answer.claims, RefreshedClaims::NotKnown);
    // With the keys there, it is a signature that is wrong.
    fixture.clock.advance(Duration::from_secs(2));
    fixture.on(JWKS, key_set([&new_key()]));
    let mut renamed = new_key().public().jwk().clone();
    renamed["kid"] = serde_json::from_str::<Value>(&header).expect("JSON")["kid"].clone();
    fixture.on(JWKS, Reply::ok(json!({ "keys": [renamed] })));
    let error = fixture.refresh_answered(tokens(Some(token))).await.expect_err("refused");
    assert!(matches!(error, Error::IdToken(IdTokenFault::Token(Fault::Signature))), "{error:?}");
    assert!(error.is_fatal_for_session());
}

#[tokio::test]
async fn c_14a_a_provider_that_hangs_is_waited_for_a_few_times_only() {
    let fixture = fixture();
    for _ in 0..3 {
        let error = fixture.refresh_answered(Reply::Hang).await.expect_err("no answer");
        assert!(matches!(error, Error::TokenUnreachable(CallError::Timeout)), "{error:?}");
    }
    for _ in 0..10 {
        let error = fixture.refresh_answered(Reply::Hang).await.expect_err("not asked");
        assert!(matches!(error, Error::TokenUnreachable(CallError::CircuitOpen)), "{error:?}");
        assert!(!error.is_fatal_for_session());
    }
    assert_eq!(fixture.calls(TOKEN).len(), 3);
    let metrics = fixture.registry.render();
    assert!(metrics.contains("vestibule_provider_circuit_open{provider=\"corp\",endpoint=\"token\"} 1"), "{metrics}");
    let troubles = fixture.client.troubles();
    let expected = "provider `corp`: token has failed since 2023-11-14T22:13:20Z (no answer in time); no calls are made until a probe is answered";
    assert_eq!(troubles.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);

    assert!(!fixture.client.probe(Endpoint::Token).await, "it hangs as before");
    fixture.on(TOKEN, Reply::error(401, "invalid_client"));
    assert!(fixture.client.probe(Endpoint::Token).await, "any answer will do");
    assert_eq!(fixture.calls(TOKEN)[4].field("refresh_token"), None, "a probe redeems nothing");
    fixture.refresh_answered(tokens(Some(fixture.sign(&refreshed())))).await.expect("refreshes");
    assert!(fixture.client.troubles().is_empty());
    let metrics = fixture.registry.render();
    assert!(metrics.contains("vestibule_provider_circuit_open{provider=\"corp\",endpoint=\"token\"} 0"), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn c_14a_the_watch_finds_out_when_a_provider_answers_again() {
    let fixture = fixture();
    for _ in 0..3 {
        fixture.refresh_answered(Reply::Hang).await.expect_err("no answer");
    }
    let watch =
        tokio::time::timeout(Duration::from_secs(60), RelyingParty::keep_watch(Arc::downgrade(&fixture.client)));
    let provider = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert!((3 + 3..3 + 6).contains(&fixture.calls(TOKEN).len()), "it is probed at growing pauses");
        fixture.on(TOKEN, Reply::status(400));
        tokio::time::sleep(Duration::from_secs(31)).await;
        fixture.refresh_answered(tokens(None)).await.expect("calls are made again");
    };
    let _ = tokio::join!(watch, provider);
}

#[tokio::test(start_paused = true)]
async fn the_watch_ends_with_its_provider() {
    let hour = Duration::from_secs(3600);
    for is_down in [false, true] {
        let fixture = fixture();
        for _ in 0..if is_down { 3 } else { 0 } {
            fixture.refresh_answered(Reply::Hang).await.expect_err("no answer");
        }
        let client = Arc::downgrade(&fixture.client);
        let mut watch = pin!(RelyingParty::keep_watch(client.clone()));
        assert!(tokio::time::timeout(hour, &mut watch).await.is_err(), "it goes on while the provider is there");
        drop(fixture);
        assert!(tokio::time::timeout(hour, &mut watch).await.is_ok(), "down: {is_down}");
        assert!(client.upgrade().is_none(), "nothing keeps the provider");
    }
}
