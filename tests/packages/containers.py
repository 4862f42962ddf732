"""What belongs together in the manifests: ports, probes, times of a drain, the file that is mounted.

containers.py TIDINGS FOLDER, where FOLDER has base.yaml and several.yaml as kustomize makes them.
"""

import pathlib
import subprocess
import sys
import tomllib

import yaml

PACKAGING = pathlib.Path(__file__).parent.parent.parent / "packaging"


def seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * units[unit]


def drain(configuration: dict) -> float:
    server = configuration["server"]
    return seconds(server["drain_delay"]) + seconds(server["drain_timeout"])


def kubernetes(folder: pathlib.Path, kind: str) -> None:
    objects = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all((folder / f"{kind}.yaml").open())}
    [configuration] = [one["data"]["tidings.toml"] for (name, _), one in objects.items() if name == "ConfigMap"]
    configuration = tomllib.loads(configuration)
    pod = objects["Deployment", "tidings"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > drain(configuration) + 5, "a pod is killed before it has drained"
    [container] = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert configuration["server"]["listen"] == [f"0.0.0.0:{ports['clients']}"]
    assert [one["address"] for one in configuration["listener"]] == [f"0.0.0.0:{ports['metrics']}"]
    # The server must be told for longer than the readiness is looked at, or clients are sent to a pod that ends.
    ready = container["readinessProbe"]
    assert seconds(configuration["server"]["drain_delay"]) > 2 * ready["periodSeconds"] * ready["failureThreshold"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    service = objects["Service", "tidings"]["spec"]
    assert {port["targetPort"] for port in service["ports"]} == set(ports)
    labels = objects["Deployment", "tidings"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        service["selector"],
        objects["PodDisruptionBudget", "tidings"]["spec"]["selector"]["matchLabels"],
        objects["NetworkPolicy", "tidings"]["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    if kind == "several":
        scaler = objects["HorizontalPodAutoscaler", "tidings"]["spec"]
        assert "replicas" not in objects["Deployment", "tidings"]["spec"], "the autoscaler's number would be undone"
        [metric] = scaler["metrics"]
        assert metric["pods"]["metric"]["name"] == "tidings_connections"


def compose() -> None:
    configuration = tomllib.loads((PACKAGING / "docker/tidings.toml").read_text())
    for file in (PACKAGING / "compose").glob("*.yaml"):
        tidings = yaml.safe_load(file.read_text())["services"]["tidings"]
        assert seconds(tidings["stop_grace_period"]) > drain(configuration) + 5, file
        for volume in [one for service in yaml.safe_load(file.read_text())["services"].values() for one in service.get("volumes", [])]:
            source = volume.split(":")[0]
            assert not source.startswith(".") or (file.parent / source).exists(), f"{file}: {source}"
    nodes = yaml.safe_load((PACKAGING / "compose/cluster.yaml").read_text())["services"]
    template = next(line for line in (PACKAGING / "compose/haproxy.cfg").read_text().splitlines() if "server-template" in line).split()
    assert int(template[2]) == nodes["tidings"]["deploy"]["replicas"], "HAProxy has as many places as there are nodes"
    assert template[3] == "tidings:8080"
    sentinels = nodes["tidings"]["environment"]["TIDINGS_REDIS_SENTINELS"].split(",")
    assert sentinels == [name for name in nodes if name.startswith("sentinel-")]
    watched = next(line for line in (PACKAGING / "compose/sentinel.conf").read_text().splitlines() if "monitor" in line).split()
    assert watched[2] == "mymaster" and watched[3] in nodes and int(watched[5]) > len(sentinels) // 2


def image(binary: str) -> None:
    lines = (PACKAGING / "docker/Dockerfile").read_text().splitlines()
    [command] = [line.partition("CMD")[2] for line in lines if line.startswith("HEALTHCHECK")]
    words = yaml.safe_load(command)
    # The command is there, and fails where nothing listens.
    outcome = subprocess.run([binary, *words[1:], "--url", "127.0.0.1:1"], capture_output=True, text=True, check=False)
    assert outcome.returncode == 1 and "Is the server running" in outcome.stderr, outcome


kubernetes(pathlib.Path(sys.argv[2]), "base")
kubernetes(pathlib.Path(sys.argv[2]), "several")
compose()
image(sys.argv[1])
