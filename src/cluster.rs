//! Performs what [`action`](crate::action) planned and approved: asks whether it is allowed, sends the dry run, sends the
//! same bytes once, and finds out what came of it. Does not know why, and decides nothing.
//!
//! A write is never sent twice. Where its answer is lost, the object is read until it is sure what happened: the API
//! server gives a PATCH up after 34 seconds, so that what is not stored by then will not be.

mod answer;
mod permission;

use std::time::Duration;

use http::Request as HttpRequest;
use http::header::{ACCEPT, CONTENT_TYPE};
use kube::client::Body;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use crate::action::guard::{Approved, Proposed};
use crate::action::{
    Access, Answer, Outcome, Permission, Plan, Request, Seen, Trial, differences, last_writer, seen, unexpected,
};
use crate::apiserver::{self, Client, Trouble, deadline};
use crate::clock::Clock;
use crate::domain::At;
use answer::{Refused, refused};

/// The largest object that is read.
const LARGEST: usize = 4 * 1024 * 1024;

/// How patiently it is waited. All in this machine's time.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the answer to a write. A little more than the API server's own limit, so that it speaks first.
    pub write: Duration,
    /// After this, a write without an answer is not stored any more.
    pub settled: Duration,
    /// For the answer to a read.
    pub read: Duration,
    /// Between two reads of an object whose fate is not known.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            write: Duration::from_secs(35),
            settled: Duration::from_secs(36),
            read: Duration::from_secs(5),
            pause: Duration::from_secs(1),
        }
    }
}

/// Whoever performs.
#[derive(Clone)]
pub struct Performer {
    client: Client,
    clock: Clock,
    patience: Patience,
}

/// What was performed, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Performed {
    /// The plan.
    pub plan: Plan,
    /// When it was sent.
    pub sent: At,
    /// When it was known what came of it.
    pub known: At,
    /// What came of it.
    pub outcome: Outcome,
}

/// An answer, or what came instead of one.
enum Reply {
    Accepted(Answer),
    Refused(Refused),
    Lost(Trouble),
}

impl Performer {
    /// A performer that asks with this client, which must not retry: [`apiserver::connect::client`] makes such ones.
    pub fn new(client: Client, clock: Clock) -> Self {
        Self::with_patience(client, clock, Patience::default())
    }

    /// The same, with another patience.
    pub const fn with_patience(client: Client, clock: Clock, patience: Patience) -> Self {
        Self { client, clock, patience }
    }

    fn now(&self) -> At {
        At(self.clock.unix_ms())
    }

    /// Whether all of this is allowed, by access reviews: the first that is not decides.
    pub async fn permission(&self, access: &[Access]) -> Permission {
        let mut answer = Permission::Allowed;
        for access in access {
            match permission::review(&self.client, access, deadline(self.patience.read)).await {
                Permission::Allowed => {}
                denied @ Permission::Denied(_) => return denied,
                unknown @ Permission::Unknown(_) => answer = unknown,
            }
        }
        answer
    }

    /// The dry run of a proposal: its very bytes, with `dryRun=All` beside them. Nothing is sent where the API server
    /// says before that it is not allowed.
    pub async fn dry_run(&self, proposed: &Proposed) -> Trial {
        let plan = proposed.plan();
        let permission = self.permission(&plan.access).await;
        let sent = plan.request.clone();
        let result = match &permission {
            Permission::Denied(what) => Err(Outcome::Denied(what.clone())),
            Permission::Allowed | Permission::Unknown(_) => match self.send(plan, &sent, true).await {
                Reply::Accepted(answer) => Ok(answer),
                Reply::Refused(refused) => Err(self.explained(plan, refused).await),
                // Nothing is stored by it, whatever happened.
                Reply::Lost(trouble) => Err(Outcome::NotSent(trouble.to_string())),
            },
        };
        Trial { at: self.now(), sent, permission, result }
    }

    /// Sends what was approved, once, and finds out what came of it. That may take as long as the API server may take to
    /// give it up.
    pub async fn apply(&self, approved: Approved) -> Performed {
        let sent = self.now();
        let begun = deadline(Duration::ZERO);
        let (plan, request) = approved.into_request();
        let outcome = match self.send(&plan, &request, false).await {
            Reply::Accepted(answer) => Outcome::Applied(answer),
            Reply::Refused(refused) => self.explained(&plan, refused).await,
            Reply::Lost(Trouble::Refused) => Outcome::NotSent(Trouble::Refused.to_string()),
            Reply::Lost(trouble) => Outcome::Unknown {
                why: trouble.to_string(),
                seen: self.settle(&plan, begun + self.patience.settled).await,
            },
        };
        Performed { plan, sent, known: self.now(), outcome }
    }

