use super::*;

#[test]
fn a_template_is_cut_at_its_placeholders() {
    let check = |template, expected: &[Piece<'_>]| assert_eq!(pieces(template), expected, "{template}");
    check("", &[]);
    check("Hello", &[Piece::Words("Hello")]);
    check("{####}{username}", &[Piece::Secret, Piece::Username]);
    check("Hi {username}, ", &[Piece::Words("Hi "), Piece::Username, Piece::Words(", ")]);
    check("{##Confirm it##}", &[Piece::Link("Confirm it")]);
    check(
        "{title} {host} {lifetime}",
        &[Piece::Title, Piece::Words(" "), Piece::Host, Piece::Words(" "), Piece::Lifetime],
    );
    // What is no placeholder stays as it is: styles in HTML have braces.
    for words in ["a{color:red}", "{", "{###}", "{#####}", "{## ##", "{##a{b##}", "}{", "{ö}"] {
        check(words, &[Piece::Words(words)]);
    }
}

#[test]
fn a_typing_error_is_found() {
    for (template, expected) in [
        ("Hello {user}", Some("user")),
        ("{###}", Some("###")),
        ("{username} {code}", Some("code")),
        ("{username} {####} {##a##}", None),
        ("p{color:red} @media x { p { } }", None),
        ("{}", None),
    ] {
        assert_eq!(unknown(template), expected, "{template}");
    }
}
