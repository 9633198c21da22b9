//! A fleet that is told by somebody who answers by hand.

use std::sync::Mutex;

use tokio::time::{Instant, timeout};

use super::*;
use crate::domain::{EnginePage, Untold};

/// Answers a question by what stands in it: the first of these that it holds.
struct Hand(Vec<(&'static str, &'static str)>, Arc<Mutex<Vec<String>>>);

#[derive(Clone)]
struct Hands(Vec<(&'static str, &'static str)>, Arc<Mutex<Vec<String>>>);

impl Query for Hand {
    async fn get(&self, what: &str, _: Instant) -> Result<(u16, Vec<u8>), Failure> {
        let asked: String = what.replace("%28", "(").replace("%29", ")").replace("%22", "\"").replace("%3D", "=");
        let asked = asked.replace("%20", " ").replace("%2C", ",").replace("%7E", "~").replace("%7C", "|");
        let answer = self.0.iter().find(|(holds, _)| asked.contains(holds)).map_or("", |(_, answer)| *answer);
        self.1.lock().expect("nobody panics").push(asked);
        if answer.starts_with('{') && answer.contains("status") {
            return Ok((200, answer.as_bytes().to_vec()));
        }
        let body = format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{answer}]}}}}"#);
        Ok((200, body.into_bytes()))
    }

    fn shown(&self) -> String {
        "http://prom:9090".to_owned()
    }
}

impl Whom for Hands {
    type Asks = Hand;

    async fn find(&mut self, _: &Asked) -> Result<(Hand, Option<String>), Untold> {
        Ok((Hand(self.0.clone(), Arc::clone(&self.1)), None))
    }
}

/// Two systems, `a` and `b`, which have one series each; a page says how many samples it was made of.
struct Reader;

impl Reads for Reader {
    fn names(&self, witness: &str) -> Option<Names> {
        let system = witness.split('_').next()?.to_owned();
        let scalars = vec![format!("{system}_requests")];
        let slices = vec!["tenant".to_owned()];
        Some(Names { system, scalars, slices, ..Names::default() })
    }

    fn page(&mut self, _: &str, samples: &[Sample]) -> Result<Page, Failure> {
        Ok(Page::Gateway(EnginePage { series: samples.len(), ..EnginePage::default() }))
    }
}

fn member(pod: &str) -> Member {
    let namespace = Some("gw".to_owned());
    Member { name: pod.into(), role: Role::Gateway, namespace, of: pod.to_owned(), teller: None }
}

fn fleet(hands: Hands) -> Fleet<Hands, Reader> {
    let asked = Asked {
        namespace: None,
        pods: None,
        model: None,
        witness: Vec::new(),
        series: Vec::new(),
        windows: Vec::new(),
        past: Vec::new(),
    };
    Fleet {
        whom: hands,
        asked,
        whose: Whose::Pods { witness: vec!["a_requests".to_owned(), "b_requests".to_owned()] },
        reads: Reader,
        targets: Vec::new(),
        interval: Duration::from_millis(20),
        alone: true,
        context: "c".to_owned(),
        clock: Clock::Wall,
    }
}

/// What is told until so many pages and failures were.
async fn told(answers: Vec<(&'static str, &'static str)>, pods: &[&str], most: usize) -> (Vec<Body>, Vec<String>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (_members, members) = watch::channel(pods.iter().map(|p| member(p)).collect());
    let (sink, mut observed) = mpsc::channel(64);
    let going = watch::Sender::new(Going::Starts);
    let task = tokio::spawn(fleet(Hands(answers, Arc::clone(&asked))).run(members, going, sink));
    let mut all = Vec::new();
    while all.iter().filter(|b| matches!(b, Body::Page { .. })).count() < most {
        let next = timeout(Duration::from_secs(10), observed.recv()).await;
        all.push(next.expect("in time").expect("it goes on").body);
    }
    task.abort();
    let asked = asked.lock().expect("nobody panics").clone();
    (all, asked)
}

/// What was last told of a page.
fn page<'b>(told: &'b [Body], pod: &str) -> Option<&'b Result<Page, Failure>> {
    told.iter().rev().find_map(|body| match body {
        Body::Page { endpoint, page } if **endpoint == *pod => Some(page),
        _ => None,
    })
}

fn left_out<'b>(told: &'b [Body], pod: &str) -> Option<&'b str> {
    told.iter().rev().find_map(|body| match body {
        Body::Paced { of: Some(of), left_out, .. } if of == pod => left_out.as_deref(),
        _ => None,
    })
}

