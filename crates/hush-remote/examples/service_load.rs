//! Load on a server: requests a second and what callers wait, as one line of JSON.
//!
//! - `service_load grpc HOST:PORT CONNECTIONS SECONDS`: the demo model `simple`, two rows of 16 integers, over gRPC;
//! - `service_load rest HOST:PORT CONNECTIONS SECONDS`: the same as JSON over HTTP/1.1;
//! - either with a MODEL and its INPUT's name at the end: that model of any server, on one row of 30 floats;
//! - `service_load users URL MODEL USERS SECONDS INPUTS.csv EXPECTED.csv TOLERANCE`: so many data owners, each with a key
//!   of its own, one encrypted sample a request, every answer decrypted and compared;
//! - `service_load process FILE.model USERS SECONDS INPUTS.csv EXPECTED.csv TOLERANCE`: the same work without a server: on
//!   each core somebody who encrypts, runs and decrypts for one user after the other.

extern crate prost_grpc as prost;

#[allow(missing_docs, dead_code, unreachable_pub, clippy::all)]
mod inference {
    tonic::include_proto!("inference");
}

use std::error::Error;
use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hush_ckks::EvaluationKeys;
use hush_client::{
    Tensor, decrypt, encrypt, finish_outputs, generate_secret_key, write_evaluation_keys,
};
use hush_keys::{SecretKey, SecureRng};
use hush_remote::{ConnectOptions, Connection, PredictOptions, Session};
use hush_runtime::{Deployment, Inputs, Model, Options};
use hush_wire::EvaluationKeysReader;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use inference::grpc_inference_service_client::GrpcInferenceServiceClient;
use inference::model_infer_request::InferInputTensor;
use inference::{InferTensorContents, ModelInferRequest};
use serde_json::{Value, json};
use tonic::transport::Endpoint;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let report = match arguments[..] {
        [
            protocol @ ("grpc" | "rest"),
            address,
            connections,
            seconds,
            ref model @ ..,
        ] => {
            let question = match *model {
                [] => Question::simple(),
                [model, input] => Question::floats(model, input),
                _ => return Err("a model is named together with its input".into()),
            };
            let (connections, seconds) = (connections.parse()?, seconds.parse()?);
            overhead(protocol == "grpc", address, connections, seconds, &question)?
        }
        ["users", url, model, ref users @ ..] => {
            let users = Users::new(users)?;
            let folder = tempfile::tempdir()?;
            users.report(users.count, |user| {
                let session = open(url, model, &folder.path().join(user.to_string()))?;
                Ok(move |_, sample| {
                    let options = PredictOptions::default();
                    let mut silent = |_| ControlFlow::Continue(());
                    Ok(session.predict(vec![sample], &options, &mut silent)?)
                })
            })?
        }
        ["process", model, ref users @ ..] => {
            let users = Users::new(users)?;
            let deployment = Deployment::new(Model::read(File::open(model)?)?, Options::default())?;
            let cores = std::thread::available_parallelism()?.get().min(users.count);
            users.report(cores, |core| {
                let mine = (core..users.count).step_by(cores);
                let mut mine = mine
                    .map(|_| User::new(&deployment))
                    .collect::<Outcome<Vec<_>>>()?;
                let deployment = &deployment;
                Ok(move |turn: usize, sample| {
                    let count = mine.len();
                    mine[turn % count].predict(deployment, sample)
                })
            })?
        }
        _ => return Err("see the first lines of the source for the arguments".into()),
    };
    println!("{report}");
    Ok(())
}

/// Requests a second and quantiles of the milliseconds that callers waited.
fn summary(mut waits: Vec<f64>, elapsed: Duration) -> Value {
    waits.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let last = waits.len().saturating_sub(1);
        waits.get((q * last as f64).round() as usize).copied()
    };
    json!({
        "requests": waits.len(),
        "requests_per_second": waits.len() as f64 / elapsed.as_secs_f64(),
        "p50_ms": quantile(0.5),
        "p99_ms": quantile(0.99),
        "largest_ms": waits.last(),
    })
}

/// What is asked again and again.
#[derive(Clone)]
struct Question {
    grpc: ModelInferRequest,
    path: String,
    json: Bytes,
    /// The sums that `simple` answers.
    sums: Option<[i32; 16]>,
}

