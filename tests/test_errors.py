"""The one way to tell a user what is wrong."""

import pickle

from nbtools.errors import UserError

ERROR = UserError("Patch size must be a multiple of 16.", (100, 96), "Use (96, 96).")


def test_an_error_is_rule_received_remedy():
    assert str(ERROR) == "Patch size must be a multiple of 16. Received: (100, 96). Use (96, 96)."


def test_an_error_is_a_value_error():
    assert isinstance(ERROR, ValueError)


def test_an_error_comes_whole_out_of_another_process():
    copy = pickle.loads(pickle.dumps(ERROR))
    assert (copy.rule, copy.received, copy.remedy) == (ERROR.rule, ERROR.received, ERROR.remedy)
