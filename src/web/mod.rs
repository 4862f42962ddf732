//! The files that browsers are served, embedded in the binary: the console, its demos, the tutorial page and the browser client.

/// One embedded file; `build.rs` makes the table of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// The path of the request target that it answers, `/console.js`.
    pub path: &'static str,
    /// The value of its Content-Type field.
    pub content_type: &'static str,
    /// The value of its Content-Security-Policy field.
    pub policy: &'static str,
    /// The hash in its entity tag.
    pub etag: &'static str,
    /// Its bytes.
    pub body: &'static [u8],
    /// The same, compressed with gzip.
    pub gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

impl Asset {
    /// Whether it belongs to the browser client, which applications load, rather than to the console.
    #[must_use]
    pub fn is_client(&self) -> bool {
        self.path.starts_with("/tidings.")
    }
}

/// The file at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub asset: &'static Asset,
    /// The path contains the version of this build: its content never changes.
    pub immutable: bool,
}

/// The file at `path` (without its query), if there is one: `/console.js`, or `/v/VERSION/console.js`. For the version of
/// another build, which a page asks for that was loaded before an update, it is the file of this build.
#[must_use]
pub fn find(path: &str) -> Option<Found> {
    let (version, path) = match path.strip_prefix("/v/").and_then(|rest| rest.split_at_checked(VERSION.len())) {
        Some((version, path)) if version.bytes().all(|byte| byte.is_ascii_hexdigit()) => (Some(version), path),
        Some(_) => return None,
        None => (None, path),
    };
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    Some(Found { asset, immutable: version == Some(VERSION) })
}

#[cfg(test)]
mod tests {
    use super::{ASSETS, Asset, Found, VERSION, find};
    use std::io::Read;

    /// The values after each `marker` up to the closing `quote`, as far as they are paths of this server.
    fn paths_after<'a>(text: &'a str, marker: &str, quote: char) -> Vec<&'a str> {
        let ends = |rest: &'a str| rest.split(quote).next().unwrap_or_default();
        text.split(marker).skip(1).map(ends).filter(|path| path.starts_with('/') || path.starts_with("./")).collect()
    }

    fn text_of(asset: &Asset) -> &'static str {
        std::str::from_utf8(asset.body).expect("pages and scripts are UTF-8")
    }

    fn of_type(kind: &str) -> impl Iterator<Item = &'static Asset> {
        ASSETS.iter().filter(move |asset| asset.content_type.starts_with(kind))
    }

    #[test]
    fn every_file_that_a_page_or_script_names_is_embedded() {
        let mut named = 0;
        for asset in of_type("text/html").chain(of_type("text/javascript")) {
            let text = text_of(asset);
            let links = [
                paths_after(text, "src=\"", '"'),
                paths_after(text, "href=\"", '"'),
                paths_after(text, "from '", '\''),
                paths_after(text, "import('", '\''),
            ];
            for path in links.concat() {
                let folder = asset.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                let full = path.strip_prefix('.').map_or(path.to_owned(), |rest| format!("{folder}{rest}"));
                assert!(find(&full).is_some(), "{} names {path}, which is not embedded", asset.path);
                named += 1;
            }
        }
        assert!(named >= 20, "the pages name {named} files; the search must have gone blind");
    }

    /// A page that loads a script by its unversioned address would load it anew, or one of another version.
    #[test]
    fn what_a_page_loads_has_the_version_of_the_page() {
        for page in of_type("text/html") {
            let text = text_of(page);
            for path in
                [paths_after(text, "src=\"", '"'), paths_after(text, "rel=\"stylesheet\" href=\"", '"')].concat()
            {
                assert!(find(path).is_some_and(|found| found.immutable), "{} loads {path}", page.path);
            }
            assert!(!text.contains("VERSION"), "{} still holds the mark of a version", page.path);
        }
        for script in of_type("text/javascript") {
            let absolute = paths_after(text_of(script), "from '", '\'').into_iter().find(|path| path.starts_with('/'));
            let examples = script.is_client();
            assert!(examples || absolute.is_none(), "{} imports {absolute:?} without a version", script.path);
        }
    }

    #[test]
    fn pages_hold_nothing_that_their_content_security_policy_forbids() {
        for page in of_type("text/html") {
            let text = text_of(page);
            for forbidden in [" style=", " onclick=", " onload="] {
                assert!(!text.contains(forbidden), "{} holds {forbidden}", page.path);
            }
            for (tag, directive) in
                [("<script>", "script-src 'self' 'sha256-"), ("<style>", "style-src 'self' 'sha256-")]
            {
                assert_eq!(text.contains(tag), page.policy.contains(directive), "{} and its policy: {tag}", page.path);
            }
            assert!(!page.policy.contains("unsafe"));
        }
    }

    #[test]
    fn the_tutorial_shows_the_server_of_the_example() {
        let page = text_of(find("/tutorial").expect("the tutorial").asset);
        let shown = page.split("Rust 服务器的源代码\">").nth(1).and_then(|rest| rest.split("</pre>").next());
        let shown = shown.expect("the server").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        let example = include_str!("../../examples/ten_lines.rs");
        let code = example.split_once('\n').expect("a first line, which says what it is").1;
        assert_eq!(shown.trim_end(), code.trim_end());
        assert_eq!(shown.lines().count(), 10);
    }

    #[test]
    fn the_compressed_bytes_are_the_plain_ones() {
        for asset in ASSETS {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(asset.gzip).read_to_end(&mut plain).expect("gzip");
            assert!(plain == asset.body, "{}", asset.path);
            assert!(
                asset.body.len() < 1024 || asset.gzip.len() < asset.body.len() * 2 / 3,
                "{} hardly shrank",
                asset.path
            );
        }
    }

    #[test]
    fn each_path_is_there_once_with_and_without_its_version() {
        for (index, asset) in ASSETS.iter().enumerate() {
            assert!(ASSETS[index + 1..].iter().all(|other| other.path != asset.path), "{} twice", asset.path);
            assert_eq!(find(asset.path), Some(Found { asset, immutable: false }));
            assert_eq!(find(&format!("/v/{VERSION}{}", asset.path)), Some(Found { asset, immutable: true }));
            assert_eq!(find(&format!("/v/0123456789abcdef{}", asset.path)), Some(Found { asset, immutable: false }));
        }
        for nothing in
            ["/mod.rs", "/nothing", "/v/console.js", "/v/", "/v/0123456789abcdeX/console.js", "/index.html", ""]
        {
            assert_eq!(find(nothing), None, "{nothing}");
        }
        let client: Vec<&str> = ASSETS.iter().filter(|asset| asset.is_client()).map(|asset| asset.path).collect();
        assert_eq!(client, ["/tidings.global.js", "/tidings.js"]);
    }

    /// Both come from the same parts, between lines of their kind.
    #[test]
    fn the_client_is_a_module_and_a_classic_script() {
        let [script, module] = ["/tidings.global.js", "/tidings.js"]
            .map(|path| text_of(find(path).expect("a kind of the browser client").asset));
        assert!(module.ends_with("export { Tidings, TidingsError };\nexport default Tidings;\n"));
        assert!(script.starts_with("(() => {") && script.ends_with("})();\n"));
        for line in script.lines() {
            assert!(!line.starts_with("import ") && !line.starts_with("export "), "a classic script holds: {line}");
        }
        let shared = |text: &'static str| text[text.find("// The browser client").expect("its head")..].len();
        assert!(shared(script).abs_diff(shared(module)) < 100, "they differ by more than their last lines");
        assert!(shared(module) > 10_000);
    }
}
