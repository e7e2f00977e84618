//! Whatever the file holds, the answer is a report.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

use super::{SOUND, temporary_directory};
use crate::config::MissingKeys;
use crate::config::document::findings::Findings;
use crate::config::document::parse::parse;
use crate::config::document::source::Source;
use crate::config::load;

fn load_anything(text: &str) {
    let directory = std::env::temp_dir();
    let source = Source::text("any.yaml", &directory, text);
    let mut found = Findings::default();
    let _ = parse(text, &source.environment, &mut found);
    if let Err(report) = load(&source, MissingKeys::Refuse) {
        let text = report.to_string();
        assert!(text.contains("error: "), "{text}");
        // The types take whatever the schema lets through.
        assert!(!text.contains("the file cannot be read: "), "{text}");
    }
}

/// Text made of what YAML gives a meaning to.
fn yaml_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("listeners:"),
        Just("\n"),
        Just("  "),
        Just("- "),
        Just("name: "),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("&a "),
        Just("*a"),
        Just("<<: "),
        Just("!!str "),
        Just("|"),
        Just(">"),
        Just("'"),
        Just("\""),
        Just("\t"),
        Just("${X}"),
        Just("$${"),
        Just("---"),
        Just("..."),
        Just("? "),
        Just(": "),
        Just("# "),
        Just("5"),
        Just("~"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        load_anything(&text);
    }

    #[test]
    fn anything_like_yaml_is_answered(text in yaml_like()) {
        load_anything(&text);
    }

    /// A sound file with one line cut out, doubled or cut short.
    #[test]
    fn any_mutilation_of_a_sound_file_is_answered(line in 0..SOUND.lines().count(), cut in 0..30_usize, way in 0..3_u8) {
        let mut lines: Vec<String> = SOUND.lines().map(str::to_owned).collect();
        match way {
            0 => { lines.remove(line); },
            1 => lines.insert(line, lines[line].clone()),
            _ => lines[line] = lines[line].chars().take(cut).collect(),
        }
        load_anything(&lines.join("\n"));
    }
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", [below.as_str(); 10].join(", "));
    }
    let directory = temporary_directory("bomb");
    let report = load(&Source::text("bomb.yaml", &directory, &text), MissingKeys::Refuse).unwrap_err();
    assert!(report.to_string().contains("more than 100000 values"), "{report}");
}

#[test]
fn a_deep_file_is_refused_and_not_recursed_into() {
    let directory = temporary_directory("deep");
    let text = "[".repeat(70) + &"]".repeat(70);
    let report = load(&Source::text("deep.yaml", &directory, &text), MissingKeys::Refuse).unwrap_err();
    assert!(report.to_string().contains("more than 64 levels deep"), "{report}");
}
