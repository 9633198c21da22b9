//! From a lever to a change: its card is opened, tried, painted, confirmed, and what was approved is sent, once.

use super::acting::Acting;
use super::card::{Card, Stage};
use super::desk::Owed;
use super::event::{Sending, Tried};
use super::{App, Asking, Effect, View};
use crate::action::guard::Confirmation;
use crate::action::{Action, Context, Outcome, Target, plan};
use crate::domain::{self, At, Helps};
use crate::runbook::{LeverRow, RunEvent, levers};

impl App {
    /// The levers of the runbook's state, those that help first, each with what the diagnosis says of it.
    pub fn levers(&self) -> Vec<LeverRow> {
        let (Some(book), Some(d)) = (self.runbook(), self.diagnosis()) else { return Vec::new() };
        let state = self.run().map_or(book.start.as_str(), |run| run.state.as_str());
        levers(book, state, d)
    }

    /// Why no lever can be pulled now, where that is so.
    pub fn levers_off(&self) -> Option<String> {
        if let Some(why) = self.desk.levers_off() {
            return Some(why);
        }
        if self.snapshot.target.is_none() {
            return Some("no workload of a cluster is watched here, only pages".to_owned());
        }
        if self.snapshot.cluster.is_none() {
            return Some("Kubernetes has said nothing yet".to_owned());
        }
        self.held().map(|_| "the picture is held still: let it go on first".to_owned())
    }

    /// What a lever of the list would do, as far as it is done from here.
    pub fn meant(&self, lever: domain::Action) -> Result<Action, String> {
        let facts = self.snapshot.cluster.as_ref().map(|(_, facts)| facts);
        let desired = facts.and_then(|f| f.workload.as_ref()).map_or(0, |w| w.desired);
        let scaler = || facts.and_then(|f| f.autoscaler.as_ref());
        Ok(match lever {
            domain::Action::RolloutUndo => Action::undo(),
            domain::Action::Scale => Action::Scale { to: desired + 1 },
            domain::Action::RolloutPause => Action::RolloutPause,
            domain::Action::RolloutResume => Action::RolloutResume,
            domain::Action::RolloutRestart => Action::RolloutRestart,
            domain::Action::SetAutoscalerBounds => {
                let (min, max) = scaler().map_or((desired, desired), |s| (s.min, s.max));
                let min = desired.max(min) + 1;
                Action::SetAutoscalerBounds { min, max: max.max(min) }
            }
            domain::Action::PauseAutoscaler => {
                Action::PauseAutoscaler { paused: !scaler().is_some_and(|s| s.keeps_replicas) }
            }
            domain::Action::CordonNode => {
                let node =
                    self.suspected_node().ok_or("no node is suspected: choose a GPU in the list of GPUs first")?;
                Action::CordonNode { node, cordoned: true }
            }
            other => {
                let name = other.code().replace('_', " ");
                return Err(format!("'{name}' is not done from here: do it where the service is declared"));
            }
        })
    }

    /// The node of the suspect, or of the GPU or replica that is selected.
    fn suspected_node(&self) -> Option<String> {
        let d = self.diagnosis()?;
        let subject = d.suspect.as_ref().map(|s| &s.subject);
        let of_replica = |name: &str| d.replicas.iter().find(|r| r.name == name)?.node.clone();
        subject
            .and_then(|s| s.node.clone().or_else(|| of_replica(s.replica.as_deref()?)))
            .or_else(|| d.gpus.iter().find(|g| g.troubled)?.id.node.clone())
    }

    pub(super) fn open_lever(&mut self, lever: domain::Action) -> Vec<Effect> {
        match self.meant(lever) {
            Ok(action) => self.open_card(action),
            Err(why) => {
                self.notice(&why);
                Vec::new()
            }
        }
    }

    /// Undo: to the revision that is selected in the list of revisions, else to the one before the newest.
    pub(super) fn open_undo(&mut self) -> Vec<Effect> {
        let selected = (self.view() == View::Revisions)
            .then(|| self.items().get(self.cursor().index).and_then(|item| item.key.parse().ok()))
            .flatten();
        let revisions = self.snapshot.cluster.as_ref().map_or(&[][..], |(_, facts)| &facts.revisions);
        let newest = revisions.last().map(|r| r.number);
        let to = revisions
            .iter()
            .find(|r| Some(r.number) == selected && Some(r.number) != newest)
            .map(|r| Target { revision: r.number, uid: Some(r.uid.clone()) });
        self.open_card(Action::RolloutUndo { to })
    }

