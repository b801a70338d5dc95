"""The engine as a server needs it: counted, and never waiting for a database where others wait for it.

Small requests are scored on the server's own thread, which is several times faster than handing them to another. One
that turns out to need the database there is broken off before anything has happened, and begun again in a thread.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from riskscore.scoring.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from riskscore.database.features import FeatureRow
    from riskscore.errors import CallerFault
    from riskscore.scoring.model import Model
    from riskscore.scoring.pipeline import Parsed
    from riskscore.service.metrics import Metrics
    from riskscore.serving.deployment import Deployment

Result = TypeVar("Result")
LARGE_BYTES = 1_000_000  # of a body: few of these are worked on at once
THREADS = ThreadPoolExecutor(16, "scoring")  # most of them wait: for the disk of the ledger, or for the database
LARGE = ThreadPoolExecutor(2, "large")  # megabytes become hundreds of them while they are worked on
WATCHED = ThreadPoolExecutor(2, "watched")  # those who watch are answered even where all of the others wait


def threads_for(size: int) -> ThreadPoolExecutor:
    """Those that work on a body of so many bytes."""
    return LARGE if size > LARGE_BYTES else THREADS


async def in_thread(work: Callable[..., Result], *arguments: Any, threads: ThreadPoolExecutor = THREADS) -> Result:
    """The result of work done beside the server's own thread. Unlike a framework's, this wait can be broken off."""
    return await asyncio.get_running_loop().run_in_executor(threads, functools.partial(work, *arguments))


class WouldWait(BaseException):
    """On the server's own thread: what comes next may take long. No Exception, so that nothing answers it."""


class Lookup:
    """The deployment's feature queries, one at a time, since its one connection takes one at a time."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._one = threading.Lock()
        self._serving = 0  # the thread that must not wait

    def serve_on_this_thread(self) -> None:
        """From now on, raise WouldWait on the thread that calls this."""
        self._serving = threading.get_ident()

    def __call__(self, model: Model, keys: Sequence[Mapping[str, str]]) -> Sequence[FeatureRow | CallerFault]:
        if threading.get_ident() == self._serving:
            raise WouldWait
        with self._one:
            return self._deployment.look_up(model, keys)


class CountedEngine(Engine):
    """Counts each row by its model, version, engine and outcome, whatever its clients call these."""

    def __init__(self, metrics: Metrics, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._metrics = metrics

    def score_batches(self, items: Sequence[Any], shared: Mapping[str, Any], row_by_row: bool = False) -> Parsed:
        """As the engine scores; the time is that of the scoring alone."""
        started = time.perf_counter()
        parsed = super().score_batches(items, shared, row_by_row)
        self._metrics.scored(parsed.answers(), time.perf_counter() - started)
        return parsed
