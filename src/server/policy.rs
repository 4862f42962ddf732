//! What a configuration says of one channel, for people: which rule its name meets, and what somebody may do there.

use super::rules::access_rules;
use crate::access::{AccessPolicy, AccessRules, Action, Identity, Operators, Presented, Way, Who};
use crate::config::Config;
use crate::model::name::ChannelName;
use crate::model::peer_address::PeerAddress;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Says which rule a channel's name meets and what may be done with it by whoever presents `credential`, a token or a key, or
/// by somebody who presents nothing.
///
/// # Errors
/// It is no channel's name, or the credential proves nothing.
pub fn explain_policy(config: &Config, name: &str, credential: Option<&str>) -> Result<String, String> {
    let channel = ChannelName::new(name).map_err(|fault| fault.to_string())?;
    let rules =
        access_rules(config, Arc::new(Operators::default()), Arc::default()).map_err(|error| error.to_string())?;
    let rules = Arc::new(rules);
    let policy = AccessPolicy { rules: Arc::clone(&rules), ..AccessPolicy::default() };
    let identity = match credential {
        None => Arc::clone(&policy.identities.reader),
        Some(secret) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let presented = Presented { secret, way: Way::Auth };
            policy.identify_here(presented, PeerAddress::UNIX, now).map_err(|refusal| refusal.message.into_owned())?
        }
    };
    Ok(explain(&rules, &channel, &identity))
}

fn explain(rules: &AccessRules, channel: &ChannelName, identity: &Identity) -> String {
    let channels = &rules.channels;
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = if channels.is_open() {
        writeln!(
            out,
            "{channel}: open mode, since no rule, key or issuer is configured. Clients of this machine may read and \
             publish; others may not, unless server.allow_anonymous_publish lets everyone."
        )
    } else {
        let met = channels.met(channel);
        let why = if met.rule.is_some() { ", the first that matches" } else { "" };
        writeln!(out, "{channel} meets {}{why}", met.shown())
    };
    let _ = match &identity.who {
        Who::Anonymous => writeln!(out, "A client that presents nothing may:"),
        Who::User(user) => writeln!(out, "The user {user:?} of this token may:"),
        Who::Signed => writeln!(out, "A client with a signed address may:"),
        Who::Key(key) => writeln!(out, "The key {key:?} may:"),
        Who::Operator => writeln!(out, "An operator may:"),
    };
    for action in Action::ALL {
        let _ = match channels.judge(identity, action, channel) {
            Ok(()) => writeln!(out, "  {:<8} yes", action.word()),
            Err(refusal) => writeln!(out, "  {:<8} no: {} ({})", action.word(), refusal.message, refusal.label()),
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::explain_policy;
    use crate::config::Config;

    #[test]
    fn a_name_meets_the_first_rule_that_matches_and_the_answer_says_why() {
        let text =
            "[[channel]]\nmatch = \"news:*\"\nread = [\"anyone\"]\n[[channel]]\nmatch = \"**\"\nread = [\"nobody\"]\n";
        let config = Config::from_toml("t", text).expect("valid");
        let news = explain_policy(&config, "news:a", None).expect("a name");
        assert!(
            news.starts_with("news:a meets the rule [[channel]] 1 (match = \"news:*\"), the first that matches\n"),
            "{news}"
        );
        assert!(news.contains("  read     yes\n") && news.contains("(token_needed)"), "{news}");
        let other = explain_policy(&config, "news:a:b", None).expect("a name");
        assert!(other.contains("[[channel]] 2") && other.contains("nobody but operators read (forbidden)"), "{other}");
        assert!(explain_policy(&Config::default(), "a", None).expect("a name").contains("open mode"));
        assert!(explain_policy(&config, "a*", None).expect_err("no name").contains("\"*\""));
        let unknown = explain_policy(&config, "a", Some("nonsense")).expect_err("no credential");
        assert!(!unknown.contains("nonsense"), "{unknown}");
    }
}
