//! What the pages of the console show. They are in English, as the commands are.

use crate::clock::Timestamp;
use crate::console::pool::{Error, Pool};
use crate::console::route::{Change, Place};
use crate::message::form;
use crate::page::pages::{ConsoleAct, ConsoleCell as Cell, ConsolePage, ConsoleSearch, ConsoleTable as Table};
use crate::user_pool::events::audit::Outcome;
use crate::user_pool::events::event::Event;
use crate::user_pool::management::{Cursor, Filter, Record};

/// Events that a page shows.
const EVENTS_SHOWN: i64 = 100;
/// Users that a page shows.
const USERS_SHOWN: usize = 50;

/// The page of the users of a pool.
pub(super) fn users_path(pool: &str) -> String {
    with(Place::Users, [("pool", pool)])
}

/// The page of a user.
pub(super) fn user_path(pool: &str, subject: &str) -> String {
    with(Place::User, [("pool", pool), ("sub", subject)])
}

fn with<'v>(place: Place, values: impl IntoIterator<Item = (&'v str, &'v str)>) -> String {
    format!("{}?{}", place.path(), form::encode(values))
}

/// Says why there is no page.
pub(super) fn refused(why: &str) -> ConsolePage {
    ConsolePage {
        title: why.to_owned(),
        links: vec![Cell::link("Console", Place::Pools.path())],
        ..ConsolePage::default()
    }
}

/// All pools.
pub(super) fn pools(pools: &[Pool]) -> ConsolePage {
    let rows = pools.iter().map(|pool| vec![Cell::link(&pool.name, users_path(&pool.name))]).collect();
    let tables = vec![Table { title: None, head: vec!["User pool"], rows }];
    ConsolePage { title: "User pools".to_owned(), tables, ..ConsolePage::default() }
}

/// Users of a pool, from the start or after a page.
pub(super) async fn users(pool: &Pool, search: &str, after: &str, now: Timestamp) -> Result<ConsolePage, Error> {
    let found = pool.users.search(filter(search)?, Cursor::parse(after), USERS_SHOWN).await?;
    pool.users.note(("user.list", Outcome::Done), None, now).await?;
    let row = |user: &Record| {
        let attribute = |name| Cell::text(user.attributes.get(name).unwrap_or_default());
        let name = Cell::link(user.shown_name(), user_path(&pool.name, &user.subject));
        vec![name, attribute("email"), Cell::text(state(user)), Cell::text(user.created_at.to_text())]
    };
    let rows: Vec<_> = found.users.iter().map(row).collect();
    let tables = vec![Table {
        title: rows.is_empty().then(|| "Users".to_owned()),
        head: vec!["User", "E-mail address", "State", "Added"],
        rows,
    }];
    let next = |next: Cursor| {
        let values = [("pool", &*pool.name), ("search", search), ("after", &*next.to_text())];
        Cell::link("Next page", with(Place::Users, values))
    };
    let mut links = vec![Cell::link("Sign-in log", with(Place::Events, [("pool", &*pool.name)]))];
    links.extend(found.next.map(next));
    Ok(ConsolePage {
        title: format!("Users of {}", pool.name),
        search: Some(ConsoleSearch { action: Place::Users.path(), pool: pool.name.clone(), typed: search.to_owned() }),
        tables,
        links,
        ..ConsolePage::default()
    })
}

/// The sign-in log of a pool.
pub(super) async fn events(pool: &Pool, now: Timestamp) -> Result<ConsolePage, Error> {
    let events = pool.users.events_of_all(EVENTS_SHOWN).await?;
    pool.users.note(("user.events", Outcome::Done), None, now).await?;
    let tables = vec![Table { title: None, ..events_table(&events, Some(&pool.name)) }];
    let links = vec![Cell::link("Users", users_path(&pool.name))];
    let title = format!("Sign-in log of {}", pool.name);
    Ok(ConsolePage { title, tables, links, ..ConsolePage::default() })
}

