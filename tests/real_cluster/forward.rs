//! Pages through port-forwards of a real API server, and of the simulated one: the same pages, the same refusals, and a
//! line that shows the same by hand.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use warroom::apiserver::{Client, connect};
use warroom::command::rbac::{Subject, Wish, manifest};
use warroom::domain::{Failure, Via, WorkloadKind};
use warroom::reach::http::Settings;
use warroom::reach::{PodPage, Way, Ways, Where};
use warroom::sim::serve::{Options, serve};

use crate::levers::{Workload, kubectl_is_here};
use crate::real::real;

const NAMESPACE: &str = "forwards";

fn to(client: &Client, only: Option<Via>, namespace: &str, pod: &str, port: u16) -> Arc<PodPage> {
    let settings = Settings { timeout: Duration::from_secs(10), ..Settings::default() };
    let (namespace, pod, page) = (namespace.to_owned(), pod.to_owned(), "/metrics".to_owned());
    Ways::new(client, only, &settings).to(Where { namespace, pod, ip: None, port, page })
}

async fn fetch(page: &Arc<PodPage>) -> Result<String, Failure> {
    let mut buffer = Vec::new();
    Way::pod(page).fetch(&mut buffer).await.map(|()| String::from_utf8(buffer).expect("UTF-8"))
}

/// The families of a page: what is the same from one moment to the next.
fn families(page: &str) -> Vec<&str> {
    page.lines().filter(|l| l.starts_with("# TYPE ")).collect()
}

async fn contract(client: &Client, namespace: &str, pod: &str) {
    let proxied = fetch(&to(client, Some(Via::Proxy), namespace, pod, 8000)).await.expect("a page through pods/proxy");
    let forward = to(client, Some(Via::PortForward), namespace, pod, 8000);
    for _ in 0..3 {
        let page = fetch(&forward).await.expect("a page through a port-forward");
        assert!(!families(&page).is_empty());
        assert_eq!(families(&page), families(&proxied));
    }
    assert_eq!(fetch(&to(client, Some(Via::PortForward), namespace, pod, 9)).await, Err(Failure::Refused));
    let gone = fetch(&to(client, Some(Via::PortForward), namespace, "nobody", 8000)).await.expect_err("no such pod");
    assert!(gone.to_string().contains("pods \"nobody\" not found"), "{gone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_come_through_port_forwards_of_the_simulated_cluster() {
    let handle = serve(crate::sim::setup(), |_| crate::sim::engines(0.0), Options::default()).await.expect("it opens");
    let home = tempfile::tempdir().expect("a directory");
    let kubeconfig = home.path().join("kubeconfig");
    handle.write_kubeconfig(&kubeconfig).expect("a kubeconfig");
    let options = connect::Options { kubeconfig: Some(kubeconfig), ..connect::Options::default() };
    let client = connect::connect(options).await.expect("a client").client;
    let pod = handle.look(|world| {
        let pods = world.objects(warroom::sim::cluster::Kind::Pod);
        let engine = |p: &&serde_json::Value| p["metadata"]["namespace"] == crate::sim::NAMESPACE;
        pods.iter().find(engine).and_then(|p| p["metadata"]["name"].as_str()).expect("an engine").to_owned()
    });
    contract(&client, crate::sim::NAMESPACE, &pod).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_come_through_port_forwards_of_a_real_api_server() {
    let test = "pages_come_through_port_forwards_of_a_real_api_server";
    let Some(real) = real(test).filter(|_| kubectl_is_here(test)) else { return };
    let workload = Workload::new(real, NAMESPACE, WorkloadKind::Deployment, 1).await;
    workload.until_settled().await;
    let pods = workload.kubectl("get pods -o name").expect("pods");
    let pod = pods.lines().next().and_then(|p| p.strip_prefix("pod/")).expect("a pod").to_owned();
    let as_whom = |impersonate: Option<&str>| connect::Options {
        kubeconfig: Some(real.kubeconfig.clone()),
        impersonate: impersonate.map(str::to_owned),
        ..connect::Options::default()
    };
    let client = connect::connect(as_whom(None)).await.expect("a client").client;
    contract(&client, NAMESPACE, &pod).await;

    // The line that is told shows the same page.
    let forward = to(&client, Some(Via::PortForward), NAMESPACE, &pod, 8000);
    let line = forward.reproduce("test");
    let (kubeconfig, typed) = (real.kubeconfig.clone(), line.clone());
    let run = move || Command::new("sh").args(["-c", &typed]).env("KUBECONFIG", kubeconfig).output().expect("a shell");
    let output = tokio::task::spawn_blocking(run).await.expect("it ends");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let page = fetch(&forward).await.expect("a page");
    assert_eq!(families(&shown), families(&page), "{line}: {}", String::from_utf8_lossy(&output.stderr));

    // Who has the rule that stands in for pods/proxy, and not pods/proxy, reads the same.
    let forwarder = "forwarder";
    let wish = Wish {
        name: forwarder.to_owned(),
        namespace: NAMESPACE.to_owned(),
        neighbours: Vec::new(),
        subjects: vec![Subject::User(forwarder.to_owned())],
        read_only: true,
        probe: false,
        namespaced: true,
    };
    let text = manifest(&wish).replace("\"pods/proxy\"", "\"pods/none\"");
    let text = text.replace("# - apiGroups", "- apiGroups").replace("#   ", "  ");
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("rbac.yaml");
    std::fs::write(&file, text).expect("a file");
    workload.kubectl(&format!("apply -f {}", file.display())).expect("it is granted");
    let theirs = connect::connect(as_whom(Some(forwarder))).await.expect("a client").client;
    let page = to(&theirs, None, NAMESPACE, &pod, 8000);
    // The authorizer follows what is applied within a moment.
    let mut tries = 0;
    while let Err(failure) = fetch(&page).await {
        tries += 1;
        assert!(tries < 100, "{failure}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let reached = page.reached();
    assert_eq!(reached.via, Some(Via::PortForward));
    assert!(reached.instead_of().is_some_and(|why| why.contains("allow 'get' on 'pods/proxy'")), "{reached:?}");
    let nobody = connect::connect(as_whom(Some("nobody"))).await.expect("a client").client;
    let refused = fetch(&to(&nobody, None, NAMESPACE, &pod, 8000)).await.expect_err("nothing is allowed").to_string();
    for part in ["allow 'get' on 'pods/proxy'", "allow 'get' and 'create' on 'pods/portforward'"] {
        assert!(refused.contains(part), "no \"{part}\" in {refused}");
    }
}
