//! Real kubectl against the simulated cluster: it works, and prints what it prints on a cluster. Columns and words are
//! compared, not bytes, because kubectl's own versions differ in those.

#[path = "support/sim.rs"]
mod sim;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use sim::{NAME, engines, setup};
use warroom::sim::serve::{Handle, Options, serve};
use warroom::sim::world::{Act, Setup};

/// A simulated cluster with a kubeconfig, and a home of its own for kubectl's caches.
struct Cluster {
    runtime: tokio::runtime::Runtime,
    handle: Option<Handle>,
    home: tempfile::TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.handle.take();
    }
}

impl Cluster {
    /// `None` where there is no kubectl; the test that asks is then reported as skipped.
    fn open(test: &str, setup: Setup) -> Option<Self> {
        if Command::new("kubectl").args(["version", "--client"]).output().is_err() {
            // Straight to the stream: what the macros print is swallowed where a test passes, and a skip is to be seen.
            let _ = writeln!(std::io::stderr(), "skipped: {test} (there is no kubectl)");
            return None;
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        // kubectl looks at this machine's clock: the simulation opens now.
        let handle = runtime.block_on(serve(setup, |_| engines(0.0), Options::default())).expect("it opens");
        let home = tempfile::tempdir().expect("a directory");
        handle.write_kubeconfig(&home.path().join("kubeconfig")).expect("a kubeconfig");
        Some(Self { runtime, handle: Some(handle), home })
    }

    fn skip(&self, seconds: f64) {
        self.handle.as_ref().expect("open").skip(seconds);
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    /// Runs kubectl: whether it succeeded, and what it said on both streams.
    fn run(&self, arguments: &str) -> (bool, String) {
        let output = Command::new("kubectl")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("KUBECONFIG", self.path().join("kubeconfig"))
            .args(arguments.split_whitespace())
            .output()
            .expect("kubectl runs");
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), said)
    }

    /// The same where it has to succeed.
    fn ok(&self, arguments: &str) -> String {
        let (good, said) = self.run(arguments);
        assert!(good, "kubectl {arguments}: {said}");
        said
    }
}

