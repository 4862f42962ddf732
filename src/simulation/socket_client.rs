//! A WebSocket client and its model: what it asked, what it is subscribed to, and what it may therefore be told.

use super::ledger::Ledger;
use super::settings::MESSAGE_BYTES;
use crate::wire::deflate::{Codec, Contexts, Tuning};
use crate::wire::frame::{Decoded, Decoder, Event, FrameLimits, Kind, Opcode, Role, write_masked};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

const MASK: [u8; 4] = [7, 77, 177, 217];
const LIMITS: FrameLimits = FrameLimits { message_bytes: 1 << 24, fragments: 1 };

/// Where a subscription stands.
#[derive(Debug, Clone)]
struct Track {
    epoch: String,
    offset: u64,
}

/// What was asked, to be answered in this order.
#[derive(Debug, Clone)]
enum Asked {
    Get { id: Option<u64>, channel: String, since: Option<Track>, once: bool },
    Post { id: Option<u64>, channel: String, number: u64, excluding: bool },
    Unsubscribe { id: Option<u64>, channel: String },
    Alive { id: Option<u64> },
    Batch(Vec<Asked>),
}

/// See the module.
pub(super) struct SocketClient {
    /// `None` until the 101 has come.
    decoder: Option<Decoder>,
    codec: Codec,
    contexts: Option<Contexts>,
    asked: VecDeque<Asked>,
    tracks: BTreeMap<String, Track>,
    /// Positions of subscriptions that ended, to resume from.
    left: BTreeMap<String, Track>,
    /// Channel, epoch and offset of pushes that it was told of and did not get.
    excluded: Vec<(String, String, u64)>,
    next_id: u64,
    /// Requests and batches so far.
    asks: usize,
    /// How many came before one that is larger than a message may be.
    guilty: Option<usize>,
    /// The Close that came.
    pub(super) closed: Option<(u16, String)>,
    /// It said goodbye itself.
    pub(super) leaving: bool,
    /// Its name in what is printed.
    pub(super) name: (usize, u32, u32),
}

