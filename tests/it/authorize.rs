//! `authorize`: who is let in among those who are signed in.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::app::{Setup, wait_until};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::provider::Provider;
use crate::harness::scenario::{PAGE, Scenario};
use crate::harness::server::Reply;
use crate::harness::target;

/// A proxy whose default actions sign users in at `corp`, then run `authorize` with these keys.
fn scenario(authorize: &str) -> Scenario {
    with_actions("", &format!("      - {{ type: authorize, {authorize} }}\n"))
}

/// A proxy whose default actions sign users in at `corp` with these keys, then run `gates`.
fn with_actions(keys: &str, gates: &str) -> Scenario {
    let actions = format!(
        "\n      - {{ type: authenticate-oidc, provider: corp, scope: openid profile email, session_timeout: 8h{keys} }}\n\
         {gates}\x20     - {{ type: forward, target_group: app }}\n"
    );
    Scenario::start(|setup| setup.default_actions(&actions))
}

const GROUPS: &str = "any: [{ claim: groups, contains: [platform, sre] }]";

#[test]
fn a_01_only_users_whose_claims_meet_the_requirement_reach_the_target() {
    let scenario = scenario(GROUPS);
    on_both(|protocol| {
        let mut member = scenario.signed_in_as(protocol, &json!({"groups": ["staff", "sre"]}));
        assert_eq!(member.get(PAGE).status, 200);
        let reached = scenario.target.count();
        for claims in [
            json!({"groups": ["staff"]}),
            json!({"groups": "platform,sre"}),
            json!({"groups": ["SRE"]}),
            json!({"groups": {"sre": true}}),
            json!({"groups": null}),
            json!({}),
        ] {
            let mut other = scenario.signed_in_as(protocol, &claims);
            for _ in 0..2 {
                let answer = other.get(PAGE);
                assert_eq!((answer.status, answer.reason().as_deref()), (403, Some("auth.not_allowed")), "{claims}");
            }
            let answer = other.send("POST", PAGE, &[("origin", "https://app.test")], b"x=1");
            assert_eq!(answer.status, 403, "{claims}");
        }
        assert_eq!(scenario.target.count(), reached, "nothing of it reached the target");
        // Who is not signed in is sent to the provider, as without `authorize`.
        assert_eq!(scenario.proxy.browser(protocol).get(PAGE).status, 302);
    });
    let record = scenario.proxy.access_log(1).pop().expect("a record");
    assert!(record.to_string().contains("authenticate"), "{record}");
}

#[test]
fn the_page_says_who_is_signed_in_and_how_to_go_on() {
    let scenario = scenario(&format!("{GROUPS}, contact: \"it@example.com <IT>\""));
    let mut browser =
        scenario.signed_in_as(Protocol::Http2, &json!({"groups": ["x"], "preferred_username": "ada & <co>"}));
    let page = browser.get(PAGE);
    let text = page.text();
    assert!(
        text.contains("You are signed in as <strong>ada &#38; &#60;co&#62;</strong> with <strong>corp</strong>."),
        "{text}"
    );
    assert!(text.contains("Ask for access: it@example.com &#60;IT&#62;"), "{text}");
    assert!(!text.contains("platform"), "what is required is told with `reveal` only: {text}");
    let link = page.link("Sign in again, or with another account");
    // Another account of the same person has access, and the page that was asked for is not lost.
    scenario.set_claims(&json!({"groups": ["sre"]}));
    let asked = browser.get(&link);
    assert!(asked.location().contains("prompt=login"), "{}", asked.location());
    let landed = browser.get(&scenario.provider.callback_of(asked.location()));
    assert_eq!(landed.location(), "/page?a=1");
    assert_eq!(browser.get(PAGE).status, 200);
}

