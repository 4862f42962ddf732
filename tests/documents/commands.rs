//! Commands on pages: their flags exist; and on pages that say what they print, they print it.

use super::{Block, Folder, Page, page, pages};
use crate::support::{OPERATOR_KEY, TestServer, wait_until};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use tidings::config::knobs;

/// Pages whose commands are run against a server of their own, in their order.
const RUN: &[&str] = &[
    "docs/configuration.md",
    "docs/event-streams.md",
    "docs/http.md",
    "docs/monitoring.md",
    "docs/publishing.md",
    "docs/resume.md",
    "docs/runbook.md",
    "docs/start/curl.md",
    "docs/subscribing.md",
];

/// The command talks to this server, and curl says nothing of itself and ends a line.
const PRELUDE: &str = r#"
tidings() {
  case "$1" in
    publish | subscribe) command tidings "$@" --url "$URL" ;;
    *) command tidings "$@" ;;
  esac
}
curl() {
  command curl --silent --show-error --noproxy '*' --max-time 60 "$@"
  echo
}
"#;

/// A command that goes on until it is ended, with what it has printed so far.
struct Following {
    child: Child,
    printed: Arc<Mutex<String>>,
}

impl Following {
    fn start(mut command: Command) -> Following {
        // A group of its own, so that what the shell has started ends with it.
        let mut child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a shell");
        let mut output = child.stdout.take().expect("standard output");
        let printed = Arc::new(Mutex::new(String::new()));
        let growing = Arc::clone(&printed);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                growing.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
        });
        Following { child, printed }
    }

    fn printed(&self) -> String {
        self.printed.lock().expect("no panic").clone()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // The program, since not every shell has one that takes a group.
        let _ = Command::new("env").args(["kill", "-KILL", "--", &format!("-{}", self.child.id())]).status();
        let _ = self.child.wait();
    }
}

/// Whether a block goes on until Ctrl-C.
fn follows(text: &str) -> bool {
    text.contains("curl -N ") || text.contains("tidings subscribe ")
}

/// Whether all pieces between the `…` of a pattern stand in a text, in their order; empty lines do not count.
fn is_like(pattern: &str, text: &str) -> bool {
    let full = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("\n");
    let (pattern, text) = (full(pattern), full(text));
    let mut rest = text.as_str();
    let mut pieces = pattern.split('…');
    let begins = pieces.next().is_some_and(|first| rest.strip_prefix(first).map(|after| rest = after).is_some());
    begins && pieces.all(|piece| rest.find(piece).map(|at| rest = &rest[at + piece.len()..]).is_some())
}

/// Runs the commands of a page, and compares what they print with the blocks below them.
fn run(page: &Page) {
    let server = TestServer::start(|_| ());
    let url = format!("http://{}", server.address());
    let folder = Folder::new(&page.path.replace('/', "-"));
    let programs = std::path::Path::new(env!("CARGO_BIN_EXE_tidings")).parent().expect("a folder").display();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let shell = |commands: &str| {
        let mut shell = Command::new("sh");
        let commands = commands.replace("http://127.0.0.1:8080", &url);
        shell.args(["-ec", &format!("{PRELUDE}\n{commands}")]).current_dir(&folder.0);
        shell.env("PATH", &path).env("URL", &url).env("KEY", OPERATOR_KEY).env("TIDINGS_OPERATOR_KEY", OPERATOR_KEY);
        shell
    };
    let blocks = page.blocks();
    let expected =
        |at: usize| blocks.get(at + 1).filter(|next| next.follows && next.language != "sh").map(|next| &next.text);
    let (mut following, mut compared) = (Vec::new(), 0);
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| block.language == "sh") {
        compared += usize::from(expected(at).is_some());
        if follows(&block.text) {
            let started = Following::start(shell(&block.text));
            wait_until(&format!("{}: {}", page.path, block.text), || !started.printed().is_empty());
            following.push((started, expected(at).expect("what is followed prints something")));
            continue;
        }
        let output = shell(&block.text).output().expect("a shell");
        let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {}: {errors}", page.path, block.text);
        if let Some(expected) = expected(at) {
            assert!(is_like(expected, &said), "{}: {}\nprints {said}\n and not {expected}", page.path, block.text);
        }
    }
    for (started, expected) in &following {
        wait_until(&format!("{}: {expected}", page.path), || is_like(expected, &started.printed()));
    }
    let prints_nothing = ["docs/configuration.md", "docs/runbook.md"].contains(&page.path.as_str());
    assert!(compared > 0 || prints_nothing, "{} says of no command what it prints", page.path);
}

