//! Real incidents, recorded: what was done to the engine is known, and the diagnosis must find it.

#[path = "support/incident.rs"]
mod incident;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use incident::{capture, codes, policy, suspect};
use serde_json::json;
use warroom::diagnosis::{Diagnosis, Metric, Policy, diagnose};
use warroom::dialect::Catalogue;
use warroom::domain::{Action, At, Mechanism, Phase, RowStatus, Snapshot, Trend, Verdict};
use warroom::source::engine::Decoder;
use warroom::source::pages::Recording;

/// A recorded incident, and how it is to be judged.
struct Judge {
    recording: Recording,
    decoder: Decoder,
    policy: Policy,
}

impl Judge {
    /// By a TTFT of 1 s and a TPOT of 100 ms.
    fn of(name: &str) -> Self {
        Self::with(name, 1.0, 0.1)
    }

    /// By other targets.
    fn with(name: &str, ttft_s: f64, tpot_s: f64) -> Self {
        Self::lying_in(&capture(name), ttft_s, tpot_s)
    }

    fn lying_in(directory: &Path, ttft_s: f64, tpot_s: f64) -> Self {
        let decoder = Decoder::new(Arc::new(Catalogue::embedded(&[]).expect("the dialects load")));
        let recording = Recording::open(directory).expect("the capture is there");
        Self { recording, decoder, policy: policy(ttft_s, tpot_s) }
    }

    /// The length of the recording in seconds.
    fn length(&self) -> f64 {
        let (first, last) = (self.recording.first(), self.recording.last_page());
        last.zip(first).map_or(0.0, |(last, first)| last.since(first))
    }

    /// The diagnosis `seconds` after the first page.
    fn at(&self, seconds: f64) -> Diagnosis {
        self.on(self.recording.first().expect("there is a page").plus(seconds))
    }

    /// The diagnosis as of the last page.
    fn end(&self) -> Diagnosis {
        self.on(self.recording.last_page().expect("there is a page"))
    }

    /// The diagnosis as of `now`; nothing later is read.
    fn on(&self, now: At) -> Diagnosis {
        let interval_s = self.recording.interval_s(now).unwrap_or(5.0);
        let endpoints = vec![self.recording.read(now, &self.decoder)];
        diagnose(&Snapshot { now, interval_s, endpoints, ..Snapshot::default() }, &self.policy)
    }
}

/// A capture's pages in one file, with what lies beside them. `split` gzip members are what a recorder that appends leaves;
/// none is no compression.
fn in_one_file(name: &str, split: usize) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let mut pages = Vec::new();
    for entry in fs::read_dir(capture(name)).expect("the capture is there") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        if let Some(ms) = file.strip_suffix(".prom.gz") {
            let mut page = String::new();
            MultiGzDecoder::new(fs::File::open(&path).expect("a page")).read_to_string(&mut page).expect("text");
            pages.push((ms.parse::<i64>().expect("a moment"), page));
        } else {
            fs::copy(&path, directory.path().join(file)).expect("a copy");
        }
    }
    pages.sort();
    let lines: Vec<String> =
        pages.iter().map(|(at_ms, page)| format!("{}\n", json!({"at_ms": at_ms, "page": page}))).collect();
    if split == 0 {
        fs::write(directory.path().join("pages.jsonl"), lines.concat()).expect("written");
        return directory;
    }
    let mut file = fs::File::create(directory.path().join("pages.jsonl.gz")).expect("a file");
    for part in lines.chunks(lines.len().div_ceil(split)) {
        let mut member = GzEncoder::new(&mut file, Compression::fast());
        member.write_all(part.concat().as_bytes()).and_then(|()| member.try_finish()).expect("written");
    }
    directory
}

fn healthy(name: &str) {
    let d = Judge::of(name).end();
    assert_eq!(d.verdict, Verdict::Healthy, "{name}: {}", d.sentence);
    assert!(d.findings.is_empty(), "{name} blames {:?}", codes(&d));
    assert!(d.suspect.is_none() && d.levers.is_empty() && d.since.is_none());
}

#[test]
fn without_traffic_it_is_idle_and_a_stall_is_not_excluded() {
    let d = Judge::of("a_idle").end();
    assert_eq!(d.verdict, Verdict::Idle);
    assert!(d.sentence.contains("cannot be excluded"), "{}", d.sentence);
    assert!(codes(&d).is_empty());
}

