"""What goes into the images, the proof that the function's build demands, and a service of what its image holds."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from riskscore.errors import ArtefactRefused
from riskscore.selfcheck import SelfcheckFailed, check, unwanted
from tests.running_service import running_service
from tests.scoring_examples import EVENT, ROOT, answer

DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICE = (ROOT / "Dockerfile.service").read_text()
COPIED = re.compile(r"^COPY (\S+) (\S+)$", re.MULTILINE)


def locked(name: str) -> set[str]:
    """The packages that a lock file pins."""
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / name).read_text(), re.MULTILINE))


FUNCTION_PACKAGES = locked("requirements.txt")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The folders that the image holds, to be broken."""
    for folder in ("model", "sql", "events"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def edit(file: Path, change: dict[str, Any]) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | change))


def test_every_model_scores_on_each_of_its_engines(image: Path) -> None:
    models = sorted(file.parent.name for file in ROOT.glob("model/*/manifest.json"))
    assert [line.partition(":")[0] for line in check(image)] == models


def test_an_image_without_events_proves_nothing(image: Path) -> None:
    shutil.rmtree(image / "events" / "credit_risk")
    with pytest.raises(SelfcheckFailed, match="events/credit_risk holds no example events"):
        check(image)


def test_an_image_without_models_proves_nothing(image: Path) -> None:
    shutil.rmtree(image / "model")
    (image / "model").mkdir()
    with pytest.raises(SelfcheckFailed, match="no model in"):
        check(image)


def test_an_event_that_cannot_be_scored_stops_the_build(image: Path) -> None:
    edit(image / "events" / "credit_risk" / "S0001.json", {"features": {}})
    with pytest.raises(SelfcheckFailed, match=r"credit_risk on .* gave no score"):
        check(image)


def test_a_model_that_was_touched_stops_the_build(image: Path) -> None:
    with (image / "model" / "credit_risk" / "model.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ArtefactRefused, match=r"model\.json"):
        check(image)


@pytest.mark.parametrize("package", ["nvidia-nccl-cu12", "scikit-learn", "pytest-cov"])
def test_packages_that_an_image_must_not_carry_are_found(package: str) -> None:
    assert unwanted(["numpy", package]) == [package]


def test_the_functions_lock_is_fit_for_the_image() -> None:
    assert {"numpy", "joblib", "xgboost-cpu", "psycopg"} <= FUNCTION_PACKAGES
    assert not unwanted(sorted(FUNCTION_PACKAGES))
    assert "xgboost" not in FUNCTION_PACKAGES  # the one with 400 MB of CUDA


@pytest.mark.parametrize(
    ("dockerfile", "ignored"),
    [("Dockerfile", ".dockerignore"), ("Dockerfile.service", "Dockerfile.service.dockerignore")],
)
def test_everything_that_a_dockerfile_copies_passes_its_dockerignore(dockerfile: str, ignored: str) -> None:
    copied = [source for source, _ in COPIED.findall((ROOT / dockerfile).read_text())]
    lines = (ROOT / ignored).read_text().splitlines()
    assert copied
    assert sorted(copied) == sorted(line.removeprefix("!") for line in lines if line.startswith("!"))
    assert next(line for line in lines if not line.startswith("#")) == "*"


def test_the_packages_come_before_the_code() -> None:
    assert DOCKERFILE.index("--require-hashes") < DOCKERFILE.index("COPY riskscore")


def test_what_compose_starts_by_module_is_there() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    starts = [service["entrypoint"] for service in services if "entrypoint" in service]
    modules = [words[2] for words in starts if words[:2] == ["python", "-m"]]
    assert modules
    assert all(find_spec(module) for module in modules)


def test_compose_gives_the_function_the_reader_and_no_more() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert "//riskscore_reader:" in services["function"]["environment"]["DATABASE_URL"]
    assert services["function"]["read_only"] is True
    assert all("healthcheck" in services[name] for name in ("database", "function"))


# The service from what its image holds: the files that are copied, and the packages of its lock.


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's working folder, and beside it a folder of the packages that its lock names."""
    place = tmp_path_factory.mktemp("image") / "service"
    for source, target in COPIED.findall(SERVICE):
        if target.startswith("/"):
            continue  # the lock, which goes again
        copied = place / target / (Path(source).name if target.endswith("/") else "")
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, copied, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / source, copied)
    link_packages(locked("requirements-service.txt"), place.parent / "packages")
    return place


