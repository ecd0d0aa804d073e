"""The programs that are compared, and how one run of each is made."""
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from peers import signing

HERE = Path(__file__).resolve().parent
CREDENTIALS = {"NCLOUD_ACCESS_KEY_ID": "BENCHMARK", "NCLOUD_SECRET_ACCESS_KEY": "benchmark-secret"}
OURS, OTHER = "ncloud-kms-rpc", "ncloud-kms-rpc, the other build"
# Behind the name of a build: with a shared engine.
SHARED = ", a shared engine"
C, PIPES, BOTO3, CURL = "C, libcurl multi", "C, over pipes", "Python, boto3", "curl, once per call"


def python_with(module):
    """A Python that has the module: the one in use, or the system's."""
    for python in [sys.executable, "/usr/bin/python3"]:
        if Path(python).exists() and not subprocess.run([python, "-c", f"import {module}"], capture_output=True).returncode:
            return python
    return None


class Bench:
    """Everything that a run needs. CPU 1 (`program_cpu`) is the program's own; nginx and the driver have the other.

    - builds: paths of our program, by name: `OURS`, and perhaps `OTHER` to compare with.
    """

    def __init__(self, folder, builds, keys, quick):
        self.folder, self.builds, self.keys, self.quick = folder, builds, keys, quick
        cpus = sorted(os.sched_getaffinity(0))
        self.service_cpu, self.program_cpu = cpus[0], cpus[-1]
        self.ca = folder / "ca.pem"
        for name, sources, libraries in [
                ("drive", ["drive.c"], []), ("lines", ["peers/lines.c"], []), ("echo", ["peers/echo.c"], []),
                ("multi", ["peers/multi.c"], ["-lcurl", "-lcrypto"]), ("pipes", ["peers/pipes.c"], ["-lcurl", "-lcrypto"])]:
            compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
            subprocess.run([compiler, "-O2", "-Wall", "-o", folder / name, *[HERE / source for source in sources], *libraries], check=True)
        self.peers = {C: None, PIPES: [str(folder / "pipes")]}
        for name, module, script in [
                (BOTO3, "boto3", "boto3_loop.py"), ("Python, requests", "requests", "requests_loop.py"),
                ("Python, aiohttp", "aiohttp", "aiohttp_loop.py")]:
            if python := python_with(module):
                self.peers[name] = [python, str(HERE / "peers" / script)]
        if node := shutil.which("node"):
            self.peers["Node, https.Agent"] = [node, str(HERE / "peers/agent.js")]
        if shutil.which("curl"):
            self.peers[CURL] = None

    def environment(self, endpoint, ca):
        plain = {name: value for name, value in os.environ.items()
                 if not name.startswith(("NCLOUD_", "AWS_")) and not name.lower().endswith("_proxy")}
        return {**plain, **CREDENTIALS, "NCLOUD_KMS_ENDPOINT": endpoint, "NCLOUD_KMS_CA_FILE": str(ca)}

    def command(self, program, *flags):
        if program in self.builds:
            return [str(self.builds[program]), "--rate-per-key", "0", "--log-level", "error", *flags]
        return self.peers[program]

    def drive(self, command, endpoint, *, ca=None, expected=None, prefix=(), outside=(), **options):
        """One run of a program on standard streams: its figures.

        - prefix, outside: what the program and what the driver is started by.
        """
        even, odd = expected or self.keys.escaped
        words = [str(self.folder / "drive"), "--cpu", str(self.program_cpu), "--own-cpu", str(self.service_cpu),
                 "--even", even, "--odd", odd]
        for name, value in options.items():
            words += ["--" + name.replace("_", "-"), str(value)]
        return self.measure([*outside, *words, "--", *prefix, *command], endpoint, ca)

    def multi(self, endpoint, *, window, connections=32, seconds=0, count=0, warm=0, keys=1000, once=False):
        words = [self.folder / "multi", window, connections, seconds, count, warm, keys, *self.keys.escaped]
        words = [str(word) for word in words]
        if once:
            words = [str(self.folder / "drive"), "--cpu", str(self.program_cpu), "--once", "1", "--", *words]
            return self.measure(words, endpoint, None)
        return self.measure(words, endpoint, None, cpu=self.program_cpu)

    def curl(self, endpoint, tag):
        """One call as a shell script would make it."""
        target, output = signing.target(tag), self.folder / "curl.json"
        headers = [word for line in signing.headers(target, *CREDENTIALS.values()).items()
                   for word in ("-H", ": ".join(line))]
        figures = self.measure(
            [str(self.folder / "drive"), "--cpu", str(self.program_cpu), "--once", "1", "--", "curl", "-sS", "--fail",
             "--cacert", str(self.ca), *headers, "-d", "{}", "-o", str(output), endpoint + target], endpoint, None)
        if self.keys.escaped[int(tag[-1]) % 2] not in output.read_text():
            raise SystemExit(f"curl got the wrong key for {tag}")
        return figures

    def measure(self, words, endpoint, ca, cpu=None):
        pin = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
        finished = subprocess.run(
            words, env=self.environment(endpoint, ca or self.ca), capture_output=True, text=True, preexec_fn=pin)
        if finished.returncode:
            raise SystemExit(f"a run failed ({finished.returncode}): {' '.join(words)}\n{finished.stderr}")
        figures = json.loads(finished.stdout.strip().splitlines()[-1])
        if figures["wrong"]:
            raise SystemExit(f"{figures['wrong']} wrong answers: {' '.join(words)}\n{finished.stderr}")
        return figures
