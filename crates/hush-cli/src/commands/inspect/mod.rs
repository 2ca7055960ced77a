//! `hush inspect`: what a file holds, in words. Reads no secret.

mod html;

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use hush_client::describe;
use hush_program::{ClientSpec, ParameterSpec, Program};
use hush_wire::program::{ClientSpecV1, ModelV1};
use hush_wire::{
    CiphertextsHeaderV1, CiphertextsReader, DirectionV1, EvaluationKeysHeaderV1,
    EvaluationKeysReader, Kind, MAGIC, ParametersV1, ProtectionV1, Reader, read_message,
    read_secret_key,
};
use serde_json::{Value, json};

use crate::arrays::{self, Format};
use crate::failure::{Failure, Result};
use crate::files::{about, open};
use crate::terminal::{Outcome, Terminal, bytes, hexadecimal};

/// Say what a file holds, and check that it is whole
#[derive(Args, Debug)]
pub(crate) struct InspectArguments {
    /// Any file that hush reads or writes, an ONNX model, or an array
    file: PathBuf,
    /// Print every instruction of a model
    #[arg(long)]
    program: bool,
    /// Write a page that shows a model as a picture: layers, layouts, levels, time and error
    #[arg(long, conflicts_with = "program")]
    html: bool,
    /// Where the page goes [default: beside the model]
    #[arg(short, long, value_name = "FILE", requires = "html")]
    output: Option<PathBuf>,
    /// Times of a run, from `hush run --timings`, shown beside the predicted ones
    #[arg(long, value_name = "FILE", requires = "html")]
    timings: Option<PathBuf>,
}

pub(crate) fn run(arguments: &InspectArguments, _: Terminal) -> Result<Outcome> {
    let path = &arguments.file;
    if arguments.html {
        return html::write(
            path,
            arguments.output.as_deref(),
            arguments.timings.as_deref(),
        );
    }
    let mut start = [0; 4];
    let begins = open(path).and_then(|mut file| {
        let read = file.by_ref().take(4).read(&mut start)?;
        Ok(read == 4 && start == MAGIC)
    });
    let outcome = if about("file", path, begins)? {
        inspect_envelope(path, arguments.program)
    } else if path
        .extension()
        .is_some_and(|extension| extension == "onnx")
    {
        inspect_onnx(path)
    } else if Format::of(path).is_ok() {
        inspect_arrays(path)
    } else {
        let kind = open(path).and_then(|file| Ok(Reader::open_any(file)?.envelope().kind));
        kind.and_then(|kind| Err(Failure::new(format!("{kind} cannot be printed")).into()))
    };
    about("file", path, outcome)
}

fn inspect_envelope(path: &Path, program: bool) -> Result<Outcome> {
    let envelope = Reader::open_any(open(path)?)?.envelope();
    let mut outcome = match envelope.kind {
        Kind::Model => inspect_model(path, program)?,
        Kind::Client => inspect_client(path)?,
        Kind::SecretKey => inspect_secret_key(path)?,
        Kind::EvaluationKeys => {
            let reader = EvaluationKeysReader::open(open(path)?)?;
            check_whole(path)?;
            inspect_evaluation_keys(reader.header())
        }
        Kind::Ciphertexts => {
            let reader = CiphertextsReader::open(open(path)?)?;
            check_whole(path)?;
            inspect_ciphertexts(reader.header())
        }
        kind => return Err(Failure::new(format!("{kind} cannot be printed")).into()),
    };
    let length = envelope.file_length();
    outcome.text = format!(
        "{} (format {}), {}, checksum matches\n{}",
        envelope.kind,
        envelope.version,
        bytes(length),
        outcome.text
    );
    if let Value::Object(object) = &mut outcome.json {
        object.insert("kind".to_owned(), json!(envelope.kind.name()));
        object.insert("format".to_owned(), json!(envelope.version));
        object.insert("bytes".to_owned(), json!(length));
    }
    Ok(outcome)
}

/// Reads all of a file for its checksum.
fn check_whole(path: &Path) -> Result<()> {
    let mut reader = Reader::open_any(open(path)?)?;
    reader.skip_rest()?;
    Ok(reader.finish()?)
}

fn inspect_model(path: &Path, print_program: bool) -> Result<Outcome> {
    let stored: ModelV1 = read_message(open(path)?, Kind::Model)?;
    let program = Program::try_from(stored.program)?;
    let spec = ClientSpec::try_from(stored.client_spec)?;
    let mut text = stored.report_text;
    if print_program {
        text = format!("{}\n\n{program}", text.trim_end());
    }
    let report: Value = serde_json::from_str(&stored.report_json).unwrap_or(Value::Null);
    Ok(Outcome {
        text: text.trim_end().to_owned(),
        json: json!({ "client": client_json(&spec), "report": report }),
    })
}

