//! The machine contract: what `check -o json` prints is what `assets/schema/check-1.json` and its promises say.

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/recorded.rs"]
mod recorded;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};
use warroom::domain::{
    Action, BaselineKind, Cause, Confidence, Helps, Mechanism, Phase, RowStatus, Severity, SourceState, Trend, Verdict,
};

fn schema() -> Value {
    serde_json::from_str(include_str!("../assets/schema/check-1.json")).expect("the schema is JSON")
}

fn validator() -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(&schema()).expect("a valid schema")
}

/// What is wrong with `output`, one line each.
fn errors(output: &Value) -> Vec<String> {
    validator().iter_errors(output).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// Runs `check -o json` and holds what it prints to the contract.
fn checked(args: &[&str]) -> Value {
    let run = program::check(["-o", "json"].iter().chain(args));
    let output = serde_json::from_str(&run.stdout);
    assert!(output.is_ok(), "{args:?}: {:?}:\n{}\n{}", output.err(), run.stdout, run.stderr);
    let output: Value = output.unwrap_or_default();
    assert!(output.is_object() && run.stdout.ends_with("}\n"), "{args:?}: one object and a line break");
    assert_eq!(errors(&output), [""; 0], "{args:?}");
    promises(&output);
    let code = match word(&output["verdict"]) {
        "healthy" | "idle" => 0,
        "warning" => 3,
        "breach" | "stalled" => 4,
        _ => 5,
    };
    assert_eq!(run.code, Some(code), "{args:?}: {}", run.stderr);
    output
}

fn word(value: &Value) -> &str {
    value.as_str().expect("a word")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// What a schema cannot say.
fn promises(output: &Value) {
    let phases: BTreeSet<&str> = list(&output["phases"]).iter().map(|p| word(&p["phase"])).collect();
    assert_eq!(phases, Phase::ALL.iter().map(|p| p.code()).collect(), "always the seven");

    let moment = |v: &Value| v.as_str().map(|t| t.parse::<jiff::Timestamp>().expect("RFC 3339"));
    let (from, to) = (moment(&output["window"]["from"]), moment(&output["window"]["to"]));
    assert!(from <= to && to == moment(&output["at"]), "the window ends at the judged moment");
    assert!(moment(&output["since"]).is_none_or(|since| Some(since) <= to));
    assert!(number(&output["window"]["observed_s"]) <= number(&output["window"]["requested_s"]));

    list(&output["slo"]).iter().for_each(objective);
    let named =
        |kind: &str, code: &Value| list(&output["findings"]).iter().any(|f| f["kind"] == kind && f["code"] == *code);
    if let Some(suspect) = output["suspect"].as_object() {
        assert!(named("mechanism", &suspect["mechanism"]), "the suspect stands among the findings");
        let cause = &suspect["cause"];
        assert!(cause.is_null() || cause == "none_found" || named("cause", cause), "and so does its cause");
    }
    for evidence in list(&output["findings"]).iter().flat_map(|f| list(&f["evidence"])) {
        if evidence["unit"] == "ratio" {
            assert!((0.0..=1.0).contains(&number(&evidence["value"])), "{evidence}");
        }
    }
}

/// What is unknown of an objective is null, and what is known fits together.
fn objective(slo: &Value) {
    if slo["count"].is_null() {
        for unknown in ["bad", "bad_at_most", "p50_s", "p95_s", "p99_s", "paging"] {
            assert!(slo[unknown].is_null(), "no events were counted, and {unknown} is {}", slo[unknown]);
        }
    }
    if let (Some(bad), Some(most), Some(count)) =
        (slo["bad"].as_u64(), slo["bad_at_most"].as_u64(), slo["count"].as_u64())
    {
        assert!(bad <= most && most <= count, "{slo}");
    }
    for q in ["p50_s", "p95_s", "p99_s"] {
        if let (Some(estimate), Some(lower)) = (slo[q]["estimate"].as_f64(), slo[q]["lower"].as_f64()) {
            assert!(lower <= estimate && slo[q]["upper"].as_f64().is_none_or(|upper| estimate <= upper), "{slo}");
        }
    }
}

fn phase<'o>(output: &'o Value, name: &str) -> &'o Value {
    list(&output["phases"]).iter().find(|p| p["phase"] == name).expect("always all seven")
}

fn finds(output: &Value, code: &str) -> bool {
    list(&output["findings"]).iter().any(|f| f["code"] == code)
}