const FOUND: &str = r#"{"metric":{"__name__":"a_requests","namespace":"gw","pod":"one","job":"x"},"value":[1,"1"]},
    {"metric":{"__name__":"a_requests","namespace":"gw","pod":"one","job":"twice"},"value":[1,"1"]},
    {"metric":{"__name__":"a_requests","namespace":"gw","pod":"one","job":"x"},"value":[1,"2"]},
    {"metric":{"__name__":"b_requests","namespace":"gw","pod":"two","job":"y"},"value":[1,"1"]},
    {"metric":{"__name__":"b_requests","namespace":"other","pod":"one","job":"y"},"value":[1,"99"]}"#;
const STAMPS: &str = r#"{"metric":{"namespace":"gw","pod":"one"},"value":[1,"1700000000"]}"#;
const OF_ONE: &str = r#"{"metric":{"__name__":"a_requests","namespace":"gw","pod":"one"},"value":[1,"7"]},
    {"metric":{"__name__":"a_requests","namespace":"elsewhere","pod":"one"},"value":[1,"9"]}"#;

#[tokio::test]
async fn one_system_whose_questions_fail_leaves_the_others_pages_and_a_pod_without_series_says_so() {
    let answers = vec![
        ("count by (__name__,namespace,pod,job)", FOUND),
        ("max by (namespace,pod)(timestamp(", STAMPS),
        ("count_over_time", r#"{"metric":{},"value":[1,"20"]}"#),
        ("query=count(", r#"{"metric":{},"value":[1,"2"]}"#),
        ("job=\"x\"", OF_ONE),
        ("job=\"y\"", r#"{"status":"error","error":"query processing would load too many samples"}"#),
    ];
    let (told, asked) = told(answers, &["one", "two", "three"], 3).await;
    let one = page(&told, "one").expect("a page");
    assert!(matches!(one, Ok(Page::Gateway(page)) if page.series == 1), "its own namespace's alone: {one:?}");
    let why = |pod| page(&told, pod).and_then(|p| p.as_ref().err()).map(ToString::to_string).unwrap_or_default();
    assert!(why("two").contains("too many samples"), "{}", why("two"));
    assert!(why("three").contains("has no series of it"), "{}", why("three"));
    let by_hand = told.iter().find_map(|body| match body {
        Body::Endpoint { name, reproduce, .. } if **name == *"one" => Some(reproduce.as_str()),
        _ => None,
    });
    let line = "curl -s 'http://prom:9090/api/v1/query?query=%7Bnamespace%3D%22gw%22%2Cpod%3D%22one%22%7D'";
    assert_eq!(by_hand, Some(line));
    let paced = told.iter().find_map(|body| match body {
        Body::Paced { interval_s, of: Some(of), .. } if of == "one" => Some(*interval_s),
        _ => None,
    });
    assert_eq!(paced, Some(15.0));
    assert_eq!(left_out(&told, "one"), None);
    assert!(asked.iter().any(|a| a.contains("sum by (__name__,namespace,pod,tenant)")), "{asked:?}");
    assert!(
        !asked.iter().any(|a| a.contains("job=\"twice\"")),
        "a pod that two jobs scrape is counted once: {asked:?}"
    );
}

#[tokio::test]
async fn what_limits_and_warnings_leave_out_of_a_page_is_told_beside_it() {
    let partial = r#"{"status":"success","warnings":["store gw-2 is away"],"data":{"resultType":"vector","result":[
        {"metric":{"__name__":"a_requests","namespace":"gw","pod":"one"},"value":[1,"7"]}]}}"#;
    let answers = vec![
        ("count by (__name__,namespace,pod,job)", FOUND),
        ("max by (namespace,pod)(timestamp(", STAMPS),
        ("count_over_time", r#"{"metric":{},"value":[1,"20"]}"#),
        ("query=count(", r#"{"metric":{},"value":[1,"90000"]}"#),
        ("job=\"x\"", partial),
    ];
    let (told, asked) = told(answers, &["one"], 1).await;
    assert!(matches!(page(&told, "one"), Some(Ok(_))));
    let left_out = left_out(&told, "one").expect("what is left out");
    assert!(left_out.starts_with("whose requests they are is left out: that were 90000 series"), "{left_out}");
    assert!(left_out.ends_with("Prometheus warns: store gw-2 is away"), "{left_out}");
    assert!(asked.iter().any(|a| a.contains("sum by (__name__,namespace,pod)(")), "{asked:?}");
}

#[test]
fn a_pods_series_are_read_by_hand_where_they_come_from() {
    let path = "/api/v1/namespaces/m/services/p:9090/proxy";
    assert_eq!(
        reproduce(path, "prod us", "llm", "v-1"),
        format!(
            "kubectl --context 'prod us' get --raw '{path}/api/v1/query?query=%7Bnamespace%3D%22llm%22%2Cpod%3D%22v-1%22%7D'"
        )
    );
    assert!(
        reproduce("http://prom:9090/", "c", "llm", "v-1").starts_with("curl -s 'http://prom:9090/api/v1/query?query=")
    );
}
