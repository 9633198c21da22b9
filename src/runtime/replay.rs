//! `warroom replay FILE`: an incident again, on the screens that it was seen on. Its record and the readings beside it come
//! in their order, by a clock that runs as fast as was asked for; nothing can be changed, and nothing is put on record.

use std::path::PathBuf;

use color_eyre::eyre::Result;

use super::remembered::{heard, workload};
use super::shell::{Looked, Nothing, Watched};
use super::warroom::{Records, Start, no_screen, show};
use super::{complain, usage};
use crate::app::Event;
use crate::cli::{Cli, ReplayArgs};
use crate::clock::Clock;
use crate::config::{Config, TerminalHints};
use crate::contract::record::{Contents, Entry};
use crate::domain::{At, Snapshot, WorkloadRef};
use crate::journal::{self, readings, replay};

/// What comes at once, at most: beyond it keys are looked at first.
const MOST_AT_ONCE: usize = 2_000;

/// What is wrong with a recording, in as many sentences.
const MOST_PROBLEMS: usize = 5;

type Replay = replay::Replay<readings::Past>;

/// An incident that is played again.
pub(super) struct Again {
    replay: Replay,
    speed: f64,
    target: Option<WorkloadRef>,
    over: bool,
}

impl Again {
    /// The clock at its beginning.
    pub(super) fn clock(&self) -> Clock {
        Clock::simulated(self.replay.now().0, self.speed)
    }

    /// What has come by now. The clock stands still while the picture is held, and jumps over long silences.
    pub(super) fn step(&mut self, clock: &mut Clock, held: bool) -> Vec<Event> {
        let mut events = Vec::new();
        if held {
            *clock = self.clock();
            return events;
        }
        self.take_due(&mut events);
        if events.len() >= MOST_AT_ONCE {
            // Time waits for what is still to be taken in.
            *clock = self.clock();
            return events;
        }
        let passed = At(clock.unix_ms()).since(self.replay.now());
        if let Some(gap) = self.replay.advance(passed) {
            *clock = self.clock();
            events.push(Event::Notice(gap.to_string()));
        }
        self.take_due(&mut events);
        if self.replay.is_over() && !std::mem::replace(&mut self.over, true) {
            let problems = self.replay.readings().problems();
            events.extend(problems.into_iter().take(MOST_PROBLEMS).map(Event::Notice));
            events.push(Event::Notice("the record ends here: what is shown is its last picture, and ages".to_owned()));
        }
        events
    }

    fn take_due(&mut self, events: &mut Vec<Event>) {
        while events.len() < MOST_AT_ONCE {
            let Some((_, item)) = self.replay.due() else { return };
            match item {
                replay::Item::Observation(observation) => events.push(Event::Observed(observation)),
                replay::Item::Line(line) => {
                    events.extend(heard(*line, self.target.as_ref()).map(|heard| Event::Heard(Box::new(heard))));
                }
            }
        }
    }
}

/// Opens the screen on a record, and answers with the exit code.
pub(super) fn run(cli: &Cli, args: &ReplayArgs) -> Result<u8> {
    let mut config = match Config::load(cli.config.as_deref(), args.look.flags()) {
        Ok(config) => config,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let hints = TerminalHints::of_this_process();
    if let Some(why) = no_screen(&hints) {
        return Ok(usage(&why.replace("warroom check", "warroom report FILE")));
    }
    let contents = match journal::read(&args.file) {
        Ok(contents) if contents.target().is_some() => contents,
        Ok(_) => {
            let file = crate::text::clean(&args.file.display().to_string(), 200);
            return Ok(usage(&format!("'{file}' is no record of an incident: it does not begin like one")));
        }
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let begins = contents.lines.first().map_or(At(0), |line| line.at);
    let from = match args.from.as_deref().map(|text| moment(text, begins)).transpose() {
        Ok(from) => from,
        Err(message) => return Ok(usage(&message)),
    };
    contents.problems().iter().for_each(|problem| complain(problem));
    promised(&mut config, args, &contents);
    let target = contents.target().and_then(workload);
    let snapshot = Snapshot {
        target: target.clone(),
        interval_s: readings::interval_s(&args.file).unwrap_or(config.scrape.interval.as_secs_f64()),
        ..Snapshot::default()
    };
    let clock = Clock::simulated(from.unwrap_or(begins).0, args.speed);
    let start = Start {
        snapshot,
        contacting: vec![format!("the record of {}", crate::contract::time(begins))],
        clock,
        records: Records::None,
        choosing: None,
    };
    let (file, speed): (PathBuf, f64) = (args.file.clone(), args.speed);
    show(&config, &args.look, start, &hints, |_, _| {
        tokio::task::spawn_blocking(move || {
            let past = readings::read(&file);
            let alone = !past.is_there();
            let replay = Replay::new(contents, past, from);
            let again = Again { replay, speed, target: target.clone(), over: false };
            let (_, observations) = tokio::sync::mpsc::channel(1);
            let kept = Box::new(());
            let notice = alone.then(|| "there are no readings beside the record: only its lines are shown".to_owned());
            let clock = again.clock();
            let (client, again) = (None, Some(again));
            let watched = Watched { clock, target, observations, client, kept, again, notice, finder: None };
            Ok::<_, Nothing>(Looked::Watched(Box::new(watched)))
        })
    })
}

/// A moment as it is typed: a time, or how long after the beginning.
fn moment(text: &str, begins: At) -> Result<At, String> {
    if let Some(after) = text.strip_prefix('+') {
        return super::duration("--from", after).map(|after| begins.plus(after.as_secs_f64()));
    }
    text.parse::<jiff::Timestamp>().map(|at| At(at.as_millisecond())).map_err(|_| {
        let text = crate::text::clean(text, 60);
        format!("--from is '{text}': give a time like 2026-06-08T03:14:07Z, or how long after the beginning, like +5m")
    })
}

/// What was promised then is what it is judged by, where nothing else is typed.
fn promised(config: &mut Config, args: &ReplayArgs, contents: &Contents) {
    let verdict = contents.lines.iter().find_map(|line| match &line.entry {
        Entry::Verdict(verdict) => Some(verdict),
        _ => None,
    });
    let slo = &mut config.slo.default;
    let typed = [(&args.look.ttft_target, "ttft", &mut slo.ttft), (&args.look.tpot_target, "tpot", &mut slo.tpot)];
    for (flag, metric, target) in typed {
        let then = verdict.and_then(|v| v.slo.iter().find(|row| row.metric == metric));
        if let Some(then) = then.filter(|_| flag.is_none()) {
            if then.target_s.is_finite() && then.target_s > 0.0 && then.target_s < 1e6 {
                target.limit = std::time::Duration::from_secs_f64(then.target_s);
            }
            if then.objective > 0.0 && then.objective < 1.0 && args.look.objective.is_none() {
                target.objective = then.objective;
            }
        }
    }
}
