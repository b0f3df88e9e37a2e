"""Is it working? Rate, errors and duration by source, how old verdicts and outcomes are, and whether numbers add up."""

from deploy.grafana.board import Board, Panel, Query, Row, quantile

_FAILED = 'sum(rate(moderato_callbacks_rejected_total{M, code=~"kafka_unavailable|internal_error"}[$__rate_interval]))'
_KEPT = (
    "(sum(rate(moderato_callbacks_published_total{M}[$__rate_interval]))"
    " + sum(rate(moderato_callbacks_spooled_total{M}[$__rate_interval])))"
)


BOARD = Board(
    "overview",
    "Overview",
    "Is it working? From the vendors' callbacks to what was done about them.",
    (
        Row(
            "Now",
            (
                Panel(
                    "Callbacks",
                    "Requests per second that reached the receivers.",
                    "reqps",
                    [Query("sum(rate(moderato_callbacks_received_total{M}[$__rate_interval]))")],
                    kind="stat",
                    width=4,
                    height=5,
                    leads_to="vendors",
                    alerts=["ModeratoVendorSilent"],
                ),
                Panel(
                    "Acknowledged",
                    "Share of the callbacks that deserve a 2xx and got one. The goal is 99.9 %.",
                    "percentunit",
                    [Query(f"{_KEPT} / ({_KEPT} + {_FAILED})")],
                    kind="stat",
                    width=4,
                    height=5,
                    alerts=["ModeratoCallbacksFailing", "ModeratoCallbacksFailingSlowly"],
                    leads_to="pipeline",
                ),
                Panel(
                    "Verdicts",
                    "Verdicts per second, over all sources.",
                    "ops",
                    [Query("sum(rate(moderato_verdicts_total{M}[$__rate_interval]))")],
                    kind="stat",
                    width=4,
                    height=5,
                    leads_to="moderation",
                ),
                Panel(
                    "High and critical",
                    "Grave verdicts per second.",
                    "ops",
                    [
                        Query(
                            'sum(rate(moderato_verdicts_total{M, severity=~"high|critical"}[$__rate_interval]))'
                        )
                    ],
                    kind="stat",
                    width=4,
                    height=5,
                    leads_to="moderation",
                ),
                Panel(
                    "Records that wait",
                    "Over all stages: fetched by nobody yet.",
                    "short",
                    [Query("sum(moderato_stage_lag_records{M})")],
                    kind="stat",
                    width=4,
                    height=5,
                    thresholds=((1000, "orange"), (100_000, "red")),
                    alerts=["ModeratoStageBehind", "ModeratoStageStalled"],
                    leads_to="pipeline",
                ),
                Panel(
                    "Spooled",
                    "Callbacks that wait on the receivers' disks because Kafka does not answer.",
                    "short",
                    [Query("sum(moderato_spool_entries{M})")],
                    kind="stat",
                    width=4,
                    height=5,
                    thresholds=((1, "orange"),),
                    alerts=["ModeratoSpooling", "ModeratoSpoolOld"],
                    leads_to="pipeline",
                ),
            ),
        ),
        Row(
            "Callbacks by source",
            (
                Panel(
                    "Rate",
                    "Callbacks per second by source.",
                    "reqps",
                    [
                        Query(
                            "sum by (source) (rate(moderato_callbacks_received_total{M}[$__rate_interval]))",
                            "{{source}}",
                        )
                    ],
                    leads_to="vendors",
                    alerts=["ModeratoVendorSilent"],
                ),
                Panel(
                    "Errors",
                    "Callbacks refused, by code; kafka_unavailable and internal_error are faults of ours.",
                    "reqps",
                    [
                        Query(
                            "sum by (code) (rate(moderato_callbacks_rejected_total{M}[$__rate_interval])) > 0",
                            "{{code}}",
                        )
                    ],
                    alerts=["ModeratoCallbacksFailing", "ModeratoCallbacksRefused"],
                    leads_to="vendors",
                    empty="none",
                ),
                Panel(
                    "Duration",
                    "From the first byte of a callback to its answer, which comes after Kafka has it or the disk.",
                    "s",
                    [
                        quantile(0.5, "moderato_callback_seconds", "source"),
                        quantile(0.99, "moderato_callback_seconds", "source"),
                    ],
                    alerts=["ModeratoCallbacksSlow"],
                    leads_to="pipeline",
                ),
            ),
        ),
        Row(
            "From speech to outcome",
            (
                Panel(
                    "Age of verdicts",
                    "From the end of the judged content to its verdict, by source.",
                    "s",
                    [
                        quantile(0.5, "moderato_verdict_age_seconds", "source"),
                        quantile(0.99, "moderato_verdict_age_seconds", "source"),
                    ],
                    width=12,
                    alerts=["ModeratoVerdictsLate"],
                    leads_to="vendors",
                ),
                Panel(
                    "Age of outcomes",
                    "From the end of the judged content to the action that was carried out for it, by type.",
                    "s",
                    [
                        quantile(0.5, "moderato_outcome_age_seconds", "type"),
                        quantile(0.99, "moderato_outcome_age_seconds", "type"),
                    ],
                    width=12,
                    alerts=["ModeratoOutcomesLate"],
                    leads_to="moderation",
                ),
            ),
        ),
        Row(
            "Severities, and whether the numbers add up",
            (
                Panel(
                    "Verdicts by severity",
                    "Verdicts per second by severity, without those that found nothing.",
                    "ops",
                    [
                        Query(
                            'sum by (severity) (rate(moderato_verdicts_total{M, severity!="none"}[$__rate_interval]))',
                            "{{severity}}",
                        )
                    ],
                    stacked=True,
                    leads_to="moderation",
                ),
                Panel(
                    "Callbacks without a fate",
                    "received - published - spooled - rejected, by process: those in flight, and never less than 0.",
                    "short",
                    [
                        Query(
                            "sum by (instance) (moderato_callbacks_received_total{M})"
                            " - sum by (instance) (moderato_callbacks_published_total{M})"
                            " - sum by (instance) (moderato_callbacks_spooled_total{M})"
                            " - sum by (instance) (moderato_callbacks_rejected_total{M})",
                            "{{instance}}",
                        )
                    ],
                    alerts=["ModeratoCallbacksUnaccounted", "ModeratoRecordsMissing"],
                    leads_to="pipeline",
                ),
                Panel(
                    "Records without a fate",
                    "consumed - done - ignored - dead-lettered, by stage. Always 0.",
                    "short",
                    [
                        Query(
                            "sum by (stage) (moderato_stage_consumed_total{M})"
                            " - sum by (stage) (moderato_stage_done_total{M})"
                            " - sum by (stage) (moderato_stage_ignored_total{M})"
                            " - sum by (stage) (moderato_stage_dead_lettered_total{M})",
                            "{{stage}}",
                        )
                    ],
                    alerts=["ModeratoStageUnbalanced"],
                    leads_to="pipeline",
                ),
            ),
        ),
    ),
)
