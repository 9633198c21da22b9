//! Who may not act does not act, whatever is pressed, typed, observed and heard. And who may sends only what was tried,
//! was on the screen, and was confirmed there.

use std::sync::OnceLock;

use proptest::prelude::*;
use warroom::action::guard::{Guard, Policy, Proposed};
use warroom::action::{Action, Answer, Context, Outcome, Permission, Plan, Request, Seen, Trial, plan};
use warroom::app::{
    App, Beginning, Command, Earlier, EarlierChange, Effect, Event, Heard, LogBatch, Owed, Recording, Settings, Tried,
};
use warroom::domain::{At, Observation, Snapshot, WorkloadRef};
use warroom::runbook::{Act, Announced, How, Record, Run, Transition, Who};
use warroom::ui::keymap::{Chord, Keymap};

use crate::room::{Opening, Room, judged_by, scenario};

/// What was observed of a cluster in trouble, at two moments; read once.
struct Seen2 {
    target: WorkloadRef,
    now: At,
    sweeps: Vec<Vec<Observation>>,
    run: Run,
    node: String,
}

fn world() -> &'static Seen2 {
    static WORLD: OnceLock<Seen2> = OnceLock::new();
    WORLD.get_or_init(|| {
        let mut room = Room::open(&scenario("bad-rollout"), Opening { read_before_s: 1200.0, ..Opening::default() });
        let now = room.now();
        let past = std::mem::take(&mut room.observed);
        room.pass(10.0);
        let sweeps = vec![past, std::mem::take(&mut room.observed)];
        let target = room.app.target().expect("a target").clone();
        Seen2 { target, now, sweeps, run: room.run().clone(), node: "gpu-a-1".to_owned() }
    })
}

