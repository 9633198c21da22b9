//! `warroom check` as it is typed: exit codes, messages, and what may reach a terminal.

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/recorded.rs"]
mod recorded;
#[path = "support/served.rs"]
mod served;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use program::{Run, check, run, wait, warroom};
use recorded::{EVERY_S, FIRST_MS, Vllm, record};
use serde_json::Value;
use tempfile::TempDir;
use warroom::command::check::{Sources, check as judge};
use warroom::config::Config;
use warroom::report::{self, Look};
use warroom::ui::theme::Theme;

const FORMATS: [&str; 3] = ["text", "json", "markdown"];

fn dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn arg(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A recording made by `make`, in a directory that lives as long as the first value.
fn recording(make: impl FnOnce(&Path)) -> (TempDir, PathBuf) {
    let dir = dir();
    let path = dir.path().join("pages");
    make(&path);
    (dir, path)
}

fn pages(make: impl FnOnce(&Path), more: &[&str]) -> Run {
    let (_dir, path) = recording(make);
    check(["--pages", arg(&path)].iter().chain(more))
}

/// Fails unless all of `words` stand on standard error, nothing stands on standard output, and the code is `code`.
#[track_caller]
fn refused(run: &Run, code: i32, words: &[&str]) {
    assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{}", run.stderr);
    for word in words {
        assert!(run.stderr.contains(word), "no '{word}' in: {}", run.stderr);
    }
    harmless(run);
}

/// Fails where anything could steer a terminal.
#[track_caller]
fn harmless(run: &Run) {
    for (name, text) in [("standard output", &run.stdout), ("standard error", &run.stderr)] {
        let steers = |c: char| (c.is_control() && c != '\n') || ('\u{202A}'..='\u{202E}').contains(&c);
        let line = text.lines().find(|line| line.chars().any(steers));
        assert!(line.is_none() && !text.contains('\r'), "{name}: {line:?}");
    }
}

// ---- exit codes ----------------------------------------------------------------------------------------------------

#[test]
fn each_verdict_has_its_exit_code() {
    for (make, more, verdict, code) in [
        ((|p| recorded::healthy(p, "lab-model")) as fn(&Path), &[][..], "HEALTHY", 0),
        (recorded::idle, &[], "IDLE", 0),
        (recorded::borderline, &["--ttft-target", "0.6"], "WARNING", 3),
        (|p| recorded::saturated(p, "lab-model"), &[], "BREACH", 4),
        (recorded::unrecognised, &[], "CANNOT TELL", 5),
    ] {
        let run = pages(make, more);
        assert!(run.stdout.starts_with(verdict), "{verdict}: {}", run.stdout);
        assert_eq!((run.code, run.stderr.as_str()), (Some(code), ""), "{verdict}");
    }
}

#[test]
fn fail_on_breach_lets_a_warning_pass_and_nothing_else() {
    let bar = ["--fail-on", "breach"];
    assert_eq!(pages(recorded::borderline, &["--ttft-target", "0.6", "--fail-on", "breach"]).code, Some(0));
    assert_eq!(pages(|p| recorded::saturated(p, "lab-model"), &bar).code, Some(4));
    assert_eq!(pages(recorded::unrecognised, &bar).code, Some(5), "not knowing is no success");
    assert_eq!(pages(recorded::borderline, &["--ttft-target", "0.6", "--fail-on", "warning"]).code, Some(3));
}

#[test]
fn one_page_is_not_enough_to_call_an_engine_idle() {
    let run = pages(|p| record(p, [Vllm::new("lab-model").serve(9, 0.1, 0.1, 0.02).page()]), &[]);
    assert_eq!(run.code, Some(5), "{}", run.stdout);
    assert!(run.stdout.contains("one page"), "{}", run.stdout);
    assert!(!run.stdout.contains("not measured by this engine"), "{}", run.stdout);
}

// ---- what is typed wrongly -----------------------------------------------------------------------------------------

#[test]
fn mistyped_commands_are_named_with_a_remedy() {
    refused(&check(["--bogus"]), 2, &["--bogus", "--help"]);
    refused(&check([""; 0]), 2, &["nothing to read", "--engine URL", "--pages DIR"]);
    refused(&check(["--engine", "http://x/", "--pages", "y"]), 2, &["--pages", "--engine"]);
    refused(&check(["--engine", "ftp://x/metrics"]), 2, &["ftp", "http://10.0.0.7:8000/metrics"]);
    refused(&check(["--engine", "localhost:8000"]), 2, &["localhost:8000", "http://"]);
    refused(&check(["--engine", "http://x/", "--for", "soon"]), 2, &["--for is 'soon'", "30s"]);
    refused(&check(["--engine", "http://x/", "--at", "+4s"]), 2, &["--engine", "--at"]);
    refused(&check(["--at", "+4s"]), 2, &["--pages"]);
    refused(&check(["--engine", "http://x/", "-o", "yaml"]), 2, &["yaml", "text, json, markdown"]);
}

#[test]
fn values_that_make_no_sense_are_named_with_a_remedy() {
    let (_dir, path) = recording(recorded::idle);
    for (flag, value, words) in [
        ("--window", "nonsense", &["--window is 'nonsense'", "5m"][..]),
        ("--window", "0s", &["--window", "no time at all"]),
        ("--window=-5m", "--ascii", &["--window", "negative"]),
        ("--window", "\u{1b}[31m", &["--window"]),
        ("--at", "nonsense", &["--at 'nonsense' is no moment", "+40s"]),
        ("--at", "+40", &["--at '+40'", "+40s"]),
        ("--at", "-40s", &["before anything that was recorded", "2026-06-08T03:14:07Z"]),
        ("--at", "1999-12-31T00:00:00Z", &["before anything that was recorded"]),
        ("--ttft-target", "-1", &["--ttft-target", "negative"]),
        ("--ttft-target", "fast", &["--ttft-target", "fast"]),
        ("--objective", "99", &["--objective", "0.99"]),
        ("--theme", "../../etc/passwd", &["--theme", "cannot name a theme"]),
    ] {
        refused(&check(["--pages", arg(&path), flag, value]), 2, words);
    }
}

#[test]
fn a_configuration_with_an_unknown_key_is_refused_with_file_line_key_and_the_nearest() {
    let (dir, path) = recording(recorded::idle);
    let file = dir.path().join("war.toml");
    fs::write(&file, "[slo.default]\nttft = { tagret = \"1s\" }\n").expect("as this test made it");
    let run = run(&mut warroom(["--config", arg(&file), "check", "--pages", arg(&path)]));
    refused(&run, 2, &["war.toml' line 2", "unknown key 'tagret'", "did you mean 'target'?"]);
}

#[test]
fn a_flag_in_front_of_its_command_is_refused_and_not_silently_left_out() {
    refused(
        &run(&mut warroom(["-n", "prod", "check", "deploy/x"])),
        2,
        &["behind the command", "warroom check -n NAME"],
    );
}

#[test]
fn a_theme_that_is_not_there_is_said_and_the_verdict_still_given() {
    let run = pages(recorded::idle, &["--theme", "drak"]);
    assert_eq!(run.code, Some(0));
    assert!(run.stderr.contains("theme 'drak'") && run.stdout.starts_with("IDLE"), "{}", run.stderr);
}

// ---- recordings that are not as they should be ---------------------------------------------------------------------

#[test]
fn a_directory_that_is_none_is_named_with_what_is_expected() {
    let dir = dir();
    let (missing, file, empty) = (dir.path().join("missing"), dir.path().join("file"), dir.path().join("empty"));
    fs::write(&file, "x").expect("as this test made it");
    fs::create_dir(&empty).expect("as this test made it");
    refused(&check(["--pages", arg(&missing)]), 2, &[arg(&missing), "cannot be read", "<unix_ms>.prom"]);
    refused(&check(["--pages", arg(&file)]), 2, &[arg(&file), "is not a directory", "<unix_ms>.prom"]);
    refused(&check(["--pages", arg(&empty)]), 2, &[arg(&empty), "holds no pages", "<unix_ms>.prom"]);
    // Names that are no moment are no pages.
    for name in ["notes.prom", "-5.prom", "9223372036854775807.prom", "99999999999999999999999.prom", "1.prom.bak"] {
        fs::write(empty.join(name), "x 1\n").expect("as this test made it");
    }
    refused(&check(["--pages", arg(&empty)]), 2, &["holds no pages"]);
}

#[test]
fn pages_that_are_none_are_a_failed_source_that_says_why() {
    for (what, page, words) in [
        ("HTML", "<!doctype html><title>Sign in</title>\n".to_owned(), "HTML, not metrics"),
        ("JSON", "{\"error\": \"not found\"}\n".to_owned(), "JSON, not metrics"),
        ("nothing", String::new(), "empty"),
        ("half a page", "vllm:num_requests_running 3\nvllm:num_req".to_owned(), "cut short"),
        ("9 MB", "vllm:num_requests_running 3\n".repeat(9_000_000 / 28), "larger than 8 MB"),
    ] {
        let run = pages(|p| record(p, (0..3).map(|_| page.clone())), &[]);
        assert_eq!(run.code, Some(5), "{what}: {}", run.stdout);
        let unfolded = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unfolded.starts_with("CANNOT TELL") && unfolded.contains(words), "{what}: {}", run.stdout);
        assert!(run.took < Duration::from_secs(20), "{what}: {:?}", run.took);
        harmless(&run);
    }
}