/// The columns of every table in what `kubectl get` printed.
fn headings(said: &str) -> Vec<String> {
    let is_heading = |line: &&str| line.starts_with("NAME ") || line.starts_with("LAST SEEN ");
    said.lines().filter(is_heading).map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn get_prints_the_columns_that_it_prints_on_a_cluster() {
    let Some(cluster) = Cluster::open("get_prints_the_columns_that_it_prints_on_a_cluster", setup()) else { return };
    let said = cluster.ok("get pods,deploy,rs,hpa,events -o wide");
    assert_eq!(
        headings(&said),
        [
            "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES",
            "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR",
            "NAME DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR",
            "NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE",
            "LAST SEEN TYPE REASON OBJECT SUBOBJECT SOURCE MESSAGE FIRST SEEN COUNT NAME",
        ]
    );
    let pod: Vec<&str> = said.lines().nth(1).expect("a pod").split_whitespace().collect();
    assert_eq!((&pod[1..5], pod[6].starts_with("gpu-")), (&["1/1", "Running", "0", "30m"][..], true));
    assert!(said.contains("Successfully assigned llm-serving/vllm-runtime-"));
    assert_eq!(headings(&cluster.ok("get nodes")), ["NAME STATUS ROLES AGE VERSION"]);
    assert_eq!(headings(&cluster.ok("get svc,endpointslices,ds -A")).len(), 0, "with a namespace in front");
    assert_eq!(cluster.ok("get pods -A --no-headers --chunk-size=2").lines().count(), 5);
    assert!(cluster.ok("get pods -l app=nobody").contains("No resources found in llm-serving namespace."));
    assert!(cluster.ok("get pods --field-selector status.phase=Running -o name").starts_with("pod/vllm-runtime-"));
}

#[test]
fn describe_and_logs_read_as_on_a_cluster() {
    let Some(cluster) = Cluster::open("describe_and_logs_read_as_on_a_cluster", setup()) else { return };
    let pod = cluster.ok("get pods -o name").lines().next().expect("a pod").to_owned();
    let said = cluster.ok(&format!("describe {pod}"));
    for line in [
        "Controlled By:  ReplicaSet/vllm-runtime-",
        "PodReadyToStartContainers   True",
        "From               Message",
        "default-scheduler  Successfully assigned",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    let said = cluster.ok("describe deploy vllm-runtime");
    for line in [
        "2 desired | 2 updated | 2 total | 2 available | 0 unavailable",
        "NewReplicaSetAvailable",
        "RollingUpdateStrategy:  0 max unavailable, 1 max surge",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    assert!(cluster.ok("describe hpa vllm-runtime").contains("ValidMetricFound"));
    assert!(cluster.ok("describe node gpu-1").contains("nvidia.com/gpu"));
    let said = cluster.ok(&format!("logs {pod} --tail 1 --timestamps"));
    assert!(said.lines().count() == 1 && said.contains("Z INFO Application startup complete."), "{said}");
}

#[test]
fn scale_is_followed_by_pods_and_by_events() {
    let mut setup = setup();
    setup.manifests.pop();
    let Some(cluster) = Cluster::open("scale_is_followed_by_pods_and_by_events", setup) else { return };
    assert!(cluster.ok("scale deploy/vllm-runtime --replicas=3").contains("deployment.apps/vllm-runtime scaled"));
    cluster.skip(5.0);
    assert_eq!(cluster.ok("get pods --no-headers").lines().count(), 3);
    assert!(cluster.ok("get events").contains(" from 2 to 3"));
    let (good, said) = cluster.run("scale deploy/vllm-runtime --current-replicas=2 --replicas=4");
    assert!(!good && said.contains("Expected replicas to be 2, was 3"), "{said}");
    cluster.skip(120.0);
    assert!(cluster.ok("rollout status deploy/vllm-runtime --timeout=20s").contains("successfully rolled out"));
}

#[test]
fn undo_brings_the_template_back_under_a_new_number() {
    let mut setup = setup();
    let args = ["llama", "--served-model-name=llama-3-70b", "--max-num-seqs=512"].map(str::to_owned).to_vec();
    setup.acts = vec![(
        600.0,
        Act::Template {
            args,
            image: "vllm/vllm-openai:v0.32.0".into(),
            cause: "more sequences per batch".into(),
            by: "kubectl".into(),
            probes: None,
        },
    )];
    let Some(cluster) = Cluster::open("undo_brings_the_template_back_under_a_new_number", setup) else { return };
    let history = |cluster: &Cluster| {
        let said = cluster.ok("rollout history deploy/vllm-runtime");
        said.lines()
            .filter(|l| l.starts_with(|c: char| c.is_ascii_digit()))
            .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    let template =
        |cluster: &Cluster| cluster.ok("get deploy vllm-runtime -o jsonpath={.spec.template.spec.containers[0].args}");
    assert_eq!(history(&cluster), ["40 vllm 0.31.0", "41 vllm 0.32.0", "42 more sequences per batch"]);
    assert!(template(&cluster).contains("512"));
    assert!(cluster.ok("rollout history deploy/vllm-runtime --revision=42").contains("--max-num-seqs=512"));
    assert!(cluster.ok("rollout undo deploy/vllm-runtime --dry-run=server").contains("rolled back (server dry run)"));
    assert!(template(&cluster).contains("512"), "a dry run keeps nothing");
    assert!(cluster.ok("rollout undo deploy/vllm-runtime").contains("deployment.apps/vllm-runtime rolled back"));
    assert!(template(&cluster).contains("256"));
    cluster.skip(3.0);
    assert_eq!(history(&cluster), ["40 vllm 0.31.0", "42 more sequences per batch", "43 vllm 0.32.0"]);
    let (good, said) = cluster.run("rollout status deploy/vllm-runtime --timeout=1s");
    assert!(!good && said.contains("Waiting for deployment \"vllm-runtime\" rollout to finish: 1 out of 2 new replicas have been updated..."), "{said}");
    cluster.skip(400.0);
    assert!(cluster.ok("rollout status deploy/vllm-runtime --timeout=20s").contains("successfully rolled out"));
    let (_, said) = cluster.run("rollout undo deploy/vllm-runtime --to-revision=43");
    assert!(said.contains("skipped rollback (current template already matches revision 43)"), "{said}");
}

#[test]
fn pause_restart_annotate_set_cordon_and_delete_work() {
    let Some(cluster) = Cluster::open("pause_restart_annotate_set_cordon_and_delete_work", setup()) else { return };
    let deploy = format!("deploy/{NAME}");
    assert!(cluster.ok(&format!("rollout pause {deploy}")).contains("paused"));
    let (good, said) = cluster.run(&format!("rollout undo {deploy}"));
    assert!(!good && said.contains("you cannot rollback a paused deployment"), "{said}");
    cluster.ok(&format!("set image {deploy} vllm=vllm/vllm-openai:v0.33.0"));
    cluster.skip(5.0);
    assert_eq!(cluster.ok("get rs --no-headers").lines().count(), 2, "nothing is rolled out meanwhile");
    assert!(cluster.ok(&format!("rollout resume {deploy}")).contains("resumed"));
    cluster.skip(5.0);
    assert_eq!(cluster.ok("get rs --no-headers").lines().count(), 3);
    let annotate = format!("annotate {deploy} ticket");
    assert!(cluster.ok(&format!("{annotate}=INC-1")).contains("annotated"));
    let (good, said) = cluster.run(&format!("{annotate}=INC-2"));
    assert!(!good && said.contains("--overwrite is false"), "{said}");
    assert!(cluster.ok(&format!("{annotate}=INC-2 --overwrite")).contains("annotated"));
    assert!(cluster.ok(&format!("rollout restart {deploy}")).contains("restarted"));
    assert!(cluster.ok(&format!("set env {deploy} VLLM_LOGGING_LEVEL=DEBUG")).contains("env updated"));
    assert!(cluster.ok("cordon gpu-2").contains("cordoned"));
    assert!(cluster.ok("get node gpu-2").contains("Ready,SchedulingDisabled"));
    let pod = cluster.ok("get pods -o name").lines().next().expect("a pod").to_owned();
    assert!(cluster.ok(&format!("delete {pod} --wait=false")).contains("deleted"));
    cluster.skip(10.0);
    assert!(!cluster.ok("get pods -o name").contains(&pod));
}

#[test]
fn kubectl_is_told_that_ports_are_forwarded_in_another_protocol() {
    let Some(cluster) = Cluster::open("kubectl_is_told_that_ports_are_forwarded_in_another_protocol", setup()) else {
        return;
    };
    let pods = cluster.ok("get pods -o name");
    let (good, said) = cluster.run(&format!("port-forward {} :8000", pods.lines().next().expect("a pod")));
    assert!(!good && said.contains("the simulated cluster forwards ports"), "{said}");
}
