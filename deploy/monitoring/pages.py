"""The dashboards behind the overview: music, engine, one session. Pure."""

from deploy.monitoring.overview import OVERVIEW
from deploy.monitoring.panels import GATEWAY, MODEL, WATCHED, WORKER, Page, Panel, Query, mean, quantiles, ratio

MUSIC = Page(
    "sideman-music",
    "Sideman: music by model",
    "What players hear, live, by model. *Note in chord* of people's own chords is about 74 % on pop songs; if it drops with a new"
    " checkpoint, go back to the one before.",
    OVERVIEW.variables,
    (
        Panel(
            "Note in chord",
            "Share of frames with a note over a chord in which the note is a tone of the chord.",
            (Query(ratio("sideman_in_chord_frames_total", "sideman_judged_frames_total", MODEL, "model"), "{{model}}"),),
            "percentunit",
        ),
        Panel(
            "Revised",
            "Share of planned, uncommitted chord frames that the next plan changed: how restless the plan on the screen is.",
            (Query(ratio("sideman_revised_chords_total", "sideman_planned_overlap_total", MODEL, "model"), "{{model}}"),),
            "percentunit",
        ),
        Panel(
            "Silence",
            "Share of frames after the initial silence in which no chord sounded.",
            (Query(ratio("sideman_silent_frames_total", "sideman_played_frames_total", MODEL, "model"), "{{model}}"),),
            "percentunit",
        ),
        Panel(
            "Decision age",
            "Frames between choosing a chord and sounding it: what the commit setting and lateness cost in closeness.",
            quantiles("sideman_decision_age_frames", MODEL, ("model",), percents=(50, 95)),
        ),
        Panel(
            "Held for want of a plan",
            "Share of frames that began without a plan.",
            (Query(ratio("sideman_late_frames_total", "sideman_played_frames_total", MODEL, "model"), "{{model}}"),),
            "percentunit",
        ),
        Panel(
            "Warm starts",
            "First plans for which the offline model harmonised the silence, a minute by outcome.",
            (Query(f"60 * sum by (outcome) (rate(sideman_warm_starts_total{{{GATEWAY}}}[$__rate_interval]))", "{{outcome}}"),),
        ),
    ),
)

