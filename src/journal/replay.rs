//! An incident again: its record and its readings in one order, and what of them is due at which moment of the incident.
//!
//! Pure timing. Whoever shows it says by how many seconds of the incident time goes on, as fast as they like; this knows
//! no clock, no file and no screen. Nothing is made up: where the readings are gone, the record alone goes on.

use std::collections::VecDeque;

use crate::contract::record::{Contents, Entry, Line};
use crate::domain::{At, Observation};

/// A silence that is longer (s) is jumped over.
const SILENCE_S: f64 = 60.0;

/// Something that is due.
#[derive(Debug)]
pub enum Item {
    /// Something was observed.
    Observation(Box<Observation>),
    /// Something was put on record.
    Line(Box<Line>),
}

/// A silence that was jumped over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last moment before it.
    pub from: At,
    /// The moment at which it goes on.
    pub to: At,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let minutes = self.to.since(self.from) / 60.0;
        let time = crate::contract::time;
        write!(f, "nothing was recorded for {minutes:.0} min: {} to {}", time(self.from), time(self.to))
    }
}

/// An incident that is seen again.
#[derive(Debug)]
pub struct Replay<R: Iterator<Item = Observation>> {
    lines: VecDeque<Line>,
    readings: R,
    /// The reading that comes next.
    reading: Option<Observation>,
    begins: At,
    last_line: Option<At>,
    now: At,
    /// The moment of what was handed out last: neither stream goes back before it.
    reached: Option<At>,
}

impl<R: Iterator<Item = Observation>> Replay<R> {
    /// An incident at its beginning: the record's first line, or the first reading where there is no record; or at `from`,
    /// when everything before it is due at once.
    pub fn new(record: Contents, readings: R, from: Option<At>) -> Self {
        let lines: VecDeque<Line> = record.lines.into();
        let mut readings = readings;
        let reading = readings.next();
        let opened = lines.iter().find(|l| matches!(l.entry, Entry::Opened { .. })).or_else(|| lines.front());
        let begins = opened.map(|l| l.at).or_else(|| reading.as_ref().map(|o| o.at)).unwrap_or_default();
        let last_line = lines.iter().map(|l| l.at).max();
        Self { lines, readings, reading, begins, last_line, now: from.unwrap_or(begins), reached: None }
    }

    /// Where the readings come from: what is wrong with them it knows at their end.
    pub const fn readings(&self) -> &R {
        &self.readings
    }

    /// When the incident begins.
    pub const fn begins(&self) -> At {
        self.begins
    }

    /// The last line of the record; readings may go on for longer.
    pub const fn last_line(&self) -> Option<At> {
        self.last_line
    }

    /// The moment of the incident at which it stands.
    pub const fn now(&self) -> At {
        self.now
    }

    /// What is due by now, one after the other, with the moment at which it is due: the moments never go back. What it
    /// says of itself it keeps: a page that was asked for first may have come last.
    pub fn due(&mut self) -> Option<(At, Item)> {
        let (at, is_line) = self.next()?;
        if at > self.now {
            return None;
        }
        self.reached = Some(at);
        let item = if is_line {
            Item::Line(Box::new(self.lines.pop_front()?))
        } else {
            let reading = self.reading.take()?;
            self.reading = self.readings.next();
            Item::Observation(Box::new(reading))
        };
        Some((at, item))
    }

    /// Time goes on by so many seconds of the incident. Where nothing comes for long after what is due, it goes on at the
    /// next thing instead, and the silence is told. What is due now is to be taken with [`Self::due`] before.
    pub fn advance(&mut self, seconds: f64) -> Option<Gap> {
        let before = self.now;
        self.now = before.plus(seconds.max(0.0));
        let (next, _) = self.next()?;
        if next.since(self.now.min(next)) > SILENCE_S {
            let from = self.reached.map_or(before, |reached| reached.max(self.begins).min(before));
            self.now = next;
            return Some(Gap { from, to: next });
        }
        None
    }

    /// The moment of the next thing, where there is one.
    pub fn next_at(&mut self) -> Option<At> {
        self.next().map(|(at, _)| at)
    }

    /// Whether nothing comes any more.
    pub fn is_over(&mut self) -> bool {
        self.next().is_none()
    }

