//! What is JSON here is what is JSON for serde_json: differential and boundary tests.

use super::scanner::{depth, items, members, trim};
use super::text::unquote;
use super::{DEPTH_MAX, JsonScratch, validate};
use serde::de::IgnoredAny;
use serde_json::Value;

/// A seeded source of small numbers (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn pick(&mut self, choices: &[&str]) -> String {
        choices[self.below(choices.len())].to_string()
    }
}

const SCALARS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1.10",
    "1e400",
    "-1E-400",
    "0.0000",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "1.000000000000000000000000000000000001",
    "1e+0",
    "9007199254740993",
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "1e",
    "NaN",
    "Infinity",
    "nul",
    "tru",
    "\"\"",
    "\"a\"",
    "\"\\u0061\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\"",
    "\"\\udc00x\"",
    "\"\\u00e\"",
    "\"\\x\"",
    "\"\u{7f}\"",
    "\"\u{1}\"",
    "\"消息😀\"",
    "\"\\\\\"",
    "\"\\/\\b\\f\\n\\r\\t\"",
    "",
    "\"padding padding padding padding padding padding padding padding padding padding\"",
    "1 2",
    "'a'",
    "\u{feff}1",
    "/**/1",
];
const SPACES: &[&str] = &["", "", "", " ", "\n", "\t\r\n ", "        ", "\u{a0}", "\u{b}"];

fn generate(random: &mut Random, levels: usize) -> String {
    let kind = if levels == 0 { 0 } else { random.below(3) };
    let mut text = SPACES[random.below(7)].to_string();
    match kind {
        0 => {
            let any = random.below(4) == 0;
            text += &random.pick(if any { SCALARS } else { &SCALARS[..20] });
        }
        1 => {
            let list: Vec<_> = (0..random.below(5)).map(|_| generate(random, levels - 1)).collect();
            text += &format!("[{}]", list.join(","));
        }
        _ => {
            let list: Vec<_> = (0..random.below(5))
                .map(|_| {
                    format!(
                        "\"{}\":{}",
                        random.pick(&["a", "method", "m\\u0065thod", "", "é", "\\\""]),
                        generate(random, levels - 1)
                    )
                })
                .collect();
            text += &format!("{{{}}}", list.join(","));
        }
    }
    let any = random.below(20) == 0;
    text + SPACES[random.below(if any { 9 } else { 7 })]
}

fn mutate(random: &mut Random, text: &mut Vec<u8>) {
    const BYTES: &[u8] = b"\"\\{}[],:0-.eE+ \n\x00\x1f\x7f\x80\xc3\xe2\xed\xff u/tfn";
    for _ in 0..random.below(3) {
        let at = random.below(text.len() + 1);
        let byte = BYTES[random.below(BYTES.len())];
        match random.below(4) {
            0 => text.insert(at, byte),
            1 => text.truncate(at),
            2 if at < text.len() => text[at] = byte,
            _ if at < text.len() => drop(text.remove(at)),
            _ => text.push(byte),
        }
    }
}

fn serde_takes(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
}

fn check(text: &[u8], scratch: &mut JsonScratch) -> bool {
    let theirs = serde_takes(text);
    let ours = validate(text, scratch);
    let shown = String::from_utf8_lossy(text);
    if theirs && depth(text) > DEPTH_MAX {
        assert_eq!(ours.expect_err(&shown).label(), "too_deep", "{shown}");
        return false;
    }
    assert_eq!(ours.is_ok(), theirs, "{shown}: {ours:?}");
    if let Err(refusal) = ours {
        assert_eq!((refusal.status(), refusal.label()), (400, "bad_json"), "{shown}");
    }
    theirs
}

/// The scanner finds what `serde_json` finds, all the way down.
fn check_spans(span: &[u8], value: &Value) {
    match value {
        Value::Array(list) => {
            assert_eq!(items(span).count(), list.len());
            items(span).zip(list).for_each(|(item, value)| check_spans(item, value));
        }
        Value::Object(map) => {
            for member in members(span) {
                let key = unquote(member.key).expect("a key");
                let last = members(span).filter(|other| unquote(other.key).as_deref() == Some(&*key)).last();
                check_spans(last.expect("at least this one").value, &map[&*key]);
            }
        }
        scalar => assert_eq!(&serde_json::from_slice::<Value>(span).expect("a value"), scalar),
    }
}