fn inspect_client(path: &Path) -> Result<Outcome> {
    let stored: ClientSpecV1 = read_message(open(path)?, Kind::Client)?;
    let spec = ClientSpec::try_from(stored)?;
    Ok(Outcome {
        text: spec.to_string().trim_end().to_owned(),
        json: client_json(&spec),
    })
}

fn inspect_secret_key(path: &Path) -> Result<Outcome> {
    let (header, _) = read_secret_key(open(path)?)?;
    Ok(Outcome {
        text: describe::secret_key(&header),
        json: json!({
            "key_id": hexadecimal(&header.key_id),
            "passphrase": header.protection != ProtectionV1::None,
            "parameters": parameters_json(&header.parameters),
        }),
    })
}

fn inspect_evaluation_keys(header: &EvaluationKeysHeaderV1) -> Outcome {
    let keys = header
        .keys
        .iter()
        .map(|key| json!({ "switch": describe::switch(key.switch), "level": key.limbs - 1 }));
    Outcome {
        text: describe::evaluation_keys(header),
        json: json!({
            "key_id": hexadecimal(&header.key_id),
            "parameters": parameters_json(&header.parameters),
            "keys": keys.collect::<Vec<_>>(),
        }),
    }
}

fn inspect_ciphertexts(header: &CiphertextsHeaderV1) -> Outcome {
    let direction = match header.direction {
        DirectionV1::Input => "inputs",
        DirectionV1::Output => "outputs",
    };
    Outcome {
        text: describe::ciphertexts(header),
        json: json!({
            "direction": direction,
            "program_id": hexadecimal(&header.program_id),
            "key_id": hexadecimal(&header.key_id),
            "samples": header.samples,
            "ciphertexts": header.shapes.len(),
            "parameters": parameters_json(&header.parameters),
        }),
    }
}

fn inspect_onnx(path: &Path) -> Result<Outcome> {
    let graph = hush_onnx::import(path)?;
    let inputs = graph.inputs().iter().map(|&id| {
        let value = graph.value(id);
        json!({ "name": value.name, "shape": value.shape.dimensions() })
    });
    Ok(Outcome {
        text: graph.to_string().trim_end().to_owned(),
        json: json!({
            "kind": "onnx",
            "name": graph.name(),
            "inputs": inputs.collect::<Vec<_>>(),
            "nodes": graph.nodes().len(),
            "outputs": graph.outputs().iter().map(|output| &output.name).collect::<Vec<_>>(),
        }),
    })
}

fn inspect_arrays(path: &Path) -> Result<Outcome> {
    let mut lines = Vec::new();
    let mut objects = Vec::new();
    for array in arrays::read(path)? {
        let name = array.name.unwrap_or_else(|| "array".to_owned());
        let shape = array.tensor.shape();
        let data = array.tensor.data();
        let (low, high) = data
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
                (low.min(value), high.max(value))
            });
        let finite = data.iter().all(|value| value.is_finite());
        let note = if finite {
            ""
        } else {
            ", holds NaN or infinities"
        };
        lines.push(format!("{name} {shape:?}, {low} to {high}{note}"));
        objects.push(json!({ "name": name, "shape": shape, "finite": finite }));
    }
    Ok(Outcome {
        text: lines.join("\n"),
        json: json!({ "kind": "arrays", "arrays": objects }),
    })
}

fn client_json(spec: &ClientSpec) -> Value {
    let tensors = |tensors: &[hush_program::TensorSpec]| {
        let objects = tensors.iter().map(|tensor| {
            json!({
                "name": tensor.name,
                "shape": tensor.shape,
                "ciphertexts": tensor.ciphertexts,
            })
        });
        objects.collect::<Vec<_>>()
    };
    json!({
        "name": spec.name,
        "program_id": hexadecimal(&spec.program_id),
        "parameters": parameters_json(&parameters_of(&spec.parameters)),
        "slots": spec.slots,
        "inputs": tensors(&spec.inputs),
        "outputs": tensors(&spec.outputs),
        "samples_per_group": spec.packing.samples,
        "rotation_keys": spec.keys.rotations.len(),
        "relinearization_key": spec.keys.relinearization.is_some(),
    })
}

fn parameters_of(spec: &ParameterSpec) -> ParametersV1 {
    ParametersV1 {
        log_degree: spec.log_degree,
        moduli: spec.moduli.clone(),
        special_moduli: spec.special_moduli.clone(),
    }
}

fn parameters_json(parameters: &ParametersV1) -> Value {
    let (log_q_p, security) = describe::security_of(parameters);
    json!({
        "log_degree": parameters.log_degree,
        "moduli": parameters.moduli,
        "special_moduli": parameters.special_moduli,
        "log2_q_p": log_q_p,
        "security_bits": security,
    })
}
