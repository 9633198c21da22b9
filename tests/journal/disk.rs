//! On disk: modes, locks, cuts at every byte, and going on.

use std::fs;

use warroom::contract::record::{Entry, parse};
use warroom::domain::At;
use warroom::journal::{Following, Journal, JournalError, Watching, latest, read};
use warroom::runbook::{Run, RunEvent};

use crate::screen::{breach, judged};
use crate::told::{Room, ada, answered, bob, founding, opening, planned, records, target};

const NINE: At = At(1_780_902_000_000);

#[cfg(unix)]
#[test]
fn a_record_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("state/warroom");
    let journal = Journal::create(&folder, &opening(), NINE, &ada()).expect("a record");
    let mode = |path: &std::path::Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(journal.path()), 0o600);
    assert_eq!(mode(&folder), 0o700);
    let name = journal.path().file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(name, "20260608T070000Z-prod-use1_llm-serving_vllm-runtime.jsonl");
}

#[test]
fn every_line_is_one_object_with_its_version_number_time_and_author() {
    let home = tempfile::tempdir().expect("a folder");
    let room = founding(home.path());
    let text = fs::read_to_string(room.journal.path()).expect("text");
    for (n, line) in text.lines().enumerate() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((line["v"].as_u64(), line["n"].as_u64()), (Some(1), Some(n as u64)));
        assert!(line["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{line}");
        assert_eq!(line["by"]["user"], "ada");
        assert!(line["kind"].is_string());
    }
    assert_eq!(read(room.journal.path()).expect("a record").problems(), [""; 0]);
}

#[test]
fn a_record_that_was_cut_at_any_byte_is_readable_up_to_there() {
    let home = tempfile::tempdir().expect("a folder");
    let room = founding(home.path());
    let bytes = fs::read(room.journal.path()).expect("bytes");
    let whole = parse(&bytes);
    for length in 0..=bytes.len() {
        let cut = parse(&bytes[..length]);
        let complete = bytes[..length].split(|b| *b == b'\n').count() - 1;
        // A line whose end alone is missing is all there.
        assert!(cut.lines.len() == complete || cut.lines.len() == complete + 1, "at {length}");
        assert_eq!(cut.lines, whole.lines[..cut.lines.len()], "at {length}");
        let at_an_end = length == 0 || bytes[length - 1] == b'\n';
        assert_eq!(cut.torn, !at_an_end && cut.lines.len() == complete, "at {length}");
        assert_eq!(cut.bad_count, 0, "at {length}");
    }
}

#[test]
fn a_record_that_was_cut_is_gone_on_with_and_keeps_every_line() {
    let home = tempfile::tempdir().expect("a folder");
    let room = founding(home.path());
    let bytes = fs::read(room.journal.path()).expect("bytes");
    let first = 1 + bytes.iter().position(|b| *b == b'\n').expect("a line");
    let ends: Vec<usize> = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1).collect();
    // Around the end of each line, and here and there within one.
    let near = |length: &usize| ends.iter().any(|end| length.abs_diff(*end) <= 2) || length.is_multiple_of(61);
    for length in (first..=bytes.len()).filter(near) {
        let path = home.path().join("cut.jsonl");
        fs::write(&path, &bytes[..length]).expect("a file");
        let before = parse(&bytes[..length]);
        let (mut journal, contents) = Journal::resume(&path, NINE, &bob(), false).expect("it goes on");
        assert_eq!(contents.lines, before.lines);
        journal.append(NINE, answered(9, None)).expect("it is written");
        let after = read(&path).expect("a record");
        assert_eq!(after.lines[..before.lines.len()], before.lines, "at {length}");
        assert_eq!(after.lines.len(), before.lines.len() + 2, "at {length}");
        assert_eq!(after.bad_count, usize::from(before.torn), "what was cut off stays as a line that says so");
        let numbers: Vec<u64> = after.lines.iter().map(|l| l.n).collect();
        assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>(), "at {length}");
    }
}

#[test]
fn a_run_is_restored_from_its_record_exactly() {
    let home = tempfile::tempdir().expect("a folder");
    let room = founding(home.path());
    let restored = Run::restore(&records(room.journal.path())).expect("a run");
    let plain = |mut run: Run| {
        (run.seen, run.holding_since) = (None, None);
        run.memory.burns.clear();
        run
    };
    assert_eq!(plain(restored), plain(room.run.clone()));
}

