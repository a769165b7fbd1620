"""What the chart renders, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.chart.conftest import BUILT, ENVIRONMENTS, Chart, Object, Rendered, digests
from tests.infra.k8s_cluster import Cluster
from tests.infra.k8s_place import InfraError

pytestmark = pytest.mark.docker


def pod_specs(rendered: Rendered) -> dict[str, Object]:
    workloads = rendered["Deployment"] | rendered["Job"]
    return {name: found["spec"]["template"]["spec"] for name, found in workloads.items()}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_lint_finds_nothing(chart: Chart, environment: str) -> None:
    assert "[WARNING]" not in chart.lint(environment)
    chart.lint(environment, digests())


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_container_is_restricted(chart: Chart, environment: str) -> None:
    specs = pod_specs(chart.render(environment, digests()))
    assert len(specs) == 5 + 2 + (environment == "gpu")
    for spec in specs.values():
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        pod = spec["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] == 1000
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
        assert container["volumeMounts"][0]["mountPath"] == "/tmp"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_api_server_takes_every_object(
    cluster: Cluster, chart: Chart, namespace: str, environment: str
) -> None:
    """Also its warnings count: pod security tells of a Deployment's template that way only."""
    applied = cluster.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--warnings-as-errors"),
        *("--namespace", namespace, "--filename=-"),
        stdin=chart.manifests(environment, digests()),
    )
    assert len(applied.splitlines()) > 15


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_we_build_is_named_by_its_digest_alone(chart: Chart, environment: str) -> None:
    given = digests()["services"]
    for name, spec in pod_specs(chart.render(environment, digests())).items():
        service = name.removeprefix("all-erp-").removesuffix("-migrate")
        (container,) = spec["containers"]
        if service in BUILT:
            image = given[service]["image"]
            assert container["image"] == f"{image['repository']}@{image['digest']}"
        else:
            assert container["image"] == "vllm/vllm-openai:v0.11.0"


def test_another_digest_changes_that_services_pods_alone(chart: Chart) -> None:
    before = chart.render("production", digests())
    after = chart.render("production", digests(web=2))
    changed = {
        (kind, name)
        for kind, found in after.items()
        for name, what in found.items()
        if what != before[kind][name]
    }
    assert changed == {("Deployment", "all-erp-web")}


def test_another_variable_changes_that_services_pods_alone(chart: Chart) -> None:
    changed = {"services": {"search-service": {"env": {"VECTOR_DIMENSION": "16"}}}}
    before = chart.render("production", digests())
    after = chart.render("production", digests(), changed)
    assert {
        name for name, found in after["Deployment"].items() if found != before["Deployment"][name]
    } == {"all-erp-search-service"}
    assert after["ConfigMap"]["all-erp-search-service"]["data"]["VECTOR_DIMENSION"] == "16"


def test_selectors_find_their_own_pods_alone(chart: Chart) -> None:
    rendered = chart.render("gpu", digests())
    pods = {
        name: found["spec"]["template"]["metadata"]["labels"]
        for name, found in (rendered["Deployment"] | rendered["Job"]).items()
    }
    for name, found in rendered["Deployment"].items():
        selector = found["spec"]["selector"]["matchLabels"]
        assert selector == rendered["Service"][name]["spec"]["selector"]
        assert [pod for pod, labels in pods.items() if selector.items() <= labels.items()] == [name]
        # Nothing that a new version of the chart, or a new revision, would change.
        assert set(selector) == {
            "app.kubernetes.io/name",
            "app.kubernetes.io/instance",
            "app.kubernetes.io/component",
        }


def test_services_find_each_other(chart: Chart) -> None:
    rendered = chart.render("staging", digests(), release="other")
    addresses = {
        f"http://{name}:{found['spec']['ports'][0]['port']}"
        for name, found in rendered["Service"].items()
    }
    data = rendered["ConfigMap"]["other-web"]["data"]
    assert {value for name, value in data.items() if name.endswith("_URL")} < addresses
    for found in rendered["Service"].values():
        assert [port["protocol"] for port in found["spec"]["ports"]] == ["TCP"]


def test_a_long_release_name_is_cut_and_stays_unambiguous(chart: Chart) -> None:
    release = "r" * 53
    more = {"services": {"billing-service-2": digests()["services"]["web"]}}
    rendered = chart.render("staging", digests(), more, release=release)
    names = [name for found in rendered.values() for name in found]
    assert all(len(name) <= 63 for name in names)
    assert len(rendered["Deployment"]) == 6
    assert len(rendered["Service"]) == 6


def test_credentials_come_from_secrets_alone(chart: Chart) -> None:
    rendered = chart.render("production", digests())
    assert "Secret" not in rendered
    job = pod_specs(rendered)["all-erp-billing-service-migrate"]["containers"][0]
    server = pod_specs(rendered)["all-erp-billing-service"]["containers"][0]
    reference = {
        "name": "DATABASE_URL",
        "valueFrom": {"secretKeyRef": {"name": "billing-service", "key": "database-url"}},
    }
    assert reference in job["env"]
    assert reference in server["env"]