#[test]
fn a_script_is_told_in_json() {
    let scenario = scenario(&format!("{GROUPS}, reveal: true, contact: it@example.com"));
    let mut browser = scenario
        .signed_in_as(Protocol::Http1, &json!({"groups": ["x"], "preferred_username": "Ada \"</script>\u{7}"}))
        .scripted();
    let answer = browser.get(PAGE);
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let mut said = answer.json();
    let sign_in = said["sign_in"].as_str().expect("an address").to_owned();
    assert!(sign_in.starts_with("https://app.test/oauth2/sign_in?"), "{sign_in}");
    let asked = scenario.proxy.browser(Protocol::Http1).get(&sign_in);
    assert!(asked.location().contains("prompt=login"), "another account can be chosen there: {}", asked.location());
    let ask_again = said["ask_again"].as_str().expect("an address").to_owned();
    let asked = scenario.proxy.browser(Protocol::Http1).get(&ask_again);
    assert!(asked.location().contains("prompt=none"), "the provider shows nothing there: {}", asked.location());
    for random in ["request_id", "sign_in", "ask_again"] {
        assert!(said.as_object_mut().expect("an object").remove(random).is_some());
    }
    let expected = json!({
        "error": "auth.not_allowed",
        "status": 403,
        "message": "You do not have access",
        "advice": "You are signed in, but your account may not open this page. If you were given access just now, ask again for your permissions, or sign in again.",
        "signed_in_as": "Ada \"</script>\u{7}",
        "provider": "corp",
        "required": "groups contains \"platform\" or \"sre\"",
        "contact": "it@example.com",
    });
    assert_eq!(said, expected);
}

#[test]
fn a_script_without_a_session_is_told_where_to_sign_in() {
    let scenario = scenario(GROUPS);
    let mut browser = scenario.proxy.browser(Protocol::Http1).scripted();
    let answer = browser.get(PAGE);
    assert_eq!((answer.status, answer.json()["error"].as_str()), (401, Some("auth.required")));
    let sign_in = answer.json()["sign_in"].as_str().expect("an address").to_owned();
    assert!(sign_in.starts_with("https://app.test/oauth2/sign_in?"), "{sign_in}");
    let sent = scenario.proxy.browser(Protocol::Http1).get(&sign_in);
    assert_eq!(sent.status, 302, "{}", sent.text());
    let prefetch = browser.send("GET", PAGE, &[("sec-purpose", "prefetch"), ("accept", "application/json")], b"");
    assert!(!prefetch.text().contains("sign_in?"), "{}", prefetch.text());
}

#[test]
fn reveal_says_what_is_required() {
    let scenario = scenario(
        "all: [{ claim: email, domain: [example.com] }, { not: { claim: groups, contains: [contractors] } }], reveal: true",
    );
    let mut browser = scenario.signed_in_as(Protocol::Http1, &json!({"email": "eve@example.com", "groups": []}));
    let page = browser.get(PAGE);
    assert_eq!(page.status, 403, "the address is not verified");
    let required = "Required: email is a verified address at &#34;example.com&#34; and not (groups contains &#34;contractors&#34;).";
    assert!(page.text().contains(required), "{}", page.text());
    let page = browser.send("GET", PAGE, &[("accept", "text/html"), ("accept-language", "de")], b"");
    let required = "Erforderlich: email ist eine best\u{e4}tigte Adresse bei \u{201e}example.com\u{201c} und nicht (groups enth\u{e4}lt \u{201e}contractors\u{201c}).";
    assert!(page.text().contains(required), "{}", page.text());
    let claims = json!({"email": "eve@example.com", "email_verified": true, "groups": []});
    assert_eq!(scenario.signed_in_as(Protocol::Http1, &claims).get(PAGE).status, 200);
}

