//! An answer: a status, a type, a body that may go on for a while.

use std::convert::Infallible;

use futures::{Stream, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::{Response, StatusCode, header};
use serde_json::Value;

use crate::sim::cluster::Refusal;

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer.
pub(super) struct Reply {
    status: u16,
    kind: &'static str,
    body: Body,
    warning: Option<String>,
}

pub(super) const JSON: &str = "application/json";

impl Reply {
    pub(super) fn json(status: u16, value: &Value) -> Self {
        let mut text = value.to_string();
        text.push('\n');
        Self { status, kind: JSON, body: full(text), warning: None }
    }

    pub(super) fn text(status: u16, text: impl Into<String>) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: full(text.into()), warning: None }
    }

    pub(super) fn refusal(refusal: &Refusal) -> Self {
        Self::json(refusal.code, &refusal.status())
    }

    /// The same with warnings for whoever asked.
    pub(super) fn warning(mut self, warnings: &[String]) -> Self {
        let coded: Vec<String> = warnings.iter().map(|w| format!("299 - {w:?}")).collect();
        self.warning = (!coded.is_empty()).then(|| coded.join(", "));
        self
    }

    /// The same as another type.
    pub(super) fn typed(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    /// An answer that goes on: each piece is sent as it comes.
    pub(super) fn stream(kind: &'static str, pieces: impl Stream<Item = String> + Send + 'static) -> Self {
        let frames = pieces.map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
        Self { status: 200, kind, body: BodyExt::boxed_unsync(StreamBody::new(frames)), warning: None }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache, private"));
        if let Some(warning) = self.warning.and_then(|w| header::HeaderValue::from_str(&w).ok()) {
            headers.insert(header::WARNING, warning);
        }
        response
    }
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).boxed_unsync()
}