def test_the_migration_needs_nothing_that_comes_after_it(chart: Chart) -> None:
    awkward = {"services": {"auth-service": {"env": {"TEXT": '$(HOME) "quoted": {{ x }}\n#'}}}}
    rendered = chart.render("staging", digests(), awkward)
    assert set(rendered["Job"]) == {
        "all-erp-auth-service-migrate",
        "all-erp-billing-service-migrate",
    }
    job = rendered["Job"]["all-erp-auth-service-migrate"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["node", "dist/migrate.js"]
    assert "envFrom" not in container
    # Kubernetes expands $(HOME) here, and not in a ConfigMap: both get the same in the end.
    assert {"name": "TEXT", "value": '$$(HOME) "quoted": {{ x }}\n#'} in container["env"]
    data = rendered["ConfigMap"]["all-erp-auth-service"]["data"]
    assert data["TEXT"] == '$(HOME) "quoted": {{ x }}\n#'


def test_the_rollout_ends_before_the_deploy_gives_up(chart: Chart) -> None:
    for found in chart.render("gpu", digests())["Deployment"].values():
        spec = found["spec"]
        assert spec["progressDeadlineSeconds"] < 600
        probe = spec["template"]["spec"]["containers"][0]["startupProbe"]
        # A slow start is killed by its probe, with an event, before the deadline passes.
        assert probe["periodSeconds"] * probe["failureThreshold"] < spec["progressDeadlineSeconds"]


def test_pods_of_a_rollout_go_when_new_ones_are_ready(chart: Chart) -> None:
    rendered = chart.render("production", digests())
    for name, found in rendered["Deployment"].items():
        rolling = found["spec"]["strategy"]["rollingUpdate"]
        assert (rolling["maxUnavailable"], rolling["maxSurge"]) == (0, 1)
        spec = found["spec"]["template"]["spec"]
        pause = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert 0 < pause < spec["terminationGracePeriodSeconds"]
        assert found["spec"]["replicas"] == 2
        assert rendered["PodDisruptionBudget"][name]["spec"]["maxUnavailable"] == 1
    assert "PodDisruptionBudget" not in chart.render("staging", digests())


def test_the_gpu_service_asks_for_a_gpu(chart: Chart) -> None:
    place: Object = {"gpu": {"runtimeClassName": "nvidia"}, "nodeSelector": {"gpu": "a100"}}
    rendered = chart.render("gpu", digests(), {"services": {"vllm": place}})
    spec = pod_specs(rendered)["all-erp-vllm"]
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert spec["runtimeClassName"] == "nvidia"
    assert spec["nodeSelector"] == {"gpu": "a100"}
    assert spec["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert "all-erp-vllm" not in chart.render("production", digests())["Deployment"]


def test_a_service_wins_over_the_defaults_also_with_false_and_zero(chart: Chart) -> None:
    services: Object = {
        "web": {"enabled": False},
        "search-service": {"replicas": 0, "rollout": {"maxUnavailable": 1, "maxSurge": 0}},
        "auth-service": {"volumes": []},
    }
    deployments = chart.render("production", digests(), {"services": services})["Deployment"]
    assert "all-erp-web" not in deployments
    search = deployments["all-erp-search-service"]["spec"]
    assert search["replicas"] == 0
    assert search["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    auth = deployments["all-erp-auth-service"]["spec"]["template"]["spec"]
    assert "volumes" not in auth


def test_the_ingress_has_tls_where_a_secret_is_named(chart: Chart) -> None:
    (ingress,) = chart.render("production", digests())["Ingress"].values()
    assert ingress["spec"]["tls"] == [{"secretName": "web-tls", "hosts": ["all-erp.local"]}]
    (ingress,) = chart.render("staging", digests())["Ingress"].values()
    assert "tls" not in ingress["spec"]
    assert ingress["spec"]["ingressClassName"] == "nginx"


def test_rendering_twice_gives_the_same_bytes(chart: Chart) -> None:
    assert chart.manifests("gpu", digests()) == chart.manifests("gpu", digests())


def test_a_tag_is_taken_only_where_that_is_said(chart: Chart) -> None:
    tagged: Object = {"services": {"web": {"image": {"repository": "web", "tag": "1"}}}}
    others: Object = digests()
    del others["services"]["web"]
    rendered = chart.render("staging", others, tagged, {"allowTags": True})
    assert pod_specs(rendered)["all-erp-web"]["containers"][0]["image"] == "web:1"
    with pytest.raises(InfraError, match=re.escape("services.web.image.digest is missing")):
        chart.render("staging", others, tagged)
    with pytest.raises(InfraError, match=re.escape("services.web.image has neither digest nor")):
        chart.render(
            "staging",
            others,
            {"services": {"web": {"image": {"repository": "web"}}}},
            {"allowTags": True},
        )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"services": {"web": {"image": {"digest": "sha256:12"}}}},
         "'/services/web/image/digest': 'sha256:12' does not match"),
        ({"services": {"web": {"imag": {}}}}, "additional properties 'imag' not allowed"),
        ({"service": {}}, "additional properties 'service' not allowed"),
        ({"services": {"Web": {}}}, "'Web' does not match"),
        ({"services": {"web": {"env": {"A": 1}}}}, "'/services/web/env/A': got number"),
        ({"services": {"web": {"env": {"A-B": "1"}}}}, "'A-B' does not match"),
        ({"services": {"web": {"user": 0}}}, "'/services/web/user': minimum: got 0"),
        ({"services": {"web": {"port": 65536}}}, "'/services/web/port': maximum"),
        ({"services": {"web": {"secretEnv": {"A": {"name": "a"}}}}}, "missing property 'key'"),
        ({"services": {"web": {"links": {"A_URL": "nobody"}}}}, "there is no service nobody"),
        ({"services": {"auth-service": {"env": {"DATABASE_URL": "x"}}}},
         "DATABASE_URL stands in secretEnv and also in env"),
        ({"services": {"web": {"ingress": {"hosts": []}}}}, "services.web.ingress.hosts is empty"),
        ({"services": {"new": {}}}, "services.new.image.repository is missing"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_with_their_place(
    chart: Chart, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(InfraError, match=re.escape(message)):
        chart.render("staging", digests(), values)
