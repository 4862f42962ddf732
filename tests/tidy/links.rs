//! Links between pages: where each leads there is a file, and in it the heading; and the book has every page of `docs/`.

use super::sources::{none, root};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The table of contents of the book.
const SUMMARY: &str = "docs/SUMMARY.md";

/// What a check needs of a page.
#[derive(Default)]
struct Page {
    /// The name of the place of each heading.
    places: BTreeSet<String>,
    /// Where its links and pictures lead.
    links: Vec<String>,
}

impl Page {
    fn read(text: &str) -> Page {
        let mut page = Page::default();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let place = place_of(&heading.take().unwrap_or_default());
                    let taken = page.places.iter().filter(|other| is_numbered(other, &place)).count();
                    page.places.insert(if taken == 0 { place } else { format!("{place}-{taken}") });
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push(dest_url.into_string());
                }
                _ => {}
            }
        }
        page
    }
}

/// Whether a place is another heading's of the same words: the word itself, or with a number after it.
fn is_numbered(other: &str, place: &str) -> bool {
    other.strip_prefix(place).is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('-').is_some_and(|number| number.parse::<usize>().is_ok())
    })
}

/// The place of a heading, as those who show pages name it: small letters, a dash for a space, no punctuation.
fn place_of(heading: &str) -> String {
    let kept = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c),
        _ => None,
    };
    heading.trim().to_lowercase().chars().filter_map(kept).collect()
}

/// Every page of the project by its path under the root, and nothing that is built or installed.
fn pages() -> BTreeMap<PathBuf, Page> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry of a folder").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "node_modules" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|end| end == "md") {
                let page = Page::read(&fs::read_to_string(&path).expect("a page in UTF-8"));
                found.insert(path.strip_prefix(root()).expect("below the root").to_path_buf(), page);
            }
        }
    }
    found
}

/// Where a link of a page leads, from the root; nothing if that is not below it.
fn target(page: &Path, link: &str) -> Option<PathBuf> {
    let mut path = page.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => path.pop().then_some(())?,
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Whether a link leads out of the project.
fn is_elsewhere(link: &str) -> bool {
    link.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric()))
}

/// What is wrong with a link, if something is.
fn fault(pages: &BTreeMap<PathBuf, Page>, page: &Path, link: &str) -> Option<&'static str> {
    let (file, place) = link.split_once('#').map_or((link, None), |(file, place)| (file, Some(place)));
    let Some(target) = (if file.is_empty() { Some(page.to_path_buf()) } else { target(page, file) }) else {
        return Some("this leads out of the project");
    };
    if !root().join(&target).exists() && !pages.contains_key(&target) {
        return Some("there is no such file");
    }
    let knows = |place| pages.get(&target).is_none_or(|page| page.places.contains(place));
    if place.is_some_and(|place| !knows(place)) { Some("there is no such heading") } else { None }
}

fn faults(pages: &BTreeMap<PathBuf, Page>) -> Vec<String> {
    let mut found = Vec::new();
    for (path, page) in pages {
        for link in page.links.iter().filter(|link| !is_elsewhere(link)) {
            if let Some(fault) = fault(pages, path, link) {
                found.push(format!("{}: {link}: {fault}", path.display()));
            }
        }
    }
    found
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 10, "the pages were not found");
    none(&faults(&pages));
}

/// A page that the book does not have cannot be reached there by a link.
#[test]
fn the_book_has_every_page_of_docs_and_every_page_that_its_own_link_to() {
    let pages = pages();
    let summary = Path::new(SUMMARY);
    let chapters: Vec<PathBuf> = pages[summary].links.iter().filter_map(|link| target(summary, link)).collect();
    assert!(chapters.len() > 10, "the chapters were not found");
    let mut violations = Vec::new();
    let twice = |at: usize| chapters[..at].contains(&chapters[at]);
    violations
        .extend((0..chapters.len()).filter(|at| twice(*at)).map(|at| format!("twice: {}", chapters[at].display())));
    for page in pages.keys().filter(|page| page.starts_with("docs") && *page != summary && !chapters.contains(page)) {
        violations.push(format!("{} is in no chapter of {SUMMARY}", page.display()));
    }
    for chapter in &chapters {
        for link in pages[chapter].links.iter().filter(|link| !is_elsewhere(link)) {
            let file = link.split('#').next().unwrap_or_default();
            if let Some(target) = target(chapter, file)
                && !file.is_empty()
                && file.ends_with(".md")
                && !chapters.contains(&target)
            {
                violations.push(format!("{}: {link} is in no chapter of {SUMMARY}", chapter.display()));
            }
        }
    }
    none(&violations);
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let text = "# A `word`, and more\n\n## Twice\n\n## Twice\n\n[a](b.md#good) [b](b.md#bad) [c](gone.md) [d](#a-word-and-more) \
                [e](#twice-1) [f](#twice-2) [g](../../out.md) <http://127.0.0.1/> [h](https://example.com/x#y) [i](Cargo.toml)\n\n\
                ```md\n[j](no-link.md)\n```\n";
    let pages =
        BTreeMap::from([(PathBuf::from("a.md"), Page::read(text)), (PathBuf::from("b.md"), Page::read("# Good\n"))]);
    assert_eq!(
        faults(&pages),
        [
            "a.md: b.md#bad: there is no such heading",
            "a.md: gone.md: there is no such file",
            "a.md: #twice-2: there is no such heading",
            "a.md: ../../out.md: this leads out of the project"
        ]
    );
}
