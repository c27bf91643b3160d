"""Options of `up` on its command line."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class UpOptions:
    """Options of one `up`; None stands for the home's existing setting, else the default (`./martlet up --help`).

    port          of the API and the pages, on loopback; 0 where no API is to be started
    dataset       a name that offline.datasets.dataset knows, or a folder
    history       share of the data set loaded as history, 0 to 1
    schema        what events mean: a preset or a file, for a home that is made now
    master        of Spark
    parallelism   of the job, at most as many as the home has partitions
    state         where Flink keeps state: infra.flink.cluster.MEMORY or ROCKSDB
    attribution   seconds that a shown list waits for actions on it
    api           processes of the API, on one port; None: as the settings say
    partitions    of each topic of users, for a home that is made now; None: as the settings say
    scale         whether a home that is made now has several servers of each engine (`infra.home.topology`)
    model_server  address of a TensorFlow Serving that runs elsewhere; None: the embedded one
    """

    port: int = 0
    dataset: str | None = None
    history: float | None = None
    schema: str | None = None
    master: str | None = None
    parallelism: int | None = None
    state: str | None = None
    attribution: int | None = None
    model_server: str | None = None
    api: int | None = None
    partitions: int | None = None
    scale: bool = False

    def settings(self) -> dict[str, str | None]:
        """Returns the options that are settings, by path (see `infra.settings.reading.OPTIONS`); None where not given."""
        numbers = {"api.processes": self.api, "kafka.partitions": self.partitions}
        texts = {path: None if number is None else str(number) for path, number in numbers.items()}
        return {"spark.master": self.master, "models.server": self.model_server, **texts}

    def arguments(self) -> list[str]:
        """Returns the options as command line arguments.

        >>> UpOptions(port=8000, model_server="localhost:8500", scale=True).arguments()
        ['--port', '8000', '--model-server', 'localhost:8500', '--scale']
        """
        given = {f"--{field.name.replace('_', '-')}": getattr(self, field.name) for field in fields(self)}
        valued = [(name, value) for name, value in given.items() if value is not None and not isinstance(value, bool)]
        flags = [name for name, value in given.items() if value is True]
        return [word for name, value in valued for word in (name, str(value))] + flags
