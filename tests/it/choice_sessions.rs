//! Several providers on one rule: what becomes of sessions, and of tokens.

use std::time::Duration;

use serde_json::json;

use crate::choice::{CORP, Choice, HOST, PAGE, PARTNER, choice, choosing, claims_of, parameter};
use crate::harness::app::Setup;
use crate::harness::browser::{Answer, Browser, join, on_both};
use crate::harness::provider::Provider;
use crate::harness::target;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn s_03_a_session_counts_where_its_provider_is_listed_and_a_new_one_ends_it() {
    let choice = Choice::start();
    on_both(|protocol| {
        let mut browser = choice.signed_in(protocol, PARTNER, &choice.partner);
        let before = browser.clone();
        // Not on the rule of the company, which leads to the company, once.
        let sent = browser.get("https://app.test/corp/x");
        assert!(sent.location().starts_with(&choice.corp.issuer()), "{}", sent.location());
        let back = browser.get(&choice.corp.callback_of(sent.location()));
        assert_eq!(back.location(), "/corp/x");
        assert_eq!(browser.get("https://app.test/corp/x").status, 200, "no loop");
        // On the rule of both, the new session counts, and the former is over (attacks C-18).
        assert_eq!(browser.get(PAGE).status, 200);
        assert_eq!(choice.target.last().header("x-amzn-oidc-identity"), Some("alice"));
        assert_eq!(before.clone().get(PAGE).status, 302, "it was ended");
        // Nor does a script get in with it.
        let mut browser = choice.signed_in(protocol, PARTNER, &choice.partner).scripted();
        assert_eq!(browser.get(PAGE).status, 200);
        assert_eq!(browser.get("https://app.test/corp/x").status, 401);
    });
}

#[test]
fn two_clients_of_one_issuer_are_two_providers() {
    let (corp, target) = (Provider::start(), target::echo());
    let actions = |who: &str| {
        format!("\n      - {{ type: authenticate-oidc, {who} }}\n      - {{ type: forward, target_group: app }}\n")
    };
    let other = format!(
        "  other:\n    issuer: '{}'\n    client_id: other\n    client_secret: another-client-secret\n    title: The other client\n",
        corp.issuer()
    );
    let rule = format!(
        "\n      - name: other\n        priority: 1\n        conditions: [{{ path_pattern: ['/other'] }}]\n        actions:{}",
        actions("provider: other").replace("\n      ", "\n          ")
    );
    let setup = Setup::new(&corp, &target).provider(&other).default_actions(&actions("providers: [corp, other]"));
    let proxy = setup.rules(&rule).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let page = choosing(&mut browser, PAGE);
        let sent = browser.get(&choice(&page, "corp"));
        assert_eq!(parameter(sent.location(), "client_id").as_deref(), Some("dashboard"));
        assert_eq!(browser.get(&corp.callback_of(sent.location())).location(), "/page?a=1");
        assert_eq!(browser.get(PAGE).status, 200);
        let data = claims_of(target.last().header("x-amzn-oidc-data").expect("signed claims"));
        assert_eq!(data["iss"], corp.issuer());
        let before = browser.clone();
        // The session is that of the other client nowhere, although issuer and subject are the same.
        let sent = browser.get("https://app.test/other");
        assert_eq!(parameter(sent.location(), "client_id").as_deref(), Some("other"));
        corp.say(|script| script.id_token = json!({"sub": "alice", "aud": "other"}));
        assert_eq!(browser.get(&corp.callback_of(sent.location())).location(), "/other");
        corp.say(|script| script.id_token = json!({"sub": "alice"}));
        assert_eq!(browser.get("https://app.test/other").status, 200);
        assert_eq!(before.clone().get(PAGE).status, 302, "the former was ended");
    });
}

