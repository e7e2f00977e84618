//! Groups of a user who is in too many for an ID token, from Microsoft Graph.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use serde_json::{Value, json};

use super::scripted::*;
use crate::backchannel::call::Error as CallError;
use crate::identity::has_groups_overage;
use crate::oidc::error::{Blame, Error, GroupsFault};
use crate::oidc::graph::PAGES_MAX;
use crate::oidc::settings::Graph;
use crate::oidc::{Login, RefreshedClaims};

const GRAPH: &str = "/v1.0/me/transitiveMemberOf/microsoft.graph.group";
const NEXT: &str = "/v1.0/next";

fn fixture_of(wanted: &[&str]) -> Fixture {
    let endpoint = format!("https://graph.test{GRAPH}?$select=id&$count=true&$top=999");
    let graph = Graph {
        endpoint: url::Url::parse(&endpoint).expect("a URL"),
        wanted: wanted.iter().map(|&group| group.to_owned()).collect::<BTreeSet<_>>(),
    };
    let fixture = fixture_with(|settings| settings.graph = Some(graph));
    fixture.on(GRAPH, page(&["staff", "sre"], None));
    fixture
}

fn page(groups: &[&str], next: Option<&str>) -> Reply {
    let groups: Vec<_> = groups.iter().map(|id| json!({"@odata.type": "#microsoft.graph.group", "id": id})).collect();
    let mut page = json!({"@odata.context": "x", "@odata.count": 2, "value": groups});
    if let Some(next) = next {
        page["@odata.nextLink"] = json!(next);
    }
    Reply::ok(page)
}

/// A login of a user who is in too many groups.
async fn login(fixture: &Fixture) -> Result<Login, Error> {
    let overage = json!({
        "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": "https://issuer.test/getMemberObjects"}},
    });
    fixture
        .login_with(|claims| {
            claims.as_object_mut().expect("an object").extend(object(overage));
        })
        .await
}

#[tokio::test]
async fn a_12_groups_are_asked_for_with_the_users_token_and_only_those_that_are_wanted_are_kept() {
    let fixture = fixture_of(&["sre", "admin"]);
    let login = login(&fixture).await.expect("signs in");
    let claims = login.identity.claims();
    assert_eq!((&claims["groups"], &claims["_groups_asked"]), (&json!(["sre"]), &json!(["admin", "sre"])));
    assert!(!has_groups_overage(claims) && !claims.contains_key("_claim_sources"), "{claims:?}");
    let calls = fixture.calls(GRAPH);
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].header(header::AUTHORIZATION), Some("Bearer ACCESS-TOKEN"));
    assert_eq!(calls[0].header(HeaderName::from_static("consistencylevel")), Some("eventual"));
    assert!(fixture.calls("/getMemberObjects").is_empty(), "the endpoint of the token is never called");
    let hasgroups = fixture.login_with(|claims| claims["hasgroups"] = json!(true)).await.expect("signs in");
    assert_eq!(hasgroups.identity.claims()["groups"], json!(["sre"]));
}

/// Userinfo may have attributes that users edit, and claims of its own that are elsewhere.
#[tokio::test]
async fn a_12_userinfo_takes_no_mark_of_an_overage_away() {
    for over in [
        json!({"_claim_names": {"address": "src2"}}),
        json!({"_claim_names": {}}),
        json!({"_claim_names": null, "hasgroups": false}),
    ] {
        let fixture = fixture_of(&["sre"]);
        let mut about = object(json!({"sub": "alice"}));
        about.extend(object(over.clone()));
        fixture.on(USERINFO, Reply::ok(Value::Object(about)));
        let login = login(&fixture).await.expect("signs in");
        assert_eq!(login.identity.claims()["groups"], json!(["sre"]), "{over}");
        assert_eq!(fixture.calls(GRAPH).len(), 1, "{over}");
    }
}

#[tokio::test]
async fn nobody_is_asked_where_the_token_has_the_groups_or_no_rule_wants_any() {
    let fixture = fixture_of(&["sre"]);
    let login_with_groups = fixture.login_with(|claims| claims["groups"] = json!(["a", "b"])).await.expect("signs in");
    assert_eq!(login_with_groups.identity.claims()["groups"], json!(["a", "b"]));
    assert!(fixture.calls(GRAPH).is_empty());
    let unwanted = fixture_of(&[]);
    let login = login(&unwanted).await.expect("signs in");
    assert!(unwanted.calls(GRAPH).is_empty() && has_groups_overage(login.identity.claims()));
}

#[tokio::test]
async fn pages_are_followed_on_the_same_origin_until_all_is_known() {
    let fixture = fixture_of(&["sre", "admin"]);
    fixture.on(GRAPH, page(&["sre"], Some("https://graph.test/v1.0/next?$skiptoken=x")));
    fixture.on(NEXT, page(&["staff", "admin"], Some("https://graph.test/v1.0/next?$skiptoken=y")));
    let login = login(&fixture).await.expect("signs in");
    assert_eq!(login.identity.claims()["groups"], json!(["admin", "sre"]));
    assert_eq!(fixture.calls(NEXT).len(), 1, "both are found, so the next page is not needed");
    let next = &fixture.calls(NEXT)[0];
    assert_eq!(next.header(header::AUTHORIZATION), Some("Bearer ACCESS-TOKEN"));
}

