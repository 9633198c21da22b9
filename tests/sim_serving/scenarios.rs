//! The built-in scenarios: the symptoms that a cause should have are there, and are gone where the cause is.

use warroom::domain::{Dist, Gauge, Page, Total, Values};
use warroom::sim::scenario::{Change, GatewayPage, Rollout, Scenario, ScenarioError, Seconds};
use warroom::sim::serving::Serving as _;

use crate::fleet::{Fleet, Window};

const SEED: u64 = 7;

fn scenario(name: &str) -> Scenario {
    Scenario::named(name).expect("a built-in scenario")
}

/// The last minutes before the screen opens.
fn at_opening(scenario: &Scenario) -> (Fleet, Window) {
    let mut fleet = Fleet::new(scenario, SEED);
    let opens = scenario.opens_s();
    let window = fleet.between(opens - 240.0, opens);
    (fleet, window)
}

/// The share of requests that is promised to be late at most.
fn allowed(scenario: &Scenario) -> f64 {
    1.0 - scenario.slo.objective
}

fn gateway(fleet: &Fleet) -> Values {
    match fleet.read(&fleet.model.gateway_page()) {
        Page::Gateway(page) => page.replicas[0].values.clone(),
        other => panic!("not a gateway's page: {other:?}"),
    }
}

#[test]
fn every_built_in_scenario_can_be_read_and_is_called_as_its_file() {
    let all = Scenario::all().expect("scenarios");
    let names: Vec<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(names, Scenario::names());
    assert_eq!(names[0], "bad-rollout", "the default comes first");
    assert_eq!(names.len(), 14);
}

#[test]
fn the_founding_incident_goes_from_two_seconds_to_fourteen_because_of_a_flag() {
    let founding = scenario("bad-rollout");
    let mut fleet = Fleet::new(&founding, SEED);
    let before = fleet.between(3600.0, 6300.0);
    let (p95, late) = (before.quantile(Dist::Ttft, 0.95), before.late(2.5));
    assert!((1.5..2.5).contains(&p95) && late < 0.01, "before: p95 {p95}, late {late}");
    assert_eq!(before.total(Total::Preemptions), 0.0);

    let opens = founding.opens_s();
    let after = fleet.between(opens - 120.0, opens);
    let p95 = after.quantile(Dist::Ttft, 0.95);
    assert!((11.0..18.0).contains(&p95), "after: p95 {p95}");
    assert!(after.late(2.5) > 0.8, "nearly everybody waits");
    assert!(after.total(Total::Preemptions) > 50.0, "the cache is fought for");
    assert!(after.mean(Dist::Queue) > 0.8 * after.mean(Dist::Ttft), "the time is waited, not computed");

    // Errors are few, the replicas answer, and the autoscaler's is still loading.
    let gateway = gateway(&fleet);
    let requests = gateway.total(Total::GatewayRequests).expect("requests");
    assert!(gateway.total(Total::GatewayErrors).expect("errors") < 0.001 * requests);
    assert_eq!(fleet.serving().len(), 2);
    assert_eq!(fleet.starting(), 1, "{:?}", fleet.log);
    // More replicas of the same have too little cache each: the promise stays broken when it serves.
    let later = fleet.between(opens + 900.0, opens + 1200.0);
    assert_eq!(fleet.serving().len(), 3);
    assert!(later.late(2.5) > 10.0 * allowed(&founding), "{}", later.line());
}

#[test]
fn each_cause_breaks_the_promise_or_shows_in_its_own_place() {
    for name in
        ["kv-thrash", "long-prompts", "traffic-surge", "thermal", "cold-start", "innocent-deploy", "one-slow-replica"]
    {
        let scenario = scenario(name);
        let (_, window) = at_opening(&scenario);
        assert!(window.late(2.5) > 5.0 * allowed(&scenario), "{name}: {}", window.line());
    }
}

#[test]
fn without_what_was_changed_every_scenario_keeps_the_promise() {
    for scenario in Scenario::all().expect("scenarios") {
        let name = scenario.name.clone();
        let (_, window) = at_opening(&scenario.without_changes());
        assert!(window.late(2.5) <= 0.01, "{name}: {}", window.line());
        assert!(window.dist_share_above(Dist::Itl, 0.1) < 0.01, "{name}: {}", window.line());
    }
}

