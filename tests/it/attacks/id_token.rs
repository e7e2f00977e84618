//! Attacks J (and C-08, C-09): ID tokens that lie. Each is refused, makes no session, and reaches no target; the tokens
//! that are good but odd show that the refusals are not of the test's own making.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::harness::app::START;
use crate::harness::browser::{Answer, Browser, Protocol};
use crate::harness::provider::{CLIENT_ID, Key};
use crate::harness::scenario::Scenario;
use crate::harness::server::Reply;
use crate::harness::target;

const PAGE: &str = "https://app.test/reports";
const NOW: u64 = START.seconds();
const CLIENT_SECRET: &str = "a-client-secret-of-some-length";

/// A scenario whose logins take turns on the protocols.
struct Logins {
    scenario: Scenario,
    turn: AtomicUsize,
}

fn logins() -> Logins {
    Logins { scenario: Scenario::start(|setup| setup), turn: AtomicUsize::new(0) }
}

/// What an honest token would be made of.
struct Honest {
    header: Value,
    claims: Value,
}

impl Honest {
    fn signed(&self, key: &Key) -> String {
        key.sign(&self.header, &self.claims.to_string())
    }

    /// `header.payload`.
    fn input(&self) -> String {
        let (header, claims) = (self.header.to_string(), self.claims.to_string());
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().expect("an object").remove(name);
        self.header.as_object_mut().expect("an object").remove(name);
        self
    }
}

impl Logins {
    fn browser(&self) -> Browser {
        let even = self.turn.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        self.scenario.proxy.browser(if even { Protocol::Http2 } else { Protocol::Http1 })
    }

    fn honest(&self, nonce: &str, now: u64) -> Honest {
        Honest {
            header: json!({"alg": "ES256", "kid": self.scenario.provider.key().kid}),
            claims: json!({
                "iss": self.scenario.provider.issuer(), "aud": CLIENT_ID, "sub": "alice", "nonce": nonce,
                "iat": now, "exp": now + 600,
            }),
        }
    }

    /// A login whose ID token is what `make` makes of the honest one.
    #[track_caller]
    fn login(&self, make: impl FnOnce(&Key, Honest) -> String) -> Answer {
        let mut browser = self.browser();
        let sent = browser.get(PAGE);
        let url = url::Url::parse(sent.location()).expect("a URL");
        let nonce = url.query_pairs().find(|(name, _)| name == "nonce").expect("a nonce").1.into_owned();
        let honest = self.honest(&nonce, self.scenario.proxy.clock.now().seconds());
        let token = make(self.scenario.provider.key(), honest);
        self.scenario.provider.say(|script| script.raw_id_token = Some(token));
        browser.get(&self.scenario.provider.callback_of(sent.location()))
    }

    #[track_caller]
    fn refused(&self, what: &str, make: impl FnOnce(&Key, Honest) -> String) {
        let answer = self.login(make);
        let found = (answer.status, answer.reason());
        assert_eq!(found, (401, Some("auth.id_token_invalid".to_owned())), "{what}");
        self.untouched(what, &answer);
    }

    #[track_caller]
    fn untouched(&self, what: &str, answer: &Answer) {
        assert_eq!(answer.new_session(), [""; 0], "{what} starts no session");
        assert!(answer.header("location").is_none(), "{what} leads nowhere");
        assert_eq!(self.scenario.target.count(), 0, "{what} reaches no target");
    }

    #[track_caller]
    fn accepted(&self, what: &str, make: impl FnOnce(&Key, Honest) -> String) {
        let answer = self.login(make);
        assert_eq!(answer.status, 302, "{what}: {:?}", answer.text());
        assert!(!answer.new_session().is_empty(), "{what} signs in");
    }

    /// Each of `values` under `name`: the claim is refused.
    #[track_caller]
    fn refused_claims(&self, name: &str, values: impl IntoIterator<Item = Value>) {
        for value in values {
            self.refused(&format!("{name}: {value}"), |key, honest| honest.claim(name, value.clone()).signed(key));
        }
    }
}

