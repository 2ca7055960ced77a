"""Checks the files in deploy/ against the schemas that Kubernetes and KServe publish in their Python packages.

Fields that a schema does not know are errors: a mistyped probe is otherwise ignored in silence.
"""
import re
import sys
from pathlib import Path

import kserve
import kubernetes
import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KSERVE = {"ClusterServingRuntime": "V1alpha1ClusterServingRuntime", "InferenceService": "V1beta1InferenceService"}
SETTING = re.compile(r"HUSH_SERVER_[A-Z_]+")


def model_class(name):
    return getattr(kserve, name, None) or getattr(kubernetes.client, name, None)


def strict(value, kind, where):
    """Faults of a value that the generated models describe by a type's name, such as `list[V1Container]`."""
    if value is None:
        return []
    many = re.fullmatch(r"list\[(.+)\]", kind)
    if many:
        if not isinstance(value, list):
            return [f"{where}: not a list"]
        return [fault for index, item in enumerate(value) for fault in strict(item, many[1], f"{where}[{index}]")]
    keyed = re.fullmatch(r"dict\((\w+), (.+)\)", kind)
    if keyed:
        if not isinstance(value, dict):
            return [f"{where}: not a map"]
        return [fault for key, item in value.items() for fault in strict(item, keyed[2], f"{where}.{key}")]
    primitive = {"str": str, "int": int, "bool": bool, "float": (int, float)}.get(kind)
    if primitive:
        right = isinstance(value, primitive) and (primitive is bool or not isinstance(value, bool))
        return [] if right else [f"{where}: {value!r} is not {kind}"]
    described = model_class(kind)
    if described is None or not hasattr(described, "openapi_types"):
        return []
    if not isinstance(value, dict):
        return [f"{where}: not a map"]
    names = {json: attribute for attribute, json in described.attribute_map.items()}
    faults = []
    for key, item in value.items():
        if key not in names:
            faults.append(f"{where}.{key}: {kind} has no such field")
        else:
            faults += strict(item, described.openapi_types[names[key]], f"{where}.{key}")
    return faults


def check_manifest(document, where):
    if document["apiVersion"].startswith("serving.kserve.io/"):
        return strict(document, KSERVE[document["kind"]], where)
    try:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{where}: {error.message} at {'.'.join(map(str, error.path))}"]
    return []


def known_settings():
    """The environment variables of the server, from its table of settings."""
    table = (ROOT / "crates/hush-server/src/settings/table.rs").read_text()
    keys = re.findall(r'^    (?:one|many|truth)\(\w+, "([a-z-]+)"', table, re.MULTILINE)
    return {"HUSH_SERVER_CONFIG"} | {"HUSH_SERVER_" + key.upper().replace("-", "_") for key in keys}


def main():
    faults, documents, known = [], 0, known_settings()
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_dir():
            continue
        text, where = path.read_text(), str(path.relative_to(ROOT))
        unknown = set(SETTING.findall(text)) - known
        faults += [f"{where}: the server has no setting {name}" for name in sorted(unknown)]
        if path.suffix == ".yaml" and path.name != "compose.yaml":
            for index, document in enumerate(yaml.safe_load_all(text)):
                documents += 1
                faults += check_manifest(document, f"{where}[{index}]")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        build = DEPLOY / service["build"]["context"]
        if not (build / service["build"]["dockerfile"]).is_file():
            faults.append(f"deploy/compose.yaml: service {name} has no Dockerfile")
    print("\n".join(faults) or f"{documents} manifests keep to the schemas of Kubernetes and KServe")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
