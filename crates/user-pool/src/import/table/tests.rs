use super::*;
use crate::import::reader::{Format, Reader};
use crate::import::row::Item;

/// The header that Cognito gives (pool §14.1).
const HEADER: &str = "cognito:username,name,given_name,family_name,middle_name,nickname,preferred_username,profile,picture,website,email,\
                      email_verified,gender,birthdate,zoneinfo,locale,phone_number,phone_number_verified,address,updated_at,cognito:mfa_enabled";

fn table(dialect: Dialect, header: &str) -> Table {
    Table::parse(dialect, header).expect("a header")
}

#[test]
fn cognitos_file_is_read() {
    let cognito = table(Dialect::Cognito, HEADER);
    let line = r"ada,Ada\, Countess of Lovelace,,,,,,,,,ada@example.com,TRUE,,12/10/1815,,,,,,,FALSE";
    let row = cognito.row(line).expect("a row");
    assert_eq!(row.username, "ada");
    let attributes: Vec<_> = row.attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [
        ("name", "Ada, Countess of Lovelace"),
        ("email", "ada@example.com"),
        ("email_verified", "TRUE"),
        ("birthdate", "1815-12-10"),
    ];
    assert_eq!(attributes, expected);
    let mfa = Fault::Form { name: "cognito:mfa_enabled".into(), expected: "true or false" };
    for (line, fault) in [
        ("ada,,,,,,,,,,a@example.com,TRUE,,,,,,,,,", mfa),
        ("ada,,,,,,,,,,a@example.com,FALSE,,,,,,,,,TRUE", Fault::NothingVerified),
        (",,,,,,,,,,a@example.com,TRUE,,,,,,,,,TRUE", Fault::Missing("cognito:username")),
        ("ada,Ada", Fault::Fields { found: 2, expected: 21 }),
    ] {
        assert_eq!(cognito.row(line).expect_err("a fault"), fault, "{line}");
    }
}

#[test]
fn a_file_with_quotes_is_read() {
    let rfc = table(Dialect::Rfc4180, "username,name,groups,password_hash,sub");
    let row = rfc.row(r#"ada,"Ada ""A"" L., Countess",ops|dev,"$2b$12$x,y",s-1"#).expect("a row");
    assert_eq!(row.attributes[0].1, r#"Ada "A" L., Countess"#);
    assert_eq!(row.groups, ["ops", "dev"]);
    assert_eq!(row.password_hash.expect("a hash").expose(), "$2b$12$x,y");
    for line in [r#"ada,"x"#, r#"ada,x"y,,,"#, r#"ada,"x"y,,,"#] {
        assert_eq!(rfc.row(line).expect_err("a fault"), Fault::Quote, "{line}");
    }
    assert!(rfc.is_open("ada,\"two"));
    assert!(!table(Dialect::Cognito, "username").is_open("ada,\"two"));
}

#[test]
fn a_header_must_be_understood() {
    let fault = |header: &str| Table::parse(Dialect::Cognito, header).expect_err("a fault");
    assert_eq!(fault("username,colour"), HeaderFault::Unknown("colour".into()));
    assert_eq!(fault("name"), HeaderFault::NoUsername);
    assert_eq!(fault("username,cognito:username"), HeaderFault::Twice("cognito:username".into()));
}

#[test]
fn a_bad_line_takes_no_other_with_it() {
    let text = "username,name\nada,\"two\nlines\"\n\nbob\neve,Eve\ndan,\"open";
    let mut reader = Reader::new(Format::Table(Dialect::Rfc4180), text.as_bytes()).expect("a header");
    let mut seen = Vec::new();
    while let Some((line, item)) = reader.record().expect("read") {
        let name = item.map(|item| match item {
            Item::User(row) => row.username,
            Item::Group(group) => group.name,
        });
        seen.push((line, name));
    }
    let fields = Fault::Fields { found: 1, expected: 2 };
    assert_eq!(seen, [(2, Ok("ada".into())), (5, Err(fields)), (6, Ok("eve".into())), (7, Err(Fault::Quote))]);
    assert_eq!(reader.take_bytes(), text.len() as u64);
}
