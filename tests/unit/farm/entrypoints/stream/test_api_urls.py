"""In which order a stream process asks for the farm."""

from corral.farm.entrypoints.stream.urls import BACK_AFTER_SECONDS, ApiUrls

FILE, NEW, SPARE, WRONG = "http://a", "http://b", "http://c", "http://d"


class Stopwatch:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_before_the_farm_has_spoken_the_file_counts() -> None:
    urls = ApiUrls((FILE, SPARE), Stopwatch())
    assert urls.in_turn() == (FILE, SPARE)
    urls.note_answer(SPARE)
    assert urls.in_turn() == (SPARE, FILE)
    # A farm of an older release says nothing, and there is nothing to keep.
    assert not urls.adopt(())
    assert urls.to_keep() == ()


def test_the_farms_word_comes_before_the_files() -> None:
    urls = ApiUrls((FILE,), Stopwatch())
    urls.note_answer(FILE)
    assert urls.adopt((NEW, SPARE))
    assert not urls.adopt((NEW, SPARE))
    assert urls.in_turn() == (NEW, SPARE, FILE)
    urls.note_answer(SPARE)
    assert urls.in_turn() == (SPARE, NEW, FILE)
    assert urls.to_keep() == (NEW, SPARE)


def test_who_answers_where_the_farm_is_no_more_is_stayed_with_only_for_a_while() -> None:
    stopwatch = Stopwatch()
    urls = ApiUrls((FILE,), stopwatch)
    urls.adopt((NEW,))
    urls.note_answer(FILE)
    # To ask in vain takes seconds: not each time.
    assert urls.in_turn() == (FILE, NEW)
    stopwatch.now = BACK_AFTER_SECONDS - 1
    urls.note_answer(FILE)
    assert urls.in_turn() == (FILE, NEW)
    stopwatch.now = BACK_AFTER_SECONDS
    assert urls.in_turn() == (NEW, FILE)
    urls.note_answer(FILE)
    assert urls.in_turn() == (FILE, NEW)
    stopwatch.now = 2 * BACK_AFTER_SECONDS
    urls.note_answer(NEW)
    assert urls.in_turn() == (NEW, FILE)


def test_a_farm_that_named_a_wrong_url_is_heard_where_it_was() -> None:
    urls = ApiUrls((FILE,), Stopwatch())
    urls.adopt((NEW,))
    urls.note_answer(NEW)
    urls.adopt((WRONG,))
    assert urls.in_turn() == (WRONG, NEW, FILE)
    urls.note_answer(NEW)
    assert urls.in_turn() == (NEW, WRONG, FILE)
    # The next process finds it, too.
    assert urls.to_keep() == (WRONG, NEW)
