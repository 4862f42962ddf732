//! What became of each publication: what members of a cluster published and received is held against what must hold.

use std::collections::{BTreeMap, HashMap};

/// Where a publication is: its epoch, and its offset in it.
pub(super) type Place = (String, u64);

/// What the last publication of each channel says: a reader ends with it.
pub(super) const LAST: u64 = 1_000_000_000;

/// One channel as a reader has seen it.
#[derive(Debug, Default)]
pub(super) struct Line {
    epoch: String,
    offset: u64,
    /// Where it began to read, and to which offset it read from there without a gap: one for each time that it was told that
    /// something may be missing.
    spans: Vec<(String, u64, u64)>,
    received: BTreeMap<Place, u64>,
    has_last: bool,
}

/// What one member has seen and done.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) lines: BTreeMap<String, Line>,
    /// How often it resumed with everything, and how often it was told that something may be missing.
    pub(super) resumed: usize,
    pub(super) told: usize,
    /// How often its connection ended.
    pub(super) ends: usize,
    /// What it published: channel, place, and what was published.
    pub(super) answered: Vec<(String, Place, u64)>,
    /// What it was told of that nothing was published, with the code.
    pub(super) refused: Vec<(u64, String)>,
    /// What it does not know of: the code, or empty where the connection ended.
    pub(super) unknown: Vec<(u64, String)>,
}

impl Line {
    /// Where it goes on.
    pub(super) fn position(&self) -> Option<String> {
        (!self.epoch.is_empty()).then(|| format!("{}:{}", self.epoch, self.offset))
    }

    /// Whether this place was read, or came before it was read.
    pub(super) fn is_past(&self, (epoch, offset): &Place) -> bool {
        self.epoch != *epoch || self.offset >= *offset
    }

    fn begin(&mut self, epoch: &str, offset: u64) {
        self.epoch = epoch.to_owned();
        self.offset = offset;
        self.spans.push((epoch.to_owned(), offset, offset));
    }

    fn take(&mut self, channel: &str, offset: u64, number: u64) {
        assert_eq!(offset, self.offset + 1, "no gap and no double in {channel} {}", self.epoch);
        self.offset = offset;
        self.has_last |= number >= LAST;
        self.spans.last_mut().expect("it was begun").2 = offset;
        let before = self.received.insert((self.epoch.clone(), offset), number);
        assert!(before.is_none(), "twice: {channel} {}:{offset}", self.epoch);
    }

    /// Whether it should have read this place: it had begun to read before, and it read on after.
    fn misses(&self, place: &Place) -> bool {
        let is_before = self.spans.first().is_some_and(|(epoch, begin, _)| *epoch == place.0 && place.1 <= *begin);
        let is_after = self.spans.last().is_some_and(|(epoch, _, end)| *epoch == place.0 && place.1 > *end);
        !is_before && !is_after && !self.received.contains_key(place)
    }

    /// Whether it read over this place without a gap.
    fn covers(&self, (epoch, offset): &Place) -> bool {
        self.spans.iter().any(|(own, begin, end)| own == epoch && (begin + 1..=*end).contains(offset))
    }
}

impl Seen {
    fn line(&mut self, channel: &str) -> &mut Line {
        self.lines.entry(channel.to_owned()).or_default()
    }

    /// The answer to a subscription.
    pub(super) fn begin(&mut self, channel: &str, epoch: &str, offset: u64, recovered: Option<bool>) {
        let line = self.line(channel);
        match recovered {
            Some(true) => {
                assert_eq!(epoch, line.epoch, "{channel}: another epoch cannot be the same place");
                self.resumed += 1;
                return;
            }
            Some(false) => {}
            None => assert!(line.epoch.is_empty(), "{channel}: one that comes back is told whether it has everything"),
        }
        line.begin(epoch, offset);
        self.told += usize::from(recovered == Some(false));
    }

    /// A reset.
    pub(super) fn reset(&mut self, channel: &str, epoch: &str, offset: u64) {
        self.line(channel).begin(epoch, offset);
        self.told += 1;
    }

    /// A publication.
    pub(super) fn take(&mut self, channel: &str, offset: u64, number: u64) {
        self.line(channel).take(channel, offset, number);
    }

    /// Whether the last publication of each of these channels has come.
    pub(super) fn has_ended(&self, channels: &[String]) -> bool {
        channels.iter().all(|channel| self.lines.get(channel).is_some_and(|line| line.has_last))
    }

    /// Publications that came.
    fn received(&self) -> usize {
        self.lines.values().map(|line| line.received.len()).sum()
    }
}

/// What all members together have seen.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) answered: usize,
    pub(super) received: usize,
    pub(super) refused: BTreeMap<String, usize>,
    pub(super) unknown: BTreeMap<String, usize>,
    /// Of those that are unknown, how many were published.
    pub(super) unknown_published: usize,
    pub(super) resumed: usize,
    pub(super) told: usize,
    /// Answered, and received by no reader that could have: each reader was told of a gap there.
    pub(super) lost: usize,
}

