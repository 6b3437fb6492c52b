"""The same work on many things at once: in this process, in several, or on the machines of a ray cluster."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_end
from typing import Any, TypeVar

from torchbend.errors import CorpusError, MissingExtraError, TorchbendError

__all__ = ["processors", "unordered"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def unordered(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int = 1, ray: bool = False
) -> Iterator[Result]:
    """The results of a function for each task, as they are ready.

    At most ``workers`` tasks are under way, and a task is taken from ``tasks`` only when it can begin: what
    makes them may wait for the results before. Workers end by themselves when this process does, even if
    it is killed.

    Args:
        function: importable, as are its tasks and results (they are pickled where there are several workers).
        tasks: one after the other.
        workers: at least 1; 1 works in this process.
        ray: work as tasks of a ray cluster; one is started on this machine, where none is there.

    Raises:
        CorpusError: a worker was ended from outside, for example since memory was short.
        MissingExtraError: ray is wanted and not installed.
        TorchbendError: as the function raises it, once what was under way has given its results.
    """
    if ray:
        yield from _by_ray(function, tasks, workers)
    elif workers <= 1:
        yield from map(function, tasks)
    else:
        yield from _by_processes(function, tasks, workers)


def _by_processes(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Iterator[Result]:
    context = multiprocessing.get_context("spawn")  # a fork would copy locks that threads hold
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent)
    under_way: set[Future[Result]] = set()
    source, failed = iter(tasks), None
    try:
        while True:
            while not failed and len(under_way) < workers and (task := next(source, _END)) is not _END:
                under_way.add(pool.submit(function, task))  # type: ignore[arg-type]
            if not under_way:
                break
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                if future.exception() is None:
                    yield future.result()
                else:
                    failed = failed or future.exception()
        if failed is not None:
            raise failed
    except BrokenProcessPool as error:
        raise CorpusError(
            "a worker was ended from outside",
            got="most often this means that memory was short",
            next_step="run again, with fewer --workers: what is done is kept",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _by_ray(function: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise MissingExtraError.of("ray", "ray", "working on a cluster") from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, include_dashboard=False)
    remote = ray.remote(function)
    source, failed = iter(tasks), None
    under_way: list[Any] = []
    while True:
        while not failed and len(under_way) < workers and (task := next(source, _END)) is not _END:
            under_way.append(remote.remote(task))
        if not under_way:
            break
        done, under_way = ray.wait(under_way)
        try:
            results = ray.get(done)
        except ray.exceptions.RayTaskError as error:
            failed = failed or error
            continue
        yield from results
    if failed is not None:
        raise _of_ray(failed) from failed


_END = object()


def _of_ray(error: Any) -> TorchbendError:
    """The package's own error out of ray's."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, TorchbendError):
        return cause
    return CorpusError("a task on the cluster failed", got=str(error).strip().splitlines()[-1])


def _end_with_parent() -> None:
    """In a worker: leave interrupts to the parent, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_for, args=(parent.sentinel,), daemon=True).start()


def _wait_for(sentinel: int) -> None:
    wait_for_end([sentinel])
    os._exit(1)
