"""What is judged, which actions that calls for, and what becomes of them."""

from deploy.grafana.board import Board, Panel, Query, Row, quantile, rate, ratio

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
                    "Actions per second by mode: what rules on trial would do beside what is done.",
                    "ops",
                    [rate("moderato_actions_total", "mode")],
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
                    "Brakes that hold, and actions a second that they or a quota kept from being carried out, by type.",
                    "short",
                    [
                        Query("max(moderato_policy_brakes_pulled{M})", "pulled"),
                        rate("moderato_policy_braked_total", "type"),
                    ],
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
    ),
)