#[tokio::test]
async fn o_05_a_page_elsewhere_is_never_called() {
    for next in [
        "https://evil.test/v1.0/next",
        "http://graph.test/v1.0/next",
        "https://graph.test:8443/v1.0/next",
        "https://graph.test.evil.test/v1.0/next",
        "https://graph.test@evil.test/v1.0/next",
        "https://user@graph.test/v1.0/next",
        "//graph.test/v1.0/next",
        "/v1.0/next",
        "file:///v1.0/next",
        "x",
    ] {
        let fixture = fixture_of(&["sre", "admin"]);
        fixture.on(GRAPH, page(&["sre"], Some(next)));
        fixture.on(NEXT, page(&["admin"], None));
        let result = login(&fixture).await;
        assert!(matches!(result, Err(Error::GroupsInvalid(GroupsFault::Elsewhere(_)))), "{next}: {result:?}");
        assert!(fixture.calls(NEXT).is_empty(), "{next}");
    }
}

#[tokio::test]
async fn pages_without_an_end_are_given_up() {
    let fixture = fixture_of(&["admin"]);
    let again = page(&["sre"], Some("https://graph.test/v1.0/next"));
    fixture.on(GRAPH, again.clone());
    fixture.on(NEXT, again);
    let result = login(&fixture).await;
    assert!(matches!(result, Err(Error::GroupsInvalid(GroupsFault::TooMany))), "{result:?}");
    assert_eq!(fixture.calls(NEXT).len(), PAGES_MAX - 1);
}

#[tokio::test]
async fn a_12_a_sign_in_fails_where_the_groups_cannot_be_asked_for() {
    let twice = br#"{"value":[{"id":"a"}],"value":[]}"#;
    let raw = |body: &'static [u8]| Reply::Raw(StatusCode::OK, "application/json", Bytes::from_static(body));
    for reply in [
        Reply::html(),
        Reply::ok(json!({})),
        Reply::ok(json!({"value": null})),
        Reply::ok(json!({"value": {"id": "sre"}})),
        Reply::ok(json!({"value": ["sre"]})),
        Reply::ok(json!({"value": [{"id": "sre"}, {"name": "x"}]})),
        Reply::ok(json!({"value": [{"id": 7}]})),
        Reply::ok(json!({"value": [], "@odata.nextLink": 7})),
        raw(twice),
    ] {
        let fixture = fixture_of(&["sre"]);
        let told = format!("{reply:?}");
        fixture.on(GRAPH, reply);
        let result = login(&fixture).await;
        assert!(matches!(result, Err(Error::GroupsInvalid(GroupsFault::Content(_)))), "{told:.80}: {result:?}");
    }
    for (status, blame) in [
        (204, Blame::Operator),
        (302, Blame::Operator),
        (401, Blame::Grant),
        (403, Blame::Grant),
        (404, Blame::Operator),
        (429, Blame::Provider),
        (503, Blame::Provider),
    ] {
        let fixture = fixture_of(&["sre"]);
        fixture.on(GRAPH, Reply::status(status));
        let error = login(&fixture).await.expect_err("no groups");
        assert!(matches!(error, Error::GroupsRefused { status: found } if found == status), "{error:?}");
        assert_eq!(error.blame(), blame, "{status}");
    }
    let fixture = fixture_of(&["sre"]);
    for reply in [Reply::Refuse, Reply::Hang] {
        fixture.on(GRAPH, reply);
        let error = login(&fixture).await.expect_err("no groups");
        assert!(matches!(error, Error::GroupsUnreachable(_)), "{error:?}");
    }
}

/// The pages of a slow answer have the time of one call together.
#[tokio::test(start_paused = true)]
async fn all_pages_together_have_one_deadline() {
    let fixture = fixture_of(&["admin"]);
    fixture.on(GRAPH, page(&["sre"], Some("https://graph.test/v1.0/next")));
    fixture.on(NEXT, Reply::Hang);
    let result = login(&fixture).await;
    assert!(matches!(result, Err(Error::GroupsUnreachable(CallError::Timeout))), "{result:?}");
}

/// As with userinfo: the new tokens are not lost, and the claims stay as they were.
#[tokio::test]
async fn a_12_a_refresh_asks_anew_and_never_comes_to_no_groups() {
    let fixture = fixture_of(&["sre", "admin"]);
    let token = || {
        let mut claims = good_claims("");
        claims.as_object_mut().expect("an object").remove("nonce");
        claims["hasgroups"] = json!(true);
        let mut answer = token_answer(fixture.sign(&claims));
        answer["access_token"] = json!("NEW-ACCESS-TOKEN");
        Reply::ok(answer)
    };
    let groups = |claims: RefreshedClaims| match claims {
        RefreshedClaims::New(claims) => Some(claims["groups"].clone()),
        RefreshedClaims::NotKnown => None,
    };
    fixture.on(GRAPH, page(&["admin"], None));
    let refreshed = fixture.refresh_answered(token()).await.expect("refreshes");
    assert_eq!(groups(refreshed.claims), Some(json!(["admin"])));
    assert_eq!(fixture.calls(GRAPH)[0].header(header::AUTHORIZATION), Some("Bearer NEW-ACCESS-TOKEN"));
    fixture.on(GRAPH, page(&[], None));
    let refreshed = fixture.refresh_answered(token()).await.expect("refreshes");
    assert_eq!(groups(refreshed.claims), Some(Value::Array(Vec::new())), "taken away");
    for reply in [Reply::Refuse, Reply::status(503), Reply::status(429), Reply::status(404), Reply::ok(json!({}))] {
        fixture.on(GRAPH, reply);
        let refreshed = fixture.refresh_answered(token()).await.expect("refreshes");
        assert_eq!(refreshed.tokens.access_token.expose(), "NEW-ACCESS-TOKEN");
        assert_eq!(groups(refreshed.claims), None);
    }
    // As with userinfo: who may no longer be asked about may have lost every group.
    for status in [401, 403] {
        fixture.on(GRAPH, Reply::status(status));
        let error = fixture.refresh_answered(token()).await.expect_err("refused");
        assert!(matches!(error, Error::GroupsRefused { .. }) && error.is_fatal_for_session(), "{error:?}");
    }
}
