"""The one training loop: seeded, budgeted, stoppable, and resumed exactly where it was."""

from nbtools.training.checkpoints import read_history
from nbtools.training.clock import one_cycle
from nbtools.training.examples import Examples
from nbtools.training.feed import prefetch
from nbtools.training.places import Run, describe_place, find_runs, plan_run
from nbtools.training.recipe import hash_file, identify, write_recipe
from nbtools.training.run_lock import RunLock
from nbtools.training.settings import KEPT, History, TrainingPlan, TrainingSettings
from nbtools.training.step import Adversarial, Supervised, TrainStep
from nbtools.training.trainer import Trainer
from nbtools.training.two_stage import TwoStage
from nbtools.training.weights import read_weights, set_weights, write_weights

__all__ = [
    "KEPT",
    "Adversarial",
    "Examples",
    "History",
    "Run",
    "RunLock",
    "Supervised",
    "TrainStep",
    "Trainer",
    "TrainingPlan",
    "TrainingSettings",
    "TwoStage",
    "describe_place",
    "find_runs",
    "hash_file",
    "identify",
    "one_cycle",
    "plan_run",
    "prefetch",
    "read_history",
    "read_weights",
    "set_weights",
    "write_recipe",
    "write_weights",
]
