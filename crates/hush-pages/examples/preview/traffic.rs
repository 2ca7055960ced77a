//! Somebody who asks the models that are served.

use std::time::Duration;

use hush_serving::{DataType, Identity, InferRequest, Service, Tensor, TensorData};

/// Asks `simple` for sums, sometimes wrongly, for ever.
pub(crate) async fn ask(service: Service) {
    let identity = Identity::local();
    for count in 0_u64.. {
        let tensor = |name: &str| Tensor {
            name: name.into(),
            data_type: DataType::Int32,
            shape: vec![1, 16],
            data: TensorData::Numbers([1_i32.to_le_bytes(); 16].concat().into()),
        };
        let inputs = if count % 40 == 7 {
            Vec::new()
        } else {
            vec![tensor("INPUT0"), tensor("INPUT1")]
        };
        let request = InferRequest {
            model: "simple".into(),
            inputs,
            ..InferRequest::default()
        };
        let _ = service.infer(&identity, request).await;
        // Busier and quieter, in turn.
        let pause = 60.0 + 50.0 * (count as f64 / 90.0).sin();
        tokio::time::sleep(Duration::from_millis(pause as u64)).await;
    }
}