#[test]
fn light_load_is_healthy_on_every_engine() {
    for name in ["b_light", "v085_v0_b_light", "sgl_b_light", "l_prefix_cache", "l_prefix_cache_again"] {
        healthy(name);
    }
}

#[test]
fn nothing_is_blamed_at_any_moment_of_a_healthy_hour() {
    for name in ["b_light", "v085_v0_b_light", "sgl_b_light", "llama_b_light", "a_idle"] {
        let judge = Judge::of(name);
        let mut at = 0.0;
        while at < judge.length() {
            let d = judge.at(at);
            // Of one page nothing can be told, and that is no blame either.
            let one_page = d.verdict == Verdict::CannotTell && d.sentence.contains("one page");
            let fine = one_page || matches!(d.verdict, Verdict::Healthy | Verdict::Idle);
            assert!(fine, "{name} at {at}: {}", d.sentence);
            assert!(d.findings.is_empty(), "{name} at {at} blames {:?}", codes(&d));
            at += 3.0;
        }
    }
}

#[test]
fn llamacpp_is_healthy_on_what_it_measures_and_says_that_ttft_is_not_measured() {
    healthy("llama_b_light");
    let d = Judge::of("llama_b_light").end();
    assert!(d.sentence.contains("TTFT is not measured"), "{}", d.sentence);
    let ttft = d.slo.iter().find(|s| s.metric == Metric::Ttft).unwrap();
    assert_eq!((ttft.status, ttft.count, ttft.bad), (RowStatus::Unknown, None, None));
    // 2.11162 s for 2686 tokens, by the last page.
    let decode = d.phases.iter().find(|p| p.phase == Phase::Decode).unwrap();
    assert!(decode.mean.is_some_and(|m| (m - 2.111_62 / 2686.0).abs() < 1e-9), "{decode:?}");
    assert_eq!(decode.unit, "s/token");
}

/// Without a count of requests no share of late ones can be given: a queue that stood is a warning, and not a breach.
#[test]
fn llamacpps_queue_is_a_warning_with_its_slots_named() {
    let d = Judge::of("llama_c_queue").end();
    assert_eq!((d.verdict, d.trend), (Verdict::Warning, Some(Trend::Over)), "{}", d.sentence);
    assert_eq!(suspect(&d), "queue/queue_saturation/max_num_seqs_bound");
    let flag = d.levers.iter().find(|l| l.action == Action::SetEngineFlags).unwrap();
    assert!(flag.why.contains("-np"), "{}", flag.why);
    let long = Judge::of("llama_d_long_prompts").end();
    assert_eq!(long.verdict, Verdict::Warning);
    assert_eq!(suspect(&long), "queue/queue_saturation/prompt_length_shift");
    let stall = Judge::of("llama_h_stall");
    assert_eq!(stall.at(45.0).verdict, Verdict::Stalled);
    assert_eq!(suspect(&stall.end()), "rest/engine_stalled/none_found");
}

#[test]
fn a_saturated_queue_is_found_while_it_grows_and_known_to_be_over_afterwards() {
    let judge = Judge::of("c_queue_saturation");
    let end = judge.end();
    assert_eq!((end.verdict, end.trend), (Verdict::Breach, Some(Trend::Over)), "{}", end.sentence);
    let found = suspect(&end);
    assert!(
        ["queue/queue_saturation/max_num_seqs_bound", "queue/queue_saturation/traffic_surge"].contains(&found.as_str()),
        "{found}"
    );
    assert!(codes(&end).contains(&"max_num_seqs_bound"), "the flag that bounds it is named too: {:?}", codes(&end));
    assert!(end.until.is_some());
    let during = judge.at(60.0);
    assert!(matches!(during.trend, Some(Trend::Rising | Trend::Steady)), "{:?}", during.trend);
    assert_eq!(suspect(&during).split('/').take(2).collect::<Vec<_>>(), ["queue", "queue_saturation"]);
    // The load came 25 s after the first page.
    let since = during.since.unwrap().since(during.from);
    assert!((20.0..=30.0).contains(&since), "since {since}");
}

