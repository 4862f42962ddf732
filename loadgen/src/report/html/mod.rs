//! One HTML page, complete in itself: the verdict, the key figures, charts, and everything else that the results say.

mod chart;
mod charts;
mod details;
mod escape;
mod scale;
mod sections;

use self::escape::escape;
use crate::outcome::Outcome;

/// Everything that a page looks like.
const STYLE: &str = include_str!("style.css");

/// The page of one result, or of several overlaid.
#[must_use]
pub fn html(outcomes: &[&Outcome]) -> String {
    let title = match outcomes {
        [one] => one.label.clone(),
        several => several.iter().map(|outcome| outcome.label.as_str()).collect::<Vec<_>>().join(" · "),
    };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – tidings-loadgen</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n",
        title = escape(&title)
    );
    if let [one] = outcomes {
        page.push_str(&sections::subtitle(one));
    }
    page.push_str(&sections::verdicts(outcomes));
    page.push_str(&sections::key_figures(outcomes));
    page.push_str("<section class=\"charts\" aria-label=\"Charts\">\n");
    page.push_str(&charts::all(outcomes));
    page.push_str("</section>\n");
    outcomes.iter().for_each(|outcome| page.push_str(&details::details(outcome)));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

#[cfg(test)]
mod tests {
    use super::html;
    use crate::numbers::whole;
    use crate::report::example::example;
    use serde_json::Value;

    #[test]
    fn every_tag_is_closed_and_others_text_is_harmless() {
        let (a, b) = (example("<script>alert(1)</script>", 1), example("b & c", 2));
        for page in [html(&[&a]), html(&[&a, &b])] {
            assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
            let mut open: Vec<&str> = Vec::new();
            for tag in page.split('<').skip(1) {
                let name = tag.split([' ', '>', '/']).next().unwrap_or_default();
                match tag.strip_prefix('/') {
                    Some(rest) => assert_eq!(open.pop(), rest.split('>').next(), "{rest}"),
                    None if name.starts_with('!')
                        || ["meta", "br"].contains(&name)
                        || tag.split('>').next().is_some_and(|tag| tag.ends_with('/')) => {}
                    None => open.push(name),
                }
            }
            assert!(open.is_empty(), "{open:?}");
        }
    }

    /// All texts inside a value, but for histograms.
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(entries) => entries.iter().for_each(|entry| texts(entry, found)),
            Value::Object(members) => {
                members.iter().filter(|(name, _)| *name != "hdr").for_each(|(_, member)| texts(member, found));
            }
            _ => {}
        }
    }

    #[test]
    fn whatever_the_result_says_is_on_the_page() {
        let mut outcome = example("all", 3);
        outcome.metrics.insert("messages_total".to_owned(), 90_000.0);
        outcome.environment.commit = Some("0123abc".to_owned());
        outcome.environment.governor = Some("performance".to_owned());
        outcome.interrupted = true;
        let page = html(&[&outcome]);
        let mut all = Vec::new();
        texts(&serde_json::to_value(&outcome).expect("results are JSON"), &mut all);
        let names = outcome.latencies.keys().chain(outcome.scalars.keys()).chain(outcome.metrics.keys());
        all.extend(names.chain(outcome.errors.keys()).chain(outcome.attacks.keys()).cloned());
        assert!(all.len() > 60, "{all:?}");
        for text in all {
            assert!(page.contains(&super::escape(&text)), "{text}");
        }
        let totals = [outcome.totals.received, outcome.totals.bytes_in, outcome.environment.descriptors];
        assert!(totals.iter().all(|total| page.contains(&whole(*total))), "{totals:?}");
        assert!(page.contains("interrupted") && page.contains("2026-11-23 13:31 UTC"));
    }

    #[test]
    fn the_page_needs_nothing_else() {
        let (a, b) = (example("a", 4), example("b", 5));
        let page = html(&[&a, &b]);
        for reference in ["src=", "href=", "url(", "@import", "<link", "<iframe"] {
            assert!(!page.contains(reference), "{reference}");
        }
        assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
        assert_eq!(page.matches("<table").count(), page.matches("<caption>").count(), "every table says what it is");
        assert!(html(&[]).ends_with("</html>\n"), "a page of nothing is a page");
    }
}
