//! Requests of our own: what they see of simulated engines, of doors that are locked or lie, and when none is sent.
#![cfg(feature = "sim")]

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/served.rs"]
mod served;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use warroom::apiserver::connect;
use warroom::command::check;
use warroom::config::Config;
use warroom::diagnosis::{Diagnosis, diagnose};
use warroom::domain::{At, Code, Door, Mechanism, Snapshot, SourceState, Verdict, WorkloadKind, WorkloadRef};
use warroom::runtime::session::{Session, snapshot};
use warroom::sim::rules::Rules;
use warroom::sim::scenario::Scenario;
use warroom::sim::serve::{Handle, Options, serve};
use warroom::sim::serving::{Model, Serving};
use warroom::sim::world::Setup;
use warroom::source::kubernetes::Pace;

/// Simulated seconds per second.
const SPEED: f64 = 60.0;
const ENGINE: &str = include_str!("fixtures/pages/vllm-0.32.0-healthy.prom");

/// A night with a request in a thousand seconds or so, and what a change adds to it.
fn night(change: &str) -> Scenario {
    let text = include_str!("../assets/scenarios/stalled.toml");
    let (before, _) = text.split_once("[[traffic]]").expect("it has traffic");
    let quiet = "[[traffic]]\ntenant = \"acme\"\nclass = \"night\"\nrate = 0.0001\n\
                 prompt = { median = 500, spread = 0.3, most = 900 }\noutput = { median = 20, spread = 0.3, most = 50 }\n";
    Scenario::read("night.toml", &format!("{before}{quiet}{change}")).expect("a scenario")
}

/// A simulated cluster, and what a session reads of it.
struct Night {
    handle: Handle,
    config: Config,
    target: WorkloadRef,
    client: warroom::apiserver::Client,
}

impl Night {
    async fn open(change: &str, denied: &[(&str, &str)], probe: bool) -> Self {
        let scenario = night(change);
        let denied = denied.iter().map(|(v, r)| ((*v).to_owned(), (*r).to_owned())).collect();
        let options = Options { speed: SPEED, rules: Rules::but(denied), ..Options::default() };
        let setup = Setup::from(&scenario);
        let model = scenario.clone();
        let serving = move |start| Box::new(Model::new(&model, 7, start)) as Box<dyn Serving>;
        let handle = serve(setup, serving, options).await.expect("it opens");
        let home = tempfile::tempdir().expect("a directory");
        let kubeconfig = home.path().join("kubeconfig");
        handle.write_kubeconfig(&kubeconfig).expect("a kubeconfig");
        let options = connect::Options { kubeconfig: Some(kubeconfig), ..connect::Options::default() };
        let client = connect::connect(options).await.expect("a client").client;
        let mut config = Config::default();
        config.probe.enabled = probe;
        let target = WorkloadRef {
            context: "sim".into(),
            namespace: scenario.workload.namespace.clone(),
            kind: WorkloadKind::Deployment,
            name: scenario.workload.name.clone(),
        };
        Self { handle, config, target, client }
    }

    /// Watches until it is as wanted, at most for a minute of this machine.
    async fn until(&self, wanted: impl Fn(&Snapshot, &Diagnosis) -> bool) -> (Snapshot, Diagnosis) {
        let (clock, decoder) = (self.handle.clock, Arc::new(check::decoder(&self.config).expect("dialects")));
        let (client, target) = (self.client.clone(), self.target.clone());
        let pace = Pace::by(clock);
        let (_session, mut deliveries) =
            Session::open_at_pace(pace, client, target.clone(), clock, decoder, &self.config, None);
        let mut seen = snapshot(target, &self.config);
        let policy = check::policy(Duration::from_mins(5), &self.config);
        let watching = async {
            loop {
                let observation = deliveries.recv().await.expect("the session goes on");
                seen.observe(observation);
                seen.now = At(clock.unix_ms());
                let d = diagnose(&seen, &policy);
                if wanted(&seen, &d) {
                    return d;
                }
            }
        };
        let d = timeout(Duration::from_mins(1), watching).await.expect("it is as wanted in time");
        (seen, d)
    }