/// One user.
pub(super) async fn user(pool: &Pool, subject: &str, now: Timestamp) -> Result<ConsolePage, Error> {
    let user = pool.users.show(subject).await?;
    pool.users.note(("user.show", Outcome::Done), Some(&user.subject), now).await?;
    let sessions = pool.users.sessions(&user.subject, now).await?;
    let factors = pool.users.factors(&user.subject).await?;
    let events = pool.users.events(&user.subject, EVENTS_SHOWN).await?;
    let names: Vec<_> = factors.factors.iter().map(|factor| factor.name()).collect();
    let mut facts = vec![
        ("User name", user.username.clone()),
        ("sub", user.subject.clone()),
        ("State", state(&user)),
        ("Groups", listed(&user.groups)),
        ("Second factors", listed(&names)),
        ("Recovery codes left", factors.recovery_codes.to_string()),
        ("Trusted browsers", factors.trusted_browsers.len().to_string()),
        ("Added", user.created_at.to_text()),
        ("Changed", user.modified_at.to_text()),
    ];
    facts.extend(user.attributes.iter().map(|(name, value)| (name, value.to_owned())));
    let facts = facts.into_iter().map(|(name, value)| vec![Cell::text(name), Cell::text(value)]).collect();
    let sessions = sessions.iter().map(|session| {
        let signed_in = Timestamp::from_seconds(session.session.auth_time).to_text();
        let texts = [signed_in, session.used_at.to_text(), session.seen.address.clone(), listed(&session.clients)];
        texts.into_iter().chain([session.seen.agent.clone()]).map(Cell::text).collect()
    });
    let table = |title: &str, head, rows| Table { title: Some(title.to_owned()), head, rows };
    let tables = vec![
        Table { title: None, head: vec![], rows: facts },
        table("Sessions", vec!["Signed in", "Last used", "Address", "Applications", "Browser"], sessions.collect()),
        Table { title: Some("Sign-in log".to_owned()), ..events_table(&events, None) },
    ];
    let way = |change: Change| Cell::link(change.label(), change_path(pool, &user, change));
    let ways = vec![way(Change::SignOut), way(if user.is_enabled { Change::Disable } else { Change::Enable })];
    let links = vec![Cell::link("Users", users_path(&pool.name))];
    let title = user.shown_name().to_owned();
    Ok(ConsolePage { title, tables, ways, links, ..ConsolePage::default() })
}

fn change_path(pool: &Pool, user: &Record, change: Change) -> String {
    with(Place::Change(change), [("pool", &*pool.name), ("sub", &*user.subject)])
}

/// Asks before something is done to a user. The page says who the user is, so the audit has an entry for it, too.
pub(super) async fn change(pool: &Pool, subject: &str, change: Change, now: Timestamp) -> Result<ConsolePage, Error> {
    let user = pool.users.show(subject).await?;
    pool.users.note(("user.show", Outcome::Done), Some(&user.subject), now).await?;
    Ok(ConsolePage {
        title: format!("{}: {}?", user.shown_name(), change.label()),
        question: Some(change.effect().to_owned()),
        acts: vec![ConsoleAct { action: change_path(pool, &user, change), label: change.label() }],
        links: vec![Cell::link("Leave everything as it is", user_path(&pool.name, &user.subject))],
        ..ConsolePage::default()
    })
}

/// Words in a row.
fn listed<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

/// A filter as `vestibule users list` takes it, or the beginning of a user name or of an e-mail address.
fn filter(search: &str) -> Result<Filter, Error> {
    let search = search.trim();
    if search.is_empty() || search.contains('=') {
        return Ok(Filter::parse(search)?);
    }
    let attribute = if search.contains('@') { "email" } else { "username" };
    let quoted = search.replace('\\', r"\\").replace('"', "\\\"");
    Ok(Filter::parse(&format!("{attribute} ^= \"{quoted}\""))?)
}

fn state(user: &Record) -> String {
    let status = user.status.as_str();
    if user.is_enabled { status.to_owned() } else { format!("{status}, disabled") }
}

/// With the users, as links, if it is the log of a pool.
fn events_table(events: &[Event], pool: Option<&str>) -> Table {
    let row = |event: &Event| {
        let mut cells =
            vec![Cell::text(event.at.to_text()), Cell::text(event.kind.as_str()), Cell::text(event.outcome())];
        cells.extend(pool.map(|pool| match &*event.subject {
            "" => Cell::text("(nobody)"),
            subject => Cell::link(subject, user_path(pool, subject)),
        }));
        cells.extend([Cell::text(&event.visit.seen.address), Cell::text(&event.visit.seen.agent)]);
        cells
    };
    let head = ["At", "Event", "Outcome"].into_iter().chain(pool.map(|_| "User")).chain(["Address", "Browser"]);
    Table { title: None, head: head.collect(), rows: events.iter().map(row).collect() }
}
