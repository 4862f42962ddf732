//! The pages of `docs/`: what they show is accepted, exists, and does what they say.

mod commands;
mod configurations;
mod words;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::fs;
use std::path::Path;

/// A page of the documentation.
pub(crate) struct Page {
    /// Its path under the root of the repository.
    path: String,
    text: String,
}

/// A block of code on a page.
struct Block {
    /// What its fence says it is.
    language: String,
    text: String,
    /// Whether it stands directly below another one, whose output it then is.
    follows: bool,
}

impl Page {
    fn blocks(&self) -> Vec<Block> {
        let (mut blocks, mut language, mut start, mut end) = (Vec::new(), String::new(), 0, None);
        let mut text = String::new();
        for (event, range) in Parser::new_ext(&self.text, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    language =
                        if let CodeBlockKind::Fenced(words) = kind { words.into_string() } else { String::new() };
                    (start, text) = (range.start, String::new());
                }
                Event::Text(part) => text.push_str(&part),
                Event::End(TagEnd::CodeBlock) => {
                    let follows = end.is_some_and(|end: usize| self.text[end..start].trim().is_empty());
                    blocks.push(Block { language: language.clone(), text: std::mem::take(&mut text), follows });
                    end = Some(range.end);
                }
                _ => {}
            }
        }
        blocks
    }

    /// What stands in a line as code.
    fn code(&self) -> Vec<String> {
        let code = |event| if let Event::Code(text) = event { Some(text.into_string()) } else { None };
        Parser::new_ext(&self.text, Options::ENABLE_TABLES).filter_map(code).collect()
    }
}

/// README and every page below `docs/` that is written by hand.
fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = vec![root.join("README.md")];
    for folder in ["docs", "docs/start"] {
        let entries = fs::read_dir(root.join(folder)).expect("a folder");
        paths.extend(
            entries
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.extension().is_some_and(|end| end == "md")),
        );
    }
    paths.sort();
    let page = |path: &std::path::PathBuf| Page {
        path: path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned(),
        text: fs::read_to_string(path).expect("a page in UTF-8"),
    };
    let pages: Vec<Page> = paths.iter().map(page).collect();
    assert!(pages.len() > 20, "the pages were not found");
    pages
}

/// The page at a path.
fn page(path: &str) -> Page {
    pages().into_iter().find(|page| page.path == path).unwrap_or_else(|| panic!("there is no {path}"))
}

/// A folder that goes when this does.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("documents-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a writable folder");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The example is built with the project.
#[test]
fn the_program_on_the_page_about_embedding_is_the_example() {
    let example = include_str!("../examples/ten_lines.rs");
    let (_, program) = example.split_once('\n').expect("a first line that says what it is");
    let blocks = page("docs/embedding.md").blocks();
    assert_eq!(blocks.iter().find(|block| block.language == "rust").expect("a program").text, program);
}

#[test]
fn blocks_are_found_with_what_they_print() {
    let text = "a\n\n```sh\none\n```\n```json\n1\n```\n\nb `c`\n\n```toml\n[x]\n```\n".to_owned();
    let page = Page { path: String::new(), text };
    let blocks = page.blocks();
    let found: Vec<_> =
        blocks.iter().map(|block| (block.language.as_str(), block.text.as_str(), block.follows)).collect();
    assert_eq!(found, [("sh", "one\n", false), ("json", "1\n", true), ("toml", "[x]\n", false)]);
    assert_eq!(page.code(), ["c"]);
}
