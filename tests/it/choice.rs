//! Several providers on one rule: the user chooses, and everything after that is the business of the chosen one.

use serde_json::{Value, json};

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Answer, Browser, Protocol, join, on_both};
use crate::harness::provider::Provider;
use crate::harness::server::Server;
use crate::harness::target;

pub const PAGE: &str = "https://app.test/page?a=1";
pub const HOST: &str = "app.test";
const CHOSEN: &str = "__Host-vestibule-provider";

/// Two providers, of which everybody chooses, but below `/corp/` and `/partner/`.
pub struct Choice {
    pub corp: Provider,
    pub partner: Provider,
    pub target: Server,
    pub proxy: Proxy,
}

const RULES: &str = "
      - name: corp
        priority: 1
        conditions: [{ path_pattern: ['/corp/*'] }]
        actions:
          - { type: authenticate-oidc, provider: corp }
          - { type: forward, target_group: app }
      - name: fresh
        priority: 2
        conditions: [{ path_pattern: ['/fresh'] }]
        actions:
          - { type: authenticate-oidc, providers: [corp, partner] }
          - { type: authorize, max_age: 5m }
          - { type: forward, target_group: app }
      - name: staff
        priority: 3
        conditions: [{ path_pattern: ['/staff'] }]
        actions:
          - { type: authenticate-oidc, providers: [corp, partner] }
          - { type: authorize, all: [{ claim: iss, equals: ['ISSUER'] }, { claim: groups, contains: [staff] }] }
          - { type: forward, target_group: app }
      - name: api
        priority: 4
        conditions: [{ path_pattern: ['/api'] }]
        actions:
          - { type: session-or-bearer, providers: [corp, partner], bearer: { audience: [api] } }
          - { type: forward, target_group: app }
      - name: strict
        priority: 6
        conditions: [{ path_pattern: ['/strict'] }]
        actions:
          - type: authenticate-oidc
            providers: [corp, partner]
            authentication_request_extra_params: { prompt: login, max_age: '300' }
          - { type: forward, target_group: app }
      - name: denied
        priority: 5
        conditions: [{ path_pattern: ['/denied'] }]
        actions:
          - { type: authenticate-oidc, providers: [corp, partner], on_unauthenticated_request: deny }
          - { type: forward, target_group: app }
";

impl Choice {
    #[track_caller]
    pub fn start() -> Self {
        let (corp, partner, target) = (Provider::start(), Provider::start(), target::echo());
        partner.say(|script| {
            script.id_token = json!({"sub": "bob", "email": "bob@partner.test"});
            script.userinfo = Some(json!({"sub": "bob", "groups": ["staff"]}));
        });
        let setup = Self::setup((&corp, &partner), &target);
        Self { proxy: setup.start(), corp, partner, target }
    }

    fn setup((corp, partner): (&Provider, &Provider), target: &Server) -> Setup {
        let more = format!(
            "    title: The <Company>\n    email_domains: [corp.test]\n  partner:\n    issuer: '{}'\n    client_id: dashboard\n    \
             client_secret: another-client-secret\n    callback_path: /oauth2/idpresponse/partner\n    title: Our partner\n    email_domains: [partner.test]\n",
            partner.issuer()
        );
        let actions = "\n      - { type: authenticate-oidc, providers: [corp, partner] }\n      - { type: forward, target_group: app }\n";
        let rules = RULES.replace("ISSUER", &corp.issuer());
        Setup::new(corp, target).provider(&more).default_actions(actions).rules(&rules)
    }

    /// A browser that has signed in at `provider`, by the page on which users choose.
    #[track_caller]
    pub fn signed_in(&self, protocol: Protocol, title: &str, provider: &Provider) -> Browser {
        let mut browser = self.proxy.browser(protocol);
        self.sign_in(&mut browser, title, provider);
        browser
    }

    #[track_caller]
    pub fn sign_in(&self, browser: &mut Browser, title: &str, provider: &Provider) {
        let page = choosing(browser, PAGE);
        let sent = browser.get(&choice(&page, title));
        assert!(sent.location().starts_with(&provider.issuer()), "{}", sent.location());
        let back = browser.get(&provider.callback_of(sent.location()));
        assert_eq!((back.status, back.header("location")), (302, Some("/page?a=1")), "{}", back.text());
    }
}

/// The page on which users choose, where `url` leads.
#[track_caller]
pub fn choosing(browser: &mut Browser, url: &str) -> Answer {
    let sent = browser.get(url);
    assert_eq!(sent.status, 302, "{}", sent.text());
    assert!(sent.location().starts_with("/oauth2/sign_in?state="), "{}", sent.location());
    assert_eq!(sent.set_cookies(), [""; 0], "no sign-in has begun");
    let page = browser.get(&join(url, sent.location()));
    assert_eq!(page.status, 200, "{}", page.text());
    page
}

