use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::clock::Clock;
use crate::upstream::error::Error;
use crate::upstream::health::check::Outcome;
use crate::upstream::health::checker::Checker;
use crate::upstream::health::settings as health;
use crate::upstream::health::state::Cause;
use crate::upstream::name::Resolver;

fn table(answer: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Arc<TargetTable> {
    Arc::new(TargetTable::new(Clock::system(), Resolver::played(answer), Checker::unused()))
}

fn without_names() -> Arc<TargetTable> {
    table(|name| panic!("{name} is looked up"))
}

fn target(text: &str, weight: u32) -> TargetSettings {
    let (host, port) = text.rsplit_once(':').expect("a port");
    let host = host.trim_matches(['[', ']']);
    TargetSettings { place: Place::new(host, port.parse().expect("a port")), weight }
}

fn settings(targets: &[&str]) -> Settings {
    Settings::new("app".into(), targets.iter().map(|text| target(text, 1)).collect())
}

fn names(group: &TargetGroup) -> Vec<String> {
    group.members().list.iter().map(|member| member.target.name.to_string()).collect()
}

async fn until(group: &TargetGroup, expected: &[&str]) {
    let start = tokio::time::Instant::now();
    while names(group) != expected {
        assert!(start.elapsed() < Duration::from_secs(1000), "{:?}", names(group));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn another_configuration_knows_which_targets_are_skipped() {
    let table = without_names();
    let first = TargetGroup::new(settings(&["127.0.0.1:1", "127.0.0.1:2"]), &table);
    let (members, now) = (first.members(), table.now());
    members.list[1].target.refused(now, &first.settings.ejection, &Error::NoTargets);
    // The target with port 2 has another place, that with port 1 is gone, and that with port 3 is new.
    let second = TargetGroup::new(settings(&["127.0.0.1:2", "127.0.0.1:3"]), &table);
    let skipped = |group: &TargetGroup| -> Vec<bool> {
        group.members().list.iter().map(|member| member.target.skipped_until(now).is_some()).collect()
    };
    assert_eq!(skipped(&second), [true, false]);
    drop((first, second, members));
    // Nobody used it in between, so nothing is known of it.
    let third = TargetGroup::new(settings(&["127.0.0.1:2"]), &table);
    assert_eq!(skipped(&third), [false]);
}

#[tokio::test(start_paused = true)]
async fn each_address_of_a_name_is_a_target_and_the_file_says_how_often_they_are_looked_up() {
    let answer = Arc::new(Mutex::new(vec!["192.0.2.2", "192.0.2.1"]));
    let script = Arc::clone(&answer);
    let table = table(move |_| Ok(script.lock().expect("fine").iter().map(|ip| ip.parse().expect("an IP")).collect()));
    let mut settings = settings(&["127.0.0.1:1"]);
    settings.targets.push(target("app.test:80", 3));
    settings.resolve_every = Duration::from_secs(60);
    let group = TargetGroup::new(settings.clone(), &table);
    assert_eq!(names(&group), ["127.0.0.1:1", "app.test:80"], "before the first answer");
    until(&group, &["127.0.0.1:1", "192.0.2.1:80", "192.0.2.2:80"]).await;
    let before = group.members();
    assert_eq!(before.list.iter().map(|member| member.weight).collect::<Vec<_>>(), [1, 3, 3]);

    *answer.lock().expect("fine") = vec!["192.0.2.2", "192.0.2.3"];
    let start = tokio::time::Instant::now();
    until(&group, &["127.0.0.1:1", "192.0.2.2:80", "192.0.2.3:80"]).await;
    assert_eq!(start.elapsed().as_secs(), 60);
    let after = group.members();
    assert!(after.number > before.number && group.number() == after.number);
    assert!(Arc::ptr_eq(&before.list[2].target, &after.list[1].target), "the address that stays is the same target");

    // A new configuration begins with the addresses that are known.
    let next = TargetGroup::new(settings, &table);
    assert_eq!(names(&next), ["127.0.0.1:1", "192.0.2.2:80", "192.0.2.3:80"]);
    drop(group);
    *answer.lock().expect("fine") = vec!["192.0.2.4"];
    until(&next, &["127.0.0.1:1", "192.0.2.4:80"]).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_the_groups_of_old_configurations() {
    let table = table(|_| Ok(vec!["192.0.2.1".parse().expect("an IP")]));
    let mut group = TargetGroup::new(settings(&["app.test:80"]), &table);
    tokio::task::yield_now().await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    until(&group, &["192.0.2.1:80"]).await;
    let before = tasks();
    for _ in 0..200 {
        group = TargetGroup::new(settings(&["app.test:80"]), &table);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(tasks(), before);
    assert_eq!(table.counts(), (1, 1));
    drop(group);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn both_families_of_a_name_are_raced_and_other_targets_are_not() {
    let table = table(|_| Ok(["192.0.2.1", "192.0.2.2", "::1"].map(|ip| ip.parse().expect("an IP")).into()));
    let group = TargetGroup::new(settings(&["app.test:80", "127.0.0.1:80", "[::2]:80"]), &table);
    until(&group, &["192.0.2.1:80", "192.0.2.2:80", "[::1]:80", "127.0.0.1:80", "[::2]:80"]).await;
    let rivals: Vec<_> = group.members().list.iter().map(|member| member.rival).collect();
    assert_eq!(rivals, [Some(2), Some(2), Some(0), None, None]);
}

#[tokio::test]
async fn a_target_starts_slowly_only_beside_one_that_is_ready() {
    let table = without_names();
    let with = |targets: &[&str]| {
        let mut settings = settings(targets);
        settings.slow_start = Duration::from_secs(100);
        TargetGroup::new(settings, &table)
    };
    let shares = |group: &TargetGroup| -> Vec<bool> {
        let full = crate::upstream::target::WHOLE;
        let share = |target: &Target| target.slow_share(table.now(), Duration::from_secs(100)) < full;
        group.members().list.iter().map(|member| share(&member.target)).collect()
    };
    let first = with(&["127.0.0.1:1", "127.0.0.1:2"]);
    assert_eq!(shares(&first), [false, false], "at the start, all are new");
    let second = with(&["127.0.0.1:1", "127.0.0.1:3"]);
    assert_eq!(shares(&second), [false, true]);
    let third = with(&["127.0.0.1:3", "127.0.0.1:4"]);
    assert_eq!(shares(&third), [true, false], "the other is itself in its slow start");
}

#[tokio::test(start_paused = true)]
async fn a_target_leaves_when_no_configuration_has_it_any_more() {
    let table = without_names();
    let first = TargetGroup::new(settings(&["127.0.0.1:1", "127.0.0.1:2"]), &table);
    let targets = first.members();
    let leaving = || targets.list.iter().map(|member| member.target.is_leaving()).collect::<Vec<_>>();
    let second = TargetGroup::new(settings(&["127.0.0.1:2"]), &table);
    assert_eq!(leaving(), [false, false], "the workers do not have the second yet");
    first.retire();
    assert_eq!(leaving(), [true, false]);
    first.retire();
    drop(first);
    assert_eq!(leaving(), [true, false], "what was given back is not given back again");
    let third = TargetGroup::new(settings(&["127.0.0.1:1"]), &table);
    assert_eq!(leaving(), [false, false]);
    // A configuration that never came into force, or whose requests have all ended.
    drop((second, third));
    assert_eq!(leaving(), [true, true]);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_a_name_has_no_more_leaves() {
    let answer = Arc::new(Mutex::new(vec!["192.0.2.1", "192.0.2.2"]));
    let script = Arc::clone(&answer);
    let table = table(move |_| Ok(script.lock().expect("fine").iter().map(|ip| ip.parse().expect("an IP")).collect()));
    let group = TargetGroup::new(settings(&["app.test:80"]), &table);
    until(&group, &["192.0.2.1:80", "192.0.2.2:80"]).await;
    let before = group.members();
    *answer.lock().expect("fine") = vec!["192.0.2.2"];
    until(&group, &["192.0.2.2:80"]).await;
    assert_eq!([0, 1].map(|index| before.list[index].target.is_leaving()), [true, false]);
    group.retire();
    *answer.lock().expect("fine") = vec!["192.0.2.1"];
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(names(&group), ["192.0.2.2:80"], "a group that was given back takes nothing into use");
}

/// The settings of a group with health checks.
fn checked(targets: &[&str]) -> Settings {
    Settings { health: Some(health::Settings::played()), ..settings(targets) }
}

/// A table whose name has two addresses. Only the second of them is healthy. Returns what was checked, too.
fn with_checks() -> (Arc<TargetTable>, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&asked);
    let checker = Checker::played(
        || 0.5,
        move |_, place| {
            let is_well = place.to_string() == "192.0.2.2:80";
            list.lock().expect("fine").push(place.to_string());
            async move { if is_well { Outcome::Success } else { Outcome::Failure(Cause::Timeout, String::new()) } }
        },
    );
    let resolver = Resolver::played(|_| Ok(["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().expect("an IP")).into()));
    (Arc::new(TargetTable::new(Clock::system(), resolver, checker)), asked)
}

#[tokio::test(start_paused = true)]
async fn each_address_of_a_name_is_checked_until_the_group_is_retired() {
    let (table, asked) = with_checks();
    let group = TargetGroup::new(checked(&["app.test:80"]), &table);
    until(&group, &["192.0.2.1:80", "192.0.2.2:80"]).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let members = group.members();
    assert_eq!([0, 1].map(|index| members.is_usable(index)), [false, true]);
    let count = |place: &str| asked.lock().expect("fine").iter().filter(|asked| *asked == place).count();
    assert_eq!(["192.0.2.1:80", "192.0.2.2:80", "app.test:80"].map(count), [2, 2, 0]);
    group.retire();
    let before = asked.lock().expect("fine").len();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(asked.lock().expect("fine").len(), before, "a request that began with it may last for hours");
}

#[tokio::test(start_paused = true)]
async fn a_group_that_no_rule_uses_is_not_checked() {
    let (table, asked) = with_checks();
    let group = TargetGroup::new(Settings { is_used: false, ..checked(&["192.0.2.1:80"]) }, &table);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(asked.lock().expect("fine").is_empty() && group.members().are_all_usable());
}
