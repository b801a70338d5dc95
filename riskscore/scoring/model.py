"""A loaded model: checked vectors in, margins and contributions out, by one of two engines that agree.

The twin needs nothing but the open file and answers at once; the joblib estimator, loaded when first
needed, is faster for many rows. Either refuses to serve when the golden margins of its manifest move.
"""

from __future__ import annotations

import json
import math

from riskscore.contract.encoding import Encoding
from riskscore.errors import ArtefactRefused, NotConfigured, OurFault
from riskscore.scoring.outcome import Rules, Scale
from riskscore.scoring.reasons import Reasons
from riskscore.twin.calibration import calibration_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from riskscore.artefact.artefact import Artefact
    from riskscore.twin.trees import Twin

    Vectors = Sequence[Sequence[float]]

CHOICES = ("auto", "joblib", "twin")

# From so many rows in one event the joblib estimator is quicker: once it is loaded, and with its loading. Measured by
# `python benchmarks/bench.py --only engines`.
LOADED_ROWS = 4
QUICK_ROWS = 16  # ... and where the twin has its form with numpy
LOADING_ROWS = 2_000
EXPLAINED_ROWS = 1_000  # with reasons: from so many in one event that form is worth its making, if numpy is loaded

# How far a golden row's probability may move by family. The sums of an adopted classifier are in the hands of the
# machine's BLAS and threads; trees and linear models are held to the bit.
GOLDEN_TOLERANCE = {"sklearn": 1e-6}

ADDITIVITY = 1e-4  # how far base value plus contributions may be from the margin, on the log-odds scale