/// The address behind a choice.
#[track_caller]
pub fn choice(page: &Answer, title: &str) -> String {
    let text = page.text();
    let (before, _) = text.split_once(&format!("<span>{title}")).unwrap_or_else(|| panic!("{title} in {text}"));
    let (_, href) = before.rsplit_once("href=\"").expect("an address");
    join("https://app.test/", &href.split('"').next().expect("its end").replace("&#38;", "&"))
}

/// The parameter of an address.
pub fn parameter(address: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(address).expect("an address");
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

pub const CORP: &str = "The &#60;Company&#62;";
pub const PARTNER: &str = "Our partner";

#[test]
fn a_user_chooses_where_to_sign_in_and_is_asked_for_it_first_the_next_time() {
    let choice = Choice::start();
    on_both(|protocol| {
        let mut browser = choice.proxy.browser(protocol);
        let page = choosing(&mut browser, PAGE);
        let (corp, partner) = (page.text().find(CORP).expect("corp"), page.text().find(PARTNER).expect("partner"));
        assert!(corp < partner && !page.text().contains("Last used"), "{}", page.text());
        choice.sign_in(&mut browser, PARTNER, &choice.partner);
        assert_eq!(browser.get(PAGE).status, 200);
        let request = choice.target.last();
        assert_eq!(request.header("x-amzn-oidc-identity"), Some("bob"));
        let data = claims_of(request.header("x-amzn-oidc-data").expect("signed claims"));
        assert_eq!(data["iss"], choice.partner.issuer());
        assert_eq!(request.header("cookie"), None, "the last choice is nobody else's business");
        assert_eq!(browser.cookie(HOST, CHOSEN).as_deref(), Some("partner"));

        browser.get("https://app.test/oauth2/sign_out");
        let page = choosing(&mut browser, PAGE);
        let (corp, partner) = (page.text().find(CORP).expect("corp"), page.text().find(PARTNER).expect("partner"));
        assert!(
            partner < corp && page.text().contains("<span>Our partner <small>Last used</small>"),
            "{}",
            page.text()
        );
        // And another one can be chosen.
        choice.sign_in(&mut browser, CORP, &choice.corp);
        assert_eq!(browser.get(PAGE).status, 200);
        assert_eq!(choice.target.last().header("x-amzn-oidc-identity"), Some("alice"));
    });
}

pub fn claims_of(token: &str) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
    let payload = token.split('.').nth(1).expect("a payload");
    let bytes = URL_SAFE.decode(payload).or_else(|_| URL_SAFE_NO_PAD.decode(payload)).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn the_address_of_a_page_can_choose_and_the_application_does_not_learn_of_it() {
    let choice = Choice::start();
    on_both(|protocol| {
        for (address, returns_to) in [
            ("/x?idp=partner", "/x"),
            ("/x?a=1&idp=partner&b=%2F", "/x?a=1&b=%2F"),
            ("/x?idp=other&idp=partner", "/x?idp=other"),
            ("/x?idp=partner&idp=partner", "/x"),
        ] {
            let mut browser = choice.proxy.browser(protocol);
            let sent = browser.get(&format!("https://app.test{address}"));
            assert!(sent.location().starts_with(&choice.partner.issuer()), "{address}: {}", sent.location());
            let back = browser.get(&choice.partner.callback_of(sent.location()));
            assert_eq!(back.location(), returns_to);
        }
        // Where it is not clear, the user is asked, and what the application may know stays.
        for address in ["/x?idp=other", "/x?idp=corp&idp=partner", "/x?idp", "/x?IDP=partner", "/x?xidp=partner"] {
            let mut browser = choice.proxy.browser(protocol);
            let page = choosing(&mut browser, &format!("https://app.test{address}"));
            let sent = browser.get(&self::choice(&page, CORP));
            let back = browser.get(&choice.corp.callback_of(sent.location()));
            assert_eq!(back.location(), address);
        }
        // With a session, nothing is chosen.
        let mut browser = choice.signed_in(protocol, CORP, &choice.corp);
        assert_eq!(browser.get("https://app.test/x?idp=partner").status, 200);
        assert!(choice.target.last().line.contains("/x?idp=partner"), "{}", choice.target.last().line);
    });
}

#[test]
fn an_e_mail_address_chooses_by_its_domain_and_is_a_hint_for_the_provider() {
    let choice = Choice::start();
    on_both(|protocol| {
        let mut browser = choice.proxy.browser(protocol);
        let at = browser.get(PAGE);
        let at = join(PAGE, at.location());
        let sent = browser.get(&format!("{at}&email=+Bob.B%2Bx%40Partner.TEST"));
        // A page leads on: browsers apply `form-action` to redirects.
        assert_eq!(sent.status, 200);
        let (_, next) = sent.text().split_once("content=\"0;url=").expect("it leads on");
        let next = next.split('"').next().expect("its end").replace("&#38;", "&");
        assert!(next.starts_with(&choice.partner.issuer()), "{next}");
        assert_eq!(parameter(&next, "login_hint").as_deref(), Some("Bob.B+x@partner.test"));
        let back = browser.get(&choice.partner.callback_of(&next));
        assert_eq!(back.location(), "/page?a=1");
        assert_eq!(browser.get(PAGE).status, 200);

        let mut browser = choice.proxy.browser(protocol);
        for (typed, says) in [
            ("eve%40evil.test", "No sign-in service is known"),
            ("eve%40sub.partner.test", "No sign-in service is known"),
            ("eve", "Enter a whole e-mail address"),
            ("%22%3E%3Cscript%3E%40partner.test", "Enter a whole e-mail address"),
        ] {
            let page = browser.get(&format!("{at}&email={typed}"));
            assert_eq!(page.status, 200);
            assert!(page.text().contains(says) && page.text().contains("role=\"alert\""), "{}", page.text());
            assert!(!page.text().contains("<script"), "{}", page.text());
            assert!(page.header("content-security-policy").expect("a policy").contains("form-action 'self'"));
            assert_eq!(page.set_cookies(), [""; 0]);
        }
    });
    let log = choice.proxy.access_log(16);
    let text = serde_json::to_string(&log).expect("JSON");
    assert!(!text.contains("partner.test") && !text.contains("evil.test"), "no e-mail address is logged: {text}");
}

#[test]
fn a_request_that_cannot_be_led_away_is_refused_as_with_one_provider() {
    let choice = Choice::start();
    on_both(|protocol| {
        let mut browser = choice.proxy.browser(protocol);
        let fetch = browser.clone().scripted().get(PAGE);
        assert_eq!((fetch.status, fetch.reason().as_deref()), (401, Some("auth.required")));
        let form = browser.post_form(PAGE, &[("a", "1")]);
        assert_eq!((form.status, form.reason().as_deref()), (401, Some("auth.form_not_sent")));
        let frame = browser.send("GET", PAGE, &[("sec-fetch-dest", "iframe")], b"");
        assert_eq!(frame.status, 401);
        let prefetch = browser.send("GET", PAGE, &[("sec-purpose", "prefetch")], b"");
        assert_eq!(prefetch.status, 401);
        assert_eq!([form.set_cookies(), frame.set_cookies(), prefetch.set_cookies()].concat(), [""; 0]);
        // The link of the page leads to the choice, and the choice back to the address.
        let denied = browser.get("https://app.test/denied");
        assert_eq!(denied.status, 401);
        let page = browser.get(&denied.link("Sign in"));
        let sent = browser.get(&self::choice(&page, PARTNER));
        let back = browser.get(&choice.partner.callback_of(sent.location()));
        assert_eq!(back.location(), "/denied");
        assert_eq!(browser.get("https://app.test/denied").status, 200);
    });
}

#[test]
fn d_16_the_page_begins_no_sign_in_and_is_in_no_frame() {
    let choice = Choice::start();
    on_both(|protocol| {
        let mut browser = choice.proxy.browser(protocol);
        let at = join(PAGE, browser.get(PAGE).location());
        let page = browser.get(&at);
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!page.text().contains("<script"));
        let link = self::choice(&page, CORP);
        for (address, name, value) in [
            (&at, "sec-fetch-dest", "iframe"),
            (&link, "sec-fetch-dest", "iframe"),
            (&link, "sec-fetch-mode", "no-cors"),
        ] {
            let refused = browser.send("GET", address, &[(name, value), ("sec-fetch-site", "cross-site")], b"");
            assert_eq!((refused.status, refused.set_cookies().len()), (401, 0), "{value}");
        }
        assert_eq!(browser.send("POST", &link, &[], b"").status, 405);
        assert_eq!(browser.send("GET", &link, &[("sec-purpose", "prefetch")], b"").status, 503);
    });
    assert_eq!(choice.corp.requests("/authorize").len(), 0);
}