impl Account {
    /// Holds what members saw against each other. Whatever is wrong fails the test: a position with two bodies, a publication
    /// at two positions, one that was refused and delivered all the same, and one that was answered and that a reader misses who
    /// was not told so. (Gaps and doubles failed when they were read.)
    pub(super) fn of(members: &[Seen]) -> Account {
        let mut bodies: HashMap<(&str, &Place), u64> = HashMap::new();
        let mut places: HashMap<u64, (&str, &Place)> = HashMap::new();
        let answered = || {
            members
                .iter()
                .flat_map(|seen| &seen.answered)
                .map(|(channel, place, number)| (channel.as_str(), place, *number))
        };
        let lines = || members.iter().flat_map(|seen| &seen.lines);
        let received = lines()
            .flat_map(|(channel, line)| line.received.iter().map(|(place, number)| (channel.as_str(), place, *number)));
        for (channel, place, number) in answered().chain(received) {
            let body = *bodies.entry((channel, place)).or_insert(number);
            assert_eq!(body, number, "{channel} {place:?} has two bodies");
            let at = *places.entry(number).or_insert((channel, place));
            assert!(is_one_place(at, (channel, place)), "{number} is at two places: {at:?} and {channel} {place:?}");
        }
        for (number, code) in members.iter().flat_map(|seen| &seen.refused) {
            assert!(!places.contains_key(number), "{number} was refused ({code}) and is at {:?}", places[number]);
        }
        let mut lost = 0;
        for (channel, place, number) in answered() {
            let readers: Vec<&Line> = lines().filter(|(own, _)| *own == channel).map(|(_, line)| line).collect();
            for line in &readers {
                let has = line.received.get(place) == Some(&number);
                assert!(
                    has || !line.covers(place),
                    "{channel} {place:?} ({number}) is missing in the midst of what was read"
                );
            }
            lost += usize::from(!readers.is_empty() && readers.iter().all(|line| line.misses(place)));
        }
        let unknown = || members.iter().flat_map(|seen| &seen.unknown);
        Account {
            answered: answered().count(),
            received: members.iter().map(Seen::received).sum(),
            refused: counted(members.iter().flat_map(|seen| &seen.refused)),
            unknown: counted(unknown()),
            unknown_published: unknown().filter(|(number, _)| places.contains_key(number)).count(),
            resumed: members.iter().map(|seen| seen.resumed).sum(),
            told: members.iter().map(|seen| seen.told).sum(),
            lost,
        }
    }
}

/// Whether a publication is where it was: in a new generation the channel goes on with what it had, and whoever had not been
/// answered before is told where that is now.
fn is_one_place((channel, place): (&str, &Place), (other_channel, other): (&str, &Place)) -> bool {
    let of_channel = |place: &Place| place.0.rsplit_once('-').map(|(channel, _generation)| channel.to_owned());
    channel == other_channel && place.1 == other.1 && (place.0 == other.0 || of_channel(place) == of_channel(other))
}

fn counted<'a>(all: impl Iterator<Item = &'a (u64, String)>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    all.for_each(|(_, code)| *counts.entry(code.clone()).or_default() += 1);
    counts
}

#[test]
fn an_account_finds_what_must_not_be() {
    let place = |offset| ("epochepo-1".to_owned(), offset);
    let reader = |numbers: &[u64]| {
        let mut seen = Seen::default();
        seen.begin("a", "epochepo-1", 0, None);
        (1..).zip(numbers).for_each(|(offset, number)| seen.take("a", offset, *number));
        seen
    };
    let publisher = |answered: &[(u64, u64)], refused: &[u64]| Seen {
        answered: answered.iter().map(|(offset, number)| ("a".to_owned(), place(*offset), *number)).collect(),
        refused: refused.iter().map(|number| (*number, "busy".to_owned())).collect(),
        ..Seen::default()
    };
    let mut moved = publisher(&[(1, 7)], &[]);
    moved.answered[0].1.0 = "epochepo-2".to_owned();
    assert_eq!(Account::of(&[reader(&[7]), moved]).answered, 1, "there it is, in the next generation");
    let mut elsewhere = publisher(&[(1, 7)], &[]);
    elsewhere.answered[0].1.0 = "otherepo-1".to_owned();
    let fails = |members: Vec<Seen>| std::panic::catch_unwind(|| Account::of(&members)).is_err();
    let good = Account::of(&[reader(&[7, 8]), reader(&[7, 8, 9]), publisher(&[(1, 7), (3, 9)], &[10])]);
    assert_eq!((good.answered, good.received, good.lost, good.refused["busy"]), (2, 5, 0, 1));
    assert_eq!(Account::of(&[reader(&[7]), publisher(&[(2, 8)], &[])]).lost, 0, "it ended before");
    let mut told = reader(&[7]);
    told.reset("a", "epochepo-2", 5);
    assert_eq!(Account::of(&[told, publisher(&[(2, 8)], &[])]).lost, 1, "and was told");
    assert!(fails(vec![reader(&[7]), reader(&[8])]), "two bodies");
    assert!(fails(vec![reader(&[7, 7])]), "two places");
    assert!(fails(vec![reader(&[7]), elsewhere]), "in two epochs");
    assert!(fails(vec![reader(&[7]), publisher(&[], &[7])]), "refused and delivered");
    assert!(fails(vec![reader(&[7]), publisher(&[(1, 8)], &[])]), "answered and another delivered");
    assert!(std::panic::catch_unwind(|| reader(&[7]).take("a", 3, 9)).is_err(), "a gap");
}
