//! Finds the commit that is built, and prepares the files a browser is served: gives them a version, compresses them with
//! gzip, and writes the table of them.
//!
//! The version is a hash of all the files, so that a page and what it loads always belong together and each address with
//! it may be cached for ever. `/v/VERSION/` in a page stands for it.

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};
use zlib_rs::{DeflateConfig, compress_bound, compress_slice};

/// Where the files are, and what stands for the version in a page.
const FOLDER: &str = "src/web";
const MARK: &str = "/v/VERSION/";

/// The browser client stands in parts, in this folder, which is also that of its npm package. Users have one file to load:
/// this list says, a line each, the name of a file and the parts that it is made of.
const CLIENT: &str = "clients/js/src";
const CLIENT_FILES: &str = "files.txt";

/// What pages may load, run and connect to: nothing from anywhere else, and of what is inline only what was here when this
/// was built.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; object-src 'none'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

fn main() {
    println!("cargo::rerun-if-changed={FOLDER}");
    println!("cargo::rerun-if-changed={CLIENT}");
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(commit) = commit() {
        println!("cargo::rustc-env=TIDINGS_COMMIT={commit}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let files = files();
    let mut all = Sha256::new();
    for (name, bytes) in &files {
        all.update(format!("{name} {}\n", bytes.len()));
        all.update(bytes);
    }
    let version = hash(all);
    let mut table = format!("/// The version of all files together.\npub const VERSION: &str = \"{version}\";\n\n");
    table.push_str("/// Every embedded file.\npub static ASSETS: &[Asset] = &[\n");
    for (name, bytes) in files {
        let bytes = versioned(&name, bytes, &version);
        write_asset(&mut table, &name, &bytes, &out);
    }
    table.push_str("];\n");
    fs::write(out.join("assets.rs"), table).expect("the table is written");
}

/// The files by their paths under the folder, in the order of these.
fn files() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    collect(Path::new(FOLDER), &mut files);
    files.extend(client_files());
    files.sort();
    files
}

/// The files of the browser client: the parts of each, with an empty line between two.
fn client_files() -> Vec<(String, Vec<u8>)> {
    let read = |name: &str| fs::read_to_string(Path::new(CLIENT).join(name)).expect("a part of the client");
    let file = |line: &str| {
        let (name, parts) = line.split_once(": ").expect("a name and its parts");
        let parts: Vec<String> = parts.split(' ').map(read).collect();
        (name.to_owned(), parts.join("\n").into_bytes())
    };
    read(CLIENT_FILES).lines().map(file).collect()
}

fn collect(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder of files") {
        let path = entry.expect("an entry of the folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if content_type(&path).is_some() {
            let name = path.strip_prefix(FOLDER).expect("it is in the folder").to_string_lossy().into_owned();
            files.push((name, fs::read(&path).expect("a readable file")));
        }
    }
}

fn content_type(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

fn versioned(name: &str, bytes: Vec<u8>, version: &str) -> Vec<u8> {
    if !name.ends_with(".html") {
        return bytes;
    }
    let text = String::from_utf8(bytes).expect("pages are UTF-8");
    text.replace(MARK, &format!("/v/{version}/")).into_bytes()
}

/// Writes one row of the table, and the file's bytes, plain and compressed, where the row includes them from.
fn write_asset(table: &mut String, name: &str, bytes: &[u8], out: &Path) {
    let path = match name.strip_suffix(".html") {
        Some("index") => "/".to_owned(),
        Some(page) => format!("/{page}"),
        None => format!("/{name}"),
    };
    let flat = name.replace('/', "_");
    let (plain, gzip) = (out.join(&flat), out.join(format!("{flat}.gz")));
    fs::write(&plain, bytes).expect("a file is written");
    fs::write(&gzip, compressed(bytes)).expect("a file is written");
    let content_type = content_type(Path::new(name)).expect("it was chosen by its type");
    let policy = policy(name, bytes);
    let etag = hash(Sha256::new_with_prefix(bytes));
    let row = format!(
        "    Asset {{ path: {path:?}, content_type: {content_type:?}, policy: {policy:?}, etag: {etag:?}, \
         body: include_bytes!({plain:?}), gzip: include_bytes!({gzip:?}) }},"
    );
    writeln!(table, "{row}").expect("a String takes everything");
}

/// The content security policy of a file: a page's names the hashes of its inline scripts and styles.
fn policy(name: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut policy = POLICY.to_owned();
    for (tag, directive) in [("script", "script-src"), ("style", "style-src")] {
        let (begin, end) = (format!("<{tag}>"), format!("</{tag}>"));
        let inline = text.split(&begin).skip(1).filter_map(|rest| rest.split_once(&end));
        let hashes: Vec<String> =
            inline.map(|(code, _)| format!("'sha256-{}'", BASE64.encode(&Sha256::digest(code)))).collect();
        if name.ends_with(".html") && !hashes.is_empty() {
            write!(policy, "; {directive} 'self' {}", hashes.join(" ")).expect("a String takes everything");
        }
    }
    policy
}

/// The first 16 hexadecimal digits of a hash: enough that no two versions of a file meet.
fn hash(state: Sha256) -> String {
    HEXLOWER.encode(&state.finalize()[..8])
}

/// gzip at its hardest: it is done once, and here.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    const WITH_GZIP_HEADER: i32 = 15 + 16;
    let config = DeflateConfig { level: 9, window_bits: WITH_GZIP_HEADER, ..DeflateConfig::default() };
    let mut room = vec![0; compress_bound(bytes.len()) + 64];
    let (packed, outcome) = compress_slice(&mut room, bytes, config);
    assert_eq!(outcome, zlib_rs::ReturnCode::Ok, "gzip");
    packed.to_vec()
}

/// The commit that is built: what the packager says, or what git says of this folder, or nothing. Builds for development do
/// not ask, since each commit would build everything anew.
fn commit() -> Option<String> {
    println!("cargo::rerun-if-env-changed=TIDINGS_COMMIT");
    let is_word = |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if let Some(said) = env::var("TIDINGS_COMMIT").ok().filter(is_word) {
        return Some(said);
    }
    if env::var("PROFILE").is_ok_and(|profile| profile != "release") {
        return None;
    }
    // A copy of the source within another repository is not that repository's commit.
    let here = env::var("CARGO_MANIFEST_DIR").ok()?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if fs::canonicalize(top).ok()? != fs::canonicalize(here).ok()? {
        return None;
    }
    // The log of HEAD grows with every commit and checkout.
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", file])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"]).filter(is_word)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = std::process::Command::new("git").args(arguments).stderr(std::process::Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