#[test]
fn c_07_the_answer_of_one_provider_is_not_taken_for_that_of_another() {
    let choice = Choice::start();
    on_both(|protocol| {
        let mut browser = choice.proxy.browser(protocol);
        let page = choosing(&mut browser, PAGE);
        let (at_corp, at_partner) = (self::choice(&page, CORP), self::choice(&page, PARTNER));
        let corp = choice.corp.callback_of(browser.get(&at_corp).location());
        let partner = choice.partner.callback_of(browser.get(&at_partner).location());
        let before = [&choice.corp, &choice.partner].map(|provider| provider.requests("/token").len());
        // The partner sends the user on to the company, with the state of its own sign-in: the code comes back at the company's path.
        let state = |callback: &str| parameter(callback, "state").expect("a state");
        let swapped = corp.replace(&state(&corp), &state(&partner));
        let refused = browser.clone().get(&swapped);
        assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("auth.state_mismatch")));
        let swapped = partner.replace(&state(&partner), &state(&corp));
        let refused = browser.clone().get(&swapped);
        assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("auth.state_mismatch")));
        let after = [&choice.corp, &choice.partner].map(|provider| provider.requests("/token").len());
        assert_eq!(before, after, "no code goes anywhere");
        // Both are good where they belong, also side by side.
        for (callback, user) in [(&partner, "bob"), (&corp, "alice")] {
            assert_eq!(browser.get(callback).status, 302);
            assert_eq!(browser.get(PAGE).status, 200);
            assert_eq!(choice.target.last().header("x-amzn-oidc-identity"), Some(user));
        }
        // The partner says that it is the company (RFC 9207).
        let mut browser = choice.proxy.browser(protocol);
        let page = choosing(&mut browser, PAGE);
        let partner = choice.partner.callback_of(browser.get(&self::choice(&page, PARTNER)).location());
        let issuer: String = url::form_urlencoded::byte_serialize(choice.corp.issuer().as_bytes()).collect();
        let count = choice.partner.requests("/token").len();
        let refused = browser.get(&format!("{partner}&iss={issuer}"));
        assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("auth.issuer_mismatch")));
        assert_eq!(choice.partner.requests("/token").len(), count);
    });
}

