"""Which errors become messages, which become retries, and which stay what they are."""

import duckdb
import pytest
from dagster import Failure, RetryRequested

from pipelines.automation.failures import explained
from pipelines.errors import UserError, WorkFailedError

CONFLICT = "TransactionContext Error: Failed to commit: Failed to commit DuckLake transaction. Transaction conflict"


def test_a_persons_mistake_is_the_steps_message_and_is_not_retried() -> None:
    with pytest.raises(Failure) as caught, explained():
        raise UserError("'x' is not an instant.", "Write it as 2025-06-30.")
    assert caught.value.description == "'x' is not an instant."
    assert caught.value.metadata["remedy"].value == "Write it as 2025-06-30."
    assert not caught.value.allow_retries


@pytest.mark.parametrize(
    "error",
    [duckdb.TransactionException(CONFLICT), WorkFailedError(f"1 of 9 dbt nodes failed: int_orders: {CONFLICT}")],
)
def test_a_conflict_with_another_writer_is_retried(error: Exception) -> None:
    with pytest.raises(RetryRequested) as caught, explained():
        raise error
    assert caught.value.max_retries == 3


@pytest.mark.parametrize("error", [duckdb.BinderException("no such column"), ValueError("a defect")])
def test_a_defect_keeps_its_stack_trace(error: Exception) -> None:
    with pytest.raises(type(error)), explained():
        raise error
