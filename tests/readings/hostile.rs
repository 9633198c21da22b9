//! A ring from somewhere: anything may lie in it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use proptest::prelude::*;
use warroom::diagnosis::diagnose;
use warroom::domain::{At, Observation, Snapshot};
use warroom::journal::readings::{MOST_BYTES, folder, keep, read};

use crate::incident::policy;
use crate::told::{everything, incident, record};

/// A ring of one segment with these lines.
fn ring(home: &Path, lines: &[u8]) -> std::path::PathBuf {
    let record = record(home);
    let mut gz = GzBuilder::new().comment("warroom readings").write(Vec::new(), Compression::fast());
    gz.write_all(lines).expect("bytes");
    segment(&record, &gz.finish().expect("a member"));
    record
}

fn segment(record: &Path, bytes: &[u8]) {
    fs::create_dir_all(folder(record)).expect("a folder");
    fs::write(folder(record).join("00000001.jsonl.gz"), bytes).expect("a segment");
}

/// The lines of one of everything.
fn lines() -> Vec<u8> {
    let home = tempfile::tempdir().expect("a folder");
    let record = record(home.path());
    let mut all = everything();
    // The first of them has a long past, which has tests of its own.
    all.remove(0);
    all.extend(incident().0[..60].iter().cloned());
    keep(&record, MOST_BYTES, all).expect("it is written");
    let file = fs::File::open(folder(&record).join("00000001.jsonl.gz")).expect("a segment");
    let mut lines = Vec::new();
    MultiGzDecoder::new(file).read_to_end(&mut lines).expect("lines");
    lines
}

/// Takes it all in, and judges.
fn seen(all: Vec<Observation>) {
    let mut snapshot = Snapshot { interval_s: 5.0, ..Snapshot::default() };
    for observation in all {
        snapshot.now = snapshot.now.max(observation.at);
        snapshot.observe(observation);
    }
    let _ = diagnose(&snapshot, &policy(0.5, 0.1));
    snapshot.now = At(snapshot.now.0 / 2);
    let _ = diagnose(&snapshot, &policy(0.5, 0.1));
}

