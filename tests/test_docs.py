"""The documents say what the code says: messages, codes, settings, metrics, commands. What is missing is named."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from msgspec import inspect
from prometheus_client import CollectorRegistry

from gateway.metrics import Metrics
from gateway.settings import PREFIX, GatewaySettings
from inference.loop import Resident
from inference.metrics import EngineMetrics
from inference.toy_engine import ToyEngine
from schema import client_messages
from schema.client_messages import ClientMessage, Density, GatewayMessage, KeepReason, Message, Style, Voicing
from schema.codes import CLOSES, ErrorCode
from schema.engine_messages import ModelInfo, WorkerState
from sideman.cli import BENCHMARKS, COMMANDS

ROOT = Path(__file__).parents[1]
PROTOCOL, RUNBOOK, README, METRICS = (
    (ROOT / name).read_text() for name in ("schema/PROTOCOL.md", "deploy/RUNBOOK.md", "README.md", "docs/operations/metrics.md")
)
UNIT = (ROOT / "deploy/systemd/sideman.service").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()

TAGGED = (*get_args(ClientMessage), *get_args(GatewayMessage))
PARTS = tuple(
    kind
    for kind in vars(client_messages).values()
    if isinstance(kind, type) and issubclass(kind, Message) and kind not in (Message, *TAGGED)
)
SPANS = {(0, 10_000_000): "frame", (0, 2**53 - 1): "seq", (0, 2**32 - 1): "seed", (1, 1024): "length", (0, 127): "0..127"}
WORDS = {frozenset(get_args(words)): "/".join(get_args(words)) for words in (Density, Style, Voicing, KeepReason)}


def table(document: str, header: str) -> dict[str, list[str]]:
    """First cell -> the other cells, of the Markdown table with this header line."""
    lines = document.splitlines()
    rows: dict[str, list[str]] = {}
    for line in lines[lines.index(header) + 2 :]:
        if not line.startswith("|"):
            break
        first, *others = (cell.strip() for cell in line.strip("|").split("|"))
        assert first not in rows, f"{first} has two rows"
        rows[first] = others
    return rows


# ---- messages ----


def name_of(kind: type[Message]) -> str:
    """How the table names a message (its tag, as code) or a part of one (its name in words, slanted)."""
    tag = kind.__struct_config__.tag
    return f"`{tag}`" if tag else f"*{re.sub(r'(?<!^)(?=[A-Z])', ' ', kind.__name__).lower()}*"


def fields_of(kind: type[Message]) -> str:
    """All fields of a struct as the table writes them: name, type and range, default."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return ", ".join(f"`{field.name}` {type_of(field.type)}{default_of(field)}" for field in info.fields) or "none"


def type_of(info: inspect.Type) -> str:
    match info:
        case inspect.StructType():
            return name_of(info.cls)
        case inspect.UnionType():
            (given,) = (kind for kind in info.types if not isinstance(kind, inspect.NoneType))
            return f"{type_of(given)}?"
        case inspect.ListType():
            return f"list of {type_of(info.item_type)}{span(info.min_length or 0, info.max_length)}"
        case inspect.LiteralType():
            return WORDS[frozenset(info.values)]
        case inspect.IntType():
            return SPANS.get((info.ge, info.le)) or f"integer{span(info.ge, info.le)}"
        case inspect.FloatType():
            return f"number{span(info.ge, info.le)}"
        case inspect.StrType():
            return f"text{span(info.min_length or 0, info.max_length)}"
        case _:
            assert isinstance(info, inspect.BoolType)
            return "boolean"


def span(low: Any, high: Any) -> str:
    return "" if high is None else f" {low:.0f}..{high:.0f}"


def default_of(field: inspect.Field) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return " = []"
    if field.required or field.default is None:
        return ""
    return f" = {msgspec.json.encode(field.default).decode()}"


@pytest.mark.parametrize("kind", [*TAGGED, *PARTS], ids=lambda kind: kind.__name__)
def test_every_message_stands_in_the_table_with_all_its_fields(kind: type[Message]) -> None:
    rows = table(PROTOCOL, "| type | fields | meaning and units |")
    assert rows[name_of(kind)][0] == fields_of(kind)


def test_the_table_has_no_message_that_does_not_exist() -> None:
    assert set(table(PROTOCOL, "| type | fields | meaning and units |")) == {name_of(kind) for kind in (*TAGGED, *PARTS)}


def test_the_ranges_with_a_name_are_explained() -> None:
    explained = dict(re.findall(r"\b(frame|seq|seed|length) (\S+\.\.[^\s,;:]+)", PROTOCOL.split("## Messages")[1].split("| type |")[0]))
    assert explained == {"frame": "0..10000000", "seq": "0..2^53-1", "seed": "0..2^32-1", "length": "1..1024"}


# ---- operations ----


def metric_rows(registry: CollectorRegistry) -> dict[str, str]:
    """Series as the tables name them, counters with the `_total` they are exported with, and their labels."""
    rows = {}
    for family in registry.collect():
        known = {label for sample in family.samples for label in sample.labels} - {"le"}
        rows[f"`{family.name}{'_total' if family.type == 'counter' else ''}`"] = known
    return rows


