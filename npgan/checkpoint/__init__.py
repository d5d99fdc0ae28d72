"""Checkpoints: save a run so that it can be resumed bit for bit, and a trained generator so that it can be shared."""
from npgan.checkpoint.archive import CheckpointError, SettingsDiffer
from npgan.checkpoint.loading import Checkpoint, load, restore
from npgan.checkpoint.saving import MonitorBasedSaveBest, Saving, save, save_generator, set_aside

__all__ = ["Checkpoint", "CheckpointError", "MonitorBasedSaveBest", "Saving", "SettingsDiffer", "load", "restore",
           "save", "save_generator", "set_aside"]