#[test]
fn everything_after_the_sign_in_is_the_business_of_the_chosen_provider() {
    on_both(|protocol| {
        let choice = Choice::start();
        choice.partner.say(|script| script.token_response = json!({"refresh_token": "of-the-partner"}));
        let mut browser = choice.signed_in(protocol, PARTNER, &choice.partner);
        let calls = |provider: &Provider| provider.requests("/token").len();
        assert_eq!((calls(&choice.corp), calls(&choice.partner)), (0, 1));
        // The refresh.
        choice.proxy.clock.advance(HOUR);
        choice.partner.say(|script| script.now += HOUR.as_secs());
        assert_eq!(browser.get(PAGE).status, 200);
        assert_eq!((calls(&choice.corp), calls(&choice.partner)), (0, 2));
        let asked = choice.partner.requests("/token").pop().expect("a request");
        assert!(asked.body_text().contains("refresh_token=of-the-partner"), "{}", asked.body_text());
        // A newer sign-in.
        let sent = browser.get("https://app.test/fresh");
        assert!(sent.location().starts_with(&choice.partner.issuer()), "{}", sent.location());
        assert_eq!(parameter(sent.location(), "max_age").as_deref(), Some("300"));
        // A refused user can take another account, also of another provider.
        let refused = browser.get("https://app.test/staff");
        assert_eq!((refused.status, refused.reason().as_deref()), (403, Some("auth.not_allowed")));
        assert!(refused.text().contains("partner"), "{}", refused.text());
        let again = browser.get(&refused.link("Ask again for my permissions"));
        assert!(again.location().starts_with(&choice.partner.issuer()), "{}", again.location());
        assert_eq!(parameter(again.location(), "prompt").as_deref(), Some("none"));
        let page = browser.get(&refused.link("Sign in again, or with another account"));
        let sent = browser.get(&self::choice(&page, CORP));
        assert_eq!(parameter(sent.location(), "prompt").as_deref(), Some("login"));
        let back = browser.clone().get(&choice.corp.callback_of(sent.location()));
        assert_eq!(back.location(), "/staff");
        // The sign-out.
        let out = browser.get("https://app.test/oauth2/sign_out");
        assert!(out.location().starts_with(&format!("{}/end-session", choice.partner.issuer())), "{}", out.location());
        assert!(parameter(out.location(), "id_token_hint").is_some());
    });
}

#[test]
fn a_rule_can_demand_a_provider_by_the_claim_iss() {
    let choice = Choice::start();
    on_both(|protocol| {
        let mut browser = choice.signed_in(protocol, PARTNER, &choice.partner);
        choice.partner.say(|script| script.userinfo = Some(json!({"sub": "bob", "groups": ["staff"], "iss": "x"})));
        let refused = browser.get("https://app.test/staff");
        assert_eq!(refused.status, 403, "the groups of the partner are not those of the company");
        let mut browser = choice.signed_in(protocol, CORP, &choice.corp);
        assert_eq!(browser.get("https://app.test/staff").status, 200);
    });
}

#[test]
fn a_browser_that_keeps_no_session_is_told_so_whatever_it_chooses() {
    let choice = Choice::start();
    on_both(|protocol| {
        const ROUNDS: &str = "__Host-vestibule-login-rounds";
        let mut browser = choice.proxy.browser(protocol);
        for _ in 0..3 {
            choice.sign_in(&mut browser, PARTNER, &choice.partner);
            let rounds = browser.cookie(HOST, ROUNDS).expect("a number");
            browser.forget_cookies();
            browser.set_cookie(HOST, ROUNDS, &rounds);
        }
        let told = browser.get(PAGE);
        assert_eq!(told.status, 401, "{}", told.text());
        assert!(told.reason().is_some_and(|reason| reason.starts_with("auth.cookie_")), "{}", told.text());
        // Its link begins with the choice.
        let page = browser.get(&told.link("Sign in"));
        assert!(page.text().contains(CORP), "{}", page.text());
        choice.sign_in_by(&mut browser, &page);
        assert_eq!(browser.get(PAGE).status, 200);
    });
}

impl Choice {
    #[track_caller]
    fn sign_in_by(&self, browser: &mut Browser, page: &Answer) {
        let sent = browser.get(&choice(page, PARTNER));
        assert_eq!(browser.get(&self.partner.callback_of(sent.location())).status, 302);
    }
}

#[test]
fn a_provider_that_is_down_leaves_the_choice_of_the_others() {
    let choice = Choice::start();
    on_both(|protocol| {
        let mut browser = choice.proxy.browser(protocol);
        choice.corp.say(|script| script.metadata = json!({"issuer": "https://other.test"}));
        let page = choosing(&mut browser, PAGE);
        let down = browser.get(&self::choice(&page, CORP));
        assert_eq!(down.status, 503, "{}", down.text());
        choice.sign_in(&mut browser, PARTNER, &choice.partner);
        assert_eq!(browser.get(PAGE).status, 200);
    });
}

#[test]
fn tokens_of_each_provider_are_accepted_and_clients_learn_of_all_issuers() {
    let choice = Choice::start();
    let now = choice.proxy.clock.now().seconds();
    let token = |provider: &Provider, issuer: &str, subject: &str| {
        let claims = json!({"iss": issuer, "sub": subject, "aud": "api", "exp": now + 3600, "iat": now});
        provider.key().sign(&json!({"alg": "ES256", "kid": provider.key().kid, "typ": "at+jwt"}), &claims.to_string())
    };
    on_both(|protocol| {
        let mut client = choice.proxy.browser(protocol).scripted();
        let mut send = |token: &str| {
            client.send("GET", "https://app.test/api", &[("authorization", &format!("Bearer {token}"))], b"")
        };
        for (provider, subject) in [(&choice.corp, "alice"), (&choice.partner, "bob"), (&choice.corp, "alice")] {
            let answer = send(&token(provider, &provider.issuer(), subject));
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(choice.target.last().header("x-amzn-oidc-identity"), Some(subject));
        }
        let count = choice.target.received().len();
        // Who names the issuer of another must have its key (attacks B-04), and one that is not listed is nobody.
        for (provider, issuer) in [
            (&choice.corp, choice.partner.issuer()),
            (&choice.partner, choice.corp.issuer()),
            (&choice.partner, "https://evil.test".to_owned()),
        ] {
            let refused = send(&token(provider, &issuer, "alice"));
            assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("bearer.invalid")));
        }
        assert_eq!(choice.target.received().len(), count);
        let metadata = client.get("https://app.test/.well-known/oauth-protected-resource").json();
        assert_eq!(metadata["authorization_servers"], json!([choice.corp.issuer(), choice.partner.issuer()]));
        // A browser chooses on this rule, too.
        let page = choosing(&mut choice.proxy.browser(protocol), "https://app.test/api");
        assert!(page.text().contains(CORP) && page.text().contains(PARTNER));
    });
}

