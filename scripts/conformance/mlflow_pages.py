"""MLflow's own web pages, unmodified, on our server in headless Chromium: what they show, complain of and do not get.

usage: mlflow_pages.py FOLDER-OF-hush-server [FOLDER-FOR-PICTURES]
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mlflow

import tracking_servers as servers

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pages"))
PAGES = Path(mlflow.__file__).parent / "server/js/build"

# Parts of MLflow that ours does not have, and says so (`NOT_IMPLEMENTED`): its pages ask whether they are there.
ABSENT = ("/gateway/", "/assistant", "/users/current", "/workspaces", "/jobs", "/scorers/online", "telemetry", "/issues", "/review", "/label", "/secrets")

FILL = """
import sys, mlflow, numpy as np, pandas as pd
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
made = mlflow.set_experiment("flowers")
x = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc")); y = (x.a > 0).astype(int)
model = LogisticRegression().fit(x, y)
for index in range(5):
    with mlflow.start_run(run_name=f"run-{index}") as run:
        mlflow.log_params({"depth": index, "kind": "ab"[index % 2]})
        for step in range(50):
            mlflow.log_metrics({"loss": 1 / (1 + step + index), "accuracy": 1 - 1 / (2 + step)}, step=step)
        mlflow.set_tag("team", "a"); mlflow.log_text("hello text", "notes/hello.txt"); mlflow.log_dict({"x": [1, 2]}, "x.json")
        mlflow.log_table({"q": ["a", "b"]}, "eval.json"); mlflow.log_image(np.zeros((8, 8, 3), dtype=np.uint8), "black.png")
        mlflow.log_input(mlflow.data.from_pandas(x, name="frame"), context="training")
        if index == 0:
            info = mlflow.sklearn.log_model(model, name="net", input_example=x.head(2), registered_model_name="iris")
            mlflow.log_metric("score", 0.9, model_id=info.model_id)
            first = run.info.run_id
mlflow.register_model(f"models:/{info.model_id}", "iris")
client.set_registered_model_alias("iris", "champion", "1"); client.set_model_version_tag("iris", "1", "k", "v")
client.update_registered_model("iris", "of flowers")
@mlflow.trace
def asked(question):
    return question.upper()
asked("why"); mlflow.flush_trace_async_logging()
mlflow.genai.register_prompt("greet", "Hello {{name}}")
import json; print(json.dumps({"experiment": made.experiment_id, "run": first, "model": info.model_id}))
"""


def pages(known):
    """Addresses, and what each has to show."""
    experiment, run, model = known["experiment"], known["run"], known["model"]
    runs = f"/experiments/{experiment}/runs/{run}"
    return {
        "experiments": ("/experiments", ["flowers", "Default"]),
        "runs": (f"/experiments/{experiment}/runs", ["run-0", "run-4"]),
        "chart": (f"/experiments/{experiment}/runs?compareRunsMode=CHART", ["loss", "accuracy"]),
        "run": (runs, ["depth", "loss", "run-0", "frame"]),
        "run-metrics": (f"{runs}/model-metrics", ["loss", "accuracy"]),
        "run-artifacts": (f"{runs}/artifacts", ["notes", "x.json", "black.png"]),
        "run-file": (f"{runs}/artifacts/notes/hello.txt", ["hello text"]),
        "run-traces": (f"{runs}/traces", []),
        "compare": (f"/compare-runs?runs=%5B%22{run}%22%5D&experiments=%5B%22{experiment}%22%5D", ["run-0"]),
        "experiment-models": (f"/experiments/{experiment}/models", ["net"]),
        "logged-model": (f"/experiments/{experiment}/models/{model}", ["net", "Source run"]),
        "logged-model-artifacts": (f"/experiments/{experiment}/models/{model}/artifacts", ["MLmodel"]),
        "traces": (f"/experiments/{experiment}/traces", ["why"]),
        "models": ("/models", ["iris"]),
        "model": ("/models/iris", ["of flowers", "Version 2", "champion"]),
        "version": ("/models/iris/versions/1", ["iris", "champion"]),
        "prompts": ("/prompts", ["greet"]),
        "prompt": ("/prompts/greet", ["Hello"]),
    }


def failed(events):
    """Requests that were answered with an error, or not at all."""
    sent, found = {}, []
    for event in events:
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            sent[parameters["requestId"]] = f"{parameters['request']['method']} {parameters['request']['url']}"
        elif event.get("method") == "Network.responseReceived" and parameters["response"]["status"] >= 400:
            found.append([parameters["response"]["status"], sent.get(parameters["requestId"], parameters["response"]["url"])])
        elif event.get("method") == "Network.loadingFailed" and not parameters.get("canceled"):
            found.append([parameters.get("errorText"), sent.get(parameters["requestId"], "?")])
    return found


def look(browser, url, name, path, wanted, pictures):
    browser.open(f"{url}/#{path}")
    quoted = json.dumps(wanted)
    shown = browser.until(f"{quoted}.every((text) => (document.body || {{innerText: ''}}).innerText.includes(text))", seconds=40)
    time.sleep(2.5)
    browser.picture(Path(pictures, f"{name}.png"))
    problems = []
    if not shown:
        text = browser.evaluate("document.body.innerText")
        problems.append(f"does not show {[part for part in wanted if part not in text]}: {text[:300]!r}")
    bad = failed(browser.events)
    expected = [entry for entry in bad if any(part in entry[1] for part in ABSENT) and entry[0] in (404, 501)]
    problems += [f"{status} {address}" for status, address in bad if [status, address] not in expected]
    # Requests are looked at above; how its own pages use their libraries is MLflow's affair.
    told = [text for text in browser.problems() if "Failed to load resource" not in text and "AG Grid: since" not in text]
    return problems, [text.splitlines()[0][:300] for text in told if text], [entry[1] for entry in expected]


def main():
    from browser import Browser

    server = str(Path(sys.argv[1], "hush-server").resolve())
    wrong, absent = 0, set()
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(sys.argv[2] if len(sys.argv) > 2 else folder)
        pictures.mkdir(parents=True, exist_ok=True)
        with servers.hush(server, folder, arguments=["--ui-dir", str(PAGES)]) as (url, _):
            environment = {**os.environ, "PYTHONWARNINGS": "ignore", "GIT_PYTHON_REFRESH": "quiet"}
            filled = subprocess.run([sys.executable, "-c", FILL, url], check=True, capture_output=True, text=True, env=environment)
            known = json.loads(filled.stdout.strip().splitlines()[-1])
            browser = Browser()
            browser.size(1400, 900)
            try:
                for name, (path, wanted) in pages(known).items():
                    # Each as somebody who comes there first.
                    browser.open("about:blank")
                    problems, told, expected = look(browser, url, name, path, wanted, pictures)
                    absent.update(address.split(" ")[0] + " " + address.split(url)[-1].split("?")[0] for address in expected)
                    print(f"{name}: {'as it should be' if not problems + told else ''}")
                    for problem in problems:
                        print(f"    {problem}")
                    for text in told:
                        print(f"    console: {text}")
                    wrong += bool(problems + told)
            finally:
                browser.close()
    print(f"{wrong} pages with problems; not there, as documented: {sorted(absent)}")
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
