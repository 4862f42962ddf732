"""packaging/compose/cluster.yaml run for real, without a container engine:  python3 cluster.py TIDINGS VALKEY-SERVER HAPROXY

Needs root: everything is in namespaces of its own, and gone with them when this ends, however it does. Nothing of this machine
changes. Clients come through HAProxy as from outside, while servers are killed; what they were answered and what they received is
compared after each part.
"""

import os
import socket
import subprocess
import sys
import time

import containers
from clients import TOLD, Publisher, Reader, Socket
from names import within
from world import NODES, World, until

SECONDS_MAX = 600
STREAMS, SOCKETS = 5, 4
CHANNEL = "numbers"
# Replication does not wait: of one publisher, one or two that were answered are on their way.
LOST_MAX = 2


class Test:
    def __init__(self, world: World) -> None:
        self.world, self.project = world, world.project
        self.passed = self.failed = 0
        self.publisher = Publisher(world.front, CHANNEL)
        streams = [Reader(world.front, CHANNEL) for _ in range(STREAMS)]
        self.readers: list[Reader] = [*streams, *(Socket(world.front, CHANNEL) for _ in range(SOCKETS))]

    def check(self, sentence: str, holds: object) -> None:
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(f"{'ok' if holds else 'not ok'} - {sentence}", flush=True)

    def last(self) -> int:
        return max(self.publisher.answered, default=0)

    def goes_on(self) -> float:
        """How long it takes until something more is answered that was not sent yet."""
        last = self.last()
        return until("publishing goes on", lambda: self.last() > last + 1)

    def told(self) -> int:
        return sum(reader.seen.count(TOLD) for reader in self.readers)

    def account(self, after: str) -> None:
        """Each reader receives what is published now, and missed nothing that it was not told of."""
        last = self.last()
        until("all readers have what was answered", lambda: all(last in reader.seen for reader in self.readers))
        gaps = [gap for reader in self.readers for gap in reader.silent_gaps()]
        doubles = [number for reader in self.readers for number in reader.doubles()]
        self.check(f"{after}: all {len(self.readers)} readers have {last}; gaps nobody was told of: {gaps[:5]}, doubles: {doubles[:5]}", not gaps + doubles)

    def pause(self, since: float) -> str:
        refusals = ", ".join(f"{count} times {outcome}" for outcome, count in self.publisher.refusals(since).items()) or "never"
        return f"no publication was answered for {self.publisher.longest_pause(since)[0]:.1f} s, refused: {refusals}"

    def starts(self) -> None:
        world = self.world
        took = until("all nodes are ready, and HAProxy says so", world.is_up)
        names = self.project.containers
        self.check(f"{len(names)} containers: ready after {took:.1f} s", all(one.starts == 1 and one.is_running() for one in names.values()))
        confined = [world.process_of(name) for name, one in names.items() if one.service.get("cap_drop")]
        self.check(f"{len(confined)} have no capability and can get none", all(int(one["CapBnd"], 16) == 0 and one["NoNewPrivs"] == "1" for one in confined))
        self.check("nobody is root", all(world.process_of(name)["Uid"].split()[0] == str(one.image.user) for name, one in names.items()))

        def reaches(name: str, place: str) -> bool:
            def connect() -> bool:
                try:
                    socket.create_connection((place, 6379), timeout=1).close()
                except OSError:
                    return False
                return True

            return within(name, connect)

        valkey = world.address(world.valkeys[0], "engine")
        self.check("a node reaches Valkey, HAProxy does not", reaches("tidings-1", valkey) and not reaches("haproxy", valkey))
        known = [bool(self.project.lookup(name, world.valkeys[0])) for name in ("tidings-1", "haproxy")]
        self.check("nor does it know its name", known == [True, False])

    def spreads(self) -> None:
        for reader in self.readers:
            reader.start()
        until("all readers are there", lambda: all(reader.position for reader in self.readers))
        self.publisher.start()
        self.goes_on()
        self.account("published through HAProxy")
        spread = self.world.connections()
        self.check(f"leastconn: connections of each node: {list(spread.values())}", min(spread.values()) >= len(self.readers) // len(NODES))

    def loses_replicas(self) -> None:
        replicas = [name for name in self.world.valkeys if self.world.role(name) == "slave"]
        began = time.monotonic()
        self.project.lose(replicas[0])
        time.sleep(3)
        # A moment is a busy machine's; refused is what nobody may be.
        self.check(f"one of {len(replicas)} replicas is gone: {self.pause(began)}", not self.publisher.refusals(began))
        began = time.monotonic()
        self.project.lose(*replicas[1:])
        until("the primary takes no writes", lambda: self.publisher.refusals(began))
        time.sleep(3)
        refused = self.publisher.refusals(began)
        ready = [self.world.status(name) for name in NODES]
        self.check(f"no replica is left: publishing is refused ({refused}), and nodes stay ready: {ready}", refused and ready == [200] * 3)
        self.project.start(*replicas)
        took = self.goes_on()
        self.check(f"both are back: publishing goes on {took:.1f} s later, and nobody was told of anything", self.told() == 0)
        self.account("after replicas were gone")

    def primary_crashes(self) -> None:
        primary, told, began = self.world.primary(), self.told(), time.monotonic()
        starts = self.project.containers[primary].starts
        self.project.crash(primary)
        until("it is started again", lambda: self.project.containers[primary].starts > starts)
        self.goes_on()
        self.account("after a crash of the primary")
        self.check(f"kill -9 of {primary}, which is started again: {self.pause(began)}; primary is {self.world.primary()}", self.told() > told)

    def primary_is_lost(self) -> str:
        until("Sentinels know all replicas", self.world.are_replicas_known)
        # One that fails again before that loses what it answered meanwhile.
        until("they have copied it", lambda: self.world.replicas(self.world.primary()) == 2)
        old, told, began = self.world.primary(), self.told(), time.monotonic()
        last = self.last()
        self.project.lose(old)
        decided = until("the Sentinels have another", lambda: self.world.primary() not in ("", old))
        self.goes_on()
        self.account("after a failover")
        print(f"kill -9 of {old}, for good: the Sentinels have {self.world.primary()} after {decided:.1f} s; {self.pause(began)}")
        self.check(f"all {len(self.readers)} readers were told", all(TOLD in reader.seen for reader in self.readers) and self.told() >= told + len(self.readers))
        self.kept("after a failover", last)
        return old

    def kept(self, what: str, before: int) -> None:
        """Of what was answered, how much the primary still has, as far back as it keeps anything."""
        have = set(self.world.history(CHANNEL))
        wanted = [number for number in list(self.publisher.answered) if min(have, default=0) <= number <= before]
        missing = [number for number in wanted if number not in have]
        self.check(f"{what}: of {len(wanted)} publications that were answered {len(missing)} are gone: {missing[:12]}", wanted and len(missing) <= LOST_MAX)

    def all_restart(self, lost: str) -> None:
        """The machine is restarted while the first primary is behind: it must not be taken for the newest."""
        time.sleep(1)
        last, began = self.last(), time.monotonic()
        engine = [*self.world.valkeys, *self.world.sentinels]
        self.project.stop(*(name for name in engine if name != lost))
        last = self.last()
        self.project.start(*engine)
        self.goes_on()
        self.kept(f"all is restarted after {lost} was away", last)
        self.account("after a restart of all of it")
        print(f"stopped and started: {self.pause(began)}; primary is {self.world.primary()}")
        until("there is one primary with two replicas", lambda: self.world.replicas(self.world.primary()) == 2)
        roles = {name: self.world.role(name) for name in self.world.valkeys}
        self.check(f"{lost} follows now: {roles}", roles[lost] == "slave")

    def node_is_killed(self) -> None:
        told, began, name = self.told(), time.monotonic(), NODES[0]
        comebacks = sum(reader.comebacks for reader in self.readers)
        before = self.world.connections()[name]
        self.project.lose(name)
        self.goes_on()
        until("readers come back", lambda: sum(reader.comebacks for reader in self.readers) > comebacks)
        time.sleep(2)
        self.account("after a node was killed")
        came = sum(reader.comebacks for reader in self.readers) - comebacks
        recovered = all(reader.comebacks == reader.recovered for reader in self.readers)
        self.check(f"kill -9 of {name} with {before} connections: {came} readers came back, all recovered; {self.pause(began)}", recovered and self.told() == told)
        self.project.start(name)
        took = until("it is back", lambda: self.world.connections_of(name) > 0)
        self.check(f"started again, it has connections after {took:.1f} s", took)

    def node_is_silent(self) -> None:
        """A machine that is gone ends no connection: HAProxy has to find out."""
        # Until they come back there may not be more than one replay holds.
        self.publisher.pace_seconds = 0.15
        told, began, name = self.told(), time.monotonic(), NODES[2]
        before = self.world.connections()[name]
        comebacks = sum(reader.comebacks for reader in self.readers)
        self.project.containers[name].switch("down")
        self.goes_on()
        took = until("all of its readers come back", lambda: sum(reader.comebacks for reader in self.readers) > comebacks)
        print(f"the first of its readers came back after {took:.1f} s")
        self.account("after a node was silent")
        took = time.monotonic() - began
        came = sum(reader.comebacks for reader in self.readers) - comebacks
        recovered = all(reader.comebacks == reader.recovered for reader in self.readers)
        sentence = f"{name} loses its network with {before} connections: {came} readers came back within {took:.1f} s, all recovered"
        self.check(f"{sentence}; {self.pause(began)}", recovered and came > 0 and self.told() == told)
        self.project.containers[name].switch("up")
        until("it is back", lambda: self.world.status(name) == 200)

    def node_is_cut_off(self) -> None:
        told, began, name = self.told(), time.monotonic(), NODES[1]
        link = self.project.containers[name].link("engine")
        containers.sh("ip", "link", "set", link, "down")
        unready = until("it is not ready", lambda: self.world.status(name) == 503)
        time.sleep(2)
        since = time.monotonic()
        self.goes_on()
        time.sleep(3)
        self.check(f"{name} without Valkey says 503 after {unready:.1f} s; 2 s later nobody is sent there: {self.pause(since)}", not self.publisher.refusals(since))
        print(f"from the cut on: {self.pause(began)}")
        containers.sh("ip", "link", "set", link, "up")
        took = until("it is ready", lambda: self.world.status(name) == 200)
        self.account("after a node was cut off")
        self.check(f"with Valkey again it is ready after {took:.1f} s, and its readers were told nothing", self.told() == told)

    def ends(self) -> None:
        self.publisher.is_over = True
        self.publisher.join()
        self.account("at the end")
        self.project.stop(*NODES)
        codes = [self.project.containers[name].process.returncode for name in NODES]
        self.check(f"the nodes drain within their stop_grace_period: {codes}", codes == [0] * 3)
        print(f"{len(self.publisher.answered)} publications were answered")


def run(programs: list[str]) -> int:
    containers.sh("mount", "-t", "tmpfs", "-o", containers.TOP_BYTES, "tmpfs", str(containers.TOP))
    containers.sh("mount", "-t", "tmpfs", "tmpfs", "/run")
    test = Test(World(*programs))
    try:
        test.project.make_networks()
        test.project.up()
        test.starts()
        test.spreads()
        test.loses_replicas()
        test.primary_crashes()
        test.all_restart(test.primary_is_lost())
        test.node_is_killed()
        test.node_is_cut_off()
        test.node_is_silent()
        test.ends()
    except (TimeoutError, AssertionError) as error:
        test.check(f"{type(error).__name__}: {error}", False)
    finally:
        test.project.end()
    if test.failed:
        for container in test.project.containers.values():
            print(f"--- {container.name}, started {container.starts} times", *container.log.read_text().splitlines()[-12:], sep="\n")
    print(f"{test.passed} passed, {test.failed} failed", flush=True)
    return 1 if test.failed else 0


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        sys.exit(run(sys.argv[2:]))
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], check=False).returncode != 0:
        print("skipped: the Compose file is run in namespaces, which only root may make")
        sys.exit(0)
    own = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "timeout", "--kill-after=5", str(SECONDS_MAX)]
    # What ends this ends all of it.
    os.execvp(own[0], [*own, sys.executable, "-B", __file__, "--inside", *map(os.path.realpath, sys.argv[1:])])
