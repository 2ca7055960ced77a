"""Opens every page: `check.py ADDRESS FOLDER`. Fails if one complains, runs what somebody logged, or paints late."""

import json
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

from browser import Browser

# Milliseconds to the first paint.
LATEST = 1000
# Layout shift above which a page feels restless.
RESTLESS = 0.02


def fetch(address):
    begun = time.perf_counter()
    with urllib.request.urlopen(address) as answer:
        text = answer.read().decode()
    return text, (time.perf_counter() - begun) * 1000


def first(pattern, text):
    found = re.search(pattern, text)
    if not found:
        raise SystemExit(f"no {pattern} in a page")
    return found.group(1)


def pages(address):
    """Every page, by the name of its picture."""
    experiments, _ = fetch(address + "/experiments")
    experiment = first(r'href="(/experiments/\d+)">cancer-screening', experiments)
    table = address + experiment

    def run(name):
        query = urllib.parse.urlencode({"q": f"attributes.run_name = '{name}'"})
        text, _ = fetch(f"{table}?{query}")
        return first(r'<th class="first" scope="row"><a href="(/runs/[0-9a-f]+)"', text)

    large, live = run("fifty-by-ten-thousand"), run("goes-on")
    text, _ = fetch(f"{table}?{urllib.parse.urlencode({'q': 'params.model = ' + chr(39) + 'mlp' + chr(39)})}")
    some = re.findall(r'name="run" value="([0-9a-f]+)"', text)[:12]
    compared = "/compare?" + "&".join(f"run={one}" for one in [large.split("/")[-1], live.split("/")[-1], *some])
    hostile, _ = fetch(f"{table}?{urllib.parse.urlencode({'q': 'attributes.status = ' + chr(39) + 'KILLED' + chr(39)})}")
    hostile = first(r'<th class="first" scope="row"><a href="(/runs/[0-9a-f]+)"', hostile)
    return {
        "experiments": "/experiments",
        "experiments-none": "/experiments?q=nothing-like-it",
        "runs": experiment,
        "runs-filtered": f"{experiment}?{urllib.parse.urlencode({'q': 'metrics.accuracy > 0.95 and params.degree = ' + chr(39) + '4' + chr(39), 'sort': 'metrics.accuracy'})}",
        "runs-wrong-filter": f"{experiment}?{urllib.parse.urlencode({'q': 'metrics.accuracy >> 1'})}",
        "runs-empty": "/experiments/1",
        "run-large": large,
        "run-live": live,
        "run-hostile": hostile,
        "artifacts": f"{large}/artifacts?path=predictions.csv",
        "artifacts-picture": f"{large}/artifacts?path=plots/loss.svg",
        "artifacts-page": f"{large}/artifacts?path=page.html",
        "artifacts-json": f"{large}/artifacts?path=report.json",
        "artifacts-hostile": f"{hostile}/artifacts",
        "compare": compared,
        "models": "/models",
        "model": "/models/cancer",
        "version": "/models/cancer/versions/4",
        "deployments": "/deployments",
        "keys": "/keys",
        "login": "/login",
    }


def check_keys(browser, address, experiment):
    """Shortcuts do what they say."""
    browser.open(address + experiment)
    browser.press("/")
    assert browser.evaluate("document.activeElement.id") == "search", "/ does not reach the search"
    browser.press("Escape")
    browser.press("?")
    assert browser.evaluate("document.querySelector('#keys').open"), "? does not open the keys"
    browser.press("?")
    for _ in range(2):
        browser.press("j")
        browser.press("x")
    assert browser.evaluate("document.querySelector('[data-selected]').textContent") == "2 selected", "x does not select"
    browser.press("]")
    assert browser.until("location.search.includes('page=2')"), "] does not turn the page"
    assert browser.until("document.readyState === 'complete' && document.querySelector('[data-selected]').textContent === '2 selected'"), "the selection is lost"
    browser.press("c")
    assert browser.until("location.pathname === '/compare' && document.querySelectorAll('.side-by-side thead a[href^=\"/runs/\"]').length === 2"), "c does not compare"
    assert browser.evaluate("!location.search.includes('token')"), "the token of forms is in an address"
    browser.press("t")
    assert browser.evaluate("document.documentElement.dataset.theme") == "dark", "t does not switch the theme"
    browser.open(address + experiment)
    assert browser.evaluate("document.documentElement.dataset.theme") == "dark", "the theme is forgotten"
    browser.press("t")
    browser.evaluate("document.cookie = 'hush_theme=; path=/; max-age=0'")
    browser.press("g")
    browser.press("m")
    assert browser.until("location.pathname === '/models'"), "g m does not lead to the models"


