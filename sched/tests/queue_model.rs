//! Any sequence of operations on two queues against a slow model that knows only who is where and what weighs what.

use proptest::prelude::*;
use sched::{Entity, FairQueue, Home, Migrant, Nice, Policy, Position, Runnable, Tunables};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Asleep,
    Queued(usize),
    Running(usize),
}

#[derive(Debug, Clone)]
struct Known {
    place: Place,
    home: usize,
    nice: i32,
    ran: u64,
    position: Option<Position>,
}

struct World {
    queues: [FairQueue<usize>; 2],
    asleep: Vec<Option<Runnable<usize>>>,
    known: Vec<Known>,
    now: u64,
}

impl World {
    fn new() -> Self {
        let queue = || FairQueue::new(Tunables::for_cpus(2));
        Self { queues: [queue(), queue()], asleep: Vec::new(), known: Vec::new(), now: 0 }
    }

    fn pass(&mut self, time: u64) {
        self.now += time;
        for known in &mut self.known {
            if let Place::Running(_) = known.place {
                known.ran += time;
            }
        }
    }

    fn running_on(&self, cpu: usize) -> Option<usize> {
        self.known.iter().position(|known| known.place == Place::Running(cpu))
    }

    fn fork(&mut self, cpu: usize, nice: i32) {
        let id = self.known.len();
        let entity = Box::new(Entity::new(id as u64, Nice::clamped(nice), Policy::Normal));
        let placed = self.queues[cpu].enqueue_new(Runnable { entity, owner: id }, self.now);
        let place = Place::Queued(cpu);
        self.known.push(Known { place, home: cpu, nice, ran: 0, position: Some(placed.position) });
        self.asleep.push(None);
    }

    fn wake(&mut self, id: usize, cpu: usize) {
        let Some(runnable) = self.asleep[id].take() else {
            return;
        };
        let home = match self.known[id].home {
            home if home == cpu => Home::Here,
            home => Home::Elsewhere { min_vruntime: self.queues[home].min_vruntime() },
        };
        let placed = self.queues[cpu].enqueue_woken(runnable, home, self.now);
        let known = &mut self.known[id];
        (known.place, known.home, known.position) = (Place::Queued(cpu), cpu, Some(placed.position));
    }

    fn block(&mut self, cpu: usize) {
        let expected = self.running_on(cpu);
        let blocked = self.queues[cpu].take_current(self.now);
        assert_eq!(blocked.as_ref().map(|blocked| blocked.owner), expected);
        if let Some(blocked) = blocked {
            let id = blocked.owner;
            assert_eq!(blocked.entity.sum_exec_ns(), self.known[id].ran);
            self.known[id].place = Place::Asleep;
            self.asleep[id] = Some(blocked);
        }
    }

    fn pick(&mut self, cpu: usize) {
        let before = self.running_on(cpu);
        self.queues[cpu].update_current(self.now);
        let updated = self.queues[cpu].current().map(|current| current.entity.vruntime());
        let picked = self.queues[cpu].pick_next(self.now).map(|picked| (picked.owner, picked.entity.vruntime()));
        let queued = self.known.iter().filter(|known| known.place == Place::Queued(cpu));
        let waiting: Vec<_> = queued.filter_map(|known| known.position).collect();
        assert_eq!(picked.is_some(), before.is_some() || !waiting.is_empty());
        let Some((owner, vruntime)) = picked else {
            return;
        };
        for position in waiting {
            assert!(vruntime.wrapping_sub(position.vruntime) as i64 <= 0, "someone waits with less");
        }
        if before == Some(owner) {
            return;
        }
        if let Some(before) = before {
            let position = self.queues[cpu].find_movable(usize::MAX, &mut |runnable| runnable.owner == before);
            self.known[before].place = Place::Queued(cpu);
            self.known[before].position = Some(position.expect("put back"));
            assert_eq!(position.map(|position| position.vruntime), updated);
        }
        self.known[owner].place = Place::Running(cpu);
        self.known[owner].position = None;
    }

    fn migrate(&mut self, id: usize) {
        let Place::Queued(from) = self.known[id].place else {
            return;
        };
        let position = self.known[id].position.unwrap();
        let migrant: Migrant<usize> = self.queues[from].detach(position).expect("queued where it should be");
        let distance = position.vruntime.wrapping_sub(self.queues[from].min_vruntime());
        let to = 1 - from;
        let placed = self.queues[to].attach(migrant, self.now);
        assert_eq!(placed.position.vruntime.wrapping_sub(self.queues[to].min_vruntime()), distance);
        let known = &mut self.known[id];
        (known.place, known.home, known.position) = (Place::Queued(to), to, Some(placed.position));
    }

    fn renice(&mut self, id: usize, nice: i32) {
        let changed = match self.known[id].place {
            Place::Asleep => {
                let Some(asleep) = &mut self.asleep[id] else {
                    return;
                };
                asleep.entity.set_share(Nice::clamped(nice), Policy::Normal);
                true
            }
            Place::Running(cpu) => {
                let _ = self.queues[cpu].set_share_of_current(Nice::clamped(nice), Policy::Normal, self.now);
                true
            }
            Place::Queued(cpu) => {
                let position = self.known[id].position.unwrap();
                self.queues[cpu].set_share_of_queued(position, Nice::clamped(nice), Policy::Normal, self.now).is_some()
            }
        };
        assert!(changed);
        self.known[id].nice = nice;
    }

    fn check(&self) {
        for (cpu, queue) in self.queues.iter().enumerate() {
            let here = |known: &&Known| matches!(known.place, Place::Queued(at) | Place::Running(at) if at == cpu);
            assert_eq!(queue.running(), self.known.iter().filter(here).count());
            let weight = |known: &Known| u64::from(Nice::clamped(known.nice).weight().share());
            assert_eq!(queue.load(), self.known.iter().filter(here).map(weight).sum::<u64>());
            assert_eq!(queue.current().map(|current| current.owner), self.running_on(cpu));
        }
    }
}

proptest! {
    #[test]
    fn queues_agree_with_the_model(
        steps in prop::collection::vec((0u8..8, 0usize..12, 0usize..2, -20i32..20, 0u64..20_000_000), 1..200),
    ) {
        let mut world = World::new();
        for (kind, which, cpu, nice, time) in steps {
            world.pass(time);
            let front = [world.queues[0].min_vruntime(), world.queues[1].min_vruntime()];
            let id = which.min(world.known.len().saturating_sub(1));
            match kind {
                0 => world.fork(cpu, nice),
                1 | 2 => world.pick(cpu),
                3 => world.block(cpu),
                4 if !world.known.is_empty() => world.wake(id, cpu),
                5 if !world.known.is_empty() => world.migrate(id),
                6 if !world.known.is_empty() => world.renice(id, nice),
                _ => {
                    let _ = world.queues[cpu].tick(world.now);
                }
            }
            world.check();
            for (queue, front) in world.queues.iter().zip(front) {
                prop_assert!(queue.min_vruntime().wrapping_sub(front) as i64 >= 0, "the front moved back");
            }
        }
    }
}
