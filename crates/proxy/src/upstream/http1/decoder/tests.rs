use super::*;

/// The data, the trailers as `name=value;`, and the bytes after the end.
type Taken = (Vec<u8>, String, Option<Vec<u8>>);

/// Decodes `text`, cut at `cuts`.
fn decode(length: Length, text: &[u8], cuts: &[usize]) -> Result<Taken, Malformed> {
    let mut decoder = Decoder::new(length);
    let (mut data, mut fields) = (Vec::new(), String::new());
    let mut begin = 0;
    for end in cuts.iter().copied().chain([text.len()]) {
        let mut bytes = Bytes::copy_from_slice(&text[begin..end]);
        begin = end;
        loop {
            match decoder.decode(&mut bytes)? {
                Decoded::Data(part) => {
                    assert!(!part.is_empty(), "a frame without data");
                    data.extend_from_slice(&part);
                }
                Decoded::Trailers(trailers) => {
                    for (name, value) in &trailers {
                        fields.push_str(&format!("{name}={};", value.to_str().expect("text")));
                    }
                }
                Decoded::Short => {
                    assert!(bytes.is_empty(), "it asks for more and leaves some");
                    break;
                }
                Decoded::End => return Ok((data, fields, Some([&bytes, &text[end..]].concat()))),
            }
        }
    }
    Ok((data, fields, None))
}

/// Checks that the result is the same if the bytes arrive at once, one by one, or cut in two anywhere.
#[track_caller]
fn expect(length: Length, text: &str, data: &str, fields: &str, left: Option<&str>) {
    let text = text.as_bytes();
    let each: Vec<usize> = (1..text.len()).collect();
    let cuts = std::iter::once(Vec::new()).chain([each.clone()]).chain(each.iter().map(|at| vec![*at]));
    for cuts in cuts {
        let expected = (data.as_bytes().to_vec(), fields.to_owned(), left.map(|left| left.as_bytes().to_vec()));
        assert_eq!(decode(length, text, &cuts), Ok(expected), "cut at {cuts:?}");
    }
}

#[track_caller]
fn refused(text: &str, error: Malformed) {
    let text = text.as_bytes();
    let each: Vec<usize> = (1..text.len()).collect();
    for cuts in [&[][..], &each] {
        assert_eq!(decode(Length::Chunked, text, cuts), Err(error), "{}", text.escape_ascii());
    }
}

#[test]
fn a_length_ends_after_it() {
    expect(Length::Exact(5), "hello", "hello", "", Some(""));
    expect(Length::Exact(5), "hel", "hel", "", None);
    expect(Length::Exact(3), "helHTTP/1.1 200 OK", "hel", "", Some("HTTP/1.1 200 OK"));
    assert_eq!(decode(Length::Exact(0), b"x", &[]), Ok((Vec::new(), String::new(), Some(b"x".to_vec()))));
}

#[test]
fn without_a_length_all_is_body() {
    expect(Length::UntilClose, "all of it", "all of it", "", None);
    assert!(Decoder::new(Length::UntilClose).may_end());
    assert!(!Decoder::new(Length::Chunked).may_end() && !Decoder::new(Length::Exact(1)).may_end());
}

#[test]
fn chunks_are_taken_out_of_their_framing() {
    for (text, data, fields, left) in [
        ("5\r\nhello\r\n0\r\n\r\n", "hello", "", Some("")),
        ("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", "", Some("")),
        ("0\r\n\r\n", "", "", Some("")),
        ("000\r\n\r\n", "", "", Some("")),
        ("A\r\n0123456789\r\n0000000a\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij", "", Some("")),
        ("2;name=value\r\nhi\r\n0;last\r\n\r\n", "hi", "", Some("")),
        ("2 \t;n = \"v\"\r\nhi\r\n0 \r\n\r\n", "hi", "", Some("")),
        ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n", "", Some("")),
        ("1\r\na\r\n0\r\nx-sum: 1\r\nX-More:  2 \r\n\r\n", "a", "x-sum=1;x-more=2;", Some("")),
        ("1\r\na\r\n0\r\nconnection: x\r\nx: 1\r\ny: 2\r\nte: z\r\n\r\n", "a", "y=2;", Some("")),
        ("1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "a", "", Some("HTTP/1.1 200 OK\r\n\r\n")),
        ("1\r\na\r\n0\r\nx: 1\r\n\r\nmore", "a", "x=1;", Some("more")),
        // Incomplete.
        ("5\r\nhel", "hel", "", None),
        ("5\r\nhello\r\n", "hello", "", None),
        ("5\r\nhello\r\n0\r\n", "hello", "", None),
        ("5\r\nhello\r\n0\r\nx-sum: 1\r\n", "hello", "", None),
    ] {
        expect(Length::Chunked, text, data, fields, left);
    }
}

#[test]
fn what_are_no_chunks_is_refused() {
    for text in [
        "\r\n",
        ";x\r\n",
        " 5\r\nhello\r\n",
        "-5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "5_0\r\nhello\r\n",
        "5\nhello\r\n",
        "5\rhello\r\n",
        "0\rx\r\n",
        "5 5\r\nhello\r\n",
        "5;x\nhello\r\n",
        "5 \nhello\r\n",
        "5;\0\r\nhello\r\n",
        "5\r\nhelloX\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        // Too large for a `u64`, also with leading zeros.
        "10000000000000000\r\n",
        "00000000000000005\r\nhello\r\n",
    ] {
        refused(text, Malformed::Chunk);
    }
    for text in [
        "0\r\nno colon\r\n\r\n",
        "0\r\na b: c\r\n\r\n",
        "0\r\n: c\r\n\r\n",
        "0\r\na: b\r\n folded\r\n\r\n",
        "0\r\na: b\n\nc: d\r\n\r\n",
        "0\r\na: b\nc: d\r\n\r\n",
        "0\r\na: b\n\r\n",
        "0\r\n\n",
    ] {
        refused(text, Malformed::Trailers);
    }
}

#[test]
fn blanks_that_fill_a_size_up_are_no_extensions_however_many_chunks_there_are() {
    let text = format!("{}0       \r\n\r\n", "1\t      \r\na\r\n".repeat(ASIDE_BYTES_MAX));
    let (data, ..) = decode(Length::Chunked, text.as_bytes(), &[]).expect("chunks");
    assert_eq!(data.len(), ASIDE_BYTES_MAX);
}

#[test]
fn what_stands_beside_the_data_is_bounded() {
    refused(&format!("1;{}", "x".repeat(ASIDE_BYTES_MAX + 1)), Malformed::AsideTooLarge);
    refused(&format!("1{}", " ".repeat(65)), Malformed::Chunk);
    refused(&"1;xxxxxxxxx\r\na\r\n".repeat(ASIDE_BYTES_MAX / 9 + 1), Malformed::AsideTooLarge);
    refused(&format!("0\r\na: {}", "x".repeat(ASIDE_BYTES_MAX)), Malformed::AsideTooLarge);
}
