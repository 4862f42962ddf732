//! Rows about time: both sides of every second that counts, with a leeway and without.

use super::algorithms::claims_for;
use super::row::{Expected, Object, Rows, token};
use super::world::{Known, World};

pub(crate) fn add(rows: &mut Rows, world: &World) {
    for (name, leeway) in [("secret", 10), ("rsa", 10), ("twin", 10), ("other-names", 0)] {
        seconds(rows, world.known(name), leeway);
    }
}

fn seconds(rows: &mut Rows, known: &Known, leeway: u64) {
    let (algorithm, kid, signer) = known.first();
    let (issuer, now) = (known.config.name.clone(), rows.now);
    let base = claims_for(rows, known).without("iat");
    let mut add = |what: &str, claims: Object, expected: Expected| {
        let token = token(&Object::header(algorithm, kid), &claims, &signer);
        rows.add_of_the_second(format!("time: {what}: {issuer}"), token, expected);
    };
    let ends = |exp: String| base.clone().with("exp", &exp);
    add("ends in an hour", ends((now + 3600).to_string()), Expected::Accepted);
    add("ends now and has the leeway left", ends((now + 1 - leeway.min(1)).to_string()), Expected::Accepted);
    add("ends with the leeway in the next second", ends((now + 1 - leeway).to_string()), Expected::Accepted);
    add("ends with the leeway in this second", ends((now - leeway).to_string()), Expected::Expired);
    add("ended with the leeway a second ago", ends((now - leeway - 1).to_string()), Expected::Expired);
    add("ends with a part of this second", ends(format!("{}.999", now - leeway)), Expected::Expired);
    add("ends with a part of the next second", ends(format!("{}.001", now + 1 - leeway)), Expected::Accepted);
    add("ended an hour ago", ends((now - 3600).to_string()), Expected::Expired);
    add("ended in 1970", ends("0".to_owned()), Expected::Expired);
    add("ended in 1970, at -0", ends("0.0".to_owned()), Expected::Expired);
    for claim in ["nbf", "iat"] {
        let begins = |at: String| base.clone().with(claim, &at);
        for (what, at, expected) in [
            ("an hour ago", (now - 3600).to_string(), Expected::Accepted),
            ("now", now.to_string(), Expected::Accepted),
            ("at the leeway's last second", (now + leeway).to_string(), Expected::Accepted),
            ("a second after the leeway", (now + leeway + 1).to_string(), Expected::NotYet),
            ("a part of a second after the leeway", format!("{}.001", now + leeway), Expected::NotYet),
            ("in an hour", (now + 3600).to_string(), Expected::NotYet),
            ("in the year 9999", "253402300799".to_owned(), Expected::NotYet),
        ] {
            add(&format!("{claim} {what}"), begins(at), expected);
        }
    }
    let both = base.clone().with("exp", &(now - 100).to_string()).with("nbf", &(now + 100).to_string());
    add("ended before it begins", both, Expected::Expired);
    let backwards = base.with("nbf", &(now + leeway).to_string()).with("exp", &(now + leeway).to_string());
    let expected = if leeway == 0 { Expected::Expired } else { Expected::Accepted };
    add("begins when it ends", backwards, expected);
}