/// The most memory that reading a recording may take, in bytes.
const MOST_RESIDENT: usize = 200 << 20;

/// Runs a check of a recording and looks at its memory meanwhile: its exit code, standard error and most resident bytes.
fn watched(path: &Path) -> (Option<i32>, String, usize) {
    let mut child = warroom(["check", "--pages", arg(path)]).spawn().expect("as this test made it");
    let mut resident = 0;
    let mut ticks = 0;
    while child.try_wait().expect("as this test made it").is_none() {
        // Pages of 4 KiB; elsewhere than on Linux only the time is looked at.
        let statm = fs::read_to_string(format!("/proc/{}/statm", child.id())).unwrap_or_default();
        resident = resident.max(statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0) * 4096);
        thread::sleep(Duration::from_millis(5));
        ticks += 1;
        assert!(ticks < 4000, "it does not end");
    }
    let code = wait(&mut child);
    let mut stderr = String::new();
    child.stderr.take().expect("as this test made it").read_to_string(&mut stderr).expect("as this test made it");
    (code, stderr, resident)
}

#[test]
fn a_page_that_inflates_to_a_gigabyte_costs_little_time_and_memory() {
    let (dir, path) = recording(|p| fs::create_dir_all(p).expect("as this test made it"));
    // Members that follow each other inflate to one page; each of these is 16 MB of zeros.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&vec![0; 16 << 20]).expect("as this test made it");
    let bomb = encoder.finish().expect("as this test made it").repeat(64);
    for i in 0..5 {
        fs::write(path.join(format!("{}.prom.gz", FIRST_MS + i * 5000)), &bomb).expect("as this test made it");
    }
    let (code, _, resident) = watched(&path);
    assert_eq!(code, Some(5));
    assert!(resident < MOST_RESIDENT, "{resident} bytes");
    drop(dir);
}