#[test]
fn j_tokens_that_are_good_but_odd_sign_in() {
    let logins = logins();
    // Userinfo would speak of one user only.
    logins.scenario.provider.say(|script| script.userinfo = None);
    logins.accepted("an honest one", |key, honest| honest.signed(key));
    logins.accepted("without typ or kid", |key, honest| honest.without("kid").signed(key));
    logins.accepted("typ in lower case", |key, honest| honest.header("typ", json!("jwt")).signed(key));
    for (name, value) in [
        ("aud", json!([CLIENT_ID])),
        ("azp", json!(CLIENT_ID)),
        ("exp", json!(NOW as f64 + 600.5)),
        ("exp", json!(NOW - 59)),
        ("nbf", json!(NOW + 60)),
        ("iat", json!(NOW + 60)),
        ("iat", json!(0)),
        ("sub", json!("s".repeat(255))),
        ("sub", json!("Jürgen / 1")),
    ] {
        logins.accepted(&format!("{name}: {value}"), |key, honest| honest.claim(name, value.clone()).signed(key));
    }
    logins.accepted("several audiences, made for us", |key, honest| {
        honest.claim("aud", json!(["evil", CLIENT_ID])).claim("azp", json!(CLIENT_ID)).signed(key)
    });
}

#[test]
fn j_a_token_without_a_signature_of_the_provider_is_refused() {
    let logins = logins();
    for name in ["none", "NONE", "None", "", "es256", "ES256 ", "ES256K", "ES512", "HS256", "RS256", "PS256", "EdDSA"] {
        let alg = json!(name);
        let unsigned = |alg: Value| move |_: &Key, honest: Honest| honest.header("alg", alg).input();
        logins.refused(name, |key, honest| honest.header("alg", alg.clone()).signed(key));
        logins.refused(name, |key, honest| unsigned(alg.clone())(key, honest) + ".");
        logins.refused(name, |key, honest| unsigned(alg)(key, honest));
    }
    for alg in [json!(null), json!(["ES256"]), json!(256), json!({"name": "ES256"})] {
        logins.refused("an algorithm of another type", |key, honest| honest.header("alg", alg).signed(key));
    }
    logins.refused("no algorithm", |key, honest| honest.without("alg").signed(key));
}

#[test]
fn j_hs256_with_what_is_public_or_shared_is_refused() {
    let logins = logins();
    let key = logins.scenario.provider.key();
    let point = key.jwk()["x"].as_str().expect("x").to_owned();
    let secrets: [(&str, Vec<u8>); 6] = [
        ("the public key in PEM form", key.public_pem().into_bytes()),
        ("without its last newline", key.public_pem().trim_end().as_bytes().to_vec()),
        ("the JWK", key.jwk().to_string().into_bytes()),
        ("a coordinate", URL_SAFE_NO_PAD.decode(point).expect("base64url")),
        ("the client secret", CLIENT_SECRET.into()),
        ("nothing", Vec::new()),
    ];
    for (what, secret) in secrets {
        for kid in [Some(key.kid.as_str()), None] {
            logins.refused(what, |_, honest| {
                let honest = honest.header("alg", json!("HS256")).without("kid");
                let honest = if let Some(kid) = kid { honest.header("kid", json!(kid)) } else { honest };
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), honest.input().as_bytes());
                format!("{}.{}", honest.input(), URL_SAFE_NO_PAD.encode(tag.as_ref()))
            });
        }
    }
}

#[test]
fn j_a_shared_secret_in_the_key_set_verifies_nothing() {
    let logins = logins();
    let secret = b"0123456789abcdef0123456789abcdef";
    let oct = json!({"kty": "oct", "kid": "shared", "alg": "HS256", "use": "sig", "k": URL_SAFE_NO_PAD.encode(secret)});
    let keys = json!({"keys": [oct, logins.scenario.provider.key().jwk()]});
    logins.scenario.provider.say(|script| script.key_set = Some(keys));
    logins.refused("HS256 by a published secret", |_, honest| {
        let honest = honest.header("alg", json!("HS256")).header("kid", json!("shared"));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), honest.input().as_bytes());
        format!("{}.{}", honest.input(), URL_SAFE_NO_PAD.encode(tag.as_ref()))
    });
    logins.accepted("the other key", |key, honest| honest.signed(key));
}

