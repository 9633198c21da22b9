//! The simulated cluster by itself: controllers, scheduler, kubelets and autoscaler in virtual time.

#[path = "support/sim.rs"]
mod sim;

use serde_json::Value;
use sim::{ARGS, LOAD_S, NAMESPACE, OPENS, engines, setup};
use warroom::domain::At;
use warroom::sim::cluster::Kind;
use warroom::sim::scenario::Scenario;
use warroom::sim::serving::Model;
use warroom::sim::world::{Act, Setup, World};

const BEGINS: At = At(OPENS - 1_800_000);

fn world(setup: &Setup, waiting: f64) -> World {
    World::new(setup, engines(waiting), BEGINS, 7)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn int(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn ours(world: &World, kind: Kind) -> Vec<Value> {
    world.objects(kind).into_iter().filter(|o| text(o, "/metadata/namespace") == NAMESPACE).collect()
}

fn deployment(world: &World) -> Value {
    ours(world, Kind::Deployment).pop().expect("the deployment")
}

fn revision(set: &Value) -> u64 {
    set["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
        .as_str()
        .and_then(|r| r.parse().ok())
        .unwrap_or(0)
}

/// Revision, wanted and ready replicas of each set, oldest revision first.
fn sets(world: &World) -> Vec<(u64, i64, i64)> {
    let mut sets: Vec<_> = ours(world, Kind::ReplicaSet)
        .iter()
        .map(|s| (revision(s), int(s, "/spec/replicas"), int(s, "/status/readyReplicas")))
        .collect();
    sets.sort_unstable();
    sets
}

fn said(world: &World, reason: &str) -> Vec<String> {
    let mut events: Vec<Value> =
        ours(world, Kind::Event).into_iter().filter(|e| text(e, "/reason") == reason).collect();
    events.sort_by_key(|e| {
        let version: u64 = text(e, "/metadata/resourceVersion").parse().unwrap_or(0);
        (text(e, "/firstTimestamp").to_owned(), version)
    });
    events.iter().map(|e| text(e, "/message").to_owned()).collect()
}

fn template(cause: &str, args: &[&str]) -> Act {
    Act::Template {
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        image: "vllm/vllm-openai:v0.32.0".to_owned(),
        cause: cause.to_owned(),
        by: "kubectl".into(),
        probes: None,
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> (&'a str, &'a str) {
    let all = object.pointer("/status/conditions").and_then(Value::as_array).expect("conditions");
    let found = all.iter().find(|c| text(c, "/type") == kind).expect("the condition");
    (text(found, "/status"), text(found, "/reason"))
}

#[test]
fn the_same_seed_gives_the_same_run_in_whatever_steps_time_passes() {
    let mut setup = setup();
    setup.acts = vec![(200.0, template("more", &["llama", "--max-num-seqs=512"])), (400.0, Act::Scale(3))];
    let (mut at_once, mut in_steps, mut other) =
        (world(&setup, 25.0), world(&setup, 25.0), World::new(&setup, engines(25.0), BEGINS, 8));
    let ends = BEGINS.plus(900.0);
    at_once.advance(ends);
    other.advance(ends);
    while in_steps.now() < ends {
        let next = in_steps.now().plus(0.7);
        in_steps.advance(next.min(ends));
    }
    for kind in [Kind::Pod, Kind::ReplicaSet, Kind::Deployment, Kind::Event, Kind::EndpointSlice, Kind::Autoscaler] {
        assert_eq!(at_once.objects(kind), in_steps.objects(kind), "{kind:?}");
    }
    assert_ne!(at_once.objects(Kind::Pod), other.objects(Kind::Pod), "another seed is another run");
}

#[test]
fn the_founding_incident_is_the_same_in_whatever_steps_time_passes() {
    let scenario = Scenario::named("bad-rollout").expect("a scenario");
    let open = || World::new(&Setup::from(&scenario), Box::new(Model::new(&scenario, 3, BEGINS)), BEGINS, 3);
    let ends = BEGINS.plus(1500.0);
    let (mut at_once, mut in_steps) = (open(), open());
    at_once.advance(ends);
    while in_steps.now() < ends {
        let next = in_steps.now().plus(3.3);
        in_steps.advance(next.min(ends));
    }
    assert_eq!(at_once.endpoints(), in_steps.endpoints());
    for kind in [Kind::Pod, Kind::Event] {
        assert_eq!(at_once.objects(kind), in_steps.objects(kind), "{kind:?}");
    }
}

#[test]
fn when_the_demo_opens_the_extra_replica_still_loads_because_it_came_late_and_loading_takes_long() {
    let scenario = Scenario::named("bad-rollout").expect("a scenario");
    let loads_s = scenario.model.weights_gb / scenario.workload.load_gb_per_s + scenario.workload.warm_up.0;
    for seed in [1, 2, 3] {
        let begins = At(OPENS).plus(-scenario.opens_s());
        let mut world =
            World::new(&Setup::from(&scenario), Box::new(Model::new(&scenario, seed, begins)), begins, seed);
        let new = |world: &World| -> Vec<Value> {
            let mut pods = world.objects(Kind::Pod);
            pods.retain(|p| text(p, "/metadata/name").starts_with("vllm-runtime-"));
            pods
        };
        let ready = |pod: &Value| condition(pod, "Ready").0 == "True";
        world.advance(At(OPENS));
        let pods = new(&world);
        let loading: Vec<&Value> = pods.iter().filter(|p| !ready(p)).collect();
        assert_eq!((pods.len(), loading.len()), (3, 1), "seed {seed}");
        // The autoscaler asked for it because of the incident, and not long enough ago.
        assert!(said(&world, "SuccessfulRescale").last().is_some_and(|m| m.starts_with("New size: 3")), "seed {seed}");
        let name = text(loading[0], "/metadata/name").to_owned();
        let started = text(loading[0], "/status/containerStatuses/0/state/running/startedAt");
        let started: jiff::Timestamp = started.parse().expect("it runs");
        let age = At(OPENS).since(At(started.as_millisecond()));
        assert!((60.0..loads_s).contains(&age), "seed {seed}: {age} s of {loads_s} s");
        // Nothing else holds it back: as soon as it has loaded it is Ready, as the others were.
        let at = (OPENS..OPENS + 600_000).step_by(5000).map(At).find(|at| {
            world.advance(*at);
            new(&world).iter().any(|p| text(p, "/metadata/name") == name && ready(p))
        });
        let took = at.expect("it becomes Ready").since(At(started.as_millisecond()));
        assert!((loads_s..loads_s + 60.0).contains(&took), "seed {seed}: Ready after {took} s of {loads_s} s");
    }
}

#[test]
fn pods_load_become_ready_and_are_routed_to() {
    let mut world = world(&setup(), 0.0);
    world.advance(BEGINS.plus(30.0));
    assert!(
        ours(&world, Kind::Pod)
            .iter()
            .all(|p| text(p, "/status/phase") == "Running" && condition(p, "Ready").0 == "False")
    );
    assert_eq!(condition(&deployment(&world), "Available"), ("False", "MinimumReplicasUnavailable"));
    world.advance(BEGINS.plus(LOAD_S + 30.0));
    let pods = ours(&world, Kind::Pod);
    assert!(pods.len() == 2 && pods.iter().all(|p| condition(p, "Ready").0 == "True"));
    let slice = ours(&world, Kind::EndpointSlice).pop().expect("a slice");
    assert_eq!(slice["endpoints"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (slice["ports"][0]["port"].as_u64(), slice["endpoints"][0]["conditions"]["ready"].as_bool()),
        (Some(8000), Some(true))
    );
    assert_eq!(condition(&deployment(&world), "Progressing"), ("True", "NewReplicaSetAvailable"));
    assert_eq!(sets(&world), [(40, 0, 0), (41, 2, 2)]);
    assert!(said(&world, "Unhealthy")[0].starts_with("Startup probe failed: Get \"http://10.244."));
}

#[test]
fn a_rollout_keeps_old_pods_until_new_ones_are_ready_and_tells_what_it_does() {
    let mut setup = setup();
    setup.acts = vec![(300.0, template("more sequences", &["llama", "--max-num-seqs=512"]))];
    let mut world = world(&setup, 0.0);
    world.advance(BEGINS.plus(305.0));
    assert_eq!(sets(&world), [(40, 0, 0), (41, 2, 2), (42, 1, 0)]);
    assert_eq!(condition(&deployment(&world), "Progressing").1, "ReplicaSetUpdated");
    world.advance(BEGINS.plus(700.0));
    assert_eq!(sets(&world), [(40, 0, 0), (41, 0, 0), (42, 2, 2)]);
    let deployment = deployment(&world);
    assert_eq!(condition(&deployment, "Progressing"), ("True", "NewReplicaSetAvailable"));
    assert_eq!(int(&deployment, "/metadata/generation"), int(&deployment, "/status/observedGeneration"));
    let scaled: Vec<String> = said(&world, "ScalingReplicaSet")
        .iter()
        .map(|m| {
            m.split_whitespace().enumerate().filter(|(at, _)| *at != 4).map(|(_, w)| w).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(
        scaled,
        [
            "Scaled up replica set from 0 to 1",
            "Scaled down replica set from 2 to 1",
            "Scaled up replica set from 1 to 2",
            "Scaled down replica set from 1 to 0",
        ]
    );
}

#[test]
fn a_template_that_was_there_before_comes_back_under_a_new_number_in_its_old_set() {
    let mut setup = setup();
    setup.acts =
        vec![(300.0, template("more sequences", &["llama", "--max-num-seqs=512"])), (900.0, template("back", ARGS))];
    let mut world = world(&setup, 0.0);
    world.advance(BEGINS.plus(600.0));
    let old = ours(&world, Kind::ReplicaSet).into_iter().find(|s| revision(s) == 41).expect("41");
    world.advance(BEGINS.plus(1500.0));
    assert_eq!(sets(&world), [(40, 0, 0), (42, 0, 0), (43, 2, 2)]);
    let back = ours(&world, Kind::ReplicaSet).into_iter().find(|s| revision(s) == 43).expect("43");
    assert_eq!(back["metadata"]["uid"], old["metadata"]["uid"], "the oldest set with this template");
    let notes = &back["metadata"]["annotations"];
    assert_eq!(notes["deployment.kubernetes.io/revision-history"], "41");
    assert_eq!(notes["kubernetes.io/change-cause"], "back");
    assert_eq!(deployment(&world)["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "43");
}

#[test]
fn what_finds_no_gpu_stays_pending_and_the_deadline_says_so() {
    let mut setup = setup();
    setup.manifests[2]["spec"]["replicas"] = 4.into();
    setup.manifests[2]["spec"]["progressDeadlineSeconds"] = 120.into();
    setup.acts = vec![(300.0, template("more", &["llama", "--max-num-seqs=512"]))];
    setup.manifests.pop();
    let mut world = world(&setup, 0.0);
    world.advance(BEGINS.plus(440.0));
    assert_eq!(sets(&world), [(40, 0, 0), (41, 4, 4), (42, 1, 0)], "no room for the surge, so nothing moves");
    let message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available: 3 No \
                   preemption victims found for incoming pod.";
    assert_eq!(said(&world, "FailedScheduling"), [message]);
    let pending =
        ours(&world, Kind::Pod).into_iter().find(|p| text(p, "/spec/nodeName").is_empty()).expect("one waits");
    assert_eq!(condition(&pending, "PodScheduled"), ("False", "Unschedulable"));
    assert_eq!(condition(&deployment(&world), "Progressing"), ("False", "ProgressDeadlineExceeded"));
}

#[test]
fn the_autoscaler_grows_with_waiting_requests_and_waits_for_pods_that_say_nothing_yet() {
    let mut world = world(&setup(), 25.0);
    world.advance(BEGINS.plus(110.0));
    let replicas = |world: &World| int(&deployment(world), "/spec/replicas");
    // 2.5 times the target: two pods ask for five, and at most doubling or four more are allowed at once.
    assert_eq!(
        said(&world, "SuccessfulRescale")[0],
        "New size: 5; reason: pods metric vllm:num_requests_waiting above target"
    );
    assert_eq!(replicas(&world), 5, "three that load hold it back");
    let pending = ours(&world, Kind::Pod).iter().filter(|p| text(p, "/spec/nodeName").is_empty()).count();
    assert_eq!(pending, 1, "16 GPUs are enough for four");
    world.advance(BEGINS.plus(600.0));
    assert_eq!(replicas(&world), 6, "the maximum");
    let scaler = ours(&world, Kind::Autoscaler).pop().expect("one");
    assert_eq!(condition(&scaler, "ScalingLimited"), ("True", "TooManyReplicas"));
}

#[test]
fn an_autoscaler_takes_back_at_once_what_a_person_scaled_by_hand() {
    let mut setup = setup();
    setup.acts = vec![(300.0, Act::Scale(8))];
    let mut world = world(&setup, 0.0);
    world.advance(BEGINS.plus(330.0));
    // What it holds back for five minutes are its own proposals, and those were the minimum.
    assert_eq!(int(&deployment(&world), "/spec/replicas"), 2);
}

#[test]
fn a_process_that_dies_is_started_again_after_longer_and_longer_pauses() {
    let mut setup = setup();
    setup.acts = vec![(300.0, template("broken", &["llama", "--die-after=5"]))];
    let mut world = world(&setup, 0.0);
    world.advance(BEGINS.plus(420.0));
    let pod = ours(&world, Kind::Pod)
        .into_iter()
        .find(|p| p["spec"]["containers"][0]["args"][1] == "--die-after=5")
        .expect("a pod of the new revision");
    let status = &pod["status"]["containerStatuses"][0];
    assert!(int(status, "/restartCount") >= 2, "{status}");
    assert_eq!(
        (text(status, "/lastState/terminated/reason"), int(status, "/lastState/terminated/exitCode")),
        ("Error", 1)
    );
    assert_eq!(sets(&world), [(40, 0, 0), (41, 2, 2), (42, 1, 0)], "the old ones go on serving");
    assert!(said(&world, "BackOff")[0].starts_with("Back-off restarting failed container vllm in pod vllm-runtime-"));
}

#[test]
fn a_deleted_pod_is_replaced_and_gone_after_its_processes_have_ended() {
    let mut setup = setup();
    setup.acts = vec![(300.0, Act::DeletePods(1))];
    let mut world = world(&setup, 0.0);
    world.advance(BEGINS.plus(301.0));
    let pods = ours(&world, Kind::Pod);
    let ending: Vec<_> = pods.iter().filter(|p| !text(p, "/metadata/deletionTimestamp").is_empty()).collect();
    assert_eq!((pods.len(), ending.len()), (3, 1));
    let slice = ours(&world, Kind::EndpointSlice).pop().expect("a slice");
    let ended =
        slice["endpoints"].as_array().expect("endpoints").iter().find(|e| e["conditions"]["terminating"] == true);
    assert_eq!(ended.expect("it drains")["conditions"]["ready"], false);
    world.advance(BEGINS.plus(320.0));
    assert_eq!(ours(&world, Kind::Pod).len(), 2);
}

#[test]
fn two_hours_of_a_quiet_cluster_pass_quickly() {
    let start = warroom::clock::monotonic();
    let mut world = world(&setup(), 0.0);
    world.advance(BEGINS.plus(7200.0));
    let took = warroom::clock::ms_since(start);
    assert!(took < 10_000, "{took} ms");
    assert_eq!(sets(&world), [(40, 0, 0), (41, 2, 2)]);
}
