"""The images: their Dockerfiles are sound, and what they install runs, shown by the same commands in a clean folder.

No image is built here: that takes a container engine. `install.sh` is what each of them runs.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILES = sorted((DEPLOY / "docker").glob("*.Dockerfile"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
TOOLS = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}"}
INSTALL_S = 300

EXPORT = "python -m sideman.export_web --to"
PAGE_STEPS = [
    "WORKDIR /src/clients",
    "COPY clients/ ./",
    "COPY --from=planner /planner/ web/public/planner/",
    "RUN npm ci --ignore-scripts --no-audit --no-fund && npm run build",
]

needs_uv = pytest.mark.skipif(not (TOOLS / "uv").exists() and shutil.which("uv") is None, reason="needs uv: make setup")


def run(*command, folder=ROOT, **more):
    environment = {**ENVIRONMENT, **more}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=INSTALL_S)


def stages(path):
    """The instructions of each stage, continued lines joined."""
    text = re.sub(r"\\\n", " ", path.read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    starts = [index for index, line in enumerate(lines) if line.startswith("FROM ")]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_hadolint_has_nothing_to_say(path):
    done = run(str(TOOLS / "hadolint"), str(path))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_runs_as_nobody_in_particular_says_how_it_is_and_names_exact_bases(path):
    last = stages(path)[-1]
    (user,) = (line.split()[1] for line in last if line.startswith("USER "))
    assert int(user.split(":")[0]) > 0
    assert any(line.startswith("HEALTHCHECK ") for line in last)
    bases = [stage[0].split()[1] for stage in stages(path)]
    assert all(re.fullmatch(r"[\w/.-]+:\d[\w.-]*", base) for base in bases), bases


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_images_install_with_the_script_that_is_proven_below(name):
    (install,) = (stage for stage in stages(DEPLOY / f"docker/{name}.Dockerfile") if stage[0].endswith(" AS install"))
    assert [line.startswith("RUN deploy/docker/install.sh ") for line in install if "install.sh" in line] == [True]
    assert "uv==" in (DEPLOY / f"docker/{name}.Dockerfile").read_text()


def test_an_unknown_kind_is_one_sentence(tmp_path):
    done = run("deploy/docker/install.sh", "fpga", str(tmp_path / "env"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


@pytest.mark.slow
@needs_uv
def test_our_own_wheel_is_the_same_byte_for_byte_each_time(tmp_path):
    built = []
    for number in "12":
        done = run("uv", "build", "--quiet", "--wheel", "--out-dir", str(tmp_path / number), SOURCE_DATE_EPOCH="1760000000")
        assert done.returncode == 0, done.stderr
        (wheel,) = (tmp_path / number).glob("*.whl")
        built.append(wheel.read_bytes())
    assert built[0] == built[1]


@pytest.mark.slow
@needs_uv
def test_what_the_gateways_image_installs_serves_and_has_no_jax(tmp_path):
    """Its health check is the image's own, on the port of the gateway that was started."""
    python = installed("gateway", tmp_path)
    assert run(python, "-c", "import jax", folder=tmp_path).returncode == 1
    command = [python, "-m", "gateway", "--port", "0", "--metrics-port", "0", "--worker", str(tmp_path / "w.sock"), "--with-parent"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path) as gateway:
        port = re.search(r":(\d+)/metrics", gateway.stdout.readline())[1]
        checked = run(python, "-c", healthcheck("gateway").replace("9765", port))
        gateway.stdin.close()
        assert gateway.wait(60) == 0
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.slow
@needs_uv
def test_what_the_cpu_workers_image_installs_runs_has_the_shipped_models_and_exports_one_for_the_page(tmp_path):
    python = installed("cpu", tmp_path)
    assert run(python, "-m", "inference", "--help", folder=tmp_path).returncode == 0
    found = run(python, "-c", "from sideman.paths import SHIPPED_CHECKPOINTS as s; print(*[p.parent / p.name for p in s])", folder=tmp_path)
    folders = [Path(folder) for folder in found.stdout.split()]
    assert [folder.name for folder in folders] == ["rl-m-small", "rl-s-small", "online-small", "offline-small"]
    assert all((folder / "manifest.json").is_file() and folder.is_relative_to(tmp_path) for folder in folders)
    done = run(python, *EXPORT.split()[1:], str(tmp_path / "planner"), folder=tmp_path)
    assert (done.returncode, len(list((tmp_path / "planner").glob("weights-*.bin")))) == (0, 1), done.stderr


@pytest.mark.parametrize("name", ["gateway", "web"])
def test_both_images_with_a_page_build_it_alike(name):
    """The steps are run once, in the test below; exporting the planner, by what the worker's image installs, above."""
    planner, page = (
        next(s for s in stages(DEPLOY / f"docker/{name}.Dockerfile") if s[0].endswith(f" AS {stage}")) for stage in ("planner", "page")
    )
    assert planner[-1] == f"RUN deploy/docker/install.sh cpu /opt/sideman && /opt/sideman/bin/{EXPORT} /planner"
    assert page[1:] == PAGE_STEPS


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node 20.19 or newer with npm")
def test_the_steps_that_build_the_page_do_so_in_a_clean_folder(tmp_path):
    left_out = shutil.ignore_patterns("node_modules", "instruments", "planner.json", "weights-*.bin", "__pycache__")
    shutil.copytree(ROOT / "clients", tmp_path / "clients", ignore=left_out)
    exported = run(sys.executable, *EXPORT.split()[1:], str(tmp_path / "clients/web/public/planner"))
    assert exported.returncode == 0, exported.stderr
    done = run("sh", "-c", PAGE_STEPS[-1].removeprefix("RUN "), folder=tmp_path / "clients")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "sideman/page/index.html").is_file(), "the images copy it from there"
    assert list((tmp_path / "sideman/page").rglob("weights-*.bin")), "it plans by itself where no service answers"


@pytest.mark.slow
@needs_uv
@pytest.mark.parametrize(("device", "package"), [("tpu", "libtpu"), ("cuda", "jax-cuda12-plugin")])
def test_what_accelerator_images_would_install_is_locked_and_can_be_had(device, package, tmp_path):
    """Gigabytes, so it is only resolved, hashes required."""
    done = run("deploy/docker/install.sh", device, str(tmp_path / "env"), DRY_RUN="1")
    assert done.returncode == 0, done.stderr
    assert f" + {package}==" in done.stdout + done.stderr


def installed(what, folder):
    """The Python of a clean environment that `install.sh` made."""
    done = run("deploy/docker/install.sh", what, str(folder / "env"))
    assert done.returncode == 0, done.stderr
    return str(folder / "env/bin/python")


def healthcheck(name):
    """The program an image's health check runs."""
    (line,) = (line for line in stages(DEPLOY / f"docker/{name}.Dockerfile")[-1] if line.startswith("HEALTHCHECK "))
    return yaml.safe_load(line.partition("CMD ")[2])[2]


# ---- compose ----


def test_compose_mounts_files_that_exist_and_opens_nothing_to_the_network():
    for name, service in COMPOSE["services"].items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), f"{name}: {source}"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_compose_builds_our_images_and_runs_them_with_a_read_only_root():
    for name in ("gateway", "worker"):
        service = COMPOSE["services"][name]
        assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_prometheus_scrapes_the_services_of_compose_under_the_names_that_rules_expect():
    jobs = yaml.safe_load((DEPLOY / "monitoring/prometheus.yaml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    assert targets == {"sideman-gateway": ["gateway:9765"], "sideman-worker": ["worker:9766"]}