#[test]
fn j_a_signature_that_was_not_made_by_the_key_is_refused() {
    let logins = logins();
    let stranger = Key::new("provider-key-1");
    logins.refused("a stranger's key under our key id", |_, honest| honest.signed(&stranger));
    logins.refused("a stranger's key under none", |_, honest| honest.without("kid").signed(&stranger));
    let with = |signature: Vec<u8>| {
        move |_: &Key, honest: Honest| format!("{}.{}", honest.input(), URL_SAFE_NO_PAD.encode(signature))
    };
    let order: Vec<u8> = (0..32).map(|_| 0xff).collect();
    logins.refused("zeros, which some verifiers take", with(vec![0; 64]));
    logins.refused("nothing", with(Vec::new()));
    logins.refused("63 bytes", with(vec![1; 63]));
    logins.refused("65 bytes", with(vec![1; 65]));
    logins.refused("r without s", with(vec![1; 32]));
    logins.refused("beyond the order", with([order.clone(), order].concat()));
    logins.refused("DER zeros", with(vec![0x30, 6, 2, 1, 0, 2, 1, 0]));
    logins.refused("a megabyte of zeros, a little less", with(vec![0; 100_000]));
    logins.refused("the signature of other claims", |key, honest| {
        let signed = honest.signed(key);
        let signature = signed.rsplit('.').next().expect("a signature").to_owned();
        format!("{}.{signature}", honest.claim("sub", json!("admin")).input())
    });
    for at in [0, 1, 31, 32, 63] {
        logins.refused("a flipped bit", |key, honest| {
            let (input, signature) = (honest.input(), honest.signed(key));
            let mut bytes = URL_SAFE_NO_PAD.decode(signature.rsplit('.').next().expect("three")).expect("base64url");
            bytes[at] ^= 1;
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(bytes))
        });
    }
}

#[test]
fn j_a_key_that_the_token_brings_along_is_not_used() {
    let (logins, elsewhere) = (logins(), target::echo());
    let stranger = Key::new("stranger");
    elsewhere.script({
        let keys = json!({"keys": [stranger.jwk()]});
        move |_| Reply::json(&keys)
    });
    let url = format!("http://{}/jwks", elsewhere.address());
    for (name, value) in [
        ("jwk", stranger.jwk()),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("jwk", json!(null)),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("typ", json!("at+jwt")),
        ("typ", json!("logout+jwt")),
        ("typ", json!("application/at+jwt")),
        ("typ", json!(null)),
        ("typ", json!("")),
        ("cty", json!("JWT")),
    ] {
        let named = format!("{name}: {value}");
        // Also where the signature is the provider's own: a header that is not understood is not passed over.
        logins.refused(&named, |key, honest| honest.header(name, value.clone()).signed(key));
        logins.refused(&named, |_, honest| honest.header(name, value).without("kid").signed(&stranger));
    }
    // Certificates are sent along by some providers. They are not looked at.
    let chain = json!(["MIIB"]);
    logins.refused("x5c", |_, honest| honest.header("x5c", chain.clone()).without("kid").signed(&stranger));
    assert_eq!(elsewhere.count(), 0, "nothing is fetched that a token names");
    logins.accepted("x5c", |key, honest| honest.header("x5c", chain.clone()).signed(key));
}

#[test]
fn j_an_unknown_key_id_is_asked_for_at_growing_pauses() {
    let logins = logins();
    let asked = || logins.scenario.provider.requests("/jwks").len();
    let stranger = Key::new("stranger");
    logins.accepted("an honest one", |key, honest| honest.signed(key));
    assert_eq!(asked(), 1);
    let unknown = |kid: Value| {
        let stranger = &stranger;
        logins.refused(&format!("kid {kid}"), move |_, honest| honest.header("kid", kid).signed(stranger));
    };
    unknown(json!("stranger"));
    assert_eq!(asked(), 2, "the key may be new");
    for kid in ["stranger", "../../etc/passwd", "' OR 1=1", "", "provider-key-1\0", "Provider-Key-1"] {
        unknown(json!(kid));
    }
    unknown(json!("k".repeat(2000)));
    for kid in [json!(1), json!(null), json!(["provider-key-1"])] {
        unknown(kid);
    }
    assert_eq!(asked(), 2, "not for everyone who says so");
    logins.accepted("the known key goes on", |key, honest| honest.signed(key));
    logins.scenario.proxy.clock.advance(Duration::from_secs(1));
    unknown(json!("stranger"));
    assert_eq!(asked(), 3);
    unknown(json!("stranger"));
    logins.scenario.proxy.clock.advance(Duration::from_secs(1));
    unknown(json!("stranger"));
    assert_eq!(asked(), 3, "the second pause is two seconds");
    // The provider rotates, and the new key is found at the next turn.
    let keys = json!({"keys": [logins.scenario.provider.key().jwk(), stranger.jwk()]});
    logins.scenario.provider.say(|script| script.key_set = Some(keys));
    logins.scenario.proxy.clock.advance(Duration::from_secs(61));
    logins.accepted("the new key", |_, honest| honest.header("kid", json!("stranger")).signed(&stranger));
    assert_eq!(asked(), 4);
}

