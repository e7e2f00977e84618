//! The user pool: a whole login at the embedded provider through two hosts of one proxy, and other relying parties that
//! use it as any OpenID provider.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::harness::app::Proxy;
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::server::Server;
use crate::harness::target;

/// `correct horse`, hashed with Argon2id at the least cost that is one: a test signs in often.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$";
pub const PASSWORD: &str = "correct horse";
const VERIFIER: &str = "dBjftJeZ4CVP-mBTsk9_6q1vQ2yW8Z0aXc3Ef5Gh7Ij";
const CALLBACK: &str = "https://wiki.test/callback";

pub fn hash() -> String {
    use argon2::password_hash::{PasswordHasher as _, SaltString};
    let salt = SaltString::from_b64("c29tZXNhbHRzb21lc2FsdA").expect("a salt");
    let params = argon2::Params::new(8, 1, 1, None).expect("parameters");
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let hash = argon2.hash_password(PASSWORD.as_bytes(), &salt).expect("a hash").to_string();
    assert!(hash.starts_with(HASH), "{hash}");
    hash
}

fn start(target: &Server) -> Proxy {
    Proxy::start(&configuration(target))
}

pub fn configuration(target: &Server) -> String {
    format!(
        "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
    default_actions:
      - {{ type: authenticate-user-pool, user_pool: people, scope: openid profile email groups }}
      - {{ type: forward, target_group: app }}
user_pools:
  people:
    issuer: https://login.test
    title: Sign in to the tests
    signing_key_file: pool-key.pem
    applications: [https://app.test]
    users:
      - username: Alice
        password_hash: '{}'
        subject: user-1
        email: alice@example.com
        name: Alice A.
        groups: [staff]
    clients:
      - client_id: wiki
        client_secret: a-secret-of-the-wiki
        redirect_uris: ['{CALLBACK}']
        post_logout_redirect_uris: ['https://wiki.test/bye']
target_groups:
  app: {{ targets: ['{}'] }}
claims: {{ signer: 'arn:vestibule:test', signing_key_file: claims-key.pem }}
session: {{ key_files: [session-key] }}
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
workers: 2
",
        hash(),
        target.address()
    )
}

/// The page's form as a browser without scripts would send it: where to, and what is hidden in it.
#[track_caller]
pub fn form(page: &Answer) -> (String, Vec<(String, String)>) {
    let text = page.text();
    assert!(!text.contains("<script"), "{text}");
    let attribute = |tag: &str, name: &str| -> Option<String> {
        let (_, rest) = tag.split_once(&format!("{name}=\""))?;
        Some(rest.split('"').next().expect("closed").replace("&#38;", "&").replace("&#39;", "'").replace("&#34;", "\""))
    };
    let (_, form) = text.split_once("<form").unwrap_or_else(|| panic!("a form: {text}"));
    // A page may have more than one.
    let form = form.split("</form>").next().unwrap_or_default();
    let action = attribute(form.split('>').next().expect("a tag"), "action").unwrap_or_default();
    let hidden = form.split("<input").skip(1).map(|rest| rest.split('>').next().expect("a tag"));
    let hidden = hidden.filter(|tag| tag.contains("type=\"hidden\""));
    let fields =
        hidden.map(|tag| (attribute(tag, "name").expect("a name"), attribute(tag, "value").unwrap_or_default()));
    (action, fields.collect())
}

#[track_caller]
pub fn submit(browser: &mut Browser, page: &Answer, username: &str, password: &str) -> Answer {
    submit_at("https://login.test", browser, page, username, password)
}

/// Signs in at a pool with this issuer.
#[track_caller]
pub fn submit_at(issuer: &str, browser: &mut Browser, page: &Answer, username: &str, password: &str) -> Answer {
    let (action, hidden) = form(page);
    let url = url::Url::parse(issuer).expect("a URL").join(&action).expect("a URL");
    let mut fields: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.extend([("username", username), ("password", password)]);
    browser.headers.push(("origin".into(), issuer.into()));
    let answer = browser.post_form(url.as_str(), &fields);
    browser.headers.pop();
    answer
}

/// A form that is refused leads a browser to a page that shows the form and the reason. Returns that page.
#[track_caller]
fn refused(browser: &mut Browser, page: &Answer, username: &str, password: &str) -> Answer {
    let answer = submit(browser, page, username, password);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let shown = browser.get(&format!("https://login.test{}", answer.location()));
    assert_eq!(shown.status, 200, "{}", shown.text());
    shown
}

/// From the application to the sign-in page.
#[track_caller]
pub fn sign_in_page(browser: &mut Browser, url: &str) -> Answer {
    let sent = browser.get(url);
    assert_eq!(sent.status, 302);
    assert!(sent.location().starts_with("https://login.test/oauth2/authorize?"), "{}", sent.location());
    let page = browser.get(sent.location());
    assert_eq!(page.status, 200, "{}", page.text());
    page
}

#[test]
fn a_user_signs_in_at_the_pool_and_reaches_the_application() {
    let target = target::echo();
    let proxy = start(&target);
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let page = sign_in_page(&mut browser, "https://app.test/reports?year=2026");
        assert!(page.text().contains("Sign in to the tests"));
        let back = submit(&mut browser, &page, "alice", PASSWORD);
        assert_eq!(back.status, 303, "{}", back.text());
        assert!(back.location().starts_with("https://app.test/oauth2/idpresponse?"), "{}", back.location());
        let there = browser.get(back.location());
        assert_eq!((there.status, there.location()), (302, "/reports?year=2026"), "{}", there.text());
        assert_eq!(browser.get("https://app.test/reports?year=2026").status, 200);
        let request = target.last();
        assert_eq!(request.header("x-amzn-oidc-identity"), Some("user-1"));
        let claims = request.header("x-amzn-oidc-data").expect("claims").split('.').nth(1).expect("a payload");
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON");
        assert_eq!(claims["email"], "alice@example.com");
        assert_eq!(claims["groups"], serde_json::json!(["staff"]));
    });
    assert_eq!(proxy.metric("vestibule_pool_sign_ins_total{pool=\"people\",outcome=\"ok\"}"), 2);
}

