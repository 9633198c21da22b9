//! Servers as they should not be: whatever answers a scrape, it costs bounded time and memory and is named rightly.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use warroom::clock::{self, Clock};
use warroom::domain::Failure;
use warroom::reach::Way;
use warroom::reach::http::{Fetcher, Settings, Url};
use warroom::source::poll::{Attempt, Poller};

const PAGE: &str = "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 3\n";
const DEADLINE: Duration = Duration::from_millis(700);

// ---- the servers ---------------------------------------------------------------------------------------------------

/// Answers every connection with `answer`, each in a thread of its own; the second argument counts connections from 0.
fn serve(answer: impl Fn(TcpStream, usize) -> io::Result<()> + Send + Sync + 'static) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/metrics", listener.local_addr().expect("an address"));
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for (nth, stream) in listener.incoming().enumerate() {
            let (answer, stream) = (Arc::clone(&answer), stream.expect("a connection"));
            // A client that has seen enough closes the connection: an error here is no failure of the test.
            thread::spawn(move || answer(stream, nth));
        }
    });
    url.parse().expect("a URL")
}

/// Reads one request's head, without its body; an empty string where the client has gone.
fn request(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Answers one request with these bytes, and closes.
fn serve_bytes(bytes: impl Into<Vec<u8>>) -> Url {
    let bytes = bytes.into();
    serve(move |mut stream, _| {
        request(&mut stream)?;
        stream.write_all(&bytes)
    })
}

/// A complete answer with status 200, these headers and this body.
fn ok(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

// ---- the client ----------------------------------------------------------------------------------------------------

fn settings() -> Settings {
    Settings { timeout: DEADLINE, connect_timeout: Duration::from_millis(300), max_body: 8_000_000 }
}

/// Waits without a deadline that a loaded machine could miss, for servers that do answer.
fn patient() -> Settings {
    Settings { timeout: Duration::from_secs(30), ..settings() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn fetch_with(settings: Settings, url: &Url) -> Result<Vec<u8>, Failure> {
    runtime().block_on(async {
        let mut buffer = b"left from before".to_vec();
        Fetcher::new(settings).expect("a client").get(url, &mut buffer).await.map(|()| buffer)
    })
}

fn fetch(url: &Url) -> Result<Vec<u8>, Failure> {
    fetch_with(patient(), url)
}

/// Fetches with the short deadline, and holds it to it: generously, because the machine may be busy.
fn fetch_in_time(url: &Url) -> Result<Vec<u8>, Failure> {
    let start = clock::monotonic();
    let answer = fetch_with(settings(), url);
    let took = clock::ms_since(start);
    assert!(took < 5_000, "the deadline of {DEADLINE:?} was kept only after {took} ms");
    answer
}

fn message(answer: Result<Vec<u8>, Failure>) -> String {
    answer.expect_err("a failure").to_string()
}

// ---- answers that never come ---------------------------------------------------------------------------------------

#[test]
fn a_port_where_nobody_listens_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/metrics", listener.local_addr().expect("an address")).parse().expect("a URL");
    drop(listener);
    assert_eq!(fetch(&url), Err(Failure::Refused));
}

#[test]
fn a_server_that_accepts_and_never_answers_is_late_with_the_connection_standing() {
    let url = serve(|mut stream, _| {
        request(&mut stream)?;
        thread::sleep(Duration::from_secs(20));
        Ok(())
    });
    assert_eq!(fetch_in_time(&url), Err(Failure::TimedOut { connected: true, after_ms: 700 }));
}

#[test]
fn a_frozen_process_whose_kernel_accepts_is_late_with_the_connection_standing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/metrics", listener.local_addr().expect("an address")).parse().expect("a URL");
    assert_eq!(fetch_in_time(&url), Err(Failure::TimedOut { connected: true, after_ms: 700 }));
    drop(listener);
}

#[test]
fn a_host_that_swallows_packets_is_late_without_a_connection_or_unreachable() {
    // A documentation address (RFC 5737): nobody answers there. A sandbox without any route says so at once.
    let url = "http://192.0.2.1:9/metrics".parse().expect("a URL");
    match fetch_in_time(&url) {
        Err(Failure::TimedOut { connected, after_ms }) => assert!(!connected && after_ms == 300, "{after_ms} ms"),
        Err(Failure::Other(sentence)) => assert!(sentence.contains("192.0.2.1:9"), "{sentence}"),
        Err(Failure::Refused | Failure::Status { .. }) => println!("skipped: something answers for 192.0.2.1 here"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_byte_per_second_for_ever_does_not_move_the_deadline() {
    let url = serve(|mut stream, _| {
        request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            stream.write_all(b"#")?;
            thread::sleep(Duration::from_secs(1));
        }
    });
    assert_eq!(fetch_in_time(&url), Err(Failure::TimedOut { connected: true, after_ms: 700 }));
}

#[test]
fn a_head_that_comes_in_drops_does_not_move_the_deadline() {
    let url = serve(|mut stream, _| {
        request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nx: ")?;
        loop {
            stream.write_all(b"x")?;
            thread::sleep(Duration::from_millis(100));
        }
    });
    assert_eq!(fetch_in_time(&url), Err(Failure::TimedOut { connected: true, after_ms: 700 }));
}

#[test]
fn a_server_that_hangs_up_without_a_word_is_asked_twice_and_no_more() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let url = serve(move |mut stream, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        request(&mut stream).map(drop)
    });
    let said = message(fetch(&url));
    assert!(said.contains("closed the connection without an answer"), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_server_that_speaks_no_http_is_named_with_a_remedy() {
    let said = message(fetch(&serve_bytes("SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n")));
    assert!(said.contains("does not answer in HTTP: check the port, or try https://"), "{said}");
}

#[test]
fn a_plain_server_asked_for_tls_is_named_with_a_remedy() {
    let plain = serve(|mut stream, _| {
        stream.read_exact(&mut [0])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")?;
        thread::sleep(Duration::from_millis(200));
        Ok(())
    });
    let url = plain.as_str().replace("http://", "https://").parse().expect("a URL");
    let said = message(fetch(&url));
    assert!(said.contains("does not speak TLS: try http://") && said.contains("127.0.0.1"), "{said}");
}

#[test]
fn a_name_without_an_address_is_named_with_a_remedy() {
    // RFC 6761 keeps `.invalid` from ever existing, so a resolver can only say no or be silent.
    let url = "http://me:s3cret@engine.invalid:8000/metrics".parse().expect("a URL");
    match fetch_with(Settings { connect_timeout: Duration::from_secs(30), ..patient() }, &url) {
        Err(Failure::Other(said)) => {
            assert!(said.contains("'engine.invalid:8000'") && said.contains("check the name"), "{said}");
            assert!(!said.contains("s3cret"), "{said}");
        }
        Err(Failure::TimedOut { connected: false, .. }) => println!("skipped: the resolver here is silent"),
        Err(Failure::Status { .. }) => println!("skipped: a proxy answers for it here"),
        other => panic!("{other:?}"),
    }
}

// ---- answers that are no page --------------------------------------------------------------------------------------

#[test]
fn a_llama_server_that_loads_its_model_says_so() {
    let body = r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
    let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n";
    let url = serve_bytes(format!("{head}content-length: {}\r\n\r\n{body}", body.len()));
    assert_eq!(fetch(&url), Err(Failure::Status { code: 503, loading: true }));

    let packed = gzip(body.as_bytes());
    let mut answer = format!("{head}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", packed.len()).into_bytes();
    answer.extend_from_slice(&packed);
    assert_eq!(fetch(&serve_bytes(answer)), Err(Failure::Status { code: 503, loading: true }));
}

#[test]
fn another_503_and_a_404_that_mentions_loading_do_not_load_a_model() {
    let url = serve_bytes("HTTP/1.1 503 \x1b[2JUnavailable\r\ncontent-length: 4\r\n\r\nbusy");
    match fetch(&url) {
        Err(Failure::Status { code: 503, loading: false }) => {}
        Err(Failure::Other(said)) => assert!(!said.contains('\x1b'), "{said:?}"),
        other => panic!("{other:?}"),
    }
    let url = serve_bytes("HTTP/1.1 404 Not Found\r\ncontent-length: 20\r\n\r\n<html>Loading...    ");
    assert_eq!(fetch(&url), Err(Failure::Status { code: 404, loading: false }));
    let url = serve_bytes("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(fetch(&url), Err(Failure::Status { code: 204, loading: false }));
}

#[test]
fn an_endless_error_page_is_read_for_its_first_bytes_only() {
    let url = serve(|mut stream, _| {
        request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")?;
        loop {
            stream.write_all(&[b'x'; 16_384])?;
        }
    });
    assert_eq!(fetch(&url), Err(Failure::Status { code: 500, loading: false }));
}

#[test]
fn an_error_page_that_never_comes_is_still_that_error() {
    let url = serve(|mut stream, _| {
        request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 90\r\n\r\nLoading model")?;
        thread::sleep(Duration::from_secs(20));
        Ok(())
    });
    assert_eq!(fetch_in_time(&url), Err(Failure::Status { code: 503, loading: true }));
}

#[test]
fn a_redirect_is_not_followed_and_its_address_shown_without_secrets() {
    let followed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&followed);
    let elsewhere = serve(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    let port = elsewhere.port().expect("a port");
    let location = format!("http://me:s3cret@127.0.0.1:{port}/login?token=s3cret");
    let url = serve_bytes(format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"));
    let to = format!("http://127.0.0.1:{port}/login?token=…");
    assert_eq!(fetch(&url), Err(Failure::Redirected { to }));
    assert_eq!(followed.load(Ordering::SeqCst), 0);
}

#[test]
fn a_relative_redirect_is_shown_whole_and_a_redirect_to_nowhere_is_a_status() {
    let url = serve_bytes("HTTP/1.1 307 Temporary Redirect\r\nlocation: /metrics/\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(fetch(&url), Err(Failure::Redirected { to: format!("{url}/") }));
    let url = serve_bytes("HTTP/1.1 304 Not Modified\r\n\r\n");
    assert_eq!(fetch(&url), Err(Failure::Status { code: 304, loading: false }));
}

#[test]
fn escape_sequences_in_a_location_do_not_reach_the_message() {
    for location in ["http://[\u{9b}31m\u{202e}", "//evil/\u{9b}2J\u{200b}?\u{202e}=1", "http://x:y/\u{feff}"] {
        let url = serve_bytes(format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"));
        let said = message(fetch(&url));
        assert!(said.starts_with("redirected to '"), "{said:?}");
        let hidden = |c: char| c.is_control() || ['\u{202e}', '\u{200b}', '\u{feff}'].contains(&c);
        assert!(!said.contains(hidden), "{said:?}");
    }
    let long = format!("HTTP/1.1 302 Found\r\nlocation: /{}\r\ncontent-length: 0\r\n\r\n", "x".repeat(9_000));
    assert!(message(fetch(&serve_bytes(long))).chars().count() < 220);
}

// ---- pages that break off ------------------------------------------------------------------------------------------

#[test]
fn a_body_shorter_than_its_length_is_cut() {
    let url = serve_bytes(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{PAGE}", PAGE.len() + 1));
    assert_eq!(fetch(&url), Err(Failure::Cut));
}

#[test]
fn a_chunked_body_without_its_last_chunk_is_cut() {
    let chunk = format!("{:x}\r\n{PAGE}\r\n", PAGE.len());
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(fetch(&serve_bytes(format!("{head}{chunk}"))), Err(Failure::Cut));
    assert_eq!(fetch(&serve_bytes(format!("{head}{}", &chunk[..9]))), Err(Failure::Cut));
    assert_eq!(fetch(&serve_bytes(format!("{head}{chunk}0\r\n\r\n"))), Ok(PAGE.into()));
}

#[test]
fn a_gzip_stream_that_ends_early_is_cut() {
    let packed = gzip(PAGE.as_bytes());
    for missing in [1, 8, 9, 30] {
        let url = serve_bytes(ok("content-encoding: gzip\r\n", &packed[..packed.len() - missing]));
        assert_eq!(fetch(&url), Err(Failure::Cut), "{missing} bytes missing");
    }
}

#[test]
fn a_reset_in_the_middle_of_the_page_is_cut() {
    let url = serve(|mut stream, _| {
        // An unread request makes the kernel send a reset instead of an orderly end.
        stream.read_exact(&mut [0])?;
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n{PAGE}").as_bytes())?;
        thread::sleep(Duration::from_millis(200));
        Ok(())
    });
    assert_eq!(fetch(&url), Err(Failure::Cut));
}

#[test]
fn gzip_rubbish_is_no_metrics_page() {
    let mut broken = gzip(PAGE.repeat(50).as_bytes());
    broken[20] ^= 0xff;
    let mut wrong_sum = gzip(PAGE.as_bytes());
    let end = wrong_sum.len() - 6;
    wrong_sum[end] ^= 0xff;
    for body in [&b"\x1b[2Jnot gzip at all"[..], &broken, &wrong_sum] {
        match fetch(&serve_bytes(ok("content-encoding: gzip\r\n", body))) {
            Err(Failure::NotMetrics(what)) => assert!(what.contains("gzip") && !what.contains('\x1b'), "{what:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_coding_that_was_not_asked_for_is_named() {
    let url = serve_bytes(ok("content-encoding: br\u{9b}2J\r\n", b"..."));
    assert_eq!(fetch(&url), Err(Failure::NotMetrics("packed as 'br·2j', not as asked".to_owned())));
}

// ---- pages that are too large --------------------------------------------------------------------------------------

/// The most memory this process has had, in KB, where the system tells.
fn peak_rss_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

#[test]
fn a_gzip_bomb_is_refused_without_being_unpacked() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..1024 {
        encoder.write_all(&zeros).expect("memory takes it");
    }
    let bomb = encoder.finish().expect("memory takes it");
    assert!(bomb.len() < 8_000_000, "the compressed side alone would be refused: {} bytes", bomb.len());
    let url = serve_bytes(ok("content-encoding: gzip\r\n", &bomb));

    let (before, start) = (peak_rss_kb(), clock::monotonic());
    assert_eq!(fetch(&url), Err(Failure::TooLarge { limit: 8_000_000 }));
    let took = clock::ms_since(start);
    assert!(took < 3_000, "refusing took {took} ms");
    if let (Some(before), Some(after)) = (before, peak_rss_kb()) {
        // The other tests of this file run in the same process and have their 8 MB pages too.
        assert!(after - before < 150_000, "a gigabyte of zeros took {} KB", after - before);
    }
}

#[test]
fn a_page_over_the_limit_is_refused_before_it_is_read() {
    let url = serve(|mut stream, _| {
        request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n")?;
        thread::sleep(Duration::from_secs(20));
        Ok(())
    });
    assert_eq!(fetch_in_time(&url), Err(Failure::TooLarge { limit: 8_000_000 }));
}

#[test]
fn a_page_of_nine_megabytes_without_a_length_is_refused() {
    let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    answer.resize(answer.len() + 9_000_000, b'#');
    assert_eq!(fetch(&serve_bytes(answer)), Err(Failure::TooLarge { limit: 8_000_000 }));
}

#[test]
fn a_page_of_exactly_the_limit_is_taken_both_plain_and_packed() {
    let body = vec![b'#'; 100_000];
    let (exact, short) = (Settings { max_body: 100_000, ..patient() }, Settings { max_body: 99_999, ..patient() });
    for answer in [ok("", &body), ok("content-encoding: gzip\r\n", &gzip(&body))] {
        assert_eq!(fetch_with(exact.clone(), &serve_bytes(answer.clone())), Ok(body.clone()));
        assert_eq!(fetch_with(short.clone(), &serve_bytes(answer)), Err(Failure::TooLarge { limit: 99_999 }));
    }
}

#[test]
fn an_endless_body_is_refused_at_the_limit() {
    for coding in ["", "content-encoding: gzip\r\n"] {
        let url = serve(move |mut stream, _| {
            request(&mut stream)?;
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{coding}\r\n").as_bytes())?;
            loop {
                stream.write_all(&[b'#'; 16_384])?;
            }
        });
        assert_eq!(fetch(&url), Err(Failure::TooLarge { limit: 8_000_000 }), "{coding}");
    }
}

#[test]
fn an_endless_head_is_refused() {
    let url = serve(|mut stream, _| {
        request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nx: ")?;
        loop {
            stream.write_all(&[b'x'; 16_384])?;
        }
    });
    let said = message(fetch(&url));
    assert!(said.contains("127.0.0.1"), "{said}");
}

// ---- pages that are fine -------------------------------------------------------------------------------------------

#[test]
fn a_body_of_escape_sequences_is_passed_on_as_bytes() {
    let body = b"# \x1b[2J\x1b]0;owned\x07\xff\xfe\0\nup 1\n";
    assert_eq!(fetch(&serve_bytes(ok("", body))), Ok(body.to_vec()));
}

#[test]
fn a_page_in_several_gzip_members_is_read_whole() {
    let packed = [gzip(b"a 1\n"), gzip(b"b 2\n")].concat();
    assert_eq!(fetch(&serve_bytes(ok("content-encoding: gzip\r\n", &packed))), Ok(b"a 1\nb 2\n".to_vec()));
}

#[test]
fn one_connection_serves_page_after_page() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let url = serve(move |mut stream, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        while !request(&mut stream)?.is_empty() {
            stream.write_all(&ok("content-encoding: gzip\r\n", &gzip(PAGE.as_bytes())))?;
        }
        Ok(())
    });
    runtime().block_on(async {
        let fetcher = Fetcher::new(patient()).expect("a client");
        let mut buffer = Vec::new();
        for _ in 0..3 {
            assert_eq!(fetcher.get(&url, &mut buffer).await, Ok(()));
            assert_eq!(buffer, PAGE.as_bytes());
        }
    });
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_kept_connection_that_the_server_closes_in_between_costs_no_page() {
    let url = serve(|mut stream, _| {
        request(&mut stream)?;
        stream.write_all(&ok("", PAGE.as_bytes()))?;
        // The next request is taken and the connection closed, as when a keep-alive time-out meets it on its way.
        request(&mut stream).map(drop)
    });
    runtime().block_on(async {
        let fetcher = Fetcher::new(patient()).expect("a client");
        let mut buffer = Vec::new();
        for _ in 0..3 {
            assert_eq!(fetcher.get(&url, &mut buffer).await, Ok(()));
        }
    });
}

#[test]
fn a_request_says_who_asks_and_what_it_takes_and_carries_the_password_only_as_a_header() {
    let (sender, requests) = mpsc::channel();
    let url = serve(move |mut stream, _| {
        sender.send(request(&mut stream)?).expect("the test listens");
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
    });
    let url = url.as_str().replace("http://", "http://me:s3cret@").parse().expect("a URL");
    let failure = fetch(&url).expect_err("a failure");
    assert_eq!(failure, Failure::Status { code: 401, loading: false });

    let asked = requests.recv().expect("a request").to_ascii_lowercase();
    assert!(asked.starts_with("get /metrics http/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("user-agent: warroom/{}\r\n", env!("CARGO_PKG_VERSION"))), "{asked}");
    assert!(asked.contains("accept-encoding: gzip\r\n"), "{asked}");
    assert!(asked.contains("authorization: basic ") && !asked.contains("s3cret"), "{asked}");
}

#[test]
fn a_url_with_a_password_is_never_shown() {
    let refused = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
    let rubbish = serve_bytes("rubbish\r\n\r\n");
    let silent = serve(|_, _| Ok(()));
    let servers = [format!("{refused}"), rubbish.authority().to_owned(), silent.authority().to_owned()];
    for (scheme, server) in servers.iter().flat_map(|server| [("http", server), ("https", server)]) {
        let url = format!("{scheme}://me:s3cret@{server}/metrics?token=s3cret").parse().expect("a URL");
        let failure = fetch(&url).expect_err("a failure");
        assert!(!format!("{failure} {failure:?}").contains("s3cret"), "{failure:?}");
    }
}

// ---- the environment -----------------------------------------------------------------------------------------------

/// Fetches in a process of its own with these variables, because a process cannot safely change its own environment.
fn fetch_in_child(url: &str, environment: &[(&str, &str)]) -> String {
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--nocapture", "--exact", "child_that_asks_in_another_environment"])
        .envs(environment.iter().copied())
        .env("URL_TO_ASK", url)
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .expect("a child");
    String::from_utf8_lossy(&child.stdout).into_owned()
}

#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn child_that_asks_in_another_environment() {
    let url = std::env::var_os("URL_TO_ASK").and_then(|url| url.to_str()?.parse().ok()).expect("a URL");
    println!("answer: {:?}", fetch(&url).map(String::from_utf8));
}

#[test]
fn this_machine_is_never_asked_through_a_proxy_and_others_are() {
    let proxy = format!("http://{}", serve_bytes(ok("", b"from_the_proxy 1\n")).authority());
    let near = serve_bytes(ok("", b"from_the_engine 1\n"));
    let near = fetch_in_child(near.as_str(), &[("http_proxy", &proxy)]);
    assert!(near.contains("from_the_engine"), "{near}");
    let far = fetch_in_child("http://gpu-1.invalid/metrics", &[("http_proxy", &proxy)]);
    assert!(far.contains("from_the_proxy"), "{far}");
}

#[test]
fn a_machine_without_any_certificates_still_reads_plain_pages() {
    let nowhere = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    let answer = fetch_in_child(serve_bytes(ok("", b"up 1\n")).as_str(), &nowhere);
    assert!(answer.contains("up 1"), "{answer}");
}

// ---- many endpoints ------------------------------------------------------------------------------------------------

fn poller(endpoints: Vec<Url>, concurrency: usize) -> Poller<Way> {
    with(settings(), endpoints, concurrency)
}

fn with(settings: Settings, endpoints: Vec<Url>, concurrency: usize) -> Poller<Way> {
    let fetcher = Fetcher::new(settings).expect("a client");
    let endpoints = endpoints.into_iter().map(|url| Way::direct(&fetcher, url)).collect();
    Poller { endpoints, interval: Duration::from_millis(200), concurrency, clock: Clock::Wall }
}

/// Polls for a while with a decoder that keeps the page, and gives back what was attempted.
fn poll(poller: Poller<Way>, time: Duration) -> Vec<Attempt<Vec<u8>>> {
    runtime().block_on(async {
        let (sink, mut attempts) = tokio::sync::mpsc::channel(10_000);
        // Dropping the poller at the end of the time also closes the channel.
        let _ = tokio::time::timeout(time, poller.run(|_, page| Ok(page.to_vec()), sink)).await;
        let mut all = Vec::new();
        while let Some(attempt) = attempts.recv().await {
            all.push(attempt);
        }
        all
    })
}

/// A server that is slow, and how many requests it has had in hand at most: all together and for one path.
fn serve_slowly() -> (Url, Arc<Mutex<InHand>>) {
    let in_hand = Arc::new(Mutex::new(InHand::default()));
    let counts = Arc::clone(&in_hand);
    let url = serve(move |mut stream, _| {
        loop {
            let head = request(&mut stream)?;
            let Some(path) = head.split(' ').nth(1).map(ToOwned::to_owned) else { return Ok(()) };
            counts.lock().expect("no panic").take(&path);
            thread::sleep(Duration::from_millis(30));
            // Before the answer, because the next request may come before the line after it is reached.
            counts.lock().expect("no panic").now.retain(|other| *other != path);
            stream.write_all(&ok("", PAGE.as_bytes()))?;
        }
    });
    (url, in_hand)
}

#[derive(Debug, Default)]
struct InHand {
    now: Vec<String>,
    most: usize,
    total: usize,
    twice: Vec<String>,
}

impl InHand {
    fn take(&mut self, path: &str) {
        if self.now.iter().any(|other| other == path) {
            self.twice.push(path.to_owned());
        }
        self.now.push(path.to_owned());
        self.most = self.most.max(self.now.len());
        self.total += 1;
    }
}

#[test]
fn one_hanging_endpoint_among_twenty_does_not_delay_the_others() {
    let hanging = serve(|_, _| {
        thread::sleep(Duration::from_secs(20));
        Ok(())
    });
    let mut endpoints: Vec<_> = (0..20).map(|_| serve_bytes(ok("", PAGE.as_bytes()))).collect();
    endpoints[7] = hanging;
    let attempts = poll(poller(endpoints, 4), Duration::from_secs(3));
    for endpoint in 0..20 {
        let of_this = || attempts.iter().filter(move |attempt| attempt.endpoint == endpoint);
        if endpoint == 7 {
            let late = Err(Failure::TimedOut { connected: true, after_ms: 700 });
            assert!(of_this().count() > 0 && of_this().all(|attempt| attempt.body == late));
            assert!(of_this().all(|attempt| attempt.took_ms >= 700));
        } else {
            // Fifteen intervals have passed; a loaded machine may lose some of them, a blocked poller would lose most.
            assert!(of_this().count() >= 8, "endpoint {endpoint} was asked {} times", of_this().count());
            assert!(of_this().all(|attempt| attempt.body.as_deref() == Ok(PAGE.as_bytes())));
            assert!(of_this().is_sorted_by_key(|attempt| attempt.sent_ms));
        }
    }
}

#[test]
fn no_endpoint_is_asked_twice_at_once_and_all_together_not_more_than_allowed() {
    let (url, in_hand) = serve_slowly();
    let endpoints = (0..30).map(|n| url.join(&format!("/engine/{n}")).expect("a URL")).collect();
    let attempts = poll(poller(endpoints, 5), Duration::from_secs(2));
    let in_hand = in_hand.lock().expect("no panic");
    assert_eq!(in_hand.twice, [""; 0]);
    assert!((2..=5).contains(&in_hand.most), "{} in flight at once", in_hand.most);
    assert!((0..30).all(|endpoint| attempts.iter().any(|attempt| attempt.endpoint == endpoint)));
}

#[test]
fn a_dropped_poller_asks_nobody_any_more_and_one_without_a_receiver_ends() {
    let (url, in_hand) = serve_slowly();
    poll(poller(vec![url.clone(); 3], 3), Duration::from_millis(500));
    thread::sleep(Duration::from_millis(100));
    let asked = in_hand.lock().expect("no panic").total;
    thread::sleep(Duration::from_millis(500));
    assert!(asked >= 3);
    assert_eq!(in_hand.lock().expect("no panic").total, asked);

    let (sink, receiver) = tokio::sync::mpsc::channel(1);
    drop(receiver);
    runtime().block_on(poller(vec![url], 1).run(|_, page| Ok(page.len()), sink));
}

#[test]
fn by_a_simulated_clock_five_seconds_pass_in_a_sixtieth_of_the_time_and_attempts_are_dated_by_it() {
    let clock = Clock::simulated(1_000_000_000_000, 60.0);
    let endpoints = vec![serve_bytes(ok("", PAGE.as_bytes()))];
    let poller = Poller { clock, interval: Duration::from_secs(5), ..poller(endpoints, 1) };
    let attempts = poll(poller, Duration::from_secs(2));
    // 120 s of its time; a loaded machine may lose some places.
    assert!((10..=26).contains(&attempts.len()), "{}", attempts.len());
    let gaps: Vec<i64> = attempts.windows(2).map(|w| w[1].sent_ms - w[0].sent_ms).collect();
    assert!(gaps.iter().all(|gap| *gap >= 2_400), "{gaps:?}");
    assert!(attempts.iter().all(|a| (1_000_000_000_000..1_000_000_200_000).contains(&a.sent_ms)));
}

#[test]
fn a_receiver_that_does_not_keep_up_holds_the_requests_back() {
    let (url, in_hand) = serve_slowly();
    let endpoints = (0..30).map(|n| url.join(&format!("/engine/{n}")).expect("a URL")).collect();
    runtime().block_on(async {
        let (sink, receiver) = tokio::sync::mpsc::channel(2);
        let polling = poller(endpoints, 4).run(|_, page| Ok(page.len()), sink);
        let _ = tokio::time::timeout(Duration::from_secs(1), polling).await;
        drop(receiver);
    });
    // Two wait in the channel and four before it.
    assert!(in_hand.lock().expect("no panic").total <= 6);
}

#[test]
fn a_page_in_a_used_buffer_is_only_itself_and_a_decoder_may_refuse_it() {
    let pages = [
        b"a 1
"
        .repeat(500_000),
        b"b 2
"
        .to_vec(),
        Vec::new(),
    ];
    let endpoints = pages.iter().map(|page| serve_bytes(ok("", page))).collect();
    let decode = |endpoint: usize, page: &[u8]| match endpoint {
        2 => Err(Failure::NotMetrics(format!("{} bytes", page.len()))),
        _ => Ok((page.len(), page.first().copied())),
    };
    let attempts = runtime().block_on(async {
        let (sink, mut attempts) = tokio::sync::mpsc::channel(64);
        let poller = with(patient(), endpoints, 1);
        let collect = async {
            let mut all = Vec::new();
            while all.len() < 9 {
                all.extend(attempts.recv().await);
            }
            all
        };
        tokio::select! { () = poller.run(decode, sink) => Vec::new(), all = collect => all }
    });
    assert_eq!(attempts.len(), 9);
    for attempt in attempts {
        let expected = match attempt.endpoint {
            0 => Ok((2_000_000, Some(b'a'))),
            1 => Ok((4, Some(b'b'))),
            _ => Err(Failure::NotMetrics("0 bytes".to_owned())),
        };
        assert_eq!(attempt.body, expected);
    }
}

#[test]
#[should_panic(expected = "a bug in the decoder")]
fn a_decoder_that_panics_is_not_hushed_up() {
    let (sink, _receiver) = tokio::sync::mpsc::channel::<Attempt<()>>(1);
    let decode = |_, _: &[u8]| panic!("a bug in the decoder");
    runtime().block_on(poller(vec![serve_bytes(ok("", b"up 1\n"))], 1).run(decode, sink));
}
