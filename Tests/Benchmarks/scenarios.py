"""What is measured. A scenario is a list of programs, each with a function that makes one run and gives its figures."""
import statistics
from dataclasses import dataclass, field
from typing import Callable

from programs import OURS

C = "C, libcurl multi"
BOTO3 = "Python, boto3"
CURL = "curl, once per call"


@dataclass
class Scenario:
    name: str
    title: str
    runs: dict[str, Callable[[], dict]] = field(default_factory=dict)


def together(runs):
    """Several runs of one call each, as one."""
    runs = list(runs)
    firsts = sorted(run["firstMs"] * 1000 for run in runs)
    return {
        "answers": len(runs), "warm": 0, "wrong": 0, "failed": sum(run["failed"] for run in runs),
        "seconds": sum(run["seconds"] for run in runs), "cpuSeconds": sum(run["cpuSeconds"] for run in runs),
        "firstMs": statistics.median(firsts) / 1000, "rssKiB": max(run["rssKiB"] for run in runs),
        "latencyUs": [firsts[min(int(quantile * len(firsts)), len(firsts) - 1)] for quantile in (0.5, 0.99, 0.999)],
    }


def scenarios(bench, nginx, late, result_files):
    """
    - nginx: `Nginx`; late: an `Emulator` that is 50 ms late.
    - result_files: of the C program that answers lines, the results for even and odd tags.
    """
    service, faulty = f"https://127.0.0.1:{nginx.port}", f"https://127.0.0.1:{nginx.faulty_port}"
    seconds = 0.15 if bench.quick else 1.5
    stdio = [name for name, command in bench.peers.items() if command]

    def counted(run):
        """With the number of requests that reached nginx for each call."""
        before = nginx.requests()
        figures = run()
        figures["upstream"] = nginx.requests() - before - 1
        return figures

    def drive(program, endpoint=service, flags=(), **options):
        expected = bench.keys.ders if program == BOTO3 else None
        window = options["window"]
        return lambda: counted(lambda: bench.drive(
            bench.command(program, *flags), endpoint, expected=expected, **{"warm": 2 * window, **options}))

    def multi(window, **options):
        return lambda: counted(lambda: bench.multi(
            service, window=window, connections=32, seconds=seconds, warm=2 * window, **options))

    def fetched(name, title, window):
        runs = {OURS: drive(OURS, window=window, seconds=seconds), C: multi(window)}
        runs |= {peer: drive(peer, window=window, seconds=seconds) for peer in stdio}
        if window == 1 and CURL in bench.peers:
            calls = 5 if bench.quick else 50
            runs[CURL] = lambda: counted(lambda: together(bench.curl(service, f"t{tag}") for tag in range(calls)))
        return Scenario(name, title, runs)

    def starts(program, ca=None):
        times = 3 if bench.quick else 10
        if program == C:
            return lambda: together(bench.multi(service, window=1, count=1, once=True) for _ in range(times))
        if program == CURL:
            return lambda: together(bench.curl(service, "t0") for _ in range(times))
        times = times if program == OURS else 1
        expected = bench.keys.ders if program == BOTO3 else None
        return lambda: together(
            bench.drive(bench.command(program), service, ca=ca, expected=expected, count=1) for _ in range(times))

    def cached(window, **options):
        return drive(OURS, window=window, fresh=0, keys=10, warm=20, **{"seconds": seconds, **options})

    def lines(window):
        command = [str(bench.folder / "lines"), *map(str, result_files)]
        return lambda: bench.drive(command, service, window=window, keys=10, fresh=0, warm=20, seconds=seconds)

    def late_run(program):
        return lambda: bench.drive(bench.command(program), late.facts["endpoint"], **late_options)

    def echo():
        return bench.drive([str(bench.folder / "echo")], service, window=1, echo=1, warm=20, keys=10, fresh=0,
                           seconds=seconds)

    start = {OURS: starts(OURS)}
    if (bundle := bench.folder / "bundle.pem").exists():
        start[f"{OURS}, the system's bundle"] = starts(OURS, bundle)
    start |= {program: starts(program) for program in bench.peers}

    late_options = {"ca": late.facts["caFile"], "window": 64, "warm": 64, "seconds": max(seconds, 0.3)}
    long = ["--max-message-bytes", str(128 << 20)]
    long_lines = 1 if bench.quick else 4
    idle = 5 if bench.quick else 60
    return [
        Scenario("start", "Start to first answer", start),
        fetched("one", "Fetched, 1 in flight", 1),
        fetched("many", "Fetched, 32 in flight", 32),
        Scenario("mixed", "1,000 keys, one call in ten fetched, 32 in flight", {
            OURS: drive(OURS, window=32, seconds=seconds, fresh=10, shuffle=1, warm=4_000)}),
        Scenario("burst", "256 identical calls at once", {
            OURS: drive(OURS, window=256, count=256, keys=1, fresh=0, warm=0)}),
        Scenario("cached64", "Cached, 64 in flight", {OURS: cached(64), "C, lines": lines(64)}),
        Scenario("cached512", "Cached, 512 in flight", {OURS: cached(512), "C, lines": lines(512)}),
        Scenario("cached1", "Cached, one at a time", {OURS: cached(1), "C, echo": echo}),
        Scenario("faults", "Fetched, 32 in flight, 5 % of the answers are 503", {
            program: drive(program, faulty, window=32, seconds=max(seconds, 0.3)) for program in [OURS, BOTO3]
            if program == OURS or program in bench.peers}),
        Scenario("late", "The service answers after 50 ms, 64 in flight on 32 connections", {
            program: late_run(program) for program in [OURS, *stdio] if program != BOTO3 and (program == OURS or not bench.quick)}),
        Scenario("memory", "Fetched, 1,024 in flight", {
            OURS: drive(OURS, window=1024, seconds=seconds, warm=1024, keys=2048)}),
        Scenario("long", "A line of 64 MiB", {
            OURS: cached(1, count=long_lines, pad=64 << 20, seconds=0, flags=long),
            f"{OURS}, lines of 64 KiB": cached(1, count=1024 * long_lines, pad=64 << 10, seconds=0, flags=long)}),
        Scenario("idle", f"Idle for {idle} s", {OURS: drive(OURS, window=1, warm=32, idle=idle)}),
    ]


# Scenarios that need no repeats: nothing in them is about speed.
ONCE = {"idle", "memory", "burst"}
