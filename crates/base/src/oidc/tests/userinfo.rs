use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::scripted::*;
use crate::backchannel::call::Error as CallError;
use crate::oidc::error::Error;
use crate::oidc::settings::Userinfo;

async fn login_told(reply: Reply) -> Result<crate::oidc::Login, Error> {
    let fixture = fixture();
    fixture.on(USERINFO, reply);
    fixture.login_with(|_| {}).await
}

#[tokio::test]
async fn userinfo_wins_and_protocol_members_are_dropped() {
    let told = json!({"sub": "alice", "name": "Alice U.", "groups": ["a"], "nonce": "x", "aud": "y", "iss": "z"});
    let login = login_told(Reply::ok(told)).await.expect("signs in");
    let expected = json!({"sub": "alice", "name": "Alice U.", "auth_time": NOW.seconds() - 5, "groups": ["a"]});
    assert_eq!(login.identity.claims(), &object(expected));
}

/// The ID token's claims, userinfo's, and the address of the session with whether it is verified.
#[tokio::test]
async fn a_14_an_address_is_verified_only_by_the_source_that_it_comes_from() {
    let (ours, theirs) = ("ada@example.com", "ada@evil.test");
    let none = json!(null);
    for (from_token, from_userinfo, expected) in [
        (json!({"email": ours, "email_verified": true}), json!({"email": theirs}), (theirs, &none)),
        (
            json!({"email": ours, "email_verified": true}),
            json!({"email": theirs, "email_verified": false}),
            (theirs, &json!(false)),
        ),
        (json!({"email": theirs}), json!({"email": ours, "email_verified": true}), (ours, &json!(true))),
        (json!({"email": theirs}), json!({"email_verified": true}), (theirs, &none)),
        (json!({"email": theirs, "email_verified": false}), json!({"email_verified": true}), (theirs, &json!(false))),
        (json!({"email_verified": true}), json!({"email": theirs}), (theirs, &none)),
        // The same address in both: the newer word counts, and one word is enough.
        (json!({"email": ours, "email_verified": true}), json!({"email": ours}), (ours, &json!(true))),
        (
            json!({"email": ours, "email_verified": true}),
            json!({"email": ours, "email_verified": false}),
            (ours, &json!(false)),
        ),
        (json!({"email": ours, "email_verified": true}), json!({"name": "Ada"}), (ours, &json!(true))),
    ] {
        let fixture = fixture();
        let mut userinfo = json!({"sub": "alice"});
        userinfo.as_object_mut().expect("an object").extend(object(from_userinfo.clone()));
        fixture.on(USERINFO, Reply::ok(userinfo));
        let told = object(from_token.clone());
        let login = fixture.login_with(|claims| claims.as_object_mut().expect("an object").extend(told)).await;
        let login = login.expect("signs in");
        let claims = login.identity.claims();
        let found = (claims["email"].as_str().expect("an address"), claims.get("email_verified").unwrap_or(&none));
        assert_eq!(found, expected, "{from_token} and {from_userinfo}");
    }
}

#[tokio::test]
async fn userinfo_about_another_user_is_refused() {
    for subject in ["bob", "Alice", "alice ", ""] {
        let result = login_told(Reply::ok(json!({"sub": subject, "email": "admin@example.com"}))).await;
        assert!(matches!(result, Err(Error::SubjectMismatch)), "{subject}: {result:?}");
    }
}

