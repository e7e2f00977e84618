//! What a person or a program is told when a request is refused.

use crate::harness::app::{ATTACK_RULES, Proxy, START, Setup, folder};
use crate::harness::browser::{Answer, Browser, on_both};
use crate::harness::provider::Provider;
use crate::harness::target;

const HTML: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

fn refuse(browser: &mut Browser, path: &str, accept: &str) -> Answer {
    browser.send("GET", &format!("https://app.test{path}"), &[("accept", accept)], b"")
}

fn proxy() -> (Proxy, Provider) {
    let (provider, target) = (Provider::start(), target::echo());
    (Setup::new(&provider, &target).rules(ATTACK_RULES).start(), provider)
}

#[test]
fn the_form_of_an_answer_is_what_the_client_accepts() {
    let (proxy, _provider) = proxy();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for (accept, content_type) in [
            (HTML, "text/html; charset=utf-8"),
            ("application/json", "application/json"),
            ("application/json, text/plain;q=0.5", "application/json"),
            ("*/*", "text/plain; charset=utf-8"),
            ("text/html;q=0, application/json", "application/json"),
            ("image/png", "text/plain; charset=utf-8"),
        ] {
            let answer = refuse(&mut browser, "/api/x", accept);
            assert_eq!((answer.status, answer.header("content-type")), (401, Some(content_type)), "{accept}");
            assert_eq!(answer.reason().as_deref(), Some("auth.required"), "{accept}");
        }
    });
}

#[test]
fn a_page_for_a_path_that_is_refused_leads_on() {
    let (proxy, _provider) = proxy();
    on_both(|protocol| {
        let answer = refuse(&mut proxy.browser(protocol), "/a%2fb", HTML);
        assert_eq!(answer.reason().as_deref(), Some("request.path_ambiguous"));
        assert!(answer.text().contains("<a class=\"button\" href=\"/\">Go to the front page</a>"), "{}", answer.text());
    });
}

#[test]
fn x_07_every_answer_of_ours_has_the_headers_that_keep_it_where_it_belongs() {
    let (proxy, provider) = proxy();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let login = browser.get("https://app.test/x");
        let finished = browser.get(&provider.callback_of(login.location()));
        let answers = [
            (302, login),
            (302, finished),
            (401, refuse(&mut proxy.browser(protocol), "/api/x", HTML)),
            (401, refuse(&mut proxy.browser(protocol), "/api/x", "application/json")),
            (400, refuse(&mut proxy.browser(protocol), "/a%2fb", HTML)),
            (401, refuse(&mut proxy.browser(protocol), "/oauth2/idpresponse?code=a&state=b", HTML)),
        ];
        for (status, answer) in answers {
            assert_eq!(answer.status, status);
            let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("{name} in {answer:?}"));
            assert!(header("cache-control").contains("no-store"), "{status}");
            assert_eq!(header("x-content-type-options"), "nosniff", "{status}");
            assert_eq!(header("referrer-policy"), "no-referrer", "{status}");
            if status != 302 {
                // A page of ours may stand in a frame of the same origin, so that the user is told what became of the frame.
                let is_page = header("content-type").starts_with("text/html");
                let (frames, ancestors) = if is_page { ("SAMEORIGIN", "'self'") } else { ("DENY", "'none'") };
                assert_eq!(header("x-frame-options"), frames);
                let policy = header("content-security-policy");
                assert!(
                    policy.contains("default-src 'none'") && policy.contains(&format!("frame-ancestors {ancestors}")),
                    "{policy}"
                );
                assert!(!policy.contains("unsafe-inline"), "{policy}");
            }
            assert_eq!(answer.header("server"), None);
        }
    });
}

#[test]
fn a_401_has_a_challenge_that_opens_no_dialog() {
    let (proxy, _provider) = proxy();
    on_both(|protocol| {
        let answer = refuse(&mut proxy.browser(protocol), "/api/x", "application/json");
        let challenge = answer.header("www-authenticate").expect("RFC 9110 §11.6.1");
        assert!(challenge.starts_with("Session ") && challenge.contains("auth.required"), "{challenge}");
    });
}

