"""The image and the tutorial's servers: what can be seen of both without a Docker daemon.

The steps of the Dockerfile that need no package registry, its command and its health check are run
as they stand there, from a copy of what it copies, with the environment that compose.yaml gives.
"""

import ast
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from packaging.requirements import Requirement

from resident.testing import FakeFlipt
from tests.evidence import BOOTSTRAP_TOKEN, PASSWORD, ROOT_TOKEN, Evidence
from tests.servers import VaultServer, free_port

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 40

HEALTHY, UNHEALTHY = 0, 1

WHOLE_VERSION = re.compile(r":v?\d+\.\d+\.\d+(-[a-z]+)*$")
PIN = re.compile(r"([A-Za-z0-9_.-]+)==([0-9][A-Za-z0-9.]*)")


# What the files say


def interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    """A value of compose.yaml with its ${NAME:-default} filled in."""
    if isinstance(value, dict):
        return {key: interpolated(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, variables) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+):-(.*?)\}", lambda m: variables.get(m[1]) or m[2], value)
    return value


@cache
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text()))


def services(**variables: str) -> dict[str, dict[str, Any]]:
    """The services of compose.yaml, as they are where these variables are set."""
    return dict(interpolated(compose()["services"], variables))


def environment(service: str, **variables: str) -> dict[str, str]:
    return dict(services(**variables)[service].get("environment", {}))


@cache
def stages() -> list[list[tuple[str, str]]]:
    """The instructions of the Dockerfile, stage by stage: keyword, and what follows it."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    pairs = [
        (keyword, rest) for line in lines if line for keyword, _, rest in [line.partition(" ")]
    ]
    starts = [number for number, (keyword, _) in enumerate(pairs) if keyword == "FROM"]
    ends = [*starts[1:], len(pairs)]
    return [pairs[start:end] for start, end in zip(starts, ends, strict=True)]


def instructions(keyword: str, *, stage: int | None = None) -> list[str]:
    """What follows this keyword, in the whole Dockerfile or in one of its stages."""
    chosen = stages() if stage is None else [stages()[stage]]
    return [rest for instructions in chosen for word, rest in instructions if word == keyword]


def image_environment(*, stage: int = -1) -> dict[str, str]:
    """What this stage sets, and the base that each of them stands on."""
    lines = [*instructions("ENV", stage=0), *instructions("ENV", stage=stage)]
    return dict(pair.split("=", 1) for line in lines for pair in shlex.split(line))


def exec_form(keyword: str) -> list[str]:
    """The CMD or the HEALTHCHECK of the image, which both are in exec form."""
    [line] = instructions(keyword, stage=-1)
    return [str(word) for word in json.loads(line[line.index("[") :])]


def copied() -> list[str]:
    """What the Dockerfile takes from the folder that it is built in."""
    lines = [line.split() for line in instructions("COPY") if not line.startswith("--from")]
    return [source for *sources, _ in lines for source in sources]


def is_in_context(path: str) -> bool:
    """Whether .dockerignore lets a file through: its last line that matches the path decides."""
    path_and_parents = [path, *(str(parent) for parent in Path(path).parents)]
    inside = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if (
            line
            and not line.startswith("#")
            and any(_matches(p, pattern) for p in path_and_parents)
        ):
            inside = line.startswith("!")
    return inside


def _matches(path: str, pattern: str) -> bool:
    """As Docker does: * stops at a slash, **/ is any number of folders."""
    parts = re.split(r"(\*\*/|\*)", pattern)
    wild = {"**/": "(?:.*/)?", "*": "[^/]*"}
    expression = "".join(wild.get(part) or _literal(part) for part in parts)
    return re.fullmatch(expression, path) is not None


def _literal(part: str) -> str:
    """Everything is itself but a [set] of characters."""
    return re.escape(part).replace(r"\[", "[").replace(r"\]", "]")


# The image, as far as it can be made here


@dataclass(frozen=True)
class Image:
    """A folder with what the image has under / and the commands that run in it."""

    folder: Path
    evidence: Evidence

    def run(
        self, command: list[str], variables: Mapping[str, str] | None = None, *, port: int = 8080
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end, as a container of the image with these variables would."""
        return self._done(self._here(command, port), image_environment() | dict(variables or {}))

    def build(self, line: str) -> subprocess.CompletedProcess[str]:
        """Do what a RUN line of the builder's stage does."""
        return self._done(["sh", "-c", self._moved(line)], image_environment(stage=1))

    def health(self, port: int, variables: Mapping[str, str]) -> int:
        """What the image's health check ends with."""
        return self.run(exec_form("HEALTHCHECK"), variables, port=port).returncode

    @contextmanager
    def serving(self, variables: Mapping[str, str]) -> Iterator[int]:
        """The port of a container that has become healthy; it is stopped in the end."""
        port = free_port()
        assert self.health(port, variables) == UNHEALTHY, "nothing listens yet"
        log = self.folder / "log"
        serve = self._here(exec_form("CMD"), port)
        process = self._start(serve, image_environment() | dict(variables), log)
        try:
            deadline = time.monotonic() + START_SECONDS
            while self.health(port, variables) != HEALTHY or not self._all_started(log):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            status = _ended(process)
            self.evidence.keep("web", log.read_text())
        assert status == 0, log.read_text()
        assert self.health(port, variables) == UNHEALTHY, "nothing listens any more"

    def _all_started(self, log: Path) -> bool:
        """A worker that has not started yet would miss SIGTERM, and be killed much later."""
        words = exec_form("CMD")
        return log.read_text().count("Started worker-") == int(words[words.index("--workers") + 1])

    def _done(
        self, command: list[str], variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        output = self.folder / "output"
        status = _ended(self._start(command, variables, output))
        self.evidence.keep(command[-1], output.read_text())
        return subprocess.CompletedProcess(command, status, output.read_text())

    def _start(
        self, command: list[str], variables: Mapping[str, str], output: Path
    ) -> subprocess.Popen[bytes]:
        with output.open("w") as file:
            return subprocess.Popen(
                command,
                cwd=self.folder / "app",
                env=self._environment(variables),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Nothing but what a container would have; `resident` is installed, so to speak."""
        return {name: self._moved(value) for name, value in variables.items()} | {
            "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
            "PYTHONPATH": str(self.folder / "packages"),
            "HOME": "/nonexistent",
        }

    def _moved(self, text: str) -> str:
        text = text.replace("/venv/bin/python", sys.executable)
        return re.sub(r"(?<=/)/(?=data/)", f"{self.folder}/", text)

    def _here(self, command: list[str], port: int) -> list[str]:
        return [re.sub(r"\b8080\b", str(port), word) for word in command]


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit status; what doesn't end in time is killed, with all that it started."""
    try:
        return process.wait(START_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the builder's steps from its last WORKDIR on leave in the image."""
    folder = tmp_path_factory.mktemp("image")
    for name in ("app", "data", "packages"):
        (folder / name).mkdir()
    (folder / "packages" / "resident").symlink_to(ROOT / "resident")
    for source in ("manage.py", "project", "greeting"):
        assert source in copied()
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, folder / "app" / source)
    [line] = [line for line in instructions("RUN") if "collectstatic" in line]
    collected = Image(folder, Evidence()).build(line)
    assert collected.returncode == 0, collected.stdout
    return folder


@pytest.fixture
def image(built: Path, evidence: Evidence) -> Image:
    return Image(built, evidence)


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, str]:
    """An environment and a home without settings for the tools."""
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}