#[test]
fn the_commands_of_pages_do_what_the_pages_say() {
    std::thread::scope(|scope| {
        let started: Vec<_> = RUN.iter().map(|path| scope.spawn(move || run(&page(path)))).collect();
        started.into_iter().for_each(|page| page.join().expect("the page is right"));
    });
}

#[test]
fn what_differs_from_a_page_is_seen() {
    assert!(is_like("a …\nb\n", "a 1\n\nb\n") && is_like("{\"epoch\":\"…\"}", "{\"epoch\":\"x\"}\n"));
    assert!(!is_like("a …\nb\n", "a 1\nc\n") && !is_like("b\n", "a\nb\n"));
}

/// What a command says of itself, by its words; its own commands are looked at when they are asked for.
#[derive(Default)]
struct Helps(BTreeMap<Vec<String>, String>);

impl Helps {
    fn of(&mut self, words: &[String]) -> &str {
        self.0.entry(words.to_vec()).or_insert_with(|| {
            let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
                .args(words)
                .arg("--help")
                .output()
                .expect("the binary runs");
            String::from_utf8(output.stdout).expect("UTF-8")
        })
    }

    /// Whether a command has one of its own with this name.
    fn has_command(&mut self, words: &[String], name: &str) -> bool {
        let entry = format!("  {name} ");
        self.of(words).lines().skip_while(|line| *line != "Commands:").any(|line| line.starts_with(&entry))
    }

    /// The flags of a command that it does not have.
    fn unknown(&mut self, command: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut unknown = Vec::new();
        let mut may_be_command = true;
        for word in command.split_whitespace().skip(1) {
            if let Some(flag) = word.strip_prefix("--").and_then(|flag| flag.split('=').next()) {
                let shown = |help: &str| {
                    let whole = |after: &str| !after.starts_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_');
                    help.split(&format!("--{flag}")).skip(1).any(whole)
                };
                let is_setting = knobs().iter().any(|knob| knob.path == flag);
                if !flag.is_empty() && !is_setting && !shown(self.of(&words)) {
                    unknown.push(word.to_owned());
                }
                may_be_command = false;
            } else if may_be_command && self.has_command(&words, word) {
                words.push(word.to_owned());
            } else {
                may_be_command = false;
            }
        }
        unknown
    }
}

/// The commands of a block of shell that are ours.
fn ours(block: &Block) -> Vec<String> {
    let lines = block.text.replace("\\\n", " ");
    let parts = lines
        .lines()
        .flat_map(|line| line.split(" # ").next().unwrap_or_default().split(['|', ';', '&', '(', ')', '`']));
    let ours = |part: &str| matches!(part.split_whitespace().next(), Some("tidings" | "target/release/tidings"));
    parts.map(str::trim).filter(|part| ours(part)).map(str::to_owned).collect()
}

#[test]
fn every_flag_that_a_page_shows_exists() {
    let (mut helps, mut checked) = (Helps::default(), 0);
    for page in pages() {
        let blocks = page.blocks();
        let in_blocks = blocks.iter().filter(|block| ["sh", "bash"].contains(&block.language.as_str())).flat_map(ours);
        let in_lines = page.code().into_iter().filter(|code| code.starts_with("tidings "));
        for command in in_blocks.chain(in_lines) {
            assert_eq!(helps.unknown(&command), Vec::<String>::new(), "{}: {command}", page.path);
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked} commands");
    let wrong = helps.unknown("tidings publish a 1 --keys x --http.body_bytes 1 --event e");
    assert_eq!(wrong, ["--keys"]);
}
