"""Many processes of the program that ask for one key, each again as soon as it has its answer; the emulator counts."""
import json
import os
import selectors
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path

REQUEST = b'{"jsonrpc":"2.0","id":1,"method":"getPublicKey","params":{"keyTag":"t0","maxAgeMs":0}}\n'


class Member:
    def __init__(self, command, environment, cpu):
        self.process = subprocess.Popen(
            command, env=environment, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
        self.text, self.began = b"", 0.0

    def send(self, line):
        self.began = time.monotonic()
        self.process.stdin.write(line)

    def answer(self):
        """The next answer; None if it has not come as a whole."""
        chunk = self.process.stdout.read(65536)
        if not chunk: raise SystemExit(f"a process has ended: {self.process.args}")
        self.text += chunk
        if not self.text.endswith(b"\n"): return None
        answer, self.text = json.loads(self.text), b""
        return answer

    def cpu_seconds(self):
        """That all of its threads have used."""
        folder = Path(f"/proc/{self.process.pid}/task")
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in folder.iterdir()) / 1e9

    def peak_kib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def requests(emulator):
    """How many the service has got."""
    context = ssl.create_default_context(cafile=emulator.facts["caFile"])
    with urllib.request.urlopen(emulator.facts["endpoint"] + "/_emulator/state", context=context) as answer:
        return json.load(answer)["total"]


def run(bench, command, emulator, count, seconds):
    """The figures of all of them together, like those of `drive`. The first second, in which all connect and the burst
    is used up, is not measured."""
    environment = bench.environment(emulator.facts["endpoint"], emulator.facts["caFile"])
    members = [Member(command, environment, bench.program_cpu) for _ in range(count)]
    try:
        selector = selectors.DefaultSelector()
        for member in members: selector.register(member.process.stdout, selectors.EVENT_READ, member)
        for member in members: member.send(b'{"jsonrpc":"2.0","id":0,"method":"getStatus"}\n')
        waiting, latencies, failed = set(members), [], 0

        def answers(until):
            """Takes what has been answered by then."""
            while (left := until - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    if answer := key.data.answer(): yield key.data, answer

        for member, _ in answers(time.monotonic() + 60):
            waiting.discard(member)
            if not waiting: break
        if waiting: raise SystemExit(f"{len(waiting)} of {count} processes did not start within a minute")
        for member in members: member.send(REQUEST)
        for member, answer in answers(time.monotonic() + 1): member.send(REQUEST)
        start, before, used = time.monotonic(), requests(emulator), sum(member.cpu_seconds() for member in members)
        for member, answer in answers(start + seconds):
            latencies.append((time.monotonic() - member.began) * 1e6)
            failed += "error" in answer
            member.send(REQUEST)
        end, after = time.monotonic(), requests(emulator)
        latencies.sort()
        return {
            "answers": len(latencies), "warm": 0, "wrong": 0, "failed": failed, "seconds": end - start,
            "cpuSeconds": sum(member.cpu_seconds() for member in members) - used, "upstream": after - before,
            "rssKiB": max(member.peak_kib() for member in members),
            "latencyUs": [latencies[min(int(part * len(latencies)), len(latencies) - 1)] for part in (0.5, 0.99, 0.999)],
        }
    finally:
        for member in members: member.stop()
