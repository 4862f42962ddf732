//! One HTML page, complete in itself: the verdict, the key figures, charts, and everything else that the results say.

mod chart;
mod charts;
mod details;
mod scale;
mod sections;

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

/// Text of others' as HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::html;
    use crate::report::example::example;

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

    #[test]
    fn whatever_the_result_says_is_on_the_page() {
        let outcome = example("all", 3);
        let page = html(&[&outcome]);
        let reasons = outcome.verdicts.iter().flat_map(|verdict| verdict.reasons.iter().chain(&verdict.notes));
        let texts = reasons
            .chain(&outcome.notes)
            .chain(outcome.errors.keys())
            .chain(outcome.plan.iter().flat_map(|(name, value)| [name, value]));
        let texts: Vec<&String> = texts
            .chain(outcome.thresholds.iter().map(|threshold| &threshold.text))
            .chain([&outcome.environment.cpu])
            .collect();
        assert!(texts.len() > 12);
        for text in texts {
            assert!(page.contains(&super::escape(text)), "{text}");
        }
        assert!(page.matches("<figure>").count() >= 4, "{}", page.matches("<figure>").count());
    }
}
