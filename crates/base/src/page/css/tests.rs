//! What passes has no foreign reference, whatever the file is.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

use super::*;
use crate::page::css::problem::PROBLEMS_MAX;

#[track_caller]
fn passes(text: &str, expected: &str) {
    match Stylesheet::read(text) {
        Ok(sheet) => assert_eq!(std::str::from_utf8(sheet.text()).expect("UTF-8").trim_end(), expected, "{text}"),
        Err(problems) => panic!("{text}: {problems:?}"),
    }
}

/// A file is refused, with this text for one of these lines.
#[track_caller]
fn refused(text: &str, line: u32, message: &str) {
    let problems = Stylesheet::read(text).expect_err(text);
    let is_told = problems.iter().any(|problem| problem.line == line && problem.message.contains(message));
    assert!(is_told, "{text}: {problems:?}");
}

#[test]
fn what_designers_write_passes() {
    passes("", "");
    passes("/* nothing */\n", "");
    passes("h1 { color : #0a7 ; }", "h1{color:#0a7 ;}");
    passes("h1,\nh2>a:hover{margin:-.5rem 1E2px}", "h1,h2>a:hover{margin:-.5rem 1E2px;}");
    passes("main .a.b#c~p::placeholder{}", "main .a.b#c~p::placeholder{}");
    passes(".a/**/.b{}", ".a.b{}");
    passes("input[type='email' ]:not(:focus, .x){}", "input[type=\"email\"]:not(:focus,.x){}");
    passes("li:nth-child( 2n + 1 ){}", "li:nth-child( 2n + 1 ){}");
    passes("p{font:italic 1rem/1.5 'Ünïcode Sans',serif}", "p{font:italic 1rem / 1.5 \"Ünïcode Sans\",serif;}");
    passes(":root{--gap:calc((1px + 2 * var(--x))/3)}", ":root{--gap:calc((1px + 2  * var(--x)) / 3);}");
    passes("p{color:red!important;;width:1px}", "p{color:red!important;width:1px;}");
    passes("p{margin:1px/**/2px}", "p{margin:1px/**/2px;}");
    passes("p{width:calc/**/(1px)}", "p{width:calc/**/(1px);}");
    passes(
        "@media screen and (max-width:600px) , print{p{color:red}}",
        "@media screen and (max-width:600px) , print{p{color:red;}\n}",
    );
    passes("@media(prefers-color-scheme:dark){p{}}", "@media(prefers-color-scheme:dark){p{}\n}");
    passes(
        "main{background:URL( data:image/png;base64,AA== )}",
        "main{background:url(\"data:image/png;base64,AA==\");}",
    );
    let with = |text: &str| Stylesheet::read(text).expect("sound").has_pictures();
    assert!(with("main{background:url('data:image/svg+xml;base64,AA')}") && !with("main{background:red}"));
}

#[test]
fn files_for_the_pages_of_cognito_work() {
    // The file that the guide of AWS gives as an example, shortened.
    let theirs = ".logo-customizable {\n\tmax-width: 60%;\n\tmax-height: 30%;\n}\n.banner-customizable {\n\tpadding: 25px 0px 25px 0px;\n\tbackground-color: lightgray;\n}\n\
        .label-customizable {\n\tfont-weight: 400;\n}\n.textDescription-customizable {\n\tpadding-top: 10px;\n\tdisplay: block;\n\tfont-size: 16px;\n}\n\
        .legalText-customizable {\n\tcolor: #747474;\n\tfont-size: 11px;\n}\n.submitButton-customizable:hover {\n\tcolor: #fff;\n\tbackground-color: #286090;\n}\n\
        .errorMessage-customizable {\n\tborder: 2px solid #D64958;\n}\n.inputField-customizable:focus {\n\tborder-color: #66afe9;\n\toutline: 0;\n}\n\
        .socialButton-customizable {\n\theight: 40px;\n}\n.redirect-customizable {\n\ttext-align: center;\n}\n.passwordCheck-notValid-customizable {\n\tcolor: #DF3312;\n}\n\
        .background-customizable {\n\tbackground-color: #fff;\n}\n";
    let sheet = Stylesheet::read(theirs).expect("it passes");
    let text = std::str::from_utf8(sheet.text()).expect("UTF-8");
    assert!(text.contains(":is(.submitButton-customizable,:where(.button)):hover{color:#fff;"), "{text}");
    assert!(text.contains("{border-color:#66afe9;outline:0;}"), "{text}");
    assert!(text.contains(".redirect-customizable{"), "{text}");
}