def tool(name: str) -> str:
    """The path of a command of this virtualenv, or of this machine; skips where it is missing."""
    path = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if path is None:
        pytest.skip(f"needs {name}: pip install -e '.[dev]'")
    return path


# The files as such


def test_compose_yaml_is_what_compose_reads(clean: dict[str, str]) -> None:
    checker = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]
    found = subprocess.run(
        [*checker, ROOT / "compose.yaml"], env=clean, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout


def test_hadolint_has_nothing_to_say_and_nothing_was_hidden_from_it(
    clean: dict[str, str], tmp_path: Path
) -> None:
    found = subprocess.run(
        [tool("hadolint"), "--disable-ignore-pragma", ROOT / "Dockerfile"],
        cwd=tmp_path,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_every_image_is_pinned_to_a_whole_version() -> None:
    built = {service["image"] for service in services().values() if "build" in service}
    pulled = {service["image"] for service in services().values()} - built
    named = {line.partition(" AS ")[2] for line in instructions("FROM")}
    bases = {line.partition(" AS ")[0] for line in instructions("FROM")} - named
    assert pulled == {services()["vault"]["image"], services()["flipt"]["image"]}
    assert len(bases) == 1, "one Python builds the virtualenv, and runs it"
    assert [name for name in pulled | bases if not WHOLE_VERSION.search(name)] == []


def test_every_direct_dependency_is_pinned_in_its_range() -> None:
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    pins = {match[1].lower(): match[2] for line in lines if (match := PIN.fullmatch(line))}
    assert len(pins) == len(lines), "each line is name==version, and no name comes twice"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in map(Requirement, project["dependencies"]):
        assert requirement.specifier.contains(pins[requirement.name.lower()]), requirement


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".env",
        ".env.production",
        "db.sqlite3",
        "staticfiles/admin/css/base.css",
        "tests/test_deployment.py",
        "project/.env",
        "project/db.sqlite3-journal",
        "project/__pycache__/settings.cpython-313.pyc",
        "secrets.txt",
    ],
)
def test_what_stays_out_of_the_image(path: str) -> None:
    assert not is_in_context(path)


