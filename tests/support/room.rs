//! A war room that is played with keys: the state on a simulated cluster in virtual time. It reads in process and writes
//! over HTTP; effects are granted as the runtime grants them, with a list in the place of the disk. No clock runs: time
//! passes only where a story lets it.

#[path = "reader.rs"]
mod reader;
#[path = "wire.rs"]
mod wire;

use std::time::Duration;

use http::Request;
use reader::{OPENS, Reader, SWEEP_S, policy, target};
use serde_json::Value;
use tokio::runtime::Runtime;
use warroom::action::guard;
use warroom::action::{Outcome, Seen, Stage};
use warroom::apiserver::{Client, connect};
use warroom::app::{App, Beginning, Effect, Event, Recording, Sending, Settings, Tried};
use warroom::clock::Clock;
use warroom::cluster::{Patience, Performer};
use warroom::diagnosis::Diagnosis;
use warroom::domain::{At, Body, Observation, Snapshot, SourceState, Watch, WorkloadRef};
use warroom::runbook::{Record, Run, Who};
use warroom::sim::scenario::Scenario;
use warroom::sim::serve::{Handle, Options, serve};
use warroom::sim::serving::{Model, Serving};
use warroom::sim::world::{Setup, World};
use warroom::ui::keymap::{Chord, Keymap};
pub(crate) use wire::Cut;
use wire::Wire;

/// No second passes by itself.
const STILL: f64 = 1e-9;
/// Between two keys, and until a card that was drawn counts as read (s).
const KEY_S: f64 = 0.5;
const READ_S: f64 = 0.25;

/// A line of the record, in the place of the disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    Begun(Beginning),
    Run(Record),
    Planned { id: u64, title: String, bytes: String },
    Answered { id: u64, says: String },
}

/// How a room is opened.
pub(crate) struct Opening {
    pub(crate) guard: guard::Policy,
    /// How long before the screen opens its readings begin (s).
    pub(crate) read_before_s: f64,
    pub(crate) recording: Recording,
}

impl Default for Opening {
    fn default() -> Self {
        Self {
            guard: guard::Policy { read_only: false, ..guard::Policy::default() },
            read_before_s: 2400.0,
            recording: Recording::Writing { path: "incident.jsonl".to_owned() },
        }
    }
}

type Between = Box<dyn FnOnce(&Room)>;

/// The room.
pub(crate) struct Room {
    pub(crate) app: App,
    /// What is on record.
    pub(crate) lines: Vec<Line>,
    /// Everything that was told, with the moment.
    pub(crate) told: Vec<(At, String)>,
    /// How the line of the action read, each time that it changed.
    pub(crate) action: Vec<(At, String)>,
    /// Whether cards get onto the screen.
    pub(crate) paints: bool,
    /// How the record stands for one who begins it.
    pub(crate) recording: Recording,
    /// What somebody else does after the approval and before the request.
    pub(crate) between: Option<Between>,
    pub(crate) scenario: Scenario,
    /// Everything that was observed.
    pub(crate) observed: Vec<Observation>,
    keymap: Keymap,
    reader: Reader,
    heard: usize,
    wire: Wire,
    client: Client,
    handle: Handle,
    runtime: Runtime,
}

/// A built-in scenario.
pub(crate) fn scenario(name: &str) -> Scenario {
    Scenario::named(name).expect("a built-in scenario")
}

/// How a built-in scenario is judged.
pub(crate) fn judged_by(name: &str) -> warroom::diagnosis::Policy {
    policy(&scenario(name))
}

fn client(url: &str, handle: &Handle) -> Client {
    let mut config = kube::Config::new(url.parse().expect("an address"));
    config.default_namespace.clone_from(&handle.namespace);
    config.auth_info.token = Some(handle.token.clone().into());
    connect::client(config).expect("a client")
}

impl Room {
    /// A room on a scenario's cluster at the moment at which its screen opens, with its readings since before.
    pub(crate) fn open(scenario: &Scenario, opening: Opening) -> Self {
        let (model, seed) = (scenario.clone(), Options::default().seed);
        let serving = move |begins| Box::new(Model::new(&model, seed, begins)) as Box<dyn Serving>;
        Self::on(Setup::from(scenario), scenario, serving, opening)
    }

