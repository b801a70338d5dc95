"""What the tests stand on: a real PostgreSQL, the real Lambda emulator, the real runtime client."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from riskscore.embedded import temporary_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a real PostgreSQL with an empty database; RISKSCORE_TEST_POSTGRES_URL names another server."""
    elsewhere = os.environ.get("RISKSCORE_TEST_POSTGRES_URL")
    if elsewhere:
        yield elsewhere
    else:
        with temporary_postgres() as url:
            yield url


@pytest.fixture
def database(postgres_url: str) -> Iterator[str]:
    """The URL of a fresh, empty database, dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        try:
            yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
        finally:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (name,),
            )
            connection.execute(f"DROP DATABASE IF EXISTS {name}")
