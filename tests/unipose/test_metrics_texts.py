"""BLEU-4, ROUGE-L and METEOR: the libraries' own numbers, and ones that were worked out by hand."""

from __future__ import annotations

import math
import runpy
import sys
from dataclasses import asdict
from pathlib import Path

import nltk
import pytest
import sacrebleu
from nltk.corpus import wordnet
from nltk.translate.meteor_score import meteor_score
from rouge_score.rouge_scorer import RougeScorer

from unipose.errors import ConfigError
from unipose.metrics import text_scores, texts
from unipose.metrics.texts import NoWordNet

TEXTS = [
    "The left knee is bent and both arms hang down.",
    "Someone stands on the right leg, the left arm raised high.",
    "The person squats with the hands together.",
]
REFERENCES = [
    [
        "The left knee is bent at a right angle and both arms hang at the sides.",
        "His knee is bent.",
    ],
    ["They stand on their right leg with the left arm raised up high."],
    ["Both knees are bent, and the hands touch each other.", "Someone squats, hands together."],
]


@pytest.fixture
def no_wordnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine where nltk finds no data at all."""
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    lazy = nltk.corpus.util.LazyCorpusLoader(
        "wordnet", nltk.corpus.reader.WordNetCorpusReader, None
    )
    monkeypatch.setattr(nltk.corpus, "wordnet", lazy)


def test_bleu_is_sacrebleus():
    one = [some[0] for some in REFERENCES]
    two = [some[1] if len(some) > 1 else None for some in REFERENCES]
    theirs = sacrebleu.corpus_bleu(TEXTS, [one, two], lowercase=True).score
    ours = text_scores(TEXTS, REFERENCES, synonyms="none")
    assert ours.bleu4 == pytest.approx(theirs)
    assert "tok:13a" in ours.bleu_signature
    assert "case:lc" in ours.bleu_signature


def test_bleu_by_hand():
    text, reference = "the left arm is up high now", "the left arm is up high"
    # 7 words: 6 of 7, 5 of 6, 4 of 5 and 3 of 4 n-grams are right; longer than its reference
    by_hand = (6 / 7 * 5 / 6 * 4 / 5 * 3 / 4) ** 0.25
    assert text_scores([text], [[reference]], synonyms="none").bleu4 == pytest.approx(100 * by_hand)


def test_rouge_is_rouge_scores():
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    theirs = [
        max(scorer.score(reference, text)["rougeL"].fmeasure for reference in some)
        for text, some in zip(TEXTS, REFERENCES, strict=True)
    ]
    ours = text_scores(TEXTS, REFERENCES, synonyms="none").rouge_l
    assert ours == pytest.approx(100 * sum(theirs) / 3)


def test_rouge_by_hand():
    # longest common subsequence "left arm up": 3 of 4 words, 3 of 5 words
    ours = text_scores(["left arm goes up"], [["the left arm is up"]], synonyms="none").rouge_l
    precision, share = 3 / 4, 3 / 5
    assert ours == pytest.approx(100 * 2 * precision * share / (precision + share))


def test_meteor_is_nltks_and_takes_the_best_reference():
    theirs = []
    for text, some in zip(TEXTS, REFERENCES, strict=True):
        split = [nltk.wordpunct_tokenize(reference) for reference in some]
        words = nltk.wordpunct_tokenize(text)
        each = [meteor_score([one], words, wordnet=NoWordNet()) for one in split]
        theirs.append(max(each))
    ours = text_scores(TEXTS, REFERENCES, synonyms="none")
    assert ours.meteor == pytest.approx(100 * sum(theirs) / 3)
    assert ours.synonyms == "none"


def test_meteor_by_hand():
    # 4 of 5 and 4 of 4 words match ("bends" and "bend" by their stem), in two runs
    ours = text_scores(["the knee bends a lot"], [["the knee bend lot"]], synonyms="none").meteor
    precision, share = 4 / 5, 4 / 4
    mean = precision * share / (0.9 * precision + 0.1 * share)
    assert ours == pytest.approx(100 * mean * (1 - 0.5 * (2 / 4) ** 3))


@pytest.mark.usefixtures("no_wordnet")
def test_without_wordnet_meteor_is_labelled_so():
    scores = asdict(text_scores(TEXTS, REFERENCES))
    assert scores["synonyms"] == "none"
    assert scores == asdict(text_scores(TEXTS, REFERENCES, synonyms="none"))


@pytest.mark.usefixtures("no_wordnet")
def test_wordnet_that_is_asked_for_and_not_there_is_an_error():
    with pytest.raises(ConfigError, match="not there"):
        text_scores(TEXTS, REFERENCES, synonyms="wordnet")


@pytest.mark.slow  # needs Debian's wordnet in nltk's data path
def test_with_wordnet_synonyms_count():
    try:
        wordnet.ensure_loaded()
    except LookupError:
        pytest.skip("no WordNet in nltk's data path")
    texts_, references = ["the large person sprints"], [["the big person dashes"]]
    known, unknown = (text_scores(texts_, references, synonyms=s) for s in ("wordnet", "none"))
    assert (known.synonyms, unknown.synonyms) == ("wordnet", "none")
    # "the", "person", and with WordNet "sprints": in two runs, out of four words
    assert unknown.meteor == pytest.approx(100 * 0.5 * (1 - 0.5 * (2 / 2) ** 3))
    assert known.meteor == pytest.approx(100 * 0.75 * (1 - 0.5 * (2 / 3) ** 3))


def test_a_text_equal_to_its_reference_is_as_good_as_can_be():
    scores = text_scores([TEXTS[0]], [[TEXTS[0]]], synonyms="none")
    assert scores.bleu4 == pytest.approx(100)
    assert scores.rouge_l == pytest.approx(100)
    words = len(nltk.wordpunct_tokenize(TEXTS[0]))
    assert scores.meteor == pytest.approx(100 * (1 - 0.5 / words**3))
    assert math.isfinite(scores.meteor)


def test_texts_without_references_are_refused():
    with pytest.raises(ConfigError, match="1 of them empty"):
        text_scores(TEXTS[:2], [REFERENCES[0], []])
    with pytest.raises(ConfigError, match="3 texts and 1 lists"):
        text_scores(TEXTS, REFERENCES[:1])


def test_the_text_libraries_are_not_loaded_before_they_are_needed(monkeypatch: pytest.MonkeyPatch):
    libraries = ("nltk", "sacrebleu", "rouge_score")
    for module in [*sys.modules, *libraries]:
        if module.split(".")[0] in libraries:
            monkeypatch.setitem(sys.modules, module, None)  # importing it fails now
    again = runpy.run_path(str(texts.__file__))
    assert "text_scores" in again
    with pytest.raises(ImportError, match="sacrebleu"):
        again["text_scores"](TEXTS, REFERENCES)