ENGINE = Page(
    "sideman-engine",
    "Sideman: engine",
    "Inside the workers. A plan is a few device calls: `decode` decides frames one position at a time, `feed` takes in what a slot does"
    " not know yet, `guess` spends idle time on what may be asked next.",
    OVERVIEW.variables,
    (
        Panel(
            "Device calls",
            "Time of one call, by kind.",
            quantiles("sideman_engine_call_seconds", WORKER, ("kind",), percents=(50, 95)),
            "s",
        ),
        Panel(
            "Calls a second",
            "By kind; guesses are dropped first under load.",
            (Query(f"sum by (kind) (rate(sideman_engine_call_seconds_count{{{WORKER}}}[$__rate_interval]))", "{{kind}}"),),
            "ops",
        ),
        Panel(
            "Device busy",
            "Share of the last second in which the device computed.",
            (Query('sideman_engine_utilisation_ratio{instance=~"$worker"}', "{{instance}}"),),
            "percentunit",
            limit=0.8,
        ),
        Panel(
            "Ready before it was asked for",
            "Share of plans that idle time had computed ahead.",
            (
                Query(
                    f"sum by (model) (rate(sideman_engine_ready_plans_total{{{WORKER}}}[$__rate_interval]))"
                    f' / (sum by (model) (rate(sideman_engine_answers_total{{{WORKER},outcome="planned"}}[$__rate_interval])) > 0)',
                    "{{model}}",
                ),
            ),
            "percentunit",
        ),
        Panel(
            "Rows",
            "Rows computed a second, guesses left out.",
            (Query(f"sum by (model) (rate(sideman_engine_rows_total{{{WORKER}}}[$__rate_interval]))", "{{model}}"),),
            "ops",
        ),
        Panel(
            "Fill",
            "Rows in use of the rows a call computes.",
            (mean("sideman_engine_fill_ratio", WORKER, "model"),),
            "percentunit",
        ),
        Panel(
            "Slots",
            "Sessions remembered, and room for them.",
            (
                Query(f"sum by (model) (sideman_engine_slots_used{{{WORKER}}})", "{{model}} used"),
                Query(f"sum by (model) (sideman_engine_slots{{{WORKER}}})", "{{model}} all"),
            ),
        ),
        Panel(
            "Forgotten",
            "Sessions pushed out by others, a second.",
            (Query(f"sum by (model) (rate(sideman_engine_evictions_total{{{WORKER}}}[$__rate_interval]))", "{{model}}"),),
            "ops",
        ),
        Panel(
            "Where plans spend their time",
            "Mean time of a plan: until it has a slot (queue), while calls without it ran (batch_wait), in calls with it (device).",
            (mean("sideman_engine_stage_seconds", WORKER, "stage"),),
            "s",
        ),
        Panel(
            "Waiting",
            "After how long nine of ten plans of the last second had a first frame to answer with.",
            (Query('sideman_engine_wait_p90_seconds{instance=~"$worker"}', "{{instance}}"),),
            "s",
            limit=0.02,
        ),
        Panel(
            "Answers",
            "Requests answered a second, by outcome.",
            (Query(f"sum by (outcome) (rate(sideman_engine_answers_total{{{WORKER}}}[$__rate_interval]))", "{{outcome}}"),),
            "ops",
        ),
        Panel(
            "Steps a plan",
            "Dependent decode steps; a plan the player foresaw needs one.",
            quantiles("sideman_plan_steps", GATEWAY, percents=(50, 95)),
        ),
        Panel(
            "Memory",
            "Resident memory of the worker.",
            (Query('sideman_engine_rss_bytes{instance=~"$worker"}', "{{instance}}"),),
            "bytes",
        ),
        Panel(
            "Queue in the gateways",
            "Requests that no worker has yet, and requests that wait in workers.",
            (Query(f"sum(sideman_pool_waiting{{{GATEWAY}}})", "gateway"), Query(f"sum(sideman_worker_waiting{{{GATEWAY}}})", "worker")),
        ),
        Panel(
            "Compiled while serving",
            "Must be 0.",
            (Query('sideman_engine_compiles_after_ready{instance=~"$worker"}', "{{instance}}"),),
            limit=0.5,
        ),
    ),
)

SESSION = Page(
    "sideman-session",
    "Sideman: one session",
    "The session that was given this place: `curl -X POST http://GATEWAY:9765/watch/SESSION` answers with it, until the session ends.",
    {"gateway": OVERVIEW.variables["gateway"], "watched": "1,2,3,4"},
    (
        Panel(
            "Frame",
            "Where the session is; it rises as long as its client ticks.",
            (Query(f"max(sideman_watched_frame{{{WATCHED}}})", "frame"),),
        ),
        Panel(
            "Round trip",
            "As its client measured it, and one frame at its tempo.",
            (
                *quantiles("sideman_watched_round_trip_seconds", WATCHED, percents=(50, 95)),
                Query(f"15 / max(sideman_watched_tempo_bpm{{{WATCHED}}})", "one frame"),
            ),
            "s",
        ),
        Panel(
            "Where its plans spend their time",
            "Mean time in each stage.",
            (
                Query(
                    f"sum by (stage) (rate(sideman_watched_stage_seconds_total{{{WATCHED}}}[$__rate_interval]))"
                    f' / on () group_left sum(rate(sideman_watched_plans_total{{{WATCHED},outcome=~"fresh|unrefined"}}[$__rate_interval]))',
                    "{{stage}}",
                ),
            ),
            "s",
        ),
        Panel(
            "Answers by outcome",
            "A second.",
            (Query(f"sum by (outcome) (rate(sideman_watched_plans_total{{{WATCHED}}}[$__rate_interval]))", "{{outcome}}"),),
            "ops",
        ),
        Panel(
            "Frames without a plan",
            "So far.",
            (Query(f"sum(sideman_watched_late_frames_total{{{WATCHED}}})", "unplanned"),),
        ),
        Panel(
            "Decision age",
            "Frames since the chord that sounds was chosen.",
            (Query(f"max(sideman_watched_decision_age_frames{{{WATCHED}}})", "age"),),
        ),
    ),
)

PAGES = (OVERVIEW, MUSIC, ENGINE, SESSION)
