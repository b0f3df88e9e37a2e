"""How records move from stage to stage, what waits, what is set aside, and what it costs."""

from deploy.grafana.board import Board, Panel, Query, Row, rate, ratio

BOARD = Board(
    "pipeline",
    "Pipeline",
    "Lag, batches, rebalances, the spool and the dead letters.",
    (
        Row(
            "Stages",
            (
                Panel(
                    "Lag",
                    "How long the records that wait would take at the present rate, by stage.",
                    "s",
                    [
                        Query(
                            "sum by (stage) (moderato_stage_lag_records{M})"
                            " / (sum by (stage) (rate(moderato_stage_consumed_total{M}[$__rate_interval])) > 0)",
                            "{{stage}}",
                        )
                    ],
                    alerts=["ModeratoStageBehind", "ModeratoStageStalled"],
                ),
                Panel(
                    "Records that wait",
                    "Records of the assigned partitions that are not fetched yet, by stage.",
                    "short",
                    [Query("sum by (stage) (moderato_stage_lag_records{M})", "{{stage}}")],
                    alerts=["ModeratoStageStalled"],
                ),
                Panel(
                    "Consumed",
                    "Records per second that a stage has finished with.",
                    "ops",
                    [rate("moderato_stage_consumed_total", "stage")],
                    alerts=["ModeratoRoleMissing", "ModeratoRecordsMissing"],
                ),
                Panel(
                    "Produced",
                    "Records per second written by kind.",
                    "ops",
                    [rate("moderato_stage_produced_total", "stage, kind")],
                ),
                Panel(
                    "Written again",
                    "Batches per second that Kafka did not take at the first try.",
                    "ops",
                    [rate("moderato_stage_retries_total", "stage")],
                    alerts=["ModeratoStageRetrying"],
                    empty="none",
                ),
                Panel(
                    "Rebalances",
                    "Assignments of partitions in the interval, by stage.",
                    "short",
                    [
                        Query(
                            "sum by (stage) (increase(moderato_rebalances_total{M}[$__rate_interval]))",
                            "{{stage}}",
                        )
                    ],
                    alerts=["ModeratoRebalancing"],
                ),
            ),
        ),
        Row(
            "Dead letters",
            (
                Panel(
                    "To the dead letters",
                    "Share of the consumed records of which a copy went to the dead letters.",
                    "percentunit",
                    [ratio("moderato_stage_dead_lettered_total", "moderato_stage_consumed_total", "stage")],
                    width=12,
                    alerts=["ModeratoDeadLetters"],
                ),
                Panel(
                    "Halted",
                    "Processes whose stage has stopped because too much would go to the dead letters.",
                    "short",
                    [Query("sum by (stage) (moderato_stage_halted{M})", "{{stage}}")],
                    width=12,
                    alerts=["ModeratoStageHalted"],
                ),
            ),
        ),
        Row(
            "Spool",
            (
                Panel(
                    "Receivers that spool",
                    "Those to which Kafka does not answer.",
                    "short",
                    [Query("sum by (instance) (moderato_spooling{M})", "{{instance}}")],
                    width=6,
                    alerts=["ModeratoSpooling"],
                ),
                Panel(
                    "On disk",
                    "Bytes that wait, by receiver; spool.max_bytes caps them.",
                    "bytes",
                    [Query("sum by (instance) (moderato_spool_bytes{M})", "{{instance}}")],
                    width=6,
                    alerts=["ModeratoCallbacksFailing"],
                ),
                Panel(
                    "Oldest",
                    "How long the oldest spooled callback has waited.",
                    "s",
                    [Query("max by (instance) (moderato_spool_oldest_age_seconds{M})", "{{instance}}")],
                    width=6,
                    alerts=["ModeratoSpoolOld"],
                ),
                Panel(
                    "Into and out of the spool",
                    "Callbacks per second that were spooled and drained.",
                    "ops",
                    [
                        Query(
                            "sum(rate(moderato_callbacks_spooled_total{M}[$__rate_interval])) or vector(0)",
                            "spooled",
                        ),
                        Query(
                            "sum(rate(moderato_callbacks_drained_total{M}[$__rate_interval])) or vector(0)",
                            "drained",
                        ),
                        Query(
                            "sum(rate(moderato_spool_set_aside_total{M}[$__rate_interval])) or vector(0)",
                            "set aside",
                        ),
                    ],
                    width=6,
                    alerts=["ModeratoSpoolSetAside"],
                ),
            ),
        ),
        Row(
            "Processes",
            (
                Panel(
                    "CPU",
                    "Cores in use by process. Each has one thread that does the work: 1 is the most.",
                    "short",
                    [
                        Query(
                            "sum by (instance) (rate(process_cpu_seconds_total{M}[$__rate_interval]))",
                            "{{instance}}",
                        )
                    ],
                    width=12,
                    alerts=["ModeratoStageBehind"],
                ),
                Panel(
                    "Memory",
                    "Resident memory by process.",
                    "bytes",
                    [Query("sum by (instance) (process_resident_memory_bytes{M})", "{{instance}}")],
                    width=12,
                ),
            ),
        ),
    ),
)
