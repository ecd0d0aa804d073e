"""The table, the goals and the plot, out of the rounds."""
import math
import statistics
from html import escape

from counts import COUNTS
from programs import BOTO3, C, OTHER, OURS, PIPES, SHARED


def values(results, scenario, program, figure):
    return [figure(run) for run in results.get(scenario, {}).get("programs", {}).get(program, [])]


def cpu(run): return run["cpuSeconds"] / max(run["answers"], 1) * 1e6
def rate(run): return run["answers"] / run["seconds"]
def p50(run): return run["latencyUs"][0]
def cached_p50(run): return run["cachedLatencyUs"][0]
def first(run): return run["firstMs"]


def spread(numbers, form):
    middle = statistics.median(numbers)
    return form(middle) if len(numbers) == 1 else f"{form(middle)} ({form(min(numbers))}–{form(max(numbers))})"


def short(number):
    if number >= 100: return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def quantiles(runs, name):
    """None if the runs have none."""
    every = [run[name] for run in runs if any(run.get(name, []))]
    return [short(statistics.median(run[place] for run in every)) for place in range(3)] if every else None


def table(results):
    lines = ["| scenario | program | CPU per call, µs | calls/s | p50, µs | p99, µs | p99.9, µs | peak MB | requests per call | failed |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for scenario in results.values():
        title = scenario["title"]
        for program, runs in scenario["programs"].items():
            if not runs[0]["answers"]: continue
            latencies = quantiles(runs, "latencyUs")
            asked = [run["upstream"] / (run["answers"] + run["warm"]) for run in runs if run.get("upstream") is not None]
            cells = [title, program, spread([cpu(run) for run in runs], short), spread([rate(run) for run in runs], short),
                     *latencies, f"{max(run['rssKiB'] for run in runs) / 1024:.1f}",
                     f"{statistics.median(asked):.3f}" if asked else "", str(sum(run["failed"] for run in runs))]
            lines.append("| " + " | ".join(cells) + " |")
            title = ""
            if (cached := quantiles(runs, "cachedLatencyUs")) not in [None, latencies]:
                lines.append(f"| | {program}: what was cached | | | {' | '.join(cached)} | | | |")
    return "\n".join(lines)


def goals(results):
    """(what, goal, figure, that of the other build, met) for each; ratios are taken round by round, then their median."""
    rows = []

    def add(what, goal, figures, limit, form=lambda number: f"{number:.2f} ×", at_least=False):
        """`figures` gives those of a build."""
        if not (ours := figures(OURS)): return
        middle, others = statistics.median(ours), figures(OTHER)
        rows.append((what, goal, spread(ours, form), spread(others, form) if others else "",
                     middle >= limit if at_least else middle <= limit))

    def of(scenario, figure, suffix=""):
        return lambda build: values(results, scenario, build + suffix, figure)

    def ratios(left, right):
        return lambda build: [one / other for one, other in zip(left(build), right(build))]

    def against(scenario, figure, program):
        return ratios(of(scenario, figure), lambda _: values(results, scenario, program, figure))

    def inverse(figures): return lambda build: [1 / figure for figure in figures(build)]
    def milliseconds(number): return f"{number:.1f} ms"
    def part(number): return f"1/{number:.1f}"
    def whole(number): return f"{number:.0f}"
    def per_byte(run): return run["cpuSeconds"] / run["requestBytes"]

    add("CPU, 1 in flight, against the C program over pipes", "≤ 1.35 ×", against("one", cpu, PIPES), 1.35)
    add("CPU, 1 in flight, against boto3", "≤ 1/8", inverse(against("one", cpu, BOTO3)), 8, part, True)
    add("CPU, 32 in flight, against the C program", "≤ 1.15 ×", against("many", cpu, C), 1.15)
    add("calls a second, 32 in flight, against the C program", "≥ 0.85 ×", against("many", rate, C), 0.85, at_least=True)
    add("CPU, 32 in flight, against boto3", "≤ 1/15", inverse(against("many", cpu, BOTO3)), 15, part, True)
    add("mixed traffic: CPU against the other build", "≤ 0.85 ×", against("mixed", cpu, OTHER), 0.85)
    add("mixed traffic: p50 of what is cached against the other build", "≤ 1.1 ×", against("mixed", cached_p50, OTHER), 1.1)
    add("cached, one a millisecond, while 32 connections are made: p99", "≤ 20 ms",
        of("handshakes", lambda run: run["cachedLatencyUs"][1] / 1000), 20, milliseconds)
    for window in (64, 512):
        name = f"cached{window}"
        add(f"cached, {window} in flight: calls a second against the C program", "≥ 0.7 ×", against(name, rate, "C, lines"), 0.7, at_least=True)
        add(f"cached, {window} in flight: CPU", "≤ 1.5 µs", of(name, cpu), 1.5, lambda number: f"{number:.2f} µs")
    add("cached, one at a time: p50 against an echo", "≤ 1.15 ×", against("cached1", p50, "C, echo"), 1.15)
    add("start to first answer, one authority", "≤ 8 ms", of("start", first), 8, milliseconds)
    add("start to first answer, the system's authorities", "≤ 1.3 × of that",
        ratios(of("start", first, ", the system's authorities"), of("start", first)), 1.3)
    add("start to first answer, a bundle of them", "≤ 30 ms", of("start", first, ", a bundle of them"), 30, milliseconds)
    add("peak memory, 1,024 in flight", "≤ 25 MB", of("memory", lambda run: run["rssKiB"] / 1024), 25, lambda number: f"{number:.1f} MB")
    idle = results.get("idle", {}).get("title", "idle")
    add(f"{idle}: CPU", "0", of("idle", lambda run: run["cpuSeconds"] * 1e6), 0, lambda number: f"{number:.0f} µs")
    add(f"{idle}: context switches", "0", of("idle", lambda run: run["contextSwitches"]), 0, whole)
    add("256 identical calls: requests to the service", "1", of("burst", lambda run: run["upstream"]), 1, whole)
    add("CPU that a shared engine adds to a fetched call", "≤ 15 µs", lambda build: [
        on - off for on, off in zip(of("shared", cpu, SHARED)(build), of("shared", cpu)(build))], 15, lambda number: f"{number:.1f} µs")
    add("200 processes with a shared engine: requests to the service a second", "≤ 305",
        of("fleet", lambda run: run["upstream"] / run["seconds"], SHARED), 305, whole)
    add("200 processes with a shared engine: failed calls", "0", of("fleet", lambda run: run["failed"], SHARED), 0, whole)
    add("CPU per byte, a line of 64 MiB against 64 KiB", "≤ 1.2 ×",
        ratios(of("long", per_byte), of("long", per_byte, ", lines of 64 KiB")), 1.2)
    return rows


def goals_table(rows):
    other = any(row[3] for row in rows)
    lines = ["| what | goal | figure | the other build | met |", "|---|---|---|---|---|"] if other else [
        "| what | goal | figure | met |", "|---|---|---|---|"]
    for what, goal, figure, others, met in rows:
        cells = [what, goal, figure, *([others] if other else []), "yes" if met else "**no**"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def counts_table(counts, committed):
    """Of what `counts.per_call` gives."""
    programs = list(counts)
    lines = [f"| per call | goal | {' | '.join(programs)} | committed | change |", "|---" * (len(programs) + 4) + "|"]
    for count in COUNTS:
        if (now := counts[OURS].get(count.name)) is None: continue
        before = committed.get(count.name)
        cells = [count.title, number_of(count.goal) and f"≤ {number_of(count.goal)}",
                 *[number_of(counts[program].get(count.name)) for program in programs], number_of(before),
                 f"{(now / before - 1) * 100:+.1f} %" if before else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def profile_tables(profiles):
    """Where the counts that miss their goals come from: of what `counts.per_call` gives."""
    tables = []
    for count in COUNTS:
        if not (parts := profiles.get(count.name)): continue
        smallest = sum(parts.values()) / 100
        shown = sorted((part for part in parts.items() if part[1] >= smallest), key=lambda part: -part[1])
        lines = [f"| {count.title} | per call |", "|---|---|", *[f"| {name} | {number_of(number)} |" for name, number in shown]]
        tables.append("\n".join(lines))
    return tables


def number_of(count):
    return "" if count is None else f"{count:,.0f}" if count >= 100 else f"{count:.1f}"


def plot(results):
    """CPU per fetched call and calls a second, as two groups of bars on a logarithmic scale (SVG)."""
    programs = [program for program in results["many"]["programs"] if program != OTHER]
    panels = [("CPU per fetched call, 32 in flight (µs, logarithmic; shorter is better)", cpu),
              ("Calls a second, 32 in flight (logarithmic; longer is better)", rate)]
    row, label, width, top = 26, 150, 420, 30
    height = top + row * len(programs) + 16
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {label + width + 110} {height * len(panels)}" '
           'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>']
    for place, (title, figure) in enumerate(panels):
        runs = {program: values(results, "many", program, figure) for program in programs}
        middles = {program: statistics.median(numbers) for program, numbers in runs.items()}
        floor, ceiling = min(middles.values()) / 2, max(max(numbers) for numbers in runs.values())

        def x(number):
            return label + width * math.log(max(number, floor) / floor) / math.log(ceiling / floor)

        y = place * height + top
        out.append(f'<text x="8" y="{y - 10}" font-weight="bold">{escape(title)}</text>')
        for program in programs:
            color = "#d9480f" if program == OURS else "#868e96"
            low, high = min(runs[program]), max(runs[program])
            out.append(
                f'<text x="{label - 6}" y="{y + 16}" text-anchor="end">{escape(program)}</text>'
                f'<rect x="{label}" y="{y + 3}" width="{x(middles[program]) - label:.1f}" height="{row - 8}" fill="{color}"/>'
                f'<path d="M{x(low):.1f} {y + row / 2 - 1}H{x(high):.1f}" stroke="black"/>'
                f'<text x="{x(high) + 6:.1f}" y="{y + 16}">{short(middles[program])}</text>')
            y += row
    return "\n".join(out) + "\n</svg>\n"
