use super::*;
use crate::backchannel::network::{Network, Settings};
use crate::clock::Timestamp;
use crate::messages::courier::double::gateway;
use crate::messages::courier::{Courier, Texts};
use crate::messages::message::Kind;

async fn deliver(status: u16, path: &str, sender: Sender) -> (Result<String, Undelivered>, String) {
    let (address, request) = gateway(status);
    let way = Settings { allow_http_loopback: true, ..Settings::default() };
    let network: Arc<dyn Backchannel> = Arc::new(Network::new(&way).expect("a client"));
    let url = Url::parse(&format!("http://{address}{path}")).expect("a URL");
    let courier = Courier::Twilio(Twilio::new(&url, "AC1", &Secret::new("token".into()), sender, network));
    let texts = Texts::Sms(Secret::new("Your code: 123456 & more".into()));
    let written_at = Timestamp::from_seconds(1_800_000_000);
    let letter = Letter { id: "1", kind: Kind::SignIn, to: "+4930123456", written_at, texts: &texts };
    (courier.deliver(&letter).await, request.join().expect("a request"))
}

#[tokio::test]
async fn an_sms_is_posted_as_a_form_with_basic_authentication() {
    let (answer, request) = deliver(201, "", Sender::From("+15550100".into())).await;
    assert_eq!(answer.expect("sent"), "the gateway answers 201 Created");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    assert_eq!(body, "To=%2B4930123456&From=%2B15550100&Body=Your+code%3A+123456+%26+more");
    for line in ["POST /2010-04-01/Accounts/AC1/Messages.json HTTP/1.1", "authorization: Basic QUMxOnRva2Vu"] {
        assert!(head.lines().any(|found| found == line), "{line}\n{head}");
    }
    let (_, request) = deliver(201, "/proxy/", Sender::MessagingService("MG1".into())).await;
    assert!(request.starts_with("POST /proxy/2010-04-01/Accounts/AC1/Messages.json HTTP/1.1"), "{request}");
    assert!(request.contains("&MessagingServiceSid=MG1&"), "{request}");
}

#[tokio::test]
async fn the_status_decides_whether_another_try_is_worth_it() {
    for (status, is_final) in [(400, true), (401, false), (429, false), (500, false)] {
        let refused = deliver(status, "", Sender::From("Example".into())).await.0.expect_err("refused");
        assert_eq!(matches!(refused, Undelivered::Never(_)), is_final, "{status}: {refused:?}");
    }
}

#[test]
fn the_token_is_not_printed() {
    let way = Network::new(&Settings::default()).expect("a client");
    let url = Url::parse("https://api.twilio.com").expect("a URL");
    let sender = Sender::From("Example".into());
    let twilio = Twilio::new(&url, "AC1", &Secret::new("hunter2".into()), sender, Arc::new(way));
    let printed = format!("{twilio:?}");
    assert!(!printed.contains("hunter2") && !printed.contains(&STANDARD.encode("AC1:hunter2")), "{printed}");
}
