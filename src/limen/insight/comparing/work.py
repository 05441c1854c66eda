"""Where models are trained: in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from limen.errors import LimenError, MissingPackageError
from limen.function import ActivationFunction
from limen.insight.comparing.data import Data, needed
from limen.insight.comparing.trial import Recipe, Record, train

__all__ = ["Run", "Workers", "cluster", "processes"]

Run = tuple[ActivationFunction, int]
"""A function and a seed."""

_PATIENCE = "10s"  # to reach a scheduler


class Workers(Protocol):
    """Trains models, several at once."""

    count: int

    def train(self, runs: Sequence[Run]) -> Iterator[tuple[Run, Record]]:
        """Each run with its record, in the order in which they end."""
        ...


class _Processes:
    """Processes of this machine, or whatever `joblib.parallel_config` chose."""

    def __init__(self, jobs: int, data: Data, recipe: Recipe) -> None:
        self._joblib = needed("joblib")
        self._jobs, self._task = jobs, (data, recipe)
        self.count = int(self._joblib.effective_n_jobs(jobs))

    def train(self, runs: Sequence[Run]) -> Iterator[tuple[Run, Record]]:
        job = self._joblib.delayed(_numbered)
        parallel = self._joblib.Parallel(
            n_jobs=self._jobs, return_as="generator_unordered", batch_size=1
        )
        for k, record in parallel(job(k, *run, *self._task) for k, run in enumerate(runs)):
            yield runs[k], record


class _Cluster:
    """The workers of a Dask cluster; the data are sent to each of them once."""

    def __init__(self, client: Any, data: Data, recipe: Recipe) -> None:
        self._client, self._recipe = client, recipe
        self._data = client.scatter(data, broadcast=True)
        self.count = max(1, sum(client.nthreads().values()))

    def train(self, runs: Sequence[Run]) -> Iterator[tuple[Run, Record]]:
        submit = self._client.submit
        jobs = {
            # Not pure: the same run asked for once more is trained once more.
            submit(train, f, self._data, seed, self._recipe, pure=False): (f, seed)
            for f, seed in runs
        }
        try:
            for job in _distributed().as_completed(list(jobs), loop=self._client.loop):
                yield jobs[job], job.result()
        finally:
            self._client.cancel(list(jobs))


@contextmanager
def processes(jobs: int, data: Data, recipe: Recipe) -> Iterator[Workers]:
    """So many processes of this machine; -1 for one per core."""
    yield _Processes(jobs, data, recipe)


@contextmanager
def cluster(address: str, data: Data, recipe: Recipe) -> Iterator[Workers]:
    """The workers of the Dask scheduler at an address, such as tcp://10.0.0.1:8786.

    Raises:
        LimenError: where nobody answers, or no worker is there.
        MissingPackageError: without the extra `dask`.
    """
    distributed = _distributed()
    try:
        distributed.comm.resolve_address(address)  # of what is none, a client takes 20 s to let go
        client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise LimenError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        if not client.nthreads():
            raise LimenError(f"the Dask scheduler at {address} has no workers")
        yield _Cluster(client, data, recipe)


def _distributed() -> Any:
    """Dask's distributed, or how to install it."""
    try:
        import distributed
    except ImportError as error:
        raise MissingPackageError(
            'a Dask cluster needs distributed: pip install "limen[dask]"'
        ) from error
    return distributed


def _numbered(
    k: int, function: ActivationFunction, seed: int, data: Data, recipe: Recipe
) -> tuple[int, Record]:
    return k, train(function, data, seed, recipe)
