"""The figures as text."""

TITLES = {"leapfrog": "leapfrog", "shell": "shell loop", "ansible": "Ansible playbook"}


def text(summary):
    """The report."""
    leap = summary["leap"]
    lines = [
        f"{leap['from']} → {leap['to']}, {summary['rows']:,} servers, {summary['cells']} cell{'s' * (summary['cells'] != 1)} besides cell0, "
        f"{summary['cores']} cores; {summary['leapfrog']}, {summary['ansible']}",
        "",
        f"{'':18}{'median':>9}  {'ratio':>6}  {'commands':>8}  {'busy':>5}  rounds",
    ]
    for name, way in summary["ways"].items():
        ratio = summary.get("ratios", {}).get(name)
        rounds = " ".join(f"{seconds:.1f}" for seconds in way["seconds"])
        lines.append(
            f"{TITLES[name]:18}{way['median']:8.1f}s  {f'{ratio:.2f}' if ratio else '1':>6}  {way['commands'][0]:8}  "
            f"{way['processors_busy'][0]:>5.0%}  {rounds}"
        )
    if "account" in summary:
        lines += ["", *_account(summary["account"], leap["commands"])]
    if "critical_path" in summary:
        lines += ["", *_path(summary)]
    return "\n".join(lines) + "\n"


def _account(account, commands):
    lane = account["lane_seconds"]
    total = sum(seconds for name, seconds in lane.items() if name != "of_which_start_up") or 1.0

    def row(title, seconds):
        return f"    {title:55}{seconds:8.1f}s  {seconds / total:4.0%}"

    hops = ", ".join(f"{series} {seconds:.1f}s" for series, seconds in account["hops"].items())
    return [
        f"where leapfrog's {account['wall']:.1f}s went",
        f"    commands of the plan {commands}, containers run {account['commands_run']}, steps skipped {account['steps_skipped']}",
        f"    before the first step {account['before_first_step']:.1f}s; {hops}; between them {account['between_hops']:.1f}s; "
        f"after the last {account['after_last_step']:.1f}s",
        "  of the places for commands side by side, while hops worked",
        row("commands", lane["commands"]),
        row("  of which their start-up", lane["of_which_start_up"]),
        row("a step's begin to its command's start (container, turn)", lane["step_begun_to_command_started"]),
        row("a round's end to the next one's start", lane["command_ended_to_next_round_started"]),
        row("a command's end to its step's (output, proof, journal)", lane["command_ended_to_step_ended"]),
        row("steps without a command (skipped, heads compared)", lane["steps_without_commands"]),
        row("nothing to run: lanes wait for one another", lane["no_step_to_run"]),
    ]


def _path(summary):
    path = summary["critical_path"]["with_containers"]
    bare = summary["critical_path"]["commands"]
    lines = ["critical path of the commands that had to run (times of each command alone, from the shell loop)"]
    for series, hop in path["hops"].items():
        lines.append(
            f"    {series}  {hop['seconds']:6.1f}s  longest lane {hop['longest_lane']} {hop['longest_lane_seconds']:.1f}s, "
            f"all commands / cores {hop['shared_seconds']:.1f}s"
        )
    lines.append(f"    together {path['seconds']:.1f}s with their containers, {bare['seconds']:.1f}s without")
    above = [f"{one['leapfrog_above']:+.0%}" for one in (path, bare)]
    lines.append(f"    leapfrog took {above[0]} and {above[1]}")
    return lines
