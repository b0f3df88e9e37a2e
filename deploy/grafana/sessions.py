"""Is every room watched that should be, and do the vendors answer when they are called?"""

from deploy.grafana.board import Board, Panel, Query, Row, quantile, rate, ratio

BOARD = Board(
    "sessions",
    "Sessions",
    "Moderation that is started and stopped through Moderato: active, unwatched, states, and the calls to vendors.",
    (
        Row(
            "Rooms",
            (
                Panel(
                    "Active",
                    "Sessions whose task runs at the vendor.",
                    "short",
                    [Query('sum(moderato_sessions{M, state="active"})')],
                    kind="stat",
                    width=6,
                ),
                Panel(
                    "Unwatched",
                    "Sessions that are to be active and of which no task is known to run.",
                    "short",
                    [Query("sum(moderato_sessions_unwatched{M})")],
                    kind="stat",
                    width=6,
                    alerts=["ModeratoSessionsUnwatched"],
                ),
                Panel(
                    "Longest unwatched",
                    "For how long the oldest of these has been in its state.",
                    "s",
                    [Query("max(moderato_sessions_unwatched_seconds{M})")],
                    kind="stat",
                    width=6,
                    alerts=["ModeratoSessionsUnwatched"],
                ),
                Panel(
                    "Longest silence",
                    "For how long the most silent active session has not been heard of, called back or asked.",
                    "s",
                    [Query("max(moderato_sessions_silent_seconds{M})")],
                    kind="stat",
                    width=6,
                ),
            ),
        ),
        Row(
            "States",
            (
                Panel(
                    "By state",
                    "Sessions that controllers drive. Many that are starting: a vendor's rate limit, or its outage.",
                    "short",
                    [Query("sum by (state) (moderato_sessions{M})", "{{state}}")],
                    stacked=True,
                ),
                Panel(
                    "Unwatched by source",
                    "Rooms that nobody watches, by source.",
                    "short",
                    [Query("sum by (source) (moderato_sessions_unwatched{M})", "{{source}}")],
                    alerts=["ModeratoSessionsUnwatched"],
                    leads_to="vendors",
                ),
                Panel(
                    "At fault",
                    "Share of the sessions with whose vendor something went wrong last, by source and tenant.",
                    "percentunit",
                    [
                        Query(
                            "sum by (source, tenant) (moderato_sessions_at_fault{M})"
                            " / on (source) group_left sum by (source) (moderato_sessions{M})",
                            "{{source}} {{tenant}}",
                        )
                    ],
                ),
                Panel(
                    "Silence by source",
                    "For how long the most silent active session of a source has not been heard of.",
                    "s",
                    [Query("max by (source) (moderato_sessions_silent_seconds{M})", "{{source}}")],
                ),
            ),
        ),
        Row(
            "Calls to vendors",
            (
                Panel(
                    "Calls",
                    "Attempts per second by vendor and operation: acquire, start, query, stop, and what else there is.",
                    "ops",
                    [rate("moderato_vendor_calls_total", "vendor, operation")],
                    stacked=True,
                ),
                Panel(
                    "Calls that did not go well",
                    "Share of the attempts by vendor that were refused, throttled, not answered or not to be read.",
                    "percentunit",
                    [
                        ratio(
                            'moderato_vendor_calls_total{outcome!="ok"}',
                            "moderato_vendor_calls_total",
                            "vendor",
                        )
                    ],
                ),
                Panel(
                    "Time of a call, p99",
                    "One attempt, without the wait for the rate limit.",
                    "s",
                    [quantile(0.99, "moderato_vendor_call_seconds", "vendor")],
                ),
            ),
        ),
    ),
)
