//! Every scenario against Tidings: what must arrive arrives, and each says what it is for.

use crate::support::{Process, Run, file, load, tidings};
use tidings_loadgen::measure::environment::descriptors;

/// A short run that must account for everything.
fn exact(arguments: &[&str]) -> Run {
    let run = load(arguments);
    let totals = &run.outcome().totals;
    assert_eq!(
        (totals.lost, totals.duplicated, totals.reordered, totals.corrupted),
        (0, 0, 0, 0),
        "{}\n{}",
        run.out,
        run.error
    );
    assert_eq!((totals.received, totals.errors), (totals.expected, 0), "{}", run.out);
    run
}

const SHORT: [&str; 5] = ["-d", "1s", "--warmup", "200ms", "--force"];

#[test]
fn echoes_of_all_sizes_come_back_open_and_closed() {
    let (_server, url) = tidings();
    for size in ["20", "1KiB", "16KiB", "128:90%,64KiB:10%", "20..2KiB"] {
        let run =
            exact(&[&["echo", &url, "-c", "20", "-R", "500", "-s", size, "--check-every", "2"][..], &SHORT].concat());
        assert_eq!(run.outcome().generator.checked_connections, 10);
        assert!(run.scalar("rate") > 0.0 && run.outcome().totals.sent >= 400, "{}", run.out);
    }
    let run = exact(&[&["echo", &url, "-c", "10", "--closed", "--depth", "8", "-s", "1MiB"][..], &SHORT].concat());
    assert!(run.outcome().totals.received >= 80, "{}", run.out);
}

#[test]
fn compressed_echoes_come_back_and_are_fewer_bytes() {
    let (_server, url) = tidings();
    let template = format!("{{\"stamp\":\"{{stamp}}\",\"text\":\"{}\"}}", "the same words again and again ".repeat(40));
    let run = |extra: &[&str]| {
        exact(&[&["echo", &url, "-c", "4", "-R", "200", "--template", &template][..], extra, &SHORT].concat())
    };
    let (plain, packed) = (run(&[]), run(&["--deflate"]));
    let each = |run: &Run| run.outcome().totals.bytes_in / run.outcome().totals.received;
    assert!(each(&packed) * 4 < each(&plain), "{} {}", each(&packed), each(&plain));
}

#[test]
fn publications_reach_everybody_over_sockets_and_http() {
    let (_server, url) = tidings();
    let fanout =
        ["fanout", &url, "-c", "30", "-R", "200", "--channels", "5", "--subs-per-conn", "2", "--publishers", "3"];
    for (extra, prefix) in [(&["--publish", "socket"][..], "s-"), (&["--publish", "http", "--pipeline", "4"], "h-")] {
        let run = exact(&[&fanout[..], extra, &["--channel-prefix", prefix], &SHORT].concat());
        let totals = &run.outcome().totals;
        assert_eq!(totals.expected, totals.sent * 12, "30 receivers of 2 of 5 channels: 12 each");
        assert_eq!(run.outcome().latencies["first"].count, run.outcome().latencies["last"].count);
    }
    let run = exact(&[&["fanout", &url, "-c", "50", "--closed", "--depth", "8", "-t", "2"][..], &SHORT].concat());
    assert!(run.outcome().totals.sent > 100, "{}", run.out);
}

#[test]
fn storms_idleness_and_churn_open_what_they_should() {
    let server = Process::start();
    let (url, pid) = (server.url(), server.id().to_string());
    let run = load(&[&["storm", &url, "-c", "20", "--pid", &pid][..], &SHORT].concat());
    assert!(run.outcome().totals.opened > 100 && run.outcome().totals.errors == 0, "{}", run.out);
    assert!(run.outcome().latencies["open"].count > 100);
    // Fewer where fewer are allowed.
    let most = (descriptors() / 2).min(8000);
    let (connections, ramp) = (most.to_string(), format!("0:{most}/2s"));
    let run = load(&[&["idle", &url, "-c", &connections, "--ramp", &ramp, "--pid", &pid][..], &SHORT].concat());
    assert_eq!((run.scalar("connections"), run.outcome().totals.errors), (most as f64, 0), "{}", run.out);
    let (server, own) = (run.scalar("bytes_per_connection"), run.outcome().generator.bytes_per_connection);
    assert!((50.0..2000.0).contains(&server), "{server} bytes of the server per connection");
    let own = own.expect("it measures itself");
    assert!(most < 8000 || own <= 1024.0, "{own} bytes of the load generator per connection");
    let run = load(&[&["churn", &url, "-c", "50", "--lifetime", "300ms", "-R", "50"][..], &SHORT].concat());
    let totals = &run.outcome().totals;
    assert!(totals.opened > 100 && totals.lost == 0 && totals.dropped == 0, "{}", run.out);
}