#[test]
fn a_sign_in_over_two_replicas_succeeds_whichever_takes_which_request() {
    let target = target::echo();
    let one = start(&target);
    let folder = crate::harness::app::folder();
    for key in ["session-key", "claims-key.pem", "pool-key.pem"] {
        std::fs::copy(one.folder().join(key), folder.join(key)).expect("the first replica made its keys");
    }
    let other = Proxy::start_in(folder, &configuration(&target), crate::harness::app::START);
    let replicas = [one.address(), other.address()];
    on_both(|protocol| {
        // A sign-in is five requests: every way to spread them over two replicas, of which the first and the last are the same.
        let ways =
            (0..12).map(|number| [number & 1, number >> 1 & 1, number >> 2 & 1, number >> 3 & 1, 1 - (number & 1)]);
        for way in ways {
            let mut browser = one.browser(protocol);
            browser.move_to(replicas[way[0]]);
            let sent = browser.get("https://app.test/reports");
            browser.move_to(replicas[way[1]]);
            let page = browser.get(sent.location());
            browser.move_to(replicas[way[2]]);
            let back = submit(&mut browser, &page, "alice", PASSWORD);
            assert_eq!(back.status, 303, "{way:?} {}", back.text());
            browser.move_to(replicas[way[3]]);
            let there = browser.get(back.location());
            assert_eq!((there.status, there.location()), (302, "/reports"), "{way:?} {}", there.text());
            browser.move_to(replicas[way[4]]);
            assert_eq!(browser.get("https://app.test/reports").status, 200, "{way:?}");
        }
    });
    // Refreshes as well, alternately.
    let mut browser = one.browser(Protocol::Http1);
    let page = sign_in_page(&mut browser, "https://app.test/");
    let back = submit(&mut browser, &page, "alice", PASSWORD);
    browser.get(back.location());
    for round in 0..4 {
        for replica in [&one, &other] {
            replica.clock.advance(std::time::Duration::from_secs(3700));
        }
        browser.move_to(replicas[round & 1]);
        assert_eq!(browser.get("https://app.test/reports").status, 200, "refresh {round}");
    }
    let refreshed: u64 = [&one, &other]
        .map(|replica| replica.metric("vestibule_pool_tokens_issued_total{pool=\"people\",grant=\"refresh_token\"}"))
        .iter()
        .sum();
    assert_eq!(refreshed, 4);
}