    /// When the next thing is due, and whether it is a line. Of one moment readings come first: a verdict follows from
    /// what was read.
    fn next(&mut self) -> Option<(At, bool)> {
        let not_before = |at: At| self.reached.map_or(at, |reached| reached.max(at));
        let line = self.lines.front().map(|l| not_before(l.at));
        let reading = self.reading.as_ref().map(|o| not_before(o.at));
        match (line, reading) {
            (Some(line), Some(reading)) if reading <= line => Some((reading, false)),
            (Some(line), _) => Some((line, true)),
            (None, reading) => reading.map(|at| (at, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::record::VERSION;
    use crate::domain::{Body, SourceState, Watch};
    use crate::runbook::Who;

    fn line(s: i64) -> Line {
        let entry = Entry::Changed { when: At(0), change: "pod".to_owned(), summary: String::new() };
        Line { v: VERSION, n: 0, at: At(s * 1_000), by: Who::default(), entry }
    }

    fn reading(s: i64) -> Observation {
        let watch = Watch { resource: "pods", state: SourceState::Live, heard: None, error: None };
        Observation { at: At(s * 1_000), body: Body::Watch(watch) }
    }

    fn replay(lines: &[i64], readings: &[i64], from: Option<i64>) -> Replay<std::vec::IntoIter<Observation>> {
        let contents = Contents { lines: lines.iter().map(|s| line(*s)).collect(), ..Contents::default() };
        let readings: Vec<Observation> = readings.iter().map(|s| reading(*s)).collect();
        Replay::new(contents, readings.into_iter(), from.map(|s| At(s * 1_000)))
    }

    /// What is due, as `r5` or `l5`: a reading or a line of the fifth second.
    fn due<R: Iterator<Item = Observation>>(replay: &mut Replay<R>) -> String {
        let mut all = Vec::new();
        let mut last = At(i64::MIN);
        while let Some((at, item)) = replay.due() {
            assert!(at >= last && at <= replay.now(), "in order, and not too early");
            last = at;
            all.push(match item {
                Item::Line(l) => format!("l{}", l.at.0 / 1_000),
                Item::Observation(o) => format!("r{}", o.at.0 / 1_000),
            });
        }
        all.join(" ")
    }

    #[test]
    fn lines_and_readings_come_in_the_order_of_time_and_readings_first() {
        let mut it = replay(&[100, 105, 110], &[100, 103, 105, 109, 111], None);
        assert_eq!((it.begins(), due(&mut it).as_str()), (At(100_000), "r100 l100"));
        assert_eq!(it.advance(5.0), None);
        assert_eq!(due(&mut it), "r103 r105 l105");
        assert_eq!(it.advance(2.0), None);
        assert_eq!((due(&mut it).as_str(), it.now(), it.next_at()), ("", At(107_000), Some(At(109_000))));
        assert_eq!(it.advance(9.0), None);
        assert_eq!(due(&mut it), "r109 l110 r111");
        assert!(it.is_over());
        assert_eq!((it.advance(500.0), it.last_line()), (None, Some(At(110_000))));
    }

    #[test]
    fn what_was_known_before_the_beginning_is_there_at_once() {
        let mut it = replay(&[100, 103], &[-7_000, 40, 99, 102], None);
        assert_eq!((due(&mut it).as_str(), it.now()), ("r-7000 r40 r99 l100", At(100_000)));
    }

    #[test]
    fn to_begin_later_delivers_everything_before_at_once() {
        let mut it = replay(&[100, 500, 900], &[101, 600, 901, 905], Some(901));
        assert_eq!((it.begins(), due(&mut it).as_str()), (At(100_000), "l100 r101 l500 r600 l900 r901"));
        assert_eq!(it.advance(4.0), None);
        assert_eq!(due(&mut it), "r905");
        let mut late = replay(&[100], &[101], Some(9_999));
        assert_eq!(due(&mut late), "l100 r101");
        assert!(late.is_over());
    }

    #[test]
    fn a_silence_is_jumped_over_and_told_and_a_short_one_is_waited_for() {
        let mut it = replay(&[100], &[100, 150, 4_000, 4_001], None);
        due(&mut it);
        assert_eq!(it.advance(1.0), None, "it is 49 s until the next one");
        assert_eq!(it.advance(49.0), None);
        assert_eq!(due(&mut it), "r150");
        let gap = it.advance(0.1);
        assert_eq!(gap, Some(Gap { from: At(150_000), to: At(4_000_000) }));
        assert_eq!(
            gap.map(|g| g.to_string()).as_deref(),
            Some("nothing was recorded for 64 min: 1970-01-01T00:02:30Z to 1970-01-01T01:06:40Z")
        );
        assert_eq!((it.now(), due(&mut it).as_str()), (At(4_000_000), "r4000"));
        assert_eq!(it.advance(1.0), None);
        assert_eq!(due(&mut it), "r4001");
    }

    #[test]
    fn a_record_whose_readings_are_gone_is_replayed_alone_and_readings_without_a_record_too() {
        let mut it = replay(&[100, 130], &[], None);
        assert_eq!(due(&mut it), "l100");
        it.advance(30.0);
        assert_eq!(due(&mut it), "l130");
        assert!(it.is_over());
        let mut it = replay(&[], &[7, 9], None);
        assert_eq!((it.begins(), due(&mut it).as_str()), (At(7_000), "r7"));
        assert!(replay(&[], &[], None).is_over());
    }

    #[test]
    fn what_came_late_is_due_when_it_came_and_keeps_its_moment() {
        let mut it = replay(&[100, 104, 102], &[101, 103, 100, 105], None);
        it.advance(10.0);
        assert_eq!(due(&mut it), "l100 r101 r103 r100 l104 l102 r105");
    }
}
