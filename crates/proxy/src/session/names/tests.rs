use super::*;

fn shop() -> OurCookies {
    OurCookies::new([Arc::from("shop")], false)
}

#[test]
fn h_15_only_what_is_exactly_ours_is_ours() {
    let ours = shop();
    for name in [
        "shop-0",
        "shop-3",
        "shop-4",
        "shop-17",
        "SHOP-0",
        "shop-login-AbCd12_-",
        "shop-login-AbCd1234.17",
        "shop-login-rounds",
        "Shop-Login-AbCd1234",
    ] {
        assert!(ours.contains(name.as_bytes()), "{name}");
    }
    for name in [
        "shop",
        "shop-",
        "shop-theme",
        "SHOP-basket",
        "shop-0-x",
        "shop-0x",
        "shop-login",
        "shop-login-",
        "shop-login-page",
        "shop-login-AbCd12345",
        "shop-login-AbCd123.",
        "shop-login-AbCd1234.",
        "shop-login-AbCd1234.x",
        "shop-login-rounds2",
        "shopping-0",
        "shop2-0",
        "xshop-0",
        "",
    ] {
        assert!(!ours.contains(name.as_bytes()), "{name}");
    }
    // Every name with the reserved prefix belongs to Vestibule.
    assert!(ours.contains(b"__Host-vestibule-pool-form"));
    assert!(ours.contains(b"__Host-vestibule-pool-8443"));
    assert!(ours.contains(b"__Host-vestibule-pool-form-8443"));
    assert!(ours.contains(b"__host-VESTIBULE-x"));
    assert!(!ours.contains(b"__Host-vestibule"));
}

#[test]
fn a_configuration_without_sessions_has_no_cookies() {
    assert!(!OurCookies::new([], false).contains(b"__Host-vestibule-0"));
    assert!(OurCookies::new([], true).contains(b"__Host-vestibule-pool"));
}

#[test]
fn h_15_other_names_are_ours_in_every_case_of_letters() {
    let patterns = [NamePattern::Is("AWSALB"), NamePattern::BeginsWith("AWSALBAPP-")];
    let ours = OurCookies::new([], false).and(patterns);
    for name in ["AWSALB", "awsalb", "AWSALBAPP-0", "AwsAlbApp-", "AWSALBAPP-0-x"] {
        assert!(ours.contains(name.as_bytes()), "{name}");
    }
    for name in ["AWSALB0", "AWSAL", "AWSALBAPP", "xAWSALB", ""] {
        assert!(!ours.contains(name.as_bytes()), "{name}");
    }
}

/// The `Set-Cookie` lines that are left in an answer after Vestibule's own names are removed.
#[track_caller]
fn left(lines: &[&'static str]) -> Vec<String> {
    let mut fields: HeaderMap = lines.iter().map(|line| (header::SET_COOKIE, HeaderValue::from_static(line))).collect();
    fields.insert("x-other", HeaderValue::from_static("kept"));
    let dropped = shop().strip_answer(&mut fields);
    let left: Vec<String> = fields
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
        .collect();
    assert_eq!((left.len() + dropped, fields.len() - left.len()), (lines.len(), 1));
    left
}

#[test]
fn a_targets_answer_sets_no_cookie_of_ours() {
    for line in [
        "shop-0=1evil",
        "shop-0=",
        "shop-0",
        "  shop-0 = 1evil; Path=/",
        "shop-0\t=x",
        "SHOP-1=x; Max-Age=0",
        "shop-login-AbCd1234=x; Domain=example.com",
        "__Host-vestibule-pool=x",
        // RFC 6265bis §5.6: without a name a browser keeps the value, and sends that as it is.
        "=shop-0=1evil; Path=/",
        " = shop-0=1evil",
        "==shop-0=x",
    ] {
        assert_eq!(left(&[line]), [""; 0], "{line}");
    }
    let others = ["sid=1; Path=/", "shop=1", "shop-theme=dark", "a=shop-0=x", "=x", "", ";shop-0=x", "x; shop-0=1"];
    assert_eq!(left(&others), others);
    assert_eq!(left(&["a=1", "shop-0=x", "b=2", "shop-1=y", "a=3"]), ["a=1", "b=2", "a=3"]);
}
