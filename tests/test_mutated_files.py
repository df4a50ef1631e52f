"""Damaged files of every kind are read, or refused in words: nothing else."""

from reliability import mutated_files


def test_files_with_other_bytes_are_read_or_refused(tmp_path):
    """The long run: python tests/reliability/mutated_files.py."""
    table, failures = mutated_files.read_all(tmp_path, count=200, seed=1)
    assert failures == []
    total = sum(table.values(), mutated_files.Counter())
    assert total.total() == 200
    assert total["refused"] > 50  # the damage is real
