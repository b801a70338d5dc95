"""What two versions of a model differ in, by their manifests: figures, parameters, features, rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Manifest = Mapping[str, Any]

RULES = (
    *("parse", "threshold", "points", "calibration", "identities", "limits", "observations", "refer"),
    *("response", "reasons", "page", "source"),
)
NONE = "none"


def figures_of(manifest: Manifest) -> dict[str, dict[str, float]]:
    """The figures by name, each with mean, low and high where it was validated, or with its value alone."""
    metrics = manifest.get("metrics", {})
    validated = metrics.get("cross_validated")
    return validated or {name: {"mean": value} for name, value in metrics.get("on_given_data", {}).items()}


def figure(found: Mapping[str, float] | None) -> str:
    """A figure with its interval."""
    if not found:
        return NONE
    within = f" ({found['low']:.3f} to {found['high']:.3f})" if "low" in found else ""
    return f"{found['mean']:.3f}{within}"


def differences(first: Manifest, second: Manifest) -> Iterator[tuple[str, str, str]]:
    """What differs, as it is in the one and in the other; figures always."""
    figures = figures_of(first), figures_of(second)
    for name in dict.fromkeys((*figures[0], *figures[1])):
        yield name, figure(figures[0].get(name)), figure(figures[1].get(name))
    yield from _unequal(_training(first), _training(second))
    yield from _unequal(_parameters(first), _parameters(second))
    yield from _features(first, second)
    yield from _files(first, second)
    for name in RULES:
        if first.get(name) != second.get(name):
            short = all(isinstance(side.get(name), (str, int, float)) for side in (first, second))
            yield (name, str(first[name]), str(second[name])) if short else (name, "differs", "differs")


def _files(first: Manifest, second: Manifest) -> Iterator[tuple[str, str, str]]:
    """The files of the model that aren't the same bytes, by the beginning of their hashes."""
    hashes = [{name: entry["sha256"][:12] for name, entry in side["files"].items()} for side in (first, second)]
    yield from _unequal(*hashes)


def _training(manifest: Manifest) -> dict[str, Any]:
    training = manifest.get("training", {})
    entries = {
        "training rows": training.get("rows"),
        "base rate": training.get("base_rate"),
        "data (SHA-256)": str(training.get("data_sha256", ""))[:12],
        "origin": training.get("origin"),
    }
    return {name: value for name, value in entries.items() if value not in (None, "")}


def _parameters(manifest: Manifest) -> dict[str, Any]:
    estimator = manifest.get("estimator", {})
    parameters = {f"parameter {name}": value for name, value in (estimator.get("parameters") or {}).items()}
    return {"family": estimator.get("family"), "seed": estimator.get("seed")} | parameters


def _unequal(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys((*first, *second)):
        if first.get(name) != second.get(name):
            yield name, str(first.get(name, NONE)), str(second.get(name, NONE))


def _features(first: Manifest, second: Manifest) -> Iterator[tuple[str, str, str]]:
    """Features that only one has, whose contract differs, or that stand in another order."""
    sides = [{entry["name"]: _contract(entry) for entry in manifest["features"]} for manifest in (first, second)]
    for name in dict.fromkeys((*sides[0], *sides[1])):
        if name not in sides[0] or name not in sides[1]:
            yield f"feature {name}", "yes" if name in sides[0] else "no", "yes" if name in sides[1] else "no"
        elif sides[0][name] != sides[1][name]:
            keys = dict.fromkeys((*sides[0][name], *sides[1][name]))
            changed = [key for key in keys if sides[0][name].get(key) != sides[1][name].get(key)]
            yield f"feature {name}: {', '.join(changed)}", "differs", "differs"
    both = [[name for name in side if name in sides[0] and name in sides[1]] for side in sides]
    if both[0] != both[1]:
        yield "order of the features", "differs", "differs"


def _contract(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A feature as people declare it; its training range moves with every training's rows."""
    return {key: value for key, value in entry.items() if key != "support"}
