"""Run the builders' steps at any scale: this machine's cores, a Slurm partition, a Ray cluster."""

from data_builders.engine.run_stages import run_stages, stages_done
from data_builders.engine.stages import BuildStage, Place, StageError

__all__ = ["BuildStage", "Place", "StageError", "run_stages", "stages_done"]