/// A directory of its own for one recording, and its name as an argument.
struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn arg(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_healthy_engine_keeps_the_contract() {
    let (dir, name) = (Directory::new(), "healthy");
    recorded::healthy(&dir.path(name), "lab-model");
    let output = checked(&["--pages", arg(&dir.path(name))]);
    assert_eq!(
        (&output["verdict"], &output["trend"], &output["suspect"]),
        (&json!("healthy"), &json!(null), &json!(null))
    );
    assert_eq!(output["at"], "2026-06-08T03:16:07Z");
    assert_eq!(
        output["window"],
        json!({"requested_s": 300.0, "observed_s": 120.0,
        "from": "2026-06-08T03:14:07Z", "to": "2026-06-08T03:16:07Z"})
    );
    assert_eq!((&output["target"]["engine"], &output["target"]["model"]), (&json!("vllm"), &json!("lab-model")));
    assert_eq!(output["slo"][0]["count"], 240);
    assert_eq!(output["slo"][0]["bad"], 0, "counted, and none of them: this 0 is a fact");
    assert_eq!(output["requests"]["finished"], 240);
    assert_eq!(output["requests"]["errors"], json!(null), "the page does not count them");
    assert_eq!(output["replicas"][0]["node"], json!(null));
}

#[test]
fn a_saturated_queue_keeps_the_contract_and_is_found() {
    let (dir, name) = (Directory::new(), "queue");
    recorded::saturated(&dir.path(name), "lab-model");
    let output = checked(&["--pages", arg(&dir.path(name))]);
    assert_eq!(output["verdict"], "breach");
    assert_eq!(output["suspect"]["phase"], "queue");
    assert_eq!(output["suspect"]["mechanism"], "queue_saturation");
    assert!(finds(&output, "queue_saturation"), "{output}");
    assert!(phase(&output, "queue")["share_of_added"].as_f64().unwrap() > 0.9);
    assert!(output["since"].is_string());
}

#[test]
fn two_replicas_keep_the_contract_and_are_added() {
    let dir = Directory::new();
    recorded::healthy(&dir.path("a"), "lab-model");
    recorded::saturated(&dir.path("b"), "lab-model");
    let output = checked(&["--pages", arg(&dir.path("a")), "--pages", arg(&dir.path("b"))]);
    assert_eq!(output["slo"][0]["count"], 480);
    assert_eq!(output["replicas"].as_array().unwrap().len(), 2);
    assert_eq!(output["sources"].as_array().unwrap().len(), 2);
}

#[test]
fn a_route_whose_tokens_are_slow_at_the_gateway_is_an_objective_of_its_own_and_counts_requests() {
    let judged = |slow_s: f64| {
        let dir = Directory::new();
        recorded::healthy(&dir.path("engine"), "lab-model");
        recorded::routes(&dir.path("gateway"), "lab-model", ("batch", slow_s), ("chat", 0.02));
        checked(&["--pages", arg(&dir.path("engine")), "--pages", arg(&dir.path("gateway"))])
    };
    let of = |output: &Value, route: &Value| -> Vec<Value> {
        list(&output["slo"]).iter().filter(|s| s["metric"] == "tpot" && s["route"] == *route).cloned().collect()
    };
    for (slow_s, status, bad) in [(0.12, "breach", 96), (0.02, "ok", 0)] {
        let output = judged(slow_s);
        let [batch, chat] = ["batch", "chat"].map(|route| of(&output, &json!(route)).pop().expect("a row"));
        assert_eq!((&batch["status"], &batch["bad"], &batch["count"]), (&json!(status), &json!(bad), &json!(96)));
        assert_eq!((&chat["status"], &chat["bad"], &chat["count"]), (&json!("ok"), &json!(0), &json!(384)));
        assert_eq!(batch["events"], "requests");
        assert_eq!(batch["series"], "agentgateway_gen_ai_server_time_per_output_token");
        assert_eq!(batch["model"], "lab-model");
        // The engine's own row counts tokens, and what the gateway saw of the same is not added to it.
        let whole = of(&output, &json!(null));
        assert_eq!(whole.len(), 1);
        assert_eq!(
            (&whole[0]["events"], &whole[0]["count"], &whole[0]["bad"]),
            (&json!("tokens"), &json!(4560), &json!(0))
        );
        assert_eq!(output["verdict"], "healthy", "rows of a gateway do not make the verdict");
    }
}

#[test]
fn an_engine_without_a_time_to_first_token_says_null_and_not_zero() {
    let (dir, name) = (Directory::new(), "llama");
    recorded::llama_cpp(&dir.path(name));
    let output = checked(&["--pages", arg(&dir.path(name))]);
    let ttft = &output["slo"][0];
    assert_eq!((&ttft["metric"], &ttft["status"]), (&json!("ttft"), &json!("unknown")));
    for unknown in ["series", "count", "bad", "bad_at_most", "p50_s", "p95_s", "p99_s", "mean_s", "paging"] {
        assert_eq!(ttft[unknown], json!(null), "{unknown}");
    }
    assert_eq!(phase(&output, "queue")["mean"], json!(null));
    assert_eq!(phase(&output, "decode")["unit"], "s/token", "what is counted is there");
    assert_eq!(output["requests"]["finished"], json!(null));
    assert_eq!(output["replicas"][0]["kv_usage"], json!(null));
}

#[test]
fn a_page_of_something_else_cannot_be_judged() {
    let (dir, name) = (Directory::new(), "node");
    recorded::unrecognised(&dir.path(name));
    let output = checked(&["--pages", arg(&dir.path(name))]);
    assert_eq!(output["verdict"], "cannot_tell");
    assert_eq!(output["target"]["engine"], json!(null));
    assert_eq!((&output["slo"][0]["count"], &output["requests"]["finished"]), (&json!(null), &json!(null)));
    let source = &output["sources"][0];
    assert_eq!((&source["state"], &source["series_seen"]), (&json!("failed"), &json!(null)));
    assert!(source["error"].as_str().unwrap().contains("node_load1"), "{source}");
}

#[test]
fn an_engine_without_traffic_is_idle() {
    let (dir, name) = (Directory::new(), "idle");
    recorded::idle(&dir.path(name));
    let output = checked(&["--pages", arg(&dir.path(name))]);
    assert_eq!(output["verdict"], "idle");
    assert_eq!(output["slo"][0]["count"], 0, "looked, and there were none");
    assert_eq!(output["slo"][0]["p95_s"], json!(null));
    assert_eq!(phase(&output, "queue")["mean"], json!(null), "no request, so no mean");
}

#[test]
fn an_engine_that_refuses_connections_is_a_failed_source() {
    let (dir, name) = (Directory::new(), "gone");
    recorded::refused(&dir.path(name), "lab-model");
    let output = checked(&["--pages", arg(&dir.path(name)), "--at", "+150s"]);
    assert_eq!(output["sources"][0]["state"], "failed");
    assert_ne!(output["verdict"], "healthy");
    assert!(output["sources"][0]["error"].as_str().unwrap().contains("refused"));
}

#[test]
fn an_objective_that_falls_between_two_bounds_is_a_warning_with_an_interval() {
    let (dir, name) = (Directory::new(), "borderline");
    recorded::borderline(&dir.path(name));
    let output = checked(&["--pages", arg(&dir.path(name)), "--ttft-target", "0.6"]);
    assert_eq!(output["verdict"], "warning");
    let ttft = &output["slo"][0];
    assert_eq!((&ttft["bad"], &ttft["bad_at_most"]), (&json!(0), &json!(240)));
    assert_eq!(ttft["target_s"], 0.6);
}

#[test]
fn numbers_that_are_none_are_null() {
    let dir = Directory::new();
    for (name, value) in [("nan", "NaN"), ("inf", "+Inf"), ("minus", "-Inf"), ("huge", "1e308"), ("negative", "-7")] {
        let mut engine = recorded::Vllm::new("lab-model");
        let pages = (0..25).map(|_| {
            let page = engine.serve(10, 0.01, 0.08, 0.02).page();
            let bent = page.lines().map(|line| {
                let gauge = ["running{", "waiting{", "perc{", "_sum{", "preemptions_total{", "prompt_tokens_total{"];
                match line.rsplit_once(' ') {
                    Some((series, _)) if gauge.iter().any(|g| series.contains(g)) => format!("{series} {value}\n"),
                    _ => format!("{line}\n"),
                }
            });
            bent.collect::<String>()
        });
        recorded::record(&dir.path(name), pages);
        checked(&["--pages", arg(&dir.path(name))]);
        checked(&["--pages", arg(&dir.path(name)), "--at", "+20s"]);
    }
}

#[test]
fn every_page_of_a_real_engine_keeps_the_contract() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pages");
    for entry in std::fs::read_dir(fixtures).expect("fixtures") {
        let page = entry.expect("a file").path();
        if page.extension().is_some_and(|e| e == "prom") {
            let dir = Directory::new();
            let text = std::fs::read_to_string(&page).expect("text");
            recorded::record(&dir.path("page"), (0..5).map(|_| text.clone()));
            let output = checked(&["--pages", arg(&dir.path("page"))]);
            assert!(output["target"]["engine"].is_string(), "{}", page.display());
        }
    }
}