#[test]
fn an_expired_sign_in_page_leads_back_to_where_the_user_was_going() {
    let target = target::echo();
    let proxy = start(&target);
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let page = sign_in_page(&mut browser, "https://app.test/reports?year=2026");
        proxy.clock.advance(std::time::Duration::from_secs(16 * 60));
        let expired = submit(&mut browser, &page, "alice", PASSWORD);
        // A redirect, so that Back does not ask to send the form again (decision 43).
        assert_eq!(expired.status, 303);
        let expired = browser.get(&format!("https://login.test{}", expired.location()));
        let text = expired.text();
        assert!(text.contains("The page was open for too long. You have not been signed in."), "{text}");
        let (_, link) = text.split_once("<a class=\"button\" href=\"").expect("a link");
        let link = link.split('"').next().expect("closed").replace("&#38;", "&").replace("&#39;", "'");
        let (_, page) = browser.follow(&link, "https://login.test/oauth2/authorize?");
        let page = if page.status == 200 { page } else { browser.get(page.location()) };
        let back = submit(&mut browser, &page, "alice", PASSWORD);
        assert_eq!(back.status, 303, "{}", back.text());
        let there = browser.get(back.location());
        assert_eq!((there.status, there.location()), (302, "/reports?year=2026"), "{}", there.text());
        assert_eq!(browser.get("https://app.test/reports?year=2026").status, 200);
    });
}

#[test]
fn u_a_wrong_password_and_an_unknown_user_are_told_the_same() {
    let target = target::echo();
    let proxy = start(&target);
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let page = sign_in_page(&mut browser, "https://app.test/");
        let wrong = refused(&mut browser, &page, "alice", "wrong horse");
        let unknown = refused(&mut browser, &page, "mallory", "wrong horse");
        let told = |answer: &Answer| {
            let text = answer.text();
            let (_, alert) = text.split_once("class=\"alert\"").expect("an alert");
            alert.split("</").next().expect("text").to_owned()
        };
        assert_eq!(told(&wrong), told(&unknown));
        // The page that says so is a form as well.
        let back = submit(&mut browser, &wrong, "alice", PASSWORD);
        assert_eq!(back.status, 303, "{}", back.text());
    });
    assert_eq!(target.count(), 0);
}

#[test]
fn what_a_page_of_the_pool_refuses_has_its_code_in_the_access_log() {
    let target = target::echo();
    let proxy = start(&target);
    let mut browser = proxy.browser(Protocol::Http1);
    let page = sign_in_page(&mut browser, "https://app.test/");
    refused(&mut browser, &page, "ada", "wrong");
    let foreign = "https://login.test/oauth2/authorize?client_id=vestibule&response_type=code&scope=openid\
                   &redirect_uri=https%3A%2F%2Fevil.test%2F&code_challenge=x&code_challenge_method=S256";
    assert_eq!(browser.get(foreign).status, 400);
    assert_eq!(browser.get("https://login.test/nothing").status, 404);
    let reasons: Vec<_> =
        proxy.access_log(6).iter().filter_map(|record| record["reason"].as_str().map(str::to_owned)).collect();
    let missing = browser.get("https://login.test/nothing-else");
    let records = proxy.access_log(7);
    let record = records.iter().find(|record| record["url.path"] == "/nothing-else").expect("a record");
    let id = record["request_id"].as_str().expect("an id");
    assert!(missing.text().contains(&format!("Request <code>{id}</code>")), "{id}: {}", missing.text());
    for code in ["sign_in.wrong_password", "authorize.unknown_redirect_uri", "pool.not_found"] {
        assert!(reasons.iter().any(|reason| reason == code), "{code} in {reasons:?}");
    }
}

