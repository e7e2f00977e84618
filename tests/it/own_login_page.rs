//! A sign-in page of the operator's own, which is the example of the documentation, in a real Chromium and on another site than the pool.

use serde_json::json;
use vestibule::clock::Clock;

use crate::browser::{PASSWORD, application, copy_pictures, run, with_a_pool};
use crate::harness::app::{Proxy, folder};

const PAGE: &str = include_str!("../../docs/login-page.html");

#[test]
fn a_user_signs_in_on_the_page_of_the_documentation() {
    let target = application();
    let folder = folder();
    let site = folder.join("site");
    std::fs::create_dir(&site).expect("made");
    let page = PAGE.replace("https://login.example.com", "https://login.test");
    assert_ne!(page, PAGE, "the example names the pool");
    std::fs::write(site.join("login.html"), page).expect("written");
    let rule = "
    rules:
      - name: www
        priority: 1
        conditions: [{ host_header: [other.test] }]
        actions: [{ type: static, directory: site }]
    default_actions:";
    let yaml = with_a_pool(&target.address().to_string()).replace("\n    default_actions:", rule).replace(
        "    sso_lifetime: 8h\n",
        "    sso_lifetime: 8h\n    login_page: { url: 'https://other.test/login.html' }\n",
    );
    let proxy = Proxy::start_in(folder, &yaml, Clock::system().now());
    let resolve = ["app.test", "login.test", "other.test"].map(|name| format!("MAP {name} {}", proxy.address()));
    let settings = json!({
        "url": "https://app.test/page?a=1",
        "username": "ada",
        "password": PASSWORD,
        "trust": [proxy.folder().join("cert.pem")],
        "resolve": resolve.join(", "),
        "screenshots": proxy.folder().join("pictures"),
    });
    let seen = run("own-login-page", &settings);
    copy_pictures(&proxy.folder().join("pictures"));
    assert_eq!(seen["at"], "https://other.test/login.html", "the handle is out of the address bar");
    assert_eq!(seen["told"], "Incorrect user name or password.");
    assert_eq!(seen["landed"], "https://app.test/page?a=1");
    assert_eq!(seen["ours"], "https://login.test/sign-in/continue");
    let cookies = seen["cookies"].as_array().expect("cookies");
    assert!(cookies.contains(&json!("login.test __Host-vestibule-pool")), "{cookies:?}");
    assert!(
        cookies.iter().all(|cookie| !cookie.as_str().is_some_and(|name| name.starts_with("other.test"))),
        "{cookies:?}"
    );
    // A wrong password is a 401 that the browser mentions in its console, and nothing else is.
    let problems = seen["problems"].as_array().expect("problems");
    assert!(problems.iter().all(|problem| problem.as_str().is_some_and(|text| text.contains("401"))), "{problems:?}");
    // The handle, the password and the ticket are in no log.
    let log = std::fs::read_to_string(proxy.folder().join("access.log")).expect("a log");
    for secret in ["handle", "ticket", PASSWORD] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