    /// The same, on another setup with other engines; the scenario says how it is judged.
    pub(crate) fn on(
        mut setup: Setup,
        scenario: &Scenario,
        serving: impl FnOnce(At) -> Box<dyn Serving> + Send + 'static,
        opening: Opening,
    ) -> Self {
        let before_s = opening.read_before_s.min(setup.opens_s);
        setup.opens_s -= before_s;
        let opens = OPENS.plus(-before_s);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let workload = setup.workload.1.clone();
        let options = Options { opens_ms: Some(opens.0), speed: STILL, ..Options::default() };
        let handle = runtime.block_on(serve(setup, serving, options)).expect("it opens");
        let wire = runtime.block_on(Wire::to(&handle.url));
        let client = runtime.block_on(async { client(&wire.url, &handle) });
        let target = WorkloadRef { name: workload.clone(), ..target(scenario, &handle.context()) };
        let snapshot = Snapshot { now: opens, interval_s: SWEEP_S, target: Some(target), ..Snapshot::default() };
        let settings = Settings {
            who: Who { user: "alice".to_owned(), host: "bastion".to_owned() },
            guard: opening.guard,
            ..Settings::new(snapshot, policy(scenario))
        };
        let mut room = Self {
            app: App::new(settings),
            lines: Vec::new(),
            told: Vec::new(),
            action: Vec::new(),
            paints: true,
            recording: opening.recording,
            between: None,
            scenario: scenario.clone(),
            observed: Vec::new(),
            keymap: Keymap::default(),
            reader: Reader::new(&workload),
            heard: 0,
            wire,
            client,
            handle,
            runtime,
        };
        // The past is read as a recording: nothing is judged before the screen opens.
        while room.now() < OPENS {
            room.handle.skip(SWEEP_S.min(OPENS.since(room.now())));
            room.read();
        }
        room.read();
        room.tick();
        room
    }

    /// Simulated time.
    pub(crate) fn now(&self) -> At {
        self.look(World::now)
    }