#[test]
fn u_30_hostile_files_are_refused_with_the_line() {
    // Addresses elsewhere, in each way to write them.
    for address in [
        "url(https://evil.test/a)",
        "url('https://evil.test/a')",
        "URL(\"//evil.test/a\")",
        "url(/a)",
        "url(a.png)",
        "url()",
        "url(data:text/html;base64,AA)",
        "url(data:image/png,AA)",
        "url(data:image/png;base64,)",
        "url(DATA:image/png;base64,AA)",
        "url('data:image/png;base64,AA\"),url(//evil.test')",
        "url(javascript:alert(1))",
        "url(var(--x))",
        "u/**/rl(//evil.test)",
        "image-set('https://evil.test/a' 1x)",
        "-webkit-image-set(url(//evil.test) 1x)",
        "image('https://evil.test/a')",
        "src('https://evil.test/a')",
        "cross-fade(url(//evil.test),red)",
        "element(#password)",
        "attr(value)",
        "attr(value url)",
        "expression(alert(1))",
        "paint(x)",
        "env(x)",
        "linear-gradient(red,image-set('//evil.test'))",
        "\\75rl(//evil.test)",
        "\\000075\\000072\\00006c(//evil.test)",
        "ur\\l(//evil.test)",
        "'https://evil.test'",
        "red<!--",
        "</style><script>alert(1)</script>",
        "a\u{0}b",
        "\u{ff55}rl(//evil.test)",
        "@import 'x'",
        "{}",
        "",
    ] {
        refused(&format!("h1{{}}\np{{background:{address}}}"), 2, "");
        refused(&format!("h1{{}}\np{{--x:{address}}}"), 2, "");
    }
    for rule in [
        "@import 'https://evil.test/a.css';",
        "@import url(//evil.test);",
        "@\\69mport 'x';",
        "@IMPORT \"x\";",
        "@charset 'utf-8';",
        "@namespace url(//evil.test);",
        "@font-face{font-family:x;src:url(//evil.test)}",
        "@supports (display:grid){p{}}",
        "@layer a;",
        "@keyframes x{from{}}",
        "@document url(//evil.test){}",
        "@media{p{}}",
        "@media (a:b){p{}}",
        "@media screen;p{}",
        "@media url(//evil.test){}",
        "@media screen{@import 'x';}",
        "@media screen{@media print{}}",
        "@media screen{p{}",
        "<!-- p{} -->",
        "p{",
        "p{color:red",
        "p{color:rgb(1,2}",
        "p{color:rgb(1,2",
        "p{a{color:red}}",
        "p{&:hover{color:red}}",
        "p{color}",
        "p{:red}",
        "}",
        "p",
        "p,{}",
        "{}",
        ">p{}",
        "p:visited{}",
        "p:has(a){}",
        "p:not({}",
        "p:nth-child(x){}",
        "p::cue{}",
        "a:{}",
        ".{}",
        "svg|p{}",
        "input[value^='a']{}",
        "input[value='a']{}",
        "input[type^='a']{}",
        "input[type='a\" i],[x']{}",
        "/* p{}",
        "/*/ p{}",
        "p{font-family:'x}",
        "p{font-family:'x\n'}",
        "p{font-family:'a:b'}",
        "p{position:fixed}",
        "p{z-index:1}",
        "p{content:'x'}",
        "p{behavior:url(x.htc)}",
        "p{-moz-binding:url(x)}",
        "p{animation:x}",
        "p{color:red!x}",
        "p{filter:progid:DXImageTransform.Microsoft.gradient()}",
        "p{*zoom:1}",
        "p{color:red;@import 'x'}",
    ] {
        refused(&format!("h1{{}}\n\n{rule}"), 3, "");
    }
    refused(
        "p{color:red;\nposition:fixed;\nz-index:1}\nh1{color:red}\n@import 'x';\n",
        5,
        "put the rules of the other file",
    );
    refused("p{color:red;\nposition:fixed;\nz-index:1}", 3, "`z-index`");
    assert_eq!(Stylesheet::read(&"p{z-index:1}".repeat(99)).expect_err("refused").len(), PROBLEMS_MAX);
    refused(&" ".repeat(BYTES_MAX + 1), 1, "131073 bytes");
    refused(&format!("p{{width:{}1px", "calc(".repeat(20_000)), 1, "nested too deep");
    refused(&format!("p{{--x:{}", "[".repeat(20_000)), 1, "`[`");
    refused(&format!("{}p{{}}", ":not(".repeat(20_000)), 1, ":not");
}

