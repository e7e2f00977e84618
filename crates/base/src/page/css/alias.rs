//! The class names of Amazon Cognito's classic pages (pool §14.2), so that a stylesheet that was made for them works here.

/// For each class of theirs, our elements in its place. `:is()` has the weight of its heaviest part, `:where()` has none: so a selector weighs
/// as much as it did there, and the order of the rules decides as it did there.
const ALIASES: [(&str, &str); 12] = [
    ("background-customizable", ":is(.background-customizable,:where(main))"),
    ("banner-customizable", ":is(.banner-customizable,:where(.brand))"),
    ("errorMessage-customizable", ":is(.errorMessage-customizable,:where(.alert))"),
    ("idpButton-customizable", ":is(.idpButton-customizable,:where(.choice))"),
    ("idpDescription-customizable", ":is(.idpDescription-customizable,:where(.muted))"),
    (
        "inputField-customizable",
        ":is(.inputField-customizable,:where(input:not([type=hidden],[type=checkbox],[type=radio])))",
    ),
    ("label-customizable", ":is(.label-customizable,:where(label))"),
    ("legalText-customizable", ":is(.legalText-customizable,:where(.small,footer))"),
    ("logo-customizable", ":is(.logo-customizable,:where(.brand img))"),
    ("socialButton-customizable", ":is(.socialButton-customizable,:where(.choice))"),
    ("submitButton-customizable", ":is(.submitButton-customizable,:where(.button))"),
    ("textDescription-customizable", ":is(.textDescription-customizable,:where(main>p:not(.brand,.alert,.small)))"),
];

/// Our selector for a class. `None` if it is none of theirs.
pub(super) fn of(class: &str) -> Option<&'static str> {
    ALIASES.iter().find(|(known, _)| *known == class).map(|(_, ours)| *ours)
}