#[test]
fn files_beside_the_pages_are_refused_with_their_name_and_what_they_hold() {
    for (file, text, words) in [
        (
            "probes.jsonl",
            "{\"t_ms\": 1}\n{\"t_ms\": \n",
            &["probes.jsonl", "line 2 is no JSON object", "remove the line"][..],
        ),
        ("scrapes.jsonl", "not json\n", &["scrapes.jsonl", "line 1"]),
        ("target.json", "[{\"pood\": \"a\"}]", &["target.json", "pood", "`pod`"]),
        ("target.json", "[{\"p\\u001b[31mod\": \"a\"}]", &["target.json", "unknown field"]),
        ("target.json", "[{\"revision\": \"\\u001b[31m\"}]", &["target.json", "revision"]),
        ("target.json", "{}", &["target.json", "list"]),
    ] {
        let (_dir, path) = recording(recorded::idle);
        fs::write(path.join(file), text).expect("as this test made it");
        refused(&check(["--pages", arg(&path)]), 2, words);
    }
}

/// Two minutes of a healthy engine in one file.
fn in_one_file() -> Vec<String> {
    let (_dir, path) = recording(|p| recorded::healthy(p, "lab-model"));
    let mut files: Vec<PathBuf> = fs::read_dir(&path)
        .expect("as this test made it")
        .map(|entry| entry.expect("as this test made it").path())
        .collect();
    files.sort();
    let line = |file: &PathBuf| {
        let at_ms: i64 = file
            .file_stem()
            .expect("as this test made it")
            .to_str()
            .expect("as this test made it")
            .parse()
            .expect("as this test made it");
        serde_json::json!({"at_ms": at_ms, "page": fs::read_to_string(file).expect("as this test made it")}).to_string()
    };
    files.iter().map(line).collect()
}

