//! `warroom doctor`: what is missing is named with the line that mends it, and the runbook's questions are answered by what
//! was seen. The real program against the simulated cluster.
#![cfg(feature = "sim")]

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/served.rs"]
mod served;
#[path = "support/sim.rs"]
mod sim;

use std::path::PathBuf;

use program::Run;
use serde_json::{Value, json};
use warroom::command::rbac::{Wish, manifest};
use warroom::sim::rules::Rules;
use warroom::sim::serve::{Handle, Options, serve};
use warroom::sim::world::Setup;

struct Lab {
    _handle: Handle,
    home: tempfile::TempDir,
}

impl Lab {
    async fn open(setup: Setup, rules: Rules) -> Self {
        let options = Options { rules, ..Options::default() };
        let handle = serve(setup, |_| sim::engines(0.0), options).await.expect("it opens");
        let home = tempfile::tempdir().expect("a directory");
        handle.write_kubeconfig(&home.path().join("kubeconfig")).expect("a kubeconfig");
        Self { _handle: handle, home }
    }

    async fn doctor(&self, words: &[&str]) -> Run {
        let mut command = program::warroom(["doctor"].iter().chain(words).copied());
        command.env("KUBECONFIG", self.home.path().join("kubeconfig"));
        command.env("XDG_STATE_HOME", self.home.path().join("state"));
        tokio::task::spawn_blocking(move || program::run(&mut command)).await.expect("it ends")
    }

    async fn json(&self, words: &[&str]) -> (Option<i32>, Value) {
        let run = self.doctor(&[&["-o", "json"], words].concat()).await;
        let said: Value = serde_json::from_str(&run.stdout).expect(&run.stderr);
        let schema: Value = serde_json::from_str(include_str!("../assets/schema/doctor-1.json")).expect("JSON");
        let schema = jsonschema::validator_for(&schema).expect("a schema");
        let wrong: Vec<String> = schema.iter_errors(&said).map(|e| e.to_string()).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{said:#}");
        (run.code, said)
    }
}

fn row<'a>(said: &'a Value, name: &str) -> &'a Value {
    let rows = said["rows"].as_array().expect("rows");
    rows.iter().find(|r| r["name"].as_str().is_some_and(|n| n.contains(name))).expect(name)
}

