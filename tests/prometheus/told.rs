//! Burn rates and alerts of a Prometheus that was named: the real one, and some that lie.

use serde_json::Value;

use crate::server::{Server, is_there};
use crate::{program, served};

const ENGINE: &str = include_str!("../fixtures/pages/vllm-0.32.0-healthy.prom");

/// What `check` says of an engine that is watched for a moment, with what was told beside.
fn checked(prometheus: &str, more: &[&str]) -> Value {
    let engine = served::page(|_| ENGINE.to_owned());
    let args = [&["--engine", &engine, "--for", "4s", "-o", "json", "--prometheus", prometheus], more].concat();
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
