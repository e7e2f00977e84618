use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

pub(crate) const ORIGIN: &str = "https://login.example";

/// An authenticator with one passkey, and the browser in front of it. Each field is something that may be wrong, while the signature is right.
#[derive(Debug)]
pub(crate) struct Device {
    key: EcdsaKeyPair,
    pub(crate) id: Vec<u8>,
    pub(crate) user_handle: Option<String>,
    pub(crate) counter: u32,
    pub(crate) flags: u8,
    pub(crate) rp_id: &'static str,
    pub(crate) origin: &'static str,
    /// `webauthn.create` and `webauthn.get` with this in the place of `webauthn`.
    pub(crate) kind: &'static str,
    pub(crate) cross_origin: Value,
    pub(crate) top_origin: Option<&'static str>,
    pub(crate) challenge: Option<String>,
    /// COSE: −7 is ES256.
    pub(crate) algorithm: u8,
}

const UP: u8 = 1;
const UV: u8 = 4;
const BE: u8 = 8;
const BS: u8 = 16;
const AT: u8 = 64;

fn generator() -> SystemRandom {
    SystemRandom::new()
}

impl Device {
    pub(crate) fn new() -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &generator()).expect("a key");
        Self {
            key: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).expect("the key"),
            id: octets::random::<16>().to_vec(),
            user_handle: None,
            counter: 0,
            flags: UP | UV,
            rp_id: "login.example",
            origin: ORIGIN,
            kind: "webauthn",
            cross_origin: false.into(),
            top_origin: None,
            challenge: None,
            algorithm: 0x26,
        }
    }

    fn client_data(&self, what: &str, options: &Value) -> Vec<u8> {
        let challenge = self.challenge.clone().map_or_else(|| options["challenge"].clone(), Value::from);
        let mut data = json!({"type": format!("{}.{what}", self.kind), "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin});
        if let Some(top) = self.top_origin {
            data["topOrigin"] = top.into();
        }
        data.to_string().into_bytes()
    }

    fn authenticator_data(&self, flags: u8, rest: &[u8]) -> Vec<u8> {
        let hash = octets::sha256(self.rp_id.as_bytes());
        [&hash[..], &[flags], &self.counter.to_be_bytes(), rest].concat()
    }

    /// Answers `navigator.credentials.create`.
    pub(crate) fn create(&mut self, options: &Value) -> String {
        self.user_handle = options["user"]["id"].as_str().map(str::to_owned);
        let point = self.key.public_key().as_ref();
        // RFC 9053 §7.1.1: a map of kty, alg, crv, x and y.
        let cose = [
            &[0xa5, 1, 2, 3, self.algorithm, 0x20, 1, 0x21, 0x58, 32][..],
            &point[1..33],
            &[0x22, 0x58, 32],
            &point[33..65],
        ]
        .concat();
        let length = u16::try_from(self.id.len()).expect("short").to_be_bytes();
        let data = self.authenticator_data(self.flags | AT, &[&[0; 16][..], &length, &self.id, &cose].concat());
        let length = u16::try_from(data.len()).expect("short").to_be_bytes();
        let object = [&b"\xa3cfmtdnonegattStmt\xa0hauthData\x59"[..], &length, &data].concat();
        json!({
            "id": URL_SAFE_NO_PAD.encode(&self.id), "rawId": URL_SAFE_NO_PAD.encode(&self.id), "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": URL_SAFE_NO_PAD.encode(self.client_data("create", options)),
                "attestationObject": URL_SAFE_NO_PAD.encode(object),
                "transports": ["internal"],
            },
        })
        .to_string()
    }

    /// Answers `navigator.credentials.get`.
    pub(crate) fn get(&self, options: &Value) -> String {
        let client_data = self.client_data("get", options);
        let data = self.authenticator_data(self.flags, &[]);
        let signed = [&data[..], &octets::sha256(&client_data)].concat();
        let signature = self.key.sign(&generator(), &signed).expect("signed");
        json!({
            "id": URL_SAFE_NO_PAD.encode(&self.id), "rawId": URL_SAFE_NO_PAD.encode(&self.id), "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": URL_SAFE_NO_PAD.encode(client_data),
                "authenticatorData": URL_SAFE_NO_PAD.encode(data),
                "signature": URL_SAFE_NO_PAD.encode(signature.as_ref()),
                "userHandle": self.user_handle,
            },
        })
        .to_string()
    }
}

fn party() -> RelyingParty {
    RelyingParty::new("login.example", [&Url::parse(ORIGIN).expect("a URL")], "Example").expect("usable")
}