def test_what_the_dockerfile_copies_is_there_to_be_copied() -> None:
    for source in copied():
        assert (ROOT / source).exists(), source
        assert is_in_context(source), source
    assert is_in_context("resident/flags/engine.py")
    assert is_in_context("greeting/features.yml")


def test_the_package_brings_all_of_its_files() -> None:
    """In the image it is a wheel: a template that pyproject.toml forgets is missing there alone."""
    package = ROOT / "resident"
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "package-data"
    ]
    brought = {path for pattern in data["resident"] for path in package.glob(pattern)}
    there = {
        path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path for path in there - brought if path.suffix != ".py"} == set()


def test_env_example_lists_exactly_what_the_settings_read() -> None:
    example = (ROOT / ".env.example").read_text()
    listed = re.findall(r"^# ([A-Z][A-Z0-9_]*)=", example, flags=re.MULTILINE)
    assert sorted(listed) == sorted(variables_of_the_settings())
    assert re.findall(r"^[^#\n].*", example, flags=re.MULTILINE) == [], "copied, it changes nothing"
    explained = re.findall(r"^# .*\bDefault: .+\.\n# ([A-Z0-9_]+)=", example, flags=re.MULTILINE)
    assert explained == listed


def variables_of_the_settings() -> set[str]:
    """The first argument of each `env.something("NAME")`."""
    tree = ast.parse((ROOT / "project" / "settings.py").read_text())
    return {
        str(call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and ast.unparse(call.func.value) == "env"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


# The tutorial's servers


def test_whoever_goes_on_running_has_a_health_check_and_whoever_waits_waits_for_it() -> None:
    waits = [
        (name, condition["condition"])
        for service in services().values()
        for name, condition in service.get("depends_on", {}).items()
    ]
    ends = {name for name, condition in waits if condition == "service_completed_successfully"}
    goes_on = services().keys() - ends
    assert goes_on == {"vault", "flipt", "web"}
    assert ends == {"provision", "migrate"}
    for name in goes_on:
        service = services()[name]
        assert "healthcheck" in service or ("build" in service and instructions("HEALTHCHECK"))
        assert {condition for waited, condition in waits if waited == name} <= {"service_healthy"}
    assert {services()[name]["restart"] for name in ends} == {"no"}


def test_only_provision_has_the_administrators_tokens() -> None:
    chosen = {"VAULT_TOKEN": ROOT_TOKEN, "FLIPT_API_TOKEN": BOOTSTRAP_TOKEN}
    tokens = set(chosen.values())
    knows = {name for name in services() if tokens & set(environment(name, **chosen).values())}
    assert knows - {"vault", "flipt"} == {"provision"}
    assert environment("web").keys() == {
        "VAULT_ADDR", "VAULT_USER", "VAULT_PASS", "VAULT_SECRET_PATH",
        "SECRET_KEY", "ALLOWED_HOSTS", "DEBUG",
    }  # fmt: skip


def test_flipt_asks_everybody_for_a_token_and_does_not_print_it() -> None:
    flipt = environment("flipt", FLIPT_API_TOKEN=BOOTSTRAP_TOKEN)
    assert flipt["FLIPT_AUTHENTICATION_REQUIRED"] == "true"
    assert flipt["FLIPT_AUTHENTICATION_METHODS_TOKEN_ENABLED"] == "true"
    assert flipt["FLIPT_AUTHENTICATION_METHODS_TOKEN_BOOTSTRAP_TOKEN"] == BOOTSTRAP_TOKEN
    assert flipt["FLIPT_LOG_LEVEL"] == "warn"


def test_without_any_variable_it_is_the_tutorial() -> None:
    web, provision = environment("web"), environment("provision")
    assert (web["VAULT_USER"], web["VAULT_PASS"]) == ("demoapp", "test123")
    assert web["VAULT_SECRET_PATH"] == "secret/demoapp"
    assert provision["VAULT_TOKEN"] == environment("vault")["VAULT_DEV_ROOT_TOKEN_ID"]
    published = {port for service in services().values() for port in service.get("ports", [])}
    assert published == {
        "127.0.0.1:8080:8080", "127.0.0.1:8100:8080", "127.0.0.1:8200:8200"
    }, "known passwords, so for this machine alone"  # fmt: skip


def test_whoever_sets_other_credentials_gets_them_everywhere() -> None:
    others = {"VAULT_USER": "alice", "VAULT_PASS": PASSWORD, "VAULT_SECRET_PATH": "kv/alice"}
    for service in ("provision", "web"):
        assert others.items() <= environment(service, **others).items()
    others = {"VAULT_TOKEN": ROOT_TOKEN, "FLIPT_API_TOKEN": BOOTSTRAP_TOKEN}
    assert others.items() <= environment("provision", **others).items()
    assert ROOT_TOKEN in environment("vault", **others).values()
    assert BOOTSTRAP_TOKEN in environment("flipt", **others).values()
    others = {"SECRET_KEY": "k" * 50, "ALLOWED_HOSTS": "www.example.org"}
    assert others.items() <= environment("web", **others).items()


def test_no_container_can_do_more_than_it_must() -> None:
    for name, service in services().items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert services()["migrate"]["network_mode"] == "none"
    assert instructions("USER", stage=-1) == ["10001:10001"]


def test_what_must_outlive_a_container_is_on_a_volume() -> None:
    mounts = {name: service.get("volumes", []) for name, service in services().items()}
    assert mounts["flipt"] == ["flags:/var/opt/flipt"]
    assert mounts["web"] == mounts["migrate"] == ["database:/data"]
    assert compose()["volumes"].keys() == {"flags", "database"}
    assert image_environment()["DATABASE_URL"].startswith("sqlite:////data/")


def test_docker_waits_longer_for_the_server_than_the_server_for_its_requests() -> None:
    words = exec_form("CMD")
    patience = int(words[words.index("--workers-kill-timeout") + 1])
    assert int(services()["web"]["stop_grace_period"].removesuffix("s")) > patience


def test_no_stage_of_the_image_keeps_a_credential() -> None:
    assert image_environment()["DEBUG"] == "off"
    names = image_environment().keys()
    assert not names & (variables_of_the_settings() - {"DEBUG", "DATABASE_URL", "FLIPT_LAST_KNOWN"})
    assert instructions("ARG") == []


# The image runs


def test_static_files_are_collected_without_vault(image: Image) -> None:
    assert (image.folder / "app" / "staticfiles" / "admin" / "css" / "base.css").is_file()


def test_the_image_does_not_start_without_a_secret_key(image: Image) -> None:
    refused = image.run(exec_form("CMD"), port=free_port())
    assert refused.returncode == 1
    assert "SECRET_KEY is not set" in refused.stdout


@pytest.mark.slow
@pytest.mark.parametrize("allowed_hosts", [".example.org,localhost", "*"])
def test_the_image_alone_is_healthy_while_it_serves(image: Image, allowed_hosts: str) -> None:
    variables = {"SECRET_KEY": "k" * 50, "ALLOWED_HOSTS": allowed_hosts}
    with image.serving(variables) as port, requests.Session() as visitor:
        visitor.trust_env = False
        home = visitor.get(f"http://127.0.0.1:{port}/", headers={"Host": "www.example.org"})
        assert home.text == "Hello, world!"


@pytest.mark.slow
def test_up(image: Image, evidence: Evidence) -> None:
    """What `docker compose up` does, with the commands and environments of compose.yaml."""
    chosen = {
        "VAULT_TOKEN": ROOT_TOKEN,
        "FLIPT_API_TOKEN": BOOTSTRAP_TOKEN,
        "VAULT_PASS": PASSWORD,
    }
    with VaultServer(root_token=ROOT_TOKEN) as vault, FakeFlipt(token=BOOTSTRAP_TOKEN) as flipt:
        addresses = {"http://vault:8200": vault.addr, "http://flipt:8080": flipt.url}

        def within_reach(service: str) -> dict[str, str]:
            told = environment(service, **chosen)
            return {name: addresses.get(value, value) for name, value in told.items()}

        for service in ("migrate", "provision", "provision"):
            done = image.run(services()[service]["command"], within_reach(service))
            assert done.returncode == 0, done.stdout

        with image.serving(within_reach("web")) as port, requests.Session() as visitor:
            visitor.trust_env = False
            site = f"http://127.0.0.1:{port}"
            stranger = within_reach("web") | {"ALLOWED_HOSTS": "elsewhere.example"}
            assert image.health(port, stranger) == UNHEALTHY, "it takes 200 for an answer, no less"
            assert visitor.get(f"{site}/").text == "Hello, world!"
            assert visitor.get(f"{site}/static/admin/css/base.css").ok
            form = visitor.get(f"{site}/admin/login/")
            sent = {
                "username": "nobody",
                "password": "-",
                "csrfmiddlewaretoken": visitor.cookies["csrftoken"],
            }
            refused = visitor.post(form.url, sent, headers={"Referer": form.url})
            assert "correct username and password" in refused.text, "so it has its tables"
