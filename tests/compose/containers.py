"""Runs the services of a Compose file as processes: each in a network namespace and a file system of its own, with the file's
commands, variables, volumes, users and limits, as far as the kernel has them.

Images cannot be fetched: in their place is this machine's file system with the image's programs at their paths. What an image
itself says of its command and its user is in IMAGES, and in our Dockerfile.
"""

import dataclasses
import json
import os
import pathlib
import re
import resource
import shlex
import signal
import subprocess
import threading
import time

import yaml

from names import Names

PACKAGING = pathlib.Path(__file__).resolve().parent.parent.parent / "packaging"
# Hidden from everybody else, since this is done in a mount namespace.
TOP = pathlib.Path("/mnt")
TOP_BYTES = "size=1g"
# As Docker waits before it starts a container again.
RESTART_SECONDS, RESTART_SECONDS_MAX, RAN_WELL_SECONDS = 0.1, 60.0, 10.0


@dataclasses.dataclass
class Image:
    """What an image says, as far as a service does not say otherwise."""

    command: list[str]
    user: int
    folder: str
    stop: signal.Signals
    entrypoint: list[str] = dataclasses.field(default_factory=list)
    # Where its programs are, by paths in it.
    programs: dict[str, str] = dataclasses.field(default_factory=dict)


def ours(binary: str) -> Image:
    """The image of our Dockerfile."""
    lines = (PACKAGING / "docker/Dockerfile").read_text().splitlines()
    said = {word: line.partition(" ")[2] for line in lines for word in [line.partition(" ")[0]]}
    user = int(said["USER"].partition(":")[0])
    entrypoint = json.loads(said["ENTRYPOINT"])
    return Image(json.loads(said["CMD"]), user, "/", signal.Signals[said["STOPSIGNAL"]], entrypoint, {entrypoint[0]: binary})


def images(tidings: str, valkey: str, haproxy: str) -> dict[str, Image]:
    """By the name without the tag. Those that are not ours as the Dockerfiles of valkey-io/valkey-container and docker-library/haproxy have them."""
    programs = {f"/usr/local/bin/{name}": valkey for name in ("valkey-server", "valkey-sentinel")}
    configuration = "/usr/local/etc/haproxy/haproxy.cfg"
    return {
        "tidings": ours(tidings),
        "valkey/valkey": Image(["valkey-server"], 999, "/data", signal.SIGTERM, programs=programs),
        # Its entrypoint adds -W and -db.
        "haproxy": Image(
            ["haproxy", "-W", "-db", "-f", configuration], 99, "/var/lib/haproxy", signal.SIGUSR1,
            programs={"/usr/local/sbin/haproxy": haproxy},
        ),
    }


def sh(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)


