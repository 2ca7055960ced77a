//! Tiny models, users with keys, and a service over a temporary folder.
#![allow(dead_code)] // Each test file uses its own part.

mod square;

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hush_client::Tensor as Numbers;
use hush_keys::{SecretKey, SecureRng};
use hush_program::ClientSpec;
use hush_serving::{
    CIPHERTEXTS, DataType, Identity, InferRequest, InferResponse, KeyState, KeyStatus, KeyStore,
    ModelPermission, Role, Service, ServiceOptions, ServingError, Tensor, TensorData,
};
use hush_wire::program::{ClientSpecV1, ModelV1};
use hush_wire::{Kind, write_message};

pub(crate) use square::Square;

/// A service over a temporary folder, which goes with it.
pub(crate) struct Sandbox {
    pub(crate) folder: tempfile::TempDir,
}

/// Somebody with a secret key.
pub(crate) struct User {
    pub(crate) identity: Identity,
    pub(crate) spec: ClientSpec,
    pub(crate) key: SecretKey,
    /// The file of evaluation keys.
    pub(crate) evaluation: Bytes,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        Self { folder }
    }

    /// With `square.model`.
    pub(crate) fn with_square() -> (Self, ClientSpec) {
        let sandbox = Self::new();
        let spec = sandbox.write("square.model", &Square::default());
        (sandbox, spec)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a model below `models`.
    pub(crate) fn write(&self, name: &str, model: &Square) -> ClientSpec {
        let path = self.path("models").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_model(&path, model)
    }

    pub(crate) fn options(&self) -> ServiceOptions {
        let mut options = ServiceOptions {
            models: vec![self.path("models")],
            ..ServiceOptions::default()
        };
        options.keys.folder = self.path("keys");
        options
    }

    pub(crate) fn service(&self) -> Service {
        Service::open(self.options()).unwrap()
    }
}

impl User {
    pub(crate) fn new(name: &str, spec: &ClientSpec) -> Self {
        let mut rng = SecureRng::from_os().unwrap();
        let key = hush_client::generate_secret_key(spec, &mut rng).unwrap();
        let file = Vec::new();
        let file = hush_client::write_evaluation_keys(spec, &key, &mut rng, file, &mut |_, _| ());
        Self {
            identity: identity(name),
            spec: spec.clone(),
            key,
            evaluation: file.unwrap().into(),
        }
    }

    pub(crate) fn key_id(&self) -> String {
        let id = self.key.key_id().0;
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) async fn upload(&self, service: &Service) {
        let status = self.try_upload(service.keys()).await.unwrap();
        assert_eq!(status.state, KeyState::Complete);
    }

    pub(crate) async fn try_upload(&self, keys: &KeyStore) -> Result<KeyStatus, ServingError> {
        upload(keys, &self.identity, &self.key_id(), 0, &self.evaluation).await
    }

    pub(crate) fn encrypt(&self, values: &[f64]) -> Bytes {
        let mut rng = SecureRng::from_os().unwrap();
        let input = Numbers::new(vec![values.len() / 3, 3], values.to_vec()).unwrap();
        let file = Vec::new();
        let encrypted = hush_client::encrypt(
            &self.spec,
            &[input],
            &self.key,
            &mut rng,
            file,
            &mut |_, _| (),
        );
        encrypted.unwrap().0.into()
    }

    pub(crate) fn decrypt(&self, response: &InferResponse) -> Vec<f64> {
        let [output] = &response.outputs[..] else {
            panic!("one output");
        };
        assert_eq!(
            (&*output.name, output.data_type, &*output.shape),
            (CIPHERTEXTS, DataType::Bytes, &[1][..])
        );
        let TensorData::Strings(strings) = &output.data else {
            panic!("a byte string");
        };
        let tensors =
            hush_client::decrypt(&self.spec, &self.key, &strings[0][..], &mut |_, _| ()).unwrap();
        tensors[0].data().to_vec()
    }

    /// Asks for a prediction and checks it.
    pub(crate) async fn predict(&self, service: &Service, model: &str, constant: f64) {
        let values = [0.5, -1.0, 0.0, 1.5, 0.25, 1.0];
        let request = request(model, self.encrypt(&values));
        let response = service.infer(&self.identity, request).await.unwrap();
        self.check(&response, &values, constant);
    }

    pub(crate) fn check(&self, response: &InferResponse, values: &[f64], constant: f64) {
        let found = self.decrypt(response);
        assert_eq!(found.len(), values.len());
        for (found, value) in found.iter().zip(values) {
            let expected = value * value + constant;
            assert!((found - expected).abs() < 1e-2, "{found} for {expected}");
        }
    }
}

pub(crate) fn identity(name: &str) -> Identity {
    Identity {
        name: name.into(),
        roles: [Role::Predict, Role::UploadKeys].into(),
        models: ModelPermission::All,
    }
}

pub(crate) fn request(model: &str, file: Bytes) -> InferRequest {
    InferRequest {
        model: model.to_owned(),
        id: "7".to_owned(),
        inputs: vec![ciphertexts(file)],
        ..InferRequest::default()
    }
}

pub(crate) fn ciphertexts(file: Bytes) -> Tensor {
    Tensor {
        name: CIPHERTEXTS.to_owned(),
        data_type: DataType::Bytes,
        shape: vec![1],
        data: TensorData::Strings(vec![file]),
    }
}

/// Uploads what is left from `offset` on, in chunks as they come from a network.
pub(crate) async fn upload(
    keys: &KeyStore,
    identity: &Identity,
    id: &str,
    offset: usize,
    file: &Bytes,
) -> Result<KeyStatus, ServingError> {
    let total = file.len() as u64;
    let mut upload = keys.begin(identity, id, offset as u64, total).await?;
    for start in (offset..file.len()).step_by(50_000) {
        let chunk = file.slice(start..file.len().min(start + 50_000));
        upload.write(chunk).await?;
    }
    upload.finish().await
}

pub(crate) fn write_model(path: &Path, model: &Square) -> ClientSpec {
    let (program, client_spec) = model.compiled();
    let stored = ModelV1 {
        program: (&program).into(),
        client_spec: ClientSpecV1::from(&client_spec),
        report_text: "a report".to_owned(),
        report_json: "{}".to_owned(),
    };
    let mut file = Vec::new();
    write_message(&mut file, Kind::Model, &stored).unwrap();
    fs::write(path, file).unwrap();
    client_spec
}
