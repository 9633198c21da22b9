//! Calls and what has to come back, for whichever server answers.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use warroom::sim::serve::Handle;

/// How often a step is tried that waits for controllers.
const TRIES: u32 = 150;

/// A call, what has to come back, and what later calls need of it. `{name}` in a path, a body or an expectation stands
/// for what was kept under that name.
pub(crate) struct Step {
    says: &'static str,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    wants: Vec<Want>,
    keeps: Vec<(&'static str, &'static str)>,
    waits: bool,
}

enum Want {
    Code(u16),
    Is(&'static str, Value),
    Has(&'static str),
    Lacks(&'static str),
    Says(&'static str, String),
    Count(&'static str, usize),
    Header(&'static str, &'static str),
    Any(&'static str, Vec<(&'static str, Value)>),
}

/// What came back. A watch's lines are a list.
#[derive(Debug)]
struct Answer {
    code: u16,
    headers: http::HeaderMap,
    json: Value,
}

/// A sentence about what is asked for.
pub(crate) fn ask(says: &'static str, method: &'static str, path: impl Into<String>) -> Step {
    Step {
        says,
        method,
        path: path.into(),
        headers: Vec::new(),
        body: String::new(),
        wants: Vec::new(),
        keeps: Vec::new(),
        waits: false,
    }
}

impl Step {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// A JSON body; `kind` is what stands before `+json`.
    pub(crate) fn sends(self, kind: &str, body: &Value) -> Self {
        let kind = if kind.is_empty() { "application/json".to_owned() } else { format!("application/{kind}+json") };
        self.raw(&kind, &body.to_string())
    }

    pub(crate) fn raw(mut self, kind: &str, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self.header("content-type", kind)
    }

    pub(crate) fn code(mut self, code: u16) -> Self {
        self.wants.push(Want::Code(code));
        self
    }

    pub(crate) fn is(mut self, at: &'static str, value: impl Into<Value>) -> Self {
        self.wants.push(Want::Is(at, value.into()));
        self
    }

    pub(crate) fn has(mut self, at: &'static str) -> Self {
        self.wants.push(Want::Has(at));
        self
    }

    pub(crate) fn lacks(mut self, at: &'static str) -> Self {
        self.wants.push(Want::Lacks(at));
        self
    }

    /// The text at a place contains this; an empty place is the whole body.
    pub(crate) fn says(mut self, at: &'static str, part: impl Into<String>) -> Self {
        self.wants.push(Want::Says(at, part.into()));
        self
    }

    pub(crate) fn count(mut self, at: &'static str, n: usize) -> Self {
        self.wants.push(Want::Count(at, n));
        self
    }

    pub(crate) fn warns(mut self, part: &'static str) -> Self {
        self.wants.push(Want::Header("warning", part));
        self
    }

    /// One entry of the list at a place has all of these.
    pub(crate) fn any(mut self, at: &'static str, parts: Vec<(&'static str, Value)>) -> Self {
        self.wants.push(Want::Any(at, parts));
        self
    }

    /// A refusal: a `Status` with a code, a reason and a message.
    pub(crate) fn refused(self, code: u16, reason: &str, message: &str) -> Self {
        let step = self.code(code).is("/kind", "Status").is("/apiVersion", "v1").is("/status", "Failure");
        step.is("/code", code).is("/reason", reason).is("/message", message)
    }

    pub(crate) fn keep(mut self, name: &'static str, at: &'static str) -> Self {
        self.keeps.push((name, at));
        self
    }

    /// Asks until it holds: controllers take their time.
    pub(crate) fn in_time(mut self) -> Self {
        self.waits = true;
        self
    }
}

/// Whoever answers.
pub(crate) struct Server {
    name: &'static str,
    client: kube::Client,
    sim: Option<Handle>,
    /// What `{name}` stands for.
    pub(crate) known: BTreeMap<&'static str, String>,
}

pub(crate) async fn client_of(kubeconfig: &std::path::Path) -> kube::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(config, &options).await.expect("a config");
    // What is refused for now is an answer as well.
    config.default_retry = false;
    kube::Client::try_from(config).expect("a client")
}

impl Server {
    pub(crate) async fn real(real: &crate::real::Real) -> Self {
        Self { name: "kube-apiserver", client: client_of(&real.kubeconfig).await, sim: None, known: BTreeMap::new() }
    }

    pub(crate) async fn simulated(handle: Handle) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let kubeconfig = home.path().join("kubeconfig");
        handle.write_kubeconfig(&kubeconfig).expect("a kubeconfig");
        Self { name: "simulator", client: client_of(&kubeconfig).await, sim: Some(handle), known: BTreeMap::new() }
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.known {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    /// Takes the steps, and says what came otherwise.
    pub(crate) async fn take(&mut self, steps: &[Step]) -> Vec<String> {
        let mut otherwise = Vec::new();
        for step in steps {
            let mut tries = 0;
            let (answer, wrong) = loop {
                let answer = self.send(step).await;
                let wrong: Vec<String> = step.wants.iter().filter_map(|want| self.judge(want, &answer)).collect();
                tries += 1;
                if wrong.is_empty() || !step.waits || tries > TRIES {
                    break (answer, wrong);
                }
                match &self.sim {
                    Some(handle) => handle.skip(1.0),
                    None => tokio::time::sleep(Duration::from_millis(200)).await,
                }
            };
            for wrong in wrong {
                otherwise.push(format!("{}: {}: {wrong}", self.name, step.says));
            }
            for (name, at) in &step.keeps {
                match answer.json.pointer(at) {
                    Some(Value::String(text)) => drop(self.known.insert(name, text.clone())),
                    Some(other) => drop(self.known.insert(name, other.to_string())),
                    None => otherwise.push(format!("{}: {}: nothing at {at} to keep", self.name, step.says)),
                }
            }
        }
        otherwise
    }

    async fn send(&self, step: &Step) -> Answer {
        let mut request = Request::builder().method(step.method).uri(self.filled(&step.path));
        for (name, value) in &step.headers {
            request = request.header(*name, self.filled(value));
        }
        let request = request.body(Body::from(self.filled(&step.body).into_bytes())).expect("a request");
        let sending = async {
            let (parts, body) = self.client.send(request).await?.into_parts();
            Ok::<_, kube::Error>((parts, body.collect().await?.to_bytes()))
        };
        let none = |why: String| Answer { code: 0, headers: http::HeaderMap::new(), json: why.into() };
        let (parts, body) = match tokio::time::timeout(Duration::from_secs(20), sending).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return none(error.to_string()),
            Err(_) => return none("nothing within 20 s".to_owned()),
        };
        let json = serde_json::from_slice(&body).unwrap_or_else(|_| {
            let lines: Result<Vec<Value>, _> = serde_json::Deserializer::from_slice(&body).into_iter().collect();
            lines.map_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()), Value::Array)
        });
        // A watch with one line is a list as well.
        let lone = self.filled(&step.path).contains("watch=1") && json.is_object() && parts.status == 200;
        let json = if lone { Value::Array(vec![json]) } else { json };
        Answer { code: parts.status.as_u16(), headers: parts.headers, json }
    }