class Model:
    """A model ready to score. choice: which engine computes (RISKSCORE_ENGINE)."""

    def __init__(self, artefact: Artefact, choice: str = "auto") -> None:
        if choice not in CHOICES:
            raise NotConfigured(f"the engine must be one of {', '.join(CHOICES)}", "RISKSCORE_ENGINE")
        self.artefact = artefact
        self.name = artefact.name
        self.contract = artefact.contract
        self.encoding = Encoding(artefact.contract)
        self.threshold: float = artefact.manifest["threshold"]
        self.rules = Rules(artefact)
        self.reasons = Reasons(artefact)
        self.scale = Scale(artefact.manifest["points"])
        self.explains: bool = artefact.manifest.get("explains", True)
        self._tolerance = GOLDEN_TOLERANCE.get(artefact.manifest["estimator"]["family"], 0.0)
        self.log_odds = calibration_of(artefact.manifest["calibration"])
        self._choice = choice
        self._estimator: Any = None
        self._twin: Twin | None = None
        self._plain_twin: Twin | None = None  # without numpy, as it was loaded
        self._changes: Any = None
        self._contributions: Any = None
        self._is_quick = False
        if "twin" in artefact.manifest["engines"]:
            self._load_twin()
        elif choice == "twin":
            raise NotConfigured(f"{self.name} has no twin, only joblib serves it", "RISKSCORE_ENGINE")
        if self.engine_for(1) == "joblib":
            self.estimator()  # the first row needs it anyway, and a broken one has to stop the start

    def prepare(self) -> None:
        """Load whatever a later request could need, where nobody waits for it."""
        if self._choice != "twin":
            self.estimator()
        self._use_arrays()

    def _use_arrays(self) -> None:
        """Give the twin and its contributions their forms with numpy: the same numbers, far sooner, 50 ms once."""
        if self._twin is None or self._is_quick:
            return
        from riskscore.twin.vectorized import array_contributions, array_twin

        twin = array_twin(self._twin)
        self._check_golden("twin", lambda vectors: self._by_twin(twin, vectors))
        self._twin, self._contributions, self._is_quick = twin, array_contributions(self._contributions), True

    def engine_for(self, rows: int) -> str:
        """Which engine scores a request of this many rows."""
        if self._twin is None or self._choice == "joblib":
            return "joblib"
        loaded = QUICK_ROWS if self._is_quick else LOADED_ROWS
        worth = LOADING_ROWS if self._estimator is None else loaded
        return "twin" if self._choice == "twin" or rows < worth else "joblib"

    def margins(self, vectors: Vectors, engine: str) -> list[float]:
        """The log-odds of each row, the same to the bit from either engine."""
        if engine == "twin" and self._twin is not None:
            return self._by_twin(self._twin, vectors)
        return self._estimated(self.estimator(), vectors)

    def _by_twin(self, twin: Twin, vectors: Vectors) -> list[float]:
        return [twin.margin(self.encoding.columns(vector)) for vector in vectors]

    def contributions(self, vectors: Vectors, margins: Sequence[float]) -> list[Sequence[float]]:
        """Each feature's part of each row's margin; with the base value they add up to it.

        They come from the twin's tables whichever engine scored, so that a reason never depends on the engine.
        Empty where the manifest says that nothing explains the model's scores.
        """
        if not self.explains:
            return [[] for _ in vectors]
        if len(vectors) >= EXPLAINED_ROWS and self._estimator is not None:
            self._use_arrays()
        if self._twin is not None:
            base = self._contributions.base_value
            found = [self._contributions.of(self.encoding.columns(vector)) for vector in vectors]
        else:
            from riskscore.scoring.estimators import contributions

            columns = self.encoding.matrix(vectors)
            base, found = contributions(self.artefact.manifest["estimator"]["family"], self.estimator(), columns)
        for parts, margin in zip(found, margins, strict=True):
            if not abs(base + math.fsum(parts) - margin) <= ADDITIVITY * max(
                1.0, abs(margin)
            ):  # doubles have 16 digits
                raise ArtefactRefused(f"{self.name}: the contributions don't add up to the margin")
        return [self.encoding.fold(parts) for parts in found]

    def changes(self) -> Any:
        """What finds the changes of a row that would have crossed the threshold; made once, when first asked for."""
        if self._changes is None:
            from riskscore.scoring.change import Changes

            self._changes = Changes(self, self._plain_twin)
        return self._changes

    def estimator(self) -> Any:
        """The joblib estimator, loaded once; the same as its golden margins or refused."""
        if self._estimator is None:
            estimator = self.artefact.load_estimator()
            self._check_golden("joblib", lambda vectors: self._estimated(estimator, vectors))
            self._estimator = estimator  # only now: a refused one must not answer the next event
        return self._estimator

    def _estimated(self, estimator: Any, vectors: Vectors) -> list[float]:
        from riskscore.scoring.estimators import FAMILIES, margins

        family = self.artefact.manifest["estimator"]["family"]
        if family not in FAMILIES:
            known = ", ".join(FAMILIES)
            raise ArtefactRefused(f"{self.name}/manifest.json: estimator.family is {family!r}, none of {known}")
        return margins(family, estimator, self.encoding.matrix(vectors))

    def _load_twin(self) -> None:
        from riskscore.twin import contributions, trees

        if "trees.bin" in self.artefact.contents:  # the same trees, packed: JSON takes three times as long to read
            twin = self._parsed("trees.bin", trees.unpack)
        else:
            twin = self._parsed("model.json", lambda data: trees.load(json.loads(data)))
        self._contributions = self._parsed("contributions.bin", contributions.load)
        if twin.n_features != len(self.encoding.names):
            raise ArtefactRefused(
                f"{self.name}: the twin takes {twin.n_features} columns, its manifest makes {len(self.encoding.names)}"
            )
        self._check_golden("twin", lambda vectors: self._by_twin(twin, vectors))
        self._twin = self._plain_twin = twin

    def _parsed(self, file: str, parse: Callable[[bytes], Any]) -> Any:
        try:
            return parse(self.artefact.contents[file])
        except (OurFault, ValueError, RecursionError) as error:
            raise ArtefactRefused(f"{self.name}/{file} is refused: {error}") from None

    def _check_golden(self, engine: str, margins: Callable[[Vectors], list[float]]) -> None:
        """Refuse to serve when a golden row's margin isn't what it was at training."""
        golden = self.artefact.manifest["golden"]
        vectors = [[math.nan if value is None else value for value in row["vector"]] for row in golden]
        try:
            found = margins(vectors)
        except ValueError as error:
            raise ArtefactRefused(f"{self.name}: the {engine} engine can't score the golden rows: {error}") from None
        for k, (row, margin) in enumerate(zip(golden, found, strict=True)):
            if margin != row["margin"] and not self._near(margin, row["margin"]):
                raise ArtefactRefused(
                    f"{self.name}: golden row {k} has margin {margin!r} by the {engine} engine,"
                    f" but {row['margin']!r} in its manifest"
                )

    def _near(self, margin: float, expected: float) -> bool:
        """Whether the margins of a family that isn't held to the bit give the same probability."""
        from riskscore.twin.trees import logistic

        return self._tolerance > 0.0 and abs(logistic(margin) - logistic(expected)) <= self._tolerance
