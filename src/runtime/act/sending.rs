//! From the permission to what came of it: on record, sent once, answered for, and followed.

use std::time::Duration;

use color_eyre::eyre::Result;
use tokio::time::{Instant, sleep_until};

use super::looking::{Interrupts, Looking};
use super::{Act, now};
use crate::action::guard::Approved;
use crate::action::{Plan, Stage, progress};
use crate::clock;
use crate::cluster::Performer;
use crate::command::act::{End, Step, is_settled, taken_back_by};
use crate::config::state_folder;
use crate::contract::record::{Answered, Entry, Target};
use crate::journal::{Journal, Opening, who};
use crate::runtime::{complain, gate, keeper};

/// The number of the only plan in a record that is made here.
const ID: u64 = 1;
/// Progress that says nothing new but the time is told so often.
const TELL_EVERY: Duration = Duration::from_secs(15);

impl Act {
    /// Puts it on record, sends it, and says what came of it.
    pub(super) async fn perform(
        &self,
        performer: &Performer,
        approved: Approved,
        looking: &mut Looking,
        interrupts: &mut Interrupts,
    ) -> Result<u8> {
        let plan = approved.plan().clone();
        let mut journal = match record(&plan) {
            Ok(journal) => journal,
            Err(why) => return self.end(End::NotDone, &format!("nothing was changed: {why}")),
        };
        self.say(&Step::Recorded(&shown(&journal)))?;
        if interrupts.came() {
            let entry = Answered { id: ID, accepted: Some(false), status: None, says: "called off, not sent".into() };
            note(&mut journal, Entry::Answered(entry));
            note(&mut journal, Entry::Closed {});
            return self.interrupted();
        }
        let performed = tokio::select! {
            () = interrupts.next() => None,
            performed = looking.during(performer.apply(approved)) => Some(performed),
        };
        let Some(performed) = performed else {
            let look = plan.look();
            let says = format!("interrupted while it was sent: not known whether it was done; look with: {look}");
            let entry = Answered { id: ID, accepted: None, status: None, says: says.clone() };
            note(&mut journal, Entry::Answered(entry));
            return self.end(End::Unknown, &says);
        };
        note(&mut journal, keeper::answered(ID, &performed.outcome));
        self.say(&Step::Answered(&performed.outcome))?;
        let end = match End::of(&performed.outcome) {
            // The record stays open: whoever opens a war room here finds a change that is not answered for.
            End::Unknown => return self.end(End::Unknown, &format!("look with: {}", plan.look())),
            End::Done if !self.wait.is_zero() => self.follow(&plan, looking, interrupts).await?,
            end => (end, String::new()),
        };
        note(&mut journal, Entry::Closed {});
        match end {
            (End::Done, _) => self.end(End::Done, &taken_back_by(&plan)),
            (End::NotDone, _) => self.end(End::NotDone, "nothing was changed"),
            (end, why) => self.end(end, &why),
        }
    }

    /// Follows what is stored until it is done or does not get on, or the wait is over.
    async fn follow(&self, plan: &Plan, looking: &mut Looking, interrupts: &mut Interrupts) -> Result<(End, String)> {
        let end = Instant::from_std(clock::monotonic()) + self.wait;
        let mut told: Option<(Stage, u32, Instant)> = None;
        loop {
            looking.catch_up();
            if let Some((_, facts)) = &looking.snapshot.cluster {
                let progress = progress(facts, plan, now());
                let at = Instant::from_std(clock::monotonic());
                let same = told.is_some_and(|(stage, ready, told)| {
                    (stage, ready) == (progress.stage, progress.ready) && at < told + TELL_EVERY
                });
                if !same {
                    told = Some((progress.stage, progress.ready, at));
                    self.say(&Step::Progress(&progress))?;
                }
                if is_settled(progress.stage) {
                    let why = match progress.stage {
                        Stage::Done => String::new(),
                        _ => format!("it is stored, and does not get on: {}", taken_back_by(plan)),
                    };
                    return Ok((End::reached(progress.stage), why));
                }
            }
            tokio::select! {
                () = looking.next() => {}
                () = sleep_until(end) => {
                    let old = looking.blind().map(|why| format!("; what is known is old, {why}")).unwrap_or_default();
                    let back = taken_back_by(plan);
                    return Ok((End::Unfinished, format!("it is stored, and not done within --wait{old}; {back}")));
                }
                () = interrupts.next() => {
                    return Ok((End::Unfinished, format!("it is stored and goes on, unwatched; {}", taken_back_by(plan))));
                }
            }
        }
    }
}

/// A record with the plan in it; or why there is none, and then nothing is sent.
fn record(plan: &Plan) -> Result<Journal, String> {
    let none = "there is no place for the record: set HOME or XDG_STATE_HOME to an absolute path";
    let folder = state_folder().ok_or(none)?;
    let opening = Opening { target: Target::from(&plan.target), read_only: false, simulated: false };
    let mut journal = Journal::create(&folder, &opening, now(), &who()).map_err(|error| error.to_string())?;
    let planned = Entry::Planned(gate::planned(plan, ID));
    journal.append(now(), planned).map_err(|error| error.to_string())?;
    Ok(journal)
}

fn shown(journal: &Journal) -> String {
    crate::text::clean(&journal.path().to_string_lossy(), 300)
}

/// Writes on. What is done is done: that it cannot be written is said and stops nothing.
fn note(journal: &mut Journal, entry: Entry) {
    if let Err(error) = journal.append(now(), entry) {
        complain(&error.to_string());
    }
}
