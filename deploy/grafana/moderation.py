"""What is judged, which actions that calls for, and what becomes of them."""

from deploy.grafana.board import Board, Panel, Query, Row, quantile, rate, ratio


def _share(part: str, whole: str) -> str:
    """Nothing where there is nothing to divide; 0 while the part has not come to be."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


BOARD = Board(
    "moderation",
    "Moderation",
    "Verdicts, actions and outcomes.",
    (
        Row(
            "Verdicts",
            (
                Panel(
                    "By category",
                    "Verdicts per second by category, without those that found nothing.",
                    "ops",
                    [rate("moderato_verdicts_total", "category", 'severity!="none"')],
                    stacked=True,
                ),
                Panel(
                    "By severity",
                    "Verdicts per second by severity, without those that found nothing.",
                    "ops",
                    [rate("moderato_verdicts_total", "severity", 'severity!="none"')],
                    stacked=True,
                ),
                Panel(
                    "By tenant",
                    "High and critical verdicts per second by tenant.",
                    "ops",
                    [rate("moderato_tenant_verdicts_total", "tenant", 'severity=~"high|critical"')],
                    stacked=True,
                ),
            ),
        ),
        Row(
            "Actions",
            (
                Panel(
                    "Demanded",
                    "Actions per second that the policy demands, by type.",
                    "ops",
                    [rate("moderato_actions_total", "type", 'mode="enforce"')],
                    stacked=True,
                ),
                Panel(
                    "Shadow against enforced",
                    "Actions per second by mode: what rules on trial would do beside what is done. And those of rules "
                    "on trial by what is enforced with the same verdict: the same, something other, or nothing.",
                    "ops",
                    [
                        rate("moderato_actions_total", "mode"),
                        Query(
                            "sum by (beside) (rate(moderato_policy_shadow_total{M}[$__rate_interval]))",
                            "shadow, enforced beside it: {{beside}}",
                        ),
                    ],
                ),
                Panel(
                    "Outcomes",
                    "What became of actions, per second by state.",
                    "ops",
                    [rate("moderato_outcomes_total", "state")],
                    stacked=True,
                    alerts=["ModeratoOutcomesFailing", "ModeratoOutcomesExpired"],
                ),
                Panel(
                    "Brakes",
                    "Brakes that hold: rules that hit nobody until they are released. What a quota holds back is among "
                    "the outcomes.",
                    "short",
                    [Query("max(moderato_policy_brakes_pulled{M})", "pulled")],
                    alerts=["ModeratoBrakePulled"],
                ),
                Panel(
                    "Refused policy files",
                    "Processes whose policy file is faulty; the policy of before stays in effect there.",
                    "short",
                    [Query("sum(moderato_policy_refused{M})", "refused")],
                    alerts=["ModeratoPolicyRefused"],
                ),
                Panel(
                    "Failures by executor",
                    "Share of the actions that an executor tried and could not carry out.",
                    "percentunit",
                    [
                        ratio(
                            'moderato_outcomes_total{state="failed"}',
                            'moderato_outcomes_total{state=~"done|failed"}',
                            "executor",
                        )
                    ],
                    alerts=["ModeratoOutcomesFailing"],
                    empty="none",
                ),
                Panel(
                    "Executors left alone",
                    "By tenant and executor: 1 while nobody answers there, or the endpoint wants no more.",
                    "short",
                    [
                        Query(
                            "max by (tenant, executor) (moderato_executor_open{M})", "{{tenant}} {{executor}}"
                        )
                    ],
                    alerts=["ModeratoExecutorOpen"],
                ),
                Panel(
                    "Age of outcomes, p99",
                    "From the end of the judged content to the action that was carried out for it.",
                    "s",
                    [quantile(0.99, "moderato_outcome_age_seconds", "type")],
                    alerts=["ModeratoOutcomesLate"],
                    leads_to="overview",
                ),
            ),
        ),
        Row(
            "People and other vendors",
            (
                Panel(
                    "Precision by later human verdicts",
                    "Of what machines flagged and people decided on within the day before, the share that the person "
                    "flagged too, by source. It is of what people looked at, not of everything.",
                    "percentunit",
                    [
                        Query(
                            _share(
                                'sum by (source) (increase(moderato_feedback_total{M, outcome="confirmed"}[1d]))',
                                "sum by (source) (increase(moderato_feedback_total{M}[1d]))",
                            ),
                            "{{source}}",
                        )
                    ],
                    empty="no human verdicts",
                ),
                Panel(
                    "Refuted, and missed",
                    "Verdicts of the day before that people let pass though a machine had flagged them, by source and "
                    "category; and what people flagged and no machine of the source had.",
                    "short",
                    [
                        Query(
                            "sum by (source, category) "
                            '(increase(moderato_feedback_total{M, outcome="refuted"}[1d])) > 0',
                            "{{source}} {{category}} refuted",
                        ),
                        Query(
                            "sum by (source) (increase(moderato_feedback_missed_total{M}[1d])) > 0",
                            "{{source}} missed",
                        ),
                    ],
                    empty="no human verdicts",
                ),
                Panel(
                    "Agreement of vendors",
                    "Of the minutes of rooms that two sources judged within the day before and at least one flagged, "
                    "the share that both flagged.",
                    "percentunit",
                    [
                        Query(
                            _share(
                                "sum by (source, other) "
                                '(increase(moderato_agreement_total{M, outcome="both"}[1d]))',
                                "sum by (source, other) (increase(moderato_agreement_total{M}[1d]))",
                            ),
                            "{{source}} and {{other}}",
                        )
                    ],
                    empty="no two sources watch the same room",
                ),
            ),
        ),
    ),
)
