//! Several replicas: recorded engines put side by side, as if they had been one workload.

#[path = "support/incident.rs"]
mod incident;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use incident::{capture, codes, policy, suspect};
use warroom::diagnosis::{Diagnosis, Metric, diagnose};
use warroom::dialect::Catalogue;
use warroom::domain::{At, Snapshot, Verdict};
use warroom::source::engine::Decoder;
use warroom::source::pages::Recording;

const START: i64 = 1_800_000_000_000;

/// Copies a capture's pages so that the first one stands at [`START`].
fn replica(into: &Path, name: &str, from: &str) -> PathBuf {
    let directory = into.join(name);
    fs::create_dir_all(&directory).expect("a directory");
    let mut pages: Vec<(i64, PathBuf)> = fs::read_dir(capture(from))
        .expect("the capture")
        .map(|entry| entry.expect("a file").path())
        .filter_map(|path| {
            let ms = path.file_name()?.to_str()?.strip_suffix(".prom.gz")?.parse().ok()?;
            Some((ms, path))
        })
        .collect();
    pages.sort();
    let first = pages[0].0;
    for (ms, path) in pages {
        fs::copy(path, directory.join(format!("{}.prom.gz", START + ms - first))).expect("a copy");
    }
    directory
}

fn judged(directories: &[PathBuf], at: f64) -> Diagnosis {
    let decoder = Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("the dialects load")));
    let now = At(START).plus(at);
    let endpoints = directories.iter().map(|d| Recording::open(d).expect("a recording").read(now, &decoder)).collect();
    diagnose(&Snapshot { now, interval_s: 2.0, endpoints, ..Snapshot::default() }, &policy(1.0, 0.1))
}

#[test]
fn one_bad_replica_among_many_is_named_and_the_others_are_not_blamed() {
    let folder = tempfile::tempdir().unwrap();
    let mut directories: Vec<PathBuf> =
        (0..4).map(|i| replica(folder.path(), &format!("pod-{i}"), "b_light")).collect();
    directories.push(replica(folder.path(), "pod-slow", "c_queue_saturation"));
    let d = judged(&directories, 90.0);
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert_eq!(suspect(&d), "queue/queue_saturation/replica_outlier");
    let subject = d.suspect.unwrap().subject.replica.unwrap();
    assert!(subject.ends_with("pod-slow"), "{subject}");
}

#[test]
fn quantiles_come_from_the_summed_buckets_of_all_replicas() {
    let folder = tempfile::tempdir().unwrap();
    let both = [replica(folder.path(), "pod-a", "b_light"), replica(folder.path(), "pod-b", "c_queue_saturation")];
    let (a, b, all) = (judged(&both[..1], 90.0), judged(&both[1..], 90.0), judged(&both, 90.0));
    let ttft = |d: &Diagnosis| d.slo.iter().find(|s| s.metric == Metric::Ttft).unwrap().clone();
    let (a, b, all) = (ttft(&a), ttft(&b), ttft(&all));
    assert_eq!(all.count.unwrap(), a.count.unwrap() + b.count.unwrap());
    assert_eq!(all.bad.unwrap(), a.bad.unwrap() + b.bad.unwrap());
    // Between the two medians, and the mean of neither the medians nor the p95s.
    let p95 = all.p95.unwrap();
    assert_eq!((p95.lower, p95.upper), (10.0, Some(20.0)));
}

#[test]
fn a_replica_that_stopped_answering_stays_as_a_source_and_lends_no_green() {
    let folder = tempfile::tempdir().unwrap();
    let directories =
        [replica(folder.path(), "pod-a", "b_light"), replica(folder.path(), "pod-b", "l_prefix_cache_again")];
    // The second one's last page is older than the first one's.
    let d = judged(&directories, 96.0);
    assert_eq!(d.sources.len(), 2);
    assert!(d.sentence.contains("1 of 2 endpoints"), "{}", d.sentence);
    assert_eq!(d.replicas.len(), 2, "a lost replica stays as a row");
}

#[test]
fn two_models_are_judged_apart_and_the_worse_one_speaks() {
    let folder = tempfile::tempdir().unwrap();
    let good = replica(folder.path(), "pod-a", "b_light");
    let bad = replica(folder.path(), "pod-b", "c_queue_saturation");
    // The same pages under another model's name.
    for entry in fs::read_dir(&good).unwrap() {
        let path = entry.unwrap().path();
        let mut page = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(fs::File::open(&path).unwrap()), &mut page)
            .unwrap();
        fs::write(path.with_extension(""), page.replace("lab-model", "other-model")).unwrap();
        fs::remove_file(path).unwrap();
    }
    let d = judged(&[good, bad], 90.0);
    assert_eq!((d.verdict, d.model.as_deref()), (Verdict::Breach, Some("lab-model")));
    let rows: Vec<_> = d.slo.iter().map(|s| (s.model.clone().unwrap(), s.metric, s.bad)).collect();
    assert!(
        rows.iter().any(|(m, metric, bad)| m == "other-model" && *metric == Metric::Ttft && *bad == Some(0.0)),
        "{rows:?}"
    );
    assert!(codes(&d).contains(&"queue_saturation"));
}

/// A data-parallel page has several engines and says some things once for all of them.
#[test]
fn the_engines_of_one_page_are_replicas_and_their_process_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("pod-a");
    fs::create_dir_all(&directory).expect("a folder");
    for i in 0..20_u32 {
        let mut page = String::from("process_start_time_seconds 1.0\n");
        let labels = "handler=\"/v1/completions\",method=\"POST\",status=\"2xx\"";
        let _ = writeln!(page, "http_requests_total{{{labels}}} {}", i * 4);
        for engine in 0..3 {
            // The third engine is late with everything.
            let (slow, n) = (engine == 2, i * 2);
            let l = format!("engine=\"{engine}\",model_name=\"m\"");
            let sum = if slow { f64::from(n) * 7.0 } else { f64::from(n) * 0.05 };
            let in_time = if slow { 0 } else { n };
            let _ = writeln!(page, "vllm:num_requests_running{{{l}}} 1\nvllm:num_requests_waiting{{{l}}} 0");
            let _ = writeln!(page, "vllm:generation_tokens_total{{{l}}} {}", n * 50);
            let _ = writeln!(page, "vllm:request_success_total{{{l},finished_reason=\"stop\"}} {n}");
            for (le, count) in [("1.0", in_time), ("10.0", n), ("+Inf", n)] {
                let _ = writeln!(page, "vllm:time_to_first_token_seconds_bucket{{{l},le=\"{le}\"}} {count}");
            }
            let _ = writeln!(page, "vllm:time_to_first_token_seconds_sum{{{l}}} {sum}");
            let _ = writeln!(page, "vllm:time_to_first_token_seconds_count{{{l}}} {n}");
        }
        fs::write(directory.join(format!("{}.prom", START + i64::from(i) * 5000)), page).expect("a page");
    }
    let d = judged(&[directory], 95.0);
    let names: Vec<_> = d.replicas.iter().map(|r| r.name.rsplit('/').next().expect("a name").to_owned()).collect();
    assert_eq!(names, ["pod-a engine 0", "pod-a engine 1", "pod-a engine 2"]);
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert!(codes(&d).contains(&"replica_outlier"), "{:?}", codes(&d));
    assert_eq!(d.requests.finished, Some(114.0), "three engines, 38 requests each");
}