#[test]
fn a_war_room_that_died_is_resumed_where_it_stood_and_knows_what_it_does_not_know() {
    let home = tempfile::tempdir().expect("a folder");
    let mut room = Room::open(home.path(), NINE);
    room.after(10.0).take("deploy", "a rollout");
    room.after(10.0).write(planned(7, false));
    let path = room.journal.path().to_path_buf();
    let held = latest(home.path(), &target()).expect("it is there");
    assert_eq!(held.held_by, Some(ada()), "while it lives it is held");
    // The system lets its lock go; nothing else is done.
    drop(room);
    let found = latest(home.path(), &target()).expect("it is there");
    assert_eq!((found.path.as_path(), found.held_by), (path.as_path(), None));
    assert_eq!(found.last, NINE.plus(20.0));
    assert_eq!(found.run.map(|r| r.state), Some("deploy".to_owned()));
    let unknown: Vec<u64> = found.contents.unanswered().iter().map(|p| p.id).collect();
    assert_eq!(unknown, [7], "it was sent, or not: it must be read again");
}

#[test]
fn the_newest_record_of_this_workload_that_is_not_over_is_offered() {
    let home = tempfile::tempdir().expect("a folder");
    assert!(latest(&home.path().join("nowhere"), &target()).is_none());
    drop(founding(home.path()));
    assert!(latest(home.path(), &target()).is_none(), "that one is over");
    for (hour, state) in [(1, "deploy"), (2, "prefill")] {
        let mut room = Room::open(home.path(), NINE.plus(3600.0 * f64::from(hour)));
        room.take(state, "it is so");
    }
    let other = warroom::contract::record::Target { name: "other".to_owned(), ..target() };
    let opening = warroom::journal::Opening { target: other.clone(), ..opening() };
    drop(Journal::create(home.path(), &opening, NINE.plus(9e4), &ada()).expect("a record"));
    fs::write(home.path().join("20990101T000000Z-prod-use1_llm-serving_vllm-runtime.jsonl"), "junk\n").expect("a file");
    let found = latest(home.path(), &target()).expect("two are open");
    assert_eq!(found.run.map(|r| r.state), Some("prefill".to_owned()));
    assert!(latest(home.path(), &other).is_some_and(|f| f.run.is_none()));
}

#[test]
fn a_second_war_room_looks_on_and_takes_over_with_a_word_of_its_own() {
    let home = tempfile::tempdir().expect("a folder");
    let mut room = Room::open(home.path(), NINE);
    let path = room.journal.path().to_path_buf();
    let refused = Journal::resume(&path, NINE, &bob(), false).expect_err("ada has it open");
    assert!(matches!(&refused, JournalError::Held { who } if *who == ada()), "{refused}");
    let mut looking_on = Following::new(&path);
    assert_eq!(looking_on.more().lines.len(), 2);
    room.after(5.0).take("deploy", "a rollout");
    let seen = looking_on.more();
    assert!(seen.lines.iter().all(|l| matches!(l.entry, Entry::Run { .. })) && !seen.lines.is_empty());
    assert_eq!(looking_on.more().lines, [], "nothing new");
    assert!(looking_on.is_held());

    let (mut bobs, contents) = Journal::resume(&path, NINE.plus(60.0), &bob(), true).expect("he takes over");
    let mut run = Run::restore(contents.records()).expect("the run as it stood");
    assert_eq!(run.state, "deploy");
    assert_eq!(room.journal.levers_off(), None, "ada does not know yet");
    let before = fs::read(&path).expect("bytes").len();
    let told = room.journal.append(NINE.plus(61.0), planned(1, false)).expect_err("it is bob's now");
    assert_eq!(told.to_string(), "bob@bastion took the record over at 2026-06-08T07:01:00Z: this war room looks on");
    assert_eq!(fs::read(&path).expect("bytes").len(), before, "nothing of ada's was written");
    assert!(room.journal.levers_off().is_some_and(|why| why.contains("bob@bastion took the incident over")));
    assert!(!room.journal.is_mine());
    for effect in run.on(&room.book, RunEvent::Back { at: NINE.plus(70.0), by: bob(), reason: None }) {
        if let warroom::runbook::RunEffect::Record(record) = effect {
            bobs.append(NINE.plus(70.0), Entry::run(record)).expect("bob writes");
        }
    }
    let lines = read(&path).expect("a record").lines;
    assert!(lines.windows(2).all(|w| w[1].n == w[0].n + 1), "one order of lines");
}