#[test]
fn preemptions_make_it_the_kv_cache_and_not_a_mere_queue() {
    let d = Judge::of("f_kv_preempt").end();
    assert_eq!(d.verdict, Verdict::Breach);
    assert!(suspect(&d).starts_with("queue/kv_cache_pressure/"), "{}", suspect(&d));
    let tpot = d.slo.iter().find(|s| s.metric == Metric::Tpot).unwrap();
    assert_eq!(tpot.status, RowStatus::Ok, "0.4 % of tokens were late, within the budget: {:?}", tpot.bad_share());
    // By finished request it is another number, 2.6 %, and it is shown and not judged.
    let by_request = tpot.per_request.as_ref().unwrap();
    assert_eq!((by_request.bad, by_request.count), (3.0, 114.0));
}

#[test]
fn sglang_says_its_queue_although_its_health_probes_stand_in_it() {
    let d = Judge::of("sgl_c_queue_saturation").end();
    assert_eq!(d.verdict, Verdict::Breach);
    assert!(suspect(&d).starts_with("queue/queue_saturation/"), "{}", suspect(&d));
    // By its own count of 158 it would be 7.8 s; 22 of those were probes that waited for nothing.
    let queue = d.phases.iter().find(|p| p.phase == Phase::Queue).unwrap();
    assert!(queue.mean.is_some_and(|m| (9.7..9.9).contains(&m)), "{:?}", queue.mean);
}

/// At no second of a queue does the lag of the phase histograms make the front end look guilty.
#[test]
fn at_no_second_of_a_queue_is_the_front_end_named() {
    for name in ["c_queue_saturation", "f_kv_preempt"] {
        let judge = Judge::of(name);
        let mut at = 0.0;
        let mut first_breach = None;
        while at <= judge.length() {
            let d = judge.at(at);
            for code in codes(&d) {
                let of_the_rest = Mechanism::ALL.iter().any(|m| m.phase() == Phase::Rest && m.code() == code);
                assert!(!of_the_rest, "{name} at {at} names {code}");
            }
            if d.verdict == Verdict::Breach {
                first_breach.get_or_insert(at);
                assert!(suspect(&d).starts_with("queue/"), "{name} at {at}: {}", suspect(&d));
            } else {
                assert!(first_breach.is_none(), "{name} at {at}: once broken it stays so in the window");
                assert!(at < 30.0, "{name} at {at}: {}", d.sentence);
            }
            at += 1.0;
        }
    }
}

#[test]
fn a_process_that_refuses_is_loading_or_crashed_and_nobody_can_tell_which_until_it_answers() {
    let judge = Judge::of("start_base");
    let before = judge.at(-10.0);
    assert_eq!(before.verdict, Verdict::CannotTell);
    assert!(before.sentence.contains("loading or crashed"), "{}", before.sentence);
    assert_eq!(judge.end().verdict, Verdict::Idle);
}

#[test]
fn means_agree_with_what_the_clients_measured() {
    // Server time starts when the front end has read the request: on a busy machine clients measure a little more.
    for (name, tolerance) in [("c_queue_saturation", 0.10), ("f_kv_preempt", 0.05), ("sgl_c_queue_saturation", 0.05)] {
        let text = std::fs::read_to_string(capture(name).join("requests.jsonl")).unwrap();
        let requests: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let ttft: Vec<f64> = requests.iter().filter_map(|r| r["ttft_s"].as_f64()).collect();
        let client = ttft.iter().sum::<f64>() / ttft.len() as f64;
        let d = Judge::of(name).end();
        let server = d.ttft_mean.0.unwrap();
        assert!((server - client).abs() <= tolerance * client, "{name}: server {server}, clients {client}");
        let counted = d.slo.iter().find(|s| s.metric == Metric::Ttft).and_then(|s| s.count);
        assert_eq!(counted, Some(ttft.len() as f64), "{name}");
        let (gaps, ms) = requests.iter().fold((0.0, 0.0), |(n, ms), r| {
            (n + r["gaps"].as_f64().unwrap_or(0.0), ms + r["gaps_ms"].as_f64().unwrap_or(0.0))
        });
        let itl = d.slo.iter().find(|s| s.metric == Metric::Tpot).and_then(|s| s.mean_s).unwrap();
        assert!((itl - ms / gaps / 1000.0).abs() <= 0.06 * itl, "{name}: server {itl}, clients {}", ms / gaps / 1000.0);
    }
}

