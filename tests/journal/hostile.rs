//! A record from somewhere: anything may stand in it.

use proptest::prelude::*;
use warroom::contract::record::{MOST_LINE, parse};
use warroom::report::incident::{Incident, html, json, markdown};

use crate::told::founding;

fn a_record() -> Vec<u8> {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::read(founding(home.path()).journal.path()).expect("bytes")
}

#[test]
fn a_bad_line_is_named_by_its_number_and_the_others_stay() {
    let bytes = a_record();
    let text = String::from_utf8(bytes).expect("text");
    let good = text.lines().count();
    let lines: Vec<&str> = text.lines().collect();
    for (bad, says) in [
        ("not json", "it is no JSON"),
        ("{\"v\":1}", "it is no entry"),
        (
            "{\"v\":2,\"n\":1,\"at\":\"2026-06-08T07:00:00Z\",\"by\":{\"user\":\"a\",\"host\":\"b\"},\"kind\":\"dance\"}",
            "newer warroom",
        ),
        (
            "{\"v\":1,\"n\":1,\"at\":\"2026-06-08T07:00:00Z\",\"by\":{\"user\":\"a\",\"host\":\"b\"},\"kind\":\"dance\"}",
            "unknown variant",
        ),
        (
            "{\"v\":1,\"n\":1,\"at\":\"yesterday\",\"by\":{\"user\":\"a\",\"host\":\"b\"},\"kind\":\"closed\"}",
            "no RFC 3339 time",
        ),
        ("[[[[[[", "it is no JSON"),
        ("\u{0}\u{0}\u{0}", "it is no JSON"),
    ] {
        let mut with = lines.clone();
        with.insert(3, bad);
        let contents = parse((with.join("\n") + "\n").as_bytes());
        assert_eq!((contents.lines.len(), contents.bad_count), (good, 1), "{bad}");
        assert_eq!(contents.bad[0].line, 4);
        assert!(contents.bad[0].says.contains(says), "{bad}: {}", contents.bad[0].says);
        assert!(contents.problems()[0].starts_with("line 4: "));
    }
}

#[test]
fn a_line_that_is_missing_is_told() {
    let text = String::from_utf8(a_record()).expect("text");
    let without: Vec<&str> = text.lines().enumerate().filter(|(i, _)| *i != 5).map(|(_, l)| l).collect();
    let problems = parse((without.join("\n") + "\n").as_bytes()).problems();
    assert_eq!(problems, ["entries 5 to 5 are missing"]);
}

#[test]
fn deep_long_and_unprintable_lines_cost_little_and_reach_no_terminal() {
    let deep = format!("{{\"v\":{}1{}}}\n", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(parse(deep.as_bytes()).bad_count, 1);
    let long = format!("{{\"v\":1,\"x\":\"{}\"}}\n", "a".repeat(MOST_LINE));
    assert!(parse(long.as_bytes()).bad[0].says.contains("longer than"));
    assert_eq!(parse(b"\xff\xfe\n").bad[0].says, "it is not UTF-8");
    let mut many = vec![b'x', b'\n'];
    many = many.repeat(10_000);
    let contents = parse(&many);
    assert_eq!((contents.bad_count, contents.bad.len()), (10_000, 50));
    assert!(contents.problems().iter().any(|p| p.contains("9950 more lines")));

    let text = String::from_utf8(a_record()).expect("text");
    let evil = text.replace("revision 42 came first", "\\u001b]0;owned\\u0007<script>alert(1)</script>\\u202e");
    assert_ne!(evil, text);
    let incident = Incident::of(&parse(evil.as_bytes()), None).expect("a record");
    for out in [markdown(&incident), html(&incident), json(&incident).to_string()] {
        assert!(!out.contains(['\x1b', '\x07', '\u{202e}']), "{out}");
    }
    assert!(!html(&incident).contains("<script") && !markdown(&incident).contains("<script"));
}

#[test]
fn the_exact_bytes_of_a_request_stay_as_they_are() {
    let contents = parse(&a_record());
    let bytes: Vec<&str> = contents
        .lines
        .iter()
        .filter_map(|l| match &l.entry {
            warroom::contract::record::Entry::Planned(p) => Some(p.bytes.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(bytes.len(), 2);
    assert!(serde_json::from_str::<serde_json::Value>(bytes[0]).is_ok(), "{}", bytes[0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_have_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let contents = parse(&bytes);
        prop_assert!(contents.lines.len() + contents.bad_count <= bytes.len());
    }

    #[test]
    fn a_record_with_bytes_flipped_is_read_and_reported(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        static RECORD: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(a_record);
        let mut bytes = RECORD.clone();
        for (index, byte) in flips {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(incident) = Incident::of(&parse(&bytes), None) {
            let _ = (markdown(&incident), html(&incident), json(&incident));
        }
    }
}