#[test]
fn u_a_form_of_another_browser_or_page_signs_nobody_in() {
    let target = target::echo();
    let proxy = start(&target);
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let page = sign_in_page(&mut browser, "https://app.test/");
        let mut other = proxy.browser(protocol);
        let refused = submit(&mut other, &page, "alice", PASSWORD);
        assert!(refused.status == 303 && refused.location().contains("?refused="), "{}", refused.location());
        assert_eq!(refused.set_cookies().iter().filter(|cookie| cookie.contains("sso")).count(), 0);
        let told = other.get(&format!("https://login.test{}", refused.location()));
        assert!(!told.text().contains("name=\"password\""), "{}", told.text());
        // It has no session at the pool: the application still sends it there to sign in.
        assert_eq!(sign_in_page(&mut other, "https://app.test/").status, 200);
        let (_, hidden) = form(&page);
        let mut fields: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (&**name, &**value)).collect();
        fields.extend([("username", "alice"), ("password", PASSWORD)]);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ];
        let refused = browser.send("POST", "https://login.test/sign-in", &headers, body.as_bytes());
        assert!(refused.status == 303 && refused.location().contains("?refused="), "{}", refused.location());
        assert_eq!(refused.set_cookies().iter().filter(|cookie| cookie.contains("sso")).count(), 0);
        assert_eq!(sign_in_page(&mut browser, "https://app.test/").status, 200);
    });
}

#[test]
fn the_pool_and_the_applications_do_not_see_each_others_requests() {
    let target = target::echo();
    let proxy = start(&target);
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol).scripted();
        // The pool's paths are nothing special at the application, nor the application's at the pool.
        assert_eq!(browser.get("https://app.test/oauth2/token").status, 401);
        assert_eq!(browser.get("https://app.test/.well-known/openid-configuration").status, 401);
        assert_eq!(browser.get("https://login.test/reports").status, 404);
        assert_eq!(browser.get("https://login.test/oauth2/idpresponse").status, 404);
    });
    assert_eq!(target.count(), 0);
}

