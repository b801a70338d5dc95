"""A request's line: JSON whatever its parts hold, and nothing beside them."""

from __future__ import annotations

import json

import pytest

from riskscore.service import access_log
from riskscore.service.requests import Request


def line_of(capsys: pytest.CaptureFixture[str], headers: dict[bytes, bytes], caller: str | None = None) -> str:
    request = Request({"method": 'P"T', "path": "/predict", "headers": list(headers.items())})
    request.caller, request.body = caller, b"{}"
    access_log.request(request, "/predict", 200, 0.0012345678)
    return capsys.readouterr().err


@pytest.mark.parametrize("caller", [None, "north", 'Müller "&" Söhne\\'])
@pytest.mark.parametrize("name", ["r-1", 'a"b\\c', "{}"])
def test_a_line_is_one_object_with_these_fields(capsys, name, caller):
    line = line_of(capsys, {b"x-request-id": name.encode()}, caller)
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    fields = json.loads(line)
    assert fields.pop("time").endswith("Z")
    who = {"caller": caller} if caller else {}
    expected = {"level": "info", "request_id": name} | who
    expected |= {"method": 'P"T', "route": "/predict", "status": 200, "ms": 1.235, "request_bytes": 2}
    assert list(fields.items()) == list(expected.items())


def test_a_time_is_utc_to_the_millisecond():
    assert access_log.moment(1763631000.1259) == "2025-11-20T09:30:00.125Z"
