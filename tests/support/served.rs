//! Engines that exist only as a port: each answers every request in one way.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Answers every connection with `answer`, each in a thread of its own; the URL of its metrics page.
fn serve(answer: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/metrics", listener.local_addr().expect("an address"));
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (answer, stream) = (Arc::clone(&answer), stream.expect("a connection"));
            // A client that has seen enough closes the connection: an error here is no failure of the test.
            thread::spawn(move || answer(stream));
        }
    });
    url
}

/// One request's head.
fn request(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? == 1 {
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Answers with these bytes.
pub(crate) fn bytes(answer: &str) -> String {
    let answer = answer.to_owned();
    serve(move |mut stream| {
        request(&mut stream)?;
        stream.write_all(answer.as_bytes())
    })
}

/// Answers with the page that `page` gives for a request's head.
pub(crate) fn page(page: impl Fn(&str) -> String + Send + Sync + 'static) -> String {
    serve(move |mut stream| {
        let body = page(&request(&mut stream)?);
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    })
}

/// Accepts and never answers.
pub(crate) fn silent() -> String {
    serve(|mut stream| {
        request(&mut stream)?;
        thread::sleep(Duration::from_mins(2));
        Ok(())
    })
}

/// A port on which nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}/metrics", listener.local_addr().expect("an address"))
}
