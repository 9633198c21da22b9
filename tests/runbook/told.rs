//! What the stories of runs are told with.

use warroom::domain::{Action, At};
use warroom::runbook::{Catalogue, Condition, Record, Refused, Run, RunEffect, RunEvent, Runbook, Seen, Sight, Who};

use crate::screen::{Story, judged};

/// A made-up runbook, which knows nothing of latency: two steps, a loop, a lever, an end that one comes back from.
pub(crate) const MADE_UP: &str = r#"
id = "KETTLE"
title = "The kettle is cold"
trigger = "nobody has tea"
start = "look"
[[anywhere]]
action = "delete_pod"
to = "pull"
[[state]]
name = "look"
decides = "is it plugged in"
checks = ["tokens_flow"]
[[state]]
name = "pull"
decides = "which switch"
[[state.lever]]
action = "rollout_restart"
text = "off and on again"
[[state]]
name = "taste"
decides = "is it hot"
verifies = true
[[state]]
name = "tea"
kind = "end"
means = "resolved"
decides = "tea"
[[state]]
name = "shop"
kind = "end"
means = "diverted"
decides = "a new kettle"
returns = ["taste"]
[[edge]]
from = "look"
to = "pull"
guard = "always"
when = "it is plugged in"
[[edge]]
from = "look"
to = "shop"
when = "there is no kettle"
[[edge]]
from = "pull"
to = "taste"
guard = "always"
when = "it hums"
[[edge]]
from = "taste"
to = "tea"
pass = ["tokens_flow"]
when = "it is hot"
[[edge]]
from = "taste"
to = "look"
when = "it is not"
rules_out = true
"#;

pub(crate) fn made_up() -> Runbook {
    Runbook::parse("kettle.toml", MADE_UP).expect("it loads")
}

pub(crate) fn rb_6() -> Runbook {
    Catalogue::embedded().get("RB-6").expect("it comes with the program").runbook.clone()
}

pub(crate) fn ada() -> Who {
    Who { user: "ada".to_owned(), host: "bastion".to_owned() }
}

pub(crate) const NINE: At = At(1_780_902_000_000);

/// A run, its runbook and its clock.
pub(crate) struct Walk {
    pub(crate) book: Runbook,
    pub(crate) run: Run,
    pub(crate) now: At,
    pub(crate) records: Vec<Record>,
}

impl Walk {
    pub(crate) fn of(book: Runbook) -> Self {
        let (run, record) = Run::start(&book, NINE, &ada(), Some(NINE.plus(-60.0)));
        Self { book, run, now: NINE, records: vec![record] }
    }

    pub(crate) fn on(&mut self, event: RunEvent) -> Vec<RunEffect> {
        let effects = self.run.on(&self.book, event);
        self.records.extend(effects.iter().filter_map(|e| match e {
            RunEffect::Record(record) => Some(record.clone()),
            _ => None,
        }));
        effects
    }

    pub(crate) fn after(&mut self, seconds: f64) -> &mut Self {
        self.now = self.now.plus(seconds);
        self
    }

    /// Looks at a story from where the run stands; the story happens now.
    pub(crate) fn look(&mut self, story: &Story) -> Seen {
        let d = judged(story);
        let seen = self.run.look(&self.book, Sight::new(&d).with_snapshot(&story.snapshot));
        self.now = seen.at;
        self.on(RunEvent::Saw { seen: Box::new(seen.clone()) });
        seen
    }

    /// Sees only how it is.
    pub(crate) fn sees(&mut self, condition: Condition) -> Vec<RunEffect> {
        let seen = plain(&self.run.state, self.now, condition);
        self.on(RunEvent::Saw { seen: Box::new(seen) })
    }

    pub(crate) fn enter(&mut self) -> Result<String, Refused> {
        let edge = self.run.seen.as_ref().and_then(|s| s.advised.as_ref()).map(|a| a.edge.clone());
        self.take(&edge.expect("something is recommended"), None)
    }

    pub(crate) fn take(&mut self, edge: &str, reason: Option<&str>) -> Result<String, Refused> {
        let event =
            RunEvent::Take { at: self.now, by: ada(), edge: edge.to_owned(), reason: reason.map(str::to_owned) };
        self.moved(event)
    }

    pub(crate) fn back(&mut self) -> Result<String, Refused> {
        self.moved(RunEvent::Back { at: self.now, by: ada(), reason: None })
    }

    pub(crate) fn moved(&mut self, event: RunEvent) -> Result<String, Refused> {
        let effects = self.on(event);
        match effects.into_iter().find_map(|e| if let RunEffect::Refused(why) = e { Some(why) } else { None }) {
            Some(why) => Err(why),
            None => Ok(self.run.state.clone()),
        }
    }

    pub(crate) fn pulls(&mut self, action: Action, accepted: Option<bool>) -> Vec<RunEffect> {
        self.on(RunEvent::Acted {
            at: self.now,
            by: ada(),
            action,
            what: format!("{action} it"),
            reason: Some("users wait".to_owned()),
            accepted,
            eta_s: Some(120.0),
        })
    }
}

pub(crate) fn plain(state: &str, at: At, condition: Condition) -> Seen {
    Seen {
        at,
        state: state.to_owned(),
        condition,
        onset: None,
        sentence: "as it is".to_owned(),
        checks: Vec::new(),
        ways: Vec::new(),
        advised: None,
        burns: Vec::new(),
    }
}