#[test]
fn the_flag_taken_back_heals() {
    let mut founding = scenario("bad-rollout");
    let set = vec!["--max-num-seqs=256".to_owned(), "--gpu-memory-utilization=0.90".to_owned()];
    let undo = Rollout { cause: "back to 41".to_owned(), set, ..Rollout::default() };
    let at = Seconds(founding.opens_s());
    founding.changes.push(Change { at, rollout: Some(undo), ..Change::default() });
    let mut fleet = Fleet::new(&founding, SEED);
    let after = founding.opens_s() + 1200.0;
    let healed = fleet.between(after, after + 300.0);
    assert!(healed.late(2.5) <= 0.01, "{}", healed.line());
}

#[test]
fn the_same_flag_at_a_tenth_of_the_traffic_is_harmless() {
    let mut founding = scenario("bad-rollout");
    for traffic in &mut founding.traffic {
        traffic.rate /= 10.0;
        traffic.users /= 10;
    }
    let (_, window) = at_opening(&founding);
    assert!(window.late(2.5) <= 0.01, "{}", window.line());
}

#[test]
fn the_same_seed_gives_the_same_run_in_whatever_steps_time_passes() {
    let founding = scenario("bad-rollout");
    let pages = |seed, step_s| {
        let mut fleet = Fleet::new(&founding, seed).stepping(step_s);
        fleet.until(founding.opens_s() - 300.0);
        let mut pages: Vec<String> = fleet.serving().iter().map(|pod| fleet.model.page(pod).expect("a page")).collect();
        pages.push(fleet.model.gateway_page());
        pages.push(fleet.model.gpu_page("gpu-a-1").expect("a page"));
        pages
    };
    let run = pages(SEED, 1.0);
    assert!(run == pages(SEED, 1.0), "the same again");
    assert!(run == pages(SEED, 0.137), "in other steps");
    assert!(run != pages(SEED + 1, 1.0), "another seed is another run");
}

#[test]
fn two_hours_are_a_matter_of_some_hundred_thousand_steps() {
    let mut fleet = Fleet::new(&scenario("healthy"), SEED);
    let all = fleet.between(0.0, 7200.0);
    let steps = all.total(Total::Steps);
    assert!((50_000.0..1_500_000.0).contains(&steps), "{steps}");
}

#[test]
fn a_hot_node_lowers_its_clocks_and_its_replica_computes_prompts_more_slowly() {
    let (mut fleet, _) = at_opening(&scenario("thermal"));
    let gpus = |fleet: &Fleet, node: &str| match fleet.read(&fleet.model.gpu_page(node).expect("a page")) {
        Page::Gpus(page) => page.gpus,
        other => panic!("not a GPU exporter's page: {other:?}"),
    };
    let (hot, cool) = (gpus(&fleet, "gpu-a-1"), gpus(&fleet, "gpu-a-2"));
    let (hot_one, cool_one) = (&hot[0], &cool[0]);
    assert_eq!(hot_one.pod.as_deref(), Some("vllm-runtime-0-1"));
    let clock = |gpu: &warroom::domain::GpuReading| gpu.sample.sm_clock_hz.expect("a clock");
    assert!(clock(hot_one) < 0.8 * clock(cool_one), "{hot_one:?} beside {cool_one:?}");
    assert_ne!(hot_one.sample.event_reasons.expect("reasons") & 0x60, 0, "for heat");
    assert_eq!(cool_one.sample.event_reasons.expect("reasons") & 0x68, 0);
    assert!(hot_one.sample.temperature_c.expect("a temperature") > 80.0);
    assert!(hot_one.sample.thermal_throttle_s.expect("a time") > 30.0);

    let phases: Vec<f64> = fleet
        .pages()
        .iter()
        .map(|(_, page)| {
            page.replicas[0].values.dist(Dist::Prefill).and_then(warroom::domain::Histogram::mean).expect("prefills")
        })
        .collect();
    assert!(phases[0] > 1.1 * phases[1], "{phases:?}");
}

