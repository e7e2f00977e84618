//! `pages`, `custom_domains` and `login_page` of a pool and its clients.

use std::sync::Arc;

use crate::config::tests::{SOUND, files, load_in};
use crate::config::{Config, UserPoolConfig};

const POOL: &str = "user_pools:
  people:
    issuer: https://login.staff.example.com
    signing_key_file: pool-key
    clients:
      - { client_id: wiki, redirect_uris: [https://wiki.example.com/cb], id_token_signed_response_alg: ES256CLIENT }
";

/// The file with this below the pool, and this in its client.
fn load(name: &str, below: &str, client: &str, beside: &[(&str, &str)]) -> Result<Config, String> {
    let directory = files(name);
    for (file, text) in beside {
        std::fs::write(directory.join(file), text).expect("written");
    }
    let text = format!("{SOUND}{POOL}{below}").replace("CLIENT", client);
    load_in(&directory, &text).map_err(|report| report.to_string().replace(&directory.display().to_string(), "DIR"))
}

#[track_caller]
fn sound(name: &str, below: &str, client: &str, beside: &[(&str, &str)]) -> UserPoolConfig {
    load(name, below, client, beside).unwrap_or_else(|report| panic!("{report}")).user_pools.remove(0)
}

#[track_caller]
fn mistakes(name: &str, below: &str, client: &str, beside: &[(&str, &str)], expected: &[&str]) {
    let report = load(name, below, client, beside).expect_err("the file has a mistake");
    for expected in expected {
        assert!(report.contains(expected), "{expected}: {report}");
    }
    assert_eq!(
        report.matches("error: ").count(),
        expected.iter().filter(|text| text.starts_with("error: ")).count(),
        "{report}"
    );
}

#[test]
fn a_client_has_what_its_pool_has_and_a_pool_what_the_file_has() {
    let below = "    pages: { title: Staff, css: staff.css, links: { terms: 'https://example.com/t' } }
pages: { title: Example, colors: { accent: \"#0a6640\" }, links: { help: help@example.com }, color_scheme: light, texts: { de: de.yaml } }
";
    let client = ", pages: { logo: wiki.svg, colors: { surface: \"#fffff0\" }, texts: { de: wiki.yaml } }";
    let beside = [
        ("staff.css", ".submitButton-customizable { color: #fff }\n"),
        ("wiki.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("de.yaml", "sign_in.title: Anmeldung\nsign_in.submit: Los\n"),
        ("wiki.yaml", "sign_in.title: Wiki\n"),
    ];
    let config = load("looks", below, client, &beside).unwrap_or_else(|report| panic!("{report}"));
    let pool = config.user_pools[0].settings.clone();
    let look = pool.brand.pages.expect("the pool has a look");
    assert_eq!((look.title.as_deref(), look.links.help.as_deref()), (Some("Staff"), Some("mailto:help@example.com")));
    let wiki = &pool.brand.clients["wiki"];
    assert_eq!((wiki.title.as_deref(), wiki.links.terms.as_deref()), (Some("Staff"), Some("https://example.com/t")));
    assert_eq!((&wiki.css, wiki.schemes), (&look.css, look.schemes));
    assert!(wiki.css.is_some() && wiki.logo.is_some() && look.logo.is_none());
    let text = |key| wiki.translations[1].find(key).map(str::to_owned);
    assert_eq!(text("sign_in.title").as_deref(), Some("Wiki"));
    assert_eq!(text("sign_in.submit").as_deref(), Some("Los"));
    assert!(Arc::ptr_eq(&config.pages.translations, &look.translations), "what nobody changes is there once");
}

#[test]
fn what_a_stylesheet_may_not_is_told_with_its_line() {
    let css = "h1 { color: red }\n\n@import 'https://evil.test/a.css';\np {\n  position: fixed;\n  background: url(//evil.test);\n}\n";
    let expected = [
        "error: DIR/staff.css:3: `@import` is not possible: put the rules of the other file into this one",
        "error: DIR/staff.css:5: the property `position` cannot be set on our pages",
        "error: DIR/staff.css:6: an address is only possible for a picture inside of this file",
        "= at: user_pools.people.pages.css",
    ];
    mistakes("css", "    pages: { css: staff.css }\n", "", &[("staff.css", css)], &expected);
    mistakes("css-gone", "    pages: { css: gone.css }\n", "", &[], &["error: `DIR/gone.css` cannot be read"]);
    let large = " ".repeat(131_073);
    mistakes(
        "css-large",
        "    pages: { css: a.css }\n",
        "",
        &[("a.css", &large)],
        &["error: `DIR/a.css` cannot be read: it is larger than"],
    );
    mistakes(
        "css-all",
        "pages: { css: a.css }\n",
        "",
        &[("a.css", "")],
        &["error: a stylesheet is only for the pages of a user pool"],
    );
    let links = "    pages: { links: { terms: 'http://example.com', privacy: 'javascript:alert(1)', help: us } }\n";
    let link = |text| format!("error: `{text}` is no address that a page can link to");
    let expected = ["http://example.com", "javascript:alert(1)", "us"].map(link);
    mistakes("links", links, "", &[], &expected.each_ref().map(String::as_str));
}

#[test]
fn a_domain_has_a_certificate_and_nobody_else_uses_it() {
    let pool = sound("domain", "    custom_domains: [APP.example.com]\n", "", &[]).settings;
    let origins: Vec<_> = pool.origins().map(ToString::to_string).collect();
    assert_eq!(origins, ["https://login.staff.example.com/", "https://app.example.com/"]);
    let refused = |name: &str, domains: &str, expected: &[&str]| {
        mistakes(name, &format!("    custom_domains: [{domains}]\n"), "", &[], expected);
    };
    refused("domain-1", "auth.example.com", &["error: no certificate of a listener covers `auth.example.com`"]);
    refused(
        "domain-2",
        "wiki.example.com",
        &["error: the application `https://wiki.example.com` uses `wiki.example.com`"],
    );
    let issuer = "error: the issuer of the pool `people` uses `login.staff.example.com`";
    refused("domain-3", "login.staff.example.com", &[issuer]);
    refused(
        "domain-4",
        "app.example.com, app.example.com",
        &["error: `app.example.com` is already a domain of a pool"],
    );
    for (index, text) in
        ["https://app.example.com", "app.example.com:8443", "app.example.com/a", "192.0.2.1", "'*.example.com'", "\"\""]
            .into_iter()
            .enumerate()
    {
        refused(&format!("domain-no-{index}"), text, &["error: ", "is not a host name"]);
    }
    let applications = "    custom_domains: [app.example.com]\n    applications: [https://app.example.com]\n";
    mistakes("domain-5", applications, "", &[], &["error: the application `https://app.example.com` uses"]);
    let below = "    custom_domains: [app.example.com]\n";
    let directory = files("domain-6");
    let text = format!("{SOUND}{POOL}{below}")
        .replace("CLIENT", "")
        .replace("path_pattern: [\"/api/*\"]", "host_header: [App.example.com]");
    let report = load_in(&directory, &text).expect_err("a rule is for the domain").to_string();
    assert!(report.contains("the rule `api` of the listener `public` uses `app.example.com`"), "{report}");
}

#[test]
fn a_login_page_is_on_a_host_of_the_operator() {
    let below = "    login_page: { url: 'https://www.example.com/login?a=1' }\n";
    let client = ", login_page: { url: 'https://wiki.example.com/login', origins: ['https://wiki.example.com', 'https://www.example.com:8443'] }";
    let brand = sound("login-page", below, client, &[]).settings.brand;
    assert_eq!(brand.login_page.expect("a page").origins, ["https://www.example.com"]);
    assert_eq!(brand.client_login_pages["wiki"].origins, ["https://wiki.example.com", "https://www.example.com:8443"]);
    let refused = |name: &str, page: &str, expected: &[&str]| {
        mistakes(name, &format!("    login_page: {{ {page} }}\n"), "", &[], expected);
    };
    refused("login-page-1", "url: 'http://www.example.com/login'", &["error: "]);
    refused(
        "login-page-2",
        "url: 'https://www.example.com/login#x'",
        &["error: `https://www.example.com/login#x` has a fragment"],
    );
    refused(
        "login-page-3",
        "url: 'https://login.staff.example.com/login'",
        &["error: the pool serves this host itself"],
    );
    let on_domain = "    custom_domains: [app.example.com]\n    login_page: { url: 'https://app.example.com/login' }\n";
    mistakes("login-page-5", on_domain, "", &[], &["error: a `login_page` is on one of these domains"]);
    refused("login-page-4", "url: 'https://a.example', origins: ['https://a.example/', '*']", &["error: ", "error: "]);
}