#[tokio::test]
async fn userinfo_that_is_not_claims_is_refused() {
    let twice = Bytes::from_static(br#"{"sub":"bob","sub":"alice"}"#);
    let replies = [
        Reply::html(),
        Reply::ok(json!([{"sub": "alice"}])),
        Reply::ok(json!("alice")),
        Reply::ok(json!({})),
        Reply::ok(json!({"sub": null})),
        Reply::ok(json!({"sub": ["alice"]})),
        Reply::Raw(StatusCode::OK, "application/json", twice),
        Reply::Raw(StatusCode::OK, "application/json", "[".repeat(100_000).into()),
        Reply::Raw(StatusCode::OK, "application/jwt", Bytes::from_static(b"\xff")),
    ];
    for reply in replies {
        let told = format!("{reply:?}");
        let result = login_told(reply).await;
        assert!(matches!(result, Err(Error::UserinfoInvalid(_))), "{result:?} for {:.80}", told);
    }
}

#[tokio::test]
async fn a_userinfo_endpoint_in_trouble_is_told_apart() {
    for status in [204, 302, 401, 403, 500] {
        let result = login_told(Reply::status(status)).await;
        assert!(matches!(&result, Err(Error::UserinfoRefused(found)) if *found == status), "{result:?}");
    }
    let result = login_told(Reply::Refuse).await;
    assert!(matches!(result, Err(Error::UserinfoUnreachable(CallError::Connect(_)))), "{result:?}");
    let result = login_told(Reply::Hang).await;
    assert!(matches!(result, Err(Error::UserinfoUnreachable(CallError::Timeout))), "{result:?}");
}

#[tokio::test]
async fn userinfo_is_not_asked_where_there_is_none_or_the_settings_say_so() {
    let never = fixture_with(|settings| settings.userinfo = Userinfo::Never);
    never.login().await;
    assert!(never.calls(USERINFO).is_empty());

    let fixture = fixture();
    let mut metadata = metadata();
    metadata.as_object_mut().expect("an object").remove("userinfo_endpoint");
    fixture.on(DISCOVERY, Reply::ok(metadata));
    assert_eq!(fixture.login().await.identity.claims().get("email"), None);
}

#[tokio::test]
async fn a_signed_answer_is_verified() {
    let fixture = fixture();
    let good = json!({"iss": ISSUER, "aud": [CLIENT_ID], "sub": "alice", "email": "signed@example.com"});
    let told = |token: String| Reply::Raw(StatusCode::OK, "application/jwt; charset=utf-8", token.into());
    fixture.on(USERINFO, told(fixture.sign(&good)));
    let login = fixture.login().await;
    assert_eq!(login.identity.claims()["email"], "signed@example.com");
    assert_eq!(login.identity.claims().get("aud"), None);
    // OIDC Core §5.3.2 says SHOULD of both.
    fixture.on(USERINFO, told(fixture.sign(&json!({"sub": "alice", "email": "bare@example.com"}))));
    assert_eq!(fixture.login().await.identity.claims()["email"], "bare@example.com");

    let changed = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        fixture.sign(&claims)
    };
    let wrong = [
        signed(&new_key(), &fixture.header(), &good.to_string()),
        compact(r#"{"alg":"none"}"#, &good.to_string(), ""),
        changed("iss", json!("https://evil.test")),
        changed("iss", json!(null)),
        changed("aud", json!("other")),
        changed("aud", json!(null)),
        changed("exp", json!(NOW.seconds() - 3600)),
        changed("sub", json!(null)),
    ];
    for token in wrong {
        fixture.on(USERINFO, told(token));
        let result = fixture.login_with(|_| {}).await;
        assert!(matches!(result, Err(Error::UserinfoInvalid(_))), "{result:?}");
    }
    fixture.on(USERINFO, told(changed("sub", json!("bob"))));
    let result = fixture.login_with(|_| {}).await;
    assert!(matches!(result, Err(Error::SubjectMismatch)), "{result:?}");
}

#[tokio::test]
async fn an_answer_is_read_by_its_form_and_not_by_its_content_type() {
    let fixture = fixture();
    let token = fixture.sign(&json!({"sub": "alice", "email": "signed@example.com"}));
    for kind in ["", "text/plain", "application/json", "application/jwt"] {
        fixture.on(USERINFO, Reply::Raw(StatusCode::OK, kind, format!("{token}\n").into()));
        assert_eq!(fixture.login().await.identity.claims()["email"], "signed@example.com", "{kind}");
        let plain = json!({"sub": "alice", "email": "plain@example.com"});
        fixture.on(USERINFO, Reply::Raw(StatusCode::OK, kind, format!("\u{feff}{plain}").into()));
        assert_eq!(fixture.login().await.identity.claims()["email"], "plain@example.com", "{kind}");
    }
}

#[tokio::test]
async fn a_subject_in_digits_is_the_same_as_a_number() {
    let fixture = fixture();
    fixture.on(USERINFO, Reply::ok(json!({"sub": 1234, "email": "a@example.com", "email_verified": "true"})));
    let login = fixture.login_with(|claims| claims["sub"] = json!("1234")).await.expect("the same user");
    assert_eq!(login.identity.claims()["sub"], "1234");
    let result = fixture.login_with(|claims| claims["sub"] = json!("12345")).await;
    assert!(matches!(result, Err(Error::SubjectMismatch)), "{result:?}");
}

#[tokio::test]
async fn a_22_userinfo_says_nothing_about_the_sign_in() {
    let fixture = fixture();
    let said = json!({"sub": "alice", "acr": "phr", "auth_time": 7, "amr": ["hwk"], "name": "Alice"});
    fixture.on(USERINFO, Reply::ok(said));
    let login = fixture.login().await;
    assert_eq!(login.identity.claims()["name"], "Alice");
    for name in ["acr", "amr"] {
        assert_eq!(login.identity.claims().get(name), None, "{name}");
    }
    assert_ne!(login.identity.claims()["auth_time"], 7, "that of the ID token stays");
}