    fn judge(&self, want: &Want, answer: &Answer) -> Option<String> {
        let at = |at: &str| answer.json.pointer(at);
        let filled = |value: &Value| serde_json::from_str::<Value>(&self.filled(&value.to_string())).expect("JSON");
        let list = |at: &str| answer.json.pointer(at).and_then(Value::as_array).cloned();
        match want {
            Want::Code(code) => {
                (answer.code != *code).then(|| format!("{} instead of {code}: {}", answer.code, short(&answer.json)))
            }
            Want::Is(place, value) => {
                let value = filled(value);
                (at(place) != Some(&value)).then(|| match at(place) {
                    Some(is) => format!("{place} is {} instead of {value}", short(is)),
                    None => format!("{place} is not there instead of {value}: {}", short(&answer.json)),
                })
            }
            Want::Has(place) => at(place).is_none().then(|| format!("{place} is not there: {}", short(&answer.json))),
            Want::Lacks(place) => at(place).map(|is| format!("{place} is {}, and should not be there", short(is))),
            Want::Says(place, part) => {
                let part = self.filled(part);
                let said = at(place).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
                let said = said.unwrap_or_default();
                (!said.contains(&part)).then(|| format!("{place} does not say {part:?}: {said:.300}"))
            }
            Want::Count(place, n) => {
                let is = list(place).map(|l| l.len());
                (is != Some(*n)).then(|| format!("{place} counts {is:?} instead of {n}: {}", short(&answer.json)))
            }
            Want::Header(name, part) => {
                let said = answer.headers.get(*name).and_then(|v| v.to_str().ok()).unwrap_or_default();
                (!said.contains(part)).then(|| format!("the header {name} does not say {part:?}: {said:?}"))
            }
            Want::Any(place, parts) => {
                let fits = |entry: &Value| parts.iter().all(|(at, value)| entry.pointer(at) == Some(&filled(value)));
                let found = list(place).is_some_and(|entries| entries.iter().any(fits));
                (!found).then(|| {
                    let wanted: Vec<String> =
                        parts.iter().map(|(at, value)| format!("{at} {}", filled(value))).collect();
                    format!(
                        "nothing in {place} has {}: {}",
                        wanted.join(", "),
                        at(place).map(short).unwrap_or_default()
                    )
                })
            }
        }
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(600).collect()
}