#[test]
fn it_never_disagrees_with_serde_json() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut scratch = JsonScratch::new();
    let mut accepted = 0;
    for _ in 0..20_000 {
        let levels = random.below(5);
        let mut text = generate(&mut random, levels).into_bytes();
        if random.below(2) == 0 {
            mutate(&mut random, &mut text);
        }
        if check(&text, &mut scratch) {
            accepted += 1;
            if let Ok(value) = serde_json::from_slice::<Value>(&text) {
                check_spans(trim(&text), &value);
            }
        }
    }
    assert!((4_000..18_000).contains(&accepted), "both sides must be tried, {accepted} of 20,000 were JSON");
}

#[test]
fn it_agrees_at_every_length_around_a_vector() {
    let mut scratch = JsonScratch::new();
    for length in 0..200 {
        let filler = "x".repeat(length);
        let space = " ".repeat(length);
        for text in [
            format!("\"{filler}\""),
            format!("\"{filler}é\""),
            format!("\"{filler}\\\""),
            format!("\"{filler}\n\""),
            format!("{space}1"),
            format!("1{space}"),
            format!("{space}1{space}2"),
            format!("{space}[true{space}]{space}"),
            format!("[\"{filler}\",truex]"),
            "9".repeat(length),
            space,
        ] {
            check(text.as_bytes(), &mut scratch);
            for broken in [&b"\xc3"[..], b"\xe2\x82", b"\xf0\x9f\x98", b"\x80", b"\x00", b"\""] {
                check(&[text.as_bytes(), broken].concat(), &mut scratch);
                check(
                    &[&text.as_bytes()[..text.len() / 2], broken, &text.as_bytes()[text.len() / 2..]].concat(),
                    &mut scratch,
                );
            }
        }
    }
}

#[test]
fn every_scalar_agrees_alone_and_inside() {
    let mut scratch = JsonScratch::new();
    for scalar in SCALARS {
        for space in SPACES {
            for text in [
                format!("{space}{scalar}"),
                format!("{scalar}{space}"),
                format!("[{space}{scalar}{space}]"),
                format!("{{\"a\"{space}:{scalar}}}"),
            ] {
                check(text.as_bytes(), &mut scratch);
            }
        }
    }
}

#[test]
fn numbers_of_any_length_and_exponent_pass() {
    let mut scratch = JsonScratch::new();
    for number in
        ["1e400", "-1e-400", "1E+999999999999", "123456789012345678901234567890", "-0", "1.10", &"9".repeat(5_000)]
    {
        validate(number.as_bytes(), &mut scratch).expect(number);
        validate(format!("{{\"data\":[{number}]}}").as_bytes(), &mut scratch).expect(number);
    }
}

#[test]
fn sixty_four_levels_pass_and_one_more_does_not() {
    let mut scratch = JsonScratch::new();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for (inner, levels_inside) in [("1", 0), ("[]", 1), ("1e400", 0), ("[1e400]", 1)] {
            let nest = |levels: usize| format!("{}{inner}{}", open.repeat(levels), close.repeat(levels));
            validate(nest(64 - levels_inside).as_bytes(), &mut scratch).expect("64 levels");
            let refusal = validate(nest(65 - levels_inside).as_bytes(), &mut scratch).expect_err("65 levels");
            assert_eq!((refusal.status(), refusal.label()), (400, "too_deep"));
        }
    }
    let bottomless = "[".repeat(60_000);
    assert_eq!(validate(bottomless.as_bytes(), &mut scratch).expect_err("never closed").label(), "bad_json");
}

#[test]
fn a_refusal_says_where() {
    let refusal = validate(b"{\"a\":1,\n \"b\" 2}", &mut JsonScratch::new()).expect_err("no colon");
    assert!(refusal.message.contains("line 2 column 6"), "{}", refusal.message);
    let refusal = validate(b"\"a\xff\"", &mut JsonScratch::new()).expect_err("no UTF-8");
    assert!(refusal.message.contains("byte 2"), "{}", refusal.message);
}

#[test]
fn large_text_passes_and_its_memory_is_given_back() {
    let mut scratch = JsonScratch::new();
    let small = format!("\"{}\"", "x".repeat(100_000));
    validate(small.as_bytes(), &mut scratch).expect("small");
    let kept = scratch.padded.as_ptr();
    validate(small.as_bytes(), &mut scratch).expect("small again");
    assert_eq!(kept, scratch.padded.as_ptr(), "no new buffer in the steady state");
    validate(format!("[{}0]", "0,".repeat(600_000)).as_bytes(), &mut scratch).expect("large");
    assert_eq!(scratch.padded.capacity() + scratch.tape.0.capacity(), 0);
}
