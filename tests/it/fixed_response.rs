//! Fixed responses: what the file says, byte for byte, and no target is asked.

use crate::harness::app::Setup;
use crate::harness::browser::on_both;
use crate::harness::target;

#[test]
fn the_answer_is_what_the_file_says() {
    let target = target::echo();
    let cases = [
        ("status_code: 200, content_type: text/plain, body: ok", 200, "text/plain", "ok"),
        (
            "status_code: 503, content_type: text/html, message_body: '<h1>Later</h1>'",
            503,
            "text/html",
            "<h1>Later</h1>",
        ),
        ("status_code: 403, content_type: application/json, body: '{\"a\":1}'", 403, "application/json", "{\"a\":1}"),
        ("status_code: 204", 204, "text/plain", ""),
    ];
    for (action, status, content_type, body) in cases {
        let proxy = Setup::open(&[target.address()])
            .default_actions(&format!(" [{{ type: fixed-response, {action} }}]"))
            .start();
        on_both(|protocol| {
            let mut browser = proxy.browser(protocol);
            let answer = browser.send("POST", "https://app.test/anything?at=all", &[], b"a body that nobody reads");
            assert_eq!((answer.status, answer.text()), (status, body), "{action}");
            let said = answer.header("content-type").unwrap_or_default();
            assert!(said == content_type || said.starts_with(&format!("{content_type};")), "{action}: {said}");
            let head = browser.send("HEAD", "https://app.test/", &[], b"");
            assert_eq!((head.status, head.text()), (status, ""), "{action}");
        });
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn it_answers_while_the_provider_and_every_target_are_down() {
    let proxy = Setup::with_issuer("http://127.0.0.1:1", &["127.0.0.1:1".into()])
        .rules(crate::harness::app::ATTACK_RULES)
        .start();
    on_both(|protocol| {
        let answer = proxy.browser(protocol).get("https://app.test/healthz");
        assert_eq!((answer.status, answer.text()), (200, "ok"));
    });
}
