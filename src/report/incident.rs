//! An incident's record for people: what was seen, decided and done, by whom, and how long each step took. Shows what
//! the record says and diagnoses nothing anew. Knows no file.

mod html;
mod json;
mod markdown;
mod plot;
mod scrub;

use crate::contract::record::{Contents, Entry, Line, Point, Target, Verdict};
use crate::contract::{record::utc_time, time};
use crate::domain::At;
use crate::runbook::{Announced, How, Record, Run, Transition, Who};
use crate::text::{Mask, MaskRule};

pub use html::html;
pub use json::json;
pub use markdown::markdown;

/// Events that a report tells; an incident has hundreds.
const MOST_EVENTS: usize = 5_000;

/// What kind of thing an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What was seen.
    Seen,
    /// What changed by itself, or by somebody else.
    Changed,
    /// What was decided.
    Decided,
    /// What was done.
    Done,
    /// What was written down.
    Noted,
    /// What happened to the record.
    Record,
}

impl Kind {
    /// In one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Changed => "changed",
            Self::Decided => "decided",
            Self::Done => "done",
            Self::Noted => "noted",
            Self::Record => "record",
        }
    }
}

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: At,
    /// What kind.
    pub kind: Kind,
    /// By whom, where somebody did it.
    pub by: Option<Who>,
    /// What.
    pub text: String,
    /// What belongs to it: evidence, a command, an answer.
    pub details: Vec<String>,
}

/// How long a step took, from the onset (s).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Which.
    pub name: &'static str,
    /// When it was reached.
    pub at: Option<At>,
    /// Seconds since the onset.
    pub after_s: Option<f64>,
}

/// An incident as its record tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// The workload.
    pub target: Target,
    /// When the record begins, and its last line.
    pub opened: At,
    /// See `opened`.
    pub last: At,
    /// When the objective broke, where that is known.
    pub onset: Option<At>,
    /// The runbook and the state in which it stands.
    pub runbook: Option<(String, String)>,
    /// Whether it came to an end.
    pub ended: bool,
    /// The worst verdict on record.
    pub worst: Option<(At, Verdict)>,
    /// The last one.
    pub latest: Option<(At, Verdict)>,
    /// Times to acknowledge, diagnose, mitigate, recover, verify.
    pub steps: Vec<Step>,
    /// Everybody who did something.
    pub people: Vec<Who>,
    /// The timeline, oldest first.
    pub events: Vec<Event>,
    /// The picture.
    pub points: Vec<Point>,
    /// Moments that are marked in it.
    pub marks: Vec<(At, String)>,
    /// What stayed open.
    pub open: Vec<String>,
    /// Changes whose outcome is not on record.
    pub unanswered: Vec<String>,
    /// What is wrong with the record.
    pub problems: Vec<String>,
    /// Whether it is of a simulated cluster.
    pub simulated: bool,
}

impl Incident {
    /// What a record tells. Nothing where its beginning is missing. `mask`: names of these kinds are replaced.
    pub fn of(contents: &Contents, mask: Option<&[MaskRule]>) -> Option<Self> {
        let first = contents.lines.first()?;
        let target = contents.target()?.clone();
        let run = Run::restore(contents.records());
        let mut incident = Self {
            target,
            opened: first.at,
            last: contents.lines.last()?.at,
            onset: run.as_ref().and_then(|r| r.memory.onset),
            runbook: run.as_ref().map(|r| (r.runbook.clone(), r.state.clone())),
            ended: run.as_ref().is_some_and(|r| r.ended),
            worst: None,
            latest: None,
            steps: run.as_ref().map_or_else(Vec::new, steps),
            people: Vec::new(),
            events: Vec::new(),
            points: Vec::new(),
            marks: Vec::new(),
            open: run.as_ref().map_or_else(Vec::new, |r| r.open.clone()),
            unanswered: contents.unanswered().iter().map(|p| p.title.clone()).collect(),
            problems: contents.problems(),
            simulated: contents.lines.iter().any(|l| matches!(l.entry, Entry::Opened { simulated: true, .. })),
        };
        for line in &contents.lines {
            incident.line(line);
        }
        if incident.events.len() >= MOST_EVENTS {
            incident.problems.push(format!("more than {MOST_EVENTS} events: the later ones are left out"));
        }
        incident.events.sort_by_key(|e| e.at);
        incident.marks.sort_by_key(|m| m.0);
        incident.points.sort_by_key(|p| p.at);
        incident.leave_out(contents, mask);
        Some(incident)
    }

    fn add(&mut self, at: At, kind: Kind, by: Option<&Who>, text: impl Into<String>) -> &mut Event {
        if let Some(by) = by
            && !self.people.contains(by)
        {
            self.people.push(by.clone());
        }
        let event = Event { at, kind, by: by.cloned(), text: text.into(), details: Vec::new() };
        // What does not fit is told once, in the problems.
        if self.events.len() >= MOST_EVENTS {
            self.events.pop();
        }
        self.events.push(event);
        let last = self.events.len() - 1;
        &mut self.events[last]
    }