    /// Plans an action and opens its card. What can be tried is tried at once, which stores nothing.
    pub(super) fn open_card(&mut self, action: Action) -> Vec<Effect> {
        let run = self.desk.run.as_ref();
        let context = Context {
            who: self.desk.who.to_string(),
            incident: run.map(|run| format!("{}-{}", run.runbook, run.opened.0 / 1000)),
        };
        let (stage, effects) = match plan(&self.snapshot, &action, &context) {
            Err(refusal) => (Stage::Refused(refusal), Vec::new()),
            Ok(plan) => match self.desk.guard.review(plan.clone()) {
                Err(denial) => (Stage::Denied(Box::new(plan), denial), Vec::new()),
                Ok(proposed) => (Stage::Trying(Box::new(plan)), vec![Effect::DryRun(Box::new(proposed))]),
            },
        };
        // What takes a change back is no remedy: it neither helps nor hides what another one did.
        let back = self.takes_back(&action);
        let said = if back { None } else { self.said(&action) };
        self.desk.card = Some(Card {
            helps: said.map(|row| (row.helps, row.why)),
            caution: run.filter(|_| !back).and_then(|run| run.caution(action.kind())),
            opened: self.snapshot.now,
            action,
            stage,
            chosen: 0,
        });
        if self.view() != View::Card {
            self.views.push(View::Card);
        }
        self.cursors[View::Card as usize] = super::Cursor::default();
        self.changed = true;
        effects
    }

    /// Whether an action takes back what was done from here and stayed.
    fn takes_back(&self, action: &Action) -> bool {
        self.desk.owed.iter().any(|owed| owed.inverse == *action)
    }

    /// What the diagnosis says of an action. More replicas are more replicas, whether they are set or what owns them
    /// has to keep more.
    fn said(&self, action: &Action) -> Option<LeverRow> {
        let rows = self.levers();
        let of = |kind: domain::Action| rows.iter().find(|row| row.action == kind).cloned();
        let facts = self.snapshot.cluster.as_ref().map(|(_, facts)| facts);
        let desired = facts.and_then(|f| f.workload.as_ref()).map_or(0, |w| w.desired);
        let own = of(action.kind());
        match action {
            Action::SetAutoscalerBounds { min, .. } if *min > desired => {
                own.filter(|row| row.helps != Helps::Unknown).or_else(|| of(domain::Action::Scale))
            }
            _ => own,
        }
    }

    /// The card was left, or what it was about is on its way.
    pub(super) fn close_card(&mut self) {
        self.desk.card = None;
        self.views.retain(|v| *v != View::Card);
        self.settle_cursor();
    }

    /// A dry run was answered; if its card is still open, it goes on.
    pub(super) fn tried(&mut self, tried: Tried) {
        let Some(card) = &mut self.desk.card else { return };
        let Stage::Trying(plan) = &card.stage else { return };
        if **plan != *tried.proposed.plan() {
            return;
        }
        let plan = plan.clone();
        card.stage = match tried.proposed.tried(tried.trial) {
            Ok(pending) => Stage::Ready(Box::new(pending)),
            Err(denial) => Stage::Denied(plan, denial),
        };
        self.changed = true;
    }

    /// The card is on the screen.
    pub(super) fn painted(&mut self, at: At) {
        if let Some(Card { stage: Stage::Ready(pending), .. }) = &mut self.desk.card {
            pending.painted(at);
            self.changed = true;
        }
    }

    /// Another number, another revision: plans it anew.
    pub(super) fn adjust(&mut self, up: bool) -> Vec<Effect> {
        let Some(card) = &self.desk.card else { return Vec::new() };
        let step = |n: u32| if up { n.saturating_add(1) } else { n.saturating_sub(1).max(1) };
        let action = match &card.action {
            Action::Scale { to } => Action::Scale { to: step(*to) },
            Action::SetAutoscalerBounds { min, max } => {
                let min = step(*min);
                Action::SetAutoscalerBounds { min, max: (*max).max(min) }
            }
            Action::RolloutUndo { .. } => {
                let planned = card.plan().map(|plan| &plan.action);
                let revisions = self.snapshot.cluster.as_ref().map_or(&[][..], |(_, facts)| &facts.revisions);
                let here = match planned {
                    Some(Action::RolloutUndo { to: Some(to) }) => {
                        revisions.iter().position(|r| Some(&r.uid) == to.uid.as_ref())
                    }
                    _ => None,
                };
                let here = here.unwrap_or_else(|| revisions.len().saturating_sub(1));
                let next = if up { here + 1 } else { here.wrapping_sub(1) };
                // The newest is what runs.
                let Some(r) = revisions.get(next).filter(|_| next + 1 < revisions.len()) else {
                    self.notice("no other revision is kept on that side");
                    return Vec::new();
                };
                Action::RolloutUndo { to: Some(Target { revision: r.number, uid: Some(r.uid.clone()) }) }
            }
            _ => return Vec::new(),
        };
        self.open_card(action)
    }

