"""The values of the chart: names, types, defaults, and what each is for. One source of three files."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Labels = Annotated[dict[str, str], Field(default_factory=dict)]
Anything = Annotated[dict[str, Any], Field(default_factory=dict)]
Objects = Annotated[list[dict[str, Any]], Field(default_factory=list)]


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Image(_Values):
    repository: str = Field("moderato", min_length=1)
    """Where the image is; build it with deploy/Dockerfile."""
    tag: str = ""
    """The chart's appVersion unless set."""
    digest: str = Field("", pattern=r"^(sha256:[0-9a-f]{64})?$")
    """Goes before the tag."""
    pullPolicy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """As Kubernetes has it."""


class Tls(_Values):
    enabled: bool = False
    """TLS to the brokers."""
    existingSecret: str = ""
    """Secret with the authority's certificate and, for mutual TLS, ours. Empty: the system's authorities."""
    caKey: str = "ca.crt"
    """The authority's certificate in that secret."""
    certificateKey: str = ""
    """Our certificate in it, for mutual TLS."""
    keyKey: str = ""
    """The key of our certificate."""


class Sasl(_Values):
    enabled: bool = False
    """Log in to the brokers."""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """As the listener has it."""
    username: str = ""
    """The user; docs/configuration.md lists the ACLs that it needs."""
    existingSecret: str = ""
    """Secret with the password."""
    passwordKey: str = "password"
    """The password in that secret."""


class Kafka(_Values):
    bootstrap: str = Field("", pattern=r"^([^\s:,]+:\d+(,[^\s:,]+:\d+)*)?$")
    """`host:port`, several with commas. The one value that has to be given."""
    requestTimeout: float = Field(5, gt=0, le=60)
    """Seconds after which a broker that does not answer counts as away."""
    tls: Tls = Field(default_factory=Tls)
    sasl: Sasl = Field(default_factory=Sasl)


class Secrets(_Values):
    existingSecret: str = ""
    """Secret that is mounted at /run/secrets/moderato; `settings` name its keys, as `{file:
    /run/secrets/moderato/KEY}`."""


class Spool(_Values):
    enabled: bool = False
    """Callbacks go to a local disk while Kafka is away. Receivers are a StatefulSet then, each with a volume
    that lasts."""
    size: str = Field("4Gi", pattern=r"^[1-9]\d*(\.\d+)?(Mi|Gi|Ti)$")
    """Of each receiver's volume."""
    maxBytes: int = Field(3 * 1024**3, ge=1024**2)
    """What the spool takes at most; less than the volume holds."""
    storageClassName: str = ""
    """The cluster's default unless set."""


class Autoscaling(_Values):
    enabled: bool = False
    """A HorizontalPodAutoscaler on CPU."""
    minReplicas: int = Field(2, ge=1)
    """Two, so that a node may go."""
    maxReplicas: int = Field(10, ge=1)
    """Receivers share nothing: as many as you like."""
    targetCPUUtilizationPercentage: int = Field(70, ge=1, le=100)
    """Of the requested CPU."""


class Keda(_Values):
    enabled: bool = False
    """A KEDA ScaledObject on the lag of the stage's group. KEDA has to be installed."""
    minReplicas: int = Field(1, ge=1)
    """Never 0: a group without members has nobody who notices that there is work."""
    maxReplicas: int = Field(6, ge=1)
    """More than the topic has partitions are idle."""
    lagThreshold: int = Field(5000, ge=1)
    """Records that wait for each process."""


class Role(_Values):
    replicas: int = Field(2, ge=0)
    """Left out where something scales."""
    resources: Anything
    """Requests and limits of the container."""
    extraEnv: Objects
    """Further environment variables of the container."""
    podAnnotations: Labels
    """Of its pods."""
    nodeSelector: Labels
    """As Kubernetes has it."""
    tolerations: Objects
    """As Kubernetes has it."""
    affinity: Anything
    """As Kubernetes has it; unset, pods of a role are spread over nodes and zones."""


