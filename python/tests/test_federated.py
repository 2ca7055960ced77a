"""Secure aggregation against the sums of the same rounded numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hushml import HushError, federated
from hushml.federated import Client, FedAvg, Server, Settings


def levels(vector: np.ndarray, settings: Settings) -> np.ndarray:
    """The whole numbers that a vector is summed as."""
    return np.rint(np.float64(vector) / settings.bound * round(settings.bound / settings.resolution))


def test_sums_are_exact_and_weighted(rng: np.random.Generator) -> None:
    vectors = rng.uniform(-1, 1, (7, 100)).astype(np.float32)
    weights = rng.integers(1, 50, 7)
    result = federated.sum(vectors, weights)
    settings = Settings(7, 100)
    expected = (levels(vectors, settings) * weights[:, None]).sum(0)
    assert (np.rint(result.sum / settings.resolution) == expected).all()
    assert result.weight == weights.sum() and result.survivors == list(range(7)) and result.dropped == []
    assert np.abs(result.mean - np.average(np.float64(vectors), axis=0, weights=weights)).max() <= settings.resolution


@pytest.mark.parametrize("step", federated.STEPS)
def test_clients_may_leave_at_every_step(rng: np.random.Generator, step: str) -> None:
    vectors = rng.uniform(-1, 1, (9, 20)).astype(np.float32)
    result = federated.sum(vectors, drop_outs={2: step, 5: step})
    stays = step in ("consent", "unmask")
    survivors = [client for client in range(9) if stays or client not in (2, 5)]
    assert result.survivors == survivors
    assert result.dropped == ([] if stays or step == "announce" else [2, 5])
    settings = Settings(9, 20)
    assert (np.rint(result.sum / settings.resolution) == levels(vectors[survivors], settings).sum(0)).all()


def test_too_few_clients_are_an_error_that_says_so(rng: np.random.Generator) -> None:
    vectors = rng.uniform(-1, 1, (6, 5))
    with pytest.raises(HushError, match="only 3 clients completed the masked vector step, 5 are needed"):
        federated.sum(vectors, drop_outs=dict.fromkeys((0, 1, 2), "mask"))
    with pytest.raises(HushError, match="clients is 2, which is outside 3"):
        federated.sum(vectors[:2], neighbours=1)
    with pytest.raises(HushError, match="threshold is 2, which is not more than half"):
        federated.sum(vectors, threshold=2)
    with pytest.raises(HushError, match="`later` is no step"):
        federated.sum(vectors, drop_outs={1: "later"})


def test_values_beyond_the_bound_are_refused_or_clipped() -> None:
    vectors = [[0.5, 3.0]] * 3
    with pytest.raises(HushError, match="value 1 is 3, outside -1..=1"):
        federated.sum(vectors)
    assert federated.sum(vectors, clip=True).mean == pytest.approx([0.5, 1.0], abs=1e-5)
    with pytest.raises(HushError):
        federated.sum([[math.nan, 0.0]] * 3, clip=True)
    # Norm 5 becomes 1.
    assert federated.sum([[3.0, 4.0]] * 3, norm=1.0).mean == pytest.approx([0.6, 0.8], abs=1e-5)


def test_messages_travel_as_bytes(rng: np.random.Generator) -> None:
    settings = Settings.from_dict(Settings(5, 10, weight_most=9).to_dict())
    identities = [federated.new_identity() for _ in range(5)]
    directory = [federated.public_identity(identity) for identity in identities]
    vectors = rng.uniform(-1, 1, (5, 10))
    server = Server(settings, directory)
    clients = [Client(settings, directory, identity, place) for place, identity in enumerate(identities)]
    assert server.phase == "announcement" and server.expected == [0, 1, 2, 3, 4]
    for place, client in enumerate(clients):
        server.receive(place, client.announce())
    with pytest.raises(HushError, match="announce, share, mask"):
        clients[0].announce()
    messages = server.close()
    for place, client in enumerate(clients[1:], 1):
        server.receive(place, client.share(messages[place]))
    messages = server.close()
    assert sorted(messages) == [1, 2, 3, 4]
    for place, message in messages.items():
        masked = clients[place].mask(message, vectors[place], place)
        assert len(masked) == settings.upload_bytes
        with pytest.raises(HushError):
            server.receive(place, masked[:-1])
        server.receive(place, masked)
    messages = server.close()
    for place, message in messages.items():
        server.receive(place, clients[place].consent(message))
    for place, message in server.close().items():
        server.receive(place, clients[place].unmask(message))
    result = server.finish()
    assert result.survivors == [1, 2, 3, 4] and result.weight == 10
    assert np.abs(result.mean - np.average(vectors[1:], axis=0, weights=[1, 2, 3, 4])).max() < 1e-5
    with pytest.raises(HushError, match="over"):
        server.finish()


def test_a_wrong_identity_is_refused() -> None:
    settings = Settings(3, 1)
    directory = [federated.public_identity(federated.new_identity()) for _ in range(3)]
    with pytest.raises(HushError):
        Client(settings, directory, federated.new_identity(), 0)


def test_a_seed_takes_the_same_steps_again() -> None:
    settings = Settings(3, 1)
    identities = [federated.new_identity() for _ in range(3)]
    directory = [federated.public_identity(identity) for identity in identities]
    announcements = [Client(settings, directory, identities[0], 0, seed=bytes(32)).announce() for _ in range(2)]
    assert announcements[0] == announcements[1]
    assert Client(settings, directory, identities[0], 0).announce() != announcements[0]


def test_averaging_follows_floating_point(rng: np.random.Generator) -> None:
    targets = rng.uniform(-1, 1, (5, 3))
    sizes = rng.integers(1, 9, 5)

    def train(client: int, parameters: list[np.ndarray]) -> tuple[list[np.ndarray], int]:
        return [array + 0.5 * (targets[client] - array) for array in parameters], int(sizes[client])

    averaging = FedAvg([np.zeros(3)], train, 5, bound=2.0)
    expected = np.zeros(3)
    for number in range(8):
        lost = {int(rng.integers(5)): "mask"} if number == 2 else {}
        result = averaging.round(drop_outs=lost)
        stay = result.survivors
        expected = expected + 0.5 * (np.average(targets[stay], axis=0, weights=sizes[stay]) - expected)
    assert np.abs(averaging.parameters[0] - expected).max() < 1e-4
    assert averaging.rounds == 8 and averaging.epsilon() == math.inf


def test_noise_has_the_variance_that_is_accounted_for(rng: np.random.Generator) -> None:
    settings = Settings(5, 4000, noise_variance=10_000)
    result = federated.sum(np.zeros((5, 4000)), noise_variance=10_000)
    deviation = (result.sum / settings.resolution).std()
    assert deviation == pytest.approx(math.sqrt(5 * 10_000), rel=0.08)
    averaging = FedAvg([np.zeros(10)], lambda _, p: (p, 1), 5, norm=1.0, noise_variance=10**12)
    averaging.round()
    first = averaging.epsilon(1e-5)
    averaging.round()
    assert 0 < first < averaging.epsilon(1e-5) < math.inf
    with pytest.raises(HushError, match="set norm"):
        FedAvg([np.zeros(1)], lambda _, p: (p, 1), 5, noise_variance=1)
    # One Gaussian of deviation 5, twenty times, by dp-accounting 0.6.
    accountant = federated.Accountant()
    accountant.add(5.0, 1.0, 20)
    assert accountant.epsilon(1e-5) == pytest.approx(4.161911642354481, rel=1e-9)


def test_cohorts_are_repeatable() -> None:
    seed = federated.new_identity()
    drawn = federated.cohort(range(50), seed, count=10)
    assert drawn == federated.cohort(range(50), seed, count=10) and len(set(drawn)) == 10
    with pytest.raises(HushError):
        federated.cohort(range(5), seed, count=10)
    with pytest.raises(HushError, match="by count or by rate"):
        federated.cohort(range(5), seed)