#[test]
fn another_relying_party_uses_the_pool_as_any_provider() {
    let target = target::echo();
    let proxy = start(&target);
    on_both(|protocol| {
        let mut server = Browser::new(protocol, proxy.address());
        server.headers.clear();
        let metadata = server.get("https://login.test/.well-known/openid-configuration").json();
        assert_eq!(metadata["issuer"], "https://login.test");
        let endpoint = |name: &str| metadata[name].as_str().unwrap_or_else(|| panic!("{name}")).to_owned();
        let challenge =
            URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes()));
        let authorize = url::Url::parse_with_params(
            &endpoint("authorization_endpoint"),
            [
                ("response_type", "code"),
                ("client_id", "wiki"),
                ("redirect_uri", CALLBACK),
                ("scope", "openid email offline_access"),
                ("state", "the-state"),
                ("nonce", "the-nonce"),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ],
        )
        .expect("a URL");
        let mut browser = proxy.browser(protocol);
        let page = browser.get(authorize.as_str());
        let back = submit(&mut browser, &page, "Alice", PASSWORD);
        let back = url::Url::parse(back.location()).expect("a URL");
        assert!(back.as_str().starts_with(CALLBACK), "{back}");
        let parameter =
            |name: &str| back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        assert_eq!(parameter("state").as_deref(), Some("the-state"));
        assert_eq!(parameter("iss").as_deref(), Some("https://login.test"));
        let code = parameter("code").expect("a code");

        let basic = format!("Basic {}", STANDARD.encode("wiki:a-secret-of-the-wiki"));
        let mut token = |fields: &[(&str, &str)], authorization: &str| {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", authorization)];
            server.send("POST", &endpoint("token_endpoint"), &headers, body.as_bytes())
        };
        let redeem = [
            ("grant_type", "authorization_code"),
            ("code", &*code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let stranger = format!("Basic {}", STANDARD.encode("wiki:guessed"));
        assert_eq!(token(&redeem, &stranger).status, 401);
        let tokens = token(&redeem, &basic);
        assert_eq!(tokens.status, 200, "{}", tokens.text());
        assert_eq!(tokens.header("cache-control"), Some("no-store"));
        let tokens = tokens.json();

        // The ID token verifies with the published key.
        let id_token = tokens["id_token"].as_str().expect("an ID token").to_owned();
        let keys = proxy.browser(protocol).get(&endpoint("jwks_uri")).json();
        let key: jsonwebtoken::jwk::Jwk = serde_json::from_value(keys["keys"][0].clone()).expect("a key");
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
        validation.set_audience(&["wiki"]);
        validation.set_issuer(&["https://login.test"]);
        validation.validate_exp = false;
        let key = jsonwebtoken::DecodingKey::from_jwk(&key).expect("a key");
        let claims: Value = jsonwebtoken::decode(&id_token, &key, &validation).expect("it verifies").claims;
        assert_eq!((&claims["sub"], &claims["nonce"]), (&"user-1".into(), &"the-nonce".into()));

        let access = format!("Bearer {}", tokens["access_token"].as_str().expect("an access token"));
        let userinfo =
            proxy.browser(protocol).send("GET", &endpoint("userinfo_endpoint"), &[("authorization", &access)], b"");
        assert_eq!(userinfo.json()["email"], "alice@example.com");
        let refused =
            proxy.browser(protocol).send("GET", &endpoint("userinfo_endpoint"), &[("authorization", "Bearer x")], b"");
        assert_eq!(refused.status, 401);

        let first = tokens["refresh_token"].as_str().expect("a refresh token").to_owned();
        let refreshed = token(&[("grant_type", "refresh_token"), ("refresh_token", &first)], &basic);
        assert_eq!(refreshed.status, 200, "{}", refreshed.text());
        let second = refreshed.json()["refresh_token"].as_str().expect("another").to_owned();
        assert_ne!(first, second, "each is used once");
        // The code, a second time: what it brought is revoked.
        let again = token(&redeem, &basic);
        assert_eq!((again.status, &again.json()["error"]), (400, &"invalid_grant".into()));
        let revoked = token(&[("grant_type", "refresh_token"), ("refresh_token", &second)], &basic);
        assert_eq!((revoked.status, &revoked.json()["error"]), (400, &"invalid_grant".into()));

        // Logout: the hint names who and from where; the user goes back to the relying party.
        let logout = url::Url::parse_with_params(
            &endpoint("end_session_endpoint"),
            [
                ("id_token_hint", &*id_token),
                ("post_logout_redirect_uri", "https://wiki.test/bye"),
                ("state", "over"),
                ("client_id", "wiki"),
            ],
        )
        .expect("a URL");
        let out = browser.get(logout.as_str());
        assert_eq!((out.status, out.location()), (303, "https://wiki.test/bye?state=over"), "{}", out.text());
        let page = browser.get(authorize.as_str());
        assert_eq!(page.status, 200, "signed out: the form again");
    });
}

#[test]
fn who_is_signed_in_at_the_pool_is_not_asked_again_by_another_application() {
    let target = target::echo();
    let proxy = start(&target);
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let page = sign_in_page(&mut browser, "https://app.test/");
        let back = submit(&mut browser, &page, "alice", PASSWORD);
        assert_eq!(browser.get(back.location()).status, 302);
        // The application's own session is gone, the pool's is not.
        let login: Vec<(String, String)> = browser
            .cookie_names("login.test")
            .into_iter()
            .map(|name| (name.clone(), browser.cookie("login.test", &name).expect("kept")))
            .collect();
        browser.forget_cookies();
        login.iter().for_each(|(name, value)| browser.set_cookie("login.test", name, value));
        let sent = browser.get("https://app.test/");
        let back = browser.get(sent.location());
        assert_eq!(back.status, 303, "{}", back.text());
        assert_eq!(browser.get(back.location()).status, 302);
        assert_eq!(browser.get("https://app.test/").status, 200);
    });
}