#[test]
fn j_05_a_token_of_another_issuer_or_for_another_client_is_refused() {
    let logins = logins();
    let issuer = logins.scenario.provider.issuer();
    logins.refused_claims(
        "iss",
        [
            json!(format!("{issuer}/")),
            json!(issuer.to_uppercase()),
            json!(issuer.replace("http:", "https:")),
            json!(format!("{issuer} ")),
            json!("https://evil.test"),
            json!(""),
            json!(null),
            json!([issuer]),
        ],
    );
    logins.refused_claims(
        "aud",
        [
            json!("evil"),
            json!(""),
            json!([]),
            json!(["evil"]),
            json!([CLIENT_ID, "evil"]),
            json!(["evil", CLIENT_ID]),
            json!(format!("{CLIENT_ID} ")),
            json!(CLIENT_ID.to_uppercase()),
            json!(null),
            json!(1),
            json!({"dashboard": true}),
            json!([[CLIENT_ID]]),
        ],
    );
    logins.refused_claims("azp", [json!("evil"), json!(""), json!(1), json!([CLIENT_ID])]);
    logins.refused("several audiences, made for another", |key, honest| {
        honest.claim("aud", json!([CLIENT_ID, "evil"])).claim("azp", json!("evil")).signed(key)
    });
    for name in ["iss", "aud", "sub"] {
        logins.refused(name, |key, honest| honest.without(name).signed(key));
    }
}

#[test]
fn j_06_times_are_numbers_and_hold() {
    let logins = logins();
    let odd =
        || [json!("9999999999"), json!(null), json!(1e300), json!(-1), json!(true), json!([NOW]), json!({}), json!("")];
    for name in ["exp", "nbf", "iat"] {
        logins.refused_claims(name, odd());
    }
    logins.refused_claims("exp", [json!(NOW - 61), json!(0), json!(NOW as f64 - 61.5), json!(NOW * 1000)]);
    logins.refused_claims("nbf", [json!(NOW + 61), json!(NOW as f64 + 60.5), json!(NOW + 600)]);
    logins.refused_claims("iat", [json!(NOW + 61), json!(NOW + 3600)]);
    for name in ["exp", "iat"] {
        logins.refused(name, |key, honest| honest.without(name).signed(key));
    }
}

#[test]
fn j_a_subject_that_cannot_be_a_header_is_refused() {
    let logins = logins();
    logins.refused_claims(
        "sub",
        [
            json!(""),
            json!(null),
            json!(7),
            json!(["alice"]),
            json!({"a": 1}),
            json!("s".repeat(256)),
            json!("alice\r\nx-admin: true"),
            json!("alice\0"),
            json!("alice\u{85}"),
        ],
    );
}

#[test]
fn c_08_a_token_of_another_login_is_refused() {
    let logins = logins();
    logins.refused_claims("nonce", [json!("wrong"), json!(""), json!(null), json!(1)]);
    logins.refused("none", |key, honest| honest.without("nonce").signed(key));
    logins.refused("its beginning", |key, honest| {
        let nonce = honest.claims["nonce"].as_str().expect("text")[..42].to_owned();
        honest.claim("nonce", json!(nonce)).signed(key)
    });
    // Of another tab of the same browser.
    let mut browser = logins.browser();
    let (one, two) = (browser.get(PAGE), browser.get(PAGE));
    let code =
        |url: &str| url.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code").to_owned();
    let (one, two) =
        (logins.scenario.provider.callback_of(one.location()), logins.scenario.provider.callback_of(two.location()));
    logins.scenario.provider.say(|script| script.raw_id_token = None);
    let answer = browser.get(&one.replace(&code(&one), &code(&two)));
    assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.id_token_invalid")));
    logins.untouched("another tab's code", &answer);
    assert_eq!(browser.get(&two).status, 302, "that tab is not harmed");
}

#[test]
fn c_09_no_id_token_is_no_login() {
    let logins = logins();
    for value in [json!(null), json!(""), json!("."), json!(".."), json!("...."), json!("a.b.c")] {
        logins.scenario.provider.say(|script| script.token_response = json!({"id_token": value}));
        let answer = logins.scenario.provider.try_sign_in(&mut logins.browser(), PAGE);
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.id_token_invalid")), "{value}");
        logins.untouched("no token", &answer);
    }
    for value in [json!(1), json!({}), json!(["a.b.c"])] {
        logins.scenario.provider.say(|script| script.token_response = json!({"id_token": value}));
        let answer = logins.scenario.provider.try_sign_in(&mut logins.browser(), PAGE);
        assert!(matches!(answer.status, 401 | 561), "{value}: {}", answer.status);
        logins.untouched("no token", &answer);
    }
}