fn who(name: &str) -> Who {
    Who { user: name.to_owned(), host: "elsewhere".to_owned() }
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    Press(usize),
    Key(char),
    Named(&'static str),
    Type(char),
    Sweep,
    Pass(u16),
    Painted,
    /// The dry run that is waited for is answered: well, with other bytes, with a refusal.
    Answer(u8),
    /// A dry run that nobody waits for.
    Foreign(u8),
    Performed(u8),
    Heard(u8),
    Earlier(u8),
    Recording(u8),
    Other(u8),
    /// Open a card, see it, confirm it.
    Whole(&'static str),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..Command::ALL.len()).prop_map(Step::Press),
        3 => prop::sample::select("?/eprsltbac><USARTPfwNgqkjuUYY+-=Y".chars().collect::<Vec<_>>()).prop_map(Step::Key),
        3 => prop::sample::select(vec!["enter", "esc", "tab", "up", "down", "space", "ctrl-l", "backspace"])
            .prop_map(Step::Named),
        1 => any::<char>().prop_map(Step::Type),
        1 => Just(Step::Sweep),
        2 => (0..200_u16).prop_map(Step::Pass),
        3 => Just(Step::Painted),
        4 => (0..6_u8).prop_map(Step::Answer),
        1 => (0..4_u8).prop_map(Step::Foreign),
        2 => (0..5_u8).prop_map(Step::Performed),
        2 => (0..8_u8).prop_map(Step::Heard),
        1 => (0..4_u8).prop_map(Step::Earlier),
        1 => (0..5_u8).prop_map(Step::Recording),
        1 => (0..4_u8).prop_map(Step::Other),
        3 => prop::sample::select(vec!["U", "S", "a enter", "r down U", "S enter"]).prop_map(Step::Whole),
    ]
}

fn room(guard: Policy) -> App {
    let seen = world();
    let snapshot =
        Snapshot { now: seen.now, interval_s: 5.0, target: Some(seen.target.clone()), ..Snapshot::default() };
    let settings = Settings { guard, who: who("alice"), ..Settings::new(snapshot, judged_by("bad-rollout")) };
    let mut app = App::new(settings);
    for observation in &seen.sweeps[0] {
        app.update(Event::Observed(Box::new(observation.clone())));
    }
    app
}

fn some_action(kind: u8) -> Action {
    match kind % 4 {
        0 => Action::undo(),
        1 => Action::SetAutoscalerBounds { min: 4, max: 4 },
        2 => Action::CordonNode { node: world().node.clone(), cordoned: true },
        _ => Action::RolloutPause,
    }
}

fn writing() -> Policy {
    Policy { read_only: false, ..Policy::default() }
}

/// A proposal that another gate made, of what this room knows.
fn foreign(app: &App, kind: u8) -> Option<Proposed> {
    let plan = plan(app.snapshot(), &some_action(kind), &Context::default()).ok()?;
    Guard::new(writing()).review(plan).ok()
}

fn trial(sent: Request, at: At, kind: u8) -> Trial {
    let permission = match kind {
        3 => Permission::Denied("'patch deployments.apps' is missing".to_owned()),
        4 => Permission::Unknown("nobody said".to_owned()),
        _ => Permission::Allowed,
    };
    let result = match kind {
        1 => Err(Outcome::Denied("no".to_owned())),
        _ => Ok(Answer::default()),
    };
    let sent = if kind == 2 { Request { body: "[]".to_owned(), ..sent } } else { sent };
    Trial { at, sent, permission, result }
}

fn outcome(kind: u8) -> Outcome {
    match kind {
        0 => Outcome::Applied(Answer::default()),
        1 => Outcome::NotSent("no".to_owned()),
        2 => Outcome::Unknown { why: "lost".to_owned(), seen: Seen::Done { ours: None } },
        3 => Outcome::Unknown { why: "lost".to_owned(), seen: Seen::NotRead("no".to_owned()) },
        _ => Outcome::Moved { differs: vec!["all".to_owned()], by: Some("bob".to_owned()) },
    }
}

fn heard(app: &App, kind: u8) -> Heard {
    let (at, by) = (app.now(), who("bob"));
    let plan = plan(app.snapshot(), &some_action(kind), &Context::default()).ok().map(Box::new);
    let moved = |to: &str, ended: bool| {
        let step = Transition {
            at,
            by: who("bob"),
            from: "triage".to_owned(),
            to: to.to_owned(),
            how: How::Chosen,
            reason: "because".to_owned(),
            advised: None,
            divert: None,
            open: Vec::new(),
            ended,
            means: None,
            rules_out: false,
            verified: false,
        };
        Heard::Run(Record::Moved(step))
    };
    match kind {
        0 => Heard::Run(Record::Started {
            at,
            by,
            runbook: "RB-6".to_owned(),
            state: "triage".to_owned(),
            onset: Some(at),
        }),
        1 => moved("hardware", false),
        2 => moved("rollback", false),
        3 => moved("resolved", true),
        4 => Heard::Sent { id: 1, by, at, title: "Undo".to_owned(), plan },
        5 => Heard::Answered { id: 1, outcome: Box::new(outcome(0)) },
        6 => Heard::Run(Record::Announced { at, what: Announced::BreachedAgain, sentence: "again".to_owned() }),
        _ => Heard::Run(Record::Acted(Act {
            at,
            by,
            action: warroom::domain::Action::RolloutUndo,
            what: "undo".to_owned(),
            reason: String::new(),
            accepted: None,
            eta_s: Some(1.0),
            state: "nowhere".to_owned(),
            before_verify: false,
        })),
    }
}

fn earlier(app: &App, kind: u8) -> Option<Box<Earlier>> {
    let at = app.now();
    let plan: Option<Plan> = plan(app.snapshot(), &some_action(kind), &Context::default()).ok();
    let inverse = Action::CordonNode { node: world().node.clone(), cordoned: false };
    (kind > 0).then(|| {
        Box::new(Earlier {
            run: (kind > 1).then(|| world().run.clone()),
            last: at,
            by: who("bob"),
            held_by: (kind == 3).then(|| who("bob")),
            change: plan.map(|plan| EarlierChange { id: 7, plan, at, outcome: None }),
            owed: vec![Owed { what: "cordon".to_owned(), at, inverse }],
        })
    })
}

/// What is played, and what is watched while it is.
struct Game {
    app: App,
    keymap: Keymap,
    /// Dry runs that nobody has answered yet.
    waiting: Vec<Proposed>,
    /// What was tried well, and whether its card was painted since.
    tried: Option<(Request, bool)>,
    last_id: u64,
    /// Whether the record may come into this war room's hands.
    may_write: bool,
    dry_runs: usize,
    sent: usize,
}

impl Game {
    fn new(app: App, may_write: bool) -> Self {
        Self {
            app,
            keymap: Keymap::default(),
            waiting: Vec::new(),
            tried: None,
            last_id: 1,
            may_write,
            dry_runs: 0,
            sent: 0,
        }
    }

    fn happen(&mut self, event: Event) {
        let confirms = matches!(event, Event::Command(Command::Confirm | Command::Accept));
        let painted = matches!(event, Event::Painted(_));
        let before_ready = self.app.card().is_some_and(warroom::app::Card::is_ready);
        let off = self.app.levers_off();
        let effects = self.app.update(event);
        if painted
            && before_ready
            && let Some((_, seen)) = &mut self.tried
        {
            *seen = true;
        }
        for effect in effects {
            match effect {
                Effect::DryRun(proposed) => {
                    self.dry_runs += 1;
                    self.tried = None;
                    self.waiting.push(*proposed);
                }
                Effect::Send(sending) => {
                    self.sent += 1;
                    self.last_id = sending.id;
                    let request = &sending.approved.plan().request;
                    assert!(confirms, "nobody confirmed it");
                    assert_eq!(off, None, "the levers were off");
                    assert_eq!(self.tried.take().as_ref(), Some(&(request.clone(), true)), "not tried, or not shown");
                }
                Effect::Begin(Beginning::New | Beginning::Resume { .. }) if self.may_write => {
                    self.happen(Event::Recording(Recording::Writing { path: "x.jsonl".to_owned() }));
                }
                _ => {}
            }
        }
    }

    fn now(&self) -> At {
        self.app.now()
    }

    fn press(&mut self, keys: &str) {
        for key in keys.split_whitespace() {
            let now = self.now().plus(0.5);
            self.happen(Event::Now(now));
            let chord = Chord::named(key).expect("a key");
            if let Some(event) = self.keymap.event(self.app.mode(), chord) {
                self.happen(event);
            }
        }
    }

    fn answer(&mut self, kind: u8) {
        let Some(proposed) = self.waiting.pop() else { return };
        let (at, request) = (self.now(), proposed.plan().request.clone());
        let trial = trial(request.clone(), at, kind);
        let well = !matches!(kind, 1..=3);
        let waits = matches!(self.app.card().map(|c| &c.stage), Some(warroom::app::Stage::Trying(plan)) if **plan == *proposed.plan());
        self.happen(Event::Tried(Box::new(Tried { proposed, trial })));
        if waits {
            self.tried = well.then_some((request, false));
        }
    }

    fn step(&mut self, step: &Step) {
        let now = self.now();
        match step {
            Step::Press(i) => self.happen(Event::Command(Command::ALL[*i])),
            Step::Key(c) => self.press(&c.to_string()),
            Step::Named(key) => self.press(key),
            Step::Type(c) => self.happen(Event::Typed(*c)),
            Step::Sweep => {
                for observation in &world().sweeps[1] {
                    self.happen(Event::Observed(Box::new(observation.clone())));
                }
                self.happen(Event::Tick(now.plus(5.0)));
            }
            Step::Pass(s) => self.happen(Event::Now(now.plus(f64::from(*s)))),
            Step::Painted => self.happen(Event::Painted(now)),
            Step::Answer(kind) => self.answer(*kind),
            Step::Foreign(kind) => {
                if let Some(proposed) = foreign(&self.app, *kind) {
                    let trial = trial(proposed.plan().request.clone(), now, 0);
                    let same = self.app.card().and_then(|c| c.plan()).is_some_and(|p| *p == *proposed.plan());
                    let trying = matches!(self.app.card().map(|c| &c.stage), Some(warroom::app::Stage::Trying(_)));
                    let request = proposed.plan().request.clone();
                    self.happen(Event::Tried(Box::new(Tried { proposed, trial })));
                    if same && trying {
                        self.tried = Some((request, false));
                    }
                }
            }
            Step::Performed(kind) => {
                let id = self.last_id;
                self.happen(Event::Performed { id, outcome: Box::new(outcome(*kind)) });
            }
            Step::Heard(kind) => {
                let heard = heard(&self.app, *kind);
                self.happen(Event::Heard(Box::new(heard)));
            }
            Step::Earlier(kind) => {
                let earlier = earlier(&self.app, *kind);
                self.happen(Event::Earlier(earlier));
            }
            Step::Recording(kind) => {
                let recording = match kind {
                    0 => Recording::Failing { why: "full".to_owned() },
                    1 => Recording::ReadingAlong { by: who("bob") },
                    2 => Recording::Replay,
                    3 => Recording::None,
                    _ => Recording::Writing { path: "x.jsonl".to_owned() },
                };
                let hands_over = !matches!(recording, Recording::ReadingAlong { .. } | Recording::Replay);
                if self.may_write || !hands_over {
                    self.happen(Event::Recording(recording));
                }
            }
            Step::Other(kind) => self.happen(match kind {
                0 => Event::Resized { columns: 0, rows: 0 },
                1 => Event::Notice("something".to_owned()),
                2 => Event::Found(Box::new(world().target.clone())),
                _ => Event::Logs(LogBatch { pod: "p".to_owned(), lines: vec!["Y".to_owned()], ended: None }),
            }),
            Step::Whole(keys) => {
                self.press(keys);
                self.answer(0);
                self.happen(Event::Painted(self.now()));
                self.press("Y");
            }
        }
    }
}

fn games() -> ProptestConfig {
    ProptestConfig { cases: 40, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(games())]

    #[test]
    fn whoever_started_read_only_asks_for_nothing(steps in prop::collection::vec(step(), 1..60)) {
        let mut game = Game::new(room(Policy::default()), true);
        game.happen(Event::Tick(world().now));
        for step in &steps {
            game.step(step);
        }
        prop_assert_eq!((game.dry_runs, game.sent), (0, 0));
    }

    #[test]
    fn whoever_looks_on_or_looks_back_asks_for_nothing(
        replay in any::<bool>(), steps in prop::collection::vec(step(), 1..60)
    ) {
        let mut game = Game::new(room(writing()), false);
        let recording = if replay { Recording::Replay } else { Recording::ReadingAlong { by: who("bob") } };
        game.happen(Event::Recording(recording));
        game.happen(Event::Tick(world().now));
        for step in &steps {
            game.step(step);
        }
        prop_assert_eq!((game.dry_runs, game.sent), (0, 0));
    }

    #[test]
    fn nothing_is_sent_that_was_not_tried_shown_and_confirmed(steps in prop::collection::vec(step(), 1..60)) {
        let mut game = Game::new(room(writing()), true);
        game.happen(Event::Tick(world().now));
        for step in &steps {
            game.step(step);
        }
    }
}

#[test]
fn the_same_game_does_send_where_it_may() {
    let mut game = Game::new(room(writing()), true);
    game.happen(Event::Tick(world().now));
    for (keys, kind) in [("U", 0), ("S enter", 2), ("U", 1)] {
        game.step(&Step::Whole(keys));
        game.step(&Step::Performed(kind));
    }
    assert_eq!((game.dry_runs, game.sent), (3, 3));
}
