use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

/// A waker that counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A stream, and a task that waits for it.
struct Task {
    stream: Rc<Stream>,
    woken: Arc<Woken>,
}

impl Task {
    fn new(outbox: &Rc<Outbox>) -> Self {
        Self { stream: Stream::new(outbox), woken: Arc::default() }
    }

    fn has_room(&self) -> bool {
        self.stream.has_room(&Waker::from(Arc::clone(&self.woken)))
    }

    /// Takes a piece if there is room, and then leaves the remaining room to the next stream, as a response does.
    fn pull(&self, bytes: usize) -> Option<Piece> {
        let piece = self.has_room().then(|| self.stream.piece(zeros(bytes)));
        self.stream.pass_on();
        piece
    }

    fn wakes(&self) -> usize {
        self.woken.0.swap(0, Ordering::Relaxed)
    }
}

fn zeros(length: usize) -> Bytes {
    vec![0; length].into()
}

/// Pulls pieces until there is no room.
fn pull_all(task: &Task, bytes: usize) -> Vec<Piece> {
    std::iter::from_fn(|| task.pull(bytes)).collect()
}

#[test]
fn a_stream_that_nobody_reads_has_one_piece_and_one_that_is_read_has_more() {
    let outbox = Outbox::new(OutboxBudget::new(1 << 30));
    let task = Task::new(&outbox);
    let first = pull_all(&task, 8 * 1024);
    assert_eq!(first.len(), 1);
    assert_eq!(task.wakes(), 0);
    drop(first);
    assert_eq!(task.wakes(), 1, "its piece was written");
    let more = pull_all(&task, 8 * 1024);
    assert_eq!(more.len(), STREAM_BYTES_MAX / 8 / 1024);
}

#[test]
fn w_06_small_pieces_count_for_what_they_take() {
    let outbox = Outbox::new(OutboxBudget::new(1 << 30));
    let task = Task::new(&outbox);
    drop(pull_all(&task, 1));
    let pieces = pull_all(&task, 1);
    assert_eq!(pieces.len(), STREAM_BYTES_MAX / PIECE_BYTES_MIN);
    drop(pieces);
    assert_eq!((outbox.queued.get(), task.stream.queued.get()), (0, 0));
}

#[test]
fn streams_that_nobody_reads_do_not_stop_the_others_of_their_connection() {
    let outbox = Outbox::new(OutboxBudget::new(1 << 30));
    let unread: Vec<Task> = (0..100).map(|_| Task::new(&outbox)).collect();
    let kept: Vec<Piece> = unread.iter().flat_map(|task| pull_all(task, 64 * 1024)).collect();
    assert_eq!(kept.len(), 100);
    let read = Task::new(&outbox);
    for _ in 0..100 {
        let pieces = pull_all(&read, 64 * 1024);
        assert_eq!(pieces.len(), 1, "one at a time, as there is so much already");
    }
}

#[test]
fn when_the_worker_is_full_each_connection_still_has_a_little() {
    let budget = OutboxBudget::new(256 * 1024);
    let full = Outbox::new(Rc::clone(&budget));
    let unread: Vec<Task> = (0..10).map(|_| Task::new(&full)).collect();
    let kept: Vec<Piece> = unread.iter().flat_map(|task| pull_all(task, 64 * 1024)).collect();
    assert_eq!(kept.len(), 1 + 4, "its own, and the worker's bound");
    let other = Outbox::new(budget);
    let (first, second) = (Task::new(&other), Task::new(&other));
    let piece = first.pull(64 * 1024).expect("this connection has nothing yet");
    assert!(second.pull(1).is_none());
    drop(piece);
    assert_eq!(second.wakes(), 1, "there is room again in this connection");
    assert!(second.pull(1).is_some());
}