#[test]
fn an_address_that_is_too_long_to_be_kept_is_signed_in_to_in_another_tab() {
    let choice = Choice::start();
    on_both(|protocol| {
        let mut browser = choice.proxy.browser(protocol);
        // As long as a provider would never accept it in `state`.
        let long = format!("https://app.test/x?q={}", "a".repeat(3000));
        let page = choosing(&mut browser, &long);
        let sent = browser.get(&self::choice(&page, PARTNER));
        assert!(parameter(sent.location(), "state").expect("a state").len() < 1000);
        let back = browser.get(&choice.partner.callback_of(sent.location()));
        assert_eq!(join("https://app.test/", back.location()), long);
        let mut browser = choice.proxy.browser(protocol);
        let longer = format!("https://app.test/x?q={}", "a".repeat(7000));
        let told = browser.get(&longer);
        assert_eq!((told.status, told.reason().as_deref()), (401, Some("auth.address_too_long")));
        assert!(told.text().contains("target=\"_blank\""));
    });
}

#[test]
fn a_sign_in_begins_as_the_rule_of_the_page_says() {
    let choice = Choice::start();
    on_both(|protocol| {
        let asked = |url: &str| {
            let mut browser = choice.proxy.browser(protocol);
            let page = choosing(&mut browser, url);
            let sent = browser.get(&self::choice(&page, PARTNER));
            sent.location().to_owned()
        };
        let as_said = |location: &str| (parameter(location, "prompt"), parameter(location, "max_age"));
        let strict = asked("https://app.test/strict");
        assert_eq!(as_said(&strict), (Some("login".into()), Some("300".into())), "{strict}");
        assert_eq!(as_said(&asked(PAGE)), (None, None));
        // Begun once more, because the cookie of the sign-in did not come back.
        let mut another = choice.proxy.browser(protocol);
        let again = another.get(&choice.partner.callback_of(&strict));
        assert!(again.location().starts_with(&choice.partner.issuer()), "{}", again.location());
        assert_eq!(as_said(again.location()), (Some("login".into()), Some("300".into())), "{}", again.location());
    });
}

/// Anybody gets the ticket of a provider, and can make a link of it.
#[test]
fn c_22_a_link_of_another_site_neither_chooses_nor_takes_a_session() {
    let choice = Choice::start();
    on_both(|protocol| {
        let sent = choice.proxy.browser(protocol).get("https://app.test/page?a=1&idp=partner");
        let ticket = parameter(sent.location(), "state").expect("a ticket");
        let mut browser = choice.signed_in(protocol, CORP, &choice.corp);
        let cross = [("sec-fetch-site", "cross-site")];
        for more in ["", "&prompt=none", "&account=other"] {
            let led =
                browser.send("GET", &format!("https://app.test/oauth2/sign_in?state={ticket}{more}"), &cross, b"");
            assert!(led.location().starts_with("/oauth2/sign_in?state="), "{more}: {}", led.location());
            let page = browser.send("GET", &join(PAGE, led.location()), &cross, b"");
            assert_eq!((page.status, page.set_cookies().len()), (200, 0), "{more}: the user is asked");
            assert!(page.text().contains(CORP) && page.text().contains(PARTNER), "{}", page.text());
        }
        for more in ["&code=x", "&error=login_required"] {
            let at = format!("https://app.test/oauth2/idpresponse/partner?state={ticket}{more}");
            let back = browser.send("GET", &at, &cross, b"");
            assert!(
                !back.header("location").unwrap_or_default().starts_with("http"),
                "{more}: {:?}",
                back.header("location")
            );
        }
        assert_eq!(browser.get(PAGE).status, 200, "the session is still there");
        assert_eq!(choice.target.last().header("x-amzn-oidc-identity"), Some("alice"));
        // A link of our own page leads on.
        let own = [("sec-fetch-site", "same-origin")];
        let led = browser.send("GET", &format!("https://app.test/oauth2/sign_in?state={ticket}"), &own, b"");
        assert!(led.location().starts_with(&choice.partner.issuer()), "{}", led.location());
    });
}