#[test]
fn a_bad_line_is_counted_and_named_and_the_others_stay() {
    let good = lines();
    let good: Vec<&[u8]> = good.split(|b| *b == b'\n').filter(|l| !l.is_empty()).collect();
    let home = tempfile::tempdir().expect("a folder");
    let whole = read(&ring(home.path(), &good.join(&b"\n"[..]))).count();
    let watch = |resource: &str, at: &str| {
        format!(r#"{{"observed":{{"at":{at},"body":{{"watch":{{"resource":"{resource}","state":"live"}}}}}}}}"#)
    };
    let list = format!(r#"{{"lost":{{"at":1,"observations":1,"why":[{}1]}}}}"#, "1,".repeat(9_000));
    for (bad, says) in [
        ("not json", "it is no JSON"),
        ("\u{0}", "it is no JSON"),
        (&"[".repeat(100_000), "it is no JSON"),
        ("{\"dance\":1}", "unknown variant"),
        (&watch("secrets", "1"), "never watched"),
        (&watch("pods", "9223372036854775807"), "too large"),
        (&watch("pods", "900000000000000"), "ten thousand years"),
        (&list, "a list of more than"),
        (&"x".repeat(1 << 20), "it is no JSON"),
        (&"x".repeat((1 << 20) + 1), "it is longer than"),
        (r#"{"held":{"at":1,"number":77}}"#, "is not there"),
    ] {
        let mut with = good.clone();
        with.insert(3, bad.as_bytes());
        let record = ring(home.path(), &with.join(&b"\n"[..]));
        let mut past = read(&record);
        assert_eq!((past.by_ref().count(), past.bad()), (whole, 1), "{}", &bad[..bad.len().min(60)]);
        let told = past.problems();
        assert!(told[0].starts_with("readings, segment 1, line 4 of a member: ") && told[0].contains(says), "{told:?}");
    }
    assert_eq!(read(&ring(home.path(), watch("pods", "5").as_bytes())).count(), 1, "and that one is good");
}

#[test]
fn what_would_steer_a_terminal_is_taken_out_of_every_string() {
    let text = String::from_utf8(lines()).expect("text");
    let evil = text.replace("pod-a", "\\u001b]0;owned\\u0007\\u202e").replace("vllm", "v\\u009bm");
    assert_ne!(evil, text);
    let home = tempfile::tempdir().expect("a folder");
    let all: Vec<Observation> = read(&ring(home.path(), evil.as_bytes())).collect();
    assert!(all.len() > 10);
    let shown = format!("{all:?}");
    assert!(!shown.contains(['\x1b', '\x07', '\u{202e}', '\u{9b}']) && !shown.contains("\\u{1b}"));
}

#[test]
fn a_member_that_unpacks_to_more_than_any_is_not_unpacked() {
    let home = tempfile::tempdir().expect("a folder");
    let mut past = read(&ring(home.path(), &vec![b' '; 64 << 20]));
    assert!(past.next().is_none());
    assert!(past.problems()[0].contains("too long"), "{:?}", past.problems());
}

#[test]
fn a_ring_of_a_newer_program_is_named_and_not_guessed_at() {
    let home = tempfile::tempdir().expect("a folder");
    let newer = String::from_utf8(lines()).expect("text").replacen("\"v\":1", "\"v\":2", 1);
    let mut past = read(&ring(home.path(), newer.as_bytes()));
    assert!(past.next().is_none());
    assert!(past.problems()[0].contains("newer warroom"), "{:?}", past.problems());
}

#[test]
fn ever_other_endpoints_fill_no_memory() {
    use std::fmt::Write as _;
    let mut lines = String::new();
    for i in 0..6_000 {
        let _ = writeln!(
            lines,
            r#"{{"observed":{{"at":{i},"body":{{"page":{{"endpoint":"e{i}","page":{{"Err":"cut"}}}}}}}}}}"#
        );
    }
    let home = tempfile::tempdir().expect("a folder");
    let mut past = read(&ring(home.path(), lines.as_bytes()));
    assert_eq!((past.by_ref().count(), past.bad()), (4_096, 6_000 - 4_096));
    assert_eq!(past.problems().len(), 51);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_ring_of_some_kind(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), lines in any::<bool>()) {
        let home = tempfile::tempdir().expect("a folder");
        let record = record(home.path());
        if lines {
            ring(home.path(), &bytes);
        } else {
            segment(&record, &bytes);
        }
        seen(read(&record).collect());
    }

    #[test]
    fn lines_with_bytes_flipped_are_read_and_judged(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), b' '..b'~'), 1..200),
    ) {
        static LINES: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(lines);
        let mut bytes = LINES.clone();
        for (index, byte) in flips {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let home = tempfile::tempdir().expect("a folder");
        seen(read(&ring(home.path(), &bytes)).collect());
    }

    /// Digits stay digits, so that the lines stay lines and say absurd things.
    #[test]
    fn lines_with_absurd_numbers_are_read_and_judged(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            Just("4294967295"), Just("9007199254740991"), Just("-5"), Just("1e308"), Just("253402300799999"), Just("0"),
        ]), 1..60),
    ) {
        // The text, and where numbers begin in it.
        static LINES: std::sync::LazyLock<(String, Vec<usize>)> = std::sync::LazyLock::new(|| {
            let text = String::from_utf8(lines()).expect("text");
            let digits = text.match_indices(|c: char| c.is_ascii_digit()).map(|(i, _)| i);
            let starts = digits.filter(|i| matches!(text.as_bytes()[i - 1], b':' | b',' | b'[')).collect();
            (text, starts)
        });
        let text = &LINES.0;
        let mut at: Vec<(usize, &str)> = changes.iter().map(|(i, n)| (LINES.1[i.index(LINES.1.len())], *n)).collect();
        at.sort_unstable();
        at.dedup_by_key(|(at, _)| *at);
        let (mut absurd, mut done) = (String::new(), 0);
        for (at, number) in at {
            absurd.push_str(&text[done..at]);
            absurd.push_str(number);
            done = text[at..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |e| at + e);
        }
        absurd.push_str(&text[done..]);
        let home = tempfile::tempdir().expect("a folder");
        seen(read(&ring(home.path(), absurd.as_bytes())).collect());
    }
}