const ROW: [i32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

impl Question {
    fn simple() -> Self {
        let contents = InferTensorContents {
            int_contents: ROW.to_vec(),
            ..InferTensorContents::default()
        };
        let mut question = Self::new(
            "simple",
            &["INPUT0", "INPUT1"],
            "INT32",
            16,
            contents,
            &json!(ROW),
        );
        question.sums = Some(ROW.map(|x| 2 * x));
        question
    }

    fn floats(model: &str, input: &str) -> Self {
        let row = [0.5f32; 30];
        let contents = InferTensorContents {
            fp32_contents: row.to_vec(),
            ..InferTensorContents::default()
        };
        Self::new(model, &[input], "FP32", 30, contents, &json!(row.to_vec()))
    }

    fn new(
        model: &str,
        inputs: &[&str],
        datatype: &str,
        length: i64,
        contents: InferTensorContents,
        data: &Value,
    ) -> Self {
        let tensor = |name: &&str| InferInputTensor {
            name: (*name).to_owned(),
            datatype: datatype.to_owned(),
            shape: vec![1, length],
            contents: Some(contents.clone()),
            ..InferInputTensor::default()
        };
        let text = |name: &&str| json!({ "name": name, "datatype": datatype, "shape": [1, length], "data": data });
        let text = json!({ "inputs": inputs.iter().map(text).collect::<Vec<_>>() });
        Self {
            grpc: ModelInferRequest {
                model_name: model.to_owned(),
                inputs: inputs.iter().map(tensor).collect(),
                ..ModelInferRequest::default()
            },
            path: format!("/v2/models/{model}/infer"),
            json: Bytes::from(text.to_string()),
            sums: None,
        }
    }
}

fn overhead(
    grpc: bool,
    address: &str,
    connections: usize,
    seconds: f64,
    question: &Question,
) -> Outcome<Value> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let time = Duration::from_secs_f64(seconds);
        let begun = Instant::now();
        let callers: Vec<_> = (0..connections)
            .map(|_| {
                let (address, question) = (address.to_owned(), question.clone());
                tokio::spawn(async move {
                    if grpc {
                        ask_grpc(&address, &question, time).await
                    } else {
                        ask_rest(&address, &question, time).await
                    }
                })
            })
            .collect();
        let mut waits = Vec::new();
        for caller in callers {
            waits.extend(caller.await??);
        }
        Ok(summary(waits, begun.elapsed()))
    })
}

async fn ask_grpc(address: &str, question: &Question, time: Duration) -> Outcome<Vec<f64>> {
    let channel = Endpoint::from_shared(format!("http://{address}"))?
        .connect()
        .await?;
    let mut client = GrpcInferenceServiceClient::new(channel);
    let (begun, mut waits) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let request = question.grpc.clone();
        let sent = Instant::now();
        let answer = client.model_infer(request).await?.into_inner();
        waits.push(1e3 * sent.elapsed().as_secs_f64());
        let output = answer.outputs.first().ok_or("no output")?;
        let numbers = output.contents.as_ref().map(|c| c.int_contents.as_slice());
        if let Some(sums) = &question.sums
            && numbers != Some(sums)
        {
            return Err(format!("wrong sum: {answer:?}").into());
        }
    }
    Ok(waits)
}

async fn ask_rest(address: &str, question: &Question, time: Duration) -> Outcome<Vec<f64>> {
    let stream = tokio::net::TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (begun, mut waits) = (Instant::now(), Vec::new());
    while begun.elapsed() < time {
        let request = Request::post(&question.path)
            .header("host", address)
            .header("content-type", "application/json")
            .body(Full::new(question.json.clone()))?;
        let sent = Instant::now();
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let answer = answer.into_body().collect().await?.to_bytes();
        waits.push(1e3 * sent.elapsed().as_secs_f64());
        let answer: Value = serde_json::from_slice(&answer)?;
        let data = &answer["outputs"][0]["data"];
        if !status.is_success() || question.sums.is_some_and(|sums| *data != json!(sums)) {
            return Err(format!("wrong answer, {status}: {answer}").into());
        }
    }
    Ok(waits)
}

/// What is asked for, and what must come back.
struct Users {
    count: usize,
    time: Duration,
    inputs: Vec<Vec<f64>>,
    expected: Vec<Vec<f64>>,
    tolerance: f64,
}

impl Users {
    fn new(arguments: &[&str]) -> Outcome<Self> {
        let &[count, seconds, inputs, expected, tolerance] = arguments else {
            return Err("USERS SECONDS INPUTS.csv EXPECTED.csv TOLERANCE".into());
        };
        Ok(Self {
            count: count.parse()?,
            time: Duration::from_secs_f64(seconds.parse()?),
            inputs: table(inputs.as_ref())?,
            expected: table(expected.as_ref())?,
            tolerance: tolerance.parse()?,
        })
    }

