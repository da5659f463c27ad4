"""The survey: its error learnt from its own steps, held against a made series of known size and against the real one."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from wardbook.measures import survey
from wardbook.places import LONDON_CODE, boroughs

DECEMBER = date(2023, 12, 31)


@pytest.fixture(scope="module")
def real(committed):
    return committed.table("confidence")


def made(interviews: int, *, wobble: float = 0.0, quarters: int = 40) -> pl.DataFrame:
    """A rolling survey of 32 boroughs that all think alike: so many interviews a year, and a wobble of each calendar year."""
    random = np.random.default_rng(1)
    ends = pl.date_range(date(2014, 3, 31), date(2024, 3, 31), "1q", eager=True).dt.month_end()[: quarters + 3]
    codes = boroughs()["borough_code"].to_list()
    years = random.normal(0, wobble, (len(codes), 20))
    truth = np.array([[0.5 + years[b, end.year - 2014] for end in ends] for b in range(len(codes))]).clip(0, 1)
    asked = random.binomial(interviews // 4, truth) / (interviews // 4)
    rolling = np.stack([asked[:, t - 3 : t + 1].mean(axis=1) for t in range(3, len(ends))], axis=1)
    rows = [
        (code, end, "made", round(float(value), 2))
        for code, values in zip([*codes, LONDON_CODE], [*rolling, rolling.mean(axis=0)], strict=True)
        for end, value in zip(ends[3:], values, strict=True)
    ]
    return pl.DataFrame(rows, schema=["borough_code", "quarter_end", "question", "share"], orient="row")


@pytest.mark.parametrize("interviews", [120, 200, 400])
def test_the_steps_of_a_made_series_tell_how_many_were_asked(interviews):
    found = survey.effective_interviews(made(interviews)).filter(~pl.col("late"))["interviews"][0]
    assert found == pytest.approx(interviews, rel=0.15)


def test_a_year_to_year_wobble_is_learnt_and_is_no_sampling_error():
    december = pl.col("quarter_end").dt.month() == 12
    still, wobbling = (survey.yearly_changes(made(200, wobble=w)).filter(december) for w in (0.0, 0.05))
    assert still["tau2"].mean() < 0.0008
    # Two calendar years' wobbles lie between two Decembers; what the steps between quarters see of them is in the sampling.
    assert 1.2 * 0.05**2 < wobbling["tau2"].mean() < 2.4 * 0.05**2
    assert 0.02 <= wobbling["outside"].mean() <= 0.08


def test_the_judged_year_teaches_nothing_about_itself(real, monkeypatch):
    # A year in which every borough jumps apart is no measure of how far boroughs usually move.
    jump = (pl.col("quarter_end") >= DECEMBER) & (pl.col("borough_code") != LONDON_CODE)
    way = pl.when(pl.col("borough_code").str.slice(-1).cast(pl.Int64) % 2 == 0).then(0.3).otherwise(-0.3)
    torn = real.with_columns(share=pl.when(jump).then(pl.col("share") + way).otherwise("share"))
    worth = survey.effective_interviews(real)
    monkeypatch.setattr(survey, "effective_interviews", lambda _: worth)
    before, after = (survey.yearly_changes(table).filter(quarter_end=DECEMBER) for table in (real, torn))
    assert after["tau2"].to_list() == pytest.approx(before["tau2"].to_list())
    assert before["outside"].mean() < 0.1 and after["outside"].drop_nulls().mean() > 0.9


def test_of_the_real_yearly_changes_two_to_eight_per_cent_by_question_are_outside(real):
    end = pl.col("quarter_end")
    changes = survey.yearly_changes(real).filter(end.dt.month() == 12, end >= date(2016, 12, 31))
    shares = changes.group_by("question").agg(pl.col("outside").mean(), pl.len())
    assert shares.height == 8 and shares["outside"].is_between(0.02, 0.08).all()
    assert changes["outside"].mean() == pytest.approx(0.0476, abs=0.002)
    # The steps alone leave more outside: METHODS has 5-10 %.
    alone = changes.with_columns(alone=pl.col("gap_change").abs() > 1.96 * pl.col("sampling").sqrt())
    assert alone.group_by("question").agg(pl.col("alone").mean())["alone"].is_between(0.05, 0.11).all()


def test_the_real_interviews_are_worth_what_the_methods_note_found(real):
    worth = survey.effective_interviews(real)
    # METHODS: 108-166 in 2015-20, 192-215 in 2021-23, over questions; here question by question.
    early, late = (worth.filter(pl.col("late") == era)["interviews"] for era in (False, True))
    assert 108 <= early.median() <= 166 and 175 <= late.median() <= 215


def test_only_values_four_quarters_apart_are_compared(real):
    lacking = real.filter(pl.col("quarter_end") != date(2022, 12, 31))
    assert survey.yearly_changes(lacking).filter(quarter_end=DECEMBER)["outside"].drop_nulls().is_empty()
    before = survey.judge(lacking, DECEMBER)["year_before"]
    assert before.drop_nulls().is_empty(), "another quarter stands in for the one that is missing"


def test_a_gap_of_the_surveys_first_year_has_an_ordinary_years_variance_too(real):
    march = survey.yearly_changes(real).filter(pl.col("quarter_end").dt.month() == 3)
    tau2 = march.group_by("question").agg(tau2=(pl.col("gap_change") ** 2 - pl.col("sampling")).mean())
    sampling = survey.with_error(real).filter(quarter_end=date(2015, 3, 31)).join(tau2, on="question")
    first = survey.judge(real, date(2015, 3, 31)).join(sampling, on=["borough_code", "question"])
    half = 100 * 1.959964 * (first["variance"] + first["tau2"] / 2).sqrt()
    assert first.height == 224 and tau2["tau2"].min() > 0
    assert (first["gap_high"] - first["gap_low"]).to_list() == pytest.approx((2 * half).to_list())


def test_the_newest_quarter_is_not_after_the_period(real):
    assert survey.newest_quarter(real, date(2026, 2, 1)) == DECEMBER
    assert survey.newest_quarter(real, date(2019, 3, 1)) == date(2019, 3, 31)
    assert survey.newest_quarter(real, date(2012, 3, 1)) is None