/// A registration that `change` has spoiled.
fn register(change: impl FnOnce(&mut Device)) -> Result<Registered, Refused> {
    let mut device = Device::new();
    change(&mut device);
    let begun = party().register("sub-of-ada", "ada", &[]).expect("begun");
    let answer = device.create(begun.options());
    party().registered(&answer, &begun)
}

/// A sign-in of Ada with a passkey of hers, whose counter is 7, spoiled by `change`.
fn sign_in(change: impl FnOnce(&mut Device)) -> Result<Verified, Refused> {
    let mut device = Device { counter: 7, ..Device::new() };
    let begun = party().register("sub-of-ada", "ada", &[]).expect("begun");
    let mut passkey = party().registered(&device.create(begun.options()), &begun).expect("registered");
    device.counter = 8;
    change(&mut device);
    let question = party().ask().expect("asked");
    let answer = device.get(&party().options(&question, &[]));
    party().verify(&Answer::parse(&answer).expect("an answer"), question, ("sub-of-ada", &mut passkey))
}

#[test]
fn a_passkey_is_registered_and_signs_in() {
    assert!(register(|_| ()).is_ok());
    assert_eq!(sign_in(|_| ()).expect("verified"), Verified { is_verified: true, is_synced: false });
    let synced = |device: &mut Device| device.flags = UP | UV | BE | BS;
    assert!(register(synced).expect("registered").is_synced());
    assert!(!register(|_| ()).expect("registered").is_synced());
}

/// WebAuthn §7.1: each check is spoiled alone.
#[test]
fn a_registration_with_one_thing_wrong_is_refused() {
    use WebauthnError as E;
    #[track_caller]
    fn check(change: impl FnOnce(&mut Device), expected: fn(&Refused) -> bool) {
        let refused = register(change).expect_err("refused");
        assert!(expected(&refused), "{refused:?}");
    }
    check(|device| device.kind = "payment", |refused| matches!(refused, Refused::Check(E::InvalidClientDataType)));
    check(
        |device| device.challenge = Some("AAAA".into()),
        |refused| matches!(refused, Refused::Check(E::MismatchedChallenge)),
    );
    for origin in [
        "https://login.example:8443",
        "http://login.example",
        "https://evil.example",
        "https://www.login.example",
        "https://example",
    ] {
        check(|device| device.origin = origin, |refused| matches!(refused, Refused::Check(E::InvalidRPOrigin)));
    }
    check(|device| device.cross_origin = true.into(), |refused| matches!(refused, Refused::CrossOrigin));
    check(|device| device.cross_origin = "false".into(), |refused| matches!(refused, Refused::CrossOrigin));
    check(|device| device.top_origin = Some(ORIGIN), |refused| matches!(refused, Refused::CrossOrigin));
    check(|device| device.rp_id = "example", |refused| matches!(refused, Refused::Check(E::InvalidRPIDHash)));
    check(|device| device.flags = UV, |refused| matches!(refused, Refused::Check(E::UserNotPresent)));
    check(|device| device.flags = UP, |refused| matches!(refused, Refused::Check(E::UserNotVerified)));
    check(|device| device.flags = UP | UV | BS, |refused| matches!(refused, Refused::Check(_)));
    check(|device| device.algorithm = 0x27, |refused| matches!(refused, Refused::Check(_)));
    check(|device| device.id = vec![7; 1024], |refused| matches!(refused, Refused::TooLong | Refused::Check(_)));
}

/// WebAuthn §7.2: each check is spoiled alone, and the signature is right.
#[test]
fn a_sign_in_with_one_thing_wrong_is_refused() {
    use WebauthnError as E;
    #[track_caller]
    fn check(change: impl FnOnce(&mut Device), expected: fn(&Refused) -> bool) {
        let refused = sign_in(change).expect_err("refused");
        assert!(expected(&refused), "{refused:?}");
    }
    check(|device| device.kind = "payment", |refused| matches!(refused, Refused::Check(E::InvalidClientDataType)));
    check(
        |device| device.challenge = Some("AAAA".into()),
        |refused| matches!(refused, Refused::Check(E::MismatchedChallenge)),
    );
    for origin in [
        "https://login.example:8443",
        "http://login.example",
        "https://evil.example",
        "https://www.login.example",
        "https://example",
    ] {
        check(|device| device.origin = origin, |refused| matches!(refused, Refused::Check(E::InvalidRPOrigin)));
    }
    check(|device| device.cross_origin = true.into(), |refused| matches!(refused, Refused::CrossOrigin));
    check(|device| device.top_origin = Some(ORIGIN), |refused| matches!(refused, Refused::CrossOrigin));
    check(|device| device.rp_id = "example", |refused| matches!(refused, Refused::Check(E::InvalidRPIDHash)));
    check(|device| device.flags = UV, |refused| matches!(refused, Refused::Check(E::UserNotPresent)));
    check(|device| device.flags = UP, |refused| matches!(refused, Refused::Check(E::UserNotVerified)));
    check(
        |device| device.flags = UP | UV | BE,
        |refused| matches!(refused, Refused::Check(E::CredentialBackupEligibilityInconsistent)),
    );
    check(|device| device.flags = UP | UV | BS, |refused| matches!(refused, Refused::Check(_)));
    for counter in [7, 6, 0] {
        check(
            move |device| device.counter = counter,
            |refused| matches!(refused, Refused::Check(E::CredentialPossibleCompromise)),
        );
    }
    check(
        |device| device.key = Device::new().key,
        |refused| matches!(refused, Refused::Check(E::AuthenticationFailure)),
    );
    check(|device| device.id = vec![7; 16], |refused| matches!(refused, Refused::Check(_)));
    check(|device| device.user_handle = Some("AAAA".into()), |refused| matches!(refused, Refused::OtherUser));
}