fn judged_in_one_file(text: &[u8]) -> Run {
    pages(
        |path| {
            fs::create_dir_all(path).expect("as this test made it");
            fs::write(path.join("pages.jsonl"), text).expect("as this test made it");
        },
        &["-o", "json"],
    )
}

#[test]
fn a_line_that_cannot_be_placed_in_time_is_refused_with_its_number() {
    let lines = in_one_file();
    assert_eq!(judged_in_one_file(lines.join("\n").as_bytes()).code, Some(0), "as it is");
    let with = |number: usize, line: &str| {
        let mut lines = lines.clone();
        lines[number - 1] = line.to_owned();
        lines.join("\n")
    };
    for (text, words) in [
        (with(3, "not json"), &["pages.jsonl", "line 3 is no {at_ms, page}", "remove the line"][..]),
        (with(2, "{\"t_ms\": 1, \"page\": \"x 1\\n\"}"), &["line 2", "at_ms"]),
        (with(2, "{\"at_ms\": -1, \"page\": \"x 1\\n\"}"), &["line 2 does not say when it was"]),
        (with(2, "{\"at_ms\": 253402300800000, \"page\": \"\"}"), &["line 2 does not say when it was"]),
        (with(2, "{\"at_ms\": 1e300, \"page\": \"\"}"), &["line 2 is no"]),
        (with(2, "{\"\u{1b}[31m\": \u{1b}[31m}"), &["line 2 is no"]),
        (with(2, &"[".repeat(100_000)), &["line 2 is no"]),
        (with(4, &lines[1]), &["line 4 is not later than the one before it", "sort the lines"]),
        (String::new(), &["holds no pages", "pages.jsonl.gz"]),
        ("\n \n\n".to_owned(), &["holds no pages"]),
    ] {
        refused(&judged_in_one_file(text.as_bytes()), 2, words);
    }
    let (_dir, path) = recording(|path| {
        fs::create_dir_all(path).expect("as this test made it");
        fs::write(path.join("pages.jsonl.gz"), lines.join("\n")).expect("as this test made it");
    });
    refused(&check(["--pages", arg(&path)]), 2, &["pages.jsonl.gz", "line 1 cannot be read", "gzip"]);
    fs::write(path.join("pages.jsonl"), lines.join("\n")).expect("as this test made it");
    refused(&check(["--pages", arg(&path)]), 2, &["pages.jsonl.gz", "beside a pages.jsonl", "keep one"]);
}

#[test]
fn a_line_whose_page_is_none_is_a_reading_that_failed_at_its_moment() {
    let mut lines = in_one_file();
    let last = lines.len() - 1;
    let at_ms = serde_json::from_str::<Value>(&lines[last]).expect("as this test made it")["at_ms"].clone();
    for page in ["[1, 2]", "null", "\"\\ud800\"", "\"<html>sign in</html>\"", "\"\""] {
        lines[last] = format!("{{\"at_ms\": {at_ms}, \"page\": {page}}}");
        let run = judged_in_one_file(lines.join("\n").as_bytes());
        let output: Value = serde_json::from_str(&run.stdout).expect("as this test made it");
        assert!(output["sources"][0]["error"].is_string(), "{page}: {}", output["sources"]);
        assert_eq!(output["sources"][0]["age_s"], f64::from(EVERY_S), "{page}: the good one before it is older");
        harmless(&run);
    }
}

