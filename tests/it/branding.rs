//! The look of the pages of a pool in a real Chromium, on a domain of its own.

use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::browser::{PASSWORD, application, copy_pictures, run, with_a_pool};
use crate::harness::app::{Proxy, folder};
use crate::harness::browser::Protocol;

const LOGO: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 120 40' width='120' height='40'>\
    <rect width='120' height='40' rx='8' fill='#8a1538'/><text x='60' y='27' font-family='sans-serif' font-size='20' fill='#fff' text-anchor='middle'>Example</text></svg>";

/// Begins as a file for the classic pages of Amazon Cognito.
const CSS: &str = ".submitButton-customizable { font-weight: bold; height: 44px; background-color: #8a1538; }
.submitButton-customizable:hover { background-color: #6d102c; }
.label-customizable { font-weight: 400; }
.inputField-customizable:focus { border-color: #8a1538; outline: 0; }
.background-customizable { border-top: 6px solid #8a1538; box-shadow: 0 8px 24px rgb(0 0 0 / 12%); }
body { background: linear-gradient(160deg, #fdf3f5, #f4f4f1); }
@media (prefers-color-scheme: dark) {
  body { background: linear-gradient(160deg, #2a1018, #141517); }
  .submitButton-customizable { background-color: #ff9db4; color: #2a0a14; }
}
";

#[test]
fn a_pool_has_the_look_of_its_operator_on_a_domain_of_its_own() {
    let target = application();
    let folder = folder();
    std::fs::write(folder.join("logo.svg"), LOGO).expect("written");
    std::fs::write(folder.join("look.css"), CSS).expect("written");
    let look = "    custom_domains: [auth.app.test]
    pages:
      title: Example
      logo: logo.svg
      css: look.css
      colors: { accent: \"#8a1538\" }
      colors_dark: { accent: \"#ff9db4\", on_accent: \"#2a0a14\" }
      links: { terms: 'https://www.example.com/terms', privacy: 'https://www.example.com/privacy', help: help@example.com }
    sso_lifetime: 8h\n";
    let yaml = with_a_pool(&target.address().to_string()).replace("    sso_lifetime: 8h\n", look);
    let proxy = Proxy::start_in(folder, &yaml, Clock::system().now());
    let resolve = ["app.test", "login.test", "auth.app.test"].map(|name| format!("MAP {name} {}", proxy.address()));
    let settings = json!({
        "url": "https://app.test/page?a=1",
        "username": "ada",
        "password": PASSWORD,
        "trust": [proxy.folder().join("cert.pem")],
        "resolve": resolve.join(", "),
        "screenshots": proxy.folder().join("pictures"),
    });
    let seen = run("branding", &settings);
    copy_pictures(&proxy.folder().join("pictures"));
    let (light, dark) = (&seen["light"], &seen["dark"]);
    assert_eq!(light["host"], "auth.app.test", "browsers are sent to the domain of the pool");
    assert_eq!(light["heading"], "Sign in · Example");
    assert_eq!((&light["button"], &dark["button"]), (&json!("rgb(138, 21, 56)"), &json!("rgb(255, 157, 180)")));
    assert_eq!(light["label"], "400", "a class of Cognito's stands for our element");
    assert_eq!(light["outline"], "solid", "the focus is seen, whatever the file says");
    assert_eq!(light["logo"], 120);
    let links: Vec<&str> =
        light["links"].as_array().expect("links").iter().filter_map(|link| link[1].as_str()).collect();
    assert_eq!(links, ["https://www.example.com/terms", "https://www.example.com/privacy", "mailto:help@example.com"]);
    let sheets = seen["sheets"].as_array().expect("stylesheets");
    assert!(!sheets.is_empty() && sheets.iter().all(|sheet| sheet[0] == 200), "{sheets:?}");
    assert!(sheets[0][1].as_str().is_some_and(|url| url.starts_with("https://auth.app.test/style/")), "{sheets:?}");
    assert_eq!(seen["problems"], json!([]));
}

/// The whole sign-in by HTTP, on the domain and on the host of the issuer: the same pool, with cookies of each host.
#[test]
fn a_domain_serves_the_pool_and_shares_no_session_with_the_host_of_the_issuer() {
    let target = application();
    let yaml = with_a_pool(&target.address().to_string())
        .replace("    sso_lifetime: 8h\n", "    sso_lifetime: 8h\n    custom_domains: [auth.app.test]\n");
    let proxy = Proxy::start_in(folder(), &yaml, Clock::system().now());
    let mut browser = proxy.browser(Protocol::Http2);
    let sent = browser.get("https://app.test/").location().to_owned();
    assert!(sent.starts_with("https://auth.app.test/oauth2/authorize?"), "{sent}");
    let page = browser.get(&sent);
    let back = crate::user_pool::submit_at("https://auth.app.test", &mut browser, &page, "ada", PASSWORD);
    let callback = back.location().to_owned();
    assert!(callback.starts_with("https://app.test/oauth2/idpresponse?"), "{callback}");
    assert!(callback.contains("iss=https%3A%2F%2Flogin.test"), "{callback}");
    assert_eq!(browser.get(&callback).status, 302);
    assert!(browser.get("https://app.test/").text().contains("Signed in as"));
    // On the host of the issuer, the same browser is not signed in.
    assert!(browser.get("https://auth.app.test/sign-in").text().contains("You are signed in"));
    assert!(browser.get("https://login.test/sign-in").text().contains("name=\"password\""));
    for host in ["auth.app.test", "login.test"] {
        let metadata: Value =
            serde_json::from_str(browser.get(&format!("https://{host}/.well-known/openid-configuration")).text())
                .expect("JSON");
        assert_eq!(metadata["issuer"], "https://login.test");
    }
    // Another name that the certificate covers is no host of the pool.
    assert!(!browser.get("https://x.app.test/sign-in").text().contains("name=\"password\""));
}
