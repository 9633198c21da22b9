//! `warroom act`: one lever, from a line. It goes through the same gate as on the screen: the plan is reviewed, its bytes
//! are dry-run, the card is out before it is confirmed, it is on record before it is sent, and it is sent once.

mod looking;
mod sending;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use color_eyre::eyre::{Context as _, Result};
use tokio::time::sleep;

use super::connect::Asked;
use super::gate;
use super::warroom::threads;
use super::{PIPE_WIDTH, complain, given, switched_on, usage};
use crate::action::card::{self, Part, card};
use crate::action::guard::{Confirm, Confirmation, Denial, Guard, Pending};
use crate::action::{Action, Context, Permission, Plan, plan};
use crate::cli::{ActCommand, ActOutput, Cli, HowArgs};
use crate::clock::Clock;
use crate::cluster::Performer;
use crate::command::act::{End, Step, refused, unjudged};
use crate::config::{Config, Setting};
use crate::domain::At;
use crate::journal::who;
use looking::{Interrupts, Looking};

pub(super) fn run(cli: &Cli, command: &ActCommand) -> Result<u8> {
    let (action, target, how) = wanted(command);
    let flags = given([("--read-only", Setting::ReadOnly, &switched_on(how.read_only))]);
    let config = match Config::load(cli.config.as_deref(), flags) {
        Ok(config) => config,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let wait = match how.wait.as_str() {
        "0" | "0s" => Ok(Duration::ZERO),
        wait => super::duration("--wait", wait),
    };
    let (wait, asked) = match (wait, Asked::of(target, &how.cluster)) {
        (Ok(wait), Ok(asked)) => (wait, asked),
        (Err(message), _) | (_, Err(message)) => return Ok(usage(&message)),
    };
    let act = Act { action, how: how.clone(), wait, guard: Guard::new(gate::guard(&config)) };
    let runtime = threads()?;
    let code = runtime.block_on(act.run(asked));
    // What is still in flight is nobody's business any more.
    runtime.shutdown_background();
    code
}

/// What was typed, as an action, where, and how.
fn wanted(command: &ActCommand) -> (Action, Option<&str>, &HowArgs) {
    let (action, on) = match command {
        ActCommand::Undo { to_revision: 0, on } => (Action::undo(), on),
        ActCommand::Undo { to_revision, on } => (Action::undo_to(*to_revision), on),
        ActCommand::Scale { replicas, on } => (Action::Scale { to: *replicas }, on),
        ActCommand::Pause(on) => (Action::RolloutPause, on),
        ActCommand::Resume(on) => (Action::RolloutResume, on),
        ActCommand::Restart(on) => (Action::RolloutRestart, on),
        ActCommand::Bounds { min, max, on } => (Action::SetAutoscalerBounds { min: *min, max: *max }, on),
        ActCommand::PauseScaleIn(on) => (Action::PauseAutoscaler { paused: true }, on),
        ActCommand::ResumeScaleIn(on) => (Action::PauseAutoscaler { paused: false }, on),
        ActCommand::Cordon(on) | ActCommand::Uncordon(on) => {
            let cordoned = matches!(command, ActCommand::Cordon(_));
            return (Action::CordonNode { node: on.node.clone(), cordoned }, on.workload.as_deref(), &on.how);
        }
    };
    (action, on.target.as_deref(), &on.how)
}

/// One lever that is to be pulled, or only looked at.
struct Act {
    action: Action,
    how: HowArgs,
    wait: Duration,
    guard: Guard,
}

/// Where it stands once it was looked at.
enum Tried {
    /// Its card can be confirmed.
    Card(Box<Pending>),
    /// It was not dry-run, because nothing may be.
    ReadOnly,
    /// It cannot be done.
    Denied(Denial),
}

impl Act {
    async fn run(&self, asked: Asked) -> Result<u8> {
        let mut interrupts = Interrupts::hear().wrap_err("no signal can be heard")?;
        let looked = tokio::select! {
            looked = self.look(&asked) => looked?,
            () = interrupts.next() => return self.interrupted(),
        };
        let (mut looking, performer, plan) = match looked {
            Ok(looked) => looked,
            Err(code) => return Ok(code),
        };
        let tried = tokio::select! {
            tried = looking.during(self.try_it(&performer, plan)) => tried?,
            () = interrupts.next() => return self.interrupted(),
        };
        let pending = match tried {
            Tried::Card(pending) => pending,
            Tried::ReadOnly if !self.how.yes => return self.end(End::Printed, "nothing was changed: it is read-only"),
            Tried::ReadOnly => return self.end(End::NotDone, &format!("nothing was changed: {}", Denial::ReadOnly)),
            Tried::Denied(denial) => return self.end(End::NotDone, &format!("nothing was changed: {denial}")),
        };
        let by_name = pending.confirm() == Confirm::Name;
        if !self.how.yes {
            let name = if by_name { format!(" --confirm {}", pending.name()) } else { String::new() };
            return self.end(End::Printed, &format!("nothing was changed: --yes{name} does it"));
        }
        let (name, typed) = (pending.name(), self.how.confirm.as_deref());
        match typed {
            Some(typed) if typed != name => {
                let typed = crate::text::clean(typed, 80);
                let why = format!("nothing was changed: --confirm is '{typed}', and what is written is '{name}'");
                return self.end(End::Usage, &why);
            }
            None if by_name => {
                let why = format!("nothing was changed: --yes is not enough here, give --confirm {name} as well");
                return self.end(End::Usage, &why);
            }
            _ => {}
        }
        // What is confirmed is confirmed after the card was out, by a clock of whole milliseconds.
        sleep(Duration::from_millis(5)).await;
        looking.catch_up();
        let confirmation = Confirmation { at: now(), typed: self.how.confirm.clone() };
        looking.snapshot.now = now();
        match self.guard.approve(*pending, &confirmation, &looking.snapshot) {
            Ok(approved) => self.perform(&performer, approved, &mut looking, &mut interrupts).await,
            Err(unapproved) => self.end(End::NotDone, &format!("nothing was changed: {}", unapproved.why)),
        }
    }

    /// Finds the workload, waits for what the plan rests on, and makes the plan; or says why not, and the exit code.
    async fn look(&self, asked: &Asked) -> Result<Result<(Looking, Performer, Plan), u8>> {
        let (connected, target) = match asked.workload().await {
            Ok(found) => found,
            Err(error) => {
                let end = if error.is_usage() { End::Usage } else { End::NotDone };
                return self.end(end, &error.to_string()).map(Err);
            }
        };
        let clock = Clock::Wall;
        let performer = Performer::new(connected.client.clone(), clock);
        let mut looking = Looking::at(connected.client, target.clone(), clock, asked.pace(clock));
        if let Err(why) = looking.until_known().await {
            return self.end(End::NotDone, &format!("nothing was changed: {why}")).map(Err);
        }
        let context = Context { who: who().to_string(), incident: None };
        match plan(&looking.snapshot, &self.action, &context) {
            Ok(plan) => Ok(Ok((looking, performer, plan))),
            Err(refusal) => {
                let why = refused(&refusal, &target);
                self.end(End::NotDone, &format!("nothing was changed: {why}")).map(Err)
            }
        }
    }

    /// Asks whether it is allowed, dry-runs it where that is allowed here, and prints the card.
    async fn try_it(&self, performer: &Performer, plan: Plan) -> Result<Tried> {
        let access = plan.access.clone();
        let shown = plan.clone();
        let proposed = match self.guard.review(plan) {
            Ok(proposed) => proposed,
            Err(denial) => {
                let permission = performer.permission(&access).await;
                self.show(&shown, card(&shown, None), Some(&permission))?;
                return Ok(if denial == Denial::ReadOnly { Tried::ReadOnly } else { Tried::Denied(denial) });
            }
        };
        let trial = performer.dry_run(&proposed).await;
        let permission = trial.permission.clone();
        // What is not allowed was not even tried.
        let denied = matches!(permission, Permission::Denied(_));
        let failed = trial.result.as_ref().err().filter(|_| !denied).map(card::failed);
        match proposed.tried(trial) {
            Ok(mut pending) => {
                // A card that nobody reads was not shown, and cannot be confirmed.
                if self.show(&shown, card(&shown, Some((pending.answer(), pending.permission()))), None)? {
                    pending.painted(now());
                }
                Ok(Tried::Card(Box::new(pending)))
            }
            Err(denial) => {
                let mut parts = card(&shown, None);
                if let Some(failed) = failed {
                    card::put(&mut parts, failed);
                }
                self.show(&shown, parts, Some(&permission))?;
                Ok(Tried::Denied(denial))
            }
        }
    }

    /// Prints the card; whether it is out.
    fn show(&self, plan: &Plan, mut parts: Vec<Part>, permission: Option<&Permission>) -> Result<bool> {
        if let Some(permission) = permission {
            card::put(&mut parts, card::allowed(permission, &plan.access));
        }
        let behind = parts.iter().position(|p| p.label == "DRYRUN").unwrap_or(parts.len());
        parts.insert(behind, unjudged());
        self.say(&Step::Card(plan, &parts))
    }

    fn interrupted(&self) -> Result<u8> {
        self.end(End::Interrupted, "interrupted: nothing was changed")
    }

    /// Says the end, and answers with its exit code. What went wrong stands on standard error too, as everywhere.
    fn end(&self, end: End, why: &str) -> Result<u8> {
        match (self.how.output, end) {
            (ActOutput::Json, _) | (_, End::Printed | End::Done) => drop(self.say(&Step::Ended(end, why))?),
            (ActOutput::Text, _) => complain(why),
        }
        Ok(end.code())
    }

    /// Writes and flushes it; whether somebody reads. A reader that went away stops nothing that is under way.
    fn say(&self, step: &Step<'_>) -> Result<bool> {
        let text = match self.how.output {
            ActOutput::Json => step.json(),
            ActOutput::Text => {
                let size = terminal_size::terminal_size().filter(|_| io::stdout().is_terminal());
                step.text(size.map_or(PIPE_WIDTH, |(width, _)| usize::from(width.0)))
            }
        };
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(error).wrap_err("standard output cannot be written"),
        }
    }
}

fn now() -> At {
    At(Clock::Wall.unix_ms())
}
