//! The paths of the sign-in are taken where a rule authenticates, and nowhere else.

use crate::harness::app::Setup;
use crate::harness::browser::{Browser, Protocol, on_both};
use crate::harness::provider::Provider;
use crate::harness::target;

const PATHS: [&str; 4] =
    ["/oauth2/idpresponse?code=a&state=b", "/oauth2/sign_out", "/oauth2/userinfo", "/.well-known/vestibule/jwks.json"];

/// Hosts that nobody signs in to, in front of the catch-all that does.
const HOSTS: &str = "
      - name: provider
        priority: 1
        conditions: [{ host_header: [login.test] }]
        actions: [{ type: forward, target_group: app }]
      - name: assets
        priority: 2
        conditions: [{ host_header: ['*.app.test'] }, { path_pattern: ['/*'] }]
        actions: [{ type: forward, target_group: app }]
      - name: half-open
        priority: 3
        conditions: [{ host_header: [other.test] }, { path_pattern: ['/public/*'] }]
        actions: [{ type: forward, target_group: app }]
      - name: too-late
        priority: 4
        conditions: [{ host_header: [login.test] }]
        actions:
          - { type: authenticate-oidc, provider: corp, scope: openid profile email, session_timeout: 8h }
          - { type: forward, target_group: app }
";

#[track_caller]
fn goes_to_the_target(target: &crate::harness::server::Server, browser: &mut Browser, url: &str) {
    let answer = browser.get(url);
    let path = &url[url.find(".test/").expect("a host") + 5..];
    assert_eq!((answer.status, target.last().target()), (200, path), "{url}");
}

#[test]
fn a_provider_behind_the_same_listener_keeps_its_paths() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).rules(HOSTS).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for path in PATHS {
            for host in ["login.test", "a.app.test"] {
                goes_to_the_target(&target, &mut browser, &format!("https://{host}{path}"));
            }
            // A rule that takes only some paths leaves the rest to the one that authenticates.
            let count = target.count();
            for host in ["app.test", "other.test"] {
                browser.get(&format!("https://{host}{path}"));
            }
            assert_eq!(target.count(), count, "{path} is ours there");
        }
    });
    assert_eq!(provider.sign_in(&mut proxy.browser(Protocol::Http2), "https://other.test/x").status, 200);
}

#[test]
fn where_only_some_hosts_authenticate_the_others_keep_their_paths() {
    let (provider, target) = (Provider::start(), target::echo());
    let rules = "
      - name: admin
        priority: 1
        conditions: [{ host_header: [other.test, '*.app.test'] }, { path_pattern: ['/private/*'] }]
        actions:
          - { type: authenticate-oidc, provider: corp }
          - { type: forward, target_group: app }";
    let open = " [{ type: forward, target_group: app }]";
    let proxy = Setup::new(&provider, &target).rules(rules).default_actions(open).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for path in PATHS {
            goes_to_the_target(&target, &mut browser, &format!("https://login.test{path}"));
        }
        let count = target.count();
        for host in ["other.test", "x.app.test"] {
            assert_eq!(browser.get(&format!("https://{host}/oauth2/userinfo")).status, 401, "{host}");
        }
        assert_eq!(target.count(), count);
    });
}

#[test]
fn the_paths_of_the_sign_in_can_begin_with_something_else() {
    let (provider, target) = (Provider::start(), target::echo());
    let rest = "
claims: { signer: 'arn:vestibule:test', signing_key_file: claims-key.pem }
session: { key_files: [session-key], path_prefix: /sso/front }
";
    let proxy = Setup::new(&provider, &target).rest(rest).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let sent = browser.get("https://app.test/page");
        assert!(sent.location().contains("redirect_uri=https%3A%2F%2Fapp.test%2Fsso%2Ffront%2Fidpresponse"));
        assert_eq!(browser.get(&provider.callback_of(sent.location())).location(), "/page");
        assert_eq!(browser.get("https://app.test/sso/front/userinfo").json()["sub"], "alice");
        for path in PATHS.iter().filter(|path| path.starts_with("/oauth2")) {
            goes_to_the_target(&target, &mut browser, &format!("https://app.test{path}"));
        }
        let out = browser.get("https://app.test/sso/front/sign_out");
        assert!(out.location().contains("post_logout_redirect_uri=https%3A%2F%2Fapp.test%2Fsso%2Ffront%2Fsign_out"));
    });
}
