"""Do the vendors do what they are paid for, and are their words understood?"""

from deploy.grafana.board import Board, Panel, Query, Row, quantile, rate, ratio

BOARD = Board(
    "vendors",
    "Vendors",
    "Health, delays, errors and labels, by source.",
    (
        Row(
            "Health",
            (
                Panel(
                    "Callbacks",
                    "Callbacks per second by source. A source that falls silent is watched by no other panel.",
                    "reqps",
                    [rate("moderato_callbacks_received_total", "source")],
                    alerts=["ModeratoVendorSilent"],
                    leads_to="overview",
                ),
                Panel(
                    "Against a week ago",
                    "Callbacks of the last half hour as a share of those of the same half hour a week before.",
                    "percentunit",
                    [
                        Query(
                            "sum by (source) (increase(moderato_callbacks_received_total{M}[30m]))"
                            " / (sum by (source) (increase(moderato_callbacks_received_total{M}[30m] offset 1w)) > 0)",
                            "{{source}}",
                        )
                    ],
                    alerts=["ModeratoVendorSilent"],
                    empty="no week of history yet",
                ),
                Panel(
                    "Refused",
                    "Callbacks refused by source and code: a token, a signature or an address that is wrong.",
                    "reqps",
                    [
                        Query(
                            "sum by (source, code) (rate(moderato_callbacks_rejected_total{M}[$__rate_interval])) > 0",
                            "{{source}} {{code}}",
                        )
                    ],
                    alerts=["ModeratoCallbacksRefused"],
                    empty="none",
                ),
            ),
        ),
        Row(
            "Tasks and delays",
            (
                Panel(
                    "Tasks that failed",
                    "Signals per second that say that nobody watches a room any more.",
                    "ops",
                    [
                        rate(
                            "moderato_signals_total",
                            "source, kind",
                            'kind=~"task_failed|stream_unreachable|token_expired"',
                        )
                    ],
                    alerts=["ModeratoTasksFailing"],
                    leads_to="sessions",
                    empty="none",
                ),
                Panel(
                    "All signals",
                    "What vendors say besides verdicts, per second by kind.",
                    "ops",
                    [rate("moderato_signals_total", "kind")],
                    stacked=True,
                ),
                Panel(
                    "Age of verdicts, p90",
                    "From the end of the judged content to its verdict. What people judge comes late by nature.",
                    "s",
                    [quantile(0.9, "moderato_verdict_age_seconds", "source")],
                    alerts=["ModeratoVerdictsLate"],
                    leads_to="pipeline",
                ),
            ),
        ),
        Row(
            "Words",
            (
                Panel(
                    "Unmapped labels",
                    "Share of the verdicts with a label that no table has.",
                    "percentunit",
                    [ratio("moderato_unmapped_verdicts_total", "moderato_decisions_total", "source")],
                    width=6,
                    alerts=["ModeratoUnmappedLabels"],
                ),
                Panel(
                    "Not readable",
                    "Share of the verdicts that are fail-safe ones: authentic, and not to be read.",
                    "percentunit",
                    [ratio("moderato_degraded_verdicts_total", "moderato_decisions_total", "source")],
                    width=6,
                    alerts=["ModeratoDegradedVerdicts"],
                    leads_to="pipeline",
                ),
                Panel(
                    "Decisions",
                    "Verdicts per second by decision and judge.",
                    "ops",
                    [rate("moderato_decisions_total", "decision, judge")],
                    stacked=True,
                    width=6,
                    leads_to="moderation",
                ),
                Panel(
                    "Observed signatures",
                    "Signatures whose formula the vendor does not publish: checked, and not enforced.",
                    "ops",
                    [rate("moderato_observed_signatures_total", "source, result")],
                    width=6,
                    empty="no source with such a signature",
                ),
            ),
        ),
    ),
)