    /// What the object says about a plan now: for an action whose answer was never seen, such as after a crash. Before
    /// [`Patience::settled`] has passed since it was sent, 'not done' is not the last word.
    pub async fn reread(&self, plan: &Plan) -> Seen {
        match self.object(plan).await {
            Ok(object) => seen(plan, &object),
            Err(Trouble::NotFound(_)) => Seen::Gone,
            Err(trouble) => Seen::NotRead(trouble.to_string()),
        }
    }

    /// What became of a plan that may have been sent at that time and whose answer was never seen: read until it is sure.
    pub async fn settled(&self, plan: &Plan, sent: At) -> Seen {
        // By a clock that runs fast, less of this machine's time has passed: it is waited rather too long.
        let passed = Duration::from_secs_f64(self.now().since(sent).clamp(0.0, self.patience.settled.as_secs_f64()));
        let passed = self.clock.real(passed).min(passed);
        self.settle(plan, deadline(self.patience.settled.saturating_sub(passed))).await
    }

    /// Reads until it is sure what happened, at the latest a little after `until`.
    async fn settle(&self, plan: &Plan, until: Instant) -> Seen {
        loop {
            let last = deadline(Duration::ZERO) >= until;
            match self.reread(plan).await {
                Seen::NotDone | Seen::NotRead(_) if !last => sleep(self.patience.pause).await,
                seen => return seen,
            }
        }
    }

    async fn object(&self, plan: &Plan) -> Result<Value, Trouble> {
        let path = plan.request.object_path();
        apiserver::whole(&self.client, path, LARGEST, deadline(self.patience.read)).await
    }

    /// What a refusal means, with the object as it is now beside it.
    async fn explained(&self, plan: &Plan, refused: Refused) -> Outcome {
        if let Refused::Plainly(outcome) = refused {
            return outcome;
        }
        let object = self.object(plan).await.ok();
        let differs = object.as_ref().map(|o| differences(plan, o)).unwrap_or_default();
        let by = object.as_ref().and_then(last_writer);
        match refused {
            Refused::Plainly(outcome) => outcome,
            Refused::Conflict(message) => Outcome::Conflict { message, differs, by },
            Refused::Invalid { tested, .. } if tested || !differs.is_empty() => Outcome::Moved { differs, by },
            Refused::Invalid { message, .. } => Outcome::Invalid(message),
        }
    }

    /// Sends a request, once.
    async fn send(&self, plan: &Plan, request: &Request, dry: bool) -> Reply {
        let until = deadline(self.patience.write);
        let http = HttpRequest::builder()
            .method(request.method.as_str())
            .uri(request.target(dry))
            .header(CONTENT_TYPE, request.content_type)
            .header(ACCEPT, "application/json")
            .body(Body::from(request.body.clone().into_bytes()));
        let Ok(http) = http else {
            let outcome = Outcome::NotSent("its address holds characters that no URL may hold".to_owned());
            return Reply::Refused(Refused::Plainly(outcome));
        };
        let answer = match timeout_at(until, self.client.send(http)).await {
            Err(_) => return Reply::Lost(Trouble::Late),
            Ok(Err(trouble)) => return Reply::Lost(trouble),
            Ok(Ok(answer)) => answer,
        };
        let status = answer.status().as_u16();
        let warnings = answer::warnings(answer.headers());
        let mut body = Vec::new();
        let read = apiserver::read(answer.into_body(), LARGEST, until, &mut body).await;
        if !(200..300).contains(&status) {
            return match refused(status, &body, dry) {
                Some(refused) => Reply::Refused(refused),
                None => Reply::Lost(Trouble::said(status, &body)),
            };
        }
        match (read, serde_json::from_slice::<Value>(&body)) {
            (Ok(()), Ok(object)) => Reply::Accepted(Answer { unexpected: unexpected(plan, &object), warnings, object }),
            (Err(trouble), _) => Reply::Lost(trouble),
            (_, Err(error)) => Reply::Lost(Trouble::Malformed(error.to_string())),
        }
    }
}
