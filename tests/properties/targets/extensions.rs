//! What is agreed of the extensions that a client offers, against a second reading of RFC 6455 section 9.1 and RFC 7692
//! section 7.1: an answer is valid for one of the offers, and is given whenever there is one to give it to.
//!
//! Input: a letter (`t` windows may be kept, `n` they may not) and a hexadecimal digit (the smallest window agreed to),
//! then one field value a line.

use super::Target;
use super::input::Input;
use tidings::wire::deflate::{Agreement, NAME, Policy, negotiate, parse_extensions};

const AGREED: &str = "agreed";
const DECLINED: &str = "nothing that can be agreed to";
const BROKEN: &str = "breaks the grammar";
const NO_TEXT: &str = "not UTF-8";

pub(crate) const TARGET: Target = Target {
    name: "extensions",
    check,
    outcomes: &[AGREED, DECLINED, BROKEN, NO_TEXT],
    words: &[
        "permessage-deflate",
        "; server_no_context_takeover",
        "; client_no_context_takeover",
        "; server_max_window_bits=9",
        "; server_max_window_bits=\"15\"",
        "; client_max_window_bits",
        "; client_max_window_bits=12",
        ", ",
        "x-other; a=1",
        "\"\\1\"",
        "\t",
        "=",
        "\n",
        "8",
        "010",
    ],
};

/// An extension as it is offered or answered: its name, and its parameters with their values.
type Listed = (String, Vec<(String, Option<String>)>);

fn check(data: &[u8]) -> &'static str {
    let mut input = Input::new(data);
    let takeover = input.byte() == b't';
    let least_window_bits = char::from(input.byte()).to_digit(16).map_or(9, |bits| bits.clamp(9, 15)) as u8;
    let policy = Policy { takeover, least_window_bits };
    let Ok(text) = std::str::from_utf8(input.rest()) else { return NO_TEXT };
    // A field's value comes without white space around it.
    let values: Vec<&str> = text.split('\n').map(|value| value.trim_matches([' ', '\t'])).collect();
    let expected = read_all(&values);
    let found = parse_extensions(&values);
    let offers = match (&found, &expected) {
        (Ok(found), Some(expected)) => {
            let own = |value: &str| value.to_owned();
            let listed = found.iter().map(|extension| {
                let params = extension.params.iter();
                let params = params.map(|param| (own(param.name), param.value.as_deref().map(own)));
                (own(extension.name), params.collect())
            });
            assert_eq!(&listed.collect::<Vec<Listed>>(), expected);
            expected
        }
        (Err(_), None) => return BROKEN,
        _ => panic!("found {found:?}, expected {expected:?}"),
    };
    let usable = offers.iter().filter(|offer| is_usable(offer, &policy)).count();
    let agreed = negotiate(&found.expect("read above"), &policy);
    let Some(agreed) = agreed else {
        assert_eq!(usable, 0, "an offer was declined that can be honoured");
        return DECLINED;
    };
    check_answer(&agreed, offers, &policy);
    AGREED
}

/// The answer, as the client reads it.
fn check_answer(agreed: &Agreement, offers: &[Listed], policy: &Policy) {
    let field = agreed.field();
    let answers = read_all(&[&field]).expect("an answer is well-formed");
    let [(name, params)] = &answers[..] else { panic!("more than one answer: {field}") };
    assert_eq!(name, NAME);
    let answered = |wanted: &str| params.iter().any(|(name, _)| name == wanted);
    assert_eq!(answered("server_no_context_takeover"), !agreed.server_takeover);
    assert_eq!(answered("client_no_context_takeover"), !agreed.client_takeover);
    if !policy.takeover {
        assert!(!agreed.server_takeover && !agreed.client_takeover, "{field}");
    }
    assert!((policy.least_window_bits..=15).contains(&agreed.window_bits()), "{field}");
    let fits = offers.iter().any(|offer| is_usable(offer, policy) && is_answer(params, &offer.1));
    assert!(fits, "{field} answers none of {offers:?}");
}

