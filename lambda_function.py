"""The AWS Lambda function: one JSON event in, one answer out.

A caller's fault is part of the answer. A fault of ours (a refused artefact, a database that is down) is
raised, so that Lambda counts it as an error and a retry or an alarm can see it. riskscore/serving/aws_envelopes.py
opens what a gateway, a load balancer, a queue or Step Functions wraps an event in, and answers in its own shape.
"""

from __future__ import annotations

import gc
import os
import sys

# joblib would look for /dev/shm, which Lambda doesn't have; and one row is slower with more threads.
os.environ.setdefault("JOBLIB_MULTIPROCESSING", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = os.path.dirname(os.path.abspath(__file__))
if ROOT not in sys.path:  # a runner that loads this file by its path
    sys.path.insert(0, ROOT)

from riskscore.scoring.events import require_fit  # noqa: E402
from riskscore.serving.deployment import Deployment  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEPLOYMENT = Deployment(os.environ, ROOT)
ENGINE = DEPLOYMENT.engine()
gc.freeze()  # what is here now stays: no collection of a large request has to walk through it
# Every envelope has one of these; in a list of messages, the first message has one.
MARKS = frozenset(
    ("requestContext", "Records", "Items", "detail-type", "eventSource", "awslogs", "deliveryStreamArn", "Event")
)


def lambda_handler(event: Any, context: Any) -> Any:
    """Score the event's rows; README.md shows the shapes of events and answers."""
    request_id = getattr(context, "aws_request_id", None)
    first = event[0] if isinstance(event, list) and event else event
    if isinstance(first, dict) and not MARKS.isdisjoint(first):
        from riskscore.serving.aws_envelopes import function_of, handler_of  # a plain event does without them

        handle = handler_of(event)
        if handle:
            return handle(event, function_of(DEPLOYMENT, ENGINE, ROOT), request_id)
    return ENGINE.answer(event, request_id, fits=require_fit)
