//! Traces: a span for each request, part of the caller's own trace if it sends one (W3C Trace Context).

#[cfg(feature = "otlp")]
pub(crate) use sent::{Traces, continue_from, layer};
#[cfg(not(feature = "otlp"))]
pub(crate) use unsent::{Traces, continue_from, layer};

#[cfg(feature = "otlp")]
mod sent {
    use axum::http::HeaderMap;
    use opentelemetry::propagation::{Extractor, TextMapPropagator};
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_otlp::{SpanExporter, WithExportConfig};
    use opentelemetry_sdk::Resource;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing::{Span, Subscriber};
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    use tracing_subscriber::Layer;
    use tracing_subscriber::registry::LookupSpan;

    use crate::ServerError;
    use crate::settings::Origin;

    /// Sends what is left when the program ends.
    pub(crate) struct Traces(Option<SdkTracerProvider>);

    impl Traces {
        /// Sends what is left.
        pub(crate) fn finish(self) {
            if let Some(provider) = self.0
                && let Err(error) = provider.shutdown()
            {
                tracing::warn!(%error, "the last traces were not sent");
            }
        }
    }

    type Sender<S> = Box<dyn Layer<S> + Send + Sync>;

    /// What sends spans to a URL.
    pub(crate) fn layer<S>(url: Option<&str>) -> Result<(Option<Sender<S>>, Traces), ServerError>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let Some(url) = url else {
            return Ok((None, Traces(None)));
        };
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(url);
        let exporter = exporter.build().map_err(|error| ServerError::Setting {
            key: "otlp".into(),
            origin: Origin::Flag("--otlp".into()),
            reason: error.to_string(),
        })?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(Resource::builder().with_service_name("hush-server").build())
            .build();
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("hush-server"));
        Ok((Some(layer.boxed()), Traces(Some(provider))))
    }

    struct Headers<'a>(&'a HeaderMap);

    impl Extractor for Headers<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key)?.to_str().ok()
        }

        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(|name| name.as_str()).collect()
        }
    }

    /// Makes a span part of the trace that the caller names.
    pub(crate) fn continue_from(span: &Span, headers: &HeaderMap) {
        if headers.contains_key("traceparent") {
            let context = TraceContextPropagator::new().extract(&Headers(headers));
            // Fails for a span that nobody sends.
            let _ = span.set_parent(context);
        }
    }
}

#[cfg(not(feature = "otlp"))]
mod unsent {
    use axum::http::HeaderMap;
    use tracing::Span;
    use tracing_subscriber::layer::Identity;

    use crate::ServerError;

    /// Nothing is sent by this build.
    pub(crate) struct Traces;

    impl Traces {
        /// Nothing is left.
        pub(crate) fn finish(self) {}
    }

    /// The settings refuse a URL.
    pub(crate) fn layer(_: Option<&str>) -> Result<(Option<Identity>, Traces), ServerError> {
        Ok((None, Traces))
    }

    /// There is nobody to tell.
    pub(crate) fn continue_from(_: &Span, _: &HeaderMap) {}
}
