use super::*;
use crate::messages::message::Kind;
use crate::secret::Secret;

fn sms(text: &str) -> Texts {
    Texts::Sms(Secret::new(text.to_owned()))
}

#[test]
fn the_last_messages_are_remembered() {
    let console = Console::default();
    for number in 0..60 {
        let texts = sms(&number.to_string());
        let written_at = Timestamp::from_seconds(number);
        console.deliver(&Letter { id: "1", kind: Kind::SignIn, to: "+49", written_at, texts: &texts });
    }
    let last = console.last();
    assert_eq!(last.len(), 50);
    assert_eq!((last[0].texts.clone(), last[49].texts.clone()), (sms("59"), sms("10")));
}

#[test]
fn what_somebody_typed_sends_no_commands_to_the_terminal() {
    let text = as_text("a\x1b[2J@example.com", &sms("hello\n\x1b]0;title\x07"));
    assert_eq!(text, "\nSMS to a\u{fffd}[2J@example.com\n  | hello\n  | \u{fffd}]0;title\u{fffd}\n");
}
