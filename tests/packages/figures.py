#!/usr/bin/env python3
"""Dashboard and alerts against a scrape of a real server: each metric and each label value that they name is there.

figures.py TIDINGS
"""

import json
import pathlib
import re
import subprocess
import sys
import urllib.request

PACKAGING = pathlib.Path(__file__).parent.parent.parent / "packaging"
# What Prometheus adds to each sample itself, and what it makes of each scrape.
ITS_OWN_LABELS = {"job", "instance"}
ITS_OWN_METRICS = {"up"}
# What promtool would have in seconds: engines count in whole numbers, of which a second would be too large.
IN_PARTS_OF_SECONDS = {
    'tidings_redis_feed_age_milliseconds use base unit "seconds" instead of "milliseconds"',
    'tidings_store_sync_microseconds_total use base unit "seconds" instead of "microseconds"',
}

CONFIGURATION = """
[server]
listen = ["127.0.0.1:0"]
engine = "disk"
[store]
folder = "FOLDER"
[[listener]]
address = "127.0.0.1:0"
serves = ["metrics"]
[[issuer]]
name = "app"
issuer = "https://app.example.com"
audience = "push.example.com"
jwks_url = "https://app.invalid/keys"
"""


def scrape(binary: str, folder: pathlib.Path) -> str:
    """What a server says after an event stream was opened and something was published."""
    (folder / "tidings.toml").write_text(CONFIGURATION.replace("FOLDER", str(folder / "store")))
    server = subprocess.Popen(
        [binary, "--config", folder / "tidings.toml"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        clients = server.stdout.readline().split()[2]
        metrics = server.stdout.readline().split()[2]
        urllib.request.urlopen(f"{clients}/livez", timeout=30).read()
        return urllib.request.urlopen(f"{metrics}/metrics", timeout=30).read().decode()
    finally:
        server.terminate()
        server.wait()


def expressions() -> list[tuple[str, str]]:
    """Every expression with where it is."""
    found = []
    for panel in json.loads((PACKAGING / "grafana/tidings.json").read_text())["panels"]:
        found += [(f"panel {panel['title']}", target["expr"]) for target in panel.get("targets", [])]
    alerts = (PACKAGING / "prometheus/alerts.yaml").read_text()
    found += re.findall(r"alert: (\w+)\n +expr: (.+)\n", alerts)
    return found


def values_of(matcher: str, text: str) -> list[str]:
    return text.split("|") if "~" in matcher else [text]


def main() -> None:
    folder = pathlib.Path(sys.argv[2])
    text = scrape(sys.argv[1], folder)
    linted = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    found = set((linted.stdout + linted.stderr).splitlines()) - {""}
    assert found == IN_PARTS_OF_SECONDS, found ^ IN_PARTS_OF_SECONDS
    families = {name: kind for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M)}
    names = set(families)
    for name, kind in families.items():
        names |= {f"{name}_{part}" for part in ("bucket", "sum", "count") if kind == "histogram"}
    samples = re.findall(r"^([a-z_]+)\{(.*)\} ", text, re.M)
    labels = {name: dict[str, set[str]]() for name, _ in samples}
    for name, all_labels in samples:
        for label, value in re.findall(r'(\w+)="([^"]*)"', all_labels):
            labels[name].setdefault(label, set()).add(value)
    wrong = []
    used = set()
    for place, expression in expressions():
        for name, selector in re.findall(r"\b((?:tidings|process)_[a-z_]+|up)\b(?:\{([^}]*)\})?", expression):
            used.add(name)
            if name in ITS_OWN_METRICS:
                continue
            if name not in names:
                wrong.append(f"{place}: no server has the metric {name}")
            for label, matcher, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', selector):
                if label in ITS_OWN_LABELS:
                    continue
                there = labels.get(name, {}).get(label, set())
                wrong += [
                    f'{place}: {name} has no {label}="{one}"' for one in values_of(matcher, value) if one not in there
                ]
    assert not wrong, "\n".join(wrong)
    assert len(used) > 25, used
    print(f"{len(used)} metrics of {len(expressions())} expressions are in a scrape: 1 passed")


main()
