//! What a command does: views opened and left, a cursor moved, something looked for. What walks and what acts stands in
//! `walk` and `levers`.

use std::borrow::Cow;

use super::desk::Recording;
use super::{App, Asking, Command, Effect, Logs, View, replicas_in_order};

/// The views that follow each other.
const ROUND: [View; 9] = [
    View::Main,
    View::Evidence,
    View::Replicas,
    View::Revisions,
    View::Gpus,
    View::Timeline,
    View::Runbook,
    View::Levers,
    View::Sources,
];

impl App {
    /// Does what was asked for; what does not work now says why.
    pub(super) fn command(&mut self, command: Command) -> Vec<Effect> {
        self.notices.clear();
        self.changed = true;
        self.echo = Some(command);
        if let Err(why) = self.works(command) {
            if !why.is_empty() {
                self.notice(&why);
            }
            return Vec::new();
        }
        match command {
            Command::Quit => return vec![Effect::Quit],
            Command::Suspend => return vec![Effect::Suspend],
            Command::Redraw => return vec![Effect::Redraw],
            Command::SaveFrame => return vec![Effect::SaveFrame],
            Command::Back => return self.back(),
            Command::Choose => return self.choose(),
            Command::AllNamespaces => return self.change_namespaces(),
            Command::Open => return self.open(),
            Command::Logs => return self.open_logs(0),
            Command::Left => return self.open_logs(-1),
            Command::Right => return self.open_logs(1),
            Command::Evidence => return self.show(View::Evidence),
            Command::Replicas => return self.show(View::Replicas),
            Command::Revisions => return self.show(View::Revisions),
            Command::Gpus => return self.show(View::Gpus),
            Command::Timeline => return self.show(View::Timeline),
            Command::Runbook => return self.show(View::Runbook),
            Command::Sources => return self.show(View::Sources),
            Command::Help if self.view() == View::Help => return self.back(),
            Command::Help => self.views.push(View::Help),
            Command::NextView => return self.round(1),
            Command::PreviousView => return self.round(ROUND.len() - 1),
            Command::Levers => return self.show(View::Levers),
            Command::Go => return self.go(),
            Command::Ways => return self.ways(),
            Command::StepBack => return self.step_back(),
            Command::Again => return self.again(),
            Command::Note => self.ask(Asking::Note),
            Command::Resume => return self.resume(false),
            Command::TakeOver => return self.resume(true),
            Command::BeginAnew => return self.begin_anew(),
            Command::Undo => return self.open_undo(),
            Command::Scale => return self.open_lever(crate::domain::Action::Scale),
            Command::Confirm => return self.confirm(None),
            Command::More => return self.adjust(true),
            Command::Fewer => return self.adjust(false),
            Command::Up | Command::Down if self.view() == View::Card && self.chooses() => {
                self.choose_alternative(command == Command::Down);
            }
            Command::Up => self.step(-1),
            Command::Down => self.step(1),
            Command::PageUp => self.step(-self.page()),
            Command::PageDown => self.step(self.page()),
            Command::Top => self.step(isize::MIN),
            Command::Bottom => self.step(isize::MAX),
            Command::Find => return self.find(),
            Command::FindNext => self.find_from(1),
            Command::FindPrevious => self.find_from(-1),
            Command::Accept => return self.accept(),
            Command::Erase => self.erase(false),
            Command::EraseAll => self.erase(true),
            Command::Hold => self.held = if self.held.is_some() { None } else { Some(self.now()) },
            Command::Follow => {
                if let Some(logs) = &mut self.logs {
                    logs.following = !logs.following;
                }
                self.settle_cursor();
            }
            Command::NextMark => self.next_mark(),
            Command::NextContainer => return self.next_container(),
            Command::RunBefore => return self.run_before(),
            Command::Present => self.presenting = !self.presenting,
        }
        Vec::new()
    }

    /// Whether up and down choose among the alternatives of the card.
    fn chooses(&self) -> bool {
        self.card().is_some_and(|card| !card.alternatives().is_empty())
    }