#[test]
fn a_slow_gateway_is_slow_by_itself_and_its_engines_are_not() {
    let scenario = scenario("gateway");
    let (mut fleet, engines) = at_opening(&scenario);
    assert!(engines.late(2.5) <= 0.01, "{}", engines.line());
    let before = gateway(&fleet);
    fleet.until(scenario.opens_s() + 300.0);
    let after = gateway(&fleet);
    let mean = |dist| {
        let between = after.dist(dist).expect("times").view().since(before.dist(dist).expect("times").view());
        between.mean().expect("requests")
    };
    let own = mean(Dist::GatewayTotal) - mean(Dist::GatewayUpstream);
    assert!((2.5..4.5).contains(&own), "{own} s of its own");
    assert_eq!(after.gauge(Gauge::GatewayHealthy), Some(2.0));
}

#[test]
fn a_gateway_of_models_measures_between_tokens_what_its_engines_do_once_per_request() {
    let mut scenario = scenario("healthy");
    scenario.gateway.page = GatewayPage::Ai;
    let (fleet, engines) = at_opening(&scenario);
    let values = gateway(&fleet);
    let (first, per_token) = (values.dist(Dist::GatewayTtft), values.dist(Dist::GatewayTpot));
    let (first, per_token) = first.zip(per_token).expect("both");
    assert!(per_token.count > 100.0 && per_token.count <= first.count, "{} of {}", per_token.count, first.count);
    let (seen, told) = (per_token.mean().expect("requests"), engines.mean(Dist::Itl));
    assert!((0.7..1.5).contains(&(seen / told)), "{seen} s at the gateway, {told} s in the engines");
}

#[test]
fn a_hanging_engine_answers_and_its_page_stands_still() {
    let scenario = scenario("stalled");
    let mut fleet = Fleet::new(&scenario, SEED);
    fleet.until(scenario.opens_s());
    let pod = fleet.serving()[0].clone();
    let of = |fleet: &mut Fleet| fleet.pages().into_iter().find(|(name, _)| *name == pod).expect("a page").1;
    let before = of(&mut fleet).replicas[0].values.clone();
    assert_eq!(fleet.model.health(&pod), Some(200));
    fleet.until(scenario.opens_s() + 120.0);
    let after = of(&mut fleet).replicas[0].values.clone();
    assert_eq!(after.total(Total::GenerationTokens), before.total(Total::GenerationTokens));
    assert_eq!(after.gauge(Gauge::Running), before.gauge(Gauge::Running));
    assert!(after.gauge(Gauge::Running).expect("a gauge") > 0.0);
    assert!(after.gauge(Gauge::OpenFiles) >= before.gauge(Gauge::OpenFiles), "its clients hang on");
}

#[test]
fn one_slow_replica_is_slow_alone() {
    let (mut fleet, _) = at_opening(&scenario("one-slow-replica"));
    let itl: Vec<f64> = fleet.recent(Dist::Itl, 120.0);
    assert!(itl[0] > 2.0 * itl[1] && itl[0] > 2.0 * itl[2], "{itl:?}");
}

