//! The runner on a clock that is moved by hand.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::upstream::health::settings::Minimum;
use crate::upstream::health::state::Cause;
use crate::upstream::target::TargetId;

const INTERVAL: Duration = Duration::from_secs(10);

fn settings() -> Settings {
    Settings::played()
}

fn another() -> Settings {
    let mut settings = settings();
    settings.check.path = "/other".parse().expect("a path");
    settings
}

fn target(port: u16) -> Arc<Target> {
    let id = TargetId { group: "app".into(), place: Place::new("127.0.0.1", port), tls: None };
    Arc::new(Target::new(id, Clock::system().instant()))
}

/// Targets that the test plays.
#[derive(Default)]
struct Played {
    /// What was asked: when, which path, and the place.
    asked: Mutex<Vec<(Instant, String, String)>>,
    /// The ports that are down.
    down: Mutex<Vec<u16>>,
    /// How long an answer takes, and how much longer that of port 2.
    wait: Mutex<Duration>,
    wait_of_two: Mutex<Duration>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

/// Also counts down when the check is dropped.
struct UnderWay(Arc<Played>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Played {
    /// The first checks come after half a second, and the next after exactly an interval.
    fn checker(self: &Arc<Self>) -> Arc<Checker> {
        self.with_chance(|| 0.5)
    }

    fn with_chance(self: &Arc<Self>, chance: fn() -> f64) -> Arc<Checker> {
        let played = Arc::clone(self);
        Checker::played(chance, move |check, place| {
            let played = Arc::clone(&played);
            async move { played.answer(&check, &place).await }
        })
    }

    async fn answer(self: Arc<Self>, check: &HealthCheck, place: &Place) -> Outcome {
        self.asked.lock().unwrap().push((Instant::now(), check.path.to_string(), place.to_string()));
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        let _under_way = UnderWay(Arc::clone(&self));
        self.most.fetch_max(under_way, Ordering::Relaxed);
        let Place::Address { address, .. } = place else { panic!("{place}") };
        let mut wait = *self.wait.lock().unwrap();
        if address.port() == 2 {
            wait += *self.wait_of_two.lock().unwrap();
        }
        tokio::time::sleep(wait).await;
        match address.port() {
            999 => panic!("a bug"),
            998 => Outcome::NotMade("no descriptor is left".to_owned()),
            port if self.down.lock().unwrap().contains(&port) => {
                Outcome::Failure(Cause::ResponseCodeMismatch, "the status is 503".to_owned())
            }
            _ => Outcome::Success,
        }
    }

    fn down(&self, ports: &[u16]) {
        *self.down.lock().unwrap() = ports.to_vec();
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn paths(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(_, path, _)| path.clone()).collect()
    }
}

fn start(checker: &Arc<Checker>, settings: &Settings, targets: &[&Arc<Target>]) -> Checks {
    let plan = checker.plan(&"app".into(), settings, Duration::ZERO);
    checker.start(&plan, targets.iter().map(|target| Arc::clone(target)).collect())
}

async fn turns(count: u32) {
    tokio::time::sleep(INTERVAL * count).await;
}

fn state(target: &Target) -> &'static str {
    target.health.read().verdict.state()
}

/// When the first checks of a target begin, in milliseconds, if an answer takes `wait`.
async fn times(chance: fn() -> f64, wait: Duration, settings: &Settings) -> Vec<u128> {
    let played = Arc::new(Played::default());
    *played.wait.lock().unwrap() = wait;
    let (checker, target, begin) = (played.with_chance(chance), target(1), Instant::now());
    let checks = start(&checker, settings, &[&target]);
    tokio::time::sleep(INTERVAL * 4 - Duration::from_secs(1)).await;
    drop(checks);
    let asked = played.asked.lock().unwrap();
    // The timer is exact to a millisecond.
    asked.iter().map(|(time, ..)| ((*time - begin).as_millis() + 5) / 10 * 10).collect()
}

#[tokio::test(start_paused = true)]
async fn checks_begin_an_interval_apart_give_or_take_a_tenth_however_long_an_answer_takes() {
    for wait in [Duration::ZERO, Duration::from_secs(4)] {
        assert_eq!(times(|| 0.0, wait, &settings()).await, [0, 9_000, 18_000, 27_000, 36_000]);
        assert_eq!(times(|| 0.5, wait, &settings()).await, [500, 10_500, 20_500, 30_500]);
        assert_eq!(times(|| 1.0, wait, &settings()).await, [1_000, 12_000, 23_000, 34_000]);
    }
    // A check that lasts for longer than the shortest time between two delays the next one, and none is left out.
    let wait = Duration::from_millis(9_500);
    assert_eq!(times(|| 0.0, wait, &settings()).await, [0, 9_500, 19_000, 28_500, 38_000]);
    let chances: Vec<_> = (0..100).map(|_| by_chance()).collect();
    assert!(chances.iter().all(|chance| (0.0..=1.0).contains(chance)), "{chances:?}");
    assert!(chances.iter().any(|chance| *chance < 0.4) && chances.iter().any(|chance| *chance > 0.6), "{chances:?}");
}

#[tokio::test(start_paused = true)]
async fn at_a_start_all_targets_get_requests_until_each_was_checked() {
    let played = Arc::new(Played::default());
    let (checker, first, second) = (played.checker(), target(1), target(2));
    let plan = checker.plan(&"app".into(), &settings(), Duration::from_secs(1000));
    *played.wait_of_two.lock().unwrap() = Duration::from_secs(3);
    played.down(&[2]);
    let checks = checker.start(&plan, vec![Arc::clone(&first), Arc::clone(&second)]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((state(&first), second.health.read().verdict), ("healthy", Verdict::Unchecked));
    let group = &checks.plan.group;
    assert!(group.sends_to_all() && !group.fails_open(), "the first alone could not bear the load of all");
    turns(1).await;
    assert_eq!(second.health.read().verdict, Verdict::Initial);
    assert!(!group.sends_to_all());
    // A target that comes later waits for its first success.
    let third = target(3);
    let checks_of_all = checker.start(&plan, [&first, &second, &third].map(Arc::clone).into());
    assert!(!group.sends_to_all());
    drop((checks, checks_of_all));
}

#[tokio::test(start_paused = true)]
async fn a_target_becomes_healthy_at_once_unhealthy_and_healthy_by_thresholds() {
    let played = Arc::new(Played::default());
    let (checker, target) = (played.checker(), target(1));
    let checks = start(&checker, &settings(), &[&target]);
    assert_eq!((state(&target), checks.plan.group.sends_to_all()), ("initial", true));
    turns(1).await;
    assert_eq!((state(&target), checks.plan.group.sends_to_all()), ("healthy", false));
    played.down(&[1]);
    turns(1).await;
    assert_eq!(state(&target), "healthy", "one failure is not enough");
    turns(1).await;
    assert_eq!(target.health.read().verdict.reason(), Some("Target.ResponseCodeMismatch"));
    assert!(checks.plan.group.sends_to_all(), "fail open");
    played.down(&[]);
    turns(2).await;
    assert_eq!(state(&target), "unhealthy");
    turns(1).await;
    assert_eq!((state(&target), checks.plan.group.sends_to_all()), ("healthy", false));
    let text = checker.registry.render();
    for line in [
        "vestibule_health_checks_total{target_group=\"app\",outcome=\"success\"} 4\n",
        "vestibule_health_checks_total{target_group=\"app\",outcome=\"response_code_mismatch\"} 2\n",
        "vestibule_targets{target_group=\"app\",state=\"initial\"} 0\n",
        "vestibule_targets{target_group=\"app\",state=\"healthy\"} 1\n",
        "vestibule_targets{target_group=\"app\",state=\"unhealthy\"} 0\n",
        "vestibule_target_group_fail_open{target_group=\"app\"} 0\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    drop(checks);
    turns(1).await;
    let text = checker.registry.render();
    assert!(!text.contains("vestibule_targets{") && !text.contains("fail_open{"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_group_below_its_minimum_sends_to_all() {
    let played = Arc::new(Played::default());
    let checker = played.checker();
    let targets = [target(1), target(2), target(3)];
    let minimum = Minimum { count: 1, percentage: Some(60) };
    let checks = start(&checker, &Settings { minimum, ..settings() }, &targets.each_ref());
    turns(1).await;
    let open = |expected: bool| {
        assert_eq!(checks.plan.group.sends_to_all(), expected);
        let line = format!("vestibule_target_group_fail_open{{target_group=\"app\"}} {}\n", u8::from(expected));
        assert!(checker.registry.render().contains(&line));
    };
    open(false);
    played.down(&[1]);
    turns(2).await;
    assert_eq!(state(&targets[0]), "unhealthy");
    open(false);
    played.down(&[1, 2]);
    turns(2).await;
    open(true);
    played.down(&[1]);
    turns(3).await;
    open(false);
}

#[tokio::test(start_paused = true)]
async fn another_configuration_with_the_same_check_goes_on_with_what_is_known() {
    let played = Arc::new(Played::default());
    played.down(&[1]);
    let (checker, gone, kept, new) = (played.checker(), target(1), target(2), target(3));
    let first = start(&checker, &settings(), &[&gone, &kept]);
    turns(1).await;
    let since = kept.health.read();
    let second = start(&checker, &settings(), &[&kept, &new]);
    assert_eq!(kept.health.read(), since);
    assert_eq!((state(&new), second.plan.group.sends_to_all()), ("initial", false));
    // A failure before the reload counts together with one after it.
    played.down(&[1, 2]);
    turns(1).await;
    let third = start(&checker, &settings(), &[&kept, &new]);
    drop((first, second));
    turns(1).await;
    assert_eq!((state(&kept), state(&new)), ("unhealthy", "healthy"));
    let of = |place: &str| played.asked.lock().unwrap().iter().filter(|(.., asked)| asked == place).count();
    assert_eq!((of("127.0.0.1:2"), of("127.0.0.1:3")), (3, 2), "one check in each interval");
    let of_gone = of("127.0.0.1:1");
    turns(3).await;
    assert_eq!(of("127.0.0.1:1"), of_gone, "a target that is gone is not checked");
    drop(third);
    let all = played.count();
    turns(3).await;
    assert_eq!(played.count(), all, "checks end with the last configuration");
    assert!(checker.watched.lock().unwrap().is_empty());
    assert_eq!([&gone, &kept, &new].map(Arc::strong_count), [1; 3], "nothing keeps the targets");
    // Nobody checked it for a while, so it is new.
    let fourth = start(&checker, &settings(), &[&kept]);
    assert_eq!(state(&kept), "initial");
    drop(fourth);
}

#[tokio::test(start_paused = true)]
async fn the_newest_configuration_says_how_to_check_and_an_older_one_if_that_is_not_used() {
    let played = Arc::new(Played::default());
    let (checker, target) = (played.checker(), target(1));
    let first = start(&checker, &settings(), &[&target]);
    turns(1).await;
    let second = start(&checker, &another(), &[&target]);
    assert_eq!(state(&target), "healthy", "the verdict stays until the new check decides");
    turns(1).await;
    let asked = played.paths();
    assert_eq!(asked[..2], ["/", "/other"], "soon, and not after the rest of the interval");
    // The older one takes part again, as when the addresses of a name change. It is still older.
    let again = checker.start(&first.plan, vec![Arc::clone(&target)]);
    turns(2).await;
    assert!(played.paths()[2..].iter().all(|path| path == "/other"), "{:?}", played.paths());
    // A reload that is refused drops what it has made.
    drop(second);
    let count = played.count();
    turns(1).await;
    assert!(played.paths()[count..].iter().all(|path| path == "/"), "{:?}", played.paths());
    assert!(played.count() > count && state(&target) == "healthy");
    assert_eq!(played.most.load(Ordering::Relaxed), 1);
    drop((first, again));
}

#[tokio::test(start_paused = true)]
async fn another_check_counts_anew() {
    let played = Arc::new(Played::default());
    played.down(&[1]);
    let (checker, target) = (played.checker(), target(1));
    let first = start(&checker, &settings(), &[&target]);
    turns(2).await;
    assert_eq!(state(&target), "unhealthy");
    let second = start(&checker, &another(), &[&target]);
    played.down(&[]);
    turns(1).await;
    assert_eq!(state(&target), "healthy", "one success of the new check is enough");
    drop((first, second));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_leaves_and_comes_back_at_once_is_checked_once() {
    let played = Arc::new(Played::default());
    let (checker, target) = (played.checker(), target(1));
    let first = start(&checker, &settings(), &[&target]);
    turns(1).await;
    // The task of the first has not seen its end yet.
    drop(first);
    let second = start(&checker, &settings(), &[&target]);
    turns(3).await;
    assert_eq!(played.count(), 1 + 3);
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_check_under_way_ends_when_nobody_wants_it_and_goes_on_when_a_reload_does() {
    let played = Arc::new(Played::default());
    *played.wait.lock().unwrap() = Duration::from_secs(4);
    let (checker, target) = (played.checker(), target(1));
    let first = start(&checker, &settings(), &[&target]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(played.under_way.load(Ordering::Relaxed), 1);
    let second = start(&checker, &settings(), &[&target]);
    drop(first);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((played.under_way.load(Ordering::Relaxed), played.count()), (1, 1));
    drop(second);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(played.under_way.load(Ordering::Relaxed), 0);
    assert_eq!(state(&target), "initial");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_checks_are_under_way() {
    let played = Arc::new(Played::default());
    *played.wait.lock().unwrap() = Duration::from_secs(3);
    let checker = played.checker();
    let targets: Vec<_> = (1..=300).map(target).collect();
    let checks = start(&checker, &settings(), &targets.iter().collect::<Vec<_>>());
    turns(1).await;
    assert_eq!(played.most.load(Ordering::Relaxed), CHECKS_MAX);
    assert!(targets.iter().all(|target| state(target) == "healthy"));
    drop(checks);
}

#[tokio::test(start_paused = true)]
async fn what_this_machine_lacks_and_a_bug_say_nothing_of_the_target() {
    let played = Arc::new(Played::default());
    let (checker, bug, lacks) = (played.checker(), target(999), target(998));
    let checks = start(&checker, &settings(), &[&bug, &lacks]);
    turns(4).await;
    assert_eq!((state(&bug), state(&lacks), played.count()), ("initial", "initial", 8));
    let text = checker.registry.render();
    assert!(text.contains("outcome=\"internal_error\"} 8\n"), "{text}");
    drop(checks);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_becomes_healthy_beside_another_starts_slowly() {
    let played = Arc::new(Played::default());
    played.down(&[2, 3]);
    let (checker, first, second, third) = (played.checker(), target(1), target(2), target(3));
    let slow = Duration::from_secs(1000);
    let plan = checker.plan(&"app".into(), &settings(), slow);
    let checks = checker.start(&plan, [&first, &second].map(Arc::clone).into());
    turns(1).await;
    played.down(&[3]);
    turns(4).await;
    let is_slow = |target: &Target| target.slow_share(Clock::system().instant(), slow) < WHOLE;
    assert_eq!((state(&first), state(&second)), ("healthy", "healthy"));
    assert_eq!((is_slow(&first), is_slow(&second)), (false, true), "there was no other when the first became healthy");
    // Beside one that is in its slow start itself, a target does not start slowly.
    played.down(&[1, 3]);
    turns(2).await;
    let with_third = checker.start(&plan, [&second, &third].map(Arc::clone).into());
    drop(checks);
    played.down(&[]);
    turns(4).await;
    assert_eq!((state(&second), state(&third), is_slow(&third)), ("healthy", "healthy", false));
    // What becomes unhealthy is no more in its slow start.
    played.down(&[2]);
    turns(2).await;
    assert_eq!((state(&second), is_slow(&second)), ("unhealthy", false));
    drop(with_third);
}

#[tokio::test(start_paused = true)]
async fn targets_that_are_healthy_from_the_beginning_do_not_start_slowly() {
    let played = Arc::new(Played::default());
    let checker = played.checker();
    let (targets, slow) = ([target(1), target(2), target(3)], Duration::from_secs(1000));
    *played.wait_of_two.lock().unwrap() = Duration::from_secs(3);
    let plan = checker.plan(&"app".into(), &settings(), slow);
    let checks = checker.start(&plan, targets.each_ref().map(Arc::clone).into());
    turns(1).await;
    let shares = targets.each_ref().map(|target| target.slow_share(Clock::system().instant(), slow));
    assert_eq!((targets.each_ref().map(|target| state(target)), shares), (["healthy"; 3], [WHOLE; 3]));
    drop(checks);
}

#[tokio::test(start_paused = true)]
async fn metrics_are_those_of_the_configuration_in_force_also_after_another_was_refused() {
    let played = Arc::new(Played::default());
    let (checker, first, second) = (played.checker(), target(1), target(2));
    let in_force = start(&checker, &settings(), &[&first, &second]);
    turns(1).await;
    let healthy = |count: usize| {
        let line = format!("vestibule_targets{{target_group=\"app\",state=\"healthy\"}} {count}\n");
        let text = checker.registry.render();
        assert!(text.contains(&line), "{line}{text}");
    };
    healthy(2);
    let refused = start(&checker, &settings(), &[&first]);
    healthy(1);
    drop(refused);
    turns(1).await;
    healthy(2);
    drop(in_force);
}

/// Counts the lines of the log that say more than `debug`.
#[derive(Clone, Default)]
struct Lines(Arc<AtomicUsize>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        if *event.metadata().level() <= tracing::Level::INFO {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_has_one_line_for_each_change() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines.clone()));
    let written = || lines.0.swap(0, Ordering::Relaxed);
    let played = Arc::new(Played::default());
    let (checker, one, two, lacks) = (played.checker(), target(1), target(2), target(998));
    let checks = start(&checker, &settings(), &[&one, &two]);
    turns(10).await;
    assert_eq!(written(), 2, "two targets are healthy");
    played.down(&[1]);
    turns(10).await;
    assert_eq!(written(), 1, "one is unhealthy");
    played.down(&[1, 2]);
    turns(10).await;
    assert_eq!(written(), 2, "the other is unhealthy, and requests go to all");
    played.down(&[]);
    turns(10).await;
    assert_eq!(written(), 3, "both are healthy, and requests go only to those that are");
    let more = start(&checker, &settings(), &[&lacks]);
    turns(10).await;
    assert_eq!(written(), 1, "a check that cannot be made");
    drop((checks, more));
}

#[tokio::test(start_paused = true)]
async fn why_the_last_check_failed_is_known_until_one_succeeds() {
    let played = Arc::new(Played::default());
    played.down(&[1]);
    let (checker, target) = (played.checker(), target(1));
    let checks = start(&checker, &settings(), &[&target]);
    turns(1).await;
    assert_eq!((state(&target), target.health.failure().as_str()), ("initial", "the status is 503"));
    played.down(&[]);
    turns(1).await;
    assert_eq!((state(&target), target.health.failure().as_str()), ("healthy", ""));
    drop(checks);
}
