//! The main job: a browser is sent to a provider, signs in, comes back, and the application is told who it is.

use crate::harness::app::Setup;
use crate::harness::browser::on_both;
use crate::harness::provider::Provider;
use crate::harness::target;

#[test]
fn a_browser_signs_in_and_reaches_the_page_that_it_asked_for() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let page = provider.sign_in(&mut browser, "https://app.test/reports/7?year=2026");
        assert_eq!(page.status, 200, "{}", page.text());
        let request = target.last();
        assert_eq!(request.line, "GET /reports/7?year=2026 HTTP/1.1");
        assert_eq!(request.header("x-amzn-oidc-identity"), Some("alice"));
        assert!(request.header("x-amzn-oidc-data").is_some());
    });
}
