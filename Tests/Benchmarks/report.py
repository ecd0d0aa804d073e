"""The table, the goals and the plot, out of the rounds."""
import math
import statistics
from html import escape

from programs import OURS

C, BOTO3 = "C, libcurl multi", "Python, boto3"


def values(results, scenario, program, figure):
    return [figure(run) for run in results.get(scenario, {}).get("programs", {}).get(program, [])]


def cpu(run): return run["cpuSeconds"] / max(run["answers"], 1) * 1e6
def rate(run): return run["answers"] / run["seconds"]
def p50(run): return run["latencyUs"][0]
def first(run): return run["firstMs"]


def spread(numbers, form):
    middle = statistics.median(numbers)
    return form(middle) if len(numbers) == 1 else f"{form(middle)} ({form(min(numbers))}–{form(max(numbers))})"


def short(number):
    if number >= 100: return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def table(results):
    lines = ["| scenario | program | CPU per call, µs | calls/s | p50, µs | p99, µs | p99.9, µs | peak MB | requests per call | failed |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for scenario in results.values():
        title = scenario["title"]
        for program, runs in scenario["programs"].items():
            if not runs[0]["answers"]: continue
            latencies = [short(statistics.median(run["latencyUs"][place] for run in runs)) for place in range(3)]
            asked = [run["upstream"] / (run["answers"] + run["warm"]) for run in runs if run.get("upstream") is not None]
            cells = [title, program, spread([cpu(run) for run in runs], short), spread([rate(run) for run in runs], short),
                     *latencies, f"{max(run['rssKiB'] for run in runs) / 1024:.1f}",
                     f"{statistics.median(asked):.3f}" if asked else "", str(sum(run["failed"] for run in runs))]
            lines.append("| " + " | ".join(cells) + " |")
            title = ""
    return "\n".join(lines)


def goals(results):
    """(what, goal, figure, met) for each goal; ratios are taken round by round, then their median."""
    rows = []

    def add(what, goal, figures, limit, form=lambda number: f"{number:.2f} ×", at_least=False):
        if not figures: return
        middle = statistics.median(figures)
        rows.append((what, goal, spread(figures, form), middle >= limit if at_least else middle <= limit))

    def ratios(scenario, figure, left, right):
        pairs = zip(values(results, scenario, left, figure), values(results, scenario, right, figure))
        return [one / other for one, other in pairs]

    add("CPU per fetched call, 32 in flight, against the C program", "≤ 1.35 ×", ratios("many", cpu, OURS, C), 1.35)
    add("calls a second, 32 in flight, against the C program", "≥ 0.9 ×", ratios("many", rate, OURS, C), 0.9, at_least=True)
    add("CPU against boto3, 32 in flight", "≤ 1/15", ratios("many", cpu, BOTO3, OURS), 15, lambda number: f"1/{number:.1f}", True)
    for window in (64, 512):
        name = f"cached{window}"
        add(f"cached, {window} in flight: calls a second against the C program", "≥ 0.7 ×", ratios(name, rate, OURS, "C, lines"), 0.7, at_least=True)
        add(f"cached, {window} in flight: CPU", "≤ 1.5 µs", values(results, name, OURS, cpu), 1.5, lambda number: f"{number:.2f} µs")
    add("cached, one at a time: p50 against an echo", "≤ 1.15 ×", ratios("cached1", p50, OURS, "C, echo"), 1.15)
    milliseconds = lambda number: f"{number:.1f} ms"
    add("start to first answer, one authority", "≤ 12 ms", values(results, "start", OURS, first), 12, milliseconds)
    add("start to first answer, the system's bundle", "≤ 30 ms", values(results, "start", f"{OURS}, the system's bundle", first), 30, milliseconds)
    add("peak memory, 1,024 in flight", "≤ 25 MB", values(results, "memory", OURS, lambda run: run["rssKiB"] / 1024), 25, lambda number: f"{number:.1f} MB")
    idle = results.get("idle", {}).get("title", "idle")
    add(f"{idle}: CPU", "0", values(results, "idle", OURS, lambda run: run["cpuSeconds"] * 1e6), 0, lambda number: f"{number:.0f} µs")
    add(f"{idle}: context switches", "0", values(results, "idle", OURS, lambda run: run["contextSwitches"]), 0, lambda number: f"{number:.0f}")
    add("256 identical calls: requests to the service", "1", values(results, "burst", OURS, lambda run: run["upstream"]), 1, lambda number: f"{number:.0f}")
    per_byte = lambda run: run["cpuSeconds"] / run["requestBytes"]
    add("CPU per byte, a line of 64 MiB against 64 KiB", "≤ 1.2 ×", ratios("long", per_byte, OURS, f"{OURS}, lines of 64 KiB"), 1.2)
    return rows


def goals_table(rows):
    lines = ["| what | goal | figure | met |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {what} | {goal} | {figure} | {'yes' if met else '**no**'} |" for what, goal, figure, met in rows])


def instructions_table(now, last):
    lines = ["| instructions per call | now | committed last | change |", "|---|---|---|---|"]
    for name, number in now.items():
        before = last.get(name)
        change = f"{(number / before - 1) * 100:+.1f} %" if before else ""
        lines.append(f"| {name} | {number:,} | {f'{before:,}' if before else ''} | {change} |")
    return "\n".join(lines)


def plot(results):
    """CPU per fetched call and calls a second, as two groups of bars on a logarithmic scale (SVG)."""
    programs = [program for program in results["many"]["programs"]]
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
