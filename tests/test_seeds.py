from __future__ import annotations

from qhn.seeds import Key, Purpose


def test_every_choice_has_its_own_numbers_and_the_same_choice_the_same() -> None:
    keys = [
        Key(seed, purpose, step, evaluation)
        for seed in (0, 7)
        for purpose in Purpose
        for step in (0, 1)
        for evaluation in (0, 1)
    ]
    numbers = [key.uint32() for key in keys]
    assert len(set(numbers)) == len(numbers)
    assert numbers == [key.uint32() for key in keys]
    assert Key(7).generator().random() == Key(7, run="a").generator().random()


def test_tag_names_run_step_and_evaluation() -> None:
    assert Key(7, step=3, evaluation=1, run="abc").tag == "qhn:abc:3:1"