    fn line(&mut self, line: &Line) {
        let (at, by) = (line.at, Some(&line.by));
        match &line.entry {
            Entry::Opened { tool, read_only, .. } => {
                let how = if *read_only { ", read-only" } else { "" };
                self.add(at, Kind::Record, by, format!("the record begins (warroom {tool}{how})"));
            }
            Entry::Taken { over, .. } => {
                let text = if *over { "took the incident over" } else { "went on with the incident" };
                self.add(at, Kind::Record, by, text);
            }
            Entry::Verdict(verdict) => self.verdict(at, verdict),
            Entry::Changed { when, change, summary } => {
                self.add(*when, Kind::Changed, None, format!("{change}: {summary}"));
                self.marks.push((*when, summary.clone()));
            }
            Entry::Run { run } => self.record(run),
            Entry::Planned(plan) => {
                let dry = if plan.dry_run { "tried, without effect" } else { "asked for" };
                let event = self.add(at, Kind::Done, by, format!("{dry}: {} ({})", plan.title, plan.object));
                event.details.push(plan.kubectl.clone());
                event.details.extend(plan.notes.iter().cloned());
            }
            Entry::Answered(answer) => {
                let word = match answer.accepted {
                    Some(true) => "accepted",
                    Some(false) => "refused",
                    None => "outcome not known",
                };
                let status = answer.status.map_or(String::new(), |s| format!(" ({s})"));
                self.add(at, Kind::Done, None, format!("answer: {word}{status}: {}", answer.says));
            }
            Entry::Series { points } => self.points.extend(points.iter().copied()),
            Entry::Lost { lines, why } => {
                self.add(at, Kind::Record, None, format!("{lines} lines are missing: {why}"));
            }
            Entry::Closed {} => {
                self.add(at, Kind::Record, by, "the war room was left");
            }
        }
    }

    fn verdict(&mut self, at: At, verdict: &Verdict) {
        let rank = |v: &Verdict| match v.verdict.as_str() {
            "stalled" => 3,
            "breach" => 2,
            "warning" => 1,
            _ => 0,
        };
        let event =
            self.add(at, Kind::Seen, None, format!("{}: {}", verdict.verdict.replace('_', " "), verdict.sentence));
        if let Some(s) = &verdict.suspect {
            let cause = s.cause.as_ref().map_or(String::new(), |c| format!(", cause {c}"));
            event.details.push(format!("suspect: {}, {}{cause} (confidence {})", s.phase, s.mechanism, s.confidence));
        }
        if self.worst.as_ref().is_none_or(|(_, worst)| rank(verdict) > rank(worst)) {
            self.worst = Some((at, verdict.clone()));
        }
        self.latest = Some((at, verdict.clone()));
    }

    fn record(&mut self, record: &Record) {
        match record {
            Record::Started { at, by, runbook, state, onset } => {
                self.add(*at, Kind::Decided, Some(by), format!("runbook {runbook} begins in {state}"));
                if let Some(onset) = onset {
                    self.marks.push((*onset, "the objective broke".to_owned()));
                }
            }
            Record::Acknowledged { at, by } => {
                self.add(*at, Kind::Decided, Some(by), "acknowledged");
            }
            Record::Moved(step) => self.moved(step),
            Record::Acted(act) => {
                let word = match act.accepted {
                    Some(true) => "done",
                    Some(false) => "refused by the cluster",
                    None => "sent, outcome not known",
                };
                let event =
                    self.add(act.at, Kind::Done, Some(&act.by), format!("{} ({}): {word}", act.what, act.action));
                if !act.reason.is_empty() {
                    event.details.push(format!("because {}", act.reason));
                }
                if act.before_verify {
                    event.details.push("before the lever before it was verified".to_owned());
                }
                if act.accepted != Some(false) {
                    self.marks.push((act.at, act.what.clone()));
                }
            }
            Record::Announced { at, what, sentence } => {
                let event = self.add(*at, Kind::Seen, None, what.words());
                event.details.push(sentence.clone());
                if matches!(what, Announced::Recovered | Announced::BreachedAgain) {
                    self.marks.push((*at, what.words().to_owned()));
                }
            }
            Record::Checked { at, state, changed } => {
                let event = self.add(*at, Kind::Seen, None, format!("checks in {state}"));
                event.details.extend(
                    changed.iter().map(|a| format!("{} {}: {}", a.outcome.code().replace('_', " "), a.check, a.says)),
                );
            }
            Record::Onset { at, onset } => {
                self.add(*at, Kind::Seen, None, format!("the objective broke at {}", time(*onset)));
                self.marks.push((*onset, "the objective broke".to_owned()));
            }
            Record::Noted { at, by, text } => {
                self.add(*at, Kind::Noted, Some(by), text.clone());
            }
        }
    }