/// Pieces that mean something in CSS, or did in some browser.
fn piece() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "url(",
        "URL(",
        "u",
        "rl(",
        ")",
        "(",
        "//evil.test",
        "https://evil.test",
        "\"",
        "'",
        "\\",
        "\\75",
        "/*",
        "*/",
        "/",
        "*",
        "<",
        "@import",
        "@media",
        "screen",
        "(width:1px)",
        "{",
        "}",
        ";",
        ":",
        ",",
        "p",
        ".a",
        "#b",
        "[type=",
        "]",
        "color",
        "red",
        "font",
        "background",
        "--x",
        "!important",
        "image-set(",
        "var(--x)",
        "calc(",
        "1px",
        "-",
        "+",
        ".",
        "data:image/png;base64,AA",
        "\n",
        " ",
        "\u{c}",
        "\u{0}",
        "\u{feff}",
        "-->",
        ":hover",
        "::before",
        "expression(",
        "attr(",
        "}p{",
        "}p{background:",
        "p{font-family:",
    ];
    prop_oneof![
        12 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => Just("p{background:url(\"data:image/png;base64,AA\")}".to_owned()),
    ]
}

proptest! {
    #[test]
    fn u_30_what_passes_has_no_foreign_reference(pieces in prop::collection::vec(piece(), 0..14), inside in any::<bool>()) {
        let pieces = pieces.concat();
        let text = if inside { format!("p{{background:{pieces}}}") } else { pieces };
        if let Ok(sheet) = Stylesheet::read(&text) {
            let out = std::str::from_utf8(sheet.text()).expect("UTF-8");
            without_reference(out);
            // What was written is read in the same way.
            let again = Stylesheet::read(out).unwrap_or_else(|problems| panic!("{text:?} became {out:?}: {problems:?}"));
            assert_eq!(squeezed(again.text()), squeezed(sheet.text()), "{text:?}");
        }
    }
}

fn squeezed(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| *byte != b' ').collect()
}

/// Knows nothing of how the file was read.
#[track_caller]
fn without_reference(out: &str) {
    let lower = out.to_ascii_lowercase();
    for never in [
        "\\",
        "<",
        "//",
        "http",
        "@import",
        "@font-face",
        "expression",
        "image-set",
        "attr(",
        "element(",
        "src(",
        "javascript",
    ] {
        assert!(!lower.contains(never), "{never} in {out:?}");
    }
    for (at, _) in lower.match_indices("url(") {
        assert!(lower[at..].starts_with("url(\"data:image/"), "{out:?}");
    }
    for (at, _) in lower.match_indices('@') {
        assert!(lower[at..].starts_with("@media"), "{out:?}");
    }
    assert_eq!(lower.matches('{').count(), lower.matches('}').count(), "{out:?}");
    assert!(
        lower.matches('"').count().is_multiple_of(2)
            && !lower.chars().any(|character| character.is_control() && character != '\n'),
        "{out:?}"
    );
}