    /// Looks at the cluster itself.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        self.handle.look(look)
    }

    /// Lets time pass, with a sweep every five seconds.
    pub(crate) fn pass(&mut self, seconds: f64) {
        let until = self.now().plus(seconds);
        while self.now() < until {
            self.sweep();
        }
    }

    /// Lets time pass until something is so; the test fails where it is not within so many seconds.
    pub(crate) fn until(&mut self, within_s: f64, what: &str, so: impl Fn(&App) -> bool) {
        let last = self.now().plus(within_s);
        while !so(&self.app) {
            assert!(self.now() < last, "not within {within_s} s: {what}\n{}", self.story());
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        self.handle.skip(SWEEP_S);
        self.read();
        self.tick();
    }

    /// One sweep: everything is read, and nothing is judged yet.
    pub(crate) fn read(&mut self) {
        let Self { handle, reader, .. } = self;
        let mut observations = handle.look(|world| reader.read(world));
        let at = self.now();
        for resource in ["deployments", "replicasets", "horizontalpodautoscalers"] {
            let watch = Watch { resource, state: SourceState::Live, heard: Some(at), error: None };
            observations.push(Observation { at, body: Body::Watch(watch) });
        }
        self.observed.extend(observations.iter().cloned());
        for observation in observations {
            self.happen(Event::Observed(Box::new(observation)));
        }
    }

    pub(crate) fn tick(&mut self) {
        let now = self.now();
        self.happen(Event::Tick(now));
    }

    /// Plays keys, as they are called in a keymap's file.
    pub(crate) fn keys(&mut self, keys: &str) {
        for key in keys.split_whitespace() {
            self.handle.skip(KEY_S);
            self.key(Chord::named(key).expect("the name of a key"));
            self.paint();
        }
    }

    /// Types a text.
    pub(crate) fn types(&mut self, text: &str) {
        for c in text.chars() {
            self.key(Chord::named(&c.to_string()).expect("a character"));
        }
    }

    fn key(&mut self, chord: Chord) {
        let now = self.now();
        self.happen(Event::Now(now));
        if let Some(event) = self.keymap.event(self.app.mode(), chord) {
            self.heard = if matches!(event, Event::Command(_)) { 0 } else { self.heard };
            self.happen(event);
        }
    }

    /// A card that waits gets onto the screen, and is there long enough to be read.
    pub(crate) fn paint(&mut self) {
        if self.paints && self.app.card().is_some_and(warroom::app::Card::is_ready) {
            self.handle.skip(READ_S);
            let now = self.now();
            self.happen(Event::Painted(now));
        }
    }

    /// Has the state take in an event, and grants what it wishes.
    pub(crate) fn happen(&mut self, event: Event) {
        let effects = self.app.update(event);
        self.listen();
        for effect in effects {
            self.grant(effect);
        }
    }

    fn listen(&mut self) {
        let now = self.app.now();
        self.heard = self.heard.min(self.app.notices().len());
        for notice in &self.app.notices()[self.heard..] {
            self.told.push((now, notice.clone()));
        }
        self.heard = self.app.notices().len();
        let line = action_line(&self.app);
        if let Some(line) = line.filter(|line| self.action.last().is_none_or(|(_, last)| last != line)) {
            self.action.push((now, line));
        }
    }

    fn grant(&mut self, effect: Effect) {
        match effect {
            Effect::Begin(beginning) => {
                self.lines.push(Line::Begun(beginning));
                self.happen(Event::Recording(self.recording.clone()));
            }
            Effect::Record(record) => self.lines.push(Line::Run(*record)),
            Effect::DryRun(proposed) => {
                let trial = self.runtime.block_on(self.performer().dry_run(&proposed));
                self.happen(Event::Tried(Box::new(Tried { proposed: *proposed, trial })));
            }
            Effect::Send(sending) => self.send(*sending),
            Effect::Reread { id, plan, sent } => {
                let seen = self.runtime.block_on(self.performer().settled(&plan, sent));
                let outcome = Outcome::Unknown { why: "it ended before the answer".to_owned(), seen };
                self.answer(id, outcome);
            }
            Effect::Quit
            | Effect::Suspend
            | Effect::Redraw
            | Effect::FollowLogs { .. }
            | Effect::StopLogs
            | Effect::Discover { .. }
            | Effect::Watch(_)
            | Effect::SaveFrame => {}
        }
    }

    /// On record, and only then on its way.
    fn send(&mut self, sending: Sending) {
        let Sending { id, approved, .. } = sending;
        if !matches!(self.recording, Recording::Writing { .. }) {
            return self.answer(id, Outcome::NotSent("no record is open".to_owned()));
        }
        let plan = approved.plan();
        let (title, bytes) = (plan.title.clone(), plan.request.body.clone());
        self.lines.push(Line::Planned { id, title, bytes });
        if let Some(between) = self.between.take() {
            between(self);
        }
        let outcome = self.runtime.block_on(self.performer().apply(approved)).outcome;
        self.answer(id, outcome);
    }

    fn answer(&mut self, id: u64, outcome: Outcome) {
        self.lines.push(Line::Answered { id, says: outcome.to_string() });
        self.happen(Event::Performed { id, outcome: Box::new(outcome) });
    }

    fn performer(&self) -> Performer {
        let patience = Patience {
            write: Duration::from_secs(10),
            settled: Duration::from_millis(50),
            read: Duration::from_secs(5),
            pause: Duration::from_millis(10),
        };
        Performer::with_patience(self.client.clone(), Clock::simulated(self.now().0, STILL), patience)
    }

    /// The next request that is no dry run loses its answer, or its way.
    pub(crate) fn cut(&self, cut: Cut) {
        self.wire.cut(cut);
    }

    /// What somebody else does, with a client of their own.
    pub(crate) fn other(&self, who: &str, path: &str, patch: &Value) {
        let request = Request::patch(format!("{path}?fieldManager={who}"))
            .header("content-type", "application/merge-patch+json")
            .body(patch.to_string().into_bytes())
            .expect("a request");
        let answer: Result<Value, _> =
            self.runtime.block_on(async { client(&self.handle.url, &self.handle).current().request(request).await });
        answer.expect("the other's patch is taken");
    }

    /// The workload's path.
    pub(crate) fn deployment(&self) -> String {
        format!("/apis/apps/v1/namespaces/{}/deployments/{}", self.handle.namespace, self.handle.workload)
    }

    /// What reached the API and would change something: what it is about, and whether it was a dry run.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.handle.writes()
    }

    /// Requests that were meant, and dry runs, without their bodies.
    pub(crate) fn calls(&self) -> (Vec<String>, Vec<String>) {
        let heads = self.writes().into_iter().map(|w| w.split(" [").next().unwrap_or_default().to_owned());
        heads.partition(|head| !head.contains("dryRun=All"))
    }

    pub(crate) fn d(&self) -> &Diagnosis {
        self.app.diagnosis().expect("it was judged")
    }

    pub(crate) fn run(&self) -> &Run {
        self.app.run().expect("a run")
    }

    /// The state in which the runbook stands.
    pub(crate) fn state(&self) -> &str {
        self.app.run().map_or("none", |run| run.state.as_str())
    }

    /// The share of requests of the last five minutes that were late.
    pub(crate) fn late(&self) -> Option<f64> {
        let ttft = self.d().slo.iter().find(|s| s.metric == warroom::diagnosis::Metric::Ttft)?;
        ttft.bad_share()
    }

    /// What happened to the run, in order.
    pub(crate) fn records(&self) -> Vec<&Record> {
        self.lines.iter().filter_map(|line| if let Line::Run(record) = line { Some(record) } else { None }).collect()
    }

    /// Whether something was told that holds these words.
    pub(crate) fn was_told(&self, words: &str) -> bool {
        self.told.iter().any(|(_, told)| told.contains(words))
    }

    /// All of it, for whoever has to find out why a story went otherwise.
    pub(crate) fn story(&self) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        let since = |at: At| at.since(OPENS);
        let _ = writeln!(text, "now {:.1}, state {}", since(self.now()), self.state());
        if let Some(d) = self.app.diagnosis() {
            let _ = writeln!(text, "{:?}: {}", d.verdict, d.sentence);
            for row in &d.slo {
                let _ = writeln!(text, "  {:?} {:?} bad {:?} of {:?}", row.metric, row.status, row.bad, row.count);
            }
        }
        if let Some(seen) = self.app.run().and_then(|run| run.seen.as_ref()) {
            for check in &seen.checks {
                let _ = writeln!(text, "  {:?} {}: {}", check.outcome, check.check.code(), check.says);
            }
            for way in &seen.ways {
                let _ = writeln!(text, "  way {} {:?}: {}", way.edge, way.holds, way.why);
            }
            let _ = writeln!(text, "  advised {:?}", seen.advised);
        }
        if let Some(card) = self.app.card() {
            let _ = writeln!(text, "card {:?}: {:?}", card.action, card.stage);
        }
        for (at, told) in &self.told {
            let _ = writeln!(text, "  {:7.1} told: {told}", since(*at));
        }
        for (at, line) in &self.action {
            let _ = writeln!(text, "  {:7.1} action: {line}", since(*at));
        }
        for write in self.writes() {
            let _ = writeln!(text, "  write: {write:.300}");
        }
        for record in self.records().iter().filter(|r| !matches!(r, Record::Checked { .. })) {
            let _ = writeln!(text, "  {record:?}");
        }
        text
    }
}

/// The line of the action that is under way, in one word and what the cluster says.
fn action_line(app: &App) -> Option<String> {
    let acting = app.acting()?;
    let word = match (&acting.outcome, &acting.worked, &acting.progress) {
        (None, ..) => "sent".to_owned(),
        (_, Some((_, worked)), _) => worked.words().to_owned(),
        (Some(outcome), _, None) if outcome.changed() == Some(false) => format!("{outcome}"),
        (_, _, None) => "stored".to_owned(),
        (_, _, Some(progress)) => match progress.stage {
            Stage::Waiting => "waiting",
            Stage::Underway => "underway",
            Stage::Stuck => "stuck",
            Stage::Done => "done",
            Stage::Superseded => "superseded",
            Stage::Gone => "gone",
        }
        .to_owned(),
    };
    Some(word)
}

/// What an answer that got lost came to.
pub(crate) fn seen(outcome: Option<&Outcome>) -> Option<&Seen> {
    match outcome? {
        Outcome::Unknown { seen, .. } => Some(seen),
        _ => None,
    }
}
