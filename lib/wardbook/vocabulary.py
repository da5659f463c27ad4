"""What the labels of stops and searches mean, over the publisher's old and new words: `broad_group` and `outcome_group`."""

from __future__ import annotations

import polars as pl

NOT_STATED = "not stated"
BLANK = "blank"
UNRECOGNISED = "unrecognised label"

_MIXED = "White and Asian|White and Black African|White and Black Caribbean"
# Both vocabularies of self-defined ethnicity: the one since April 2017 and the one before, whose labels end in a code,
# such as "(B1)", left off here. "Not stated" is published under "Other ethnic group" but is no group: it is unknown.
SELF_DEFINED = {
    f"{heading} - {ending}": group
    for group, heading, endings in [
        ("Asian", "Asian/Asian British", "Bangladeshi|Chinese|Indian|Pakistani|Any other Asian background"),
        ("Asian", "Asian or Asian British", "Bangladeshi|Indian|Pakistani|Any other Asian ethnic background"),
        # The 2011 and 2021 censuses count Chinese as Asian: the older label goes along, or 2017 would be a break.
        ("Asian", "Chinese or other ethnic group", "Chinese"),
        ("Black", "Black/African/Caribbean/Black British", "African|Caribbean"),
        ("Black", "Black/African/Caribbean/Black British", "Any other Black/African/Caribbean background"),
        ("Black", "Black or Black British", "African|Caribbean|Any other Black ethnic background"),
        ("Mixed", "Mixed/Multiple ethnic groups", _MIXED),
        ("Mixed", "Mixed/Multiple ethnic groups", "Any other Mixed/Multiple ethnic background"),
        ("Mixed", "Mixed", f"{_MIXED}|Any other Mixed ethnic background"),
        ("Other", "Other ethnic group", "Arab|Any other ethnic group"),
        ("Other", "Chinese or other ethnic group", "Any other ethnic group"),
        ("White", "White", "English/Welsh/Scottish/Northern Irish/British|Irish|Gypsy or Irish Traveller"),
        ("White", "White", "Any other White background|White British|White Irish|Any other White ethnic background"),
        (NOT_STATED, "Other ethnic group", "Not stated"),
    ]
    for ending in endings.split("|")
} | {"Not Stated": NOT_STATED}

# What became of the person, not what was found: "Suspected psychoactive substances seized" ended in no further action,
# and "Article found" says itself that its outcome is not known.
_OUTCOMES = {
    label: group
    for group, labels in {
        "arrest": ["Arrest", "Suspect arrested"],
        "no further action": [
            "A no further action disposal",
            "Nothing found - no further action",
            "Suspected psychoactive substances seized - No further action",
        ],
        "other outcome": [
            "Caution (simple or conditional)",
            "Community resolution",
            "Khat or Cannabis warning",
            "Penalty Notice for Disorder",
            "Summons / charged by post",
            "Local resolution",
            "Offender cautioned",
            "Offender given drugs possession warning",
            "Offender given penalty notice",
            "Suspect summonsed to court",
        ],
        "not recorded": ["Article found - Detailed outcome unavailable"],
    }.items()
    for label in labels
}


def without_code(self_defined: pl.Expr) -> pl.Expr:
    """A self-defined label without the code that the older vocabulary ends it in."""
    return self_defined.str.replace(r" \([A-Z0-9]{2}\)$", "")


def broad_group(self_defined: pl.Expr) -> pl.Expr:
    """The broad group of a published self-defined label: Asian, Black, Mixed, Other, White, "not stated" or "blank".

    "Other ethnic group - Not stated" is unknown, not Other: lumped, it would be by far the largest "group". A label
    outside both vocabularies fails the query (`InvalidOperationError`); the reader of stops has refused its file before that.
    """
    return without_code(self_defined).replace_strict(SELF_DEFINED, return_dtype=pl.String).fill_null(BLANK)


def outcome_group(outcome: pl.Expr) -> pl.Expr:
    """What became of the person: arrest, no further action, other outcome, not recorded, or unrecognised label.

    Covers the words used before and since January 2018. A label of neither is a group of its own: no rate quietly
    counts it, and the month stays usable.
    """
    groups = {"": "not recorded"} | _OUTCOMES
    return outcome.fill_null("").replace_strict(groups, default=UNRECOGNISED, return_dtype=pl.String)
