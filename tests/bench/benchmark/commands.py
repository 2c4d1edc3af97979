"""The commands of a leap, as leapfrog's own plan names them."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Command:
    """One command, which may have to be repeated, and what its exit codes mean."""

    series: str
    service: str
    step: str
    phase: str
    words: tuple
    image: str
    configuration: str  # where the service looks for it
    options: tuple  # (section, option, value) without secrets: a value is ("url-of", database) or ("text", text)
    good: tuple  # exit codes that mean done
    more: tuple  # exit codes that mean: once more
    stage: int  # of its lane: commands of one stage may run side by side


@dataclasses.dataclass(frozen=True)
class Leap:
    """What a plan says."""

    commands: tuple
    heads: dict  # by database, where the leap ends
    remainders: frozenset  # (database, query) that must count nothing


def read(plan):
    """The commands of a plan in the order of releases and, in each, of services: as one would run them in sequence."""
    commands, heads, remainders = [], {}, set()
    for hop in plan["hops"]:
        for lane in hop["lanes"]:
            stage = 0
            for step in lane["steps"]:
                stage += not step.get("beside", False)
                ((kind, action),) = step["action"].items()
                if kind == "verify":
                    heads |= action["heads"]
                else:
                    commands.append(_command(hop["series"], lane, step, stage))
                if kind == "drain":
                    remainders |= {(action["database"], left["query"]) for left in action["remainders"]}
    return Leap(tuple(commands), heads, frozenset(remainders))


def _command(series, lane, step, stage):
    (action,) = step["action"].values()
    count = str(action.get("count"))
    configuration = action["configuration"]
    options = [
        (section, option, *value.items())
        for section, its in sorted(configuration["options"].items())
        for option, value in sorted(its.items())
    ]
    # A release's own checks end with the gravest result; who scripts them reads what they say.
    exits = action.get("exits", {"0": "done", "1": "warning", "2": "warning"})
    codes = {meaning: tuple(int(code) for code, means in exits.items() if means == meaning) for meaning in ("done", "warning", "more")}
    return Command(
        series=series,
        service=lane["service"],
        step=step["id"],
        phase=step["phase"],
        words=tuple(word.replace("{count}", count) for word in action["command"]),
        image=lane["image"],
        configuration=configuration["path"],
        options=tuple(options),
        good=codes["done"] + codes["warning"],
        more=codes["more"],
        stage=stage,
    )
