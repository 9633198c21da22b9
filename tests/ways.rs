//! Ways to a pod's page: which one is taken, when another one is looked for, and what is said of it.

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/cluster.rs"]
mod cluster;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "support/served.rs"]
mod served;

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Cluster, Fault, Inside, Port};
use warroom::domain::{Failure, Reached, Via};
use warroom::reach::http::Settings;
use warroom::reach::{PodPage, Way, Ways, Where};

const WITHIN: Duration = Duration::from_secs(2);
/// Longer than one piece of a stream, and than what waits in it.
const LINES: usize = 20_000;

fn run<T>(story: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    runtime.block_on(story)
}

fn page() -> String {
    "# TYPE up gauge\n".to_owned() + &"up 1\n".repeat(LINES)
}

fn settings() -> Settings {
    Settings { timeout: WITHIN, max_body: 1_000_000, ..Settings::default() }
}

fn somewhere(pod: &str, ip: Option<&str>, port: u16) -> Where {
    let ip: Option<IpAddr> = ip.map(|ip| ip.parse().expect("an address"));
    Where { namespace: "llm".into(), pod: pod.into(), ip, port, page: "/metrics".into() }
}

/// A pod's page at port 8000, on whichever way leads there.
fn auto(cluster: &Cluster) -> Arc<PodPage> {
    Ways::new(&cluster.client(), None, &settings()).to(somewhere("a", None, 8000))
}

async fn fetch(page: &Arc<PodPage>) -> Result<String, Failure> {
    let mut buffer = b"what was here before".to_vec();
    Way::pod(page).fetch(&mut buffer).await.map(|()| String::from_utf8(buffer).expect("UTF-8"))
}

fn via(page: &PodPage) -> Option<Via> {
    page.reached().via
}

#[test]
fn where_pods_proxy_is_forbidden_a_port_forward_serves_one_page_after_the_other_and_says_why() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.fault("/proxy/", Fault::Denied);
        cluster.inside("a:8000", Inside::Port(Port::Page(page())));
        let pod = auto(&cluster);
        for _ in 0..5 {
            assert_eq!(fetch(&pod).await, Ok(page()));
        }
        assert_eq!((cluster.count("/proxy/"), cluster.count("/portforward")), (1, 1), "{:?}", cluster.requests());
        let Reached { via, failed } = pod.reached();
        assert_eq!((via, failed.len()), (Some(Via::PortForward), 1));
        assert!(failed[0].1.contains("allow 'get' on 'pods/proxy'"), "{failed:?}");
        let line = pod.reproduce("prod one");
        assert!(line.starts_with("{ kubectl --context 'prod one' -n llm port-forward pod/a 18000:8000"), "{line}");
        assert!(line.contains("curl -s 'http://127.0.0.1:18000/metrics'") && line.ends_with("kill $!; }"), "{line}");
    });
}

#[test]
fn what_the_engine_itself_answers_changes_no_way() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.inside("a:8000", Inside::Port(Port::Page(page())));
        let pod = auto(&cluster);
        for (code, body) in [(503, "Loading model"), (404, "Not Found"), (403, "a key is needed"), (500, "")] {
            cluster.port("a:8000", Port::Answer(code, body.to_owned()));
            let loading = code == 503;
            assert_eq!(fetch(&pod).await, Err(Failure::Status { code, loading }));
        }
        assert_eq!((via(&pod), cluster.count("/portforward")), (Some(Via::Proxy), 0));
        cluster.fault("/proxy/", Fault::Denied);
        for (code, body) in [(503, "Loading model"), (404, "Not Found"), (403, "a key is needed")] {
            cluster.inside("a:8000", Inside::Port(Port::Answer(code, body.to_owned())));
            let pod = auto(&cluster);
            for _ in 0..3 {
                assert_eq!(fetch(&pod).await, Err(Failure::Status { code, loading: code == 503 }));
            }
            assert_eq!(via(&pod), Some(Via::PortForward));
        }
    });
}

#[test]
fn a_port_that_only_the_pod_itself_reaches_is_read_from_inside() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.port("a:8000", Port::Refused);
        cluster.inside("a:8000", Inside::Port(Port::Page(page())));
        let pod = auto(&cluster);
        assert_eq!(fetch(&pod).await, Ok(page()));
        assert_eq!(via(&pod), Some(Via::PortForward));
    });
}

#[test]
fn an_engine_that_loads_refuses_on_each_way_and_is_read_on_the_first_as_soon_as_it_listens() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.port("a:8000", Port::Refused);
        cluster.inside("a:8000", Inside::Port(Port::Refused));
        // Nobody may be asked at an address that only leads somewhere by chance.
        let pod = Ways::new(&cluster.client(), None, &settings()).to(somewhere("a", Some("127.0.0.1"), 8000));
        for _ in 0..12 {
            assert_eq!(fetch(&pod).await, Err(Failure::Refused));
        }
        assert_eq!(cluster.count("/proxy/"), 12);
        assert!(cluster.count("/portforward") <= 3, "ever less often: {:?}", cluster.requests());
        cluster.port("a:8000", Port::Page(page()));
        assert_eq!(fetch(&pod).await, Ok(page()));
        assert_eq!(via(&pod), Some(Via::Proxy));
        assert_eq!(pod.reached().instead_of(), None);
    });
}