#[test]
fn the_schema_knows_exactly_the_codes_of_the_program() {
    macro_rules! codes {
        ($($def:literal = $code:ident),+ $(,)?) => {
            vec![$(($def, $code::ALL.iter().map(|c| c.code()).collect::<Vec<_>>())),+]
        };
    }
    let schema = schema();
    for (def, codes) in codes! {
        "verdict" = Verdict, "trend" = Trend, "row_status" = RowStatus, "source_state" = SourceState, "phase" = Phase,
        "mechanism" = Mechanism, "cause" = Cause, "action" = Action, "helps" = Helps, "confidence" = Confidence,
        "severity" = Severity, "baseline_kind" = BaselineKind,
    } {
        assert_eq!(schema["$defs"][def]["enum"], json!(codes), "{def}");
    }
}

/// Calls `change` with every object of a value, and its path.
fn objects(value: &Value, path: &str, change: &mut dyn FnMut(&str, &serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            change(path, object);
            for (key, inner) in object {
                objects(inner, &format!("{path}/{key}"), change);
            }
        }
        Value::Array(items) => {
            for (i, inner) in items.iter().enumerate() {
                objects(inner, &format!("{path}/{i}"), change);
            }
        }
        _ => {}
    }
}

#[test]
fn a_field_that_is_renamed_lost_or_new_is_noticed_wherever_it_stands() {
    let dir = Directory::new();
    recorded::healthy(&dir.path("a"), "lab-model");
    recorded::saturated(&dir.path("b"), "lab-model");
    let output = checked(&["--pages", arg(&dir.path("a")), "--pages", arg(&dir.path("b"))]);
    let validator = validator();
    let mut changed = 0;
    let mut all = Vec::new();
    objects(&output, "", &mut |path, object| all.push((path.to_owned(), object.clone())));
    for (path, object) in all {
        // Which families there are is the engine's business.
        if path.ends_with("/families") {
            continue;
        }
        for key in object.keys() {
            let mut mutated = output.clone();
            let place = mutated.pointer_mut(&path).and_then(Value::as_object_mut).expect("the object");
            let value = place.remove(key).expect("the field");
            assert!(!validator.is_valid(&mutated), "{path}/{key} can get lost");
            let place = mutated.pointer_mut(&path).and_then(Value::as_object_mut).expect("the object");
            place.insert(format!("{key}_renamed"), value.clone());
            assert!(!validator.is_valid(&mutated), "{path}/{key} can be renamed");
            let place = mutated.pointer_mut(&path).and_then(Value::as_object_mut).expect("the object");
            place.insert(key.clone(), value);
            assert!(!validator.is_valid(&mutated), "{path} takes a field that nobody wrote down");
            changed += 1;
        }
    }
    assert!(changed > 200, "only {changed} fields were tried");
}

