//! The files a browser is served, embedded in the binary: the console, its demos, the tutorial page and the browser client.

/// One embedded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// The path of the request target that it answers, `/console.js`.
    pub path: &'static str,
    /// The value of its Content-Type field.
    pub content_type: &'static str,
    /// Its bytes.
    pub body: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// What the pages may load, run and connect to: nothing from anywhere else, and nothing inline.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; \
                                           object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Every embedded file. The console is the index; a page that is not linked from it has a path without a suffix.
pub static ASSETS: &[Asset] = &[
    Asset { path: "/", content_type: HTML, body: include_bytes!("index.html") },
    Asset { path: "/tutorial", content_type: HTML, body: include_bytes!("tutorial.html") },
    Asset { path: "/favicon.svg", content_type: SVG, body: include_bytes!("favicon.svg") },
    Asset { path: "/console.css", content_type: STYLE, body: include_bytes!("console.css") },
    Asset { path: "/console.js", content_type: SCRIPT, body: include_bytes!("console.js") },
    Asset { path: "/kit.js", content_type: SCRIPT, body: include_bytes!("kit.js") },
    Asset { path: "/tidings.js", content_type: SCRIPT, body: include_bytes!("tidings.js") },
    Asset { path: "/tutorial.js", content_type: SCRIPT, body: include_bytes!("tutorial.js") },
    Asset { path: "/demo-console.js", content_type: SCRIPT, body: include_bytes!("demo-console.js") },
    Asset { path: "/demo-chat.js", content_type: SCRIPT, body: include_bytes!("demo-chat.js") },
    Asset { path: "/demo-prices.js", content_type: SCRIPT, body: include_bytes!("demo-prices.js") },
    Asset { path: "/demo-form.js", content_type: SCRIPT, body: include_bytes!("demo-form.js") },
    Asset { path: "/demo-upload.js", content_type: SCRIPT, body: include_bytes!("demo-upload.js") },
    Asset { path: "/demo-game.js", content_type: SCRIPT, body: include_bytes!("demo-game.js") },
    Asset { path: "/demo-remote.js", content_type: SCRIPT, body: include_bytes!("demo-remote.js") },
    Asset { path: "/demo-monitor.js", content_type: SCRIPT, body: include_bytes!("demo-monitor.js") },
];

/// The file served at `path` (without its query), if there is one.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::{ASSETS, HTML, SCRIPT, find};

    /// The values behind each `marker` up to the closing `quote`, as far as they are paths of this server.
    fn paths_behind<'a>(text: &'a str, marker: &str, quote: char) -> Vec<&'a str> {
        let ends = |rest: &'a str| rest.split(quote).next().unwrap_or_default();
        text.split(marker).skip(1).map(ends).filter(|path| path.starts_with('/')).collect()
    }

    fn text_of(asset: &super::Asset) -> &'static str {
        std::str::from_utf8(asset.body).expect("pages and scripts are UTF-8")
    }

    #[test]
    fn every_file_that_a_page_or_script_names_is_embedded() {
        let mut named = 0;
        for asset in ASSETS.iter().filter(|asset| asset.content_type == HTML || asset.content_type == SCRIPT) {
            let text = text_of(asset);
            let links = [
                paths_behind(text, "src=\"", '"'),
                paths_behind(text, "href=\"", '"'),
                paths_behind(text, "from '", '\''),
            ];
            for path in links.concat() {
                assert!(find(path).is_some(), "{} names {path}, which is not embedded", asset.path);
                named += 1;
            }
        }
        assert!(named >= 20, "the pages name {named} files; the search must have gone blind");
    }

    #[test]
    fn pages_hold_nothing_that_their_content_security_policy_forbids() {
        for asset in ASSETS.iter().filter(|asset| asset.content_type == HTML) {
            let text = text_of(asset);
            for forbidden in ["<style", " style=", "<script>", " onclick=", " onload=", "http://", "https://"] {
                assert!(!text.contains(forbidden), "{} holds {forbidden}", asset.path);
            }
        }
    }

    #[test]
    fn each_path_is_there_once_and_others_are_not_found() {
        for (index, asset) in ASSETS.iter().enumerate() {
            assert!(ASSETS[index + 1..].iter().all(|other| other.path != asset.path), "{} twice", asset.path);
            assert_eq!(find(asset.path), Some(asset));
        }
        assert_eq!(find("/mod.rs"), None);
        assert_eq!(find("/nothing"), None);
    }
}
