//! Several providers on one rule, behind another proxy.

use serde_json::json;

use super::front::{Front, Kind, untouched};
use crate::choice::choice;
use crate::harness::browser::{join, on_both};
use crate::harness::provider::Provider;

pub fn a_user_chooses_a_provider(kind: Kind) {
    let (front, partner) = (Front::start(kind), Provider::start());
    partner.say(|script| script.id_token = json!({"sub": "bob"}));
    partner.say(|script| script.userinfo = None);
    let yaml = front.door.yaml();
    let entry = format!(
        "identity_providers:\n  partner: {{ issuer: '{}', client_id: dashboard, client_secret: another-client-secret, callback_path: \
         /oauth2/idpresponse/partner }}\n",
        partner.issuer()
    );
    let both = yaml
        .replace(
            "{ type: authenticate-oidc, provider: corp }",
            "{ type: authenticate-oidc, providers: [corp, partner] }",
        )
        .replace("identity_providers:\n", &entry);
    front.door.reload(&both).expect("it is sound");
    on_both(|protocol| {
        let mut browser = front.browser(protocol);
        let url = "https://app.test/x?y=%2F";
        let sent = untouched(&front, "no session", || browser.get(url));
        assert_eq!(sent.status, 302, "{sent:?}");
        let page = untouched(&front, "the page", || browser.get(&join(url, sent.location())));
        assert_eq!(page.status, 200, "{page:?}");
        let sent = untouched(&front, "the choice", || browser.get(&choice(&page, "partner")));
        assert!(sent.location().starts_with(&partner.issuer()), "{}", sent.location());
        let back = untouched(&front, "the callback", || browser.get(&partner.callback_of(sent.location())));
        assert_eq!((back.status, back.location()), (302, "/x?y=%2F"));
        assert_eq!(browser.get(url).status, 200);
        let received = front.target.last();
        assert_eq!((received.header("x-amzn-oidc-identity"), received.header("cookie")), (Some("bob"), None));
        let hinted = untouched(&front, "a hint", || front.browser(protocol).get("https://app.test/x?idp=partner"));
        assert!(hinted.location().starts_with(&partner.issuer()), "{}", hinted.location());
    });
}
