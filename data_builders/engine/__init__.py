"""Run the builders' steps at any scale: this machine's cores, a Slurm partition, a Ray cluster."""

from data_builders.engine.stages import Place, Stage, StageError, run_stages, stages_done

__all__ = ["Place", "Stage", "StageError", "run_stages", "stages_done"]
