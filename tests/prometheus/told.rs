//! Burn rates and alerts of a Prometheus that was named: the real one, and some that lie.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::server::{Server, is_there};
use crate::{program, served};

const ENGINE: &str = include_str!("../fixtures/pages/vllm-0.32.0-healthy.prom");

/// What `check` says of an engine that is watched for a moment, with what was told beside.
fn checked(prometheus: &str, more: &[&str]) -> Value {
    checked_on(&served::page(|_| ENGINE.to_owned()), prometheus, more)
}

/// The same of an engine at a URL.
fn checked_on(engine: &str, prometheus: &str, more: &[&str]) -> Value {
    let args = [&["--engine", engine, "--for", "4s", "-o", "json", "--prometheus", prometheus], more].concat();
    let run = program::check(args);
    let said: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let schema: Value = serde_json::from_str(include_str!("../../assets/schema/check-1.json")).expect("JSON");
    let wrong: Vec<String> =
        jsonschema::validator_for(&schema).expect("a schema").iter_errors(&said).map(|e| e.to_string()).collect();
    assert_eq!(wrong, Vec::<String>::new());
    said
}

fn source(said: &Value) -> Value {
    let sources = said["sources"].as_array().expect("sources");
    sources.iter().find(|s| s["name"] == "prometheus").cloned().unwrap_or_default()
}

#[test]
fn burn_rates_of_three_days_are_those_of_promql_and_the_firing_alert_is_told() {
    if !is_there("burn_rates_of_three_days_are_those_of_promql_and_the_firing_alert_is_told") {
        return;
    }
    let mut server = Server::open();
    server.until_ready();
    let said = checked(&server.url, &["--ttft-target", "0.5"]);
    let row = said["slo"].as_array().expect("objectives").iter().find(|s| s["metric"] == "ttft").expect("TTFT").clone();
    let windows = row["windows"].as_array().expect("windows");
    let names: Vec<&str> =
        windows.iter().filter(|w| w["told"] == true).map(|w| w["window"].as_str().expect("a name")).collect();
    assert_eq!(
        names,
        ["5m", "30m", "1h", "2h", "6h", "24h", "72h"],
        "what was not watched for long enough was told: {row:#}"
    );
    for window in windows {
        let name = window["window"].as_str().expect("a name");
        let family = "vllm:time_to_first_token_seconds";
        let share = server.number(&format!(
            "1 - sum(increase({family}_bucket{{le=\"0.5\"}}[{name}])) / sum(increase({family}_count[{name}]))"
        ));
        let burn = window["burn"].as_f64().expect("a burn rate");
        // Both windows end a moment apart.
        assert!((burn - share / 0.01).abs() <= 0.02 * burn.max(1.0), "{name}: {burn} beside {}", share / 0.01);
        let count = window["count"].as_f64().expect("a count");
        let told = server.number(&format!("sum(increase({family}_count[{name}]))"));
        assert!((count - told).abs() <= 0.03 * told + 130.0, "{name}: {count} beside {told}");
    }
    assert_eq!(row["paging"], true, "50 % late over 5 minutes and an hour");
    let tiers = row["tiers"].as_array().expect("tiers");
    let fires: Vec<&Value> = tiers.iter().map(|t| &t["fires"]).collect();
    assert_eq!(fires, [true, true, true, true].map(Value::from).iter().collect::<Vec<_>>(), "{tiers:#?}");
    let exhausts = row["exhausts_in_s"].as_f64().expect("it burns faster than it is given");
    assert!((exhausts - 30.0 * 86_400.0 / 50.0).abs() < 0.03 * exhausts, "{exhausts}");
    let alerts = said["alerts"].as_array().expect("alerts");
    let names: Vec<&str> = alerts.iter().map(|a| a["name"].as_str().expect("a name")).collect();
    assert!(names.contains(&"TTFTBurnRateHigh") && alerts[0]["firing"] == true, "{alerts:?}");
    assert_eq!(source(&said)["state"], "live");
    // At an objective of 90 % a budget cannot burn 14 times as fast.
    let lax = checked(&server.url, &["--ttft-target", "0.5", "--objective", "0.9"]);
    let tiers = lax["slo"][0]["tiers"].clone();
    assert_eq!(
        (&tiers[0]["reachable"], &tiers[1]["reachable"]),
        (&Value::from(false), &Value::from(true)),
        "{tiers:#}"
    );
}

/// An engine of which every page counts ten requests more, all of them quick.
fn growing() -> String {
    let pages = AtomicU64::new(1);
    served::page(move |_| {
        let n = 10 * pages.fetch_add(1, Ordering::Relaxed);
        let mut page =
            "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{model_name=\"lab-model\"} 1\n"
                .to_owned();
        for (family, tenths) in [("time_to_first_token", 3), ("request_queue_time", 2), ("request_prefill_time", 1)] {
            let _ = write!(
                page,
                "# TYPE vllm:{family}_seconds histogram\n\
                 vllm:{family}_seconds_bucket{{le=\"0.5\",model_name=\"lab-model\"}} {n}\n\
                 vllm:{family}_seconds_bucket{{le=\"+Inf\",model_name=\"lab-model\"}} {n}\n\
                 vllm:{family}_seconds_sum{{model_name=\"lab-model\"}} {}\n\
                 vllm:{family}_seconds_count{{model_name=\"lab-model\"}} {n}\n",
                (n * tenths) as f64 / 10.0
            );
        }
        page
    })
}