#[test]
fn who_is_cut_comes_back_and_misses_nothing_where_it_resumes() {
    let (_server, url) = tidings();
    let cut = ["--cut-after", "1s", "--jitter", "300ms", "-d", "3s", "--warmup", "0s", "--force"];
    let run =
        exact(&[&["reconnect", &url, "-c", "40", "-R", "50", "--adapter-option", "resume=true"][..], &cut].concat());
    assert_eq!((run.outcome().latencies["recovery"].count, run.scalar("gaps")), (40, 0.0), "{}", run.out);
    assert!(run.scalar("recovered_in") > 0.0 && run.scalar("recovered_in") < 2.0, "{}", run.out);
    assert_eq!(run.outcome().totals.expected, 40 * run.outcome().totals.sent);
}

#[test]
fn slow_readers_are_seen_and_the_others_get_everything() {
    let (_server, url) = tidings();
    let run = load(&[
        "slow", &url, "-c", "20", "--slow", "10%", "-R", "200", "-s", "16KiB", "-d", "2s", "--warmup", "0s", "--drain",
        "1s", "--force",
    ]);
    let outcome = run.outcome();
    assert!(outcome.totals.expected >= 18 * outcome.totals.sent, "{}", run.out);
    assert!(outcome.totals.received >= 18 * outcome.totals.sent, "the healthy ones have everything: {}", run.out);
}

#[test]
fn a_soak_watches_the_server_and_reads_its_metrics() {
    let server = Process::start();
    let (url, pid, metrics) = (server.url(), server.id().to_string(), format!("http://{}/metrics", server.address));
    let run =
        exact(&["soak", &url, "-c", "10", "-R", "50", "-d", "6s", "--pid", &pid, "--metrics-url", &metrics, "--force"]);
    for name in ["cpu_us_per_msg", "server_busy"] {
        assert!(run.scalar(name).is_finite(), "{name}");
    }
    // What the server says that it published is what was sent while it measured.
    let published: f64 = run
        .outcome()
        .metrics
        .iter()
        .filter(|(name, _)| name.starts_with("tidings_publications_total"))
        .map(|(_, change)| change)
        .sum();
    assert!((published - 350.0).abs() <= 10.0, "{:?}", run.outcome().metrics);
    let window = run.outcome().series.iter().find(|window| window.at >= 1.0).expect("a second");
    assert!(window.server.is_some_and(|server| server.rss > 1 << 20));
}

#[test]
fn bad_clients_are_refused_or_closed_and_the_others_do_not_notice() {
    let (_server, url) = tidings();
    let run = exact(&[
        "hostile",
        &url,
        "-c",
        "10",
        "-R",
        "200",
        "--attack-rate",
        "300",
        "--connect-timeout",
        "2s",
        "-d",
        "2s",
        "--warmup",
        "0s",
        "--force",
    ]);
    let attacks = &run.outcome().attacks;
    assert!(attacks.values().sum::<u64>() >= 500 && attacks.len() >= 20, "{}", run.out);
    let taken: Vec<&String> =
        attacks.keys().filter(|what| what.ends_with("taken") || what.contains("no reaction")).collect();
    assert!(taken.is_empty(), "{taken:?}");
}

#[test]
fn a_mixed_scenario_runs_its_groups() {
    let (_server, url) = tidings();
    let path = file("scenario.toml");
    let text = "[[group]]\nname = \"readers\"\nverb = \"subscribe\"\nconnections = 10\n\n[[group]]\nname = \"prices\"\nverb = \"publish\"\nconnections = 1\nrate = 50\n\n[[group]]\nname = \"chatter\"\nverb = \"echo\"\nconnections = 5\nrate = \"0:100/1s\"\nsize = \"64\"\n";
    std::fs::write(&path, text).expect("a file");
    let name = path.to_string_lossy().into_owned();
    let run = exact(&[&["mixed", &url, "--scenario", &name][..], &SHORT].concat());
    assert!(
        run.outcome().latencies.contains_key("response") && run.outcome().latencies.contains_key("delivery"),
        "{}",
        run.out
    );
    std::fs::write(&path, text.replace("rate = 50", "rate = \"50x\"")).expect("a file");
    let run = load(&["mixed", &url, "--scenario", &name]);
    assert!(run.code == 2 && run.error.contains("line 10: rate") && run.error.contains('^'), "{}", run.error);
    std::fs::remove_file(&path).expect("it was there");
}

