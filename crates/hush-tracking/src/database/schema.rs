//! The tables, as steps that never change once they are released: what a newer program needs is a further step.
//!
//! `{id}`, `{text}` and `{clustered}` are what the two databases call differently. Runs and the like have a
//! number inside and a name outside. A metric of a run is a row of `series`, which has its newest value, so that searches
//! read no history; `history` has the values, in the order in which they are read, and is only ever added to.

/// The steps, oldest first.
pub(super) const STEPS: &[&str] = &[FIRST];

const FIRST: &str = "
CREATE TABLE experiments (
    id {id}, name {text} NOT NULL UNIQUE, artifact_location {text} NOT NULL, deleted BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL, updated BIGINT NOT NULL
);
CREATE TABLE experiment_tags (
    experiment BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (experiment, key)
) {clustered};
CREATE TABLE runs (
    id {id}, run_id {text} NOT NULL UNIQUE, experiment BIGINT NOT NULL REFERENCES experiments (id), name {text} NOT NULL,
    user_id {text} NOT NULL, status BIGINT NOT NULL, started BIGINT NOT NULL, ended BIGINT,
    deleted BIGINT NOT NULL DEFAULT 0, artifact_uri {text} NOT NULL
);
CREATE INDEX runs_by_start ON runs (experiment, deleted, started DESC, run_id);
CREATE TABLE run_tags (
    run BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (run, key)
) {clustered};
CREATE TABLE params (
    run BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (run, key)
) {clustered};
CREATE TABLE series (
    id {id}, run BIGINT NOT NULL, key {text} NOT NULL, timestamp BIGINT NOT NULL, step BIGINT NOT NULL,
    value DOUBLE PRECISION NOT NULL, nan BIGINT NOT NULL, UNIQUE (run, key)
);
CREATE TABLE history (
    series BIGINT NOT NULL, timestamp BIGINT NOT NULL, step BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL,
    nan BIGINT NOT NULL, PRIMARY KEY (series, timestamp, step, value, nan)
) {clustered};
CREATE TABLE datasets (
    id {id}, experiment BIGINT NOT NULL, name {text} NOT NULL, digest {text} NOT NULL, source_type {text} NOT NULL,
    source {text} NOT NULL, schema {text}, profile {text}, UNIQUE (experiment, name, digest)
);
CREATE TABLE inputs (
    id {id}, run BIGINT NOT NULL, dataset BIGINT NOT NULL, UNIQUE (run, dataset)
);
CREATE TABLE input_tags (
    input BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (input, key)
) {clustered};
CREATE TABLE model_inputs (
    run BIGINT NOT NULL, model_id {text} NOT NULL, PRIMARY KEY (run, model_id)
) {clustered};
CREATE TABLE model_outputs (
    run BIGINT NOT NULL, model_id {text} NOT NULL, step BIGINT NOT NULL, PRIMARY KEY (run, model_id)
) {clustered};

