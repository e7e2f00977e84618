//! Texts of servers, as a terminal may show them.

/// The text without what a terminal would obey instead of showing it: control characters with their escape sequences, and characters that turn
/// or hide others (Unicode TR 36 §2.8). Cut to `most` characters.
pub(super) fn printable(text: &str, most: usize) -> String {
    let is_shown = |c: &char| !c.is_control() && !is_invisible(*c);
    text.chars().filter(is_shown).take(most).collect()
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        for (text, shown) in [
            ("WDJB-MJHT", "WDJB-MJHT"),
            ("a\u{1b}[2J\u{1b}]0;title\u{7}b", "a[2J]0;titleb"),
            ("a\r\nb\tc\u{8}", "abc"),
            ("\u{9b}31mred\u{85}", "31mred"),
            ("user\u{202e}txt.exe\u{2066}\u{200b}\u{feff}", "usertxt.exe"),
            ("Zürich 東京 🙂", "Zürich 東京 🙂"),
        ] {
            assert_eq!(printable(text, 100), shown, "{text:?}");
        }
        assert_eq!(printable(&"é".repeat(1000), 10), "é".repeat(10));
    }
}