#[test]
fn a_06_new_claims_of_a_refresh_are_asked_anew() {
    let scenario = scenario(GROUPS);
    scenario.provider.say(|script| script.token_response = json!({"refresh_token": "refresh-1"}));
    let mut browser = scenario.signed_in_as(Protocol::Http1, &json!({"groups": ["sre"]}));
    assert_eq!(browser.get(PAGE).status, 200);
    for (groups, expected) in [(json!(["staff"]), 403), (json!(["platform"]), 200)] {
        scenario.set_claims(&json!({ "groups": groups }));
        scenario.proxy.clock.advance(Duration::from_secs(3600));
        scenario.provider.say(|script| script.now = scenario.proxy.clock.now().seconds());
        assert_eq!(browser.get(PAGE).status, expected, "{groups}");
    }
}

#[test]
fn a_06_a_refresh_that_takes_a_group_away_ends_what_is_open() {
    let scenario = scenario(GROUPS);
    scenario.provider.say(|script| script.token_response = json!({"refresh_token": "refresh-1"}));
    let browser = scenario.signed_in_as(Protocol::Http1, &json!({"groups": ["sre"]}));
    let mut streams = target::streams(&scenario.target, &scenario.proxy, &browser);
    // A refresh that takes no group away ends nothing: the second one does.
    for (turn, groups) in [(1, json!(["platform"])), (2, json!(["staff"]))] {
        scenario.set_claims(&json!({ "groups": groups }));
        scenario.proxy.clock.advance(Duration::from_secs(3600));
        scenario.provider.say(|script| script.now = scenario.proxy.clock.now().seconds());
        let renewed = "vestibule_refreshes_total{provider=\"corp\",outcome=\"renewed\"}";
        wait_until("the tokens are renewed", || (scenario.proxy.metric(renewed) == turn).then_some(()));
    }
    for stream in &mut streams {
        stream.read_to_end();
    }
    let of_events = || scenario.proxy.access_log(1).into_iter().find(|record| record["url.path"] == "/events");
    let events = wait_until("its end is recorded", of_events);
    assert_eq!((&events["http.response.status_code"], &events["reason"]), (&json!(200), &json!("auth.not_allowed")));
}

#[test]
fn a_report_lets_everybody_in_and_counts_who_would_not_be() {
    let scenario = scenario(&format!("{GROUPS}, mode: report"));
    let mut browser = scenario.signed_in_as(Protocol::Http1, &json!({"groups": ["x"]}));
    assert_eq!(browser.get(PAGE).status, 200);
    assert_eq!(browser.get(PAGE).status, 200);
    let decided = |outcome: &str| {
        let series = format!(
            "vestibule_authorization_decisions_total{{listener=\"public\",rule=\"default\",outcome=\"{outcome}\"}}"
        );
        scenario.proxy.metric(&series)
    };
    assert!((1..=2).contains(&decided("reported")), "once in each worker");
    assert_eq!((decided("allowed"), decided("refused")), (0, 0));
}

#[test]
fn a_10_allowed_users_are_asked_for_as_by_authorize() {
    let keys = ", allowed_groups: [sre], groups_claim: realm_access.roles, allowed_emails: [eve@partner.test], allowed_email_domains: [example.com]";
    let scenario = with_actions(keys, "");
    let user = |roles: Value, email: &str, verified: bool| json!({"realm_access": {"roles": roles}, "email": email, "email_verified": verified});
    on_both(|protocol| {
        for (claims, status) in [
            (user(json!(["sre"]), "ada@Example.com", true), 200),
            (user(json!(["sre"]), "Eve@partner.test", true), 200),
            (user(json!(["sre"]), "ada@example.com", false), 403),
            (user(json!(["sre"]), "bob@partner.test", true), 403),
            (user(json!(["staff"]), "ada@example.com", true), 403),
            (user(json!("staff,sre"), "eve@partner.test", true), 403),
            (json!({"groups": ["sre"], "email": "ada@example.com", "email_verified": true}), 403),
        ] {
            let answer = scenario.signed_in_as(protocol, &claims).get(PAGE);
            assert_eq!(answer.status, status, "{claims}");
            assert_eq!(answer.reason().as_deref(), (status == 403).then_some("auth.not_allowed"), "{claims}");
        }
    });
    let series = "vestibule_authorization_decisions_total{listener=\"public\",rule=\"default\",outcome=\"refused\"}";
    assert!(scenario.proxy.metric(series) > 0);
}

