//! The lines of a file, one at a time.

use std::io::{self, BufRead, Read as _};

use crate::import::row::Fault;

/// Maximum length of a line, in bytes. Cognito's limit is 16,000 characters (pool §14.1).
pub(crate) const LINE_MAX: usize = 64 * 1024;

/// The lines of a file. Memory is bounded by [`LINE_MAX`], whatever the file is.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    number: u64,
    bytes: u64,
}

impl<R: BufRead> Lines<R> {
    /// From the start.
    pub(crate) fn new(input: R) -> Self {
        Self { input, number: 0, bytes: 0 }
    }

    /// The number of the line that was read last. The first is 1.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes that were read since the last call.
    pub(crate) fn take_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.bytes)
    }

    /// The next line, without its end. `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<String, Fault>>> {
        let mut line = Vec::new();
        let limit = LINE_MAX as u64 + 1;
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut line)?;
        self.bytes += read as u64;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if !line.ends_with(b"\n") && line.len() > LINE_MAX {
            self.skip()?;
            return Ok(Some(Err(Fault::TooLong(LINE_MAX))));
        }
        let Ok(line) = String::from_utf8(line) else { return Ok(Some(Err(Fault::NotUtf8))) };
        let line = line.trim_end_matches(['\r', '\n']);
        // Some systems mark the start of a text.
        let line = if self.number == 1 { line.trim_start_matches('\u{feff}') } else { line };
        Ok(Some(Ok(line.to_owned())))
    }

    /// To the end of the line.
    fn skip(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |end| end + 1);
            self.bytes += length as u64;
            self.input.consume(length);
            if end.is_some() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_or_no_text_takes_no_other_with_it() {
        let long = "x".repeat(3 * LINE_MAX);
        let text = [b"\xef\xbb\xbfone\r\n".to_vec(), long.into_bytes(), b"\ntwo\n\xff\n\nthree".to_vec()].concat();
        let length = text.len() as u64;
        let mut lines = Lines::new(io::BufReader::with_capacity(100, &*text));
        let mut all = Vec::new();
        while let Some(line) = lines.next().expect("read") {
            all.push((lines.number(), line));
        }
        let text = |text: &str| Ok(text.to_owned());
        let expected =
            [text("one"), Err(Fault::TooLong(LINE_MAX)), text("two"), Err(Fault::NotUtf8), text(""), text("three")];
        assert_eq!(all, (1..).zip(expected).collect::<Vec<_>>());
        assert_eq!(lines.take_bytes(), length);
    }

    #[test]
    fn a_line_of_just_the_length_is_read() {
        let line = "x".repeat(LINE_MAX);
        let mut lines = Lines::new(line.as_bytes());
        assert_eq!(lines.next().expect("read"), Some(Ok(line.clone())));
        assert_eq!(lines.next().expect("read"), None);
    }
}
