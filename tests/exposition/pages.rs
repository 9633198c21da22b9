//! Pages as real engines wrote them.

use std::path::{Path, PathBuf};

use warroom::decode::exposition::Stats;

use super::collect::{Owned, collect, sample};
use super::invariants;

/// All recorded pages with their names, in order.
pub(crate) fn all() -> Vec<(String, Vec<u8>)> {
    let mut pages: Vec<_> = files("tests/fixtures/pages").into_iter().filter(|(name, _)| name != "README.md").collect();
    pages.sort();
    assert!(!pages.is_empty());
    pages
}

/// Every file of a folder of this repository.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(&folder).expect("a folder of this repository");
    let paths = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file());
    paths
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("a readable file"))
        })
        .collect()
}

#[test]
fn every_line_of_a_real_page_is_a_sample_or_a_comment() {
    for (name, page) in all() {
        let lines = page.split(|&byte| byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#').count();
        let (samples, stats) = collect(&page).expect("a page");
        assert_eq!(samples.len(), lines, "{name}");
        let expected = Stats { samples: lines, wanted: lines, ..Stats::default() };
        assert_eq!(stats, expected, "{name}");
    }
}

#[test]
fn a_real_page_says_what_its_load_was() {
    let find = |page: &str, name: &str| -> Vec<Owned> {
        let (_, bytes) = all().into_iter().find(|(file, _)| file == page).expect("a recorded page");
        let (samples, _) = collect(bytes).expect("a page");
        samples.into_iter().filter(|sample| sample.name == name).collect()
    };
    let vllm = [("engine", "0"), ("model_name", "lab-model")];
    assert_eq!(
        find("vllm-0.32.0-queue.prom", "vllm:num_requests_waiting"),
        [sample("vllm:num_requests_waiting", &vllm, 35.0)],
    );
    assert_eq!(
        find("vllm-0.32.0-preemption.prom", "vllm:num_preemptions_total"),
        [sample("vllm:num_preemptions_total", &vllm, 67.0)],
    );
    assert_eq!(
        find("vllm-0.8.5-v0.prom", "vllm:num_requests_running"),
        [sample("vllm:num_requests_running", &[("model_name", "lab-model")], 2.0)],
    );
    assert_eq!(
        find("llama.cpp-b11434.prom", "llamacpp:requests_processing"),
        [sample("llamacpp:requests_processing", &[], 1.0)],
    );
    assert!(find("sglang-0.5.23-queue.prom", "sglang:fwd_occupancy")[0].value.is_nan());
}

#[test]
fn a_real_page_that_lost_its_last_byte_is_refused() {
    for (name, page) in all() {
        assert!(collect(&page[..page.len() - 1]).is_err(), "{name}");
    }
}

#[test]
fn real_pages_keep_the_invariants() {
    for (_, page) in all() {
        invariants::check(&page);
    }
}

#[test]
fn everything_the_fuzzer_has_kept_keeps_the_invariants() {
    let corpus = files("fuzz/corpus/exposition");
    assert!(corpus.len() >= 40, "the corpus has one file per trap");
    for (_, page) in corpus {
        invariants::check(&page);
    }
}
