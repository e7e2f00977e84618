//! Stylesheets of the operator for the pages of a user pool.
//!
//! A stylesheet is read, checked against lists, and written again from what was understood (decision 100). What is sent to browsers is
//! therefore never the text of the file. Nothing of a stylesheet can ask for something elsewhere: the only addresses are pictures inside the
//! file. `Content-Security-Policy` would keep browsers from doing so as well.
//!
//! The class names of Amazon Cognito (pool §14.2) are taken for the elements that our pages have in their place: `alias` says which.

mod alias;
mod allowed;
mod problem;
mod reader;
mod selector;
mod token;
mod value;

use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::Bytes;
pub(crate) use problem::Problem;
use reader::Reader;

/// Largest file, as with Amazon Cognito (pool §14.2).
pub const BYTES_MAX: usize = 131_072;
/// The folder of the address of a stylesheet, on the host of the pool.
pub const FOLDER: &str = "/style/";

/// A stylesheet that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stylesheet {
    text: Bytes,
    path: Arc<str>,
    has_pictures: bool,
}

impl Stylesheet {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// At least one [`Problem`], at most 20.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        if text.len() > BYTES_MAX {
            let message = format!("the file has {} bytes, and at most {BYTES_MAX} are possible", text.len());
            return Err(vec![Problem { line: 1, message }]);
        }
        let tokens = token::tokens(text.strip_prefix('\u{feff}').unwrap_or(text)).map_err(|problem| vec![problem])?;
        let mut sheet =
            Reader { rest: &tokens, line: 1, out: String::new(), problems: Vec::new(), has_pictures: false };
        sheet.rules(false);
        if !sheet.problems.is_empty() {
            return Err(sheet.problems);
        }
        // Whoever has a page has its stylesheet: another one has another name, so the file can be kept for ever.
        let hash = digest::digest(&digest::SHA256, sheet.out.as_bytes());
        let name: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            path: format!("{FOLDER}{name}.css").into(),
            has_pictures: sheet.has_pictures,
            text: Bytes::from(sheet.out),
        })
    }

    /// What browsers get. ASCII, except for the names of fonts.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The path on the host of the pool. It has a digest of the text.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether there are pictures inside, as `data:` URLs.
    pub(crate) fn has_pictures(&self) -> bool {
        self.has_pictures
    }
}

#[cfg(test)]
mod tests;
