use super::*;

/// What `text` means, or the first thing said against it.
fn read(text: &str) -> Result<Value, String> {
    let environment = Environment::Given([("NAME".to_owned(), "value".to_owned())].into());
    let mut found = Findings::default();
    let parsed = parse(text, &environment, &mut found);
    match found.located(parsed.as_ref().ok().map(|parsed| &parsed.root)).first() {
        Some(diagnostic) => Err(diagnostic.message.clone()),
        None => Ok(parsed.unwrap().root.value),
    }
}

#[track_caller]
fn check(scalar: &str, expected: Value) {
    let Value::Mapping(entries) = read(&format!("key: {scalar}")).unwrap() else { panic!("not a mapping") };
    assert_eq!(entries[0].value.value, expected, "{scalar}");
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

#[test]
fn scalars_are_of_the_core_schema() {
    for (scalar, expected) in [
        ("", Value::Null),
        ("~", Value::Null),
        ("null", Value::Null),
        ("true", Value::Bool(true)),
        ("False", Value::Bool(false)),
        ("7", Value::Integer(7)),
        ("-7", Value::Integer(-7)),
        ("+7", Value::Integer(7)),
        ("0x1F", Value::Integer(31)),
        ("0o17", Value::Integer(15)),
        ("1.5", Value::Float(1.5)),
        ("1e3", Value::Float(1000.0)),
    ] {
        check(scalar, expected);
    }
}

#[test]
fn what_only_looks_like_something_else_is_text() {
    for scalar in [
        "no",
        "on",
        "off",
        "yes",
        "y",
        "8h",
        "127.0.0.1",
        "127.0.0.1:3000",
        "12:30:45",
        "0x",
        "0o9",
        "1_000",
        "nan",
        ".inf",
        "infinity",
        "e",
        "2026-11-24",
        "0b1",
    ] {
        check(scalar, text(scalar));
    }
    check("\"7\"", text("7"));
    check("'true'", text("true"));
    check("!!str 7", text("7"));
    check("\"\"", text(""));
    // Too large for a number of ours, and still a number to whoever wrote it.
    check("99999999999999999999", Value::Float(99_999_999_999_999_999_999.0));
}

#[test]
fn variables_are_put_in_once() {
    let substituted =
        |text: &str, written: &str| Value::Substituted { text: text.to_owned(), written: written.to_owned() };
    check("${NAME}", substituted("value", "${NAME}"));
    check("a${NAME}b${NAME}", substituted("avaluebvalue", "a${NAME}b${NAME}"));
    check("'$${NAME}'", substituted("${NAME}", "$${NAME}"));
    check("$NAME", text("$NAME"));
    check("'#{host}'", text("#{host}"));
    for bad in ["${OTHER}", "${}", "${1X}", "${NAME", "${N-M}", "\"${NA ME}\""] {
        assert!(read(&format!("key: {bad}")).is_err(), "{bad}");
    }
}

#[test]
fn anchors_stand_for_what_they_name() {
    let Value::Mapping(entries) =
        read("a: &x { b: 1, c: 2 }\nd: *x\ne: { <<: *x, c: 3 }\nf: { <<: [*x, { g: 4 }] }").unwrap()
    else {
        panic!("not a mapping")
    };
    assert_eq!(entries[0].value, entries[1].value);
    assert_eq!(entries[2].value.get("c").unwrap().value, Value::Integer(3));
    assert_eq!(entries[2].value.get("b").unwrap().value, Value::Integer(1));
    assert_eq!(entries[3].value.get("g").unwrap().value, Value::Integer(4));
}

#[test]
fn what_could_mean_two_things_is_refused() {
    for bad in [
        "a: 1\na: 2",
        "a: 1\n---\nb: 2",
        "a: !binary aGk=",
        "a: !!int 7",
        "a: &x [*x]",
        "a: *nobody",
        "<<: 7",
        "? [a]\n: b",
        "",
        "# nothing",
        "---\n...\n---\n",
        "a: [",
        "a: b: c",
        "a:\n\t- 1",
    ] {
        assert!(read(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn spans_are_those_of_the_text() {
    for line_end in ["\n", "\r\n"] {
        let source = "ä: \"ö\"\na:\n  - x\n  - { b: \"ü\", c: 7 } # é\nd: |\n  block\n".replace('\n', line_end);
        let parsed = parse(&source, &Environment::Given([].into()), &mut Findings::default()).unwrap();
        let at = |path: &Path, on_key| {
            let span = parsed.root.locate(path, on_key);
            (source[..span.start].matches('\n').count() + 1, &source[span.start..span.end])
        };
        let item = Path::default().key("a").index(1);
        assert_eq!(at(&Path::default().key("ä"), false), (1, "\"ö\""));
        assert_eq!(at(&Path::default().key("a"), false), (2, "a"));
        assert_eq!(at(&Path::default().key("a").index(0), false), (3, "x"));
        assert_eq!(at(&item.key("b"), true), (4, "b"));
        assert_eq!(at(&item.key("b"), false), (4, "\"ü\""));
        assert_eq!(at(&item.key("c"), false), (4, "7"));
        assert_eq!(at(&Path::default().key("d"), false), (5 + 1, "block"));
        // What is not there is where it would have to be.
        assert_eq!(at(&item.key("missing"), false).0, 4);
    }
}

#[test]
fn every_scalar_is_told_of_even_if_it_does_not_count() {
    let source = "a: 1\na: 2\nb: { <<: { c: 3 }, c: 4 }\n";
    let parsed = parse(source, &Environment::Given([].into()), &mut Findings::default()).unwrap();
    let all: Vec<_> = parsed.scalars.iter().map(|span| &source[span.start..span.end]).collect();
    assert_eq!(all, ["a", "1", "a", "2", "b", "<<", "c", "3", "c", "4"]);
}