def _resources(cpu: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": "128Mi"}, "limits": {"memory": "384Mi"}}


class Receiver(Role):
    resources: Anything = Field(default_factory=lambda: _resources("250m"))
    """Requests and limits of the container."""
    autoscaling: Autoscaling = Field(default_factory=Autoscaling)
    spool: Spool = Field(default_factory=Spool)


class Controller(Role):
    resources: Anything = Field(default_factory=lambda: _resources("100m"))
    """Requests and limits of the container."""


class Stage(Role):
    resources: Anything = Field(default_factory=lambda: _resources("250m"))
    """Requests and limits of the container."""
    keda: Keda = Field(default_factory=Keda)


class Roles(_Values):
    receiver: Receiver = Field(default_factory=Receiver)
    controller: Controller = Field(default_factory=Controller)
    """Runs when `settings.sessions` is there."""
    normalizer: Stage = Field(default_factory=Stage)
    policy: Stage = Field(default_factory=Stage)
    enforcer: Stage = Field(default_factory=lambda: Stage(keda=Keda(lagThreshold=500)))


class Service(_Values):
    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Of the receivers' Service."""
    port: int = Field(80, ge=1, le=65535)
    """Where it listens."""
    annotations: Labels
    """Of the Service."""


class Ingress(_Values):
    enabled: bool = False
    """An Ingress for the callbacks."""
    className: str = ""
    """The cluster's default unless set."""
    host: str = ""
    """The name that vendors call."""
    annotations: Labels
    """Of the Ingress; bodies may be 1 MiB long."""
    tlsSecret: str = ""
    """Secret with the host's certificate."""


class Gateway(_Values):
    enabled: bool = False
    """An HTTPRoute for the callbacks instead of an Ingress."""
    parentRefs: Objects
    """The Gateways that it is attached to."""
    hostnames: list[str] = Field(default_factory=list)
    """The names that vendors call."""


class ServiceAccount(_Values):
    create: bool = True
    """Nothing of ours talks to the API server; its token is not mounted."""
    name: str = ""
    """The release's name unless set."""
    annotations: Labels
    """Of the ServiceAccount."""


class DisruptionBudget(_Values):
    enabled: bool = True
    """At most one pod of a role is evicted at a time."""


class NetworkPolicy(_Values):
    enabled: bool = False
    """Only callbacks and scrapes come in."""
    callbacksFrom: Objects
    """Peers that may reach the receivers' port; empty: all."""
    apiFrom: Objects
    """Peers that may reach the API's port; empty: all."""
    metricsFrom: Objects
    """Peers that may reach the admin ports; empty: all."""


class PodMonitor(_Values):
    enabled: bool = False
    """A PodMonitor for Prometheus' operator."""
    additionalLabels: Labels
    """What that operator selects by, for instance `release: kube-prometheus-stack`."""
    interval: str = Field("15s", pattern=r"^\d+(ms|s|m)$")
    """Between two scrapes."""


class Rules(_Values):
    enabled: bool = False
    """A PrometheusRule with the recording rules and alerts of deploy/prometheus."""
    additionalLabels: Labels
    """As for the PodMonitor."""
    runbooks: str = "docs/runbooks"
    """Where the runbooks are to be read."""


class Dashboards(_Values):
    enabled: bool = False
    """ConfigMaps for Grafana's sidecar."""
    labels: Labels = Field(default_factory=lambda: {"grafana_dashboard": "1"})
    """What the sidecar selects by."""
    annotations: Labels
    """For instance the folder."""


class Monitoring(_Values):
    podMonitor: PodMonitor = Field(default_factory=PodMonitor)
    rules: Rules = Field(default_factory=Rules)
    dashboards: Dashboards = Field(default_factory=Dashboards)


class TopicsJob(_Values):
    enabled: bool = True
    """A Job that makes the topics that are missing, before installation and upgrades."""
    replication: int = Field(0, ge=0, le=100)
    """Replicas of each partition; 0: the brokers' default."""


class Strimzi(_Values):
    enabled: bool = False
    """KafkaTopics instead of the Job. Strimzi has to be installed."""
    cluster: str = ""
    """The name of the Kafka resource."""
    replicas: int = Field(3, ge=1, le=100)
    """Replicas of each partition."""
    user: bool = False
    """A KafkaUser with the ACLs that are needed, named `kafka.sasl.username`; `kafka.sasl.existingSecret` is
    then its secret."""


class Topics(_Values):
    job: TopicsJob = Field(default_factory=TopicsJob)
    strimzi: Strimzi = Field(default_factory=Strimzi)


class Values(_Values):
    nameOverride: str = ""
    """Instead of the chart's name."""
    fullnameOverride: str = ""
    """Instead of release and chart."""
    image: Image = Field(default_factory=Image)
    imagePullSecrets: Objects
    """As Kubernetes has it."""
    kafka: Kafka = Field(default_factory=Kafka)
    settings: Anything
    """moderato.yaml, without kafka, http, admin and spool: tenants, their sources, tokens and webhooks, and
    where sessions are started, `sessions` and `api` (docs/configuration.md)."""
    secrets: Secrets = Field(default_factory=Secrets)
    tables: Labels
    """Files of tables by their names, mounted at /etc/moderato/tables."""
    policy: str = ""
    """The policy file. Empty: the policy that ships."""
    policyLists: Labels
    """Lists of ids by their names, which `policy` may name; beside it."""
    roles: Roles = Field(default_factory=Roles)
    preStopSeconds: int = Field(5, ge=0, le=60)
    """A receiver that is to end goes on serving for so long, until load balancers have stopped to send to it."""
    service: Service = Field(default_factory=Service)
    ingress: Ingress = Field(default_factory=Ingress)
    gateway: Gateway = Field(default_factory=Gateway)
    serviceAccount: ServiceAccount = Field(default_factory=ServiceAccount)
    podDisruptionBudget: DisruptionBudget = Field(default_factory=DisruptionBudget)
    networkPolicy: NetworkPolicy = Field(default_factory=NetworkPolicy)
    monitoring: Monitoring = Field(default_factory=Monitoring)
    topics: Topics = Field(default_factory=Topics)
    # Helm gives it to every chart.
    global_: Anything = Field(alias="global")
    """Shared values of a parent chart; not used."""