#[test]
fn l_no_password_and_no_code_is_in_the_log() {
    let target = target::echo();
    let mut proxy = start(&target);
    let mut secrets =
        vec![PASSWORD.to_owned(), PASSWORD.replace(' ', "+"), "wrong-horse".into(), "alice@example.com".into()];
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut browser = proxy.browser(protocol);
        let page = sign_in_page(&mut browser, "https://app.test/");
        secrets.extend(form(&page).1.into_iter().map(|(_, value)| value));
        submit(&mut browser, &page, "alice", "wrong-horse");
        let back = submit(&mut browser, &page, "alice", PASSWORD);
        let back = url::Url::parse(back.location()).expect("a URL");
        secrets.extend(back.query_pairs().filter(|(name, _)| name != "iss").map(|(_, value)| value.into_owned()));
        assert_eq!(browser.get(back.as_str()).status, 302);
        for host in ["login.test", "app.test"] {
            secrets.extend(browser.cookie_names(host).iter().filter_map(|name| browser.cookie(host, name)));
        }
    }
    assert!(proxy.shutdown());
    let log = std::fs::read_to_string(proxy.folder().join("access.log")).expect("a log");
    assert!(log.lines().count() >= 10, "{log}");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
}

#[test]
fn max_age_of_authorize_makes_the_pool_ask_for_the_password_again() {
    let target = target::echo();
    let forward = "      - { type: forward, target_group: app }\n";
    let with_max_age =
        configuration(&target).replace(forward, &format!("      - {{ type: authorize, max_age: 1h }}\n{forward}"));
    let proxy = Proxy::start(&with_max_age);
    let mut browser = proxy.browser(Protocol::Http2);
    let page = sign_in_page(&mut browser, "https://app.test/reports?year=2026");
    let back = submit(&mut browser, &page, "alice", PASSWORD);
    browser.get(back.location());
    assert_eq!(browser.get("https://app.test/reports").status, 200);
    proxy.clock.advance(std::time::Duration::from_secs(2 * 3600));
    // The browser is still signed in at the pool. That does not do.
    let page = sign_in_page(&mut browser, "https://app.test/reports?year=2026");
    let back = submit(&mut browser, &page, "alice", PASSWORD);
    let there = browser.get(back.location());
    assert_eq!((there.status, there.location()), (302, "/reports?year=2026"), "{}", there.text());
    assert_eq!(browser.get("https://app.test/reports").status, 200);
}

#[test]
fn a_pool_that_is_called_otherwise_after_a_reload_still_knows_what_has_ended() {
    let target = target::echo();
    let proxy = start(&target);
    let mut browser = proxy.browser(Protocol::Http1);
    let page = sign_in_page(&mut browser, "https://app.test/");
    let back = submit(&mut browser, &page, "alice", PASSWORD);
    browser.get(back.location());
    assert_eq!(browser.get("https://app.test/").status, 200);
    let stolen = browser.clone();
    browser.follow("https://app.test/oauth2/sign_out", "https://app.test/signed-out");
    let is_in = || {
        stolen.clone().follow("https://app.test/", "https://nowhere.test/").1.text().contains("x-amzn-oidc-identity")
    };
    assert!(!is_in(), "the copy of the cookies has ended, at the pool as well");
    let renamed = proxy.yaml().replace("user_pool: people", "user_pool: folk").replace("\n  people:\n", "\n  folk:\n");
    proxy.reload(&renamed).expect("it is reloaded");
    assert!(!is_in(), "and has ended under another name");
}
