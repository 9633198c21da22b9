//! One test per thing that real pages do and readers have stumbled over.

use warroom::decode::exposition::{MAX_LINE, MAX_PAGE, PageError, Reason, Skipped, Stats};

use super::collect::{Owned, asked, collect, sample};

/// `page` reads as exactly these samples and nothing is skipped.
#[track_caller]
fn reads(page: impl AsRef<[u8]>, expected: &[Owned]) -> Stats {
    let (samples, stats) = collect(page).expect("a page");
    assert_eq!(samples, expected);
    assert_eq!((stats.samples, stats.wanted, stats.skipped), (expected.len(), expected.len(), 0), "{stats:?}");
    assert_eq!(stats.first_skipped, None);
    stats
}

/// Only the second of three lines is lost, with its number and `reason`.
#[track_caller]
fn loses(line: impl AsRef<[u8]>, reason: Reason) {
    let page = [b"before 1\n", line.as_ref(), b"\nafter 2\n"].concat();
    let (samples, stats) = collect(page).expect("a page");
    assert_eq!(samples, [sample("before", &[], 1.0), sample("after", &[], 2.0)]);
    assert_eq!((stats.samples, stats.skipped), (2, 1));
    assert_eq!(stats.first_skipped, Some(Skipped { line: 2, reason }));
}

#[test]
fn a_colon_belongs_to_a_name() {
    reads(
        "# HELP vllm:num_requests_running x\n# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 3\n",
        &[sample("vllm:num_requests_running", &[], 3.0)],
    );
}

#[test]
fn a_brace_in_a_label_value_is_not_the_end_of_the_labels() {
    reads("a{path=\"/v1/{id}\",x=\"}\"} 1\n", &[sample("a", &[("path", "/v1/{id}"), ("x", "}")], 1.0)]);
}

#[test]
fn a_comma_in_a_label_value_does_not_split_it() {
    reads("a{running_lora_adapters=\"a,b\"} 1\n", &[sample("a", &[("running_lora_adapters", "a,b")], 1.0)]);
}

#[test]
fn an_equals_sign_in_a_label_value_does_not_lose_the_label() {
    reads(
        "a{q=\"x=y\",z==\"\"} 1\na 2\n".replace("==", "="),
        &[sample("a", &[("q", "x=y"), ("z", "")], 1.0), sample("a", &[], 2.0)],
    );
}

#[test]
fn a_hash_in_a_label_value_is_no_comment_and_no_exemplar() {
    reads("a{x=\"# {y} 3\"} 1\n", &[sample("a", &[("x", "# {y} 3")], 1.0)]);
}

#[test]
fn escapes_are_undone_and_unknown_ones_left_alone() {
    reads(
        r#"a{x="\"q\" \\ \n \t é\é",y="\\n"} 1"#.to_owned() + "\n",
        &[sample("a", &[("x", "\"q\" \\ \n \\t é\\é"), ("y", "\\n")], 1.0)],
    );
}

#[test]
fn blanks_and_tabs_may_stand_between_any_two_tokens() {
    let expected = [sample("a", &[("x", "1"), ("y", " 2 ")], 1.0)];
    reads("a{x=\"1\", y=\" 2 \"} 1\n", &expected);
    reads("a { x = \"1\" , y=\" 2 \", } 1\n", &expected);
    reads(" \ta\t{\tx\t=\t\"1\"\t,\ty\t=\t\" 2 \"\t}\t1\t\n", &expected);
    reads("a{x=\"1\",y=\" 2 \"}1\n", &expected);
    reads("a \t 1 \t\n", &[sample("a", &[], 1.0)]);
}

#[test]
fn a_comma_after_the_last_label_is_allowed() {
    reads("a{x=\"1\",} 1\n", &[sample("a", &[("x", "1")], 1.0)]);
}

#[test]
fn empty_braces_are_no_labels() {
    reads("a{} 1\na{ } 2\n", &[sample("a", &[], 1.0), sample("a", &[], 2.0)]);
}

#[test]
fn a_quoted_name_stands_among_the_labels() {
    reads(
        "{\"my.name\",x=\"1\"} 1\n{\"my.name\"} 2\n{ \"µ \\\"b\\\"\" , \"l.é\" = \"2\" , } 3\n",
        &[sample("my.name", &[("x", "1")], 1.0), sample("my.name", &[], 2.0), sample("µ \"b\"", &[("l.é", "2")], 3.0)],
    );
    for line in ["{\"\"} 1", "{} 1", "{x=\"1\"} 1", "{\"a\" \"b\"} 1", "\"a\" 1", "a.b 1", "5xx 1", "é 1", "a-b 1", "="]
    {
        loses(line, Reason::Name);
    }
}

#[test]
fn a_name_is_judged_alike_whatever_came_before_it() {
    reads(
        "{\"a.b\"} 1\na 2\nab 3\na{x=\"1\"} 4\n",
        &[sample("a.b", &[], 1.0), sample("a", &[], 2.0), sample("ab", &[], 3.0), sample("a", &[("x", "1")], 4.0)],
    );
    let (samples, stats) = collect("{\"a.b\"} 1\na.b 2\n\"a.b\" 3\n").expect("a page");
    assert_eq!((samples.len(), stats.skipped), (1, 2));
}

