"""Envelopes as AWS documents them, made to ask whatever a test wants to ask."""

from __future__ import annotations

import json
from typing import Any

from tests.scoring_examples import ROOT

SAMPLES = {path.stem: json.loads(path.read_bytes()) for path in sorted((ROOT / "events" / "envelopes").glob("*.json"))}
HTTP = ("api-gateway-v1", "api-gateway-v2", "function-url", "load-balancer", "load-balancer-multi-value")
BALANCERS = ("load-balancer", "load-balancer-multi-value")
MANY_VALUES = "load-balancer-multi-value"


def sample(name: str, **changes: Any) -> dict[str, Any]:
    """A documented envelope with some of its keys changed; a base64 body is taken for what it is only where it is."""
    copied: dict[str, Any] = json.loads(json.dumps(SAMPLES[name]))
    if "body" in changes:
        copied["isBase64Encoded"] = False
    return copied | changes


def asking(name: str, method: str, path: str, body: str | None = None, content_type: str | None = None) -> Any:
    """A documented HTTP envelope that asks something else."""
    asked = sample(name, body=body)
    if content_type is not None and name == MANY_VALUES:
        asked["multiValueHeaders"]["content-type"] = [content_type]
    elif content_type is not None:
        asked["headers"] = {"Content-Type": content_type}
    if name == "api-gateway-v1":
        return asked | {"httpMethod": method, "path": path, "pathParameters": {"proxy": path[1:]}}
    if name in BALANCERS:
        return asked | {"httpMethod": method, "path": path}
    context = asked["requestContext"]
    stage = "" if context["stage"] == "$default" else f"/{context['stage']}"
    http = context["http"] | {"method": method, "path": stage + path}
    return asked | {"rawPath": stage + path, "requestContext": context | {"http": http}}