#[test]
fn a_recording_that_was_cut_off_is_good_up_to_there() {
    let lines = in_one_file();
    let text = lines.join("\n") + "\n";
    let whole = judged_in_one_file(text.as_bytes());
    assert_eq!(whole.code, Some(0), "{}", whole.stderr);
    let last = text.len() - lines.last().expect("as this test made it").len() - 1;
    // In the middle of a page, and then where even its moment is not known.
    for (cut, failed) in [(last + 100, true), (last + 5, false)] {
        let run = judged_in_one_file(&text.as_bytes()[..cut]);
        let output: Value = serde_json::from_str(&run.stdout).expect("as this test made it");
        assert_eq!(output["sources"][0]["error"].is_string(), failed, "{}", output["sources"]);
        assert_eq!(output["verdict"], "healthy", "{}", output["sentence"]);
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("as this test made it");
    let zipped = encoder.finish().expect("as this test made it");
    for kept in [zipped.len() - 4, zipped.len() / 2] {
        let run = pages(
            |path| {
                fs::create_dir_all(path).expect("as this test made it");
                fs::write(path.join("pages.jsonl.gz"), &zipped[..kept]).expect("as this test made it");
            },
            &["-o", "json"],
        );
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let output: Value = serde_json::from_str(&run.stdout).expect("as this test made it");
        assert_eq!(output["verdict"], "healthy", "{kept} of {}: {}", zipped.len(), output["sentence"]);
    }
}

#[test]
fn a_file_of_pages_that_inflates_to_gigabytes_costs_little_time_and_memory() {
    let member = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("as this test made it");
        encoder.finish().expect("as this test made it")
    };
    let bomb = member(&"x".repeat(16 << 20));
    let blank = member(&(" ".repeat(16 << 20) + "\n"));
    let begins = member(&format!("{}\n{{\"at_ms\": {}, \"page\": \"", in_one_file()[0], FIRST_MS + 5000));
    // A page without end, and as much as a file may hold of nothing.
    for (parts, words) in [
        ([begins, bomb.repeat(4), member("\"}\n")].concat(), None),
        ([bomb.repeat(4), member("\n")].concat(), Some("line 1 does not say when it was")),
        (blank.repeat(80), Some("it holds more than 1024 MB")),
    ] {
        let (_dir, path) = recording(|path| {
            fs::create_dir_all(path).expect("as this test made it");
            fs::write(path.join("pages.jsonl.gz"), parts).expect("as this test made it");
        });
        let (code, stderr, resident) = watched(&path);
        assert!(resident < MOST_RESIDENT, "{resident} bytes");
        assert_eq!(code, Some(if words.is_none() { 5 } else { 2 }), "{stderr}");
        assert!(stderr.contains(words.unwrap_or_default()), "{stderr}");
    }
}

// ---- the judged moment ---------------------------------------------------------------------------------------------

#[test]
fn a_moment_long_after_the_last_page_cannot_be_told_and_says_how_old_it_is() {
    let run = pages(|p| recorded::healthy(p, "lab-model"), &["--at", "+1h", "-o", "json"]);
    assert_eq!(run.code, Some(5));
    let output: Value = serde_json::from_str(&run.stdout).expect("as this test made it");
    assert!(
        output["sentence"].as_str().expect("as this test made it").contains("58 min old"),
        "{}",
        output["sentence"]
    );
    assert_eq!(output["sources"][0]["age_s"], 3480.0);
    assert_eq!(output["window"]["observed_s"], 0.0, "of the last five minutes nothing was seen");
}

#[test]
fn what_comes_after_the_judged_moment_makes_no_difference() {
    let (_dir, path) = recording(|p| recorded::healthy(p, "lab-model"));
    fs::write(path.join("target.json"), "[{\"to_ms\": 1780888500000, \"pod\": \"old\", \"revision\": 41}]")
        .expect("as this test made it");
    let judge = |at: &str| {
        let run = check(["--pages", arg(&path), "--at", at, "-o", "json"]);
        (run.code, run.stdout)
    };
    let ways = ["+45s", "2026-06-08T03:14:52Z", "1780888492000", "1780888492"];
    let before = judge(ways[0]);
    assert_eq!(before.0, Some(0), "{}", before.1);
    // From a moment later on: rubbish, another engine, other gaps, probes and pods.
    let (judged, last) = (FIRST_MS + 45_000, FIRST_MS + 24 * i64::from(EVERY_S) * 1000);
    fs::write(path.join(format!("{}.prom", judged + 1)), "<html>poison</html>\n").expect("as this test made it");
    for i in 1..60 {
        fs::write(path.join(format!("{}.prom", last + i * 60_000)), "llamacpp:tokens_predicted_total 1e9\n")
            .expect("as this test made it");
    }
    fs::write(
        path.join("probes.jsonl"),
        format!("{{\"t_ms\": {}, \"/metrics\": \"connection refused\"}}\n", judged + 2),
    )
    .expect("as this test made it");
    fs::write(
        path.join("target.json"),
        "[{\"from_ms\": 1780888500000, \"pod\": \"new\", \"revision\": 42}, {\"to_ms\": 1780888500000, \"pod\": \"old\", \"revision\": 41}]",
    )
    .expect("as this test made it");
    for way in ways {
        assert_eq!(judge(way), before, "--at {way}");
    }
    assert_ne!(judge("+10m"), before, "the poison works where it is read");
}

// ---- what reaches the reader ---------------------------------------------------------------------------------------