#[test]
fn a_12_groups_that_entra_does_not_send_refuse_with_a_reason_of_their_own() {
    let scenario = scenario("any: [{ claim: groups, contains: [sre] }, { claim: roles, contains: [admin] }]");
    let elsewhere = Provider::start();
    let sources = json!({"src1": {"endpoint": format!("{}/getMemberObjects", elsewhere.issuer())}});
    on_both(|protocol| {
        for overage in [
            json!({"_claim_names": {"groups": "src1"}, "_claim_sources": sources}),
            json!({"hasgroups": true, "groups": ["sre"]}),
        ] {
            let mut browser = scenario.signed_in_as(protocol, &overage);
            let page = browser.get(PAGE);
            assert_eq!((page.status, page.reason().as_deref()), (403, Some("auth.groups_overage")), "{overage}");
            assert!(
                page.text()
                    .contains("You are signed in as <strong>alice@example.com</strong> with <strong>corp</strong>."),
                "{}",
                page.text()
            );
            assert!(!page.text().contains("Ask again for my permissions"), "it could not help: {}", page.text());
            let answer = browser.scripted().get(PAGE);
            assert_eq!((answer.status, answer.json()["error"].as_str()), (403, Some("auth.groups_overage")));
            assert_eq!(answer.json().get("ask_again"), None);
            let mut admin = overage;
            admin["roles"] = json!(["admin"]);
            assert_eq!(scenario.signed_in_as(protocol, &admin).get(PAGE).status, 200);
        }
    });
    assert!(elsewhere.requests("/getMemberObjects").is_empty(), "the endpoint of the token is never called");
    assert_eq!(scenario.target.received().iter().filter(|request| request.target() == "/page?a=1").count(), 4);
}

