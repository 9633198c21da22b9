//! Pages of other systems that others published: read where they are present, never taken for an engine they are not.

use std::fs;
use std::io::Write as _;

use warroom::domain::Failure;

use super::told::try_read;

/// What a file of this name is, where it is an engine at all. The files are named after their system.
fn expected(file: &str) -> Option<&'static str> {
    [
        ("vllm", "vllm"),
        ("sglang", "sglang"),
        ("llama.cpp", "llamacpp"),
        ("tgi", "tgi"),
        ("nvidia-nim", "nim"),
        ("triton", "triton"),
    ]
    .into_iter()
    .find(|(word, _)| file.contains(word))
    .map(|(_, engine)| engine)
}

/// What a file of this name is, where it is no engine and known all the same.
fn beside(file: &str) -> bool {
    ["envoy", "istio", "dcgm", "kong", "nginx", "epp", "nvidia_gpu_exporter"].iter().any(|system| file.contains(system))
}

#[test]
fn public_pages_are_recognised_for_what_they_are_and_for_nothing_else() {
    let Some(directory) = std::env::var_os("WARROOM_PUBLIC_PAGES") else {
        // Straight to the stream: what the macros print is swallowed where a test passes, and a skip is to be seen.
        let name = "public_pages_are_recognised_for_what_they_are_and_for_nothing_else";
        let _ = writeln!(std::io::stderr(), "skipped: {name} (WARROOM_PUBLIC_PAGES names no directory)");
        return;
    };
    let mut read = 0;
    for entry in fs::read_dir(&directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.extension().is_none_or(|e| e != "prom") {
            continue;
        }
        let mut page = fs::read(&path).expect("a readable file");
        if page.last() != Some(&b'\n') {
            // Published without its last line break; an answer that ended so would have been cut.
            page.push(b'\n');
        }
        match (try_read(page), expected(&name)) {
            (Ok(page), Some(engine)) => assert_eq!(page.system.engine, engine, "{name}"),
            (Err(Failure::NotRecognised(saw)), None) => assert!(!saw.is_empty(), "{name}"),
            (Err(Failure::Other(why)), None) if beside(&name) => assert!(why.contains("no engine"), "{name}: {why}"),
            (outcome, expected) => panic!("{name}: expected {expected:?}, got {outcome:?}"),
        }
        read += 1;
    }
    assert!(read > 0, "no pages in {}", directory.display());
}
