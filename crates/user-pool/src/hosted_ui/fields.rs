//! The fields of attributes.

use crate::directory::custom::PREFIX;
use crate::hosted_ui::ui::HostedUi;
use crate::page::pages::{Field, Input, Label};
use crate::page::{Sentence, Text};
use crate::self_service::SelfService;

/// The field of an attribute that has to be given.
pub(super) fn attribute_field<'a>(name: &str, value: &'a str) -> Field<'a> {
    let input = match name {
        "email" => Input::Email,
        "phone_number" => Input::Phone,
        "birthdate" => Input::Date,
        _ => Input::Text,
    };
    let field = Field::required(name, label(name), input, value);
    match name {
        "phone_number" => Field { hint: Some(Text::AttributePhoneHint.into()), ..field },
        _ => field,
    }
}

impl HostedUi {
    /// The field of a new password. It says of what length the password has to be, before one is refused.
    pub(super) fn new_password_field(&self, label: Text) -> Field<'static> {
        let hint = self.service.as_ref().map(|service| service.passwords.hint());
        Field { hint, ..Field::required("password", Label::Text(label), Input::NewPassword, "") }
    }

    /// What users are named by on the sign-in page: a name, an address, or any of them. The domain of an e-mail address may choose a provider.
    pub(super) fn name_label(&self) -> Text {
        let label = self.service.as_ref().map_or(Text::SignInUserName, SelfService::name_label);
        match label {
            Text::SignInUserName if self.federation.knows_domains() => Text::SignInUserNameOrEmail,
            Text::SignInUserNameOrPhone if self.federation.knows_domains() => Text::SignInUserNameEmailOrPhone,
            label => label,
        }
    }
}

/// What an attribute is called.
fn label(name: &str) -> Label {
    Label::Text(match name {
        "address" => Text::AttributeAddress,
        "birthdate" => Text::AttributeBirthdate,
        "email" => Text::AttributeEmail,
        "family_name" => Text::AttributeFamilyName,
        "gender" => Text::AttributeGender,
        "given_name" => Text::AttributeGivenName,
        "locale" => Text::AttributeLocale,
        "middle_name" => Text::AttributeMiddleName,
        "name" => Text::AttributeName,
        "nickname" => Text::AttributeNickname,
        "phone_number" => Text::AttributePhoneNumber,
        "picture" => Text::AttributePicture,
        "preferred_username" => Text::AttributePreferredUsername,
        "profile" => Text::AttributeProfile,
        "website" => Text::AttributeWebsite,
        "zoneinfo" => Text::AttributeZoneinfo,
        // An attribute of the pool is called as the configuration calls it.
        _ => return Label::Verbatim(name.strip_prefix(PREFIX).unwrap_or(name).replace(['_', '-'], " ")),
    })
}

/// The same, in a sentence of its own.
pub(super) fn attribute_name(name: &str) -> Sentence {
    match label(name) {
        Label::Text(text) => text.into(),
        Label::Verbatim(name) => Sentence::verbatim(name),
    }
}

/// An attribute is missing, or has not the right form.
pub(super) fn wrong_attribute(name: &str) -> Sentence {
    match label(name) {
        Label::Text(text) => Sentence::from(Text::FormWrongAttribute).words("attribute", text.into()),
        Label::Verbatim(name) => Sentence::from(Text::FormWrongAttribute).named("attribute", name),
    }
}