impl SocketClient {
    /// A client and its handshake.
    pub(super) fn new(random: &mut StdRng, channels: usize) -> (SocketClient, Vec<u8>) {
        let on_channel = random.random_bool(0.3).then(|| channel(random, channels));
        let path = on_channel.as_ref().map_or("/ws".to_owned(), |channel| format!("/channels/{channel}"));
        let extension = match random.random_range(0..3) {
            0 => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            1 => "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n",
            _ => "",
        };
        let handshake = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extension}\r\n"
        );
        let asked = on_channel.map(|channel| Asked::Get { id: None, channel, since: None, once: false });
        let client = SocketClient {
            decoder: None,
            codec: Codec::new(Tuning { level: 1, least_bytes: 1, most_bytes: 0 }),
            contexts: None,
            asked: asked.into_iter().collect(),
            tracks: BTreeMap::new(),
            left: BTreeMap::new(),
            excluded: Vec::new(),
            next_id: 1,
            asks: 0,
            guilty: None,
            closed: None,
            leaving: false,
            name: (0, 0, 0),
        };
        (client, handshake.into_bytes())
    }

    /// Whether everything that was asked is answered.
    pub(super) fn is_answered(&self) -> bool {
        self.asked.is_empty()
    }

    /// The subscriptions, with where they stand.
    pub(super) fn positions(&self) -> impl Iterator<Item = (&str, String)> {
        self.tracks.iter().map(|(channel, track)| (channel.as_str(), format!("{}:{}", track.epoch, track.offset)))
    }

    /// The bytes of something to say.
    pub(super) fn speak(&mut self, random: &mut StdRng, channels: usize, ledger: &mut Ledger) -> Vec<u8> {
        let mut out = Vec::new();
        match random.random_range(0..100) {
            0..4 => write_masked(&mut out, Opcode::Ping, true, b"are you there", MASK),
            4..6 => {
                self.leaving = true;
                self.last_word(&mut out);
            }
            6..20 => {
                let (requests, asked): (Vec<Value>, Vec<Asked>) =
                    (0..random.random_range(1..6)).map(|_| self.request(random, channels, ledger)).unzip();
                self.ask(&mut out, random, &json!(requests), Asked::Batch(asked), ledger);
            }
            _ => {
                let (request, asked) = self.request(random, channels, ledger);
                self.ask(&mut out, random, &request, asked, ledger);
            }
        }
        out
    }

    fn ask(&mut self, out: &mut Vec<u8>, random: &mut StdRng, request: &Value, asked: Asked, ledger: &Ledger) {
        let text = request.to_string();
        ledger.tell(self.name, "says", text.as_bytes());
        if text.len() > MESSAGE_BYTES {
            self.guilty.get_or_insert(self.asks);
        }
        self.asks += 1;
        self.asked.push_back(asked);
        say(out, random, &text);
    }

    /// A Close, or one of the faults that are answered by one.
    fn last_word(&self, out: &mut Vec<u8>) {
        match self.next_id % 4 {
            0 => write_masked(out, Opcode::Text, true, b"\"\xff\"", MASK),
            // An opcode that there is not; a message of 1 GiB.
            1 => out.extend([0x83, 0x80, 0, 0, 0, 0]),
            2 => out.extend([0x81, 0xFF, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]),
            _ => write_masked(out, Opcode::Close, true, &1000_u16.to_be_bytes(), MASK),
        }
    }

    fn request(&mut self, random: &mut StdRng, channels: usize, ledger: &mut Ledger) -> (Value, Asked) {
        let channel = channel(random, channels);
        let (number, path) = (self.next_id, format!("/channels/{channel}"));
        self.next_id += 1;
        let id = Some(number);
        match random.random_range(0..10) {
            0..3 => {
                let mut request = json!({"id": number, "method": "GET", "path": path});
                let known = self.tracks.get(&channel).or(self.left.get(&channel)).cloned();
                let since = known.filter(|_| random.random_bool(0.7));
                if let Some(Track { epoch, offset }) = &since {
                    request["since"] = format!("{epoch}:{offset}").into();
                }
                let once = random.random_bool(0.2);
                if once {
                    request["once"] = true.into();
                }
                (request, Asked::Get { id, channel, since, once })
            }
            3..7 => {
                let padding = [0, 10, 100, 300, 1000, 3500][random.random_range(0..6)];
                let (number, data) = ledger.compose(padding);
                let data: Value = serde_json::from_str(&data).expect("it was composed as JSON");
                let mut request = json!({"id": id, "method": "POST", "path": path, "data": data});
                let excluding = number % 7 == 3;
                if excluding {
                    request["exclude_self"] = true.into();
                }
                (request, Asked::Post { id, channel, number, excluding })
            }
            7..9 => {
                let path = format!("/subscriptions/{channel}");
                (json!({"id": number, "method": "DELETE", "path": path}), Asked::Unsubscribe { id, channel })
            }
            _ => (json!({"id": number, "method": "GET", "path": "/livez"}), Asked::Alive { id }),
        }
    }

    /// Looks at what came. What is not complete stays; pongs to send are added to `reply`.
    pub(super) fn hear(&mut self, received: &mut Vec<u8>, reply: &mut Vec<u8>, ledger: &mut Ledger) {
        if self.decoder.is_none() && !self.hear_switch(received) {
            return;
        }
        let Some(mut decoder) = self.decoder.take() else { return };
        let mut offset = 0;
        while self.closed.is_none() {
            let (used, decoded) = decoder.decode(&mut received[offset..], &LIMITS);
            offset += used;
            let event = match decoded.expect("a server sends nothing but frames that are right") {
                Decoded::NeedMore => break,
                Decoded::Event(event) => event,
            };
            match event {
                Event::Text(text) => self.hear_text(&text, ledger),
                Event::Deflated(Kind::Text, packed) => {
                    ledger.happened.inflated += 1;
                    let text = match &mut self.contexts {
                        Some(contexts) => self.codec.inflate_on(contexts, &packed, 1 << 24),
                        None => self.codec.inflate(&packed, 1 << 24),
                    };
                    self.hear_text(&text.expect("a server compresses as it agreed to"), ledger);
                }
                Event::Ping(payload) => write_masked(reply, Opcode::Pong, true, payload, MASK),
                Event::Pong(payload) => assert_eq!(payload, b"are you there"),
                Event::Close(said) => {
                    let (code, reason) = said.unwrap_or((1005, ""));
                    if matches!(code, 1000 | 1002 | 1007 | 1009) {
                        assert!(self.leaving || self.guilty.is_some(), "closed with {code} {reason} for nothing");
                        let unanswered = self.guilty.map_or(0, |answers| self.asks - answers);
                        assert_eq!(self.asked.len(), unanswered, "not answered before the Close: {:?}", self.asked);
                        ledger.happened.answered_before_a_close += 1;
                    }
                    self.closed = Some((code, reason.to_owned()));
                }
                other => panic!("nobody asked for {other:?}"),
            }
        }
        received.drain(..offset);
        self.decoder = Some(decoder);
    }

    /// Takes the 101, once it is here.
    fn hear_switch(&mut self, received: &mut Vec<u8>) -> bool {
        let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
        let head = String::from_utf8(received.drain(..end + 4).collect()).expect("ASCII");
        if !head.starts_with("HTTP/1.1 101 ") {
            assert!(head.starts_with("HTTP/1.1 503 ") || head.starts_with("HTTP/1.1 408 "), "{head}");
            self.closed = Some((1013, "refused".to_owned()));
            return false;
        }
        let agreed = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
        if agreed.is_some_and(|agreed| !agreed.contains("server_no_context_takeover")) {
            self.contexts = Some(Contexts::new(None, true, self.codec.tuning()));
        }
        let decoder = if agreed.is_some() { Decoder::with_deflate(Role::Client) } else { Decoder::new(Role::Client) };
        self.decoder = Some(decoder);
        true
    }

    fn hear_text(&mut self, text: &[u8], ledger: &mut Ledger) {
        ledger.tell(self.name, "hears", text);
        let value: Value = serde_json::from_slice(text).expect("JSON");
        if let Value::Array(answers) = value {
            let Some(Asked::Batch(asked)) = self.asked.pop_front() else { panic!("an array that nobody asked for") };
            assert_eq!(answers.len(), asked.len(), "a batch is answered item by item");
            ledger.happened.batches += 1;
            // Pushes on what a batch subscribes follow its answer.
            let mut fresh = Vec::new();
            for (asked, answer) in asked.into_iter().zip(&answers) {
                match &asked {
                    Asked::Get { channel, once: false, .. } if answer["status"] == 200 => fresh.push(channel.clone()),
                    Asked::Unsubscribe { channel, .. } => fresh.retain(|each| each != channel),
                    _ => {}
                }
                self.answered(asked, answer, &fresh, ledger);
            }
        } else if value.get("status").is_some() {
            let asked = self.asked.pop_front().unwrap_or_else(|| panic!("nobody asked for {value}"));
            self.answered(asked, &value, &[], ledger);
        } else if value["reconnect"] == "server_shutdown" {
            // It stays, as clients that ignore the advice do, and is closed.
            assert!(value["after_ms"].is_u64() && value.get("channel").is_none(), "advice, and nothing else: {value}");
        } else {
            self.pushed(&value, ledger);
        }
    }

    fn pushed(&mut self, push: &Value, ledger: &mut Ledger) {
        let channel = push["channel"].as_str().expect("a channel");
        let offset = push["offset"].as_u64().expect("an offset");
        let track = self.tracks.get_mut(channel).unwrap_or_else(|| panic!("not subscribed, and told {push}"));
        if push["reset"] == true {
            *track = Track { epoch: push["epoch"].as_str().expect("an epoch").to_owned(), offset };
            return;
        }
        assert_eq!(offset, track.offset + 1, "a gap, a duplicate or a reorder on {channel}: {push}");
        track.offset = offset;
        if push["excluded"] == true {
            ledger.happened.excluded += 1;
            self.excluded.push((channel.to_owned(), track.epoch.clone(), offset));
            return;
        }
        ledger.happened.pushes += 1;
        ledger.saw(channel, &track.epoch, offset, &push["data"]);
    }

    fn answered(&mut self, asked: Asked, answer: &Value, fresh: &[String], ledger: &mut Ledger) {
        let status = answer["status"].as_u64().expect("a status");
        let same_id = |id: Option<u64>| assert_eq!(answer["id"].as_u64(), id, "answers come in order: {answer}");
        match asked {
            Asked::Get { id, channel, since, once } => {
                same_id(id);
                if status == 200 {
                    // Asked twice in one batch, the pushes between the two answers follow both of them.
                    let once = once || fresh.iter().filter(|each| **each == channel).count() > 1;
                    self.got(channel, since, once, answer, ledger);
                } else {
                    assert!(matches!(status, 429 | 503), "{answer}");
                    ledger.happened.too_many += u64::from(status == 429);
                }
            }
            Asked::Post { id, channel, number, excluding } => {
                same_id(id);
                if status != 200 {
                    assert_eq!(status, 503, "{answer}");
                    ledger.happened.refused_busy += 1;
                    return ledger.refused(number);
                }
                let (epoch, offset) = position(answer);
                ledger.happened.published += 1;
                ledger.placed(&channel, epoch, offset, number);
                let place = (channel.clone(), epoch.to_owned(), offset);
                assert!(excluding || !self.excluded.contains(&place), "it asked for the push of its own: {answer}");
                let track = self.tracks.get(&channel).filter(|track| track.epoch == epoch);
                if let Some(track) = track.filter(|_| !fresh.contains(&channel)) {
                    assert!(track.offset >= offset, "the answer to a POST came before its push: {answer}");
                }
            }
            Asked::Unsubscribe { id, channel } => {
                same_id(id);
                let was = self.tracks.remove(&channel);
                assert_eq!(status, if was.is_some() { 200 } else { 404 }, "{answer}");
                if let Some(track) = was {
                    ledger.happened.unsubscribed += 1;
                    self.left.insert(channel, track);
                }
            }
            Asked::Alive { id } => {
                same_id(id);
                assert_eq!(status, 200);
            }
            Asked::Batch(_) => panic!("a batch is answered by an array, not by {answer}"),
        }
    }

    fn got(&mut self, channel: String, since: Option<Track>, once: bool, answer: &Value, ledger: &mut Ledger) {
        let (epoch, offset) = position(answer);
        let publications = answer["publications"].as_array().expect("publications");
        let offsets: Vec<u64> = publications.iter().map(|each| each["offset"].as_u64().expect("an offset")).collect();
        for (publication, offset) in publications.iter().zip(&offsets) {
            ledger.saw(&channel, epoch, *offset, &publication["data"]);
        }
        assert!(offsets.windows(2).all(|pair| pair[1] == pair[0] + 1), "a replay with a hole: {offsets:?}");
        match (since, answer["recovered"].as_bool()) {
            (Some(since), Some(true)) => {
                assert_eq!(since.epoch, epoch, "recovered into another epoch: {answer}");
                assert_eq!(offsets.first().map_or(offset, |first| first - 1), since.offset, "{answer}");
                assert_eq!(offsets.last().copied().unwrap_or(since.offset), offset, "{answer}");
                ledger.happened.recovered += 1;
            }
            (Some(_), Some(false)) => {
                assert!(publications.is_empty(), "{answer}");
                ledger.happened.not_recovered += 1;
            }
            (None, None) => {}
            (since, recovered) => panic!("asked since {since:?}, told {recovered:?}: {answer}"),
        }
        if once {
            return;
        }
        if let Some(track) = self.tracks.get(&channel) {
            assert_eq!((track.epoch.as_str(), track.offset), (epoch, offset), "what was on its way came first");
        }
        self.tracks.insert(channel, Track { epoch: epoch.to_owned(), offset });
    }
}

fn position(answer: &Value) -> (&str, u64) {
    (answer["epoch"].as_str().expect("an epoch"), answer["offset"].as_u64().expect("an offset"))
}

/// One of the channels.
pub(super) fn channel(random: &mut StdRng, channels: usize) -> String {
    format!("c{}", random.random_range(0..channels))
}

/// A text message, in one frame or in several.
fn say(out: &mut Vec<u8>, random: &mut StdRng, text: &str) {
    let pieces = if random.random_bool(0.1) { random.random_range(2..5) } else { 1 };
    let size = text.len().div_ceil(pieces);
    let mut opcode = Opcode::Text;
    for (index, piece) in text.as_bytes().chunks(size).enumerate() {
        write_masked(out, opcode, (index + 1) * size >= text.len(), piece, MASK);
        opcode = Opcode::Continue;
    }
}
