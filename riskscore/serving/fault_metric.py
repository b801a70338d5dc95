"""A fault that is answered, or left in a queue, is no error of the invocation: it is counted as a metric of our own."""

from __future__ import annotations

import json
import os
import time

from riskscore.fault_log import fault, log


def report(error: Exception, **about: str) -> None:
    """Log a fault in CloudWatch's embedded metric format. about: what else the line says."""
    metric = {"Namespace": "riskscore", "Dimensions": [["function"]], "Metrics": [{"Name": "faults", "Unit": "Count"}]}
    counted = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metric]},
        "function": os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or "riskscore",
        "faults": 1,
    }
    log(json.dumps({"level": "ERROR", **fault(error), **about, **counted}))
