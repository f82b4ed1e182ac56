"""The figures of a load run, from what became of its ticks and what could be seen of the machine; and how a ramp searches. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from schema.grid import frame_budget_ms
from sideman.load import LISTENING, PLAN, Round, Run, Takings
from sideman_client.generated.messages import Settings, Timing

GOAL = 0.99  # of the round trips within the budget: what a machine can carry
STAGES = ("decode", "queue", "device", "gateway", "write")
RAMP_PRECISION = 16  # bisection ends within a sixteenth: runs differ by more than that


class RoundTrip(msgspec.Struct, frozen=True):
    """Milliseconds (nearest rank); None is a tick that was never answered."""

    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    max: float | None


class Use(msgspec.Struct, frozen=True):
    """What processes took over the measured seconds; memory at their end."""

    cpu_s: float
    cpu_ms_per_session_s: float
    rss_bytes: int


class Stage(msgspec.Struct, frozen=True):
    """Milliseconds a plan spent there (nearest rank)."""

    p50: float | None
    p99: float | None
    max: float | None


class Making(msgspec.Struct, frozen=True):
    """How the plans were made, as each of them says itself; None without plans."""

    queue: Stage  # waiting in the worker
    device: Stage  # computing
    between: Stage  # neither: in the gateway, on the way to the worker and back, and until the worker's device thread takes it
    gateway: Stage  # all together: from tick received to plan handed to the socket
    ready_share: float | None  # nothing was left to compute when the tick came
    plans_per_batch: float | None  # of those that were computed
    steps_per_plan: float | None
    reused_share: float | None  # of the window


class LoadReport(msgspec.Struct, frozen=True):
    """The whole run. Round trips are those of all ticks that wanted a plan: `keep listening` left out, unanswered ones last."""

    cores: int
    model: str
    settings: Settings
    sessions: int
    generators: int
    seed: int
    warm_up_s: float
    seconds: float
    frame_budget_ms: float
    ticks: int
    answers: dict[str, int]
    round_trip_ms: RoundTrip
    share_in_budget: float | None  # a plan within one frame, of all ticks that wanted one
    lag_p99_ms: float | None  # of the generator: how late ticks left
    lag_max_ms: float | None
    late_frames: int
    unplanned_frames: int
    lost_sessions: int
    processes: dict[str, Use]  # generator, gateway, worker; empty where they cannot be seen
    other_cores_busy: float | None  # by whatever else ran on this machine
    making: Making
    stage_means_ms: dict[str, float]  # as the gateway's metrics have them; empty where they cannot be read


class Resources(msgspec.Struct, frozen=True):
    """What could be seen of the machine and the gateway's metrics, over the measured seconds."""

    cpu_s: dict[str, float] = {}
    rss_bytes: dict[str, int] = {}
    busy_s: float | None = None  # of all cores together
    before: dict[str, float] = {}  # the gateway's metrics
    after: dict[str, float] = {}


def report(run: Run, takings: Sequence[Takings], resources: Resources, cores: int) -> LoadReport:
    """Everything together; at least one generator has brought something home."""
    rounds = [r for taken in takings for r in taken.rounds]
    budget_ms = frame_budget_ms(run.bpm)
    waited = waits_ms(rounds)
    lags = sorted(r.lag_ms for r in rounds if r.lag_ms is not None)
    in_budget = sum(r.answer == PLAN and r.round_trip_ms is not None and r.round_trip_ms <= budget_ms for r in rounds)
    return LoadReport(
        cores=cores,
        model=takings[0].settings.model,
        settings=takings[0].settings,
        sessions=run.sessions,
        generators=run.generators,
        seed=run.seed,
        warm_up_s=run.warm_up_s,
        seconds=run.seconds,
        frame_budget_ms=round(budget_ms, 3),
        ticks=len(rounds),
        answers=dict(Counter(r.answer for r in rounds).most_common()),
        round_trip_ms=RoundTrip(*(percentile(waited, p) for p in (50, 90, 95, 99, 99.9, 100))),
        share_in_budget=round(in_budget / len(waited), 5) if waited else None,
        lag_p99_ms=percentile(lags, 99),
        lag_max_ms=percentile(lags, 100),
        late_frames=sum(r.late for r in rounds),
        unplanned_frames=sum(r.unplanned for r in rounds),
        lost_sessions=sum(taken.lost for taken in takings),
        processes={name: _use(run, cpu_s, resources.rss_bytes[name]) for name, cpu_s in resources.cpu_s.items()},
        other_cores_busy=_others(resources, run.seconds),
        making=_making([r.timing for r in rounds if r.timing is not None]),
        stage_means_ms=_stage_means_ms(resources),
    )