#[test]
fn what_was_before_is_the_last_healthy_hour_that_prometheus_tells_with_its_window_and_its_count() {
    if !is_there("what_was_before_is_the_last_healthy_hour_that_prometheus_tells_with_its_window_and_its_count") {
        return;
    }
    let mut server = Server::open();
    server.until_ready();
    // At 90 % a share of 2 % late is healthy, and half of them late in the last hour is not.
    let said = checked_on(&growing(), &server.url, &["--ttft-target", "0.5", "--objective", "0.9"]);
    let phase = |name: &str| {
        let rows = said["phases"].as_array().expect("phases");
        rows.iter().find(|r| r["phase"] == name).cloned().expect(name)
    };
    let queue = phase("queue");
    assert_eq!(queue["baseline_from"], "prometheus", "{queue:#}");
    let between: Vec<jiff::Timestamp> = queue["baseline_between"]
        .as_array()
        .expect("a window")
        .iter()
        .map(|at| at.as_str().expect("a time").parse().expect("a time"))
        .collect();
    let (from, to) = (between[0].as_second(), between[1].as_second());
    let ago = warroom::clock::unix_ms() / 1000 - to;
    assert_eq!(to - from, 3600, "an hour");
    assert!((3600 - 60..3600 + 900).contains(&ago), "right before the last hour, and not {ago} s ago");
    let family = "vllm:request_queue_time_seconds";
    let count = server.number(&format!("sum(increase({family}_count[1h] @ {to}))"));
    let mean = server.number(&format!("sum(increase({family}_sum[1h] @ {to}))")) / count;
    let told = queue["baseline"].as_f64().expect("a mean");
    assert!((told - mean).abs() <= 0.02 * mean && (mean - 0.2).abs() < 0.01, "{told} beside {mean}");
    let counted = queue["baseline_count"].as_f64().expect("a count");
    assert!((counted - count).abs() <= 0.03 * count, "{counted} beside {count}");
    assert_eq!(phase("prefill")["baseline"], Value::Null, "what it does not tell is not known");
    // Where today was never well it is compared with the same hour of the day before, the part of it that was.
    let strict = checked_on(&growing(), &server.url, &["--ttft-target", "0.5", "--objective", "0.995"]);
    let rows = strict["phases"].as_array().expect("phases");
    let between = rows.iter().find(|r| r["phase"] == "queue").expect("a queue")["baseline_between"].clone();
    let to: jiff::Timestamp = between[1].as_str().expect("a time").parse().expect("a time");
    let ago = warroom::clock::unix_ms() / 1000 - to.as_second();
    assert!((86_400 - 300..86_400 + 900).contains(&ago), "a day, and not {ago} s ago");
}

#[test]
fn a_server_that_lies_or_hangs_leaves_long_windows_unknown_and_everything_else_as_it_is() {
    for (answer, says) in [
        ("<html>", "no JSON"),
        (r#"{"status":"error","error":"query timed out in expression evaluation"}"#, "timed out"),
        (r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, "no vector"),
    ] {
        let lies = served::page(move |_| answer.to_owned());
        let said = checked(lies.trim_end_matches("/metrics"), &[]);
        let row = source(&said);
        assert_eq!(row["state"], "failed", "{row}");
        assert!(row["error"].as_str().is_some_and(|e| e.contains(says)), "{row}");
        assert_eq!(said["slo"][0]["paging"], Value::Null);
    }
    let nobody = served::nobody();
    let said = checked(nobody.trim_end_matches("/metrics"), &[]);
    assert!(source(&said)["error"].as_str().is_some_and(|e| e.contains("refused")), "{}", source(&said));
    let said = checked("monitoring/prometheus:9090", &[]);
    assert!(source(&said)["error"].as_str().is_some_and(|e| e.contains("give a URL")), "{}", source(&said));
    let run = program::check(["--engine", "http://127.0.0.1:1/metrics", "--prometheus", "http://me:s3cret@x"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("user or a password") && !run.stderr.contains("s3cret"), "{}", run.stderr);
}

#[test]
fn a_server_that_knows_nothing_of_this_engine_is_no_failure_and_says_so() {
    let empty = served::page(|_| r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#.to_owned());
    let said = checked(empty.trim_end_matches("/metrics"), &[]);
    let row = source(&said);
    assert_eq!(row["state"], "live");
    assert!(row["error"].as_str().is_some_and(|e| e.contains("no series of this engine")), "{row}");
    let told = said["slo"][0]["windows"].as_array().expect("windows").iter().any(|w| w["told"] == true);
    assert!(!told, "nothing was told");
}
