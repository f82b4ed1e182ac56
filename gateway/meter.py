"""What one player's messages add to the gateway's series. Shell.

A `Meter` belongs to one player. It knows what the series are told apart by: the model and tempo the player was last told, the
group of the client program, and, if an operator watches the session, its place.
"""

from collections import OrderedDict

from gateway.metrics import WATCH_PLACES, Metrics
from gateway.session import Effects
from gateway.tracing import Trail
from schema.client_messages import ClientMessage, Configured, Error, GatewayMessage, Hello, Keep, Plan, Settings, Tick, Welcome
from schema.grid import frame_budget_ms

MAX_SHARES = 16  # plans whose round trip may still be told; the outbox closes long before


class Watch:
    """Which sessions are watched, and where: a few places, the one given longest ago first when all are taken."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, str] = OrderedDict()  # session -> place

    def begin(self, session: str) -> str:
        """The place of a session, now watched."""
        if session not in self._places:
            if len(self._places) == len(WATCH_PLACES):
                self._places.popitem(last=False)
            self._places[session] = next(place for place in WATCH_PLACES if place not in self._places.values())
        return self._places[session]

    def end(self, session: str) -> None:
        """The session is over."""
        self._places.pop(session, None)

    def place(self, session: str) -> str | None:
        """The place of a session, if it is watched."""
        return self._places.get(session)


class Meter:
    """Counts for one player."""

    def __init__(self, metrics: Metrics, watch: Watch, session: str, trail: Trail | None = None) -> None:
        """`trail` is where traces are on."""
        self._metrics = metrics
        self._watch = watch
        self._session = session
        self._trail = trail
        self._group = metrics.group_label("")
        self._model = metrics.model_label("")
        self._budget_ms = frame_budget_ms(Settings().bpm)
        self._shares_ms: dict[int, float] = {}  # of plans sent: the gateway's share of their round trip

    def received(self, message: ClientMessage, decode_s: float) -> None:
        """A message was read."""
        metrics = self._metrics
        metrics.stage.labels("decode").observe(decode_s)
        metrics.messages.labels(str(message.__struct_config__.tag)).inc()
        if isinstance(message, Hello):
            self._group = metrics.group_label(message.client)
        elif isinstance(message, Tick):
            self._ticked(message)
            if self._trail is not None:
                self._trail.ticked(message)

    def effects(self, effects: Effects) -> None:
        """What the session measured."""
        metrics, model = self._metrics, self._model
        began, silent = effects.played_frames
        if began:
            metrics.played_frames.labels(model).inc(began)
            metrics.silent_frames.labels(model).inc(silent)
        if effects.late_frames:
            metrics.late_frames.labels(model).inc(effects.late_frames)
        if effects.decision_age_frames is not None:
            metrics.decision_age.labels(model).observe(effects.decision_age_frames)
        if effects.planned_overlap:
            metrics.planned_overlap.labels(model).inc(effects.planned_overlap)
            metrics.revised_chords.labels(model).inc(effects.revised_chords)
        if effects.warm_start is not None:
            metrics.warm_starts.labels(effects.warm_start).inc()
        fitting, judged = effects.note_in_chord
        if judged:
            metrics.judged_frames.labels(model).inc(judged)
            metrics.in_chord_frames.labels(model).inc(fitting)
        if (place := self._watch.place(self._session)) is not None:
            metrics.watched_late.labels(place).inc(effects.late_frames)
            if effects.decision_age_frames is not None:
                metrics.watched_age.labels(place).set(effects.decision_age_frames)

    def sent(self, message: GatewayMessage, encode_s: float, write_s: float) -> None:
        """A message left for its player."""
        metrics = self._metrics
        metrics.stage.labels("encode").observe(encode_s)
        metrics.stage.labels("write").observe(write_s)
        if self._trail is not None and isinstance(message, Plan | Keep):
            self._trail.answered(message)
        match message:
            case Plan():
                self._planned(message)
            case Keep():
                self._answered(f"keep_{message.reason}")
            case Error():
                metrics.refusals.labels(message.code).inc()
            case Welcome():
                metrics.sessions_started.inc()
                self._follow(message.settings)
            case Configured():
                self._follow(message.settings)

    def end(self) -> None:
        """The player has gone."""
        self._watch.end(self._session)
        if self._trail is not None:
            self._trail.end()

    def _follow(self, settings: Settings) -> None:
        self._model = self._metrics.model_label(settings.model)
        self._budget_ms = frame_budget_ms(settings.bpm)

    def _ticked(self, tick: Tick) -> None:
        """The round trip told is that of the newest plan the client has, which as a rule is the one it applies."""
        place = self._watch.place(self._session)
        if place is not None:
            self._metrics.watched_frame.labels(place).set(tick.frame)
            self._metrics.watched_tempo.labels(place).set(15_000.0 / self._budget_ms)
        if tick.round_trip_ms is None:
            return
        round_trip_s = tick.round_trip_ms / 1000.0
        self._metrics.round_trip.labels(self._model).observe(round_trip_s)
        self._metrics.round_trip_budget.labels(self._model).observe(tick.round_trip_ms / self._budget_ms)
        share_ms = self._shares_ms.get(tick.applied.seq) if tick.applied else None
        if share_ms is not None:
            self._metrics.network.labels(self._group).observe(max(0.0, tick.round_trip_ms - share_ms) / 1000.0)
        if place is not None:
            self._metrics.watched_round_trip.labels(place).observe(round_trip_s)

    def _planned(self, plan: Plan) -> None:
        metrics, timing = self._metrics, plan.timing
        self._shares_ms[plan.seq] = timing.gateway_ms
        if len(self._shares_ms) > MAX_SHARES:
            del self._shares_ms[next(iter(self._shares_ms))]
        self._answered("unrefined" if timing.unrefined else "fresh")
        metrics.answer_budget.labels(self._model).observe(timing.gateway_ms / self._budget_ms)
        metrics.plan_steps.observe(timing.steps)
        metrics.reused.observe(timing.reused)
        metrics.batch_size.observe(timing.batch)
        link_ms = max(0.0, timing.gateway_ms - timing.queue_ms - timing.device_ms)
        stages = (("queue", timing.queue_ms), ("device", timing.device_ms), ("link", link_ms), ("gateway", timing.gateway_ms))
        place = self._watch.place(self._session)
        for stage, spent_ms in stages:
            metrics.stage.labels(stage).observe(spent_ms / 1000.0)
            if place is not None:
                metrics.watched_stage.labels(place, stage).inc(spent_ms / 1000.0)

    def _answered(self, outcome: str) -> None:
        self._metrics.plans.labels(outcome, self._model).inc()
        if (place := self._watch.place(self._session)) is not None:
            self._metrics.watched_plans.labels(place, outcome).inc()
