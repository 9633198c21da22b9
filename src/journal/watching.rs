//! What of a stream of diagnoses is worth a line: a verdict that says something else, a change seen for the first time,
//! a point of the picture now and then.

use std::collections::VecDeque;

use crate::contract::record::{Contents, Entry, Point, Verdict};
use crate::diagnosis::Diagnosis;
use crate::domain::At;

/// Verdicts are at least so far apart (s): one that wavers is written down as it wavers, not as often as it is looked at.
const VERDICTS_APART_S: f64 = 5.0;
/// Points of the picture are so far apart (s).
const POINTS_APART_S: f64 = 15.0;
/// Points at the beginning: the history that was known when the record was opened.
const MOST_POINTS: usize = 240;
/// Changes that are remembered, so that each is written once.
const MOST_CHANGES: usize = 500;

/// Remembers what is on record already.
#[derive(Debug, Default)]
pub struct Watching {
    verdict: Option<(At, Verdict)>,
    changes: VecDeque<(At, String)>,
    drawn: Option<At>,
}

impl Watching {
    /// Nothing is on record.
    pub fn new() -> Self {
        Self::default()
    }

    /// What of a record that is gone on with is on record already.
    pub fn after(contents: &Contents) -> Self {
        let mut watching = Self::new();
        for line in &contents.lines {
            match &line.entry {
                Entry::Verdict(verdict) => watching.verdict = Some((line.at, verdict.clone())),
                Entry::Changed { when, summary, .. } => watching.know((*when, summary.clone())),
                Entry::Series { points } => watching.drawn = points.last().map(|p| p.at).max(watching.drawn),
                _ => {}
            }
        }
        watching
    }

    fn know(&mut self, change: (At, String)) {
        if self.changes.len() >= MOST_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(change);
    }

    /// The entries that this diagnosis is worth.
    pub fn entries(&mut self, d: &Diagnosis) -> Vec<Entry> {
        let mut entries = Vec::new();
        for change in d.changes.iter().rev() {
            let known = (change.at, change.summary.clone());
            if self.changes.contains(&known) {
                continue;
            }
            self.know(known);
            entries.push(Entry::Changed {
                when: change.at,
                change: change.kind.code().to_owned(),
                summary: change.summary.clone(),
            });
        }
        let verdict = Verdict::of(d);
        let due = self
            .verdict
            .as_ref()
            .is_none_or(|(at, last)| !last.says_the_same(&verdict) && d.at.since(*at) >= VERDICTS_APART_S);
        if due {
            self.verdict = Some((d.at, verdict.clone()));
            entries.push(Entry::Verdict(verdict));
        }
        entries.extend(self.points(d));
        entries
    }

    fn points(&mut self, d: &Diagnosis) -> Option<Entry> {
        let mut points: Vec<Point> = Vec::new();
        // The last slice still grows.
        let whole = d.series.len().saturating_sub(1);
        for slice in &d.series[..whole] {
            if self.drawn.is_none_or(|last| slice.to.since(last) >= POINTS_APART_S) {
                points.push(Point::from(slice));
                self.drawn = Some(slice.to);
            }
        }
        let first = points.len().saturating_sub(MOST_POINTS);
        (!points.is_empty()).then(|| Entry::Series { points: points.split_off(first) })
    }
}
