//! OpenTelemetry's spans: as protobuf, which they come in, and as JSON, which they are kept and given back in.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost_grpc::{Message, Oneof};
use serde_json::{Value as Json, json};

use crate::store::NewSpan;

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
pub(super) struct Export {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<Resource>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
struct Resource {
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<Scope>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
struct Scope {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
pub(super) struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(string, tag = "3")]
    trace_state: String,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(fixed64, tag = "8")]
    end: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Attribute>,
    #[prost(message, repeated, tag = "11")]
    events: Vec<Event>,
    #[prost(message, repeated, tag = "13")]
    links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
struct Event {
    #[prost(fixed64, tag = "1")]
    time: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "3")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
struct Link {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    attributes: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
struct AnyValue {
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6, 7")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
#[prost(prost_path = "prost_grpc")]
enum Kind {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Truth(bool),
    #[prost(int64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Real(f64),
    #[prost(message, tag = "5")]
    List(List),
    #[prost(message, tag = "6")]
    Object(Attributes),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
struct List {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "prost_grpc")]
struct Attributes {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Attribute>,
}

impl Export {
    pub(super) fn spans(&self) -> impl Iterator<Item = &Span> {
        self.resources
            .iter()
            .flat_map(|resource| &resource.scopes)
            .flat_map(|scope| &scope.spans)
    }
}

/// A span as it is kept; `None` if its numbers have other lengths than they must.
pub(super) fn new_span(span: &Span) -> Option<NewSpan> {
    const MILLISECOND: u64 = 1_000_000;
    if span.trace_id.len() != 16 || span.span_id.len() != 8 {
        return None;
    }
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let milliseconds =
        |nanoseconds: u64| i64::try_from(nanoseconds / MILLISECOND).unwrap_or(i64::MAX);
    let status = span.status.clone().unwrap_or_default();
    let given = span
        .attributes
        .iter()
        .find(|attribute| attribute.key == "mlflow.traceRequestId");
    let given = given.and_then(|attribute| match attribute.value.as_ref()?.kind.as_ref()? {
        // The client writes values of attributes as JSON.
        Kind::Text(text) => Some(serde_json::from_str(text).unwrap_or_else(|_| text.clone())),
        _ => None,
    });
    Some(NewSpan {
        trace_id: given.unwrap_or_else(|| format!("tr-{}", hex(&span.trace_id))),
        span_id: hex(&span.span_id),
        name: span.name.clone(),
        root: span.parent_span_id.is_empty(),
        started: milliseconds(span.start),
        ended: milliseconds(span.end.max(span.start)),
        failed: status.code == 2,
        body: body(span, &status),
    })
}

fn body(span: &Span, status: &Status) -> Json {
    let event = |event: &Event| json!({"time_unix_nano": event.time, "name": event.name, "attributes": attributes(&event.attributes)});
    let link = |link: &Link| {
        json!({
            "trace_id": STANDARD.encode(&link.trace_id), "span_id": STANDARD.encode(&link.span_id),
            "attributes": attributes(&link.attributes),
        })
    };
    let mut body = json!({
        "trace_id": STANDARD.encode(&span.trace_id),
        "span_id": STANDARD.encode(&span.span_id),
        "name": span.name,
        "start_time_unix_nano": span.start,
        "end_time_unix_nano": span.end,
        "attributes": attributes(&span.attributes),
        "status": {"code": match status.code { 1 => "STATUS_CODE_OK", 2 => "STATUS_CODE_ERROR", _ => "STATUS_CODE_UNSET" }},
    });
    if !status.message.is_empty() {
        body["status"]["message"] = status.message.clone().into();
    }
    if !span.parent_span_id.is_empty() {
        body["parent_span_id"] = STANDARD.encode(&span.parent_span_id).into();
    }
    if !span.trace_state.is_empty() {
        body["trace_state"] = span.trace_state.clone().into();
    }
    if span.kind != 0 {
        body["kind"] = span.kind.into();
    }
    if !span.events.is_empty() {
        body["events"] = span.events.iter().map(event).collect();
    }
    if !span.links.is_empty() {
        body["links"] = span.links.iter().map(link).collect();
    }
    body
}

fn attributes(attributes: &[Attribute]) -> Json {
    let attribute = |attribute: &Attribute| json!({"key": attribute.key, "value": value(attribute.value.as_ref())});
    attributes.iter().map(attribute).collect()
}

fn value(any: Option<&AnyValue>) -> Json {
    match any.and_then(|any| any.kind.as_ref()) {
        None => json!({}),
        Some(Kind::Text(text)) => json!({"string_value": text}),
        Some(Kind::Truth(truth)) => json!({"bool_value": truth}),
        Some(Kind::Integer(number)) => json!({"int_value": number}),
        Some(Kind::Real(number)) => json!({"double_value": number}),
        Some(Kind::Bytes(bytes)) => json!({"bytes_value": STANDARD.encode(bytes)}),
        Some(Kind::List(list)) => {
            let values: Vec<Json> = list.values.iter().map(|any| value(Some(any))).collect();
            json!({"array_value": {"values": values}})
        }
        Some(Kind::Object(object)) => {
            json!({"kvlist_value": {"values": attributes(&object.values)}})
        }
    }
}