#[test]
fn where_nothing_leads_through_the_api_server_the_page_is_read_straight_and_never_through_a_proxy() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.fault("/proxy/", Fault::Answer(400, ADMISSION.to_owned()));
        cluster.inside("a:8000", Inside::Unreached);
        let url = served::page(|_| page());
        let port: u16 =
            url.trim_end_matches("/metrics").rsplit(':').next().and_then(|p| p.parse().ok()).expect("a port");
        cluster.inside(&format!("a:{port}"), Inside::Unreached);
        let pod = Ways::new(&cluster.client(), None, &settings()).to(somewhere("a", Some("127.0.0.1"), port));
        assert_eq!(fetch(&pod).await, Ok(page()));
        assert_eq!(fetch(&pod).await, Ok(page()));
        let reached = pod.reached();
        assert_eq!(reached.via, Some(Via::Direct));
        let why = reached.instead_of().expect("reasons");
        assert!(why.contains("pods/proxy: ") && why.contains("denied the request"), "{why}");
        assert!(why.contains("port-forward: ") && why.contains("error dialing backend"), "{why}");
        assert_eq!(pod.reproduce("prod"), format!("curl -s --noproxy '*' 'http://127.0.0.1:{port}/metrics'"));
        assert_eq!((cluster.count("/proxy/"), cluster.count("/portforward")), (1, 1), "nobody asks again");
    });
}

const ADMISSION: &str =
    r#"{"kind":"Status","code":400,"message":"admission webhook \"no.proxy\" denied the request: no"}"#;

#[test]
fn where_no_way_leads_there_all_reasons_are_told_in_time() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.fault("/proxy/", Fault::Denied);
        // There is no connection to this address from anywhere.
        let pod = Ways::new(&cluster.client(), None, &settings()).to(somewhere("a", Some("255.255.255.255"), 8000));
        let began = warroom::clock::monotonic();
        let why = fetch(&pod).await.expect_err("nobody is there").to_string();
        assert!(began.elapsed() < WITHIN, "{:?}", began.elapsed());
        for part in ["pods/proxy: not allowed", "port-forward: not allowed", "'pods/portforward'", "direct: "] {
            assert!(why.contains(part), "no '{part}' in '{why}'");
        }
        assert_eq!(via(&pod), None);
    });
}

#[test]
fn whoever_has_the_pods_address_here_is_not_taken_for_the_pod_without_a_page_of_metrics() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.fault("/proxy/", Fault::Denied);
        let to = |url: &str, only| {
            let port =
                url.trim_end_matches("/metrics").rsplit(':').next().and_then(|p| p.parse().ok()).expect("a port");
            Ways::new(&cluster.client(), only, &settings()).to(somewhere("a", Some("127.0.0.1"), port))
        };
        let answers = [
            served::bytes("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
            served::bytes("HTTP/1.1 503 Busy\r\ncontent-length: 7\r\n\r\nloading"),
            served::page(|_| "<html>somebody else</html>".to_owned()),
            served::nobody(),
        ];
        for url in &answers {
            let page = to(url, None);
            let why = fetch(&page).await.expect_err("nobody knows whose that is").to_string();
            assert!(
                why.contains("pods/proxy: not allowed; allow 'get' on 'pods/proxy'") && why.contains("direct: "),
                "{why}"
            );
            assert_eq!(via(&page), None);
        }
        let chosen = fetch(&to(&answers[1], Some(Via::Direct))).await;
        assert_eq!(
            chosen,
            Err(Failure::Status { code: 503, loading: true }),
            "whoever chose that way knows whose it is"
        );
    });
}

#[test]
fn a_forward_that_is_cut_in_the_middle_of_a_page_is_opened_anew_for_the_next_one() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.inside("a:8000", Inside::Port(Port::Page(page())));
        let pod = Ways::new(&cluster.client(), Some(Via::PortForward), &settings()).to(somewhere("a", None, 8000));
        assert_eq!(fetch(&pod).await, Ok(page()));
        // A kept stream does what it did when it was opened, and so this is another pod.
        cluster.inside("a:8000", Inside::Cut(page()));
        let other = Ways::new(&cluster.client(), Some(Via::PortForward), &settings()).to(somewhere("a", None, 8000));
        assert_eq!(fetch(&other).await, Err(Failure::Cut), "none of it is used");
        cluster.inside("a:8000", Inside::Port(Port::Page(page())));
        assert_eq!(fetch(&other).await, Ok(page()));
        assert_eq!(fetch(&other).await, Ok(page()));
        assert_eq!(cluster.count("/portforward"), 3);
        assert_eq!(fetch(&pod).await, Ok(page()), "the first is still open");
    });
}

