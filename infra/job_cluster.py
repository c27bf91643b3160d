"""The Flink cluster of a home: one that `up` starts, with a standby TaskManager, or one that runs already and is only used."""

from collections.abc import Callable

from features.engines.shared_engines import Engines
from infra.attached.findings import require_well
from infra.attached.flink_entry import enter_flink
from infra.attached.store_entry import CHECKPOINTS, checkpoints_store, examine_store
from infra.flink import cluster as flink
from infra.flink.client import FlinkClient
from infra.flink.job_client import JobClient
from infra.flink.job_control import Job, settings_file
from infra.flink.job_keeper import JobKeeper
from infra.flink.repetition import Repetition
from infra.flink.standby import Standby
from infra.flink.standstill import PendingRecords, Standstill
from infra.home.paths import Home
from infra.home.ports import Ports
from infra.home.record import HomeRecord
from infra.services.redis_instance import RedisRun
from infra.services.service import Service
from infra.services.supervisor import Supervisor
from infra.settings.table import Settings
from infra.system.class_archive import ClassArchive
from streaming.log_ends import KafkaLogEnds
from streaming.settings import JobSettings, writer_names


class JobCluster:
    """Where the home's job runs. address: of Flink's REST interface; store: of the job's checkpoints."""

    def __init__(
        self, home: Home, record: HomeRecord, settings: Settings, ports: Ports, supervisor: Supervisor
    ) -> None:
        self._home = home
        self._record = record
        self._settings = settings.flink
        self.store = checkpoints_store(home, settings, record.home_id)
        self._ports = ports
        self._supervisor = supervisor
        self._client: JobClient | None = None
        self._env: dict[str, str] = {}
        """Environment of Flink's processes and client, once the cluster is configured."""
        self.address = settings.flink.address or ports.flink

    @property
    def is_attached(self) -> bool:
        return self._settings.address is not None

    def enter(self) -> str:
        """Examine the attached cluster; returns how to name it. Raises BadInput where it won't do, Unavailable if it does not
        answer."""
        return enter_flink(self.address, self._record)

    def class_archives(self) -> list[ClassArchive]:
        """Returns those of the processes that `start` starts."""
        return [] if self.is_attached else [flink.class_archive(self._home)]

    def start(self) -> None:
        """Start the cluster, if it is ours, and a client that warms itself and the TaskManagers until the job is submitted.
        Raises Unavailable if the cluster does not come up, or no checkpoint can be written."""
        if self._settings.checkpoints is not None:
            require_well([examine_store(CHECKPOINTS, self.store)])
        if self.is_attached:
            python, state = self._settings.python, self._record.state
            self._env = flink.configure_client(self._home, self.address, python, state, self.store)
            self._start_client()
            return
        topology = self._record.topology
        self._env = flink.configure(self._home, self._ports, self._record.state, topology, self.store)
        *needed, _ = self._task_managers(self._record.parallelism)
        cluster = [
            *flink.coordinators(self._home, self._ports, topology.coordinators),
            *flink.job_managers(self._home, self._ports, self._env, topology.job_managers),
            *needed,
        ]
        for service in cluster:
            self._supervisor.begin(service)
        self._start_client()
        for service in cluster:
            self._supervisor.await_ready(service)

    def _start_client(self) -> None:
        log = self._home.logs / "submit.log"
        self._client = JobClient(settings_file(self._home), log, self._env, self._supervisor)
        self._client.start_ahead(flink.slots_of(self._record.parallelism))

    def _task_managers(self, parallelism: int) -> list[Service]:
        """Returns the TaskManagers of a parallelism that are ours: the last one is the standby; none of an attached cluster."""
        if self.is_attached:
            return []
        numbers = range(1, flink.task_managers(parallelism) + 1)
        home, ports, env, state = self._home, self._ports, self._env, self._record.state
        return [flink.task_manager(home, ports, env, number, state, parallelism) for number in numbers]

    def keeper(
        self, engines: Engines, settings: JobSettings, redis_run: RedisRun, fill_redis: Callable[[], object]
    ) -> JobKeeper:
        """Returns what keeps the job of these settings running, once `start` has returned. `fill_redis` loads the base into an
        empty Redis."""
        record, supervisor = self._record, self._supervisor

        def save_parallelism(parallelism: int) -> None:
            record.configure(parallelism=parallelism)
            record.save()

        assert self._client is not None
        cluster = FlinkClient(self.address, job_name=record.job_name)
        job = Job(self._home, self.store, cluster, self._client, settings, supervisor)
        workers = self._task_managers(record.parallelism)
        standby = Standby(self._home, cluster, self._env, supervisor, workers[-1]) if workers else None
        pending = PendingRecords(engines.redis, KafkaLogEnds(engines.kafka), lambda: job.settings)
        return JobKeeper(
            self._home,
            supervisor,
            job,
            redis_run,
            self._task_managers,
            save_parallelism,
            standby,
            Standstill(pending),
            Repetition(engines.redis, lambda: writer_names(job.settings)),
            fill_redis,
        )