def check_search(browser, address, experiment):
    """Searching, sorting and choosing columns change the table in place."""
    browser.open(address + experiment)
    browser.evaluate("document.querySelector('#search').value = \"params.model = 'lenet5'\"; document.querySelector('#query').requestSubmit()")
    assert browser.until("[...document.querySelectorAll('.runs tbody tr')].length > 0 && location.search.includes('lenet5')"), "the search is not in the address"
    assert browser.until("[...document.querySelectorAll('.runs thead th')].findIndex((cell) => cell.textContent.includes('model')) > 0 && [...document.querySelectorAll('.runs tbody tr')].every((row) => row.textContent.includes('lenet5'))"), "the search finds others"
    browser.evaluate("[...document.querySelectorAll('.runs thead a')].find((link) => link.textContent.includes('accuracy')).click()")
    assert browser.until("document.querySelector('.runs thead th[aria-sort=descending] .title')?.textContent === 'accuracy'"), "the table is not sorted"
    values = browser.evaluate("(() => { const place = [...document.querySelectorAll('.runs thead th')].findIndex((cell) => cell.hasAttribute('aria-sort')); return [...document.querySelectorAll('.runs tbody tr')].map((row) => Number(row.cells[place].textContent)); })()")
    assert len(values) == 100 and values == sorted(values, reverse=True), values[:5]
    assert browser.evaluate("[...document.querySelectorAll('.runs tbody tr')].every((row) => row.textContent.includes('lenet5'))"), "sorting forgets the search"
    browser.evaluate("(() => { const box = [...document.querySelectorAll('.chooser input[name=column]')].find((box) => box.value === 'tags.stage'); box.checked = true; box.dispatchEvent(new Event('change', {bubbles: true})); })()")
    assert browser.until("[...document.querySelectorAll('.runs thead .title')].some((title) => title.textContent === 'stage')"), "the column is not there"
    assert browser.evaluate("document.querySelector('.runs thead th[aria-sort=descending] .title')?.textContent") == "accuracy", "choosing columns forgets the order"


def check_live(browser, address, run):
    """Values come while one looks."""
    browser.open(address + run)
    assert browser.until("document.querySelectorAll('.chart canvas').length === 2"), "no plots"
    step = "Number(document.querySelector('[data-value=loss] .step').textContent)"
    before = browser.evaluate(step)
    assert browser.until(f"{step} > {before} + 2"), "nothing comes"


def main():
    address, folder = sys.argv[1].rstrip("/"), pathlib.Path(sys.argv[2])
    only = set(sys.argv[3:])
    folder.mkdir(parents=True, exist_ok=True)
    found = pages(address)
    browser = Browser()
    failures = []
    results = {}
    try:
        for name, path in found.items():
            if only and name not in only:
                continue
            fetch(address + path)
            answers = sorted(fetch(address + path)[1] for _ in range(5))
            for view, (width, height, mobile, dark) in {"light": (1360, 860, False, False), "dark": (1360, 860, False, True), "phone": (390, 844, True, False)}.items():
                browser.size(width, height, mobile)
                browser.dark(dark)
                paints = []
                for _ in range(3 if view == "light" else 1):
                    browser.open(address + path)
                    browser.until("performance.getEntriesByName('first-contentful-paint').length > 0", 10)
                    paints.append(browser.figures()["paint"])
                browser.until("document.querySelectorAll('.chart').length === 0 || document.querySelectorAll('.chart canvas').length > 0", 5)
                time.sleep(0.4)
                figures = browser.figures()
                figures["paint"] = min(paints)
                problems = browser.problems()
                if browser.evaluate("document.title") == "owned":
                    problems.append("a script that somebody logged was run")
                wide = browser.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                if wide > 0:
                    problems.append(f"{wide} pixels too wide")
                if figures["shift"] > RESTLESS:
                    problems.append(f"moves while it loads: {figures['shift']:.3f}")
                if figures["paint"] > LATEST:
                    problems.append(f"first paint after {figures['paint']:.0f} ms")
                browser.picture(folder / f"{name}-{view}.png")
                failures += [f"{name} ({view}): {problem}" for problem in problems]
                if view == "light":
                    results[name] = {"answer_ms": round(answers[0], 1), "paint_ms": round(figures["paint"]), "loaded_ms": round(figures["loaded"])}
                    print(f"{name:20} answered in {answers[0]:6.1f} ms, first paint {figures['paint']:5.0f} ms", flush=True)
        if not only:
            browser.size(1360, 860)
            browser.dark(False)
            for check, path in ((check_keys, found["runs"]), (check_search, found["runs"]), (check_live, found["run-live"])):
                try:
                    check(browser, address, path)
                except AssertionError as error:
                    failures.append(f"{check.__name__}: {error}")
    finally:
        browser.close()
    (folder / "figures.json").write_text(json.dumps(results, indent=1))
    for failure in failures:
        print("FAILED", failure)
    print(f"{len(results) * 3 - len(failures)} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)


main()