    /// What was asked of engines, by the server's own book.
    fn asked(&self) -> Vec<String> {
        self.handle.writes().into_iter().filter(|line| line.contains("/completions")).collect()
    }
}

const STALL: &str = "[[change]]\nat = \"1h54m\"\nstall = { replica = 0, for = \"2h\" }\n\
                     [[change]]\nat = \"1h54m\"\nstall = { replica = 1, for = \"2h\" }\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_that_looks_idle_is_seen_by_a_request_of_our_own_and_by_nothing_else() {
    let blind = Night::open(STALL, &[], false).await;
    let (_, d) = blind.until(|s, d| d.verdict != Verdict::CannotTell && s.now.since(d.from) > 100.0).await;
    assert_eq!(d.verdict, Verdict::Idle, "{}", d.sentence);
    assert!(d.sentence.contains("cannot be excluded without a request"), "{}", d.sentence);
    assert!(blind.asked().is_empty(), "a probe that is off asks nothing");

    let probing = Night::open(STALL, &[], true).await;
    let (_, d) = probing.until(|_, d| d.verdict == Verdict::Stalled).await;
    assert!(d.findings.iter().any(|f| f.code == Code::Mechanism(Mechanism::EngineStalled)), "{:?}", d.findings);
    let source = d.sources.iter().find(|s| s.name == "probe").expect("the probe is a source");
    assert_eq!(source.state, SourceState::Failed);
    assert!(source.error.as_deref().is_some_and(|e| e.contains("no answer within 30000 ms")), "{source:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_engine_that_answers_our_own_request_is_idle_and_not_stalled() {
    let night = Night::open("", &[], true).await;
    let (seen, d) = night.until(|s, _| s.probes.len() >= 4).await;
    assert_eq!(d.verdict, Verdict::Idle, "what we ask ourselves is no traffic: {}", d.sentence);
    assert!(d.sentence.contains("but our own"), "{}", d.sentence);
    let replicas: Vec<&str> = seen.probes.iter().map(|(_, p)| p.door.name()).collect();
    assert!(replicas.iter().any(|r| *r != replicas[0]), "replicas have their turn: {replicas:?}");
    for (_, probed) in &seen.probes {
        let answered = probed.answer.as_ref().expect("an answer");
        assert!(answered.ttft_s > 0.0 && answered.itl_s.is_none(), "{answered:?}");
        assert_eq!(answered.tokens, 1);
    }
    let asked = night.asked();
    assert!(asked.iter().all(|line| line.contains("\"max_tokens\":1") && line.starts_with("POST")), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_the_gateway_a_few_tokens_measure_the_time_between_them() {
    let mut night = Night::open("", &[], true).await;
    let (known, _) = night.until(|s, _| s.endpoints.iter().any(|e| e.role == warroom::domain::Role::Gateway)).await;
    let gateway = known.of_role(warroom::domain::Role::Gateway).next().expect("a gateway");
    let pod = &gateway.name;
    let place = gateway.reproduce.split("/namespaces/").nth(1).and_then(|r| r.split('/').next()).expect("a namespace");
    let (url, token) = (&night.handle.url, &night.handle.token);
    let front = format!("{url}/{token}/api/v1/namespaces/{place}/pods/{pod}:10080/proxy/v1");
    night.config.probe.url = Some(front.parse().expect("a URL"));
    night.config.probe.max_tokens = 5;
    let through = |s: &Snapshot| s.probes.iter().any(|(_, p)| matches!(p.door, Door::Gateway(_)));
    let (seen, d) = night.until(|s, _| through(s)).await;
    let (_, probed) = seen.last_probe().expect("a probe");
    assert!(matches!(probed.door, Door::Gateway(_)), "users' door speaks first");
    let answered = probed.answer.as_ref().expect("an answer");
    assert_eq!(answered.tokens, 5);
    assert!(answered.itl_s.is_some_and(|s| s > 0.0 && s < answered.ttft_s.max(1.0)), "{answered:?}");
    assert!(d.sources.iter().any(|s| s.name == "probe" && s.state == SourceState::Live));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_may_not_ask_is_told_what_to_allow() {
    let night = Night::open("", &[("create", "pods/proxy")], true).await;
    let (seen, d) = night.until(|s, _| !s.probes.is_empty()).await;
    let (_, probed) = &seen.probes[0];
    let why = probed.answer.as_ref().expect_err("it is forbidden").to_string();
    assert!(why.contains("allow 'create' on 'pods/proxy'"), "{why}");
    assert!(d.verdict != Verdict::Stalled, "what is not allowed says nothing about an engine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_read_only_nothing_is_asked_whoever_wants_it() {
    let mut night = Night::open("", &[], true).await;
    night.config.policy.read_only = true;
    let (seen, _) = night.until(|s, d| d.verdict == Verdict::Idle && s.now.since(d.from) > 90.0).await;
    assert!(seen.probes.is_empty());
    assert!(night.asked().is_empty(), "{:?}", night.asked());
}

/// A page of metrics, a list of models, and an answer that is chosen.
fn engine(answer: &'static str) -> String {
    served::page(move |head| match head.split(' ').nth(1).unwrap_or_default() {
        "/metrics" => ENGINE.to_owned(),
        "/v1/models" => r#"{"object":"list","data":[{"id":"llama-3-70b"}]}"#.to_owned(),
        _ => answer.to_owned(),
    })
}

/// The probe's row of a check of a few seconds.
fn checked(engine: &str, more: &[&str]) -> Value {
    let args = [&["--engine", engine, "--for", "3s", "--probe", "-o", "json"], more].concat();
    let run = program::check(args);
    let d: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
    let sources = d["sources"].as_array().expect("sources").clone();
    sources.into_iter().find(|s| s["name"] == "probe").unwrap_or_default()
}

#[test]
fn a_check_of_pages_asks_the_engine_beside_them() {
    let token = "data: {\"choices\":[{\"text\":\" a\",\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n";
    let row = checked(&engine(token), &[]);
    assert_eq!(row["state"], "live", "{row}");
    for (answer, says) in [
        ("data: {\"error\":{\"message\":\"out of \\u001b[2J memory\"}}\n\n", "out of ·[2J memory"),
        ("data: [DONE]\n\n", "without any token"),
        ("<html>", "without any token"),
    ] {
        let row = checked(&engine(answer), &[]);
        assert_eq!(row["state"], "failed");
        assert!(row["error"].as_str().is_some_and(|e| e.contains(says)), "{row}");
    }
}

#[test]
fn a_door_that_is_locked_gets_its_key_from_a_file_and_no_message_shows_it() {
    let locked = served::page(|head| {
        let key = head.to_ascii_lowercase().contains("authorization: bearer s3cret-key\r\n");
        match (head.split(' ').nth(1).unwrap_or_default(), key) {
            ("/metrics", _) => ENGINE.to_owned(),
            (_, false) => "no key, no answer".to_owned(),
            ("/v1/models", true) => r#"{"data":[{"id":"m"}]}"#.to_owned(),
            (_, true) => "data: {\"choices\":[{\"text\":\" a\"}]}\n\ndata: [DONE]\n\n".to_owned(),
        }
    });
    let home = tempfile::tempdir().expect("a directory");
    let (config, key) = (home.path().join("config.toml"), home.path().join("key"));
    let toml = format!("[probe]\ntoken_file = {:?}\n", key.display().to_string());
    fs::write(&config, toml).expect("a configuration");
    let base = locked.replace("/metrics", "/v1");
    let more = ["--probe-url", &base, "--config", config.to_str().expect("a path")];
    let row = checked(&locked, &more);
    assert!(row["error"].as_str().is_some_and(|e| e.contains("cannot be read")), "the file is not there: {row}");
    fs::write(&key, "s3cret key\n").expect("a key");
    let row = checked(&locked, &more);
    assert!(row["error"].as_str().is_some_and(|e| e.contains("holds no key") && !e.contains("s3cret")), "{row}");
    fs::write(&key, "s3cret-key\n").expect("a key");
    assert_eq!(checked(&locked, &more)["state"], "live");
}