#[test]
fn the_search_finds_a_rate_and_confirms_it() {
    let (_server, url) = tidings();
    let run = load(&[
        "find",
        "echo",
        &url,
        "-c",
        "5",
        "-d",
        "300ms",
        "--warmup",
        "100ms",
        "--slo",
        "lost==0,response.count<=60",
        "--max",
        "rate:50..800",
        "--precision",
        "30",
        "--force",
    ]);
    // 60 messages in 300 ms are 200 per second.
    let found = run
        .out
        .lines()
        .find_map(|line| line.strip_prefix("found: "))
        .unwrap_or_else(|| panic!("{}\n{}", run.out, run.error));
    let rate: f64 = found.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number");
    assert!((130.0..=300.0).contains(&rate), "{}", run.out);
    assert!(found.contains("; the limit: ") && found.contains("messages/s misses response.count<=60 ("), "{}", run.out);
}

#[test]
fn results_can_be_compared_and_made_a_page() {
    let (_server, url) = tidings();
    let [a, b] = ["a.json", "b.json"].map(|name| file(name).to_string_lossy().into_owned());
    for (path, rate) in [(&a, "200"), (&b, "300")] {
        let (csv, hdr) = (file("series.csv"), file("latency.hlog"));
        let run = load(&[
            "echo",
            &url,
            "-c",
            "4",
            "-R",
            rate,
            "-d",
            "6s",
            "--warmup",
            "0s",
            "--csv",
            &csv.to_string_lossy(),
            "--hdr",
            &hdr.to_string_lossy(),
        ]);
        std::fs::write(path, serde_json::to_string(run.outcome()).expect("JSON")).expect("a file");
        let table = std::fs::read_to_string(&csv).expect("a table");
        assert!(table.lines().count() >= 7 && table.starts_with("at_s,seconds,connections"), "{table}");
        let log = std::fs::read_to_string(&hdr).expect("a log");
        assert!(log.contains("Tag=response,"), "{log}");
        [csv, hdr].iter().for_each(|file| std::fs::remove_file(file).expect("it was there"));
    }
    let run = load(&["compare", &a, &b]);
    let line = run.out.lines().find(|line| line.starts_with("throughput")).unwrap_or_else(|| panic!("{}", run.out));
    assert!(line.contains("+50.") || line.contains("+49.") || line.contains("+51."), "{}", run.out);
    let note = "note: the plans differ in echo: 4 connections, 200 messages/s, 20 bytes each in A, 4 connections, 300 messages/s, 20 bytes each in B";
    assert!(run.out.contains(note), "{}", run.out);
    assert_eq!(load(&["compare", &a, &b, "--fail-if", "throughput>10%"]).code, 99);
    assert_eq!(load(&["compare", &a, &a, "--fail-if", "throughput>10%"]).code, 0);
    let same = load(&["compare", &a, &a]).out;
    assert!(same.contains("no difference") && !same.contains("plans differ"), "{same}");
    let page = load(&["report", &a, &b]);
    assert!(page.code == 0 && page.out.contains("<svg") && page.out.ends_with("</html>\n"), "{}", page.out);
    [a, b].iter().for_each(|file| std::fs::remove_file(file).expect("it was there"));
}

#[test]
fn a_generator_that_polls_is_busy_with_what_it_does_and_not_with_asking() {
    let (_server, url) = tidings();
    let run = exact(&[&["echo", &url, "-c", "5", "-R", "100", "-t", "1", "--busy-poll"][..], &SHORT].concat());
    let outcome = run.outcome();
    assert!(outcome.environment.busy_poll);
    let busy = outcome.generator.busiest;
    assert!((0.0..0.7).contains(&busy) && busy > 0.0, "100 echoes a second are little: {busy}");
}

/// Closed echoes had not counted what they sent.
#[test]
fn closed_echoes_end_at_their_count() {
    let (_server, url) = tidings();
    let arguments = ["echo", &url, "-c", "7", "--closed", "--depth", "3", "-t", "2", "-n", "1001"];
    let run = exact(&[&arguments[..], &["-d", "60s", "--warmup", "0s", "--force"]].concat());
    assert_eq!(run.outcome().totals.sent, 1001);
}
