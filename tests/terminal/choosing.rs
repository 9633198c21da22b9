//! Without a name: what serves models is offered, and the one that is picked is watched on the same screen.

use std::fs;

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::cluster::{Cluster, deployment};
use crate::program::{Start, piped_in};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/llm/deployments";

/// An API server with these engines; it ends with the runtime.
fn served(names: &[&str]) -> (Runtime, Cluster) {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let cluster = runtime.block_on(async {
        let cluster = Cluster::start().await;
        for name in names {
            cluster.put(DEPLOYMENTS, deployment(name, "vllm/vllm-openai:v1"));
        }
        let groups = json!({"kind": "APIGroupList", "groups": Vec::<Value>::new()}).to_string();
        cluster.fault("/apis?", crate::cluster::Fault::Answer(200, groups));
        cluster
    });
    (runtime, cluster)
}

fn room(cluster: &Cluster, args: &[&str]) -> (tempfile::TempDir, Start) {
    let home = tempfile::tempdir().expect("a folder");
    let kubeconfig = home.path().join("kubeconfig");
    fs::write(&kubeconfig, cluster.kubeconfig("llm")).expect("a kubeconfig");
    let text = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let start = Start::warroom(args).env("KUBECONFIG", &text(&kubeconfig)).env("HOME", &text(home.path()));
    (home, start)
}

#[test]
fn several_engines_are_offered_and_the_chosen_one_is_watched_and_later_another() {
    let (_runtime, cluster) = served(&["alpha", "beta"]);
    let (_home, start) = room(&cluster, &[]);
    let program = start.size(100, 30).start();
    program.until_text("deploy/beta");
    program.key("j");
    program.key("\r");
    program.until_text("test/llm/deploy/beta");
    program.key(":");
    program.until_text("filter:");
    program.until_text("deploy/alpha");
    program.key("alpha\r");
    program.until_text("test/llm/deploy/alpha");
    program.key("q");
    program.ended().in_order(0);
}

#[test]
fn the_only_engine_is_watched_at_once_and_q_leaves_a_choice() {
    let (_runtime, cluster) = served(&["alpha"]);
    let (_home, start) = room(&cluster, &[]);
    let program = start.start();
    program.until_text("test/llm/deploy/alpha");
    program.key("\x03");
    program.ended().in_order(130);
    let (_runtime, cluster) = served(&["alpha", "beta"]);
    let (_home, start) = room(&cluster, &[]);
    let program = start.start();
    program.until_text("deploy/beta");
    program.key("q");
    program.ended().in_order(0);
}

#[test]
fn without_a_terminal_the_list_is_named_that_prints() {
    let (code, _, stderr) = piped_in(&[], Vec::<&str>::new());
    assert_eq!(code, Some(2));
    assert!(stderr.contains("'warroom discover' lists what serves models"), "{stderr}");
}
