"""Answers of a tracking server as they are compared: ids by order of appearance, no times."""

import json
import math
import re
import sys
from pathlib import Path

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

# What came with MLflow 3: logged models, prompts with a search, evaluation datasets.
MODERN = int(mlflow.__version__.split(".")[0]) >= 3

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
ANSWERS = []
NAMES = {}


def plain(value):
    """A value without what differs from server to server."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    if isinstance(value, (int, bool)) or value is None:
        return value
    text = str(value)
    text = re.sub(r"m-[0-9a-f]{32}|a-[0-9a-f]{32}|d-[0-9a-f]{32}|tr-[0-9a-f]{32}|[0-9a-f]{32}", known, text)
    # Numbers of experiments have gaps where a database gave one away for nothing.
    text = re.sub(r"/\d+/(?=<id)", "/<number>/", re.sub(r"127\.0\.0\.1:\d+", "<server>", text))
    return re.sub(r"[a-z]+-[a-z]+-\d+\b", "<name>", text)


def known(match):
    return NAMES.setdefault(match.group(0), f"<id{len(NAMES)}>")


def note(step, value=None):
    ANSWERS.append({"step": step, "answer": plain(value)})


def refused(step, call):
    """Notes with which code and text something is refused."""
    try:
        call()
        note(step, "allowed")
    except MlflowException as error:
        text = str(error).split("Error: (")[0].strip()
        text = re.sub(r"BAD_REQUEST: |Response(?: text)?: .*", "", text)
        text = re.sub(r"Valid (keys|values|entity types) are.*|not one of.*", "…", text, flags=re.S)
        note(step, [error.error_code, text])
    except requests.HTTPError as error:
        note(step, [error.response.status_code])


def pages(ask, name, **options):
    """The names of all that `ask` gives, page after page, and how many pages there were."""
    names, count, token = [], 0, None
    while True:
        page = ask(page_token=token, **options)
        names += [name(entity) for entity in page]
        count += 1
        token = page.token
        if not token:
            return names, count


def listed(run_id, path=None):
    """All files of a run with their sizes; pictures without, since they differ from one to the next."""
    files = []
    for entry in client.list_artifacts(run_id, path):
        files.append([entry.path, entry.is_dir, None if entry.path.endswith("png") else entry.file_size])
        if entry.is_dir:
            files += listed(run_id, entry.path)
    return files


def write():
    Path(sys.argv[2]).write_text(json.dumps(ANSWERS, indent=1))