class Container:
    """One process, which is started again when it ends by itself, as `restart: unless-stopped` has it."""

    def __init__(self, name: str, service: dict, image: Image, addresses: dict[str, str]) -> None:
        self.name, self.service, self.image, self.addresses = name, service, image, addresses
        self.process: subprocess.Popen | None = None
        self.is_wanted = False
        self.starts, self.began, self.again_at, self.wait = 0, 0.0, 0.0, RESTART_SECONDS
        self.log = TOP / f"{name}.log"

    def command(self) -> list[str]:
        words = self.service.get("command", self.image.command)
        assert isinstance(words, list), f"{self.name}: a command of one text needs a shell's rules"
        # $$ is Compose's way to write $; a single one is a variable of whoever runs it, and there is none.
        assert not any(re.search(r"(?<!\$)\$(?!\$)", word.replace("$$", "")) for word in words), words
        return [*self.image.entrypoint, *(word.replace("$$", "$") for word in words)]

    def script(self, mounts: list[tuple[str, str, bool]]) -> str:
        """What the shell does that becomes the container: the file system, the limits, the user."""
        root, layer = TOP / "root", TOP / "layers" / self.name
        lines = [f"mkdir -p {layer}/upper {layer}/work {root}"]
        lines += [f"mount -t overlay overlay -o lowerdir=/,upperdir={layer}/upper,workdir={layer}/work {root}"]
        for source, target, is_read_only in mounts:
            place = f"{root}{target}"
            kind = f"mkdir -p {place}" if os.path.isdir(source) else f"mkdir -p {os.path.dirname(place)}; touch {place}"
            lines += [kind, f"mount --bind {source} {place}"]
            lines += [f"mount -o remount,bind,ro {place}"] if is_read_only else []
        lines += [f"mkdir -p {root}{self.image.folder}", f"mount --rbind /proc {root}/proc", f"mount --rbind /dev {root}/dev"]
        lines += [f"mount -o remount,ro {root}"] if self.service.get("read_only") else []
        # As many as this machine allows, where that is fewer.
        files = min(self.service.get("ulimits", {}).get("nofile", 65536), resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        user = str(self.image.user)
        confined = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--inh-caps=-all"]
        confined += ["--bounding-set=-all"] if self.service.get("cap_drop") == ["ALL"] else []
        confined += ["--no-new-privs"] if "no-new-privileges:true" in self.service.get("security_opt", []) else []
        variables = [f"{name}={value}" for name, value in self.service.get("environment", {}).items()]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        inside = ["env", "-i", f"--chdir={self.image.folder}", path, *variables, *confined, *self.command()]
        lines += [f"ulimit -n {files}", shlex.join(["exec", "chroot", str(root), *inside])]
        return "\n".join(lines)

    def start(self, mounts: list[tuple[str, str, bool]]) -> None:
        self.switch("up")
        shell = ["ip", "netns", "exec", self.name, "unshare", "--mount", "bash", "-euc", self.script(mounts)]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(shell, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.is_wanted, self.began, self.again_at = True, time.monotonic(), 0.0
        self.starts += 1

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def ended(self) -> None:
        """Nothing answers at its addresses any more, not even that nobody listens."""
        self.switch("down")

    def link(self, network: str) -> str:
        """The name of its cable at the bridge."""
        return f"{network}.{self.addresses[network].rpartition('.')[2]}"

    def switch(self, state: str) -> None:
        for network in self.addresses:
            sh("ip", "link", "set", self.link(network), state)


class Project:
    """All containers of a file."""

    def __init__(self, file: pathlib.Path, known: dict[str, Image], instead: dict[str, str]) -> None:
        """Files that are mounted at the paths in `instead` are those that it names there."""
        self.file, self.instead = file, instead
        said = yaml.safe_load(file.read_text())
        self.networks: dict[str, dict] = {name: network or {} for name, network in said["networks"].items()}
        self.containers: dict[str, Container] = {}
        self.lock = threading.Lock()
        self.is_ending = False
        given = dict.fromkeys(self.networks, 1)
        for name, service in said["services"].items():
            image = known[service["image"].partition(":")[0]]
            for number in range(service.get("deploy", {}).get("replicas", 1)):
                addresses = {}
                for network in service["networks"]:
                    given[network] += 1
                    addresses[network] = f"{self.net(network)}.0.{given[network]}"
                own = name if "deploy" not in service else f"{name}-{number + 1}"
                self.containers[own] = Container(own, service | {"name": name}, image, addresses)
        self.names = Names(self.lookup)

    def net(self, network: str) -> str:
        """The first two numbers of its addresses, from Docker's own pool."""
        return f"172.{18 + list(self.networks).index(network)}"

    def lookup(self, asking: str, name: str) -> list[str]:
        """The addresses of a service, or a container, in the networks that the one who asks is in."""
        mine = self.containers[asking].addresses
        named = [one for one in self.containers.values() if name in (one.name, one.service["name"]) and one.is_running()]
        return [address for one in named for network, address in one.addresses.items() if network in mine]

    def make_networks(self) -> None:
        sh("ip", "link", "set", "lo", "up")
        for network in self.networks:
            sh("ip", "link", "add", network, "type", "bridge")
            sh("ip", "address", "add", f"{self.net(network)}.0.1/16", "dev", network)
            sh("ip", "link", "set", network, "up")
        (TOP / "resolv.conf").write_text("nameserver 127.0.0.11\noptions ndots:0\n")
        for name, container in self.containers.items():
            sh("ip", "netns", "add", name)
            inside = ("ip", "-netns", name)
            sh(*inside, "link", "set", "lo", "up")
            for network, address in container.addresses.items():
                outer = container.link(network)
                sh("ip", "link", "add", outer, "type", "veth", "peer", "name", network, "netns", name)
                sh("ip", "link", "set", outer, "master", network)
                sh(*inside, "address", "add", f"{address}/16", "dev", network)
                sh(*inside, "link", "set", network, "up")
                if not self.networks[network].get("internal"):
                    sh(*inside, "route", "add", "default", "via", f"{self.net(network)}.0.1")
            self.names.serve(name, is_isolated=all(self.networks[one].get("internal") for one in container.addresses))
        self.names.thread.start()

    def mounts(self, container: Container) -> list[tuple[str, str, bool]]:
        """Source, target, and whether it is read only."""
        hosts = TOP / f"{container.name}.hosts"
        own = [f"{address} {container.name}" for address in container.addresses.values()]
        hosts.write_text("\n".join(["127.0.0.1 localhost", *own, ""]))
        found = [(str(hosts), "/etc/hosts", False), (str(TOP / "resolv.conf"), "/etc/resolv.conf", False)]
        found += [(binary, target, True) for target, binary in container.image.programs.items()]
        for volume in container.service.get("volumes", []):
            source, target, *options = volume.split(":")
            if source.startswith("."):
                path = self.instead.get(target, str((self.file.parent / source).resolve()))
            else:
                path = str(TOP / "volumes" / source)
                os.makedirs(path, exist_ok=True)
                os.chown(path, container.image.user, container.image.user)
            found.append((path, target, options == ["ro"]))
        return found

    def start(self, *names: str) -> None:
        with self.lock:
            for name in names:
                self.containers[name].start(self.mounts(self.containers[name]))

    def up(self) -> None:
        """All of them, each after those on which it depends."""
        started: list[str] = []
        while len(started) < len(self.containers):
            services = {self.containers[name].service["name"] for name in started}
            for name, container in self.containers.items():
                if name not in started and set(container.service.get("depends_on", [])) <= services:
                    self.start(name)
                    started.append(name)
        threading.Thread(target=self.keep, daemon=True).start()

    def keep(self) -> None:
        """Starts what ended by itself again."""
        while not self.is_ending:
            time.sleep(0.02)
            with self.lock:
                for container in self.containers.values():
                    self.look_at(container)

    def look_at(self, one: Container) -> None:
        if self.is_ending or not one.is_wanted or one.is_running():
            return
        now = time.monotonic()
        if not one.again_at:
            one.wait = RESTART_SECONDS if now - one.began > RAN_WELL_SECONDS else min(2 * one.wait, RESTART_SECONDS_MAX)
            one.again_at = now + one.wait
            one.ended()
        elif now >= one.again_at and one.service.get("restart") == "unless-stopped":
            one.start(self.mounts(one))

    def crash(self, name: str) -> None:
        """kill -9: the engine starts it again."""
        self.containers[name].process.kill()

    def lose(self, *names: str) -> None:
        """kill -9, and nobody starts it again: its name and its addresses are gone, as when its machine is."""
        with self.lock:
            for name in names:
                one = self.containers[name]
                one.is_wanted = False
                one.process.kill()
                one.process.wait()
                one.ended()

    def stop(self, *names: str) -> None:
        """As `docker stop` does."""
        with self.lock:
            for name in names:
                self.containers[name].is_wanted = False
                self.containers[name].process.send_signal(self.containers[name].image.stop)
            for name in names:
                one = self.containers[name]
                try:
                    one.process.wait(float(one.service.get("stop_grace_period", "10s").removesuffix("s")))
                except subprocess.TimeoutExpired:
                    one.process.kill()
                    one.process.wait()
                one.ended()

    def end(self) -> None:
        self.is_ending = True
        self.lose(*(name for name, one in self.containers.items() if one.process))
