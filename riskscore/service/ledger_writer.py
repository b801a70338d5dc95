"""The ledger as a server needs it: nobody else waits while the rows of one request go to the disk.

Scoring a small request on the server's own thread takes a fraction of what handing it to another does. Its rows are
handed over instead: whatever came together while the disk was busy is written next, in one transaction, and each answer
leaves when its rows are there.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from riskscore.service.workers import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from riskscore.ledger.ledger import Ledger
    from riskscore.scoring.records import Entry, Request

    Rows = Sequence[Entry]


class LedgerWriter:
    """Keeps rows at once on any thread but the server's own, where they are `queued_rows` over, to be `kept`."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._disk = ThreadPoolExecutor(1, "ledger")  # of its own: the others may all be waiting for something else
        self._serving = 0  # the thread that must not wait
        self._handed: Rows = ()
        self._waiting: list[tuple[Rows, asyncio.Future[Any]]] = []
        self._writer: asyncio.Task[None] | None = None

    def serve_on_this_thread(self) -> None:
        """From now on, the thread that calls this hands rows over."""
        self._serving = threading.get_ident()

    def record(self, entries: Rows) -> Any:
        """As the ledger's, but for the server's own thread: there nothing is written yet."""
        if threading.get_ident() != self._serving:
            return self.ledger.record(entries)
        self._handed = entries
        return None

    def recall(self, request: Request) -> Any:
        """As the ledger's. The server's own thread doesn't look: a known request shows when it is written."""
        return None if threading.get_ident() == self._serving else self.ledger.recall(request)

    def queued_rows(self) -> Rows:
        """The rows that were handed over since the last call; () where there are none."""
        rows, self._handed = self._handed, ()
        return rows

    async def kept(self, rows: Rows) -> Any:
        """Wait until a request's rows are on the disk. None, or the answer that it got before."""
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        return await written

    async def _write(self) -> None:
        """Write what waits, and what comes meanwhile, until nothing does."""
        while self._waiting:
            requests, self._waiting = self._waiting, []
            rows_of_each = [rows for rows, _ in requests]
            found = await in_thread(self.ledger.record_together, rows_of_each, threads=self._disk)
            for (_, written), said in zip(requests, found, strict=True):
                if written.done():  # its request took too long, and was answered so
                    continue
                if isinstance(said, Exception):
                    written.set_exception(said)
                else:
                    written.set_result(said)
        self._writer = None
