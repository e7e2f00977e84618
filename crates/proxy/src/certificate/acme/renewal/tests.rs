use super::*;
use crate::certificate::acme::settings::Challenge;
use crate::testing::temporary_directory;

fn settings(directory: &str, folder: &std::path::Path, names: &[&str]) -> Option<Settings> {
    Some(Settings {
        directory: directory.parse().unwrap(),
        roots: Vec::new(),
        folder: folder.to_owned(),
        contact: None,
        challenge: Challenge::Http01,
        names: names.iter().map(|name| Arc::from(*name)).collect(),
    })
}

const ONE: &str = "https://one.test/directory";

fn renewal() -> Renewal {
    Renewal::new(&Arc::default(), &Clock::manual(Timestamp::from_seconds(1_795_507_200)).0, &Registry::default())
}

#[test]
fn a_configuration_with_other_names_keeps_what_is_known_of_the_others() {
    let folder = temporary_directory("acme-adopt");
    let renewal = renewal();
    assert!(renewal.troubles().is_empty());
    renewal.adopt(settings(ONE, &folder, &["a.test", "b.test"]));
    let b = Arc::from("b.test");
    renewal.set(&b, renewal.refused(&b, renewal.state(&b).unwrap(), &Error::Timeout));
    let due = renewal.state(&b).unwrap().due;
    assert!(due > renewal.clock.now());
    renewal.adopt(settings(ONE, &folder, &["b.test", "c.test"]));
    let failed = "certificate for b.test: not there: no certificate in time";
    assert_eq!(renewal.troubles(), [failed, "certificate for c.test: not there yet"]);
    assert_eq!(renewal.state(&b).unwrap().due, due, "it is not asked sooner");
    // An attempt for a name that is gone ends later.
    renewal.set(&Arc::from("a.test"), renewal.state(&b).unwrap());
    assert_eq!(renewal.troubles().len(), 2);
    renewal.adopt(settings("https://other.test/directory", &folder, &["b.test"]));
    assert_eq!(renewal.troubles(), ["certificate for b.test: not there yet"]);
    renewal.adopt(None);
    assert!(renewal.troubles().is_empty());
}

#[test]
fn a_certificate_of_the_folder_is_shown_at_once_if_it_is_for_the_name() {
    let folder = temporary_directory("acme-found");
    let pair = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
    for name in ["a.test", "b.test"] {
        let text = pair.signing_key.serialize_pem() + &pair.cert.pem();
        std::fs::write(folder.join(format!("{name}.pem")), text).unwrap();
    }
    let renewal = renewal();
    renewal.adopt(settings(ONE, &folder, &["a.test", "b.test"]));
    assert!(renewal.issued.certificate("a.test").is_some());
    assert!(renewal.issued.certificate("b.test").is_none());
    let said = "certificate for b.test: not there: the certificate is for another name";
    assert_eq!(renewal.troubles(), [said]);
}

#[test]
fn what_the_authority_says_is_one_line_of_bounded_length() {
    let said = in_short(&Error::NotVerified("line\nline\u{1b}[31m".repeat(1000)));
    assert_eq!(said.chars().count(), TROUBLE_MAX);
    assert!(!said.contains(char::is_control), "{said}");
}
