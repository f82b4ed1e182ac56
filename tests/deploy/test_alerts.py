"""The alerts: each has a runbook entry, a test in which it fires and one in which it does not, and series that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from gateway.metrics import Metrics

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
RUNBOOK = (MONITORING.parent / "RUNBOOK.md").read_text()
RULES = [rule for group in yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
TESTS = sorted((MONITORING / "tests").glob("*.yaml"))
DOCUMENTED = set(re.findall(r"^\| `(sideman_\w+)`", (MONITORING.parents[1] / "docs/operations/metrics.md").read_text(), re.MULTILINE))
EDGE = {"up", "probe_ssl_earliest_cert_expiry"}  # of Prometheus itself and of its blackbox exporter

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus")


def cases():
    """(alert, whether it is to fire) of every case of the rule tests."""
    tests = [test for path in TESTS for test in yaml.safe_load(path.read_text())["tests"]]
    return [(case["alertname"], bool(case["exp_alerts"])) for test in tests for case in test["alert_rule_test"]]


def series_in(expression):
    """Names of series, our own recorded ones left out."""
    words = set(re.findall(r"(?<![\w:])(?:sideman_\w+|up|probe_\w+)(?![\w:(])", re.sub(r'"[^"]*"', "", expression)))
    return {re.sub(r"_(bucket|count|sum)$", "", word) for word in words}


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent(alert):
    assert {fires for name, fires in cases() if name == alert} == {True, False}


@pytest.mark.parametrize(("alert", "rule"), ALERTS.items())
def test_every_alert_says_what_is_the_matter_and_names_its_runbook_entry(alert, rule):
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["runbook"] == f"deploy/RUNBOOK.md#{alert.lower()}"
    entry = re.search(rf"^### {alert}\n(Page|Ticket)\. \S", RUNBOOK, re.MULTILINE)
    assert entry, "no entry in the runbook"
    assert entry[1].lower() == rule["labels"]["severity"]
    assert rule["annotations"]["summary"]


def test_the_runbook_has_no_entry_for_an_alert_that_does_not_exist():
    assert set(re.findall(r"^### (Sideman\w+)", RUNBOOK, re.MULTILINE)) == set(ALERTS)


def test_every_series_in_the_rules_is_a_documented_one():
    assert set().union(*(series_in(rule["expr"]) for rule in RULES)) <= DOCUMENTED | EDGE  # test_docs holds the tables to the code


def test_names_that_are_no_series_would_be_noticed():
    assert series_in('rate(sideman_nonsense_total{x="sideman_y"}[5m])') == {"sideman_nonsense_total"}


@needs_promtool
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_rules_pass_their_tests(path):
    done = subprocess.run(
        ["promtool", "test", "rules", path.name], cwd=path.parent, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout + done.stderr


@needs_promtool
def test_the_exposition_follows_the_conventions():
    """`promtool check metrics`: names, units, help texts."""
    page = Metrics(("web",)).exposition().body
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.decode() + done.stderr.decode()) == (0, "")
