"""What a deployment says by its environment variables: which models, which engine, which database.

RISKSCORE_MODEL            the model that goes first where an event names none (default: credit_risk)
RISKSCORE_MODELS           the only models that are served, with commas between them (default: all that are there)
RISKSCORE_ENGINE           auto, joblib or twin (default: auto)
RISKSCORE_MANIFEST_SHA256  what the default model's manifest must hash to (default: not checked); no other model is
                           served then, unless a public key vouches for it
RISKSCORE_PUBLIC_KEY       who must have signed every model's manifest (default: not checked)
RISKSCORE_SERIALS          with a public key: the file of the highest serial seen of each model, an older one of which
                           is refused (default: in the temporary folder)
RISKSCORE_MODEL_URI        s3://bucket/prefix or a folder that keeps the models (default: model/ beside the code)
RISKSCORE_LEDGER           a SQLAlchemy URL: where every answered row is kept before it leaves (default: nowhere)
RISKSCORE_RESULTS          sqlite:///FILE: scored rows of the offer models into its table results_clicked too
RISKSCORE_LEDGER_HEADS     a file, s3://bucket/prefix or https://...: where the ledger's head is published
RISKSCORE_LEDGER_KEY       the file of the private key that signs the heads; RISKSCORE_LEDGER_PUBLIC_KEY to verify
RISKSCORE_OUTPUT           s3://bucket/prefix or a folder: where the answers to messages are kept (default: nowhere)
DATABASE_URL, PGURL, PG*   where events that name only keys find their features
"""

from __future__ import annotations

import os
import sys

from riskscore.artefact.artefact import find_model, list_models, open_artefact, open_manifest
from riskscore.errors import ArtefactRefused, InvalidFile, NotConfigured, UnknownModel
from riskscore.scoring.engine import Engine
from riskscore.scoring.model import Model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from riskscore.artefact.artefact import Artefact
    from riskscore.artefact.remote import Folder, Published
    from riskscore.database.connection import Database
    from riskscore.database.features import FeatureRow, FeatureSource
    from riskscore.errors import CallerFault
    from riskscore.ledger.ledger import Ledger
    from riskscore.scoring.dispatch import Fields
    from riskscore.serving.output import Output

DEFAULT_MODEL = "credit_risk"

# Lambda's words for a start that nobody waits for: there even the large request's engine is loaded ahead.
UNHURRIED = ("provisioned-concurrency", "snap-start")


