"""A Dask cluster on this machine: the same results, also when a worker is killed."""

import os
import signal

import pytest
from distributed import Client, LocalCluster

from fxsim import cluster
from fxsim.errors import ConfigError
from fxsim.explorer.cluster import Cluster, cluster_workers
from fxsim.explorer.methods import run_method
from fxsim.explorer.search import Search
from fxsim.explorer.store import open_store
from fxsim.explorer.workers import Here
from tests.explorer.small import make


class Killing:
    """Kills one worker process of the cluster after some results."""

    def __init__(self, workers, client):
        self.workers, self.client, self.killed = workers, client, None

    def run(self, points):
        for k, result in enumerate(self.workers.run(points)):
            if k == 10:
                self.killed = next(iter(self.client.run(os.getpid).values()))
                os.kill(self.killed, signal.SIGKILL)
            yield result


def outcomes(tmp_path, name, job, workers):
    with open_store(tmp_path / name, {}, resume=False) as store:
        run_method("grid", Search(job, store, workers, seed=1))
        return store.outcomes()


@pytest.mark.filterwarnings("ignore")  # of Dask, about the lost worker
def test_a_cluster_gives_the_same_results_and_redoes_what_a_lost_worker_had(tmp_path):
    job = make()
    expected = outcomes(tmp_path, "here", job, Here(job))
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(**options) as local, Client(local) as client:
        killing = Killing(Cluster(client, job), client)
        assert outcomes(tmp_path, "there", job, killing) == expected
        assert killing.killed is not None
        with cluster_workers(job, local.scheduler_address, 1) as workers:
            assert outcomes(tmp_path, "address", job, workers) == expected


@pytest.mark.filterwarnings("ignore")
def test_a_missing_scheduler_is_an_error_in_words(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 1)
    with (
        pytest.raises(ConfigError, match=r"^no Dask scheduler at tcp://127\.0\.0\.1:9 "),
        cluster_workers(make(), "tcp://127.0.0.1:9", 1),
    ):
        pass
