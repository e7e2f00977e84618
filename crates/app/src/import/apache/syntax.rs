//! The text of an Apache configuration: logical lines, and the words of a line. As `ap_cfg_getline` and `ap_getword_conf` of the server read
//! them (Apache HTTP Server 2.4, "Configuration Files").

/// Bytes of a logical line, after variables were put in.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;

/// A line with everything that is joined to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The number of its first line, from 1.
    pub(super) number: usize,
    /// Without white space around it.
    pub(super) text: String,
}

/// The logical lines that are neither empty nor comments. A backslash at the end joins a line with the next, also that of a comment.
///
/// # Errors
///
/// In a sentence, with the number of the line.
pub(super) fn lines(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    let mut open: Option<Line> = None;
    for (index, part) in text.split('\n').enumerate() {
        let part = part.strip_suffix('\r').unwrap_or(part);
        if part.contains('\0') {
            return Err(format!("line {} has a NUL", index + 1));
        }
        let mut line = open.take().unwrap_or(Line { number: index + 1, text: String::new() });
        let continued = part.strip_suffix('\\');
        // Versions of Apache differ on whether the second backslash takes the meaning from the first.
        if continued.is_some_and(|rest| rest.ends_with('\\')) {
            return Err(format!("line {} ends with two backslashes", index + 1));
        }
        line.text.push_str(continued.unwrap_or(part));
        if line.text.len() > LINE_BYTES_MAX {
            return Err(format!("line {} is longer than {LINE_BYTES_MAX} bytes", line.number));
        }
        if continued.is_some() {
            open = Some(line);
        } else {
            close(line, &mut lines);
        }
    }
    open.into_iter().for_each(|line| close(line, &mut lines));
    Ok(lines)
}

fn close(line: Line, lines: &mut Vec<Line>) {
    let text = line.text.trim_matches(is_space);
    if !text.is_empty() && !text.starts_with('#') {
        lines.push(Line { number: line.number, text: text.to_owned() });
    }
}

/// White space of the C locale.
fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

/// The first word and the rest behind it.
pub(super) fn first_word(text: &str) -> (String, &str) {
    let text = text.trim_start_matches(is_space);
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    let (mut word, mut letters) = (String::new(), text.char_indices().skip(usize::from(quote.is_some())).peekable());
    while let Some((at, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        match (quote, letter) {
            (Some(quote), _) if letter == quote => return (word, text[at + 1..].trim_start_matches(is_space)),
            (None, _) if is_space(letter) => return (word, text[at..].trim_start_matches(is_space)),
            (_, '\\') if next == Some('\\') || next.is_some() && next == quote => {
                letters.next();
                word.extend(next);
            }
            _ => word.push(letter),
        }
    }
    (word, "")
}

/// All words.
pub(super) fn words(text: &str) -> Vec<String> {
    let (mut words, mut rest) = (Vec::new(), text.trim_start_matches(is_space));
    while !rest.is_empty() {
        let (word, behind) = first_word(rest);
        words.push(word);
        rest = behind;
    }
    words
}

/// A line that opens a section: its name, and what is between the name and the last `>`. `None` for other lines.
///
/// # Errors
///
/// If there is no `>`, or something behind it.
pub(super) fn opening(text: &str) -> Option<Result<(String, &str), String>> {
    let inside = text.strip_prefix('<').filter(|inside| !inside.starts_with('/'))?;
    let Some((inside, behind)) = inside.rsplit_once('>') else { return Some(Err("a section has no `>`".to_owned())) };
    if !behind.trim().is_empty() {
        return Some(Err("something follows the `>` of a section".to_owned()));
    }
    let end = inside.find(is_space).unwrap_or(inside.len());
    Some(Ok((inside[..end].to_owned(), inside[end..].trim_matches(is_space))))
}

/// The name in a line that closes a section.
pub(super) fn closing(text: &str) -> Option<&str> {
    Some(text.strip_prefix("</")?.trim_end_matches('>').trim_matches(is_space))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_comments_are_left_out() {
        let read = |text: &str| {
            lines(text).map(|lines| lines.into_iter().map(|line| (line.number, line.text)).collect::<Vec<_>>())
        };
        let line = |number: usize, text: &str| (number, text.to_owned());
        assert_eq!(read("  A 1 \r\n\n# x\nB \\\n  2\nC").unwrap(), [line(1, "A 1"), line(4, "B   2"), line(6, "C")]);
        // The second line belongs to the comment.
        assert_eq!(read("# x \\\nRequire all denied\nD").unwrap(), [line(3, "D")]);
        assert_eq!(read("A # no comment").unwrap(), [line(1, "A # no comment")]);
        assert_eq!(read("A\\").unwrap(), [line(1, "A")]);
        assert!(read("A\n B \\\\\nC").unwrap_err().starts_with("line 2"));
        assert!(read("A\0").is_err() && read(&"x".repeat(LINE_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn words_are_read_as_apache_reads_them() {
        for (text, expected) in [
            ("a  b\tc", &["a", "b", "c"][..]),
            (r#""a b" 'c d'"#, &["a b", "c d"]),
            (r#""a \" b" "\\" "\n""#, &["a \" b", "\\", "\\n"]),
            (r"a\\b a\b", &["a\\b", "a\\b"]),
            (r#""a"b"#, &["a", "b"]),
            (r#""open to the end"#, &["open to the end"]),
            (r#"a"b c"#, &["a\"b", "c"]),
            (r#""" x"#, &["", "x"]),
            ("", &[]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn sections_have_a_name_and_words() {
        let open = |text| opening(text).map(Result::ok);
        assert_eq!(open("<Location \"/a>b\">"), Some(Some(("Location".to_owned(), "\"/a>b\""))));
        assert_eq!(open("<RequireAll>"), Some(Some(("RequireAll".to_owned(), ""))));
        assert_eq!(open("Location /a"), None);
        assert_eq!(open("</Location>"), None);
        assert_eq!(open("<Location /a"), Some(None));
        assert_eq!(open("<Location /a> Require all granted"), Some(None));
        assert_eq!(closing("</Location >"), Some("Location"));
    }
}