    /// Whether a command does anything now; if not, why not (nothing where that needs no words).
    pub fn works(&self, command: Command) -> Result<(), Cow<'static, str>> {
        let (view, typing) = (self.view(), self.prompt.is_some());
        let list = view != View::Main;
        let ok = |works: bool, why: &'static str| if works { Ok(()) } else { Err(Cow::from(why)) };
        let always = matches!(command, Command::Choose | Command::AllNamespaces | Command::Help);
        if self.views.first() == Some(&View::Chooser) && command.group() == super::Group::Views && !always {
            return Err("nothing is watched yet: choose one first".into());
        }
        match command {
            Command::Choose if !self.can_look() => {
                Err("no cluster is connected here that could be looked through".into())
            }
            // What is watched no more is left as the program is.
            Command::Quit | Command::Choose => ok(
                self.acting().is_none_or(|a| a.outcome.is_some()),
                "a change is on its way: wait for its answer, or leave with Ctrl-C and look at the next start",
            ),
            Command::Accept | Command::Erase | Command::EraseAll => ok(typing, ""),
            Command::Back => ok(typing || list || !self.cursor().find.is_empty(), ""),
            Command::Open => match view {
                View::Replicas => self.works(Command::Logs),
                View::Runbook => ok(self.advice().is_some(), ""),
                View::Levers => self.levers_work(),
                View::Card => ok(self.chooses(), ""),
                View::Chooser => ok(self.chosen().is_some(), ""),
                _ => ok(false, ""),
            },
            Command::AllNamespaces => ok(view == View::Chooser && self.can_look(), ""),
            Command::Logs => ok(!self.pods().is_empty(), "no pod is known: logs come from Kubernetes"),
            Command::Left | Command::Right => ok(view == View::Logs && self.pods().len() > 1, ""),
            Command::Follow | Command::NextMark | Command::RunBefore => ok(view == View::Logs, ""),
            Command::NextContainer => {
                ok(view == View::Logs && self.containers().len() > 1, "the pod has one container")
            }
            Command::Find if view == View::Main => {
                ok(self.diagnosis().is_some_and(|d| !d.replicas.is_empty()), "no replica is known yet")
            }
            Command::FindNext | Command::FindPrevious => {
                ok(list && !view.filters() && !self.cursor().find.is_empty(), "nothing is looked for: begin with /")
            }
            Command::Up | Command::Down | Command::PageUp | Command::PageDown | Command::Top | Command::Bottom => {
                ok(list, "")
            }
            Command::Hold => ok(self.diagnosis().is_some(), "there is no picture to hold yet"),
            Command::Go | Command::Ways | Command::StepBack | Command::Again | Command::Note => self.walks(command),
            Command::Resume => ok(self.earlier().is_some(), "no unfinished incident is on record"),
            Command::BeginAnew => ok(self.earlier().is_some(), ""),
            Command::TakeOver => ok(
                matches!(self.recording(), Recording::ReadingAlong { .. })
                    || self.earlier().is_some_and(|e| e.held_by.is_some()),
                "nobody else has this incident",
            ),
            Command::Undo | Command::Scale => self.levers_work(),
            Command::Confirm => {
                ok(self.card().is_some_and(super::Card::is_ready), "there is nothing to confirm")?;
                self.levers_work()
            }
            Command::More | Command::Fewer => ok(
                self.card().is_some_and(|card| {
                    use crate::action::Action as A;
                    matches!(card.action, A::Scale { .. } | A::RolloutUndo { .. } | A::SetAutoscalerBounds { .. })
                }),
                "",
            ),
            _ => Ok(()),
        }
    }

    fn levers_work(&self) -> Result<(), Cow<'static, str>> {
        self.levers_off().map_or(Ok(()), |why| Err(why.into()))
    }

    /// Whether the runbook can be walked.
    fn walks(&self, command: Command) -> Result<(), Cow<'static, str>> {
        let run = self.run();
        if !self.desk.decides() {
            return Err("whoever has the incident walks the runbook: this war room looks on".into());
        }
        if self.earlier().is_some() {
            return Err("an incident is on record: resume it or begin anew first".into());
        }
        let ok = |works: bool, why: &'static str| if works { Ok(()) } else { Err(Cow::from(why)) };
        match command {
            Command::Note => ok(self.diagnosis().is_some(), "there is nothing to write about yet"),
            Command::StepBack => ok(run.is_some_and(|r| !r.trail.is_empty() && !r.ended), "there is nothing before"),
            Command::Again => ok(run.is_some_and(|r| r.ended || r.again_offered), "the run is not over"),
            Command::Go if run.is_some_and(|r| r.ended) => Err("this run is over: see the runbook".into()),
            _ => ok(self.advice().is_some(), "nothing is the matter, so the runbook has nothing to say"),
        }
    }

    /// Keeps the cursor on its item, wherever that went; else inside the list.
    pub(super) fn settle_cursor(&mut self) {
        if self.view() == View::Main {
            return;
        }
        let items = self.items();
        let at_end = self.view() == View::Logs && self.logs.as_ref().is_some_and(|l| l.following);
        let cursor = self.cursor_mut();
        if at_end {
            (cursor.index, cursor.key) = (items.len().saturating_sub(1), None);
            return;
        }
        let known = cursor.key.as_ref().and_then(|key| items.iter().position(|item| item.key == *key));
        cursor.index = known.unwrap_or(cursor.index).min(items.len().saturating_sub(1));
    }

    pub(super) fn cursor_mut(&mut self) -> &mut super::Cursor {
        let view = self.view();
        &mut self.cursors[view as usize]
    }

    fn page(&self) -> isize {
        isize::try_from(self.size.1.saturating_sub(6).max(1)).unwrap_or(1)
    }

    fn step(&mut self, by: isize) {
        let items = self.items();
        let last = items.len().saturating_sub(1);
        let cursor = self.cursor_mut();
        let index = cursor.index.min(last).saturating_add_signed(by).min(last);
        (cursor.index, cursor.key) = (index, items.get(index).map(|item| item.key.clone()));
        if let Some(logs) = self.logs.as_mut().filter(|_| self.views.last() == Some(&View::Logs)) {
            logs.following = index == last && by > 0;
        }
    }

    /// Goes to the match after this one (`by` 1), before it (-1), or to the first from here on (0).
    pub(super) fn find_from(&mut self, by: isize) {
        let items = self.items();
        let found: Vec<usize> = (0..items.len()).filter(|i| self.matches(&items[*i])).collect();
        let here = self.cursor().index;
        let next = match by {
            -1 => found.iter().rev().find(|i| **i < here).or(found.last()),
            0 => found.iter().find(|i| **i >= here).or(found.first()),
            _ => found.iter().find(|i| **i > here).or(found.first()),
        };
        let Some(index) = next.copied() else {
            if !self.cursor().find.is_empty() {
                self.notice("not found");
            }
            return;
        };
        let cursor = self.cursor_mut();
        (cursor.index, cursor.key) = (index, Some(items[index].key.clone()));
        if let Some(logs) = self.logs.as_mut().filter(|_| self.views.last() == Some(&View::Logs)) {
            logs.following = false;
        }
    }

    fn find(&mut self) -> Vec<Effect> {
        let effects = if self.view() == View::Main { self.show(View::Replicas) } else { Vec::new() };
        self.ask(Asking::Find);
        effects
    }

    fn back(&mut self) -> Vec<Effect> {
        if self.prompt.take().is_some() {
            self.settle_cursor();
            return Vec::new();
        }
        if !self.cursor().find.is_empty() {
            self.cursor_mut().find.clear();
            self.settle_cursor();
            return Vec::new();
        }
        // Without anything to go back to, whoever leaves the choice leaves.
        if self.views == [View::Chooser] {
            return vec![Effect::Quit];
        }
        let left = if self.views.len() > 1 { self.views.pop() } else { None };
        if left == Some(View::Card) {
            self.close_card();
        }
        self.settle_cursor();
        if left == Some(View::Logs) { self.stop_logs() } else { Vec::new() }
    }

    /// Opens a view beside the main one; what was open there is left.
    pub(super) fn show(&mut self, view: View) -> Vec<Effect> {
        let logs = self.views.contains(&View::Logs);
        self.prompt = None;
        self.desk.card = None;
        self.views.truncate(1);
        if self.views.first() != Some(&view) {
            self.views.push(view);
        }
        self.settle_cursor();
        if logs { self.stop_logs() } else { Vec::new() }
    }

    fn round(&mut self, by: usize) -> Vec<Effect> {
        let here = self.views.iter().rev().find_map(|v| ROUND.iter().position(|r| r == v)).unwrap_or(0);
        self.show(ROUND[(here + by) % ROUND.len()])
    }

    /// What is selected, opened: a way is taken, a lever's or an alternative's card comes up, a log.
    fn open(&mut self) -> Vec<Effect> {
        let selected = self.items().into_iter().nth(self.cursor().index).map(|item| item.key).unwrap_or_default();
        match self.view() {
            View::Card => self.open_alternative(),
            View::Chooser => self.pick(),
            View::Runbook => {
                if let Some(edge) = selected.strip_prefix("to ") {
                    return self.take_way(edge, None);
                }
                self.notice("that is a check: its evidence stands beside it");
                Vec::new()
            }
            View::Levers => {
                if let Some(owed) =
                    selected.strip_prefix("owed ").and_then(|n| self.desk.owed.get(n.parse::<usize>().ok()?))
                {
                    let inverse = owed.inverse.clone();
                    return self.open_card(inverse);
                }
                let code = selected.split(' ').next().unwrap_or_default();
                match crate::domain::Action::ALL.iter().find(|a| a.code() == code) {
                    Some(lever) => self.open_lever(*lever),
                    None => Vec::new(),
                }
            }
            _ => self.open_logs(0),
        }
    }

    /// Pods whose logs can be read, in the order of their list.
    fn pods(&self) -> Vec<String> {
        let mut pods: Vec<String> = Vec::new();
        let Some(d) = self.diagnosis().filter(|_| self.target().is_some()) else { return pods };
        for row in replicas_in_order(d) {
            let pod = pod_of(&row.name);
            if !row.gone && !pods.iter().any(|p| p == pod) {
                pods.push(pod.to_owned());
            }
        }
        pods
    }

    /// Opens the log of the pod that stands `by` after the selected one.
    fn open_logs(&mut self, by: isize) -> Vec<Effect> {
        let pods = self.pods();
        let suspect = || self.diagnosis()?.suspect.as_ref()?.subject.replica.clone();
        let selected = match (&self.logs, self.view()) {
            (Some(logs), View::Logs) => Some(logs.pod.clone()),
            (_, View::Replicas) => self.items().get(self.cursor().index).map(|item| item.key.clone()),
            _ => self.cursors[View::Replicas as usize].key.clone().or_else(suspect),
        };
        let at = selected.and_then(|s| pods.iter().position(|p| p == pod_of(&s))).unwrap_or(0);
        let len = isize::try_from(pods.len()).unwrap_or(1).max(1);
        let at = (isize::try_from(at).unwrap_or(0) + by).rem_euclid(len).unsigned_abs();
        let Some(pod) = pods.into_iter().nth(at) else { return Vec::new() };
        if self.view() != View::Logs {
            self.views.retain(|v| matches!(v, View::Main | View::Replicas));
            self.views.push(View::Logs);
        } else if self.logs.as_ref().is_some_and(|l| l.pod == pod) {
            return Vec::new();
        }
        // The engine's container comes first.
        let container = self.containers().into_iter().next();
        self.follow_log(pod, container, false)
    }

    /// Follows one log, and no other any more.
    fn follow_log(&mut self, pod: String, container: Option<String>, previous: bool) -> Vec<Effect> {
        self.cursors[View::Logs as usize] = super::Cursor::default();
        self.logs = Some(Logs::of(pod.clone(), container.clone(), previous));
        vec![Effect::FollowLogs { pod, container, previous }]
    }

    /// The containers of a pod of the workload, the engine's first.
    fn containers(&self) -> Vec<String> {
        let workload = self.snapshot().cluster.as_ref().and_then(|(_, facts)| facts.workload.as_ref());
        workload.into_iter().flat_map(|w| &w.template.containers).map(|c| c.name.clone()).collect()
    }

    fn next_container(&mut self) -> Vec<Effect> {
        let all = self.containers();
        let Some(logs) = &self.logs else { return Vec::new() };
        let at = all.iter().position(|c| Some(c) == logs.container.as_ref()).map_or(0, |at| at + 1);
        let (pod, previous) = (logs.pod.clone(), logs.previous);
        let next = all.get(at % all.len().max(1)).cloned();
        self.follow_log(pod, next, previous)
    }

    fn run_before(&mut self) -> Vec<Effect> {
        let Some(logs) = &self.logs else { return Vec::new() };
        let (pod, container, previous) = (logs.pod.clone(), logs.container.clone(), !logs.previous);
        self.follow_log(pod, container, previous)
    }

    fn next_mark(&mut self) {
        let here = self.cursor().index;
        let Some(index) = self.logs.as_ref().and_then(|logs| logs.next_mark(here)) else {
            self.notice("nothing that matters in the lines that are here");
            return;
        };
        let key = self.items().get(index).map(|item| item.key.clone());
        let cursor = self.cursor_mut();
        (cursor.index, cursor.key) = (index, key);
        if let Some(logs) = &mut self.logs {
            logs.following = false;
        }
    }

    fn stop_logs(&mut self) -> Vec<Effect> {
        self.logs.take().map(|_| Effect::StopLogs).into_iter().collect()
    }
}

/// The pod of a replica's name: a page with several engines has several replicas of one pod.
fn pod_of(name: &str) -> &str {
    name.split_once(" engine ").map_or(name, |(pod, _)| pod)
}
