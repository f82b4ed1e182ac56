"""Error and close codes, and that PROTOCOL.md says the same."""

import re
from pathlib import Path

import pytest

from schema import codes
from schema.codes import CLOSES, ERRORS, Close, ErrorCode, ProtocolError, should_reconnect
from tests.schema_strategies import CLIENT_TYPES, GATEWAY_TYPES

PROTOCOL = (Path(__file__).parents[2] / "schema/PROTOCOL.md").read_text()
RULES = re.findall(r"^- \*\*([A-Z]\d+)\*\* ", PROTOCOL, re.MULTILINE)


def table(header: str) -> list[list[str]]:
    """Cells of the Markdown table with this header line, below its rule."""
    lines = PROTOCOL.splitlines()
    begin = lines.index(header) + 2
    rows = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_e1_error_table_is_the_documented_one():
    """E1: every error code of PROTOCOL.md is in the code with the same meaning and advice, in the same order, and no other."""
    documented = [(cells[0].strip("`"), cells[1], cells[2]) for cells in table("| code | meaning | what to do |")]
    assert documented == [(code.value, ERRORS[code].meaning, ERRORS[code].advice) for code in ErrorCode]
    assert list(ERRORS) == list(ErrorCode)


def test_c10_close_table_is_the_documented_one():
    """C10: every close code of PROTOCOL.md is in the code with the same reason and the same advice to come back, and no other."""
    documented = [(int(cells[0]), cells[1], cells[2] == "yes") for cells in table("| close code | reason | come back? |")]
    assert documented == [(close.code, close.reason, should_reconnect(close.code)) for close in CLOSES]
    assert {c for c in vars(codes).values() if isinstance(c, Close)} == set(CLOSES)


def test_close_codes_are_unique_and_fit_a_close_frame():
    """RFC 6455, 5.5.1: the reason is at most 123 bytes; codes are registered ones or private ones."""
    assert len({close.code for close in CLOSES}) == len(CLOSES)
    for close in CLOSES:
        assert len(close.reason.encode()) <= 123
        assert close.code in (1000, 1009, 1011, 1012, 1013) or 4000 <= close.code <= 4999


@pytest.mark.parametrize(
    ("code", "back"),
    [(1000, False), (1001, True), (1006, True), (1009, False), (1011, True), (1012, True), (1013, True), (1002, False),
     (3999, False), (4000, True), (4499, True), (4500, False), (4999, False), (5000, False)],
)  # fmt: skip
def test_c10_when_to_come_back(code: int, back: bool):
    """C10: 4000-4499, 1011 to 1013 and a connection that just went away mean come back; everything else does not."""
    assert should_reconnect(code) is back


def test_rule_ids_are_unique():
    """Every rule of PROTOCOL.md has an ID of its own, counted up from 1 under each letter."""
    assert len(RULES) == len(set(RULES)) > 30
    for letter in {rule[0] for rule in RULES}:
        assert [rule for rule in RULES if rule[0] == letter] == [f"{letter}{i + 1}" for i in range(sum(r[0] == letter for r in RULES))]


def test_rule_ids_stand_under_their_letter():
    """Each section names the letter of its rules, and every rule mentioned in the text exists."""
    for section in re.split(r"^## ", PROTOCOL, flags=re.MULTILINE)[1:]:
        for rule in re.findall(r"^- \*\*([A-Z])\d+\*\* ", section, re.MULTILINE):
            assert section.startswith(f"{rule} · ")
    mentioned = set(re.findall(r"\(([A-Z]\d+)\)", PROTOCOL))
    assert mentioned <= set(RULES)


def test_every_message_is_documented():
    """Every message type is named in PROTOCOL.md."""
    assert [t for t in (*CLIENT_TYPES, *GATEWAY_TYPES) if f"`{t.__struct_config__.tag}`" not in PROTOCOL] == []


@pytest.mark.parametrize("code", ErrorCode)
def test_e1_sentences_say_expected_got_and_what_to_do(code: ErrorCode):
    """E1: one sentence of expected, got, what to do, with the path in front where there is one; facts are attributes."""
    problem = ProtocolError(code, field="$.tick.frame", expected="int <= 9", got="10", seq=3)
    assert str(problem) == f"$.tick.frame: expected int <= 9, got 10; {ERRORS[code].advice}"
    assert (problem.code, problem.field, problem.expected, problem.got, problem.seq) == (code, "$.tick.frame", "int <= 9", "10", 3)
    bare = ProtocolError(code, field="", expected="one JSON object", got="nothing")
    assert str(bare) == f"expected one JSON object, got nothing; {ERRORS[code].advice}"
    assert bare.seq is None
