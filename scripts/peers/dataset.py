"""The breast-cancer example's validation rows, standardised with the training rows."""
import csv
import statistics

FEATURES = 30


def validation_rows(folder):
    """Thirty features a row, in the order of `split.csv`; every row that it does not name trained the network."""
    with open(folder / "breast_cancer.csv", newline="") as file:
        features = [[float(value) for value in row[:FEATURES]] for row in list(csv.reader(file))[1:]]
    with open(folder / "split.csv", newline="") as file:
        chosen = [int(row["validation_row"]) for row in csv.DictReader(file)]
    held_out = set(chosen)
    columns = list(zip(*(row for index, row in enumerate(features) if index not in held_out)))
    means = [statistics.fmean(column) for column in columns]
    deviations = [statistics.pstdev(column) for column in columns]
    return [
        [(value - mean) / deviation for value, mean, deviation in zip(features[index], means, deviations)]
        for index in chosen
    ]
