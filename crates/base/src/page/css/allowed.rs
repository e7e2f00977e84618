//! What a stylesheet may use. Whatever is not listed is refused, so a property or a function that browsers learn later is refused, too.

/// Properties that are allowed with everything that begins with them: `border` and `border-top-color`.
const FAMILIES: [&str; 16] = [
    "align",
    "background",
    "border",
    "flex",
    "font",
    "grid",
    "justify",
    "list-style",
    "margin",
    "object",
    "outline",
    "overflow",
    "padding",
    "place",
    "text",
    "transition",
];

/// Other properties. None of them lifts an element out of its place, adds words, or loads something. `cursor` and `mask` are left out because
/// they hide what the user does.
const PROPERTIES: [&str; 61] = [
    "-moz-appearance",
    "-moz-osx-font-smoothing",
    "-webkit-appearance",
    "-webkit-font-smoothing",
    "-webkit-text-fill-color",
    "accent-color",
    "appearance",
    "aspect-ratio",
    "backdrop-filter",
    "block-size",
    "box-shadow",
    "box-sizing",
    "caret-color",
    "clear",
    "color",
    "color-scheme",
    "column-gap",
    "direction",
    "display",
    "fill",
    "filter",
    "float",
    "forced-color-adjust",
    "gap",
    "height",
    "hyphens",
    "inline-size",
    "letter-spacing",
    "line-height",
    "max-block-size",
    "max-height",
    "max-inline-size",
    "max-width",
    "min-block-size",
    "min-height",
    "min-inline-size",
    "min-width",
    "opacity",
    "order",
    "rotate",
    "row-gap",
    "scale",
    "stroke",
    "stroke-width",
    "tab-size",
    "transform",
    "transform-origin",
    "translate",
    "vertical-align",
    "visibility",
    "white-space",
    "width",
    "word-break",
    "word-spacing",
    "word-wrap",
    "writing-mode",
    "zoom",
    "-webkit-box-shadow",
    "-moz-box-shadow",
    "-webkit-border-radius",
    "-moz-border-radius",
];

/// Functions of values. Not here: whatever takes an address (`image-set()`, `src()`, `image()`, `cross-fade()`), reads the document
/// (`attr()`, `element()`), or runs code (`expression()`, `paint()`).
const FUNCTIONS: [&str; 47] = [
    "blur",
    "brightness",
    "calc",
    "clamp",
    "color",
    "color-mix",
    "conic-gradient",
    "contrast",
    "cubic-bezier",
    "drop-shadow",
    "fit-content",
    "grayscale",
    "hsl",
    "hsla",
    "hue-rotate",
    "hwb",
    "invert",
    "lab",
    "lch",
    "light-dark",
    "linear-gradient",
    "max",
    "min",
    "minmax",
    "oklab",
    "oklch",
    "opacity",
    "radial-gradient",
    "repeat",
    "repeating-conic-gradient",
    "repeating-linear-gradient",
    "repeating-radial-gradient",
    "rgb",
    "rgba",
    "rotate",
    "saturate",
    "scale",
    "scalex",
    "scaley",
    "sepia",
    "skew",
    "steps",
    "translate",
    "translatex",
    "translatey",
    "var",
    "-webkit-linear-gradient",
];

/// Pseudo-classes without arguments. Not `:visited`, which tells where the user has been.
const PSEUDO_CLASSES: [&str; 23] = [
    "active",
    "checked",
    "default",
    "disabled",
    "empty",
    "enabled",
    "first-child",
    "first-of-type",
    "focus",
    "focus-visible",
    "focus-within",
    "hover",
    "invalid",
    "last-child",
    "last-of-type",
    "link",
    "only-child",
    "optional",
    "placeholder-shown",
    "required",
    "root",
    "user-invalid",
    "valid",
];

/// Pseudo-elements.
const PSEUDO_ELEMENTS: [&str; 8] = [
    "-moz-placeholder",
    "-webkit-input-placeholder",
    "after",
    "before",
    "first-line",
    "marker",
    "placeholder",
    "selection",
];

/// Pseudo-classes with selectors in parentheses.
const OF_SELECTORS: [&str; 3] = ["is", "not", "where"];

/// Attributes that a selector may ask for. Not `value`, which would tell what is in a field.
const ATTRIBUTES: [&str; 5] = ["autocomplete", "dir", "lang", "name", "type"];

/// What a media query may ask for.
const MEDIA_FEATURES: [&str; 15] = [
    "forced-colors",
    "height",
    "hover",
    "inverted-colors",
    "max-height",
    "max-width",
    "min-height",
    "min-width",
    "orientation",
    "pointer",
    "prefers-color-scheme",
    "prefers-contrast",
    "prefers-reduced-motion",
    "prefers-reduced-transparency",
    "width",
];

/// Words of a media query outside of its parentheses.
const MEDIA_WORDS: [&str; 7] = ["all", "and", "not", "only", "or", "print", "screen"];

fn has(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a property may be set. Custom properties may.
pub(super) fn is_property(name: &str) -> bool {
    let is_of = |family: &&str| {
        let (Some(start), rest) = (name.get(..family.len()), name.get(family.len()..).unwrap_or_default()) else {
            return false;
        };
        start.eq_ignore_ascii_case(family) && (rest.is_empty() || rest.starts_with('-'))
    };
    name.starts_with("--") || has(&PROPERTIES, name) || FAMILIES.iter().any(is_of)
}

/// Whether the value of a property may have text in quotes: the names of fonts, and areas of a grid. Custom properties hold such values.
pub(super) fn takes_text(property: &str) -> bool {
    property.starts_with("--")
        || has(&["font", "font-family", "grid-area", "grid-template", "grid-template-areas"], property)
}

pub(super) fn is_function(name: &str) -> bool {
    has(&FUNCTIONS, name)
}

pub(super) fn is_pseudo_class(name: &str) -> bool {
    has(&PSEUDO_CLASSES, name)
}

pub(super) fn is_pseudo_element(name: &str) -> bool {
    has(&PSEUDO_ELEMENTS, name)
}

pub(super) fn takes_selectors(name: &str) -> bool {
    has(&OF_SELECTORS, name)
}

/// `:nth-child()` and its kin.
pub(super) fn takes_nth(name: &str) -> bool {
    has(&["nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type"], name)
}

pub(super) fn is_attribute(name: &str) -> bool {
    has(&ATTRIBUTES, name)
}

pub(super) fn is_media_feature(name: &str) -> bool {
    has(&MEDIA_FEATURES, name)
}

pub(super) fn is_media_word(name: &str) -> bool {
    has(&MEDIA_WORDS, name)
}

/// Whether an address is that of a picture inside the file (RFC 2397).
pub(super) fn is_picture(address: &str) -> bool {
    let kinds = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"];
    let inside = address.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    inside.is_some_and(|(kind, data)| {
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        kinds.contains(&kind) && !data.is_empty() && data.bytes().all(is_base64)
    })
}

/// Whether text in quotes is nothing but words: no character of an address, of markup or of a rule.
pub(super) fn is_words(text: &str) -> bool {
    text.chars().all(|character| character.is_alphanumeric() || " -_.,&+'".contains(character))
}