def link_packages(names: set[str], folder: Path) -> None:
    """Links to the packages of these names; those that are for other systems alone are not installed here."""
    folder.mkdir()
    for name in names:
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        for top in {file.parts[0] for file in package.files or ()} - {".."}:
            if not (folder / top).exists():
                (folder / top).symlink_to(str(package.locate_file(top)))


def in_image(*command: str) -> tuple[str, ...]:
    """A command of the image: its python finds the standard library and what PYTHONPATH says, and nothing else."""
    assert command[0] == "python"
    return (sys.executable, "-S", *command[1:])


def test_the_service_starts_and_answers_from_what_its_image_holds_alone(held: Path, tmp_path: Path) -> None:
    command = json.loads(SERVICE.rpartition("CMD ")[2])
    packages = {"PYTHONPATH": str(held.parent / "packages")}
    with (
        running_service(tmp_path, in_image(*command), held, **packages) as service,
        httpx.Client(base_url=service.url) as client,
    ):
        assert client.post("/predict", json=EVENT).json() == answer(EVENT)
        pages = ["/", "/docs", "/openapi.json", "/models", "/metrics", "/style.css", "/icon.svg"]
        assert [client.get(page).status_code for page in pages] == [200] * len(pages)
        assert 'value="S0001"' in client.get("/").text  # an example filled in
        assert [probed(held, port) for port in (service.url.rpartition(":")[2], "1")] == [0, 1]
    assert service.ledger.exists()


def health_check(dockerfile: str) -> list[str]:
    """The command of a Dockerfile's HEALTHCHECK."""
    found = re.search(r"^HEALTHCHECK .*?CMD (\[.*?\])$", dockerfile.replace("\\\n", ""), re.MULTILINE)
    assert found
    command: list[str] = json.loads(found[1])
    return command


def probed(held: Path, port: str) -> int:
    """How the service's image would end its look at the service on a port."""
    environ = {"PYTHONPATH": str(held.parent / "packages"), "PORT": port}
    done = subprocess.run(in_image(*health_check(SERVICE)), env=environ, capture_output=True, check=False)
    return done.returncode


def test_both_images_say_how_their_health_is_seen() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert services["function"]["healthcheck"]["test"] == ["CMD", *health_check(DOCKERFILE)]
    assert "/ready" in health_check(SERVICE)[-1]


def test_base_images_of_the_official_library_are_pinned_and_dependabot_moves_them() -> None:
    pinned = re.compile(r"[a-z]+:[a-z0-9.-]+@sha256:[0-9a-f]{64}")
    database = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["database"]["image"]
    base = re.search(r"^FROM (\S+)$", SERVICE, re.MULTILINE)
    assert base
    assert [bool(pinned.fullmatch(image)) for image in (database, base[1])] == [True, True]
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    assert {update["package-ecosystem"] for update in updates} >= {"docker", "docker-compose"}


QUERIES = """
from riskscore.serving.deployment import Deployment

deployment = Deployment({}, ".")
for model in map(deployment.find, deployment.names()):
    source = model.artefact.manifest["source"]
    if "sql" in source and source.get("dialect", "postgresql") == "postgresql":
        deployment.source(model)
        print(model.name)
"""


def test_the_services_image_holds_every_query(held: Path) -> None:
    done = subprocess.run(
        in_image("python", "-c", QUERIES),
        cwd=held,
        env={"PYTHONPATH": f"{held.parent / 'packages'}:."},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "credit_risk" in done.stdout.split()


def test_compose_gives_the_service_the_reader_a_place_for_its_ledger_and_no_more() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["service"]
    assert "//riskscore_reader:" in service["environment"]["DATABASE_URL"]
    assert service["read_only"] is True
    assert [volume.partition(":")[2] for volume in service["volumes"]] == re.findall(r"^VOLUME (\S+)$", SERVICE, re.M)
    assert "RISKSCORE_LEDGER=sqlite:////ledger/" in SERVICE
