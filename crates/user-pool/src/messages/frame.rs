//! The frame of mails whose HTML the operator has not written, in the colours and with the logo of the pages. Made at load.
//!
//! Tables and `style` attributes, because mail programs know little else. The logo is a part of the mail: nothing is loaded from anywhere.

use crate::page::color::{Role, Scheme, Schemes};
use crate::page::settings::Settings as Look;

const LAYOUT: &str = include_str!("mail/layout.html");
const CODE: &str = include_str!("mail/code.html");
const BUTTON: &str = include_str!("mail/button.html");

/// Names the logo within a mail (RFC 2392).
pub(super) const LOGO_ID: &str = "logo";

/// The roles of colours that a mail has, as in the templates.
const ROLES: [(&str, Role); 7] = [
    ("background", Role::Background),
    ("surface", Role::Surface),
    ("text", Role::Text),
    ("muted", Role::Muted),
    ("border", Role::Border),
    ("accent", Role::Accent),
    ("on_accent", Role::OnAccent),
];

/// The templates with their colours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(super) layout: String,
    pub(super) code: String,
    pub(super) button: String,
    /// The picture above the text. `{title}` is the title of the pool.
    pub(super) logo: Option<String>,
}

/// The picture that a mail brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(super) media_type: String,
    pub(super) bytes: Vec<u8>,
}

impl Frame {
    pub(crate) fn new(look: &Look) -> Self {
        let logo = Picture::of(look).map(|_| {
            // A dark logo is seen on a dark background, too.
            let back = look.colors.effective(Role::Surface, Scheme::Light);
            format!(
                "<img src=\"cid:{LOGO_ID}\" alt=\"{{title}}\" style=\"display:block;max-width:100%;max-height:48px;padding:4px;border-radius:4px;background:{back}\">"
            )
        });
        let colored = |template: &str| colored(template, look);
        Self { layout: colored(LAYOUT), code: colored(CODE), button: colored(BUTTON), logo }
    }
}

impl Picture {
    /// The logo of the pages, if mail programs show its format.
    pub(crate) fn of(look: &Look) -> Option<Self> {
        let (media_type, bytes) = look.logo.as_ref()?.for_mail()?;
        Some(Self { media_type, bytes })
    }
}

fn colored(template: &str, look: &Look) -> String {
    let is_light = look.schemes == Schemes::Light;
    let mut text = template.replace("{schemes}", if is_light { "light" } else { "light dark" });
    for (name, role) in ROLES {
        let light = look.colors.effective(role, Scheme::Light);
        let dark = if is_light { light } else { look.colors_dark.effective(role, Scheme::Dark) };
        text = text.replace(&format!("{{light.{name}}}"), &light.to_string());
        text = text.replace(&format!("{{dark.{name}}}"), &dark.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::color::Color;
    use crate::page::logo::Logo;

    #[test]
    fn a_mail_has_the_colours_of_the_pages_and_nothing_from_elsewhere() {
        let mut look = Look::default();
        let usual = Frame::new(&look);
        for template in [&usual.layout, &usual.code, &usual.button] {
            assert!(!template.contains("{light.") && !template.contains("{dark.") && !template.contains("http"));
        }
        assert!(usual.button.contains("background:#1d4ed8;color:#ffffff"), "{}", usual.button);
        assert!(usual.layout.contains(".button { background: #8ab4ff"), "{}", usual.layout);
        assert_eq!(usual.logo, None);
        look.colors.set(Role::Accent, Color::parse("#0a6640").expect("a colour"));
        look.colors_dark.set(Role::Accent, Color::parse("#7fd8ae").expect("a colour"));
        let own = Frame::new(&look);
        assert!(own.button.contains("background:#0a6640"), "{}", own.button);
        assert!(own.layout.contains(".button { background: #7fd8ae"), "{}", own.layout);
        look.schemes = Schemes::Light;
        let light = Frame::new(&look);
        assert!(!light.layout.contains("#7fd8ae") && light.layout.contains("content=\"light\""), "{}", light.layout);
    }

    #[test]
    fn a_logo_that_mail_programs_show_is_in_the_mail() {
        let look = |file: &[u8]| Look { logo: Some(Logo::read(file).expect("a logo")), ..Look::default() };
        let png = look(b"\x89PNG\r\n\x1a\n...");
        assert!(Frame::new(&png).logo.is_some_and(|logo| logo.contains("src=\"cid:logo\"")));
        let picture = Picture { media_type: "image/png".into(), bytes: b"\x89PNG\r\n\x1a\n...".to_vec() };
        assert_eq!(Picture::of(&png), Some(picture));
        let svg = look(b"<svg/>");
        assert_eq!((Frame::new(&svg).logo, Picture::of(&svg)), (None, None));
    }
}
