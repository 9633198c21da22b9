//! What a Prometheus tells beside what is watched. Against the real server, which holds three days that a test wrote; and
//! against servers that lie.

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/served.rs"]
mod served;

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use warroom::clock;

const ENGINE: &str = include_str!("fixtures/pages/vllm-0.32.0-healthy.prom");

/// Whether the real server can be had here; else the test is skipped, by name.
fn is_there(test: &str) -> bool {
    let there = |tool: &str| {
        let run = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        run.is_ok_and(|status| status.success())
    };
    if there("prometheus") && there("promtool") {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "prometheus is not installed, and here it must be");
    #[expect(clippy::print_stderr, reason = "what is skipped is said")]
    {
        eprintln!("SKIPPED {test}: prometheus and promtool are not installed");
    }
    false
}

/// The server, which ends with this.
struct Server {
    child: Child,
    url: String,
    _home: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Three days of TTFT of a model that ended now: two requests a second, of which half are late in the last hour, 2 %
    /// in the day before it, and none before; and an alert that fires.
    fn open() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let now = clock::unix_ms() / 1000;
        let (mut all, mut good) = (0.0, 0.0);
        let [mut within, mut whole, mut count] = [String::new(), String::new(), String::new()];
        let family = "vllm:time_to_first_token_seconds";
        let labels = "namespace=\"llm\",pod=\"vllm-0\",model_name=\"lab-model\"";
        for at in (now - 3 * 86_400 - 600..=now).step_by(60) {
            all += 120.0;
            good += 120.0 * (1.0 - late_share((now - at) as f64));
            let _ = writeln!(within, "{family}_bucket{{{labels},le=\"0.5\"}} {good} {at}");
            let _ = writeln!(whole, "{family}_bucket{{{labels},le=\"+Inf\"}} {all} {at}");
            let _ = writeln!(count, "{family}_count{{{labels}}} {all} {at}");
        }
        let file = home.path().join("history.om");
        fs::write(&file, format!("# TYPE {family} histogram\n{within}{whole}{count}# EOF\n")).expect("a history");
        let data = home.path().join("data");
        let made = Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([&file, &data])
            .stdout(Stdio::null())
            .output()
            .expect("promtool runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let rules = home.path().join("rules.yml");
        let rule = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: TTFTBurnRateHigh\n    expr: vector(1)\n    \
                    labels: {severity: page, model_name: lab-model}\n  - alert: DiskFull\n    expr: vector(1)\n";
        fs::write(&rules, rule).expect("rules");
        let config = home.path().join("prometheus.yml");
        fs::write(&config, format!("rule_files: [{}]\n", rules.display())).expect("a configuration");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg("--storage.tsdb.retention.time=30d")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus starts");
        Self { child, url: format!("http://127.0.0.1:{port}"), _home: home }
    }

    /// Waits until it answers queries and its rules have fired.
    fn until_ready(&mut self) {
        for _ in 0..300 {
            if self.get("/api/v1/query?query=ALERTS").is_some_and(|body| body.matches("\"firing\"").count() >= 2) {
                return;
            }
            assert!(self.child.try_wait().expect("a child").is_none(), "prometheus ended");
            thread::sleep(Duration::from_millis(200));
        }
        unreachable!("prometheus was not ready within a minute");
    }

    fn get(&self, path: &str) -> Option<String> {
        use std::io::{Read as _, Write as _};
        let host = self.url.trim_start_matches("http://");
        let mut stream = std::net::TcpStream::connect(host).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// A number that its own PromQL gives.
    fn number(&self, promql: &str) -> f64 {
        let escaped = promql.bytes().fold(String::new(), |text, b| format!("{text}%{b:02X}"));
        let answer = self.get(&format!("/api/v1/query?query={escaped}")).expect("an answer");
        let body = answer.split("\r\n\r\n").nth(1).expect("a body");
        let json: Value = serde_json::from_str(body).expect(body);
        json["data"]["result"][0]["value"][1].as_str().and_then(|v| v.parse().ok()).expect(body)
    }
}

/// The share of requests that were over half a second, so long ago.
fn late_share(age_s: f64) -> f64 {
    match age_s {
        age if age < 3_600.0 => 0.5,
        age if age < 86_400.0 => 0.02,
        _ => 0.0,
    }
}

/// What `check` says of an engine that is watched for a moment, with what was told beside.
fn checked(prometheus: &str, more: &[&str]) -> Value {
    let engine = served::page(|_| ENGINE.to_owned());
    let args = [&["--engine", &engine, "--for", "4s", "-o", "json", "--prometheus", prometheus], more].concat();
    let run = program::check(args);
    let said: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let schema: Value = serde_json::from_str(include_str!("../assets/schema/check-1.json")).expect("JSON");
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
