use serde_json::{Value, json};

use super::*;
use crate::backchannel::network::{Network, Settings};
use crate::messages::courier::double::gateway;
use crate::messages::courier::{Courier, Texts};
use crate::messages::message::Kind;

const NOW: Timestamp = Timestamp::from_seconds(1_614_265_330);

fn webhook(address: std::net::SocketAddr, key: &[u8]) -> Webhook {
    let way = Settings { allow_http_loopback: true, ..Settings::default() };
    let network: Arc<dyn Backchannel> = Arc::new(Network::new(&way).expect("a client"));
    let url = Url::parse(&format!("http://{address}/sms")).expect("a URL");
    Webhook::new(url, &Secret::new(key.to_vec()), network, Clock::manual(NOW).0)
}

async fn deliver(status: u16) -> (Result<String, Undelivered>, String) {
    let (address, request) = gateway(status);
    let texts = Texts::Sms(Secret::new("Your code is 123456".into()));
    let letter = Letter { id: "msg_1", kind: Kind::SecondFactor, to: "+4930123456", written_at: NOW, texts: &texts };
    let courier = Courier::Webhook(Box::new(webhook(address, &[7; 24])));
    (courier.deliver(&letter).await, request.join().expect("a request"))
}

#[test]
fn the_signature_is_that_of_standard_webhooks() {
    // The example of the libraries of Standard Webhooks.
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("Base64");
    let webhook = webhook(([127, 0, 0, 1], 1).into(), &key);
    let signature = webhook.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, br#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[tokio::test]
async fn an_sms_is_posted_with_a_signature() {
    let (answer, request) = deliver(204).await;
    assert_eq!(answer.expect("sent"), "the gateway answers 204 No Content");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let body_json: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body_json, json!({ "to": "+4930123456", "text": "Your code is 123456", "kind": "second-factor" }));
    let signature = webhook(([127, 0, 0, 1], 1).into(), &[7; 24]).signature("msg_1", NOW, body.as_bytes());
    for line in [
        "POST /sms HTTP/1.1",
        "webhook-id: msg_1",
        "webhook-timestamp: 1614265330",
        &format!("webhook-signature: {signature}"),
        "content-type: application/json",
    ] {
        assert!(head.lines().any(|found| found == line), "{line}\n{head}");
    }
}

#[tokio::test]
async fn the_status_decides_whether_another_try_is_worth_it() {
    for (status, is_final) in
        [(400, true), (410, true), (422, true), (302, false), (401, false), (404, false), (429, false), (503, false)]
    {
        let refused = deliver(status).await.0.expect_err("refused");
        assert_eq!(matches!(refused, Undelivered::Never(_)), is_final, "{status}: {refused:?}");
    }
}
