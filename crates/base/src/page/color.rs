//! Colours of a theme. A colour is three numbers, so nothing of the configuration is written into the style as text.

use std::fmt::{self, Write as _};

/// A colour of the sRGB space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color {
    red: u8,
    green: u8,
    blue: u8,
}

/// What a colour is for. The names are custom properties of `style.css`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Around the card.
    Background,
    /// The card.
    Surface,
    Text,
    /// Text that matters less.
    Muted,
    /// The line around the card.
    Border,
    /// The line around a field.
    Field,
    /// Buttons and links.
    Accent,
    /// The text on a button.
    OnAccent,
    /// The bar beside an error.
    Alert,
    /// Behind the text of an error.
    AlertBackground,
}

/// The colours of one colour scheme, light or dark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Colors(Vec<(Role, Color)>);

impl Role {
    /// Every role.
    pub const ALL: [Self; 10] = [
        Self::Background,
        Self::Surface,
        Self::Text,
        Self::Muted,
        Self::Border,
        Self::Field,
        Self::Accent,
        Self::OnAccent,
        Self::Alert,
        Self::AlertBackground,
    ];

    /// Pairs of text and what is behind it, with the contrast that WCAG 2.2 asks for (§1.4.3, and §1.4.11 for the line of a field).
    pub const CONTRASTS: [(Role, Role, f64); 8] = [
        (Role::Text, Role::Surface, 4.5),
        (Role::Muted, Role::Surface, 4.5),
        // The links below the card.
        (Role::Muted, Role::Background, 4.5),
        (Role::Accent, Role::Surface, 4.5),
        (Role::OnAccent, Role::Accent, 4.5),
        (Role::Text, Role::AlertBackground, 4.5),
        (Role::Field, Role::Surface, 3.0),
        (Role::Alert, Role::AlertBackground, 3.0),
    ];

    /// The name of the custom property, without its dashes.
    const fn property(self) -> &'static str {
        match self {
            Self::Background => "background",
            Self::Surface => "surface",
            Self::Text => "text",
            Self::Muted => "muted",
            Self::Border => "border",
            Self::Field => "field",
            Self::Accent => "accent",
            Self::OnAccent => "on-accent",
            Self::Alert => "alert",
            Self::AlertBackground => "alert-background",
        }
    }

    /// The setting, below `pages.colors`.
    pub fn setting(self) -> String {
        self.property().replace('-', "_")
    }

    /// The declaration of the custom property.
    fn declaration(self, color: Color) -> String {
        format!("--{}:{color};", self.property())
    }

    /// The colour of `style.css`.
    const fn usual(self, scheme: Scheme) -> Color {
        let (light, dark) = match self {
            Self::Background => (0x00f4_f4f1, 0x0014_1517),
            Self::Surface => (0x00ff_ffff, 0x001e_2023),
            Self::Text => (0x001c_1d1f, 0x00f0_f0ee),
            Self::Muted => (0x005c_6066, 0x00a3_a7ad),
            Self::Border => (0x00d9_dad6, 0x0034_373c),
            Self::Field => (0x008b_8f96, 0x006d_7279),
            Self::Accent => (0x001d_4ed8, 0x008a_b4ff),
            Self::OnAccent => (0x00ff_ffff, 0x000b_1220),
            Self::Alert => (0x00b3_261e, 0x00ff_9b93),
            Self::AlertBackground => (0x00fd_f0ef, 0x0036_201f),
        };
        match scheme {
            Scheme::Light => Color::from_number(light),
            Scheme::Dark => Color::from_number(dark),
        }
    }
}

/// Which colour schemes the pages have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schemes {
    /// Light or dark, as the visitor's system is set.
    #[default]
    System,
    /// Light for everybody.
    Light,
}

