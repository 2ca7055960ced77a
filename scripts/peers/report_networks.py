"""Writes the last part of docs/benchmarks.md from the results of measure_networks.py, and keeps the rest.

usage: report_networks.py networks.json benchmarks.md
"""
import json
import math
import statistics
import sys
from pathlib import Path

from report import MISSING, NETWORKS, OURS, machine_line, ratio, size, table, write_part


def seconds(value):
    if value is None:
        return MISSING
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def percent(share):
    return MISSING if share is None else f"{100 * share:.1f} %"


def memory(count):
    return MISSING if count is None else f"{count / 1e6:,.0f} MB"


def error(value):
    return MISSING if value is None else f"{value:.1e}"


def of(value, digits=0):
    return MISSING if value is None else f"{value:,.{digits}f}"


def power(log):
    return MISSING if log is None else f"2^{log}"


def same(agreement):
    return f"{agreement['same_class']} of {agreement['images']}"


def network_rows(network):
    """Titles and cells of one network."""
    score, report = network["score"], network["report"]
    simulated, encrypted, both = score["simulated"], score["encrypted"], score["both"]
    return [
        (f"accuracy, float, {score['images']} images", percent(score["float_accuracy"])),
        (f"accuracy, simulated, {simulated['images']} images", percent(simulated["accuracy"])),
        ("same class, simulated and float", same(simulated)),
        (f"accuracy, float, {encrypted['images']} images", percent(encrypted["float_accuracy"])),
        (f"accuracy, encrypted, {encrypted['images']} images", percent(encrypted["accuracy"])),
        ("same class, encrypted and float", same(encrypted)),
        ("same class, encrypted and simulated", same(both)),
        ("largest difference, encrypted and simulated", error(both["largest_error"])),
        ("largest difference, encrypted and float", error(encrypted["largest_error"])),
        ("largest output", of(encrypted["largest_output"], 1)),
        ("one image, one thread, s", seconds(network["seconds"])),
        ("one of two images at a time, two threads, s", seconds(network["seconds_two_threads"])),
        ("loading model and keys, s", seconds(network["load_seconds"])),
        ("memory, one thread", memory(network["peak_bytes"])),
        ("memory, two threads", memory(network["peak_bytes_two_threads"])),
        ("evaluation keys", size(network["evaluation_key_bytes"])),
        ("encrypted image", size(network["input_bytes"])),
        ("encrypted output", size(network["output_bytes"])),
        ("N", power(report.get("log_degree"))),
        ("levels", of(report.get("levels"))),
        ("log2(QP), bits", of(report.get("log_q_p"))),
        ("security, bits", of(report.get("security_bits"))),
        ("rotations", of(report.get("rotations"))),
        ("options", f"`{' '.join(network['options'])}`" if network["options"] else "default"),
        ("compile, s", seconds(network["compile_seconds"])),
        ("compile, memory", memory(network["compile_peak_bytes"])),
    ]


def network_table(results):
    networks = results["networks"]
    if not networks:
        return None
    columns = [network_rows(network) for network in networks]
    header = [""] + [f"`{network['network']}`" for network in networks]
    rows = [[title, *(column[index][1] for column in columns)] for index, (title, _) in enumerate(columns[0])]
    rounds = "one run" if results["rounds"] == 1 else f"{results['rounds']} runs"
    return table(header, rows) + (
        "\n\nFloat is ONNX Runtime. Simulated is `hush simulate`: the encrypted program on floats with modelled noise. "
        f"One thread: median over the images of {rounds} pinned to the first core. Times are those of the encrypted "
        "program alone; loading happens once. Memory is the peak resident set of `hush run`, keys included.")


def throughput_table(results):
    found = results["throughput"]
    if not found:
        return None
    score = found["score"]["many_encrypted"]
    return table([f"`{found['network']}`, one batch", ""], [
        ["images", of(found["images"])],
        ["threads", found["threads"]],
        ["encrypted run, s", seconds(found["seconds"])],
        ["images a second", of(found["images"] / found["seconds"])],
        ["loading model and keys, s", seconds(found["load_seconds"])],
        ["accuracy, encrypted", percent(score["accuracy"])],
        ["accuracy, float", percent(score["float_accuracy"])],
        ["same class, encrypted and float", same(score)],
        ["memory", memory(found["peak_bytes"])],
        ["evaluation keys", size(found["evaluation_key_bytes"])],
        ["encrypted images", size(found["input_bytes"])],
        ["encrypted outputs", size(found["output_bytes"])],
        ["N", power(found["report"].get("log_degree"))],
    ])