    /// The alternative that is selected gets a card of its own.
    pub(super) fn open_alternative(&mut self) -> Vec<Effect> {
        let Some(card) = &self.desk.card else { return Vec::new() };
        match card.alternatives().into_iter().nth(card.chosen) {
            Some(action) => self.open_card(action),
            None => Vec::new(),
        }
    }

    /// The next alternative of the card, or the one before.
    pub(super) fn choose_alternative(&mut self, down: bool) {
        if let Some(card) = &mut self.desk.card {
            let most = card.alternatives().len().saturating_sub(1);
            card.chosen = if down { (card.chosen + 1).min(most) } else { card.chosen.saturating_sub(1) };
        }
    }

    /// Confirms the card. What is approved is put on record and sent; nothing else is ever sent.
    pub(super) fn confirm(&mut self, typed: Option<String>) -> Vec<Effect> {
        if let Some(why) = self.levers_off() {
            self.notice(&why);
            return Vec::new();
        }
        let Some(mut card) = self.desk.card.take() else { return Vec::new() };
        if card.needs_name() && typed.is_none() {
            self.desk.card = Some(card);
            self.ask(Asking::Name);
            return Vec::new();
        }
        let pending = match card.stage {
            Stage::Ready(pending) => *pending,
            stage => {
                card.stage = stage;
                self.desk.card = Some(card);
                return Vec::new();
            }
        };
        let plan = pending.plan().clone();
        let confirmation = Confirmation { at: self.snapshot.now, typed };
        match self.desk.guard.approve(pending, &confirmation, &self.snapshot) {
            Ok(approved) => {
                // Taking something back belongs to the incident in which it was done, even where that is over.
                let back = self.takes_back(&plan.action);
                let mut effects = if back && self.desk.run.is_some() { Vec::new() } else { self.ensure_run() };
                let id = self.new_id();
                let mut acting = Acting::new(id, plan.clone(), self.snapshot.now);
                acting.takes_back = back;
                self.desk.acting = Some(acting);
                let notes: Vec<String> =
                    card.helps.iter().map(|(helps, why)| format!("helps: {helps}, {why}")).collect();
                self.close_card();
                effects.push(Effect::Send(Box::new(Sending { id, approved, notes })));
                effects
            }
            Err(unapproved) => {
                self.notice(&unapproved.why.to_string());
                card.stage = match unapproved.card {
                    Some(pending) => Stage::Ready(Box::new(pending)),
                    None => Stage::Denied(Box::new(plan), unapproved.why),
                };
                self.desk.card = Some(card);
                self.changed = true;
                Vec::new()
            }
        }
    }

    /// A number that no other change of this record has.
    fn new_id(&mut self) -> u64 {
        let now = u64::try_from(self.snapshot.now.0).unwrap_or(0);
        self.desk.last_id = now.max(self.desk.last_id + 1);
        self.desk.last_id
    }

    /// What was sent was answered, or its fate is known as far as it can be.
    pub(super) fn performed(&mut self, id: u64, outcome: Outcome) -> Vec<Effect> {
        self.changed = true;
        let Some(acting) = self.desk.acting.as_mut().filter(|a| a.id == id) else { return Vec::new() };
        let (accepted, said) = (outcome.changed(), outcome.to_string());
        acting.outcome = Some(outcome);
        let (plan, back) = (acting.plan.clone(), acting.takes_back);
        let reason = self.said(&plan.action).and_then(|row| {
            let word = match row.helps {
                Helps::Yes => "helps",
                Helps::No => "said not to help",
                Helps::Unknown => return None,
            };
            Some(format!("{word}: {}", row.why))
        });
        let (at, by) = (self.now(), self.desk.who.clone());
        self.notice(&format!("{}: {said}", plan.action));
        if accepted != Some(false) {
            Owed::after(&mut self.desk.owed, &plan.action, plan.inverse.as_ref(), at);
        }
        if back {
            let text = format!("to take it back: {}: {said}", plan.action);
            return self.run_event(RunEvent::Note { at, by, text });
        }
        self.run_event(RunEvent::Acted {
            at,
            by,
            action: plan.action.kind(),
            what: plan.action.to_string(),
            reason,
            accepted,
            eta_s: plan.cost.eta_s,
        })
    }
}
