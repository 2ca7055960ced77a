"""Writes the first part of docs/benchmarks.md from the results of measure.py, and keeps the rest.

usage: report.py results.json benchmarks.md
"""
import json
import statistics
import sys
from pathlib import Path

OURS = "HushML"
# Operation as measured, and what the table calls it. Peers' names are the same unless PEER_OPERATION says otherwise.
OPERATIONS = [
    ("encode", "encode"),
    ("encrypt_public", "encrypt with the public key"),
    ("encrypt_secret", "encrypt with the secret key, seeded"),
    ("decrypt", "decrypt"),
    ("decode", "decode"),
    ("add", "add"),
    ("multiply_plain", "multiply by a plaintext"),
    ("rescale", "rescale"),
    ("multiply_relinearize", "multiply + relinearise"),
    ("multiply_relinearize_rescale", "multiply + relinearise + rescale"),
    ("rotate", "rotate (one key switch)"),
    ("rotate_8_hoisted", "8 hoisted rotations"),
    ("rotate_8_multiply_sum", "8 rotations × plaintexts, summed"),
]
# The peers have no double hoisting: their hoisted rotations alone, without products and sums, stand beside ours.
PEER_OPERATION = {"rotate_8_multiply_sum": "rotate_8_hoisted"}
# What is worth a second thread.
THREADED = {"rescale", "multiply_relinearize_rescale", "rotate", "rotate_8_hoisted", "rotate_8_multiply_sum"}
MISSING = "–"
# What the other part of the document begins with.
# Headings of the parts that other scripts write, in order; this one writes what is before them.
NETWORKS, SERVING = "\n## Networks\n", "\n## Serving\n"
TRACKING = "\n## Tracking\n"
PARTIES = "\n## Multi-party computation\n"


class Measured:
    """Medians over the rounds, by library, operation and shape.

    A shape is (log2 N, name of HushML's parameter set or None); peers have one shape for each N.
    """

    def __init__(self, results):
        self.rows = results["operations"]

    def select(self, library, operation, shape, threads=1, isa=None):
        log_degree, name = shape
        return [
            row for row in self.rows
            if row["library"].split()[0] == library and row["operation"] == operation
            and row["log_degree"] == log_degree and row["threads"] == threads
            and (library != OURS or row.get("set") == name)
            and (isa is None or row.get("isa") == isa)
        ]

    def median(self, library, operation, shape, threads=1, isa=None):
        rows = self.select(library, operation, shape, threads, isa)
        return statistics.median(row["median_ms"] for row in rows) if rows else None

    def shapes(self):
        """Ours, and those of the peers that we have none beside."""
        ours = {(row["log_degree"], row.get("set")) for row in self.rows if row["library"] == OURS}
        known = {log_degree for log_degree, _ in ours}
        theirs = {(row["log_degree"], None) for row in self.rows if row["log_degree"] not in known}
        return sorted(ours | theirs, key=lambda shape: (shape[0], shape[1] or ""))

    def log_degrees(self):
        """One shape for each N."""
        return list({shape[0]: shape for shape in reversed(self.shapes())}.values())[::-1]

    def best_isa(self):
        """The instruction set that HushML chose by itself."""
        chosen = [row.get("isa") for row in self.rows if row["library"] == OURS]
        return chosen[0] if chosen else None

    def limbs(self, library, shape):
        """Limbs of a ciphertext and special limbs, or digits, of `library` at `shape`."""
        rows = [row for row in self.rows
                if row["library"].split()[0] == library and row["log_degree"] == shape[0]
                and (library != OURS or row.get("set") == shape[1])]
        if not rows:
            return None
        row = rows[0]
        if "special" in row:
            return f"{row['limbs']}+{row['special']}"
        return f"{row['limbs']}, {row['digits']} digits"


def milliseconds(value):
    if value is None:
        return MISSING
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def ratio(theirs, ours):
    if not theirs or not ours:
        return MISSING
    value = theirs / ours
    return f"{value:.2f}×" if value < 10 else f"{value:.1f}×" if value < 100 else f"{value:,.0f}×"


def size(count):
    if count is None:
        return MISSING
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} KB"


def table(header, rows, left=1):
    align = ["---"] * left + ["---:"] * (len(header) - left)
    lines = [header, align] + rows
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def operation_tables(measured):
    parts = []
    for shape in measured.shapes():
        rows = []
        for operation, title in OPERATIONS:
            ours = measured.median(OURS, operation, shape)
            theirs = PEER_OPERATION.get(operation, operation)
            seal = measured.median("TenSEAL", theirs, shape)
            openfhe = measured.median("OpenFHE", theirs, shape)
            if ours is None and seal is None and openfhe is None:
                continue
            rows.append([title, milliseconds(ours), milliseconds(seal), milliseconds(openfhe),
                         ratio(seal, ours), ratio(openfhe, ours)])
        if rows:
            limbs = {library: measured.limbs(library, shape) for library in (OURS, "TenSEAL", "OpenFHE")}
            title = f"### N = 2^{shape[0]}" + (f", {limbs[OURS]} limbs" if limbs[OURS] else "")
            shapes = "; ".join(f"{library} {count}" for library, count in limbs.items() if count)
            parts.append(
                f"{title}\n\nLimbs: {shapes}.\n\n"
                + table(["ms", OURS, "TenSEAL", "OpenFHE", "TenSEAL / HushML", "OpenFHE / HushML"], rows))
    return "\n\n".join(parts)