#[test]
fn exemplars_and_timestamps_are_read_over() {
    let expected = [sample("a_bucket", &[("le", "1")], 5.0)];
    for rest in [
        " 1795341779344",
        " 1795341779.344",
        " 1.795341779344e+09",
        " -1",
        " # {} 0.5",
        " # {trace_id=\"}# x\"} 0.5",
        " # {trace_id=\"4f\"} 0.5 1795341779.344",
        " 1795341779 # {trace_id=\"4f\",span=\"1\"} 0.5 1795341779.344",
        " #{trace_id=\"4f\"} 0.5 ",
    ] {
        reads(format!("a_bucket{{le=\"1\"}} 5{rest}\n"), &expected);
    }
}

#[test]
fn garbage_after_the_value_loses_the_line() {
    for rest in ["x", "1 2", "#", "# {", "# {}", "# {x} 1", "# {} 1 2 3", "# comment", "NaN", "{}", "1 # {} x"] {
        loses(format!("a 1 {rest}"), Reason::Rest);
    }
}

#[test]
fn the_end_of_an_openmetrics_page_is_reported() {
    let expected = [sample("a_total", &[], 1.0)];
    let page = "# TYPE a counter\n# UNIT a seconds\na_total 1\n";
    assert!(!reads(page, &expected).ended);
    for end in ["# EOF\n", "# EOF", "# EOF\r\n"] {
        assert!(reads(format!("{page}{end}"), &expected).ended, "{end:?}");
    }
}

#[test]
fn types_and_helps_are_irrelevant_even_when_late_doubled_split_or_wrong() {
    let a = |value| sample("a", &[], value);
    reads("a 1\n", &[a(1.0)]);
    reads(
        "a 1\n# TYPE a gauge\n# TYPE a counter\n# HELP a x\n# HELP a \\\\ é \"\n# TYPE a nonsense of sorts\n#\n#x\n",
        &[a(1.0)],
    );
    reads(
        "# TYPE a counter\na 1\n# TYPE b gauge\nb 2\n# TYPE a counter\na 3\n",
        &[a(1.0), sample("b", &[], 2.0), a(3.0)],
    );
    reads(
        "# TYPE c counter\nc_total 1\n# TYPE d_total counter\nd_total 2\nc_created 3\n",
        &[sample("c_total", &[], 1.0), sample("d_total", &[], 2.0), sample("c_created", &[], 3.0)],
    );
    reads(
        "h_bucket{le=\"1\"} 1\nh_sum 2\nh_count 3\n",
        &[sample("h_bucket", &[("le", "1")], 1.0), sample("h_sum", &[], 2.0), sample("h_count", &[], 3.0)],
    );
}

#[test]
fn a_comment_is_never_counted_whatever_is_in_it() {
    let long = [b"# HELP a \xff\xfe ".as_slice(), &b"x".repeat(MAX_LINE), b"\na 1\n"].concat();
    reads(long, &[sample("a", &[], 1.0)]);
}

#[test]
fn values_are_correctly_rounded_in_every_notation() {
    let long = "0.1000000000000000055511151231257";
    for text in [
        "0",
        "-0.0",
        "1.",
        ".5",
        "1e+06",
        "1e+010",
        "1.45E-3",
        "9.2e18",
        "18446744073709551616",
        "1e400",
        "4.9e-324",
        long,
    ] {
        reads(format!("a {text}\n"), &[sample("a", &[], text.parse().expect("a number"))]);
    }
    for (text, value) in [("+Inf", f64::INFINITY), ("-Inf", f64::NEG_INFINITY), ("NaN", f64::NAN), ("nan", f64::NAN)] {
        reads(format!("a {text}\n"), &[sample("a", &[], value)]);
    }
}

#[test]
fn what_is_no_decimal_number_loses_the_line() {
    for value in ["0x10", "1_000", "1,5", "1e", "-", ".", "--1", "1.2.3", "12abc", "µ", "Infin", "\"1\"", "1#", ""] {
        loses(format!("a {value}"), Reason::Value);
        loses(format!("a{{x=\"1\"}} {value}"), Reason::Value);
    }
    loses("Bad Gateway", Reason::Value);
}

#[test]
fn labels_that_do_not_parse_lose_the_line() {
    for labels in
        ["x", "x=", "x=1", "x=\"1", "x=\"1\\\"", "x=\"1\" y=\"2\"", ",", "x=\"1\",,", "=\"1\"", "1=\"1\"", "\"b\""]
    {
        loses(format!("a{{{labels}}} 1"), Reason::Labels);
    }
    loses("a{x=\"1\"", Reason::Labels);
    loses("a{", Reason::Labels);
    loses("a{x=\"1\\", Reason::Labels);
}

