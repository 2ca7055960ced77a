#!/usr/bin/env python3
"""Writes the rows as the networks take them: standardised with the mean and deviation of the training rows.

usage: standardise.py FOLDER        writes FOLDER/training.csv and FOLDER/validation.csv
"""
import csv
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FEATURES = 30


def standardised(folder=HERE):
    """Names of the features, training rows and validation rows; validation in the order of `split.csv`."""
    with open(folder / "breast_cancer.csv", newline="") as file:
        header, *rows = csv.reader(file)
    features = [[float(value) for value in row[:FEATURES]] for row in rows]
    with open(folder / "split.csv", newline="") as file:
        chosen = [int(row["validation_row"]) for row in csv.DictReader(file)]
    held_out = set(chosen)
    training = [row for index, row in enumerate(features) if index not in held_out]
    columns = list(zip(*training))
    means = [statistics.fmean(column) for column in columns]
    deviations = [statistics.pstdev(column) for column in columns]

    def scale(row):
        return [(value - mean) / deviation for value, mean, deviation in zip(row, means, deviations)]

    return header[:FEATURES], [scale(row) for row in training], [scale(features[index]) for index in chosen]


def main(target):
    target.mkdir(parents=True, exist_ok=True)
    header, training, validation = standardised()
    for name, rows in (("training", training), ("validation", validation)):
        path = target / f"{name}.csv"
        with open(path, "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
        print(f"{path}: {len(rows)} rows")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
