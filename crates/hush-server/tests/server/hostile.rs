//! Callers that mean harm: each gets an error or nothing, and the server answers the others.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::support::Running;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use hush_serving::protocol::inference::ModelInferRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::codec::CompressionEncoding;

async fn still_answers(server: &Running) {
    assert_eq!(server.get("/v2/health/ready").await.status, StatusCode::OK);
}

/// What comes back until the server closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn oversized_bodies_are_refused() {
    let server = Running::start(&[("max-message", "1 MiB")]).await;
    let path = "/v2/models/simple/infer";
    let answer = server.post(path, vec![b' '; 2 << 20]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    // Announced only.
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999999\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    let mut client = server.inference().await;
    let request = ModelInferRequest {
        raw_input_contents: vec![vec![0; 2 << 20].into()],
        ..ModelInferRequest::default()
    };
    let refused = client.model_infer(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    still_answers(&server).await;
}

#[tokio::test]
async fn bodies_together_are_bounded() {
    let server = Running::start(&[("body-memory", "1 MiB")]).await;
    let answer = server
        .post("/v2/models/simple/infer", vec![b' '; 2 << 20])
        .await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers["retry-after"], "1");
    let mut client = server.inference().await;
    let request = ModelInferRequest {
        raw_input_contents: vec![vec![0; 2 << 20].into()],
        ..ModelInferRequest::default()
    };
    let refused = client.model_infer(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    assert!(refused.metadata().contains_key("grpc-retry-pushback-ms"));
    still_answers(&server).await;
}

#[tokio::test]
async fn decompression_bombs_stop_at_the_limit() {
    let server = Running::start(&[("max-decompressed", "1 MiB")]).await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..100 {
        encoder.write_all(&[b' '; 1 << 20]).unwrap();
    }
    let request = server
        .request(Method::POST, "/v2/models/simple/infer")
        .header("content-encoding", "gzip")
        .body(encoder.finish().unwrap().into());
    let answer = server.send(request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let mut client = server
        .inference()
        .await
        .send_compressed(CompressionEncoding::Gzip);
    let request = ModelInferRequest {
        raw_input_contents: vec![vec![0; 100 << 20].into()],
        ..ModelInferRequest::default()
    };
    let refused = client.model_infer(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused:?}");
    still_answers(&server).await;
}

#[tokio::test]
async fn slow_headers_are_cut_off() {
    let server = Running::start(&[("header-timeout", "300ms"), ("idle-timeout", "300ms")]).await;
    for (address, start) in [
        (server.http, &b"GET /v2 HTT"[..]),
        (server.http, b""),
        (server.grpc, b""),
        (server.grpc, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ] {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(start).await.unwrap();
        rest(stream).await;
        let elapsed = begun.elapsed();
        assert!(elapsed < Duration::from_secs(7), "{start:?}: {elapsed:?}");
    }
    still_answers(&server).await;
}

#[tokio::test]
async fn slow_bodies_are_cut_off() {
    let server = Running::start(&[("body-timeout", "300ms")]).await;
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    let head =
        "POST /v2/models/simple/infer HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(stream).await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert!(answer.ends_with("{\"error\":\"the request's body did not arrive in time\"}"));
    still_answers(&server).await;
}

#[tokio::test]
async fn large_headers_are_refused() {
    let server = Running::start(&[("max-header", "8 KiB")]).await;
    let mut stream = TcpStream::connect(server.http).await.unwrap();
    let head = format!(
        "GET /v2 HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let _ = stream.write_all(head.as_bytes()).await;
    let answer = rest(stream).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    still_answers(&server).await;
}

#[tokio::test]
async fn idle_connections_are_bounded() {
    let server = Running::start(&[("connections", "50"), ("connections-per-address", "40")]).await;
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(TcpStream::connect(server.grpc).await.unwrap());
    }
    let mut closed = 0;
    for stream in &mut idle {
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_millis(5), stream.read(&mut byte)).await;
        closed += usize::from(read.is_ok());
    }
    assert_eq!(closed, 960);
    // The other listener counts for itself.
    still_answers(&server).await;
    drop(idle);
    let mut tries = 0;
    while server.inference_or_error().await.is_err() {
        tries += 1;
        assert!(tries < 100, "connections are not let in again");
    }
}

/// A crowd that holds connections open and says nothing, or a byte now and then, while others are served.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_idlers_keeps_nobody_waiting() {
    /// Each takes two files, one for either end.
    const CROWD: usize = 2_000;
    const PLACES: usize = 2_100;
    let places = PLACES.to_string();
    let server = Running::start(&[
        ("connections", &places),
        ("connections-per-address", &places),
        ("header-timeout", "2s"),
        ("idle-timeout", "2s"),
        ("body-timeout", "2s"),
    ])
    .await;
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let address = [server.http, server.grpc][number % 2];
        let mut stream = TcpStream::connect(address).await.unwrap();
        let start: &[u8] = match number % 6 {
            0 => b"",
            1 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            2 => b"GET /v2 HT",
            3 => b"PRI * HTTP",
            4 => b"POST /v2/models/simple/infer HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{",
            _ => b"",
        };
        stream.write_all(start).await.unwrap();
        crowd.push(stream);
    }
    // Those that talk at all talk slowly, until they are cut off.
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let slow = tokio::spawn(async move {
        let mut pulse = tokio::time::interval(Duration::from_millis(200));
        while stopped.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
            pulse.tick().await;
            for stream in crowd.iter_mut().skip(2).step_by(6) {
                let _ = stream.try_write(b"x");
            }
        }
        crowd
    });
    let numbers: Vec<String> = (0..16).map(|number| number.to_string()).collect();
    let input = |name: &str| {
        let numbers = numbers.join(",");
        format!(r#"{{"name":"{name}","shape":[1,16],"datatype":"INT32","data":[{numbers}]}}"#)
    };
    let body = format!(r#"{{"inputs":[{},{}]}}"#, input("INPUT0"), input("INPUT1"));
    let mut slowest = Duration::ZERO;
    for _ in 0..200 {
        let begun = Instant::now();
        let answer = server.post("/v2/models/simple/infer", body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        slowest = slowest.max(begun.elapsed());
    }
    server.inference().await;
    println!("slowest of 200 requests beside {CROWD} idle connections: {slowest:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    // All of them are cut off, whatever they do.
    let _ = stop.send(());
    let begun = Instant::now();
    let everybody = async {
        for stream in slow.await.unwrap() {
            rest(stream).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), everybody).await;
    assert!(waited.is_ok(), "some idlers are still there");
    println!("all of them cut off after {:?}", begun.elapsed());
    still_answers(&server).await;
}

#[tokio::test]
async fn names_lead_nowhere() {
    let server = Running::start(&[]).await;
    for name in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "..%5c..%5cwindows",
        ".hidden",
        "a%00b",
        "%0d%0ax:y",
        &"a".repeat(5000),
    ] {
        for path in [
            format!("/v2/models/{name}"),
            format!("/v2/models/simple/versions/{name}"),
            format!("/v1/models/{name}/client"),
            format!("/v1/keys/{name}"),
        ] {
            let answer = server.get(&path).await;
            let status = answer.status.as_u16();
            assert!((400..500).contains(&status), "{path}: {answer:?}");
            answer.error();
        }
        let load = format!("/v2/repository/models/{name}/load");
        let answer = server.post(&load, "").await;
        assert!(answer.status.is_client_error(), "{load}: {answer:?}");
    }
    still_answers(&server).await;
}

#[tokio::test]
async fn uploads_that_lie_are_refused() {
    let server = Running::start(&[]).await;
    let path = "/v1/keys/00112233445566778899aabbccddeeff";
    let put = |range: &str, body: Vec<u8>| {
        let request = server
            .request(Method::PUT, path)
            .header("content-range", range)
            .body(Body::from(body));
        server.send(request.unwrap())
    };
    for (range, length) in [
        ("bytes 0-9/100", 5),
        ("bytes 0-9/100", 500),
        ("bytes 50-59/100", 10),
        ("bytes 0-9/99999999999999", 10),
        ("bytes 9-0/100", 10),
        ("nonsense", 10),
    ] {
        let answer = put(range, vec![0; length]).await;
        assert!(answer.status.is_client_error(), "{range}: {answer:?}");
        answer.error();
    }
    still_answers(&server).await;
}

#[tokio::test]
async fn noise_is_survived() {
    let server = Running::start(&[("header-timeout", "1s")]).await;
    let mut state = 0x1234_5678_9abc_def0_u64;
    for round in 0..50 {
        let address = if round % 2 == 0 {
            server.http
        } else {
            server.grpc
        };
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut noise = Vec::new();
        if round % 4 == 1 {
            noise.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        }
        for _ in 0..200 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise.extend_from_slice(&state.to_le_bytes());
        }
        let _ = stream.write_all(&noise).await;
        drop(stream);
    }
    still_answers(&server).await;
    server.inference().await;
}
