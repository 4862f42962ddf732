//! A batch in progress: its answers are gathered into one array, and pushes on channels that it subscribed to wait until
//! that is complete.

use crate::wire::frame::SharedFrame;

/// The answers of one batch so far.
#[derive(Debug)]
pub struct Batch {
    array: Vec<u8>,
    received: u8,
    of: u8,
    /// Pushes on channels that this batch subscribed: they follow its answer.
    held: Vec<(u64, SharedFrame)>,
    held_bytes: usize,
    /// Names of the channels that this batch subscribed.
    subscribed: Vec<u64>,
}

impl Batch {
    pub fn new(of: u8) -> Batch {
        Batch { array: vec![b'['], received: 0, of, held: Vec::new(), held_bytes: 0, subscribed: Vec::new() }
    }

    /// Adds the next answer; true when it was the last.
    pub fn add(&mut self, subscribed: Option<u64>, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.received > 0 {
            self.array.push(b',');
        }
        write(&mut self.array);
        self.subscribed.extend(subscribed);
        // Cannot wrap: a batch has at most `BATCH_REQUESTS_MAX` (100) requests.
        self.received += 1;
        self.received >= self.of
    }

    /// Whether pushes on this channel must wait.
    pub fn holds(&self, channel: u64) -> bool {
        self.subscribed.contains(&channel)
    }

    /// Bytes of the pushes that wait: they count against the outbox's limit.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub fn hold(&mut self, channel: u64, frame: SharedFrame) {
        self.held_bytes += frame.len();
        self.held.push((channel, frame));
    }

    /// The batch ended a subscription: none of its pushes may follow the answer.
    pub fn unsubscribed(&mut self, channel: u64) {
        self.subscribed.retain(|own| *own != channel);
        self.held.retain(|(own, _)| *own != channel);
        self.held_bytes = self.held.iter().map(|(_, frame)| frame.len()).sum();
    }

    /// The whole answer, and what follows it.
    pub fn finish(mut self) -> (Vec<u8>, impl Iterator<Item = SharedFrame>) {
        self.array.push(b']');
        (self.array, self.held.into_iter().map(|(_, frame)| frame))
    }
}

#[cfg(test)]
mod tests {
    use super::Batch;

    #[test]
    fn a_batch_is_an_array_of_answers() {
        let answers: [&[u8]; 2] = [b"{\"status\":200}", b"{\"id\":2,\"status\":200}"];
        let mut batch = Batch::new(2);
        let whole = answers.map(|answer| batch.add(None, |out| out.extend_from_slice(answer)));
        assert_eq!(whole, [false, true], "the last answer completes it");
        assert_eq!(batch.finish().0, br#"[{"status":200},{"id":2,"status":200}]"#);
    }
}