#[test]
fn a_wrong_code_a_zero_time_and_a_percentage_are_noticed() {
    let (dir, name) = (Directory::new(), "queue");
    recorded::saturated(&dir.path(name), "lab-model");
    let output = checked(&["--pages", arg(&dir.path(name))]);
    for (path, wrong) in [
        ("/schema", json!("warroom.check/2")),
        ("/verdict", json!("broken")),
        ("/at", json!("2026-06-08 03:14:07")),
        ("/at", json!("2026-13-08T03:14:07Z")),
        ("/since", json!(1_780_888_447)),
        ("/slo/0/objective", json!(99)),
        ("/slo/0/count", json!(-1)),
        ("/slo/0/count", json!(1.5)),
        ("/phases/1/share_of_added", json!(96)),
        ("/replicas/0/kv_usage", json!(12.0)),
        ("/suspect/cause", json!("queue_saturation")),
        ("/sources/0/error", json!("")),
    ] {
        let mut mutated = output.clone();
        *mutated.pointer_mut(path).unwrap_or_else(|| panic!("no {path}")) = wrong.clone();
        assert!(!validator().is_valid(&mutated), "{path} may be {wrong}");
    }
    let mut eight = output.clone();
    let phases = eight["phases"].as_array_mut().unwrap();
    phases[0]["phase"] = json!("queue");
    assert!(!validator().is_valid(&eight), "a phase twice, and another not at all");
}