#[test]
fn c_20_nothing_that_anybody_can_write_chooses_another_provider() {
    let choice = Choice::start();
    on_both(|protocol| {
        for name in ["other", "\"><script>alert(1)</script>", "..", "", "PARTNER", "%70artner"] {
            let mut browser = choice.proxy.browser(protocol);
            browser.set_cookie(HOST, CHOSEN, name);
            let page = choosing(&mut browser, PAGE);
            assert!(!page.text().contains("<script") && !page.text().contains("Last used"), "{}", page.text());
            let at = self::choice(&page, CORP);
            let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
            let page = browser.get(&at.replace("idp=corp", &format!("idp={encoded}")));
            assert_eq!((page.status, page.set_cookies().len()), (200, 0), "{name}: the user is asked");
            assert!(page.text().contains(PARTNER) && !page.text().contains("<script"), "{}", page.text());
            for site in ["cross-site", "same-site"] {
                let page = browser.send("GET", &at, &[("sec-fetch-site", site)], b"");
                assert_eq!((page.status, page.set_cookies().len()), (200, 0), "another site chooses for nobody");
            }
            let page = browser.get(&format!("{at}&idp=partner"));
            assert_eq!((page.status, page.set_cookies().len()), (200, 0), "two are none");
        }
        // The page of a rule does not lead to a provider that the rule does not have, and its tickets are of no use elsewhere.
        let mut browser = choice.proxy.browser(protocol);
        let at = self::choice(&choosing(&mut browser, PAGE), CORP);
        let sent = browser.get("https://app.test/corp/x?idp=partner");
        assert!(sent.location().starts_with(&choice.corp.issuer()), "{}", sent.location());
        let ticket = parameter(&at, "state").expect("a ticket");
        for wrong in [ticket.replace(&ticket[10..14], "AAAA"), String::new(), "x".to_owned()] {
            let sent = browser.get(&format!("https://app.test/oauth2/sign_in?state={wrong}&idp=corp"));
            assert_eq!((sent.status, sent.header("location")), (302, Some("/")), "no sign-in without a ticket");
        }
        let elsewhere = browser.get(&at.replace("app.test", "other.test"));
        assert_eq!(elsewhere.header("location"), Some("/"), "attacks C-13: a ticket is for one host");
    });
}

#[test]
fn r_01_who_chooses_in_the_address_stays_at_the_host() {
    let choice = Choice::start();
    on_both(|protocol| {
        for path in ["//evil.test/", "/\\evil.test/", "/%5Cevil.test", "/.//evil.test", "/%09/evil.test"] {
            let mut browser = choice.proxy.browser(protocol);
            let Ok(sent) = browser.try_send("GET", &format!("https://app.test{path}?idp=partner"), &[], b"") else {
                continue;
            };
            if sent.status != 302 {
                assert_eq!(sent.status, 400, "{path}");
                continue;
            }
            let back = browser.get(&choice.partner.callback_of(sent.location()));
            let to = join("https://app.test/", back.location());
            assert!(to.starts_with("https://app.test/"), "{path}: {to}");
        }
    });
}