def precision(mean_error, largest_output):
    """Bits by which the mean error is below the largest output."""
    return math.log2(largest_output / mean_error) if mean_error else None


def orion_rows(pair):
    ours, rounds = pair["hush"], pair["orion"]
    theirs = {name: statistics.median(row[name] for row in rounds)
              for name in ("seconds", "compile_seconds", "mean_error", "largest_output", "log_degree", "log_q_p", "levels")}
    theirs.update({name: max(row[name] for row in rounds) for name in ("peak_bytes", "largest_error")})
    classes = (sum(row["same_class"] for row in rounds), sum(row["images"] for row in rounds))
    report = ours["report"]

    def line(title, name, form):
        return [title, form(ours[name]), form(theirs[name]), ratio(theirs[name], ours[name])]

    return [
        line("one image, s", "seconds", seconds),
        line("memory", "peak_bytes", memory),
        line("compile, s", "compile_seconds", seconds),
        line("largest error of an output", "largest_error", error),
        ["mean error below the largest output, bits",
         *(of(precision(side["mean_error"], side["largest_output"]), 1) for side in (ours, theirs)), MISSING],
        ["same class as float", same(ours), f"{classes[0]} of {classes[1]}", MISSING],
        ["N", power(report.get("log_degree")), power(int(theirs["log_degree"])), MISSING],
        ["levels", of(report.get("levels")), of(theirs["levels"]), MISSING],
        ["log2(QP), bits", of(report.get("log_q_p")), of(theirs["log_q_p"]), MISSING],
    ]


ORION_NETWORKS = {
    "mlp": "MLP: 784–128–128–10, squares",
    "lola": "LoLA: convolution 5×2×2 with stride 2, 980–100–10, squares",
    "lenet": "LeNet: convolutions 32×5×5 and 64×5×5 with stride 2, 3136–512–10, squares",
}


def orion_tables(results):
    tables = []
    for pair in results["orion"]:
        title = ORION_NETWORKS.get(pair["network"], pair["network"])
        tables.append(f"{title}\n\n" + table(["", OURS, pair["orion"][0]["library"], "ratio"], orion_rows(pair)))
    if not tables:
        return None
    return "\n\n".join(tables) + (
        "\n\nThe networks are those that Orion ships, with batch normalisation, trained briefly on MNIST; both libraries "
        "run the same weights and images on one core, in turns, HushML compiled for the largest error that Orion shows. "
        "Orion's parameters are those of its configuration files: N = 2^13 with 217 bits is above the 214 bits of the "
        "128-bit table of ePrint 2024/463 that HushML keeps to, and its LeNet has a sparse secret (192 of 16,384 "
        "coefficients), for which that table has no row. Memory is the peak resident set of the process that infers; "
        "Orion's compiles as well.")


def too_deep_text(results):
    found = results["too_deep"]
    if not found:
        return None
    failure = found["said"].get("error")
    if not failure:
        return f"`{found['network']}` compiles."
    lines = [*failure.get("causes", []), *filter(None, [failure.get("hint")])]
    options = " ".join(found.get("options", []))
    return (f"`hush compile {options}` on `{found['network']}` says, after {seconds(found['seconds'])} s:\n\n```\n"
            + "\n".join(lines) + "\n```")


def report(results):
    """The part of docs/benchmarks.md about networks, heading included."""
    sections = [NETWORKS.strip("\n"),
                f"Measured on {results['date']}: {machine_line(results['machine'])}.\n\n"
                "Written by `make bench-networks`."]
    for title, part in (
            ("Accuracy, time and size", network_table(results)),
            ("Throughput", throughput_table(results)),
            ("Beside Orion", orion_tables(results)),
            ("What lacks bootstrapping", too_deep_text(results)),
            ("Networks left out", "\n".join(f"- {name}: {why}" for name, why in sorted(results["skipped"].items())))):
        if part:
            sections += [f"### {title}", part]
    return "\n" + "\n\n".join(sections) + "\n"


def main(source, target):
    write_part(target, NETWORKS, report(json.loads(Path(source).read_text())))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