#[test]
fn all_that_wait_for_the_budget_are_woken_one_after_the_other() {
    let budget = OutboxBudget::new(64 * 1024);
    let outboxes: Vec<Rc<Outbox>> = (0..3).map(|_| Outbox::new(Rc::clone(&budget))).collect();
    let reserved: Vec<Piece> = outboxes.iter().map(|outbox| outbox.last_piece(zeros(2 * RESERVED_BYTES))).collect();
    let waiting: Vec<Task> = outboxes.iter().flat_map(|outbox| [Task::new(outbox), Task::new(outbox)]).collect();
    assert!(waiting.iter().all(|task| !task.has_room()));
    assert!(waiting.iter().all(|task| !task.has_room()), "asking twice changes nothing");
    // A dropped stream is skipped.
    let mut waiting: Vec<Option<Task>> = waiting.into_iter().map(Some).collect();
    waiting[2] = None;
    drop(reserved);
    let mut woken = Vec::new();
    loop {
        let next = waiting.iter().position(|task| task.as_ref().is_some_and(|task| task.wakes() > 0));
        let Some(next) = next else { break };
        woken.push(next);
        // The stream has room, but nothing to send.
        let task = waiting[next].take().expect("just looked at");
        assert!(task.has_room());
        task.stream.pass_on();
    }
    woken.sort_unstable();
    assert_eq!(woken, [0, 1, 3, 4, 5]);
}

#[test]
fn everything_is_given_back() {
    let budget = OutboxBudget::new(1000);
    let outbox = Outbox::new(Rc::clone(&budget));
    let task = Task::new(&outbox);
    let mut piece = task.pull(700).expect("room");
    piece.advance(300);
    let last = outbox.last_piece(zeros(500));
    assert_eq!((outbox.queued.get(), budget.left.get()), (1200, 1000), "its own");
    let more = outbox.last_piece(zeros(RESERVED_BYTES));
    assert_eq!((outbox.queued.get(), budget.left.get()), (1200 + RESERVED_BYTES, -200));
    drop((piece, last, more));
    assert_eq!((outbox.queued.get(), budget.left.get(), task.stream.queued.get()), (0, 1000, 0));
}

#[test]
fn a_stream_stands_still_where_nothing_is_taken_of_what_waits_for_its_client() {
    let outbox = Outbox::new(OutboxBudget::new(1 << 30));
    let task = Task::new(&outbox);
    assert!(!task.stream.stands_still(), "nothing waits");
    let mut piece = task.pull(1000).expect("the first");
    assert!(task.stream.stands_still());
    piece.advance(1);
    assert!(!task.stream.stands_still(), "a byte of it was taken since");
    assert!(task.stream.stands_still());
    drop(piece);
    assert!(!task.stream.stands_still(), "all of it was");
}

#[test]
fn a_connection_has_a_little_of_its_own_that_nobody_watches() {
    let budget = OutboxBudget::new(1000);
    let outbox = Outbox::new(Rc::clone(&budget));
    let own = outbox.last_piece(zeros(RESERVED_BYTES));
    assert_eq!(budget.left.get(), 1000, "it does not count for the worker");
    assert!(!outbox.is_crowded(0) && outbox.is_crowded(1));
    let task = Task::new(&outbox);
    let last = task.pull(1000).expect("the worker has room");
    assert_eq!(budget.left.get(), 0);
    assert!(!outbox.may_take_more() && outbox.is_crowded(0));
    let woken = Waker::from(Arc::clone(&task.woken));
    assert!(!task.stream.is_taken(&woken));
    drop(last);
    assert_eq!(task.wakes(), 1, "the client has taken it");
    assert!(task.stream.is_taken(&woken));
    drop(own);
    assert_eq!(budget.left.get(), 1000);
}

#[test]
fn a_small_piece_that_may_have_to_wait_does_not_keep_the_buffer_that_it_was_read_into() {
    let outbox = Outbox::new(OutboxBudget::new(1 << 30));
    let read = Bytes::from(vec![0; 8 * 1024]);
    let copied = |length: usize| {
        let compact = outbox.compact(read.slice(..length));
        assert_eq!(compact.len(), length);
        compact.as_ptr() != read.as_ptr()
    };
    assert!(!copied(1024), "nothing waits: it will be written at once");
    let waiting = outbox.last_piece(zeros(COPY_BYTES_MIN));
    assert!(copied(1024));
    assert!(!copied(SMALL_BYTES), "it is most of its buffer");
    drop(waiting);
    assert!(!copied(1024));
}