def thread_table(measured):
    rows = []
    for shape in measured.shapes():
        for operation, title in OPERATIONS:
            one = measured.median(OURS, operation, shape)
            two = measured.median(OURS, operation, shape, threads=2)
            if operation in THREADED and one is not None and two is not None:
                rows.append([f"2^{shape[0]}", measured.limbs(OURS, shape), title,
                             milliseconds(one), milliseconds(two), ratio(one, two)])
    header = ["N", "limbs", "ms", "one thread", "two threads", "faster"]
    return table(header, rows, left=3) if rows else None


def isa_table(measured):
    rows = []
    for shape in measured.log_degrees():
        times = {isa: measured.median(OURS, "ntt", shape, isa=isa) for isa in ("scalar", "avx2", "avx512")}
        if times["scalar"] is not None:
            rows.append([f"2^{shape[0]}", *map(milliseconds, times.values()),
                         ratio(times["scalar"], times["avx2"]), ratio(times["scalar"], times["avx512"])])
    header = ["N", "scalar, ms", "AVX2, ms", "AVX-512 IFMA, ms", "scalar / AVX2", "scalar / AVX-512"]
    return table(header, rows) if rows else None


def precision_table(measured):
    rows = []
    for shape in measured.shapes():
        cells = []
        for library in (OURS, "TenSEAL", "OpenFHE"):
            found = [row["max_error_log2"]
                     for row in measured.select(library, "multiply_relinearize_rescale", shape)
                     if "max_error_log2" in row]
            cells.append(f"2^{max(found):.1f}" if found else MISSING)
        if cells != [MISSING] * 3:
            rows.append([f"2^{shape[0]}", measured.limbs(OURS, shape) or MISSING, *cells])
    return table(["N", "limbs", OURS, "TenSEAL", "OpenFHE"], rows, left=2) if rows else None


def median_of(rows, *path):
    """Median over the rounds of the number at `path`, where there is one."""

    def follow(row):
        for name in path:
            row = (row or {}).get(name)
        return row

    values = [value for value in map(follow, rows) if value is not None]
    return statistics.median(values) if values else None


def model_table(results):
    """The network that TenSEAL runs too, one sample at a time and in bulk."""
    ours = [demo["models"][0] for demo in results["hush_demo"]]
    theirs = results["tenseal_model"]
    if not ours and not theirs:
        return None
    latency = median_of(ours, "latency", "milliseconds", "per_group")
    group = median_of(ours, "batch", "milliseconds", "per_group")
    samples = median_of(ours, "batch", "samples_per_group")
    their_latency = median_of(theirs, "infer_ms")
    rate = 1e3 * samples / group if group else None
    their_rate = 1e3 / their_latency if their_latency else None
    rows = [
        ["one sample, ms", milliseconds(latency), milliseconds(their_latency), ratio(their_latency, latency)],
        ["throughput, samples/s", f"{rate:,.0f}" if rate else MISSING,
         f"{their_rate:.2f}" if their_rate else MISSING, ratio(rate, their_rate)],
    ]
    for title, path, field in (("evaluation keys", "evaluation_key", "evaluation_key_bytes"),
                               ("input ciphertext, one sample", "group_input", "input_ciphertext_bytes")):
        mine, other = median_of(ours, "latency", "bytes", path), median_of(theirs, field)
        rows.append([title, size(mine), size(other), ratio(other, mine)])
    mine, other = median_of(ours, "latency", "largest_error"), median_of(theirs, "largest_error")
    rows.append(["largest error of an output", *(f"{error:.1e}" if error else MISSING for error in (mine, other)),
                 ratio(other, mine)])
    title = f"{samples:,.0f} samples a group of ciphertexts" if samples else "a full group of ciphertexts"
    return table(["", OURS, "TenSEAL", "ratio"], rows) + (
        "\n\nTenSEAL runs the circuit of a service written by hand: N = 2^14, primes of [40, 30×6, 40] bits, scale "
        "2^30. Its second output is off by 1e-2, since its `matmul` expects a replicated input and adding the bias "
        f"fills one replica only. Throughput is HushML's batch packing with {title}, beside one sample after another.")


