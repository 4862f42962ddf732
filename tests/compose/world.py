"""The cluster of packaging/compose/cluster.yaml while it runs, as it is seen from the machine that it runs on."""

import pathlib
import re
import resource
import socket
import subprocess
import time
import urllib.error
import urllib.request

import containers
from clients import Front

WAIT_SECONDS = 60
# For maxconn 100000.
HAPROXY_FILES = 200_100
NODES = ("tidings-1", "tidings-2", "tidings-3")


def until(what: str, holds, wait: float = WAIT_SECONDS) -> float:
    """How many seconds it took; what does not happen ends the test."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > wait:
            raise TimeoutError(f"after {wait} s still not: {what}")
        time.sleep(0.02)
    return time.monotonic() - began


def changed(path: str, pattern: str, text: str) -> str:
    """Where a copy of a file is in which something is another."""
    said, count = re.subn(pattern, text, (containers.PACKAGING / path).read_text())
    assert count == 1, f"{path}: {count} times {pattern}"
    copy = containers.TOP / pathlib.Path(path).name
    copy.write_text(said)
    return str(copy)


class World:
    """The project, and what is known of it from the machine that it runs on."""

    def __init__(self, *programs: str) -> None:
        tidings = programs[0]
        made = subprocess.run([tidings, "key", "new", "test"], capture_output=True, text=True, check=True)
        self.key, block = made.stdout.split()[0], made.stderr + made.stdout
        # Nobody has the key of the example, whose hash is zeros, so nobody could publish: it gets the hash of one that is known here.
        instead = {"/etc/tidings/tidings.toml": changed("docker/tidings.toml", r"sha256:0{64}", re.search(r"sha256:[0-9a-f]{64}", block)[0])}
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if files < HAPROXY_FILES:
            # HAProxy starts only where it may have two for each connection, and some.
            target = "/usr/local/etc/haproxy/haproxy.cfg"
            instead[target] = changed("compose/haproxy.cfg", r"maxconn \d+", f"maxconn {files // 2 - 100}")
            print(f"this machine allows {files} descriptors: HAProxy takes {files // 2 - 100} connections and not 100000")
        self.project = containers.Project(containers.PACKAGING / "compose/cluster.yaml", containers.images(*programs), instead)
        self.valkeys = [name for name in self.project.containers if name.startswith("valkey")]
        self.sentinels = [name for name in self.project.containers if name.startswith("sentinel")]
        self.front = Front(self.address("haproxy", "front"), 8080, self.key)

    def address(self, name: str, network: str) -> str:
        return self.project.containers[name].addresses[network]

    def status(self, name: str, path: str = "/readyz") -> int:
        """What a container answers itself, not through HAProxy; 0 when it does not."""
        try:
            return urllib.request.urlopen(f"http://{self.address(name, 'front')}:8080{path}", timeout=2).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def connections_of(self, name: str) -> int:
        """From a node's figures, which are asked for as Prometheus does; 0 where nobody answers."""
        request = urllib.request.Request(f"http://{self.address(name, 'front')}:9464/metrics", headers={"Host": "tidings:9464"})
        try:
            text = urllib.request.urlopen(request, timeout=2).read().decode()
        except OSError:
            return 0
        return int(sum(float(value) for value in re.findall(r"^tidings_connections(?:\{.*\})? (\S+)$", text, re.M)))

    def connections(self) -> dict[str, int]:
        return {name: self.connections_of(name) for name in NODES}

    def ask(self, name: str, port: int, *words: str) -> list[str]:
        """The lines of what a Valkey or a Sentinel answers; none when it does not."""
        try:
            with socket.create_connection((self.address(name, "engine"), port), timeout=0.5) as stream:
                stream.sendall((" ".join(words) + "\r\n").encode())
                # It answers and then closes.
                stream.shutdown(socket.SHUT_WR)
                return stream.makefile("r", errors="replace").read().split("\n")
        except OSError:
            return []

    def role(self, name: str) -> str:
        lines = self.ask(name, 6379, "ROLE")
        return lines[2] if len(lines) > 2 else ""

    def primary(self) -> str:
        """What most Sentinels say."""
        said = [lines[2] for one in self.sentinels if len(lines := self.ask(one, 26379, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")) > 2]
        return max(set(said), key=said.count) if said else ""

    def are_replicas_known(self) -> bool:
        """Whether each Sentinel knows all replicas: it looks for new ones every 10 s, and has none follow that it does not know."""
        all_others = f"*{len(self.valkeys) - 1}"
        return all(self.ask(one, 26379, "SENTINEL", "REPLICAS", "mymaster")[:1] == [all_others] for one in self.sentinels)

    def replicas(self, primary: str) -> int:
        """How many have copied it, by their own word: that of the primary comes up to a second before they have loaded the copy."""
        said = [self.ask(name, 6379, "INFO", "replication") for name in self.valkeys]
        return sum(f"master_host:{primary}" in lines and "master_link_status:up" in lines for lines in said)

    def history(self, channel: str) -> list[int]:
        """The numbers that the primary has of a channel; what a node answers may be from its own memory."""
        lines = self.ask(self.primary(), 6379, "LRANGE", f"td:{{{channel}}}h", "0", "-1")
        return [int(end) for line in lines for _, zero, end in [line.rpartition("\0")] if zero and end.strip().isdigit()]

    def is_up(self) -> bool:
        return all(self.status(name) == 200 for name in NODES) and self.status("haproxy") == 200

    def process_of(self, name: str) -> dict[str, str]:
        """What the kernel says of its process."""
        lines = pathlib.Path(f"/proc/{self.project.containers[name].process.pid}/status").read_text().splitlines()
        return {field: value.strip() for field, _, value in (line.partition(":") for line in lines)}
