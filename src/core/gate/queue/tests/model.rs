//! model - whatever happens to a queue: turns are never exceeded, never idle, and every waiter is woken once

use super::*;

/// What may happen to a queue.
#[derive(Clone, Debug)]
enum Happening {
    Come(u32, QueueClass),
    Leave(usize),
    Finish(usize),
    Pass(u64),
}

fn class() -> impl Strategy<Value = QueueClass> {
    prop_oneof![
        Just(QueueClass::Probe),
        Just(QueueClass::AtHome),
        Just(QueueClass::Neighbour),
        Just(QueueClass::Ordinary),
        Just(QueueClass::Forgiven),
        Just(QueueClass::Frequent),
    ]
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        6 => (0u32..5, class()).prop_map(|(number, class)| Happening::Come(number, class)),
        2 => (0usize..20).prop_map(Happening::Leave),
        4 => (0usize..20).prop_map(Happening::Finish),
        1 => (0u64..12).prop_map(Happening::Pass),
    ];
    proptest::collection::vec(happening, 0..80)
}

/// A queue, and what it must do by the simplest of rules.
struct Model {
    queue: Queue<u32>,
    now: Moment,
    next: u32,
    /// Waiters in the order in which they came, with their networks.
    waiting: Vec<(u32, u32, Ticket)>,
    held: Vec<(u32, Turn)>,
}

impl Model {
    const AT_ONCE: usize = 4;

    fn happen(&mut self, happening: &Happening) {
        match *happening {
            Happening::Come(number, class) => {
                let ticket = self
                    .queue
                    .enter(network(number), class, self.next, self.now);
                self.waiting.push((self.next, number, ticket));
                self.next += 1;
            }
            Happening::Leave(index) if index < self.waiting.len() => {
                self.queue.leave(self.waiting.remove(index).2);
            }
            Happening::Finish(index) if index < self.held.len() => {
                self.queue.free(self.held.remove(index).1);
            }
            Happening::Pass(seconds) => self.now = self.now + Duration::from_secs(seconds),
            _ => {}
        }
        for woken in self.queue.advance(self.now) {
            self.wake(woken);
        }
        self.check();
    }

    fn wake(&mut self, woken: Woken<u32>) {
        let (waiter, turn) = match woken {
            Woken::Turn(waiter, turn) => (waiter, Some(turn)),
            Woken::Missed(waiter) => (waiter, None),
        };
        let mut waiting = self.waiting.iter();
        let index = waiting.position(|(other, ..)| *other == waiter);
        // It is found: only a waiter is woken, and only once.
        let (_, number, ticket) = self
            .waiting
            .remove(index.expect("woken twice, or after leaving"));
        assert_eq!(turn.is_none(), ticket.deadline() <= self.now);
        let older = self.waiting.iter().any(|(other, of, theirs)| {
            *of == number && (theirs.order.class, *other) < (ticket.order.class, waiter)
        });
        assert!(!older || turn.is_none(), "{waiter} overtook one of its own");
        self.held.extend(turn.map(|turn| (number, turn)));
    }

    fn check(&self) {
        let mut busy: Vec<u32> = self.held.iter().map(|(number, _)| *number).collect();
        busy.sort_unstable();
        busy.dedup();
        let several = self.held.len() - busy.len();
        assert!(several <= Self::AT_ONCE / 2, "{several} second turns");
        assert!(self.held.len() <= Self::AT_ONCE);
        let of_class = |class| {
            let of_class = |(_, turn): &&(u32, Turn)| turn.class == class;
            self.held.iter().filter(of_class).count()
        };
        let [forgiven, frequent] = [QueueClass::Forgiven, QueueClass::Frequent].map(of_class);
        assert!(forgiven <= 1, "{forgiven} of {} turns", Self::AT_ONCE);
        assert!(frequent <= 1, "{frequent} of {} turns", Self::AT_ONCE);
        let half_is_free = self.held.len() < Self::AT_ONCE / 2;
        // A network waits in the class of its best attempt.
        let is_best = |number: u32, class| {
            let mut others = self.waiting.iter().filter(|(_, of, _)| *of == number);
            others.all(|(_, _, other)| other.order.class >= class)
        };
        let could_go = |(_, number, ticket): &(u32, u32, Ticket)| {
            (half_is_free || !busy.contains(number))
                && (ticket.order.class != QueueClass::Forgiven || forgiven == 0)
                && (ticket.order.class != QueueClass::Frequent || frequent == 0)
                && is_best(*number, ticket.order.class)
        };
        assert!(
            self.held.len() == Self::AT_ONCE || !self.waiting.iter().any(could_go),
            "somebody waits beside a free turn"
        );
    }
}

proptest! {
    #[test]
    fn turns_are_never_exceeded_never_idle_and_every_waiter_is_woken_once(
        happenings in happenings()
    ) {
        let mut model = Model {
            queue: queue(Model::AT_ONCE),
            now: START,
            next: 0,
            waiting: Vec::new(),
            held: Vec::new(),
        };
        for happening in &happenings {
            model.happen(happening);
        }
        model.held.drain(..).for_each(|(_, turn)| model.queue.free(turn));
        // Every waiter that is left gets a turn.
        while !model.waiting.is_empty() {
            model.happen(&Happening::Finish(0));
        }
        while !model.held.is_empty() {
            model.happen(&Happening::Finish(0));
        }
        nothing_is_kept(&model.queue);
    }
}