class Deployment:
    """The models and the database behind an engine, each opened when first needed and then kept."""

    def __init__(self, environ: Mapping[str, str], root: str) -> None:
        self._environ = environ
        self._root = root
        self._models: dict[str, Model] = {}
        self._fields: dict[str, Fields] = {}
        self._database: Database | None = None
        self._elsewhere: Published | Folder | None = None
        self._ledger: Ledger | None = None
        self._output: Output | None = None
        self._bucket = environ.get("RISKSCORE_MODEL_URI", "").startswith("s3://")
        self._only = [name.strip() for name in environ.get("RISKSCORE_MODELS", "").split(",") if name.strip()]
        self.default_model = environ.get("RISKSCORE_MODEL") or _default(self._only)

    def find(self, name: str) -> Model:
        """The model of this name, checked and loaded. Raises UnknownModel or ArtefactRefused."""
        if name not in self._models:
            self._models[name] = Model(self._open(name), self._environ.get("RISKSCORE_ENGINE") or "auto")
        return self._models[name]

    def names(self) -> list[str]:
        """The models that an event may name."""
        if self._pinned():
            return [self.default_model]
        elsewhere = self._models_elsewhere()
        found = elsewhere.names() if elsewhere else list_models(os.path.join(self._root, "model"))
        return [name for name in found if not self._only or name in self._only]

    def fields(self) -> dict[str, Fields]:
        """The names in the rows of each model that an event may name; of one that is refused nothing is known."""
        from riskscore.scoring.dispatch import Fields

        names = self.names()
        for name in names:
            if name not in self._fields:
                try:
                    self._fields[name] = Fields(self._manifest(name))
                except (ArtefactRefused, UnknownModel):
                    continue
        return {name: self._fields[name] for name in names if name in self._fields}

    def _manifest(self, name: str) -> Mapping[str, Any]:
        """A served model's manifest; the files that it names are left alone where they lie beside the code."""
        if name in self._models:
            return self._models[name].artefact.manifest
        if self._models_elsewhere():
            return self._open(name).manifest
        folder = find_model(os.path.join(self._root, "model"), name)
        return open_manifest(folder, public_key=self._environ.get("RISKSCORE_PUBLIC_KEY") or None)[0]

    def _pinned(self) -> bool:
        """Whether only the default model is served: who pins one wants no other loaded that nothing vouches for."""
        return bool(self._environ.get("RISKSCORE_MANIFEST_SHA256")) and not self._environ.get("RISKSCORE_PUBLIC_KEY")

    def _open(self, name: str) -> Artefact:
        default = name == self.default_model
        if self._pinned() and not default:
            raise UnknownModel(f"unknown model; this function is pinned to {self.default_model}", "model")
        if self._only and name not in self._only:
            raise UnknownModel(f"unknown model; this function serves {', '.join(self._only)}", "model")
        expected = self._environ.get("RISKSCORE_MANIFEST_SHA256") or None if default else None
        artefact = self._checked(name, expected)
        if not expected:  # who pins a version means that one
            self._admit(artefact)
        return artefact

    def _checked(self, name: str, expected: str | None) -> Artefact:
        elsewhere = self._models_elsewhere()
        if not elsewhere:
            public_key = self._environ.get("RISKSCORE_PUBLIC_KEY") or None
            return open_artefact(find_model(os.path.join(self._root, "model"), name), expected, public_key)
        if name != self.default_model:  # an event said it
            elsewhere.require(name)
        return elsewhere.open(name, expected)

    def _admit(self, artefact: Artefact) -> None:
        """Refuse a signed model that is older than one that was served here."""
        public_key = self._environ.get("RISKSCORE_PUBLIC_KEY")
        if public_key:
            from riskscore.artefact.serials import serials_of

            place = self._environ.get("RISKSCORE_MODEL_URI") or self._root
            serials_of(self._environ, place, public_key).admit(artefact.name, artefact.manifest.get("serial", 0))

    def _models_elsewhere(self) -> Published | Folder | None:
        uri = self._environ.get("RISKSCORE_MODEL_URI")
        if uri and self._elsewhere is None:
            from riskscore.artefact.remote import models_at

            self._elsewhere = models_at(uri, self._environ, self._environ.get("RISKSCORE_PUBLIC_KEY") or None)
        return self._elsewhere

    def look_up(self, model: Model, keys: Sequence[Mapping[str, str]]) -> Sequence[FeatureRow | CallerFault]:
        """The features of some keys, computed by the model's SQL in the configured database."""
        from riskscore.database.connection import Database, url_from

        if self._database is None:
            self._database = Database(url_from(self._environ), self._environ)
        return self.source(model).lookup(self._database, keys)

    def source(self, model: Model) -> FeatureSource:
        """The model's feature query, the same file that it was trained with or refused."""
        from riskscore.database.features import FeatureSource

        manifest = model.artefact.manifest
        path = os.path.join(model.artefact.folder, "features.sql")  # a published model brings its query along
        if not os.path.isfile(path):
            path = os.path.join(self._root, manifest["source"]["sql"])
        return FeatureSource.from_file(
            path, manifest["source"], manifest["ids"], model.contract.names, manifest["source"]["sha256"]
        )

    def engine(self) -> Engine:
        """The engine, its default model checked and loaded.

        A broken one stops the start where nothing else is served; else it alone fails, at each event that is for it.
        """
        absent = [name for name in self._only if name not in self.names()]
        if absent:
            raise NotConfigured(f"RISKSCORE_MODELS: there is no model {absent[0]}", "RISKSCORE_MODELS")
        try:
            model = self.find(self.default_model)
            if self._environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") in UNHURRIED:
                model.prepare()
        except UnknownModel as error:  # no event named it: the deployment did
            raise NotConfigured(f"RISKSCORE_MODEL: {error.message}", "RISKSCORE_MODEL") from None
        except ArtefactRefused as error:
            if set(self.names()) <= {self.default_model}:
                raise
            print(f"{error.message}; the other models are served", file=sys.stderr, flush=True)
        ledger = self.ledger()
        record, recall = (ledger.record, ledger.recall) if ledger else (None, None)
        return Engine(self.find, self.default_model, self.look_up, record, recall, self.fields)

    def ledger(self, may_make: bool = True) -> Ledger | None:
        """The ledger of RISKSCORE_LEDGER, one for the whole process; None where that isn't set."""
        url, results = self._environ.get("RISKSCORE_LEDGER"), self._environ.get("RISKSCORE_RESULTS")
        if results and not url:
            message = "RISKSCORE_RESULTS is filled from the ledger: set RISKSCORE_LEDGER too"
            raise NotConfigured(message, "RISKSCORE_RESULTS")
        if url and self._ledger is None:
            try:
                from riskscore.ledger.heads import heads_of
                from riskscore.ledger.ledger import Ledger
                from riskscore.sources.results import ResultTables
            except ModuleNotFoundError:  # the function's image is without it
                message = "RISKSCORE_LEDGER needs SQLAlchemy: add requirements-service.txt's to the installation"
                raise NotConfigured(message, "RISKSCORE_LEDGER") from None
            tables = ResultTables(results) if results and may_make else None
            self._ledger = Ledger(url, self._environ, may_make, heads_of(self._environ, url), tables)
        return self._ledger

    def output(self) -> Output | None:
        """Where the answers to messages are kept by RISKSCORE_OUTPUT; None where that isn't set."""
        uri = self._environ.get("RISKSCORE_OUTPUT")
        if uri and self._output is None:
            from riskscore.serving.output import output_at

            self._output = output_at(uri)
        return self._output

    def version(self, name: str, manifest_sha256: str) -> Model:
        """The model whose manifest hashes to this: the one that is served, or another version that is kept.

        Raises ArtefactRefused or UnknownModel where it is nowhere.
        """
        key = f"{name}@{manifest_sha256}"
        if key not in self._models:
            is_served = (served := self.find(name)).artefact.manifest_sha256 == manifest_sha256
            self._models[key] = served if is_served else self._other_version(served, manifest_sha256)
        return self._models[key]

    def named_version(self, name: str, named: str) -> Model:
        """The version of this name, or whose hash starts so; in a bucket the whole hash names it."""
        if not self._bucket:
            from riskscore.artefact.versions import find_version

            named = find_version(self.find(name).artefact.folder, named).digest
        elif len(named) != 64:
            raise InvalidFile("a version in a bucket is named by the 64 digits of its manifest's SHA-256")
        return self.version(name, named)

    def _other_version(self, served: Model, manifest_sha256: str) -> Model:
        if self._bucket:
            return Model(self._models_elsewhere().open(served.name, manifest_sha256))  # type: ignore[union-attr]
        from riskscore.artefact.versions import version_by_hash

        key = self._environ.get("RISKSCORE_PUBLIC_KEY") or None
        return Model(version_by_hash(served.artefact.folder, manifest_sha256, key))


def _default(only: Sequence[str]) -> str:
    """The model of events that name none, where no variable says which."""
    return DEFAULT_MODEL if not only or DEFAULT_MODEL in only else only[0]


def engine_from(environ: Mapping[str, str], root: str) -> Engine:
    """The engine of a deployment. root: the folder that holds model/ and sql/."""
    return Deployment(environ, root).engine()