#[test]
fn the_request_on_the_page_is_the_request_in_the_log() {
    let (proxy, _provider) = proxy();
    let mut ids = Vec::new();
    for protocol in [crate::harness::browser::Protocol::Http1, crate::harness::browser::Protocol::Http2] {
        let mut browser = proxy.browser(protocol);
        ids.push(
            refuse(&mut browser, "/api/1", "application/json").json()["request_id"].as_str().expect("an id").to_owned(),
        );
        let page = refuse(&mut browser, "/api/2", HTML);
        ids.push(
            page.text()
                .split("Request <code>")
                .nth(1)
                .and_then(|rest| rest.split('<').next())
                .expect("an id")
                .to_owned(),
        );
        let text = refuse(&mut browser, "/api/3", "*/*");
        ids.push(text.text().split("request ").nth(1).expect("an id").trim().to_owned());
    }
    let records = proxy.access_log(ids.len());
    for id in ids {
        assert_eq!(records.iter().filter(|record| record["request_id"] == *id).count(), 1, "{id}");
    }
}

#[test]
fn a_person_is_told_where_to_go_on() {
    let (proxy, _provider) = proxy();
    let down = Setup::with_issuer("http://127.0.0.1:1", &[]).start();
    on_both(|protocol| {
        let page = refuse(&mut proxy.browser(protocol), "/oauth2/idpresponse?code=a&state=b", HTML);
        assert!(page.text().contains(r#"href="/">Go to the front page</a>"#), "{}", page.text());
        let page = refuse(&mut down.browser(protocol), "/x", HTML);
        assert_eq!((page.status, page.reason().as_deref()), (503, Some("auth.provider_unavailable")));
        assert!(page.text().contains(r#"href="">Try again</a>"#), "{}", page.text());
        assert!(page.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    });
}

#[test]
fn x_nothing_of_a_request_is_on_a_page() {
    let (proxy, _provider) = proxy();
    on_both(|protocol| {
        for path in [
            "/oauth2/idpresponse?error=%3Cscript%3E&error_description=%3Cscript%3Emarked&state=%3Cscript%3E",
            "/a%2f%3Cscript%3Emarked",
            "/api/%3Cscript%3Emarked",
        ] {
            for accept in [HTML, "application/json", "*/*"] {
                let answer = refuse(&mut proxy.browser(protocol), path, accept);
                assert!(answer.status >= 400);
                assert!(!answer.text().contains("<script") && !answer.text().contains("marked"), "{path}");
            }
        }
    });
}

#[test]
fn pages_wear_the_theme_and_speak_the_language_of_the_visitor() {
    let (provider, target) = (Provider::start(), target::echo());
    let folder = folder();
    std::fs::write(folder.join("de.yaml"), "reason.auth.required.advice: \"Fragen Sie <Ada>.\"\n").expect("written");
    let pages = "pages: { title: \"Example & Sons\", colors: { accent: \"#0a6640\" }, texts: { de: de.yaml } }\n";
    let yaml = format!("{}{pages}", Setup::new(&provider, &target).rules(ATTACK_RULES).yaml());
    let proxy = Proxy::start_in(folder, &yaml, START);
    on_both(|protocol| {
        let ask = |accept: &str, language: &str| {
            let headers = [("accept", accept), ("accept-language", language)];
            proxy.browser(protocol).send("GET", "https://app.test/api/x", &headers, b"")
        };
        let german = ask(HTML, "de-CH, en;q=0.5");
        assert_eq!((german.status, german.header("content-language")), (401, Some("de")));
        for said in [
            "<html lang=\"de\">",
            "Bitte melden Sie sich an",
            "Fragen Sie &#60;Ada&#62;.",
            "Example &#38; Sons",
            "--accent:#0a6640;",
        ] {
            assert!(german.text().contains(said), "{said}: {}", german.text());
        }
        let english = ask(HTML, "fr, ja;q=0.5");
        assert_eq!(english.header("content-language"), Some("en"));
        assert!(english.text().contains("Please sign in"), "{}", english.text());
        let program = ask("application/json", "de");
        assert_eq!(
            (program.json()["message"].as_str(), program.header("content-language")),
            (Some("Please sign in"), None)
        );
    });
}