#[test]
fn means_add_up_within_one_cohort() {
    for name in ["b_light", "v085_v0_b_light", "sgl_b_light", "c_queue_saturation", "f_kv_preempt", "e_decode_bound"] {
        let d = Judge::of(name).end();
        let of = |phase| d.phases.iter().find(|p| p.phase == phase).and_then(|p| p.mean).unwrap();
        let sum = of(Phase::Queue) + of(Phase::Prefill) + of(Phase::Rest);
        assert!((sum - d.ttft_mean.0.unwrap()).abs() < 1e-9, "{name}");
    }
}

#[test]
fn an_engine_that_stops_while_idle_is_betrayed_by_the_connections_that_pile_up() {
    let judge = Judge::of("h_stall_engine_only");
    let during = judge.at(50.0);
    assert_eq!((during.verdict, suspect(&during).as_str()), (Verdict::Stalled, "rest/engine_stalled/none_found"));
    let end = judge.end();
    assert_eq!((end.verdict, end.trend), (Verdict::Breach, Some(Trend::Over)));
    assert_eq!(suspect(&end), "rest/engine_stalled/none_found");
    assert!(!codes(&end).contains(&"frontend_starved"), "a stall is no slow front end");
    let since = end.since.unwrap().since(end.from);
    assert!((30.0..=40.0).contains(&since), "it began with the silence, not with the late tokens: {since}");
}

#[test]
fn an_engine_that_stops_while_generating_is_stalled_and_stays_so_in_the_window() {
    let judge = Judge::of("h_stall_engine_busy");
    for at in [46.0, 50.0] {
        assert_eq!(judge.at(at).verdict, Verdict::Stalled, "at {at}");
    }
    let end = judge.end();
    assert_eq!((end.verdict, end.trend), (Verdict::Stalled, Some(Trend::Over)));
    assert_eq!(suspect(&end), "rest/engine_stalled/none_found");
}

#[test]
fn a_process_that_accepts_and_does_not_answer_is_stalled_and_never_green() {
    let judge = Judge::of("h_stall_all");
    let during = judge.at(50.0);
    assert_eq!((during.verdict, suspect(&during).as_str()), (Verdict::Stalled, "rest/engine_stalled/none_found"));
    let end = judge.end();
    assert_eq!((end.verdict, end.trend), (Verdict::Stalled, Some(Trend::Over)), "{}", end.sentence);
}

#[test]
fn long_prompts_in_front_of_short_ones_are_head_of_line_blocking() {
    let d = Judge::of("d_hol_chunked").end();
    assert_eq!(d.verdict, Verdict::Breach);
    assert_eq!(suspect(&d), "prefill/prefill_head_of_line/prompt_length_shift");
    // Without chunks nothing ever shows in the queue: the loop is inside one long step, and the time is in the rest.
    let unchunked = Judge::with("d_hol_unchunked", 0.5, 0.1).end();
    assert_eq!(unchunked.verdict, Verdict::Breach);
    assert_eq!(suspect(&unchunked), "prefill/prefill_head_of_line/prompt_length_shift");
    assert!(!codes(&unchunked).contains(&"frontend_starved"));
}

#[test]
fn prompts_that_are_all_longer_are_more_work_and_not_a_slower_engine() {
    let d = Judge::of("n_mixed").end();
    assert_eq!(d.verdict, Verdict::Breach);
    assert_eq!(suspect(&d), "prefill/prefill_work/prompt_length_shift");
}

#[test]
fn a_batch_that_grew_makes_tokens_slow_and_leaves_the_first_one_alone() {
    let d = Judge::with("e_decode_bound", 5.0, 0.05).end();
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert!(suspect(&d).starts_with("decode/batch_contention/"), "{}", suspect(&d));
}

#[test]
fn clients_that_give_up_are_counted_although_no_histogram_sees_them() {
    let d = Judge::of("j_client_timeouts").end();
    assert_eq!(d.verdict, Verdict::Breach);
    assert!(suspect(&d).starts_with("queue/queue_saturation/"), "{}", suspect(&d));
    assert!(codes(&d).contains(&"requests_abandoned"));
    // The clients say 54 of 190.
    assert!(d.requests.abandoned.is_some_and(|n| (50.0..=58.0).contains(&n)), "{:?}", d.requests.abandoned);
}