#[test]
fn a_prompts_cache_comes_as_fast_as_the_link_and_neither_pool_computes_longer() {
    let (fleet, broken) = at_opening(&scenario("slow-link"));
    let (_, well) = at_opening(&scenario("slow-link").without_changes());
    let transfer = |window: &Window| window.mean(Dist::KvTransfer);
    // 3,000 tokens of 320 KiB are about a gigabyte.
    assert!(transfer(&well) < 0.1, "{}", transfer(&well));
    assert!(transfer(&broken) > 1.0, "{}", transfer(&broken));
    let per_token = |window: &Window| window.mean(Dist::Itl);
    assert!(per_token(&broken) < 1.2 * per_token(&well), "{} and {}", per_token(&broken), per_token(&well));
    // A decoder computes the last token of a prompt alone.
    let pods = fleet.serving();
    let page = fleet.model.page(&pods[0]).expect("a page");
    let value = |name: &str| {
        let line = page.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}"));
        line.rsplit(' ').next().expect("a value").parse::<f64>().expect("a number")
    };
    let came = value(
        "vllm:prompt_tokens_by_source_total{engine=\"0\",model_name=\"llama-3-70b\",source=\"external_kv_transfer\"}",
    );
    let computed =
        value("vllm:prompt_tokens_by_source_total{engine=\"0\",model_name=\"llama-3-70b\",source=\"local_compute\"}");
    assert!(came > 1000.0 * computed, "{came} and {computed}");
    let [waiting, deferred] = [
        "vllm:num_requests_waiting{",
        "vllm:num_requests_waiting_by_reason{engine=\"0\",model_name=\"llama-3-70b\",reason=\"deferred\"}",
    ]
    .map(value);
    assert!(deferred > 0.0 && deferred <= waiting, "{deferred} of {waiting}");
}

#[test]
fn a_prefiller_keeps_a_prompt_until_it_was_read_and_no_longer() {
    let mut slow = scenario("slow-link");
    slow.changes.clear();
    slow.prefill.as_mut().expect("a prefill pool").link_gb_per_s = 1.2;
    let mut fleet = Fleet::new(&slow, SEED);
    fleet.until(1200.0);
    let kept = |fleet: &Fleet| {
        let pages = fleet.prefillers().into_iter().filter_map(|pod| fleet.model.page(&pod));
        let usage = pages.filter_map(|page| match fleet.read(&page) {
            Page::Engine(page) => page.replicas[0].values.gauge(Gauge::KvUsage),
            _ => None,
        });
        usage.sum::<f64>()
    };
    assert!(kept(&fleet) > 0.02, "{}", kept(&fleet));
    // Without a decoder nobody reads any more, and clients are told so.
    for pod in fleet.serving() {
        fleet.model.kill(fleet.now, &pod);
    }
    fleet.model.route(fleet.now, &[]);
    fleet.model.advance(fleet.now.plus(60.0));
    assert!(kept(&fleet) < 0.001, "{}", kept(&fleet));
}

#[test]
fn a_cache_that_is_too_small_for_one_request_is_no_engine_at_all() {
    let mut founding = scenario("bad-rollout");
    if let Some(rollout) = &mut founding.changes[0].rollout {
        rollout.set.push("--gpu-memory-utilization=0.44".to_owned());
    }
    let mut fleet = Fleet::new(&founding, SEED);
    fleet.until(founding.opens_s());
    let died = fleet.log.iter().find(|(_, what)| what.contains("Died")).expect("an end");
    assert!(died.1.contains("code: 1"), "{died:?}");
}

#[test]
fn a_mistake_in_a_scenario_has_its_file_its_line_and_what_to_do() {
    let text = include_str!("../../assets/scenarios/healthy.toml");
    let wrong = |from: &str, to: &str| match Scenario::read("mine.toml", &text.replacen(from, to, 1)) {
        Err(ScenarioError::File { file, line, message }) => format!("{file}:{line}: {message}"),
        other => panic!("{other:?}"),
    };
    let line = |of: &str| 1 + text[..text.find(of).expect("text")].matches('\n').count();
    let misspelt = wrong("load_gb_per_s", "load_gb_per_sec");
    assert!(misspelt.starts_with(&format!("mine.toml:{}: unknown field", line("load_gb_per_s"))), "{misspelt}");
    let unit = wrong("pull = \"210s\"", "pull = \"210\"");
    assert!(unit.contains("such as \"90s\"") && unit.contains(&format!(":{}:", line("pull"))), "{unit}");
    assert!(wrong("replicas = 2", "replicas = 9").contains("add nodes"));
    assert!(wrong("objective = 0.99", "objective = 99").contains("such as 0.99"));
    let painted = wrong("[slo]", "ttft_p95 = 14.0\n[slo]");
    assert!(painted.contains("unknown field"), "a symptom cannot be written: {painted}");
    assert!(Scenario::named("bad-rolout").expect_err("a typo").to_string().contains("bad-rollout"));
}
