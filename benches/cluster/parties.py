"""What benches/cluster/run starts and ends: nodes, and the Redis or the folder that they need, all on loopback and on ports that are free."""
import importlib.machinery
import importlib.util
import os
import random
import secrets
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
LOADER = importlib.machinery.SourceFileLoader("peers", os.path.join(HERE, "../peers/run"))
peers = importlib.util.module_from_spec(importlib.util.spec_from_loader("peers", LOADER))
LOADER.exec_module(peers)

BINARY = os.path.join(peers.TARGET, "release/tidings")
AOF = ["--appendonly", "yes", "--appendfsync", "everysec"]
# name: (arguments of the server, arguments of Redis; none: there is no Redis)
ENGINES = {
    "memory": ([], None),
    "disk, written": (["--engine", "disk"], None),
    "disk, synced": (["--engine", "disk", "--history.durability", "synced"], None),
    "redis": ([], []),
    "redis, append-only file": ([], AOF),
}
# Seconds that anything may take to begin or to end.
PATIENCE = 30
# Channels of a measurement, load-0 and so on, as the load generator calls them.
CHANNELS = 1000
# Below the ports that the system gives to connections: a node that connects to a Redis that is gone could be given its own end.
PORTS = range(10000, 32000)
OPERATOR = secrets.token_hex(16)


def cpu(pid):
    """User and system time of a process and its threads, ended ones too, in seconds: utime and stime of /proc/PID/stat, but in nanoseconds."""
    # What clock_getcpuclockid(3) makes of a process.
    return time.clock_gettime((~pid << 3) | 2)


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))


def written(folder):
    """Bytes written to the device of a folder, by everybody, since the machine started; nothing if it has none."""
    device = os.stat(folder).st_dev
    with open("/proc/diskstats") as file:
        for fields in map(str.split, file):
            if (int(fields[0]), int(fields[1])) == (os.major(device), os.minor(device)):
                return int(fields[9]) * 512
    return 0


def waited(what, condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError(f"waited for {what}")
        time.sleep(0.01)


class Redis:
    """A redis-server on a free port of loopback."""

    def __init__(self, folder, arguments):
        for _ in range(10):
            self.port = random.choice(PORTS)
            self.process = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", folder, *arguments],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # It ends at once where the port is taken.
            waited("Redis", lambda: self.process.poll() is not None or self.answers())
            if self.process.poll() is None and self.info("server").get("process_id") == str(self.process.pid):
                return
            self.stop()
        raise RuntimeError("no port was free for Redis")

    def answers(self):
        try:
            return "process_id" in self.info("server")
        except OSError:
            return False

    def info(self, section):
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as stream, stream.makefile("rb") as file:
            stream.sendall(f"INFO {section}\r\n".encode())
            text = file.read(int(file.readline()[1:])).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def memory(self):
        return int(self.info("memory")["used_memory"])

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


class Node(peers.Server):
    """A server with one reactor on core 0, ready."""

    def __init__(self, arguments):
        super().__init__("tidings", ["taskset", "-c", "0", BINARY, "serve", "--listen", "127.0.0.1:0", "--reactors", "1", "--workers", "1", *arguments])
        self.pid = self.process.pid
        try:
            waited("a node", self.is_ready)
        except BaseException:
            self.stop()
            raise

    def get(self, path):
        request = urllib.request.Request(f"http://{self.address}{path}", headers={"Authorization": f"Bearer {OPERATOR}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def is_ready(self):
        try:
            return bool(self.get("/readyz"))
        except (urllib.error.HTTPError, urllib.error.URLError):
            return False

    def metrics(self):
        lines = [line.rsplit(" ", 1) for line in self.get("/metrics").splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}


class Setting:
    """Nodes of an engine, with a Redis where it needs one; everything is ended and removed after it."""

    def __init__(self, engine, out, count=1, more=()):
        self.engine, self.out, self.count, self.more = engine, out, count, more

    def __enter__(self):
        arguments, of_redis = ENGINES[self.engine]
        self.folder = tempfile.TemporaryDirectory(dir=self.out)
        self.redis, self.nodes = None, []
        try:
            if of_redis is not None:
                self.redis = Redis(self.folder.name, of_redis)
                arguments = ["--engine", f"redis://127.0.0.1:{self.redis.port}"]
            if "disk" in arguments:
                arguments = [*arguments, "--store.folder", os.path.join(self.folder.name, "store")]
            for _ in range(self.count):
                self.nodes.append(Node([*arguments, *self.more]))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.stop()
        if self.redis:
            self.redis.stop()
        self.folder.cleanup()

    def sample(self):
        """What has been counted so far, in seconds, bytes and numbers."""
        metrics = self.nodes[0].metrics()
        return {"time": time.monotonic(), "cpu": cpu(self.nodes[0].pid), "further": cpu(self.nodes[-1].pid), "redis": cpu(self.redis.process.pid) if self.redis else 0,
                "device": written(self.folder.name), "published": metrics["tidings_publications_total"], "delivered": metrics["tidings_deliveries_total"],
                "log": metrics.get("tidings_store_bytes", 0), "appends": metrics.get("tidings_store_appends_total", 0)}