    /// So many threads ask again and again, each what `open` makes for it, all from the same moment on.
    fn report<A>(&self, threads: usize, open: impl Fn(usize) -> Outcome<A> + Sync) -> Outcome<Value>
    where
        A: FnMut(usize, Tensor) -> Outcome<Vec<Tensor>> + Send,
    {
        let start = Barrier::new(threads);
        let results: Vec<Outcome<(Vec<f64>, Duration, f64)>> = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads)
                .map(|thread| {
                    let (start, open) = (&start, &open);
                    scope.spawn(move || {
                        // A caller has one thread, as many as there are of them.
                        let own = rayon::ThreadPoolBuilder::new().num_threads(1).build();
                        let asks = open(thread);
                        start.wait();
                        self.ask(thread, asks?, &own?)
                    })
                })
                .collect();
            let joined = handles.into_iter().map(|handle| handle.join());
            joined
                .map(|joined| joined.unwrap_or_else(|_| Err("a user panicked".into())))
                .collect()
        });
        let (mut waits, mut longest, mut largest) = (Vec::new(), Duration::ZERO, 0f64);
        for result in results {
            let (waited, time, error) = result?;
            waits.extend(waited);
            longest = longest.max(time);
            largest = largest.max(error);
        }
        let mut report = summary(waits, longest);
        report["users"] = json!(self.count);
        report["largest_error"] = json!(largest);
        Ok(report)
    }

    /// What each request waited, how long all took, and the largest error; fails at the first wrong answer.
    fn ask(
        &self,
        thread: usize,
        mut asks: impl FnMut(usize, Tensor) -> Outcome<Vec<Tensor>> + Send,
        own: &rayon::ThreadPool,
    ) -> Outcome<(Vec<f64>, Duration, f64)> {
        let (begun, mut waits, mut largest) = (Instant::now(), Vec::new(), 0f64);
        let mut turn = 0;
        while begun.elapsed() < self.time {
            let row = (thread + 1 + turn) % self.inputs.len();
            let (input, expected) = (&self.inputs[row], &self.expected[row]);
            let sample = Tensor::new(vec![1, input.len()], input.clone())?;
            let sent = Instant::now();
            let outputs = own.install(|| asks(turn, sample))?;
            waits.push(1e3 * sent.elapsed().as_secs_f64());
            turn += 1;
            for (output, expected) in outputs[0].data().iter().zip(expected) {
                let error = (output - expected).abs();
                largest = largest.max(error);
                if error.is_nan() || error > self.tolerance {
                    return Err(format!(
                        "caller {thread}, row {row}: {output} where {expected} is right"
                    )
                    .into());
                }
            }
        }
        Ok((waits, begun.elapsed(), largest))
    }
}

fn open(url: &str, model: &str, folder: &Path) -> Outcome<Session> {
    let connection = Connection::open(url, ConnectOptions::default())?;
    let mut silent = |_| ControlFlow::Continue(());
    Ok(connection.model(model)?.keys(folder, None, &mut silent)?)
}

/// A data owner and what the server would keep of one, in one process.
struct User {
    secret: SecretKey,
    keys: EvaluationKeys,
    rng: SecureRng,
}

impl User {
    fn new(deployment: &Deployment) -> Outcome<Self> {
        let spec = deployment.client_spec();
        let mut rng = SecureRng::from_os()?;
        let secret = generate_secret_key(spec, &mut rng)?;
        let file = write_evaluation_keys(spec, &secret, &mut rng, Vec::new(), &mut |_, _| ())?;
        let reader = EvaluationKeysReader::open(&file[..])?;
        let keys = deployment.read_keys(reader, &mut || ())?;
        Ok(Self { secret, keys, rng })
    }

    fn predict(&mut self, deployment: &Deployment, sample: Tensor) -> Outcome<Vec<Tensor>> {
        let spec = deployment.client_spec();
        let (secret, rng) = (&self.secret, &mut self.rng);
        let (file, _) = encrypt(spec, &[sample], secret, rng, Vec::new(), &mut |_, _| ())?;
        let inputs = Inputs::open(spec, &file[..])?;
        let answer = deployment.answer(inputs, &self.keys, Vec::new(), |_| ())?;
        let outputs = decrypt(spec, secret, &answer.output[..], &mut |_, _| ())?;
        Ok(finish_outputs(spec, outputs)?)
    }
}

fn table(path: &Path) -> Outcome<Vec<Vec<f64>>> {
    let text = std::fs::read_to_string(path)?;
    text.lines()
        .map(|line| Ok(line.split(',').map(str::parse).collect::<Result<_, _>>()?))
        .collect()
}
