//! What a line of a file says.

use crate::clock::Timestamp;
use crate::directory::group::Group;
use crate::directory::status::Status;
use crate::secret::Secret;

/// One line.
#[derive(Debug)]
pub enum Item {
    User(Box<Row>),
    Group(Group),
}

/// A user of another system. What it does not say is `None` or empty.
#[derive(Debug)]
pub struct Row {
    pub username: String,
    pub(crate) subject: Option<String>,
    /// Names and values.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) groups: Vec<String>,
    pub(crate) password_hash: Option<Secret<String>>,
    /// `None`: confirmed with a password, and has to choose one without.
    pub(crate) status: Option<Status>,
    pub(crate) is_enabled: bool,
    /// When a temporary password ends.
    pub(crate) temporary_until: Option<Timestamp>,
    pub(crate) created_at: Option<Timestamp>,
}

impl Row {
    /// A user with this name, of whom nothing else is known.
    pub(crate) fn named(username: String) -> Self {
        Self {
            username,
            subject: None,
            attributes: Vec::new(),
            groups: Vec::new(),
            password_hash: None,
            status: None,
            is_enabled: true,
            temporary_until: None,
            created_at: None,
        }
    }
}

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
    #[error("the line is not UTF-8")]
    NotUtf8,
    #[error("the line is not JSON: there is a mistake at column {0}")]
    NotJson(usize),
    /// A member of that name.
    #[error("there is no member `{0}`; attributes, such as `email`, go into `attributes`")]
    NoSuchMember(String),
    #[error(
        "the member that ends at column {0} is of another kind: `groups` is a list of names, `attributes` an object, and a time a number"
    )]
    OtherKind(usize),
    #[error("the line has {found} fields, and the first line has {expected}")]
    Fields { found: usize, expected: usize },
    #[error("a quote is not closed, or is not at the start of a field")]
    Quote,
    #[error("there is no `{0}`")]
    Missing(&'static str),
    #[error("`{name}` is not {expected}")]
    Form { name: String, expected: &'static str },
    #[error("neither `email` nor `phone_number` is verified: the user could not choose a password")]
    NothingVerified,
}