#[test]
fn what_no_browser_sends_is_no_answer() {
    for text in ["", "{}", "null", r#"{"id":"x","rawId":"!","type":"public-key","response":{}}"#] {
        assert!(matches!(Answer::parse(text), Err(Refused::Malformed)), "{text}");
    }
    let begun = party().register("sub-of-ada", "ada", &[]).expect("begun");
    assert!(matches!(party().registered("{}", &begun), Err(Refused::Malformed)));
}

#[test]
fn a_passkey_is_registered_once() {
    let mut device = Device::new();
    let begun = party().register("sub-of-ada", "ada", &[]).expect("begun");
    let passkey = party().registered(&device.create(begun.options()), &begun).expect("registered");
    let again = party().register("sub-of-ada", "ada", &[passkey]).expect("begun");
    assert_eq!(again.options()["excludeCredentials"][0]["id"], URL_SAFE_NO_PAD.encode(&device.id));
    assert!(party().registered(&device.create(again.options()), &again).is_err());
}

#[test]
fn the_options_are_those_of_the_specification() {
    let begun = party().register("sub-of-ada", "ada", &[]).expect("begun");
    let options = begun.options();
    assert_eq!(options["rp"], json!({"name": "Example", "id": "login.example"}));
    assert_eq!(options["user"]["name"], "ada");
    assert_ne!(options["user"]["id"], "sub-of-ada");
    let algorithms: Vec<_> =
        options["pubKeyCredParams"].as_array().expect("a list").iter().map(|one| one["alg"].clone()).collect();
    assert!(algorithms.contains(&json!(-7)) && algorithms.contains(&json!(-257)), "{algorithms:?}");
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["authenticatorSelection"]["residentKey"], "preferred");
    assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
    let (one, other) = (party().ask().expect("asked"), party().ask().expect("asked"));
    assert_ne!(one.hash(), other.hash());
}

#[test]
fn only_the_host_of_the_issuer_or_a_domain_above_is_a_relying_party() {
    let new = |id, origin| RelyingParty::new(id, [&Url::parse(origin).expect("a URL")], "x").map(drop);
    assert_eq!(new("login.example.com", "https://login.example.com"), Ok(()));
    assert_eq!(new("example.com", "https://login.example.com:8443"), Ok(()));
    assert_eq!(new("localhost", "https://localhost:8443"), Ok(()));
    assert_eq!(new("other.example.com", "https://login.example.com"), Err(Unusable));
    assert_eq!(new("gin.example.com", "https://login.example.com"), Err(Unusable));
    assert_eq!(new("127.0.0.1", "https://127.0.0.1"), Err(Unusable));
    let urls = ["https://login.example.com", "https://auth.example.com", "https://login.example.de"];
    let urls = urls.map(|url| Url::parse(url).expect("a URL"));
    assert!(RelyingParty::new("example.com", &urls[..2], "x").is_ok());
    assert_eq!(RelyingParty::new("example.com", &urls, "x").map(drop), Err(Unusable));
    assert_eq!(RelyingParty::new("example.com", [], "x").map(drop), Err(Unusable));
}

#[test]
fn a_passkey_is_good_on_every_host_of_the_pool_and_nowhere_else() {
    let urls = [ORIGIN, "https://auth.login.example"].map(|url| Url::parse(url).expect("a URL"));
    let party = RelyingParty::new("login.example", &urls, "Example").expect("usable");
    for (origin, is_ours) in [(ORIGIN, true), ("https://auth.login.example", true), ("https://x.login.example", false)]
    {
        let mut device = Device::new();
        device.origin = origin;
        let begun = party.register("sub-of-ada", "ada", &[]).expect("begun");
        assert_eq!(party.registered(&device.create(begun.options()), &begun).is_ok(), is_ours, "{origin}");
    }
}
