//! An incident that was recorded: seen, decided, done.

use std::path::Path;

use warroom::contract::record::{Answered, Entry, Planned, Target, Verdict};
use warroom::diagnosis::ChangeKind;
use warroom::domain::{Action, At};
use warroom::journal::{Journal, Opening, Watching};
use warroom::runbook::{Catalogue, Condition, Record, Run, RunEffect, RunEvent, Runbook, Seen, Sight, Who};

use crate::screen::{breach, judged};

pub(crate) fn ada() -> Who {
    Who { user: "ada".to_owned(), host: "bastion".to_owned() }
}

pub(crate) fn bob() -> Who {
    Who { user: "bob".to_owned(), host: "bastion".to_owned() }
}

pub(crate) fn target() -> Target {
    Target::from(&crate::screen::target())
}

pub(crate) fn opening() -> Opening {
    Opening { target: target(), read_only: false, simulated: false }
}

pub(crate) fn rb_6() -> Runbook {
    Catalogue::embedded().get("RB-6").expect("it comes with the program").runbook.clone()
}

/// What the war room does with a journal: every effect of the run that is a record is a line.
pub(crate) struct Room {
    pub(crate) journal: Journal,
    pub(crate) run: Run,
    pub(crate) book: Runbook,
    pub(crate) now: At,
}

impl Room {
    pub(crate) fn open(folder: &Path, now: At) -> Self {
        let journal = Journal::create(folder, &opening(), now, &ada()).expect("a record");
        let book = rb_6();
        let (run, record) = Run::start(&book, now, &ada(), Some(now.plus(-90.0)));
        let mut room = Self { journal, run, book, now };
        room.write(Entry::run(record));
        room
    }

    pub(crate) fn write(&mut self, entry: Entry) {
        self.journal.append(self.now, entry).expect("it is written");
    }

    pub(crate) fn on(&mut self, event: RunEvent) {
        let effects = self.run.on(&self.book, event);
        for effect in effects {
            match effect {
                RunEffect::Record(record) => self.write(Entry::run(record)),
                RunEffect::Refused(why) => assert!(matches!(why, warroom::runbook::Refused::OutOfDate), "{why}"),
                RunEffect::Warned(_) => {}
            }
        }
    }

    pub(crate) fn after(&mut self, seconds: f64) -> &mut Self {
        self.now = self.now.plus(seconds);
        self
    }

    pub(crate) fn take(&mut self, edge: &str, reason: &str) {
        let (at, by) = (self.now, ada());
        self.on(RunEvent::Take { at, by, edge: edge.to_owned(), reason: Some(reason.to_owned()) });
    }

    pub(crate) fn sees(&mut self, condition: Condition) {
        let seen = Seen {
            at: self.now,
            state: self.run.state.clone(),
            condition,
            onset: None,
            sentence: "TTFT p95 is 10-20 s".to_owned(),
            checks: Vec::new(),
            ways: Vec::new(),
            advised: None,
            burns: Vec::new(),
        };
        self.on(RunEvent::Saw { seen: Box::new(seen) });
    }
}

pub(crate) fn planned(id: u64, dry_run: bool) -> Entry {
    Entry::Planned(Planned {
        id,
        action: Action::RolloutUndo,
        title: "undo vllm-runtime to revision 41".to_owned(),
        object: "Deployment/vllm-runtime".to_owned(),
        kubectl: "kubectl -n llm-serving rollout undo deployment/vllm-runtime --to-revision=41".to_owned(),
        bytes: "[{\"op\":\"test\",\"path\":\"/metadata/uid\",\"value\":\"a\\tb\"}]".to_owned(),
        dry_run,
        notes: vec!["taken back by: undo to revision 42".to_owned()],
        plan: serde_json::Value::Null,
    })
}

pub(crate) fn answered(id: u64, accepted: Option<bool>) -> Entry {
    Entry::Answered(Answered { id, accepted, status: Some(200), says: "it is generation 43 now".to_owned() })
}

/// The founding incident, from the page to its end.
pub(crate) fn founding(folder: &Path) -> Room {
    let story = breach();
    let d = judged(&story);
    let mut room = Room::open(folder, d.at);
    let mut watching = Watching::new();
    for entry in watching.entries(&d) {
        room.write(entry);
    }
    assert!(d.changes.iter().any(|c| c.kind == ChangeKind::Rollout), "the story has a rollout");
    let seen = room.run.look(&room.book, Sight::new(&d).with_snapshot(&story.snapshot));
    room.on(RunEvent::Saw { seen: Box::new(seen) });
    room.after(40.0).take("deploy", "revision 42 came first");
    room.after(20.0).take(
        "rollback",
        "its diff touches --max-num-seqs, env HF_TOKEN hf_secretsecretsecret -> hf_othersecretsecret",
    );
    room.after(15.0).write(planned(1, true));
    room.write(answered(1, Some(true)));
    room.after(5.0).write(planned(2, false));
    room.after(1.0).write(answered(2, Some(true)));
    let acted = RunEvent::Acted {
        at: room.now,
        by: ada(),
        action: Action::RolloutUndo,
        what: "undo to revision 41".to_owned(),
        reason: Some("it <b>broke</b> with 42".to_owned()),
        accepted: Some(true),
        eta_s: Some(330.0),
    };
    room.on(acted);
    room.after(400.0).take("verify", "the rollout is complete");
    room.after(60.0).sees(Condition::Holds);
    room.after(60.0).sees(Condition::Holds);
    let over = Verdict { verdict: "healthy".to_owned(), sentence: "TTFT holds".to_owned(), ..Verdict::of(&d) };
    room.write(Entry::Verdict(over));
    let note = RunEvent::Note { at: room.now, by: ada(), text: "tell the model team".to_owned() };
    room.on(note);
    room.after(240.0).take("resolved", "the SLI holds");
    assert!(room.run.ended);
    room
}

/// The records of a run, as a file has them.
pub(crate) fn records(path: &Path) -> Vec<Record> {
    warroom::journal::read(path).expect("a record").records().cloned().collect()
}