#[test]
fn a_13_groups_that_entra_does_not_send_are_asked_of_microsoft_graph() {
    const GRAPH: &str = "/v1.0/me/transitiveMemberOf/microsoft.graph.group";
    let actions = "\n      - { type: authenticate-oidc, provider: corp, scope: openid User.Read, allowed_groups: [sre, admin] }\n      \
                   - { type: forward, target_group: app }\n";
    let (provider, target) = (Provider::start(), target::echo());
    let keys = format!("    entra_groups: graph\n    graph_endpoint: {}/v1.0\n", provider.issuer());
    let proxy = Setup::new(&provider, &target).provider(&keys).default_actions(actions).start();
    let scenario = Scenario { provider, target, proxy };
    let overage = json!({"hasgroups": true});
    let graph = |reply: fn() -> Reply| {
        scenario.provider.say(|script| {
            script.token_response = json!({"refresh_token": "refresh-1"});
            script.instead = Some(Arc::new(move |request| request.target().starts_with(GRAPH).then(reply)));
        });
    };
    graph(|| Reply::json(&json!({"value": [{"id": "other"}, {"id": "sre"}]})));
    let mut member = scenario.signed_in_as(Protocol::Http2, &overage);
    assert_eq!(member.get(PAGE).status, 200);
    let asked = scenario.provider.requests(GRAPH);
    assert_eq!(asked.len(), 1);
    assert!(asked[0].header("authorization").is_some_and(|token| token.starts_with("Bearer access-token-")));
    let userinfo = member.get("https://app.test/oauth2/userinfo").json();
    assert_eq!((&userinfo["groups"], &userinfo["hasgroups"]), (&json!(["sre"]), &Value::Null));

    // A refresh that cannot ask leaves the groups as they were; one that can takes them away.
    let mut refreshed = |reply: fn() -> Reply| {
        graph(reply);
        scenario.proxy.clock.advance(Duration::from_secs(3600));
        scenario.provider.say(|script| script.now = scenario.proxy.clock.now().seconds());
        member.get(PAGE)
    };
    assert_eq!(refreshed(|| Reply::new("503 Service Unavailable", &[], "")).status, 200);
    let taken = refreshed(|| Reply::json(&json!({"value": [{"id": "other"}]})));
    assert_eq!((taken.status, taken.reason().as_deref()), (403, Some("auth.not_allowed")));
    assert_eq!(refreshed(|| Reply::json(&json!({"value": [{"id": "sre"}]}))).status, 200);
    // A refresh that is refused ends the session, as a refusal of userinfo does: the groups of yesterday prove nothing.
    let ended = refreshed(|| Reply::new("403 Forbidden", &[], ""));
    assert_eq!(ended.status, 302);
    assert!(ended.header("location").is_some_and(|to| to.starts_with(&scenario.provider.issuer())), "{ended:?}");

    // A sign-in that cannot ask fails, and the target sees nothing of it.
    let reached = scenario.target.count();
    for reply in [
        (|| Reply::new("403 Forbidden", &[], r#"{"error": {"code": "Authorization_RequestDenied"}}"#)) as fn() -> Reply,
        || Reply::json(&json!({"value": [{"id": "x"}], "@odata.nextLink": "http://127.0.0.1:1/v1.0/next"})),
    ] {
        graph(reply);
        scenario.set_claims(&overage);
        let mut browser = scenario.proxy.browser(Protocol::Http1);
        let answer = scenario.provider.try_sign_in(&mut browser, PAGE);
        assert_eq!((answer.status, answer.reason().as_deref()), (500, Some("auth.groups_unavailable")));
        assert_eq!(browser.get(PAGE).status, 302, "nobody is signed in");
    }
    assert_eq!(scenario.target.count(), reached);
}

/// The ID token and userinfo are merged, and userinfo wins. What differs must not open a door.
#[test]
fn a_14_claims_that_differ_between_the_id_token_and_userinfo() {
    let scenario = with_actions(", allowed_groups: [sre], allowed_email_domains: [example.com]", "");
    let answer = |id_token: Value, userinfo: Value| {
        scenario.provider.say(|script| (script.id_token, script.userinfo) = (id_token, Some(userinfo)));
        let mut browser = scenario.proxy.browser(Protocol::Http1);
        let back = scenario.provider.try_sign_in(&mut browser, PAGE);
        if back.status == 302 { browser.get(PAGE) } else { back }
    };
    let (ours, theirs) = ("ada@example.com", "ada@evil.test");
    let member = json!({"sub": "alice", "groups": ["sre"], "email": ours, "email_verified": true});
    assert_eq!(answer(member.clone(), json!({"sub": "alice"})).status, 200);
    for (id_token, userinfo, reason) in [
        (member.clone(), json!({"sub": "alice", "groups": ["staff"]}), "auth.not_allowed"),
        (member.clone(), json!({"sub": "alice", "groups": null}), "auth.not_allowed"),
        (member.clone(), json!({"sub": "alice", "email": theirs}), "auth.not_allowed"),
        (member.clone(), json!({"sub": "alice", "email_verified": false, "email": ours}), "auth.not_allowed"),
        (
            json!({"sub": "alice", "groups": ["sre"], "email": theirs, "email_verified": true}),
            json!({"sub": "alice", "email": ours}),
            "auth.not_allowed",
        ),
        (
            json!({"sub": "alice", "groups": ["sre"], "email": ours}),
            json!({"sub": "alice", "email_verified": true}),
            "auth.not_allowed",
        ),
        (json!({"sub": "eve"}), member.clone(), "auth.subject_mismatch"),
        (member.clone(), json!({"sub": "Alice", "groups": ["sre"]}), "auth.subject_mismatch"),
    ] {
        let refused = answer(id_token.clone(), userinfo.clone());
        assert_eq!(refused.reason().as_deref(), Some(reason), "{id_token} and {userinfo}");
    }
    assert_eq!(scenario.target.count(), 1);
}