#[test]
fn what_is_not_a_record_is_not_resumed() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("notes.jsonl");
    fs::write(&path, "{\"hello\": 1}\n").expect("a file");
    assert!(matches!(Journal::resume(&path, NINE, &ada(), false), Err(JournalError::NoRecord { .. })));
    let none = Journal::resume(&home.path().join("none.jsonl"), NINE, &ada(), false).expect_err("it is not there");
    assert!(none.to_string().contains("cannot be read"), "{none}");
}

#[test]
fn a_verdict_is_written_when_it_says_something_else_and_a_change_once() {
    let mut watching = Watching::new();
    let mut d = judged(&breach());
    let kinds = |entries: &[Entry]| {
        let count = |of: fn(&Entry) -> bool| entries.iter().filter(|e| of(e)).count();
        (count(|e| matches!(e, Entry::Verdict(_))), count(|e| matches!(e, Entry::Changed { .. })))
    };
    let first = watching.entries(&d);
    assert_eq!(kinds(&first), (1, d.changes.len()));
    assert!(first.iter().any(|e| matches!(e, Entry::Series { points } if !points.is_empty())));
    d.at = d.at.plus(30.0);
    d.sentence.push_str(" and other numbers");
    assert_eq!(kinds(&watching.entries(&d)), (0, 0), "numbers move, the verdict does not");
    d.at = d.at.plus(30.0);
    d.until = Some(d.at);
    assert_eq!(kinds(&watching.entries(&d)), (1, 0));
}

#[test]
fn a_record_that_is_gone_on_with_does_not_say_everything_again() {
    let home = tempfile::tempdir().expect("a folder");
    let mut room = Room::open(home.path(), NINE);
    let mut d = judged(&breach());
    for entry in Watching::new().entries(&d) {
        room.write(entry);
    }
    let mut watching = Watching::after(&read(room.journal.path()).expect("a record"));
    d.at = d.at.plus(60.0);
    assert_eq!(watching.entries(&d), []);
    d.changes[0].summary.push_str(" again");
    assert_eq!(watching.entries(&d).len(), 1, "only what is new");
}

/// The child of the next story: writes lines until it is killed. Alone it does nothing.
#[test]
fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os("WARROOM_TEST_RECORD_IN") else { return };
    let mut room = Room::open(std::path::Path::new(&folder), NINE);
    for id in 0..1_000_000 {
        room.after(1.0).write(planned(id, false));
        println!("written {id}");
    }
}

#[test]
fn kill_9_loses_no_line_that_was_said_to_be_written_and_lets_the_record_go() {
    use std::io::{BufRead as _, BufReader};
    let home = tempfile::tempdir().expect("a folder");
    let mut child = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "disk::writes_until_it_is_killed", "--nocapture"])
        .env("WARROOM_TEST_RECORD_IN", home.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let said = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    // A test's own words stand before the first one, on the same line.
    let written = said.filter_map(|l| l.split("written ").nth(1)?.parse::<u64>().ok()).find(|id| *id >= 40);
    assert!(latest(home.path(), &target()).is_some_and(|f| f.held_by.is_some()), "it lives and holds its record");
    child.kill().and_then(|()| child.wait()).expect("killed");
    let found = latest(home.path(), &target()).expect("its record");
    assert_eq!(found.held_by, None, "a dead war room holds nothing");
    let ids: Vec<u64> = found.contents.unanswered().iter().map(|p| p.id).collect();
    assert!(ids.len() as u64 > written.expect("it wrote"), "{} lines", ids.len());
    assert_eq!(ids, (0..ids.len() as u64).collect::<Vec<_>>(), "none is missing");
    assert_eq!(found.contents.bad_count, 0);
    let (mut journal, _) = Journal::resume(&found.path, NINE.plus(1e4), &bob(), false).expect("it goes on");
    journal.append(NINE.plus(1e4), answered(ids[0], None)).expect("it is written");
}

#[test]
fn who_sits_here_is_known_without_asking_the_environment() {
    let who = warroom::journal::who();
    assert!(!who.user.is_empty() && !who.host.is_empty(), "{who}");
}
