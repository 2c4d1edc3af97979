"""Where leapfrog's time went: its journal beside what the engine saw.

A command's time is that of its process, from its start to its end; what comes before and after belongs to leapfrog and
to the engine. The critical path of a hop is what no leap can beat that runs the same commands on the same machine: the
longest lane (commands that the plan allows beside one another side by side, everything else in sequence), or all commands together shared
out evenly to the cores, whichever is longer. Its figures come from the shell loop, where every command ran alone.
"""

import datetime
import statistics


def moment(record):
    """When a record was written, in seconds since the epoch; Python of Debian 12 reads no nanoseconds."""
    text = record["time"].rstrip("Z")
    whole, _, fraction = text.partition(".")
    seconds = datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp()
    return seconds + float(f"0.{fraction or 0}")


class Steps:
    """The steps of a run, from its journal: when each began and ended, and how."""

    def __init__(self, journal):
        self.began, self.ended, self.outcomes = {}, {}, {}
        for record in journal:
            if record["event"] == "step-started":
                self.began[record["step"]] = moment(record)
            elif record["event"] == "step-ended":
                self.ended[record["step"]] = moment(record)
                self.outcomes[record["step"]] = record["outcome"]

    def hops(self):
        """The first beginning and the last end of each release's steps, in order."""
        spans = {}
        for step, began in sorted(self.began.items(), key=lambda item: item[1]):
            first, last = spans.get(step.split("/")[0], (began, began))
            spans[step.split("/")[0]] = (first, max(last, self.ended[step]))
        return spans


def by_step(runs):
    """The engine's runs of each step, in order."""
    grouped = {}
    for run in sorted(runs, key=lambda run: run.start):
        grouped.setdefault(run.step, []).append(run)
    return grouped


def alone(rounds, length):
    """How long each step's commands take when nothing else runs: the medians over the shell loop's rounds of what
    `length` says of each container."""
    sums = [{step: sum(length(run) for run in runs) for step, runs in by_step(each).items()} for each in rounds]
    return {step: statistics.median(one[step] for one in sums if step in one) for step in set().union(*sums)}


def startups(leap, rounds):
    """How long each program takes to begin, by step: the quickest command of that program in that release, which found
    nothing to do."""
    program = {command.step: (command.image, command.words[0]) for command in leap.commands}
    quickest = {}
    for run in (run for each in rounds for run in each):
        key = program[run.step]
        quickest[key] = min(run.seconds, quickest.get(key, run.seconds))
    return {step: quickest[key] for step, key in program.items() if key in quickest}


def critical_path(leap, ran, seconds, cores):
    """By hop: the longest lane and the evenly shared sum of the commands that were run, in seconds."""
    path = {}
    for command in leap.commands:
        hop = path.setdefault(command.series, {"lanes": {}, "sum": 0.0})
        if command.step in ran:
            stages = hop["lanes"].setdefault(command.service, {})
            stages[command.stage] = max(stages.get(command.stage, 0.0), seconds[command.step])
            hop["sum"] += seconds[command.step]
    told = {}
    for series, hop in path.items():
        lanes = {service: sum(stages.values()) for service, stages in hop["lanes"].items()}
        service = max(lanes, key=lanes.get, default=None)
        longest = lanes.get(service, 0.0)
        told[series] = {
            "longest_lane": service,
            "longest_lane_seconds": longest,
            "shared_seconds": hop["sum"] / cores,
            "seconds": max(longest, hop["sum"] / cores),
        }
    return told


def account(result, starts, jobs):
    """Where one run's time went, in seconds, with so many commands side by side. `starts` are the programs' start-up times."""
    began, took = result["began"], result["seconds"]
    steps = Steps(result["journal"])
    of = by_step(result["runs"])
    hops = steps.hops()
    spans = list(hops.values())
    lane = dict.fromkeys(("command", "before", "after", "between", "without"), 0.0)
    for step, start in steps.began.items():
        end, its = steps.ended[step], of.get(step, [])
        if not its:
            lane["without"] += end - start
            continue
        lane["command"] += sum(run.seconds for run in its)
        lane["before"] += its[0].start - start
        lane["after"] += end - its[-1].die
        lane["between"] += sum(later.start - sooner.die for sooner, later in zip(its, its[1:]))
    busy = sum(steps.ended[step] - start for step, start in steps.began.items())
    working = sum(last - first for first, last in spans)
    count = sum(len(its) for its in of.values())
    return {
        "wall": took,
        "commands_run": count,
        "steps_with_commands": len(of),
        "steps_skipped": sum(outcome == "skipped" for outcome in steps.outcomes.values()),
        "before_first_step": spans[0][0] - began,
        "hops": {series: last - first for series, (first, last) in hops.items()},
        "between_hops": sum(later[0] - sooner[1] for sooner, later in zip(spans, spans[1:])),
        "after_last_step": began + took - spans[-1][1],
        "lane_seconds": {
            "commands": lane["command"],
            "of_which_start_up": sum(min(starts[step], run.seconds) for step, its in of.items() for run in its),
            "step_begun_to_command_started": lane["before"],
            "command_ended_to_next_round_started": lane["between"],
            "command_ended_to_step_ended": lane["after"],
            "steps_without_commands": lane["without"],
            "no_step_to_run": max(0.0, jobs * working - busy),
        },
    }
