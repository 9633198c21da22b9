//! The real server, started on loopback for one test.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use warroom::clock;

/// Whether the real server can be had here; else the test is skipped, by name.
pub(crate) fn is_there(test: &str) -> bool {
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

/// What it scrapes together: pages of pods, each with its path, its namespace and its pod, and whether labels of the pages
/// win over those.
#[cfg(feature = "sim")]
pub(crate) struct Job<'a> {
    pub(crate) name: &'a str,
    pub(crate) honours: bool,
    pub(crate) pods: Vec<(String, &'a str, String)>,
}

/// The server, which ends with this.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    _home: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Three days of TTFT and queue of a model that ended now: two requests a second, of which half are late in the last
    /// hour, when they wait for long, 2 % in the day before it, and none before; and an alert that fires.
    pub(crate) fn open() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let now = clock::unix_ms() / 1000;
        let (mut all, mut good) = (0.0, 0.0);
        let [mut within, mut whole, mut count, mut sum, mut queued, mut waited] = [const { String::new() }; 6];
        let (mut until_first, mut in_queue) = (0.0, 0.0);
        let queue = "vllm:request_queue_time_seconds";
        let family = "vllm:time_to_first_token_seconds";
        let labels = "namespace=\"llm\",pod=\"vllm-0\",model_name=\"lab-model\"";
        for at in (now - 3 * 86_400 - 600..=now).step_by(60) {
            all += 120.0;
            good += 120.0 * (1.0 - late_share((now - at) as f64));
            let _ = writeln!(within, "{family}_bucket{{{labels},le=\"0.5\"}} {good} {at}");
            let _ = writeln!(whole, "{family}_bucket{{{labels},le=\"+Inf\"}} {all} {at}");
            let _ = writeln!(count, "{family}_count{{{labels}}} {all} {at}");
            let waits = queue_mean((now - at) as f64);
            in_queue += 120.0 * waits;
            until_first += 120.0 * (waits + 0.1);
            let _ = writeln!(sum, "{family}_sum{{{labels}}} {until_first} {at}");
            let _ = writeln!(queued, "{queue}_count{{{labels}}} {all} {at}");
            let _ = writeln!(waited, "{queue}_sum{{{labels}}} {in_queue} {at}");
        }
        let file = home.path().join("history.om");
        fs::write(&file, format!(
            "# TYPE {family} histogram\n{within}{whole}{count}{sum}# TYPE {queue} histogram\n{queued}{waited}# EOF\n"
        )).expect("a history");
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
        Self::start(home, &config, &data)
    }

    /// One that scrapes pages of pods once a second: the host and port, and of each its path, its namespace and its pod.
    #[cfg(feature = "sim")]
    pub(crate) fn scraping(from: &str, pods: &[(String, &str, String)]) -> Self {
        Self::scraping_jobs(from, &[Job { name: "engines", honours: false, pods: pods.to_vec() }])
    }

    /// The same in several jobs.
    #[cfg(feature = "sim")]
    pub(crate) fn scraping_jobs(from: &str, jobs: &[Job<'_>]) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let config = home.path().join("prometheus.yml");
        let mut text = "scrape_configs:\n".to_owned();
        for Job { name, honours, pods } in jobs {
            let _ = write!(
                text,
                "- job_name: {name}\n  scrape_interval: 1s\n  honor_labels: {honours}\n  static_configs:\n"
            );
            for (path, namespace, pod) in pods {
                let _ = write!(
                    text,
                    "  - targets: ['{from}']\n    labels:\n      __metrics_path__: '{path}'\n      namespace: '{namespace}'\n      \
                     pod: '{pod}'\n      instance: '{pod}'\n"
                );
            }
        }
        fs::write(&config, text).expect("a configuration");
        let data = home.path().join("data");
        Self::start(home, &config, &data)
    }

    fn start(home: tempfile::TempDir, config: &Path, data: &Path) -> Self {
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
    pub(crate) fn until_ready(&mut self) {
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

    /// Waits until its own PromQL gives at least this number.
    #[cfg(feature = "sim")]
    pub(crate) fn until(&mut self, promql: &str, least: f64) {
        for _ in 0..300 {
            if self.maybe(promql).is_some_and(|number| number >= least) {
                return;
            }
            assert!(self.child.try_wait().expect("a child").is_none(), "prometheus ended");
            thread::sleep(Duration::from_millis(200));
        }
        unreachable!("{promql} was not {least} within a minute");
    }

    fn maybe(&self, promql: &str) -> Option<f64> {
        let escaped = promql.bytes().fold(String::new(), |text, b| format!("{text}%{b:02X}"));
        let answer = self.get(&format!("/api/v1/query?query={escaped}"))?;
        let json: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1)?).ok()?;
        json["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }

    /// A number that its own PromQL gives.
    pub(crate) fn number(&self, promql: &str) -> f64 {
        self.maybe(promql).expect(promql)
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

/// How long requests waited on average, so long ago (s).
fn queue_mean(age_s: f64) -> f64 {
    if age_s < 3_600.0 { 5.0 } else { 0.2 }
}