CREATE TABLE logged_models (
    id {id}, model_id {text} NOT NULL UNIQUE, experiment BIGINT NOT NULL, name {text} NOT NULL, artifact_uri {text} NOT NULL,
    created BIGINT NOT NULL, updated BIGINT NOT NULL, status BIGINT NOT NULL, status_message {text} NOT NULL,
    model_type {text} NOT NULL, source_run_id {text} NOT NULL, deleted BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX logged_models_by_creation ON logged_models (experiment, deleted, created DESC, model_id);
CREATE TABLE logged_model_tags (
    model BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (model, key)
) {clustered};
CREATE TABLE logged_model_params (
    model BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (model, key)
) {clustered};
CREATE TABLE logged_model_metrics (
    id {id}, model BIGINT NOT NULL, run_id {text} NOT NULL, key {text} NOT NULL, timestamp BIGINT NOT NULL,
    step BIGINT NOT NULL, value DOUBLE PRECISION NOT NULL, nan BIGINT NOT NULL, dataset_name {text} NOT NULL,
    dataset_digest {text} NOT NULL,
    UNIQUE (model, key, dataset_name, dataset_digest, run_id, timestamp, step)
);

CREATE TABLE registered_models (
    id {id}, name {text} NOT NULL UNIQUE, description {text} NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL
);
CREATE INDEX registered_models_by_update ON registered_models (updated);
CREATE TABLE registered_model_tags (
    model BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (model, key)
) {clustered};
CREATE TABLE aliases (
    model BIGINT NOT NULL, alias {text} NOT NULL, version BIGINT NOT NULL, PRIMARY KEY (model, alias)
) {clustered};
CREATE TABLE model_versions (
    id {id}, model BIGINT NOT NULL, version BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL,
    description {text} NOT NULL, user_id {text} NOT NULL, stage {text} NOT NULL, source {text} NOT NULL,
    storage {text} NOT NULL, run_id {text} NOT NULL, run_link {text} NOT NULL, status {text} NOT NULL,
    model_id {text} NOT NULL, UNIQUE (model, version)
);
CREATE INDEX model_versions_by_run ON model_versions (run_id);
CREATE TABLE model_version_tags (
    version BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (version, key)
) {clustered};

CREATE TABLE webhooks (
    id {id}, webhook_id {text} NOT NULL UNIQUE, name {text} NOT NULL, description {text} NOT NULL, url {text} NOT NULL,
    events {text} NOT NULL, secret {text}, active BIGINT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL
);
CREATE TABLE permissions (
    kind {text} NOT NULL, resource {text} NOT NULL, account {text} NOT NULL, level BIGINT NOT NULL,
    PRIMARY KEY (kind, resource, account)
) {clustered};

CREATE TABLE traces (
    id {id}, trace_id {text} NOT NULL UNIQUE, experiment BIGINT NOT NULL, name {text} NOT NULL, started BIGINT NOT NULL,
    duration BIGINT, state {text} NOT NULL, client_request_id {text}, request_preview {text}, response_preview {text}
);
CREATE INDEX traces_by_start ON traces (experiment, started DESC, trace_id);
CREATE TABLE trace_tags (
    trace BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (trace, key)
) {clustered};
CREATE TABLE trace_metadata (
    trace BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (trace, key)
) {clustered};
CREATE TABLE assessments (
    trace BIGINT NOT NULL, assessment_id {text} NOT NULL, name {text} NOT NULL, created BIGINT NOT NULL, body {text} NOT NULL,
    PRIMARY KEY (trace, assessment_id)
) {clustered};
CREATE TABLE spans (
    trace BIGINT NOT NULL, span_id {text} NOT NULL, name {text} NOT NULL, started BIGINT NOT NULL, body {text} NOT NULL,
    PRIMARY KEY (trace, span_id)
) {clustered};
CREATE TABLE trace_runs (
    run_id {text} NOT NULL, trace BIGINT NOT NULL, PRIMARY KEY (run_id, trace)
) {clustered};

CREATE TABLE evaluation_datasets (
    id {id}, dataset_id {text} NOT NULL UNIQUE, name {text} NOT NULL, digest {text}, schema {text}, profile {text},
    created BIGINT NOT NULL, updated BIGINT NOT NULL, created_by {text}, updated_by {text}
);
CREATE TABLE evaluation_dataset_tags (
    dataset BIGINT NOT NULL, key {text} NOT NULL, value {text} NOT NULL, PRIMARY KEY (dataset, key)
) {clustered};
CREATE TABLE evaluation_dataset_experiments (
    dataset BIGINT NOT NULL, experiment BIGINT NOT NULL, PRIMARY KEY (dataset, experiment)
) {clustered};
CREATE TABLE evaluation_dataset_records (
    id {id}, dataset BIGINT NOT NULL, record_id {text} NOT NULL UNIQUE, input_hash {text} NOT NULL, created BIGINT NOT NULL,
    updated BIGINT NOT NULL, body {text} NOT NULL, UNIQUE (dataset, input_hash)
);

CREATE TABLE secrets (
    name {text} PRIMARY KEY, value {text} NOT NULL
) {clustered};
CREATE TABLE scorers (
    id {id}, scorer_id {text} NOT NULL, experiment BIGINT NOT NULL, name {text} NOT NULL, version BIGINT NOT NULL,
    body {text} NOT NULL, created BIGINT NOT NULL, UNIQUE (experiment, name, version)
);
";
