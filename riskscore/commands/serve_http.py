"""Serves scores over HTTP, with a web page, until Ctrl-C or SIGTERM. Requests in progress are answered first."""

from __future__ import annotations

import argparse
import os
import tempfile
from typing import TYPE_CHECKING

from riskscore.cli import DONE, ROOT, parsed, require_free
from riskscore.service.access_log import CONFIGURATION
from riskscore.service.settings import ServiceSettings, with_ledger
from riskscore.serving.deployment import Deployment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STOP_SECONDS = 30  # that requests under way get to end


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve; 1 where it can't start."""
    # As in the image, before numpy is imported: one row is slower with more threads.
    os.environ.setdefault("JOBLIB_MULTIPROCESSING", "0")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import uvicorn

    from riskscore.service.protocol import guarded

    settings = ServiceSettings.from_environ(environ)
    options = parsed(_parser(settings), arguments)
    deployment = Deployment(with_ledger(environ, str(ROOT)), str(ROOT))
    deployment.engine()  # once before the processes start: theirs would end and be started for ever
    if ledger := deployment.ledger():
        ledger.check()
        ledger.store.close()
    require_free(options.host, options.port, f"PORT={options.port + 1} ./run_api.sh")
    print(f"http://{options.host}:{options.port}  (the page; /docs for programs)  Ctrl-C ends it.", flush=True)
    with tempfile.TemporaryDirectory(prefix="riskscore-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # where the processes add up what they count
        os.environ["RISKSCORE_HOST"] = options.host  # one of the names that requests may be for
        uvicorn.run(
            "riskscore.service.app:from_environment",
            factory=True,
            host=options.host,
            port=options.port,
            workers=options.workers,
            loop="uvloop",  # the others make two processes wait for each other's acknowledgements
            http=guarded(settings.seconds, settings.connections),  # type: ignore[arg-type]
            ws="none",
            access_log=False,
            log_config=CONFIGURATION,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    return DONE


def _parser(settings: ServiceSettings) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--host", default=settings.host, help="address to listen on ($RISKSCORE_HOST; default: %(default)s)"
    )
    parser.add_argument("--port", type=int, default=settings.port, help="the port ($PORT; default: %(default)s)")
    parser.add_argument("--workers", type=int, default=settings.workers, help="processes (default: one per core)")
    return parser
