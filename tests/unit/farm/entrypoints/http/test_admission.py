from corral.farm.entrypoints.http.admission import LoginBudget


def test_a_burst_is_admitted_and_then_the_rate() -> None:
    budget = LoginBudget(in_a_burst=3, per_second=2.0)
    assert [budget.take("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert [budget.take("a", 0.5) for _ in range(2)] == [True, False]


def test_one_address_does_not_use_up_the_budget_of_another() -> None:
    budget = LoginBudget(in_a_burst=3, per_second=2.0)
    for _ in range(4):
        budget.take("a", 0.0)
    assert budget.take("b", 0.0)


def test_a_rest_does_not_save_up_more_than_a_burst() -> None:
    budget = LoginBudget(in_a_burst=3, per_second=2.0)
    budget.take("a", 0.0)
    assert [budget.take("a", 1e6) for _ in range(4)] == [True, True, True, False]


def test_a_scan_from_many_addresses_does_not_grow_the_memory() -> None:
    budget = LoginBudget(in_a_burst=3, per_second=2.0)
    for address in range(10_000):
        budget.take(str(address), 0.0)
    assert len(budget._buckets) <= 4096  # noqa: SLF001 - the bound is what is promised
