//! A Prometheus that nobody named is found among the Services of the cluster, and asked through the API server.

use serde_json::{Value, json};
use warroom::sim::rules::Rules;
use warroom::sim::serve::{Forward, Handle, Options, serve};

use crate::{monitored, program, served, sim};

struct Lab {
    _handle: Handle,
    home: tempfile::TempDir,
}

impl Lab {
    /// A simulated cluster with these Services of a Prometheus: name, label, and where it really is.
    async fn with(services: &[(&str, &str, &str)], denied: &[(&str, &str)]) -> Self {
        let mut setup = sim::setup();
        let mut forwards: Vec<Forward> = Vec::new();
        for (name, label, url) in services {
            let [namespace, service] = monitored::monitoring(name, label);
            if forwards.is_empty() {
                setup.manifests.push(namespace);
            }
            setup.manifests.push(service);
            forwards.push(monitored::forward(name, url));
        }
        let denied = denied.iter().map(|(v, r)| ((*v).to_owned(), (*r).to_owned())).collect();
        let options = Options { rules: Rules::but(denied), forwards, ..Options::default() };
        let handle = serve(setup, |_| sim::engines(0.0), options).await.expect("it opens");
        let home = tempfile::tempdir().expect("a directory");
        handle.write_kubeconfig(&home.path().join("kubeconfig")).expect("a kubeconfig");
        Self { _handle: handle, home }
    }

    async fn typed(&self, words: &[&str]) -> Value {
        let mut command = program::warroom(words.iter().copied());
        command.env("KUBECONFIG", self.home.path().join("kubeconfig"));
        command.env("XDG_STATE_HOME", self.home.path().join("state"));
        let run = tokio::task::spawn_blocking(move || program::run(&mut command)).await.expect("it ends");
        serde_json::from_str(&run.stdout).expect(&run.stderr)
    }

    async fn check(&self, more: &[&str]) -> Value {
        let said = self.typed(&[&["check", "-o", "json", "--for", "5s", sim::NAME], more].concat()).await;
        let schema: Value = serde_json::from_str(include_str!("../../assets/schema/check-1.json")).expect("JSON");
        let schema = jsonschema::validator_for(&schema).expect("a schema");
        let wrong: Vec<String> = schema.iter_errors(&said).map(|e| e.to_string()).collect();
        assert_eq!(wrong, Vec::<String>::new());
        said
    }
}

fn row(said: &Value) -> Value {
    let rows = said["sources"].as_array().or_else(|| said["rows"].as_array()).expect("rows");
    rows.iter().find(|r| r["name"] == "prometheus").cloned().unwrap_or_default()
}

fn says(row: &Value, key: &str, words: &[&str]) {
    let text = row[key].as_str().unwrap_or_default();
    for word in words {
        assert!(text.contains(word), "no '{word}' in {row:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_the_one_that_has_the_engines_series_is_asked_and_it_is_said_by_what_it_was_found() {
    let (empty, ours) = (monitored::prometheus(0), monitored::prometheus(24));
    let lab = Lab::with(&[("thanos", "thanos-query", &empty), ("kube-prom", "prometheus", &ours)], &[]).await;
    let asked = row(&lab.check(&[]).await);
    assert_eq!(asked["state"], "live", "{asked:#}");
    says(
        &asked,
        "found_by",
        &["label app.kubernetes.io/name=prometheus of Service monitoring/kube-prom:9090", "24 series"],
    );
    says(&asked, "found_by", &["not asked: monitoring/thanos:9090 has no series of this engine"]);
    let doctor = lab.typed(&["doctor", "-o", "json", sim::NAME]).await;
    let told = row(&doctor);
    assert_eq!(told["standing"], "pass", "{told:#}");
    says(&told, "says", &["found by the label", "24 series"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_looked_for_or_asked_is_no_failure_and_names_the_line_that_grants_it() {
    let ours = monitored::prometheus(24);
    let services = [("prometheus", "prometheus", ours.as_str())];
    let healthy = Lab::with(&services, &[]).await.check(&[]).await["verdict"].clone();
    for (denied, says_why) in [
        (("get", "services/proxy"), ["monitoring/prometheus:9090: not allowed", "warroom rbac --neighbour monitoring"]),
        (("list", "services"), ["may not be listed in all namespaces, nor in monitoring", "\"off\" looks for none"]),
    ] {
        let lab = Lab::with(&services, &[denied]).await;
        let said = lab.check(&[]).await;
        let told = row(&said);
        assert_eq!(told["state"], "denied", "{told:#}");
        says(&told, "error", &says_why);
        assert_eq!(said["verdict"], healthy, "nothing else is lost");
        let sentence = said["sentence"].as_str().expect("a sentence");
        assert!(!sentence.contains("not read"), "{sentence}");
        let doctor = lab.typed(&["doctor", "-o", "json", sim::NAME]).await;
        let told = row(&doctor);
        assert_eq!(told["standing"], "cannot_tell", "{told:#}");
        says(&told, "says", &says_why);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_there_is_none_that_is_said_once_and_whoever_wants_none_is_not_told_of_any() {
    let lab = Lab::with(&[], &[]).await;
    let said = lab.check(&[]).await;
    let told = row(&said);
    assert_eq!(told["state"], "absent", "{told:#}");
    let sentence = said["sentence"].as_str().expect("a sentence");
    assert!(!sentence.is_empty() && !sentence.contains("not read"), "most have none: {sentence}");
    says(&told, "error", &["no Service of a Prometheus", "--prometheus NAMESPACE/SERVICE:PORT"]);
    assert_eq!(row(&lab.check(&["--prometheus", "off"]).await), Value::Null);
    let silent = Lab::with(&[("prometheus", "prometheus", &served::nobody())], &[]).await;
    let told = row(&silent.check(&[]).await);
    assert_eq!(told["state"], "absent", "{told:#}");
    says(&told, "error", &["monitoring/prometheus:9090", "error trying to reach service"]);
    let named = silent.check(&["--prometheus", "monitoring/prometheus:9090/base"]).await;
    assert_eq!((&row(&named)["state"], &row(&named)["found_by"]), (&json!("failed"), &Value::Null));
}