    fn moved(&mut self, step: &Transition) {
        let how = match step.how {
            How::Recommended => "as recommended",
            How::Chosen => "by choice",
            How::Back => "back",
            How::Lever => "by a lever",
            How::Again => "because it broke again",
            How::Returned => "back from the other runbook",
        };
        let divert = step.divert.as_ref().map_or(String::new(), |d| format!(" into {d}"));
        let text = format!("{} -> {}{divert}, {how}", step.from, step.to);
        let event = self.add(step.at, Kind::Decided, Some(&step.by), text);
        event.details.push(format!("because {}", step.reason));
        if let Some((edge, why)) = step.advised.as_ref().filter(|_| step.how != How::Recommended) {
            event.details.push(format!("recommended was {edge}: {why}"));
        }
        if !step.open.is_empty() {
            event.details.push(format!("left open: {}", step.open.join(", ")));
        }
    }

    /// Secrets are left out of every sentence, and names where that was asked for.
    fn leave_out(&mut self, contents: &Contents, rules: Option<&[MaskRule]>) {
        let mask = rules.map(|rules| names(contents, rules));
        let clean = |text: &mut String| {
            let scrubbed = scrub::scrub(text);
            *text = mask.as_ref().map_or(scrubbed.clone(), |mask| mask.apply(&scrubbed));
        };
        for event in &mut self.events {
            clean(&mut event.text);
            event.details.iter_mut().for_each(clean);
            if mask.is_some() {
                event.by = event.by.take().map(|who| hidden(&self.people, &who));
            }
        }
        for (_, verdict) in self.worst.iter_mut().chain(&mut self.latest) {
            clean(&mut verdict.sentence);
            verdict.nodes.iter_mut().for_each(clean);
            verdict.tenants.iter_mut().for_each(clean);
            verdict.model.iter_mut().for_each(clean);
            verdict.slo.iter_mut().filter_map(|s| s.model.as_mut()).for_each(clean);
        }
        self.marks.iter_mut().for_each(|(_, text)| clean(text));
        self.unanswered.iter_mut().chain(&mut self.problems).for_each(clean);
        for name in [&mut self.target.context, &mut self.target.namespace, &mut self.target.name] {
            clean(name);
        }
        if mask.is_some() {
            let people = self.people.clone();
            self.people = people.iter().map(|who| hidden(&people, who)).collect();
            // A context is as telling as a host.
            "context".clone_into(&mut self.target.context);
        }
    }
}

/// A person under a number that stays the same all along.
fn hidden(people: &[Who], who: &Who) -> Who {
    let n = people.iter().position(|p| p == who).map_or(0, |n| n + 1);
    Who { user: format!("person-{n}"), host: "host".to_owned() }
}

/// Every name that the record knows to be one.
fn names(contents: &Contents, rules: &[MaskRule]) -> Mask {
    let mut mask = Mask::new(rules);
    for line in &contents.lines {
        match &line.entry {
            Entry::Opened { target, .. } => {
                mask.learn(MaskRule::Namespace, &target.namespace);
                // Contexts hold cluster and account.
                mask.learn(MaskRule::Namespace, &target.context);
            }
            Entry::Verdict(verdict) => {
                verdict.nodes.iter().for_each(|node| mask.learn(MaskRule::Node, node));
                let models = verdict.slo.iter().filter_map(|s| s.model.as_ref()).chain(&verdict.model);
                models.for_each(|model| mask.learn(MaskRule::Model, model));
                verdict.tenants.iter().for_each(|tenant| mask.learn(MaskRule::Tenant, tenant));
            }
            _ => {}
        }
    }
    mask
}

fn steps(run: &Run) -> Vec<Step> {
    let step = |name, at| Step { name, at, after_s: run.after_onset(at) };
    vec![
        step("acknowledge", run.times.acknowledged),
        step("diagnose", run.times.diagnosed),
        step("mitigate", run.times.mitigated),
        step("recover", run.times.recovered),
        step("verify", run.times.verified),
    ]
}

/// `03:05:40Z`, or with its day where that is another one than the record's first.
fn clock(at: At, opened: At) -> String {
    let (text, first) = (utc_time(At(at.0.div_euclid(1000) * 1000)), utc_time(opened));
    match (text.split_once('T'), first.split_once('T')) {
        (Some((day, clock)), Some((first, _))) if day == first => clock.to_owned(),
        _ => text,
    }
}

/// How it stands, in a sentence.
fn standing(incident: &Incident) -> String {
    match (&incident.runbook, incident.ended) {
        (Some((id, state)), true) => format!("{id} came to its end in {state}"),
        (Some((id, state)), false) => format!("{id} stands in {state}: it was not brought to an end"),
        (None, _) => "no runbook was begun".to_owned(),
    }
}
