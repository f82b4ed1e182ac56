"""The dashboard to look at first: is the service in time, and if not, why. Pure."""

from deploy.monitoring.panels import GATEWAY, MODEL, WORKER, Page, Panel, Query, mean, quantiles, ratio

_FAILED = f'sum(rate(sideman_plans_total{{{MODEL},outcome=~"keep_(late|superseded|unavailable)"}}[$__rate_interval]))'
_WANTED = f'sum(rate(sideman_plans_total{{{MODEL},outcome!~"keep_(listening|busy)"}}[$__rate_interval]))'
_TOO_LATE = (
    f"(sum(rate(sideman_round_trip_budget_ratio_count{{{MODEL}}}[$__rate_interval]))"
    f' - sum(rate(sideman_round_trip_budget_ratio_bucket{{{MODEL},le="1.0"}}[$__rate_interval])))'
)

OVERVIEW = Page(
    "sideman-overview",
    "Sideman: service",
    """\
**Is it in time?** *Plans that failed*: of the plans players waited for, those that came too late for their frame, or not at all; 1 % may.

| if that is high, or *Spared under load* is above 0, and | then it is | do |
|---|---|---|
| either line of *Plans from nothing* is above 10 % | more players than slots: they push each other out | raise `--slots`, add a worker |
| *Network by client group*: one group is far above the others | the network or the program of that group | nothing here; tell them |
| *Network by client group*: all groups are up | our network, or the proxy before it | see to them |
| *Where plans spend their time*: `device` or `queue`, or *Device calls*, and none of these | a slow or overloaded device | add a worker |
| *Event loop late* is above 20 ms, and none of these | a gateway that lacks CPU: it shares its core | give it one |
| *Workers ready* is below what it should be | a worker died or froze | runbook: the worker dies |
""",
    {
        "gateway": "label_values(sideman_sessions, instance)",
        "worker": "label_values(sideman_engine_slots, instance)",
        "model": "label_values(sideman_plans_total, model)",
    },
    (
        Panel(
            "Plans that failed",
            "Of the plans that players waited for: came later than one frame by the client's clock, or not at all. The objective is 1 %.",
            (
                Query(
                    f"({_FAILED} + {_TOO_LATE}) / ({_WANTED} > 0)",
                    "failed",
                ),
            ),
            "percentunit",
            limit=0.01,
            number=True,
            width=5,
        ),
        Panel(
            "Error budget left",
            "Of the 1 % of plans that may fail in 30 days, how much is left; of all gateways and models, whatever is chosen above.",
            (Query("sideman:error_budget_left:ratio30d", "left"),),
            "percentunit",
            number=True,
            width=4,
        ),
        Panel(
            "Sessions",
            "Players connected now, and seats.",
            (Query(f"sum(sideman_sessions{{{GATEWAY}}})", "sessions"), Query(f"sum(sideman_seats{{{GATEWAY}}})", "seats")),
            number=True,
            width=5,
        ),
        Panel(
            "Workers ready",
            "Workers that are connected and ready, and those the gateways were told of.",
            (Query(f"sum(sideman_workers_ready{{{GATEWAY}}})", "ready"), Query(f"sum(sideman_workers{{{GATEWAY}}})", "told of")),
            number=True,
            width=5,
        ),
        Panel(
            "Gateways",
            "Gateways that answer, by version.",
            (Query(f"sum by (version) (sideman_build_info{{{GATEWAY}}})", "{{version}}"),),
            number=True,
            width=5,
        ),
        Panel(
            "Round trip against the frame",
            "As clients measure it, in frames at their own tempo: 1 is just in time. Beside it the gateway's share of it.",
            (
                *quantiles("sideman_round_trip_budget_ratio", MODEL, percents=(50, 95, 99), name="client"),
                *quantiles("sideman_answer_budget_ratio", MODEL, percents=(95,), name="gateway"),
            ),
            limit=1.0,
        ),
        Panel(
            "Round trip by model",
            "The same at the 95th percentile, by model: a large one may be late where a small one is not.",
            (
                *quantiles("sideman_round_trip_budget_ratio", MODEL, ("model",), percents=(95,), name="client"),
                *quantiles("sideman_answer_budget_ratio", MODEL, ("model",), percents=(95,), name="gateway"),
            ),
            limit=1.0,
        ),
        Panel(
            "Where plans spend their time",
            "Mean time of a plan in each stage: waiting in the worker (queue), computing there (device), on the way there and back (link).",
            (mean("sideman_stage_seconds", f'{GATEWAY},stage=~"queue|device|link"', "stage"),),
            "s",
        ),
        Panel(
            "Network by client group",
            "Round trip less the gateway's share: the way there and back, and the client itself.",
            quantiles("sideman_network_seconds", GATEWAY, ("group",), percents=(50, 95)),
            "s",
        ),
        Panel(
            "Plans from nothing",
            "Share of plans whose worker knew less than a quarter of the session; and sessions forgotten for others, per request.",
            (
                Query(ratio("sideman_reused_ratio_bucket", "sideman_reused_ratio_count", GATEWAY, part_labels='le="0.25"'), "from nothing"),
                Query(ratio("sideman_engine_evictions_total", "sideman_engine_answers_total", WORKER), "forgotten"),
            ),
            "percentunit",
            limit=0.1,
        ),
        Panel(
            "Answers by outcome",
            "Answers to ticks: fresh plans, plans cut at their deadline, and keeps by their reason.",
            (Query(f"sum by (outcome) (rate(sideman_plans_total{{{MODEL}}}[$__rate_interval]))", "{{outcome}}"),),
            "ops",
        ),
        Panel(
            "Device calls",
            "Mean time of one call, as the workers say; there also when no plan comes in time.",
            (mean("sideman_engine_call_seconds", WORKER, "kind"),),
            "s",
        ),
        Panel(
            "Device busy",
            "Share of the last second in which the busiest device computed.",
            (Query(f"max(sideman_worker_utilisation_ratio{{{GATEWAY}}})", "utilisation"),),
            "percentunit",
            limit=0.8,
        ),
        Panel(
            "Spared under load",
            "The most relief of the interval: 0 nothing, 1 every second plan of who holds plenty, 2 of everybody, newcomers wait outside, "
            "3 and 4 most plans. It ends when it has helped for ten seconds: a service short of something goes up and down.",
            (Query(f"max by (instance) (max_over_time(sideman_relief_level{{{GATEWAY}}}[$__rate_interval]))", "{{instance}}"),),
            limit=2.0,
        ),
        Panel(
            "Budget burns",
            "How fast the error budget is used up: at 1 it lasts for exactly 30 days. Pages: 14.4 for an hour, 6 for six hours.",
            (
                Query("sideman:failed_plans:ratio_rate1h / 0.01", "of the last hour"),
                Query("sideman:failed_plans:ratio_rate6h / 0.01", "of the last six hours"),
            ),
            limit=6.0,
        ),
        Panel(
            "Frames without a plan",
            "Share of frames that began without a plan: the running chord was held.",
            (Query(ratio("sideman_late_frames_total", "sideman_played_frames_total", MODEL), "unplanned"),),
            "percentunit",
            limit=0.001,
        ),
        Panel(
            "Event loop late",
            "How late the gateway's own timers fire; more than 20 ms is a lack of CPU.",
            quantiles("sideman_event_loop_lag_seconds", GATEWAY, ("instance",), percents=(99,)),
            "s",
            limit=0.02,
        ),
        Panel(
            "Connections that ended",
            "By close code, a minute; see the runbook's table.",
            (Query(f"60 * sum by (code) (rate(sideman_closes_total{{{GATEWAY}}}[$__rate_interval]))", "{{code}}"),),
        ),
        Panel(
            "Refused",
            "Messages by error code and opening handshakes by reason, a minute.",
            (Query(f"60 * sum by (code) (rate(sideman_refusals_total{{{GATEWAY}}}[$__rate_interval]))", "{{code}}"),),
        ),
    ),
)