#[test]
fn a_forward_that_was_idle_and_is_closed_costs_no_page() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.inside("a:8000", Inside::Once(page()));
        let pod = Ways::new(&cluster.client(), Some(Via::PortForward), &settings()).to(somewhere("a", None, 8000));
        for _ in 0..5 {
            assert_eq!(fetch(&pod).await, Ok(page()));
        }
        assert_eq!(cluster.count("/portforward"), 5);
    });
}

#[test]
fn an_engine_that_hangs_behind_a_forward_is_told_from_a_forward_that_leads_nowhere_any_more() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.inside("a:8000", Inside::Port(Port::Hang));
        let short = settings();
        let to = |cluster: &Cluster| {
            Ways::new(&cluster.client(), Some(Via::PortForward), &short).to(somewhere("a", None, 8000))
        };
        let hanging = fetch(&to(&cluster)).await;
        assert!(matches!(hanging, Err(Failure::TimedOut { connected: true, .. })), "{hanging:?}");
        cluster.inside("a:8000", Inside::Dead);
        let dead = to(&cluster);
        let said = fetch(&dead).await.expect_err("nothing comes").to_string();
        assert!(said.contains("not known") && said.contains("opened anew"), "{said}");
        cluster.inside("a:8000", Inside::Port(Port::Page(page())));
        assert_eq!(fetch(&dead).await, Ok(page()));
    });
}

#[test]
fn a_wall_between_the_api_server_and_the_pods_is_found_in_the_second_attempt() {
    run(async {
        let cluster = Cluster::start().await;
        // Its packets are dropped: the API server waits for half a minute.
        cluster.port("a:8000", Port::Hang);
        cluster.inside("a:8000", Inside::Port(Port::Page(page())));
        let short = Settings { timeout: Duration::from_millis(500), ..settings() };
        let pod = Ways::new(&cluster.client(), None, &short).to(somewhere("a", None, 8000));
        let first = fetch(&pod).await;
        assert!(matches!(first, Err(Failure::TimedOut { connected: true, .. })), "{first:?}");
        assert_eq!(fetch(&pod).await, Ok(page()));
        assert_eq!(fetch(&pod).await, Ok(page()));
        assert_eq!((via(&pod), cluster.count("/proxy/")), (Some(Via::PortForward), 1));
    });
}

#[test]
fn an_api_server_in_trouble_changes_no_way_and_the_way_is_there_when_it_comes_back() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.fault("/proxy/", Fault::Denied);
        cluster.inside("a:8000", Inside::Once(page()));
        let pod = auto(&cluster);
        assert_eq!(fetch(&pod).await, Ok(page()));
        for fault in [Fault::Answer(503, String::new()), Fault::Answer(429, String::new()), Fault::Reset] {
            cluster.heal();
            cluster.fault("/portforward", fault);
            let proxied = cluster.count("/proxy/");
            for _ in 0..5 {
                assert!(fetch(&pod).await.is_err());
            }
            assert_eq!((via(&pod), cluster.count("/proxy/")), (Some(Via::PortForward), proxied));
        }
        cluster.heal();
        assert_eq!(fetch(&pod).await, Ok(page()));
        assert_eq!(via(&pod), Some(Via::PortForward));
    });
}

#[test]
fn what_was_learnt_of_one_pod_is_tried_first_for_the_next_one_and_forgotten_where_it_is_wrong() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.fault("/proxy/", Fault::Denied);
        for pod in ["a:8000", "b:8000"] {
            cluster.inside(pod, Inside::Port(Port::Page(page())));
        }
        let ways = Ways::new(&cluster.client(), None, &settings());
        assert_eq!(fetch(&ways.to(somewhere("a", None, 8000))).await, Ok(page()));
        let next = ways.to(somewhere("b", None, 8000));
        assert_eq!(fetch(&next).await, Ok(page()));
        assert_eq!(cluster.count("/proxy/"), 1, "{:?}", cluster.requests());
        assert!(next.reached().instead_of().is_some_and(|why| why.contains("pods/proxy")), "and it says why");
        // Somebody was given the one right and lost the other.
        cluster.heal();
        cluster.port("c:8000", Port::Page(page()));
        let third = ways.to(somewhere("c", None, 8000));
        assert_eq!(fetch(&third).await, Ok(page()));
        assert_eq!((via(&third), third.reached().instead_of()), (Some(Via::Proxy), None));
    });
}

#[test]
fn a_page_through_a_forward_is_bounded_as_any_other() {
    run(async {
        let cluster = Cluster::start().await;
        cluster.inside("a:8000", Inside::Port(Port::Page("x".repeat(20_000))));
        let small = Settings { max_body: 10_000, ..settings() };
        let pod = Ways::new(&cluster.client(), Some(Via::PortForward), &small).to(somewhere("a", None, 8000));
        assert_eq!(fetch(&pod).await, Err(Failure::TooLarge { limit: 10_000 }));
        cluster.inside("a:8000", Inside::Port(Port::Page("up 1\n".into())));
        assert_eq!(fetch(&pod).await.as_deref(), Ok("up 1\n"));
    });
}
