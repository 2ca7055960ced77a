"""Prompts, traces and evaluation datasets through MLflow's package."""

import time

import mlflow

from mlflow_answers import MODERN, client, note


def prompts():
    if not MODERN:
        mlflow.register_prompt("greet", "Hello {{name}}", commit_message="first")
        mlflow.register_prompt("greet", "Hi {{name}}")
        note("prompt", [mlflow.load_prompt("prompts:/greet/1").template, mlflow.load_prompt("greet", version=2).version])
        note("models without prompts", "greet" in [m.name for m in client.search_registered_models()])
        return
    mlflow.genai.register_prompt("greet", "Hello {{name}}", commit_message="first", tags={"a": "b"})
    mlflow.genai.register_prompt("greet", "Hi {{name}}")
    note("prompt", [mlflow.genai.load_prompt("prompts:/greet/1").template, mlflow.genai.load_prompt("prompts:/greet/2").version])
    note("models without prompts", "greet" in [m.name for m in client.search_registered_models()])
    note("prompts", [p.name for p in mlflow.genai.search_prompts()])


def traces():
    if not MODERN:
        # The older client does not find its own traces on MLflow's newer server either.
        return
    made = mlflow.set_experiment("traces")

    def search(filter_string=None, **options):
        return client.search_traces(locations=[made.experiment_id], filter_string=filter_string, **options)

    @mlflow.trace
    def inner(a):
        return a + 1

    @mlflow.trace(name="outer", attributes={"k": "v"})
    def outer(a):
        mlflow.update_current_trace(tags={"user": "me"})
        return inner(a) * 2

    outer(3)
    mlflow.flush_trace_async_logging()
    found, deadline = [], time.time() + 20
    while not found and time.time() < deadline:
        found = search()
    trace_id = found[0].info.trace_id
    trace = client.get_trace(trace_id)
    note("trace", [trace.info.state, trace.info.tags.get("user"), trace.info.request_preview, trace.info.response_preview, sorted(s.name for s in trace.data.spans)])
    note("span values", sorted([str(s.inputs), str(s.outputs)] for s in trace.data.spans))
    client.set_trace_tag(trace_id, "x", "y")
    note("by tag", len(search("tags.x = 'y'")))
    note("by name", len(search("trace.name = 'outer'")))
    client.delete_trace_tag(trace_id, "x")
    note("by tag that is gone", len(search("tags.x = 'y'")))
    for index in range(5):
        outer(index)
    mlflow.flush_trace_async_logging()
    deadline = time.time() + 20
    while len(search()) < 6 and time.time() < deadline:
        time.sleep(0.1)
    sizes, token = [], None
    while True:
        page = search(max_results=4, page_token=token)
        sizes.append(len(page))
        token = page.token
        if not token:
            break
    note("pages of traces", sizes)
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    note("feedback", [[a.name, a.feedback.value] for a in client.get_trace(trace_id).info.assessments])
    note("deleted", client.delete_traces(made.experiment_id, trace_ids=[trace_id]))


def evaluation():
    if not MODERN:
        return
    from mlflow.genai.datasets import create_dataset, delete_dataset, get_dataset

    made = mlflow.set_experiment("evaluation")
    dataset = create_dataset(name="questions", experiment_id=[made.experiment_id], tags={"a": "b"})
    dataset.merge_records([{"inputs": {"q": "1"}, "expectations": {"a": "x"}}, {"inputs": {"q": "2"}}])
    dataset.merge_records([{"inputs": {"q": "1"}, "expectations": {"b": "y"}}])
    again = get_dataset(dataset_id=dataset.dataset_id)
    frame = again.to_df()
    note("dataset", [again.name, again.tags.get("a"), sorted(str(v) for v in frame["inputs"]), sorted(str(v) for v in frame["expectations"])])
    delete_dataset(dataset_id=dataset.dataset_id)