#[test]
fn requests_that_admission_turned_away_are_late_whatever_the_others_histograms_say() {
    let d = Judge::of("k_admission_reject").end();
    assert_eq!(d.verdict, Verdict::Breach);
    assert!(suspect(&d).starts_with("queue/admission_rejected/"), "{}", suspect(&d));
    assert!(d.since.is_some(), "it has a beginning, although no histogram has it");
    assert_eq!(d.requests.rejected, Some(999.0));
    assert_eq!(d.requests.abandoned, Some(0.0), "a rejection inside a 200 stream is no client that gave up");
}

#[test]
fn a_restart_resets_the_counters_and_is_no_recovery_and_no_drop_in_traffic() {
    let judge = Judge::of("g_restart");
    let during = judge.at(80.0);
    assert_eq!(during.verdict, Verdict::CannotTell, "{}", during.sentence);
    assert!(during.sentence.contains("loading or crashed"), "{}", during.sentence);
    let end = judge.end();
    assert_eq!(end.verdict, Verdict::Warning, "nobody was served for a minute and a half: {}", end.sentence);
    assert_eq!(codes(&end), ["capacity_loss"]);
    let advice = warroom::runbook::advise(&warroom::runbook::rb_6().unwrap(), &end).unwrap();
    assert_eq!(advice.recommended.as_deref(), Some("cold_start"), "an outage is not 'not real'");
    assert!(end.changes.iter().any(|c| c.kind == warroom::diagnosis::ChangeKind::Restart));
    let counted = end.slo.iter().find(|s| s.metric == Metric::Ttft).and_then(|s| s.count).unwrap();
    // Clients got 33 answers, all but the few after the last page.
    assert!((28.0..=33.0).contains(&counted), "{counted}");
}

#[test]
fn a_front_end_without_cpu_is_named_where_the_engine_shows_no_queue() {
    let d = Judge::with("m_frontend_heavy", 0.25, 0.1).end();
    assert_eq!(d.verdict, Verdict::Breach, "{}", d.sentence);
    assert!(suspect(&d).starts_with("rest/frontend_starved/"), "{} {}", suspect(&d), d.sentence);
}

#[test]
fn pages_in_one_file_are_the_same_recording_as_pages_in_files_of_their_own() {
    for (name, split) in [("f_kv_preempt", 1), ("c_queue_saturation", 3), ("g_restart", 0), ("h_stall_engine_only", 7)]
    {
        let directory = in_one_file(name, split);
        let (files, one) = (Judge::of(name), Judge::lying_in(directory.path(), 1.0, 0.1));
        let moments = |j: &Judge| {
            let r = &j.recording;
            (r.first(), r.earliest(), r.last(), r.last_page(), r.interval_s(At(i64::MAX)))
        };
        assert_eq!(moments(&files), moments(&one), "{name}");
        // Where the pages lie differs, and so do the lines that show them.
        let told = |j: &Judge, after: f64, pages: &str| {
            format!("{:#?}", j.at(after)).replace(pages, "pages").replace(j.recording.name(), "here")
        };
        let (in_files, in_one) = (
            format!("zcat -f {}/*.prom*", capture(name).display()),
            format!("zcat -f {}/pages.jsonl* | jq -r .page", directory.path().display()),
        );
        for after in [0.0, 21.0, 45.0, files.length()] {
            assert_eq!(told(&files, after, &in_files), told(&one, after, &in_one), "{name} after {after} s");
        }
    }
}

#[test]
fn a_recording_may_go_on_in_the_other_form_and_a_file_of_its_own_speaks_for_its_moment() {
    let directory = in_one_file("f_kv_preempt", 1);
    let whole = Judge::of("f_kv_preempt");
    let mut moved = 0;
    for entry in fs::read_dir(capture("f_kv_preempt")).expect("the capture is there") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "gz") && moved < 5 {
            fs::copy(&path, directory.path().join(path.file_name().expect("a name"))).expect("a copy");
            moved += 1;
        }
    }
    let both = Judge::lying_in(directory.path(), 1.0, 0.1);
    assert_eq!(moved, 5);
    assert_eq!(both.recording.interval_s(At(i64::MAX)), whole.recording.interval_s(At(i64::MAX)));
    let pages = |j: &Judge| {
        let until = j.recording.last().expect("a page");
        format!("{:?}", j.recording.read(until, &j.decoder).tracks)
    };
    assert_eq!(pages(&both), pages(&whole));
}
