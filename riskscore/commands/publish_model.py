"""Publishes a model to S3, from where functions with RISKSCORE_MODEL_URI load it. The pointer is written last."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from riskscore.artefact.artefact import list_models
from riskscore.artefact.publishing import check_serial, publish, read_version
from riskscore.artefact.s3 import VARIABLE, Bucket
from riskscore.cli import DONE, ROOT, model_argument, parsed, require_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Publish; 0 when the bucket serves this version."""
    options = parsed(_parser(), arguments)
    require_model(options.model, list_models(str(options.models)), options.models)
    folder = options.models / options.model
    bucket = Bucket(options.uri)
    public_key = environ.get("RISKSCORE_PUBLIC_KEY") or None
    digest, uploads = read_version(folder, options.models.resolve().parent, public_key)
    check_serial(folder, bucket)
    for key, size, new in publish(uploads, bucket):
        print(f"{'uploaded' if new else 'is there'}  {size:>12,} bytes  {bucket.uri}/{key}")
    print(f"functions that start from now on serve it with {VARIABLE}={bucket.uri}")
    print(f"and this version alone with RISKSCORE_MANIFEST_SHA256={digest}")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    model_argument(parser, metavar="NAME", help="the model's name, e.g. credit_risk")
    parser.add_argument("uri", metavar="s3://bucket/prefix", help="the bucket and prefix of the models")
    parser.add_argument("--models", type=Path, metavar="DIR", default=ROOT / "model", help="folder of models")
    return parser