fn stands(said: &Value, name: &str, standing: &str, says: &str) {
    let row = row(said, name);
    assert_eq!(row["standing"], standing, "{row:#}");
    assert!(row["says"].as_str().is_some_and(|s| s.contains(says)), "no '{says}' in {row:#}");
    let mended = matches!(standing, "fail") && row["part"] != "question";
    assert!(!mended || row["remedy"].is_string(), "what is missing names what mends it: {row:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_missing_it_says_how_everything_is_reached() {
    let lab = Lab::open(sim::setup(), Rules::default()).await;
    let (code, said) = lab.json(&[]).await;
    assert_eq!(code, Some(0), "{said:#}");
    assert_eq!(said["target"]["name"], json!(format!("deploy/{}", sim::NAME)));
    stands(&said, "API server", "pass", "v1.");
    stands(&said, "clocks", "pass", "agree");
    stands(&said, "requests", "pass", "at most 10 at once");
    stands(&said, "allowed to look", "pass", "pods/proxy");
    stands(&said, "allowed to act", "pass", "deployments/scale");
    stands(&said, "kubernetes", "pass", "live");
    let engine = row(&said, sim::NAME);
    assert_eq!(engine["standing"], "pass");
    assert!(engine["via"].as_str().is_some_and(|via| via.starts_with("kubectl") && via.contains("/proxy/metrics")));
    stands(&said, "probe", "off", "stall that looks idle");
    stands(&said, "record", "pass", "can be written");
    for (question, standing, says) in [
        ("does readiness prove", "pass", "GET /health"),
        ("does autoscaling use", "pass", "num_requests_waiting"),
        ("inside of rollout deadlines", "pass", "loading took"),
        ("rolled back together", "cannot_tell", "template"),
        ("v1/models answer", "cannot_tell", "no gateway's URL"),
    ] {
        stands(&said, question, standing, says);
    }
    let questions = said["rows"].as_array().expect("rows").iter().filter(|r| r["part"] == "question").count();
    assert_eq!(questions, 9);
    let run = lab.doctor(&["--ascii"]).await;
    assert!(run.stdout.is_ascii() && run.stdout.contains("PERMISSIONS") && !run.stdout.contains('\u{1b}'));
    assert!(run.stdout.lines().all(|l| l.len() <= 100 || l.contains('/')), "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_allowed_is_named_with_what_is_lost_and_the_line_that_grants_it() {
    let wish = Wish {
        name: "x".to_owned(),
        namespace: sim::NAMESPACE.to_owned(),
        neighbours: Vec::new(),
        subjects: Vec::new(),
        read_only: true,
        probe: false,
        namespaced: true,
    };
    let rules = Rules::default().granting("x", &manifest(&wish)).expect("Roles");
    let lab = Lab::open(sim::setup(), rules).await;
    let (code, said) = lab.json(&["--read-only"]).await;
    assert_eq!(code, Some(3), "{said:#}");
    stands(&said, "list, watch nodes", "fail", "nodes' health");
    let remedy = row(&said, "list, watch nodes")["remedy"].as_str().expect("a remedy").to_owned();
    assert!(remedy.starts_with(&format!("warroom rbac -n {}", sim::NAMESPACE)) && remedy.contains("kubectl apply"));
    let patches = said["rows"].as_array().expect("rows").iter().any(|r| r["name"].to_string().contains("patch"));
    assert!(!patches, "what read-only does not need is not asked for");
    let (_, said) = lab.json(&[]).await;
    stands(&said, "patch deployments/scale", "fail", "no scaling");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_only_port_forwards_are_allowed_nothing_is_missing_and_it_says_how_pages_are_read() {
    let lab = Lab::open(sim::setup(), Rules::but(vec![("get".to_owned(), "pods/proxy".to_owned())])).await;
    let (code, said) = lab.json(&[]).await;
    assert_eq!(code, Some(0), "{said:#}");
    let engine = row(&said, &format!("{}-", sim::NAME));
    stands(&said, &format!("{}-", sim::NAME), "pass", "via port-forward, for pods/proxy: not allowed; allow");
    let via = engine["via"].as_str().expect("a line");
    assert!(via.contains("kubectl") && via.contains("port-forward pod/") && via.contains("curl"), "{via}");
    stands(&said, "get pods/proxy", "off", "engines' pages are read via port-forward");
    stands(&said, "requests", "pass", "through port-forwards");
    let none = ["pods/proxy", "pods/portforward"].map(|resource| ("get".to_owned(), resource.to_owned())).to_vec();
    let lab = Lab::open(sim::setup(), Rules::but(none)).await;
    let (code, said) = lab.json(&[]).await;
    assert_eq!(code, Some(3), "{said:#}");
    stands(&said, &format!("{}-", sim::NAME), "fail", "port-forward: not allowed");
    stands(&said, "get pods/proxy", "fail", "not read through the API server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_find_what_will_hurt_in_an_incident() {
    let mut setup = sim::setup();
    for manifest in &mut setup.manifests {
        match manifest["kind"].as_str() {
            Some("Deployment") => {
                manifest["spec"]["progressDeadlineSeconds"] = json!(45);
                let container = &mut manifest["spec"]["template"]["spec"]["containers"][0];
                container["image"] = json!("vllm/vllm-openai");
                container["readinessProbe"] = json!({"tcpSocket": {"port": 8000}, "periodSeconds": 5});
            }
            Some("HorizontalPodAutoscaler") => {
                manifest["spec"]["metrics"] = json!([{"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 80}}}]);
            }
            _ => {}
        }
    }
    let lab = Lab::open(setup, Rules::default()).await;
    let base = served::page(|head| match head.split(' ').nth(1).unwrap_or_default() {
        "/v1/models" => r#"{"data":[{"id":"m"}]}"#.to_owned(),
        _ => String::new(),
    });
    let (code, said) = lab.json(&["--probe-url", &base.replace("/metrics", "/v1")]).await;
    assert_eq!(code, Some(0), "a question is no missing permission: {said:#}");
    for (question, says) in [
        ("does readiness prove", "TCP 8000"),
        ("does autoscaling use", "cpu"),
        ("inside of rollout deadlines", "progressDeadlineSeconds is 45"),
        ("rolled back together", "whatever is newest"),
    ] {
        stands(&said, question, "fail", says);
        assert!(row(&said, question)["remedy"].is_string());
    }
    stands(&said, "v1/models answer", "pass", "answers in");
    let (_, said) = lab.json(&["--probe-url", &served::nobody().replace("/metrics", "/v1")]).await;
    stands(&said, "v1/models answer", "fail", "refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_does_not_answer_and_a_disk_that_keeps_nothing_are_said_at_once() {
    let lab = Lab::open(sim::setup(), Rules::default()).await;
    let kubeconfig = lab.home.path().join("kubeconfig");
    let text = std::fs::read_to_string(&kubeconfig).expect("it was written");
    let (before, after) = text.split_once("http://127.0.0.1:").expect("a server");
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    let free = served::nobody().replace("/metrics", "");
    std::fs::write(&kubeconfig, format!("{before}{free}{rest}")).expect("a kubeconfig");
    let in_the_way: PathBuf = lab.home.path().join("state");
    std::fs::write(&in_the_way, "a file").expect("a file");
    let (code, said) = lab.json(&[sim::NAME]).await;
    assert_eq!(code, Some(1));
    stands(&said, "cluster", "fail", "refuses connections");
    stands(&said, "record", "fail", "every lever is off");
}
