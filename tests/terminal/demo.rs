//! The simulated incident, as a stranger sees it: one command, no cluster, no kubeconfig.

use std::path::Path;
use std::time::Duration;
use std::{fs, thread};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

use crate::program::{Start, piped_in};

/// A home in which every way to a kubeconfig leads to a pipe that nobody writes to: who opens it hangs.
fn poisoned() -> (tempfile::TempDir, String, String) {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join(".kube");
    fs::create_dir(&folder).expect("a folder");
    let kubeconfig = folder.join("config");
    mknodat(CWD, &kubeconfig, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (at, named) = (text(home.path()), text(&kubeconfig));
    (home, at, named)
}

#[test]
fn who_reads_a_kubeconfig_would_be_found_out() {
    let (_folder, home, kubeconfig) = poisoned();
    let program = Start::warroom(["deploy/x"]).env("HOME", &home).env("KUBECONFIG", &kubeconfig).start();
    program.until_text("q quit");
    thread::sleep(Duration::from_millis(500));
    assert!(program.seen().parser.screen().alternate_screen(), "it hangs in the pipe, or it would have ended");
    program.key("\x03");
    program.ended().in_order(130);
}

#[test]
fn the_screen_opens_on_the_incident_without_any_kubeconfig() {
    let (_folder, home, kubeconfig) = poisoned();
    let program = Start::warroom(["demo"])
        .env("HOME", &home)
        .env("KUBECONFIG", &kubeconfig)
        .env("TMPDIR", &home)
        .size(120, 36)
        .start();
    // The first frame names it, long before anything is simulated.
    program.until_text("sim-bad-rollout/llm-serving/deploy/vllm-runtime");
    program.until_text("BREACH");
    program.key("p");
    program.until_text("Replicas (");
    program.key("\x03");
    program.ended().in_order(130);
    let left: Vec<_> = fs::read_dir(&home).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("warroom-demo")), "{left:?}");
}

#[test]
fn a_verdict_is_printed_by_the_contract_and_gives_the_exit_code() {
    let (_folder, home, kubeconfig) = poisoned();
    let env = [("HOME", home.as_str()), ("KUBECONFIG", kubeconfig.as_str()), ("TMPDIR", home.as_str())];
    let (code, stdout, stderr) = piped_in(&env, ["demo", "--check", "-o", "json"]);
    let said: Value =
        serde_json::from_str(&stdout).map_err(|error| format!("{error}: {stdout} {stderr}")).expect("JSON");
    assert_eq!((code, said["verdict"].as_str()), (Some(4), Some("breach")), "{}", said["sentence"]);
    assert_eq!(said["schema"], "warroom.check/1");
    assert_eq!(said["target"]["context"], "sim-bad-rollout");
    for list in ["replicas", "revisions", "changes", "gpus"] {
        assert!(said[list].as_array().is_some_and(|list| !list.is_empty()), "no {list}");
    }
}

#[test]
fn the_scenarios_are_named_where_one_is_asked_for_or_mistyped() {
    let (code, stdout, _) = piped_in(&[], ["demo", "--scenario", "list"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("bad-rollout") && stdout.contains("healthy"), "{stdout}");
    let (code, stdout, stderr) = piped_in(&[], ["demo", "--scenario", "bad"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("bad-rollout") && stderr.contains("list"), "{stderr}");
}

#[test]
fn without_a_terminal_it_names_the_command_that_prints() {
    let (code, _, stderr) = piped_in(&[], ["demo"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("warroom demo --check"), "{stderr}");
}

#[test]
fn without_a_kubeconfig_it_says_so_and_names_the_demo() {
    let program = Start::warroom(["deploy/vllm-runtime"]).start();
    let text = program.ended().in_order(2);
    assert!(text.contains("kubeconfig") && text.contains("warroom demo"), "{text}");
}
