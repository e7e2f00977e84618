use super::*;
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::user_pool::messages::courier::Letter as Sent;
use crate::user_pool::messages::message::Kind;

fn ask(host: &str, path: &str) -> Response<Bytes> {
    let console = Console::default();
    let texts = Texts::Sms(Secret::new("Your code is <123456>".to_owned()));
    let written_at = Timestamp::from_seconds(0);
    let _ = console.deliver(&Sent { id: "1", kind: Kind::SignIn, to: "+4930123", written_at, texts: &texts });
    let request = Request::get(path).header(header::HOST, host).body(()).expect("a request");
    answer(&Pages::default(), &console, "/secret", &request)
}

#[test]
fn only_who_knows_the_path_reads_the_messages() {
    let response = ask("127.0.0.1:1234", "/secret");
    let page = String::from_utf8_lossy(response.body()).into_owned();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(page.contains("+4930123") && page.contains("Your code is &#60;123456&#62;"), "{page}");
    for (host, path) in [("127.0.0.1", "/"), ("localhost", "/secret/"), ("127.0.0.1", "/other")] {
        let response = ask(host, path);
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!response.body().windows(6).any(|part| part == b"123456"), "{path}");
    }
}

/// A page of another site can have its own name lead to this address (DNS rebinding), and the browser believes that it is the same site.
#[test]
fn a_site_with_another_name_reads_no_messages() {
    assert_eq!(ask("evil.example", "/secret").status(), StatusCode::NOT_FOUND);
    assert_eq!(ask("localhost:80", "/secret").status(), StatusCode::OK);
}
