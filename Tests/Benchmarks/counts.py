"""What repeats, whatever else the machine does: instructions by valgrind, system calls by strace, waits by the kernel."""
import re
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from programs import OURS, PIPES
from service import Engine

# How often as many as committed a count may be.
TOLERANCE = 1.05
# The same, where two runs of one build are compared.
SAME = 1.01


def drive(bench, endpoint, program, flags, options, prefix=()):
    # Without --allow-debug the program refuses to be traced.
    flags = ["--allow-debug", *flags] if prefix else flags
    figures = bench.drive(bench.command(program, *flags), endpoint, prefix=prefix, **options)
    if figures["failed"]:
        raise SystemExit(f"{figures['failed']} calls failed: {program} {' '.join(prefix)}")
    return figures


def traced(bench, prefix, *run):
    """What a tool writes into a file. `prefix` is the tool and its arguments, with the file's name last."""
    log = bench.folder / "trace.log"
    drive(bench, *run, prefix=[*prefix[:-1], prefix[-1] + str(log)])
    return log.read_text()


def instructions(bench, *run):
    """{file of the code: instructions}. What Swift's runtime executes is in our program, which contains it."""
    profile = traced(bench, ["env", "SWIFT_DETERMINISTIC_HASHING=1", "valgrind", "--tool=callgrind", "--log-file=/dev/null",
                             "--callgrind-out-file="], *run)
    files, parts, file, is_callee = {}, Counter(), None, False
    for line in profile.splitlines():
        if object_file := re.match(r"(c?)ob=(\(\d+\))(?: (.*))?", line):
            is_call, number, path = object_file.groups()
            if path: files[number] = Path(path).name
            if not is_call: file = files[number]
        elif line.startswith("calls="):
            is_callee = True  # the next line has the costs of the function that is called
        elif cost := re.match(r"[+*\-\d]\S* (\d+)$", line):
            if not is_callee: parts[file] += int(cost.group(1))
            is_callee = False
    return parts


def system_calls(bench, *run):
    """{name: calls}"""
    table = traced(bench, ["strace", "-f", "-c", "-o"], *run)
    # The percentage, seconds, microseconds a call, calls, errors or nothing, the name.
    return Counter({name: int(calls) for calls, name in re.findall(r"(?m)^ *[\d.]+ +[\d.]+ +\d+ +(\d+)(?: +\d+)? +(\w+)$", table)
                    if name != "total"})


def context_switches(bench, *run):
    """Those in which a thread goes to sleep, of all threads, after the warm-up: it is given no short run to compare with."""
    return Counter({"all": drive(bench, *run)["contextSwitches"]})


@dataclass
class Count:
    """A count per call: the difference of two runs, so that the start does not count."""
    name: str
    title: str
    goal: float | None
    of: Callable
    few: int
    many: int
    options: dict
    connections: int = 1  # the fewer are made, the less their handshakes blur the count
    is_slow: bool = False  # the service lets each call wait
    is_shared: bool = False  # the limit is that of a shared engine

    @property
    def tool(self):
        return {instructions: "valgrind", system_calls: "strace"}.get(self.of)

    def per_call(self, bench, nginx, engine, program):
        """{part: number}"""
        endpoint = f"https://127.0.0.1:{nginx.slow_port if self.is_slow else nginx.port}"

        flags = ["--max-connections", str(self.connections)]
        # Without a limit, the engine would not be asked.
        if self.is_shared: flags += ["--rate-per-key", "1000000", *engine.flags]

        def run(calls):
            return self.of(bench, endpoint, program, flags,
                           {**self.options, "count": calls})

        parts = run(self.many)
        if self.few: parts.subtract(run(self.few))
        return {part: number / (self.many - self.few) for part, number in parts.items()}


ONE = {"window": 1, "warm": 10}
CACHED_ONE = {"window": 1, "warm": 10, "keys": 10, "fresh": 0}
CACHED = {"window": 64, "warm": 10, "keys": 10, "fresh": 0, "lockstep": 1}
MANY = {"window": 32, "warm": 320, "lockstep": 1}
COUNTS = [
    Count("fetchedOneAtATime", "instructions, fetched, one at a time", 190_000, instructions, 50, 350, ONE),
    Count("fetched", "instructions, fetched, 32 in flight", None, instructions, 32 * 5, 32 * 25, MANY, 4),
    Count("cached", "instructions, cached, 64 in flight", 8_500, instructions, 64 * 20, 64 * 120, CACHED),
    Count("cachedOneAtATime", "instructions, cached, one at a time", 13_000, instructions, 200, 1_200, CACHED_ONE),
    Count("fetchedShared", "instructions, fetched, one at a time, a shared engine", None, instructions, 50, 350, ONE, is_shared=True),
    Count("cachedShared", "instructions, cached, 64 in flight, a shared engine", 8_500, instructions, 64 * 20, 64 * 120, CACHED, is_shared=True),
    Count("start", "instructions, start to first answer", 38_000_000, instructions, 0, 1, {"window": 1}, 32),
    Count("systemCalls", "system calls, fetched, one at a time", 9, system_calls, 50, 350, ONE, is_slow=True),
    Count("contextSwitches", "context switches, fetched, one at a time", 2, context_switches, 0, 500, ONE, is_slow=True),
]


def per_call(bench, nginx, engine, programs):
    """{program: {name: count}}, of the C program only what compares with it; and {name: {part: count}} of what misses its goal."""
    counts, profiles = {program: {} for program in programs}, {}
    for count in COUNTS:
        if count.tool and not shutil.which(count.tool):
            print(f"{count.title}: not counted, {count.tool} is missing", flush=True)
            continue
        if count.is_shared and not engine:
            print(f"{count.title}: not counted, {Engine.PROGRAM} is missing", flush=True)
            continue
        for program in programs:
            if program == OURS or not count.is_shared and (program != PIPES or count.options is ONE):
                parts = count.per_call(bench, nginx, engine, program)
                number = sum(parts.values())
                counts[program][count.name] = round(number) if number >= 100 else round(number, 2)
                if program == OURS and count.goal and number > count.goal and len(parts) > 1: profiles[count.name] = parts
        print(f"{count.title}: done", flush=True)
    return counts, profiles


def grown(now, committed):
    """A line for each count that is larger than it may be."""
    lines = [f"{count.title}: {committed[count.name]:,} -> {now[count.name]:,}" for count in COUNTS
             if count.name in now and now[count.name] > TOLERANCE * committed.get(count.name, float("inf"))]
    # What a process has cached costs the same, whatever it shares.
    if "cachedShared" in now and now["cachedShared"] > SAME * now["cached"]:
        lines.append(f"cached, without and with a shared engine: {now['cached']:,} -> {now['cachedShared']:,}")
    return lines