def quality_table(results):
    """Encrypted beside float on the validation rows, the worst of all rounds; one column a model and packing."""
    demos = results["hush_demo"]
    if not demos:
        return None
    titles = ["packing", "same class as float", "accuracy, encrypted", "accuracy, float", "F1, encrypted", "F1, float",
              "largest error of an output", "one run of the model, ms", "samples a run, at most", "evaluation keys",
              "encrypted input of a run", "encrypted output of a run", "N", "log2(QP), bits", "security, bits"]
    header, columns = [""], []
    for index, model in enumerate(demos[-1]["models"]):
        for packing in ("latency", "batch"):
            runs = [demo["models"][index][packing] for demo in demos]
            worst = min(runs, key=lambda run: (run["same_predictions"], -run["largest_error"]))
            header.append(f"`{model['name']}`")
            columns.append([
                packing, f"{worst['same_predictions']} of {demos[-1]['samples']}", f"{worst['accuracy']:.4f}",
                f"{model['float']['accuracy']:.4f}", f"{worst['f1']:.4f}", f"{model['float']['f1']:.4f}",
                f"{max(run['largest_error'] for run in runs):.1e}",
                milliseconds(median_of(runs, "milliseconds", "per_group")), f"{worst['samples_per_group']:,}",
                size(median_of(runs, "bytes", "evaluation_key")), size(median_of(runs, "bytes", "group_input")),
                size(median_of(runs, "bytes", "group_output")), f"2^{worst['log_degree']}",
                f"{worst['log2_q_p']:.0f}", worst["security_bits"]])
    return table(header, [[title, *cells] for title, *cells in zip(titles, *columns)])


def machine_line(machine):
    parts = [machine["processor"]]
    if machine.get("family"):
        parts[0] += f" (family {machine['family'].replace(' ', ' model ')})"
    if machine.get("cores"):
        parts.append(f"{machine['cores']} cores")
    if machine.get("memory_gib"):
        parts.append(f"{machine['memory_gib']} GiB")
    parts += [", ".join(machine["instruction_sets"]) or "no AVX", machine["system"], machine["rustc"]]
    return "; ".join(part for part in parts if part)


def versions(results):
    found = {row["library"] for row in results["operations"] + results["tenseal_model"]}
    return sorted(name for name in found if name != OURS)


def report(results):
    """The whole of docs/benchmarks.md."""
    measured = Measured(results)
    isa = measured.best_isa()
    pinned = "pinned to the first core" if results["machine"].get("pinned") else "not pinned"
    rounds = "one round" if results["rounds"] == 1 else f"{results['rounds']} rounds"
    sections = [
        "# Benchmarks",
        f"Measured on {results['date']}: {machine_line(results['machine'])}.\n\n"
        f"Peers: {', '.join(versions(results)) or 'none'}. "
        f"HushML used {isa or 'the best instruction set it found'}. "
        f"Medians over {rounds}; in each round every library runs every size in turn, "
        f"{pinned}, with one thread unless a table says otherwise.",
        "Written by `make bench-operations`, which installs the peers into throw-away environments (TenSEAL needs "
        "Python 3.11, OpenFHE's wheel Python 3.10; what is missing is left out), and `make bench-networks`; "
        "`make bench-peers` does both. Run it on a quiet machine.",
    ]

    def section(title, *parts):
        parts = [part for part in parts if part]
        if parts:
            sections.append("## " + title)
            sections.extend(parts)

    section("Breast-cancer network", model_table(results))
    section("Encrypted beside float", quality_table(results))
    operations = operation_tables(measured)
    section("Operations, one thread", operations, operations and (
        "HushML's shapes are inside the 128-bit table of ePrint 2024/463. At N = 2^14 the peers have one limb more, "
        "and their shapes are above that table, which makes them points of speed only. "
        "Rotations × plaintexts, summed, stand beside the peer's hoisted rotations alone. The peers' encode and decode "
        "include the conversion of Python lists."))
    section("Two threads", thread_table(measured))
    section("Instruction sets", isa_table(measured) and "One forward NTT of one limb.", isa_table(measured))
    section("Precision", precision_table(measured) and (
        "Largest error of one multiply + relinearise + rescale: HushML with inputs in [−1, 1] at the scale of its shape "
        "(2^40, at N = 2^16 2^45), the peers with inputs in [−0.5, 0.5) at 2^40."),
        precision_table(measured))
    skipped = results.get("skipped", {})
    section("Left out", "\n".join(f"- {name}: {reason}" for name, reason in sorted(skipped.items())))
    return "\n\n".join(sections) + "\n"


def parts(text):
    """The parts of docs/benchmarks.md by their headings; the first has none."""
    text, tracking, end = text.partition(TRACKING)
    text, parties, last = text.partition(PARTIES)
    text, serving, rest = text.partition(SERVING)
    first, networks, middle = text.partition(NETWORKS)
    return {"": first.rstrip("\n") + "\n", NETWORKS: networks + middle, SERVING: serving + rest, PARTIES: parties + last,
            TRACKING: tracking + end}


def write_part(target, heading, text):
    """Replaces one part of the file and keeps the others."""
    target = Path(target)
    known = parts(target.read_text() if target.exists() else "# Benchmarks\n")
    known[heading] = text
    target.write_text("".join(known.values()))


def main(source, target):
    write_part(target, "", report(json.loads(Path(source).read_text())))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