#[test]
fn nothing_that_a_page_says_can_steer_a_terminal_or_break_a_table() {
    // As it is, and as a page would write it; then what Markdown would obey.
    let names = ["a\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}b", "a\\n\\n# heading\\n", "|`x`|<b>|**|[a](b)"];
    for name in names {
        let (dir, _) = recording(|_| {});
        let path = dir.path().join("pod \u{1b}[31m|`evil`\u{7}");
        let mut engine = Vllm::new(name);
        record(
            &path,
            (0..25_u32).map(|i| {
                let late = if i < 12 { 0.01 } else { 3.0 };
                engine.waiting = if i < 12 { 0 } else { i };
                let page = engine.serve(10, late, 0.08, 0.02).page();
                format!("{page}evil\u{1b}[31m{{a=\"\u{1b}c\"}} 1\nvllm:x{{b=\"\u{7}\u{8}\"}} \u{1b}[0m\n")
            }),
        );
        fs::write(path.join("probes.jsonl"), "{\"t_ms\": 1780888448000, \"/metrics\": \"\\u001b[31m gone\"}\n")
            .expect("as this test made it");
        fs::write(path.join("target.json"), "[{\"pod\": \"p\\u001b[31m|`o`\", \"node\": \"\\u0007\"}]")
            .expect("as this test made it");
        // By another way of writing its path it is a second replica.
        let again = dir
            .path()
            .join("..")
            .join(dir.path().file_name().expect("as this test made it"))
            .join("pod \u{1b}[31m|`evil`\u{7}");
        for format in FORMATS {
            let run = check(["--pages", arg(&path), "--pages", arg(&again), "-o", format]);
            assert_eq!(run.code, Some(4), "{}", run.stderr);
            harmless(&run);
            if format == "markdown" {
                is_whole_markdown(&run.stdout);
            }
        }
        fs::write(path.join(format!("{}.prom", FIRST_MS + 999_000)), "evil\u{1b}]0;x\u{7}y 1\nn\u{9b}31m 2\n")
            .expect("as this test made it");
        for format in FORMATS {
            harmless(&check(["--pages", arg(&path), "-o", format]));
        }
        fs::remove_file(path.join("target.json")).expect("as this test made it");
        fs::remove_file(path.join("probes.jsonl")).expect("as this test made it");
        fs::write(path.join("probes.jsonl"), "{\u{1b}[31m}\n").expect("as this test made it");
        refused(&check(["--pages", arg(&path)]), 2, &["probes.jsonl"]);
    }
}

/// Fails where a table's row has not its header's columns, or a code span is not closed on its line.
fn is_whole_markdown(text: &str) {
    let mut columns = None;
    for line in text.lines() {
        assert_eq!(line.matches('`').count() % 2, 0, "a code span is open: {line}");
        assert!(!line.contains("<b>") && !line.contains("[a]"), "{line}");
        assert!(!line.starts_with('#'), "{line}");
        if line.starts_with('|') {
            let here = line.matches('|').count();
            assert_eq!(*columns.get_or_insert(here), here, "another number of columns: {line}");
        } else {
            assert!(!line.contains('|'), "a bar outside of a table: {line}");
            columns = None;
        }
    }
}

