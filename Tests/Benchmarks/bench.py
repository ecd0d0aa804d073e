#!/usr/bin/env python3
"""Measures ncloud-kms-rpc beside its peers: `make bench`, `make bench QUICK=1`, `make bench AGAINST=FOLDER`.

Programs take turns (A, B, A, B …); the first round is thrown away. The program has a core of its own, nginx and the
driver share the other. Output: tables, a plot and the raw figures, in .build-bench. It fails if a count has grown by
more than 5 % over the committed one; `RECORD=1` commits to the new ones.
"""
import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import counts
import report
from programs import HERE, OTHER, OURS, PIPES, Bench
from scenarios import ONCE, scenarios
from service import Emulator, Engine, Keys, Nginx, make_authority

ROOT = HERE.parent.parent
LAST = HERE / "last"


def result_files(bench, endpoint):
    """The results of two cached answers of ours, for the C program that answers with the same bytes."""
    files = []
    for number in range(2):
        request = {"jsonrpc": "2.0", "id": 1, "method": "getPublicKey", "params": {"keyTag": f"t{number}"}}
        line = json.dumps(request) + "\n"
        with subprocess.Popen(bench.command(OURS), env=bench.environment(endpoint, bench.ca), text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            for _ in range(2):
                process.stdin.write(line)
                process.stdin.flush()
                answer = process.stdout.readline()
        file = bench.folder / f"result{number}.json"
        file.write_text(answer.strip().removeprefix('{"jsonrpc":"2.0","id":1,"result":').removesuffix("}"))
        files.append(file)
    return files


def machine():
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return f"{len(os.sched_getaffinity(0))} cores of {model}, Linux {platform.release().split('-')[0]}"


def measure(bench, all_scenarios, rounds, only):
    results = {}
    for scenario in all_scenarios:
        if only and scenario.name not in only: continue
        taken = results[scenario.name] = {"title": scenario.title, "programs": {name: [] for name in scenario.runs}}
        count = 1 if scenario.name in ONCE else rounds
        for number in range(count):
            for program, run in scenario.runs.items():
                figures = run()
                if number > 0 or count == 1: taken["programs"][program].append(figures)
        print(f"{scenario.title}: done", flush=True)
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a minute instead of a quarter of an hour")
    parser.add_argument("--record", action="store_true", help=f"keep the results in {LAST.relative_to(ROOT)}; of a quick run the counts")
    parser.add_argument("--only", nargs="*", default=[], help="names of scenarios; none: only the counts")
    parser.add_argument("--no-counts", action="store_true")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="where another build is, which takes turns with this one")
    parser.add_argument("--binaries", type=Path, default=ROOT / ".build/release")
    options = parser.parse_args()

    output = ROOT / ".build-bench"
    output.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="ncloud-bench-"))
    servers = []
    try:
        keys = Keys(folder)
        make_authority(folder)
        builds = {OURS: options.binaries / OURS} | ({OTHER: options.against / OURS} if options.against else {})
        bench = Bench(folder, builds, keys, options.quick)
        servers.append(nginx := Nginx(folder, keys, bench.service_cpu))
        servers.append(late := Emulator(str(options.binaries / "ncloud-kms-emulator"), folder, keys, bench.service_cpu, 50))
        engine = Engine(folder, bench.service_cpu) if Engine.is_installed() else None
        if engine: servers.append(engine)
        service = f"https://127.0.0.1:{nginx.port}"
        rounds = 3 if options.quick else 8
        results = measure(bench, scenarios(bench, nginx, late, engine, result_files(bench, service)), rounds, options.only)
        counted, profiles = ({}, {}) if options.no_counts else counts.per_call(
            bench, nginx, engine, list(builds) if options.quick else [*builds, PIPES])
    finally:
        for server in servers: server.stop()
        shutil.rmtree(folder)

    last = LAST / "counts.json"
    committed = json.loads(last.read_text()) if last.exists() else {}
    parts = [f"{datetime.date.today()}, {machine()}, `make bench{' QUICK=1' if options.quick else ''}`"]
    if rows := report.goals(results): parts.append(report.goals_table(rows))
    if counted: parts += [report.counts_table(counted, committed), *report.profile_tables(profiles)]
    if results: parts.append(report.table(results))
    text = "\n\n".join(parts) + "\n"
    print("\n" + text)
    (output / "results.json").write_text(json.dumps({"machine": machine(), "scenarios": results, "counts": counted}, indent=1))
    (output / "results.md").write_text(text)
    if "many" in results: (output / "plot.svg").write_text(report.plot(results))
    print(f"Raw figures, table and plot: {output}")
    if options.record:
        LAST.mkdir(exist_ok=True)
        for name in [] if options.quick else ["results.json", "results.md", "plot.svg"]:
            if (output / name).exists(): shutil.copy(output / name, LAST / name)
        if counted: last.write_text(json.dumps(counted[OURS], indent=1) + "\n")
    elif counted and (grown := counts.grown(counted[OURS], committed)):
        raise SystemExit("\n".join([
            f"\nThese counts have grown by more than 5 % over {last.relative_to(ROOT)}:", *grown,
            "Find out why. If it has to be, `make bench QUICK=1 RECORD=1` records the new ones."]))


if __name__ == "__main__":
    main()