/// Whether a client that made the offer may take the answer.
fn is_answer(answer: &[(String, Option<String>)], offer: &[(String, Option<String>)]) -> bool {
    let offered = |wanted: &str| offer.iter().find(|(name, _)| name == wanted);
    let bits = |value: &Option<String>| value.as_deref().and_then(|text| text.parse::<u8>().ok());
    let each = answer.iter().all(|(name, value)| match name.as_str() {
        "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
        "server_max_window_bits" => {
            let most = offered(name).and_then(|(_, most)| bits(most)).unwrap_or(15);
            bits(value).is_some_and(|bits| (8..=most).contains(&bits))
        }
        "client_max_window_bits" => offered(name).is_some() && bits(value).is_some(),
        _ => false,
    });
    let has = |wanted: &str| answer.iter().any(|(name, _)| name == wanted);
    let kept = offered("server_no_context_takeover").is_none() || has("server_no_context_takeover");
    let limited = offered("server_max_window_bits").is_none() || has("server_max_window_bits");
    each && kept && limited
}

/// Whether an offer is one of ours, valid, and within the policy.
fn is_usable((name, params): &Listed, policy: &Policy) -> bool {
    let window = |value: &str| (8..=15_u8).find(|bits| bits.to_string() == value);
    let valid = |(name, value): &(String, Option<String>)| match (name.as_str(), value.as_deref()) {
        ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => true,
        ("client_max_window_bits", Some(value)) => window(value).is_some(),
        ("server_max_window_bits", Some(value)) => window(value).is_some_and(|bits| bits >= policy.least_window_bits),
        _ => false,
    };
    let mut names: Vec<&String> = params.iter().map(|(name, _)| name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    name == NAME && names.len() == count && params.iter().all(valid)
}

/// The list of RFC 6455 section 9.1, read by cutting it up; `None` when it breaks the grammar.
fn read_all(values: &[&str]) -> Option<Vec<Listed>> {
    let elements: Vec<String> = values.iter().flat_map(|value| cut(value, ',')).collect();
    let elements = elements.iter().map(|element| trimmed(element)).filter(|element| !element.is_empty());
    elements.map(read_one).collect()
}

fn read_one(element: &str) -> Option<Listed> {
    let parts = cut(element, ';');
    let name = trimmed(&parts[0]).to_owned();
    let param = |part: &String| {
        let (name, value) = match part.split_once('=') {
            // Between the sign and the value there is no white space, except before the sign.
            Some((name, value)) => (trimmed(name), Some(unquoted(value)?)),
            None => (trimmed(part), None),
        };
        is_token(name).then(|| (name.to_owned(), value))
    };
    let params = parts[1..].iter().map(param).collect::<Option<_>>()?;
    is_token(&name).then_some((name, params))
}

/// Cuts outside of quoted strings.
fn cut(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in text.chars() {
        let was_escaped = std::mem::take(&mut escaped);
        match c {
            '\\' if quoted && !was_escaped => escaped = true,
            '"' if !was_escaped => quoted = !quoted,
            _ => {}
        }
        if c == at && !quoted {
            parts.push(String::new());
        } else {
            parts.last_mut().expect("never empty").push(c);
        }
    }
    parts
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A token, or a quoted string that is one once it is unquoted.
fn unquoted(value: &str) -> Option<String> {
    let value = trimmed(value);
    let Some(inner) = value.strip_prefix('"') else { return is_token(value).then(|| value.to_owned()) };
    let (mut plain, mut chars) = (String::new(), inner.chars());
    loop {
        match chars.next()? {
            '"' => break,
            '\\' => plain.push(chars.next()?),
            c => plain.push(c),
        }
    }
    (chars.next().is_none() && is_token(&plain)).then_some(plain)
}

fn is_token(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !text.is_empty() && text.chars().all(fits)
}