#[test]
fn escape_codes_go_only_where_they_are_wanted() {
    let (_dir, path) = recording(|p| recorded::saturated(p, "lab-model"));
    let args = ["check", "--pages", arg(&path)];
    harmless(&run(&mut warroom(args)));
    harmless(&run(warroom(args).env("NO_COLOR", "1")));
    harmless(&run(warroom(args).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1")));
    let forced = run(warroom(args).env("CLICOLOR_FORCE", "1"));
    assert!(forced.stdout.contains("\u{1b}["), "this test can fail");
    harmless(&run(warroom(args).args(["-o", "json"]).env("CLICOLOR_FORCE", "1")));
    harmless(&run(warroom(args).args(["-o", "markdown"]).env("CLICOLOR_FORCE", "1")));
    harmless(&run(warroom(args).args(["--theme", "mono"]).env("NO_COLOR", "1")));
}

#[test]
fn ascii_means_ascii_and_is_the_default_where_the_locale_speaks_nothing_else() {
    let make = |p: &Path| {
        let mut engine = Vllm::new("modèle-日本");
        record(p, (0..25).map(|_| engine.serve(10, 0.000_02, 0.8, 0.02).page()));
    };
    let (_dir, path) = recording(make);
    let args = ["check", "--pages", arg(&path)];
    assert!(!run(&mut warroom(args)).stdout.is_ascii(), "this test can fail");
    assert!(run(warroom(args).arg("--ascii")).stdout.is_ascii());
    assert!(run(warroom(args).env("LANG", "C")).stdout.is_ascii());
}

#[test]
fn no_line_of_the_text_runs_away() {
    let dir = dir();
    let long =
        format!("{}/Llama-3.3-70B-Instruct-quantised-w8a8-with-a-name-that-does-not-end", "meta-llama".repeat(6));
    let paths: Vec<_> = (0..20).map(|i| dir.path().join(format!("prod-use1-{}-{i}", "x".repeat(60)))).collect();
    for (i, path) in paths.iter().enumerate() {
        if i % 2 == 0 { recorded::saturated(path, &long) } else { recorded::healthy(path, "lab-model") }
    }
    let run = check(paths.iter().flat_map(|p| ["--pages", arg(p)]));
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    for line in run.stdout.lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        assert_eq!(line, line.trim_end(), "blanks at its end");
    }
}

#[test]
fn sixty_columns_are_enough() {
    let (_dir, path) = recording(|p| recorded::saturated(p, "lab-model"));
    let sources = || Sources::Recorded { directories: vec![path.clone(), path.clone()], at: None };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("as this test made it");
    let judged =
        runtime.block_on(judge(sources(), Duration::from_mins(5), &Config::default())).expect("as this test made it");
    let theme = Theme::default();
    for (width, most) in [(1, 60), (60, 60), (100, 100), (10_000, 120)] {
        for ascii in [true, false] {
            let text = report::text(&judged, None, Look { theme: &theme, width, ascii });
            let plain = anstream::adapter::strip_str(&text).to_string();
            let longest = plain.lines().max_by_key(|line| line.chars().count()).expect("as this test made it");
            assert!(longest.chars().count() <= most, "{} of {most}: {longest}", longest.chars().count());
        }
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let (_dir, path) = recording(|p| recorded::healthy(p, "lab-model"));
    for format in FORMATS {
        let mut child = warroom(["check", "--pages", arg(&path), "-o", format]).spawn().expect("as this test made it");
        drop(child.stdout.take());
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().expect("as this test made it"), &mut said)
            .expect("as this test made it");
        assert_eq!((wait(&mut child), said.as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_a_failure_in_one_line() {
    let (_dir, path) = recording(|p| recorded::healthy(p, "lab-model"));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("as this test made it");
    let run = run(warroom(["check", "--pages", arg(&path)]).env("RUST_BACKTRACE", "1").stdout(full));
    refused(&run, 1, &["standard output cannot be written", "No space left"]);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}

// ---- live engines --------------------------------------------------------------------------------------------------

#[test]
fn an_engine_that_cannot_be_read_is_said_to_be_so_and_how() {
    let silent = served::silent();
    let redirecting =
        served::bytes("HTTP/1.1 302 Found\r\nlocation: http://elsewhere/login\r\ncontent-length: 0\r\n\r\n");
    let body = "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}";
    let loading = served::bytes(&format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ));
    let html = served::page(|_| "<html>Sign in</html>\n".to_owned());
    let other = served::page(|_| "node_load1 0.5\n".to_owned());
    for (url, state, words) in [
        (served::nobody(), "failed", "connection refused"),
        (silent, "failed", "connected, but no answer within 1000 ms"),
        (redirecting, "failed", "redirected to 'http://elsewhere/login', not followed"),
        (loading, "failed", "HTTP 503: loading its model"),
        (html, "failed", "HTML, not metrics"),
        (other, "failed", "engine not recognised: saw node_load1"),
    ] {
        let run = check(["--engine", &url, "--for", "1s", "-o", "json"]);
        let output: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
        assert_eq!((run.code, output["verdict"].as_str()), (Some(5), Some("cannot_tell")), "{words}");
        let source = &output["sources"][0];
        assert_eq!(source["state"], state, "{words}");
        assert!(source["error"].as_str().expect("as this test made it").contains(words), "{source}");
        assert!(output["sentence"].as_str().expect("as this test made it").contains(words), "{}", output["sentence"]);
        assert!(run.took < Duration::from_secs(8), "{words}: {:?}", run.took);
        if words.contains("loading") {
            assert_eq!(output["findings"][0]["code"], "cold_start");
        }
    }
}

#[test]
fn an_engine_that_serves_gets_its_verdict_live() {
    let engine = Mutex::new(Vllm::new("lab-model"));
    let url = served::page(move |_| engine.lock().expect("as this test made it").serve(10, 0.01, 0.08, 0.02).page());
    let run = check(["--engine", &url, "--for", "3s", "-o", "json"]);
    let output: Value = serde_json::from_str(&run.stdout).expect("as this test made it");
    assert_eq!((run.code, output["verdict"].as_str()), (Some(0), Some("healthy")), "{}", output["sentence"]);
    assert_eq!((&output["sources"][0]["state"], &output["target"]["engine"]), (&"live".into(), &"vllm".into()));
    assert!(output["slo"][0]["count"].as_u64().expect("as this test made it") >= 20);
    assert!(run.took >= Duration::from_secs(3) && run.took < Duration::from_secs(10), "{:?}", run.took);

    let engine = Mutex::new(Vllm::new("lab-model"));
    let url = served::page(move |_| engine.lock().expect("as this test made it").serve(10, 4.0, 0.08, 0.02).page());
    assert_eq!(check(["--engine", &url, "--for", "3s"]).code, Some(4));
}

#[test]
fn a_password_in_a_url_is_used_and_never_shown() {
    let heads = std::sync::Arc::new(Mutex::new(String::new()));
    let seen = std::sync::Arc::clone(&heads);
    let url = served::page(move |head| {
        seen.lock().expect("as this test made it").push_str(&head.to_ascii_lowercase());
        Vllm::new("lab-model").page()
    });
    let with_secrets = |url: &str| url.replace("http://", "http://me:s3cret@") + "?token=hunter2";
    let redirecting = served::bytes(
        "HTTP/1.1 302 Found\r\nlocation: http://me:s3cret@elsewhere/?token=hunter2\r\ncontent-length: 0\r\n\r\n",
    );
    let urls = [with_secrets(&url), with_secrets(&served::nobody()), with_secrets(&redirecting)];
    for url in urls.iter().map(String::as_str).chain(["ftp://me:s3cret@x/", "http://me:s3cret@:99999/?hunter2"]) {
        for format in FORMATS {
            let run = check(["--engine", url, "--for", "500ms", "-o", format]);
            for secret in ["s3cret", "hunter2", "me:"] {
                assert!(!run.stdout.contains(secret), "{format}: {}", run.stdout);
                assert!(!run.stderr.contains(secret), "{format}: {}", run.stderr);
            }
        }
    }
    assert!(
        heads.lock().expect("as this test made it").contains("authorization: basic"),
        "the engine's own is sent to it"
    );
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_a_watch_at_once() {
    let url = served::silent();
    let mut child = warroom(["check", "--engine", &url, "--for", "60s"]).spawn().expect("as this test made it");
    thread::sleep(Duration::from_millis(800));
    let start = warroom::clock::monotonic();
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().expect("as this test made it").success());
    assert_eq!(wait(&mut child), Some(130));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn a_replica_that_is_named_twice_is_a_mistake() {
    let (_dir, path) = recording(|p| recorded::healthy(p, "lab-model"));
    let run = check(["--pages", arg(&path), "--pages", arg(&path)]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("is given twice"), "{}", run.stderr);
    let run = check(["--engine", "http://u:secret@127.0.0.1:1/", "--engine", "http://u:secret@127.0.0.1:1/"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("is given twice") && !run.stderr.contains("secret"), "{}", run.stderr);
}

/// A gauge of the last request supports no quantile and no burn, and it is no green either.
#[test]
fn an_adapter_whose_last_requests_were_late_is_not_healthy() {
    for (ttft, code) in [("14", 3), ("0.1", 0)] {
        let (_dir, path) = recording(|p| {
            fs::create_dir_all(p).expect("as this test made it");
            for i in 0..10_i64 {
                let page =
                    format!("llm_ttft_seconds {ttft}\nllm_queue_depth 0\nllm_tokens_processed_total {}\n", i * 90);
                fs::write(p.join(format!("{}.prom", FIRST_MS + i * 5000)), page).expect("as this test made it");
            }
        });
        let run = check(["--pages", arg(&path)]);
        assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("only the last request's is exported"), "{}", run.stdout);
        assert!(!run.stdout.contains("not_real"), "{}", run.stdout);
    }
}