#[test]
fn j_an_access_token_that_the_id_token_does_not_speak_of_is_refused() {
    let logins = logins();
    logins.refused_claims("at_hash", [json!("77QmUPtjPfzWtF2AnpK9RQ"), json!(""), json!(1)]);
}

#[test]
fn j_04_a_token_that_can_be_read_in_two_ways_is_refused() {
    let logins = logins();
    for (from, to) in [
        (r#""sub":"alice""#, r#""sub":"alice","sub":"admin""#),
        (r#""sub":"alice""#, r#""sub":"admin","\u0073ub":"alice""#),
        (r#""aud":"dashboard""#, r#""aud":"dashboard","aud":"evil""#),
        (r#""sub":"alice""#, r#""sub":"alice","x":{"a":1,"a":2}"#),
        ("}", "} "),
        ("}", "}}"),
        ("{", "[{"),
    ] {
        let result = |key: &Key, honest: Honest| key.sign(&honest.header, &honest.claims.to_string().replace(from, to));
        if to == "} " {
            logins.accepted("blanks after the end are JSON", result);
        } else {
            logins.refused(to, result);
        }
    }
    logins.refused("two algorithms", |key, honest| {
        let header = r#"{"alg":"none","alg":"ES256","kid":"provider-key-1"}"#;
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(honest.claims.to_string()));
        let signature = honest.signed(key).rsplit('.').next().expect("three").to_owned();
        format!("{input}.{signature}")
    });
    logins.refused("padding", |key, honest| honest.signed(key) + "==");
    logins.refused("a blank before", |key, honest| format!(" {}", honest.signed(key)));
    logins.refused("a line break after", |key, honest| honest.signed(key) + "\n");
    logins.refused("a fourth segment", |key, honest| honest.signed(key) + ".");
    logins.refused("padded segments", |_, honest| {
        let claims = honest.claim("x", json!("x")).claims.to_string() + " ";
        format!("{}.{}.{}", URL_SAFE.encode(r#"{"alg":"ES256"}"#), URL_SAFE.encode(claims), URL_SAFE.encode([1; 64]))
    });
    logins.refused("the other alphabet", |_, honest| {
        let claims = honest.claim("x", json!("ÿÿ?>?>")).claims.to_string();
        let standard = |text: &str| STANDARD.encode(text).trim_end_matches('=').to_owned();
        format!("{}.{}.{}", standard(r#"{"alg":"ES256"}"#), standard(&claims), STANDARD.encode([0xfb; 63]))
    });
}

#[test]
fn j_an_encrypted_token_is_refused() {
    let logins = logins();
    for header in [
        json!({"alg": "dir", "enc": "A256GCM", "zip": "DEF"}),
        json!({"alg": "RSA-OAEP", "enc": "A256GCM"}),
        json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2_147_483_647, "p2s": "AAAA"}),
    ] {
        logins
            .refused(&header.to_string(), |_, _| format!("{}.AA.AA.AA.AA", URL_SAFE_NO_PAD.encode(header.to_string())));
        logins.refused("in three", |key, honest| key.sign(&header, &honest.claims.to_string()));
    }
}

#[test]
fn j_a_token_that_is_too_large_or_too_deep_is_refused() {
    let logins = logins();
    for depth in [200, 10_000, 100_000] {
        logins.refused("nested", |key, honest| {
            let deep = format!(r#","x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
            key.sign(&honest.header, &honest.claims.to_string().replace('}', &deep))
        });
        logins.refused("nested and open", |key, honest| {
            let deep = format!(r#","x":{}"#, "[".repeat(depth));
            key.sign(&honest.header, &honest.claims.to_string().replace('}', &deep))
        });
    }
    logins.refused("300 KB", |key, honest| honest.claim("x", json!("x".repeat(300_000))).signed(key));
    let answer = logins.login(|key, honest| honest.claim("x", json!("x".repeat(1_000_000))).signed(key));
    // More than is read of any answer.
    assert_eq!((answer.status, answer.reason().as_deref()), (500, Some("auth.token_endpoint_unreachable")));
    logins.untouched("1 MB", &answer);
}