#[test]
fn crlf_and_blank_lines_change_nothing() {
    let expected = [sample("a", &[("x", "1")], 1.0), sample("b", &[], 2.0)];
    reads("# TYPE a gauge\r\n\r\na{x=\"1\"} 1\r\n \t\r\nb 2\r\n", &expected);
    reads("\n\n# TYPE a gauge\na{x=\"1\"} 1\n\n\nb 2\n\n  ", &expected);
    reads("\u{feff}a{x=\"1\"} 1\nb 2\n", &expected);
}

#[test]
fn invalid_utf8_loses_its_line_only() {
    loses(b"a{x=\"\xff\"} 1", Reason::NotUtf8);
    loses(b"a{x=\"1\"} 1 \xc3", Reason::NotUtf8);
}

#[test]
fn a_line_over_the_limit_is_skipped_and_counted() {
    let line = |length: usize| {
        let value = "x".repeat(length - "a{x=\"\"} 1".len());
        format!("a{{x=\"{value}\"}} 1")
    };
    loses(line(MAX_LINE + 1), Reason::TooLong);
    let (samples, stats) = collect(line(MAX_LINE) + "\n").expect("a page");
    assert_eq!((samples.len(), stats.skipped), (1, 0));
}

#[test]
fn the_first_of_several_bad_lines_is_named_and_all_are_counted() {
    let (_, stats) = collect("# x\na 1\n\na one\na{ 1\nb 2\n").expect("a page");
    assert_eq!((stats.samples, stats.skipped), (2, 2));
    let skipped = stats.first_skipped.expect("one");
    assert_eq!(skipped.to_string(), "line 4: its value is not a number");
}

#[test]
fn a_family_is_looked_up_once_per_run_of_its_name() {
    assert_eq!(asked("a 1\na{x=\"1\"} 2\n# HELP b x\n\nnonsense\na 3\nab 4\na 5\n"), ["a", "ab", "a"]);
    assert_eq!(asked("{\"a\"} 1\n{\"a\",x=\"1\"} 2\n"), ["a"]);
}

#[test]
fn html_with_status_200_is_an_error_and_not_zero_samples() {
    for page in [
        "<html><body><h1>502 Bad Gateway</h1></body></html>",
        "\n <!DOCTYPE html>\n<html>\n",
        "<?xml version=\"1.0\"?>\n",
    ] {
        assert_eq!(collect(page), Err(PageError::Html));
    }
}

#[test]
fn json_is_an_error_and_a_quoted_name_is_not_json() {
    for page in
        ["{\"error\":\"loading\"}", "{\n  \"er\\\"ror\" : {}\n}\n", "[]\n", "[{\"iter\": 1}]", "{}", "{ }\n", "\"no\""]
    {
        assert_eq!(collect(page), Err(PageError::Json), "{page}");
    }
    reads("{\"error\",x=\":\"} 1\n", &[sample("error", &[("x", ":")], 1.0)]);
    reads("{\"error\"} 1\n", &[sample("error", &[], 1.0)]);
}

#[test]
fn a_cut_body_gives_no_number() {
    for page in ["a 1\nb 12", "a 1\nb{x=\"1", "a 1\n# HELP", "a", "# EO", "a 1\n# EOFx"] {
        assert_eq!(collect(page), Err(PageError::Cut), "{page}");
    }
}

#[test]
fn binary_is_an_error() {
    let utf16: Vec<u8> = "a 1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for page in [b"\x1f\x8b\x08\x00x\n".as_slice(), b"\x28\xb5\x2f\xfd\n", b"a 1\n\0\n", b"\x81\x0a\x93\xff\n", &utf16]
    {
        assert_eq!(collect(page), Err(PageError::Binary), "{page:?}");
    }
}

#[test]
fn an_empty_body_is_an_error_and_a_page_of_comments_is_not() {
    for page in ["", "\n", " \r\n\t\n", "\u{feff}"] {
        assert_eq!(collect(page), Err(PageError::Empty), "{page:?}");
    }
    assert_eq!(collect("# nothing yet\n"), Ok((Vec::new(), Stats::default())));
}

#[test]
fn a_page_over_the_limit_is_refused_and_one_at_the_limit_is_read() {
    let line = "a 1\n";
    let mut page = line.repeat(MAX_PAGE / line.len()).into_bytes();
    assert_eq!(collect(&page).map(|(samples, _)| samples.len()), Ok(MAX_PAGE / line.len()));
    page.push(b'\n');
    assert_eq!(collect(&page), Err(PageError::TooLarge { bytes: MAX_PAGE + 1 }));
}

#[test]
fn a_refusal_says_what_the_page_is_and_what_to_do() {
    assert_eq!(
        PageError::TooLarge { bytes: 9_000_000 }.to_string(),
        "the page has 9000000 bytes and the limit is 8388608: read one engine, not an aggregate of many",
    );
    for error in [PageError::Empty, PageError::Html, PageError::Json, PageError::Binary, PageError::Cut] {
        let text = error.to_string();
        assert!(text.starts_with("the page ") && text.len() < 140, "{text}");
        assert!(text.contains("check ") || text.contains("ask for") || text.contains("read it again"), "{text}");
    }
}
