"""Records of experiments as `evaluate` writes them, with made-up numbers."""

from leukstudy.evaluate.record import Confusion, Estimate, Record

METRICS = {"auroc": 0.95312, "accuracy": 0.9, "precision": 0.8, "recall": 0.7, "f1": 0.75}


def estimates(seeds: int = 1, *, interval: bool = True, **values: float) -> dict[str, Estimate]:
    """Metric -> estimate, from 0.05 below to 0.04 above; the seeds lie from 0.01 below to 0.02 above."""
    made = {}
    for name, value in (values or METRICS).items():
        bounds = {"low": value - 0.05, "high": value + 0.04} if interval else {"low": None, "high": None}
        by_seed = [value - 0.01, *[value] * (seeds - 2), value + 0.02]
        spread = {"by_seed": by_seed, "range": [by_seed[0], by_seed[-1]]} if seeds > 1 else {}
        made[name] = Estimate(value=value, **bounds, **spread)
    return made


def record(name: str = "detection-cnn", kind: str = "model", level: str = "patient", **changes) -> Record:
    """A record of 1,200 test images of 12 groups."""
    fields = {
        "experiment": name,
        "task": "detection",
        "classes": ["healthy", "leukaemia"],
        "positive": "leukaemia",
        "model": name.rsplit("-", maxsplit=1)[-1],
        "kind": kind,
        "members": [],
        "params_hash": "p" * 8,
        "source": "own",
        "synthetic": False,
        "data_hash": "d" * 8,
        "group_level": level,
        "split": "test",
        "seed": 5,
        "resamples": 1000,
        "confidence": 0.95,
        "seeds": [7],
        "images": 1200,
        "groups": 12,
        "groups_per_class": {"healthy": 6, "leukaemia": 6},
        "metrics": estimates(),
        "per_class": [],
        "confusion": Confusion(classes=["healthy", "leukaemia"], counts=[[600, 0], [0, 600]]),
        "cautions": [],
    }
    return Record(**fields | changes)
