"""Runs the checks of a module one after the other and tells what came of each."""

import inspect
import sys
import traceback


# Characters of what a client says when it fails; some repeat whole ciphertexts.
LONGEST = 2000


def run(module, **arguments):
    """Calls every function of the module whose name begins with `check_`; exits with 1 if one failed."""
    failed = 0
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if not name.startswith("check_"):
            continue
        wanted = inspect.signature(function).parameters
        try:
            function(**{key: arguments[key] for key in wanted})
            outcome = "ok"
        except Exception:  # whatever a foreign client raises
            failed += 1
            outcome = "FAILED\n" + traceback.format_exc()[-LONGEST:]
        title = name.removeprefix("check_").replace("_", " ")
        print(f"  {title:<44} {outcome}", flush=True)
    sys.exit(1 if failed else 0)