def waits_ms(rounds: Sequence[Round]) -> list[float]:
    """Round trips of the ticks that wanted a plan, in rising order; infinite where no answer came."""
    return sorted(math.inf if r.round_trip_ms is None else r.round_trip_ms for r in rounds if r.answer != LISTENING)


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Nearest rank: the smallest value that is not below that share of the values; None without values, or where it is infinite."""
    if not ordered:
        return None
    value = ordered[max(0, math.ceil(round(percent * len(ordered) / 100, 6)) - 1)]
    return None if math.isinf(value) else round(value, 3)


def samples(page: str) -> dict[str, float]:
    """A page of metrics as series, labels included -> value."""
    pairs = (line.rsplit(" ", 1) for line in page.splitlines() if line and not line.startswith("#"))
    return {series: float(value) for series, value in pairs}


def _making(timings: Sequence[Timing]) -> Making:
    computed = [timing.batch for timing in timings if timing.batch]
    return Making(
        queue=_stage([timing.queue_ms for timing in timings]),
        device=_stage([timing.device_ms for timing in timings]),
        between=_stage([max(0.0, timing.gateway_ms - timing.queue_ms - timing.device_ms) for timing in timings]),
        gateway=_stage([timing.gateway_ms for timing in timings]),
        ready_share=_mean([not timing.batch for timing in timings]),
        plans_per_batch=_mean(computed),
        steps_per_plan=_mean([timing.steps for timing in timings]),
        reused_share=_mean([timing.reused for timing in timings]),
    )


def _stage(values_ms: Sequence[float]) -> Stage:
    ordered = sorted(values_ms)
    return Stage(*(percentile(ordered, percent) for percent in (50, 99, 100)))


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _stage_means_ms(resources: Resources) -> dict[str, float]:
    """Of what the gateway's histograms have seen over the measured seconds."""
    means = {}
    for stage in STAGES:
        total_s, count = (
            resources.after.get(series, 0.0) - resources.before.get(series, 0.0)
            for series in (f'sideman_stage_seconds_{part}{{stage="{stage}"}}' for part in ("sum", "count"))
        )
        if count:
            means[stage] = round(total_s * 1000.0 / count, 3)
    return means


def _use(run: Run, cpu_s: float, rss_bytes: int) -> Use:
    return Use(round(cpu_s, 3), round(cpu_s * 1000.0 / (run.sessions * run.seconds), 3), rss_bytes)


def _others(resources: Resources, seconds: float) -> float | None:
    if resources.busy_s is None:
        return None
    return round(max(0.0, resources.busy_s - sum(resources.cpu_s.values())) / seconds, 2)


# ---- how much a machine can carry ----


def next_sessions(carried: Mapping[int, bool], first: int, most: int) -> int | None:
    """How many to try next, given what was tried: twice as many until it is too much, then halves; None when it is known."""
    best = max((number for number, well in carried.items() if well), default=0)
    worst = min((number for number, well in carried.items() if not well), default=None)
    if worst is None:
        return min(max(2 * best, first), most) if best < most else None
    return (best + worst) // 2 if worst - best > max(1, best // RAMP_PRECISION) else None
