//! The token and userinfo endpoints.

use super::*;

async fn code(world: &World) -> String {
    world.browser().sign_in("alice", "correct horse").await.code()
}

#[tokio::test]
async fn u_08_a_second_use_of_a_code_revokes_what_the_first_brought() {
    let world = World::new();
    let code = code(&world).await;
    let tokens = world.redeem(&code).await.json();
    let access_token = tokens["access_token"].as_str().expect("a token");
    assert_eq!(world.userinfo(access_token).await.status(), StatusCode::OK);
    world.redeem(&code).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    assert_eq!(world.userinfo(access_token).await.status(), StatusCode::UNAUTHORIZED);
    let refresh_token = tokens["refresh_token"].as_str().expect("a token");
    world.refresh(refresh_token).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    assert!(world.registry.render().contains(r#"vestibule_pool_reuse_detected_total{pool="demo"} 1"#));
}

#[tokio::test]
async fn u_08_a_code_is_bound_to_client_redirect_uri_and_pkce() {
    let world = World::new();
    let good = [("grant_type", "authorization_code"), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    for (changed, value) in [
        ("redirect_uri", "https://app.example.com/other?keep=1"),
        ("code_verifier", "dBjftJeZ4CVP-mBTsk9_6q1vQ2yW8Z0aXc3Ef5Gh7Ik"),
        ("code_verifier", "x"),
    ] {
        let code = code(&world).await;
        let mut fields: Vec<(&str, &str)> = good.into_iter().filter(|(name, _)| *name != changed).collect();
        fields.extend([(changed, value), ("code", code.as_str())]);
        world.token(&fields).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
        world.redeem(&code).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    }
    let code = code(&world).await;
    let body = form::encode(good.into_iter().chain([("code", code.as_str()), ("client_id", "cli")]));
    let answer = world.call(Method::POST, routes::TOKEN, &[("content-type", FORM.into())], &body).await;
    answer.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn u_08_a_code_lives_for_a_minute() {
    let world = World::new();
    let first = code(&world).await;
    world.advance(59);
    assert_eq!(world.redeem(&first).await.status(), StatusCode::OK);
    let second = code(&world).await;
    world.advance(60);
    world.redeem(&second).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    world.redeem("made up").await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn u_09_a_refresh_token_that_comes_again_revokes_the_family() {
    let world = World::new();
    let first = world.tokens().await;
    let first_refresh = first["refresh_token"].as_str().expect("a token");
    let second = world.refresh(first_refresh).await.json();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(payload(&second["id_token"])["sub"], "sub-of-Alice");
    assert!(payload(&second["id_token"]).get("nonce").is_none(), "OIDC Core §12.2");
    world.advance(10);
    world.refresh(first_refresh).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let refresh = second["refresh_token"].as_str().expect("a token");
    world.refresh(refresh).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let access = second["access_token"].as_str().expect("a token");
    assert_eq!(world.userinfo(access).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn u_09_a_retry_within_ten_seconds_is_no_reuse() {
    let world = World::new();
    let first = world.tokens().await;
    let first = first["refresh_token"].as_str().expect("a token");
    let lost = world.refresh(first).await.json();
    world.advance(9);
    let retried = world.refresh(first).await.json();
    let next = world.refresh(retried["refresh_token"].as_str().expect("a token")).await;
    assert_eq!(next.status(), StatusCode::OK);
    let parallel = world.refresh(lost["refresh_token"].as_str().expect("a token")).await;
    assert_eq!(parallel.status(), StatusCode::OK, "the lost answer named the same successor");
    world.refresh(first).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn u_09_refresh_tokens_survive_a_restart_and_reuse_still_shows() {
    let world = World::new();
    let first = world.tokens().await;
    let first = first["refresh_token"].as_str().expect("a token").to_owned();
    world.advance(1);
    let second = world.refresh(&first).await.json();
    let second = second["refresh_token"].as_str().expect("a token").to_owned();
    let world = world.restarted();
    let stolen = world.refresh(&first).await;
    assert_eq!(stolen.status(), StatusCode::OK, "the new process cannot know yet");
    let stolen = stolen.json()["refresh_token"].as_str().expect("a token").to_owned();
    let third = world.refresh(&second).await;
    assert_eq!(third.status(), StatusCode::OK, "the holder has the same generation as the thief");
    let third = third.json()["refresh_token"].as_str().expect("a token").to_owned();
    world.advance(10);
    world.refresh(&stolen).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    world.refresh(&third).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn codes_and_access_tokens_end_with_the_sign_out() {
    let world = World::new();
    for (scope, code_then, access_then) in [
        ("openid", StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED),
        ("openid offline_access", StatusCode::BAD_REQUEST, StatusCode::OK),
    ] {
        let mut browser = world.browser();
        let page = browser.authorize(&[("scope", scope)]).await;
        let code = browser.submit(&page, "alice", "correct horse").await.code();
        let tokens = world.redeem(&code).await.json();
        let access = tokens["access_token"].as_str().expect("a token");
        let waiting = browser.authorize(&[("scope", scope)]).await.code();
        assert_eq!(world.userinfo(access).await.status(), StatusCode::OK);
        let hint = [("id_token_hint", tokens["id_token"].as_str().expect("a token"))];
        browser.get(&format!("{}?{}", routes::LOGOUT, form::encode(hint))).await;
        assert_eq!(world.redeem(&waiting).await.status(), code_then, "{scope}");
        assert_eq!(world.userinfo(access).await.status(), access_then, "{scope}");
    }
}

#[tokio::test]
async fn an_access_token_does_not_tell_when_a_password_was_changed() {
    let world = World::new();
    let claims = async || payload(&world.tokens().await["access_token"]);
    let (one, other) = (claims().await, claims().await);
    let changes = ["jti", "grant"];
    for (name, value) in one.as_object().expect("an object") {
        assert_eq!(changes.contains(&name.as_str()), value != &other[name], "{name}: {value}");
    }
    let fingerprint = Directory::new(world.settings.users.clone(), vec![]);
    let fingerprint =
        fingerprint.users().find(|user| user.subject() == "sub-of-Alice").expect("Alice").fingerprint().to_owned();
    assert!(!one.to_string().contains(&fingerprint), "{one}");
}

#[tokio::test]
async fn silent_sign_ins_of_one_user_at_one_client_are_limited() {
    let world = World::new();
    let mut browser = world.browser();
    browser.sign_in("alice", "correct horse").await;
    for _ in 0..120 {
        browser.authorize(&[]).await.code();
    }
    let refused = browser.authorize(&[]).await;
    assert_eq!(refused.query("error").as_deref(), Some("temporarily_unavailable"));
    let mut other = world.browser();
    other.sign_in("bob", "battery staple").await;
    other.authorize(&[]).await.code();
    world.advance(1);
    browser.authorize(&[]).await.code();
}

#[tokio::test]
async fn token_requests_over_the_limit_are_told_to_wait() {
    let world = World::new();
    let tokens = world.tokens().await;
    let mut token = tokens["refresh_token"].as_str().expect("a token").to_owned();
    for _ in 0..119 {
        token = world.refresh(&token).await.json()["refresh_token"].as_str().expect("a token").to_owned();
    }
    let refused = world.refresh(&token).await;
    refused.assert_error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    world.advance(1);
    assert_eq!(world.refresh(&token).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn two_replicas_with_the_same_keys_take_every_step_of_a_sign_in() {
    let one = World::new();
    let other = World::with(one.settings.clone(), START);
    let mut browser = one.browser();
    let page = browser.authorize(&[]).await;
    browser.world = &other;
    let code = browser.submit(&page, "alice", "correct horse").await.code();
    let tokens = one.redeem(&code).await.json();
    let access = tokens["access_token"].as_str().expect("a token");
    assert_eq!(other.userinfo(access).await.status(), StatusCode::OK);
    assert_eq!(other.refresh(tokens["refresh_token"].as_str().expect("a token")).await.status(), StatusCode::OK);
    browser.world = &one;
    browser.authorize(&[]).await.code();
    let question = browser.get(routes::LOGOUT).await.hidden();
    browser.world = &other;
    browser.post(routes::SIGN_OUT, &[("request", &question)]).await.assert_page(StatusCode::OK, "You are signed out");
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_time_its_password_and_its_session() {
    let world = World::new();
    let tokens = world.tokens().await;
    let refresh = tokens["refresh_token"].as_str().expect("a token").to_owned();
    let mut changed = world.settings.clone();
    changed.users[0].password_hash = cheap("another");
    let changed = World::with(changed, START + Duration::from_secs(1));
    changed.refresh(&refresh).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    world.advance(29 * 24 * 3600);
    let next = world.refresh(&refresh).await.json()["refresh_token"].as_str().expect("a token").to_owned();
    world.advance(24 * 3600);
    world.refresh(&next).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_and_never_for_more() {
    let world = World::new();
    let tokens = world.tokens().await;
    let refresh = tokens["refresh_token"].as_str().expect("a token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", "openid groups")];
    world.token(&fields).await.assert_error(StatusCode::BAD_REQUEST, "invalid_scope");
    world.advance(60);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", "openid")];
    let less = world.token(&fields).await.json();
    assert_eq!(less["scope"], "openid");
    assert!(payload(&less["id_token"]).get("email").is_none());
}

#[tokio::test]
async fn u_10_claims_follow_the_scope_and_the_protocols_are_ours() {
    let world = World::new();
    let claims = async |scope: &str| {
        let mut browser = world.browser();
        let page = browser.authorize(&[("scope", scope)]).await;
        let code = browser.submit(&page, "alice", "correct horse").await.code();
        let tokens = world.redeem(&code).await.json();
        let userinfo = world.userinfo(tokens["access_token"].as_str().expect("a token")).await.json();
        let id = payload(&tokens["id_token"]);
        assert_eq!(id["aud"], "dashboard");
        assert_eq!(id["sub"], "sub-of-Alice");
        assert_eq!(userinfo["sub"], "sub-of-Alice");
        for (name, value) in userinfo.as_object().expect("an object") {
            assert_eq!(&id[name], value, "{name}");
        }
        let names: Vec<String> = userinfo.as_object().expect("an object").keys().cloned().collect();
        names.join(" ")
    };
    assert_eq!(claims("openid").await, "sub");
    assert_eq!(claims("openid email").await, "sub email email_verified");
    assert_eq!(claims("openid groups").await, "sub groups");
    assert_eq!(claims("openid profile").await, "sub preferred_username name department");
    assert_eq!(claims("openid admin").await, "sub");
}

#[tokio::test]
async fn an_id_token_holds_what_openid_connect_prescribes() {
    let world = World::new();
    let tokens = world.tokens().await;
    let id = payload(&tokens["id_token"]);
    let now = START.seconds();
    assert_eq!(id["iss"], ISSUER);
    assert_eq!((&id["iat"], &id["auth_time"], &id["exp"]), (&json!(now), &json!(now), &json!(now + 3600)));
    let hash = octets::sha256(tokens["access_token"].as_str().expect("a token").as_bytes());
    assert_eq!(id["at_hash"], URL_SAFE_NO_PAD.encode(&hash[..16]));
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
}

#[tokio::test]
async fn a_client_proves_itself_in_one_way_or_not_at_all() {
    let world = World::new();
    let basic = |text: &str| ("authorization", format!("Basic {}", STANDARD.encode(text)));
    let form = ("content-type", FORM.to_owned());
    let form_only = std::slice::from_ref(&form);
    let check = async |headers: &[(&str, String)], body: &str, error: &str| {
        let answer = world.call(Method::POST, routes::TOKEN, headers, body).await;
        let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        answer.assert_error(status, error);
    };
    let grant = "grant_type=zzz";
    let post = format!("{grant}&client_id=dashboard&client_secret=s3cr/et%2B1");
    check(form_only, &post, "unsupported_grant_type").await;
    check(&[form.clone(), basic("dashboard:s3cr%2Fet%2B1")], grant, "unsupported_grant_type").await;
    check(form_only, &format!("{grant}&client_id=cli"), "unsupported_grant_type").await;
    check(form_only, grant, "invalid_client").await;
    check(form_only, &format!("{grant}&client_id=dashboard"), "invalid_client").await;
    check(form_only, &format!("{grant}&client_id=dashboard&client_secret="), "invalid_client").await;
    check(form_only, &format!("{grant}&client_id=dashboard&client_secret=zzz"), "invalid_client").await;
    check(form_only, &format!("{grant}&client_id=zzz&client_secret=zzz"), "invalid_client").await;
    check(form_only, &format!("{grant}&client_id=cli&client_secret=zzz"), "invalid_client").await;
    check(&[form.clone(), basic("dashboard:zzz")], grant, "invalid_client").await;
    check(&[form.clone(), basic("dashboard")], grant, "invalid_client").await;
    check(&[form.clone(), ("authorization", "Basic %%%".into())], grant, "invalid_client").await;
    check(&[form.clone(), ("authorization", "Bearer x".into())], &post, "invalid_client").await;
    check(&[form.clone(), basic("dashboard:s3cr%2Fet%2B1")], &post, "invalid_request").await;
    let other = format!("{grant}&client_id=cli");
    check(&[form.clone(), basic("dashboard:s3cr%2Fet%2B1")], &other, "invalid_request").await;
    let twice = format!("{post}&client_id=dashboard");
    check(form_only, &twice, "invalid_request").await;
}

#[tokio::test]
async fn a_token_request_that_lacks_something_is_refused() {
    let world = World::new();
    for fields in [
        vec![],
        vec![("grant_type", "authorization_code")],
        vec![("grant_type", "authorization_code"), ("code", "x")],
        vec![("grant_type", "refresh_token")],
        vec![("grant_type", "refresh_token"), ("refresh_token", "a"), ("refresh_token", "b")],
    ] {
        world.token(&fields).await.assert_error(StatusCode::BAD_REQUEST, "invalid_request");
    }
    for grant in ["password", "client_credentials", "AUTHORIZATION_CODE"] {
        let answer = world.token(&[("grant_type", grant)]).await;
        answer.assert_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
}

#[tokio::test]
async fn a_public_client_redeems_with_pkce_alone() {
    let world = World::new();
    let mut browser = world.browser();
    let callback = "http://127.0.0.1:51234/cb";
    let page = browser.authorize(&[("client_id", "cli"), ("redirect_uri", callback)]).await;
    let code = browser.submit(&page, "bob", "battery staple").await.code();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("code", &code),
        ("redirect_uri", callback),
        ("code_verifier", VERIFIER),
    ];
    let headers = [("content-type", FORM.to_owned())];
    let answer = world.call(Method::POST, routes::TOKEN, &headers, &form::encode(fields)).await;
    assert_eq!(payload(&answer.json()["id_token"])["aud"], "cli");
}

/// RFC 6749 §2.3.1: "The client MAY omit the parameter if the client secret is an empty string."
#[tokio::test]
async fn an_empty_client_secret_is_none() {
    let world = World::new();
    let callback = "http://127.0.0.1:51234/cb";
    let redeem = async |basic: Option<&str>, in_form: &[(&str, &str)]| {
        let mut browser = world.browser();
        let page = browser.authorize(&[("client_id", "cli"), ("redirect_uri", callback)]).await;
        let code = browser.submit(&page, "bob", "battery staple").await.code();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", callback),
            ("code_verifier", VERIFIER),
        ];
        let body = form::encode(fields.into_iter().chain(in_form.iter().copied()));
        let mut headers = vec![("content-type", FORM.to_owned())];
        headers.extend(basic.map(|pair| ("authorization", format!("Basic {}", STANDARD.encode(pair)))));
        world.call(Method::POST, routes::TOKEN, &headers, &body).await
    };
    let empty = [("client_id", "cli"), ("client_secret", "")];
    assert_eq!(redeem(None, &empty).await.status(), StatusCode::OK);
    assert_eq!(redeem(Some("cli:"), &[]).await.status(), StatusCode::OK);
    assert_eq!(redeem(Some("cli:"), &empty).await.status(), StatusCode::OK, "not two ways");
    let other = [("client_id", "cli"), ("client_secret", "x")];
    redeem(None, &other).await.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    // A client that has a secret is not let in without it.
    let confidential = [("client_id", "app"), ("client_secret", "")];
    redeem(None, &confidential).await.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    redeem(Some("app:"), &[]).await.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn our_own_client_is_nobody_elses() {
    let mut settings = settings();
    // The client of our own rules has no secret: it is known by calling within this process.
    let ours = &mut settings.clients[1];
    (ours.client_id, ours.is_ours) = ("vestibule".into(), true);
    let world = World::with(settings, START);
    let mut browser = world.browser();
    let callback = "http://127.0.0.1/cb";
    let fields = [("client_id", "vestibule"), ("redirect_uri", callback)];
    let page = browser.authorize(&fields).await;
    let code = browser.submit(&page, "bob", "battery staple").await.code();
    let by_code = [
        ("grant_type", "authorization_code"),
        ("client_id", "vestibule"),
        ("code", &code),
        ("redirect_uri", callback),
        ("code_verifier", VERIFIER),
    ];
    let headers = [("content-type", FORM.to_owned())];
    let stranger = world.call(Method::POST, routes::TOKEN, &headers, &form::encode(by_code)).await;
    stranger.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    let tokens = world.ours(&by_code).await.json();
    assert_eq!(payload(&tokens["id_token"])["aud"], "vestibule", "{tokens}");
    let refresh = tokens["refresh_token"].as_str().expect("a refresh token");
    let by_refresh = [("grant_type", "refresh_token"), ("client_id", "vestibule"), ("refresh_token", refresh)];
    let stranger = world.call(Method::POST, routes::TOKEN, &headers, &form::encode(by_refresh)).await;
    stranger.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    assert_eq!(world.ours(&by_refresh).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn userinfo_takes_a_good_access_token_and_nothing_else() {
    let world = World::new();
    let tokens = world.tokens().await;
    let access = tokens["access_token"].as_str().expect("a token");
    let refused = async |world: &World, token: &str| {
        let answer = world.userinfo(token).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#));
    };
    refused(&world, tokens["id_token"].as_str().expect("a token")).await;
    refused(&world, tokens["refresh_token"].as_str().expect("a token")).await;
    refused(&world, &access[..access.len() - 4]).await;
    refused(&world, "").await;
    let foreign = World::new();
    refused(&world, foreign.tokens().await["access_token"].as_str().expect("a token")).await;
    let none = world.call(Method::GET, routes::USERINFO, &[], "").await;
    assert_eq!(none.header("www-authenticate"), r#"Bearer realm="userinfo""#);
    let in_query = format!("{}?access_token={access}", routes::USERINFO);
    assert_eq!(world.call(Method::GET, &in_query, &[], "").await.status(), StatusCode::UNAUTHORIZED);
    let headers = [("content-type", FORM.to_owned())];
    let in_form = world.call(Method::POST, routes::USERINFO, &headers, &format!("access_token={access}")).await;
    assert_eq!(in_form.status(), StatusCode::OK);
    let mut removed = world.settings.clone();
    removed.users.remove(0);
    refused(&World::with(removed, START), access).await;
    world.advance(3600);
    refused(&world, access).await;
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
fn bad_tokens(world: &World, (header, payload): &(String, String)) -> Vec<(String, String)> {
    let with = |object: &str, member: &str| object.replacen('{', &format!("{{{member},"), 1);
    let without = |name: &str| {
        let mut payload: Value = serde_json::from_str(payload).expect("JSON");
        payload.as_object_mut().expect("an object").remove(name);
        payload.to_string()
    };
    let and = |header: &str, payload: &str| {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        format!("{input}.{}", world.settings.signing_key.sign(input.as_bytes()).expect("signs"))
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
        let kid = header.replace(world.settings.signing_key.kid(), kid);
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
    let world = World::new();
    let tokens = world.tokens().await;
    let (header, payload) = parts(&tokens["access_token"]);
    let key = &world.settings.signing_key;
    let again = |header: &str| {
        let header: Value = serde_json::from_str(header).expect("JSON");
        key.compact(&header, &serde_json::from_str(&payload).expect("JSON")).expect("signs")
    };
    assert_eq!(world.userinfo(&again(&header)).await.status(), StatusCode::OK, "signed again, and otherwise the same");
    let without_kid = r#"{"alg":"ES256","typ":"at+jwt"}"#;
    assert_eq!(world.userinfo(&again(without_kid)).await.status(), StatusCode::OK, "one of the pool's keys fits");
    let kinds = [header.replace("at+jwt", "JWT"), header.replace("at+jwt", ""), r#"{"alg":"ES256"}"#.into()];
    let kinds = kinds.map(|header| (header.clone(), again(&header)));
    for (what, bad) in bad_tokens(&world, &(header, payload.clone())).into_iter().chain(kinds) {
        assert_eq!(world.userinfo(&bad).await.status(), StatusCode::UNAUTHORIZED, "{what}");
    }
}

#[tokio::test]
async fn j_08_an_id_token_hint_is_read_as_strictly_as_the_tokens_of_others() {
    let world = World::new();
    let mut browser = world.browser();
    let code = browser.sign_in("alice", "correct horse").await.code();
    let tokens = world.redeem(&code).await.json();
    let id_token = tokens["id_token"].as_str().expect("a token");
    // It may have expired, but not be anything else.
    world.advance(3600 + 61);
    let good = browser.authorize(&[("prompt", "none"), ("id_token_hint", id_token)]).await;
    assert!(good.query("code").is_some(), "{:?}", good.query("error"));
    let access_token = tokens["access_token"].as_str().expect("a token").to_owned();
    let mut bad = bad_tokens(&world, &parts(&tokens["id_token"]));
    bad.push(("an access token".into(), access_token));
    // An address holds no token that is too large.
    for (what, bad) in bad.into_iter().filter(|(_, token)| token.len() < 60_000) {
        let answer = browser.authorize(&[("prompt", "none"), ("id_token_hint", &bad)]).await;
        assert_eq!(answer.query("error").as_deref(), Some("invalid_request"), "{what}");
    }
}

#[tokio::test]
async fn a_new_signing_key_leaves_old_tokens_good_while_it_is_published() {
    let old = World::new();
    let access = old.tokens().await["access_token"].as_str().expect("a token").to_owned();
    let signing_key = SigningKey::from_pem(&SigningKey::generate_pem()).expect("a generated key reads back");
    let other_keys = vec![old.settings.signing_key.public().clone()];
    let rotated = World::with(Settings { signing_key: signing_key.clone(), other_keys, ..old.settings.clone() }, START);
    assert_eq!(rotated.userinfo(&access).await.status(), StatusCode::OK);
    let retired = World::with(Settings { signing_key, ..old.settings.clone() }, START);
    assert_eq!(retired.userinfo(&access).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_page_of_another_site_may_call_with_what_it_holds() {
    let world = World::new();
    for path in [routes::DISCOVERY, routes::JWKS, routes::TOKEN, routes::USERINFO] {
        let preflight = world.call(Method::OPTIONS, path, &[("origin", "https://spa.example".into())], "").await;
        assert_eq!(preflight.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(preflight.header("access-control-allow-headers"), "authorization, content-type");
    }
    for path in [routes::AUTHORIZE, routes::LOGOUT, routes::SIGN_IN, routes::SIGN_OUT] {
        let preflight = world.call(Method::OPTIONS, path, &[("origin", "https://spa.example".into())], "").await;
        assert_eq!(preflight.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(preflight.0.headers().get("access-control-allow-origin").is_none());
    }
    let tokens = world.redeem(&code(&world).await).await;
    let userinfo = world.userinfo(tokens.json()["access_token"].as_str().expect("a token")).await;
    for answer in [tokens, userinfo] {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(answer.0.headers().get("access-control-allow-credentials").is_none());
    }
}

#[tokio::test]
async fn id_tokens_are_signed_with_what_the_client_takes() {
    let rsa = SigningKey::from_pem(&SigningKey::generate_rsa_pem()).expect("a generated key reads back");
    let mut settings = Settings { rs256_signing_key: Some(rsa), ..settings() };
    settings.clients[0].id_token_algorithm = Algorithm::Rs256;
    let world = World::with(settings, START);
    let discovery = world.call(Method::GET, routes::DISCOVERY, &[], "").await.json();
    assert_eq!(discovery["id_token_signing_alg_values_supported"], json!(["RS256", "ES256"]));
    let keys = world.call(Method::GET, routes::JWKS, &[], "").await.json();
    let verified = |token: &Value, algorithm| {
        let token = token.as_str().expect("a token");
        let header = jsonwebtoken::decode_header(token).expect("a header");
        assert_eq!(header.alg, algorithm);
        let keys = keys["keys"].as_array().expect("keys");
        let jwk = keys.iter().find(|key| key["kid"] == header.kid.as_deref().expect("a kid")).expect("published");
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk.clone()).expect("a JWK");
        let mut validation = jsonwebtoken::Validation::new(algorithm);
        (validation.validate_exp, validation.validate_aud) = (false, false);
        jsonwebtoken::decode::<Value>(token, &jsonwebtoken::DecodingKey::from_jwk(&jwk).expect("a key"), &validation)
            .expect("verifies")
            .claims
    };
    let mut browser = world.browser();
    let code = browser.sign_in("alice", "correct horse").await.code();
    let tokens = world.redeem(&code).await.json();
    assert_eq!(verified(&tokens["id_token"], jsonwebtoken::Algorithm::RS256)["aud"], "dashboard");
    assert_eq!(verified(&tokens["access_token"], jsonwebtoken::Algorithm::ES256)["sub"], "sub-of-Alice");
    let callback = "http://127.0.0.1:51234/cb";
    let code = browser.authorize(&[("client_id", "cli"), ("redirect_uri", callback)]).await.code();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("code", &code),
        ("redirect_uri", callback),
        ("code_verifier", VERIFIER),
    ];
    let headers = [("content-type", FORM.to_owned())];
    let other = world.call(Method::POST, routes::TOKEN, &headers, &form::encode(fields)).await.json();
    assert_eq!(verified(&other["id_token"], jsonwebtoken::Algorithm::ES256)["aud"], "cli");
    let hint = [("id_token_hint", tokens["id_token"].as_str().expect("a token"))];
    let bye = browser.get(&format!("{}?{}", routes::LOGOUT, form::encode(hint))).await;
    bye.assert_page(StatusCode::OK, "You are signed out");
}

#[tokio::test]
async fn wrong_client_secrets_are_limited_and_the_right_client_is_not_locked_out() {
    let world = World::new();
    let ask = async |secret: &str, from: &str| {
        let basic = STANDARD.encode(format!("dashboard:{secret}"));
        let request = http::Request::post(routes::TOKEN)
            .header("authorization", format!("Basic {basic}"))
            .header("content-type", FORM)
            .body(Bytes::from("grant_type=zzz"))
            .expect("a request");
        Answer(world.pool.handle(request, from.parse().expect("an address")).await)
    };
    let right = "s3cr%2Fet%2B1";
    for _ in 0..10 {
        ask("guess", "192.0.2.66").await.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let limited = ask("guess", "192.0.2.66").await;
    limited.assert_error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
    assert_eq!(limited.header("retry-after"), "10");
    ask(right, "192.0.2.9").await.assert_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    ask(right, "192.0.2.66").await.assert_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    for _ in 0..1100 {
        ask("guess", "192.0.2.9").await;
        ask("guess", "192.0.2.77").await;
    }
    ask(right, "192.0.2.9").await.assert_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    let unseen = ask(right, "192.0.2.77").await;
    unseen.assert_error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
    world.advance(200);
    ask(right, "192.0.2.77").await.assert_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
}
