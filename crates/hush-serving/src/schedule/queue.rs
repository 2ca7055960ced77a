//! Whose turn it is: plain data, no threads and no clocks.
//!
//! Fair sharing by virtual time: each identity has consumed so many seconds, and of those that wait, the one that has
//! consumed least comes next. Who was away starts where the least of the others is, and cannot save up. A run is
//! charged with an estimate when it starts and corrected when it ends, so that nobody starts many at once for free
//! (start-time fair queueing; Goyal, Vin and Cheng, "Start-time Fair Queueing", 1996).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Something that waits.
pub(crate) struct Waiting<T> {
    /// Unique.
    pub(crate) ticket: u64,
    /// Name of its model.
    pub(crate) model: Arc<str>,
    /// Memory that it takes.
    pub(crate) bytes: u64,
    /// Seconds that it will take, as far as one can tell.
    pub(crate) estimate: f64,
    /// The thing itself.
    pub(crate) item: T,
}

/// What waits, by identity.
pub(crate) struct Queue<T> {
    lanes: BTreeMap<Arc<str>, Lane<T>>,
    /// Virtual time of the whole: no lane that begins is behind it.
    floor: f64,
    waiting: usize,
}

struct Lane<T> {
    time: f64,
    running: usize,
    waiting: VecDeque<Waiting<T>>,
}

impl<T> Queue<T> {
    pub(crate) fn new() -> Self {
        Self {
            lanes: BTreeMap::new(),
            floor: 0.0,
            waiting: 0,
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    /// How many wait for a model, and how many of them are of one identity.
    pub(crate) fn waiting_for(&self, model: &str, identity: &str) -> (usize, usize) {
        let count = |lane: &Lane<T>| {
            let waiting = lane.waiting.iter();
            waiting.filter(|waiting| *waiting.model == *model).count()
        };
        let all = self.lanes.values().map(count).sum();
        (all, self.lanes.get(identity).map_or(0, count))
    }

    /// Adds to the end of an identity's lane.
    pub(crate) fn push(&mut self, identity: &Arc<str>, waiting: Waiting<T>) {
        let floor = self.floor;
        let lane = self.lanes.entry(Arc::clone(identity)).or_insert(Lane {
            time: floor,
            running: 0,
            waiting: VecDeque::new(),
        });
        if lane.waiting.is_empty() && lane.running == 0 {
            lane.time = lane.time.max(floor);
        }
        lane.waiting.push_back(waiting);
        self.waiting += 1;
    }

    /// Takes the next one, if there is one and it `fits`. One that does not fit is waited for: nobody overtakes it.
    pub(crate) fn pop(
        &mut self,
        fits: impl FnOnce(&Waiting<T>) -> bool,
    ) -> Option<(Arc<str>, Waiting<T>)> {
        let active = self.lanes.iter_mut();
        let waiting = active.filter(|(_, lane)| !lane.waiting.is_empty());
        let (identity, lane) = waiting.min_by(|a, b| a.1.time.total_cmp(&b.1.time))?;
        if !fits(lane.waiting.front()?) {
            return None;
        }
        let next = lane.waiting.pop_front()?;
        self.floor = self.floor.max(lane.time);
        lane.time += next.estimate;
        lane.running += 1;
        self.waiting -= 1;
        Some((Arc::clone(identity), next))
    }

    /// A run that [`Queue::pop`] began has ended, and took so many seconds.
    pub(crate) fn ended(&mut self, identity: &str, estimate: f64, seconds: f64) {
        if let Some(lane) = self.lanes.get_mut(identity) {
            lane.running -= 1;
            lane.time += seconds - estimate;
        }
        self.forget_idle();
    }

    /// Takes one out that nobody waits for any more.
    pub(crate) fn remove(&mut self, identity: &str, ticket: u64) -> Option<Waiting<T>> {
        let lane = self.lanes.get_mut(identity)?;
        let place = lane
            .waiting
            .iter()
            .position(|waiting| waiting.ticket == ticket)?;
        let removed = lane.waiting.remove(place);
        self.waiting -= 1;
        self.forget_idle();
        removed
    }

    /// Takes out all that wait.
    pub(crate) fn clear(&mut self) -> Vec<Waiting<T>> {
        self.waiting = 0;
        let lanes = self.lanes.values_mut();
        lanes
            .flat_map(|lane| std::mem::take(&mut lane.waiting))
            .collect()
    }

    /// Lanes that have nothing and owe nothing; all of them once nothing is left to share.
    fn forget_idle(&mut self) {
        let idle = |lane: &Lane<T>| lane.running == 0 && lane.waiting.is_empty();
        if self.lanes.values().all(idle) {
            self.lanes.clear();
            self.floor = 0.0;
            return;
        }
        let floor = self.floor;
        self.lanes
            .retain(|_, lane| !idle(lane) || lane.time > floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(ticket: u64) -> Waiting<()> {
        Waiting {
            ticket,
            model: "m".into(),
            bytes: 1,
            estimate: 1.0,
            item: (),
        }
    }

    fn names(queue: &mut Queue<()>, count: usize, seconds: impl Fn(&str) -> f64) -> String {
        let mut names = String::new();
        for _ in 0..count {
            let (identity, next) = queue.pop(|_| true).unwrap();
            queue.ended(&identity, next.estimate, seconds(&identity));
            names.push_str(&identity);
        }
        names
    }

    #[test]
    fn who_asks_much_waits_for_who_asks_little() {
        let mut queue = Queue::new();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        for ticket in 0..10 {
            queue.push(&a, waiting(ticket));
        }
        assert_eq!(names(&mut queue, 3, |_| 1.0), "aaa");
        for ticket in 10..13 {
            queue.push(&b, waiting(ticket));
        }
        // b starts where a stands, and then they take turns.
        let turns = names(&mut queue, 6, |_| 1.0);
        assert_eq!(turns.matches('b').count(), 3, "{turns}");
        assert_eq!(names(&mut queue, 4, |_| 1.0), "aaaa");
        assert_eq!(queue.len(), 0);
        assert!(queue.lanes.is_empty());
    }

    #[test]
    fn seconds_count_and_not_requests() {
        let mut queue = Queue::new();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        for ticket in 0..20 {
            queue.push(&a, waiting(ticket));
            queue.push(&b, waiting(100 + ticket));
        }
        let turns = names(&mut queue, 16, |name| if name == "a" { 3.0 } else { 1.0 });
        assert_eq!(turns.matches('a').count(), 4, "{turns}");
    }

    #[test]
    fn what_does_not_fit_is_not_overtaken() {
        let mut queue = Queue::new();
        let a: Arc<str> = "a".into();
        queue.push(
            &a,
            Waiting {
                bytes: 10,
                ..waiting(1)
            },
        );
        queue.push(&a, waiting(2));
        assert!(queue.pop(|next| next.bytes < 5).is_none());
        assert_eq!(queue.pop(|_| true).unwrap().1.ticket, 1);
    }

    #[test]
    fn the_cancelled_leave_no_trace() {
        let mut queue = Queue::new();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        queue.push(&a, waiting(1));
        queue.push(&a, waiting(2));
        queue.push(&b, waiting(3));
        assert_eq!(queue.waiting_for("m", "a"), (3, 2));
        assert!(queue.remove("a", 1).is_some());
        assert!(queue.remove("a", 1).is_none());
        assert_eq!(queue.waiting_for("m", "a"), (2, 1));
        assert_eq!(queue.waiting_for("other", "a"), (0, 0));
        assert_eq!(queue.clear().len(), 2);
        assert_eq!(queue.len(), 0);
    }
}
