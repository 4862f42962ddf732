"""What testssl.sh finds of a server that speaks TLS as it is set up by default:  python3 testssl.py PATH/TO/tidings

Anything above LOW fails that does not stand in NOT_OURS with its reason; so does anything in there that is not found any longer.
CA and certificate are made for the run, and the scan asks nobody but the server.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTSSL = os.environ.get("TESTSSL", "testssl")
FINE = {"OK", "INFO", "LOW"}

# Identity of a finding, what it says, and why it is no fault of the server.
NOT_OURS = {
    "engine_problem": ("No engine or GOST support", "the OpenSSL of this machine, with which the scanner looks, has no such engine"),
    "cert_revocation": ("Neither CRL nor OCSP", "the authority was made for this run and publishes no list; a real one names it in the certificate"),
    "BREACH": (
        "only supplied '/' tested",
        "compressed are the server's own pages alone, once and the same for everybody, with no secret and nothing of the request in them; "
        "answers to requests are not compressed (checked below)",
    ),
}
# Some of what a whole scan says: a scan that broke off says less, and would pass.
LOOKED_AT = ["SSLv3", "TLS1", "TLS1_2", "TLS1_3", "cipherlist_aNULL", "cert_chain_of_trust", "heartbleed", "ROBOT", "secure_renego", "LUCKY13", "scanTime"]


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, sentence, holds):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(f"{'ok' if holds else 'not ok'} - {sentence}", flush=True)


def start(binary, folder):
    """The server, and its port."""
    own = ["--server.tls", "true", "--tls.chain", f"{folder}/chain.pem", "--tls.key", f"{folder}/key.pem"]
    server = subprocess.Popen([binary, "serve", "--listen", "127.0.0.1:0", *own], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in server.stdout:
        if match := re.search(r"listening on https://127\.0\.0\.1:(\d+)", line):
            return server, int(match[1])
    raise SystemExit(f"{binary} ended with {server.wait()} before it listened")


def scan(port, folder, *options):
    """The findings of a scan: its words about each by name."""
    file = folder / f"findings-{len(list(folder.glob('findings-*')))}.json"
    # `--nodns none`: it looks nothing up.
    command = [TESTSSL, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", "--jsonfile", str(file), *options]
    subprocess.run([*command, f"localhost:{port}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=1500)
    return {each["id"]: each for each in json.loads(file.read_text())}


def judge(checks, found):
    checks.check(f"the scan is whole: {len(found)} findings", len(found) > 100 and all(name in found for name in LOOKED_AT))
    for name, each in found.items():
        if each["severity"] not in FINE and name not in NOT_OURS:
            checks.check(f"{name}: {each['severity']}: {each['finding']}", False)
    for name, (said, why) in NOT_OURS.items():
        finding = found.get(name, {}).get("finding", "")
        checks.check(f"{name} is found and is not the server's: {why}", said in finding)
    low = [f"{name} ({each['finding']})" for name, each in found.items() if each["severity"] == "LOW"]
    print(f"low: {'; '.join(low) or 'none'}")


def is_plain(port, folder, path):
    """Whether an answer comes uncompressed, whatever is asked for."""
    address = f"https://localhost:{port}{path}"
    asked = ["curl", "-s", "-S", "--noproxy", "*", "--cacert", f"{folder}/ca.pem", "-D", "-", "-o", "/dev/null", "-H", "Accept-Encoding: gzip, deflate, br, zstd"]
    head = subprocess.run([*asked, address], capture_output=True, text=True, check=True).stdout
    return head.startswith("HTTP/1.1 200") and "content-encoding" not in head.lower()


def main():
    checks, began = Checks(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        subprocess.run(["bash", HERE / "authority.sh", folder], check=True)
        server, port = start(sys.argv[1], folder)
        try:
            # The judge must be able to fail: without the authority, nobody is trusted.
            stranger = scan(port, folder, "--server-defaults")["cert_chain_of_trust"]
            checks.check(f"an authority that is not known is found: {stranger['finding']}", stranger["severity"] == "CRITICAL")
            judge(checks, scan(port, folder, "--add-ca", str(folder / "ca.pem")))
            for path in ("/channels/news", "/channels/news?last=10", "/livez", "/limits"):
                checks.check(f"{path} is not compressed", is_plain(port, folder, path))
        finally:
            server.send_signal(signal.SIGTERM)
        checks.check("the server drains and exits with 0", server.wait(60) == 0)
    print(f"after {time.monotonic() - began:.0f} s")
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