/// A colour scheme of the visitor's system (`prefers-color-scheme`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Color {
    const fn from_number(number: u32) -> Self {
        let [_, red, green, blue] = number.to_be_bytes();
        Self { red, green, blue }
    }

    /// Reads `#1d4ed8` or `#fff`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        let is_sound = matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_sound)?;
        if digits.len() == 6 {
            return Some(Self::from_number(number));
        }
        // CSS Color 4 §5.2: each digit is doubled.
        let digit = |shift: u32| u8::try_from((number >> shift) & 0xf).map(|digit| digit * 0x11).ok();
        Some(Self { red: digit(8)?, green: digit(4)?, blue: digit(0)? })
    }

    /// The relative luminance (WCAG 2.2), 0 to 1.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// The contrast ratio (WCAG 2.2), 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance() + 0.05, other.luminance() + 0.05);
        one.max(two) / one.min(two)
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl Colors {
    /// Sets a colour, in place of the one that was set before.
    pub fn set(&mut self, role: Role, color: Color) {
        self.0.retain(|(known, _)| *known != role);
        self.0.push((role, color));
    }

    /// The colour that pages have: the one that was set, or that of `style.css`.
    pub fn effective(&self, role: Role, scheme: Scheme) -> Color {
        let set = self.0.iter().find(|(known, _)| *known == role);
        set.map_or_else(|| role.usual(scheme), |(_, color)| *color)
    }

    /// Whether a colour was set.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.0.iter().any(|(known, _)| *known == role)
    }
}

/// Rules that set the colours of a theme. Empty if there are none. The last rules of the style: they replace the usual colours.
pub(super) fn style(light: &Colors, dark: &Colors, schemes: Schemes) -> String {
    let mut rules = String::new();
    if schemes == Schemes::Light {
        // The declarations are those of the light scheme, so they hold for both.
        let declaration = |role: Role| role.declaration(light.effective(role, Scheme::Light));
        let declarations: String = Role::ALL.into_iter().map(declaration).collect();
        let _ = writeln!(rules, ":root{{color-scheme:light;{declarations}}}");
        return rules;
    }
    if !light.0.is_empty() {
        let declarations: String = light.0.iter().map(|(role, color)| role.declaration(*color)).collect();
        let _ = writeln!(rules, ":root{{{declarations}}}");
    }
    // Also those that are set for the light scheme only: the rule above would set them for both.
    let roles: Vec<Role> = Role::ALL.into_iter().filter(|role| light.has(*role) || dark.has(*role)).collect();
    if !roles.is_empty() {
        let declaration = |role: Role| role.declaration(dark.effective(role, Scheme::Dark));
        let declarations: String = roles.into_iter().map(declaration).collect();
        let _ = writeln!(rules, "@media(prefers-color-scheme:dark){{:root{{{declarations}}}}}");
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::site::STYLE;

    #[test]
    fn a_colour_is_three_or_six_hexadecimal_digits() {
        let check = |text, expected: Option<&str>| {
            assert_eq!(Color::parse(text).map(|color| color.to_string()).as_deref(), expected, "{text}");
        };
        check("#1d4ed8", Some("#1d4ed8"));
        check("#FFF", Some("#ffffff"));
        check("#0a7", Some("#00aa77"));
        for other in ["", "#", "fff", "#ff", "#ffff", "#fffffff", "red", "#+12", "#ggg", "#fff;}", "rgb(0,0,0)", "#ﬀﬀﬀ"]
        {
            check(other, None);
        }
    }

    #[test]
    fn the_usual_colours_are_those_of_the_style_and_have_enough_contrast() {
        let mut rules = STYLE.split(":root{");
        let (light, dark) = (rules.nth(1).expect("a rule"), rules.next().expect("a rule"));
        let none = Colors::default();
        for (scheme, rule) in [(Scheme::Light, light), (Scheme::Dark, dark)] {
            let rule = rule.split('}').next().expect("an end");
            for role in Role::ALL {
                let start = format!("--{}:", role.property());
                let declared = rule.split(';').find_map(|part| part.strip_prefix(&*start));
                assert_eq!(declared.and_then(Color::parse), Some(none.effective(role, scheme)), "{role:?} {scheme:?}");
            }
            for (front, back, least) in Role::CONTRASTS {
                let found = none.effective(front, scheme).contrast(none.effective(back, scheme));
                assert!(found >= least, "{front:?} on {back:?} {scheme:?}: {found}");
            }
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        let color = |text| Color::parse(text).expect("a colour");
        assert!((color("#000").contrast(color("#fff")) - 21.0).abs() < 1e-9);
        assert!((color("#777777").contrast(color("#fff")) - 4.48).abs() < 0.01);
    }
}
