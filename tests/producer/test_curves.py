"""The models of the mock fleet and their watts: as published, with their drives; and weights."""

from itertools import pairwise

import pytest

from powerstage.producer import parameters
from powerstage.producer.curves import Model, models

# SPECpower_ssj2008 results of HPE: watts at active idle and at 10 % to 100 % of load.
PUBLISHED = {
    "DL325 7551P": (61.7, 92.3, 105, 116, 127, 136, 145, 153, 161, 170, 181),
    "DL325 7702P": (79.5, 113, 129, 149, 168, 183, 194, 203, 212, 222, 231),
    "DL325+ 7763": (56.8, 100, 116, 130, 143, 162, 191, 211, 231, 250, 268),
    "DL325+ 7773X": (53.2, 105, 120, 134, 147, 167, 184, 204, 223, 249, 269),
    "DL380 8180": (49.3, 118, 145, 173, 203, 237, 271, 308, 366, 419, 461),
    "DL380+ 8380": (127, 198, 226, 253, 281, 314, 354, 405, 464, 576, 619),
}
# The old generator's list of server types; the curve of each, and the watts of its drives.
CATALOGUE = {
    ("HPE DL325 Gen10 8SFF CTO Server", "P04654-B21"): ("DL325 7551P", 20),
    ("HPE ZDL325 Gen10 LFF SMC Svr", "P04655-B21"): ("DL325 7551P", 16),
    ("HPE DL325 Gen10 7402P 1P 64G 8SFF Svr", "P16696-291"): ("DL325 7702P", 20),
    ("HPE DL325 Gen10+ 24SFF NVMe U.3 CTO Svr", "P15735-B21"): ("DL325+ 7763", 60),
    ("HPE DL325 Gen10+ 24SFF CTO Svr", "P15535-B21"): ("DL325+ 7763", 60),
    ("HPE DL325 Gen10+ 24SFF U.2 CTO Svr", "P18612-B21"): ("DL325+ 7763", 60),
    ("HPE DL325 G10+ v2 4LFF TAA CTO Svr", "P43249-B21"): ("DL325+ 7773X", 16),
    ("HPE DL325 G10+ v2 7313P 1P 32G 8SFF Svr", "P38477-291"): ("DL325+ 7773X", 20),
    ("HPE DL325 Gen10+ 139TB AF Nd Qumulo", "R8F01A"): ("DL325+ 7763", 60),
    ("HPE DL325 G10+ v2 10All-NVMe Svr for SDS", "R8V67A"): ("DL325+ 7773X", 25),
    ("HPE DX380 Gen10+ 12LFF CTO Svr", "P40792-B21"): ("DL380+ 8380", 48),
    ("HPE DX380 Gen10+ 24SFF CTO Svr", "P42679-B21"): ("DL380+ 8380", 60),
    ("HPE DX380 Gen10 24SFF CTO Svr", "P17642-B21"): ("DL380 8180", 60),
    ("HPE DX380 Gen10 8SFF CTO Svr", "P17640-B21"): ("DL380 8180", 20),
    ("HPE ProLiant DX380 Gen10 12FF OEM2a Svr", "P31733-B21"): ("DL380 8180", 48),
    ("HPE ProLiant DX380 Gen10 12FF OEM2b Svr", "P31734-B21"): ("DL380 8180", 48),
    ("HPE ProLiant DX380 Gen10 12LFF OEM2 Svr", "P31732-B21"): ("DL380 8180", 48),
    ("HPE ProLiant DX380 Gen10 24SFF OEM3 Svr", "P31735-B21"): ("DL380 8180", 60),
    ("HPE ProLiant DX380 Gen10 24SFF OEM3a Svr", "P31736-B21"): ("DL380 8180", 60),
}

each_model = pytest.mark.parametrize("model", models(), ids=lambda model: model.product_id)


def test_models_are_those_of_the_old_generator() -> None:
    """All 19, each once, in the order of product numbers."""
    found = [(model.name, model.product_id) for model in models()]
    assert found == sorted(CATALOGUE, key=lambda names: names[1])
    assert len(found) == 19


@each_model
def test_a_curve_passes_through_what_was_published(model: Model) -> None:
    """At idle and at each tenth of full load, with the model's drives on top."""
    curve, drives = CATALOGUE[model.name, model.product_id]
    assert list(model.watts[::100]) == [watts + drives for watts in PUBLISHED[curve]]


@each_model
def test_a_curve_rises_evenly_between_what_was_published(model: Model) -> None:
    """More load never takes less power, and each tenth is a straight line."""
    assert len(model.watts) == 1001
    steps = [then - now for now, then in pairwise(model.watts)]
    assert min(steps) > 0
    for tenth in range(10):
        part = steps[tenth * 100 : (tenth + 1) * 100]
        assert max(part) - min(part) < 1e-9


@each_model
def test_an_idle_server_draws_a_good_part_of_its_power(model: Model) -> None:
    """Idle is not zero: an eighth to a half of full load, drives included."""
    assert 0.125 < model.watts[0] / model.watts[-1] < 0.5


@each_model
def test_the_range_of_a_model_holds_every_device_at_every_load(model: Model) -> None:
    """Its curve by the furthest spread, the most coins one way, rounded; and no watt beside it."""
    spread = parameters.DEVICE_DEVIATION * parameters.DRAW_MAX
    # 16 coins more than the mean, each an eighth root of the deviation of 32.
    noise = 16 * 0.01 * (model.watts[-1] - model.watts[0]) / 8**0.5
    least, most = model.watts_range
    assert least == pytest.approx(model.watts[0] * (1 - spread) - noise, abs=0.51)
    assert most == pytest.approx(model.watts[-1] * (1 + spread) + noise, abs=0.51)


@pytest.mark.parametrize(
    ("persistence", "terms"),
    [
        (parameters.DAY_PERSISTENCE, parameters.DAY_TERMS),
        (parameters.HOUR_PERSISTENCE, parameters.HOUR_TERMS),
    ],
)
def test_weights_keep_the_variance(persistence: float, terms: int) -> None:
    """A sum of so many draws of variance 1 has variance 1, and each weighs less than the last."""
    weights = parameters.weights(persistence, terms)
    assert len(weights) == terms
    assert sum(weight**2 for weight in weights) == pytest.approx(1, abs=1e-12)
    for now, before in pairwise(weights):
        assert before / now == pytest.approx(persistence)


def test_profiles_share_out_the_fleet() -> None:
    """Their shares add up to all of it, and each has every hour of a day."""
    assert sum(profile.share for profile in parameters.PROFILES) == pytest.approx(1, abs=1e-12)
    for profile in parameters.PROFILES:
        assert len(profile.hours) == 24
        assert all(0 <= hour <= 1 for hour in profile.hours)
        assert profile.base[0] + profile.amplitude[0] >= parameters.LOAD_MIN
