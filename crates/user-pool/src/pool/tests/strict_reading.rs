//! Tokens that come back to the pool: which are taken, and which are not.

use super::*;

#[tokio::test]
async fn userinfo_takes_a_good_access_token_and_nothing_else() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens().await;
    let access = tokens["access_token"].as_str().expect("a token");
    let refused = async |fixture: &Fixture, token: &str| {
        let answer = fixture.userinfo(token).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#));
    };
    refused(&fixture, tokens["id_token"].as_str().expect("a token")).await;
    refused(&fixture, tokens["refresh_token"].as_str().expect("a token")).await;
    refused(&fixture, &access[..access.len() - 4]).await;
    refused(&fixture, "").await;
    let foreign = Fixture::new();
    refused(&fixture, foreign.tokens().await["access_token"].as_str().expect("a token")).await;
    let none = fixture.call(Method::GET, routes::USERINFO, &[], "").await;
    assert_eq!(none.header("www-authenticate"), r#"Bearer realm="userinfo""#);
    let in_query = format!("{}?access_token={access}", routes::USERINFO);
    assert_eq!(fixture.call(Method::GET, &in_query, &[], "").await.status(), StatusCode::UNAUTHORIZED);
    let headers = [("content-type", FORM.to_owned())];
    let in_form = fixture.call(Method::POST, routes::USERINFO, &headers, &format!("access_token={access}")).await;
    assert_eq!(in_form.status(), StatusCode::OK);
    let mut removed = fixture.settings.clone();
    removed.users.remove(0);
    refused(&Fixture::with(removed, START), access).await;
    fixture.advance(3600);
    refused(&fixture, access).await;
}

/// The header and the payload of a token, as they are written.
fn parts(token: &Value) -> (String, String) {
    let mut segments = token.as_str().expect("a token").split('.').map(|segment| {
        let text = URL_SAFE_NO_PAD.decode(segment).expect("base64url");
        String::from_utf8(text).ok()
    });
    let mut next = || segments.next().flatten().expect("text");
    (next(), next())
}

/// Changes of a good token's header and payload, each of which is refused although the pool's own key signs it again.
fn bad_tokens(fixture: &Fixture, (header, payload): &(String, String)) -> Vec<(String, String)> {
    let with = |object: &str, member: &str| object.replacen('{', &format!("{{{member},"), 1);
    let without = |name: &str| {
        let mut payload: Value = serde_json::from_str(payload).expect("JSON");
        payload.as_object_mut().expect("an object").remove(name);
        payload.to_string()
    };
    let and = |header: &str, payload: &str| {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        format!("{input}.{}", key_of(&fixture.settings).sign(input.as_bytes()).expect("signs"))
    };
    let mut bad = Vec::new();
    for member in [
        r#""crit":["exp"]"#,
        r#""crit":[]"#,
        r#""cty":"JWT""#,
        r#""jwk":{}"#,
        r#""jku":"https://evil.test""#,
        r#""alg":"none""#,
        r#""typ":"logout+jwt""#,
        r#""kid":"../../key""#,
    ] {
        bad.push((format!("header {member}"), and(&with(header, member), payload)));
    }
    for kid in ["another", "", "' OR 1=1"] {
        let kid = header.replace(key_of(&fixture.settings).kid(), kid);
        bad.push((format!("header {kid}"), and(&kid, payload)));
    }
    for member in [
        r#""sub":"bob""#,
        r#""iss":"https://login.example""#,
        r#""exp":99999999999"#,
        r#""x":{"y":1,"y":1}"#,
        r#""nbf":"soon""#,
        r#""nbf":99999999999"#,
    ] {
        bad.push((format!("payload {member}"), and(header, &with(payload, member))));
    }
    for name in ["iss", "aud", "exp", "iat"] {
        bad.push((format!("payload without {name}"), and(header, &without(name))));
    }
    bad.push(("a large token".into(), and(header, &with(payload, &format!(r#""x":"{}""#, "x".repeat(64 << 10))))));
    bad.push((
        "a deep token".into(),
        and(header, &with(payload, &format!(r#""x":{}{}"#, "[".repeat(999), "]".repeat(999)))),
    ));
    let good = and(header, payload);
    bad.push(("padding".into(), format!("{good}=")));
    bad.push(("a fourth segment".into(), format!("{good}.")));
    bad.push(("a space".into(), format!("{good} x")));
    bad
}

#[tokio::test]
async fn j_08_an_access_token_is_read_as_strictly_as_the_tokens_of_others() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens().await;
    let (header, payload) = parts(&tokens["access_token"]);
    let key = key_of(&fixture.settings);
    let again = |header: &str| {
        let header: Value = serde_json::from_str(header).expect("JSON");
        key.compact(&header, &serde_json::from_str(&payload).expect("JSON")).expect("signs")
    };
    assert_eq!(
        fixture.userinfo(&again(&header)).await.status(),
        StatusCode::OK,
        "signed again, and otherwise the same"
    );
    let without_kid = r#"{"alg":"ES256","typ":"at+jwt"}"#;
    assert_eq!(fixture.userinfo(&again(without_kid)).await.status(), StatusCode::OK, "one of the pool's keys fits");
    let kinds = [header.replace("at+jwt", "JWT"), header.replace("at+jwt", ""), r#"{"alg":"ES256"}"#.into()];
    let kinds = kinds.map(|header| (header.clone(), again(&header)));
    for (what, bad) in bad_tokens(&fixture, &(header, payload.clone())).into_iter().chain(kinds) {
        assert_eq!(fixture.userinfo(&bad).await.status(), StatusCode::UNAUTHORIZED, "{what}");
    }
}

#[tokio::test]
async fn j_08_an_id_token_hint_is_read_as_strictly_as_the_tokens_of_others() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let code = browser.sign_in("alice", "correct horse").await.code();
    let tokens = fixture.redeem(&code).await.json();
    let id_token = tokens["id_token"].as_str().expect("a token");
    // It may have expired, but not be anything else.
    fixture.advance(3600 + 61);
    let good = browser.authorize(&[("prompt", "none"), ("id_token_hint", id_token)]).await;
    assert!(good.query("code").is_some(), "{:?}", good.query("error"));
    let access_token = tokens["access_token"].as_str().expect("a token").to_owned();
    let mut bad = bad_tokens(&fixture, &parts(&tokens["id_token"]));
    bad.push(("an access token".into(), access_token));
    // An address holds no token that is too large.
    for (what, bad) in bad.into_iter().filter(|(_, token)| token.len() < 60_000) {
        let answer = browser.authorize(&[("prompt", "none"), ("id_token_hint", &bad)]).await;
        assert_eq!(answer.query("error").as_deref(), Some("invalid_request"), "{what}");
    }
}

#[tokio::test]
async fn a_new_signing_key_leaves_old_tokens_good_while_it_is_published() {
    let old = Fixture::new();
    let access = old.tokens().await["access_token"].as_str().expect("a token").to_owned();
    let signing_key = SigningKey::from_pem(&SigningKey::generate_pem()).ok();
    let other_keys = vec![key_of(&old.settings).public().clone()];
    let rotated =
        Fixture::with(Settings { signing_key: signing_key.clone(), other_keys, ..old.settings.clone() }, START);
    assert_eq!(rotated.userinfo(&access).await.status(), StatusCode::OK);
    let retired = Fixture::with(Settings { signing_key, ..old.settings.clone() }, START);
    assert_eq!(retired.userinfo(&access).await.status(), StatusCode::UNAUTHORIZED);
}
