"""The one training loop: seeded, budgeted, stoppable, and resumed exactly where it was."""

from nbtools.training.checkpoints import read_history
from nbtools.training.clock import one_cycle
from nbtools.training.cycle import Cycle
from nbtools.training.examples import Examples
from nbtools.training.feed import prefetch
from nbtools.training.in_turn import InTurn
from nbtools.training.mean_teacher import MeanTeacher
from nbtools.training.places import Run, describe_place, find_runs, plan_run
from nbtools.training.recipe import hash_file, identify, save_model, write_recipe
from nbtools.training.run_lock import RunLock
from nbtools.training.settings import KEPT, History, TrainingPlan, TrainingSettings
from nbtools.training.step import Adversarial, Supervised, TrainStep
from nbtools.training.synthesis import PairedSynthesis, Synthesis
from nbtools.training.trainer import Trainer
from nbtools.training.two_stage import TwoStage
from nbtools.training.weights import read_weights, set_weights, write_weights

__all__ = [
    "KEPT",
    "Adversarial",
    "Cycle",
    "Examples",
    "History",
    "InTurn",
    "MeanTeacher",
    "PairedSynthesis",
    "Run",
    "RunLock",
    "Supervised",
    "Synthesis",
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
    "save_model",
    "set_weights",
    "write_recipe",
    "write_weights",
]
