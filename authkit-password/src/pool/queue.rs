use std::collections::{HashMap, VecDeque};

use crate::pool::ClientKey;

/// Waiting jobs, bounded as a whole and for each client, handed out to the clients in turn.
pub(super) struct FairQueue<J> {
    by_client: HashMap<ClientKey, VecDeque<J>>,
    /// The clients that have a job waiting, the next one to be served first.
    turns: VecDeque<ClientKey>,
    waiting: usize,
    capacity: usize,
    share: usize,
}

impl<J> FairQueue<J> {
    pub(super) fn new(capacity: usize, share: usize) -> Self {
        Self { by_client: HashMap::new(), turns: VecDeque::new(), waiting: 0, capacity, share }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    pub(super) fn has_place(&self, client: ClientKey) -> bool {
        self.waiting < self.capacity && self.by_client.get(&client).map_or(0, VecDeque::len) < self.share
    }

    /// Adds a job behind the others of its client; [`FairQueue::has_place`] was asked before.
    pub(super) fn push(&mut self, client: ClientKey, job: J) {
        let jobs = self.by_client.entry(client).or_default();
        if jobs.is_empty() {
            self.turns.push_back(client);
        }
        jobs.push_back(job);
        self.waiting += 1;
    }

    /// Takes the oldest job of the client whose turn it is.
    pub(super) fn pop(&mut self) -> Option<J> {
        let client = self.turns.pop_front()?;
        let jobs = self.by_client.get_mut(&client)?;
        let job = jobs.pop_front()?;
        self.waiting -= 1;
        if jobs.is_empty() {
            self.by_client.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        Some(job)
    }

    /// Drops the jobs that are not `wanted` any more.
    pub(super) fn retain(&mut self, wanted: impl Fn(&J) -> bool) {
        self.by_client.retain(|_, jobs| {
            jobs.retain(&wanted);
            !jobs.is_empty()
        });
        self.turns.retain(|client| self.by_client.contains_key(client));
        self.waiting = self.by_client.values().map(VecDeque::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(capacity: usize, share: usize, jobs: &[(u64, u32)]) -> FairQueue<u32> {
        let mut queue = FairQueue::new(capacity, share);
        for &(client, job) in jobs {
            assert!(queue.has_place(ClientKey(client)), "{job}");
            queue.push(ClientKey(client), job);
        }
        queue
    }

    fn drained(mut queue: FairQueue<u32>) -> Vec<u32> {
        let jobs = std::iter::from_fn(|| queue.pop()).collect();
        assert!(queue.waiting() == 0 && queue.by_client.is_empty() && queue.turns.is_empty());
        jobs
    }

    #[test]
    fn clients_take_turns_and_keep_their_own_order() {
        let queue = queue(8, 8, &[(1, 10), (1, 11), (1, 12), (1, 13), (2, 20), (3, 30), (2, 21)]);
        assert_eq!(drained(queue), [10, 20, 30, 11, 21, 12, 13]);
    }

    #[test]
    fn client_has_no_more_than_its_share() {
        let queue = queue(8, 2, &[(1, 10), (1, 11)]);
        assert!(!queue.has_place(ClientKey(1)));
        assert!(queue.has_place(ClientKey(2)));
    }

    #[test]
    fn full_queue_has_no_place_for_anyone() {
        let mut queue = queue(2, 2, &[(1, 10), (2, 20)]);
        assert!(!queue.has_place(ClientKey(3)));
        queue.pop();
        assert!(queue.has_place(ClientKey(3)));
    }

    #[test]
    fn unwanted_jobs_leave_no_trace() {
        let mut queue = queue(8, 8, &[(1, 10), (1, 11), (2, 20), (3, 30)]);
        queue.retain(|job| ![10, 20].contains(job));
        assert_eq!(queue.waiting(), 2);
        assert_eq!(drained(queue), [11, 30]);
    }
}
