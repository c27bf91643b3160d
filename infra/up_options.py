"""Options of `up` on its command line."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class UpOptions:
    """Options of one `up`; None stands for the home's existing setting, else the default (`./martlet up --help`).

    port          of the API and the pages, on loopback; 0 where no API is to be started
    dataset       a name that offline.datasets.dataset knows, or a folder
    history       share of the data set loaded as history, 0 to 1
    schema        what events mean: a preset or a file, for a home that is made now
    master        of Spark
    parallelism   of the job, 1 to 8
    state         where Flink keeps state: infra.flink.cluster.MEMORY or ROCKSDB
    attribution   seconds that a shown list waits for actions on it
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

    def arguments(self) -> list[str]:
        """Returns the options as command line arguments.

        >>> UpOptions(8000, model_server="localhost:8500").arguments()
        ['--port', '8000', '--model-server', 'localhost:8500']
        """
        given = {field.name.replace("_", "-"): getattr(self, field.name) for field in fields(self)}
        return [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