@pytest.mark.parametrize(
    "header", ["| metric | labels | what it means | act when |", "| worker metric | labels | what it means | act when |"]
)
def test_every_metric_has_a_row_with_its_labels(header: str) -> None:
    """And no row is for a series that does not exist."""
    gateway, worker = Metrics(), EngineMetrics(["toy"])
    gateway.know(["toy"])
    for metric in (gateway.watched_frame, gateway.watched_tempo, gateway.watched_age, gateway.watched_round_trip, gateway.watched_late):
        metric.labels("1")
    gateway.watched_stage.labels("1", "device")
    gateway.watched_plans.labels("1", "fresh")
    state = WorkerState(ready=True, models=[], slots=1, slots_used=0, waiting=0, compiles_after_ready=0, rss_bytes=1)
    worker.observe([Resident(ModelInfo("toy", "online", 1.0), ToyEngine(1), ())], lambda: state)
    exported = metric_rows((worker if "worker" in header else gateway).registry)
    documented = {name: set(re.findall(r"`(\w+)`", cells[0])) for name, cells in table(METRICS, header).items()}
    assert documented == exported


def test_every_setting_has_a_row_with_its_default() -> None:
    documented = {name: cells[0] for name, cells in table(RUNBOOK, "| setting | default | what it does; when to change it |").items()}
    assert documented == {f"`{PREFIX}{spec.name.upper()}`": written(spec.default) for spec in fields(GatewaySettings)}


def written(default: object) -> str:
    if default is None:
        return "none"
    return ",".join(default) if isinstance(default, tuple) else f"{default:.15g}" if isinstance(default, float) else str(default)


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_is_explained(code: ErrorCode) -> None:
    assert f"| `{code}` |" in PROTOCOL


def test_every_close_code_tells_the_operator_something() -> None:
    """The gateway's own, and those that only the network or a broken peer can cause."""
    codes = {int(code) for code in table(RUNBOOK, "| close code | what it tells you |") if code.isdigit()}
    assert codes >= {close.code for close in CLOSES} | {1001, 1002, 1006, 1007}


def test_the_runbook_mentions_no_setting_that_does_not_exist() -> None:
    known = {f"{PREFIX}{spec.name.upper()}" for spec in fields(GatewaySettings)}
    assert set(re.findall(r"\bSIDEMAN_[A-Z_]*[A-Z]\b", RUNBOOK + UNIT)) <= known


# ---- commands ----


def code_in(document: str) -> str:
    """Everything set as code, comments left out."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    words = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", document, flags=re.MULTILINE | re.DOTALL))
    return "\n".join(re.sub(r"(^|\s)#.*", "", line) for line in "\n".join([*blocks, *words]).splitlines())


def commands_in(document: str) -> set[str]:
    return set(re.findall(r"(?<![\w./-])sideman +([a-z][a-z-]*)", code_in(document)))


def test_commands_of_the_readme_exist() -> None:
    """The README shows how to serve, and every `sideman` command in it is one."""
    assert "serve" in commands_in(README)
    assert commands_in(README) <= {*COMMANDS, "bench"}


def test_make_targets_of_the_readme_exist() -> None:
    """The README shows at least one `make` target, and every one in it is one."""
    named = set(re.findall(r"(?<![\w./-])make +([a-z][\w-]*)", code_in(README)))
    assert named
    assert named <= set(re.findall(r"^([a-z][\w-]*):(?!=)", MAKEFILE, re.MULTILINE))


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.stem)
def test_commands_of_the_site_exist(page: Path) -> None:
    """`sideman` commands, benchmarks, `make` targets, programs run with -m, and files named as code."""
    text = page.read_text()
    assert commands_in(text) <= {*COMMANDS, "bench"}
    assert set(re.findall(r"sideman bench +([a-z]+)", code_in(text))) <= set(BENCHMARKS)
    targets = set(re.findall(r"^([a-z][\w-]*):(?!=)", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"(?<![\w./-])make +([a-z][\w-]*)", code_in(text))) <= targets
    for module in re.findall(r"python -m ((?:deploy|training|gateway|inference)[\w.]*)", code_in(text)):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
    named = re.findall(r"(?<![\w./-])((?:deploy|clients|tests|training|docs|schema)/[\w./-]+)", code_in(text))
    assert [path for path in named if not (ROOT / path).exists()] == []
    settings = {f"{PREFIX}{spec.name.upper()}" for spec in fields(GatewaySettings)}
    assert set(re.findall(r"\bSIDEMAN_[A-Z_]*[A-Z]\b", text)) <= settings


def test_commands_for_operators_exist() -> None:
    """The same for RUNBOOK.md and the unit file."""
    started = re.findall(r"^ExecStart=\S+/sideman (\S+)", UNIT, re.MULTILINE)
    assert started == ["serve"]
    assert "serve" in commands_in(RUNBOOK)
    assert commands_in(RUNBOOK) <= {*COMMANDS, "bench"}
    assert set(re.findall(r"sideman bench +([a-z]+)", code_in(README) + code_in(RUNBOOK))) <= set(BENCHMARKS)
