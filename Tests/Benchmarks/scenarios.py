"""What is measured. A scenario is a list of programs, each with a function that makes one run and gives its figures."""
import statistics
import subprocess
from dataclasses import dataclass, field
from typing import Callable

import fleet
from programs import BOTO3, C, CURL, OURS, SHARED
from service import Engine


# Puts a folder into the place of the system's authorities, and leaves the program to find them.
WITH_AUTHORITIES = ["unshare", "--mount", "--map-root-user", "sh", "-c",
                    'mount --bind "$0" /etc/ssl/certs && unset NCLOUD_KMS_CA_FILE && exec "$@"']


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


def scenarios(bench, nginx, late, engine, result_files):
    """
    - nginx: `Nginx`; late: an `Emulator` that is 50 ms late; engine: an `Engine`, or None.
    - result_files: of the C program that answers lines, the results for even and odd tags.
    """
    service, faulty, closing = [
        f"https://127.0.0.1:{port}" for port in (nginx.port, nginx.faulty_port, nginx.closing_port)]
    seconds = 0.15 if bench.quick else 1.5
    stdio = [name for name, command in bench.peers.items() if command]

    def ours(run):
        """The same run of each build of ours."""
        return {build: run(build) for build in bench.builds}

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
        runs = ours(lambda build: drive(build, window=window, seconds=seconds))
        runs |= {C: multi(window)} | {peer: drive(peer, window=window, seconds=seconds) for peer in stdio}
        if window == 1 and CURL in bench.peers:
            calls = 5 if bench.quick else 50
            runs[CURL] = lambda: counted(lambda: together(bench.curl(service, f"t{tag}") for tag in range(calls)))
        return Scenario(name, title, runs)

    def starts(program, **options):
        times = 3 if bench.quick else 10
        if program == C:
            return lambda: together(bench.multi(service, window=1, count=1, once=True) for _ in range(times))
        if program == CURL:
            return lambda: together(bench.curl(service, "t0") for _ in range(times))
        times = times if program in bench.builds else 1
        expected = bench.keys.ders if program == BOTO3 else None
        return lambda: together(
            bench.drive(bench.command(program), service, expected=expected, count=1, **options) for _ in range(times))

    def cached(window, **options):
        return lambda build: drive(build, window=window, fresh=0, keys=10, warm=20, **{"seconds": seconds, **options})

    def lines(window):
        command = [str(bench.folder / "lines"), *map(str, result_files)]
        return lambda: bench.drive(command, service, window=window, keys=10, fresh=0, warm=20, seconds=seconds)

    def late_run(program):
        return lambda: bench.drive(bench.command(program), late.facts["endpoint"], **late_options)

    def echo():
        return bench.drive([str(bench.folder / "echo")], service, window=1, echo=1, warm=20, keys=10, fresh=0,
                           seconds=seconds)

    def limited(build):
        """A limit that no call reaches, each process for itself and all together."""
        flags = ["--rate-per-key", "1000000"]
        return {name: drive(build, window=1, seconds=seconds, flags=flags + more)
                for name, more in [(build, []), (build + SHARED, engine.flags)]}

    def many(build):
        """All processes want more than the service allows for a key."""
        flags = ["--rate-per-key", "300"]
        return {name: lambda more=more: fleet.run(bench, bench.command(build, *flags, *more), late, 200, 3 if bench.quick else 8)
                for name, more in [(build, []), (build + SHARED, engine.flags)]}

    def with_engine(name, title, of):
        """Of this build alone: another one may not know a shared engine."""
        if not engine:
            print(f"{title}: not measured, {Engine.PROGRAM} is missing", flush=True)
            return []
        return [Scenario(name, title, of(OURS))]

    start = ours(starts)
    with_authorities = [*WITH_AUTHORITIES, str(bench.folder / "certs")]
    if (bench.folder / "certs").exists() and not subprocess.run([*with_authorities, "true"], capture_output=True).returncode:
        start |= {f"{build}, the system's authorities": starts(build, outside=with_authorities) for build in bench.builds}
    if (bundle := bench.folder / "bundle.pem").exists():
        start |= {f"{build}, a bundle of them": starts(build, ca=bundle) for build in bench.builds}
    start |= {program: starts(program) for program in bench.peers}

    late_options = {"ca": late.facts["caFile"], "window": 64, "warm": 64, "seconds": max(seconds, 0.3)}
    long = ["--max-message-bytes", str(128 << 20)]
    long_lines = 1 if bench.quick else 4
    idle = 5 if bench.quick else 60
    return [
        Scenario("start", "Start to first answer", start),
        fetched("one", "Fetched, 1 in flight", 1),
        fetched("many", "Fetched, 32 in flight", 32),
        Scenario("mixed", "1,000 keys, one call fetched for ten cached, 32 in flight", ours(
            lambda build: drive(build, window=32, seconds=seconds, fresh=11, shuffle=1, warm=4_000))),
        Scenario("handshakes", "Cached, one a millisecond, while 32 connections are made", ours(
            lambda build: drive(build, closing, window=32, seconds=2 * seconds, every=1000, keys=500, warm=500))),
        Scenario("burst", "256 identical calls at once", ours(
            lambda build: drive(build, window=256, count=256, keys=1, fresh=0, warm=0))),
        Scenario("cached64", "Cached, 64 in flight", {**ours(cached(64)), "C, lines": lines(64)}),
        Scenario("cached512", "Cached, 512 in flight", {**ours(cached(512)), "C, lines": lines(512)}),
        Scenario("cached1", "Cached, one at a time", {**ours(cached(1)), "C, echo": echo}),
        Scenario("faults", "Fetched, 32 in flight, 5 % of the answers are 503", {
            program: drive(program, faulty, window=32, seconds=max(seconds, 0.3)) for program in [*bench.builds, BOTO3]
            if program != BOTO3 or BOTO3 in bench.peers}),
        Scenario("late", "The service answers after 50 ms, 64 in flight on 32 connections", {
            program: late_run(program) for program in [*bench.builds, *([] if bench.quick else stdio)] if program != BOTO3}),
        *with_engine("shared", "Fetched, 1 in flight, within a limit", limited),
        *with_engine("fleet", "200 processes at once, one key, 300 a second allowed", many),
        Scenario("memory", "Fetched, 1,024 in flight", ours(
            lambda build: drive(build, window=1024, seconds=seconds, warm=1024, keys=2048))),
        Scenario("long", "A line of 64 MiB", ours(cached(1, count=long_lines, pad=64 << 20, seconds=0, flags=long)) | {
            f"{build}, lines of 64 KiB": run for build, run in ours(
                cached(1, count=1024 * long_lines, pad=64 << 10, seconds=0, flags=long)).items()}),
        Scenario("idle", f"Idle for {idle} s", ours(lambda build: drive(build, window=1, warm=32, idle=idle))),
    ]


# Scenarios that need no repeats: nothing in them is about speed.
ONCE = {"idle", "memory", "burst", "fleet"}
